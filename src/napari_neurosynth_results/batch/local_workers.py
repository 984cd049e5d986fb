"""A batch on this machine, in processes of its own.

Threads do not help: maps are inflated without the interpreter's lock, but labeling and
tables hold it, and those take most of the time.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from itertools import islice

from napari_neurosynth_results.batch.inputs import BatchSource
from napari_neurosynth_results.batch.one_source import Answer, Record, ask_source
from napari_neurosynth_results.batch.output_folder import BatchFolder
from napari_neurosynth_results.batch.request import BatchRequest
from napari_neurosynth_results.errors import ResultsError

#: Called with the record of each source that is through.
RecordListener = Callable[[Record], None]

_MOST_WORKERS = 8
#: In seconds; how long Ctrl+C may take where waiting cannot be interrupted.
_PATIENCE = 0.5
#: glibc's ``mallopt`` (malloc.h): free memory at the end of the heap that is kept, and
#: the size from which on an array is mapped by itself; bytes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = (-1, 128 << 20), (-3, 32 << 20)
#: Starting a process takes about as long as this many results.
_WORTH_A_WORKER = 4
_NO_START = (
    "The worker processes cannot start. In a script, call run_batch beneath "
    '`if __name__ == "__main__":`, or do without them: workers=0.'
)
_DIED = (
    "The process that opened it ended twice without a message: it may need more memory "
    "than there is. Open it alone to see."
)


def default_workers(n_sources: int) -> int:
    """Choose how many processes to start for so many sources.

    Parameters
    ----------
    n_sources : int
        Sources to open.

    Returns
    -------
    int
        At most one a core that this process may use, and 8.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _MOST_WORKERS, n_sources // _WORTH_A_WORKER))


def run_locally(
    sources: Sequence[BatchSource],
    request: BatchRequest,
    folder: BatchFolder,
    *,
    workers: int,
    on_record: RecordListener,
) -> None:
    """Ask sources on this machine.

    Parameters
    ----------
    workers : int
        Processes; 0 for none but this one.
    on_record : callable
        Hears of each source that is through, on this thread.

    Raises
    ------
    ResultsError
        When workers cannot start, or the folder cannot be written.
    """
    if not workers:
        for source in sources:
            on_record(_ask_and_save(source, request, folder))
        return
    left = list(sources)
    while left:
        finished: set[str] = set()
        started: set[str] = set()

        def through(record: Record, finished: set[str] = finished) -> None:
            finished.add(record.name)
            on_record(record)

        try:
            n = min(workers, len(left))
            with _pool(n) as pool:
                _compute(left, request, folder, through, started, pool, n)
            return
        except BrokenExecutor as error:
            suspects = [s for s in left if s.name in started - finished]
            if not suspects:
                raise ResultsError(_NO_START) from error
        # One of those that were open has ended its process, and the others with it.
        for source in suspects:
            _ask_alone(source, request, folder, through)
        left = [source for source in left if source.name not in finished]


def _ask_alone(
    source: BatchSource,
    request: BatchRequest,
    folder: BatchFolder,
    on_record: RecordListener,
) -> None:
    """Ask a source in a process that it can take nobody down with."""
    try:
        with _pool(1) as pool:
            _compute([source], request, folder, on_record, set(), pool, 1)
    except BrokenExecutor:
        on_record(folder.save(Answer(Record.failure(source, _DIED), {})))


def _compute(
    sources: Sequence[BatchSource],
    request: BatchRequest,
    folder: BatchFolder,
    on_record: RecordListener,
    started: set[str],
    pool: ProcessPoolExecutor,
    workers: int,
) -> None:
    """Let workers ask sources one by one; each writes the answer that it found."""
    left, running = iter(sources), set[Future[Record]]()
    # One more than there are workers, so that none of them waits for this process.
    n_running = workers + 1
    while True:
        for source in islice(left, n_running - len(running)):
            started.add(source.name)
            running.add(pool.submit(_ask_and_save, source, request, folder))
        if not running:
            return
        # Windows knows of Ctrl+C only between two of these.
        done, running = wait(running, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
        for future in done:
            try:
                record = future.result()
            except ResultsError as error:
                # Where in a worker that happened is nothing for users.
                raise error from None
            on_record(record)


def _ask_and_save(
    source: BatchSource, request: BatchRequest, folder: BatchFolder
) -> Record:
    return folder.save(ask_source(source, request))


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes, and end them whatever happens."""
    # Not forked: other threads of this process may hold locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_initialize_worker
    )
    try:
        try:
            # As many as there are workers, so that all of them start now.
            with no_interrupt():
                begun = [pool.submit(os.getpid) for _ in range(workers)]
            begun[0].result()
        except BrokenExecutor as error:
            raise ResultsError(_NO_START) from error
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def no_interrupt() -> Iterator[None]:
    """Let processes begin deaf to Ctrl+C, which comes here when this is over.

    Blocking it is for them, who inherit that. It does not hold it back here, where any
    other thread takes it for the main one: a process would be left half started.
    """
    came: list[int] = []
    here = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    # What was not set by Python cannot be set again.
    here = here and handler is not None
    if here:
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    masked = hasattr(signal, "pthread_sigmask")  # not on Windows
    if masked:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if here:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _initialize_worker() -> None:
    """Let a worker end with the process that started it, and only then."""
    # Ctrl+C reaches all processes of a terminal: a worker writes what it has first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _keep_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _keep_memory() -> None:
    """Have the next result use the memory of the one before.

    Else it goes back to the system after each map, which clears it page by page before
    it hands it out again: a fifth of the time of a batch. Only in a process of our own,
    and only where there is glibc.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(*_TRIM_THRESHOLD)
        mallopt(*_MMAP_THRESHOLD)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        # At once: nobody is left to write for, and what is half written has no name.
        os._exit(1)
