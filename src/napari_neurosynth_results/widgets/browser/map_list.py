"""The maps of a result as Qt's item model: what each is, how large, and where it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap

COLUMNS = ("Map", "Kind", "Correction", "Size", "State")
ANY = "any"
NO_CORRECTION = "uncorrected"
SHOWN, ON_DISK, REMOTE, FAILED = "shown", "on disk", "on the server", "failed"

_TOP = QModelIndex()
_NO_PROGRESS: Mapping[str, int] = MappingProxyType({})
_MB = 1e6
_ROLE = Qt.ItemDataRole


class MapModel(QAbstractTableModel):
    """Rows of maps, those that the filters let through, in order of interest."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._results: ResultSet | None = None
        self._rows: list[StatMap] = []
        self._shown: Collection[str] = ()
        self._failed: Collection[str] = ()
        self._progress: Mapping[str, int] = _NO_PROGRESS

    def show(
        self,
        results: ResultSet | None,
        *,
        words: Sequence[str] = (),
        kind: str = ANY,
        correction: str = ANY,
    ) -> None:
        """List a result's maps.

        Parameters
        ----------
        results : ResultSet or None
            Whose maps.
        words : sequence of str
            Keep maps whose title or file name has all of them, whatever the case.
        kind, correction : str
            Keep maps of one kind, and with one correction.
        """
        self.beginResetModel()
        self._results = results
        self._rows = [
            statmap
            for statmap in (results.maps.values() if results is not None else ())
            if kind in {ANY, str(statmap.kind)}
            and correction in {ANY, correction_of(statmap)}
            and _has(statmap, words)
        ]
        self.endResetModel()

    def set_states(self, shown: Collection[str], failed: Collection[str]) -> None:
        """Say which maps have a layer, and which could not be had."""
        self._shown, self._failed = shown, failed
        self._repaint_states()

    def set_progress(self, progress: Mapping[str, int]) -> None:
        """Say how far downloads are: key -> percent."""
        if progress != self._progress:
            self._progress = progress
            self._repaint_states()

    def _repaint_states(self) -> None:
        if self._rows:
            last = len(self._rows) - 1
            column = COLUMNS.index("State")
            self.dataChanged.emit(self.index(0, column), self.index(last, column))

    def map_at(self, row: int) -> StatMap:
        """Return the map of a row."""
        return self._rows[row]

    def row_of(self, statmap: StatMap) -> int | None:
        """Return the row of a map, None when it is filtered out."""
        return self._rows.index(statmap) if statmap in self._rows else None

    def state_of(self, statmap: StatMap) -> str:
        """Say where a map is."""
        if statmap.key in self._shown:
            return SHOWN
        if (percent := self._progress.get(statmap.key)) is not None:
            return f"{percent} %"
        if statmap.key in self._failed:
            return FAILED
        return ON_DISK if statmap.at_hand else REMOTE

    # --- what Qt asks -----------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = _TOP) -> int:
        """Return the number of maps."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _TOP) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Return the name of a column."""
        if orientation == Qt.Orientation.Horizontal and role == _ROLE.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """Return what a cell shows."""
        statmap = self._rows[index.row()]
        column = COLUMNS[index.column()]
        if role == _ROLE.DisplayRole:
            return self._text(statmap, column)
        if role == _ROLE.ToolTipRole:
            return f"{statmap.title}\n{statmap.file.filename}\n{statmap.kind.meaning}"
        if role == _ROLE.TextAlignmentRole and column == "Size":
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _text(self, statmap: StatMap, column: str) -> str:
        if column == "Map":
            return statmap.title
        if column == "Kind":
            return str(statmap.kind)
        if column == "Correction":
            return correction_of(statmap)
        if column == "Size":
            return size_text(statmap.file.nbytes)
        return self.state_of(statmap)


def correction_of(statmap: StatMap) -> str:
    """Say how a map is corrected, in few words."""
    if statmap.correction is None:
        return NO_CORRECTION
    level = f"{statmap.level}-level " if statmap.level == "cluster" else ""
    return f"{level}{statmap.correction}"


def size_text(nbytes: int | None) -> str:
    """Write a size as in ``0.5 MB``; nothing for an unknown one."""
    return "" if nbytes is None else f"{max(nbytes / _MB, 0.01):.2g} MB"


def _has(statmap: StatMap, words: Sequence[str]) -> bool:
    text = f"{statmap.title} {statmap.file.filename}".lower()
    return all(word.lower() in text for word in words)


# The list of maps as it is seen.

_LOWEST = 150
#: Characters that a column has room for, beside the titles, which take the rest.
_NARROWEST_TITLE = 150


class MapView(QTreeView):
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
