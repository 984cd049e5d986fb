"""The commands that ask something first: reports, workspaces, saving, a script."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication, QFileDialog

from napari_neurosynth_results.api.report import first_clusters, sections_of
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.report.report import save_report
from napari_neurosynth_results.export.volumes import save_thresholded
from napari_neurosynth_results.export.workspace.file import EXTENSION
from napari_neurosynth_results.export.workspace.script import FIRST, script_of
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import (
    Comparison,
    compare,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.compare.results import compared_in
from napari_neurosynth_results.viewer.layers import map_of, result_sets
from napari_neurosynth_results.viewer.waiting import wait_for
from napari_neurosynth_results.viewer.workspace.describe import describe
from napari_neurosynth_results.viewer.workspace.save_and_open import (
    open_and_tell,
    save_workspace,
)
from napari_neurosynth_results.widgets.common.layout import copy_text
from napari_neurosynth_results.widgets.common.save_dialogs import (
    MAPS,
    ask_and_save,
    ask_where,
)

if TYPE_CHECKING:
    import napari.viewer

_REPORT_FILES = "Report (*.html)"


def ask_and_report(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to, and write a report of the result that the user works with."""
    from napari.utils.notifications import show_warning

    results = _result_of(napari_viewer)
    if results is None:
        show_warning("No result is open: there is nothing to report.")
        return
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in results.title)
    window = QApplication.activeWindow()
    chosen = ask_where(window, "Save a report", f"{name[:60]}.html", _REPORT_FILES)
    if chosen is not None:
        report_to(napari_viewer, results, *chosen)


def report_to(
    napari_viewer: napari.viewer.Viewer,
    results: ResultSet,
    path: str,
    overwrite: bool = False,
) -> None:
    """Write a report of a result, and tell where or why not.

    Parameters
    ----------
    napari_viewer : Viewer
        Whose clusters and comparison are reported.
    results : ResultSet
        The result.
    path : str
        Where to.
    overwrite : bool
        Whether the user agreed to replace a file.
    """
    from napari.utils.notifications import show_error, show_info

    shown = _shown_clusters(napari_viewer, results)
    comparison = _comparison(napari_viewer)

    def work(job: Job) -> None:
        chosen = shown or first_clusters(results)
        sections = sections_of(results, chosen)
        save_report(
            results,
            sections,
            path,
            comparison=comparison,
            job=job,
            overwrite=overwrite,
        )

    try:
        wait_for(work, "Report")
    except CancelledError:
        return
    except ResultsError as error:
        show_error(str(error))
        return
    show_info(f"Saved {path}")


def _result_of(viewer: napari.viewer.Viewer) -> ResultSet | None:
    """Return the result of the active layer, else the first that is open."""
    active = viewer.layers.selection.active
    statmap = map_of(active) if active is not None else None
    if statmap is not None:
        return statmap.results
    clusters = clusters_of(active) if active is not None else None
    if clusters is not None:
        return clusters.statmap.results
    opened = result_sets(viewer.layers)
    return opened[0] if opened else None


def _shown_clusters(
    viewer: napari.viewer.Viewer, results: ResultSet
) -> list[ClusterSet]:
    """List the clusters of a result that have a layer, the topmost first."""
    found = [clusters_of(layer) for layer in reversed(viewer.layers)]
    return [one for one in found if one is not None and one.statmap.results is results]


def _comparison(viewer: napari.viewer.Viewer) -> Comparison | None:
    """Return the comparison whose agreement is shown."""
    for layer in viewer.layers:
        if (compared := compared_in(layer)) is not None:
            return compare(compared.a, compared.b)
    return None


# The command that saves a map as it is seen at its threshold.


def save_thresholded_map(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to save the active map at its threshold, and save it there."""
    from napari.utils.notifications import show_warning

    layer = napari_viewer.layers.selection.active
    clusters = clusters_of(layer) if layer is not None else None
    statmap = map_of(layer) if layer is not None else None
    if statmap is not None:
        found = cluster_layer(napari_viewer, statmap)
        clusters = clusters_of(found) if found is not None else None
    if clusters is None:
        show_warning("Threshold a map first, and select its layer.")
        return
    suggested = f"{clusters.statmap.key}_thresholded.nii.gz"
    window = QApplication.activeWindow()
    save = partial(save_thresholded, clusters)
    ask_and_save(window, "Save the thresholded map", suggested, MAPS, save)


# The commands that keep what was done: as a script, or as a workspace.

_WORKSPACE_FILES = f"Workspace (*{EXTENSION})"


def copy_as_python(napari_viewer: napari.viewer.Viewer) -> None:
    """Put a script that gives the same tables on the clipboard."""
    from napari.utils.notifications import show_info, show_warning

    described = describe(napari_viewer)
    if not described.sources and not described.foci:
        show_warning("No result is open: there is nothing to write a script of.")
        return
    text = script_of(described)
    copy_text(text)
    first = [line for line in text.splitlines() if line.startswith(FIRST)]
    if first:
        told = [line.removeprefix(FIRST).strip() for line in first]
        show_warning("\n".join(["Copied. Before it runs:", *dict.fromkeys(told)]))
    else:
        show_info(f"Copied {len(text.splitlines())} lines of Python")


def ask_and_save_workspace(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to, and save the workspace."""
    results = result_sets(napari_viewer.layers)
    title = results[0].title if results else "results"
    kept = "".join(c if c.isalnum() or c in " -_." else "_" for c in title)[:60]
    path, _ = QFileDialog.getSaveFileName(
        QApplication.activeWindow(),
        "Save workspace",
        f"{kept}{EXTENSION}",
        _WORKSPACE_FILES,
    )
    if path:
        complete = path.lower().endswith(EXTENSION)
        # The dialog asked about the name that was typed, not about a longer one.
        target = path if complete else path.removesuffix(".json") + EXTENSION
        save_and_tell(napari_viewer, target, overwrite=complete)


def save_and_tell(
    napari_viewer: napari.viewer.Viewer, path: str, *, overwrite: bool = False
) -> None:
    """Save the workspace, and tell where, and what is not in it."""
    from napari.utils.notifications import show_error, show_info, show_warning

    try:
        told = save_workspace(napari_viewer, path, overwrite=overwrite)
    except ResultsError as error:
        show_error(str(error))
        return
    if told:
        show_warning("\n".join([f"Saved {path}. Not in it:", *told]))
    else:
        show_info(f"Saved {path}")


def ask_and_open_workspace(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask for a workspace, and open it."""
    path, _ = QFileDialog.getOpenFileName(
        QApplication.activeWindow(), "Open workspace", "", _WORKSPACE_FILES
    )
    if path:
        open_chosen(napari_viewer, path)


def open_chosen(napari_viewer: napari.viewer.Viewer, path: str) -> None:
    """Open a workspace; say why not where that fails."""
    from napari.utils.notifications import show_error

    try:
        open_and_tell(napari_viewer, path)
    except CancelledError:
        return
    except ResultsError as error:
        show_error(str(error))
