"""From a thresholded volume to clusters, peaks and sub-peaks: arrays in, arrays out.

Everything after labelling works on the voxels above the threshold only, and on all
clusters at once: the cost does not grow with the number of clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]

Step = tuple[int, int, int]

_STEPS: list[Step] = list(product((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)))
_FACES = [step for step in _STEPS if sum(map(abs, step)) == 1]
#: Faces first: they rule most voxels out, and the rest are looked at by fewer.
_NEIGHBORS = [*_FACES, *(step for step in _STEPS if sum(map(abs, step)) > 1)]
_NOT_ALONG_X = [step for step in _NEIGHBORS if step[:2] != (0, 0)]
_LARGEST = np.finfo(np.float32).max
_SMALLEST = np.finfo(np.float32).tiny
#: Positive and negative parts of an ordinary threshold.
_TWO_SIDES = 2


@dataclass(frozen=True)
class Labelled:
    """Clusters of one volume, in the order of their peaks.

    Attributes
    ----------
    labels : ndarray of int32, shape (i, j, k)
        0 background, 1..n: positive clusters by descending peak, then negative ones.
    sign, size : ndarray, shape (n,)
        +1 or -1, and the number of voxels.
    mean : ndarray, shape (n,)
        Mean strength.
    center : ndarray, shape (n, 3)
        Center of mass by strength, in voxels.
    peak_cluster : ndarray, shape (m,)
        For each peak and sub-peak the index of its cluster, ascending; the first of a
        cluster is its peak.
    peak_voxel : ndarray, shape (m, 3)
        Their voxels.
    """

    labels: npt.NDArray[np.int32]
    sign: Ints
    size: Ints
    mean: Floats
    center: Floats
    peak_cluster: Ints
    peak_voxel: Ints


def label_clusters(
    values: npt.NDArray[np.float32],
    parts: npt.NDArray[np.unsignedinteger],
    *,
    connectivity: int,
    min_voxels: int,
    voxel_size: tuple[float, float, float],
    sub_peaks: int,
    peak_distance: float,
    small_is_strong: bool = False,
) -> Labelled:
    """Label clusters and find their peaks.

    Parameters
    ----------
    values : ndarray of float32, shape (i, j, k)
        Strength is their size.
    parts : ndarray of uint8 or uint16, shape (i, j, k)
        0 outside. Voxels of different parts never share a cluster; even parts are
        negative clusters, odd ones positive.
    connectivity : {6, 18, 26}
        Which neighbors touch.
    min_voxels : int
        Smaller clusters are left out.
    voxel_size : tuple of float
        In mm, for the distance between peaks.
    sub_peaks : int
        At most so many beside the peak of each cluster.
    peak_distance : float
        Sub-peaks are farther than this, in mm, from every stronger one that is kept.
    small_is_strong : bool
        Strength is the reciprocal of the values, as for p.

    Returns
    -------
    Labelled
        Without clusters when nothing is above the threshold.
    """
    above = _Above(values, parts, small_is_strong)
    if not above.where.size:
        return _nothing(parts.shape)
    above.connect(connectivity)
    maxima = _maxima(above, above.sizes >= min_voxels)
    if not maxima.size:
        return _nothing(parts.shape)
    order, maxima = _in_order(above, maxima)
    # Labels of clusters that are too small become 0, so that none has to be taken out.
    table = np.zeros(above.sizes.size, np.intp)
    table[order] = np.arange(1, order.size + 1)
    cluster, voxel = table[above.raw[maxima]], above.voxels(maxima)
    kept = _apart(cluster, voxel, np.array(voxel_size), sub_peaks, peak_distance)
    # Neighbors are not looked up any more: make room for the label volume.
    del above.found, above.values, above.at
    return _labelled(above, table, order, maxima[kept])


class _Above:
    """The voxels above the threshold, one after the other in memory order.

    Their neighbors are looked up in a box around them, in the order z, y, x and with a
    frame of one voxel, so that each neighbor is a plain offset into the flat box.
    """

    def __init__(
        self,
        values: npt.NDArray[np.float32],
        parts: npt.NDArray[np.unsignedinteger],
        small_is_strong: bool,
    ) -> None:
        self.image = parts.shape
        flat = parts.ravel(order="F")
        self.where = np.flatnonzero(flat != 0)
        self.part = flat[self.where]
        self.negative = self.part % 2 == 0
        strength = values.ravel(order="F")[self.where]
        if small_is_strong:
            strength = np.reciprocal(np.maximum(strength, _SMALLEST))
        # What is in a cluster without a value is as weak as can be.
        strength = np.fmax(np.abs(strength), _SMALLEST)
        self.both = bool(self.negative.any())
        #: With their sign, so that no voxel exceeds one of the other sign.
        self.signed = np.where(self.negative, -strength, strength)
        if self.where.size:
            self._measure()

    def _measure(self) -> None:
        """Find each voxel's i, j, k and its place in the smallest box."""
        # Dividing 32-bit numbers is several times as fast.
        dtype = np.int32 if np.prod(self.image) < 2**31 else np.int64
        i: Any = self.where.astype(dtype)
        row, plane = dtype(self.image[0]), dtype(self.image[0] * self.image[1])
        k = i // plane
        i -= k * plane
        j = i // row
        i -= j * row
        low = [int(axis.min()) for axis in (i, j, k)]
        high = [int(axis.max()) + 1 for axis in (i, j, k)]
        nx, ny, nz = (last + 2 - first for first, last in zip(low, high, strict=True))
        self.shape = nz, ny, nx
        self.at_edge = 0 in low or any(map(int.__eq__, high, self.image))
        at = (k - low[2] + 1).astype(np.intp)
        for axis, first, n in ((j, low[1], ny), (i, low[0], nx)):
            at *= n
            at += axis
            at += 1 - first
        self.at: Ints = at
        # NIfTI counts voxels along an axis in 16 bits.
        self.ijk = [axis.astype(np.int16) for axis in (i, j, k)]

    def connect(self, connectivity: int) -> None:
        """Find which cluster each voxel belongs to, numbered as they are met."""
        import cc3d

        box = np.zeros(self.shape, self.part.dtype)
        box.reshape(-1)[self.at] = self.part
        # Parts are told apart by their value: one call for both signs.
        found = cc3d.connected_components(box, connectivity=connectivity)
        self.found = found.reshape(-1)
        self.raw = self.found[self.at]
        self.sizes = np.bincount(self.raw)
        self.values = np.zeros(self.found.size, np.float32)
        self.values[self.at] = self.signed

    def offset(self, step: Step) -> int:
        """Flat offset of a step along z, y, x."""
        z, y, x = step
        return (z * self.shape[1] + y) * self.shape[2] + x

    def equal(self, which: Ints, step: Step) -> npt.NDArray[np.bool_]:
        """Whether the neighbor one step on has the same cluster and value."""
        there = self.at[which] + self.offset(step)
        same = self.found[there] == self.raw[which]
        return np.asarray(same & (self.values[there] == self.signed[which]))

    def voxels(self, which: Ints) -> Ints:
        """Voxel indices (i, j, k) in the whole image, shape (n, 3)."""
        return np.column_stack([axis[which] for axis in self.ijk]).astype(np.intp)

    def c_index(self, which: Ints) -> Ints:
        """Position of voxels in C order of the image: what breaks all ties."""
        i, j, k = self.voxels(which).T
        position: Ints = (i * self.image[1] + j) * self.image[2] + k
        return position


