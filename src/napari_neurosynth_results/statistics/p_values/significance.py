"""What states the p of a map: a sibling, its own values, what the user adds.

Numbers are converted in `conversion`; here it is decided which.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.doubts import say_otherwise
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.kinds import P_VALUES, MapKind, Tail, Zero
from napari_neurosynth_results.maps.names import stems_of_test
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.maps.tails import follows_p
from napari_neurosynth_results.statistics.p_values.conversion import (
    P_TOLERANCE,
    Dof,
    check_dof,
    convert_to_log_p,
    height_at_log_p,
)

_LAST_BIT = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Evidence:
    """What is given about a test beside the map itself.

    Attributes
    ----------
    siblings : mapping of str to StatMap, optional
        Maps of the same test by value; those named ``p`` and ``logp`` state its p.
        None stands for those of the map's own result set; an empty mapping for none,
        so that z is read by its formula and tail.
    dof : float or pair of float, optional
        Degrees of freedom of a t, chi2 or F map; two for F.
    """

    siblings: Mapping[str, StatMap] | None = None
    dof: float | tuple[float, float] | None = None

    def check(self, statmap: StatMap) -> None:
        """Refuse what cannot belong to a map.

        Raises
        ------
        ResultsError
            When a sibling that should state p does not or lies on another grid, or the
            degrees of freedom do not fit the kind.
        """
        if self.dof is not None:
            check_dof(self.dof, statmap.kind)
        given = self.siblings or {}
        for other in (given[value] for value in P_VALUES if value in given):
            if not other.kind.row.p.states_p:
                raise ResultsError(
                    f"{other.title} states no p: it holds {other.kind.meaning}. "
                    "Give a p or logp map of the same test."
                )
            if not other.grid.same_as(statmap.grid):
                raise ResultsError(
                    f"{other.title} is on another grid ({other.grid}) than "
                    f"{statmap.title} ({statmap.grid}): it cannot state its p."
                )

    def siblings_of(self, statmap: StatMap) -> Mapping[str, StatMap]:
        """Return the siblings given, else those of the map's own result set."""
        if self.siblings is not None:
            return self.siblings
        return statmap.results.siblings(statmap)


#: Nothing but the map's own result set.
OWN_EVIDENCE = Evidence()


