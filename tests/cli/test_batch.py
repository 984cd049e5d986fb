"""A batch on the command line: lists, exit codes, and going on after any end."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from helpers.batches import SLOW, blob, read, records, start, wait_until
from napari_neurosynth_results.batch.local_workers import no_interrupt
from napari_neurosynth_results.cli import main

Write = Callable[..., Path]
Captured = pytest.CaptureFixture[str]
N = 12


@pytest.fixture
def many(write: Write) -> list[str]:
    """Return a dozen small results."""
    return [str(write({"z": blob(4 + n / 10)}, name=f"result{n:02}")) for n in range(N)]


def test_a_list_on_disk_and_sources_in_any_order(
    write: Write, tmp_path: Path, capsys: Captured
) -> None:
    folders = [write({"z": blob()}, name=f"lists/{name}") for name in "abc"]
    text = f"\ufeff# pain\n\nb\n  {folders[2]}  \r\n# {folders[0]}\nb\n"
    (tmp_path / "lists" / "list.txt").write_text(text, encoding="utf-8", newline="")
    out = tmp_path / "out"
    arguments = [str(tmp_path / "lists" / "list.txt"), str(folders[0] / "z.nii.gz")]
    command = ["batch", *arguments, "--out", str(out), "--p", ".001", "--workers", "0"]
    assert main(command) == 0
    told, err = capsys.readouterr()
    assert told.splitlines()[0] == "3 sources, 3 clusters"
    assert err == ""
    assert read(out / "summary.tsv")["source"].tolist() == [
        *(str(folders[1]), str(folders[2]), arguments[1])
    ]
    assert main(command) == 0
    assert "3 done before" in capsys.readouterr().out
    assert main([*command, "--again"]) == 0
    assert "before" not in capsys.readouterr().out


def test_a_list_on_standard_input(
    many: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = io.TextIOWrapper(io.BytesIO("\n".join(many[:2]).encode()))
    monkeypatch.setattr(sys, "stdin", lines)
    out = tmp_path / "out"
    assert main(["batch", "-", "--out", str(out), "--q", ".05", "--workers", "0"]) == 1
    # z alone does not tell where its mask ends, and q counts tests in it.
    assert read(out / "failures.tsv")["source"].tolist() == many[:2]


@pytest.mark.parametrize("content", [b"a\0b", b"\xff\xfe", b"# nothing\n"])
def test_what_is_no_list_is_refused(
    content: bytes, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    out = tmp_path / "out"
    assert main(["batch", str(tmp_path / "list.txt"), "--out", str(out)]) == 1
    assert "list" in capsys.readouterr().err
    assert not out.exists()


def test_failures_are_told_at_the_end_and_by_the_exit_code(
    many: list[str], tmp_path: Path, capsys: Captured
) -> None:
    gone = [f"gone{n}.nii" for n in range(22)]
    out = tmp_path / "out"
    command = ["batch", *gone, many[0], "--out", str(out), "--p", ".001"]
    assert main([*command, "--workers", "0", "--map", "z", "--map", "x*"]) == 1
    told, err = capsys.readouterr()
    assert told.startswith("23 sources, 1 cluster, 23 with failures")
    lines = err.splitlines()
    assert lines[0].startswith("! gone0.nii: ")
    assert lines[-1] == "! 3 more are in failures.tsv."
    assert len(lines) == 21


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_batch_that_was_stopped_goes_on(
    many: list[str], tmp_path: Path, end: signal.Signals
) -> None:
    out = tmp_path / "out"
    options = ["--out", str(out), "--p", ".001", "--workers", "2"]
    running = start(SLOW, tmp_path, *many, *options)
    wait_until(lambda: len(records(out)) >= 3)
    workers = psutil.Process(running.pid).children(recursive=True)
    assert len(workers) >= 2
    if end is signal.SIGKILL:
        running.kill()
    else:
        # As a terminal does: to all processes at once.
        os.killpg(running.pid, end)
    _, err = running.communicate(timeout=60)
    # No process is left behind, whoever ended the batch.
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    if end is signal.SIGINT:
        assert running.returncode == 130
        assert err.strip().endswith("the same command goes on.")
        assert "Traceback" not in err
    kept = records(out)
    assert 3 <= len(kept) < N
    assert not (out / "clusters.tsv").exists()
    running = start(SLOW, tmp_path, *many, *options)
    told, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert told.startswith(f"12 sources, 12 clusters, {len(kept)} done before")
    after = records(out)
    assert len(after) == N
    # Only the rest was asked.
    assert {path: after[path] for path in kept} == kept
    assert read(out / "clusters.tsv")["source"].tolist() == many
    left = [p.name for p in (out / "sources").iterdir() if p.name.startswith(".")]
    assert left == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no killpg")
def test_stopping_while_workers_start_is_quiet(many: list[str], tmp_path: Path) -> None:
    options = ["--out", str(tmp_path / "out"), "--p", ".001", "--workers", "2"]
    running = start(SLOW, tmp_path, *many, *options)
    process = psutil.Process(running.pid)
    # Two, and the one that Python itself starts beside them.
    wait_until(lambda: len(process.children()) >= 3)
    os.killpg(running.pid, signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pthread_sigmask")
def test_an_interrupt_waits_until_workers_have_begun() -> None:
    # Such a thread takes the signal while the main one holds it back.
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    begun: list[bool] = []

    def begin() -> None:
        with no_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
            begun.append(True)

    try:
        with pytest.raises(KeyboardInterrupt):
            begin()
    finally:
        over.set()
        other.join()
    assert begun == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
