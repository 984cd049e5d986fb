"""What it costs that saved files are on the disk before they have their names.

Saves some things as users do, and prints how long was waited for the disk, the median
of some rounds: wall-clock time, because waiting is no work.

    python scripts/safety/flush_cost.py --folder . --rounds 15
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari_neurosynth_results as nnr
from napari_neurosynth_results.export import atomic
from napari_neurosynth_results.sample import sample_folder


def _jobs() -> dict[str, Callable[[Path], object]]:
    results = nnr.open_results(sample_folder())
    clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=20)
    _ = clusters.table

    def batch(folder: Path) -> None:
        nnr.run_batch(sample_folder(), folder / "b", maps="z", p=0.001, workers=0)

    return {
        "table and its JSON": lambda to: nnr.save_clusters(clusters, to / "c.tsv"),
        "label volume": lambda to: nnr.save_clusters(clusters, to / "c.nii.gz"),
        "batch of one result": batch,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", default=tempfile.gettempdir(), metavar="DIR")
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    options = parser.parse_args()
    flush = atomic._flush_to_disk
    calls: list[float] = []

    def timed(path: str) -> None:
        start = time.perf_counter()
        flush(path)
        calls.append(time.perf_counter() - start)

    atomic._flush_to_disk = timed
    print("saved | times flushed | waited for the disk | of all")
    for name, save in _jobs().items():
        counts, waits, wholes = [], [], []
        for _ in range(options.rounds + 1):
            folder = Path(tempfile.mkdtemp(dir=options.folder))
            calls.clear()
            start = time.perf_counter()
            save(folder)
            wholes.append(1000 * (time.perf_counter() - start))
            counts.append(len(calls))
            waits.append(1000 * sum(calls))
            shutil.rmtree(folder)
        # The first loads what it needs.
        wait, whole = (statistics.median(times[1:]) for times in (waits, wholes))
        print(f"{name} | {counts[-1]} | {wait:.1f} ms | {whole:.0f} ms")


if __name__ == "__main__":
    main()
