"""Work on another thread, with its progress in sight and a way to stop it.

What is closed does nothing more: Qt only hides it, or napari takes it out of its dock,
and Python lets go of it some time later. What is in a dock is left by the keys by which
it is come to.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from magicgui.widgets import Container
from qtpy.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QMainWindow,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QShortcut,
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
    in_reading_order,
)

_Answer = TypeVar("_Answer")

_POLL_MS = 50
_STEPS = 1000
_MB = 1e6
_LOWEST = 120
_NEXT_PANE = "F6"
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
            if began_at is not None and can_focus(began_at):
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


# --- parts of a window, by keys -------------------------------------------------------


def let_stand_alone(container: Container) -> None:
    """Let a container have a dock of its own: scroll, go by keys, and end with it.

    napari's docks do not scroll: what they hold makes the window higher instead.
    """
    outer, inner, area = container.native, ScrolledPane(), QScrollArea()
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
    EnterPresses(outer)
    PaneKeys(outer, FocusMark(outer))
    EndWhenClosed(outer)


class ScrolledPane(QWidget):
    """What scrolls as a whole only where its parts cannot be less high.

    A scroll area gives whatever holds lines of text the height that it would like best:
    tables would scroll, and all of the pane beside them.
    """

    def heightForWidth(self, width: int) -> int:
        """Return the least height that does, lines of text unfolded."""
        layout = self.layout()
        return layout.minimumHeightForWidth(width) if layout is not None else -1


class PaneKeys(QObject):
    """Leads the keyboard from the canvas to a pane of the window, and back.

    F6 goes where the keyboard was in the pane, and from there to the canvas; where
    there are several panes, by way of the next ones. Escape empties a line that
    filters, and else leads to the canvas. What is disabled or goes leaves the keyboard
    to what stands near.

    Parameters
    ----------
    pane : QWidget
        What is in a dock.
    mark : FocusMark
        The line around what has the keyboard in it.
    """

    def __init__(self, pane: QWidget, mark: FocusMark) -> None:
        super().__init__(pane)
        self._mark = mark
        self._return = _FocusReturn(self)
        self._is_leaving = False
        #: What had the keyboard when it was last given away.
        self._left: QWidget | None = None
        shortcut = QShortcut(QKeySequence(_NEXT_PANE), pane)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.activated.connect(self._switch)
        # Of several panes Qt asks one after the other; all give the same answer.
        shortcut.activatedAmbiguously.connect(self._switch)
        pane.installEventFilter(self)
        QApplication.instance().focusChanged.connect(self._hold)

    @property
    def _pane(self) -> QWidget:
        pane = self.parent()
        assert isinstance(pane, QWidget)
        return pane

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Hear of Escape where no part of the pane takes it; name what F6 leads to."""
        kinds = QEvent.Type
        if event.type() == kinds.Show:
            canvas = self._canvas()
            # napari (0.9) gives it none.
            if canvas is not None and not canvas.accessibleName():
                canvas.setAccessibleName("Canvas")
        if event.type() != kinds.KeyPress or event.key() != Qt.Key.Key_Escape:
            return False
        line = QApplication.focusWidget()
        is_filter = isinstance(line, QLineEdit) and line.placeholderText()
        if not (is_filter and line.text() and self._empty(line)):
            self._leave()
        return True

    def _empty(self, line: QLineEdit) -> bool:
        """Empty a line, and say whether there was anything to forget in it."""
        line.clear()
        return True

    # --- to and fro -------------------------------------------------------------------

    def _switch(self) -> None:
        """Go to the next pane, from the last one to the canvas."""
        panes = [
            one for one in self._pane.window().findChildren(PaneKeys) if one.in_sight
        ]
        panes.sort(key=lambda one: one.place)
        here = next((n for n, one in enumerate(panes) if one.has_keyboard), -1)
        if here >= 0:
            panes[here]._leave()
        if here + 1 < len(panes):
            panes[here + 1]._come_back()

    @property
    def in_sight(self) -> bool:
        """Whether the pane can be gone to."""
        return bool(self._pane.isVisible())

    @property
    def place(self) -> tuple[int, int]:
        """Where the pane is in its window, from left to right and down."""
        corner = self._pane.mapTo(self._pane.window(), QPoint())
        return corner.x(), corner.y()

    @property
    def has_keyboard(self) -> bool:
        """Whether the keyboard is in the pane."""
        now = QApplication.focusWidget()
        return now is not None and self._pane.isAncestorOf(now)

    def _come_back(self) -> None:
        """Give the keyboard to what had it, else to the first control."""
        there = filter(can_focus, in_reading_order(self._pane))
        if left := next((one for one in there if one is self._left), None):
            left.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            self._enter()

    def _enter(self) -> None:
        focus_first(self._pane)

    def _leave(self) -> None:
        """Give the keyboard to the canvas."""
        self._is_leaving = True
        self._left = QApplication.focusWidget()
        if (canvas := self._canvas()) is not None:
            canvas.setFocus()
        self._is_leaving = False

    def _canvas(self) -> QWidget | None:
        main = self._pane.window()
        middle = main.centralWidget() if isinstance(main, QMainWindow) else None
        inner = in_reading_order(middle) if middle is not None else []
        return inner[0] if inner else middle

    # --- staying ----------------------------------------------------------------------

    def _hold(self, before: QWidget | None, now: QWidget | None) -> None:
        """Take the keyboard back that nobody has given away.

        A notification of napari (0.9) hands it to the canvas when it fades, in the
        middle of a word.
        """
        clicked = QApplication.mouseButtons() != Qt.MouseButton.NoButton
        if before is None or clicked or self._is_leaving or not self._is_mine(before):
            return
        if not before.isEnabled():
            # What stands beside it is as near as it gets: Qt goes to the next one.
            if now is None or now.parentWidget() is not before.parentWidget():
                self._focus_near(before)
            self._return.expect(before, QApplication.focusWidget())
            return
        if now is not None and self._pane.isAncestorOf(now):
            return
        if not can_focus(before):
            self._focus_near(before)
            return
        canvas = self._canvas()
        if canvas is None or now is None:
            return
        if now is canvas or now.isAncestorOf(canvas):
            self._mark.give_back(before)

    def _is_mine(self, control: QWidget) -> bool:
        return self.in_sight and self._pane.isAncestorOf(control)

    def _focus_near(self, gone: QWidget) -> None:
        """Give the keyboard of what has gone to the control before it, else after it.

        After the last one of the pane Qt gives it to the buttons in the title of the
        dock, where the space bar closes the pane.
        """
        controls = in_reading_order(self._pane)
        at = controls.index(gone) if gone in controls else len(controls)
        for control in (*reversed(controls[:at]), *controls[at:]):
            if can_focus(control):
                control.setFocus(Qt.FocusReason.OtherFocusReason)
                return


