"""The foci behind a result, or of a file: show them, cut a slab, light up studies."""

from __future__ import annotations

import os
from collections.abc import Collection
from concurrent.futures import wait
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    Label,
    LineEdit,
    PushButton,
    Slider,
)
from qtpy.QtCore import QItemSelection, QItemSelectionModel, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QFileDialog,
    QListView,
    QWidget,
)

from napari_neurosynth_results.anatomy.coordinates import space_named
from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.studies import Studies, Study
from napari_neurosynth_results.sources.studies.study_files import (
    annotation_columns,
    open_studies,
)
from napari_neurosynth_results.viewer.foci import (
    SLAB_MM,
    foci_layers,
    light_up,
    lit_studies,
    set_slab,
    show_foci,
    shown_foci,
    slab_of,
    studies_of,
)
from napari_neurosynth_results.viewer.layers import result_sets
from napari_neurosynth_results.viewer.palette import study_colors
from napari_neurosynth_results.viewer.progress_bar import start_thread, wait_for
from napari_neurosynth_results.widgets.common.layout import (
    CalmNumber,
    narrow,
    row,
    wrapped_text,
)
from napari_neurosynth_results.widgets.common.row_table import Column, RowModel

if TYPE_CHECKING:
    from napari.layers import Points
    from napari.viewer import Viewer

_FILES = "Studies (*.json *.txt);;All files (*)"
_NOTHING = (
    "Choose an open result, or a file: a NIMADS studyset, a NiMARE Dataset (JSON) or "
    "a text file of Sleuth or GingerALE."
)
_THINNEST, _THICKEST = 2, 200
_ALL = ""
_LOOK_SECONDS = 0.05
_ICON_PIXELS = 12


@dataclass(frozen=True)
class _Line:
    """A study in the list, and the color of its foci."""

    study: Study
    icon: QIcon

    @property
    def name(self) -> str:
        """The study by name and year."""
        name = " ".join((self.study.name or self.study.id).split())
        year = str(self.study.year) if self.study.year else ""
        return f"{name} ({year})" if year and year not in name else name

    @property
    def about(self) -> str:
        """Authors, paper, analyses and how much is in them."""
        study = self.study
        used = [analysis for analysis in study.analyses if analysis.included]
        n_foci = sum(len(analysis.foci) for analysis in used)
        people = [a.participants for a in used if a.participants is not None]
        told = [self.name, study.authors, study.publication, study.doi]
        told.append("; ".join(analysis.name for analysis in used))
        told.append(counted(n_foci, "focus", "foci"))
        told.append(f"{max(people):,} participants" if people else "")
        return "\n".join(line[:200] for line in told if line)


