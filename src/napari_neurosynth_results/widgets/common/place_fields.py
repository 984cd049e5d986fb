"""The place in millimeters: boxes that follow the slices, and a line to paste into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, FloatSpinBox, LineEdit, PushButton
from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QAbstractSpinBox, QApplication

from napari_neurosynth_results.anatomy.coordinates import (
    Coordinate,
    format_place,
    parse_place,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.scene import place_of_slices
from napari_neurosynth_results.widgets.common.layout import copy_text, row, wrapped_text

if TYPE_CHECKING:
    from napari.viewer import Viewer

_REACH_MM = 1000.0
#: Room for "-126.5", and no more: three boxes have to fit a narrow dock.
_BOX_STYLE = "QAbstractSpinBox { min-width: 48px; padding: 1px 6px; }"
_NO_VOLUME = "Open a map first: there is no volume to go to."


class PlaceFields(Container):
    """Go to a place, by axis or as it stands in a paper.

    Parameters
    ----------
    viewer : Viewer
        The viewer to steer.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        self._viewer = viewer
        self.x, self.y, self.z = (_box(axis) for axis in "xyz")
        boxes = Container(layout="horizontal", widgets=[self.x, self.y, self.z])
        boxes.margins = (0, 0, 0, 0)
        self.text = LineEdit(
            label="Go to",
            tooltip='A coordinate in MNI mm, as in "38, 4, 2" or "x=38 y=4 z=2"; '
            "Enter goes there",
        )
        self.text.native.setPlaceholderText("38 4 2")
        self.text.native.setClearButtonEnabled(True)
        self.copy = PushButton(text="Copy", tooltip="Copy the place of the slices")
        line = row(self.text, self.copy)
        line.labels = True
        self.said = wrapped_text()
        self.said.native.hide()
        self.extend([boxes, line, self.said])
        self._paste = _PasteFilter(self)
        for box in (self.x, self.y, self.z):
            box.changed.connect(self._go_by_boxes)
            box.native.installEventFilter(self._paste)
        self.text.native.returnPressed.connect(self._go_by_text)
        self.text.changed.connect(self._say)
        self.copy.changed.connect(self.copy_place)
        # Bound methods are held weakly by napari: closing the widget ends them.
        viewer.dims.events.point.connect(self._follow)
        self._follow()

    def go_to(self, text: str) -> None:
        """Move the slices to a place, or say beneath the line why not.

        Parameters
        ----------
        text : str
            As `parse_place` reads it.
        """
        self._say("", go_to_place(self._viewer, text))

    def _go(self, place: Coordinate) -> None:
        self._say("", _jump(self._viewer, place))

    def copy_place(self) -> None:
        """Put the place of the slices on the clipboard, as in ``38, 4, 2``."""
        if (place := place_of_slices(self._viewer)) is not None:
            copy_text(format_place(place))

    def _go_by_text(self) -> None:
        self.go_to(self.text.value)
        # The next coordinate replaces this one.
        self.text.native.selectAll()

    def _go_by_boxes(self) -> None:
        if self._viewer.dims.ndim >= 3:
            scene.look_at(self._viewer, self.x.value, self.y.value, self.z.value)

    def _say(self, typed: str = "", said: str = "") -> None:
        """Say something beneath the line; whoever types on has read it."""
        self.said.value = said
        self.said.native.setVisible(bool(said))

    def _follow(self, event: object = None) -> None:
        """Show where the slices are, without moving them."""
        # What was said about another place is past.
        self._say()
        if (place := place_of_slices(self._viewer)) is None:
            return
        for box, value in zip((self.x, self.y, self.z), place, strict=True):
            with box.changed.blocked():
                box.value = min(max(value, -_REACH_MM), _REACH_MM)


def go_to_place(viewer: Viewer, text: str) -> str:
    """Move the slices to a place that somebody typed.

    Parameters
    ----------
    text : str
        As `parse_place` reads it.

    Returns
    -------
    str
        Why they are not there now; empty when they are.
    """
    try:
        place = parse_place(text)
    except ResultsError as error:
        return str(error)
    return _jump(viewer, place)


def _jump(viewer: Viewer, place: Coordinate) -> str:
    if place_of_slices(viewer) is None:
        return _NO_VOLUME
    refused = scene.refusal_of(viewer, place)
    if not refused:
        scene.jump_to(viewer, *place)
    return refused


class _PasteFilter(QObject):
    """Takes a whole coordinate that is pasted into the box of one axis."""

    def __init__(self, fields: PlaceFields) -> None:
        super().__init__(fields.native)
        self._fields = fields

    def eventFilter(self, box: QObject, event: QEvent) -> bool:
        """Go to the place; what is not a whole coordinate is the box's own."""
        if event.type() != QEvent.Type.KeyPress or not event.matches(
            QKeySequence.StandardKey.Paste
        ):
            return False
        try:
            place = parse_place(QApplication.clipboard().text())
        except ResultsError:
            return False
        self._fields._go(place)
        return True


def _box(axis: str) -> Any:
    box = FloatSpinBox(
        label=axis,
        min=-_REACH_MM,
        max=_REACH_MM,
        step=1,
        tooltip=f"MNI {axis} in mm; arrow keys and wheel step, Ctrl+V takes x, y, z",
    )
    box.native.setDecimals(1)
    box.native.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
    box.native.setStyleSheet(_BOX_STYLE)
    return box
