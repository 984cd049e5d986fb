"""The command line: open a result in napari, or say what is in it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from napari_neurosynth_results import __version__
from napari_neurosynth_results.api import (
    brain_mask,
    find_clusters,
    mask_from_file,
    mask_from_map,
    open_results,
    save_clusters,
)
from napari_neurosynth_results.cli.info import list_maps
from napari_neurosynth_results.cli.online import cache, fetch, on_terminal
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.masking import Masking

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
        help="a NiMARE folder, images, a zip, a NeuroVault or Compose link or id",
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
    info.set_defaults(run=list_maps)
    _add_clusters(commands)
    fetching = commands.add_parser("fetch", help="download a result for offline use")
    fetching.add_argument("path", metavar="SOURCE", help="a link or an id")
    fetching.add_argument("--to", metavar="DIR", required=True, help="a new folder")
    fetching.set_defaults(run=fetch)
    kept = commands.add_parser("cache", help="what was downloaded and is kept")
    what = kept.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="list it")
    what.add_argument("--clear", action="store_true", help="delete it")
    kept.set_defaults(run=cache)
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
    open_results(paths, progress=on_terminal())
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


def _clusters(options: argparse.Namespace) -> int:
    results = open_results(options.path, progress=on_terminal())
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
