"""The numbers at the crosshair: what each volume says of one place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from napari_neurosynth_results.viewer.ortho.geometry import Place
from napari_neurosynth_results.viewer.ortho.picture import Drawable, is_volume

#: The feature that says in words what a label is.
_WORDS = ("cluster", "region", "name", "label")


def values_at(what: Drawable, place: Place) -> list[tuple[str, str]]:
    """Read the visible volumes at a place.

    Parameters
    ----------
    what : Drawable
        The layers.
    place : tuple of float
        z, y and x, mm.

    Returns
    -------
    list of (str, str)
        Name and value, the topmost layer first; volumes that do not reach there, points
        and colors are left out.
    """
    found = []
    for layer, placement in reversed(what.layers):
        if not is_volume(layer) or getattr(layer, "rgb", False):
            continue
        data = layer.data[0] if layer.multiscale else layer.data
        voxel = placement.voxel_at(place)
        if not all(0 <= at < size for at, size in zip(voxel, data.shape, strict=True)):
            continue
        # A layer whose data cannot be read is named below the planes already.
        with suppress(Exception):
            found.append((layer.name, _in_words(layer, np.asarray(data[voxel]).item())))
    return found


def _in_words(layer: Any, value: float) -> str:
    if hasattr(layer, "contrast_limits"):
        return f"{value:.4g}"
    if value == layer.colormap.background_value:
        return "none"
    features = layer.features
    column = next((name for name in _WORDS if name in features), None)
    if column is None or not 0 <= value < len(features):
        return str(value)
    return f"{value}: {features[column].iloc[int(value)]}"