@dataclass(frozen=True, eq=False)
class PSource:
    """What states the p of a map, found out once for all that a question asks of it.

    Each fact is looked for when it is first asked for, because a map that states it may
    have to be read, and stays what it was found to be.

    Attributes
    ----------
    statmap : StatMap
        The map that is asked about.
    evidence : Evidence
        What is given beside it.
    """

    statmap: StatMap
    evidence: Evidence = OWN_EVIDENCE

    @cached_property
    def map(self) -> StatMap:
        """The map that states p: its logp, its p; itself where there is neither."""
        statmap, siblings = self.statmap, self.evidence.siblings
        if statmap.kind.row.p.states_p:
            return statmap
        if siblings is not None:
            return _find_stating_map(statmap, siblings) or statmap
        results = statmap.results
        # Its key, because a set does not keep its own maps.
        key = results.remember(
            (statmap.key, "p map"), lambda: _find_stating_key(statmap)
        )
        return statmap if key is None else results[key]

    @property
    def is_sibling(self) -> bool:
        """Whether another map than the one that is asked about states its p."""
        return self.map is not self.statmap

    @property
    def kind(self) -> MapKind:
        """What the numbers are that p is read off."""
        return self.map.kind

    @cached_property
    def tail(self) -> Tail:
        """How the stated p counts."""
        return self.map.tail

    @cached_property
    def dof(self) -> Dof | None:
        """Degrees of freedom of the map that states p.

        None for kinds that have none and when nobody knows; of an array NaN is outside.
        """
        return _find_dof(self.map, self.evidence)

    @cached_property
    def own_dof(self) -> Dof | None:
        """Degrees of freedom of the map that is asked about, whoever states its p."""
        if not self.is_sibling:
            return self.dof
        return _find_dof(self.statmap, self.evidence)

    @property
    def has_p(self) -> bool:
        """Whether there is a p: stated, or by tail and degrees of freedom."""
        known = self.kind.row.says_p_alone or self.dof is not None
        return known and not self.map.doubt

    def check_values(self) -> None:
        """Refuse to read p off values that contradict what the map is taken for.

        Raises
        ------
        ResultsError
            The text says what the values fit, and what to do.
        """
        for statmap in (self.map, self.statmap):
            if statmap.kind.row.has_p and statmap.doubt:
                raise ResultsError(
                    f"{statmap.title}: {statmap.doubt}. {say_otherwise(statmap.key)}"
                )

    @property
    def is_lone(self) -> bool:
        """Whether nothing but the question tells how the p of a z or t map counts."""
        by_tail = self.statmap.kind.row.p.by_tail
        return by_tail and self.statmap.tail_is_open and not self.evidence.siblings

    @property
    def follows_height(self) -> bool:
        """Whether a height of a z map keeps the voxels that its p keeps.

        Not where another map states its p and says something else: interpolated, of
        another test, or counted otherwise.
        """
        if not self.is_sibling or self.statmap.kind is not MapKind.Z:
            return True
        if self.evidence.siblings is not None:
            return follows_p(self.statmap, self.map)
        return self.statmap.results.remember(
            (self.statmap.key, "follows its p"),
            lambda: follows_p(self.statmap, self.map),
        )

    @property
    def guesses_tail(self) -> bool:
        """Whether its p hang on a tail that nobody stated."""
        formula = self.kind.row.p
        by_tail = formula.by_tail and not formula.states_p
        return by_tail and self.map.tail_is_guess

    @cached_property
    def both_directions(self) -> bool:
        """Whether the p that is stated falls in both directions.

        In a one-tailed map as well, if each direction has a p of its own.
        """
        return self.kind.row.p.by_tail and (self.tail is Tail.TWO or self.map.signed)

    def log_p(self) -> Float64Array | None:
        """Return the natural logarithm of p in every voxel, 0 (p = 1) outside the mask.

        Returns
        -------
        ndarray of float64, shape (i, j, k), or None
            None when the map has no p: no sibling states it and its kind does not tell.

        Raises
        ------
        ResultsError
            When a map cannot be read.
        """
        if not self.has_p:
            return None
        row, data = self.kind.row, self.map.data
        log_p = convert_to_log_p(self._strength(data), self.kind, self.tail, self.dof)
        outside = np.isnan(log_p)
        if (inside := self.map.inside) is not None:
            outside |= ~inside
        log_p[outside] = 0
        if row.underflow is not None and (tiny := self.map.underflowed) is not None:
            # As small as a file can say.
            log_p[tiny] = row.underflow.log_p
        return log_p

    def log_p_at(
        self, at: tuple[npt.NDArray[np.intp], ...], tail: Tail | None = None
    ) -> Float64Array:
        """Return the natural logarithm of p at some voxels.

        Of those alone where the map that states p allows it: a whole volume of
        logarithms costs more than all the rest of a cluster table.

        Parameters
        ----------
        at : tuple of ndarray
            Indices i, j, k.
        tail : Tail, optional
            How the p of a lone map counts, by the question, for the side that it is
            about; all other maps say it themselves.

        Returns
        -------
        ndarray of float64
            NaN where the map has no p.

        Raises
        ------
        ResultsError
            When a map cannot be read.
        """
        row, x = self.kind.row, self.map.data[at]
        if not self.has_p:
            return np.full(x.size, np.nan)
        if tail is not None and self.is_lone:
            return convert_to_log_p(np.abs(x), self.kind, tail, self.dof)
        # A 0 that is no value: the mask tells what it is.
        if row.says_p_alone and (row.zero is Zero.VALUE or (x > 0).all()):
            return convert_to_log_p(self._strength(x), self.kind, self.tail)
        log_p = self.log_p()
        return log_p[at] if log_p is not None else np.full(x.size, np.nan)

    def survivors(self, alpha: float) -> Mask | None:
        """Mark the voxels with p <= alpha, by the map that states p.

        Parameters
        ----------
        alpha : float
            Between 0 and 1; forgiven `P_TOLERANCE`, because float32 holds .05 as a
            little more than .05.

        Returns
        -------
        ndarray of bool, shape (i, j, k), or None
            None when the map has no p.

        Raises
        ------
        ResultsError
            When a map cannot be read.
        """
        return self.survivors_at_log_p(math.log(alpha))

    def survivors_at_log_p(self, log_alpha: float) -> Mask | None:
        """Mark the voxels with p <= alpha, as `survivors` does, by the logarithm.

        Compared in the unit of the map that states p, so that no volume of logarithms
        is made where one height divides it.
        """
        # Below p = 1, which no height stands for.
        log_alpha = min(log_alpha + P_TOLERANCE, -P_TOLERANCE)
        source = self.map
        if not self.has_p:
            return None
        if source.kind.row.small_is_strong:
            small = source.data <= math.exp(log_alpha)
            inside = source.inside
            return np.asarray(small if inside is None else small & inside)
        if isinstance(self.dof, np.ndarray):
            log_p = self.log_p()
            return None if log_p is None else np.asarray(log_p <= log_alpha)
        # A difference in the last bit of float32 is no difference.
        height = height_at_log_p(log_alpha, source.kind, self.tail, self.dof)
        level = np.float32(height * (1 - _LAST_BIT))
        return np.asarray(self._strength(source.data) >= level)

    def smallest_p(self) -> float:
        """Return the smallest p, 1 for an empty map and for one that has no p.

        Returns
        -------
        float
            May underflow to 0.

        Raises
        ------
        ResultsError
            When a map cannot be read.
        """
        data = self.map.data
        if not self.kind.row.says_p_alone or not self.has_p:
            log_p = self.log_p()
            return 1.0 if log_p is None else math.exp(log_p.min())
        if self.kind.row.small_is_strong:
            return float(np.nanmin(data, where=data > 0, initial=1))
        strongest = np.nanmax(self._strength(data), initial=0)
        return math.exp(float(convert_to_log_p(strongest, self.kind, self.tail)))

    def _strength(self, values: Voxels) -> Voxels:
        """Return what p falls with: values, or their size if both directions count."""
        return np.abs(values) if self.both_directions else values


