"""An image of a mask or of labels: which voxels are inside, and what was rounded."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.sources.files.images import DEFAULT_LIMIT, read_region

#: What is left of a whole number that was scaled or interpolated on its way.
_ROUNDING = 1e-3
#: A mask that was resampled is 0 or 1 but at its edge, where a cubic spline overshoots
#: by about an eighth.
_OVERSHOOT = 0.3
_FLAT = 0.1
#: So many voxels from its edge it is flat.
_EDGE = 2
_LEAST_FLAT = 0.99


def read_mask_image(
    path: str, max_bytes: int = DEFAULT_LIMIT
) -> tuple[Voxels, Grid, str]:
    """Read an image that says by whole numbers what is inside.

    Parameters
    ----------
    path : str
        Any image that `open_image` reads, of one volume.
    max_bytes : int
        Refuse files that would need more memory than this.

    Returns
    -------
    voxels : ndarray of float32, shape (i, j, k)
        Whole numbers only, 0 outside; RAS+.
    grid : Grid
        Where they are, in mm.
    told : str
        What had to be rounded; empty when nothing had.

    Raises
    ------
    ResultsError
        When the file cannot be read, holds several volumes, or holds fractions that
        are not those of a mask of 0 and 1 that was resampled.
    """
    voxels, grid = read_region(path, max_bytes)
    # NaN is outside, as everywhere.
    values = np.nan_to_num(voxels)
    whole = np.rint(values)
    off = np.abs(values - whole)
    if off.max(initial=0) <= _ROUNDING:
        noise = int(np.count_nonzero((values != 0) & (whole == 0)))
        told = f"{noise:,} voxels of noise below .001 taken for 0" if noise else ""
        return whole, grid, told
    if _is_resampled_mask(values):
        inside = values > 0.5
        return inside.astype(np.float32), grid, "resampled: inside is above .5"
    fractions = int(np.count_nonzero(off > _ROUNDING))
    raise ResultsError(
        f"{path} holds fractions such as {values.flat[int(off.argmax())]:.3g} "
        f"({fractions:,} voxels): it is a map of numbers, not a mask, and FDR and "
        "Bonferroni would count each of them. If it was resampled, resample it again "
        "with the nearest neighbor; else write a mask of 0 and 1 first. For another "
        f"map of the same result above a p, choose that map instead of "
        f"{os.path.basename(path)}."
    )


def _is_resampled_mask(values: npt.NDArray[np.float32]) -> bool:
    """Whether numbers are those of a mask of 0 and 1 whose edge was interpolated."""
    from scipy.ndimage import binary_dilation, binary_erosion

    if values.min() < -_OVERSHOOT or not 1 - _FLAT <= values.max() <= 1 + _OVERSHOOT:
        return False
    inside = values > 0.5
    between = (values > _FLAT) & (values < 1 - _FLAT)
    if np.count_nonzero(between) > np.count_nonzero(inside):
        return False
    # Border voxels count as inside: a mask may end where the volume does.
    deep = binary_erosion(inside, iterations=_EDGE, border_value=1)
    far = ~binary_dilation(inside, iterations=_EDGE)
    if not deep.any():
        return False
    flat_in = np.abs(values[deep] - 1) <= _FLAT
    flat_out = np.abs(values[far]) <= _FLAT
    return bool(
        flat_in.mean() >= _LEAST_FLAT
        and (not flat_out.size or flat_out.mean() >= _LEAST_FLAT)
    )
