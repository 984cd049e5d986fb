"""The readout follows mouse, slices and layers, and is let go when it is closed."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QPointF, Qt
from qtpy.QtGui import QEnterEvent, QMouseEvent
from qtpy.QtWidgets import QApplication

from conftest import SHAPE
from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import scene, shown_maps
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    rename,
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.common.layout import PlainLabel
from napari_neurosynth_results.widgets.readout import ReadoutPanel
from napari_neurosynth_results.widgets.views import AnatomicalViews
from napari_neurosynth_results.widgets.workbench import Workbench, open_workbench

Z = "uncorrected · z"


@pytest.fixture
def widget(plugin: Any, maps: Any) -> Iterator[AnatomicalViews]:
    """Return the widget, shown."""
    made = AnatomicalViews(maps)
    made.native.resize(300, 500)
    made.native.show()
    yield made
    made.close()


def cells(panel: ReadoutPanel) -> list[list[str]]:
    """Return the table as it is shown."""
    model = panel.table.rows
    return [
        [model.index(row, column).data() for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def settle(widget: Any, seconds: float = 2.0) -> None:
    """Wait until the readout has caught up."""
    panel = getattr(widget, "readout", widget)
    end = time.monotonic() + seconds
    QApplication.processEvents()
    while panel._timer.isActive() and time.monotonic() < end:
        QApplication.processEvents()


def point(viewer: Any, x: float, y: float, z: float) -> None:
    """Move the mouse over a place, as the canvas tells of it."""
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (z, y, x)
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, None)


# --- what is shown --------------------------------------------------------------------


def test_it_tells_region_values_and_p_at_the_slices(
    widget: AnatomicalViews, maps: Any
) -> None:
    panel = widget.readout
    assert panel.region.text() == "insula R"
    assert panel.state.text() == "At the slices: 38, 4, 2"
    assert cells(panel) == [
        ["uncorrected · -log10 p", "11.07", "8.54e-12"],
        [Z, "6.729", "8.54e-12"],
    ]
    scene.look_at(maps, -38, 4, 2)
    settle(widget)
    assert panel.region.text() == "insula L"
    assert panel.state.text() == "At the slices: -38, 4, 2"
    assert cells(panel)[1][1] != "6.729"


def test_the_mouse_goes_before_the_slices(widget: AnatomicalViews, maps: Any) -> None:
    panel = widget.readout
    point(maps, -38.4, 4, 2)
    settle(widget)
    assert panel.state.text() == "Under the mouse: -38.4, 4, 2"
    assert panel.region.text() == "insula L"
    # A slider moves below a mouse that rests.
    scene.look_at(maps, 38, 4, 4)
    settle(widget)
    assert panel.state.text() == "Under the mouse: -38.4, 4, 4"
    maps.mouse_over_canvas = False
    settle(widget)
    assert panel.state.text() == "At the slices: 38, 4, 4"


def test_a_mouse_that_has_not_moved_is_nowhere(
    widget: AnatomicalViews, maps: Any
) -> None:
    """A window that opens below the mouse does not know where on the canvas it is."""
    maps.cursor.position = (2, 0, 0)
    maps.mouse_over_canvas = True
    settle(widget)
    assert widget.readout.state.text() == "At the slices: 38, 4, 2"
    point(maps, -38, 4, 2)
    maps.mouse_over_canvas = False
    maps.mouse_over_canvas = True
    settle(widget)
    assert widget.readout.state.text() == "At the slices: 38, 4, 2"


def test_the_mouse_in_other_planes(widget: AnatomicalViews, maps: Any) -> None:
    scene.show_plane(maps, "sagittal")
    scene.look_at(maps, 38, 4, 2)
    point(maps, 0, -38, 20)
    settle(widget)
    assert widget.readout.state.text() == "Under the mouse: 38, -38, 20"


def test_in_3d_the_mouse_is_over_no_place(widget: AnatomicalViews, maps: Any) -> None:
    point(maps, -38, 4, 2)
    scene.show_3d(maps)
    scene.look_at(maps, 38, 4, 2)
    point(maps, -30, 4, 2)
    settle(widget)
    assert widget.readout.state.text() == "At the slices: 38, 4, 2"


def test_it_follows_layers(widget: AnatomicalViews, maps: Any) -> None:
    def titles() -> list[str]:
        settle(widget)
        return [title for title, _, _ in cells(widget.readout)]

    assert titles() == ["uncorrected · -log10 p", Z]
    maps.layers[Z].name = "mine"
    assert titles() == ["uncorrected · -log10 p", "mine"]
    maps.layers.move(maps.layers.index("mine"), 2)
    assert titles() == ["mine", "uncorrected · -log10 p"]
    maps.layers["uncorrected · -log10 p"].visible = False
    assert titles() == ["mine"]
    maps.layers.remove("mine")
    assert titles() == []
    assert widget.readout.nothing.isVisible()
    assert not widget.readout.table.isVisible()
    assert widget.readout.region.text() == "insula R"
    maps.layers["uncorrected · -log10 p"].visible = True
    assert titles() == ["uncorrected · -log10 p"]
    assert widget.readout.table.isVisible()
    maps.layers.clear()
    assert titles() == []


def test_it_follows_thresholds_and_names(
    widget: AnatomicalViews, maps: Any, sample: ResultSet
) -> None:
    clusters = find_clusters(sample["z"], p=0.001, min_voxels=10)
    layer = show_clusters(maps, maps.layers[Z], clusters)
    settle(widget)
    label = int(layer.data[37, 65, 64])
    assert cells(widget.readout)[0] == [f"{Z}: clusters", clusters.names[label - 1], ""]
    # A name takes the room of value and p.
    assert widget.readout.table.columnSpan(0, 1) == 2
    assert widget.readout.table.columnSpan(1, 1) == 1
    rename(layer, label, "mine")
    settle(widget)
    assert cells(widget.readout)[0][1] == "mine"
    show_clusters(maps, maps.layers[Z], find_clusters(sample["z"], value=50.0))
    settle(widget)
    assert cells(widget.readout)[0][1] == "none"


def test_an_empty_viewer_and_a_flat_picture(plugin: Any, viewer: Any) -> None:
    widget = AnatomicalViews(viewer)
    widget.native.show()
    assert widget.readout.state.text().startswith("Open a map")
    viewer.add_image(np.zeros((4, 5)))
    point_2d = (1.0, 2.0)
    viewer.mouse_over_canvas, viewer.cursor.position = True, point_2d
    settle(widget)
    assert widget.readout.state.text().startswith("Open a map")
    assert cells(widget.readout) == []
    widget.close()


def test_a_narrow_dock_cuts_nothing_off(widget: AnatomicalViews) -> None:
    settle(widget)
    table, panel = widget.readout.table, widget.readout
    assert table.width() == panel.width()
    assert sum(table.columnWidth(n) for n in range(3)) == table.viewport().width()
    for column in (1, 2):
        room = table.columnWidth(column)
        assert room >= table.fontMetrics().horizontalAdvance("-8.54e-12")
    title = panel.table.rows.index(0, 0)
    tip = title.data(Qt.ItemDataRole.ToolTipRole)
    assert tip.startswith("uncorrected · -log10 p: -log10 of p")


# --- at what cost ---------------------------------------------------------------------


def counted(panel: ReadoutPanel, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Count how often a place is read out."""
    places: list[Any] = []
    read_at = panel._reader.read_at

    def read(place: Any) -> Any:
        places.append(place)
        return read_at(place)

    monkeypatch.setattr(panel._reader, "read_at", read)
    return places


