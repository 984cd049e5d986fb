"""Figures as tests look at them: pixels, panels, colors and texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ClusterSet, ResultSet

Opened = Callable[..., ResultSet]

#: 4 mm voxels whose middles are on no voxel of the template.
SHAPE = (45, 54, 45)
AFFINE = np.diag([4.0, 4, 4, 1])
AFFINE[:3, 3] = -89, -127, -71
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


def found_at(
    opened: Opened, *places: tuple[float, float, float, float], **asked: Any
) -> ClusterSet:
    """Find the clusters of a z map that has 3 x 3 x 3 voxels at some places."""
    values = np.zeros(SHAPE, np.float32)
    for x, y, z, value in places:
        i, j, k = np.rint((np.array([x, y, z]) - AFFINE[:3, 3]) / 4).astype(int)
        values[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2] = value
    values[:2] = np.nan
    results = opened({"contrast_z": values}, affine=AFFINE)
    return nnr.find_clusters(results["contrast_z"], **{"value": 3, **asked})


def pixels(figure: Any, dpi: float = 150) -> np.ndarray:
    """Draw a figure; red, green and blue, 0 to 255."""
    figure.set_dpi(dpi)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[:, :, :3].astype(int)


def panels(figure: Any) -> list[np.ndarray]:
    """Return the pictures of a figure as they were drawn, without the bar."""
    found = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    return [np.asarray(one) for one in found if one.shape[0] > 1]


def warm(picture: np.ndarray) -> np.ndarray:
    red, _, blue = np.moveaxis(picture / max(1, picture.max()), -1, 0)
    return red - blue > 0.3


def cold(picture: np.ndarray) -> np.ndarray:
    red, _, blue = np.moveaxis(picture / max(1, picture.max()), -1, 0)
    return blue - red > 0.3


def middle(found: np.ndarray) -> tuple[float, float]:
    """Return where something is: shares of the width and of the height from below."""
    rows, columns = np.nonzero(found)
    height, width = found.shape
    return (columns.mean() + 0.5) / width, 1 - (rows.mean() + 0.5) / height


def texts(figure: Any) -> list[str]:
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [text.get_text() for text in figure.texts] + inside
