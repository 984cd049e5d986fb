"""One map: what it is at once, its voxels on first use."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.doubts import (
    cluster_level_doubt,
    doubt_of,
    is_thresholded,
    natural_log_doubt,
    say_otherwise,
)
from napari_neurosynth_results.maps.entry import MapEntry
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.kinds import MapKind, Tail, Zero
from napari_neurosynth_results.maps.names import MapName, method_in_words

Mask = npt.NDArray[np.bool_]
#: Gets a map and its voxels, and lets go of them.
Look = Callable[["StatMap", Voxels], None]
Fact = TypeVar("Fact")


class MapSet(Protocol):
    """What maps of one source ask of each other; a `ResultSet` answers.

    Who wants more of it than its maps, as its tables and texts, asks `result_of`.
    """

    @property
    def title(self) -> str:
        """What to call the set."""

    @property
    def source(self) -> str:
        """The path or address it came from."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be opened or had to be changed, and why."""

    @property
    def on_demand(self) -> bool:
        """Whether a map that waits on a server is brought by whoever looks at it."""

    @property
    def maps(self) -> Mapping[str, StatMap]:
        """The maps by file stem, in order of interest."""

    def __getitem__(self, key: str) -> StatMap:
        """Return a map by its file stem."""

    @property
    def iterations_in_text(self) -> set[int]:
        """What the methods text states; who counts them reads the values."""

    def run_of(self, statmap: StatMap, *, listed: bool = False) -> list[StatMap]:
        """Return all maps of the same meta-analysis, this one among them."""

    def siblings(self, statmap: StatMap, *, listed: bool = False) -> dict[str, StatMap]:
        """Find the maps of the same test and correction with another value."""

    def uncorrected(self, statmap: StatMap, value: str | None = None) -> StatMap | None:
        """Find the map a corrected one was made from; an uncorrected map is its own."""

    def needed_by(self, statmap: StatMap) -> list[StatMap]:
        """List the maps without which a map's numbers are not fully understood."""

    def fetch(self, statmaps: Iterable[StatMap], job: Job | None = None) -> list[str]:
        """Bring maps to this machine; return what could not be had."""

    def demand(self, statmap: StatMap) -> None:
        """Refuse a map that is not at hand, where nobody may wait for it."""

    def voxels_of(self, statmap: StatMap) -> Voxels:
        """Return a map's voxels."""

    def look_through(self, statmaps: Iterable[StatMap], most: int, look: Look) -> None:
        """Show voxels to somebody, map by map, few at a time, without broken ones."""

    def release(self, statmaps: Iterable[StatMap] | None = None) -> None:
        """Let go of voxels that nobody else holds: of some maps, or of all."""

    def mask_of(self, statmap: StatMap) -> Mask | None:
        """Return the analysis mask, None if unknown."""

    def tail_of(self, statmap: StatMap) -> Tail:
        """Return the tail of a map: measured on its siblings, else by its name."""

    def tail_is_guess(self, statmap: StatMap) -> bool:
        """Whether nothing but a habit or the signs of its values tell a map's tail."""

    def negatives_count(self, statmap: StatMap) -> bool:
        """Whether the test behind a map looked at the negative direction at all."""

    def remember(self, key: Hashable, find: Callable[[], Fact]) -> Fact:
        """Return a fact about the maps, found when it is first asked for."""

    def report(self, *problems: str) -> None:
        """Add to the problems what was not told yet."""


