"""Adjusted p against scipy's, and beyond where p has no float."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from napari_neurosynth_results import ResultsError, ResultSet, find_clusters
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    FdrMethod,
    adjusted_log_q,
    critical_log_p,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.thresholds.apply import apply_threshold
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

SHAPE = (8, 9, 8)
BRAIN = (slice(1, 7), slice(1, 8), slice(1, 7))
PS = hnp.arrays(
    np.float64,
    st.integers(1, 60),
    # Ties too.
    elements=st.floats(1e-300, 1) | st.sampled_from([1e-4, 0.01, 0.05, 0.5, 1]),
)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["BH", "BY"])
@given(p=PS)
def test_adjusted_p_is_that_of_scipy(p: np.ndarray, method: FdrMethod) -> None:
    expected = stats.false_discovery_control(p, method=method.lower())
    log_p = np.log(p)
    assert np.exp(adjusted_log_q(log_p, log_p, method)) == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["BH", "BY"])
@given(p=PS, q=st.floats(0.001, 0.5))
def test_the_critical_p_divides_what_is_kept(
    p: np.ndarray, method: FdrMethod, q: float
) -> None:
    kept = stats.false_discovery_control(p, method=method.lower()) <= q * (1 + 1e-6)
    critical = critical_log_p(np.log(p), q, method)
    if critical is None:
        assert not kept.any()
    else:
        assert np.array_equal(np.log(p) <= critical, kept)


def test_q_of_exactly_alpha_is_kept_as_float32_says_it() -> None:
    # Ten tests, the third p is .015: its q is exactly .05, or a little more.
    p = np.array([0.001, 0.002, 0.015, *[0.6] * 7])
    for wiggle, kept in ((1, True), (1 + 5e-7, True), (1 + 5e-6, False)):
        p[2] = 0.015 * wiggle
        critical = critical_log_p(np.log(p), 0.05)
        assert (critical == pytest.approx(math.log(0.015), rel=1e-5)) is kept


def test_what_underflows_is_adjusted_as_well() -> None:
    log_p = np.array([-5000.0, -1.0, -np.inf, -5000.0])
    log_q = adjusted_log_q(log_p, log_p)
    assert log_q.tolist() == pytest.approx(
        [-5000 + math.log(4 / 3), -1, -np.inf, -5000 + math.log(4 / 3)]
    )


def test_nan_is_no_test_and_shapes_are_kept() -> None:
    p = np.array([[0.01, np.nan], [0.02, 0.9]])
    q = np.exp(adjusted_log_q(np.log(p), np.log(p)))
    assert q[~np.isnan(p)] == pytest.approx([0.03, 0.03, 0.9])
    assert np.isnan(q[0, 1])
    assert adjusted_log_q(np.log(p), np.empty(0)).size == 0
    with pytest.raises(ResultsError, match="fdr must be one of BH"):
        adjusted_log_q(np.log(p), [], "holm")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "tail"),
    [
        *(("z", tail) for tail in ("auto", "both", "positive", "negative")),
        # A p has no direction.
        *(("p", tail) for tail in ("auto", "positive")),
    ],
)
def test_where_each_direction_has_a_p_of_its_own_both_are_counted(
    opened: Callable[..., ResultSet],
    rng: np.random.Generator,
    value: str,
    tail: Direction,
) -> None:
    z, p = np.zeros(SHAPE), np.zeros(SHAPE)
    z[BRAIN] = rng.normal(0, 2, z[BRAIN].shape)
    inside = z != 0
    # As ALESubtraction writes it: one-tailed, in the direction of the sign.
    p[inside] = stats.norm.sf(np.abs(z[inside]))
    one_side = value == "z" and tail in ("positive", "negative")
    side = {"positive": z > 0, "negative": z < 0}[tail] if one_side else inside
    either = np.float64(np.float32(p)) * (1 if one_side else 2)
    either[~side] = 1
    results = opened(
        {f"{name}_desc-group1MinusGroup2": m for name, m in (("z", z), ("p", p))}
    )
    statmap = results[f"{value}_desc-group1MinusGroup2"]
    source = PSource(statmap)
    asked: dict[str, Any]
    for asked, adjusted in (
        ({"q": 0.05}, stats.false_discovery_control(either[inside])),
        ({"bonferroni": 0.05}, either[inside] * inside.sum()),
    ):
        expected = np.zeros(SHAPE, bool)
        expected[inside] = adjusted <= 0.05
        assert expected.any()
        found = apply_threshold(source, Threshold(tail=tail, **asked))
        assert np.array_equal(found.parts != 0, expected & side)
        assert found.n_tests == inside.sum()
        assert ("one-tailed in each direction" in str(found)) is not one_side
        column = "peak_q" if "q" in asked else "peak_p_fwe"
        corrected = find_clusters(statmap, tail=tail, atlas=None, **asked).corrected
        assert (corrected[column] <= 0.05 * (1 + 1e-6)).all()
        assert corrected[column].min() == pytest.approx(adjusted.min(), rel=1e-4)
    # What the map states is what is asked for by p alone.
    kept_by_p = apply_threshold(source, Threshold(p=0.01, tail=tail)).parts != 0
    assert np.array_equal(kept_by_p, inside & side & (p <= 0.01))
