"""Atlases of the user's own: images and names of all kinds, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_servers import label_xml
from napari_neurosynth_results import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.sources.atlases.label_image import (
    find_likeliest_regions,
    read_atlas,
)
from napari_neurosynth_results.sources.files.images import DEFAULT_LIMIT, open_image

#: 10 mm voxels over the whole brain; x = 0 is the center of a plane.
SHAPE = (17, 21, 19)
AFFINE = np.diag([10.0, 10.0, 10.0, 1.0])
AFFINE[:3, 3] = (-80, -120, -80)
NAMES = {1: "Left Insula", 2: "Right Insula", 3: "Brainstem"}
CSV = "index,name\n1,Insula_L\n2,Insula_R\n3,Brainstem\n"
LEFT, RIGHT, MIDDLE = (-40.0, 0.0, 0.0), (40.0, 0.0, 0.0), (0.0, -30.0, -40.0)

Save = Callable[..., Path]


def _labels(dtype: Any = np.int16) -> npt.NDArray[Any]:
    """Return a block on the left, one on the right and one in the middle."""
    labels = np.zeros(SHAPE, dtype)
    for label, place in enumerate((LEFT, RIGHT, MIDDLE), 1):
        at = ((np.array(place) - AFFINE[:3, 3]) / 10).astype(int)
        labels[tuple(slice(n - 1, n + 2) for n in at)] = label
    return labels


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write an image and its names beside it."""

    def _save(
        data: Any,
        affine: Any = AFFINE,
        *,
        name: str = "mine.nii.gz",
        names: str | bytes | None = CSV,
        beside: str = "mine.csv",
    ) -> Path:
        folder = tmp_path / "atlas"
        folder.mkdir(exist_ok=True)
        image = nib.Nifti1Image(data, affine)
        image.to_filename(folder / name)
        if names is not None:
            data = names.encode() if isinstance(names, str) else names
            (folder / beside).write_bytes(data)
        return folder / name

    return _save


