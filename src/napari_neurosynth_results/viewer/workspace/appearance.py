"""How layers and viewer look: read for a workspace, and given back from one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.export.workspace.contents import SavedRequest
from napari_neurosynth_results.export.workspace.file import (
    FociStyle,
    ImageStyle,
    LabelsStyle,
    LayerState,
    View,
)
from napari_neurosynth_results.statistics.thresholds.request import ThresholdRequest
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import brain_of, show_brain
from napari_neurosynth_results.viewer.brain_views.cortex import cortex_of, show_cortex
from napari_neurosynth_results.viewer.brain_views.glass import glass_of, show_glass
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    choose,
    clusters_of,
    faint_layer,
    goes_with_others,
    shown_parts,
)
from napari_neurosynth_results.viewer.clusters.history import tried_on
from napari_neurosynth_results.viewer.clusters.layer_colors import (
    CHOSEN_KEY,
    COLORS_KEY,
    has_own_limits,
    set_colors,
)
from napari_neurosynth_results.viewer.compare.comparison_layers import (
    TEMPORARY_KEY,
    compared_in,
)
from napari_neurosynth_results.viewer.foci import (
    light_up,
    lit_studies,
    set_slab,
    slab_of,
    studies_of,
)
from napari_neurosynth_results.viewer.layers import (
    UNDERLAY_KEY,
    VIEW_KEY,
    is_seen,
    map_of,
)
from napari_neurosynth_results.viewer.napari_private import unproxied
from napari_neurosynth_results.viewer.palette import N_COLORS
from napari_neurosynth_results.viewer.settings import ORTHO, run_command
from napari_neurosynth_results.viewer.workspace.state_reader import StateReader

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

#: What `viewer.colormaps` calls the colors that a threshold makes.
_OWN = re.compile(r"small p is strong|(both signs|negative|positive)\b")


def describe_look(reader: StateReader, layer: Layer) -> LayerState | None:
    """Say how a layer looks.

    Parameters
    ----------
    reader : StateReader
        Numbers what it shows.

    Returns
    -------
    LayerState or None
        None for layers of others, and for those that go with others.
    """
    if is_temporary(layer):
        return None
    given: dict[str, Any] = {
        "name": layer.name,
        "visible": is_seen(layer),
        "opacity": float(layer.opacity),
    }
    if UNDERLAY_KEY in layer.metadata and map_of(layer) is None:
        return LayerState("underlay", **given)
    if (statmap := map_of(layer)) is not None:
        number = reader.map(statmap)
        if hasattr(layer, "selected_label"):
            return LayerState("map", number, **given)
        tried, at = _tried(reader, layer)
        given |= {"image": _image(reader.viewer, layer), "tried": tried, "tried_at": at}
        return LayerState("map", number, **given)
    if (clusters := clusters_of(layer)) is not None:
        number = reader.clusters(clusters)
        # How opaque they are follows from the display: see `cluster_layers`.
        given["opacity"] = 1.0
        return LayerState("clusters", number, labels=_labels(layer), **given)
    if (pair := compared_in(layer)) is not None:
        return LayerState("agreement", reader.pair(pair.a, pair.b), **given)
    if studies_of(layer) is not None:
        lit = lit_studies(layer)
        ids = None if lit is None else tuple(sorted(lit))
        foci = FociStyle(slab_of(layer), ids)
        return LayerState("foci", reader.foci(layer), foci=foci, **given)
    return None


def _image(viewer: Viewer, layer: Layer) -> ImageStyle:
    name = str(layer.colormap.name)
    low, high = layer.contrast_limits
    return ImageStyle(
        faint=faint_layer(viewer, layer) is not None,
        colormap="" if _OWN.match(name) else name,
        contrast_limits=(float(low), float(high)) if has_own_limits(layer) else None,
    )


def _labels(layer: Layer) -> LabelsStyle:
    colors = layer.metadata.get(COLORS_KEY, {})
    parts = shown_parts(layer)
    return LabelsStyle(
        bool(layer.show_selected_label),
        layer.metadata.get(CHOSEN_KEY),
        tuple((*peak, int(color)) for peak, color in colors.items()),
        None if parts is None else parts.share,
    )


def _tried(reader: StateReader, layer: Layer) -> tuple[tuple[SavedRequest, ...], int]:
    """Describe what was tried, but for places that are layers of labels."""
    tried = tried_on(layer)
    kept: list[SavedRequest] = []
    at = -1
    for number, request in enumerate(tried.requests):
        place = reader.place(request.place) if request.place is not None else None
        if request.place is not None and place is None:
            continue
        kept.append(ThresholdRequest(request.threshold, place, request.dof))
        if number <= tried.at:
            at = len(kept) - 1
    return tuple(kept), at


def is_temporary(layer: Layer) -> bool:
    """Whether a layer goes with others: what it shows follows from them."""
    of_a_look = TEMPORARY_KEY in layer.metadata or VIEW_KEY in layer.metadata
    return of_a_look or goes_with_others(layer.metadata)


def apply_look(layer: Layer, look: LayerState) -> None:
    """Make a layer look as it did.

    Parameters
    ----------
    layer : Layer
        The layer, with its clusters found.
    look : LayerState
        How it looked.
    """
    # napari shows names where tags count, and somebody else may have written them.
    layer.name = for_qt(look.name) or layer.name
    if clusters_of(layer) is None:
        layer.opacity = min(max(look.opacity, 0.0), 1.0)
    if look.image is not None and hasattr(layer, "contrast_limits"):
        _give_colors(layer, look.image)
    if look.labels is not None:
        _give_outlines(layer, look.labels)
    if look.foci is not None and studies_of(layer) is not None:
        set_slab(layer, look.foci.slab)
        light_up(layer, look.foci.lit_up)
    layer.visible = look.visible


def _give_colors(layer: Any, look: ImageStyle) -> None:
    if look.colormap:
        # Colormaps that were made by hand are not known in another session.
        from napari.utils.colormaps import AVAILABLE_COLORMAPS

        if look.colormap in AVAILABLE_COLORMAPS:
            layer.colormap = look.colormap
    limits = look.contrast_limits
    if limits is not None and limits[0] < limits[1]:
        layer.contrast_limits = limits


def _give_outlines(layer: Any, look: LabelsStyle) -> None:
    clusters = clusters_of(layer)
    if clusters is None:
        return
    layer.metadata[COLORS_KEY] = {
        (i, j, k): color for i, j, k, color in look.colors if 0 <= color < N_COLORS
    }
    set_colors(layer, clusters)
    if look.chosen in clusters.peak_voxels:
        choose(layer, clusters.peak_voxels.index(look.chosen) + 1)
    layer.show_selected_label = look.only_chosen


def describe_view(viewer: Viewer) -> View:
    """Say where a viewer looks."""
    camera = viewer.scene.camera
    side = scene.shown_convention(viewer) or ""
    plane: Any = scene.current_plane(viewer)
    z, y, x = (float(mm) for mm in viewer.dims.point[-3:])
    center, angles = (_three(values) for values in (camera.center, camera.angles))
    return View(
        plane,
        side,
        (x, y, z),
        center,
        float(camera.zoom),
        angles,
        surface=_surface(viewer) if plane == "3D" else "",
        glass=glass_of(viewer) is not None,
        ortho=_ortho(viewer),
    )


def _surface(viewer: Viewer) -> Literal["", "brain", "pial", "inflated"]:
    cortex = cortex_of(viewer)
    if cortex is not None:
        return cortex.shape
    return "brain" if brain_of(viewer) is not None else ""


def _ortho(viewer: Viewer) -> Literal["", "center", "bottom"]:
    if ORTHO in docks_of(viewer):
        return "bottom"
    return "center" if scene.canvas_cover(viewer).text == ORTHO else ""


def docks_of(viewer: Viewer) -> Mapping[str, Any]:
    """Return what is docked to the window of a viewer; nothing where it has none."""
    window = getattr(unproxied(viewer), "window", None)
    found: Mapping[str, Any] = window.dock_widgets if window is not None else {}
    return found


def apply_view(viewer: Viewer, view: View) -> list[str]:
    """Look where a viewer looked.

    Parameters
    ----------
    viewer : Viewer
        A viewer with layers in it.

    Returns
    -------
    list of str
        What cannot be shown here, and why.
    """
    told = []
    if view.side:
        scene.set_anatomical(viewer, view.side)
    if view.glass:
        # It follows the planes, and stands back in 3D like the volumes.
        scene.show_plane(viewer, "axial" if view.plane == "3D" else view.plane)
        show_glass(viewer)
    if view.plane == "3D":
        scene.show_3d(viewer)
    elif not view.glass:
        scene.show_plane(viewer, view.plane)
    if view.plane == "3D" and view.surface:
        try:
            if view.surface == "brain":
                show_brain(viewer)
            else:
                show_cortex(viewer, shape=view.surface)
        except ResultsError as error:
            told.append(f"The {view.surface} surface is not shown. {error}")
    if view.ortho and hasattr(unproxied(viewer), "window"):
        run_command("ortho_view", viewer, view.ortho)
    if view.place is not None:
        scene.look_at(viewer, *view.place)
    camera = viewer.scene.camera
    if view.center is not None:
        camera.center = view.center
    if view.zoom is not None and view.zoom > 0:
        camera.zoom = view.zoom
    if view.angles is not None:
        camera.angles = view.angles
    return told


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = values
    return float(first), float(second), float(third)
