"""Which map states p, and what survives a p."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.kinds import Tail
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.significance import Evidence, PSource
from napari_neurosynth_results.statistics.p_values.voxel_p import voxel_p
from napari_neurosynth_results.statistics.thresholds.apply import apply_threshold
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

Opened = Callable[..., ResultSet]
MONTE_CARLO = "level-voxel_corr-FWE_method-montecarlo"
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


def test_the_sibling_states_the_p_not_the_map(opened: Opened) -> None:
    # A z that says nothing of the kind: its logp map decides.
    results = opened({"z": voxels(9, 9), "logp": voxels(2, 0.5)})
    assert PSource(results["z"]).map is results["logp"]
    log_p = PSource(results["z"]).log_p()
    assert log_p is not None
    assert in_order(log_p, 3) == pytest.approx([math.log(0.01), -0.5 * math.log(10), 0])


def test_logp_comes_before_p(opened: Opened) -> None:
    results = opened({"z": voxels(9), "p": voxels(1e-3), "logp": voxels(40)})
    assert PSource(results["z"]).map is results["logp"]
    log_p = PSource(results["z"]).log_p()
    assert log_p is not None
    assert in_order(log_p, 1) == pytest.approx([-40 * math.log(10)])


def test_what_states_p_is_looked_for_once_a_question(opened: Opened) -> None:
    asked: list[str] = []

    class Counted(dict[str, StatMap]):
        def get(self, key: str, default: Any = None) -> Any:
            asked.append(key)
            return super().get(key, default)

    results = opened({"t": voxels(4.0, 1.0), "dof": voxels(20, 20)})
    given = Counted({"dof": results["dof"]})
    source = PSource(results["t"], Evidence(given))
    applied = apply_threshold(source, Threshold(p=0.01))
    assert applied.parts.sum() == 1
    assert source.log_p() is not None
    assert source.smallest_p() < 0.001
    assert voxel_p(source, lambda statmap: statmap.data) is not None
    assert asked == ["dof"]


def test_a_sibling_on_another_grid_is_no_sibling(
    write: Callable[..., Path],
) -> None:
    folder = write({"z": voxels(2.0)})
    image = nib.Nifti1Image(np.ones((4, 4, 4), "f4"), np.diag([40, 40, 40, 1]))
    image.to_filename(folder / "logp.nii.gz")
    results = open_results(folder)
    assert PSource(results["z"]).map is results["z"]
    log_p = PSource(results["z"]).log_p()
    assert log_p is not None
    assert in_order(log_p, 1) == pytest.approx([stats.norm.logsf(2.0)])


def test_outside_the_mask_p_is_1(opened: Opened) -> None:
    log_p = PSource(opened({"p": voxels(0.01, 0.2)})["p"]).log_p()
    assert log_p is not None
    assert in_order(log_p, 3) == pytest.approx([math.log(0.01), math.log(0.2), 0])
    assert (log_p == 0).sum() == log_p.size - 2


def test_a_p_of_0_inside_the_mask_underflowed(opened: Opened) -> None:
    # The second voxel is inside: it has a statistic. The third is outside.
    results = opened({"p": voxels(0.01, 0), "stat": voxels(1, 5)})
    log_p = PSource(results["p"]).log_p()
    assert log_p is not None
    first, underflowed, outside = in_order(log_p, 3)
    assert first == pytest.approx(math.log(0.01))
    assert underflowed < math.log(1e-37)
    assert math.isfinite(underflowed)
    assert outside == 0


def test_nan_is_outside(opened: Opened) -> None:
    log_p = PSource(opened({"z": voxels(3.0, np.nan, -1.0)})["z"]).log_p()
    assert log_p is not None
    found = in_order(log_p, 3)
    assert found[1] == 0
    assert found[0] == pytest.approx(math.log(2) + stats.norm.logsf(3.0))


def test_t_needs_the_map_of_its_degrees_of_freedom(opened: Opened) -> None:
    assert PSource(opened({"t": voxels(4.0)})["t"]).log_p() is None
    results = opened({"t": voxels(4.0, -4.0), "dof": voxels(7.5, 100)})
    log_p = PSource(results["t"]).log_p()
    assert log_p is not None
    expected = np.log(2 * stats.t.sf(4.0, [7.5, 100]))
    assert in_order(log_p, 3) == pytest.approx([*expected, 0])


@pytest.mark.parametrize("stem", ["stat", "est", "se", "label", "prob_desc-A"])
def test_maps_without_p_have_none(opened: Opened, stem: str) -> None:
    assert PSource(opened({stem: voxels(3.0)})[stem]).log_p() is None


def test_a_statistic_takes_the_p_of_its_test(opened: Opened) -> None:
    results = opened({"stat": voxels(0.3), "p": voxels(0.02)})
    log_p = PSource(results["stat"]).log_p()
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
    survivors = PSource(results[stem]).survivors(alpha)
    log_p = PSource(results[stem]).log_p()
    assert survivors is not None
    assert log_p is not None
    assert (survivors == (np.exp(log_p) <= alpha)).all()
    assert 0 < survivors.sum() < survivors.size
    assert PSource(results[stem]).smallest_p() == pytest.approx(
        np.exp(log_p.min()), rel=1e-5
    )


@pytest.mark.parametrize("stem", ["p", "logp"])
def test_a_millionth_is_forgiven_and_no_more(opened: Opened, stem: str) -> None:
    p = 0.05 * np.array([1, 1 + 5e-7, 1 + 4e-6])
    values = p if stem == "p" else -np.log10(p)
    survivors = PSource(opened({stem: voxels(*values)})[stem]).survivors(0.05)
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
    survivors = PSource(results[stem]).survivors(0.01)
    log_p = PSource(results[stem]).log_p()
    assert survivors is not None
    assert log_p is not None
    assert (survivors == (one_tailed <= 0.01)).all()
    assert np.allclose(log_p, stats.norm.logsf(z))
    # Two one-tailed tests in one map: each sign has its own p.
    stem = "z_desc-balancedGroup1MinusGroup2"
    results = opened({stem: z})
    assert results[stem].tail is Tail.ONE
    survivors = PSource(results[stem]).survivors(0.01)
    log_p = PSource(results[stem]).log_p()
    assert survivors is not None
    assert log_p is not None
    assert (survivors == (stats.norm.sf(np.abs(z)) <= 0.01)).all()
    assert survivors[z < 0].any()
    assert np.allclose(log_p, stats.norm.logsf(np.abs(z)))
    assert PSource(results[stem]).smallest_p() == pytest.approx(
        stats.norm.sf(np.abs(z).max()), rel=1e-4
    )


def test_survivors_need_a_p(opened: Opened) -> None:
    assert PSource(opened({"t": voxels(4.0)})["t"]).survivors(0.05) is None


def test_an_underflowed_p_survives(opened: Opened) -> None:
    results = opened({"p": voxels(0.5, 0), "stat": voxels(1, 5)})
    survivors = PSource(results["p"]).survivors(0.05)
    assert survivors is not None
    assert np.argwhere(survivors).tolist() == [[1, 1, 2]]
