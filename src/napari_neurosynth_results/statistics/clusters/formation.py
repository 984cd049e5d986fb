"""From a threshold to clusters; which neighbors touched where NiMARE formed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.arrays import (
    Float32Array,
    Float64Array,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.connected import (
    SuprathresholdVoxels,
    find_components,
)
from napari_neurosynth_results.statistics.clusters.labelling import label_clusters
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.p_values.monte_carlo import statement_of
from napari_neurosynth_results.statistics.p_values.significance import (
    Evidence,
    PSource,
    find_test_source,
)
from napari_neurosynth_results.statistics.thresholds.apply import (
    ThresholdResult,
    apply_threshold,
)
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    FACES_SINCE,
    ClusterLevelResult,
    read_clusters,
    read_formed_values,
)
from napari_neurosynth_results.statistics.thresholds.masks import Masking
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

#: Two p that differ by less, relative to them, are one.
_SAME = 1e-6
#: How much smaller than its cluster a fragment is, where nothing else tells.
_SMALL = 10


def say_threshold(clusters: ClusterSet) -> str:
    """Say height and extent of a threshold, and not what came of it.

    Returns
    -------
    str
        As in ``z >= 3.09 (p <= .001, one-tailed), extent >= 10 voxels``; where whole
        clusters were tested there is no extent, and one of 1 is none.
    """
    threshold = clusters.threshold
    if isinstance(threshold, ClusterLevelResult):
        return f"{threshold.p_word} <= {short_p(threshold.alpha)}, cluster-level"
    smallest = clusters.min_voxels
    return f"{threshold}" + f", extent >= {smallest:,} voxels" * (smallest > 1)


def clusters_at(
    statmap: StatMap,
    threshold: Threshold,
    *,
    mask: Mask | Masking | None = None,
    siblings: Mapping[str, StatMap] | None = None,
    dof: float | tuple[float, float] | None = None,
    sub_peaks: int = 3,
    peak_distance: float = 8.0,
    atlas: Atlas | None = None,
) -> ClusterSet:
    """Threshold a map by what its numbers mean, and label its clusters.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map.
    mask, siblings, dof, sub_peaks, peak_distance
        As for `api.find_clusters`.
    atlas : Atlas, optional
        What clusters are named by; left aside when the map is not in MNI space.

    Returns
    -------
    ClusterSet
        Clusters in order of their peaks, positive ones first.

    Raises
    ------
    ResultsError
        When the question means nothing for the map; the text says why.
    """
    if not (sub_peaks >= 0 and peak_distance >= 0):
        raise ResultsError("sub_peaks and peak_distance must be numbers from 0.")
    if not statmap.kind.row.criteria:
        raise ResultsError(
            f"{statmap.title}: {statmap.kind.row.called} cannot be thresholded."
        )
    source = PSource(statmap, Evidence(siblings, dof))
    applied: ThresholdResult | ClusterLevelResult
    if statmap.level == "cluster":
        if threshold.p is None or threshold.has_extent or threshold.strict:
            raise ResultsError(
                f"{statmap.title}: height and extent were chosen when its clusters "
                "were formed, and each carries one value. Only p, the level of "
                "significance of a cluster, can be chosen."
            )
        applied = as_formed(
            source,
            read_clusters(source, threshold.p, mask, threshold.tail),
            threshold.connectivity,
        )
        min_voxels = 1
    else:
        applied = apply_threshold(source, threshold, mask)
        min_voxels = threshold.voxels_at_least(statmap.grid.voxel_mm3)
    test: PSource | None = source
    if statmap.correction:
        # What was given is about the corrected p: the uncorrected has its own siblings.
        test = find_test_source(statmap)
    values = statmap if test is None else test.statmap
    labelled = label_clusters(
        values.data,
        applied.above if isinstance(applied, ThresholdResult) else applied.parts,
        connectivity=applied.formation.connectivity
        if isinstance(applied, ClusterLevelResult)
        else threshold.connectivity,
        min_voxels=min_voxels,
        voxel_size=statmap.grid.voxel_size,
        sub_peaks=sub_peaks,
        peak_distance=peak_distance,
        small_is_strong=values.kind.row.small_is_strong,
    )
    return ClusterSet(
        statmap,
        threshold,
        applied,
        min_voxels,
        labelled,
        source,
        test,
        atlas=atlas if statmap.grid.mni_doubt() is None else None,
        peak_distance=peak_distance,
    )


def find_forming_neighbors(
    codes: npt.NDArray[np.uint16],
    p: Float64Array,
    weight: Float32Array,
    factor: float,
) -> tuple[int, int]:
    """Find out which neighbors touched when clusters were formed, by what became of it.

    A cluster that was tested has one p in all of its voxels, and no smaller p than a
    heavier one. Fragments of one p that touch by an edge or a corner are one cluster
    if one of them alone would be too light for its p.

    Parameters
    ----------
    codes : ndarray of uint16, shape (i, j, k)
        A number for each p, from 1; 0 outside of clusters.
    p : ndarray
        The p of each number.
    weight : ndarray of float32, shape (i, j, k)
        What a voxel adds to what was tested: 1 for the size of a cluster, what exceeds
        the cluster-forming threshold for its mass.
    factor : float
        So many times heavier another cluster has to be, because weights are not known
        better.

    Returns
    -------
    connectivity : {6, 18, 26}
        6 where nothing speaks for more.
    joined : int
        Fragments that are part of a cluster which they do not touch by a face.
    """
    above = SuprathresholdVoxels(weight, codes, small_is_strong=False)
    connectivity, joined = 6, 0
    if not above.where.size:
        return connectivity, joined
    pieces = find_components(above.at, above.part, above.shape, connectivity) - 1
    for more in (18, 26):
        whole = find_components(above.at, above.part, above.shape, more) - 1
        if whole.max() == pieces.max():
            continue
        size = np.bincount(pieces)
        mass = np.bincount(pieces, weights=above.strength)
        of_piece = np.zeros((2, size.size), np.intp)
        of_piece[:, pieces] = whole, above.part
        group, p_of = of_piece[0], p[of_piece[1]]
        # The last of a group that is written is its largest.
        largest = np.zeros(group.max() + 1, np.intp)
        by_size = np.argsort(size, kind="stable")
        largest[group[by_size]] = by_size
        fragments = np.flatnonzero(largest[group] != np.arange(size.size))
        for one in fragments:
            weaker = p_of > p_of[one] * (1 + _SAME)
            heavier = (size >= size[one]) & (mass >= factor * mass[one])
            alone = not weaker.any() and _SMALL * size[one] <= size[largest[group[one]]]
            if alone or (weaker & heavier).any():
                connectivity, pieces = more, whole
                joined += fragments.size
                break
    return connectivity, joined


def as_formed(
    source: PSource, applied: ClusterLevelResult, asked: int
) -> ClusterLevelResult:
    """Add which neighbors touched when clusters were formed: nobody can choose that.

    Parameters
    ----------
    source : PSource
        What states the p of a cluster-level corrected map.
    applied : ClusterLevelResult
        How it was read.
    asked : int
        The neighbors that were asked for.

    Returns
    -------
    ClusterLevelResult
        With a notice where others were asked for.

    Raises
    ------
    ResultsError
        When the map cannot be read.
    """
    statmap = source.statmap
    if source.evidence.siblings is None:
        connectivity, joined = statmap.results.remember(
            (statmap.key, "forming neighbors"), lambda: _forming_neighbors(source)
        )
    else:
        connectivity, joined = _forming_neighbors(source)
    formation = replace(applied.formation, connectivity=connectivity, joined=joined)
    told = [*applied.notices, *formation.notices]
    if asked not in (connectivity, Threshold.connectivity):
        told.append(
            f"{asked} neighbors were asked for and not taken: clusters stay as they "
            f"were formed and tested, with {connectivity}."
        )
    return replace(applied, formation=formation, notices=tuple(told))


def _forming_neighbors(source: PSource) -> tuple[int, int]:
    statmap = source.statmap
    release = statement_of(statmap).release
    if release is not None and release >= FACES_SINCE:
        return 6, 0
    formed = read_formed_values(source)
    inside = formed.codes > 0
    if not inside.any():
        return 6, 0
    weight, factor = inside.astype(np.float32), 1.0
    if statmap.name is not None and statmap.name.cluster_statistic == "mass":
        # By size alone a mass is known worst, by another statistic not well.
        factor = 8.0
        for value, known in (("stat", 2.0), ("chi2", 2.0), ("z", 4.0)):
            test = statmap.results.uncorrected(statmap, value)
            if test and test.at_hand and test.grid.same_as(statmap.grid):
                weight = np.abs(test.data) * inside
                weight -= weight.min(where=inside, initial=weight.max()) * inside
                factor = known
                break
    return find_forming_neighbors(formed.codes, formed.p, weight, factor)
