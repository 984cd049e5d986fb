"""Commands about downloads: fetch a result whole, list and clear what is kept."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path

from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.cli.options import terminal_progress
from napari_neurosynth_results.export.downloaded import save_downloaded
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.web.cache import Cache
from napari_neurosynth_results.sources.web.servers import Servers
from napari_neurosynth_results.sources.zip_archive import list_unpacked_zips


def fetch(options: argparse.Namespace) -> int:
    """Download a result to a folder."""
    results = open_results(options.path, progress=terminal_progress())
    written = save_downloaded(results, options.to, Job(terminal_progress()))
    for problem in results.problems:
        print(f"! {problem}", file=sys.stderr)
    print(f"Wrote {len(written)} files to {os.path.abspath(options.to)}")
    return 0 if all(statmap.at_hand for statmap in results.maps.values()) else 1


def cache(options: argparse.Namespace) -> int:
    """List or delete what is kept."""
    online = Servers.from_environment()
    kept = Cache(online.cache_dir, online.cache_bytes)
    entries = kept.entries()
    zips = list_unpacked_zips(online.cache_dir / "zips")
    total = sum(entry.size for entry in entries)
    if options.clear:
        kept.clear()
        for folder in zips:
            shutil.rmtree(folder, ignore_errors=True)
        freed = f"{total / 1e6:.1f} MB{_mention_zips(zips)}"
        print(f"Deleted {len(entries)} entries, {freed}.")
        return 0
    for entry in entries:
        used = datetime.fromtimestamp(entry.last_used)
        name = entry.name if entry.what == "file" else "(a server's answer)"
        print(f"{entry.size / 1e6:8.2f} MB  {used:%Y-%m-%d %H:%M}  {name}")
    where = f"{total / 1e6:.1f} MB in {online.cache_dir}{_mention_zips(zips)}"
    print(f"{len(entries)} entries, {where}")
    return 0


def _mention_zips(folders: list[Path]) -> str:
    return f", and {len(folders)} unpacked zips" if folders else ""
