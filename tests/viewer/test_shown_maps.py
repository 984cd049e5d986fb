"""One map at a time, another over it when asked, and the layers say which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    goes_with_others,
)
from napari_neurosynth_results.viewer.layers import map_of, result_sets
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.shown_maps import (
    current_layer,
    current_map,
    distinct_title,
    hide_map,
    is_shown,
    layer_for,
    name_layers,
    same_result,
    show_alone,
    show_first_of,
    show_over,
)

SHAPE = (8, 9, 8)


@pytest.fixture
def results(opened: Callable[..., ResultSet], rng: np.random.Generator) -> ResultSet:
    """Return a result of three maps, one of which is of labels."""
    values = {"z": rng.normal(0, 3, SHAPE), "stat": rng.random(SHAPE)}
    labels = rng.integers(0, 4, SHAPE)
    return opened({**values, "label": labels}, name="pain")


def seen(viewer: Any) -> list[Any]:
    """Return the keys of the maps that are visible, and of visible clusters."""
    found = []
    for layer in viewer.layers:
        if layer.visible and not goes_with_others(layer.metadata):
            shown, clusters = map_of(layer), clusters_of(layer)
            found.append(shown.key if shown is not None else [clusters.statmap.key])
    return found


def test_a_map_is_shown_alone_with_its_clusters(
    viewer: Any, results: ResultSet
) -> None:
    add_maps(viewer, [results["z"], results["stat"]])
    show_alone(viewer, results["stat"])
    assert seen(viewer) == ["stat", ["stat"]]
    show_alone(viewer, results["z"])
    assert seen(viewer) == ["z", ["z"]]
    assert current_map(viewer) is results["z"]
    found = clusters_of(cluster_layer(viewer, results["z"]))
    assert found.asked.p == 0.001
    # What was shown before keeps its threshold.
    n = len(viewer.layers)
    show_alone(viewer, results["stat"])
    assert len(viewer.layers) == n


def test_layers_of_others_stay_as_they_are(viewer: Any, results: ResultSet) -> None:
    mine = viewer.add_image(np.zeros(SHAPE), name="mine")
    painted = viewer.add_labels(np.zeros(SHAPE, int), name="painted", visible=False)
    show_alone(viewer, results["z"])
    show_alone(viewer, results["stat"])
    assert mine.visible
    assert not painted.visible


def test_a_map_is_laid_over_with_its_clusters_on_top(
    viewer: Any, results: ResultSet
) -> None:
    show_alone(viewer, results["z"])
    show_alone(viewer, results["stat"])
    show_over(viewer, results["z"])
    assert seen(viewer) == ["stat", ["stat"], "z", ["z"]]
    assert current_map(viewer) is results["z"]
    hide_map(viewer, results["z"])
    assert seen(viewer) == ["stat", ["stat"]]
    assert current_map(viewer) is results["stat"], "the one that can be seen"
    assert not is_shown(viewer, results["z"])
    hide_map(viewer, results["label"])


def test_labels_have_no_clusters(viewer: Any, results: ResultSet) -> None:
    show_alone(viewer, results["z"])
    show_alone(viewer, results["label"])
    assert seen(viewer) == ["label"]
    assert current_map(viewer) is results["label"]


def test_a_map_that_cannot_be_read_changes_nothing(
    viewer: Any, write: Callable[..., Path], rng: np.random.Generator
) -> None:
    folder = write({"z": rng.normal(0, 3, SHAPE), "stat": rng.random(SHAPE)})
    results = open_results(folder)
    show_alone(viewer, results["z"])
    results.release()
    (folder / "stat.nii.gz").unlink()
    for show in (show_alone, show_over):
        with pytest.raises(ResultsError, match=r"stat\.nii\.gz"):
            show(viewer, results["stat"])
        assert seen(viewer) == ["z", ["z"]]
        assert current_map(viewer) is results["z"]


def test_the_active_layer_says_which_map_is_worked_with(
    viewer: Any, results: ResultSet
) -> None:
    assert current_layer(viewer) is None
    mine = viewer.add_image(np.zeros(SHAPE), name="mine")
    show_alone(viewer, results["stat"])
    show_over(viewer, results["z"])
    for statmap in (results["stat"], results["z"]):
        viewer.layers.selection.active = cluster_layer(viewer, statmap)
        assert current_map(viewer) is statmap
    viewer.layers.selection.active = cluster_layer(viewer, results["stat"])
    assert current_map(viewer) is results["stat"]
    copied = cluster_layer(viewer, results["z"])
    copied = viewer.add_labels(
        copied.data, name="a copy to paint in", metadata=dict(copied.metadata)
    )
    assert current_map(viewer) is results["stat"]
    viewer.layers.remove(copied)
    # Who paints a mask goes on with the same map, though another one is on top of it.
    viewer.layers.selection.active = mine
    assert current_map(viewer) is results["stat"]
    viewer.layers[results["stat"].short_title].visible = False
    assert current_map(viewer) is results["z"]
    viewer.layers[results["z"].short_title].visible = False
    assert current_map(viewer) is results["stat"]


def test_a_result_is_gone_to_and_found_again(
    viewer: Any, results: ResultSet, opened: Callable[..., ResultSet]
) -> None:
    other = opened({"z": np.ones(SHAPE)})
    assert show_first_of(viewer, other) is None
    show_alone(viewer, results["stat"])
    show_alone(viewer, other["z"])
    assert show_first_of(viewer, results) is results["stat"]
    assert seen(viewer) == ["stat", ["stat"]]
    # Whichever was worked with last, wherever its layer stands.
    for last in ("z", "stat", "z"):
        show_alone(viewer, results[last])
        show_alone(viewer, other["z"])
        assert show_first_of(viewer, results) is results[last]
    show_alone(viewer, results["stat"])
    opened_now = result_sets(viewer.layers)
    assert same_result(opened_now, results) is results
    assert same_result(opened_now, open_results(results.source)) is results
    assert same_result(opened_now, opened({"z": np.ones(SHAPE)})) is None
    # One file of a folder is not the folder.
    alone = open_results(f"{results.source}/z.nii.gz")
    assert same_result(opened_now, alone) is None


def test_names_begin_with_what_tells_maps_apart_and_results_come_first(
    viewer: Any, opened: Callable[..., ResultSet], rng: np.random.Generator
) -> None:
    mass = "level-cluster_corr-FWE_method-montecarlo"
    maps = {"z_desc-association": rng.normal(size=SHAPE) * 3}
    maps[f"z_desc-associationMass_{mass}"] = np.abs(maps["z_desc-association"])
    one, two = (opened(maps, name=name) for name in ("pain", "fear"))
    first = one["z_desc-association"]
    show_alone(viewer, first)
    assert [layer.name for layer in viewer.layers if map_of(layer)] == [
        "uncorrected · association · z"
    ]
    mine = layer_for(viewer, one[f"z_desc-associationMass_{mass}"])
    assert mine.name == "mass · FWE · association · z"
    mine.name = "my own"
    # A second result: whose map it is comes first, for clusters and outlines too.
    show_alone(viewer, two["z_desc-association"])
    names = [layer.name for layer in viewer.layers]
    assert "my own" in names
    for result in ("pain", "fear"):
        named = f"{result}: uncorrected · association · z"
        assert named in names
        assert f"{named}: clusters" in names
    assert not [one for one in names if one.startswith("uncorrected")]
    # Alone again, the result goes without saying.
    for layer in [one for one in viewer.layers if map_of(one) is not None]:
        if map_of(layer).results is two:
            viewer.layers.remove(layer)
    name_layers(viewer)
    assert "uncorrected · association · z: clusters" in [
        layer.name for layer in viewer.layers
    ]


def test_results_of_one_name_are_told_apart(
    opened: Callable[..., ResultSet], rng: np.random.Generator
) -> None:
    values = {"z": rng.normal(0, 3, SHAPE)}
    first, second, third = (opened(values, name=f"run{n}/maps") for n in (1, 2, 3))
    assert distinct_title(first, []) == "maps"
    assert distinct_title(first, [first]) == "maps"
    assert distinct_title(second, [first]) == "run2/maps"
    second.title = third.title = "maps"
    second.source = third.source = "https://neurovault.org/collections/1/"
    assert distinct_title(second, [first]) == "maps (2)"
    second.title = "maps (2)"
    assert distinct_title(third, [first, second]) == "maps (3)"
