"""The compare widget: which maps, how they are seen, and what is counted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget

from local_servers import LocalServers
from local_servers.faults import Fault
from napari_neurosynth_results import compare_maps, find_clusters, open_results
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.statistics.comparison.comparison import compare
from napari_neurosynth_results.viewer.brain_views.brain import show_brain
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    show_clusters,
)
from napari_neurosynth_results.viewer.compare.comparison_layers import (
    AGREEMENT_KEY,
    show_map,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps, bring_first_maps
from napari_neurosynth_results.viewer.scene import canvas_cover
from napari_neurosynth_results.viewer.settings import read_settings
from napari_neurosynth_results.viewer.shown_maps import show_alone
from napari_neurosynth_results.widgets.common.color_grid import GridModel
from napari_neurosynth_results.widgets.compare.numbers import (
    ComparisonNumbers,
    ScatterPlot,
    matrix_grid,
)
from napari_neurosynth_results.widgets.compare.widget import CompareWidget
from napari_neurosynth_results.widgets.maps.opener import recent_sources
from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget

LABELS = {"label_desc-mass_level-cluster_corr-FWE_method-montecarlo_tail-positive"}
STEMS = ("z", "logp", "stat", "z_desc-mass_level-cluster_corr-FWE_method-montecarlo")


@pytest.fixture
def layers(viewer: Any, sample: ResultSet) -> dict[str, Any]:
    """Return the layers of some maps of the sample, by file stem."""
    add_maps(viewer, [sample[stem] for stem in STEMS])
    found = {map_of(layer): layer for layer in viewer.layers}
    return {statmap.key: layer for statmap, layer in found.items() if statmap}


@pytest.fixture
def widget(plugin: Any, viewer: Any, layers: dict[str, Any]) -> Iterator[CompareWidget]:
    """Return the widget on these maps."""
    made = CompareWidget(viewer)
    yield made
    made.close()


def wait_until(happened: Callable[[], bool]) -> None:
    """Let Qt work until something has happened."""
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        QApplication.processEvents()
        time.sleep(0.005)


def maps_of(layers: dict[str, Any], *keys: str) -> list[Any]:
    return [map_of(layers[key]) for key in keys]


def texts(view: Any, column: int) -> list[str]:
    model = view.model()
    return [model.index(row, column).data() for row in range(model.rowCount())]


def measures(widget: CompareWidget) -> dict[str, str]:
    table = widget.numbers.table
    return dict(zip(texts(table, 0), texts(table, 1), strict=True))


def test_two_maps_have_to_be_chosen(
    widget: CompareWidget, viewer: Any, sample: ResultSet
) -> None:
    assert "Check two maps" in widget.sentence.value
    # All that can be compared, whether or not it has a layer.
    assert {statmap.key for statmap in widget.maps.listed} == set(sample.maps) - LABELS
    assert len(viewer.layers) == 4
    assert widget.maps.checked == []
    assert not widget.agreement.enabled
    assert not widget.conjunction.enabled
    assert measures(widget) == {}


@pytest.mark.slow
def test_the_numbers_are_those_of_the_headless_comparison(
    widget: CompareWidget, layers: dict[str, Any], sample: ResultSet
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp"))
    a, b = widget.maps.checked
    found = [clusters_of(cluster_layer(widget._viewer, one)) for one in (a, b)]
    expected = compare_maps(a, b, threshold_a=found[0], threshold_b=found[1])
    # Both are maps of one test, and it says so.
    assert expected.shared_studies.startswith("Both maps come from one test")
    # As the layers are called, not by their titles.
    told = f"{expected}\n{expected.shared_studies}"
    for one in (a, b):
        told = told.replace(one.title, one.short_title)
    assert widget.sentence.value == told
    told = measures(widget)
    assert told["Dice"] == f"{expected.dice:.3f}"
    assert told["In both"].startswith(f"{expected.n_both:,} voxels")
    assert told["Pearson's r in the common mask"] == f"{expected.r:.3f}"
    assert widget.agreement.enabled


@pytest.mark.slow
def test_numbers_follow_the_threshold(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any]
) -> None:
    form = ThresholdWidget(viewer)
    widget.maps.check(maps_of(layers, "z", "logp"))
    before = measures(widget)["Dice"]
    form.map.value = layers["z"]
    form.form.slider.value = 0.9
    wait_until(lambda: measures(widget)["Dice"] != before)
    n_z = int(form.clusters.labelled.size.sum())
    assert n_z in (widget.comparison.n_a, widget.comparison.n_b)
    form.close()


@pytest.mark.slow
def test_all_may_have_the_threshold_of_the_first(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any]
) -> None:
    show_clusters(viewer, layers["z"], find_clusters(map_of(layers["z"]), p=1e-4))
    order = [map_of(layers[key]) for key in ("z", "logp", "stat")]
    widget.maps.list_maps([])
    widget.maps.list_maps(order)
    widget.maps.check(order)
    widget.thresholds.value = "that of the first map for all"
    asked = {
        key: clusters_of(cluster_layer(viewer, map_of(layers[key]))).asked
        for key in ("z", "logp", "stat")
    }
    assert asked["logp"] == asked["z"]
    assert asked["z"].p == 1e-4
    # A p means something for stat too: its siblings state it.
    assert asked["stat"].p == 1e-4
    assert widget.matrix is not None


def test_a_threshold_that_means_nothing_is_told(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any]
) -> None:
    z = layers["z"]
    show_clusters(viewer, z, find_clusters(map_of(z), value=4, min_voxels=10))
    mass = layers[STEMS[-1]]
    widget.maps.list_maps([])
    widget.maps.list_maps([map_of(z), map_of(mass)])
    widget.maps.check([map_of(z), map_of(mass)])
    widget.thresholds.value = "that of the first map for all"
    assert "keeps its own threshold" in widget.sentence.value
    assert clusters_of(cluster_layer(viewer, map_of(mass))).asked.p == 0.05


@pytest.mark.slow
@pytest.mark.parametrize("view", ["overlay", "outlines", "blink", "swipe"])
def test_ways_to_see_them_show_what_steers_them(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any], view: str
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp"))
    canvas_cover(viewer).text = "Ortho"
    widget.mode.value = view
    assert bool(canvas_cover(viewer).text) == (view not in ("side by side", "swipe"))
    assert widget._together.mode == view
    assert widget.line.native.isHidden() == (view != "swipe")
    assert widget.next.native.isHidden() == (view != "blink")
    widget.mode.value = "as they are"
    assert widget._together.mode is None


def test_blinking_by_itself_and_by_key(
    widget: CompareWidget, layers: dict[str, Any]
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp"))
    widget.mode.value = "blink"
    first = [layer.visible for layer in widget.maps.layers]
    widget.next.native.click()
    assert [layer.visible for layer in widget.maps.layers] == first[::-1]
    widget._blinks.setInterval(10)
    widget.by_itself.value = True
    wait_until(lambda: [one.visible for one in widget.maps.layers] == first)
    widget.by_itself.value = False
    assert not widget._blinks.isActive()


@pytest.mark.slow
def test_agreement_is_a_layer_that_says_what_it_means(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any]
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp"))
    widget.agreement.native.click()
    [layer] = [one for one in viewer.layers if AGREEMENT_KEY in one.metadata]
    known = widget.comparison
    assert np.array_equal(layer.data.T, known.agreement)
    assert layer.features["agreement"].tolist() == [
        "",
        f"only {known.name_a}",
        f"only {known.name_b}",
        "both",
        "both, with opposite signs",
    ]
    assert not layer.editable
    assert np.allclose(layer.translate, map_of(layers["z"]).grid.origin[::-1])
    # That of other maps lies over it, and the next one of these takes its place.
    widget.maps.check(maps_of(layers, "z", "stat"))
    for _ in range(2):
        widget.agreement.native.click()
        found = [one for one in viewer.layers if AGREEMENT_KEY in one.metadata]
        assert (len(found), found[0]) == (2, layer)
        assert [one.visible for one in found] == [False, True]


def test_a_conjunction_can_be_thresholded_like_any_map(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any]
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp"))
    assert widget.conjunction.enabled
    widget.conjunction.native.click()
    [layer] = [one for one in viewer.layers if "conjunction" in one.name]
    statmap = map_of(layer)
    clusters = find_clusters(statmap, p=0.001)
    both = widget.comparison.n_both
    assert int(clusters.labelled.size.sum()) == both
    assert statmap in widget.maps.listed
    # Of a corrected map there is none, and the reason is told.
    widget.maps.check(maps_of(layers, "z", STEMS[-1]))
    assert not widget.conjunction.enabled
    assert widget.conjunction.tooltip == widget.comparison.no_conjunction
    assert len(widget.conjunction.tooltip) > 20


def test_a_map_that_was_made_gives_way_to_the_same_alone(
    viewer: Any, sample: ResultSet
) -> None:
    z, logp, p = (find_clusters(sample[key], p=0.001) for key in ("z", "logp", "p"))
    made = [compare(z, other).conjunction for other in (logp, p, logp)]
    layers = [show_map(viewer, one) for one in made if one is not None]
    assert [map_of(one) for one in viewer.layers] == made[1:]
    assert layers[0] not in viewer.layers


def test_values_of_both_maps_against_each_other(
    widget: CompareWidget, layers: dict[str, Any], sample: ResultSet
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp"))
    widget.numbers.setCurrentIndex(1)
    counts = widget.numbers.scatter.counts
    assert counts.sum() == sample["z"].mask.sum()
    picture = widget.numbers.scatter.grab().toImage()
    assert not picture.isNull()


@pytest.mark.slow
def test_more_than_two_have_a_matrix(
    widget: CompareWidget, layers: dict[str, Any]
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp"))
    assert not widget.numbers.isTabVisible(3)
    widget.maps.check(maps_of(layers, "z", "logp", "stat"))
    assert widget.numbers.isTabVisible(3)
    widget.numbers.setCurrentIndex(3)
    for row, name in enumerate(("dice", "jaccard", "r", "rho")):
        widget.numbers.measure.setCurrentIndex(row)
        table = getattr(widget.matrix, name)
        model = widget.numbers.matrix.model()
        for i in range(3):
            for j in range(3):
                value = table.iloc[i, j]
                shown = model.index(i, j).data()
                assert shown == (None if np.isnan(value) else f"{value:.2f}")
    assert "all are in the matrix" in widget.sentence.value


@pytest.mark.slow
def test_it_is_saved_into_a_new_folder(
    widget: CompareWidget,
    layers: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Any],
) -> None:
    folder = tmp_path / "out"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *args: (str(folder), args[-1])
    )
    widget.maps.check(maps_of(layers, "z", "logp"))
    widget.save.native.click()
    table = pd.read_csv(folder / "comparison.tsv", sep="\t", comment="#")
    dice = table[(table.measure == "dice") & table.over.str.startswith("all")].value
    assert dice.iloc[0] == pytest.approx(widget.comparison.dice)
    widget.save.native.click()
    assert notifications[-1].severity.value == "error"
    assert "exists" in notifications[-1].message


@pytest.mark.slow
def test_another_result_is_opened_beside(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    shutil.copytree(sample_folder(), folder)
    widget.others.open(str(folder))
    wait_until(lambda: not widget.others.background_job.busy)
    titles = [widget.maps.item(row).text() for row in range(widget.maps.count())]
    n = widget.maps.count() // 2
    assert sum(title.startswith("other: ") for title in titles) == n
    assert sum(title.startswith("pain-ale: ") for title in titles) == n
    # It is among the sources opened last, as what the head of the panel opens.
    assert recent_sources(read_settings().online)[0].source == str(folder)
    # One map of it is shown; another one gets a hidden layer once it is compared.
    other = next(m for m in widget.maps.listed if m.results.title == "other")
    mine = map_of(layers["z"])
    z = other.results["z"]
    shown = [map_of(one) for one in viewer.layers if map_of(one) and one.visible]
    assert [one.results.title for one in shown] == ["other"]
    widget.maps.check([mine, z])
    assert widget.comparison.dice == 1
    # What is said of maps calls them as the list does, each with its result.
    widget.maps.check([mine, z, map_of(layers["logp"])])
    items = [widget.maps.item(row) for row in range(widget.maps.count())]
    checked = [one.text() for one in items if one.checkState() == Qt.CheckState.Checked]
    assert set(widget.matrix.dice.index) == set(checked)
    assert all(name in widget.sentence.value for name in widget.matrix.dice.index[:2])
    made = next(one for one in viewer.layers if map_of(one) is z)
    assert not made.visible


def test_a_source_that_cannot_be_opened_is_told(
    widget: CompareWidget, notifications: list[Any]
) -> None:
    widget.others.source.setText("/nowhere/at/all")
    widget.others.source.returnPressed.emit()
    wait_until(lambda: not widget.others.background_job.busy)
    assert notifications[-1].severity.value == "warning"
    assert "/nowhere/at/all" in notifications[-1].message
    assert widget.others.source.text() == "/nowhere/at/all"


@pytest.mark.slow
def test_the_same_test_of_the_other_result_is_offered_first(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any], tmp_path: Path
) -> None:
    mine = map_of(layers["logp"])
    show_alone(viewer, mine)
    assert mine.short_title in widget.partners.accessibleName()
    folder = tmp_path / "other"
    shutil.copytree(sample_folder(), folder)
    widget.others.open(str(folder))
    wait_until(lambda: not widget.others.background_job.busy)
    # It is compared at once: who opens another result here wants to.
    first, partner = widget.maps.checked
    assert first is mine
    assert (partner.results.title, partner.key) == ("other", "logp")
    assert widget.comparison.dice == 1
    widget.partners.list_partners()
    actions = widget.partners.menu().actions()
    assert actions[0].text().startswith("other: ")
    assert actions[0].text().endswith(partner.short_title)
    actions[1].trigger()
    assert widget.maps.checked[0] is mine
    assert widget.maps.checked[1] is not partner
    assert widget.maps.listed[:2] == widget.maps.checked
    # The same folder again is not opened again.
    n = len(viewer.layers)
    widget.others.open(str(folder))
    wait_until(lambda: not widget.others.background_job.busy)
    assert len(viewer.layers) == n
    assert widget.maps.checked == [mine, partner]


@pytest.mark.slow
@pytest.mark.parametrize("view", ["overlay", "side by side", "blink", "swipe"])
def test_choosing_another_map_ends_the_joint_view(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any], view: str
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp"))
    widget.mode.value = view
    another = map_of(layers[STEMS[-1]])
    show_alone(viewer, another)
    wait_until(lambda: widget.mode.value == "as they are")
    shown = [map_of(one) for one in viewer.layers if map_of(one) and one.visible]
    assert shown == [another]
    assert not any(one.name.startswith("swipe") for one in viewer.layers)


@pytest.mark.slow
@pytest.mark.parametrize("view", ["overlay", "outlines", "side by side", "swipe"])
def test_everything_that_is_selected_may_be_deleted(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any], view: str
) -> None:
    """Maps, their clusters, and what was added for the view, in one go."""
    widget.maps.check(maps_of(layers, "z", "logp"))
    widget.mode.value = view
    viewer.layers.selection = set(viewer.layers)
    viewer.layers.remove_selected()
    QApplication.processEvents()
    assert len(viewer.layers) == 0
    assert widget.maps.count() == 0
    assert "Check two maps" in widget.sentence.value


@pytest.mark.slow
@pytest.mark.parametrize("view", ["overlay", "side by side", "swipe"])
def test_clusters_that_are_deleted_are_found_again(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any], view: str
) -> None:
    pair = maps_of(layers, "z", "logp")
    widget.maps.check(pair)
    widget.mode.value = view
    viewer.layers.remove(cluster_layer(viewer, pair[0]))
    widget.mode.value = "blink"
    widget.next.native.click()
    widget.mode.value = "as they are"
    widget.maps.check(pair)
    assert cluster_layer(viewer, pair[0]) is not None
    assert widget.comparison.dice == 1


def test_both_thresholds_stand_above_the_numbers(
    widget: CompareWidget, layers: dict[str, Any]
) -> None:
    widget.maps.check(maps_of(layers, "z", STEMS[-1]))
    text = widget.numbers.legend.text()
    assert text.index("First:") < text.index("Second:") < text.index("only ")
    assert "p &lt;= .001" in text
    assert "p_FWE &lt;= .05, cluster-level" in text
    assert "extent" not in widget.sentence.value
    assert "p_FWE <= .05, cluster-level, and " in widget.sentence.value


@pytest.mark.slow
def test_layers_come_and_go_while_it_is_open(
    widget: CompareWidget, viewer: Any, layers: dict[str, Any]
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp", "stat"))
    for view in ("overlay", "side by side", "swipe", "outlines", "blink"):
        widget.mode.value = view
    viewer.layers.remove(layers["logp"])
    QApplication.processEvents()
    assert map_of(layers["logp"]) not in widget.maps.checked
    assert widget.matrix is None
    assert widget.comparison is not None
    viewer.layers.remove(layers["stat"])
    QApplication.processEvents()
    assert "Check two maps" in widget.sentence.value
    viewer.layers.clear()
    QApplication.processEvents()
    assert widget.maps.count() == 0


def test_pairs_are_counted_where_they_are(qapp: Any) -> None:
    parent = QWidget()
    scatter = ScatterPlot(parent)
    scatter.resize(300, 300)
    x, y = np.array([0.0, 0, 1, 2]), np.array([0.0, 0, 5, -5])
    scatter.show_pairs(x, y, ("x", "y"), ([1.5], []))
    assert scatter.counts.sum() == 4
    assert scatter.counts.max() == 2
    scatter.show_pairs(x[:0], y[:0], ("x", "y"), ([], []))
    assert scatter.counts is None
    assert not scatter.grab().toImage().isNull()
    constant = np.zeros(3)
    scatter.show_pairs(constant, constant, ("x", "y"), ([], []))
    assert scatter.counts.sum() == 3
    assert not scatter.grab().toImage().isNull()
    parent.close()


def test_a_matrix_shows_unknown_pairs_as_empty(qapp: Any) -> None:
    model, names = GridModel(), ["a", "b"]
    table = pd.DataFrame([[1, np.nan], [np.nan, -1]], names, names)
    model.show(matrix_grid(table))
    assert model.index(0, 0).data() == "1.00"
    assert model.index(0, 1).data() is None
    # Who walks through it by keys sees where.
    parent = QWidget()
    numbers = ComparisonNumbers(parent)
    numbers.matrix.cells.show(matrix_grid(table))
    numbers.matrix.setCurrentIndex(numbers.matrix.cells.index(1, 0))
    assert [one.row() for one in numbers.matrix.selectedIndexes()] == [1]
    parent.close()


def test_compared_maps_are_ordered_by_keys(
    widget: CompareWidget, layers: dict[str, Any]
) -> None:
    first, second = maps_of(layers, "z", "logp")
    widget.maps.check_in_order([first, second])
    assert widget.comparison.a.statmap is first
    widget.maps.setCurrentRow(0)
    alt = Qt.KeyboardModifier.AltModifier
    QTest.keyClick(widget.maps, Qt.Key.Key_Down, alt)
    assert widget.maps.checked == [second, first]
    assert widget.maps.currentRow() == 1
    assert widget.comparison.a.statmap is second
    for _ in range(2):
        QTest.keyClick(widget.maps, Qt.Key.Key_Up, alt)
        assert widget.maps.checked == [first, second]
    assert widget.maps.listed[:2] == [first, second]


def test_modes_say_what_3d_cannot_show_and_notify_of_nothing(
    widget: CompareWidget,
    viewer: Any,
    layers: dict[str, Any],
    notifications: list[Any],
) -> None:
    widget.maps.check(maps_of(layers, "z", "logp"))
    viewer.dims.ndisplay = 3
    for mode in widget.mode.choices:
        widget.mode.value = mode
        told = widget.in_3d.value.startswith("In 3D")
        assert told == (mode != "side by side")
    # Where one chooses, it is said what cannot be chosen; surfaces do not blink.
    widget.mode.value = "as they are"
    assert "outlines and blink cannot be seen" in widget.in_3d.value
    show_brain(viewer)
    widget.mode.value = "blink"
    assert "blink in planes" in widget.in_3d.value
    viewer.dims.ndisplay = 2
    assert widget.in_3d.value == ""
    viewer.dims.ndisplay = 3
    assert widget.in_3d.value != ""
    # A notification would lie over the names of maps.
    assert notifications == []


def test_a_partner_on_the_server_is_fetched_and_compared(
    plugin: Any,
    viewer: Any,
    web: LocalServers,
    rng: np.random.Generator,
    notifications: list[Any],
) -> None:
    collection = web.add_collection("Pain")
    for stem in ("a_z", "b_z"):
        collection.add_image(f"{stem}.nii.gz", rng.uniform(2, 8, (8, 9, 8)))
    results = open_results(f"{web.neurovault}/collections/{collection.id}/")
    bring_first_maps(results, Job(), 1)
    base, partner = results.maps.values()
    show_alone(viewer, base)
    assert not partner.at_hand
    widget = CompareWidget(viewer)
    job = widget.others.background_job
    widget.show()
    web.fail(r"/media/.*b_z", Fault.drip(400))

    def choose() -> None:
        widget.partners.list_partners()
        widget.partners.menu().actions()[0].trigger()

    choose()
    assert not job.isHidden()
    assert job.busy
    wait_until(lambda: job.bar.value() > 0)
    job.cancel_button.click()
    wait_until(lambda: not job.busy)
    assert job.isHidden()
    assert (widget.maps.checked, widget.comparison) == ([], None)
    assert notifications == []
    # It can be wanted again, and what cannot be had is told.
    web.fail(r"/media/.*b_z", Fault.status(404))
    choose()
    wait_until(lambda: not job.busy)
    assert "b_z" in notifications[-1].message
    assert widget.maps.checked == []
    web.faults.clear()
    choose()
    wait_until(lambda: not job.busy)
    assert partner.at_hand
    assert widget.maps.checked == [base, partner]
    assert {widget.comparison.a.statmap, widget.comparison.b.statmap} == {base, partner}
    widget.close()
