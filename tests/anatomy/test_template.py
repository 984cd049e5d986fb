"""The underlay is the MNI brain, the right way round, in 2 mm and in 1 mm."""

from __future__ import annotations

import numpy as np
import pytest

from napari_neurosynth_results.anatomy.template import read_underlay


def test_the_grid_is_the_2_mm_grid_of_mni() -> None:
    voxels, grid = read_underlay()
    assert voxels.shape == grid.shape == (91, 109, 91)
    assert voxels.dtype == np.uint8
    assert grid.voxel_size == (2, 2, 2)
    assert all(origin % 2 == 0 for origin in grid.origin)
    assert grid.mni_doubt() is None


def test_the_brain_lies_where_a_brain_lies() -> None:
    voxels, grid = read_underlay()
    inside = np.argwhere(voxels > 0) * 2 + grid.origin
    assert (inside.min(axis=0) > (-82, -116, -82)).all()
    assert (inside.max(axis=0) < (82, 84, 92)).all()

    def at(x: float, y: float, z: float) -> int:
        i, j, k = ((np.array((x, y, z)) - grid.origin) / 2).round().astype(int)
        return int(voxels[i, j, k])

    # The genu of the corpus callosum is bright, the lateral ventricle dark.
    assert at(0, 26, 4) > 1.5 * at(8, 0, 18)
    # The cerebellum is low and behind: nothing mirrors front and back, or top and
    # bottom.
    assert at(20, -64, -44) > 50
    assert at(20, 64, -44) == 0
    assert at(20, -64, 84) == 0


def test_the_fine_one_is_the_coarse_one_between_its_voxels() -> None:
    coarse, grid = read_underlay(2)
    fine, fine_grid = read_underlay(1)
    assert fine.shape == fine_grid.shape == (181, 217, 181)
    assert fine_grid.origin == grid.origin
    assert fine_grid.voxel_size == (1, 1, 1)
    every_second = fine[::2, ::2, ::2]
    assert np.array_equal(every_second > 0, coarse > 0)
    # The ends of the gray scale were found in each of them.
    away = np.abs(every_second.astype(int) - coarse)
    assert away.max() <= 4


@pytest.mark.slow
def test_it_is_the_template_that_nilearn_ships() -> None:
    import nibabel as nib
    from nilearn.datasets import load_mni152_template
    from nilearn.image import resample_to_img

    voxels, grid = read_underlay()
    ours = nib.Nifti1Image(voxels.astype(np.float32), grid.affine)
    theirs = resample_to_img(
        load_mni152_template(resolution=2),
        ours,
        force_resample=True,
        copy_header=True,
    )
    reference = np.asarray(theirs.dataobj)
    both = (voxels > 0) & (reference > 0)
    straight = np.corrcoef(voxels[both], reference[both])[0, 1]
    assert straight > 0.98
    # The symmetric template hides left and right, not the other two.
    for axis in (1, 2):
        mirrored = np.flip(reference, axis)
        assert np.corrcoef(voxels[both], mirrored[both])[0, 1] < 0.6
