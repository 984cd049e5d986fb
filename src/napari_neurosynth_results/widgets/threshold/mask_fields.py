"""The fields that say where to look: in another map, a region, a file, the brain."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox
from psygnal import Signal
from qtpy.QtWidgets import QFileDialog

from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer.clusters.mask_choice import (
    BRAIN,
    MaskChoice,
    masks_in,
)
from napari_neurosynth_results.widgets.common.layout import narrow, row

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: No place in particular; not None, for which magicgui announces no change.
_EVERYWHERE = "everywhere"
_FILE = "a mask or region file ..."
_IMAGES = "Images (*.nii *.nii.gz *.hdr *.img *.mgz *.mgh)"


class MaskFields:
    """Choose a place to look: fields for somebody's form.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer whose maps and labels can serve as masks.

    Attributes
    ----------
    widgets : list of Widget
        The fields.
    changed : Signal
        Another place was chosen, or the one that was chosen is gone.
    """

    changed = Signal()

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._statmap: StatMap | None = None
        self._file: str | None = None
        self.place = ComboBox(
            label="Only where",
            choices=self._choices,
            tooltip="Look, and count tests, only there and within the analysis mask",
        )
        self.p = FloatSpinBox(value=0.05, min=1e-6, max=0.5, step=0.01)
        self.p.native.setDecimals(6)
        self.outside = CheckBox(text="outside of it")
        narrow(self.place)
        self._more = row(self.p, self.outside, label="p <=")
        self.widgets = [self.place, self._more]
        self.place.changed.connect(self._change_place)
        self.p.changed.connect(self._change)
        self.outside.changed.connect(self._change)

    def _choices(self, widget: object = None) -> list[tuple[str, Any]]:
        if self._statmap is None:
            return [(_EVERYWHERE, _EVERYWHERE)]
        name = os.path.basename(self._file or "")
        return [
            (_EVERYWHERE, _EVERYWHERE),
            (f"inside the {BRAIN}", BRAIN),
            *masks_in(self._viewer, self._statmap),
            *([(f"inside {name}", self._file)] if name else []),
            (_FILE, _FILE),
        ]

    def fill(self, statmap: StatMap, where: MaskChoice | None) -> None:
        """Show where to look in a map: everywhere if that place is no longer there."""
        self._statmap = statmap
        if where is not None and isinstance(where.what, str) and where.what != BRAIN:
            self._file = where.what
        with self.place.changed.blocked():
            self.place.reset_choices()
            known = where is not None and any(
                where.what is choice or where.what == choice
                for choice in self.place.choices
            )
            self.place.value = (
                where.what if known and where is not None else _EVERYWHERE
            )
        if where is not None:
            with self.p.changed.blocked(), self.outside.changed.blocked():
                self.p.value, self.outside.value = where.p, where.outside
        self._show()

    def refresh(self) -> None:
        """Follow the layers of the viewer."""
        before = self.place.value
        with self.place.changed.blocked():
            self.place.reset_choices()
        # Qt hands out copies of texts: the same place need not be the same object.
        if self.place.value != before:
            self._change_place(self.place.value)

    @property
    def where(self) -> MaskChoice | None:
        """The place that is chosen, None for everywhere."""
        place = self.place.value
        if place in (None, _EVERYWHERE, _FILE):
            return None
        return MaskChoice(place, self.p.value, self.outside.value and place != BRAIN)

    def _show(self) -> None:
        """Show what belongs to the place that is chosen."""
        place = self.place.value
        self._more.visible = place not in (None, _EVERYWHERE, BRAIN)
        self.p.enabled = isinstance(place, StatMap)

    def _change_place(self, place: Any) -> None:
        if place == _FILE:
            path, _ = QFileDialog.getOpenFileName(
                self.place.native, "Choose a mask or region file", "", _IMAGES
            )
            self.look_in_file(path)
            return
        self._show()
        self._change()

    def look_in_file(self, path: str) -> None:
        """Look only where an image is not 0; an empty path means everywhere."""
        self._file = path or None
        with self.place.changed.blocked():
            self.place.reset_choices()
            self.place.value = self._file or _EVERYWHERE
        self._show()
        self._change()

    def _change(self, event: object = None) -> None:
        if self._statmap is not None:
            self.changed.emit()
