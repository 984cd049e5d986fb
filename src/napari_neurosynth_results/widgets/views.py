"""The tab of views: each with one click, and one click back to what was before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, Container, PushButton, RadioButtons
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.anatomy.coordinates import format_place
from napari_neurosynth_results.anatomy.planes import HEAD_SIDES, PLANES
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.results import result_of
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import show_brain
from napari_neurosynth_results.viewer.brain_views.cortex import cortex_of, show_cortex
from napari_neurosynth_results.viewer.brain_views.glass import (
    glass_of,
    hide_glass,
    show_glass,
)
from napari_neurosynth_results.viewer.brain_views.scene_memory import (
    RememberedScene,
    is_plain,
    remember_scene,
    remembered_scene,
    return_to_scene,
)
from napari_neurosynth_results.viewer.foci import foci_layers
from napari_neurosynth_results.viewer.scene import view_from
from napari_neurosynth_results.viewer.shown_maps import current_map
from napari_neurosynth_results.widgets.common.layout import (
    PlainLabel,
    fold_button,
    row,
    wrap,
)
from napari_neurosynth_results.widgets.common.place_fields import PlaceFields
from napari_neurosynth_results.widgets.foci import FociWidget
from napari_neurosynth_results.widgets.ortho.widget import (
    hide_ortho,
    ortho_of,
    show_ortho,
)
from napari_neurosynth_results.widgets.readout import ReadoutPanel

if TYPE_CHECKING:
    from napari.viewer import Viewer

_ORTHO, _BRAIN, _GLASS, _CORTEX, _FOCI = "Ortho", "3D", "Glass", "Cortex", "Foci"
_BACK = "As it was"
_COLUMNS = 4
#: Lines that the longest explanation takes in a panel as wide as at first.
_LINES = 5
_EXPLANATIONS = {
    "slices": "Slices of what is switched on in the layer list. A click on the "
    "canvas goes there.",
    _ORTHO: "Three slices through the place. Click or drag to go elsewhere; the wheel "
    "zooms, the right button moves the picture.",
    _BRAIN: "The clusters of each visible map, inside the outline of the brain. Drag "
    "to turn it; a click on a cluster goes to its peak. The maps themselves are hidden "
    "while you are in 3D.",
    _GLASS: "Looking through the whole brain: each point shows the strongest value of "
    "the clusters along the line of sight. It tells where, not how deep.",
}
_TIPS = {
    "Axial": "Slices from below to above",
    "Coronal": "Slices from back to front",
    "Sagittal": "Slices from left to right",
    _ORTHO: "Axial, coronal and sagittal slices at once",
    _BRAIN: "The clusters in the brain, in space",
    _GLASS: "Look through the brain: the strongest value along the line of sight",
    _CORTEX: "The map on the cortical surface; needs nilearn",
    _FOCI: "The foci of the studies behind the result",
}
_NO_MAP = "Open a map first."
_MARGINS = (4, 2, 4, 2)
_FOCI_FOLD = "Foci of studies"


class AnatomicalViews(Container):
    """Choose the side of the right and the place, and read what is there.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer to steer.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self.side = RadioButtons(
            choices=list(scene.CAMERA_ORIENTATION),
            value=self._side_now(),
            orientation="horizontal",
            tooltip="Neurological: right is right. Radiological: right is left.",
        )
        self.place = PlaceFields(napari_viewer)
        self.x, self.y, self.z = self.place.x, self.place.y, self.place.z
        self.extend([self.side, self.place])
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


