"""The rows of a readout as Qt's item model: map, value, p."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.viewer.clusters.readout import CLUSTERS, Row

TITLES = ("Map", "Value", "p")
MAP, VALUE, P = range(3)

_TOP = QModelIndex()
_ROLE = Qt.ItemDataRole
_ABOUT = (
    "Visible maps, the topmost first",
    "Of the voxel that holds the place",
    "As the map states it: of a corrected map the corrected p",
)
#: What holds a name in place of a number, and no p.
_NAMED = frozenset({CLUSTERS, str(MapKind.LABEL)})


class ReadoutModel(QAbstractTableModel):  # type: ignore[misc]
    """What the visible maps say of a place."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Row, ...] = ()

    def show(self, rows: Sequence[Row]) -> None:
        """Show other rows; those of the same maps only get other numbers.

        Parameters
        ----------
        rows : sequence of Row
            The topmost map first.
        """
        rows = tuple(rows)
        same = _maps(rows) == _maps(self._rows)
        if same:
            self._rows = rows
            if rows:
                last = self.index(len(rows) - 1, P)
                self.dataChanged.emit(self.index(0, VALUE), last)
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def named_rows(self) -> list[int]:
        """List the rows that hold a name, which may take the room of value and p."""
        return [n for n, row in enumerate(self._rows) if row.kind in _NAMED]

    def rowCount(self, parent: QModelIndex = _TOP) -> int:  # noqa: N802
        """Count the maps."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _TOP) -> int:  # noqa: N802
        """Map, value and p."""
        return 0 if parent.isValid() else len(TITLES)

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Return title or meaning of a column."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == _ROLE.TextAlignmentRole:
            return _alignment(section)
        if role == _ROLE.DisplayRole:
            return TITLES[section]
        return _ABOUT[section] if role == _ROLE.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        if role == _ROLE.DisplayRole:
            return (row.title, row.text, row.p)[column]
        if role == _ROLE.TextAlignmentRole:
            return _alignment(column)
        return _about(row, column) if role == _ROLE.ToolTipRole else None


def _maps(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return [(row.title, row.kind) for row in rows]


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignLeft if column == MAP else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter


def _about(row: Row, column: int) -> str:
    """Say in full what a cell has no room for."""
    if row.kind in _NAMED or math.isnan(row.value):
        return (row.title, row.text, row.p)[column]
    if column == MAP:
        return f"{row.title}: {MapKind(row.kind).meaning}"
    return f"{row.kind} {row.value:.6g}" if column == VALUE else row.p
