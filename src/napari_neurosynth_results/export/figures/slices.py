"""Brains cut into pictures: by millimeters, through volumes of any grid, left as left.

Arrays only: nothing here knows how a picture gets onto paper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.planes import (
    AXES,
    Convention,
    Plane,
    edge_letters,
    is_mirrored,
)
from napari_neurosynth_results.anatomy.template import read_underlay
from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.maps.grid import Grid

Volume = npt.NDArray[Any]
Painter = Callable[[Volume], Float64Array]
Span = tuple[float, float]

#: Of a picture; at 300 dpi finer than print in every layout.
_PIXEL_MM = 0.5
#: Around the brain.
_MARGIN_MM = 3.0
#: How dark and how light the template is, so that colors stand out from it.
_GRAYS = {"black": (0.0, 0.78), "white": (0.3, 0.96)}
#: Voxels over which the edge of the brain is softened, and which part of that is edge.
_BLUR = 0.8
_EDGE = (0.3, 0.6)
_PAPER = {"black": 0.0, "white": 1.0}


@dataclass(frozen=True)
class PlaneView:
    """A plane and the part of it that a picture shows.

    Attributes
    ----------
    plane : {"axial", "coronal", "sagittal"}
        The plane.
    across, up : tuple of float
        Low and high end in mm.
    mirrored : bool
        Whether the low end of `across` is on the right, as `is_mirrored` says.
    """

    plane: Plane
    across: Span
    up: Span
    mirrored: bool = False

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in mm of brain."""
        return self.across[1] - self.across[0], self.up[1] - self.up[0]

    @property
    def letters(self) -> dict[str, str]:
        """What lies at which edge, as `edge_letters` says it."""
        _, across, up = AXES[self.plane]
        return edge_letters(across, up, rightward=not self.mirrored)

    def pixels(self) -> tuple[Float64Array, Float64Array]:
        """Return the mm of the columns from the left, and of the rows from the top."""
        across, up = _centers(self.across), _centers(self.up)
        return (across[::-1] if self.mirrored else across), up[::-1]

    def on_picture(self, across: float, up: float) -> tuple[float, float]:
        """Say where a place is, in mm of brain from the lower left corner."""
        left, right = self.across
        return (right - across if self.mirrored else across - left), up - self.up[0]


def _centers(span: Span) -> Float64Array:
    n = round((span[1] - span[0]) / _PIXEL_MM)
    return span[0] + (np.arange(n, dtype=np.float64) + 0.5) * _PIXEL_MM


def voxel_at(grid: Grid, axis: int, mm: Float64Array | float) -> npt.NDArray[np.intp]:
    """Return the voxel that contains a place along one axis; -1 outside of the grid."""
    size, origin = grid.voxel_size[axis], grid.origin[axis]
    found = np.floor((np.asarray(mm) - origin) / size + 0.5).astype(np.intp)
    return np.where((found >= 0) & (found < grid.shape[axis]), found, -1)


def cut(volume: Volume, grid: Grid, view: PlaneView, place: float) -> Volume:
    """Cut a volume: each pixel is the voxel that it lies in, 0 outside of the grid.

    Parameters
    ----------
    volume : ndarray, shape (i, j, k)
        Any numbers.
    grid : Grid
        Where the voxels are.
    place : float
        Where the plane lies, mm.

    Returns
    -------
    ndarray, shape (rows, columns)
        The first row is the uppermost.
    """
    axis = AXES[view.plane][0]
    depth = int(voxel_at(grid, axis, place))
    if depth < 0:
        columns, rows = view.pixels()
        return np.zeros((rows.size, columns.size), volume.dtype)
    return spread(np.take(volume, depth, axis), grid, view)


def spread(flat: Volume, grid: Grid, view: PlaneView) -> Volume:
    """Show a plane of voxels, or a projection, in the pixels of a view.

    Parameters
    ----------
    flat : ndarray, shape (n, m)
        A volume without the axis that the plane cuts.
    grid : Grid
        Of the volume.

    Returns
    -------
    ndarray, shape (rows, columns)
        0 outside of the grid.
    """
    _, across, up = AXES[view.plane]
    columns, rows = view.pixels()
    i, j = voxel_at(grid, across, columns), voxel_at(grid, up, rows)
    # The axis across always comes before the one up.
    picture = flat[np.ix_(i, j)].T.copy()
    picture[j < 0] = 0
    picture[:, i < 0] = 0
    return picture


@dataclass(frozen=True, eq=False)
class Overlay:
    """What is laid over the brain.

    Attributes
    ----------
    volume : ndarray, shape (i, j, k)
        0 where there is nothing to show.
    grid : Grid
        Where its voxels are.
    paint : callable
        Colors of a cut through it, (rows, columns, 4): red, green, blue, opacity.
    outlined : ndarray of bool, shape (i, j, k), optional
        What is only outlined.
    """

    volume: Volume = field(repr=False)
    grid: Grid
    paint: Painter = field(repr=False)
    outlined: npt.NDArray[np.bool_] | None = field(default=None, repr=False)

    @cached_property
    def box(self) -> tuple[Span, Span, Span] | None:
        """Where it shows anything, along x, y and z in mm; None where nowhere."""
        shown = self.volume != 0
        if self.outlined is not None:
            shown = shown | self.outlined
        return bounding_box(shown, self.grid)