@dataclass(frozen=True, eq=False)
class StatMap:
    """One map of a result: its meaning at once, its voxels on first use.

    Attributes
    ----------
    file : MapEntry
        What is known without reading voxels.
    title : str
        Plain words, unique within the set.
    short_title : str
        The same in few words, and first what tells the map apart.
    results : MapSet
        The `ResultSet` that the map belongs to.
    """

    file: MapEntry
    title: str
    short_title: str
    results: MapSet = field(repr=False)

    @property
    def key(self) -> str:
        """Name of the map in its result set: the file stem."""
        return self.file.key

    @property
    def name(self) -> MapName | None:
        """The parsed file name, None when it is not NiMARE's."""
        return self.file.name

    @property
    def kind(self) -> MapKind:
        """What the numbers are."""
        return self.file.kind

    @property
    def grid(self) -> Grid:
        """Shape and affine.

        Raises
        ------
        ResultsError
            When the map is not at hand and cannot be brought here.
        """
        self.results.demand(self)
        return self.file.grid

    @property
    def path(self) -> str:
        """The file the map came from, or the address of one on a server."""
        return self.file.path

    @property
    def notices(self) -> tuple[str, ...]:
        """What the header gives reason to say; nothing before it is here."""
        return self.file.notices if self.at_hand else ()

    @property
    def dof(self) -> float | tuple[float, float] | None:
        """Degrees of freedom of a t, chi2 or (two) F map, by its header or its name."""
        by_name = self.name.dof if self.name is not None else None
        if by_name is not None and self.file.reading.dof is None:
            return by_name
        self.results.demand(self)
        return self.file.dof

    @property
    def at_hand(self) -> bool:
        """Whether the file is on this machine."""
        return self.file.at_hand

    @property
    def level(self) -> str | None:
        """``"cluster"``, ``"voxel"`` or None for an uncorrected map."""
        if self.file.reading.correction is not None:
            return self.file.reading.level
        return self.name.level if self.name else None

    @property
    def correction(self) -> str | None:
        """``"FWE"``, ``"FDR"``; None for a map of which nothing says so."""
        if (stated := self.file.reading.correction) is not None:
            return None if stated == "none" else stated
        return self.name.correction if self.name else None

    @property
    def correction_is_known(self) -> bool:
        """Whether `correction` of None means that the values are uncorrected."""
        return self.name is not None or self.file.reading.correction is not None

    @property
    def correction_method(self) -> str:
        """How the correction was made, in words; else by whom; empty if unknown."""
        if not self.correction:
            return ""
        if self.name is not None and self.name.correction == self.correction:
            return method_in_words(self.name)
        reading = self.file.reading
        known = reading.program and reading.word != "user"
        return f"by {reading.program}" if known else ""

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Voxel index to MNI mm, shape (4, 4), diagonal but for the origin."""
        return self.grid.affine

    @property
    def data(self) -> Voxels:
        """Voxels, float32 (i, j, k), RAS+; read-only; NaN is outside.

        Raises
        ------
        ResultsError
            When the file is broken, truncated or larger than the reading limit.
        """
        return self.results.voxels_of(self)

    @property
    def mask(self) -> Mask | None:
        """The analysis mask, bool (i, j, k), from all siblings; None if unknown."""
        return self.results.mask_of(self)

    @property
    def inside(self) -> Mask | None:
        """Where a map has values, bool (i, j, k), if a 0 is none or may be one.

        A p of 0 is outside of the mask, but one inside of a known mask underflowed. A
        variance of 0 is a value where the mask is known. None for other kinds.
        """
        row = self.kind.row
        if row.zero is not Zero.OUTSIDE:
            return self.mask if row.zero is Zero.VALUE and row.shown_whole else None
        if (mask := self.mask) is not None:
            return mask
        return self.results.remember(
            (self.key, "inside"), lambda: values_inside(self.kind, self.data)
        )

    @property
    def underflowed(self) -> Mask | None:
        """Where p was too small for the file: 0 but `inside`; None if nowhere."""
        return self.results.remember(
            (self.key, "underflowed"), lambda: _find_underflowed(self)
        )

    @property
    def tail(self) -> Tail:
        """One-tailed, two-tailed or no tail: measured on siblings, else by name."""
        return self.results.tail_of(self)

    @property
    def doubt(self) -> str:
        """Why the values cannot be what the map is taken for; empty when they can."""
        return self.results.remember((self.key, "doubt"), lambda: _find_doubt(self))

    @property
    def cut(self) -> str:
        """By what the map was thresholded before, in words; empty for whole maps."""
        reading = self.file.reading
        known = reading.cut or reading.whole or self.correction
        if known or self.results.siblings(self, listed=True):
            return reading.cut
        cut = self.results.remember(
            (self.key, "cut"), lambda: is_thresholded(self.data, reading)
        )
        return "an unknown program" if cut else ""

    @property
    def tail_is_open(self) -> bool:
        """Whether neither a user nor any name says how the p of the map counts."""
        return self.name is None and self.file.reading.tail is None

    @property
    def tail_is_guess(self) -> bool:
        """Whether `tail` is no more than a guess."""
        return self.results.tail_is_guess(self)

    @property
    def tail_is_conversions(self) -> bool:
        """Whether `tail` says how a corrected p became z, and nothing of the test.

        FDR and Bonferroni are counted on p, and NiMARE converts those two-tailed, one-
        tailed tests as well. What Monte Carlo corrected has the tail of its test.
        """
        formula = self.kind.row.p
        if not self.correction or formula.states_p or not formula.by_tail:
            return False
        if self.level == "cluster":
            return False
        return self.name is None or self.name.method != "montecarlo"

    def say_tail(self, tail: Tail) -> str:
        """Write a tail as in a sentence about this map."""
        return f"converted {tail}" if self.tail_is_conversions else str(tail)

    @property
    def tail_in_words(self) -> str:
        """The tail as in a sentence, and whether it is a guess."""
        told = self.say_tail(self.tail)
        return f"{told}, a guess" if self.tail_is_guess else told

    @property
    def has_negatives(self) -> bool:
        """Whether any voxel is below zero."""
        return self.results.remember(
            (self.key, "negatives"), lambda: bool((self.data < 0).any())
        )

    @property
    def row_ends(self) -> tuple[Voxels, Voxels]:
        """The lowest and the highest value of each row along x, two of shape (j * k,).

        In memory order (Fortran's); NaN where there is one. Whoever looks for what is
        above a height has to look at the rows that reach it only, which are few.
        """
        return self.results.remember(
            (self.key, "row ends"), lambda: _find_row_ends(self.data)
        )

    @property
    def signed(self) -> bool:
        """Whether the negative side means the opposite effect.

        A one-tailed z may be negative, but that is never evidence for a deactivation,
        unless the test gave the negative direction a p of its own.
        """
        if not self.kind.row.signed or not self.has_negatives:
            return False
        return self.results.negatives_count(self)

    def __copy__(self) -> StatMap:
        """Return the map itself: it cannot change."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> StatMap:
        """Return the map itself: copying a layer must not copy a result set."""
        return self


def values_inside(kind: MapKind, values: Voxels) -> Mask | None:
    """Tell by its values alone where a map is inside, as where no mask is known.

    Returns
    -------
    ndarray of bool or None
        None when a 0 of the kind is a value, which tells nothing.
    """
    return values > 0 if kind.row.zero is Zero.OUTSIDE else None


def _find_row_ends(data: Voxels) -> tuple[Voxels, Voxels]:
    lowest, highest = data.min(axis=0), data.max(axis=0)
    return lowest.reshape(-1, order="F"), highest.reshape(-1, order="F")


def _find_doubt(statmap: StatMap) -> str:
    """Ask the values of a map, and the z beside it."""
    reading = statmap.file.reading
    doubt = doubt_of(statmap.data, reading)
    name = statmap.name
    if not doubt and statmap.level == "cluster" and statmap.kind.row.has_p:
        doubt = cluster_level_doubt(statmap.data)
        if doubt:
            told = f"{statmap.key}: {doubt}. {say_otherwise(statmap.key)}"
            statmap.results.report(told)
    if doubt or statmap.kind is not MapKind.LOGP or reading.word == "user":
        return doubt
    if name is None or name.method != "montecarlo" or name.get("desc"):
        # Old releases, which wrote another logarithm, had no other such names.
        return ""
    z = statmap.results.siblings(statmap).get("z")
    values = None
    if z is not None and z.at_hand and z.grid.same_as(statmap.grid):
        # Without it nothing is compared.
        with suppress(ResultsError):
            values = z.data
    stated = statmap.results.iterations_in_text
    doubt = natural_log_doubt(
        statmap.data, values, reading, stated.pop() if len(stated) == 1 else None
    )
    if doubt:
        told = f"{statmap.key}: {doubt}. {say_otherwise(statmap.key)}"
        statmap.results.report(told)
    return doubt


def _find_underflowed(statmap: StatMap) -> Mask | None:
    inside = statmap.inside
    if statmap.kind.row.underflow is None or inside is None:
        return None
    found = inside & (statmap.data == 0)
    return found if found.any() else None


# The analysis mask, as the maps of a run show it.

#: Bytes of voxels that are read together for a mask: a folder may hold a thousand maps.
_READ_AT_ONCE = 8 << 20
#: Voxels that are looked at in one go: what fits into the processor's cache.
_AT_ONCE = 1 << 16
_CORNERS = np.ix_((0, -1), (0, -1), (0, -1))


def union_mask(statmap: StatMap) -> Mask | None:
    """Unite what the maps of a test show of the mask, or else those of its run.

    Parameters
    ----------
    statmap : StatMap
        A map of the test, whose grid the mask is wanted on.

    Returns
    -------
    ndarray of bool, shape (i, j, k), or None
        None when no map shows where the mask ends.
    """
    of_run = [
        other
        for other in statmap.results.run_of(statmap)
        if not other.kind.row.holds_labels
        and (not other.correction or other.kind.row.zero is Zero.OUTSIDE)
    ]
    name = statmap.name
    of_test = [m for m in of_run if name and m.name and m.name.test == name.test]
    # NiMARE < 0.17: p underflows to 0 where the effect is strongest, which only maps
    # of another kind show.
    mask = _united(statmap, of_test, 2) if len(of_test) < len(of_run) else None
    return _united(statmap, of_run) if mask is None else mask


def _united(statmap: StatMap, telling: Sequence[StatMap], n: int = 1) -> Mask | None:
    """Unite what maps show of the mask, if they are of `n` kinds and show its end."""
    # Together, because each may have to come from a server; what cannot is left out.
    statmap.results.fetch(telling)
    telling = [m for m in telling if m.at_hand and m.grid.same_as(statmap.grid)]
    union: Mask | None = None
    kinds, ends, is_nan_outside = set[MapKind](), False, False
    # These are asked for again at once; the others only told where the mask is.
    wanted = [statmap, *statmap.results.siblings(statmap).values()]
    at_once = max(2, _READ_AT_ONCE // (4 * math.prod(statmap.grid.shape)))

    def unite(other: StatMap, data: Voxels) -> None:
        nonlocal union, ends, is_nan_outside
        # Not every NaN marks the outside: older NiMARE writes one where a voxel
        # could not be fitted, and 0 outside.
        nan_outside = bool(np.isnan(data[_CORNERS]).any())
        if union is None:
            # In memory as the maps are.
            union = np.zeros_like(data, np.bool_)
        _unite(union, data, zero_counts=nan_outside)
        kinds.add(other.kind)
        ends = ends or other.kind.row.fills_mask
        is_nan_outside = is_nan_outside or nan_outside
        if other not in wanted:
            statmap.results.release([other])

    # A map that cannot be read tells nothing.
    statmap.results.look_through(telling, at_once, unite)
    if union is None or not (is_nan_outside or (ends and len(kinds) >= n)):
        return None
    union.flags.writeable = False
    return union


def _unite(union: Mask, data: Voxels, *, zero_counts: bool) -> None:
    """Add the voxels of a map that have a value to those of others."""
    values, found = data, union
    if data.flags.f_contiguous and union.flags.f_contiguous:
        values, found = data.reshape(-1, order="F"), union.reshape(-1, order="F")
    # What is looked at twice is still in the processor's cache the second time.
    for start in range(0, len(values), _AT_ONCE):
        part = values[start : start + _AT_ONCE]
        inside = part == part
        if not zero_counts:
            inside &= part != 0
        found[start : start + _AT_ONCE] |= inside
