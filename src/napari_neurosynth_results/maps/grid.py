"""MOVER docstring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    pass
from napari_neurosynth_results.maps.statmap import (
    _LEAST_COVERED,
    _LONGEST_MM,
    _MNI_BRAIN,
)


@dataclass(frozen=True, eq=False)
class Grid:
    """An axis-aligned RAS+ voxel grid.

    Attributes
    ----------
    shape : tuple of int
        Number of voxels along x, y and z.
    affine : ndarray, shape (4, 4)
        Voxel index to mm; diagonal but for the origin.
    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Voxel size along x, y and z, in mm."""
        x, y, z = np.diag(self.affine)[:3]
        return float(x), float(y), float(z)

    @property
    def origin(self) -> tuple[float, float, float]:
        """Center of the first voxel, in mm."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

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
        """Say why these millimeters cannot be a human brain's in MNI space.

        Returns
        -------
        str or None
            None when the grid is plausible.
        """
        covered = 1.0
        box = []
        longest = 0.0
        for axis, n, size, first, (low, high) in zip(
            "xyz", self.shape, self.voxel_size, self.origin, _MNI_BRAIN, strict=True
        ):
            start = first - size / 2
            end = start + n * size
            box.append(f"{axis} {start:.4g} to {end:.4g}")
            longest = max(longest, n * size)
            covered *= max(0.0, min(end, high) - max(start, low)) / (high - low)
        extent = f"its extent ({', '.join(box)} mm)"
        if longest > _LONGEST_MM:
            return f"{extent} is impossible for a head"
        if covered < _LEAST_COVERED:
            return f"{extent} misses most of the MNI brain"
        return None
