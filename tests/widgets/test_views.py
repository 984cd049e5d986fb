"""A button a view and one way back, boxes that go to a place and follow the slices."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QRadioButton

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.views import AnatomicalViews, ViewButtons
from napari_neurosynth_results.widgets.workbench import open_workbench

pytestmark = pytest.mark.usefixtures("neurological")

ORDERS = {"Axial": (0, 1, 2), "Coronal": (1, 0, 2), "Sagittal": (2, 0, 1)}


@pytest.fixture
def neurological(viewer: Any, underlay: Any) -> None:
    """Show the MNI brain with its right on the right."""
    scene.set_anatomical(viewer, "neurological")


@pytest.fixture
def widget(viewer: Any) -> Iterator[AnatomicalViews]:
    """Return the widget."""
    made = AnatomicalViews(viewer)
    yield made
    made.close()


@pytest.fixture
def buttons(viewer: Any) -> Iterator[ViewButtons]:
    """Return the buttons of views."""
    made = ViewButtons(viewer)
    yield made
    made.close()


def press(buttons: ViewButtons, text: str) -> None:
    """Press the button with a text."""
    buttons.buttons[text].click()


def down(buttons: ViewButtons) -> set[str]:
    """Return the buttons that are down."""
    return {name for name, one in buttons.buttons.items() if one.isChecked()}


def let_go() -> None:
    """Delete what Qt deletes when its event loop comes round."""
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QCoreApplication.processEvents()


def place(widget: AnatomicalViews) -> tuple[float, float, float]:
    return widget.x.value, widget.y.value, widget.z.value


@pytest.mark.parametrize("text", ORDERS)
def test_a_button_shows_its_plane(viewer: Any, buttons: ViewButtons, text: str) -> None:
    press(buttons, "3D")
    assert viewer.dims.ndisplay == 3
    assert down(buttons) == {"3D"}
    press(buttons, text)
    assert viewer.dims.ndisplay == 2
    assert viewer.dims.order == ORDERS[text]
    assert down(buttons) == {text}


def test_the_boxes_move_the_slices(viewer: Any, widget: AnatomicalViews) -> None:
    widget.x.value = -42
    widget.y.value = 18
    widget.z.value = 6
    assert viewer.dims.point == (6, 18, -42)
    scene.show_plane(viewer, "sagittal")
    assert viewer.dims.point == (6, 18, -42)


def test_the_boxes_follow_the_slices(viewer: Any, widget: AnatomicalViews) -> None:
    scene.look_at(viewer, 10, -20, 30)
    assert place(widget) == (10, -20, 30)
    viewer.dims.set_current_step(0, viewer.dims.current_step[0] + 1)
    # The brain below the maps has voxels of 1 mm, and so have the sliders.
    assert place(widget) == (10, -20, 31)
    viewer.dims.set_current_step(0, viewer.dims.current_step[0] - 3)
    assert place(widget) == (10, -20, 28)


def test_following_does_not_move_the_slices(
    viewer: Any, widget: AnatomicalViews
) -> None:
    """A box shows one decimal; the place between may not be lost by showing it."""
    viewer.add_image(np.zeros((9, 9, 9)), scale=(0.25,) * 3)
    moved: list[Any] = []
    viewer.dims.events.point.connect(lambda event: moved.append(viewer.dims.point))
    scene.look_at(viewer, 0.25, 1.75, 0.75)
    assert len(set(moved)) == 1


def test_beside_a_stack_of_maps_the_boxes_mean_space(
    viewer: Any, widget: AnatomicalViews
) -> None:
    viewer.add_image(
        np.zeros((5, 91, 109, 91)), scale=(1, 2, 2, 2), translate=(0, -72, -126, -90)
    )
    viewer.dims.set_point(0, 2)
    widget.z.value = 12
    assert viewer.dims.point[0] == 2
    assert viewer.dims.point[1] == 12


@pytest.mark.slow
def test_the_side_turns_the_camera(viewer: Any, widget: AnatomicalViews) -> None:
    assert widget.side.value == "neurological"
    for side in ("radiological", "neurological"):
        widget.side.value = side
        assert viewer.scene.camera.orientation == scene.CAMERA_ORIENTATION[side]


def test_the_side_says_how_the_camera_is_turned(
    viewer: Any, widget: AnatomicalViews
) -> None:
    """Also when a menu or a script turned it: a wrong side would mislead."""
    scene.set_anatomical(viewer, "radiological")
    assert widget.side.value == "radiological"
    again = AnatomicalViews(viewer)
    assert again.side.value == "radiological"
    again.close()
    scene.set_anatomical(viewer, "neurological")
    assert widget.side.value == "neurological"


def test_opening_the_widget_turns_nothing(viewer: Any) -> None:
    viewer.scene.camera.orientation = ("towards", "down", "right")
    place_before = viewer.dims.point
    widget = AnatomicalViews(viewer)
    assert viewer.scene.camera.orientation == ("towards", "down", "right")
    assert viewer.dims.point == place_before
    widget.close()


def test_an_empty_viewer_or_a_flat_picture_is_left_alone(qapp: Any) -> None:
    from napari.components import ViewerModel

    model = ViewerModel()
    widget, buttons = AnatomicalViews(model), ViewButtons(model)
    said: list[str] = []
    buttons.told.connect(said.append)
    press(buttons, "Coronal")
    assert said[-1] == "Open a map first."
    assert down(buttons) == set()
    widget.x.value = 5
    model.add_image(np.zeros((4, 5)))
    press(buttons, "Coronal")
    widget.y.value = 1
    assert model.dims.order == (0, 1)
    assert not buttons.back.isEnabled()
    widget.close()
    buttons.close()


def test_a_closed_widget_leaves_no_callbacks(viewer: Any) -> None:
    events = (viewer.dims.events.point, viewer.scene.camera.events.orientation)
    before = [len(event.callbacks) for event in events]
    widget = AnatomicalViews(viewer)
    widget.close()
    del widget
    gc.collect()
    scene.look_at(viewer, 4, 4, 4)
    scene.set_anatomical(viewer, "radiological")
    assert [len(event.callbacks) for event in events] == before


@pytest.mark.viewer
def test_the_widget_steers_a_window(
    plugin: Any,
    make_napari_viewer_proxy: Callable[..., Any],
    write: Callable[..., Path],
) -> None:
    viewer = make_napari_viewer_proxy()
    panel = open_workbench(viewer, "Views")
    dock, widget = panel.parentWidget(), panel.panel("Views").planes
    buttons = panel.panel("Views").views
    data = np.zeros((8, 9, 8), np.float32)
    data[5, 8, 5] = 9
    viewer.open(write({"z": data}), plugin=PLUGIN)
    assert place(widget) == (30, 50, 40)
    let_go()
    sides = widget.side.native.findChildren(QRadioButton)
    assert [button.text() for button in sides] == ["neurological", "radiological"]
    press(buttons, "Sagittal")
    assert scene.current_plane(viewer) == "sagittal"
    widget.side.value = "radiological"
    left = viewer.canvas.overlays["orientation_left"]
    # Of the sagittal plane nothing changes; of the others it does.
    assert left.text == "P"
    press(buttons, "Coronal")
    assert left.text == "R"
    press(buttons, "Sagittal")
    assert widget.side.value == "radiological"
    viewer.window.remove_dock_widget(dock)
    del dock, widget, buttons, panel
    let_go()
    scene.show_plane(viewer, "axial")
    scene.look_at(viewer, 0, 0, 0)
    # The letters go on without the widget.
    assert left.text == "R"
