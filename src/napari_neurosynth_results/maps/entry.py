"""What a result set knows of a map before its voxels are read; which comes first."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, TypeVar

from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import MapName
from napari_neurosynth_results.maps.programs import TO_MNI, Reading, as_natural_log

_Made = TypeVar("_Made")


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
    def reading(self) -> Reading:
        """What the map is taken for, and on whose word."""

    def taken_as(self, reading: Reading) -> MapEntry:
        """Return the map as what a user says that it holds."""

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
    def made_from(self) -> tuple[Any, ...]:
        """The maps that it is computed from; empty for a file."""

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
    stated : Reading, optional
        What the map is taken for, where more is known than name and kind.
    remade : callable, optional
        Makes the file anew, to be read as another kind.
    made_from : tuple of StatMap
        The maps that it is computed from; empty for a file.
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
    stated: Reading | None = None
    remade: Callable[[Reading], MapFile] | None = field(default=None, repr=False)
    made_from: tuple[Any, ...] = field(default=(), repr=False)

    #: What is on disk is here.
    at_hand: ClassVar[bool] = True

    @property
    def reading(self) -> Reading:
        """What the map is taken for, and on whose word."""
        return self.stated or Reading(self.kind, self.name)

    def taken_as(self, reading: Reading) -> MapFile:
        """Return the map as what a user says that it holds."""
        if self.remade is None:
            dof = self.dof if reading.kind is self.kind else None
            return replace(
                self,
                kind=reading.kind,
                name=reading.name,
                stated=reading,
                dof=dof if reading.dof is None else reading.dof,
            )
        made = self.remade(reading)
        return replace(
            made,
            key=self.key,
            label_names=self.label_names,
        )

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


# What a user says that maps hold, and where they lie.

#: Stands for several maps.
EVERY_MAP = "*"


def say_of_each(
    files: Mapping[str, MapEntry], kinds: Mapping[str, str]
) -> dict[str, str]:
    """Say of each map what a user said of it, or of several.

    Parameters
    ----------
    files : mapping of str to MapEntry
        The maps of one set.
    kinds : mapping of str to str
        Key of a map -> what it holds; ``*`` for all. ``to-MNI`` for all means those
        that are here and whose files state Talairach space; all, where none does.

    Returns
    -------
    dict of str to str
        By key alone.
    """
    if EVERY_MAP not in kinds:
        return dict(kinds)
    text, keys = kinds[EVERY_MAP], list(files)
    if text.strip().lower() == TO_MNI:
        here = [key for key in keys if files[key].at_hand]
        keys = [key for key in here if files[key].grid.in_talairach] or keys
    said = {key: text for key, text in kinds.items() if key != EVERY_MAP}
    return dict.fromkeys(keys, text) | said


def tell_moves(
    problems: Iterable[str],
    before: Mapping[str, MapEntry],
    after: Mapping[str, MapEntry],
) -> list[str]:
    """Say what there is to say of maps that were moved, or are taken for another kind.

    Parameters
    ----------
    problems : iterable of str
        What was told; a notice of several maps once, behind the name of the first.
    before, after : mapping of str to MapEntry
        The maps of one set.

    Returns
    -------
    list of str
        What is to be told now.
    """
    moved = [
        key
        for key, file in after.items()
        if file.at_hand and file.notices != before[key].notices
    ]
    gone = {_told(notice) for key in moved for notice in before[key].notices}
    kept = [one for one in problems if _told(one) not in gone]
    for key, file in after.items() if moved else ():
        if file.at_hand:
            kept += [n for n in file.notices if key in moved or _told(n) in gone]
    return list(dict.fromkeys(kept))


def _told(notice: str) -> str:
    return notice.partition(": ")[2]


#: NiMARE called them so up to 0.0.3, and `stat` from 0.0.4 on.
_OLD_STATISTICS = frozenset({"ale", "of"})
_NIDM = "NIDM-Results"
_NIDM_CLASS = re.compile(r"(?:^|_)(?:[ZTF]Statistic|ExcursionSet)")


def tell_by_neighbors(files: Iterable[MapEntry]) -> list[MapEntry]:
    """Take maps for what only the names beside them tell.

    The logp maps of NiMARE 0.0.1 to 0.0.3 are natural logarithms, and the excursion set
    of a NIDM-Results pack holds z where FSL wrote it, t or F where SPM did.

    Parameters
    ----------
    files : iterable of MapEntry
        The maps of one set.

    Returns
    -------
    list of MapEntry
        The same maps.
    """
    files = list(files)
    old = {f.name.run for f in files if f.name and f.name.value in _OLD_STATISTICS}
    packs: dict[str, list[MapEntry]] = defaultdict(list)
    for file in files:
        packs[_pack_of(file)].append(file)
    excursions = {pack: _kind_of_excursions(inside) for pack, inside in packs.items()}
    found = []
    for file in files:
        reading = file.reading
        if file.name is not None and file.name.run in old:
            reading = as_natural_log(reading)
        elif (kind := excursions[_pack_of(file)]) and _is_untold_excursion(file):
            reading = replace(reading, kind=kind, word="name")
        same = reading.kind is file.kind
        found.append(file if same else file.taken_as(reading))
    return found


def _pack_of(file: MapEntry) -> str:
    """Return what stands before the class of a map of a pack: the pack's own name."""
    found = _NIDM_CLASS.search(file.key)
    return file.key[: found.start()] if found else ""


