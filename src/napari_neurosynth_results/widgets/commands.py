"""What users take away, by menu and in the tab Export: tables, figures, a report.

What makes them is loaded when it is asked for: the tab opens without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from magicgui.widgets import Container, PushButton
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.tables.clusters import (
    save_clusters,
    save_peaks,
    save_regions,
    save_studies,
)
from napari_neurosynth_results.export.volumes import save_thresholded
from napari_neurosynth_results.export.workspace import EXTENSION
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet, result_of
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.compare.comparison_layers import (
    ComparedClusters,
    compared_in,
)
from napari_neurosynth_results.viewer.foci import foci_layers, studies_behind
from napari_neurosynth_results.viewer.layers import result_sets
from napari_neurosynth_results.viewer.napari_private import unproxied
from napari_neurosynth_results.viewer.plugin.messages import diagnostics
from napari_neurosynth_results.viewer.plugin.reader import use_anatomy
from napari_neurosynth_results.viewer.progress_bar import wait_for
from napari_neurosynth_results.viewer.shown_maps import current_map
from napari_neurosynth_results.widgets.common.layout import copy_text, row, wrapped_text
from napari_neurosynth_results.widgets.common.save_dialogs import (
    CLUSTER_TABLES,
    LABEL_VOLUMES,
    MAPS,
    REPORTS,
    TABLES,
    FigureButton,
    ask_and_save,
    beside_window,
    cluster_figures,
    file_stem,
    needed_for_tables,
)

if TYPE_CHECKING:
    import napari.viewer

    from napari_neurosynth_results.statistics.studies.contributors import Contributors

_WORKSPACES = f"Workspace (*{EXTENSION})"
_IMAGES = "Images (*.nii *.nii.gz *.mgz *.mgh *.hdr *.img)"
_OPEN_WORKSPACE = "Open workspace..."
#: Buttons that need clusters, and those that need a result.
_OF_CLUSTERS = frozenset(
    {"Save table...", "Save peaks...", "Save regions...", "Save studies..."}
    | {"Save labels...", "Save thresholded map..."}
)
_OF_RESULTS = frozenset({"Report...", "Copy diagnostics"})
_MORE_TABLES = ("peaks", "regions", "studies")
_NO_CLUSTERS = "Threshold a map first, and select its layer."


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
    compared, studies = _shown_comparison(viewer), studies_behind(viewer, results)

    def work(job: Job) -> None:
        # Loaded beside the window, which answers meanwhile.
        from napari_neurosynth_results.api.report import (
            build_sections,
            first_clusters,
        )
        from napari_neurosynth_results.export.report.report import write_report
        from napari_neurosynth_results.statistics.comparison.comparison import compare

        comparison = compare(compared.a, compared.b) if compared is not None else None
        chosen = shown or first_clusters(results)
        sections = build_sections(results, chosen, foci=studies, job=job)
        write_report(
            results,
            sections,
            path,
            comparison=comparison,
            job=job,
            overwrite=overwrite,
        )

    wait_for(work, "Writing the report", viewer)


def _current_result(viewer: napari.viewer.Viewer) -> ResultSet | None:
    """Return the result of the map that the user works with, else the first one."""
    if (statmap := current_map(viewer)) is not None:
        return result_of(statmap)
    opened = result_sets(viewer.layers)
    return opened[0] if opened else None


def _shown_clusters(
    viewer: napari.viewer.Viewer, results: ResultSet
) -> list[ClusterSet]:
    """List the clusters of a result that have a layer.

    Those of the map that is worked with come first, then the topmost.
    """
    found = [clusters_of(layer) for layer in reversed(viewer.layers)]
    now = current_clusters(viewer)
    found.sort(key=lambda one: one is not now)
    return [one for one in found if one is not None and one.statmap.results is results]


def _shown_comparison(viewer: napari.viewer.Viewer) -> ComparedClusters | None:
    """Return what is compared where the agreement of two maps is shown.

    Of several it is the topmost that is seen.
    """
    found = [one for one in reversed(viewer.layers) if compared_in(one) is not None]
    found.sort(key=lambda layer: not layer.visible)
    return compared_in(found[0]) if found else None


# --- the clusters of the map that is worked with --------------------------------------


def current_clusters(napari_viewer: napari.viewer.Viewer) -> ClusterSet | None:
    """Return the clusters of the map that the user works with, None without any."""
    statmap = current_map(napari_viewer)
    layer = cluster_layer(napari_viewer, statmap) if statmap is not None else None
    return clusters_of(layer) if layer is not None else None


def save_cluster_table(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to save the table of clusters, and save it there."""
    _save_clusters(
        napari_viewer,
        "Save the table of clusters",
        ".tsv",
        CLUSTER_TABLES,
        needs=needed_for_tables,
    )


