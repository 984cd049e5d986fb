"""From a thresholded volume to clusters, peaks and sub-peaks: arrays in, arrays out.

Everything after labelling works on the voxels above the threshold only, and on all
clusters at once: the cost does not grow with the number of clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import (
    BoolArray,
    Float32Array,
    Float64Array,
    IndexArray,
    SparseVolume,
)
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.statistics.clusters.connected import (
    SuprathresholdVoxels,
    local_maxima,
)

if TYPE_CHECKING:
    import pandas as pd

Label = TypeVar("Label", bound=np.integer[Any])

_LARGEST = np.finfo(np.float32).max
#: Two clusters of one height may differ by voxels whose p is the height to within so
#: much (of its logarithm), and by no more than this share of their voxels.
_STEP = 0.01
_MOST_AT_HEIGHT = 0.05


@dataclass(frozen=True, eq=False)
class ClusterArrays:
    """Clusters of one volume, in the order of their peaks.

    Attributes
    ----------
    shape : tuple of int
        Of the volume.
    where, label : ndarray, shape (v,)
        Position of each voxel above the threshold in the flat volume (memory order,
        ascending), and its label in the smallest type that holds it; 0 where its
        cluster was too small.
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

    shape: tuple[int, ...]
    where: npt.NDArray[np.signedinteger] = field(repr=False)
    label: npt.NDArray[np.unsignedinteger] = field(repr=False)
    sign: IndexArray
    size: IndexArray
    mean: Float64Array
    center: Float64Array
    peak_cluster: IndexArray
    peak_voxel: IndexArray

    @cached_property
    def labels(self) -> npt.NDArray[np.int32]:
        """Label volume (i, j, k): 0 background, 1..n in the order of the peaks."""
        return self.volume(np.int32)

    @cached_property
    def main_peaks(self) -> IndexArray:
        """Which of all peaks is the first of each cluster, shape (n,)."""
        return np.searchsorted(self.peak_cluster, np.arange(self.size.size))

    def inner_voxels(self, voxel_size: tuple[float, float, float]) -> IndexArray:
        """Find each cluster's own voxel that is nearest to its center of mass.

        The center itself may lie outside, as that of a ring does.

        Parameters
        ----------
        voxel_size : tuple of float
            In mm.

        Returns
        -------
        ndarray of int, shape (n, 3)
            Of voxels that are equally near the first in C order.
        """
        cluster, voxels = self._voxels
        away = np.zeros(cluster.size)
        for axis, step in enumerate(voxel_size):
            away += ((voxels[axis] - self.center[cluster, axis]) * step) ** 2
        nearest = np.full(self.size.size, np.inf)
        np.minimum.at(nearest, cluster, away)
        near = (away == nearest.take(cluster)).nonzero()[0]
        order = near[np.lexsort((*voxels[::-1, near], cluster[near]))]
        inner: IndexArray = voxels[:, order[_is_first(cluster[order])]].T
        return inner

    def bounding_boxes(self) -> tuple[IndexArray, IndexArray]:
        """Find the smallest box around each cluster.

        Returns
        -------
        low, high : ndarray of int, shape (n, 3)
            The first and the last voxel along i, j and k.
        """
        cluster, voxels = self._voxels
        low = np.empty((self.size.size, 3), np.intp)
        high = np.empty_like(low)
        low[:], high[:] = self.shape, -1
        for axis, places in enumerate(voxels):
            np.minimum.at(low[:, axis], cluster, places)
            np.maximum.at(high[:, axis], cluster, places)
        return low, high

    @cached_property
    def _voxels(self) -> tuple[IndexArray, IndexArray]:
        """Cluster, from 0, and indices i, j, k, (3, v), of the voxels in clusters."""
        kept = self.label.nonzero()[0]
        where = self.where.take(kept).astype(np.intp)
        voxels = np.array(np.unravel_index(where, self.shape, order="F"))
        return self.label.take(kept).astype(np.intp) - 1, voxels

    def volume(self, dtype: type[Label] | np.dtype[Label]) -> npt.NDArray[Label]:
        """Write the label volume in a type of one's choice.

        Parameters
        ----------
        dtype : type
            Any integer that holds the labels; that of `label` is the smallest.

        Returns
        -------
        ndarray, shape (i, j, k)
            In Fortran order, as the maps are: its transpose is contiguous.
        """
        volume = np.zeros(self.shape, dtype, order="F")
        # What is converted before it is written takes half of the time.
        label = self.label.astype(dtype, copy=False)
        volume.reshape(-1, order="F")[self.where.astype(np.intp)] = label
        return volume

    @property
    def flat_labels(self) -> npt.NDArray[np.integer[Any]]:
        """The label of every voxel in memory order, shape (i * j * k,), to look at.

        In any type: those of `labels` where somebody has them, else as small as can be.
        """
        made: npt.NDArray[np.integer[Any]] | None = self.__dict__.get("labels")
        volume = self.volume(self.label.dtype) if made is None else made
        return volume.reshape(-1, order="F")


