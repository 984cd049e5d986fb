"""Clusters without one experiment: against NiMARE's own fits, and by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

import napari_neurosynth_results as nnr
from helpers.maps_in_memory import TWO_MM, made
from helpers.nimare_fits import FITS, fit_of
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.statistics.studies import ABOUT_SURVIVAL, analytic_nulls
from napari_neurosynth_results.statistics.studies import leave_one_out as module
from napari_neurosynth_results.statistics.studies.kernels import FociConvention, Method
from napari_neurosynth_results.statistics.studies.leave_one_out import (
    LeaveOneOut,
    leave_one_out,
)
from napari_neurosynth_results.statistics.studies.modeled_activations import (
    ModeledActivations,
    rebuild,
)

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


@pytest.fixture(scope="module")
def sample() -> ResultSet:
    return nnr.open_results(sample_folder())


@pytest.fixture(scope="module")
def pain(sample: ResultSet) -> ModeledActivations:
    assert sample.studies is not None
    return rebuild(sample, sample["z"], sample.studies)


@pytest.fixture(scope="module")
def found(sample: ResultSet, pain: ModeledActivations) -> LeaveOneOut:
    clusters = nnr.find_clusters(sample["z"], p=0.001, min_voxels=10, atlas=None)
    return leave_one_out(pain, clusters)


# --- the sample -----------------------------------------------------------------------

#: Size, peak, in how many of 21, and without which: found with 21 fits of NiMARE.
KNOWN = [
    (805, (38, 4, 2), 21, ""),
    (660, (2, 4, 52), 21, ""),
    (326, (-32, -60, -34), 21, ""),
    (199, (54, -28, 20), 21, ""),
    (194, (-62, -22, 20), 21, ""),
    (143, (-34, 14, 0), 21, ""),
    (59, (20, -102, -4), 19, "03 04"),
    (55, (-36, 4, -16), 20, "02"),
    (55, (-6, -48, 54), 19, "11 16"),
    (19, (-54, -66, 2), 19, "17 20"),
    (19, (-36, -22, 10), 19, "11 18"),
    (17, (10, -68, 36), 19, "12 16"),
    (16, (-4, -70, 50), 18, "08 10 12"),
    (12, (-34, -90, -12), 18, "03 04 21"),
    (12, (36, -18, 12), 19, "02 04"),
]


def test_clusters_of_the_sample_stand_as_often_as_in_fits_of_nimare(
    found: LeaveOneOut,
) -> None:
    places = found.clusters.table[["peak_x", "peak_y", "peak_z"]].to_numpy()
    assert len(found) == 21
    for size, peak, stands, without in KNOWN:
        column = int(np.flatnonzero((places == peak).all(axis=1))[0])
        assert found.clusters.labelled.size[column] == size
        assert found.stands[column] == stands
        lost = [f"pain_{number}.nidm-1" for number in without.split()]
        assert found.lost_without(column + 1) == lost
    new = [1, 1, 1, 3, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    assert found.new.tolist() == new


def test_the_share_of_voxels_that_is_kept_is_known(found: LeaveOneOut) -> None:
    size = found.clusters.labelled.size
    largest, smaller = int(size.argmax()), int(np.flatnonzero(size == 194)[0])
    assert found.kept[:, largest].mean() == pytest.approx(0.9332, abs=5e-5)
    assert found.kept[:, largest].min() == pytest.approx(0.8199, abs=5e-5)
    assert found.kept[:, smaller].min() == pytest.approx(0.3660, abs=5e-5)


def test_what_became_of_a_cluster_is_said(found: LeaveOneOut) -> None:
    size = found.clusters.labelled.size
    lost = int(np.flatnonzero(size == 16)[0]) + 1
    assert found.sentence(lost, lambda name: name[:7]) == (
        "Stands in 18 of 21; not without pain_08, pain_10 or pain_12."
    )
    largest = int(size.argmax()) + 1
    assert found.sentence(largest).endswith(
        "least is left without pain_19.nidm-1: 82 %."
    )
    row = found.table.loc[lost]
    assert (row["stands"], row["stands_of"]) == (18, 21)
    assert row["lost_without"] == "pain_08.nidm-1; pain_10.nidm-1; pain_12.nidm-1"
    assert found.height == "p <= .001, extent >= 10"
    assert found.notices == (ABOUT_SURVIVAL,)


def test_refits_are_those_of_nimare(pain: ModeledActivations) -> None:
    """Statistic, z and thresholded voxels of 21 fits of NiMARE 0.22.1."""
    fits = np.load(FITS / "left-out.npz")
    assert fits["ids"].tolist() == list(pain.names)
    shape = pain.statmap.grid.shape
    place = np.full(np.prod(shape), -1)
    place[pain.inside] = np.arange(pain.inside.size)
    ever, probes = place[fits["ever"]], place[fits["probes"]]
    assert (ever >= 0).all()
    n = len(pain) * ever.size
    above = np.unpackbits(fits["above"])[:n].reshape(len(pain), -1).astype(bool)
    null = analytic_nulls.find_analytic_null(pain)
    for number, tail in enumerate(null.without_each()):
        total, _ = module._total_without(pain, number)
        p = tail[null.bins_of(total)]
        p[total == 0] = 1
        kept = p.astype(np.float32) <= np.float32(0.001)
        assert kept.sum() == above[number].sum()
        np.testing.assert_array_equal(kept[ever], above[number])
        # The exponential of another machine may end in another digit.
        np.testing.assert_allclose(
            pain.statistic(total)[probes], fits["stat"][number], rtol=1.2e-7
        )
        z = np.maximum(stats.norm.isf(p[probes]), 0)
        np.testing.assert_allclose(z, fits["z"][number], atol=1e-6)


# --- null distributions ---------------------------------------------------------------


@pytest.mark.parametrize("release", ["0.22.1", "0.21.0"])
@pytest.mark.parametrize("method", ["ale", "mkda", "kda"])
def test_p_is_that_of_each_release(release: str, method: str) -> None:
    results, studies = fit_of(release, method)
    activations = rebuild(results, results["stat"], studies)
    null = analytic_nulls.find_analytic_null(activations)
    p = null.whole()[null.bins_of(activations.total)]
    p[activations.reached_by == 0] = 1
    opened = results["p"].data.reshape(-1)[activations.inside]
    np.testing.assert_allclose(p, opened, rtol=2e-7)
    if method == "ale":
        assert null._rounds is (release == "0.22.1")  # type: ignore[attr-defined]


def test_a_null_of_another_kind_is_not_made_anew(sample: ResultSet) -> None:
    results, studies = fit_of("0.22.1", "ale")
    p = results["p"].data.copy()
    # As of a Monte Carlo null: near, and not the same.
    p[(p > 0) & (p < 1)] *= 1.001
    other = made({"stat": results["stat"].data, "p": p}, results["stat"].affine)
    activations = rebuild(other, other["stat"], studies)
    clusters = nnr.find_clusters(other["p"], p=0.01, atlas=None)
    with pytest.raises(ResultsError, match="not that of the analytic null"):
        leave_one_out(activations, clusters)


def test_a_grid_of_logarithms_is_near(pain: ModeledActivations) -> None:
    exact, near = (
        analytic_nulls.find_analytic_null(pain),
        analytic_nulls.LogarithmicNull(pain),
    )
    totals = np.linspace(0, pain.total.min(), 400)
    for number, (one, other) in enumerate(
        zip(exact.without_each(), near.without_each(), strict=True)
    ):
        p, q = one[exact.bins_of(totals)], other[near.bins_of(totals)]
        small = (p < 0.01) & (p > 1e-14)
        apart = stats.norm.isf(p[small]) - stats.norm.isf(q[small])
        assert np.abs(apart).max() < 0.02
        if number == 3:
            # One after the other comes to the same as by halves.
            mass = np.eye(1, near._n)[0]
            for row in [*near._histograms[:3], *near._histograms[4:]]:
                mass = near._added(mass, row)
            np.testing.assert_allclose(
                other, analytic_nulls._upper_tail(mass), rtol=1e-9
            )


# --- by brute force -------------------------------------------------------------------

SHAPE = (6, 5, 4)
entries = st.lists(
    st.tuples(st.integers(0, 119), st.sampled_from([0.002, 0.0071, 0.013])),
    min_size=4,
    max_size=40,
)


def activations_of(
    rows: list[list[tuple[int, float]]], method: Method
) -> tuple[ModeledActivations, np.ndarray, ResultSet]:
    """Make modeled activations of lists of voxels, whatever foci would give them."""
    dense = np.zeros((len(rows), 120), np.float32)
    for number, row in enumerate(rows):
        for at, value in row:
            dense[number, at] = value if method is Method.ALE else 1
    total = total_of(dense, method)
    p = p_by_force(dense, method)
    maps = {"stat": statistic_of(total, method), "p": p}
    results = made({k: v.reshape(SHAPE) for k, v in maps.items()}, TWO_MM)
    owner, at = np.nonzero(dense)
    start = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))])
    made_of = ModeledActivations(
        method,
        tuple(f"e{n}" for n in range(len(rows))),
        results["stat"],
        np.arange(120),
        start,
        at.astype(np.int32),
        dense[owner, at],
        np.ones(len(rows)),
        FociConvention(),
    )
    return made_of, dense, results


def total_of(dense: np.ndarray, method: Method) -> np.ndarray:
    if method is Method.ALE:
        return np.log1p(-dense).astype(float).sum(axis=0)
    return dense.astype(float).sum(axis=0)


def statistic_of(total: np.ndarray, method: Method) -> np.ndarray:
    stat = 1 - np.exp(total) if method is Method.ALE else total
    return stat.astype(np.float32)


def p_by_force(dense: np.ndarray, method: Method) -> np.ndarray:
    """Count all combinations of voxels of the experiments, on NiMARE's grid."""
    mass = {0: 1.0}
    ale = method is Method.ALE
    for row in dense:
        more: dict[int, float] = {}
        for value, n in zip(*np.unique(row, return_counts=True), strict=True):
            own = int(np.floor(float(value) * 1e5 + 0.5)) if ale else int(value)
            for bin_, p in mass.items():
                if ale:
                    score = 1 - (1 - own / 1e5) * (1 - bin_ / 1e5)
                    both = int(np.floor(score * 1e5 + 0.5))
                else:
                    both = own + bin_
                more[both] = more.get(both, 0) + p * n / row.size
        mass = more
    stat = statistic_of(total_of(dense, method), method).astype(float)
    bins = np.floor(stat * 1e5 + 0.5) if ale else stat
    tails = [sum(p for b, p in mass.items() if b >= bin_) for bin_ in bins]
    tails = np.where(stat > 0, np.minimum(tails, 1), 1)
    return tails.astype(np.float32)


