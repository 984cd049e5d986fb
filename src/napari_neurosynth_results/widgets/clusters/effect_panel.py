"""How large the effect of a cluster is: in words, and as a small forest plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QPainter, QPen
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.effects import tell_effect
from napari_neurosynth_results.widgets.common.layout import PlainLabel, wrap

_PLOT_HEIGHT, _PLOT_TITLES, _PLOT_MARGIN = 72, 52, 16
_PLOTTED = ("est", "est_low", "est_high", "pi_low", "pi_high")


class ForestPlot(QWidget):
    """Estimates as squares, and their intervals as lines: thick of the mean effect.

    The thin line is where the effect of a new study may lie.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: Sequence[tuple[str, Sequence[float]]] = ()
        self.setMinimumHeight(_PLOT_HEIGHT)
        self.setAccessibleName("Forest plot of the effect")

    def show_rows(self, rows: Sequence[tuple[str, Sequence[float]]]) -> None:
        """Show other estimates.

        Parameters
        ----------
        rows : sequence of tuple
            What each is, and est, est_low, est_high, pi_low and pi_high.
        """
        self._rows = rows
        self.update()

    def paintEvent(self, event: Any) -> None:
        """Draw the axis, and one line below the other."""
        numbers = [0.0, *(x for _, row in self._rows for x in row if math.isfinite(x))]
        low, high = min(numbers), max(numbers)
        if not self._rows or high <= low:
            return
        painter = QPainter(self)
        ink, faint = self.palette().windowText().color(), self.palette().mid().color()
        room = self.width() - _PLOT_TITLES - 2 * _PLOT_MARGIN

        def across(value: float) -> int:
            share = (value - low) / (high - low)
            return _PLOT_TITLES + _PLOT_MARGIN + int(share * room)

        step = self.height() // (len(self._rows) + 1)
        painter.setPen(QPen(faint, 1, Qt.PenStyle.DashLine))
        painter.drawLine(across(0), 2, across(0), self.height() - step + 4)
        for number, (title, values) in enumerate(self._rows):
            y = step * number + step // 2
            painter.setPen(ink)
            painter.drawText(0, y + 4, title)
            est, *ends = values
            for (start, stop), width in zip((ends[2:], ends[:2]), (1, 3), strict=True):
                if math.isfinite(start) and math.isfinite(stop):
                    painter.setPen(QPen(ink, width))
                    painter.drawLine(across(start), y, across(stop), y)
            if math.isfinite(est):
                painter.fillRect(across(est) - 4, y - 4, 8, 8, ink)
        painter.setPen(ink)
        for value in sorted({low, 0.0, high}):
            text = f"{value:.2g}"
            wide = painter.fontMetrics().horizontalAdvance(text)
            painter.drawText(across(value) - wide // 2, self.height() - 4, text)
        painter.end()


class EffectPanel(QScrollArea):
    """How large the effect of a cluster is: in words, as a plot, with what to know."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        inside = QWidget(self)
        self.setWidget(inside)
        self.sentence = wrap(PlainLabel("", inside))
        self.plot = ForestPlot(inside)
        self.notices = wrap(PlainLabel("", inside))
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.sentence)
        layout.addWidget(self.plot)
        layout.addWidget(self.notices)
        layout.addStretch(1)

    def show_cluster(self, clusters: ClusterSet | None, label: int) -> None:
        """Show the effect of a cluster, 0 for none."""
        if clusters is None or not label:
            self.sentence.setText("Choose a cluster in the table to see its effect.")
            self.notices.setText("")
            self.plot.show_rows([])
            return
        table = clusters.effects
        row, notices = table.iloc[label - 1].to_dict(), table.attrs["notices"]
        lines, rows = [clusters.names[label - 1]], []
        for what, mean in (("Peak", ""), ("Cluster", "mean_")):
            values = [float(row[f"{mean}{key}"]) for key in _PLOTTED]
            rows.append((what, values))
            lines.append(f"{what}: {tell_effect(row, mean)}")
        self.sentence.setText("\n".join(lines))
        self.plot.show_rows(rows)
        self.notices.setText("\n".join(f"- {told}." for told in notices))
