"""The table shows the clusters of the viewer, and the viewer follows the table."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QModelIndex, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu

from helpers.clicks import click_canvas
from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import palette, scene
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    chosen_label,
    cluster_layer,
    show_clusters,
)
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.clusters.columns import (
    CLUSTER_COLUMNS,
    NAME_COLUMN,
)
from napari_neurosynth_results.widgets.clusters.widget import ClusterWidget

KEYS = [column.key for column in CLUSTER_COLUMNS]
K = KEYS.index("n_voxels")
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


@pytest.fixture
def layer(viewer: Any, sample: ResultSet) -> Any:
    """Return the layer with the clusters of z."""
    add_maps(viewer, [sample["z"]])
    return show(viewer, sample, p=0.001, min_voxels=10)


@pytest.fixture
def widget(plugin: Any, viewer: Any, layer: Any) -> Iterator[ClusterWidget]:
    """Return the table of the clusters of z."""
    made = ClusterWidget(viewer)
    yield made
    made.close()


def show(viewer: Any, results: ResultSet, stem: str = "z", **asked: Any) -> Any:
    """Threshold a map that has a layer."""
    title = results[stem].short_title
    clusters = find_clusters(results[stem], **asked)
    return show_clusters(viewer, viewer.layers[title], clusters)


def cells(widget: ClusterWidget, title: str) -> list[str]:
    """Return a column of clusters as a user sees it."""
    lines = [line.split("\t") for line in widget.view.text().split("\n")]
    column = lines[0].index(title)
    return [line[column] for line in lines[1:] if line[0].isdigit()]


def click_row(widget: ClusterWidget, row: int) -> None:
    widget.view.setCurrentIndex(widget.model.index(row, 0))


def place(viewer: Any) -> tuple[float, ...]:
    return tuple(viewer.dims.point[::-1])


def peak(layer: Any, label: int) -> tuple[float, ...]:
    table = layer.metadata["neurosynth_results"].table
    return tuple(table.loc[label - 1, ["peak_x", "peak_y", "peak_z"]])


# --- what is shown ----------------------------------------------------------------


def test_without_clusters_the_table_says_how_to_get_some(
    plugin: Any, viewer: Any
) -> None:
    widget = ClusterWidget(viewer)
    assert widget.sentence.value.startswith("No clusters yet. Threshold a map")
    assert widget.model.rowCount() == 0
    assert not widget.save_table.enabled
    widget.close()


def test_the_table_is_that_of_the_clusters(widget: ClusterWidget, layer: Any) -> None:
    table = widget.clusters.table
    assert widget.sentence.value == str(widget.clusters)
    assert cells(widget, "#") == [str(label) for label in table.label]
    assert cells(widget, "k") == [str(n) for n in table.n_voxels]
    assert cells(widget, "Peak z") == [f"{value:.3f}" for value in table.peak_value]
    assert cells(widget, "x") == [f"{x:.4g}" for x in table.peak_x]


def test_sub_peaks_are_folded_under_their_cluster(widget: ClusterWidget) -> None:
    first = widget.model.index(0, 0)
    peaks = widget.clusters.peaks
    assert widget.model.rowCount(first) == (peaks.label == 1).sum() - 1 == 3
    assert not widget.view.isExpanded(first)
    child = widget.model.index(1, 0, first)
    assert widget.model.data(child) == "1b"
    widget.view.setCurrentIndex(child)
    row = peaks.iloc[2]
    assert place(widget._viewer) == (row.peak_x, row.peak_y, row.peak_z)


def test_the_table_follows_the_threshold_and_keeps_what_is_unfolded(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    click_row(widget, 1)
    widget.view.expand(widget.model.index(0, 0))
    show(viewer, sample, p=1e-4)
    assert cells(widget, "k") == [
        str(n) for n in find_clusters(sample["z"], p=1e-4).table.n_voxels
    ]
    assert widget.view.isExpanded(widget.model.index(0, 0))
    assert not widget.view.isExpanded(widget.model.index(3, 0))
    # The cluster is still chosen, because its peak is still there.
    assert widget.view.currentIndex().row() == 1
    assert chosen_label(cluster_layer(viewer, sample["z"])) == 2
    show(viewer, sample, value=20)
    assert widget.model.rowCount() == 0
    assert widget.sentence.value.endswith("0 clusters, 0 voxels, 0.0 cm3")
    show(viewer, sample, p=0.001)
    assert widget.view.currentIndex().row() == 1


def test_columns_of_tested_clusters_are_there_for_such_maps_only(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    assert "p_FWE" not in widget.view.text()
    add_maps(viewer, [sample[MASS]])
    layer = show(viewer, sample, MASS, p=0.05)
    viewer.layers.selection.active = layer
    assert widget.clusters.statmap is sample[MASS]
    header = widget.view.text().split("\n")[0].split("\t")
    assert header == ["#", "Name", "x", "y", "z", "Peak z", "p_FWE", "k", "TDP"]
    assert len(cells(widget, "#")) == 6
    viewer.layers.selection.active = viewer.layers[sample["z"].short_title]
    assert widget.clusters.statmap is sample["z"]
    assert "p_FWE" not in widget.view.text()


def test_what_is_not_significant_is_folded_until_it_is_wanted(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    assert widget.others.isHidden(), "clusters that were not tested are all listed"
    add_maps(viewer, [sample[MASS]])
    layer = show(viewer, sample, MASS, p=0.05)
    viewer.layers.selection.active = layer
    assert not widget.others.isHidden()
    assert widget.others.text() == "7 not significant"
    assert cells(widget, "#") == [str(n) for n in range(1, 7)]
    click_row(widget, 2)
    widget.others.click()
    assert cells(widget, "#") == [str(n) for n in range(1, 14)]
    assert widget.view.currentIndex().row() == 2
    # Their numbers and places need more room than those of the others.
    for index in set(widget.view.shown_columns()) - {NAME_COLUMN}:
        assert widget.view.columnWidth(index) >= widget.view.sizeHintForColumn(index)
    widget.others.click()
    # One that is clicked on the canvas is shown, wherever its row was.
    viewer.dims.point = peak(layer, 9)[::-1]
    click_canvas(viewer, *peak(layer, 9))
    assert widget.others.isChecked()
    assert widget.model.label_of(widget.view.currentIndex()) == 9


def test_number_and_name_stay_in_sight(widget: ClusterWidget) -> None:
    view, frozen = widget.view, widget.view.frozen
    view.resize(220, 200)
    view.updateGeometries()
    assert frozen.columnWidth(0) == view.columnWidth(0)
    assert frozen.isColumnHidden(2)
    width = view.columnWidth(0) + view.columnWidth(1)
    assert frozen.width() == min(width, view.viewport().width())
    view.setColumnWidth(1, 90)
    assert frozen.columnWidth(1) == 90
    frozen.setColumnWidth(1, 70)
    assert view.columnWidth(1) == 70
    # What is unfolded and chosen in one is in the other.
    frozen.expand(widget.model.index(0, 0))
    assert view.isExpanded(widget.model.index(0, 0))
    view.collapse(widget.model.index(0, 0))
    assert not frozen.isExpanded(widget.model.index(0, 0))
    frozen.setCurrentIndex(widget.model.index(3, 0))
    assert view.currentIndex().row() == 3
    # Its titles sort, too.
    frozen.header().sectionClicked.emit(1)
    names = cells(widget, "Name")
    assert names[:2] == ["Cerebellum L", "Insula L"]
    frozen.header().sectionClicked.emit(1)
    assert cells(widget, "Name") != names


def test_arrow_keys_walk_through_the_clusters(
    widget: ClusterWidget, viewer: Any, layer: Any
) -> None:
    click_row(widget, 0)
    for label in (2, 3):
        QTest.keyClick(widget.view, Qt.Key.Key_Down)
        assert place(viewer) == peak(layer, label)
        assert chosen_label(layer) == label
    QTest.keyClick(widget.view, Qt.Key.Key_Up)
    assert place(viewer) == peak(layer, 2)


def test_what_every_correction_says_is_a_column_away(
    widget: ClusterWidget, sample: ResultSet
) -> None:
    corrected = widget.clusters.corrected
    for key in ("p_fwe_mass", "p_fwe_size", "peak_p_fwe", "peak_q"):
        index = next(i for i, column in enumerate(CLUSTER_COLUMNS) if column.key == key)
        title = widget.model.title(index)
        assert title not in widget.view.text().split("\n")[0]
        widget.view.show_column(index)
        told = [
            float(text.lstrip("<>= ")) if text else np.nan
            for text in cells(widget, title)
        ]
        assert np.allclose(told, corrected[key], rtol=0.01, equal_nan=True)
        assert np.isfinite(told[0])


def test_columns_are_chosen_from_a_menu(widget: ClusterWidget) -> None:
    widget.columns.native.click()
    (menu,) = widget.view.findChildren(QMenu)
    actions = {action.text(): action for action in menu.actions()}
    assert list(actions) == [widget.model.title(i) for i in range(len(CLUSTER_COLUMNS))]
    assert actions["k"].isChecked()
    actions["Mean z"].trigger()
    actions["k"].trigger()
    menu.close()
    header = widget.view.text().split("\n")[0].split("\t")
    assert "Mean z" in header
    assert "k" not in header
    mean = widget.clusters.table.mean_value
    assert cells(widget, "Mean z") == [f"{value:.3f}" for value in mean]


def test_words_filter_and_headers_sort(widget: ClusterWidget) -> None:
    widget.view.sortByColumn(K, Qt.SortOrder.DescendingOrder)
    sizes = [int(n.replace(",", "")) for n in cells(widget, "k")]
    assert sizes == sorted(sizes, reverse=True)
    # All words have to be somewhere in the row, where they can be seen.
    widget.filter.value = "6,440"
    assert cells(widget, "#") == []
    widget.view.show_column(KEYS.index("volume_mm3"))
    assert cells(widget, "#") == ["1"]
    widget.filter.value = "INSULA 805"
    assert cells(widget, "#") == ["1"]
    widget.filter.value = ""
    assert len(cells(widget, "#")) == 15


# --- both ways --------------------------------------------------------------------


def test_a_row_jumps_to_the_peak_and_outlines_the_cluster(
    widget: ClusterWidget, viewer: Any, layer: Any
) -> None:
    for row in (4, 0):
        click_row(widget, row)
        assert place(viewer) == peak(layer, row + 1)
        assert layer.selected_label == row + 1
        white = np.flatnonzero((layer.colormap.colors == palette.CHOSEN).all(axis=1))
        assert white.tolist() == [row + 1]


@pytest.mark.slow
def test_hovering_tells_it_in_the_status_bar_too(layer: Any, viewer: Any) -> None:
    viewer.dims.point = peak(layer, 1)[::-1]
    status = layer.get_status(
        peak(layer, 1)[::-1], view_direction=None, dims_displayed=[1, 2], world=True
    )
    assert "cluster: Insula R," in status["coordinates"]
    assert "peak z: 6.73" in status["coordinates"]
    assert "n_voxels: 805" in status["coordinates"]
    assert "TDP: ≥ 32 %" in status["coordinates"]


def test_next_and_previous_go_round(
    widget: ClusterWidget, viewer: Any, layer: Any
) -> None:
    widget.go_next()
    assert place(viewer) == peak(layer, 1)
    widget.next.native.click()
    assert place(viewer) == peak(layer, 2)
    widget.go_previous()
    widget.previous.native.click()
    assert place(viewer) == peak(layer, 15)


def test_peak_and_center(widget: ClusterWidget, viewer: Any, layer: Any) -> None:
    click_row(widget, 0)
    widget.center.native.click()
    x, y, z = place(viewer)
    assert (x, y, z) != peak(layer, 1)
    center = widget.clusters.table.loc[0, ["center_x", "center_y", "center_z"]]
    assert np.abs(np.array([x, y, z]) - center.to_numpy(float)).max() < 4
    assert layer.data[tuple(layer.world_to_data((z, y, x)).astype(int))] == 1
    widget.go_to_peak()
    assert place(viewer) == peak(layer, 1)


def test_the_spin_box_of_napari_moves_the_row(
    widget: ClusterWidget, viewer: Any, layer: Any
) -> None:
    layer.selected_label = 5
    assert widget.view.currentIndex().row() == 4
    assert place(viewer) == peak(layer, 5)


def test_new_colors_move_nothing(
    widget: ClusterWidget, layer: Any, viewer: Any
) -> None:
    """A chosen label, the old one, is announced by napari whenever colors change."""
    scene.look_at(viewer, -62, -22, 20)
    before = viewer.dims.point
    assert layer.selected_label == 1
    layer.colormap = layer.colormap.model_copy(update={"colors": layer.colormap.colors})
    assert viewer.dims.point == before
    assert chosen_label(layer) == 0
    layer.selected_label = 3
    assert chosen_label(layer) == 3


def test_all_others_can_be_hidden(widget: ClusterWidget, layer: Any) -> None:
    click_row(widget, 2)
    widget.only.value = True
    assert layer.show_selected_label
    assert layer.colormap.map(np.array([2, 3]))[:, 3].tolist() == [0, 1]
    widget.only.value = False
    assert not layer.show_selected_label


# --- names, copies, files ---------------------------------------------------------


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Answer the dialog that asks where to save, as a user who types a name."""

    def _answer(path: Path) -> None:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))

    return _answer