def _check_left_is_left(path: Any, names: Any = None) -> None:
    atlas = read_atlas(path, names)
    found, away = atlas.nearest([LEFT, RIGHT, MIDDLE, (0, 60, 60)])
    named = [atlas.name_of(int(label)) for label in found]
    assert named == ["Insula L", "Insula R", "Brainstem", "unlabelled"]
    assert away[:3].tolist() == [0, 0, 0]
    for label, name in atlas.names.items():
        x = np.argwhere(atlas.labels == label)[:, 0].mean() * atlas.grid.voxel_size[0]
        x += atlas.grid.origin[0]
        side = name[-1] if name.endswith((" L", " R")) else ""
        assert not side or (side == "L") == (x < 0)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64]
)
def test_numbers_of_any_type(save: Save, dtype: Any) -> None:
    _check_left_is_left(save(_labels(dtype)))


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
def test_axes_in_any_order_and_direction(
    save: Save, axes: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    ornt = np.array([[axis, flip] for axis, flip in zip(axes, flips, strict=True)])
    image = nib.Nifti1Image(_labels(), AFFINE).as_reoriented(ornt)
    _check_left_is_left(save(np.asarray(image.dataobj), image.affine))


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_one_and_two_millimeters(save: Save, size: int) -> None:
    step = 10 // size
    labels = _labels(np.uint8).repeat(step, 0).repeat(step, 1).repeat(step, 2)
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = AFFINE[:3, 3] - 5 + size / 2
    _check_left_is_left(save(labels, affine))


def test_an_oblique_image_keeps_its_labels(save: Save) -> None:
    turn = 0.15
    rotation = np.eye(4)
    rotation[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    path = save(_labels(), rotation @ AFFINE)
    atlas = read_atlas(path)
    assert set(np.unique(atlas.labels)) == {0, 1, 2, 3}
    assert any("oblique" in notice for notice in atlas.notices)
    places = [(rotation[:3, :3] @ place) for place in (LEFT, RIGHT, MIDDLE)]
    assert atlas.labels_at(places).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("beside", "names"),
    [
        ("mine.csv", CSV),
        ("mine.tsv", CSV.replace(",", "\t")),
        ("mine.txt", "1 Insula_L\n2 Insula_R\n3 Brainstem\n"),
        ("mine.json", '{"1": "Insula_L", "2": "Insula_R", "3": "Brainstem"}'),
        ("mine.xml", label_xml(NAMES)),
        ("mine.xml", label_xml({n - 1: t for n, t in NAMES.items()}, "Probabalistic")),
        ("the_labels.csv", CSV),
    ],
)
def test_names_of_all_kinds_are_found_and_told(
    save: Save, beside: str, names: str | bytes
) -> None:
    path = save(_labels(), names=names, beside=beside)
    _check_left_is_left(path)
    assert read_atlas(path).notices == (f"its names are from {beside}",)
    other = path.parent / "elsewhere" / beside
    other.parent.mkdir()
    (path.parent / beside).rename(other)
    _check_left_is_left(path, other)
    assert read_atlas(path, other).notices == ()


def test_names_may_be_given_outright(save: Save) -> None:
    atlas = read_atlas(save(_labels(), names=None), {1: "one"})
    assert [atlas.name_of(n) for n in (1, 2)] == ["one", "label 2"]
    assert (atlas.name, atlas.citation) == ("mine", "read from mine.nii.gz")


def test_without_names_labels_have_numbers(save: Save) -> None:
    atlas = read_atlas(save(_labels(), names=None))
    assert [atlas.name_of(int(n)) for n in atlas.labels_at([LEFT, RIGHT])] == [
        "label 1",
        "label 2",
    ]
    assert any("called by number" in notice for notice in atlas.notices)


def test_a_label_without_a_name_is_told(save: Save) -> None:
    atlas = read_atlas(save(_labels(), names="index,name\n1,Insula_L\n2,Insula_R\n"))
    assert atlas.name_of(3) == "label 3"
    assert "mine.csv has no name for 1 label: 3" in atlas.notices


def test_a_list_that_counts_from_0(save: Save) -> None:
    path = save(_labels(), names="index,name\n0,Insula_L\n1,Insula_R\n2,Brainstem\n")
    _check_left_is_left(path)
    assert any("counts from 0" in notice for notice in read_atlas(path).notices)
    # Here 0 is what lies outside.
    _check_left_is_left(save(_labels(), names=CSV.replace("1,", "0,Unknown\n1,", 1)))


def test_large_numbers_of_labels(save: Save) -> None:
    labels = _labels(np.int32)
    labels[labels == 2] = 12_175
    path = save(labels, names="index,name\n1,a_L\n12175,ctx_rh_S_temporal\n3,b\n")
    atlas = read_atlas(path)
    assert atlas.name_of(int(atlas.labels_at([RIGHT])[0])) == "S temporal R"


def test_outside_may_be_nan(save: Save) -> None:
    labels = _labels(np.float32)
    labels[labels == 0] = np.nan
    _check_left_is_left(save(labels))


def _with(value: float, dtype: Any = np.float32) -> npt.NDArray[Any]:
    labels = _labels(dtype)
    labels[0, 0, 0] = value
    return labels


FAR = AFFINE.copy()
FAR[:3, 3] = 900


@pytest.mark.parametrize(
    ("data", "affine", "words"),
    [
        (_with(0.37), AFFINE, "fractions such as 0.37.*nearest neighbor"),
        (_with(-2), AFFINE, "holds -2, but labels are never below 0"),
        (_with(2**24), AFFINE, "labels have to be below 16,777,216"),
        (_with(2**31 - 1, np.int32), AFFINE, "labels have to be below"),
        (_with(1e30), AFFINE, "labels have to be below"),
        (np.zeros(SHAPE, np.uint8), AFFINE, "holds no label"),
        (
            np.arange(60**3).reshape(60, 60, 60).astype(np.int32),
            np.array([[3.0, 0, 0, -90], [0, 3, 0, -110], [0, 0, 3, -80], [0, 0, 0, 1]]),
            "215,999 different numbers",
        ),
        (np.full(SHAPE, np.nan, np.float32), AFFINE, "holds no label"),
        (_labels(), FAR, "is not in MNI space.*Use an atlas in MNI152"),
        (_labels(), np.diag([0.001, 0.001, 0.001, 1]), "is not in MNI space"),
        (np.full((*SHAPE, 3), -1.0, np.float32), AFFINE, "not probabilities"),
        (np.full((*SHAPE, 3), 3.0, np.float32), AFFINE, "none reaches 25%"),
        (np.full((*SHAPE, 3), 2000, np.int16), AFFINE, "not probabilities"),
        (np.zeros((*SHAPE, 201), np.uint8), AFFINE, "a time series"),
        (np.zeros((*SHAPE, 3), np.uint8), AFFINE, "none reaches 25%"),
    ],
)
def test_what_is_no_atlas(save: Save, data: Any, affine: Any, words: str) -> None:
    path = save(data, affine)
    with pytest.raises(ResultsError, match=words) as caught:
        read_atlas(path)
    assert str(path) in str(caught.value)


def test_names_of_another_atlas_are_refused(save: Save) -> None:
    path = save(_labels(), names="index,name\n2001,Precentral_L\n2002,Precentral_R\n")
    with pytest.raises(ResultsError, match=r"names none of the labels .*2001, 2002"):
        read_atlas(path)


def test_a_broken_list_beside_an_image_is_told(save: Save) -> None:
    with pytest.raises(ResultsError, match=r"mine\.csv calls label 1 both"):
        read_atlas(save(_labels(), names="index,name\n1,x\n1,y\n"))


def test_files_that_are_not_there(save: Save, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="does not exist"):
        read_atlas(tmp_path / "none.nii.gz")
    with pytest.raises(ResultsError, match=r"none\.csv cannot be read"):
        read_atlas(save(_labels()), tmp_path / "none.csv")


def _probabilities(scale: float, dtype: Any) -> npt.NDArray[Any]:
    """Return a volume for each region, surest in its middle, and all over a little."""
    volumes = np.stack([(_labels() == n) * 0.9 for n in (1, 2, 3)], -1)
    volumes[..., 0] += 0.1
    # Two regions meet: the right one is less sure there.
    volumes[3, 12, 8] = (0.5, 0.4, 0)
    return (volumes * scale).astype(dtype)


@pytest.mark.parametrize(("scale", "dtype"), [(100, np.uint8), (1, np.float32)])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_of_probabilities_the_likeliest_counts(
    save: Save, scale: float, dtype: Any, ending: str
) -> None:
    data = _probabilities(scale, dtype)
    names = "index,name\n0,Insula_L\n1,Insula_R\n2,Brainstem\n"
    path = save(data, name=f"mine{ending}", names=names)
    _check_left_is_left(path)
    atlas = read_atlas(path)
    # The plain way, with everything in memory.
    plain = np.where(data.max(-1) >= 0.25 * scale, data.argmax(-1) + 1, 0)
    np.testing.assert_array_equal(atlas.labels, plain)
    assert "the likeliest region counts where it has at least 25%" in atlas.notices


def test_of_regions_that_are_as_likely_the_first_counts(save: Save) -> None:
    data = np.full((*SHAPE, 3), 40, np.uint8)
    data[..., 2] = 39
    atlas = read_atlas(save(data, names=None))
    assert set(np.unique(atlas.labels)) == {1}


def test_oblique_probabilities_are_not_mixed(save: Save) -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    volumes = [(_labels() == n) * 100 for n in (1, 2, -1, -1, -1, 3)]
    data = np.stack(volumes, -1).astype(np.uint8)
    atlas = read_atlas(save(data, turn @ AFFINE, names=None))
    # A mean of labels would be a label between them.
    assert set(np.unique(atlas.labels)) == {0, 1, 2, 6}
    places = [turn[:3, :3] @ place for place in (LEFT, RIGHT, MIDDLE)]
    assert atlas.labels_at(places).tolist() == [1, 2, 6]


def test_probabilities_that_are_replaced_while_reading(save: Save) -> None:
    path = save(_probabilities(100, np.uint8))
    volumes = open_image(str(path))
    save(_probabilities(1, np.float32))
    with pytest.raises(ResultsError, match="has changed since"):
        find_likeliest_regions(volumes, DEFAULT_LIMIT)


def test_probabilities_that_are_flipped_are_turned(save: Save) -> None:
    image = nib.Nifti1Image(_probabilities(100, np.uint8), AFFINE)
    turned = image.as_reoriented(np.array([[0, -1], [2, 1], [1, -1]]))
    _check_left_is_left(save(np.asarray(turned.dataobj), turned.affine))


def test_probabilities_need_the_memory_of_one_volume(save: Save) -> None:
    path = save(np.repeat(_probabilities(100, np.uint8), 30, -1), names=None)
    voxels = int(np.prod(SHAPE))
    assert read_atlas(path, max_bytes=20 * voxels).labels.any()
    with pytest.raises(ResultsError, match="Raise max_bytes"):
        read_atlas(path, max_bytes=20 * voxels - 1)


def test_reading_probabilities_can_be_stopped(save: Save) -> None:
    told = []

    def hear(what: str, done: int, total: int | None) -> None:
        told.append((done, total))
        job.cancel()

    job = Job(hear)
    with pytest.raises(CancelledError):
        read_atlas(save(_probabilities(100, np.uint8)), job=job)
    assert told == [(1, 3)]


@pytest.mark.parametrize("cut", [400, 2000])
def test_broken_images_are_refused(save: Save, cut: int) -> None:
    for data in (_labels(), _probabilities(100, np.uint8)):
        path = save(data, name="mine.nii")
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(ResultsError, match=r"mine\.nii"):
            read_atlas(path)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=8)), max_size=6
    ),
    st.booleans(),
)
def test_a_damaged_image_is_read_or_refused(
    save: Save, damage: list[tuple[int, bytes]], several: bool
) -> None:
    data = _probabilities(100, np.uint8)[:, :12] if several else _labels()
    path = save(data, name="mine.nii")
    raw = bytearray(path.read_bytes())
    for at, put in damage:
        raw[at : at + len(put)] = put
    path.write_bytes(raw)
    try:
        atlas = read_atlas(path)
    except ResultsError:
        return
    assert atlas.labels.min() >= 0
    assert atlas.labels.max() > 0


@pytest.mark.parametrize("where", ["middle", "check sum", "cut", "end"])
def test_damage_in_gzipped_probabilities_is_found(save: Save, where: str) -> None:
    rng = np.random.default_rng(8)
    noise = rng.integers(0, 101, (*SHAPE, 9)).astype(np.uint8)
    path = save(noise, names=None)
    raw = bytearray(path.read_bytes())
    at = len(raw) // 2 if where == "middle" else len(raw) - 6
    raw[at] ^= 0xFF
    path.write_bytes(raw[: len(raw) // 2] if where == "cut" else raw)
    if where == "end":
        # A second member, for what several programs write.
        path.write_bytes(save(noise, names=None).read_bytes() + b"\x1f\x8b broken")
    with pytest.raises(ResultsError, match=r"mine\.nii\.gz"):
        read_atlas(path)
