"""The numbers of a comparison: a table, a field of values, clusters, a matrix."""

from __future__ import annotations

import base64
import math
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QBuffer, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QComboBox, QLabel, QTabWidget, QVBoxLayout, QWidget

from napari_neurosynth_results.anatomy.numerals import short_percent
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.colors import OPPOSITE
from napari_neurosynth_results.export.escaping import for_html
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import say_threshold
from napari_neurosynth_results.statistics.comparison.agreement import (
    common_mask,
    sample_map,
)
from napari_neurosynth_results.statistics.thresholds.apply import ThresholdResult
from napari_neurosynth_results.viewer.compare.comparison_layers import agreement_legend
from napari_neurosynth_results.widgets.common.color_grid import (
    ColorGrid,
    ColorRamp,
    GridView,
)
from napari_neurosynth_results.widgets.common.layout import PlainLabel, wrap
from napari_neurosynth_results.widgets.common.row_table import (
    Column,
    RowModel,
    TableView,
    records,
)

if TYPE_CHECKING:
    import pandas as pd

    from napari_neurosynth_results.statistics.comparison.comparison import Comparison
    from napari_neurosynth_results.statistics.comparison.matrix import Matrix


_BINS = 96
_MARGINS = (52, 8, 8, 40)
_LOWEST = 220
#: Side of a patch of color in pixels, and its frame, which is seen in any theme.
_PATCH, _FRAME = 10, QColor(128, 128, 128)
_TICKS = 5
#: Few to many, as in the heat map of studies.
_COUNT_RAMP = ColorRamp(
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
    rgba[..., :3] = _COUNT_RAMP.rgb(strength)
    rgba[..., 3] = np.where(strength > 0, 255, 0)
    height, width = strength.shape
    image = QImage(rgba.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    # The array goes; the picture keeps its own.
    return image.copy()


_TABLE = (
    Column(
        "Measure", "What was counted; saved files have all numbers", value=itemgetter(0)
    ),
    Column("Value", "Voxels are those of the finer grid", value=itemgetter(1)),
)
_MEASURES = {
    "Dice": "dice",
    "Jaccard": "jaccard",
    "Pearson's r": "r",
    "Spearman's rho": "rho",
}
_CLUSTERS = (
    Column("First map", "Cluster of the first map", value=itemgetter("name_a")),
    Column(
        "Second map",
        "Cluster of the second map that it overlaps",
        value=itemgetter("name_b"),
    ),
    Column(
        "Voxels",
        "Voxels in both clusters",
        ",d",
        value=itemgetter("n_voxels"),
        bar=True,
    ),
    Column(
        "% of first",
        "Share of the first map's cluster",
        ".0f",
        value=itemgetter("share_a"),
    ),
    Column(
        "% of second",
        "Share of the second map's cluster",
        ".0f",
        value=itemgetter("share_b"),
    ),
    Column(
        "Peaks, mm",
        "Distance between the peaks",
        ".1f",
        value=itemgetter("peak_distance_mm"),
    ),
)
#: From -1 over 0 to 1: blue, dark, orange.
_RAMP = ColorRamp(((86, 180, 233), (40, 40, 60), (230, 159, 0)), -1, 1)
_CELL = QSize(52, 0)
_TITLES_WIDTH = 200


class ComparisonNumbers(QTabWidget):
    """Tabs with the numbers of a comparison."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName("Numbers of the comparison")
        self._comparison: Comparison | None = None
        self._matrix: Matrix | None = None
        self.legend, self.notices = _text(), _text()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.table = TableView(RowModel(_TABLE, self), self, sortable=True)
        self.scatter = ScatterPlot(self)
        self.clusters = TableView(RowModel(_CLUSTERS, self), self, sortable=True)
        self.measure = QComboBox(self)
        self.measure.setAccessibleName("Measure of the matrix")
        for title, name in _MEASURES.items():
            self.measure.addItem(title, name)
        elide = Qt.TextElideMode.ElideMiddle
        self.matrix = GridView(self, _CELL, _TITLES_WIDTH, elide)
        self.addTab(self._page(self.legend, self.table), "Numbers")
        self.addTab(self._page(self.scatter), "Values")
        self.addTab(self._page(self.clusters), "Clusters")
        self.addTab(self._page(self.measure, self.matrix), "Matrix")
        self.addTab(self._page(self.notices), "Notes")
        self.currentChanged.connect(self._fill)
        self.measure.currentIndexChanged.connect(self._fill)

    def _page(self, *widgets: QWidget) -> QWidget:
        page = QWidget(self)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(4, 4, 4, 4)
        for widget in widgets:
            layout.addWidget(widget)
        return page

    def show_comparison(
        self, comparison: Comparison | None, matrix: Matrix | None
    ) -> None:
        """Show other numbers.

        Parameters
        ----------
        comparison : Comparison or None
            Of the first two maps.
        matrix : Matrix or None
            Of all, when there are more than two.
        """
        self._comparison, self._matrix = comparison, matrix
        self.setTabVisible(3, matrix is not None)
        self._fill()

    def _fill(self, event: object = None) -> None:
        """Fill the page that is seen."""
        known, page = self._comparison, self.currentIndex()
        if page == 0:
            self.legend.setText(_legend(known) if known is not None else "")
            self.table.rows.show(_in_short(known) if known is not None else [])
        elif page == 1:
            self._fill_scatter()
        elif page == 2:
            rows: list[Any] = []
            if known is not None:
                rows = records(known.clusters)
            self.clusters.rows.show(rows)
        elif page == 3:
            if self._matrix is not None:
                name = self.measure.currentData()
                self.matrix.cells.show(matrix_grid(getattr(self._matrix, name)))
        else:
            notices = known.notices if known is not None else ()
            self.notices.setText("\n\n".join(notices))

    def _fill_scatter(self) -> None:
        known = self._comparison
        if known is None:
            self.scatter.clear()
            return
        try:
            first, second = (
                sample_map(one.statmap, known.grid) for one in (known.a, known.b)
            )
        except ResultsError:
            self.scatter.clear()
            return
        inside = common_mask((first, second))
        if inside is None:
            # Nobody knows the mask: what neither map has a value in says nothing.
            inside = (first.values != 0) | (second.values != 0)
        self.scatter.show_pairs(
            first.values[inside],
            second.values[inside],
            (known.name_a, known.name_b),
            (_heights(known.a), _heights(known.b)),
        )


def _legend(known: Comparison) -> str:
    """Say both thresholds, and what the colors of an agreement mean."""
    counts = known.overlap.counts["all"]
    numbers = (
        counts.only_a - counts.opposite,
        counts.only_b - counts.opposite,
        counts.both,
        counts.opposite,
    )
    parts = [
        f"<b>{word}</b> {for_html(f'{name}: {say_threshold(of)}: {n:,} voxels')}"
        for word, name, of, n in (
            ("First:", known.name_a, known.a, known.n_a),
            ("Second:", known.name_b, known.b, known.n_b),
        )
    ]
    parts.append("In the layer that <i>Agreement</i> shows:")
    for (text, rgb), count in zip(agreement_legend(known), numbers, strict=True):
        if count or text != OPPOSITE.name:
            parts.append(f"{_patch(rgb)} {for_html(text)}: {count:,}")
    return "<br>".join(parts)


def _patch(rgb: tuple[float, float, float]) -> str:
    """Draw a color as HTML, in a frame: white is seen on white too."""
    image, drawn = QImage(_PATCH, _PATCH, QImage.Format.Format_RGB32), QBuffer()
    image.fill(_FRAME)
    painter = QPainter(image)
    painter.fillRect(image.rect().adjusted(1, 1, -1, -1), QColor.fromRgbF(*rgb))
    painter.end()
    image.save(drawn, "png")
    encoded = base64.b64encode(bytes(drawn.data())).decode()
    return f'<img src="data:image/png;base64,{encoded}">'


def _heights(clusters: ClusterSet) -> list[float]:
    """Return where a threshold lies among the values of its map."""
    applied, sides = clusters.threshold, sorted(set(clusters.labelled.sign.tolist()))
    if not isinstance(applied, ThresholdResult) or not math.isfinite(applied.height):
        return []
    return [sign * applied.height for sign in sides or [1]]


def _in_short(known: Comparison) -> list[tuple[str, str]]:
    """Put the numbers that are looked at first into a few rows."""
    rows: list[tuple[str, str]] = []
    signed = [word for word in ("positive", "negative") if known.by_sign.both[word]]
    for word in ["all", *(signed if len(signed) > 1 else [])]:
        counts = known.overlap.counts[word]
        of = "" if word == "all" else f", {word}"
        cm3 = counts.both * known.voxel_mm3 / 1000
        rows += [
            (f"Dice{of}", f"{counts.dice:.3f}"),
            (f"Jaccard{of}", f"{counts.jaccard:.3f}"),
            (f"In both{of}", f"{counts.both:,} voxels, {cm3:,.1f} cm3"),
            (f"Only in the first{of}", f"{counts.only_a:,} voxels"),
            (f"Only in the second{of}", f"{counts.only_b:,} voxels"),
        ]
    for what, over in (
        ("in the common mask", known.over_mask),
        ("where neither is 0", known.over_non_zero),
    ):
        if over.n_voxels:
            rows += [
                (f"Pearson's r {what}", f"{over.r:.3f}"),
                (f"Spearman's rho {what}", f"{over.rho:.3f}"),
                (f"Voxels {what}", f"{over.n_voxels:,}"),
            ]
    if known.over_mask.n_voxels:
        zeros = 100 * known.over_mask.zeros_a, 100 * known.over_mask.zeros_b
        rows.append(
            ("Exactly 0 in the common mask", " and ".join(map(short_percent, zeros)))
        )
    return rows


def matrix_grid(table: pd.DataFrame) -> ColorGrid:
    """Show how alike each two maps are, as numbers on colors.

    Parameters
    ----------
    table : pandas.DataFrame
        Maps by maps: -1 to 1, NaN where it is not known.
    """
    names = [str(name) for name in table.index]
    return ColorGrid(
        table.to_numpy(float),
        rows=[f"{n} {name}" for n, name in enumerate(names, start=1)],
        columns=names,
        ramp=_RAMP,
        text="{:.2f}".format,
    )


def _text() -> QLabel:
    label = wrap(PlainLabel())
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    return label
