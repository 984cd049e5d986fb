"""Where a header and a file name say that a map lies, and where they disagree.

A bounding box tells a brain from a table, but Talairach space from MNI space only the
codes of NIfTI-1 (nifti1.h), AFNI's own words in its extension and the entity ``space-``
of BIDS tell.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import HeaderDataError

from napari_neurosynth_results.maps.grid import TALAIRACH, StatedSpace

Affine = npt.NDArray[np.float64]

#: nifti1.h: NIFTI_XFORM_TALAIRACH, _MNI_152 and _TEMPLATE_OTHER.
_TALAIRACH, _MNI, _OTHER = 3, 4, 5
_CODES = {
    1: "scanner",
    2: "aligned to another image",
    _TALAIRACH: "Talairach",
    _MNI: "MNI152",
    _OTHER: "another template",
}
_OTHER_TEMPLATE = "the space of a template other than MNI152"
_OWN = "the space of one person's own brain"
_SURFACE = "the space of a surface"
#: AFNI writes the template's space into a text of its own.
_AFNI_SPACE = re.compile(rb'atr_name="TEMPLATE_SPACE"[^>]*>\s*"([^"]*)"')
_ENTITY = re.compile(r"(?:^|[_/\\])space-([A-Za-z0-9]+)")
#: BIDS, "Coordinate systems": spaces of a person or a scan, and of surfaces.
_OWN_SPACES = frozenset(
    {"t1w", "t2w", "orig", "native", "individual", "anat", "func", "bold", "boldref"}
    | {"scanner", "subject", "epi", "dwi"}
)
_SURFACE_SPACES = ("fsaverage", "fslr", "fsnative", "onavg")
_WORDS = ("left and right", "front and back", "top and bottom")
#: A place nearer to the midline than this, in mm, is on no side that can be told: a
#: scanner's qform, beside the sform of a standard space, is off by so much.
_MIDLINE = 10.0
#: Affines that agree so closely, in mm, differ by rounding.
_ROUNDING = 0.01
#: Sizes of voxels that differ by more than this share are not the same.
_SIZE = 0.1


def find_stated_space(
    header: Any, extension: bytes, name: str
) -> tuple[StatedSpace | None, tuple[str, ...]]:
    """Find the space other than MNI152's that a NIfTI file states.

    Parameters
    ----------
    header : nibabel header
        NIfTI-1 or NIfTI-2.
    extension : bytes
        What lies between header and voxels.
    name : str
        Of the file. It goes before the header, because programs copy headers.

    Returns
    -------
    space : StatedSpace or None
        None for MNI152, and where nothing is stated.
    notices : tuple of str
        Where name and header disagree.
    """
    stated = _stated_by_header(header, extension)
    if not (found := _ENTITY.search(name)):
        return stated, ()
    named = space_in_name(name)
    if stated is not None and named is None and _is_mni(found[1]):
        told = f"{stated}, its name {found[1]}: it was taken for MNI space"
        return None, (told,)
    return named or (None if _is_mni(found[1]) else stated), ()


def space_in_name(name: str) -> StatedSpace | None:
    """Find the space other than MNI152's that a file name states in the way of BIDS.

    Examples
    --------
    >>> space_in_name("pain_space-Talairach_z.nii.gz").name
    'Talairach space'
    >>> space_in_name("pain_space-MNI152NLin6Asym_z.nii.gz")
    """
    if not (found := _ENTITY.search(name)):
        return None
    word = found[1].lower()
    by = f"its name (space-{found[1]})"
    if word.startswith(("tal", "tt")):
        return StatedSpace(TALAIRACH, by)
    if word in _OWN_SPACES:
        return StatedSpace(_OWN, by)
    if word.startswith(_SURFACE_SPACES):
        return StatedSpace(_SURFACE, by)
    return None if _is_mni(word) else StatedSpace(_OTHER_TEMPLATE, by)


def _is_mni(word: str) -> bool:
    """Whether a label of BIDS or AFNI stands for MNI152 or what is a variant of it."""
    word = word.lower()
    return word.startswith(("mni", "icbm", "ixi549")) and word != "mni_anat"


def _stated_by_header(header: Any, extension: bytes) -> StatedSpace | None:
    form, code = _used_code(header)
    by = f"its header ({form} code {code})"
    if code == _TALAIRACH:
        return StatedSpace(TALAIRACH, by)
    if code == _MNI:
        return None
    if found := _AFNI_SPACE.search(extension):
        word = found[1].decode("ascii", "replace").strip("~ \0")
        if word.lower().startswith(("tlrc", "tt_")):
            return StatedSpace(TALAIRACH, f"AFNI in its header ({word})")
        if _is_mni(word):
            return None
    return StatedSpace(_OTHER_TEMPLATE, by) if code == _OTHER else None


def _used_code(header: Any) -> tuple[str, int]:
    """Return which of the two codes says where the voxels are, and the code."""
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    if sform <= 0:
        return "qform", qform
    # One orientation, and only the qform says of what: FSL's and AFNI's tools mend one
    # of the two codes and forget the other.
    if sform < _TALAIRACH <= qform and not differing_forms(header):
        return "qform", qform
    return "sform", sform


def find_contradictions(
    header: Any, shape: tuple[int, int, int], forms: tuple[Affine, Affine] | None
) -> tuple[str, ...]:
    """Say where a NIfTI header says two things of the same voxel.

    Parameters
    ----------
    header : nibabel header
        NIfTI-1 or NIfTI-2.
    shape : tuple of int
        Voxels along the stored axes.
    forms : pair of ndarray or None
        Its `differing_forms`.

    Returns
    -------
    tuple of str
        What disagrees, and which of the two is used.
    """
    codes = int(header["sform_code"]), int(header["qform_code"])
    told = []
    if min(codes) >= _TALAIRACH and codes[0] != codes[1]:
        told.append(
            f"its sform says {_space(codes[0])} (code {codes[0]}), its qform "
            f"{_space(codes[1])} (code {codes[1]}): the sform is used"
        )
    if forms is not None:
        told += _differences(*forms, codes, shape)
    elif doubt := _sizes(header):
        told.append(doubt)
    return tuple(told)


def opposite_sides(
    used: Affine, other: Affine, voxel: tuple[int, ...]
) -> tuple[float, float] | None:
    """Return x of a voxel by two affines, in mm, where they differ in its side.

    Parameters
    ----------
    used, other : ndarray, shape (4, 4)
        Voxel to mm.
    voxel : tuple of int
        Its indices.

    Returns
    -------
    pair of float or None
        None where it is on one side, or near the midline.
    """
    first, second = (float((affine @ [*voxel, 1])[0]) for affine in (used, other))
    if first * second < 0 and min(abs(first), abs(second)) > _MIDLINE:
        return first, second
    return None


def _space(code: int) -> str:
    return _CODES.get(code, "an unknown space")


def differing_forms(header: Any) -> tuple[Affine, Affine] | None:
    """Return sform and qform where both are stated and are not the same."""
    if min(int(header["sform_code"]), int(header["qform_code"])) <= 0:
        return None
    if _are_plainly_equal(header):
        return None
    try:
        sform = np.asarray(header.get_sform(), np.float64)
        qform = np.asarray(header.get_qform(), np.float64)
    except (ValueError, HeaderDataError):
        # A quaternion that is none: the sform is all there is.
        return None
    if not (np.isfinite(sform).all() and np.isfinite(qform).all()):
        return None
    corner = [*(max(n - 1, 0) for n in header["dim"][1:4]), 1]
    apart = np.abs(sform - qform) @ corner
    return None if apart.max() <= _ROUNDING else (sform, qform)


def _are_plainly_equal(header: Any) -> bool:
    """Whether neither form turns anything, and both are the same, as in most files."""
    raw = header.structarr
    rows = [raw[f"srow_{axis}"].tolist() for axis in "xyz"]
    pixdim = raw["pixdim"].tolist()
    turned = any(raw[f"quatern_{axis}"] for axis in "bcd")
    # What is not finite is equal to nothing.
    return not (turned or pixdim[0] < 0) and rows == [
        [pixdim[1], 0, 0, raw["qoffset_x"].item()],
        [0, pixdim[2], 0, raw["qoffset_y"].item()],
        [0, 0, pixdim[3], raw["qoffset_z"].item()],
    ]


def _differences(
    sform: Affine, qform: Affine, codes: tuple[int, int], shape: tuple[int, int, int]
) -> list[str]:
    used = f"the sform (code {codes[0]}, {_space(codes[0])}) is used"
    why = "because that is the one that can state a standard space"
    try:
        turned = np.diag(sform[:3, :3] @ np.linalg.inv(qform[:3, :3])) < 0
    except np.linalg.LinAlgError:
        return []
    middle = tuple((n - 1) // 2 for n in shape)
    if turned.any():
        words = " and ".join(
            word for word, is_turned in zip(_WORDS, turned, strict=True) if is_turned
        )
        axis = int(turned.argmax())
        corner = _farthest(sform, shape, axis)
        first, second = (float((form @ corner)[axis]) for form in (sform, qform))
        where = f"{'xyz'[axis]} = {first:.4g} mm and {second:.4g} mm"
        return [
            f"its sform and its qform put {words} on opposite sides (the same voxel is "
            f"at {where}): {used} and not the qform (code {codes[1]}, "
            f"{_space(codes[1])}), {why}. Check a place whose side you know"
        ]
    if sides := opposite_sides(sform, qform, middle):
        return [
            "its sform and its qform put the middle of the volume on different sides "
            f"(x = {sides[0]:.4g} mm and {sides[1]:.4g} mm): {used}, {why}. Check a "
            "place whose side you know"
        ]
    apart = _most_apart(sform, qform, shape)
    size = float(np.sqrt((sform[:3, :3] ** 2).sum(axis=0)).max())
    # Of two codes one may be the scanner's, where a head lies anywhere.
    if codes[0] == codes[1] and apart > size:
        return [
            f"its sform and its qform, which state the same space (code {codes[0]}), "
            f"put a voxel up to {apart:.3g} mm apart: {used}, {why}"
        ]
    return []


def _corners(shape: tuple[int, int, int]) -> Affine:
    ends = np.array(np.meshgrid(*([0, max(n - 1, 0)] for n in shape)), np.float64)
    return np.vstack([ends.reshape(3, -1), np.ones(8)])


def _farthest(form: Affine, shape: tuple[int, int, int], axis: int) -> Affine:
    """Return the corner that lies farthest from the origin along an axis."""
    corners = _corners(shape)
    place: Affine = corners[:, int(np.abs((form @ corners)[axis]).argmax())]
    return place


def _most_apart(sform: Affine, qform: Affine, shape: tuple[int, int, int]) -> float:
    """Return how far two affines put one voxel apart at most, in mm."""
    moved = ((sform - qform) @ _corners(shape))[:3]
    return float(np.sqrt((moved**2).sum(axis=0)).max())


def _sizes(header: Any) -> str | None:
    """Compare the stated sizes of voxels with those that the sform makes of them."""
    if int(header["sform_code"]) <= 0:
        return None
    made = np.sqrt((np.asarray(header.get_sform())[:3, :3] ** 2).sum(axis=0))
    stated = np.abs(np.asarray(header["pixdim"][1:4], np.float64))
    if not np.isfinite(made).all() or (made == 0).any() or not (stated > 0).all():
        return None
    if (np.abs(stated / made - 1) <= _SIZE).all():
        return None
    told = [" x ".join(f"{size:.3g}" for size in sizes) for sizes in (stated, made)]
    return (
        f"its header states voxels of {told[0]} mm, its sform makes them {told[1]} mm: "
        "the sform is used"
    )
