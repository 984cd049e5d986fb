"""A plain table on the screen: rows of a DataFrame, shares drawn as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QRect, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

if TYPE_CHECKING:
    import numpy.typing as npt

_TOP = QModelIndex()
_ROLE = Qt.ItemDataRole
#: How much of a cell its bar fills, 0 to 1.
BAR = int(_ROLE.UserRole) + 1
_BAR_COLOR = QColor(80, 140, 200, 110)
_LOWEST = 70


@dataclass(frozen=True)
class Field:
    """One column.

    Attributes
    ----------
    key, title, about : str
        Column of the table, what the header shows, and what it means.
    style : str
        Format of numbers; empty for text.
    bar : bool
        Draw each number as a bar, the longest for the largest.
    """

    key: str
    title: str
    about: str
    style: str = ""
    bar: bool = False


class RowsModel(QAbstractTableModel):
    """The rows of a table.

    Parameters
    ----------
    fields : sequence of Field
        Its columns.
    parent : QWidget
        Where it belongs.
    """

    def __init__(self, fields: Sequence[Field], parent: QWidget) -> None:
        super().__init__(parent)
        self.fields = tuple(fields)
        self._table = pd.DataFrame(columns=[field.key for field in fields])
        self._order: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self._sorted: tuple[int, bool] | None = None

    @property
    def table(self) -> pd.DataFrame:
        """What is shown, as it is sorted."""
        return self._table.iloc[self._order]

    def show(self, table: pd.DataFrame) -> None:
        """Show other rows."""
        self.beginResetModel()
        self._table = table
        self._arrange()
        self.endResetModel()

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        """Sort by a column; -1 gives the order back in which the rows came."""
        self.beginResetModel()
        ascending = order == Qt.SortOrder.AscendingOrder
        self._sorted = (column, ascending) if column >= 0 else None
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        order = np.arange(len(self._table))
        if self._sorted is not None and len(order):
            column, ascending = self._sorted
            values = self._table[self.fields[column].key].reset_index(drop=True)
            # What is not known stays last, whichever way.
            ordered = values.sort_values(
                ascending=ascending, kind="stable", na_position="last"
            )
            order = ordered.index.to_numpy()
        self._order = order

    def row(self, index: QModelIndex) -> pd.Series[Any]:
        """Return the row of the table that an index shows."""
        return self._table.iloc[int(self._order[index.row()])]

    def rowCount(self, parent: QModelIndex = _TOP) -> int:
        """Count rows."""
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex = _TOP) -> int:
        """Count columns."""
        return 0 if parent.isValid() else len(self.fields)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Return title or meaning of a column."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        field = self.fields[section]
        if role == _ROLE.DisplayRole:
            return field.title
        return field.about if role == _ROLE.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid():
            return None
        field = self.fields[index.column()]
        if role in (_ROLE.DisplayRole, _ROLE.ToolTipRole):
            return self._text(index, field)
        if role == _ROLE.TextAlignmentRole and field.style:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == BAR and field.bar:
            return self._length(index, field)
        return None

    def _text(self, index: QModelIndex, field: Field) -> str:
        value = self.row(index)[field.key]
        if value is None or value is pd.NA or value != value:
            return ""
        return format(value, field.style) if field.style else str(value)

    def _length(self, index: QModelIndex, field: Field) -> float:
        values = pd.to_numeric(self._table[field.key]).to_numpy(float, na_value=np.nan)
        value, most = values[self._order[index.row()]], np.nanmax(np.abs(values))
        return float(abs(value) / most) if most > 0 and np.isfinite(value) else 0.0


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


class RowsView(QTreeView):
    """Show a `RowsModel`; the first column takes the room that is left.

    Parameters
    ----------
    fields : sequence of Field
        Its columns.
    parent : QWidget
        Where it belongs.
    """

    def __init__(self, fields: Sequence[Field], parent: QWidget) -> None:
        super().__init__(parent)
        self.rows = RowsModel(fields, self)
        self.setModel(self.rows)
        self.setItemDelegate(BarDelegate(self))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(_LOWEST)
        header = self.header()
        header.setStretchLastSection(False)
        for column in range(len(fields)):
            header.setSectionResizeMode(
                column,
                QHeaderView.ResizeMode.Stretch
                if column == 0
                else QHeaderView.ResizeMode.ResizeToContents,
            )
        header.setSortIndicatorShown(True)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)
