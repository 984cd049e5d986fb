"""Broken images: each is refused by name, or told when its voxels are read."""

import gzip
import os
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from nibabel.freesurfer.mghformat import MGHImage

from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.errors import ResultsError

NAMES = ["z.nii", "z.nii.gz"]


@pytest.mark.parametrize("name", ["z.nii", "z.nii.gz", "z.mgz", "z.mgh"])
@pytest.mark.parametrize(
    "content",
    [b"?", b"\x1f\x8b", b"garbage" * 999, bytes(9999), b"\x5c\1\0\0" + b"\xff" * 999],
)
def test_garbage_is_refused(tmp_path, assert_refused, name, content):
    (tmp_path / "bad").mkdir()
    path = tmp_path / "bad" / name
    path.write_bytes(content)
    assert_refused(path)


@pytest.mark.parametrize("name", ["z.nii", "z.nii.gz", "z.mgz"])
def test_an_empty_file_is_refused(tmp_path, assert_refused, name):
    (tmp_path / "bad").mkdir()
    path = tmp_path / "bad" / name
    path.touch()
    assert_refused(path, "is empty")


@pytest.mark.parametrize("name", ["z.nii", "z.nii.gz", "z.mgz", "z.hdr", "z.img"])
def test_a_folder_named_like_an_image_is_refused(tmp_path, assert_refused, name):
    path = tmp_path / "bad" / name
    path.mkdir(parents=True)
    if name.startswith("z.nii"):
        assert_refused(path, "is a folder that is named like an image")
    other = open_results_beside(path)
    assert name in other.problems[0]


