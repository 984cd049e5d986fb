"""A map starts with what the user chose last, wherever that means something."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.first_look import first_look
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import refusals
from napari_neurosynth_results.viewer.clusters.defaults import (
    first_threshold,
    remember_choices,
    shows_faintly,
)

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
VOXEL = "z_level-voxel_corr-FWE_method-montecarlo"
ALL = ("value", "p", "q", "bonferroni")
#: What is offered for the maps of the sample.
OFFERED: dict[str, Any] = {
    **dict.fromkeys(("z", "p", "logp", "stat"), ALL),
    VOXEL: ("value", "p"),
    MASS: ("p",),
}


@pytest.fixture
def lone(opened: Callable[..., ResultSet], rng: np.random.Generator) -> ResultSet:
    """Return maps beside which nothing states a p, or where the mask ends."""
    values = rng.normal(0, 2, (8, 9, 8))
    return opened({"zstat1": values, "spmT_0001": values, "prob": np.abs(values) / 9})


def first(statmap: StatMap) -> Threshold:
    """Return the threshold that a map starts with."""
    return first_threshold(statmap, OFFERED.get(statmap.key) or offered(statmap))


def offered(statmap: StatMap) -> Any:
    return [name for name, why in refusals(statmap).items() if why is None]


def chosen(preferences: Any) -> dict[str, Any]:
    """Return what napari's settings hold."""
    names = ("uncorrected_by", "uncorrected", "corrected", "min_voxels")
    found = {name: getattr(preferences.threshold, name) for name in names}
    found["connectivity"] = preferences.threshold.connectivity
    found["faint"] = preferences.threshold.faint
    return {name: getattr(value, "value", value) for name, value in found.items()}


DEFAULTS = {
    **{"uncorrected_by": "p", "uncorrected": 0.001, "corrected": 0.05},
    **{"min_voxels": 1, "connectivity": 6, "faint": False},
}


# --- before anything was chosen ---------------------------------------------------


def test_maps_start_at_what_the_field_expects(
    preferences: Any, sample: ResultSet
) -> None:
    assert chosen(preferences) == DEFAULTS
    for stem in ("z", "p", "logp", "stat"):
        assert first(sample[stem]) == Threshold(p=0.001), stem
    for stem in (VOXEL, MASS):
        assert first(sample[stem]) == Threshold(p=0.05), stem
    assert not shows_faintly()


def test_a_map_without_a_p_starts_where_it_was_first_shown(
    preferences: Any, lone: ResultSet
) -> None:
    assert first(lone["zstat1"]) == Threshold(p=0.001)
    for stem in ("spmT_0001", "prob"):
        look = first_look(lone[stem])
        assert look is not None
        assert first(lone[stem]) == Threshold(value=look.height)


def test_an_empty_map_without_a_p_starts_at_1(
    preferences: Any, opened: Callable[..., ResultSet]
) -> None:
    empty = opened({"prob": np.zeros((8, 9, 8))})["prob"]
    assert first(empty) == Threshold(value=1)
    assert len(clusters_at(empty, first(empty))) == 0


@pytest.mark.slow
def test_every_map_can_be_shown_at_its_first_threshold(
    preferences: Any, sample: ResultSet, lone: ResultSet
) -> None:
    preferences.threshold.min_voxels = 5
    for results in (sample, lone):
        for statmap in results.maps.values():
            if statmap.kind != "label":
                found = clusters_at(statmap, first_threshold(statmap, offered(statmap)))
                assert found.statmap is statmap


# --- what is remembered -----------------------------------------------------------


def test_a_choice_is_there_for_the_next_map(
    preferences: Any, sample: ResultSet
) -> None:
    asked = Threshold(q=0.1, min_voxels=12, connectivity=18)
    remember_choices(sample["z"], asked, True)
    for stem in ("z", "p", "logp", "stat"):
        assert first(sample[stem]) == asked, stem
    assert shows_faintly()
    assert chosen(preferences) == {
        **{"uncorrected_by": "q", "uncorrected": 0.1, "corrected": 0.05},
        **{"min_voxels": 12, "connectivity": 18, "faint": True},
    }
    # Nobody corrects what is corrected.
    corrected = Threshold(p=0.05, min_voxels=12, connectivity=18)
    assert first(sample[VOXEL]) == corrected
    # Nor does a cluster that was tested lose to an extent, or to other neighbors.
    assert first(sample[MASS]) == Threshold(p=0.05)


@pytest.mark.parametrize("stem", [VOXEL, MASS])
def test_a_level_of_significance_is_there_for_corrected_maps_only(
    preferences: Any, sample: ResultSet, stem: str
) -> None:
    remember_choices(sample[stem], Threshold(p=0.01), False)
    assert chosen(preferences) == {**DEFAULTS, "corrected": 0.01}
    assert first(sample[VOXEL]) == first(sample[MASS]) == Threshold(p=0.01)
    assert first(sample["z"]) == Threshold(p=0.001)


