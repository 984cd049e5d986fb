"""Where to look: a mask that says what it is, and what it was made of.

A mask that was cut out of a test by its own values leaves nothing but strong voxels:
FDR and Bonferroni that count only those as tests find what they were given (circular
analysis: Kriegeskorte, Simmons, Bellgowan and Baker 2009, Nat Neurosci 12, 535-540).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar
from weakref import ReferenceType, ref

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.kinds import Zero
from napari_neurosynth_results.maps.names import split_extension, words_of_test
from napari_neurosynth_results.maps.programs import Reading, reading_of
from napari_neurosynth_results.maps.statmap import MapSet, Mask, StatMap

Number = TypeVar("Number", bound=np.generic)

#: What is left of a whole number that was scaled or interpolated on its way.
_ROUNDING = 1e-3
#: A mask that was resampled is 0 or 1 but at its edge, where a cubic spline overshoots
#: by about an eighth.
_OVERSHOOT = 0.3
_FLAT = 0.1
#: So many voxels from its edge it is flat.
_EDGE = 2
_LEAST_FLAT = 0.99
#: Voxels that were chosen without a map are its strongest by chance; more seldom than
#: once in so many times, it was no chance.
_CHANCE = 1000
#: What names that people give count as, among the programs of `Reading`.
BY_HAND = "by hand"


class Kinship(IntEnum):
    """How near two maps are, as far as their names and places tell."""

    UNKNOWN = 0
    SAME_SOURCE = 1
    SAME_DATA = 2
    SAME_TEST = 3


@dataclass(frozen=True, eq=False)
class MapOrigin:
    """Where a map comes from: what tells whether another one is of the same test.

    Attributes
    ----------
    title : str
        What to call it.
    key : str
        The stem of its file.
    reading : Reading
        What its name says.
    folder : str
        Where its file lies; empty for what is on a server or was computed.
    source : str
        The path or address of its result; empty where there is none.
    results : weak reference, optional
        Its result set.
    """

    title: str
    key: str
    reading: Reading
    folder: str = ""
    source: str = ""
    results: ReferenceType[MapSet] | None = field(default=None, repr=False)

    @classmethod
    def of_file(cls, path: str) -> MapOrigin:
        """Tell what can be known of an image by its path."""
        name = os.path.basename(path)
        return cls(name, split_extension(name)[0], reading_of(name), _folder_of(path))

    @classmethod
    def of_map(cls, statmap: StatMap) -> MapOrigin:
        """Tell where a map comes from."""
        return cls(
            statmap.title,
            statmap.key,
            statmap.file.reading,
            _folder_of(statmap.path),
            statmap.results.source,
            ref(statmap.results),
        )

    def kinship(self, other: MapOrigin) -> Kinship:
        """Say how near another map is."""
        own = self.results() if self.results is not None else None
        theirs = other.results() if other.results is not None else None
        together = own is not None and own is theirs
        together |= bool(self.folder) and self.folder == other.folder
        together |= bool(self.source) and self.source == other.source
        if not together:
            return Kinship.UNKNOWN
        names = self.reading.name, other.reading.name
        if names[0] is not None and names[1] is not None:
            if names[0].run != names[1].run:
                return Kinship.SAME_SOURCE
            same = self._test() == other._test()
            return Kinship.SAME_TEST if same else Kinship.SAME_DATA
        programs = self.reading.program, other.reading.program
        if self.key == other.key or (all(programs) and self._words() == other._words()):
            return Kinship.SAME_TEST
        # What one program wrote into one folder it made of one set of data.
        known = programs[0] == programs[1] and programs[0] not in ("", BY_HAND)
        return Kinship.SAME_DATA if known else Kinship.SAME_SOURCE

    def _test(self) -> frozenset[str]:
        return words_of_test(self.key, self.reading.name)

    def _words(self) -> frozenset[str]:
        return words_of_test(self.key, None)


def origins_of(*statmaps: StatMap) -> tuple[MapOrigin, ...]:
    """Tell where maps come from, and those that they were computed from."""
    found: list[MapOrigin] = []
    for statmap in statmaps:
        found += [MapOrigin.of_map(statmap), *origins_of(*statmap.file.made_from)]
    return tuple(found)


def _folder_of(path: str) -> str:
    if not path or not os.path.exists(path):
        return ""
    return os.path.dirname(os.path.realpath(path))


@dataclass(frozen=True, eq=False)
class Masking:
    """A mask and what it is.

    Attributes
    ----------
    mask : ndarray of bool, shape (i, j, k)
        True where to look, on the grid of the map.
    sentence : str
        Begins with inside or outside: ``inside z, group 1 at p <= .05``.
    origin : object, optional
        What it was made of, for whoever has to say how to make it again.
    made_of : tuple of MapOrigin
        The maps by whose values it was cut; empty where none is known.
    """

    mask: Mask = field(repr=False)
    sentence: str
    origin: object = field(default=None, repr=False)
    made_of: tuple[MapOrigin, ...] = field(default=(), repr=False)
    #: Found once for many thresholds: by the result set and the key of a map.
    _recognized: dict[tuple[int, str], str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence

    def why_circular(self, statmap: StatMap) -> str:
        """Say why the tests of a map may not be counted inside.

        Known by what the mask was made of, else by its voxels: those of whole clusters
        of a map at one height are no chance. A mask that was cut by the map and painted
        over or smoothed since, and does not say so, cannot be told from any other.

        Parameters
        ----------
        statmap : StatMap
            The map whose tests are counted, on the grid of the mask.

        Returns
        -------
        str
            One sentence; empty when nothing speaks against it.

        Raises
        ------
        ResultsError
            When the map cannot be read.
        """
        near = self._nearest(statmap)
        if near is not None and near[0] is Kinship.SAME_TEST:
            return f"The mask is made of {near[1].title}, which is of the same test."
        key = id(statmap.results), statmap.key
        if key not in self._recognized:
            self._recognized[key] = _recognize(statmap, self.mask)
        return self._recognized[key]

    def is_of(self, statmap: StatMap) -> bool:
        """Whether it is known to be made of a map, or of another of the same test."""
        near = self._nearest(statmap)
        return near is not None and near[0] is Kinship.SAME_TEST

    def caution(self, statmap: StatMap) -> tuple[str, str]:
        """Say what is doubtful about tests of a map that are counted inside.

        Returns
        -------
        short, long : str
            A few words where it is sure that both are of the same data, and a sentence;
            both empty when nothing is known.
        """
        near = self._nearest(statmap)
        if near is None or near[0] is Kinship.UNKNOWN:
            return "", ""
        told = f"The mask is made of {near[1].title}, "
        result = (
            "a correction that counts only the tests inside then takes voxels for a "
            "fresh choice that the same data made, and can find too much."
        )
        if near[0] is Kinship.SAME_SOURCE:
            return "", (
                f"{told}which lies beside {statmap.title}: if both are of the same "
                f"data or studies, they are not independent, and {result}"
            )
        return "of the same data, not independent", (
            f"{told}another map of the same data as {statmap.title}. Unless the two "
            f"are independent, {result}"
        )

    def _nearest(self, statmap: StatMap) -> tuple[Kinship, MapOrigin] | None:
        own = origins_of(statmap)
        found = [
            (one.kinship(other), -place, one)
            for place, one in enumerate(self.made_of)
            for other in own
        ]
        if not found:
            return None
        kinship, _, origin = max(found, key=lambda one: one[:2])
        return kinship, origin


def as_masking(mask: Mask | Masking | None, grid: Grid) -> Masking | None:
    """Take a bare array for a mask that nobody named, and check that it fits.

    Raises
    ------
    ResultsError
        When it has another shape than the map or does not hold bools.
    """
    if mask is None:
        return None
    array = mask.mask if isinstance(mask, Masking) else np.asarray(mask)
    if array.dtype != np.bool_:
        raise ResultsError(
            f"The mask holds {array.dtype}, not bool. Say which values are inside, as "
            "in mask=values > 0."
        )
    if array.shape != grid.shape:
        raise ResultsError(
            f"The mask has shape {array.shape}, the map {grid.shape}: "
            "resample the mask to the map's grid first."
        )
    if isinstance(mask, Masking):
        return mask
    n = int(np.count_nonzero(array))
    return Masking(array, f"inside a mask of {n:,} voxel{'s' * (n != 1)}")


def region_masking(
    region: Mask,
    region_grid: Grid,
    grid: Grid,
    *,
    what: str,
    exclusive: bool,
    made_of: Iterable[MapOrigin] = (),
) -> Masking:
    """Make a mask of a region on whatever grid.

    Parameters
    ----------
    region : ndarray of bool, shape (i, j, k)
        True in the region.
    region_grid : Grid
        Its grid, of any voxel size and extent, in the same space.
    grid : Grid
        That of the map.
    what : str
        The region in words.
    exclusive : bool
        Look outside the region.
    made_of : iterable of MapOrigin
        The maps by whose values it was cut, as `origins_of` gives them.

    Returns
    -------
    Masking
        By the voxel of the region that is nearest to the center of each of the map's.

    Raises
    ------
    ResultsError
        When no voxel of the map is left.
    """
    inside = resample_nearest(region, region_grid, grid)
    mask = ~inside if exclusive else inside
    word = "outside" if exclusive else "inside"
    if not mask.any():
        raise ResultsError(f"No voxel of the map is {word} {what}: nothing is left.")
    return Masking(mask, f"{word} {what}", made_of=tuple(made_of))


def _recognize(statmap: StatMap, mask: Mask) -> str:
    """Say of which cut through the values of a test a mask is, empty for none."""
    tested = statmap.mask
    if tested is None:
        # Where nobody knows better, 0 is outside.
        tested = statmap.data != 0
    siblings = statmap.results.siblings(statmap).values()
    for one in (statmap, *siblings):
        row = one.kind.row
        # Nothing is downloaded for this.
        if "p" not in row.criteria or not one.at_hand:
            continue
        if not one.grid.same_as(statmap.grid):
            continue
        try:
            inside = tested & np.isfinite(one.data)
        except ResultsError:
            continue
        if row.zero is Zero.OUTSIDE and one.inside is not None:
            inside &= one.inside
        for part, side in ((mask, "inside"), (~mask, "outside")):
            for unit, strength in _strengths(one):
                height = _cut_at(part & inside, inside & ~part, strength)
                if height is not None:
                    sign = "<=" if row.small_is_strong else ">="
                    return (
                        f"The voxels {side} the mask are exactly those of whole "
                        f"clusters of {one.title} at {unit} {sign} {abs(height):.4g}, "
                        "so this very test chose them."
                    )
    return ""


def _strengths(statmap: StatMap) -> Iterator[tuple[str, Voxels]]:
    """Yield what a map may have been cut by: its values, one side, their size."""
    data, unit = statmap.data, str(statmap.kind)
    if statmap.kind.row.small_is_strong:
        yield unit, -data
        return
    yield unit, data
    if statmap.kind.row.signed and statmap.has_negatives:
        yield f"-{unit}", -data
        yield f"|{unit}|", np.abs(data)


def _cut_at(part: Mask, rest: Mask, strength: Voxels) -> float | None:
    """Return the weakest of a part if all of the rest that touches it is weaker."""
    if not part.any() or not rest.any():
        return None
    weakest = strength[part].min()
    if strength[rest].max() == 0:
        # All else is 0: this is where a map has values, not where it is strong.
        return None
    touching = 0
    for axis in range(3):
        low = tuple(slice(0, -1) if n == axis else slice(None) for n in range(3))
        high = tuple(slice(1, None) if n == axis else slice(None) for n in range(3))
        for here, there in ((low, high), (high, low)):
            edge = part[here] & rest[there]
            n = int(np.count_nonzero(edge))
            if n and strength[there][edge].max() >= weakest:
                return None
            touching += n
    few = int(np.count_nonzero(part))
    return float(weakest) if _orders(few, touching) >= _CHANCE else None


def _orders(n: int, others: int) -> float:
    """Return in how many ways the strongest n of n + others may have been others."""
    return math.inf if min(n, others) > 10 else float(math.comb(n + others, n))


def resample_nearest(
    voxels: npt.NDArray[Number], source: Grid, target: Grid
) -> npt.NDArray[Number]:
    """Resample to another axis-aligned grid by the nearest voxel.

    Parameters
    ----------
    voxels : ndarray, shape (i, j, k)
        On the source grid.
    source, target : Grid
        Both in the same space, in mm.

    Returns
    -------
    ndarray, shape (l, m, n)
        0 where the source does not reach. Half-way the higher index is nearest, as in
        scipy.ndimage.
    """
    if source.same_as(target):
        return voxels
    # One axis after the other, and transposed, so that memory is read in order.
    values, box = voxels.T, filled_box(voxels)
    reached: list[slice] = []
    for axis in range(3):
        mm = target.origin[axis] + target.voxel_size[axis] * np.arange(
            target.shape[axis]
        )
        index = (mm - source.origin[axis]) / source.voxel_size[axis]
        # Half-way is not decided by the last bit of an affine.
        nearest = np.floor(index + 0.5 + 1e-6).astype(np.intp)
        low, high = box[axis]
        there = np.flatnonzero((nearest >= low) & (nearest <= high))
        # Both grids ascend: what is reached is one stretch.
        start = int(there[0]) if there.size else 0
        reached.append(slice(start, start + there.size))
        values = values.take(nearest[reached[-1]], axis=2 - axis)
    return paste_part(values.T, reached, target)


def paste_part(
    values: npt.NDArray[Number], parts: list[slice], target: Grid
) -> npt.NDArray[Number]:
    """Put the part of a grid that has values where it belongs.

    Parameters
    ----------
    values : ndarray, shape (l, m, n)
        The part.
    parts : list of slice
        Where it is along each axis.

    Returns
    -------
    ndarray, shape (i, j, k)
        0 elsewhere; in Fortran order.
    """
    if values.shape == target.shape:
        return values
    whole = np.zeros(target.shape, values.dtype, order="F")
    whole[tuple(parts)] = values
    return whole


def filled_box(voxels: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Return the first and the last index along each axis of what is not 0.

    Parameters
    ----------
    voxels : ndarray, shape (i, j, k)
        NaN is not 0.

    Returns
    -------
    list of (int, int)
        (0, -1) where everything is 0.
    """
    filled = voxels if voxels.dtype == np.bool_ else voxels != 0
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        where = np.flatnonzero(filled.any(axis=others))
        box.append((int(where[0]), int(where[-1])) if where.size else (0, -1))
    return box


