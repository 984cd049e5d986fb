"""Open a link, an id, a folder or a zip, and choose among the maps of what is open."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, Container, LineEdit, PushButton, TextEdit
from qtpy.QtCore import QModelIndex
from qtpy.QtWidgets import QFileDialog

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.opening import open_source
from napari_neurosynth_results.viewer.layers import map_of, result_sets
from napari_neurosynth_results.viewer.plugin.messages import diagnostics
from napari_neurosynth_results.viewer.plugin.reader import (
    add_maps,
    bring_first_maps,
    show_first_maps,
)
from napari_neurosynth_results.viewer.plugin.recent_sources import (
    recent_sources,
    remember_source,
)
from napari_neurosynth_results.viewer.settings import Settings, read_settings
from napari_neurosynth_results.widgets.browser.description import (
    MapDescription,
    description_browser,
    description_html,
)
from napari_neurosynth_results.widgets.browser.map_list import (
    ANY,
    FETCH_FAILED,
    MapList,
    correction_text,
)
from napari_neurosynth_results.widgets.commands import copy_as_python
from napari_neurosynth_results.widgets.common.background_job import BackgroundJob
from napari_neurosynth_results.widgets.common.layout import copy_text, narrow, row
from napari_neurosynth_results.widgets.kind_form import show_kind_form

if TYPE_CHECKING:
    from napari.viewer import Viewer

_NOTHING_OPEN = (
    "Paste the link of a NeuroVault collection or of a Neurosynth Compose "
    "meta-analysis, or open a NiMARE folder, a zip or a NIfTI map."
)
_FILES = "Maps and zips (*.nii *.nii.gz *.hdr *.img *.mgz *.mgh *.zip)"
#: A user who asks to see something gets this many maps at once.
_FIRST = 1
_LOW = 110


class ResultsBrowser(Container):
    """Open results, see all their maps, and add those that are wanted.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer that maps are added to.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        #: Results opened here that may have no layer yet.
        self._opened: list[ResultSet] = []
        self._failed: set[str] = set()
        self._make_form()
        self._make_list()
        self._connect()
        self._show_result()

    # --- the form ---------------------------------------------------------------------

    def _make_form(self) -> None:
        self.source = LineEdit(tooltip=_NOTHING_OPEN)
        self.source.native.setPlaceholderText("Link, id, folder or zip")
        self.source.native.setClearButtonEnabled(True)
        self.open = PushButton(text="Open")
        self.folder = PushButton(text="Folder...", tooltip="Open a folder of maps")
        self.files = PushButton(text="Files...", tooltip="Open maps or a zip")
        self.recent = ComboBox(choices=self._recent_choices)
        self.recent.tooltip = "Recently opened results"
        self.result = ComboBox(
            choices=self._result_choices, tooltip="Results that are open"
        )
        self.search = LineEdit()
        self.search.native.setPlaceholderText("Filter: mass, association ...")
        self.search.native.setClearButtonEnabled(True)
        self.kind = ComboBox(
            choices=self._kind_choices, tooltip="Show only maps of this kind"
        )
        self.correction = ComboBox(
            choices=self._correction_choices,
            tooltip="Show only maps with this correction",
        )
        narrow(self.recent, self.result, self.kind, self.correction)
        self.add = PushButton(text="Add as layers")
        self.copy = PushButton(text="Copy diagnostics")
        self.script = PushButton(
            text="Copy as Python",
            tooltip="Copy a script that makes the tables of everything that is open",
        )
        self.problems = TextEdit()
        self.problems.read_only = True
        self.problems.native.setMaximumHeight(_LOW)

    def _make_list(self) -> None:
        self.background_job = BackgroundJob()
        self.view = MapList(self.native)
        self.map_description = MapDescription()
        self.about = description_browser()
        self.extend(
            [
                row(self.source, self.open),
                row(self.recent, self.folder, self.files),
                self.result,
                row(self.search, self.kind, self.correction),
                row(self.add, self.copy, self.script),
                self.problems,
            ]
        )
        layout = self.native.layout()
        layout.insertWidget(4, self.view, 1)
        layout.insertWidget(6, self.background_job)
        layout.insertWidget(7, self.map_description)
        layout.insertWidget(8, self.about)

    def _connect(self) -> None:
        self.source.native.returnPressed.connect(self._open)
        self.open.changed.connect(self._open)
        self.folder.changed.connect(self._choose_folder)
        self.files.changed.connect(self._choose_files)
        self.recent.changed.connect(self._open_recent)
        self.result.changed.connect(self._show_result)
        for widget in (self.search, self.kind, self.correction):
            widget.changed.connect(self._fill)
        self.view.selectionModel().selectionChanged.connect(self._describe)
        self.view.doubleClicked.connect(self._double_clicked)
        self.add.changed.connect(self._add)
        self.copy.changed.connect(self._copy)
        self.script.changed.connect(self._copy_script)
        self.map_description.holds.clicked.connect(self._ask_what_it_holds)
        self.background_job.progressed.connect(self._show_progress)
        # Bound methods are held weakly by napari: closing the widget ends them.
        layers = self._viewer.layers
        layers.events.inserted.connect(self._refresh)
        layers.events.removed.connect(self._refresh)

    # --- what there is to choose ------------------------------------------------------

    def _recent_choices(self, widget: object = None) -> list[tuple[str, str]]:
        recent = recent_sources(read_settings().online)
        return [("Recent ...", ""), *((one.title, one.source) for one in recent)]

    def _result_choices(self, widget: object = None) -> list[tuple[str, ResultSet]]:
        """List the results; a title that was there before gets a number."""
        found = result_sets(self._viewer.layers)
        found += [results for results in self._opened if results not in found]
        titles = [results.title for results in found]
        counts = [titles[:n].count(title) for n, title in enumerate(titles, start=1)]
        return [
            (f"{results.title} ({n})" if n > 1 else results.title, results)
            for n, results in zip(counts, found, strict=True)
        ]

    def _maps(self) -> list[StatMap]:
        results = self.result.value
        return list(results.maps.values()) if results is not None else []

    def _kind_choices(self, widget: object = None) -> list[tuple[str, str]]:
        kinds = dict.fromkeys(str(statmap.kind) for statmap in self._maps())
        return [("any kind", ANY), *((kind, kind) for kind in kinds)]

    def _correction_choices(self, widget: object = None) -> list[tuple[str, str]]:
        found = dict.fromkeys(correction_text(statmap) for statmap in self._maps())
        return [("any correction", ANY), *((text, text) for text in found)]

    # --- opening ----------------------------------------------------------------------

    def _open(self, event: object = None) -> None:
        if text := self.source.value.strip():
            self._open_source(text)

    def _choose_folder(self, event: object = None) -> None:
        if path := QFileDialog.getExistingDirectory(self.native, "Open a folder"):
            self._open_source(path)

    def _choose_files(self, event: object = None) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self.native, "Open", "", _FILES)
        if paths:
            self._open_source(paths[0] if len(paths) == 1 else paths)

    def _open_recent(self, event: object = None) -> None:
        if source := self.recent.value:
            self.recent.value = ""
            self._open_source(source)

    def _open_source(self, source: str | list[str]) -> None:
        """List a source's maps, found on another thread; then show the first."""
        if self._busy():
            return
        settings = read_settings()

        def work(job: Job) -> ResultSet:
            return open_source(source, settings.online, job, settings.max_bytes)

        def done(results: ResultSet) -> None:
            results.on_demand = False
            self._opened.append(results)
            if isinstance(source, str):
                again = results.source
                again = os.path.abspath(again) if os.path.exists(again) else again
                remember_source(settings.online, again, results.title)
                self.recent.reset_choices()
            self.source.value = ""
            self._refresh()
            self.result.value = results
            self._show_first(results, settings)

        self.background_job.start(work, "Opening", done=done, failed=self._not_done)

    def _show_first(self, results: ResultSet, settings: Settings) -> None:
        """Fetch the most interesting map with what it needs, and show it."""

        def done(nothing: None) -> None:
            try:
                show_first_maps(self._viewer, results, settings, _FIRST)
            except ResultsError as error:
                self._not_done(error)
            self._refresh()
            self.result.value = results

        self.background_job.start(
            lambda job: bring_first_maps(results, job, _FIRST),
            "First map",
            done=done,
            failed=self._not_done,
        )

    def _busy(self) -> bool:
        """Whether something is under way, and say so."""
        if self.background_job.busy:
            self._tell("Another task is running. Wait for it, or cancel it.")
        return self.background_job.busy

    # --- the list ---------------------------------------------------------------------

    def _refresh(self, event: object = None) -> None:
        self.result.reset_choices()
        self._show_result()

    def _show_result(self, event: object = None) -> None:
        self.kind.reset_choices()
        self.correction.reset_choices()
        self._fill()
        results = self.result.value
        self.about.setHtml(description_html(results) if results is not None else "")
        self.about.setVisible(results is not None)
        self._show_problems()

    def _fill(self, event: object = None) -> None:
        chosen = self.view.chosen()
        self.view.list_maps(
            self.result.value,
            words=self.search.value.split(),
            kind=self.kind.value or ANY,
            correction=self.correction.value or ANY,
        )
        self._show_states()
        self.view.choose(chosen)
        self._describe()

    def _show_states(self) -> None:
        self.view.set_states(self._shown(), self._failed)

    def _shown(self) -> set[str]:
        """Keys of the chosen result's maps that have a layer."""
        found = (map_of(layer) for layer in self._viewer.layers)
        results = self.result.value
        return {m.key for m in found if m is not None and m.results is results}

    def _show_progress(self, percents: dict[str, int]) -> None:
        keys = {statmap.file.filename: statmap.key for statmap in self._maps()}
        self.view.set_progress(
            {keys[name]: part for name, part in percents.items() if name in keys}
        )

    def _show_problems(self, *more: str) -> None:
        results = self.result.value
        problems = (*more, *(results.problems if results is not None else ()))
        self.problems.value = for_qt("\n".join(dict.fromkeys(problems)))
        self.problems.visible = bool(problems)

    def _describe(self, *event: object) -> None:
        """Say what the chosen map is, or what to do."""
        results = self.result.value
        chosen = self.view.chosen()
        self.add.enabled = bool(chosen)
        again = any(self.view.state_of(statmap) == FETCH_FAILED for statmap in chosen)
        self.add.text = "Try again" if again else "Add as layers"
        self.copy.enabled = self.script.enabled = results is not None
        if results is None:
            self.map_description.say(_NOTHING_OPEN)
        elif not chosen:
            self.map_description.say(
                f"{len(results.maps)} maps, {len(self._shown())} with a layer. "
                "Double-click a map to add it."
            )
        else:
            self.map_description.show_map(chosen[0], self._viewer.layers)

    # --- adding -----------------------------------------------------------------------

    def _double_clicked(self, index: QModelIndex) -> None:
        self._add_maps([self.view.rows.rows[index.row()]])

    def _add(self, event: object = None) -> None:
        self._add_maps(self.view.chosen())

    def _add_maps(self, chosen: list[StatMap]) -> None:
        """Add maps that have no layer yet; bring the others to view."""
        shown = self._shown()
        for layer in self._viewer.layers:
            if map_of(layer) in chosen:
                layer.visible = True
        wanted = [statmap for statmap in chosen if statmap.key not in shown]
        if not wanted:
            return
        results = wanted[0].results
        needed = [m for one in wanted for m in results.needed_by(one)]
        missing = [m for m in dict.fromkeys(needed) if not m.at_hand]
        if not missing:
            self._add_here(wanted)
            return
        if self._busy():
            return
        sizes = [statmap.file.nbytes for statmap in missing]
        self._failed -= {statmap.key for statmap in missing}
        self._show_states()
        self.background_job.start(
            lambda job: results.fetch(missing, job),
            f"{len(missing)} maps",
            done=lambda problems: self._add_here(wanted),
            failed=self._not_done,
            expected=sum(size for size in sizes if size) if all(sizes) else None,
        )

    def _add_here(self, wanted: list[StatMap]) -> None:
        """Add maps that have come; mark those that have not."""
        missing = {statmap.key for statmap in wanted if not statmap.at_hand}
        self._failed |= missing
        here = [statmap for statmap in wanted if statmap.at_hand]
        problems = add_maps(self._viewer, here)
        self._show_states()
        self._describe()
        self._show_problems(*problems)
        if missing or problems:
            self._tell("\n".join([*problems, *wanted[0].results.problems][:4]))

    def _not_done(self, error: ResultsError) -> None:
        if not isinstance(error, CancelledError):
            self._show_problems(str(error))
            self._tell(str(error))
        self._show_states()

    def _tell(self, text: str) -> None:
        from napari_neurosynth_results.viewer.progress_bar import show_warning

        show_warning(text)

    def _copy(self, event: object = None) -> None:
        if self.result.value is not None:
            copy_text(diagnostics(self.result.value))

    def _ask_what_it_holds(self, event: object = None) -> None:
        if chosen := self.view.chosen():
            show_kind_form(self._viewer, chosen[0], self._refresh)

    def _copy_script(self, event: object = None) -> None:
        copy_as_python(self._viewer)
