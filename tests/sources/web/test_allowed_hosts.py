"""Which addresses may be asked, as they are asked in the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.sources.web.allowed_hosts import (
    AllowedOrigins,
    Origin,
)
from napari_neurosynth_results.sources.web.responses import RefusedAddressError
from napari_neurosynth_results.sources.web.servers import Servers

REAL = AllowedOrigins(Servers())
LOCAL = AllowedOrigins(Servers(*["http://127.0.0.1:8000"] * 3))


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://neurovault.org/api/images/1/", None),
        (
            "http://neurovault.org/media/images/1/z.nii.gz",
            "https://neurovault.org/media/images/1/z.nii.gz",
        ),
        ("http://www.neurovault.org/a?b=c", "https://www.neurovault.org/a?b=c"),
        ("http://neurovault.org:80/a", "https://neurovault.org/a"),
        ("https://NeuroVault.org:443/a#b", "https://neurovault.org/a"),
        ("https://neurovault.org", "https://neurovault.org/"),
        ("https://neurovault.org/%C3%A9 é.nii", "https://neurovault.org/%C3%A9%20%C3%A9.nii"),
        ("https://compose.neurosynth.org/api/a?nested=true", None),
        ("https://synth.neurostore.xyz/api/a", None),
        ("https://staging.synth.neurostore.xyz/api/a", None),
        ("https://dev.neurostore.xyz/api/a", None),
        ("http://neurostore.org/api/a", "https://neurostore.org/api/a"),
    ],
)  # fmt: skip
def test_real_servers(url, asked) -> None:
    assert REAL.check(url) == (asked or url)


@pytest.mark.parametrize(
    "url",
    [
        "https://neurovault.org.evil.example/",
        "https://evil-neurovault.org/",
        "https://neurovault.org@evil.example/",
        "https://evil.example#neurovault.org/",
        "https://evil.example\\@neurovault.org/",
        "https://me:secret@neurovault.org/",
        "https://neurovault.org:8443/",
        "http://neurovault.org:443/",
        "httpss://neurovault.org/",
        "ftp://neurovault.org/",
        "neurovault.org/images/1",
        "/api/images/1/",
        "http://127.0.0.1:8000/",
        "https://neurovault.org:x/",
        "https://neurovault\u3002org/",
        "",
    ],
)
def test_what_is_refused(url) -> None:
    with pytest.raises(RefusedAddressError):
        REAL.check(url)


def test_this_machine_stays_plain_and_alone() -> None:
    assert LOCAL.check("http://127.0.0.1:8000/a") == "http://127.0.0.1:8000/a"
    for url in (
        "https://127.0.0.1:8000/a",
        "https://neurovault.org/",
        "https://synth.neurostore.xyz/",
    ):
        with pytest.raises(RefusedAddressError):
            LOCAL.check(url)


def test_only_neurovault_hears_the_token() -> None:
    assert REAL.is_neurovault("https://neurovault.org/a")
    assert REAL.is_neurovault("https://www.neurovault.org/a")
    assert not REAL.is_neurovault("https://neurostore.org/a")


@given(st.text(), st.sampled_from(["https://neurovault.org", "http://neurovault.org/"]))
def test_nothing_behind_the_host_leads_elsewhere(text, start) -> None:
    try:
        asked = REAL.check(start + text)
    except RefusedAddressError:
        return
    assert Origin.parse(asked) == Origin.parse("https://neurovault.org/")
    assert asked.isascii()
    assert asked.isprintable()
    assert REAL.check(asked) == asked
