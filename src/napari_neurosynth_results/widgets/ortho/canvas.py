"""Three planes on the screen, and what mouse and keyboard do to them.

One widget paints all three: they share a scale, a center and a crosshair. Why they are
not canvases of napari is told in `viewer.ortho`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.canvas import Bar, bar_on, caption_on, unbroken
from napari_neurosynth_results.viewer.ortho.geometry import (
    Arrangement,
    FieldOfView,
    PlaceZYX,
    Window,
    arrange,
    slice_position,
    unit_of,
)
from napari_neurosynth_results.viewer.ortho.picture import (
    Discs,
    Drawable,
    Follower,
    draw,
    drawable_layers,
    field_of_view,
    finest_step,
    values_at,
)

if TYPE_CHECKING:
    from napari.viewer import Viewer

_BACKGROUND = QColor(0, 0, 0)
_LETTERS = QColor(255, 255, 255)
_DIMMED = QColor(150, 155, 165)
_SHADOW = QColor(0, 0, 0, 200)
_CROSSHAIR = QColor(110, 230, 130, 190)
#: Pixels about the place that the crosshair leaves free.
_HOLE = 9
_LETTER_POINTS, _TEXT_POINTS = 14, 11
_MARGIN = 5
#: Share of a plane's width that the text in its corner may take.
_CORNER = 0.4
_BAR_WIDTH, _BAR_HEIGHT = 14, 140
_NOTHING = "Nothing to show: no volume is visible."
_LEAST, _MOST_ZOOM = 0.5, 30.0
#: For one notch of the wheel, which Qt counts as 120.
_ZOOM_A_NOTCH, _NOTCH = 1.15, 120
#: Axis among z, y, x and direction of each key.
_KEYS = {
    Qt.Key.Key_Left: ("horizontal", -1),
    Qt.Key.Key_Right: ("horizontal", 1),
    Qt.Key.Key_Up: ("vertical", 1),
    Qt.Key.Key_Down: ("vertical", -1),
    Qt.Key.Key_PageUp: ("through", 1),
    Qt.Key.Key_PageDown: ("through", -1),
}
#: Of more points the edges are not smoothed: that takes most of the time.
_MOST_SMOOTH = 1000


class OrthoCanvas(QWidget):
    """Axial, coronal and sagittal slices with a crosshair.

    Parameters
    ----------
    viewer : Viewer
        Whose layers to show, at its place; held weakly.
    """

    #: The place or what is drawn may be different.
    changed = Signal()
    #: Name -> why, of visible layers that are not shown.
    left_out = Signal(dict)

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(180, 180)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._zoom = 1.0
        #: How far the middle of the planes is from the middle of the volume, mm.
        self._shift: PlaceZYX = (0.0, 0.0, 0.0)
        #: Which plane the mouse went down in, and where it was last while panning.
        self._pressed: str | None = None
        self._panning: QPointF | None = None
        self._plane = "axial"
        self._unit = "mm"
        self._follower = Follower(viewer, self._on_change)
        # Qt may delete the widget long before Python does.
        self.destroyed.connect(self._follower.stop)

    def sizeHint(self) -> QSize:
        """Return the size that the dock starts with."""
        return QSize(520, 560)

    def _on_change(self) -> None:
        self.update()
        self.changed.emit()

    @property
    def viewer(self) -> Viewer | None:
        """The viewer, None when it is gone or flat."""
        viewer = self._follower.viewer
        return viewer if viewer is not None and viewer.dims.ndim >= 3 else None

    # --- where things are -------------------------------------------------------------

    def _arranged(self, viewer: Viewer) -> tuple[Arrangement, FieldOfView]:
        center, size = field_of_view(viewer)
        found = arrange(self.width(), self.height(), size)
        z, y, x = (at + by for at, by in zip(center, self._shift, strict=True))
        side = scene.nearest_convention(viewer)
        return found, FieldOfView((z, y, x), found.scale * self._zoom, side)

    def windows(self) -> dict[str, tuple[QRect, Window]]:
        """Return where each plane lies in the widget, and what it shows.

        Returns
        -------
        dict of str to (QRect, Window)
            ``"axial"``, ``"coronal"`` and ``"sagittal"``; empty without a volume.
        """
        viewer = self.viewer
        if viewer is None:
            return {}
        arrangement, field = self._arranged(viewer)
        return {
            plane: (QRect(*box), Window(plane, box[3], box[2], field))
            for plane, box in arrangement.boxes.items()
        }

    def _under(self, at: QPointF) -> tuple[QRect, Window] | None:
        return next(
            (
                (box, window)
                for box, window in self.windows().values()
                if box.contains(at.toPoint())
            ),
            None,
        )

    # --- painting ---------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw all three planes."""
        painter = QPainter(self)
        try:
            left_out = self._paint(painter)
        finally:
            # Qt ends the process for a painter that outlives an exception.
            painter.end()
        self.left_out.emit(left_out)

    def _paint(self, painter: QPainter) -> dict[str, str]:
        """Paint everything, and return what is left out and why."""
        painter.fillRect(self.rect(), _BACKGROUND)
        viewer = self.viewer
        what = drawable_layers(viewer) if viewer is not None else Drawable((), {})
        if viewer is None or not what.layers:
            self._set_size(painter, _TEXT_POINTS)
            _write(painter, self.rect(), Qt.AlignmentFlag.AlignCenter, _NOTHING)
            return what.left_out
        self._unit = unit_of(viewer)
        left_out, place = dict(what.left_out), slice_position(viewer)
        for box, window in self.windows().values():
            finer = _finer(window, self.devicePixelRatioF())
            picture, failed = draw(viewer, what, finer, paint_discs)
            left_out |= failed
            rows, columns = picture.shape[:2]
            image = QImage(
                picture.data, columns, rows, 4 * columns, QImage.Format.Format_RGBX8888
            )
            painter.drawImage(box, image)
            painter.setClipRect(box)
            self._paint_crosshair(painter, box, window, place)
            self._paint_letters(painter, box, window, place)
            painter.setClipping(False)
        corner = self._arranged(viewer)[0].corner
        if corner is not None:
            box = QRect(*corner)
            top = self._paint_caption(painter, box, unbroken(caption_on(viewer)))
            right = self._paint_bar(painter, box.adjusted(0, top, 0, 0), bar_on(viewer))
            left = box.adjusted(0, top, -right, 0)
            self._paint_values(painter, left, values_at(what, place))
        return left_out

    def _paint_crosshair(
        self, painter: QPainter, box: QRect, window: Window, place: PlaceZYX
    ) -> None:
        row, column = window.pixel_of(place)
        x, y = box.left() + column, box.top() + row
        painter.setPen(QPen(_CROSSHAIR, 1))
        for start, end in (
            (QPointF(box.left(), y), QPointF(x - _HOLE, y)),
            (QPointF(x + _HOLE, y), QPointF(box.right() + 1, y)),
            (QPointF(x, box.top()), QPointF(x, y - _HOLE)),
            (QPointF(x, y + _HOLE), QPointF(x, box.bottom() + 1)),
        ):
            if start.x() <= end.x() and start.y() <= end.y():
                painter.drawLine(start, end)

    def _paint_letters(
        self, painter: QPainter, box: QRect, window: Window, place: PlaceZYX
    ) -> None:
        inner = box.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        self._set_size(painter, _LETTER_POINTS, bold=True)
        middle = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignHCenter
        sides = {
            "left": Qt.AlignmentFlag.AlignLeft | middle[0],
            "right": Qt.AlignmentFlag.AlignRight | middle[0],
            "top": Qt.AlignmentFlag.AlignTop | middle[1],
            "bottom": Qt.AlignmentFlag.AlignBottom | middle[1],
        }
        for side, letter in window.letters().items():
            _write(painter, inner, sides[side], letter)
        self._set_size(painter, _TEXT_POINTS)
        axis = window.axes[0]
        text = f"{'zyx'[axis]} = {place[axis]:.4g} {self._unit}"
        # In a small plane it would run into the letter below.
        if painter.fontMetrics().horizontalAdvance(text) > inner.width() * _CORNER:
            text = f"{'zyx'[axis]} {place[axis]:.4g}"
        corner = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        _write(painter, inner, corner, text)

    def _paint_caption(self, painter: QPainter, box: QRect, text: str) -> int:
        """Say in the part that is left over which map at which threshold is shown.

        Returns
        -------
        int
            How many pixels that takes.
        """
        if not text:
            return 0
        self._set_size(painter, _TEXT_POINTS)
        inner = box.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        painter.setPen(_LETTERS)
        flags = int(Qt.TextFlag.TextWordWrap) | int(Qt.AlignmentFlag.AlignLeft)
        high = int(painter.boundingRect(inner, flags, text).height()) + 2 * _MARGIN
        # The head of the panel says it too; the values stand here alone.
        if high > box.height() / 2:
            return 0
        painter.drawText(inner, flags, text)
        return high

    def _paint_bar(self, painter: QPainter, box: QRect, bar: Bar | None) -> int:
        """Draw the color bar of the canvas beside the values.

        Returns
        -------
        int
            How many pixels that takes.
        """
        line = painter.fontMetrics().lineSpacing()
        high = min(box.height() - 2 * line - _MARGIN, _BAR_HEIGHT)
        if bar is None or high < 2 * line:
            return 0
        widest = max(painter.fontMetrics().horizontalAdvance(t) for _, t in bar.ticks)
        left, top = box.right() - _MARGIN - _BAR_WIDTH, box.top() + line + _MARGIN
        rows = len(bar.colors) // 4
        picture = QImage(bar.colors, 1, rows, 4, QImage.Format.Format_RGBA8888)
        painter.drawImage(QRect(left, top, _BAR_WIDTH, high), picture)
        painter.setPen(_LETTERS)
        title = QRect(box.left(), box.top(), box.width() - _MARGIN, line)
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(title, right, bar.title)
        for share, text in bar.ticks:
            at = top + round(share * high) - line // 2
            beside = QRect(left - _MARGIN - widest, at, widest, line)
            painter.drawText(beside, right, text)
        return int(widest) + _BAR_WIDTH + 3 * _MARGIN

    def _paint_values(
        self, painter: QPainter, box: QRect, values: list[tuple[str, str]]
    ) -> None:
        """Say in the part that is left over what each layer says of the place."""
        self._set_size(painter, _TEXT_POINTS)
        metrics = painter.fontMetrics()
        high, wide = metrics.lineSpacing(), box.width() - 2 * _MARGIN
        # Name and value lie below each other: both may be long.
        fitting = max((box.height() - 2 * _MARGIN) // (2 * high + _MARGIN), 0)
        top = box.top() + _MARGIN
        left = Qt.AlignmentFlag.AlignLeft
        for name, value in values[:fitting]:
            for text, color in ((name, _DIMMED), (value, _LETTERS)):
                line = QRect(box.left() + _MARGIN, top, wide, high)
                # A map and its clusters differ at the end of their names.
                elided = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, wide)
                painter.setPen(color)
                painter.drawText(line, left, elided)
                top += high
            top += _MARGIN

    @staticmethod
    def _set_size(painter: QPainter, points: int, *, bold: bool = False) -> None:
        font = QFont(painter.font())
        font.setPointSize(points)
        font.setBold(bold)
        painter.setFont(font)

    # --- mouse and keyboard -----------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to a place with the left button, take hold with another one."""
        found = self._under(event.position())
        if found is None:
            return
        self._plane = found[1].plane
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = self._plane
            self._go(event.position())
        else:
            self._pressed, self._panning = self._plane, event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the place, or the planes."""
        if self._pressed is None:
            return
        if self._panning is None:
            self._go(event.position())
        else:
            self._pan(event.position() - self._panning)
            self._panning = event.position()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._pressed = self._panning = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show everything again."""
        self.reset()

    def reset(self) -> None:
        """Show all of the volume."""
        self._zoom, self._shift = 1.0, (0.0, 0.0, 0.0)
        self.update()

    def _go(self, at: QPointF) -> None:
        """Move the place to a pixel of the plane in which the mouse went down."""
        viewer = self.viewer
        if viewer is None or self._pressed is None:
            return
        box, window = self.windows()[self._pressed]
        row = min(max(at.y() - box.top(), 0.0), window.rows)
        column = min(max(at.x() - box.left(), 0.0), window.columns)
        z, y, x = window.place_at(row, column, slice_position(viewer))
        scene.look_where_clicked(viewer, x, y, z)

    def _pan(self, by: QPointF) -> None:
        found = self.windows()
        if self._pressed not in found:
            return
        _, window = found[self._pressed]
        self._shift_so(window, 0, 0, by.y(), by.x())

    def _shift_so(
        self, window: Window, row: float, column: float, to_row: float, to_column: float
    ) -> None:
        """Move the planes so that what lies at one pixel comes to lie at another."""
        here = (0.0, 0.0, 0.0)
        old = window.place_at(row, column, here)
        new = window.place_at(to_row, to_column, here)
        z, y, x = (
            shift + a - b for shift, a, b in zip(self._shift, old, new, strict=True)
        )
        self._shift = (z, y, x)
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom all planes about the place under the mouse."""
        found = self._under(event.position())
        if found is None:
            return
        box, before = found
        factor = _ZOOM_A_NOTCH ** (event.angleDelta().y() / _NOTCH)
        row, column = (
            event.position().y() - box.top(),
            event.position().x() - box.left(),
        )
        place = before.place_at(row, column, (0.0, 0.0, 0.0))
        self._zoom = min(max(self._zoom * factor, _LEAST), _MOST_ZOOM)
        _, after = self.windows()[before.plane]
        self._shift_so(after, *after.pixel_of(place), row, column)
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Claim the keys of the planes before a shortcut of the window takes them."""
        override = event.type() == QEvent.Type.ShortcutOverride
        if override and event.key() in _KEYS:
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step by a voxel in the plane that was clicked last, or through it."""
        viewer, found = self.viewer, self.windows()
        if viewer is None or event.key() not in _KEYS:
            super().keyPressEvent(event)
            return
        where, direction = _KEYS[event.key()]
        _, window = found[self._plane]
        through, vertical, horizontal = window.axes
        axis = {"through": through, "vertical": vertical, "horizontal": horizontal}
        if where == "horizontal" and not window.rightward:
            direction = -direction
        place = list(slice_position(viewer))
        place[axis[where]] += direction * finest_step(viewer)[axis[where]]
        z, y, x = place
        scene.look_at(viewer, x, y, z)


def _finer(window: Window, ratio: float) -> Window:
    """Return the same plane in the pixels of a screen that has more of them."""
    field = window.field
    return Window(
        window.plane,
        max(math.ceil(window.rows * ratio), 1),
        max(math.ceil(window.columns * ratio), 1),
        FieldOfView(field.center, field.scale * ratio, field.convention),
    )


def _write(painter: QPainter, box: QRect, flags: Any, text: str) -> None:
    """Write a text that can be read on black and on white."""
    painter.setPen(_SHADOW)
    for right, down in _around():
        painter.drawText(box.translated(right, down), flags, text)
    painter.setPen(_LETTERS)
    painter.drawText(box, flags, text)


def _around() -> Iterator[tuple[int, int]]:
    return (
        (right, down) for right in (-1, 0, 1) for down in (-1, 0, 1) if right or down
    )


# --- the points of a plane, smooth at their edges ------------------------------------


def paint_discs(picture: npt.NDArray[np.uint8], discs: Discs) -> None:
    """Paint discs onto a picture.

    Parameters
    ----------
    picture : array of uint8 of shape (rows, columns, 4)
        Is changed.
    discs : Discs
        What to paint; symbols other than squares and diamonds are painted as discs.
    """
    rows, columns = picture.shape[:2]
    # Bindings differ in whether Qt may write to what Python owns: it gets a copy.
    image = QImage(
        picture.data, columns, rows, 4 * columns, QImage.Format.Format_RGBX8888
    ).copy()
    painter = QPainter(image)
    smooth = len(discs) <= _MOST_SMOOTH
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, smooth)
    if discs.additive:
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Plus)
    faces, lines = _colors(discs.faces), _colors(discs.lines)
    no_line = QPen(Qt.PenStyle.NoPen)
    columns_rows = zip(discs.columns.tolist(), discs.rows.tolist(), strict=True)
    for n, (x, y) in enumerate(columns_rows):
        shape = _PAINTED.get(discs.symbols[n], _disc)
        middle = QPointF(x, y)
        radius, border = float(discs.diameters[n]) / 2, float(discs.borders[n])
        # As in napari, the face ends where the line begins.
        painter.setPen(no_line)
        painter.setBrush(faces[n])
        shape(painter, middle, radius - border / 2)
        if border > 0 and lines[n].alpha() > 0:
            painter.setPen(QPen(lines[n], border))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            shape(painter, middle, radius)
    painter.end()
    bits = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt; PySide knows the size
        bits.setsize(image.sizeInBytes())
    picture[...] = np.frombuffer(bits, np.uint8).reshape(picture.shape)


def _colors(colors: npt.NDArray[np.float64]) -> list[QColor]:
    """Make a color for each row, and only once for equal ones."""
    bytes_ = np.rint(np.clip(colors, 0, 1) * 255).astype(int)
    different, which = np.unique(bytes_, axis=0, return_inverse=True)
    made = [QColor(*color) for color in different.tolist()]
    return [made[n] for n in which.ravel().tolist()]


def _disc(painter: QPainter, middle: QPointF, radius: float) -> None:
    painter.drawEllipse(middle, radius, radius)


def _square(painter: QPainter, middle: QPointF, radius: float) -> None:
    half = QPointF(radius, radius)
    painter.drawRect(QRectF(middle - half, middle + half))


def _diamond(painter: QPainter, middle: QPointF, radius: float) -> None:
    corners = ((0, -radius), (radius, 0), (0, radius), (-radius, 0))
    painter.drawPolygon(QPolygonF([middle + QPointF(x, y) for x, y in corners]))


_PAINTED: dict[str, Callable[[QPainter, QPointF, float], None]] = {
    "square": _square,
    "diamond": _diamond,
}
