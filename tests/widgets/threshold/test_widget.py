"""The form offers what means something, and each change shows the clusters of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from helpers.threshold_form import let_go, settle, shown, type_number
from napari_neurosynth_results import find_clusters, mask_from_map, open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.clusters.atlas_choice import choose_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.clusters.history import tried_on
from napari_neurosynth_results.viewer.layers import map_of, placement_keywords
from napari_neurosynth_results.viewer.meaning import take_back_meaning, take_map_as
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"

# Each opens a form and thresholds a map.
pytestmark = pytest.mark.slow


@pytest.fixture
def widget(plugin: Any, viewer: Any, sample: ResultSet) -> Iterator[ThresholdWidget]:
    """Return the form, with z and its cluster-level map in the viewer, z active."""
    add_maps(viewer, [sample[MASS], sample["z"]])
    viewer.layers[-1].visible = True
    made = ThresholdWidget(viewer)
    yield made
    made.close()


def choose(widget: ThresholdWidget, stem: str) -> None:
    """Choose a map by its file stem."""
    widget.map.value = next(
        layer for layer in widget.map.choices if map_of(layer).key == stem
    )


# --- what is offered --------------------------------------------------------------


def test_an_empty_viewer_says_what_to_do(plugin: Any, viewer: Any) -> None:
    widget = ThresholdWidget(viewer)
    assert widget.sentence.value.startswith("No map is open. Drop a NiMARE folder")
    assert not widget.form.enabled
    assert widget.clusters is None
    widget.close()


def test_a_map_states_kind_tail_and_correction(widget: ThresholdWidget) -> None:
    assert widget.about.value.startswith("z, one-tailed, uncorrected: z score")
    choose(widget, MASS)
    assert widget.about.value == (
        "z, one-tailed, cluster-level FWE-corrected: each cluster carries one value, "
        "its own p"
    )


def test_only_what_makes_sense_is_offered(widget: ThresholdWidget) -> None:
    assert list(widget.form.by.choices) == ["value", "p", "q", "bonferroni"]
    assert list(widget.form.tail.choices) == ["positive"]
    assert "one-tailed: only the positive direction" in widget.form.tail.tooltip
    assert widget.form.extent.enabled
    assert widget.form.connectivity.enabled
    widget.form.connectivity.value = 26
    choose(widget, MASS)
    assert list(widget.form.by.choices) == ["p"]
    assert widget.form.by.current_choice == "p_FWE"
    assert (
        "already corrected" in widget.form.by.tooltip
        or "one value" in widget.form.by.tooltip
    )
    for locked in (widget.form.extent, widget.form.connectivity):
        assert not locked.enabled
        assert "when the clusters were formed" in locked.tooltip
    assert widget.form.threshold().connectivity == 6


def test_a_lone_map_is_refused_fdr_and_says_why(
    plugin: Any, viewer: Any, write: Callable[..., Path], rng: np.random.Generator
) -> None:
    folder = write({"z": rng.normal(0, 2, (8, 9, 8))})
    add_maps(viewer, [open_results(folder / "z.nii.gz")["z"]])
    widget = ThresholdWidget(viewer)
    assert list(widget.form.by.choices) == ["value", "p"]
    assert "no map beside this one shows where it ends" in widget.form.by.tooltip
    widget.close()


# --- the clusters -----------------------------------------------------------------


def test_the_first_threshold_is_the_one_that_the_map_asks_for(
    widget: ThresholdWidget,
) -> None:
    clusters = shown(widget)
    assert str(clusters) == widget.sentence.value
    assert widget.sentence.value == (
        "z >= 3.09 (p <= .001, one-tailed), 6-connected: 21 clusters, 2,625 voxels, "
        "21.0 cm3"
    )
    choose(widget, MASS)
    assert widget.sentence.value == (
        "6 of 13 clusters significant at p_FWE <= .05 "
        "(1,000 iterations); cluster-forming threshold p < .001"
    )


def test_each_change_shows_what_the_headless_function_finds(
    widget: ThresholdWidget, sample: ResultSet
) -> None:
    z = sample["z"]
    type_number(widget, "1e-4")
    expected = find_clusters(z, p=1e-4)
    assert shown(widget).table.equals(expected.table)
    widget.form.voxels.value = 10
    assert widget.form.mm3.value == 80
    expected = find_clusters(z, p=1e-4, min_voxels=10)
    assert shown(widget).table.equals(expected.table)
    widget.form.mm3.value = 101
    assert widget.form.voxels.value == 13
    expected = find_clusters(z, p=1e-4, min_mm3=101)
    assert shown(widget).table.equals(expected.table)
    widget.form.connectivity.value = 26
    expected = find_clusters(z, p=1e-4, min_mm3=101, connectivity=26)
    assert shown(widget).table.equals(expected.table)
    widget.form.by.value = "q"
    assert widget.form.number.value == ".05"
    expected = find_clusters(z, q=0.05, min_mm3=101, connectivity=26)
    assert shown(widget).table.equals(expected.table)


def test_another_criterion_keeps_the_threshold_where_it_is(
    widget: ThresholdWidget,
) -> None:
    before = shown(widget).table.n_voxels.tolist()
    widget.form.by.value = "value"
    assert widget.form.number.value == "3.09"
    widget.form.by.value = "p"
    assert float(widget.form.number.value) == pytest.approx(0.001, rel=0.01)
    assert shown(widget).table.n_voxels.tolist() == pytest.approx(before, abs=10)


def test_a_number_that_is_none_says_so_and_changes_nothing(
    widget: ThresholdWidget,
) -> None:
    before = shown(widget)
    for text, why in (
        ("many", "'many' is no number. Write it as .001, 0.001 or 1e-3."),
        ("7", "A probability must lie between 0 and 1"),
        ("-1", "A probability must lie between 0 and 1"),
        ("nan", "'nan' is no number."),
    ):
        type_number(widget, text)
        let_go()
        assert widget.sentence.value.startswith("Not applied. ")
        assert why in widget.sentence.value
        assert widget.clusters is before
    type_number(widget, "0,001")
    assert shown(widget).asked.p == 0.001
    assert "Not applied" not in widget.sentence.value


def test_the_slider_writes_the_number_and_gets_stricter_to_the_right(
    widget: ThresholdWidget,
) -> None:
    for by in ("p", "value", "q", "bonferroni"):
        widget.form.by.value = by
        sizes = []
        for position in (50, 300, 600, 1000):
            widget.form.slider.value = position
            clusters = shown(widget)
            assert clusters.asked.criterion == by
            assert clusters.asked.number == pytest.approx(
                float(widget.form.number.value)
            )
            sizes.append(clusters.labelled.size.sum())
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > sizes[-1]


def test_a_drag_over_fifty_values_ends_on_the_last_one_with_one_update(
    widget: ThresholdWidget,
) -> None:
    shown(widget)
    updates = []
    layer = cluster_layer(widget._viewer, widget.statmap)
    assert layer is not None
    layer.events.data.connect(lambda event: updates.append(clusters_of(layer)))
    for position in range(200, 250):
        widget.form.slider.value = position
    assert not updates, "nothing happens while more changes wait"
    let_go()
    assert len(updates) == 1
    assert updates[0].asked.p == float(widget.form.number.value)
    assert shown(widget) is updates[0]


def test_presets_name_what_they_imitate(widget: ThresholdWidget) -> None:
    names = [name for name, _ in widget.form._preset_choices()]
    assert names == [
        *("Choose ...", "p .001", "p .005", "p .01", "p .05", "FDR q .05"),
        *("SPM-like", "nilearn-like", "NiMARE-workflow-like"),
    ]
    native = widget.form.preset.native
    tips = [
        native.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(1, len(names))
    ]
    assert all(tips)
    assert "SPM12" in tips[5]
    choices = dict(widget.form._preset_choices())
    widget.form.preset.value = choices["SPM-like"]
    asked = shown(widget).asked
    assert (asked.p, asked.connectivity, asked.min_voxels) == (0.001, 18, 1)
    widget.form.preset.value = choices["NiMARE-workflow-like"]
    asked = shown(widget).asked
    assert (asked.value, asked.connectivity, asked.min_voxels) == (1.65, 6, 10)
    assert asked.strict
    assert widget.sentence.value.startswith("z > 1.65 (p <= .0495, one-tailed)")
    # Moving on from there is moving on with >=.
    widget.form.slider.value += 1
    assert not shown(widget).asked.strict
    choose(widget, MASS)
    assert "SPM-like" not in dict(widget.form._preset_choices())


# --- where to look, and degrees of freedom ----------------------------------------


def place(widget: ThresholdWidget, text: str) -> None:
    """Choose a place to look by what the list shows."""
    choices = dict(widget.where._choices())
    widget.where.place.value = choices[text]


def test_another_map_says_where_to_look(
    widget: ThresholdWidget, sample: ResultSet
) -> None:
    other = sample[MASS]
    place(widget, f"where {other.short_title} is significant")
    mask = mask_from_map(sample["z"], other, p=0.05)
    expected = find_clusters(sample["z"], p=0.001, mask=mask)
    assert shown(widget).table.equals(expected.table)
    assert f"inside the significant clusters of {other.title}" in widget.sentence.value
    widget.where.outside.value = True
    assert "outside the significant clusters" in str(shown(widget))
    mask = mask_from_map(sample["z"], other, p=0.05, exclusive=True)
    expected = find_clusters(sample["z"], p=0.001, mask=mask)
    assert shown(widget).table.equals(expected.table)
    place(widget, "everywhere")
    assert len(shown(widget)) == 21


def test_labels_of_the_viewer_are_a_place_to_look(
    widget: ThresholdWidget, viewer: Any, sample: ResultSet
) -> None:
    z = sample["z"]
    box = np.zeros(z.grid.shape, np.uint8)
    box[50:, :, :] = 3
    made = viewer.add_labels(box.T, name="right", **placement_keywords(z.grid))
    place(widget, "inside right")
    expected = find_clusters(z, p=0.001, mask=box > 0)
    assert shown(widget).labels.sum() == expected.labels.sum() > 0
    assert "inside right" in widget.sentence.value
    viewer.layers.remove(made)
    assert len(shown(widget)) == 21
    assert widget.where.where is None
    assert "inside right" not in widget.sentence.value


def test_a_file_is_a_place_to_look_and_a_broken_one_says_so(
    widget: ThresholdWidget, sample: ResultSet, tmp_path: Path
) -> None:
    z = sample["z"]
    box = np.zeros(z.grid.shape, np.uint8)
    box[:40] = 1
    nib.Nifti1Image(box, z.affine).to_filename(tmp_path / "left.nii.gz")
    widget.where.look_in_file(str(tmp_path / "left.nii.gz"))
    expected = find_clusters(z, p=0.001, mask=box > 0)
    assert np.array_equal(shown(widget).labels, expected.labels)
    assert "inside left.nii.gz" in widget.sentence.value
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    before = widget.clusters
    widget.where.look_in_file(str(tmp_path / "broken.nii.gz"))
    let_go()
    assert widget.sentence.value.startswith("Not applied. ")
    assert "broken.nii.gz" in widget.sentence.value
    assert widget.clusters is before
    widget.where.look_in_file("")
    assert len(shown(widget)) == 21


def test_the_brain_of_the_template_makes_fdr_possible_for_a_lone_map(
    plugin: Any, viewer: Any, sample_path: Path
) -> None:
    alone = open_results(sample_path / "z.nii.gz")
    add_maps(viewer, [alone["z"]])
    widget = ThresholdWidget(viewer)
    assert widget.form.offered == ["value", "p"]
    place(widget, "inside the MNI brain")
    assert widget.form.offered == ["value", "p", "q", "bonferroni"]
    widget.form.by.value = "q"
    widget.form.fdr.value = "BY"
    assert shown(widget).asked.fdr == "BY"
    assert "(Benjamini-Yekutieli)" in widget.sentence.value
    assert "inside the brain of MNI152" in widget.sentence.value
    place(widget, "everywhere")
    assert shown(widget).asked.criterion == "p"
    widget.close()


def test_the_place_goes_back_and_forward_too(
    widget: ThresholdWidget, viewer: Any, sample: ResultSet
) -> None:
    settle(widget)
    place(widget, f"where {sample[MASS].short_title} is significant")
    settle(widget)
    place(widget, "everywhere")
    settle(widget)
    widget.back.native.click()
    assert "inside the significant clusters" in widget.sentence.value
    assert widget.where.place.value is sample[MASS]
    widget.close()
    again = ThresholdWidget(viewer)
    assert again.where.place.value is sample[MASS]
    assert "inside the significant clusters" in again.sentence.value
    again.close()


def test_degrees_of_freedom_are_asked_for_where_nobody_states_them(
    plugin: Any, viewer: Any, write: Callable[..., Path], rng: np.random.Generator
) -> None:
    folder = write({"spmT_0001": rng.normal(0, 2, (8, 9, 8))})
    add_maps(viewer, [open_results(folder / "spmT_0001.nii.gz")["spmT_0001"]])
    widget = ThresholdWidget(viewer)
    assert widget.form.offered == ["value"]
    assert "degrees of freedom" in widget.form.by.tooltip
    native = widget.form.dof.native
    QTest.keyClicks(native, "20")
    QTest.keyClick(native, Qt.Key.Key_Return)
    assert widget.form.offered == ["value", "p"]
    widget.form.by.value = "p"
    type_number(widget, "0.05")
    statmap = widget.statmap
    assert statmap is not None
    expected = find_clusters(statmap, p=0.05, dof=20)
    assert shown(widget).table.equals(expected.table)
    assert "two-tailed" in widget.sentence.value
    native.clear()
    QTest.keyClicks(native, "twenty")
    QTest.keyClick(native, Qt.Key.Key_Return)
    assert "'twenty' is no number" in widget.sentence.value
    widget.close()


# --- memory -----------------------------------------------------------------------


def test_back_and_forward_go_through_what_was_tried(widget: ThresholdWidget) -> None:
    settle(widget)
    assert not widget.back.enabled
    for number in ("0.01", "1e-5"):
        type_number(widget, number)
        settle(widget)
    widget.back.native.click()
    assert shown(widget).asked.p == 0.01
    assert widget.form.number.value == ".01"
    widget.back.native.click()
    assert shown(widget).asked.p == 0.001
    assert not widget.back.enabled
    assert widget.forward.enabled
    widget.forward.native.click()
    assert shown(widget).asked.p == 0.01
    type_number(widget, "0.02")
    settle(widget)
    assert not widget.forward.enabled
    assert [q.threshold.p for q in tried_on(widget.map.value).requests] == [
        0.001,
        0.01,
        0.02,
    ]


def test_a_drag_counts_once_when_it_rests(widget: ThresholdWidget) -> None:
    settle(widget)
    # On a busy machine a step may take longer than a user rests.
    widget._settles.setInterval(2_000)
    for position in range(300, 340):
        widget.form.slider.value = position
        let_go()
    settle(widget)
    assert len(tried_on(widget.map.value).requests) == 2


def test_closing_and_opening_again_loses_nothing(
    widget: ThresholdWidget, viewer: Any
) -> None:
    type_number(widget, "1e-5")
    widget.form.voxels.value = 7
    settle(widget)
    before = shown(widget)
    widget.close()
    again = ThresholdWidget(viewer)
    assert again.form.number.value == "1e-05"
    assert again.form.voxels.value == 7
    assert again.clusters is not None
    assert again.clusters.table.equals(before.table)
    assert again.back.enabled
    again.close()


def test_the_last_choices_are_remembered_for_the_next_map(
    widget: ThresholdWidget, preferences: Any, sample: ResultSet
) -> None:
    type_number(widget, "0.005")
    widget.form.voxels.value = 20
    widget.form.connectivity.value = 18
    widget.form.faint.value = True
    settle(widget)
    assert preferences.threshold.uncorrected == 0.005
    add_maps(widget._viewer, [sample["logp"]])
    choose(widget, "logp")
    asked = shown(widget).asked
    assert (asked.p, asked.min_voxels, asked.connectivity) == (0.005, 20, 18)
    # A corrected map has a level of its own.
    choose(widget, MASS)
    assert shown(widget).asked.p == 0.05


def test_what_was_not_applied_does_not_count_as_tried(
    widget: ThresholdWidget, tmp_path: Path
) -> None:
    settle(widget)
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    widget.where.look_in_file(str(tmp_path / "broken.nii.gz"))
    settle(widget)
    assert widget.sentence.value.startswith("Not applied. ")
    tried = tried_on(widget.map.value)
    assert [request.place for request in tried.requests] == [None]


def test_what_the_user_set_in_the_layer_controls_stays(
    widget: ThresholdWidget,
) -> None:
    layer = widget.map.value
    layer.opacity, layer.rendering, layer.gamma = 0.6, "iso", 0.8
    for position in (200, 500, 800):
        widget.form.slider.value = position
        let_go()
    widget.form.faint.value = True
    let_go()
    assert (layer.opacity, layer.rendering, layer.gamma) == (0.6, "iso", 0.8)


# --- layers come and go -----------------------------------------------------------


def test_the_active_map_is_chosen_first_and_a_chosen_map_is_brought_to_view(
    widget: ThresholdWidget, viewer: Any
) -> None:
    assert map_of(widget.map.value).key == "z"
    choose(widget, MASS)
    assert widget.map.value.visible
    assert viewer.layers.selection.active is widget.map.value


def test_deleting_the_map_goes_on_to_another_and_in_the_end_to_none(
    widget: ThresholdWidget, viewer: Any
) -> None:
    shown(widget)
    viewer.layers.remove(widget.map.value)
    let_go()
    assert widget.statmap is not None
    assert widget.statmap.key == MASS
    assert widget.about.value.startswith("z, one-tailed, cluster-level")
    viewer.layers.clear()
    let_go()
    assert widget.statmap is None
    assert widget.sentence.value.startswith("No map is open")
    widget.form.slider.value = 3
    let_go()


def test_deleting_the_clusters_brings_them_back_with_the_next_change(
    widget: ThresholdWidget, viewer: Any
) -> None:
    shown(widget)
    viewer.layers.remove(cluster_layer(viewer, widget.statmap))
    assert widget.clusters is None
    type_number(widget, "0.01")
    assert shown(widget).asked.p == 0.01
    assert len([x for x in viewer.layers if clusters_of(x) is not None]) == 1


def test_another_atlas_names_what_the_slider_finds(
    viewer: Any, sample: ResultSet, plugin: Any
) -> None:
    add_maps(viewer, [sample["z"]])
    widget = ThresholdWidget(viewer)
    assert widget.clusters.names[0] == "Insula R"
    choose_atlas(viewer, "none")
    widget.form.slider.value += 20
    widget._settles.stop()
    widget._apply()
    widget._settled()
    assert widget.clusters.names[0] == "cluster 1"
    choose_atlas(viewer, "default")
    widget._settled()
    assert widget.clusters.names[0] == "Insula R"
    widget.close()


def test_a_p_that_is_none_is_refused_until_the_user_says_what_it_is(
    plugin: Any, viewer: Any, opened: Callable[..., ResultSet]
) -> None:
    t = np.random.default_rng(2).standard_t(18, size=(8, 9, 8))
    t[3:5, 3:5, 3:5] = 9
    results = opened({"pain_p": t, "b_z": t})
    add_maps(viewer, [results["pain_p"]])
    widget = ThresholdWidget(viewer)
    assert "they fit z" in widget.sentence.value
    assert (widget.form.offered, widget.clusters) == ([], None)
    widget.form.voxels.value = 3
    let_go()
    assert widget.sentence.value.startswith("Not applied. pain: p, uncorrected: its")
    statmap, told = take_map_as(viewer, results["pain_p"], "t two-tailed df=18")
    let_go()
    assert (widget.statmap, told) == (statmap, "")
    assert widget.sentence.value.startswith(
        "|t| >= 3.92 (p <= .001, two-tailed, 18 degrees of freedom)"
    )
    names = [layer.name for layer in viewer.layers]
    assert names == ["pain_p", "pain_p: outlines", "pain_p: clusters"]
    # Its history is that of its meaning.
    take_back_meaning(viewer, viewer.layers[0])
    let_go()
    assert "they fit z" in widget.sentence.value
    assert len(viewer.layers) == 1
    widget.close()
