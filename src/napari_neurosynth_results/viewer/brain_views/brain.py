"""The brain in 3D: a glassy outline, and the clusters of visible maps inside of it.

Surfaces stand for volumes as long as the viewer is in 3D. In 2D they are gone, and
everything is as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.anatomy.surfaces import (
    Mesh,
    brain_outline,
    cluster_surfaces,
)
from napari_neurosynth_results.export.colors import colored_mask
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.cortex import hide_cortex
from napari_neurosynth_results.viewer.brain_views.surface_layers import (
    HiddenVolumes,
    surface_layer,
    update_surface,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    map_behind,
)
from napari_neurosynth_results.viewer.clusters.defaults import (
    shown_clusters,
    shown_colors,
)
from napari_neurosynth_results.viewer.clusters.picking import let_pick
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.napari_private import unproxied
from napari_neurosynth_results.viewer.palette import Colors
from napari_neurosynth_results.viewer.scene import view_obliquely

if TYPE_CHECKING:
    from napari.layers import Layer, Surface
    from napari.viewer import Viewer

BRAIN_OUTLINE = "Brain outline (3D)"
_OUTLINE_COLOR = (1.0, 1.0, 1.0, 1.0)
_OUTLINE_OPACITY = 0.18


def show_brain(viewer: Viewer) -> Surface | None:
    """Show the brain in 3D, with the clusters of visible maps and foci inside.

    Parameters
    ----------
    viewer : Viewer
        The viewer; goes to 3D. Maps and template are not drawn as volumes there until
        the user switches them on. In 2D the surfaces are gone and all is as before.

    Returns
    -------
    Surface or None
        The outline; None in a viewer of flat pictures.
    """
    fresh = viewer.dims.ndisplay != 3
    if viewer.dims.ndim < 3:
        scene.show_3d(viewer)
        return None
    scene.uncover_canvas(viewer)
    hide_cortex(viewer)
    brain = brain_of(viewer)
    if brain is None:
        # The viewer itself, where a command is handed a stand-in that will be gone.
        brain = BrainSurfaces(unproxied(viewer))
        unproxied(viewer).dims.events.ndisplay.connect(partial(_follow_display, brain))
    if fresh:
        scene.show_3d(viewer)
    brain.follow_display()
    if fresh:
        view_obliquely(viewer)
    return brain.outline


def hide_brain(viewer: Viewer) -> None:
    """End what `show_brain` began: its layers are removed, volumes are as before."""
    if (brain := brain_of(viewer)) is not None:
        brain.end()


def brain_of(viewer: Viewer) -> BrainSurfaces | None:
    """Return what keeps the brain of a viewer up to date, None before it is shown."""
    for callback in unproxied(viewer).dims.events.ndisplay.callbacks:
        if isinstance(callback, partial) and callback.func is _follow_display:
            brain: BrainSurfaces = callback.args[0]
            return brain
    return None


def _follow_display(brain: BrainSurfaces, event: object = None) -> None:
    """Let the viewer, which owns its events, keep the brain alive."""
    brain.follow_display()


class BrainSurfaces:
    """The surfaces of a viewer in 3D, which follow maps, thresholds and the user.

    In 2D they are no layers of the viewer: even hidden ones would count for where
    napari's slices begin.

    Attributes
    ----------
    outline : Surface
        The outline of the brain.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._ref = scene.weakly(viewer)
        self._volumes = HiddenVolumes(viewer, self._stand_in, "3D brain")
        self._surfaces: dict[StatMap, _Surfaces] = {}
        self._in_3d = False
        #: While it is this object that adds and removes, the user does not.
        self._busy = False
        self.outline = surface_layer(
            BRAIN_OUTLINE,
            brain_outline(),
            _OUTLINE_COLOR,
            opacity=_OUTLINE_OPACITY,
            blending="translucent_no_depth",
        )
        # Bound methods are held weakly by napari.
        viewer.layers.events.inserted.connect(self._inserted)
        viewer.layers.events.removed.connect(self._removed)

    def surface_of(self, statmap: StatMap) -> Surface | None:
        """Return the layer of the clusters of a map, None when there is none in 3D."""
        found, viewer = self._surfaces.get(statmap), self._ref()
        if found is None or viewer is None or found.layer not in viewer.layers:
            return None
        return found.layer

    def show_map(self, statmap: StatMap, layers: Iterable[Layer]) -> bool:
        """Show a map by its surfaces, and by its layers as soon as planes are shown.

        Parameters
        ----------
        layers : iterable of Layer
            All that show the map in planes.

        Returns
        -------
        bool
            False in planes, and for a map that has no surfaces: nothing is done then.
        """
        viewer = self._ref()
        if viewer is None or not self._in_3d or not self._show(viewer, statmap):
            return False
        self._surfaces[statmap].layer.visible = True
        for layer in layers:
            self._volumes.want(layer, True)
        return True

    def hide_map(self, statmap: StatMap, layers: Iterable[Layer]) -> None:
        """Take the surfaces of a map away, which is not wanted in planes either.

        Parameters
        ----------
        layers : iterable of Layer
            As for `show_map`.
        """
        viewer, surface = self._ref(), self.surface_of(statmap)
        for layer in layers if self._in_3d else ():
            self._volumes.want(layer, False)
        if viewer is not None and surface is not None:
            self._busy = True
            viewer.layers.remove(surface)
            self._busy = False

    def follow_display(self) -> None:
        """Show surfaces in 3D, and give volumes back in 2D."""
        viewer = self._ref()
        if viewer is None:
            return
        in_3d = viewer.dims.ndisplay == 3
        if in_3d and not self._in_3d:
            self._in_3d = True
            self._enter(viewer)
        elif self._in_3d and not in_3d:
            self._in_3d = False
            self._leave(viewer)

    def end(self) -> None:
        """Remove the surfaces, give volumes back, and follow the viewer no more."""
        viewer = self._ref()
        if viewer is None:
            return
        if self._in_3d:
            self._in_3d = False
            self._leave(viewer)
        viewer.layers.events.inserted.disconnect(self._inserted)
        viewer.layers.events.removed.disconnect(self._removed)
        told = viewer.dims.events.ndisplay
        for callback in tuple(told.callbacks):
            if isinstance(callback, partial) and callback.args[:1] == (self,):
                told.disconnect(callback)

    def _enter(self, viewer: Viewer) -> None:
        for layer in viewer.layers:
            self._listen_to(layer)
        self._volumes.take_all()
        # What is drawn first does not hide what is inside of it.
        self._add(viewer, 0, self.outline)
        for statmap in self._wanted(viewer):
            self._show(viewer, statmap)

    def _leave(self, viewer: Viewer) -> None:
        ours = [self.outline, *(one.layer for one in self._surfaces.values())]
        self._busy = True
        for layer in ours:
            if layer in viewer.layers:
                viewer.layers.remove(layer)
        self._busy = False
        self._volumes.give_back()
        there = {map_behind(layer) for layer in viewer.layers}
        self._surfaces = {
            statmap: one for statmap, one in self._surfaces.items() if statmap in there
        }

    def _add(self, viewer: Viewer, place: int, layer: Surface) -> None:
        """Add a layer; those that the user works with stay selected."""
        selected = set(viewer.layers.selection)
        self._busy = True
        told = viewer.layers.selection.events
        # One selected layer is the same in the end, so nobody is told: controls that
        # change twice take a fifth of the time of the 3D brain. With none or several
        # napari would keep the new layer as the current one.
        with told.blocker_all() if len(selected) == 1 else nullcontext():
            viewer.layers.insert(place, layer)
            viewer.layers.selection = selected
        self._busy = False

    def _wanted(self, viewer: Viewer) -> list[StatMap]:
        """List the maps that the user sees in 2D, by their voxels or clusters."""
        found = [
            map_behind(layer) for layer in viewer.layers if self._volumes.wants(layer)
        ]
        return list(dict.fromkeys(one for one in found if one is not None))

    def _show(self, viewer: Viewer, statmap: StatMap) -> bool:
        """Bring the surfaces of a map up to date, and show them."""
        clusters = shown_clusters(viewer, statmap)
        if clusters is None:
            return False
        colors = shown_colors(viewer, clusters)
        found = self._surfaces.get(statmap)
        if found is None:
            mesh = _mesh_of(clusters)
            name = for_qt(f"{_name_of(viewer, statmap)}: clusters (3D)")
            layer = surface_layer(name, mesh, colors[mesh.part], blending="opaque")
            let_pick(layer, statmap, mesh.part + 1)
            self._surfaces[statmap] = _Surfaces(clusters, colors, mesh, layer)
        elif not found.shows(clusters, colors):
            same = found.clusters.labelled is clusters.labelled
            mesh = found.mesh if same else _mesh_of(clusters)
            layer = found.layer
            update_surface(layer, mesh, colors[mesh.part])
            let_pick(layer, statmap, mesh.part + 1)
            self._surfaces[statmap] = _Surfaces(clusters, colors, mesh, layer)
        else:
            layer = found.layer
        if layer not in viewer.layers:
            above = self.outline in viewer.layers
            self._add(
                viewer, viewer.layers.index(self.outline) + 1 if above else 0, layer
            )
        return True

    def _stand_in(self, layer: Layer) -> bool:
        """Show a map that is switched on by its surfaces first, then as a volume."""
        viewer, statmap = self._ref(), map_behind(layer)
        if viewer is None or statmap is None:
            return False
        surface = self.surface_of(statmap)
        if surface is not None and surface.visible:
            return False
        if surface is not None:
            surface.visible = True
        return self._show(viewer, statmap)

    def _listen_to(self, layer: Layer) -> None:
        """Follow the clusters of a map, their colors and the chosen one."""
        if clusters_of(layer) is not None:
            for emitter in (layer.events.data, layer.events.colormap):
                emitter.disconnect(self._recluster)
                emitter.connect(self._recluster)

    def _recluster(self, event: Any) -> None:
        viewer, statmap = self._ref(), map_behind(event.source)
        if viewer is None or statmap is None or not self._in_3d:
            return
        if self.surface_of(statmap) is not None:
            self._show(viewer, statmap)

    def _inserted(self, event: Any) -> None:
        viewer, layer = self._ref(), event.value
        if viewer is None or self._busy or not self._in_3d:
            return
        self._listen_to(layer)
        statmap = map_behind(layer)
        of_wanted = clusters_of(layer) is not None and statmap in self._wanted(viewer)
        self._volumes.take(layer, wanted=of_wanted)
        if statmap is not None and self._volumes.wants(layer):
            self._show(viewer, statmap)

    def _removed(self, event: Any) -> None:
        """Let the surfaces of a map go with it."""
        viewer, statmap = self._ref(), map_of(event.value)
        surface = self.surface_of(statmap) if statmap is not None else None
        if viewer is None or self._busy or statmap is None or surface is None:
            return
        # napari may be about to remove what is selected, and would not find it.
        if surface in viewer.layers.selection:
            surface.visible = False
        else:
            self.hide_map(statmap, ())


@dataclass(frozen=True, eq=False)
class _Surfaces:
    """What a layer shows of a map, and how."""

    clusters: ClusterSet
    colors: Colors
    mesh: Mesh
    layer: Surface

    def shows(self, clusters: ClusterSet, colors: Colors) -> bool:
        """Whether it is these clusters in these colors."""
        return self.clusters.labelled is clusters.labelled and np.array_equal(
            self.colors, colors
        )


def _name_of(viewer: Viewer, statmap: StatMap) -> str:
    """Call a map as its layer is called."""
    names = (layer.name for layer in viewer.layers if map_of(layer) is statmap)
    return next(names, statmap.short_title)


def _mesh_of(clusters: ClusterSet) -> Mesh:
    """Make surfaces of the clusters that are significant."""
    found = clusters.labelled
    labels = found.volume(found.label.dtype)
    labels[~colored_mask(clusters)] = 0
    return cluster_surfaces(labels, clusters.statmap.grid, len(clusters))
