"""The list of maps says what is shown, shows what is wanted, tells what is wrong."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtWidgets import QApplication, QDialog

from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer import shown_maps
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.commands import copy_diagnostics
from napari_neurosynth_results.widgets.maps.description import description_html
from napari_neurosynth_results.widgets.maps.maps_panel import MapsPanel
from napari_neurosynth_results.widgets.workbench import Workbench

SHAPE = (8, 9, 8)
TITLES = [
    "z, association, voxel-level FDR (Benjamini-Hochberg)",
    "z, association, uncorrected",
    "p, association, uncorrected",
    "probability, P(A|F)",
]
STEMS = ("z_desc-association_corr-FDR_method-indep", "z_desc-association")
STEMS += ("p_desc-association", "prob_desc-AgF")
TITLE, STATE, EYE = 0, 2, 3


@pytest.fixture
def results(opened: Callable[..., ResultSet], rng: np.random.Generator) -> ResultSet:
    """Return a result of four maps."""
    return opened({stem: rng.random(SHAPE) for stem in STEMS}, name="pain")


@pytest.fixture
def workbench(plugin: Any, viewer: Any, results: ResultSet) -> Iterator[Workbench]:
    """Return the panel, with the first map in the viewer."""
    shown_maps.show_alone(viewer, next(iter(results.maps.values())))
    made = Workbench(viewer)
    yield made
    made.close()


@pytest.fixture
def widget(workbench: Workbench) -> MapsPanel:
    """Return the list in the panel."""
    return workbench.show_tab("Maps")


def column(widget: MapsPanel, number: int) -> list[str]:
    """Return what a user sees in a column, but for headings."""
    model = widget.view.rows
    return [
        model.index(row, number).data()
        for row, what in enumerate(model.rows)
        if isinstance(what, StatMap)
    ]


def listed(widget: MapsPanel) -> list[str]:
    """Return the maps that are listed, from top to bottom."""
    return [statmap.title for statmap in widget.view.maps]


def texts(widget: MapsPanel) -> list[str]:
    """Return what a user reads from top to bottom."""
    model = widget.view.rows
    return [model.index(row, TITLE).data() for row in range(model.rowCount())]


def layer_of(viewer: Any, title: str) -> Any:
    """Return the layer of a map."""
    (found,) = (
        one for one in viewer.layers if map_of(one) and map_of(one).title == title
    )
    return found


def states(widget: MapsPanel) -> list[str]:
    return column(widget, STATE)


def eyes(widget: MapsPanel) -> list[bool]:
    """Return which eyes are open."""
    return [widget.view.is_shown(statmap) for statmap in widget.view.maps]


def seen(viewer: Any) -> list[str]:
    """Return the maps that are on the canvas."""
    return [map_of(one).title for one in viewer.layers if map_of(one) and one.visible]


def choose(widget: MapsPanel, *titles: str) -> None:
    """Choose rows, as a click does."""
    maps = widget.view.maps
    widget.view.choose([statmap for statmap in maps if statmap.title in titles])


def click(widget: MapsPanel, row: int, number: int) -> None:
    """Click a cell of a map, as Qt tells of it."""
    widget.view.clicked.emit(cell(widget, row, number))


def cell(widget: MapsPanel, row: int, number: int) -> Any:
    """Return a cell of a map, counted without headings."""
    place = widget.view.rows.rows.index(widget.view.maps[row])
    return widget.view.rows.index(place, number)


def test_an_empty_viewer_says_what_to_do(plugin: Any, viewer: Any) -> None:
    workbench = Workbench(viewer)
    widget = workbench.show_tab("Maps")
    assert widget.map_description.text.text().startswith(
        "Paste the link of a NeuroVault"
    )
    assert listed(widget) == []
    assert not widget.add.enabled
    workbench.close()


def test_maps_are_listed_in_their_order_of_interest(widget: MapsPanel) -> None:
    assert listed(widget) == TITLES
    assert states(widget) == ["shown", "on disk", "on disk", "on disk"]
    assert widget.map_description.text.text().startswith("4 maps, 1 shown.")
    assert widget.results.title == "pain"


def test_maps_stand_below_contrast_and_correction(
    plugin: Any,
    viewer: Any,
    opened: Callable[..., ResultSet],
    rng: np.random.Generator,
) -> None:
    values, contrasts = ("p", "z"), ("association", "uniformity")
    mass = "level-cluster_corr-FWE_method-montecarlo"
    stems = [f"{v}_desc-{c}" for v in values for c in contrasts]
    stems += [f"{v}_desc-{c}Mass_{mass}" for v in values for c in contrasts]
    results = opened({stem: rng.random(SHAPE) for stem in stems}, name="pain")
    shown_maps.show_alone(viewer, results["z_desc-uniformity"])
    workbench = Workbench(viewer)
    widget = workbench.show_tab("Maps")
    assert texts(widget) == [
        *("association · mass · FWE", "z", "p"),
        *("association · uncorrected", "z", "p"),
        *("uniformity · mass · FWE", "z", "p"),
        *("uniformity · uncorrected", "z", "p"),
    ]
    # A heading is no map: it is not chosen, shown or hidden.
    view, before = widget.view, seen(viewer)
    view.selectAll()
    assert view.chosen() == view.maps
    assert len(view.maps) == len(stems)
    for number in (TITLE, EYE):
        heading = view.rows.index(0, number)
        view.clicked.emit(heading)
        view.doubleClicked.emit(heading)
    assert seen(viewer) == before
    assert [view.is_shown(one) for one in view.maps].count(True) == 1
    # What a filter leaves of one group is still said to be of it.
    widget.search.value = "uniformity mass fwe"
    assert texts(widget) == ["uniformity · mass · FWE", "z", "p"]
    widget.search.value = "uniformity uncorrected"
    assert texts(widget) == ["uniformity · uncorrected", "z", "p"]
    assert eyes(widget) == [True, False]
    widget.search.value = "z "
    widget.correction.value = "uncorrected"
    assert texts(widget)[0] == "association · uncorrected"
    workbench.close()


def test_the_methods_are_read_as_text_and_not_as_latex(
    plugin: Any, viewer: Any, write: Callable[..., Path], rng: np.random.Generator
) -> None:
    methods = r"ALE \citep{a2000} at 5\%, \emph{voxel-wise} <b>."
    bib = "@article{a2000, author={Doe, Ann and Roe, Bo}, year={2000}, title={T}}"
    folder = write(
        {"z": rng.random(SHAPE)},
        {"boilerplate.txt": methods, "references.bib": bib},
    )
    results = open_results(folder)
    text = description_html(results)
    assert "ALE (Doe &amp; Roe, 2000) at 5%, voxel-wise &lt;b&gt;." in text


def test_the_filter_keeps_the_order(widget: MapsPanel) -> None:
    everything = listed(widget)
    widget.search.value = "ASSOCIATION uncorrected"
    assert listed(widget) == TITLES[1:3]
    widget.search.value = "nothing of the kind"
    assert listed(widget) == []
    widget.search.value = "p,"
    assert listed(widget) == [TITLES[2]]
    widget.search.value = ""
    assert listed(widget) == everything


@pytest.mark.slow
def test_the_button_lays_over_what_was_chosen(viewer: Any, widget: MapsPanel) -> None:
    choose(widget, *TITLES[2:])
    assert widget.add.enabled
    widget.add.native.click()
    assert seen(viewer) == [TITLES[0], *TITLES[2:]]
    assert states(widget) == ["shown", "on disk", "shown", "shown"]
    # What was laid over it last is on top, below its own clusters.
    assert viewer.layers[-1].name.startswith(layer_of(viewer, TITLES[3]).name)


def test_a_double_click_shows_a_map_alone(viewer: Any, widget: MapsPanel) -> None:
    def double_click(row: int) -> None:
        widget.view.doubleClicked.emit(cell(widget, row, TITLE))

    double_click(1)
    assert seen(viewer) == [TITLES[1]]
    assert states(widget) == ["hidden", "shown", "on disk", "on disk"]
    n = len(viewer.layers)
    double_click(0)
    double_click(1)
    assert len(viewer.layers) == n
    assert seen(viewer) == [TITLES[1]]
    assert map_of(viewer.layers.selection.active).title == TITLES[1]


def test_eyes_tell_the_truth_and_open_and_close(viewer: Any, widget: MapsPanel) -> None:
    assert eyes(widget) == [True, False, False, False]
    # Also to who cannot see them.
    rows, role = widget.view.rows, Qt.ItemDataRole.AccessibleTextRole
    told = [rows.index(n, EYE).data(role) for n in range(rows.rowCount())]
    assert [one for one in told if "shown" in one] == [
        "shown: a click hides it",
        *["not shown"] * 3,
    ]
    click(widget, 2, EYE)
    assert seen(viewer) == [TITLES[0], TITLES[2]]
    assert eyes(widget) == [True, False, True, False]
    click(widget, 0, EYE)
    assert seen(viewer) == [TITLES[2]]
    assert eyes(widget) == [False, False, True, False]
    # By napari's own eye, and by its bin.
    layer_of(viewer, TITLES[2]).visible = False
    assert eyes(widget) == [False] * 4
    layer_of(viewer, TITLES[0]).visible = True
    assert eyes(widget) == [True, False, False, False]
    viewer.layers.remove(layer_of(viewer, TITLES[0]))
    assert eyes(widget) == [False] * 4
    # A click beside the eye only chooses.
    click(widget, 1, TITLE)
    assert seen(viewer) == []


def test_a_chosen_map_is_described(widget: MapsPanel) -> None:
    choose(widget, TITLES[0])
    about = widget.map_description.text.text()
    assert "z_desc-association_corr-FDR_method-indep.nii.gz" in about
    assert "z score" in about
    assert "Shown: " in about
    assert "voxels" in about
    choose(widget, TITLES[3])
    assert "no p values" in widget.map_description.text.text()
    assert "Shown: " not in widget.map_description.text.text()


def test_rows_stay_where_they_are_clicked(workbench: Workbench, widget: Any) -> None:
    """What is said of a map takes its room from what is said of the result."""
    workbench.resize(420, 740)
    workbench.show()
    QApplication.processEvents()
    where = widget.view.mapTo(workbench, QPoint()), widget.view.height()
    choose(widget, TITLES[0])
    assert len(widget.map_description.text.text().splitlines()) > 2
    for _ in range(5):
        QApplication.processEvents()
    assert (widget.view.mapTo(workbench, QPoint()), widget.view.height()) == where
    assert widget.about.isVisible()


def test_removing_and_renaming_layers_is_followed(
    viewer: Any, widget: MapsPanel
) -> None:
    layer = layer_of(viewer, TITLES[0])
    layer.name = "my own name"
    choose(widget, TITLES[1])
    widget.add.native.click()
    viewer.layers.remove(layer)
    assert states(widget) == ["on disk", "shown", "on disk", "on disk"]
    viewer.layers.clear()
    assert widget.map_description.text.text().startswith("Paste the link")
    assert listed(widget) == []


def test_results_of_one_name_are_told_apart(
    viewer: Any,
    workbench: Workbench,
    widget: MapsPanel,
    opened: Callable[..., ResultSet],
    rng: np.random.Generator,
) -> None:
    other = opened({"stat": rng.random(SHAPE)}, name="elsewhere/pain")
    add_maps(viewer, [other["stat"]])
    combo = workbench.header.results
    names = [combo.itemText(row) for row in range(combo.count())]
    assert names == ["pain", "pain (2)"]
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    assert listed(widget) == ["statistic"]
    assert seen(viewer) == ["statistic"]


def test_the_same_folder_opened_twice_by_a_script_are_two_results(
    viewer: Any, workbench: Workbench, widget: MapsPanel, results: ResultSet
) -> None:
    again = open_results(results.source)
    combo = workbench.header.results
    shown_maps.show_alone(viewer, again[STEMS[1]])
    assert combo.count() == 2
    assert states(widget) == ["on disk", "shown", "on disk", "on disk"]
    combo.activated.emit(0)
    assert states(widget) == ["shown", "on disk", "on disk", "on disk"]


def test_problems_are_shown_and_copied(
    plugin: Any, viewer: Any, write: Callable[..., Path], rng: np.random.Generator
) -> None:
    folder = write({"z": rng.random(SHAPE)})
    (folder / "logp.nii.gz").write_text("broken")
    results = open_results(folder)
    shown_maps.show_alone(viewer, results["z"])
    workbench = Workbench(viewer)
    widget = workbench.show_tab("Maps")
    assert "logp.nii.gz" in widget.problems.value
    assert not widget.problems.native.isHidden()
    copy_diagnostics(viewer)
    copied = QApplication.clipboard().text()
    assert f"source: {folder}" in copied
    assert f"problem: {results.problems[0]}" in copied
    assert "map: z | z, uncorrected | z | 8 x 9 x 8, 20 mm" in copied
    workbench.close()


def test_there_is_no_room_for_problems_without_any(widget: MapsPanel) -> None:
    assert widget.problems.native.isHidden()


def test_a_map_that_broke_since_is_told(
    plugin: Any,
    viewer: Any,
    write: Callable[..., Path],
    rng: np.random.Generator,
    notifications: list[Any],
) -> None:
    folder = write({"z": rng.random(SHAPE), "stat": rng.random(SHAPE)})
    results = open_results(folder)
    shown_maps.show_alone(viewer, results["z"])
    n = len(viewer.layers)
    results.release()
    workbench = Workbench(viewer)
    widget = workbench.show_tab("Maps")
    (folder / "stat.nii.gz").unlink()
    choose(widget, "statistic")
    widget.alone.native.click()
    assert len(viewer.layers) == n
    assert seen(viewer) == [results["z"].title]
    (told,) = notifications
    assert "stat.nii.gz" in told.message
    assert "stat.nii.gz" in widget.problems.value
    workbench.close()


@pytest.mark.slow
def test_a_closed_panel_leaves_no_callbacks(
    plugin: Any, viewer: Any, results: ResultSet
) -> None:
    events = (
        viewer.layers.events.inserted,
        viewer.layers.events.removed,
        viewer.layers.selection.events.active,
    )
    # What the layers themselves follow stays.
    shown_maps.show_alone(viewer, next(iter(results.maps.values())))
    viewer.layers.clear()
    before = [len(event.callbacks) for event in events]
    workbench = Workbench(viewer)
    for tab in ("Maps", "Compare", "Views", "Export"):
        workbench.show_tab(tab)
    assert [len(event.callbacks) for event in events] != before
    workbench.close()
    workbench.deleteLater()
    del workbench
    for _ in range(3):
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
    # napari drops what is gone when an event comes.
    shown_maps.show_alone(viewer, next(iter(results.maps.values())))
    viewer.layers.clear()
    assert [len(event.callbacks) for event in events] == before


@pytest.mark.viewer
def test_the_list_in_a_window_follows_what_is_opened(
    plugin: Any,
    make_napari_viewer_proxy: Callable[..., Any],
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    viewer = make_napari_viewer_proxy()
    dock, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Neurosynth results")
    widget = panel.show_tab("Maps")
    assert listed(widget) == []
    viewer.open(write({stem: rng.random(SHAPE) for stem in STEMS}), plugin=PLUGIN)
    assert listed(widget) == TITLES
    assert states(widget) == ["shown", "on disk", "on disk", "on disk"]
    choose(widget, TITLES[2])
    widget.add.native.click()
    shown = layer_of(viewer, TITLES[2])
    assert shown.visible
    assert map_of(shown).title == TITLES[2]
    # Closed, it may not stand in the way of what comes.
    viewer.window.remove_dock_widget(dock)
    del dock, widget, panel
    gc.collect()
    QApplication.processEvents()
    viewer.layers.clear()
    viewer.open(write({"z": rng.random(SHAPE)}), plugin=PLUGIN)
    names = [layer.name for layer in viewer.layers]
    assert names[1] == "uncorrected · z"
    assert names[-1] == "uncorrected · z: clusters"
    assert not viewer.window.dock_widgets


def test_a_map_without_a_layer_gets_another_meaning(
    viewer: Any, workbench: Workbench, widget: MapsPanel, results: ResultSet
) -> None:
    n = len(viewer.layers)
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
    # It is listed by its new meaning, here and above, and no layer was added.
    assert "p_desc-association" in listed(widget)
    assert workbench.header.map.findText("p_desc-association") >= 0
    assert len(viewer.layers) == n
    assert not dialog.isVisible()


def test_an_anatomy_below_the_maps_is_described_and_not_hidden(
    plugin: Any,
    viewer: Any,
    opened: Callable[..., ResultSet],
    rng: np.random.Generator,
) -> None:
    found = opened({"z": rng.random(SHAPE), "sub-01_T1w": rng.random(SHAPE)})
    brain = found["sub-01_T1w"]
    shown_maps.show_alone(viewer, found["z"])
    shown_maps.show_alone(viewer, brain)
    panel = Workbench(viewer)
    assert not panel.header.solo.isEnabled()
    maps = panel.show_tab("Maps")
    maps.view.choose([brain])
    assert brain.file.filename in maps.map_description.text.text()
    panel.close()
