"""A p that was counted: its grain, its interval, the iterations behind it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.p_values.monte_carlo import (
    MonteCarlo,
    find_iterations,
    intervals,
)

Opened = Callable[..., ResultSet]
MONTE_CARLO = "level-voxel_corr-FWE_method-montecarlo"
CLUSTER = "desc-mass_level-cluster_corr-FWE_method-montecarlo"
SHAPE = (8, 9, 8)


@given(n=st.integers(1, 20_000), data=st.data())
def test_the_interval_is_that_of_scipys_exact_binomial_test(
    n: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, n))
    exact = stats.binomtest(k, n).proportion_ci(0.95, "exact")
    p = MonteCarlo(k / n, n)
    assert (p.low, p.high) == pytest.approx((exact.low, exact.high), rel=1e-6)
    # What float32 leaves of p changes nothing.
    low, high = intervals(np.array([float(np.float32(k / n)), np.nan]), n)
    assert (low[0], high[0]) == pytest.approx((exact.low, exact.high), rel=1e-6)
    assert np.isnan([low[1], high[1]]).all()
    assert np.isnan(intervals(np.array([k / n]), None)).all()


@pytest.mark.parametrize(
    ("p", "n", "words"),
    [
        (0.005, 200, "p_FWE <= .005, 200 iterations"),
        (float(np.float32(0.0001)), 10_000, "p_FWE <= .0001, 10,000 iterations"),
        (0.015, 200, "p_FWE = .015 (.0031 to .0432), 200 iterations"),
        (1.0, 10, "p_FWE = 1 (.692 to 1), 10 iterations"),
    ],
)
def test_a_p_in_words(p: float, n: int, words: str) -> None:
    assert str(MonteCarlo(p, n)) == words


@pytest.mark.parametrize(
    ("p", "n", "borderline"),
    [
        (0.005, 200, False),
        (0.03, 200, True),
        (0.05, 200, True),
        (0.08, 200, True),
        (0.1, 200, False),
        (0.03, 10_000, False),
        (0.049, 10_000, True),
    ],
)
def test_more_iterations_make_it_surer(p: float, n: int, borderline: bool) -> None:
    assert MonteCarlo(p, n).borderline(0.05) is borderline


def voxels(*values: float) -> npt.NDArray[np.float32]:
    """Put values into the middle of an empty map, one after the other."""
    data = np.zeros(SHAPE, np.float32)
    data[1, 1, 1 : 1 + len(values)] = values
    return data


# --- iterations -------------------------------------------------------------------


def test_iterations_are_read_off_the_methods_text(opened: Opened) -> None:
    text = (
        "Family-wise error rate correction: 2,500 iterations were performed to "
        "estimate a null distribution."
    )
    stem = f"logp_{MONTE_CARLO}"
    results = opened({stem: voxels(2.0)}, {"boilerplate.txt": text})
    assert find_iterations(results[stem]) == 2500


@pytest.mark.parametrize("n", [10, 100, 1000, 5000])
def test_iterations_are_read_off_the_floor(opened: Opened, n: int) -> None:
    stem = f"logp_{MONTE_CARLO}"
    floor, some = -math.log10(1 - 1 / n), -math.log10(3 / n)
    results = opened({stem: voxels(some, floor, floor)})
    assert find_iterations(results[stem]) == n
    # A p between the steps of n iterations, and the floor was none.
    between = -math.log10(3.4 / n)
    results = opened({stem: voxels(between, floor, floor)})
    assert find_iterations(results[stem]) is None


def test_a_z_map_finds_the_floor_on_its_sibling(opened: Opened) -> None:
    floor = -math.log10(1 - 1 / 200)
    results = opened(
        {f"z_{MONTE_CARLO}": voxels(2.5), f"logp_{MONTE_CARLO}": voxels(2.3, floor)}
    )
    assert find_iterations(results[f"z_{MONTE_CARLO}"]) == 200


def test_a_floor_that_is_none_tells_no_iterations(opened: Opened) -> None:
    stem = f"logp_{MONTE_CARLO}"
    assert find_iterations(opened({stem: voxels(2.0, 0.31)})[stem]) is None
    assert find_iterations(opened({stem: voxels()})[stem]) is None


@pytest.mark.parametrize("key", [f"z_{MONTE_CARLO}", f"logp_{CLUSTER}"])
def test_text_and_floor_agree_in_the_sample(sample_path: Path, key: str) -> None:
    folder = open_results(sample_path)
    assert folder.iterations == 1000
    # The files alone, without the text beside them.
    alone = open_results(sorted(sample_path.glob("*.nii.gz")))
    assert alone.iterations is None
    assert find_iterations(folder[key]) == find_iterations(alone[key]) == 1000


def test_other_maps_have_no_iterations(opened: Opened, sample_path: Path) -> None:
    sample = open_results(sample_path)
    assert find_iterations(sample["z"]) is None
    results = opened({"p_corr-FDR_method-indep": voxels(0.999)})
    assert find_iterations(results["p_corr-FDR_method-indep"]) is None
