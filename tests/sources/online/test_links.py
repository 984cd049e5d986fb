"""Every form that a user may paste is understood, or refused with its own reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.sources.online.links import (
    Address,
    AddressKind,
    UnsupportedSource,
    find_meta_analysis_id,
    parse_address,
)
from napari_neurosynth_results.sources.web.servers import Servers

NV = "https://neurovault.org"
COMPOSE = "https://compose.neurosynth.org"
TOKEN = "QWERTZUI"
MID, PID, RID = "ataCTPAt2LMw", "DXffgHVJ8D2p", "Foqo3tWjJXds"
LOCAL = Servers(
    neurovault="http://127.0.0.1:8000",
    compose="http://127.0.0.1:8000/compose",
    neurostore="http://127.0.0.1:8000/neurostore",
)

COLLECTIONS = [
    "1425",
    " 1425\n",
    f"{NV}/collections/1425/",
    f"{NV}/collections/1425",
    f"<{NV}/collections/1425/>.",
    f'"{NV}/collections/1425/";',
    f"({NV}/collections/1425/)",
    f"[the maps]({NV}/collections/1425/).",
    "neurovault.org/collections/1425",
    "www.neurovault.org/collections/1425/",
    "http://neurovault.org/collections/1425/",
    "https://neurovault.org:443/collections/1425/",
    "HTTPS://NeuroVault.ORG/collections/1425/?page=2#top",
    "https:/neurovault.org/collections/1425/",
    *(
        f"{NV}/collections/1425/{page}"
        for page in (
            *("download", "json", "gjson", "sjson", "ojson", "edit", "delete"),
            *("upload_folder", "editmetadata", "pycortex", "export/imagesfilenames"),
        )
    ),
    f"{NV}/api/collections/1425",
    f"{NV}/api/collections/1425.json",
    f"{NV}/api/collections/1425/images/?limit=10&offset=20/",
    f"{NV}/api/collections/1425/atlases/",
    f"{NV}/api/collections/1425/nidm_results/",
    f"{NV}/api/collections/1425/datatable/",
    "neurovault:1425",
    "neurovault://1425",
    "neurovault://0.0.5.145",
    "neurovault://collections/1425",
    "neurovault.collection:1425",
    "https://identifiers.org/neurovault.collection:1425",
    "https://identifiers.org/neurovault.collection/1425",
    "https://identifiers.org/neurovault.collection:1425/",
    "https://identifiers.org/neurovault.collection:1425?from=paper#top",
    "identifi ers.org/neurovault. collection:1425",
    "https://n2t.net/neurovault.collection:1425",
    "https://bioregistry.io/neurovault.collection:1425",
]
IMAGES = [
    f"{NV}/images/32015/",
    f"{NV}/collections/1425/images/32015/",
    *(
        f"{NV}/images/32015/{page}"
        for page in (
            *("edit", "delete", "pycortex", "find_similar", "gene_expression"),
            *("download_surfaces", "js/embed", "papaya/embedview"),
        )
    ),
    *(
        f"{NV}/collections/1425/images/32015/{page}"
        for page in ("pycortex", "download_surfaces", "toggle_active_meta")
    ),
    f"{NV}/api/images/32015/",
    f"{NV}/api/images/32015.json",
    f"{NV}/api/atlases/32015/",
    f"{NV}/api/atlases/32015/regions_table/",
    "neurovault.image:32015",
    "image:32015",
    "https://identifiers.org/neurovault.image:32015",
    "https://neurosynth.org/decode/?neurovault=32015",
]
META_ANALYSES = [
    MID,
    f"{COMPOSE}/projects/{PID}/meta-analyses/{MID}",
    f"{COMPOSE}/meta-analyses/{MID}",
    f"{COMPOSE}/api/meta-analyses/{MID}?nested=true",
    f"synth.neurostore.xyz/meta-analyses/{MID}",
]
PROJECTS = [
    f"{COMPOSE}/projects/{PID}{page}"
    for page in (
        *("", "/project", "/meta-analyses", "/curation", "/curation/search"),
        *("/extraction", "/extraction/annotations", f"/extraction/studies/{MID}/edit"),
    )
] + [f"{COMPOSE}/api/projects/{PID}"]
REFUSED = {
    "There is no file or folder pain here": "pain",
    "search page": f"{NV}/search?q=pain",
    "list of collections": f"{NV}/collections/",
    "form for a new": f"{NV}/collections/new",
    "statistics": f"{NV}/collections/stats",
    "own list": f"{NV}/my_collections/",
    "list of atlases": f"{NV}/atlases/",
    "list of images with a tag": f"{NV}/images/tags/pain/",
    "comparison of two images": f"{NV}/images/compare/1/2",
    "cognitive task": f"{NV}/tasks/trm_1",
    "community": f"{NV}/communities/x/",
    "account": f"{NV}/accounts/login/",
    "image-based meta-analysis": f"{NV}/metaanalyses/3",
    "NeuroVault's front page": NV,
    "eight capital letters": f"{NV}/collections/qwertzui/",
    "qwertzui is not an id": "Qwertzui",
    "names no file": "file:/",
    "list of meta-analyses": f"{COMPOSE}/meta-analyses",
    "front page of Neurosynth Compose": f"{COMPOSE}/",
    "study, not a result": f"{COMPOSE}/base-studies/{MID}",
    "studyset": f"{COMPOSE}/api/snapshot-studysets/{MID}",
    "specification": f"{COMPOSE}/api/specifications/{MID}",
    "holds no data": f"{COMPOSE}/help",
    "NeuroStore": "https://neurostore.org/api/studysets/x?nested=true",
    "old Neurosynth": "https://neurosynth.org/analyses/terms/pain/",
    "resolves identifiers": "https://identifiers.org/pubmed:1234",
    "DOI": "10.1371/journal.pone.0123456",
    "github.com": "https://github.com/neurostuff/NiMARE",
    "nothing to open": "  ",
    "too long": "a" * 5000,
    "neurovault.org.evil.com": "https://neurovault.org.evil.com/collections/1/",
    "evil.com is not": "https://evil.com/neurovault.org/collections/1/",
    "only plain https": "https://neurovault.org@evil.com/collections/1/",
    "neurovault.org is not a link": "me@neurovault.org/collections/1/",
    "not the number of a": f"{NV}/collections/abc/",
    "ftp": "ftp://ftp.org/collections/1/",
}


@pytest.mark.parametrize("text", COLLECTIONS)
def test_collections(text: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.id, address.token) == ("collection", "1425", None)
    assert (address.host, address.site) == ("neurovault.org", NV)


@pytest.mark.parametrize("text", IMAGES)
def test_images(text: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.id, address.token) == ("image", "32015", None)
    assert address.collection == ("1425" if "/1425/" in text else "")


@pytest.mark.parametrize(
    "text", [TOKEN, f"{NV}/collections/{TOKEN}/", f"{NV}/api/collections/{TOKEN}/"]
)
def test_private_collections(text: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.id, address.token) == ("collection", "", TOKEN)


@pytest.mark.parametrize(
    "text",
    [
        f"{TOKEN}-12",
        f"{NV}/collections/{TOKEN}/images/12/",
        f"{NV}/api/images/{TOKEN}-12/",
        f"neurovault:{TOKEN}-12",
    ],
)
def test_private_images(text: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.id, address.token) == ("image", "12", TOKEN)


@pytest.mark.parametrize(
    ("text", "kind", "filename"),
    [
        (f"{NV}/media/images/1425/z_1.nii.gz", "file", "z_1.nii.gz"),
        (f"{NV}/media/images/1425/a%20b.nii.gz", "file", "a b.nii.gz"),
        (f"{NV}/media/images/1425/p.nidm/Z.nii.gz", "file", "p.nidm/Z.nii.gz"),
        (f"{NV}/collections/1425/pack.nidm", "nidm", "pack.nidm"),
        (f"{NV}/collections/1425/pack.nidm_1/", "nidm", "pack.nidm_1"),
        (f"{NV}/collections/1425/pack.nidm.zip", "nidm", "pack.nidm"),
        (f"{NV}/collections/1425/pack.nidm.ttl", "nidm", "pack.nidm"),
        (f"{NV}/collections/1425/p.nidm_1/Z.nii", "file", "p.nidm_1/Z.nii"),
    ],
)
def test_files_and_packs(text: str, kind: str, filename: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.id, address.filename) == (kind, "1425", filename)


@pytest.mark.parametrize("text", META_ANALYSES)
def test_meta_analyses(text: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.id) == ("meta-analysis", MID)
    assert address.site == COMPOSE


@pytest.mark.parametrize("text", PROJECTS)
def test_projects(text: str) -> None:
    assert parse_address(text).kind is AddressKind.PROJECT
    assert parse_address(text).id == PID


def test_results_and_other_environments() -> None:
    result = parse_address(f"{COMPOSE}/api/meta-analysis-results/{RID}")
    assert (result.kind, result.id) == ("result", RID)
    for site in (
        "https://staging.synth.neurostore.xyz",
        "https://dev.synth.neurostore.xyz",
    ):
        address = parse_address(f"{site}/meta-analyses/{MID}")
        assert (address.kind, address.site) == ("meta-analysis", site)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/data/pain", "/data/pain"),
        ("~/pain", "~/pain"),
        ("./pain", "./pain"),
        ("results/pain", "results/pain"),
        (r"C:\data\pain", r"C:\data\pain"),
        ("file:///data/a%20b", "/data/a b"),
        ("file:///C:/pain", "C:/pain"),
        ("file:/data/pain", "/data/pain"),
        ("file://localhost/data/pain", "/data/pain"),
        ("file://server/share/pain", "//server/share/pain"),
        ("~/pain (1)", "~/pain (1)"),
        (" '/data/pain [old]' ", "/data/pain [old]"),
        ("z.nii.gz", "z.nii.gz"),
        ("pain.zip", "pain.zip"),
    ],
)
def test_paths(text: str, path: str) -> None:
    assert parse_address(text) == Address(AddressKind.PATH, path)


@pytest.mark.parametrize(("reason", "text"), REFUSED.items())
def test_what_is_refused_and_why(reason: str, text: str) -> None:
    with pytest.raises(UnsupportedSource) as refused:
        parse_address(text)
    assert reason in str(refused.value)


def test_each_refusal_has_its_own_message() -> None:
    told = set()
    for text in REFUSED.values():
        with pytest.raises(UnsupportedSource) as refused:
            parse_address(text)
        told.add(str(refused.value))
    assert len(told) == len(REFUSED)


def test_configured_servers_are_recognized_and_stand_in_for_the_public_ones() -> None:
    for text in ("http://127.0.0.1:8000/collections/7/", f"{NV}/collections/7/", "7"):
        address = parse_address(text, online=LOCAL)
        assert (address.id, address.site) == ("7", LOCAL.neurovault)
    text = f"http://127.0.0.1:8000/compose/meta-analyses/{MID}"
    for pasted in (text, f"{COMPOSE}/meta-analyses/{MID}", MID):
        address = parse_address(pasted, online=LOCAL)
        assert (address.kind, address.site) == ("meta-analysis", LOCAL.compose)
    address = parse_address("127.0.0.1:8000/collections/7", online=LOCAL)
    assert (address.id, address.site) == ("7", LOCAL.neurovault)
    with pytest.raises(UnsupportedSource, match=r"127\.0\.0\.1:8000"):
        parse_address("http://127.0.0.1:8000/collections/7/")
    with pytest.raises(UnsupportedSource, match="9000"):
        parse_address("http://127.0.0.1:9000/collections/7/", online=LOCAL)


def test_a_token_is_never_shown() -> None:
    for text in (TOKEN, f"{TOKEN}-5", f"{NV}/collections/{TOKEN}/images/5/"):
        address = parse_address(text)
        assert TOKEN not in f"{address} {address!r}"
    with pytest.raises(UnsupportedSource, match="not a page") as refused:
        parse_address(f"{NV}/collections/{TOKEN}/other")
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("token", ["qwertzui", "Qwertzui", "a1b2c3d4"])
@pytest.mark.parametrize("page", ["collections/{}/images/5/", "api/images/{}-5/"])
def test_what_is_no_token_is_not_asked_for(token: str, page: str) -> None:
    with pytest.raises(UnsupportedSource, match="eight capital letters"):
        parse_address(f"{NV}/{page.format(token)}")


@pytest.mark.parametrize(
    "text",
    [
        "\u0661\u0662",
        f"{NV}/images/\u0661/",
        "neurovault.image:\u0661",
        f"{TOKEN}-\u0661",
    ],
)
def test_digits_of_other_scripts_are_no_number(text: str) -> None:
    with pytest.raises(UnsupportedSource):
        parse_address(text)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (f"http://localhost/meta-analyses/{MID}", MID),
        (f"{COMPOSE}/meta-analyses/{MID}/", MID),
        ("http://[broken/meta-analyses/x", None),
        ("https://openneuro.org/datasets/ds1", None),
        ("", None),
    ],
)
def test_the_way_back_to_compose(url: str, found: str | None) -> None:
    assert find_meta_analysis_id(url) == found


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except UnsupportedSource:
        return
    assert address.id or address.token


@given(st.integers(0, 10**9))
def test_every_number_survives(number: int) -> None:
    for text in (f"{number}", f"{NV}/collections/{number}/", f"neurovault:{number}"):
        assert parse_address(text).id == str(number)
