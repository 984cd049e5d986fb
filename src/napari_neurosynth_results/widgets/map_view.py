"""The list of maps as it is seen."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import QItemSelectionModel
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.widgets.map_model import COLUMNS, MapModel

_LOWEST = 150
#: Characters that a column has room for, beside the titles, which take the rest.
_NARROWEST_TITLE = 150


class MapView(QTreeView):  # type: ignore[misc]
    """Show a `MapModel`, of which several rows may be chosen.

    Parameters
    ----------
    parent : QWidget
        Where it belongs.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows = MapModel(self)
        self.setModel(self.rows)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(_LOWEST)
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(40)
        for column in range(len(COLUMNS)):
            header.setSectionResizeMode(
                column,
                QHeaderView.ResizeMode.Stretch
                if column == 0
                else QHeaderView.ResizeMode.ResizeToContents,
            )

    def chosen(self) -> list[StatMap]:
        """Return the chosen maps, from top to bottom."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self.rows.map_at(row) for row in rows]

    def choose(self, statmaps: Iterable[StatMap]) -> None:
        """Choose maps, those that are listed."""
        flags = QItemSelectionModel.SelectionFlag
        selection = self.selectionModel()
        selection.clearSelection()
        for statmap in statmaps:
            if (row := self.rows.row_of(statmap)) is not None:
                selection.select(self.rows.index(row, 0), flags.Select | flags.Rows)
