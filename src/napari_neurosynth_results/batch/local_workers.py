"""A batch on this machine, by dask in processes of its own.

Threads do not help: maps are inflated without the interpreter's lock, but labelling and
tables hold it, and those take most of the time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from napari_neurosynth_results.batch.inputs import BatchSource
from napari_neurosynth_results.batch.one_source import Answer, Record, ask_source
from napari_neurosynth_results.batch.output_folder import BatchFolder
from napari_neurosynth_results.batch.request import BatchRequest
from napari_neurosynth_results.errors import ResultsError

#: Called with the record of each source that is through.
RecordListener = Callable[[Record], None]

_MOST_WORKERS = 8
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
        _compute(sources, request, folder, on_record, set(), None)
        return
    left = list(sources)
    while left:
        finished: set[str] = set()
        started: set[str] = set()

        def through(record: Record, finished: set[str] = finished) -> None:
            finished.add(record.name)
            on_record(record)

        try:
            with _pool(min(workers, len(left))) as pool:
                _compute(left, request, folder, through, started, pool)
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
            _compute([source], request, folder, on_record, set(), pool)
    except BrokenExecutor:
        on_record(folder.save(Answer(Record.failure(source, _DIED), {})))


def _compute(
    sources: Sequence[BatchSource],
    request: BatchRequest,
    folder: BatchFolder,
    on_record: RecordListener,
    started: set[str],
    pool: ProcessPoolExecutor | None,
) -> None:
    """Let dask ask the sources; each answer is written where it was found."""
    import dask
    from dask.callbacks import Callback

    ask = dask.delayed(_ask_and_save, pure=False, traverse=False)
    tasks = [
        ask(source, request, folder, dask_key_name=source.name) for source in sources
    ]

    def begins(key: str, *_: Any) -> None:
        started.add(key)

    def ends(_: str, record: Any, *__: Any) -> None:
        on_record(record)

    how: dict[str, Any] = {"scheduler": "sync"}
    if pool is not None:
        # One at a time: results differ in size, and the last are to end together.
        how = {"scheduler": "processes", "pool": pool, "chunksize": 1}
    try:
        with Callback(pretask=begins, posttask=ends):
            dask.compute(*tasks, traverse=False, optimize_graph=False, **how)
    except ResultsError as error:
        # dask adds to the sentence of a worker where that happened: not for users.
        told = getattr(error, "exception", None)
        if isinstance(told, ResultsError):
            raise told from None
        raise


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
            # Needed here as well, and slow to come: meanwhile the workers start.
            import_module("dask.multiprocessing")
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
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        # At once: nobody is left to write for, and what is half written has no name.
        os._exit(1)
