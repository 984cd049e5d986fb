"""A whole collection as a zip, which is made while it is sent."""

from __future__ import annotations

import io
import zipfile
from urllib.parse import quote_plus, unquote

from local_servers.faults import Answer
from local_servers.neurovault import Collection


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
    """Return a zip in chunks; one whose file is missing stops there, unterminated."""
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
