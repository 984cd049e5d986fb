"""The glass brain: what is projected, where it is drawn, and what is left alone."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.glass import (
    OVERLAY,
    glass_of,
    hide_glass,
    show_glass,
    toggle_glass,
)
from napari_neurosynth_results.viewer.canvas import CAPTION, PLACE, dress
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.layers import map_layer, underlay_layer
from napari_neurosynth_results.viewer.plugin import commands

pytestmark = pytest.mark.usefixtures("preferences", "filled")

#: 4 mm voxels over the MNI brain.
SHAPE = (46, 55, 46)
AFFINE = np.array(
    [[4, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]], float
)
#: Voxels of two peaks, far apart along all axes: right anterior superior is positive.
HIGH, LOW = (36, 40, 30), (12, 20, 12)


@pytest.fixture
def statmap(opened: Callable[..., Any]) -> Any:
    """Return a map with a peak of 6 and one of -8, and 3 all around them."""
    data = np.zeros(SHAPE)
    for (i, j, k), value in ((HIGH, 6), (LOW, -8)):
        data[i - 2 : i + 3, j - 2 : j + 3, k - 2 : k + 3] = np.sign(value) * 4
        data[i, j, k] = value
    return opened({"z": data}, affine=AFFINE)["z"]


def fill(viewer: Any, statmap: Any, height: float = 3.5) -> Any:
    """Add the template and a map with its clusters, and return the map's layer."""
    from napari.layers import Layer

    viewer.add_layer(Layer.create(*underlay_layer()))
    layer = Layer.create(*map_layer(statmap, visible=True)[0])
    viewer.add_layer(layer)
    threshold(viewer, layer, statmap, height)
    scene.set_anatomical(viewer, "neurological")
    return layer


def threshold(viewer: Any, layer: Any, statmap: Any, height: float) -> None:
    asked = Threshold(value=height, tail="both")
    show_clusters(viewer, layer, clusters_at(statmap, asked))


@pytest.fixture
def filled(viewer: Any, statmap: Any) -> None:
    """Show template, map and clusters."""
    fill(viewer, statmap)


def layer_of(viewer: Any) -> Any:
    return next(one for one in viewer.layers if one.name == "uncorrected · z")


def projection(viewer: Any) -> Any:
    glass = glass_of(viewer)
    assert glass is not None
    assert glass.projection in viewer.layers
    return glass.projection


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def state(viewer: Any) -> list[Any]:
    """Describe what the layers of the user are."""
    return [
        (one.name, one.visible, one.opacity, one.blending, id(one.data))
        for one in viewer.layers
    ]


@pytest.mark.slow
@pytest.mark.parametrize("plane", scene.PLANE_ORDER)
def test_the_strongest_along_the_sliced_axis_is_seen_from_everywhere(
    viewer: Any, plane: Any
) -> None:
    before = state(viewer)
    scene.show_plane(viewer, plane)
    ranges = viewer.dims.range
    show_glass(viewer)
    found = projection(viewer)
    axis = {"axial": 2, "coronal": 1, "sagittal": 0}[plane]
    assert found.data.shape[2 - axis] == 1
    for voxel, value in ((HIGH, 6), (LOW, -8)):
        mm = AFFINE[:3, :3] @ voxel + AFFINE[:3, 3]
        for away in (-70, 0, 80):
            mm[axis] = away
            row = np.round(found.world_to_data(mm[::-1])).astype(int)
            assert row[2 - axis] == 0
            assert found.data[tuple(row)] == value
    assert np.isnan(found.data).mean() > 0.9
    # The user's layers, their order and the sliders are as they were.
    assert state(viewer)[:-2] == before
    assert viewer.dims.range == ranges
    hide_glass(viewer)
    assert state(viewer) == before


def test_it_says_that_it_is_a_projection(viewer: Any) -> None:
    dress(viewer)
    show_glass(viewer)
    assert "maximum projection" in projection(viewer).name
    overlays = viewer.canvas.overlays
    assert overlays[OVERLAY].visible
    # The caption above it names the map.
    assert overlays[OVERLAY].text == "maximum projection along z, not a slice"
    # Both lines may lie over the brain.
    for of in ("font_size", "box"):
        assert getattr(overlays[OVERLAY], of) == getattr(overlays[CAPTION], of)
    assert overlays[PLACE].opacity == 0
    scene.show_plane(viewer, "sagittal")
    assert "along x" in overlays[OVERLAY].text
    toggle_glass(viewer)
    assert not overlays[OVERLAY].visible
    assert overlays[PLACE].opacity == 1


