"""Maps on different grids: against nilearn and scipy, and by what must not change."""

from __future__ import annotations

import math
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.image import resample_to_img
from scipy import ndimage, stats

from helpers.maps_in_memory import Array, lone, made, placed
from napari_neurosynth_results import ResultsError, find_clusters, open_results
from napari_neurosynth_results.job import do_both
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.statistics.comparison import alignment, comparison
from napari_neurosynth_results.statistics.comparison.alignment import (
    align,
    resample_linearly,
    resample_mask,
)
from napari_neurosynth_results.statistics.comparison.comparison import (
    compare,
)
from napari_neurosynth_results.statistics.thresholds.masks import resample_nearest

GRIDS = st.builds(
    lambda shape, size, origin: Grid(shape, _affine(size, origin)),
    st.tuples(*[st.integers(2, 7)] * 3),
    st.tuples(*[st.sampled_from([1.0, 1.5, 2.0, 3.0])] * 3),
    st.tuples(*[st.sampled_from([-3.0, -0.5, 0.0, 1.0, 2.25])] * 3),
)


def _affine(size: tuple[float, ...], origin: tuple[float, ...]) -> Array:
    affine = np.diag([*size, 1.0])
    affine[:3, 3] = origin
    return affine


def positions(source: Grid, target: Grid) -> Array:
    """Return where the voxels of a target are in the source, (3, i, j, k)."""
    places = np.indices(target.shape).reshape(3, -1)
    mm = target.affine[:3, :3] @ places + target.affine[:3, 3:]
    index = (mm - source.affine[:3, 3:]) / np.diag(source.affine)[:3, np.newaxis]
    return index.reshape(3, *target.shape)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(source=GRIDS, target=GRIDS, seed=st.integers(0, 99))
