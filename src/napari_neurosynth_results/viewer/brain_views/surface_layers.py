"""Surface layers of our own: in mm whatever their unit, lit, and never in the way."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.surfaces import Mesh, light_on
from napari_neurosynth_results.viewer.layers import VIEW_KEY

if TYPE_CHECKING:
    from napari.layers import Surface

#: napari's sliders go on by the finest layer. A surface that counts in centimeters is
#: never the finest.
UNIT_MM = 10.0
#: What stands for a surface without a vertex: napari draws none without a triangle.
_NOTHING = (
    np.zeros((3, 3), np.float32),
    np.array([[0, 1, 2]], np.int32),
    np.zeros((3, 4), np.float32),
)


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
