"""FDR and Bonferroni are not counted in voxels that their own test chose."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage, stats

import napari_neurosynth_results as nnr
from napari_neurosynth_results import Masking, ResultsError, ResultSet, StatMap
from napari_neurosynth_results.api.map_requests import MaskSource

Opened = Callable[..., ResultSet]
Bools = npt.NDArray[np.bool_]
#: 8 mm over the whole brain.
SHAPE = (18, 22, 18)
AFFINE = np.diag([8.0, 8, 8, 1])
AFFINE[:3, 3] = -68, -104, -64
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
VOXEL = "z_level-voxel_corr-FWE_method-montecarlo"


def smooth(rng: np.random.Generator) -> Any:
    """Return noise as smooth as maps are, of variance 1."""
    noise = ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.5)
    return noise / noise.std()


def brain() -> Bools:
    """Return a ball, and one voxel of nothing about it."""
    i, j, k = np.indices(SHAPE)
    return ((i - 8.5) / 8) ** 2 + ((j - 10.5) / 10) ** 2 + ((k - 8.5) / 8) ** 2 < 1


def values_of(z: Any, *, two: bool = True) -> dict[str, Any]:
    """Return the maps of a test: z, its p and -log10 of it."""
    p = 2 * stats.norm.sf(np.abs(z)) if two else stats.norm.sf(z)
    shown = z if two else np.maximum(z, 0)
    inside = brain()
    return {"z": shown * inside, "p": p * inside, "logp": -np.log10(p) * inside}


@pytest.fixture
def chi2(opened: Opened, rng: np.random.Generator) -> ResultSet:
    """Return noise as MKDAChi2 writes it: two contrasts of one set of studies."""
    maps = {}
    for contrast in ("association", "uniformity"):
        for value, voxels in values_of(smooth(rng)).items():
            maps[f"{value}_desc-{contrast}"] = voxels
    return opened(maps, affine=AFFINE)


@pytest.fixture
def noise(chi2: ResultSet) -> StatMap:
    """Return a map in which nothing survives any correction."""
    statmap = chi2["z_desc-association"]
    assert len(nnr.find_clusters(statmap, q=0.05, atlas=None)) == 0
    return statmap


def refused(statmap: StatMap, mask: Masking | Bools) -> str:
    """Return why FDR and Bonferroni are refused, and that the rest is not."""
    told = []
    for asked in ({"q": 0.05}, {"q": 0.05, "fdr": "BY"}, {"bonferroni": 0.05}):
        with pytest.raises(ResultsError, match="would be circular") as error:
            nnr.find_clusters(statmap, mask=mask, atlas=None, **asked)
        told.append(str(error.value))
    assert told[0] == told[1]
    assert ("FDR inside" in told[0]) or ("FDR outside" in told[0])
    assert ("Bonferroni inside" in told[2]) or ("Bonferroni outside" in told[2])
    # A height is what it was.
    array = mask.mask if isinstance(mask, Masking) else mask
    found = nnr.find_clusters(statmap, p=0.01, mask=mask, atlas=None)
    whole = nnr.find_clusters(statmap, p=0.01, atlas=None)
    assert np.array_equal(found.labels > 0, (whole.labels > 0) & array)
    return told[0]


def test_a_mask_of_the_map_itself_makes_nothing_significant(noise: StatMap) -> None:
    mask = nnr.mask_from_map(noise, noise, p=0.05)
    # What it would have done: Benjamini and Hochberg in those voxels alone.
    z = noise.data[mask.mask].astype(float)
    p = np.sort(2 * stats.norm.sf(np.abs(z)))
    kept = p <= 0.05 * np.arange(1, p.size + 1) / p.size
    assert kept.any()
    told = refused(noise, mask)
    assert f"The mask is made of {noise.title}, which is of the same test." in told


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("value", ["p", "logp"])
def test_nor_does_one_of_its_siblings(
    chi2: ResultSet, noise: StatMap, value: str, exclusive: bool
) -> None:
    other = chi2[f"{value}_desc-association"]
    mask = nnr.mask_from_map(noise, other, p=0.02, exclusive=exclusive)
    assert f"made of {other.title}" in refused(noise, mask)
    assert "would be circular" in refused(other, mask)
    again = MaskSource("map", other.key, 0.02, exclusive).masking(noise, chi2)
    refused(noise, again)


@pytest.mark.parametrize("made_of", [MASS, VOXEL, "stat"])
def test_nor_a_correction_or_another_value_of_the_test(
    sample: ResultSet, made_of: str
) -> None:
    asked = {"value": 0.01} if made_of == "stat" else {"p": 0.05}
    mask = nnr.mask_from_map(sample["z"], sample[made_of], **asked)
    assert "which is of the same test" in refused(sample["z"], mask)


def test_a_mask_of_a_mask_is_of_both(chi2: ResultSet, noise: StatMap) -> None:
    own = nnr.mask_from_map(noise, noise, p=0.1)
    other = chi2["z_desc-uniformity"]
    refused(noise, nnr.mask_from_map(noise, other, p=0.2, mask=own))


def test_a_conjunction_is_of_both_its_maps(chi2: ResultSet, noise: StatMap) -> None:
    other = chi2["z_desc-uniformity"]
    made = nnr.compare_maps(
        noise, other, threshold_a={"p": 0.1}, threshold_b={"p": 0.1}
    ).conjunction
    assert made is not None
    refused(noise, nnr.mask_from_map(noise, made, p=0.2))
    refused(made, nnr.mask_from_map(made, other, p=0.2))


# --- by the voxels alone --------------------------------------------------------------


def cut_of(noise: StatMap, how: str) -> Bools:
    """Return voxels that somebody cut out of a map, without a word of it."""
    z = noise.data
    found = nnr.find_clusters(noise, p=0.05, atlas=None)
    largest = 1 + int(found.table.n_voxels.argmax())
    return {
        "both sides": np.abs(z) >= 2,
        "one side": z > 1.5,
        "the other side": z < -1.5,
        "not these": np.abs(z) < 2,
        "clusters": found.labels > 0,
        "one cluster": found.labels == largest,
        "all but one": (found.labels > 0) & (found.labels != largest),
    }[how]


CUTS = (
    "both sides",
    "one side",
    "the other side",
    "not these",
    "clusters",
    "one cluster",
    "all but one",
)


@pytest.mark.parametrize("how", CUTS)
def test_voxels_that_were_cut_out_of_a_map_are_recognized(
    noise: StatMap, how: str, tmp_path: Path
) -> None:
    array = cut_of(noise, how)
    told = refused(noise, array)
    assert "exactly those of whole clusters of" in told
    path = tmp_path / "elsewhere.nii.gz"
    nib.Nifti1Image(array.astype(np.uint8), AFFINE).to_filename(path)
    assert "this very test chose them" in refused(
        noise, nnr.mask_from_file(noise, path)
    )


@pytest.mark.parametrize("value", ["z", "p"])
def test_also_by_a_copy_of_a_map_that_stands_alone(
    chi2: ResultSet, noise: StatMap, value: str, tmp_path: Path
) -> None:
    key = f"{value}_desc-association"
    shutil.copy(chi2[key].path, tmp_path)
    alone = nnr.open_results(tmp_path / f"{key}.nii.gz")[key]
    assert "by the test" not in str(nnr.mask_from_map(noise, alone, p=0.05))
    assert "exactly those" in refused(noise, nnr.mask_from_map(noise, alone, p=0.05))


def test_a_z_of_one_tail_is_0_at_most_places(
    opened: Opened, rng: np.random.Generator
) -> None:
    results = opened(values_of(smooth(rng), two=False), affine=AFFINE)
    z = results["z"]
    assert (z.data[brain()] == 0).mean() > 0.3
    # Every voxel that is above 0 is a cut of p, and z does not tell.
    refused(z, z.data > 0)
    refused(z, z.data >= 1)


def test_a_cut_of_the_statistic_is_one_where_p_has_ties(sample: ResultSet) -> None:
    statistic = sample["stat"].data
    refused(sample["z"], statistic >= np.quantile(statistic[statistic > 0], 0.95))


@pytest.mark.parametrize(
    "kind", ["all", "brain", "left", "ball", "scattered", "one voxel", "some peak"]
)
def test_what_was_chosen_without_the_map_is_no_cut(
    noise: StatMap, kind: str, rng: np.random.Generator
) -> None:
    i, j, k = np.indices(SHAPE)
    # Of the many peaks none that is the strongest of all.
    peaks = (ndimage.maximum_filter(noise.data, 3) == noise.data) & (noise.data > 0)
    peak = np.argwhere(peaks & (noise.data < np.median(noise.data[peaks])))[0]
    near = np.zeros(SHAPE, bool)
    near[tuple(peak)] = True
    mask = {
        "all": np.ones(SHAPE, bool),
        "brain": brain(),
        "left": i < 9,
        "ball": (i - 5) ** 2 + (j - 9) ** 2 + (k - 8) ** 2 < 12,
        "scattered": rng.random(SHAPE) < 0.2,
        "one voxel": (i == 5) & (j == 9) & (k == 8),
        # One voxel in seven is stronger than all about it.
        "some peak": near,
    }[kind]
    found = nnr.find_clusters(noise, q=0.5, mask=mask, atlas=None)
    assert found.threshold.n_tests == (mask & brain()).sum()
    assert found.notices == ()


def test_a_mask_in_which_everything_survives_is_looked_at_twice(
    noise: StatMap,
) -> None:
    """As a cut that was resampled, or thinned out, is no longer recognized."""
    thin = (np.abs(noise.data) >= 2) & (np.indices(SHAPE).sum(axis=0) % 2 == 0)
    found = nnr.find_clusters(noise, q=0.05, mask=thin, atlas=None)
    n = found.threshold.n_tests
    assert n == (found.labels > 0).sum() > 10
    (told,) = found.notices
    assert told.startswith(f"Each of the {n} voxels that were tested in the mask")


def test_where_a_map_has_values_is_no_cut_of_it(
    opened: Opened, rng: np.random.Generator
) -> None:
    z = smooth(rng)
    seen = brain() & (np.indices(SHAPE)[2] > 5)
    maps = values_of(z) | {"stat": brain() * 1.0}
    maps["z"] = maps["z"] * seen
    results = opened(maps, affine=AFFINE)
    nnr.find_clusters(results["z"], q=0.5, mask=seen, atlas=None)
    alone = opened({"z": maps["z"]}, affine=AFFINE, name="alone")["z"]
    nnr.find_clusters(alone, q=0.5, mask=seen, atlas=None)
    nnr.find_clusters(alone, q=0.5, mask=brain(), atlas=None)
    refused(alone, alone.data > 1.5)


def test_independent_maps_may_be_masks_of_each_other(
    noise: StatMap, opened: Opened, rng: np.random.Generator
) -> None:
    other = opened(values_of(smooth(rng)), affine=AFFINE, name="other")["z"]
    mask = nnr.mask_from_map(noise, other, p=0.05)
    found = nnr.find_clusters(noise, q=0.5, mask=mask, atlas=None)
    assert found.notices == ()
    assert "same data" not in str(found)


# --- other maps of the same data ------------------------------------------------------


def test_another_contrast_of_the_run_is_allowed_and_said(
    chi2: ResultSet, noise: StatMap
) -> None:
    other = chi2["z_desc-uniformity"]
    mask = nnr.mask_from_map(noise, other, p=0.05)
    found = nnr.find_clusters(noise, q=0.5, mask=mask, atlas=None)
    assert f", {mask} (of the same data, not independent), 6-connected" in str(found)
    (told,) = found.notices
    assert other.title in told
    assert "another map of the same data" in told
    # No test is counted: nothing to be careful about.
    assert nnr.find_clusters(noise, p=0.05, mask=mask, atlas=None).notices == ()


def test_a_map_that_lies_beside_may_be_of_the_same_data(
    opened: Opened, rng: np.random.Generator
) -> None:
    maps = {f"one_{key}": voxels for key, voxels in values_of(smooth(rng)).items()}
    maps |= {f"two_{key}": voxels for key, voxels in values_of(smooth(rng)).items()}
    results = opened(maps, affine=AFFINE)
    mask = nnr.mask_from_map(results["one_z"], results["two_z"], p=0.1)
    found = nnr.find_clusters(results["one_z"], q=0.5, mask=mask, atlas=None)
    assert "same data" not in str(found)
    (told,) = found.notices
    assert "if both are of the same data" in told


def test_label_maps_of_a_program_say_whose_they_are(
    sample: ResultSet, sample_path: Path
) -> None:
    labels = next(sample_path.glob("label_*"))
    mask = nnr.mask_from_file(sample["z"], labels)
    assert "is of the same test" in refused(sample["z"], mask)


# --- said wherever it is reported -----------------------------------------------------


def test_cautions_are_in_reports_tables_and_batches(
    chi2: ResultSet, noise: StatMap, tmp_path: Path
) -> None:
    mask = nnr.mask_from_map(noise, chi2["z_desc-uniformity"], p=0.05)
    found = nnr.find_clusters(noise, q=0.9, mask=mask, atlas=None)
    told = "another map of the same data"
    nnr.save_clusters(found, tmp_path / "table.tsv")
    assert told in (tmp_path / "table.tsv").read_text(encoding="utf-8")
    assert told in (tmp_path / "table.json").read_text(encoding="utf-8")
    nnr.save_report(chi2, tmp_path / "report.html", clusters=[found])
    assert told in (tmp_path / "report.html").read_text(encoding="utf-8")
    place = MaskSource("map", "z_desc-uniformity", 0.05)
    out = tmp_path / "out"
    nnr.run_batch([chi2.source], out, maps=noise.key, mask=place, q=0.9, workers=0)
    assert told in (out / "summary.tsv").read_text(encoding="utf-8")


def test_correlations_in_a_mask_of_one_of_the_maps_say_so(
    chi2: ResultSet, noise: StatMap
) -> None:
    other, asked = chi2["z_desc-uniformity"], {"p": 0.1}
    for made_of in (noise, chi2["p_desc-uniformity"], None):
        mask: Any = brain()
        if made_of is not None:
            mask = nnr.mask_from_map(noise, made_of, p=0.1)
        compared = nnr.compare_maps(
            noise, other, threshold_a=asked, threshold_b=asked, mask=mask
        )
        said = [one for one in compared.notices if "mask was made of" in one]
        assert len(said) == (made_of is not None)
