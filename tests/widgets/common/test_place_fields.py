"""A place is gone to as it stands in a paper, and copied so that it can be pasted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.widgets.views import AnatomicalViews

INSULA = (38.0, 4.0, 2.0)


@pytest.fixture
def widget(plugin: Any, maps: Any) -> Iterator[AnatomicalViews]:
    """Return the widget, shown."""
    made = AnatomicalViews(maps)
    made.native.resize(300, 500)
    made.native.show()
    yield made
    made.close()


def enter(widget: AnatomicalViews, text: str) -> None:
    """Type into the line, and press Enter."""
    line = widget.place.text.native
    line.setText(text)
    press(line, Qt.Key.Key_Return)


def press(
    target: Any, key: Qt.Key, with_: Any = Qt.KeyboardModifier.NoModifier
) -> None:
    QApplication.sendEvent(target, QKeyEvent(QEvent.Type.KeyPress, key, with_))


def paste(target: Any, text: str) -> None:
    """Copy a text elsewhere, and paste it by the keyboard."""
    QApplication.clipboard().setText(text)
    press(target, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)


def slices(viewer: Any) -> tuple[float, ...]:
    return tuple(viewer.dims.point[-3:][::-1])


def said(widget: AnatomicalViews) -> str:
    """Return what is written beneath the line, if it can be seen."""
    label = widget.place.said.native
    return str(label.text()) if label.isVisible() else ""


@pytest.mark.parametrize("text", ["-38, 4, 2", "z=2 x=\u221238 y=4", "MNI (-38 4 2)"])
def test_enter_goes_where_the_line_says(
    widget: AnatomicalViews, maps: Any, text: str
) -> None:
    enter(widget, text)
    assert slices(maps) == (-38, 4, 2)
    assert (widget.x.value, widget.y.value, widget.z.value) == (-38, 4, 2)
    assert said(widget) == ""
    # The next one is typed over it.
    assert widget.place.text.native.selectedText() == text


def test_a_coordinate_is_pasted_into_the_line(
    widget: AnatomicalViews, maps: Any
) -> None:
    paste(widget.place.text.native, "x = -38\ty = 4\tz = 2")
    assert slices(maps) == INSULA
    press(widget.place.text.native, Qt.Key.Key_Return)
    assert slices(maps) == (-38, 4, 2)


def test_what_cannot_be_read_is_said_in_words(
    widget: AnatomicalViews, maps: Any, notifications: list[Any]
) -> None:
    enter(widget, "38 4")
    assert said(widget).startswith('"38 4" has 2 numbers, not 3. Write x, y and z')
    assert slices(maps) == INSULA
    widget.place.text.value = "38 4 "
    assert said(widget) == ""
    enter(widget, "TAL 38 4 2")
    assert "Talairach" in said(widget)
    # Elsewhere it is no longer what matters.
    scene.look_at(maps, 0, 0, 0)
    assert said(widget) == ""
    assert notifications == []


def test_a_place_outside_of_what_is_open_is_refused(
    widget: AnatomicalViews, maps: Any
) -> None:
    before = slices(maps)
    enter(widget, "200 4 2")
    assert slices(maps) == before
    assert said(widget) == "x 200, y 4, z 2 mm lies outside of what is open."


def test_a_place_outside_of_the_brain_is_refused(
    widget: AnatomicalViews, maps: Any
) -> None:
    for text, place in (
        ("80 70 60", "x 80, y 70, z 60"),
        ("0 0 -70", "x 0, y 0, z -70"),
    ):
        before = slices(maps)
        enter(widget, text)
        assert slices(maps) == before
        assert said(widget) == f"{place} mm lies outside of the brain."
    # A focus may lie a little beyond the edge of the template's brain.
    enter(widget, "0 -106 4")
    assert slices(maps) == (0, -106, 4)
    assert said(widget) == ""


@pytest.mark.parametrize("axis", "xyz")
def test_a_whole_coordinate_is_pasted_into_a_box(
    widget: AnatomicalViews, maps: Any, axis: str
) -> None:
    box = getattr(widget, axis).native
    paste(box, "-38, 4, 2")
    assert slices(maps) == (-38, 4, 2)
    # One number is the box's own, as it always was.
    box.selectAll()
    paste(box, "12")
    press(box, Qt.Key.Key_Return)
    assert slices(maps)["xyz".index(axis)] == 12
    box.selectAll()
    paste(box, "insula")
    assert getattr(widget, axis).value == 12


def test_copy_puts_the_place_on_the_clipboard(
    widget: AnatomicalViews, maps: Any
) -> None:
    scene.look_at(maps, -38, 4.5, 2)
    widget.place.copy.native.click()
    assert QApplication.clipboard().text() == "-38, 4.5, 2"
    scene.look_at(maps, 0, 0, 0)
    paste(widget.x.native, QApplication.clipboard().text())
    assert slices(maps) == (-38, 4.5, 2)


def test_without_a_volume_there_is_nowhere_to_go(plugin: Any, viewer: Any) -> None:
    widget = AnatomicalViews(viewer)
    widget.native.show()
    enter(widget, "38 4 2")
    assert said(widget).startswith("Open a map first")
    QApplication.clipboard().setText("before")
    widget.place.copy.native.click()
    assert QApplication.clipboard().text() == "before"
    widget.close()
