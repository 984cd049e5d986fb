"""Work on another thread, with its progress in sight and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job, Meter
from napari_neurosynth_results.widgets.common.layout import PlainLabel

_Answer = TypeVar("_Answer")

_POLL_MS = 50
_STEPS = 1000
_MB = 1e6


class BackgroundJob(QWidget):
    """A progress bar and a button to cancel; hidden while nothing is under way."""

    #: How far each part is: name -> percent.
    progressed = Signal(dict)

    def __init__(self) -> None:
        super().__init__()
        self.text = PlainLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.clicked.connect(self.cancel)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self.cancel_button)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._what = ""
        self._job: Job | None = None
        self._meter = Meter()
        self._future: Future[Any] | None = None
        self._done: Callable[[Any], None] | None = None
        self._failed: Callable[[ResultsError], None] | None = None
        self.hide()

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._future is not None

    def start(
        self,
        work: Callable[[Job], _Answer],
        what: str,
        *,
        done: Callable[[_Answer], None],
        failed: Callable[[ResultsError], None],
        expected: int | None = None,
    ) -> None:
        """Start work, one piece at a time.

        Parameters
        ----------
        work : callable
            Called on another thread with the job to report to.
        what : str
            What is done, for people.
        done, failed : callable
            Called on this thread with what `work` returned or raised.
        expected : int, optional
            Bytes that will come.

        Raises
        ------
        ResultsError
            When something is under way still.
        """
        if self.busy:
            raise ResultsError("Another task is running. Wait for it, or cancel it.")
        self._what, self._done, self._failed = what, done, failed
        self._meter = Meter(expected)
        self._job = Job(self._meter.hear)
        # A widget that is closed waits for nothing any more.
        self.destroyed.connect(self._job.cancel)
        pool = ThreadPoolExecutor(1)
        self._future = pool.submit(work, self._job)
        # Its thread ends with the work; nobody waits for it.
        pool.shutdown(wait=False)
        self.cancel_button.setEnabled(True)
        self._show_progress()
        self.show()
        self._timer.start()

    def cancel(self) -> None:
        """Stop what is under way as soon as it looks."""
        if self._job is not None:
            self._job.cancel()
            self.text.setText("Canceling ...")
            self.cancel_button.setEnabled(False)

    def _poll(self) -> None:
        """See how far it is; when it has ended, say so once."""
        future, done, failed = self._future, self._done, self._failed
        if future is None or done is None or failed is None:
            return
        if not future.done():
            self._show_progress()
            return
        self._timer.stop()
        self.hide()
        self._future = self._job = self._done = self._failed = None
        self.progressed.emit({})
        error = future.exception()
        if error is None:
            done(future.result())
        elif isinstance(error, ResultsError):
            failed(error)
        else:
            raise error

    def _show_progress(self) -> None:
        if self._job is None or self._meter is None:
            return
        so_far, total = self._meter.done, self._meter.total
        self.bar.setRange(0, _STEPS if total else 0)
        if total:
            self.bar.setValue(min(_STEPS, so_far * _STEPS // total))
        if self.cancel_button.isEnabled():
            of = f" {size_text(so_far)} of {size_text(total)}" if total > _STEPS else ""
            self.text.setText(f"{self._what}{of}")
        parts = self._meter.parts.items()
        self.progressed.emit(
            {what: 100 * part // whole for what, (part, whole) in parts if whole}
        )


def size_text(nbytes: int | None) -> str:
    """Write a size as in ``0.5 MB``; nothing for an unknown one."""
    return "" if nbytes is None else f"{max(nbytes / _MB, 0.01):.2g} MB"
