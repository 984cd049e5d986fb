"""The commands that say what a result holds: in the terminal, and as a report."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from typing import Any

import numpy as np

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.api import (
    active_parts,
    open_results,
    save_active_parts,
    save_clusters,
    save_regions,
)
from napari_neurosynth_results.api.map_requests import map_clusters, named_map
from napari_neurosynth_results.api.report import first_maps, save_report
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
from napari_neurosynth_results.export.atomic import refuse_existing, write_folder
from napari_neurosynth_results.export.escaping import one_line
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.files.safe_names import safe_name
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.p_values.conversion import height_at
from napari_neurosynth_results.statistics.p_values.monte_carlo import (
    find_null_distribution,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.thresholds.apply import (
    dof_in_words,
    p_in_words,
    threshold_sentence,
)

_ALPHA = 0.05


def list_maps(options: argparse.Namespace) -> int:
    """Print the maps of a result, for people or for machines."""
    results = open_results(
        options.path, kinds=kinds_from(options), progress=terminal_progress()
    )
    # A list is no reason to download maps: what is not here says so.
    results.on_demand = False
    rows = [_row(statmap) for statmap in results.maps.values()]
    if options.json:
        print(json.dumps(_document(results, rows), indent=2))
        return 0
    title = one_line(results.title)
    print(
        f"{title}: {counted(len(rows), 'map')}, {counted(len(results.tables), 'table')}"
    )
    print()
    _print_table(rows)
    for problem in results.problems:
        print(f"! {one_line(problem)}", file=sys.stderr)
    return 0


def _document(results: ResultSet, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "title": results.title,
        "source": results.source,
        "maps": rows,
        "tables": list(results.tables),
        "problems": list(results.problems),
    }


def _row(statmap: StatMap) -> dict[str, Any]:
    """Gather what is worth knowing of one map; a broken one says so instead."""
    here = statmap.at_hand
    row: dict[str, Any] = {
        "name": statmap.key,
        "title": statmap.title,
        "kind": str(statmap.kind),
        "told_by": statmap.file.reading.word or None,
        "program": statmap.file.reading.program or None,
        "note": statmap.file.reading.note or None,
        "dof": None,
        "tail": None,
        "tail_is_guess": None,
        "tail_is_conversions": statmap.tail_is_conversions,
        "level": statmap.level,
        "correction": statmap.correction,
        "thresholded_by": None,
        "shape": list(statmap.grid.shape) if here else None,
        "voxel_size_mm": list(statmap.grid.voxel_size) if here else None,
        "size_bytes": statmap.file.nbytes,
        "on_disk": here,
        "range": None,
        "n_mask_voxels": None,
        "iterations": None,
        "at_p_05": None,
        "error": None,
    }
    if not here:
        return row
    try:
        data = statmap.data
        finite = data[np.isfinite(data)]
        row["tail"] = str(statmap.tail)
        row["dof"] = statmap.dof
        row["thresholded_by"] = statmap.cut or None
        row["tail_is_guess"] = statmap.tail_is_guess
        if finite.size:
            row["range"] = [float(finite.min()), float(finite.max())]
        row["n_mask_voxels"] = None if statmap.mask is None else int(statmap.mask.sum())
        null = find_null_distribution(statmap)
        row["iterations"] = null.iterations if null is not None else None
        row["at_p_05"] = _at_p_05(statmap)
    except ResultsError as error:
        row["error"] = str(error)
    return row


def _at_p_05(statmap: StatMap) -> str | None:
    """Say which threshold means p <= .05 on a map."""
    kind, source = statmap.kind, PSource(statmap)
    if kind.row.has_p and statmap.doubt:
        # No p is read off values that contradict it; a line below says why.
        return None
    dof = statmap.dof
    by_height = kind.row.says_p_alone or (kind.row.p.n_dof and dof is not None)
    if by_height and source.follows_height:
        height = height_at(_ALPHA, kind, statmap.tail, dof)
        stated = kind.row.small_is_strong
        means = [] if stated else [p_in_words(statmap, math.log(_ALPHA))]
        if told := dof_in_words(source):
            means.append(told)
        sides = True, statmap.signed
        return threshold_sentence(statmap, height, means, sides=sides, digits=4)
    if source.is_sibling and "p" in kind.row.criteria:
        return f"use {source.map.key}"
    return None


def _print_table(rows: list[dict[str, Any]]) -> None:
    titles = (
        "NAME",
        "TITLE",
        "KIND",
        "TAIL",
        "CORRECTION",
        "GRID",
        "RANGE",
        "P .05 IS",
        "TOLD BY",
    )
    table = [titles, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(titles))]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    correction = " ".join(filter(None, (row["level"], row["correction"]))) or "-"
    if row["thresholded_by"]:
        correction = f"thresholded by {row['thresholded_by']}"
    if row["on_disk"]:
        size = " x ".join(f"{mm:.3g}" for mm in dict.fromkeys(row["voxel_size_mm"]))
        grid = f"{'x'.join(map(str, row['shape']))}, {size} mm"
        at_p = "cannot be read, see below" if row["error"] else row["at_p_05"] or "-"
    else:
        grid = f"{(row['size_bytes'] or 0) / 1e6:.2f} MB"
        at_p = "on the server"
    values = row["range"]
    return (
        one_line(row["name"]),
        one_line(row["title"]),
        row["kind"],
        f"{'converted ' if row['tail'] and row['tail_is_conversions'] else ''}"
        f"{row['tail'] or '-'}{', a guess' if row['tail_is_guess'] else ''}",
        correction,
        grid,
        f"{values[0]:.3g} to {values[1]:.3g}" if values else "-",
        at_p,
        _told_by(row),
    )


def _told_by(row: dict[str, Any]) -> str:
    """Say on whose word a map is taken for what it is."""
    if row["told_by"] == "name":
        return f"name ({row['program']})"
    return "you" if row["told_by"] == "user" else row["told_by"] or "nobody"


# --- a report -------------------------------------------------------------------------


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
    add_tdp(command)
    add_active_parts(command)
    add_mask(command)
    add_atlas(command)
    add_regions(command)
    add_studies(command, default=True)
    add_leave_one_out(command)
    command.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    # Before maps are downloaded.
    refuse_existing(options.out)
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
        active_parts=options.active_parts,
        progress=terminal_progress(),
    )
    for one in clusters:
        stem = os.path.join(folder, safe_name(one.statmap.key))
        save_clusters(one, f"{stem}_clusters.tsv")
        if options.regions:
            save_regions(one, f"{stem}_regions.tsv")
        # Where nobody knows any, the report says why.
        if options.active_parts is not None and one.proven.testing is not None:
            parts = active_parts(one, options.active_parts)
            save_active_parts(parts, f"{stem}_parts.tsv")
