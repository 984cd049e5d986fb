"""Tests beside each other: what a neighbor would disturb is alone."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.schedule import (
    VIRTUAL,
    Schedule,
    longest_first,
    start_display,
    stop_display,
)

SOME = """
import pytest

@pytest.mark.viewer
def test_window(): ...

@pytest.mark.slow
@pytest.mark.parametrize("n", [1])
def test_slow(n): ...

@pytest.mark.slow
@pytest.mark.viewer
def test_slow_window(): ...

def test_other(): ...
"""
CLOCK = """
import pytest

pytestmark = [pytest.mark.timed, pytest.mark.usefixtures("a")]

def test_timed(): ...
"""


@pytest.fixture
def scope(tmp_path: Path) -> Any:
    """Return what decides by the name of a test with which others it is run."""
    (tmp_path / "some.py").write_text(SOME)
    (tmp_path / "clock.py").write_text(CLOCK)
    schedule = Schedule.__new__(Schedule)
    schedule.config = SimpleNamespace(rootpath=tmp_path)
    return schedule._split_scope


ALONE = {
    "some.py::test_window": "some.py",
    "some.py::test_slow_window": "some.py",
    "clock.py::test_timed": "alone",
}


@pytest.mark.parametrize("virtual", ["1", ""])
def test_windows_have_a_display_or_are_run_by_one_process(
    virtual: str, scope: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VIRTUAL, virtual)
    wanted = ALONE if virtual else dict.fromkeys(ALONE, "alone")
    assert {name: scope(name) for name in ALONE} == wanted


@pytest.mark.skipif(not shutil.which("Xvfb"), reason="virtual displays need Xvfb")
def test_a_display_is_our_own_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", before := os.environ.get("DISPLAY", ""))
    server = start_display()
    try:
        number = os.environ["DISPLAY"].removeprefix(":")
        assert os.environ["DISPLAY"] != before
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"/tmp/.X11-unix/X{number}")
    finally:
        stop_display(server)
    assert server.returncode is not None
    assert not Path(f"/tmp/.X11-unix/X{number}").exists()


def test_files_that_take_long_come_first() -> None:
    mark = pytest.mark
    marks = {
        "quick.py": [],
        "window.py": [mark.viewer.mark],
        "slow.py": [mark.slow.mark, mark.timed.mark],
    }
    quick, *others = (
        SimpleNamespace(path=path, iter_markers=lambda found=found: found)
        for path, found in marks.items()
    )
    items: list[Any] = [quick] * 13 + others
    longest_first(items)
    names = [item.path for item in items]
    assert names == ["window.py", *["quick.py"] * 13, "slow.py"]


def test_files_are_whole_but_for_what_is_slow(scope: Any) -> None:
    assert scope("some.py::test_other[a::b]") == "some.py"
    assert scope("some.py::test_slow[1]") == "some.py::test_slow[1]"
