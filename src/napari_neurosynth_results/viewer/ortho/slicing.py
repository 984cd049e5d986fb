"""The slice of a volume in the colors of its layer, and slices blended as by napari.

Voxels are mostly larger than pixels. Rows and columns of pixels that show the same
voxels of every sheet are blended once, and repeated in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_neurosynth_results.arrays import IndexArray
from napari_neurosynth_results.viewer.clusters.outlines import Outlines, outlines_in
from napari_neurosynth_results.viewer.napari_private import COLOR_TABLE
from napari_neurosynth_results.viewer.ortho.geometry import (
    LayerTransform,
    NotShownError,
    PlaceZYX,
    Window,
)
from napari_neurosynth_results.viewer.palette import Colors


@dataclass(frozen=True)
class Sheet:
    """The slice of one layer, in color.

    Attributes
    ----------
    colors : array of shape (m, n, 4)
        Red, green, blue and alpha, 0 to 1, one for each voxel.
    top, left : int
        The first pixel that it covers.
    rows, columns : array of int
        Which voxel each pixel from there on shows.
    blending : str
        As napari calls it.
    first : bool
        Whether nothing lies below: napari blends it with the canvas then.
    inside : array of bool of shape (m, n), optional
        Where it has voxels, for one that does not cover a rectangle.
    """

    colors: Colors
    top: int
    left: int
    rows: IndexArray
    columns: IndexArray
    blending: str
    first: bool
    inside: npt.NDArray[np.bool_] | None = None


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
    entries = np.floor(np.clip(shown, 0, 1) * COLOR_TABLE).astype(np.int16)
    colormap = layer.colormap
    colors = _table(colormap)[np.minimum(entries, COLOR_TABLE - 1)]
    if colormap.high_color is not None:
        colors[shown >= 1] = colormap.high_color
    if colormap.low_color is not None:
        colors[shown <= 0] = colormap.low_color
    # A difference of limits that is 0 makes no number of its own.
    colors[np.isnan(values)] = colormap.nan_color
    return _with_alpha(colors, layer.opacity)


def _table(colormap: Any) -> Colors:
    middles = (np.arange(COLOR_TABLE) + 0.5) / COLOR_TABLE
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


def cut_sheet(
    layer: Any,
    placement: LayerTransform,
    window: Window,
    place: PlaceZYX,
    *,
    first: bool,
) -> Sheet | None:
    """Cut a volume and color the slice.

    Parameters
    ----------
    placement : LayerTransform
        Where it lies.
    place : tuple of float
        z, y and x of the slices, mm.
    first : bool
        Whether no other layer is visible below it.

    Returns
    -------
    Sheet or None
        None where the plane does not meet the volume.
    """
    if (outlines := outlines_in(layer)) is not None:
        data, placement = _turned_to(outlines, placement, window.axes[0])
    else:
        data, placement = _level(layer, placement, window.field.scale)
    color = _colors_of(layer)
    if not placement.straight:
        return _turned(layer, data, color, placement, window, place, first)
    axis, vertical, horizontal = (axis - 3 for axis in window.axes)
    n = len(placement.origin)
    sliced = list(placement.origin)
    sliced[axis] = placement.along(axis, place[axis])
    # Along the other two axes all voxels are taken.
    wanted: list[Any] = list(map(_nearest, sliced))
    for other, at in enumerate(wanted):
        if other - n not in (vertical, horizontal) and not 0 <= at < data.shape[other]:
            return None
    wanted[vertical] = wanted[horizontal] = slice(None)
    voxels: npt.NDArray[Any] = np.asarray(data[tuple(wanted)])
    down, across = window.millimeters()
    rows = placement.along(vertical, down)
    columns = placement.along(horizontal, across)
    top, rows = _within(rows, voxels.shape[0])
    left, columns = _within(columns, voxels.shape[1])
    if not (len(rows) and len(columns)):
        return None
    if _is_smooth(layer):
        voxels = _between(_between(voxels, rows, 0), columns, 1)
        nearest = np.arange(len(rows)), np.arange(len(columns))
    else:
        nearest = _nearest(rows), _nearest(columns)
    colors = color(layer, voxels)
    return Sheet(colors, top, left, *nearest, layer.blending, first)


def _colors_of(
    layer: Any,
) -> Callable[[Any, npt.NDArray[Any]], npt.NDArray[np.float32]]:
    return image_colors if hasattr(layer, "contrast_limits") else label_colors


def _is_smooth(layer: Any) -> bool:
    """Whether an image is interpolated; all ways of napari are drawn as linear."""
    return _colors_of(layer) is image_colors and layer.interpolation2d != "nearest"


def _level(
    layer: Any, placement: LayerTransform, scale: float
) -> tuple[Any, LayerTransform]:
    """Choose the coarsest data that are at least as fine as the screen."""
    if not layer.multiscale:
        return layer.data, placement
    full = np.array(layer.data[0].shape[: layer.ndim])
    chosen = layer.data[0], placement
    for data in layer.data[1:]:
        factor = full / np.array(data.shape[: layer.ndim])
        coarse = LayerTransform(
            placement.matrix / factor[:, None],
            # Voxels meet at their edges, not at their middles.
            (placement.origin + 0.5) / factor - 0.5,
        )
        if np.abs(coarse.matrix[-3:]).max() < scale:
            break
        chosen = data, coarse
    return chosen


def _turned_to(
    outlines: Outlines, placement: LayerTransform, axis: int
) -> tuple[Outlines, LayerTransform]:
    """Draw outlines for another plane than that of the canvas."""
    turned = outlines.along(axis % 3)
    finer = np.array(turned.parts)
    # Parts of voxels meet at their edges, not at their middles.
    origin = (placement.origin + 0.5) * finer - 0.5
    return turned, LayerTransform(placement.matrix * finer[:, None], origin)


def _nearest(coordinates: npt.ArrayLike) -> Any:
    return np.rint(coordinates).astype(np.intp)


def _within(
    coordinates: npt.NDArray[np.float64], size: int
) -> tuple[int, npt.NDArray[np.float64]]:
    """Return the pixels that show voxels: the first one, and their coordinates."""
    there = np.flatnonzero((coordinates >= -0.5) & (coordinates < size - 0.5))
    if not len(there):
        return 0, coordinates[:0]
    # A middle of two voxels at the edge belongs to the one that exists.
    inside = np.clip(coordinates[there], -0.499, size - 0.501)
    return int(there[0]), inside


def _between(
    voxels: npt.NDArray[Any], coordinates: npt.NDArray[np.float64], axis: int
) -> npt.NDArray[np.float32]:
    """Interpolate along an axis; the outermost voxels reach to their edges."""
    inside = np.clip(coordinates, 0, voxels.shape[axis] - 1)
    before: IndexArray = np.floor(inside).astype(np.intp)
    after = np.minimum(before + 1, voxels.shape[axis] - 1)
    shape = [1] * voxels.ndim
    shape[axis] = -1
    share = (inside - before).astype(np.float32).reshape(shape)
    one = np.take(voxels, before, axis).astype(np.float32)
    other = np.take(voxels, after, axis).astype(np.float32)
    mixed: npt.NDArray[np.float32] = one * (1 - share) + other * share
    return mixed


def _turned(
    layer: Any,
    data: Any,
    color: Callable[[Any, npt.NDArray[Any]], npt.NDArray[np.float32]],
    placement: LayerTransform,
    window: Window,
    place: PlaceZYX,
    first: bool,
) -> Sheet | None:
    """Look up a voxel for each pixel of a volume that does not lie straight."""
    if not isinstance(data, np.ndarray):
        raise NotShownError("turned, and not in memory")
    down, across = window.millimeters()
    axis, vertical, horizontal = window.axes
    matrix, shape = placement.matrix, data.shape[: layer.ndim]
    origin = placement.origin + matrix[:, axis] * place[axis]
    coordinates = (
        origin[:, None, None]
        + matrix[:, vertical, None, None] * down[:, None]
        + matrix[:, horizontal, None, None] * across
    )
    indices = _nearest(coordinates)
    sizes = np.array(shape)[:, None, None]
    inside = ((indices >= 0) & (indices < sizes)).all(axis=0)
    if not inside.any():
        return None
    indices = np.clip(indices, 0, sizes - 1)
    voxels = data[tuple(indices)]
    everywhere = np.arange(window.rows), np.arange(window.columns)
    colors = color(layer, voxels)
    return Sheet(colors, 0, 0, *everywhere, layer.blending, first, inside)


# Sheets of color on top of each other.


def blend(
    sheets: Sequence[Sheet], below: npt.NDArray[np.uint8], *, fresh: bool
) -> None:
    """Blend sheets onto a picture.

    Parameters
    ----------
    sheets : sequence of Sheet
        From bottom to top.
    below : array of uint8 of shape (rows, columns, 4)
        The picture, which is changed: red, green, blue, and 255.
    fresh : bool
        Whether the picture is still black everywhere.
    """
    if not sheets:
        return
    rows = _runs([(one.top, one.rows) for one in sheets], below.shape[0])
    columns = _runs([(one.left, one.columns) for one in sheets], below.shape[1])
    if not fresh:
        # What is there already may differ in each pixel.
        rows, columns = (np.arange(n) for n in below.shape[:2])
    small = below[np.ix_(rows, columns)]
    canvas = small[..., :3].astype(np.float32)
    canvas /= np.float32(255)
    for sheet in sheets:
        _blend_one(sheet, canvas, rows, columns)
    small[..., :3] = np.rint(canvas * 255)
    high = np.diff(rows, append=below.shape[0])
    wide = np.diff(columns, append=below.shape[1])
    # The four bytes of a pixel are moved as one.
    whole = small.view(np.uint32)[..., 0]
    below.view(np.uint32)[..., 0] = whole.repeat(wide, axis=1).repeat(high, axis=0)


def _runs(parts: list[tuple[int, IndexArray]], size: int) -> IndexArray:
    """Return where runs of pixels start that show the same voxels of all sheets."""
    starts = np.zeros(size + 1, bool)
    starts[0] = True
    for first, indices in parts:
        starts[first] = True
        starts[first + 1 : first + len(indices)] |= np.diff(indices) != 0
        starts[first + len(indices)] = True
    return np.flatnonzero(starts[:size])


def _blend_one(
    sheet: Sheet, canvas: Colors, rows: IndexArray, columns: IndexArray
) -> None:
    top, bottom = np.searchsorted(rows, (sheet.top, sheet.top + len(sheet.rows)))
    left, right = np.searchsorted(
        columns, (sheet.left, sheet.left + len(sheet.columns))
    )
    if top >= bottom or left >= right:
        return
    which = np.ix_(
        sheet.rows[rows[top:bottom] - sheet.top],
        sheet.columns[columns[left:right] - sheet.left],
    )
    source = sheet.colors[which]
    target = canvas[top:bottom, left:right]
    mixed = _mixed(source, target, sheet.blending, sheet.first)
    if sheet.inside is not None:
        mixed = np.where(sheet.inside[which][..., None], mixed, target)
    target[...] = np.clip(mixed, 0, 1)


def _mixed(source: Colors, target: Colors, blending: str, first: bool) -> Colors:
    """Mix two colors; the canvas is black and opaque."""
    color, alpha = source[..., :3], source[..., 3:]
    if blending == "minimum":
        return color if first else np.minimum(color, target)
    if blending == "additive":
        return color * alpha + (0 if first else target)
    if blending == "multiplicative" and not first:
        return color * target
    if blending == "opaque" and not first:
        return color
    return target + (color - target) * alpha
