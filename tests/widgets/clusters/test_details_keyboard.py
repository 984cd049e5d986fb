"""The clusters, and what is known of them, without a mouse: sorted, asked for, read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtTest import QTest
from scipy import stats

from helpers.keys import (
    KEYS,
    NONE,
    SHIFT,
    choose_in_menus,
    focused,
    press,
    tab_to,
    wait_until,
    window_for_keys,
)
from helpers.keys import write as write_line
from local_servers import LocalServers
from local_servers.__main__ import fill
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.common.layout import spoken_name
from napari_neurosynth_results.widgets.workbench import workbench_of

pytestmark = [pytest.mark.viewer, pytest.mark.slow]


@pytest.fixture
def window(plugin: Any, make_napari_viewer: Callable[..., Any]) -> Any:
    return window_for_keys(make_napari_viewer)


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
