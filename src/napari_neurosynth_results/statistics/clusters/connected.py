"""The voxels above a threshold: which of them touch, and where their maxima are.

They touch by runs, voxels that follow one another along x. Only voxels above the
threshold are looked at, and only pairs of runs are joined, so that the cost grows with
the clusters and not with the volume around them.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import (
    BoolArray,
    IndexArray,
    SparseVolume,
)

#: A step, or a size, along z, y and x.
Step = tuple[int, int, int]

#: Rows along x that come before a row and touch it, as steps along z and y.
_BY_FACE = [(-1, 0), (0, -1)]
_BY_EDGE = [(-1, -1), (-1, 1)]
_SMALLEST = np.finfo(np.float32).tiny
_STEPS: list[Step] = list(product((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)))
_FACES = [step for step in _STEPS if sum(map(abs, step)) == 1]
_DIAGONALS = np.array([step for step in _STEPS if sum(map(abs, step)) > 1])
_NEIGHBORS = np.concatenate([_FACES, _DIAGONALS])
#: A bit for each edge of an image: where k, j and i start, and where they end.
_STARTS, _ENDS = np.array([[16, 4, 1], [32, 8, 2]], np.uint8)
#: The edges that neighbors are nearer to than a voxel.
_TOWARD = (_NEIGHBORS < 0) @ _STARTS | (_NEIGHBORS > 0) @ _ENDS
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
    parts : SparseVolume, or ndarray of uint8 or uint16, shape (i, j, k)
        0 outside; voxels of different parts never share a cluster.
    small_is_strong : bool
        Strength is the reciprocal of the values.

    Attributes
    ----------
    where, at : ndarray of int
        Position of each voxel in the flat image (memory order) and in the flat box.
    ijk : ndarray of unsigned int, shape (3, n)
        Indices of each voxel in the image, in the smallest type.
    strength : ndarray of float32
        Of each voxel.
    parts_touch : bool
        Whether voxels of different parts touch by a face.
    cluster : ndarray of int
        Cluster of each voxel, from 1, numbered as they are met.
    sizes, negative : ndarray of int, ndarray of bool
        Voxels of each cluster, and whether its part is even, by its number.
    box_cluster, box_strength : ndarray
        The flat box: cluster and strength, 0 where no voxel is above.
    """

    def __init__(
        self,
        values: npt.NDArray[np.float32],
        parts: SparseVolume | npt.NDArray[np.unsignedinteger],
        small_is_strong: bool,
    ) -> None:
        found = parts if isinstance(parts, SparseVolume) else SparseVolume.of(parts)
        self.image, self.where, self.part = found.shape, found.where, found.values
        strength = values.ravel(order="F").take(self.where)
        if small_is_strong:
            strength = np.reciprocal(np.maximum(strength, _SMALLEST))
        np.abs(strength, out=strength)
        # What is in a cluster without a value is as weak as can be.
        self.strength = np.fmax(strength, _SMALLEST, out=strength)
        if self.where.size:
            self._measure()

    def _measure(self) -> None:
        """Find i, j and k, the smallest box, and the place of each voxel in it."""
        ijk = np.empty((3, self.where.size), self.where.dtype)
        i, row, k = ijk
        ni, nj = map(self.where.dtype.type, self.image[:2])
        np.floor_divide(self.where, ni, out=row)
        np.floor_divide(row, nj, out=k)
        np.subtract(self.where, row * ni, out=i)
        row -= k * nj
        self.ijk = ijk.astype(np.min_scalar_type(max(self.image)))
        low = self.ijk.min(axis=1).astype(np.intp)
        high = self.ijk.max(axis=1).astype(np.intp)
        self.edges = low == 0, high == np.array(self.image) - 1
        #: What the first voxel of the box, with its frame, is in the image.
        self.corner = low - 1
        nx, ny, nz = (high - low + 3).tolist()
        self.shape: Step = nz, ny, nx
        k *= ny
        k += row
        k *= nx
        k += i
        x, y, z = self.corner.tolist()
        k -= self.offset((z, y, x))
        self.at: IndexArray = k.astype(np.intp)

    def connect(self, connectivity: int) -> None:
        """Find which cluster each voxel belongs to, and fill the box."""
        box = np.zeros(math.prod(self.shape), np.int32)
        runs = _Runs(self.at, self.part, self.shape, box)
        cluster = runs.group(connectivity)
        self.parts_touch = runs.parts_touch
        self.sizes = np.bincount(cluster, weights=runs.sizes).astype(np.intp)
        self.negative = runs.are_even(cluster, self.sizes.size)
        dtype = np.min_scalar_type(self.sizes.size - 1)
        self.cluster = cluster.astype(dtype).take(runs.run)
        self.box_cluster = np.zeros(box.size, self.cluster.dtype)
        self.box_cluster[self.at] = self.cluster
        # Runs are looked up no more, and strengths lie in the same places.
        self.box_strength = box.view(np.float32)
        self.box_strength[self.at] = self.strength

    def offset(self, step: Step) -> int:
        """Flat offset of a step along z, y, x."""
        z, y, x = step
        _, ny, nx = self.shape
        return (z * ny + y) * nx + x

    def offsets(self, steps: IndexArray) -> IndexArray:
        """Flat offsets of steps along z, y, x, (n, 3)."""
        _, ny, nx = self.shape
        offsets: IndexArray = steps @ np.array([ny * nx, nx, 1])
        return offsets

    def edges_at(self, at: IndexArray) -> npt.NDArray[np.uint8] | None:
        """Say on which edges of the image voxels of the flat box lie, a bit an edge.

        None when no voxel above the threshold lies on any.
        """
        if not np.any(self.edges):
            return None
        on_edge = np.zeros(at.size, np.uint8)
        for axis, along in enumerate(self.voxels(at)):
            on_edge |= (along == 0) * _STARTS[2 - axis]
            on_edge |= (along == self.image[axis] - 1) * _ENDS[2 - axis]
        return on_edge

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
    runs = _Runs(at, part, shape, np.zeros(math.prod(shape), np.int32))
    return runs.group(connectivity).take(runs.run)


