"""Asking servers: whatever they do, there is one clear error, soon, and no leak."""

import datetime as dt
import email.utils
import gzip
import http.server
import json
import logging
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.sources.http import (
    BrokenAnswerError,
    ForbiddenError,
    NotFoundError,
    OfflineError,
    RefusedAddressError,
    ServerError,
    UnreachableError,
    Web,
    WebError,
    redact,
)
from napari_neurosynth_results.sources.online import Online

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PRIVATE = "QWERTYUI"
#: Seconds that count as at once, on a busy machine.
SOON = 1.0


@dataclass
class Reply:
    """One answer: what is said about the body, and what really comes."""

    status: int = 200
    body: bytes = b'{"a": 1}'
    headers: dict[str, str] = field(default_factory=dict)
    #: None sends no length and closes the connection at the end.
    length: int | None = -1
    before: float = 0  # seconds of silence
    drip: float = 0  # seconds for each byte


class Site:
    """A server on this machine that gives the replies it was told to."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.now = self.most_at_once = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args) -> None: ...

            def do_GET(self) -> None:
                site.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Clients that leave are what is tested here.
        self.server.handle_error = lambda *args: None
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.01])
        self.thread.start()

    def gives(self, path: str, *replies: Reply) -> str:
        """Set the replies to a path, the last of which stays."""
        self.replies[path] = list(replies)
        return self.url + path

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        with self.lock:
            self.asked.append((handler.path, dict(handler.headers)))
            self.now += 1
            self.most_at_once = max(self.most_at_once, self.now)
            left = self.replies[handler.path]
            reply = left.pop(0) if len(left) > 1 else left[0]
        try:
            self.over.wait(reply.before)
            self.send(handler, reply)
        finally:
            with self.lock:
                self.now -= 1

    def send(self, handler, reply: Reply) -> None:
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        length = len(reply.body) if reply.length == -1 else reply.length
        if length is not None:
            handler.send_header("Content-Length", str(length))
        if length != len(reply.body):
            handler.close_connection = True
        handler.end_headers()
        if not reply.drip:
            handler.wfile.write(reply.body)
            return
        for byte in reply.body:
            handler.wfile.write(bytes([byte]))
            if self.over.wait(reply.drip):
                return

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def foreign() -> Iterator[Site]:
    """Run a server that nobody configured; it must hear nothing."""
    site = Site()
    site.gives("/", Reply())
    yield site
    site.close()
    assert site.asked == []


@pytest.fixture
def web(site: Site) -> Iterator[Web]:
    with make_web(site) as web:
        yield web


def make_web(site: Site, *, token: str = "", offline: bool = False, **options) -> Web:
    online = Online(site.url, site.url, site.url, token=token, offline=offline)
    times = {"deadline_json": 5, "deadline_file": 5, "pause": 0.01, "timeout": (2, 3)}
    return Web(online, **(times | options))


def get(web: Web, url: str, **options) -> object:
    return web.get_json(url, what="Collection 7", **options)


def fails(kind: type, call, *args, **options) -> str:
    """Return the text of the error, which names what was asked and holds no token."""
    with pytest.raises(ResultsError) as caught:
        call(*args, **options)
    assert type(caught.value) is kind
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert TOKEN not in shown
    assert PRIVATE not in shown
    return str(caught.value)


def html(status: int = 200, **options) -> Reply:
    page = b"<!doctype html><html><body>Server Error</body></html>"
    return Reply(status, page, {"Content-Type": "text/html; charset=utf-8"}, **options)


def moved(to: str, status: int = 301) -> Reply:
    return Reply(status, b"", {"Location": to})


# Documents


def test_a_document_is_asked_for_as_one(site, web) -> None:
    assert get(web, site.gives("/a/", Reply())) == {"a": 1}
    ((_, headers),) = site.asked
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("napari-neurosynth-results/0.")
    assert "Authorization" not in headers
    assert "Cookie" not in headers


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (Reply(body=b"\xef\xbb\xbf[1]"), [1]),
        (Reply(body=gzip.compress(b"[2]"), headers={"Content-Encoding": "gzip"}), [2]),
        (Reply(body=b"[3]", length=None), [3]),
        (Reply(body=b"[4]", headers={"Content-Encoding": "utf-8"}), [4]),
        (Reply(body=b"[5]", headers={"Content-Type": "text/html"}), [5]),
        (Reply(body=b"[6]", drip=0.001), [6]),
        (Reply(body=b"0"), 0),
    ],
)
def test_documents_in_all_their_dresses(site, web, reply, value) -> None:
    assert get(web, site.gives("/a", reply)) == value


@pytest.mark.parametrize(
    ("reply", "words", "asked"),
    [
        (html(), "web page", 1),
        (Reply(body=b"null"), "null", 1),
        (Reply(body=b"{"), "damaged", 3),
        (Reply(body=b""), "damaged", 3),
        (Reply(body=b"\xff\xfe{"), "damaged", 3),
        (Reply(body=b"[" * 100_000), "damaged", 3),
        (Reply(body=b"<html>"), "damaged", 1),
        (Reply(length=100), "broke off", 3),
        (Reply(body=b"x" * 10, headers={"Content-Encoding": "gzip"}), "damaged", 3),
        (Reply(body=b"[" + b"1," * 600), "more than the 1,000 bytes", 1),
        (Reply(body=b"[" + b"1," * 600, length=None), "more than the 1,000 bytes", 1),
    ],
)
def test_what_is_no_document(site, reply, words, asked) -> None:
    url = site.gives("/a", reply)
    with make_web(site, tries=3) as web:
        limit = 1000 if "1,000" in words else 1 << 20
        text = fails(BrokenAnswerError, get, web, url, max_bytes=limit)
    assert words in text
    assert "Collection 7" in text
    assert len(site.asked) == asked


def test_a_small_answer_cannot_inflate_without_a_limit(site, web) -> None:
    bomb = gzip.compress(bytes(200 << 20))
    url = site.gives("/a", Reply(body=bomb, headers={"Content-Encoding": "gzip"}))
    before = time.monotonic()
    assert "more than" in fails(BrokenAnswerError, get, web, url, max_bytes=1 << 20)
    assert time.monotonic() - before < SOON


# Statuses and further tries


@pytest.mark.parametrize(
    ("status", "kind", "asked"),
    [
        (400, ServerError, 1),
        (401, ForbiddenError, 1),
        (403, ForbiddenError, 1),
        (404, NotFoundError, 1),
        (406, ServerError, 1),
        (410, NotFoundError, 1),
        (429, ServerError, 3),
        (500, ServerError, 2),
        (501, ServerError, 1),
        (502, ServerError, 3),
        (503, ServerError, 3),
        (504, ServerError, 3),
        (522, ServerError, 3),
        (206, ServerError, 1),
        (304, ServerError, 1),
    ],
)
def test_each_status_has_its_error(site, status, kind, asked, tmp_path) -> None:
    url = site.gives("/a", html(status) if status != 304 else Reply(304, b""))
    path = tmp_path / "z.nii.gz"
    with make_web(site, tries=3) as web:
        text = fails(kind, get, web, url)
        assert len(site.asked) == asked
        fails(kind, web.download, url, path, what="Map z", max_bytes=100)
    assert text.startswith("Collection 7 ")
    assert str(status) in text
    assert "127.0.0.1" in text
    assert not path.exists()


@pytest.mark.parametrize(
    "failure",
    [
        html(429),
        html(500),
        html(502),
        html(503),
        html(504),
        html(521),
        Reply(length=99),
    ],
)
def test_a_passing_failure_passes(site, web, failure) -> None:
    assert get(web, site.gives("/a", failure, Reply())) == {"a": 1}
    assert len(site.asked) == 2


def test_it_waits_as_long_as_the_server_asks(site, web) -> None:
    url = site.gives("/a", Reply(429, b"", {"Retry-After": "1"}), Reply())
    before = time.monotonic()
    get(web, url)
    assert 1 <= time.monotonic() - before < 1 + SOON


def test_the_server_may_ask_by_a_date_but_not_for_ever(site) -> None:
    when = dt.datetime.now(dt.UTC) + dt.timedelta(hours=5)
    late = Reply(503, b"", {"Retry-After": email.utils.format_datetime(when)})
    odd = Reply(503, b"", {"Retry-After": "soon"})
    url = site.gives("/a", late, odd, Reply())
    before = time.monotonic()
    with make_web(site, longest_pause=0.2) as web:
        get(web, url)
    assert 0.2 <= time.monotonic() - before < 0.2 + SOON


def test_it_does_not_wait_beyond_the_deadline(site, web) -> None:
    url = site.gives("/a", Reply(503, b"", {"Retry-After": "20"}))
    before = time.monotonic()
    fails(ServerError, get, web, url)
    assert time.monotonic() - before < SOON


def test_no_server_is_an_error_of_its_own(site, tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with Web(Online(url, url, url), pause=0.01) as web:
        text = fails(UnreachableError, get, web, f"{url}/collections/{PRIVATE}/")
    assert "no connection" in text
    assert "Collection 7" in text


def test_a_reset_before_the_answer_is_tried_again(site, web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        tried = []

        def hang_up() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                tried.append(connection.recv(9))
                connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with Web(Online(url, url, url), pause=0.01, tries=2) as lonely:
            fails(UnreachableError, get, lonely, f"{url}/")
        thread.join()
    assert tried == [b"GET / HTT"] * 2


# Time


@pytest.mark.parametrize(
    "reply",
    [
        Reply(before=20),
        Reply(body=b"1" * 1000, drip=0.05),
        Reply(body=b"1" * 1000, drip=0.05, length=None),
        Reply(body=b"1", length=5, drip=20),
    ],
)
def test_nothing_outlasts_the_deadline(site, reply, tmp_path) -> None:
    url, path = site.gives("/a", reply), tmp_path / "z.nii.gz"
    with make_web(site, deadline_json=0.3, deadline_file=0.3, timeout=(9, 9)) as web:
        for call in (
            lambda: get(web, url),
            lambda: web.download(url, path, what="Map z", max_bytes=10_000),
        ):
            before = time.monotonic()
            assert "too long" in fails(UnreachableError, call)
            assert time.monotonic() - before < 0.3 + SOON
    assert not path.exists()


def test_silence_is_noticed_before_the_deadline(site) -> None:
    url = site.gives("/a", Reply(before=20), Reply())
    with make_web(site, timeout=(1, 0.2)) as web:
        assert get(web, url) == {"a": 1}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(before=20),
        Reply(body=b"1" * 1000, drip=0.05),
        Reply(body=b"1", length=5, drip=20),
        Reply(503, b"", {"Retry-After": "20"}),
    ],
)
def test_cancelling_works_at_once(site, reply, tmp_path) -> None:
    url, path = site.gives("/a", reply), tmp_path / "z.nii.gz"
    options = {"deadline_file": 60, "timeout": (9, 9)}
    with make_web(site, **options) as web:
        job = Job()
        threading.Timer(0.2, job.cancel).start()
        before = time.monotonic()
        with pytest.raises(CancelledError):
            web.download(url, path, what="Map z", max_bytes=10_000, job=job)
        assert time.monotonic() - before < 0.2 + SOON
    assert not path.exists()


def test_cancelling_from_the_progress_stops_within_one_chunk(site, web, tmp_path):
    url, path = site.gives("/a", Reply(body=bytes(1 << 20))), tmp_path / "z.nii.gz"
    heard = []

    def progress(what: str, done: int, total: int | None) -> None:
        heard.append(done)
        job.cancel()

    job = Job(progress)
    with pytest.raises(CancelledError):
        web.download(url, path, what="Map z", max_bytes=2 << 20, job=job)
    assert len(heard) == 1
    assert heard[0] <= 64 << 10
    assert not path.exists()


def test_who_waits_for_others_can_cancel_too(site) -> None:
    url = site.gives("/a", Reply(before=20))
    jobs = [Job() for _ in range(6)]
    with make_web(site, timeout=(9, 9)) as web, ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(get, web, url, job=job) for job in jobs]
        time.sleep(0.2)
        before = time.monotonic()
        for job in jobs:
            job.cancel()
        assert all(isinstance(c.exception(), CancelledError) for c in calls)
        assert time.monotonic() - before < SOON
    assert len(site.asked) == 4


def test_waiting_for_others_is_not_counted(site) -> None:
    url = site.gives("/a", Reply(before=0.3))
    with make_web(site, deadline_json=0.8) as web, ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(get, web, url) for _ in range(20)]
        assert [call.result() for call in calls] == [{"a": 1}] * 20


def test_never_more_than_four_at_once(site, web, tmp_path) -> None:
    url = site.gives("/a", Reply(body=b"[1, 2, 3]", drip=0.002))

    def load(n: int) -> None:
        web.download(url, tmp_path / str(n), what="Map", max_bytes=100)
        get(web, url)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(load, range(12)))
    assert site.most_at_once == 4
    assert len(site.asked) == 24


def test_connections_are_used_again(site, web) -> None:
    url, ports = site.gives("/a", Reply()), set()
    answer = site.answer

    def noted(handler) -> None:
        ports.add(handler.client_address[1])
        answer(handler)

    site.answer = noted
    for _ in range(5):
        get(web, url)
    assert len(ports) == 1


# Files


def test_a_file_is_written_as_it_comes(site, web, tmp_path) -> None:
    data = gzip.compress(bytes(range(256)) * 2000, mtime=0) * 50
    reply = Reply(body=data, headers={"Content-Encoding": "utf-8"})
    path, heard = tmp_path / "z.nii.gz", []
    web.download(
        site.gives("/z.nii.gz", reply),
        path,
        what="Map z",
        expected=len(data),
        max_bytes=len(data),
        job=Job(lambda *told: heard.append(told)),
    )
    assert path.read_bytes() == data
    steps = [done for _, done, _ in heard]
    assert steps == sorted(steps)
    assert steps[-1] == len(data)
    assert max(b - a for a, b in zip([0, *steps], steps, strict=False)) <= 64 << 10
    assert {(what, total) for what, _, total in heard} == {("Map z", len(data))}
    assert site.asked[0][1]["Accept-Encoding"] == "identity"


def test_a_zipped_file_stays_zipped_whatever_its_label_says(site, web, tmp_path):
    data, path = gzip.compress(b"voxels"), tmp_path / "z.nii.gz"
    url = site.gives("/a", Reply(body=data, headers={"Content-Encoding": "gzip"}))
    web.download(url, path, what="Map z", expected=len(data), max_bytes=100)
    assert path.read_bytes() == data


@pytest.mark.parametrize("expected", [None, 0, -1])
def test_a_length_that_is_not_known_is_not_missed(site, web, tmp_path, expected):
    url, path, heard = site.gives("/a", Reply(length=None)), tmp_path / "z", []
    job = Job(lambda *told: heard.append(told))
    web.download(url, path, what="M", expected=expected, max_bytes=100, job=job)
    assert path.read_bytes() == b'{"a": 1}'
    assert heard[-1] == ("M", 8, None)


@pytest.mark.parametrize(
    ("reply", "expected", "words", "asked"),
    [
        (Reply(body=b"x" * 50, length=100), 100, "broke off", 3),
        (Reply(body=b"x" * 50, length=None), 100, "50 bytes instead of 100", 3),
        (Reply(body=b"x" * 50), 100, "50 bytes instead of 100", 1),
        (Reply(body=b"x" * 100, length=50), 100, "50 bytes instead of 100", 1),
        (html(), None, "web page", 1),
        (Reply(body=b"x" * 2000), None, "more than the 1,000 bytes", 1),
        (Reply(body=b"x" * 2000, length=None), None, "more than the 1,000 bytes", 1),
        (Reply(body=b"x", length=10**15), None, "more than the 1,000 bytes", 1),
        (Reply(body=b"5\r\nabc", length=None, headers={"Transfer-Encoding": "chunked"}),
         None, "broke off", 3),
    ],
)  # fmt: skip
def test_a_broken_file_is_told(site, tmp_path, reply, expected, words, asked) -> None:
    url, path = site.gives("/a", reply), tmp_path / "z.nii.gz"
    if "Transfer-Encoding" in reply.headers:
        reply.length = None
    with make_web(site, tries=3) as web:
        text = fails(
            BrokenAnswerError, web.download, url, path,
            what="Map z", expected=expected, max_bytes=1000,
        )  # fmt: skip
    assert words in text
    assert text.startswith("Map z ")
    assert len(site.asked) == asked
    assert not path.exists()


def test_a_file_that_broke_off_starts_over(site, web, tmp_path) -> None:
    whole = bytes(range(100))
    cut = Reply(body=whole[:50], length=100)
    path = tmp_path / "z"
    web.download(
        site.gives("/a", cut, Reply(body=whole)), path, what="Map", max_bytes=100
    )
    assert path.read_bytes() == whole


def test_a_place_that_cannot_be_written_is_named(site, web, tmp_path) -> None:
    path = tmp_path / "missing" / "z"
    url = site.gives("/a", Reply())
    text = fails(ResultsError, web.download, url, path, what="Map", max_bytes=100)
    assert str(path) in text


def test_small_files_come_as_bytes(site, web) -> None:
    xml = b'<?xml version="1.0" encoding="ISO-8859-1"?><atlas/>'
    url = site.gives("/a", Reply(body=xml, headers={"Content-Type": "application/xml"}))
    assert web.get_bytes(url, what="Labels", max_bytes=100) == xml
    assert "more than" in fails(
        BrokenAnswerError, web.get_bytes, url, what="Labels", max_bytes=10
    )
    page = site.gives("/b", html())
    fails(BrokenAnswerError, web.get_bytes, page, what="Labels", max_bytes=1000)


# Addresses


def test_redirects_are_followed_here(site, web) -> None:
    site.gives("/c/", Reply())
    site.gives("/b?x=1", moved("/c/", 308))
    url = site.gives("/a", moved(f"{site.url}/b?x=1", 302))
    assert get(web, url) == {"a": 1}
    assert site.paths() == ["/a", "/b?x=1", "/c/"]


@pytest.mark.parametrize("target", ["/a", "", "?"])
def test_redirects_end(site, web, target) -> None:
    url = site.gives("/a", moved(target))
    site.gives("/", moved("/a"))
    site.gives("/a?", moved("/a"))
    text = fails(BrokenAnswerError, get, web, url)
    assert "without an end" in text
    assert len(site.asked) <= 6


@pytest.mark.parametrize(
    "form",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://user:secret@127.0.0.1:{own}/",
        "https://127.0.0.1:{own}/",
        "http://localhost:{own}/",
        "http://127.0.0.1:{own}@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@127.0.0.1:{own}/",
        "http://127.0.0.1:{own}\\@127.0.0.1:{port}/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://169.254.169.254/latest/",
        "http://[::1/",
        "http://127.0.0.1:99999/",
        "javascript:alert(1)",
    ],
)
def test_other_servers_are_never_asked(site, foreign, web, form, tmp_path) -> None:
    own, port = site.server.server_port, foreign.server.server_port
    target = form.format(own=own, port=port)
    url = site.gives("/a", moved(target))
    fails(RefusedAddressError, get, web, url)
    assert site.paths() == ["/a"]
    path = tmp_path / "z"
    fails(RefusedAddressError, web.download, url, path, what="Map", max_bytes=9)
    if not form.startswith("//"):
        fails(RefusedAddressError, get, web, target)
    assert site.paths() == ["/a", "/a"]
    assert not path.exists()


def test_a_refused_address_is_told_by_its_host(site, web) -> None:
    text = fails(RefusedAddressError, get, web, f"https://evil.example/{PRIVATE}/")
    assert "evil.example" in text
    assert "127.0.0.1" in text


def test_nothing_is_asked_offline(site) -> None:
    url = site.gives("/a", Reply())
    with make_web(site, offline=True) as web:
        assert "offline" in fails(OfflineError, get, web, url)
    assert site.asked == []


# Tokens


def test_the_token_goes_to_neurovault_only(site) -> None:
    other = Site()
    try:
        site.gives("/b", Reply())
        other.gives("/b", Reply())
        online = Online(site.url, other.url, other.url, token=TOKEN)
        with Web(online) as web:
            get(web, site.gives("/a", moved(f"{other.url}/b")))
            get(web, other.gives("/a", moved(f"{site.url}/b")))
        sent = [
            [(path, headers.get("Authorization")) for path, headers in one.asked]
            for one in (site, other)
        ]
        both = f"Token {TOKEN}"
        assert sent == [[("/a", both), ("/b", both)], [("/b", None), ("/a", None)]]
    finally:
        other.close()


def test_a_bad_token_is_left_out(site) -> None:
    refused = Reply(401, b'{"detail": "Invalid token."}')
    url = site.gives("/a", refused, Reply())
    with make_web(site, token="wrong") as web:
        assert get(web, url) == {"a": 1}
    assert ["Authorization" in headers for _, headers in site.asked] == [True, False]


def test_no_token_is_ever_shown(site, caplog, capfd) -> None:
    caplog.set_level(logging.INFO)
    faults = {
        "404": html(404), "403": html(403), "401": html(401), "500": html(500),
        "503": html(503), "418": html(418), "cut": Reply(length=99), "html": html(),
        "null": Reply(body=b"null"), "away": moved(f"https://evil.example/{PRIVATE}/"),
        "odd": moved(f"http://[/{PRIVATE}"), "loop": moved("?"), "late": Reply(before=9),
    }  # fmt: skip
    what = f"Collection {PRIVATE} ({TOKEN})"
    with make_web(site, token=TOKEN, tries=2, deadline_json=0.4) as web:
        assert TOKEN not in repr(web) + repr(web.online)
        for name, reply in faults.items():
            url = site.gives(f"/collections/{PRIVATE}/{name}", reply)
            text = fails_redacted(web, url, what)
            assert text.startswith(("Collection <private>", "evil.example", "http://["))
    shown = caplog.text + "".join(capfd.readouterr())
    assert TOKEN not in shown
    assert PRIVATE not in shown


def fails_redacted(web: Web, url: str, what: str) -> str:
    with pytest.raises(WebError) as caught:
        web.get_json(url, what=what)
    error: BaseException | None = caught.value
    text = str(error)
    while error is not None:
        assert TOKEN not in str(error) + repr(error)
        assert PRIVATE not in str(error) + repr(error)
        error = error.__cause__ or error.__context__
    return text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://n.org/collections/QWERTYUI/", "https://n.org/collections/<private>/"),
        ("/api/images/QWERTYUI-12/", "/api/images/<private>-12/"),
        (f"Token {TOKEN}", "Token <token>"),
        ("my-own-secret!", "<token>!"),
        ("/media/images/12/QWERTYUIO.nii.gz", "/media/images/12/QWERTYUIO.nii.gz"),
        ("/collections/12345678/", "/collections/12345678/"),
    ],
)
def test_what_is_redacted(text, shown) -> None:
    assert redact(text, Online(token="my-own-secret")) == shown


def test_passwords_of_netrc_stay_at_home(site, web, tmp_path, monkeypatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin me\npassword secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    get(web, site.gives("/a", Reply(headers={"Set-Cookie": "a=b"})))
    get(web, site.gives("/a", Reply()))
    for _, headers in site.asked:
        assert not {"Authorization", "Cookie"} & set(headers)


def test_the_servers_threads_are_not_left_behind(site) -> None:
    url = site.gives("/a", Reply(body=b"1" * 1000, drip=0.05))
    with make_web(site, deadline_json=0.1) as web:
        for _ in range(6):  # more than may be under way, so each gave its place back
            fails(UnreachableError, get, web, url)
    names = Counter(type(thread) for thread in threading.enumerate())
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and any(
        "_run" in thread.name for thread in threading.enumerate()
    ):
        time.sleep(0.02)
    left = [t.name for t in threading.enumerate() if "_run" in t.name]
    assert left == [], names
    assert json.dumps(site.paths()) == json.dumps(["/a"] * 6)


def test_the_path_is_left_when_the_file_is_whole(site, web, tmp_path: Path) -> None:
    path = tmp_path / "z"
    path.write_bytes(b"older and longer than the new one")
    web.download(site.gives("/a", Reply()), path, what="Map", max_bytes=99)
    assert path.read_bytes() == b'{"a": 1}'
