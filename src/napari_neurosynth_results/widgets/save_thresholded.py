"""The command that saves a map as it is seen at its threshold."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication

from napari_neurosynth_results.export.volumes import save_thresholded
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.widgets.saving import MAPS, ask_and_save

if TYPE_CHECKING:
    import napari.viewer


def save_thresholded_map(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to save the active map at its threshold, and save it there."""
    from napari.utils.notifications import show_warning

    layer = napari_viewer.layers.selection.active
    clusters = clusters_of(layer) if layer is not None else None
    statmap = map_of(layer) if layer is not None else None
    if statmap is not None:
        found = cluster_layer(napari_viewer, statmap)
        clusters = clusters_of(found) if found is not None else None
    if clusters is None:
        show_warning("Threshold a map first, and select its layer.")
        return
    suggested = f"{clusters.statmap.key}_thresholded.nii.gz"
    window = QApplication.activeWindow()
    save = partial(save_thresholded, clusters)
    ask_and_save(window, "Save the thresholded map", suggested, MAPS, save)
