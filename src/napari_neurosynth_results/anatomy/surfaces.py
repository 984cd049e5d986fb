"""Surfaces of what is given as voxels: the outline of the brain, and clusters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.meshes import (
    Floats,
    Ints,
    Mesh,
    fitted,
    smoothed,
)
from napari_neurosynth_results.anatomy.template import read_brain_mask
from napari_neurosynth_results.maps.statmap import Grid

#: How much the outline of the brain is blurred, in voxels, and then smoothed.
_BLUR = 1.0
_ROUNDS_OF_BRAIN = 10
#: As clusters of 2 mm: enough to take the steps off, too little to lose a branch.
_ROUNDS_OF_CLUSTERS = 25
#: A cluster in a smaller box than this is cut into finer voxels, to be round.
_SMALL = 15_000
_FINER = 2


@cache
def brain_outline() -> Mesh:
    """Return the surface of the packaged template's brain, made once.

    Returns
    -------
    Mesh
        One body in MNI mm, about 35,000 vertices.
    """
    from scipy.ndimage import gaussian_filter

    mask, grid = read_brain_mask()
    # Room for the blur, and a surface that is closed at the edge of the grid.
    soft = gaussian_filter(np.pad(mask, 2).astype(np.float32), _BLUR)
    vertices, faces = _contour(soft)
    vertices = _to_mm(vertices - 2, grid)
    mesh = Mesh(vertices, faces, np.zeros(len(vertices), np.int32))
    return smoothed(mesh, _ROUNDS_OF_BRAIN)


def cluster_surfaces(
    labels: npt.NDArray[np.integer[Any]], grid: Grid, n_labels: int | None = None
) -> Mesh:
    """Return the surfaces of clusters.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k)
        0 is background; clusters are 1..n.
    grid : Grid
        Where the voxels are.
    n_labels : int, optional
        n, when it is known; found otherwise.

    Returns
    -------
    Mesh
        In mm, one closed body a cluster also where it touches the edge of the grid:
        part n is label n + 1. A label without a voxel has no vertices. The volume of
        each body is that of its voxels.
    """
    from scipy.ndimage import find_objects

    boxes = find_objects(labels, n_labels or 0)
    vertices: list[Floats] = [np.zeros((0, 3), np.float32)]
    faces: list[Ints] = [np.zeros((0, 3), np.int32)]
    part: list[Ints] = [np.zeros(0, np.int32)]
    volumes = np.zeros(len(boxes))
    start = 0
    for index, box in enumerate(boxes):
        if box is None:
            continue
        inside = labels[box] == index + 1
        volumes[index] = np.count_nonzero(inside) * np.prod(grid.voxel_size)
        corners, triangles = _surface_of(inside)
        vertices.append(_to_mm(corners + _starts(box), grid))
        faces.append(triangles + start)
        part.append(np.full(len(corners), index, np.int32))
        start += len(corners)
    mesh = Mesh(np.concatenate(vertices), np.concatenate(faces), np.concatenate(part))
    if not len(mesh):
        return mesh
    # Labels after the last one with a voxel have no body to be measured.
    last = int(mesh.part[-1]) + 1
    return fitted(smoothed(mesh, _ROUNDS_OF_CLUSTERS), volumes[:last])


def _starts(box: Sequence[slice]) -> Floats:
    return np.array([one.start for one in box], np.float32)


def _surface_of(inside: npt.NDArray[np.bool_]) -> tuple[Floats, Ints]:
    """Return the surface of one cluster, in voxels of its box."""
    finer = _FINER if inside.size < _SMALL else 1
    for axis in range(3) if finer > 1 else ():
        inside = inside.repeat(finer, axis)
    vertices, faces = _contour(np.pad(inside, 1).astype(np.float32))
    # The center of the first of the finer voxels lies off that of the voxel.
    return (vertices - 1 - (finer - 1) / 2) / np.float32(finer), faces


def _contour(field: Floats) -> tuple[Floats, Ints]:
    """Return where a field crosses one half; its rim has to be below."""
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(field, 0.5, allow_degenerate=False)
    # Seen from outside they go around clockwise.
    return vertices.astype(np.float32), faces[:, ::-1].astype(np.int32)


def _to_mm(voxels: Floats, grid: Grid) -> Floats:
    return np.asarray(
        voxels * np.array(grid.voxel_size) + np.array(grid.origin), np.float32
    )
