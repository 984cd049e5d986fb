"""Axial, coronal, sagittal and 3D by button, and the place in millimeters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import Container, FloatSpinBox, PushButton, RadioButtons

from napari_neurosynth_results.viewer import scene

if TYPE_CHECKING:
    from napari.viewer import Viewer

_REACH_MM = 1000.0


class AnatomicalViews(Container):  # type: ignore[misc]
    """Choose the plane, the side of the right and the place.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer to steer.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        planes = Container(layout="horizontal", labels=False)
        for text in ("Axial", "Coronal", "Sagittal", "3D"):
            button = PushButton(text=text, name=text.lower())
            button.changed.connect(getattr(self, f"_{text.lower()}"))
            planes.append(button)
        self.side = RadioButtons(
            choices=list(scene.CAMERA_ORIENTATION),
            value=self._side_now(),
            orientation="horizontal",
            tooltip="neurological: right is right; radiological: right is left",
        )
        self.x, self.y, self.z = (
            FloatSpinBox(
                label=axis,
                min=-_REACH_MM,
                max=_REACH_MM,
                step=1,
                tooltip=f"MNI {axis} in mm",
            )
            for axis in "xyz"
        )
        for box in (self.x, self.y, self.z):
            # Room for "-126.5" between the two buttons.
            box.native.setDecimals(1)
            box.native.setMinimumWidth(96)
        place = Container(layout="horizontal", widgets=[self.x, self.y, self.z])
        self.extend([planes, self.side, place])
        self.side.changed.connect(self._turn)
        for box in (self.x, self.y, self.z):
            box.changed.connect(self._go)
        # Bound methods are held weakly by napari: closing the widget ends them.
        napari_viewer.dims.events.point.connect(self._follow)
        napari_viewer.scene.camera.events.orientation.connect(self._show_side)
        self._follow()

    def _side_now(self) -> str:
        now = tuple(map(str, self._viewer.scene.camera.orientation))
        radiological = scene.CAMERA_ORIENTATION["radiological"]
        return "radiological" if now == radiological else "neurological"

    def _show_side(self, event: object = None) -> None:
        """Say how the camera is turned, whoever turned it."""
        with self.side.changed.blocked():
            self.side.value = self._side_now()

    def _axial(self) -> None:
        scene.show_plane(self._viewer, "axial")

    def _coronal(self) -> None:
        scene.show_plane(self._viewer, "coronal")

    def _sagittal(self) -> None:
        scene.show_plane(self._viewer, "sagittal")

    def _3d(self) -> None:
        scene.show_3d(self._viewer)

    def _turn(self) -> None:
        scene.set_anatomical(self._viewer, self.side.value)

    def _go(self) -> None:
        if self._viewer.dims.ndim >= 3:
            scene.look_at(self._viewer, self.x.value, self.y.value, self.z.value)

    def _follow(self, event: object = None) -> None:
        """Show where the slices are, without moving them."""
        if self._viewer.dims.ndim < 3:
            return
        z, y, x = self._viewer.dims.point[-3:]
        for box, value in ((self.x, x), (self.y, y), (self.z, z)):
            with box.changed.blocked():
                box.value = min(max(value, -_REACH_MM), _REACH_MM)
