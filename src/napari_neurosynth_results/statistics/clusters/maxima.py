"""Local maxima of clusters, one for each plateau."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import BoolArray, IndexArray
from napari_neurosynth_results.statistics.clusters.connected import (
    Step,
    SuprathresholdVoxels,
    group_connected,
)

_STEPS: list[Step] = list(product((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)))
_FACES = [step for step in _STEPS if sum(map(abs, step)) == 1]
#: Faces first: they rule most voxels out, and the rest are looked at by fewer.
_NEIGHBORS = [*_FACES, *(step for step in _STEPS if sum(map(abs, step)) > 1)]
#: Neighbors looked up in one go, at most: what fits into the processor's cache.
_AT_ONCE = 2**13


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