class StudyList(QListView):
    """Included studies by name, each with the color of its foci."""

    #: Ids of the studies that are chosen now, none when all are alike.
    chosen = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        cell = Column(
            "Study",
            value=attrgetter("name"),
            tooltip=attrgetter("about"),
            icon=attrgetter("icon"),
        )
        self.rows = RowModel([cell], self)
        self.setModel(self.rows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setUniformItemSizes(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Studies")
        self.setToolTip(
            "Choose studies to bring out their foci; Ctrl and Shift choose several."
        )
        self._studies: Studies | None = None
        self.selectionModel().selectionChanged.connect(self._tell)

    def show_studies(self, studies: Studies | None, lit: frozenset[str] | None) -> None:
        """List some studies without telling anybody.

        Parameters
        ----------
        studies : Studies or None
            Those of a layer.
        lit : frozenset of str or None
            Ids of those that are lit up there.
        """
        with QSignalBlocker(self):
            if studies is not self._studies:
                self._studies = studies
                self.rows.show(_lines(studies) if studies is not None else [])
            self._select(lit or ())

    def filter(self, text: str) -> None:
        """Hide the studies whose name has not all words of a text."""
        words = text.lower().split()
        for n, line in enumerate(self.rows.rows):
            name = line.name.lower()
            self.setRowHidden(n, not all(word in name for word in words))

    def chosen_ids(self) -> list[str]:
        """Return the ids of the studies that are chosen."""
        chosen = self.selectionModel().selectedIndexes()
        return [self.rows.rows[index.row()].study.id for index in chosen]

    def choose(self, study_ids: list[str]) -> None:
        """Choose some studies, as the mouse does."""
        with QSignalBlocker(self):
            self._select(study_ids)
        self._tell()

    def _select(self, study_ids: Collection[str]) -> None:
        wanted = QItemSelection()
        for n, line in enumerate(self.rows.rows):
            if line.study.id in study_ids:
                index = self.rows.index(n, 0)
                wanted.select(index, index)
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().select(wanted, flags.ClearAndSelect)

    def _tell(self, *changed: object) -> None:
        self.chosen.emit(self.chosen_ids())


def _lines(studies: Studies) -> list[_Line]:
    included = {study.id for study in studies.included}
    colors = study_colors(np.arange(len(studies)))[:, :3].tolist()
    icons = {color: _icon(*color) for color in set(map(tuple, colors))}
    return [
        _Line(study, icons[tuple(color)])
        for study, color in zip(studies, colors, strict=True)
        if study.id in included
    ]


def _icon(red: float, green: float, blue: float) -> QIcon:
    pixmap = QPixmap(_ICON_PIXELS, _ICON_PIXELS)
    pixmap.fill(QColor.fromRgbF(red, green, blue))
    return QIcon(pixmap)


class FociWidget(Container):
    """Show foci, choose how thick a slab of them is seen, and light up studies.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer that foci are added to. Their layer outlives the widget.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        #: Files opened here, and the columns of their annotations.
        self._files: dict[str, tuple[str, ...]] = {}
        self._make_form()
        self._connect()
        self._refresh()

    # --- the form ---------------------------------------------------------------------

    def _make_form(self) -> None:
        self.source = ComboBox(choices=self._choices, nullable=False, tooltip=_NOTHING)
        self.source.native.setAccessibleName("Studies of")
        self.file = PushButton(text="From a file...", tooltip=_NOTHING)
        self.column = ComboBox(
            choices=self._columns,
            tooltip="The column of annotations that says which analyses are used",
        )
        self.column.native.setAccessibleName("Annotation")
        self.show_them = PushButton(text="Show")
        self.slab = Slider(
            min=_THINNEST,
            max=_THICKEST,
            value=int(SLAB_MM),
            tooltip="How thick a slab of foci is shown: half of it on each side",
        )
        # Arrow keys go on with the slider, not with the number beside it.
        CalmNumber(self.slab.native.findChild(QAbstractSpinBox))
        self.everything = CheckBox(text="all", tooltip="Show every focus")
        self.search = LineEdit()
        self.search.native.setPlaceholderText("Filter studies")
        self.search.native.setClearButtonEnabled(True)
        self.none = PushButton(text="Clear selection")
        self.studies = StudyList(self.native)
        self.about = wrapped_text()
        narrow(self.source, self.column)
        self.extend(
            [
                row(self.source, self.file),
                row(self.column, self.show_them),
                row(Label(value="Slab, mm"), self.slab, self.everything),
                row(self.search, self.none),
                self.about,
            ]
        )
        self.native.layout().insertWidget(4, self.studies, 1)

    def _connect(self) -> None:
        self.source.changed.connect(self._offer_columns)
        self.file.changed.connect(self._choose_file)
        self.show_them.changed.connect(self._show_or_tell)
        self.slab.changed.connect(self._cut)
        self.everything.changed.connect(self._cut)
        self.search.changed.connect(self.studies.filter)
        self.none.changed.connect(self._light_none)
        self.studies.chosen.connect(self._light)
        # Bound methods are held weakly by napari: closing the widget ends them.
        layers = self._viewer.layers
        layers.events.inserted.connect(self._refresh)
        layers.events.removed.connect(self._refresh)
        layers.selection.events.active.connect(self._show_state)

    # --- what there is to choose ------------------------------------------------------

    def _choices(self, widget: object = None) -> list[tuple[str, Any]]:
        results = [(one.title, one) for one in result_sets(self._viewer.layers)]
        files = [(os.path.basename(path), path) for path in self._files]
        found: list[tuple[str, Any]] = []
        taken: dict[str, int] = {}
        for name, value in [*results, *files]:
            taken[name] = taken.get(name, 0) + 1
            again = f" ({taken[name]})" if taken[name] > 1 else ""
            found.append((f"{name}{again}", value))
        return found or [("no result is open", None)]

    def _columns(self, widget: object = None) -> list[tuple[str, str]]:
        path = self.source.value
        columns = self._files[path] if isinstance(path, str) else ()
        return [("all analyses", _ALL), *((f"only {one}", one) for one in columns)]

    @property
    def layer(self) -> Points | None:
        """The layer of foci that is spoken of: the active one, or the topmost."""
        active = self._viewer.layers.selection.active
        if active is not None and studies_of(active) is not None:
            return active
        found = foci_layers(self._viewer)
        return found[-1] if found else None

    # --- showing ----------------------------------------------------------------------

    def _choose_file(self, event: object = None) -> None:
        path, _ = QFileDialog.getOpenFileName(self.native, "Open studies", "", _FILES)
        if path:
            self.open_file(path)

    def open_file(self, path: str) -> None:
        """Choose a file; it is shown at once when there is no more to choose."""
        self._files[path] = wait_for(
            lambda job: annotation_columns(path), "Reading studies", self._viewer
        )
        self.source.reset_choices()
        self.source.value = path
        self._offer_columns()
        if len(self.column.choices) == 1:
            self._show_or_tell()

    def _offer_columns(self, event: object = None) -> None:
        self.column.reset_choices()
        self.column.visible = len(self.column.choices) > 1

    def _show_or_tell(self, event: object = None) -> None:
        from napari_neurosynth_results.viewer.progress_bar import show_error

        try:
            self.show_chosen()
        except ResultsError as error:
            show_error(str(error))

    def show_chosen(self) -> None:
        """Show the foci of what is chosen; `ResultsError` says why there are none."""
        try:
            studies = self._find_studies()
        except CancelledError:
            return
        made = show_foci(self._viewer, studies)
        if self.layer is not made:
            self._viewer.layers.selection.active = made
        self._show_state()

    def _find_studies(self) -> Studies:
        """Read the studies on another thread, where a server may be asked for them."""
        chosen = self.source.value
        if isinstance(chosen, str):
            include = self.column.value or None
            return wait_for(
                lambda job: open_studies(chosen, include=include),
                "Reading studies",
                self._viewer,
            )
        if not isinstance(chosen, ResultSet):
            raise ResultsError(f"There is no result to show foci of. {_NOTHING}")
        studies = wait_for(
            lambda job: _ask(chosen, job), "Asking for the studies", self._viewer
        )
        if studies is None:
            raise ResultsError(
                f"The studies of {chosen.title} are not known: only those of "
                "Neurosynth Compose come with their results. Choose their file instead."
            )
        return studies

    # --- what is shown ----------------------------------------------------------------

    def _cut(self, event: object = None) -> None:
        self._enable_slab(not self.everything.value)
        if self.layer is not None:
            set_slab(self.layer, None if self.everything.value else self.slab.value)

    def _light(self, study_ids: list[str]) -> None:
        if self.layer is not None:
            light_up(self.layer, study_ids or None)

    def _light_none(self, event: object = None) -> None:
        self.studies.choose([])

    def _refresh(self, event: object = None) -> None:
        """Follow the layers of the viewer."""
        self.source.reset_choices()
        self._offer_columns()
        self._show_state()

    def _show_state(self, event: object = None) -> None:
        layer = self.layer
        for one in (self.everything, self.search, self.none):
            one.enabled = layer is not None
        if layer is None:
            self._enable_slab(False)
            self.studies.show_studies(None, None)
            self.about.value = _NOTHING
            return
        studies = studies_of(layer)
        assert studies is not None
        self.studies.show_studies(studies, lit_studies(layer))
        self.studies.filter(self.search.value)
        self.about.value = about_foci(studies)
        self._show_slab()

    def _enable_slab(self, wanted: bool) -> None:
        # magicgui (0.10) disables the slider alone, and not the number beside it.
        self.slab.native.setEnabled(wanted)

    def _show_slab(self, event: object = None) -> None:
        layer = self.layer
        if layer is None:
            return
        mm = slab_of(layer)
        with self.slab.changed.blocked(), self.everything.changed.blocked():
            self.everything.value = mm is None
            self._enable_slab(mm is not None)
            if mm is not None:
                self.slab.value = min(max(round(mm), _THINNEST), _THICKEST)


def about_foci(studies: Studies) -> str:
    """Say how many foci there are, of how many studies, and what was assumed.

    Returns
    -------
    str
        A line, and one for each notice of the studies.

    Examples
    --------
    >>> about_foci(Studies(()))
    '0 foci of 0 studies.'
    """
    foci = studies.foci
    used = counted(len(studies.included), "study", "studies")
    told = f"{counted(len(foci), 'focus', 'foci')} of {used}"
    if left_out := len(studies) - len(studies.included):
        told += f" ({left_out:,} more {'was' if left_out == 1 else 'were'} not used)"
    moved = foci["converted"]
    unknown = [not space_named(name) for name in foci["space"]]
    far = len(foci) - len(shown_foci(studies))
    parts = [
        (int(moved.sum()), "converted from Talairach"),
        (sum(unknown), "of unknown space, taken for MNI"),
        (far, "outside of any head, not shown"),
    ]
    said = "; ".join(f"{count:,} {what}" for count, what in parts if count)
    line = f"{told}: {said}." if said else f"{told}."
    return "\n".join([line, *studies.notices])


def _ask(results: ResultSet, job: Job) -> Studies | None:
    """Ask for the studies of a result, and let go of the answer when it is cancelled.

    A result remembers its studies: what comes later is there the next time.
    """
    future = start_thread(lambda: results.studies)
    while not wait([future], _LOOK_SECONDS).done:
        job.check()
    return future.result()
