"""A report of a result, in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from napari_neurosynth_results.api.clusters import AtlasChoice
from napari_neurosynth_results.api.studies import contributors, leave_out_each
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.report import report
from napari_neurosynth_results.job import CancelledError, Job, Progress
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.maps.studies import Studies
from napari_neurosynth_results.sources.atlases.find import find_atlas
from napari_neurosynth_results.statistics.clusters.active_parts import (
    ActiveParts,
    check_share,
    find_active_parts,
)
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.thresholds.first_look import (
    choose_first_threshold,
)

__all__ = ("build_sections", "first_clusters", "first_maps", "save_report")


def first_maps(results: ResultSet) -> list[StatMap]:
    """Choose the maps that a reader of a result wants to see first.

    Returns
    -------
    list of StatMap
        The most interesting map, and the uncorrected map that it was made from.

    Raises
    ------
    ResultsError
        When no map can be thresholded.
    """
    for statmap in results.maps.values():
        if statmap.kind.row.criteria:
            wanted = dict.fromkeys([statmap, results.uncorrected(statmap)])
            return [one for one in wanted if one is not None]
    raise ResultsError(f"{results.title} holds no map that can be thresholded.")


def first_clusters(
    results: ResultSet, *, atlas: AtlasChoice | None = "default"
) -> list[ClusterSet]:
    """Find the clusters that a reader of a result wants to see first.

    Parameters
    ----------
    atlas : Atlas, str or path, optional
        What clusters are named by, as for `find_clusters`.

    Returns
    -------
    list of ClusterSet
        Of `first_maps`, each at its first threshold.

    Raises
    ------
    ResultsError
        When no map can be thresholded.
    """
    named = find_atlas(atlas) if isinstance(atlas, str | os.PathLike) else atlas
    return [
        clusters_at(one, choose_first_threshold(one), atlas=named)
        for one in first_maps(results)
    ]


def build_sections(
    results: ResultSet,
    clusters: Sequence[ClusterSet],
    *,
    studies: bool = True,
    foci: Studies | None = None,
    leave_one_out: bool = False,
    active_parts: float | None = None,
    job: Job | None = None,
) -> list[report.Section]:
    """Gather what a report says of some clusters.

    Parameters
    ----------
    studies : bool
        Whether to say who is behind them.
    foci : Studies, optional
        Whose foci are behind the maps; by default the studies of the result.
    leave_one_out : bool
        Whether to say in how many re-estimations without one experiment they stand;
        of clusters of which that was worked out before it is said anyway.
    active_parts : float, optional
        Above 0, at most 1: whether to list the largest parts of clusters of which at
        least this share is active.
    job : Job, optional
        Hears how far it is; may stop it.

    Returns
    -------
    list of Section
        One for each.

    Raises
    ------
    CancelledError
        When the job was cancelled.
    ResultsError
        When the share means nothing.
    """
    if active_parts is not None:
        check_share(active_parts)
    return [
        _section(
            results,
            one,
            studies,
            foci,
            leave_one_out or bool(one.survival),
            _find_parts(one, active_parts, job),
            job,
        )
        for one in clusters
    ]


def _find_parts(
    clusters: ClusterSet, share: float | None, job: Job | None
) -> ActiveParts | str | None:
    """Find parts of which a share is active, or say why nobody can."""
    if share is None:
        return None
    try:
        return find_active_parts(clusters, share, job)
    except CancelledError:
        raise
    except ResultsError as error:
        return f"No active parts: {error}"


def _section(
    results: ResultSet,
    clusters: ClusterSet,
    studies: bool,
    foci: Studies | None,
    leave_one_out: bool,
    parts: ActiveParts | str | None,
    job: Job | None,
) -> report.Section:
    left_out, why = None, ""
    if leave_one_out:
        try:
            left_out = leave_out_each(results, clusters, studies=foci, job=job)
            clusters = left_out.add_to(clusters)
        except CancelledError:
            raise
        except ResultsError as error:
            why = f"No experiment was left out: {error}"
    behind = None
    if studies:
        behind = contributors(results, clusters, studies=foci, left_out=left_out)
        if why:
            behind = replace(behind, notices=(*behind.notices, why))
    return report.Section(clusters, behind, parts)


def save_report(
    results: ResultSet,
    path: str | os.PathLike[str],
    *,
    clusters: Sequence[ClusterSet] | None = None,
    comparison: Comparison | None = None,
    studies: bool = True,
    leave_one_out: bool = False,
    active_parts: float | None = None,
    progress: Progress | None = None,
    overwrite: bool = False,
) -> None:
    """Write a report of a result as one HTML file, which needs no network.

    Reports need matplotlib, jinja2, pybtex and pylatexenc, which come with the extras
    ``figures`` and ``report``.

    Parameters
    ----------
    results : ResultSet
        From `open_results`.
    path : path
        Ends in ``.html``.
    clusters : sequence of ClusterSet, optional
        What to report; `first_clusters` when not given.
    comparison : Comparison, optional
        Of two maps.
    studies : bool
        Whether to say who is behind the clusters.
    leave_one_out : bool
        Whether to estimate an ALE, MKDA or KDA anew without each experiment, and say in
        how many of these each cluster stands.
    active_parts : float, optional
        Above 0, at most 1: list the largest parts of clusters of which at least this
        share is active.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When a library is missing, no map can be thresholded, the share means nothing,
        the file exists or cannot be written.
    """
    chosen = first_clusters(results) if clusters is None else list(clusters)
    job = Job(progress)
    report.write_report(
        results,
        build_sections(
            results,
            chosen,
            studies=studies,
            leave_one_out=leave_one_out,
            active_parts=active_parts,
            job=job,
        ),
        path,
        comparison=comparison,
        job=job,
        overwrite=overwrite,
    )
