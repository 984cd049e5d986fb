"""Names of maps as NeuroVault changes them: what a map is does not hang on that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_servers import LocalServers
from napari_neurosynth_results import open_results
from napari_neurosynth_results.export.downloaded import save_downloaded
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.online.neurovault_records import settle_filenames


@pytest.fixture
def voxels(rng: np.random.Generator) -> np.ndarray:
    """Return voxels of a map of p."""
    return rng.uniform(0.001, 0.999, (8, 9, 8)).astype(np.float32)


def url_of(web: LocalServers, collection: Any) -> str:
    return f"{web.neurovault}/collections/{collection.place}/"


@pytest.mark.parametrize(
    ("files", "settled"),
    [
        ([("z_1.nii.gz", "other"), ("p.nii", "p")], ["z_1.nii.gz", "p.nii"]),
        ([("a_ALE_1.nii.gz", "a_ALE_1.nii.gz")], ["a_ALE_1.nii.gz"]),
        ([("z_1.nii.gz", "Z"), ("z_2.nii.gz", "z")], ["z_1.nii.gz", "z_2.nii.gz"]),
        ([("z_1.nii.gz", "z"), ("z.nii.nii.gz", "z")], ["z_1.nii.gz", "z.nii.gz"]),
        ([("", ""), ("_1.nii.gz", "")], ["", "_1.nii.gz"]),
    ],
)
def test_numbers_go_only_where_nothing_is_mixed_up(
    files: list[tuple[str, str]], settled: list[str]
) -> None:
    assert settle_filenames(files) == settled


@pytest.mark.parametrize(
    ("filename", "said"),
    [
        ("z_1.nii.gz", "z.nii.gz"),
        ("z_12.nii.gz", "z"),
        ("z.nii.nii.gz", "z nii"),
        ("z_1.nii.nii.gz", "z.nii.gz"),
        ("z.nii_1.nii.gz", "z.nii.nii.gz"),
    ],
)
def test_what_the_server_adds_to_a_name_hides_no_map(
    web: LocalServers, voxels: np.ndarray, filename: str, said: str, tmp_path: Path
) -> None:
    collection = web.add_collection()
    for stem in ("p", "stat"):
        collection.add_image(f"{stem}.nii.gz", voxels)
    collection.add_image(filename, voxels, name=said)
    results = open_results(url_of(web, collection))
    assert set(results.siblings(results["z"])) == {"p", "stat"}
    save_downloaded(results, str(tmp_path / "kept"), Job())
    again = open_results(tmp_path / "kept")
    assert set(again.siblings(again["z"])) == {"p", "stat"}


def test_names_of_the_form_are_read(web: LocalServers, voxels: np.ndarray) -> None:
    collection = web.add_collection()
    stem = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
    said = "z desc mass level cluster corr FWE method montecarlo"
    collection.add_image(f"{stem}_3.nii.nii.gz", voxels, name=said)
    (found,) = open_results(url_of(web, collection)).maps.values()
    assert found.key == stem
    assert found.name is not None
    assert (found.name.method, found.name.level) == ("montecarlo", "cluster")


def test_two_maps_of_one_name_stay_two(web: LocalServers, voxels: np.ndarray) -> None:
    collection = web.add_collection()
    for _ in range(2):
        collection.add_image("z.nii.gz", voxels)
        collection.add_image("p.nii.gz", voxels)
    results = open_results(url_of(web, collection))
    assert set(results.maps) == {"z", "p", "z_1", "p_1"}
    assert [m.key for m in results.siblings(results["z_1"]).values()] == ["p_1"]


def test_one_map_of_a_pack_opens_by_its_link(
    web: LocalServers, voxels: np.ndarray
) -> None:
    collection = web.add_collection()
    for n, pack in enumerate(("a.nidm", "a.nidm_1")):
        maps = {"ZStatistic.nii.gz": voxels * (n + 1), "ExcursionSet.nii.gz": voxels}
        collection.add_nidm_pack(pack, maps)
    for place in ("media/images", "collections"):
        link = f"{web.neurovault}/{place}/{collection.id}/a.nidm_1/ZStatistic.nii.gz"
        results = open_results(link)
        (found,) = results.maps.values()
        np.testing.assert_allclose(found.data, voxels * 2)
        assert results.title == "ZStatistic.nii.gz"
        assert len(open_results(results.source).maps) == 1
