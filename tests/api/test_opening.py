"""One function opens whatever lies on disk, and says what to do where it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_neurosynth_results import (
    Atlas,
    ResultsError,
    ResultSet,
    open_atlas,
    open_results,
)

Write = Callable[..., Path]


@pytest.fixture
def folder(write: Write, rng: np.random.Generator) -> Path:
    """Return a folder of two maps."""
    data = rng.normal(0, 3, (8, 9, 8))
    return write({"z": data, "stat": data}, {"boilerplate.txt": "How."}, name="pain")


def test_a_folder_in_every_way_to_say_it(folder: Path) -> None:
    for source in (folder, str(folder), f"{folder}{os.sep}", f"{folder}//"):
        results = open_results(source)
        assert isinstance(results, ResultSet)
        assert results.title == "pain"
        assert list(results.maps) == ["z", "stat"]
        assert results.methods == "How."
        assert results.problems == ()


def test_a_relative_folder_has_its_own_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert open_results(".").title == "pain"
    assert list(open_results("z.nii.gz").maps) == ["z"]


def test_one_file_is_judged_alone(folder: Path) -> None:
    for source in (
        folder / "z.nii.gz",
        str(folder / "z.nii.gz"),
        [folder / "z.nii.gz"],
    ):
        results = open_results(source)
        assert results.title == "z"
        assert list(results.maps) == ["z"]
        assert results.siblings(results["z"]) == {}
        assert results.methods == ""


def test_several_files_are_one_result(folder: Path) -> None:
    results = open_results([folder / "stat.nii.gz", str(folder / "z.nii.gz")])
    assert list(results.maps) == ["z", "stat"]
    assert list(results.siblings(results["z"])) == ["stat"]
    assert results.title == "pain"


def test_a_list_of_one_folder_is_that_folder(folder: Path) -> None:
    assert list(open_results([folder]).maps) == ["z", "stat"]


def test_a_file_that_is_no_image_is_told_beside_the_others(folder: Path) -> None:
    results = open_results([folder / "z.nii.gz", folder / "boilerplate.txt"])
    assert list(results.maps) == ["z"]
    (problem,) = results.problems
    assert "boilerplate.txt is not an image" in problem


def test_nothing_is_refused() -> None:
    with pytest.raises(ResultsError, match="the list of files is empty"):
        open_results([])


def test_other_places_are_refused_with_what_can_be_opened() -> None:
    with pytest.raises(ResultsError, match=r"example\.org is not a site.*NeuroVault"):
        open_results("http://example.org/z.nii.gz")
    with pytest.raises(ResultsError, match="one at a time"):
        open_results(["1425", "1426"])


def test_without_a_network_a_link_says_so() -> None:
    with pytest.raises(ResultsError, match=r"1425.*offline"):
        open_results("https://neurovault.org/collections/1425/")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.nii.gz"
    with pytest.raises(ResultsError, match=r"missing\.nii\.gz does not exist"):
        open_results(missing)


def test_a_folder_named_like_an_image_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "z.nii.gz").mkdir()
    for source in (tmp_path / "z.nii.gz", f"{tmp_path / 'z.nii.gz'}/"):
        with pytest.raises(ResultsError, match="is a folder that is named like"):
            open_results(source)


def test_the_limit_on_memory_holds_for_files_and_folders(folder: Path) -> None:
    for source in (folder, folder / "z.nii.gz", [folder / "z.nii.gz"]):
        with pytest.raises(ResultsError, match="Raise max_bytes"):
            open_results(source, max_bytes=100)


def test_an_atlas_by_name_or_by_file(tmp_path: Path) -> None:
    labels = np.zeros((8, 9, 8), np.int16)
    labels[1:3, 4:6, 2:4] = 1
    affine = np.diag([20.0, 20.0, 20.0, 1.0])
    affine[:3, 3] = (-70, -110, -60)
    path, names = tmp_path / "own.nii.gz", tmp_path / "words.csv"
    nib.Nifti1Image(labels, affine).to_filename(path)
    names.write_text("index,name\n1,Left insula\n")
    assert isinstance(open_atlas(), Atlas)
    assert open_atlas("default").name == "Desikan-Killiany with cerebellum"
    for image, table in ((path, names), (str(path), str(names))):
        atlas = open_atlas(image, table)
        assert atlas.name_of(int(atlas.labels_at([(-40, -20, 0)])[0])) == "insula L"
    with pytest.raises(ResultsError, match="At hand: default"):
        open_atlas(tmp_path / "none.nii.gz")


def test_a_relative_path_and_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    affine = np.diag([20.0, 20.0, 20.0, 1.0])
    affine[:3, 3] = (-70, -110, -60)
    image = nib.Nifti1Image(np.ones((8, 9, 8), np.uint8), affine)
    image.to_filename(tmp_path / "own.nii")
    (tmp_path / "own.txt").write_text("1 brain\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert open_atlas("own.nii").name_of(1) == "brain"
    assert open_atlas("~/own.nii").name_of(1) == "brain"
