"""The glass brain: what is seen when one looks through the whole brain along an axis.

The strongest value on each line of sight, and the brain around it: softly shaded for
the screen, in lines of ink for paper.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.template import read_brain_mask
from napari_neurosynth_results.arrays import (
    BoolArray,
    Float32Array,
    Float64Array,
)

#: Half the width of the line around the brain, mm.
_LINE_MM = 1.1
#: Pixels around the template's grid, and how far the edge is from beyond them.
_RIM = 4
_FAR_MM = 100.0
#: How bright the thickest part of the brain is, beside a line of 1.
_THICKEST = 0.22
#: On paper: thickness, as shares of the most, at which a line is drawn and where the
#: brain begins.
_LEVELS = (0.25, 0.5, 0.75)
_EDGE = 0.02
#: How much ink contours, outline and the inside have, and how soft they are, pixels.
_FAINT, _STRONG, _FILL = 0.16, 0.75, 0.05
_SOFT = 3


def strongest_along(
    values: Float32Array,
    kept: npt.NDArray[Any],
    axis: int,
    *,
    small_is_strong: bool = False,
) -> Float32Array:
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


def thickness_along(brain: BoolArray, axis: int) -> Float64Array:
    """Count the voxels of a brain on each line along an axis.

    Parameters
    ----------
    brain : ndarray of bool, shape (i, j, k)
        True inside.
    axis : {0, 1, 2}
        Along x, y or z.

    Returns
    -------
    ndarray
        With one axis less.
    """
    return np.asarray(brain.sum(axis=axis), np.float64)


def silhouette(axis: int, across: npt.ArrayLike, up: npt.ArrayLike) -> Float32Array:
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
def _shadow(axis: int) -> tuple[Float32Array, Float32Array]:
    """Return how far each pixel lies from the edge, mm, and how much brain it has."""
    from scipy.ndimage import distance_transform_edt as distance_to

    mask, grid = read_brain_mask()
    # The template is cut off below: a line closes the brain there as well.
    mask = np.pad(mask, _RIM)
    shadow = np.asarray(mask.any(axis=axis))
    inside, outside = distance_to(shadow), distance_to(~shadow)
    # The edge runs between two pixels.
    pixels = np.where(shadow, inside - 0.5, 0.5 - outside)
    thickness = thickness_along(mask, axis).astype(np.float32)
    mm = (pixels * grid.voxel_size[0]).astype(np.float32)
    return mm, np.asarray(thickness / thickness.max(), np.float32)


def engraving(thickness: Float64Array) -> Float64Array:
    """Draw the brain in lines: its outline, and faint contours of its thickness.

    Parameters
    ----------
    thickness : ndarray, shape (rows, columns)
        How much brain each pixel has behind it, in any unit.

    Returns
    -------
    ndarray, shape (rows, columns)
        How much ink there is, 0 to 1.
    """
    from scipy.ndimage import binary_dilation, gaussian_filter

    ink = np.zeros(thickness.shape)
    soft = gaussian_filter(thickness, _SOFT)
    for level in _LEVELS:
        inside = soft > level * soft.max()
        ink[binary_dilation(inside) & ~inside] = _FAINT
    inside = soft > _EDGE * soft.max()
    ink[inside] = np.maximum(ink[inside], _FILL)
    ink[binary_dilation(inside, iterations=2) & ~inside] = _STRONG
    return ink
