"""Buttons for the brain in 3D and its sides, for the glass brain and the cortex."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox, Container, PushButton

from napari_neurosynth_results.anatomy.planes import HEAD_SIDES
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import (
    brain_of,
    hide_brain,
    show_brain,
)
from napari_neurosynth_results.viewer.brain_views.cortex import (
    cortex_of,
    hide_cortex,
    show_cortex,
)
from napari_neurosynth_results.viewer.brain_views.glass import (
    glass_of,
    hide_glass,
    show_glass,
)
from napari_neurosynth_results.viewer.brain_views.viewpoints import view_from
from napari_neurosynth_results.widgets.common.layout import row, wrapped_text

if TYPE_CHECKING:
    from napari.viewer import Viewer

_SLICES = "slices and volumes"
_BRAIN = "3D brain"
_PIAL = "cortical surface"
_INFLATED = "inflated surface"
_EXPLANATIONS = {
    _SLICES: "",
    _BRAIN: (
        "Clusters of the visible maps in the outline of the MNI152 brain. Maps stand "
        "back until you switch them on in the layer list."
    ),
}


class Brain3D(Container):
    """Choose what is shown in 3D, and the side that it is seen from.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer to steer.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self.shown = ComboBox(
            choices=[_SLICES, _BRAIN, _PIAL, _INFLATED],
            label="Show",
            tooltip="Surfaces are fsaverage5 and need nilearn",
        )
        self.sides = {}
        for side in HEAD_SIDES:
            button = PushButton(text=side.capitalize(), name=side)
            button.changed.connect(partial(view_from, napari_viewer, side))
            button.tooltip = f"3D, the {side} of the head faces you"
            self.sides[side] = button
        self.glass = CheckBox(
            text="Glass brain in slices",
            tooltip="The strongest value along the axis that is sliced",
        )
        self.sentence = wrapped_text()
        buttons = list(self.sides.values())
        self.extend(
            [
                self.shown,
                row(*buttons[:3]),
                row(*buttons[3:]),
                self.glass,
                self.sentence,
            ]
        )
        self._follow()
        self.shown.changed.connect(self._show)
        self.glass.changed.connect(self._switch_glass)
        # Bound methods are held weakly by napari: closing the widget ends them.
        napari_viewer.dims.events.ndisplay.connect(self._follow)
        napari_viewer.layers.events.inserted.connect(self._follow)
        napari_viewer.layers.events.removed.connect(self._follow)

    def _follow(self, event: object = None) -> None:
        """Say what is shown, whoever chose it."""
        viewer = self._viewer
        cortex = cortex_of(viewer)
        if viewer.dims.ndisplay != 3:
            now = _SLICES
        elif cortex is not None:
            now = _PIAL if cortex.shape == "pial" else _INFLATED
        else:
            now = _BRAIN if brain_of(viewer) is not None else _SLICES
        with self.shown.changed.blocked():
            if now != self.shown.value:
                self.shown.value = now
                self.sentence.value = _EXPLANATIONS.get(now, self.sentence.value)
        with self.glass.changed.blocked():
            self.glass.value = glass_of(viewer) is not None

    def _show(self, what: str) -> None:
        viewer = self._viewer
        if viewer.dims.ndim < 3:
            self._follow()
            self.sentence.value = "Open a map first."
            return
        try:
            if what == _SLICES:
                hide_cortex(viewer)
                hide_brain(viewer)
                scene.show_plane(viewer, "axial")
                told = ""
            elif what == _BRAIN:
                show_brain(viewer)
                told = _EXPLANATIONS[_BRAIN]
            else:
                shape = "pial" if what == _PIAL else "inflated"
                told = show_cortex(viewer, shape=shape)  # type: ignore[arg-type]
        except ResultsError as error:
            told = str(error)
        self._follow()
        self.sentence.value = told

    def _switch_glass(self, wanted: bool) -> None:
        if wanted:
            show_glass(self._viewer)
        else:
            hide_glass(self._viewer)
