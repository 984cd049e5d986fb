"""The cortical surface: fsaverage5 of nilearn, and what a volume says of it.

fsaverage is in MNI305 space, which lies a few millimeters off MNI152. It has neither
cerebellum nor subcortex: what is found there is not on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.surfaces import Mesh
from napari_neurosynth_results.arrays import Float32Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid

Shape = Literal["pial", "inflated"]

#: How far from the surface a voxel may lie to be counted as cortex, mm.
CORTEX_REACH_MM = 3.0
#: Inflated hemispheres lie about an origin of their own and are larger than a brain:
#: how much smaller they are shown, and where, as x (of the right one), y and z in mm.
_DEFLATED = 0.75
_BESIDE = (36.0, -18.0, 12.0)


@dataclass(frozen=True, eq=False)
class Hemisphere:
    """Half of the cortex.

    Attributes
    ----------
    name : str
        ``left`` or ``right``.
    pial, inflated : Mesh
        The surface as it is, and blown up so that sulci are seen. The inflated one is
        put where it fits, and its places are no millimeters of a brain.
    middle : ndarray of float32, shape (n, 3)
        Halfway between white matter and pia, in mm: where volumes are read.
    sulci : ndarray of float32, shape (n,)
        Depth of folds: above 0 in a sulcus.
    """

    name: str
    pial: Mesh = field(repr=False)
    inflated: Mesh = field(repr=False)
    middle: Float32Array = field(repr=False)
    sulci: Float32Array = field(repr=False)

    def mesh(self, shape: Shape) -> Mesh:
        """Return the surface in one of its shapes."""
        return self.pial if shape == "pial" else self.inflated


@cache
def read_cortex() -> tuple[Hemisphere, Hemisphere]:
    """Read fsaverage5 out of nilearn, once; no network is needed.

    Returns
    -------
    left, right : Hemisphere
        10,242 vertices each.

    Raises
    ------
    ResultsError
        When nilearn is not installed.
    """
    try:
        from nilearn.datasets import load_fsaverage, load_fsaverage_data
    except ImportError as error:
        raise ResultsError(
            "The cortical surface (fsaverage5) comes with nilearn, which is not "
            "installed. Run: pip install nilearn"
        ) from error
    meshes = load_fsaverage("fsaverage5")
    depth = load_fsaverage_data("fsaverage5", data_type="sulcal").data
    left, right = (
        _hemisphere(name, meshes, np.asarray(depth.parts[name], np.float32))
        for name in ("left", "right")
    )
    return left, right


def _hemisphere(name: str, meshes: Any, sulci: Float32Array) -> Hemisphere:
    pial, white, inflated = (
        meshes[kind].parts[name] for kind in ("pial", "white_matter", "inflated")
    )
    side = np.array(_BESIDE) * ((-1 if name == "left" else 1), 1, 1)
    middle = (pial.coordinates + white.coordinates) / 2
    return Hemisphere(
        name,
        _mesh(pial.coordinates, pial.faces),
        _mesh(inflated.coordinates * _DEFLATED + side, inflated.faces),
        np.asarray(middle, np.float32),
        sulci,
    )


def _mesh(vertices: Any, faces: Any) -> Mesh:
    return Mesh(
        np.asarray(vertices, np.float32),
        np.asarray(faces, np.int32),
        np.zeros(len(vertices), np.int32),
    )


def value_at(
    volume: npt.NDArray[np.float32], grid: Grid, places: Float32Array
) -> Float32Array:
    """Read a volume at places: of each the voxel that holds it.

    Nothing is mixed: what a voxel is not, no place in it is.

    Parameters
    ----------
    volume : ndarray of float32, shape (i, j, k)
        Any map.
    grid : Grid
        Where its voxels are.
    places : ndarray, shape (n, 3)
        As x, y, z in mm.

    Returns
    -------
    ndarray of float32, shape (n,)
        The values, NaN outside of the grid.
    """
    voxels = (places - np.array(grid.origin)) / np.array(grid.voxel_size)
    voxels = np.floor(voxels + 0.5).astype(np.intp)
    inside = ((voxels >= 0) & (voxels < volume.shape)).all(axis=1)
    found = np.full(len(places), np.nan, np.float32)
    found[inside] = volume[tuple(voxels[inside].T)]
    return found


def share_on_cortex(places: npt.ArrayLike) -> float:
    """Say which share of some places lies within 3 mm of the cortical surface.

    Parameters
    ----------
    places : array_like, shape (n, 3)
        As x, y, z in mm.

    Returns
    -------
    float
        From 0 to 1; NaN without any place.
    """
    places = np.asarray(places, np.float64).reshape(-1, 3)
    if not len(places):
        return float("nan")
    away, _ = _points_of_cortex().query(places, distance_upper_bound=CORTEX_REACH_MM)
    return float(np.isfinite(away).mean())


@cache
def _points_of_cortex() -> Any:
    """Return a tree of points on the middle surface, denser than its vertices."""
    from scipy.spatial import cKDTree

    points = []
    for hemisphere in read_cortex():
        corners = hemisphere.middle[hemisphere.pial.faces]
        # Triangles have sides of about 3 mm: edges and middles are points as well.
        sides = (corners + np.roll(corners, 1, axis=1)) / 2
        points += [hemisphere.middle, sides.reshape(-1, 3), corners.mean(axis=1)]
    return cKDTree(np.concatenate(points))
