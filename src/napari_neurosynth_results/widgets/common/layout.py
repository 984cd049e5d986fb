"""Pieces that several widgets are put together from, and the clipboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

from magicgui.widgets import ComboBox, Container, Label, Widget
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer
from qtpy.QtGui import QPainter, QPen
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QHeaderView,
    QLabel,
    QLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QScrollBar,
    QSizePolicy,
    QSplitter,
    QTabBar,
    QTabWidget,
    QTextEdit,
    QToolButton,
    QWidget,
)

from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.viewer.canvas import NO_BREAK, unbroken

_READABLE_WIDTH = 170
#: Letters of a list that are seen at least, where the window is narrow.
_READABLE_LENGTH = 7
#: Width of the line around what has the keyboard.
_LINE = 2
#: What a user can operate.
_CONTROLS = (
    *(QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox),
    *(QComboBox, QLineEdit, QTextEdit),
)


class PlainLabel(QLabel):
    """A label that shows any text as it is: no tag in a name counts.

    Lines are not broken within a relation, as in "p <= .001".
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show another text."""
        super().setText(unbroken(text))

    def text(self) -> str:
        """Return the text as it was given, which is also what is copied."""
        return str(super().text()).replace(NO_BREAK, " ")


class ElidedLabel(PlainLabel):
    """A line with an ellipsis where there is no room for all of it.

    The whole is in its tooltip, can be copied, and is what a screen reader says.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self._end = ""
        # Else Qt moves a text in, by half a letter, in some styles.
        self.setIndent(0)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def say(self, text: str, end: str = "") -> None:
        """Show another text, of which an end is seen as long as it has any room."""
        self._end = end
        self.setText(text + end)
        self.setToolTip(for_qt(text + end))

    def paintEvent(self, event: Any) -> None:
        """Draw as much as there is room for; all of it while somebody selects."""
        room, metrics = self.contentsRect(), self.fontMetrics()
        whole, elide = self.text(), Qt.TextElideMode.ElideRight
        if metrics.horizontalAdvance(whole) <= room.width() or self.hasSelectedText():
            super().paintEvent(event)
            return
        left = room.width() - metrics.horizontalAdvance(self._end)
        shown = metrics.elidedText(whole.removesuffix(self._end), elide, left)
        painter = QPainter(self)
        self.style().drawItemText(
            *(painter, room, int(self.alignment()), self.palette(), self.isEnabled()),
            metrics.elidedText(shown + self._end, elide, room.width()),
            self.foregroundRole(),
        )
        painter.end()


def without_mnemonic(text: str) -> str:
    """Write a name so that a button or menu shows its ampersands.

    >>> without_mnemonic("touch & pain")
    'touch && pain'
    """
    return text.replace("&", "&&")


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


def align_labels(*containers: Container) -> None:
    """Let the fields behind labels of one form, or of several, begin in one column.

    magicgui measures labels before they have the font and the margins that they are
    shown with: the longest are wider then, and push their fields aside.
    """
    column = _LabelColumn(containers[0].native, [one.native for one in containers])
    for one in containers:
        one.native.installEventFilter(column)


class _LabelColumn(QObject):
    """Gives labels one width, whenever they are shown or look different."""

    def __init__(self, parent: QObject, forms: list[QWidget]) -> None:
        super().__init__(parent)
        self._forms = forms

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Measure anew."""
        kinds = QEvent.Type
        if event.type() in (kinds.Show, kinds.StyleChange, kinds.FontChange):
            self._fit()
        return False

    def _fit(self) -> None:
        labels = [label for form in self._forms for label in _labels_in(form)]
        for label in labels:
            label.ensurePolished()
        widest = max((label.sizeHint().width() for label in labels), default=0)
        for label in labels:
            label.setFixedWidth(widest)


def _labels_in(form: QWidget) -> Iterator[QLabel]:
    """Find the labels that magicgui puts in front of the fields of a form."""
    rows = form.layout()
    for number in range(rows.count()):
        field = rows.itemAt(number).widget()
        inside = field.layout() if field is not None else None
        if inside is not None and inside.count() > 1:
            label = inside.itemAt(0).widget()
            if isinstance(label, QLabel):
                yield label


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

    A control without a label is named by what it says while it is empty, by what it is
    a part of, or by the tab that it stands in. A tooltip is no name: it says what
    something does, not what it is.
    """
    for label in root.findChildren(QLabel):
        # What is cut, or wraps, says what changes: it is no title.
        is_title = not (isinstance(label, ElidedLabel) or label.wordWrap())
        text = label.text().strip().rstrip(":") if is_title else ""
        beside = _beside(label) if text and label.buddy() is None else None
        if beside is not None:
            label.setBuddy(beside)
            if not spoken_name(beside):
                beside.setAccessibleName(text)
    within = root.findChildren(QTabWidget)
    for tabs in [root, *within] if isinstance(root, QTabWidget) else within:
        # Not by its pages: some may be hidden, and each is said when it is come to.
        tabs.tabBar().setAccessibleName(tabs.accessibleName())
    for control in controls_in(root):
        if not spoken_name(control):
            said = getattr(control, "placeholderText", lambda: "")()
            control.setAccessibleName(said or _name_around(control))


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


