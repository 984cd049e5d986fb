"""A download is an image, and all of it, or it is refused."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.sources.files.images import check_image, open_image
from napari_neurosynth_results.sources.web.cache import Cache, CacheKey


def refused(path: Path, *args, **options) -> str:
    with pytest.raises(ResultsError) as caught:
        check_image(path, *args, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", ["z.nii.gz", "z.nii"])
def test_a_whole_image_passes(good, name) -> None:
    path = good(name)
    check_image(path)
    check_image(path, path.stat().st_size)


def test_other_kinds_of_image_pass(save, values) -> None:
    check_image(save("z.nii.gz", values, image=nib.Nifti2Image))
    check_image(save("labels.nii.gz", (values > 0).astype(np.int16)))
    check_image(save("four.nii.gz", np.stack([values, values], axis=-1)))
    check_image(save("nan.nii.gz", np.full_like(values, np.nan)))


def test_a_plain_image_may_be_named_as_a_zipped_one(good) -> None:
    path = good("z.nii.gz")
    path.write_bytes(gzip.decompress(path.read_bytes()))
    check_image(path)


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_wrong_length_is_told(good, difference) -> None:
    path = good("z.nii.gz")
    size = path.stat().st_size
    text = refused(path, size + difference)
    assert f"{size:,} bytes instead of {size + difference:,}" in text


@pytest.mark.parametrize("kept", [0, 1, 2, 17, 200, 3000, -9, -8, -4, -1])
def test_a_cut_gzip_is_refused(good, kept) -> None:
    path = good("z.nii.gz")
    path.write_bytes(path.read_bytes()[:kept])
    refused(path)


@pytest.mark.parametrize("kept", [0, 3, 347, 352, 5000, -1])
def test_a_cut_plain_image_is_refused(good, kept) -> None:
    path = good("z.nii")
    path.write_bytes(path.read_bytes()[:kept])
    refused(path)


@pytest.mark.parametrize("where", [-1, -5, -2000])
def test_a_changed_byte_is_found_by_the_check_sum(good, where) -> None:
    path = good("z.nii.gz")
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)
    refused(path)


@pytest.mark.parametrize("name", ["z.nii.gz", "z.nii"])
def test_a_web_page_is_no_image(tmp_path, name) -> None:
    path = tmp_path / name
    path.write_bytes(b"<!doctype html><html>" + b" " * 1000)
    assert "not a NIfTI image" in refused(path)


def test_a_gzip_of_anything_else_is_no_image(tmp_path) -> None:
    path = tmp_path / "z.nii.gz"
    path.write_bytes(gzip.compress(b"text" * 1000))
    assert "not a NIfTI image" in refused(path)


def test_a_small_file_cannot_fill_the_machine(good) -> None:
    path = good("z.nii.gz")
    whole = gzip.decompress(path.read_bytes()) + bytes(20 << 20)
    path.write_bytes(gzip.compress(whole))
    assert path.stat().st_size < 200_000
    assert "inflates to more than" in refused(path, max_bytes=10 << 20)


def test_a_broken_header_is_refused(good, edit) -> None:
    refused(edit(good("dims.nii.gz"), dim=[3, -1, 24, 20, 1, 1, 1, 1]))
    singular = edit(good("affine.nii.gz"), srow_x=[0, 0, 0, 0], sform_code=4)
    refused(singular)


def test_the_message_may_name_the_map_instead_of_the_path(tmp_path) -> None:
    path = tmp_path / ".part-1-2.nii.gz"
    path.write_bytes(b"text" * 1000)
    text = refused(path, what="Map z.nii.gz")
    assert text.startswith("Map z.nii.gz ")
    assert ".part" not in text


def test_only_whole_images_come_into_the_cache(good, tmp_path) -> None:
    cache = Cache(tmp_path / "cache", 1 << 30)
    whole = good("z.nii.gz").read_bytes()
    key = CacheKey("https://neurovault.org", "image-1", "z.nii.gz", "", len(whole))

    def check(path: Path) -> None:
        check_image(path, key.size)

    for data in (whole[:-1], whole[: len(whole) // 2], b"<html>"):
        with pytest.raises(ResultsError):
            cache.file(key, lambda path, data=data: path.write_bytes(data), check)
        assert cache.entries() == []
    path = cache.file(key, lambda path: path.write_bytes(whole), check)
    assert open_image(str(path))[0].count == 1
