"""The command that compares maps: in words, in a table, and in a folder of files."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from typing import Any

from napari_neurosynth_results.api import (
    compare_many,
    compare_maps,
    open_results,
    save_figure,
)
from napari_neurosynth_results.api.map_requests import (
    MapRequest,
    named_map,
    requested_clusters,
)
from napari_neurosynth_results.cli.options import (
    SOURCE_FORMS,
    add_atlas,
    add_kinds,
    add_map,
    add_mask,
    add_out,
    add_source,
    add_threshold,
    atlas_from,
    kinds_from,
    request_from,
    terminal_progress,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import refuse_existing, write_folder
from napari_neurosynth_results.export.figures.page import NO_MATPLOTLIB
from napari_neurosynth_results.export.tables.comparison import fill_with_comparison
from napari_neurosynth_results.maps.entry import EVERY_MAP
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.comparison.matrix import Matrix
from napari_neurosynth_results.statistics.thresholds.request import FirstLookThreshold

_FIGURE = "comparison.png"


def add_compare(commands: Any) -> None:
    """Describe the command that compares maps."""
    command = commands.add_parser(
        "compare", help="compare two maps, or every two of several"
    )
    add_source(
        command,
        metavar="SOURCE[::MAP]",
        what=f"{SOURCE_FORMS}; after :: the name of a map, as info lists it",
    )
    add_map(command, "the map of each SOURCE without ::MAP")
    add_kinds(command)
    add_threshold(command)
    add_mask(command)
    add_atlas(command)
    add_out(command, "write files into a new folder")
    command.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    if options.out:
        # Before maps are downloaded.
        refuse_existing(options.out)
    request = _request(options)
    maps, first = _maps(options)
    compared = _compare_maps(maps, first, request, options)
    # First: whoever reads the table may stop after its first lines.
    written, missing = _write_files(compared, options.out)
    print(compared)
    if isinstance(compared, Comparison):
        _print_two(compared)
    else:
        _print_many(compared)
    for notice in compared.notices:
        print(f"- {notice}")
    for path in written:
        print(f"Wrote {path}")
    if missing:
        print(missing)
    return 0


def _write_files(
    compared: Comparison | Matrix, folder: str | None
) -> tuple[list[str], str]:
    """Write the files that were asked for; return their names, and what is missing."""
    if not folder:
        return [], ""
    drawn = find_spec("matplotlib") is not None
    names: list[str] = []

    def fill(partial: str) -> None:
        names.extend(fill_with_comparison(partial, compared))
        if drawn:
            save_figure(compared, os.path.join(partial, _FIGURE))
            names.append(_FIGURE)

    # The figure comes with the tables, or neither does.
    write_folder(folder, fill)
    missing = "" if drawn else f"No {_FIGURE}. {NO_MATPLOTLIB}"
    return [os.path.join(folder, name) for name in names], missing


def _request(options: argparse.Namespace) -> MapRequest:
    """Gather what is asked of every map."""
    request = request_from(options)
    if isinstance(request.threshold, FirstLookThreshold) and options.tail != "auto":
        raise ResultsError(
            "A tail needs a height: give --p, --value, --q or --bonferroni with it."
        )
    return request


def _compare_maps(
    maps: list[StatMap],
    first: ResultSet,
    request: MapRequest,
    options: argparse.Namespace,
) -> Comparison | Matrix:
    """Threshold each map, and compare; one mask holds for clusters and correlations."""
    two = len(maps) == 2
    # Many maps are compared without the names of their clusters.
    atlas = atlas_from(options) if two else None
    place = request.place
    masks = [place.masking(one, first) if place is not None else None for one in maps]
    found = [
        # Sub-peaks are not compared.
        requested_clusters(
            one, request.for_kind(one.kind), mask, sub_peaks=0, atlas=atlas
        )
        for one, mask in zip(maps, masks, strict=True)
    ]
    if not two:
        return compare_many(maps, thresholds=found, mask=masks[0])
    return compare_maps(
        *maps, threshold_a=found[0], threshold_b=found[1], mask=masks[0]
    )


def _maps(options: argparse.Namespace) -> tuple[list[StatMap], ResultSet]:
    """Open each source once; return the maps, and the result of the first."""
    opened: dict[str, ResultSet] = {}
    found: list[StatMap] = []
    kinds = kinds_from(options)
    nowhere = set(kinds)
    for text in options.path:
        source, _, key = text.partition("::")
        if source not in opened:
            opened[source] = open_results(source, progress=terminal_progress())
            # A name may belong to one of the sources only.
            known = {*opened[source].maps, EVERY_MAP}
            here = {key: kinds[key] for key in kinds if key in known}
            opened[source].take_as(here)
            nowhere -= set(here)
        results = opened[source]
        found.append(
            named_map(results, key or options.map or next(iter(results.maps), ""))
        )
    if nowhere:
        raise ResultsError(f"No source has a map {', '.join(sorted(nowhere))}.")
    return found, next(iter(opened.values()))


def _print_two(compared: Comparison) -> None:
    print(f"a: {compared.name_a}: {compared.threshold_a}")
    print(f"b: {compared.name_b}: {compared.threshold_b}")
    if compared.resampled:
        print(compared.resampled)
    print()
    counted = compared.by_sign
    # A sign that neither map has is no row worth reading.
    shown = counted[(counted["a"] > 0) | (counted["b"] > 0) | (counted.index == "all")]
    columns = ["a", "b", "both", "only_a", "only_b", "opposite", "both_mm3"]
    print(shown[[*columns, "dice", "jaccard"]].to_string(float_format="{:.4g}".format))
    if len(compared.clusters):
        table = compared.clusters.drop(columns="volume_mm3")
        print(f"\n{table.to_string(index=False, float_format='{:.1f}'.format)}")
    print()
    for title, found in (
        ("common mask", compared.over_mask),
        ("neither is 0", compared.over_non_zero),
    ):
        if found.n_voxels:
            print(
                f"{title}: r {found.r:.3f}, rho {found.rho:.3f} over "
                f"{found.n_voxels:,} voxels"
            )
    if compared.no_conjunction:
        print(f"No conjunction: {compared.no_conjunction}.")
    if compared.no_difference:
        print(f"No difference map: {compared.no_difference}.")


def _print_many(compared: Matrix) -> None:
    if compared.resampled:
        print(compared.resampled)
    print()
    for name, clusters in zip(compared.names, compared.clusters, strict=True):
        print(f"{name}: {clusters}")
    for measure in ("dice", "jaccard", "r", "rho"):
        table = getattr(compared, measure)
        if table.notna().any(axis=None):
            print(f"\n{measure}\n{table.to_string(float_format='{:.3f}'.format)}")
    print()
