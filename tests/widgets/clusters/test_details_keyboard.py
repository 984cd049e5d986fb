"""The clusters, and what is known of them, without a mouse: sorted, asked for, read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLineEdit
from scipy import stats

from helpers.keys import (
    ALT,
    KEYS,
    NONE,
    SHIFT,
    choose_in_menus,
    focused,
    press,
    tab_to,
    wait_until,
)
from helpers.keys import write as write_line
from local_servers import LocalServers
from local_servers.__main__ import fill
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.clusters.columns import FrozenColumns
from napari_neurosynth_results.widgets.common.layout import spoken_name
from napari_neurosynth_results.widgets.workbench import workbench_of

pytestmark = [pytest.mark.viewer, pytest.mark.slow]


def open_drawer(viewer: Any, page: str) -> Any:
    """Choose the first cluster and go to a page of the drawer, by keys; return both."""
    panel = workbench_of(viewer)
    assert panel is not None
    panel.focus_tab()
    tab_to("Clusters")
    press(KEYS.Key_Down, wait=100)
    tab_to("Regions, active parts, studies, studies x clusters")
    press(KEYS.Key_Space, wait=200)
    details = panel.panel("Clusters").table.details
    tab_to("About the clusters", back=True)
    for _ in range(details.count()):
        if details.tabText(details.currentIndex()) == page:
            return details
        press(KEYS.Key_Right, wait=100)
    raise AssertionError(f"{page} is not come to")


def sort_by_keys(view: Any) -> None:
    """Sort by each column and both ways, and look where the current row is."""
    names = [view.currentIndex().siblingAtColumn(n).data() for n in (0, 1)]
    rows = set()
    for _ in range(view.rows.columnCount()):
        for key in (KEYS.Key_Right, KEYS.Key_Up, KEYS.Key_Down):
            press(key, ALT, 1)
            now = view.currentIndex()
            rows.add(now.row())
            assert [now.siblingAtColumn(n).data() for n in (0, 1)] == names
            chosen = view.selectionModel().selectedRows()
            assert [index.row() for index in chosen] == [now.row()]
            seen = view.viewport().rect()
            assert seen.top() <= view.visualRect(now).top()
            assert view.visualRect(now).bottom() <= seen.bottom() + 1
    assert len(rows) > 1, "else nothing was tried"
    # The next key goes on from there.
    row = view.currentIndex().row()
    key, step = (KEYS.Key_Down, 1) if row == 0 else (KEYS.Key_Up, -1)
    press(key, wait=50)
    assert view.currentIndex().row() == row + step


@pytest.mark.parametrize("page", ["Regions", "Studies"])
def test_the_same_row_is_current_after_sorting_by_keys(window: Any, page: str) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    details = open_drawer(window, page)
    view = details.regions if page == "Regions" else details.studies.view
    tab_to(type(view))
    press(KEYS.Key_Down, wait=50)
    press(KEYS.Key_Down, wait=50)
    place = workbench_of(window).header.place.text.text()
    sort_by_keys(view)
    assert workbench_of(window).header.place.text.text() == place


def test_the_same_cluster_is_current_after_sorting_by_keys(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    table = panel.panel("Clusters").table
    table.others.click()
    panel.focus_tab()
    tab_to("Clusters")
    for _ in range(3):
        press(KEYS.Key_Down, wait=50)
    sort_by_keys(table.view)
    # What was unfolded stays so, and a sub-peak stays current.
    press(KEYS.Key_Home, wait=50)
    while not table.model.rowCount(table.view.currentIndex().siblingAtColumn(0)):
        press(KEYS.Key_Down, wait=50)
    press(KEYS.Key_Right, wait=50)
    press(KEYS.Key_Down, wait=50)
    peak = table.view.currentIndex().siblingAtColumn(0).data()
    assert peak[-1] == "a"
    for key in (KEYS.Key_Right, KEYS.Key_Down, KEYS.Key_Up):
        press(key, ALT)
        now = table.view.currentIndex()
        assert now.siblingAtColumn(0).data() == peak
        assert table.view.isExpanded(now.parent())
        assert not table.view.visualRect(now).isEmpty()


def test_a_name_that_is_being_written_goes_with_its_row(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Qt warns of what it writes from a line whose row is not there any more.
    written: list[str] = []
    monkeypatch.setattr(
        FrozenColumns, "commitData", lambda _, editor: written.append(editor.text())
    )
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    view = panel.panel("Clusters").table.view
    panel.focus_tab()
    tab_to("Clusters")
    press(KEYS.Key_Down)
    press(KEYS.Key_F2, wait=50)
    QTest.keyClicks(focused(), "half")
    # As when the window is closed.
    window.layers.clear()
    QTest.qWait(50)
    assert written == []
    assert focused() is view
    lines = view.frozen.findChildren(QLineEdit)
    assert not any(line.isVisible() for line in lines)


@pytest.mark.parametrize("page", ["Regions", "Active parts", "Studies x clusters"])
def test_what_comes_to_the_canvas_leaves_the_current_row(
    window: Any, page: str
) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    details = open_drawer(window, page)
    views = (details.regions, details.parts.view, details.heat)
    pages = ["Regions", "Active parts", "Studies x clusters"]
    view = views[pages.index(page)]
    tab_to(type(view))
    press(KEYS.Key_Down, wait=50)
    press(KEYS.Key_Right, wait=50)
    now = view.currentIndex()
    row, column = now.row(), now.column()
    assert row >= 0
    window.add_points([[0, 0, 0]])
    QTest.qWait(50)
    assert focused() is view
    assert view.currentIndex().row() == row
    assert view.currentIndex().column() == column


def test_leave_one_out_gives_the_keyboard_back(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    studies = open_drawer(window, "Studies").studies
    job = studies.background_job
    tab_to("Leave one out")
    press(KEYS.Key_Space, wait=1)
    assert job.busy
    assert spoken_name(focused()) == "Save studies...", "beside it, while it works"
    job.cancel()
    wait_until(lambda: not job.busy)
    assert focused() is studies.leave_out
    # Who has gone elsewhere stays there, also by way of where it was put.
    forward, back = (KEYS.Key_Tab, NONE), (KEYS.Key_Backtab, SHIFT)
    for keys in ([forward], [back, forward]):
        press(KEYS.Key_Space, wait=1)
        for key, held in keys:
            press(key, held, 1)
        here = focused()
        job.cancel()
        wait_until(lambda: not job.busy)
        assert focused() is here
        assert here is not studies.leave_out
        studies.leave_out.setFocus()
    # Once it is done there is no more to do.
    press(KEYS.Key_Return, wait=1)
    wait_until(lambda: not job.busy)
    assert not studies.leave_out.isEnabled()
    assert spoken_name(focused()) == "Save studies..."


def test_what_is_canceled_by_a_key_gives_the_keyboard_back(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    may_end.set()

    def work_until_canceled(*of: Any, job: Job, **more: Any) -> None:
        may_end.wait(60)
        while True:
            job.wait(60)

    where = "napari_neurosynth_results.widgets.clusters.details.leave_out_each"
    monkeypatch.setattr(where, work_until_canceled)
    window.open_sample(PLUGIN, "pain-ale")
    studies = open_drawer(window, "Studies").studies
    job = studies.background_job
    tab_to("Leave one out")
    press(KEYS.Key_Space)
    tab_to("Cancel", back=True)
    press(KEYS.Key_Space)
    wait_until(lambda: not job.busy)
    assert focused() is studies.leave_out
    # Who does not wait for the end is left alone.
    may_end.clear()
    press(KEYS.Key_Space)
    tab_to("Cancel", back=True)
    press(KEYS.Key_Space)
    assert job.text.text() == "Canceling ..."
    press(KEYS.Key_Tab)
    assert focused() is studies.view
    may_end.set()
    wait_until(lambda: not job.busy)
    assert focused() is studies.view


def test_the_studies_of_a_server_are_asked_for_by_keys(
    window: Any, web: LocalServers
) -> None:
    there = {what: address for address, what in fill(web).items()}
    choose_in_menus(window, "File", "IO Utilities", "Open NeuroVault / Compose")
    write_line(there["a result"])
    panel = workbench_of(window)
    assert panel is not None
    wait_until(lambda: panel.panel("Clusters").table.model.rowCount())
    studies = open_drawer(window, "Studies").studies
    press(KEYS.Key_Tab)
    assert focused() is studies.ask
    press(KEYS.Key_Return, wait=1)
    wait_until(lambda: not studies.background_job.busy)
    assert studies.ask.isHidden()
    assert "of 2 experiments" in studies.sentence.text()
    # Where they are listed: the next key reads them.
    assert focused() is studies.view
    press(KEYS.Key_Down)
    assert studies.view.currentIndex().isValid()


def test_the_effect_is_read_by_keys(window: Any, write: Callable[..., Path]) -> None:
    est = np.full((8, 9, 8), 0.1)
    est[3, 3, 3], est[5, 5, 5] = 0.8, -0.7
    se = np.full(est.shape, 0.2)
    p = 2 * stats.norm.sf(np.abs(est / se))
    folder = write({"z": est / se, "p": p, "est": est, "se": se})
    window.open(str(folder), plugin=PLUGIN)
    QTest.qWait(100)
    effect = open_drawer(window, "Effect").effect
    press(KEYS.Key_Tab)
    assert focused() is effect
    # All that is written there is heard by who cannot see it.
    for text in (effect.sentence.text(), effect.notices.text()):
        assert text
        assert text in effect.accessibleDescription()
    bar = effect.verticalScrollBar()
    press(KEYS.Key_Down)
    assert bar.value() > 0
    press(KEYS.Key_PageDown)
    press(KEYS.Key_PageDown)
    assert bar.value() == bar.maximum()
    press(KEYS.Key_Tab)
    assert spoken_name(focused()).startswith("Regions, active parts")
