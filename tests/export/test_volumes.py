"""A map is saved as it is seen at its threshold."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import napari_neurosynth_results as nnr
from napari_neurosynth_results.export.volumes import save_thresholded

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


def test_what_is_below_the_threshold_is_0(sample_path: Path, tmp_path: Path) -> None:
    z = nnr.open_results(sample_path)["z"]
    clusters = nnr.find_clusters(z, p=0.001, min_voxels=100)
    save_thresholded(clusters, tmp_path / "z.nii.gz")
    image = nib.load(tmp_path / "z.nii.gz")
    voxels, inside = np.asarray(image.dataobj), clusters.labels > 0
    assert np.array_equal(voxels[inside], z.data[inside])
    assert not voxels[~inside].any()
    assert image.header.get_intent()[0] == "z score"
    assert b"z >= 3.09" in image.header["descrip"].item()
    with pytest.raises(nnr.ResultsError, match="exists already"):
        save_thresholded(clusters, tmp_path / "z.nii.gz")
    with pytest.raises(nnr.ResultsError, match=r"saved as \.nii\.gz"):
        save_thresholded(clusters, tmp_path / "z.tsv")


def test_clusters_that_are_not_significant_are_left_out(
    sample_path: Path, tmp_path: Path
) -> None:
    corrected = nnr.open_results(sample_path)[MASS]
    clusters = nnr.find_clusters(corrected)
    save_thresholded(clusters, tmp_path / "z.nii")
    kept = np.asarray(nib.load(tmp_path / "z.nii").dataobj) != 0
    assert set(np.unique(clusters.labels[kept])) == {
        label for label, yes in enumerate(clusters.surviving, start=1) if yes
    }
