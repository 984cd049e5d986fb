"""Pieces that several widgets are put together from."""

from __future__ import annotations

from magicgui.widgets import ComboBox, Container, Label, Widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QSizePolicy

_READABLE_WIDTH = 200
_READABLE_LENGTH = 16


def wrapped_text() -> Label:
    """Make a text that takes the width that there is, and can be copied."""
    label = Label(value="")
    label.native.setWordWrap(True)
    label.native.setMinimumWidth(_READABLE_WIDTH)
    label.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
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


# Copy text: the one thing a notification needs of Qt.


def copy_text(text: str = "") -> None:
    """Put text on the clipboard.

    Parameters
    ----------
    text : str
        What to copy; nothing is done for an empty text.
    """
    from qtpy.QtWidgets import QApplication

    clipboard = QApplication.clipboard()
    if text and clipboard is not None:
        clipboard.setText(text)
