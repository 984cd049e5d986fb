"""A field of numbers at a glance, each on a color that says how large it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_neurosynth_results.export.escaping import for_qt

_TOP = QModelIndex()
_ROLE = Qt.ItemDataRole
#: Black is read on colors that are lighter, white on darker ones: 0 to 255.
_LIGHT = 101


@dataclass(frozen=True)
class ColorRamp:
    """Colors for numbers, from a smallest to a largest one.

    Attributes
    ----------
    colors : sequence of tuple of int
        Red, green and blue, 0 to 255, at equal distances.
    smallest, largest : float
        Numbers that have the first and the last color; so have those beyond.
    """

    colors: Sequence[tuple[int, int, int]]
    smallest: float = 0.0
    largest: float = 1.0

    def rgb(self, numbers: Any) -> npt.NDArray[np.float64]:
        """Return red, green and blue of numbers, 0 to 255, along the last axis."""
        steps = np.linspace(self.smallest, self.largest, len(self.colors))
        channels = np.array(self.colors, float).T
        return np.stack([np.interp(numbers, steps, one) for one in channels], axis=-1)


@dataclass(frozen=True)
class ColorGrid:
    """What a field of numbers shows.

    Attributes
    ----------
    values : ndarray, shape (n_rows, n_columns)
        NaN has no color.
    rows : sequence of str
        Title of each row.
    columns : sequence of str
        Name of each column: the tooltip of its number.
    ramp : ColorRamp
        Colors of the values.
    text : callable
        Writes a value, ``""`` for one that needs no words.
    tooltip : callable, optional
        Takes row and column, and says what the value stands for.
    """

    values: npt.NDArray[np.float64]
    rows: Sequence[str]
    columns: Sequence[str]
    ramp: ColorRamp
    text: Callable[[float], str]
    tooltip: Callable[[int, int], str] | None = None


class GridModel(QAbstractTableModel):
    """A `ColorGrid` as Qt's item model."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid: ColorGrid | None = None

    def show(self, grid: ColorGrid | None) -> None:
        """Show another field, None for nothing; of the same rows, views stay there."""
        before = self._grid
        if before is not None and grid is not None and _same_titles(before, grid):
            self._grid = grid
            last = self.index(self.rowCount() - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            return
        self.beginResetModel()
        self._grid = grid
        self.endResetModel()

    def _size(self, axis: int, parent: QModelIndex) -> int:
        grid = self._grid
        return 0 if parent.isValid() or grid is None else int(grid.values.shape[axis])

    def rowCount(self, parent: QModelIndex = _TOP) -> int:
        """Count rows."""
        return self._size(0, parent)

    def columnCount(self, parent: QModelIndex = _TOP) -> int:
        """Count columns."""
        return self._size(1, parent)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Return the title of a row, or number and name of a column."""
        if self._grid is None or role not in (_ROLE.DisplayRole, _ROLE.ToolTipRole):
            return None
        if orientation == Qt.Orientation.Vertical:
            title = self._grid.rows[section]
            return for_qt(title) if role == _ROLE.ToolTipRole else title
        if role == _ROLE.ToolTipRole:
            return for_qt(self._grid.columns[section])
        return str(section + 1)

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """Return a value, its color, and what it stands for."""
        grid = self._grid
        if not index.isValid() or grid is None:
            return None
        row, column = index.row(), index.column()
        value = float(grid.values[row, column])
        if role == _ROLE.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        if role == _ROLE.ToolTipRole:
            return for_qt(grid.tooltip(row, column)) if grid.tooltip else None
        if np.isnan(value):
            return None
        if role == _ROLE.DisplayRole:
            return grid.text(value) or None
        if role == _ROLE.BackgroundRole:
            return QColor(*(round(float(part)) for part in grid.ramp.rgb(value)))
        if role == _ROLE.ForegroundRole:
            luma = float(grid.ramp.rgb(value) @ (0.299, 0.587, 0.114))
            return QColor("black" if luma > _LIGHT else "white")
        return None


def _same_titles(one: ColorGrid, other: ColorGrid) -> bool:
    pairs = ((one.rows, other.rows), (one.columns, other.columns))
    return all(list(before) == list(now) for before, now in pairs)


class GridView(QTableView):
    """Show a `ColorGrid`.

    Parameters
    ----------
    cell : QSize
        Of each cell; a height of 0 is that of the style.
    titles_width : int
        Room for the titles of rows.
    elide : Qt.TextElideMode
        Where longer titles are cut.
    """

    def __init__(
        self,
        parent: QWidget,
        cell: QSize,
        titles_width: int,
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__(parent)
        self.cells = GridModel(self)
        self.setModel(self.cells)
        self.setShowGrid(False)
        # Arrow keys go through the cells; Tab goes on to what is below.
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        # Who walks through the cells by keys sees where.
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
        across, down = self.horizontalHeader(), self.verticalHeader()
        for header, size in ((across, cell.width()), (down, cell.height())):
            if size:
                header.setMinimumSectionSize(size)
                header.setDefaultSectionSize(size)
                header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down.setMaximumWidth(titles_width)
        down.setTextElideMode(elide)
        down.setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