def measure_extents(
    found: ClusterArrays, grid: Grid, inner_centers: Float64Array
) -> pd.DataFrame:
    """Say how far clusters reach, in mm.

    Parameters
    ----------
    inner_centers : ndarray, shape (n, 3)
        Places of their `ClusterArrays.inner_voxels`.

    Returns
    -------
    pandas.DataFrame
        ``label``, ``inner_x`` to ``inner_z``, ``box_x_min`` to ``box_z_max``.
    """
    import pandas as pd

    low, high = map(grid.to_mm, found.bounding_boxes())
    columns = {f"inner_{a}": inner_centers[:, n].copy() for n, a in enumerate("xyz")}
    for n, axis in enumerate("xyz"):
        columns |= {f"box_{axis}_min": low[:, n], f"box_{axis}_max": high[:, n]}
    return pd.DataFrame({"label": np.arange(1, found.size.size + 1), **columns})


def label_clusters(
    values: npt.NDArray[np.float32],
    parts: SparseVolume | npt.NDArray[np.unsignedinteger],
    *,
    connectivity: int,
    min_voxels: int,
    voxel_size: tuple[float, float, float],
    sub_peaks: int,
    peak_distance: float,
    small_is_strong: bool = False,
) -> ClusterArrays:
    """Label clusters and find their peaks.

    Parameters
    ----------
    values : ndarray of float32, shape (i, j, k)
        Strength is their size.
    parts : SparseVolume, or ndarray of uint8 or uint16, shape (i, j, k)
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
    ClusterArrays
        Without clusters when nothing is above the threshold.
    """
    above = SuprathresholdVoxels(values, parts, small_is_strong)
    if not above.where.size:
        return _no_clusters(parts.shape)
    above.connect(connectivity)
    at, strength = local_maxima(above, above.sizes >= min_voxels)
    if not at.size:
        return _no_clusters(parts.shape)
    voxel, cluster = above.voxels(at), above.box_cluster.take(at)
    negative = above.negative.take(cluster)
    label, order = _order_clusters(
        cluster, above.sizes.size, strength, negative, above.c_index(voxel)
    )
    cluster, voxel = label.take(cluster.take(order)) - 1, voxel.take(order, axis=1)
    size = np.array(voxel_size)[:, np.newaxis]
    kept = _keep_distant_peaks(cluster, voxel, size, sub_peaks, peak_distance)
    cluster = cluster.take(kept)
    main = order.take(kept[_is_first(cluster)])
    # Neighbors are not looked up any more: make room.
    del above.box_cluster, above.box_strength, above.at
    found = _measure_clusters(above, label)
    found["mean"][np.isinf(strength[main])] = np.inf
    return ClusterArrays(
        shape=parts.shape,
        sign=np.where(negative[main], -1, 1),
        peak_cluster=cluster,
        peak_voxel=np.ascontiguousarray(voxel.take(kept, axis=1).T),
        **found,
    )


def _no_clusters(shape: tuple[int, ...]) -> ClusterArrays:
    none, no_voxels = np.empty(0, np.intp), np.empty((0, 3), np.intp)
    return ClusterArrays(
        shape=shape,
        where=np.empty(0, np.int32),
        label=np.empty(0, np.uint8),
        sign=none,
        size=none,
        mean=np.empty(0),
        center=np.empty((0, 3)),
        peak_cluster=none,
        peak_voxel=no_voxels,
    )


