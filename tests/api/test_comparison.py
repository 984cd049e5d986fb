"""`compare_maps`, `compare_many` and `save_comparison`, as scripts call them."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import napari_neurosynth_results as nnr
from helpers.maps_in_memory import Array, lone, made, placed
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters.defaults import first_threshold

CORRECTED = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


@pytest.fixture
def results(sample_path: Path) -> ResultSet:
    """Open the packaged sample."""
    return nnr.open_results(sample_path)


@pytest.fixture
def other(results: ResultSet) -> nnr.StatMap:
    """Return a map like the sample's z, moved by a voxel, on the same grid."""
    return lone(np.roll(results["z"].data, 1, axis=0), results["z"].affine)


def test_a_threshold_may_be_keywords_a_threshold_or_clusters(
    results: ResultSet,
) -> None:
    z, stat = results["z"], results["stat"]
    asked = {"p": 0.001, "min_voxels": 100, "connectivity": 18}
    clusters = nnr.find_clusters(z, **asked)
    threshold = Threshold(**asked)
    for one in (asked, threshold, clusters):
        found = nnr.compare_maps(z, stat, threshold_a=one, threshold_b={"p": 0.01})
        assert found.n_a == clusters.labelled.size.sum()
        assert found.threshold_a == str(clusters)
        assert "p <= .01" in found.threshold_b
    # Clusters below the extent are not compared.
    assert found.n_a < nnr.find_clusters(z, p=0.001).labelled.size.sum()


def test_one_threshold_counts_for_both(results: ResultSet) -> None:
    z, stat = results["z"], results["stat"]
    clusters = nnr.find_clusters(z, p=0.01, min_voxels=50)
    for given in ({"threshold_a": clusters}, {"threshold_a": clusters.asked}):
        found = nnr.compare_maps(z, stat, **given)
        assert found.b.asked == clusters.asked
    found = nnr.compare_maps(stat, z, threshold_b=clusters)
    assert found.a.asked == clusters.asked