def without_fractions(voxels: Voxels, name: str) -> tuple[Voxels, str]:
    """Make whole numbers of an image that says by them what is inside.

    Parameters
    ----------
    voxels : ndarray of float32, shape (i, j, k)
        A mask or labels; NaN is outside.
    name : str
        What to call it in messages.

    Returns
    -------
    voxels : ndarray of float32, shape (i, j, k)
        Whole numbers only, 0 outside.
    told : str
        What had to be rounded; empty when nothing had.

    Raises
    ------
    ResultsError
        When there are fractions that are not those of a mask of 0 and 1 that was
        resampled.
    """
    # NaN is outside, as everywhere.
    values = np.nan_to_num(voxels)
    whole = np.rint(values)
    off = np.abs(values - whole)
    if off.max(initial=0) <= _ROUNDING:
        noise = int(np.count_nonzero((values != 0) & (whole == 0)))
        told = f"{noise:,} voxels of noise below .001 taken for 0" if noise else ""
        return whole, told
    if _is_resampled_mask(values):
        inside = values > 0.5
        return inside.astype(np.float32), "resampled: inside is above .5"
    fractions = int(np.count_nonzero(off > _ROUNDING))
    raise ResultsError(
        f"{name} holds fractions such as {values.flat[int(off.argmax())]:.3g} "
        f"({fractions:,} voxels): it is a map of numbers, not a mask, and FDR and "
        "Bonferroni would count each of them. If it was resampled, resample it again "
        "with the nearest neighbor; else write a mask of 0 and 1 first. For another "
        f"map of the same result above a p, choose that map instead of "
        f"{name}."
    )


def _is_resampled_mask(values: npt.NDArray[np.float32]) -> bool:
    """Whether numbers are those of a mask of 0 and 1 whose edge was interpolated."""
    from scipy.ndimage import binary_dilation, binary_erosion

    if values.min() < -_OVERSHOOT or not 1 - _FLAT <= values.max() <= 1 + _OVERSHOOT:
        return False
    inside = values > 0.5
    between = (values > _FLAT) & (values < 1 - _FLAT)
    if np.count_nonzero(between) > np.count_nonzero(inside):
        return False
    # Border voxels count as inside: a mask may end where the volume does.
    deep = binary_erosion(inside, iterations=_EDGE, border_value=1)
    far = ~binary_dilation(inside, iterations=_EDGE)
    if not deep.any():
        return False
    flat_in = np.abs(values[deep] - 1) <= _FLAT
    flat_out = np.abs(values[far]) <= _FLAT
    return bool(
        flat_in.mean() >= _LEAST_FLAT
        and (not flat_out.size or flat_out.mean() >= _LEAST_FLAT)
    )
