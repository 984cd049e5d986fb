"""The one way to the internet: few servers, few requests at once, an end to each.

The servers are public and small, their files are read by people in a hurry, and what
comes back may be anything. So an address is checked before it is asked, tries are few
and spaced, every size and time is bounded, and an error says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.web.allowed_hosts import redact
from napari_neurosynth_results.sources.web.cache import NotWritableError
from napari_neurosynth_results.sources.web.responses import (
    AttemptError,
    BrokenAnswerError,
    ForbiddenError,
    NotFoundError,
    OfflineError,
    RefusedAddressError,
    ServerError,
    UnreachableError,
    WebError,
    WebResponse,
    parse_json_body,
    refuse_page,
    stated_length,
)
from napari_neurosynth_results.sources.web.retries import (
    ResourceRequest,
    RetryingClient,
    RetryPolicy,
)
from napari_neurosynth_results.sources.web.servers import Servers

__all__ = [
    "BrokenAnswerError",
    "ForbiddenError",
    "NotFoundError",
    "OfflineError",
    "RefusedAddressError",
    "ServerError",
    "UnreachableError",
    "WebClient",
    "WebError",
    "redact",
]

#: Far above any document of these sites, and what one may take of memory.
_MOST_JSON = 64 << 20


class WebClient:
    """Asks the configured servers; one for all threads.

    A cancelled job ends a call within 0.1 seconds, and so does the deadline, whatever
    the server does.

    Parameters
    ----------
    online : Servers
        Which servers, and whether to ask at all.
    timeout : (float, float)
        Seconds to wait for a connection, and for each piece of an answer.
    deadline_json, deadline_file : float
        Seconds after which a document or a file is given up, all tries together. The
        time in which other requests of this object keep it waiting is not counted.
    tries, busy_tries : int
        How often to ask when there is no answer or it breaks off; how often when a
        server says that it is busy.
    pause : float
        Seconds before the second try; doubled for each further one.
    longest_pause : float
        Most seconds between two tries, whatever the server asks for.
    """

    def __init__(
        self,
        online: Servers,
        *,
        timeout: tuple[float, float] = (5, 20),
        deadline_json: float = 60.0,
        deadline_file: float = 900.0,
        tries: int = 4,
        busy_tries: int = 8,
        pause: float = 0.5,
        longest_pause: float = 30.0,
    ) -> None:
        self.online = online
        self._deadline_json, self._deadline_file = deadline_json, deadline_file
        self._requests = RetryingClient(
            online, RetryPolicy(timeout, tries, busy_tries, pause, longest_pause)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept for the next request."""
        self._requests.close()

    def get_json(
        self,
        url: str,
        *,
        what: str,
        job: Job | None = None,
        max_bytes: int = _MOST_JSON,
    ) -> Any:
        """Ask for a document.

        Parameters
        ----------
        what : str
            What it is, to begin a sentence with: "Collection 23064".
        job : Job, optional
            To cancel it.
        max_bytes : int
            Refuse more.

        Returns
        -------
        Any
            The value of the JSON, not None; nothing else of it is checked.

        Raises
        ------
        WebError
            One of its kinds, when there is no such document or it does not come.
        CancelledError
            When the job is cancelled.
        """
        call = ResourceRequest(
            what, job or Job(), self._deadline_json, accept="application/json"
        )
        return self._requests.get(
            url,
            call,
            lambda answer: parse_json_body(_read_whole(answer, max_bytes), answer),
        )

    def get_bytes(
        self, url: str, *, what: str, job: Job | None = None, max_bytes: int
    ) -> bytes:
        """Ask for a small file, like a picture or a table of labels.

        Parameters
        ----------
        url, what, job, max_bytes
            As for `get_json`.

        Returns
        -------
        bytes
            The file.

        Raises
        ------
        WebError, CancelledError
            As for `get_json`.
        """

        def take(answer: WebResponse) -> bytes:
            refuse_page(answer)
            return _read_whole(answer, max_bytes)

        call = ResourceRequest(what, job or Job(), self._deadline_json)
        return self._requests.get(url, call, take)

    def download(
        self,
        url: str,
        path: Path,
        *,
        what: str,
        expected: int | None = None,
        max_bytes: int,
        job: Job | None = None,
    ) -> None:
        """Write a file as it comes; after an error there is none.

        Parameters
        ----------
        url, what
            As for `get_json`.
        path : Path
            Where to write.
        expected : int, optional
            How many bytes it has by the word of another document; not used below 1.
        max_bytes : int
            Refuse more.
        job : Job, optional
            Hears the bytes of each piece, and may cancel.

        Raises
        ------
        WebError, CancelledError
            As for `get_json`.
        NotWritableError
            When `path` cannot be written.
        """
        call = ResourceRequest(
            what,
            job or Job(),
            self._deadline_file,
            # The file itself, not a compressed form of it: its bytes are counted.
            encoding="identity",
        )
        try:
            self._requests.get(
                url, call, lambda answer: _write(answer, path, expected, max_bytes)
            )
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _read_whole(answer: WebResponse, most: int) -> bytes:
    _refuse_length(answer, stated_length(answer.head) or 0, most)
    data = bytearray()
    for piece in answer.body:
        data += piece
        _refuse_length(answer, len(data), most)
    return bytes(data)


def _write(answer: WebResponse, path: Path, expected: int | None, most: int) -> None:
    refuse_page(answer)
    stated = stated_length(answer.head)
    total = stated or (expected if expected and expected > 0 else None)
    _refuse_length(answer, total or 0, most)
    done = 0
    with _open_to_write(path, answer.what) as write:
        for piece in answer.body:
            done += len(piece)
            _refuse_length(answer, done, most)
            write(piece)
            answer.job.report(answer.what, done, total)
    if expected is not None and 0 < expected != done:
        raise AttemptError(
            BrokenAnswerError(
                f"{answer.what} was not loaded: {answer.host} gave {done:,} bytes "
                f"instead of {expected:,}. Try again later; if that does not help, "
                "the file on the server is broken."
            ),
            # A server that says how much it sends sends that again.
            tries=None if stated is None else 1,
        )


def _refuse_length(answer: WebResponse, length: int, most: int) -> None:
    if length > most:
        raise AttemptError(
            BrokenAnswerError(
                f"{answer.what} was not loaded: {answer.host} sends more than the "
                f"{most:,} bytes that are allowed. Download it with your browser to "
                "see what it is."
            ),
            tries=1,
        )


@contextmanager
def _open_to_write(path: Path, what: str) -> Iterator[Callable[[bytes], object]]:
    """Open a file to write; an error names what was to be in it."""
    try:
        with open(path, "wb") as file:
            yield file.write
    except OSError as error:
        raise NotWritableError(f"{what} cannot be kept", path.parent, error) from error
