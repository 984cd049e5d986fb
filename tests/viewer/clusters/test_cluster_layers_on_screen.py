"""What is in full color on the screen is what is significant, voxel for voxel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_neurosynth_results.export.colors import colored_mask, colored_values
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    faint_layer,
    show_clusters,
)
from napari_neurosynth_results.viewer.clusters.outlines import outlines_of
from napari_neurosynth_results.viewer.layers import map_layer, underlay_layer

#: 6 mm voxels over the MNI brain.
GRID = (31, 37, 31)
AFFINE = np.array(
    [[6, 0, 0, -90], [0, 6, 0, -126], [0, 0, 6, -72], [0, 0, 0, 1]], float
)
PLANES: tuple[Any, ...] = ("axial", "coronal", "sagittal")
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
Opened = Callable[..., Any]


def pixels(viewer: Any, grid: Grid) -> npt.NDArray[Any]:
    """Photograph the slice, and read one pixel in the middle of each voxel.

    Returns
    -------
    ndarray, (n, m, 3)
        By the two axes x, y, z that are seen, in this order.
    """
    viewer.reset_view()
    for overlay in viewer.canvas.overlays.values():
        overlay.visible = False
    for overlay in viewer.scene.overlays.values():
        overlay.visible = False
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    rows, columns = picture.shape[:2]
    across, up = (2 - axis for axis in viewer.dims.order[:0:-1])
    center, zoom = viewer.scene.camera.center, viewer.scene.camera.zoom
    mm = [
        size * np.arange(n) + start
        for size, n, start in zip(grid.voxel_size, grid.shape, grid.origin, strict=True)
    ]
    column = np.rint(columns / 2 + (mm[across] - center[2]) * zoom - 0.5).astype(int)
    row = np.rint(rows / 2 - (mm[up] - center[1]) * zoom - 0.5).astype(int)
    found = picture[np.ix_(row, column)]
    return found if up < across else found.transpose(1, 0, 2)


def check(
    viewer: Any, layer: Any, clusters: ClusterSet, planes: tuple[Any, ...] = PLANES
) -> int:
    """Compare the screen with the label volume; count what is lit."""
    shown, lit = colored_mask(clusters), 0
    values, grid = colored_values(clusters).data, clusters.statmap.grid
    decades = colored_values(clusters).kind == "p"
    for plane in planes:
        scene.show_plane(viewer, plane)
        sliced = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
        # Where most is to be seen, and where nothing is.
        others = tuple(axis for axis in range(3) if axis != sliced)
        counts = shown.sum(axis=others)
        for at in (int(counts.argmax()), int(counts.argmin())):
            place = [0.0, 0.0, 0.0]
            place[sliced] = grid.voxel_size[sliced] * at + grid.origin[sliced]
            scene.look_at(viewer, *place)
            found = pixels(viewer, grid)
            inside = np.take(shown, at, sliced)
            low, high = layer.contrast_limits
            scaled = (np.take(values, at, sliced)[inside] - low) / (high - low)
            scaled = np.clip(scaled, 0, 1) ** layer.gamma
            expected = 255 * np.asarray(layer.colormap.map(scaled))[:, :3]
            # The graphics card mixes neighbors of a thousand colors: where cold meets
            # warm, and where decades of p lie close.
            clear = (np.abs(scaled - 0.5) > 2e-3) & (scaled > decades / 100)
            lit_pixels = found[inside]
            np.testing.assert_allclose(lit_pixels[clear], expected[clear], atol=9)
            darkest = 255 * layer.colormap.colors[:, :3].sum(axis=1).min()
            assert (lit_pixels.sum(axis=-1) > 0.6 * darkest - 1).all()
            rest = found[~inside]
            most = 0 if faint_layer(viewer, layer) is None else 0.5 * 255
            assert rest.max(initial=0) <= most
            lit += np.count_nonzero(inside)
    return lit


def moved_by_the_user(layer: Any) -> Iterator[str]:
    """Do what napari's controls do to colors, one after the other."""
    low, high = layer.contrast_limits
    yield "as it is"
    layer.contrast_limits_range = (-50, 50)
    layer.contrast_limits = (low + (high - low) / 2, high)
    yield "limits above the threshold"
    layer.contrast_limits = (-40, 40)
    yield "limits far apart"
    layer.reset_contrast_limits()
    yield "auto-contrast"
    layer.reset_contrast_limits("slice")
    yield "auto-contrast of the slice"
    layer.gamma = 0.4
    yield "gamma"
    layer.colormap = "viridis"
    yield "another colormap"
    layer.colormap = "nan"
    yield "a colormap that paints NaN"


