"""The ortho view: three planes, and the place in boxes below them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.ortho.geometry import slice_position, unit_of
from napari_neurosynth_results.widgets.common.layout import PlainLabel
from napari_neurosynth_results.widgets.ortho.canvas import OrthoCanvas

if TYPE_CHECKING:
    from napari.viewer import Viewer

_REACH_MM = 1000.0
_HELP = (
    "Click or drag: go there. Wheel: zoom. Right or middle button: move the planes. "
    "Double click: show everything. Arrows, Page Up and Down: step by a voxel."
)


class OrthoView(QWidget):
    """Axial, coronal and sagittal slices side by side, linked to the viewer.

    Parameters
    ----------
    napari_viewer : Viewer
        Whose layers are shown, at its place.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.canvas = OrthoCanvas(napari_viewer, self)
        self.canvas.setToolTip(_HELP)
        self.x, self.y, self.z = (self._box(axis) for axis in "xyz")
        self.unit = PlainLabel("mm", self)
        self.whole = QPushButton("Reset", self)
        self.whole.setToolTip("Show all of the volume")
        self.not_shown = PlainLabel(parent=self)
        self.not_shown.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.not_shown.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.canvas, 1)
        row = QHBoxLayout()
        row.setContentsMargins(6, 2, 6, 2)
        for axis, box in (("x", self.x), ("y", self.y), ("z", self.z)):
            row.addWidget(PlainLabel(axis, self))
            row.addWidget(box, 1)
        row.addWidget(self.unit)
        row.addWidget(self.whole)
        layout.addLayout(row)
        layout.addWidget(self.not_shown)
        self.canvas.changed.connect(self._follow)
        self.canvas.left_out.connect(self._tell)
        self.whole.clicked.connect(self.canvas.reset)
        self._follow()

    def _box(self, axis: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox(self)
        box.setRange(-_REACH_MM, _REACH_MM)
        box.setDecimals(1)
        box.setKeyboardTracking(False)
        box.setToolTip(f"MNI {axis} in mm")
        box.setMinimumWidth(76)
        box.valueChanged.connect(self._go)
        return box

    def _go(self) -> None:
        viewer = self.canvas.viewer
        if viewer is not None:
            scene.look_at(viewer, self.x.value(), self.y.value(), self.z.value())

    def _follow(self) -> None:
        """Show where the slices are, without moving them."""
        viewer = self.canvas.viewer
        if viewer is None:
            return
        self.unit.setText(unit_of(viewer))
        z, y, x = slice_position(viewer)
        for box, value in ((self.x, x), (self.y, y), (self.z, z)):
            with QSignalBlocker(box):
                box.setValue(value)

    def _tell(self, left_out: dict[str, str]) -> None:
        """Say in one line which visible layers are not in the picture."""
        text = "; ".join(f"{name} ({why})" for name, why in left_out.items())
        text = f"Not shown: {text}" if text else ""
        if text != self.not_shown.text():
            self.not_shown.setText(text)
            self.not_shown.setToolTip(for_qt(text))
            self.not_shown.setVisible(bool(text))