def test_a_name_stays_while_the_threshold_moves_and_goes_into_files(
    widget: ClusterWidget,
    viewer: Any,
    sample: ResultSet,
    tmp_path: Path,
    answer: Callable[[Path], None],
) -> None:
    index = widget.model.index(1, 1)
    assert widget.model.setData(index, "right SII")
    assert cells(widget, "Name")[1] == "right SII"
    layer = show(viewer, sample, p=1e-4)
    assert cells(widget, "Name")[:3] == ["Insula R", "right SII", "Insula L"]
    assert layer.features["cluster"].tolist()[2] == "right SII"
    answer(tmp_path / "named.tsv")
    widget.save_table.native.click()
    lines = (tmp_path / "named.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# map: z (z, uncorrected)"
    assert "6-connected" in lines[1]
    saved = pd.read_csv(tmp_path / "named.tsv", sep="\t", comment="#")
    assert saved.name.tolist()[1] == "right SII"


@pytest.mark.slow
def test_copied_text_is_the_table_that_is_seen(widget: ClusterWidget) -> None:
    for index, column in enumerate(CLUSTER_COLUMNS):
        widget.view.setColumnHidden(index, column.key not in ("label", "name"))
    widget.copy.native.click()
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    lines = clipboard.text().split("\n")
    assert lines[:3] == ["#\tName", "1\tInsula R", "1a\tinsula R"]
    assert len(lines) == 1 + len(widget.clusters.peaks)


def test_saved_labels_are_the_labels_on_the_grid_of_the_map(
    widget: ClusterWidget,
    sample: ResultSet,
    tmp_path: Path,
    answer: Callable[[Path], None],
) -> None:
    answer(tmp_path / "labels.nii.gz")
    widget.save_labels.native.click()
    image = nib.load(tmp_path / "labels.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), widget.clusters.labels)
    assert np.array_equal(image.affine, sample["z"].affine)


def test_a_file_that_cannot_be_written_is_told(
    widget: ClusterWidget,
    tmp_path: Path,
    notifications: list[Any],
    answer: Callable[[Path], None],
) -> None:
    answer(tmp_path / "nowhere" / "table.tsv")
    widget.save_table.native.click()
    assert [n.severity.value for n in notifications] == ["error"]
    assert "cannot be written" in notifications[0].message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "kind", "saved"),
    [
        ("table", "Tab-separated table (*.tsv)", "table.tsv"),
        ("table", "Comma-separated table (*.csv)", "table.csv"),
        # Some dialogs of desktops do not say which kind was chosen.
        ("table", "", "table.tsv"),
    ],
)
def test_no_file_is_replaced_that_the_dialog_did_not_ask_about(
    widget: ClusterWidget,
    tmp_path: Path,
    notifications: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    kind: str,
    saved: str,
) -> None:
    (tmp_path / saved).write_text("somebody's own", encoding="utf-8")
    answers = [(str(tmp_path / typed), kind), (str(tmp_path / saved), kind)]
    # The dialog is the user's: its answer stands for a name that was typed.
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answers.pop(0))
    widget.save_table.native.click()
    assert "exists already" in notifications[-1].message
    assert (tmp_path / saved).read_text(encoding="utf-8") == "somebody's own"
    # Asked about by the dialog, because it was named in full.
    widget.save_table.native.click()
    assert (tmp_path / saved).read_text(encoding="utf-8").startswith("# map: z")