def test_without_a_threshold_it_is_that_of_the_first_look(
    results: ResultSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = nnr.compare_maps(results["z"], results[CORRECTED])
    assert (found.a.asked.p, found.b.asked.p) == (0.001, 0.05)
    data = np.arange(1.0, 1001).reshape(10, 10, 10)
    prob = made({"prob_desc-A": data})["prob_desc-A"]
    found = nnr.compare_maps(prob, prob)
    assert found.n_a == 50
    # As a viewer that remembers nothing.
    monkeypatch.delitem(__import__("sys").modules, "napari", raising=False)
    for statmap, offered in (
        (results["z"], ("value", "p")),
        (results[CORRECTED], ("p",)),
        (results["logp_level-voxel_corr-FWE_method-montecarlo"], ("value", "p")),
        (prob, ("value",)),
    ):
        ours = nnr.compare_maps(statmap, statmap).a.asked
        assert ours == first_threshold(statmap, offered)


def test_clusters_of_another_map_are_refused(results: ResultSet) -> None:
    clusters = nnr.find_clusters(results["stat"], p=0.001)
    with pytest.raises(nnr.ResultsError, match="clusters of statistic, not of z"):
        nnr.compare_maps(results["z"], results["stat"], threshold_a=clusters)


def test_label_maps_are_refused(results: ResultSet) -> None:
    labels = lone(np.ones((5, 5, 5)), kind=MapKind.LABEL)
    with pytest.raises(nnr.ResultsError, match="labels cannot be thresholded"):
        nnr.compare_maps(labels, labels)


def test_clusters_have_names(results: ResultSet, other: nnr.StatMap) -> None:
    asked = {"value": 3.1, "min_voxels": 100}
    found = nnr.compare_maps(results["z"], other, threshold_a=asked)
    assert found.clusters.name_a[0] == "Insula R"
    assert 0.7 < found.dice < 1
    assert found.clusters.peak_distance_mm[0] == 2
    nameless = nnr.compare_maps(results["z"], other, threshold_a=asked, atlas=None)
    assert nameless.clusters.name_a[0] == "cluster 1"


def test_many_maps(results: ResultSet, other: nnr.StatMap) -> None:
    maps = {"z": results["z"], "moved": other, "stat": results["stat"]}
    found = nnr.compare_many(maps, thresholds=[{"p": 0.001}, {"value": 3.1}, None])
    assert list(found.dice.index) == list(found.dice.columns) == list(maps)
    pair = nnr.compare_maps(
        maps["z"], other, threshold_a={"p": 0.001}, threshold_b={"value": 3.1}
    )
    assert found.dice.loc["z", "moved"] == pytest.approx(pair.dice)
    assert found.r.loc["moved", "z"] == pytest.approx(pair.r)
    titled = nnr.compare_many(list(maps.values()), threshold={"value": 3.1})
    assert titled.names == ("z, uncorrected", "map", "statistic")
    with pytest.raises(nnr.ResultsError, match="3 maps and 1 threshold"):
        nnr.compare_many(maps, thresholds=[None])
    with pytest.raises(nnr.ResultsError, match="not both"):
        nnr.compare_many(maps, threshold={"p": 0.1}, thresholds=[None] * 3)


# --- files ------------------------------------------------------------------------


def read(path: str) -> pd.DataFrame:
    """Read a table without the lines that say what it is."""
    return pd.read_csv(path, sep="\t", comment="#")


def test_two_maps_on_disk(
    results: ResultSet, other: nnr.StatMap, tmp_path: Path
) -> None:
    found = nnr.compare_maps(results["z"], other, threshold_a={"p": 0.001})
    folder = tmp_path / "new"
    written = nnr.save_comparison(found, folder)
    names = {
        *("comparison.tsv", "clusters.tsv", "agreement.nii.gz", "difference.nii.gz"),
        *("conjunction.nii.gz", "conjunction_logp.nii.gz"),
        *("comparison.json", "clusters.json"),
    }
    assert {os.path.basename(path) for path in written} == names
    assert {path.name for path in folder.iterdir()} == names
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["new"]
    table = read(str(folder / "comparison.tsv"))
    dice = table[(table.measure == "dice") & table.over.str.startswith("all")]
    assert dice.value.item() == pytest.approx(found.dice)
    clusters = read(str(folder / "clusters.tsv"))
    assert clusters.n_voxels.tolist() == found.clusters.n_voxels.tolist()
    lines = (folder / "comparison.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# {found}"
    assert any("a: z, uncorrected: z >= 3.09 (p <= .001" in line for line in lines)
    image = nib.load(folder / "agreement.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(image.dataobj), found.agreement)
    assert np.array_equal(image.affine, found.grid.affine)
    assert image.header.get_intent()[0] == "label"
    assert (image.header["sform_code"], image.header["qform_code"]) == (4, 4)
    with pytest.raises(nnr.ResultsError, match="exists already"):
        nnr.save_comparison(found, folder)


def test_a_conjunction_on_disk_is_read_as_what_it_is(
    results: ResultSet, other: nnr.StatMap, tmp_path: Path
) -> None:
    found = nnr.compare_maps(results["z"], other, threshold_a={"p": 0.001})
    nnr.save_comparison(found, tmp_path / "new")
    again = nnr.open_results(
        [
            tmp_path / "new" / f"{stem}.nii.gz"
            for stem in ("conjunction", "conjunction_logp")
        ]
    )
    ours = nnr.find_clusters(found.conjunction, p=0.001, atlas=None)
    kinds = {"conjunction": MapKind.Z, "conjunction_logp": MapKind.LOGP}
    for key, kind in kinds.items():
        assert again[key].kind is kind
        theirs = nnr.find_clusters(again[key], p=0.001, atlas=None)
        assert np.array_equal(theirs.labels > 0, ours.labels > 0)


def test_many_maps_on_disk(results: ResultSet, tmp_path: Path) -> None:
    maps = {"=z": results["z"], "b": results["stat"], "c": results["logp"]}
    found = nnr.compare_many(maps, threshold={"p": 0.001})
    nnr.save_comparison(found, tmp_path / "many")
    table = read(str(tmp_path / "many" / "dice.tsv"))
    # No spreadsheet runs a name.
    assert table["map"].tolist() == ["'=z", "b", "c"]
    assert table["b"].tolist() == found.dice["b"].tolist()
    assert {path.name for path in (tmp_path / "many").iterdir()} == {
        f"{name}.{kind}"
        for name in ("comparison", "dice", "jaccard", "r", "rho")
        for kind in ("tsv", "json")
    }


def test_a_folder_is_whole_or_not_there(
    results: ResultSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = nnr.compare_maps(results["z"], results["stat"], threshold_a={"p": 0.001})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nib, "save", full)
    with pytest.raises(nnr.ResultsError, match="No space left"):
        nnr.save_comparison(found, tmp_path / "new")
    assert [path for path in tmp_path.iterdir() if path.name != "cache"] == []
    with pytest.raises(nnr.ResultsError, match="cannot be written"):
        nnr.save_comparison(found, tmp_path / "missing" / "new")


def test_an_oblique_place_is_not_called_mni(tmp_path: Path) -> None:
    data: Array = np.zeros((5, 5, 5))
    data[2, 2, 2] = 3
    far = lone(data, placed(2, (300, 300, 300)))
    found = nnr.compare_maps(far, far, threshold_a={"value": 2}, atlas=None)
    nnr.save_comparison(found, tmp_path / "far")
    header = nib.load(tmp_path / "far" / "agreement.nii.gz").header
    assert (header["sform_code"], header["qform_code"]) == (2, 2)
    assert any("may not be in MNI space" in told for told in found.notices)