def save_cluster_peaks(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to save the table of peaks and sub-peaks, and save it there."""
    _save_clusters(napari_viewer, "Save the peaks", ".tsv", TABLES, "peaks", save_peaks)


def save_cluster_regions(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to save what share of clusters lies in which region."""
    _save_clusters(
        napari_viewer, "Save the regions", ".tsv", TABLES, "regions", save_regions
    )


def save_cluster_studies(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to save who is behind the clusters, and save it there."""

    def behind(clusters: ClusterSet) -> Contributors:
        from napari_neurosynth_results.api.studies import contributors

        results = result_of(clusters.statmap)
        return contributors(results, clusters, studies=studies.get(results))

    def save(clusters: ClusterSet, path: str, *, overwrite: bool) -> None:
        save_studies(behind(clusters), path, overwrite=overwrite)

    # Which studies are shown is known to the viewer alone.
    studies = {
        results: studies_behind(napari_viewer, results)
        for results in result_sets(napari_viewer.layers)
    }
    _save_clusters(
        napari_viewer,
        "Save the studies",
        ".tsv",
        TABLES,
        "studies",
        save,
        # Shares of many experiments take seconds, and are kept.
        needs=lambda clusters: [partial(behind, clusters)],
    )


def save_cluster_labels(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to save the label volume of the clusters, and save it there."""
    _save_clusters(
        napari_viewer,
        "Save the label volume",
        ".nii.gz",
        LABEL_VOLUMES,
    )


def save_thresholded_map(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to save the map at its threshold, and save it there."""
    _save_clusters(
        napari_viewer,
        "Save the thresholded map",
        ".nii.gz",
        MAPS,
        "thresholded",
        save_thresholded,
    )


def _save_clusters(
    viewer: napari.viewer.Viewer,
    what: str,
    extension: str,
    kinds: str,
    of_them: str = "clusters",
    save: Callable[..., None] = save_clusters,
    *,
    needs: Callable[[ClusterSet], list[Callable[[], object]]] | None = None,
) -> None:
    from napari_neurosynth_results.viewer.progress_bar import show_warning

    clusters = current_clusters(viewer)
    if clusters is None:
        show_warning(_NO_CLUSTERS)
        return
    suggested = f"{clusters.statmap.key}_{of_them}{extension}"
    window = QApplication.activeWindow()
    needed = needs(clusters) if needs is not None else []
    save_so = beside_window(partial(save, clusters), *needed)
    ask_and_save(window, what, suggested, kinds, save_so)


# --- what was done, as a script or as a workspace -------------------------------------


def copy_as_python(napari_viewer: napari.viewer.Viewer) -> None:
    """Put a script that gives the same tables on the clipboard."""
    from napari_neurosynth_results.export.workspace.file import change_paths
    from napari_neurosynth_results.export.workspace.script import (
        FIRST_STEP,
        write_script,
    )
    from napari_neurosynth_results.viewer.progress_bar import show_info, show_warning
    from napari_neurosynth_results.viewer.workspace.state_reader import describe

    described = describe(napari_viewer)
    if not described.sources and not described.foci:
        show_warning("No result is open: there is nothing to write a script of.")
        return
    # Whoever runs it may stand in another folder.
    text = write_script(change_paths(described, os.path.abspath))
    copy_text(text)
    first = [line for line in text.splitlines() if line.startswith(FIRST_STEP)]
    if first:
        told = [line.removeprefix(FIRST_STEP).strip() for line in first]
        show_warning("\n".join(["Copied. Before it runs:", *dict.fromkeys(told)]))
    else:
        show_info(f"Copied {len(text.splitlines())} lines of Python")


def ask_and_save_workspace(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to, and save the workspace."""
    from napari_neurosynth_results.viewer.workspace.save_and_open import save_workspace

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


def ask_and_use_anatomy(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask for an image of a brain, and lay it below the maps."""
    from napari_neurosynth_results.viewer.progress_bar import show_error

    path, _ = QFileDialog.getOpenFileName(
        QApplication.activeWindow(), "Use my own anatomy", "", _IMAGES
    )
    if not path:
        return
    try:
        use_anatomy(unproxied(napari_viewer), path)
    except CancelledError:
        return
    except ResultsError as error:
        show_error(str(error))


def ask_and_open_workspace(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask for a workspace, and open it; say why not where that fails."""
    from napari_neurosynth_results.viewer.progress_bar import show_error
    from napari_neurosynth_results.viewer.workspace.save_and_open import open_and_tell

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


def copy_diagnostics(napari_viewer: napari.viewer.Viewer) -> None:
    """Put what somebody needs to help on the clipboard: versions, maps, problems."""
    from napari_neurosynth_results.viewer.progress_bar import show_info, show_warning

    results = _current_result(napari_viewer)
    if results is None:
        show_warning("No result is open: there is nothing to copy.")
        return
    copy_text(diagnostics(results))
    show_info("Copied. It holds no values of maps.")


class ExportPanel(Container):
    """All that can be saved or copied of what is shown, in one place.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer whose maps and clusters are saved.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self.about = wrapped_text()
        self.figure = FigureButton(
            lambda: cluster_figures(current_clusters(napari_viewer), napari_viewer)
        )
        self.buttons = {
            text: self._button(text, tooltip, act)
            for text, tooltip, act in (
                (
                    "Save table...",
                    "The clusters, for programs (TSV, CSV) or for a paper",
                    save_cluster_table,
                ),
                (
                    "Save peaks...",
                    "Peaks and sub-peaks, for programs (TSV, CSV)",
                    save_cluster_peaks,
                ),
                (
                    "Save regions...",
                    "What share of each cluster lies in which region (TSV, CSV)",
                    save_cluster_regions,
                ),
                (
                    "Save studies...",
                    "The experiments behind each cluster (TSV, CSV)",
                    save_cluster_studies,
                ),
                (
                    "Save labels...",
                    "The label volume of the clusters, NIfTI",
                    save_cluster_labels,
                ),
                (
                    "Save thresholded map...",
                    "The map where it survives, and 0 elsewhere, NIfTI",
                    save_thresholded_map,
                ),
                (
                    "Report...",
                    "One page: what was found, pictures, clusters, studies, methods",
                    ask_and_report,
                ),
                (
                    "Copy as Python",
                    "A script that makes the tables of everything that is open",
                    copy_as_python,
                ),
                (
                    "Save workspace...",
                    "All that is open and how it looks, to open it again",
                    ask_and_save_workspace,
                ),
                (
                    _OPEN_WORKSPACE,
                    "Open what was saved, on top of what is open",
                    ask_and_open_workspace,
                ),
                (
                    "Copy diagnostics",
                    "What somebody needs to help: versions, maps, problems",
                    copy_diagnostics,
                ),
            )
        }
        made = self.buttons
        self.result = wrapped_text()
        everything = wrapped_text()
        everything.value = "All that is open"
        for heading in (self.about, self.result, everything):
            font = heading.native.font()
            font.setBold(True)
            heading.native.setFont(font)
        self.extend(
            [
                self.about,
                row(made["Save table..."], self.figure),
                row(made["Save peaks..."], made["Save regions..."]),
                row(made["Save studies..."], made["Save labels..."]),
                made["Save thresholded map..."],
                self.result,
                made["Report..."],
                everything,
                made["Copy as Python"],
                row(made["Save workspace..."], made[_OPEN_WORKSPACE]),
                made["Copy diagnostics"],
            ]
        )
        self.native.layout().addStretch()
        self.follow()
        # Bound methods are held weakly by napari: closing the panel ends them.
        layers = napari_viewer.layers
        layers.events.inserted.connect(self.follow)
        layers.events.removed.connect(self.follow)
        layers.selection.events.active.connect(self.follow)

    def _button(self, text: str, tooltip: str, act: Callable[..., None]) -> PushButton:
        button = PushButton(text=text, tooltip=tooltip)
        button.changed.connect(partial(self._run, act))
        return button

    def _run(self, act: Callable[..., None], *pressed: object) -> None:
        act(self._viewer)

    def follow(self, event: object = None) -> None:
        """Say what it is that is saved."""
        viewer = self._viewer
        clusters = current_clusters(viewer)
        has_results = bool(result_sets(viewer.layers))
        has_any = has_results or bool(foci_layers(viewer))
        self.figure.enabled = clusters is not None
        for text, button in self.buttons.items():
            needs_clusters = text in _OF_CLUSTERS
            needs_results = text in _OF_RESULTS
            button.enabled = (
                clusters is not None
                if needs_clusters
                else has_results
                if needs_results
                else has_any or text == _OPEN_WORKSPACE
            )
        self.about.value = (
            f"Clusters of {clusters.statmap.short_title}"
            if clusters is not None
            else _NO_CLUSTERS
        )
        results = _current_result(viewer)
        self.result.value = (
            f"The result {results.title}" if results is not None else "No result"
        )
