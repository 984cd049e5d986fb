"""How a batch of local results scales with workers, and what memory it takes.

400 copies of the sample, z at p <= .001: half a minute of work for one worker. Peer:
the same batch with one worker. Targets: one worker's time >= 1.85 x that of two, in the
middle one of all pairs; the largest process grows <= 25 MB from the first third of the
batch to the last. Exits with 3 when one is missed.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import psutil

from measurements import Figure, Row, Run, Table, at_least, at_most
from napari_neurosynth_results.sample import sample_folder

_BATCH = """
import sys
import napari_neurosynth_results as nnr
if __name__ == "__main__":
    done = nnr.run_batch(sys.argv[3:], sys.argv[1], maps="z", p=0.001,
                         workers=int(sys.argv[2]))
    assert not done.failed, done.failed
    print(len(done.clusters))
"""


@dataclass(frozen=True)
class Batch:
    """One batch: how long it took, and the memory of its processes over time."""

    seconds: float
    cpu_seconds: float
    #: Largest sum over all processes, then the largest process of the first and of
    #: the last third of the batch; MB.
    peak: float
    early: float
    late: float


def main() -> int:
    """Measure, print the tables, and say by the exit code whether all targets hold."""
    run = Run.start(__file__, __doc__, _add_options)
    results = run.options.results or run.rounds(400, 12)
    rounds = run.options.rounds or run.rounds(5, 1)
    pairs = []
    with tempfile.TemporaryDirectory() as scratch:
        sources = _copies(Path(scratch), results)
        for index in range(rounds):
            out = Path(scratch) / f"out{index}"
            pairs.append([_run(sources, Path(f"{out}-{n}"), n) for n in (1, 2)])
    one, two = (list(batches) for batches in zip(*pairs, strict=True))
    ratios = ", ".join(f"{a.seconds / b.seconds:.2f}" for a, b in pairs)
    return run.conclude(
        [Table(_rows(one, two))],
        method=f"{results} results, {rounds} runs with one worker and with two in "
        f"turns (the pairs: {ratios} x). Memory is looked at ten times a second. Both "
        "workers need a processor of their own: what else runs there makes the ratio "
        "smaller.",
        garbage="left to Python",
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=int)
    parser.add_argument("--rounds", type=int)


def _rows(one: list[Batch], two: list[Batch]) -> list[Row]:
    peer = "one worker"

    def figures(what: str, unit: Literal["s", "MB"]) -> tuple[Figure, Figure]:
        ours, theirs = (
            Figure.of([getattr(batch, what) for batch in batches], unit)
            for batches in (two, one)
        )
        return ours, theirs

    seconds, seconds_of_one = figures("seconds", "s")
    pairs = [a.seconds / b.seconds for a, b in zip(one, two, strict=True)]
    faster = at_least(median(pairs), 1.85, "x", "ratio of the middle pair")
    cpu, cpu_of_one = figures("cpu_seconds", "s")
    growth = max(batch.late - batch.early for batch in (*one, *two))
    grown = at_most(growth, 25, "MB", "most of any run")
    early, early_of_one = figures("early", "MB")
    late, late_of_one = figures("late", "MB")
    together, together_of_one = figures("peak", "MB")
    return [
        Row("time", seconds, {peer: seconds_of_one}, faster),
        Row("processor time", cpu, {peer: cpu_of_one}),
        Row("growth of the largest process", target=grown),
        Row("largest process, first third", early, {peer: early_of_one}),
        Row("largest process, last third", late, {peer: late_of_one}),
        Row("all processes together, peak", together, {peer: together_of_one}),
    ]


def _copies(scratch: Path, n: int) -> list[str]:
    """Copy the sample, so that each result has files of its own."""
    made = []
    for index in range(n):
        folder = scratch / f"result{index:03}"
        shutil.copytree(sample_folder(), folder)
        made.append(str(folder))
    return made


def _run(sources: list[str], out: Path, workers: int) -> Batch:
    """Run a batch in a process of its own, and watch it and its workers."""
    script = out.with_suffix(".py")
    script.write_text(_BATCH)
    start = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, str(script), str(out), str(workers), *sources],
        stdout=subprocess.DEVNULL,
    )
    seen: list[tuple[float, list[float]]] = []
    cpu: dict[int, float] = {}
    watch = threading.Thread(target=_watch, args=(running, start, seen, cpu))
    watch.start()
    code = running.wait()
    seconds = time.perf_counter() - start
    watch.join()
    if code:
        raise SystemExit("The batch failed: the timing means nothing.")
    third = seconds / 3
    return Batch(
        seconds,
        sum(cpu.values()),
        max(sum(sizes) for _, sizes in seen),
        max(max(sizes) for when, sizes in seen if when < third),
        max(max(sizes) for when, sizes in seen if when > 2 * third),
    )


def _watch(
    running: subprocess.Popen[bytes],
    start: float,
    seen: list[tuple[float, list[float]]],
    cpu: dict[int, float],
) -> None:
    """Note the memory and the CPU time of a process and its children, ten a second.

    Children are looked for once a second: all processes have to be gone through for
    them, on a processor that a worker needs.
    """
    parent, processes, last = psutil.Process(running.pid), [], -math.inf
    while running.poll() is None:
        sizes = []
        try:
            if (now := time.perf_counter() - start) > last + 1:
                processes = [parent, *parent.children(recursive=True)]
                last = now
            for process in processes:
                sizes.append(process.memory_info().rss / 2**20)
                cpu[process.pid] = sum(process.cpu_times()[:2])
        except psutil.Error:
            # One of them ended meanwhile.
            last = -math.inf
            continue
        seen.append((now, sizes))
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
