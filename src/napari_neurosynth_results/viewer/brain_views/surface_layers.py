"""Surfaces in 3D: layers of our own, and the volumes that stand back for them.

Surfaces are in mm whatever their unit, lit, and never in the way. Rendered as volumes,
maps and template are blobs that hide what lies inside, and each takes up to a second a
frame without a graphics card. Only `visible` keeps napari from rendering them, so it is
remembered what the user wants to see, and they come back as they were.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.surfaces import Mesh, light_on
from napari_neurosynth_results.viewer.layers import VIEW_KEY, stand_back, stands_back
from napari_neurosynth_results.viewer.scene import weakly

if TYPE_CHECKING:
    from napari.layers import Layer, Surface
    from napari.viewer import Viewer

#: napari's sliders go on by the finest layer. A surface that counts in centimeters is
#: never the finest.
UNIT_MM = 10.0
#: What stands for a surface without a vertex: napari draws none without a triangle.
_NOTHING = (
    np.zeros((3, 3), np.float32),
    np.array([[0, 1, 2]], np.int32),
    np.zeros((3, 4), np.float32),
)
#: Told of a layer that was switched on; says whether something else stands for it.
StandIn = Callable[[Any], bool]


def surface_layer(name: str, mesh: Mesh, colors: npt.ArrayLike, **more: Any) -> Surface:
    """Make a layer of a mesh.

    Parameters
    ----------
    name : str
        What the layer is called.
    mesh : Mesh
        What it shows.
    colors : array_like, shape (4,) or (n, 4)
        Of all vertices, or of each; light is added.
    **more
        As napari's layer takes it.

    Returns
    -------
    Surface
        (z, y, x) in MNI mm.
    """
    from napari.layers import Surface

    vertices, faces, lit = _as_data(mesh, colors)
    keywords: dict[str, Any] = {
        "name": name,
        "vertex_colors": lit,
        "scale": (UNIT_MM,) * 3,
        "axis_labels": ("z", "y", "x"),
        "units": ("mm", "mm", "mm"),
        # Light is in the colors: see `light_on`.
        "shading": "none",
        "metadata": {VIEW_KEY: True},
    }
    return Surface((vertices, faces), **keywords | more)


def update_surface(layer: Surface, mesh: Mesh, colors: npt.ArrayLike) -> None:
    """Show another mesh in a layer.

    Parameters
    ----------
    layer : Surface
        A layer of `surface_layer`.
    mesh : Mesh
        What it shall show.
    colors : array_like, shape (4,) or (n, 4)
        As for `surface_layer`.
    """
    vertices, faces, lit = _as_data(mesh, colors)
    with ExitStack() as quiet:
        # Colors of one mesh with vertices of another would be cut and drawn in between.
        for emitter in (layer.events.data, layer.events.set_data):
            quiet.enter_context(emitter.blocker())
        layer.vertex_colors = None
        layer.data = (vertices, faces)
    layer.vertex_colors = lit


def _as_data(mesh: Mesh, colors: npt.ArrayLike) -> tuple[Any, Any, Any]:
    if not len(mesh):
        return _NOTHING
    lit = np.empty((len(mesh), 4), np.float32)
    lit[:] = colors
    lit[:, :3] *= light_on(mesh.normals)[:, None]
    vertices = np.ascontiguousarray(mesh.vertices[:, ::-1]) / np.float32(UNIT_MM)
    # Reversing the axes turns triangles inside out.
    return vertices, np.ascontiguousarray(mesh.faces[:, ::-1]), lit


class HiddenVolumes:
    """The images and labels of a viewer, and whether the user wants to see them.

    Parameters
    ----------
    stand_in : callable
        A bound method that is called when the user switches a layer on in the meantime.
        When it returns True, the layer stands back again; it is held weakly.
    of : str
        What they stand back for; no two views have the same name.
    """

    def __init__(self, viewer: Viewer, stand_in: StandIn, of: str) -> None:
        self._ref = weakly(viewer)
        self._of = of
        self._stand_in = weakref.WeakMethod(stand_in)
        self._taken: weakref.WeakSet[Any] = weakref.WeakSet()
        #: While it is this object that hides and shows, nobody wants anything.
        self._busy = False

    def take(self, layer: Layer, *, wanted: bool = False) -> None:
        """Let a layer stand back, if it is a volume.

        Parameters
        ----------
        wanted : bool
            Whether the user wants to see it, although it is hidden: clusters are added
            as hidden as their map is.
        """
        if self._note(layer, wanted):
            self._set(layer, False)

    def take_all(self) -> None:
        """Let all volumes of the viewer stand back."""
        layers = list(viewer.layers) if (viewer := self._ref()) is not None else []
        # All are noted before the first is hidden: some follow others.
        for layer in [one for one in layers if self._note(one)]:
            self._set(layer, False)

    def want(self, layer: Layer, wanted: bool) -> None:
        """Let a layer that stands back come again in planes, or stay hidden there."""
        if layer in self._taken:
            stand_back(layer, self._of, wanted)

    def wants(self, layer: Layer) -> bool:
        """Whether the user wants to see a layer: as in 2D, or switched on since."""
        if layer in self._taken:
            return stands_back(layer, self._of)
        return bool(layer.visible)

    def give_back(self) -> None:
        """Show again what the user wants to see."""
        wanted = [(layer, self.wants(layer)) for layer in self._taken]
        self._taken.clear()
        for layer, _ in wanted:
            layer.events.visible.disconnect(self._switched)
            stand_back(layer, self._of, False)
        # Layers of clusters follow their maps: what was hidden alone is hidden again.
        for layer, visible in sorted(wanted, key=lambda pair: not pair[1]):
            self._set(layer, visible)

    def _note(self, layer: Layer, wanted: bool = False) -> bool:
        """Remember whether a layer is seen; say whether it is a new volume."""
        if not _is_volume(layer) or layer in self._taken:
            return False
        self._taken.add(layer)
        stand_back(layer, self._of, wanted or layer.visible)
        layer.events.visible.connect(self._switched)
        return True

    def _set(self, layer: Layer, visible: bool) -> None:
        if layer.visible != visible:
            before, self._busy = self._busy, True
            try:
                layer.visible = visible
            finally:
                self._busy = before

    def _switched(self, event: Any) -> None:
        """Follow the user, who switches a layer on."""
        layer = event.source
        if self._busy or not layer.visible or layer not in self._taken:
            return
        stand_back(layer, self._of)
        stand_in = self._stand_in()
        if stand_in is not None and stand_in(layer):
            self._set(layer, False)


def _is_volume(layer: Layer) -> bool:
    from napari.layers import Image, Labels

    return isinstance(layer, Image | Labels) and layer.ndim >= 3
