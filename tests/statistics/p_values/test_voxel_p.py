"""The p of single voxels is the p of whole maps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.p_values.significance import (
    Evidence,
    PSource,
)
from napari_neurosynth_results.statistics.p_values.voxel_p import format_log_p, voxel_p
from napari_neurosynth_results.statistics.thresholds.apply import apply_threshold
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold


def own_data(statmap: StatMap) -> Any:
    return statmap.data


def test_every_map_of_the_sample(sample: ResultSet, rng: np.random.Generator) -> None:
    stated = 0
    for statmap in sample.maps.values():
        whole, single = PSource(statmap).log_p(), voxel_p(PSource(statmap), own_data)
        assert (whole is None) == (single is None)
        if whole is None or single is None:
            continue
        stated += 1
        mask = statmap.mask
        assert mask is not None
        for voxel in rng.permutation(np.argwhere(mask))[:50].tolist():
            i, j, k = voxel
            assert single.log_p((i, j, k)) == pytest.approx(whole[i, j, k])
    # All but the labels.
    assert stated == len(sample.maps) - 1


def test_both_directions_where_both_were_tested(
    opened: Callable[..., ResultSet], inside: Any
) -> None:
    z = np.where(inside, 1.25, 0)
    z[3, 3, 3], z[4, 4, 4] = -5, 5
    results = opened({"z_desc-association": z})
    single = voxel_p(PSource(results["z_desc-association"]), own_data)
    assert single is not None
    assert single.log_p((3, 3, 3)) == single.log_p((4, 4, 4)) < math.log(1e-6)


def test_a_p_that_underflowed_is_less_than_float32_can_say(
    opened: Callable[..., ResultSet], inside: Any
) -> None:
    p = np.where(inside, 0.5, 0)
    p[4, 4, 4] = 0
    z = np.where(inside, 1.0, 0)
    z[4, 4, 4] = 14
    single = voxel_p(PSource(opened({"p": p, "z": z})["p"]), own_data)
    assert single is not None
    assert single.format((4, 4, 4)) == "<1.18e-38"
    assert single.format((3, 3, 3)) == ".5"
    assert single.format((0, 0, 0)) == ""
    assert math.isnan(single.log_p((0, 0, 0)))


def test_logp_never_underflows(opened: Callable[..., ResultSet], inside: Any) -> None:
    logp = np.where(inside, 1.0, 0)
    logp[4, 4, 4] = 400.5
    single = voxel_p(PSource(opened({"logp": logp})["logp"]), own_data)
    assert single is not None
    assert single.format((4, 4, 4)) == "3.16e-401"


def test_degrees_of_freedom_stated_or_as_a_map(
    opened: Callable[..., ResultSet], inside: Any
) -> None:
    t = np.where(inside, 3.0, 0)
    dof = np.where(inside, 10.0, 0)
    dof[4, 4, 4] = 30
    alone = opened({"t": t})["t"]
    assert voxel_p(PSource(alone), own_data) is None
    stated = voxel_p(PSource(alone, Evidence(dof=30.0)), own_data)
    by_map = voxel_p(PSource(opened({"t": t, "dof": dof})["t"]), own_data)
    assert stated is not None
    assert by_map is not None
    assert by_map.log_p((4, 4, 4)) == pytest.approx(stated.log_p((3, 3, 3)))
    assert by_map.log_p((3, 3, 3)) > by_map.log_p((4, 4, 4))
    assert by_map.format((0, 0, 0)) == ""


@given(st.floats(-5000, -710))
def test_what_underflows_is_written_with_its_power(log_p: float) -> None:
    digits, power = format_log_p(log_p).split("e")
    assert 1 <= float(digits) < 10
    log_10 = math.log10(float(digits)) + int(power)
    assert log_10 == pytest.approx(log_p / math.log(10), abs=0.003)


def test_a_one_tailed_z_of_0_is_any_p_from_a_half_on(
    opened: Callable[..., ResultSet], inside: Any
) -> None:
    z = np.where(inside, 0.0, 0)
    z[3, 3, 3] = 3
    single = voxel_p(PSource(opened({"z": z})["z"]), own_data)
    assert single is not None
    assert single.format((4, 4, 4)) == "≥ .5 if one-tailed"
    assert single.format((3, 3, 3)) == ".00135 if one-tailed"


def test_a_guessed_tail_is_said_with_the_p(
    opened: Callable[..., ResultSet], inside: Any
) -> None:
    z = np.where(inside, 1.25, 0)
    z[3, 3, 3], z[4, 4, 4] = -3, 3
    lone = PSource(opened({"mean_zstat": z})["mean_zstat"])
    two, one = 2 * stats.norm.sf(3), stats.norm.sf(3)
    guessed = voxel_p(lone, own_data)
    assert guessed is not None
    assert guessed.format((3, 3, 3)) == f"{short_p(two)} if two-tailed"
    for asked, below, above in (
        ("both", two, two),
        ("positive", 1 - one, one),
        ("negative", one, 1 - one),
    ):
        told = voxel_p(lone, own_data, asked)
        assert told is not None
        assert told.format((3, 3, 3)) == short_p(below)
        assert told.format((4, 4, 4)) == short_p(above)


def test_a_p_that_a_map_states_hangs_on_no_guess(
    opened: Callable[..., ResultSet], inside: Any
) -> None:
    p = np.where(inside, 0.5, 0)
    p[4, 4, 4] = 0.001
    lone = opened({"p": p})["p"]
    assert lone.tail_is_guess
    single = voxel_p(PSource(lone), own_data)
    assert single is not None
    assert single.format((4, 4, 4)) == ".001"


def test_the_sentence_of_a_threshold_calls_a_guessed_tail_a_guess(
    opened: Callable[..., ResultSet], inside: Any
) -> None:
    z = np.where(inside, 1.25, 0)
    z[3, 3, 3], z[4, 4, 4] = -3, 3
    p = np.where(inside, 2 * stats.norm.sf(np.abs(z)), 0)

    def sentence(maps: dict[str, Any], tail: Direction = "auto") -> str:
        (key,) = (key for key in maps if "z" in key)
        source = PSource(opened(maps)[key])
        return str(apply_threshold(source, Threshold(p=0.05, tail=tail)))

    assert "(p <= .05, two-tailed, a guess)" in sentence({"mean_zstat": z})
    assert "(p <= .05, two-tailed)" in sentence({"mean_zstat": z}, "both")
    assert "(p <= .05, one-tailed)" in sentence({"mean_zstat": z}, "positive")
    # A name of NiMARE's without the map that states p, and with it.
    assert "two-tailed, a guess)" in sentence({"z": z})
    assert "(p <= .05, two-tailed)" in sentence({"z": z, "p": p})
