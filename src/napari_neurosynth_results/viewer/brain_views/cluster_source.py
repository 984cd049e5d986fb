"""The clusters that stand for a map where it is not shown by its voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import refusals
from napari_neurosynth_results.viewer import palette
from napari_neurosynth_results.viewer.clusters.atlas_choice import chosen_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.clusters.defaults import first_threshold

if TYPE_CHECKING:
    from napari.viewer import Viewer


def shown_clusters(viewer: Viewer, statmap: StatMap) -> ClusterSet | None:
    """Return the clusters of a map as they are shown, or as they would be first.

    Parameters
    ----------
    viewer : Viewer
        Where a layer may show them.

    Returns
    -------
    ClusterSet or None
        None where the map has no clusters, as a label map, or cannot be read.
    """
    layer = cluster_layer(viewer, statmap)
    if layer is not None:
        return clusters_of(layer)
    if not statmap.kind.row.criteria:
        return None
    try:
        offered = [name for name, why in refusals(statmap).items() if why is None]
        threshold = first_threshold(statmap, offered)
        found: ClusterSet = statmap.results.remember(
            (statmap.key, "clusters", threshold),
            lambda: clusters_at(statmap, threshold, atlas=chosen_atlas()),
        )
    except ResultsError:
        return None
    return found


def shown_colors(viewer: Viewer, clusters: ClusterSet) -> palette.Colors:
    """Return the colors of clusters, as their layer has them.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        The chosen cluster is white, one that is not significant gray.
    """
    n = len(clusters)
    layer = cluster_layer(viewer, clusters.statmap)
    if layer is None:
        colors = palette.cluster_colors(clusters.peak_voxels, {}, clusters.surviving)
    else:
        colors = layer.colormap.colors
    return np.asarray(colors[1 : n + 1], np.float32)
