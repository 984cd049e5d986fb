"""Work on other threads leaves the window's garbage alone."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from napari_neurosynth_results.viewer import progress_bar
from napari_neurosynth_results.viewer.progress_bar import (
    collect_later,
    start_thread,
    wait_for,
)


class Heard:
    """In a circle with itself, as widgets are; tells on which thread it was deleted."""

    threads: list[threading.Thread]

    def __init__(self, threads: list[threading.Thread]) -> None:
        self.threads, self.itself = threads, self

    def __del__(self) -> None:
        self.threads.append(threading.current_thread())


def make_objects(*_: Any) -> int:
    """Make so many objects that Python collects garbage several times."""
    kept = [[{}] for _ in range(100_000)]
    # The window has its turn meanwhile.
    time.sleep(0.3)
    return len(kept)


def wait_until(true: Callable[[], bool], qtbot: Any) -> None:
    qtbot.waitUntil(true, timeout=10_000)


def has_waited(qtbot: Any) -> None:
    wait_until(lambda: gc.isenabled() and progress_bar._garbage._timer is None, qtbot)


@pytest.mark.viewer
def test_only_the_main_thread_collects(make_napari_viewer: Any, qtbot: Any) -> None:
    make_napari_viewer()
    has_waited(qtbot)
    threads: list[threading.Thread] = []
    Heard(threads)
    assert wait_for(make_objects, "Making objects") == 100_000
    # What is young does not wait until the work is over.
    assert threads == [threading.main_thread()]
    Heard(threads)
    future = start_thread(make_objects)
    wait_until(future.done, qtbot)
    has_waited(qtbot)
    gc.collect()
    assert threads == [threading.main_thread()] * 2


def test_garbage_is_looked_for_again_by_itself(
    monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    monkeypatch.setattr(progress_bar, "_PAUSE", 0.2)
    has_waited(qtbot)
    collect_later()
    collect_later()
    assert not gc.isenabled()
    threads: list[threading.Thread] = []
    Heard(threads)
    make_objects()
    assert not threads
    has_waited(qtbot)
    gc.disable()
    try:
        # Somebody who wants no garbage collected at all is let be.
        collect_later()
        qtbot.wait(400)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_thread_tells_what_its_work_returns_or_raises() -> None:
    future = start_thread(lambda: threading.current_thread())
    assert future.result(10) is not threading.main_thread()
    with pytest.raises(ZeroDivisionError):
        start_thread(lambda: 1 / 0).result(10)
