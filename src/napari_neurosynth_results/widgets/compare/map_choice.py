"""The maps to compare: a list with boxes to check, and another result to open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.colors import Hue
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.opening import open_source
from napari_neurosynth_results.viewer.layers import are_several, name_of_map
from napari_neurosynth_results.viewer.plugin.reader import (
    bring_first_maps,
    show_first_maps,
)
from napari_neurosynth_results.viewer.settings import read_settings
from napari_neurosynth_results.viewer.shown_maps import layer_of
from napari_neurosynth_results.widgets.common.background_job import BackgroundJob

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

_LOWEST, _HIGHEST = 80, 160
_MAP = int(Qt.ItemDataRole.UserRole)


class MapChecklist(QListWidget):
    """Lists maps; the order of the list is that of the comparison.

    Parameters
    ----------
    viewer : Viewer
        Whose layers show the maps that are checked.
    """

    #: Other maps are checked, or the order of those that are.
    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.setAccessibleName("Maps to compare")
        self.setMinimumHeight(_LOWEST)
        self.setMaximumHeight(_HIGHEST)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The first of the checked ones is the one that others are compared with.
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setToolTip("Check the maps to compare; drag to change their order")
        self.itemChanged.connect(self._tell)
        self.model().rowsMoved.connect(self._tell)

    def _tell(self, *what: object) -> None:
        self.changed.emit()

    @property
    def listed(self) -> list[StatMap]:
        """All maps, from top to bottom."""
        return [self.item(row).data(_MAP) for row in range(self.count())]

    @property
    def checked(self) -> list[StatMap]:
        """The checked maps, from top to bottom."""
        items = [self.item(row) for row in range(self.count())]
        return [
            item.data(_MAP)
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]

    @property
    def layers(self) -> list[Image]:
        """The layers of the checked maps, of those that have one."""
        found = [layer_of(self._viewer, statmap) for statmap in self.checked]
        return [layer for layer in found if layer is not None]

    def list_maps(self, maps: Sequence[StatMap]) -> None:
        """List other maps; those that stay keep place and check."""
        checked = self.checked
        kept = [statmap for statmap in self.listed if statmap in maps]
        self.blockSignals(True)
        self.clear()
        several = are_several({id(one.results): one.results for one in maps}.values())
        for statmap in [*kept, *(one for one in maps if one not in kept)]:
            item = QListWidgetItem(name_of_map(statmap, of_several=several))
            item.setData(_MAP, statmap)
            item.setToolTip(for_qt(item.text()))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            state = (
                Qt.CheckState.Checked if statmap in checked else Qt.CheckState.Unchecked
            )
            item.setCheckState(state)
            self.addItem(item)
        self.blockSignals(False)

    def color(self, hues: Sequence[Hue]) -> None:
        """Show which color each checked map has; none when they are seen alone.

        Parameters
        ----------
        hues : sequence of Hue
            In the order of the checked maps; those beyond have none.
        """
        checked = self.checked
        self.blockSignals(True)
        for row in range(self.count()):
            item = self.item(row)
            statmap = item.data(_MAP)
            number = checked.index(statmap) if statmap in checked else len(hues)
            color = None
            if number < len(hues):
                color = QColor.fromRgbF(*hues[number].rgb)
            item.setData(Qt.ItemDataRole.DecorationRole, color)
        self.blockSignals(False)

    def check(self, maps: Sequence[StatMap]) -> None:
        """Check some maps, and no others."""
        self.check_quietly(maps)
        self.changed.emit()

    def check_quietly(self, maps: Sequence[StatMap]) -> None:
        """Check some maps without telling of it."""
        self.blockSignals(True)
        for row in range(self.count()):
            item = self.item(row)
            wanted = item.data(_MAP) in maps
            item.setCheckState(
                Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked
            )
        self.blockSignals(False)


#: Maps of the other result that get a layer at once; the list has them all.
_FIRST = 1


class OtherResultField(QWidget):
    """A line to paste a link or a path into.

    Parameters
    ----------
    viewer : Viewer
        Where the maps of the other result are added.
    """

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.source = QLineEdit()
        self.source.setPlaceholderText("Compare with... (link, id, folder or zip)")
        self.source.setClearButtonEnabled(True)
        self.button = QPushButton("Open")
        self.folder = QPushButton("Folder...")
        self.background_job = BackgroundJob()
        line = QHBoxLayout()
        line.addWidget(self.source, 1)
        line.addWidget(self.button)
        line.addWidget(self.folder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.background_job)
        self.source.returnPressed.connect(self._open)
        self.button.clicked.connect(self._open)
        self.folder.clicked.connect(self._choose)

    def _choose(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "Open a folder"):
            self.open(path)

    def _open(self) -> None:
        if text := self.source.text().strip():
            self.open(text)

    def open(self, source: str) -> None:
        """Open a result beside those that are open.

        Parameters
        ----------
        source : str
            A link, an id, a folder or a zip.
        """
        if self.background_job.busy:
            return
        settings = read_settings()

        def work(job: Job) -> ResultSet:
            results = open_source(source, settings.online, job, settings.max_bytes)
            bring_first_maps(results, job, _FIRST)
            return results

        def done(results: ResultSet) -> None:
            self.source.clear()
            try:
                show_first_maps(self._viewer, results, settings, _FIRST)
            except ResultsError as error:
                self._not_done(error)

        self.background_job.start(work, "Opening", done=done, failed=self._not_done)

    def _not_done(self, error: ResultsError) -> None:
        from napari_neurosynth_results.viewer.progress_bar import show_error

        if not isinstance(error, CancelledError):
            show_error(str(error))
