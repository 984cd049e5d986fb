"""Ask for one thing until it is there or no try is left: redirects, tokens, pauses."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.web.allowed_hosts import (
    AllowedOrigins,
    Origin,
    redact,
)
from napari_neurosynth_results.sources.web.request import (
    BackgroundRequest,
    RequestError,
    ResponseHead,
    StoppableAdapter,
)
from napari_neurosynth_results.sources.web.responses import (
    AttemptError,
    BrokenAnswerError,
    OfflineError,
    UnreachableError,
    WebError,
    WebResponse,
    access_hint,
    status_error,
)
from napari_neurosynth_results.sources.web.servers import Servers

#: Requests under way at once. NeuroVault has four workers.
_CONCURRENT_REQUESTS = 4
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Seconds between two looks at whether the job was cancelled.
_LOOK = 0.05
_NAME = "napari-neurosynth-results"

_T = TypeVar("_T")


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait for a server, and how often to ask it.

    Attributes
    ----------
    timeout : (float, float)
        Seconds to wait for a connection, and for each piece of an answer.
    tries, busy_tries : int
        How often to ask; how often when the server says that it is busy.
    pause, longest_pause : float
        Seconds before the second try, and most between two tries.
    """

    timeout: tuple[float, float]
    tries: int
    busy_tries: int
    pause: float
    longest_pause: float


@dataclass(frozen=True)
class ResourceRequest:
    """What somebody wants, the same for all tries and redirects.

    Attributes
    ----------
    what : str
        What it is, to begin a sentence with.
    job : Job
        May cancel it.
    seconds : float
        The deadline.
    accept : str
        Which kind of content to ask for.
    encoding : str
        In which form to ask for it; "identity" is left as it comes.
    """

    what: str
    job: Job
    seconds: float
    accept: str = "*/*"
    encoding: str = "gzip, deflate"


