"""Regions, studies and the heat map beside the table of clusters."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget
from scipy import stats

from local_servers import LocalServers
from napari_neurosynth_results import (
    contributors,
    find_clusters,
    open_results,
    true_discoveries,
)
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    chosen_label,
    show_clusters,
)
from napari_neurosynth_results.viewer.foci import foci_layers, lit_studies, show_foci
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.clusters.widget import ClusterWidget
from napari_neurosynth_results.widgets.common.row_table import (
    BAR,
    Column,
    RowModel,
    TableView,
    records,
)

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
REGIONS, _, STUDIES, HEAT = range(4)
DISPLAY, TOOLTIP = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole


@pytest.fixture
def widget(plugin: Any, viewer: Any, sample: ResultSet) -> Iterator[ClusterWidget]:
    """Return the table of the clusters of the cluster-level map."""
    made = shown(viewer, sample)
    yield made
    made.close()


def shown(viewer: Any, results: ResultSet) -> ClusterWidget:
    add_maps(viewer, [results[MASS]])
    layer = viewer.layers[results[MASS].short_title]
    show_clusters(viewer, layer, find_clusters(results[MASS], p=0.05))
    made = ClusterWidget(viewer)
    made.drawer.click()
    return made


def wait_until(happened: Callable[[], bool]) -> None:
    """Let Qt work until something has happened."""
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        QApplication.processEvents()
        time.sleep(0.005)


def click_row(widget: ClusterWidget, row: int) -> None:
    widget.view.setCurrentIndex(widget.model.index(row, 0))


def texts(view: Any, column: int) -> list[str]:
    model = view.model()
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_regions_of_the_chosen_cluster(widget: ClusterWidget) -> None:
    details = widget.details
    click_row(widget, 3)
    table = widget.clusters.regions
    rows = table[table.label == 4]
    assert texts(details.regions, 0) == rows.region.tolist()
    assert texts(details.regions, 0)[:2] == ["superior frontal R", "superior frontal L"]
    assert texts(details.regions, 0)[-1] == "unlabelled"
    assert texts(details.regions, 2) == [f"{percent:.1f}" for percent in rows.percent]
    # The longest bar belongs to the largest share.
    bars = [details.regions.model().index(row, 2).data(BAR) for row in range(len(rows))]
    assert max(bars) == 1
    assert bars.index(1) == rows.percent.tolist().index(rows.percent.max())


def test_how_much_of_each_region_is_active(
    widget: ClusterWidget, sample: ResultSet
) -> None:
    table = true_discoveries(sample["z"])
    found = table[table.tdp > 0].sort_values("tdp", ascending=False)
    regions = widget.details.regions
    assert texts(regions, 0) == found.region.tolist(), "no cluster is chosen: all"
    assert texts(regions, 3)[:2] == ["≥14%", "≥1.2%"]
    click_row(widget, 0)
    assert texts(regions, 0)[0] == "insula R"
    assert texts(regions, 3)[0] == "≥14%"
    told = regions.model().index(0, 3).data(Qt.ItemDataRole.ToolTipRole)
    assert told.startswith("At least 173 of 1,182 voxels are active")


def test_studies_of_the_chosen_cluster(
    widget: ClusterWidget, sample: ResultSet
) -> None:
    widget.details.setCurrentIndex(STUDIES)
    panel = widget.details.studies
    assert "Choose a cluster" in panel.sentence.text()
    assert not panel.save.isHidden()
    click_row(widget, 0)
    behind = contributors(sample, widget.clusters)
    assert panel.sentence.text() == behind.sentence(1)
    assert texts(panel.view, 0) == behind.of(1).study.tolist()
    assert texts(panel.view, 4)[0] == "13.2%"
    # Nobody knows the years of these studies.
    assert panel.view.isColumnHidden(1)
    assert not panel.view.isColumnHidden(2)
    assert panel.cautions.isHidden()
    widget.others.click()
    click_row(widget, 12)
    assert panel.cautions.text() == "one experiment only"
    assert not panel.cautions.isHidden()
    panel.notes.setChecked(True)
    assert "differently than in its label map" in panel.notices.text()
    assert "does not say whether the cluster would still be found" in (
        panel.notices.text()
    )


@pytest.mark.slow
def test_a_chosen_study_lights_up_its_foci(widget: ClusterWidget, viewer: Any) -> None:
    widget.details.setCurrentIndex(STUDIES)
    click_row(widget, 0)
    assert not foci_layers(viewer)
    panel = widget.details.studies
    panel.view.setCurrentIndex(panel.view.rows.index(0, 0))
    [layer] = foci_layers(viewer)
    assert lit_studies(layer) == {"pain_19.nidm"}
    panel.view.setCurrentIndex(panel.view.rows.index(1, 0))
    assert foci_layers(viewer) == [layer]
    assert lit_studies(layer) == {"pain_13.nidm"}
    # The row stays chosen although a layer has come.
    assert panel.view.currentIndex().row() == 1
    click_row(widget, 1)
    assert lit_studies(layer) is None


def test_the_table_sorts_by_any_column(widget: ClusterWidget) -> None:
    widget.details.setCurrentIndex(STUDIES)
    click_row(widget, 0)
    view = widget.details.studies.view
    came = texts(view, 0)
    view.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    people = [int(text) for text in texts(view, 2)]
    assert people == sorted(people, reverse=True)
    assert texts(view, 0) != came
    view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert texts(view, 0) == came


def test_the_heat_map_is_the_table_of_foci(widget: ClusterWidget) -> None:
    widget.details.setCurrentIndex(HEAT)
    heat, cells = widget.details.heat, widget.details.heat.cells
    behind = widget.details.contributors
    assert (cells.rowCount(), cells.columnCount()) == behind.foci.shape
    for row in range(cells.rowCount()):
        for column in range(cells.columnCount()):
            index = cells.index(row, column)
            n = behind.foci.loc[heat.experiment(index), column + 1]
            assert (index.data() or "0") == str(n)
    most = cells.index(0, 0).data(TOOLTIP)
    assert most == behind.told(heat.experiment(cells.index(0, 0)), 1)
    across = Qt.Orientation.Horizontal
    assert cells.headerData(0, across, DISPLAY) == "1"
    assert cells.headerData(0, across, TOOLTIP) == "Insula R"
    # Those behind most clusters come first.
    n_clusters = (behind.foci > 0).sum(axis=1)
    order = [heat.experiment(cells.index(row, 0)) for row in range(cells.rowCount())]
    assert n_clusters[order].is_monotonic_decreasing
    strongest = cells.index(
        *divmod(int(behind.foci.loc[order].to_numpy().argmax()), cells.columnCount())
    )
    brightness = [
        cells.index(row, column).data(Qt.ItemDataRole.BackgroundRole).lightness()
        for row in range(cells.rowCount())
        for column in range(cells.columnCount())
    ]
    color = strongest.data(Qt.ItemDataRole.BackgroundRole)
    assert color.lightness() == max(brightness)


def test_a_click_in_the_heat_map_goes_to_cluster_and_study(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    widget.details.setCurrentIndex(HEAT)
    heat = widget.details.heat
    row = next(r for r in range(21) if heat.cells.index(r, 4).data())
    experiment = heat.experiment(heat.cells.index(row, 4))
    heat.clicked.emit(heat.cells.index(row, 4))
    layer = viewer.layers[f"{sample[MASS].short_title}: clusters"]
    assert chosen_label(layer) == 5
    assert tuple(viewer.dims.point[::-1]) == (-32, -60, -34)
    panel = widget.details.studies
    assert widget.details.currentWidget() is panel
    assert (
        panel.view.rows.rows[panel.view.currentIndex().row()]["experiment"]
        == experiment
    )
    [layer] = foci_layers(viewer)
    assert lit_studies(layer) == {experiment.removesuffix("-1")}


def test_studies_are_saved(
    widget: ClusterWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "who.tsv"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *args: (str(path), args[-1])
    )
    widget.details.setCurrentIndex(STUDIES)
    widget.details.studies.save.click()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# map: z_desc-mass")
    assert any("267 foci of 21 experiments" in line for line in lines if line[0] == "#")
    saved = pd.read_csv(path, sep="\t", comment="#")
    behind = widget.details.contributors
    own = saved[saved.label == 1]
    assert own.foci.sum() == 26
    assert own.name.unique().tolist() == ["Insula R"]
    assert own.experiment.tolist() == behind.of(1).experiment.tolist()


@pytest.mark.slow
def test_a_paper_is_opened_where_there_is_one(
    plugin: Any, viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pain"
    shutil.copytree(sample_folder(), folder)
    path = folder / "studyset.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace(
            '"name":"pain_19.nidm"', '"name":"Smith","doi":"10.1000/a b<c"'
        ).replace('"name":"pain_13.nidm"', '"name":"Jones","pmid":"123"'),
        encoding="utf-8",
    )
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toString())
    )
    widget = shown(viewer, open_results(folder))
    widget.details.setCurrentIndex(STUDIES)
    click_row(widget, 0)
    panel = widget.details.studies
    assert not panel.paper.isEnabled()
    for row in range(3):
        panel.view.setCurrentIndex(panel.view.rows.index(row, 0))
        if panel.paper.isEnabled():
            panel.paper.click()
    # NiMARE's table of shares calls them as before: their rows are apart.
    assert set(opened) <= {
        "https://doi.org/10.1000/a",
        "https://pubmed.ncbi.nlm.nih.gov/123/",
    }
    names = texts(panel.view, 0)
    panel.view.setCurrentIndex(panel.view.rows.index(names.index("Smith"), 0))
    panel.paper.click()
    assert opened[-1] == "https://doi.org/10.1000/a"
    widget.close()


def test_without_any_studies_the_reason_is_told(
    plugin: Any, viewer: Any, tmp_path: Path
) -> None:
    shutil.copy(Path(sample_folder()) / f"{MASS}.nii.gz", tmp_path)
    widget = shown(viewer, open_results(tmp_path))
    widget.details.setCurrentIndex(STUDIES)
    click_row(widget, 0)
    panel = widget.details.studies
    assert "no table of NiMARE's FocusCounter" in panel.sentence.text()
    assert not panel.save.isEnabled()
    widget.details.setCurrentIndex(HEAT)
    assert widget.details.heat.cells.rowCount() == 0
    # An empty grid tells nobody why.
    assert widget.details.nothing.text() == panel.sentence.text()
    assert widget.details.heat.isHidden()
    widget.close()


def test_of_a_table_of_another_contrast_it_is_told_whose_it_is(
    plugin: Any, viewer: Any, tmp_path: Path
) -> None:
    for path in Path(sample_folder()).glob("*.*"):
        name = path.name
        if name.startswith(("label_", f"{MASS}_diag")):
            name = name.replace("desc-mass", "desc-otherMass")
        if name != path.name or name.startswith(("z.", "p.", f"{MASS}.")):
            shutil.copy(path, tmp_path / name)
    widget = shown(viewer, open_results(tmp_path))
    widget.details.setCurrentIndex(STUDIES)
    click_row(widget, 0)
    panel = widget.details.studies
    assert panel.sentence.text() == (
        "Insula R: not known; NiMARE counted for z, other, cluster-level FWE (mass, "
        "Monte Carlo)."
    )
    assert panel.cautions.text() == ""
    assert panel.view.rows.rowCount() == 0
    assert not panel.save.isEnabled()
    widget.close()


def test_foci_that_are_shown_serve_a_result_without_studies(
    plugin: Any, viewer: Any, sample: ResultSet, tmp_path: Path
) -> None:
    shutil.copy(Path(sample_folder()) / f"{MASS}.nii.gz", tmp_path)
    widget = shown(viewer, open_results(tmp_path))
    widget.details.setCurrentIndex(STUDIES)
    # Without its uncorrected map the order of the clusters is another one.
    click_row(widget, widget.clusters.names.index("Insula R"))
    layer = show_foci(viewer, sample.studies)
    assert "14 of 21 experiments, 26 foci" in widget.details.studies.sentence.text()
    viewer.layers.remove(layer)
    assert "no table of NiMARE's" in widget.details.studies.sentence.text()
    widget.close()


def test_studies_of_a_server_come_when_they_are_asked_for(
    plugin: Any, viewer: Any, web: LocalServers
) -> None:
    collection = web.add_collection("Pain")
    file = Path(sample_folder()) / f"{MASS}.nii.gz"
    collection.add_image(file.name, file.read_bytes())
    meta_id = web.add_meta_analysis(collection)
    results = open_results(f"{web.compose}/meta-analyses/{meta_id}")
    results.fetch(results.maps.values())
    results.on_demand = False
    widget = shown(viewer, results)
    widget.details.setCurrentIndex(STUDIES)
    panel = widget.details.studies
    click_row(widget, 0)
    assert not panel.ask.isHidden()
    assert not results.studies_at_hand
    panel.ask.click()
    wait_until(lambda: not panel.background_job.busy)
    assert panel.ask.isHidden()
    assert results.studies_at_hand
    assert "experiment" in panel.sentence.text()
    widget.close()


def test_rows_that_are_not_known_stay_last(qapp: Any) -> None:
    parent = QWidget()
    columns = (
        Column("A", style="d", value=itemgetter("a")),
        Column("B", value=itemgetter("b")),
    )
    view = TableView(RowModel(columns, parent), parent, sortable=True)
    table = pd.DataFrame({"a": pd.array([2, None, 1], dtype="Int64"), "b": list("xyz")})
    view.rows.show(records(table))
    for order, expected in (
        (Qt.SortOrder.AscendingOrder, ["z", "x", "y"]),
        (Qt.SortOrder.DescendingOrder, ["x", "z", "y"]),
    ):
        view.sortByColumn(0, order)
        assert texts(view, 1) == expected
    assert texts(view, 0) == ["2", "1", ""]
    parent.close()


# --- the atlas ------------------------------------------------------------------------


def choose(widget: ClusterWidget, text: str) -> None:
    """Choose from the list of atlases as a user does."""
    box = widget.details.atlas
    box.refresh()
    row = next(n for n in range(box.count()) if box.itemText(n).startswith(text))
    box.setCurrentIndex(row)
    box.activated.emit(row)


@pytest.mark.slow
def test_another_atlas_names_the_clusters_at_once(
    widget: ClusterWidget, viewer: Any
) -> None:
    click_row(widget, 0)
    assert widget.details.atlas.currentText() == "Desikan-Killiany with cerebellum"
    halves = np.ones((91, 109, 91), np.uint8)
    halves[:, :, 45:] = 2
    layer = viewer.add_labels(
        halves,
        scale=(2, 2, 2),
        translate=(-72, -126, -90),
        features={"name": ["", "left half", "right half"]},
        name="halves",
    )
    choose(widget, "layer halves")
    names = [text.rstrip(" 0123456789") for text in texts(widget.view, 1)]
    assert names[:5] == ["Half R", "Half R", "Half L", "Half R", "Half L"]
    assert texts(widget.details.regions, 0) == ["half R"]
    found = viewer.layers[-2]
    assert found.features["cluster"][1] == "Half R"
    viewer.layers.remove(layer)
    choose(widget, "none")
    assert texts(widget.view, 1)[0] == "cluster 1"
    assert texts(widget.details.regions, 0) == []
    choose(widget, "Desikan")
    assert texts(widget.view, 1)[0] == "Insula R"
    # What was chosen last counts for the next threshold too.
    assert widget.details.atlas.currentText().startswith("Desikan")


def test_an_atlas_that_cannot_be_had_leaves_the_names(
    widget: ClusterWidget, viewer: Any, notifications: list[Any]
) -> None:
    # No network: nothing is fetched, and the reason is told.
    choose(widget, "Schaefer")
    assert "offline" in notifications[-1].message.lower()
    assert texts(widget.view, 1)[0] == "Insula R"
    assert widget.details.atlas.currentText() == "Desikan-Killiany with cerebellum"
    layer = viewer.add_labels(np.ones((4, 4, 4), np.uint8), name="nameless")
    choose(widget, "layer nameless")
    assert "names no regions" in notifications[-1].message
    viewer.layers.remove(layer)


def test_the_effect_of_an_image_based_map(
    widget: ClusterWidget, viewer: Any, opened: Callable[..., ResultSet]
) -> None:
    details = widget.details
    tab = details.indexOf(details.effect)
    assert not details.isTabVisible(tab), "an ALE estimates no effect"
    est = np.full((8, 9, 8), 0.1)
    est[3, 3, 3] = 0.8
    se = np.full(est.shape, 0.2)
    p = 2 * stats.norm.sf(est / se)
    maps = {"z": est / se, "p": p, "est": est, "se": se}
    results = opened(maps)
    add_maps(viewer, [results["z"]])
    show_clusters(
        viewer,
        viewer.layers[results["z"].short_title],
        find_clusters(results["z"], p=0.01),
    )
    wait_until(lambda: widget.clusters.statmap is results["z"])
    assert details.isTabVisible(tab)
    details.setCurrentIndex(tab)
    assert "Choose a cluster" in details.effect.sentence.text()
    click_row(widget, 0)
    told = details.effect.sentence.text().splitlines()
    assert told[1:] == [
        "Peak: 0.8 (95 % CI 0.408 to 1.19)",
        "Cluster: 0.8 (95 % CI 0.408 to 1.19)",
    ]
    assert "no map of the variance between studies" in details.effect.notices.text()
    picture = details.effect.plot.grab().toImage()
    assert not picture.isNull()


# --- shares, and clusters without one experiment --------------------------------------


def test_the_heat_map_shows_shares_as_well(widget: ClusterWidget) -> None:
    details = widget.details
    details.setCurrentIndex(HEAT)
    assert not details.measure.isHidden()
    details.measure.setCurrentIndex(1)
    behind, cells = details.contributors, details.heat.cells
    assert behind is not None
    for row, column in ((0, 0), (3, 5), (7, 2)):
        index = cells.index(row, column)
        share = behind.shares.loc[details.heat.experiment(index), column + 1]
        written = f"{100 * share:.0f}" if share >= 0.005 else ""
        assert (index.data() or "") == written
    details.measure.setCurrentIndex(0)
    assert cells.index(0, 0).data() == str(behind.ranked.iloc[0, 0])


def test_shares_at_the_peak_say_what_was_modeled(widget: ClusterWidget) -> None:
    widget.details.setCurrentIndex(STUDIES)
    click_row(widget, 0)
    view = widget.details.studies.view
    assert texts(view, 5)[:2] == ["3.9%", "17.4%"]
    tooltip = view.model().index(0, 5).data(TOOLTIP)
    assert tooltip == "Modeled activation at the peak: 0.00138"
    # The two largest together are told where the mouse rests.
    told = widget.details.studies.sentence.toolTip()
    assert "Largest shares: pain_19.nidm 13 %, together with pain_13.nidm 25 %." in told


@pytest.mark.slow
def test_one_experiment_is_left_out_on_another_thread(widget: ClusterWidget) -> None:
    details, panel = widget.details, widget.details.studies
    details.setCurrentIndex(STUDIES)
    click_row(widget, 0)
    titles = [widget.model.title(n) for n in range(widget.model.columnCount())]
    column = titles.index("Stands")
    assert widget.view.isColumnHidden(column)
    assert panel.leave_out.isEnabled()
    panel.leave_out.click()
    assert panel.background_job.busy
    assert not panel.leave_out.isEnabled()
    wait_until(lambda: not panel.background_job.busy)
    assert not widget.view.isColumnHidden(column)
    assert texts(widget.view, column) == ["21/21"] * 6
    assert "Stands in 21 of 21 at p <= .001, uncorrected" in panel.sentence.text()
    assert "the correction is not made anew" in panel.notices.text()
    assert not panel.leave_out.isEnabled()
    # Another name changes nothing of it.
    widget.model.renamed.emit(1, "mine")
    assert texts(widget.view, column) == ["21/21"] * 6
    assert "Stands in 21 of 21" in panel.sentence.text()


@pytest.mark.slow
def test_of_other_clusters_nothing_is_known_again(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    details, panel = widget.details, widget.details.studies
    details.setCurrentIndex(STUDIES)
    click_row(widget, 0)
    panel.leave_out.click()
    layer = viewer.layers[sample[MASS].short_title]
    # The threshold moves while experiments are left out.
    show_clusters(viewer, layer, find_clusters(sample[MASS], p=0.01))
    wait_until(lambda: not panel.background_job.busy)
    assert widget.clusters is not None
    assert not widget.clusters.survival
    assert "Stands in" not in panel.sentence.text()
    assert panel.leave_out.isEnabled()
    panel.leave_out.click()
    panel.background_job.cancel()
    wait_until(lambda: not panel.background_job.busy)
    assert not widget.clusters.survival
    assert panel.cautions.isHidden()


@pytest.mark.slow
def test_many_foci_are_worked_out_on_another_thread(
    plugin: Any, viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_neurosynth_results.widgets.clusters.details._MOST_FOCI_AT_ONCE", 100
    )
    widget = shown(viewer, open_results(sample_folder()))
    details, panel = widget.details, widget.details.studies
    details.setCurrentIndex(STUDIES)
    click_row(widget, 0)
    # NiMARE's own shares, until those of the foci have come.
    assert panel.leave_out.isHidden()
    wait_until(lambda: not panel.background_job.busy)
    assert not panel.leave_out.isHidden()
    assert texts(panel.view, 5)[0] == "3.9%"
    widget.close()
