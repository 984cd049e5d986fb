"""The voxels above a threshold: which of them touch, and where their neighbors are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.statistics.runs import Ints, Step, components

Bools = npt.NDArray[np.bool_]

_SMALLEST = np.finfo(np.float32).tiny


class Above:
    """The voxels above the threshold, one after the other in memory order.

    Their neighbors are looked up in a box around them, in the order z, y, x and with a
    frame of one voxel, so that each neighbor is a plain offset into the flat box.

    Parameters
    ----------
    values : ndarray of float32, shape (i, j, k)
        Strength is their size.
    parts : ndarray of uint8 or uint16, shape (i, j, k)
        0 outside; voxels of different parts never share a cluster.
    small_is_strong : bool
        Strength is the reciprocal of the values.

    Attributes
    ----------
    where, at : ndarray of int
        Position of each voxel in the flat image (memory order) and in the flat box.
    strength : ndarray of float32
        Of each voxel.
    mixed : bool
        Whether there is more than one part.
    raw : ndarray of int
        Cluster of each voxel, from 1, numbered as they are met.
    sizes : ndarray of int
        Voxels of each cluster, by its number.
    found, strengths : ndarray
        The flat box: cluster and strength, 0 where no voxel is above.
    """

    def __init__(
        self,
        values: npt.NDArray[np.float32],
        parts: npt.NDArray[np.unsignedinteger],
        small_is_strong: bool,
    ) -> None:
        self.image = parts.shape
        flat = parts.ravel(order="F")
        plain = flat.dtype == np.uint8 and flat.max(initial=0) == 1
        where = (flat.view(np.bool_) if plain else flat != 0).nonzero()[0]
        self.part = flat.take(where)
        strength = values.ravel(order="F").take(where)
        if small_is_strong:
            strength = np.reciprocal(np.maximum(strength, _SMALLEST))
        np.abs(strength, out=strength)
        # What is in a cluster without a value is as weak as can be.
        self.strength = np.fmax(strength, _SMALLEST, out=strength)
        # Half of the memory, and dividing is several times as fast.
        self.where = where.astype(np.int32) if parts.size < 2**30 else where
        if where.size:
            self._measure()

    def ijk(self) -> npt.NDArray[Any]:
        """Return i, j and k of every voxel, shape (3, n)."""
        ijk = np.empty((3, self.where.size), self.where.dtype)
        i, row, k = ijk
        ni, nj = map(self.where.dtype.type, self.image[:2])
        np.floor_divide(self.where, ni, out=row)
        np.floor_divide(row, nj, out=k)
        np.subtract(self.where, row * ni, out=i)
        row -= k * nj
        return ijk

    def _measure(self) -> None:
        """Find the smallest box, and the place of each voxel in it."""
        i, j, k = ijk = self.ijk()
        low, high = ijk.min(axis=1), ijk.max(axis=1)
        self.edges = low == 0, high == np.array(self.image) - 1
        #: What the first voxel of the box, with its frame, is in the image.
        self.corner = low - 1
        nx, ny, nz = (high - low + 3).tolist()
        self.shape: Step = nz, ny, nx
        k *= ny
        k += j
        k *= nx
        k += i
        x, y, z = self.corner.tolist()
        k -= self.offset((z, y, x))
        self.at: Ints = k.astype(np.intp)

    def connect(self, connectivity: int) -> None:
        """Find which cluster each voxel belongs to, and fill the box."""
        self.mixed = bool(self.part.max() != self.part.min())
        raw = components(self.at, self.part, self.shape, connectivity)
        self.sizes = np.bincount(raw)
        self.raw = raw.astype(np.min_scalar_type(self.sizes.size - 1))
        self.found = np.zeros(math.prod(self.shape), self.raw.dtype)
        self.found[self.at] = raw
        self.strengths = np.zeros(self.found.size, np.float32)
        self.strengths[self.at] = self.strength

    def offset(self, step: Step) -> int:
        """Flat offset of a step along z, y, x."""
        z, y, x = step
        _, ny, nx = self.shape
        return (z * ny + y) * nx + x

    def beyond(self) -> Bools | None:
        """Mark what of the flat box lies outside the image; None when nothing does."""
        if not np.any(self.edges):
            return None
        outside = np.zeros(self.shape, bool)
        for axis, (at_start, at_end) in enumerate(zip(*self.edges, strict=True)):
            along = np.moveaxis(outside, 2 - axis, 0)
            along[0] |= at_start
            along[-1] |= at_end
        return outside.reshape(-1)

    def voxels(self, at: Ints) -> Ints:
        """Voxel indices i, j and k in the whole image, shape (3, n)."""
        z, y, x = np.unravel_index(at, self.shape)
        voxels: Ints = np.array((x, y, z))
        voxels += self.corner[:, np.newaxis]
        return voxels

    def c_index(self, voxels: Ints) -> Ints:
        """Position of voxels in C order of the image: what breaks all ties."""
        i, j, k = voxels
        position: Ints = (i * self.image[1] + j) * self.image[2] + k
        return position
