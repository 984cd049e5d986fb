"""Paint the points of a plane, smooth at their edges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QImage, QPainter, QPen, QPolygonF

from napari_neurosynth_results.viewer.ortho.discs import Discs


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
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if discs.additive:
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Plus)
    for n, symbol in enumerate(discs.symbols):
        shape = _PAINTED.get(symbol, _disc)
        middle = QPointF(discs.columns[n], discs.rows[n])
        radius, border = discs.diameters[n] / 2, discs.borders[n]
        # As in napari, the face ends where the line begins.
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(_color(discs.faces[n])))
        shape(painter, middle, radius - border / 2)
        if border > 0 and discs.lines[n, 3] > 0:
            painter.setPen(QPen(_color(discs.lines[n]), border))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            shape(painter, middle, radius)
    painter.end()
    bits = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt; PySide knows the size
        bits.setsize(image.sizeInBytes())
    picture[...] = np.frombuffer(bits, np.uint8).reshape(picture.shape)


def _color(color: npt.NDArray[np.float64]) -> QColor:
    return QColor.fromRgbF(*(float(part) for part in np.clip(color, 0, 1)))


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
