"""How fast results open, against nibabel on the same files in the same run.

Peers: a bare interpreter, for the import; ``nibabel.load(...).get_fdata()`` over the
same files, for opening and reading.
Targets: import <= 1.2 x; opening without voxels <= 0.15 x; every voxel of 12 maps, side
by side, <= 0.45 x of float32. One map after the other is held against nibabel's float64,
<= 0.6 x. Both sides give the same bits, or nothing is timed. What a viewer does with
them is timed by first_picture.py. Exits with 3 when a target is missed.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from measurements import Figure, Row, Run, Table, at_most, twelve_maps
from napari_neurosynth_results import open_results


def main() -> int:
    """Measure, print the tables, and say by the exit code whether all targets hold."""
    run = Run.start(__file__, __doc__)
    starts, rounds = run.rounds(40, 5), run.rounds(25, 3)
    with tempfile.TemporaryDirectory() as scratch:
        tables = [
            Table([_import_time(starts)], "ours / peer", "Import"),
            Table(
                _reading(twelve_maps(Path(scratch)), rounds), "ours / peer", "Reading"
            ),
        ]
    return run.conclude(
        tables,
        method=f"Rounds, in each of which every side runs once: {starts} for the "
        f"import, {rounds} for reading. Twelve maps are the packaged sample, one of "
        "its maps twice.",
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
