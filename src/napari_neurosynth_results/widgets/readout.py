"""The readout: region, values and p under the mouse, else where the slices are."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_neurosynth_results.anatomy.coordinates import written_place
from napari_neurosynth_results.viewer.clusters.picking import follow_moves
from napari_neurosynth_results.viewer.clusters.readout import PlaceReader
from napari_neurosynth_results.viewer.scene import (
    place_of_mouse,
    place_of_slices,
    weakly,
)
from napari_neurosynth_results.widgets.readout_model import ReadoutModel
from napari_neurosynth_results.widgets.readout_table import ReadoutTable

if TYPE_CHECKING:
    from napari.viewer import Viewer

UNDER_MOUSE = "Under the mouse"
AT_SLICES = "At the slices"

#: No more than 30 times a second.
_INTERVAL_MS = 33
_NO_VOLUME = "Open a map: there is no volume yet."
_NO_MAP = "No map is shown."
#: What a layer tells of when its row may have changed.
_TELLING = ("visible", "name", "data", "features")


class ReadoutPanel(QWidget):  # type: ignore[misc]
    """Say what lies under the mouse, or at the slices while it is elsewhere.

    Parameters
    ----------
    viewer : Viewer
        Whose mouse, slices and layers to follow.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        # Not the stand-in that widgets are given: each of its answers takes longer.
        self._viewer: Any = weakly(viewer)()
        self._reader = PlaceReader(self._viewer)
        self._moved = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self.refresh)
        self.region, self.state, self.nothing = QLabel(), QLabel(), QLabel(_NO_MAP)
        font = self.region.font()
        font.setBold(True)
        self.region.setFont(font)
        self.model = ReadoutModel(self)
        self.table = ReadoutTable(self.model)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for label in (self.region, self.state, self.nothing):
            label.setWordWrap(True)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(label)
        layout.addWidget(self.table)
        layout.addStretch()
        self._follow()
        self.refresh()

    def _follow(self) -> None:
        # Bound methods are held weakly by napari: closing the widget ends them.
        viewer = self._viewer
        for told in (
            viewer.dims.events.point,
            viewer.dims.events.ndim,
            viewer.dims.events.ndisplay,
            viewer.dims.events.order,
            viewer.layers.events.removed,
            viewer.layers.events.reordered,
        ):
            told.connect(self._later)
        viewer.events.mouse_over_canvas.connect(self._enter_or_leave)
        follow_moves(viewer, self._move)
        viewer.layers.events.inserted.connect(self._follow_layer)
        for layer in viewer.layers:
            self._follow_events_of(layer)

    def _follow_layer(self, event: Any) -> None:
        self._follow_events_of(event.value)
        self._later()

    def _follow_events_of(self, layer: Any) -> None:
        for name in _TELLING:
            if name in layer.events:
                layer.events[name].connect(self._later)

    def _enter_or_leave(self, event: object = None) -> None:
        # Until it moves, napari knows where the mouse was, not where it is.
        self._moved = False
        self._later()

    def _move(self) -> None:
        self._moved = True
        self._later()

    def _later(self, event: object = None) -> None:
        """Refresh soon, once for everything that happens until then."""
        # Qt's part may be gone already, while somebody still holds the widget.
        with suppress(RuntimeError):
            # What is hidden is brought up to date when it is shown.
            if self.isVisible() and not self._timer.isActive():
                self._timer.start()

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Catch up with what happened while nobody looked."""
        self.refresh()
        super().showEvent(event)

    def refresh(self) -> None:
        """Show what lies under the mouse, or at the slices."""
        mouse = place_of_mouse(self._viewer) if self._moved else None
        place = mouse or place_of_slices(self._viewer)
        if place is None:
            self._write("", _NO_VOLUME)
            self.model.show(())
        else:
            readout = self._reader.read_at(place)
            which = AT_SLICES if mouse is None else UNDER_MOUSE
            self._write(readout.where, f"{which}: {written_place(place)}")
            self.model.show(readout.rows)
        empty = not self.model.rowCount()
        self.table.setVisible(not empty)
        self.nothing.setVisible(empty and place is not None)

    def _write(self, region: str, state: str) -> None:
        # An empty line would make what is below jump.
        self.region.setText(region or " ")
        self.state.setText(state)
