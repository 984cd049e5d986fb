"""How fast results open, as ratios against nibabel in the same run.

Run ``make bench``; the last results are in docs/benchmarks.md. Exits with 1 when a
target is missed, so that a slow change is noticed.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np

from napari_neurosynth_results import open_results
from napari_neurosynth_results.sample import sample_folder

ROUNDS = 25
STARTS = 40
#: The viewer that the memory is compared with is shown and has drawn once.
_VIEWER = """
import sys, threading, time
import napari, psutil
from qtpy.QtWidgets import QApplication
process, peak, running = psutil.Process(), 0, True
def watch():
    global peak
    while running:
        peak = max(peak, process.memory_info().rss)
        time.sleep(0.002)
viewer = napari.Viewer()
for _ in range(20): QApplication.processEvents()
viewer.screenshot(flash=False)
empty = process.memory_info().rss
thread = threading.Thread(target=watch); thread.start()
start = time.perf_counter()
viewer.open(sys.argv[1], plugin="napari-neurosynth-results")
for _ in range(20): QApplication.processEvents()
viewer.screenshot(flash=False)
seconds = time.perf_counter() - start
running = False; thread.join()
print(len(viewer.layers), (peak - empty) / 2**20, seconds)
viewer.close()
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    peer: str
    figure: float
    target: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the figure stays within its target."""
        return self.figure <= self.target

    def __str__(self) -> str:
        """One line of Markdown."""
        verdict = "yes" if self.met else "**no**"
        return (
            f"| {self.what} | {self.ours} | {self.peer} "
            f"| {self.figure:.2f} {self.unit} | <= {self.target} {self.unit} "
            f"| {verdict} |"
        )


def main() -> int:
    """Measure, print the table, and say by the exit code whether all targets hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-viewer", action="store_true", help="leave memory out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        twelve = _twelve_maps(Path(scratch))
        sixty = _sixty_maps(Path(scratch))
        rows = [_import_time(), *_reading(twelve)]
        if not options.no_viewer:
            rows.append(_viewer_memory(sixty))
    print(_heading())
    print("| what | ours | beside | figure | target | met |")
    print("|---|---|---|---|---|---|")
    print("\n".join(map(str, rows)))
    return 0 if all(row.met for row in rows) else 1


def _heading() -> str:
    indexed = "installed" if find_spec("indexed_gzip") else "not installed"
    return (
        f"Python {sys.version.split()[0]}, numpy {np.__version__}, nibabel "
        f"{nib.__version__}, indexed_gzip {indexed}, {os.cpu_count()} cores, "
        f"medians of {ROUNDS} interleaved rounds.\n"
    )


def _import_time() -> Row:
    """Compare importing the package with starting the interpreter."""
    bare = [sys.executable, "-c", "pass"]
    ours = [sys.executable, "-c", "import napari_neurosynth_results"]
    start, imported = _interleaved(
        [
            lambda: subprocess.run(bare, check=True),
            lambda: subprocess.run(ours, check=True),
        ],
        STARTS,
    )
    return Row(
        f"`import napari_neurosynth_results`, median of {STARTS}",
        _ms(imported),
        f"bare interpreter {_ms(start)}",
        imported / start,
        1.2,
        "x",
    )


def _reading(folder: Path) -> list[Row]:
    """Compare opening and reading a folder with nibabel on the same files."""
    paths = sorted(folder.glob("*.nii.gz"))
    _check_equal(folder, paths)

    def nibabel_all() -> object:
        return [nib.load(path).get_fdata(dtype=np.float32) for path in paths]

    def nibabel_default() -> object:
        return [nib.load(path).get_fdata() for path in paths]

    def opened() -> object:
        return open_results(folder)

    def one_by_one() -> object:
        results = open_results(folder)
        return [statmap.data for statmap in results.maps.values()]

    def side_by_side() -> object:
        results = open_results(folder)
        return results.read(results.maps.values())

    peer, default, header, single, both = _interleaved(
        [nibabel_all, nibabel_default, opened, one_by_one, side_by_side], ROUNDS
    )
    against = f"nibabel get_fdata {_ms(peer)}"
    n = len(paths)
    return [
        Row(
            f"open_results, {n} maps, no voxels",
            _ms(header),
            against,
            header / min(peer, default),
            0.15,
            "x",
        ),
        Row(
            f"every voxel of {n} maps, float32, `results.read`",
            _ms(both),
            against,
            both / peer,
            0.45,
            "x",
        ),
        Row(
            f"the same, one `.data` after the other, against float64 {_ms(default)}",
            _ms(single),
            against,
            single / default,
            0.6,
            "x",
        ),
    ]


def _check_equal(folder: Path, paths: Sequence[Path]) -> None:
    """Make sure that both sides of the comparison give the same bits."""
    results = open_results(folder)
    for path in paths:
        ours = results.maps[path.name.removesuffix(".nii.gz")].data
        theirs = nib.load(path).get_fdata(dtype=np.float32)
        if not np.array_equal(ours, theirs):
            raise SystemExit(
                f"{path.name} differs from nibabel: the timing means nothing"
            )


def _viewer_memory(folder: Path) -> Row:
    """Open a large result in a real window and watch the process's memory."""
    done = subprocess.run(
        [sys.executable, "-c", _VIEWER, str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    layers, megabytes, seconds = done.stdout.splitlines()[-1].split()
    return Row(
        "opening 60 maps in the viewer, peak memory above the empty viewer",
        f"{layers} layers in {float(seconds):.1f} s",
        "empty viewer",
        float(megabytes),
        150,
        "MB",
    )


def _twelve_maps(scratch: Path) -> Path:
    """Copy the sample, which has eleven maps, and one of them again."""
    folder = scratch / "twelve"
    shutil.copytree(sample_folder(), folder)
    shutil.copy(folder / "stat.nii.gz", folder / "est.nii.gz")
    return folder


def _sixty_maps(scratch: Path) -> Path:
    """Give the sample's maps the names of an MKDAChi2 result, twenty contrasts."""
    folder = scratch / "sixty"
    folder.mkdir()
    for value in ("z", "p", "logp"):
        for index in range(20):
            name = f"{value}_desc-contrast{index:02}.nii.gz"
            shutil.copy(Path(sample_folder()) / f"{value}.nii.gz", folder / name)
    return folder


def _interleaved(calls: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Return the median seconds of each call; each round runs all of them."""
    seconds: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for taken, call in zip(seconds, calls, strict=True):
            gc.collect()
            start = time.perf_counter()
            kept = call()
            taken.append(time.perf_counter() - start)
            del kept
    return [statistics.median(taken) for taken in seconds]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
