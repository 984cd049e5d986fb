"""Axial, coronal, sagittal and 3D by button, the place in mm and what lies there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from magicgui.widgets import Container, PushButton, RadioButtons

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import show_brain
from napari_neurosynth_results.widgets.common.place_fields import PlaceFields
from napari_neurosynth_results.widgets.readout import ReadoutPanel

if TYPE_CHECKING:
    from napari.viewer import Viewer


class AnatomicalViews(Container):
    """Choose the plane, the side of the right and the place, and read what is there.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer to steer.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        planes = Container(layout="horizontal", labels=False)
        for plane in ("axial", "coronal", "sagittal"):
            button = PushButton(text=plane.capitalize(), name=plane)
            button.changed.connect(partial(scene.show_plane, napari_viewer, plane))
            planes.append(button)
        button = PushButton(text="3D", name="3d")
        button.changed.connect(partial(show_brain, napari_viewer))
        planes.append(button)
        self.side = RadioButtons(
            choices=list(scene.CAMERA_ORIENTATION),
            value=self._side_now(),
            orientation="horizontal",
            tooltip="Neurological: right is right. Radiological: right is left.",
        )
        self.place = PlaceFields(napari_viewer)
        self.x, self.y, self.z = self.place.x, self.place.y, self.place.z
        self.extend([planes, self.side, self.place])
        self.readout = ReadoutPanel(napari_viewer)
        self.native.layout().addWidget(self.readout, 1)
        self.side.changed.connect(self._turn)
        # Bound methods are held weakly by napari: closing the widget ends them.
        napari_viewer.scene.camera.events.orientation.connect(self._show_side)

    def _side_now(self) -> str:
        return scene.shown_convention(self._viewer) or "neurological"

    def _show_side(self, event: object = None) -> None:
        """Say how the camera is turned, whoever turned it."""
        with self.side.changed.blocked():
            self.side.value = self._side_now()

    def _turn(self) -> None:
        scene.set_anatomical(self._viewer, self.side.value)
