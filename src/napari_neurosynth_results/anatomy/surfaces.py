"""Surfaces of what is given as voxels: the outline of the brain, and clusters.

Triangles are smoothed, swollen, measured and lit. A mesh may hold many closed bodies at
once: everything is done to all of them together, so that the cost does not grow with
their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.template import read_brain_mask
from napari_neurosynth_results.arrays import Float32Array, Int32Array
from napari_neurosynth_results.maps.grid import Grid

#: Taubin's two steps, which smooth a surface without shrinking it: Taubin 1995, "A
#: signal processing approach to fair surface design".
_INWARDS, _OUTWARDS = 0.5, -0.53
#: Where the light comes from, as x, y, z. Nearly above, so that no side of the head is
#: dark, and left and right look alike.
_LIGHT = (0.0, 0.45, 0.893)
#: Brightness of what is turned away from the light.
_SHADE = 0.45
#: How often a body is swollen or shrunk towards the volume that it should have.
_FITTINGS = 4
#: How much the outline of the brain is blurred, in voxels, and then smoothed.
_BLUR = 1.0
_ROUNDS_OF_BRAIN = 10
#: As clusters of 2 mm: enough to take the steps off, too little to lose a branch.
_ROUNDS_OF_CLUSTERS = 25
#: A cluster in a smaller box than this is cut into finer voxels, to be round.
_SMALL = 15_000
_FINER = 2


@dataclass(frozen=True, eq=False)
class Mesh:
    """Closed bodies made of triangles.

    Attributes
    ----------
    vertices : ndarray of float32, shape (n, 3)
        As x, y, z in mm.
    faces : ndarray of int32, shape (m, 3)
        Three vertices each, counterclockwise when seen from outside.
    part : ndarray of int32, shape (n,)
        Which body each vertex belongs to, from 0.
    """

    vertices: Float32Array = field(repr=False)
    faces: Int32Array = field(repr=False)
    part: Int32Array = field(repr=False)

    def __len__(self) -> int:
        """Count the vertices."""
        return len(self.vertices)

    @property
    def volumes(self) -> npt.NDArray[np.float64]:
        """Volume of each body, mm3."""
        a, b, c = (self.vertices[self.faces[:, n]].astype(np.float64) for n in range(3))
        cones = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
        return self._by_part(cones)

    @property
    def areas(self) -> npt.NDArray[np.float64]:
        """Surface of each body, mm2."""
        sizes = np.linalg.norm(self._crosses, axis=1) / 2
        return self._by_part(sizes)

    @property
    def normals(self) -> Float32Array:
        """Direction away from the body at each vertex, (n, 3), of length 1."""
        crosses = self._crosses
        normals = np.empty((len(self), 3), np.float32)
        corners = self.faces.ravel()
        for axis in range(3):
            weights = np.repeat(crosses[:, axis], 3)
            normals[:, axis] = np.bincount(corners, weights, minlength=len(self))
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        return np.asarray(normals / np.maximum(length, 1e-12), np.float32)

    def _by_part(self, amounts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Add up what each triangle contributes to its body."""
        bodies = self.part[self.faces[:, 0]]
        return np.asarray(np.bincount(bodies, weights=amounts), np.float64)

    @property
    def _crosses(self) -> Float32Array:
        a, b, c = (self.vertices[self.faces[:, n]] for n in range(3))
        return np.asarray(np.cross(b - a, c - a))


def smooth_mesh(mesh: Mesh, rounds: int) -> Mesh:
    """Take the steps of voxels off a mesh without shrinking it.

    Parameters
    ----------
    rounds : int
        The more, the smoother.

    Returns
    -------
    Mesh
        With the same faces.
    """
    if not rounds or not len(mesh):
        return mesh
    step = _to_neighbors(mesh)
    vertices = mesh.vertices
    for _ in range(rounds):
        for share in (_INWARDS, _OUTWARDS):
            vertices = vertices + np.float32(share) * (step @ vertices - vertices)
    return replace(mesh, vertices=vertices)