def volume(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    z = ndimage.gaussian_filter(rng.normal(0, 1, GRID), 1)
    z = (z / z.std()).astype(np.float32)
    z[:, ::9] = np.nan
    return z


ASKED = {
    "both signs": Threshold(value=1.5, tail="both"),
    "extent": Threshold(value=1.5, tail="both", min_voxels=12),
    "negative": Threshold(value=1.2, tail="negative", min_voxels=3),
    "positive": Threshold(p=0.05, tail="positive", connectivity=26),
}


@pytest.mark.slow
@pytest.mark.viewer
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_full_color_is_the_label_volume_whatever_the_user_moves(
    window: Any,
    opened: Opened,
    rng: np.random.Generator,
    asked: Threshold,
    masked: bool,
) -> None:
    from napari.layers import Layer

    statmap = opened({"z": volume(rng)}, affine=AFFINE)["z"]
    mask = np.indices(GRID)[0] < 17 if masked else None
    clusters = clusters_at(statmap, asked, mask=mask)
    layer = window.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))
    scene.set_anatomical(window, "neurological")
    show_clusters(window, layer, clusters)
    for n, what in enumerate(moved_by_the_user(layer)):
        planes = PLANES if n == 0 else (PLANES[n % 3],)
        assert check(window, layer, clusters, planes) > 20, what
    # Moving the threshold keeps the rule, and so does what is shown faintly.
    show_clusters(window, layer, clusters, faint=True)
    check(window, layer, clusters, PLANES[:1])
    higher = clusters_at(statmap, Threshold(value=2, tail="both"), mask=mask)
    show_clusters(window, layer, higher)
    check(window, layer, higher, PLANES[1:2])


@pytest.mark.slow
@pytest.mark.viewer
@pytest.mark.parametrize("key", ["p", MASS, "logp_" + MASS[2:]])
def test_corrected_maps_and_p_maps_keep_the_rule(
    window: Any, sample: ResultSet, key: str
) -> None:
    """Of a cluster-level map only significant clusters are seen, by uncorrected z."""
    from napari.layers import Layer

    statmap = sample[key]
    clusters = clusters_at(statmap, Threshold(p=0.001 if key == "p" else 0.05))
    layer = window.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))
    scene.set_anatomical(window, "neurological")
    show_clusters(window, layer, clusters)
    assert check(window, layer, clusters) > 20
    if key != "p":
        assert 0 < clusters.surviving.sum() < len(clusters)
        assert len(np.unique(layer.data[np.isfinite(layer.data)])) > 100
    layer.reset_contrast_limits()
    check(window, layer, clusters, PLANES[:1])


@pytest.mark.slow
@pytest.mark.viewer
def test_in_3d_nothing_is_seen_beside_the_clusters(
    window: Any, opened: Opened, rng: np.random.Generator
) -> None:
    """Along z, where no voxel is significant nothing is lit, whatever the limits."""
    from napari.layers import Layer

    statmap = opened({"z": volume(rng)}, affine=AFFINE)["z"]
    asked = Threshold(value=2.5, tail="both", min_voxels=4)
    clusters = clusters_at(statmap, asked)
    layer = window.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))
    scene.set_anatomical(window, "neurological")
    show_clusters(window, layer, clusters)
    scene.show_3d(window)
    seen = colored_mask(clusters).any(axis=2)
    # Perspective moves what is far from the middle by a part of a voxel.
    near = ndimage.binary_dilation(seen, np.ones((3, 3)))
    for what in moved_by_the_user(layer):
        found = pixels(window, statmap.grid).max(axis=-1)
        assert not found[~near].any(), what
        assert (found[ndimage.binary_erosion(seen)] > 30).all(), what


@pytest.mark.slow
@pytest.mark.viewer
def test_outlines_stay_when_the_plane_changes(
    window: Any, opened: Opened, rng: np.random.Generator
) -> None:
    from napari.layers import Layer

    statmap = opened({"z": volume(rng)}, affine=AFFINE)["z"]
    clusters = clusters_at(statmap, Threshold(value=2.5, tail="both"))
    # A finer grid beneath, as the underlay's: sliders stop between the voxels.
    window.add_layer(Layer.create(*underlay_layer()))
    layer = window.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))
    scene.set_anatomical(window, "neurological")
    shown = show_clusters(window, layer, clusters)
    made = outlines_of(window, shown)
    assert made is not None
    peak = np.array(clusters.peak_voxels[0])
    for plane in (*PLANES, "3D", *PLANES[::-1]):
        if plane == "3D":
            scene.show_3d(window)
            window.screenshot(flash=False)
            continue
        scene.show_plane(window, plane)
        scene.look_at(window, *(AFFINE[:3, :3] @ peak + AFFINE[:3, 3]))
        made.visible = True
        with_lines = window.screenshot(canvas_only=True, flash=False).astype(int)
        made.visible = False
        without = window.screenshot(canvas_only=True, flash=False).astype(int)
        assert (np.abs(with_lines - without).max(axis=2) > 40).sum() > 50, plane
