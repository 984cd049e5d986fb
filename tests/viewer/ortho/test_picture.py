"""Layers of all kinds in planes: drawn where they lie, or named."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.ortho.geometry import FieldOfView, Window, unit_of
from napari_neurosynth_results.viewer.ortho.picture import (
    Discs,
    draw,
    drawable_layers,
    field_of_view,
    finest_step,
    values_at,
)

PLACED: dict[str, Any] = {"scale": (2, 2, 2), "translate": (-10, -20, -30)}
GRAY: dict[str, Any] = {"colormap": "gray", "contrast_limits": (0, 1)}


def no_discs(picture: npt.NDArray[Any], discs: Discs) -> None:
    raise AssertionError("there are no points")


def red(
    viewer: Any, plane: str = "axial", scale: float = 2.0, paint: Any = no_discs
) -> npt.NDArray[np.uint8]:
    """Draw 100 x 100 pixels about 0, 0, 0, and return their red."""
    window = Window(
        plane, 100, 100, FieldOfView((0.0, 0.0, 0.0), scale, "neurological")
    )
    what = drawable_layers(viewer)
    assert what.left_out == {}
    picture, failed = draw(viewer, what, window, paint)
    assert failed == {}
    return picture[..., 0]


def lit(red: npt.NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Return first and last lit row and column."""
    rows, columns = np.nonzero(red > 128)
    return rows.min(), rows.max(), columns.min(), columns.max()


def corner() -> npt.NDArray[np.float32]:
    """Return a volume of 2 mm whose voxel at 8, 10 and 12 mm is lit."""
    data = np.zeros((16, 25, 31), np.float32)
    data[9, 15, 21] = 1
    return data


@pytest.mark.parametrize("plane", scene.PLANE_ORDER)
def test_a_voxel_covers_its_millimeters(viewer: Any, plane: str) -> None:
    viewer.add_image(corner(), **GRAY, **PLACED)
    scene.look_at(viewer, 12, 10, 8)
    high, wide = {"axial": (10, 12), "coronal": (8, 12), "sagittal": (8, 10)}[plane]
    # 2 pixels a mm, the voxel reaches 1 mm to each side.
    expected = (50 - 2 * high - 2, 50 - 2 * high + 1, 50 + 2 * wide - 2)
    assert lit(red(viewer, plane)) == (*expected, expected[-1] + 3)
    scene.look_at(viewer, 16, 14, 12)
    assert not red(viewer, plane).any()
    scene.look_at(viewer, 1000, 1000, 1000)
    red(viewer, plane)


def test_of_a_stack_the_current_volume_is_shown(viewer: Any) -> None:
    stack = np.stack([0 * corner(), corner()])
    viewer.add_image(stack, **GRAY, scale=(1, 2, 2, 2), translate=(0, -10, -20, -30))
    viewer.dims.point = (0, 8, 10, 12)
    assert not red(viewer).any()
    viewer.dims.point = (1, 8, 10, 12)
    assert lit(red(viewer)) == (28, 31, 72, 75)
    # A volume beside it belongs to all of them.
    viewer.layers.clear()
    viewer.add_image(stack * 0, **GRAY)
    viewer.add_image(corner(), **GRAY, **PLACED, blending="additive")
    viewer.dims.point = (0, 8, 10, 12)
    assert lit(red(viewer)) == (28, 31, 72, 75)


def test_a_multiscale_volume_is_as_fine_as_the_screen(viewer: Any) -> None:
    class Counted(np.ndarray[Any, Any]):
        """An array that notes when it is read."""

        read: int = 0

        def __getitem__(self, key: Any) -> Any:
            type(self).read += 1
            return np.asarray(self)[key]

    fine = corner().repeat(2, 0).repeat(2, 1).repeat(2, 2)
    levels = [fine, corner()]
    viewer.add_image(
        levels,
        multiscale=True,
        **GRAY,
        scale=(1, 1, 1),
        translate=(-10.5, -20.5, -30.5),
    )
    scene.look_at(viewer, 12, 10, 8)
    assert lit(red(viewer)) == (28, 31, 72, 75)
    # At half a pixel a mm the coarse one is enough.
    few = red(viewer, scale=0.5)
    rows, columns = np.nonzero(few)
    assert (rows.tolist(), columns.tolist()) == ([44], [55]) or len(rows) <= 2


