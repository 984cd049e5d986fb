"""One command of the command line: what was asked, done and told."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO, cast

from napari_neurosynth_results._version import __version__
from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.cli.batch import add_batch
from napari_neurosynth_results.cli.clusters import add_clusters
from napari_neurosynth_results.cli.compare import add_compare
from napari_neurosynth_results.cli.info import add_report, list_maps
from napari_neurosynth_results.cli.options import (
    SOURCE_FORMS,
    CheckedStream,
    add_kinds,
    add_source,
    kinds_from,
    terminal_progress,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import refuse_existing
from napari_neurosynth_results.export.downloaded import save_downloaded
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.entry import EVERY_MAP
from napari_neurosynth_results.sources.files.folder import is_image
from napari_neurosynth_results.sources.web.cache import Cache
from napari_neurosynth_results.sources.web.servers import Servers
from napari_neurosynth_results.sources.zip_archive import list_unpacked_zips

_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_NO_QT = (
    "napari needs a Qt binding to open a window, and none is installed. Run:\n"
    '    pip install "napari-neurosynth-results[all]"'
)
_NO_DISPLAY = (
    "There is no display to open a window on. Draw to a file on a virtual one:\n"
    "   xvfb-run -a napari-neurosynth-results open PATH --screenshot FILE.png"
)


def run_program(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Defaults to those of the process.

    Returns
    -------
    int
        0, or 1 when something could not be done; the reason is on standard error.
    """
    _print_any_letter()
    with (
        redirect_stdout(cast("TextIO", CheckedStream(sys.stdout))),
        redirect_stderr(cast("TextIO", CheckedStream(sys.stderr))),
    ):
        return _run(_parser().parse_args(arguments))


def _run(options: argparse.Namespace) -> int:
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


