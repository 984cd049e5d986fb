"""Every two of several maps: the same numbers as two at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from helpers.maps_in_memory import lone, placed
from napari_neurosynth_results import ResultsError, find_clusters, open_results
from napari_neurosynth_results.statistics.comparison.comparison import compare
from napari_neurosynth_results.statistics.comparison.matrix import compare_all

SHAPE = (4, 5, 6)
LEVELS = st.sampled_from([0, 0, 1, 2, 3, -1, -3, np.nan])
STACKS = hnp.arrays(np.float32, (3, *SHAPE), elements=LEVELS, fill=st.nothing())


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(stack=STACKS, height=st.sampled_from([0.5, 1.5, 9]))
def test_as_two_at_a_time(stack: np.ndarray, height: float) -> None:
    clusters = [find_clusters(lone(m), value=height, atlas=None) for m in stack]
    # One set of voxels for all pairs: those that all maps have.
    mask = np.isfinite(stack).all(axis=0)
    found = compare_all(clusters, mask=np.ones(SHAPE, bool))
    assert found.n_voxels == mask.sum()
    assert len(found.table) == 3
    for first in range(3):
        for second in range(3):
            pair = compare(clusters[first], clusters[second], mask=mask)
            for measure in ("dice", "jaccard", "r", "rho"):
                ours = getattr(found, measure).iloc[first, second]
                assert ours == pytest.approx(
                    getattr(pair, measure), abs=1e-9, nan_ok=True
                )


def test_real_maps_on_two_grids(sample_path: Path) -> None:
    results = open_results(sample_path)
    z = results["z"]
    coarse = lone(z.data[::2, ::2, ::2], placed(4, z.grid.origin))
    clusters = [
        find_clusters(m, value=2, atlas=None) for m in (z, results["logp"], coarse)
    ]
    found = compare_all(clusters, ["z", "logp", "coarse"])
    pair = compare(clusters[0], clusters[2])
    assert "coarse" in found.resampled
    assert found.dice.loc["z", "coarse"] == pair.dice
    x, y = (results[key].data[z.mask].astype(float) for key in ("z", "logp"))
    alone = compare_all(clusters[:2])
    assert alone.n_voxels == z.mask.sum()
    assert alone.r.iloc[0, 1] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert alone.rho.iloc[0, 1] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert str(found).startswith("3 maps, 3 pairs: Dice ")


def test_what_cannot_be_correlated_is_no_number(sample_path: Path) -> None:
    results = open_results(sample_path)
    stem = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
    maps = [results["z"], results[stem]]
    found = compare_all([find_clusters(m, p=0.001, atlas=None) for m in maps])
    assert found.r.isna().to_numpy().tolist() == [[False, True], [True, True]]
    data = np.arange(120.0).reshape(SHAPE)
    unknown = compare_all([find_clusters(lone(data), value=9, atlas=None)] * 2)
    assert unknown.r.isna().all(axis=None)
    assert unknown.dice.iloc[0, 1] == 1
    assert any("No analysis mask is known" in told for told in unknown.notices)


def test_one_map_is_nothing_to_compare() -> None:
    clusters = find_clusters(lone(np.ones(SHAPE)), value=0.5, atlas=None)
    with pytest.raises(ResultsError, match="two maps or more"):
        compare_all([clusters])
