"""Masks say what they are and lie where the map lies, whatever grid they came on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import affine_transform

from napari_neurosynth_results import Masking, ResultsError
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.statistics.thresholds.masks import (
    as_masking,
    region_masking,
    resample_nearest,
)

Array = npt.NDArray[Any]


def grid(shape: tuple[int, int, int], sizes: Any, origin: Any) -> Grid:
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = origin
    return Grid(shape, affine)


SHAPES = st.tuples(*[st.integers(1, 9)] * 3)
# Quarters of a mm: half-way between two voxels happens often.
SIZES = st.tuples(*[st.integers(3, 14).map(lambda n: n / 4)] * 3)
ORIGINS = st.tuples(*[st.integers(-20, 20).map(lambda n: n / 4)] * 3)
GRIDS = st.builds(grid, SHAPES, SIZES, ORIGINS)


@given(source=GRIDS, target=GRIDS, seed=st.integers(0, 2**32 - 1))
def test_the_nearest_voxel_is_scipys(source: Grid, target: Grid, seed: int) -> None:
    voxels = np.random.default_rng(seed).integers(1, 99, source.shape, np.int16)
    found = resample_nearest(voxels, source, target)
    # A frame, because scipy ends at the centers of the outermost voxels.
    framed = np.pad(voxels, 1)
    to_source = np.linalg.inv(source.affine) @ target.affine
    expected = affine_transform(
        framed,
        to_source[:3, :3],
        to_source[:3, 3] + 1 + 1e-6,
        output_shape=target.shape,
        order=0,
    )
    assert np.array_equal(found, expected)
    assert found.dtype == voxels.dtype


def test_the_same_grid_is_left_alone() -> None:
    here = grid((3, 4, 5), (2, 2, 2), (-2, 0, 2))
    voxels = np.arange(60).reshape(here.shape)
    assert resample_nearest(voxels, here, here) is voxels


def test_a_finer_grid_repeats_every_voxel_as_often() -> None:
    coarse, fine = (
        grid((4, 4, 4), (2, 2, 2), (0, 0, 0)),
        grid((8, 8, 8), (1, 1, 1), (-1, -1, -1)),
    )
    found = resample_nearest(np.arange(64).reshape(coarse.shape), coarse, fine)
    assert np.unique(found, return_counts=True)[1].tolist() == [8] * 64


def test_inside_and_outside_share_the_map() -> None:
    small = grid((2, 2, 2), (2, 2, 2), (2, 2, 2))
    large = grid((5, 5, 5), (2, 2, 2), (0, 0, 0))
    region = np.array([[[True, False], [False, False]], np.zeros((2, 2), bool)])
    inside = region_masking(region, small, large, what="x.nii", exclusive=False)
    outside = region_masking(region, small, large, what="x.nii", exclusive=True)
    assert np.argwhere(inside.mask).tolist() == [[1, 1, 1]]
    assert np.array_equal(outside.mask, ~inside.mask)
    assert (str(inside), str(outside)) == ("inside x.nii", "outside x.nii")


def test_a_mask_that_leaves_nothing_is_refused() -> None:
    here = grid((2, 2, 2), (2, 2, 2), (0, 0, 0))
    far = grid((2, 2, 2), (2, 2, 2), (50, 0, 0))
    everywhere = np.ones(here.shape, bool)
    with pytest.raises(ResultsError, match="is inside x: nothing is left"):
        region_masking(everywhere, far, here, what="x", exclusive=False)
    with pytest.raises(ResultsError, match="is outside x: nothing is left"):
        region_masking(everywhere, here, here, what="x", exclusive=True)


def test_a_bare_array_becomes_a_mask_that_counts_its_voxels() -> None:
    here = grid((2, 2, 2), (2, 2, 2), (0, 0, 0))
    array = np.zeros(here.shape, bool)
    array[0] = True
    named = Masking(array, "inside the left")
    assert as_masking(None, here) is None
    assert as_masking(named, here) is named
    assert str(as_masking(array, here)) == "inside a mask of 4 voxels"
    for wrong, says in (
        (array.astype(np.uint8), "not bool"),
        (array[:1], "resample the mask"),
        (Masking(array[:1], "inside"), "resample the mask"),
    ):
        with pytest.raises(ResultsError, match=says):
            as_masking(wrong, here)
