"""Value and p say the same thing, both ways, and far beyond where p underflows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_neurosynth_results import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.statistics.p_values.conversion import (
    convert_to_log_p,
    height_at,
    height_at_log_p,
)

TAILS = st.sampled_from([Tail.ONE, Tail.TWO])
PS = st.floats(1e-290, 0.4)


@given(z=st.floats(-40, 40))
def test_one_tailed_z_is_the_upper_tail_of_the_normal(z: float) -> None:
    found = convert_to_log_p(z, MapKind.Z, Tail.ONE)
    assert math.isclose(found, stats.norm.logsf(z), rel_tol=1e-12, abs_tol=1e-300)


@given(z=st.floats(-40, 40))
def test_two_tailed_z_counts_both_directions(z: float) -> None:
    found = convert_to_log_p(z, MapKind.Z, Tail.TWO)
    expected = min(math.log(2) + stats.norm.logsf(abs(z)), 0)
    assert math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-15)


@given(t=st.floats(-30, 30), dof=st.floats(1, 200), tail=TAILS)
def test_t_takes_its_degrees_of_freedom(t: float, dof: float, tail: Tail) -> None:
    found = convert_to_log_p(t, MapKind.T, tail, dof)
    upper = stats.t.sf(t if tail is Tail.ONE else abs(t), dof)
    expected = math.log(min(upper * (2 if tail is Tail.TWO else 1), 1))
    assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


@given(x=st.floats(0, 600), dof=st.floats(0.5, 300))
def test_chi2_is_its_upper_tail(x: float, dof: float) -> None:
    found = convert_to_log_p(x, MapKind.CHI2, Tail.NONE, dof)
    expected = stats.chi2.logsf(x, dof)
    assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


@given(x=st.floats(0, 200), dof=st.tuples(st.floats(0.5, 50), st.floats(1, 300)))
def test_f_is_its_upper_tail(x: float, dof: tuple[float, float]) -> None:
    found = convert_to_log_p(x, MapKind.F, Tail.NONE, dof)
    expected = stats.f.logsf(x, *dof)
    # Close to p = 1 the last digits of F are lost; nobody asks for that p.
    assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-8)


@given(z=st.floats(0, 60), dof=st.floats(1, 1000))
def test_squares_are_two_tailed(z: float, dof: float) -> None:
    # A chi2 of one degree of freedom is a squared z; such an F is a squared t.
    two = convert_to_log_p(z, MapKind.Z, Tail.TWO)
    assert convert_to_log_p(z**2, MapKind.CHI2, Tail.NONE, 1.0) == pytest.approx(
        two, rel=1e-9
    )
    two = convert_to_log_p(z, MapKind.T, Tail.TWO, dof)
    squared = convert_to_log_p(z**2, MapKind.F, Tail.NONE, (1.0, dof))
    # As above, close to p = 1, which SciPy 1.14 takes it for where F is nearly 0.
    assert squared == pytest.approx(two, rel=1e-8, abs=1e-8 if z > 1e-6 else 3e-7)


@given(p=st.floats(1e-300, 1))
def test_p_logp_and_one_minus_p_need_no_tail(p: float) -> None:
    assert convert_to_log_p(p, MapKind.P, Tail.NONE) == pytest.approx(math.log(p))
    minus = -math.log10(p)
    assert convert_to_log_p(minus, MapKind.LOGP, Tail.NONE) == pytest.approx(
        math.log(p)
    )
    found = convert_to_log_p(-math.log(p), MapKind.LNP, Tail.NONE)
    assert found == pytest.approx(math.log(p))
    if 1e-6 < p < 1:
        found = convert_to_log_p(1 - p, MapKind.ONE_MINUS_P, Tail.NONE)
        assert found == pytest.approx(math.log(p), rel=1e-6)


@given(p=PS, tail=TAILS)
def test_a_height_reaches_exactly_its_p(p: float, tail: Tail) -> None:
    for kind in (MapKind.Z, MapKind.P, MapKind.LOGP):
        height = height_at(p, kind, tail)
        assert convert_to_log_p(height, kind, tail) == pytest.approx(
            math.log(p), rel=1e-9
        )


@given(p=st.floats(1e-8, 0.4), tail=TAILS)
def test_a_height_of_1_minus_p_reaches_its_p(p: float, tail: Tail) -> None:
    height = height_at(p, MapKind.ONE_MINUS_P, tail)
    found = convert_to_log_p(height, MapKind.ONE_MINUS_P, tail)
    assert found == pytest.approx(math.log(p), rel=1e-6)


@given(p=st.floats(1e-30, 0.4), tail=TAILS, dof=st.floats(2, 200))
def test_a_height_of_t_reaches_its_p(p: float, tail: Tail, dof: float) -> None:
    height = height_at(p, MapKind.T, tail, dof)
    expected = stats.t.isf(p / 2 if tail is Tail.TWO else p, dof)
    assert height == pytest.approx(expected, rel=1e-6)
    found = convert_to_log_p(height, MapKind.T, tail, dof)
    assert found == pytest.approx(math.log(p), rel=1e-6)


@pytest.mark.parametrize(
    ("p", "tail", "z"),
    [
        (0.05, Tail.ONE, 1.6449),
        (0.05, Tail.TWO, 1.9600),
        (0.001, Tail.ONE, 3.0902),
        (0.001, Tail.TWO, 3.2905),
    ],
)
def test_heights_that_everybody_knows(p: float, tail: Tail, z: float) -> None:
    assert height_at(p, MapKind.Z, tail) == pytest.approx(z, abs=5e-5)


def test_z_of_40_does_not_underflow() -> None:
    # The asymptotic series of the upper tail, free of any library's normal.
    z = 40.0
    series = 1 - z**-2 + 3 * z**-4 - 15 * z**-6
    expected = -(z**2) / 2 - math.log(z * math.sqrt(2 * math.pi)) + math.log(series)
    found = convert_to_log_p(z, MapKind.Z, Tail.ONE)
    assert found == pytest.approx(expected, rel=1e-10)
    assert math.exp(found) == 0
    # Where p itself has no float any more, logp still carries it.
    logp = -found / math.log(10)
    assert convert_to_log_p(logp, MapKind.LOGP, Tail.ONE) == pytest.approx(
        expected, rel=1e-10
    )


def test_degrees_of_freedom_may_differ_from_voxel_to_voxel() -> None:
    t, dof = np.array([3.0, 3.0, 3.0]), np.array([4.5, 20.0, np.nan])
    found = convert_to_log_p(t, MapKind.T, Tail.TWO, dof)
    assert np.allclose(found[:2], np.log(2 * stats.t.sf(3.0, dof[:2])))
    assert np.isnan(found[2])


def test_shapes_are_kept() -> None:
    assert convert_to_log_p(np.zeros((2, 3, 4)), MapKind.Z, Tail.ONE).shape == (2, 3, 4)


# --- far into the tail ----


@pytest.mark.parametrize(("t", "dof"), [(60, 1e5), (100, 500), (1e4, 200), (80, 1e6)])
def test_t_is_exact_where_its_p_underflows(t: float, dof: float) -> None:
    reference = integrated(stats.t(dof), t)
    assert math.isinf(stats.t.logsf(t, dof))
    ours = convert_to_log_p(t, MapKind.T, Tail.ONE, dof)
    assert float(ours) == pytest.approx(reference, rel=1e-9)


@pytest.mark.parametrize(
    ("x", "dof"), [(1500, 1), (1e4, 1), (2000, 5.5), (6000, 1000), (1.3e5, 1e5)]
)
def test_chi2_is_exact_where_its_p_underflows(x: float, dof: float) -> None:
    reference = integrated(stats.chi2(dof), x)
    assert reference < math.log(5e-324)
    ours = convert_to_log_p(x, MapKind.CHI2, Tail.NONE, dof)
    assert float(ours) == pytest.approx(reference, rel=1e-9)


@pytest.mark.parametrize(
    ("x", "dof"),
    [(2000, (2, 500)), (500, (3, 1e5)), (15, (100, 1e4)), (1e22, (5, 30.5))],
)
def test_f_is_exact_where_its_p_underflows(x: float, dof: tuple[float, float]) -> None:
    reference = integrated(stats.f(*dof), x)
    assert reference < math.log(1e-200)
    ours = convert_to_log_p(x, MapKind.F, Tail.NONE, dof)
    assert float(ours) == pytest.approx(reference, rel=1e-9)


ROUND_TRIPS = [
    (MapKind.Z, None, 40.0),
    (MapKind.Z, None, 300.0),
    (MapKind.T, 60.5, 1e6),
    (MapKind.T, 500, 45.0),
    (MapKind.CHI2, 1, 1600.0),
    (MapKind.CHI2, 12, 30.0),
    (MapKind.F, (3, 400), 4000.0),
    (MapKind.F, (3, 400), 4.0),
    (MapKind.LOGP, None, 1000.0),
    (MapKind.LNP, None, 1000.0),
    (MapKind.ONE_MINUS_P, None, 0.9999),
    (MapKind.P, None, 1e-300),
]


@pytest.mark.parametrize("tail", [Tail.ONE, Tail.TWO])
@pytest.mark.parametrize(("kind", "dof", "value"), ROUND_TRIPS)
def test_from_value_to_log_p_and_back(
    kind: MapKind, dof: Any, value: float, tail: Tail
) -> None:
    log_p = float(convert_to_log_p(value, kind, tail, dof))
    assert -math.inf < log_p < 0
    assert height_at_log_p(log_p, kind, tail, dof) == pytest.approx(value, rel=1e-11)


@pytest.mark.slow
@given(log_p=st.floats(-5000, -1e-3), tail=TAILS, dof=st.floats(5, 400))
def test_from_log_p_to_value_and_back(log_p: float, tail: Tail, dof: float) -> None:
    for kind, n in (
        (MapKind.Z, None),
        (MapKind.T, dof),
        (MapKind.CHI2, dof),
        (MapKind.F, (dof, 300.0)),
        (MapKind.LOGP, None),
    ):
        height = height_at_log_p(log_p, kind, tail, n)
        if math.isinf(height):
            # No float is as large as a t or F of few degrees of freedom would be.
            assert kind in (MapKind.T, MapKind.F)
            assert log_p < -500
        else:
            back = float(convert_to_log_p(height, kind, tail, n))
            assert back == pytest.approx(log_p, rel=1e-9)


def test_p_may_underflow_and_infinity_is_the_end() -> None:
    assert height_at_log_p(-2000, MapKind.P, Tail.ONE) == 0
    assert height_at_log_p(-math.inf, MapKind.Z, Tail.TWO) == math.inf
    for log_p in (0, 0.1, math.nan):
        with pytest.raises(ValueError, match="log p must be below 0"):
            height_at_log_p(log_p, MapKind.Z, Tail.ONE)


def integrated(distribution: Any, x: float) -> float:
    """Return the logarithm of an upper tail by quadrature of the density.

    Over the logarithm of the value, from x on to where nothing is left, with the
    density scaled by its value at x.
    """
    u, step = np.linspace(0, 1e-9, 3, retstep=True)
    start = distribution.logpdf(x * np.exp(u)) + u
    falls = -(start[1] - start[0]) / step
    u, step = np.linspace(0, 60 / falls, 400_001, retstep=True)
    log_density: npt.NDArray[np.float64] = distribution.logpdf(x * np.exp(u)) + u
    area = np.exp(log_density - log_density[0])
    simpson = step / 3 * (area[0] + 4 * area[1::2].sum() + 2 * area[2:-1:2].sum())
    return float(log_density[0] + math.log(x) + math.log(simpson))


# --- refusals ---------------------------------------------------------------------

WITHOUT_P = sorted(
    set(MapKind)
    - {MapKind.Z, MapKind.P, MapKind.ONE_MINUS_P}
    - {MapKind.LOGP, MapKind.SIGNED_LOGP, MapKind.LNP}
)


@pytest.mark.parametrize("kind", WITHOUT_P)
def test_kinds_without_a_p_are_refused(kind: MapKind) -> None:
    with pytest.raises(ResultsError, match="Threshold it by value"):
        height_at(0.05, kind, Tail.TWO)
    with pytest.raises(ResultsError, match="Threshold it by value"):
        convert_to_log_p(1.0, kind, Tail.TWO)


@pytest.mark.parametrize("p", [0, 1, -0.1, 1.5, math.nan])
def test_a_p_that_is_none_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        height_at(p, MapKind.Z, Tail.ONE)
