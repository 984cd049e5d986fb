"""One- or two-tailed: measured where p is at hand, read off the name where it is not.

Every set below imitates what NiMARE 0.22.1 writes: how p becomes z is the point.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.maps.kinds import Tail
from napari_neurosynth_results.maps.results import ResultSet

Array = npt.NDArray[np.float64]
Open = Callable[..., ResultSet]
ONE, TWO, NONE = Tail.ONE, Tail.TWO, Tail.NONE
FWE = "level-voxel_corr-FWE_method-montecarlo"
MASS = "desc-mass_level-cluster_corr-FWE_method-montecarlo"
FDR = "corr-FDR_method-indep"
BONFERRONI = "corr-FWE_method-bonferroni"


@pytest.fixture
def p(rng: np.random.Generator, inside: npt.NDArray[np.bool_]) -> Array:
    """P values of a test in 252 voxels, some of them tiny; 1 outside."""
    values = rng.uniform(size=inside.shape) ** 4 * 0.999 + 1e-9
    return np.where(inside, values, 1)


@pytest.fixture
def sign(rng: np.random.Generator, inside: npt.NDArray[np.bool_]) -> Array:
    """1 or -1 in the mask, 0 outside."""
    return np.where(inside, rng.choice([1.0, -1.0], size=inside.shape), 0)


def _one(p: Array) -> Array:
    # NiMARE's p_to_z: no z below 0.
    return np.maximum(norm.isf(p), 0)


def _two(p: Array, sign: Array) -> Array:
    return norm.isf(p / 2) * sign


def _maps(z: Array, p: Array, entities: str = "", prefix: str = "") -> dict[str, Array]:
    """Return z with its p and logp, 0 outside as on disk."""
    end = f"_{entities}" if entities else ""
    known = p < 1
    return {
        f"{prefix}z{end}": np.where(known, z, 0),
        f"{prefix}p{end}": np.where(known, p, 0),
        f"{prefix}logp{end}": np.where(known, -np.log10(p), 0),
    }


def _without(maps: dict[str, Array], value: str) -> dict[str, Array]:
    return {k: v for k, v in maps.items() if not k.startswith(value)}


def _q(p: Array) -> Array:
    """Make larger p of smaller ones, as a correction does."""
    return np.where(p < 1, np.minimum(p * 30, 0.999), 1)


def _mostly(majority: float, sign: Array) -> Array:
    some = np.arange(sign.size).reshape(sign.shape) % 5 == 0
    return np.where(some, -majority, majority) * np.abs(sign)


# --- measured: the siblings decide, whatever the name would say ---


@pytest.mark.parametrize("missing", ["", "p", "logp"])
@pytest.mark.parametrize("entities", ["", FWE, "desc-group1", "desc-size_" + FWE])
def test_one_tailed_z_is_measured(
    opened: Open, p: Array, entities: str, missing: str
) -> None:
    maps = _maps(_one(p), p, entities)
    results = opened(_without(maps, missing) if missing else maps)
    z = results[next(iter(maps))]
    assert z.tail is ONE
    assert not z.signed


@pytest.mark.parametrize("missing", ["", "p", "logp"])
@pytest.mark.parametrize("entities", ["", "desc-association", "desc-group2", FWE])
def test_two_tailed_signed_z_is_measured(
    opened: Open, p: Array, sign: Array, entities: str, missing: str
) -> None:
    maps = _maps(_two(p, sign), p, entities)
    results = opened(_without(maps, missing) if missing else maps)
    z = results[next(iter(maps))]
    assert z.tail is TWO
    assert z.signed


@pytest.mark.parametrize("missing", ["nothing", "p", "logp"])
def test_two_tailed_z_without_a_negative_is_measured(
    opened: Open, p: Array, missing: str
) -> None:
    # By its signs it would pass for one-tailed.
    results = opened(_without(_maps(_two(p, np.ones_like(p)), p), missing))
    assert results["z"].tail is TWO


@pytest.mark.parametrize("corrected", [FDR, BONFERRONI])
def test_corrected_z_of_an_ale_is_two_tailed(
    opened: Open, p: Array, corrected: str
) -> None:
    q = _q(p)
    z = np.where(_one(p) > 0, norm.isf(q / 2), 0)
    results = opened(_maps(_one(p), p) | _maps(z, q, corrected) | {"stat": 1.0 - p})
    assert results["z"].tail is ONE
    assert results[f"z_{corrected}"].tail is TWO
    # p was not converted: it stays the p of a one-tailed test.
    for value in ("p", "logp"):
        assert results[value].tail is ONE
        assert results[f"{value}_{corrected}"].tail is ONE
    assert results["stat"].tail is NONE


@pytest.mark.parametrize("majority", [1.0, -1.0])
def test_two_sided_false_is_one_tailed_although_z_is_negative(
    opened: Open, p: Array, sign: Array, majority: float
) -> None:
    # Stouffers(two_sided=False): z keeps its sign, p of a negative z is near 1.
    sign = _mostly(majority, sign)
    z = norm.isf(np.where(p < 1, p, 0.5)) * sign
    one_sided = np.where(p < 1, norm.sf(z), 1)
    q = _q(one_sided)
    results = opened(
        _maps(z, one_sided)
        | {"t": z * 1.1, "dof": np.where(p < 1, 9, 0)}
        | _maps(norm.isf(q / 2) * np.sign(z), q, FDR)
    )
    for key in ("z", "t", "p", "logp", f"p_{FDR}"):
        assert results[key].tail is ONE, key
    assert results[f"z_{FDR}"].tail is TWO
    # Negative, but no evidence for the opposite effect: nobody tested it.
    for key in ("z", "t", f"z_{FDR}"):
        assert results[key].has_negatives, key
        assert not results[key].signed, key


@pytest.mark.parametrize("majority", [1.0, -1.0])
def test_subtraction_with_inference_maps_is_one_tailed_and_signed(
    opened: Open, p: Array, sign: Array, majority: float
) -> None:
    # ALESubtraction with inference maps: each direction has its own one-tailed p.
    sign = _mostly(majority, sign)
    small = np.where(p < 1, p / 2, 1)
    results = opened(_maps(_one(small) * sign, small, "desc-group1MinusGroup2"))
    assert results["z_desc-group1MinusGroup2"].tail is ONE
    assert results["p_desc-group1MinusGroup2"].tail is ONE
    assert results["z_desc-group1MinusGroup2"].signed


def test_ale_subtraction(opened: Open, p: Array, sign: Array) -> None:
    q = _q(p)
    results = opened(
        _maps(_two(p, sign), p, "desc-group1MinusGroup2")
        | _maps(_two(q, sign), q, f"desc-group1MinusGroup2_{FDR}")
        | _maps(_one(p), p, "desc-group1")
        | _maps(_one(p), p, "desc-group2")
    )
    assert {key: m.tail for key, m in results.maps.items() if key[0] == "z"} == {
        "z_desc-group1MinusGroup2": TWO,
        f"z_desc-group1MinusGroup2_{FDR}": TWO,
        "z_desc-group1": ONE,
        "z_desc-group2": ONE,
    }


def test_a_partner_on_another_grid_measures_nothing(
    opened: Open, p: Array, sign: Array
) -> None:
    maps = _maps(_two(p, sign), p)
    maps["p"] = maps["p"][:-1]
    del maps["logp"]
    maps["z"] = np.abs(maps["z"])
    # Two-tailed, but only the signs are left to tell.
    assert opened(maps)["z"].tail is ONE


@pytest.mark.parametrize(("entities", "tail"), [("", ONE), ("_desc-association", TWO)])
def test_rubbish_beside_measures_nothing(
    opened: Open, p: Array, rng: np.random.Generator, entities: str, tail: Tail
) -> None:
    rubbish = np.where(p < 1, rng.uniform(0.01, 0.5, p.shape), 0)
    z = np.where(p < 1, _one(p), 0)
    results = opened({f"z{entities}": z, f"p{entities}": rubbish})
    assert results[f"z{entities}"].tail is tail


@pytest.mark.parametrize("corrected", [FDR, BONFERRONI])
def test_corrected_z_without_its_p_does_not_follow_the_test(
    opened: Open, p: Array, corrected: str
) -> None:
    z = np.where(p < 1, _one(p), 0)
    results = opened(_maps(_one(p), p) | {f"z_{corrected}": z})
    assert results["z"].tail is ONE
    assert results[f"z_{corrected}"].tail is TWO


def test_monte_carlo_z_of_a_subtraction_is_two_tailed_whatever_the_test(
    opened: Open, p: Array, sign: Array
) -> None:
    # With inference maps the test is one-tailed, its largest |difference| is not.
    contrast = "desc-group1MinusGroup2"
    small = np.where(p < 1, p / 2, 1)
    results = opened(
        _maps(_one(small) * sign, small, contrast)
        | {f"z_{contrast}_{FWE}": np.where(p < 1, 0.1, 0) * sign}
    )
    assert results[f"z_{contrast}"].tail is ONE
    assert results[f"z_{contrast}_{FWE}"].tail is TWO


def test_where_nothing_is_significant_the_uncorrected_map_tells(
    opened: Open, p: Array, sign: Array
) -> None:
    # PermutedOLS(two_sided=False), FWE: all p near 1, so all z near 0.
    z = norm.isf(np.where(p < 1, p, 0.5)) * sign
    weak = np.where(p < 1, 0.9, 1.0)
    results = opened(
        _maps(z, np.where(p < 1, norm.sf(z), 1))
        | _maps(np.where(p < 1, -0.1, 0), weak, FWE)
        | {"dof": np.where(p < 1, 9, 0)}
    )
    assert results[f"z_{FWE}"].tail is ONE
    assert results[f"p_{FWE}"].tail is ONE


# --- by name: a map that was opened alone, or has no p beside it ---

ALONE = {
    # ALE, MKDADensity, KDA, SCALE
    "z": ONE,
    f"z_{FWE}": ONE,
    f"z_{MASS}": ONE,
    "z_level-cluster_corr-FWE_method-montecarlo": ONE,
    f"z_{FDR}": TWO,
    "z_corr-FDR_method-negcorr": TWO,
    f"z_{BONFERRONI}": TWO,
    "z_desc-group1": ONE,
    "z_desc-group2": ONE,
    # MKDAChi2
    "z_desc-association": TWO,
    "z_desc-uniformity": TWO,
    f"z_desc-associationMass_level-cluster_{FWE[12:]}": TWO,
    f"z_desc-uniformitySize_level-cluster_{FWE[12:]}": TWO,
    f"z_desc-association_{FDR}": TWO,
    # NiMARE <= 0.0.13
    "z_desc-specificity": TWO,
    "z_desc-consistency": TWO,
    "z_desc-group1MinusGroup2": TWO,
    f"z_desc-group1MinusGroup2_{FDR}": TWO,
    "z_desc-balancedGroup1MinusGroup2": ONE,
    # not NiMARE's: as many directions as signs
    "zstat1": ONE,
    "tstat1": ONE,
    "spmT_0001": ONE,
    "randomise_tfce_corrp_tstat1": ONE,
    "stat": NONE,
    "chi2_desc-association": NONE,
    "prob_desc-AgF_prior": NONE,
    "est": NONE,
    "anything": NONE,
}


@pytest.mark.parametrize("stem", ALONE)
def test_alone_and_positive(write: Callable[..., Path], p: Array, stem: str) -> None:
    folder = write({stem: np.where(p < 1, _one(p), 0)})
    results = open_results(folder / f"{stem}.nii.gz")
    assert results[stem].tail is ALONE[stem]
    assert not results[stem].signed


@pytest.mark.parametrize("stem", ["z", "z_desc-group1", f"z_{FWE}", "zstat1", "mine_z"])
def test_alone_a_negative_makes_two(
    write: Callable[..., Path], p: Array, sign: Array, stem: str
) -> None:
    folder = write({stem: np.where(p < 1, _two(p, sign), 0)})
    results = open_results([folder / f"{stem}.nii.gz"])
    assert results[stem].tail is TWO
    assert results[stem].signed


def test_alone_balanced_subtraction_is_one_tailed_and_signed(
    opened: Open, p: Array, sign: Array
) -> None:
    stem = "z_desc-balancedGroup1MinusGroup2"
    z = opened({stem: np.where(p < 1, _one(p) * sign, 0)})[stem]
    assert z.tail is ONE
    assert z.signed


def test_a_file_opened_alone_is_judged_alone(
    write: Callable[..., Path], p: Array, sign: Array
) -> None:
    folder = write(_maps(_two(p, np.ones_like(p)), p))
    assert open_results(folder)["z"].tail is TWO
    assert open_results(folder / "z.nii.gz")["z"].tail is ONE


@pytest.mark.parametrize("value", ["est", "se", "tau2", "sigma2", "dof"])
def test_beside_maps_of_an_image_based_estimator_z_is_two_tailed(
    opened: Open, p: Array, value: str
) -> None:
    z = {"z": np.where(p < 1, _one(p), 0)}
    assert opened(z | {value: np.where(p < 1, 2, 0)})["z"].tail is TWO
    # Another run says nothing about this one.
    assert opened(z | {f"other_{value}": np.where(p < 1, 2, 0)})["z"].tail is ONE


@pytest.mark.parametrize(
    ("beside", "tail"),
    [
        ("z_desc-group1MinusGroup2", ONE),
        ("z_desc-association", TWO),
        ("z_desc-uniformity", TWO),
    ],
)
def test_group_maps_go_by_what_lies_beside(
    opened: Open, p: Array, sign: Array, beside: str, tail: Tail
) -> None:
    z = np.where(p < 1, _one(p), 0)
    results = opened({"z_desc-group1": z, "z_desc-group2": z, beside: z * sign})
    assert results["z_desc-group1"].tail is tail
    assert results["z_desc-group2"].tail is tail


@pytest.mark.parametrize("value", ["p", "logp"])
def test_corrected_p_without_the_test_does_not_trust_its_z(
    opened: Open, p: Array, value: str
) -> None:
    q = _q(p)
    results = opened(_maps(norm.isf(q / 2), q, FDR))
    assert results[f"z_{FDR}"].tail is TWO
    assert results[f"{value}_{FDR}"].tail is ONE


def test_monte_carlo_p_without_the_test_goes_by_its_own_z(
    opened: Open, p: Array, sign: Array
) -> None:
    results = opened(_maps(_two(p, sign), p, FWE))
    assert results[f"p_{FWE}"].tail is TWO
    assert results[f"logp_{FWE}"].tail is TWO


def test_corrected_p_follows_an_uncorrected_z_without_p(
    opened: Open, p: Array, sign: Array
) -> None:
    results = opened({"z": np.where(p < 1, _two(p, sign), 0), f"p_{FDR}": p * (p < 1)})
    assert results[f"p_{FDR}"].tail is TWO


def test_the_tail_of_a_broken_map_is_refused(
    write: Callable[..., Path], p: Array
) -> None:
    folder = write({"z": np.where(p < 1, _one(p), 0)})
    results = open_results(folder)
    (folder / "z.nii.gz").write_bytes(b"gone")
    with pytest.raises(ResultsError, match=r"z\.nii\.gz"):
        _ = results["z"].tail


@pytest.mark.parametrize("broken", ["logp", "p"])
def test_a_partner_that_cannot_be_read_is_no_partner(
    write: Callable[..., Path], p: Array, sign: Array, broken: str
) -> None:
    folder = write(_maps(_two(p, sign), p))
    results = open_results(folder)
    (folder / f"{broken}.nii.gz").write_bytes(b"gone")
    assert results["z"].tail is TWO
    assert results["z"].signed


@pytest.mark.parametrize("tail", [ONE, TWO])
def test_the_tail_of_a_t_is_measured_on_its_p(
    opened: Open, rng: np.random.Generator, inside: npt.NDArray[np.bool_], tail: Tail
) -> None:
    t = np.where(inside, rng.standard_t(15, size=inside.shape), 0)
    p = np.where(inside, student.sf(t, 15), 0)
    if tail is TWO:
        p = np.where(inside, 2 * student.sf(np.abs(t), 15), 0)
    for value, stated in (("p", p), ("logp", -np.log10(np.where(inside, p, 1)))):
        results = opened({"t": t, value: stated})
        for statmap in (results["t"], results[value]):
            assert (statmap.tail, statmap.tail_is_guess) == (tail, False)
        assert results["t"].signed == (tail is TWO)


# --- the packaged sample ---


def test_every_tail_of_the_sample_is_one(sample_path: Path) -> None:
    results = open_results(sample_path)
    tails = {m.kind.value: set() for m in results.maps.values()}
    for m in results.maps.values():
        tails[m.kind.value].add(m.tail)
    assert tails == {
        "z": {ONE},
        "p": {ONE},
        "logp": {ONE},
        "stat": {NONE},
        "label": {NONE},
    }


def test_z_of_the_sample_reaches_p_05_at_1_645(sample_path: Path) -> None:
    import nibabel as nib

    z = nib.load(sample_path / "z.nii.gz").get_fdata()
    p = nib.load(sample_path / "p.nii.gz").get_fdata()
    near = (p > 0.049) & (p < 0.051) & (z != 0)
    assert near.sum() > 100
    assert z[near] == pytest.approx(1.645, abs=0.02)
    assert open_results(sample_path)["z"].tail is ONE
