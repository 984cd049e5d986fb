"""The voxels above a threshold: which of them touch, and where their maxima are.

They touch by runs, voxels that follow one another along x. Only voxels above the
threshold are looked at, and only pairs of runs are joined, so that the cost grows with
the clusters and not with the volume around them.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import (
    BoolArray,
    IndexArray,
)

#: A step, or a size, along z, y and x.
Step = tuple[int, int, int]

#: Rows along x that come before a row and touch it, as steps along z and y.
_BY_FACE = [(-1, 0), (0, -1)]
_BY_EDGE = [(-1, -1), (-1, 1)]
_SMALLEST = np.finfo(np.float32).tiny
_STEPS: list[Step] = list(product((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)))
_FACES = [step for step in _STEPS if sum(map(abs, step)) == 1]
#: Faces first: they rule most voxels out, and the rest are looked at by fewer.
_NEIGHBORS = [*_FACES, *(step for step in _STEPS if sum(map(abs, step)) > 1)]
#: Neighbors looked up in one go, at most: what fits into the processor's cache.
_AT_ONCE = 2**13


class SuprathresholdVoxels:
    """The voxels above the threshold, one after the other in memory order.

    Their neighbors are looked up in a box around them, in the order z, y, x and with a
    frame of one voxel, so that each neighbor is a plain offset into the flat box.

    Parameters
    ----------
    values : ndarray of float32, shape (i, j, k)
        Strength is their size.
    parts : ndarray of uint8 or uint16, shape (i, j, k)
        0 outside; voxels of different parts never share a cluster.
    small_is_strong : bool
        Strength is the reciprocal of the values.

    Attributes
    ----------
    where, at : ndarray of int
        Position of each voxel in the flat image (memory order) and in the flat box.
    strength : ndarray of float32
        Of each voxel.
    mixed : bool
        Whether there is more than one part.
    cluster : ndarray of int
        Cluster of each voxel, from 1, numbered as they are met.
    sizes : ndarray of int
        Voxels of each cluster, by its number.
    box_cluster, box_strength : ndarray
        The flat box: cluster and strength, 0 where no voxel is above.
    """

    def __init__(
        self,
        values: npt.NDArray[np.float32],
        parts: npt.NDArray[np.unsignedinteger],
        small_is_strong: bool,
    ) -> None:
        self.image = parts.shape
        flat = parts.ravel(order="F")
        plain = flat.dtype == np.uint8 and flat.max(initial=0) == 1
        where = (flat.view(np.bool_) if plain else flat != 0).nonzero()[0]
        self.part = flat.take(where)
        strength = values.ravel(order="F").take(where)
        if small_is_strong:
            strength = np.reciprocal(np.maximum(strength, _SMALLEST))
        np.abs(strength, out=strength)
        # What is in a cluster without a value is as weak as can be.
        self.strength = np.fmax(strength, _SMALLEST, out=strength)
        # Half of the memory, and dividing is several times as fast.
        self.where = where.astype(np.int32) if parts.size < 2**30 else where
        if where.size:
            self._measure()

    def ijk(self) -> npt.NDArray[Any]:
        """Return i, j and k of every voxel, shape (3, n)."""
        ijk = np.empty((3, self.where.size), self.where.dtype)
        i, row, k = ijk
        ni, nj = map(self.where.dtype.type, self.image[:2])
        np.floor_divide(self.where, ni, out=row)
        np.floor_divide(row, nj, out=k)
        np.subtract(self.where, row * ni, out=i)
        row -= k * nj
        return ijk

    def _measure(self) -> None:
        """Find the smallest box, and the place of each voxel in it."""
        i, j, k = ijk = self.ijk()
        low, high = ijk.min(axis=1), ijk.max(axis=1)
        self.edges = low == 0, high == np.array(self.image) - 1
        #: What the first voxel of the box, with its frame, is in the image.
        self.corner = low - 1
        nx, ny, nz = (high - low + 3).tolist()
        self.shape: Step = nz, ny, nx
        k *= ny
        k += j
        k *= nx
        k += i
        x, y, z = self.corner.tolist()
        k -= self.offset((z, y, x))
        self.at: IndexArray = k.astype(np.intp)

    def connect(self, connectivity: int) -> None:
        """Find which cluster each voxel belongs to, and fill the box."""
        self.mixed = bool(self.part.max() != self.part.min())
        raw = find_components(self.at, self.part, self.shape, connectivity)
        self.sizes = np.bincount(raw)
        self.cluster = raw.astype(np.min_scalar_type(self.sizes.size - 1))
        self.box_cluster = np.zeros(math.prod(self.shape), self.cluster.dtype)
        self.box_cluster[self.at] = raw
        self.box_strength = np.zeros(self.box_cluster.size, np.float32)
        self.box_strength[self.at] = self.strength

    def offset(self, step: Step) -> int:
        """Flat offset of a step along z, y, x."""
        z, y, x = step
        _, ny, nx = self.shape
        return (z * ny + y) * nx + x

    def mark_outside(self) -> BoolArray | None:
        """Mark what of the flat box lies outside the image; None when nothing does."""
        if not np.any(self.edges):
            return None
        outside = np.zeros(self.shape, bool)
        for axis, (at_start, at_end) in enumerate(zip(*self.edges, strict=True)):
            along = np.moveaxis(outside, 2 - axis, 0)
            along[0] |= at_start
            along[-1] |= at_end
        return outside.reshape(-1)

    def voxels(self, at: IndexArray) -> IndexArray:
        """Voxel indices i, j and k in the whole image, shape (3, n)."""
        z, y, x = np.unravel_index(at, self.shape)
        voxels: IndexArray = np.array((x, y, z))
        voxels += self.corner[:, np.newaxis]
        return voxels

    def c_index(self, voxels: IndexArray) -> IndexArray:
        """Position of voxels in C order of the image: what breaks all ties."""
        i, j, k = voxels
        position: IndexArray = (i * self.image[1] + j) * self.image[2] + k
        return position


def find_components(
    at: IndexArray,
    part: npt.NDArray[np.unsignedinteger],
    shape: Step,
    connectivity: int,
) -> IndexArray:
    """Find the clusters of voxels that touch and are of one part.

    Parameters
    ----------
    at : ndarray of int, shape (n,)
        Positions of the voxels in a flat box, ascending; none is on the box's faces.
    part : ndarray of uint8 or uint16, shape (n,)
        Their parts, from 1.
    shape : tuple of int
        Of the box, along z, y and x.
    connectivity : {6, 18, 26}
        Which neighbors touch.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of each voxel's cluster, from 1, in the order of their first voxels.
    """
    new = np.ones(at.size, bool)
    np.not_equal(at[1:] - at[:-1], 1, out=new[1:])
    new[1:] |= part[1:] != part[:-1]
    run = np.cumsum(new, dtype=np.int32)
    one, other = _touching_runs(at, part, run, new, shape, connectivity)
    # 0 is no run, and joined with nothing.
    return group_connected(int(run[-1]) + 1, one, other).take(run)


def _touching_runs(
    at: IndexArray,
    part: npt.NDArray[np.unsignedinteger],
    run: npt.NDArray[np.int32],
    new: npt.NDArray[np.bool_],
    shape: Step,
    connectivity: int,
) -> tuple[IndexArray, IndexArray]:
    """Find pairs of runs that touch; some more than once."""
    box = np.zeros(math.prod(shape), np.int32)
    box[at] = run
    first = new.nonzero()[0]
    last = np.append(first[1:], at.size) - 1
    parts = np.append(part.dtype.type(0), part.take(first))
    mixed = bool(part.max() != part.min())

    def runs_at(which: IndexArray | slice, offset: int) -> npt.NDArray[np.int32]:
        """Find the runs of the same part at an offset from voxels, 0 for none."""
        there = box.take(at[which] + offset)
        if mixed:
            there *= parts.take(there) == part[which]
        return there

    ones, others = [], []
    for z, y in _BY_FACE if connectivity == 6 else _BY_FACE + _BY_EDGE:
        offset = (z * shape[1] + y) * shape[2]
        there = runs_at(slice(None), offset)
        # Voxel after voxel of the same two runs tells nothing new.
        fresh = there > 0
        fresh[1:] &= new[1:] | (there[1:] != there[:-1])
        which = fresh.nonzero()[0]
        ones.append(run.take(which))
        others.append(there.take(which))
        if connectivity == 26 or (connectivity == 18 and 0 in (z, y)):
            # Diagonally along x only what lies beyond a run's ends is still unknown.
            for ends, x in ((first, -1), (last, 1)):
                alone = ends[there.take(ends) == 0]
                beyond = runs_at(alone, offset + x)
                which = beyond.nonzero()[0]
                ones.append(run.take(alone[which]))
                others.append(beyond.take(which))
    return np.concatenate(ones), np.concatenate(others)


def group_connected(n: int, one: IndexArray, other: IndexArray) -> IndexArray:
    """Find groups of things that are joined, directly or through others.

    Parameters
    ----------
    n : int
        How many things there are.
    one, other : ndarray of int
        Pairs that are joined; nothing is joined with itself.

    Returns
    -------
    ndarray of int, shape (n,)
        Number of each thing's group, from 0, in the order of their first things.

    Examples
    --------
    >>> group_connected(5, np.array([0, 4]), np.array([3, 3])).tolist()
    [0, 1, 2, 0, 0]
    """
    group: IndexArray = np.arange(n)
    if not one.size:
        return group
    # Each thing follows one that comes before it, if any, ...
    group[np.maximum(one, other)] = np.minimum(one, other)
    # ... and whatever that one follows in turn.
    while not ((further := group.take(group)) == group).all():
        group = further
    leads = group == np.arange(n)
    group = (np.cumsum(leads) - 1).take(group)
    # The same with groups for things, until all that are joined are one.
    one, other = group.take(one), group.take(other)
    apart = (one != other).nonzero()[0]
    n_groups = int(np.count_nonzero(leads))
    return group_connected(n_groups, one.take(apart), other.take(apart)).take(group)


def local_maxima(
    above: SuprathresholdVoxels, wanted: BoolArray
) -> tuple[IndexArray, npt.NDArray[np.float32]]:
    """Find the local maxima of the clusters that are wanted.

    A voxel is one when no 26-neighbor of its cluster exceeds it. Those of equal value
    that touch by a face are one plateau, with one maximum in its middle.

    Parameters
    ----------
    above : SuprathresholdVoxels
        Voxels whose clusters are known; their strengths in the box get lost.
    wanted : ndarray of bool
        By the number of the cluster.

    Returns
    -------
    at : ndarray of int, shape (m,)
        Their positions in the flat box.
    strength : ndarray of float32, shape (m,)
        Their strengths.
    """
    at = _maxima_by_faces(above)
    at = at[wanted.take(above.box_cluster.take(at))]
    at = _maxima_by_all_neighbors(above, at)
    strength = above.box_strength.take(at)
    one, other = _touching_maxima(above, at)
    if one.size:
        middle = _plateau_centers(above, at, group_connected(at.size, one, other))
        at, strength = at[middle], strength[middle]
    return at, strength


def _maxima_by_faces(above: SuprathresholdVoxels) -> IndexArray:
    """Find voxels that no face neighbor of their cluster exceeds."""
    at, value = above.at, above.strength
    # Along x neighbors follow one another: nothing has to be looked up.
    beside = at[1:] - at[:-1] == 1
    if above.mixed:
        beside &= above.part[1:] == above.part[:-1]
    lost = np.zeros(at.size, bool)
    np.logical_and(beside, value[1:] > value[:-1], out=lost[:-1])
    lost[1:] |= beside & (value[:-1] > value[1:])
    for step in _FACES:
        if step[:2] == (0, 0):
            continue
        left = (~lost).nonzero()[0]
        at, value = at.take(left), value.take(left)
        there = at + above.offset(step)
        lost = above.box_strength.take(there) > value
        if above.mixed:
            lost &= above.box_cluster.take(there) == above.box_cluster.take(at)
    return at[~lost]


def _maxima_by_all_neighbors(above: SuprathresholdVoxels, at: IndexArray) -> IndexArray:
    """Drop voxels that a neighbor of their cluster exceeds, and insides of plateaus."""
    cluster, value = above.box_cluster.take(at), above.box_strength.take(at)
    lost, inside = np.zeros(at.size, bool), np.ones(at.size, bool)
    offsets = np.array([above.offset(step) for step in _NEIGHBORS])
    # Beyond the edge of the image there is nothing to differ from.
    beyond = above.mark_outside()
    while offsets.size and at.size:
        # Few voxels look at all neighbors at once, many at one after the other.
        n = max(1, _AT_ONCE // at.size)
        there = at + offsets[:n, np.newaxis]
        offsets = offsets[n:]
        level = above.box_cluster.take(there) == cluster
        other = above.box_strength.take(there)
        lost |= (level & (other > value)).any(axis=0)
        level &= other == value
        if beyond is not None:
            level |= beyond.take(there)
        inside &= level.all(axis=0)
        # To take voxels out is worth it when they are many.
        if 8 * np.count_nonzero(lost) > at.size:
            left = (~lost).nonzero()[0]
            at, cluster = at.take(left), cluster.take(left)
            value, inside = value.take(left), inside.take(left)
            lost = np.zeros(at.size, bool)
    if inside.any():
        # Where every voxel is a maximum, all are equal: a flat cluster has no inside.
        maxima = np.bincount(cluster[~lost], minlength=above.sizes.size)
        lost |= inside & (maxima < above.sizes).take(cluster)
    return at[~lost]


def _touching_maxima(
    above: SuprathresholdVoxels, at: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """Find pairs of maxima that touch by a face, each pair once."""
    # Strengths are looked up no more and were never negative: there is room in the box
    # for the number of each maximum, from -1 down.
    number = above.box_strength.view(np.int32)
    number[at] = ~np.arange(at.size, dtype=np.int32)
    ones, others = [], []
    for step in _FACES:
        if sum(step) < 0:
            continue
        there = at + above.offset(step)
        other = number.take(there)
        one = (other < 0).nonzero()[0]
        if not one.size:
            continue
        one = one[above.box_cluster.take(there[one]) == above.box_cluster.take(at[one])]
        ones.append(one)
        others.append(~other[one].astype(np.intp))
    if not ones:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    return np.concatenate(ones), np.concatenate(others)


def _plateau_centers(
    above: SuprathresholdVoxels, at: IndexArray, plateau: IndexArray
) -> IndexArray:
    """Find the voxel of each plateau that is nearest to its center."""
    voxels = above.voxels(at)
    size = np.bincount(plateau).take(plateau)
    away = np.zeros(at.size)
    for axis in voxels:
        center = np.bincount(plateau, weights=axis).take(plateau) / size
        # Half to even, as numpy rounds.
        away += (axis - np.round(center)) ** 2
    nearest = np.full(at.size, np.inf)
    np.minimum.at(nearest, plateau, away)
    near = (away == nearest.take(plateau)).nonzero()[0]
    position, plateau = above.c_index(voxels[:, near]), plateau[near]
    order = np.lexsort((position, plateau))
    first = np.ones(near.size, bool)
    np.not_equal(plateau[order[1:]], plateau[order[:-1]], out=first[1:])
    middles: IndexArray = near[order[first]]
    return middles
