"""The one door through which voxels come in.

Whatever a file holds - any storage order, number type, byte order, scaling, extra axes -
what leaves is float32 on an axis-aligned RAS+ grid, or a `ResultsError` that names the
file and says what is wrong with it.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.arrayproxy import ArrayProxy

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
_HEAD_BYTES = 540


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
        Where in the file the voxels are and how they are written.
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
                stored = self.layout.read(self.path, self.shape, self.index)
                finite, notices = _without_infinities(stored, kind)
                voxels = self.placement.apply(finite, smooth=smooth)
        except Exception as error:  # the door for untrusted files: nibabel raises many
            raise _refusal(self.path, error) from error
        name = os.path.basename(self.path)
        return voxels, tuple(f"{name}: {notice}" for notice in notices)


@dataclass(frozen=True)
class Layout:
    """Where voxels lie in a single-file NIfTI and how they are written."""

    dtype: np.dtype[Any]
    offset: int
    slope: float | None
    inter: float | None

    def read(self, path: str, shape: tuple[int, int, int], index: int) -> Voxels:
        """Return one stored volume as float32, in the file's own axis order."""
        count = math.prod(shape)
        nbytes = count * self.dtype.itemsize
        raw = read_bytes(path, self.offset + index * nbytes, nbytes)
        if self.slope is None:
            stored = np.require(raw.view(self.dtype), requirements="A")
            return stored.reshape(shape, order="F").astype(np.float32, copy=False)
        spec = (shape, self.dtype, 0, self.slope, self.inter)
        proxy = ArrayProxy(BytesIO(raw.tobytes()), spec, mmap=False)
        return np.asarray(proxy.get_scaled(dtype=np.float32)).astype(np.float32, copy=False)


@dataclass(frozen=True)
class _OtherLayout(Layout):
    """Formats of several files or with compression of their own: nibabel reads them."""

    extra_axes: tuple[int, ...] = ()

    def read(self, path: str, shape: tuple[int, int, int], index: int) -> Voxels:
        """Return one stored volume as float32, in the file's own axis order."""
        image: Any = nib.load(path)
        where = np.unravel_index(index, self.extra_axes, order="F") if self.extra_axes else ()
        padded = tuple(image.shape[:3]) + (1,) * (3 - len(image.shape))
        if padded != shape:
            raise ResultsError(f"{path} has changed since it was opened. Open it again.")
        volume = image.dataobj[(..., *map(int, where))] if where else image.dataobj
        return np.asarray(volume, dtype=np.float32).reshape(shape)


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
                return _open_nifti(path, max_bytes)
            return _open_other(path, max_bytes)
    except ResultsError:
        raise
    except Exception as error:  # the door for untrusted files: nibabel raises many
        raise _refusal(path, error) from error


def _open_nifti(path: str, max_bytes: int) -> list[VolumeFile]:
    head = read_head(path, _HEAD_BYTES)
    size = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
    header_class = next(
        (
            size[number]
            for order in ("little", "big")
            if (number := int.from_bytes(head[:4], order)) in size  # type: ignore[arg-type]
        ),
        None,
    )
    if header_class is None:
        raise ResultsError(f"{path} is not a NIfTI image. Check how it was made.")
    header: Any = header_class.from_fileobj(BytesIO(head), check=False)
    if header["magic"].item() not in (b"n+1", b"n+2", b"n+2\x00\r\n\x1a\n"):
        raise ResultsError(
            f"{path} holds the header of a two-file image. "
            "Open its .hdr file beside the .img file instead."
        )
    # The raw field, because nibabel turns sizes below zero into others.
    if not 1 <= header["dim"][0] <= 7 or (header["dim"][1 : 1 + header["dim"][0]] < 1).any():
        raise ResultsError(f"{path} states impossible dimensions. Its header is broken.")
    slope, inter = header.get_slope_inter()
    layout = Layout(
        dtype=header.get_data_dtype(),
        offset=int(header.get_data_offset()),
        slope=None if slope in (None, 1.0) and not inter else slope,
        inter=inter,
    )
    if layout.offset < 0:
        raise ResultsError(f"{path} states an impossible data offset. Its header is broken.")
    shape = tuple(int(n) for n in header.get_data_shape())
    _check_size(path, shape, layout.dtype, max_bytes, layout.offset)
    if not holds(path, layout.offset + math.prod(shape) * layout.dtype.itemsize):
        raise ResultsError(
            f"{path} is truncated or corrupt: it holds less than its header promises "
            f"({' x '.join(map(str, shape))} voxels). Copy or download it again."
        )
    placed = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    intent = int(header["intent_code"])
    return _volumes(path, shape, header.get_best_affine(), layout, intent, placed, max_bytes)


def _open_other(path: str, max_bytes: int) -> list[VolumeFile]:
    stem, extension = os.path.splitext(path)
    if extension.lower() == ".img":
        path = next((stem + e for e in (".hdr", ".HDR") if os.path.exists(stem + e)), path)
    image: Any = nib.load(path)
    shape = tuple(int(n) for n in image.shape)
    if not shape or min(shape) < 1:
        raise ResultsError(f"{path} states impossible dimensions. Its header is broken.")
    dtype = np.dtype(image.get_data_dtype())
    _check_size(path, shape, dtype, max_bytes, 0)
    layout = _OtherLayout(dtype, 0, None, None, extra_axes=shape[3:])
    header = image.header
    codes = [
        int(header[key]) > 0 for key in ("sform_code", "qform_code") if key in header.keys()
    ]
    # Analyze has no codes and no orientation; MGH always has one.
    placed = any(codes) if codes else extension.lower() in (".mgz", ".mgh")
    return _volumes(path, shape, image.affine, layout, 0, placed, max_bytes)


def _check_size(
    path: str, shape: tuple[int, ...], dtype: np.dtype[Any], max_bytes: int, offset: int
) -> None:
    if dtype.kind not in "iufb" or dtype.itemsize == 0:
        raise ResultsError(
            f"{path} holds {dtype} voxels, not one number each. "
            "Convert it to a map of single numbers first."
        )
    # What is read is converted to float32: both have to fit.
    needed = offset + math.prod(shape) * max(dtype.itemsize, 4)
    if needed > max_bytes:
        raise ResultsError(
            f"{path} would need {needed / 2**20:,.0f} MiB in memory; the limit is "
            f"{max_bytes / 2**20:,.0f} MiB. Raise max_bytes if the file is to be trusted."
        )


def _volumes(
    path: str,
    shape: tuple[int, ...],
    affine: npt.NDArray[np.float64],
    layout: Layout,
    intent_code: int,
    placed: bool,
    max_bytes: int,
) -> list[VolumeFile]:
    """Split an image into its volumes, all on one grid."""
    i, j, k = (*shape[:3], 1, 1)[:3]
    count = math.prod(shape[3:])
    if count > _MOST_VOLUMES:
        raise ResultsError(
            f"{path} holds {count:,} volumes: a time series, not maps. "
            "Extract the volumes that you want to see."
        )
    try:
        placement = place((i, j, k), np.asarray(affine, np.float64), max_bytes // 4)
    except ValueError as error:
        raise ResultsError(
            f"{path} has an unusable affine: {error}. Correct its header (qform, sform)."
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
    """Give infinite voxels the value of the strongest finite one, or put them outside.

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
    voxels = voxels.copy()
    if not kind.infinity_is_strongest:
        voxels[infinite] = np.nan
        return voxels, (f"{which} taken as outside: infinity means nothing there",)
    finite = voxels[np.isfinite(voxels)]
    highest = finite.max(initial=0)
    lowest = finite.min(initial=0)
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
