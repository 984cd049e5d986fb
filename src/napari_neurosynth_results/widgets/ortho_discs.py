"""Paint the points of a plane, smooth at their edges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from napari_neurosynth_results.viewer.ortho.points import Discs

#: Of more points the edges are not smoothed: that takes most of the time.
_MOST_SMOOTH = 1000


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
