"""Masks of fractions: rounded where they are clearly a resampled mask, else refused."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

import napari_neurosynth_results as nnr
from napari_neurosynth_results.errors import ResultsError

SHAPE = (38, 48, 40)
AFFINE = np.diag([4.0, 4, 4, 1])
AFFINE[:3, 3] = -72, -108, -72


@pytest.fixture
def save(tmp_path):
    """Write an image into the test's folder."""

    def write(name, data, affine):
        data = np.asarray(data)
        nib.save(nib.Nifti1Image(data, affine, dtype=data.dtype), tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def half() -> np.ndarray:
    """Return an ellipsoid's left half on a grid of 4 mm."""
    i, j, k = np.indices(SHAPE)
    inside = ((i - 18) / 16) ** 2 + ((j - 23) / 20) ** 2 + ((k - 19) / 16) ** 2 < 1
    return (inside & (i < 18)).astype(np.float64)


@pytest.fixture
def z(save, half):
    """Return a z map of noise with a peak on both sides."""
    voxels = np.random.default_rng(2).normal(0, 1, SHAPE).astype(np.float32)
    voxels[8:11, 22:25, 18:21] = voxels[26:29, 22:25, 18:21] = 6
    return nnr.open_results(save("z.nii.gz", voxels, AFFINE))["z"]


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("shift", [0.3, 0.5])
def test_a_resampled_mask_is_rounded_and_that_is_said(save, z, half, order, shift):
    moved = ndimage.shift(half, (0, shift, shift), order=order)
    path = save("left.nii.gz", moved.astype(np.float32), AFFINE)
    mask = nnr.mask_from_file(z, path)
    assert np.array_equal(mask.mask, moved.astype(np.float32) > 0.5)
    assert "inside is above .5" in str(mask)
    clusters = nnr.find_clusters(z, q=0.05, min_voxels=10, mask=mask)
    assert clusters.threshold.n_tests == np.count_nonzero(moved > 0.5)
    assert clusters.table["peak_x"].max() < 0
    assert "inside is above .5" in str(clusters)
    outside = nnr.mask_from_file(z, path, exclusive=True)
    assert np.array_equal(outside.mask, ~mask.mask)


@pytest.mark.parametrize("noise", [1e-15, 1e-6, -1e-9])
def test_noise_beside_a_mask_is_not_inside(save, z, half, noise):
    voxels = np.where(half > 0, 1, noise).astype(np.float32)
    mask = nnr.mask_from_file(z, save("left.nii.gz", voxels, AFFINE))
    assert np.array_equal(mask.mask, half > 0)
    assert f"{np.count_nonzero(half == 0):,} voxels of noise" in str(mask)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_whole_numbers_are_taken_as_they_are(save, z, half, dtype):
    labels = half.astype(dtype) * 7
    labels[:5] *= 2
    path = save("labels.nii.gz", labels, AFFINE)
    assert str(nnr.mask_from_file(z, path)) == "inside labels.nii.gz"
    mask = nnr.mask_from_file(z, path, labels=14)
    assert np.array_equal(mask.mask, labels == 14)


def _smooth(half):
    return ndimage.gaussian_filter(half, 4)


def _probability(half):
    return half * np.random.default_rng(3).uniform(0, 1, SHAPE)


def _p(half):
    return np.where(half > 0, np.random.default_rng(4).uniform(0, 1, SHAPE) ** 0.1, 0)


def _z(half):
    return half * np.random.default_rng(5).normal(0, 2, SHAPE)


def _labels(half):
    return ndimage.shift(half * 3, (0, 0.4, 0), order=1)


@pytest.mark.parametrize("make", [_smooth, _probability, _p, _z, _labels])
@pytest.mark.parametrize("labels", [None, 1])
def test_other_fractions_are_refused(save, z, half, make, labels):
    path = save("m.nii.gz", make(half).astype(np.float32), AFFINE)
    with pytest.raises(ResultsError, match=r"m\.nii\.gz holds fractions such as"):
        nnr.mask_from_file(z, path, labels=labels)


def test_a_mask_in_another_space_is_said(save, z, half):
    image = nib.Nifti1Image(half.astype(np.uint8), AFFINE)
    image.set_sform(AFFINE, 3)
    path = save("left.nii", half.astype(np.uint8), AFFINE)
    nib.save(image, path)
    told = str(nnr.mask_from_file(z, path))
    assert told == (
        "inside left.nii (which lies in Talairach space, and the map does not)"
    )
