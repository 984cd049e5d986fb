"""The commands of the menus that write: a report, a map, a script, a workspace."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication, QFileDialog

from napari_neurosynth_results.api.report import build_sections, first_clusters
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.report.report import write_report
from napari_neurosynth_results.export.volumes import save_thresholded
from napari_neurosynth_results.export.workspace.file import EXTENSION
from napari_neurosynth_results.export.workspace.script import FIRST_STEP, write_script
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet, result_of
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import (
    Comparison,
    compare,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.compare.comparison_layers import compared_in
from napari_neurosynth_results.viewer.layers import map_of, result_sets
from napari_neurosynth_results.viewer.progress_bar import wait_for
from napari_neurosynth_results.viewer.workspace.save_and_open import (
    open_and_tell,
    save_workspace,
)
from napari_neurosynth_results.viewer.workspace.state_reader import describe
from napari_neurosynth_results.widgets.common.layout import copy_text
from napari_neurosynth_results.widgets.common.save_dialogs import (
    MAPS,
    REPORTS,
    ask_and_save,
    file_stem,
)

if TYPE_CHECKING:
    import napari.viewer

_WORKSPACES = f"Workspace (*{EXTENSION})"


# --- a report -------------------------------------------------------------------------


def ask_and_report(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to, and write a report of the result that the user works with."""
    from napari_neurosynth_results.viewer.progress_bar import show_warning

    results = _current_result(napari_viewer)
    if results is None:
        show_warning("No result is open: there is nothing to report.")
        return
    suggested = f"{file_stem(results.title, '-_')}.html"
    save = partial(_save_report, napari_viewer, results)
    ask_and_save(QApplication.activeWindow(), "Save a report", suggested, REPORTS, save)


def _save_report(
    viewer: napari.viewer.Viewer, results: ResultSet, path: str, *, overwrite: bool
) -> None:
    """Report the clusters and the comparison that the viewer shows of a result."""
    shown = _shown_clusters(viewer, results)
    comparison = _shown_comparison(viewer)

    def work(job: Job) -> None:
        chosen = shown or first_clusters(results)
        sections = build_sections(results, chosen)
        write_report(
            results,
            sections,
            path,
            comparison=comparison,
            job=job,
            overwrite=overwrite,
        )

    wait_for(work, "Report")


def _current_result(viewer: napari.viewer.Viewer) -> ResultSet | None:
    """Return the result of the active layer, else the first that is open."""
    active = viewer.layers.selection.active
    statmap = map_of(active) if active is not None else None
    if statmap is not None:
        return result_of(statmap)
    clusters = clusters_of(active) if active is not None else None
    if clusters is not None:
        return result_of(clusters.statmap)
    opened = result_sets(viewer.layers)
    return opened[0] if opened else None


def _shown_clusters(
    viewer: napari.viewer.Viewer, results: ResultSet
) -> list[ClusterSet]:
    """List the clusters of a result that have a layer, the topmost first."""
    found = [clusters_of(layer) for layer in reversed(viewer.layers)]
    return [one for one in found if one is not None and one.statmap.results is results]


def _shown_comparison(viewer: napari.viewer.Viewer) -> Comparison | None:
    """Return the comparison whose agreement is shown."""
    for layer in viewer.layers:
        if (compared := compared_in(layer)) is not None:
            return compare(compared.a, compared.b)
    return None


# --- a map as it is seen at its threshold ---------------------------------------------


def save_thresholded_map(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to save the active map at its threshold, and save it there."""
    from napari_neurosynth_results.viewer.progress_bar import show_warning

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


# --- what was done, as a script or as a workspace -------------------------------------


def copy_as_python(napari_viewer: napari.viewer.Viewer) -> None:
    """Put a script that gives the same tables on the clipboard."""
    from napari_neurosynth_results.viewer.progress_bar import show_info, show_warning

    described = describe(napari_viewer)
    if not described.sources and not described.foci:
        show_warning("No result is open: there is nothing to write a script of.")
        return
    text = write_script(described)
    copy_text(text)
    first = [line for line in text.splitlines() if line.startswith(FIRST_STEP)]
    if first:
        told = [line.removeprefix(FIRST_STEP).strip() for line in first]
        show_warning("\n".join(["Copied. Before it runs:", *dict.fromkeys(told)]))
    else:
        show_info(f"Copied {len(text.splitlines())} lines of Python")


def ask_and_save_workspace(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to, and save the workspace."""
    results = result_sets(napari_viewer.layers)
    title = results[0].title if results else "results"
    ask_and_save(
        QApplication.activeWindow(),
        "Save workspace",
        f"{file_stem(title, ' -_.')}{EXTENSION}",
        _WORKSPACES,
        partial(save_workspace, napari_viewer),
        extension=EXTENSION,
    )


def ask_and_open_workspace(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask for a workspace, and open it; say why not where that fails."""
    from napari_neurosynth_results.viewer.progress_bar import show_error

    path, _ = QFileDialog.getOpenFileName(
        QApplication.activeWindow(), "Open workspace", "", _WORKSPACES
    )
    if not path:
        return
    try:
        open_and_tell(napari_viewer, path)
    except CancelledError:
        return
    except ResultsError as error:
        show_error(str(error))
