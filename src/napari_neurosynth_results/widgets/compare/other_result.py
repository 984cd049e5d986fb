"""Opening another result to compare with, by link, id, folder or zip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.opening import open_source
from napari_neurosynth_results.viewer.plugin.reader import (
    bring_first_maps,
    show_first_maps,
)
from napari_neurosynth_results.viewer.settings import read_settings
from napari_neurosynth_results.widgets.common.background_job import BackgroundJob

if TYPE_CHECKING:
    from napari.viewer import Viewer

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
        from napari.utils.notifications import show_error

        if not isinstance(error, CancelledError):
            show_error(str(error))
