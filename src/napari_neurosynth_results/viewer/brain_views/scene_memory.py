"""As it was: the scene before the first of several views was chosen, and the way back.

3D, glass brain and cortex hide layers and turn the camera, a plane turns the axes, and
the ortho view lies over the canvas. What was seen before is remembered with the viewer,
and one step leads back to it, however many views were looked at in between.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import brain_of, hide_brain
from napari_neurosynth_results.viewer.brain_views.cortex import cortex_of, hide_cortex
from napari_neurosynth_results.viewer.brain_views.glass import glass_of, hide_glass
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    map_behind,
)
from napari_neurosynth_results.viewer.napari_private import unproxied

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: What of the camera a view may change, in the order in which it is given back.
_CAMERA = ("orientation", "perspective", "angles", "center", "zoom")


@dataclass(frozen=True, eq=False)
class RememberedScene:
    """What a viewer showed, and how.

    Attributes
    ----------
    seen : mapping of Layer to bool
        Which layers were visible; those that are gone since drop out.
    active : callable
        Returns the layer that was worked with, None when it is gone or was none.
    order, point : tuple
        Of the viewer's axes: their order, and where the slices were.
    ndisplay : {2, 3}
        Slices or volumes.
    with_brain : bool
        Whether 3D was to show the clusters in the outline of the brain.
    camera : mapping of str to object
        How the camera stood.
    panel : mapping of str to object
        What widgets add of their own.
    """

    seen: Mapping[Any, bool]
    active: Any
    order: tuple[int, ...]
    point: tuple[float, ...]
    ndisplay: int
    with_brain: bool
    camera: Mapping[str, Any]
    panel: Mapping[str, Any]


def is_plain(viewer: Viewer) -> bool:
    """Whether a viewer shows its own layers, and no 3D brain, cortex or glass brain."""
    in_3d = viewer.dims.ndisplay == 3
    return (
        cortex_of(viewer) is None
        and not (in_3d and brain_of(viewer) is not None)
        and (in_3d or glass_of(viewer) is None)
    )


def remember_scene(viewer: Viewer, panel: Mapping[str, Any] | None = None) -> None:
    """Remember what a viewer shows, before another view is chosen.

    A scene that is one of the views already is not remembered: what was seen before it
    still is. Nor is a plane that another view led to, for as long as the same maps are
    shown: one step leads back to what was before the first of them.

    Parameters
    ----------
    panel : mapping of str to object, optional
        What widgets want to be told when the scene comes back.
    """
    if not is_plain(viewer) or not viewer.layers:
        return
    before = remembered_scene(viewer)
    shown = {layer: layer.visible for layer in viewer.layers}
    if before is not None and _maps_in(before.seen) == _maps_in(shown):
        return
    forget_scene(viewer)
    active = viewer.layers.selection.active
    seen = weakref.WeakKeyDictionary({one: one.visible for one in viewer.layers})
    found = RememberedScene(
        seen=seen,
        active=weakref.ref(active) if active is not None else _nothing,
        order=tuple(viewer.dims.order),
        point=tuple(viewer.dims.point),
        ndisplay=viewer.dims.ndisplay,
        with_brain=brain_of(viewer) is not None,
        camera={name: getattr(viewer.scene.camera, name) for name in _CAMERA},
        panel=dict(panel or {}),
    )
    # The viewer, which owns its events, keeps the scene for as long as layers are left.
    removed = unproxied(viewer).layers.events.removed
    removed.connect(partial(_follow_removal, found, scene.weakly(viewer)))


def remembered_scene(viewer: Viewer) -> RememberedScene | None:
    """Return the scene that one step leads back to, None when there is none."""
    for callback in unproxied(viewer).layers.events.removed.callbacks:
        if isinstance(callback, partial) and callback.func is _follow_removal:
            found: RememberedScene = callback.args[0]
            return found if viewer.layers else None
    return None


def forget_scene(viewer: Viewer) -> None:
    """Forget what was seen before."""
    removed = unproxied(viewer).layers.events.removed
    for callback in tuple(removed.callbacks):
        if isinstance(callback, partial) and callback.func is _follow_removal:
            removed.disconnect(callback)


def return_to_scene(viewer: Viewer) -> RememberedScene | None:
    """Show again what was seen before a view was chosen, exactly as it was.

    Layers that were added since are hidden, but for the clusters of a map that was
    there; nothing is removed but what the views have added.

    Returns
    -------
    RememberedScene or None
        What was remembered, and is forgotten now. None when there was nothing: then the
        views end, and slices are shown.
    """
    found = remembered_scene(viewer)
    forget_scene(viewer)
    scene.uncover_canvas(viewer)
    hide_cortex(viewer)
    hide_glass(viewer)
    if found is None or not found.with_brain:
        hide_brain(viewer)
    if found is None:
        if viewer.dims.ndisplay == 3:
            scene.show_plane(viewer, "axial")
        return None
    dims = viewer.dims
    if len(found.order) == dims.ndim:
        dims.order = found.order
        dims.ndisplay = found.ndisplay
        dims.point = found.point
    _show_layers(viewer, found.seen)
    for name, value in found.camera.items():
        setattr(viewer.scene.camera, name, value)
    active = found.active()
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return found


def _maps_in(seen: Mapping[Any, bool]) -> set[StatMap]:
    """Find which maps are seen, by their voxels or clusters."""
    found = {map_behind(layer) for layer, shown in seen.items() if shown}
    return {statmap for statmap in found if statmap is not None}


def _show_layers(viewer: Viewer, seen: Mapping[Any, bool]) -> None:
    there = {map_behind(layer): shown for layer, shown in seen.items() if shown}
    wanted = {
        layer: seen.get(layer, layer.visible and _is_of(there, layer))
        for layer in viewer.layers
    }
    # Layers of clusters follow their maps: what was hidden alone is hidden again.
    for layer, visible in sorted(wanted.items(), key=lambda pair: not pair[1]):
        if layer.visible != visible:
            layer.visible = visible


def _is_of(there: Mapping[Any, bool], layer: Any) -> bool:
    """Whether a layer that is new shows the clusters of a map that was there."""
    statmap = map_behind(layer)
    return statmap is not None and statmap in there and clusters_of(layer) is not None


def _follow_removal(
    found: RememberedScene, ref: weakref.ref[Any], event: object = None
) -> None:
    """Forget the scene with the last layer: what is opened then is another one."""
    viewer = ref()
    if viewer is not None and not viewer.layers:
        forget_scene(viewer)


def _nothing() -> None:
    return None
