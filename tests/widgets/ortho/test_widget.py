"""The ortho view follows its viewer, steers it, and lets go of it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QKeyEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.common.layout import controls_in, spoken_name
from napari_neurosynth_results.widgets.ortho.widget import OrthoView, show_ortho
from napari_neurosynth_results.widgets.workbench import show_ortho_view

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
PLACED: dict[str, Any] = {"scale": (4, 4, 4), "translate": (-40, -60, -50)}
SHAPE = (21, 31, 26)


def pixels(widget: QWidget) -> npt.NDArray[np.uint8]:
    """Photograph a widget."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())
    lines = np.frombuffer(bits, np.uint8).reshape(image.height(), -1)
    return lines[:, : 3 * image.width()].reshape(image.height(), -1, 3).copy()


def let_go() -> None:
    """Delete what Qt deletes when its event loop comes round."""
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QCoreApplication.processEvents()
    gc.collect()


@pytest.fixture
def view(viewer: Any) -> Iterator[OrthoView]:
    """Return the ortho view, opened before there is any layer."""
    made = OrthoView(viewer)
    made.resize(640, 700)
    made.show()
    yield made
    made.close()


@pytest.fixture
def volume(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return rng.uniform(0, 1, SHAPE).astype(np.float32)


def spot(view: OrthoView, plane: str, place: tuple[float, float, float]) -> QPoint:
    """Return the pixel of a place (x, y, z) in a plane."""
    box, window = view.canvas.windows()[plane]
    row, column = window.pixel_of(place[::-1])
    return QPoint(round(box.left() + column), round(box.top() + row))


def place(viewer: Any) -> tuple[float, ...]:
    return tuple(viewer.dims.point[-3:][::-1])


def test_without_layers_there_is_a_sentence(viewer: Any, view: OrthoView) -> None:
    assert pixels(view.canvas).any()
    assert view.canvas.windows() == {}
    QTest.mouseClick(view.canvas, LEFT, pos=QPoint(50, 50))
    viewer.add_image(np.zeros((4, 5)))
    assert pixels(view.canvas).any()
    view.x.setValue(4)
    assert viewer.dims.ndim == 2


def image_of(viewer: Any) -> Any:
    return viewer.layers["image"]


def labels_of(viewer: Any) -> Any:
    return viewer.layers["labels"]


def points_of(viewer: Any) -> Any:
    return viewer.layers["points"]


def set_to(where: Callable[[Any], Any], name: str, value: Any) -> Callable[[Any], None]:
    def change(viewer: Any) -> None:
        setattr(where(viewer), name, value)

    return change


CHANGES: dict[str, Callable[[Any], Any]] = {
    "colormap": set_to(image_of, "colormap", "viridis"),
    "contrast limits": set_to(image_of, "contrast_limits", (0.4, 0.5)),
    "gamma": set_to(image_of, "gamma", 0.3),
    "opacity": set_to(image_of, "opacity", 0.4),
    "blending": set_to(labels_of, "blending", "multiplicative"),
    "hidden": set_to(image_of, "visible", False),
    "interpolation": set_to(image_of, "interpolation2d", "linear"),
    "image data": set_to(image_of, "data", np.ones(SHAPE, np.float32)),
    "moved": set_to(image_of, "translate", (-40, -60, -30)),
    "labels": set_to(labels_of, "data", np.full(SHAPE, 3)),
    "label colors": set_to(labels_of, "colormap", {None: "red", 1: "blue"}),
    "contour": set_to(labels_of, "contour", 1),
    "one label": set_to(labels_of, "show_selected_label", True),
    "point size": set_to(points_of, "size", 30),
    "point color": set_to(points_of, "face_color", "red"),
    "points hidden": set_to(points_of, "shown", False),
    "point data": set_to(points_of, "data", np.array([[0, 0, 8.0]])),
    "symbol": set_to(points_of, "symbol", "square"),
    "removed": lambda viewer: viewer.layers.remove("labels"),
    "reordered": lambda viewer: viewer.layers.move(0, 3),
    "added": lambda viewer: viewer.add_image(np.ones(SHAPE), colormap="red", **PLACED),
    "another place": lambda viewer: scene.look_at(viewer, 8, 12, 16),
    "another side": lambda viewer: scene.set_anatomical(viewer, "radiological"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", CHANGES)
def test_what_changes_is_painted_by_itself(
    viewer: Any, view: OrthoView, volume: npt.NDArray[Any], what: str
) -> None:
    viewer.add_image(volume, name="image", **PLACED)
    blocks = (np.indices(SHAPE) // 5).sum(axis=0) % 3
    viewer.add_labels(blocks, name="labels", opacity=0.5, **PLACED)
    viewer.add_points(np.zeros((1, 3)), name="points", size=20)
    scene.set_anatomical(viewer, "neurological")
    scene.look_at(viewer, 0, 0, 0)
    QApplication.processEvents()
    painted: list[Any] = []
    view.canvas.left_out.connect(painted.append)
    before = pixels(view.canvas)
    painted.clear()
    CHANGES[what](viewer)
    QApplication.processEvents()
    assert painted, "nobody asked for a repaint"
    assert (pixels(view.canvas) != before).any()


def test_a_click_goes_there_and_a_drag_goes_on(
    viewer: Any, view: OrthoView, volume: npt.NDArray[Any]
) -> None:
    viewer.add_image(volume, **PLACED)
    scene.set_anatomical(viewer, "neurological")
    scene.look_at(viewer, 0, 4, 8)
    QTest.mousePress(view.canvas, LEFT, pos=spot(view, "axial", (20, -16, 8)))
    assert place(viewer) == pytest.approx((20, -16, 8), abs=0.5)
    assert viewer.dims.point[0] == 8
    QTest.mouseMove(view.canvas, spot(view, "axial", (-12, 24, 8)))
    assert place(viewer) == pytest.approx((-12, 24, 8), abs=0.5)
    # Outside of the plane it stays at the edge.
    QTest.mouseMove(view.canvas, QPoint(-50, -50))
    QTest.mouseRelease(view.canvas, LEFT, pos=QPoint(-50, -50))
    here = place(viewer)
    QTest.mouseMove(view.canvas, spot(view, "axial", (0, 0, 8)))
    assert place(viewer) == here
    QTest.mouseClick(view.canvas, LEFT, pos=spot(view, "sagittal", (0, 10, -20)))
    assert place(viewer)[0] == here[0]
    assert place(viewer)[1:] == pytest.approx((10, -20), abs=0.5)
    assert (view.x.value(), view.y.value(), view.z.value()) == pytest.approx(
        place(viewer), abs=0.06
    )


def test_layers_may_go_while_dragging(
    viewer: Any, view: OrthoView, volume: npt.NDArray[Any]
) -> None:
    viewer.add_image(volume, **PLACED)
    box, _ = view.canvas.windows()["axial"]
    QTest.mousePress(view.canvas, LEFT, pos=box.center())
    viewer.layers.clear()
    viewer.dims.ndim = 2
    QTest.mouseMove(view.canvas, box.center() + QPoint(9, 9))
    QTest.mouseRelease(view.canvas, LEFT, pos=box.center())
    pixels(view.canvas)
    viewer.add_image(volume, **PLACED)
    assert len(view.canvas.windows()) == 3


def turn_wheel(view: OrthoView, at: QPoint, notches: int) -> None:
    none, angle = QPoint(), QPoint(0, 120 * notches)
    event = QWheelEvent(
        QPointF(at),
        QPointF(view.canvas.mapToGlobal(at)),
        none,
        angle,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.canvas, event)


def test_zoom_and_pan_are_common_and_a_double_click_undoes_them(
    viewer: Any, view: OrthoView, volume: npt.NDArray[Any]
) -> None:
    viewer.add_image(volume, **PLACED)
    scene.set_anatomical(viewer, "neurological")
    scene.look_at(viewer, 0, 0, 0)
    before = {plane: window for plane, (_, window) in view.canvas.windows().items()}
    there = spot(view, "coronal", (16, 0, 12))
    turn_wheel(view, there, 4)
    after = {plane: window for plane, (_, window) in view.canvas.windows().items()}
    (scale,) = {window.field.scale for window in after.values()}
    assert scale == pytest.approx(before["axial"].field.scale * 1.15**4)
    # What lay under the mouse still does.
    assert (spot(view, "coronal", (16, 0, 12)) - there).manhattanLength() <= 1
    QTest.mousePress(view.canvas, RIGHT, pos=there)
    QTest.mouseMove(view.canvas, there + QPoint(30, -12))
    QTest.mouseRelease(view.canvas, RIGHT, pos=there + QPoint(30, -12))
    moved = spot(view, "coronal", (16, 0, 12)) - there - QPoint(30, -12)
    assert moved.manhattanLength() <= 1
    assert place(viewer) == (0, 0, 0)
    QTest.mouseDClick(view.canvas, RIGHT, pos=there)
    # A double click ends with the button down, for Qt and for later tests.
    QTest.mouseRelease(view.canvas, RIGHT, pos=there)
    again = {plane: window for plane, (_, window) in view.canvas.windows().items()}
    assert again == before


@pytest.mark.parametrize("side", scene.CAMERA_ORIENTATION)
def test_arrows_step_by_the_finest_voxel(
    viewer: Any, view: OrthoView, volume: npt.NDArray[Any], side: str
) -> None:
    viewer.add_image(volume, **PLACED)
    viewer.add_image(volume, scale=(2, 3, 4), translate=(-40, -60, -50))
    scene.set_anatomical(viewer, side)
    scene.look_at(viewer, 2, 3, 4)
    QTest.mouseClick(view.canvas, LEFT, pos=spot(view, "axial", (2, 3, 4)))
    scene.look_at(viewer, 2, 3, 4)
    across = 1 if side == "neurological" else -1
    QTest.keyClick(view.canvas, Qt.Key.Key_Right)
    assert place(viewer) == (2 + 4 * across, 3, 4)
    QTest.keyClick(view.canvas, Qt.Key.Key_Up)
    QTest.keyClick(view.canvas, Qt.Key.Key_PageDown)
    assert place(viewer) == (2 + 4 * across, 6, 2)


def test_keys_are_claimed_before_shortcuts(view: OrthoView) -> None:
    claimed = {}
    for key in (Qt.Key.Key_Right, Qt.Key.Key_PageUp, Qt.Key.Key_A):
        event = QKeyEvent(
            QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier
        )
        event.ignore()
        QApplication.sendEvent(view.canvas, event)
        claimed[key] = event.isAccepted()
    assert list(claimed.values()) == [True, True, False]


def test_all_of_it_has_a_name_that_can_be_spoken(view: OrthoView) -> None:
    assert view.canvas.accessibleName() == "Axial, coronal and sagittal slices"
    names = [spoken_name(box) for box in (view.x, view.y, view.z)]
    assert names == ["x", "y", "z"]
    assert all(map(spoken_name, controls_in(view)))


def test_the_boxes_move_the_slices(
    viewer: Any, view: OrthoView, volume: npt.NDArray[Any]
) -> None:
    viewer.add_image(volume, **PLACED)
    for box, value in ((view.x, -12), (view.y, 20), (view.z, 7.5)):
        box.setValue(value)
    assert place(viewer) == (-12, 20, 7.5)


def test_what_cannot_be_shown_is_named(
    viewer: Any, view: OrthoView, volume: npt.NDArray[Any]
) -> None:
    viewer.add_image(volume, **PLACED)
    viewer.add_shapes([[[0, 0, 0], [0, 9, 9]]], shape_type="line", name="a line")
    pixels(view.canvas)
    assert view.not_shown.text() == "Not shown: a line (Shapes)"
    viewer.layers["a line"].name = "line"
    pixels(view.canvas)
    assert view.not_shown.text() == "Not shown: line (Shapes)"
    viewer.layers["line"].visible = False
    pixels(view.canvas)
    assert view.not_shown.isHidden()


@pytest.mark.slow
def test_a_closed_view_lets_go(viewer: Any, volume: npt.NDArray[Any]) -> None:
    layer = viewer.add_image(volume, **PLACED)
    events = (viewer.dims.events.point, viewer.layers.events.inserted, layer.events)
    before = [len(event.callbacks) for event in events]
    first, second = OrthoView(viewer), OrthoView(viewer)
    for one in (first, second):
        pixels(one.canvas)
    gone = weakref.ref(first)
    first.close()
    first.deleteLater()
    del first, one
    let_go()
    assert gone() is None
    scene.look_at(viewer, 4, 4, 4)
    assert second.x.value() == 4
    second.close()
    second.deleteLater()
    # Qt deletes what Python may still hold.
    let_go()
    scene.look_at(viewer, 8, 8, 8)
    layer.gamma = 0.5
    viewer.add_image(volume)
    del second
    let_go()
    viewer.layers.pop()
    viewer.add_image(volume)
    assert [len(event.callbacks) for event in events] == before


def viewer_of(*volumes: npt.NDArray[Any]) -> Any:
    """Make a viewer: napari keeps the variables of who adds images alive."""
    from napari.components import ViewerModel

    viewer = ViewerModel()
    for volume in volumes:
        viewer.add_image(volume, **PLACED)
    return viewer


@pytest.mark.slow
def test_a_view_keeps_neither_viewer_nor_layers(
    qapp: Any, volume: npt.NDArray[Any]
) -> None:
    viewer = viewer_of(volume, volume)
    view = OrthoView(viewer)
    pixels(view.canvas)
    layers = [weakref.ref(layer) for layer in viewer.layers]
    gone = weakref.ref(viewer)
    viewer.layers.pop(0)
    pixels(view.canvas)
    let_go()
    assert layers[0]() is None
    del viewer
    let_go()
    assert gone() is None
    assert layers[1]() is None
    pixels(view.canvas)
    assert view.canvas.viewer is None
    view.close()


@pytest.mark.viewer
def test_the_view_in_a_window(
    plugin: Any,
    make_napari_viewer_proxy: Callable[..., Any],
    sample_path: Path,
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.open(sample_path, plugin=PLUGIN)
    view = show_ortho(viewer, "bottom")
    dock = view.parentWidget()
    show_ortho_view(viewer)
    assert show_ortho(viewer) is view
    view.resize(640, 700)
    assert pixels(view.canvas).any()
    QTest.mouseClick(view.canvas, LEFT, pos=spot(view, "coronal", (30, 0, 20)))
    assert (place(viewer)[0], place(viewer)[2]) == pytest.approx((30, 20), abs=1)
    scene.show_3d(viewer)
    QTest.mouseClick(view.canvas, LEFT, pos=spot(view, "coronal", (-30, 0, 20)))
    assert place(viewer)[0] == pytest.approx(-30, abs=1)
    scene.show_plane(viewer, "axial")
    viewer.window.remove_dock_widget(dock)
    del dock, view
    let_go()
    scene.look_at(viewer, 0, 0, 0)
    viewer.layers.clear()
