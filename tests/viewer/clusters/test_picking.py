"""A click on a surface finds the cluster that a line of sight meets first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.brain_views.brain import show_brain
from napari_neurosynth_results.viewer.brain_views.cortex import show_cortex
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.clusters.picking import follow_mouse
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps

STEP_MM = 0.25
FAR_MM = 300.0


class Listener:
    """Keeps what it is told of the last click."""

    def __init__(self, viewer: Any) -> None:
        self.found: tuple[Any, int] = (None, -1)
        follow_mouse(viewer, self.pick, self.point)

    def pick(self, layer: Any, label: int, position: Any) -> None:
        """Hear of a click."""
        self.found = layer, label

    def point(self, layer: Any, label: int, position: Any) -> None:
        """Hear of moves."""


def click(viewer: Any, place: Any, direction: Any, shake: float = 0.0) -> None:
    """Click in 3D along a line of sight through a place; both as x, y, z."""
    event = SimpleNamespace(
        position=tuple((place - FAR_MM * direction)[::-1]),
        view_direction=direction[::-1],
        dims_displayed=[0, 1, 2],
        type="mouse_press",
        button=1,
        pos=(0.0, 0.0),
    )
    # The others are napari's own.
    way = viewer.mouse_drag_callbacks[-1](viewer, event)
    next(way)
    if shake:
        event.type, event.pos = "mouse_move", (shake, 0.0)
        next(way)
    event.type = "mouse_release"
    next(way, None)


def first_on_the_way(clusters: Any, place: Any, direction: Any) -> tuple[int, float]:
    """Walk along the line of sight, voxel by voxel, until one is in a cluster.

    Returns
    -------
    tuple of (int, float)
        The label, 0 for none, and how long the way in the first cluster is, mm.
    """
    grid, labels = clusters.statmap.grid, clusters.labels
    steps = np.arange(-FAR_MM, FAR_MM, STEP_MM)[:, None]
    voxels = (place + steps * direction - grid.origin) / grid.voxel_size
    voxels = np.rint(voxels).astype(int)
    inside = ((voxels >= 0) & (voxels < labels.shape)).all(axis=1)
    met = labels[tuple(voxels[inside].T)]
    (hits,) = np.nonzero(met)
    if not len(hits):
        return 0, 0.0
    label = int(met[hits[0]])
    run = met[hits[0] :] == label
    length = len(run) if run.all() else int(np.argmin(run))
    return label, length * STEP_MM


@pytest.fixture
def clusters(viewer: Any, sample: ResultSet) -> Any:
    """Return the clusters of z, which are shown."""
    add_maps(viewer, [sample["z"]])
    layer = next(one for one in viewer.layers if map_of(one) is sample["z"])
    found = find_clusters(sample["z"], p=0.001, min_voxels=10)
    show_clusters(viewer, layer, found)
    return found


@pytest.mark.slow
def test_the_cluster_that_is_met_first_is_found(viewer: Any, clusters: Any) -> None:
    show_brain(viewer)
    listener, rng = Listener(viewer), np.random.default_rng(0)
    asked = 0
    for center in clusters.inner_centers:
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        label, length = first_on_the_way(clusters, np.array(center), direction)
        # Surfaces are smooth: they need not have the corner that a line grazes.
        if length < 5:
            continue
        asked += 1
        click(viewer, np.array(center), direction)
        assert listener.found[1] == label
        assert listener.found[0] is viewer.layers[-1]
    assert asked > 5
    click(viewer, np.array([0.0, 0.0, 300.0]), np.array([1.0, 0, 0]))
    assert listener.found == (None, 0)


@pytest.mark.slow
def test_a_hand_may_shake_and_a_drag_is_no_click(viewer: Any, clusters: Any) -> None:
    show_brain(viewer)
    listener = Listener(viewer)
    place, down = np.array(clusters.inner_centers[0]), np.array([0.0, 0, -1])
    click(viewer, place, down, shake=60)
    assert listener.found == (None, -1)
    click(viewer, place, down, shake=2)
    assert listener.found[1] > 0


@pytest.mark.slow
def test_the_cortex_tells_its_clusters(viewer: Any, clusters: Any) -> None:
    show_cortex(viewer)
    listener = Listener(viewer)
    # From the right onto the operculum: what is met is cortex, colored or not.
    inwards, found = np.array([-1.0, 0, 0]), set()
    for y in range(-60, 30, 15):
        for z in range(0, 60, 12):
            click(viewer, np.array([50.0, y, z]), inwards)
            found.add(listener.found[1])
    assert 0 in found
    assert found > {0}
    places = {one for one in found if one and clusters.table.peak_x[one - 1] > 0}
    assert places == found - {0}
