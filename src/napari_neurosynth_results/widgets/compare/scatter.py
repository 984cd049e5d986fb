"""Two maps against each other, voxel by voxel, as a field of counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QWidget

from napari_neurosynth_results.widgets.common.color_grid import ColorRamp

_BINS = 96
_MARGINS = (52, 8, 8, 40)
_LOWEST = 220
_TICKS = 5
#: Few to many, as in the heat map of studies.
_RAMP = ColorRamp(
    ((45, 45, 70), (70, 30, 140), (150, 30, 150), (220, 90, 90), (250, 210, 60))
)


class ScatterPlot(QWidget):
    """Draw how often pairs of values occur, on a logarithmic scale of colors."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setMinimumHeight(_LOWEST)
        self._counts: npt.NDArray[np.float64] | None = None
        self._ranges = ((0.0, 1.0), (0.0, 1.0))
        self._names = ("", "")
        self._lines: tuple[list[float], list[float]] = ([], [])

    def show_pairs(
        self,
        x: npt.NDArray[Any],
        y: npt.NDArray[Any],
        names: tuple[str, str],
        lines: tuple[list[float], list[float]],
    ) -> None:
        """Show other values.

        Parameters
        ----------
        x, y : ndarray, shape (n,)
            Values of both maps in the same voxels.
        names : tuple of str
            What the axes show.
        lines : tuple of list of float
            Thresholds to draw, on x and on y.
        """
        self._names, self._lines = names, lines
        if not x.size:
            self._counts = None
            self.update()
            return
        self._ranges = _padded_range(x, lines[0]), _padded_range(y, lines[1])
        self._counts, _, _ = np.histogram2d(x, y, bins=_BINS, range=self._ranges)
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._counts = None
        self.update()

    @property
    def counts(self) -> npt.NDArray[np.float64] | None:
        """What is drawn: voxels by bins of x and y; None for nothing."""
        return self._counts

    def _frame(self) -> QRectF:
        left, top, right, bottom = _MARGINS
        return QRectF(
            left, top, self.width() - left - right, self.height() - top - bottom
        )

    def _at(self, x: float, y: float) -> QPointF:
        frame = self._frame()
        (low_x, high_x), (low_y, high_y) = self._ranges
        return QPointF(
            frame.left() + frame.width() * (x - low_x) / (high_x - low_x),
            frame.bottom() - frame.height() * (y - low_y) / (high_y - low_y),
        )

    def paintEvent(self, event: Any) -> None:
        """Draw the field, the thresholds and the axes."""
        painter = QPainter(self)
        text = self.palette().windowText().color()
        if self._counts is None:
            painter.setPen(text)
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "No voxels to compare"
            )
            painter.end()
            return
        frame = self._frame()
        painter.drawImage(frame, _count_image(self._counts))
        painter.setPen(text)
        painter.drawRect(frame)
        self._draw_axes(painter, frame)
        self._draw_lines(painter, frame)
        painter.end()

    def _draw_lines(self, painter: QPainter, frame: QRectF) -> None:
        pen = QPen(QColor("white"))
        pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        for x in self._lines[0]:
            at = self._at(x, self._ranges[1][0]).x()
            painter.drawLine(QPointF(at, frame.top()), QPointF(at, frame.bottom()))
        for y in self._lines[1]:
            at = self._at(self._ranges[0][0], y).y()
            painter.drawLine(QPointF(frame.left(), at), QPointF(frame.right(), at))

    def _draw_axes(self, painter: QPainter, frame: QRectF) -> None:
        center = Qt.AlignmentFlag.AlignCenter
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for value in _ticks(*self._ranges[0]):
            at = self._at(value, self._ranges[1][0])
            box = QRectF(at.x() - 30, frame.bottom() + 1, 60, 16)
            painter.drawText(box, center, f"{value:g}")
        for value in _ticks(*self._ranges[1]):
            at = self._at(self._ranges[0][0], value)
            painter.drawText(QRectF(14, at.y() - 8, 34, 16), right, f"{value:g}")
        metrics, elide = painter.fontMetrics(), Qt.TextElideMode.ElideMiddle
        below = metrics.elidedText(self._names[0], elide, int(frame.width()))
        box = QRectF(frame.left(), frame.bottom() + 18, frame.width(), 18)
        painter.drawText(box, center, below)
        painter.save()
        painter.rotate(-90)
        beside = metrics.elidedText(self._names[1], elide, int(frame.height()))
        box = QRectF(-frame.bottom(), 0, frame.height(), 16)
        painter.drawText(box, center, beside)
        painter.restore()


def _padded_range(values: npt.NDArray[Any], lines: list[float]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    low, high = min([low, *lines]), max([high, *lines])
    room = 0.03 * (high - low) or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> npt.NDArray[np.float64]:
    """Choose round numbers within a range."""
    step = 10 ** np.floor(np.log10((high - low) / _TICKS))
    for factor in (1, 2, 5, 10):
        if (high - low) / (step * factor) <= _TICKS:
            step *= factor
            break
    steps = np.arange(np.ceil(low / step), np.floor(high / step) + 1)
    # Adding 0 takes the sign from -0.
    return np.asarray(np.round(steps * step, 9) + 0.0)


def _count_image(counts: npt.NDArray[np.float64]) -> QImage:
    """Color counts by their logarithm; nothing is transparent."""
    strength = np.log1p(counts.T[::-1])
    strength /= max(float(strength.max()), 1e-9)
    rgba = np.zeros((*strength.shape, 4), np.uint8)
    rgba[..., :3] = _RAMP.rgb(strength)
    rgba[..., 3] = np.where(strength > 0, 255, 0)
    height, width = strength.shape
    image = QImage(rgba.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    # The array goes; the picture keeps its own.
    return image.copy()