@pytest.mark.parametrize("method", [Method.ALE, Method.MKDA])
@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(entries, min_size=2, max_size=5),
    p=st.sampled_from([0.02, 0.05, 0.2]),
    extent=st.integers(1, 3),
)
def test_random_experiments_are_left_out_one_by_one(
    method: Method, rows: list[list[tuple[int, float]]], p: float, extent: int
) -> None:
    activations, dense, results = activations_of(rows, method)
    clusters = nnr.find_clusters(
        results["p"], p=p, min_voxels=extent, connectivity=18, atlas=None
    )
    if not len(clusters):
        return
    found = leave_one_out(activations, clusters)
    for number in range(len(rows)):
        others = np.delete(dense, number, axis=0)
        above = p_by_force(others, method).reshape(SHAPE) <= p * (1 + 1e-6)
        labels, n = ndimage.label(above, ndimage.generate_binary_structure(3, 2))
        sizes = np.bincount(labels.ravel(), minlength=n + 1)
        large = (sizes >= extent)[labels] & above
        for label in range(1, len(clusters) + 1):
            kept = large[clusters.labels == label].mean()
            assert found.kept[number, label - 1] == pytest.approx(kept)
        met = set(labels[large & (clusters.labels > 0)])
        assert found.new[number] == len(set(labels[large]) - met)


