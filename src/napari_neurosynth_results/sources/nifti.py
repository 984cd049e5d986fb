"""The one door through which voxels come in.

Whatever a file holds - any storage order, number type, byte order, scaling, extra
axes - what leaves is float32 on an axis-aligned RAS+ grid, or a `ResultsError` that
names the file and says what is wrong with it.
"""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass, field
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.freesurfer.mghformat import MGHHeader
from nibabel.volumeutils import apply_read_scaling

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.statmap import Grid, Voxels
from napari_neurosynth_results.sources.grids import Placement, place
from napari_neurosynth_results.sources.inflate import holds, read_bytes, read_head

#: Bytes a file may need in memory before it is refused.
DEFAULT_LIMIT = 2 * 2**30
#: More volumes than this are a time series, not a set of maps.
_MOST_VOLUMES = 200
#: Stands in for an infinite value when a map has no finite one: z where p underflows
#: float64 (scipy.stats.norm.sf(38.5) is about 0).
_STRONGEST = np.float32(38.5)
#: Voxels scaled at once: float64 in between has not to exist for the whole volume.
_SLAB = 1 << 18
#: Bytes that resampling takes for each voxel that results: float32 and two of a mask.
_RESAMPLED = 6
_NIFTI = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_ONE_FILE = (b"n+1", b"n+2", b"n+2\x00\r\n\x1a\n")
_TWO_FILES = (b"ni1", b"ni2", b"ni2\x00\r\n\x1a\n")
_NIFTI_2_HEAD = 540
_MGH_HEAD = 284
# nibabel reports what it mends in a header to a logger that writes to the terminal.
_SILENT = logging.getLogger(__name__ + ".header")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


@dataclass(frozen=True)
class VolumeFile:
    """One volume of an image file: its header is known, its voxels are not read.

    Attributes
    ----------
    path : str
        The file.
    index, count : int
        Which of how many volumes.
    shape : tuple of int
        The three spatial axes as stored.
    placement : Placement
        How the stored axes become an axis-aligned RAS+ grid.
    intent_code : int
        NIfTI intent, 0 when the format has none.
    notices : tuple of str
        What the header gives reason to say.
    layout : Layout
        Where the voxels are and how they are written.
    """

    path: str
    index: int
    count: int
    shape: tuple[int, int, int]
    placement: Placement
    intent_code: int
    notices: tuple[str, ...]
    layout: Layout

    @property
    def grid(self) -> Grid:
        """The grid on which the voxels will be handed over."""
        return self.placement.grid

    def read(self, kind: MapKind, smooth: bool) -> tuple[Voxels, tuple[str, ...]]:
        """Read the voxels.

        Parameters
        ----------
        kind : MapKind
            Decides what an infinite value means.
        smooth : bool
            Whether an oblique image may be interpolated linearly; else the nearest
            voxel is taken.

        Returns
        -------
        voxels : ndarray of float32, shape (i, j, k)
            RAS+; NaN is outside.
        notices : tuple of str
            What was changed.

        Raises
        ------
        ResultsError
            When the file is broken or too short.
        """
        try:
            with np.errstate(all="ignore"):
                self.layout.check_head(self.path)
                stored = self.layout.read(self.shape, self.index, self.count)
                finite, notices = _without_infinities(stored, kind)
                voxels = self.placement.apply(finite, smooth=smooth)
        except ResultsError:
            raise
        except Exception as error:  # the door for untrusted files: nibabel raises many
            raise _refusal(self.path, error) from error
        name = os.path.basename(self.path)
        return voxels, tuple(f"{name}: {notice}" for notice in notices)


