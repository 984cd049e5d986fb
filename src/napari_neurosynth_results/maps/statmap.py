"""One map: what it is at once, its voxels on first use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.names import MapName
from napari_neurosynth_results.maps.tails import negatives_count, tail_of

if TYPE_CHECKING:
    from napari_neurosynth_results.maps.results import ResultSet

Voxels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_SIGNED = frozenset({MapKind.Z, MapKind.T, MapKind.EST, MapKind.OTHER, MapKind.STAT})
#: Where a brain lies in MNI152 space, in mm: (low, high) of x, y and z.
_MNI_BRAIN = ((-72.0, 72.0), (-108.0, 74.0), (-72.0, 82.0))
#: A field of view with less of the brain's box than this was placed somewhere else.
_LEAST_COVERED = 0.25
#: No scanner's field of view is longer; a grid that is has its units wrong.
_LONGEST_MM = 500.0


@dataclass(frozen=True, eq=False)
class Grid:
    """An axis-aligned RAS+ voxel grid.

    Attributes
    ----------
    shape : tuple of int
        Number of voxels along x, y and z.
    affine : ndarray, shape (4, 4)
        Voxel index to mm; diagonal but for the origin.
    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Voxel size along x, y and z, in mm."""
        x, y, z = np.diag(self.affine)[:3]
        return float(x), float(y), float(z)

    @property
    def origin(self) -> tuple[float, float, float]:
        """Center of the first voxel, in mm."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    def same_as(self, other: Grid) -> bool:
        """Whether voxel i, j, k is the same place in both grids."""
        return self.shape == other.shape and bool(
            np.allclose(self.affine, other.affine, atol=1e-3)
        )

    def __str__(self) -> str:
        """Shape and voxel size, as in ``91 x 109 x 91, 2 mm``."""
        sizes = [f"{size:.3g}" for size in self.voxel_size]
        size = sizes[0] if len(set(sizes)) == 1 else " x ".join(sizes)
        return f"{' x '.join(map(str, self.shape))}, {size} mm"

    def mni_doubt(self) -> str | None:
        """Say why these millimeters cannot be a human brain's in MNI space.

        Returns
        -------
        str or None
            None when the grid is plausible.
        """
        covered = 1.0
        box = []
        longest = 0.0
        for axis, n, size, first, (low, high) in zip(
            "xyz", self.shape, self.voxel_size, self.origin, _MNI_BRAIN, strict=True
        ):
            start = first - size / 2
            end = start + n * size
            box.append(f"{axis} {start:.4g} to {end:.4g}")
            longest = max(longest, n * size)
            covered *= max(0.0, min(end, high) - max(start, low)) / (high - low)
        extent = f"its extent ({', '.join(box)} mm)"
        if longest > _LONGEST_MM:
            return f"{extent} is impossible for a head"
        if covered < _LEAST_COVERED:
            return f"{extent} misses most of the MNI brain"
        return None


class VoxelSource(Protocol):
    """Whatever can hand over a map's voxels; the rooms that read files make them."""

    def read(self) -> tuple[Voxels, tuple[str, ...]]:
        """Return the voxels on the map's grid and what had to be said about them."""


class MapEntry(Protocol):
    """What a result set knows of one map: a `MapFile`, or one that waits elsewhere.

    Kind and name are known at once. Grid, notices and degrees of freedom stand in the
    file's header: asking for them brings a map here that is not at hand.
    """

    @property
    def key(self) -> str:
        """Name of the map in its set."""

    @property
    def label(self) -> str:
        """What people call the map when its name is not NiMARE's."""

    @property
    def name(self) -> MapName | None:
        """The parsed file name, None when it is not NiMARE's."""

    @property
    def kind(self) -> MapKind:
        """What the numbers are."""

    @property
    def path(self) -> str:
        """The file, or the address that it comes from."""

    @property
    def filename(self) -> str:
        """The name of the file, without its folder."""

    @property
    def grid(self) -> Grid:
        """Shape and affine."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What there is reason to say."""

    @property
    def dof(self) -> float | tuple[float, float] | None:
        """Degrees of freedom that the header states."""

    @property
    def label_names(self) -> Mapping[int, str]:
        """Names of the labels of an atlas."""

    @property
    def at_hand(self) -> bool:
        """Whether the file is on this machine."""

    @property
    def nbytes(self) -> int | None:
        """Size of the file, None when unknown."""

    def fetch(self, job: Job) -> None:
        """Bring the file to this machine."""

    @property
    def source(self) -> VoxelSource:
        """Where the voxels come from."""


