"""Where places lie in planes, and how planes fill a rectangle."""

from __future__ import annotations

import numpy as np
import pytest

from napari_neurosynth_results.anatomy.planes import CONVENTIONS, Convention
from napari_neurosynth_results.viewer.ortho.geometry import (
    GAP,
    FieldOfView,
    Window,
    arrange,
    bounds,
)
from napari_neurosynth_results.viewer.scene import PLANE_ORDER

MNI = (182.0, 218.0, 182.0)


@pytest.mark.parametrize("side", CONVENTIONS)
@pytest.mark.parametrize("plane", PLANE_ORDER)
def test_a_place_and_its_pixel_are_each_others(plane: str, side: Convention) -> None:
    window = Window(plane, 90, 140, FieldOfView((1, 2, 3), 1.7, side))
    place = (-20.0, 14.5, 30.0)
    row, column = window.pixel_of(place)
    assert window.place_at(row, column, place) == pytest.approx(place)
    rows, columns = window.pixels_of(np.array([place, (1, 2, 3)]))
    assert (rows[0], columns[0]) == (row, column)
    assert (rows[1], columns[1]) == (45, 70)


@pytest.mark.parametrize("side", CONVENTIONS)
@pytest.mark.parametrize("plane", PLANE_ORDER)
def test_pixels_know_their_millimeters(plane: str, side: Convention) -> None:
    window = Window(plane, 9, 14, FieldOfView((1, 2, 3), 1.7, side))
    down, across = window.millimeters()
    _, vertical, horizontal = window.axes
    for row, column in ((0, 0), (8, 13), (4, 6)):
        place = window.place_at(row + 0.5, column + 0.5, (0, 0, 0))
        assert down[row] == pytest.approx(place[vertical])
        assert across[column] == pytest.approx(place[horizontal])
    assert down[0] > down[-1]
    # Sagittal slices have no left and right to exchange.
    grows = side == "neurological" or plane == "sagittal"
    assert (across[0] < across[-1]) == grows


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(900, 300, "row"), (250, 800, "column"), (700, 700, "square")],
)
def test_planes_fill_what_there_is(width: int, height: int, shape: str) -> None:
    found = arrange(width, height, MNI)
    lefts = {box[0] for box in found.boxes.values()}
    tops = {box[1] for box in found.boxes.values()}
    expected = {"row": (3, 1), "column": (1, 3), "square": (2, 2)}
    assert (len(lefts), len(tops)) == expected[shape]
    assert (found.corner is not None) == (shape == "square")
    for plane, (left, top, wide, high) in found.boxes.items():
        assert left >= 0
        assert top >= 0
        assert left + wide <= width
        assert top + high <= height
        # Everything is seen, at one scale.
        assert wide >= found.scale * MNI[PLANE_ORDER[plane][2]] - 1
        assert high >= found.scale * MNI[PLANE_ORDER[plane][1]] - 1
    covered = sum(wide * high for _, _, wide, high in found.boxes.values())
    if found.corner is not None:
        covered += found.corner[2] * found.corner[3]
    assert covered >= width * height - 2 * GAP * (width + height)


def test_a_rectangle_without_room_is_laid_out() -> None:
    found = arrange(1, 1, MNI)
    assert found.scale > 0
    assert all(min(box[2:]) >= 1 for box in found.boxes.values())


def test_bounds_enclose_all_layers() -> None:
    one = np.array([[-10.0, -20, -30], [10, 20, 30]])
    # The first axis of a stack is none of space.
    stack = np.array([[0.0, 0, 0, 0], [5, 50, 10, 10]])
    center, size = bounds([one, stack])
    assert center == (20, 0, 0)
    assert size == (60, 40, 60)


def test_bounds_without_layers_are_those_of_a_brain() -> None:
    nothing = np.full((2, 3), np.nan)
    assert bounds([]) == bounds([nothing])
    assert bounds([])[1] == (180, 216, 180)
