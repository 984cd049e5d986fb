"""What is closed does nothing more, and what nobody looks at takes no memory."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from helpers.clicks import dock_of, press_title
from local_servers import Fault, LocalServers
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.progress_bar import wait_for
from napari_neurosynth_results.viewer.shown_maps import show_alone
from napari_neurosynth_results.widgets.workbench import (
    Workbench,
    open_workbench,
    workbench_of,
)

pytestmark = [pytest.mark.viewer]
SHAPE = (8, 9, 8)
#: For so many seconds a server is silent.
SILENT = 0.5


@pytest.fixture
def link(web: LocalServers, rng: np.random.Generator) -> str:
    collection = web.add_collection("Slow")
    for stem in ("z", "p"):
        collection.add_image(f"{stem}.nii.gz", rng.uniform(0.001, 1, SHAPE))
    return f"{web.neurovault}/collections/{collection.id}/"


def let_go(seconds: float = 0.0) -> None:
    """Let the window do what waits, for at least some time."""
    QTest.qWait(round(1000 * seconds))
    QApplication.processEvents()


def wait_until(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        let_go(0.005)


def at_work() -> list[str]:
    """Name the threads that open or fetch something."""
    names = [thread.name for thread in threading.enumerate()]
    return [one for one in names if one.startswith(("ThreadPool", "nnr-"))]


def opening(viewer: Any, web: LocalServers, link: str, where: str) -> Workbench:
    """Return the panel while it waits for an answer of a slow server."""
    web.fail(where, Fault.stall(SILENT))
    panel = open_workbench(viewer)
    panel.header.open_source(link)
    wait_until(lambda: web.paths(where))
    assert panel.opener.background_job.busy
    assert at_work() != []
    return panel


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "is_held"), [("/images/", False), ("/media/", False), ("/media/", True)]
)
def test_closing_the_panel_ends_what_it_is_opening_and_says_so(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    web: LocalServers,
    link: str,
    notifications: list[Any],
    where: str,
    is_held: bool,
) -> None:
    viewer = make_napari_viewer(show=True)
    panel = opening(viewer, web, link, where)
    ref = weakref.ref(panel)
    press_title(panel, "QTitleBarCloseButton")
    # A script may hold it still.
    held = panel if is_held else None
    del panel
    assert workbench_of(viewer) is None
    wait_until(lambda: not at_work())
    let_go(0.2)
    assert (ref() is not None) == is_held
    assert len(viewer.layers) == 0
    (told,) = notifications
    assert told.message.startswith("Canceled: the panel was closed.\n")
    assert "hide the panel" in told.message
    # It opens the next time.
    web.faults.clear()
    panel = open_workbench(viewer)
    panel.header.open_source(link)
    wait_until(lambda: not panel.opener.background_job.busy)
    assert [map_of(one).key for one in viewer.layers if map_of(one)] == ["z"]
    del held


def test_hiding_the_panel_lets_it_go_on(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    web: LocalServers,
    link: str,
) -> None:
    viewer = make_napari_viewer(show=True)
    panel = opening(viewer, web, link, "/media/")
    press_title(panel, "QTitleBarHideButton")
    assert not panel.isVisible()
    wait_until(lambda: not panel.opener.background_job.busy)
    assert [map_of(one).key for one in viewer.layers if map_of(one)] == ["z"]
    assert not panel.isVisible()


@pytest.mark.slow
@pytest.mark.parametrize("by", ["script", "button of the window"])
def test_closing_the_window_ends_what_its_panel_is_opening(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    web: LocalServers,
    link: str,
    notifications: list[Any],
    by: str,
) -> None:
    other, viewer = make_napari_viewer(), make_napari_viewer()
    opening(viewer, web, link, "/media/")
    if by == "script":
        viewer.close()
    else:
        viewer.window._qt_window.close()
        # napari fails to close once more what its button has closed.
        del viewer.window._qt_window
    wait_until(lambda: not at_work())
    let_go(0.2)
    assert len(viewer.layers) == len(other.layers) == 0
    assert notifications == []


def test_a_panel_that_is_closed_while_it_waits_is_there_until_it_goes_on(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer()
    refs, alive = [weakref.ref(open_workbench(viewer))], []
    looked = threading.Event()

    def close() -> None:
        viewer.window.remove_dock_widget(dock_of(workbench_of(viewer)))

    def look() -> None:
        gc.collect()
        alive.extend(ref() is not None for ref in refs)
        looked.set()

    QTimer.singleShot(20, close)
    QTimer.singleShot(200, look)
    assert wait_for(lambda job: looked.wait(20), "Waiting", viewer)
    assert alive == [True]
    assert workbench_of(viewer) is None


def test_a_result_without_layers_is_listed_and_holds_no_voxels(
    plugin: Any,
    viewer: Any,
    qapp: Any,
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    panel = Workbench(viewer)
    for name in ("first", "second"):
        folder = write({"z": rng.random(SHAPE) * 6, "p": rng.random(SHAPE)}, name=name)
        panel.header.open_source(str(folder))
        wait_until(lambda: not panel.opener.background_job.busy)
    first, second = panel.opener.results
    for results in (first, second):
        assert results["p"].data is not None
        assert results.mask_of(results["z"]) is not None
        assert results._cache.nbytes > 0
    voxels = weakref.ref(first["p"].data)
    for layer in [one for one in viewer.layers if map_of(one) is first["z"]]:
        viewer.layers.remove(layer)
    assert first._cache.nbytes == 0
    assert first._facts == {}
    # The line of the place lets go of what it read when it looks the next time.
    let_go(0.1)
    gc.collect()
    assert voxels() is None
    assert second._cache.nbytes > 0
    assert panel.opener.results == [second, first]
    show_alone(viewer, first["z"])
    assert any(map_of(one) is first["z"] for one in viewer.layers)
    panel.close()
