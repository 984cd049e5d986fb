"""Studies join clusters by place: checked voxel by voxel on the real sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import napari_neurosynth_results as nnr
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.sample_data import sample_folder

SHAPE = (8, 9, 8)
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
TAIL = "_tail-positive"
COUNTS = "z_diag-FocusCounter_tab-counts"
END = "desc-mass_level-cluster_corr-FWE_method-montecarlo"


@pytest.fixture(scope="module")
def sample() -> ResultSet:
    """Return the packaged sample."""
    return nnr.open_results(sample_folder())


@pytest.mark.parametrize(
    ("kind", "diag"), [("foci", "FocusCounter"), ("jackknife", "Jackknife")]
)
def test_each_cluster_gets_the_column_of_the_label_at_its_peak(
    sample: ResultSet, kind: Any, diag: str
) -> None:
    clusters = nnr.find_clusters(sample[MASS], p=0.05)
    found = nnr.contributions(sample, clusters, kind)
    table = sample.tables[f"{MASS}_diag-{diag}_tab-counts{TAIL}"].set_index("id")
    labels = sample[f"label_{END}{TAIL}"].data
    assert list(found.columns) == list(clusters.table["label"])
    assert list(found.index) == list(table.index)
    assert found.index.name == "experiment"
    joined = 0
    for cluster, peak in enumerate(clusters.peak_voxels, start=1):
        label = int(labels[peak])
        if label:
            np.testing.assert_array_equal(
                found[cluster], table[f"PositiveTail {label}"]
            )
            joined += 1
        else:
            assert found[cluster].isna().all()
            assert not clusters.significant[cluster - 1]
    assert joined == 6
    [warning] = found.attrs["notices"]
    assert "numbers 5 of 6 clusters otherwise than in its label map" in warning


def test_the_numbers_of_nimare_would_have_misled(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample[MASS], p=0.05)
    found = nnr.contributions(sample, clusters)
    table = sample.tables[f"{MASS}_diag-FocusCounter_tab-counts{TAIL}"]
    by_number = [table[f"PositiveTail {n}"].sum() for n in range(1, 7)]
    by_place = [found[n].sum() for n in range(1, 7)]
    assert by_place == [26, 8, 5, 25, 11, 8]
    assert sum(a != b for a, b in zip(by_number, by_place, strict=True)) == 5


def test_at_another_threshold_it_says_whose_clusters_were_counted(
    sample: ResultSet,
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.0001, min_voxels=10)
    found = nnr.contributions(sample, clusters)
    told = "\n".join(found.attrs["notices"])
    assert "NiMARE counted for its own cluster there, of 806" in told
    assert found.notna().any().sum() >= 1
    with pytest.raises(nnr.ResultsError, match="None of NiMARE's clusters lies"):
        nnr.contributions(sample, nnr.find_clusters(sample["z"], value=6.5))


def run(
    opened: Callable[..., ResultSet], tables: dict[str, str], **maps: Any
) -> ResultSet:
    return opened(maps, {f"{stem}.tsv": text for stem, text in tables.items()})


def blocks(*values: float) -> np.ndarray:
    """Return two blocks of 8 voxels each, and one of 4 beside the second."""
    data = np.zeros(SHAPE, np.float32)
    data[1:3, 1:3, 1:3], data[5:7, 5:7, 5:7], data[5:7, 5:7, 4] = values
    return data


def test_labels_that_share_a_cluster_add_up_their_foci_but_no_shares(
    opened: Callable[..., ResultSet],
) -> None:
    columns = "\t".join(["id", *(f"PositiveTail {n}" for n in (1, 2, 3))])
    counts = f"{columns}\na-1\t1\t2\t4\nb-1\t0\t3\t5\n"
    results = run(
        opened,
        {
            "z_diag-FocusCounter_tab-counts_tail-positive": counts,
            "z_diag-Jackknife_tab-counts_tail-positive": counts,
        },
        z=blocks(5, 4, 4.5),
        **{"label_tail-positive": blocks(2, 1, 3)},
    )
    clusters = nnr.find_clusters(results["z"], value=3)
    assert list(clusters.table["n_voxels"]) == [8, 12]
    foci = nnr.contributions(results, clusters)
    assert foci.to_dict("list") == {1: [2, 3], 2: [5, 5]}
    shares = nnr.contributions(results, clusters, "jackknife")
    assert list(shares[1]) == [2, 3]
    assert shares[2].isna().all()
    assert any("do not add up" in notice for notice in shares.attrs["notices"])


def test_signs_are_never_mixed(opened: Callable[..., ResultSet]) -> None:
    z = blocks(5, -4, 0)
    results = run(
        opened,
        {
            f"{COUNTS}_tail-positive": "id\tPositiveTail 1\na\t7\n",
            f"{COUNTS}_tail-negative": "id\tNegativeTail 1\na\t9\n",
        },
        z=z,
        p=np.where(z != 0, 0.001, 0.5),
        **{
            "label_tail-positive": blocks(1, 0, 0),
            "label_tail-negative": blocks(0, 1, 0),
        },
    )
    clusters = nnr.find_clusters(results["z"], value=3, tail="both")
    assert list(clusters.table["sign"]) == [1, -1]
    assert nnr.contributions(results, clusters).to_dict("list") == {1: [7], 2: [9]}


def test_what_cannot_be_followed_is_refused(opened: Callable[..., ResultSet]) -> None:
    counts = {
        "z_diag-FocusCounter_tab-counts_tail-positive": "id\tPositiveTail 1\na\t1\n"
    }
    results = run(opened, counts, z=blocks(5, 4, 0))
    clusters = nnr.find_clusters(results["z"], value=3)
    with pytest.raises(nnr.ResultsError, match="no label map for z_diag-FocusCounter"):
        nnr.contributions(results, clusters)
    with pytest.raises(nnr.ResultsError, match="no table of NiMARE's Jackknife"):
        nnr.contributions(results, clusters, "jackknife")
