"""The packaged sample as a result set: its maps, its mask, its voxels."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from napari_neurosynth_results.maps.results import ResultSet

FWE = "corr-FWE_method-montecarlo"
N_MASK = 228_483


def _voxels(folder: Path, stem: str) -> np.ndarray:
    image = nib.load(folder / f"{stem}.nii.gz")
    return np.asarray(image.dataobj, np.float64)


def test_the_sample_opens_whole(sample: ResultSet, sample_path: Path) -> None:
    assert sample.problems == ()
    assert set(sample.maps) == {p.name[:-7] for p in sample_path.glob("*.nii.gz")}
    assert set(sample.tables) == {p.stem for p in sample_path.glob("*.tsv")}
    assert list(sample.maps)[:4] == [
        f"z_desc-mass_level-cluster_{FWE}",
        f"z_desc-size_level-cluster_{FWE}",
        f"z_level-voxel_{FWE}",
        "z",
    ]
    assert list(sample.maps)[-1].startswith("label_")
    assert "activation likelihood" in sample.methods
    assert "@" in sample.references


def test_the_sample_has_one_mask(sample: ResultSet, sample_path: Path) -> None:
    expected = _voxels(sample_path, "p") > 0
    assert expected.sum() == N_MASK
    assert len(sample.maps) == 11
    for m in sample.maps.values():
        assert m.mask is sample["z"].mask
    np.testing.assert_array_equal(sample["z"].mask, expected)
    # Neither z nor the ALE values fill it: what p == 0 means cannot be read off them.
    for stem in ("z", "stat"):
        assert 0 < (_voxels(sample_path, stem) != 0).sum() < N_MASK


def test_p_below_05_counts_inside_the_mask_only(
    sample: ResultSet, sample_path: Path
) -> None:
    p = _voxels(sample_path, "p")
    logp = _voxels(sample_path, "logp")
    mask = sample["p"].mask
    assert mask is not None
    data = sample["p"].data
    significant = mask & (data < 0.05)
    np.testing.assert_array_equal(significant, logp > -np.log10(0.05))
    assert significant.sum() == ((p > 0) & (p < 0.05)).sum()
    assert 10_000 < significant.sum() < 20_000
    # The trap: outside, p is 0 as well.
    assert (data < 0.05).sum() - significant.sum() == p.size - N_MASK


def test_data_of_the_sample_are_nibabels(sample: ResultSet, sample_path: Path) -> None:
    # Stored with a negative x step or not: compare place by place.
    image = nib.as_closest_canonical(nib.load(sample_path / "z.nii.gz"))
    np.testing.assert_array_equal(
        sample["z"].data, np.asarray(image.dataobj, np.float32)
    )
    np.testing.assert_allclose(sample["z"].affine, image.affine)


def test_siblings_and_titles_of_the_sample(sample: ResultSet) -> None:
    assert set(sample.siblings(sample["z"])) == {"p", "logp", "stat"}
    mass = sample[f"logp_desc-mass_level-cluster_{FWE}"]
    assert set(sample.siblings(mass)) == {"z"}
    found = sample.uncorrected(mass)
    assert found is not None
    assert found.key == "logp"
    titles = {m.title for m in sample.maps.values()}
    assert len(titles) == 11
    assert "z, cluster-level FWE (mass, Monte Carlo)" in titles
