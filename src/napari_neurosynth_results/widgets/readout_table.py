"""The readout's table as it is seen: titles give way, numbers never do."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableView

from napari_neurosynth_results.widgets.readout_model import MAP, VALUE, P, ReadoutModel

#: The widest number of each column.
_WIDEST = {VALUE: "-8.543e-12", P: "<1.18e-38"}
_COLUMN_MARGIN, _ROW_MARGIN = 10, 6
#: Titles of corrected maps differ at their end: they get a second line, no third.
_MOST_LINES = 2
_FEWEST_ROWS = 3
#: What a style sheet may put around rows.
_SPARE = 2


class ReadoutTable(QTableView):  # type: ignore[misc]
    """Show a `ReadoutModel`, as high as its rows and as narrow as a dock.

    Parameters
    ----------
    model : ReadoutModel
        The rows.
    """

    def __init__(self, model: ReadoutModel) -> None:
        super().__init__()
        self._rows = model
        self.setModel(model)
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        policy = QSizePolicy.Policy
        self.setSizePolicy(policy.Ignored, policy.Maximum)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        rows.hide()
        columns.setSectionsClickable(False)
        rows.setMinimumSectionSize(1)
        columns.setMinimumSectionSize(1)
        columns.setSectionResizeMode(MAP, QHeaderView.ResizeMode.Stretch)
        for column in _WIDEST:
            columns.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        # Later, because a layout that is being laid out cannot be told of other sizes.
        later = Qt.ConnectionType.QueuedConnection
        columns.sectionResized.connect(self._fit_rows, later)
        model.modelReset.connect(self._arrange)
        self._arrange()

    def changeEvent(self, event: Any) -> None:  # noqa: N802
        """Follow another font."""
        super().changeEvent(event)
        if event.type() in (event.Type.FontChange, event.Type.StyleChange):
            self._arrange()

    def _arrange(self) -> None:
        """Make room for what the rows hold."""
        metrics = self.fontMetrics()
        for column, widest in _WIDEST.items():
            width = metrics.horizontalAdvance(widest) + _COLUMN_MARGIN
            self.horizontalHeader().resizeSection(column, width)
        self.clearSpans()
        # Clusters have names and no p of their own.
        for row in self._rows.named_rows():
            self.setSpan(row, VALUE, 1, 2)
        self._fit_rows()

    def _fit_rows(self, *resized: int) -> None:
        line = self.fontMetrics().lineSpacing()
        for row in range(self._rows.rowCount()):
            lines = min(max(self.sizeHintForRow(row), line), _MOST_LINES * line)
            self.setRowHeight(row, lines + _ROW_MARGIN)
        self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802
        """As high as all rows."""
        return QSize(super().sizeHint().width(), self._height(self.verticalHeader()))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As high as a few rows; the others are scrolled to."""
        width = super().minimumSizeHint().width()
        return QSize(width, self._height(self.verticalHeader(), _FEWEST_ROWS))

    def _height(self, rows: QHeaderView, most: int | None = None) -> int:
        """Return how high some rows are, with all that is around them."""
        heights = [rows.sectionSize(row) for row in range(rows.count())][:most]
        header = self.horizontalHeader().sizeHint().height()
        return int(header + sum(heights) + 2 * self.frameWidth() + _SPARE)
