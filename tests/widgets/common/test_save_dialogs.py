"""Figures are saved from the widgets: of what is shown, as the menu says."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from qtpy.QtCore import QTimer
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QFileDialog, QMenu

from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import progress_bar, scene
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.progress_bar import wait_for
from napari_neurosynth_results.widgets.clusters.widget import ClusterWidget
from napari_neurosynth_results.widgets.common.save_dialogs import (
    ask_and_save,
    beside_window,
)
from napari_neurosynth_results.widgets.compare.widget import CompareWidget
from napari_neurosynth_results.widgets.workbench import Workbench, open_workbench


@pytest.fixture
def table(plugin: Any, viewer: Any, sample: ResultSet) -> Iterator[ClusterWidget]:
    """Return the table of the clusters of z."""
    add_maps(viewer, [sample["z"], sample["logp"], sample["stat"]])
    layer = viewer.layers[sample["z"].short_title]
    show_clusters(viewer, layer, find_clusters(sample["z"], p=0.001, min_voxels=10))
    viewer.layers.selection.active = layer
    made = ClusterWidget(viewer)
    yield made
    made.close()


@pytest.fixture
def compare(viewer: Any, table: Any) -> Iterator[CompareWidget]:
    """Return the widget that compares the same maps."""
    made = CompareWidget(viewer)
    yield made
    made.close()


def menu_of(button: Any) -> dict[str, QAction]:
    """Open the menu of a button; return its lines."""
    button.native.click()
    menu = button.native.findChildren(QMenu)[-1]
    return {action.text(): action for action in menu.actions() if action.text()}


def answer(monkeypatch: pytest.MonkeyPatch, path: Path, kind: str = "png") -> None:
    """Answer the dialog, which is the user's."""
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(path), f"Picture (*.{kind})")
    )


def told_by(path: Path) -> str:
    with Image.open(path) as image:
        return str(image.info["Description"])


@pytest.mark.slow
def test_clusters_are_saved_as_figures_of_every_kind(
    table: ClusterWidget,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Any],
) -> None:
    lines = [text for text in menu_of(table.save_figure) if text != "White background"]
    assert len(lines) == 6
    for n, text in enumerate(lines):
        answer(monkeypatch, path := tmp_path / f"{n}.png")
        menu_of(table.save_figure)[text].trigger()
        assert told_by(path).startswith("z, uncorrected\n")
        assert notifications[-1].message == f"Saved {path}"
        assert ("Maximum projection" in told_by(path)) == (text == "Glass brain")


