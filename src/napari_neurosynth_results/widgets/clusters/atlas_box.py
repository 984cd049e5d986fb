"""Choosing the atlas that clusters and places are named by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError
from napari_neurosynth_results.sources.atlases.catalog import KNOWN_ATLASES
from napari_neurosynth_results.sources.atlases.locations import find_location
from napari_neurosynth_results.viewer.clusters.atlas_choice import (
    ATLAS_KEY,
    NONE,
    choose_atlas,
    chosen_atlas,
    fetch_atlas,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    name_by,
)
from napari_neurosynth_results.viewer.settings import preferred_atlas

if TYPE_CHECKING:
    from napari.viewer import Viewer

_FILE = object()
_IMAGES = "Label image (*.nii *.nii.gz *.hdr *.img *.mgz *.mgh)"
_SHORTEST = 16


class AtlasBox(QComboBox):
    """A list of atlases: packaged, known by name, layers of labels, files.

    Parameters
    ----------
    viewer : Viewer
        Whose clusters are named.
    """

    #: Another atlas names the clusters now.
    chosen = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.setToolTip("The atlas that clusters and places are named by")
        self.setMinimumContentsLength(_SHORTEST)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.activated.connect(self._choose)
        self.refresh()

    def showPopup(self) -> None:
        """Look for atlases just before they are listed."""
        self.refresh()
        super().showPopup()

    def refresh(self, event: object = None) -> None:
        """List what can be chosen, and what is."""
        self.clear()
        self.addItem("Desikan-Killiany with cerebellum", "default")
        for known in KNOWN_ATLASES.values():
            away = "" if find_location(known) else " (download with nilearn)"
            self.addItem(f"{known.title}{away}", known.key)
        for layer in self._layers():
            self.addItem(f"layer {layer.name}", layer)
        self.addItem("Label image...", _FILE)
        self.addItem("none", NONE)
        self._mark()

    def _layers(self) -> list[Any]:
        from napari.layers import Labels

        return [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Labels) and clusters_of(layer) is None
        ]

    def _mark(self) -> None:
        """Show what is chosen."""
        layers = [one for one in self._layers() if ATLAS_KEY in one.metadata]
        now = layers[0] if layers else preferred_atlas()[0]
        for row in range(self.count()):
            if self.itemData(row) is now or self.itemData(row) == now:
                self.setCurrentIndex(row)
                return
        # A file of the preferences.
        self.insertItem(0, str(now), now)
        self.setCurrentIndex(0)

    def _choose(self, row: int) -> None:
        from napari_neurosynth_results.viewer.progress_bar import show_error

        what = self.itemData(row)
        if what is _FILE:
            what = self._ask()
        try:
            if what:
                self.choose(what)
        except CancelledError:
            pass
        except ResultsError as error:
            show_error(str(error))
        self.refresh()

    def choose(self, what: Any) -> None:
        """Name clusters and places by another atlas.

        Parameters
        ----------
        what : Labels or str
            A layer, ``default``, ``none``, a known name, or a path. A known atlas that
            is not on this machine is downloaded.

        Raises
        ------
        CancelledError
            When the user cancelled the download.
        ResultsError
            When it cannot be had; the choice stays as it was.
        """
        known = KNOWN_ATLASES.get(what) if isinstance(what, str) else None
        if known is not None and find_location(known) is None:
            fetch_atlas(known.key)
        choose_atlas(self._viewer, what)
        name_by(self._viewer, chosen_atlas(self._viewer))
        self.chosen.emit()

    def _ask(self) -> str:
        path, _ = QFileDialog.getOpenFileName(
            self, "Choose the label image of an atlas", "", _IMAGES
        )
        return str(path)