# --- without a mouse --------------------------------------------------------------


def in_reading_order(root: QWidget) -> list[QWidget]:
    """List what the Tab key may come to, as the eye goes: by layout, not by birth.

    Returns
    -------
    list of QWidget
        Hidden and disabled ones too, which Qt leaves out while they are.
    """
    takes_tab = bool(root.focusPolicy() & Qt.FocusPolicy.TabFocus)
    if takes_tab and isinstance(root, (*_CONTROLS, QTabBar)):
        return [root]
    found = [one for part in _parts_of(root) for one in in_reading_order(part)]
    return found or ([root] if takes_tab else [])


def _parts_of(widget: QWidget) -> list[QWidget]:
    """List what a widget is made of, in the order of its layout."""
    if isinstance(widget, QTabWidget):
        pages = [widget.widget(index) for index in range(widget.count())]
        return [widget.tabBar(), *pages]
    if isinstance(widget, QSplitter):
        return [widget.widget(index) for index in range(widget.count())]
    if isinstance(widget, QScrollArea):
        return [widget.widget()] if widget.widget() is not None else []
    layout = widget.layout()
    return list(_widgets_in(layout)) if layout is not None else []


def _widgets_in(layout: QLayout) -> Iterator[QWidget]:
    for index in range(layout.count()):
        item = layout.itemAt(index)
        if (widget := item.widget()) is not None:
            yield widget
        elif (inner := item.layout()) is not None:
            yield from _widgets_in(inner)


def order_focus(root: QWidget) -> None:
    """Let the Tab key go down a widget as the eye does, and out of it at the end."""
    for tabs in (root, *root.findChildren(QTabWidget)):
        if isinstance(tabs, QTabWidget):
            # It stands for its tabs, which would be come to twice, and never left. What
            # stands for another widget hands its policy on to it.
            tabs.setFocusProxy(None)
            tabs.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    for before, after in pairwise(in_reading_order(root)):
        QWidget.setTabOrder(before, after)


def order_focus_around(widget: QWidget) -> None:
    """Order a whole dock anew, into which something was put that was not there."""
    while (parent := widget.parentWidget()) is not None:
        if isinstance(parent, QDockWidget):
            break
        widget = parent
    order_focus(widget)


class CalmNumber(QObject):
    """Keeps a whole number from taking the keyboard when a program sets it.

    superqt's box (0.8) gives itself the keyboard whenever its text changes while it
    tracks what is typed: so it tracks while somebody types there, and else not.

    Parameters
    ----------
    box : QAbstractSpinBox
        Of superqt; magicgui makes such ones.
    """

    def __init__(self, box: QAbstractSpinBox) -> None:
        super().__init__(box)
        self._box = box
        box.setKeyboardTracking(False)
        box.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Track while the keyboard is here."""
        if event.type() == QEvent.Type.FocusIn:
            self._box.setKeyboardTracking(True)
        elif event.type() == QEvent.Type.FocusOut:
            self._box.setKeyboardTracking(False)
        return False


class EnterPresses(QObject):
    """Lets Enter press the button that has the keyboard, as it does in dialogs.

    Elsewhere Qt leaves that to the space bar, but for some desktops.

    Parameters
    ----------
    around : QWidget
        Buttons in it are pressed. It hears of keys that none of its parts has taken.
    """

    def __init__(self, around: QWidget) -> None:
        super().__init__(around)
        around.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Press the button once, however long the key is held."""
        enter = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.type() != QEvent.Type.KeyPress or event.key() not in enter:
            return False
        button = QApplication.focusWidget()
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if held or not isinstance(button, QPushButton | QToolButton):
            return False
        if not event.isAutoRepeat():
            button.click()
        return True