def test_three_planes_meet_where_the_viewer_is(
    table: ClusterWidget, viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.look_at(viewer, -12, 30, 24)
    asked: list[Any] = []
    monkeypatch.setattr(
        "napari_neurosynth_results.api.figures.save_figure",
        lambda what, path, **options: asked.append(options),
    )
    answer(monkeypatch, Path("figure"), "svg")
    menu_of(table.save_figure)["Three planes, this place"].trigger()
    assert asked[0]["kind"] == "ortho"
    assert asked[0]["place"] == (-12, 30, 24)
    assert asked[0]["background"] == "black"


@pytest.mark.slow
def test_the_background_is_chosen_and_kept(
    table: ClusterWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n, expected in enumerate((0, 255, 255)):
        lines = menu_of(table.save_figure)
        if n == 1:
            lines["White background"].trigger()
            lines = menu_of(table.save_figure)
        # A name without an extension gets that of the chosen kind of file.
        answer(monkeypatch, tmp_path / f"{n}")
        lines["Glass brain"].trigger()
        with Image.open(tmp_path / f"{n}.png") as image:
            assert image.convert("L").getpixel((0, 0)) == expected


def test_what_cannot_be_saved_is_told(
    table: ClusterWidget,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Any],
) -> None:
    answer(monkeypatch, tmp_path / "absent" / "f.png")
    menu_of(table.save_figure)["Glass brain"].trigger()
    assert notifications[-1].severity.value == "error"
    assert "cannot be written" in notifications[-1].message
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    menu_of(table.save_figure)["Glass brain"].trigger()
    assert len(notifications) == 1
    assert not list(tmp_path.iterdir())


class LoadedBy:
    """Hears on which thread a module is loaded; as the first who is asked for it."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name, self.threads = name, list[threading.Thread]()
        monkeypatch.setattr(sys, "meta_path", [self, *sys.meta_path])
        monkeypatch.delitem(sys.modules, name, raising=False)

    def find_spec(self, name: str, *where: object) -> None:
        """Find nothing."""
        if name == self.name:
            self.threads.append(threading.current_thread())


@pytest.mark.viewer
@pytest.mark.slow
def test_the_window_answers_while_a_figure_is_drawn(
    plugin: Any,
    make_napari_viewer: Any,
    sample: ResultSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer()
    add_maps(viewer, [sample["z"]])
    [layer] = [one for one in viewer.layers if map_of(one) is sample["z"]]
    show_clusters(viewer, layer, find_clusters(sample["z"], p=0.001, min_voxels=10))
    viewer.layers.selection.active = layer
    table = ClusterWidget(viewer)
    viewer.window.add_dock_widget(table)
    answer(monkeypatch, path := tmp_path / "figure.png")
    ticks: list[bool] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(path.exists()))
    line = menu_of(table.save_figure)["Slices, axial"]
    draws = LoadedBy("napari_neurosynth_results.api.figures", monkeypatch)
    timer.start(10)
    line.trigger()
    timer.stop()
    assert told_by(path).startswith("z, uncorrected\n")
    # It takes half a second at least, and the window looks up all the time.
    assert ticks.count(False) >= 4
    assert len(draws.threads) == 1
    assert threading.main_thread() not in draws.threads


@pytest.fixture
def panel(
    plugin: Any, make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> Workbench:
    """Return the panel in a window that is soon tired of waiting."""
    monkeypatch.setattr(progress_bar, "_PATIENCE", 0.05)
    return open_workbench(make_napari_viewer())


class PanelFoot:
    """Hears what the foot of the panel says while something is done."""

    def __init__(self, panel: Workbench) -> None:
        self.line = panel.wait_line
        self.seen: list[tuple[str, bool]] = []
        #: What to do when something is first said.
        self.then: dict[str, Callable[[], object]] = {}

    def watch(self, act: Callable[[], object]) -> list[tuple[str, bool]]:
        """Do something; return what was said meanwhile, and if one could cancel."""
        timer = QTimer()
        timer.timeout.connect(self._look)
        timer.start(10)
        act()
        timer.stop()
        return self.seen

    def _look(self) -> None:
        said = self.line.text.text(), self.line.button.isEnabled()
        if not self.line.isHidden() and said not in self.seen:
            self.seen.append(said)
            self.then.pop(said[0], lambda: None)()

    def wait_for(self, words: str) -> None:
        """Let another thread wait until something was said."""
        end = time.monotonic() + 20
        while all(text != words for text, _ in self.seen):
            assert time.monotonic() < end, f"{words} is not said"
            time.sleep(0.01)


def wait_and_save(path: str, *, overwrite: bool) -> None:
    time.sleep(0.3)
    Path(path).write_text("saved")


@pytest.mark.viewer
def test_the_panel_says_what_is_written_and_where_it_is_then(
    panel: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, path := tmp_path / "table.tsv")
    foot = PanelFoot(panel)

    def write(path: str, *, overwrite: bool) -> None:
        foot.wait_for("Saving: writing the file ...")
        Path(path).write_text("saved")

    save = beside_window(write, lambda: foot.wait_for("Saving ..."))
    seen = foot.watch(lambda: ask_and_save(None, "Save", "", "", save))
    # Until it is written one can cancel; afterwards it is too late, and said to be.
    assert seen == [("Saving ...", True), ("Saving: writing the file ...", False)]
    line = panel.wait_line
    assert not line.isHidden()
    assert line.text.text() == f"Saved {path}"
    assert line.text.toolTip() != ""
    assert line.button.text() == "Close"
    line.button.click()
    assert line.isHidden()
    missing = tmp_path / "absent" / "report.html"
    answer(monkeypatch, missing)

    def refuse(path: str, *, overwrite: bool) -> None:
        raise ResultsError(f"{path} cannot be written.")

    ask_and_save(None, "Save", "", "", refuse)
    assert line.text.text() == f"Not saved. {missing} cannot be written."


@pytest.mark.viewer
def test_who_cancels_in_the_panel_in_time_saves_nothing(
    panel: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, path := tmp_path / "table.tsv")
    foot, line = PanelFoot(panel), panel.wait_line
    foot.then = {"Saving ...": line.button.click}
    save = beside_window(wait_and_save, lambda: foot.wait_for("Canceling ..."))
    seen = foot.watch(lambda: ask_and_save(None, "Save", "", "", save))
    assert seen == [("Saving ...", True), ("Canceling ...", False)]
    assert line.text.text() == "Canceled: nothing was saved."
    assert not path.exists()


@pytest.mark.viewer
@pytest.mark.parametrize("tab", ["in sight", "closed"])
def test_napari_has_a_bar_only_where_the_panel_is_out_of_sight(
    plugin: Any, make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch, tab: str
) -> None:
    import napari.utils

    monkeypatch.setattr(progress_bar, "_PATIENCE", 0.05)
    panel = open_workbench(make_napari_viewer(show=True))
    if tab == "closed":
        panel.parentWidget().hide()
    bars: list[str] = []
    make = napari.utils.cancelable_progress

    def count(*, desc: str, total: int) -> Any:
        bars.append(desc)
        return make(desc=desc, total=total)

    monkeypatch.setattr(napari.utils, "cancelable_progress", count)
    foot = PanelFoot(panel)
    seen = foot.watch(
        lambda: wait_for(lambda job: foot.wait_for("Waiting ..."), "Waiting")
    )
    assert bars == ([] if tab == "in sight" else ["Waiting"])
    assert seen == [("Waiting ...", True)]
    assert panel.wait_line.isHidden()


@pytest.mark.viewer
@pytest.mark.parametrize("tab", ["in sight", "closed"])
def test_where_something_was_saved_is_said_once(
    plugin: Any,
    make_napari_viewer: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Any],
    tab: str,
) -> None:
    panel = open_workbench(make_napari_viewer(show=True))
    if tab == "closed":
        panel.parentWidget().hide()
    answer(monkeypatch, path := tmp_path / "a.png")
    ask_and_save(panel, "Save", "a.png", "", beside_window(wait_and_save))
    assert path.exists()
    told = [one.message for one in notifications]
    assert told == ([] if tab == "in sight" else [f"Saved {path}"])
    assert panel.wait_line.text.text() == f"Saved {path}"


def test_what_is_being_written_cannot_be_canceled() -> None:
    """Else nobody would know whether there is a file."""
    job = Job()
    job.begin_writing()
    job.cancel()
    job.check()
    late = Job()
    late.cancel()
    with pytest.raises(CancelledError):
        late.begin_writing()


@pytest.mark.viewer
def test_nobody_looks_for_old_garbage_while_the_window_waits(
    make_napari_viewer: Any, qtbot: Any
) -> None:
    make_napari_viewer()
    # What was opened before puts it off.
    qtbot.waitUntil(lambda: progress_bar._garbage._timer is None, timeout=10_000)
    gc.collect()
    looked: list[int] = []

    def hear(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            looked.append(info["generation"])

    def work(job: Job) -> int:
        gc.callbacks.append(hear)
        # More than a quarter of what there is: then Python looks through all of it.
        kept = [[n] for n in range(max(500_000, len(gc.get_objects())))]
        gc.callbacks.remove(hear)
        return len(kept)

    assert wait_for(work, "Figure") >= 500_000
    assert 2 not in looked
    qtbot.waitUntil(gc.isenabled)


def test_without_clusters_there_is_no_figure(
    plugin: Any, viewer: Any, table: ClusterWidget
) -> None:
    viewer.layers.clear()
    assert not table.save_figure.enabled


@pytest.mark.slow
def test_comparisons_are_saved_as_figures(
    compare: CompareWidget,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not compare.figure.enabled
    layers = [compare.maps.item(row).data(256) for row in range(3)]
    compare.maps.check(layers[:2])
    assert all("Agreement" in text for text in list(menu_of(compare.figure))[:-1])
    compare.maps.check(layers)
    lines = menu_of(compare.figure)
    for text, title in (
        ("Agreement, axial slices", compare.comparison.name_a),
        ("Matrix, dice", "Dice of 3 maps"),
    ):
        answer(monkeypatch, path := tmp_path / f"{text}.png")
        lines[text].trigger()
        assert told_by(path).startswith(title)
        lines = menu_of(compare.figure)