def _nothing(shape: tuple[int, ...]) -> Labelled:
    labels = np.zeros(shape, np.int32, order="F")
    none, no_voxels = np.empty(0, np.intp), np.empty((0, 3), np.intp)
    return Labelled(labels, none, none, np.empty(0), np.empty((0, 3)), none, no_voxels)


def _maxima(above: _Above, wanted: npt.NDArray[np.bool_]) -> Ints:
    """Find the local maxima of the clusters that are wanted.

    A voxel is one when no 26-neighbor of its cluster exceeds it. Those of equal value
    that touch by a face are one plateau, with one maximum in its middle.
    """
    which = _not_exceeded(above, ~above.negative, np.greater)
    if above.both:
        negative = _not_exceeded(above, above.negative, np.less)
        which = np.concatenate([which, negative])
    which = _without_interiors(above, which[wanted[above.raw[which]]])
    tied = _touching(above, which)
    return _one_a_plateau(above, which, tied) if tied.any() else which


def _not_exceeded(
    above: _Above, side: npt.NDArray[np.bool_], exceeds: Callable[..., Any]
) -> Ints:
    """Find voxels of one sign that no neighbor of their cluster exceeds."""
    which = np.flatnonzero(side) if above.both else np.arange(side.size)
    at, value = above.at[which], above.signed[which]
    # Face neighbors of one sign are in one cluster, unless parts are many.
    crowded = bool(above.part.max() > _TWO_SIDES)
    # Along x neighbors follow one another: nothing has to be looked up.
    beside = np.diff(at) == 1
    if crowded:
        beside &= np.diff(above.raw[which].astype(np.intp)) == 0
    lost = np.zeros(at.size, bool)
    np.logical_and(beside, exceeds(value[1:], value[:-1]), out=lost[:-1])
    lost[1:] |= beside & exceeds(value[:-1], value[1:])
    for step in _NOT_ALONG_X:
        left = np.flatnonzero(~lost)
        which, at, value = which[left], at[left], value[left]
        there = at + above.offset(step)
        lost = exceeds(above.values[there], value)
        if crowded or step not in _FACES:
            lost &= above.found[there] == above.found[at]
    return which[~lost]


