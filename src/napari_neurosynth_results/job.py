"""One thing that a user waits for: it says how far it is, and it can be cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable

from napari_neurosynth_results.errors import ResultsError

#: Called with what is being done, how much of it is done, and of how much in all (None
#: when unknown), in bytes for a download; on whichever thread does the work.
Progress = Callable[[str, int, int | None], None]


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

    def report(self, what: str, done: int, total: int | None = None) -> None:
        """Tell how far it is; raises `CancelledError` once it is stopped."""
        self.check()
        if self._progress is not None:
            self._progress(what, done, total)

    def cancel(self) -> None:
        """Stop at the next check, from any thread."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise `CancelledError` when the job was stopped."""
        if self._cancelled.is_set():
            raise CancelledError("Cancelled.")

    def wait(self, seconds: float) -> None:
        """Sleep, unless the job is cancelled, which raises `CancelledError` at once."""
        self._cancelled.wait(seconds)
        self.check()
