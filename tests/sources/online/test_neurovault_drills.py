"""What NeuroVault does every day: files are replaced, pages are slow, links refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_servers import Fault, LocalServers
from napari_neurosynth_results import ResultsError, find_clusters, open_results
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.online.collection_listing import list_collection
from napari_neurosynth_results.sources.online.store import Store
from napari_neurosynth_results.sources.web.client import WebClient
from napari_neurosynth_results.sources.web.servers import Servers
from napari_neurosynth_results.statistics.p_values.significance import find_test

SHAPE = (8, 9, 8)


@pytest.fixture
def voxels(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.001, 0.999, SHAPE).astype(np.float32)


def url_of(web: LocalServers, collection: Any) -> str:
    return f"{web.neurovault}/collections/{collection.place}/"


def refused(source: str) -> str:
    with pytest.raises(ResultsError) as caught:
        open_results(source)
    return str(caught.value)


def test_a_file_that_is_replaced_while_its_list_is_open(
    web: LocalServers, voxels: np.ndarray
) -> None:
    collection = web.add_collection()
    record = collection.add_image("z.nii.gz", voxels)
    collection.add_image("p.nii.gz", voxels)
    before = open_results(url_of(web, collection))
    collection.replace_image(record, voxels * 2)
    assert record["file"].endswith("/z_1.nii.gz")
    with pytest.raises(ResultsError, match="Open the collection again"):
        _ = before["z"].data
    # The others are as they were.
    np.testing.assert_allclose(before["p"].data, voxels)
    again = open_results(url_of(web, collection))
    np.testing.assert_allclose(again["z"].data, voxels * 2)
    assert set(again.siblings(again["z"])) == {"p"}
    collection.replace_image(record, voxels * 3)
    # The first name is free again, so the site takes it.
    assert record["file"].endswith("/z_1_1.nii.gz") or "z_2" in record["file"]


def test_a_file_that_was_replaced_after_its_download_is_fetched_anew(
    web: LocalServers, voxels: np.ndarray
) -> None:
    collection = web.add_collection()
    record = collection.add_image("z.nii.gz", voxels)
    np.testing.assert_allclose(open_results(url_of(web, collection))["z"].data, voxels)
    collection.replace_image(record, voxels * 2)
    again = open_results(url_of(web, collection))
    np.testing.assert_allclose(again["z"].data, voxels * 2)


def test_maps_of_the_form_and_of_the_api_are_one_result(
    web: LocalServers, voxels: np.ndarray
) -> None:
    collection = web.add_collection()
    stem = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
    beside = f"p{stem[1:]}"
    collection.add_image(f"{beside}.nii.gz", voxels)
    record = collection.add_by_form(f"{stem}.nii.gz", voxels)
    assert record["file"].endswith(".nii.nii.gz")
    results = open_results(url_of(web, collection))
    assert set(results.maps) == {stem, beside}
    assert [m.key for m in results.siblings(results[stem]).values()] == [beside]


@pytest.mark.slow
def test_slow_pages_come_because_each_has_its_own_deadline(
    web: LocalServers, voxels: np.ndarray, tmp_path: Path
) -> None:
    collection = web.add_collection()
    body = voxels[:2, :2, :2]
    for n in range(250):
        collection.add_image(f"map{n}.nii.gz", body)
    web.fail("/images/", Fault.stall(0.7))
    store = Store(Servers(web.neurovault, cache_dir=tmp_path / "kept"))
    store.web = WebClient(store.online, deadline_json=1.5, tries=1)
    listed = list_collection(web.neurovault, str(collection.id), store, Job())
    assert len(listed.images) == 250
    pages = web.paths("/images/?")
    assert len(pages) == 3


@pytest.mark.parametrize(
    ("page", "status", "hint"),
    [
        # Private things by their number: the list is refused, an image is not there.
        ("collections/{number}/", 403, "eight capital letters"),
        ("images/{image}/", 404, "eight capital letters"),
        ("collections/99999/", 404, "eight capital letters"),
        # By a link that is not right any more.
        ("collections/QWERTYUI/", 404, "private link opens nothing"),
    ],
)
def test_what_is_refused_and_what_is_not_there_say_why(
    web: LocalServers, voxels: np.ndarray, page: str, status: int, hint: str
) -> None:
    collection = web.add_collection(private=True)
    image = collection.add_image("z.nii.gz", voxels)
    link = page.format(number=collection.id, image=image["id"])
    told = refused(f"{web.neurovault}/{link}")
    assert f"({status})" in told
    assert hint in told
    assert told[0].isupper()
    assert collection.token not in told


@pytest.mark.parametrize("status", [403, 404])
def test_a_file_that_is_listed_and_not_handed_out(
    web: LocalServers, voxels: np.ndarray, status: int
) -> None:
    collection = web.add_collection()
    for name in ("z.nii.gz", "p.nii.gz"):
        collection.add_image(name, voxels)
    web.fail("/media/.*/z", Fault.status(status, html=True))
    results = open_results(url_of(web, collection))
    with pytest.raises(ResultsError, match="does not hand out its file") as caught:
        _ = results["z"].data
    assert "capital letters" not in str(caught.value)
    assert results["p"].data.shape == SHAPE


def test_a_token_that_is_not_known_is_named(
    web: LocalServers, voxels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.sites.tokens = set()
    collection = web.add_collection(private=True)
    collection.add_image("z.nii.gz", voxels)
    token = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("NNR_NEUROVAULT_TOKEN", token)
    told = refused(str(collection.id))
    assert "NNR_NEUROVAULT_TOKEN" in told
    assert token not in told


def test_maps_of_several_packs_are_told_apart(
    web: LocalServers, voxels: np.ndarray
) -> None:
    collection = web.add_collection()
    cut = np.where(voxels > 0.5, voxels, 0)
    fsl = {"ZStatistic.nii.gz": voxels, "ExcursionSet.nii.gz": cut}
    spm = {"TStatistic.nii.gz": voxels, "ExcursionSet.nii.gz": cut}
    collection.add_nidm_pack("pain_01.nidm", fsl)
    collection.add_nidm_pack("pain_02.nidm", spm)
    for record in collection.images:
        record["name"] = "Statistic Map: pain > rest"
    results = open_results(url_of(web, collection))
    kinds = {statmap.title: str(statmap.kind) for statmap in results.maps.values()}
    said = "Statistic Map: pain > rest"
    assert kinds == {
        f"ZStatistic \u00b7 {said} \u00b7 pain-01": "z",
        f"ExcursionSet \u00b7 {said} \u00b7 pain-01": "z",
        f"TStatistic \u00b7 {said} \u00b7 pain-02": "t",
        f"ExcursionSet \u00b7 {said} \u00b7 pain-02": "t",
    }
    # A statistic comes before what is left of it above a threshold.
    assert next(iter(results.maps)) == "pain-01_ZStatistic"
    alone = open_results(f"{url_of(web, collection)}pain_02.nidm")
    assert set(alone.maps) == {"TStatistic", "ExcursionSet"}
    assert str(alone["ExcursionSet"].kind) == "t"


@pytest.mark.parametrize(
    ("test", "p", "corrected", "small_is_strong"),
    [
        ("a_tstat1", "a_vox_p_tstat1", "a_clustere_corrp_tstat1", False),
        ("vox_tstat_c1", "vox_tstat_uncp_c1", "clustere_tstat_fwep_c1", True),
    ],
    ids=["FSL", "PALM"],
)
def test_what_other_programs_corrected_comes_with_its_test(
    web: LocalServers,
    rng: np.random.Generator,
    write: Callable[..., Path],
    tmp_path: Path,
    test: str,
    p: str,
    corrected: str,
    small_is_strong: bool,
) -> None:
    t = np.zeros(SHAPE, np.float32)
    t[2:5, 3:6, 3:6] = rng.uniform(3, 6, (3, 3, 3))
    of_voxels, of_clusters = np.where(t > 0, 0.002, 0.6), np.where(t > 0, 0.01, 1.0)
    if not small_is_strong:
        of_voxels, of_clusters = 1 - of_voxels, 1 - of_clusters
    maps = {test: t, p: of_voxels, corrected: of_clusters}
    collection = web.add_collection()
    for stem, voxels in maps.items():
        collection.add_image(f"{stem}.nii.gz", voxels)
    results = open_results(url_of(web, collection))
    needed = results.needed_by(results[corrected])
    assert {statmap.key for statmap in needed} == set(maps)
    # A script is told the same as by the files.
    found = find_clusters(results[corrected], p=0.05, atlas=None)
    local = open_results(write(maps))[corrected]
    assert found.values.key == test
    assert found.table.equals(find_clusters(local, p=0.05, atlas=None).table)
    # In a viewer it comes with the map that is chosen.
    results = open_results(url_of(web, collection), cache_dir=tmp_path / "empty")
    results.on_demand = False
    assert find_test(results[corrected]) is None
    results.fetch(results.needed_by(results[corrected]))
    found = find_clusters(results[corrected], p=0.05, atlas=None)
    assert found.values.key == test
