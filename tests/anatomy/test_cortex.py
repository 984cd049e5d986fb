"""The cortical surface: what is read from a volume, compared with nilearn."""

from __future__ import annotations

import sys
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from napari_neurosynth_results.anatomy.cortex import (
    read_cortex,
    share_on_cortex,
    value_at,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid

AFFINE = np.array([[4, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1.0]])
SHAPE = (46, 55, 46)
GRID = Grid(SHAPE, AFFINE)


def test_left_is_left() -> None:
    left, right = read_cortex()
    assert (left.name, right.name) == ("left", "right")
    for hemisphere, side in ((left, -1), (right, 1)):
        for mesh in (hemisphere.pial, hemisphere.inflated):
            assert (mesh.vertices[:, 0] * side > 0).mean() > 0.95
            assert mesh.volumes[0] > 100_000
    # Inflated hemispheres do not run into each other.
    assert (
        left.inflated.vertices[:, 0].max() <= right.inflated.vertices[:, 0].min() + 15
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_read_is_what_nilearn_reads(rng: np.random.Generator) -> None:
    from nilearn.datasets import load_fsaverage
    from nilearn.surface import vol_to_surf

    volume = rng.normal(size=SHAPE).astype(np.float32)
    image = nib.Nifti1Image(volume, AFFINE)
    meshes = load_fsaverage("fsaverage5")
    for hemisphere in read_cortex():
        ours = value_at(volume, GRID, hemisphere.middle)
        theirs = vol_to_surf(
            image,
            meshes["pial"].parts[hemisphere.name],
            inner_mesh=meshes["white_matter"].parts[hemisphere.name],
            depth=[0.5],
            interpolation="nearest_most_frequent",
        )
        assert np.isfinite(ours).all()
        assert (np.abs(ours - theirs) < 1e-4).mean() > 0.999


def test_beyond_the_grid_nothing_is_known() -> None:
    places = np.array([[-90, -126, -72], [200, 0, 0], [90, 90, 108]], np.float32)
    volume = np.ones(SHAPE, np.float32)
    volume[0, 0, 0] = 7
    assert value_at(volume, GRID, places) == pytest.approx([7, np.nan, 1], nan_ok=True)
    assert value_at(volume, GRID, places[:1] + 1.9).tolist() == [7]
    assert value_at(volume, GRID, places[:1] + 2.1).tolist() == [1]


def test_the_share_counts_what_is_near_the_surface() -> None:
    left, _ = read_cortex()
    on, normals = left.middle[::500], left.pial.normals[::500]
    assert share_on_cortex(on) == 1
    assert share_on_cortex(on + 2.5 * normals) == 1
    # The thalamus and a cerebellar hemisphere.
    deep = np.array([[-12, -18, 8], [12, -18, 8], [30, -62, -38], [-30, -62, -38]])
    assert share_on_cortex(deep) == 0
    assert share_on_cortex(np.concatenate([on[:4], deep])) == 0.5
    assert np.isnan(share_on_cortex([]))


def test_without_nilearn_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "nilearn.datasets", None)
    forgetful: Any = read_cortex.__wrapped__
    with pytest.raises(ResultsError, match="pip install nilearn"):
        forgetful()
