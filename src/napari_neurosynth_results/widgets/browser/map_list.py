"""The maps of a result as a list: what each is, how large, and where it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from qtpy.QtCore import QItemSelectionModel
from qtpy.QtWidgets import QAbstractItemView, QWidget

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.widgets.common.background_job import size_text
from napari_neurosynth_results.widgets.common.row_table import Column, RowModel
from napari_neurosynth_results.widgets.common.table_view import TableView

#: A choice of the filters.
ANY = "any"
#: The state of a map that could not be had.
FETCH_FAILED = "failed"
_SHOWN, _ON_DISK, _REMOTE = "shown", "on disk", "on the server"
_STATE = 4
_UNCORRECTED = "uncorrected"
_NO_PROGRESS: Mapping[str, int] = MappingProxyType({})
_LOWEST = 150


class MapList(TableView):
    """List the maps that filters let through, in order of interest; choose several."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(RowModel(self._columns(), parent), parent)
        self._shown: Collection[str] = ()
        self._failed: Collection[str] = ()
        self._progress: Mapping[str, int] = _NO_PROGRESS
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setMinimumHeight(_LOWEST)
        self.header().setMinimumSectionSize(40)

    def _columns(self) -> list[Column]:
        cells: dict[str, Any] = {
            "Map": lambda statmap: statmap.title,
            "Kind": lambda statmap: str(statmap.kind),
            "Correction": correction_text,
            "Size": lambda statmap: size_text(statmap.file.nbytes),
            "State": self.state_of,
        }
        return [
            Column(title, value=cell, tooltip=_in_full, right=title == "Size")
            for title, cell in cells.items()
        ]

    def list_maps(
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
            None for an empty list.
        words : sequence of str
            Keep maps whose title or file name has all of them, whatever the case.
        kind, correction : str
            Keep maps of one kind, and with one correction.
        """
        self.rows.show(
            [
                statmap
                for statmap in (results.maps.values() if results is not None else ())
                if kind in {ANY, str(statmap.kind)}
                and correction in {ANY, correction_text(statmap)}
                and _has(statmap, words)
            ]
        )

    # --- where the maps are -----------------------------------------------------------

    def set_states(self, shown: Collection[str], failed: Collection[str]) -> None:
        """Say which maps have a layer, and which could not be had, by key."""
        self._shown, self._failed = shown, failed
        self.rows.repaint(_STATE)

    def set_progress(self, progress: Mapping[str, int]) -> None:
        """Say how far downloads are: key -> percent."""
        if progress != self._progress:
            self._progress = progress
            self.rows.repaint(_STATE)

    def state_of(self, statmap: StatMap) -> str:
        """Say where a map is."""
        if statmap.key in self._shown:
            return _SHOWN
        if (percent := self._progress.get(statmap.key)) is not None:
            return f"{percent} %"
        if statmap.key in self._failed:
            return FETCH_FAILED
        return _ON_DISK if statmap.at_hand else _REMOTE

    # --- choosing ---------------------------------------------------------------------

    def chosen(self) -> list[StatMap]:
        """Return the chosen maps, from top to bottom."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self.rows.rows[row] for row in rows]

    def choose(self, statmaps: Iterable[StatMap]) -> None:
        """Choose maps, those that are listed."""
        flags = QItemSelectionModel.SelectionFlag
        selection, listed = self.selectionModel(), self.rows.rows
        selection.clearSelection()
        for statmap in statmaps:
            if statmap in listed:
                index = self.rows.index(listed.index(statmap), 0)
                selection.select(index, flags.Select | flags.Rows)


def correction_text(statmap: StatMap) -> str:
    """Say how a map is corrected, in few words."""
    if statmap.correction is None:
        return _UNCORRECTED
    level = f"{statmap.level}-level " if statmap.level == "cluster" else ""
    return f"{level}{statmap.correction}"


def _in_full(statmap: StatMap) -> str:
    return f"{statmap.title}\n{statmap.file.filename}\n{statmap.kind.meaning}"


def _has(statmap: StatMap, words: Sequence[str]) -> bool:
    text = f"{statmap.title} {statmap.file.filename}".lower()
    return all(word.lower() in text for word in words)
