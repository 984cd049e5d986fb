"""What a user says that a map holds, also while the result is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from napari_neurosynth_results import ResultsError, find_clusters, open_results
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.results import ResultSet

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]


@pytest.fixture
def values(rng: np.random.Generator, inside: npt.NDArray[np.bool_]) -> Array:
    """Return t values with an effect."""
    t = np.where(inside, rng.standard_t(18, size=inside.shape), 0)
    t[3:5, 3:5, 3:5] = 8
    return t


def test_all_that_is_said_counts(opened: Opened, values: Array) -> None:
    results = opened({"mine": values})
    results.take_as({"mine": "t two-tailed df=18 FDR"})
    statmap = results["mine"]
    told = (statmap.kind, statmap.tail, statmap.dof, statmap.correction)
    assert told == (MapKind.T, Tail.TWO, 18, "FDR")
    assert (statmap.tail_is_guess, statmap.correction_is_known) == (False, True)
    results.take_as({"mine": "t one-tailed df=18 uncorrected"})
    kept = find_clusters(results["mine"], p=0.001, atlas=None).labels > 0
    assert np.array_equal(kept, values >= stats.t.isf(0.001, 18))


def test_a_map_gets_another_meaning_while_it_is_open(
    opened: Opened, values: Array
) -> None:
    results = opened({"pain_p": values, "pain_z": np.abs(values)})
    first = results["pain_p"]
    assert "they fit z" in first.doubt
    assert any("This map holds..." in problem for problem in results.problems)
    results.take_as({"pain_p": "  z   two-tailed "})
    second = results["pain_p"]
    assert (second.kind, second.doubt, results.problems) == (MapKind.Z, "", ())
    assert results.stated == {"pain_p": "z two-tailed"}
    # Who holds the old one is not misled about its kind.
    assert first.kind is MapKind.P
    results.take_as({"pain_p": ""})
    third = results["pain_p"]
    assert (third.kind, third.name == first.name, results.stated) == (
        MapKind.P,
        True,
        {},
    )
    assert third.doubt == first.doubt


def test_what_is_said_is_read_beside_the_name_each_time(
    opened: Opened, values: Array
) -> None:
    results = opened({"one_corrp": np.clip(values / 10, 0, 1)})
    for text in ("z", "est", "p"):
        results.take_as({"one_corrp": text})
    assert results["one_corrp"].correction == "FWE"


def test_nothing_changes_when_one_of_several_means_nothing(
    opened: Opened, values: Array
) -> None:
    results = opened({"a": values, "b": values})
    for wrong in ({"b": "tea"}, {"c": "t"}, {"b": "z df=18"}):
        with pytest.raises(ResultsError):
            results.take_as({"a": "t", **wrong})
        assert (results["a"].kind, results.stated) == (MapKind.OTHER, {})


def test_its_siblings_see_the_new_meaning(
    opened: Opened, inside: npt.NDArray[np.bool_], rng: np.random.Generator
) -> None:
    p = np.where(inside, rng.uniform(0.001, 1, size=inside.shape), 0)
    z = np.where(inside, np.maximum(stats.norm.isf(np.clip(p, 1e-9, 1)), 0), 0)
    results = opened({"z": z, "p": p})
    statmap = results["z"]
    assert statmap.mask is not None
    results.take_as({"p": "prob"})
    assert statmap.results.siblings(statmap) == {}
    assert statmap.mask is None
    results.take_as({"p": ""})
    assert statmap.mask is not None


def test_labels_and_maps_are_read_each_in_its_way(opened: Opened) -> None:
    whole = np.zeros((8, 9, 8))
    whole[1:4, 1:4, 1:4], whole[5:7, 5:7, 5:7] = 1, 2
    results = opened({"pain_z": whole})
    assert "whole numbers" in results["pain_z"].doubt
    results.take_as({"pain_z": "label"})
    assert results["pain_z"].kind is MapKind.LABEL
    assert set(np.unique(results["pain_z"].data)) == {0, 1, 2}


def test_a_map_that_is_mostly_empty_is_whole_if_the_user_says_so(
    opened: Opened,
) -> None:
    cut = np.zeros((8, 9, 8))
    cut[2:5, 2:5, 2:5] = np.linspace(3, 5, 27).reshape(3, 3, 3)
    results = opened({"tmap": cut})
    assert "unknown program" in results["tmap"].cut
    results.take_as({"tmap": "t whole"})
    assert results["tmap"].cut == ""
    results.take_as({"tmap": "t thresholded"})
    assert "user" in results["tmap"].cut


def test_name_and_header_that_contradict_each_other_are_told(
    write: Callable[..., Path], values: Array
) -> None:
    folder = write({"group_zmap": values, "zstat1": values, "one_vox_p_tstat1": values})
    for stem, intent in (
        ("group_zmap", "t test"),
        ("zstat1", "z score"),
        # How p is written its program's name says better.
        ("one_vox_p_tstat1", "p value"),
    ):
        path = folder / f"{stem}.nii.gz"
        image = nib.load(path)
        image.header.set_intent(intent, (18,) if intent == "t test" else ())
        image.to_filename(path)
    results = open_results(folder)
    (told,) = (one for one in results.problems if "its header" in one)
    assert told.startswith("group_zmap: its name says that it holds z, its header t.")
    found = find_clusters(results["group_zmap"], p=0.001, atlas=None)
    assert told in found.notices
    # Whoever said which is right is not told again.
    for said in ("t", "z"):
        results = open_results(folder, kinds={"group_zmap": said})
        assert not any("its header" in one for one in results.problems)
        found = find_clusters(
            results["group_zmap"], p=0.001, tail="positive", atlas=None
        )
        assert found.notices == ()
        height = stats.t.isf(0.001, 18) if said == "t" else stats.norm.isf(0.001)
        assert np.array_equal(found.labels > 0, values >= height)
