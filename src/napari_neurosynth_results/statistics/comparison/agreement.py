"""How alike the values of two maps are, voxel by voxel, above any threshold or below.

No p belongs to these numbers. Neighboring voxels are alike, so that the number of
voxels says little about how much was observed; a p from it would be far too small.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.job import do_both
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.comparison.alignment import (
    resample_linearly,
    resample_mask,
)
from napari_neurosynth_results.statistics.thresholds.masks import resample_nearest

#: Values above which sorting takes much longer than starting a thread.
WORTH_A_THREAD = 2**19
#: Which half of 64 bits is the lower one in memory.
_LOW = 0 if sys.byteorder == "little" else 1
_SIGN_BIT, _ALL_BITS = np.uint32(1 << 31), np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class Agreement:
    """How alike two maps are over one set of voxels.

    Attributes
    ----------
    r, rho : float
        Pearson's and Spearman's (average ranks of ties) correlation; NaN where one of
        the maps is constant or there are no voxels.
    n_voxels : int
        How many there are.
    zeros_a, zeros_b : float
        Share of them that is exactly 0 in each map, from 0 to 1.
    """

    r: float
    rho: float
    n_voxels: int
    zeros_a: float
    zeros_b: float


UNKNOWN_AGREEMENT = Agreement(math.nan, math.nan, 0, math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class MapSample:
    """A map on the grid of a comparison.

    Attributes
    ----------
    values : ndarray of float32, shape (i, j, k)
        0 where the map has no value.
    inside : ndarray of bool, shape (i, j, k)
        Where a value is the map's own: finite, and in its analysis mask where that is
        known.
    known : bool
        Whether the analysis mask is known.
    """

    values: Voxels
    inside: Mask
    known: bool


def sample_map(statmap: StatMap, grid: Grid) -> MapSample:
    """Bring a map's values onto the grid of a comparison.

    Linearly, except for kinds that have nothing between two values. A value counts as
    inside only where all voxels that it comes from are inside: next to the edge of the
    mask it would be mixed with the 0 outside.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    grid : Grid
        The grid of the comparison.

    Returns
    -------
    MapSample
        Infinite values are not inside.

    Raises
    ------
    ResultsError
        When the map cannot be read.
    """
    data, mask = statmap.data, statmap.mask
    finite = np.isfinite(data)
    inside = finite if mask is None else finite & mask
    values = data if finite.all() else np.where(finite, data, np.float32(0))
    if statmap.kind.may_interpolate:
        values = resample_linearly(values, statmap.grid, grid)
        inside = resample_mask(inside, statmap.grid, grid)
    else:
        values = resample_nearest(values, statmap.grid, grid)
        inside = resample_nearest(inside, statmap.grid, grid)
    return MapSample(values, inside, mask is not None)


def common_mask(sampled: Sequence[MapSample], mask: Mask | None = None) -> Mask | None:
    """Intersect the analysis masks of some maps.

    Parameters
    ----------
    sampled : sequence of MapSample
        At least one, on one grid.
    mask : ndarray of bool, optional
        Look only here; stands for the masks that nobody knows.

    Returns
    -------
    ndarray of bool, shape (i, j, k), or None
        None when no mask is known: zeros inside cannot be told from zeros outside.
    """
    if mask is None and not any(one.known for one in sampled):
        return None
    common = sampled[0].inside
    for one in sampled[1:]:
        common = common & one.inside
    return common if mask is None else common & mask


def correlate(
    a: MapSample, b: MapSample, mask: Mask | None
) -> tuple[Agreement, Agreement]:
    """Correlate two maps over their common mask, and where neither is 0.

    Parameters
    ----------
    a, b : MapSample
        On one grid.
    mask : ndarray of bool, optional
        The common mask; None when it is unknown.

    Returns
    -------
    over_mask, over_non_zero : Agreement
        The first is `NOTHING` when the mask is unknown. A one-tailed z is 0 wherever
        p >= .5: the first then tells mostly where both maps are 0.
    """
    inside = mask
    if inside is None:
        inside = a.inside & b.inside & (a.values != 0) & (b.values != 0)
    flat = inside.ravel(order="F")
    x, y = a.values.ravel(order="F")[flat], b.values.ravel(order="F")[flat]
    both = (x != 0) & (y != 0)
    ranks = do_both(RankOrder, x, y, on_threads=x.size > WORTH_A_THREAD)
    everywhere = _correlate_part(x, y, ranks, None)
    # Maps that are 0 nowhere in the mask are common: not to be computed again.
    non_zero = everywhere if both.all() else _correlate_part(x, y, ranks, both)
    return UNKNOWN_AGREEMENT if mask is None else everywhere, non_zero


def _correlate_part(
    x: Voxels, y: Voxels, ranks: tuple[RankOrder, RankOrder], part: Mask | None
) -> Agreement:
    """Correlate a part of the voxels, all where none is given."""
    ranks_x, ranks_y = (one.within(part) for one in ranks)
    if part is not None:
        x, y = x[part], y[part]
    return Agreement(
        pearson(x, y),
        pearson(ranks_x, ranks_y),
        x.size,
        _share_of_zeros(x),
        _share_of_zeros(y),
    )


def _share_of_zeros(values: Voxels) -> float:
    return 1 - int(np.count_nonzero(values)) / values.size if values.size else math.nan


def pearson(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> float:
    """Return the correlation of two series, NaN where one of them is constant.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Finite.

    Returns
    -------
    float
        In double precision, whatever the series are.
    """
    if x.size < 2 or x.min() == x.max() or y.min() == y.max():
        return math.nan
    dx, dy = subtract_mean(x), subtract_mean(y)
    size = math.sqrt(_dot(dx, dx)) * math.sqrt(_dot(dy, dy))
    return min(1.0, max(-1.0, _dot(dx, dy) / size)) if size > 0 else math.nan


def _dot(x: Float64Array, y: Float64Array) -> float:
    # Not by BLAS, whose threads wait for each other longer than this takes.
    return float(np.einsum("i,i", x, y))


def subtract_mean(x: npt.NDArray[np.floating]) -> Float64Array:
    """Take the mean away, in double precision."""
    wide = x.astype(np.float64)
    wide -= wide.mean()
    return wide


class RankOrder:
    """The order of some values, sorted once for every part of them that is asked for.

    Parameters
    ----------
    values : ndarray of float32, shape (n,)
        Finite.
    """

    def __init__(self, values: Voxels) -> None:
        # 0 and -0 are one number. Bits of floats are in the order of their numbers once
        # those of negative ones, which run backwards, are turned around.
        bits = (values + np.float32(0)).view(np.uint32)
        # Value and place in one number: numpy sorts whole numbers several times faster
        # than it finds out the order of others.
        pairs = np.empty((values.size, 2), np.uint32)
        places, keys = pairs[:, _LOW], pairs[:, 1 - _LOW]
        keys[:] = np.where(bits & _SIGN_BIT, bits ^ _ALL_BITS, bits | _SIGN_BIT)
        places[:] = np.arange(values.size)
        pairs.reshape(-1).view(np.uint64).sort()
        self._order, self._keys = places.astype(np.intp), keys.copy()

    def within(self, part: Mask | None) -> Float64Array:
        """Rank the values of a part among themselves.

        Parameters
        ----------
        part : ndarray of bool, shape (n,), optional
            All when not given.

        Returns
        -------
        ndarray of float64, shape (m,)
            From 0, in the order of the values; ties have their average rank.
        """
        order, keys = self._order, self._keys
        if part is not None:
            kept = part[order]
            order, keys = order[kept], keys[kept]
        if not order.size:
            return np.empty(0)
        # Whether a value equals the one before it, and the one after it.
        equal = keys[1:] == keys[:-1]
        before, after = np.append(False, equal), np.append(equal, False)
        first = np.flatnonzero(after & ~before)
        last = np.flatnonzero(before & ~after)
        in_order = np.arange(order.size, dtype=np.float64)
        in_order[before | after] = np.repeat((first + last) / 2, last - first + 1)
        ranks = np.empty(self._order.size)
        ranks[order] = in_order
        return ranks if part is None else ranks[part]
