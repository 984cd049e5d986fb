"""The shadow that the brain casts along an axis: what a glass brain is drawn on."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.template import read_brain_mask

Picture = npt.NDArray[np.float32]

#: Half the width of the line around the brain, mm.
_LINE_MM = 1.1
#: Pixels around the template's grid, and how far the edge is from beyond them.
_RIM = 4
_FAR_MM = 100.0
#: How bright the thickest part of the brain is, beside a line of 1.
_THICKEST = 0.22


def silhouette(axis: int, across: npt.ArrayLike, up: npt.ArrayLike) -> Picture:
    """Draw the brain as seen along an axis: a line around it, and a faint inside.

    Parameters
    ----------
    axis : {0, 1, 2}
        The axis x, y or z that one looks along.
    across, up : array_like, shape (n,) and (m,)
        Where the pixels are along the other two axes, in this order, in MNI mm.

    Returns
    -------
    ndarray of float32, shape (n, m)
        From 0 to 1; 0 outside of the brain. The inside is the brighter, the more brain
        there is along the axis.
    """
    from scipy.ndimage import map_coordinates

    distance, thickness = _shadow(axis)
    _, grid = read_brain_mask()
    first, second = (other for other in range(3) if other != axis)
    places = np.meshgrid(
        (np.asarray(across) - grid.origin[first]) / grid.voxel_size[first] + _RIM,
        (np.asarray(up) - grid.origin[second]) / grid.voxel_size[second] + _RIM,
        indexing="ij",
    )
    away = map_coordinates(distance, places, order=1, cval=-_FAR_MM)
    depth = map_coordinates(thickness, places, order=1, cval=0)
    line = np.exp(-((away / _LINE_MM) ** 2))
    return np.asarray(np.maximum(line, _THICKEST * depth), np.float32)


@cache
def _shadow(axis: int) -> tuple[Picture, Picture]:
    """Return how far each pixel lies from the edge, mm, and how much brain it has."""
    from scipy.ndimage import distance_transform_edt as distance_to

    mask, grid = read_brain_mask()
    # The template is cut off below: a line closes the brain there as well.
    mask = np.pad(mask, _RIM)
    shadow = np.asarray(mask.any(axis=axis))
    inside, outside = distance_to(shadow), distance_to(~shadow)
    # The edge runs between two pixels.
    pixels = np.where(shadow, inside - 0.5, 0.5 - outside)
    thickness = mask.sum(axis=axis, dtype=np.float32)
    mm = (pixels * grid.voxel_size[0]).astype(np.float32)
    return mm, np.asarray(thickness / thickness.max(), np.float32)


# What of a map is seen when one looks through the whole brain along an axis.


def strongest_along(
    values: npt.NDArray[np.float32],
    kept: npt.NDArray[Any],
    axis: int,
    *,
    small_is_strong: bool = False,
) -> npt.NDArray[np.float32]:
    """Keep the strongest value on each line through a volume.

    Parameters
    ----------
    values : ndarray, shape (i, j, k)
        A map.
    kept : ndarray, shape (i, j, k)
        Not 0 where the map is above its threshold.
    axis : {0, 1, 2}
        Along x, y or z.
    small_is_strong : bool
        For maps of p.

    Returns
    -------
    ndarray of float32
        With one axis less. Values are as in the map, with their sign: of -6 and 4 the
        stronger is -6. NaN where nothing on the line is above the threshold.

    Examples
    --------
    >>> values = np.array([[[4, -6, 9]]], np.float32)
    >>> strongest_along(values, np.array([[[1, 1, 0]]]), 2)
    array([[-6.]], dtype=float32)
    """
    strength = -values if small_is_strong else np.abs(values)
    strength = np.where((kept != 0) & np.isfinite(values), strength, -np.inf)
    where = np.expand_dims(strength.argmax(axis), axis)
    found = np.take_along_axis(values, where, axis)
    nothing = np.isneginf(np.take_along_axis(strength, where, axis))
    return np.where(nothing, np.nan, found).squeeze(axis).astype(np.float32)
