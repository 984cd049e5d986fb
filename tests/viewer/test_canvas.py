"""What stands on the canvas: the map, its threshold, one color bar, the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import AFFINE, SHAPE
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import scene, shown_maps
from napari_neurosynth_results.viewer.canvas import (
    CAPTION,
    COLOR_BAR,
    CROSSHAIR,
    PLACE,
    Bar,
    bar_of,
    dress,
    show_place,
    toggle_crosshair,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.layers import map_layer, value_behind

Opened = Callable[..., Any]


@pytest.fixture
def z() -> npt.NDArray[np.float32]:
    """Return z of both signs, the strongest 6 and -5."""
    values = np.zeros(SHAPE, np.float32)
    values[2:4, 3:5, 3:5] = 4
    values[2, 3, 3] = 6
    values[5:7, 3:5, 3:5] = -4
    values[5, 3, 3] = -5
    return values


def add(viewer: Any, statmap: Any) -> Any:
    """Add the layer of a map."""
    from napari.layers import Layer

    made, _ = map_layer(statmap, visible=True)
    layer = viewer.add_layer(Layer.create(*made))
    dress(viewer)
    return layer


def rows(bar: Bar) -> npt.NDArray[np.uint8]:
    """Return the colors of a bar from top to bottom."""
    return np.frombuffer(bar.colors, np.uint8).reshape(-1, 4)


def painted(layer: Any, value: float) -> npt.NDArray[np.float64]:
    """Color a value as napari does."""
    low, high = layer.contrast_limits
    share = np.clip((value - low) / (high - low), 0, 1) ** layer.gamma
    return 255 * layer.colormap.map([share])[0]


def test_the_caption_says_map_and_threshold(
    viewer: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    layer = add(viewer, opened({"z": z})["z"])
    caption = viewer.canvas.overlays[CAPTION]
    assert caption.visible
    assert caption.text.startswith("uncorrected · z: ")
    clusters = clusters_at(opened({"z": z})["z"], Threshold(value=3.5))
    show_clusters(viewer, layer, clusters)
    assert "3.5" in caption.text
    layer.name = "pain"
    assert " ".join(caption.text.split()) == f"pain: {clusters}"
    assert all(len(line) <= 120 for line in caption.text.splitlines())
    layer.visible = False
    assert not caption.visible
    viewer.layers.clear()
    assert not caption.visible
    assert not viewer.canvas.overlays[COLOR_BAR].visible


def test_the_bar_of_both_signs_ends_at_the_threshold_on_both_sides(
    viewer: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    layer = add(viewer, opened({"z": z})["z"])
    statmap = layer.metadata["neurosynth_results"]
    show_clusters(viewer, layer, clusters_at(statmap, Threshold(value=3.5)))
    for limits, gamma in (((-6, 6), 1), ((-2, 9), 0.5)):
        layer.contrast_limits, layer.gamma = limits, gamma
        bar = viewer.canvas.overlays[COLOR_BAR].bar
        texts = [text for _, text in bar.ticks]
        assert texts == ["6", "≥ 3.5", "≤ \N{MINUS SIGN}3.5", "\N{MINUS SIGN}6"]
        assert bar.title == "z"
        colors = rows(bar)
        clear = colors[:, 3] == 0
        for (share, _), value in zip(bar.ticks, (6, 3.5, -3.5, -6), strict=True):
            row = min(round(share * len(colors)), len(colors) - 1)
            row -= value in (3.5,)
            assert np.abs(colors[row] - painted(layer, value)).max() <= 1
        # Nothing stands for what does not survive.
        start, end = (round(share * len(colors)) for share, _ in bar.ticks[1:3])
        assert clear[start:end].all()
        assert not clear[:start].any()
        assert not clear[end:].any()


def test_the_bar_of_one_sign_and_that_of_p(viewer: Any, opened: Opened) -> None:
    ramp = np.linspace(0.001, 5, np.prod(SHAPE)).reshape(SHAPE)
    results = opened({"z": ramp, "p": 10**-ramp})
    layer = add(viewer, results["z"])
    show_clusters(viewer, layer, clusters_at(results["z"], Threshold(value=2)))
    assert [text for _, text in bar_of(layer).ticks] == ["5", "≥ 2"]
    layer = add(viewer, results["p"])
    show_clusters(viewer, layer, clusters_at(results["p"], Threshold(p=0.01)))
    bar = viewer.canvas.overlays[COLOR_BAR].bar
    # What is strong stands on top, which of p is what is small.
    assert [text for _, text in bar.ticks] == ["1e-5", "≤ .01"]
    colors = rows(bar)
    for row, value in ((0, 1e-5), (len(colors) // 2, 10**-3.5), (-1, 0.01)):
        assert np.abs(colors[row] - painted(layer, value)).max() <= 4


def test_only_the_topmost_map_has_a_bar(
    viewer: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    below = add(viewer, opened({"z": z})["z"])
    above = add(viewer, opened({"t": 2 * z})["t"])
    drawn = viewer.canvas.overlays[COLOR_BAR]
    assert drawn.bar == bar_of(above)
    assert len(viewer.canvas.overlays[CAPTION].text.splitlines()) >= 2
    above.visible = False
    assert drawn.bar == bar_of(below)
    above.visible = True
    viewer.layers.move(viewer.layers.index(below), len(viewer.layers))
    assert drawn.bar == bar_of(below)
    viewer.layers.remove(below)
    assert drawn.bar == bar_of(above)
    assert not any(layer.colorbar.visible for layer in viewer.layers)


def test_the_place_is_named_and_hidden_in_3d(
    viewer: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    add(viewer, opened({"z": z})["z"])
    place = viewer.canvas.overlays[PLACE]
    scene.look_at(viewer, 10, -30, 20)
    assert place.text == "x 10, y -30, z 20 mm"
    viewer.dims.ndisplay = 3
    assert not place.visible
    viewer.dims.ndisplay = 2
    assert place.visible
    cross = viewer.scene.overlays[CROSSHAIR]
    assert cross.visible
    toggle_crosshair(viewer)
    assert not cross.visible


def test_a_layer_in_two_viewers_tells_both(
    viewer: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    from napari.components import ViewerModel

    layer = add(viewer, opened({"z": z})["z"])
    other = ViewerModel()
    other.add_layer(layer)
    dress(other)
    layer.name = "pain"
    for one in (viewer, other):
        assert one.canvas.overlays[CAPTION].text.startswith("pain: ")
    n = len(layer.events.name.callbacks)
    dress(other)
    assert len(layer.events.name.callbacks) == n


def test_the_status_bar_says_x_y_z_and_what_the_threshold_hides(
    viewer: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    z[4, 4, 4] = 1.25
    layer = add(viewer, opened({"z": z})["z"])
    viewer.layers.selection.active = layer
    viewer.mouse_over_canvas = True
    for voxel, value in (((2, 3, 3), "6"), ((4, 4, 4), "1.25 (not shown)")):
        x, y, at = AFFINE[:3, :3] @ voxel + AFFINE[:3, 3]
        scene.look_at(viewer, 0, 0, at)
        viewer.cursor.position = (at, y, x)
        viewer.update_status_from_cursor()
        named = f"x {x:g}, y {y:g}, z {at:g} mm"
        assert viewer.status["coords"] == named
        assert viewer.status["coordinates"] == f"{named}: {value}"
    viewer.add_image(z)
    viewer.layers.selection.update(viewer.layers)
    viewer.status = f"[{at:.2f} {y:.2f} {x:.2f}] » two: 1"
    assert viewer.status == f"{named} » two: 1"


def test_what_napari_said_before_is_said_in_mm_at_once(
    viewer: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    layer = add(viewer, opened({"z": z})["z"])
    viewer.layers.selection.active = layer
    viewer.mouse_over_canvas = False
    for bracket in ("[0.00, -50.00, -30.00]", "[0.00 -50.00 -30.00]", "[0, -5e1, -30]"):
        viewer.status = {"coords": bracket, "value": "nan", "coordinates": bracket}
        dress(viewer)
        assert viewer.status["coordinates"] == "x -30, y -50, z 0 mm: 6"
    # It said so of another layer, whose name is not that of the value.
    bracket = "[0.00, -50.00, -30.00]"
    said = {"coords": bracket, "value": "23", "coordinates": bracket}
    viewer.status = {**said, "layer_name": "MNI152 T1", "layer_base": "MNI152 T1"}
    assert viewer.status["coordinates"] == "x -30, y -50, z 0 mm: 6"
    assert {viewer.status[of] for of in ("layer_name", "layer_base")} == {layer.name}
    # Or of several layers, one of which is selected now.
    viewer.status = f"{bracket} » {layer.name}: nan"
    assert viewer.status["coordinates"] == "x -30, y -50, z 0 mm: 6"
    viewer.dims.ndisplay = 3
    viewer.status = "[0.00, -50.00, -30.00]: 6"
    assert viewer.status == "[0.00, -50.00, -30.00]: 6"


def test_a_tested_cluster_has_the_value_that_is_colored(
    viewer: Any, sample: ResultSet
) -> None:
    """Each voxel of its own map has the value of the cluster, which no bar shows."""
    tested = sample["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    shown_maps.show_alone(viewer, tested)
    layer = shown_maps.current_layer(viewer)
    for place, value in (((38, 4, 2), sample["z"]), ((20, -102, -4), tested)):
        voxel = layer.world_to_data(place[::-1]).round().astype(int)
        at = value_behind(layer, tuple(voxel))
        assert at == value.data[tuple(voxel[::-1])] != 0


@pytest.mark.viewer
@pytest.mark.slow
def test_the_screen_shows_the_bar_and_a_cross_that_is_open_in_the_middle(
    window: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    layer = add(window, opened({"z": z})["z"])
    layer.opacity = 0
    scene.look_at(window, 10, -30, 0)
    window.reset_view()
    picture = screen(window)
    green = green_in(picture)
    n_rows = len(green)
    row, column = lines_in(green)
    zoom = window.scene.camera.zoom
    assert_at(window, row, column, x=10, y=-30)
    near = round(4 * zoom)
    assert not green[row, column - near : column + near].any()
    assert not green[row - near : row + near, column].any()
    # Both ends of the bar are in the upper right corner, each in a row of its color.
    corner = picture[: n_rows // 2, -60:]
    for color in rows(bar_of(layer))[[2, -3], :3].astype(int):
        alike = np.abs(corner - color).max(axis=2) <= 12
        assert alike.sum(axis=1).max() >= 10


def screen(window: Any) -> npt.NDArray[np.int_]:
    picture = window.screenshot(canvas_only=True, flash=False)
    return np.asarray(picture[..., :3], int)


def green_in(picture: npt.NDArray[np.int_]) -> npt.NDArray[np.bool_]:
    red, green, blue = np.moveaxis(picture, 2, 0)
    return np.asarray((green - red > 80) & (green - blue > 80))


def lines_in(green: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Return the row and the column of a cross."""
    n_rows, n_columns = green.shape
    (row,) = np.flatnonzero(green.sum(axis=1) > n_columns / 2)[:1]
    (column,) = np.flatnonzero(green.sum(axis=0) > n_rows / 2)[:1]
    return int(row), int(column)


