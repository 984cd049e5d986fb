"""Answers as the sites dress them: documents, lists, files, archives, HTML."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any
from urllib.parse import parse_qs, quote_plus, unquote

from local_servers.faults import Answer
from local_servers.neurovault import Collection

MODIFIED = "Wed, 18 Feb 2026 13:38:57 GMT"
#: Records on a page, when nobody asks, and at most.
_DEFAULT, _MOST = 100, 1000
_FOREIGN = "http://evil.example/api/collections/1/images/"
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


def page_of(
    records: list[Any], here: str, query: str, wrong: str = ""
) -> dict[str, Any]:
    """Return one page of a list, right or in the ways that pages have been wrong.

    Parameters
    ----------
    records : list
        All records.
    here : str
        Address of the list.
    query : str
        What was asked: ``limit`` and ``offset``, of which nonsense is ignored.
    wrong : str
        "lies" (counts more than there is), "repeats" (the same records again),
        "loops" (the next page is this one), "foreign" (it is on another host) or "".

    Returns
    -------
    dict
        ``count``, ``next``, ``previous`` and ``results``.
    """
    limit = min(_number(query, "limit") or _DEFAULT, _MOST)
    offset = _number(query, "offset")
    end = offset + limit
    page, count = records[offset:end], len(records)
    following = f"{here}?limit={limit}&offset={end}"
    told = following if end < count else None
    before = f"&offset={offset - limit}" if offset > limit else ""
    previous = f"{here}?limit={limit}{before}" if offset else None
    if wrong == "lies":
        count, told = count + 1000, following
    elif wrong == "repeats":
        count, told, page = count * 2, following, page or records
    elif wrong == "loops":
        told, page = f"{here}?{query}", records[:limit]
    elif wrong == "foreign":
        told = _FOREIGN
    return {"count": count, "next": told, "previous": previous, "results": page}


def _number(query: str, key: str) -> int:
    text = parse_qs(query).get(key, [""])[0]
    return int(text) if text.isdecimal() and text.isascii() else 0


class _Stream(io.RawIOBase):
    """A place to write that cannot go back, so that sizes follow the files."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.written += data
        return len(data)


def zip_answer(collection: Collection) -> Answer:
    """Return a collection as a zip, which is made while it is sent.

    One whose file is missing stops there, unterminated.
    """
    title = str(collection.record["name"])
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": f"attachment; filename={quote_plus(title)}.zip",
    }
    packs = [name for name in collection.files if name.endswith(".nidm.zip")]
    images = [
        unquote(image["file"].rsplit("/", 1)[-1])
        for image in collection.records
        if "nidm_results" not in image
    ]
    stream = _Stream()
    stops_at: int | None = None
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in packs + images:
            if name not in collection.files:
                stops_at = len(stream.written)
                break
            archive.writestr(f"{title}/{name}", collection.files[name])
    body = bytes(stream.written[:stops_at])
    return Answer(200, headers, body, chunked=True, terminated=stops_at is None)
