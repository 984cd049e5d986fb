"""The form offers what means something, and each change shows the clusters of it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_neurosynth_results import find_clusters, open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.clusters import cluster_layer, clusters_of
from napari_neurosynth_results.viewer.history import tried_on
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.reader import add_maps
from napari_neurosynth_results.widgets.threshold import ThresholdWidget

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


@pytest.fixture
def viewer(qapp: Any) -> Any:
    """Return the model of a viewer: no window, no graphics card."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture(scope="module")
def sample(sample_path: Path) -> ResultSet:
    """Return the packaged sample."""
    return open_results(sample_path)


@pytest.fixture
def widget(plugin: Any, viewer: Any, sample: ResultSet) -> Iterator[ThresholdWidget]:
    """Return the form, with z and its cluster-level map in the viewer, z active."""
    add_maps(viewer, [sample[MASS], sample["z"]])
    made = ThresholdWidget(viewer)
    yield made
    made.close()


def let_go() -> None:
    """Let the queued updates happen."""
    for _ in range(3):
        QApplication.processEvents()


def shown(widget: ThresholdWidget) -> Any:
    """Return the clusters that are shown of the chosen map."""
    let_go()
    assert widget.clusters is not None
    return widget.clusters


def choose(widget: ThresholdWidget, stem: str) -> None:
    """Choose a map by its file stem."""
    widget.map.value = next(
        layer for layer in widget.map.choices if map_of(layer).key == stem
    )


def type_number(widget: ThresholdWidget, text: str) -> None:
    """Type a number and leave the field with Return."""
    native = widget.number.native
    native.selectAll()
    QTest.keyClicks(native, text)
    QTest.keyClick(native, Qt.Key.Key_Return)


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
    assert list(widget.by.choices) == ["value", "p", "q", "bonferroni"]
    assert list(widget.tail.choices) == ["positive"]
    assert "one-tailed: only the positive direction" in widget.tail.tooltip
    assert widget.extent.enabled
    choose(widget, MASS)
    assert list(widget.by.choices) == ["p"]
    assert widget.by.current_choice == "p_FWE of a cluster"
    assert "corrected already" in widget.by.tooltip or "one value" in widget.by.tooltip
    assert not widget.extent.enabled
    assert "when the clusters were formed" in widget.extent.tooltip


def test_a_lone_map_is_refused_fdr_and_says_why(
    plugin: Any, viewer: Any, write: Callable[..., Path], rng: np.random.Generator
) -> None:
    folder = write({"z": rng.normal(0, 2, (8, 9, 8))})
    add_maps(viewer, [open_results(folder / "z.nii.gz")["z"]])
    widget = ThresholdWidget(viewer)
    assert list(widget.by.choices) == ["value", "p"]
    assert "no map beside this one shows where it ends" in widget.by.tooltip
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
        "13 clusters distinguishable from the floor, 6 significant at p_FWE <= .05 "
        "(1,000 iterations)"
    )


def test_each_change_shows_what_the_headless_function_finds(
    widget: ThresholdWidget, sample: ResultSet
) -> None:
    z = sample["z"]
    type_number(widget, "1e-4")
    expected = find_clusters(z, p=1e-4)
    assert shown(widget).table.equals(expected.table)
    widget.voxels.value = 10
    assert widget.mm3.value == 80
    expected = find_clusters(z, p=1e-4, min_voxels=10)
    assert shown(widget).table.equals(expected.table)
    widget.mm3.value = 101
    assert widget.voxels.value == 13
    expected = find_clusters(z, p=1e-4, min_mm3=101)
    assert shown(widget).table.equals(expected.table)
    widget.connectivity.value = 26
    expected = find_clusters(z, p=1e-4, min_mm3=101, connectivity=26)
    assert shown(widget).table.equals(expected.table)
    widget.by.value = "q"
    assert widget.number.value == ".05"
    expected = find_clusters(z, q=0.05, min_mm3=101, connectivity=26)
    assert shown(widget).table.equals(expected.table)


def test_another_criterion_keeps_the_threshold_where_it_is(
    widget: ThresholdWidget,
) -> None:
    before = shown(widget).table.n_voxels.tolist()
    widget.by.value = "value"
    assert widget.number.value == "3.09"
    widget.by.value = "p"
    assert float(widget.number.value) == pytest.approx(0.001, rel=0.01)
    assert shown(widget).table.n_voxels.tolist() == pytest.approx(before, abs=10)