class _Runs:
    """Voxels of one part that follow one another along x.

    Parameters
    ----------
    at, part, shape
        As for `find_components`.
    box : ndarray of int32
        A flat box of zeros; it holds the run of each voxel afterwards.

    Attributes
    ----------
    run : ndarray of int32
        Of each voxel, from 1.
    sizes : ndarray of int
        Voxels of each run; 0 is no run.
    parts_touch : bool
        Whether voxels of different parts touch by a face, once they are grouped.
    """

    def __init__(
        self,
        at: IndexArray,
        part: npt.NDArray[np.unsignedinteger],
        shape: Step,
        box: npt.NDArray[np.int32],
    ) -> None:
        self._at, self._box, self._shape = at, box, shape
        new = np.ones(at.size, bool)
        np.not_equal(at[1:] - at[:-1], 1, out=new[1:])
        self.parts_touch = False
        self._mixed = bool((part != part[0]).any())
        if self._mixed:
            changes = part[1:] != part[:-1]
            self.parts_touch = bool((changes > new[1:]).any())
            new[1:] |= changes
        self._new = new
        self.run = np.cumsum(new, dtype=np.int32)
        box[at] = self.run
        first = new.nonzero()[0]
        self.sizes = np.zeros(first.size + 1, np.intp)
        np.subtract(first[1:], first[:-1], out=self.sizes[1:-1])
        self.sizes[-1] = at.size - first[-1]
        self._part = np.zeros(first.size + 1, part.dtype)
        self._part[1:] = part.take(first)

    def group(self, connectivity: int) -> IndexArray:
        """Find the cluster of each run, from 1, in the order of their first voxels."""
        one, other = self._touching(connectivity)
        # 0 is no run, and joined with nothing.
        return group_connected(self.sizes.size, one, other)

    def are_even(self, group: IndexArray, n: int) -> BoolArray:
        """Say of groups of runs whether their part is even, shape (n,)."""
        even = np.zeros(n, bool)
        even[group] = self._part % 2 == 0
        return even

    def _touching(self, connectivity: int) -> tuple[IndexArray, IndexArray]:
        """Find pairs of runs that touch; some more than once."""
        pairs = []
        for z, y in _BY_FACE if connectivity == 6 else _BY_FACE + _BY_EDGE:
            offset = (z * self._shape[1] + y) * self._shape[2]
            there = self._box.take(self._at + offset)
            # Voxel after voxel of the same two runs tells nothing new.
            fresh = there[1:] != there[:-1]
            fresh |= self._new[1:]
            fresh &= there[1:] > 0
            # Before the first voxel there is none.
            which = fresh.nonzero()[0] + 1
            pairs.append(self._alike(self.run.take(which), there.take(which)))
            self.parts_touch |= pairs[-1][0].size < which.size
            if connectivity == 26 or (connectivity == 18 and 0 in (z, y)):
                # Diagonally along x what lies beyond a run's ends is still unknown.
                after = np.cumsum(self.sizes)
                for ends, x in ((after[:-1], -1), (after[1:] - 1, 1)):
                    beside = self._part.take(there.take(ends)) == self._part[1:]
                    alone = ends[~beside]
                    beyond = self._box.take(self._at.take(alone) + (offset + x))
                    which = beyond.nonzero()[0]
                    run = self.run.take(alone.take(which))
                    pairs.append(self._alike(run, beyond.take(which)))
            # Before the next are looked up: make room.
            del there
        ones, others = zip(*pairs, strict=True)
        return np.concatenate(ones), np.concatenate(others)

    def _alike(self, one: IndexArray, other: IndexArray) -> tuple[IndexArray, ...]:
        """Keep the pairs of which both are of the same part."""
        if not self._mixed:
            return one, other
        alike = (self._part.take(one) == self._part.take(other)).nonzero()[0]
        return one.take(alike), other.take(alike)


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
    whole = group
    while one.size:
        # Each thing follows one that comes before it, if any, ...
        group[np.maximum(one, other)] = np.minimum(one, other)
        # ... and whatever that one follows in turn.
        while not ((further := group.take(group)) == group).all():
            group = further
        leads = group == np.arange(n)
        group = (np.cumsum(leads) - 1).take(group)
        whole = group.take(whole)
        # The same with groups for things, until all that are joined are one.
        one, other = group.take(one), group.take(other)
        apart = (one != other).nonzero()[0]
        one, other = one.take(apart), other.take(apart)
        n = int(np.count_nonzero(leads))
        group = np.arange(n)
    return whole


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
    if above.parts_touch:
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
        if above.parts_touch:
            lost &= above.box_cluster.take(there) == above.box_cluster.take(at)
    return at[~lost]