def assert_at(window: Any, row: int, column: int, *, x: float, y: float) -> None:
    center, zoom = window.scene.camera.center, window.scene.camera.zoom
    n_rows, n_columns = screen(window).shape[:2]
    # The axes z, y, x: y grows downwards on a bare canvas.
    assert abs(column - (n_columns / 2 + (x - center[2]) * zoom)) <= 2
    assert abs(row - (n_rows / 2 + (y - center[1]) * zoom)) <= 2


def test_a_cross_that_comes_back_is_where_the_slices_are(
    window: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    add(window, opened({"z": z})["z"]).opacity = 0
    scene.look_at(window, 10, -30, 0)
    toggle_crosshair(window)
    scene.look_at(window, 0, -20, 0)
    toggle_crosshair(window)
    window.reset_view()
    row, column = lines_in(green_in(screen(window)))
    assert_at(window, row, column, x=0, y=-20)


@given(st.floats(1e-9, 1e9))
@example(float(np.nextafter(1000, 0)))
@example(1000.0)
def test_a_scale_bar_is_round_and_no_longer_than_there_is_room(most: float) -> None:
    from napari_neurosynth_results.viewer.napari_overlays import _round_length

    length = _round_length(most)
    assert most / 2.5 * (1 - 1e-9) <= length <= most
    assert f"{length:.9e}"[0] in "125"


def rectangles(viewer: Any) -> dict[str, tuple[float, float, float, float]]:
    """Return left, top, right and bottom of all that stands on a real canvas."""
    drawn = viewer.window._qt_viewer.canvas._viewer_overlay_to_visual
    found = {}
    for name, overlay in viewer.canvas.overlays.items():
        # Axes follow the camera, and are shown where no letters are.
        if not overlay.visible or not drawn.get(overlay) or name == "axes":
            continue
        visual = drawn[overlay][0]
        x, y = visual.node.transform.translate[:2]
        above = overlay.below if name == COLOR_BAR else 0
        found[name] = (x, y + above, x + visual.x_size, y + visual.y_size)
    return found


@pytest.mark.viewer
@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "height"),
    [(1366, 768), (1000, 700), (760, 600), (680, 560), (1100, 480)],
)
def test_nothing_on_the_canvas_lies_on_anything_else(
    window: Any, opened: Opened, z: npt.NDArray[np.float32], width: int, height: int
) -> None:
    from qtpy.QtWidgets import QApplication

    layer = add(window, opened({"z": z})["z"])
    scene.set_anatomical(window, "neurological")
    layer.metadata["neurosynth_results_threshold"] = (
        "13 clusters distinguishable from the floor, 6 significant at p_FWE <= .05 "
        "(1,000 iterations); cluster-forming threshold p < .001"
    )
    window.window.resize(width, height)
    for _ in range(5):
        QApplication.processEvents()
    for theme in ("dark", "light"):
        window.theme = theme
        for name in ("a map", "a map that somebody gave averyveryverylongnameto"):
            layer.name = name
            window.screenshot(flash=False)
            found = rectangles(window)
            assert {CAPTION, "scale_bar", "orientation_left"} <= set(found)
            rows, columns = window.canvas.size
            for left, top, right, bottom in found.values():
                assert left >= 0
                assert top >= 0
                assert right <= columns
                assert bottom <= rows
            for one, first in found.items():
                for other, second in found.items():
                    apart = (
                        first[2] <= second[0]
                        or second[2] <= first[0]
                        or first[3] <= second[1]
                        or second[3] <= first[1]
                    )
                    assert one == other or apart, (one, other, found)


