"""The analysis mask, as the maps of a test or of its run show it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results import ResultSet, open_results

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Open = Callable[..., ResultSet]
FWE = "corr-FWE_method-montecarlo"


def test_the_mask_is_one_for_all_maps_of_a_run(
    opened: Open, ale: dict[str, Array], inside: Bool
) -> None:
    mass = np.where(ale["z"] > 0, 0.5, 0)
    results = opened(
        ale
        | {f"z_desc-mass_level-cluster_{FWE}": mass}
        | {"label_corr-FDR_tail-positive": mass * 2}
    )
    masks = [m.mask for m in results.maps.values()]
    assert all(mask is masks[0] for mask in masks)
    np.testing.assert_array_equal(masks[0], inside)
    assert masks[0] is not None
    assert masks[0].dtype == bool
    with pytest.raises(ValueError, match="read-only"):
        masks[0][0, 0, 0] = True


def test_p_of_zero_is_inside_where_logp_shows_an_effect(
    opened: Open, ale: dict[str, Array], inside: Bool
) -> None:
    # NiMARE < 0.17: p underflows to 0 where the effect is strongest.
    ale["p"][4, 4, 4] = 0
    ale["logp"][4, 4, 4] = 320
    ale["stat"][4, 4, 4] = 0
    np.testing.assert_array_equal(opened(ale)["p"].mask, inside)
    ale["logp"][4, 4, 4] = ale["z"][4, 4, 4] = 0
    mask = opened(ale)["p"].mask
    assert mask is not None
    assert not mask[4, 4, 4]
    assert mask.sum() == inside.sum() - 1


@pytest.mark.parametrize(
    "stems", [("z",), ("logp",), ("z", "logp"), ("z", "stat"), ("z", "logp", "stat")]
)
def test_z_and_logp_do_not_tell_the_mask(
    opened: Open, ale: dict[str, Array], stems: tuple[str, ...]
) -> None:
    assert opened({stem: ale[stem] for stem in stems})[stems[0]].mask is None


@pytest.mark.parametrize("stem", ["p", "p_corr-FDR_method-indep", "se", "dof"])
def test_one_map_without_zeros_inside_tells_it(
    opened: Open, ale: dict[str, Array], inside: Bool, stem: str
) -> None:
    results = opened({"z": ale["z"], stem: ale["p"]})
    np.testing.assert_array_equal(results["z"].mask, inside)


def test_corrected_maps_do_not_widen_the_mask(
    opened: Open, ale: dict[str, Array], inside: Bool
) -> None:
    everywhere = np.ones_like(ale["z"])
    results = opened(
        ale | {f"z_level-voxel_{FWE}": everywhere, "label_tail-positive": everywhere}
    )
    np.testing.assert_array_equal(results["z"].mask, inside)


def test_nan_marks_the_outside(
    opened: Open, ale: dict[str, Array], inside: Bool
) -> None:
    z = np.where(inside, ale["z"], np.nan)
    assert (z[inside] == 0).any()
    np.testing.assert_array_equal(opened({"z": z})["z"].mask, inside)
    np.testing.assert_array_equal(opened({"zstat1": z})["zstat1"].mask, inside)


def test_nan_in_the_midst_of_zeros_is_outside_too(
    opened: Open, ale: dict[str, Array], inside: Bool
) -> None:
    # Older NiMARE writes NaN where a voxel could not be fitted, and 0 outside.
    maps = {stem: array.copy() for stem, array in ale.items()}
    for array in maps.values():
        array[3, 3, 3] = np.nan
    expected = inside.copy()
    expected[3, 3, 3] = False
    np.testing.assert_array_equal(opened(maps)["z"].mask, expected)
    assert opened({"z": maps["z"]})["z"].mask is None


def test_runs_have_their_own_masks(
    opened: Open, ale: dict[str, Array], inside: Bool
) -> None:
    half = ale["p"].copy()
    half[4:] = 0
    results = opened({"a_z": ale["z"], "a_p": ale["p"], "b_z": ale["z"], "b_p": half})
    np.testing.assert_array_equal(results["a_z"].mask, inside)
    np.testing.assert_array_equal(
        results["b_z"].mask, inside & (half > 0) | (ale["z"] > 0)
    )
    assert results["a_p"].mask is not results["b_p"].mask


def test_a_map_on_another_grid_does_not_tell_the_mask(
    opened: Open, ale: dict[str, Array]
) -> None:
    results = opened({"z": ale["z"], "p": ale["p"][:-1]})
    assert results["z"].mask is None
    assert results["p"].mask is not None


def test_a_p_map_that_cannot_be_read_does_not_tell_the_mask(
    write: Callable[..., Path], ale: dict[str, Array]
) -> None:
    folder = write({"z": ale["z"], "logp": ale["logp"], "p": ale["p"]})
    results = open_results(folder)
    (folder / "p.nii.gz").write_bytes(b"gone")
    assert results["z"].mask is None
    assert any("p.nii.gz" in problem for problem in results.problems)


# --- tests of one run ---


def of_test(name: str, maps: dict[str, Array]) -> dict[str, Array]:
    return {f"{value}_desc-{name}": array for value, array in maps.items()}


def test_other_tests_of_the_run_are_not_read_where_its_own_maps_show_the_end(
    write: Callable[..., Path], ale: dict[str, Array], inside: Bool
) -> None:
    mass = {f"z_desc-AMass_level-cluster_{FWE}": np.where(ale["z"] > 0, 0.5, 0)}
    folder = write(of_test("A", ale) | of_test("B", ale) | mass)
    results = open_results(folder)
    for path in folder.glob("*_desc-B.nii.gz"):
        path.write_bytes(b"gone")
    of_a = results["z_desc-A"].mask
    np.testing.assert_array_equal(of_a, inside)
    assert all(m.mask is of_a for key, m in results.maps.items() if "desc-A" in key)
    assert list(results.problems) == []
    # The others' own cannot be read: what is left of the run tells.
    np.testing.assert_array_equal(results["z_desc-B"].mask, inside)
    assert any("p_desc-B.nii.gz" in problem for problem in results.problems)


@pytest.mark.parametrize("lone", ["z", "p"])
def test_one_map_of_a_test_alone_is_helped_by_its_run(
    opened: Open, ale: dict[str, Array], inside: Bool, lone: str
) -> None:
    # A z does not show the end, and a lone p that underflowed to 0 has holes.
    ale["p"][4, 4, 4] = 0 if lone == "p" else ale["p"][4, 4, 4]
    ale["stat"][4, 4, 4] = 1
    own, others = {lone: ale[lone]}, {**ale}
    others["p"] = np.where(inside, 0.5, 0)
    results = opened(of_test("A", own) | of_test("B", others))
    np.testing.assert_array_equal(results[f"{lone}_desc-A"].mask, inside)


def test_voxels_that_a_test_could_not_fit_are_none_of_its_own(
    opened: Open, ale: dict[str, Array], inside: Bool
) -> None:
    holes = {stem: array.copy() for stem, array in ale.items()}
    for array in holes.values():
        array[3, 3, 3] = np.nan
    results = opened(of_test("A", holes) | of_test("B", ale))
    fitted = inside.copy()
    fitted[3, 3, 3] = False
    np.testing.assert_array_equal(results["z_desc-A"].mask, fitted)
    np.testing.assert_array_equal(results["z_desc-B"].mask, inside)


@pytest.mark.parametrize("shared", [True, False])
def test_a_test_has_its_own_mask_whatever_else_its_run_holds(
    opened: Open, inside: Bool, rng: np.random.Generator, shared: bool
) -> None:
    maps: dict[str, Array] = {}
    masks: dict[str, Bool] = {}
    for name in ("A", "B", "C"):
        masks[name] = inside & (shared | (rng.random(inside.shape) < 0.9))
        p = np.where(masks[name], rng.uniform(1e-6, 1, inside.shape), 0)
        one_tailed = np.maximum(rng.normal(size=inside.shape), 0)
        own = {"p": p, "z": np.where(masks[name], one_tailed, 0)}
        maps |= of_test(name, own)
        maps[f"p_desc-{name}_level-voxel_{FWE}"] = np.minimum(p * 9, 1)
    for key, statmap in opened(maps).maps.items():
        assert statmap.name is not None
        np.testing.assert_array_equal(
            statmap.mask, masks[statmap.name.contrast], err_msg=key
        )