def test_a_number_that_is_none_says_so_and_changes_nothing(
    widget: ThresholdWidget,
) -> None:
    before = shown(widget)
    for text, why in (
        ("many", "'many' is no number. Write it as .001, 0.001 or 1e-3."),
        ("7", "A probability lies between 0 and 1"),
        ("-1", "A probability lies between 0 and 1"),
        ("nan", "A probability lies between 0 and 1"),
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
        widget.by.value = by
        sizes = []
        for position in (50, 300, 600, 1000):
            widget.slider.value = position
            clusters = shown(widget)
            assert clusters.asked.criterion == by
            assert clusters.asked.number == pytest.approx(float(widget.number.value))
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
        widget.slider.value = position
    assert not updates, "nothing happens while more changes wait"
    let_go()
    assert len(updates) == 1
    assert updates[0].asked.p == float(widget.number.value)
    assert shown(widget) is updates[0]


def test_presets_name_what_they_imitate(widget: ThresholdWidget) -> None:
    names = [name for name, _ in widget._preset_choices()]
    assert names == [
        *("Choose ...", "p .001", "p .005", "p .01", "p .05", "FDR q .05"),
        *("SPM-like", "nilearn-like", "NiMARE-workflow-like"),
    ]
    native = widget.preset.native
    tips = [
        native.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(1, len(names))
    ]
    assert all(tips)
    assert "SPM12" in tips[5]
    choices = dict(widget._preset_choices())
    widget.preset.value = choices["SPM-like"]
    asked = shown(widget).asked
    assert (asked.p, asked.connectivity, asked.min_voxels) == (0.001, 18, 1)
    widget.preset.value = choices["NiMARE-workflow-like"]
    asked = shown(widget).asked
    assert (asked.value, asked.connectivity, asked.min_voxels) == (1.65, 6, 10)
    assert asked.strict
    assert widget.sentence.value.startswith("z > 1.65 (p <= .0495, one-tailed)")
    # Moving on from there is moving on with >=.
    widget.slider.value += 1
    assert not shown(widget).asked.strict
    choose(widget, MASS)
    assert "SPM-like" not in dict(widget._preset_choices())


# --- memory -----------------------------------------------------------------------


def settle(widget: ThresholdWidget) -> None:
    """Wait until the last change counts as tried."""
    let_go()
    while widget._settles.isActive():
        QTest.qWait(20)


def test_back_and_forward_go_through_what_was_tried(widget: ThresholdWidget) -> None:
    settle(widget)
    assert not widget.back.enabled
    for number in ("0.01", "1e-5"):
        type_number(widget, number)
        settle(widget)
    widget.back.native.click()
    assert shown(widget).asked.p == 0.01
    assert widget.number.value == ".01"
    widget.back.native.click()
    assert shown(widget).asked.p == 0.001
    assert not widget.back.enabled
    assert widget.forward.enabled
    widget.forward.native.click()
    assert shown(widget).asked.p == 0.01
    type_number(widget, "0.02")
    settle(widget)
    assert not widget.forward.enabled
    assert [t.p for t in tried_on(widget.map.value).thresholds] == [0.001, 0.01, 0.02]


def test_a_drag_counts_once_when_it_rests(widget: ThresholdWidget) -> None:
    settle(widget)
    for position in range(300, 340):
        widget.slider.value = position
        let_go()
    settle(widget)
    assert len(tried_on(widget.map.value).thresholds) == 2


def test_closing_and_opening_again_loses_nothing(
    widget: ThresholdWidget, viewer: Any
) -> None:
    type_number(widget, "1e-5")
    widget.voxels.value = 7
    settle(widget)
    before = shown(widget)
    widget.close()
    again = ThresholdWidget(viewer)
    assert again.number.value == "1e-05"
    assert again.voxels.value == 7
    assert again.clusters is not None
    assert again.clusters.table.equals(before.table)
    assert again.back.enabled
    again.close()


def test_the_last_choices_are_remembered_for_the_next_map(
    widget: ThresholdWidget, preferences: Any, sample: ResultSet
) -> None:
    type_number(widget, "0.005")
    widget.voxels.value = 20
    widget.connectivity.value = 18
    widget.faint.value = True
    settle(widget)
    assert preferences.threshold.uncorrected == 0.005
    add_maps(widget._viewer, [sample["logp"]])
    choose(widget, "logp")
    asked = shown(widget).asked
    assert (asked.p, asked.min_voxels, asked.connectivity) == (0.005, 20, 18)
    # A corrected map has a level of its own.
    choose(widget, MASS)
    assert shown(widget).asked.p == 0.05


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
    widget.slider.value = 3
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


def test_a_closed_widget_is_let_go_and_hears_nothing(
    plugin: Any, viewer: Any, sample: ResultSet
) -> None:
    add_maps(viewer, [sample["z"]])
    widget = ThresholdWidget(viewer)
    ref = weakref.ref(widget)
    widget.close()
    widget.native.deleteLater()
    del widget
    let_go()
    gc.collect()
    assert ref() is None
    add_maps(viewer, [sample["logp"]])