def _touching(above: _Above, maxima: Ints) -> npt.NDArray[np.bool_]:
    """Mark maxima with a face neighbor that is one too: part of a plateau."""
    is_maximum = np.zeros(above.found.size, bool)
    is_maximum[above.at[maxima]] = True
    tied = np.zeros(maxima.size, bool)
    for step in _FACES:
        there = above.at[maxima] + above.offset(step)
        tied |= is_maximum[there] & (above.found[there] == above.raw[maxima])
    return tied


def _without_interiors(above: _Above, maxima: Ints) -> Ints:
    """Drop voxels all of whose neighbors are equal, unless their cluster is flat."""
    # Where every voxel is a maximum, all are equal.
    in_cluster = np.bincount(above.raw[maxima], minlength=above.sizes.size)
    flat = in_cluster == above.sizes
    inner = np.flatnonzero(~flat[above.raw[maxima]])
    for step in _NEIGHBORS:
        if not inner.size:
            break
        which = maxima[inner]
        equal = above.equal(which, step)
        if above.at_edge:
            # Beyond the edge of the image there is nothing to differ from.
            rest = np.flatnonzero(~equal)
            beyond = above.voxels(which[rest]) + step[::-1]
            equal[rest] = ((beyond < 0) | (beyond >= above.image)).any(axis=1)
        inner = inner[equal]
    keep = np.ones(maxima.size, bool)
    keep[inner] = False
    return maxima[keep]


def _one_a_plateau(above: _Above, maxima: Ints, tied: npt.NDArray[np.bool_]) -> Ints:
    """Replace the voxels of each plateau by the one nearest to its center."""
    flat = maxima[tied]
    n, group = _plateaus(above, flat)
    voxel = above.voxels(flat)
    size = np.bincount(group, minlength=n)
    center = np.column_stack(
        [np.bincount(group, weights=axis, minlength=n) / size for axis in voxel.T]
    )
    # Half to even, as numpy rounds; then the plateau's own voxel nearest to it.
    away = ((voxel - np.round(center)[group]) ** 2).sum(axis=1)
    order = np.lexsort((above.c_index(flat), away, group))
    first = order[_is_first(group[order])]
    return np.concatenate([maxima[~tied], flat[first]])


