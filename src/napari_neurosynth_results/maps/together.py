"""Voxels of several maps, read side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.statmap import StatMap, Voxels


def read_together(statmaps: Iterable[StatMap]) -> dict[str, Voxels]:
    """Read the voxels of maps on several threads.

    Parameters
    ----------
    statmaps : iterable of StatMap
        The maps.

    Returns
    -------
    dict of str to ndarray
        Voxels by key, without the maps that cannot be read.
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
