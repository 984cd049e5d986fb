"""The command that lists the clusters of a map, where they lie and who found them."""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from napari_neurosynth_results.anatomy.numerals import short_percent
from napari_neurosynth_results.api import (
    active_parts,
    contributors,
    open_results,
    save_active_parts,
    save_clusters,
    save_figure,
    save_regions,
)
from napari_neurosynth_results.api.map_requests import map_clusters, named_map
from napari_neurosynth_results.api.studies import leave_out_each
from napari_neurosynth_results.cli.options import (
    add_active_parts,
    add_atlas,
    add_kinds,
    add_leave_one_out,
    add_map,
    add_mask,
    add_out,
    add_regions,
    add_source,
    add_studies,
    add_tdp,
    add_threshold,
    atlas_from,
    kinds_from,
    request_from,
    terminal_progress,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import (
    check_path,
    refuse_existing,
    save_together,
)
from napari_neurosynth_results.export.figures.page import check_target, need_matplotlib
from napari_neurosynth_results.export.tables.clusters import (
    check_clusters_path,
    save_studies,
)
from napari_neurosynth_results.export.tables.write import SEPARATORS
from napari_neurosynth_results.export.volumes import VOLUMES
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.statistics.clusters.active_parts import ActiveParts
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.corrected import COUNTED
from napari_neurosynth_results.statistics.clusters.true_discoveries import write_percent
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.p_values.monte_carlo import write_counted_p
from napari_neurosynth_results.statistics.studies.contributors import Contributors
from napari_neurosynth_results.statistics.studies.leave_one_out import LeaveOneOut

#: Columns that fit on a screen, unless they are empty; the files hold all.
_SHOWN = [
    *("label", "name", "n_voxels", "volume_mm3", "peak_x", "peak_y", "peak_z"),
    *("peak_value", "peak_logp", "significant", "borderline", "cluster_p"),
]
#: The same of image-based maps.
_EFFECTS = ["est", "est_low", "est_high", "pi_low", "pi_high"]
#: And what leaving one experiment out adds.
_SURVIVAL = ("stands", "stands_of")


def add_clusters(commands: Any) -> None:
    """Describe the command that lists clusters."""
    clusters = commands.add_parser("clusters", help="list the clusters of a map")
    add_source(clusters)
    add_map(clusters, "the map, as info lists it (default: the first one)")
    add_kinds(clusters)
    add_threshold(clusters)
    clusters.add_argument(
        "--tdp",
        action="store_true",
        help="say how much of each cluster is active, at least",
    )
    add_tdp(clusters)
    add_active_parts(clusters)
    add_mask(clusters)
    add_atlas(clusters)
    add_regions(clusters)
    add_studies(clusters, default=False)
    add_leave_one_out(clusters)
    add_out(
        clusters,
        "write the table (.csv, .tsv; for a paper .md, .tex, .html); parts, regions "
        "and studies beside it",
        metavar="FILE",
    )
    clusters.add_argument(
        "--labels", metavar="FILE", help="write the label volume (.nii, .nii.gz)"
    )
    clusters.add_argument(
        "--figure", metavar="FILE", help="draw the clusters (.png, .pdf, .svg)"
    )
    clusters.add_argument(
        "--figure-kind",
        choices=("lightbox", "ortho", "glass"),
        default="lightbox",
        help="lightbox: slices; ortho: three planes at the strongest peak; glass: "
        "projections",
    )
    clusters.set_defaults(run=_clusters)


def _clusters(options: argparse.Namespace) -> int:
    files = _files(options)
    request = request_from(options)
    results = open_results(
        options.path, kinds=kinds_from(options), progress=terminal_progress()
    )
    statmap = named_map(results, options.map or next(iter(results.maps)))
    clusters = map_clusters(results, statmap, request, atlas=atlas_from(options))
    left_out = None
    if options.leave_one_out:
        job = Job(terminal_progress(counted=True))
        left_out = leave_out_each(results, clusters, job=job)
        clusters = left_out.add_to(clusters)
    behind = None
    if options.studies:
        behind = contributors(results, clusters, left_out=left_out)
    parts = None
    if options.active_parts is not None:
        parts = active_parts(clusters, options.active_parts)
    # First: whoever reads the table may stop after its first lines.
    written = _write_files(files, options.figure_kind, clusters, behind, parts)
    file = f"{statmap.file.filename}: "
    about = [problem for problem in results.problems if problem.startswith(file)]
    for notice in dict.fromkeys((*clusters.notices, *about)):
        print(f"! {notice}", file=sys.stderr)
    print(f"{statmap.title}: {clusters}")
    if len(clusters):
        shown = [*_SHOWN, *["tdp_percent"] * options.tdp]
        shown += [name for name in _SURVIVAL if name in clusters.table]
        table = clusters.table[shown].join(clusters.effects[_EFFECTS])
        table = table.join(clusters.corrected.drop(columns="label"))
        table = table.dropna(axis="columns", how="all")
        if "cluster_p" not in table:
            # No cluster was tested, so none is borderline.
            table = table.drop(columns="borderline")
        for column in table.columns.intersection(["cluster_p", *COUNTED]):
            table[column] = [write_counted_p(p, clusters.null) for p in table[column]]
        if "tdp_percent" in table:
            # Not rounded up.
            table["tdp_percent"] = table["tdp_percent"].map(write_percent)
        print(table.to_string(index=False))
        for notice in clusters.whose_p:
            print(notice)
        for notice in clusters.effects.attrs["notices"]:
            print(f"{notice}.")
        if options.tdp:
            print(f"{clusters.proven}.")
    if parts is not None:
        _print_parts(parts)
    if options.regions:
        _print_regions(clusters)
    if behind is not None:
        _print_studies(behind)
    elif left_out is not None:
        _print_survival(left_out)
    for path in written:
        print(f"Wrote {path}")
    return 0


def _files(options: argparse.Namespace) -> dict[str, str]:
    """Name the files that are asked for, by what is in them.

    Raises
    ------
    ResultsError
        When one of them cannot be written: before maps are downloaded.
    """
    files = {}
    if options.out:
        files["clusters"] = check_clusters_path(options.out)
    if options.labels:
        told = f"a label volume is saved as {', '.join(VOLUMES)}"
        files["labels"] = check_path(options.labels, VOLUMES, told)
        if options.active_parts is not None:
            stem, extension = split_extension(options.labels)
            files["labels of parts"] = f"{stem}_parts{extension}"
    if options.figure:
        need_matplotlib()
        files["figure"] = check_target(options.figure, 300)
    if options.out:
        stem, extension = os.path.splitext(options.out)
        if extension.lower() not in SEPARATORS:
            # A paper prints clusters; the other tables are for programs.
            extension = ".tsv"
        for what, wanted in (
            ("parts", options.active_parts is not None),
            ("regions", options.regions),
            ("studies", options.studies),
        ):
            if wanted:
                files[what] = f"{stem}_{what}{extension}"
    _check_places(list(files.values()))
    return files


def _check_places(files: list[str]) -> None:
    """Refuse names that are taken, meant twice, or in no folder."""
    tables = [path for path in files if path.lower().endswith(tuple(SEPARATORS))]
    described = [f"{os.path.splitext(path)[0]}.json" for path in tables]
    for path in (*files, *described):
        refuse_existing(path)
        if (*files, *described).count(path) > 1:
            raise ResultsError(f"{path} is asked for twice. Choose another name.")
        folder = os.path.dirname(path) or os.curdir
        if not os.path.isdir(folder):
            raise ResultsError(f"{path} cannot be written: there is no {folder}.")


def _write_files(
    files: dict[str, str],
    figure_kind: Any,
    clusters: ClusterSet,
    behind: Contributors | None,
    parts: ActiveParts | None,
) -> list[str]:
    """Write the files that were asked for, all or none; return their names."""
    savers: dict[str, Callable[[str], object]] = {
        "clusters": partial(save_clusters, clusters),
        "labels": partial(save_clusters, clusters),
        "figure": partial(save_figure, clusters, kind=figure_kind),
        "regions": partial(save_regions, clusters),
    }
    if parts is not None:
        savers["parts"] = savers["labels of parts"] = partial(save_active_parts, parts)
    if behind:
        savers["studies"] = partial(save_studies, behind)
    # Of studies nothing may be known.
    wanted = {path: savers[what] for what, path in files.items() if what in savers}
    save_together(wanted)
    return list(wanted)


def _print_parts(parts: ActiveParts) -> None:
    """List the largest parts of clusters of which a share is active."""
    print(f"\n{parts}.")
    if len(parts):
        table = parts.table
        table["tdp_percent"] = table["tdp_percent"].map(write_percent)
        table["p"] = table["p"].map(short_p)
        print(table.to_string(index=False))


def _print_regions(clusters: ClusterSet) -> None:
    """Say of each cluster what share lies in which region."""
    atlas = clusters.atlas
    print(f"\nRegions ({atlas.name if atlas else 'no atlas'}):")
    table, parts = clusters.regions, defaultdict[int, list[str]](list)
    columns = (table["label"], table["region"], table["percent"])
    for label, region, percent in zip(*columns, strict=True):
        parts[label].append(f"{region} {short_percent(percent)}")
    for label, name in enumerate(clusters.names, start=1):
        print(f"{label:>3} {name}: {', '.join(parts[label])}")


def _print_studies(behind: Contributors) -> None:
    """Say who is behind each cluster, and what has to be said about that."""
    print("\nStudies:")
    if not behind:
        print("\n".join(behind.notices))
        return
    for label in range(1, len(behind.clusters) + 1):
        print(f"{label:>3} {' '.join(behind.told_of(label))}")
        if caution := behind.caution(label):
            print(f"    Caution: {caution}.")
    for notice in behind.notes if behind.left_out else behind.notices:
        print(f"- {notice}")


def _print_survival(left_out: LeaveOneOut) -> None:
    """Say of each cluster in how many re-estimations it stands."""
    print(f"\nLeave one experiment out ({left_out.height}):")
    for label, name in enumerate(left_out.clusters.names, start=1):
        print(f"{label:>3} {name}: {left_out.sentence(label)}")
    for notice in left_out.notices:
        print(f"- {notice}")