def _is_untold_excursion(file: MapEntry) -> bool:
    of_pack = file.reading.program == _NIDM and bool(file.reading.cut)
    return of_pack and file.kind is MapKind.OTHER


def _kind_of_excursions(files: Iterable[MapEntry]) -> MapKind | None:
    """Return the kind of the statistic that a pack's excursion sets were cut from."""
    kinds = {
        file.kind
        for file in files
        if file.reading.program == _NIDM and file.kind.row.has_p
    }
    # FSL's packs hold the t or F as well that it made z of.
    if MapKind.Z in kinds:
        return MapKind.Z
    return kinds.pop() if len(kinds) == 1 else None


# The order of interest: what a user wants to see first comes first.

_KINDS = tuple(MapKind)
_MAIN = frozenset({"", "association", "group1MinusGroup2", "balancedGroup1MinusGroup2"})
_GROUPS = {"group1": 2, "group2": 3}
_LAST = 4


def sort_by_interest(files: Iterable[MapEntry]) -> list[MapEntry]:
    """Sort maps: by kind, the main contrast first, corrected before uncorrected.

    Parameters
    ----------
    files : iterable of MapEntry
        The maps of one set.

    Returns
    -------
    list of MapEntry
        The same maps.
    """
    files = list(files)
    # MKDAChi2's uniformity and group1 hold the same numbers: the second comes last.
    uniform = {f.name.run for f in files if f.name and f.name.contrast == "uniformity"}
    return sorted(files, key=lambda file: _interest(file, uniform))


def _interest(
    file: MapEntry, uniform: Collection[tuple[str, str, str]]
) -> tuple[Any, ...]:
    name = file.name
    kind = _KINDS.index(file.kind)
    if name is None:
        # A statistic comes before what is left of it above a threshold.
        cut = "cut" if file.reading.cut else ""
        return (kind, 1, True, True, cut, ("", "", ""), file.key)
    contrast = 0 if name.contrast in _MAIN else _GROUPS.get(name.contrast, 1)
    if name.contrast == "group1" and name.run in uniform:
        contrast = _LAST
    return (
        kind,
        contrast,
        name.correction is None,
        name.level != "cluster",
        name.cluster_statistic or "",
        name.run,
        file.key,
    )


@dataclass(frozen=True, eq=False)
class MadeWhenAsked(Mapping[str, _Made]):
    """What a set holds by name, each made as it is asked for."""

    names: Mapping[str, object]
    make: Callable[[str], _Made]

    def __getitem__(self, key: str) -> _Made:
        return self.make(key)

    def __contains__(self, key: object) -> bool:
        return key in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
