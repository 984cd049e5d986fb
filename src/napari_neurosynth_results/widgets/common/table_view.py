"""A table on the screen: rows to choose, to sort and to copy, shares drawn as bars."""

from __future__ import annotations

import re
from typing import Any

from qtpy.QtCore import QAbstractItemModel, QModelIndex, QRect, Qt, Signal
from qtpy.QtGui import QColor, QKeySequence, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QShortcut,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from napari_neurosynth_results.widgets.common.layout import copy_text
from napari_neurosynth_results.widgets.common.row_table import BAR

_TOP = QModelIndex()
_BAR_COLOR = QColor(80, 140, 200, 110)
_LOWEST = 70


class BarDelegate(QStyledItemDelegate):
    """Draws a bar behind the numbers of cells that have one."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint a cell."""
        length = index.data(BAR)
        if length:
            whole = option.rect.adjusted(1, 2, -1, -2)
            width = max(1, round(whole.width() * length))
            bar = QRect(whole.right() - width + 1, whole.top(), width, whole.height())
            painter.fillRect(bar, _BAR_COLOR)
        super().paint(painter, option, index)


class TableView(QTreeView):
    """Show rows; the first column takes the room that is left, Ctrl+C copies them all.

    Arrow keys choose a row; Enter and the space bar are told of, for what a double
    click and a click do.

    Parameters
    ----------
    rows : QAbstractItemModel
        A `RowModel`, or rows that have rows below them.
    sortable : bool
        Sort by the column whose title is clicked; the third click gives back the order
        in which the rows came.
    """

    #: The row that is chosen when Enter, or the space bar, is pressed.
    entered_by_key = Signal(QModelIndex)
    space_pressed = Signal(QModelIndex)

    def __init__(
        self,
        rows: QAbstractItemModel,
        parent: QWidget | None = None,
        *,
        sortable: bool = False,
    ) -> None:
        super().__init__(parent)
        self.rows: Any = rows
        self.setModel(rows)
        if any(column.bar for column in getattr(rows, "columns", ())):
            self.setItemDelegate(BarDelegate(self))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(_LOWEST)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        if sortable:
            header.setSortIndicatorShown(True)
            header.setSortIndicatorClearable(True)
            header.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
            self.setSortingEnabled(True)
        shortcut = QShortcut(QKeySequence.StandardKey.Copy, self)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self.copy)

    def focusInEvent(self, event: Any) -> None:
        """Choose no row: who comes by with the Tab key has not asked for one."""
        if self.currentIndex().isValid():
            super().focusInEvent(event)
        else:
            QFrame.focusInEvent(self, event)
            self.viewport().update()

    def keyPressEvent(self, event: Any) -> None:
        """Tell of Enter and the space bar."""
        keys = Qt.Key
        told = {
            keys.Key_Return: self.entered_by_key,
            keys.Key_Enter: self.entered_by_key,
        }
        told[keys.Key_Space] = self.space_pressed
        signal = told.get(event.key())
        if signal is not None and self.currentIndex().isValid():
            signal.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def text(self) -> str:
        """Return the table as it is shown: tab-separated, with the rows below rows."""
        header, rows = self.header(), self.rows
        order = sorted(range(rows.columnCount()), key=header.visualIndex)
        columns = [column for column in order if not self.isColumnHidden(column)]
        across = Qt.Orientation.Horizontal
        titles = [rows.headerData(column, across) for column in columns]
        lines = [titles, *self._lines(columns, _TOP)]
        return "\n".join("\t".join(map(_one_line, line)) for line in lines)

    def _lines(self, columns: list[int], parent: QModelIndex) -> list[list[str | None]]:
        lines = []
        for row in range(self.rows.rowCount(parent)):
            lines.append(
                [self.rows.index(row, column, parent).data() for column in columns]
            )
            lines += self._lines(columns, self.rows.index(row, 0, parent))
        return lines

    def copy(self) -> None:
        """Put the table on the clipboard as text."""
        copy_text(self.text())


def _one_line(cell: str | None) -> str:
    """Keep cells from looking like more cells."""
    return re.sub(r"[\t\r\n]+", " ", cell or "")
