"""Where a place lies in each of the three planes, and in the voxels of each layer.

The planes have one scale and one left; layers may have any transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.planes import (
    Convention,
    edge_letters,
    is_mirrored,
)
from napari_neurosynth_results.viewer.scene import PLANE_ORDER

#: z, y, x in mm, the order of napari's axes.
PlaceZYX = tuple[float, float, float]
#: What is shown when nothing says how big it is, mm.
_NOWHERE = ((-72.0, -126.0, -90.0), (108.0, 90.0, 90.0))
#: Pixels between planes.
GAP = 4
#: Planes by row and column; "" is what is left over.
_GRIDS = (
    (("axial", "coronal", "sagittal"),),
    (("axial",), ("coronal",), ("sagittal",)),
    (("coronal", "sagittal"), ("axial", "")),
)


@dataclass(frozen=True)
class FieldOfView:
    """The part of the world that three planes show, the same for all of them.

    Attributes
    ----------
    center : tuple of float
        z, y and x of what lies in the middle of each plane, mm.
    scale : float
        Pixels per mm.
    convention : {"neurological", "radiological"}
        On which side the right of the brain is.
    """

    center: PlaceZYX
    scale: float
    convention: Convention


@dataclass(frozen=True)
class Window:
    """One plane on the screen.

    Attributes
    ----------
    plane : str
        ``"axial"``, ``"coronal"`` or ``"sagittal"``.
    rows, columns : int
        Its size in pixels.
    field : FieldOfView
        What it shows.

    Examples
    --------
    >>> window = Window("axial", 200, 200, FieldOfView((0, 0, 0), 2.0, "neurological"))
    >>> window.place_at(row=20, column=180, place=(7.0, 0.0, 0.0))
    (7.0, 40.0, 40.0)
    >>> window.pixel_of((7.0, 40.0, 40.0))
    (20.0, 180.0)
    """

    plane: str
    rows: int
    columns: int
    field: FieldOfView

    @property
    def axes(self) -> tuple[int, int, int]:
        """The sliced, the vertical and the horizontal axis among z, y and x."""
        return PLANE_ORDER[self.plane]

    @property
    def rightward(self) -> bool:
        """Whether the horizontal axis grows to the right."""
        return not is_mirrored(self.plane, self.field.convention)

    @property
    def _across(self) -> int:
        return 1 if self.rightward else -1

    def place_at(self, row: float, column: float, place: PlaceZYX) -> PlaceZYX:
        """Return the place under a pixel.

        Parameters
        ----------
        row, column : float
            Pixels from the top left corner; a pixel's middle is at its half.
        place : tuple of float
            z, y and x, mm; gives the coordinate across the plane.

        Returns
        -------
        tuple of float
            z, y and x, mm.
        """
        _, vertical, horizontal = self.axes
        center, scale = self.field.center, self.field.scale
        found = list(place)
        found[vertical] = center[vertical] - (row - self.rows / 2) / scale
        across = self._across * (column - self.columns / 2) / scale
        found[horizontal] = center[horizontal] + across
        z, y, x = found
        return z, y, x

    def pixel_of(self, place: PlaceZYX) -> tuple[float, float]:
        """Return row and column of a place; it may lie outside."""
        rows, columns = self.pixels_of(np.array([place]))
        return float(rows[0]), float(columns[0])

    def pixels_of(
        self, places: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return rows and columns of places, an array of shape (n, 3)."""
        _, vertical, horizontal = self.axes
        away = (places - np.array(self.field.center)) * self.field.scale
        rows = self.rows / 2 - away[:, vertical]
        return rows, self.columns / 2 + self._across * away[:, horizontal]

    def millimeters(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the vertical mm of each row and the horizontal mm of each column."""
        _, vertical, horizontal = self.axes
        center, scale = np.array(self.field.center), self.field.scale
        down = (np.arange(self.rows) + 0.5 - self.rows / 2) / scale
        across = (np.arange(self.columns) + 0.5 - self.columns / 2) / scale
        return center[vertical] - down, center[horizontal] + self._across * across

    def letters(self) -> dict[str, str]:
        """Say which end of the brain lies at which edge, as `edge_letters` does."""
        _, vertical, horizontal = self.axes
        return edge_letters(2 - horizontal, 2 - vertical, rightward=self.rightward)


@dataclass(frozen=True)
class Arrangement:
    """How three planes fill a rectangle.

    Attributes
    ----------
    boxes : dict of str to tuple of int
        Left, top, width and height of each plane, pixels.
    corner : tuple of int or None
        The same of the part that is left over when two planes lie above one.
    scale : float
        Pixels per mm at which all three show everything.
    """

    boxes: dict[str, tuple[int, int, int, int]]
    corner: tuple[int, int, int, int] | None
    scale: float


def arrange(width: int, height: int, size: PlaceZYX) -> Arrangement:
    """Lay three planes out so that they are as large as can be.

    Parameters
    ----------
    width, height : int
        Of the rectangle to fill, pixels.
    size : tuple of float
        How far the volume reaches along z, y and x, mm.

    Returns
    -------
    Arrangement
        In a row, in a column, or two above one.
    """
    return max(
        (_lay_out(grid, width, height, size) for grid in _GRIDS),
        key=lambda found: found.scale,
    )


def _lay_out(
    grid: tuple[tuple[str, ...], ...], width: int, height: int, size: PlaceZYX
) -> Arrangement:
    def high(plane: str) -> float:
        return size[PLANE_ORDER[plane][1]] if plane else 0.0

    def wide(plane: str) -> float:
        return size[PLANE_ORDER[plane][2]] if plane else 0.0

    heights = [max(map(high, row)) for row in grid]
    widths = [max(map(wide, column)) for column in zip(*grid, strict=True)]
    room_x = width - GAP * (len(widths) - 1)
    room_y = height - GAP * (len(heights) - 1)
    scale = max(min(room_x / sum(widths), room_y / sum(heights)), 1e-6)
    lefts, columns = _share(widths, room_x)
    tops, rows = _share(heights, room_y)
    boxes = {
        plane: (lefts[c], tops[r], columns[c], rows[r])
        for r, row in enumerate(grid)
        for c, plane in enumerate(row)
    }
    return Arrangement(corner=boxes.pop("", None), boxes=boxes, scale=scale)


def _share(lengths: list[float], room: int) -> tuple[list[int], list[int]]:
    """Share pixels out in proportion: where each part starts, and its size."""
    edges = np.rint(np.cumsum([0.0, *lengths]) / sum(lengths) * room).astype(int)
    sizes = [max(int(n), 1) for n in np.diff(edges)]
    return [int(edge) + GAP * n for n, edge in enumerate(edges[:-1])], sizes


def bounds(extents: list[npt.NDArray[np.float64]]) -> tuple[PlaceZYX, PlaceZYX]:
    """Enclose what layers reach to.

    Parameters
    ----------
    extents : list of array of shape (2, n)
        Least and greatest coordinate of each layer; the last three are z, y and x, mm.

    Returns
    -------
    center, size : tuple of float
        z, y and x, mm; those of the MNI brain where there is no layer.
    """
    found = [np.asarray(one)[:, -3:] for one in extents]
    found = [one for one in found if np.isfinite(one).all()]
    if not found:
        found = [np.array(_NOWHERE)]
    low = np.min([one[0] for one in found], axis=0)
    high = np.max([one[1] for one in found], axis=0)
    z, y, x = (low + high) / 2
    deep, long, wide = np.maximum(high - low, 1e-3)
    return (float(z), float(y), float(x)), (float(deep), float(long), float(wide))


# From millimeters to the voxels of a layer, whatever its transform.


class NotShownError(Exception):
    """A layer cannot be drawn; the text says why."""


@dataclass(frozen=True)
class LayerTransform:
    """How the axes of a layer's data depend on z, y and x.

    Attributes
    ----------
    matrix : array of shape (n, 3)
        Data coordinates per mm along z, y and x, for each axis of the data.
    origin : array of shape (n,)
        Data coordinates of 0, 0, 0 at the current place along further axes.
    """

    matrix: npt.NDArray[np.float64]
    origin: npt.NDArray[np.float64]

    @property
    def straight(self) -> bool:
        """Whether the last three axes of the data are z, y and x."""
        within = np.abs(self.matrix[-3:] - np.diag(np.diag(self.matrix[-3:]))).max()
        leading = np.abs(self.matrix[:-3]).max(initial=0)
        return bool(max(within, leading) <= 1e-6 * np.abs(self.matrix).max())

    def along(self, axis: int, mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Convert mm along z, y or x (-3, -2, -1) where the data lie straight."""
        found: npt.NDArray[np.float64] = (
            np.asarray(mm) * self.matrix[axis, axis] + self.origin[axis]
        )
        return found

    def voxel_at(self, place: tuple[float, float, float]) -> tuple[int, ...]:
        """Return the indices of the voxel nearest to z, y and x; any may be outside."""
        return tuple(np.rint(self.origin + self.matrix @ np.array(place)).astype(int))


def slice_position(viewer: Any) -> tuple[float, float, float]:
    """Return z, y and x of the slices of a viewer, mm."""
    z, y, x = map(float, viewer.dims.point[-3:])
    return z, y, x


def find_transform(layer: Any, point: tuple[float, ...], units: Any) -> LayerTransform:
    """Find out how a layer lies in the world.

    Parameters
    ----------
    layer : Layer
        A layer with z, y and x as its last axes.
    point : tuple of float
        The viewer's place along all of its axes.
    units : tuple or None
        The viewer's units, None where it draws without.

    Returns
    -------
    LayerTransform
        Of the layer.

    Raises
    ------
    NotShownError
        When the layer is flat, or has no volume.
    """
    n = layer.ndim
    if n < 3:
        raise NotShownError("not a volume")
    factors = unit_factors(layer, units)
    origin = np.asarray(layer.data_to_world((0.0,) * n), float) * factors
    steps = [
        np.asarray(layer.data_to_world(tuple(step)), float) * factors - origin
        for step in np.eye(n)
    ]
    try:
        inverse = np.linalg.inv(np.column_stack(steps))
    except np.linalg.LinAlgError as error:
        raise NotShownError("its transform has no inverse") from error
    here = np.array([*point[-n:-3], 0.0, 0.0, 0.0])
    return LayerTransform(inverse[:, -3:], inverse @ (here - origin))


def unit_factors(layer: Any, units: Any) -> npt.NDArray[np.float64]:
    """Return how many units of the viewer one of the layer is, along its axes.

    Parameters
    ----------
    units : tuple or None
        The viewer's units: napari takes the finest one of all layers, and none at all
        where they cannot be compared.
    """
    if units is None:
        return np.ones(layer.ndim)
    wanted = units[-layer.ndim :]
    return np.array(
        [
            1.0 if mine == theirs else (1 * mine).to(theirs).magnitude
            for mine, theirs in zip(layer.units, wanted, strict=True)
        ]
    )


def unit_of(viewer: Any) -> str:
    """Return what the place of a viewer is counted in, as it is written."""
    units = viewer.dims.units
    # Without units, or with those that napari assumes, the place is taken for MNI.
    written = "mm" if units is None else f"{units[-1]:~}"
    return "mm" if written in ("px", "pixel") else written
