"""One mask on the screen, in figures, on the cortex and in files: that of the clusters.

The mask is counted here by the definition, with scipy, on random maps of both signs.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from helpers.maps_in_memory import made
from napari_neurosynth_results.anatomy.cortex import read_cortex
from napari_neurosynth_results.export.figures.color_scale import build_color_scale
from napari_neurosynth_results.export.volumes import save_thresholded
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.brain_views.cortex import (
    hide_cortex,
    show_cortex,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    faint_layer,
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import map_layer

Array = npt.NDArray[Any]

#: 12 mm voxels over the MNI brain.
SHAPE = (15, 18, 15)
AFFINE = np.array(
    [[12, 0, 0, -84], [0, 12, 0, -120], [0, 0, 12, -60], [0, 0, 0, 1]], float
)
SIGNS: dict[str, tuple[int, ...]] = {
    "both": (1, -1),
    "positive": (1,),
    "negative": (-1,),
}
MASS = "level-cluster_corr-FWE_method-montecarlo"


def volume(seed: int, roughness: float) -> Array:
    """Return smooth z of both signs, with holes that have no value."""
    rng = np.random.default_rng(seed)
    z = ndimage.gaussian_filter(rng.normal(size=SHAPE), roughness)
    z = np.asarray(2 * z / z.std(), np.float32)
    z[rng.random(SHAPE) < 0.03] = np.nan
    return z


def survivors(z: Array, asked: Threshold, height: float, mask: Array | None) -> Array:
    """Mark what survives by the definition: of each sign, components large enough."""
    steps = {6: 1, 18: 2, 26: 3}[asked.connectivity]
    near = ndimage.generate_binary_structure(3, steps)
    found = np.zeros(SHAPE, bool)
    for sign in SIGNS[asked.tail]:
        above = np.nan_to_num(sign * z) >= height
        if mask is not None:
            above &= mask
        labels, _ = ndimage.label(above, near)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        found |= (sizes >= asked.min_voxels)[labels]
    return found


def move(layer: Any, how: str) -> None:
    """Do what napari's controls of a layer do to its colors."""
    low, high = layer.contrast_limits
    if how == "limits":
        layer.contrast_limits_range = (-60, 60)
        layer.contrast_limits = (low + 0.4 * (high - low), high)
    elif how == "far limits":
        layer.contrast_limits_range = (-60, 60)
        layer.contrast_limits = (-40, 40)
    elif how == "auto-contrast" and np.isfinite(layer.data).any():
        layer.reset_contrast_limits()
    elif how == "gamma":
        layer.gamma = 0.4
    elif how in ("viridis", "nan"):
        layer.colormap = how


def shown_on_screen(layer: Any) -> Array:
    """Mark what the layer paints: what has a value and is not transparent."""
    values = layer.data.T
    assert layer.colormap.nan_color[3] == 0
    low, high = layer.contrast_limits
    share = np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1) ** layer.gamma
    opaque = np.asarray(layer.colormap.map(share.ravel()))[:, 3] > 0
    return np.isfinite(values) & opaque.reshape(values.shape)


def check_everywhere(
    viewer: Any, layer: Any, clusters: ClusterSet, expected: Array, folder: Path
) -> None:
    assert np.array_equal(np.isfinite(layer.data.T), expected)
    shown = cluster_layer(viewer, clusters.statmap)
    assert shown is not None
    assert np.array_equal(shown.data.T, clusters.labels)
    below = faint_layer(viewer, layer)
    if below is not None:
        assert not (np.isfinite(below.data.T) & expected).any()
    overlay = build_color_scale(clusters).overlay(clusters)
    assert np.array_equal(overlay.volume != 0, expected)
    path = folder / "saved.nii"
    save_thresholded(clusters, path, overwrite=True)
    written = np.asanyarray(nib.load(path).dataobj)  # type: ignore[attr-defined]
    assert np.array_equal(np.nan_to_num(written) != 0, expected)


