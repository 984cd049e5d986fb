"""Asking servers ends soon, does not go elsewhere, and gives no secret away."""

import gzip
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
import requests

from local_servers.scripted import (
    PRIVATE,
    SOON,
    TOKEN,
    Reply,
    Site,
    fails,
    get,
    html,
    make_web,
    moved,
)
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.sources.web.client import (
    BrokenAnswerError,
    OfflineError,
    RefusedAddressError,
    UnreachableError,
    WebClient,
    WebError,
    redact,
)
from napari_neurosynth_results.sources.web.request import (
    BackgroundRequest,
    RequestError,
)
from napari_neurosynth_results.sources.web.servers import Servers

pytestmark = pytest.mark.timed

# Time


@pytest.mark.slow
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
    with make_web(site, deadline_json=0.3, deadline_file=0.3, timeout=(9, 9)) as client:
        for call in (
            lambda: get(client, url),
            lambda: client.download(url, path, what="Map z", max_bytes=10_000),
        ):
            before = time.monotonic()
            assert "too long" in fails(UnreachableError, call)
            assert time.monotonic() - before < 0.3 + SOON
    assert not path.exists()


def test_a_socket_that_gives_up_with_the_deadline_does_not_change_the_words() -> None:
    def send() -> requests.Response:
        time.sleep(max(0.0, deadline - time.monotonic()))
        raise requests.ReadTimeout

    for _ in range(60):
        deadline = time.monotonic() + 0.01
        request = BackgroundRequest(
            send, lambda: None, job=Job(), deadline=deadline, decode=False
        )
        with request, pytest.raises(RequestError, match="too long") as caught:
            request.head()
        assert caught.value.final


def test_silence_is_noticed_before_the_deadline(site) -> None:
    url = site.gives("/a", Reply(before=20), Reply())
    with make_web(site, timeout=(1, 0.2)) as client:
        assert get(client, url) == {"a": 1}


@pytest.mark.slow
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
    with make_web(site, **options) as client:
        job = Job()
        threading.Timer(0.2, job.cancel).start()
        before = time.monotonic()
        with pytest.raises(CancelledError):
            client.download(url, path, what="Map z", max_bytes=10_000, job=job)
        assert time.monotonic() - before < 0.2 + SOON
    assert not path.exists()


def test_cancelling_from_the_progress_stops_within_one_chunk(site, client, tmp_path):
    url, path = site.gives("/a", Reply(body=bytes(1 << 20))), tmp_path / "z.nii.gz"
    heard = []

    def progress(what: str, done: int, total: int | None) -> None:
        heard.append(done)
        job.cancel()

    job = Job(progress)
    with pytest.raises(CancelledError):
        client.download(url, path, what="Map z", max_bytes=2 << 20, job=job)
    assert len(heard) == 1
    assert heard[0] <= 64 << 10
    assert not path.exists()


def test_who_waits_for_others_can_cancel_too(site) -> None:
    url = site.gives("/a", Reply(before=20))
    jobs = [Job() for _ in range(6)]
    with make_web(site, timeout=(9, 9)) as client, ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(get, client, url, job=job) for job in jobs]
        end = time.monotonic() + 10
        while len(site.asked) < 4 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.1)
        assert len(site.asked) == 4
        before = time.monotonic()
        for job in jobs:
            job.cancel()
        assert all(isinstance(c.exception(), CancelledError) for c in calls)
        assert time.monotonic() - before < SOON


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [b"a", b"HTTP/1.1 100 Continue\r\n\r\n" * 100])
@pytest.mark.parametrize("cancelled", [True, False])
def test_a_head_without_end_holds_no_place_and_no_thread(
    site, pieces, cancelled
) -> None:
    good = site.gives("/good", Reply())
    with (
        _endless_head(pieces) as bad,
        WebClient(
            Servers(bad, site.url, site.url), deadline_json=0.4, pause=0.01, tries=1
        ) as client,
    ):
        for _ in range(6):
            job = Job()
            if cancelled:
                threading.Timer(0.1, job.cancel).start()
            with pytest.raises((CancelledError, WebError)):
                get(client, f"{bad}/a", job=job)
        assert get(client, good) == {"a": 1}
        end = time.monotonic() + 5
        while any(t.name == "nnr-request" for t in threading.enumerate()):
            assert time.monotonic() < end
            time.sleep(0.02)


