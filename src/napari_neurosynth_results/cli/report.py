"""The command that writes a report of a result, and its tables."""

from __future__ import annotations

import argparse
import os
from typing import Any

from napari_neurosynth_results.api import open_results, save_clusters
from napari_neurosynth_results.api.report import first_clusters, save_report
from napari_neurosynth_results.cli.clusters import named_map
from napari_neurosynth_results.cli.downloads import on_terminal
from napari_neurosynth_results.export.atomic import write_folder
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.atlases.find import find_atlas
from napari_neurosynth_results.sources.files.safe_names import safe_name
from napari_neurosynth_results.statistics.clusters.cluster_set import (
    ClusterSet,
    clusters_at,
)
from napari_neurosynth_results.statistics.thresholds.first_look import (
    first_threshold_of,
)


def add_report(commands: Any) -> None:
    """Describe the command that writes a report.

    Parameters
    ----------
    commands : argparse subparsers
        Gets it.
    """
    command = commands.add_parser("report", help="write a report as one HTML file")
    command.add_argument("path", nargs="+", metavar="SOURCE", help="as for open")
    command.add_argument("--out", metavar="DIR", required=True, help="a new folder")
    command.add_argument(
        "--map",
        metavar="NAME",
        action="append",
        help="a map to report, as info lists it; more than once for several",
    )
    command.add_argument(
        "--atlas",
        metavar="NAME",
        default="default",
        help="what names clusters, or none",
    )
    command.add_argument(
        "--no-studies", action="store_true", help="leave the studies out"
    )
    command.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    results = open_results(options.path, progress=on_terminal())
    atlas = None if options.atlas == "none" else options.atlas
    if options.map:
        named = find_atlas(atlas) if atlas else None
        maps = [named_map(results, name) for name in options.map]
        clusters = [clusters_at(m, first_threshold_of(m), atlas=named) for m in maps]
    else:
        clusters = first_clusters(results, atlas=atlas)
    write_folder(
        options.out,
        lambda folder: _write(results, clusters, folder, not options.no_studies),
    )
    for one in clusters:
        print(f"{one.statmap.title}: {one}")
    print(f"Wrote {os.path.join(options.out, 'report.html')}")
    return 0


def _write(
    results: ResultSet, clusters: list[ClusterSet], folder: str, studies: bool
) -> None:
    save_report(
        results,
        os.path.join(folder, "report.html"),
        clusters=clusters,
        studies=studies,
        progress=on_terminal(),
    )
    for one in clusters:
        name = f"{safe_name(one.statmap.key)}_clusters.tsv"
        save_clusters(one, os.path.join(folder, name))
