"""What servers answer: documents, files and failures, each told for what it is."""

import datetime as dt
import email.utils
import gzip
import socket
import threading
import time
from pathlib import Path

import pytest

from local_servers.scripted import (
    PRIVATE,
    SOON,
    Reply,
    fails,
    get,
    html,
    make_web,
)
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.web.cache import NotWritableError
from napari_neurosynth_results.sources.web.client import (
    BrokenAnswerError,
    ForbiddenError,
    NotFoundError,
    ServerError,
    UnreachableError,
    WebClient,
)
from napari_neurosynth_results.sources.web.servers import Servers

pytestmark = pytest.mark.timed

# Documents


def test_a_document_is_asked_for_as_one(site, client) -> None:
    assert get(client, site.gives("/a/", Reply())) == {"a": 1}
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
def test_documents_in_all_their_dresses(site, client, reply, value) -> None:
    assert get(client, site.gives("/a", reply)) == value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "words", "asked"),
    [
        (html(), "web page", 1),
        (Reply(body=b"null"), "null", 1),
        (Reply(body=b"{"), "damaged", 3),
        (Reply(body=b""), "damaged", 3),
        (Reply(body=b"\xff\xfe{"), "damaged", 3),
        (Reply(body=b"[" * 100_000), "nested too deeply", 1),
        (Reply(body=b"<html>"), "damaged", 1),
        (Reply(length=100), "broke off", 3),
        (Reply(body=b"x" * 10, headers={"Content-Encoding": "gzip"}), "damaged", 3),
        (Reply(body=b"[" + b"1," * 600), "more than the 1,000 bytes", 1),
        (Reply(body=b"[" + b"1," * 600, length=None), "more than the 1,000 bytes", 1),
    ],
)
def test_what_is_no_document(site, reply, words, asked) -> None:
    url = site.gives("/a", reply)
    with make_web(site, tries=3) as client:
        limit = 1000 if "1,000" in words else 1 << 20
        text = fails(BrokenAnswerError, get, client, url, max_bytes=limit)
    assert words in text
    assert "Collection 7" in text
    assert len(site.asked) == asked


@pytest.mark.slow
def test_a_small_answer_cannot_inflate_without_a_limit(site, client) -> None:
    bomb = gzip.compress(bytes(200 << 20))
    url = site.gives("/a", Reply(body=bomb, headers={"Content-Encoding": "gzip"}))
    before = time.monotonic()
    assert "more than" in fails(BrokenAnswerError, get, client, url, max_bytes=1 << 20)
    assert time.monotonic() - before < SOON


# Statuses and further tries


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "kind", "asked"),
    [
        (400, ServerError, 1),
        (401, ForbiddenError, 1),
        (403, ForbiddenError, 1),
        (404, NotFoundError, 1),
        (406, ServerError, 1),
        (410, NotFoundError, 1),
        (429, ServerError, 5),
        (500, ServerError, 2),
        (501, ServerError, 1),
        (502, ServerError, 5),
        (503, ServerError, 5),
        (504, ServerError, 5),
        (522, ServerError, 3),
        (206, ServerError, 1),
        (304, ServerError, 1),
    ],
)
def test_each_status_has_its_error(site, status, kind, asked, tmp_path) -> None:
    url = site.gives("/a", html(status) if status != 304 else Reply(304, b""))
    path = tmp_path / "z.nii.gz"
    with make_web(site, tries=3, busy_tries=5) as client:
        text = fails(kind, get, client, url)
        assert len(site.asked) == asked
        fails(kind, client.download, url, path, what="Map z", max_bytes=100)
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
def test_a_passing_failure_passes(site, client, failure) -> None:
    assert get(client, site.gives("/a", failure, Reply())) == {"a": 1}
    assert len(site.asked) == 2


@pytest.mark.slow
def test_it_waits_as_long_as_the_server_asks(site, client) -> None:
    url = site.gives("/a", Reply(429, b"", {"Retry-After": "1"}), Reply())
    before = time.monotonic()
    get(client, url)
    assert 1 <= time.monotonic() - before < 1 + SOON


