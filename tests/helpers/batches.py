"""What the tests of batches share: small results, and scripts that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

SHAPE = (8, 9, 8)
#: Asks the sources of its arguments in two processes, and slowly enough to be stopped.
SLOW = """
import sys, time
from napari_neurosynth_results.batch import one_source
from napari_neurosynth_results.cli import main
opened = one_source.open_results
def slowly(source):
    time.sleep(0.4)
    return opened(source)
one_source.open_results = slowly
if __name__ == "__main__":
    sys.exit(main(["batch", *sys.argv[1:]]))
"""


def blob(height: float = 5.0, place: int = 2) -> np.ndarray:
    """Return z values with one cluster of eight voxels."""
    z = np.full(SHAPE, 0.1)
    z[place : place + 2, 3:5, 3:5] = height
    z[place, 3, 3] += 1
    return z


def read(path: Path) -> pd.DataFrame:
    """Read a table as texts, to the letter."""
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def start(code: str, scratch: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a script in a process group of its own."""
    script = scratch / "script.py"
    script.write_text(code, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, str(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ},
    )


def wait_until(true: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def records(out: Path) -> dict[Path, int]:
    """Return the records that are there, and when each was written."""
    found = (out / "sources").glob("[!.]*/record.json")
    return {path: path.stat().st_mtime_ns for path in found}
