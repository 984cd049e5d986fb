"""The command that lists the clusters of a map, where they lie and who found them."""

from __future__ import annotations

import argparse
import os
from typing import Any

from napari_neurosynth_results.api import (
    brain_mask,
    contributors,
    find_clusters,
    mask_from_file,
    mask_from_map,
    open_results,
    save_clusters,
    save_figure,
    save_regions,
)
from napari_neurosynth_results.cli.downloads import on_terminal
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.tables.clusters import save_studies
from napari_neurosynth_results.export.tables.write import SEPARATORS
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.studies.contributors import Contributors
from napari_neurosynth_results.statistics.thresholds.masks import Masking

#: Columns that fit on a screen, unless they are empty; the files hold all.
_SHOWN = [
    *("label", "name", "n_voxels", "volume_mm3", "peak_x", "peak_y", "peak_z"),
    *("peak_value", "peak_logp", "significant", "borderline", "cluster_p"),
]


def add_clusters(commands: Any) -> None:
    """Describe the command that lists clusters.

    Parameters
    ----------
    commands : argparse subparsers
        Gets it.
    """
    clusters = commands.add_parser("clusters", help="list the clusters of a map")
    clusters.add_argument("path", nargs="+", metavar="SOURCE", help="as for open")
    clusters.add_argument("--map", metavar="NAME", help="as info lists it")
    height = clusters.add_mutually_exclusive_group()
    for name, what in (
        ("value", "height in the map's unit"),
        ("p", "p of the map's own test"),
        ("q", "FDR q"),
        ("bonferroni", "Bonferroni-corrected p"),
    ):
        height.add_argument(f"--{name}", type=float, help=what)
    clusters.add_argument(
        "--fdr",
        type=str.upper,
        choices=("BH", "BY"),
        default="BH",
        help="how q is counted: Benjamini-Hochberg or Benjamini-Yekutieli",
    )
    clusters.add_argument(
        "--dof",
        type=_dof,
        metavar="N[,N]",
        help="degrees of freedom of t and chi2, both of F",
    )
    clusters.add_argument(
        "--tail", choices=("positive", "negative", "both", "auto"), default="auto"
    )
    clusters.add_argument(
        "--connectivity",
        type=int,
        choices=(6, 18, 26),
        default=6,
        help="6 faces (nilearn, NiMARE), 18 edges (SPM), 26 corners (FSL)",
    )
    clusters.add_argument("--min-voxels", type=int, default=1, metavar="N")
    clusters.add_argument("--min-mm3", type=float, metavar="MM3")
    _add_masks(clusters)
    clusters.add_argument(
        "--atlas", metavar="NAME", default="default", help="what names them, or none"
    )
    clusters.add_argument(
        "--regions", action="store_true", help="say what share lies in which region"
    )
    clusters.add_argument(
        "--studies", action="store_true", help="say who is behind each cluster"
    )
    clusters.add_argument(
        "--out",
        metavar="FILE",
        help="write the table (.csv, .tsv; for a paper .md, .tex, .html); regions and "
        "studies beside it",
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
        help="slices, three planes at the strongest peak, or projections",
    )
    clusters.set_defaults(run=_clusters)


def _add_masks(clusters: Any) -> None:
    """Describe where to look."""
    where = clusters.add_mutually_exclusive_group()
    where.add_argument("--mask", metavar="FILE", help="look in a mask or region image")
    where.add_argument(
        "--mask-map", metavar="NAME", help="look where this map is above --mask-p"
    )
    where.add_argument(
        "--brain-mask", action="store_true", help="look in the brain of the template"
    )
    clusters.add_argument("--mask-p", type=float, metavar="P")
    clusters.add_argument(
        "--outside", action="store_true", help="look outside the mask instead"
    )


