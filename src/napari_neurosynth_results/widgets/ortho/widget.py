"""The ortho view: three planes, the place in boxes below them, and where it is shown.

It lies over the canvas, or in a dock below it. Either way the columns beside the canvas
keep their sizes, and so does the window: over the canvas it is no part of any layout,
and below it the dock ends where the columns begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import QEvent, QObject, QSignalBlocker, Qt
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import (
    QApplication,
    QDoubleSpinBox,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.napari_private import main_window, unproxied
from napari_neurosynth_results.viewer.ortho.geometry import slice_position, unit_of
from napari_neurosynth_results.viewer.settings import ORTHO
from napari_neurosynth_results.widgets.common.layout import (
    ElidedLabel,
    EnterPresses,
    FocusMark,
    PlainLabel,
    name_controls,
)
from napari_neurosynth_results.widgets.ortho.canvas import OrthoCanvas

if TYPE_CHECKING:
    from napari.viewer import Viewer

OrthoPlace = Literal["center", "bottom"]

#: Of the application: where the user had it last.
_LAST = "neurosynth_results_ortho_place"
#: Share of the window's height that it takes below the canvas.
_SHARE = 0.4
_REACH_MM = 1000.0
_SPACE = 8
_HELP = (
    "Click or drag: go there. Wheel: zoom. Right or middle button: move the planes. "
    "Double click: show everything. Arrows, Page Up and Down: step by a voxel."
)


class OrthoView(QWidget):
    """Axial, coronal and sagittal slices side by side, linked to the viewer.

    Parameters
    ----------
    napari_viewer : Viewer
        Whose layers are shown, at its place.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.canvas = OrthoCanvas(napari_viewer, self)
        self.canvas.setToolTip(_HELP)
        self.canvas.setAccessibleName("Axial, coronal and sagittal slices")
        self.x, self.y, self.z = (self._box(axis) for axis in "xyz")
        self.unit = PlainLabel("mm", self)
        self.whole = QPushButton("Reset", self)
        self.whole.setToolTip("Show all of the volume")
        self.other = QPushButton("Below", self)
        self.other.setToolTip("Show the three planes below the canvas")
        self.away = QPushButton("Close", self)
        self.away.setToolTip("Take the ortho view away")
        self.not_shown = ElidedLabel(self)
        self.not_shown.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.canvas, 1)
        self.boxes = QWidget(self)
        boxes = QHBoxLayout(self.boxes)
        boxes.setContentsMargins(0, 0, 0, 0)
        boxes.setSpacing(4)
        for axis, box in (("x", self.x), ("y", self.y), ("z", self.z)):
            boxes.addWidget(PlainLabel(axis, self))
            boxes.addWidget(box, 1)
        boxes.addWidget(self.unit)
        # They never take room from the columns: where there is none they go.
        self.boxes.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout()
        row.setContentsMargins(6, 2, 6, 2)
        row.addWidget(self.boxes, 100)
        row.addStretch(1)
        for button in (self.whole, self.other, self.away):
            row.addWidget(button)
        layout.addLayout(row)
        layout.addWidget(self.not_shown)
        self.canvas.changed.connect(self._follow)
        self.canvas.left_out.connect(self._tell)
        self.whole.clicked.connect(self.canvas.reset)
        self.other.clicked.connect(self._change_place)
        self.away.clicked.connect(self._go_away)
        self._main: QMainWindow | None = None
        self._below: QWidget | None = None
        self._cover: Any = None
        name_controls(self)
        self.focus_mark = FocusMark(self)
        EnterPresses(self)
        self._follow()

    # --- where it is shown ------------------------------------------------------------

    @property
    def where(self) -> OrthoPlace:
        """Over the canvas or below it."""
        return "center" if self._below is not None else "bottom"

    def lie_over(self, canvas: QWidget, viewer: Viewer) -> None:
        """Cover the canvas, which goes on below, until another view wants it."""
        self._below = canvas
        # Who goes to the canvas by a key goes to what is seen of it.
        canvas.setFocusProxy(self.canvas)
        self._cover = scene.canvas_cover(viewer)
        self._cover.text = ORTHO
        # Bound methods are held weakly by napari: closing the view ends it.
        self._cover.events.text.connect(self._uncover)
        self.setParent(canvas)
        # A click beside the planes is none on the canvas below.
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        canvas.installEventFilter(self)
        self.setGeometry(canvas.rect())
        self.show()
        self.raise_()

    def keep_corners(self, main: QMainWindow) -> None:
        """Leave the columns beside the canvas their height while it is below."""
        self._main = main
        self.other.setText("Center")
        self.other.setToolTip("Show the three planes in place of the canvas")
        _give_corners(main, to_bottom=False)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stay as large as the canvas below."""
        if watched is self._below and event and event.type() == QEvent.Type.Resize:
            assert self._below is not None
            self.setGeometry(self._below.rect())
        return False

    def event(self, event: QEvent | None) -> bool:
        """Notice that the dock has let the view go, which closing it does."""
        gone = event is not None and event.type() == QEvent.Type.ParentChange
        if gone and self.parent() is None and self._main is not None:
            main, self._main = self._main, None
            _give_corners(main, to_bottom=True)
            # Its mark listens to the application, by which PySide6 keeps it.
            self.deleteLater()
        return bool(super().event(event))

    def resizeEvent(self, event: Any) -> None:
        """Leave the boxes out where they would be cut off: the panel says the place."""
        super().resizeEvent(event)
        buttons = (self.whole, self.other, self.away)
        needed = sum(one.minimumSizeHint().width() + _SPACE for one in buttons)
        needed += self.boxes.layout().minimumSize().width() + _SPACE
        self.boxes.setVisible(self.width() >= needed)

    def _uncover(self, event: object = None) -> None:
        if self._below is not None and self._cover.text != ORTHO:
            self._below.removeEventFilter(self)
            self._below.setFocusProxy(None)
            now = QApplication.focusWidget()
            if now is not None and self.isAncestorOf(now):
                self._below.setFocus()
            self._below = None
            self.hide()
            self.deleteLater()

    def _change_place(self) -> None:
        if (viewer := self.canvas.viewer) is not None:
            by_key = self.other.hasFocus()
            moved = show_ortho(viewer, "bottom" if self.where == "center" else "center")
            if by_key:
                moved.other.setFocus()

    def _go_away(self) -> None:
        if (viewer := self.canvas.viewer) is not None:
            hide_ortho(viewer)

    # --- the place --------------------------------------------------------------------

    def _box(self, axis: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox(self)
        box.setRange(-_REACH_MM, _REACH_MM)
        box.setDecimals(1)
        box.setKeyboardTracking(False)
        box.setToolTip(f"MNI {axis} in mm")
        box.setMinimumWidth(72)
        box.valueChanged.connect(self._go)
        return box

    def _go(self) -> None:
        viewer = self.canvas.viewer
        if viewer is not None:
            scene.look_at(viewer, self.x.value(), self.y.value(), self.z.value())

    def _follow(self) -> None:
        """Show where the slices are, without moving them."""
        viewer = self.canvas.viewer
        if viewer is None:
            return
        self.unit.setText(unit_of(viewer))
        z, y, x = slice_position(viewer)
        for box, value in ((self.x, x), (self.y, y), (self.z, z)):
            with QSignalBlocker(box):
                box.setValue(value)

    def _tell(self, left_out: dict[str, str]) -> None:
        """Say in one line which visible layers are not in the picture."""
        text = "; ".join(f"{name} ({why})" for name, why in left_out.items())
        text = f"Not shown: {text}" if text else ""
        if text != self.not_shown.text():
            self.not_shown.say(text)
            self.not_shown.setVisible(bool(text))


def show_ortho(napari_viewer: Viewer, where: OrthoPlace | None = None) -> OrthoView:
    """Show three planes over the canvas or below it.

    Parameters
    ----------
    where : {"center", "bottom"}, optional
        Where the user had it last when not given; at first in the center.

    Returns
    -------
    OrthoView
        The one that is there, if there is one at that place.
    """
    app = QApplication.instance()
    found = ortho_of(napari_viewer)
    where = where or (found.where if found else app.property(_LAST)) or "center"
    app.setProperty(_LAST, where)
    if found is not None and found.where == where:
        found.show()
        found.raise_()
        if where == "bottom":
            found.parentWidget().show()
            found.parentWidget().raise_()
        return found
    hide_ortho(napari_viewer)
    viewer = unproxied(napari_viewer)
    view, main = OrthoView(viewer), main_window(viewer)
    canvas = main.centralWidget().findChild(QOpenGLWidget) if main is not None else None
    if where == "center" and canvas is not None:
        if viewer.dims.ndisplay == 3:
            # What is cut stands back in 3D for surfaces, which are not.
            scene.show_plane(viewer, "axial")
        view.lie_over(canvas, viewer)
        return view
    if main is not None:
        view.keep_corners(main)
    dock = viewer.window.add_dock_widget(view, name=ORTHO, area="bottom")
    if main is not None:
        wanted = int(_SHARE * main.height())
        main.resizeDocks([dock], [wanted], Qt.Orientation.Vertical)
    return view


def hide_ortho(napari_viewer: Viewer) -> None:
    """Take the ortho view away, wherever it is."""
    found = ortho_of(napari_viewer)
    if found is None:
        return
    if found.where == "center":
        scene.uncover_canvas(napari_viewer)
    else:
        unproxied(napari_viewer).window.remove_dock_widget(found.parentWidget())
        found.deleteLater()


def ortho_of(napari_viewer: Viewer) -> OrthoView | None:
    """Return the ortho view that is shown, None when there is none."""
    # A viewer without a window has no place for it.
    window = getattr(unproxied(napari_viewer), "window", None)
    if window is None:
        return None
    found: OrthoView | None = window.dock_widgets.get(ORTHO)
    if found is not None:
        return found
    main = main_window(napari_viewer)
    views = main.centralWidget().findChildren(OrthoView) if main is not None else []
    # One that has gone away is there until Qt deletes it; who hears of it before the
    # view does is told by what covers the canvas.
    if not views or scene.canvas_cover(napari_viewer).text != ORTHO:
        return None
    return next((one for one in views if one.where == "center"), None)


def _give_corners(main: QMainWindow, *, to_bottom: bool) -> None:
    """Say to whom the lower corners of the window belong."""
    area, corner = Qt.DockWidgetArea, Qt.Corner
    for one, column in (
        (corner.BottomLeftCorner, area.LeftDockWidgetArea),
        (corner.BottomRightCorner, area.RightDockWidgetArea),
    ):
        main.setCorner(one, area.BottomDockWidgetArea if to_bottom else column)
