"""Adjusted p against scipy's, and beyond where p has no float."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from napari_neurosynth_results import ResultsError
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    FdrMethod,
    adjusted_log_q,
    critical_log_p,
)

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
    assert np.exp(adjusted_log_q(np.log(p), method)) == pytest.approx(expected)


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
    log_q = adjusted_log_q(log_p)
    assert log_q.tolist() == pytest.approx(
        [-5000 + math.log(4 / 3), -1, -np.inf, -5000 + math.log(4 / 3)]
    )


def test_nan_is_no_test_and_shapes_are_kept() -> None:
    p = np.array([[0.01, np.nan], [0.02, 0.9]])
    q = np.exp(adjusted_log_q(np.log(p)))
    assert q[~np.isnan(p)] == pytest.approx([0.03, 0.03, 0.9])
    assert np.isnan(q[0, 1])
    assert adjusted_log_q(np.empty(0)).size == 0
    with pytest.raises(ResultsError, match="fdr must be one of BH"):
        adjusted_log_q(np.log(p), "holm")  # type: ignore[arg-type]