class FocusMark(QWidget):
    """A line around the control that has the keyboard, in any theme.

    napari's style shows it on some controls only. It is drawn when the keyboard came by
    a key; a mouse is seen itself.

    Parameters
    ----------
    around : QWidget
        Controls in it are marked.
    """

    def __init__(self, around: QWidget) -> None:
        super().__init__(around)
        self._around = around
        self._marked: QWidget | None = None
        #: The control, and what it lies in up to where the line is drawn.
        self._watched: list[QWidget] = []
        #: What had the line when the keyboard was last somewhere else.
        self._before: QWidget | None = None
        # Once Qt has scrolled itself, and has laid out what came or went.
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.timeout.connect(self._stay_in_sight)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()
        QApplication.instance().focusChanged.connect(self._follow)

    @property
    def marked(self) -> QWidget | None:
        """The control that has the line around it."""
        return self._marked if self.isVisible() else None

    def give_back(self, control: QWidget) -> None:
        """Give back the keyboard that was taken; who came by mouse sees no line."""
        before = self._before
        control.setFocus()
        self._settled.stop()
        if before is not whole_control(control):
            self._watch(None)
            self.hide()

    def _follow(self, before: QWidget | None, now: QWidget | None) -> None:
        self._before = self._marked
        self._watch(None)
        by_mouse = QApplication.mouseButtons() != Qt.MouseButton.NoButton
        if now is None or by_mouse or not self._around.isAncestorOf(now):
            self.hide()
            return
        now = whole_control(now)
        self._watch(now)
        self._settled.start()
        self._fit()

    def _watch(self, control: QWidget | None) -> None:
        """Hear of whatever moves a control."""
        for one in self._watched:
            # One that was there for a moment, as in a table, may be gone.
            with suppress(RuntimeError):
                one.removeEventFilter(self)
        self._marked, self._watched = control, []
        home = self._home
        while control is not None and control is not home:
            control.installEventFilter(self)
            self._watched.append(control)
            control = control.parentWidget()

    @property
    def _home(self) -> QWidget:
        """What the line is drawn on: what scrolls with the control, else all.

        Not what the control lies in: tables delete their parts, and splitters make room
        for all of theirs.
        """
        home = self._marked
        while home is not None and home is not self._around:
            viewport = home.parentWidget()
            area = viewport.parentWidget() if viewport is not None else None
            if isinstance(area, QScrollArea) and area.widget() is home:
                return home
            home = viewport
        return self._around

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Go with the control."""
        kinds = QEvent.Type
        if event.type() in (kinds.Resize, kinds.Move, kinds.Show, kinds.Hide):
            self._fit()
            self._settled.start()
        return False

    def _stay_in_sight(self) -> None:
        # One that was there for a moment, as in a table, may be gone.
        with suppress(RuntimeError):
            if self._marked is not None and self._marked.isVisible():
                scroll_to(self._marked)

    def _fit(self) -> None:
        marked, home = self._marked, self._home
        if marked is None or not marked.isVisible():
            self.hide()
            return
        if self.parentWidget() is not home:
            self.setParent(home)
        self.setGeometry(QRect(marked.mapTo(home, QPoint()), marked.size()))
        self.raise_()
        self.show()

    def paintEvent(self, event: Any) -> None:
        """Draw the line in the color of texts, which any theme lets be seen."""
        painter = QPainter(self)
        painter.setPen(QPen(self.palette().windowText().color(), _LINE))
        half = _LINE // 2
        painter.drawRect(self.rect().adjusted(half, half, -half - 1, -half - 1))


def whole_control(part: QWidget) -> QWidget:
    """Return what a part with the keyboard stands for: a spin box for its line."""
    while isinstance(part.parentWidget(), QAbstractSpinBox | QComboBox):
        part = part.parentWidget()
    return part


def scroll_to(control: QWidget) -> None:
    """Bring all of a control into sight.

    Qt shows of a list its current row alone: arrow keys would lead on unseen.
    """
    parent = control.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea) and (inner := parent.widget()) is not None:
            top = control.mapTo(inner, QPoint()).y() - _LINE
            beyond = control.height() + 2 * _LINE - parent.viewport().height()
            # Of one that is higher than its room, as much as there is room for.
            first, last = sorted((top, top + beyond))
            bar = parent.verticalScrollBar()
            bar.setValue(min(max(bar.value(), first), last))
        parent = parent.parentWidget()


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
    # A long title is cut before it makes the panel wider than its dock.
    button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
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
