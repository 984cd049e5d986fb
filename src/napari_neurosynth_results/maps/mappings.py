"""The mappings that a result set hands out: maps made, tables read, when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from napari_neurosynth_results.maps.statmap import MapEntry, StatMap

if TYPE_CHECKING:
    import pandas as pd


class MapsByKey(Mapping[str, StatMap]):
    """The maps of a set, made as they are asked for."""

    def __init__(
        self, files: Mapping[str, MapEntry], make: Callable[[str], StatMap]
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


class TablesByStem(Mapping[str, "pd.DataFrame"]):
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
