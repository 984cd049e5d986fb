"""Storage orders, obliques and affines, through the door and on their own."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from nibabel.orientations import axcodes2ornt, ornt_transform

from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.sources.files.orientation import find_reorientation

CODES = [
    "".join(letters)
    for axes in itertools.permutations(["RL", "AP", "SI"])
    for letters in itertools.product(*axes)
]
#: 2 mm over the middle of the MNI brain.
SHAPE = (46, 58, 50)
AFFINE = np.array([[2.0, 0, 0, -46], [0, 2, 0, -70], [0, 0, 2, -42], [0, 0, 0, 1]])
BRIGHT = (38, 51, 40)
BRIGHT_MM = (30.0, 32.0, 38.0)
#: Off center on each axis, yet with room around it.
BUMP_MM = (18.0, 16.0, 20.0)


def canonical(path) -> np.ndarray:
    return nib.as_closest_canonical(nib.load(path)).get_fdata(dtype=np.float32)


def brightest_mm(statmap) -> np.ndarray:
    where = np.unravel_index(np.nanargmax(statmap.data), statmap.data.shape)
    return apply_affine(statmap.affine, where)


def turned(axis: int, degrees: float, shape=SHAPE, affine=AFFINE) -> np.ndarray:
    """Turn an affine around the center of its grid."""
    angle = np.deg2rad(degrees)
    i, j = (n for n in range(3) if n != axis)
    rotation = np.eye(4)
    rotation[i, i] = rotation[j, j] = np.cos(angle)
    rotation[i, j], rotation[j, i] = -np.sin(angle), np.sin(angle)
    center = np.eye(4)
    center[:3, 3] = apply_affine(affine, (np.array(shape) - 1) / 2)
    return center @ rotation @ np.linalg.inv(center) @ affine


def blob(affine, shape=SHAPE, center=BUMP_MM) -> np.ndarray:
    """Return a bump around a place in mm, as an image with that affine shows it."""
    mm = apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))
    return np.exp(-((mm - center) ** 2).sum(-1) / 128).astype(np.float32)


def assert_upright(grid):
    affine = grid.affine
    assert not (affine[:3, :3] - np.diag(np.diag(affine)[:3])).any()
    assert (np.diag(affine)[:3] > 0).all()


@pytest.mark.parametrize("code", CODES)
def test_every_storage_order_reads_the_same_millimeters(save, code):
    data = np.random.default_rng(3).random(SHAPE, np.float32)
    data[BRIGHT] = 9
    order = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(code))
    stored = nib.Nifti1Image(data, AFFINE).as_reoriented(order)
    assert "".join(nib.aff2axcodes(stored.affine)) == code
    path = save("z.nii", np.asarray(stored.dataobj), stored.affine)
    z = open_results(path)["z"]
    assert z.notices == ()
    assert z.grid.shape == SHAPE
    assert z.affine == pytest.approx(AFFINE)
    assert_upright(z.grid)
    assert np.abs(brightest_mm(z) - BRIGHT_MM).max() <= 1
    assert z.data.tobytes() == canonical(path).tobytes()
    assert z.data.flags.f_contiguous
    assert not z.data.flags.writeable


@pytest.mark.slow
@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("code", ["RAS", "LPI", "SRA"])
@pytest.mark.parametrize("degrees", [20, -20])
def test_obliques_keep_their_millimeters(save, axis, code, degrees):
    affine = turned(axis, degrees)
    order = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(code))
    stored = nib.Nifti1Image(blob(affine), affine).as_reoriented(order)
    results = open_results(save("z.nii", np.asarray(stored.dataobj), stored.affine))
    z = results["z"]
    assert [notice for notice in z.notices if "oblique" in notice]
    assert [problem for problem in results.problems if "oblique" in problem]
    assert_upright(z.grid)
    assert z.grid.voxel_size == pytest.approx((2, 2, 2))
    assert np.abs(brightest_mm(z) - BUMP_MM).max() <= 1
    # The whole bump, not only its top: linear interpolation flattens it a little.
    shown = blob(z.affine, z.grid.shape)
    inside = z.data > 0.05
    assert inside.sum() > 0.9 * (shown > 0.05).sum()
    assert np.abs(z.data - shown)[inside].max() < 0.05


@pytest.mark.parametrize(
    "name",
    [
        "label_tail-positive.nii",
        "p.nii",
        "z_desc-mass_level-cluster_corr-FWE_method-montecarlo.nii",
        "logp_desc-size_level-cluster_corr-FWE_method-montecarlo.nii",
    ],
)
def test_nothing_is_made_up_between_two_values(save, name):
    affine = turned(2, 20)
    steps = np.round(blob(affine) * 3) / 4
    (statmap,) = open_results(
        save(name, steps.astype(np.float32), affine)
    ).maps.values()
    assert set(np.unique(statmap.data)) == set(np.unique(steps)) == {0, 0.25, 0.5, 0.75}


def test_values_between_two_voxels_are_interpolated_where_they_mean_something(save):
    affine = turned(2, 20)
    steps = np.round(blob(affine) * 3).astype(np.float32)
    (statmap,) = open_results(save("z.nii", steps, affine)).maps.values()
    assert len(np.unique(statmap.data)) > 100


@pytest.mark.parametrize("name", ["z.nii", "p.nii"])
def test_outside_stays_nan_and_eats_no_neighbor(save, name):
    affine = turned(0, 20)
    data = np.ones(SHAPE, np.float32)
    data[:, :, :5] = np.nan
    data[20, 30, 25] = np.nan
    (statmap,) = open_results(save(name, data, affine)).maps.values()
    at = apply_affine(np.linalg.inv(statmap.affine), apply_affine(affine, (20, 30, 25)))
    i, j, k = np.round(at).astype(int)
    assert np.isnan(statmap.data[i, j, k])
    around = statmap.data[i - 3 : i + 4, j - 3 : j + 4, k - 3 : k + 4]
    assert np.isnan(around).sum() <= 4
    # What the image does not cover is outside as well.
    assert np.isnan(statmap.data[0, 0, 0])
    expected = np.isfinite(data).sum()
    assert np.isfinite(statmap.data).sum() == pytest.approx(expected, rel=0.05)


def test_around_an_oblique_image_without_nan_is_zero(save):
    z = open_results(save("z.nii", np.ones(SHAPE, np.float32), turned(0, 20)))["z"]
    assert z.data[0, 0, 0] == 0
    assert not np.isnan(z.data).any()


@pytest.mark.parametrize("code", ["RAS", "LPI"])
def test_a_tilt_by_rounding_is_not_resampled(save, code):
    affine = turned(1, 0.02)
    assert affine[0, 2] != 0
    data = np.random.default_rng(4).random(SHAPE, np.float32)
    order = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(code))
    stored = nib.Nifti1Image(data, affine).as_reoriented(order)
    z = open_results(save("z.nii", np.asarray(stored.dataobj), stored.affine))["z"]
    assert z.notices == ()
    assert_upright(z.grid)
    assert z.data.tobytes() == data.tobytes()


def test_unequal_voxel_sizes_go_with_their_axes(save):
    affine = np.diag([3.0, 4.0, 5.0, 1.0])
    affine[:3, 3] = -66, -100, -65
    data = np.random.default_rng(5).random((46, 44, 28), np.float32)
    order = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt("SLP"))
    stored = nib.Nifti1Image(data, affine).as_reoriented(order)
    z = open_results(save("z.nii", np.asarray(stored.dataobj), stored.affine))["z"]
    assert z.grid.voxel_size == pytest.approx((3, 4, 5))
    assert z.data.tobytes() == data.tobytes()
    oblique = turned(0, 20, data.shape, affine)
    z = open_results(save("z.nii", data, oblique))["z"]
    assert z.grid.voxel_size == pytest.approx((3, 4, 5))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (np.diag([2.0, 2, 0, 1]), "singular"),
        (np.zeros((4, 4)), "singular"),
        (np.diag([1e-12, 2, 2, 1]), "smaller or larger"),
        (np.diag([2, -2, 1e30, 1]), "smaller or larger"),
        (
            np.array([[2.0, 2, 0, 0], [2, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]),
            "singular",
        ),
        (np.diag([np.nan, 2, 2, 1]), "not finite"),
        (np.diag([2.0, np.inf, 2, 1]), "not finite"),
        (np.diag([1e-30, -1e-30, 1e-30, 1]) * 1e-200, "singular"),
        (
            np.array([[2.0, 1.99, 0, 0], [0, 0.1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]),
            None,
        ),
    ],
)
def test_an_unusable_affine_says_why(broken, reason):
    if reason:
        with pytest.raises(ValueError, match=reason):
            find_reorientation((4, 5, 6), broken, 10**6)
    else:
        placement = find_reorientation((4, 5, 6), broken, 10**6)
        assert placement.notices
        assert_upright(placement.grid)


@pytest.mark.parametrize("row", ["srow_x", "srow_y", "srow_z"])
@pytest.mark.parametrize("value", [0, np.nan, np.inf])
def test_an_image_with_an_unusable_affine_is_refused(
    good, edit, assert_refused, row, value
):
    path = edit(good("bad/z.nii.gz"), **{row: np.full(4, value)})
    assert_refused(path, "affine", "Correct its header")


def test_a_skewed_image_cannot_fill_memory(good, edit, assert_refused):
    path = good("bad/z.nii.gz")
    edit(path, srow_x=[8, 8e3, 0, 0], srow_y=[0, 1, 8e3, 0], srow_z=[0, 0, 0.1, 0])
    assert_refused(path, "affine")


def test_resampling_keeps_to_the_memory_limit(save, assert_refused):
    path = save("bad/z.nii", np.ones(SHAPE, np.float32), turned(0, 20))
    needed = np.prod(SHAPE) * 8
    assert_refused(path, "too much memory", max_bytes=needed + 1000)
    assert open_results(path, max_bytes=needed * 4).maps