def _plateaus(above: _Above, flat: Ints) -> tuple[int, Ints]:
    """Count and number the sets of maxima that touch by a face."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # From 1: zeros cost nothing where nobody looks.
    position = np.zeros(above.found.size, np.int32)
    position[above.at[flat]] = np.arange(1, flat.size + 1, dtype=np.int32)
    rows, columns = [], []
    # Each pair from one side.
    for step in (step for step in _FACES if sum(step) > 0):
        there = above.at[flat] + above.offset(step)
        neighbor = position[there].astype(np.intp) - 1
        same = (neighbor >= 0) & (above.found[there] == above.raw[flat])
        rows.append(np.flatnonzero(same))
        columns.append(neighbor[same])
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(row.size, np.int8), (row, column)), (flat.size,) * 2)
    n, group = connected_components(graph, directed=False)
    return int(n), np.asarray(group, np.intp)


def _is_first(groups: Ints) -> npt.NDArray[np.bool_]:
    """Mark the first of each run of equal numbers."""
    first = np.ones(groups.size, bool)
    np.not_equal(groups[1:], groups[:-1], out=first[1:])
    return first


def _in_order(above: _Above, maxima: Ints) -> tuple[Ints, Ints]:
    """Order clusters: positive by descending peak, then negative.

    Returns the labels that they were found with in that order, and the maxima by
    cluster, strongest first.
    """
    position, strength = above.c_index(maxima), np.abs(above.signed[maxima])
    by_strength = np.lexsort((position, -strength, above.negative[maxima]))
    maxima = maxima[by_strength]
    clusters = above.raw[maxima]
    _, first = np.unique(clusters, return_index=True)
    order = clusters[np.sort(first)]
    place = np.zeros(above.sizes.size, np.intp)
    place[order] = np.arange(order.size)
    return order, maxima[np.argsort(place[clusters], kind="stable")]


def _apart(
    cluster: Ints, voxel: Ints, voxel_size: Floats, sub_peaks: int, distance: float
) -> Ints:
    """Keep the peak of each cluster and the strongest maxima far from those kept.

    Greedy, as nilearn means it: a maximum is kept when it is farther than `distance`
    from every stronger one that was kept. All clusters take each step together; the
    maxima come by cluster, strongest first.
    """
    left, kept = np.arange(cluster.size), []
    for _ in range(sub_peaks + 1):
        if not left.size:
            break
        is_first = _is_first(cluster[left])
        first = left[is_first]
        kept.append(first)
        mine = first[np.cumsum(is_first) - 1]
        gap = (voxel[left] - voxel[mine]) * voxel_size
        left = left[np.sqrt((gap**2).sum(axis=1)) > distance]
    return np.sort(np.concatenate(kept))


def _labelled(above: _Above, table: Ints, order: Ints, peaks: Ints) -> Labelled:
    """Gather sizes and centers, and write the label volume."""
    index = table[above.raw]
    labels = np.zeros(above.image, np.int32, order="F")
    labels.reshape(-1, order="F")[above.where] = index
    n, size = order.size + 1, above.sizes[order]
    strength = np.abs(above.signed, dtype=np.float64)
    # An infinite voxel has all the mass, but infinity times a place has no place.
    np.minimum(strength, _LARGEST, out=strength)
    mass = np.bincount(index, weights=strength, minlength=n)[1:]
    center = [
        np.bincount(index, weights=strength * axis, minlength=n)[1:] / mass
        for axis in above.ijk
    ]
    peak_cluster = index[peaks] - 1
    first = peaks[_is_first(peak_cluster)]
    infinite = np.isinf(above.signed[first])
    return Labelled(
        labels=labels,
        sign=np.where(above.negative[first], -1, 1),
        size=size,
        mean=np.where(infinite, np.inf, mass / size),
        center=np.column_stack(center),
        peak_cluster=peak_cluster,
        peak_voxel=above.voxels(peaks),
    )
