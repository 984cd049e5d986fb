"""The form *This map holds...*: a user says what the numbers of a map are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from magicgui.widgets import ComboBox, Container, LineEdit, PushButton
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QVBoxLayout

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.doubts import doubt_of, fitting_kinds
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.programs import (
    Reading,
    stated_reading,
    statement,
)
from napari_neurosynth_results.maps.results import result_of
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.thresholds.apply import describe_map
from napari_neurosynth_results.viewer.clusters.cluster_layers import map_behind
from napari_neurosynth_results.viewer.meaning import (
    past_meanings,
    take_back_meaning,
    take_map_as,
    tell_meaning,
)
from napari_neurosynth_results.viewer.napari_private import main_window
from napari_neurosynth_results.viewer.shown_maps import layer_of
from napari_neurosynth_results.widgets.common.layout import (
    FocusMark,
    align_labels,
    name_controls,
    narrow,
    row,
    wrapped_text,
)

if TYPE_CHECKING:
    import napari.viewer

FORM_TITLE = "This map holds..."
_WIDTH = 480
_DOF = "One number for t and chi2, two for F, as in 2, 30; empty where nobody knows"
_WORDS = {
    "name": "its name",
    "header": "its header",
    "NeuroVault": "NeuroVault",
    "user": "what you said",
}
_TAILS = {
    "as its maps, name or signs tell": None,
    "one-tailed": Tail.ONE,
    "two-tailed": Tail.TWO,
}
#: Correction and level.
_CORRECTIONS: dict[str, tuple[str | None, str | None]] = {
    "as its name tells": (None, None),
    "uncorrected": ("none", None),
    "FWE, by voxel": ("FWE", "voxel"),
    "FWE, by cluster": ("FWE", "cluster"),
    "FDR, by voxel": ("FDR", "voxel"),
    "FDR, by cluster": ("FDR", "cluster"),
}
_SPACES = {"where it lies": False, "move it from Talairach to MNI space": True}
_CUTS = {
    "as its name or values tell": None,
    "nothing is cut away": False,
    "the map was thresholded before": True,
}


def ask_of_active_map(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask what the map of the active layer holds."""
    from napari_neurosynth_results.viewer.progress_bar import show_warning

    layer = napari_viewer.layers.selection.active
    statmap = map_behind(layer) if layer is not None else None
    if statmap is None:
        show_warning("Select the layer of a map first: one that this plugin opened.")
        return
    show_kind_form(napari_viewer, statmap)


def show_kind_form(
    viewer: napari.viewer.Viewer,
    statmap: StatMap,
    done: Callable[[], object] | None = None,
) -> QDialog | None:
    """Show the form in a window of its own.

    Parameters
    ----------
    statmap : StatMap
        A map of a result that is open.
    done : callable, optional
        Called once the map has another meaning.

    Returns
    -------
    QDialog or None
        None when the map cannot be read; the user is told why.
    """
    from napari_neurosynth_results.viewer.progress_bar import show_warning

    try:
        form = KindForm(viewer, statmap)
    except ResultsError as error:
        show_warning(str(error))
        return None
    # The window of the viewer, whose colors it takes.
    dialog = QDialog(main_window(viewer))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(FORM_TITLE)
    dialog.setMinimumWidth(_WIDTH)
    QVBoxLayout(dialog).addWidget(form.native)
    name_controls(form.native)
    FocusMark(form.native)
    form.finished = dialog.close
    form.changed_meaning = done
    dialog.show()
    return dialog


