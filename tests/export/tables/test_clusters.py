"""Clusters on disk say what they are, and nothing is overwritten silently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ClusterSet, ResultsError, ResultSet
from napari_neurosynth_results.export.tables.paper import paper_table

Opened = Callable[..., ResultSet]


@pytest.fixture
def clusters(sample_path: Path) -> ClusterSet:
    results = nnr.open_results(sample_path)
    return nnr.find_clusters(results["z"], p=0.001, min_voxels=50)


@pytest.mark.parametrize(("name", "separator"), [("t.csv", ","), ("T.TSV", "\t")])
def test_a_table_is_the_table_below_lines_that_say_what_it_shows(
    clusters: ClusterSet, tmp_path: Path, name: str, separator: str
) -> None:
    nnr.save_clusters(clusters, tmp_path / name)
    lines = (tmp_path / name).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# map: z (z, uncorrected)"
    assert "z >= 3.09 (p <= .001, one-tailed)" in lines[1]
    assert "extent >= 50 voxels (400 mm3), 6-connected" in lines[1]
    read = pd.read_csv(tmp_path / name, sep=separator, comment="#")
    corrected = ["p_fwe_mass", "p_fwe_size", "peak_p_fwe", "peak_q"]
    told = "corrected p of the cluster, p and q at its peak, from all maps of the test"
    assert f"# last {len(corrected)} columns: {told}" in lines
    beside = [*clusters.extents.columns[1:], *clusters.monte_carlo.columns[1:]]
    assert list(read.columns) == [*clusters.table.columns, *beside, *corrected]
    assert str(clusters.proven) in "".join(lines)
    for column in corrected:
        pd.testing.assert_series_equal(read[column], clusters.corrected[column])
    pd.testing.assert_series_equal(read.peak_value, clusters.table.peak_value)
    assert read.n_voxels.tolist() == clusters.table.n_voxels.tolist()


def test_a_p_of_clusters_that_are_not_these_is_empty_and_said(
    sample_path: Path, tmp_path: Path
) -> None:
    results = nnr.open_results(sample_path)
    smaller = nnr.find_clusters(results["z"], p=1e-5, min_voxels=10)
    nnr.save_clusters(smaller, tmp_path / "t.tsv")
    read = pd.read_csv(tmp_path / "t.tsv", sep="\t", comment="#")
    assert len(read) == len(smaller) > 3
    assert read[["p_fwe_mass", "p_fwe_size"]].isna().all(axis=None)
    assert read[["peak_p_fwe", "peak_q"]].notna().all(axis=None)
    text = (tmp_path / "t.tsv").read_text(encoding="utf-8")
    for statistic in ("mass", "size"):
        assert f"# p_FWE by cluster {statistic} is not stated for " in text
    caption = paper_table(smaller).caption
    assert "NiMARE tested clusters of other voxels there" in caption
    assert not any("cluster" in column for column in paper_table(smaller).columns)


@pytest.mark.parametrize("name", ["labels.nii", "labels.nii.gz"])
def test_a_label_volume_lies_where_the_map_lies(
    clusters: ClusterSet, tmp_path: Path, name: str
) -> None:
    nnr.save_clusters(clusters, tmp_path / name)
    image = nib.load(tmp_path / name)
    assert np.array_equal(np.asarray(image.dataobj), clusters.labels)
    assert np.array_equal(image.affine, clusters.statmap.affine)
    assert image.get_data_dtype().kind == "i"
    assert image.header["sform_code"] == image.header["qform_code"] == 4
    # It opens again as labels, which need no NiMARE name for it.
    opened = nnr.open_results(tmp_path / name)
    assert next(iter(opened.maps.values())).kind is nnr.MapKind.LABEL


def test_a_volume_that_is_not_in_mni_space_does_not_claim_to_be(
    opened: Opened, tmp_path: Path
) -> None:
    values = np.zeros((8, 9, 8))
    values[4, 4, 4] = 5
    results = opened({"z": values}, affine=np.diag([0.1, 0.1, 0.1, 1]))
    found = nnr.find_clusters(results["z"], value=3)
    nnr.save_clusters(found, tmp_path / "mouse.nii.gz")
    assert nib.load(tmp_path / "mouse.nii.gz").header["sform_code"] == 2


def test_nothing_is_overwritten_unless_asked(
    clusters: ClusterSet, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(ResultsError, match="exists already"):
        nnr.save_clusters(clusters, path)
    assert path.read_text(encoding="utf-8") == "precious"
    nnr.save_clusters(clusters, path, overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("# map: z")
    assert {found.name for found in tmp_path.iterdir()} == {"t.csv", "t.json"}


@pytest.mark.parametrize(
    ("name", "message"),
    [("t.xlsx", r"saved as \.csv"), ("absent/t.csv", "cannot be written")],
)
def test_what_cannot_be_written_is_told(
    clusters: ClusterSet, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(ResultsError, match=message):
        nnr.save_clusters(clusters, tmp_path / name)
    assert not list(tmp_path.iterdir())
