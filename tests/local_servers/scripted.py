"""A server that does what it is told, also what no server should, and how to ask it."""

from __future__ import annotations

import http.server
import threading
import traceback
from dataclasses import dataclass, field

import pytest

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.sources.web.client import WebClient
from napari_neurosynth_results.sources.web.servers import Servers

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PRIVATE = "QWERTYUI"
#: Seconds that count as at once, on a busy machine.
SOON = 1.0


@dataclass
class Reply:
    """One answer: what is said about the body, and what really comes."""

    status: int = 200
    body: bytes = b'{"a": 1}'
    headers: dict[str, str] = field(default_factory=dict)
    #: None sends no length and closes the connection at the end.
    length: int | None = -1
    before: float = 0  # seconds of silence
    drip: float = 0  # seconds for each byte


class Site:
    """A server on this machine that gives the replies it was told to."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.now = self.most_at_once = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args) -> None: ...

            def do_GET(self) -> None:
                site.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Clients that leave are what is tested here.
        self.server.handle_error = lambda *args: None
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.01])
        self.thread.start()

    def gives(self, path: str, *replies: Reply) -> str:
        """Set the replies to a path, the last of which stays."""
        self.replies[path] = list(replies)
        return self.url + path

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Give the next reply, and note who asked and how many at once."""
        with self.lock:
            self.asked.append((handler.path, dict(handler.headers)))
            self.now += 1
            self.most_at_once = max(self.most_at_once, self.now)
            left = self.replies[handler.path]
            reply = left.pop(0) if len(left) > 1 else left[0]
        try:
            self.over.wait(reply.before)
            self.send(handler, reply)
        finally:
            with self.lock:
                self.now -= 1

    def send(self, handler: http.server.BaseHTTPRequestHandler, reply: Reply) -> None:
        """Write a reply, as wrong as it is."""
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        length = len(reply.body) if reply.length == -1 else reply.length
        if length is not None:
            handler.send_header("Content-Length", str(length))
        if length != len(reply.body):
            handler.close_connection = True
        handler.end_headers()
        if not reply.drip:
            handler.wfile.write(reply.body)
            return
        for byte in reply.body:
            handler.wfile.write(bytes([byte]))
            if self.over.wait(reply.drip):
                return

    def paths(self) -> list[str]:
        """List what was asked for."""
        return [path for path, _ in self.asked]

    def close(self) -> None:
        """End it, and the replies that wait."""
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def make_web(
    site: Site, *, token: str = "", offline: bool = False, **options
) -> WebClient:
    online = Servers(site.url, site.url, site.url, token=token, offline=offline)
    times = {"deadline_json": 5, "deadline_file": 5, "pause": 0.01, "timeout": (2, 3)}
    return WebClient(online, **(times | options))


def get(web: WebClient, url: str, **options) -> object:
    return web.get_json(url, what="Collection 7", **options)


def fails(kind: type, call, *args, **options) -> str:
    """Return the text of the error, which names what was asked and holds no token."""
    with pytest.raises(ResultsError) as caught:
        call(*args, **options)
    assert type(caught.value) is kind
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert TOKEN not in shown
    assert PRIVATE not in shown
    return str(caught.value)


def html(status: int = 200, **options) -> Reply:
    page = b"<!doctype html><html><body>Server Error</body></html>"
    return Reply(status, page, {"Content-Type": "text/html; charset=utf-8"}, **options)


def moved(to: str, status: int = 301) -> Reply:
    return Reply(status, b"", {"Location": to})
