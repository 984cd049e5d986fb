"""One volume of an image file: where its voxels are, and how they come out.

Whatever a file holds - any storage order, number type, byte order, scaling - what
leaves is float32 on an axis-aligned RAS+ grid, or a `ResultsError` that names the file
and says what is wrong with it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from nibabel.volumeutils import apply_read_scaling

from napari_neurosynth_results.anatomy.coordinates import TAL_TO_MNI
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.sources.files.gzip_reader import (
    read_bytes,
    read_head,
    read_pieces,
)
from napari_neurosynth_results.sources.files.orientation import (
    Reorientation,
    move_to_space,
)
from napari_neurosynth_results.sources.files.stated_space import opposite_sides

#: Stands in for an infinite value when a map has no finite one: z where p underflows
#: float64 (scipy.stats.norm.sf(38.5) is about 0).
_STRONGEST = np.float32(38.5)
#: Voxels scaled at once: float64 in between has not to exist for the whole volume.
_SLAB = 1 << 18


@dataclass(frozen=True)
class Intent:
    """What a header says that the numbers are.

    Attributes
    ----------
    code : int
        NIfTI intent, 0 when the header does not say.
    dof : float, pair of float or None
        Degrees of freedom of a t or chi2 map; of numerator and denominator for F.
    """

    code: int = 0
    dof: float | tuple[float, float] | None = None


@dataclass(frozen=True)
class VolumeFile:
    """One volume of an image file: its header is known, its voxels are not read.

    Attributes
    ----------
    index, count : int
        Which of how many volumes.
    shape : tuple of int
        The three spatial axes as stored.
    reorientation : Reorientation
        How the stored axes become an axis-aligned RAS+ grid.
    intent : Intent
        What the header says that the numbers are.
    notices : tuple of str
        What the header gives reason to say.
    layout : Layout
        Where the voxels are and how they are written.
    forms : pair of ndarray, shape (4, 4), or None
        sform, which is used, and qform, where the two differ.
    """

    path: str
    index: int
    count: int
    shape: tuple[int, int, int]
    reorientation: Reorientation
    intent: Intent
    notices: tuple[str, ...]
    layout: Layout
    forms: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None

    @property
    def grid(self) -> Grid:
        """The grid on which the voxels will be handed over."""
        return self.reorientation.grid

    def moved_to_mni(self) -> VolumeFile:
        """Return the volume as it stands in MNI space, where it is in Talairach's.

        Raises
        ------
        ResultsError
            When its file states a third space.
        """
        name, elsewhere = os.path.basename(self.path), self.grid.elsewhere
        if elsewhere is not None and not self.grid.in_talairach:
            raise ResultsError(
                f"{name} cannot be moved from Talairach to MNI space: {elsewhere}."
            )
        notices = [n for n in self.notices if "it is not in MNI space" not in n]
        told = (
            "moved from Talairach to MNI space, as you asked, by the nearest voxel "
            "(inverse of icbm_other, Lancaster et al. 2007)"
        )
        if elsewhere is None:
            told += "; its file does not say that it was in Talairach space"
        return replace(
            self,
            reorientation=move_to_space(self.reorientation, self.shape, TAL_TO_MNI),
            notices=(*notices, f"{name}: {told}"),
        )

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
                finite, notices = _replace_infinities(stored, kind)
                notices += self._peak_sides(finite)
                voxels = self.reorientation.apply(finite, smooth=smooth)
        except ResultsError:
            raise
        except Exception as error:  # the door for untrusted files: nibabel raises many
            raise reading_error(self.path, error) from error
        name = os.path.basename(self.path)
        return voxels, tuple(f"{name}: {notice}" for notice in notices)

    def _peak_sides(self, stored: Voxels) -> tuple[str, ...]:
        """Say whether the strongest voxel is on one side by sform and qform."""
        if self.forms is None:
            return ()
        strength = np.nan_to_num(np.abs(stored))
        peak = tuple(map(int, np.unravel_index(strength.argmax(), stored.shape)))
        sides = opposite_sides(*self.forms, peak)
        if sides is None or not strength[peak]:
            return ()
        return (
            f"its strongest voxel is at x = {sides[0]:.4g} mm by its sform and at x = "
            f"{sides[1]:.4g} mm by its qform: the sform is used, because that is the "
            "one that can state a standard space. Check a place whose side you know",
        )


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

    def read_each(self, shape: tuple[int, int, int], count: int) -> Iterator[Voxels]:
        """Yield all `count` stored volumes in turn; only one is in memory."""
        nbytes = math.prod(shape) * self.dtype.itemsize
        for raw in read_pieces(self.file, self.offset, nbytes, count):
            yield self._scaled(raw.view(self.dtype)).reshape(shape, order="F")

    def _scaled(self, stored: npt.NDArray[Any]) -> Voxels:
        if self.slope is None:
            return stored.astype(np.float32, copy=False)
        voxels = np.empty(stored.size, np.float32)
        for start in range(0, stored.size, _SLAB):
            slab = slice(start, start + _SLAB)
            voxels[slab] = apply_read_scaling(stored[slab], self.slope, self.inter)
        return voxels


def _replace_infinities(
    voxels: Voxels, kind: MapKind
) -> tuple[Voxels, tuple[str, ...]]:
    """Give infinite voxels the strongest finite value, or put them outside.

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
    if not voxels.flags.writeable:
        voxels = voxels.copy(order="K")
    which = "1 infinite voxel was" if n == 1 else f"{n:,} infinite voxels were"
    if not kind.infinity_is_strongest:
        voxels[infinite] = np.nan
        return voxels, (
            f"{which} taken as outside: infinity has no meaning in such a map",
        )
    finite = np.isfinite(voxels)
    highest = voxels.max(initial=0, where=finite)
    lowest = voxels.min(initial=0, where=finite)
    voxels[np.isposinf(voxels)] = highest if highest > 0 else _STRONGEST
    voxels[np.isneginf(voxels)] = lowest if lowest < 0 else -_STRONGEST
    return voxels, (f"{which} kept at the largest finite value: p underflowed there",)


def reading_error(path: str, error: Exception) -> ResultsError:
    """Turn whatever a broken file provoked into a message that names the file.

    Parameters
    ----------
    error : Exception
        Of any kind: nibabel, numpy and the operating system raise many.

    Returns
    -------
    ResultsError
        The error itself when it is one already.
    """
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
