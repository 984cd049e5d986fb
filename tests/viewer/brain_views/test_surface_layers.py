"""Surface layers: lit, in millimeters, and changed without a moment of disagreement."""

from __future__ import annotations

import numpy as np
import pytest

from napari_neurosynth_results.anatomy.surfaces import Mesh, cluster_surfaces
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.viewer.brain_views.surface_layers import (
    surface_layer,
    update_surface,
)

GRID = Grid((12, 12, 12), np.diag([2.0, 2, 2, 1]))


def block(size: int) -> Mesh:
    labels = np.zeros(GRID.shape, np.int32)
    labels[2 : 2 + size, 3:6, 4:6] = 1
    return cluster_surfaces(labels, GRID)


def test_a_body_lies_in_millimeters_and_is_lit_from_above() -> None:
    mesh = block(5)
    layer = surface_layer("it", mesh, (1.0, 0.5, 0.0, 1.0))
    low, high = layer.extent.world
    assert low == pytest.approx(mesh.vertices.min(axis=0)[::-1], abs=1e-4)
    assert high == pytest.approx(mesh.vertices.max(axis=0)[::-1], abs=1e-4)
    # Never the finest layer of a viewer: sliders go on by that one.
    assert (np.array(layer.scale) >= 10).all()
    top = layer.vertices[:, 0] == layer.vertices[:, 0].max()
    bottom = layer.vertices[:, 0] == layer.vertices[:, 0].min()
    red, green, blue, alpha = layer.vertex_colors.T
    assert red[top].min() > red[bottom].max() > 0.3
    assert green == pytest.approx(red / 2)
    assert (blue == 0).all()
    assert (alpha == 1).all()


@pytest.mark.parametrize("ndisplay", [2, 3])
@pytest.mark.parametrize(("before", "after"), [(2, 9), (9, 2), (4, 0), (0, 4)])
def test_a_body_is_changed_whatever_the_display(
    ndisplay: int, before: int, after: int
) -> None:
    from napari.components import ViewerModel

    model = ViewerModel(ndisplay=ndisplay)
    layer = surface_layer("it", block(before), (1.0, 1.0, 1.0, 1.0))
    model.add_layer(layer)
    drawn: list[int] = []
    layer.events.set_data.connect(lambda event: drawn.append(len(layer.vertices)))
    mesh = block(after)
    update_surface(layer, mesh, (1.0, 0.0, 0.0, 1.0))
    assert len(layer.vertices) == len(layer.vertex_colors) == max(len(mesh), 3)
    # Only the new mesh is drawn.
    assert set(drawn) == {len(layer.vertices)}
    assert (layer.vertex_colors[:, 3] == (1 if after else 0)).all()
