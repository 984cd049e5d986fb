"""One function opens whatever lies on disk, and says what to do where it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_neurosynth_results import ResultsError, ResultSet, open_results

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
    with pytest.raises(ResultsError, match=r"example\.org is not a place.*NeuroVault"):
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