def find_test(statmap: StatMap) -> StatMap | None:
    """Find the uncorrected map of the test behind a map, which has its own values.

    Parameters
    ----------
    statmap : StatMap
        Any map; one that is not corrected is its own.

    Returns
    -------
    StatMap or None
        The z of the test, else its value of the same name, else its p. For a voxel-
        level p, which has lost its direction, rather what has none either: one cluster
        of it may hold both. None where no such map is at hand, on the same grid, and
        can be read.
    """
    if not statmap.correction:
        return statmap
    key = statmap.results.remember(
        (statmap.key, "test"), lambda: _find_test_key(statmap)
    )
    return None if key is None else statmap.results[key]


def find_test_source(statmap: StatMap) -> PSource | None:
    """Find the test behind a map, with what states its uncorrected p.

    Parameters
    ----------
    statmap : StatMap
        A corrected map.

    Returns
    -------
    PSource or None
        Of `find_test`. Beside a statistic that FSL or PALM tested by permutation, its p
        of the voxel, where that lies there: its degrees of freedom are in no file.
    """
    test = find_test(statmap)
    if test is None:
        return None
    p = _named_test(statmap, "p")
    if p is None or p is test or test.kind.row.p.states_p:
        return PSource(test)
    if not p.kind.row.p.states_p or p.correction or not p.grid.same_as(test.grid):
        return PSource(test)
    return PSource(test, Evidence({"p": p}))


def _named_test(statmap: StatMap, value: str) -> StatMap | None:
    """Find what another program's name says of the test that it corrected."""
    if statmap.name is not None:
        return None
    results = statmap.results
    found = results.maps.get(stems_of_test(statmap.key).get(value, ""))
    here = found is not None and (found.at_hand or results.on_demand)
    return found if here else None


def _find_test_key(statmap: StatMap) -> str | None:
    lost = statmap.level != "cluster" and statmap.kind.row.lost_direction
    values = (None, "z", *P_VALUES) if lost else ("z", None, *P_VALUES)
    directed = None
    for value in values:
        if (test := _uncorrected(statmap, value)) is None:
            continue
        if not (lost and test.signed):
            return test.key
        directed = directed or test.key
    return directed


def _uncorrected(statmap: StatMap, value: str | None) -> StatMap | None:
    found = statmap.results.uncorrected(statmap, value)
    found = found or _named_test(statmap, value or "test")
    if found is None or found.correction or not found.grid.same_as(statmap.grid):
        return None
    try:
        # A map that cannot be read, which its set reports, says nothing of a test.
        found.data  # noqa: B018
    except ResultsError:
        return None
    return found


def _find_stating_key(statmap: StatMap) -> str | None:
    found = _find_stating_map(statmap, statmap.results.siblings(statmap))
    return found.key if found is not None else None


def _find_stating_map(
    statmap: StatMap, siblings: Mapping[str, StatMap]
) -> StatMap | None:
    """Find the map that states p: the better one, where it lies on the same grid.

    One whose values contradict its name states nothing.
    """
    for partner in (siblings[value] for value in P_VALUES if value in siblings):
        if not _is_doubted(partner):
            return partner if partner.grid.same_as(statmap.grid) else None
    return None


def _is_doubted(statmap: StatMap) -> bool:
    try:
        return bool(statmap.doubt)
    except ResultsError:
        # Whoever reads its p is told that it is broken.
        return False


def _find_dof(statmap: StatMap, evidence: Evidence) -> Dof | None:
    """Find degrees of freedom: what the user states, the header's, a map of them."""
    if not (n_dof := statmap.kind.row.p.n_dof):
        return None
    stated = evidence.dof if evidence.dof is not None else statmap.dof
    # A map can hold one in a voxel, not two.
    if stated is not None or n_dof > 1:
        return stated
    test = statmap.results.uncorrected(statmap) or statmap
    found = evidence.siblings_of(test).get("dof")
    if found is None or not found.grid.same_as(statmap.grid):
        return None
    data: Any = found.data
    return np.where(data > 0, data, np.nan)
