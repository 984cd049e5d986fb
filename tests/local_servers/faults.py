"""What can go wrong between a server and whoever asks it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

#: Stands in the address that a single redirect leads to.
_HOPPED = "hopped=1"


@dataclass
class Answer:
    """What is sent: a fault changes it, or how it is sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: Stated length: -1 is that of the body; None is none, and then the end of the
    #: connection is the end of the body.
    length: int | None = -1
    chunked: bool = False
    #: Sent instead of the whole body, then the connection ends.
    cut_at: int | None = None
    #: Break the connection within the body, or before the first byte.
    reset: bool = False
    refused: bool = False
    #: Seconds before the first byte; bytes per second after it.
    stall: float = 0.0
    drip: float = 0.0
    terminated: bool = True


Change = Callable[[Answer, str], None]


@dataclass(frozen=True)
class Fault:
    """A change of answers; made by the methods below.

    Attributes
    ----------
    change : callable
        Changes an answer in place; also gets the address that was asked.
    only_authorized : bool
        Whether only requests with an Authorization header fail.
    """

    change: Change
    only_authorized: bool = False

    @classmethod
    def _of(cls, **values: Any) -> Fault:
        def change(answer: Answer, url: str) -> None:
            for name, value in values.items():
                setattr(answer, name, value)

        return cls(change)

    @classmethod
    def _replaced(cls, kind: str, body: bytes, **values: Any) -> Fault:
        headers = {"Content-Type": kind}
        return cls._of(headers=headers, body=body, chunked=False, **values)

    # --- whole answers ----------------------------------------------------------------

    @classmethod
    def status(cls, code: int, *, html: bool = False, retry_after: str = "") -> Fault:
        """Answer with an error, as JSON or as a page; 401 only to a token."""
        body = b"<html><h1>Error</h1></html>" if html else b'{"detail":"Not found."}'
        headers = {"Content-Type": "text/html" if html else "application/json"}
        if code == 401:
            body = b'{"detail":"Invalid token."}'
            headers["WWW-Authenticate"] = "Token"
        if retry_after:
            headers["Retry-After"] = retry_after
        fault = cls._of(status=code, body=body, headers=headers, chunked=False)
        return cls(fault.change, only_authorized=code == 401)

    @classmethod
    def page(cls) -> Fault:
        """Answer 200 with a page, as a captive portal does."""
        return cls._replaced("text/html", b"<!DOCTYPE html><html>Log in</html>")

    @classmethod
    def body(cls, body: bytes) -> Fault:
        """Answer with other bytes."""
        return cls._of(body=body)

    # --- documents --------------------------------------------------------------------

    @classmethod
    def invalid_json(cls) -> Fault:
        """Answer with a document that ends too early."""
        return cls._replaced("application/json", b'{"count": 5, "results": [{"id":')

    @classmethod
    def json(cls, value: Any) -> Fault:
        """Answer with another document: None, a list, whatever should not come."""
        return cls._replaced("application/json", json.dumps(value).encode())

    @classmethod
    def change_json(cls, change: Callable[[Any], Any]) -> Fault:
        """Change a document."""

        def changed(answer: Answer, url: str) -> None:
            answer.body = json.dumps(change(json.loads(answer.body))).encode()

        return cls(changed)

    @classmethod
    def without(cls, *keys: str) -> Fault:
        """Leave keys out, at every depth."""
        return cls.change_json(lambda value: _without(value, set(keys)))

    @classmethod
    def nulls(cls, *kept: str) -> Fault:
        """Put null for every text, number and flag, but for some keys."""
        return cls.change_json(lambda value: _nulls(value, set(kept)))

    @classmethod
    def extra_keys(cls) -> Fault:
        """Add keys that nobody knows to every object."""
        return cls.change_json(_more)

    @classmethod
    def bom(cls) -> Fault:
        """Put a byte-order mark first."""

        def change(answer: Answer, url: str) -> None:
            answer.body = b"\xef\xbb\xbf" + answer.body

        return cls(change)

    # --- how the bytes come -----------------------------------------------------------

    @classmethod
    def truncate(cls, *, stated: bool) -> Fault:
        """Send half, with or without having said how much there is."""

        def change(answer: Answer, url: str) -> None:
            answer.cut_at, answer.chunked = len(answer.body) // 2, False
            answer.length = len(answer.body) if stated else None

        return cls(change)

    @classmethod
    def longer(cls) -> Fault:
        """Send more than was said."""

        def change(answer: Answer, url: str) -> None:
            answer.length, answer.chunked = len(answer.body), False
            answer.body += b"x" * 100

        return cls(change)

    @classmethod
    def unterminated(cls) -> Fault:
        """Send chunks, and never the last."""
        return cls._of(chunked=True, terminated=False)

    @classmethod
    def gzip_named(cls) -> Fault:
        """Call a gzipped file a gzipped transfer."""

        def change(answer: Answer, url: str) -> None:
            answer.headers["Content-Encoding"] = "gzip"

        return cls(change)

    @classmethod
    def reset(cls) -> Fault:
        """Break the connection within the body."""
        return cls._of(reset=True, chunked=False)

    @classmethod
    def refuse(cls) -> Fault:
        """Break the connection before the first byte."""
        return cls._of(refused=True)

    @classmethod
    def drip(cls, bytes_per_second: float) -> Fault:
        """Send slowly."""
        return cls._of(drip=bytes_per_second, chunked=False)

    @classmethod
    def stall(cls, seconds: float) -> Fault:
        """Say nothing for a while."""
        return cls._of(stall=seconds)

    # --- somewhere else ---------------------------------------------------------------

    @classmethod
    def redirect(cls, location: str, code: int = 302) -> Fault:
        """Send somewhere else."""
        headers = {"Location": location}
        return cls._of(status=code, body=b"", headers=headers, chunked=False)

    @classmethod
    def hop(cls) -> Fault:
        """Send to a second address of the same thing, as http does to https."""

        def change(answer: Answer, url: str) -> None:
            if _HOPPED not in url:
                mark = "&" if "?" in url else "?"
                cls.redirect(f"{url}{mark}{_HOPPED}", 301).change(answer, url)

        return cls(change)

    @classmethod
    def redirect_loop(cls) -> Fault:
        """Send to the address that was asked."""
        return cls(lambda answer, url: cls.redirect(url).change(answer, url))


