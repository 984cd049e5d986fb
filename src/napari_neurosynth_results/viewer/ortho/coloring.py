"""The colors of voxels, as napari's layers say them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_neurosynth_results.viewer.ortho.blending import Colors

#: As many entries as the table that graphics cards look colors up in.
_TABLE = 1024


def image_colors(layer: Any, values: npt.NDArray[Any]) -> Colors:
    """Color the values of an image.

    Parameters
    ----------
    layer : Image
        Gives colormap, contrast limits, gamma and opacity.
    values : array
        Of any shape; for RGB with 3 or 4 channels as the last axis.

    Returns
    -------
    array of float32
        Red, green, blue and alpha as the last axis.
    """
    if layer.rgb:
        return _with_alpha(_channels(values), layer.opacity)
    low, high = (np.float32(limit) for limit in layer.contrast_limits)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = (values.astype(np.float32) - low) / (high - low)
    shown = np.nan_to_num(share, nan=0.0, posinf=2.0, neginf=-1.0)
    if layer.gamma != 1:
        shown = np.sign(shown) * np.abs(shown) ** np.float32(layer.gamma)
    entries = np.floor(np.clip(shown, 0, 1) * _TABLE).astype(np.int16)
    colormap = layer.colormap
    colors = _table(colormap)[np.minimum(entries, _TABLE - 1)]
    if colormap.high_color is not None:
        colors[shown >= 1] = colormap.high_color
    if colormap.low_color is not None:
        colors[shown <= 0] = colormap.low_color
    # A difference of limits that is 0 makes no number of its own.
    colors[np.isnan(values)] = colormap.nan_color
    return _with_alpha(colors, layer.opacity)


def _table(colormap: Any) -> Colors:
    middles = (np.arange(_TABLE) + 0.5) / _TABLE
    table: Colors = np.asarray(colormap.map(middles), np.float32)
    return table


def _channels(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind in "ui":
        values = values / np.float32(np.iinfo(values.dtype).max)
    values = np.clip(values.astype(np.float32), 0, 1)
    if values.shape[-1] == 3:
        values = np.concatenate([values, np.ones_like(values[..., :1])], axis=-1)
    return values


def label_colors(layer: Any, labels: npt.NDArray[Any]) -> Colors:
    """Color the labels of a slice.

    Parameters
    ----------
    layer : Labels
        Gives colormap, contour, opacity, and which label is shown alone.
    labels : array of int, of shape (m, n)
        All of the slice: contours depend on the neighbors.

    Returns
    -------
    array of float32 of shape (m, n, 4)
        The background is transparent.
    """
    if layer.contour:
        labels = _outlined(labels, int(layer.contour), layer.colormap.background_value)
    colors = np.array(layer.colormap.map(labels), np.float32)
    return _with_alpha(colors, layer.opacity)


def _outlined(
    labels: npt.NDArray[Any], thickness: int, background: int
) -> npt.NDArray[Any]:
    """Keep labels where another one is near: inside within the thickness, outside 1."""
    near = ndimage.generate_binary_structure(2, 1)
    far = ndimage.iterate_structure(near, thickness)
    least = ndimage.minimum_filter(labels, footprint=far)
    most = ndimage.maximum_filter(labels, footprint=near)
    return np.where(least == most, labels.dtype.type(background), labels)


def _with_alpha(colors: npt.NDArray[Any], opacity: float) -> Colors:
    colors[..., 3] *= np.float32(opacity)
    return colors
