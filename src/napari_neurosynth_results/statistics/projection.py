"""What of a map is seen when one looks through the whole brain along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


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
