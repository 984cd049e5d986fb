"""A map gets another meaning in a viewer: layers, clusters and masks follow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from helpers.worked_in import threshold
from napari_neurosynth_results import ResultsError
from napari_neurosynth_results.export.workspace.script import write_script
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.comparison.comparison import compare
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    rename,
)
from napari_neurosynth_results.viewer.clusters.history import tried_on
from napari_neurosynth_results.viewer.clusters.mask_choice import MaskChoice
from napari_neurosynth_results.viewer.compare.comparison_layers import (
    show_agreement,
    show_map,
)
from napari_neurosynth_results.viewer.layers import (
    REASON_KEY,
    VOXELS_KEY,
    map_of,
)
from napari_neurosynth_results.viewer.meaning import (
    past_meanings,
    take_back_meaning,
    take_map_as,
    tell_meaning,
)
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.workspace.save_and_open import (
    open_workspace,
    save_workspace,
)
from napari_neurosynth_results.viewer.workspace.state_reader import describe

pytestmark = pytest.mark.usefixtures("preferences")
Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]


@pytest.fixture
def t(rng: np.random.Generator, inside: npt.NDArray[np.bool_]) -> Array:
    """Return t of 18 degrees of freedom with an effect and its opposite."""
    t = np.where(inside, rng.standard_t(18, size=inside.shape), 0)
    t[2:4, 2:4, 2:4], t[5, 5:7, 5] = 8, -7
    return t


@pytest.fixture
def results(opened: Opened, t: Array) -> ResultSet:
    """Return a result in which a t map is called p, and another map."""
    return opened({"pain_p": t, "other_z": np.abs(t)})


def layer_of(viewer: Any, key: str) -> Any:
    (found,) = (
        one for one in viewer.layers if (m := map_of(one)) is not None and m.key == key
    )
    return found


def shown(viewer: Any, key: str) -> Any:
    layer = cluster_layer(viewer, map_of(layer_of(viewer, key)))
    return None if layer is None else clusters_of(layer)


def kept(viewer: Any, key: str) -> Any:
    return shown(viewer, key).labels > 0


def test_its_layer_is_made_anew_in_the_same_place(
    viewer: Any, results: ResultSet, t: Array
) -> None:
    add_maps(viewer, [results["pain_p"], results["other_z"]])
    before = layer_of(viewer, "pain_p")
    before.name = "mine"
    assert "they fit z" in before.metadata[REASON_KEY]
    # As large numbers of both signs, which no p has.
    assert before.contrast_limits[0] == -before.contrast_limits[1]
    statmap, told = take_map_as(viewer, results["pain_p"], "t two-tailed df=18")
    assert (statmap.kind, told) == (MapKind.T, "")
    assert [map_of(layer).key for layer in viewer.layers] == ["pain_p", "other_z"]
    layer = layer_of(viewer, "pain_p")
    assert map_of(layer) is statmap is results["pain_p"]
    assert (layer.name, layer.visible) == ("mine", True)
    n = int((2 * stats.t.sf(np.abs(t), 18) <= 0.001).sum())
    assert (
        f"p <= .001, two-tailed, 18 degrees of freedom): {n} voxels"
        in layer.metadata[REASON_KEY]
    )


def test_clusters_follow_and_come_back(viewer: Any, opened: Opened, t: Array) -> None:
    results = opened({"pain_z": t})
    layer = threshold(viewer, results["pain_z"], Threshold(p=0.01, min_voxels=2))
    rename(layer, 1, "mine")
    as_z = kept(viewer, "pain_z")
    take_map_as(viewer, results["pain_z"], "t two-tailed df=18 uncorrected")
    assert len(viewer.layers) == 3
    p = 2 * stats.t.sf(np.abs(t), 18)
    assert np.array_equal(kept(viewer, "pain_z"), p <= 0.001)
    assert shown(viewer, "pain_z").names[0] == "mine"
    # Thresholds that were tried with one meaning belong to it.
    layer = layer_of(viewer, "pain_z")
    assert [one.threshold.p for one in tried_on(layer).requests] == [0.001]
    assert past_meanings(layer).texts == ("",)
    statmap, told = take_back_meaning(viewer, layer)
    assert (statmap.kind, told, results.stated) == (MapKind.Z, "", {})
    assert np.array_equal(kept(viewer, "pain_z"), as_z)
    layer = layer_of(viewer, "pain_z")
    assert [one.threshold.p for one in tried_on(layer).requests] == [0.01]
    assert past_meanings(layer).texts == ()
    with pytest.raises(ResultsError, match="Nothing was said"):
        take_back_meaning(viewer, layer)


def test_the_active_layer_stays_the_active_one(viewer: Any, results: ResultSet) -> None:
    add_maps(viewer, [results["pain_p"], results["other_z"]])
    viewer.layers.selection.active = layer_of(viewer, "pain_p")
    take_map_as(viewer, results["pain_p"], "t")
    assert viewer.layers.selection.active is layer_of(viewer, "pain_p")
    viewer.layers.selection.active = layer_of(viewer, "other_z")
    take_map_as(viewer, results["pain_p"], "z")
    assert viewer.layers.selection.active is layer_of(viewer, "other_z")


def test_a_map_becomes_labels_and_a_map_again(viewer: Any, opened: Opened) -> None:
    whole = np.zeros((8, 9, 8))
    whole[2:4, 2:4, 2:4], whole[5:7, 5:7, 5:7] = 1, 2
    results = opened({"pain_z": whole})
    add_maps(viewer, [results["pain_z"]])
    take_map_as(viewer, results["pain_z"], "label")
    layer = layer_of(viewer, "pain_z")
    assert set(np.unique(layer.data)) == {0, 1, 2}
    assert hasattr(layer, "selected_label")
    take_back_meaning(viewer, layer)
    assert hasattr(layer_of(viewer, "pain_z"), "contrast_limits")


def test_maps_whose_p_it_states_are_asked_again(
    viewer: Any, opened: Opened, inside: npt.NDArray[np.bool_], rng: Any
) -> None:
    p = np.where(inside, rng.uniform(0.0001, 1, size=inside.shape), 0)
    z = np.where(inside, np.maximum(stats.norm.isf(np.where(inside, p, 1)), 0), 0)
    logp = np.where(inside, -np.log10(np.where(inside, p, 1)) * 2, 0)
    results = opened({"z": z, "logp": logp, "p": p})
    threshold(viewer, results["z"], Threshold(p=0.05))
    add_maps(viewer, [results["logp"]])
    # By its logp, which is none.
    assert np.array_equal(kept(viewer, "z"), logp >= -np.log10(0.05))
    take_map_as(viewer, results["logp"], "other")
    assert np.array_equal(kept(viewer, "z"), inside & (p <= 0.05))
    take_back_meaning(viewer, layer_of(viewer, "logp"))
    assert np.array_equal(kept(viewer, "z"), logp >= -np.log10(0.05))


def test_a_map_without_clusters_is_looked_at_again(
    viewer: Any, opened: Opened, inside: npt.NDArray[np.bool_], rng: Any
) -> None:
    p = np.where(inside, rng.uniform(0.0001, 1, size=inside.shape), 0)
    p[3, 3, 3:6] = 1e-5
    z = np.where(inside, np.maximum(stats.norm.isf(np.where(inside, p, 1)), 0), 0)
    results = opened({"z": z, "p": p})
    add_maps(viewer, [results["z"]])
    first = layer_of(viewer, "z").metadata[REASON_KEY]
    assert "by its p map" in first
    take_map_as(viewer, results["p"], "prob")
    assert "by its p map" not in layer_of(viewer, "z").metadata[REASON_KEY]
    take_map_as(viewer, results["p"], "")
    assert layer_of(viewer, "z").metadata[REASON_KEY] == first


def test_masks_made_of_it_are_made_again(
    viewer: Any, results: ResultSet, t: Array
) -> None:
    take_map_as(viewer, results["pain_p"], "t two-tailed df=18")
    where = MaskChoice(results["pain_p"], 0.05)
    add_maps(viewer, [results["pain_p"]])
    threshold(viewer, results["other_z"], Threshold(value=0.1), where)
    two = np.abs(t) >= stats.t.isf(0.025, 18)
    assert np.array_equal(kept(viewer, "other_z"), two)
    take_map_as(viewer, results["pain_p"], "t one-tailed df=18")
    one = t >= stats.t.isf(0.05, 18)
    assert np.array_equal(kept(viewer, "other_z"), one)
    assert tried_on(layer_of(viewer, "other_z")).shown.place.what is results["pain_p"]


def test_comparisons_with_the_old_meaning_are_gone(
    viewer: Any, opened: Opened, t: Array
) -> None:
    results = opened({"a_z": t, "b_z": t})
    found = [
        clusters_of(threshold(viewer, results[key], Threshold(p=0.001)))
        for key in ("a_z", "b_z")
    ]
    compared = compare(*found)
    show_agreement(viewer, compared)
    made = show_map(viewer, compared.difference)
    with pytest.raises(ResultsError, match="was made of two maps"):
        take_map_as(viewer, map_of(made), "z")
    _, told = take_map_as(viewer, results["a_z"], "t df=18")
    assert told.count("compare again") == 2
    assert len(viewer.layers) == 6


def test_what_means_nothing_changes_nothing(viewer: Any, results: ResultSet) -> None:
    add_maps(viewer, [results["pain_p"]])
    before = list(viewer.layers)
    with pytest.raises(ResultsError, match="no kind of numbers"):
        take_map_as(viewer, results["pain_p"], "tea")
    assert list(viewer.layers) == before
    assert (results["pain_p"].kind, results.stated) == (MapKind.P, {})


def test_what_cannot_be_read_any_more_stays_as_it_was(
    viewer: Any, results: ResultSet
) -> None:
    add_maps(viewer, [results["pain_p"], results["other_z"]])
    layer = layer_of(viewer, "pain_p")
    before = (list(viewer.layers), results["pain_p"], results.problems)
    Path(results["pain_p"].path).unlink()
    with pytest.raises(ResultsError, match="pain_p"):
        take_map_as(viewer, results["pain_p"], "t df=18")
    assert (list(viewer.layers), results["pain_p"], results.problems) == before
    assert map_of(layer) is results["pain_p"]
    assert (results["pain_p"].kind, results.stated) == (MapKind.P, {})
    # Nor is it read anew, which would fail.
    assert results["pain_p"].data is layer.metadata[VOXELS_KEY]
    assert past_meanings(layer).texts == ()
    with pytest.raises(ResultsError, match="pain_p"):
        take_map_as(viewer, results["pain_p"], "")
    assert layer_of(viewer, "pain_p") is layer


def test_what_cannot_be_thresholded_is_shown_without_clusters(
    viewer: Any, opened: Opened, t: Array
) -> None:
    results = opened({"pain_z": t})
    threshold(viewer, results["pain_z"], Threshold(p=0.01))
    _, told = take_map_as(viewer, results["pain_z"], "p")
    assert "shown without clusters" in told
    assert "they fit z" in told
    assert shown(viewer, "pain_z") is None


def test_a_map_without_a_layer_gets_none(viewer: Any, results: ResultSet) -> None:
    statmap, told = take_map_as(viewer, results["pain_p"], "t")
    assert (statmap.kind, told, len(viewer.layers)) == (MapKind.T, "", 0)


def test_the_user_is_told_and_may_undo_it(
    viewer: Any, results: ResultSet, notifications: list[Any]
) -> None:
    add_maps(viewer, [results["pain_p"]])
    statmap, told = take_map_as(viewer, results["pain_p"], "t df=18")
    tell_meaning(viewer, statmap, told)
    assert notifications[-1].message.startswith("pain_p holds t, two-tailed, a guess")
    ((text, undo),) = notifications[-1].actions
    undo(None)
    assert (text, map_of(viewer.layers[0]).kind) == ("Undo", MapKind.P)
    assert notifications[-1].message.startswith("pain_p holds p")
    assert notifications[-1].actions == ()
    # It was undone already.
    undo(None)
    assert map_of(viewer.layers[0]).kind is MapKind.P


def test_a_workspace_and_a_script_keep_it(
    viewer: Any, results: ResultSet, tmp_path: Path
) -> None:
    from napari.components import ViewerModel

    take_map_as(viewer, results["pain_p"], "t one-tailed df=18 uncorrected")
    threshold(viewer, results["pain_p"], Threshold(p=0.001))
    path = tmp_path / "work.nnr.json"
    save_workspace(viewer, path)
    (source,) = json.loads(path.read_text())["contents"]["sources"]
    said = {"map": "pain_p", "holds": "t one-tailed df=18 uncorrected"}
    assert source["kinds"] == [said]
    other = ViewerModel()
    assert open_workspace(other, path) == []
    assert np.array_equal(kept(other, "pain_p"), kept(viewer, "pain_p"))
    assert map_of(layer_of(other, "pain_p")).results.stated == results.stated
    scope: dict[str, Any] = {}
    script = write_script(describe(viewer))
    assert "'pain_p': 't one-tailed df=18 uncorrected'" in script
    exec(script, scope)
    (clusters,) = (one for name, one in scope.items() if name.startswith("clusters_"))
    assert np.array_equal(clusters.labels > 0, kept(viewer, "pain_p"))


def test_a_workspace_opens_although_a_map_is_gone(
    viewer: Any, results: ResultSet, tmp_path: Path
) -> None:
    from napari.components import ViewerModel

    add_maps(viewer, [results["pain_p"]])
    take_map_as(viewer, results["other_z"], "t")
    path = tmp_path / "work.nnr.json"
    save_workspace(viewer, path)
    Path(results["other_z"].path).unlink()
    other = ViewerModel()
    (told,) = open_workspace(other, path)
    assert "There is no map other_z" in told
    assert map_of(layer_of(other, "pain_p")).kind is MapKind.P