class _FocusReturn(QObject):
    """Gives the keyboard back to what lost it because it was disabled for a while.

    Not where somebody has led it on meanwhile, or has begun to work where it was.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._lost: QWidget | None = None
        self._instead: QWidget | None = None

    def expect(self, lost: QWidget, instead: QWidget | None) -> None:
        """Wait until a control can have the keyboard again that another one has."""
        if lost is self._instead and self._lost is not None:
            lost = self._lost
        self._forget()
        if instead is not None:
            self._lost, self._instead = lost, instead
            lost.installEventFilter(self)
            instead.installEventFilter(self)

    def _forget(self) -> None:
        for one in (self._lost, self._instead):
            # What was there for a moment may be gone.
            with suppress(RuntimeError):
                if one is not None:
                    one.removeEventFilter(self)
        self._lost = self._instead = None

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Notice that it is enabled again, or not wanted any more."""
        kinds = QEvent.Type
        if watched is self._instead and event.type() == kinds.KeyPress:
            self._forget()
        elif watched is self._lost and event.type() == kinds.EnabledChange:
            self._give_back()
        return False

    def _give_back(self) -> None:
        lost, instead = self._lost, self._instead
        if lost is None or not lost.isEnabled():
            return
        self._forget()
        if lost.window().focusWidget() is instead and lost.isVisible():
            lost.setFocus(Qt.FocusReason.OtherFocusReason)


def can_focus(control: QWidget) -> bool:
    """Whether the keyboard can be given to a control now."""
    return bool(control.isVisible() and control.isEnabled())


def focus_first(root: QWidget) -> bool:
    """Give the keyboard to the first control of a widget, if there is one."""
    first = next(filter(can_focus, in_reading_order(root)), None)
    if first is not None:
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)
    return first is not None


def size_text(nbytes: int | None) -> str:
    """Write a size as in ``0.5 MB``; nothing for an unknown one."""
    return "" if nbytes is None else f"{max(nbytes / _MB, 0.01):.2g} MB"
