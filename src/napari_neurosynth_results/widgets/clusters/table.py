"""The cluster table: clusters, and below each its sub-peaks.

The model takes whole columns out of the tables of a `ClusterSet`, each when it is first
looked at, so that the table keeps up with a slider.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import (
    QAbstractItemModel,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    Qt,
    Signal,
)
from qtpy.QtGui import QAction, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
)

from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.grid import Voxel
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.p_values.monte_carlo import write_counted_p
from napari_neurosynth_results.widgets.clusters.columns import (
    CLUSTER_COLUMNS,
    CORRECTED,
    FROZEN,
    NAME_COLUMN,
    NARROWEST,
    SURVIVAL_COLUMN,
    ClusterColumn,
    FrozenColumns,
    NameDelegate,
    cluster_cells,
    column_cells,
    room_for_names,
)
from napari_neurosynth_results.widgets.common.row_table import (
    TableView,
    cell_text,
    row_order,
    sorted_anew,
)

_TOP = QModelIndex()
_ROLE = Qt.ItemDataRole
_ANSWERED = frozenset(
    {_ROLE.DisplayRole, _ROLE.EditRole, _ROLE.TextAlignmentRole}
    | {_ROLE.DecorationRole, _ROLE.ToolTipRole}
)
_LOWEST = 110
_INDENTATION, _TITLE_MARGIN = 12, 8
_AS_NEEDED = QAbstractItemView.ScrollHint.EnsureVisible


class ClusterModel(QAbstractItemModel):
    """Rows of clusters, each with its sub-peaks below.

    The internal id of an index is 0 for a cluster and the cluster's position in the
    set plus 1 for a sub-peak.
    """

    #: Label and new name of a cluster that the user renamed.
    renamed = Signal(int, str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._clusters: ClusterSet | None = None
        self._columns: dict[str, npt.NDArray[Any]] = {}
        self._peaks: dict[str, npt.NDArray[Any]] = {}
        self._first_peak: npt.NDArray[np.intp] = np.zeros(1, np.intp)
        self._colors: npt.NDArray[Any] = np.zeros((1, 4))
        self._rows: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self._sorted_by = (0, True)
        self._words: list[str] = []
        self._searched: Collection[int] = range(len(CLUSTER_COLUMNS))
        self._others_shown = True
        self._n_others = 0

    def show(
        self, clusters: ClusterSet | None, colors: npt.NDArray[Any] | None = None
    ) -> None:
        """Show a set of clusters, or nothing.

        Parameters
        ----------
        clusters : ClusterSet or None
            None for an empty table.
        colors : ndarray, shape (n + 1, 4), optional
            Color of each label, that of the background first.
        """
        self.beginResetModel()
        self._clusters = clusters
        self._colors = colors if colors is not None else np.zeros((1, 4))
        self._columns, self._peaks = {}, {}
        if clusters is not None:
            labels = np.arange(len(clusters) + 1)
            self._first_peak = np.searchsorted(clusters.labelled.peak_cluster, labels)
        self._arrange()
        self.endResetModel()

    @property
    def clusters(self) -> ClusterSet | None:
        """The clusters that are shown."""
        return self._clusters

    def color(self, colors: npt.NDArray[Any]) -> None:
        """Show other colors of the same clusters."""
        self._colors = colors
        if (n := self.rowCount()) > 0:
            first, last = self.index(0, 0), self.index(n - 1, 0)
            self.dataChanged.emit(first, last, [_ROLE.DecorationRole])

    def filter(self, text: str, columns: Collection[int] | None = None) -> None:
        """Show only clusters with all these words somewhere in their row.

        Parameters
        ----------
        text : str
            Words, whatever the case.
        columns : collection of int, optional
            Where to look: those that can be seen; all when not given.
        """
        self.beginResetModel()
        self._words = text.lower().split()
        self._searched = range(len(CLUSTER_COLUMNS)) if columns is None else columns
        self._arrange()
        self.endResetModel()

    def show_others(self, shown: bool) -> None:
        """Show, or fold away, the clusters that were tested and are not significant."""
        if shown != self._others_shown:
            self.beginResetModel()
            self._others_shown = shown
            self._arrange()
            self.endResetModel()

    def is_folded(self, label: int) -> bool:
        """Whether a cluster has no row because it is among those folded away."""
        if self._others_shown or self._clusters is None:
            return False
        return bool(self._not_significant()[label - 1])

    @property
    def n_others(self) -> int:
        """How many clusters pass the filter and are not significant."""
        return self._n_others

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        """Sort clusters by a column; equal ones keep the order of their labels."""
        with sorted_anew(self, lambda: self._rows):
            self._sorted_by = (column, order == Qt.SortOrder.AscendingOrder)
            self._arrange()

    def _column(self, key: str) -> npt.NDArray[Any]:
        """Return a column of the table of clusters."""
        if key not in self._columns:
            assert self._clusters is not None
            self._columns[key] = cluster_cells(self._clusters, key)
        return self._columns[key]

    def _peak_column(self, key: str) -> npt.NDArray[Any]:
        """Return a column of the table of peaks and sub-peaks."""
        if key not in self._peaks:
            assert self._clusters is not None
            self._peaks[key] = column_cells(self._clusters.peaks, key)
        return self._peaks[key]

    def _arrange(self) -> None:
        n = len(self._clusters) if self._clusters is not None else 0
        rows = np.arange(n)
        key, ascending = CLUSTER_COLUMNS[self._sorted_by[0]].key, self._sorted_by[1]
        if n and not (key == "label" and ascending):
            rows = np.array(row_order(self._column(key), ascending), np.intp)
        if self._words:
            rows = rows[[self._matches(int(row)) for row in rows]]
        others = self._not_significant()[rows]
        self._n_others = int(others.sum())
        # What is significant comes first, whatever it is sorted by.
        kept = [rows[~others], rows[others]] if self._others_shown else [rows[~others]]
        self._rows = np.concatenate(kept)

    def _not_significant(self) -> npt.NDArray[np.bool_]:
        """Say of each cluster whether it was tested itself, and did not pass."""
        clusters = self._clusters
        return ~clusters.surviving if clusters is not None else np.zeros(0, bool)

    def _matches(self, row: int) -> bool:
        columns = [CLUSTER_COLUMNS[index] for index in sorted(self._searched)]
        # Other maps are not read for the sake of a filter.
        text = " ".join(self._text(row, one) for one in columns if not one.corrected)
        return all(word in text.lower() for word in self._words)

    # --- what the rest of the program asks --------------------------------------------

    def label_of(self, index: QModelIndex) -> int:
        """Return the label of the cluster that a row belongs to, 0 for none."""
        if not index.isValid():
            return 0
        if index.internalId():
            return int(index.internalId())
        return int(self._rows[index.row()]) + 1

    def place_of(self, index: QModelIndex) -> tuple[float, float, float]:
        """Return the place of a row's peak or sub-peak, MNI mm."""
        which = self._peak_of(index)
        x, y, z = (float(self._peak_column(f"peak_{axis}")[which]) for axis in "xyz")
        return x, y, z

    def index_of(self, label: int) -> QModelIndex:
        """Return the row of a cluster, an invalid index where the filter hides it."""
        found = np.flatnonzero(self._rows == label - 1)
        return self.index(int(found[0]), 0) if found.size else QModelIndex()

    # --- Qt ---------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = _TOP) -> int:
        """Count clusters, or the sub-peaks of one."""
        if not parent.isValid():
            return int(self._rows.size)
        if parent.internalId() or parent.column() > 0:
            return 0
        position = self._rows[parent.row()]
        return int(self._first_peak[position + 1] - self._first_peak[position] - 1)

    def columnCount(self, parent: QModelIndex = _TOP) -> int:
        """Count columns, the hidden ones too."""
        return len(CLUSTER_COLUMNS)

    def index(self, row: int, column: int, parent: QModelIndex = _TOP) -> QModelIndex:
        """Return the index of a cell."""
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        label = int(self._rows[parent.row()]) + 1 if parent.isValid() else 0
        return self.createIndex(row, column, label)

    def parent(self, index: QModelIndex) -> QModelIndex:
        """Return the cluster of a sub-peak."""
        if not index.isValid() or not index.internalId():
            return QModelIndex()
        return self.index_of(index.internalId())

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Return title, meaning or alignment of a column."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == _ROLE.DisplayRole:
            return self.title(section)
        if role == _ROLE.TextAlignmentRole:
            return CLUSTER_COLUMNS[section].title_alignment
        if role == _ROLE.ToolTipRole and self._clusters is not None:
            return CLUSTER_COLUMNS[section].told(self._clusters)
        return CLUSTER_COLUMNS[section].header(role)

    def title(self, section: int) -> str:
        """Return the title of a column; values are named by their kind."""
        column = CLUSTER_COLUMNS[section]
        if self._clusters is None:
            return column.title
        kind, statmap = str(self._clusters.values.kind), self._clusters.statmap
        # The axis z and the value z would have one title.
        if column.key == "peak_value":
            return f"Peak {kind}"
        own = column.key in CORRECTED.intersection(self._clusters.peak_columns)
        tested = column.key == "cluster_p" and statmap.level == "cluster"
        if (own or tested) and statmap.correction:
            return self._clusters.p_word
        return f"Mean {kind}" if column.key == "mean_value" else column.title

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Let clusters be renamed."""
        flags = super().flags(index)
        if index.isValid() and not index.internalId() and index.column() == NAME_COLUMN:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """Return what a cell shows."""
        # Qt asks for a dozen roles a cell, each time it paints one.
        if role not in _ANSWERED or self._clusters is None or not index.isValid():
            return None
        column = CLUSTER_COLUMNS[index.column()]
        if role in (_ROLE.DisplayRole, _ROLE.EditRole):
            if not index.internalId():
                return self._text(int(self._rows[index.row()]), column)
            return self._peak_text(index, column)
        if role == _ROLE.TextAlignmentRole:
            return column.alignment
        if role == _ROLE.DecorationRole and column.key == "label":
            return None if index.internalId() else self._color(index.row())
        if role == _ROLE.ToolTipRole and column.key == "tdp_percent":
            told = self._clusters.proven.tell(self.label_of(index))
            return None if index.internalId() else for_qt(told)
        return None

    def setData(
        self, index: QModelIndex, value: Any, role: int = _ROLE.EditRole
    ) -> bool:
        """Ask for another name; who owns the clusters gives it."""
        if role != _ROLE.EditRole or not self.flags(index) & Qt.ItemFlag.ItemIsEditable:
            return False
        # An editor that is left without a change would fix "cluster 3" to the peak.
        if str(value) != self.data(index, role):
            self.renamed.emit(self.label_of(index), str(value))
        return True

    def _color(self, row: int) -> QColor | None:
        label = int(self._rows[row]) + 1
        if label >= len(self._colors):
            return None
        return QColor.fromRgbF(*(float(part) for part in self._colors[label]))

    def _peak_of(self, index: QModelIndex) -> int:
        if not index.internalId():
            return int(self._first_peak[int(self._rows[index.row()])])
        first = int(self._first_peak[int(index.internalId()) - 1])
        return first + 1 + int(index.row())

    def _text(self, position: int, column: ClusterColumn) -> str:
        return self._written(self._column(column.key)[position], column)

    def _written(self, value: Any, column: ClusterColumn) -> str:
        if column.counted and self._clusters is not None:
            return write_counted_p(float(value), self._clusters.null)
        return cell_text(value, column.style_for(self._clusters))

    def _peak_text(self, index: QModelIndex, column: ClusterColumn) -> str:
        if column.key == "label":
            return f"{index.internalId()}{chr(ord('a') + index.row())}"
        if column.key == "name":
            # Nobody names sub-peaks: they are told by where they are.
            return str(self._peak_column("region")[self._peak_of(index)])
        assert self._clusters is not None
        if not column.of_peaks or column.key not in self._clusters.peaks:
            return ""
        value = self._peak_column(column.key)[self._peak_of(index)]
        return self._written(value, column)


class ClusterView(TableView):
    """Show a `ClusterModel`: columns to choose, rows to mark and to unfold.

    Number and name stay where they are while the other columns are scrolled: a second
    view of the same rows lies over the first.
    """

    #: Other columns can be seen.
    columns_changed = Signal()

    def __init__(self, model: ClusterModel) -> None:
        super().__init__(model)
        self.setRootIsDecorated(True)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.setMinimumHeight(_LOWEST)
        self.setIndentation(_INDENTATION)
        self.setItemDelegateForColumn(NAME_COLUMN, NameDelegate(self))
        self.setAccessibleName("Clusters")
        header = self.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setMinimumSectionSize(NARROWEST)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._choose_columns_here)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        #: Columns that are there because the map is corrected that way.
        self._own: set[int] = set()
        self._name_width, self._n_digits = 0, 1
        for index, column in enumerate(CLUSTER_COLUMNS):
            self.setColumnHidden(index, not column.shown)
        self.frozen = FrozenColumns(self)
        menu_asked = self.frozen.header().customContextMenuRequested
        menu_asked.connect(self._choose_columns_here)

    def shown_columns(self) -> list[int]:
        """Return the columns that can be seen."""
        return [n for n in range(len(CLUSTER_COLUMNS)) if not self.isColumnHidden(n)]

    def keyPressEvent(self, event: Any) -> None:
        """Let F2 rename the cluster, whatever part of its row is current."""
        if event.key() != Qt.Key.Key_F2:
            super().keyPressEvent(event)
            return
        name = self.currentIndex().siblingAtColumn(NAME_COLUMN)
        if self.rows.flags(name) & Qt.ItemFlag.ItemIsEditable:
            # Here it would be below what is frozen.
            self.frozen.edit(name)

    def updateGeometries(self) -> None:
        """Keep what is frozen where it belongs."""
        super().updateGeometries()
        if hasattr(self, "frozen"):
            self.frozen.fit()

    def scrollTo(self, index: QModelIndex, hint: Any = _AS_NEEDED) -> None:
        """Scroll to a row; what is frozen is in sight as it is."""
        if index.column() >= FROZEN:
            super().scrollTo(index, hint)
            return
        bar = self.horizontalScrollBar()
        before = bar.value()
        super().scrollTo(index, hint)
        bar.setValue(before)

    def mark(self, label: int) -> None:
        """Select the row of a cluster, none for 0 or where the filter hides it."""
        index = self.rows.index_of(label) if label else QModelIndex()
        flags = QItemSelectionModel.SelectionFlag
        if index.isValid():
            whole_row = flags.ClearAndSelect | flags.Rows
            self.selectionModel().setCurrentIndex(index, whole_row)
            self.scrollTo(index)
        else:
            self.selectionModel().clear()

    def unfolded(self) -> set[Voxel]:
        """Return the peaks of the clusters whose sub-peaks are seen."""
        clusters = self.rows.clusters
        if clusters is None:
            return set()
        rows = (self.rows.index(n, 0) for n in range(self.rows.rowCount()))
        labels = [self.rows.label_of(row) for row in rows if self.isExpanded(row)]
        peaks = clusters.peak_voxels if labels else []
        return {peaks[label - 1] for label in labels}

    def unfold(self, peaks: Collection[Voxel]) -> None:
        """Show the sub-peaks of clusters with these peaks."""
        clusters = self.rows.clusters
        if not peaks or clusters is None:
            return
        for label, peak in enumerate(clusters.peak_voxels, start=1):
            if peak in peaks:
                self.expand(self.rows.index_of(label))

    def fit_columns(self) -> None:
        """Make columns as wide as they have to be, and show those that make sense."""
        clusters = self.rows.clusters
        cluster_level = clusters is not None and clusters.statmap.level == "cluster"
        # Of each map one p, its own.
        own = CORRECTED & {*clusters.peak_columns} if clusters is not None else set()
        for index, column in enumerate(CLUSTER_COLUMNS):
            if column.cluster_level is not None:
                other = column.cluster_level != cluster_level
                self.setColumnHidden(index, other or bool(own))
            elif column.corrected and (column.key in own) != (index in self._own):
                self.setColumnHidden(index, column.key not in own)
                self._own ^= {index}
            if not self.isColumnHidden(index):
                self._fit_column(index)
        self._n_digits = len(str(self.rows.rowCount()))
        self._fit_names()

    def fit_longer(self) -> None:
        """Make columns wider when there are so many rows that numbers grow."""
        if len(str(self.rows.rowCount())) > self._n_digits:
            self.fit_columns()

    def resizeEvent(self, event: Any) -> None:
        """Give the room to what has to be in sight."""
        super().resizeEvent(event)
        self._fit_names()

    def _fit_names(self) -> None:
        """Give names the room that others leave, and no more than they need."""
        shown = {index: self.columnWidth(index) for index in self.shown_columns()}
        room = room_for_names(shown, self.viewport().width())
        self.setColumnWidth(NAME_COLUMN, min(self._name_width, room))

    def _fit_column(self, index: int) -> None:
        """Give a column the room of its contents and its title."""
        words = self.rows.title(index), CLUSTER_COLUMNS[index].room(self.rows.clusters)
        least = max(map(self.header().fontMetrics().horizontalAdvance, words))
        width = max(self.sizeHintForColumn(index), least + _TITLE_MARGIN)
        if index == 0:
            # Colors, and the arrows of sub-peaks.
            width = max(width, self.header().sectionSizeHint(index))
        if index == NAME_COLUMN:
            self._name_width = width
        self.setColumnWidth(index, width)

    def follow_survival(self) -> None:
        """Show in how many re-estimations clusters stand as long as that is known."""
        clusters, index = self.rows.clusters, SURVIVAL_COLUMN
        known = clusters is not None and bool(clusters.survival)
        if known != (index in self._own):
            self._own ^= {index}
            self.show_column(index, known)
            if known:
                self.scrollTo(self.rows.index(max(self.currentIndex().row(), 0), index))

    def choose_columns(self, place: QPoint) -> None:
        """Let the user choose columns from a menu at a place on the screen."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        for index, column in enumerate(CLUSTER_COLUMNS):
            action = QAction(self.rows.title(index), menu)
            action.setToolTip(column.about)
            action.setCheckable(True)
            action.setChecked(not self.isColumnHidden(index))
            action.setData(index)
            menu.addAction(action)
        menu.triggered.connect(self._toggle_column)
        menu.popup(place)

    def _choose_columns_here(self, place: QPoint) -> None:
        self.choose_columns(self.header().mapToGlobal(place))

    def _toggle_column(self, action: QAction) -> None:
        self.show_column(action.data(), action.isChecked())

    def show_column(self, index: int, shown: bool = True) -> None:
        """Show or hide a column."""
        self.setColumnHidden(index, not shown)
        if shown:
            self.resizeColumnToContents(index)
        self.columns_changed.emit()
