"""The command that labels clusters: of the active map, at the last threshold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    faint_layer,
)
from napari_neurosynth_results.viewer.clusters.defaults import remember_choices
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.commands import label_active_map
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.settings import run_command

pytestmark = pytest.mark.usefixtures("preferences")

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
SHAPE = (8, 9, 8)


def activate(viewer: Any, statmap: StatMap) -> Any:
    """Add a map to a viewer and choose its layer."""
    add_maps(viewer, [statmap])
    layer = next(layer for layer in viewer.layers if map_of(layer) is statmap)
    viewer.layers.selection.active = layer
    return layer


def told(notifications: list[Any]) -> list[tuple[str, str]]:
    """Return severity and text of what the user was told."""
    return [(str(one.severity), one.message) for one in notifications]


def test_the_active_map_gets_a_layer_of_its_clusters(
    viewer: Any, sample: ResultSet, notifications: list[Any]
) -> None:
    add_maps(viewer, [sample["logp"]])
    layer = activate(viewer, sample["z"])
    label_active_map(viewer)
    made = viewer.layers[-1]
    clusters = clusters_of(made)
    assert clusters is not None
    assert made.name == f"{layer.name}: clusters"
    assert clusters.statmap is sample["z"]
    assert clusters.asked == Threshold(p=0.001)
    assert np.array_equal(made.data.T, clusters.labels)
    assert len(clusters) > 5
    assert told(notifications) == [("info", str(clusters))]
    # The map is cut where its clusters end, and stays the active layer.
    assert layer.contrast_limits[0] == pytest.approx(3.09, abs=1e-3)
    assert viewer.layers.selection.active is layer


def test_the_threshold_is_the_one_that_was_used_last(
    viewer: Any, sample: ResultSet
) -> None:
    asked = Threshold(q=0.05, min_voxels=30, connectivity=26)
    remember_choices(sample["z"], asked, True)
    layer = activate(viewer, sample["z"])
    label_active_map(viewer)
    clusters = clusters_of(viewer.layers[-1])
    assert clusters is not None
    assert clusters.asked == asked
    assert clusters.table.n_voxels.min() >= 30
    assert faint_layer(viewer, layer) is not None


def test_a_map_has_one_layer_of_clusters_however_often_they_are_labelled(
    viewer: Any, sample: ResultSet
) -> None:
    layer = activate(viewer, sample["z"])
    label_active_map(viewer)
    before = list(viewer.layers)
    first = clusters_of(before[-1])
    remember_choices(sample["z"], Threshold(p=0.05), False)
    label_active_map(viewer)
    assert list(viewer.layers) == before
    second = clusters_of(before[-1])
    assert first is not None
    assert second is not None
    assert second.asked == Threshold(p=0.05)
    assert second.labelled.size.sum() > first.labelled.size.sum()
    assert layer.contrast_limits[0] == pytest.approx(1.645, abs=1e-3)


def test_clusters_that_were_tested_are_told_from_those_that_are_not_significant(
    viewer: Any, sample: ResultSet, notifications: list[Any]
) -> None:
    activate(viewer, sample[MASS])
    label_active_map(viewer)
    made = viewer.layers[-1]
    clusters = clusters_of(made)
    assert clusters is not None
    assert clusters.asked == Threshold(p=0.05)
    colors = made.colormap.colors[1:, :3]
    gray = np.ptp(colors, axis=1) == 0
    assert gray.tolist() == (~clusters.surviving).tolist()
    assert 0 < gray.sum() < gray.size
    ((severity, text),) = told(notifications)
    assert (severity, text) == ("info", str(clusters))


def test_a_map_on_which_nothing_survives_is_said_to_have_no_clusters(
    viewer: Any, opened: Callable[..., ResultSet], notifications: list[Any]
) -> None:
    weak = np.full(SHAPE, 0.5)
    activate(viewer, opened({"z": weak, "p": weak})["z"])
    label_active_map(viewer)
    assert not viewer.layers[-1].data.any()
    ((severity, text),) = told(notifications)
    assert severity == "info"
    assert text.endswith("0 clusters, 0 voxels, 0.0 cm3")


@pytest.mark.parametrize("active", ["nothing", "an image", "the clusters"])
def test_without_an_active_map_the_user_is_asked_to_choose_one(
    viewer: Any, sample: ResultSet, notifications: list[Any], active: str
) -> None:
    layer = activate(viewer, sample["z"])
    label_active_map(viewer)
    foreign = viewer.add_image(np.ones(SHAPE))
    layers = list(viewer.layers)
    notifications.clear()
    clusters = next(one for one in layers if clusters_of(one) is not None)
    viewer.layers.selection.active = {
        **{"nothing": None, "an image": foreign, "the clusters": clusters}
    }[active]
    limits = list(layer.contrast_limits)
    label_active_map(viewer)
    ((severity, text),) = told(notifications)
    assert (severity, text[:36]) == ("warning", "Select the layer of a map first: one")
    assert list(viewer.layers) == layers
    assert list(layer.contrast_limits) == limits


def test_labels_that_were_read_from_a_file_are_not_labelled_again(
    viewer: Any, sample: ResultSet, notifications: list[Any]
) -> None:
    label = next(m for m in sample.maps.values() if m.kind == "label")
    layer = activate(viewer, label)
    before = list(viewer.layers)
    label_active_map(viewer)
    ((severity, text),) = told(notifications)
    assert severity == "warning"
    assert "label" in text
    assert list(viewer.layers) == before
    assert layer.data.any()


def test_a_file_that_broke_is_named_and_nothing_changes(
    viewer: Any,
    write: Callable[..., Path],
    rng: np.random.Generator,
    notifications: list[Any],
) -> None:
    z = np.abs(rng.normal(0, 2, SHAPE))
    folder = write({"z": z, "p": np.exp(-z)})
    results = open_results(folder)
    (folder / "p.nii.gz").write_bytes((folder / "p.nii.gz").read_bytes()[:900])
    layer = activate(viewer, results["z"])
    before, limits = list(viewer.layers), list(layer.contrast_limits)
    label_active_map(viewer)
    ((severity, text),) = told(notifications)
    assert severity == "warning"
    assert "p.nii.gz is truncated" in text
    assert list(viewer.layers) == before
    assert list(layer.contrast_limits) == limits


def test_a_command_is_found_before_napari_has_activated_the_plugin(
    viewer: Any, plugin: Any, sample: ResultSet
) -> None:
    """A workspace that is opened first, from the menu, brings its panel."""
    activate(viewer, sample["z"])
    run_command("show_coronal", viewer)
    assert viewer.dims.displayed == (0, 2), viewer.dims
    run_command("no_such_command", viewer)
