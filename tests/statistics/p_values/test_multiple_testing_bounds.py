"""Bounds on true discoveries are those of closed testing, over all subsets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from napari_neurosynth_results import ResultsError
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    Dependence,
    DiscoveryBounds,
)

Array = npt.NDArray[Any]
DEPENDENCES: tuple[Dependence, ...] = ("positive", "any")


def subsets(m: int) -> Iterator[tuple[int, ...]]:
    for size in range(1, m + 1):
        yield from combinations(range(m), size)


def is_rejected(p: list[float], alpha: float, dependence: Dependence) -> bool:
    """Test one intersection hypothesis, by Simes' test or Hommel's robust one."""
    n = len(p)
    scale = n if dependence == "positive" else n * sum(1 / i for i in range(1, n + 1))
    ordered = sorted(p)
    return any(scale * ordered[j] <= (j + 1) * alpha for j in range(n))


def by_closed_testing(
    p: list[float], alpha: float, dependence: Dependence
) -> tuple[int, dict[tuple[int, ...], int]]:
    """Return h, and of each subset the true discoveries, from all subsets."""
    kept = [
        set(one)
        for one in subsets(len(p))
        if not is_rejected([p[i] for i in one], alpha, dependence)
    ]
    # A set holds as many false discoveries as a set that is not rejected may share.
    bounds = {
        one: len(one) - max((len(other & set(one)) for other in kept), default=0)
        for one in subsets(len(p))
    }
    return max(map(len, kept), default=0), bounds


def count(p: list[float], chosen: tuple[int, ...], **how: Any) -> int:
    labels = np.zeros(len(p), int)
    labels[list(chosen)] = 1
    return int(DiscoveryBounds.of_p(np.array(p), **how).count(labels, 1)[0])


PLAIN = st.floats(0, 1)
#: Ties on the line of Simes' test, many p below alpha, p of 0.
TIED = st.sampled_from([0.0, 0.01, 0.0125, 0.02, 0.025, 0.03, 0.0375, 0.04, 0.05, 0.1])
FAMILIES = st.lists(PLAIN | TIED | st.floats(0, 0.05), min_size=1, max_size=7)


@pytest.mark.slow
@pytest.mark.parametrize("dependence", DEPENDENCES)
@settings(max_examples=150, deadline=None)
@given(p=FAMILIES, alpha=st.sampled_from([0.05, 0.2]))
@example(p=[0.0, 0.0, 0.2, 0.9], alpha=0.05)
@example(p=[0.025, 0.05], alpha=0.05)
@example(p=[0.05], alpha=0.05)
def test_every_set_of_a_small_family(
    p: list[float], alpha: float, dependence: Dependence
) -> None:
    h, expected = by_closed_testing(p, alpha, dependence)
    bounds = DiscoveryBounds.of_p(np.array(p), alpha, dependence)
    assert bounds.hommel == h
    assert bounds.total == expected[tuple(range(len(p)))]
    for chosen, discoveries in expected.items():
        labels = np.zeros(len(p), int)
        labels[list(chosen)] = 1
        assert bounds.count(labels, 1).tolist() == [discoveries], chosen


@pytest.mark.parametrize(
    ("p", "h", "discoveries"),
    [
        ([0.001, 0.01, 0.02, 0.03, 0.5], 2, 3),
        ([0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.3, 0.6], 9, 1),
        ([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.5, 0.9], 8, 0),
        ([0.0, 0.0, 0.2, 0.9], 2, 2),
        ([0.025, 0.05], 0, 2),
        ([0.001, 0.002, 0.003], 0, 3),
    ],
)
def test_values_that_were_worked_out(p: list[float], h: int, discoveries: int) -> None:
    bounds = DiscoveryBounds.of_p(np.array(p))
    assert (bounds.hommel, bounds.total) == (h, discoveries)
    assert count(p, tuple(range(len(p)))) == discoveries


def test_single_tests_are_those_of_hommels_procedure(rng: np.random.Generator) -> None:
    p = np.append(rng.uniform(size=300), rng.uniform(size=40) * 1e-3)
    bounds = DiscoveryBounds.of_p(p)
    found = bounds.count(np.arange(1, p.size + 1), p.size)
    assert np.array_equal(found == 1, p <= 0.05 / bounds.hommel)


@pytest.mark.parametrize("dependence", DEPENDENCES)
def test_many_sets_at_once_as_one_by_one(
    rng: np.random.Generator, dependence: Dependence
) -> None:
    p = stats.norm.sf(rng.normal(size=4000) + (rng.random(4000) < 0.2) * 4)
    labels = rng.integers(0, 60, p.size)
    bounds = DiscoveryBounds.of_p(p, dependence=dependence)
    scale = bounds.hommel
    if dependence == "any":
        scale *= (1 / np.arange(1, bounds.hommel + 1)).sum()
    for label, found in enumerate(bounds.count(labels, 59), start=1):
        inside = p[labels == label]
        u = np.arange(1, inside.size + 1)
        below = (scale * inside[:, np.newaxis] <= u * 0.05).sum(axis=0)
        assert found == max(0, int((1 - u + below).max()))


@pytest.mark.parametrize("dependence", DEPENDENCES)
def test_h_is_the_largest_that_is_not_rejected(
    rng: np.random.Generator, dependence: Dependence
) -> None:
    for share in (0.0, 0.1, 0.6, 1.0):
        p = np.sort(np.where(rng.random(300) < share, 1e-3, 1) * rng.uniform(size=300))
        for alpha in (0.01, 0.05, 0.5):
            kept = [
                i
                for i in range(1, 301)
                if not is_rejected(p[300 - i :].tolist(), alpha, dependence)
            ]
            found = DiscoveryBounds.of_p(p, alpha, dependence).hommel
            assert found == max(kept, default=0)


def test_a_floor_of_p_needs_company() -> None:
    # 200 permutations: no p is below .005.
    p = np.append(np.full(300, 0.005), np.linspace(0.1, 1, 700))
    bounds = DiscoveryBounds.of_p(p)
    assert bounds.needed == np.ceil(bounds.hommel * 0.005 / 0.05)
    labels = np.zeros(p.size, int)
    labels[: bounds.needed - 1] = 1
    assert bounds.count(labels, 1).tolist() == [0]
    labels[: bounds.needed] = 1
    assert bounds.count(labels, 1).tolist() == [1]


def test_what_can_be_asked() -> None:
    p = np.array([0.01])
    for alpha in (0, 1, -0.1, np.nan):
        with pytest.raises(ResultsError, match="between 0 and 1"):
            DiscoveryBounds.of_p(p, alpha)
    with pytest.raises(ResultsError, match="positive or any"):
        DiscoveryBounds.of_p(p, 0.05, "none")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("fwhm", [0, 3, 6])
@pytest.mark.parametrize("with_signal", [False, True])
def test_wrong_claims_are_rarer_than_alpha(
    rng: np.random.Generator, fwhm: float, with_signal: bool
) -> None:
    """Smooth fields: any claim about any of these sets may be wrong in 5 of 100."""
    from scipy import ndimage

    n, side, wrong = 300, 20, 0
    signal = np.zeros((side,) * 3)
    if with_signal:
        for center in ((6, 6, 6), (13, 13, 13)):
            where = np.indices(signal.shape).reshape(3, -1).T - center
            signal.ravel()[(where**2).sum(axis=1) <= 16] = 3.5
    for _ in range(n):
        noise = rng.normal(size=signal.shape)
        if fwhm:
            noise = ndimage.gaussian_filter(noise, fwhm / 2.3548, mode="wrap")
            noise /= noise.std()
        z = noise + signal
        bounds = DiscoveryBounds.of_p(stats.norm.sf(z.ravel()))
        wrong += any(
            (bounds.count(labels.ravel(), n_sets) > true).any()
            for labels, n_sets, true in claims(z, signal > 0)
        )
    # By chance alone a true 5 % would come out so high in 1 of 1,000 simulations.
    assert wrong <= stats.binom.ppf(0.999, n, 0.05)


def claims(z: Array, active: Array) -> Iterator[tuple[Array, int, Array]]:
    """Make sets by looking at the data: clusters, and the strongest voxels."""
    from scipy import ndimage

    for height in (1.5, 2.3, 3.1, 4):
        labels, n_sets = ndimage.label(z > height)
        true = np.bincount(labels[active], minlength=n_sets + 1)[1:]
        yield labels, n_sets, true
    order = np.argsort(-z, axis=None)
    for size in (10, 50, 200, 1000):
        labels = np.zeros(z.size, int)
        labels[order[:size]] = 1
        yield labels, 1, np.array([active.ravel()[order[:size]].sum()])
