"""How much of two sets of clusters is the same place: in all, by sign, by cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import IndexArray
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import Tail
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.thresholds.masks import resample_nearest

Signs = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class ClusterVoxels:
    """The voxels of some clusters on the grid of a comparison.

    Attributes
    ----------
    where : ndarray of int, shape (v,)
        Their positions in the flat volume (Fortran order), ascending.
    label : ndarray of int, shape (v,)
        Which cluster each is in.
    sign : ndarray of int8, shape (v,)
        +1 or -1.
    """

    where: IndexArray
    label: IndexArray
    sign: Signs


@dataclass(frozen=True)
class OverlapCounts:
    """Voxels of two sets, of one sign or of both.

    Attributes
    ----------
    a, b : int
        Voxels of each.
    both : int
        Voxels in both with the same sign.
    opposite : int
        Voxels in both with opposite signs: they are among those of a and of b, and
        agree with nothing.
    """

    a: int
    b: int
    both: int
    opposite: int = 0

    @property
    def dice(self) -> float:
        """Twice what is shared over the sum of both (Dice 1945); NaN of nothing."""
        total = self.a + self.b
        return 2 * self.both / total if total else math.nan

    @property
    def jaccard(self) -> float:
        """What is shared over what is in either (Jaccard 1901); NaN of nothing."""
        either = self.a + self.b - self.both
        return self.both / either if either else math.nan

    @property
    def only_a(self) -> int:
        """Voxels of a that are not in b with the same sign."""
        return self.a - self.both

    @property
    def only_b(self) -> int:
        """Voxels of b that are not in a with the same sign."""
        return self.b - self.both


@dataclass(frozen=True, eq=False)
class Overlap:
    """What two sets of clusters share.

    Attributes
    ----------
    counts : dict of str to OverlapCounts
        ``"all"``, ``"positive"`` and ``"negative"``.
    pairs : ndarray of int, shape (m, 3)
        Label in a, label in b, voxels shared with the same sign; in order of the
        labels.
    """

    counts: dict[str, OverlapCounts]
    pairs: IndexArray = field(repr=False)


def find_direction_map(statmap: StatMap) -> StatMap | None:
    """Find the map that says which way the effect of another one goes.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map.

    Returns
    -------
    StatMap or None
        The map itself where its values have a direction; for p, logp, chi2 and F the z
        (else t or est) map of the same test. None when there is none.
    """
    if not statmap.kind.row.lost_direction:
        return statmap
    results = statmap.results
    for value in ("z", "t", "est"):
        found = results.siblings(statmap).get(value) or results.uncorrected(
            statmap, value
        )
        if found is not None and found.grid.same_as(statmap.grid):
            return found
    return None


def direction_doubt(statmap: StatMap, name: str) -> str | None:
    """Say why nobody knows the directions of a map, None when they are known.

    Parameters
    ----------
    name : str
        What to call it.

    Returns
    -------
    str or None
        A one-tailed p needs no other map: only the positive direction was tested.
    """
    if find_direction_map(statmap) is not None or statmap.tail is Tail.ONE:
        return None
    return (
        f"{name} holds {statmap.kind} values, which have no direction, and no z map of "
        "the same test is beside it"
    )


def place_clusters(clusters: ClusterSet, grid: Grid) -> ClusterVoxels:
    """Bring clusters onto the grid of a comparison.

    Parameters
    ----------
    clusters : ClusterSet
        Of a cluster-level corrected map only the significant ones are taken.
    grid : Grid
        The grid of the comparison.

    Returns
    -------
    ClusterVoxels
        By the nearest voxel. A positive voxel is one whose direction is not negative:
        where the map's values have none, by `find_direction_map`.

    Raises
    ------
    ResultsError
        When the map that states the direction cannot be read.
    """
    found = clusters.labelled
    kept = np.concatenate([[False], clusters.surviving])[found.label]
    where = found.where[kept].astype(np.intp)
    label = found.label[kept]
    sign = found.sign.astype(np.int8)[label.astype(np.intp) - 1]
    statmap = clusters.statmap
    direction = find_direction_map(statmap)
    if direction is not None and direction is not statmap and direction.signed:
        values = direction.data.ravel(order="F")[where]
        sign = np.where(values < 0, -1, 1).astype(np.int8)
    if not statmap.grid.same_as(grid):
        where, label, sign = _move_to_grid(where, label, sign, statmap.grid, grid)
    return ClusterVoxels(where, label.astype(np.intp), sign)


def _move_to_grid(
    where: IndexArray,
    label: npt.NDArray[np.unsignedinteger],
    sign: Signs,
    source: Grid,
    target: Grid,
) -> tuple[IndexArray, npt.NDArray[np.unsignedinteger], Signs]:
    """Move voxels to another grid, where each may become several or none."""
    # The place in the list instead of the label: it carries the sign as well.
    volume = np.zeros(source.shape, np.uint32, order="F")
    volume.reshape(-1, order="F")[where] = np.arange(1, where.size + 1)
    flat = resample_nearest(volume, source, target).ravel(order="F")
    # Of truth values numpy finds them three times as fast.
    there = np.flatnonzero(flat != 0)
    number = flat[there] - 1
    return there, label[number], sign[number]


def measure_overlap(a: ClusterVoxels, b: ClusterVoxels) -> Overlap:
    """Count what two sets of voxels share.

    Parameters
    ----------
    a, b : ClusterVoxels
        On the same grid.

    Returns
    -------
    Overlap
        Voxels of opposite signs are never shared.
    """
    _, in_a, in_b = np.intersect1d(
        a.where, b.where, assume_unique=True, return_indices=True
    )
    same = a.sign[in_a] == b.sign[in_b]
    in_a, in_b, opposite = in_a[same], in_b[same], int(np.count_nonzero(~same))
    counts = {"all": OverlapCounts(a.where.size, b.where.size, in_a.size, opposite)}
    for word, sign in (("positive", 1), ("negative", -1)):
        counts[word] = OverlapCounts(
            int(np.count_nonzero(a.sign == sign)),
            int(np.count_nonzero(b.sign == sign)),
            int(np.count_nonzero(a.sign[in_a] == sign)),
        )
    return Overlap(counts, _pairs(a.label[in_a], b.label[in_b]))


def _pairs(a: IndexArray, b: IndexArray) -> IndexArray:
    """Count how often each pair of labels occurs."""
    # One number for both, so that equal pairs can be counted.
    most = int(b.max(initial=0)) + 1
    pair, count = np.unique(a * most + b, return_counts=True)
    return np.column_stack([pair // most, pair % most, count])


def agreement_volume(
    a: ClusterVoxels, b: ClusterVoxels, grid: Grid
) -> npt.NDArray[np.uint8]:
    """Draw where two sets of clusters agree.

    Parameters
    ----------
    a, b : ClusterVoxels
        On the grid.
    grid : Grid
        The grid of the comparison.

    Returns
    -------
    ndarray of uint8, shape (i, j, k)
        0 neither, 1 only a, 2 only b, 3 both with the same sign, 4 both with opposite
        signs; in Fortran order.
    """
    volume = np.zeros(grid.shape, np.uint8, order="F")
    flat = volume.reshape(-1, order="F")
    flat[a.where] = 1
    flat[b.where] += 2
    _, in_a, in_b = np.intersect1d(
        a.where, b.where, assume_unique=True, return_indices=True
    )
    flat[a.where[in_a[a.sign[in_a] != b.sign[in_b]]]] = 4
    return volume


def peaks_mm(clusters: ClusterSet) -> npt.NDArray[np.float64]:
    """Return the peak of each cluster in MNI mm, shape (n, 3)."""
    found = clusters.labelled
    return clusters.statmap.grid.to_mm(found.peak_voxel[found.main_peaks])
