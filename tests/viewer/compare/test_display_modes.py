"""Maps seen together, and each as it was before."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results.export.colors import HUES
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    layers_of_map,
)
from napari_neurosynth_results.viewer.clusters.defaults import clusters_for
from napari_neurosynth_results.viewer.compare.display_modes import JointDisplay
from napari_neurosynth_results.viewer.layers import UNDERLAY_KEY, map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps

pytestmark = pytest.mark.usefixtures("underlay")

SHAPE = (20, 24, 20)
AFFINE = np.diag([8.0, 8, 8, 1])
AFFINE[:3, 3] = -76, -112, -72
MODES = ("overlay", "outlines", "side by side", "blink", "swipe")


@pytest.fixture
def maps(viewer: Any, opened: Callable[..., ResultSet]) -> list[Any]:
    """Return the layers of three maps that overlap, and one that is left out."""
    arrays = {}
    for number, name in enumerate(("a", "b", "c", "d")):
        data = np.zeros(SHAPE, np.float32)
        data[4 + 2 * number : 10 + 2 * number, 6:12, 6:12] = 5 + number
        arrays[f"{name}_z"] = data
    results = opened(arrays, affine=AFFINE)
    add_maps(viewer, list(results.maps.values()))
    layers = [layer for layer in viewer.layers if map_of(layer) is not None]
    for layer in layers:
        layer.visible = layer is layers[-1]
    for layer in layers[:3]:
        clusters_for(viewer, layer)
    return layers


def look(viewer: Any) -> list[tuple[Any, ...]]:
    """Describe every layer: what has to come back."""
    return [
        (
            layer.name,
            layer.visible,
            layer.opacity,
            layer.colormap.name if map_of(layer) is not None else None,
            tuple(getattr(layer, "contrast_limits", ())),
            getattr(layer, "contour", None),
            layer.name_overlay.visible,
            None if map_of(layer) is not None else np.asarray(layer.colormap.colors),
        )
        for layer in viewer.layers
    ]


def same(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> bool:
    return len(one) == len(other) and all(
        a[:-1] == b[:-1] and (a[-1] is None or np.array_equal(a[-1], b[-1]))
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_everything_is_as_before_afterwards(
    viewer: Any, maps: list[Any], mode: Any
) -> None:
    before, grid = look(viewer), viewer.canvas.grid.enabled
    together = JointDisplay(viewer)
    together.show(mode, maps[:3])
    assert together.mode == mode
    assert not same(look(viewer), before)
    together.stop()
    assert same(look(viewer), before)
    assert viewer.canvas.grid.enabled == grid
    assert together.mode is None
    assert together.maps == []


@pytest.mark.slow
def test_one_way_after_the_other_comes_back_to_the_first(
    viewer: Any, maps: list[Any]
) -> None:
    before = look(viewer)
    together = JointDisplay(viewer)
    for mode in MODES:
        together.show(mode, maps[:2])  # type: ignore[arg-type]
    together.stop()
    assert same(look(viewer), before)


def test_over_each_other_each_map_has_its_color(viewer: Any, maps: list[Any]) -> None:
    together = JointDisplay(viewer)
    together.show("overlay", maps[:3])
    assert [layer.visible for layer in maps] == [True, True, True, False]
    names = [layer.colormap.name for layer in maps[:3]]
    assert all(hue.name in name for hue, name in zip(HUES, names, strict=False))
    assert len(set(names)) == 3
    # The first is the lowest, and whole.
    order = [viewer.layers.index(layer) for layer in maps[:3]]
    assert order == sorted(order)
    assert [layer.opacity for layer in maps[:3]] == [1, 0.65, 0.65]
    assert together.hues == list(HUES[:3])
    # The voxels that are seen are those above the threshold, whatever the color.
    for layer in maps[:3]:
        clusters = clusters_of(cluster_layer(viewer, map_of(layer)))
        assert np.array_equal(np.isfinite(layer.data.T), clusters.labels > 0)


def test_the_first_is_filled_and_the_others_are_outlines(
    viewer: Any, maps: list[Any]
) -> None:
    together = JointDisplay(viewer)
    together.show("outlines", maps[:3])
    assert [layer.visible for layer in maps] == [True, False, False, False]
    found = [cluster_layer(viewer, map_of(layer)) for layer in maps[:3]]
    assert [layer.visible for layer in found] == [False, True, True]
    for number in (1, 2):
        color = np.asarray(found[number].colormap.colors)[1]
        assert color == pytest.approx([*HUES[number].rgb, 1])


@pytest.mark.slow
def test_side_by_side_every_cell_has_map_clusters_and_underlay(
    viewer: Any, maps: list[Any]
) -> None:
    together = JointDisplay(viewer)
    together.show("side by side", maps[:3])
    grid, layers = viewer.canvas.grid, viewer.layers
    assert grid.enabled
    cells = [cell for _, cell in grid.iter_viewboxes(layers) if cell]
    assert len(cells) == 3
    for cell, shown in zip(cells, maps, strict=False):
        inside = [layers[index] for index in cell]
        assert UNDERLAY_KEY in inside[0].metadata
        assert inside[1] is shown
        assert inside[1:] == layers_of_map(viewer, shown)
        assert cluster_layer(viewer, map_of(shown)) in inside
        assert all(layer.visible for layer in inside)
        assert shown.name_overlay.visible
        # The same voxels are drawn, none is copied.
        assert np.shares_memory(inside[0].data, layers[0].data)
    assert not maps[3].visible


def test_blinking_shows_one_after_the_other(viewer: Any, maps: list[Any]) -> None:
    together = JointDisplay(viewer)
    assert together.next() is None
    together.show("blink", maps[:3])
    seen = [[layer.visible for layer in maps].index(True)]
    for _ in range(4):
        shown = together.next()
        visible = [layer for layer in maps if layer.visible]
        assert visible == [shown]
        seen.append(maps.index(shown))
    assert seen == [0, 1, 2, 0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("side", ["neurological", "radiological"])
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_swiping_cuts_both_maps_at_one_place(
    viewer: Any, maps: list[Any], side: str, plane: Any
) -> None:
    together = JointDisplay(viewer)
    together.show("swipe", maps[:2])
    scene.set_anatomical(viewer, side)
    scene.show_plane(viewer, plane)
    parts = [layer for layer in viewer.layers if layer.name.startswith("swipe: ")]
    axis = viewer.dims.order[-1]
    n = maps[0].data.shape[axis]
    for share in (0.0, 0.25, 0.8, 1.0):
        together.swipe_to(share)
        shown = [part.data.shape[axis] if part.visible else 0 for part in parts]
        assert sum(shown) == n
        # The first lies on the left of the canvas, whichever way the camera looks.
        rightwards = str(viewer.scene.camera.orientation[2]) == "right"
        first, second = (
            part.translate[axis] if part.visible else None for part in parts
        )
        if None not in (first, second):
            assert (first < second) == rightwards
        for part, whole in zip(parts, maps, strict=False):
            if part.visible:
                assert np.shares_memory(part.data, whole.data)
                at = round(
                    (part.translate[axis] - whole.translate[axis]) / whole.scale[axis]
                )
                index = [slice(None)] * 3
                index[axis] = slice(at, at + part.data.shape[axis])
                seen = whole.data[tuple(index)]
                assert np.array_equal(part.data, seen, equal_nan=True)
    shares = [together.swipe_to(share) for share in (1.0, 0.0)]
    assert shares == [None, None]
    assert [part.visible for part in parts] == [False, True]


@pytest.mark.slow
def test_layers_that_are_removed_in_between_are_no_matter(
    viewer: Any, maps: list[Any]
) -> None:
    together = JointDisplay(viewer)
    for mode in MODES:
        together.show(mode, together.maps or maps[:3])  # type: ignore[arg-type]
        if len(together.maps) > 1:
            viewer.layers.remove(together.maps[-1])
        together.next()
        together.swipe_to(0.3)
    together.stop()
    assert all("swipe" not in layer.name for layer in viewer.layers)


@pytest.mark.slow
def test_nothing_is_kept_alive(qapp: Any) -> None:
    from napari.components import ViewerModel

    model = ViewerModel()
    together = JointDisplay(model)
    together.stop()
    gone = weakref.ref(model)
    del model, together
    gc.collect()
    assert gone() is None