def open_results_beside(path):
    good = path.parent / "good.nii"
    nib.save(
        nib.Nifti1Image(np.ones((9, 9, 9), np.float32), np.diag([20, 20, 20, 1])), good
    )
    results = open_results(path.parent)
    assert list(results.maps) == ["good"]
    return results


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dims", [[3, 20, 24, 20], [3, 19, 24, 21], [4, 19, 24, 20, 2]])
def test_a_header_that_promises_more_than_the_file_holds_is_refused(
    good, edit, assert_refused, name, dims
):
    path = good(f"bad/{name}")
    edit(path, dim=dims + [1] * (8 - len(dims)))
    assert_refused(path, "truncated or corrupt", " x ".join(map(str, dims[1:])))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("image", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize(
    "dims",
    [
        [0, 19, 24, 20],
        [-3, 19, 24, 20],
        [8, 19, 24, 20],
        [3, 0, 24, 20],
        [3, 19, -24, 20],
        [5, 19, 24, 20, 0, 3],
        [3, -1, 1, 1],
        [7, *[32767] * 7],
    ],
)
def test_impossible_dimensions_are_refused(
    save, edit, values, assert_refused, name, image, dims
):
    path = save(f"bad/{name}", values, image=image)
    edit(path, dim=dims + [1] * (8 - len(dims)))
    assert_refused(path)


def test_dimensions_whose_product_leaves_64_bits_are_refused(
    save, edit, values, assert_refused
):
    path = save("bad/z.nii", values, image=nib.Nifti2Image)
    # 2**64 voxels: 0 in the arithmetic of int64.
    edit(path, dim=[4, 2**16, 2**16, 2**16, 2**16, 1, 1, 1])
    assert_refused(path, "the limit is")
    edit(path, dim=[7, *[2**62] * 7])
    assert_refused(path, "the limit is")


@pytest.mark.parametrize("name", ["z.nii", "z.nii.gz", "z.mgz", "z.hdr"])
def test_more_than_the_limit_is_refused(save, assert_refused, name):
    image = {"z.mgz": MGHImage, "z.hdr": nib.Nifti1Pair}.get(name, nib.Nifti1Image)
    data = np.zeros((64, 64, 64), np.float32)
    path = save(f"bad/{name}", data, image=image)
    assert open_results(path, max_bytes=2 * data.nbytes).maps
    assert_refused(path, "2 MiB in memory", "max_bytes", max_bytes=2 * data.nbytes - 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("shift", [1, -1])
@pytest.mark.parametrize("infinite", [False, True])
def test_reading_takes_no_more_memory_than_the_limit(
    save, edit, affine, name, dtype, shift, infinite
):
    data = np.zeros((128, 128, 64), dtype)
    if infinite and np.dtype(dtype).kind == "f":
        data[3, 4, 5] = np.inf
    affine[0, 0] *= shift
    path = save(name, data, affine)
    if np.dtype(dtype).kind in "iu":
        edit(path, scl_slope=2, scl_inter=1)
    limit = data.size * max(data.itemsize + 4, 8)
    results = open_results(path, max_bytes=limit)
    _ = open_results(path)["z"].data
    tracemalloc.start()
    _ = results["z"].data
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Slabs in float64 and pieces of gzip come on top, the same for files of any size,
    # and masks of one byte a voxel.
    assert peak < limit + data.size * 2 + (8 << 20)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_gzip_is_refused(good, assert_refused, share):
    path = good("bad/z.nii.gz")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    assert_refused(path)


@pytest.mark.parametrize("missing", range(1, 12))
def test_a_gzip_without_its_last_bytes_is_refused(good, assert_refused, missing):
    path = good("bad/z.nii.gz")
    path.write_bytes(path.read_bytes()[:-missing])
    assert_refused(path, "truncated")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("level", [0, 6])
def test_flipped_bytes_in_the_middle_show_on_reading(
    good, assert_broken_inside, share, level
):
    path = good("bad/z.nii.gz")
    raw = bytearray(gzip.compress(gzip.decompress(path.read_bytes()), level))
    raw[int(len(raw) * share)] ^= 0x10
    path.write_bytes(raw)
    assert_broken_inside(path, "Copy or download it again")


def test_a_wrong_check_sum_shows_on_reading(good, assert_broken_inside):
    path = good("bad/z.nii.gz")
    raw = bytearray(path.read_bytes())
    raw[-8] ^= 1
    path.write_bytes(raw)
    assert_broken_inside(path, "corrupt", "Copy or download it again")


@pytest.mark.parametrize("back", range(1, 5))
def test_a_wrong_length_in_the_gzip_trailer_is_told(good, back):
    path = good("bad/z.nii.gz")
    raw = bytearray(path.read_bytes())
    raw[-back] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ResultsError, match=r"z\.nii\.gz .*corrupt"):
        _ = open_results(path)["z"].data


def test_corruption_in_any_volume_shows_in_all(save, values):
    # Stored bytes inflate without complaint: a volume before them cannot be trusted
    # more than one behind, because there is one check sum for all.
    path = save("z.nii.gz", np.stack([values] * 3, axis=-1))
    raw = bytearray(gzip.compress(gzip.decompress(path.read_bytes()), 0))
    raw[-1000] ^= 1
    path.write_bytes(raw)
    results = open_results(path)
    assert results.read(results.maps.values()) == {}
    assert "corrupt" in results.problems[0]


def test_a_corrupt_freesurfer_image_shows_on_reading(
    save, values, assert_broken_inside
):
    path = save("bad/z.mgz", values, image=MGHImage)
    raw = bytearray(gzip.compress(gzip.decompress(path.read_bytes()), 0))
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert_broken_inside(path)


def test_a_missing_file_is_said(tmp_path, good):
    with pytest.raises(ResultsError, match=r"gone\.nii\.gz does not exist"):
        open_results(tmp_path / "gone.nii.gz")
    results = open_results([good(), tmp_path / "gone.nii"])
    assert list(results.maps) == ["z"]
    assert "gone.nii does not exist" in results.problems[0]


@pytest.mark.skipif(
    not hasattr(os, "geteuid"), reason="Windows has no file modes that forbid reading"
)
def test_an_unreadable_file_is_said(good, save, values):
    secret = good("secret/z.nii.gz")
    secret.chmod(0)
    root = os.geteuid() == 0
    if root:
        # Root may read everything: be nobody for a moment.
        os.seteuid(65534)
    try:
        with pytest.raises(ResultsError, match=r"z\.nii\.gz may not be read"):
            open_results(secret)
    finally:
        if root:
            os.seteuid(0)


def test_a_file_that_goes_after_it_was_opened_is_said(good):
    path = good()
    results = open_results(path)
    path.unlink()
    with pytest.raises(ResultsError, match=r"z\.nii\.gz does not exist"):
        _ = results["z"].data


@pytest.mark.parametrize("name", ["z.nii", "z.nii.gz", "z.hdr", "z.mgz"])
def test_a_file_replaced_by_another_kind_is_not_misread(save, values, name):
    image = {"z.mgz": MGHImage, "z.hdr": nib.Nifti1Pair}.get(name, nib.Nifti1Image)
    path = save(name, values, image=image)
    results = open_results(path)
    save(name, values.astype(np.int32), image=image)
    with pytest.raises(ResultsError, match=r"has changed since it was opened"):
        _ = results["z"].data


@pytest.mark.parametrize("name", ["z.nii", "z.hdr"])
def test_voxels_survive_the_file_they_came_from(save, values, name):
    image = nib.Nifti1Pair if name == "z.hdr" else nib.Nifti1Image
    path = save(name, values, image=image)
    data = open_results(path)["z"].data
    with open(path.with_suffix(".img" if name == "z.hdr" else ".nii"), "r+b") as file:
        # A memory map would die with SIGBUS on the next access.
        file.truncate(0)
    assert np.array_equal(data, values)


def test_voxels_are_not_read_on_opening(save, values):
    path = save("z.nii.gz", values)
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 2000] = bytes(2000)
    path.write_bytes(raw)
    results = open_results(path)
    assert results["z"].grid.shape == values.shape
    assert results["z"].title
    assert results.problems == ()
    assert results.read(results.maps.values()) == {}
    assert len(results.problems) == 1
