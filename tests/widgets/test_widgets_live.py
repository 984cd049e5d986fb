"""Both widgets in a real window, as a user drives them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_neurosynth_results.viewer import palette, scene, shown_maps
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    chosen_label,
    clusters_of,
)
from napari_neurosynth_results.viewer.clusters.outlines import outlines_of
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.settings import PLUGIN


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
