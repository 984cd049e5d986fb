"""The MNI152 brain that maps are laid over."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.statmap import Mask

UnderlayVoxels = npt.NDArray[np.uint8]

#: What the underlay is called in the layer list.
TITLE = "MNI152 T1 (2 mm)"


def read_underlay() -> tuple[UnderlayVoxels, Grid]:
    """Read the 2 mm T1 template.

    ICBM 152 nonlinear symmetric 2009a (Fonov et al. 2011), skull-stripped, as shipped
    by nilearn and resampled to 2 mm by ``scripts/make_underlay.py``.

    Returns
    -------
    voxels : ndarray of uint8, shape (91, 109, 91)
        RAS+; 0 is outside the brain.
    grid : Grid
        The 2 mm MNI grid, with voxel centers on even millimeters.
    """
    import nibabel as nib

    packaged = files("napari_neurosynth_results.anatomy") / "data/mni152_t1_2mm.nii.gz"
    with as_file(packaged) as path:
        image = nib.load(path)
        voxels = np.asarray(image.dataobj, dtype=np.uint8)
    i, j, k = voxels.shape
    return voxels, Grid((i, j, k), np.asarray(image.affine, dtype=np.float64))


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
