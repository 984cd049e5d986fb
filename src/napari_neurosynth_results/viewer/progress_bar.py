"""Waiting for a server while the window stays alive: progress in sight, cancel at hand.

napari calls readers on the thread that draws, so the work is done on another one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from napari_neurosynth_results.job import Job, Meter

_Answer = TypeVar("_Answer")

#: Often enough for a smooth bar.
_STEP = 0.04


def wait_for(work: Callable[[Job], _Answer], what: str) -> _Answer:
    """Do something slow, in napari's window with a progress bar that can cancel it.

    Parameters
    ----------
    work : callable
        Called with the job to report to; never touches layers or widgets.
    what : str
        What is done, for people.

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
    if napari is None or napari.current_viewer() is None:
        return work(Job())
    from napari.qt import get_qapp
    from napari.utils import cancelable_progress

    meter = Meter()
    job = Job(meter.hear)
    app = get_qapp()
    bar = cancelable_progress(desc=what, total=0)
    try:
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work, job)
            while not wait([future], _STEP).done:
                bar.total = meter.total
                bar.update(meter.done - bar.n)
                app.processEvents()
                if bar.is_canceled:
                    job.cancel()
            return future.result()
    finally:
        bar.close()
