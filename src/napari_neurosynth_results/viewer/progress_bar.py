"""Work on other threads, progress in sight with cancel at hand, and notifications.

napari calls readers on the thread that draws, so the work is done on another one while
the window stays alive. Its notifications guess whether a text is HTML: all of ours go
through `notify`, because names of others are in them.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Protocol, TypeVar, runtime_checkable

from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.job import LEFT_BEHIND, CancelledError, Job, Meter
from napari_neurosynth_results.viewer.napari_private import is_closed

_Answer = TypeVar("_Answer")

#: So often the window has its turn while it waits, seconds; and often enough for a
#: smooth bar.
_STEP, _BAR_STEP = 0.01, 0.04
#: So soon it has its turn while another thread has it, seconds, and not Python's 5 ms.
_TURN = 0.0005
#: What is done sooner has no bar: to make one takes as long as many folders.
_PATIENCE = 0.5
#: What cannot be cancelled any more.
WRITING = "writing the file; too late to cancel"
#: So long after a result was opened no garbage is looked for, seconds.
_PAUSE = 5.0
#: So often the main thread looks for garbage while others work, milliseconds.
_LOOK_MS = 50
#: And so often for old garbage, seconds: work may take long, or never end.
_OLD = 60.0


@runtime_checkable
class WaitPanel(Protocol):
    """A panel in napari's window that says what is waited for."""

    def show_wait(self, what: str, job: Job, meter: Meter) -> bool:
        """Say what is done and how far it is, with a way to cancel it; if in sight."""

    def end_wait(self, told: str = "") -> bool:
        """Say what came of it, or nothing; and whether in sight."""


class _Garbage:
    """Leaves Python's garbage to the main thread while another works.

    Garbage is collected by whichever thread makes the next object. There may be widgets
    in it, and Qt crashes when they are taken apart on another thread than its own. And
    to look among the million objects that a running napari has takes a tenth of a
    second or more, in which no thread goes on: a figure makes so many objects that it
    happens in the middle. So only young ones are looked through, and once a minute all.
    """

    def __init__(self) -> None:
        # Not the work itself: an error that it raised holds everything, down to the
        # window, that the frames that waited for it have in hand.
        self._work: list[weakref.ref[Future[Any]]] = []
        self._pause_ends = self._old_next = 0.0
        self._timer: Any = None

    def leave(self, *work: Future[Any], seconds: float = 0) -> None:
        """Have no other thread collect until some work is done, and nobody for a while.

        Without an application of Qt there is nothing to fear. Where no window has its
        turn after the work, as in a script, it stays so until one has.
        """
        core = sys.modules.get("qtpy.QtCore")
        app = core.QCoreApplication.instance() if core is not None else None
        if core is None or app is None:
            return
        now = time.monotonic()
        if self._timer is None:
            # Somebody who wants no garbage collected at all is let be.
            if not _is_main_thread() or not gc.isenabled():
                return
            self._timer = core.QTimer(app)
            self._timer.timeout.connect(self._look)
            self._timer.start(_LOOK_MS)
            self._old_next = now + _OLD
        self._work.extend(weakref.ref(one) for one in work)
        self._pause_ends = max(self._pause_ends, now + seconds)
        gc.disable()

    def _waits(self) -> bool:
        return time.monotonic() < self._pause_ends

    def _look(self) -> None:
        """Collect what is young, as Python would; or let it do so itself again."""
        # Its thread holds what is not done.
        alive = ((one, one()) for one in self._work)
        self._work = [one for one, work in alive if work and not work.done()]
        if not (self._work or self._waits() or _is_left_behind()):
            self._end()
            return
        # Others may have enabled it.
        gc.disable()
        if self._waits():
            return
        counts, most = gc.get_count(), gc.get_threshold()
        if time.monotonic() > self._old_next:
            gc.collect()
            self._old_next = time.monotonic() + _OLD
        elif 0 < most[0] < counts[0]:
            gc.collect(int(counts[1] > most[1]))

    def _end(self) -> None:
        self._timer.stop()
        self._timer.deleteLater()
        self._timer = None
        gc.enable()


