"""What is lit is what reaches the threshold, to the last bit of float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results import MapKind, open_results
from napari_neurosynth_results.statistics.first_look import FirstLook, first_look
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.colormaps import Coloring, coloring
from napari_neurosynth_results.viewer.layers import layers_of
from napari_neurosynth_results.viewer.settings import PLUGIN

Floats = npt.NDArray[np.float32]
HEIGHTS = st.floats(1e-3, 50)
ROOMS = st.floats(1.001, 200)


def look(
    height: float, strongest: float, *, signed: bool = False, survives: bool = True
) -> FirstLook:
    return FirstLook(height, strongest, signed, 1, survives, "")


def painted(chosen: Coloring, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Color values as napari does: scaled by the limits, then mapped."""
    from napari.utils.colormaps import Colormap

    low, high = chosen.contrast_limits
    scaled = (np.asarray(values, np.float64) - low) / (high - low)
    return np.asarray(Colormap(**chosen.colormap).map(scaled))


def lit(chosen: Coloring, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which values are not transparent."""
    alpha = painted(chosen, values)[:, 3]
    assert set(np.unique(alpha)) <= {0, 1}, "half transparent"
    return np.asarray(alpha == 1)


def around(height: float, strongest: float) -> Floats:
    """Return values on both sides of a height, the nearest floats among them."""
    edge = np.float32(height)
    # The limits forgive a millionth: beyond that, every value counts.
    near = edge * np.array([1 - 4e-6, 1 - 2e-6, 1, 1 + 2e-6, 1 + 4e-6], np.float32)
    far = np.random.default_rng(5).uniform(-1.2, 1.2, 2000) * strongest
    return np.concatenate([near, -near, far, [0, strongest, -strongest]]).astype("f4")


def reaches(values: Floats, height: float) -> npt.NDArray[np.bool_]:
    return np.asarray(values.astype(float) >= height * (1 - 1e-6))


@given(height=HEIGHTS, room=ROOMS)
def test_one_sided_maps_light_what_reaches_the_height(
    height: float, room: float
) -> None:
    chosen = coloring(look(height, height * room), MapKind.Z)
    values = around(height, height * room)
    assert (lit(chosen, values) == reaches(values, height)).all()


@given(height=HEIGHTS, room=ROOMS)
def test_signed_maps_light_both_sides_and_nothing_between(
    height: float, room: float
) -> None:
    chosen = coloring(look(height, height * room, signed=True), MapKind.Z)
    low, high = chosen.contrast_limits
    assert low == -high
    values = around(height, height * room)
    # The limits may move by half an entry of the table, the edge may not.
    assert (lit(chosen, values) == reaches(np.abs(values), height)).all()
    assert high == pytest.approx(height * room, rel=0.5)


@given(height=st.floats(1e-5, 0.3), room=st.floats(1e-6, 0.9))
def test_p_maps_light_what_is_small_but_not_0(height: float, room: float) -> None:
    smallest = np.float32(height * room)
    chosen = coloring(look(height, float(smallest)), MapKind.P)
    low, high = np.float32(height * (1 - 1e-7)), np.float32(height * (1 + 4e-6))
    values = np.array([0, smallest, low, high, 1, np.nan], np.float32)
    assert lit(chosen, values).tolist() == [False, True, True, False, False, False]


def test_a_p_of_exactly_05_in_float32_is_lit() -> None:
    chosen = coloring(look(float(np.float32(0.05)), 1e-3), MapKind.P)
    values = np.array([0.05, 0.051, 0], np.float32)
    assert lit(chosen, values).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("kind", "signed"), [(MapKind.Z, False), (MapKind.Z, True), (MapKind.P, False)]
)
def test_nan_is_transparent(kind: MapKind, signed: bool) -> None:
    chosen = coloring(look(0.01, 0.5, signed=signed), kind)
    assert not lit(chosen, [np.nan]).any()


def test_small_p_is_as_bright_as_large_logp() -> None:
    p = coloring(look(0.05, 1e-6), MapKind.P)
    logp = coloring(look(1.3, 6), MapKind.LOGP)
    brightness = painted(p, [1e-6, 1e-4, 0.01, 0.05])[:, :3].sum(axis=1)
    assert (np.diff(brightness) < 0).all()
    strong, weak = painted(logp, [6, 1.3])[:, :3].sum(axis=1)
    assert strong > weak
    assert brightness[0] == pytest.approx(strong, rel=0.05)


def test_signs_have_colors_of_their_own_and_equal_strength() -> None:
    chosen = coloring(look(3, 9, signed=True), MapKind.Z)
    values = np.linspace(3.01, 8.9, 50)
    warm, cold = painted(chosen, values), painted(chosen, -values)
    assert (warm[:, 0] > warm[:, 2]).all()
    assert (cold[:, 2] > cold[:, 0]).all()
    for side in (warm, cold):
        assert side[-1, :3].sum() > side[0, :3].sum() + 0.5


def test_a_map_of_one_value_still_has_limits() -> None:
    for kind, signed in ((MapKind.Z, True), (MapKind.Z, False), (MapKind.P, False)):
        chosen = coloring(look(0.5, 0.5, signed=signed), kind)
        low, high = chosen.contrast_limits
        assert low < high
        assert lit(chosen, [0.5]).all()
        assert not lit(chosen, [0.0]).any()


def test_colormaps_of_different_thresholds_do_not_replace_each_other() -> None:
    """A dozen of napari's layers keep a dozen colormaps, by their names."""
    from napari.layers import Image

    layers = []
    chosen = [
        coloring(look(h, s, signed=True), MapKind.Z)
        for h, s in ((3, 9), (2, 9), (3.1, 4), (1, 90))
    ]
    for one in chosen:
        layers.append(
            Image(
                np.zeros((2, 2)),
                colormap=one.colormap,
                contrast_limits=one.contrast_limits,
            )
        )
    for layer, one in zip(layers, chosen, strict=True):
        assert np.allclose(layer.colormap.colors, one.colormap["colors"])


def test_every_map_of_the_sample_lights_what_it_announces(sample_path: Path) -> None:
    from napari.layers import Image, Layer

    results = open_results(sample_path)
    checked = 0
    for data, keywords, kind in layers_of(results, underlay=False).layers:
        layer = Layer.create(data, keywords, kind)
        if not isinstance(layer, Image):
            continue
        found = first_look(layer.metadata["neurosynth_results"])
        assert found is not None
        chosen = Coloring(
            {
                **{"colors": layer.colormap.colors, "name": "as in the layer"},
                **{"controls": layer.colormap.controls},
                **{"interpolation": str(layer.colormap.interpolation)},
                **{"low_color": layer.colormap.low_color},
                **{"high_color": layer.colormap.high_color},
                **{"nan_color": layer.colormap.nan_color},
            },
            tuple(layer.contrast_limits),
        )
        assert lit(chosen, layer.data.ravel()).sum() == found.n_voxels, layer.name
        checked += 1
    assert checked >= 7


# --- on the screen ----------------------------------------------------------------

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
    make_napari_viewer: Callable[..., Any],
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    preferences.view.underlay = False
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
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 900)
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
