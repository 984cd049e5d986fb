"""One grid for maps on several: which one, and how voxels get there.

All grids are axis-aligned, so that resampling is done one axis after the other, and
comparing maps of different voxel sizes costs little more than comparing equal ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.thresholds.masks import filled_box, paste_part

#: A position this close to a voxel's center is the center: affines have few digits.
_ON_CENTER = 1e-4
#: More voxels than this are not compared: the coarser grid is taken instead.
_MOST_VOXELS = 2**26


@dataclass(frozen=True, eq=False)
class Alignment:
    """The grid that maps are compared on.

    Attributes
    ----------
    grid : Grid
        That of the map with the smallest voxels, extended where another map has values
        beyond it.
    resampled : str
        What was resampled and how, in words; empty when all maps are on one grid.
    """

    grid: Grid
    resampled: str


def align(statmaps: Sequence[StatMap], names: Sequence[str]) -> Alignment:
    """Choose the grid on which to compare maps.

    The finest is taken, because going to a coarser one would lose voxels. It is
    extended where another map has values outside of it: no cluster is cut off.

    Parameters
    ----------
    statmaps : sequence of StatMap
        At least one.
    names : sequence of str
        What to call them.

    Returns
    -------
    Alignment
        Of equally fine grids that of the first map.

    Raises
    ------
    ResultsError
        When a map cannot be read, or two lie in different places altogether.
    """
    grids = [statmap.grid for statmap in statmaps]
    if all(grid.same_as(grids[0]) for grid in grids[1:]):
        return Alignment(grids[0], "")
    _check_place(grids, names)
    by_size = sorted(range(len(grids)), key=lambda n: math.prod(grids[n].voxel_size))
    for chosen in by_size:
        grid = grids[chosen]
        for statmap in statmaps:
            grid = _extend_grid(grid, statmap)
        if math.prod(grid.shape) <= _MOST_VOXELS:
            break
    else:
        raise ResultsError(
            "These maps have too many voxels to be brought onto one grid. Resample one "
            "of them first."
        )
    moved = [
        f"{name} ({other})"
        for name, other in zip(names, grids, strict=True)
        if not other.same_as(grid)
    ]
    onto = f"the grid of {names[chosen]} ({grids[chosen]})"
    if grid.shape != grids[chosen].shape:
        onto += f", extended to {' x '.join(map(str, grid.shape))} voxels"
        moved = [text for text in moved if not text.startswith(f"{names[chosen]} (")]
    which = "" if chosen == by_size[0] else ", because a finer one would be too large"
    verb = "was" if len(moved) == 1 else "were"
    return Alignment(
        grid,
        f"{_join_names(moved)} {verb} resampled to {onto}"
        f"{which}: clusters by the nearest voxel after thresholding, values linearly",
    )


def resample_linearly(voxels: Voxels, source: Grid, target: Grid) -> Voxels:
    """Resample to another axis-aligned grid, linearly between voxel centers.

    Parameters
    ----------
    voxels : ndarray of float32, shape (i, j, k)
        On the source grid; finite.
    source, target : Grid
        Both in the same space, in mm.

    Returns
    -------
    ndarray of float32, shape (l, m, n)
        In Fortran order; 0 beyond the outermost voxel centers of the source.
    """
    if source.same_as(target):
        return voxels
    # Transposed, so that the last and largest step runs through memory in order.
    values, parts = voxels.T, []
    for axis, box in enumerate(filled_box(voxels)):
        part, low, high, share = _positions(source, target, axis, box)
        parts.append(part)
        place, shape = 2 - axis, [1, 1, 1]
        shape[place] = share.size
        weight = share.astype(np.float32).reshape(shape)
        out = values.take(low, axis=place)
        if weight.any():
            out *= 1 - weight
            above = values.take(high, axis=place)
            above *= weight
            out += above
        values = out
    return paste_part(values.T, parts, target)


def resample_mask(mask: Mask, source: Grid, target: Grid) -> Mask:
    """Mark the voxels of another grid whose linear value comes from a mask alone.

    Parameters
    ----------
    mask : ndarray of bool, shape (i, j, k)
        On the source grid.
    source, target : Grid
        Both in the same space, in mm.

    Returns
    -------
    ndarray of bool, shape (l, m, n)
        In Fortran order; where this is False, a linear value would be mixed with the 0
        outside.
    """
    if source.same_as(target):
        return mask
    values, parts = mask.T, []
    for axis, box in enumerate(filled_box(mask)):
        part, low, high, share = _positions(source, target, axis, box)
        parts.append(part)
        out = values.take(low, axis=2 - axis)
        if (share > 0).any():
            out &= values.take(np.where(share > 0, high, low), axis=2 - axis)
        values = out
    return paste_part(values.T, parts, target)


def covered_box(source: Grid, target: Grid) -> tuple[slice, slice, slice]:
    """Return which voxels of a target have their centers in the image of a source."""
    parts = []
    for axis in range(3):
        index = _index(source, target, axis)
        within = np.flatnonzero((index >= -0.5) & (index < source.shape[axis] - 0.5))
        start, stop = (int(within[0]), int(within[-1]) + 1) if within.size else (0, 0)
        parts.append(slice(start, stop))
    x, y, z = parts
    return x, y, z


def _index(source: Grid, target: Grid, axis: int) -> npt.NDArray[np.float64]:
    """Return where the voxel centers of a target are, in voxels of a source."""
    mm = target.origin[axis] + target.voxel_size[axis] * np.arange(target.shape[axis])
    return np.asarray((mm - source.origin[axis]) / source.voxel_size[axis])


def _positions(
    source: Grid, target: Grid, axis: int, box: tuple[int, int]
) -> tuple[slice, IndexArray, IndexArray, npt.NDArray[np.float64]]:
    """Return which positions have a neighbor in a box, both neighbors, the upper share.

    Both grids ascend, so that these positions are one stretch.
    """
    index = _index(source, target, axis)
    center = np.rint(index)
    index = np.where(np.abs(index - center) < _ON_CENTER, center, index)
    last = source.shape[axis] - 1
    low = np.clip(np.floor(index), 0, last).astype(np.intp)
    high = np.minimum(low + 1, last)
    reached = (index >= 0) & (index <= last) & (high >= box[0]) & (low <= box[1])
    there = np.flatnonzero(reached)
    start = int(there[0]) if there.size else 0
    part = slice(start, start + there.size)
    return part, low[part], high[part], (index - np.floor(index))[part]


def _extend_grid(grid: Grid, statmap: StatMap) -> Grid:
    """Continue a grid until it holds all voxels of a map that have a value."""
    if statmap.grid.same_as(grid):
        return grid
    before, after = [0, 0, 0], [0, 0, 0]
    box = _box_mm(statmap)
    for axis in range(3):
        size, origin = grid.voxel_size[axis], grid.origin[axis]
        # A voxel is needed where its center lies in a voxel that has a value.
        first = math.ceil((box[0][axis] - origin) / size - _ON_CENTER)
        last = math.floor((box[1][axis] - origin) / size + _ON_CENTER)
        if last >= first:
            before[axis] = max(0, -first)
            after[axis] = max(0, last - (grid.shape[axis] - 1))
    if not any(before) and not any(after):
        return grid
    i, j, k = (n + b + a for n, b, a in zip(grid.shape, before, after, strict=True))
    affine = grid.affine.copy()
    affine[:3, 3] -= np.array(before) * np.array(grid.voxel_size)
    return Grid((i, j, k), affine)


def _box_mm(statmap: StatMap) -> npt.NDArray[np.float64]:
    """Return the outer edges, low and high, of the voxels that have a value, (2, 3)."""
    grid = statmap.grid
    data = statmap.data
    ends = []
    for axis, (first, last) in enumerate(filled_box(np.isfinite(data) & (data != 0))):
        size = grid.voxel_size[axis]
        low = grid.origin[axis] + (first - 0.5) * size
        # The upper edge belongs to the next voxel, as for the nearest one.
        ends.append((low, low + (last - first + 1) * size - _ON_CENTER * size))
    return np.array(ends).T


def _check_place(grids: Sequence[Grid], names: Sequence[str]) -> None:
    """Refuse maps that have no place in common."""
    for other, name in zip(grids[1:], names[1:], strict=True):
        covers = covered_box(other, grids[0]), covered_box(grids[0], other)
        if all(any(part.start == part.stop for part in parts) for parts in covers):
            raise ResultsError(
                f"{names[0]} and {name} lie in different places: no voxel of one is in "
                "the other. Are both in the same space, in mm?"
            )


def _join_names(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
