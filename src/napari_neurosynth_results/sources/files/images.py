"""The one door through which voxels come in: the headers of all formats.

A header is checked against its file and against the reading limit before anything is
believed. What it promises comes out of `VolumeFile` later.
"""

from __future__ import annotations

import logging
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.freesurfer.mghformat import MGHHeader
from nibabel.spm2analyze import Spm2AnalyzeHeader

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid, StatedSpace, Voxels
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.sources.files.gzip_reader import (
    holds_bytes,
    inflated_length,
    is_gzip,
    read_head,
)
from napari_neurosynth_results.sources.files.orientation import (
    find_reorientation,
    read_spm_affine,
)
from napari_neurosynth_results.sources.files.stated_space import (
    differing_forms,
    find_contradictions,
    find_stated_space,
    space_in_name,
)
from napari_neurosynth_results.sources.files.surface_files import (
    CIFTI_EXTENSION,
    surface_sentence,
)
from napari_neurosynth_results.sources.files.volumes import (
    Intent,
    Layout,
    VolumeFile,
    reading_error,
)
from napari_neurosynth_results.sources.placeholders import (
    pointer_sentence,
    refuse_placeholder,
    what_is_there,
)

#: Bytes a file may need in memory before it is refused.
DEFAULT_LIMIT = 2 * 2**30
#: More volumes than this are a time series, not a set of maps.
_MOST_VOLUMES = 200
#: Bytes that resampling takes for each voxel that results: float32 and two of a mask.
_RESAMPLED = 6
_NIFTI = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_ONE_FILE = (b"n+1", b"n+2", b"n+2\x00\r\n\x1a\n")
_TWO_FILES = (b"ni1", b"ni2", b"ni2\x00\r\n\x1a\n")
_NIFTI_2_HEAD = 540
_ANALYZE_HEAD = 348
#: Bytes behind a header that are looked through for extensions.
_MOST_EXTENSIONS = 1 << 20
# NIFTI_INTENT_TTEST, _FTEST and _CHISQ (nifti1.h): how many degrees of freedom.
_T, _F, _CHI2 = 3, 4, 6
_N_DOF = {_T: 1, _F: 2, _CHI2: 1}
# What SPM writes: "SPM{T_[18.0]} - ...", "SPM{F_[2.0,18.0]} - ...".
_SPM = re.compile(rb"SPM\{([TF])_\[(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?\]")
_MGH_HEAD = 284
_ELSEWHERE = (
    "Its coordinates are of that space, so no region is named; transform the map to "
    "MNI152 first, or, where the file is wrong, set the code in its header to 4"
)
_TALAIRACH = (
    "Its coordinates are of that space, so no region is named. To move it to MNI "
    "space, say so: open_results(..., kinds={'*': 'to-MNI'}), --kind '*=to-MNI', or "
    "*This map holds...* in the viewer; where the file is wrong, set the code in its "
    "header to 4"
)
# nibabel reports what it mends in a header to a logger that writes to the terminal.
_SILENT = logging.getLogger(__name__ + ".header")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


def open_image(path: str, max_bytes: int = DEFAULT_LIMIT) -> list[VolumeFile]:
    """Read the header of an image file.

    Parameters
    ----------
    path : str
        ``.nii``, ``.nii.gz``, ``.hdr``/``.img``, ``.mgz`` or ``.mgh``.
    max_bytes : int
        Refuse files that would need more memory than this.

    Returns
    -------
    list of VolumeFile
        One for each volume: several for a 4-D or 5-D image.

    Raises
    ------
    ResultsError
        With the file and the reason, when it cannot be opened.
    """
    try:
        if os.path.isdir(path):
            raise ResultsError(
                f"{path} is a folder that is named like an image. "
                "Open the files inside it, or rename it."
            )
        refuse_placeholder(path)
        if os.path.getsize(path) == 0:
            raise ResultsError(f"{path} is empty. Copy or download it again.")
        with np.errstate(all="ignore"):
            if path.lower().endswith((".nii", ".nii.gz")):
                return _open_nifti(path, path, max_bytes)
            if path.lower().endswith((".mgz", ".mgh")):
                return _open_mgh(path, max_bytes)
            return _open_pair(*_pair(path), max_bytes)
    except Exception as error:  # the door for untrusted files: nibabel raises many
        # Only now, because nothing of it can be a header that is whole.
        if told := _stands_there(path):
            raise ResultsError(told) from error
        raise reading_error(path, error) from error


