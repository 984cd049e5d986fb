"""Studies by clusters at a glance: who is behind what, as a field of colors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

if TYPE_CHECKING:
    from napari_neurosynth_results.statistics.studies.contributors import Contributors

_TOP = QModelIndex()
_ROLE = Qt.ItemDataRole
#: From nothing to most: dark blue over magenta to yellow, told apart without red and
#: green, and by lightness alone. In the manner of matplotlib's "plasma".
_HEAT_RAMP = np.array(
    [(40, 40, 60), (70, 30, 140), (150, 30, 150), (220, 90, 90), (250, 210, 60)], float
)
_HEAT_CELL = QSize(26, 18)
_HEAT_NAMES_WIDTH = 150


class HeatModel(QAbstractTableModel):
    """Experiments by clusters, those behind most clusters first.

    Parameters
    ----------
    parent : QWidget
        Where it belongs.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._behind: Contributors | None = None
        self._values: npt.NDArray[np.float64] = np.zeros((0, 0))
        self._names: list[str] = []
        self._titles: list[str] = []

    def show(self, behind: Contributors | None) -> None:
        """Show other clusters: their foci, else their shares."""
        self.beginResetModel()
        self._behind = behind
        table = None
        if behind:
            table = behind.foci if behind.foci is not None else behind.shares
        if table is None:
            self._values, self._names = np.zeros((0, 0)), []
        else:
            values = table.to_numpy(dtype=np.float64)
            strong = np.nan_to_num(values)
            order = np.lexsort((-strong.sum(axis=1), -(strong > 0).sum(axis=1)))
            self._values = values[order]
            self._names = [str(table.index[row]) for row in order]
        self._titles = (
            [behind.title(name) for name in self._names] if behind is not None else []
        )
        self.endResetModel()

    def experiment(self, index: QModelIndex) -> str:
        """Return the experiment of a cell."""
        return str(self._names[index.row()])

    def label(self, index: QModelIndex) -> int:
        """Return the cluster of a cell."""
        return int(index.column()) + 1

    def rowCount(self, parent: QModelIndex = _TOP) -> int:
        """Count experiments."""
        return 0 if parent.isValid() else self._values.shape[0]

    def columnCount(self, parent: QModelIndex = _TOP) -> int:
        """Count clusters."""
        return 0 if parent.isValid() else self._values.shape[1]

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Return number or name of a cluster, or the name of a study."""
        if role not in (_ROLE.DisplayRole, _ROLE.ToolTipRole):
            return None
        if orientation == Qt.Orientation.Vertical:
            return self._titles[section]
        if role == _ROLE.DisplayRole or self._behind is None:
            return str(section + 1)
        return str(self._behind.clusters.names[section])

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """Return the color of a cell, and what it stands for."""
        if not index.isValid() or self._behind is None:
            return None
        value = self._values[index.row(), index.column()]
        if role == _ROLE.BackgroundRole:
            return self._color(value)
        if role == _ROLE.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        if role == _ROLE.ForegroundRole:
            return QColor("black" if self._strength(value) > 0.6 else "white")
        if role == _ROLE.DisplayRole and self._behind.foci is not None and value > 0:
            return f"{value:.0f}"
        if role == _ROLE.ToolTipRole:
            return self._behind.told(self.experiment(index), self.label(index))
        return None

    def _strength(self, value: float) -> float:
        most = np.nanmax(self._values, initial=0.0)
        return float(np.clip(value / most, 0, 1)) if most > 0 and value > 0 else 0.0

    def _color(self, value: float) -> QColor | None:
        if np.isnan(value):
            return None
        steps = np.linspace(0, 1, len(_HEAT_RAMP))
        at = self._strength(value)
        return QColor(*(round(np.interp(at, steps, part)) for part in _HEAT_RAMP.T))


class HeatView(QTableView):
    """Show a `HeatModel`; a click tells of a cluster and an experiment.

    Parameters
    ----------
    parent : QWidget
        Where it belongs.
    """

    #: Label of a cluster, id of an experiment.
    picked = Signal(int, str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.cells = HeatModel(self)
        self.setModel(self.cells)
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
        across, down = self.horizontalHeader(), self.verticalHeader()
        for header, size in ((across, _HEAT_CELL.width()), (down, _HEAT_CELL.height())):
            header.setMinimumSectionSize(size)
            header.setDefaultSectionSize(size)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down.setMaximumWidth(_HEAT_NAMES_WIDTH)
        down.setTextElideMode(Qt.TextElideMode.ElideRight)
        down.setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        self.clicked.connect(self._tell)
        across.sectionClicked.connect(self._tell_cluster)

    def _tell(self, index: QModelIndex) -> None:
        self.picked.emit(self.cells.label(index), self.cells.experiment(index))

    def _tell_cluster(self, section: int) -> None:
        self.picked.emit(section + 1, "")


# Maps by maps: how alike each two are, as numbers on colors.

#: From -1 over 0 to 1: blue, dark, orange.
_CORRELATION_RAMP = np.array([(86, 180, 233), (40, 40, 60), (230, 159, 0)], float)
_MATRIX_CELL = 52
_MATRIX_NAMES_WIDTH = 140


class MatrixModel(QAbstractTableModel):
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

    def rowCount(self, parent: QModelIndex = _TOP) -> int:
        """Count maps."""
        return 0 if parent.isValid() else self._table.shape[0]

    def columnCount(self, parent: QModelIndex = _TOP) -> int:
        """Count maps."""
        return 0 if parent.isValid() else self._table.shape[1]

    def headerData(
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


class MatrixView(QTableView):
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
