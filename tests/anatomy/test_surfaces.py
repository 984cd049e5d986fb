"""Surfaces of voxels: closed, in their place, and with the volume of their voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results import find_clusters, open_results
from napari_neurosynth_results.anatomy.surfaces import (
    Mesh,
    brain_outline,
    cluster_surfaces,
)
from napari_neurosynth_results.anatomy.template import read_brain_mask
from napari_neurosynth_results.maps.grid import Grid

AFFINE = np.array([[2, 0, 0, -40], [0, 3, 0, -50], [0, 0, 4, 10], [0, 0, 0, 1]], float)
SHAPE = (12, 11, 10)
GRID = Grid(SHAPE, AFFINE)
VOXEL = 2 * 3 * 4


def labelled(*boxes: Any) -> npt.NDArray[np.int32]:
    labels = np.zeros(SHAPE, np.int32)
    for n, box in enumerate(boxes, 1):
        labels[box] = n
    return labels


def is_closed(mesh: Mesh) -> bool:
    """Whether each edge is met once in each direction."""
    edges = np.concatenate([mesh.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    there = {tuple(edge) for edge in edges.tolist()}
    return len(there) == len(edges) and all((b, a) in there for a, b in there)


@pytest.mark.parametrize(
    "box",
    [
        np.s_[5, 5, 5],
        np.s_[4:6, 5, 5],
        np.s_[2:9, 3:8, 4:7],
        np.s_[0, 0, 0],
        np.s_[8:, 7:, 6:],
        np.s_[:, :, :],
        np.s_[3, :, 5],
    ],
)
def test_a_cluster_keeps_its_volume_and_its_place(box: Any) -> None:
    labels = labelled(box)
    mesh = cluster_surfaces(labels, GRID)
    assert is_closed(mesh)
    assert mesh.volumes == pytest.approx([(labels > 0).sum() * VOXEL], rel=0.02)
    voxels = np.argwhere(labels)
    middle = voxels.mean(axis=0) @ AFFINE[:3, :3] + AFFINE[:3, 3]
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert (low + high) / 2 == pytest.approx(middle, abs=0.1)
    # It reaches about as far as its voxels do.
    size = (voxels.max(axis=0) - voxels.min(axis=0) + 1) * (2, 3, 4)
    assert np.abs((high - low) / size - 1).max() < 0.5


def test_each_cluster_is_a_body_of_its_own_also_where_two_touch() -> None:
    labels = labelled(np.s_[2:5, 2:5, 2:5], np.s_[5:9, 2:5, 2:5], np.s_[5, 9, 9])
    mesh = cluster_surfaces(labels, GRID, 3)
    assert set(mesh.part) == {0, 1, 2}
    assert mesh.volumes == pytest.approx(np.array([27, 36, 1]) * VOXEL, rel=0.02)
    assert (mesh.part[mesh.faces].min(1) == mesh.part[mesh.faces].max(1)).all()
    assert is_closed(mesh)


def test_labels_without_voxels_have_no_body_and_shift_no_other() -> None:
    labels = labelled(np.s_[2:4, 2:4, 2:4])
    labels[labels == 1] = 2
    mesh = cluster_surfaces(labels, GRID, 4)
    assert set(mesh.part) == {1}
    assert mesh.volumes[1] == pytest.approx(8 * VOXEL, rel=0.02)
    nothing = cluster_surfaces(np.zeros(SHAPE, np.uint8), GRID, 3)
    assert len(nothing) == 0
    assert nothing.faces.shape == (0, 3)


@pytest.mark.slow
def test_the_clusters_of_the_sample_have_their_volumes(sample_path: Any) -> None:
    statmap = open_results(sample_path)["z"]
    # Dozens, some of one voxel, and one at the edge of the brain.
    clusters = find_clusters(statmap, p=0.01)
    mesh = cluster_surfaces(clusters.labels, statmap.grid, len(clusters))
    assert len(mesh.volumes) == len(clusters) > 50
    assert clusters.table.n_voxels.min() == 1
    assert mesh.volumes == pytest.approx(clusters.table.volume_mm3, rel=0.02)
    assert is_closed(mesh)


@pytest.mark.slow
def test_the_outline_is_that_of_the_template() -> None:
    mesh = brain_outline()
    mask, grid = read_brain_mask()
    assert mesh is brain_outline()
    assert mesh.volumes == pytest.approx([mask.sum() * 8], rel=0.01)
    assert is_closed(mesh)
    voxels = np.argwhere(mask)
    for axis in range(3):
        ends = voxels[:, axis].min(), voxels[:, axis].max()
        low, high = (end * 2 + grid.origin[axis] for end in ends)
        assert mesh.vertices[:, axis].min() == pytest.approx(low, abs=2.5)
        assert mesh.vertices[:, axis].max() == pytest.approx(high, abs=2.5)