def _print_any_letter() -> None:
    """Write what a console has no letter for as its number, instead of failing.

    File names on Linux may hold bytes that are no letters, and the consoles of old
    Windows and of servers know few.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-neurosynth-results",
        description="Open the results of a brain meta-analysis.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    window = commands.add_parser("open", help="open results in napari")
    add_source(
        window,
        nargs="*",
        what=f"{SOURCE_FORMS}; images belong together, of all else each is a result",
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
        "--screenshot", metavar="FILE", help="save the window as a PNG file and quit"
    )
    add_kinds(window)
    window.set_defaults(run=_open)
    info = commands.add_parser("info", help="list the maps of a result")
    add_source(info)
    info.add_argument("--json", action="store_true", help="print JSON")
    add_kinds(info)
    info.set_defaults(run=list_maps)
    add_clusters(commands)
    add_compare(commands)
    add_batch(commands)
    add_report(commands)
    fetching = commands.add_parser("fetch", help="download a result for offline use")
    add_source(fetching, nargs=None, what="a link or an id")
    fetching.add_argument(
        "--to", metavar="DIR", required=True, help="a new folder to write to"
    )
    fetching.set_defaults(run=fetch)
    kept = commands.add_parser("cache", help="list or delete downloads")
    what = kept.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="list what was downloaded")
    what.add_argument("--clear", action="store_true", help="delete all downloads")
    kept.set_defaults(run=cache)
    return parser


def _open(options: argparse.Namespace) -> int:
    from napari_neurosynth_results.sample import sample_folder

    paths = [*options.path, *([sample_folder()] if options.sample else [])]
    if not paths:
        raise ResultsError("Say what to open: a path, a link or --sample.")
    # Before a window opens: a wrong path is told at once, and in the terminal.
    sources, problems = _check(results_of(paths), kinds_from(options))
    if not any(map(find_spec, _QT_BINDINGS)):
        raise ResultsError(_NO_QT)
    linux = sys.platform.startswith("linux")
    if linux and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ResultsError(_NO_DISPLAY)
    if options.screenshot:
        refuse_existing(options.screenshot)
    from napari_neurosynth_results.viewer.plugin.window import (
        SourceToOpen,
        open_window,
    )

    left_out = open_window(
        [SourceToOpen(tuple(group), kinds) for group, kinds in sources],
        view=options.view,
        screenshot=options.screenshot,
    )
    for problem in left_out:
        print(problem, file=sys.stderr)
    if options.screenshot:
        print(f"Wrote {os.path.abspath(options.screenshot)}")
    return 1 if problems or left_out else 0


def results_of(paths: Sequence[str]) -> list[list[str]]:
    """Group what is to be opened by the result that it makes.

    Parameters
    ----------
    paths : sequence of str
        Folders, zips, links, ids and files.

    Returns
    -------
    list of list of str
        Files belong together; anything else is a result of its own.
    """
    groups: list[list[str]] = []
    files: list[str] = []
    for path in dict.fromkeys(paths):
        if is_image(os.path.basename(path)) and not os.path.isdir(path):
            if not files:
                groups.append(files)
            files.append(path)
        else:
            groups.append([path])
    return groups


def _check(
    groups: list[list[str]], kinds: dict[str, str]
) -> tuple[list[tuple[list[str], dict[str, str]]], list[str]]:
    """Try whether results open; those that do not are told, and left out.

    Returns
    -------
    sources : list of tuple
        Groups that open, each with what was said of the kinds of its maps.
    problems : list of str
        What does not open.

    Raises
    ------
    ResultsError
        When nothing opens, or no map has a name whose kind was said.
    """
    found, problems, nowhere = [], [], set(kinds)
    for group in groups:
        try:
            results = open_results(group, progress=terminal_progress())
            # A name may belong to one of the results only.
            known = {*results.maps, EVERY_MAP} if len(groups) > 1 else set(kinds)
            here = {key: kinds[key] for key in kinds if key in known}
            results.take_as(here)
        except ResultsError as error:
            problems.append(str(error))
            continue
        nowhere -= set(here)
        found.append((group, here))
    if not found:
        raise ResultsError("\n".join(problems))
    for problem in problems:
        print(problem, file=sys.stderr)
    if nowhere:
        raise ResultsError(f"No result has a map {', '.join(sorted(nowhere))}.")
    return found, problems


def fetch(options: argparse.Namespace) -> int:
    """Download a result to a folder."""
    results = open_results(options.path, progress=terminal_progress())
    written = save_downloaded(results, options.to, Job(terminal_progress()))
    for problem in results.problems:
        print(f"! {problem}", file=sys.stderr)
    print(f"Wrote {counted(len(written), 'file')} to {os.path.abspath(options.to)}")
    return 0 if all(statmap.at_hand for statmap in results.maps.values()) else 1


def cache(options: argparse.Namespace) -> int:
    """List or delete what is kept."""
    online = Servers.from_environment()
    kept = Cache(online.cache_dir, online.cache_bytes)
    entries = kept.entries()
    zips = list_unpacked_zips(online.cache_dir / "zips")
    total = sum(entry.size for entry in entries)
    if options.clear:
        freed = kept.clear()
        for folder in zips:
            shutil.rmtree(folder, ignore_errors=True)
        left = kept.entries()
        left_zips = [folder for folder in zips if folder.exists()]
        gone = [folder for folder in zips if folder not in left_zips]
        told = f"{freed / 1e6:.1f} MB{_mention_zips(gone)}"
        print(f"Deleted {_entries(len(entries) - len(left))}, {told}.")
        if not (left or left_zips):
            return 0
        raise ResultsError(
            f"{_entries(len(left))}{_mention_zips(left_zips)} could not be deleted "
            f"from {online.cache_dir}. Check its permissions, and that nobody uses it."
        )
    for entry in entries:
        used = datetime.fromtimestamp(entry.last_used)
        name = entry.name if entry.what == "file" else "(a server's answer)"
        print(f"{entry.size / 1e6:8.2f} MB  {used:%Y-%m-%d %H:%M}  {name}")
    where = f"{total / 1e6:.1f} MB in {online.cache_dir}{_mention_zips(zips)}"
    print(f"{_entries(len(entries))}, {where}")
    return 0


def _mention_zips(folders: list[Path]) -> str:
    return f", and {counted(len(folders), 'unpacked zip')}" if folders else ""


def _entries(n: int) -> str:
    return counted(n, "entry", "entries")
