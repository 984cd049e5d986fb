"""Pieces that several widgets are put together from, and the clipboard."""

from __future__ import annotations

from magicgui.widgets import ComboBox, Container, Label, Widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QSizePolicy, QWidget

_READABLE_WIDTH = 200
_READABLE_LENGTH = 16


class PlainLabel(QLabel):
    """A label that shows any text as it is: no tag in a name counts."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)


def wrapped_text() -> Label:
    """Make a text that takes the width that there is, and can be copied."""
    label = Label(value="")
    label.native.setTextFormat(Qt.TextFormat.PlainText)
    wrap(label.native)
    label.native.setMinimumWidth(_READABLE_WIDTH)
    label.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def wrap(label: QLabel) -> QLabel:
    """Let a text have several lines, and be copied."""
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def narrow(*lists: ComboBox) -> None:
    """Keep long texts in lists from widening the dock at the cost of the canvas."""
    for one in lists:
        one.native.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        one.native.setMinimumContentsLength(_READABLE_LENGTH)


def row(*widgets: Widget, label: str = "") -> Container:
    """Put widgets beside each other."""
    made = Container(layout="horizontal", labels=False, label=label, widgets=widgets)
    made.margins = (0, 0, 0, 0)
    return made


def copy_text(text: str = "") -> None:
    """Put text on the clipboard: the one thing a notification needs of Qt.

    Parameters
    ----------
    text : str
        Nothing is done for an empty one.
    """
    clipboard = QApplication.clipboard()
    if text and clipboard is not None:
        clipboard.setText(text)
