"""The glass brain: the strongest value along the axis that is sliced, at one glance.

Two layers lie over the user's, which stay as they are: a black one with the outline of
the brain, and the projection of the topmost visible map. Each is one slice, as thick as
the brain, so that it is seen wherever the sliders are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.anatomy.coordinates import Coordinate
from napari_neurosynth_results.anatomy.glass import silhouette, strongest_along
from napari_neurosynth_results.export.colors import colored_mask, colored_values
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.canvas import FONT_SIZE, show_place
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    map_layers,
)
from napari_neurosynth_results.viewer.clusters.defaults import shown_clusters
from napari_neurosynth_results.viewer.layers import VIEW_KEY, is_seen, map_of
from napari_neurosynth_results.viewer.napari_private import refreshed_once, unproxied

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer

GLASS_OUTLINE = "Glass brain: outline"
#: The text on the canvas that says that this is no slice.
OVERLAY = "neurosynth_results_projection"
_GLASS_KEY = "neurosynth_results_glass"
#: The black is brighter inside the brain, and its outline is gray.
_BRIGHTEST = 1.7


def show_glass(viewer: Viewer) -> None:
    """Show the maximum projection of the topmost visible map, in all planes.

    Parameters
    ----------
    viewer : Viewer
        The viewer. In 3D the projection waits until a plane is shown. It follows plane,
        threshold and colors.
    """
    scene.uncover_canvas(viewer)
    if glass_of(viewer) is None:
        for layer in [one for one in viewer.layers if _GLASS_KEY in one.metadata]:
            viewer.layers.remove(layer)
        glass = GlassBrain(unproxied(viewer))
        viewer.dims.events.order.connect(partial(_follow, glass))
        viewer.dims.events.ndisplay.connect(partial(_follow, glass))
        glass.refresh()


def hide_glass(viewer: Viewer) -> None:
    """Take the projection away; the layers of the user were never touched."""
    if (glass := glass_of(viewer)) is not None:
        glass.end()


def toggle_glass(viewer: Viewer) -> None:
    """Show the projection, or take it away."""
    if glass_of(viewer) is None:
        show_glass(viewer)
    else:
        hide_glass(viewer)


def glass_of(viewer: Viewer) -> GlassBrain | None:
    """Return what keeps the projection up to date, None when there is none."""
    for callback in unproxied(viewer).dims.events.order.callbacks:
        if isinstance(callback, partial) and callback.func is _follow:
            glass: GlassBrain = callback.args[0]
            return glass
    return None


def _follow(glass: GlassBrain, event: object = None) -> None:
    """Let the viewer, which owns its events, keep the projection alive."""
    glass.refresh()


class GlassBrain:
    """The two layers of a projection, which follow the viewer.

    Attributes
    ----------
    outline, projection : Image
        The layers.
    """

    def __init__(self, viewer: Viewer) -> None:
        from napari.layers import Image

        self._ref = scene.weakly(viewer)
        self._busy = False
        self._projected: tuple[Any, int] | None = None
        one: dict[str, Any] = {
            "axis_labels": ("z", "y", "x"),
            "units": ("mm", "mm", "mm"),
            "metadata": {_GLASS_KEY: True, VIEW_KEY: True},
        }
        empty = np.zeros((1, 1, 1), np.float32)
        self.outline = Image(
            empty,
            name=GLASS_OUTLINE,
            blending="opaque",
            contrast_limits=(0, _BRIGHTEST),
            interpolation2d="cubic",
            **one,
        )
        self.projection = Image(
            empty, name="Glass brain", blending="translucent_no_depth", **one
        )
        if OVERLAY not in viewer.canvas.overlays:
            scene.add_words(
                # As the caption above it, over the brain too.
                viewer,
                OVERLAY,
                position="top_left",
                font_size=FONT_SIZE,
                box=True,
            )
        # Bound methods are held weakly by napari: they go with this object.
        viewer.layers.events.inserted.connect(self._changed)
        viewer.layers.events.removed.connect(self._removed)

    def end(self) -> None:
        """Remove the layers, and follow the viewer no more."""
        self._stop()
        if (viewer := self._ref()) is not None:
            self._take_away(viewer)

    def _stop(self) -> None:
        if (viewer := self._ref()) is None:
            return
        viewer.layers.events.inserted.disconnect(self._changed)
        viewer.layers.events.removed.disconnect(self._removed)
        for told in (viewer.dims.events.order, viewer.dims.events.ndisplay):
            for callback in tuple(told.callbacks):
                if isinstance(callback, partial) and callback.args[:1] == (self,):
                    told.disconnect(callback)

    def refresh(self, event: object = None) -> None:
        """Project the topmost visible map along the axis that is sliced now."""
        viewer = self._ref()
        if viewer is None or self._busy or glass_of(viewer) is not self:
            return
        layer = _map_seen(viewer)
        plane = scene.current_plane(viewer)
        flat = viewer.dims.ndim == 3 and plane != "3D"
        statmap = map_of(layer) if layer is not None else None
        clusters = shown_clusters(viewer, statmap) if statmap is not None else None
        if not flat or layer is None or clusters is None:
            self._take_away(viewer)
            return
        axis = 2 - viewer.dims.order[0]
        self._draw_outline(viewer, axis)
        self._project(layer, clusters, axis)
        self._place(viewer)
        self._say(viewer, layer, axis)
        self._listen(viewer)

    def strongest_at(
        self, position: Sequence[float]
    ) -> tuple[StatMap, int, Coordinate] | None:
        """Find what is seen where the mouse is: the strongest voxel along the line.

        Parameters
        ----------
        position : sequence of float
            In the world of the viewer, z, y and x last; the place along the axis that
            is looked through does not count.

        Returns
        -------
        tuple of StatMap, int and Coordinate, or None
            The map, the cluster, and the place of the voxel; None where nothing is
            seen.
        """
        viewer = self._ref()
        layer = _map_seen(viewer) if viewer is not None else None
        statmap = map_of(layer) if layer is not None else None
        if viewer is None or statmap is None:
            return None
        clusters = shown_clusters(viewer, statmap)
        if clusters is None:
            return None
        voxel = _strongest_voxel(clusters, 2 - viewer.dims.order[0], position)
        if voxel is None:
            return None
        grid = clusters.statmap.grid
        place = np.asarray(grid.origin) + np.multiply(voxel, grid.voxel_size)
        x, y, z = place.tolist()
        found = clusters.labelled
        return statmap, int(found.volume(found.label.dtype)[voxel]), (x, y, z)

    def _draw_outline(self, viewer: Viewer, axis: int) -> None:
        """Cover what is below on the whole canvas, at a pixel that slows no slider."""
        ranges = viewer.dims.range[::-1]
        mm = [
            np.arange(round((stop - start) / step) + 1) * step + start
            for start, stop, step in ranges
        ]
        others = [mm[other] for other in range(3) if other != axis]
        picture = silhouette(axis, *others)
        size = [float(step) for _, _, step in ranges]
        origin = [float(start) for start, _, _ in ranges]
        size[axis] = 2 * max(abs(mm[axis][0]), abs(mm[axis][-1])) + 2 * size[axis]
        origin[axis] = 0.0
        _fill(self.outline, np.expand_dims(picture, axis).T, size, origin)

    def _project(self, layer: Image, clusters: ClusterSet, axis: int) -> None:
        key = (clusters.labelled, axis)
        if self._projected is None or any(
            one is not other for one, other in zip(key, self._projected, strict=True)
        ):
            values = colored_values(clusters)
            found = strongest_along(
                values.data,
                colored_mask(clusters),
                axis,
                small_is_strong=values.kind.row.small_is_strong,
            )
            size, origin = list(values.grid.voxel_size), list(values.grid.origin)
            # About the same middle as the outline: the slab holds the whole brain.
            size[axis], origin[axis] = float(self.outline.scale[2 - axis]), 0.0
            _fill(self.projection, np.expand_dims(found, axis).T, size, origin)
            self._projected = key
        self.projection.colormap = layer.colormap
        low, high = layer.contrast_limits
        self.projection.contrast_limits_range = (low - 1, high + 1)
        self.projection.contrast_limits = (low, high)
        self.projection.gamma = layer.gamma

    def _place(self, viewer: Viewer) -> None:
        """Put the layers on top, unless the user has moved them."""
        selected = set(viewer.layers.selection)
        self._busy = True
        for layer in (self.outline, self.projection):
            if layer not in viewer.layers:
                viewer.layers.append(layer)
        self._busy = False
        viewer.layers.selection = selected

    def _say(self, viewer: Viewer, layer: Image, axis: int) -> None:
        self.projection.name = f"Glass brain: maximum projection of {layer.name}"
        overlays = viewer.canvas.overlays
        along = f"maximum projection along {'xyz'[axis]}, not a slice"
        # The line above names the map, where it is the only one.
        seen = [one for one in map_layers(viewer) if is_seen(one)]
        overlays[OVERLAY].text = f"{layer.name}\n{along}" if len(seen) > 1 else along
        overlays[OVERLAY].visible = True
        # A place beside it would make it look like a slice.
        show_place(viewer, False)

    def _take_away(self, viewer: Viewer) -> None:
        self._busy = True
        for layer in (self.projection, self.outline):
            if layer in viewer.layers:
                viewer.layers.remove(layer)
        self._busy = False
        self._say_nothing(viewer)

    def _say_nothing(self, viewer: Viewer) -> None:
        overlays = viewer.canvas.overlays
        overlays[OVERLAY].visible = False
        show_place(viewer, True)

    def _listen(self, viewer: Viewer) -> None:
        """Follow the threshold, the colors and what is visible."""
        for layer in viewer.layers:
            emitters: list[Any] = []
            if clusters_of(layer) is not None:
                emitters = [layer.events.data]
            elif map_of(layer) is not None:
                events = layer.events
                emitters = [events.visible]
                if hasattr(events, "contrast_limits"):
                    emitters += [events.contrast_limits, events.colormap, events.gamma]
            for emitter in emitters:
                emitter.disconnect(self.refresh)
                emitter.connect(self.refresh)

    def _changed(self, event: Any) -> None:
        if not self._busy and _is_of_results(event.value):
            self.refresh()

    def _removed(self, event: Any) -> None:
        """End when the user removes one of the two layers."""
        if self._busy or event.value not in (self.projection, self.outline):
            return
        # The other is no more than hidden: napari may be about to remove it as well.
        self.projection.visible = self.outline.visible = False
        self._stop()
        if (viewer := self._ref()) is not None:
            self._say_nothing(viewer)


def _strongest_voxel(
    clusters: ClusterSet, axis: int, position: Sequence[float]
) -> tuple[int, int, int] | None:
    """Find the voxel that is seen along an axis; None where none is."""
    values, grid = colored_values(clusters), clusters.statmap.grid
    from_origin = np.asarray(position[::-1][:3]) - grid.origin
    voxel = np.rint(from_origin / grid.voxel_size).astype(int)
    voxel[axis] = 0
    if (voxel < 0).any() or (voxel >= grid.shape).any():
        return None
    line: list[Any] = voxel.tolist()
    line[axis] = slice(None)
    size = values.data[tuple(line)]
    strength = -size if values.kind.row.small_is_strong else np.abs(size)
    seen = (colored_mask(clusters)[tuple(line)] != 0) & np.isfinite(size)
    if not seen.any():
        return None
    voxel[axis] = np.where(seen, strength, -np.inf).argmax()
    i, j, k = voxel.tolist()
    return i, j, k


def _is_of_results(layer: Layer) -> bool:
    return map_of(layer) is not None or clusters_of(layer) is not None


def _map_seen(viewer: Viewer) -> Image | None:
    """Return the layer of the topmost visible map."""
    for layer in reversed(viewer.layers):
        statmap: StatMap | None = map_of(layer)
        if statmap is not None and layer.visible and layer in map_layers(viewer):
            return layer
    return None


def _fill(layer: Image, data: Any, size: list[float], origin: list[float]) -> None:
    """Put an array as (z, y, x) into a layer, at a place given as x, y, z."""
    with refreshed_once(layer):
        layer.data = np.ascontiguousarray(data, np.float32)
        layer.scale = size[::-1]
        layer.translate = origin[::-1]
    layer.refresh()
