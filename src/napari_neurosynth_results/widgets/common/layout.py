"""Pieces that several widgets are put together from, and the clipboard."""

from __future__ import annotations

from magicgui.widgets import ComboBox, Container, Label, Widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFrame,
    QHeaderView,
    QLabel,
    QLayout,
    QLineEdit,
    QScrollArea,
    QScrollBar,
    QSizePolicy,
    QTabWidget,
    QTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

_READABLE_WIDTH = 200
_READABLE_LENGTH = 16
_LOWEST = 120
#: What a user can operate.
_CONTROLS = (
    *(QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox),
    *(QComboBox, QLineEdit, QTextEdit),
)


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


def let_scroll(container: Container) -> None:
    """Let a container in a dock of its own be lower than what it holds.

    napari's docks do not scroll: what they hold makes the window higher instead.
    """
    outer, inner, area = container.native, QWidget(), QScrollArea()
    # Moves the layout, and all widgets in it, into the area.
    inner.setLayout(outer.layout())
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setMinimumHeight(_LOWEST)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(inner)
    layout = QVBoxLayout(outer)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(area)


def controls_in(root: QWidget) -> list[QWidget]:
    """List what a user can operate in a widget, shown or not, each once.

    Returns
    -------
    list of QWidget
        Without the parts that Qt puts into controls, as the line in a spin box.
    """
    return [
        one
        for one in root.findChildren(QWidget)
        if isinstance(one, _CONTROLS)
        and not isinstance(one, QScrollBar | QHeaderView)
        and not _is_part_of_control(one, root)
        and not one.objectName().startswith("qt_")
    ]


def _is_part_of_control(widget: QWidget, root: QWidget) -> bool:
    """Whether Qt made a widget for a control, as the list that a box unfolds."""
    parent = widget.parentWidget()
    while parent is not None and parent is not root:
        if isinstance(parent, _CONTROLS):
            return True
        parent = parent.parentWidget()
    return False


def spoken_name(control: QWidget) -> str:
    """Return what a screen reader calls a control."""
    if control.accessibleName():
        return str(control.accessibleName())
    return str(control.text()) if isinstance(control, QAbstractButton) else ""


def name_controls(root: QWidget) -> None:
    """Make labels buddies of what stands beside them, and name what has no name.

    A control without a label is named by the first line of its tooltip, by what it says
    while it is empty, by what it is a part of, or by the tab that it stands in.
    """
    for label in root.findChildren(QLabel):
        text = label.text().strip().rstrip(":")
        beside = _beside(label) if text and label.buddy() is None else None
        if beside is not None:
            label.setBuddy(beside)
            if not spoken_name(beside):
                beside.setAccessibleName(text)
    for control in controls_in(root):
        if not spoken_name(control):
            tip = control.toolTip().partition("\n")[0]
            said = getattr(control, "placeholderText", lambda: "")()
            control.setAccessibleName(tip or said or _name_around(control))


def _name_around(control: QWidget) -> str:
    """Find the name of what a control is a part of, as the number of a slider."""
    parent = control.parentWidget()
    # What a button says may come later.
    if parent is None or isinstance(control, QAbstractButton):
        return ""
    # A slider of magicgui is a widget that holds a slider and a number.
    is_number = isinstance(control, QAbstractSpinBox | QAbstractSlider)
    for one in (parent, *(controls_in(parent) if is_number else ())):
        if one is not control and one.accessibleName():
            return str(one.accessibleName())
    page = parent
    while page is not None:
        tabs = page.parentWidget().parentWidget() if page.parentWidget() else None
        if isinstance(tabs, QTabWidget) and tabs.indexOf(page) >= 0:
            return str(tabs.tabText(tabs.indexOf(page)))
        page = page.parentWidget()
    return ""


def _beside(label: QLabel) -> QWidget | None:
    """Find the control that a label stands in front of."""
    parent = label.parentWidget()
    layout = _layout_of(label, parent.layout()) if parent is not None else None
    if layout is None:
        return None
    item = layout.itemAt(layout.indexOf(label) + 1)
    widget = item.widget() if item is not None else None
    if widget is None or isinstance(widget, QLabel):
        return None
    if isinstance(widget, _CONTROLS):
        return widget
    return next(iter(controls_in(widget)), None)


def _layout_of(widget: QWidget, layout: QLayout | None) -> QLayout | None:
    """Find the layout in which a widget stands, in one or in those in it."""
    if layout is None or layout.indexOf(widget) >= 0:
        return layout
    inner = [layout.itemAt(n).layout() for n in range(layout.count())]
    found = (_layout_of(widget, one) for one in inner if one is not None)
    return next((one for one in found if one is not None), None)


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
