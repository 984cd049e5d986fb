"""The list of maps says what is shown, adds what waits, and tells what went wrong."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QDialog

from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.browser.results_browser import ResultsBrowser

SHAPE = (8, 9, 8)
TITLES = [
    "z, association, voxel-level FDR (Benjamini-Hochberg)",
    "z, association, uncorrected",
    "p, association, uncorrected",
    "probability, P(A|F)",
]
STEMS = ("z_desc-association_corr-FDR_method-indep", "z_desc-association")
STEMS += ("p_desc-association", "prob_desc-AgF")


@pytest.fixture
def results(opened: Callable[..., ResultSet], rng: np.random.Generator) -> ResultSet:
    """Return a result of four maps."""
    return opened({stem: rng.random(SHAPE) for stem in STEMS}, name="pain")


@pytest.fixture
def widget(viewer: Any, results: ResultSet) -> Iterator[ResultsBrowser]:
    """Return the list, with the first map in the viewer."""
    add_maps(viewer, [next(iter(results.maps.values()))])
    made = ResultsBrowser(viewer)
    yield made
    made.close()


def listed(widget: ResultsBrowser) -> list[str]:
    """Return the titles that a user sees."""
    model = widget.view.rows
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def states(widget: ResultsBrowser) -> list[str]:
    """Return where a user sees that the maps are."""
    model = widget.view.rows
    return [model.index(row, 4).data() for row in range(model.rowCount())]


def choose(widget: ResultsBrowser, *titles: str) -> None:
    """Choose rows, as a click does."""
    model = widget.view.rows
    maps = model.rows
    widget.view.choose([statmap for statmap in maps if statmap.title in titles])


def test_an_empty_viewer_says_what_to_do(viewer: Any) -> None:
    widget = ResultsBrowser(viewer)
    assert widget.map_description.text.text().startswith(
        "Paste the link of a NeuroVault"
    )
    assert listed(widget) == []
    assert not widget.add.enabled
    assert not widget.copy.enabled
    widget.close()


def test_maps_are_listed_in_their_order_of_interest(widget: ResultsBrowser) -> None:
    assert listed(widget) == TITLES
    assert states(widget) == ["shown", "on disk", "on disk", "on disk"]
    assert widget.map_description.text.text().startswith("4 maps, 1 with a layer.")
    assert widget.result.value.title == "pain"


def test_the_filter_keeps_the_order(widget: ResultsBrowser) -> None:
    everything = listed(widget)
    widget.search.value = "ASSOCIATION uncorrected"
    assert listed(widget) == TITLES[1:3]
    widget.search.value = "nothing of the kind"
    assert listed(widget) == []
    widget.search.value = "p,"
    assert listed(widget) == [TITLES[2]]
    widget.search.value = ""
    assert listed(widget) == everything


def test_the_button_adds_what_was_chosen(viewer: Any, widget: ResultsBrowser) -> None:
    choose(widget, *TITLES[2:])
    assert widget.add.enabled
    widget.add.native.click()
    assert [layer.name for layer in viewer.layers] == [TITLES[0], *TITLES[2:]]
    assert [layer.visible for layer in viewer.layers] == [True, True, False]
    assert states(widget) == ["shown", "on disk", "shown", "shown"]


def test_a_double_click_adds_a_map_once_and_shows_it(
    viewer: Any, widget: ResultsBrowser
) -> None:
    def double_click(row: int) -> None:
        widget.view.doubleClicked.emit(widget.view.rows.index(row, 0))

    double_click(1)
    assert [layer.name for layer in viewer.layers] == TITLES[:2]
    viewer.layers[1].visible = False
    double_click(1)
    assert len(viewer.layers) == 2
    assert viewer.layers[1].visible


def test_a_chosen_map_is_described(widget: ResultsBrowser) -> None:
    choose(widget, TITLES[0])
    about = widget.map_description.text.text()
    assert "z_desc-association_corr-FDR_method-indep.nii.gz" in about
    assert "z score" in about
    assert "Shown: " in about
    assert "voxels" in about
    choose(widget, TITLES[3])
    assert "no p values" in widget.map_description.text.text()
    assert "Shown: " not in widget.map_description.text.text()


def test_removing_and_renaming_layers_is_followed(
    viewer: Any, widget: ResultsBrowser
) -> None:
    viewer.layers[0].name = "my own name"
    choose(widget, TITLES[1])
    widget.add.native.click()
    del viewer.layers[0]
    assert states(widget) == ["on disk", "shown", "on disk", "on disk"]
    viewer.layers.clear()
    assert widget.map_description.text.text().startswith("Paste the link")
    assert listed(widget) == []


def test_results_of_one_name_are_told_apart(
    viewer: Any,
    widget: ResultsBrowser,
    opened: Callable[..., ResultSet],
    rng: np.random.Generator,
) -> None:
    other = opened({"stat": rng.random(SHAPE)}, name="elsewhere/pain")
    add_maps(viewer, [other["stat"]])
    combo = widget.result.native
    names = [combo.itemText(row) for row in range(combo.count())]
    assert names == ["pain", "pain (2)"]
    widget.result.value = other
    assert listed(widget) == ["statistic"]


def test_the_same_folder_opened_twice_are_two_results(
    viewer: Any, widget: ResultsBrowser, results: ResultSet
) -> None:
    again = open_results(results.source)
    add_maps(viewer, [again[STEMS[1]]])
    assert len(widget.result.choices) == 2
    assert states(widget) == ["shown", "on disk", "on disk", "on disk"]
    widget.result.value = again
    assert states(widget) == ["on disk", "shown", "on disk", "on disk"]


def test_problems_are_shown_and_copied(
    viewer: Any, write: Callable[..., Path], rng: np.random.Generator
) -> None:
    folder = write({"z": rng.random(SHAPE)})
    (folder / "logp.nii.gz").write_text("broken")
    results = open_results(folder)
    add_maps(viewer, [results["z"]])
    widget = ResultsBrowser(viewer)
    assert "logp.nii.gz" in widget.problems.value
    assert not widget.problems.native.isHidden()
    widget.copy.native.click()
    copied = QApplication.clipboard().text()
    assert f"source: {folder}" in copied
    assert f"problem: {results.problems[0]}" in copied
    assert "map: z | z, uncorrected | z | 8 x 9 x 8, 20 mm" in copied
    widget.close()


def test_there_is_no_room_for_problems_without_any(widget: ResultsBrowser) -> None:
    assert widget.problems.native.isHidden()


def test_a_map_that_broke_since_is_told(
    viewer: Any,
    write: Callable[..., Path],
    rng: np.random.Generator,
    notifications: list[Any],
) -> None:
    folder = write({"z": rng.random(SHAPE), "stat": rng.random(SHAPE)})
    results = open_results(folder)
    add_maps(viewer, [results["z"]])
    results.release()
    widget = ResultsBrowser(viewer)
    (folder / "stat.nii.gz").unlink()
    choose(widget, "statistic")
    widget.add.native.click()
    assert len(viewer.layers) == 1
    (told,) = notifications
    assert "stat.nii.gz" in told.message
    assert "stat.nii.gz" in widget.problems.value
    widget.close()


def test_a_closed_widget_leaves_no_callbacks(viewer: Any, results: ResultSet) -> None:
    events = (viewer.layers.events.inserted, viewer.layers.events.removed)
    before = [len(event.callbacks) for event in events]
    widget = ResultsBrowser(viewer)
    assert [len(event.callbacks) for event in events] != before
    widget.close()
    del widget
    gc.collect()
    # napari drops what is gone when an event comes.
    add_maps(viewer, list(results.maps.values())[:1])
    viewer.layers.clear()
    assert [len(event.callbacks) for event in events] == before


@pytest.mark.viewer
def test_the_widget_in_a_window_follows_what_is_opened(
    plugin: Any,
    make_napari_viewer_proxy: Callable[..., Any],
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    viewer = make_napari_viewer_proxy()
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Results browser")
    assert listed(widget) == []
    viewer.open(write({stem: rng.random(SHAPE) for stem in STEMS}), plugin=PLUGIN)
    assert listed(widget) == TITLES
    assert set(states(widget)) == {"shown"}
    del viewer.layers[TITLES[2]]
    assert states(widget) == ["shown", "shown", "on disk", "shown"]
    choose(widget, TITLES[2])
    widget.add.native.click()
    shown = viewer.layers[-1]
    assert (shown.name, shown.visible) == (TITLES[2], True)
    assert map_of(shown).title == TITLES[2]
    # Closed, it may not stand in the way of what comes.
    viewer.window.remove_dock_widget(dock)
    del dock, widget
    gc.collect()
    QApplication.processEvents()
    viewer.layers.clear()
    viewer.open(write({"z": rng.random(SHAPE)}), plugin=PLUGIN)
    assert len(viewer.layers) == 2


def test_a_map_without_a_layer_gets_another_meaning(
    widget: ResultsBrowser, results: ResultSet, preferences: Any
) -> None:
    choose(widget, "p, association, uncorrected")
    button = widget.map_description.holds
    assert button.isVisibleTo(widget.native)
    button.click()
    (dialog,) = (
        one
        for one in QApplication.topLevelWidgets()
        if isinstance(one, QDialog) and one.windowTitle() == "This map holds..."
    )
    form = dialog.layout().itemAt(0).widget()._magic_widget
    form.kind.value = MapKind.ONE_MINUS_P
    form.apply.native.click()
    assert results.stated == {"p_desc-association": "1-p"}
    # It is listed by its new meaning, and no layer was added.
    assert "p_desc-association" in listed(widget)
    assert len(widget._viewer.layers) == 1
    assert not dialog.isVisible()