def _is_first(groups: IndexArray) -> npt.NDArray[np.bool_]:
    """Mark the first of each run of equal numbers."""
    first = np.ones(groups.size, bool)
    np.not_equal(groups[1:], groups[:-1], out=first[1:])
    return first


def _order_clusters(
    cluster: IndexArray,
    n_found: int,
    strength: Float32Array,
    negative: BoolArray,
    position: IndexArray,
) -> tuple[IndexArray, IndexArray]:
    """Order clusters: positive by descending peak, then negative.

    Returns the label of each of the `n_found` numbers that clusters were found with, 0
    for one without maxima, and the order of the maxima: by label, strongest first.
    """
    by_strength = np.lexsort((position, -strength, negative))
    cluster = cluster.take(by_strength)
    # The last one that is written is the strongest.
    peak = np.full(n_found, cluster.size)
    peak[cluster[::-1]] = np.arange(cluster.size - 1, -1, -1)
    in_order = np.argsort(peak)[: np.count_nonzero(peak < cluster.size)]
    label = np.zeros(n_found, np.intp)
    label[in_order] = np.arange(1, in_order.size + 1)
    by_label = np.argsort(label.take(cluster), kind="stable")
    return label, by_strength.take(by_label)


def _keep_distant_peaks(
    cluster: IndexArray,
    voxel: IndexArray,
    size: Float64Array,
    sub_peaks: int,
    distance: float,
) -> IndexArray:
    """Keep the peak of each cluster and the strongest maxima far from those kept.

    Greedy, as nilearn means it: a maximum is kept when it is farther than `distance`
    from every stronger one that was kept. All clusters take each step together; the
    maxima come by cluster, strongest first.
    """
    left, kept = np.arange(cluster.size), []
    while left.size:
        is_first = _is_first(cluster)
        first = is_first.nonzero()[0]
        kept.append(left.take(first))
        if len(kept) > sub_peaks:
            break
        mine = voxel.take(first.take(is_first.cumsum() - 1), axis=1)
        gap = (voxel - mine) * size
        gap *= gap
        far = (np.sqrt(gap.sum(axis=0)) > distance).nonzero()[0]
        left, cluster = left.take(far), cluster.take(far)
        voxel = voxel.take(far, axis=1)
    return np.sort(np.concatenate(kept))


def _measure_clusters(above: SuprathresholdVoxels, label: IndexArray) -> dict[str, Any]:
    """Gather sizes and centers of the clusters, and the label of each voxel."""
    of_voxel, n = label.take(above.cluster), int(label.max()) + 1
    size = np.zeros(n, np.intp)
    size[label] = above.sizes
    strength = above.strength.astype(np.float64)
    # An infinite voxel has all the mass, but infinity times a place has no place.
    np.minimum(strength, _LARGEST, out=strength)
    # Voxel after voxel, so that sums are the same bits everywhere; in less time than by
    # `bincount`, which does that too.
    mass, moments = np.zeros(n), np.zeros((3, n))
    np.add.at(mass, of_voxel, strength)
    for sums, axis in zip(moments, above.ijk, strict=True):
        np.add.at(sums, of_voxel, strength * axis)
    return {
        "where": above.where,
        "label": of_voxel.astype(np.min_scalar_type(n - 1)),
        "size": size[1:],
        "mean": mass[1:] / size[1:],
        "center": np.ascontiguousarray((moments[:, 1:] / mass[1:]).T),
    }


@dataclass(frozen=True)
class ClusterMatch:
    """What clusters of somebody else share voxels with a cluster.

    Attributes
    ----------
    labels, sizes : tuple of int
        Their labels, and how many voxels each has.
    is_same : bool
        Whether together they are this cluster.
    n_other : int
        By how many voxels they differ from it.
    """

    labels: tuple[int, ...]
    sizes: tuple[int, ...]
    is_same: bool
    n_other: int


