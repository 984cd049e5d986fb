"""The table follows the mouse on the canvas: in slices, in 3D, on the glass brain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QScrollArea

from helpers.clicks import CanvasEvent, click_canvas, click_ray
from helpers.threshold_form import type_number
from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import scene, shown_maps
from napari_neurosynth_results.viewer.brain_views.brain import show_brain
from napari_neurosynth_results.viewer.brain_views.glass import show_glass
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    chosen_label,
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.clusters.columns import FrozenColumns
from napari_neurosynth_results.widgets.clusters.widget import ClusterWidget
from napari_neurosynth_results.widgets.workbench import open_workbench, workbench_of


@pytest.fixture
def layer(viewer: Any, sample: ResultSet) -> Any:
    """Return the layer with the clusters of z."""
    add_maps(viewer, [sample["z"]])
    of_map = next(one for one in viewer.layers if map_of(one) is sample["z"])
    found = find_clusters(sample["z"], p=0.001, min_voxels=10)
    return show_clusters(viewer, of_map, found)


@pytest.fixture
def widget(plugin: Any, viewer: Any, layer: Any) -> Iterator[ClusterWidget]:
    """Return the table of the clusters of z."""
    made = ClusterWidget(viewer)
    yield made
    made.close()


def place(viewer: Any) -> tuple[float, ...]:
    return tuple(viewer.dims.point[::-1])


def peak(layer: Any, label: int) -> tuple[float, ...]:
    table = layer.metadata["neurosynth_results"].table
    return tuple(table.loc[label - 1, ["peak_x", "peak_y", "peak_z"]])


def test_a_click_on_the_canvas_selects_the_row_and_one_beside_deselects(
    widget: ClusterWidget, viewer: Any, layer: Any
) -> None:
    viewer.dims.point = peak(layer, 3)[::-1]
    before = place(viewer)
    click_canvas(viewer, *peak(layer, 3))
    assert widget.view.currentIndex().row() == 2
    assert chosen_label(layer) == 3
    assert place(viewer) == before
    click_canvas(viewer, 0, 0, 80)
    assert not widget.view.currentIndex().isValid()
    assert chosen_label(layer) == 0


def test_a_click_in_a_slice_moves_the_place(
    widget: ClusterWidget, viewer: Any, layer: Any
) -> None:
    viewer.dims.point = peak(layer, 3)[::-1]
    x, y, z = peak(layer, 3)
    click_canvas(viewer, x + 2, y, z)
    assert chosen_label(layer) == 3
    assert place(viewer) == (x + 2, y, z)
    # Beside the brain there is nothing to go to, and a brush stays where it is.
    click_canvas(viewer, 200, y, z)
    viewer.add_labels(np.zeros_like(layer.data)).mode = "paint"
    click_canvas(viewer, x, y, z)
    assert place(viewer) == (x + 2, y, z)


def test_the_place_lies_in_the_voxel_that_was_clicked(
    widget: ClusterWidget, viewer: Any, layer: Any, underlay: Any
) -> None:
    """Half of the steps of an underlay of 1 mm lie between two voxels of 2 mm."""
    scene.look_at(viewer, 38, 4, 2)
    assert viewer.dims.range[0].step == 1
    for x, y in ((38.6, 4.9), (37.2, 3.2), (39.4, 5.4), (36.7, 2.6)):
        click_canvas(viewer, x, y, 2)
        middle = (2 * round(x / 2), 2 * round(y / 2), 2)
        assert place(viewer) == middle
    # What is between them can be gone to, and a click leaves the slice alone.
    scene.look_at(viewer, 38, 4, 3)
    click_canvas(viewer, 36.2, 4.2, 3)
    assert place(viewer) == (36, 4, 3)


def test_a_click_in_3d_selects_the_cluster_and_goes_to_its_peak(
    widget: ClusterWidget, viewer: Any, layer: Any
) -> None:
    show_brain(viewer)
    for label in (1, 3):
        click_ray(viewer, peak(layer, label), (-1, 0, 0))
        # From above the one that is seen may be another: it is the one that is white.
        found = chosen_label(layer)
        assert widget.view.currentIndex().row() == found - 1
        assert place(viewer) == peak(layer, found)
    click_ray(viewer, (500, 500, 500), (-1, 0, 0))
    assert chosen_label(layer) == 0


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_click_in_the_glass_brain_goes_to_the_strongest_voxel_along_the_line(
    widget: ClusterWidget, viewer: Any, layer: Any, plane: Any
) -> None:
    scene.show_plane(viewer, plane)
    show_glass(viewer)
    clusters = widget.clusters
    kept = np.asarray(layer.data).T
    axis = {"axial": 2, "coronal": 1, "sagittal": 0}[plane]
    affine = clusters.statmap.affine
    for label in (1, 3):
        voxel = list(np.argwhere(kept == label)[7])
        line = [*voxel[:axis], slice(None), *voxel[axis + 1 :]]
        strength = np.where(
            kept[tuple(line)] > 0, clusters.statmap.data[tuple(line)], 0
        )
        voxel[axis] = int(strength.argmax())
        there = (affine @ [*voxel, 1])[:3]
        clicked = list(there)
        # How deep the slice lies that nobody sees does not count.
        clicked[axis] = 60.0
        click_canvas(viewer, *clicked)
        assert place(viewer) == tuple(there)
        assert chosen_label(layer) == kept[tuple(voxel)]
    before = viewer.dims.point
    click_canvas(viewer, 85.0, 85.0, 85.0)
    assert viewer.dims.point == before


def test_a_drag_on_the_canvas_selects_nothing(
    widget: ClusterWidget, viewer: Any, layer: Any
) -> None:
    viewer.dims.point = peak(layer, 3)[::-1]
    click_canvas(viewer, *peak(layer, 3), dragged=True)
    assert chosen_label(layer) == 0


def test_pointing_tells_name_value_and_size(
    widget: ClusterWidget, viewer: Any, layer: Any
) -> None:
    from napari.utils.interactions import mouse_move_callbacks

    viewer.dims.point = peak(layer, 1)[::-1]
    x, y, z = peak(layer, 1)
    mouse_move_callbacks(viewer, CanvasEvent((z, y, x), "mouse_move"))
    told = "Insula R: z 6.73, 805 voxels (6,440 mm3), TDP ≥ 32 %"
    assert widget.pointed.text() == told
    mouse_move_callbacks(viewer, CanvasEvent((z, 200.0, x), "mouse_move"))
    assert widget.pointed.text() == " "
    # Nor does it stay when the mouse has left the canvas.
    viewer.mouse_over_canvas = True
    mouse_move_callbacks(viewer, CanvasEvent((z, y, x), "mouse_move"))
    assert widget.pointed.text() == told
    viewer.mouse_over_canvas = False
    assert widget.pointed.text() == " "


@pytest.mark.viewer
def test_frozen_rows_and_titles_stand_in_line_with_the_others(
    plugin: Any, make_napari_viewer: Callable[..., Any], sample: ResultSet
) -> None:
    """In the style of napari, which gives a table another frame than it says."""
    window = make_napari_viewer(show=True)
    shown_maps.show_alone(window, sample["z"])
    view = open_workbench(window).panel("Clusters").table.view
    QTest.qWait(200)
    frozen = view.findChild(FrozenColumns)

    def top(table: Any, part: Any, y: int) -> int:
        return int(part.mapTo(view, QPoint(0, y)).y())

    for row in range(3):
        tops = [
            top(
                one, one.viewport(), one.visualRect(view.model().index(row, column)).y()
            )
            for one, column in ((frozen, 1), (view, 2))
        ]
        assert tops[0] == tops[1]
    assert top(frozen, frozen.header(), 0) == top(view, view.header(), 0)
    # A title begins or ends where its numbers do.
    model, role = view.model(), Qt.ItemDataRole.TextAlignmentRole
    for section in range(2, model.columnCount()):
        cells = model.index(0, section).data(role)
        title = model.headerData(section, Qt.Orientation.Horizontal, role)
        assert cells is None or title == cells


@pytest.mark.viewer
@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True])
def test_with_the_drawer_open_only_the_table_scrolls_and_nothing_moves(
    window: Any, alone: bool
) -> None:
    from napari.utils.interactions import mouse_move_callbacks

    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    area, part = panel.tabs.currentWidget(), panel.panel("Clusters")
    table = part.table
    if alone:
        panel.parentWidget().close()
        _, table = window.window.add_plugin_dock_widget(PLUGIN, "Clusters")
        area = table.native.findChild(QScrollArea)
    table.others.click()
    table.drawer.click()
    assert table.model.rowCount() == 13
    places = []
    for y in (4.0, 200.0, 4.0):
        mouse_move_callbacks(window, CanvasEvent((2.0, y, 38.0), "mouse_move"))
        assert table.pointed.text().startswith("Insula R" if y < 100 else " ")
        QTest.qWait(200)
        assert area.verticalScrollBar().maximum() == 0
        assert table.view.verticalScrollBar().maximum() > 0
        drawer = table.drawer
        assert drawer.visibleRegion().boundingRect() == drawer.rect()
        places.append(drawer.mapTo(area, QPoint()).y())
    assert len(set(places)) == 1
    if not alone:
        # What has to be said above takes its room from the table.
        type_number(part.threshold, "nothing")
        QTest.qWait(200)
        assert part.threshold.sentence.native.isVisible()
        assert area.verticalScrollBar().maximum() == 0
