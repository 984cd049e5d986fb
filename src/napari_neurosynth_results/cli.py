"""The command line: open a result in napari, or say what is in it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib.util import find_spec
from typing import Any

import numpy as np

from napari_neurosynth_results import __version__
from napari_neurosynth_results.api import (
    brain_mask,
    find_clusters,
    mask_from_file,
    mask_from_map,
    open_results,
    save_clusters,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.fetched import save_fetched
from napari_neurosynth_results.job import Job, Meter, Progress
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.cache import Cache
from napari_neurosynth_results.sources.online import Online
from napari_neurosynth_results.statistics.conversion import height_at
from napari_neurosynth_results.statistics.masking import Masking
from napari_neurosynth_results.statistics.significance import p_map_of

_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
#: Columns that fit on a screen, unless they are empty; the files hold all.
_SHOWN = [
    *("label", "sign", "n_voxels", "volume_mm3", "peak_x", "peak_y", "peak_z"),
    *("peak_value", "peak_logp", "significant", "borderline", "cluster_p"),
]
_NO_QT = (
    "napari needs a Qt binding to open a window, and none is installed. Run:\n"
    '    pip install "napari-neurosynth-results[all]"'
)
_NO_DISPLAY = (
    "There is no display to open a window on. Draw to a file on a virtual one:\n"
    "   xvfb-run -a napari-neurosynth-results open PATH --screenshot FILE.png"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Defaults to those of the process.

    Returns
    -------
    int
        0, or 1 when something could not be done; the reason is on standard error.
    """
    options = _parser().parse_args(arguments)
    try:
        exit_code: int = options.run(options)
        sys.stdout.flush()
    except ResultsError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read has read enough, as head does. What is left goes nowhere, or
        # Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-neurosynth-results",
        description="Open the results of a brain meta-analysis.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    window = commands.add_parser("open", help="open a result in napari")
    window.add_argument(
        "path",
        nargs="*",
        metavar="SOURCE",
        help="a NiMARE folder, image files, a zip, or a NeuroVault or Compose link or id",
    )
    window.add_argument(
        "--sample", action="store_true", help="open the packaged sample"
    )
    window.add_argument(
        "--view",
        choices=("axial", "coronal", "sagittal", "3D"),
        default="axial",
        help="what to show first (default: %(default)s)",
    )
    window.add_argument(
        "--screenshot", metavar="FILE", help="write the window to a PNG file and leave"
    )
    window.set_defaults(run=_open)
    info = commands.add_parser("info", help="list the maps of a result")
    info.add_argument("path", nargs="+", metavar="SOURCE", help="as for open")
    info.add_argument("--json", action="store_true", help="for machines")
    info.set_defaults(run=_info)
    _add_clusters(commands)
    fetch = commands.add_parser("fetch", help="download a result for offline use")
    fetch.add_argument("path", metavar="SOURCE", help="a link or an id")
    fetch.add_argument("--to", metavar="DIR", required=True, help="a new folder")
    fetch.set_defaults(run=_fetch)
    cache = commands.add_parser("cache", help="what was downloaded and is kept")
    what = cache.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="list it")
    what.add_argument("--clear", action="store_true", help="delete it")
    cache.set_defaults(run=_cache)
    return parser


