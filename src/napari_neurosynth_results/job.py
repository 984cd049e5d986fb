"""One thing that a user waits for: it says how far it is, and it can be canceled."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from napari_neurosynth_results.errors import ResultsError

#: Called with what is being done, how much of it is done, and of how much in all (None
#: when unknown), in bytes for a download; on whichever thread does the work.
Progress = Callable[[str, int, int | None], None]
#: How the names of threads begin that may go on after whoever waited for them left.
LEFT_BEHIND = "nnr-"

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class CancelledError(ResultsError):
    """The user stopped it; nothing is wrong."""


class Job:
    """Progress and cancellation, handed down to whatever takes time.

    Parameters
    ----------
    progress : callable, optional
        Hears how far things are.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._cancelled = threading.Event()
        self._is_writing = False

    def report(self, what: str, done: int, total: int | None = None) -> None:
        """Tell how far it is; raises `CancelledError` once it is stopped."""
        self.check()
        if self._progress is not None:
            self._progress(what, done, total)

    def cancel(self) -> None:
        """Stop at the next check, from any thread."""
        self._cancelled.set()

    def begin_writing(self) -> None:
        """Go to the end from here on: who cancels later is too late.

        What is half written would be of no use, and nobody should be told that nothing
        was saved where a file is.
        """
        self.check()
        self._is_writing = True

    @property
    def is_writing(self) -> bool:
        """Whether it is too late to cancel."""
        return self._is_writing

    def check(self) -> None:
        """Raise `CancelledError` when the job was stopped."""
        if self._cancelled.is_set() and not self._is_writing:
            raise CancelledError("Canceled.")

    def wait(self, seconds: float) -> None:
        """Sleep, unless the job is cancelled, which raises `CancelledError` at once."""
        self._cancelled.wait(seconds)
        self.check()


@contextmanager
def helping_threads(n: int) -> Iterator[ThreadPoolExecutor]:
    """Have threads help for a moment whoever waits for them.

    They leave Python's garbage to him: there may be widgets in it, which only the
    thread that made them may take apart.

    Parameters
    ----------
    n : int
        So many at most.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with ThreadPoolExecutor(n) as pool:
            yield pool
    finally:
        if collects:
            gc.enable()


def do_both(
    work: Callable[[_Given], _Made], one: _Given, other: _Given, *, on_threads: bool
) -> tuple[_Made, _Made]:
    """Do the same with two things, side by side where that pays.

    Parameters
    ----------
    work : callable
        Best something long that needs no interpreter, as numpy's large loops.
    one, other : object
        What it is done with.
    on_threads : bool
        Whether it takes much longer than starting a thread.

    Returns
    -------
    tuple
        What comes of both.
    """
    if not on_threads:
        return work(one), work(other)
    with helping_threads(2) as pool:
        first, second = pool.map(work, (one, other))
    return first, second


class Meter:
    """Adds up what the parts of a job report, for a bar that somebody looks at.

    Parameters
    ----------
    expected : int, optional
        Bytes that all parts will have in the end; else what they have said so far.
    """

    def __init__(self, expected: int | None = None) -> None:
        self._expected = expected
        self._parts: dict[str, tuple[int, int | None]] = {}
        self._lock = threading.Lock()

    def hear(self, what: str, done: int, total: int | None) -> None:
        """Take a report, from any thread: this is a `Progress`."""
        with self._lock:
            self._parts[what] = (done, total)

    @property
    def done(self) -> int:
        """Sum of what the parts have done."""
        with self._lock:
            return sum(done for done, _ in self._parts.values())

    @property
    def total(self) -> int:
        """What there is to do; 0 while nobody knows."""
        with self._lock:
            if self._expected:
                return max(self._expected, 1)
            totals = [total for _, total in self._parts.values()]
        return sum(total for total in totals if total) if all(totals) else 0

    @property
    def parts(self) -> dict[str, tuple[int, int | None]]:
        """What is under way: name -> done and total, without what is finished."""
        with self._lock:
            return {
                what: (done, total)
                for what, (done, total) in self._parts.items()
                if done != total
            }