@pytest.mark.viewer
@pytest.mark.parametrize("width", [920, 640])
def test_the_caption_of_cells_leaves_the_scale_bar_alone(
    window: Any, opened: Opened, z: npt.NDArray[np.float32], width: int
) -> None:
    from qtpy.QtWidgets import QApplication

    layer = add(window, opened({"z": z})["z"])
    scene.set_anatomical(window, "neurological")
    layer.metadata["neurosynth_results_threshold"] = (
        "13 clusters distinguishable from the floor, 6 significant at p_FWE <= .05 "
        "(1,000 iterations); cluster-forming threshold p < .001"
    )
    window.window.resize(width, 768)
    window.canvas.grid.enabled = True
    for _ in range(5):
        QApplication.processEvents()
    layer.name = "a map"
    window.screenshot(flash=False)
    found = rectangles(window)
    window.canvas.grid.enabled = False
    caption, bar = found[CAPTION], found["scale_bar"]
    beside = caption[2] <= bar[0]
    above = caption[3] <= bar[1] or bar[3] <= caption[1]
    assert beside or above, found


@pytest.mark.viewer
@pytest.mark.slow
def test_a_view_that_nobody_moved_fits_a_canvas_of_another_size(
    window: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    from qtpy.QtWidgets import QApplication

    def resize(width: int) -> None:
        window.window.resize(width, 800)
        for _ in range(5):
            QApplication.processEvents()

    add(window, opened({"z": z})["z"])
    camera = window.scene.camera
    zooms = []
    for width in (1300, 700):
        resize(width)
        zooms.append(camera.zoom)
        window.fit_to_view()
        assert camera.zoom == pytest.approx(zooms[-1])
    assert zooms[1] < zooms[0]
    camera.zoom = 3.3
    resize(1300)
    assert camera.zoom == 3.3


@pytest.mark.viewer
@pytest.mark.slow
def test_the_scale_bar_is_as_long_as_it_says_and_napari_can_hide_it(
    window: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    # Others make it narrow.
    window.window.resize(1300, 800)
    add(window, opened({"z": z})["z"])
    scene.set_anatomical(window, "neurological")
    window.layers.clear()
    add(window, opened({"z": z})["z"]).opacity = 0
    window.theme = "dark"
    bar = window.canvas.overlays.scale_bar
    bar.ticks = False
    for zoom, length in ((7.4, 20), (14.0, 10), (0.8, 100)):
        window.scene.camera.zoom = zoom
        picture = window.screenshot(canvas_only=True, flash=False)[-30:, -160:, :3]
        line = (picture > 200).all(axis=2).sum(axis=1).max()
        assert abs(line - length * zoom) <= 2
    bar.visible = False
    picture = window.screenshot(canvas_only=True, flash=False)[-30:, -160:, :3]
    assert not (picture > 200).all(axis=2).any()


@pytest.mark.viewer
@pytest.mark.slow
def test_where_no_slice_is_shown_no_place_stands_on_the_canvas(
    window: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    window.layers.clear()
    add(window, opened({"z": z})["z"]).opacity = 0
    for overlays in (window.canvas.overlays, window.scene.overlays):
        for name, overlay in overlays.items():
            overlay.visible = name in (PLACE, CROSSHAIR)

    def drawn() -> bool:
        return bool(window.screenshot(canvas_only=True, flash=False)[..., :3].any())

    assert drawn()
    show_place(window, False)
    assert not drawn()
    show_place(window, True)
    assert drawn()


@pytest.mark.viewer
@pytest.mark.slow
def test_all_words_and_bars_of_a_canvas_are_drawn_by_one_program(
    window: Any, opened: Opened, z: npt.NDArray[np.float32]
) -> None:
    from napari_neurosynth_results.viewer import napari_overlays

    add(window, opened({"z": z})["z"])
    scene.set_anatomical(window, "neurological")
    screen(window)
    canvas = window.window._qt_viewer.canvas
    drawn = canvas._viewer_overlay_to_visual.values()
    seen = [one for found in drawn for one in found if one.node.visible]
    painted = [one for one in seen if isinstance(one, napari_overlays._Painted)]
    assert len(painted) >= 5
    made = canvas._scene_canvas.context.shared.parser._objects
    assert napari_overlays._programs[canvas._scene_canvas].id in made
    assert not made.keys() & {one.node._program.id for one in painted}


def test_a_line_of_the_caption_ends_with_no_relation(
    viewer: Any, sample: ResultSet
) -> None:
    shown_maps.show_alone(viewer, sample["z"])
    told = viewer.canvas.overlays[CAPTION]
    for width in range(320, 900, 10):
        viewer.canvas.size = (600, width)
        lines = told.text.splitlines()
        assert not [one for one in lines if one.endswith(("<=", ">=", "<", ">"))]
        assert not [one for one in lines if one.startswith(("<=", ">=", "<", ">"))]
