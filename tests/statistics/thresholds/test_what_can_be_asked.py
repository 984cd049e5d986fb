"""What is offered works, what is refused does not, and sliders get stricter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.p_values.significance import Evidence
from napari_neurosynth_results.statistics.thresholds.threshold import (
    CRITERIA,
    Threshold,
)
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import (
    SliderScale,
    choose_scale,
    find_directions,
    list_presets,
    refusals,
)

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]

MASS = "desc-associationMass_level-cluster_corr-FWE_method-montecarlo"
VOXEL = "level-voxel_corr-FWE_method-montecarlo"
BY_P = ["p .001", "p .005", "p .01", "p .05"]
ALL = ["value", "p", "q", "bonferroni"]


@pytest.fixture
def z(rng: np.random.Generator, inside: Array) -> Array:
    """Return scores with both signs, 0 outside the mask."""
    return np.where(inside, rng.normal(0, 1.8, inside.shape), 0)


@pytest.fixture
def two_tailed(opened: Opened, z: Array, inside: Array) -> ResultSet:
    """Return a test of both directions with a cluster-level correction."""
    p = np.where(inside, 2 * stats.norm.sf(np.abs(z)), 0)
    cluster_p = np.where(inside, 1 - 1 / 200, 1.0)
    cluster_p[2, 2:4, 2:4], z[2, 2:4, 2:4] = 0.01, 5
    cluster_p[5, 5:7, 5:7], z[5, 5:7, 5:7] = 0.03, -5
    return opened(
        {
            "z_desc-association": z,
            "p_desc-association": p,
            "chi2_desc-association": z**2,
            "prob_desc-AgF": p,
            f"logp_{MASS}": -np.log10(cluster_p),
            f"z_{MASS}": stats.norm.isf(cluster_p / 2) * np.sign(z) * inside,
        }
    )


@pytest.fixture
def one_tailed(opened: Opened, z: Array, inside: Array) -> ResultSet:
    """Return a test of the positive direction, with a statistic and a correction."""
    p = np.where(inside, stats.norm.sf(z), 0)
    corrected = np.where(inside, np.minimum(p * inside.sum(), 0.99), 0)
    return opened(
        {
            "z": z,
            "p": p,
            "logp": np.where(inside, -stats.norm.logsf(z) / np.log(10), 0),
            "stat": np.where(inside, np.exp(z) / 50, 0),
            f"p_{VOXEL}": corrected,
            f"z_{VOXEL}": np.where(inside, stats.norm.isf(corrected), 0),
        }
    )


@pytest.fixture
def lone(opened: Opened, z: Array, inside: Array) -> ResultSet:
    """Return maps whose names say nothing of what is beside them."""
    return opened(
        {"zstat1": z, "spmT_0001": z, "a_corrp_tstat1": (1 - 0.5 ** z.clip(0)) * inside}
    )


@pytest.fixture(params=["sample", "two_tailed", "one_tailed", "lone"])
def results(request: pytest.FixtureRequest, sample_path: Path) -> ResultSet:
    """Return one result set after the other."""
    if request.param == "sample":
        return open_results(sample_path)
    found: ResultSet = request.getfixturevalue(request.param)
    return found


def offered(statmap: StatMap) -> list[str]:
    return [name for name, why in refusals(statmap).items() if why is None]


def tails(statmap: StatMap) -> list[str]:
    return [tail for tail, why in find_directions(statmap).items() if why is None]


def presets(statmap: StatMap) -> list[str]:
    return [preset.name for preset in list_presets(statmap)]


# --- criteria ---------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_offered_works_and_what_is_refused_says_why(results: ResultSet) -> None:
    for statmap in results.maps.values():
        found = refusals(statmap)
        assert list(found) == ALL == list(CRITERIA)
        for criterion, why in found.items():
            asked = Threshold.by(criterion, 0.05)
            if why is None:
                clusters_at(statmap, asked)
                continue
            assert len(why.split()) > 5
            with pytest.raises(ResultsError):
                clusters_at(statmap, asked)


def test_criteria_by_what_a_map_is(
    one_tailed: ResultSet, two_tailed: ResultSet, lone: ResultSet
) -> None:
    for stem in ("z", "p", "logp", "stat"):
        assert offered(one_tailed[stem]) == ALL, stem
    assert offered(one_tailed[f"z_{VOXEL}"]) == ["value", "p"]
    assert offered(two_tailed["chi2_desc-association"]) == ALL
    assert offered(two_tailed["prob_desc-AgF"]) == ["value"]
    for stem in (f"z_{MASS}", f"logp_{MASS}"):
        assert offered(two_tailed[stem]) == ["p"], stem
    assert offered(lone["zstat1"]) == ["value", "p"]
    assert offered(lone["spmT_0001"]) == ["value"]


def test_labels_are_offered_nothing(sample_path: Path) -> None:
    results = open_results(sample_path)
    (label,) = [m for m in results.maps.values() if m.kind == "label"]
    assert offered(label) == []
    assert presets(label) == []


def test_a_mask_tells_a_lone_map_its_tests(lone: ResultSet, inside: Array) -> None:
    z = lone["zstat1"]
    assert "no map beside this one shows where it ends" in str(refusals(z)["q"])
    assert refusals(z, inside) == dict.fromkeys(CRITERIA)


def test_degrees_of_freedom_tell_the_p_of_a_lone_t(lone: ResultSet) -> None:
    t = lone["spmT_0001"]
    stated = Evidence(dof=18)
    found = refusals(t, evidence=stated)
    assert [name for name, why in found.items() if why is None] == ["value", "p"]
    strongest = float(np.abs(t.data).max())
    scale = choose_scale(t, "p", stated)
    assert scale.strict == pytest.approx(2 * stats.t.sf(strongest, 18), rel=1e-4)


def test_a_map_that_cannot_be_read_is_offered_nothing(
    write: Callable[..., Path], z: Array
) -> None:
    folder = write({"z": z, "p": np.exp(-np.abs(z))})
    results = open_results(folder)
    (folder / "z.nii.gz").write_bytes((folder / "z.nii.gz").read_bytes()[:900])
    assert all("z.nii.gz" in str(why) for why in refusals(results["z"]).values())


# --- directions -------------------------------------------------------------------


def test_directions_by_what_was_tested(
    one_tailed: ResultSet, two_tailed: ResultSet, lone: ResultSet
) -> None:
    every = ["both", "positive", "negative"]
    for stem in ("z", "p", "logp", "stat", f"z_{VOXEL}"):
        assert tails(one_tailed[stem]) == ["positive"], stem
    assert tails(two_tailed["z_desc-association"]) == every
    for stem in ("p_desc-association", "chi2_desc-association", "prob_desc-AgF"):
        assert tails(two_tailed[stem]) == ["positive"], stem
    assert tails(lone["zstat1"]) == tails(lone["spmT_0001"]) == every
    assert tails(lone["a_corrp_tstat1"]) == ["positive"]
    assert "no evidence for the opposite" in str(
        find_directions(one_tailed["z"])["negative"]
    )
    assert "no negative values" in str(find_directions(one_tailed["stat"])["both"])


@pytest.mark.parametrize("value", ["z", "logp"])
def test_clusters_have_the_directions_of_their_test(
    two_tailed: ResultSet, value: str
) -> None:
    statmap = two_tailed[f"{value}_{MASS}"]
    assert tails(statmap) == ["both", "positive", "negative"]
    found = [
        clusters_at(statmap, Threshold(p=0.05, tail=tail)).table.sign.tolist()
        for tail in ("both", "positive", "negative")
    ]
    assert found == [[1, -1], [1], [-1]]


# --- scales -----------------------------------------------------------------------

LOGARITHMIC = st.floats(1e-12, 0.05).map(lambda strict: SliderScale(0.5, strict, True))
LINEAR = st.floats(1e-3, 1e4).map(lambda top: SliderScale(top / 1000, top, False))
SCALES = LOGARITHMIC | LINEAR
POSITIONS = st.floats(0, 1)


@given(scale=SCALES, position=POSITIONS)
def test_a_position_is_found_again(scale: SliderScale, position: float) -> None:
    number = scale.number_at(position)
    assert scale.position_of(number) == pytest.approx(position, abs=0.003)


@given(scale=SCALES, position=POSITIONS)
def test_a_number_stays_what_it_is_but_for_the_digits_shown(
    scale: SliderScale, position: float
) -> None:
    exact = scale.loose + (scale.strict - scale.loose) * position
    again = scale.number_at(scale.position_of(exact))
    assert again == pytest.approx(exact, rel=0.006 if scale.logarithmic else 6e-4)


@given(scale=SCALES, positions=st.lists(POSITIONS, min_size=2))
def test_to_the_right_it_gets_stricter(
    scale: SliderScale, positions: list[float]
) -> None:
    numbers = [scale.number_at(position) for position in sorted(positions)]
    assert numbers == sorted(numbers, reverse=scale.strict < scale.loose)
    first, last = scale.number_at(0), scale.number_at(1)
    assert (first, last) == pytest.approx((scale.loose, scale.strict), rel=0.006)
    assert first != last


@given(scale=SCALES, factor=st.floats(1, 1e6))
def test_numbers_beyond_the_ends_lie_at_the_ends(
    scale: SliderScale, factor: float
) -> None:
    larger, smaller = max(scale.loose, scale.strict), min(scale.loose, scale.strict)
    beyond = scale.position_of(larger * factor), scale.position_of(smaller / factor)
    assert beyond == pytest.approx((0, 1) if scale.logarithmic else (1, 0))


def test_values_run_to_the_strongest(one_tailed: ResultSet) -> None:
    z = one_tailed["z"]
    top = float(np.abs(z.data).max())
    assert choose_scale(z, "value") == SliderScale(top / 1000, top, False)
    smallest = float(one_tailed["p"].data[one_tailed["p"].data > 0].min())
    assert choose_scale(one_tailed["p"], "value") == SliderScale(0.5, smallest, True)


def test_probabilities_run_to_the_smallest_of_the_map(one_tailed: ResultSet) -> None:
    smallest = float(one_tailed["p"].data[one_tailed["p"].data > 0].min())
    assert 1e-12 < smallest < 1e-6
    for stem in ("z", "p", "logp", "stat"):
        scale = choose_scale(one_tailed[stem], "p")
        assert (scale.loose, scale.logarithmic) == (0.5, True)
        assert scale.strict == pytest.approx(smallest, rel=1e-4), stem
    for criterion in ("q", "bonferroni"):
        assert choose_scale(one_tailed["z"], criterion) == SliderScale(0.5, 1e-6, True)


@pytest.mark.parametrize(("z", "strict"), [(40.0, 1e-12), (np.inf, 1e-12), (0.1, 0.05)])
def test_sliders_of_p_are_neither_too_long_nor_too_short(
    opened: Opened, z: float, strict: float
) -> None:
    data = np.zeros((8, 9, 8))
    data[4, 4, 4] = z
    assert choose_scale(opened({"z": data})["z"], "p") == SliderScale(0.5, strict, True)


def test_a_slider_of_clusters_runs_to_the_smallest_p(two_tailed: ResultSet) -> None:
    for value in ("z", "logp"):
        scale = choose_scale(two_tailed[f"{value}_{MASS}"], "p")
        assert scale.strict == pytest.approx(0.01, rel=1e-4)


@pytest.mark.slow
def test_every_map_survives_the_loose_end(results: ResultSet) -> None:
    for statmap in results.maps.values():
        for criterion in offered(statmap):
            loose = choose_scale(statmap, criterion).number_at(0)
            clusters = clusters_at(statmap, Threshold.by(criterion, loose))
            assert len(clusters) > 0, (statmap.key, criterion)


# --- presets ----------------------------------------------------------------------


@pytest.mark.slow
def test_every_preset_that_is_offered_works(results: ResultSet) -> None:
    for statmap in results.maps.values():
        found = list_presets(statmap)
        assert len({preset.name for preset in found}) == len(found)
        for preset in found:
            clusters = clusters_at(statmap, preset.threshold)
            assert clusters.asked == preset.threshold


def test_presets_by_what_a_map_is(
    one_tailed: ResultSet, two_tailed: ResultSet, lone: ResultSet
) -> None:
    by_z = ["nilearn-like", "NiMARE-workflow-like"]
    assert presets(one_tailed["z"]) == [*BY_P, "FDR q .05", "SPM-like", *by_z]
    for stem in ("p", "logp", "stat"):
        assert presets(one_tailed[stem]) == [*BY_P, "FDR q .05", "SPM-like"], stem
    # A lone z does not tell how many tests there were.
    assert presets(lone["zstat1"]) == [*BY_P, "SPM-like", *by_z]
    # Nothing states the p of a lone t, and of a probability there is none.
    assert presets(lone["spmT_0001"]) == presets(two_tailed["prob_desc-AgF"]) == []


def test_corrected_maps_get_no_threshold_that_is_called_uncorrected(
    one_tailed: ResultSet, lone: ResultSet
) -> None:
    z = one_tailed[f"z_{VOXEL}"]
    assert presets(z) == [*BY_P, "nilearn-like", "NiMARE-workflow-like"]
    assert presets(one_tailed[f"p_{VOXEL}"]) == BY_P
    assert presets(lone["a_corrp_tstat1"]) == BY_P


@pytest.mark.parametrize("value", ["z", "logp"])
def test_cluster_level_maps_get_levels_of_significance_only(
    two_tailed: ResultSet, value: str
) -> None:
    found = list_presets(two_tailed[f"{value}_{MASS}"])
    assert [preset.name for preset in found] == BY_P
    levels = [preset.threshold for preset in found]
    assert levels == [Threshold(p=p) for p in (0.001, 0.005, 0.01, 0.05)]


def test_presets_ask_what_the_programs_ask(one_tailed: ResultSet) -> None:
    asked = {preset.name: preset.threshold for preset in list_presets(one_tailed["z"])}
    assert asked["FDR q .05"] == Threshold(q=0.05)
    assert asked["SPM-like"] == Threshold(p=0.001, connectivity=18)
    nilearn = asked["nilearn-like"]
    assert nilearn.value == np.float32(stats.norm.isf(0.0005))
    assert nilearn == Threshold(value=nilearn.value, strict=True)
    nimare = asked["NiMARE-workflow-like"]
    assert nimare == Threshold(value=1.65, strict=True, min_voxels=10)