def test_the_server_may_ask_by_a_date_but_not_for_ever(site) -> None:
    when = dt.datetime.now(dt.UTC) + dt.timedelta(hours=5)
    late = Reply(503, b"", {"Retry-After": email.utils.format_datetime(when)})
    odd = Reply(503, b"", {"Retry-After": "soon"})
    url = site.gives("/a", late, odd, Reply())
    before = time.monotonic()
    with make_web(site, longest_pause=0.2) as client:
        get(client, url)
    assert 0.2 <= time.monotonic() - before < 0.2 + SOON


def test_it_does_not_wait_beyond_the_deadline(site, client) -> None:
    url = site.gives("/a", Reply(503, b"", {"Retry-After": "20"}))
    before = time.monotonic()
    fails(ServerError, get, client, url)
    assert time.monotonic() - before < SOON


def test_no_server_is_an_error_of_its_own(site, tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with WebClient(Servers(url, url, url), pause=0.01) as client:
        text = fails(UnreachableError, get, client, f"{url}/collections/{PRIVATE}/")
    assert "no connection" in text
    assert "Collection 7" in text


def test_a_reset_before_the_answer_is_tried_again(site, client) -> None:
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
        with WebClient(Servers(url, url, url), pause=0.01, tries=2) as lonely:
            fails(UnreachableError, get, lonely, f"{url}/")
        thread.join()
    assert tried == [b"GET / HTT"] * 2


# Files


def test_a_file_is_written_as_it_comes(site, client, tmp_path) -> None:
    data = gzip.compress(bytes(range(256)) * 2000, mtime=0) * 50
    reply = Reply(body=data, headers={"Content-Encoding": "utf-8"})
    path, heard = tmp_path / "z.nii.gz", []
    client.download(
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


def test_a_zipped_file_stays_zipped_whatever_its_label_says(site, client, tmp_path):
    data, path = gzip.compress(b"voxels"), tmp_path / "z.nii.gz"
    url = site.gives("/a", Reply(body=data, headers={"Content-Encoding": "gzip"}))
    client.download(url, path, what="Map z", expected=len(data), max_bytes=100)
    assert path.read_bytes() == data


@pytest.mark.parametrize("expected", [None, 0, -1])
def test_a_length_that_is_not_known_is_not_missed(site, client, tmp_path, expected):
    url, path, heard = site.gives("/a", Reply(length=None)), tmp_path / "z", []
    job = Job(lambda *told: heard.append(told))
    client.download(url, path, what="M", expected=expected, max_bytes=100, job=job)
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
    with make_web(site, tries=3) as client:
        text = fails(
            BrokenAnswerError, client.download, url, path,
            what="Map z", expected=expected, max_bytes=1000,
        )  # fmt: skip
    assert words in text
    assert text.startswith("Map z ")
    assert len(site.asked) == asked
    assert not path.exists()


def test_a_file_that_broke_off_starts_over(site, client, tmp_path) -> None:
    whole = bytes(range(100))
    cut = Reply(body=whole[:50], length=100)
    path = tmp_path / "z"
    client.download(
        site.gives("/a", cut, Reply(body=whole)), path, what="Map", max_bytes=100
    )
    assert path.read_bytes() == whole


def test_a_place_that_cannot_be_written_is_named(site, client, tmp_path) -> None:
    path = tmp_path / "missing" / "z"
    url = site.gives("/a", Reply())
    call = client.download
    text = fails(NotWritableError, call, url, path, what="Map", max_bytes=100)
    assert text.startswith("Map cannot be kept")
    assert str(path.parent) in text


def test_small_files_come_as_bytes(site, client) -> None:
    xml = b'<?xml version="1.0" encoding="ISO-8859-1"?><atlas/>'
    url = site.gives("/a", Reply(body=xml, headers={"Content-Type": "application/xml"}))
    assert client.get_bytes(url, what="Labels", max_bytes=100) == xml
    assert "more than" in fails(
        BrokenAnswerError, client.get_bytes, url, what="Labels", max_bytes=10
    )
    page = site.gives("/b", html())
    fails(BrokenAnswerError, client.get_bytes, page, what="Labels", max_bytes=1000)


def test_the_path_is_left_when_the_file_is_whole(site, client, tmp_path: Path) -> None:
    path = tmp_path / "z"
    path.write_bytes(b"older and longer than the new one")
    client.download(site.gives("/a", Reply()), path, what="Map", max_bytes=99)
    assert path.read_bytes() == b'{"a": 1}'
