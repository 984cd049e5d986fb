"""Ports that listen, and answers sent as well or as badly as they were meant to be."""

from __future__ import annotations

import http.server
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

from local_servers.faults import Answer

_CHUNK = 1 << 15
#: Of a slow answer, pieces per second.
_PIECES = 50

#: Answers a method, a path and headers, for as long as it takes to send.
Handle = Callable[[str, str, dict[str, str]], AbstractContextManager[Answer]]


class Listener(http.server.ThreadingHTTPServer):
    """A port on this machine, each of whose connections has a thread.

    Parameters
    ----------
    handle : callable
        Answers requests.
    port : int
        Where to listen; 0 for any that is free.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handle: Handle, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.handle = handle
        self.over = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.02,), daemon=True
        )

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and end every connection and its thread."""
        self.over.set()
        self.shutdown()
        self._thread.join()
        for connection in self._connections.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._connections:
            thread.join()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, and remember both until they end."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            daemon=True,
        )
        self._connections = {t: c for t, c in self._connections.items() if t.is_alive()}
        self._connections[thread] = request
        thread.start()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Listener
    protocol_version = "HTTP/1.1"
    # Head and body are two writes, which Nagle's algorithm would keep 40 ms apart.
    disable_nagle_algorithm = True
    timeout = 30

    def log_message(self, *args: object) -> None:
        """Keep the terminal quiet."""

    def do_GET(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        with self.server.handle(self.command, self.path, headers) as answer:
            try:
                self._send(answer)
            except OSError:
                # Whoever asked has gone away, which tests do on purpose.
                self.close_connection = True

    def _refuse(self) -> None:
        """Record what should never be sent; its body is not read."""
        self.do_GET()
        self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _refuse  # noqa: N815

    def _send(self, answer: Answer) -> None:
        if answer.stall and self.server.over.wait(answer.stall):
            self.close_connection = True
            return
        if answer.refused:
            self._break()
            return
        self._send_head(answer)
        body = answer.body if answer.cut_at is None else answer.body[: answer.cut_at]
        if answer.reset:
            self.wfile.write(body[: len(body) // 2])
            self._break()
        elif self.command == "HEAD" or answer.status == 304:
            return
        elif answer.chunked:
            self._send_chunks(body, answer.terminated)
        elif answer.drip:
            self._drip(body, answer.drip)
        else:
            self.wfile.write(body)
        if answer.length != -1 or answer.cut_at is not None:
            self.close_connection = True

    def _send_head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.length is None:
            self.send_header("Connection", "close")
        elif answer.status != 304:
            length = len(answer.body) if answer.length == -1 else answer.length
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send_chunks(self, body: bytes, terminated: bool) -> None:
        for start in range(0, len(body), _CHUNK):
            piece = body[start : start + _CHUNK]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if terminated:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def _drip(self, body: bytes, per_second: float) -> None:
        step = max(1, int(per_second / _PIECES))
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            if self.server.over.wait(step / per_second):
                self.close_connection = True
                return

    def _break(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()
