"""The command that asks many results the same, and puts the answers in one folder."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from napari_neurosynth_results.batch import BatchSummary, read_list, run_batch
from napari_neurosynth_results.cli.options import (
    add_atlas,
    add_kinds,
    add_regions,
    add_studies,
    add_threshold,
    atlas_name,
    kinds_from,
    mask_source,
    threshold_keywords,
)
from napari_neurosynth_results.job import Progress

#: What a shell says of a process that Ctrl+C ended.
_INTERRUPTED = 130
_MOST_TOLD = 20


def add_batch(commands: Any) -> None:
    """Describe the command that asks many results.

    Parameters
    ----------
    commands : argparse subparsers
        Gets it.
    """
    command = commands.add_parser("batch", help="list the clusters of many results")
    command.add_argument(
        "path",
        nargs="+",
        metavar="LIST",
        help="sources as for open, text files with one a line, or - for such a list "
        "on standard input",
    )
    command.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="a new folder, or that of a batch that was stopped, which goes on",
    )
    command.add_argument(
        "--map",
        metavar="NAME",
        action="append",
        help="a map of each result, or a pattern (z_*); may be given again (default: "
        "the first in order of interest)",
    )
    add_kinds(command)
    add_threshold(command)
    add_atlas(command)
    add_regions(command)
    add_studies(command, default=False)
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, metavar="N", help="processes; 0 for none but this one"
    )
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="a dask.distributed scheduler"
    )
    command.add_argument(
        "--again", action="store_true", help="ask all anew, also what is done"
    )
    command.set_defaults(run=_batch)


def _batch(options: argparse.Namespace) -> int:
    try:
        done = run_batch(
            read_list(options.path),
            options.out,
            maps=options.map,
            atlas=atlas_name(options),
            mask=mask_source(options),
            dof=options.dof,
            regions=options.regions,
            studies=options.studies,
            kinds=kinds_from(options),
            workers=options.workers,
            scheduler=options.scheduler,
            progress=_on_terminal(),
            resume=not options.again,
            **threshold_keywords(options),
        )
    except KeyboardInterrupt:
        print(
            f"\nStopped. What is done is kept in {options.out}: the same command goes "
            "on.",
            file=sys.stderr,
        )
        return _INTERRUPTED
    print(done)
    print(f"Wrote {os.path.join(done.folder, 'index.html')}")
    _print_failures(done)
    return 1 if done.failed else 0


def _print_failures(done: BatchSummary) -> None:
    for record in done.failed[:_MOST_TOLD]:
        for where, why in record.failures:
            about = f"{record.source}, {where}" if where else record.source
            print(f"! {about}: {why}", file=sys.stderr)
    if len(done.failed) > _MOST_TOLD:
        more = len(done.failed) - _MOST_TOLD
        print(f"! {more} more are in failures.tsv.", file=sys.stderr)


def _on_terminal() -> Progress | None:
    """Say on a terminal how far it is; a file or a pipe gets no such lines."""
    if not sys.stderr.isatty():
        return None
    start = time.monotonic()
    first: list[int] = []

    def tell(what: str, done: int, total: int | None) -> None:
        total = total or done
        # What was done before took no time now.
        first.append(done - 1)
        each = (time.monotonic() - start) / (done - first[0])
        left = f", about {each * (total - done):.0f} s left" if done < total else ""
        end = "" if done < total else "\n"
        line = f"\r\033[K{done} of {total}{left}: {what[:60]}"
        print(line, end=end, file=sys.stderr, flush=True)

    return tell
