"""A result set: the maps of one source, how they belong together, what is beside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.doubts import doubt_of, say_otherwise
from napari_neurosynth_results.maps.entry import (
    MadeWhenAsked,
    MapEntry,
    say_of_each,
    sort_by_interest,
    tell_by_neighbors,
    tell_moves,
)
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.kinds import Tail
from napari_neurosynth_results.maps.names import (
    short_titles,
    stated_iterations,
    stems_of_test,
    text_of_corrections,
    unique_titles,
)
from napari_neurosynth_results.maps.programs import stated_reading
from napari_neurosynth_results.maps.statmap import Fact, Look, Mask, StatMap, union_mask
from napari_neurosynth_results.maps.studies import NO_STUDIES, LazyStudies
from napari_neurosynth_results.maps.tails import found_tail, negatives_count
from napari_neurosynth_results.maps.voxel_cache import (
    VoxelCache,
    fetch_side_by_side,
    look_through,
    read_side_by_side,
)

if TYPE_CHECKING:
    import pandas as pd

    from napari_neurosynth_results.maps.studies import Studies


_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Link:
    """A place on the web.

    Attributes
    ----------
    text, url : str
        What to call it; its address, without any secret.
    """

    text: str
    url: str


@dataclass(frozen=True)
class About:
    """What a server says of a result set, for people.

    Attributes
    ----------
    authors, doi, description : str
        As given; empty when not.
    links : tuple of Link
        The pages of the set, its paper and its meta-analysis.
    specification : dict
        What the meta-analysis was asked to do: estimator, corrector, filter.
    other_results : tuple of str
        Ids of further results of the same meta-analysis, the latest first.
    private : bool
        Whether the set is only for those who have its link.
    """

    authors: str = ""
    doi: str = ""
    description: str = ""
    links: tuple[Link, ...] = ()
    specification: dict[str, object] = field(default_factory=dict)
    other_results: tuple[str, ...] = ()
    private: bool = False


NOTHING_KNOWN = About()

#: Voxels a set keeps alive by itself: about 6 maps of the 2 mm MNI grid.
CACHE_BYTES = 24 * 2**20


class ResultSet:
    """The maps of one source, and the tables and texts beside them.

    Parameters
    ----------
    files : sequence of MapEntry
        What the source found.
    title, source : str
        What to call the set; the path or address it came from.
    problems : sequence of str
        What could not be opened and why.
    tables : mapping of str to callable
        File stem -> function that reads the table.
    methods, references : str
        Methods text (LaTeX) and BibTeX entries, empty when there are none.
    about : About
        Who made the set, and where there is more.
    studies : LazyStudies
        The studies behind the maps, once they are asked for.
    titles : mapping of str to str
        Titles by key, for maps whose names do not say what they are.

    Attributes
    ----------
    tables : mapping of str to pandas.DataFrame
        File stem -> table, read on first use.
    on_demand : bool
        Whether a map that waits on a server is brought here by whoever looks at it.
        A viewer says False, because nobody may wait there: maps then come by `fetch`,
        and what has not come is left out of siblings and masks.
    """

    def __init__(
        self,
        files: Sequence[MapEntry],
        *,
        title: str,
        source: str,
        problems: Sequence[str] = (),
        tables: Mapping[str, Callable[[], pd.DataFrame]] = MappingProxyType({}),
        methods: str = "",
        references: str = "",
        about: About = NOTHING_KNOWN,
        studies: LazyStudies = NO_STUDIES,
        titles: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.title = title
        self.source = source
        self.methods = methods
        self.references = references
        #: The folder of the files, and what to call it.
        self._place = ["", ""]
        self.tables: Mapping[str, pd.DataFrame] = _tables(tables, self._place)
        self.about = about
        self.on_demand = True
        self._studies = studies
        self._problems = list(problems)
        self._cache = VoxelCache(CACHE_BYTES)
        self._facts: dict[Hashable, Any] = {}
        self._lock = threading.Lock()
        self._told_titles = dict(titles)
        #: Maps as they were found, where a user says otherwise; and what is said.
        self._found: dict[str, MapEntry] = {}
        self._stated: dict[str, str] = {}
        self._arrange(tell_by_neighbors(files))
        # Weak, because each map refers to its set: a set that nobody uses any more
        # has to give its voxels back at once, not when cycles are collected.
        self._alive: WeakValueDictionary[str, StatMap] = WeakValueDictionary()

    def _arrange(self, files: Iterable[MapEntry]) -> None:
        files = sort_by_interest(files)
        names = [(file.label or file.key, file.name) for file in files]
        kinds = [file.kind for file in files]
        self._files = {file.key: file for file in files}
        made = zip(unique_titles(names, kinds), short_titles(names, kinds), strict=True)
        told = {key: (title, title) for key, title in self._told_titles.items()}
        self._titles = dict(zip(self._files, made, strict=True)) | told

    def take_as(self, kinds: Mapping[str, str]) -> None:
        """Take maps for what a user says that they hold.

        Who holds one of these maps has to take it anew: the one that was taken before
        keeps the old meaning.

        Parameters
        ----------
        kinds : mapping of str to str
            Key of a map, ``*`` as `say_of_each` takes it, -> what it holds, as
            `stated_reading` reads it; an empty text leaves it to name, header and
            values again.

        Raises
        ------
        ResultsError
            When there is no such map, or no such kind; then nothing has changed.
        """
        files = dict(self._files)
        kinds = say_of_each(files, kinds)
        for key, text in kinds.items():
            if key not in files:
                holds = ", ".join(files)
                raise ResultsError(f"There is no map {key}. There are: {holds}.")
            files[key] = found = self._found.get(key, files[key])
            if text.strip():
                stated = stated_reading(text, found.reading)
                files[key] = found.taken_as(stated)
        for key, text in kinds.items():
            self._found.setdefault(key, self._files[key])
            self._stated.pop(key, None)
            if text.strip():
                self._stated[key] = " ".join(text.split())
            self._forget(key)
        self._facts.clear()
        self._problems = tell_moves(self._problems, self._files, files)
        self._arrange(files.values())

    @contextmanager
    def trial_of(self, kinds: Mapping[str, str]) -> Iterator[None]:
        """Take maps as `take_as` does, unless what is done with them fails.

        Raises
        ------
        ResultsError
            As `take_as`. After whatever is raised inside, the set is as it was: maps
            that are held belong to it still, with the voxels that somebody holds.
        """
        names = ("_files", "_found", "_stated", "_titles", "_problems", "_facts")
        before = {name: copy(vars(self)[name]) for name in names}
        with self._lock:
            alive = dict(self._alive)
        held = self._cache.held(say_of_each(self._files, kinds))
        try:
            self.take_as(kinds)
            yield
        except BaseException:
            with self._lock:
                vars(self).update(before)
                self._alive = WeakValueDictionary(alive)
            self._cache.put_back(held)
            raise

    def _forget(self, key: str) -> None:
        """Let go of what was made of a map by its old meaning."""
        self._cache.drop(key)
        with self._lock:
            self._alive.pop(key, None)
            doubted = say_otherwise(key)
            self._problems = [p for p in self._problems if not p.endswith(doubted)]

    @property
    def stated(self) -> Mapping[str, str]:
        """What a user says that maps hold: key -> text, as `take_as` took it."""
        return MappingProxyType(self._stated)

    @property
    def maps(self) -> Mapping[str, StatMap]:
        """The maps by file stem, in order of interest."""
        return MadeWhenAsked(self._files, self._map)

    def call_folder(self, folder: str, name: str) -> None:
        """Call the folder of all files what a user does: by the zip it came out of."""
        self._place[:] = folder, name
        self._problems = [problem.replace(folder, name) for problem in self._problems]

    def _map(self, key: str) -> StatMap:
        with self._lock:
            if (statmap := self._alive.get(key)) is None:
                statmap = StatMap(self._files[key], *self._titles[key], self)
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
    def iterations_in_text(self) -> set[int]:
        """Numbers of iterations that the methods text states of its corrections."""
        return stated_iterations(text_of_corrections(self.methods))

    @property
    def studies(self) -> Studies | None:
        """The studies behind the maps, found on first use; None where none are known.

        Raises
        ------
        ResultsError
            When a server holds them and cannot be asked.
        """
        return self._studies.get()

    @property
    def studies_at_hand(self) -> bool:
        """Whether `studies` says what it knows without asking a server."""
        return self._studies.at_hand

    def run_of(self, statmap: StatMap, *, listed: bool = False) -> list[StatMap]:
        """Return all maps of the same meta-analysis, this one among them.

        Parameters
        ----------
        statmap : StatMap
            A map of this set.
        listed : bool
            Also those that are not at hand and may not be brought here.

        Returns
        -------
        list of StatMap
            In order of interest.
        """
        if statmap.name is None:
            return [statmap]
        run = statmap.name.run
        listed = listed or self.on_demand
        return [
            m
            for m in self.maps.values()
            if m.name and m.name.run == run and (listed or m.at_hand or m is statmap)
        ]

    def siblings(self, statmap: StatMap, *, listed: bool = False) -> dict[str, StatMap]:
        """Find the maps of the same test and correction with another value.

        Parameters
        ----------
        statmap, listed
            As for `run_of`.

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
        for other in self.run_of(statmap, listed=listed):
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

    def needed_by(self, statmap: StatMap) -> list[StatMap]:
        """List the maps without which a map's numbers are not fully understood.

        Returns
        -------
        list of StatMap
            The map itself, its siblings, which state p, and the uncorrected maps of its
            test, which show the mask and the peaks; by any program's names.
        """
        found = [statmap, *self.siblings(statmap, listed=True).values()]
        named = stems_of_test(statmap.key).values()
        found += [self.maps[stem] for stem in named if stem in self._files]
        if statmap.name is not None:
            test = statmap.name.test
            found += [
                other
                for other in self.run_of(statmap, listed=True)
                if other.name and frozenset(other.name.entities) == test
            ]
        return list(dict.fromkeys(found))

    def fetch(self, statmaps: Iterable[StatMap], job: Job | None = None) -> list[str]:
        """Bring maps to this machine, a few at once.

        Parameters
        ----------
        statmaps : iterable of StatMap
            Maps of this set; those that are here are passed over.
        job : Job, optional
            Hears how far things are, and may stop them.

        Returns
        -------
        list of str
            What could not be had and why; it is among the problems too.

        Raises
        ------
        CancelledError
            When the job was cancelled; what has come stays.
        """
        missing = [statmap for statmap in statmaps if not statmap.at_hand]
        if not missing:
            return []
        try:
            told = fetch_side_by_side(missing, job or Job())
        finally:
            # Masks and tails may be judged better now.
            self._facts.clear()
        self.report(*told)
        return told

    def demand(self, statmap: StatMap) -> None:
        """Refuse a map that is not at hand, where nobody may wait for it.

        Raises
        ------
        ResultsError
            When the set does not fetch on demand.
        """
        if not (self.on_demand or statmap.file.at_hand):
            raise ResultsError(
                f"{statmap.title} has not been downloaded yet. Add it in the list of "
                "maps."
            )

    def voxels_of(self, statmap: StatMap) -> Voxels:
        """Return a map's voxels, keeping them while the memory cap allows.

        Raises
        ------
        ResultsError
            When they cannot be read; the reason is then among the problems too.
        """
        self.demand(statmap)

        def read() -> Voxels:
            try:
                voxels, notices = _called_right(self._place, statmap.file.source.read)
            except ResultsError as error:
                self.report(str(error))
                raise
            self.report(*notices)
            voxels.flags.writeable = False
            if doubt := doubt_of(voxels, statmap.file.reading):
                self.report(f"{statmap.key}: {doubt}. {say_otherwise(statmap.key)}")
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
        return read_side_by_side(statmaps)

    def look_through(self, statmaps: Iterable[StatMap], most: int, look: Look) -> None:
        """Show voxels to somebody, map by map, few at a time, without broken ones."""
        look_through(statmaps, most, look)

    def release(self, statmaps: Iterable[StatMap] | None = None) -> None:
        """Let go of voxels of some maps, or of all; who holds them keeps them."""
        keys = None if statmaps is None else [statmap.key for statmap in statmaps]
        self._cache.release(keys)

    def let_go(self) -> None:
        """Let go of all that was read, and of what was found in it: nobody looks."""
        self._cache.release()
        self._facts.clear()

    def mask_of(self, statmap: StatMap) -> Mask | None:
        """Return the analysis mask: one for all maps of a test on one grid.

        The union of the non-zero voxels of the test's uncorrected maps and p maps; of
        all that are in its run, where those do not show where it ends. A z or logp map
        alone does not tell: a one-tailed z is 0 at most places inside. Where a file
        marks the outside with NaN, the finite voxels are inside.

        Returns
        -------
        ndarray of bool, shape (i, j, k), or None
            None when no map at hand shows where the mask ends.
        """
        name = statmap.name
        test = (name.run, name.test) if name else statmap.key
        key = ("mask", test, statmap.grid.shape, statmap.grid.affine.tobytes())
        return self.remember(key, lambda: union_mask(statmap))

    def tail_of(self, statmap: StatMap) -> Tail:
        """Return the tail of a map: measured on its siblings, else by its name.

        Raises
        ------
        ResultsError
            When a map that has to be looked at cannot be read.
        """
        return self._found_tail(statmap)[0]

    def tail_is_guess(self, statmap: StatMap) -> bool:
        """Whether nothing but a habit or the signs of its values tell a map's tail.

        Raises
        ------
        ResultsError
            When a map that has to be looked at cannot be read.
        """
        return self._found_tail(statmap)[1]

    def _found_tail(self, statmap: StatMap) -> tuple[Tail, bool]:
        return self.remember((statmap.key, "tail"), lambda: found_tail(statmap))

    def negatives_count(self, statmap: StatMap) -> bool:
        """Whether the test behind a map looked at the negative direction at all.

        Raises
        ------
        ResultsError
            When a map that has to be looked at cannot be read.
        """
        return self.remember((statmap.key, "signed"), lambda: negatives_count(statmap))

    def remember(self, key: Hashable, find: Callable[[], Fact]) -> Fact:
        """Return a fact about the maps, found when it is first asked for."""
        # Without the lock: finding may read maps on other threads, which report.
        if key not in self._facts:
            self._facts[key] = find()
        fact: Fact = self._facts[key]
        return fact

    def report(self, *problems: str) -> None:
        """Add to the problems what was not told yet."""
        with self._lock:
            for problem in problems:
                if problem not in self._problems:
                    self._problems.append(problem)


def result_of(statmap: StatMap) -> ResultSet:
    """Return the result set of a map, with the tables and texts beside its maps."""
    assert isinstance(statmap.results, ResultSet)
    return statmap.results


def _tables(
    readers: Mapping[str, Callable[[], pd.DataFrame]], place: Sequence[str]
) -> Mapping[str, pd.DataFrame]:
    """Return tables by file stem, each read once, when it is first asked for."""
    table = cache(lambda stem: _called_right(place, readers[stem]))
    return MadeWhenAsked(dict(sorted(readers.items())), table)


def _called_right(place: Sequence[str], read: Callable[[], _Made]) -> _Made:
    """Read; what goes wrong calls the folder of the files what a user does."""
    try:
        return read()
    except ResultsError as error:
        folder, name = place
        if not folder or folder not in str(error):
            raise
        raise ResultsError(str(error).replace(folder, name)) from error