def _to_neighbors(mesh: Mesh) -> Any:
    """Build the matrix that replaces each vertex by the mean of its neighbors."""
    from scipy.sparse import csr_matrix

    one, other = mesh.faces.ravel(), np.roll(mesh.faces, -1, axis=1).ravel()
    # In a closed mesh each edge is met twice, once in each direction.
    count = np.bincount(one, minlength=len(mesh))
    weights = (1 / count[one]).astype(np.float32)
    return csr_matrix((weights, (one, other)), shape=(len(mesh), len(mesh)))


def fit_volumes(mesh: Mesh, volumes: npt.ArrayLike) -> Mesh:
    """Swell or shrink bodies until each has its volume.

    Parameters
    ----------
    mesh : Mesh
        Some closed bodies.
    volumes : array_like, shape (number of bodies,)
        What each should have, mm3.

    Returns
    -------
    Mesh
        With the same faces; the surface moves along its normals.
    """
    wanted = np.asarray(volumes, np.float64)
    for _ in range(_FITTINGS):
        way = (wanted - mesh.volumes) / np.maximum(mesh.areas, 1e-9)
        moved = mesh.vertices + mesh.normals * way[mesh.part][:, None]
        mesh = replace(mesh, vertices=moved.astype(np.float32))
    return mesh


def light_on(normals: Float32Array) -> Float32Array:
    """Say how bright a surface is that looks into some directions.

    Half-Lambert: the light reaches around the body, and nothing is black. It is part of
    the colors, because napari lights surfaces from the wrong side where an odd number
    of axes is flipped, as in anatomical views.

    Parameters
    ----------
    normals : ndarray, shape (n, 3)
        Of length 1.

    Returns
    -------
    ndarray of float32, shape (n,)
        1 towards the light, 0.45 away from it.
    """
    half = 0.5 + 0.5 * (normals @ np.asarray(_LIGHT, np.float32))
    return np.asarray(_SHADE + (1 - _SHADE) * half**2, np.float32)


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
    mesh = smooth_mesh(mesh, _ROUNDS_OF_BRAIN)
    # No farther than the middles of voxels: what is half a voxel lower would be where
    # the sliders of a viewer begin to count, and places would come out askew.
    low = np.array(grid.origin, np.float32)
    high = low + (np.array(mask.shape) - 1) * np.array(grid.voxel_size, np.float32)
    return replace(mesh, vertices=np.clip(mesh.vertices, low, high, dtype=np.float32))


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
    vertices: list[Float32Array] = [np.zeros((0, 3), np.float32)]
    faces: list[Int32Array] = [np.zeros((0, 3), np.int32)]
    part: list[Int32Array] = [np.zeros(0, np.int32)]
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
    return fit_volumes(smooth_mesh(mesh, _ROUNDS_OF_CLUSTERS), volumes[:last])


def _starts(box: Sequence[slice]) -> Float32Array:
    return np.array([one.start for one in box], np.float32)


def _surface_of(inside: npt.NDArray[np.bool_]) -> tuple[Float32Array, Int32Array]:
    """Return the surface of one cluster, in voxels of its box."""
    finer = _FINER if inside.size < _SMALL else 1
    for axis in range(3) if finer > 1 else ():
        inside = inside.repeat(finer, axis)
    vertices, faces = _contour(np.pad(inside, 1).astype(np.float32))
    # The center of the first of the finer voxels lies off that of the voxel.
    return (vertices - 1 - (finer - 1) / 2) / np.float32(finer), faces


def _contour(field: Float32Array) -> tuple[Float32Array, Int32Array]:
    """Return where a field crosses one half; its rim has to be below."""
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(field, 0.5, allow_degenerate=False)
    # Seen from outside they go around clockwise.
    return vertices.astype(np.float32), faces[:, ::-1].astype(np.int32)


def _to_mm(voxels: Float32Array, grid: Grid) -> Float32Array:
    return np.asarray(
        voxels * np.array(grid.voxel_size) + np.array(grid.origin), np.float32
    )
