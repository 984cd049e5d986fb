"""Sheets of color on top of each other, blended as napari blends its layers.

Voxels are mostly larger than pixels. Rows and columns of pixels that show the same
voxels of every sheet are blended once, and repeated in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import IndexArray
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
