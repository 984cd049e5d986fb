"""Maps in memory for tests of comparisons, and the slow ways to the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import parse_name
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap

Array = npt.NDArray[Any]
TWO_MM = np.diag([2.0, 2.0, 2.0, 1.0])


class _Voxels:
    def __init__(self, data: Array) -> None:
        self.data = data

    def read(self) -> tuple[Array, tuple[str, ...]]:
        return np.array(self.data, np.float32, order="F"), ()


def made(maps: dict[str, Array], affine: Array = TWO_MM) -> ResultSet:
    """Make a result set of maps by their file stems."""
    files = []
    for stem, data in maps.items():
        name = parse_name(stem)
        kind = MapKind(name.value) if name else MapKind.Z
        grid = Grid(np.shape(data), np.asarray(affine, float))
        files.append(MapFile(stem, name, kind, grid, "", _Voxels(data)))
    return ResultSet(files, title="made", source="")


def lone(data: Array, affine: Array = TWO_MM, kind: MapKind = MapKind.Z) -> StatMap:
    """Make a map of unknown origin, with nothing beside it."""
    grid = Grid(np.shape(data), np.asarray(affine, float))
    file = MapFile("map", None, kind, grid, "", _Voxels(data))
    return ResultSet([file], title="", source="")["map"]


def placed(size: float, origin: tuple[float, float, float]) -> Array:
    """Return the affine of cubic voxels."""
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = origin
    return affine
