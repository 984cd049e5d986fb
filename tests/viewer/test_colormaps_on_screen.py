"""The graphics card lights what the colormap says, seen in a screenshot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.settings import PLUGIN

#: 6 mm voxels over the MNI brain.
GRID = (31, 37, 31)
AFFINE = np.array(
    [[6, 0, 0, -90], [0, 6, 0, -126], [0, 0, 6, -72], [0, 0, 0, 1]], float
)


def screen_of_voxels(viewer: Any, plane: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Photograph an axial slice and read one pixel in the middle of each voxel."""
    viewer.reset_view()
    for overlay in viewer.canvas.overlays.values():
        overlay.visible = False
    for layer in viewer.layers:
        layer.colorbar.visible = False
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    rows, columns = picture.shape[:2]
    _, middle_y, middle_x = viewer.scene.camera.center
    zoom = viewer.scene.camera.zoom
    i, j = np.indices(plane.shape)
    x, y = i * 6 - 90, j * 6 - 126
    column = np.rint(columns / 2 + (x - middle_x) * zoom - 0.5).astype(int)
    row = np.rint(rows / 2 - (y - middle_y) * zoom - 0.5).astype(int)
    pixels = picture[row, column]
    # Colors of the maps are far from gray.
    return np.asarray(np.ptp(pixels, axis=-1) > 60)


@pytest.mark.slow
@pytest.mark.viewer
def test_the_graphics_card_lights_the_same_voxels(
    preferences: Any,
    window: Any,
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    preferences.view.underlay = False
    viewer = window
    z = rng.normal(0, 3, GRID).astype(np.float32)
    z[:, ::4] = np.nan
    edge = np.float32(3.2905268)
    # Values a few parts in a million beside the threshold, where shaders may round.
    z[:, 1] = edge * (
        1 + rng.choice([-1, 1], (31, 31)) * rng.uniform(1e-4, 1e-2, (31, 31))
    )
    p = np.where(np.isnan(z), 0, 10.0 ** -np.abs(z)).astype(np.float32)
    p[:, 1] = 0.001 * (
        1 + rng.choice([-1, 1], (31, 31)) * rng.uniform(1e-4, 1e-2, (31, 31))
    )
    expected = {
        "z": np.abs(z) >= edge,
        "one_z": z.clip(0) >= 3.0902323,
        "p": (p > 0) & (p <= 0.001),
    }
    maps = {"z": z, "one_z": np.where(z > 0, z, 0), "p": p}
    for stem, data in maps.items():
        viewer.layers.clear()
        folder = write({stem: data}, affine=AFFINE)
        viewer.open(folder / f"{stem}.nii.gz", plugin=PLUGIN)
        for k in (3, 15):
            scene.look_at(viewer, 0, 0, k * 6 - 72)
            on_screen = screen_of_voxels(viewer, data[..., k])
            assert on_screen.any()
            wrong = np.argwhere(on_screen != expected[stem][..., k])
            assert len(wrong) == 0, (stem, wrong[:5], data[..., k][tuple(wrong[0])])


@pytest.mark.viewer
def test_clusters_keep_their_colors_on_screen_while_the_threshold_moves(
    preferences: Any,
    window: Any,
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    preferences.view.underlay = False
    z = ndimage.gaussian_filter(rng.normal(0, 1, GRID), 0.5)
    folder = write({"z": z / z.std()}, affine=AFFINE)
    viewer = window
    viewer.open(folder / "z.nii.gz", plugin=PLUGIN)
    scene.look_at(viewer, 0, 0, 18)
    layer = viewer.layers[-1]
    counts, callbacks = set(), set()
    # Far enough to change the colors, the number type and nothing at all.
    for height in (3.5, 3.4, 3.39, 1.9, 1.5, 1.6, 3.4, 3.39, 3.4):
        clusters = find_clusters(map_of(layer), value=height, tail="positive")
        found = show_clusters(viewer, layer, clusters)
        counts.add(found.data.dtype.name)
        callbacks.add(len(found.events.data.callbacks))
        shown = viewer.screenshot(canvas_only=True, flash=False)
        # Told of the colors again, the graphics card shows the same.
        found.events.colormap()
        again = viewer.screenshot(canvas_only=True, flash=False)
        np.testing.assert_array_equal(shown, again)
    assert len(callbacks) == 1
    assert len(counts) > 1
