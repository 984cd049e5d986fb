"""Volumes on disk: NIfTI with place, meaning and description in the header."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.export.atomic import check_path, write_whole
from napari_neurosynth_results.export.colors import colored_mask
from napari_neurosynth_results.export.escaping import plain_text
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet

VOLUMES = (".nii.gz", ".nii")
#: NIfTI's xform codes: in MNI space; in that of Talairach; aligned to something.
MNI_SPACE, _TALAIRACH_SPACE, ALIGNED = 4, 3, 2
# Bytes of a NIfTI header, one of which ends the text.
_NAME, _DESCRIPTION = 15, 79
#: NIfTI-1 counts voxels along an axis in 16 bits.
_LONGEST_AXIS = 2**15 - 1
#: A quaternion holds no shear: what it may lose, as a share of a voxel.
_SHEAR = 1e-4


@dataclass(frozen=True)
class Meaning:
    """What a header says of its numbers.

    Attributes
    ----------
    intent : str
        NIfTI's name: ``z score``, ``label``, ``none``, ...
    name : str
        What the numbers are called; cut after 15 bytes.
    description : str
        One sentence; cut after 79 bytes.
    dof : tuple of float
        Degrees of freedom, for t, F and chi2.
    """

    intent: str
    name: str = ""
    description: str = ""
    dof: tuple[float, ...] = ()


def meaning_of(statmap: StatMap) -> Meaning:
    """Say what the numbers of a map are.

    Returns
    -------
    Meaning
        With its degrees of freedom where one number says them.
    """
    kind, dof = statmap.kind, statmap.dof
    stated = dof if isinstance(dof, tuple) else () if dof is None else (dof,)
    if len(stated) != kind.row.p.n_dof:
        stated = ()
    told = f"{statmap.title}, {statmap.tail}" if kind.has_tail else statmap.title
    return Meaning(kind.row.intent, str(kind), told, stated)


def space_code(grid: Grid) -> int:
    """Return NIfTI's code for the space of a grid: MNI's where that is plausible."""
    if grid.in_talairach:
        return _TALAIRACH_SPACE
    return ALIGNED if grid.mni_doubt() else MNI_SPACE


def write_volume(
    path: str,
    voxels: npt.NDArray[Any],
    affine: npt.NDArray[np.float64],
    meaning: Meaning,
    code: int,
) -> None:
    """Write a volume; nothing of its numbers is lost.

    Parameters
    ----------
    path : str
        ``.nii`` or ``.nii.gz``.
    voxels : ndarray, shape (i, j, k)
        In a type that NIfTI has.
    affine : ndarray, shape (4, 4)
        Voxel to mm, right, anterior and superior positive.
    meaning : Meaning
        What the numbers are.
    code : int
        As `code_of` gives it.
    """
    import nibabel as nib

    fits = max(voxels.shape) <= _LONGEST_AXIS
    image_type = nib.Nifti1Image if fits else nib.Nifti2Image
    # Stated, because nibabel refuses to guess for 64 bits.
    image = image_type(voxels, affine, dtype=voxels.dtype)
    header = image.header
    header.set_data_dtype(voxels.dtype)
    header.set_xyzt_units("mm")
    header.set_intent(meaning.intent, meaning.dof, name=_ascii(meaning.name, _NAME))
    header["descrip"] = _ascii(meaning.description, _DESCRIPTION)
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    if not np.allclose(image.get_qform(), affine, atol=_SHEAR * _smallest(affine)):
        # Half a truth is worse than none: only the sform can hold it.
        image.set_qform(None, 0)
    nib.save(image, path)


def save_thresholded(
    clusters: ClusterSet, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write the map of some clusters, without what lies outside of them.

    Parameters
    ----------
    clusters : ClusterSet
        Of a cluster-level corrected map only the significant ones are kept.
    path : path
        ``.nii`` or ``.nii.gz``.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the extension is unknown, the file exists or cannot be written.
    """
    target = check_path(path, VOLUMES, f"a map is saved as {', '.join(VOLUMES)}")
    write_whole(target, partial(_write_thresholded, clusters), overwrite=overwrite)


def _write_thresholded(clusters: ClusterSet, path: str) -> None:
    statmap = clusters.statmap
    voxels = np.where(colored_mask(clusters), statmap.data, np.float32(0))
    told = f"{statmap.title} at {clusters.threshold}"
    meaning = meaning_of(statmap)
    meaning = Meaning(meaning.intent, meaning.name, told, meaning.dof)
    write_volume(path, voxels, statmap.affine, meaning, space_code(statmap.grid))


def _smallest(affine: npt.NDArray[np.float64]) -> float:
    """Return the smallest size of a voxel."""
    return float(np.sqrt((affine[:3, :3] ** 2).sum(axis=0)).min())


def _ascii(text: str, most: int) -> bytes:
    """Write a text in the one encoding that every program reads in a header."""
    letters = unicodedata.normalize("NFKD", plain_text(text))
    return letters.encode("ascii", "ignore")[:most]
