"""Masks by another map, by a file, by the brain of the template: from end to end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nilearn.datasets import load_mni152_brain_mask
from scipy import stats

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ResultsError, ResultSet
from napari_neurosynth_results.anatomy.template import read_brain_mask
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.statistics.thresholds.masks import resample_nearest

Opened = Callable[..., ResultSet]
#: The grid that fixtures write on.
SHAPE = (8, 9, 8)
AFFINE = np.array(
    [[20, 0, 0, -70], [0, 20, 0, -110], [0, 0, 20, -60], [0, 0, 0, 1]], float
)


@pytest.fixture
def two_groups(opened: Opened, rng: np.random.Generator) -> ResultSet:
    """Return z maps of two groups, each with its p, as ALESubtraction writes them."""
    maps = {}
    for group in ("group1", "group2"):
        z = rng.normal(1, 1.5, SHAPE)
        maps[f"z_desc-{group}"] = np.maximum(z, 0)
        maps[f"p_desc-{group}"] = stats.norm.sf(z)
    return opened(maps)


@pytest.fixture
def regions(tmp_path: Path) -> Path:
    """Write a label image with two labels on a grid of its own, axes reversed."""
    labels = np.zeros((20, 20, 20), np.int16)
    labels[:10, 5:15], labels[10:, 5:15] = 3, 7
    affine = np.diag([-8.0, 8, 8, 1])
    affine[:3, 3] = 76, -110, -60
    path = tmp_path / "regions.nii.gz"
    nib.Nifti1Image(labels, affine).to_filename(path)
    return path


@pytest.mark.parametrize("exclusive", [False, True])
def test_only_where_another_map_is_above_p(
    two_groups: ResultSet, exclusive: bool
) -> None:
    first, second = two_groups["z_desc-group1"], two_groups["z_desc-group2"]
    mask = nnr.mask_from_map(second, first, p=0.05, exclusive=exclusive)
    strong = two_groups["p_desc-group1"].data <= 0.05
    assert np.array_equal(mask.mask, strong != exclusive)
    word = "outside" if exclusive else "inside"
    assert str(mask) == f"{word} {first.title} at p <= .05"
    found = nnr.find_clusters(second, p=0.1, mask=mask)
    significant = two_groups["p_desc-group2"].data <= 0.1
    assert np.array_equal(found.labels > 0, significant & mask.mask)
    assert 0 < (found.labels > 0).sum() < significant.sum()
    assert f"one-tailed), {mask}, 6-connected" in str(found)


def test_another_maps_clusters_may_have_an_extent(sample: ResultSet) -> None:
    z = sample["z"]
    mask = nnr.mask_from_map(sample["stat"], z, p=0.001, min_voxels=100)
    large = nnr.find_clusters(z, p=0.001, min_voxels=100)
    assert np.array_equal(mask.mask, large.labels > 0)
    assert str(mask) == f"inside {z.title} at p <= .001, extent >= 100 voxels"


def test_of_a_cluster_level_map_the_significant_clusters_count(
    sample: ResultSet,
) -> None:
    other = sample["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    found = nnr.find_clusters(other)
    assert not found.table.significant.all()
    mask = nnr.mask_from_map(sample["z"], other)
    significant = found.table.label[found.table.significant]
    assert np.array_equal(mask.mask, np.isin(found.labels, significant))
    assert str(mask).startswith("inside the significant clusters of z, cluster-level")
    assert str(mask).endswith("at p_FWE <= .05")
    # The same the other way round: whole clusters, inside another map.
    inside = nnr.mask_from_map(other, sample["z"], value=5)
    few = nnr.find_clusters(other, mask=inside)
    assert np.array_equal(few.labels > 0, (found.labels > 0) & inside.mask)
    assert f", {inside}" in str(few)
    assert f", {inside}" in str(few.threshold)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "regions.nii.gz"),
        (3, "label 3 of regions.nii.gz"),
        ([3, 7], "labels 3, 7 of regions.nii.gz"),
    ],
)
def test_a_region_on_another_grid(
    opened: Opened, regions: Path, labels: Any, words: str
) -> None:
    statmap = opened({"z": np.full(SHAPE, 5.0)})["z"]
    mask = nnr.mask_from_file(statmap, regions, labels=labels)
    outside = nnr.mask_from_file(statmap, regions, labels=labels, exclusive=True)
    assert (str(mask), str(outside)) == (f"inside {words}", f"outside {words}")
    assert np.array_equal(outside.mask, ~mask.mask)
    # By the place of each voxel, in mm.
    at = np.argwhere(np.ones(SHAPE)) @ AFFINE[:3, :3] + AFFINE[:3, 3]
    wanted = {3} if labels == 3 else {3, 7}
    for mm, inside in zip(at, mask.mask.ravel(), strict=True):
        i, j, k = np.floor((mm - [76, -110, -60]) / [-8, 8, 8] + 0.5).astype(int)
        within = 0 <= i < 20 and 5 <= j < 15 and 0 <= k < 20
        assert inside == (within and (3 if i < 10 else 7) in wanted), mm
    assert 0 < mask.mask.sum() < mask.mask.size


@pytest.mark.parametrize("labels", [4, [3, 4], []])
def test_a_label_that_is_not_there_is_told(
    opened: Opened, regions: Path, labels: Any
) -> None:
    statmap = opened({"z": np.full(SHAPE, 5.0)})["z"]
    with pytest.raises(ResultsError, match="It holds: 0, 3, 7"):
        nnr.mask_from_file(statmap, regions, labels=labels)


def test_a_mask_file_is_one_volume_that_can_be_read(
    opened: Opened, tmp_path: Path
) -> None:
    statmap = opened({"z": np.full(SHAPE, 5.0)})["z"]
    path = tmp_path / "many.nii.gz"
    nib.Nifti1Image(np.ones((*SHAPE, 2), np.uint8), AFFINE).to_filename(path)
    with pytest.raises(ResultsError, match="holds 2 volumes, but a mask is one"):
        nnr.mask_from_file(statmap, path)
    with pytest.raises(ResultsError, match="does not exist"):
        nnr.mask_from_file(statmap, tmp_path / "none.nii")


def test_nan_in_a_mask_file_is_outside(opened: Opened, tmp_path: Path) -> None:
    statmap = opened({"z": np.full(SHAPE, 5.0)})["z"]
    values = np.full(SHAPE, np.nan, np.float32)
    values[2, 2, 2], values[3, 3, 3] = 1, 0
    path = tmp_path / "mask.nii"
    nib.Nifti1Image(values, AFFINE).to_filename(path)
    mask = nnr.mask_from_file(statmap, path)
    assert np.argwhere(mask.mask).tolist() == [[2, 2, 2]]


@pytest.mark.slow
def test_the_brain_of_the_template_is_nilearns() -> None:
    ours, grid = read_brain_mask()
    image = load_mni152_brain_mask(resolution=2)
    theirs = np.asarray(image.dataobj) > 0
    theirs = resample_nearest(theirs, Grid(theirs.shape, image.affine), grid)
    assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) > 0.97


def test_a_lone_z_has_its_tests_counted_in_the_brain(
    sample: ResultSet, sample_path: Path
) -> None:
    alone = nnr.open_results(sample_path / "z.nii.gz")["z"]
    for asked in ({"q": 0.05}, {"bonferroni": 0.05}):
        with pytest.raises(ResultsError, match="Give a mask"):
            nnr.find_clusters(alone, **asked)
        mask = nnr.brain_mask(alone)
        found = nnr.find_clusters(alone, **asked, mask=mask)
        assert found.threshold.n_tests == mask.mask.sum() == 235_818
        assert "inside the brain of MNI152 T1 (2 mm)" in str(found)
        # With the whole folder the analysis mask is known, and tests are in both.
        known = nnr.find_clusters(sample["z"], **asked, mask=mask)
        both = mask.mask & sample["z"].mask
        assert known.threshold.n_tests == both.sum() < mask.mask.sum()


def test_a_map_of_another_space_has_no_brain(opened: Opened) -> None:
    mouse = opened({"z": np.ones(SHAPE)}, affine=np.diag([0.1, 0.1, 0.1, 1]))["z"]
    with pytest.raises(ResultsError, match="is not in MNI space"):
        nnr.brain_mask(mouse)
