"""How fast results open, against nibabel on the same files in the same run.

Peers: a bare interpreter, for the import; ``nibabel.load(...).get_fdata()`` over the
same files, for opening and reading; the same viewer when it was empty, for memory.
Targets: import <= 1.2 x; opening without voxels <= 0.15 x; every voxel of 12 maps, side
by side, <= 0.45 x of float32; 60 maps in a viewer <= 150 MB. One map after the other is
held against nibabel's float64, <= 0.6 x. Both sides give the same bits, or nothing is
timed. Exits with 3 when a target is missed.
"""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from measurements import Figure, Row, Run, Table, at_most
from napari_neurosynth_results import open_results
from napari_neurosynth_results.sample import sample_folder

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


def main() -> int:
    """Measure, print the tables, and say by the exit code whether all targets hold."""
    run = Run.start(
        __file__,
        __doc__,
        lambda parser: parser.add_argument(
            "--no-viewer", action="store_true", help="leave memory out"
        ),
    )
    starts, rounds, windows = run.rounds(40, 5), run.rounds(25, 3), run.rounds(3, 1)
    with tempfile.TemporaryDirectory() as scratch:
        tables = [
            Table([_import_time(starts)], "ours / peer", "Import"),
            Table(
                _reading(_twelve_maps(Path(scratch)), rounds), "ours / peer", "Reading"
            ),
        ]
        if not run.options.no_viewer:
            sixty = _sixty_maps(Path(scratch))
            tables.append(Table(_viewer_memory(sixty, windows), caption="Memory"))
    return run.conclude(
        tables,
        method=f"Rounds, in each of which every side runs once: {starts} for the "
        f"import, {rounds} for reading, {windows} for the viewer. Twelve maps are the "
        "packaged sample, one of its maps twice; sixty are its z, p and logp maps "
        "under the names of twenty contrasts.",
        garbage="collected before each call, while the clock stands",
    )


def _import_time(rounds: int) -> Row:
    """Compare importing the package with starting the interpreter."""
    bare = [sys.executable, "-c", "pass"]
    ours = [sys.executable, "-c", "import napari_neurosynth_results"]
    start, imported = _interleaved(
        [
            lambda: subprocess.run(bare, check=True),
            lambda: subprocess.run(ours, check=True),
        ],
        rounds,
    )
    return Row(
        "`import napari_neurosynth_results` in a new interpreter",
        imported,
        {"bare interpreter": start},
        at_most(imported.median / start.median, 1.2, "x", "ratio"),
    )


def _reading(folder: Path, rounds: int) -> list[Row]:
    """Compare opening and reading a folder with nibabel on the same files."""
    paths = sorted(folder.glob("*.nii.gz"))
    _check_equal(folder, paths)

    def nibabel_float32() -> object:
        return [nib.load(path).get_fdata(dtype=np.float32) for path in paths]

    def nibabel_float64() -> object:
        return [nib.load(path).get_fdata() for path in paths]

    def opened() -> object:
        return open_results(folder)

    def one_by_one() -> object:
        results = open_results(folder)
        return [statmap.data for statmap in results.maps.values()]

    def side_by_side() -> object:
        results = open_results(folder)
        return results.read(results.maps.values())

    single, double, header, one, both = _interleaved(
        [nibabel_float32, nibabel_float64, opened, one_by_one, side_by_side], rounds
    )
    peers = {"nibabel float32": single, "nibabel float64": double}
    faster = min(single.median, double.median)
    n = len(paths)
    return [
        Row(
            f"open_results, {n} maps, no voxels",
            header,
            peers,
            at_most(header.median / faster, 0.15, "x", "ratio to the faster"),
        ),
        Row(
            f"every voxel of {n} maps, float32, `results.read`",
            both,
            peers,
            at_most(both.median / single.median, 0.45, "x", "ratio to float32"),
        ),
        Row(
            "the same, one `.data` after the other",
            one,
            peers,
            at_most(one.median / double.median, 0.6, "x", "ratio to float64"),
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


def _viewer_memory(folder: Path, rounds: int) -> list[Row]:
    """Open a large result in real windows and watch the memory of the processes."""
    megabytes, seconds = [], []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, "-c", _VIEWER, str(folder)],
            check=True,
            capture_output=True,
            text=True,
        )
        layers, peak, taken = done.stdout.splitlines()[-1].split()
        megabytes.append(float(peak))
        seconds.append(float(taken))
    above = Figure.of(megabytes, "MB")
    return [
        Row(
            "60 maps in a viewer: peak above the same viewer, empty and drawn once",
            above,
            target=at_most(above.median, 150, "MB", "median"),
            facts={"layers": layers},
        ),
        Row("until they are painted", Figure.of(seconds, "s")),
    ]


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


def _interleaved(calls: Sequence[Callable[[], object]], rounds: int) -> list[Figure]:
    """Time each call in turns, after one round that is not timed."""
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
    return [Figure.of_seconds(taken) for taken in seconds]


if __name__ == "__main__":
    sys.exit(main())
