"""The first threshold of a map follows from what its numbers mean, and says so."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from napari_neurosynth_results import (
    MapKind,
    ResultsError,
    Tail,
    find_clusters,
    open_results,
)
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.thresholds.apply import describe_map
from napari_neurosynth_results.statistics.thresholds.first_look import (
    FirstLook,
    choose_first_threshold,
    first_look,
    look_without_siblings,
)

Opened = Callable[..., ResultSet]
Array = npt.NDArray[np.float32]
SHAPE = (8, 9, 8)
FWE = "level-voxel_corr-FWE_method-montecarlo"
CLUSTER = "desc-mass_level-cluster_corr-FWE_method-montecarlo"
FDR = "corr-FDR_method-indep"


@pytest.fixture
def z(rng: np.random.Generator, inside: npt.NDArray[np.bool_]) -> Array:
    """Return scores wide enough that some survive and most do not."""
    return np.where(inside, rng.normal(0, 2.5, SHAPE), 0).astype(np.float32)


def looked(statmap: StatMap) -> FirstLook:
    look = first_look(statmap)
    assert look is not None
    return look


def p_of(values: Array, tail: Tail, inside: npt.NDArray[np.bool_]) -> Array:
    """Convert z as the estimator would have, 0 outside the mask."""
    p = stats.norm.sf(values.astype(float))
    if tail is Tail.TWO:
        p = 2 * stats.norm.sf(np.abs(values.astype(float)))
    return np.where(inside, p, 0).astype(np.float32)


# --- by p -------------------------------------------------------------------------


def test_a_one_tailed_z_opens_at_p_001(opened: Opened, z: Array) -> None:
    z = np.maximum(z, 0)
    look = looked(opened({"z": z})["z"])
    assert look.height == pytest.approx(3.0902, abs=1e-4)
    assert look.n_voxels == (z >= 3.0902).sum() > 10
    assert (look.signed, look.survives) == (False, True)
    assert look.strongest == z.max()
    assert "z >= 3.09 (p <= .001, one-tailed, a guess)" in look.reason
    assert f"{look.n_voxels} voxels" in look.reason


def test_a_two_tailed_z_shows_both_signs(opened: Opened, z: Array) -> None:
    look = looked(opened({"z": z})["z"])
    assert look.height == pytest.approx(3.2905, abs=1e-4)
    assert look.n_voxels == (np.abs(z) >= 3.2905).sum()
    assert look.n_voxels > (z >= 3.2905).sum() > 0
    assert look.signed
    assert look.strongest == np.abs(z).max()
    assert "|z| >= 3.29 (p <= .001, two-tailed, a guess)" in look.reason


def test_negatives_of_a_one_tailed_test_are_not_shown(
    opened: Opened, z: Array, inside: npt.NDArray[np.bool_]
) -> None:
    results = opened({"z": z, "p": p_of(z, Tail.ONE, inside)})
    assert (z < -3.5).any()
    assert results["z"].tail is Tail.ONE
    look = looked(results["z"])
    assert not look.signed
    assert look.n_voxels == (z >= 3.0902).sum()


def test_an_uncorrected_map_follows_its_p_map(
    opened: Opened, z: Array, inside: npt.NDArray[np.bool_]
) -> None:
    p = p_of(z, Tail.TWO, inside)
    # The test was stricter than its z tells: only its own p map knows.
    p[np.abs(z) < 3.6] = 0.2
    results = opened({"z": z, "p": p})
    look = looked(results["z"])
    survivors = (p > 0) & (p <= 0.001)
    assert look.n_voxels == survivors.sum() < (np.abs(z) >= 3.29).sum()
    assert look.height == np.abs(z[survivors]).min()
    assert "by its p map" in look.reason


def test_t_opens_by_its_degrees_of_freedom(opened: Opened, z: Array) -> None:
    results = opened({"t": 2 * z, "dof": np.full(SHAPE, 12.0)})
    look = looked(results["t"])
    expected = 2 * stats.t.sf(np.abs(2 * z), 12) <= 0.001
    assert look.n_voxels == expected.sum() > 10
    assert look.height == np.abs(2 * z[expected]).min()
    assert look.height == pytest.approx(stats.t.isf(0.0005, 12), abs=0.5)
    assert look.signed


def test_voxels_as_strong_without_a_small_p_are_counted_and_told(
    opened: Opened, z: Array
) -> None:
    t, dof = 2 * z, np.full(SHAPE, 100.0)
    dof[:4] = 4
    look = looked(opened({"t": t, "dof": dof})["t"])
    p = np.where(t != 0, 2 * stats.t.sf(np.abs(t), dof), 1)
    others = (np.abs(t) >= look.height) & (p > 0.001)
    assert others.sum() > 5
    assert look.n_voxels == (np.abs(t) >= look.height).sum()
    assert f"{(p <= 0.001).sum()} voxels, and {others.sum()} voxels" in look.reason


def test_t_without_degrees_of_freedom_shows_its_strongest(
    opened: Opened, z: Array
) -> None:
    look = looked(opened({"t": z})["t"])
    assert look.height == pytest.approx(np.percentile(np.abs(z[z != 0]), 95))
    assert look.survives
    assert "the strongest 5 %" in look.reason


def test_p_opens_at_p_001(
    opened: Opened, z: Array, inside: npt.NDArray[np.bool_]
) -> None:
    p = p_of(z, Tail.TWO, inside)
    look = looked(opened({"p": p})["p"])
    assert look.n_voxels == ((p > 0) & (p <= 0.001)).sum() > 10
    assert look.height == pytest.approx(0.001)
    assert look.strongest == p[p > 0].min()
    assert not look.signed
    assert "p <= .001" in look.reason


def test_logp_opens_at_3(
    opened: Opened, z: Array, inside: npt.NDArray[np.bool_]
) -> None:
    logp = -np.log10(np.where(inside, p_of(z, Tail.TWO, inside), 1))
    look = looked(opened({"logp": logp})["logp"])
    assert look.height == pytest.approx(3)
    assert look.n_voxels == (logp >= 3).sum() > 10
    assert "-log10 p >= 3 (p <= .001" in look.reason


def test_one_minus_p_opens_at_999(opened: Opened, inside: Array, z: Array) -> None:
    p = np.where(inside, p_of(z, Tail.TWO, inside), 1)
    stem = "randomise_vox_corrp_tstat1"
    results = opened({stem: 1 - p})
    assert results[stem].kind is MapKind.ONE_MINUS_P
    look = looked(results[stem])
    kept = np.float32(1 - p) >= np.float32(look.height)
    assert look.n_voxels == kept.sum() > 0
    assert "<= ." in look.reason


@pytest.mark.parametrize("stem", [FWE, CLUSTER, FDR])
def test_a_corrected_map_opens_at_05_by_its_sibling(
    opened: Opened, z: Array, inside: npt.NDArray[np.bool_], stem: str
) -> None:
    # NiMARE's z of a corrected p is not its own conversion: the p map has to decide.
    p = np.where(inside, p_of(z, Tail.TWO, inside) * 20, 0).clip(0, 1)
    if stem == CLUSTER:
        # One value a cluster, and the floor.
        p = np.where(p <= 0.05, np.sign(p) * 0.01, 1)
    results = opened({f"z_{stem}": z, f"p_{stem}": p})
    look = looked(results[f"z_{stem}"])
    assert look.n_voxels == ((p > 0) & (p <= 0.05)).sum() > 10
    assert ("q <= .05" if stem == FDR else "p_FWE <= .05") in look.reason
    assert "by its p map" in look.reason
    assert ("one value per cluster" in look.reason) == (stem == CLUSTER)


@pytest.mark.parametrize("value", ["p", "logp", "z"])
def test_exactly_05_survives_in_float32(opened: Opened, value: str) -> None:
    data = np.zeros(SHAPE, np.float32)
    p = np.float32(0.05)
    assert float(p) > 0.05
    # Also one grain of 1/1000 above, which does not.
    data[2, 2, 2:5], data[2, 2, 5] = p, 0.051
    inside = data > 0
    logp = np.where(inside, -np.log10(np.where(inside, data, 1)), 0)
    one_tailed = np.where(inside, stats.norm.isf(np.where(inside, data, 0.5)), 0)
    results = opened(
        {f"p_{FWE}": data, f"logp_{FWE}": logp, f"z_{FWE}": one_tailed, "z": one_tailed}
    )
    look = looked(results[f"{value}_{FWE}"])
    assert (look.n_voxels, look.survives) == (3, True)
    shown = results[f"{value}_{FWE}"].data
    if value == "p":
        assert ((shown > 0) & (shown <= look.height * (1 + 1e-6))).sum() == 3
    else:
        assert (shown >= look.height * (1 - 1e-6)).sum() == 3


def test_a_p_that_underflowed_is_the_strongest(opened: Opened) -> None:
    p, stat = np.zeros((2, *SHAPE), np.float32)
    stat[2:6, 2:6, 2:6] = 1
    p[2:6, 2:6, 2:6] = 0.5
    p[2, 2, 2:4] = 1e-20
    p[3, 3, 3] = 0  # underflowed: it has a statistic
    results = opened({"p": p, "stat": stat})
    look = looked(results["p"])
    assert look.n_voxels == 3
    assert look.strongest > 0


def test_only_underflowed_p_survive_too(opened: Opened) -> None:
    p, stat = np.zeros((2, *SHAPE), np.float32)
    stat[2:6, 2:6, 2:6] = 1
    p[2:6, 2:6, 2:6] = 0.5
    p[3, 3, 3] = 0
    look = looked(opened({"p": p, "stat": stat})["p"])
    assert look.survives
    assert look.n_voxels == 1
    assert 0 < look.strongest < look.height


# --- without p --------------------------------------------------------------------


@pytest.mark.parametrize("stem", ["stat", "prob_desc-AgF", "chi2"])
def test_maps_without_p_show_their_strongest_voxels(
    opened: Opened, z: Array, stem: str
) -> None:
    data = np.abs(z)
    if stem.startswith("prob"):
        data = data / data.max()
    look = looked(opened({stem: data})[stem])
    values = data[data != 0]
    assert look.height == pytest.approx(np.percentile(values, 95))
    assert look.strongest == pytest.approx(np.percentile(values, 99.9))
    assert look.n_voxels == (values >= look.height).sum()
    assert (look.signed, look.survives) == (False, True)
    kind = stem.partition("_")[0]
    why = f"{kind} values have no p of their own"
    if stem == "chi2":
        why = "its degrees of freedom are not known"
    assert f"the strongest 5 %, because {why}" in look.reason


def test_a_signed_effect_shows_both_directions(opened: Opened, z: Array) -> None:
    look = looked(opened({"est": z})["est"])
    values = np.abs(z[z != 0])
    assert look.height == pytest.approx(np.percentile(values, 95))
    assert look.n_voxels == (values >= look.height).sum()
    assert look.signed


@pytest.mark.parametrize("stem", ["se", "dof", "tau2", "sigma2"])
def test_what_is_never_tested_is_shown_whole(
    opened: Opened, z: Array, stem: str
) -> None:
    data = np.where(z != 0, np.abs(z) + 1, 0)
    look = looked(opened({stem: data})[stem])
    assert look.height == pytest.approx(data[data > 0].min())
    assert look.n_voxels == (data > 0).sum()
    assert "the whole range" in look.reason


@pytest.mark.parametrize("stem", ["stat", "est"])
def test_a_statistic_opens_by_the_p_of_its_test_or_without(
    opened: Opened, z: Array, inside: npt.NDArray[np.bool_], stem: str
) -> None:
    """Statistics keep to percentiles: their p is shown on the p map."""
    results = opened({stem: np.abs(z), "p": p_of(z, Tail.TWO, inside)})
    reason = looked(results[stem]).reason
    assert "the strongest 5 %" in reason
    assert f"{stem} values have no p of their own: that of the test is in p, " in reason


# --- nothing to see ---------------------------------------------------------------


def test_nothing_survives_is_said_and_shown_faintly(
    opened: Opened, z: Array, inside: npt.NDArray[np.bool_]
) -> None:
    p = np.where(inside, 0.2 + 0.8 * p_of(z, Tail.TWO, inside), 0).astype(np.float32)
    smallest = p[p > 0].min()
    results = opened({f"z_{FWE}": np.abs(z), f"p_{FWE}": p})
    look = looked(results[f"z_{FWE}"])
    assert not look.survives
    assert "no voxel survives p_FWE <= .05" in look.reason
    match = re.search(r"the smallest p_FWE is (\S+?)[;(: ]", look.reason)
    assert match is not None
    assert float(match[1]) == pytest.approx(smallest, rel=5e-3)
    assert "iterations" not in look.reason
    assert look.n_voxels == (np.abs(z) >= look.height).sum() > 0


def test_nothing_survives_names_the_iterations(opened: Opened) -> None:
    floor = -math.log10(1 - 1 / 100)
    logp = np.full(SHAPE, floor, np.float32)
    logp[0], logp[3, 3, 3:6] = 0, 1.0
    stem = f"logp_{FWE}"
    look = looked(opened({stem: logp})[stem])
    assert not look.survives
    assert "the smallest p_FWE is .1 (100 iterations" in look.reason
    assert "no p can be below .01" in look.reason


def test_a_one_tailed_map_of_negatives_has_nothing_to_show(
    opened: Opened, z: Array, inside: npt.NDArray[np.bool_]
) -> None:
    below = -np.abs(z)
    results = opened({"z": below, "p": p_of(below, Tail.ONE, inside)})
    assert results["z"].tail is Tail.ONE
    assert first_look(results["z"]) is None
    # With some weak positives, those: a height below 0 would light the outside.
    below[3, 3, 3:6] = 0.2, 0.3, 0.4
    look = looked(opened({"z": below, "p": p_of(below, Tail.ONE, inside)})["z"])
    assert not look.survives
    assert 0.2 < look.height <= look.strongest <= np.float32(0.4)


def test_a_map_beside_a_broken_sibling_shows_its_strongest(
    write: Callable[..., Path], z: Array, inside: npt.NDArray[np.bool_]
) -> None:
    folder = write({"z": z, "p": p_of(z, Tail.TWO, inside)})
    results = open_results(folder)
    (folder / "p.nii.gz").unlink()
    with pytest.raises(ResultsError):
        first_look(results["z"])
    look = look_without_siblings(results["z"])
    assert look is not None
    assert look.height == pytest.approx(np.percentile(np.abs(z[z != 0]), 95))
    assert look.signed
    assert "cannot be read" in look.reason


def test_empty_maps_and_labels_have_no_threshold(opened: Opened) -> None:
    nan = np.full(SHAPE, np.nan)
    results = opened({"z": np.zeros(SHAPE), "stat": nan, "label": np.ones(SHAPE)})
    for key in ("z", "stat", "label"):
        assert first_look(results[key]) is None


# --- the sample -------------------------------------------------------------------


def test_the_samples_z_counts_2625_voxels(sample_path: Path) -> None:
    look = looked(open_results(sample_path)["z"])
    p = np.asarray(nib.load(sample_path / "p.nii.gz").dataobj)
    assert look.n_voxels == ((p > 0) & (p <= 0.001)).sum() == 2625
    assert "2,625 voxels" in look.reason
    assert "one-tailed" in look.reason


def test_what_is_announced_is_what_the_height_shows(sample_path: Path) -> None:
    results = open_results(sample_path)
    counted = 0
    for key, statmap in results.maps.items():
        look = first_look(statmap)
        if look is None:
            continue
        counted += 1
        data = np.asarray(nib.load(sample_path / f"{key}.nii.gz").dataobj)
        strength = np.abs(data) if look.signed else data
        if statmap.kind is MapKind.P:
            shown = (data > 0) & (data <= look.height * (1 + 1e-6))
        else:
            shown = (data != 0) & (strength >= look.height * (1 - 1e-6))
        assert look.n_voxels == shown.sum(), key
        assert look.survives, key
    assert counted == 10


@pytest.mark.parametrize("value", ["logp", "p"])
def test_clusters_that_do_not_survive_stand_out_faintly_from_the_floor(
    opened: Opened, inside: npt.NDArray[np.bool_], value: str
) -> None:
    p = np.where(inside, 0.99, 0)
    cluster = np.zeros(SHAPE, bool)
    cluster[3:5, 3:5, 3:4] = True
    p[cluster] = 0.31
    with np.errstate(divide="ignore"):
        logp = np.where(inside, -np.log10(p), 0)
    maps = opened({f"p_{CLUSTER}": p, f"logp_{CLUSTER}": logp})
    look = looked(maps[f"{value}_{CLUSTER}"])
    assert not look.survives
    assert "smallest p_FWE is .31 (" in look.reason
    assert look.n_voxels == cluster.sum()


@pytest.mark.parametrize("how", ["intent", "spm"])
def test_t_with_degrees_of_freedom_in_its_header_is_shown_at_p_001(
    write: Callable[..., Path], inside: npt.NDArray[np.bool_], how: str
) -> None:
    rng = np.random.default_rng(3)
    values = np.where(inside, rng.standard_t(18, SHAPE) * 2, 0).astype(np.float32)
    path = write({"spmT_0001": values}) / "spmT_0001.nii.gz"
    image = nib.load(path)
    # A new array, because the image reads from the file that is written.
    image = nib.Nifti1Image(values, image.affine, image.header)
    if how == "intent":
        image.header.set_intent("t test", (18,))
    else:
        image.header["descrip"] = b"SPM{T_[18.0]} - contrast 1: pain > rest"
    image.to_filename(path)
    t = next(iter(open_results(path).maps.values()))
    look = looked(t)
    p = 2 * stats.t.sf(np.abs(values.astype(float)), 18)
    assert look.signed
    assert look.n_voxels == (p <= 0.001).sum() > 0
    assert look.reason.startswith("|t| >= ")
    assert "(p <= .001, two-tailed, a guess, 18 degrees of freedom)" in look.reason


# --- what values are, in words ------------------------------------------------------


@pytest.mark.parametrize(
    ("stem", "about"),
    [
        (
            f"z_{FDR}",
            "z, voxel-level FDR-corrected: z that stands for q, converted two-tailed; "
            "not the z of the test",
        ),
        (
            f"p_{FDR}",
            "p, one-tailed, voxel-level FDR-corrected: q: small is strong, and 0 lies "
            "outside the mask",
        ),
        (
            f"z_{FWE}",
            "z, one-tailed, voxel-level FWE-corrected: z that stands for p_FWE; not "
            "the z of the test",
        ),
        (
            f"logp_{FWE}",
            "logp, one-tailed, voxel-level FWE-corrected: -log10 of p_FWE: large "
            "is strong",
        ),
        (f"label_{CLUSTER}_tail-positive", "label: cluster labels: 0 is background"),
    ],
)
def test_corrected_maps_say_what_their_values_stand_for(
    opened: Opened, z: Array, inside: npt.NDArray[np.bool_], stem: str, about: str
) -> None:
    test = np.where(inside, np.maximum(z, 0), 0)
    p = np.where(inside, stats.norm.sf(z), 0)
    q = np.where(inside, np.minimum(p * 20, 1), 0)
    value = stem.partition("_")[0]
    data = {
        "p": q,
        "logp": np.where(inside, -np.log10(np.where(inside, q, 1)), 0),
        "label": inside.astype(float),
    }.get(value, np.where(inside, stats.norm.isf(q / 2), 0))
    results = opened({"z": test, "p": p, stem: data})
    assert describe_map(results[stem]) == about


@pytest.mark.parametrize("value", ["tau2", "sigma2"])
def test_a_variance_of_0_is_a_value_where_the_mask_says_inside(
    opened: Opened,
    inside: npt.NDArray[np.bool_],
    rng: np.random.Generator,
    value: str,
) -> None:
    variance = np.where(inside & (rng.uniform(size=inside.shape) > 0.5), 0.25, 0)
    variance[4, 4, 4] = 2
    p = np.where(inside, 0.5, 0)
    look = first_look(opened({value: variance, "p": p})[value])
    assert look is not None
    assert (look.height, look.above_zero) == (0, 0.25)
    assert look.n_voxels == inside.sum()
    assert "the whole range" in look.reason
    # Where no mask is known, a 0 may be anything.
    lone = first_look(opened({value: variance})[value])
    assert lone is not None
    assert (lone.height, lone.above_zero) == (0.25, None)
    assert lone.n_voxels == (variance > 0).sum()
    asked = choose_first_threshold(opened({value: variance, "p": p})[value])
    assert asked.value == 0.25
    nothing = opened({value: variance * 0, "p": p})[value]
    look = first_look(nothing)
    assert look is not None
    assert look.n_voxels == inside.sum()
    assert choose_first_threshold(nothing).value == 1


@pytest.mark.parametrize("stem", ["tau2", "sigma2", "se", "dof"])
def test_the_p_of_the_effect_is_not_that_of_its_variance(
    opened: Opened, rng: np.random.Generator, stem: str
) -> None:
    p = rng.uniform(0.0001, 1, size=SHAPE)
    results = opened({stem: rng.uniform(0.1, 1, size=SHAPE), "p": p, "est": p * 3})
    with pytest.raises(ResultsError, match="no test belongs to it"):
        find_clusters(results[stem], p=0.05, atlas=None)
    assert len(find_clusters(results["est"], p=0.05, atlas=None))
    assert choose_first_threshold(results[stem]).value == results[stem].data.min()


def test_what_is_shown_faintly_gives_no_reason_that_is_not_so(
    opened: Opened, rng: np.random.Generator, inside: npt.NDArray[np.bool_]
) -> None:
    chi2 = np.where(inside, rng.chisquare(1, size=inside.shape).clip(max=5), 0)
    p = np.where(inside, stats.chi2.sf(chi2, 1), 0)
    results = opened({"chi2_desc-group2": chi2, "p_desc-group2": p})
    look = looked(results["chi2_desc-group2"])
    assert not look.survives
    assert look.reason.endswith(f"(the strongest 5 %): {look.n_voxels:,} voxels")
    # Alone its name tells that its tables are 2 x 2.
    assert find_clusters(opened({"chi2_desc-group2": chi2})["chi2_desc-group2"], p=0.05)


def test_a_logp_below_0_is_shown_by_size(
    opened: Opened, rng: np.random.Generator, inside: npt.NDArray[np.bool_]
) -> None:
    log_p = np.where(inside, np.log10(rng.uniform(size=inside.shape)), 0)
    look = looked(opened({"logp": log_p})["logp"])
    assert "by size alone" in look.reason
    assert look.height == pytest.approx(np.percentile(-log_p[inside], 95), rel=1e-4)
