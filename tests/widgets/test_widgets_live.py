"""Both widgets in a real window, as a user drives them."""

from __future__ import annotations

import gc
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialog, QMainWindow

from conftest import SHAPE
from helpers.clicks import dock_of
from local_servers import compose
from napari_neurosynth_results import open_results
from napari_neurosynth_results.viewer import palette, scene, shown_maps
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    FAINT_KEY,
    chosen_label,
    clusters_of,
)
from napari_neurosynth_results.viewer.clusters.outlines import outlined_by, outlines_of
from napari_neurosynth_results.viewer.foci import show_foci, studies_of
from napari_neurosynth_results.viewer.layers import (
    UNDERLAY_KEY,
    map_of,
    underlay_layer,
)
from napari_neurosynth_results.viewer.progress_bar import show_info
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.workbench import TABS, Workbench, workbench_of


def let_go(milliseconds: int = 0) -> None:
    """Let the window do what waits, for at least some time."""
    QTest.qWait(milliseconds)
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QApplication.processEvents()


def canvas_of(viewer: Any) -> Any:
    """Find the canvas among Qt's widgets, without napari's private names."""
    natives = [
        widget
        for widget in QApplication.allWidgets()
        if type(widget).__name__ == "CanvasBackendDesktop" and widget.isVisible()
    ]
    (native,) = natives
    return native


def click_at(viewer: Any, x: float, y: float) -> None:
    """Click an axial slice at a place in mm with a real mouse event."""
    native = canvas_of(viewer)
    camera = viewer.scene.camera
    _, middle_y, middle_x = camera.center
    at = QPoint(
        round(native.width() / 2 + (x - middle_x) * camera.zoom),
        round(native.height() / 2 - (y - middle_y) * camera.zoom),
    )
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=at)
    let_go(30)


def clusters_in(viewer: Any) -> list[Any]:
    return [layer for layer in viewer.layers if clusters_of(layer) is not None]


@pytest.mark.slow
@pytest.mark.viewer
def test_a_session_with_both_widgets(
    preferences: Any, make_napari_viewer: Callable[..., Any], notifications: list[Any]
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1300, 900)
    preferences.view.panel = False
    viewer.open_sample(PLUGIN, "pain-ale")
    sample = map_of(viewer.layers[1]).results
    _, form = viewer.window.add_plugin_dock_widget(PLUGIN, "Threshold")
    _, table = viewer.window.add_plugin_dock_widget(PLUGIN, "Clusters")
    let_go(50)
    assert form.sentence.value.startswith("6 of 13 clusters significant")
    assert (table.model.rowCount(), table.model.n_others) == (6, 7)
    # The floor and the weak clusters are gray, and outlined like all others.
    (layer,) = clusters_in(viewer)
    gray = (layer.colormap.colors[1:] == np.float32(palette.GRAY)).all(axis=1)
    assert gray.sum() == 7
    assert outlines_of(viewer, layer) is not None

    # Another map: z, by its slider.
    shown_maps.show_alone(viewer, sample["z"])
    assert not layer.visible, "clusters go with their map"
    let_go(30)
    assert form.map.value is viewer.layers["uncorrected · z"]
    assert table.clusters.statmap.key == "z"
    assert table.model.rowCount() == 21
    handle = form.form.slider.native
    colors = {}
    for position in range(form.form.slider.value, form.form.slider.value + 200, 20):
        form.form.slider.value = position
        let_go()
        clusters = table.clusters
        assert table.model.rowCount() == len(clusters)
        layer = clusters_in(viewer)[-1]
        assert np.array_equal(layer.data.T, clusters.labels)
        for peak, color in zip(
            clusters.peak_voxels, layer.colormap.colors[1:], strict=False
        ):
            assert colors.setdefault(peak, tuple(color)) == tuple(color)
    assert handle.isVisible()
    assert not layer.editable
    layer.undo()
    layer.mode = "paint"
    assert layer.mode == "pan_zoom"

    # Rows and canvas.
    table.next.native.click()
    let_go(30)
    row = table.clusters.table.iloc[0]
    assert viewer.dims.point[::-1] == (row.peak_x, row.peak_y, row.peak_z)
    assert chosen_label(layer) == 1
    second = table.clusters.table.iloc[1]
    scene.look_at(viewer, second.peak_x, second.peak_y, second.peak_z)
    click_at(viewer, second.peak_x, second.peak_y)
    assert chosen_label(layer) == 2
    assert table.view.currentIndex().row() == 1
    window = table.native.window()
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    QTest.keyClick(
        canvas_of(viewer),
        Qt.Key.Key_N,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier,
    )
    let_go(30)
    assert chosen_label(layer) == 3

    # 3D and back, then close and open again.
    scene.show_3d(viewer)
    let_go(30)
    form.form.slider.value += 20
    let_go(400)
    scene.show_plane(viewer, "axial")
    let_go(30)
    assert table.model.rowCount() == len(form.clusters)
    before = form.sentence.value
    for made in (form, table):
        viewer.window.remove_dock_widget(made.native)
    del form, table, made, handle, window
    let_go(50)
    _, form = viewer.window.add_plugin_dock_widget(PLUGIN, "Threshold")
    _, table = viewer.window.add_plugin_dock_widget(PLUGIN, "Clusters")
    let_go(30)
    form.map.value = viewer.layers["uncorrected · z"]
    assert form.sentence.value == before
    assert table.sentence.value == before

    # Delete the clusters, then the map, then everything.
    viewer.layers.remove(layer)
    let_go(30)
    assert table.clusters is None or table.clusters.statmap.key != "z"
    viewer.layers.remove(viewer.layers["uncorrected · z"])
    let_go(30)
    assert all(map_of(x) is None or map_of(x).key != "z" for x in viewer.layers)
    assert form.statmap is not None
    viewer.layers.clear()
    let_go(50)
    assert form.sentence.value.startswith("No map is open")
    assert table.sentence.value.startswith("No clusters yet")
    assert [n.message for n in notifications if n.severity.value == "error"] == []


