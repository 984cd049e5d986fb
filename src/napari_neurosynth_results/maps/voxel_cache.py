"""Voxels: fetched and read side by side, and kept within a number of bytes."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from weakref import WeakValueDictionary

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job, helping_threads
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.statmap import Look, StatMap

#: As many as one server is asked for at once.
_AT_ONCE = 4

_FEWEST_KEPT = 3


class VoxelCache:
    """Keep recently read voxels, up to a number of bytes.

    What somebody else still holds (a layer, a variable) is found again without being
    read twice, whether or not it is within the limit.

    Parameters
    ----------
    limit : int
        Bytes to keep alive. The last three maps stay even when they are larger: one,
        its sibling and its mask are looked at in turns.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, Voxels] = OrderedDict()
        self._alive: WeakValueDictionary[str, Voxels] = WeakValueDictionary()
        self._lock = threading.Lock()

    def get(self, key: str, read: Callable[[], Voxels]) -> Voxels:
        """Return the voxels kept under a key, reading them when they are gone."""
        with self._lock:
            voxels = self._kept.get(key)
            if voxels is not None:
                # By far the most frequent: a map is asked for at every step.
                self._kept.move_to_end(key)
                return voxels
            voxels = self._alive.get(key)
        if voxels is None:
            voxels = read()
        self.keep(key, voxels)
        return voxels

    def held(self, keys: Iterable[str]) -> dict[str, Voxels | None]:
        """Return voxels that are kept here or held by somebody; nothing is read."""
        with self._lock:
            return {key: self._alive.get(key) for key in keys}

    def put_back(self, held: Mapping[str, Voxels | None]) -> None:
        """Keep what was `held`, whatever was read since."""
        for key, voxels in held.items():
            self.drop(key)
            if voxels is not None:
                self.keep(key, voxels)

    def keep(self, key: str, voxels: Voxels) -> None:
        """Keep voxels under a key, and let go of what was used longest ago."""
        with self._lock:
            self._alive[key] = voxels
            self._kept[key] = voxels
            self._kept.move_to_end(key)
            while self.nbytes > self._limit and len(self._kept) > _FEWEST_KEPT:
                self._kept.popitem(last=False)

    def drop(self, key: str) -> None:
        """Forget one map: what its file holds is read in another way now."""
        with self._lock:
            self._kept.pop(key, None)
            self._alive.pop(key, None)

    def release(self, keys: Iterable[str] | None = None) -> None:
        """Let go of some maps, or of all; what others hold is still found."""
        with self._lock:
            for key in list(self._kept) if keys is None else keys:
                self._kept.pop(key, None)

    @property
    def nbytes(self) -> int:
        """Bytes kept alive by the cache itself."""
        return sum(voxels.nbytes for voxels in self._kept.values())


def fetch_side_by_side(statmaps: Sequence[StatMap], job: Job) -> list[str]:
    """Fetch maps, a few at once; return what could not be had and why.

    Raises
    ------
    CancelledError
        When the job was cancelled; what has come stays.
    """

    def fetch(statmap: StatMap) -> str | None:
        try:
            job.check()
            statmap.file.fetch(job)
        except CancelledError:
            raise
        except ResultsError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return [problem for problem in pool.map(fetch, statmaps) if problem]


def read_side_by_side(statmaps: Iterable[StatMap]) -> dict[str, Voxels]:
    """Read voxels on several threads: by key, without the maps that cannot be read."""
    wanted = list(statmaps)
    with helping_threads(_readers()) as pool:
        read = zip(wanted, pool.map(_voxels, wanted), strict=True)
        return {statmap.key: data for statmap, data in read if data is not None}


def look_through(statmaps: Iterable[StatMap], most: int, look: Look) -> None:
    """Show voxels to somebody, map by map in their order, while the next are read.

    Maps that cannot be read are left out.

    Parameters
    ----------
    most : int
        So many maps at a time are read or looked at.
    look : Look
        Called on the thread that waits here.
    """
    ahead: deque[tuple[StatMap, Future[Voxels | None]]] = deque()

    def look_at_first() -> None:
        statmap, reading = ahead.popleft()
        if (data := reading.result()) is not None:
            look(statmap, data)

    with helping_threads(min(most, _readers())) as pool:
        for statmap in statmaps:
            ahead.append((statmap, pool.submit(_voxels, statmap)))
            if len(ahead) >= most:
                look_at_first()
        while ahead:
            look_at_first()


def _readers() -> int:
    # Inflating runs without the interpreter's lock; more threads than this would
    # only wait for memory.
    return min(4, os.cpu_count() or 1)


def _voxels(statmap: StatMap) -> Voxels | None:
    try:
        return statmap.data
    except ResultsError:
        return None
