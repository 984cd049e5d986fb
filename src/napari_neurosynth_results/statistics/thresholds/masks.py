"""Where to look: a mask that says what it is, on the grid of the map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.statmap import Mask

Number = TypeVar("Number", bound=np.generic)

#: What is left of a whole number that was scaled or interpolated on its way.
_ROUNDING = 1e-3
#: A mask that was resampled is 0 or 1 but at its edge, where a cubic spline overshoots
#: by about an eighth.
_OVERSHOOT = 0.3
_FLAT = 0.1
#: So many voxels from its edge it is flat.
_EDGE = 2
_LEAST_FLAT = 0.99


@dataclass(frozen=True, eq=False)
class Masking:
    """A mask and what it is.

    Attributes
    ----------
    mask : ndarray of bool, shape (i, j, k)
        True where to look, on the grid of the map.
    sentence : str
        Begins with inside or outside: ``inside z, group 1 at p <= .05``.
    origin : object, optional
        What it was made of, for whoever has to say how to make it again.
    """

    mask: Mask = field(repr=False)
    sentence: str
    origin: object = field(default=None, repr=False)

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


def as_masking(mask: Mask | Masking | None, grid: Grid) -> Masking | None:
    """Take a bare array for a mask that nobody named, and check that it fits.

    Raises
    ------
    ResultsError
        When it has another shape than the map or does not hold bools.
    """
    if mask is None:
        return None
    array = mask.mask if isinstance(mask, Masking) else np.asarray(mask)
    if array.dtype != np.bool_:
        raise ResultsError(
            f"The mask holds {array.dtype}, not bool. Say which values are inside, as "
            "in mask=values > 0."
        )
    if array.shape != grid.shape:
        raise ResultsError(
            f"The mask has shape {array.shape}, the map {grid.shape}: "
            "resample the mask to the map's grid first."
        )
    if isinstance(mask, Masking):
        return mask
    return Masking(array, f"inside a mask of {np.count_nonzero(array):,} voxels")


def region_masking(
    region: Mask, region_grid: Grid, grid: Grid, *, what: str, exclusive: bool
) -> Masking:
    """Make a mask of a region on whatever grid.

    Parameters
    ----------
    region : ndarray of bool, shape (i, j, k)
        True in the region.
    region_grid : Grid
        Its grid, of any voxel size and extent, in the same space.
    grid : Grid
        That of the map.
    what : str
        The region in words.
    exclusive : bool
        Look outside the region.

    Returns
    -------
    Masking
        By the voxel of the region that is nearest to the center of each of the map's.

    Raises
    ------
    ResultsError
        When no voxel of the map is left.
    """
    inside = resample_nearest(region, region_grid, grid)
    mask = ~inside if exclusive else inside
    word = "outside" if exclusive else "inside"
    if not mask.any():
        raise ResultsError(f"No voxel of the map is {word} {what}: nothing is left.")
    return Masking(mask, f"{word} {what}")


def resample_nearest(
    voxels: npt.NDArray[Number], source: Grid, target: Grid
) -> npt.NDArray[Number]:
    """Resample to another axis-aligned grid by the nearest voxel.

    Parameters
    ----------
    voxels : ndarray, shape (i, j, k)
        On the source grid.
    source, target : Grid
        Both in the same space, in mm.

    Returns
    -------
    ndarray, shape (l, m, n)
        0 where the source does not reach. Half-way the higher index is nearest, as in
        scipy.ndimage.
    """
    if source.same_as(target):
        return voxels
    # One axis after the other, and transposed, so that memory is read in order.
    values, box = voxels.T, filled_box(voxels)
    reached: list[slice] = []
    for axis in range(3):
        mm = target.origin[axis] + target.voxel_size[axis] * np.arange(
            target.shape[axis]
        )
        index = (mm - source.origin[axis]) / source.voxel_size[axis]
        # Half-way is not decided by the last bit of an affine.
        nearest = np.floor(index + 0.5 + 1e-6).astype(np.intp)
        low, high = box[axis]
        there = np.flatnonzero((nearest >= low) & (nearest <= high))
        # Both grids ascend: what is reached is one stretch.
        start = int(there[0]) if there.size else 0
        reached.append(slice(start, start + there.size))
        values = values.take(nearest[reached[-1]], axis=2 - axis)
    return paste_part(values.T, reached, target)


def paste_part(
    values: npt.NDArray[Number], parts: list[slice], target: Grid
) -> npt.NDArray[Number]:
    """Put the part of a grid that has values where it belongs.

    Parameters
    ----------
    values : ndarray, shape (l, m, n)
        The part.
    parts : list of slice
        Where it is along each axis.

    Returns
    -------
    ndarray, shape (i, j, k)
        0 elsewhere; in Fortran order.
    """
    if values.shape == target.shape:
        return values
    whole = np.zeros(target.shape, values.dtype, order="F")
    whole[tuple(parts)] = values
    return whole


def filled_box(voxels: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Return the first and the last index along each axis of what is not 0.

    Parameters
    ----------
    voxels : ndarray, shape (i, j, k)
        NaN is not 0.

    Returns
    -------
    list of (int, int)
        (0, -1) where everything is 0.
    """
    filled = voxels if voxels.dtype == np.bool_ else voxels != 0
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        where = np.flatnonzero(filled.any(axis=others))
        box.append((int(where[0]), int(where[-1])) if where.size else (0, -1))
    return box


