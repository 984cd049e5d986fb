"""Arrays by what they hold: names for the types that functions hand to each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Int32Array = npt.NDArray[np.int32]
#: Positions in other arrays.
IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SparseVolume:
    """A volume of which most is 0: where it is not, and what is there.

    Attributes
    ----------
    shape : tuple of int
        Of the volume.
    where : ndarray of int, shape (v,)
        Positions in the flat volume, in memory order (Fortran's), ascending.
    values : ndarray of unsigned int, shape (v,)
        None is 0.
    """

    shape: tuple[int, ...]
    where: npt.NDArray[np.signedinteger]
    values: npt.NDArray[np.unsignedinteger]

    @classmethod
    def of(cls, volume: npt.NDArray[np.unsignedinteger]) -> SparseVolume:
        """Find what is not 0 in a volume."""
        where, values = find_nonzero(volume.ravel(order="F"))
        dtype = position_type(volume.shape)
        return cls(volume.shape, where.astype(dtype, copy=False), values)

    def within(self, mask: BoolArray) -> SparseVolume:
        """Return what is in a mask, (i, j, k)."""
        kept = mask.ravel(order="F").take(self.where).nonzero()[0]
        return SparseVolume(self.shape, self.where.take(kept), self.values.take(kept))

    @cached_property
    def volume(self) -> npt.NDArray[Any]:
        """All of it, in Fortran order."""
        volume = np.zeros(self.shape, self.values.dtype, order="F")
        volume.reshape(-1, order="F")[self.where] = self.values
        return volume


def position_type(shape: tuple[int, ...]) -> type[np.signedinteger]:
    """Return what holds positions in a volume, and may be added to a few of them.

    Half of the memory where it is small enough, and dividing is several times as fast.
    """
    return np.int32 if math.prod(shape) < 2**30 else np.intp


def find_nonzero(
    flat: npt.NDArray[np.unsignedinteger],
) -> tuple[IndexArray, npt.NDArray[np.unsignedinteger]]:
    """Find what is not 0, and what it is, in several times less time than `nonzero`.

    Most of a volume is 0: eight bytes that are can be passed over at once.
    """
    # A power of 2, by which shifting divides.
    shift = 3 - (flat.itemsize.bit_length() - 1)
    n = flat.size >> shift << shift
    words = np.ascontiguousarray(flat[:n]).view(np.uint64)
    hit = (words != 0).nonzero()[0]
    some = words.take(hit).view(flat.dtype)
    at = (some != 0).nonzero()[0]
    where = hit.take(at >> shift)
    where <<= shift
    at_word = at & ((1 << shift) - 1)
    where += at_word
    rest = flat[n:].nonzero()[0] + n
    if not rest.size:
        return where, some.take(at)
    return np.append(where, rest), np.append(some.take(at), flat.take(rest))
