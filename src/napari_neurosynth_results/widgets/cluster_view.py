"""The cluster table as it is seen: columns to choose, rows to mark, text to copy."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from qtpy.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTreeView

from napari_neurosynth_results.statistics.clusters.cluster_set import Voxel
from napari_neurosynth_results.widgets.cluster_model import ClusterModel
from napari_neurosynth_results.widgets.columns import COLUMNS

_LOWEST = 110


class ClusterView(QTreeView):  # type: ignore[misc]
    """Show a `ClusterModel`.

    Parameters
    ----------
    model : ClusterModel
        The rows.
    """

    def __init__(self, model: ClusterModel) -> None:
        super().__init__()
        self._rows = model
        self.setModel(model)
        self.setUniformRowHeights(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setMinimumHeight(_LOWEST)
        header = self.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(False)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._choose_columns_here)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        for index, column in enumerate(COLUMNS):
            self.setColumnHidden(index, not column.shown)

    def mark(self, label: int) -> None:
        """Select the row of a cluster, none for 0 or where the filter hides it."""
        index = self._rows.index_of(label) if label else QModelIndex()
        flags = QItemSelectionModel.SelectionFlag
        if index.isValid():
            self.selectionModel().setCurrentIndex(
                index, flags.ClearAndSelect | flags.Rows
            )
            self.scrollTo(index)
        else:
            self.selectionModel().clear()

    def unfolded(self) -> set[Voxel]:
        """Return the peaks of the clusters whose sub-peaks are seen."""
        clusters = self._rows.clusters
        if clusters is None:
            return set()
        rows = (self._rows.index(n, 0) for n in range(self._rows.rowCount()))
        labels = [self._rows.label_of(row) for row in rows if self.isExpanded(row)]
        peaks = clusters.peak_voxels if labels else []
        return {peaks[label - 1] for label in labels}

    def unfold(self, peaks: Collection[Voxel]) -> None:
        """Show the sub-peaks of clusters with these peaks."""
        clusters = self._rows.clusters
        if not peaks or clusters is None:
            return
        for label, peak in enumerate(clusters.peak_voxels, start=1):
            if peak in peaks:
                self.expand(self._rows.index_of(label))

    def fit_columns(self) -> None:
        """Make columns as wide as they have to be, and show those that make sense."""
        clusters = self._rows.clusters
        cluster_level = clusters is not None and clusters.statmap.level == "cluster"
        for index, column in enumerate(COLUMNS):
            if column.cluster_level:
                self.setColumnHidden(index, not cluster_level)
            if not self.isColumnHidden(index):
                self.resizeColumnToContents(index)

    def choose_columns(self, place: QPoint) -> None:
        """Let the user choose columns from a menu at a place on the screen."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        for index, column in enumerate(COLUMNS):
            action = QAction(self._rows.title(index), menu)
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

    def text(self) -> str:
        """Return the table as it is shown, tab-separated, sub-peaks included."""
        header: Any = self.header()
        order = sorted(range(len(COLUMNS)), key=header.visualIndex)
        columns = [index for index in order if not self.isColumnHidden(index)]
        rows = self._rows
        lines = [[rows.title(index) for index in columns]]
        for n in range(rows.rowCount()):
            cluster = rows.index(n, 0)
            lines.append(rows.text_of(cluster, columns))
            lines += [
                rows.text_of(rows.index(m, 0, cluster), columns)
                for m in range(rows.rowCount(cluster))
            ]
        return "\n".join("\t".join(line) for line in lines)
