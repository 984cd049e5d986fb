"""The points of a layer in a plane: where, how large, and in which colors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.viewer.ortho.geometry import PlaceZYX, Window
from napari_neurosynth_results.viewer.ortho.layer_transform import LayerTransform

#: napari draws what lies half a unit of the data to both sides of the slice.
_HALF = 0.5


@dataclass(frozen=True)
class Discs:
    """Points to paint, the last one on top.

    Attributes
    ----------
    rows, columns : array of shape (n,)
        Middles, pixels.
    diameters, borders : array of shape (n,)
        Of the disc, and of the line about it, half of which lies outside; pixels.
    faces, lines : array of shape (n, 4)
        Red, green, blue and alpha, 0 to 1.
    symbols : tuple of str
        As napari calls them.
    additive : bool
        Whether colors are added to what lies below.
    """

    rows: Float64Array
    columns: Float64Array
    diameters: Float64Array
    borders: Float64Array
    faces: Float64Array
    lines: Float64Array
    symbols: tuple[str, ...]
    additive: bool

    def __len__(self) -> int:
        return len(self.rows)


def find_discs(
    layer: Any,
    placement: LayerTransform,
    window: Window,
    place: PlaceZYX,
    margins: tuple[Float64Array, Float64Array],
) -> Discs:
    """Find the points that a plane shows.

    Parameters
    ----------
    placement : LayerTransform
        Where it lies.
    place : tuple of float
        z, y and x of the slices, mm.
    margins : tuple of array of shape (n,)
        How far the viewer looks to both sides along each axis of the layer, mm.

    Returns
    -------
    Discs
        Those of points in the slab, shrunk with their distance where the layer wants
        that, inside of the window.
    """
    data = np.asarray(layer.data, float)
    displayed = [axis - 3 + layer.ndim for axis in window.axes[1:]]
    across = [axis for axis in range(layer.ndim) if axis not in displayed]
    here = placement.origin + placement.matrix @ np.array(place)
    away = data[:, across] - here[across]
    low, high = _slab(layer, placement, margins)
    low, high = low[across], high[across]
    kept = ((away >= -low) & (away <= high)).all(axis=1)
    kept &= np.asarray(layer.shown, bool)
    (which,) = np.nonzero(kept)
    sizes, which = _sizes(layer, away, low, high, which)
    # The way back to mm goes through the last three axes.
    mm = (data[which, -3:] - placement.origin[-3:]) @ np.linalg.inv(
        placement.matrix[-3:]
    ).T
    down, along = window.pixels_of(mm)
    # napari takes the last axis for the size as well.
    pixels = window.field.scale / np.linalg.norm(placement.matrix[-1])
    diameters = np.clip(sizes * pixels, *layer.canvas_size_limits)
    widths = np.asarray(layer.border_width, float)[which]
    relative = layer.border_width_is_relative
    borders = widths * diameters if relative else np.minimum(widths * pixels, diameters)
    reach = diameters / 2 + borders
    seen = (down > -reach) & (down < window.rows + reach)
    seen &= (along > -reach) & (along < window.columns + reach) & (diameters > 0)
    which = which[seen]
    symbols = np.asarray(layer.symbol)[which]
    return Discs(
        rows=down[seen],
        columns=along[seen],
        diameters=diameters[seen],
        borders=borders[seen],
        faces=_faded(layer.face_color[which], layer.opacity),
        lines=_faded(layer.border_color[which], layer.opacity),
        symbols=tuple(str(symbol) for symbol in symbols),
        additive=layer.blending == "additive",
    )


def _slab(
    layer: Any, placement: LayerTransform, margins: tuple[Float64Array, Float64Array]
) -> tuple[Float64Array, Float64Array]:
    """Return how far the slice reaches to both sides, in units of the data."""
    n = layer.ndim
    # Axes that are none of space keep their own scale.
    scale = np.abs(np.asarray(layer.scale, float))
    scale[-3:] = 1 / np.linalg.norm(placement.matrix[-3:], axis=1)
    if str(layer.projection_mode) == "none":
        return np.full(n, _HALF), np.full(n, _HALF)
    low, high = (np.asarray(margin, float)[-n:] / scale for margin in margins)
    thin = np.isclose(low + high, 0)
    return np.where(thin, _HALF, low), np.where(thin, _HALF, high)


def _sizes(
    layer: Any,
    away: Float64Array,
    low: Float64Array,
    high: Float64Array,
    which: npt.NDArray[np.intp],
) -> tuple[Float64Array, npt.NDArray[np.intp]]:
    """Shrink points with their distance; those that shrink to nothing are left out."""
    sizes = np.asarray(layer.size, float)[which]
    far = away[which]
    mode = str(layer.projection_mode)
    if mode == "rescale_linear":
        ends = np.where(far < 0, low, high)
        return sizes * np.prod(1 - np.abs(far) / ends, axis=1), which
    if mode == "rescale_spherical":
        radius = sizes[:, None] / 2
        cut = (np.abs(far) < radius).all(axis=1)
        share = np.abs(far[cut]) / radius[cut]
        depth = 1 - np.prod(1 - share, axis=1)
        return sizes[cut] * np.sqrt(1 - depth**2), which[cut]
    return sizes, which


def _faded(colors: npt.NDArray[Any], opacity: float) -> Float64Array:
    faded = np.array(colors, float)
    faded[:, 3] *= opacity
    return faded