def test_many_moves_are_one_readout(
    widget: AnatomicalViews, maps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(widget)
    places = counted(widget.readout, monkeypatch)
    for x in range(100):
        point(maps, x, 4, 2)
    assert places == []
    settle(widget)
    assert places == [(99, 4, 2)]


def test_what_is_hidden_costs_nothing_and_catches_up(
    widget: AnatomicalViews, maps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(widget)
    places = counted(widget.readout, monkeypatch)
    widget.native.hide()
    scene.look_at(maps, -38, 4, 2)
    maps.layers[Z].visible = False
    settle(widget)
    assert places == []
    widget.native.show()
    assert widget.readout.state.text() == "At the slices: -38, 4, 2"
    assert len(cells(widget.readout)) == 1


def callbacks(viewer: Any, layer: Any) -> list[int]:
    """Count who is told of mouse, slices and layers."""
    told = (
        viewer.events.mouse_over_canvas,
        viewer.dims.events.point,
        viewer.layers.events.removed,
        layer.events.visible,
        layer.events.name,
    )
    counts = [len(one.callbacks) for one in told]
    return [*counts, len(viewer.mouse_move_callbacks)]


@pytest.mark.slow
def test_a_closed_readout_is_let_go(plugin: Any, maps: Any) -> None:
    layer = maps.layers[Z]
    before = callbacks(maps, layer)
    widget = AnatomicalViews(maps)
    widget.native.show()
    refs = [weakref.ref(widget), weakref.ref(widget.readout), weakref.ref(widget.place)]
    assert all(
        now > then for now, then in zip(callbacks(maps, layer), before, strict=True)
    )
    widget.close()
    widget.native.deleteLater()
    del widget
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QApplication.processEvents()
        gc.collect()
    assert [ref() for ref in refs] == [None] * 3
    # napari forgets those that are gone when it next has something to tell.
    point(maps, 0, 0, 0)
    maps.mouse_over_canvas = False
    scene.look_at(maps, 1, 1, 1)
    layer.visible, layer.name = False, "mine"
    maps.layers.remove("uncorrected · -log10 p")
    assert callbacks(maps, layer) == before


# --- in a window ----------------------------------------------------------------------


@pytest.mark.viewer
def test_the_mouse_over_the_canvas_of_a_window(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    write: Callable[..., Path],
) -> None:
    viewer = make_napari_viewer(show=True)
    panel = open_workbench(viewer, "Views")
    dock, widget = panel.parentWidget(), panel.panel("Views").planes
    data = np.full(SHAPE, 0.5)
    data[6, 7, 5] = 9
    viewer.open(write({"z": data}), plugin=PLUGIN)
    widget.place.go_to("50 30 40")
    settle(widget)
    # With napari's own fonts and margins.
    assert widget.native.minimumSizeHint().width() <= 300
    assert [row[1] for row in cells(widget.readout)][1] == "9"
    canvas = viewer.window._qt_viewer.canvas.native
    hover(canvas, 0.5, 0.5)
    settle(widget)
    x, y, z = viewer.cursor.position[::-1]
    assert z == 40
    rounded = f"Under the mouse: {round(x, 1) + 0:.1f}".removesuffix(".0")
    assert widget.readout.state.text().startswith(rounded)
    # To the right on the screen is to the right in the brain, and up is in front.
    hover(canvas, 0.6, 0.4)
    settle(widget)
    moved = viewer.cursor.position[::-1]
    assert moved[0] > x
    assert moved[1] > y
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    settle(widget)
    assert widget.readout.state.text() == "At the slices: 50, 30, 40"
    viewer.layers.remove(next(one for one in viewer.layers if map_of(one)))
    settle(widget)
    assert cells(widget.readout) == []
    # Somebody, as a console does, still holds what is closed.
    viewer.window.remove_dock_widget(dock)
    viewer.layers[0].visible = False
    hover(canvas, 0.4, 0.4)
    scene.look_at(viewer, 1, 1, 1)
    del dock, widget
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QApplication.processEvents()
    hover(canvas, 0.3, 0.3)
    scene.look_at(viewer, 0, 0, 0)


def hover(canvas: Any, across: float, down: float) -> None:
    """Move the mouse over a share of the canvas."""
    at = QPointF(canvas.width() * across, canvas.height() * down)
    QApplication.sendEvent(canvas, QEnterEvent(at, at, at))
    none = Qt.MouseButton.NoButton
    move = QMouseEvent(
        QEvent.Type.MouseMove, at, at, none, none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(canvas, move)
    QApplication.processEvents()


@pytest.mark.viewer
def test_a_place_in_a_tested_cluster_has_the_value_that_is_colored(
    panel: Workbench, viewer: Any, sample: ResultSet
) -> None:
    """Its own map has one value for the whole cluster, which no color bar shows."""
    tested = sample["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    shown_maps.show_alone(viewer, tested)
    scene.look_at(viewer, 38, 4, 2)
    panel.header.place.refresh()
    told = panel.header.place.here.text()
    assert told.split("   ") == ["insula R", "z 6.729", "p_FWE <= .001"]
    # So it is in the table of all maps, which says where the other value is from.
    table = panel.show_tab("Views").planes.readout
    table.refresh()
    rows = [row for row in cells(table) if row[0] == "mass · FWE · z"]
    assert rows == [["mass · FWE · z", "z 6.729", "p_FWE <= .001"]]
    at = [row[0] for row in cells(table)].index("mass · FWE · z")
    tip = table.table.rows.index(at, 1).data(Qt.ItemDataRole.ToolTipRole)
    assert "6.729, of the uncorrected map" in tip
    assert "the whole cluster has z 3.0" in tip
    # A narrow panel cuts the name short, and says so; the numbers stay.
    line, seen = panel.header.place.here, PlainLabel()
    seen.setFont(line.font())
    numbers = "   z 6.729   p_FWE <= .001"
    room = line.fontMetrics().horizontalAdvance(numbers) + 40
    elide = Qt.TextElideMode.ElideRight
    name = line.fontMetrics().elidedText("insula R", elide, 40)
    seen.setText(name + numbers)
    assert name.endswith("…")
    for one in (line, seen):
        one.setParent(None)
        one.resize(room, 20)
    assert line.grab().toImage() == seen.grab().toImage()
    assert line.toolTip() == told
