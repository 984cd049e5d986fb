"""The command that writes a report of a result, and its tables."""

from __future__ import annotations

import argparse
import os
from typing import Any

from napari_neurosynth_results.api import open_results, save_clusters, save_regions
from napari_neurosynth_results.api.map_requests import map_clusters, named_map
from napari_neurosynth_results.api.report import first_maps, save_report
from napari_neurosynth_results.cli.options import (
    add_atlas,
    add_kinds,
    add_leave_one_out,
    add_map,
    add_mask,
    add_out,
    add_regions,
    add_source,
    add_studies,
    add_threshold,
    atlas_from,
    kinds_from,
    request_from,
    terminal_progress,
)
from napari_neurosynth_results.export.atomic import write_folder
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.files.safe_names import safe_name
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet


def add_report(commands: Any) -> None:
    """Describe the command that writes a report."""
    command = commands.add_parser("report", help="write a report as one HTML file")
    add_source(command)
    add_out(command, "write into a new folder", required=True)
    add_map(
        command, "a map to report, as info lists it; repeat for several", several=True
    )
    add_kinds(command)
    add_threshold(command)
    add_mask(command)
    add_atlas(command)
    add_regions(command)
    add_studies(command, default=True)
    add_leave_one_out(command)
    command.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    # Before maps are downloaded.
    request = request_from(options)
    results = open_results(
        options.path, kinds=kinds_from(options), progress=terminal_progress()
    )
    atlas = atlas_from(options)
    names = options.map or []
    maps = [named_map(results, name) for name in names] or first_maps(results)
    clusters = [
        map_clusters(results, one, request.for_kind(one.kind), atlas=atlas)
        for one in maps
    ]
    write_folder(options.out, lambda folder: _write(results, clusters, folder, options))
    for one in clusters:
        print(f"{one.statmap.title}: {one}")
    print(f"Wrote {os.path.join(options.out, 'report.html')}")
    return 0


def _write(
    results: ResultSet,
    clusters: list[ClusterSet],
    folder: str,
    options: argparse.Namespace,
) -> None:
    save_report(
        results,
        os.path.join(folder, "report.html"),
        clusters=clusters,
        studies=options.studies,
        leave_one_out=options.leave_one_out,
        progress=terminal_progress(),
    )
    for one in clusters:
        stem = os.path.join(folder, safe_name(one.statmap.key))
        save_clusters(one, f"{stem}_clusters.tsv")
        if options.regions:
            save_regions(one, f"{stem}_regions.tsv")