class RetryingClient:
    """Makes the requests of one `WebClient`.

    Parameters
    ----------
    online : Servers
        Which servers.
    policy : RetryPolicy
        How long to wait, and how often to ask.
    """

    def __init__(self, online: Servers, policy: RetryPolicy) -> None:
        self._online, self._policy = online, policy
        self._origins = AllowedOrigins(online)
        self._slots = threading.BoundedSemaphore(_CONCURRENT_REQUESTS)
        self._adapter = StoppableAdapter(
            pool_connections=_CONCURRENT_REQUESTS, pool_maxsize=_CONCURRENT_REQUESTS
        )
        # Only for the proxies and certificates of the environment: requests go out
        # past it, so that no cookie and no password of .netrc goes along.
        self._session = requests.Session()
        self._agent = f"{_NAME}/{version(_NAME)}"

    def close(self) -> None:
        """Close the connections that are kept."""
        self._adapter.close()
        self._session.close()

    def get(
        self, url: str, call: ResourceRequest, take: Callable[[WebResponse], _T]
    ) -> _T:
        """Ask for something, and hand a good answer on.

        Parameters
        ----------
        url : str
            Any address; it is checked.
        call : ResourceRequest
            What is wanted.
        take : callable
            Makes the result of an answer with status 200. It may raise `AttemptError`.

        Returns
        -------
        Any
            What `take` returned.

        Raises
        ------
        WebError
            When nothing came, with no token in its text.
        CancelledError
            When the job was cancelled.
        """
        address = self._origins.check(url)
        if self._online.offline:
            raise OfflineError(
                redact(
                    f"{call.what} is not on this machine, and no server is asked "
                    "while working offline. Go online (NNR_OFFLINE) to load it.",
                    self._online,
                )
            )
        failure = self._retry(address, call, take)
        if not isinstance(failure, WebError):
            return failure
        # Raised out here, so that no traceback shows what was handled before.
        raise type(failure)(redact(str(failure), self._online))

    def _retry(
        self, url: str, call: ResourceRequest, take: Callable[[WebResponse], _T]
    ) -> _T | WebError:
        clock = _Clock(call.seconds)
        tried = 0
        while True:
            tried += 1
            try:
                return self._attempt(url, call, clock, take)
            except WebError as error:  # a redirect to where nobody may go
                return error
            except AttemptError as error:
                failure = error
            pause = self._pause(tried, failure.wait)
            most = self._policy.busy_tries if failure.busy else self._policy.tries
            if tried >= min(most, failure.tries or tried + 1) or pause >= clock.left():
                return failure.error
            call.job.wait(pause)

    def _pause(self, tried: int, wanted: float | None) -> float:
        # Spread, so that those who failed together do not come back together.
        pause = self._policy.pause * 2.0 ** (tried - 1) * random.uniform(0.5, 1.5)
        return min(max(pause, wanted or 0), self._policy.longest_pause)

    def _attempt(
        self,
        url: str,
        call: ResourceRequest,
        clock: _Clock,
        take: Callable[[WebResponse], _T],
    ) -> _T:
        """Ask once, through redirects, and without the token if that is not liked."""
        token, redirects = self._online.token, 0
        while True:
            host = Origin.parse(url).host
            sends_token = bool(token) and self._origins.is_neurovault(url)
            try:
                with self._start(url, call, clock, token * sends_token) as request:
                    head = request.head()
                    if head.status == 200:
                        return take(
                            WebResponse(head, request.body(), call.what, host, call.job)
                        )
            except RequestError as error:
                raise _interrupted(error, call, host) from None
            if head.status == 401 and sends_token:
                token = ""  # an invalid one is refused even where none is needed
            elif head.status in _REDIRECTS:
                redirects += 1
                url = self._redirected(url, head, call, redirects)
            else:
                known = self._origins.is_neurovault(url)
                hint = access_hint(urlsplit(url).path) if known else ""
                raise status_error(head, call.what, host, hint)

    def _start(
        self, url: str, call: ResourceRequest, clock: _Clock, token: str
    ) -> BackgroundRequest:
        headers = {
            "User-Agent": self._agent,
            "Accept": call.accept,
            "Accept-Encoding": call.encoding,
        }
        if token:
            headers["Authorization"] = f"Token {token}"
        with clock.stopped():
            while not self._slots.acquire(timeout=_LOOK):
                call.job.check()
        left = max(clock.left(), 0.001)
        connect, read = (min(seconds, left) for seconds in self._policy.timeout)
        return BackgroundRequest(
            partial(self._send, url, headers, (connect, read)),
            self._slots.release,
            job=call.job,
            deadline=time.monotonic() + left,
            decode=call.encoding != "identity",
        )

    def _send(
        self, url: str, headers: dict[str, str], timeout: tuple[float, float]
    ) -> requests.Response:
        request = requests.Request("GET", url, headers=headers).prepare()
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        return self._adapter.send(
            request,
            stream=True,
            timeout=timeout,
            verify=settings["verify"] or True,
            cert=settings["cert"],
            proxies=settings["proxies"],
        )

    def _redirected(
        self, url: str, head: ResponseHead, call: ResourceRequest, redirects: int
    ) -> str:
        target = head.get("location")
        if not target or redirects > _MOST_REDIRECTS:
            host = Origin.parse(url).host
            raise AttemptError(
                BrokenAnswerError(
                    f"{call.what} was not loaded: {host} redirects from one address to "
                    "the next without end. Open the link in your browser, and copy the "
                    "address where it ends."
                ),
                tries=1,
            )
        with suppress(ValueError):  # what is no address, `check` refuses
            target = urljoin(url, target)
        return self._origins.check(target)


class _Clock:
    """How much is left of a call's time; it can be stopped.

    Parameters
    ----------
    seconds : float
        How much there is.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._since = 0.0

    def left(self) -> float:
        return self._end - time.monotonic()

    def stopped(self) -> _Clock:
        return self

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *exc: object) -> None:
        self._end += time.monotonic() - self._since


def _interrupted(error: RequestError, call: ResourceRequest, host: str) -> AttemptError:
    kind = BrokenAnswerError if error.body else UnreachableError
    text = f"{call.what} was not loaded from {host}: {error}. "
    text += "Try again." if error.body else "Check your connection, or try again later."
    return AttemptError(kind(text), tries=1 if error.final else None)
