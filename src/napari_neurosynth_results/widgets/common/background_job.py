"""Work on another thread, with its progress in sight and a way to stop it.

What is closed does nothing more: Qt only hides it, or napari takes it out of its dock,
and Python lets go of it some time later.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from magicgui.widgets import Container
from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job, Meter
from napari_neurosynth_results.viewer.progress_bar import show_info, start_thread
from napari_neurosynth_results.widgets.common.layout import (
    ElidedLabel,
    EnterPresses,
    FocusMark,
    PlainLabel,
)

_Answer = TypeVar("_Answer")

_POLL_MS = 50
_STEPS = 1000
_MB = 1e6
_LOWEST = 120
#: The first line is what napari shows.
_ENDED = "Canceled: the panel was closed.\nTo let it go on, hide the panel instead."


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
        self._is_canceled = False
        #: What had the keyboard when the work began.
        self._began_at: QWidget | None = None
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
        self._is_canceled, self._began_at = False, QApplication.focusWidget()
        self._meter = Meter(expected)
        self._job = Job(self._meter.hear)
        # With its window it goes at once. The job is told, which its thread holds: what
        # Python collects together with a widget cannot be called any more.
        self.destroyed.connect(self._job.cancel)
        self._future = start_thread(work, self._job)
        self._show_progress()
        self.show()
        self._timer.start()

    def cancel(self) -> None:
        """Stop what is under way as soon as it looks."""
        if self._job is not None:
            self._job.cancel()
            self._is_canceled = True
            # The button stays as it is: disabled it would lose the keyboard.
            self.text.setText("Canceling ...")

    def end(self) -> bool:
        """Stop what is under way, and tell nobody what comes of it.

        Returns
        -------
        bool
            Whether something was.
        """
        was_busy = self.busy
        if self._job is not None:
            self._job.cancel()
        self._become_idle()
        return was_busy

    def _become_idle(self) -> None:
        self._timer.stop()
        self.hide()
        if self._job is not None:
            self.destroyed.disconnect(self._job.cancel)
        self._future = self._job = self._done = self._failed = None
        self._began_at = None

    def _poll(self) -> None:
        """See how far it is; when it has ended, say so once."""
        future, done, failed = self._future, self._done, self._failed
        if future is None or done is None or failed is None:
            return
        if not future.done():
            self._show_progress()
            return
        began_at = self._began_at if self.cancel_button.hasFocus() else None
        self._become_idle()
        self.progressed.emit({})
        error = future.exception()
        if error is None:
            done(future.result())
        elif isinstance(error, ResultsError):
            failed(error)
        else:
            raise error
        # What has gone meanwhile has no part in Qt any more.
        with suppress(RuntimeError):
            if began_at is not None and began_at.isVisible() and began_at.isEnabled():
                began_at.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_progress(self) -> None:
        if self._job is None or self._meter is None:
            return
        so_far, total = self._meter.done, self._meter.total
        self.bar.setRange(0, _STEPS if total else 0)
        if total:
            self.bar.setValue(min(_STEPS, so_far * _STEPS // total))
        if not self._is_canceled:
            of = f" {size_text(so_far)} of {size_text(total)}" if total > _STEPS else ""
            self.text.setText(f"{self._what}{of}")
        parts = self._meter.parts.items()
        self.progressed.emit(
            {what: 100 * part // whole for what, (part, whole) in parts if whole}
        )


class WaitLine(QWidget):
    """Says what the window waits for, with a way to cancel it, and what came of it."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ElidedLabel()
        self.text.setAccessibleName("What is waited for")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.button = QPushButton("Close")
        self.button.clicked.connect(self._press)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 2)
        layout.addWidget(self.text, 2)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self.button)
        self._job: Job | None = None
        #: Who has asked to cancel is not asked again.
        self._is_canceled = False
        self.hide()

    def show_wait(self, what: str, job: Job, meter: Meter) -> None:
        """Say how far something is; once it is written, that it cannot be canceled."""
        if job is not self._job:
            self._job, self._is_canceled = job, False
            self.button.setText("Cancel")
        total = meter.total
        self.bar.setRange(0, _STEPS if total else 0)
        if total:
            self.bar.setValue(min(_STEPS, meter.done * _STEPS // total))
        self.button.setEnabled(not (job.is_writing or self._is_canceled))
        if job.is_writing:
            self.button.setToolTip(
                "The file is being written: it is too late to cancel"
            )
            self._say(f"{what}: writing the file ...")
        else:
            self.button.setToolTip("")
            self._say("Canceling ..." if self._is_canceled else f"{what} ...")
        self.bar.show()
        self.show()

    def end_wait(self, told: str = "") -> None:
        """Say what came of it until that is closed, or nothing."""
        self._job = None
        self.bar.hide()
        self.button.setText("Close")
        self.button.setToolTip("")
        self.button.setEnabled(True)
        # Of a long path the name of the file is seen.
        folder, slash, name = told.rpartition(os.sep)
        self._say(folder, slash + name)
        self.setVisible(bool(told))

    def _say(self, text: str, end: str = "") -> None:
        if text + end != self.text.text():
            self.text.say(text, end)

    def _press(self) -> None:
        if self._job is None:
            self.hide()
        else:
            self._is_canceled = True
            self._job.cancel()


class EndWhenClosed(QObject):
    """Ends all that a widget has under way once it is closed, or its dock lets it go.

    Parameters
    ----------
    widget : QWidget
        What is in the dock, or a window of its own. It can be shown again.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.installEventFilter(self)

    def eventFilter(self, widget: QObject, event: QEvent) -> bool:
        """Notice that the widget is closed, or has no parent any more."""
        closed = event.type() == QEvent.Type.Close
        if closed or (
            event.type() == QEvent.Type.ParentChange and widget.parent() is None
        ):
            _end_all(widget)
        return False


def _end_all(widget: QObject) -> None:
    """Stop all timers and jobs of a widget that was closed, and let go of it soon."""
    for timer in widget.findChildren(QTimer):
        timer.stop()
    ended = [job.end() for job in widget.findChildren(BackgroundJob)]
    if any(ended):
        show_info(_ENDED)
    # It listens to its viewer until it is gone. Not at once: it may be in use here, and
    # what Python collects in the middle of its own event ends the process.
    kept = [widget]

    def let_go() -> None:
        kept.clear()
        gc.collect()

    QTimer.singleShot(0, let_go)


def let_stand_alone(container: Container) -> None:
    """Let a container have a dock of its own: scroll, go by keys, and end with it.

    napari's docks do not scroll: what they hold makes the window higher instead.
    """
    outer, inner, area = container.native, QWidget(), _DockArea()
    # Moves the layout, and all widgets in it, into the area.
    inner.setLayout(outer.layout())
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setMinimumHeight(_LOWEST)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(inner)
    layout = QVBoxLayout(outer)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(area)
    FocusMark(outer)
    EnterPresses(outer)
    EndWhenClosed(outer)


class _DockArea(QScrollArea):
    """Keeps the keyboard in a dock when the control that has it is disabled.

    Qt goes on to the next one: after the last to the title of the dock, where the
    space bar closes it.
    """

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Go back from what is disabled, and else where the Tab key leads."""
        now = QApplication.focusWidget()
        is_gone = now is not None and not now.isEnabled()
        return bool(super().focusNextPrevChild(forward and not is_gone))


def size_text(nbytes: int | None) -> str:
    """Write a size as in ``0.5 MB``; nothing for an unknown one."""
    return "" if nbytes is None else f"{max(nbytes / _MB, 0.01):.2g} MB"