def test_a_value_asked_of_a_corrected_map_is_no_level(
    preferences: Any, sample: ResultSet
) -> None:
    remember_choices(sample[VOXEL], Threshold(value=2), False)
    assert chosen(preferences) == DEFAULTS


def test_clusters_that_were_tested_do_not_change_the_extent(
    preferences: Any, sample: ResultSet
) -> None:
    remember_choices(sample["z"], Threshold(p=0.001, min_voxels=9), False)
    remember_choices(sample[MASS], Threshold(p=0.05), False)
    assert first(sample["z"]).min_voxels == 9


def test_an_extent_in_mm3_is_left_to_its_map(
    preferences: Any, sample: ResultSet
) -> None:
    remember_choices(sample["z"], Threshold(p=0.01, min_voxels=9), False)
    remember_choices(sample["z"], Threshold(p=0.01, min_mm3=800), False)
    assert first(sample["z"]) == Threshold(p=0.01, min_voxels=9)


def test_a_side_is_not_remembered(preferences: Any, lone: ResultSet) -> None:
    remember_choices(lone["zstat1"], Threshold(p=0.01, tail="negative"), False)
    assert first(lone["zstat1"]) == Threshold(p=0.01)


# --- where it means nothing -------------------------------------------------------


def test_a_height_of_z_is_for_z_maps(
    preferences: Any, sample: ResultSet, lone: ResultSet
) -> None:
    remember_choices(sample["z"], Threshold(value=2.3), False)
    assert first(sample["z"]) == first(lone["zstat1"]) == Threshold(value=2.3)
    for stem in ("p", "logp", "stat"):
        assert first(sample[stem]) == Threshold(p=0.001), stem
    assert first(sample[VOXEL]) == Threshold(p=0.05)


@pytest.mark.parametrize(
    ("stem", "value"), [("logp", 4), ("p", 0.002), ("stat", 0.03), ("spmT_0001", 4)]
)
def test_heights_of_other_kinds_are_for_no_other_map(
    preferences: Any, sample: ResultSet, lone: ResultSet, stem: str, value: float
) -> None:
    statmap = sample[stem] if stem in sample.maps else lone[stem]
    remember_choices(statmap, Threshold(value=value, min_voxels=4), False)
    assert first(sample["z"]) == Threshold(p=0.001, min_voxels=4)
    assert chosen(preferences) == {**DEFAULTS, "min_voxels": 4}


@pytest.mark.parametrize("by", ["q", "bonferroni"])
def test_a_lone_map_starts_by_p_where_a_correction_is_refused(
    preferences: Any, sample: ResultSet, lone: ResultSet, by: Any
) -> None:
    remember_choices(sample["z"], Threshold.by(by, 0.05, min_voxels=3), False)
    assert first(sample["z"]) == Threshold.by(by, 0.05, min_voxels=3)
    assert first(lone["zstat1"]) == Threshold(p=0.001, min_voxels=3)
    assert first(lone["spmT_0001"]).criterion == "value"


@pytest.mark.parametrize(
    ("by", "number"), [("p", 3), ("p", 0), ("q", -0.1), ("value", -2), ("value", 0)]
)
def test_numbers_that_mean_nothing_are_passed_over(
    preferences: Any, sample: ResultSet, by: str, number: float
) -> None:
    preferences.threshold.uncorrected_by = by
    preferences.threshold.uncorrected = number
    assert first(sample["z"]) == Threshold(p=0.001)


@pytest.mark.parametrize("level", [0, 1, 5, -0.05])
def test_levels_that_mean_nothing_are_passed_over(
    preferences: Any, sample: ResultSet, level: float
) -> None:
    preferences.threshold.corrected = level
    for stem in (VOXEL, MASS):
        assert first(sample[stem]) == Threshold(p=0.05), stem


# --- without preferences ----------------------------------------------------------


def test_without_the_plugin_the_defaults_hold(npe2pm: Any, sample: ResultSet) -> None:
    import napari.settings

    with pytest.raises(KeyError):
        napari.settings.get_plugin_settings("napari-neurosynth-results")
    remember_choices(sample["z"], Threshold(q=0.1, connectivity=26), True)
    assert first(sample["z"]) == Threshold(p=0.001)
    assert first(sample[MASS]) == Threshold(p=0.05)
    assert not shows_faintly()


@pytest.mark.slow
def test_without_napari_the_defaults_hold(sample_path: Path) -> None:
    script = f"""
import sys
from napari_neurosynth_results import open_results
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters import defaults

results = open_results({str(sample_path)!r})
defaults.remember_choices(results["z"], Threshold(q=0.1), True)
assert defaults.first_threshold(results["z"], ["p", "q"]) == Threshold(p=0.001)
assert defaults.first_threshold(results[{MASS!r}], ["p"]) == Threshold(p=0.05)
assert not defaults.shows_faintly()
assert "napari" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
