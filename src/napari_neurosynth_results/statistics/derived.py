"""Maps that are made of others: they are computed when somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import MapName
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap, Voxels

if TYPE_CHECKING:
    from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet


class _Computed:
    """Voxels that a function returns."""

    def __init__(
        self, compute: Callable[[], Voxels], parts: tuple[ClusterSet, ...]
    ) -> None:
        self._compute = compute
        self.parts = parts

    def read(self) -> tuple[Voxels, tuple[str, ...]]:
        """Compute them; there is nothing to say about them."""
        return np.asfortranarray(self._compute(), dtype=np.float32), ()


def derived_map(
    grid: Grid,
    title: str,
    values: Mapping[str | MapKind, Callable[[], Voxels]],
    *,
    contrast: str,
    parts: tuple[ClusterSet, ...] = (),
) -> StatMap:
    """Make a map that can be looked at and thresholded as any other.

    Parameters
    ----------
    grid : Grid
        Of all its values.
    title : str
        What it is, in words.
    values : mapping of str or MapKind to callable
        How to compute its voxels, float32 (i, j, k). Keys that are NiMARE's values
        (``"z"``, ``"p"``, ``"logp"``) make siblings, which state each other's p; the
        key `MapKind.OTHER` makes a map that has none. The first is returned.
    contrast : str
        Its key, or the ``desc`` in its name.
    parts : tuple of ClusterSet
        What it is made of, see `made_of`.

    Returns
    -------
    StatMap
        In a result set of its own.
    """
    files: list[MapFile] = []
    titles: dict[str, str] = {}
    for value, compute in values.items():
        name = None
        key, kind = contrast, MapKind.OTHER
        if not isinstance(value, MapKind):
            name = MapName(value, (("desc", contrast),))
            key, kind = name.stem, MapKind(value)
        files.append(MapFile(key, name, kind, grid, "", _Computed(compute, parts)))
        titles[key] = title if not titles else f"{value} of the {title}"
    results = ResultSet(files, title=title, source="", titles=titles)
    return results[files[0].key]


def made_of(statmap: StatMap) -> tuple[ClusterSet, ...]:
    """Return the clusters of the maps that a map was made of.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    tuple of ClusterSet
        Empty for a map that was opened.
    """
    if statmap.path:
        return ()
    source = statmap.file.source
    return source.parts if isinstance(source, _Computed) else ()