class ViewButtons(QWidget):
    """A button a view, which is down while the view is shown, and one that leads back.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer to steer.
    """

    #: Another view is shown, with what there is to say of it.
    told = Signal(str)

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.shape_wanted: Callable[[], Any] = lambda: "pial"
        self.panel_state: Callable[[], dict[str, Any]] = dict
        self.show_foci: Callable[[], None] = lambda: None
        self._acts: dict[str, Callable[[], str]] = {
            plane.capitalize(): partial(self._show_plane, plane) for plane in PLANES
        }
        self._acts |= {
            _ORTHO: self._show_ortho,
            _BRAIN: self._show_brain,
            _GLASS: self._show_glass,
            _CORTEX: self._show_cortex,
            _FOCI: self._show_foci,
        }
        layout = QGridLayout(self)
        layout.setContentsMargins(4, 4, 4, 0)
        layout.setSpacing(4)
        self.buttons: dict[str, QPushButton] = {}
        for n, name in enumerate(self._acts):
            button = self.buttons[name] = QPushButton(name)
            button.setCheckable(True)
            button.setToolTip(_TIPS[name])
            button.clicked.connect(partial(self.press, name))
            layout.addWidget(button, *divmod(n, _COLUMNS))
        self.back = QPushButton(_BACK)
        layout.addWidget(self.back, layout.rowCount(), 0, 1, _COLUMNS)
        self._follow()
        # Bound methods are held weakly by napari: closing the widget ends them.
        viewer = napari_viewer
        for told in (
            viewer.dims.events.ndisplay,
            viewer.dims.events.order,
            viewer.layers.events.inserted,
            viewer.layers.events.removed,
            scene.canvas_cover(viewer).events.text,
        ):
            told.connect(self._follow)

    # --- what a click does ------------------------------------------------------------

    def press(self, name: str, *clicked: object) -> None:
        """Show a view, or take away one that lies over another."""
        viewer = self._viewer
        if viewer.dims.ndim < 3 or not viewer.layers:
            self._follow()
            self.told.emit(_NO_MAP)
            return
        # What takes a view away leads to no other scene.
        if not self.shown()[name]:
            remember_scene(viewer, self.panel_state())
        try:
            said = self._acts[name]()
        except ResultsError as error:
            said = str(error)
        self._follow()
        self.told.emit(said or self.explanation())

    def go_back(self) -> RememberedScene | None:
        """Show again what was seen before a view was chosen."""
        before, has_keyboard = self.shown(), self.back.hasFocus()
        found = return_to_scene(self._viewer)
        if found is None or not found.panel.get("ortho"):
            hide_ortho(self._viewer)
        else:
            show_ortho(self._viewer, found.panel["ortho"])
        self._follow()
        if has_keyboard and not self.back.isEnabled():
            self._focus_left(before)
        self.told.emit(self.explanation())
        return found

    def _focus_left(self, before: dict[str, bool]) -> None:
        """Give the keyboard to the button of a view that was left.

        The way back has gone, and what comes after it in the panel is another matter.
        """
        now = self.shown()
        left = [name for name, was in before.items() if was and not now[name]]
        shown = [name for name, is_shown in now.items() if is_shown]
        if near := [*left, *shown]:
            self.buttons[near[0]].setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_plane(self, plane: Any) -> str:
        scene.show_plane(self._viewer, plane)
        return ""

    def _show_ortho(self) -> str:
        if ortho_of(self._viewer) is None:
            show_ortho(self._viewer)
        else:
            hide_ortho(self._viewer)
        return ""

    def _show_brain(self) -> str:
        hide_glass(self._viewer)
        show_brain(self._viewer)
        return ""

    def _show_glass(self) -> str:
        if self.shown()[_GLASS]:
            hide_glass(self._viewer)
            return ""
        if self._viewer.dims.ndisplay == 3:
            scene.show_plane(self._viewer, "axial")
        show_glass(self._viewer)
        return ""

    def _show_cortex(self) -> str:
        hide_glass(self._viewer)
        return show_cortex(self._viewer, shape=self.shape_wanted())

    def _show_foci(self) -> str:
        layers = foci_layers(self._viewer)
        if not layers:
            self.show_foci()
            found = foci_layers(self._viewer)
            return "" if found else "Choose the studies below."
        shown = any(layer.visible for layer in layers)
        for layer in layers:
            layer.visible = not shown
        return ""

    # --- what is shown ----------------------------------------------------------------

    def shown(self) -> dict[str, bool]:
        """Say of each view whether it is shown."""
        viewer = self._viewer
        in_3d, ortho = viewer.dims.ndisplay == 3, ortho_of(viewer)
        covered = ortho is not None and ortho.where == "center"
        cortex = in_3d and cortex_of(viewer) is not None
        plane = "" if covered or not viewer.layers else scene.current_plane(viewer)
        return {
            **{one.capitalize(): one == plane for one in PLANES},
            _ORTHO: ortho is not None,
            _BRAIN: in_3d and not cortex and not covered,
            _GLASS: not in_3d and not covered and glass_of(viewer) is not None,
            _CORTEX: cortex and not covered,
            _FOCI: any(layer.visible for layer in foci_layers(viewer)),
        }

    def explanation(self) -> str:
        """Say what the view shows."""
        shown, cortex = self.shown(), cortex_of(self._viewer)
        if shown[_CORTEX] and cortex is not None:
            return cortex.sentence
        # What covers the canvas, or all of a slice, is what is looked at.
        which = (_ORTHO, _BRAIN, _GLASS)
        return _EXPLANATIONS[next((one for one in which if shown[one]), "slices")]

    def _follow(self, event: object = None) -> None:
        """Say what is shown, whoever chose it."""
        for layer in foci_layers(self._viewer):
            layer.events.visible.disconnect(self._follow)
            layer.events.visible.connect(self._follow)
        for name, shown in self.shown().items():
            self.buttons[name].setChecked(shown)
        found = remembered_scene(self._viewer)
        self.back.setEnabled(found is not None or not is_plain(self._viewer))
        self.back.setToolTip(_way_back(found))
        if event is not None:
            self.told.emit(self.explanation())


def _way_back(found: RememberedScene | None) -> str:
    """Say where the way back leads to."""
    what = "Back to the layers, the place, the plane and the zoom before the first view"
    if found is None:
        return what
    names = [layer.name for layer, shown in found.seen.items() if shown]
    where = f"at {format_place(found.point[-3:][::-1])}" if len(found.point) > 2 else ""  # type: ignore[arg-type]
    return for_qt("\n".join([f"{what}: {where}", *names]).rstrip(": "))