@pytest.mark.viewer
def test_menus_offer_the_widgets_where_layers_are_segmented_and_measured(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    from napari._app_model import get_app_model

    make_napari_viewer()
    menus = get_app_model().menus

    def titles(menu: str) -> set[str]:
        return {
            item.command.title
            for item in menus.get_menu(menu)
            if getattr(item, "command", None) and item.command.id.startswith(PLUGIN)
        }

    assert titles("napari/layers/segment") == {
        "Threshold and clusters (Neurosynth results)",
        "Label the clusters of this map (Neurosynth results)",
        "Save thresholded map... (Neurosynth results)",
        "This map holds... (Neurosynth results)",
    }
    assert titles("napari/layers/measure") == {
        "Cluster table (Neurosynth results)",
        "Compare maps (Neurosynth results)",
        "Export (Neurosynth results)",
        "Copy as Python (Neurosynth results)",
        "Report... (Neurosynth results)",
    }


# --- layers deleted in any order, and two viewers -------------------------------------


@pytest.fixture
def folder(write: Callable[..., Path], rng: np.random.Generator) -> Path:
    """Return a result with two maps, clusters of both signs, and studies."""
    z = rng.normal(size=SHAPE)
    z[2:4, 2:5, 2:5] += 7
    z[5:7, 2:5, 2:5] -= 7
    texts = {
        "studyset.json": json.dumps(compose.studyset()),
        "annotation.json": json.dumps(compose.annotation()),
    }
    return write({"z": z, "t": 2 * z}, texts)


def show_all(viewer: Any, panel: Workbench, results: Any) -> None:
    """Show underlay, a map with all that goes with it, and foci."""
    from napari.layers import Layer

    viewer.add_layer(Layer.create(*underlay_layer()))
    shown_maps.show_alone(viewer, results["z"])
    panel.panel("Clusters").threshold.form.faint.value = True
    let_go()
    show_foci(viewer, results.studies)


def sort_of(layer: Any) -> str:
    if FAINT_KEY in layer.metadata:
        return "faint"
    if outlined_by(layer) is not None:
        return "outlines"
    if clusters_of(layer) is not None:
        return "clusters"
    if studies_of(layer) is not None:
        return "foci"
    return "underlay" if UNDERLAY_KEY in layer.metadata else "map"


def work_with(viewer: Any, panel: Workbench) -> None:
    """Do what the panel offers, whatever there is."""
    parts = panel.panel("Clusters")
    if parts.threshold.statmap is not None:
        parts.threshold.form.slider.value += 7
    for act in ("go_next", "go_to_peak", "go_to_center", "go_previous"):
        getattr(parts.table, act)()
    parts.threshold.back.native.click()
    parts.threshold.forward.native.click()
    viewer.dims.point = (10,) * viewer.dims.ndim
    let_go()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["removed", "selected", "in a drag"])
def test_layers_may_be_deleted_in_any_order(
    plugin: Any, viewer: Any, folder: Path, how: str, rng: np.random.Generator
) -> None:
    results = open_results(folder)
    panel = Workbench(viewer)
    for tab in (*TABS, TABS[0]):
        panel.show_tab(tab)
    show_all(viewer, panel, results)
    sorts = [sort_of(layer) for layer in viewer.layers]
    assert sorted(sorts) == [
        *("clusters", "faint", "foci", "map", "outlines", "underlay")
    ]
    viewer.layers.clear()
    orders = list(itertools.permutations(sorts))
    for number in rng.choice(len(orders), 5, replace=False):
        show_all(viewer, panel, results)
        for sort in orders[number]:
            found = [one for one in viewer.layers if sort_of(one) == sort]
            if not found:
                continue
            if how == "in a drag" and panel.panel("Clusters").threshold.statmap:
                panel.panel("Clusters").threshold.form.slider.value += 11
            if how == "selected":
                viewer.layers.selection = {found[0], viewer.layers[-1]}
                viewer.layers.remove_selected()
            else:
                viewer.layers.remove(found[0])
            work_with(viewer, panel)
        # What came back, because the slider moved, goes with its map.
        assert len(viewer.layers) == 0, orders[number]
        assert panel.panel("Clusters").threshold.statmap is None
        assert panel.panel("Clusters").table.model.rowCount() == 0
    panel.close()


