"""Label maps that were made anew, against those that NiMARE and nilearn make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.reporting import get_clusters_table

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ResultSet
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.statistics.studies.contributions import numbered_columns
from napari_neurosynth_results.statistics.studies.nimare_diagnostics import (
    counts_agree,
    is_counts,
    rebuild_labels,
    same_number,
    sizes_agree,
)

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
LABELS = MASS.replace("z_", "label_") + "_tail-positive"


def test_the_label_map_of_nimare_comes_out_voxel_for_voxel(sample_path: Path) -> None:
    results = nnr.open_results(sample_path)
    # Peaks of a cluster-level map are tied: four of six have the smallest p.
    rebuilt = rebuild_labels(results[MASS].data, 1)
    assert np.array_equal(rebuilt, results[LABELS].data)
    assert sizes_agree(rebuilt, results[MASS].grid, results.tables[f"{MASS}_tab-clust"])
    table = results.tables[f"{MASS}_diag-FocusCounter_tab-counts_tail-positive"]
    assert same_number(rebuilt, table, 1)
    assert not same_number(rebuilt, table, -1)


@pytest.mark.parametrize("sign", [1, -1])
def test_it_is_the_label_map_of_nilearn(sign: int, rng: np.random.Generator) -> None:
    z = rng.normal(size=(20, 21, 19))
    for axis in range(3):
        z += np.roll(z, 1, axis)
    z = np.round(z, 1).astype(np.float32)
    image = nib.Nifti1Image(z, np.diag([2.0, 2, 2, 1]))
    _, maps = get_clusters_table(
        image, 1.65, cluster_threshold=10, two_sided=True, return_label_maps=True
    )
    expected = np.asarray(maps[0 if sign > 0 else 1].dataobj)
    rebuilt = rebuild_labels(z, sign)
    assert rebuilt.max() > 5
    assert np.array_equal(rebuilt, expected)


def blobs() -> np.ndarray:
    """Return three clusters, the strongest first in the volume."""
    z = np.zeros((12, 12, 30), np.float32)
    for start, height in ((1, 5), (11, 4), (21, 3)):
        z[2:5, 2:5, start : start + 3 + (start > 20)] = height
    return z


def listed(*rows: tuple[float, float, float, float | str]) -> pd.DataFrame:
    """Return a table of clusters as NiMARE writes it."""
    return pd.DataFrame(rows, columns=["X", "Y", "Z", "Cluster Size (mm3)"])


def test_sizes_have_to_agree_row_by_row() -> None:
    labels = rebuild_labels(blobs(), 1)
    grid = Grid((12, 12, 30), np.diag([2.0, 2, 2, 1]))
    right = [(4, 4, 4, 216), (4, 4, 44, 288), (4, 4, 24, 216), (4, 4, 5, "")]
    assert sizes_agree(labels, grid, listed(*right))
    assert not sizes_agree(labels, grid, listed(*right[:2]))
    assert not sizes_agree(labels, grid, listed((4, 4, 4, 224), *right[1:]))
    # Two rows in one cluster, and a row outside of the grid.
    assert not sizes_agree(labels, grid, listed(*right[:2], (4, 4, 5, 216)))
    assert not sizes_agree(labels, grid, listed(*right[:2], (4, 4, 500, 216)))
    assert not sizes_agree(labels, grid, pd.DataFrame({"X": [1.0]}))


COUNTS = pd.DataFrame({1: [3, 0, 1], 2: [0, 2, 0], 3: [1, 1, 4]}, index=list("abc"))


def named(values: object) -> pd.DataFrame:
    """Return a table of diagnostics."""
    columns = [f"PositiveTail {n}" for n in (1, 2, 3)]
    return pd.DataFrame(values, index=list("abc"), columns=columns)


def test_counts_have_to_agree_to_the_focus() -> None:
    assert counts_agree(named(COUNTS.to_numpy()), 1, COUNTS)
    assert not counts_agree(named(COUNTS.to_numpy() + 1), 1, COUNTS)
    swapped = COUNTS.to_numpy()[:, [1, 0, 2]]
    assert not counts_agree(named(swapped), 1, COUNTS)
    # Another order of rows is no difference, other experiments are one.
    assert counts_agree(named(COUNTS.to_numpy()).iloc[::-1], 1, COUNTS)
    assert not counts_agree(
        named(COUNTS.to_numpy()), 1, COUNTS.set_index(pd.Index(list("abd")))
    )


def test_shares_have_to_go_with_the_foci_of_their_own_cluster() -> None:
    shares = COUNTS.to_numpy() / COUNTS.to_numpy().sum(axis=0)
    shares[2, 1] += 0.02
    assert counts_agree(named(shares), 1, COUNTS)
    assert not counts_agree(named(shares[:, [1, 0, 2]]), 1, COUNTS)
    assert not counts_agree(named(np.full((3, 3), 0.25)), 1, COUNTS)


def test_names_of_columns() -> None:
    columns = ["id", "PositiveTail 10", "PositiveTail 2", "NegativeTail 1", "Tail x"]
    # Digits to Python's eye, and no numbers, or none that fits anything.
    columns += ["PositiveTail \u00b2", f"PositiveTail {'9' * 5000}", "PositiveTail 3a"]
    table = pd.DataFrame([], columns=columns)
    positive = {2: "PositiveTail 2", 10: "PositiveTail 10"}
    assert numbered_columns(table, 1) == positive
    assert [*numbered_columns(table, 1)] == [2, 10]
    assert numbered_columns(table, -1) == {1: "NegativeTail 1"}


def test_rows_of_one_name_prove_nothing() -> None:
    twice = named(COUNTS.to_numpy()).set_axis(list("aab"), axis="index")
    assert not counts_agree(twice, 1, COUNTS)


@pytest.mark.parametrize("head", ["id\tPositiveTail 1\tnote", "name\tnote\tmore"])
def test_any_table_may_be_called_as_that_of_compose(
    opened: Callable[..., ResultSet], head: str
) -> None:
    z = np.zeros((12, 12, 30))
    z[2:5, 2:5, 2:5] = 5
    rows = f"{head}\nA-1\tmany\tseen\n"
    results = opened({"z": z}, {"diagnostics.tsv": rows})
    clusters = nnr.find_clusters(results["z"], value=3)
    behind = nnr.contributors(results, clusters)
    assert not behind
    assert behind.notices


def test_counts_and_shares_are_told_apart() -> None:
    assert is_counts(np.array([[0.0, 2], [np.nan, 3]]))
    assert not is_counts(np.array([[0.0, 0.2]]))
    assert not is_counts(np.array([[1.0, -1.0]]))
