"""One request, made on a thread of its own so that whoever waits can leave at once.

A server may accept a connection and stay silent, or send a byte a second: no time-out
of a socket ends that in time. So the caller never reads from the socket. It takes
pieces from a queue, looks after each short wait whether the job was cancelled or the
time is over, and then shuts the connection. That also wakes the thread where it waits
for the head of an answer: no place is held by a server that never finishes one.
"""

from __future__ import annotations

import http.client
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from napari_neurosynth_results.job import LEFT_BEHIND, Job

#: Bytes read, written and reported at once, at most.
_CHUNK = 64 << 10
#: Pieces read ahead of whoever takes them.
_AHEAD = 4
#: Seconds between two looks at whether the job was cancelled.
_LOOK = 0.05
#: Interim answers ("100 Continue") before the one that counts; none was asked for.
_MOST_INTERIM = 10
#: Which request a thread is busy with: a connection tells it its socket.
_running = threading.local()


@dataclass(frozen=True)
class ResponseHead:
    """What an answer says before its body; the names are in lower case."""

    status: int
    headers: dict[str, str]

    def get(self, name: str) -> str:
        """Return a header, empty when there is none."""
        return self.headers.get(name, "")


class RequestError(Exception):
    """The request ended early; the text says how, and never holds the address.

    Parameters
    ----------
    reason : str
        What happened.
    body : bool
        Whether it happened within a body; else there was no answer at all.
    final : bool
        Whether another try would end in the same way.
    """

    def __init__(self, reason: str, *, body: bool = False, final: bool = False) -> None:
        super().__init__(reason)
        self.body = body
        self.final = final


class BackgroundRequest:
    """A request under way: first its head, then its body piece by piece.

    Parameters
    ----------
    send : callable
        Makes the request, and returns when the head of the answer is there.
    ended : callable
        Called once, on either thread, when the request holds its place no more: it is
        over, or whoever waited has left.
    job : Job
        Looked at while waiting.
    deadline : float
        When to stop, by `time.monotonic`.
    decode : bool
        Whether to unpack a compressed body.
    """

    def __init__(
        self,
        send: Callable[[], requests.Response],
        ended: Callable[[], object],
        *,
        job: Job,
        deadline: float,
        decode: bool,
    ) -> None:
        self._send, self._ended = send, ended
        self._job, self._deadline, self._decode = job, deadline, decode
        self._pieces: queue.Queue[ResponseHead | bytes | RequestError] = queue.Queue(
            _AHEAD
        )
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._response: requests.Response | None = None
        self._socket: socket.socket | None = None
        self._has_ended = False
        # A daemon, because a silent server must not keep the program from ending.
        self._thread = threading.Thread(
            target=self._run, daemon=True, name=f"{LEFT_BEHIND}request"
        )

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except RuntimeError as error:  # the system gives no more threads
            self._free()
            raise RequestError("no thread could be started") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._left.set()
        # It wakes the reader. The connection may be back in its pool already.
        with self._lock, suppress(ValueError, RuntimeError, OSError):
            if self._response is not None:
                self._response.raw.shutdown()
            elif self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)
        self._free()

    def _free(self) -> None:
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = True
        self._ended()

    def waits_on(self, connection: socket.socket | None) -> None:
        """Hear on which socket the head of the answer is awaited, or that it came."""
        with self._lock:
            self._socket = connection
            if self._left.is_set() and connection is not None:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def head(self) -> ResponseHead:
        """Wait for the head of the answer; raises `RequestError` when none comes."""
        head = self._next()
        assert isinstance(head, ResponseHead)
        return head

    def body(self) -> Iterator[bytes]:
        """Give the body in pieces; raises `RequestError` when it is cut."""
        while piece := self._next():
            assert isinstance(piece, bytes)
            yield piece

    def _next(self) -> ResponseHead | bytes:
        while True:
            self._job.check()
            try:
                piece = self._pieces.get(timeout=min(_LOOK, self._time_left()))
            except queue.Empty:
                continue
            if isinstance(piece, RequestError):
                # Sockets give up with the deadline too: who is heard first is chance.
                self._time_left()
                raise piece
            return piece

    def _time_left(self) -> float:
        """Return the seconds until the deadline; raises `RequestError` after it."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise RequestError("it took too long", final=True)
        return left

    def _run(self) -> None:
        """Make the request and read it, on the other thread."""
        _running.request = self
        body = False
        last: bytes | RequestError = b""
        try:
            with self._send() as response:
                with self._lock:
                    self._response = response
                headers = {k.lower(): v for k, v in response.headers.items()}
                self._put(ResponseHead(response.status_code, headers))
                body = True
                while piece := self._read(response):
                    self._put(piece)
                with self._lock:
                    self._response = None
        except Exception as error:  # whatever it is, somebody waits to hear of it
            # Only words go on: the errors themselves hold the address, and with it
            # perhaps a private token, which would be in every traceback.
            last = _describe_error(error, body)
        finally:
            with self._lock:
                self._response = self._socket = None
            self._free()
        self._put(last)

    def _read(self, response: requests.Response) -> bytes | None:
        if self._left.is_set():
            return None
        piece: bytes | None = response.raw.read1(_CHUNK, decode_content=self._decode)
        return piece

    def _put(self, piece: ResponseHead | bytes | RequestError) -> None:
        while not self._left.is_set():
            with suppress(queue.Full):
                return self._pieces.put(piece, timeout=_LOOK)
        return None


class StoppableAdapter(HTTPAdapter):
    """requests' transport, whose connections tell `BackgroundRequest` their sockets."""

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        """Make connections for servers that are asked directly."""
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **named: Any) -> Any:
        """Make connections for servers that are asked through a proxy."""
        manager = super().proxy_manager_for(*args, **named)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Head(http.client.HTTPResponse):
    """The head of an answer, after a bounded number of interim ones."""

    _interim = 0

    def _read_status(self) -> Any:
        self._interim += 1
        if self._interim > _MOST_INTERIM:
            raise http.client.BadStatusLine("100 without end")
        return super()._read_status()  # type: ignore[misc]


class _Told(HTTPConnection):
    """A connection that says on which socket it waits for a head."""

    response_class = _Head

    def getresponse(self) -> Any:
        """Wait for the head of an answer."""
        request: BackgroundRequest | None = getattr(_running, "request", None)
        if request is None:
            return super().getresponse()
        request.waits_on(self.sock)
        try:
            return super().getresponse()
        finally:
            request.waits_on(None)


class _ToldTls(_Told, HTTPSConnection):
    """The same for https."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Told


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _ToldTls


_POOLS = {"http": _Pool, "https": _TlsPool}


def _describe_error(error: Exception, body: bool) -> RequestError:
    if isinstance(error, (requests.exceptions.SSLError, urllib3.exceptions.SSLError)):
        return RequestError("its certificate was not accepted", final=True)
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return RequestError("it did not answer in time")
    if isinstance(error, urllib3.exceptions.DecodeError):
        return RequestError("its compressed answer is damaged", body=True)
    if body:
        return RequestError("the answer broke off", body=True)
    if isinstance(error, (requests.ConnectionError, OSError)):
        return RequestError("there was no connection")
    return RequestError(f"the request failed ({type(error).__name__})", final=True)
