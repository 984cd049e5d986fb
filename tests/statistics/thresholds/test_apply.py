"""What survives a threshold, against the definitions; and what may not be asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.statistics.p_values.significance import Evidence, PSource
from napari_neurosynth_results.statistics.thresholds.apply import (
    ThresholdResult,
    apply_threshold,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]

SHAPE = (8, 9, 8)
BRAIN = (slice(1, 7), slice(1, 8), slice(1, 7))
ALE = "ALE pain"
CORRECTED = "level-voxel_corr-FWE_method-montecarlo"
FDR = "corr-FDR_method-indep"


class _Voxels:
    def __init__(self, data: Array) -> None:
        self.data = data

    def read(self) -> tuple[Array, tuple[str, ...]]:
        return np.array(self.data, np.float32, order="F"), ()


def lone(data: Array, kind: MapKind = MapKind.Z) -> StatMap:
    """Make a map of unknown origin, with nothing beside it."""
    grid = Grid(data.shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    file = MapFile("map", None, kind, grid, "", _Voxels(data))
    return ResultSet([file], title="", source="")["map"]


def ask(statmap: StatMap, mask: Array | None = None, **asked: Any) -> ThresholdResult:
    return apply_threshold(PSource(statmap), Threshold(**asked), mask)


def kept(statmap: StatMap, mask: Array | None = None, **asked: Any) -> Array:
    return ask(statmap, mask, **asked).parts != 0


def one_tailed(rng: np.random.Generator, strong: float = 1.5) -> dict[str, Array]:
    """Return p, logp and z of one one-tailed test, as NiMARE writes them."""
    drawn = np.clip(rng.normal(strong, 1.5, SHAPE), -3, 8)
    inside = np.zeros(SHAPE, bool)
    inside[BRAIN] = True
    p = np.where(inside, stats.norm.sf(drawn), 0)
    return {
        "p": p,
        "logp": np.where(inside, -np.log10(np.where(inside, p, 1)), 0),
        "z": np.where(inside, np.maximum(drawn, 0), 0),
    }


def two_tailed(rng: np.random.Generator) -> dict[str, Array]:
    """Return p, logp and a signed z of one two-tailed test."""
    inside = np.zeros(SHAPE, bool)
    inside[BRAIN] = True
    z = np.where(inside, rng.normal(0, 2, SHAPE), 0)
    p = np.where(inside, 2 * stats.norm.sf(np.abs(z)), 0)
    return {"p": p, "logp": np.where(inside, -np.log10(np.where(inside, p, 1)), 0)} | {
        "z": z
    }


# --- by value ---------------------------------------------------------------------


@given(
    z=st.lists(st.floats(-5, 5, width=32) | st.just(math.nan), min_size=1, max_size=30),
    height=st.floats(0.125, 4, width=32),
)
@settings(max_examples=100, deadline=None)
def test_a_height_is_inclusive_and_strict_is_not(z: list[float], height: float) -> None:
    data = np.array([*z, height, -height], np.float32).reshape(-1, 1, 1)
    statmap = lone(data)
    for strict, above in ((False, np.greater_equal), (True, np.greater)):
        parts = ask(statmap, value=height, tail="both", strict=strict).parts
        assert np.array_equal(parts == 1, above(data, np.float32(height)))
        assert np.array_equal(parts == 2, above(-data, np.float32(height)))


def test_a_height_is_compared_as_float32() -> None:
    # 2.7 in float32 is a little more than in float64, 3.1 a little less.
    data = np.array([2.7, 3.1], np.float32).reshape(2, 1, 1)
    assert kept(lone(data), value=2.7).sum() == 2
    assert kept(lone(data), value=np.float64(3.1)).sum() == 1


def test_infinity_survives_and_nan_does_not() -> None:
    data = np.array([np.inf, -np.inf, np.nan, 1], np.float32).reshape(4, 1, 1)
    parts = ask(lone(data), value=2, tail="both").parts
    assert parts.ravel().tolist() == [1, 2, 0, 0]


def test_auto_keeps_both_sides_where_both_were_tested(
    opened: Opened, rng: np.random.Generator
) -> None:
    both = opened(two_tailed(rng))["z"]
    assert set(np.unique(ask(both, value=1).parts)) == {0, 1, 2}
    assert set(np.unique(ask(both, value=1, tail="positive").parts)) == {0, 1}
    assert set(np.unique(ask(both, value=1, tail="negative").parts)) == {0, 2}
    one = opened(one_tailed(rng))["z"]
    assert set(np.unique(ask(one, value=1).parts)) == {0, 1}


def test_a_height_on_a_p_map_means_p(opened: Opened, rng: np.random.Generator) -> None:
    results = opened(one_tailed(rng))
    by_value = ask(results["p"], value=0.01)
    assert np.array_equal(by_value.parts, ask(results["p"], p=0.01).parts)
    assert (by_value.height, by_value.p) == (0.01, 0.01)
    assert str(by_value) == "p <= .01 (one-tailed)"
    strictly = ask(results["p"], value=0.01, strict=True)
    assert str(strictly) == "p < .01 (one-tailed)"
    outside = results["p"].data == 0
    assert not by_value.parts[outside].any()


def test_p_of_exactly_the_height_survives_unless_strict(opened: Opened) -> None:
    p = np.full(SHAPE, 0.5)
    p[2, 2, 2] = 0.05
    statmap = opened({"p": p})["p"]
    assert kept(statmap, value=0.05).sum() == 1
    assert kept(statmap, value=0.05, strict=True).sum() == 0


# --- by p -------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.4999, 0.05, 0.01, 0.001, 1e-6])
def test_p_logp_and_z_of_one_test_agree(
    opened: Opened, rng: np.random.Generator, alpha: float
) -> None:
    maps = one_tailed(rng)
    results = opened(maps)
    expected = (maps["p"] <= alpha) & (maps["p"] > 0)
    for value in maps:
        assert np.array_equal(kept(results[value], p=alpha), expected), value
    # Each by itself too; z then by formula.
    for value in maps:
        alone = opened({value: maps[value]})[value]
        assert np.array_equal(kept(alone, p=alpha), expected), value


@pytest.mark.parametrize("alpha", [0.49, 0.3, 0.05, 0.01, 0.001, 1e-5])
def test_the_samples_maps_agree(alpha: float) -> None:
    results = open_results(sample_folder())
    p = results["p"].data
    expected = (p > 0) & (p <= np.float32(alpha))
    assert 0 < expected.sum() < (p > 0).sum()
    for value in ("p", "logp", "z"):
        assert np.array_equal(kept(results[value], p=alpha), expected), value
    # z by its formula and tail, as part of the set and of unknown origin.
    z = results["z"]
    by_formula = apply_threshold(PSource(z, Evidence(siblings={})), Threshold(p=alpha))
    assert np.array_equal(by_formula.parts != 0, expected)
    assert np.array_equal(kept(lone(z.data), p=alpha, tail="positive"), expected)


def test_p_of_exactly_05_counts_in_float32(opened: Opened) -> None:
    assert float(np.float32(0.05)) > 0.05
    maps = {"p": np.full(SHAPE, 0.5)}
    maps["p"][2, 2, 2] = 0.05
    maps["logp"] = -np.log10(maps["p"])
    maps["z"] = stats.norm.isf(maps["p"])
    for value in maps:
        assert kept(opened({value: maps[value]})[value], p=0.05).sum() == 1, value
    assert kept(opened(maps)["z"], p=0.05).sum() == 1


def test_a_sign_never_halves_the_p_of_a_nimare_map(
    opened: Opened, rng: np.random.Generator
) -> None:
    maps = two_tailed(rng)
    statmap = opened(maps)["z"]
    for tail in ("both", "positive", "negative"):
        applied = ask(statmap, p=0.05, tail=tail)
        assert applied.tail is Tail.TWO
        assert applied.height == pytest.approx(1.959964)
        sides = {"positive": maps["z"] > 0, "negative": maps["z"] < 0}
        side = sides.get(tail, maps["z"] != 0)
        expected = (maps["p"] <= 0.05) & side
        assert np.array_equal(applied.parts != 0, expected)


def test_a_lone_z_counts_the_sides_that_are_looked_at(rng: np.random.Generator) -> None:
    data = rng.normal(0, 2, SHAPE).astype(np.float32)
    both = ask(lone(data), p=0.05, tail="both")
    assert both.tail is Tail.TWO
    assert np.array_equal(both.parts != 0, np.abs(data) >= np.float32(1.959964))
    one = ask(lone(data), p=0.05, tail="negative")
    assert one.tail is Tail.ONE
    assert np.array_equal(one.parts == 2, -data >= np.float32(1.6448536))
    assert str(both) == "|z| >= 1.96 (p <= .05, two-tailed)"
    assert str(one) == "-z >= 1.64 (p <= .05, one-tailed)"


def test_p_beyond_one_half_is_all_of_a_side() -> None:
    data = np.array([-1, 0, 0.001, 2], np.float32).reshape(4, 1, 1)
    parts = ask(lone(data), p=0.7, tail="positive").parts
    assert parts.ravel().tolist() == [0, 0, 1, 1]


def test_a_statistic_takes_the_p_of_its_sibling(
    opened: Opened, rng: np.random.Generator
) -> None:
    maps = one_tailed(rng)
    results = opened(maps | {"stat": maps["logp"] / 10})
    found = ask(results["stat"], p=0.01)
    assert np.array_equal(found.parts, ask(results["p"], p=0.01).parts)
    assert math.isnan(found.height)


def test_p_of_0_in_the_mask_is_the_strongest(opened: Opened) -> None:
    p = np.zeros(SHAPE)
    p[BRAIN] = 0.5
    p[2, 2, 2] = 0
    stat = np.zeros(SHAPE)
    stat[BRAIN] = 1
    results = opened({"p": p, "stat": stat})
    for asked in ({"p": 0.01}, {"value": 0.01}, {"q": 0.05}, {"bonferroni": 0.05}):
        assert np.argwhere(kept(results["p"], **asked)).tolist() == [[2, 2, 2]], asked


# --- corrected for the number of tests --------------------------------------------


@pytest.mark.parametrize("q", [0.2, 0.05, 0.001])
@pytest.mark.parametrize("value", ["p", "logp", "z"])
def test_fdr_is_that_of_scipy(
    opened: Opened, rng: np.random.Generator, q: float, value: str
) -> None:
    maps = one_tailed(rng, 1)
    inside = maps["p"] > 0
    expected = np.zeros(SHAPE, bool)
    p = np.float64(np.float32(maps["p"][inside]))
    expected[inside] = stats.false_discovery_control(p, method="bh") <= q
    found = ask(opened(maps)[value], q=q)
    assert 0 < expected.sum() < inside.sum()
    assert np.array_equal(found.parts != 0, expected & (maps["z"] > 0))
    assert found.n_tests == inside.sum()


def test_fdr_of_the_sample_counts_all_tests_of_the_mask() -> None:
    results = open_results(sample_folder())
    # Where each of these is 0, nothing was tested.
    tested = np.zeros(results["z"].grid.shape, bool)
    for value in ("p", "logp", "stat", "z"):
        tested |= results[value].data != 0
    p = results["p"].data[tested].astype(np.float64)
    survivors = stats.false_discovery_control(p, method="bh") <= 0.05
    found = ask(results["z"], q=0.05)
    assert found.n_tests == tested.sum()
    assert np.array_equal((found.parts != 0)[tested], survivors)
    few = ask(results["z"], bonferroni=0.05)
    assert np.array_equal((few.parts != 0)[tested], p <= 0.05 / tested.sum())
    assert few.p == pytest.approx(0.05 / tested.sum())


def test_bonferroni_divides_by_the_number_of_tests(
    opened: Opened, rng: np.random.Generator
) -> None:
    maps = one_tailed(rng, 3)
    inside = maps["p"] > 0
    found = ask(opened(maps)["z"], bonferroni=0.05)
    expected = inside & (maps["p"] <= 0.05 / inside.sum())
    assert 0 < expected.sum() < inside.sum()
    assert np.array_equal(found.parts != 0, expected)


def test_nothing_survives_q_of_noise(opened: Opened, rng: np.random.Generator) -> None:
    maps = one_tailed(rng, -2)
    found = ask(opened(maps)["z"], q=1e-4)
    assert not found.parts.any()
    assert math.isnan(found.height)
    assert str(found).startswith("z (FDR q <= .0001 (Benjamini-Hochberg), ")


@pytest.mark.parametrize(
    ("tail", "factor"), [("both", 2), ("positive", 1), ("negative", 1)]
)
def test_a_lone_z_with_a_mask_counts_the_sides_it_looks_at(
    rng: np.random.Generator, tail: str, factor: int
) -> None:
    data = rng.normal(0, 2, SHAPE).astype(np.float32)
    mask = np.zeros(SHAPE, bool)
    mask[BRAIN] = True
    strength = {"both": np.abs(data), "positive": data, "negative": -data}[tail]
    p = factor * stats.norm.sf(strength[mask].astype(np.float64))
    expected = np.zeros(SHAPE, bool)
    expected[mask] = stats.false_discovery_control(p, method="bh") <= 0.05
    assert expected.any()
    assert np.array_equal(kept(lone(data), mask, q=0.05, tail=tail), expected)
    expected[mask] = p <= 0.05 / mask.sum()
    assert np.array_equal(kept(lone(data), mask, bonferroni=0.05, tail=tail), expected)


@pytest.mark.parametrize("strongest", [40.0, np.inf])
def test_a_p_that_underflows_survives_q(strongest: float) -> None:
    data = np.full(SHAPE, 0.1, np.float32)
    data[2, 2, 2] = strongest
    everywhere = np.ones(SHAPE, bool)
    for asked in ({"q": 0.05}, {"bonferroni": 0.05}, {"p": 1e-300}):
        found = ask(lone(data), everywhere, **asked)
        assert np.argwhere(found.parts).tolist() == [[2, 2, 2]], asked
    assert ask(lone(data), everywhere, q=0.05).n_tests == data.size


def test_a_mask_is_where_one_looks(opened: Opened, rng: np.random.Generator) -> None:
    maps = one_tailed(rng)
    half = np.zeros(SHAPE, bool)
    half[:4] = True
    statmap = opened(maps)["z"]
    whole = kept(statmap, p=0.05)
    assert np.array_equal(kept(statmap, half, p=0.05), whole & half)
    # Outside the analysis mask nothing was tested, whatever a mask says.
    few = ask(statmap, half, bonferroni=0.05)
    assert few.n_tests == (half & (maps["p"] > 0)).sum() < half.sum()
    assert str(few).endswith(
        f"{few.n_tests} tests, one-tailed), inside a mask of {half.sum()} voxels"
    )


def test_by_is_that_of_scipy(opened: Opened, rng: np.random.Generator) -> None:
    maps = one_tailed(rng, 3)
    inside = maps["p"] > 0
    p = np.float64(np.float32(maps["p"][inside]))
    expected = np.zeros(SHAPE, bool)
    expected[inside] = stats.false_discovery_control(p, method="by") <= 0.05
    results = opened(maps)
    for value in maps:
        found = ask(results[value], q=0.05, fdr="BY")
        assert np.array_equal(found.parts != 0, expected), value
        # The height of a p map is that p.
        in_p = "" if value == "p" else "p <= "
        assert f"(FDR q <= .05 (Benjamini-Yekutieli), {in_p}" in str(found)
        assert str(found).startswith("p <= .") == (value == "p")
    assert 0 < expected.sum() < kept(results["z"], q=0.05).sum()


def test_siblings_may_be_chosen(opened: Opened, rng: np.random.Generator) -> None:
    maps = two_tailed(rng)
    other = np.where(maps["p"] > 0, rng.uniform(0.001, 1, SHAPE), 0)
    results = opened(maps | {"prob_desc-A": other})
    chosen = opened({"p": other})["p"]
    threshold = Threshold(p=0.05)

    def found(**evidence: Any) -> ThresholdResult:
        return apply_threshold(PSource(results["z"], Evidence(**evidence)), threshold)

    own = found()
    assert np.array_equal(
        own.parts, found(siblings=results.siblings(results["z"])).parts
    )
    by_other = found(siblings={"p": chosen})
    expected = (other <= 0.05) & (other > 0) & (maps["z"] != 0)
    assert np.array_equal(by_other.parts != 0, expected)
    assert not np.array_equal(by_other.parts, own.parts)
    # None at all: z itself, by formula and tail.
    no_siblings = found(siblings={})
    assert str(no_siblings) == "|z| >= 1.96 (p <= .05, two-tailed)"
    assert np.array_equal(no_siblings.parts != 0, np.abs(maps["z"]) >= 1.959964)
    with pytest.raises(ResultsError, match="states no p"):
        found(siblings={"p": results["prob_desc-A"]})
    far = opened({"p": np.ones((4, 4, 4))}, affine=np.diag([40, 40, 40, 1]))["p"]
    with pytest.raises(ResultsError, match="is on another grid"):
        found(siblings={"p": far})


def test_a_chosen_sibling_tells_the_tail_of_a_lone_z(rng: np.random.Generator) -> None:
    z = rng.normal(0, 2, SHAPE)
    for factor, height in ((1, "z >= 1.64"), (2, "|z| >= 1.96")):
        strength = np.abs(z) if factor == 2 else z
        p = lone(factor * stats.norm.sf(strength), MapKind.P)
        found = apply_threshold(
            PSource(lone(z), Evidence(siblings={"p": p})), Threshold(p=0.05)
        )
        words = "two-tailed" if factor == 2 else "one-tailed"
        assert words in str(found)
        assert height.strip("|z ") in str(found)


# --- degrees of freedom -----------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "dof", "upper"),
    [
        (MapKind.T, 12.5, lambda x: stats.t.sf(x, 12.5)),
        (MapKind.CHI2, 3, lambda x: stats.chi2.sf(x, 3)),
        (MapKind.F, (2, 30), lambda x: stats.f.sf(x, 2, 30)),
    ],
)
def test_degrees_of_freedom_that_are_stated(
    rng: np.random.Generator,
    kind: MapKind,
    dof: Any,
    upper: Callable[[Array], Array],
) -> None:
    data = np.abs(rng.normal(0, 12, SHAPE)).astype(np.float32)
    statmap = lone(data, kind)
    source = PSource(statmap, Evidence(dof=dof))
    p = upper(data.astype(float))
    everywhere = np.ones(SHAPE, bool)
    q = stats.false_discovery_control(p, axis=None).reshape(SHAPE)
    for asked, expected in (
        ({"p": 0.01}, p <= 0.01),
        ({"q": 0.05}, q <= 0.05),
        ({"bonferroni": 0.05}, p <= 0.05 / p.size),
    ):
        found = apply_threshold(source, Threshold(**asked), everywhere)
        assert np.array_equal(found.parts != 0, expected), asked
        assert 0 < expected.sum() < expected.size
        assert upper(found.height) == pytest.approx(found.p)
    by_height = apply_threshold(source, Threshold(value=3))
    assert by_height.p == pytest.approx(upper(np.float64(3)))
    for asked in ({"p": 0.01}, {"q": 0.01}):
        with pytest.raises(ResultsError, match="degrees of freedom"):
            ask(statmap, everywhere, **asked)
    wrong = Evidence(dof=4 if kind is MapKind.F else (1, 4))
    with pytest.raises(ResultsError, match=r"degrees of freedom.*, not"):
        apply_threshold(PSource(statmap, wrong), Threshold(p=0.01))


def test_degrees_of_freedom_of_a_map_without_them_are_refused() -> None:
    evidence = Evidence(dof=12)
    with pytest.raises(ResultsError, match="they are for t, chi2 and F"):
        apply_threshold(PSource(lone(np.ones(SHAPE)), evidence), Threshold(p=0.01))


def test_a_height_beyond_all_floats_of_p_is_told_by_its_logarithm() -> None:
    data = np.full(SHAPE, 0.1, np.float32)
    data[2, 2, 2] = 60
    found = ask(lone(data), np.ones(SHAPE, bool), q=0.05, tail="positive")
    assert (found.height, found.p) == (pytest.approx(60), 0)
    assert "z >= 60 (FDR q <= .05 (Benjamini-Hochberg), -log10 p >= 783.9" in str(found)


# --- refusals ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "exactly one"),
        ({"value": 1, "p": 0.05}, "exactly one"),
        ({"q": 0.05, "bonferroni": 0.05}, "exactly one"),
        ({"p": 0}, "between 0 and 1"),
        ({"q": 1}, "between 0 and 1"),
        ({"bonferroni": -0.05}, "between 0 and 1"),
        ({"p": math.nan}, "between 0 and 1"),
        ({"value": math.nan}, "must be a finite number"),
        ({"value": math.inf}, "must be a finite number"),
        ({"p": 0.05, "strict": True}, "strict goes with value only"),
        ({"q": 0.05, "fdr": "by"}, "fdr must be one of BH"),
        ({"p": 0.05, "fdr": "BY"}, "give q with it"),
    ],
)
def test_a_question_has_one_answer(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ResultsError, match=says):
        Threshold(**asked)


def refused(statmap: StatMap, says: str, **asked: Any) -> None:
    with pytest.raises(ResultsError, match=says):
        ask(statmap, **asked)


def test_refusals_of_corrected_maps(opened: Opened, rng: np.random.Generator) -> None:
    maps = one_tailed(rng)
    corrected = {f"{value}_{FDR}": data for value, data in maps.items()}
    by_cluster = f"z_desc-mass_level-cluster_{CORRECTED.partition('_')[2]}"
    results = opened(
        maps | corrected | {by_cluster: maps["z"], f"z_{CORRECTED}": maps["z"]}
    )
    refused(results[f"z_{FDR}"], "already corrected", q=0.05)
    refused(results[f"z_{CORRECTED}"], "already corrected", bonferroni=0.05)
    refused(results[by_cluster], "each cluster carries one value", value=2)
    # Its own p may be asked for.
    found = ask(results[f"z_{FDR}"], p=0.05)
    assert found.parts.any()
    assert "(q <= .05, " in str(found)


def test_refusals_of_what_is_not_known(
    opened: Opened, rng: np.random.Generator
) -> None:
    maps = one_tailed(rng)
    z = opened({"z": maps["z"]})["z"]
    refused(z, "Give a mask", q=0.05)
    refused(z, "Give a mask", bonferroni=0.05)
    stat = opened({"stat": maps["z"]})["stat"]
    refused(stat, "has no p", p=0.05)
    everywhere = np.ones(SHAPE, bool)
    with pytest.raises(ResultsError, match="needs its p or logp"):
        ask(stat, everywhere, q=0.05)
    with pytest.raises(ResultsError, match="no values inside the mask"):
        ask(lone(maps["z"]), ~everywhere, bonferroni=0.05)


@pytest.mark.parametrize("asked", [{"q": 0.05}, {"bonferroni": 0.05}])
@pytest.mark.parametrize(
    ("kind", "of_z", "dof"),
    [
        (MapKind.Z, lambda z: z, None),
        (MapKind.T, lambda z: z, 40),
        (MapKind.CHI2, lambda z: z**2, 1),
        (MapKind.F, lambda z: z**2, (1, 40)),
        (MapKind.LOGP, lambda z: -np.log10(stats.norm.sf(z)), None),
        (MapKind.ONE_MINUS_P, lambda z: stats.norm.cdf(z), None),
        (MapKind.P, lambda z: stats.norm.sf(z), None),
    ],
)
def test_a_map_that_was_thresholded_is_refused(
    rng: np.random.Generator,
    asked: dict[str, float],
    kind: MapKind,
    of_z: Callable[[Array], Array],
    dof: Any,
) -> None:
    z = np.abs(rng.normal(0, 2, SHAPE))
    everywhere = np.ones(SHAPE, bool)
    whole = lone(of_z(z), kind)
    evidence = Evidence(dof=dof)
    found = apply_threshold(PSource(whole, evidence), Threshold(**asked), everywhere)
    assert found.n_tests == z.size
    cut = lone(np.where(z > 1.8, of_z(z), 0), kind)
    with pytest.raises(ResultsError, match="has already been thresholded"):
        apply_threshold(PSource(cut, evidence), Threshold(**asked), everywhere)


#: Which no p beside them tells of either: it is that of the effect.
BESIDE_A_TEST = ["prob_desc-A", "se", "tau2", "sigma2", "dof"]
WITHOUT_P = ["stat", "est", "mystery", *BESIDE_A_TEST]


@pytest.mark.parametrize("stem", WITHOUT_P)
@pytest.mark.parametrize("asked", ["p", "q", "bonferroni"])
def test_what_has_no_p_is_refused_one(
    opened: Opened, rng: np.random.Generator, stem: str, asked: str
) -> None:
    statmap = opened({stem: np.abs(rng.normal(size=SHAPE))})[stem]
    says = "has no p: threshold it by value" if asked == "p" else "its p or logp map"
    if stem in BESIDE_A_TEST:
        says = "no test belongs to it. Threshold it by value"
    with pytest.raises(ResultsError, match=says) as refused:
        ask(statmap, np.ones(SHAPE, bool), **{asked: 0.05})
    assert statmap.kind.meaning in str(refused.value)


@pytest.mark.parametrize("asked", ["value", "p", "q", "bonferroni"])
def test_an_anatomical_image_is_no_map(opened: Opened, asked: str) -> None:
    statmap = opened({"T1w": np.ones(SHAPE)})["T1w"]
    with pytest.raises(ResultsError, match="anatomical images cannot be thresholded"):
        ask(statmap, np.ones(SHAPE, bool), **{asked: 0.05})


def test_refusals_of_directions(opened: Opened, rng: np.random.Generator) -> None:
    results = opened(one_tailed(rng))
    for tail in ("negative", "both"):
        refused(results["z"], "only the positive direction", p=0.05, tail=tail)
        refused(results["logp"], "have no direction", p=0.05, tail=tail)
    # Also where only the p beside a statistic knows: its values may be negative.
    maps = one_tailed(rng)
    results = opened({"p": maps["p"], "est": rng.normal(size=SHAPE), "z": maps["z"]})
    for asked in ({"p": 0.05}, {"q": 0.05}):
        refused(results["est"], "only the positive", tail="negative", **asked)
    assert ask(results["est"], value=1, tail="negative").parts.any()
    refused(results["z"], "tail must be positive, negative", p=0.05, tail="left")
    refused(results["z"], "above 0. For negative", value=-2)
    refused(results["z"], "above 0. For negative", value=0)


def test_labels_are_not_thresholded(opened: Opened, rng: np.random.Generator) -> None:
    name = f"label_desc-mass_level-cluster_{CORRECTED.partition('_')[2]}_tail-positive"
    results = opened(one_tailed(rng) | {name: np.ones(SHAPE)})
    refused(results[name], "labels cannot be thresholded", value=1)