def test_only_this_is_said_of_the_layer_that_is_shown(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    click_row(widget, 0)
    widget.only.value = True
    add_maps(viewer, [sample[MASS]])
    other = show(viewer, sample, MASS, p=0.05)
    viewer.layers.selection.active = other
    assert not widget.only.value
    assert not other.show_selected_label
    viewer.layers.selection.active = viewer.layers[sample["z"].short_title]
    assert widget.only.value


# --- layers come and go -----------------------------------------------------------


def test_a_deleted_layer_leaves_no_stale_table(
    widget: ClusterWidget, viewer: Any, layer: Any, sample: ResultSet
) -> None:
    click_row(widget, 1)
    viewer.layers.remove(layer)
    assert widget.clusters is None
    assert widget.model.rowCount() == 0
    assert widget.sentence.value.startswith("No clusters yet")
    widget.go_next()
    widget.go_to_peak()
    widget.go_to_center()
    click_canvas(viewer, 0, 0, 0)
    show(viewer, sample, p=1e-4)
    assert widget.model.rowCount() == len(widget.clusters)


@pytest.mark.slow
def test_a_closed_table_is_let_go_with_its_hold_on_the_mouse(
    plugin: Any, viewer: Any, layer: Any, sample: ResultSet
) -> None:
    before = len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)
    widget = ClusterWidget(viewer)
    ref = weakref.ref(widget)
    widget.close()
    widget.native.deleteLater()
    del widget
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    for _ in range(3):
        QApplication.processEvents()
    gc.collect()
    assert ref() is None
    after = len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)
    assert after == before
    show(viewer, sample, p=1e-4)


def test_an_index_of_nothing_is_no_cluster(widget: ClusterWidget) -> None:
    assert widget.model.label_of(QModelIndex()) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "extension", "start"),
    [("Markdown", ".md", "<!--"), ("LaTeX", ".tex", "%"), ("HTML", ".html", "<!DOCT")],
)
def test_the_dialog_offers_tables_for_papers(
    widget: ClusterWidget,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    extension: str,
    start: str,
) -> None:
    def answer(*asked: str) -> tuple[str, str]:
        chosen = next(one for one in asked[-1].split(";;") if kind in one)
        return str(tmp_path / "t"), chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    widget.save_table.native.click()
    text = (tmp_path / f"t{extension}").read_text(encoding="utf-8")
    assert text.startswith(start)


def test_names_that_were_given_can_be_taken_back(
    widget: ClusterWidget,
) -> None:
    before = cells(widget, "Name")
    for name in ("mine", "yours"):
        index = widget.model.index(1, 1)
        assert widget.model.setData(index, name)
    assert cells(widget, "Name")[1] == "yours"
    for expected in ("mine", before[1], before[1]):
        QTest.keyClick(widget.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert cells(widget, "Name")[1] == expected
