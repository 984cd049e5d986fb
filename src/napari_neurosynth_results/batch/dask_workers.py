"""A batch on the workers of a dask.distributed scheduler that runs already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_neurosynth_results._version import __version__
from napari_neurosynth_results.batch.inputs import BatchSource
from napari_neurosynth_results.batch.local_workers import RecordListener
from napari_neurosynth_results.batch.one_source import Answer, Record, ask_source
from napari_neurosynth_results.batch.output_folder import BatchFolder
from napari_neurosynth_results.batch.request import BatchRequest
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.sources.web.servers import Servers

if TYPE_CHECKING:
    from distributed import Client, Future

_MISSING = (
    "A scheduler needs dask.distributed, which is not installed. Run:\n"
    '    pip install "napari-neurosynth-results[batch]"'
)
_PATIENCE = 30
#: How often a source is asked whose worker dies with the answer.
_TRIES = 5


def run_on_scheduler(
    sources: Sequence[BatchSource],
    request: BatchRequest,
    folder: BatchFolder,
    *,
    scheduler: str,
    on_record: RecordListener,
) -> None:
    """Ask sources on the workers of a scheduler, and write the answers here.

    Workers open the sources, so they have to see the same paths; nobody but this
    process writes.

    Parameters
    ----------
    scheduler : str
        Its address.
    on_record : callable
        Hears of each source that is through, on this thread.

    Raises
    ------
    ResultsError
        When there is no such scheduler, it has no worker that can do this, or it is
        lost on the way.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ResultsError(_MISSING) from error
    try:
        client = Client(scheduler, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ResultsError(f"No scheduler answers at {scheduler}: {error}.") from error
    with client:
        _check_workers(client, scheduler)
        for given in _answers(client, sources, request, scheduler):
            on_record(folder.save(given))


def _answers(
    client: Client,
    sources: Sequence[BatchSource],
    request: BatchRequest,
    scheduler: str,
) -> Iterator[Answer]:
    """Give each answer once it is ready, and forget it."""
    from distributed import as_completed

    open_yet: dict[str, tuple[BatchSource, int]] = {}

    def submit(source: BatchSource, tries: int) -> Future[Any]:
        # A key of its own: a scheduler takes up what it knows under the same one.
        key = f"{source.name}-{uuid4().hex}"
        open_yet[key] = (source, tries)
        return client.submit(ask_source, source, request, key=key, pure=False)

    completed = as_completed(loop=client.loop)
    # Nobody else may hold a future: that would keep its answer in a worker's memory.
    completed.update([submit(source, 1) for source in sources])
    for future in completed:
        source, tries = open_yet.pop(future.key)
        given = _take_answer(future, source)
        if given is not None:
            yield given
        elif client.status == "running" and tries < _TRIES:
            completed.add(submit(source, tries + 1))
        else:
            raise ResultsError(
                f"The scheduler at {scheduler} was lost. What is done is kept: run "
                "the batch again to go on."
            )


def _take_answer(future: Future[Any], source: BatchSource) -> Answer | None:
    """Take an answer from a worker; None when it was lost with its worker."""
    if future.status == "error":
        told = f"The worker that opened it failed: {future.exception()}"
        why = source.without_tokens(told, Servers.from_environment())
        return Answer(Record.failure(source, why), {})
    try:
        # Not for long: it is ready, and what has to be asked anew is asked anew.
        given: Answer = future.result(timeout=_PATIENCE)
    except (CancelledError, TimeoutError):
        return None
    return given


def _check_workers(client: Client, scheduler: str) -> None:
    """Make sure that some worker can do it, before all sources fail for one reason."""
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
        theirs = client.submit(_version, pure=False).result(timeout=_PATIENCE)
    except TimeoutError as error:
        raise ResultsError(f"The scheduler at {scheduler} has no workers.") from error
    except Exception as error:
        raise ResultsError(
            f"The workers at {scheduler} cannot do this ({type(error).__name__}: "
            f"{error}). They need napari-neurosynth-results {__version__}."
        ) from error
    if theirs != __version__:
        raise ResultsError(
            f"The workers at {scheduler} have napari-neurosynth-results {theirs}, not "
            f"{__version__}: install the same."
        )


def _version() -> str:
    return __version__
