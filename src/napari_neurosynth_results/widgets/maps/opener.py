"""Opening results and fetching their maps: what is under way, and what is open."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.opening import open_source
from napari_neurosynth_results.sources.web.servers import Servers
from napari_neurosynth_results.viewer import shown_maps
from napari_neurosynth_results.viewer.layers import result_sets
from napari_neurosynth_results.viewer.plugin.reader import (
    bring_first_maps,
    show_first_maps,
)
from napari_neurosynth_results.viewer.settings import Settings, read_settings
from napari_neurosynth_results.widgets.common.background_job import BackgroundJob

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_neurosynth_results.sources.web.cache import Cache

#: A user who asks to see something gets this many maps at once.
_FIRST = 1
#: Under which the sources opened last are kept, beside the cache.
_RECENT = "recent sources"
_MOST_RECENT = 15
_BUSY = "Another task is running. Wait for it, or cancel it."


class ResultOpener(QObject):
    """Opens results for the panels of one viewer, and brings maps that wait elsewhere.

    Parameters
    ----------
    viewer : Viewer
        Where maps are added.
    """

    #: A result was opened, or what is known of the maps of one changed.
    changed = Signal()
    #: A result has come to stay, even before a map of it is shown.
    opened = Signal(object)
    #: A source could not be opened, for these reasons.
    told = Signal(str)

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        #: Results opened here, which may have no layer yet.
        self._opened: list[ResultSet] = []
        #: Maps that could not be had; a result's maps are named by its own keys.
        self._failed: set[tuple[int, str]] = set()
        self.background_job = BackgroundJob()
        self._doing = ""
        self._have_layers = result_sets(viewer.layers)
        self._watch = shown_maps.LayerWatch(viewer, self._let_go)

    @property
    def results(self) -> list[ResultSet]:
        """The results that are open, whether or not a map of them has a layer."""
        found = result_sets(self._viewer.layers)
        return found + [results for results in self._opened if results not in found]

    @property
    def doing(self) -> str:
        """What is under way, for people; empty for nothing."""
        return self._doing if self.background_job.busy else ""

    def has_failed(self, statmap: StatMap) -> bool:
        """Whether a map could not be fetched when it was last asked for."""
        return (id(statmap.results), statmap.key) in self._failed

    def _let_go(self) -> None:
        """Keep of results whose layers are gone their lists, and not their voxels."""
        before, self._have_layers = self._have_layers, result_sets(self._viewer.layers)
        for results in before:
            if results not in self._have_layers:
                results.let_go()

    # --- a result ---------------------------------------------------------------------

    def open(
        self,
        source: str | list[str],
        then: Callable[[ResultSet], None] | None = None,
    ) -> None:
        """Open a source on another thread; then show its most interesting map.

        Parameters
        ----------
        source : str or list of str
            A link, an id, a folder, a zip, or files that belong together. One that is
            open is gone to.
        then : callable, optional
            Called with the result once a map of it is shown; at once, in place of going
            there, with one that is open.
        """
        if self._is_busy() or self._goes_to(source, then or self._go_to):
            return
        settings = read_settings()

        def work(job: Job) -> ResultSet:
            return open_source(source, settings.online, job, settings.max_bytes)

        def done(results: ResultSet) -> None:
            if isinstance(source, str):
                again = results.source
                again = os.path.abspath(again) if os.path.exists(again) else again
                remember_source(settings.online, again, results.title)
            before = shown_maps.same_result(self.results, results)
            if before is not None:
                (then or self._go_to)(before)
                return
            results.on_demand = False
            self._opened.append(results)
            self.changed.emit()
            self.opened.emit(results)
            self._show_first(results, settings, then)

        self.background_job.start(work, "Opening", done=done, failed=self._not_done)
        self._say_under_way(f"Opening {_short(source)}")

    def _goes_to(
        self, source: str | list[str], go_to: Callable[[ResultSet], None]
    ) -> bool:
        """Go to a source that is open under the same name, without opening it."""
        if not isinstance(source, str):
            return False
        wanted = shown_maps.source_key(source)
        for results in self.results:
            if shown_maps.source_key(results.source) == wanted:
                go_to(results)
                return True
        return False

    def _go_to(self, results: ResultSet) -> None:
        shown = shown_maps.show_first_of(self._viewer, results)
        self.opened.emit(results)
        if shown is None:
            self._show_first(results, read_settings())

    def _show_first(
        self,
        results: ResultSet,
        settings: Settings,
        then: Callable[[ResultSet], None] | None = None,
    ) -> None:
        """Fetch the most interesting map with what it needs, and show it."""

        def done(nothing: None) -> None:
            try:
                show_first_maps(self._viewer, results, settings, _FIRST)
            except ResultsError as error:
                self._not_done(error)
            self.changed.emit()
            self.opened.emit(results)
            if then is not None and results in result_sets(self._viewer.layers):
                then(results)

        self.background_job.start(
            lambda job: bring_first_maps(results, job, _FIRST),
            "First map",
            done=done,
            failed=self._not_done,
        )
        self._say_under_way(f"Opening {results.title}")

    # --- maps -------------------------------------------------------------------------

    def show(self, statmap: StatMap) -> None:
        """Show a map alone, once it is here."""
        self.bring([statmap], self._show_here)

    def lay_over(self, statmaps: Sequence[StatMap]) -> None:
        """Lay maps over what is shown, once they are here."""
        self.bring(statmaps, self._lay_here)

    def _show_here(self, statmaps: list[StatMap]) -> None:
        for statmap in statmaps:
            self._try(shown_maps.show_alone, statmap)

    def _lay_here(self, statmaps: list[StatMap]) -> None:
        for statmap in statmaps:
            self._try(shown_maps.show_over, statmap)

    def _try(self, show: Callable[[Viewer, StatMap], None], statmap: StatMap) -> None:
        try:
            show(self._viewer, statmap)
        except ResultsError as error:
            self._warn(str(error))
            # What is wrong with it is known of its result now.
            self.changed.emit()

    def bring(
        self, wanted: Sequence[StatMap], then: Callable[[list[StatMap]], None]
    ) -> None:
        """Fetch maps of one result with what they need, where they are not at hand.

        Parameters
        ----------
        wanted : sequence of StatMap
            The maps.
        then : callable
            Called with those that have come, at once where nothing has to be fetched.
        """
        if not wanted:
            return
        results = wanted[0].results
        needed = [m for one in wanted for m in results.needed_by(one)]
        missing = [m for m in dict.fromkeys(needed) if not m.at_hand]
        if not missing:
            then(list(wanted))
            return
        if self._is_busy():
            return
        sizes = [statmap.file.nbytes for statmap in missing]
        self._failed -= {(id(m.results), m.key) for m in missing}
        self.changed.emit()

        def done(problems: list[str]) -> None:
            gone = [statmap for statmap in wanted if not statmap.at_hand]
            self._failed |= {(id(m.results), m.key) for m in gone}
            self.changed.emit()
            if gone:
                self._warn("\n".join([*problems, *results.problems][:4]))
            then([statmap for statmap in wanted if statmap.at_hand])

        self.background_job.start(
            lambda job: results.fetch(missing, job),
            counted(len(missing), "map"),
            done=done,
            failed=self._not_done,
            expected=sum(size for size in sizes if size) if all(sizes) else None,
        )
        self._say_under_way(f"Fetching {counted(len(missing), 'map')}")

    def _say_under_way(self, what: str) -> None:
        self._doing = what
        self.changed.emit()

    # --- what went wrong --------------------------------------------------------------

    def _is_busy(self) -> bool:
        """Whether something is under way, and say so."""
        if self.background_job.busy:
            self._warn(_BUSY)
        return self.background_job.busy

    def _not_done(self, error: ResultsError) -> None:
        if not isinstance(error, CancelledError):
            self.told.emit(str(error))
            self._warn(str(error))
        self.changed.emit()

    def _warn(self, text: str) -> None:
        from napari_neurosynth_results.viewer.progress_bar import show_warning

        show_warning(text)


def _short(source: str | list[str]) -> str:
    """Name a source as people do: by the end of its path, or by the whole link."""
    paths = [source] if isinstance(source, str) else source
    if len(paths) > 1:
        return counted(len(paths), "file")
    (path,) = paths
    return os.path.basename(os.path.normpath(path)) if os.path.exists(path) else path


# --- what was opened last -------------------------------------------------------------


@dataclass(frozen=True)
class RecentSource:
    """A source that was opened.

    Attributes
    ----------
    source : str
        What to open again; never a private token.
    title : str
        What it was called.
    """

    source: str
    title: str


def recent_sources(online: Servers) -> list[RecentSource]:
    """Return the sources opened last, the latest first."""
    kept = _cache(online).get_document(_RECENT)
    found = kept.value if kept is not None else []
    return [
        RecentSource(entry["source"], entry["title"])
        for entry in (found if isinstance(found, list) else [])
        if isinstance(entry, dict)
        and isinstance(entry.get("source"), str)
        and isinstance(entry.get("title"), str)
    ][:_MOST_RECENT]


def remember_source(online: Servers, source: str, title: str) -> None:
    """Put a source before all others.

    Parameters
    ----------
    online : Servers
        Where the cache is.
    source : str
        What opens it again; a private collection by the name that it is kept under.
    title : str
        What to call it.
    """
    others = [one for one in recent_sources(online) if one.source != source]
    listed = [RecentSource(source, title), *others][:_MOST_RECENT]
    _cache(online).put_document(
        _RECENT, [{"source": one.source, "title": one.title} for one in listed]
    )


def _cache(online: Servers) -> Cache:
    from napari_neurosynth_results.sources.web.cache import Cache

    return Cache(online.cache_dir, online.cache_bytes)
