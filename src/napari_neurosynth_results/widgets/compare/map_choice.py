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
from napari_neurosynth_results.sources.opening import open_source
from napari_neurosynth_results.viewer.layers import map_of, result_sets
from napari_neurosynth_results.viewer.plugin.reader import (
    bring_first_maps,
    show_first_maps,
)
from napari_neurosynth_results.viewer.settings import read_settings
from napari_neurosynth_results.widgets.common.background_job import BackgroundJob

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

_LOWEST, _HIGHEST = 80, 160
_LAYER = int(Qt.ItemDataRole.UserRole)


class MapChecklist(QListWidget):
    """Lists layers of maps; the order of the list is that of the comparison."""

    #: Other maps are checked, or the order of those that are.
    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
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
    def checked(self) -> list[Image]:
        """The checked layers, from top to bottom."""
        items = [self.item(row) for row in range(self.count())]
        return [
            item.data(_LAYER)
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]

    def list_maps(self, layers: Sequence[Image]) -> None:
        """List other layers of maps; those that stay keep place and check."""
        checked = self.checked
        before = [self.item(row).data(_LAYER) for row in range(self.count())]
        kept = [layer for layer in before if layer in layers]
        self.blockSignals(True)
        self.clear()
        several = len(result_sets(layers)) > 1
        for layer in [*kept, *(one for one in layers if one not in kept)]:
            item = QListWidgetItem(_title(layer, several))
            item.setData(_LAYER, layer)
            item.setToolTip(for_qt(item.text()))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            state = (
                Qt.CheckState.Checked if layer in checked else Qt.CheckState.Unchecked
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
            layer = item.data(_LAYER)
            number = checked.index(layer) if layer in checked else len(hues)
            color = None
            if number < len(hues):
                color = QColor.fromRgbF(*hues[number].rgb)
            item.setData(Qt.ItemDataRole.DecorationRole, color)
        self.blockSignals(False)

    def check(self, layers: Sequence[Image]) -> None:
        """Check some layers, and no others."""
        self.blockSignals(True)
        for row in range(self.count()):
            item = self.item(row)
            wanted = item.data(_LAYER) in layers
            item.setCheckState(
                Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked
            )
        self.blockSignals(False)
        self.changed.emit()


def _title(layer: Image, several: bool) -> str:
    """Call a map by its title, and by its result where there are several."""
    statmap = map_of(layer)
    if statmap is None or not several:
        return str(layer.name)
    return f"{statmap.results.title}: {statmap.title}"


#: Maps of the other result that get a layer; the rest is in the results browser.
_FIRST = 3


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