def _stands_there(path: str) -> str | None:
    """Say what is in the place of an image, or of the half that belongs to it."""
    stem, extension = os.path.splitext(path)
    extension = extension.lower()
    wanted = "an MGH image" if extension in (".mgh", ".mgz") else "a NIfTI image"
    if told := what_is_there(path, wanted):
        return told
    if extension not in (".hdr", ".img"):
        return None
    halves = (stem + half for half in (".hdr", ".img", ".HDR", ".IMG"))
    return next(filter(None, map(pointer_sentence, halves)), None)


def read_region(path: str, max_bytes: int = DEFAULT_LIMIT) -> tuple[Voxels, Grid]:
    """Read a mask or label image: its values say what is inside.

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
        When the file cannot be read, or holds several volumes.
    """
    volumes = open_image(path, max_bytes)
    if len(volumes) != 1:
        raise ResultsError(
            f"{path} holds {len(volumes)} volumes, but a mask is one. Extract "
            "the volume that you want to look in."
        )
    voxels, _ = volumes[0].read(MapKind.LABEL, smooth=False)
    return voxels, volumes[0].grid


def check_image(
    path: Path,
    expected_bytes: int = 0,
    *,
    what: str = "",
    max_bytes: int = DEFAULT_LIMIT,
) -> None:
    """Refuse a file that is not a whole image.

    A server that breaks off, or answers with a page, must be found out before the file
    is kept: once it is in the cache, nobody asks for it again.

    Parameters
    ----------
    path : Path
        The file; its extension is one of an image.
    expected_bytes : int
        How long it has to be; 0 when that is not known.
    what : str
        What to call it in messages, instead of its path.
    max_bytes : int
        Refuse images that would need more memory than this, and inflate no further.

    Raises
    ------
    ResultsError
        With the reason, when its length is wrong, its gzip stream breaks off or fails
        its check sum, or its header is not one of an image that can be opened.
    """
    try:
        length = path.stat().st_size
        if 0 < expected_bytes != length:
            raise ResultsError(
                f"{path} has {length:,} bytes instead of {expected_bytes:,}. "
                "Download it again."
            )
        # The header first: it is cheap, and says best what a wrong file is.
        open_image(str(path), max_bytes)
        if is_gzip(str(path)) and inflated_length(str(path), max_bytes) > max_bytes:
            raise ResultsError(
                f"{path} inflates to more than {max_bytes:,} bytes. It was not kept."
            )
    except Exception as error:  # as for opening: nibabel raises many
        told = reading_error(str(path), error)
        if not what:
            raise told from error
        raise ResultsError(str(told).replace(str(path), what)) from error


def _open_nifti(path: str, voxels: str, max_bytes: int) -> list[VolumeFile]:
    head = read_head(path, _NIFTI_2_HEAD)
    header = _nifti_header(path, head)
    paired = path != voxels
    if header["magic"].item() not in (_TWO_FILES if paired else _ONE_FILE):
        raise ResultsError(
            f"{path} holds the header of a one-file image. Rename it to .nii."
            if paired
            else f"{path} holds the header of a two-file image. "
            "Open its .hdr file beside the .img file instead."
        )
    # The raw field, because nibabel turns sizes below zero into others.
    if (
        not 1 <= header["dim"][0] <= 7
        or (header["dim"][1 : 1 + header["dim"][0]] < 1).any()
    ):
        raise ResultsError(
            f"{path} states impossible dimensions. Its header is broken."
        )
    offset = int(header["vox_offset"])
    # nibabel lets 0 pass, and then shows the header as voxels.
    if offset < (0 if paired else header.single_vox_offset):
        raise ResultsError(
            f"{path} states an impossible data offset. Its header is broken."
        )
    slope, inter = header.get_slope_inter()
    layout = Layout(
        file=voxels,
        dtype=header.get_data_dtype(),
        offset=offset,
        slope=None if slope in (None, 1.0) and not inter else slope,
        inter=inter,
        head=head[: header.sizeof_hdr],
    )
    shape = tuple(int(n) for n in header.get_data_shape())
    extensions = _extensions(path, header, head, offset, single=not paired)
    intent = int(header["intent_code"])
    has_cifti_xml = CIFTI_EXTENSION in extensions
    if told := surface_sentence(path, shape, intent, has_cifti_xml):
        raise ResultsError(told)
    needed = _check_size(path, shape, layout, max_bytes)
    placed = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    i, j, k = (*shape[:3], 1, 1)[:3]
    forms = differing_forms(header)
    elsewhere, told_of_space = find_stated_space(
        header, b"".join(extensions.values()), os.path.basename(path)
    )
    return _volumes(
        path,
        shape,
        header.get_best_affine(),
        layout,
        intent=_intent(header),
        placed=placed,
        spare=max_bytes - needed,
        elsewhere=elsewhere,
        told=(*told_of_space, *find_contradictions(header, (i, j, k), forms)),
        other=None if forms is None else forms[1],
    )