@contextmanager
def _endless_head(pieces: bytes):
    """Serve heads that never end, a piece every few milliseconds."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if len(pieces) == 1:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.01):
                connection.sendall(pieces)

    def listen() -> None:
        with suppress(OSError), ThreadPoolExecutor(12) as pool:
            while True:
                pool.submit(drip, server.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def test_json_that_becomes_far_more_than_it_is_is_refused(site, client) -> None:
    body = b'{"a": [' + b"[]," * 3_000_000 + b"[]]}"
    packed = gzip.compress(body)
    url = site.gives("/a", Reply(body=packed, headers={"Content-Encoding": "gzip"}))
    before = time.monotonic()
    assert "memory" in fails(BrokenAnswerError, get, client, url)
    assert time.monotonic() - before < SOON
    assert len(site.asked) == 1


@pytest.mark.slow
def test_waiting_for_others_is_not_counted(site) -> None:
    url = site.gives("/a", Reply(before=0.3))
    with make_web(site, deadline_json=0.8) as client, ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(get, client, url) for _ in range(20)]
        assert [call.result() for call in calls] == [{"a": 1}] * 20


def test_never_more_than_four_at_once(site, client, tmp_path) -> None:
    url = site.gives("/a", Reply(body=b"[1, 2, 3]", drip=0.002))

    def load(n: int) -> None:
        client.download(url, tmp_path / str(n), what="Map", max_bytes=100)
        get(client, url)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(load, range(12)))
    assert site.most_at_once == 4
    assert len(site.asked) == 24


def test_connections_are_used_again(site, client) -> None:
    url, ports = site.gives("/a", Reply()), set()
    answer = site.answer

    def noted(handler) -> None:
        ports.add(handler.client_address[1])
        answer(handler)

    site.answer = noted
    for _ in range(5):
        get(client, url)
    assert len(ports) == 1


# Addresses


def test_redirects_are_followed_here(site, client) -> None:
    site.gives("/c/", Reply())
    site.gives("/b?x=1", moved("/c/", 308))
    url = site.gives("/a", moved(f"{site.url}/b?x=1", 302))
    assert get(client, url) == {"a": 1}
    assert site.paths() == ["/a", "/b?x=1", "/c/"]


@pytest.mark.parametrize("target", ["/a", "", "?"])
def test_redirects_end(site, client, target) -> None:
    url = site.gives("/a", moved(target))
    site.gives("/", moved("/a"))
    site.gives("/a?", moved("/a"))
    text = fails(BrokenAnswerError, get, client, url)
    assert "without end" in text
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
def test_other_servers_are_never_asked(site, foreign, client, form, tmp_path) -> None:
    own, port = site.server.server_port, foreign.server.server_port
    target = form.format(own=own, port=port)
    url = site.gives("/a", moved(target))
    fails(RefusedAddressError, get, client, url)
    assert site.paths() == ["/a"]
    path = tmp_path / "z"
    fails(RefusedAddressError, client.download, url, path, what="Map", max_bytes=9)
    if not form.startswith("//"):
        fails(RefusedAddressError, get, client, target)
    assert site.paths() == ["/a", "/a"]
    assert not path.exists()


def test_a_refused_address_is_told_by_its_host(site, client) -> None:
    text = fails(RefusedAddressError, get, client, f"https://evil.example/{PRIVATE}/")
    assert "evil.example" in text
    assert "127.0.0.1" in text


def test_nothing_is_asked_offline(site) -> None:
    url = site.gives("/a", Reply())
    with make_web(site, offline=True) as client:
        assert "offline" in fails(OfflineError, get, client, url)
    assert site.asked == []


# Tokens


def test_the_token_goes_to_neurovault_only(site) -> None:
    other = Site()
    try:
        site.gives("/b", Reply())
        other.gives("/b", Reply())
        online = Servers(site.url, other.url, other.url, token=TOKEN)
        with WebClient(online) as client:
            get(client, site.gives("/a", moved(f"{other.url}/b")))
            get(client, other.gives("/a", moved(f"{site.url}/b")))
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
    with make_web(site, token="wrong") as client:
        assert get(client, url) == {"a": 1}
    assert ["Authorization" in headers for _, headers in site.asked] == [True, False]


@pytest.mark.slow
def test_no_token_is_ever_shown(site, caplog, capfd) -> None:
    caplog.set_level(logging.INFO)
    faults = {
        **{str(status): html(status) for status in (401, 403, 404, 418, 500, 503)},
        "cut": Reply(length=99),
        "html": html(),
        "null": Reply(body=b"null"),
        "away": moved(f"https://evil.example/{PRIVATE}/"),
        "odd": moved(f"http://[/{PRIVATE}"),
        "loop": moved("?"),
        "late": Reply(before=9),
    }
    what = f"Collection {PRIVATE} ({TOKEN})"
    with make_web(site, token=TOKEN, tries=2, deadline_json=0.4) as client:
        assert TOKEN not in repr(client) + repr(client.online)
        for name, reply in faults.items():
            url = site.gives(f"/collections/{PRIVATE}/{name}", reply)
            text = fails_redacted(client, url, what)
            assert text.startswith(("Collection <private>", "evil.example", "http://["))
    shown = caplog.text + "".join(capfd.readouterr())
    assert TOKEN not in shown
    assert PRIVATE not in shown


def fails_redacted(client: WebClient, url: str, what: str) -> str:
    with pytest.raises(WebError) as caught:
        client.get_json(url, what=what)
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
    assert redact(text, Servers(token="my-own-secret")) == shown


def test_passwords_of_netrc_stay_at_home(site, client, tmp_path, monkeypatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin me\npassword secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    get(client, site.gives("/a", Reply(headers={"Set-Cookie": "a=b"})))
    get(client, site.gives("/a", Reply()))
    for _, headers in site.asked:
        assert not {"Authorization", "Cookie"} & set(headers)


@pytest.mark.slow
def test_the_servers_threads_are_not_left_behind(site) -> None:
    url = site.gives("/a", Reply(body=b"1" * 1000, drip=0.05))
    with make_web(site, deadline_json=0.1) as client:
        for _ in range(6):  # more than may be under way, so each gave its place back
            fails(UnreachableError, get, client, url)
    deadline = time.monotonic() + 3
    while running() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert running() == []
    assert site.paths() == ["/a"] * 6


def running() -> list[str]:
    """List the threads that make requests."""
    return [t.name for t in threading.enumerate() if t.name.endswith("(_run)")]
