"""The server itself: threads, faults, and a record of what was asked."""

from __future__ import annotations

import http.server
import re
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from local_servers import documents
from local_servers.faults import Answer, Fault, Faults
from local_servers.sites import RUN_KEY, Collection, Sites

_CHUNK = 1 << 15
_TOKENS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    path: str
    headers: dict[str, str]


class LocalServers:
    """NeuroVault, Compose and NeuroStore, and a foreign host that nobody should ask.

    Parameters
    ----------
    latency : float
        Seconds before each answer.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        self.faults = Faults()
        self.requests: list[Asked] = []
        self.foreign_requests: list[Asked] = []
        self.most_at_once = 0
        self.run_key = RUN_KEY
        self._at_once = 0
        self._lock = threading.Lock()
        self.over = threading.Event()
        self._main = _Server(self, foreign=False)
        self._foreign = _Server(self, foreign=True)
        self.neurovault = self._main.address
        self.compose = f"{self.neurovault}/compose"
        self.neurostore = f"{self.neurovault}/neurostore"
        self.foreign = self._foreign.address
        self.sites = Sites(self.neurovault)

    def __enter__(self) -> Self:
        self._main.start()
        self._foreign.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        self._main.stop()
        self._foreign.stop()

    def reset_log(self) -> None:
        """Forget what was asked."""
        with self._lock:
            self.requests.clear()
            self.foreign_requests.clear()
            self.most_at_once = 0

    def paths(self, part: str = "") -> list[str]:
        """Return the paths asked that hold a text, in order."""
        with self._lock:
            return [asked.path for asked in self.requests if part in asked.path]

    def fail(self, pattern: str, fault: Fault, times: int | None = None) -> None:
        """Let requests whose path matches fail, a number of times or always."""
        self.faults.add(re.compile(pattern), fault, times)

    def handle(self, path: str, headers: dict[str, str], foreign: bool) -> Answer:
        """Record a request and answer it."""
        asked = Asked(path, headers)
        with self._lock:
            (self.foreign_requests if foreign else self.requests).append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        if foreign:
            return Answer(200, {"Content-Type": "application/json"}, b"{}")
        if self.latency:
            self.over.wait(self.latency)
        answer = self.sites.answer(path, headers)
        for fault in self.faults.of(path, authorized="authorization" in headers):
            answer = fault.apply(answer)
        return answer

    def done(self) -> None:
        """Count a request as answered."""
        with self._lock:
            self._at_once -= 1

    # --- what there is ----------------------------------------------------------------

    def add_collection(
        self, name: str = "A collection", *, private: bool = False, **fields: Any
    ) -> Collection:
        """Add a collection without images."""
        number = 100 + len(self.sites.collections)
        token = None
        if private:
            letters = [_TOKENS[(number * k + 7 * k) % 26] for k in range(1, 9)]
            token = "".join(letters)
        record = documents.collection_record(
            number, name, self.neurovault, private=private, **fields
        )
        if token:
            record["url"] = f"{self.neurovault}/collections/{token}/"
            record["download_url"] = f"{record['url']}download"
        collection = Collection(number, token, record, self.neurovault)
        self.sites.collections.append(collection)
        return collection

    def add_meta_analysis(
        self, collection: Collection | None, *, shape: str = "2026", **fields: Any
    ) -> str:
        """Add a meta-analysis with one result; return its id.

        `shape` is "2023", "2024" or "2026"; `fields` go into the specification, but for
        ``diagnostic_table``, ``name`` and ``n_results``.
        """
        number = sum("/meta-analyses/" in path for path in self.sites.documents)
        meta_id, project = f"Meta{number:08d}", f"Proj{number:08d}"
        table = fields.pop("diagnostic_table", None)
        name = fields.pop("name", "Pain, ALE")
        results = [
            f"Rslt{number:05d}{n:03d}" for n in range(fields.pop("n_results", 1))
        ]
        studyset, note = documents.studyset(), documents.annotation()
        document: dict[str, Any] = {
            "id": meta_id,
            "user": "google-oauth2|1",
            "username": documents.USER,
            "name": name,
            "description": "A meta-analysis of pain",
            "public": True,
            "specification": documents.specification(**fields),
            "project": project,
            "run_key": RUN_KEY,
            "results": results,
        }
        snapshot_ids = {
            "snapshot_studyset_id": f"Stud{number:08d}",
            "snapshot_annotation_id": f"Anno{number:08d}",
        }
        if shape == "2026":
            document["snapshots"] = [
                {"result_id": result, **snapshot_ids} for result in results
            ]
            document["neurostore_studyset"] = {"id": studyset["id"], "studysets": []}
            document["neurostore_annotation"] = {"id": note["id"], "annotations": []}
        else:
            document["results"] = [{"id": result} for result in results]
            key = "" if shape == "2023" else "neurostore_"
            document[f"{key}studyset"] = {"snapshot": {"snapshot": studyset}}
            document[f"{key}annotation"] = {"snapshot": {"snapshot": note}}
            snapshot_ids = {}
        put = self.sites.documents
        put[f"/compose/api/meta-analyses/{meta_id}"] = document
        listed = {"id": project, "name": "Project", "meta_analyses": [meta_id]}
        put[f"/compose/api/projects/{project}"] = listed
        for result in results:
            put[f"/compose/api/meta-analysis-results/{result}"] = {
                "id": result,
                "meta_analysis_id": meta_id,
                "neurovault_collection": _uploaded(collection, self.neurovault),
                "diagnostic_table": table,
                **snapshot_ids,
            }
        wrapped = {"snapshot": {"snapshot": studyset}, "neurostore_id": studyset["id"]}
        put[f"/compose/api/snapshot-studysets/Stud{number:08d}"] = wrapped
        wrapped = {"snapshot": {"snapshot": note}, "neurostore_id": note["id"]}
        put[f"/compose/api/snapshot-annotations/Anno{number:08d}"] = wrapped
        put[f"/neurostore/api/studysets/{studyset['id']}"] = studyset
        put[f"/neurostore/api/annotations/{note['id']}"] = note
        return meta_id


def _uploaded(collection: Collection | None, base: str) -> dict[str, Any] | None:
    if collection is None:
        return None
    files = [
        {
            "image_id": str(image["id"]),
            "status": "OK",
            "exception": None,
            "map_type": image.get("map_type"),
            "url": f"{base}/api/images/{image['id']}",
        }
        for image in collection.images
    ]
    number = str(collection.id)
    url = f"{base}/api/collections/{number}"
    return {"collection_id": number, "url": url, "files": files}


class _Server:
    """One listening port."""

    def __init__(self, owner: LocalServers, *, foreign: bool) -> None:
        class Handler(_Handler):
            servers, is_foreign = owner, foreign

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes, which Nagle's algorithm would keep 40 ms apart.
    disable_nagle_algorithm = True
    timeout = 30
    servers: LocalServers
    is_foreign: bool

    def log_message(self, *args: object) -> None:
        """Keep the terminal quiet."""

    def do_GET(self) -> None:
        """Answer, as well or as badly as was asked for."""
        headers = {key.lower(): value for key, value in self.headers.items()}
        try:
            answer = self.servers.handle(self.path, headers, self.is_foreign)
            with suppress(OSError):
                self._send(answer)
        finally:
            self.servers.done()

    def _send(self, answer: Answer) -> None:
        if answer.stall and self.servers.over.wait(answer.stall):
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.length is None:
            self.send_header("Connection", "close")
        else:
            length = len(answer.body) if answer.length < 0 else answer.length
            self.send_header("Content-Length", str(length))
        self.end_headers()
        body = answer.body if answer.cut_at is None else answer.body[: answer.cut_at]
        if answer.reset:
            self._write(body[: len(body) // 2])
            self._break()
            return
        if answer.chunked:
            self._send_chunks(body, answer.terminated)
        elif answer.drip:
            self._drip(body, answer.drip)
        else:
            self._write(body)
        if answer.length is None or answer.cut_at is not None or answer.length >= 0:
            self.close_connection = True

    def _write(self, body: bytes) -> None:
        self.wfile.write(body)
        self.wfile.flush()

    def _send_chunks(self, body: bytes, terminated: bool) -> None:
        for start in range(0, len(body), _CHUNK):
            piece = body[start : start + _CHUNK]
            self._write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if terminated:
            self._write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def _drip(self, body: bytes, per_second: float) -> None:
        step = max(1, int(per_second / 50))
        for start in range(0, len(body), step):
            self._write(body[start : start + step])
            if self.servers.over.wait(step / per_second):
                self.close_connection = True
                return
            time.sleep(0)

    def _break(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()
