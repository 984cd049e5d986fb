"""One map: what it is at once, its voxels on first use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.entry import MapEntry
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.names import MapName
from napari_neurosynth_results.maps.tails import negatives_count, tail_of

if TYPE_CHECKING:
    from napari_neurosynth_results.maps.results import ResultSet

Mask = npt.NDArray[np.bool_]


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
        if not self.kind.row.signed or not self.has_negatives:
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
