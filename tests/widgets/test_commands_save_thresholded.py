"""A map is saved as it is seen at its threshold, by a command of the menu."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

import napari_neurosynth_results as nnr
from napari_neurosynth_results.export.volumes import save_thresholded
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.settings import PLUGIN

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


@pytest.mark.viewer
def test_the_command_asks_where_and_saves(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    sample_path: Path,
    tmp_path: Path,
    notifications: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari._app_model import get_app_model

    path = tmp_path / "seen.nii.gz"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    viewer = make_napari_viewer()
    commands = get_app_model().commands
    commands.execute_command(f"{PLUGIN}.save_thresholded").result()
    assert "Threshold a map first" in notifications[-1].message
    viewer.open(sample_path / "z.nii.gz", plugin=PLUGIN)
    layer = next(one for one in viewer.layers if map_of(one) is not None)
    clusters = nnr.find_clusters(layer.metadata["neurosynth_results"], value=4)
    made = show_clusters(viewer, layer, clusters)
    for active in (layer, made):
        viewer.layers.selection.active = active
        commands.execute_command(f"{PLUGIN}.save_thresholded").result()
        voxels = np.asarray(nib.load(path).dataobj)
        assert np.count_nonzero(voxels) == clusters.labelled.size.sum()
        path.unlink()
    assert clusters_of(made) is clusters
