"""Value and p say the same thing, both ways, and far beyond where p underflows."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.significance import (
    height_at,
    iterations_of,
    log_p_map,
    log_p_of,
    p_map_of,
    smallest_p,
    survivors_at,
)

Opened = Callable[..., ResultSet]
TAILS = st.sampled_from([Tail.ONE, Tail.TWO])
PS = st.floats(1e-290, 0.4)
MONTE_CARLO = "level-voxel_corr-FWE_method-montecarlo"
CLUSTER = "desc-mass_level-cluster_corr-FWE_method-montecarlo"
SHAPE = (8, 9, 8)


def voxels(*values: float) -> npt.NDArray[np.float32]:
    """Put values into the middle of an empty map, one after the other."""
    data = np.zeros(SHAPE, np.float32)
    data[1, 1, 1 : 1 + len(values)] = values
    return data


def in_order(data: npt.NDArray[np.float64], n: int) -> list[float]:
    """Return what became of the values that `voxels` put in."""
    found: list[float] = data[1, 1, 1 : 1 + n].tolist()
    return found


# --- one value --------------------------------------------------------------------


@given(z=st.floats(-40, 40))
def test_one_tailed_z_is_the_upper_tail_of_the_normal(z: float) -> None:
    found = log_p_of(z, MapKind.Z, Tail.ONE)
    assert math.isclose(found, stats.norm.logsf(z), rel_tol=1e-12, abs_tol=1e-300)


@given(z=st.floats(-40, 40))
def test_two_tailed_z_counts_both_directions(z: float) -> None:
    found = log_p_of(z, MapKind.Z, Tail.TWO)
    expected = min(math.log(2) + stats.norm.logsf(abs(z)), 0)
    assert math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-15)


@given(t=st.floats(-30, 30), dof=st.floats(1, 200), tail=TAILS)
def test_t_takes_its_degrees_of_freedom(t: float, dof: float, tail: Tail) -> None:
    found = log_p_of(t, MapKind.T, tail, dof)
    upper = stats.t.sf(t if tail is Tail.ONE else abs(t), dof)
    expected = math.log(min(upper * (2 if tail is Tail.TWO else 1), 1))
    assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


@given(p=st.floats(1e-300, 1))
def test_p_logp_and_one_minus_p_need_no_tail(p: float) -> None:
    assert log_p_of(p, MapKind.P, Tail.NONE) == pytest.approx(math.log(p))
    minus = -math.log10(p)
    assert log_p_of(minus, MapKind.LOGP, Tail.NONE) == pytest.approx(math.log(p))
    if 1e-6 < p < 1:
        found = log_p_of(1 - p, MapKind.ONE_MINUS_P, Tail.NONE)
        assert found == pytest.approx(math.log(p), rel=1e-6)


@given(p=PS, tail=TAILS)
def test_a_height_reaches_exactly_its_p(p: float, tail: Tail) -> None:
    for kind in (MapKind.Z, MapKind.P, MapKind.LOGP):
        height = height_at(p, kind, tail)
        assert log_p_of(height, kind, tail) == pytest.approx(math.log(p), rel=1e-9)


@given(p=st.floats(1e-8, 0.4), tail=TAILS)
def test_a_height_of_1_minus_p_reaches_its_p(p: float, tail: Tail) -> None:
    height = height_at(p, MapKind.ONE_MINUS_P, tail)
    found = log_p_of(height, MapKind.ONE_MINUS_P, tail)
    assert found == pytest.approx(math.log(p), rel=1e-6)


@given(p=st.floats(1e-30, 0.4), tail=TAILS, dof=st.floats(2, 200))
def test_a_height_of_t_reaches_its_p(p: float, tail: Tail, dof: float) -> None:
    height = height_at(p, MapKind.T, tail, dof)
    expected = stats.t.isf(p / 2 if tail is Tail.TWO else p, dof)
    assert height == pytest.approx(expected, rel=1e-6)
    found = log_p_of(height, MapKind.T, tail, dof)
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
    found = log_p_of(z, MapKind.Z, Tail.ONE)
    assert found == pytest.approx(expected, rel=1e-10)
    assert math.exp(found) == 0
    # Where p itself has no float any more, logp still carries it.
    logp = -found / math.log(10)
    assert log_p_of(logp, MapKind.LOGP, Tail.ONE) == pytest.approx(expected, rel=1e-10)


def test_degrees_of_freedom_may_differ_from_voxel_to_voxel() -> None:
    t, dof = np.array([3.0, 3.0, 3.0]), np.array([4.5, 20.0, np.nan])
    found = log_p_of(t, MapKind.T, Tail.TWO, dof)
    assert np.allclose(found[:2], np.log(2 * stats.t.sf(3.0, dof[:2])))
    assert np.isnan(found[2])


def test_shapes_are_kept() -> None:
    assert log_p_of(np.zeros((2, 3, 4)), MapKind.Z, Tail.ONE).shape == (2, 3, 4)


# --- refusals ---------------------------------------------------------------------

WITHOUT_P = sorted(
    set(MapKind) - {MapKind.Z, MapKind.P, MapKind.LOGP, MapKind.ONE_MINUS_P}
)


@pytest.mark.parametrize("kind", WITHOUT_P)
def test_kinds_without_a_p_are_refused(kind: MapKind) -> None:
    with pytest.raises(ResultsError, match="Threshold it by value"):
        height_at(0.05, kind, Tail.TWO)
    with pytest.raises(ResultsError, match="Threshold it by value"):
        log_p_of(1.0, kind, Tail.TWO)


@pytest.mark.parametrize("p", [0, 1, -0.1, 1.5, math.nan])
def test_a_p_that_is_none_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        height_at(p, MapKind.Z, Tail.ONE)


# --- maps -------------------------------------------------------------------------


def test_the_sibling_states_the_p_not_the_map(opened: Opened) -> None:
    # A z that says nothing of the kind: its logp map decides.
    results = opened({"z": voxels(9, 9), "logp": voxels(2, 0.5)})
    assert p_map_of(results["z"]) is results["logp"]
    log_p = log_p_map(results["z"])
    assert log_p is not None
    assert in_order(log_p, 3) == pytest.approx([math.log(0.01), -0.5 * math.log(10), 0])


def test_logp_comes_before_p(opened: Opened) -> None:
    results = opened({"z": voxels(9), "p": voxels(1e-3), "logp": voxels(40)})
    assert p_map_of(results["z"]) is results["logp"]
    log_p = log_p_map(results["z"])
    assert log_p is not None
    assert in_order(log_p, 1) == pytest.approx([-40 * math.log(10)])


def test_a_sibling_on_another_grid_is_no_sibling(
    write: Callable[..., Path],
) -> None:
    folder = write({"z": voxels(2.0)})
    image = nib.Nifti1Image(np.ones((4, 4, 4), "f4"), np.diag([40, 40, 40, 1]))
    image.to_filename(folder / "logp.nii.gz")
    results = open_results(folder)
    assert p_map_of(results["z"]) is None
    log_p = log_p_map(results["z"])
    assert log_p is not None
    assert in_order(log_p, 1) == pytest.approx([stats.norm.logsf(2.0)])


def test_outside_the_mask_p_is_1(opened: Opened) -> None:
    log_p = log_p_map(opened({"p": voxels(0.01, 0.2)})["p"])
    assert log_p is not None
    assert in_order(log_p, 3) == pytest.approx([math.log(0.01), math.log(0.2), 0])
    assert (log_p == 0).sum() == log_p.size - 2


def test_a_p_of_0_inside_the_mask_underflowed(opened: Opened) -> None:
    # The second voxel is inside: it has a statistic. The third is outside.
    results = opened({"p": voxels(0.01, 0), "stat": voxels(1, 5)})
    log_p = log_p_map(results["p"])
    assert log_p is not None
    first, underflowed, outside = in_order(log_p, 3)
    assert first == pytest.approx(math.log(0.01))
    assert underflowed < math.log(1e-37)
    assert math.isfinite(underflowed)
    assert outside == 0


def test_nan_is_outside(opened: Opened) -> None:
    log_p = log_p_map(opened({"z": voxels(3.0, np.nan, -1.0)})["z"])
    assert log_p is not None
    found = in_order(log_p, 3)
    assert found[1] == 0
    assert found[0] == pytest.approx(math.log(2) + stats.norm.logsf(3.0))


def test_t_needs_the_map_of_its_degrees_of_freedom(opened: Opened) -> None:
    assert log_p_map(opened({"t": voxels(4.0)})["t"]) is None
    results = opened({"t": voxels(4.0, -4.0), "dof": voxels(7.5, 100)})
    log_p = log_p_map(results["t"])
    assert log_p is not None
    expected = np.log(2 * stats.t.sf(4.0, [7.5, 100]))
    assert in_order(log_p, 3) == pytest.approx([*expected, 0])


@pytest.mark.parametrize("stem", ["stat", "est", "se", "label", "prob_desc-A"])
def test_maps_without_p_have_none(opened: Opened, stem: str) -> None:
    assert log_p_map(opened({stem: voxels(3.0)})[stem]) is None


def test_a_statistic_takes_the_p_of_its_test(opened: Opened) -> None:
    results = opened({"stat": voxels(0.3), "p": voxels(0.02)})
    log_p = log_p_map(results["stat"])
    assert log_p is not None
    assert in_order(log_p, 1) == pytest.approx([math.log(0.02)])


KINDS = {
    "z": lambda z: z,
    "t": lambda z: z,
    "p": lambda z: 2 * stats.norm.sf(np.abs(z)),
    "logp": lambda z: -np.log10(2 * stats.norm.sf(np.abs(z))),
    "a_corrp_tstat1": lambda z: 1 - 2 * stats.norm.sf(np.abs(z)),
}


@pytest.mark.parametrize("stem", KINDS)
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_survivors_are_the_voxels_whose_p_is_small_enough(
    opened: Opened, rng: np.random.Generator, stem: str, alpha: float
) -> None:
    data = np.asarray(KINDS[stem](rng.normal(0, 2.5, SHAPE)), np.float32)
    data[0] = 0 if stem != "p" else data[0]
    results = opened({stem: data, "dof": np.full(SHAPE, 30.0)})
    survivors = survivors_at(results[stem], alpha)
    log_p = log_p_map(results[stem])
    assert survivors is not None
    assert log_p is not None
    assert (survivors == (np.exp(log_p) <= alpha)).all()
    assert 0 < survivors.sum() < survivors.size
    assert smallest_p(results[stem]) == pytest.approx(np.exp(log_p.min()), rel=1e-5)


@pytest.mark.parametrize("stem", ["p", "logp"])
def test_a_millionth_is_forgiven_and_no_more(opened: Opened, stem: str) -> None:
    p = 0.05 * np.array([1, 1 + 5e-7, 1 + 4e-6])
    values = p if stem == "p" else -np.log10(p)
    survivors = survivors_at(opened({stem: voxels(*values)})[stem], 0.05)
    assert survivors is not None
    assert survivors[1, 1, 1:4].tolist() == [True, True, False]


def test_a_negative_z_survives_only_where_the_test_looked_that_way(
    opened: Opened, rng: np.random.Generator
) -> None:
    z = rng.normal(0, 2.5, SHAPE).astype(np.float32)
    one_tailed = stats.norm.sf(z)
    stem = f"z_{MONTE_CARLO}"
    # The corrected z has no p of its own: its tail is that of the test.
    results = opened({"z": z, "p": one_tailed, stem: z})
    survivors = survivors_at(results[stem], 0.01)
    log_p = log_p_map(results[stem])
    assert survivors is not None
    assert log_p is not None
    assert (survivors == (one_tailed <= 0.01)).all()
    assert np.allclose(log_p, stats.norm.logsf(z))
    # Two one-tailed tests in one map: each sign has its own p.
    stem = "z_desc-balancedGroup1MinusGroup2"
    results = opened({stem: z})
    assert results[stem].tail is Tail.ONE
    survivors = survivors_at(results[stem], 0.01)
    log_p = log_p_map(results[stem])
    assert survivors is not None
    assert log_p is not None
    assert (survivors == (stats.norm.sf(np.abs(z)) <= 0.01)).all()
    assert survivors[z < 0].any()
    assert np.allclose(log_p, stats.norm.logsf(np.abs(z)))
    assert smallest_p(results[stem]) == pytest.approx(
        stats.norm.sf(np.abs(z).max()), rel=1e-4
    )


def test_survivors_need_a_p(opened: Opened) -> None:
    assert survivors_at(opened({"t": voxels(4.0)})["t"], 0.05) is None


def test_an_underflowed_p_survives(opened: Opened) -> None:
    results = opened({"p": voxels(0.5, 0), "stat": voxels(1, 5)})
    survivors = survivors_at(results["p"], 0.05)
    assert survivors is not None
    assert np.argwhere(survivors).tolist() == [[1, 1, 2]]


# --- iterations -------------------------------------------------------------------


def test_iterations_are_read_off_the_methods_text(opened: Opened) -> None:
    text = (
        "Family-wise error rate correction: 2,500 iterations were performed to "
        "estimate a null distribution."
    )
    stem = f"logp_{MONTE_CARLO}"
    results = opened({stem: voxels(2.0)}, {"boilerplate.txt": text})
    assert iterations_of(results[stem]) == 2500


@pytest.mark.parametrize("n", [10, 100, 1000, 5000])
def test_iterations_are_read_off_the_floor(opened: Opened, n: int) -> None:
    stem = f"logp_{MONTE_CARLO}"
    floor, some = -math.log10(1 - 1 / n), -math.log10(3 / n)
    results = opened({stem: voxels(some, floor, floor)})
    assert iterations_of(results[stem]) == n
    # A p between the steps of n iterations, and the floor was none.
    between = -math.log10(3.4 / n)
    results = opened({stem: voxels(between, floor, floor)})
    assert iterations_of(results[stem]) is None


def test_a_z_map_finds_the_floor_on_its_sibling(opened: Opened) -> None:
    floor = -math.log10(1 - 1 / 200)
    results = opened(
        {f"z_{MONTE_CARLO}": voxels(2.5), f"logp_{MONTE_CARLO}": voxels(2.3, floor)}
    )
    assert iterations_of(results[f"z_{MONTE_CARLO}"]) == 200


def test_a_floor_that_is_none_tells_no_iterations(opened: Opened) -> None:
    stem = f"logp_{MONTE_CARLO}"
    assert iterations_of(opened({stem: voxels(2.0, 0.31)})[stem]) is None
    assert iterations_of(opened({stem: voxels()})[stem]) is None


@pytest.mark.parametrize("key", [f"z_{MONTE_CARLO}", f"logp_{CLUSTER}"])
def test_text_and_floor_agree_in_the_sample(sample_path: Path, key: str) -> None:
    folder = open_results(sample_path)
    assert folder.iterations == 1000
    # The files alone, without the text beside them.
    alone = open_results(sorted(sample_path.glob("*.nii.gz")))
    assert alone.iterations is None
    assert iterations_of(folder[key]) == iterations_of(alone[key]) == 1000


def test_other_maps_have_no_iterations(opened: Opened, sample_path: Path) -> None:
    sample = open_results(sample_path)
    assert iterations_of(sample["z"]) is None
    results = opened({"p_corr-FDR_method-indep": voxels(0.999)})
    assert iterations_of(results["p_corr-FDR_method-indep"]) is None


@pytest.mark.parametrize(("t", "dof"), [(60, 1e5), (100, 500), (1e4, 200), (80, 1e6)])
def test_t_is_exact_where_its_p_underflows(t: float, dof: float) -> None:
    # Reference by quadrature of the density, scaled by its value at t.
    x, step = np.linspace(0, 60 * (dof + t**2) / (dof + 1) / t, 400_001, retstep=True)
    logpdf = stats.t.logpdf(t + x, dof)
    area = np.exp(logpdf - logpdf[0])
    integral = step * (area.sum() - (area[0] + area[-1]) / 2)
    reference = logpdf[0] + math.log(integral)
    assert math.isinf(stats.t.logsf(t, dof))
    ours = log_p_of(t, MapKind.T, Tail.ONE, dof)
    assert float(ours) == pytest.approx(reference, rel=1e-7)