def test_a_turned_volume_is_drawn_where_it_lies(viewer: Any) -> None:
    data = np.zeros((21, 21, 21), np.float32)
    data[10, 10, 18] = 1
    # A quarter turn about z, as an affine of napari has it: x becomes y.
    turn = np.eye(4)
    turn[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    turn[:3, 3] = np.array([-10, -10, 10])
    viewer.add_image(data, **GRAY, affine=turn)
    center = viewer.layers[0].data_to_world((10, 10, 18))
    scene.look_at(viewer, *center[::-1])
    top, bottom, left, right = lit(red(viewer))
    assert (top + bottom + 1) / 2 == pytest.approx(50 - 2 * center[1], abs=1)
    assert (left + right + 1) / 2 == pytest.approx(50 + 2 * center[2], abs=1)
    assert abs(center[1]) == pytest.approx(8)


def test_colors_as_such(viewer: Any) -> None:
    data = np.zeros((16, 25, 31, 3), np.uint8)
    data[9, 15, 21] = (255, 100, 0)
    viewer.add_image(data, rgb=True, **PLACED)
    scene.look_at(viewer, 12, 10, 8)
    assert lit(red(viewer)) == (28, 31, 72, 75)


def test_nan_and_background_hide_nothing(viewer: Any) -> None:
    viewer.add_image(np.ones((16, 25, 31)), **GRAY, **PLACED)
    scene.look_at(viewer, 0, 0, 0)
    before = red(viewer)
    viewer.add_image(np.full((16, 25, 31), np.nan), **GRAY, **PLACED)
    viewer.add_labels(np.zeros((16, 25, 31), int), **PLACED)
    np.testing.assert_array_equal(red(viewer), before)


@pytest.mark.slow
def test_points_between_volumes_are_covered(viewer: Any) -> None:
    """The order of the layers holds for points as well."""
    viewer.add_image(0 * corner(), **GRAY, **PLACED)
    viewer.add_points([[8, 10, 12.0], [8, 10, 12.0], [30, 0, 0]], size=4)
    viewer.add_image(corner(), colormap="red", contrast_limits=(0, 1), **PLACED)
    scene.look_at(viewer, 12, 10, 8)
    painted = []

    def paint(picture: npt.NDArray[Any], discs: Discs) -> None:
        painted.append(discs)
        picture[..., :3] = 77

    picture = red(viewer, paint=paint)
    (discs,) = painted
    assert discs.rows.tolist() == [30, 30]
    assert discs.columns.tolist() == [74, 74]
    assert discs.diameters.tolist() == [8, 8]
    assert lit(picture) == (28, 31, 72, 75)
    viewer.layers[-1].opacity = 0
    assert (red(viewer, paint=paint) == 77).all()


def test_others_are_named_and_hidden_ones_are_not(viewer: Any) -> None:
    viewer.add_image(corner(), **GRAY, **PLACED, name="volume")
    viewer.add_image(np.zeros((4, 5)), name="flat")
    viewer.add_surface((np.eye(3), np.array([[0, 1, 2]])), name="surface")
    viewer.add_tracks(np.array([[0, 0, 1, 1.0], [0, 1, 2, 2]]), name="tracks")
    viewer.add_image(corner(), name="hidden", visible=False)
    what = drawable_layers(viewer)
    assert [layer.name for layer, _ in what.layers] == ["volume"]
    assert what.left_out == {
        "flat": "not a volume",
        "surface": "Surface",
        "tracks": "Tracks",
    }


def test_layers_in_other_units_meet(viewer: Any) -> None:
    """The viewer counts in the finest unit of all layers."""
    viewer.add_image(corner(), **GRAY, **PLACED, units=("mm",) * 3)
    assert unit_of(viewer) == "mm"
    scene.look_at(viewer, 12, 10, 8)
    alone = red(viewer)
    small = viewer.add_image(
        corner() * 0, **GRAY, units=("um",) * 3, scale=(2000,) * 3, visible=False
    )
    # Pint writes the Greek letter or the micro sign, by its version.
    assert (
        unicodedata.normalize("NFKC", unit_of(viewer)) == "\N{GREEK SMALL LETTER MU}m"
    )
    scene.look_at(viewer, 12_000, 10_000, 8_000)
    np.testing.assert_array_equal(red(viewer, scale=2e-3), alone)
    assert field_of_view(viewer)[1] == (42_000, 70_000, 92_000)
    assert finest_step(viewer) == (2000, 2000, 2000)
    viewer.layers.remove(small)
    # Without a unit napari assumes pixels, and draws all layers as they are.
    viewer.add_image(corner() * 0, **GRAY, **PLACED, visible=False)
    assert viewer.dims.units is None
    scene.look_at(viewer, 12, 10, 8)
    np.testing.assert_array_equal(red(viewer), alone)


def test_data_that_cannot_be_read_are_named(viewer: Any) -> None:
    import dask.array as da

    def fail(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if block.size:
            raise OSError("the disk is gone")
        return block

    viewer.add_image(corner(), name="corner", **GRAY, **PLACED)
    good = da.zeros((16, 25, 31), chunks=8, dtype="f4")
    layer = viewer.add_image(good, name="far", contrast_limits=(0, 1), **PLACED)
    assert drawable_layers(viewer).left_out == {}
    window = Window("axial", 50, 50, FieldOfView((0.0, 0.0, 0.0), 1.0, "neurological"))
    scene.look_at(viewer, 12, 10, 8)
    assert draw(viewer, drawable_layers(viewer), window, no_discs)[1] == {}
    layer.visible = False
    layer.data = good.map_blocks(fail, dtype="f4", meta=np.zeros((0, 0, 0), "f4"))
    layer.events.visible.block()
    what = drawable_layers(viewer)
    assert len(what.layers) == 1
    both = type(what)((*what.layers, (layer, what.layers[0][1])), {})
    picture, failed = draw(viewer, both, window, no_discs)
    assert failed == {"far": "the disk is gone"}
    assert picture[..., 0].any()
    assert values_at(both, (8.0, 10.0, 12.0)) == [("corner", "1")]


def test_the_field_is_that_of_the_volumes(viewer: Any) -> None:
    viewer.add_points(np.array([[900.0, 0, 0]]))
    viewer.add_image(corner(), **PLACED, visible=False)
    center, size = field_of_view(viewer)
    assert size == (32, 50, 62)
    assert center == (5, 4, 0)


def test_the_finest_step_is_that_of_volumes(viewer: Any) -> None:
    assert finest_step(viewer) == (1, 1, 1)
    viewer.add_image(corner(), scale=(2, 3, 4))
    viewer.add_image(corner(), scale=(4, 2, 3))
    viewer.add_points(np.zeros((1, 3)), scale=(0.1,) * 3)
    assert finest_step(viewer) == (2, 2, 3)


def test_values_at_a_place(viewer: Any) -> None:
    viewer.add_image(corner() * 1.23456, **PLACED, name="map")
    labels = (corner() > 0).astype(int)
    names = {"cluster": ["", "left insula"]}
    viewer.add_labels(labels, **PLACED, name="clusters", features=names)
    viewer.add_image(np.ones((2, 2, 2)), translate=(900, 0, 0), name="elsewhere")
    viewer.add_points(np.zeros((1, 3)))
    found = values_at(drawable_layers(viewer), (8.4, 9.6, 12.0))
    assert found == [("clusters", "1: left insula"), ("map", "1.235")]
    found = values_at(drawable_layers(viewer), (0.0, 0.0, 0.0))
    assert found == [("clusters", "none"), ("map", "0")]
