"""The three sites: which path gets which answer, the odd ones too."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote

from local_servers.answers import (
    MODIFIED,
    denied,
    json_answer,
    media,
    missing,
    page,
    page_of,
    zip_answer,
)
from local_servers.compose import without_nesting
from local_servers.documents import OWNER
from local_servers.faults import Answer
from local_servers.neurovault import Collection

_REAL = "http://neurovault.org"
_IMAGE_PAGE = re.compile(r"/images/(\d+)/")


class Sites:
    """Everything that is served, and the answers.

    Parameters
    ----------
    base : str
        Address of NeuroVault; Compose and NeuroStore lie below it.

    Attributes
    ----------
    urls : str
        "request": addresses in documents name the host asked; "real": neurovault.org,
        by http, as the real site does behind its proxy.
    next_style : str
        The same, for the addresses of further pages only.
    tokens : set of str or None
        API tokens that are good; with None, all are.
    owner_token : str
        The one whose owner made all collections of `OWNER`.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self.collections: list[Collection] = []
        self.documents: dict[str, Any] = {}
        self.urls = "request"
        self.next_style = "request"
        self.tokens: set[str] | None = None
        self.owner_token = ""

    def answer(self, target: str, headers: dict[str, str]) -> Answer:
        """Answer one GET."""
        raw, _, query = target.partition("?")
        path = unquote(raw)
        if path.startswith(("/compose", "/neurostore")):
            return self._document(path, query)
        if path.startswith("/media/images/"):
            return self._media(path.removeprefix("/media/images/"), headers)
        if path.startswith("/api/"):
            return self._api(path.removeprefix("/api"), query, headers)
        return self._web(path)

    # --- Compose and NeuroStore -------------------------------------------------------

    def _document(self, path: str, query: str) -> Answer:
        if path in self.documents:
            document = self.documents[path]
            nested = parse_qs(query).get("nested") == ["true"]
            if "/meta-analyses/" in path and not nested:
                document = without_nesting(document)
            return json_answer(document, kind="application/json")
        if "/api/" not in path:
            return page(200)
        problem = {
            "type": "about:blank",
            "title": "Not Found",
            "detail": "The requested URL was not found on the server.",
            "status": 404,
        }
        return json_answer(problem, 404, kind="application/problem+json")

    # --- NeuroVault's API -------------------------------------------------------------

    def _api(self, path: str, query: str, headers: dict[str, str]) -> Answer:
        if refused := self._refused(headers):
            return refused
        if re.fullmatch(r"/(?:collections|images)(?:/[^/]+)+\.json", path):
            return page(500)
        path = re.sub(r"^/(collections|images)\.json$", r"/\1/", path)
        if not path.endswith("/"):
            return Answer(301, {"Location": f"/api{path}/" + (query and f"?{query}")})
        token = headers.get("authorization", "").partition(" ")[2]
        if path == "/my_collections/" and token and token == self.owner_token:
            mine = [c.record for c in self.collections if c.record["owner"] == OWNER]
            return self._told(page_of(mine, f"{self.base}/api{path}", query))
        if path in ("/user/", "/my_collections/"):
            detail = "Authentication credentials were not provided."
            return json_answer({"detail": detail}, 401)
        if path in ("/collections/", "/images/", "/atlases/", "/nidm_results/"):
            return self._told(self._everything(path.strip("/"), query))
        if found := re.fullmatch(r"/collections/([^/]+)/(?:(\w+)/)?", path):
            return self._collection(found[1], found[2] or "", query)
        if found := re.fullmatch(r"/(images|atlases)/(?:([A-Z]{8})-)?(\d+)/", path):
            return self._image(found[2], int(found[3]), found[1] == "atlases")
        if found := re.fullmatch(r"/nidm_results/(\d+)/", path):
            return self._pack(int(found[1]))
        return missing()

    def _refused(self, headers: dict[str, str]) -> Answer | None:
        """Return the answer to a bad token, or to a wish for bytes or a page."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme == "Token" and self.tokens is not None and token not in self.tokens:
            answer = json_answer({"detail": "Invalid token."}, 401)
            answer.headers["WWW-Authenticate"] = "Token"
            return answer
        accept = headers.get("accept", "*/*")
        if "json" in accept or "*/*" in accept.split(",")[0]:
            return None
        if "text/html" in accept:
            return page(200)
        detail = "Could not satisfy the request Accept header."
        return json_answer({"detail": detail}, 406)

    def _everything(self, what: str, query: str) -> dict[str, Any]:
        shown = [c for c in self.collections if not c.token]
        records = {
            "collections": [c.record for c in shown],
            "images": [i for c in shown for i in c.images],
            "atlases": [i for c in shown for i in _atlases(c)],
            "nidm_results": [pack for c in shown for pack in c.nidm],
        }[what]
        return page_of(records, f"{self.base}/api/{what}/", query)

    def _collection(self, place: str, what: str, query: str) -> Answer:
        if _strange(place):
            return page(500)
        collection = self._find(place)
        if collection is None:
            return missing()
        if collection.token and place != collection.token:
            return denied()
        if not what:
            return self._told(collection.record)
        lists = {
            "images": collection.images,
            "nidm_results": collection.nidm,
            "atlases": _atlases(collection),
        }
        if what not in lists:
            return missing()
        here = f"{self.base}/api/collections/{place}/{what}/"
        wrong = collection.paging if what == "images" else ""
        return self._told(page_of(lists[what], here, query, wrong))

    def _image(self, token: str | None, number: int, only_atlases: bool) -> Answer:
        for collection in self.collections:
            images = _atlases(collection) if only_atlases else collection.records
            for image in images:
                if image["id"] == number and collection.token == token:
                    return self._told(image)
        return missing()

    def _pack(self, number: int) -> Answer:
        for collection in self.collections:
            for pack in collection.nidm:
                if pack["id"] == number and not collection.token:
                    return self._told(pack)
        return missing()

    def _told(self, value: Any) -> Answer:
        if self.next_style == "real" and isinstance(value, dict) and "results" in value:
            turned = {
                key: value[key] and value[key].replace(self.base, _REAL)
                for key in ("next", "previous")
            }
            value = value | turned
        answer = json_answer(value)
        if self.urls == "real":
            answer.body = answer.body.replace(self.base.encode(), _REAL.encode())
        return answer

    # --- NeuroVault's files and pages -------------------------------------------------

    def _media(self, path: str, headers: dict[str, str]) -> Answer:
        place, _, name = path.partition("/")
        if _strange(place):
            return page(500)
        collection = self._find(place)
        if collection is None:
            return page(404)
        if collection.token and place != collection.token:
            return page(403)
        # The route's pattern knows ASCII only.
        if name not in collection.files or not name.isascii():
            return page(404)
        if headers.get("if-modified-since") == MODIFIED:
            return Answer(304, {"Last-Modified": MODIFIED})
        return media(name, collection.files[name])

    def _web(self, path: str) -> Answer:
        if found := re.fullmatch(r"/collections/([^/]+)/(.*)", path):
            return self._web_collection(found[1], found[2])
        if found := _IMAGE_PAGE.fullmatch(path):
            answer = self._image(None, int(found[1]), only_atlases=False)
            return page(answer.status)
        return page(200 if path == "/" else 404)

    def _web_collection(self, place: str, rest: str) -> Answer:
        collection = self._find(place)
        if collection is None:
            return page(404)
        if collection.token and place != collection.token:
            return page(403)
        if rest == "download":
            return zip_answer(collection)
        if rest.endswith((".nidm.zip", ".nidm.ttl")) and rest in collection.files:
            return media(rest, collection.files[rest])
        if not rest:
            return page(200)
        numbers = {str(image["id"]) for image in collection.records}
        found = _IMAGE_PAGE.fullmatch(f"/{rest}")
        return page(200 if found and found[1] in numbers else 404)

    def _find(self, place: str) -> Collection | None:
        return next(
            (c for c in self.collections if place in {str(c.id), c.token}), None
        )


def _strange(place: str) -> bool:
    """Return whether the real site fails over a place: no number, no capital token."""
    return not (place.isdigit() or re.fullmatch("[A-Z]{8}", place))


def _atlases(collection: Collection) -> list[dict[str, Any]]:
    """Return atlases as their own routes do: without the type of image."""
    return [
        {key: value for key, value in image.items() if key != "image_type"}
        for image in collection.records
        if image["image_type"] == "atlas"
    ]