class Brain3D(Container):
    """Choose the side that the brain is seen from, and the shape of the cortex.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer to steer.
    buttons : ViewButtons
        Remember what was seen before, and show the cortex.
    """

    def __init__(self, napari_viewer: Viewer, buttons: ViewButtons) -> None:
        super().__init__(labels=False)
        self._viewer, self._buttons = napari_viewer, buttons
        self.sides = {}
        for side in HEAD_SIDES:
            button = PushButton(text=side.capitalize(), name=side)
            button.changed.connect(partial(self._turn, side))
            button.tooltip = f"3D, the {side} of the head faces you"
            self.sides[side] = button
        self.inflated = CheckBox(
            text="Inflated cortex",
            tooltip="Blown up so that what lies in a sulcus is seen; not in mm",
        )
        every = list(self.sides.values())
        self.extend([row(*every[:3]), row(*every[3:]), self.inflated])
        buttons.shape_wanted = self._shape
        self._follow()
        self.inflated.changed.connect(self._reshape)
        # Bound methods are held weakly by napari: closing the widget ends them.
        napari_viewer.dims.events.ndisplay.connect(self._follow)
        napari_viewer.layers.events.inserted.connect(self._follow)

    def _turn(self, side: Any, *clicked: object) -> None:
        remember_scene(self._viewer, self._buttons.panel_state())
        view_from(self._viewer, side)

    def _shape(self) -> str:
        return "inflated" if self.inflated.value else "pial"

    def _reshape(self, *clicked: object) -> None:
        if cortex_of(self._viewer) is not None:
            self._buttons.press(_CORTEX)

    def _follow(self, event: object = None) -> None:
        if (cortex := cortex_of(self._viewer)) is not None:
            with self.inflated.changed.blocked():
                self.inflated.value = cortex.shape == "inflated"


class ViewsPanel(QWidget):
    """Everything that changes what is looked at: planes, brain in 3D, foci.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer to steer.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.views = ViewButtons(napari_viewer)
        self.said = wrap(PlainLabel())
        self.said.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.said.setContentsMargins(8, 2, 8, 0)
        self.said.setStyleSheet("padding: 0px")
        policy = QSizePolicy.Policy
        self.said.setSizePolicy(policy.Ignored, policy.Minimum)
        self.planes = AnatomicalViews(napari_viewer)
        self.brain = Brain3D(napari_viewer, self.views)
        self.foci = FociWidget(napari_viewer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.views)
        layout.addWidget(self.said)
        self.folds = {}
        for title, panel in (
            ("Place and what is there", self.planes),
            ("3D and cortex: sides of the head", self.brain),
            (_FOCI_FOLD, self.foci),
        ):
            panel.margins = _MARGINS
            panel.native.setVisible(panel is not self.foci)
            self.folds[title] = fold_button(title, panel.native)
            layout.addWidget(self.folds[title])
            layout.addWidget(panel.native)
        layout.addStretch()
        self.views.told.connect(self._say)
        self.views.back.clicked.connect(self.go_back)
        self.views.panel_state = self._state
        self.views.show_foci = self._show_foci
        self._say(self.views.explanation())

    def showEvent(self, event: Any) -> None:
        """Give the explanation its room, in the font that there is by now."""
        super().showEvent(event)
        # As high for any view, so that nothing below it moves. Asked of the label: its
        # lines are higher than those of its font.
        told = self.said.text()
        self.said.setMinimumHeight(0)
        self.said.setText("\n" * (_LINES - 1))
        self.said.setMinimumHeight(self.said.heightForWidth(self.said.width()))
        self.said.setText(told)

    def unfold_foci(self) -> None:
        """Show what there is to do with foci, and bring it in sight."""
        self.folds[_FOCI_FOLD].setChecked(True)
        tab = self.parentWidget()
        area = tab.parentWidget() if tab is not None else None
        if isinstance(area, QScrollArea):
            # Its place is known once it has been laid out.
            QTimer.singleShot(0, partial(area.ensureWidgetVisible, self.foci.native))

    def _say(self, text: str) -> None:
        self.said.setText(text)

    def _show_foci(self) -> None:
        """Show the foci of the result, or unfold what there is to choose."""
        statmap = current_map(self._viewer)
        results = result_of(statmap) if statmap is not None else None
        if any(value is results for value in self.foci.source.choices):
            self.foci.source.value = results
        try:
            self.foci.show_chosen()
        finally:
            if not foci_layers(self._viewer):
                self.unfold_foci()

    def _state(self) -> dict[str, Any]:
        """Say what of the panel comes back with the scene."""
        ortho = ortho_of(self._viewer)
        return {
            "ortho": ortho.where if ortho is not None else "",
            "folds": {title: one.isChecked() for title, one in self.folds.items()},
        }

    def go_back(self, *clicked: object) -> None:
        """Show again what was seen before a view was chosen."""
        found = self.views.go_back()
        folds = found.panel.get("folds", {}) if found is not None else {}
        for title, unfolded in folds.items():
            self.folds[title].setChecked(unfolded)