def test_it_follows_threshold_colors_and_the_visible_map(
    viewer: Any, statmap: Any, opened: Callable[..., Any]
) -> None:
    from napari.layers import Layer

    show_glass(viewer)
    layer, found = layer_of(viewer), projection(viewer)
    n = np.isfinite(found.data).sum()
    threshold(viewer, layer, statmap, 7)
    assert np.isfinite(found.data).sum() == 1 < n
    assert found.contrast_limits == layer.contrast_limits
    layer.colormap = "viridis"
    assert found.colormap.name == "viridis"
    # A map that is opened comes above, as in the layer list.
    data = np.zeros(SHAPE)
    data[20:23, 20:23, 20:23] = 9
    other = opened({"t": data}, affine=AFFINE)["t"]
    made = Layer.create(*map_layer(other, visible=True)[0])
    viewer.add_layer(made)
    assert np.nanmax(found.data) == 9
    made.visible = False
    assert np.nanmin(found.data) == -8
    layer.visible = False
    assert found not in viewer.layers
    made.visible = True
    assert np.nanmax(projection(viewer).data) == 9


@pytest.mark.slow
def test_in_3d_it_waits(viewer: Any) -> None:
    show_glass(viewer)
    found = projection(viewer)
    viewer.dims.ndisplay = 3
    assert found not in viewer.layers
    viewer.dims.ndisplay = 2
    assert found in viewer.layers
    commands.show_brain_in_3d(viewer)
    commands.show_coronal(viewer)
    assert found.visible
    assert found.data.shape == (46, 1, 46)


@pytest.mark.slow
@pytest.mark.parametrize("gone", ["projection", "outline", "map", "everything"])
def test_layers_may_be_removed_at_any_time(viewer: Any, gone: str) -> None:
    show_glass(viewer)
    glass = glass_of(viewer)
    assert glass is not None
    if gone == "everything":
        viewer.layers.clear()
    else:
        layer = layer_of(viewer) if gone == "map" else getattr(glass, gone)
        viewer.layers.remove(layer)
    for plane in ("coronal", "axial"):
        scene.show_plane(viewer, plane)  # type: ignore[arg-type]
    # Never black over everything, nor a projection that looks like a slice.
    assert not any(one.visible for one in viewer.layers if "Glass" in one.name)
    assert not viewer.canvas.overlays[OVERLAY].visible
    if gone in ("projection", "outline"):
        assert glass_of(viewer) is None
        show_glass(viewer)
        assert len([one for one in viewer.layers if "Glass" in one.name]) == 2


@pytest.mark.slow
def test_the_command_works_on_the_stand_in_of_a_viewer(viewer: Any) -> None:
    from napari.utils._proxies import PublicOnlyProxy

    before = names(viewer)
    commands.toggle_glass_brain(PublicOnlyProxy(viewer))
    gc.collect()
    scene.show_plane(viewer, "coronal")
    assert projection(viewer).data.shape == (46, 1, 46)
    commands.toggle_glass_brain(PublicOnlyProxy(viewer))
    assert names(viewer) == before


@pytest.mark.slow
def test_nothing_keeps_a_closed_viewer_alive(statmap: Any, preferences: Any) -> None:
    from napari.components import ViewerModel

    model = ViewerModel()
    fill(model, statmap)
    show_glass(model)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.viewer
@pytest.mark.parametrize("orientation", scene.CAMERA_ORIENTATION)
def test_right_is_drawn_at_the_right_and_slices_below_are_covered(
    window: Any, statmap: Any, orientation: str
) -> None:
    viewer = window
    layer = fill(viewer, statmap)
    layer.colorbar.visible = False
    scene.set_anatomical(viewer, orientation)
    commands.toggle_glass_brain(viewer)
    glass = glass_of(viewer)
    assert glass is not None
    # Far from both peaks: no slice shows them.
    scene.look_at(viewer, 0, 0, -72)
    seen = {}
    for plane in scene.PLANE_ORDER:
        scene.show_plane(viewer, plane)  # type: ignore[arg-type]
        for overlay in viewer.canvas.overlays.values():
            overlay.visible = False
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        middle = np.array(picture.shape[:2]) / 2
        warm = np.argwhere(picture[..., 0] - picture[..., 2] > 60)
        cold = np.argwhere(picture[..., 2] - picture[..., 0] > 60)
        assert len(warm) > 100
        assert len(cold) > 100
        seen[plane] = [
            ("top" if row < middle[0] else "bottom")
            + (" right" if column > middle[1] else " left")
            for row, column in (warm.mean(axis=0), cold.mean(axis=0))
        ]
        # The template would be bright.
        assert (picture.min(axis=2) > 150).mean() < 0.01
    expected = {plane: ["top right", "bottom left"] for plane in scene.PLANE_ORDER}
    if orientation == "radiological":
        # A sagittal slice has no right and left.
        for plane in ("axial", "coronal"):
            expected[plane] = ["top left", "bottom right"]
    assert seen == expected