class _Turns:
    """Has threads that work give way soon to the one that draws.

    To draw the canvas calls the graphics card hundreds of times, and after each call
    the thread that draws asks for its turn anew. Beside a thread that works, a picture
    took twice as long as alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n, self._before = 0, _TURN

    def shorten(self, work: Future[Any]) -> None:
        """Have short turns until some work is done."""
        with self._lock:
            if self._n == 0:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(_TURN, self._before))
            self._n += 1
        work.add_done_callback(self._end)

    def _end(self, work: Future[Any]) -> None:
        with self._lock:
            self._n -= 1
            if self._n == 0:
                sys.setswitchinterval(self._before)


_garbage = _Garbage()
_turns = _Turns()


def _is_left_behind() -> bool:
    """Tell whether a thread goes on for which nobody waits any more."""
    return any(one.name.startswith(LEFT_BEHIND) for one in threading.enumerate())


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def start_thread(work: Callable[..., _Answer], *args: Any) -> Future[_Answer]:
    """Do something on a thread of its own, which nobody has to end.

    Parameters
    ----------
    work : callable
        Called with `args`; never touches layers or widgets.

    Returns
    -------
    Future
        What it will return or raise.
    """
    pool = ThreadPoolExecutor(1)
    # Before it makes its first object; there is a future to wait for from then on.
    _garbage.leave()
    future = pool.submit(work, *args)
    _garbage.leave(future)
    _turns.shorten(future)
    pool.shutdown(wait=False)
    return future


def collect_later() -> None:
    """Let nobody who waits for a picture wait for Python's garbage as well.

    The first result loads modules and makes widgets; so many new objects set off a
    search through all that a running napari has, a million, and hardly any of it is
    garbage. A few seconds later it is looked for again.
    """
    _garbage.leave(seconds=_PAUSE)


def wait_for(work: Callable[[Job], _Answer], what: str, viewer: Any = None) -> _Answer:
    """Do something slow, in the window with a progress bar that can cancel it.

    The panel has the bar. Where it is out of sight napari has one, which takes a tenth
    of a second to make.

    Parameters
    ----------
    work : callable
        Called with the job to report to; never touches layers or widgets.
    what : str
        What is done, for people.
    viewer : Viewer, optional
        Whom it is done for: closing its window cancels. The one in front when not
        given.

    Returns
    -------
    object
        What `work` returns.

    Raises
    ------
    CancelledError
        When the user cancelled, or closed the window; and whatever else `work` raises.
    """
    napari = sys.modules.get("napari")
    if napari is None or (front := napari.current_viewer()) is None:
        return work(Job())
    waits = viewer if viewer is not None else front
    from napari.qt import get_qapp
    from napari.utils import cancelable_progress

    meter = Meter()
    job = Job(meter.hear)
    app = get_qapp()
    # What is closed meanwhile may be what asked for it, and is needed until it goes on.
    panels = _panels_of(waits)
    began = told = time.monotonic()
    bar: Any = None
    future = start_thread(work, job)
    try:
        while not wait([future], _STEP).done:
            now = time.monotonic()
            if now - began > _PATIENCE and now - told > _BAR_STEP:
                told = now
                seen = _tell(panels, lambda panel: panel.show_wait(what, job, meter))
                if bar is None and not seen:
                    bar = cancelable_progress(desc=what, total=0)
                if bar is not None:
                    bar.total = meter.total
                    bar.update(meter.done - bar.n)
                    if job.is_writing:
                        bar.set_description(f"{what}: {WRITING}")
            app.processEvents()
            if is_closed(waits) or (bar is not None and bar.is_canceled):
                job.cancel()
        answer = future.result()
        if is_closed(waits):
            # Also where the work was over by then: nobody is left to show it.
            raise CancelledError("The window was closed.")
        return answer
    finally:
        # Whoever stops it from outside waits no longer than until it looks.
        job.cancel()
        wait([future])
        if bar is not None:
            bar.close()
        if told > began:
            _tell(panels, lambda panel: panel.end_wait())
        panels.clear()
        # An error in it holds this frame, which holds it: so they go at once.
        del future


def _panels_of(viewer: Any) -> list[Any]:
    docks = getattr(getattr(viewer, "window", None), "dock_widgets", {})
    return list(docks.values())


def _tell(panels: Sequence[Any], say: Callable[[WaitPanel], object]) -> bool:
    """Tell panels something; and whether one of them says yes to it."""
    answers = []
    for panel in panels:
        if isinstance(panel, WaitPanel):
            # Qt's part of one that was closed meanwhile may be gone.
            with suppress(RuntimeError):
                answers.append(say(panel))
    return any(answers)


def tell_in_panel(text: str) -> bool:
    """Say in the panel what came of what was waited for; and whether it is in sight."""
    napari = sys.modules.get("napari")
    viewer = napari.current_viewer() if napari is not None else None
    return _tell(_panels_of(viewer), lambda panel: panel.end_wait(text))


def notify(
    text: str,
    severity: str,
    actions: Sequence[tuple[str, Callable[[Any], object]]] = (),
) -> None:
    """Show a notification of napari.

    Parameters
    ----------
    text : str
        Shown as it is: no tag in it counts.
    severity : {"info", "warning", "error"}
        How it is marked.
    actions : sequence of (str, callable)
        Buttons, and what is called with the dialog when one is pressed.
    """
    from napari.utils.notifications import Notification, notification_manager

    notification_manager.dispatch(
        Notification(for_qt(text), severity=severity, actions=tuple(actions))
    )


def show_info(text: str) -> None:
    """Say in a notification what was done."""
    notify(text, "info")


def show_warning(text: str) -> None:
    """Say in a notification what to look at."""
    notify(text, "warning")


def show_error(text: str) -> None:
    """Say in a notification what could not be done."""
    notify(text, "error")