def _maxima_by_all_neighbors(above: SuprathresholdVoxels, at: IndexArray) -> IndexArray:
    """Drop voxels that a neighbor of their cluster exceeds, and insides of plateaus.

    None is exceeded by a neighbor that it touches by a face.
    """
    cluster, value = above.box_cluster.take(at), above.box_strength.take(at)
    offsets = above.offsets(_DIAGONALS)
    lost = np.zeros(at.size, bool)
    while offsets.size and at.size:
        # Few voxels look at all neighbors at once, many at one after the other.
        n = max(1, _AT_ONCE // at.size)
        there = at + offsets[:n, np.newaxis]
        offsets = offsets[n:]
        higher = above.box_strength.take(there) > value
        higher &= above.box_cluster.take(there) == cluster
        lost |= higher.any(axis=0)
        # To take voxels out is worth it when they are many.
        if 8 * np.count_nonzero(lost) > at.size or (not offsets.size and lost.any()):
            left = np.logical_not(lost).nonzero()[0]
            at, cluster, value = at.take(left), cluster.take(left), value.take(left)
            lost = np.zeros(at.size, bool)
    inside = _insides_of_plateaus(above, at, cluster, value)
    if not inside.size:
        return at
    # Where every voxel is a maximum, all are equal: a flat cluster has no inside.
    maxima = np.bincount(cluster, minlength=above.sizes.size)
    left = np.ones(at.size, bool)
    left[inside] = (maxima >= above.sizes).take(cluster[inside])
    return at[left]


def _insides_of_plateaus(
    above: SuprathresholdVoxels,
    at: IndexArray,
    cluster: npt.NDArray[np.unsignedinteger],
    value: npt.NDArray[np.float32],
) -> IndexArray:
    """Find which voxels no neighbor differs from, in place or value."""
    # Few voxels have an equal beside them; the image may end where there is a 0.
    beside = above.box_strength.take(at + above.offset(_FACES[0]))
    inside: IndexArray = ((beside == value) | (beside == 0)).nonzero()[0]
    if not inside.size:
        return inside
    # Beyond the edge of the image there is nothing to differ from.
    on_edge = above.edges_at(at)
    offsets, toward = above.offsets(_NEIGHBORS), _TOWARD
    while offsets.size and inside.size:
        n = max(1, _AT_ONCE // inside.size)
        there = at.take(inside) + offsets[:n, np.newaxis]
        level = above.box_strength.take(there) == value.take(inside)
        # What is above on all sides of a voxel is one cluster, unless parts touch.
        if above.parts_touch:
            level &= above.box_cluster.take(there) == cluster.take(inside)
        if on_edge is not None:
            level |= on_edge.take(inside) & toward[:n, np.newaxis] > 0
        offsets, toward = offsets[n:], toward[n:]
        inside = inside[level.all(axis=0)]
    return inside


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
        if above.parts_touch:
            alike = above.box_cluster.take(there) == above.box_cluster.take(at)
            one = one[alike.take(one)]
        ones.append(one)
        others.append(~other.take(one).astype(np.intp))
    if not ones:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    return np.concatenate(ones), np.concatenate(others)


def _plateau_centers(
    above: SuprathresholdVoxels, at: IndexArray, plateau: IndexArray
) -> IndexArray:
    """Find the voxel of each plateau that is nearest to its center."""
    size = np.bincount(plateau)
    middles = np.empty(size.size, np.intp)
    # Most have one voxel, which is its own middle.
    middles[plateau] = np.arange(at.size)
    wide = (size.take(plateau) > 1).nonzero()[0]
    plateau = plateau.take(wide)
    voxels, n = above.voxels(at.take(wide)), size.size
    # All three axes in one go.
    along = (plateau + n * np.arange(3)[:, np.newaxis]).reshape(-1)
    sums = np.bincount(along, voxels.reshape(-1), 3 * n).reshape(3, n)
    # Half to even, as numpy rounds.
    gap = voxels - np.rint(sums / size).take(plateau, axis=1)
    gap *= gap
    away = gap.sum(axis=0)
    nearest = np.full(size.size, np.inf)
    np.minimum.at(nearest, plateau, away)
    near = (away == nearest.take(plateau)).nonzero()[0]
    position, plateau = above.c_index(voxels[:, near]), plateau[near]
    order = np.lexsort((position, plateau))
    plateau = plateau.take(order)
    first = np.ones(near.size, bool)
    np.not_equal(plateau[1:], plateau[:-1], out=first[1:])
    middles[plateau[first]] = wide.take(near.take(order[first]))
    return middles
