"""The largest parts of which a share is active: those of every threshold, no others."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import ndimage, stats

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ResultsError, ResultSet
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.statistics.clusters.active_parts import (
    find_active_parts,
)
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    DiscoveryBounds,
)

Array = npt.NDArray[Any]
Opened = Callable[..., ResultSet]
SHAPE = (8, 9, 8)
FWE = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


def by_all_thresholds(
    p: Array, share: float, structure: Array, alpha: float, within: Array | None = None
) -> set[frozenset[int]]:
    """Look at every cluster at every threshold; keep the largest with the share."""
    within = np.ones(p.shape, bool) if within is None else within
    bounds = DiscoveryBounds.of_p(p.ravel(), alpha)
    found: set[frozenset[int]] = set()
    for level in np.unique(p):
        labels, n = ndimage.label((p <= level) & within, structure)
        counts = bounds.count(labels.ravel(), n)
        for label in range(1, n + 1):
            inside = np.flatnonzero(labels.ravel() == label)
            if 0 < counts[label - 1] >= share * inside.size - 1e-9:
                found.add(frozenset(inside.tolist()))
    return {one for one in found if not any(one < other for other in found)}


@pytest.mark.slow
@pytest.mark.parametrize(("connectivity", "far"), [(6, 1), (18, 2), (26, 3)])
def test_the_largest_active_clusters_of_small_volumes(
    opened: Opened, rng: np.random.Generator, connectivity: int, far: int
) -> None:
    structure = ndimage.generate_binary_structure(3, far)
    some = 0
    for _ in range(6):
        z = ndimage.gaussian_filter(rng.normal(size=SHAPE), 0.6) * 2
        z[1:4, 2:6, 2:5] += 3
        z[5:7, 5:8, 5:7] += 3
        # With ties.
        p = np.maximum(np.round(stats.norm.sf(z), 4), 0.0002).astype(np.float32)
        statmap = opened({"p": p})["p"]
        for share in (0.2, 0.5, 0.8, 1.0):
            labels, table = nnr.largest_active_clusters(
                statmap, share, alpha=0.2, connectivity=connectivity
            )
            expected = by_all_thresholds(p.astype(float), share, structure, 0.2)
            numbers = range(1, len(table) + 1)
            found = {frozenset(np.flatnonzero(labels == n).tolist()) for n in numbers}
            assert found == expected
            assert (table.tdp_percent >= 100 * share - 1e-6).all()
            some += len(expected)
    assert some > 30


@pytest.mark.slow
def test_the_largest_active_clusters_of_the_sample(sample: ResultSet) -> None:
    z = sample["z"]
    labels, table = nnr.largest_active_clusters(z, 0.7)
    assert table.n_voxels.tolist() == [367, 64, 62, 30]
    assert table.true_discoveries.tolist() == [257, 45, 44, 21]
    assert np.bincount(labels.ravel())[1:].tolist() == table.n_voxels.tolist()
    again = nnr.true_discoveries(z, labels)
    assert again.true_discoveries.tolist() == table.true_discoveries.tolist()
    clusters = nnr.find_clusters(z, p=0.001, min_voxels=60)
    within, inner = nnr.largest_active_clusters(
        z, 0.7, within=clusters.labels == clusters.table.label[0]
    )
    assert inner.n_voxels.tolist() == [367]
    assert ((within == 1) == (labels == 1)).all()
    for wrong in (0, 1.5):
        with pytest.raises(ResultsError, match="share"):
            nnr.largest_active_clusters(z, wrong)


# --- inside of clusters ---------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("connectivity", "far"), [(6, 1), (26, 3)])
def test_parts_of_clusters_of_both_signs(
    opened: Opened, rng: np.random.Generator, connectivity: int, far: int
) -> None:
    structure = ndimage.generate_binary_structure(3, far)
    some = signs = 0
    for _ in range(2):
        z = ndimage.gaussian_filter(rng.normal(size=SHAPE), 0.6) * 2
        z[1:4, 2:6, 2:5] += 4
        # Beside it, so that the two touch.
        z[4:6, 2:6, 2:5] -= 4
        p = np.maximum(np.round(2 * stats.norm.sf(abs(z)), 4), 2e-4).astype(np.float32)
        statmap = opened({"z": z.astype(np.float32), "p": p})["z"]
        clusters = nnr.find_clusters(
            statmap, p=0.05, tail="both", connectivity=connectivity, tdp_alpha=0.2
        )
        signs += len(set(clusters.table.sign))
        for share in (0.4, 0.7, 1.0):
            parts = nnr.active_parts(clusters, share)
            found = {
                frozenset(np.flatnonzero(parts.labels == n).tolist())
                for n in parts.table.part
            }
            expected = {
                one
                for label in clusters.table.label
                for one in by_all_thresholds(
                    p.astype(float), share, structure, 0.2, clusters.labels == label
                )
            }
            assert found == expected
            of = clusters.labels[parts.labels > 0]
            within = pd.Series(parts.labels[parts.labels > 0]).groupby(of).unique()
            told = parts.table.groupby("label").part.unique()
            assert {k: sorted(v) for k, v in within.items()} == {
                k: sorted(v) for k, v in told.items()
            }
            some += len(expected)
    assert signs == 4
    assert some > 10


def test_parts_of_the_clusters_of_the_sample(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001, min_voxels=100)
    parts = nnr.active_parts(clusters, 0.7)
    table = parts.table
    assert table.n_voxels.tolist() == [367, 64, 62, 30]
    assert table.true_discoveries.tolist() == [257, 45, 44, 21]
    assert table.name.tolist() == [clusters.names[n - 1] for n in table.label]
    assert parts.sizes.tolist() == np.bincount(parts.labels.ravel())[1:].tolist()
    # Each is a cluster at a threshold of its own, which holds its strongest voxel.
    p = sample["p"].data
    for row in table.itertuples():
        inside = parts.labels == row.part
        assert row.p == pytest.approx(p[inside].max(), rel=1e-5)
        i, j, k = np.rint(
            np.linalg.inv(sample["z"].affine) @ [row.peak_x, row.peak_y, row.peak_z, 1]
        )[:3].astype(int)
        assert inside[i, j, k]
        assert p[i, j, k] == p[inside].min()
    assert parts.tell(1) == (
        "The largest parts of Insula R of which at least 70 % is active, with 95 % "
        "confidence: 1 part, 367 of 805 voxels."
    )
    assert parts.tell(6) == (
        "In Supramarginal L no part is found of which at least 70 % is active, with "
        "95 % confidence; of a smaller share there may be one."
    )
    assert "4 parts in 4 of 6 clusters, 523 of 2,327 voxels" in str(parts)


@pytest.mark.slow
def test_the_largest_parts_of_a_map_take_little_memory(sample: ResultSet) -> None:
    # Found once, whatever is asked then.
    nnr.true_discoveries(sample["z"])
    tracemalloc.start()
    nnr.largest_active_clusters(sample["z"], 0.7, connectivity=26)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All neighbors of all voxels at once were 222.
    assert peak < 80 * 2**20


def test_a_cluster_of_which_enough_is_active_is_a_part_itself(
    sample: ResultSet,
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001, min_voxels=100)
    parts = nnr.active_parts(clusters, 0.3)
    assert ((parts.labels == 1) == (clusters.labels == 1)).all()
    # At any share the cluster reaches no farther, whatever lies around it.
    assert not ((parts.labels > 0) & (clusters.labels == 0)).any()


def test_parts_of_corrected_clusters_go_by_the_uncorrected_p(
    sample: ResultSet,
) -> None:
    tested = nnr.find_clusters(sample[FWE])
    formed = nnr.find_clusters(sample["z"], p=0.001, min_voxels=100)
    of_tested, of_formed = (nnr.active_parts(one, 0.7) for one in (tested, formed))
    assert (of_tested.labels == of_formed.labels).all()


@pytest.mark.parametrize(("tail", "sides"), [("positive", 1), ("both", 2)])
def test_the_p_of_a_lone_map_counts_as_it_was_asked(
    opened: Opened, rng: np.random.Generator, tail: str, sides: int
) -> None:
    z = rng.normal(size=SHAPE).astype(np.float32)
    z[1:4, 2:5, 2:5] = 6 + rng.random((3, 3, 3))
    z[5:8, 5:8, 4:7] = -6 - rng.random((3, 3, 3))
    results = opened({"result": z})
    results.take_as({"result": "z"})
    mask = np.ones(SHAPE, bool)
    clusters = nnr.find_clusters(
        results["result"], p=0.001, tail=tail, mask=mask, min_voxels=5, atlas=None
    )
    parts = nnr.active_parts(clusters, 0.9)
    assert len(parts) == sides
    flat = np.abs(z.reshape(-1, order="F"))
    weakest = [float(flat[place].min()) for place in parts.where]
    expected = sides * stats.norm.sf(weakest)
    assert parts.table["p"].tolist() == pytest.approx(expected.tolist(), rel=1e-6)
    assert (parts.table["p"] <= 0.001).all()


def test_parts_that_nobody_knows_are_refused(
    sample: ResultSet, opened: Opened, rng: np.random.Generator
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    for wrong in (0, 1.5, float("nan")):
        with pytest.raises(ResultsError, match="share"):
            nnr.active_parts(clusters, wrong)
    for within in (np.ones((2, 2, 2), bool), sample["z"].data):
        with pytest.raises(ResultsError, match="The mask"):
            nnr.largest_active_clusters(sample["z"], within=within)
    z = np.where(rng.random(SHAPE) > 0.5, 4, 0).astype(np.float32)
    alone = nnr.find_clusters(
        opened({"z_corr-FDR_method-indep": z})["z_corr-FDR_method-indep"], value=3
    )
    with pytest.raises(ResultsError, match="not at hand"):
        nnr.active_parts(alone, 0.5)


def test_no_clusters_have_no_parts(sample: ResultSet) -> None:
    none = nnr.active_parts(nnr.find_clusters(sample["z"], value=30))
    assert len(none) == 0
    assert len(none.table) == 0
    assert "no part" in str(none)


def test_the_search_can_be_stopped(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    job = Job()
    job.cancel()
    with pytest.raises(CancelledError):
        find_active_parts(clusters, 0.5, job)


def test_parts_on_disk(sample: ResultSet, tmp_path: Path) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001, min_voxels=100)
    parts = nnr.active_parts(clusters, 0.7)
    nnr.save_active_parts(parts, tmp_path / "parts.tsv")
    text = (tmp_path / "parts.tsv").read_text("utf-8")
    assert "# The largest parts of which at least 70 % is active" in text
    written = pd.read_csv(tmp_path / "parts.tsv", sep="\t", comment="#")
    pd.testing.assert_frame_equal(written, parts.table, check_dtype=False)
    nnr.save_active_parts(parts, tmp_path / "parts.nii.gz")
    volume = nib.load(tmp_path / "parts.nii.gz")
    assert (np.asarray(volume.dataobj) == parts.labels).all()
    with pytest.raises(ResultsError, match="saved as"):
        nnr.save_active_parts(parts, tmp_path / "parts.md")
