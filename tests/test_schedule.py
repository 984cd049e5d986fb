"""Tests beside each other: what a neighbor would disturb is run by one process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.schedule import Schedule

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


def test_windows_and_clocks_are_run_by_one_process(scope: Any) -> None:
    names = (
        "some.py::test_window",
        "some.py::test_slow_window",
        "clock.py::test_timed",
    )
    assert {scope(name) for name in names} == {"alone"}


def test_files_are_whole_but_for_what_is_slow(scope: Any) -> None:
    assert scope("some.py::test_other[a::b]") == "some.py"
    assert scope("some.py::test_slow[1]") == "some.py::test_slow[1]"
