"""Work on other threads leaves the window's garbage alone."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from qtpy.QtCore import QTimer

from napari_neurosynth_results.job import LEFT_BEHIND, CancelledError, Job
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
    garbage = progress_bar._garbage
    wait_until(lambda: gc.isenabled() and garbage._timer is None, qtbot)


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


@pytest.mark.viewer
def test_what_is_waited_for_is_cancelled_when_waiting_fails(
    make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_napari_viewer()
    ends = threading.Event()

    def work(job: Job) -> None:
        while not ends.wait(0.01):
            job.check()

    def fail(**_: Any) -> None:
        # Where nobody cancels it, it ends by itself, and the test fails.
        threading.Timer(5, ends.set).start()
        raise KeyboardInterrupt

    monkeypatch.setattr("napari.utils.cancelable_progress", fail)
    with pytest.raises(KeyboardInterrupt):
        wait_for(work, "Waiting")
    assert not ends.is_set()


@pytest.mark.viewer
def test_what_was_cancelled_lets_go_of_the_window_at_once(
    make_napari_viewer: Any, qtbot: Any
) -> None:
    make_napari_viewer()
    has_waited(qtbot)

    def work(job: Job) -> None:
        raise CancelledError("Canceled.")

    def ask() -> weakref.ref[Heard]:
        in_hand = Heard([])
        del in_hand.itself
        with suppress(CancelledError):
            wait_for(work, "Waiting")
        return weakref.ref(in_hand)

    assert ask()() is None
    # No garbage was collected, nor will be until the window has its turn.
    assert not gc.isenabled()


@pytest.mark.viewer
def test_a_closed_window_is_told_no_answer(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    closed = threading.Event()

    def work(job: Job) -> str:
        # Some work cannot be stopped.
        closed.wait(10)
        return "an answer"

    def close() -> None:
        viewer.close()
        closed.set()

    QTimer.singleShot(50, close)
    with pytest.raises(CancelledError):
        wait_for(work, "Waiting", viewer)


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


@pytest.mark.parametrize("why", ["no Qt", "nothing is to be collected"])
def test_what_a_thread_returned_is_held_by_nobody_else(
    monkeypatch: pytest.MonkeyPatch, qtbot: Any, why: str
) -> None:
    has_waited(qtbot)
    if why == "no Qt":
        monkeypatch.delitem(sys.modules, "qtpy.QtCore")
    else:
        gc.disable()
    try:
        answer = start_thread(lambda: Heard([])).result(10)
        del answer.itself
        ref = weakref.ref(answer)
        del answer
        # The thread lets go of it last.
        until = time.monotonic() + 10
        while ref() is not None and time.monotonic() < until:
            time.sleep(0.01)
        assert ref() is None
    finally:
        gc.enable()


def test_no_other_thread_collects_although_somebody_lets_python_do_so(
    qtbot: Any,
) -> None:
    has_waited(qtbot)
    going = threading.Event()

    def work() -> None:
        going.wait(10)
        make_objects()

    future = start_thread(work)
    gc.enable()
    wait_until(lambda: not gc.isenabled(), qtbot)
    threads: list[threading.Thread] = []
    Heard(threads)
    going.set()
    wait_until(future.done, qtbot)
    has_waited(qtbot)
    gc.collect()
    assert threads == [threading.main_thread()]


def test_a_thread_that_was_left_behind_collects_nothing(qtbot: Any) -> None:
    has_waited(qtbot)
    going = threading.Event()

    def linger() -> None:
        going.wait(10)
        make_objects()

    def leave_it() -> threading.Thread:
        thread = threading.Thread(target=linger, name=f"{LEFT_BEHIND}test")
        thread.start()
        return thread

    future = start_thread(leave_it)
    wait_until(future.done, qtbot)
    qtbot.wait(4 * progress_bar._LOOK_MS)
    threads: list[threading.Thread] = []
    Heard(threads)
    going.set()
    wait_until(lambda: not future.result().is_alive(), qtbot)
    has_waited(qtbot)
    gc.collect()
    assert threads == [threading.main_thread()]


def test_old_garbage_is_collected_also_while_a_thread_does_not_end(
    monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    monkeypatch.setattr(progress_bar, "_OLD", 0.2)
    has_waited(qtbot)
    threads: list[threading.Thread] = []
    old = Heard(threads)
    # From now on only a search through all finds it.
    gc.collect()
    del old
    ends = threading.Event()
    start_thread(ends.wait)
    try:
        wait_until(lambda: bool(threads), qtbot)
    finally:
        ends.set()
    assert threads == [threading.main_thread()]
    has_waited(qtbot)


def test_threads_give_way_soon_as_long_as_one_of_them_works() -> None:
    before = sys.getswitchinterval()
    first, second = threading.Event(), threading.Event()
    works = start_thread(first.wait), start_thread(second.wait)
    during = [sys.getswitchinterval()]
    first.set()
    works[0].result(10)
    during.append(sys.getswitchinterval())
    second.set()
    works[1].result(10)
    assert during == [pytest.approx(progress_bar._TURN)] * 2
    failed = start_thread(lambda: 1 / 0)
    assert isinstance(failed.exception(10), ZeroDivisionError)
    # What a thread does last comes after its answer.
    until = time.monotonic() + 10
    while sys.getswitchinterval() != before and time.monotonic() < until:
        time.sleep(0.01)
    assert sys.getswitchinterval() == before


@pytest.mark.viewer
def test_the_window_has_its_turn_more_often_than_the_bar_moves(
    make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_napari_viewer()
    monkeypatch.setattr(progress_bar, "_PATIENCE", 0)
    monkeypatch.setattr(progress_bar, "_BAR_STEP", 0.3)
    turns: list[None] = []
    told: list[object] = []
    monkeypatch.setattr(progress_bar, "_tell", lambda panels, say: told.append(say))
    timer = QTimer()
    timer.timeout.connect(lambda: turns.append(None))
    timer.start(0)

    def work(job: Job) -> None:
        until = time.monotonic() + 10
        while not told and time.monotonic() < until:
            time.sleep(0.01)

    wait_for(work, "Waiting")
    timer.stop()
    # In the end, that it is over.
    assert len(told) == 2
    assert len(turns) >= 10
