"""A result set: the maps of one source, how they belong together, what is beside."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.order import in_order_of_interest
from napari_neurosynth_results.maps.statmap import (
    MapFile,
    Mask,
    StatMap,
    VoxelCache,
    Voxels,
)
from napari_neurosynth_results.maps.titles import unique_titles

if TYPE_CHECKING:
    import pandas as pd

Fact = TypeVar("Fact")

#: Voxels a set keeps alive by itself: about 6 maps of the 2 mm MNI grid.
CACHE_BYTES = 24 * 2**20

_CORNERS = np.ix_((0, -1), (0, -1), (0, -1))
#: Kinds that are non-zero everywhere in the mask, and so show where it ends.
_DENSE = frozenset({MapKind.P, MapKind.SE, MapKind.DOF})
#: NiMARE 0.22.1: `CBMAEstimator` and `PermutedOLS`, correct_fwe_montecarlo.
_ITERATIONS = re.compile(
    r"repeated ([\d,]*\d) times|([\d,]*\d) iterations were performed"
)
#: What stands before belongs to the uncorrected map: ALESubtraction permutes twice.
_CORRECTION = "Family-wise error"


class ResultSet:
    """The maps of one source, and the tables and texts beside them.

    Parameters
    ----------
    files : sequence of MapFile
        What the source found.
    title, source : str
        What to call the set; the path or address it came from.
    problems : sequence of str
        What could not be opened and why.
    tables : mapping of str to callable
        File stem -> function that reads the table.
    methods, references : str
        Methods text (LaTeX) and BibTeX entries, empty when there are none.

    Attributes
    ----------
    tables : mapping of str to pandas.DataFrame
        File stem -> table, read on first use.
    studies : None
        Reserved for the studies behind the maps; files on disk hold none.
    """

    def __init__(
        self,
        files: Sequence[MapFile],
        *,
        title: str,
        source: str,
        problems: Sequence[str] = (),
        tables: Mapping[str, Callable[[], pd.DataFrame]] = MappingProxyType({}),
        methods: str = "",
        references: str = "",
    ) -> None:
        self.title = title
        self.source = source
        self.methods = methods
        self.references = references
        self.tables: Mapping[str, pd.DataFrame] = _Tables(tables)
        self.studies = None
        self._problems = list(problems)
        self._cache = VoxelCache(CACHE_BYTES)
        self._facts: dict[Hashable, Any] = {}
        self._lock = threading.Lock()
        files = in_order_of_interest(files)
        titles = unique_titles([(file.key, file.name) for file in files])
        self._files = {file.key: file for file in files}
        self._titles = dict(zip(self._files, titles, strict=True))
        # Weak, because each map refers to its set: a set that nobody uses any more
        # has to give its voxels back at once, not when cycles are collected.
        self._alive: WeakValueDictionary[str, StatMap] = WeakValueDictionary()

    @property
    def maps(self) -> Mapping[str, StatMap]:
        """The maps by file stem, in order of interest."""
        return _Maps(self._files, self._map)

    def _map(self, key: str) -> StatMap:
        with self._lock:
            if (statmap := self._alive.get(key)) is None:
                statmap = StatMap(self._files[key], self._titles[key], self)
                self._alive[key] = statmap
            return statmap

    def __getitem__(self, key: str) -> StatMap:
        """Return a map by its file stem, as ``results.maps[key]`` does."""
        return self._map(key)

    def __repr__(self) -> str:
        """Title, number of maps and of problems."""
        return (
            f"<ResultSet {self.title!r}: {len(self._files)} maps, "
            f"{len(self.problems)} problems>"
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be opened or had to be changed, and why.

        Broken voxels show only when they are read: the list may grow.
        """
        with self._lock:
            return tuple(self._problems)

    @property
    def iterations(self) -> int | None:
        """Monte Carlo iterations, as the methods text states them."""
        _, correction, text = self.methods.partition(_CORRECTION)
        found = _ITERATIONS.findall(text if correction else self.methods)
        counts = {int("".join(groups).replace(",", "")) for groups in found}
        return counts.pop() if len(counts) == 1 else None

    def run_of(self, statmap: StatMap) -> list[StatMap]:
        """Return all maps of the same meta-analysis, this one among them."""
        if statmap.name is None:
            return [statmap]
        run = statmap.name.run
        return [m for m in self.maps.values() if m.name and m.name.run == run]

    def siblings(self, statmap: StatMap) -> dict[str, StatMap]:
        """Find the maps of the same test and correction with another value.

        Parameters
        ----------
        statmap : StatMap
            A map of this set.

        Returns
        -------
        dict of str to StatMap
            ``{"p": ..., "logp": ..., "stat": ...}``; empty for names that are not
            NiMARE's.
        """
        if statmap.name is None:
            return {}
        entities = frozenset(statmap.name.entities)
        found: dict[str, StatMap] = {}
        for other in self.run_of(statmap):
            assert other.name is not None
            same = frozenset(other.name.entities) == entities
            if same and other.name.value != statmap.name.value:
                found.setdefault(other.name.value, other)
        return found

    def uncorrected(self, statmap: StatMap, value: str | None = None) -> StatMap | None:
        """Find the map a corrected one was made from; an uncorrected map is its own.

        Parameters
        ----------
        statmap : StatMap
            A map of this set.
        value : str, optional
            Find the uncorrected map with this value (``"z"``) instead of its own.

        Returns
        -------
        StatMap or None
            None when it is not in the set.
        """
        if statmap.name is None:
            return None
        wanted = statmap.name.uncorrected()
        entities = frozenset(wanted.entities)
        for other in self.run_of(statmap):
            assert other.name is not None
            same = frozenset(other.name.entities) == entities
            if same and other.name.value == (value or wanted.value):
                return other
        return None

    def voxels_of(self, statmap: StatMap) -> Voxels:
        """Return a map's voxels, keeping them while the memory cap allows.

        Raises
        ------
        ResultsError
            When they cannot be read; the reason is then among the problems too.
        """

        def read() -> Voxels:
            try:
                voxels, notices = statmap.file.source.read()
            except ResultsError as error:
                self._report(str(error))
                raise
            for notice in notices:
                self._report(notice)
            voxels.flags.writeable = False
            return voxels

        return self._cache.get(statmap.key, read)

    def read(self, statmaps: Iterable[StatMap]) -> dict[str, Voxels]:
        """Read the voxels of several maps side by side.

        Parameters
        ----------
        statmaps : iterable of StatMap
            Maps of this set.

        Returns
        -------
        dict of str to ndarray
            Voxels by key, without the maps that cannot be read: ``problems`` says why.
        """

        def voxels(statmap: StatMap) -> Voxels | None:
            try:
                return statmap.data
            except ResultsError:
                return None

        wanted = list(statmaps)
        # Inflating runs without the interpreter's lock; more threads than this would
        # only wait for memory.
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            read = zip(wanted, pool.map(voxels, wanted), strict=True)
            return {statmap.key: data for statmap, data in read if data is not None}

    def release(self) -> None:
        """Let go of voxels that nobody else holds; they are read again when needed."""
        self._cache.clear()

    def mask_of(self, statmap: StatMap) -> Mask | None:
        """Return the analysis mask: one for all maps of a run on one grid.

        The union of the non-zero voxels of the run's uncorrected maps and p maps.
        A z or logp map alone does not tell: a one-tailed z is 0 at most places inside.
        Where a file marks the outside with NaN, the finite voxels are inside.

        Returns
        -------
        ndarray of bool, shape (i, j, k), or None
            None when no map at hand shows where the mask ends.
        """
        run = statmap.name.run if statmap.name else (statmap.key,)
        key = ("mask", *run, statmap.grid.shape, statmap.grid.affine.tobytes())
        return self.remember(key, lambda: self._union_mask(statmap))

    def _union_mask(self, statmap: StatMap) -> Mask | None:
        telling = [
            other
            for other in self.run_of(statmap)
            if other.kind is not MapKind.LABEL
            and (not other.correction or other.kind is MapKind.P)
            and other.grid.same_as(statmap.grid)
        ]
        union: Mask | None = None
        known = False
        voxels = self.read(telling)
        for other in telling:
            # A map that cannot be read tells nothing.
            if (data := voxels.get(other.key)) is None:
                continue
            nan = np.isnan(data)
            # Not every NaN marks the outside: older NiMARE writes one where a voxel
            # could not be fitted, and 0 outside.
            nan_outside = bool(nan[_CORNERS].any())
            inside = ~nan if nan_outside else ~nan & (data != 0)
            known = known or nan_outside or other.kind in _DENSE
            union = inside if union is None else union | inside
        if union is None or not known:
            return None
        union.flags.writeable = False
        return union

    def remember(self, key: Hashable, find: Callable[[], Fact]) -> Fact:
        """Return a fact about the maps, found when it is first asked for."""
        # Without the lock: finding may read maps on other threads, which report.
        if key not in self._facts:
            self._facts[key] = find()
        fact: Fact = self._facts[key]
        return fact

    def _report(self, problem: str) -> None:
        with self._lock:
            if problem not in self._problems:
                self._problems.append(problem)


class _Maps(Mapping[str, StatMap]):
    """The maps of a set, made as they are asked for."""

    def __init__(
        self, files: Mapping[str, MapFile], make: Callable[[str], StatMap]
    ) -> None:
        self._files = files
        self._make = make

    def __getitem__(self, key: str) -> StatMap:
        return self._make(key)

    def __contains__(self, key: object) -> bool:
        return key in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


class _Tables(Mapping[str, "pd.DataFrame"]):
    """Tables by file stem, each read when it is first asked for."""

    def __init__(self, readers: Mapping[str, Callable[[], pd.DataFrame]]) -> None:
        self._readers = dict(sorted(readers.items()))
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, key: str) -> pd.DataFrame:
        if key not in self._read:
            self._read[key] = self._readers[key]()
        return self._read[key]

    def __contains__(self, key: object) -> bool:
        return key in self._readers

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)
