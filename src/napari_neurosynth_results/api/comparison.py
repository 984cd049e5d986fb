"""Two maps or many compared, in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.api.clusters import AtlasChoice, find_clusters
from napari_neurosynth_results.api.opening import open_atlas
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.comparison.comparison import (
    Comparison,
    check_same_map,
    compare,
)
from napari_neurosynth_results.statistics.comparison.matrix import Matrix, compare_all
from napari_neurosynth_results.statistics.thresholds.first_look import (
    choose_first_threshold,
)
from napari_neurosynth_results.statistics.thresholds.masks import Masking
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

#: Keywords of `find_clusters`, a threshold, or clusters that were found already.
ThresholdLike = Mapping[str, Any] | Threshold | ClusterSet


def compare_maps(
    a: StatMap,
    b: StatMap,
    *,
    threshold_a: ThresholdLike | None = None,
    threshold_b: ThresholdLike | None = None,
    mask: Mask | Masking | None = None,
    atlas: AtlasChoice | None = "default",
) -> Comparison:
    """Compare two maps: what both show, what only one does, and how alike they are.

    Parameters
    ----------
    a, b : StatMap
        Of one result or of two, on whatever grids of one space.
    threshold_a : mapping, Threshold or ClusterSet, optional
        For `a`: keywords of `find_clusters` (``{"p": 0.001, "min_voxels": 10}``), a
        threshold, or clusters of the map, whose extent then applies. When neither
        threshold is given, each map has its first threshold: p <= .001, of corrected
        maps p <= .05, of maps without a p their strongest 5 %.
    threshold_b : mapping, Threshold or ClusterSet, optional
        For `b`; the same as for `a` when only that is given, and the reverse.
    mask : ndarray of bool or Masking, optional
        On the grid of `a`; the correlations are over it. For maps whose analysis mask
        nobody knows.
    atlas : Atlas, str or path, optional
        What clusters are named by, as for `find_clusters`.

    Returns
    -------
    Comparison
        Overlap, correlations, conjunction and difference; `Comparison.notices` says
        what has to be known to read them.

    Raises
    ------
    ResultsError
        When a threshold means nothing for its map, or the maps lie in different places;
        the text says why.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> strict = {"p": 0.0001}
    >>> comparison = nnr.compare_maps(
    ...     results["z"], results["logp"], threshold_a={"p": 0.001}, threshold_b=strict
    ... )
    >>> comparison.n_a, comparison.n_b == comparison.n_both
    (2625, True)
    """
    found_a, found_b = _find_all_clusters([a, b], [threshold_a, threshold_b], atlas)
    return compare(found_a, found_b, mask=mask)


def compare_many(
    maps: Sequence[StatMap] | Mapping[str, StatMap],
    *,
    threshold: ThresholdLike | None = None,
    thresholds: Sequence[ThresholdLike | None] | None = None,
    mask: Mask | Masking | None = None,
) -> Matrix:
    """Compare every two of several maps.

    Parameters
    ----------
    maps : sequence or mapping of StatMap
        Two at least, on whatever grids of one space; the keys of a mapping are what to
        call them, else their titles.
    threshold : mapping or Threshold, optional
        One for all maps, as for `compare_maps`; without it each has that of its first
        look.
    thresholds : sequence of mapping, Threshold or ClusterSet, optional
        One a map instead.
    mask : ndarray of bool or Masking, optional
        On the grid of the first map; the correlations are over it.

    Returns
    -------
    Matrix
        ``dice``, ``jaccard``, ``r`` and ``rho``, DataFrames of maps by maps.

    Raises
    ------
    ResultsError
        When a threshold means nothing for its map, there are fewer than two maps, or
        they lie in different places.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> maps = {"z": results["z"], "stat": results["stat"]}
    >>> nnr.compare_many(maps, threshold={"p": 0.001}).dice.loc["z", "stat"]
    np.float64(1.0)
    """
    statmaps = list(maps.values() if isinstance(maps, Mapping) else maps)
    if thresholds is not None and threshold is not None:
        raise ResultsError("Give one threshold for all maps, or thresholds, not both.")
    if thresholds is not None and len(thresholds) != len(statmaps):
        raise ResultsError(
            f"There are {counted(len(statmaps), 'map')} and "
            f"{counted(len(thresholds), 'threshold')}."
        )
    asked = [threshold] * len(statmaps) if thresholds is None else list(thresholds)
    found = _find_all_clusters(statmaps, asked, None)
    names = list(maps) if isinstance(maps, Mapping) else None
    return compare_all(found, names, mask=mask)


def _find_all_clusters(
    statmaps: Sequence[StatMap],
    asked: Sequence[ThresholdLike | None],
    atlas: AtlasChoice | None,
) -> list[ClusterSet]:
    """Find the clusters of each map, by the same threshold where only one is given."""
    given = next((one for one in asked if one is not None), None)
    if isinstance(given, ClusterSet):
        given = given.asked
    return [
        _clusters(statmap, given if one is None else one, atlas)
        for statmap, one in zip(statmaps, asked, strict=True)
    ]


def _clusters(
    statmap: StatMap, asked: ThresholdLike | None, atlas: AtlasChoice | None
) -> ClusterSet:
    if isinstance(asked, ClusterSet):
        return check_same_map(asked, statmap)
    # Sub-peaks are not compared.
    if isinstance(asked, Mapping):
        return find_clusters(statmap, **{"atlas": atlas, "sub_peaks": 0, **asked})
    threshold = asked or choose_first_threshold(statmap)
    opened = open_atlas(atlas) if isinstance(atlas, str | os.PathLike) else atlas
    return clusters_at(statmap, threshold, sub_peaks=0, atlas=opened)
