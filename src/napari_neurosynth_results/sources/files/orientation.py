"""From a stored affine to an axis-aligned RAS+ grid: flips, transposes, resampling.

SPM keeps the affine of an Analyze image in a MATLAB file beside it. It is read here:
two matrices of 16 numbers. Readers of whole MATLAB files trust what they read.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from nibabel.orientations import (
    apply_orientation,
    inv_ornt_aff,
    io_orientation,
)
from nibabel.spaces import vox2out_vox

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.sources.placeholders import (
    read_at_most,
    refuse_placeholder,
)

#: A tilt that moves no voxel by more than this share of its size is rounding.
_ROUNDING = 0.1
#: The box around a turned cube is at most 3 ** 1.5 times its volume.
_LOOSEST_BOX = 6
#: Largest condition number of a usable affine; beyond, axes coincide.
_FLATTEST = 1e6
#: Bytes of a MATLAB file that are read, and that one of its parts may inflate to: two
#: matrices for each of some thousand volumes.
_MOST_MAT = 1 << 20
_MAT_HEAD = 128
_COMPRESSED, _MATRIX = 15, 14
#: Types of numbers in MATLAB 5 files by their code, and in MATLAB 4 files by a digit.
_MAT_5 = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_MAT_4 = ("f8", "f4", "i4", "i2", "u2", "u1")
_WANTED = ("mat", "M")
#: Sizes of voxels, in mm, between which numbers of double precision are safe: places
#: are counted in voxels, and voxels in places.
_SMALLEST, _LARGEST = 1e-9, 1e9
_UPRIGHT = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])


@dataclass(frozen=True)
class Reorientation:
    """How stored axes become an axis-aligned RAS+ grid.

    Attributes
    ----------
    grid : Grid
        The grid that results.
    orientation : ndarray, shape (3, 2)
        nibabel's orientation: where each stored axis goes and whether it is flipped.
    oblique : ndarray, shape (4, 4), or None
        Grid voxel to stored voxel, when the image has to be resampled.
    notices : tuple of str
        What a user should know.
    """

    grid: Grid
    orientation: npt.NDArray[np.float64]
    oblique: npt.NDArray[np.float64] | None
    notices: tuple[str, ...]

    def apply(self, stored: Voxels, *, smooth: bool) -> Voxels:
        """Bring stored voxels onto the grid.

        Parameters
        ----------
        stored : ndarray of float32, shape (i, j, k)
            As in the file.
        smooth : bool
            Interpolate linearly where resampling is needed, else take the nearest
            voxel. Outside becomes 0, or NaN where the file marks the outside with NaN.

        Returns
        -------
        ndarray of float32
            RAS+, laid out so that its transpose (z, y, x) is contiguous.
        """
        if self.oblique is not None:
            voxels = self._resample(stored, order=1 if smooth else 0)
        else:
            voxels = apply_orientation(stored, self.orientation)
        return np.asfortranarray(voxels)

    def _resample(self, stored: Voxels, order: Literal[0, 1]) -> Voxels:
        from scipy.ndimage import affine_transform

        assert self.oblique is not None
        matrix, offset = self.oblique[:3, :3], self.oblique[:3, 3]
        shape = self.grid.shape
        outside = np.isnan(stored)
        filled: Voxels = np.where(outside, np.float32(0), stored)
        voxels: Voxels = affine_transform(
            filled, matrix, offset, output_shape=shape, order=order, output=np.float32
        )
        if outside.any():
            # Linear interpolation would let one NaN eat its neighbors.
            gone = affine_transform(
                outside.view(np.uint8),
                matrix,
                offset,
                output_shape=shape,
                order=0,
                cval=1,
            )
            voxels[gone.astype(bool)] = np.nan
        return voxels


def stored_affine(
    reorientation: Reorientation, shape: tuple[int, int, int]
) -> npt.NDArray[np.float64]:
    """Return stored voxel to mm, of which a reorientation was made.

    Parameters
    ----------
    shape : tuple of int
        The three spatial axes as stored.
    """
    grid = reorientation.grid
    if reorientation.oblique is not None:
        return np.asarray(grid.affine @ np.linalg.inv(reorientation.oblique))
    turned = inv_ornt_aff(reorientation.orientation, shape)
    return np.asarray(grid.affine @ np.linalg.inv(turned))


def move_to_space(
    reorientation: Reorientation,
    shape: tuple[int, int, int],
    world: npt.NDArray[np.float64],
) -> Reorientation:
    """Find the grid on which an image stands in another space.

    Parameters
    ----------
    reorientation : Reorientation
        How it is read in its own space.
    shape : tuple of int
        The three spatial axes as stored.
    world : ndarray, shape (4, 4)
        Its mm to those of the other space.

    Returns
    -------
    Reorientation
        To voxels of the same size that hold all of the image; centers are whole
        multiples of their size away from the origin, as in the usual MNI grids.
    """
    affine = world @ stored_affine(reorientation, shape)
    sizes = np.array(reorientation.grid.voxel_size)
    ends = np.array(np.meshgrid(*([0, n - 1] for n in shape)), float).reshape(3, -1)
    corners = affine[:3, :3] @ ends + affine[:3, 3:]
    low = np.floor(corners.min(axis=1) / sizes + 1e-6)
    high = np.ceil(corners.max(axis=1) / sizes - 1e-6)
    x, y, z = (int(n) for n in high - low + 1)
    out_affine = np.diag([*sizes, 1.0])
    out_affine[:3, 3] = low * sizes
    return Reorientation(
        Grid((x, y, z), out_affine),
        reorientation.orientation,
        np.asarray(np.linalg.inv(affine) @ out_affine, np.float64),
        (),
    )


def find_reorientation(
    shape: tuple[int, int, int], affine: npt.NDArray[np.float64], most_voxels: int
) -> Reorientation:
    """Find the axis-aligned RAS+ grid for a stored image.

    Parameters
    ----------
    shape : tuple of int
        The three spatial axes as stored.
    affine : ndarray, shape (4, 4)
        Stored voxel to mm.
    most_voxels : int
        Refuse to resample to a grid larger than this.

    Returns
    -------
    Reorientation
        With a notice when the image has to be resampled.

    Raises
    ------
    ValueError
        When the affine is singular, not finite or too skewed; the text says which.
    """
    if not np.isfinite(affine).all():
        raise ValueError("it is not finite")
    columns = affine[:3, :3]
    upright = not (columns - np.diag(steps := columns.diagonal())).any()
    if upright and steps.min() > _SMALLEST and steps.max() < _LARGEST:
        # Nearly every file: no need of the singular values behind io_orientation.
        return Reorientation(Grid(shape, affine), _UPRIGHT, None, ())
    sizes = np.sqrt((columns**2).sum(axis=0))
    if not np.isfinite(sizes).all() or (sizes == 0).any():
        raise ValueError("it is singular")
    if sizes.min() < _SMALLEST or sizes.max() > _LARGEST:
        raise ValueError("its voxels are smaller or larger than any in a brain")
    if np.linalg.cond(columns / sizes) > _FLATTEST:
        raise ValueError("it is singular")
    orientation = io_orientation(affine)
    if np.isnan(orientation).any():
        raise ValueError("it is singular")
    turned = affine @ inv_ornt_aff(orientation, shape)
    order = np.argsort(orientation[:, 0])
    i, j, k = (int(n) for n in np.array(shape)[order])
    if _tilt(turned, (i, j, k)) <= _ROUNDING:
        aligned = np.diag([*np.diag(turned)[:3], 1.0])
        aligned[:3, 3] = turned[:3, 3]
        return Reorientation(Grid((i, j, k), aligned), orientation, None, ())
    # The voxels may differ in size along the axes; keep the sizes of the nearest axes.
    out_shape, out_affine = vox2out_vox((shape, affine), voxel_sizes=sizes[order])
    x, y, z = (int(n) for n in out_shape)
    if min(x, y, z) < 1 or x * y * z > _LOOSEST_BOX * i * j * k + 2**16:
        raise ValueError("it is too skewed to be resampled")
    if x * y * z > most_voxels:
        raise ValueError("it is oblique, and resampling it would need too much memory")
    return Reorientation(
        Grid((x, y, z), out_affine),
        orientation,
        np.linalg.inv(affine) @ out_affine,
        ("its axes are oblique: it was resampled to an axis-aligned grid",),
    )


def _tilt(upright: npt.NDArray[np.float64], shape: tuple[int, int, int]) -> float:
    """Return how far, in voxels, leaving the tilt out would move a voxel at most."""
    sizes = np.abs(np.diag(upright)[:3])
    off = np.abs(upright[:3, :3] - np.diag(np.diag(upright)[:3]))
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = (off @ (np.array(shape) - 1)) / sizes
    return float(np.nan_to_num(moved, nan=np.inf).max())


def read_spm_affine(path: str) -> npt.NDArray[np.float64] | None:
    """Read the affine that SPM wrote beside an Analyze image.

    Parameters
    ----------
    path : str
        The ``.mat`` file of the same name.

    Returns
    -------
    ndarray, shape (4, 4), or None
        Voxel, counted from 0, to mm; None when there is no such file, or an empty one.
        Of several volumes it is that of the first.

    Raises
    ------
    ResultsError
        When the file holds no affine that can be read.
    """
    if not os.path.lexists(path):
        return None
    refuse_placeholder(path)
    try:
        with open(path, "rb") as file:
            data = read_at_most(file, _MOST_MAT)
        if not data:
            return None
        found = _mat_5(data) if data[126:128] in (b"IM", b"MI") else _mat_4(data)
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}.") from error
    except (struct.error, ValueError, LookupError, zlib.error):
        found = {}
    if not found:
        raise ResultsError(
            f"{path}, which states the orientation of the image beside it, holds no "
            "affine that can be read. Copy it again, or move it away to do without."
        )
    # SPM's own M has no flip of the first axis, which Analyze images have.
    flip = np.diag([-1.0, 1, 1, 1])
    affine = found["mat"] if "mat" in found else flip @ found["M"]
    from_1 = np.eye(4)
    from_1[:3, 3] = 1  # MATLAB counts from 1
    return np.asarray(affine @ from_1, np.float64)


def _mat_5(data: bytes) -> dict[str, npt.NDArray[np.float64]]:
    """Find the affines in a file of MATLAB 5 to 7."""
    order = "<" if data[126:128] == b"IM" else ">"
    found: dict[str, npt.NDArray[np.float64]] = {}
    at = _MAT_HEAD
    while at + 8 <= len(data) and len(found) < len(_WANTED):
        code, size = struct.unpack_from(f"{order}II", data, at)
        part = data[at + 8 : at + 8 + size]
        at += 8 + size
        if code == _COMPRESSED:
            part = zlib.decompressobj().decompress(part, _MOST_MAT)
            code, size = struct.unpack_from(f"{order}II", part)
            part = part[8 : 8 + size]
        if code == _MATRIX:
            _, at_shape = _element(part, 0, order)
            (kind, shape), at_name = _element(part, at_shape, order)
            (_, name), at_numbers = _element(part, at_name, order)
            if (text := name.decode("latin-1")) in _WANTED:
                rows = np.frombuffer(shape, f"{order}{_MAT_5[kind]}")
                (kind, numbers), _ = _element(part, at_numbers, order)
                found[text] = _square(rows, numbers, f"{order}{_MAT_5[kind]}")
    return found


def _element(data: bytes, at: int, order: str) -> tuple[tuple[int, bytes], int]:
    """Read one field: its code and bytes, and where the next begins."""
    code, size = struct.unpack_from(f"{order}II", data, at)
    if code >> 16:  # up to four bytes stand within the tag
        return (code & 0xFFFF, data[at + 4 : at + 4 + min(code >> 16, 4)]), at + 8
    return (code, data[at + 8 : at + 8 + size]), at + 8 + 8 * math.ceil(size / 8)


def _mat_4(data: bytes) -> dict[str, npt.NDArray[np.float64]]:
    """Find the affines in a file of MATLAB 4."""
    found: dict[str, npt.NDArray[np.float64]] = {}
    at = 0
    while at + 20 <= len(data) and len(found) < len(_WANTED):
        order = "<" if struct.unpack_from("<i", data, at)[0] in range(100) else ">"
        code, rows, columns, imaginary, named = struct.unpack_from(
            f"{order}5i", data, at
        )
        dtype = np.dtype(f"{order}{_MAT_4[code // 10 % 10]}")
        name = data[at + 20 : at + 20 + named].rstrip(b"\0").decode("latin-1")
        at += 20 + named
        size = rows * columns * dtype.itemsize
        if min(rows, columns, named) < 0 or imaginary:
            raise ValueError("impossible sizes")
        if name in _WANTED:
            shape = np.array([rows, columns])
            found[name] = _square(shape, data[at : at + size], dtype.str)
        at += size
    return found


def _square(
    shape: npt.NDArray[Any], numbers: bytes, dtype: str
) -> npt.NDArray[np.float64]:
    """Return the first matrix of 4 x 4, stored by columns."""
    if list(shape[:2]) != [4, 4]:
        raise ValueError("not 4 x 4")
    return np.frombuffer(numbers, dtype, 16).astype(np.float64).reshape(4, 4).T
