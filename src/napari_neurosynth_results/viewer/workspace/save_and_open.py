"""Save all that is open with how it looks to a file, and open it again."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from napari_neurosynth_results._version import __version__
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.workspace.contents import (
    Description,
    Map,
    Naming,
    Source,
)
from napari_neurosynth_results.export.workspace.file import (
    FORMAT,
    VERSION,
    FilePlace,
    PanelState,
    Workspace,
    change_atlas_paths,
    change_paths,
    read_workspace,
    write_workspace,
)
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.opening import open_source
from napari_neurosynth_results.viewer.clusters.atlas_choice import (
    choose_atlas,
    chosen_atlas,
    describe_atlas,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import name_by
from napari_neurosynth_results.viewer.napari_private import unproxied
from napari_neurosynth_results.viewer.progress_bar import notify, wait_for
from napari_neurosynth_results.viewer.scene import weakly
from napari_neurosynth_results.viewer.settings import (
    Settings,
    preferred_atlas,
    read_settings,
    run_command,
)
from napari_neurosynth_results.viewer.shown_maps import current_layer
from napari_neurosynth_results.viewer.workspace.appearance import (
    apply_view,
    describe_look,
    describe_view,
    docks_of,
    is_temporary,
)
from napari_neurosynth_results.viewer.workspace.restorer import Restorer
from napari_neurosynth_results.viewer.workspace.state_reader import StateReader

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: The tabs of the panel -> the commands that open it there.
_OPEN_AT = {
    "Clusters": "threshold",
    "Maps": "results_browser",
    "Compare": "compare",
    "Views": "anatomical_views",
    "Export": "export",
}


@runtime_checkable
class DockedPanel(Protocol):
    """The panel, as far as a workspace has to know it: it is of the room above."""

    def current_tab(self) -> str:
        """Return the tab that is in front."""

    def compared(self) -> tuple[list[StatMap], str]:
        """Return the maps that are compared, and how they are seen together."""

    def compare(self, maps: list[StatMap], together: str) -> None:
        """Compare maps, and see them together."""

    def each_map_alone(self) -> AbstractContextManager[None]:
        """Give layers for a while the look that they have alone."""


def _panel_of(viewer: Viewer) -> DockedPanel | None:
    docks = docks_of(viewer).values()
    return next((one for one in docks if isinstance(one, DockedPanel)), None)


def save_workspace(
    viewer: Viewer, path: str | os.PathLike[str], *, overwrite: bool = False
) -> list[str]:
    """Save the state of a viewer.

    Parameters
    ----------
    path : path
        A new file; ``.nnr.json`` at its end lets napari open it.
    overwrite : bool
        Replace a file that exists.

    Returns
    -------
    list of str
        What is not in the file, because nothing says where it came from.

    Raises
    ------
    ResultsError
        When nothing of this plugin is open, or the file cannot be written.
    """
    target = os.path.abspath(os.fspath(path))
    workspace, told = gather_workspace(viewer, os.path.dirname(target))
    if not workspace.contents.sources and not workspace.contents.foci:
        raise ResultsError("No result is open: there is nothing to save.")
    write_workspace(workspace, target, overwrite=overwrite)
    return told


def gather_workspace(viewer: Viewer, folder: str) -> tuple[Workspace, list[str]]:
    """Gather the state of a viewer.

    Parameters
    ----------
    folder : str
        Where the workspace will be, for the paths relative to it.

    Returns
    -------
    workspace : Workspace
        All of it.
    told : list of str
        What is left out.
    """
    reader = StateReader(viewer)
    looks, kept, told = [], [], []
    panel = _panel_of(viewer)
    with panel.each_map_alone() if panel is not None else nullcontext():
        for layer in viewer.layers:
            look = describe_look(reader, layer)
            if look is not None:
                looks.append(look)
                kept.append(layer)
            elif not is_temporary(layer):
                told.append(
                    f"{layer.name} was not made by this plugin: save it separately."
                )
    state = _describe_panel(panel, reader) if panel is not None else None
    contents = change_paths(reader.description, os.path.abspath)
    for one in contents.clusters:
        place = one.asked.place
        if place is not None and place.kind == "painted":
            told.append(
                f"The mask {place.name} was painted: save its layer by itself, and "
                "open it before the workspace."
            )
    told += [
        f"{one.title} is private: its link is not kept. Whoever opens the workspace "
        "elsewhere has to open the link instead."
        for one in contents.sources
        if one.needs_link
    ]
    active, current = viewer.layers.selection.active, current_layer(viewer)
    naming = describe_atlas(viewer, chosen_atlas(viewer))
    workspace = Workspace(
        FORMAT,
        VERSION,
        __version__,
        _files_of(contents, naming, folder),
        contents,
        tuple(looks),
        kept.index(active) if active in kept else None,
        kept.index(current) if current in kept else None,
        describe_view(viewer) if kept else None,
        naming,
        state,
    )
    return workspace, told


def _describe_panel(panel: DockedPanel, reader: StateReader) -> PanelState:
    maps, together = panel.compared()
    tab: Any = panel.current_tab()
    return PanelState(tab, tuple(map(reader.map, maps)), together)


def _files_of(
    contents: Description, naming: Naming, folder: str
) -> tuple[FilePlace, ...]:
    """List every path with where it is as seen from the workspace."""
    found: dict[str, FilePlace] = {}

    def note(path: str) -> str:
        try:
            beside = os.path.relpath(path, folder)
        except ValueError:
            # Another drive of Windows.
            beside = ""
        found[path] = FilePlace(path, beside.replace(os.sep, "/"))
        return path

    change_paths(contents, note)
    change_atlas_paths(naming, note)
    return tuple(found.values())


def open_workspace(viewer: Viewer, path: str | os.PathLike[str]) -> list[str]:
    """Open what a workspace holds, on top of what is open.

    Parameters
    ----------
    viewer : Viewer
        Where to.

    Returns
    -------
    list of str
        What could not be opened, by name and with what to do.

    Raises
    ------
    ResultsError
        When the file is no workspace, is broken or of another version, or none of its
        results can be opened.
    """
    target = os.path.abspath(os.fspath(path))
    workspace, told = read_workspace(target)
    here = _Places(workspace.files, os.path.dirname(target))
    workspace = replace(
        workspace,
        contents=change_paths(workspace.contents, here.find),
        naming=change_atlas_paths(workspace.naming, here.find),
    )
    settings = read_settings()
    results, problems = wait_for(
        lambda job: _open_all(workspace.contents, settings, job),
        "Opening workspace",
        viewer,
    )
    told += problems
    if workspace.contents.sources and not any(results):
        raise ResultsError("\n".join([f"{target} cannot be opened.", *told]))
    restorer = Restorer(viewer, workspace, results)
    wait_for(restorer.work_out, "Opening workspace", viewer)
    restorer.restore()
    told += restorer.told
    if workspace.view is not None:
        told += apply_view(viewer, workspace.view)
    told += _bring_panel(viewer, workspace.panel, restorer, settings)
    return [*told, *_choose(viewer, workspace.naming)]


def _bring_panel(
    viewer: Viewer, state: PanelState | None, restorer: Restorer, settings: Settings
) -> list[str]:
    """Open the panel as it was; say which maps are not compared any more."""
    if not hasattr(unproxied(viewer), "window"):
        # What has no window has no place for it.
        return []
    if state is None:
        if settings.panel:
            run_command("open_panel", viewer)
        return []
    run_command(_OPEN_AT[state.tab], viewer)
    panel = _panel_of(viewer)
    maps, told = [], []
    for number in state.compared:
        try:
            maps.append(restorer.map(number))
        except ResultsError as error:
            told.append(f"A map is not compared any more. {error}")
    if panel is not None and maps:
        panel.compare(maps, state.together)
    return told


def open_and_tell(viewer: Viewer, path: str) -> None:
    """Open a workspace, and tell in napari's notifications what is missing.

    Raises
    ------
    ResultsError
        As `open_workspace`.
    """
    own = preferred_atlas()
    told = open_workspace(viewer, path)
    # napari keeps its notifications for good; viewers must not be kept so.
    ref = weakly(viewer)

    def keep_own(dialog: object) -> None:
        if (still_open := ref()) is not None:
            choose_atlas(still_open, *own)
            name_by(still_open, chosen_atlas(still_open))

    changed = preferred_atlas() != own
    name = os.path.basename(path)
    notify(
        "\n".join([f"Opened {name}, but:", *told]) if told else f"Opened {name}",
        "warning" if told else "info",
        ((f"Keep {_in_words(own[0])}", keep_own),) if changed else (),
    )


class _Places:
    """Finds files that may have moved together with the workspace."""

    def __init__(self, files: tuple[FilePlace, ...], folder: str) -> None:
        self._beside = {file.path: file.beside for file in files}
        self._folder = folder

    def find(self, path: str) -> str:
        """Return where a file is now: beside the workspace, else where it was."""
        if beside := self._beside.get(path, ""):
            moved = os.path.normpath(os.path.join(self._folder, beside))
            if os.path.exists(moved):
                return moved
        return path


def _open_all(
    contents: Description, settings: Settings, job: Job
) -> tuple[list[ResultSet | None], list[str]]:
    """Open every source with the maps that are wanted of it, on another thread."""
    found: list[ResultSet | None] = []
    told: list[str] = []
    for number, source in enumerate(contents.sources):
        wanted = [one for one in contents.maps if one.source == number]
        try:
            found.append(_open(source, wanted, settings, job, told))
        except CancelledError:
            raise
        except ResultsError as error:
            found.append(None)
            told.append(f"{source.title or source.paths}: {error}")
    for foci in contents.foci:
        # Servers may be asked for studies: here nobody waits for the window.
        number = -1 if foci.source is None else foci.source
        results = found[number] if 0 <= number < len(found) else None
        if results is not None:
            try:
                _ = results.studies
            except ResultsError as error:
                told.append(f"{foci.title}: {error}")
    return found, told


def _open(
    source: Source,
    wanted: list[Map],
    settings: Settings,
    job: Job,
    told: list[str],
) -> ResultSet:
    missing = [
        path for path in source.paths if not (source.remote or os.path.exists(path))
    ]
    if missing or not source.paths:
        raise ResultsError(
            f"{', '.join(missing) or 'It'} is not there, nor where it was as seen from "
            "the workspace. Move it back, or write where it is under contents, sources "
            "in the workspace file."
        )
    what = source.paths[0] if len(source.paths) == 1 else list(source.paths)
    try:
        results = open_source(what, settings.online, job, settings.max_bytes)
    except ResultsError as error:
        if not source.needs_link:
            raise
        raise ResultsError(
            f"{error} It is private, and a workspace never keeps its link: write the "
            "link under contents, sources in the workspace file, or open it yourself."
        ) from error
    for key, text in source.stated.items():
        try:
            results.take_as({key: text})
        except ResultsError as error:
            told.append(f"{source.title}: {error}")
    results.on_demand = False
    # Masks and tails are judged by the maps that are at hand: by the same as before.
    keys = [*source.fetched, *(one.key for one in wanted)]
    maps = [results[key] for key in dict.fromkeys(keys) if key in results.maps]
    results.fetch(maps if source.fetched else results.maps.values(), job)
    return results


def _choose(viewer: Viewer, naming: Naming) -> list[str]:
    """Choose the atlas of a workspace, as the user would; say so."""
    if naming.layer:
        return []
    what = naming.atlas or "none"
    now, names = preferred_atlas()
    if (now.lower(), names) == (what.lower(), naming.names):
        return []
    if naming.names:
        return [
            f"Places are named by your own atlas. The workspace had {what} with the "
            f"names in {naming.names}: choose them under Preferences."
        ]
    try:
        choose_atlas(viewer, what)
    except ResultsError as error:
        return [f"Places are named by your own atlas. {error}"]
    named = _in_words(what)
    return [f"From now on regions are named by {named}, as in the workspace."]


def _in_words(atlas: str) -> str:
    """Name an atlas as it is chosen, a file by its name alone."""
    return "no atlas" if atlas.lower() == "none" else os.path.basename(atlas)
