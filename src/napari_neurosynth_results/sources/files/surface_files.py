"""Files that only look like volumes: surfaces, gray-ordinates, fields of vectors."""

from __future__ import annotations

import math
import os

#: FSL's nifti2.h and the CIFTI-2 specification: what each intent is called.
_CIFTI_INTENTS = {
    3001: "dense connectivity",
    3002: "a dense time series",
    3003: "connectivity of parcels",
    3004: "a time series of parcels",
    3006: "dense scalars",
    3007: "dense labels",
    3008: "scalars of parcels",
    3009: "connectivity of parcels and gray-ordinates",
    3010: "connectivity of gray-ordinates and parcels",
    3011: "a series of connectivity",
    3012: "connectivity with scalars",
}
_CIFTI_NAMES = (
    *("dconn", "dtseries", "pconn", "ptseries", "dscalar", "dlabel", "pscalar"),
    *("plabel", "pdconn", "dpconn", "pconnseries", "pconnscalar", "dfan", "fiberTEMP"),
)
_FIRST_CIFTI, _LAST_CIFTI = 3000, 3099
#: NIfTI's code of the extension that holds the XML of a CIFTI file.
CIFTI_EXTENSION = 32
#: nifti1.h: vectors and matrices at each voxel; points, triangles and nodes; and FSL's
#: warps and fields (2006 to 2009, 2016 to 2018), none of which is a map of numbers.
_PER_VOXEL = {
    1004: "a matrix",
    1005: "a symmetric matrix",
    1006: "a displacement",
    1007: "a vector",
    1010: "a quaternion",
}
_SURFACE_INTENTS = {1008: "points", 1009: "triangles", 2002: "indices of nodes"}
_WARPS = frozenset({2006, 2007, 2008, 2009, 2016, 2017, 2018})
#: FreeSurfer's smallest template, fsaverage3, has so many vertices a hemisphere.
_FEWEST_VERTICES = 642
#: FreeSurfer splits the 163,842 vertices of fsaverage so, where 16 bits count an axis.
_FSAVERAGE_SPLIT = (27307, 1, 6)
_GIFTI = (".gii", ".gii.gz")


def is_gifti(name: str) -> bool:
    """Tell a GIFTI surface by its name."""
    return name.lower().endswith(_GIFTI)


def gifti_sentence(path: str) -> str:
    """Say what a GIFTI file is, and what to do.

    >>> gifti_sentence("lh.func.gii").split(":")[0]
    'lh.func.gii is a GIFTI file'
    """
    return (
        f"{path} is a GIFTI file: one hemisphere's surface, or values at its vertices. "
        "Surfaces cannot be opened here; open the volume that it was made of."
    )


def surface_sentence(
    path: str, shape: tuple[int, ...], intent: int, has_cifti_xml: bool
) -> str | None:
    """Say of a NIfTI or MGH file that holds no volume what it is, and what to do.

    Parameters
    ----------
    path : str
        The file.
    shape : tuple of int
        As its header states.
    intent : int
        Its NIfTI intent, 0 for other formats.
    has_cifti_xml : bool
        Whether the header is followed by CIFTI's extension.

    Returns
    -------
    str or None
        None for a volume, or several.
    """
    name = os.path.basename(path).lower()
    if is_cifti(name, shape, intent, has_cifti_xml):
        what = _CIFTI_INTENTS.get(intent, "gray-ordinates")
        return (
            f"{path} is a CIFTI file ({what}): values at vertices of the cortex and at "
            "voxels of gray matter, not a volume. Open the volume that it was made of, "
            "or let Connectome Workbench write the part of it that is one: wb_command "
            f"-cifti-separate {os.path.basename(path)} COLUMN -volume-all OUT.nii.gz."
        )
    if _is_row(name, shape):
        return (
            f"{path} holds {math.prod(shape[:3]):,} values in a row: one for each "
            "vertex of a surface, not a volume. Open the volume that it was made of, "
            "or project it back with FreeSurfer (mri_surf2vol)."
        )
    several = math.prod(shape[4:]) > 1
    if intent in _WARPS or (intent in _PER_VOXEL and several):
        what = _PER_VOXEL.get(intent, "a warp or a field")
        return (
            f"{path} holds {what} at each voxel (NIfTI intent {intent}), not a map of "
            "numbers. Open the maps that it belongs to."
        )
    if intent in _SURFACE_INTENTS:
        return (
            f"{path} holds {_SURFACE_INTENTS[intent]} of a surface (NIfTI intent "
            f"{intent}), not a volume. Open the volume that it was made of."
        )
    return None


def is_cifti(
    name: str, shape: tuple[int, ...], intent: int, has_cifti_xml: bool
) -> bool:
    """Tell CIFTI by its intent or its extension, or by name and shape together."""
    if _FIRST_CIFTI <= intent <= _LAST_CIFTI or has_cifti_xml:
        return True
    matrix = len(shape) > 4 and math.prod(shape[:4]) == 1
    stem = name.lower().removesuffix(".gz").removesuffix(".nii")
    return matrix and stem.endswith(tuple(f".{one.lower()}" for one in _CIFTI_NAMES))


def _is_row(name: str, shape: tuple[int, ...]) -> bool:
    grid = tuple((*shape[:3], 1, 1)[:3])
    if grid == _FSAVERAGE_SPLIT:
        return True
    most = max(grid)
    # No grid of a brain is one row; FreeSurfer's own format is for both.
    least = 2 if name.endswith((".mgh", ".mgz")) else _FEWEST_VERTICES
    return sorted(grid)[:2] == [1, 1] and most >= least
