"""A table of diagnostics belongs to the contrast and tail in its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import napari_neurosynth_results as nnr
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study
from napari_neurosynth_results.sample import sample_folder

SHAPE = (8, 9, 8)
TAIL = "_tail-positive"
Opened = Callable[..., ResultSet]


def blocks(*values: float) -> np.ndarray:
    """Return two blocks of 8 voxels each."""
    data = np.zeros(SHAPE, np.float32)
    data[1:3, 1:3, 1:3], data[5:7, 5:7, 5:7] = values
    return data


def two_contrasts(*tables: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return an MKDAChi2 of two contrasts whose clusters have the same voxels."""
    maps = {}
    for contrast in ("association", "uniformity"):
        maps[f"z_desc-{contrast}"] = blocks(5, 4)
        maps[f"label_desc-{contrast}Mass_level-cluster_corr-FWE{TAIL}"] = blocks(1, 2)
    maps["z_desc-associationMass_level-cluster_corr-FWE"] = blocks(3, 2)
    texts = {}
    for contrast, diag in (table.split() for table in tables):
        target = f"z_desc-{contrast}Mass_level-cluster_corr-FWE"
        foci = 1 if contrast == "association" else 7
        texts[f"{target}_diag-{diag}_tab-counts{TAIL}.tsv"] = (
            f"id\tPositiveTail 1\tPositiveTail 2\na\t{foci}\t0\nb\t0\t0\n"
        )
    return maps, texts


def test_a_table_belongs_to_the_contrast_in_its_name(
    opened: Opened,
) -> None:
    maps, texts = two_contrasts("association FocusCounter", "association Jackknife")
    results = opened(maps, texts)
    own = nnr.find_clusters(results["z_desc-association"], value=3, atlas=None)
    assert nnr.contributions(results, own).to_dict("list") == {1: [1, 0], 2: [0, 0]}
    other = nnr.find_clusters(results["z_desc-uniformity"], value=3, atlas=None)
    for kind in ("foci", "jackknife"):
        with pytest.raises(nnr.ResultsError, match="did not count for z, uniformity"):
            nnr.contributions(results, other, kind)
    behind = nnr.contributors(results, other)
    assert not behind
    for label in (1, 2):
        assert behind.sentence(label) == (
            f"cluster {label}: not known; NiMARE counted for z, association, "
            "cluster-level FWE (mass)."
        )
        assert behind.caution(label) == ""
    told = "\n".join([*behind.notices, behind.sentence(2)])
    assert "no experiment" not in told
    assert "NiMARE counted nothing" not in told
    # Of the map that was counted it is said.
    assert nnr.contributors(results, own).sentence(2) == "cluster 2: no experiment."


def test_of_two_tables_each_contrast_gets_its_own(
    opened: Opened,
) -> None:
    maps, texts = two_contrasts("association FocusCounter", "uniformity FocusCounter")
    results = opened(maps, texts)
    for contrast, count in (("association", 1), ("uniformity", 7)):
        clusters = nnr.find_clusters(results[f"z_desc-{contrast}"], value=3)
        assert nnr.contributions(results, clusters)[1].tolist() == [count, 0]


def test_shares_that_are_of_another_contrast_are_said_to_be(
    opened: Opened,
) -> None:
    results = opened(*two_contrasts("association Jackknife", "uniformity Jackknife"))
    for contrast, warned in (("association", False), ("uniformity", True)):
        clusters = nnr.find_clusters(results[f"z_desc-{contrast}"], value=3)
        told = nnr.contributions(results, clusters, "jackknife").attrs["notices"]
        assert any("takes the shares from the comparison" in one for one in told) == (
            warned
        )


@pytest.mark.parametrize("labelled", [True, False])
def test_one_table_of_both_tails_serves_both(opened: Opened, labelled: bool) -> None:
    # NiMARE's name of an image-based jackknife: neither tail nor correction.
    z = np.zeros((12, 12, 12), np.float32)
    z[1:4, 1:4, 1:4], z[7:10, 1:4, 1:4], z[1:4, 7:10, 1:4] = 5, -4, -6
    labels = {
        "label_tail-positive": np.where(z > 3, 1, 0),
        "label_tail-negative": np.select([z == -6, z == -4], [1, 2]),
    }
    head = "id\tPositiveTail 1\tNegativeTail 1\tNegativeTail 2"
    places = "\n".join(
        [
            "Cluster ID\tX\tY\tZ\tPeak Stat\tCluster Size (mm3)",
            "PositiveTail 1\t4\t4\t4\t5\t216",
            "NegativeTail 2\t4\t16\t4\t-6\t216",
            "NegativeTail 3\t16\t4\t4\t-4\t216",
        ]
    )
    results = opened(
        {"z": z, "p": np.where(z != 0, 0.001, 0.5), **(labels if labelled else {})},
        {
            "z_diag-Jackknife_tab-counts.tsv": "\n".join(
                [head, "a\t.1\t.2\t.3", "b\t.4\t.5\t.6", ""]
            ),
            "z_tab-clust.tsv": f"{places}\n",
        },
        affine=np.diag([2.0, 2, 2, 1]),
    )
    clusters = nnr.find_clusters(results["z"], value=3)
    assert clusters.table.sign.tolist() == [1, -1, -1]
    assert clusters.table.peak_value.tolist() == [5, -6, -4]
    shares = nnr.contributions(results, clusters, "jackknife")
    rebuilt = "agrees with the sizes in NiMARE's table of clusters"
    assert any(rebuilt in one for one in shares.attrs["notices"]) != labelled
    assert shares.to_dict("list") == {1: [0.1, 0.4], 2: [0.2, 0.5], 3: [0.3, 0.6]}