@dataclass
class _Rule:
    pattern: re.Pattern[str]
    fault: Fault
    left: int | None


class Faults:
    """Which paths fail how, and how often."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []

    def add(self, pattern: str, fault: Fault, times: int | None) -> None:
        """Let paths fail, a number of times or always."""
        with self._lock:
            self._rules.append(_Rule(re.compile(pattern), fault, times))

    def clear(self) -> None:
        """Let everything go well."""
        with self._lock:
            self._rules.clear()

    def of(self, path: str, *, authorized: bool) -> list[Fault]:
        """Return the faults of one request."""
        found = []
        with self._lock:
            for rule in self._rules:
                if rule.left == 0 or not rule.pattern.search(path):
                    continue
                if rule.fault.only_authorized and not authorized:
                    continue
                found.append(rule.fault)
                if rule.left is not None:
                    rule.left -= 1
        return found


def _without(value: Any, keys: set[str]) -> Any:
    if isinstance(value, list):
        return [_without(item, keys) for item in value]
    if not isinstance(value, dict):
        return value
    return {k: _without(v, keys) for k, v in value.items() if k not in keys}


def _nulls(value: Any, kept: Iterable[str]) -> Any:
    if isinstance(value, list):
        return [_nulls(item, kept) for item in value]
    if not isinstance(value, dict):
        return None
    return {
        k: v if k in kept and not isinstance(v, (list, dict)) else _nulls(v, kept)
        for k, v in value.items()
    }


def _more(value: Any) -> Any:
    if isinstance(value, list):
        return [_more(item) for item in value]
    if not isinstance(value, dict):
        return value
    known = {k: _more(v) for k, v in value.items()}
    return known | {"unknown": {"a": [1]}, "": None, "Über key": 42}
