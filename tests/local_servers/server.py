"""The servers as tests use them: what they hold, how they fail, what was asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from local_servers import compose, documents
from local_servers.answers import json_answer
from local_servers.compose import RUN_KEY, MetaAnalysis, Shape
from local_servers.faults import Answer, Fault, Faults
from local_servers.listening import Listener
from local_servers.neurovault import Collection
from local_servers.sites import Sites


@dataclass
class Asked:
    """A request that came; the times are those of `time.monotonic`."""

    path: str
    headers: dict[str, str]
    method: str = "GET"
    started: float = 0.0
    #: When it was answered, 0 before.
    ended: float = 0.0


class LocalServers:
    """NeuroVault, Compose and NeuroStore, and a foreign host that nobody should ask.

    Parameters
    ----------
    latency : float
        Seconds before each answer.
    port : int
        Where the sites listen; 0 for any that is free.
    workers : int, optional
        Requests that are answered at a time; by default any number.
    refuses : bool
        Whether what finds no worker free is refused as too many requests, as by the
        proxy of the real site; else it waits for one.

    Attributes
    ----------
    neurovault, compose, neurostore, foreign : str
        Addresses of the sites, and of the foreign host.
    requests, foreign_requests : list of Asked
        What was asked, in order.
    most_at_once : int
        The highest number of requests that were being answered at the same time.
    run_key : str
        What must turn up in no file, text or request.
    sites : Sites
        What is served; its `urls`, `next_style` and `tokens` may be changed.
    faults : Faults
        What fails; see `fail`.
    """

    def __init__(
        self,
        latency: float = 0.0,
        *,
        port: int = 0,
        workers: int | None = None,
        refuses: bool = False,
    ) -> None:
        self.latency = latency
        self._workers = threading.BoundedSemaphore(workers) if workers else None
        self._refuses = refuses
        self.faults = Faults()
        self.requests: list[Asked] = []
        self.foreign_requests: list[Asked] = []
        self.most_at_once = 0
        self.run_key = RUN_KEY
        self._at_once = 0
        self._lock = threading.Lock()
        self._main = Listener(self._handle, port)
        self._foreign = Listener(self._handle_foreign)
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
        self._main.stop()
        self._foreign.stop()

    # --- what was asked ---------------------------------------------------------------

    def reset_log(self) -> None:
        """Forget what was asked."""
        with self._lock:
            self.requests.clear()
            self.foreign_requests.clear()
            self.most_at_once = self._at_once

    def paths(self, part: str = "") -> list[str]:
        """Return the paths asked that hold a text, in order."""
        with self._lock:
            return [asked.path for asked in self.requests if part in asked.path]

    @contextmanager
    def _handle(
        self, method: str, path: str, headers: dict[str, str]
    ) -> Iterator[Answer]:
        asked = Asked(path, headers, method, time.monotonic())
        with self._lock:
            self.requests.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            with self._worker() as free:
                if self.latency and free:
                    self._main.over.wait(self.latency)
                answer = self._answer(method, path, headers)
                if not free:
                    Fault.status(503, retry_after="1").change(answer, path)
            yield answer
        finally:
            with self._lock:
                asked.ended = time.monotonic()
                self._at_once -= 1

    @contextmanager
    def _worker(self) -> Iterator[bool]:
        """Take a worker for as long as an answer takes; say whether one was free."""
        if self._workers is None:
            yield True
            return
        free = self._workers.acquire(blocking=not self._refuses)
        try:
            yield free
        finally:
            if free:
                self._workers.release()

    def _answer(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        if method in ("GET", "HEAD"):
            answer = self.sites.answer(path, headers)
        else:
            answer = json_answer({"detail": f'Method "{method}" not allowed.'}, 405)
        for fault in self.faults.of(path, authorized="authorization" in headers):
            fault.change(answer, f"{self.neurovault}{path}")
        return answer

    @contextmanager
    def _handle_foreign(
        self, method: str, path: str, headers: dict[str, str]
    ) -> Iterator[Answer]:
        with self._lock:
            asked = Asked(path, headers, method, time.monotonic())
            self.foreign_requests.append(asked)
        yield json_answer({})

    # --- how it fails -----------------------------------------------------------------

    def fail(self, pattern: str, fault: Fault, times: int | None = None) -> None:
        """Let requests whose path matches fail, a number of times or always."""
        self.faults.add(pattern, fault, times)

    def unheard(self) -> str:
        """Return the address of a port on which nobody listens."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{unused.getsockname()[1]}"

    # --- what there is ----------------------------------------------------------------

    def add_collection(
        self,
        name: str = "A collection",
        *,
        private: bool = False,
        token: str | None = None,
        id: int | None = None,  # noqa: A002 - the key of the record
        **fields: Any,
    ) -> Collection:
        """Add a collection without images; a private one gets a token of 8 letters."""
        number = 100 + len(self.sites.collections) if id is None else id
        if private and token is None:
            token = _token(number)
        base = self.neurovault
        fields["private"] = token is not None
        record = documents.collection_record(number, name, base, **fields)
        if token:
            record["url"] = f"{base}/collections/{token}/"
            record["download_url"] = f"{record['url']}download"
        collection = Collection(number, token, record, base)
        self.sites.collections.append(collection)
        return collection

    def add_meta_analysis(
        self,
        collection: Collection | None,
        *,
        shape: Shape = "2026",
        name: str = "Pain, ALE",
        n_results: int = 1,
        diagnostic_table: str | None = None,
        studyset: dict[str, Any] | None = None,
        annotation: dict[str, Any] | None = None,
        **fields: Any,
    ) -> MetaAnalysis:
        """Add a meta-analysis, its project, its results and their snapshots.

        Parameters
        ----------
        collection : Collection or None
            Where the maps of all its results are; None if the upload failed.
        shape : {"2026", "2024", "2023"}
            Of which time the documents look.
        name, n_results, diagnostic_table, studyset, annotation
            Parts of the documents.
        **fields
            Keys of the specification to set.

        Returns
        -------
        MetaAnalysis
            Its id, which also knows its results.
        """
        number = sum("/meta-analyses/" in path for path in self.sites.documents)
        meta = MetaAnalysis(f"Meta{number:08d}")
        meta.project_id = f"Proj{number:08d}"
        results = [f"Rslt{number:05d}{n:03d}" for n in range(n_results)]
        meta.result_ids = tuple(results)
        peaks = f"Peak{number:08d}"
        linked = {
            "project": meta.project_id,
            "analysis": peaks,
            "analysis_url": f"{self.neurostore}/api/analyses/{peaks}",
            "studyset": compose.studyset() if studyset is None else studyset,
            "annotation": compose.annotation() if annotation is None else annotation,
            "snapshot_studyset_id": f"Stud{number:08d}",
            "snapshot_annotation_id": f"Anno{number:08d}",
        }
        document = compose.meta_analysis(
            str(meta), name, shape, results, linked, specified=fields
        )
        self._put("compose", "meta-analyses", str(meta), document)
        for result in results:
            upload = collection and compose.uploaded(
                collection.id, collection.images, self.neurovault, shape
            )
            document = compose.result(
                result, str(meta), shape, upload, diagnostic_table, linked
            )
            self._put("compose", "meta-analysis-results", result, document)
        self.add_project(meta, id=meta.project_id)
        self._put_studies(linked, peaks)
        return meta

    def add_project(
        self,
        *meta_analyses: str,
        id: str | None = None,  # noqa: A002 - the key of the document
        name: str = "Project",
    ) -> str:
        """Add a project that lists meta-analyses; return its id."""
        number = sum("/projects/" in path for path in self.sites.documents)
        project = id or f"Many{number:08d}"
        document = compose.project(project, name, [str(m) for m in meta_analyses])
        self._put("compose", "projects", project, document)
        return project

    def _put_studies(self, linked: dict[str, Any], peaks: str) -> None:
        for what in ("studyset", "annotation"):
            document, number = linked[what], linked[f"snapshot_{what}_id"]
            base = self.neurostore
            kept = compose.snapshot(number, document, base, f"{what}s")
            self._put("compose", f"snapshot-{what}s", number, kept)
            self._put("neurostore", f"{what}s", str(document.get("id")), document)
        self._put("neurostore", "analyses", peaks, compose.peaks(peaks))

    def _put(self, site: str, what: str, number: str, document: Any) -> None:
        self.sites.documents[f"/{site}/api/{what}/{number}"] = document


def _token(number: int) -> str:
    """Return eight capital letters that no other number gives."""
    letters = []
    for _ in range(8):
        number, letter = divmod(number, 26)
        letters.append(chr(ord("A") + letter))
    return "".join(letters)
