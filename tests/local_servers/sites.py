"""The three sites: what they hold, and what they answer to a path."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from local_servers import documents
from local_servers.faults import Answer
from local_servers.files import nifti_bytes, png_bytes

RUN_KEY = "RUNKEY-do-not-keep-0123456789"
_MODIFIED = "Wed, 18 Feb 2026 13:38:57 GMT"


@dataclass
class Collection:
    """A collection: its record, its images, its files by path below its folder."""

    id: int
    token: str | None
    record: dict[str, Any]
    base: str
    images: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    nidm: list[dict[str, Any]] = field(default_factory=list)
    #: "", "lies", "repeats", "loops" or "foreign": how its list of images is wrong.
    paging: str = ""

    @property
    def place(self) -> str:
        """What stands in its paths: the token of a private collection."""
        return self.token or str(self.id)

    def add_image(self, filename: str, data: Any, **fields: Any) -> dict[str, Any]:
        """Add an image; `data` is bytes of a file, or voxels."""
        body = data if isinstance(data, bytes) else nifti_bytes(data)
        number = self.id * 1000 + len(self.images) + 1
        record = documents.image_record(
            number, quote(filename), len(body), self.base, self.place, **fields
        )
        record["collection_id"] = self.id
        record.setdefault("name", filename)
        self.images.append(record)
        self.files[filename] = body
        self.files[f"glass_brain_{number}.jpg"] = png_bytes()
        self.record["number_of_images"] = len(self.images)
        return record

    def add_atlas(self, filename: str, data: Any, xml: bytes) -> dict[str, Any]:
        """Add an atlas with the names of its labels."""
        name = filename.replace(".nii.gz", ".xml")
        self.files[name] = xml
        record = self.add_image(filename, data, image_type="atlas")
        for key in ("map_type", "analysis_level", "modality", "is_thresholded"):
            record.pop(key)
        media = f"{self.base}/media/images/{self.place}"
        record["label_description_file"] = f"{media}/{quote(name)}"
        return record


class Sites:
    """Everything that is served, and the answers.

    Parameters
    ----------
    base : str
        Address of NeuroVault; Compose and NeuroStore lie below it.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self.collections: list[Collection] = []
        self.documents: dict[str, Any] = {}
        #: "request": addresses in answers name the host asked, "real": neurovault.org.
        self.urls = "request"

    # --- what it answers --------------------------------------------------------------

    def answer(self, target: str, headers: dict[str, str]) -> Answer:
        """Answer one GET."""
        path, _, query = target.partition("?")
        path = unquote(path)
        if path.startswith(("/compose/", "/neurostore/")):
            return self._document(path)
        if path.startswith("/media/images/"):
            return self._media(path.removeprefix("/media/images/"), headers)
        if found := re.fullmatch(r"/collections/([^/]+)/download", path):
            return self._zip(found[1])
        if path.startswith("/api/"):
            return self._api(path.removeprefix("/api"), query)
        return _page(404)

    def _document(self, path: str) -> Answer:
        if path in self.documents:
            return _json(self.documents[path])
        if "/api/" not in path:
            return _page(200)
        problem = {"type": "about:blank", "title": "Not Found", "status": 404}
        answer = _json(problem, 404)
        answer.headers["Content-Type"] = "application/problem+json"
        return answer

    def _api(self, path: str, query: str) -> Answer:
        if re.fullmatch(r"/(collections|images)/[^/]+\.json", path):
            return _page(500)
        if not path.endswith("/"):
            return Answer(301, {"Location": f"/api{path}/" + (query and f"?{query}")})
        if found := re.fullmatch(r"/collections/([^/]+)/(\w+)?/?", path):
            return self._collection(found[1], found[2] or "", query)
        if found := re.fullmatch(r"/(?:images|atlases)/(?:([A-Z]{8})-)?(\d+)/", path):
            return self._image(found[1], int(found[2]))
        return _json({"detail": "Not found."}, 404)

    def _collection(self, place: str, what: str, query: str) -> Answer:
        if not place.isdigit() and not re.fullmatch("[A-Z]{8}", place):
            return _page(500)
        collection = self._find(place)
        if collection is None:
            return _json({"detail": "Not found."}, 404)
        if collection.token and place != collection.token:
            forbidden = "You do not have permission to perform this action."
            return _json({"detail": forbidden}, 403)
        if not what:
            return self._told(collection.record)
        if what == "images":
            return self._told(self._page_of_images(collection, place, query))
        if what == "nidm_results":
            return self._told(_listed(collection.nidm))
        if what == "atlases":
            atlases = [i for i in collection.images if i["image_type"] == "atlas"]
            return self._told(_listed(atlases))
        return _json({"detail": "Not found."}, 404)

    def _find(self, place: str) -> Collection | None:
        return next(
            (c for c in self.collections if place in {str(c.id), c.token}), None
        )

    def _page_of_images(
        self, collection: Collection, place: str, query: str
    ) -> dict[str, Any]:
        asked = parse_qs(query)
        limit = _number(asked.get("limit", ["100"])[0], 100)
        limit = min(limit or 100, 1000)
        offset = _number(asked.get("offset", ["0"])[0], 0)
        images = collection.images
        here = f"{self.base}/api/collections/{place}/images/"
        end = offset + limit
        following = f"{here}?limit={limit}&offset={end}" if end < len(images) else None
        page = images[offset:end]
        count = len(images)
        if collection.paging == "lies":
            count += 1000
            following = f"{here}?limit={limit}&offset={end}"
        elif collection.paging == "repeats":
            count, following = len(images) * 2, f"{here}?limit={limit}&offset={end}"
            page = page or images
        elif collection.paging == "loops":
            following, page = f"{here}?{query}", images[:limit]
        elif collection.paging == "foreign":
            following = "http://evil.example/api/collections/1/images/"
        return {"count": count, "next": following, "previous": None, "results": page}

    def _image(self, token: str | None, number: int) -> Answer:
        for collection in self.collections:
            for image in collection.images:
                if image["id"] == number and collection.token == token:
                    return self._told(image)
        return _json({"detail": "Not found."}, 404)

    def _media(self, path: str, headers: dict[str, str]) -> Answer:
        place, _, name = path.partition("/")
        collection = self._find(place)
        # The route's pattern knows ASCII only.
        if collection is None or name not in collection.files or not name.isascii():
            return _page(404)
        if collection.token and place != collection.token:
            return _page(403)
        told = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'inline; filename="{name.split("/")[-1]}"',
            "Last-Modified": _MODIFIED,
            "Content-Encoding": "utf-8",
        }
        if headers.get("if-modified-since") == _MODIFIED:
            return Answer(304, told)
        return Answer(200, told, collection.files[name])

    def _zip(self, place: str) -> Answer:
        collection = self._find(place)
        if collection is None:
            return _page(404)
        if collection.token and place != collection.token:
            return _page(403)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for image in collection.images:
                name = unquote(image["file"].rsplit("/", 1)[-1])
                inside = f"{collection.record['name']}/{name}"
                archive.writestr(inside, collection.files[name])
        headers = {"Content-Type": "application/zip"}
        return Answer(200, headers, buffer.getvalue(), chunked=True)

    def _told(self, value: Any) -> Answer:
        answer = _json(value)
        if self.urls == "real":
            # As behind the proxy of the real site, which hides that it speaks https.
            answer.body = answer.body.replace(
                self.base.encode(), b"http://neurovault.org"
            )
        return answer


def _listed(records: list[Any]) -> dict[str, Any]:
    return {"count": len(records), "next": None, "previous": None, "results": records}


def _number(text: str, default: int) -> int:
    return int(text) if text.isdigit() else default


def _json(value: Any, status: int = 200) -> Answer:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(status, headers, json.dumps(value).encode())


def _page(status: int) -> Answer:
    body = f"<html><h1>{status}</h1></html>".encode()
    return Answer(status, {"Content-Type": "text/html; charset=utf-8"}, body)
