"""A map on the cortical surface, and how much of the map is not on it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.anatomy.cortex import (
    CORTEX_REACH_MM,
    Hemisphere,
    Shape,
    read_cortex,
    share_on_cortex,
    value_at,
)
from napari_neurosynth_results.anatomy.numerals import short_percent
from napari_neurosynth_results.arrays import IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.colors import (
    colored_mask,
    colored_values,
    colored_voxels,
)
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.surface_layers import (
    HiddenVolumes,
    surface_layer,
    update_surface,
)
from napari_neurosynth_results.viewer.canvas import ON_SURFACE_KEY, update_legend
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    map_layers,
)
from napari_neurosynth_results.viewer.clusters.defaults import shown_clusters
from napari_neurosynth_results.viewer.clusters.picking import let_pick
from napari_neurosynth_results.viewer.layers import is_seen, map_of
from napari_neurosynth_results.viewer.napari_private import unproxied
from napari_neurosynth_results.viewer.palette import Colors
from napari_neurosynth_results.viewer.scene import view_obliquely

if TYPE_CHECKING:
    from napari.layers import Image, Layer, Surface
    from napari.viewer import Viewer

#: Gyri and sulci where nothing is significant.
_GYRUS, _SULCUS = 0.72, 0.48
_ABOUT = (
    "Cerebellum and subcortex are missing. fsaverage5 is in MNI305 space, a few mm off "
    "MNI152; values are those at mid-thickness"
)


def show_cortex(
    viewer: Viewer, layer: Image | None = None, shape: Shape = "pial"
) -> str:
    """Show a map on both hemispheres, colored where it is significant.

    Parameters
    ----------
    viewer : Viewer
        The viewer; goes to 3D. Volumes and the 3D brain stand back there.
    layer : Image, optional
        The layer of a map; by default the topmost visible one.
    shape : {"pial", "inflated"}
        The surface as it is, or blown up so that sulci are seen.

    Returns
    -------
    str
        What is shown, and how much of the map is not: to be told to the user.

    Raises
    ------
    ResultsError
        When nilearn is missing, no map is visible, or the map has no clusters.
    """
    chosen = layer if layer is not None else _topmost(viewer)
    read_cortex()
    # What is refused changes nothing.
    _clusters_on(viewer, chosen)
    scene.uncover_canvas(viewer)
    hide_cortex(viewer)
    fresh = viewer.dims.ndisplay != 3
    if fresh:
        scene.show_3d(viewer)
    cortex = Cortex(unproxied(viewer), chosen, shape)
    unproxied(viewer).dims.events.ndisplay.connect(partial(_follow_display, cortex))
    cortex.enter()
    if fresh:
        view_obliquely(viewer)
    return cortex.sentence


def hide_cortex(viewer: Viewer) -> None:
    """Take the cortical surface away, and show volumes as before."""
    if (cortex := cortex_of(viewer)) is not None:
        cortex.end()


def cortex_of(viewer: Viewer) -> Cortex | None:
    """Return what keeps the surface up to date, None when there is none."""
    for callback in unproxied(viewer).dims.events.ndisplay.callbacks:
        if isinstance(callback, partial) and callback.func is _follow_display:
            cortex: Cortex = callback.args[0]
            return cortex
    return None


def _follow_display(cortex: Cortex, event: object = None) -> None:
    """End in 2D; the viewer, which owns its events, keeps the surface alive."""
    cortex.follow_display()


class Cortex:
    """The layers of two hemispheres, which follow the threshold of a map.

    Parameters
    ----------
    shape : {"pial", "inflated"}
        Which surface.

    Attributes
    ----------
    shape : {"pial", "inflated"}
        Which surface.
    sentence : str
        What is shown, and how much of the map is not.
    """

    def __init__(self, viewer: Viewer, layer: Image, shape: Shape) -> None:
        self._ref = scene.weakly(viewer)
        self._layer = layer
        self.shape: Shape = shape
        self._volumes = HiddenVolumes(viewer, self._nothing, "cortex")
        #: Surfaces of the 3D brain that stand back as well.
        self._hidden: list[Layer] = []
        self._halves: list[tuple[Hemisphere, Surface]] = []
        self.sentence = ""

    @property
    def statmap(self) -> StatMap | None:
        """The map that is shown."""
        return map_of(self._layer)

    def hide_map(self, statmap: StatMap, layers: Iterable[Layer]) -> None:
        """Let a map stay hidden in planes, too; end where it is the one that is shown.

        Parameters
        ----------
        layers : iterable of Layer
            All that show the map in planes.
        """
        for layer in layers:
            self._volumes.want(layer, False)
        if statmap is self.statmap:
            self.end()

    def enter(self) -> None:
        """Add the hemispheres, and let everything else stand back."""
        viewer = self._ref()
        if viewer is None:
            return
        clusters, colors = self._read(viewer)
        from napari.layers import Surface

        self._volumes.take_all()
        self._hidden = [
            one for one in viewer.layers if isinstance(one, Surface) and one.visible
        ]
        for one in self._hidden:
            one.visible = False
        selected = set(viewer.layers.selection)
        where = "" if self.shape == "pial" else ", inflated, not in mm"
        for hemisphere, color in zip(read_cortex(), colors, strict=True):
            name = f"{self._layer.name}: {hemisphere.name} cortex (fsaverage{where})"
            made = surface_layer(
                name, hemisphere.mesh(self.shape), color, blending="opaque"
            )
            let_pick(made, clusters.statmap, _labels(clusters, hemisphere))
            viewer.layers.append(made)
            self._halves.append((hemisphere, made))
        viewer.layers.selection = selected
        self._layer.metadata[ON_SURFACE_KEY] = True
        update_legend(viewer)
        # What is inflated is not in millimeters.
        viewer.canvas.overlays.scale_bar.opacity = float(self.shape == "pial")
        found = cluster_layer(viewer, clusters.statmap)
        if found is not None:
            found.events.data.connect(self._refresh)
        # Bound methods are held weakly by napari: they go with this object.
        for name in ("colormap", "contrast_limits", "gamma"):
            getattr(self._layer.events, name).connect(self._refresh)
        viewer.layers.events.inserted.connect(self._inserted)
        viewer.layers.events.removed.connect(self._removed)

    def follow_display(self) -> None:
        """Take the surfaces away in 2D."""
        viewer = self._ref()
        if viewer is not None and viewer.dims.ndisplay != 3:
            self.end()

    def end(self) -> None:
        """Remove the hemispheres, and show what stood back."""
        viewer = self._ref()
        if viewer is None:
            return
        told = viewer.dims.events.ndisplay
        for callback in tuple(told.callbacks):
            if isinstance(callback, partial) and callback.args[:1] == (self,):
                told.disconnect(callback)
        viewer.layers.events.inserted.disconnect(self._inserted)
        viewer.layers.events.removed.disconnect(self._removed)
        for name in ("colormap", "contrast_limits", "gamma"):
            getattr(self._layer.events, name).disconnect(self._refresh)
        for _, layer in self._halves:
            if layer in viewer.layers:
                viewer.layers.remove(layer)
        for layer in self._hidden:
            layer.visible = True
        self._halves, self._hidden = [], []
        self._layer.metadata.pop(ON_SURFACE_KEY, None)
        viewer.canvas.overlays.scale_bar.opacity = 1.0
        self._volumes.give_back()
        update_legend(viewer)

    def _inserted(self, event: Any) -> None:
        """Let volumes that are opened meanwhile stand back; clusters are followed."""
        layer = event.value
        clusters = clusters_of(layer)
        ours = clusters is not None and clusters.statmap is map_of(self._layer)
        self._volumes.take(layer, wanted=ours and is_seen(self._layer))
        if ours:
            layer.events.data.connect(self._refresh)
            self._refresh()

    def _removed(self, event: Any) -> None:
        """Go with the map."""
        viewer = self._ref()
        if viewer is None or event.value is not self._layer:
            return
        # napari may be about to remove what is selected, and would not find it.
        left = [one for one in self._halves if one[1] in viewer.layers.selection]
        for _, layer in left:
            layer.visible = False
        self._halves = [one for one in self._halves if one not in left]
        self.end()

    def _refresh(self, event: object = None) -> None:
        viewer = self._ref()
        if viewer is None or not self._halves:
            return
        clusters, colors = self._read(viewer)
        for (hemisphere, layer), color in zip(self._halves, colors, strict=True):
            update_surface(layer, hemisphere.mesh(self.shape), color)
            let_pick(layer, clusters.statmap, _labels(clusters, hemisphere))

    def _read(self, viewer: Viewer) -> tuple[ClusterSet, list[Colors]]:
        clusters = _clusters_on(viewer, self._layer)
        self.sentence = _sentence(self._layer.name, clusters)
        return clusters, [
            _colors(self._layer, clusters, hemisphere) for hemisphere in read_cortex()
        ]

    def _nothing(self, layer: Layer) -> bool:
        """Let the user switch a volume on beside the surface."""
        return False


def _clusters_on(viewer: Viewer, layer: Image) -> ClusterSet:
    statmap = map_of(layer)
    clusters = shown_clusters(viewer, statmap) if statmap is not None else None
    if clusters is None:
        raise ResultsError(f"{layer.name} has no clusters to show.")
    return clusters


def _topmost(viewer: Viewer) -> Image:
    maps = [layer for layer in map_layers(viewer) if is_seen(layer)]
    if not maps:
        raise ResultsError("Show a map first: one that was opened by this plugin.")
    return maps[0]


def _colors(layer: Image, clusters: ClusterSet, hemisphere: Hemisphere) -> Colors:
    """Color what is significant as the map is, and the rest gray by its folds."""
    values = colored_values(clusters)
    found = value_at(
        np.where(colored_mask(clusters), values.data, np.nan),
        values.grid,
        hemisphere.middle,
    )
    lit = np.isfinite(found)
    colors = np.ones((len(found), 4), np.float32)
    colors[:, :3] = np.where(hemisphere.sulci > 0, _SULCUS, _GYRUS)[:, None]
    low, high = layer.contrast_limits
    share = np.clip((found[lit] - low) / (high - low), 0, 1) ** layer.gamma
    colors[lit] = np.asarray(layer.colormap.map(share), np.float32)
    return colors


def _labels(clusters: ClusterSet, hemisphere: Hemisphere) -> IndexArray:
    """Say which cluster is colored at each vertex, 0 for none."""
    labels = np.where(colored_mask(clusters), clusters.labels, 0)
    found = value_at(
        labels.astype(np.float32), clusters.statmap.grid, hemisphere.middle
    )
    return np.nan_to_num(found).astype(np.intp)


def _sentence(name: str, clusters: ClusterSet) -> str:
    where = colored_voxels(clusters)
    voxels = np.column_stack(np.unravel_index(where, clusters.labelled.shape, "F"))
    grid = clusters.statmap.grid
    share = share_on_cortex(voxels * grid.voxel_size + np.array(grid.origin))
    tested = "significant" if clusters.statmap.level == "cluster" else ""
    if np.isnan(share):
        nothing = f"nothing is {tested or 'above the threshold'}"
        return f"{name} on the cortex: {nothing}. {_ABOUT}."
    which = f"{tested} voxels" if tested else "voxels above the threshold"
    part = f"{short_percent(100 * share)} of its {len(where):,} {which}"
    return (
        f"{name} on the cortex: {part} lie "
        f"within {CORTEX_REACH_MM:g} mm of the surface; what lies deeper is not on it. "
        f"{_ABOUT}."
    )