def bounding_box(
    shown: npt.NDArray[np.bool_], grid: Grid
) -> tuple[Span, Span, Span] | None:
    """Return the box in mm, to the edges of voxels, around all that is True."""
    spans = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(shown.any(axis=others))
        if not found.size:
            return None
        size, origin = grid.voxel_size[axis], grid.origin[axis]
        low, high = origin + (found[[0, -1]] + (-0.5, 0.5)) * size
        spans.append((float(low), float(high)))
    return spans[0], spans[1], spans[2]


@dataclass(frozen=True, eq=False)
class Brain:
    """The template in the grays of a background, or nothing for other spaces.

    Attributes
    ----------
    background : {"black", "white"}
        Of the paper.
    voxels : ndarray of uint8 or None
        The template.
    grid : Grid
        Of the template, or of the map where there is none.
    """

    background: str
    voxels: npt.NDArray[np.uint8] | None = field(repr=False)
    grid: Grid

    @cached_property
    def box(self) -> tuple[Span, Span, Span]:
        """The brain in mm; the whole grid where there is no template."""
        everywhere = np.ones(self.grid.shape, bool)
        found = bounding_box(
            everywhere if self.voxels is None else self.voxels > 0, self.grid
        )
        assert found is not None
        return found

    def view(
        self,
        plane: Plane,
        side: Convention,
        overlay: Overlay,
        margin: float = _MARGIN_MM,
    ) -> PlaneView:
        """Choose what pictures of a plane show: all of the brain and of the overlay.

        Parameters
        ----------
        side : {"neurological", "radiological"}
            Which side left is on.
        margin : float
            Around that, in mm of brain.

        Returns
        -------
        PlaneView
            In whole mm.
        """
        _, across, up = AXES[plane]
        boxes = [self.box] + ([overlay.box] if overlay.box else [])
        spans = [
            (
                float(np.floor(min(box[axis][0] for box in boxes) - margin)),
                float(np.ceil(max(box[axis][1] for box in boxes) + margin)),
            )
            for axis in (across, up)
        ]
        return PlaneView(plane, spans[0], spans[1], is_mirrored(plane, side))

    def picture(self, view: PlaneView, place: float, overlay: Overlay) -> Float64Array:
        """Draw a slice with what is laid over it.

        Parameters
        ----------
        place : float
            Where the plane lies, mm.

        Returns
        -------
        ndarray, shape (rows, columns, 3)
            Red, green and blue, 0 to 1.
        """
        made = self._slice(view, place)
        if overlay.outlined is not None:
            region = cut(overlay.outlined, overlay.grid, view, place)
            _outline(made, region)
        return lay_over(
            made, overlay.paint(cut(overlay.volume, overlay.grid, view, place))
        )

    def _slice(self, view: PlaneView, place: float) -> Float64Array:
        columns, rows = view.pixels()
        made = np.full((rows.size, columns.size), _PAPER[self.background])
        if self.voxels is None:
            return np.repeat(made[:, :, np.newaxis], 3, axis=2)
        from scipy.ndimage import map_coordinates

        axis, across, up = AXES[view.plane]
        where = np.empty((3, rows.size, columns.size))
        for one, mm in ((axis, place), (across, columns), (up, rows[:, np.newaxis])):
            where[one] = (np.asarray(mm) - self.grid.origin[one]) / (
                self.grid.voxel_size[one]
            )
        gray, soft = self._soft
        inside = map_coordinates(soft, where, order=1)
        inside = np.clip((inside - _EDGE[0]) / (_EDGE[1] - _EDGE[0]), 0, 1)
        dark, light = _GRAYS[self.background]
        level = dark + (light - dark) * map_coordinates(gray, where, order=1)
        made += inside * (level - made)
        return np.repeat(made[:, :, np.newaxis], 3, axis=2)

    @cached_property
    def _soft(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Grays that go on beyond the brain, and how much of a place is brain.

        So the edge is smooth, and there is no dark rim on white paper.
        """
        from scipy.ndimage import gaussian_filter

        assert self.voxels is not None
        inside = (self.voxels > 0).astype(np.float32)
        gray = self.voxels.astype(np.float32) / np.float32(self.voxels.max())
        soft = gaussian_filter(inside, _BLUR)
        beyond = gaussian_filter(gray, _BLUR) / np.maximum(soft, np.float32(1e-3))
        return np.where(inside > 0, gray, beyond), soft


def lay_over(below: Float64Array, above: Float64Array) -> Float64Array:
    """Lay colors with an opacity over others."""
    opacity = above[:, :, 3:]
    made: Float64Array = below * (1 - opacity) + above[:, :, :3] * opacity
    return made


def _outline(picture: Float64Array, region: npt.NDArray[np.bool_]) -> None:
    """Draw the edge of a region: light with a dark line inside, seen on any gray."""
    from scipy.ndimage import binary_erosion

    inner = binary_erosion(region, iterations=2)
    picture[region & ~inner] = 0.88
    picture[inner & ~binary_erosion(inner)] = 0.12


def brain_for(grid: Grid, background: str) -> Brain:
    """Return the template for maps of a grid.

    Parameters
    ----------
    grid : Grid
        Of the map.
    background : {"black", "white"}
        Of the paper.

    Returns
    -------
    Brain
        Without the template where the grid cannot be in MNI space.
    """
    if grid.mni_doubt() is not None:
        return Brain(background, None, grid)
    return Brain(background, *read_underlay())
