"""Readers and windows: closed while something opens, and more than one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from local_servers import Fault, LocalServers
from napari_neurosynth_results.viewer.layers import UNDERLAY_KEY, map_of
from napari_neurosynth_results.viewer.scene import is_anatomical
from napari_neurosynth_results.viewer.settings import PLUGIN

pytestmark = [pytest.mark.viewer, pytest.mark.slow]
SHAPE = (8, 9, 8)


@pytest.fixture
def slow_link(web: LocalServers) -> str:
    """Return a link whose list of images comes late."""
    z = np.zeros(SHAPE)
    z[2:4, 3:5, 3:5] = 5
    collection = web.add_collection("Slow")
    collection.add_image("z.nii.gz", z, map_type="Z map")
    web.fail("/images/", Fault.stall(1.5))
    return f"{web.neurovault}/collections/{collection.id}/"


@pytest.mark.parametrize("by", ["script", "button of the window"])
def test_a_window_closed_in_the_middle_of_an_opening_ends_it(
    preferences: Any,
    make_napari_viewer: Callable[..., Any],
    slow_link: str,
    notifications: list[Any],
    by: str,
) -> None:
    from qtpy.QtCore import QTimer

    other, viewer = make_napari_viewer(), make_napari_viewer()
    close = viewer.close if by == "script" else viewer.window._qt_window.close
    QTimer.singleShot(200, close)
    viewer.open(slow_link, plugin=PLUGIN)
    # Nothing comes to it, nor to the one that is in front then.
    assert len(viewer.layers) == len(other.layers) == 0
    assert not is_anatomical(other)
    working = [thread.name for thread in threading.enumerate()]
    assert not [name for name in working if name.startswith("ThreadPool")]
    assert [told.message for told in notifications] == []
    if by != "script":
        # napari fails to close once more what its button has closed.
        del viewer.window._qt_window


def test_what_is_opened_comes_to_the_viewer_that_opens_it(
    preferences: Any,
    make_napari_viewer: Callable[..., Any],
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    """Files are dropped on windows that are not in front, and scripts open anywhere."""
    preferences.view.panel = False
    behind, front = make_napari_viewer(), make_napari_viewer()
    events = front.layers.events.inserted
    n_callbacks = len(events.callbacks)
    folder = str(write({"z": rng.normal(size=SHAPE) * 3}))
    behind.open(folder, plugin=PLUGIN)
    assert is_anatomical(behind)
    assert not is_anatomical(front)
    assert len(events.callbacks) == n_callbacks
    # The same source is open in the one, and not in the other.
    front.open(folder, plugin=PLUGIN)
    for viewer in (behind, front):
        underlays = [one for one in viewer.layers if UNDERLAY_KEY in one.metadata]
        assert len(underlays) == 1
        assert sum(map_of(one) is not None for one in viewer.layers) == 1
    names = [layer.name for layer in behind.layers]
    behind.open(folder, plugin=PLUGIN)
    assert [layer.name for layer in behind.layers] == names
    # Where one is emptied, the other keeps its own.
    front.layers.clear()
    assert [layer.name for layer in behind.layers] == names


def test_a_window_closed_while_maps_stand_side_by_side_goes_quietly(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    sample: Any,
    notifications: list[Any],
) -> None:
    from qtpy.QtWidgets import QApplication

    from napari_neurosynth_results.viewer.shown_maps import show_alone
    from napari_neurosynth_results.widgets.workbench import open_workbench

    viewer = make_napari_viewer()
    show_alone(viewer, sample["z"])
    open_workbench(viewer, "Compare").compare(
        [sample["z"], sample["logp"]], "side by side"
    )
    assert viewer.canvas.grid.enabled
    viewer.close()
    for _ in range(10):
        QApplication.processEvents()
    assert [told.message for told in notifications] == []


def test_a_window_of_the_command_line_has_room_for_brain_and_panel(
    preferences: Any, plugin: Any, sample_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari
    from qtpy.QtTest import QTest

    from napari_neurosynth_results.viewer.plugin.window import (
        SourceToOpen,
        open_window,
    )
    from napari_neurosynth_results.widgets.workbench import workbench_of

    found: list[int] = []

    def look() -> None:
        viewer = napari.current_viewer()
        assert viewer is not None
        QTest.qWait(100)
        found.extend([viewer.canvas.size[1], workbench_of(viewer).width()])
        viewer.close()

    monkeypatch.setattr(napari, "run", look)
    open_window([SourceToOpen((str(sample_path),))])
    canvas, panel = found
    assert canvas > 400
    assert panel >= 410


def test_a_panel_that_was_squeezed_takes_its_room_when_there_is_some(
    preferences: Any,
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    qtbot: Any,
    sample_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A window of napari's first size is often made larger at once."""
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    from napari_neurosynth_results.widgets.workbench import workbench_of

    viewer = make_napari_viewer(show=True)
    viewer.window.resize(800, 600)
    viewer.open(str(sample_path), plugin=PLUGIN)
    QTest.qWait(300)
    panel = workbench_of(viewer)
    assert panel is not None
    assert panel.width() < 400
    main = panel.window()
    viewer.window.resize(1366, 740)

    def has_room() -> None:
        state = (panel.width(), main.size(), QApplication.mouseButtons())
        assert panel.width() >= 410, state

    qtbot.waitUntil(has_room)
    # Who makes it narrower later is not asked again.
    with monkeypatch.context() as patch:
        pressed = Qt.MouseButton.LeftButton
        patch.setattr(QApplication, "mouseButtons", staticmethod(lambda: pressed))
        main.resizeDocks([panel.parentWidget()], [330], Qt.Orientation.Horizontal)
        qtbot.waitUntil(lambda: panel.width() < 400)
    viewer.window.resize(1400, 740)
    QTest.qWait(300)
    assert panel.width() < 400