@dataclass(frozen=True)
class MapFile:
    """What a source found out about one map before its voxels are read.

    Attributes
    ----------
    key : str
        Name of the map in its set: the file stem, with ``#2`` and so on for the
        volumes of a 4-D file.
    name : MapName or None
        The parsed file name, None when it is not NiMARE's.
    kind : MapKind
        What the numbers are.
    grid : Grid
        Shape and affine after canonicalization.
    path : str
        The file.
    source : VoxelSource
        Where the voxels come from.
    notices : tuple of str
        What the header gives reason to say.
    dof : float, pair of float or None
        Degrees of freedom of a t, chi2 or (two) F map, when its header states them.
    label : str
        What people call the map when its name is not NiMARE's; the key if empty.
    label_names : mapping of int to str
        Names of the labels of an atlas; empty when none are known.
    """

    key: str
    name: MapName | None
    kind: MapKind
    grid: Grid
    path: str
    source: VoxelSource = field(repr=False)
    notices: tuple[str, ...] = ()
    dof: float | tuple[float, float] | None = None
    label: str = ""
    label_names: Mapping[int, str] = field(default_factory=dict)

    #: What is on disk is here.
    at_hand: ClassVar[bool] = True

    @property
    def filename(self) -> str:
        """The name of the file, without its folder."""
        return os.path.basename(self.path)

    @property
    def nbytes(self) -> int | None:
        """Size of the file, None when it is gone."""
        try:
            return os.path.getsize(self.path)
        except OSError:
            return None

    def fetch(self, job: Job) -> None:
        """Do nothing: the file is here."""


@dataclass(frozen=True, eq=False)
class StatMap:
    """One map of a result: its meaning at once, its voxels on first use.

    Attributes
    ----------
    file : MapEntry
        What is known without reading voxels.
    title : str
        Plain words, unique within the set.
    results : ResultSet
        The set the map belongs to.
    """

    file: MapEntry
    title: str
    results: ResultSet = field(repr=False)

    @property
    def key(self) -> str:
        """Name of the map in its result set: the file stem."""
        return self.file.key

    @property
    def name(self) -> MapName | None:
        """The parsed file name, None when it is not NiMARE's."""
        return self.file.name

    @property
    def kind(self) -> MapKind:
        """What the numbers are."""
        return self.file.kind

    @property
    def grid(self) -> Grid:
        """Shape and affine.

        Raises
        ------
        ResultsError
            When the map is not at hand and cannot be brought here.
        """
        self.results.demand(self)
        return self.file.grid

    @property
    def path(self) -> str:
        """The file the map came from, or the address of one on a server."""
        return self.file.path

    @property
    def notices(self) -> tuple[str, ...]:
        """What the header gives reason to say; nothing before it is here."""
        return self.file.notices if self.at_hand else ()

    @property
    def dof(self) -> float | tuple[float, float] | None:
        """Degrees of freedom of a t, chi2 or (two) F map that its header states."""
        self.results.demand(self)
        return self.file.dof

    @property
    def at_hand(self) -> bool:
        """Whether the file is on this machine."""
        return self.file.at_hand

    @property
    def level(self) -> str | None:
        """``"cluster"``, ``"voxel"`` or None for an uncorrected map."""
        return self.name.level if self.name else None

    @property
    def correction(self) -> str | None:
        """``"FWE"``, ``"FDR"`` or None for an uncorrected map."""
        return self.name.correction if self.name else None

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Voxel index to MNI mm, shape (4, 4), diagonal but for the origin."""
        return self.grid.affine

    @property
    def data(self) -> Voxels:
        """Voxels, float32 (i, j, k), RAS+; read-only; NaN is outside.

        Raises
        ------
        ResultsError
            When the file is broken, truncated or larger than the reading limit.
        """
        return self.results.voxels_of(self)

    @property
    def mask(self) -> Mask | None:
        """The analysis mask, bool (i, j, k), from all siblings; None if unknown."""
        return self.results.mask_of(self)

    @property
    def tail(self) -> Tail:
        """One-tailed, two-tailed or no tail: measured on siblings, else by name."""
        return self.results.remember((self.key, "tail"), lambda: tail_of(self))

    @property
    def has_negatives(self) -> bool:
        """Whether any voxel is below zero."""
        return self.results.remember(
            (self.key, "negatives"), lambda: bool((self.data < 0).any())
        )

    @property
    def signed(self) -> bool:
        """Whether the negative side means the opposite effect.

        A one-tailed z may be negative, but that is never evidence for a deactivation,
        unless the test gave the negative direction a p of its own.
        """
        if self.kind not in _SIGNED or not self.has_negatives:
            return False
        return self.results.remember(
            (self.key, "signed"), lambda: negatives_count(self)
        )

    def __copy__(self) -> StatMap:
        """Return the map itself: it cannot change."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> StatMap:
        """Return the map itself: copying a layer must not copy a result set."""
        return self
