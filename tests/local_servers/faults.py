"""What can go wrong between a server and whoever asks it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """What is sent: a fault changes it, or how it is sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: None: no length is stated and the connection is closed at the end.
    length: int | None = -1
    chunked: bool = False
    #: Sent instead of the whole body, then the connection ends.
    cut_at: int | None = None
    reset: bool = False
    #: Seconds before the first byte; bytes per second after it.
    stall: float = 0.0
    drip: float = 0.0
    terminated: bool = True


@dataclass(frozen=True)
class Fault:
    """A change of answers; made by the functions below."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)

    def apply(self, answer: Answer) -> Answer:
        """Change an answer in place."""
        if self.name == "truncate":
            answer.cut_at = len(answer.body) // 2
            if not self.changes["stated"]:
                answer.length = None
            return answer
        if self.name == "longer":
            answer.length = len(answer.body)
            answer.body += b"x" * 100
            return answer
        if self.name == "unterminated":
            answer.chunked, answer.terminated = True, False
            return answer
        if self.name == "json":
            change = self.changes["change"]
            answer.body = json.dumps(change(json.loads(answer.body))).encode()
            return answer
        if self.name == "gzip":
            answer.headers["Content-Encoding"] = "gzip"
            return answer
        for key, value in self.changes.items():
            setattr(answer, key, value)
        return answer

    @classmethod
    def status(cls, code: int, *, html: bool = False, retry_after: str = "") -> Fault:
        """Answer with an error, as JSON or as a page."""
        body = b"<html><h1>Error</h1></html>" if html else b'{"detail":"Not found."}'
        kind = "text/html" if html else "application/json"
        headers = {"Content-Type": kind}
        if retry_after:
            headers["Retry-After"] = retry_after
        return cls("status", {"status": code, "body": body, "headers": headers})

    @classmethod
    def page(cls) -> Fault:
        """Answer 200 with a page, as a captive portal does."""
        body = b"<!DOCTYPE html><html>Log in</html>"
        headers = {"Content-Type": "text/html"}
        return cls("page", {"body": body, "headers": headers})

    @classmethod
    def body(cls, body: bytes) -> Fault:
        """Answer with other bytes."""
        return cls("body", {"body": body})

    @classmethod
    def bom(cls, body: bytes) -> Fault:
        """Put a byte-order mark before a body."""
        return cls("bom", {"body": b"\xef\xbb\xbf" + body})

    @classmethod
    def change_json(cls, change: Any) -> Fault:
        """Change a document."""
        return cls("json", {"change": change})

    @classmethod
    def truncate(cls, *, stated: bool) -> Fault:
        """Send half, with or without having said how much there is."""
        return cls("truncate", {"stated": stated})

    @classmethod
    def longer(cls) -> Fault:
        """Send more than was said."""
        return cls("longer")

    @classmethod
    def unterminated(cls) -> Fault:
        """Send chunks, and never the last."""
        return cls("unterminated")

    @classmethod
    def gzip_named(cls) -> Fault:
        """Call a gzipped file a gzipped transfer."""
        return cls("gzip")

    @classmethod
    def reset(cls) -> Fault:
        """Break the connection within the body."""
        return cls("reset", {"reset": True})

    @classmethod
    def drip(cls, bytes_per_second: float) -> Fault:
        """Send slowly."""
        return cls("drip", {"drip": bytes_per_second})

    @classmethod
    def stall(cls, seconds: float) -> Fault:
        """Say nothing for a while."""
        return cls("stall", {"stall": seconds})

    @classmethod
    def redirect(cls, location: str) -> Fault:
        """Send somewhere else."""
        headers = {"Location": location}
        return cls("redirect", {"status": 302, "body": b"", "headers": headers})


class Faults:
    """Which paths fail how, and how often."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[tuple[Any, Fault, int | None]] = []

    def add(self, pattern: Any, fault: Fault, times: int | None) -> None:
        """Let paths fail, a number of times or always."""
        with self._lock:
            self._rules.append((pattern, fault, times))

    def clear(self) -> None:
        """Let everything go well."""
        with self._lock:
            self._rules.clear()

    def of(self, path: str, *, authorized: bool) -> list[Fault]:
        """Return the faults of one request."""
        found = []
        with self._lock:
            for index, (pattern, fault, times) in enumerate(self._rules):
                only_authorized = fault.changes.get("status") == 401
                if times == 0 or not pattern.search(path):
                    continue
                if only_authorized and not authorized:
                    continue
                found.append(fault)
                if times is not None:
                    self._rules[index] = (pattern, fault, times - 1)
        return found