@dataclass(frozen=True)
class Layout:
    """Where the voxels of an image lie and how they are written.

    Attributes
    ----------
    file : str
        The file that holds them: the ``.img`` of a pair.
    dtype : dtype
        Of one stored voxel.
    offset : int
        Bytes before the first.
    slope, inter : float or None
        Scaling; a slope of None means none.
    head : bytes
        The header they were taken from.
    """

    file: str
    dtype: np.dtype[Any]
    offset: int
    slope: float | None
    inter: float | None
    head: bytes = field(repr=False)

    def check_head(self, path: str) -> None:
        """Refuse a file that was replaced by one whose voxels mean something else."""
        if read_head(path, len(self.head)) != self.head:
            raise ResultsError(
                f"{path} has changed since it was opened. Open it again."
            )

    def read(self, shape: tuple[int, int, int], index: int, count: int) -> Voxels:
        """Return one stored volume of `count` as float32, in the file's axis order."""
        nbytes = math.prod(shape) * self.dtype.itemsize
        start = self.offset + index * nbytes
        raw = read_bytes(self.file, start, nbytes, self.offset + count * nbytes)
        return self._scaled(raw.view(self.dtype)).reshape(shape, order="F")

    def _scaled(self, stored: npt.NDArray[Any]) -> Voxels:
        if self.slope is None:
            return stored.astype(np.float32, copy=False)
        voxels = np.empty(stored.size, np.float32)
        for start in range(0, stored.size, _SLAB):
            slab = slice(start, start + _SLAB)
            voxels[slab] = apply_read_scaling(stored[slab], self.slope, self.inter)
        return voxels


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
        if os.path.getsize(path) == 0:
            raise ResultsError(f"{path} is empty. Copy or download it again.")
        with np.errstate(all="ignore"):
            if path.lower().endswith((".nii", ".nii.gz")):
                return _open_nifti(path, path, max_bytes)
            if path.lower().endswith((".mgz", ".mgh")):
                return _open_mgh(path, max_bytes)
            return _open_pair(*_pair(path), max_bytes)
    except ResultsError:
        raise
    except Exception as error:  # the door for untrusted files: nibabel raises many
        raise _refusal(path, error) from error


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
    needed = _check_size(path, shape, layout, max_bytes)
    placed = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    return _volumes(
        path,
        shape,
        header.get_best_affine(),
        layout,
        intent_code=int(header["intent_code"]),
        placed=placed,
        spare=max_bytes - needed,
    )


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
    needed = _check_size(path, shape, layout, max_bytes)
    # nibabel has filled in an orientation where the header says it has none.
    flag = int.from_bytes(head[28:30], "big")
    return _volumes(
        path,
        shape,
        header.get_affine(),
        layout,
        intent_code=0,
        placed=bool(flag),
        spare=max_bytes - needed,
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
        halves.append(found)
    return halves[0], halves[1]


def _open_pair(path: str, voxels: str, max_bytes: int) -> list[VolumeFile]:
    head = read_head(path, _NIFTI_2_HEAD)
    # NIfTI's magic words; the older Analyze format has nothing there.
    if head[344:347] in (b"ni1", b"n+1") or head[4:7] in (b"ni2", b"n+2"):
        return _open_nifti(path, voxels, max_bytes)
    image: Any = nib.load(path, mmap=False)
    shape = tuple(int(n) for n in image.shape)
    if not shape or min(shape) < 1:
        raise ResultsError(
            f"{path} states impossible dimensions. Its header is broken."
        )
    proxy = image.dataobj
    scaled = (proxy.slope, proxy.inter) != (1, 0)
    layout = Layout(
        file=voxels,
        dtype=proxy.dtype,
        offset=int(proxy.offset),
        slope=proxy.slope if scaled else None,
        inter=proxy.inter,
        head=head[:348],
    )
    needed = _check_size(path, shape, layout, max_bytes)
    return _volumes(
        path,
        shape,
        image.affine,
        layout,
        intent_code=0,
        # SPM keeps the orientation of an Analyze image in a file of its own.
        placed=os.path.exists(os.path.splitext(path)[0] + ".mat"),
        spare=max_bytes - needed,
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
    if not holds(layout.file, layout.offset + math.prod(shape) * dtype.itemsize):
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
    intent_code: int,
    placed: bool,
    spare: int,
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
        placement = place(
            (i, j, k), np.asarray(affine, np.float64), spare // _RESAMPLED
        )
    except ValueError as error:
        raise ResultsError(
            f"{path} has an unusable affine: {error}. "
            "Correct its header (qform, sform)."
        ) from error
    notices = list(placement.notices)
    if not placed:
        notices.append("its header states no orientation: left and right are a guess")
    if doubt := placement.grid.mni_doubt():
        notices.append(f"it is not in MNI space: {doubt}")
    name = os.path.basename(path)
    return [
        VolumeFile(
            path=path,
            index=index,
            count=count,
            shape=(i, j, k),
            placement=placement,
            intent_code=intent_code,
            notices=tuple(f"{name}: {notice}" for notice in notices),
            layout=layout,
        )
        for index in range(count)
    ]


def _without_infinities(
    voxels: Voxels, kind: MapKind
) -> tuple[Voxels, tuple[str, ...]]:
    """Give infinite voxels the strongest finite value, or put them outside; in place.

    An infinite z, t or logp is a p that underflowed: the strongest voxel of the map.
    In other kinds infinity means nothing.
    """
    # A sum is several times faster than isinf; NaN and overflow go the long way.
    if np.isfinite(voxels.sum()):
        return voxels, ()
    infinite = np.isinf(voxels)
    if not infinite.any():
        return voxels, ()
    n = int(infinite.sum())
    which = "1 infinite voxel was" if n == 1 else f"{n:,} infinite voxels were"
    if not kind.infinity_is_strongest:
        voxels[infinite] = np.nan
        return voxels, (f"{which} taken as outside: infinity means nothing there",)
    finite = np.isfinite(voxels)
    highest = voxels.max(initial=0, where=finite)
    lowest = voxels.min(initial=0, where=finite)
    voxels[np.isposinf(voxels)] = highest if highest > 0 else _STRONGEST
    voxels[np.isneginf(voxels)] = lowest if lowest < 0 else -_STRONGEST
    return voxels, (f"{which} kept at the largest finite value: p underflowed there",)


def _refusal(path: str, error: Exception) -> ResultsError:
    """Turn whatever a broken file provoked into a message that names the file."""
    if isinstance(error, ResultsError):
        return error
    if isinstance(error, FileNotFoundError):
        return ResultsError(f"{path} does not exist. Check the path.")
    if isinstance(error, PermissionError):
        return ResultsError(f"{path} may not be read. Check its permissions.")
    if isinstance(error, EOFError):
        return ResultsError(f"{path} is truncated: {error}. Copy or download it again.")
    reason = str(error) or type(error).__name__
    return ResultsError(f"{path} cannot be read: {reason}. Copy or download it again.")
