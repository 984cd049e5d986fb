"""The MNI152 brain that maps are laid over."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.coordinates import Coordinate
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.statmap import Mask

PackagedVoxels = npt.NDArray[np.uint8]

#: What is counted in, and what the underlay is called in the layer list.
TITLE, UNDERLAY_TITLE = "MNI152 T1 (2 mm)", "MNI152 T1 (1 mm)"


def read_underlay(mm: Literal[1, 2] = 2) -> tuple[PackagedVoxels, Grid]:
    """Read the T1 template: to count with in 2 mm, to look at in 1 mm.

    ICBM 152 nonlinear symmetric 2009a (Fonov et al. 2011), skull-stripped, as shipped
    by nilearn and cut to the usual grids by ``scripts/make_underlay.py``.

    Parameters
    ----------
    mm : {2, 1}
        Size of its voxels.

    Returns
    -------
    voxels : ndarray of uint8, shape (91, 109, 91) or (181, 217, 181)
        RAS+; 0 is outside the brain.
    grid : Grid
        With voxel centers on even, or on whole, millimeters.
    """
    return read_packaged(f"mni152_t1_{mm}mm.nii.gz")


def read_packaged(name: str) -> tuple[PackagedVoxels, Grid]:
    """Read an image that comes with the package.

    Parameters
    ----------
    name : str
        Of its file.

    Returns
    -------
    voxels : ndarray of uint8, shape (i, j, k)
        RAS+.
    grid : Grid
        Where they are.
    """
    import nibabel as nib
    from isal import igzip

    stored = files("napari_neurosynth_results.anatomy") / "data" / name
    # nibabel alone would inflate it with zlib, which takes twice as long.
    with as_file(stored) as path, igzip.open(path) as stream:
        image = nib.Nifti1Image.from_stream(stream)
        voxels = np.asarray(image.dataobj, dtype=np.uint8)
    i, j, k = voxels.shape
    return voxels, Grid((i, j, k), np.asarray(image.affine, dtype=np.float64))


def is_near_brain(place: Coordinate, within: float) -> bool:
    """Whether a place is in the brain, or no farther from it than some millimeters.

    Parameters
    ----------
    place : tuple of float
        MNI x, y and z in mm.
    within : float
        In mm.
    """
    mask, grid = read_brain_mask()
    size = np.array(grid.voxel_size)
    middle = (np.array(place) - grid.origin) / size
    low = np.clip(np.ceil(middle - within / size), 0, grid.shape).astype(int)
    high = np.clip(np.floor(middle + within / size) + 1, 0, grid.shape).astype(int)
    (i, j, k), (last_i, last_j, last_k) = low, high
    found = np.argwhere(mask[i:last_i, j:last_j, k:last_k]) + low
    away = np.linalg.norm((found - middle) * size, axis=1)
    return bool((away <= within).any())


def read_brain_mask() -> tuple[Mask, Grid]:
    """Return the brain of the 2 mm T1 template: wherever it is not empty.

    Returns
    -------
    mask : ndarray of bool, shape (91, 109, 91)
        True inside; one piece without holes, as the template was skull-stripped.
    grid : Grid
        The 2 mm MNI grid, with voxel centers on even millimeters.
    """
    voxels, grid = read_underlay()
    return voxels > 0, grid
