"""Mask and region files: any image that says with its values what is inside."""

from __future__ import annotations

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.statmap import Voxels
from napari_neurosynth_results.sources.nifti import DEFAULT_LIMIT, open_image


def read_region(path: str, max_bytes: int = DEFAULT_LIMIT) -> tuple[Voxels, Grid]:
    """Read a mask or label image.

    Parameters
    ----------
    path : str
        Any image that `open_image` reads, of one volume.
    max_bytes : int
        Refuse files that would need more memory than this.

    Returns
    -------
    voxels : ndarray of float32, shape (i, j, k)
        RAS+; never interpolated, so that a label stays the label it is.
    grid : Grid
        Where they are, in mm.

    Raises
    ------
    ResultsError
        When the file cannot be read, holds or holds several volumes.
    """
    volumes = open_image(path, max_bytes)
    if len(volumes) != 1:
        raise ResultsError(
            f"{path} holds {len(volumes)} volumes: a mask is one. Extract the one that "
            "you want to look in."
        )
    voxels, _ = volumes[0].read(MapKind.LABEL, smooth=False)
    return voxels, volumes[0].grid
