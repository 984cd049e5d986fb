"""A p that was counted: its grain, its interval, the iterations behind it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    NullDistribution,
    SharedSmallestP,
    StatedCorrection,
    find_null_distribution,
    find_shared_smallest_p,
    null_distribution_beside,
    read_statement,
    statement_notices,
    statement_of,
)

Opened = Callable[..., ResultSet]
MONTE_CARLO = "level-voxel_corr-FWE_method-montecarlo"
CLUSTER = "desc-mass_level-cluster_corr-FWE_method-montecarlo"
SHAPE = (8, 9, 8)


@pytest.mark.slow
@given(n=st.integers(3, 20_000), data=st.data())
def test_the_interval_is_that_of_scipys_exact_binomial_test(
    n: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, n))
    # NiMARE's p of 1 / n and 1 - 1 / n each stand for two counts.
    least = stats.binomtest(0 if k == 1 else k, n).proportion_ci(0.95, "exact")
    most = stats.binomtest(n if k == n - 1 else k, n).proportion_ci(0.95, "exact")
    p = MonteCarlo(k / n, n)
    assert (p.low, p.high) == pytest.approx((least.low, most.high), rel=1e-6)
    # What float32 leaves of p changes nothing.
    stored = np.array([float(np.float32(k / n)), np.nan])
    low, high = NullDistribution(n).intervals(stored)
    assert (low[0], high[0]) == pytest.approx((least.low, most.high), rel=1e-6)
    assert np.isnan([low[1], high[1]]).all()


@given(n=st.integers(3, 20_000), data=st.data())
def test_where_the_data_were_counted_too_p_tells_the_count(
    n: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, n))
    exact = stats.binomtest(k, n).proportion_ci(0.95, "exact")
    p = MonteCarlo((k + 1) / (n + 1), n, adds_one=True)
    assert (p.low, p.high) == pytest.approx((exact.low, exact.high), rel=1e-6)
    assert p.null.relation(p.p) == "="


def null_to_p(observed: float, null: npt.NDArray[np.float64]) -> float:
    """Return p as `nimare.stats.null_to_p` of NiMARE 0.22.1 defines it (upper tail)."""
    share = float((null >= observed).mean())
    return max(1 / null.size, min(share, 1 - 1 / null.size))


@pytest.mark.parametrize("n", [10, 200])
def test_the_ends_of_nimares_p_hold_what_may_have_been_counted(n: int) -> None:
    null = np.arange(1.0, n + 1)
    for b in range(n + 1):
        observed = n + 0.5 - b
        assert (null >= observed).sum() == b
        p = np.array([null_to_p(observed, null)])
        least, most = NullDistribution(n).exceedances(p)
        assert least[0] <= b <= most[0]
        assert most[0] - least[0] == (b in (0, 1, n - 1, n))


@pytest.mark.parametrize(
    ("p", "n", "words"),
    [
        (
            *(0.005, 200),
            "p_FWE <= .005 (0 to .0275), none or one of 200 iterations as large",
        ),
        (
            *(float(np.float32(0.0001)), 10_000),
            "p_FWE <= .0001 (0 to .000557), none or one of 10,000 iterations as large",
        ),
        (0.015, 200, "p_FWE = .015 (.0031 to .0432), 200 iterations"),
        (
            *(0.995, 200),
            "p_FWE >= .995 (.972 to 1), all or all but one of 200 iterations as large",
        ),
        (1.0, 10, "p_FWE = 1 (.692 to 1), 10 iterations"),
    ],
)
def test_a_p_in_words(p: float, n: int, words: str) -> None:
    assert str(MonteCarlo(p, n)) == words


@pytest.mark.parametrize("n", [200, 10_000, 30_000, 100_000, 1_000_000])
def test_float32_holds_the_ends_of_any_number_of_iterations(n: int) -> None:
    null = NullDistribution(n)
    for parts, sign in ((1, "<="), (2, "="), (n - 2, "="), (n - 1, ">=")):
        assert null.relation(float(np.float32(parts / n))) == sign
    logp = float(np.float32(-math.log10(np.float32(1 - 1 / n))))
    assert null.relation(10**-logp) == ">="


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


# --- what is said -----------------------------------------------------------------

FORMED = (
    "This procedure was repeated {} times to build null distributions of summary "
    "statistics, cluster sizes, and cluster masses. Clusters for cluster-level "
    "correction were defined using edge-wise connectivity and a voxel-level threshold "
    "of p < {} from the uncorrected null distribution."
)


@pytest.mark.parametrize(
    ("methods", "iterations"),
    [
        ("This procedure was repeated 200 times to build null distributions.", 200),
        ("Family-wise error ... was repeated 10,000 times to build.", 10_000),
        (
            "Family-wise error rate correction ... 100 iterations were performed to "
            "generate the null distribution.",
            100,
        ),
        # ALESubtraction permutes once for p, once more for its correction.
        (
            "This randomization procedure was repeated 200 times. Family-wise error "
            "correction was ... This procedure was repeated 50 times to build.",
            50,
        ),
        ("was repeated 100 times ... was repeated 200 times", None),
        ("was repeated 100 times ... was repeated 100 times", 100),
        ("was repeated , times", None),
        # More digits than Python makes a number of.
        (f"was repeated {'9' * 5000} times", None),
        ("", None),
    ],
)
def test_iterations_in_a_methods_text(methods: str, iterations: int | None) -> None:
    assert read_statement(methods, {}).iterations == iterations


@pytest.mark.parametrize(
    ("methods", "p"),
    [
        (FORMED.format(200, 0.001), 0.001),
        (FORMED.format(200, 1e-05), 1e-5),
        # ALESubtraction, before 0.20 and since.
        (
            "Clusters for cluster-level correction were defined using face-wise "
            "connectivity and a voxel-level threshold of p < 0.01 from the "
            "uncorrected ALE-difference null distribution.",
            0.01,
        ),
        ("Clusters were defined with face-wise connectivity at p < 0.005.", 0.005),
        (FORMED.format(200, 0.001) + FORMED.format(200, 0.01), None),
        ("The voxel-level p was < 0.05.", None),
        ("", None),
    ],
)
def test_the_cluster_forming_threshold_in_a_methods_text(
    methods: str, p: float | None
) -> None:
    assert read_statement(methods, {}).forming_p == p


@pytest.mark.parametrize(
    ("args", "iterations", "p"),
    [
        ({"method": "montecarlo", "n_iters": 5000}, 5000, None),
        (
            {
                "method": "montecarlo",
                "n_iters": None,
                "**kwargs": {"n_iters": 10_000, "voxel_thresh": 0.005},
            },
            *(10_000, 0.005),
        ),
        ({"**kwargs": {"method": "montecarlo", "n_iters": 100}}, 100, None),
        # The runner overwrites what stands outside.
        (
            {"method": "montecarlo", "n_iters": 5000, "**kwargs": {"n_iters": 100}},
            *(100, None),
        ),
        ({"method": "montecarlo", "n_iters": 5000, "**kwargs": {}}, 5000, None),
        ({"method": "montecarlo", "**kwargs": {"n_iters": "10000"}}, 10_000, None),
        ({"method": "montecarlo", "**kwargs": {"n_iters": 1e4}}, 10_000, None),
        ({"method": "montecarlo", "n_iters": "many"}, None, None),
        ({"method": "montecarlo", "n_iters": "inf"}, None, None),
        ({"method": "montecarlo", "n_iters": 5000, "**kwargs": None}, 5000, None),
        ({"method": "bonferroni", "n_iters": 5000}, None, None),
        ({"method": "montecarlo", "n_iters": True, "voxel_thresh": "x"}, None, None),
        ({"method": "montecarlo", "n_iters": 0.5, "voxel_thresh": 3}, None, None),
        (None, None, None),
    ],
)
def test_composes_specification(
    args: dict[str, object] | None, iterations: int | None, p: float | None
) -> None:
    asked = {"corrector": {"type": "FWECorrector", "args": args}}
    # It is surer than any text.
    said = read_statement("", asked)
    assert (said.iterations, said.forming_p) == (iterations, p)
    if iterations:
        assert read_statement(FORMED.format(7, 0.02), asked).iterations == iterations


def test_the_release_in_a_methods_text() -> None:
    text = "was performed with NiMARE {} (RRID:SCR_017398; \\citealt{{Salo2023}})"
    assert read_statement(text.format("0.22.1"), {}).release == (0, 22, 1)
    assert read_statement(text.format("v0.1.0rc2"), {}).release == (0, 1, 0)
    both = text.format("0.1.0") + text.format("0.2.0")
    assert read_statement(both, {}).release is None


# --- what the values say ----------------------------------------------------------


def found(results: ResultSet, stem: str) -> NullDistribution | None:
    return find_null_distribution(results[stem])


def test_iterations_are_read_off_the_methods_text(opened: Opened) -> None:
    text = (
        "Family-wise error rate correction: 2,500 iterations were performed to "
        "estimate a null distribution."
    )
    stem = f"logp_{MONTE_CARLO}"
    results = opened({stem: voxels(2.0)}, {"boilerplate.txt": text})
    assert found(results, stem) == NullDistribution(2500)


@pytest.mark.parametrize("value", ["logp", "p", "z"])
@pytest.mark.parametrize("n", [10, 100, 1000, 5000, 10_000])
def test_iterations_are_read_off_the_floor(opened: Opened, n: int, value: str) -> None:
    # Two-tailed, so that the floor is no 0 of z.
    stem = f"{value}_desc-association_{MONTE_CARLO}"
    write = {
        "logp": lambda p: -math.log10(p),
        "p": lambda p: p,
        "z": lambda p: float(stats.norm.isf(p / 2)),
    }[value]
    floor = write(1 - 1 / n)
    results = opened({stem: voxels(write(3 / n), floor, floor, write(0.5))})
    assert found(results, stem) == NullDistribution(n)
    # A p between the steps of n iterations, and the floor was none.
    results = opened({stem: voxels(write(3.4 / n), floor, floor)})
    assert found(results, stem) is None


def test_a_z_map_finds_the_floor_on_its_sibling(opened: Opened) -> None:
    floor = -math.log10(1 - 1 / 200)
    results = opened(
        {f"z_{MONTE_CARLO}": voxels(2.5), f"logp_{MONTE_CARLO}": voxels(2.0, floor)}
    )
    assert found(results, f"z_{MONTE_CARLO}") == NullDistribution(200)


def test_the_floor_is_looked_for_on_all_corrected_maps_of_a_run(opened: Opened) -> None:
    floor = -math.log10(1 - 1 / 200)
    results = opened(
        {
            f"a_z_{CLUSTER}": voxels(2.5),
            f"a_logp_{MONTE_CARLO}": voxels(2.0, floor),
            f"b_z_{CLUSTER}": voxels(2.5),
        }
    )
    assert found(results, f"a_z_{CLUSTER}") == NullDistribution(200)
    assert found(results, f"b_z_{CLUSTER}") is None


def test_a_floor_that_is_none_tells_no_iterations(opened: Opened) -> None:
    stem = f"logp_{MONTE_CARLO}"
    assert found(opened({stem: voxels(2.0, 0.31)}), stem) is None
    assert found(opened({stem: voxels()}), stem) is None


def test_where_text_and_values_disagree_the_values_count(opened: Opened) -> None:
    stem, floor = f"logp_{MONTE_CARLO}", -math.log10(1 - 1 / 100)
    text = {"boilerplate.txt": FORMED.format(200, 0.001)}
    results = opened({stem: voxels(-math.log10(0.02), floor)}, text)
    assert found(results, stem) == NullDistribution(100)
    assert statement_of(results[stem]) == StatedCorrection()
    assert statement_notices(results[stem]) == [
        "The methods text states 200 iterations, the values of this map say 100: these "
        "are taken."
    ]
    # Without a floor the values do not say how many, but that it is another number.
    results = opened({stem: voxels(-math.log10(0.0125))}, text)
    assert found(results, stem) is None
    assert "but not of this map" in statement_notices(results[stem])[0]
    # Files of whole numbers with a scale hold p less well: that is no disagreement.
    results = opened({stem: voxels(-math.log10(0.1 * 1.0004))}, text)
    assert found(results, stem) == NullDistribution(200)
    assert statement_notices(results[stem]) == []


@pytest.mark.parametrize("second", [100, 200])
def test_two_runs_and_one_text(opened: Opened, second: int) -> None:
    """Each run has its own iterations; the text belongs to those that agree with it."""
    maps = {}
    for prefix, n in (("", 200), ("b_", second)):
        floor, least = -math.log10(1 - 1 / n), -math.log10(1 / n)
        maps[f"{prefix}logp_{CLUSTER}"] = voxels(least, floor, floor)
        maps[f"{prefix}p"] = voxels(0.1, 0.5, 0.5)
    results = opened(maps, {"boilerplate.txt": FORMED.format(200, 0.001)})
    one, two = (results[f"{prefix}logp_{CLUSTER}"] for prefix in ("", "b_"))
    assert find_null_distribution(one) == NullDistribution(200)
    assert find_null_distribution(two) == NullDistribution(second)
    assert null_distribution_beside(results["b_p"]) == NullDistribution(second)
    assert statement_of(one).forming_p == 0.001
    assert statement_of(two).forming_p == (0.001 if second == 200 else None)
    assert bool(statement_notices(two)) == (second != 200)


def test_of_two_runs_without_a_floor_a_text_needs_a_p_that_speaks_for_it(
    opened: Opened,
) -> None:
    maps = {
        f"a_z_{CLUSTER}": voxels(float(stats.norm.isf(1 / 200))),
        f"b_z_{CLUSTER}": voxels(float(stats.norm.isf(2 / 200))),
    }
    results = opened(maps, {"boilerplate.txt": FORMED.format(200, 0.001)})
    assert found(results, f"a_z_{CLUSTER}") == NullDistribution(200)
    assert found(results, f"b_z_{CLUSTER}") is None
    assert statement_notices(results[f"b_z_{CLUSTER}"])


def test_permuted_ols_counts_the_data_too(opened: Opened) -> None:
    """NiMARE 0.22.1: (exceedances + 1) / (n + 1), in `nimare.meta._permutation`."""
    text = {"boilerplate.txt": "Family-wise error: 500 iterations were performed."}
    stem = f"logp_{MONTE_CARLO}"
    for last in (500, 400):
        p = [(b + 1) / 501 for b in (0, 3, 70, last - 1)]
        results = opened({stem: voxels(*(-math.log10(x) for x in p))}, text)
        assert found(results, stem) == NullDistribution(500, adds_one=True)


@pytest.mark.parametrize("first", [MONTE_CARLO, CLUSTER])
def test_permuted_ols_does_not_count_the_data_for_clusters(
    opened: Opened, first: str
) -> None:
    """As nilearn 0.13: b / n of clusters, cut at 1 / n and 1 - 1 / n (`null_to_p`)."""
    text = {"boilerplate.txt": "Family-wise error: 500 iterations were performed."}
    of_voxels = [(b + 1) / 501 for b in (0, 3, 70, 499)]
    of_clusters = [1 / 500, 30 / 500, 1 - 1 / 500]
    results = opened(
        {
            f"logp_{stem}": voxels(*(-math.log10(x) for x in p))
            for stem, p in ((MONTE_CARLO, of_voxels), (CLUSTER, of_clusters))
        },
        text,
    )
    # Whichever is asked for first.
    for stem in sorted((MONTE_CARLO, CLUSTER), key=lambda one: one != first):
        counted_too = stem == MONTE_CARLO
        null = found(results, f"logp_{stem}")
        assert null == NullDistribution(500, adds_one=counted_too)
        assert null.write(1 / 500) == "<= .002"
        assert null.write(1 / 501) == ".002"


@pytest.mark.parametrize("key", [f"z_{MONTE_CARLO}", f"logp_{CLUSTER}"])
def test_text_and_floor_agree_in_the_sample(sample_path: Path, key: str) -> None:
    folder = open_results(sample_path)
    said = read_statement(folder.methods, folder.about.specification)
    assert said == StatedCorrection(1000, 0.001, (0, 22, 1), frozenset({1000}))
    assert statement_of(folder[key]) == said
    # The files alone, without the text beside them.
    alone = open_results(sorted(sample_path.glob("*.nii.gz")))
    assert alone.methods == ""
    assert found(folder, key) == found(alone, key) == NullDistribution(1000)


def test_other_maps_have_no_iterations(opened: Opened, sample_path: Path) -> None:
    sample = open_results(sample_path)
    assert found(sample, "z") is None
    results = opened({"p_corr-FDR_method-indep": voxels(0.999)})
    assert found(results, "p_corr-FDR_method-indep") is None
    assert null_distribution_beside(results["p_corr-FDR_method-indep"]) is None
    assert null_distribution_beside(sample["z"]) == NullDistribution(1000)


# --- many voxels at the smallest p ------------------------------------------------

BIG = (12, 12, 12)


def permuted(rng: np.random.Generator, n: int, at_floor: int) -> npt.NDArray[Any]:
    """Return p as ALESubtraction gives it: twice the smaller tail, cut at both ends."""
    p = 2 * rng.integers(1, n // 2 + 1, BIG) / n
    p.flat[:at_floor] = 0
    return np.asarray(np.clip(p, 1 / n, 1 - 1 / n))


@pytest.mark.parametrize("value", ["p", "logp", "z"])
def test_many_voxels_at_the_smallest_p_that_permutations_can_give(
    opened: Opened, rng: np.random.Generator, value: str
) -> None:
    stem = f"{value}_desc-group1MinusGroup2"
    p = permuted(rng, 200, 300)
    maps = {"p": p, "logp": -np.log10(p), "z": stats.norm.isf(p / 2)}
    sign = np.where(rng.random(BIG) < 0.5, 1, -1) if value == "z" else 1
    results = opened({stem: maps[value] * sign})
    shared = find_shared_smallest_p(results[stem])
    assert shared == SharedSmallestP(300, 200, is_subtraction=True)
    assert str(shared).startswith("300 voxels share the smallest p that 200 perm")
    assert "one experiment alone" in shared.caution


def test_few_voxels_at_the_smallest_p_need_no_word(
    opened: Opened, rng: np.random.Generator
) -> None:
    results = opened({"p": permuted(rng, 200, 99)})
    assert find_shared_smallest_p(results["p"]) is None


def test_after_fdr_the_uncorrected_map_tells_or_q_does(
    opened: Opened, rng: np.random.Generator
) -> None:
    p = permuted(rng, 200, 700)
    q = stats.false_discovery_control(p.ravel()).reshape(BIG)
    assert (q == q.min()).sum() == 700
    stem = "p_desc-group1MinusGroup2"
    corrected = f"{stem}_corr-FDR_method-indep"
    expected = SharedSmallestP(700, 200, is_subtraction=True)
    both = opened({stem: p, corrected: q})
    assert find_shared_smallest_p(both[corrected]) == expected
    alone = opened({corrected: q})
    assert find_shared_smallest_p(alone[corrected]) == expected
    # A text that speaks of other permutations contradicts it.
    text = {"boilerplate.txt": "This procedure was repeated 300 times."}
    other = opened({corrected: q}, text)
    assert find_shared_smallest_p(other[corrected]) is None


def test_other_maps_share_no_smallest_p(
    opened: Opened, sample: ResultSet, rng: np.random.Generator
) -> None:
    # Of a discrete test, and of a continuous one that was cut.
    steps = rng.choice([0.0123, 0.0456, 0.2, 0.31, 0.47, 0.8], BIG)
    cut = np.maximum(rng.uniform(0, 1, BIG), 0.1)
    for p in (steps, cut):
        assert find_shared_smallest_p(opened({"p": p})["p"]) is None
    # Being beyond all null maxima is what makes a voxel significant.
    stem = f"p_{MONTE_CARLO}"
    assert find_shared_smallest_p(opened({stem: permuted(rng, 200, 300)})[stem]) is None
    for key in ("z", "p", "stat", f"logp_{CLUSTER}"):
        assert find_shared_smallest_p(sample[key]) is None
