"""A batch on a real dask.distributed cluster, whose workers may be killed."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest

import napari_neurosynth_results as nnr
from helpers.batches import blob
from napari_neurosynth_results.batch import dask_workers as there
from napari_neurosynth_results.errors import ResultsError

# Closing sockets and loops of processes that were killed is its own affair.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
Write = Callable[..., Path]


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Return a cluster of two processes on this machine."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        silence_logs=50,
    ) as cluster:
        yield cluster


def test_a_batch_survives_the_death_of_a_worker(
    cluster: Any, sample_path: Path, write: Write, tmp_path: Path
) -> None:
    small = [write({"z": blob(4 + n / 10)}, name=f"small{n:02}") for n in range(6)]
    sources = [tmp_path / "gone.nii", sample_path, *small]
    # Copies of the sample, so that there is something to interrupt.
    for n in range(6):
        (link := tmp_path / f"sample{n}").symlink_to(sample_path)
        sources.append(link)
    killed: list[int] = []

    def kill(what: str, done: int, total: int | None) -> None:
        if done == 3:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    far = tmp_path / "far"
    address = cluster.scheduler_address
    question: dict[str, Any] = {"maps": "z", "p": 0.001}
    done = nnr.run_batch(sources, far, scheduler=address, progress=kill, **question)
    assert len(killed) == 1
    assert [record.source for record in done.failed] == [str(sources[0])]
    here = tmp_path / "here"
    nnr.run_batch(sources, here, workers=0, **question)
    name = "clusters.tsv"
    assert (far / name).read_bytes() == (here / name).read_bytes()
    # What was done there need not be done here.
    again = nnr.run_batch(sources, far, workers=0, **question)
    assert again.n_asked == 1


@pytest.fixture
def threads() -> Iterator[Any]:
    """Return a cluster of one worker in this process, whose parts can be replaced."""
    with distributed.LocalCluster(
        n_workers=1, processes=False, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


def test_an_answer_lost_with_its_worker_is_asked_anew(
    threads: Any, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [write({"z": blob(4 + n)}, name=f"small{n}") for n in range(3)]
    answer_of, lost = there._take_answer, [True, True]
    monkeypatch.setattr(
        there,
        "_take_answer",
        lambda *given: None if lost and lost.pop() else answer_of(*given),
    )
    address = threads.scheduler_address
    done = nnr.run_batch(sources, tmp_path / "out", p=0.001, scheduler=address)
    assert (lost, done.failed) == ([], [])
    assert done.clusters["peak_value"].tolist() == [5, 6, 7]
    monkeypatch.setattr(there, "_take_answer", lambda *given: None)
    with pytest.raises(ResultsError, match="was lost"):
        nnr.run_batch(sources, tmp_path / "never", p=0.001, scheduler=address)


def test_a_source_that_no_worker_survives_is_a_failure(
    threads: Any, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(source: Any, question: Any) -> Any:
        if "bad" in source.text:
            raise distributed.KilledWorker("answer", None, 3)
        return answered(source, question)

    answered = there.ask_source
    monkeypatch.setattr(there, "ask_source", deadly)
    sources = [write({"z": blob()}, name=name) for name in ("bad", "good")]
    address = threads.scheduler_address
    done = nnr.run_batch(sources, tmp_path / "out", p=0.001, scheduler=address)
    assert [record.status for record in done.records] == ["failed", "done"]
    assert "The worker that opened it failed" in done.records[0].sentence


def test_workers_that_cannot_do_it_are_told(
    threads: Any, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = write({"z": blob()}), threads.scheduler_address
    monkeypatch.setattr(there, "_version", lambda: "0.0.1")
    with pytest.raises(ResultsError, match=r"have napari-neurosynth-results 0\.0\.1"):
        nnr.run_batch(folder, tmp_path / "out", p=0.001, scheduler=address)
    monkeypatch.setattr(there, "_version", lambda: 1 / 0)
    with pytest.raises(ResultsError, match="cannot do this"):
        nnr.run_batch(folder, tmp_path / "out", p=0.001, scheduler=address)
    monkeypatch.setattr(there, "_PATIENCE", 0.5)
    threads.scale(0)
    with pytest.raises(ResultsError, match="has no workers"):
        nnr.run_batch(folder, tmp_path / "out", p=0.001, scheduler=address)


def test_no_scheduler_is_told(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(there, "_PATIENCE", 1)
    folder = write({"z": blob()})
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ResultsError, match="No scheduler answers"):
            nnr.run_batch(folder, tmp_path / "out", p=0.001, scheduler=address)


def test_without_distributed_the_command_to_install_it_is_told(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    folder = write({"z": blob()})
    with pytest.raises(ResultsError, match=r'pip install "napari-neur.*\[batch\]"'):
        nnr.run_batch(folder, tmp_path / "out", p=0.001, scheduler="tcp://x:1")
