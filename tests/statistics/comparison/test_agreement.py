"""Ranks of any values, and of any part of them, as scipy gives them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from napari_neurosynth_results.statistics.comparison import agreement
from napari_neurosynth_results.statistics.comparison.agreement import (
    MapSample,
    RankOrder,
    correlate,
)

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
TIED = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 3e38, -3e38])


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    values=st.integers(0, 40).flatmap(
        lambda n: hnp.arrays(np.float32, n, elements=FINITE | TIED)
    ),
    seed=st.integers(0, 9),
)
def test_ranks_as_scipy(values: np.ndarray, seed: int) -> None:
    part = np.random.default_rng(seed).random(values.size) < seed / 9
    ranked = RankOrder(values)
    assert np.array_equal(ranked.within(None) + 1, rankdata(values))
    assert np.array_equal(ranked.within(part) + 1, rankdata(values[part]))


def test_side_by_side_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    shape = (12, 11, 10)
    maps = [
        MapSample(rng.normal(size=shape).round(1).astype(np.float32), mask, True)
        for mask in (np.ones(shape, bool),) * 2
    ]
    alone = correlate(*maps, maps[0].inside)
    monkeypatch.setattr(agreement, "WORTH_A_THREAD", 1)
    assert correlate(*maps, maps[0].inside) == alone
