"""From millimeters to the voxels of a layer, whatever its transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


class NotShownError(Exception):
    """A layer cannot be drawn; the text says why."""


@dataclass(frozen=True)
class LayerTransform:
    """How the axes of a layer's data depend on z, y and x.

    Attributes
    ----------
    matrix : array of shape (n, 3)
        Data coordinates per mm along z, y and x, for each axis of the data.
    origin : array of shape (n,)
        Data coordinates of 0, 0, 0 at the current place along further axes.
    """

    matrix: npt.NDArray[np.float64]
    origin: npt.NDArray[np.float64]

    @property
    def straight(self) -> bool:
        """Whether the last three axes of the data are z, y and x."""
        within = np.abs(self.matrix[-3:] - np.diag(np.diag(self.matrix[-3:]))).max()
        leading = np.abs(self.matrix[:-3]).max(initial=0)
        return bool(max(within, leading) <= 1e-6 * np.abs(self.matrix).max())

    def along(self, axis: int, mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Convert mm along z, y or x (-3, -2, -1) where the data lie straight."""
        found: npt.NDArray[np.float64] = (
            np.asarray(mm) * self.matrix[axis, axis] + self.origin[axis]
        )
        return found

    def voxel_at(self, place: tuple[float, float, float]) -> tuple[int, ...]:
        """Return the indices of the voxel nearest to z, y and x; any may be outside."""
        return tuple(np.rint(self.origin + self.matrix @ np.array(place)).astype(int))


def slice_position(viewer: Any) -> tuple[float, float, float]:
    """Return z, y and x of the slices of a viewer, mm."""
    z, y, x = map(float, viewer.dims.point[-3:])
    return z, y, x


def find_transform(layer: Any, point: tuple[float, ...], units: Any) -> LayerTransform:
    """Find out how a layer lies in the world.

    Parameters
    ----------
    layer : Layer
        A layer with z, y and x as its last axes.
    point : tuple of float
        The viewer's place along all of its axes.
    units : tuple or None
        The viewer's units, None where it draws without.

    Returns
    -------
    LayerTransform
        Of the layer.

    Raises
    ------
    NotShownError
        When the layer is flat, or has no volume.
    """
    n = layer.ndim
    if n < 3:
        raise NotShownError("not a volume")
    factors = unit_factors(layer, units)
    origin = np.asarray(layer.data_to_world((0.0,) * n), float) * factors
    steps = [
        np.asarray(layer.data_to_world(tuple(step)), float) * factors - origin
        for step in np.eye(n)
    ]
    try:
        inverse = np.linalg.inv(np.column_stack(steps))
    except np.linalg.LinAlgError as error:
        raise NotShownError("its transform has no inverse") from error
    here = np.array([*point[-n:-3], 0.0, 0.0, 0.0])
    return LayerTransform(inverse[:, -3:], inverse @ (here - origin))


def unit_factors(layer: Any, units: Any) -> npt.NDArray[np.float64]:
    """Return how many units of the viewer one of the layer is, along its axes.

    Parameters
    ----------
    units : tuple or None
        The viewer's units: napari takes the finest one of all layers, and none at all
        where they cannot be compared.
    """
    if units is None:
        return np.ones(layer.ndim)
    wanted = units[-layer.ndim :]
    return np.array(
        [
            1.0 if mine == theirs else (1 * mine).to(theirs).magnitude
            for mine, theirs in zip(layer.units, wanted, strict=True)
        ]
    )


def unit_of(viewer: Any) -> str:
    """Return what the place of a viewer is counted in, as it is written."""
    units = viewer.dims.units
    # Without units, or with those that napari assumes, the place is taken for MNI.
    written = "mm" if units is None else f"{units[-1]:~}"
    return "mm" if written in ("px", "pixel") else written