def check_cortex(viewer: Any, layer: Any, expected: Array) -> None:
    """Color a vertex if and only if the voxel that holds it survives."""
    show_cortex(viewer, layer)
    surfaces = [one for one in viewer.layers if "fsaverage" in one.name]
    for hemisphere, surface in zip(read_cortex(), surfaces, strict=True):
        voxels = np.linalg.inv(AFFINE) @ np.vstack(
            [hemisphere.middle.T, np.ones(len(hemisphere.middle))]
        )
        at = np.floor(voxels[:3] + 0.5).astype(int)
        inside = ((at >= 0) & (at < np.array(SHAPE)[:, None])).all(axis=0)
        wanted = np.zeros(len(hemisphere.middle), bool)
        wanted[inside] = expected[tuple(at[:, inside])]
        colored = np.ptp(surface.vertex_colors[:, :3], axis=1) > 0.02
        assert np.array_equal(colored, wanted)
    hide_cortex(viewer)
    viewer.dims.ndisplay = 2


asked_at = st.builds(
    Threshold,
    value=st.floats(1.2, 4.5),
    tail=st.sampled_from(sorted(SIGNS)),
    connectivity=st.sampled_from([6, 18, 26]),
    min_voxels=st.integers(1, 12),
)
moves = st.lists(
    st.sampled_from(
        ["limits", "far limits", "auto-contrast", "gamma", "viridis", "nan"]
    ),
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    roughness=st.floats(0.5, 1.6),
    asked=asked_at,
    then=asked_at,
    half=st.booleans(),
    faint=st.booleans(),
    how=moves,
)
def test_what_survives_is_the_same_everywhere(
    qapp: Any,
    seed: int,
    roughness: float,
    asked: Threshold,
    then: Threshold,
    half: bool,
    faint: bool,
    how: list[str],
) -> None:
    from napari.components import ViewerModel
    from napari.layers import Layer

    z = volume(seed, roughness)
    statmap = made({"z": z}, AFFINE)["z"]
    mask = np.indices(SHAPE)[0] < 8 if half else None
    viewer = ViewerModel()
    layer = viewer.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))
    with TemporaryDirectory() as folder:
        for one in (asked, then):
            clusters = clusters_at(statmap, one, mask=mask)
            expected = survivors(z, one, one.number, mask)
            show_clusters(viewer, layer, clusters, faint=faint)
            check_everywhere(viewer, layer, clusters, expected, Path(folder))
            for each in how:
                move(layer, each)
                assert not (shown_on_screen(layer) & ~expected).any()
                check_everywhere(viewer, layer, clusters, expected, Path(folder))
    # With limits of its own a color may be gray: the cortex is asked in ours.
    if not how and expected.any():
        check_cortex(viewer, layer, expected)


@pytest.mark.slow
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
def test_of_cluster_level_maps_what_is_significant_is_the_same_everywhere(
    qapp: Any, seed: int, share: float
) -> None:
    """One p a cluster, drawn at random: the significant ones, by uncorrected z."""
    from napari.components import ViewerModel
    from napari.layers import Layer

    z = np.nan_to_num(volume(seed, 1.2))
    rng = np.random.default_rng(seed)
    corrected = np.zeros(SHAPE)
    expected = np.zeros(SHAPE, bool)
    for sign in (1, -1):
        labels, n = ndimage.label(sign * z >= 3.09)
        for label in range(1, n + 1):
            p = rng.choice([0.004, 0.2], p=[share, 1 - share])
            corrected[labels == label] = sign * stats.norm.isf(p / 2)
            expected |= (labels == label) & (p < 0.05)
    logp = -np.log10(2 * stats.norm.sf(np.abs(corrected)))
    maps = {"z": z, "p": 2 * stats.norm.sf(np.abs(z))}
    maps |= {f"z_desc-mass_{MASS}": corrected, f"logp_desc-mass_{MASS}": logp}
    statmap = made(maps, AFFINE)[f"z_desc-mass_{MASS}"]
    viewer = ViewerModel()
    layer = viewer.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))
    clusters = clusters_at(statmap, Threshold(p=0.05))
    show_clusters(viewer, layer, clusters)
    with TemporaryDirectory() as folder:
        check_everywhere(viewer, layer, clusters, expected, Path(folder))
    assert np.array_equal(layer.data.T[expected], z[expected].astype(np.float32))
