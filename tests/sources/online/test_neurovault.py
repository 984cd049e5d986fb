"""Collections and images of NeuroVault: listed, fetched, kept, and never trusted."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_servers import Fault, LocalServers, label_xml, nifti_bytes
from local_servers.files import singular_bytes, truncated_bytes
from napari_neurosynth_results import (
    ResultsError,
    find_clusters,
    open_atlas,
    open_results,
)
from napari_neurosynth_results.export.downloaded import save_downloaded
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet

SHAPE = (8, 9, 8)
P_MAP = "P map (given null hypothesis)"
RUN = {"z": "Z map", "p": P_MAP, "stat": "univariate-beta map"}
#: Faults that keep one file from coming, and a word of what is said.
BROKEN_FILES = {
    "404": (Fault.status(404, html=True), "not"),
    "403": (Fault.status(403, html=True), "not"),
    "truncated": (Fault.truncate(stated=True), "bytes|broke off"),
    "short": (Fault.truncate(stated=False), "bytes"),
    "unterminated": (Fault.unterminated(), "broke off"),
    "page": (Fault.page(), "page"),
    "reset": (Fault.reset(), "broke off"),
    "other bytes": (Fault.body(b"\x1f\x8bnothing"), "bytes"),
    "foreign": (Fault.redirect("http://evil.example/z.nii.gz"), "evil.example"),
    "loop": (Fault.redirect("?again"), "without end"),
}


@pytest.fixture
def voxels(rng: np.random.Generator) -> np.ndarray:
    """Return voxels of a map of p."""
    voxels = np.zeros(SHAPE, np.float32)
    voxels[1:-1, 1:-1, 1:-1] = rng.uniform(0.001, 0.999, (6, 7, 6))
    return voxels


@pytest.fixture
def collection(web: LocalServers, voxels: np.ndarray) -> Any:
    """Return a collection with a small run of NiMARE."""
    collection = web.add_collection("Pain : 2026-02-18 13:38:48")
    for stem, map_type in RUN.items():
        collection.add_image(f"{stem}.nii.gz", voxels, map_type=map_type)
    return collection


def url_of(web: LocalServers, collection: Any) -> str:
    return f"{web.neurovault}/collections/{collection.place}/"


def kept(folder: str) -> list[Path]:
    """Return what the cache holds under final names."""
    return [p for p in Path(folder).rglob("*") if p.is_file()]


def grep(folder: Path, text: str) -> list[Path]:
    """Return files that hold a text, also in their names."""
    found = [p for p in folder.rglob("*") if text in p.name]
    files = (p for p in folder.rglob("*") if p.is_file())
    return found + [p for p in files if text.encode() in p.read_bytes()]


def test_two_requests_list_a_collection_and_none_is_for_a_file(
    web: LocalServers, collection: Any
) -> None:
    results = open_results(url_of(web, collection))
    assert list(results.maps) == ["z", "p", "stat"]
    assert results.title == "Pain : 2026-02-18 13:38:48"
    assert results.source == url_of(web, collection)
    assert len(web.requests) == 2
    assert not any(m.at_hand for m in results.maps.values())
    assert [str(m.kind) for m in results.maps.values()] == ["z", "p", "stat"]
    assert results["z"].file.nbytes == collection.images[0]["file_size"]


def test_voxels_come_when_somebody_looks(
    web: LocalServers, collection: Any, voxels: np.ndarray
) -> None:
    results = open_results(str(collection.id))
    np.testing.assert_array_equal(results["p"].data, voxels)
    assert len(web.paths("/media/")) == 1
    assert results["p"].at_hand
    assert results["p"].grid.shape == SHAPE
    assert find_clusters(results["z"], p=0.05).threshold is not None
    assert results["z"].mask is not None
    assert len(web.paths("/media/")) == 3


def test_the_second_time_no_file_is_asked_for_and_offline_nothing_is(
    web: LocalServers, collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_results(url_of(web, collection))
    first.fetch(first.maps.values())
    web.reset_log()
    again = open_results(url_of(web, collection))
    data = again["z"].data
    assert len(web.requests) == 2
    assert web.paths("/media/") == []
    web.reset_log()
    offline = open_results(url_of(web, collection), offline=True)
    np.testing.assert_array_equal(offline["z"].data, data)
    assert web.requests == []
    assert "as it was on" in offline.problems[0]
    monkeypatch.setenv("NNR_OFFLINE", "1")
    assert len(open_results(str(collection.id)).maps) == 3
    assert web.requests == []


def test_offline_what_was_never_downloaded_says_so(
    web: LocalServers, collection: Any
) -> None:
    open_results(url_of(web, collection))
    offline = open_results(url_of(web, collection), offline=True)
    with pytest.raises(ResultsError, match="offline"):
        offline["z"].data  # noqa: B018 - reading is what is tried
    with pytest.raises(ResultsError, match="offline"):
        open_results("99", offline=True)


def test_a_map_that_changed_on_the_server_is_fetched_again(
    web: LocalServers, collection: Any, voxels: np.ndarray
) -> None:
    results = open_results(url_of(web, collection))
    np.testing.assert_array_equal(results["p"].data, voxels)
    changed = nifti_bytes(voxels / 2)
    collection.files["p.nii.gz"] = changed
    collection.images[1] |= {"file_size": len(changed), "modify_date": "2027-01-01"}
    again = open_results(url_of(web, collection))
    np.testing.assert_array_equal(again["p"].data, voxels / 2)


def test_an_image_and_a_file_alone(
    web: LocalServers, collection: Any, voxels: np.ndarray
) -> None:
    number = collection.images[0]["id"]
    image = open_results(f"{web.neurovault}/images/{number}/")
    assert list(image.maps) == ["z"]
    assert "Open its collection" in image.problems[0]
    link = f"{web.neurovault}/media/images/{collection.id}/p.nii.gz"
    assert list(open_results(link).maps) == ["p"]
    assert open_results(link).source == link
    with pytest.raises(ResultsError, match="lists no map of q"):
        open_results(link.replace("p.nii", "q.nii"))
    with pytest.raises(ResultsError, match="image 777"):
        open_results(f"{web.neurovault}/images/777/")


def test_nidm_maps_are_found_in_their_pack(
    web: LocalServers, voxels: np.ndarray
) -> None:
    collection = web.add_collection()
    collection.add_image("z.nii.gz", voxels)
    record = collection.add_image("ZStatistic.nii.gz", voxels, map_type="Z map")
    record["image_type"] = "NIDM results statistic map"
    record["file"] = record["file"].replace("ZStat", "pack.nidm/ZStat")
    collection.files["pack.nidm/ZStatistic.nii.gz"] = collection.files[
        "ZStatistic.nii.gz"
    ]
    results = open_results(f"{url_of(web, collection)}pack.nidm")
    (statmap,) = results.maps.values()
    assert (statmap.key, statmap.kind) == ("ZStatistic", MapKind.Z)
    assert statmap.data.shape == SHAPE


def test_the_file_name_says_more_than_the_map_type(
    web: LocalServers, voxels: np.ndarray
) -> None:
    collection = web.add_collection()
    for name, map_type in (
        ("prob_desc-AgF.nii.gz", P_MAP),
        ("logp.nii.gz", "other"),
        ("own name.nii.gz", "T map"),
        ("raw.nii.gz", P_MAP),
    ):
        collection.add_image(name, voxels * (20 if name[0] == "r" else 1))
        collection.images[-1]["map_type"] = map_type
    collection.images[2]["name"] = "Contrast of pain"
    results = open_results(url_of(web, collection))
    kinds = {m.key: str(m.kind) for m in results.maps.values()}
    assert kinds == {
        "prob_desc-AgF": "prob",
        "logp": "logp",
        "own name": "t",
        "raw": "p",
    }
    assert results["own name"].title == "Contrast of pain"
    with pytest.raises(ResultsError, match=r"values run from 0 to \d+(\.\d)?: they"):
        results["raw"].data  # noqa: B018


def test_an_atlas_has_names(web: LocalServers) -> None:
    labels = np.zeros(SHAPE, np.int16)
    labels[2, 2, 2], labels[3, 3, 3], labels[4, 4, 4] = 1, 2, 7
    collection = web.add_collection()
    collection.add_atlas("atlas.nii.gz", labels, label_xml({1: "left", 2: "right"}))
    collection.add_atlas("broken.nii.gz", labels, b"<atlas>")
    results = open_results(url_of(web, collection))
    assert results["atlas"].kind is MapKind.LABEL
    assert dict(results["atlas"].file.label_names) == {1: "left", 2: "right"}
    assert results["broken"].file.label_names == {}
    assert any("have no names" in n for n in results["broken"].notices)
    assert results["broken"].data.max() == 7


@pytest.mark.slow
@pytest.mark.parametrize("count", [105, 614, 1201])
def test_large_collections_come_in_few_pages(web: LocalServers, count: int) -> None:
    collection = web.add_collection()
    body = nifti_bytes(np.ones(SHAPE))
    for n in range(count):
        collection.add_image(f"z_{n}.nii.gz", body)
    results = open_results(url_of(web, collection))
    assert len(results.maps) == count
    assert len(web.requests) == 1 + -(-count // 100)
    assert not results.problems


def test_what_is_saved_is_whole_also_without_compose(
    web: LocalServers, voxels: np.ndarray, tmp_path: Path
) -> None:
    collection = web.add_collection(
        full_dataset_url="http://localhost/meta-analyses/Meta00000000"
    )
    collection.add_image("two.nii.gz", np.stack([voxels, voxels * 2], axis=-1))
    regions = np.arange(voxels.size, dtype=np.int16).reshape(SHAPE) % 3
    collection.add_atlas("parts.nii.gz", regions, label_xml({1: "One", 2: "Two"}))
    web.fail("/compose/", Fault.status(404))
    results = open_results(url_of(web, collection))
    save_downloaded(results, str(tmp_path / "kept"), Job())
    assert any("saved without this" in problem for problem in results.problems)
    again = open_results(tmp_path / "kept")
    assert set(again.maps) == {"two#1", "two#2", "parts"}
    np.testing.assert_array_equal(again["two#2"].data, voxels * 2)
    names = open_atlas(tmp_path / "kept" / "parts.nii.gz").names
    assert dict(names) == dict(results["parts"].file.label_names)


def test_the_api_token_opens_what_its_owner_may_see(
    web: LocalServers, voxels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = web.add_collection("Mine", token="QWERTYUI")
    private.add_image("z.nii.gz", voxels, name="z QWERTYUI")
    with pytest.raises(ResultsError, match="not public"):
        open_results(str(private.id))
    monkeypatch.setenv("NNR_NEUROVAULT_TOKEN", "a" * 40)
    web.sites.owner_token = "a" * 40
    results = open_results(str(private.id))
    np.testing.assert_array_equal(results["z"].data, voxels)
    assert results.about.private
    shown = f"{results.source} {results.about} {results['z'].file.label}"
    assert "QWERTYUI" not in shown
    for path in kept(os.environ["NNR_CACHE_DIR"]):
        assert "QWERTYUI" not in str(path)
        assert b"QWERTYUI" not in path.read_bytes()
    with pytest.raises(ResultsError, match="not public"):
        open_results(str(web.add_collection(token="ASDFGHJK", owner=1).id))


def test_a_cache_that_may_not_be_written_stops_nothing(
    web: LocalServers,
    collection: Any,
    voxels: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "taken").write_text("a file, where the cache should be")
    monkeypatch.setenv("NNR_CACHE_DIR", str(tmp_path / "taken" / "cache"))
    results = open_results(url_of(web, collection))
    np.testing.assert_array_equal(results["z"].data, voxels)
    assert results.fetch(results.maps.values()) == []
    told = [problem for problem in results.problems if "not kept" in problem]
    assert len(told) == 1


@pytest.mark.parametrize("paging", ["lies", "repeats", "loops", "foreign"])
def test_lists_that_go_wrong_end(
    web: LocalServers, collection: Any, paging: str
) -> None:
    collection.paging = paging
    results = open_results(url_of(web, collection))
    assert list(results.maps) == ["z", "p", "stat"]
    assert len(web.requests) <= 4
    assert any("counts" in p for p in results.problems) is (
        paging in {"lies", "repeats"}
    )


def test_addresses_of_the_real_site_are_asked_here(
    web: LocalServers, collection: Any, voxels: np.ndarray
) -> None:
    web.sites.urls = "real"
    results = open_results(f"https://neurovault.org/collections/{collection.id}/")
    np.testing.assert_array_equal(results["z"].data, voxels)


def test_what_cannot_be_had_is_named_and_the_rest_opens(
    web: LocalServers, collection: Any, voxels: np.ndarray
) -> None:
    for name in ("lost.nii.gz", "surface.gii", "none.nii.gz", "mouse.nii.gz"):
        collection.add_image(name, voxels)
    collection.images[3]["file_size"] = 0
    collection.images[5]["file"] = None
    collection.images[6]["target_template_image"] = "Dorr2008"
    collection.images.append("what is this")
    collection.images.append(None)
    results = open_results(url_of(web, collection))
    assert list(results.maps) == ["z", "p", "stat", "mouse"]
    told = "\n".join(results.problems)
    for words in (
        "lost.nii.gz",
        "surface.gii",
        "has no file",
        "a mouse",
        "not an image",
    ):
        assert words in told


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_file_that_does_not_come_leaves_the_others(
    web: LocalServers, collection: Any, name: str, tmp_path: Path
) -> None:
    fault, words = BROKEN_FILES[name]
    web.fail(r"/media/.*/z\.nii", fault)
    results = open_results(url_of(web, collection))
    problems = results.fetch(results.maps.values())
    assert len(problems) == 1
    assert problems[0] in results.problems
    assert "z.nii.gz" in problems[0]
    assert any(word in problems[0] for word in words.split("|")), problems[0]
    assert [m.key for m in results.maps.values() if m.at_hand] == ["p", "stat"]
    files = [p.name for p in kept(os.environ["NNR_CACHE_DIR"]) if "files" in p.parts]
    assert sorted(files) == ["p.nii.gz", "stat.nii.gz"]
    assert web.foreign_requests == []
    web.faults.clear()
    assert results.fetch(results.maps.values()) == []
    assert results["z"].data.shape == SHAPE


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (truncated_bytes, "truncated|ends|breaks off"),
        (singular_bytes, "affine"),
        (lambda data: b"<html>", "not a NIfTI"),
    ],
)
def test_broken_images_are_not_kept(
    web: LocalServers, voxels: np.ndarray, make: Callable[..., bytes], words: str
) -> None:
    collection = web.add_collection()
    collection.add_image("z.nii.gz", make(voxels))
    collection.add_image("p.nii.gz", voxels)
    results = open_results(url_of(web, collection))
    (problem,) = results.fetch(results.maps.values())
    assert "z.nii.gz" in problem
    assert any(word in problem for word in words.split("|")), problem


def test_odd_images_are_shown(web: LocalServers, voxels: np.ndarray) -> None:
    collection = web.add_collection()
    collection.add_image("nan.nii.gz", np.where(voxels > 0, voxels, np.nan))
    collection.add_image("zero.nii.gz", voxels * 0)
    collection.add_image("int.nii.gz", nifti_bytes(voxels * 9, dtype=np.int16))
    collection.add_image("big.nii.gz", nifti_bytes(voxels, big=True))
    collection.add_image("five.nii.gz", voxels[..., None, None])
    collection.add_image("four.nii.gz", np.stack([voxels, voxels], axis=-1))
    results = open_results(url_of(web, collection))
    assert results.fetch(results.maps.values()) == []
    for statmap in results.maps.values():
        assert statmap.data.shape == SHAPE
    assert any("2 volumes" in notice for notice in results["four"].notices)


def test_a_file_called_gzipped_on_the_way_is_still_the_file(
    web: LocalServers, collection: Any, voxels: np.ndarray
) -> None:
    web.fail("/media/", Fault.gzip_named())
    results = open_results(url_of(web, collection))
    np.testing.assert_array_equal(results["z"].data, voxels)


def test_names_that_lead_elsewhere_stay_in_the_cache(
    web: LocalServers, voxels: np.ndarray, tmp_path: Path
) -> None:
    collection = web.add_collection()
    for name in ("a.nii.gz", "z.nii.gz", "z_1.nii.gz", "100%25 con.nii.gz"):
        collection.add_image(name, voxels)
    media = f"{web.neurovault}/media/images/{collection.id}"
    collection.images[0]["file"] = f"{media}/..%2F..%2Fa.nii.gz"
    results = open_results(url_of(web, collection))
    results.fetch(results.maps.values())
    assert set(results.maps) >= {"z", "z_1"}
    z, other = results["z"], results["z_1"]
    assert z.name is not None
    assert other.name is not None
    assert z.name.run != other.name.run
    cache = Path(os.environ["NNR_CACHE_DIR"])
    outside = [p for p in tmp_path.rglob("*.nii.gz") if cache not in p.parents]
    assert outside == []


def test_letters_that_neurovault_cannot_serve_are_explained(
    web: LocalServers, voxels: np.ndarray
) -> None:
    collection = web.add_collection()
    collection.add_image("karte_é.nii.gz", voxels)
    results = open_results(url_of(web, collection))
    with pytest.raises(ResultsError, match="letters such as those"):
        results["karte_é"].data  # noqa: B018


@pytest.mark.parametrize(
    ("pattern", "fault", "words"),
    [
        ("/api/", Fault.body(b"null"), "null|empty|JSON"),
        ("/api/", Fault.body(b"{broken"), "JSON"),
        ("/api/", Fault.page(), "page"),
        ("images", Fault.body(b"[]"), "not a list"),
        ("/api/collections/[0-9]+/$", Fault.body(b"[1]"), "not a collection"),
        ("images", Fault.change_json(lambda d: {"count": 3}), "not a list"),
        ("/api/", Fault.status(404), "eight capital letters"),
        ("/api/", Fault.status(403), "eight capital letters"),
    ],
)
def test_lists_that_are_broken_are_refused(
    web: LocalServers, collection: Any, pattern: str, fault: Fault, words: str
) -> None:
    web.fail(pattern, fault)
    with pytest.raises(ResultsError) as refused:
        open_results(url_of(web, collection))
    assert any(word in str(refused.value) for word in words.split("|")), refused.value


def test_documents_with_a_mark_nulls_and_unknown_keys_are_read(
    web: LocalServers, collection: Any
) -> None:
    def change(document: Any) -> Any:
        for image in document.get("results", []):
            for key in image:
                if key not in {"id", "file"}:
                    image[key] = None
            image["new"] = {"unknown": [1]}
        return document

    web.fail("/api/.*images", Fault.change_json(change))
    results = open_results(url_of(web, collection))
    assert results["z"].data.shape == SHAPE


def test_a_server_that_stumbles_is_asked_again(
    web: LocalServers, collection: Any
) -> None:
    web.fail("/api/collections/[0-9]+/$", Fault.status(503, html=True), times=1)
    web.fail("images", Fault.status(429, retry_after="0"), times=1)
    web.fail("/media/", Fault.reset(), times=1)
    results = open_results(url_of(web, collection))
    assert results.fetch(results.maps.values()) == []


@pytest.mark.slow
def test_the_last_list_is_shown_when_the_server_is_gone(
    web: LocalServers, collection: Any
) -> None:
    results = open_results(url_of(web, collection))
    results.fetch(results.maps.values())
    web.fail("/api/", Fault.status(502, html=True))
    again = open_results(url_of(web, collection))
    assert "as it was on" in again.problems[0]
    assert again["z"].data.shape == SHAPE


def test_an_empty_collection_says_so(web: LocalServers) -> None:
    with pytest.raises(ResultsError, match="empty"):
        open_results(url_of(web, web.add_collection()))


def test_a_private_collection_opens_by_its_token_and_leaves_it_nowhere(
    web: LocalServers, voxels: np.ndarray, caplog: Any, capfd: Any
) -> None:
    caplog.set_level(0)
    collection = web.add_collection("Secret", private=True)
    token = collection.token
    collection.record["description"] = f"See {web.neurovault}/collections/{token}/"
    record = collection.add_image("z.nii.gz", voxels, map_type="Z map")
    collection.add_atlas("atlas.nii.gz", voxels > 0.5, label_xml({1: "a"}))
    with pytest.raises(ResultsError, match="eight capital letters") as refused:
        open_results(str(collection.id))
    assert token not in str(refused.value)
    results = open_results(url_of(web, collection))
    results.fetch(results.maps.values())
    assert results.about.private
    web.fail("/media/", Fault.status(404))
    image = open_results(f"{token}-{record['id']}")
    assert image["z"].data.shape == SHAPE
    assert "See http" in results.about.description
    shown = [repr(results), results.source, str(results.about), image.source]
    shown += [*results.problems, *(m.path for m in results.maps.values())]
    shown += [
        repr(m.file) + str(vars(m.file).get("image")) for m in results.maps.values()
    ]
    assert token not in "\n".join(shown)
    assert grep(Path(os.environ["NNR_CACHE_DIR"]), token) == []
    ours = [r for r in caplog.records if r.name.startswith("napari_neurosynth")]
    assert not any(token in record.getMessage() for record in ours)
    assert token not in "".join(capfd.readouterr())
    # What it is kept under opens it again, from the cache alone.
    web.reset_log()
    again = open_results(results.source)
    assert again["z"].data.shape == SHAPE
    assert (again.source, again.about.private) == (results.source, True)
    assert again.about.links == ()
    assert "Paste the private link" in "".join(again.problems)
    assert open_results(image.source)["z"].data.shape == SHAPE
    assert web.requests == []


def test_an_api_token_goes_to_neurovault_only_and_is_kept_nowhere(
    web: LocalServers, collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("NNR_NEUROVAULT_TOKEN", secret)
    web.fail("/api/", Fault.status(401), times=None)
    results = open_results(url_of(web, collection))
    results.fetch(results.maps.values())
    sent = [asked.headers.get("authorization") for asked in web.requests]
    assert f"Token {secret}" in sent
    assert None in sent
    assert grep(Path(os.environ["NNR_CACHE_DIR"]), secret) == []


def test_no_more_than_four_requests_at_once(web: LocalServers) -> None:
    collection = web.add_collection()
    for n in range(24):
        collection.add_image(f"z_{n}.nii.gz", np.ones(SHAPE))
    web.latency = 0.01
    results = open_results(url_of(web, collection))
    assert results.fetch(results.maps.values()) == []
    assert 2 <= web.most_at_once <= 4


def test_no_more_than_four_at_once_for_all_that_is_open(web: LocalServers) -> None:
    collections = [web.add_collection(f"Set {n}") for n in range(3)]
    for collection in collections:
        for n in range(8):
            collection.add_image(f"z_desc-{n}.nii.gz", np.ones(SHAPE))
    web.latency = 0.02
    opened = [open_results(str(collection.id)) for collection in collections]
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda one: one.fetch(one.maps.values()), opened))
    assert told == [[], [], []]
    assert 2 <= web.most_at_once <= 4


def test_progress_is_told_and_cancel_stops(
    web: LocalServers, collection: Any, rng: np.random.Generator
) -> None:
    heard: list[tuple[str, int, int | None]] = []
    results = open_results(
        url_of(web, collection), progress=lambda *told: heard.append(told)
    )
    assert heard
    heard.clear()
    job = Job(lambda *told: heard.append(told))
    results.fetch([results["p"]], job)
    size = results["p"].file.nbytes
    assert heard[-1] == ("p.nii.gz", size, size)

    web.fail("/media/", Fault.drip(200))
    slow: ResultSet = open_results(url_of(web, collection))
    job = Job(lambda what, done, total: job.cancel())
    with pytest.raises(CancelledError):
        slow.fetch(slow.maps.values(), job)
    assert not slow["z"].at_hand
    assert slow["p"].at_hand