def _extensions(
    path: str, header: Any, head: bytes, offset: int, *, single: bool
) -> dict[int, bytes]:
    """Read what stands between header and voxels: its code -> its bytes."""
    start = int(header.sizeof_hdr)
    end = offset if single else start + _MOST_EXTENSIONS
    if end - start < 12:
        return {}
    order: Literal["little", "big"] = "little" if header.endianness == "<" else "big"
    # Four bytes say whether there is any.
    if len(head) < start + 4:
        head = read_head(path, start + 4)
    if not any(head[start:][:1]):
        return {}
    raw = read_head(path, min(end, start + _MOST_EXTENSIONS))
    found: dict[int, bytes] = {}
    at = start + 4
    while at + 8 <= len(raw):
        size, code = (int.from_bytes(raw[n : n + 4], order) for n in (at, at + 4))
        if size < 8:
            break
        found[code] = found.get(code, b"") + raw[at + 8 : at + size]
        at += size
    return found


def _intent(header: Any) -> Intent:
    """Read what the numbers are: NIfTI's own way, or SPM's in the description."""
    code = int(header["intent_code"])
    stated = float(header["intent_p1"]), float(header["intent_p2"])
    told = _SPM.search(header["descrip"].item())
    if told and code == 0:
        code = _T if told[1] == b"T" else _F
        stated = float(told[2]), float(told[3] or 0)
    dof = stated[: _N_DOF.get(code, 0)]
    if not dof or not all(0 < n < math.inf for n in dof):
        return Intent(code)
    return Intent(code, stated if code == _F else dof[0])


def _nifti_header(path: str, head: bytes) -> Any:
    """Read a header as nibabel does: mend what it mends, refuse what it refuses."""
    for order in ("<", ">"):
        size = int(np.frombuffer(head[:4].ljust(4, b"\0"), f"{order}i4")[0])
        if size not in _NIFTI:
            continue
        if len(head) < size:
            raise EOFError("its header is incomplete")
        header = _NIFTI[size](head[:size], endianness=order, check=False)
        header.check_fix(logger=_SILENT, error_level=40)
        return header
    raise ResultsError(f"{path} is not a NIfTI image. Check how it was made.")


def _open_mgh(path: str, max_bytes: int) -> list[VolumeFile]:
    head = read_head(path, _MGH_HEAD)
    if len(head) < _MGH_HEAD:
        raise EOFError("its header is incomplete")
    header: Any = MGHHeader(head, check=False)
    header.check_fix(logger=_SILENT, error_level=40)
    if (header["dims"] < 1).any():
        raise ResultsError(
            f"{path} states impossible dimensions. Its header is broken."
        )
    try:
        dtype = header.get_data_dtype()
    except KeyError as error:
        raise ResultsError(f"{path} holds voxels of an unknown type.") from error
    layout = Layout(path, dtype, _MGH_HEAD, None, None, head)
    shape = tuple(int(n) for n in header.get_data_shape())
    if told := surface_sentence(path, shape, 0, has_cifti_xml=False):
        raise ResultsError(told)
    needed = _check_size(path, shape, layout, max_bytes)
    # nibabel has filled in an orientation where the header says it has none.
    flag = int.from_bytes(head[28:30], "big")
    return _volumes(
        path,
        shape,
        header.get_affine(),
        layout,
        intent=Intent(),
        placed=bool(flag),
        spare=max_bytes - needed,
        elsewhere=space_in_name(os.path.basename(path)),
    )


def _pair(path: str) -> tuple[str, str]:
    """Find both files of a ``.hdr``/``.img`` pair, given either."""
    stem, extension = os.path.splitext(path)
    halves = []
    for wanted in (".hdr", ".img"):
        names = (stem + wanted, stem + wanted.upper())
        found = path if extension.lower() == wanted else None
        found = found or next(filter(os.path.exists, names), None)
        if found is None:
            raise ResultsError(f"{path} has no {wanted} file beside it. Copy both.")
        refuse_placeholder(found)
        halves.append(found)
    return halves[0], halves[1]


