"""A saved comparison says which maps, thresholds and sources are behind it."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

import napari_neurosynth_results as nnr

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


def test_two_maps(sample_path: Path, tmp_path: Path) -> None:
    results = nnr.open_results(sample_path)
    found = nnr.compare_maps(results["z"], results[MASS], threshold_a={"p": 0.001})
    written = nnr.save_comparison(found, tmp_path / "out")
    assert {Path(path).name for path in written} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    text = (tmp_path / "out" / "comparison.tsv").read_text(encoding="utf-8")
    assert f"# source: {sample_path}\n" in text
    assert f"# made by napari-neurosynth-results {nnr.__version__}\n" in text
    read = pd.read_csv(tmp_path / "out" / "comparison.tsv", sep="\t", comment="#")
    assert list(read.columns) == list(found.table.columns)
    assert len(read) == len(found.table)
    for name in ("comparison", "clusters"):
        told = json.loads((tmp_path / "out" / f"{name}.json").read_text("utf-8"))
        assert told["File"] == f"{name}.tsv"
        assert [one["Map"]["Key"] for one in told["Maps"]] == ["z", MASS]
        assert told["Maps"][0]["Threshold"]["Asked"] == 0.001
        assert told["Maps"][1]["Threshold"]["Level"] == "cluster"
    image = nib.load(tmp_path / "out" / "agreement.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), found.agreement)
    assert image.header.get_intent()[::2] == ("label", "agreement")


def test_many_maps(sample_path: Path, tmp_path: Path) -> None:
    results = nnr.open_results(sample_path)
    maps = [
        results["z"],
        results[MASS],
        results["z_level-voxel_corr-FWE_method-montecarlo"],
    ]
    matrix = nnr.compare_many(maps)
    nnr.save_comparison(matrix, tmp_path / "out")
    for name in ("comparison", "dice", "jaccard", "r", "rho"):
        told = json.loads((tmp_path / "out" / f"{name}.json").read_text("utf-8"))
        assert len(told["Maps"]) == 3
    dice = pd.read_csv(tmp_path / "out" / "dice.tsv", sep="\t", comment="#")
    assert list(dice.columns) == ["map", *matrix.names]
    assert np.allclose(dice.iloc[:, 1:], matrix.dice, equal_nan=True)
