"""What a result set knows of a map before its voxels are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import MapName


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
