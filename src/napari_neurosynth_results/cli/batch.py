"""The command that asks many results the same, and puts the answers in one folder."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from napari_neurosynth_results.batch import BatchSummary, read_list, run_batch
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
    atlas_name,
    kinds_from,
    mask_source,
    terminal_progress,
    threshold_keywords,
)

_MOST_TOLD = 20


def add_batch(commands: Any) -> None:
    """Describe the command that asks many results."""
    command = commands.add_parser("batch", help="list the clusters of many results")
    add_source(
        command,
        metavar="LIST",
        what="sources that open takes, text files with one a line, or - for such a "
        "list on standard input",
    )
    add_out(
        command,
        "a new folder, or that of a batch that was stopped, which then goes on",
        required=True,
    )
    add_map(
        command,
        "a map of each result, or a pattern (z_*); repeat for several (default: "
        "the first that info lists)",
        several=True,
    )
    add_kinds(command)
    add_threshold(command)
    add_tdp(command)
    add_active_parts(command)
    add_mask(command)
    add_atlas(command)
    add_regions(command)
    add_studies(command, default=False)
    add_leave_one_out(command)
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="worker processes; with 0 this process does the work",
    )
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="a dask.distributed scheduler"
    )
    command.add_argument(
        "--again", action="store_true", help="start over, and do again what is done"
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
            active_parts=options.active_parts,
            regions=options.regions,
            studies=options.studies,
            leave_one_out=options.leave_one_out,
            kinds=kinds_from(options),
            workers=options.workers,
            scheduler=options.scheduler,
            progress=terminal_progress(counted=True),
            resume=not options.again,
            **threshold_keywords(options),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"What is done is kept in {options.out}: the same command goes on."
        ) from None
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
