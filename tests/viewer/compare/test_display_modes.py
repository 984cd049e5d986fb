"""Maps seen together, and each as it was before."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.export.colors import HUES
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import canvas, scene
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    faint_layer,
    layers_of_map,
    show_clusters,
)
from napari_neurosynth_results.viewer.clusters.defaults import (
    clusters_for,
    threshold_map,
)
from napari_neurosynth_results.viewer.compare.display_modes import JointDisplay
from napari_neurosynth_results.viewer.layers import UNDERLAY_KEY, map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.shown_maps import longest_ascent

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
@pytest.mark.parametrize("mode", MODES)
def test_what_the_user_chose_comes_back(
    viewer: Any, maps: list[Any], mode: Any
) -> None:
    """Colors, zoom, selection, order, and what is faint."""
    chosen, given = maps[:2]
    chosen.colormap, chosen.contrast_limits, chosen.gamma = "magma", (1.0, 9.0), 0.7
    show_clusters(viewer, given, clusters_for(viewer, given), faint=True)
    below = faint_layer(viewer, given)
    viewer.layers.move(viewer.layers.index(given), 1)
    viewer.layers.selection = {maps[2], maps[3]}
    camera = viewer.scene.camera
    camera.zoom, camera.center = 7.5, (1.0, 2.0, 3.0)
    before, order = look(viewer), list(viewer.layers)
    together = JointDisplay(viewer)
    together.show(mode, maps[:2])
    assert not below.visible
    together.stop()
    assert same(look(viewer), before)
    assert list(viewer.layers) == order
    assert (chosen.colormap.name, chosen.gamma) == ("magma", 0.7)
    assert viewer.layers.selection == {maps[2], maps[3]}
    assert camera.zoom == 7.5
    assert tuple(camera.center) == (1, 2, 3)
    # A new threshold leaves the user's colors alone, and gives the other map its own.
    for layer in (chosen, given):
        threshold_map(viewer, layer, Threshold(value=4))
    assert chosen.colormap.name == "magma"
    assert "orange" not in given.colormap.name


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_switch_is_drawn_once(viewer: Any, maps: list[Any], mode: Any) -> None:
    """All that changes layers happens while the canvas waits."""
    told: list[str] = []
    together = JointDisplay(viewer)
    together.show("blink" if mode == "overlay" else "overlay", maps[:2])
    events = viewer.layers.events
    events.begin_batch.connect(lambda: told.append("waits"))
    events.end_batch.connect(lambda: told.append("draws"))
    events.reordered.connect(lambda: told.append("layer"))
    for layer in viewer.layers:
        layer.events.visible.connect(lambda: told.append("layer"))
    together.show(mode, maps[:2])
    assert (told[0], told[-1]) == ("waits", "draws")
    assert set(told[1:-1]) <= {"layer"}
    told.clear()
    # Nothing differs: no layer is touched.
    if mode in ("overlay", "outlines", "blink"):
        together.show(mode, maps[:2])
        assert told == ["waits", "draws"]


def test_what_is_hidden_in_the_meantime_stays_hidden(
    viewer: Any, maps: list[Any]
) -> None:
    underlay = next(one for one in viewer.layers if UNDERLAY_KEY in one.metadata)
    together = JointDisplay(viewer)
    together.show("overlay", maps[:2])
    assert not together.hides(maps[0])
    underlay.visible = False
    maps[3].visible = True
    assert together.hides(maps[3])
    together.show("outlines", maps[:2])
    assert not underlay.visible
    together.stop()
    assert not underlay.visible
    assert maps[3].visible


def test_a_map_whose_clusters_are_deleted_gets_its_colors_back(
    viewer: Any, maps: list[Any]
) -> None:
    name, limits = maps[0].colormap.name, maps[0].contrast_limits
    together = JointDisplay(viewer)
    together.show("overlay", maps[:2])
    viewer.layers.remove(cluster_layer(viewer, map_of(maps[0])))
    together.stop()
    assert maps[0].colormap.name == name
    assert maps[0].contrast_limits == limits


@pytest.mark.slow
def test_every_cell_holds_its_own_map_where_layers_are_missing(
    viewer: Any, maps: list[Any]
) -> None:
    outlines = layers_of_map(viewer, maps[0])[1]
    viewer.layers.remove(outlines)
    together = JointDisplay(viewer)
    together.show("side by side", maps[:3])
    layers = viewer.layers
    boxes = viewer.canvas.grid.iter_viewboxes(layers)
    cells = [
        [layers[index] for index in cell if layers[index].visible] for _, cell in boxes
    ]
    for cell, shown in zip([cell for cell in cells if cell], maps, strict=False):
        assert [one for one in cell if map_of(one) is not None] == [shown]
        assert UNDERLAY_KEY in cell[0].metadata
    together.stop()
    assert not any(layer.name.startswith("Points") for layer in layers)


def test_the_caption_tells_the_maps_apart(viewer: Any, maps: list[Any]) -> None:
    canvas.dress(viewer)
    together = JointDisplay(viewer)
    overlays = viewer.canvas.overlays

    def lines() -> list[str]:
        return [
            line for line in overlays[canvas.CAPTION].text.split("\n") if ":" in line
        ]

    for mode, first, second in (
        ("overlay", "orange: ", "sky blue: "),
        ("outlines", "filled: ", "outlines, sky blue: "),
        ("side by side", "left: ", "right: "),
        ("swipe", "left, orange: ", "right, sky blue: "),
    ):
        together.show(mode, maps[:2])  # type: ignore[arg-type]
        told = overlays[canvas.CAPTION].text
        assert told.index(first + maps[0].name) < told.index(second + maps[1].name)
        # An extent of one voxel is none.
        assert "(p <=" in told
        assert "extent" not in told
    together.show("blink", maps[:2])
    assert lines()[0].startswith(f"1 of 2, orange: {maps[0].name}")
    together.next()
    assert lines()[0].startswith(f"2 of 2, sky blue: {maps[1].name}")
    together.stop()
    assert not any(canvas.SIDE_KEY in layer.metadata for layer in viewer.layers)


def test_the_bar_beside_cells_says_whose_it_is(viewer: Any, maps: list[Any]) -> None:
    """It stands below the last cell, and those of others may end elsewhere."""
    canvas.dress(viewer)
    together = JointDisplay(viewer)
    together.show("side by side", maps[:2])
    bar = canvas.bar_on(viewer)
    assert bar is not None
    first, second = map(canvas.bar_of, maps[:2])
    assert first.ticks != second.ticks
    assert (bar.title, bar.ticks) == (f"left: {first.title}", first.ticks)
    together.stop()
    bar = canvas.bar_on(viewer)
    assert bar is not None
    assert "left" not in bar.title


def test_a_line_lies_between_two_maps_that_are_swiped(
    viewer: Any, maps: list[Any]
) -> None:
    together = JointDisplay(viewer)
    together.show("swipe", maps[:2])
    left, right = (viewer.canvas.overlays[name] for name in canvas._SIDES)
    assert maps[0].name in left.text
    assert maps[1].name in right.text
    assert left.visible
    assert right.visible
    line = viewer.scene.overlays[canvas.DIVIDER]
    together.swipe_to(0.25)
    low, high = viewer.dims.range[viewer.dims.order[-1]][:2]
    assert line.place == pytest.approx(low + (high - low) / 4)
    together.show("overlay", maps[:2])
    assert [line.visible, left.visible, right.visible] == [False] * 3


@pytest.mark.slow
def test_swiped_maps_follow_their_thresholds(viewer: Any, maps: list[Any]) -> None:
    together = JointDisplay(viewer)
    together.show("swipe", maps[:2])
    together.swipe_to(1.0)
    part = next(one for one in viewer.layers if one.name.startswith("swipe: "))
    redrawn: list[object] = []
    part.events.set_data.connect(redrawn.append)
    threshold_map(viewer, maps[0], Threshold(value=4.5))
    assert redrawn
    assert part.contrast_limits == maps[0].contrast_limits
    assert np.array_equal(part.data, maps[0].data, equal_nan=True)


@pytest.mark.slow
def test_clusters_are_seen_as_the_display_wants_afterwards(
    viewer: Any, maps: list[Any]
) -> None:
    own = viewer.add_image(np.ones((4, 4, 4)), name="mine")
    found = cluster_layer(viewer, map_of(maps[0]))
    assert found is not None
    together = JointDisplay(viewer)
    together.show("overlay", maps[:2])
    own.opacity = 0.3
    viewer.dims.ndisplay = 3
    together.stop()
    # In 3D clusters stand for themselves; and what is the user's own stays so.
    assert found.opacity == 1
    assert own.opacity == 0.3


@pytest.mark.slow
def test_maps_are_swiped_beside_a_series(viewer: Any, maps: list[Any]) -> None:
    viewer.add_image(np.ones((2, 4, 4, 4)), name="series")
    together = JointDisplay(viewer)
    together.show("swipe", maps[:2])
    parts = [one for one in viewer.layers if one.name.startswith("swipe: ")]
    assert sum(one.data.shape[2] for one in parts) == SHAPE[0]
    together.stop()


@pytest.mark.slow
@pytest.mark.parametrize("step", [-1, 2])
def test_a_layer_that_is_moved_by_one_leaves_the_others_in_their_order(
    viewer: Any, maps: list[Any], step: int
) -> None:
    moved = viewer.add_points(np.zeros((1, 3)))
    others = [layer for layer in viewer.layers if layer is not moved]
    together = JointDisplay(viewer)
    together.show("overlay", maps[:2])
    place = viewer.layers.index(moved)
    assert 0 < place < len(viewer.layers) - 1
    assert viewer.layers.move(place, place + step)
    together.show("outlines", maps[:3])
    together.stop()
    assert [layer for layer in viewer.layers if layer is not moved] == others


@given(st.permutations(range(9)))
def test_as_few_layers_as_can_be_are_moved(numbers: list[int]) -> None:
    found = sorted(longest_ascent(numbers))
    series = [numbers[at] for at in found]
    assert series == sorted(series)
    # The definition, by patience: as many piles as the longest series is long.
    piles: list[int] = []
    for number in numbers:
        place = next((i for i, top in enumerate(piles) if top > number), len(piles))
        piles[place : place + 1] = [number]
    assert len(found) == len(piles)


@pytest.mark.slow
def test_two_viewers_do_not_disturb_each_other(viewer: Any, maps: list[Any]) -> None:
    from napari.components import ViewerModel

    other = ViewerModel()
    add_maps(other, [map_of(layer) for layer in maps[:2]])
    theirs = [layer for layer in other.layers if map_of(layer) is not None]
    for layer in theirs:
        clusters_for(other, layer)
    before = look(other)
    here, there = JointDisplay(viewer), JointDisplay(other)
    here.show("overlay", maps[:2])
    assert same(look(other), before)
    there.show("swipe", theirs)
    here.stop()
    assert there.mode == "swipe"
    there.stop()
    assert same(look(other), before)


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


@pytest.mark.viewer
@pytest.mark.slow
@pytest.mark.parametrize("before", ["swipe", "overlay"])
def test_cells_hold_brains_whatever_was_seen_before(
    make_napari_viewer: Any, opened: Callable[..., ResultSet], before: Any
) -> None:
    """Swiped maps have no color bar, and napari makes cells for one that comes."""
    window = make_napari_viewer(show=True)
    window.window.resize(1100, 800)
    data = np.zeros(SHAPE, np.float32)
    data[4:10, 6:12, 6:12] = 5
    results = opened({"a_z": data, "b_z": data + data}, affine=AFFINE)
    add_maps(window, list(results.maps.values()))
    canvas.dress(window)
    layers = [layer for layer in window.layers if map_of(layer) is not None]
    for layer in layers:
        clusters_for(window, layer)
    together = JointDisplay(window)
    together.show(before, layers)
    together.show("side by side", layers)
    picture = window.screenshot(flash=False)[..., :3].max(axis=2)
    height, width = picture.shape
    for left in (0, width // 2):
        cell = picture[height // 3 : 2 * height // 3, left : left + width // 2]
        assert (cell > 60).mean() > 0.1
    together.let_go()