def match_clusters(
    ours: ClusterArrays,
    where: npt.NDArray[np.signedinteger],
    label: npt.NDArray[np.integer[Any]],
    log_p_at: Callable[[IndexArray], Float64Array],
) -> dict[int, ClusterMatch]:
    """Find out which clusters are the same as those of somebody else.

    They are if they have the same voxels. NiMARE forms clusters on the statistic, of
    which p is a coarser picture (steps of a histogram): at one height a cluster may
    have a voxel more there or here, of a p that is the height to within 1 %.

    Parameters
    ----------
    ours : ClusterArrays
        The clusters.
    where, label : ndarray of int, shape (v,)
        Of the others: position of each voxel in the flat volume (memory order,
        ascending), and its label, from 1.
    log_p_at : callable
        Natural logarithm of the uncorrected p at positions in the flat volume, NaN
        where nobody knows it.

    Returns
    -------
    dict of int to ClusterMatch
        By label of ours; without those that share no voxel with any other.
    """
    theirs, mine = _look_up(where, label, ours.where), ours.label.astype(np.intp)
    size = np.bincount(label, minlength=1)
    both = (mine > 0) & (theirs > 0)
    pairs, shared = np.unique(mine[both] * size.size + theirs[both], return_counts=True)
    met: dict[int, dict[int, int]] = {}
    for pair, n in zip(pairs.tolist(), shared.tolist(), strict=True):
        cluster, other = divmod(pair, size.size)
        met.setdefault(cluster, {})[other] = n
    found, height = {}, np.nan
    for cluster, others in met.items():
        sizes = tuple(int(size[other]) for other in others)
        own, common = int(ours.size[cluster - 1]), sum(others.values())
        n_other = own + sum(sizes) - 2 * common
        is_same = n_other == 0
        if 0 < n_other <= _MOST_AT_HEIGHT * own:
            if np.isnan(height):
                height = log_p_at(ours.where.astype(np.intp)).max(initial=-np.inf)
            here, there = ours.where[mine == cluster], where[np.isin(label, [*others])]
            apart = np.setxor1d(here, there).astype(np.intp)
            is_same = bool((np.abs(log_p_at(apart) - height) <= _STEP).all())
        found[cluster] = ClusterMatch(tuple(others), sizes, is_same, n_other)
    return found


def _look_up(
    where: npt.NDArray[np.signedinteger],
    label: npt.NDArray[np.integer[Any]],
    places: npt.NDArray[np.signedinteger],
) -> IndexArray:
    """Return the label at each of some places, 0 for none."""
    found = np.zeros(places.size, np.intp)
    if where.size:
        at = np.searchsorted(where, places).clip(max=where.size - 1)
        there = where[at] == places
        found[there] = label[at[there]]
    return found


@dataclass(frozen=True, eq=False)
class CorrectedClusters:
    """The clusters of a cluster-level corrected map: what was given which p.

    Attributes
    ----------
    where, label : ndarray of int, shape (v,)
        Position of their voxels in the flat volume (memory order), ascending, and the
        cluster of each, from 1.
    p : ndarray
        Corrected p of each cluster, by its label; NaN for 0.
    """

    where: npt.NDArray[np.signedinteger]
    label: npt.NDArray[np.integer[Any]]
    p: Float64Array

    def p_of(
        self, clusters: ClusterArrays, log_p_at: Callable[[IndexArray], Float64Array]
    ) -> tuple[Float64Array, Float64Array]:
        """Return the p of clusters that are among these, and by how much they differ.

        Parameters
        ----------
        clusters : ClusterArrays
            Any clusters of the same grid.
        log_p_at : callable
            As for `match_clusters`.

        Returns
        -------
        p, n_other : ndarray, shape (n,)
            NaN where a cluster is none of these; number of voxels, NaN where it shares
            none with any of these.
        """
        p, n_other = np.full((2, clusters.size.size), np.nan)
        matches = match_clusters(clusters, self.where, self.label, log_p_at)
        for cluster, match in matches.items():
            n_other[cluster - 1] = match.n_other
            if match.is_same and len(match.labels) == 1:
                p[cluster - 1] = self.p[match.labels[0]]
        return p, n_other
