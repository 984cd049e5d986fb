"""Every fault of the local server is one, and its end is quick and whole."""

from __future__ import annotations

import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import requests

from local_servers import Fault, LocalServers, nifti_bytes

pytestmark = pytest.mark.timed

BODY = nifti_bytes(np.ones((8, 9, 8)))


@pytest.fixture
def image(web: LocalServers) -> dict[str, Any]:
    return web.add_collection().add_image("z.nii.gz", BODY)


def get(url: str, **options: Any) -> requests.Response:
    """Ask once, on a connection of its own."""
    return requests.get(url, timeout=5, **options)


def test_a_fault_ends_after_its_times(web: LocalServers, image: Any) -> None:
    web.fail("/media/", Fault.status(429, retry_after="1"), times=1)
    web.fail("/media/", Fault.status(503, html=True), times=2)
    answers = [get(image["file"]) for _ in range(3)]
    assert [a.status_code for a in answers] == [503, 503, 200]
    assert get(f"{web.neurovault}/api/collections/100/").status_code == 200


def test_a_401_is_for_tokens(web: LocalServers, image: Any) -> None:
    web.fail("", Fault.status(401))
    path = f"{web.neurovault}/api/collections/100/"
    assert get(path).status_code == 200
    assert get(path, headers={"Authorization": "Token x"}).status_code == 401


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.reset(), requests.exceptions.ChunkedEncodingError),
        (Fault.truncate(stated=True), requests.exceptions.ChunkedEncodingError),
        (Fault.unterminated(), requests.exceptions.ChunkedEncodingError),
        (Fault.refuse(), requests.exceptions.ConnectionError),
        (Fault.redirect_loop(), requests.exceptions.TooManyRedirects),
    ],
    ids=["reset", "truncated", "unterminated", "refused", "loop"],
)
def test_faults_that_clients_notice(
    web: LocalServers, image: Any, fault: Fault, raised: type[Exception]
) -> None:
    web.fail("/media/", fault)
    with pytest.raises(raised):
        get(image["file"])


@pytest.mark.parametrize(
    ("fault", "content"),
    [
        (Fault.truncate(stated=False), BODY[: len(BODY) // 2]),
        (Fault.longer(), BODY),
        (Fault.gzip_named(), gzip.decompress(BODY)),
        (Fault.page(), b"<!DOCTYPE html><html>Log in</html>"),
        (Fault.body(b"other"), b"other"),
        (Fault.hop(), BODY),
    ],
    ids=["truncated", "longer", "gzip", "page", "other", "hop"],
)
def test_faults_that_clients_do_not_notice(
    web: LocalServers, image: Any, fault: Fault, content: bytes
) -> None:
    web.fail("/media/", fault)
    for _ in range(2):
        answer = get(image["file"])
        assert (answer.status_code, answer.content) == (200, content)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (Fault.json(None), lambda value: value is None),
        (Fault.json([1]), lambda value: value == [1]),
        (Fault.without("file", "id"), lambda v: not {"file", "id"} & set(v)),
        (Fault.extra_keys(), lambda value: value["unknown"] == {"a": [1]}),
        (Fault.nulls("id"), lambda v: [k for k in v if v[k] is not None] == ["id"]),
    ],
    ids=["null", "list", "missing", "extra", "nulls"],
)
def test_spoiled_documents(
    web: LocalServers, image: Any, fault: Fault, check: Any
) -> None:
    web.fail("/api/", fault)
    assert check(get(f"{web.neurovault}/api/images/{image['id']}/").json())


def test_documents_that_are_none(web: LocalServers, image: Any) -> None:
    path = f"{web.neurovault}/api/images/{image['id']}/"
    web.fail("", Fault.bom(), times=1)
    assert get(path).content.startswith(b"\xef\xbb\xbf{")
    web.fail("", Fault.invalid_json())
    with pytest.raises(requests.exceptions.JSONDecodeError):
        get(path).json()


def test_the_foreign_host_is_seen(web: LocalServers, image: Any) -> None:
    web.fail("/media/", Fault.redirect(f"{web.foreign}/x?y"))
    assert get(image["file"], headers={"Authorization": "Token x"}).json() == {}
    (asked,) = web.foreign_requests
    assert asked.path == "/x?y"
    assert "authorization" not in asked.headers
    with pytest.raises(requests.exceptions.ConnectionError):
        get(web.unheard())


# --- Time, and the end -----------------------------------------------------------


def test_a_drip_is_slow_but_whole(web: LocalServers, image: Any) -> None:
    web.fail("/media/", Fault.drip(len(BODY) * 5))
    started = time.monotonic()
    assert get(image["file"]).content == BODY
    assert time.monotonic() - started > 0.15
    asked = web.requests[-1]
    assert asked.started < time.monotonic()


def test_requests_at_once_are_counted(web: LocalServers, image: Any) -> None:
    web.latency = 0.1
    url = image["file"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: requests.get(url, timeout=5), range(4)))
    assert 2 <= web.most_at_once <= 4
    assert len(web.paths("z.nii.gz")) == 4
    # An answer has come before its request is over.
    while not all(asked.ended for asked in web.requests):
        time.sleep(0.005)
    web.reset_log()
    assert (web.requests, web.most_at_once) == ([], 0)


def test_the_end_waits_for_no_one_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with requests.Session() as session, ThreadPoolExecutor(1) as pool:
        with LocalServers() as web:
            image = web.add_collection().add_image("z.nii.gz", BODY)
            session.get(image["file"], timeout=5)  # stays open
            web.fail("", Fault.stall(60))
            stalled = pool.submit(requests.get, image["file"], timeout=30)
            while len(web.requests) < 2:
                time.sleep(0.005)
            started = time.monotonic()
        assert time.monotonic() - started < 1
        assert all(asked.started < asked.ended for asked in web.requests)
        with pytest.raises(requests.exceptions.ConnectionError):
            stalled.result(timeout=5)
    assert set(threading.enumerate()) == before
