"""Pieces that several widgets are put together from, and the clipboard."""

from __future__ import annotations

from magicgui.widgets import ComboBox, Container, Label, Widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

_READABLE_WIDTH = 200
_READABLE_LENGTH = 16


def wrapped_text() -> Label:
    """Make a text that takes the width that there is, and can be copied."""
    label = Label(value="")
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


def fold_button(title: str, folded: QWidget) -> QToolButton:
    """Make a button that shows and hides something, and says which it is.

    Parameters
    ----------
    title : str
        What is shown and hidden.
    folded : QWidget
        As it is now, hidden or not.
    """
    button = QToolButton()
    button.setText(title)
    button.setCheckable(True)
    button.setAutoRaise(True)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    arrows = {True: Qt.ArrowType.DownArrow, False: Qt.ArrowType.RightArrow}

    def show(wanted: bool) -> None:
        button.setArrowType(arrows[wanted])
        folded.setVisible(wanted)

    button.setChecked(not folded.isHidden())
    button.setArrowType(arrows[button.isChecked()])
    button.toggled.connect(show)
    return button


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
