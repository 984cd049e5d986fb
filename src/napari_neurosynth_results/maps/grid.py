"""The grid that a map stands on: shape, affine, and whether it is in MNI space."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

#: Indices i, j, k of a voxel.
Voxel = tuple[int, int, int]
#: The values of a map on its grid.
Voxels = npt.NDArray[np.float32]

#: Where a brain lies in MNI152 space, in mm: (low, high) of x, y and z.
_MNI_BRAIN = ((-72.0, 72.0), (-108.0, 74.0), (-72.0, 82.0))
#: A field of view with less of the brain's box than this was placed somewhere else.
_LEAST_COVERED = 0.25
#: No scanner's field of view is longer; a grid that is has its units wrong.
_LONGEST_MM = 500.0


@dataclass(frozen=True)
class StatedSpace:
    """A space other than MNI152's that a file says its millimeters are in.

    Attributes
    ----------
    name : str
        As in ``Talairach space``.
    by : str
        What states it, as in ``its header (sform code 3)``.
    """

    name: str
    by: str

    def __str__(self) -> str:
        """Say what states which space."""
        return f"{self.by} states {self.name}"


#: How the space of Talairach and Tournoux (1988) is called in `StatedSpace.name`.
TALAIRACH = "Talairach space"


@dataclass(frozen=True, eq=False)
class Grid:
    """An axis-aligned RAS+ voxel grid.

    Attributes
    ----------
    shape : tuple of int
        Number of voxels along x, y and z.
    affine : ndarray, shape (4, 4)
        Voxel index to mm; diagonal but for the origin.
    elsewhere : StatedSpace or None
        The space, where the file says that it is not that of MNI152.
    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]
    elsewhere: StatedSpace | None = None

    @property
    def in_talairach(self) -> bool:
        """Whether its mm are those of Talairach space, as its file states."""
        return self.elsewhere is not None and self.elsewhere.name == TALAIRACH

    @cached_property
    def voxel_size(self) -> tuple[float, float, float]:
        """Voxel size along x, y and z, in mm."""
        affine = self.affine
        return float(affine[0, 0]), float(affine[1, 1]), float(affine[2, 2])

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel, in mm3."""
        return math.prod(self.voxel_size)

    @property
    def origin(self) -> tuple[float, float, float]:
        """Center of the first voxel, in mm."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    def to_mm(self, voxels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Turn voxel indices, shape (n, 3), into mm."""
        return np.asarray(voxels @ self.affine[:3, :3].T + self.affine[:3, 3])

    def same_as(self, other: Grid) -> bool:
        """Whether voxel i, j, k is the same place in both grids."""
        return self.shape == other.shape and bool(
            np.allclose(self.affine, other.affine, atol=1e-3)
        )

    def __str__(self) -> str:
        """Shape and voxel size, as in ``91 x 109 x 91, 2 mm``."""
        sizes = [f"{size:.3g}" for size in self.voxel_size]
        size = sizes[0] if len(set(sizes)) == 1 else " x ".join(sizes)
        return f"{' x '.join(map(str, self.shape))}, {size} mm"

    def mni_doubt(self) -> str | None:
        """Say why these millimeters are not a human brain's in MNI space, or cannot be.

        Returns
        -------
        str or None
            None when the grid is plausible.
        """
        return self._mni_doubt

    @cached_property
    def _mni_doubt(self) -> str | None:
        if self.elsewhere:
            return str(self.elsewhere)
        covered, longest = 1.0, 0.0
        ends: list[tuple[float, float]] = []
        for n, size, first, (low, high) in zip(
            self.shape, self.voxel_size, self.origin, _MNI_BRAIN, strict=True
        ):
            start = first - size / 2
            end = start + n * size
            ends.append((start, end))
            longest = max(longest, n * size)
            covered *= max(0.0, min(end, high) - max(start, low)) / (high - low)
        if longest <= _LONGEST_MM and covered >= _LEAST_COVERED:
            return None
        box = [
            f"{axis} {start:.4g} to {end:.4g}"
            for axis, (start, end) in zip("xyz", ends, strict=True)
        ]
        extent = f"its extent ({', '.join(box)} mm)"
        if longest > _LONGEST_MM:
            return f"{extent} is impossible for a head"
        return f"{extent} misses most of the MNI brain"