def _dof(text: str) -> float | tuple[float, float]:
    """Read one number, or two with a comma between them."""
    numbers = [float(number) for number in text.split(",")]
    if len(numbers) > 2:
        raise ValueError
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _clusters(options: argparse.Namespace) -> int:
    results = open_results(options.path, progress=on_terminal())
    statmap = named_map(results, options.map or next(iter(results.maps)))
    clusters = find_clusters(
        statmap,
        value=options.value,
        p=options.p,
        q=options.q,
        bonferroni=options.bonferroni,
        tail=options.tail,
        connectivity=options.connectivity,
        min_voxels=options.min_voxels,
        min_mm3=options.min_mm3,
        fdr=options.fdr,
        dof=options.dof,
        mask=_mask(options, results, statmap),
        atlas=None if options.atlas == "none" else options.atlas,
    )
    behind = contributors(results, clusters) if options.studies else None
    # First: whoever reads the table may stop after its first lines.
    written = _written(options, clusters, behind)
    print(f"{statmap.title}: {clusters}")
    if len(clusters):
        table = clusters.table[_SHOWN].join(clusters.corrected.drop(columns="label"))
        print(table.dropna(axis="columns", how="all").to_string(index=False))
    if options.regions:
        _print_regions(clusters)
    if behind is not None:
        _print_studies(behind)
    for path in written:
        print(f"Wrote {path}")
    return 0


def _written(
    options: argparse.Namespace, clusters: ClusterSet, behind: Contributors | None
) -> list[str]:
    """Write the files that were asked for; return their names."""
    written = [path for path in (options.out, options.labels) if path]
    for path in written:
        save_clusters(clusters, path)
    if options.figure:
        save_figure(clusters, options.figure, kind=options.figure_kind)
        written.append(options.figure)
    if not options.out:
        return written
    stem, extension = os.path.splitext(options.out)
    if extension.lower() not in SEPARATORS:
        # A paper prints clusters; the other tables are for programs.
        extension = ".tsv"
    if options.regions:
        written.append(path := f"{stem}_regions{extension}")
        save_regions(clusters, path)
    if behind:
        written.append(path := f"{stem}_studies{extension}")
        save_studies(behind, path)
    return written


def _print_regions(clusters: ClusterSet) -> None:
    """Say of each cluster what share lies in which region."""
    atlas = clusters.atlas
    print(f"\nRegions ({atlas.name if atlas else 'no atlas'}):")
    table = clusters.regions
    for label, name in enumerate(clusters.names, start=1):
        rows = table[table["label"] == label]
        parts = zip(rows["region"], rows["percent"], strict=True)
        told = ", ".join(f"{region} {percent:.0f} %" for region, percent in parts)
        print(f"{label:>3} {name}: {told}")


def _print_studies(behind: Contributors) -> None:
    """Say who is behind each cluster, and what has to be said about that."""
    print("\nStudies:")
    if not behind:
        print("\n".join(behind.notices))
        return
    cautions = behind.robustness["cautions"].tolist()
    for label, caution in enumerate(cautions, start=1):
        print(f"{label:>3} {behind.sentence(label)}")
        if caution:
            print(f"    Caution: {caution}.")
    for notice in behind.notices:
        print(f"- {notice}")


def named_map(results: ResultSet, key: str) -> StatMap:
    """Return a map by its key.

    Raises
    ------
    ResultsError
        When there is no such map; the text says which there are.
    """
    if key not in results.maps:
        raise ResultsError(
            f"{results.title} holds no map named {key}. "
            f"It holds: {', '.join(results.maps)}."
        )
    return results[key]


def _mask(
    options: argparse.Namespace, results: ResultSet, statmap: StatMap
) -> Masking | None:
    """Make the mask that was asked for, if one was."""
    outside = options.outside
    if (options.mask_p is None) != (options.mask_map is None):
        raise ResultsError("--mask-map and --mask-p go together: which map, and its p.")
    if outside and not (options.mask or options.mask_map):
        raise ResultsError("--outside needs --mask or --mask-map: outside of what?")
    if options.mask_map:
        other = named_map(results, options.mask_map)
        return mask_from_map(statmap, other, exclusive=outside, p=options.mask_p)
    if options.mask:
        return mask_from_file(statmap, options.mask, exclusive=outside)
    return brain_mask(statmap) if options.brain_mask else None