def state_of(viewer: Any, panel: Workbench) -> Any:
    """Return all that a user sees of a viewer and of its panel."""
    layers = [
        (one.name, one.visible, one.opacity, np.nan_to_num(one.data).tobytes())
        for one in viewer.layers
        if outlined_by(one) is None
    ]
    parts = panel.panel("Clusters")
    form = parts.threshold.form
    return (
        layers,
        viewer.layers.selection.active,
        tuple(viewer.dims.point),
        viewer.dims.ndisplay,
        panel.header.sentence.text(),
        panel.header.map.currentText(),
        panel.header.results.currentText(),
        (form.slider.value, form.voxels.value, form.by.value),
        (parts.table.model.rowCount(), parts.table.view.currentIndex().row()),
        {one.key for one in panel.panel("Maps").view.maps},
    )


@pytest.mark.slow
def test_what_is_done_in_one_viewer_is_not_seen_in_another(
    plugin: Any, viewer: Any, folder: Path
) -> None:
    from napari.components import ViewerModel

    other = ViewerModel()
    mine, theirs = Workbench(viewer), Workbench(other)
    for one, panel in ((viewer, mine), (other, theirs)):
        panel.show_tab("Maps")
        panel.show_tab("Clusters")
        show_all(one, panel, open_results(folder))
        scene.look_at(one, 0, 0, 0)
    let_go(700)
    before = state_of(other, theirs)
    parts, header = mine.panel("Clusters"), mine.header

    def choose(row: int) -> None:
        header.map.setCurrentIndex(row)
        header.map.activated.emit(row)

    def threshold() -> None:
        parts.threshold.form.slider.value += 40
        parts.threshold.form.voxels.value = 3

    for act in (
        lambda: choose(1),
        threshold,
        parts.table.go_next,
        lambda: parts.threshold.back.native.click(),
        lambda: choose(0),
        lambda: mine.panel("Views").views.buttons["Glass"].click(),
        lambda: scene.show_3d(viewer),
        lambda: viewer.layers.remove(shown_maps.current_layer(viewer)),
        viewer.layers.clear,
        lambda: header.open_source(str(folder)),
    ):
        act()
        let_go(20)
        assert state_of(other, theirs) == before
    while mine.opener.background_job.busy:
        let_go(10)
    assert len(viewer.layers) > 2
    assert state_of(other, theirs) == before
    mine.close()
    let_go()
    # It is still alive: its own slider moves its own clusters.
    theirs.panel("Clusters").threshold.form.slider.value += 30
    let_go(20)
    assert state_of(other, theirs) != before
    theirs.close()


@pytest.mark.viewer
def test_nothing_scrolls_sideways_however_narrow_the_panel_is(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer(show=True)
    # So low that a bar takes room beside every tab.
    viewer.window.resize(1000, 480)
    viewer.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(viewer)
    window = viewer.window._qt_window

    def check(what: str) -> None:
        let_go(50)
        # As a user who drags its edge as far as it goes.
        window.resizeDocks([dock_of(panel)], [100], Qt.Orientation.Horizontal)
        let_go(50)
        area = panel.tabs.currentWidget()
        assert area.horizontalScrollBar().maximum() == 0, what
        assert dock_of(panel).width() <= 350, what

    clusters = panel.panel("Clusters")
    clusters.threshold.form.more.native.click()
    check("more")
    clusters.table.drawer.click()
    details = clusters.table.details
    for index in range(details.count()):
        details.setCurrentIndex(index)
        check(details.tabText(index))
    for name in TABS[1:]:
        panel.show_tab(name)
        if name == "Views":
            panel.panel(name).unfold_foci()
        check(name)


@pytest.mark.viewer
def test_a_panel_that_is_in_no_dock_is_as_wide_as_its_window(panel: Workbench) -> None:
    main = QMainWindow()
    main.setCentralWidget(panel)
    # Narrower than it likes to be.
    panel.setMinimumWidth(1)
    main.show()
    for width in (350, 300):
        main.resize(width, 600)
        QTest.qWait(300)
        assert panel.width() == width
    main.takeCentralWidget()
    main.close()


@pytest.mark.viewer
def test_nothing_lies_over_the_names_of_maps_that_are_swiped(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.open_sample(PLUGIN, "pain-ale")
    let_go(50)
    panel = workbench_of(viewer)

    def told() -> list[str]:
        found = panel.window().findChildren(QDialog)
        return [type(one).__name__ for one in found if one.isVisible()]

    # What was opened stands in the panel.
    assert told() == []
    show_info("A word.")
    let_go(50)
    assert told() == ["NapariQtNotification"]
    panel.show_tab("Compare")
    sample = panel.header.result
    panel.compare([sample["z"], sample["logp"]], "swipe")
    let_go(50)
    assert told() == []
