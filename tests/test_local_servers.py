"""The local server is as faithful, and as faulty, as the tests that use it believe."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import requests

from local_servers import LocalServers, files, label_xml, nifti_bytes
from local_servers.__main__ import fill
from local_servers.compose import RUN_KEY

ONES = np.ones((8, 9, 8), np.float32)
BODY = nifti_bytes(ONES)


@pytest.fixture
def get(web: LocalServers) -> Iterator[Any]:
    """Ask NeuroVault (a path) or any address, in one session."""
    with requests.Session() as session:
        session.trust_env = False

        def _get(where: str, **options: Any) -> requests.Response:
            url = where if where.startswith("http") else f"{web.neurovault}{where}"
            return session.get(url, timeout=5, **options)

        yield _get


@pytest.fixture
def image(web: LocalServers) -> dict[str, Any]:
    return web.add_collection("Pain : 12:00 / a").add_image("z.nii.gz", BODY)


# --- NeuroVault ------------------------------------------------------------------


def test_records_have_all_their_keys(web: LocalServers, get: Any, image: Any) -> None:
    collection = get("/api/collections/100/").json()
    assert len(collection) == 107
    assert len(get(f"/api/images/{image['id']}/").json()) == 55
    assert not [key for key in image | collection if len(key) < 2]


@pytest.mark.parametrize(
    ("query", "count", "following", "previous"),
    [
        ("", 100, "limit=100&offset=100", None),
        ("?limit=5000", 1000, "limit=1000&offset=1000", None),
        ("?limit=0&offset=-3", 100, "limit=100&offset=100", None),
        ("?limit=x", 100, "limit=100&offset=100", None),
        ("?limit=500&offset=500", 500, "limit=500&offset=1000", "?limit=500"),
        ("?limit=500&offset=1000", 5, None, "?limit=500&offset=500"),
        ("?offset=2000", 0, None, "?limit=100&offset=1900"),
        ("?limit=10&offset=20/", 10, "limit=10&offset=10", None),
    ],
)
def test_pages(
    web: LocalServers, get: Any, query: str, count: int, following: Any, previous: Any
) -> None:
    collection = web.add_collection()
    for _ in range(3):
        collection.add_image("z.nii.gz", b"")
    collection.images *= 335
    page = get(f"/api/collections/100/images/{query}").json()
    assert (page["count"], len(page["results"])) == (1005, count)
    here = f"{web.neurovault}/api/collections/100/images/"
    assert page["next"] == (following and f"{here}?{following}")
    assert page["previous"] == (previous and f"{here}{previous}")


def test_a_missing_slash_leads_there_and_keeps_the_query(get: Any, image: Any) -> None:
    answer = get("/api/collections/100/images?limit=7", allow_redirects=False)
    assert answer.status_code == 301
    assert answer.headers["Location"] == "/api/collections/100/images/?limit=7"


def test_addresses_name_the_real_site_on_demand(
    web: LocalServers, get: Any, image: Any
) -> None:
    path = "/api/collections/100/images/"
    assert get(path).json()["results"][0]["file"].startswith(web.neurovault)
    web.sites.next_style = "real"
    web.add_collection().images.extend([image] * 101)
    page = get("/api/collections/101/images/").json()
    assert page["next"].startswith("http://neurovault.org/api/collections/101/")
    assert page["results"][0]["file"].startswith(web.neurovault)
    web.sites.urls = "real"
    file = get(path).json()["results"][0]["file"]
    assert file == "http://neurovault.org/media/images/100/z.nii.gz"


def test_private_collections_open_by_their_token_only(
    web: LocalServers, get: Any
) -> None:
    collection = web.add_collection("secret", private=True)
    record = collection.add_image("z.nii.gz", BODY)
    token, number = collection.token, record["id"]
    assert re.fullmatch("[A-Z]{8}", token or "")
    statuses = {
        f"/api/collections/{token}/": 200,
        f"/api/collections/{token}/images/": 200,
        f"/api/images/{token}-{number}/": 200,
        f"/media/images/{token}/z.nii.gz": 200,
        f"/collections/{token}/images/{number}/": 200,
        f"/collections/{token}/download": 200,
        "/api/collections/100/": 403,
        "/api/collections/100/images/": 403,
        f"/api/images/{number}/": 404,
        "/media/images/100/z.nii.gz": 403,
        "/collections/100/download": 403,
        "/collections/100/": 403,
    }
    assert {path: get(path).status_code for path in statuses} == statuses
    assert get("/api/collections/").json()["count"] == 0
    assert token in record["file"]


def test_odd_paths_get_the_errors_of_the_real_site(
    web: LocalServers, get: Any, image: Any
) -> None:
    statuses = {
        "/api/collections/abc/": 500,
        "/api/collections/a1b2c3d4/images/": 500,
        "/api/collections/100.json": 500,
        "/api/collections/100/images.json": 500,
        f"/api/images/{image['id']}.json": 500,
        "/api/collections.json": 200,
        "/api/collections/7/": 404,
        "/api/atlases/100001/": 404,
        "/api/user/": 401,
        "/collections/100/download/": 404,
        "/media/images/100/q.nii.gz": 404,
    }
    assert {path: get(path).status_code for path in statuses} == statuses
    assert "html" in get("/api/collections/abc/").headers["Content-Type"]
    accept = {"Accept": "application/octet-stream"}
    assert get("/api/collections/100/", headers=accept).status_code == 406
    post = requests.post(f"{web.neurovault}/api/images/", timeout=5)
    assert (post.status_code, web.requests[-1].method) == (405, "POST")


def test_a_bad_token_fails_where_none_would_not(
    web: LocalServers, get: Any, image: Any
) -> None:
    web.sites.tokens = {"good"}
    path = "/api/collections/100/"
    statuses = [
        get(path, headers={"Authorization": given}).status_code
        for given in ("Token bad", "Token good", "Bearer bad")
    ]
    assert statuses == [401, 200, 200]
    assert get(path).status_code == 200


def test_files_are_dressed_as_the_real_site_does(get: Any, image: Any) -> None:
    answer = get(image["file"], headers={"Range": "bytes=10-"})
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["Content-Encoding"] == "utf-8"
    assert answer.headers["Content-Length"] == str(image["file_size"])
    assert not {"ETag", "Accept-Ranges"} & set(answer.headers)
    since = {"If-Modified-Since": answer.headers["Last-Modified"]}
    assert get(image["file"], headers=since).status_code == 304
    assert get(image["thumbnail"]).content.startswith(b"\x89PNG")


def test_names_of_files(web: LocalServers, get: Any) -> None:
    collection = web.add_collection()
    first, again, accent, up = (
        collection.add_image(name, BODY)
        for name in ("z.nii.gz", "z.nii.gz", "zé.nii.gz", "../z.nii.gz")
    )
    assert again["file"].endswith("/100/z_1.nii.gz")
    assert (first["name"], again["name"]) == ("z.nii.gz", "z.nii.gz")
    assert get(accent["file"]).status_code == 404
    assert up["file"].endswith("/100/../z.nii.gz")
    gone = collection.add_image("gone.nii.gz", BODY, file_size=0)
    assert gone["file_size"] == 0


def test_atlases_and_packs(web: LocalServers, get: Any) -> None:
    collection = web.add_collection()
    atlas = collection.add_atlas("a.nii.gz", ONES, label_xml({1: "V1 & V2"}))
    pack = collection.add_nidm_pack("pack.nidm", {"Z.nii.gz": ONES})
    labels = get(atlas["label_description_file"])
    assert b"V1 &amp; V2" in labels.content
    assert labels.headers["Content-Type"] == "application/xml"
    (listed,) = get("/api/collections/100/atlases/").json()["results"]
    assert "image_type" not in listed
    assert get(f"/api/atlases/{atlas['id']}/").status_code == 200
    images = get("/api/collections/100/images/").json()
    types = [record["image_type"] for record in images["results"]]
    assert types == ["atlas", "NIDM results statistic map"]
    assert get("/api/collections/100/").json()["number_of_images"] == 3
    assert get(images["results"][1]["file"]).content == nifti_bytes(ONES)
    assert get("/api/collections/100/nidm_results/").json()["results"] == [pack]
    with zipfile.ZipFile(io.BytesIO(get(pack["zip_file"]).content)) as archive:
        assert "Z.nii.gz" in archive.namelist()
    assert get(pack["url"]).status_code == 404


def test_a_collection_comes_as_a_stream(
    web: LocalServers, get: Any, image: Any
) -> None:
    answer = get("/collections/100/download")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Content-Disposition"].endswith("=Pain+%3A+12%3A00+%2F+a.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read("Pain : 12:00 / a/z.nii.gz") == BODY
        assert archive.infolist()[0].flag_bits & 8
    web.sites.collections[0].files.clear()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get("/collections/100/download")


@pytest.mark.parametrize("paging", ["lies", "repeats", "loops", "foreign"])
def test_wrong_pages(web: LocalServers, get: Any, image: Any, paging: str) -> None:
    web.sites.collections[0].paging = paging
    first = get("/api/collections/100/images/?limit=1").json()
    assert first["next"]
    if paging == "foreign":
        assert "//evil.example/" in first["next"]
        return
    second = get(first["next"]).json()
    assert second["results"] == ([] if paging == "lies" else first["results"])
    assert (first["count"] > 1) == (paging != "loops")


# --- Compose and NeuroStore ------------------------------------------------------


@pytest.mark.parametrize("shape", ["2023", "2024", "2026"])
def test_shapes_of_meta_analyses(
    web: LocalServers, get: Any, image: Any, shape: Any
) -> None:
    collection = web.sites.collections[0]
    meta = web.add_meta_analysis(collection, shape=shape, n_results=2)
    document = get(f"{web.compose}/api/meta-analyses/{meta.id}?nested=true").json()
    assert document["run_key"] == RUN_KEY == web.run_key
    ids = [r if shape == "2026" else r["id"] for r in document["results"]]
    assert tuple(ids) == meta.result_ids
    kept = {"2023": "studyset", "2024": "neurostore_studyset"}.get(shape)
    assert ("snapshots" in document) == (kept is None)
    if kept:
        assert len(document[kept]["snapshot"]["snapshot"]["studies"]) == 3
    flat = get(f"{web.compose}/api/meta-analyses/{meta}").json()
    assert isinstance(flat["specification"], str)
    result = get(f"{web.compose}/api/meta-analysis-results/{ids[-1]}").json()
    (file,) = result["neurovault_collection"]["files"]
    assert get(file["url"]).json()["id"] == image["id"]
    assert "name" not in file
    assert ("map_type" in file) == (shape == "2026")


def test_what_a_result_links_to_is_there(web: LocalServers, get: Any) -> None:
    meta = web.add_meta_analysis(None, studyset={"id": "Mine", "studies": []})
    document = get(f"{web.compose}/api/meta-analyses/{meta}?nested=true").json()
    (entry,) = document["snapshots"]
    for what in ("studyset", "annotation"):
        number = entry[f"snapshot_{what}_id"]
        kept = get(f"{web.compose}/api/snapshot-{what}s/{number}").json()
        assert get(kept["url"]).json() == kept["snapshot"]["snapshot"]
    assert get(document["neurostore_url"]).json()["points"]
    project = get(f"{web.compose}/api/projects/{meta.project_id}").json()
    assert project["meta_analyses"] == [meta]
    both = web.add_project(meta, web.add_meta_analysis(None))
    listed = get(f"{web.compose}/api/projects/{both}").json()["meta_analyses"]
    assert len(listed) == 2


def test_unknown_ids_and_paths(web: LocalServers, get: Any) -> None:
    unknown = get(f"{web.compose}/api/meta-analyses/abcdefghijkm")
    assert unknown.status_code == 404
    assert unknown.headers["Content-Type"] == "application/problem+json"
    page = get(f"{web.compose}/meta-analyses/abcdefghijkm")
    assert (page.status_code, page.headers["Content-Type"][:9]) == (200, "text/html")


# --- Files -----------------------------------------------------------------------


def test_files_are_broken_as_they_say() -> None:
    def load(body: bytes) -> Any:
        return nib.Nifti1Image.from_bytes(gzip.decompress(body))

    assert load(files.four_dimensions(ONES)).shape == (8, 9, 8, 2)
    assert load(files.five_dimensions(ONES)).shape == (8, 9, 8, 1, 2)
    assert np.isnan(load(files.with_nan(ONES * 0)).get_fdata()).all()
    assert not load(files.zeros()).get_fdata().any()
    assert load(nifti_bytes(ONES, dtype=np.int16)).get_data_dtype() == np.int16
    big = load(nifti_bytes(ONES, big=True))
    assert (big.header.endianness, big.get_fdata().max()) == (">", 1)
    assert np.linalg.det(load(files.singular_bytes(ONES)).affine) == 0
    noise = np.random.default_rng(0).normal(size=ONES.shape)
    cut = gzip.GzipFile(fileobj=io.BytesIO(files.truncated_bytes(noise)))
    assert nib.Nifti1Header(cut.read(348)).get_data_shape() == ONES.shape
    with pytest.raises(EOFError):
        cut.read()


def test_the_sample_is_served(web: LocalServers, get: Any) -> None:
    for address in fill(web):
        assert get(address).status_code == 200
    assert get("/api/collections/100/images/").json()["count"] > 5
