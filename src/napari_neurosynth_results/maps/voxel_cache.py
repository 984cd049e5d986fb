"""Voxels that were read and may be wanted again, within a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from weakref import WeakValueDictionary

from napari_neurosynth_results.maps.grid import Voxels

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
            voxels = self._alive.get(key)
        if voxels is None:
            voxels = read()
        with self._lock:
            self._alive[key] = voxels
            self._kept[key] = voxels
            self._kept.move_to_end(key)
            while self.nbytes > self._limit and len(self._kept) > _FEWEST_KEPT:
                self._kept.popitem(last=False)
        return voxels

    def clear(self) -> None:
        """Let go of everything; what others hold is still found."""
        with self._lock:
            self._kept.clear()

    @property
    def nbytes(self) -> int:
        """Bytes kept alive by the cache itself."""
        return sum(voxels.nbytes for voxels in self._kept.values())
