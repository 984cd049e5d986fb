"""Meshes: which way is out, how much is inside, and what smoothing may not do."""

from __future__ import annotations

import numpy as np
import pytest

from napari_neurosynth_results.anatomy.surfaces import (
    Mesh,
    fit_volumes,
    light_on,
    smooth_mesh,
)

#: A cube of side 2 about a place, two triangles a side, counterclockwise from outside.
CORNERS = np.array(
    [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32
)
SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4)]
SIDES += [(1, 5, 7, 3)]


def cubes(*places: tuple[float, float, float], side: float = 2.0) -> Mesh:
    """Make cubes of one size about some places."""
    faces = np.array(
        [half for a, b, c, d in SIDES for half in ((a, b, c), (a, c, d))], np.int32
    )
    return Mesh(
        np.concatenate([CORNERS * side / 2 + place for place in places]).astype("f4"),
        np.concatenate([faces + 8 * n for n in range(len(places))]).astype("i4"),
        np.repeat(np.arange(len(places), dtype=np.int32), 8),
    )


def test_volumes_and_areas_are_those_of_each_body() -> None:
    mesh = cubes((0, 0, 0), (40, -30, 20))
    assert mesh.volumes == pytest.approx([8, 8], rel=1e-5)
    assert mesh.areas == pytest.approx([24, 24], rel=1e-5)


def test_normals_point_away_from_the_body() -> None:
    mesh = cubes((10, 0, -5))
    outwards = mesh.vertices - mesh.vertices.mean(axis=0)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(np.ones(8))
    assert ((mesh.normals * outwards).sum(axis=1) > 0.9).all()


def test_bodies_are_swollen_and_shrunk_to_their_volumes() -> None:
    mesh = cubes((0, 0, 0), (10, 0, 0))
    found = fit_volumes(mesh, [12.0, 5.0])
    assert found.volumes == pytest.approx([12, 5], rel=0.03)
    for n, middle in enumerate(((0, 0, 0), (10, 0, 0))):
        here = found.vertices[found.part == n]
        assert here.mean(axis=0) == pytest.approx(middle, abs=1e-3)


def test_smoothing_moves_no_body_and_takes_off_edges() -> None:
    mesh = cubes((5, 6, 7), (-20, 0, 0))
    found = smooth_mesh(mesh, 5)
    for n in range(2):
        before, after = (one.vertices[one.part == n] for one in (mesh, found))
        assert after.mean(axis=0) == pytest.approx(before.mean(axis=0), abs=1e-3)
    assert np.abs(found.vertices - mesh.vertices).max() > 0.01
    assert smooth_mesh(mesh, 0) is mesh


def test_light_comes_from_above_and_leaves_nothing_black() -> None:
    up, down, left, right = light_on(
        np.array([[0, 0, 1], [0, 0, -1], [-1, 0, 0], [1, 0, 0]], np.float32)
    )
    assert up > left == right > down > 0.4
    assert up <= 1
