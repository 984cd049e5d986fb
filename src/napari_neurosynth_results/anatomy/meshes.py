"""Triangles and what can be done to them: smooth, swell, measure and light.

A mesh may hold many closed bodies at once. Everything is done to all of them together,
so that the cost does not grow with their number.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

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

    vertices: Floats = field(repr=False)
    faces: Ints = field(repr=False)
    part: Ints = field(repr=False)

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
    def normals(self) -> Floats:
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
    def _crosses(self) -> Floats:
        a, b, c = (self.vertices[self.faces[:, n]] for n in range(3))
        return np.asarray(np.cross(b - a, c - a))


def smoothed(mesh: Mesh, rounds: int) -> Mesh:
    """Take the steps of voxels off a mesh without shrinking it.

    Parameters
    ----------
    mesh : Mesh
        Any mesh.
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


def fitted(mesh: Mesh, volumes: npt.ArrayLike) -> Mesh:
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


def light_on(normals: Floats) -> Floats:
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
