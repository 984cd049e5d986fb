"""One panel: small, in sight, at its tab, and no second one."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QScrollArea,
)
from scipy.stats import norm

from helpers.clicks import dock_of, press_title
from helpers.threshold_form import settle
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import scene, shown_maps
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    goes_with_others,
)
from napari_neurosynth_results.viewer.layers import UNDERLAY_KEY, map_of
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.ortho.widget import hide_ortho, show_ortho
from napari_neurosynth_results.widgets.workbench import (
    TABS,
    Workbench,
    open_workbench,
    workbench_of,
)

pytestmark = pytest.mark.viewer
SHAPE = (8, 9, 8)
LAPTOP = (1366, 740)
#: As much as a screen of 1920 x 1080 has where everything is twice as large.
AT_SCALE_2 = (960, 540)


def let_go(milliseconds: int = 0) -> None:
    """Let the window do what waits, for at least some time."""
    QTest.qWait(milliseconds)
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QApplication.processEvents()


def seen(viewer: Any) -> list[str]:
    return [one.name for one in own(viewer) if one.visible]


def own(viewer: Any) -> list[Any]:
    """Return the layers but those that only go with others, as outlines do."""
    return [one for one in viewer.layers if not goes_with_others(one.metadata)]


def test_the_sample_opens_as_underlay_map_clusters_and_a_filled_panel(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(*LAPTOP)
    let_go(50)
    window = QApplication.activeWindow() or viewer.window._qt_window
    before = window.size()
    viewer.open_sample(PLUGIN, "pain-ale")
    underlay, layer, clusters = own(viewer)
    assert UNDERLAY_KEY in underlay.metadata
    assert clusters_of(clusters).statmap is map_of(layer)
    panel = workbench_of(viewer)
    assert panel is not None
    found = clusters_of(clusters)
    assert panel.header.sentence.text() == str(found)
    table = panel.panel("Clusters").table
    assert table.model.rowCount() + table.model.n_others == len(found)
    assert panel.header.results.currentText() == "pain-ale"
    assert panel.header.map.currentText() == layer.name
    let_go(100)
    assert window.size() == before


def test_the_window_keeps_its_size_whatever_is_opened_closed_and_chosen(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(*LAPTOP)
    viewer.open_sample(PLUGIN, "pain-ale")
    let_go(50)
    panel = workbench_of(viewer)
    window = panel.window()
    size = window.size()
    assert panel.minimumSizeHint().height() <= 300
    assert dock_of(panel).minimumSizeHint().height() <= 330
    assert abs(dock_of(panel).width() - 420) <= 20
    place = panel.tabs.tabBar().mapTo(panel, panel.tabs.tabBar().pos())
    for name in (*TABS, "Clusters"):
        panel.show_tab(name)
        let_go(50)
        assert window.size() == size, name
        tabs = panel.tabs.tabBar()
        assert tabs.mapTo(panel, tabs.pos()) == place, name
    threshold = panel.panel("Clusters").threshold.form
    for _ in range(2):
        threshold.more.native.click()
        let_go(20)
        assert window.size() == size
    dock_of(panel).hide()
    dock_of(panel).show()
    let_go(20)
    assert window.size() == size
    width = dock_of(panel).width()
    for where in ("center", "bottom"):
        show_ortho(viewer, where)
        let_go(50)
        assert window.size() == size, where
        assert dock_of(panel).width() == width, where
    hide_ortho(viewer)
    let_go(50)
    assert (window.size(), dock_of(panel).width()) == (size, width)
    window.resize(*AT_SCALE_2)
    let_go(50)
    for name in TABS:
        panel.show_tab(name)
        let_go(50)
        assert panel.tabs.currentWidget().horizontalScrollBar().maximum() == 0, name


def test_what_is_shown_survives_closing_and_the_panel_stays_closed(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(viewer)
    threshold = panel.panel("Clusters").threshold
    panel.header.map.setCurrentIndex(panel.header.map.findText("uncorrected · z"))
    panel.header.map.activated.emit(panel.header.map.currentIndex())
    threshold.form.voxels.value = 10
    let_go(800)
    before = panel.header.sentence.text()
    assert "extent >= 10" in before
    press_title(panel, "QTitleBarCloseButton")
    let_go(20)
    del panel, threshold
    let_go(20)
    assert workbench_of(viewer) is None
    # Another result does not bring it back, but a user does.
    viewer.open(write({"z": rng.random(SHAPE) * 6}), plugin=PLUGIN)
    assert workbench_of(viewer) is None
    # Of two results, each layer says of which it is.
    viewer.layers.selection.active = viewer.layers["pain-ale: uncorrected · z"]
    panel = open_workbench(viewer, "Clusters")
    assert panel.header.sentence.text() == f"This map is hidden. {before}"
    assert panel.panel("Clusters").threshold.form.voxels.value == 10


def test_a_hidden_panel_stays_hidden_and_is_the_one_that_comes_back(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(viewer)
    press_title(panel, "QTitleBarHideButton")
    let_go(20)
    assert dock_of(panel).isHidden()
    viewer.open(write({"z": rng.random(SHAPE) * 6}), plugin=PLUGIN)
    assert dock_of(panel).isHidden()
    assert open_workbench(viewer, "Maps") is panel
    assert not dock_of(panel).isHidden()


def test_the_preference_keeps_it_closed(
    preferences: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    preferences.view.panel = False
    viewer = make_napari_viewer()
    viewer.open_sample(PLUGIN, "pain-ale")
    assert workbench_of(viewer) is None
    assert len(own(viewer)) == 3


def test_two_viewers_have_a_panel_each(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    one, other = make_napari_viewer(), make_napari_viewer()
    open_workbench(one)
    open_workbench(other)
    assert workbench_of(one) is not workbench_of(other)
    assert isinstance(workbench_of(one), Workbench)


def _panels() -> list[Workbench]:
    return [one for one in QApplication.allWidgets() if isinstance(one, Workbench)]


def test_opening_and_closing_often_leaks_no_panel(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    others = [weakref.ref(one) for one in _panels()]
    viewer = make_napari_viewer()
    viewer.open_sample(PLUGIN, "pain-ale")
    events, process = viewer.layers.events, psutil.Process()
    counts, files = [], []
    for n in range(6):
        panel = open_workbench(viewer)
        for name in TABS if n < 2 else ():
            panel.show_tab(name)
        # Something waits still when it closes.
        panel.panel("Clusters").threshold.form.slider.value += (-1) ** n
        made = [weakref.ref(one) for one in (panel, *panel._panels.values())]
        viewer.window.remove_dock_widget(dock_of(panel))
        del panel
        let_go()
        assert [one() for one in made if one() is not None] == []
        files.append(process.num_fds() if hasattr(process, "num_fds") else 0)
        scene.look_at(viewer, 0, 0, 0)
        layer = viewer.layers.pop()
        viewer.layers.append(layer)
        counts.append((len(events.inserted.callbacks), len(events.removed.callbacks)))
    known = [one() for one in others]
    assert [one for one in _panels() if one not in known] == []
    assert counts[-1] == counts[1]
    assert files[-1] <= files[1]
    working = [thread.name for thread in threading.enumerate()]
    assert not [name for name in working if name.startswith("ThreadPool")]


# --- the header -----------------------------------------------------------------------


def choose_map(panel: Workbench, statmap: Any) -> None:
    """Choose a map in the list, as a user does."""
    row = panel.header.map.findText(statmap.short_title)
    panel.header.map.setCurrentIndex(row)
    panel.header.map.activated.emit(row)


def test_choosing_a_map_shows_it_alone_with_its_clusters(
    panel: Workbench, viewer: Any, sample: ResultSet
) -> None:
    logp = sample["logp"]
    choose_map(panel, logp)
    assert seen(viewer) == [logp.short_title, f"{logp.short_title}: clusters"]
    table = panel.panel("Clusters")
    assert table.table.clusters.statmap is logp
    assert table.threshold.statmap is logp
    assert panel.header.sentence.text() == str(table.table.clusters)
    # Back again: nothing is made anew.
    n = len(viewer.layers)
    choose_map(panel, sample["z"])
    assert len(viewer.layers) == n
    assert table.table.clusters.statmap is sample["z"]


def test_another_map_is_laid_over_and_solo_takes_it_away(
    panel: Workbench, viewer: Any, sample: ResultSet
) -> None:
    header = panel.header
    assert not header.solo.isEnabled()
    header.list_overlays()
    offered = {action.text(): action for action in header.overlays.actions()}
    assert sample["z"].short_title not in offered
    offered[sample["logp"].short_title].trigger()
    assert sample["z"].short_title in seen(viewer)
    assert sample["logp"].short_title in seen(viewer)
    assert header.map.currentText() == sample["logp"].short_title
    assert header.solo.isEnabled()
    header.solo.click()
    assert seen(viewer) == [
        sample["logp"].short_title,
        f"{sample['logp'].short_title}: clusters",
    ]


def test_an_eye_of_the_layer_list_is_heard_of_at_once(
    panel: Workbench, viewer: Any, sample: ResultSet
) -> None:
    z, logp = sample["z"], sample["logp"]
    shown_maps.show_over(viewer, logp)
    table = panel.panel("Clusters").table
    found = str(table.clusters)
    layer = shown_maps.layer_of(viewer, logp)
    # The map that is chosen in the list of layers stays the one that is worked with.
    layer.visible = False
    assert panel.header.map.currentText() == logp.short_title
    assert panel.header.sentence.text() == f"This map is hidden. {found}"
    layer.visible = True
    assert panel.header.sentence.text() == found
    # Where something else is chosen there, it is the one that can be seen.
    viewer.add_image(np.zeros((2, 2, 2)), name="mine")
    layer.visible = False
    for statmap in (z, logp):
        assert shown_maps.current_map(viewer) is statmap
        assert panel.header.map.currentText() == statmap.short_title
        assert table.clusters.statmap is statmap
        assert panel.header.sentence.text() == str(table.clusters)
        assert panel.panel("Clusters").threshold.statmap is statmap
        layer.visible = True
        shown_maps.layer_of(viewer, z).visible = False


def test_maps_that_blink_take_turns_and_the_panel_stays(
    panel: Workbench, viewer: Any, sample: ResultSet
) -> None:
    z, logp = sample["z"], sample["logp"]
    viewer.add_image(np.zeros((2, 2, 2)), name="mine")
    panel.show_tab("Compare")
    panel.compare([z, logp], "blink")
    before = panel.header.map.currentText(), panel.header.sentence.text()
    for _ in range(3):
        panel.panel("Compare").next.native.click()
        now = panel.header.map.currentText(), panel.header.sentence.text()
        assert now == before


def test_the_place_is_told_and_gone_to(panel: Workbench, viewer: Any) -> None:
    place = panel.header.place
    assert place.text.text() == "38, 4, 2"
    told = place.here.text()
    assert told.startswith("insula R")
    assert "z 6.7" in told
    assert " p " in told
    place.text.setText("-34 14 0")
    place.text.returnPressed.emit()
    assert tuple(viewer.dims.point[::-1]) == (-34, 14, 0)
    place.text.setText("nowhere")
    place.text.returnPressed.emit()
    assert "nowhere" in place.here.text()
    assert tuple(viewer.dims.point[::-1]) == (-34, 14, 0)


def test_what_is_told_of_a_place_follows_layers_and_names(
    panel: Workbench, viewer: Any, sample: ResultSet
) -> None:
    here, layer = panel.header.place.here, shown_maps.layer_of(viewer, sample["z"])
    assert here.text().startswith("insula R   z 6.7")
    panel.panel("Clusters").table.details.atlas.choose("none")
    let_go(60)
    assert here.text().startswith("z 6.7")
    layer.name, layer.visible = "mine", False
    let_go(60)
    assert here.text() == ""
    layer.visible = True
    let_go(60)
    assert here.text().startswith("z 6.7")
    shown_maps.show_alone(viewer, sample["p"])
    let_go(60)
    assert here.text() == "p 8.54e-12"


def test_the_sentence_follows_the_threshold(
    panel: Workbench, viewer: Any, sample: ResultSet
) -> None:
    form = panel.panel("Clusters").threshold.form
    form.voxels.value = 10
    let_go(20)
    layer = cluster_layer(viewer, sample["z"])
    assert panel.header.sentence.text() == str(clusters_of(layer))
    assert "extent >= 10" in panel.header.sentence.text()


def test_an_empty_panel_offers_three_ways_in(
    plugin: Any, viewer: Any, write: Callable[..., Path], rng: np.random.Generator
) -> None:
    panel = Workbench(viewer)
    header = panel.header
    assert header.empty.isVisibleTo(panel)
    assert not header.map_row.isVisibleTo(panel)
    assert header.sentence.text().startswith("Nothing is open. Paste the link")
    folder = write({"z": rng.random(SHAPE) * 6})
    # What is no link is not sent anywhere.
    QApplication.clipboard().setText("a note")
    header.paste.click()
    assert header.source.text() == "a note"
    assert not panel.opener.background_job.busy
    QApplication.clipboard().setText(str(folder))
    header.paste.click()
    while panel.opener.background_job.busy:
        let_go(10)
    assert not header.empty.isVisibleTo(panel)
    assert not header.source_row.isVisibleTo(panel)
    assert header.map_row.isVisibleTo(panel)
    # The same source again is gone to.
    n = len(viewer.layers)
    header.open_source(str(folder))
    assert not panel.opener.background_job.busy
    assert len(viewer.layers) == n
    viewer.layers.clear()
    assert header.results.count() == 1, "it is open still, and can be shown again"
    panel.close()


def wait_until(done: Callable[[], bool]) -> None:
    """Let Qt work until something is so."""
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end, "it did not happen"
        QTest.qWait(20)


class Hand:
    """Clicks with the mouse on what is on the screen, and counts."""

    def __init__(self) -> None:
        self.clicks = 0

    def click(self, widget: Any, at: Any = None) -> None:
        """Click once where a user would: on what is visible, and enabled."""
        assert widget.isVisible()
        assert widget.isEnabled()
        at = at or widget.rect().center()
        assert not widget.visibleRegion().isEmpty()
        assert widget.visibleRegion().contains(at)
        self.clicks += 1
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=at)
        let_go(50)

    def click_row(self, view: Any, row: int, column: int = 0) -> None:
        """Click a cell of a table or list."""
        index = view.model().index(row, column)
        self.click(view.viewport(), view.visualRect(index).center())

    def choose(self, combo: Any, text: str) -> None:
        """Unfold a list, and click an entry."""
        self.click(combo)
        wait_until(combo.view().isVisible)
        # A release that comes sooner belongs to the click that unfolded the list.
        QTest.qWait(QApplication.doubleClickInterval() + 50)
        self.click_row(combo.view(), combo.findText(text))

    def turn_to(self, panel: Workbench, tab: str) -> None:
        """Click a tab."""
        bar = panel.tabs.tabBar()
        self.click(bar, bar.tabRect(TABS.index(tab)).center())


@pytest.mark.slow
def test_steps_from_a_result_to_a_table_in_a_file(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A thresholded result takes one click, a peak one, a file two."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(*LAPTOP)
    panel, hand = open_workbench(viewer), Hand()
    let_go(50)
    hand.click(panel.header.sample)
    while panel.opener.background_job.busy:
        let_go(10)
    assert hand.clicks == 1
    layer = shown_maps.current_layer(viewer)
    clusters = clusters_of(cluster_layer(viewer, map_of(layer)))
    assert panel.header.sentence.text() == str(clusters)
    assert 0 < np.isfinite(layer.data).sum() < layer.data.size
    # A peak: the row of a cluster; its name is there, and the place says it as well.
    table = panel.panel("Clusters").table
    hand.clicks = 0
    hand.click_row(table.view, 1, 2)
    assert hand.clicks == 1
    row = clusters.table.iloc[1]
    peak = (row.peak_x, row.peak_y, row.peak_z)
    assert viewer.dims.point[::-1] == pytest.approx(peak)
    name = table.model.index(1, 1).data()
    assert name == row["name"]
    let_go(100)
    region = panel.header.place.here.text()
    assert name.split()[0].lower() in region
    # A file.
    path = tmp_path / "table.tsv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    hand.clicks = 0
    hand.turn_to(panel, "Export")
    hand.click(panel.panel("Export").buttons["Save table..."].native)
    assert hand.clicks == 2
    lines = path.read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("1\t") for line in lines) == 1


@pytest.mark.slow
def test_three_steps_list_the_clusters_of_a_map_among_sixty(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    strong = np.zeros(SHAPE)
    strong[2:5, 2:5, 2:5] = 6
    mass = "level-cluster_corr-FWE_method-montecarlo"
    contrasts = [f"contrast{chr(97 + n)}" for n in range(15)]
    maps = {}
    for contrast in contrasts:
        z = rng.normal(size=SHAPE) + strong
        maps |= {f"z_desc-{contrast}": z, f"p_desc-{contrast}": norm.sf(z)}
        flat = np.where(strong > 0, 3.0, 0.5)
        maps[f"z_desc-{contrast}Mass_{mass}"] = flat
        maps[f"logp_desc-{contrast}Mass_{mass}"] = -np.log10(norm.sf(flat))
    assert len(maps) == 60
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(*LAPTOP)
    panel, hand = open_workbench(viewer), Hand()
    let_go(50)
    # 1: open it, by its path and Enter.
    panel.header.source.setText(str(write(maps, name="sixty")))
    QTest.keyClick(panel.header.source, Qt.Key.Key_Return)
    while panel.opener.background_job.busy:
        let_go(10)
    # 2 and 3: unfold the list of maps and take one; its name begins with what it is.
    wanted = "mass · FWE · contrastg · z"
    assert panel.header.map.count() == 60
    hand.choose(panel.header.map, wanted)
    assert hand.clicks == 2
    table = panel.panel("Clusters").table
    assert panel.header.map.currentText() == wanted
    assert table.clusters.statmap.short_title == wanted
    assert table.model.rowCount() == 1, "the significant ones"
    assert table.clusters.table.significant.sum() == 1


@pytest.mark.viewer
@pytest.mark.slow
@pytest.mark.parametrize("name", ["Threshold", "Clusters"])
def test_a_part_alone_scrolls_and_leaves_the_window_its_size(
    plugin: Any, make_napari_viewer: Callable[..., Any], name: str
) -> None:
    viewer = make_napari_viewer()
    viewer.open_sample(PLUGIN, "pain-ale")
    before = viewer.window._qt_window.height()
    dock, made = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    if name == "Threshold":
        # All that is folded away at first.
        made.form.more.native.click()
    else:
        made.drawer.click()
    let_go(20)
    assert dock.minimumSizeHint().height() <= 300
    area = made.native.findChild(QScrollArea)
    assert area.widget().minimumSizeHint().height() > 100
    assert made.native.isAncestorOf(made.map.native)
    assert viewer.window._qt_window.height() == before


def test_undo_and_other_tabs_while_maps_are_compared(
    panel: Workbench, viewer: Any, sample: ResultSet
) -> None:
    pair = [sample["z"], sample["logp"]]
    panel.show_tab("Compare")
    panel.compare(pair, "side by side")
    numbers = panel.panel("Compare").comparison
    threshold = panel.panel("Clusters").threshold
    for tab in TABS:
        panel.show_tab(tab)
        let_go(5)
        assert panel.compared() == (pair, "side by side")
        assert viewer.canvas.grid.enabled
    panel.show_tab("Clusters")
    viewer.layers.selection.active = shown_maps.layer_of(viewer, sample["z"])
    let_go(5)
    assert threshold.statmap is sample["z"]
    settle(threshold)
    before = clusters_of(cluster_layer(viewer, sample["z"]))
    threshold.form.voxels.value = 300
    settle(threshold)
    changed = clusters_of(cluster_layer(viewer, sample["z"]))
    assert len(changed) < len(before)
    for _ in range(100):
        if panel.panel("Compare").comparison.a.asked.min_voxels == 300:
            break
        let_go(50)
    assert panel.panel("Compare").comparison.a.asked.min_voxels == 300
    threshold.back.native.click()
    let_go(20)
    after = clusters_of(cluster_layer(viewer, sample["z"]))
    assert after.asked.min_voxels == before.asked.min_voxels
    assert after.peak_voxels == before.peak_voxels
    assert panel.compared() == (pair, "side by side")
    # Numbers follow when the threshold rests.
    for _ in range(100):
        if panel.panel("Compare").comparison.dice == numbers.dice:
            break
        let_go(50)
    assert panel.panel("Compare").comparison.dice == numbers.dice
    panel.compare(pair, "")
    assert not viewer.canvas.grid.enabled
