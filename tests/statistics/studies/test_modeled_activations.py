"""Rebuilt meta-analyses against NiMARE's own fits, and against the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_neurosynth_results as nnr
from helpers.maps_in_memory import made
from helpers.nimare_fits import RADIUS, fit_of
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import About, ResultSet
from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.statistics.studies.kernels import Kernel, Method, fwhm_of
from napari_neurosynth_results.statistics.studies.modeled_activations import (
    ModeledActivations,
    rebuild,
)


def dense(found: ModeledActivations) -> np.ndarray:
    """Return modeled activations as experiments by voxels of the mask."""
    values = np.zeros((len(found), found.inside.size), np.float32)
    for number in range(len(found)):
        at, row = found.row(number)
        values[number, at] = row
    return values


@pytest.fixture(scope="module")
def sample() -> ResultSet:
    return nnr.open_results(sample_folder())


@pytest.fixture(scope="module")
def pain(sample: ResultSet) -> ModeledActivations:
    assert sample.studies is not None
    return rebuild(sample, sample["z"], sample.studies)


# --- against NiMARE -------------------------------------------------------------------


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("method", ["ale", "mkda", "kda"])
@pytest.mark.parametrize(("release", "rounds"), [("0.22.1", True), ("0.21.0", False)])
def test_a_statistic_is_rebuilt_as_each_release_made_it(
    release: str, rounds: bool, method: str, mirrored: bool
) -> None:
    results, studies = fit_of(release, method, mirrored)
    found = rebuild(results, results["stat"], studies)
    assert found.method == method.upper()
    assert found.convention.rounds is rounds
    assert len(found) == 7
    rebuilt = found.statistic(found.total)
    opened = results["stat"].data.reshape(-1)[found.inside]
    np.testing.assert_allclose(rebuilt, opened, rtol=1e-6, atol=1e-14)
    assert found.largest_difference < 1e-8


def test_an_mkda_may_be_weighted_by_sample_size() -> None:
    results, studies = fit_of("0.22.1", "weighted")
    found = rebuild(results, results["p"], studies)
    assert (found.method, found.convention.weighted) == (Method.MKDA, True)
    assert found.weights.sum() == pytest.approx(7)
    assert "weighted by sample size" in found.notices[0]


def test_the_sample_is_rebuilt_at_every_voxel(
    sample: ResultSet, pain: ModeledActivations
) -> None:
    assert pain.inside.size == 228_483
    opened = sample["stat"].data.reshape(-1)[pain.inside]
    rebuilt = pain.statistic(pain.total)
    # Exponentials of another machine end in another digit.
    assert np.abs(rebuilt.astype(float) - opened).max() <= 2e-13
    assert pain.names[0] == "pain_01.nidm-1"
    assert pain.values.size == 750_489


def test_shares_are_those_of_nimares_jackknife(
    sample: ResultSet, pain: ModeledActivations
) -> None:
    key = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
    clusters = nnr.find_clusters(sample[key], p=0.05, atlas=None)
    table = sample.tables[f"{key}_diag-Jackknife_tab-counts_tail-positive"]
    labels = sample[f"label_{key[2:]}_tail-positive"].data
    found = pain.contributions_to(clusters).share
    compared = 0
    for label, peak in enumerate(clusters.peak_voxels, start=1):
        inside = clusters.labels == label
        number = int(labels[peak])
        if number and (labels == number).sum() == inside.sum():
            column = table[f"PositiveTail {number}"].to_numpy(float)
            np.testing.assert_allclose(found[:, label - 1], column, atol=5e-8)
            compared += 1
    assert compared == 6


def test_shares_at_peaks_are_known(sample: ResultSet, pain: ModeledActivations) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001, min_voxels=100, atlas=None)
    found = pain.contributions_to(clusters)
    for peak, n, shares in (
        ((38, 4, 2), 14, {12: 0.18625665, 18: 0.18116520, 13: 0.17441246}),
        ((54, -28, 20), 7, {4: 0.25688321, 8: 0.22108662, 10: 0.19662848}),
        ((-34, 14, 0), 9, {21: 0.25578750, 16: 0.21756119}),
        ((2, 4, 52), 9, {21: 0.23073567, 19: 0.23073567}),
    ):
        rows = clusters.table[["peak_x", "peak_y", "peak_z"]].to_numpy()
        column = int(np.flatnonzero((rows == peak).all(axis=1))[0])
        assert (found.peak_activation[:, column] > 0).sum() == n
        for number, share in shares.items():
            own = found.peak_share[number - 1, column]
            assert own == pytest.approx(share, abs=1e-7)
    table = found.table("mean_activation")
    assert table.index[0] == "pain_01.nidm-1"
    assert table.columns.tolist() == [1, 2, 3, 4, 5, 6]


# --- against the definitions ----------------------------------------------------------


def test_kernels_have_the_widths_of_the_paper() -> None:
    known = {5: 11.3733, 10: 10.0026, 16: 9.4373, 30: 8.9731, 100: 8.5837}
    for n, fwhm in known.items():
        assert fwhm_of(n) == pytest.approx(fwhm, abs=5e-5)


SHAPE = (13, 12, 11)
AFFINE = np.array([[2.0, 0, 0, -12], [0, 2, 0, -12], [0, 0, 2, -10], [0, 0, 0, 1]])
place = st.tuples(*(st.integers(-16, 16) for _ in range(3)))
experiment = st.tuples(st.lists(place, min_size=1, max_size=5), st.integers(5, 40))


def studies_of(drawn: list[tuple[list[tuple[int, int, int]], int]]) -> Studies:
    return Studies(
        tuple(
            Study(
                f"s{n}",
                f"Study {n}",
                analyses=(
                    Analysis(
                        "1", "1", tuple(Focus(*map(float, p)) for p in foci), 1, k
                    ),
                ),
            )
            for n, (foci, k) in enumerate(drawn)
        )
    )


def activations_by_definition(
    drawn: list[tuple[list[tuple[int, int, int]], int]], method: Method
) -> np.ndarray:
    """Filter impulses, or measure distances, voxel by voxel."""
    from scipy import ndimage

    found = []
    grid = np.moveaxis(np.indices(SHAPE), 0, -1)
    for foci, people in drawn:
        values = np.zeros(SHAPE)
        for focus in foci:
            voxel = np.round((np.array(focus) - AFFINE[:3, 3]) / 2).astype(int)
            if method is Method.ALE:
                # A large box, so that foci outside add what lies inside.
                impulse = np.zeros((61,) * 3)
                impulse[tuple(voxel + 20)] = 1
                # NiMARE takes the root of the voxel's volume in float32.
                size = float(np.sqrt(np.float32(8))) / np.sqrt(2)
                sigma = fwhm_of(people) / np.sqrt(8 * np.log(2)) / size
                drawn_here = ndimage.gaussian_filter(impulse, sigma, mode="constant")
                own = drawn_here[20:33, 20:32, 20:31]
                values = np.maximum(values, own)
            else:
                near = np.sqrt(((grid - voxel) ** 2).sum(axis=-1)) * 2 <= 8
                add = np.maximum if method is Method.MKDA else np.add
                values = add(values, near)
        found.append(values)
    return np.array(found)


@pytest.mark.parametrize("method", list(Method))
@settings(max_examples=12, deadline=None)
@given(drawn=st.lists(experiment, min_size=2, max_size=4))
def test_random_experiments_are_rebuilt_voxel_by_voxel(
    method: Method, drawn: list[tuple[list[tuple[int, int, int]], int]]
) -> None:
    ma = activations_by_definition(drawn, method)
    ale = method is Method.ALE
    stat = ma.sum(axis=0)
    if ale:
        stat = 1 - np.exp(np.log1p(-ma.astype(np.float32)).astype(float).sum(axis=0))
    if not stat.any():
        return
    # A p that shows the mask; nothing else is asked of it here.
    maps = {"stat": stat.astype(np.float32), "p": np.full(SHAPE, 0.5, np.float32)}
    results = made(maps, AFFINE)
    results.methods = "" if ale else RADIUS
    found = rebuild(results, results["stat"], studies_of(drawn))
    # An MKDA without overlaps is a KDA too.
    assert found.method is method or method is Method.KDA
    np.testing.assert_allclose(
        dense(found).reshape(-1, *SHAPE), ma, rtol=1e-5, atol=1e-9
    )
    clusters = nnr.find_clusters(
        results["stat"], value=float(np.float32(stat.max() / 3)), atlas=None
    )
    given_by = found.contributions_to(clusters)
    for label in range(1, len(clusters) + 1):
        inside = clusters.labels == label
        for number in range(len(drawn)):
            others = np.delete(ma, number, axis=0)
            rest = 1 - np.prod(1 - others, axis=0) if ale else others.sum(axis=0)
            whole = 1 - np.prod(1 - ma, axis=0) if ale else ma.sum(axis=0)
            share = (1 - rest[inside] / whole[inside]).mean()
            own = ma[number][inside]
            got = given_by.share[number, label - 1]
            assert got == pytest.approx(share, abs=2e-5)
            mean = given_by.mean_activation[number, label - 1]
            assert mean == pytest.approx(own.mean(), rel=1e-5, abs=1e-9)


# --- what is not stated ---------------------------------------------------------------


def test_other_foci_are_refused_with_what_came_nearest(sample: ResultSet) -> None:
    assert sample.studies is not None
    first, *others = sample.studies.studies
    with pytest.raises(ResultsError, match=r"nearest: ALE, rounded to voxels") as found:
        rebuild(sample, sample["z"], Studies(tuple(others)))
    assert "could not be rebuilt from the foci" in str(found.value)
    more = Studies((first, *others, Study("new", "new", analyses=first.analyses)))
    with pytest.raises(ResultsError, match="could not be rebuilt"):
        rebuild(sample, sample["z"], more)


def test_without_sample_sizes_an_ale_has_no_kernel(sample: ResultSet) -> None:
    focus = (Focus(0, 0, 0),)
    studies = Studies((Study("s", "s", analyses=(Analysis("1", "1", focus),)),))
    with pytest.raises(ResultsError, match="1 analyses state no sample size"):
        rebuild(sample, sample["z"], studies)


def test_what_is_missing_is_said(sample: ResultSet) -> None:
    studies = Studies((Study("s", "s", analyses=(Analysis("1", "1"),)),))
    with pytest.raises(ResultsError, match="No foci are known"):
        rebuild(sample, sample["z"], studies)
    alone = made({"z": np.ones((3, 3, 3), np.float32)})
    with pytest.raises(ResultsError, match="the map named stat"):
        rebuild(alone, alone["z"], studies)
    no_mask = made({"stat": np.ones((3, 3, 3), np.float32)})
    with pytest.raises(ResultsError, match="analysis mask ends"):
        rebuild(no_mask, no_mask["stat"], studies)
    two = Studies(
        tuple(
            Study(f"{n}", "s", analyses=(Analysis("1", "1", (Focus(0, 0, 0),), n),))
            for n in (1, 2)
        )
    )
    with pytest.raises(ResultsError, match="Two groups"):
        rebuild(sample, sample["z"], two)


def test_it_can_be_cancelled(sample: ResultSet) -> None:
    assert sample.studies is not None
    job = Job()
    job.cancel()
    with pytest.raises(CancelledError):
        rebuild(sample, sample["z"], sample.studies, job)


@pytest.mark.parametrize(
    ("methods", "arguments", "wanted"),
    [
        ("", {}, Kernel()),
        (RADIUS, {}, Kernel(radius=8)),
        (
            "kernel with a full-width at half max of 12.5.",
            {},
            Kernel(10, 12.5),
        ),
        (
            "with a full-width at half max corresponding to a sample size of 20, by",
            {},
            Kernel(participants=20),
        ),
        (RADIUS, {"kernel__r": 6, "kernel__fwhm": None}, Kernel(radius=6)),
        ("", {"kernel__sample_size": 15}, Kernel(participants=15)),
    ],
)
def test_kernels_are_read_off_text_and_specification(
    methods: str, arguments: dict[str, Any], wanted: Kernel
) -> None:
    results = made({"z": np.ones((3, 3, 3), np.float32)})
    results.methods = methods
    if arguments:
        stated = {"estimator": {"type": "ALE", "args": arguments}}
        results.about = About(specification=stated)
    assert Kernel.told_by(results) == wanted


def test_analyses_of_a_study_may_be_experiments_of_their_own() -> None:
    results, studies = fit_of("0.22.1", "ale")
    first, second, *others = studies.studies
    both = Study(
        first.id,
        first.name,
        analyses=(
            first.analyses[0],
            Analysis(
                "2",
                "2",
                second.analyses[0].foci,
                1,
                None,
                second.analyses[0].kernel_participants,
            ),
        ),
    )
    found = rebuild(results, results["stat"], Studies((both, *others)))
    assert not found.convention.by_study
    assert found.names[:2] == (f"{first.id}-1", f"{first.id}-2")
    assert "each analysis an experiment" in found.notices[0]