# --- what is asked --------------------------------------------------------------------


def test_corrected_clusters_are_looked_for_at_their_height(
    sample: ResultSet, pain: ModeledActivations
) -> None:
    formed = nnr.find_clusters(sample[MASS], p=0.05, atlas=None)
    found = leave_one_out(pain, formed)
    assert found.height == "p <= .001"
    assert "the correction is not made anew" in found.notices[1]
    assert (found.stands[formed.surviving] == 21).all()
    fdr = nnr.find_clusters(sample["z"], q=0.05, min_voxels=20, atlas=None)
    found = leave_one_out(pain, fdr)
    assert "uncorrected height" in found.notices[1]
    assert found.kept.max() <= 1


def test_a_height_of_the_statistic_is_asked_as_it_is(
    sample: ResultSet, pain: ModeledActivations
) -> None:
    clusters = nnr.find_clusters(sample["stat"], value=0.02, strict=True, atlas=None)
    found = leave_one_out(pain, clusters)
    assert found.height == "stat > 0.02"
    # A union only gets smaller without one.
    assert found.new.sum() == 0
    # By z it is the p that this z stands for.
    by_z = nnr.find_clusters(sample["z"], value=3.09, min_voxels=10, atlas=None)
    assert leave_one_out(pain, by_z).stands.min() == 18