def _add_clusters(commands: Any) -> None:
    """Describe the command that lists clusters."""
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
    clusters.add_argument("--out", metavar="FILE", help="write the table (.csv, .tsv)")
    clusters.add_argument(
        "--labels", metavar="FILE", help="write the label volume (.nii, .nii.gz)"
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


def _open(options: argparse.Namespace) -> int:
    from napari_neurosynth_results.viewer.sample_data import sample_folder

    paths = [*options.path, *([sample_folder()] if options.sample else [])]
    if not paths:
        raise ResultsError("Say what to open: a path, or --sample.")
    # Before a window opens: a wrong path is told at once, and in the terminal.
    open_results(paths, progress=_progress())
    if not any(map(find_spec, _QT_BINDINGS)):
        raise ResultsError(_NO_QT)
    linux = sys.platform.startswith("linux")
    if linux and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ResultsError(_NO_DISPLAY)
    if options.screenshot and os.path.exists(options.screenshot):
        raise ResultsError(f"{options.screenshot} exists already. Choose another name.")
    from napari_neurosynth_results.viewer.window import open_window

    open_window(paths, view=options.view, screenshot=options.screenshot)
    if options.screenshot:
        print(f"Wrote {os.path.abspath(options.screenshot)}")
    return 0


def _info(options: argparse.Namespace) -> int:
    results = open_results(options.path, progress=_progress())
    rows = [_row(statmap) for statmap in results.maps.values()]
    if options.json:
        print(json.dumps(_document(results, rows), indent=2))
        return 0
    print(f"{results.title}: {len(rows)} maps, {len(results.tables)} tables")
    print()
    _print_table(rows)
    for problem in results.problems:
        print(f"! {problem}", file=sys.stderr)
    return 0


def _fetch(options: argparse.Namespace) -> int:
    results = open_results(options.path, progress=_progress())
    written = save_fetched(results, options.to, Job(_progress()))
    for problem in results.problems:
        print(f"! {problem}", file=sys.stderr)
    print(f"Wrote {len(written)} files to {os.path.abspath(options.to)}")
    return 0 if all(statmap.at_hand for statmap in results.maps.values()) else 1


def _cache(options: argparse.Namespace) -> int:
    online = Online.from_environment()
    cache = Cache(online.cache_dir, online.cache_bytes)
    entries = cache.entries()
    total = sum(entry.size for entry in entries)
    if options.clear:
        cache.clear()
        print(f"Deleted {len(entries)} entries, {total / 1e6:.1f} MB.")
        return 0
    for entry in entries:
        used = datetime.fromtimestamp(entry.last_used)
        print(f"{entry.size / 1e6:8.2f} MB  {used:%Y-%m-%d %H:%M}  {entry.what}")
    print(f"{len(entries)} entries, {total / 1e6:.1f} MB in {online.cache_dir}")
    return 0


def _progress() -> Progress | None:
    """Say on a terminal how far downloads are; a file or a pipe gets no such lines."""
    if not sys.stderr.isatty():
        return None
    meter = Meter()

    def tell(what: str, done: int, total: int | None) -> None:
        meter.hear(what, done, total)
        of = f" of {meter.total:,}" if meter.total else ""
        print(f"\r\033[K{what}: {meter.done:,}{of}", end="", file=sys.stderr)
        if not meter.parts:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    return tell


def _clusters(options: argparse.Namespace) -> int:
    results = open_results(options.path, progress=_progress())
    statmap = _named(results, options.map or next(iter(results.maps)))
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
    )
    written = [path for path in (options.out, options.labels) if path]
    # First: whoever reads the table may stop after its first lines.
    for path in written:
        save_clusters(clusters, path)
    print(f"{statmap.title}: {clusters}")
    if len(clusters):
        table = clusters.table[_SHOWN].join(clusters.corrected.drop(columns="label"))
        print(table.dropna(axis="columns", how="all").to_string(index=False))
    for path in written:
        print(f"Wrote {path}")
    return 0


def _named(results: ResultSet, key: str) -> StatMap:
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
        other = _named(results, options.mask_map)
        return mask_from_map(statmap, other, exclusive=outside, p=options.mask_p)
    if options.mask:
        return mask_from_file(statmap, options.mask, exclusive=outside)
    return brain_mask(statmap) if options.brain_mask else None


def _document(results: ResultSet, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "title": results.title,
        "source": results.source,
        "maps": rows,
        "tables": list(results.tables),
        "iterations": results.iterations,
        "problems": list(results.problems),
    }


def _row(statmap: StatMap) -> dict[str, Any]:
    """Gather what is worth knowing of one map; a broken one says so instead."""
    row: dict[str, Any] = {
        "name": statmap.key,
        "title": statmap.title,
        "kind": str(statmap.kind),
        "tail": None,
        "level": statmap.level,
        "correction": statmap.correction,
        "shape": list(statmap.grid.shape),
        "voxel_size_mm": list(statmap.grid.voxel_size),
        "range": None,
        "n_mask_voxels": None,
        "at_p_05": None,
        "error": None,
    }
    try:
        data = statmap.data
        finite = data[np.isfinite(data)]
        row["tail"] = str(statmap.tail)
        if finite.size:
            row["range"] = [float(finite.min()), float(finite.max())]
        row["n_mask_voxels"] = None if statmap.mask is None else int(statmap.mask.sum())
        row["at_p_05"] = _at_p_05(statmap)
    except ResultsError as error:
        row["error"] = str(error)
    return row


def _at_p_05(statmap: StatMap) -> str | None:
    """Say which threshold means p <= .05 on a map."""
    kind = statmap.kind
    word = "q" if statmap.correction == "FDR" else "p"
    if statmap.correction == "FWE":
        word = "p_FWE"
    if kind is MapKind.P:
        return f"{word} <= .05"
    if kind in {MapKind.Z, MapKind.LOGP, MapKind.ONE_MINUS_P}:
        height = height_at(0.05, kind, statmap.tail)
        sign = "|z|" if statmap.signed else str(kind)
        return f"{sign} >= {height:.4g} ({word} <= .05)"
    partner = p_map_of(statmap)
    if partner is not None and kind is not MapKind.LABEL:
        return f"use {partner.key}"
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
    )
    table = [titles, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(titles))]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    correction = " ".join(filter(None, (row["level"], row["correction"]))) or "-"
    size = " x ".join(f"{mm:.3g}" for mm in dict.fromkeys(row["voxel_size_mm"]))
    values = row["range"]
    return (
        row["name"],
        row["title"],
        row["kind"],
        row["tail"] or "-",
        correction,
        f"{'x'.join(map(str, row['shape']))}, {size} mm",
        f"{values[0]:.3g} to {values[1]:.3g}" if values else "-",
        "cannot be read, see below" if row["error"] else row["at_p_05"] or "-",
    )


if __name__ == "__main__":
    sys.exit(main())