def _open_pair(path: str, voxels: str, max_bytes: int) -> list[VolumeFile]:
    head = read_head(path, _NIFTI_2_HEAD)
    # NIfTI's magic words; the older Analyze format has nothing there.
    if head[344:347] in (b"ni1", b"n+1") or head[4:7] in (b"ni2", b"n+2"):
        return _open_nifti(path, voxels, max_bytes)
    # As `nibabel.load` does, but for the file beside it, which it hands to a reader
    # that trusts it.
    header: Any = Spm2AnalyzeHeader(head[:_ANALYZE_HEAD], check=False)
    header.check_fix(logger=_SILENT, error_level=40)
    shape = tuple(int(n) for n in header.get_data_shape())
    if not shape or min(shape) < 1:
        raise ResultsError(
            f"{path} states impossible dimensions. Its header is broken."
        )
    slope, inter = header.get_slope_inter()
    inter = inter or 0.0
    layout = Layout(
        file=voxels,
        dtype=header.get_data_dtype(),
        offset=int(header.get_data_offset()),
        slope=None if slope in (None, 1.0) and not inter else slope,
        inter=inter,
        head=head[:_ANALYZE_HEAD],
    )
    needed = _check_size(path, shape, layout, max_bytes)
    affine = read_spm_affine(os.path.splitext(path)[0] + ".mat")
    return _volumes(
        path,
        shape,
        header.get_best_affine() if affine is None else affine,
        layout,
        intent=Intent(),
        placed=affine is not None,
        spare=max_bytes - needed,
        elsewhere=space_in_name(os.path.basename(path)),
    )


def _check_size(
    path: str, shape: tuple[int, ...], layout: Layout, max_bytes: int
) -> int:
    """Return the bytes in memory that an image needs, when its file holds them."""
    dtype = layout.dtype
    if dtype.kind not in "iuf" or dtype.itemsize == 0:
        raise ResultsError(
            f"{path} holds {dtype} voxels, not one number each. "
            "Convert it to a map of single numbers first."
        )
    # What is read is converted to float32, and that may be turned: two copies at once.
    needed = math.prod(shape) * max(dtype.itemsize + 4, 8)
    if needed > max_bytes:
        raise ResultsError(
            f"{path} would need {needed / 2**20:,.0f} MiB in memory; the limit is "
            f"{max_bytes / 2**20:,.0f} MiB. Raise max_bytes if the file can be trusted."
        )
    if not holds_bytes(layout.file, layout.offset + math.prod(shape) * dtype.itemsize):
        raise ResultsError(
            f"{layout.file} is truncated or corrupt: it holds less than its header "
            f"promises ({' x '.join(map(str, shape))} voxels). "
            "Copy or download it again."
        )
    return needed


def _volumes(
    path: str,
    shape: tuple[int, ...],
    affine: npt.NDArray[np.float64],
    layout: Layout,
    *,
    intent: Intent,
    placed: bool,
    spare: int,
    elsewhere: StatedSpace | None = None,
    told: tuple[str, ...] = (),
    other: npt.NDArray[np.float64] | None = None,
) -> list[VolumeFile]:
    """Split an image into its volumes, all on one grid that fits into spare memory."""
    i, j, k = (*shape[:3], 1, 1)[:3]
    count = math.prod(shape[3:])
    if count > _MOST_VOLUMES:
        raise ResultsError(
            f"{path} holds {count:,} volumes: a time series, not maps. "
            "Extract the volumes that you want to see."
        )
    try:
        reorientation = find_reorientation(
            (i, j, k), np.asarray(affine, np.float64), spare // _RESAMPLED
        )
    except ValueError as error:
        raise ResultsError(
            f"{path} has an unusable affine: {error}. "
            "Correct its header (qform, sform)."
        ) from error
    if elsewhere:
        grid = replace(reorientation.grid, elsewhere=elsewhere)
        reorientation = replace(reorientation, grid=grid)
    notices = [*reorientation.notices, *told]
    if not placed:
        notices.append("its header states no orientation: left and right are a guess")
    if elsewhere:
        advice = _TALAIRACH if reorientation.grid.in_talairach else _ELSEWHERE
        notices.append(f"it is not in MNI space: {elsewhere}. {advice}")
    elif doubt := reorientation.grid.mni_doubt():
        notices.append(f"it is not in MNI space: {doubt}")
    name = os.path.basename(path)
    return [
        VolumeFile(
            path=path,
            index=index,
            count=count,
            shape=(i, j, k),
            reorientation=reorientation,
            intent=intent,
            notices=tuple(f"{name}: {notice}" for notice in notices),
            layout=layout,
            forms=None if other is None else (affine, other),
        )
        for index in range(count)
    ]