def test_a_mask_holds_for_the_re_estimations(
    sample: ResultSet, pain: ModeledActivations
) -> None:
    half = np.zeros(sample["z"].grid.shape, bool)
    half[45:] = True
    clusters = nnr.find_clusters(
        sample["z"], p=0.001, min_voxels=10, mask=half, atlas=None
    )
    found = leave_one_out(pain, clusters)
    assert found.new.sum() < 20
    assert found.kept.max() <= 1


def test_counts_say_how_many_experiments_the_height_asks_for() -> None:
    results, studies = fit_of("0.22.1", "mkda")
    activations = rebuild(results, results["stat"], studies)
    p = float(np.unique(results["p"].data)[3])
    found = leave_one_out(activations, nnr.find_clusters(results["p"], p=p, atlas=None))
    assert "experiments with all 7" in found.notices[1]


def test_what_cannot_be_left_out_is_said(
    sample: ResultSet, pain: ModeledActivations
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001, atlas=None)
    weighted = replace(pain, convention=FociConvention(weighted=True))
    with pytest.raises(ResultsError, match="weighted by sample size"):
        leave_one_out(weighted, clusters)
    none = nnr.find_clusters(sample["z"], p=1e-30, atlas=None)
    with pytest.raises(ResultsError, match="no clusters"):
        leave_one_out(pain, none)
    with pytest.raises(ResultsError, match="only one experiment"):
        leave_one_out(replace(pain, names=pain.names[:1]), clusters)


def test_it_tells_how_far_it_is_and_stops(
    sample: ResultSet, pain: ModeledActivations
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001, atlas=None)
    heard: list[int] = []
    job = Job(lambda what, done, total: heard.append(done))
    leave_one_out(pain, clusters, job)
    assert heard[-1] == 21
    stopping = Job(lambda what, done, total: done > 2 and stopping.cancel())
    with pytest.raises(CancelledError):
        leave_one_out(pain, clusters, stopping)