def test_tables_of_the_other_group_are_not_used(
    opened: Opened,
) -> None:
    table = f"z_desc-group2_diag-FocusCounter_tab-counts{TAIL}.tsv"
    results = opened(
        {"z_desc-group2": blocks(5, 0), f"label_desc-group2{TAIL}": blocks(1, 0)},
        {table: "id\tPositiveTail 1\na\t1\n"},
    )
    clusters = nnr.find_clusters(results["z_desc-group2"], value=3)
    with pytest.raises(nnr.ResultsError, match="studies of the other group"):
        nnr.contributions(results, clusters)


def compared() -> Studies:
    """Return two groups with foci in both blocks, the second with a null experiment."""
    first, second = Focus(*place_of(1)), Focus(*place_of(5))
    return Studies(
        tuple(
            Study(name, name, analyses=(Analysis("1", "1", foci, group),))
            for name, foci, group in (
                ("a", (first, second, second), 1),
                ("b", (first, first, second), 2),
                ("c", (), 2),
            )
        )
    )


def place_of(index: int) -> tuple[float, float, float]:
    """Return the place of a voxel on the diagonal, in mm."""
    return -70 + 20 * index, -110 + 20 * index, -60 + 20 * index


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        # Of a comparison by sign, of a map of one group that group.
        ("association", ["a-1", "b-1"]),
        ("group1MinusGroup2", ["a-1", "b-1"]),
        ("uniformity", ["a-1", "a-1"]),
        ("group1", ["a-1", "a-1"]),
        ("group2", ["b-1", "b-1"]),
    ],
)
def test_foci_are_those_of_the_group_that_a_map_is_about(
    opened: Opened, contrast: str, expected: list[str]
) -> None:
    key = f"z_desc-{contrast}"
    z = blocks(5, -4)
    p = np.where(z != 0, 2 * stats.norm.sf(np.abs(z)), 0)
    results = opened({key: z, key.replace("z_", "p_"): p})
    clusters = nnr.find_clusters(results[key], value=3, tail="both")
    assert clusters.table.sign.tolist() == [1, -1]
    found = nnr.robustness(results, clusters, studies=compared())
    assert found.dominant.tolist() == expected
    assert found.experiments.tolist() == [1, 1]
    # Who is in the other group could not be behind it.
    assert found["of"].tolist() == [{"a-1": 1, "b-1": 2}[name] for name in expected]


def test_studies_of_a_folder_of_two_runs_are_not_known_to_be_of_either(
    tmp_path: Path,
) -> None:
    source = tmp_path / "pain-ale"
    shutil.copytree(sample_folder(), source)
    results = nnr.open_results(source)
    clusters = nnr.find_clusters(results["z"], p=0.001)
    told = nnr.contributions(results, clusters).attrs["notices"]
    assert not any("to which run" in one for one in told)
    shutil.copy(source / "z.nii.gz", source / "memory_z.nii.gz")
    results = nnr.open_results(source)
    clusters = nnr.find_clusters(results["z"], p=0.001)
    told = nnr.contributions(results, clusters).attrs["notices"]
    assert any("2 runs" in one and "to which run" in one for one in told)
    # Who gives them knows whose they are.
    given = nnr.open_studies(source / "studyset.json")
    told = nnr.contributions(results, clusters, studies=given).attrs["notices"]
    assert not any("to which run" in one for one in told)


def test_a_table_of_compose_has_to_fit_the_contrast_and_no_other(
    opened: Opened,
) -> None:
    here, there = np.zeros((2, *SHAPE), np.float32)
    here[1:4, 1:4, 1:4], there[4:7, 4:7, 4:7] = 3, 3
    maps = {
        "z_desc-association": here,
        "z_desc-associationMass_level-cluster_corr-FWE": here,
        "z_desc-uniformity": there,
    }
    texts = {"diagnostics.tsv": "id\tPositiveTail 1\na\t2\nb\t1\n"}
    results = opened(maps, texts)
    own = nnr.find_clusters(results["z_desc-association"], value=2)
    assert nnr.contributions(results, own)[1].tolist() == [2, 1]
    other = nnr.find_clusters(results["z_desc-uniformity"], value=2)
    with pytest.raises(nnr.ResultsError, match="fits z, association, cluster-level"):
        nnr.contributions(results, other)
    # One cluster each: nothing tells which of the two maps it was made for.
    maps["z_desc-uniformityMass_level-cluster_corr-FWE"] = there
    results = opened(maps, texts)
    for key in ("z_desc-association", "z_desc-uniformity"):
        clusters = nnr.find_clusters(results[key], value=2)
        with pytest.raises(nnr.ResultsError, match="does not name its map"):
            nnr.contributions(results, clusters)