class KindForm(Container):
    """Kind, tail, degrees of freedom and correction of a map, and what its values fit.

    Parameters
    ----------
    viewer : Viewer
        The viewer that shows the map.
    statmap : StatMap
        The map.

    Raises
    ------
    ResultsError
        When the map cannot be read.
    """

    #: Called when the form is done with; and when the map has another meaning.
    finished: Callable[[], object] | None = None
    changed_meaning: Callable[[], object] | None = None

    def __init__(self, viewer: napari.viewer.Viewer, statmap: StatMap) -> None:
        super().__init__()
        self._viewer, self._statmap = viewer, statmap
        self._voxels = statmap.data
        self._make()
        self._fill(statmap.file.reading)
        self._connect()
        self._show_fields()

    def _make(self) -> None:
        self.about = wrapped_text()
        self.about.value = _taken_for(self._statmap)
        self.values = wrapped_text()
        self.values.value = _values_in_words(self._voxels)
        kinds = [(f"{kind}: {kind.meaning}", kind) for kind in MapKind]
        self.kind = ComboBox(label="Kind", choices=kinds)
        self.tail = ComboBox(label="Tail", choices=list(_TAILS.items()))
        self.dof = LineEdit(label="Deg. of freedom", tooltip=_DOF)
        self.correction = ComboBox(
            label="Correction", choices=list(_CORRECTIONS.items())
        )
        self.cut = ComboBox(label="Threshold", choices=list(_CUTS.items()))
        self.space = ComboBox(label="Space", choices=list(_SPACES.items()))
        self.verdict = wrapped_text()
        self.apply = PushButton(text="Take it so")
        self.undo = PushButton(text="Undo", tooltip="Back to what was said before")
        self.forget = PushButton(
            text="As found", tooltip="Back to what name, header and values tell"
        )
        self.cancel = PushButton(text="Cancel")
        narrow(self.kind, self.tail, self.correction, self.cut, self.space)
        buttons = row(self.apply, self.undo, self.forget, self.cancel)
        self.extend([self.about, self.values, self.kind, self.tail, self.dof])
        self.extend([self.correction, self.cut, self.space, self.verdict, buttons])
        align_labels(self)
        for text, name in ((self.about, "Map"), (self.values, "Values")):
            text.label = name
        self.verdict.label = "Then"

    def _fill(self, reading: Reading) -> None:
        """Show what the user said before; else the kind that is assumed."""
        statmap = self._statmap
        self.kind.value = statmap.kind
        self.space.value = reading.to_mni
        if reading.word != "user":
            return
        self.tail.value = reading.tail
        if reading.correction is not None:
            asked = (reading.correction, reading.level)
            known = asked in _CORRECTIONS.values()
            self.correction.value = asked if known else (None, None)
        if reading.dof is not None:
            numbers = reading.dof if isinstance(reading.dof, tuple) else (reading.dof,)
            self.dof.value = ", ".join(f"{number:g}" for number in numbers)
        if reading.whole or reading.cut:
            self.cut.value = not reading.whole

    def _connect(self) -> None:
        for field in (
            self.kind,
            self.tail,
            self.dof,
            self.correction,
            self.cut,
            self.space,
        ):
            field.changed.connect(self._show_fields)
        self.apply.changed.connect(self._apply)
        self.undo.changed.connect(self._undo)
        self.forget.changed.connect(self._forget)
        self.cancel.changed.connect(self._finish)
        layer = layer_of(self._viewer, self._statmap)
        self.undo.enabled = layer is not None and bool(past_meanings(layer).texts)
        stated = result_of(self._statmap).stated
        self.forget.enabled = self._statmap.key in stated

    def text(self) -> str:
        """Return what the form says, as ``kinds`` of `open_results` takes it.

        Raises
        ------
        ResultsError
            When the degrees of freedom are no numbers.
        """
        kind, tail = self._kind(), self.tail.value
        correction, level = self.correction.value
        return statement(
            kind,
            tail=Tail(tail) if tail is not None else None,
            dof=_numbers(self.dof.value) if kind.row.p.n_dof else None,
            correction=correction if kind.row.has_p else None,
            level=level,
            thresholded=self.cut.value if kind.row.has_p else None,
            to_mni=self.space.value,
        )

    def _kind(self) -> MapKind:
        """Return the kind that is chosen."""
        # PySide6 gives back a plain string for an enumeration of strings.
        return MapKind(self.kind.value)

    def _show_fields(self, event: object = None) -> None:
        """Ask for what the kind has, and say what would come of it."""
        row_of_kind = self._kind().row
        self.tail.visible = self._kind().has_tail
        self.dof.visible = row_of_kind.p.n_dof > 0
        self.correction.visible = self.cut.visible = row_of_kind.has_p
        try:
            text = self.text()
            reading = stated_reading(text, self._statmap.file.reading)
            doubt = doubt_of(self._voxels, reading)
            if doubt and self._kind() is self._statmap.kind:
                # Nobody but the name has said so yet.
                doubt = self._statmap.doubt or doubt
        except ResultsError as error:
            self.apply.enabled = False
            self.verdict.value = str(error)
            return
        self.apply.enabled = not doubt
        key = self._statmap.key
        self.verdict.value = (
            f"{doubt[:1].upper()}{doubt[1:]}."
            if doubt
            else f"The same in scripts: kinds={{{key!r}: {text!r}}}"
        )

    def _apply(self, event: object = None) -> None:
        self._change(lambda: take_map_as(self._viewer, self._statmap, self.text()))

    def _forget(self, event: object = None) -> None:
        self._change(lambda: take_map_as(self._viewer, self._statmap, ""))

    def _undo(self, event: object = None) -> None:
        layer = layer_of(self._viewer, self._statmap)
        if layer is not None:
            self._change(lambda: take_back_meaning(self._viewer, layer))

    def _change(self, change: Callable[[], tuple[StatMap, str]]) -> None:
        try:
            found, told = change()
        except ResultsError as error:
            self.verdict.value = str(error)
            return
        tell_meaning(self._viewer, found, told)
        if self.changed_meaning is not None:
            self.changed_meaning()
        self._finish()

    def _finish(self, event: object = None) -> None:
        if self.finished is not None:
            self.finished()


def _taken_for(statmap: StatMap) -> str:
    """Say what a map is taken for, and on whose word."""
    reading = statmap.file.reading
    word = _WORDS.get(reading.word, "")
    program = f" ({reading.program})" if word and reading.program else ""
    told = f"told by {word}{program}" if word else "nothing tells what it holds"
    lines = [f"{statmap.file.filename}: {describe_map(statmap)}; {told}."]
    if reading.note:
        lines.append(f"{reading.note[:1].upper()}{reading.note[1:]}.")
    return "\n".join(lines)


def _values_in_words(voxels: Voxels) -> str:
    """Say how far values run, how many there are, and what they fit."""
    filled = voxels[np.isfinite(voxels) & (voxels != 0)]
    if not filled.size:
        return "Every voxel is 0 or empty."
    share = filled.size / voxels.size
    kinds = ", ".join(map(str, fitting_kinds(voxels))) or "no test"
    return (
        f"{filled.min():.3g} to {filled.max():.3g} in {share:.0%} of the voxels, the "
        f"others are 0 or empty. They may be: {kinds}."
    )


def _numbers(text: str) -> float | tuple[float, float] | None:
    """Read degrees of freedom, None when there are none."""
    parts = [part for part in text.replace(";", ",").split(",") if part.strip()]
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = [-1.0]
    if not numbers:
        return None
    if len(numbers) > 2 or min(numbers) <= 0:
        raise ResultsError(f"{text!r}: write one number above 0, or two for F.")
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])
