"""Answers as the sites dress them: documents, files, and pages of HTML."""

from __future__ import annotations

import json
from typing import Any

from local_servers.faults import Answer

MODIFIED = "Wed, 18 Feb 2026 13:38:57 GMT"
_KINDS = {".xml": "application/xml", ".zip": "application/zip"}


def json_answer(
    value: Any, status: int = 200, kind: str = "application/json; charset=utf-8"
) -> Answer:
    """Return a document."""
    return Answer(status, {"Content-Type": kind}, json.dumps(value).encode())


def missing() -> Answer:
    """Return what is said of what there is not, or of a private image's number."""
    return json_answer({"detail": "Not found."}, 404)


def denied() -> Answer:
    """Return what is said of a private collection's number."""
    detail = "You do not have permission to perform this action."
    return json_answer({"detail": detail}, 403)


def page(status: int) -> Answer:
    """Return HTML, which is what is not a document or a file."""
    body = f"<!DOCTYPE html><html><h1>{status}</h1></html>".encode()
    return Answer(status, {"Content-Type": "text/html; charset=utf-8"}, body)


def media(name: str, body: bytes) -> Answer:
    """Return a file, with the encoding that is none and without ranges."""
    headers = {
        "Content-Type": _KINDS.get(name[-4:], "application/octet-stream"),
        "Content-Disposition": f'inline; filename="{name.split("/")[-1]}"',
        "Last-Modified": MODIFIED,
        "Content-Encoding": "utf-8",
    }
    return Answer(200, headers, body)
