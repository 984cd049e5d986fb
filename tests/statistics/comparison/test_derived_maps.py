"""The conjunction: the larger of two p where signs agree, as a map like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from helpers.maps_in_memory import Array, lone, made, placed
from napari_neurosynth_results import ResultsError, Tail, find_clusters, open_results
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.comparison.comparison import compare
from napari_neurosynth_results.statistics.thresholds.masks import resample_nearest

SHAPE = (4, 5, 6)
LEVELS = st.sampled_from([0, 0.3, 1, 1.7, 2.5, 3.5, 9, -1, -2.2, -4, -9])
FIELDS = hnp.arrays(np.float32, SHAPE, elements=LEVELS, fill=st.nothing())


def conjoined(a: StatMap, b: StatMap, **threshold: object) -> StatMap:
    """Return the conjunction of two maps."""
    asked = threshold or {"p": 0.05}
    found = compare(*(find_clusters(m, atlas=None, **asked) for m in (a, b)))
    assert found.conjunction is not None, found.no_conjunction
    return found.conjunction


def of_test(z: Array, tail: Tail) -> StatMap:
    """Make the z map of a test, with its p and logp beside it."""
    z = np.asarray(z, np.float64)
    if tail is Tail.TWO:
        log_p, stem = np.log(2) + stats.norm.logsf(np.abs(z)), "_desc-association"
    else:
        log_p, stem = stats.norm.logsf(z), ""
        z = np.maximum(z, 0)
    maps = {
        f"z{stem}": z,
        f"logp{stem}": -log_p / np.log(10),
        f"p{stem}": np.maximum(np.exp(log_p), 1e-37),
    }
    return made(maps)[f"z{stem}"]


def brute(a: StatMap, b: StatMap) -> tuple[Array, Array]:
    """Return p and sign, voxel by voxel, from the p of the two tests."""
    p, sign = np.ones(a.data.shape), np.zeros(a.data.shape)
    p_a, p_b = (
        next(v for k, v in m.results.siblings(m).items() if k == "p") for m in (a, b)
    )
    for at in np.ndindex(*p.shape):
        signs = np.sign(a.data[at]), np.sign(b.data[at])
        if signs[0] == signs[1] != 0:
            p[at], sign[at] = max(p_a.data[at], p_b.data[at]), signs[0]
    return p, sign


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    a=FIELDS,
    b=FIELDS,
    tails=st.tuples(
        st.sampled_from([Tail.ONE, Tail.TWO]), st.sampled_from([Tail.ONE, Tail.TWO])
    ),
)
def test_by_brute_force(a: Array, b: Array, tails: tuple[Tail, Tail]) -> None:
    # So that tails can be measured, whatever else is drawn.
    a[0, 0, :2], b[0, 0, :2] = (2.5, -2.5), (3.5, -3.5)
    first, second = of_test(a, tails[0]), of_test(b, tails[1])
    assert (first.tail, second.tail) == tails
    found = conjoined(first, second)
    p, sign = brute(first, second)
    siblings = found.results.siblings(found)
    assert np.allclose(siblings["p"].data, p, rtol=1e-4)
    assert np.allclose(siblings["logp"].data, -np.log10(p), rtol=1e-3, atol=1e-6)
    assert found.tail is (Tail.TWO if tails == (Tail.TWO, Tail.TWO) else Tail.ONE)
    z = stats.norm.isf(p / 2 if found.tail is Tail.TWO else p)
    expected = sign * np.clip(z, 0, 99)
    assert np.allclose(found.data, expected, atol=2e-3)
    for alpha in (0.2, 0.05, 0.001):
        masks = []
        for statmap in (first, second, found):
            labels = find_clusters(statmap, p=alpha, atlas=None)
            signs = np.append(0, labels.labelled.sign)
            masks.append(signs[labels.labels])
        both = np.where(masks[0] == masks[1], masks[0], 0)
        assert np.array_equal(masks[2], both)


def test_never_the_smaller_z_of_different_tails() -> None:
    """A z of 1.8 is p .036 of one tail and .072 of two: the larger p is the latter."""
    one, two = np.zeros(SHAPE), np.zeros(SHAPE)
    one[1, 1, 1:3], two[1, 1, 1:3] = (1.7, 3), (1.8, 3)
    two[3, 3, 3] = -3
    found = conjoined(of_test(one, Tail.ONE), of_test(two, Tail.TWO))
    p = found.results.siblings(found)["p"].data
    assert p[1, 1, 1] == pytest.approx(2 * stats.norm.sf(1.8), rel=1e-5)
    assert found.data[1, 1, 1] < 1.7
    assert found.tail is Tail.ONE
    assert not find_clusters(found, p=0.05, atlas=None).labels[1, 1, 1]


def test_p_that_has_no_float() -> None:
    a, b = np.zeros(SHAPE), np.zeros(SHAPE)
    a[1, 1, 1], b[1, 1, 1] = 45, 41
    found = conjoined(lone(a), lone(b))
    assert found.data[1, 1, 1] == pytest.approx(41, rel=1e-6)


def test_opposite_signs_never_agree() -> None:
    a = np.full(SHAPE, 4.0)
    a[0] = -4
    found = conjoined(lone(a), lone(-a))
    assert not found.data.any()


def test_the_question_decides_for_maps_of_unknown_origin() -> None:
    a, b = np.zeros(SHAPE), np.zeros(SHAPE)
    a[1, 1, 1:3] = b[1, 1, 1:3] = 2, -3
    both = conjoined(lone(a), lone(b), p=0.05, tail="both")
    assert both.tail is Tail.TWO
    assert both.data[1, 1, 2] == pytest.approx(-3, abs=1e-5)
    logp = both.results.siblings(both)["logp"].data
    assert 10 ** -logp[1, 1, 1] == pytest.approx(2 * stats.norm.sf(2), rel=1e-4)
    one = conjoined(lone(a), lone(b), p=0.05, tail="positive")
    assert one.tail is Tail.ONE
    assert one.data[1, 1, 2] == 0
    logp = one.results.siblings(one)["logp"].data
    assert 10 ** -logp[1, 1, 1] == pytest.approx(stats.norm.sf(2), rel=1e-4)


def test_fdr_of_a_conjunction(sample_path: Path) -> None:
    """Its tests are those in both masks, with p = 1 where signs do not agree."""
    results = open_results(sample_path)
    z = results["z"]
    found = conjoined(z, results["logp"])
    assert np.array_equal(found.mask, z.mask)
    ours = find_clusters(found, q=0.05, atlas=None)
    assert ours.threshold.n_tests == z.mask.sum()
    p = found.results.siblings(found)["p"].data[z.mask].astype(float)
    kept = stats.false_discovery_control(p) <= 0.05
    assert np.array_equal(ours.labels[z.mask] > 0, kept)
    assert np.allclose(found.data, z.data, atol=2e-3)


def test_a_mask_for_correlations_is_none_for_the_conjunction(
    sample_path: Path,
) -> None:
    z = open_results(sample_path)["z"]
    half = np.zeros(z.grid.shape, bool)
    half[:40] = True
    clusters = find_clusters(z, p=0.001, atlas=None)
    found = compare(clusters, clusters, mask=half)
    assert found.over_mask.n_voxels == (half & z.mask).sum()
    assert found.conjunction is not None
    assert np.array_equal(found.conjunction.mask, z.mask)


def test_tests_on_two_grids_are_those_in_both_masks() -> None:
    rng = np.random.default_rng(2)
    maps = []
    for size, shape in ((2.0, (9, 9, 9)), (3.0, (6, 6, 6))):
        mask = np.zeros(shape, bool)
        mask[1:-1, 1:-1, 1:-1] = True
        p = np.where(mask, rng.uniform(0.001, 1, shape), 0)
        z = np.where(mask, np.maximum(stats.norm.isf(np.where(mask, p, 0.9)), 0), 0)
        maps.append(made({"z": z, "p": p}, placed(size, (0, 0, 0)))["z"])
    found = conjoined(*maps)
    fine = maps[0].grid
    assert found.grid.same_as(fine)
    both = maps[0].mask & resample_nearest(maps[1].mask, maps[1].grid, fine)
    assert np.array_equal(found.mask, both)


def test_it_says_what_it_is(sample_path: Path) -> None:
    results = open_results(sample_path)
    found = conjoined(results["z"], results["stat"], p=0.001)
    assert found.title == "conjunction of z, uncorrected and statistic"
    assert str(find_clusters(found, p=0.001, atlas=None).threshold) == (
        "z >= 3.09 (p <= .001, one-tailed)"
    )


def test_without_a_p_there_is_none() -> None:
    data = np.full(SHAPE, 3.0)
    prob = made({"prob_desc-A": data})["prob_desc-A"]
    found = compare(
        *(find_clusters(m, value=1, atlas=None) for m in (lone(data), prob))
    )
    assert found.conjunction is None
    assert "no p or logp map" in found.no_conjunction


def test_unknown_masks_leave_fdr_refused() -> None:
    data = np.full(SHAPE, 3.0)
    data[0] = 0
    found = conjoined(lone(data), lone(data))
    assert "p" not in found.results.siblings(found)
    with pytest.raises(ResultsError, match="mask"):
        find_clusters(found, q=0.05, atlas=None)
