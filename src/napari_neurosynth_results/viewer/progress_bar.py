"""What napari tells: progress in sight with cancel at hand, and notifications.

napari calls readers on the thread that draws, so the work is done on another one while
the window stays alive. Its notifications guess whether a text is HTML: all of ours go
through `notify`, because names of others are in them.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.job import Job, Meter
from napari_neurosynth_results.viewer.napari_private import is_closed

_Answer = TypeVar("_Answer")

#: Often enough for a smooth bar, seconds.
_STEP = 0.04
#: What is done sooner has no bar: to make one takes as long as many folders.
_PATIENCE = 0.5
#: New objects that are looked through for garbage at once: some milliseconds.
_MANY_OBJECTS = 20_000


def wait_for(work: Callable[[Job], _Answer], what: str, viewer: Any = None) -> _Answer:
    """Do something slow, in napari's window with a progress bar that can cancel it.

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
        When the user cancelled; and whatever else `work` raises.
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
    panels = [*getattr(getattr(waits, "window", None), "dock_widgets", {}).values()]
    began, bar = time.monotonic(), None
    try:
        with ThreadPoolExecutor(1) as pool, _young_garbage_alone() as collect:
            future = pool.submit(work, job)
            while not wait([future], _STEP).done:
                collect()
                if bar is None and time.monotonic() - began > _PATIENCE:
                    bar = cancelable_progress(desc=what, total=0)
                if bar is not None:
                    bar.total = meter.total
                    bar.update(meter.done - bar.n)
                app.processEvents()
                if is_closed(waits) or (bar is not None and bar.is_canceled):
                    job.cancel()
            return future.result()
    finally:
        if bar is not None:
            bar.close()
        panels.clear()


@contextmanager
def _young_garbage_alone() -> Iterator[Callable[[], None]]:
    """Keep Python from looking for garbage among all that a running napari has.

    A million objects take it a tenth of a second or more, in which no thread can do
    anything else: a figure makes so many that it happens in the middle. Its own garbage
    is young, and looked for alone, by what is given here, whenever there is enough.
    """
    if not gc.isenabled():
        # Somebody else sees to it.
        yield lambda: None
        return

    def collect() -> None:
        if gc.get_count()[0] > _MANY_OBJECTS:
            gc.collect(1)

    gc.disable()
    try:
        yield collect
    finally:
        gc.enable()


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
