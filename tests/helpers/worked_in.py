"""A viewer in which somebody has worked, for tests of what is kept of that."""

from __future__ import annotations

from typing import Any

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.api.map_requests import requested_clusters
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.atlases.find import find_atlas
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.clusters.history import remember, tried_on
from napari_neurosynth_results.viewer.clusters.mask_choice import (
    MaskChoice,
    ViewerRequest,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps


def threshold(
    viewer: Any,
    statmap: StatMap,
    asked: Threshold,
    where: MaskChoice | None = None,
    atlas: Atlas | str | None = "default",
    dof: float | None = None,
) -> Any:
    """Threshold a map as the widget does, and return the layer of its clusters."""
    if all(map_of(layer) is not statmap for layer in viewer.layers):
        add_maps(viewer, [statmap])
    layer = next(one for one in viewer.layers if map_of(one) is statmap)
    request = ViewerRequest(asked, where, dof)
    masking = where.masking(statmap) if where is not None else None
    named = find_atlas(atlas) if isinstance(atlas, str) else atlas
    found = show_clusters(
        viewer, layer, requested_clusters(statmap, request, masking, atlas=named)
    )
    remember(layer, tried_on(layer).with_next(request))
    return found
