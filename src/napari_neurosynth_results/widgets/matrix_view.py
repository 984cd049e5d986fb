"""Maps by maps: how alike each two are, as numbers on colors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

#: From -1 over 0 to 1: blue, dark, orange.
_CORRELATION_RAMP = np.array([(86, 180, 233), (40, 40, 60), (230, 159, 0)], float)
_MATRIX_CELL = 52
_MATRIX_NAMES_WIDTH = 140


class MatrixModel(QAbstractTableModel):  # type: ignore[misc]
    """A square table of numbers from -1 to 1.

    Parameters
    ----------
    parent : QWidget
        Where it belongs.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._table = pd.DataFrame()

    def show_table(self, table: pd.DataFrame) -> None:
        """Show other numbers."""
        self.beginResetModel()
        self._table = table
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = _TOP) -> int:  # noqa: N802
        """Count maps."""
        return 0 if parent.isValid() else self._table.shape[0]

    def columnCount(self, parent: QModelIndex = _TOP) -> int:  # noqa: N802
        """Count maps."""
        return 0 if parent.isValid() else self._table.shape[1]

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Return the name of a map, above its number."""
        if role not in (_ROLE.DisplayRole, _ROLE.ToolTipRole):
            return None
        name = str(self._table.index[section])
        if orientation == Qt.Orientation.Vertical:
            return f"{section + 1} {name}"
        return name if role == _ROLE.ToolTipRole else str(section + 1)

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """Return a number and its color."""
        if not index.isValid():
            return None
        value = float(self._table.iloc[index.row(), index.column()])
        if role == _ROLE.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        if np.isnan(value):
            return None
        if role == _ROLE.DisplayRole:
            return f"{value:.2f}"
        if role == _ROLE.BackgroundRole:
            parts = (np.interp(value, (-1, 0, 1), part) for part in _CORRELATION_RAMP.T)
            return QColor(*(round(float(part)) for part in parts))
        if role == _ROLE.ForegroundRole:
            return QColor("black" if abs(value) > 0.5 else "white")
        return None


class MatrixView(QTableView):  # type: ignore[misc]
    """Show a `MatrixModel`.

    Parameters
    ----------
    parent : QWidget
        Where it belongs.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.cells = MatrixModel(self)
        self.setModel(self.cells)
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        across, down = self.horizontalHeader(), self.verticalHeader()
        across.setDefaultSectionSize(_MATRIX_CELL)
        across.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down.setMaximumWidth(_MATRIX_NAMES_WIDTH)
        down.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        down.setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )

    def show_table(self, table: pd.DataFrame) -> None:
        """Show other numbers."""
        self.cells.show_table(table)
