"""The command that reports what the viewer shows of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication

from napari_neurosynth_results.api.report import first_clusters, sections_of
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.report.report import save_report
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import (
    Comparison,
    compare,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import clusters_of
from napari_neurosynth_results.viewer.compare.results import compared_in
from napari_neurosynth_results.viewer.layers import map_of, result_sets
from napari_neurosynth_results.viewer.waiting import wait_for
from napari_neurosynth_results.widgets.saving import ask_where

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
