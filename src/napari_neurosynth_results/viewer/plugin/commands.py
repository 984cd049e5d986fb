"""The commands of menus and palette: the view, and clusters of the active map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import refusals
from napari_neurosynth_results.viewer import canvas, scene
from napari_neurosynth_results.viewer.brain_views import brain, cortex, glass
from napari_neurosynth_results.viewer.brain_views.scene_memory import remember_scene
from napari_neurosynth_results.viewer.clusters.defaults import (
    first_threshold,
    threshold_map,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.scene import view_from

if TYPE_CHECKING:
    import napari.viewer


def show_axial(napari_viewer: napari.viewer.Viewer) -> None:
    """Show axial slices."""
    remember_scene(napari_viewer)
    scene.show_plane(napari_viewer, "axial")


def show_coronal(napari_viewer: napari.viewer.Viewer) -> None:
    """Show coronal slices."""
    remember_scene(napari_viewer)
    scene.show_plane(napari_viewer, "coronal")


def show_sagittal(napari_viewer: napari.viewer.Viewer) -> None:
    """Show sagittal slices."""
    remember_scene(napari_viewer)
    scene.show_plane(napari_viewer, "sagittal")


def show_brain_in_3d(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the brain in 3D, with the clusters of visible maps inside."""
    remember_scene(napari_viewer)
    brain.show_brain(napari_viewer)


def view_left(napari_viewer: napari.viewer.Viewer) -> None:
    """Look at the left side of the head."""
    remember_scene(napari_viewer)
    view_from(napari_viewer, "left")


def view_right(napari_viewer: napari.viewer.Viewer) -> None:
    """Look at the right side of the head."""
    remember_scene(napari_viewer)
    view_from(napari_viewer, "right")


def view_top(napari_viewer: napari.viewer.Viewer) -> None:
    """Look at the head from above."""
    remember_scene(napari_viewer)
    view_from(napari_viewer, "top")


def view_bottom(napari_viewer: napari.viewer.Viewer) -> None:
    """Look at the head from below."""
    remember_scene(napari_viewer)
    view_from(napari_viewer, "bottom")


def view_front(napari_viewer: napari.viewer.Viewer) -> None:
    """Look into the face."""
    remember_scene(napari_viewer)
    view_from(napari_viewer, "front")


def view_back(napari_viewer: napari.viewer.Viewer) -> None:
    """Look at the back of the head."""
    remember_scene(napari_viewer)
    view_from(napari_viewer, "back")


def toggle_glass_brain(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the maximum projection of the visible map, or take it away."""
    remember_scene(napari_viewer)
    glass.toggle_glass(napari_viewer)


def show_map_on_cortex(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the visible map on the cortical surface."""
    from napari_neurosynth_results.viewer.progress_bar import show_info, show_warning

    remember_scene(napari_viewer)
    try:
        shown = cortex.show_cortex(napari_viewer)
    except ResultsError as error:
        show_warning(str(error))
        return
    show_info(shown)


def toggle_crosshair_lines(napari_viewer: napari.viewer.Viewer) -> None:
    """Show or hide the lines that mark the chosen place."""
    canvas.toggle_crosshair(napari_viewer)


def use_neurological(napari_viewer: napari.viewer.Viewer) -> None:
    """Put the right of the brain on the right."""
    scene.set_anatomical(napari_viewer, "neurological")


def use_radiological(napari_viewer: napari.viewer.Viewer) -> None:
    """Put the right of the brain on the left."""
    scene.set_anatomical(napari_viewer, "radiological")


def label_active_map(napari_viewer: napari.viewer.Viewer) -> None:
    """Label the clusters of the active map, at the threshold that was used last."""
    from napari_neurosynth_results.viewer.progress_bar import show_info, show_warning

    layer = napari_viewer.layers.selection.active
    statmap = map_of(layer) if layer is not None else None
    if statmap is None:
        show_warning(
            "Select the layer of a map first: one that was opened by this plugin."
        )
        return
    try:
        offered = [name for name, why in refusals(statmap).items() if why is None]
        threshold = first_threshold(statmap, offered)
        clusters = threshold_map(napari_viewer, layer, threshold)
    except ResultsError as error:
        show_warning(str(error))
        return
    show_info(str(clusters))
