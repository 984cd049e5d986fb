"""A map on the cortex: what is colored, what is said to be missing, and who is back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results.anatomy.cortex import read_cortex
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import scene, shown_maps
from napari_neurosynth_results.viewer.brain_views.brain import brain_of, show_brain
from napari_neurosynth_results.viewer.brain_views.cortex import (
    cortex_of,
    hide_cortex,
    show_cortex,
)
from napari_neurosynth_results.viewer.canvas import bar_on, dress
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.layers import map_layer
from napari_neurosynth_results.viewer.plugin import commands

pytestmark = pytest.mark.usefixtures("preferences", "underlay")

#: 4 mm voxels over the MNI brain.
SHAPE = (46, 55, 46)
AFFINE = np.array(
    [[4, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]], float
)


def ball(*places: tuple[float, float, float]) -> Any:
    voxels = np.indices(SHAPE).reshape(3, -1)
    mm = (AFFINE[:3, :3] @ voxels + AFFINE[:3, 3:]).T
    near = [np.linalg.norm(mm - place, axis=1) < 14 for place in places]
    return np.where(np.any(near, axis=0), 6.0, 0).reshape(SHAPE)


@pytest.fixture
def statmap(opened: Callable[..., Any]) -> Any:
    """Return a map that is 6 in a ball in the right temporal lobe."""
    return opened({"z": ball((56, -24, 4))}, affine=AFFINE)["z"]


def add(viewer: Any, statmap: Any) -> Any:
    from napari.layers import Layer

    layer = Layer.create(*map_layer(statmap, visible=True)[0])
    viewer.add_layer(layer)
    return layer


def halves(viewer: Any) -> list[Any]:
    return [layer for layer in viewer.layers if "fsaverage" in layer.name]


def lit(layer: Any) -> Any:
    """Return which vertices are colored, and not gray."""
    return np.ptp(layer.vertex_colors[:, :3], axis=1) > 0.05


@pytest.mark.parametrize("shape", ["pial", "inflated"])
def test_the_hemisphere_of_the_cluster_is_colored_where_the_cluster_is(
    viewer: Any, statmap: Any, shape: Any
) -> None:
    add(viewer, statmap)
    told = show_cortex(viewer, shape=shape)
    left, right = halves(viewer)
    assert "left" in left.name
    assert "right" in right.name
    assert ("not in mm" in right.name) == (shape == "inflated")
    assert not lit(left).any()
    where = read_cortex()[1].middle[lit(right)]
    assert len(where) > 50
    assert (np.linalg.norm(where - (56, -24, 4), axis=1) < 18).all()
    # Sulci are darker than gyri.
    gray = left.vertex_colors[:, 0]
    deep = read_cortex()[0].sulci > 0
    assert gray[deep].mean() < gray[~deep].mean() - 0.1
    assert "MNI305" in told
    assert "Cerebellum and subcortex are missing" in told
    assert viewer.dims.ndisplay == 3


@pytest.mark.parametrize("shape", ["pial", "inflated"])
def test_colors_have_a_bar_and_millimeters_a_scale(
    viewer: Any, statmap: Any, shape: Any
) -> None:
    layer = add(viewer, statmap)
    show_clusters(viewer, layer, clusters_at(statmap, Threshold(value=3)))
    dress(viewer)
    there = bar_on(viewer)
    assert there is not None
    scale = viewer.canvas.overlays.scale_bar
    show_cortex(viewer, shape=shape)
    assert bar_on(viewer) == there
    assert bool(scale.opacity) == (shape == "pial")
    scene.show_plane(viewer, "axial")
    assert bar_on(viewer) == there
    assert scale.opacity == 1
    # In the brain clusters have their own colors.
    show_brain(viewer)
    assert bar_on(viewer) is None


def test_it_is_said_how_much_is_not_on_the_surface(
    viewer: Any, opened: Callable[..., Any], notifications: list[Any]
) -> None:
    # The brainstem, and nothing else.
    statmap = opened({"z": ball((0, -34, -44))}, affine=AFFINE)["z"]
    add(viewer, statmap)
    commands.show_map_on_cortex(viewer)
    assert not any(lit(half).any() for half in halves(viewer))
    voxels = int((statmap.data > 0).sum())
    (one,) = notifications
    assert f"0 % of its {voxels} voxels" in one.message


def test_it_follows_the_threshold(viewer: Any, statmap: Any) -> None:
    layer = add(viewer, statmap)
    show_clusters(viewer, layer, clusters_at(statmap, Threshold(value=3)))
    show_cortex(viewer)
    _, right = halves(viewer)
    assert lit(right).any()
    show_clusters(viewer, layer, clusters_at(statmap, Threshold(value=7)))
    assert not lit(right).any()
    assert "nothing is above" in cortex_of(viewer).sentence  # type: ignore[union-attr]


def test_clusters_that_are_labelled_meanwhile_are_followed_and_no_blob(
    viewer: Any, statmap: Any
) -> None:
    layer = add(viewer, statmap)
    show_cortex(viewer)
    _, right = halves(viewer)
    clusters = clusters_at(statmap, Threshold(value=7))
    labels = show_clusters(viewer, layer, clusters)
    assert not labels.visible
    assert not lit(right).any()
    show_clusters(viewer, layer, clusters_at(statmap, Threshold(value=3)))
    assert lit(right).any()
    viewer.dims.ndisplay = 2
    assert labels.visible


def test_volumes_and_the_3d_brain_stand_back_and_come_back(
    viewer: Any, statmap: Any
) -> None:
    layer = add(viewer, statmap)
    before = [(one.name, one.visible) for one in viewer.layers]
    show_brain(viewer)
    in_3d = [(one.name, one.visible) for one in viewer.layers]
    show_cortex(viewer)
    show_cortex(viewer, shape="inflated")
    shown = [one.name for one in viewer.layers if one.visible]
    assert shown == [half.name for half in halves(viewer)]
    assert len(shown) == 2
    hide_cortex(viewer)
    assert [(one.name, one.visible) for one in viewer.layers] == in_3d
    show_cortex(viewer)
    show_brain(viewer)
    assert [(one.name, one.visible) for one in viewer.layers] == in_3d
    show_cortex(viewer)
    viewer.dims.ndisplay = 2
    assert [(one.name, one.visible) for one in viewer.layers] == before
    assert cortex_of(viewer) is None
    assert brain_of(viewer) is not None
    assert layer.visible


def test_another_map_that_is_chosen_takes_its_place(
    viewer: Any, opened: Callable[..., Any]
) -> None:
    places = {"a_z": (56, -24, 4), "b_z": (-56, -24, 4)}
    results = opened({one: ball(at) for one, at in places.items()}, affine=AFFINE)
    a, b = results["a_z"], results["b_z"]
    shown_maps.show_alone(viewer, a)
    show_cortex(viewer, shape="inflated")
    shown_maps.show_alone(viewer, b)
    cortex = cortex_of(viewer)
    assert cortex is not None
    assert (cortex.statmap, cortex.shape) == (b, "inflated")
    assert [one for one in viewer.layers if one.visible] == halves(viewer)
    # Chosen once more, it is no blob beside the surface.
    shown_maps.show_alone(viewer, b)
    assert [one for one in viewer.layers if one.visible] == halves(viewer)
    viewer.dims.ndisplay = 2
    assert [shown_maps.is_shown(viewer, one) for one in (a, b)] == [False, True]


def test_a_map_without_clusters_leaves_no_view_behind(
    viewer: Any, opened: Callable[..., Any]
) -> None:
    label = opened({"label": np.ones(SHAPE)}, affine=AFFINE)["label"]
    layer = add(viewer, label)
    with pytest.raises(ResultsError, match="no clusters"):
        show_cortex(viewer, layer)
    assert cortex_of(viewer) is None


@pytest.mark.parametrize("gone", ["a half", "map", "everything"])
def test_layers_may_be_removed_at_any_time(
    viewer: Any, statmap: Any, gone: str
) -> None:
    layer = add(viewer, statmap)
    show_cortex(viewer)
    if gone == "everything":
        viewer.layers.clear()
    else:
        viewer.layers.remove(layer if gone == "map" else halves(viewer)[0])
    viewer.dims.ndisplay = 2
    assert halves(viewer) == []
    if gone == "a half":
        assert layer.visible


def test_what_is_missing_is_told(
    viewer: Any,
    statmap: Any,
    notifications: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ResultsError, match="Show a map first"):
        show_cortex(viewer)
    add(viewer, statmap)
    read_cortex.cache_clear()
    monkeypatch.setitem(sys.modules, "nilearn.datasets", None)
    commands.show_map_on_cortex(viewer)
    assert "pip install nilearn" in notifications[-1].message
    assert viewer.dims.ndisplay == 2
    assert halves(viewer) == []