def without_fractions(voxels: Voxels, name: str) -> tuple[Voxels, str]:
    """Make whole numbers of an image that says by them what is inside.

    Parameters
    ----------
    voxels : ndarray of float32, shape (i, j, k)
        A mask or labels; NaN is outside.
    name : str
        What to call it in messages.

    Returns
    -------
    voxels : ndarray of float32, shape (i, j, k)
        Whole numbers only, 0 outside.
    told : str
        What had to be rounded; empty when nothing had.

    Raises
    ------
    ResultsError
        When there are fractions that are not those of a mask of 0 and 1 that was
        resampled.
    """
    # NaN is outside, as everywhere.
    values = np.nan_to_num(voxels)
    whole = np.rint(values)
    off = np.abs(values - whole)
    if off.max(initial=0) <= _ROUNDING:
        noise = int(np.count_nonzero((values != 0) & (whole == 0)))
        told = f"{noise:,} voxels of noise below .001 taken for 0" if noise else ""
        return whole, told
    if _is_resampled_mask(values):
        inside = values > 0.5
        return inside.astype(np.float32), "resampled: inside is above .5"
    fractions = int(np.count_nonzero(off > _ROUNDING))
    raise ResultsError(
        f"{name} holds fractions such as {values.flat[int(off.argmax())]:.3g} "
        f"({fractions:,} voxels): it is a map of numbers, not a mask, and FDR and "
        "Bonferroni would count each of them. If it was resampled, resample it again "
        "with the nearest neighbor; else write a mask of 0 and 1 first. For another "
        f"map of the same result above a p, choose that map instead of "
        f"{name}."
    )


def _is_resampled_mask(values: npt.NDArray[np.float32]) -> bool:
    """Whether numbers are those of a mask of 0 and 1 whose edge was interpolated."""
    from scipy.ndimage import binary_dilation, binary_erosion

    if values.min() < -_OVERSHOOT or not 1 - _FLAT <= values.max() <= 1 + _OVERSHOOT:
        return False
    inside = values > 0.5
    between = (values > _FLAT) & (values < 1 - _FLAT)
    if np.count_nonzero(between) > np.count_nonzero(inside):
        return False
    # Border voxels count as inside: a mask may end where the volume does.
    deep = binary_erosion(inside, iterations=_EDGE, border_value=1)
    far = ~binary_dilation(inside, iterations=_EDGE)
    if not deep.any():
        return False
    flat_in = np.abs(values[deep] - 1) <= _FLAT
    flat_out = np.abs(values[far]) <= _FLAT
    return bool(
        flat_in.mean() >= _LEAST_FLAT
        and (not flat_out.size or flat_out.mean() >= _LEAST_FLAT)
    )