def test_as_scipy(source: Grid, target: Grid, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = np.asfortranarray(rng.normal(0, 2, source.shape).astype(np.float32))
    at = positions(source, target)
    last = np.array(source.shape).reshape(3, 1, 1, 1) - 1
    within = ((at >= 0) & (at <= last)).all(axis=0)
    expected = ndimage.map_coordinates(data.astype(float), at, order=1, mode="nearest")
    ours = resample_linearly(data, source, target)
    assert ours.dtype == np.float32
    assert np.allclose(ours, np.where(within, expected, 0), atol=1e-5)
    mask = rng.random(source.shape) < 0.8
    outside = ndimage.map_coordinates((~mask).astype(float), at, order=1)
    assert np.array_equal(
        resample_mask(mask, source, target), within & (outside < 1e-6)
    )
    nearest = np.floor(at + 0.5).astype(int)
    there = ((nearest >= 0) & (nearest <= last)).all(axis=0)
    expected = np.where(there, data[tuple(np.clip(nearest, 0, last))], 0)
    assert np.array_equal(resample_nearest(data, source, target), expected)


def test_as_nilearn(sample_path: Path) -> None:
    z = open_results(sample_path)["z"]
    for size in (1.5, 3.0):
        shape = tuple(int(n * 2 / size) for n in z.grid.shape)
        target = Grid(shape, placed(size, z.grid.origin))
        image = resample_to_img(
            nib.Nifti1Image(z.data, z.affine),
            nib.Nifti1Image(np.zeros(shape, np.float32), target.affine),
            interpolation="linear",
            copy_header=True,
            force_resample=True,
        )
        ours = resample_linearly(z.data, z.grid, target)
        assert np.allclose(ours, image.get_fdata(), atol=1e-4)


def test_each_is_thresholded_on_its_own_grid() -> None:
    """A cluster of 3 mm voxels keeps them, and becomes more voxels of 2 mm."""
    coarse = np.zeros((6, 6, 6))
    coarse[2:4, 2:4, 2:4] = 3
    fine = np.zeros((9, 9, 9))
    fine[3:6, 3:6, 3:6] = 3
    a = find_clusters(lone(coarse, placed(3, (0, 0, 0))), value=2, atlas=None)
    b = find_clusters(lone(fine, placed(2, (-0.5, -0.5, -0.5))), value=2, atlas=None)
    found = compare(a, b)
    # 8 voxels of 27 mm3 are 27 voxels of 8 mm3: both fill the same cube.
    assert (found.a.labelled.size[0], found.n_a, found.n_b) == (8, 27, 27)
    assert found.dice == 1
    assert found.grid.voxel_size == (2, 2, 2)
    assert "(6 x 6 x 6, 3 mm) was resampled to the grid of" in found.resampled
    assert "nearest voxel after thresholding, values linearly" in found.resampled
    turned = compare(b, a)
    assert (turned.n_a, turned.n_b, turned.dice) == (27, 27, 1)


def test_what_lies_beyond_the_finer_grid_is_not_lost() -> None:
    coarse = np.zeros((10, 6, 6))
    coarse[1, 2, 2] = coarse[8, 2, 2] = 3
    fine = np.zeros((9, 9, 9))
    fine[1:3, 3:5, 3:5] = 3
    a = find_clusters(lone(coarse, placed(3, (0, 0, 0))), value=2, atlas=None)
    b = find_clusters(lone(fine, placed(2, (0, 0, 0))), value=2, atlas=None)
    found = compare(a, b)
    assert set(found.clusters.label_a) == {1, 2}
    assert found.marked_a.where.size == sum(
        ((resample_nearest(a.labels, a.statmap.grid, found.grid) == n).sum())
        for n in (1, 2)
    )
    assert "extended to" in found.resampled
    # x of the far voxel: 22.5 to 25.5 mm, so that the lattice has to reach 24 mm.
    assert found.grid.shape == (13, 9, 9)
    assert any("lie outside the grid of" in told for told in found.notices)


def test_large_maps_are_brought_side_by_side_to_the_same(
    sample_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = open_results(sample_path)["z"]
    coarse = placed(3, (-90, -126, -72))
    turned = lone(z.data[:60, :72, :60].astype(float), coarse)
    a = find_clusters(z, value=2.3, atlas=None)
    b = find_clusters(turned, value=2.3, atlas=None)
    alone = compare(a, b)
    started = []

    def bring_both(work, one, other, *, on_threads):  # type: ignore[no-untyped-def]
        started.append(on_threads)
        return do_both(work, one, other, on_threads=on_threads)

    monkeypatch.setattr(comparison, "do_both", bring_both)
    monkeypatch.setattr(comparison, "WORTH_A_THREAD", 1)
    found = compare(a, b)
    assert started == [True]
    assert found.over_non_zero == alone.over_non_zero
    assert found.overlap.counts == alone.overlap.counts
    assert found.table.equals(alone.table)
    assert found.clusters.equals(alone.clusters)


def test_values_next_to_the_edge_of_the_mask_are_left_out() -> None:
    rng = np.random.default_rng(3)
    mask = np.zeros((8, 8, 8), bool)
    mask[2:6, 2:6, 2:6] = True
    p = np.where(mask, rng.uniform(0.01, 1, mask.shape), 0)
    z = np.where(mask, stats.norm.isf(np.where(mask, p, 0.5)), 0)
    coarse = made({"z": z, "p": p}, placed(2, (0, 0, 0)))["z"]
    shape = (15, 15, 15)
    fine = lone(rng.normal(0, 1, shape), placed(1, (0, 0, 0)))
    found = compare(*(find_clusters(m, value=1, atlas=None) for m in (coarse, fine)))
    # From the center of the first voxel inside to that of the last: 4 to 10 mm.
    assert found.over_mask.n_voxels == 7**3
    at = np.indices(shape)[:, 4:11, 4:11, 4:11]
    x = ndimage.map_coordinates(coarse.data.astype(float), at / 2, order=1)
    y = fine.data[4:11, 4:11, 4:11]
    assert found.r == pytest.approx(stats.pearsonr(x.ravel(), y.ravel()).statistic)
    assert found.rho == pytest.approx(
        stats.spearmanr(x.ravel(), y.ravel()).statistic, abs=1e-6
    )


def test_nan_is_no_value_on_another_grid() -> None:
    a = np.ones((5, 5, 5))
    a[2, 2, 2] = np.nan
    a[0] = 2
    b = np.arange(729.0).reshape(9, 9, 9) + 1
    maps = lone(a, placed(2, (0, 0, 0))), lone(b, placed(1, (0, 0, 0)))
    found = compare(*(find_clusters(m, value=0.5, atlas=None) for m in maps))
    # All but the 3 x 3 x 3 voxels that have the NaN for a neighbor.
    assert found.over_non_zero.n_voxels == 9**3 - 3**3
    assert not math.isnan(found.over_non_zero.r)


def test_a_conjunction_survives_where_both_do() -> None:
    rng = np.random.default_rng(5)
    coarse = lone(rng.normal(0, 2, (8, 8, 8)), placed(3, (0, 1, 0)))
    fine = lone(rng.normal(0, 2, (11, 12, 12)), placed(2, (0, 0, 0.5)))
    for alpha in (0.2, 0.01):
        clusters = [find_clusters(m, p=alpha, atlas=None) for m in (coarse, fine)]
        found = compare(*clusters)
        assert found.conjunction is not None
        kept = find_clusters(found.conjunction, p=alpha, atlas=None)
        assert kept.labelled.size.sum() == found.n_both > 0
        assert np.array_equal(kept.labels > 0, found.agreement == 3)


def test_a_flipped_file_is_the_same_map(sample_path: Path, tmp_path: Path) -> None:
    z = open_results(sample_path)["z"]
    whole = nib.Nifti1Image(z.data, z.affine)
    images = {"flipped": whole, "cropped": whole.slicer[20:60, 8:, :80]}
    for stem, image in images.items():
        turned = image.affine.copy()
        turned[0] = [-2, 0, 0, turned[0, 3] + 2 * (image.shape[0] - 1)]
        flipped = nib.Nifti1Image(image.get_fdata(dtype=np.float32)[::-1], turned)
        flipped.to_filename(tmp_path / f"{stem}.nii.gz")
    results = open_results([tmp_path / "flipped.nii.gz", tmp_path / "cropped.nii.gz"])
    ours = find_clusters(z, value=2, atlas=None)
    for stem in ("flipped", "cropped"):
        theirs = find_clusters(results[stem], value=2, atlas=None)
        found = compare(ours, theirs)
        lost = int((z.data >= 2).sum()) - int(theirs.labelled.size.sum())
        assert (lost > 0) == (stem == "cropped")
        assert found.by_sign.loc["all", ["only_a", "only_b"]].tolist() == [lost, 0]
        assert found.over_non_zero.r == pytest.approx(1)
    assert found.resampled.startswith("cropped (40 x 101 x 80, 2 mm) was resampled")


def test_too_fine_a_grid_is_not_blown_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "_MOST_VOXELS", 1000)
    fine = lone(np.ones((5, 5, 5)), placed(0.5, (0, 0, 0)))
    coarse = lone(np.ones((6, 6, 6)), placed(4, (0, 0, 0)))
    found = align([fine, coarse], ["fine", "coarse"])
    assert found.grid.same_as(coarse.grid)
    assert "because a finer one would be too large" in found.resampled
    monkeypatch.setattr(alignment, "_MOST_VOXELS", 10)
    with pytest.raises(ResultsError, match="too many voxels"):
        align([fine, coarse], ["fine", "coarse"])
