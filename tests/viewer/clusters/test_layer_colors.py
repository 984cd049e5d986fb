"""A map's layer holds what survives, and what the user chooses there stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results.export.colors import colored_mask
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.brain_views.cortex import show_cortex
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    faint_layer,
    layers_of_map,
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import map_layer, voxels_behind

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


@pytest.fixture
def layer(viewer: Any, sample: ResultSet) -> Any:
    """Return the layer of an uncorrected z map."""
    return add(viewer, sample["z"])


def add(viewer: Any, statmap: Any) -> Any:
    from napari.layers import Layer

    return viewer.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))


def seen(layer: Any) -> Any:
    return np.isfinite(layer.data.T)


def test_every_step_shows_the_voxels_of_its_clusters(
    viewer: Any, sample: ResultSet, layer: Any
) -> None:
    picture, z = layer.data, sample["z"]
    for p, k in ((0.001, 1), (0.01, 20), (0.0001, 5), (1e-30, 1), (0.001, 50)):
        clusters = clusters_at(z, Threshold(p=p, min_voxels=k))
        show_clusters(viewer, layer, clusters)
        assert np.array_equal(seen(layer), clusters.labels > 0)
        assert np.array_equal(layer.data.T[seen(layer)], z.data[clusters.labels > 0])
        # In place: no step makes an array of its own.
        assert layer.data is picture
    assert np.array_equal(voxels_behind(layer), z.data)


@pytest.mark.slow
def test_of_cluster_level_maps_the_significant_clusters_are_seen(
    viewer: Any, sample: ResultSet
) -> None:
    layer = add(viewer, sample[MASS])
    clusters = clusters_at(sample[MASS], Threshold(p=0.05))
    before = seen(layer)
    show_clusters(viewer, layer, clusters)
    # 13 clusters have 2,566 voxels.
    assert np.count_nonzero(seen(layer)) == 2330
    assert np.array_equal(before, seen(layer))
    assert np.array_equal(layer.data.T[before], sample["z"].data[before])
    assert f"{2330:,} significant voxels" in show_cortex(viewer, layer)


def test_what_the_user_chose_stays_while_the_threshold_moves(
    viewer: Any, sample: ResultSet, layer: Any
) -> None:
    show_clusters(viewer, layer, clusters_at(sample["z"], Threshold(p=0.001)))
    low, _ = layer.contrast_limits
    show_clusters(viewer, layer, clusters_at(sample["z"], Threshold(p=0.01)))
    assert layer.contrast_limits[0] < low
    layer.contrast_limits, layer.colormap = (1, 5), "viridis"
    show_clusters(viewer, layer, clusters_at(sample["z"], Threshold(p=0.002)))
    assert tuple(layer.contrast_limits) == (1, 5)
    assert layer.colormap.name == "viridis"


def test_what_the_user_put_into_the_layer_is_not_written_over(
    viewer: Any, sample: ResultSet, layer: Any
) -> None:
    mine = np.zeros_like(layer.data)
    layer.data = mine
    clusters = clusters_at(sample["z"], Threshold(p=0.001))
    show_clusters(viewer, layer, clusters)
    assert not mine.any()
    assert np.array_equal(seen(layer), clusters.labels > 0)


def test_what_is_below_the_threshold_has_a_layer_of_its_own(
    viewer: Any, sample: ResultSet, layer: Any
) -> None:
    z = sample["z"]
    clusters = clusters_at(z, Threshold(p=0.001, min_voxels=30))
    show_clusters(viewer, layer, clusters, faint=True)
    below = faint_layer(viewer, layer)
    assert below is not None
    assert viewer.layers.index(below) < viewer.layers.index(layer)
    assert below.opacity <= 0.5
    assert not (seen(below) & seen(layer)).any()
    assert np.array_equal(seen(below), np.isfinite(z.data) & ~colored_mask(clusters))
    layer.visible = False
    assert not below.visible
    layer.visible = True
    show_clusters(viewer, layer, clusters)
    assert faint_layer(viewer, layer) is None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["removed", "selected and deleted", "all"])
def test_a_map_that_goes_takes_its_layers_along(
    viewer: Any, opened: Callable[..., Any], rng: np.random.Generator, how: str
) -> None:
    results = opened({"z": rng.normal(0, 3, (8, 9, 8)), "stat": np.ones((8, 9, 8))})
    layer, other = add(viewer, results["z"]), add(viewer, results["stat"])
    clusters = clusters_at(results["z"], Threshold(value=2))
    show_clusters(viewer, layer, clusters, faint=True)
    mine = layers_of_map(viewer, layer)
    assert len(mine) == 4
    if how == "removed":
        viewer.layers.remove(layer)
    else:
        wanted = mine if how == "all" else [layer]
        viewer.layers.selection = set(wanted)
        viewer.layers.remove_selected()
    assert list(viewer.layers) == [other]
    assert cluster_layer(viewer, results["z"]) is None
