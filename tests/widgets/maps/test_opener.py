"""The panel and a server: paste, watch, cancel, try again, and go offline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from local_servers import Fault, LocalServers, label_xml
from napari_neurosynth_results.job import CancelledError
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.settings import PLUGIN, read_settings
from napari_neurosynth_results.widgets.commands import copy_diagnostics
from napari_neurosynth_results.widgets.maps.description import description_html
from napari_neurosynth_results.widgets.maps.maps_panel import MapsPanel
from napari_neurosynth_results.widgets.maps.opener import RecentSource, recent_sources
from napari_neurosynth_results.widgets.workbench import Workbench

SHAPE = (8, 9, 8)
STEMS = ("z", "p", "stat", "z_corr-FDR_method-indep", "p_corr-FDR_method-indep")
DEADLINE = 20.0
#: Column of the list of maps.
SIZE = 1


def wait_until(happened: Callable[[], bool]) -> None:
    """Let Qt work until something has happened."""
    end = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        QApplication.processEvents()
        time.sleep(0.005)


def wait(widget: Workbench) -> None:
    wait_until(lambda: not widget.opener.background_job.busy)


def maps_of(widget: Workbench) -> MapsPanel:
    return widget.panel("Maps")


def state(widget: Workbench) -> dict[str, str]:
    view = maps_of(widget).view
    return {statmap.key: view.state_of(statmap) for statmap in view.maps}


def paste(widget: Workbench, text: str) -> None:
    widget.header.source.setText(text)
    widget.header.source.returnPressed.emit()


def recent() -> list[RecentSource]:
    return recent_sources(read_settings().online)


@pytest.fixture
def collection(web: LocalServers, rng: np.random.Generator) -> Any:
    """Return a collection of a small run."""
    collection = web.add_collection("Pain", authors="A <b>", DOI="10.1/x")
    for stem in STEMS:
        collection.add_image(f"{stem}.nii.gz", rng.uniform(0.001, 1, SHAPE))
    return collection


@pytest.fixture
def widget(plugin: Any, viewer: Any, web: LocalServers) -> Iterator[Workbench]:
    """Return the panel on a viewer without a window."""
    made = Workbench(viewer)
    yield made
    wait(made)
    made.close()


def test_a_link_is_listed_and_its_first_map_shown(
    viewer: Any, widget: Workbench, web: LocalServers, collection: Any
) -> None:
    paste(widget, f"{web.neurovault}/collections/{collection.id}/")
    assert widget.opener.background_job.busy
    wait(widget)
    assert widget.header.source.text() == ""
    assert state(widget) == {
        "z_corr-FDR_method-indep": "shown",
        "z": "on disk",
        "p_corr-FDR_method-indep": "on disk",
        "p": "on disk",
        "stat": "on disk",
    }
    wait_until(lambda: not widget.opener.background_job.busy)
    assert [map_of(layer).key for layer in viewer.layers if map_of(layer)] == [
        "z_corr-FDR_method-indep"
    ]
    assert "A &lt;b&gt;" in description_html(widget.header.result)
    assert "https://doi.org/10.1/x" in description_html(widget.header.result)
    view = maps_of(widget).view
    places = [view.rows.rows.index(statmap) for statmap in view.maps]
    sizes = [view.rows.index(place, SIZE).data() for place in places]
    assert len(sizes) == 5
    assert all(size.endswith(" MB") for size in sizes)


def test_filters(widget: Workbench, collection: Any) -> None:
    paste(widget, str(collection.id))
    wait(widget)
    maps_of(widget).kind.value = "p"
    assert list(state(widget)) == ["p_corr-FDR_method-indep", "p"]
    maps_of(widget).correction.value = "uncorrected"
    assert list(state(widget)) == ["p"]
    maps_of(widget).kind.value = maps_of(widget).kind.choices[0]
    maps_of(widget).search.value = "STAT"
    assert list(state(widget)) == ["stat"]


@pytest.mark.slow
@pytest.mark.timed
def test_progress_is_seen_and_cancel_keeps_what_has_come(
    viewer: Any, widget: Workbench, web: LocalServers, collection: Any
) -> None:
    web.fail(r"/media/.*/(z|p|stat)\.nii", Fault.drip(400))
    paste(widget, str(collection.id))
    wait_until(lambda: any(s.endswith("%") for s in state(widget).values()))
    # The list is there, the first map is under way.
    assert len(state(widget)) == 5
    assert not widget.opener.background_job.isHidden()
    started = time.monotonic()
    widget.opener.background_job.cancel_button.click()
    wait(widget)
    assert time.monotonic() - started < 2
    assert widget.opener.background_job.isHidden()
    assert state(widget)["z"] == "on the server"
    assert len(viewer.layers) == 0
    web.faults.clear()
    maps_of(widget).view.choose([widget.header.result["z"]])
    maps_of(widget).alone.native.click()
    wait(widget)
    assert state(widget)["z"] == "shown"


@pytest.mark.slow
def test_what_failed_is_told_and_tried_again(
    viewer: Any,
    widget: Workbench,
    web: LocalServers,
    collection: Any,
    notifications: list[Any],
) -> None:
    collection.add_image("z_desc-b.nii.gz", np.ones(SHAPE))
    collection.add_image("t.nii.gz", np.ones(SHAPE))
    paste(widget, str(collection.id))
    wait(widget)
    web.fail("/media/.*desc-b", Fault.status(404, html=True))
    results = widget.header.result
    maps_of(widget).view.choose([results["z_desc-b"], results["t"]])
    maps_of(widget).add.native.click()
    wait(widget)
    assert (state(widget)["z_desc-b"], state(widget)["t"]) == ("failed", "shown")
    assert "z_desc-b.nii.gz" in maps_of(widget).problems.value
    assert any("z_desc-b.nii.gz" in told.message for told in notifications)
    assert maps_of(widget).alone.text == "Try again"
    web.faults.clear()
    maps_of(widget).alone.native.click()
    wait(widget)
    assert state(widget)["z_desc-b"] == "shown"
    assert maps_of(widget).alone.text == "Show alone"


def test_what_is_no_source_is_told(widget: Workbench, notifications: list[Any]) -> None:
    paste(widget, "https://neurovault.org/search?q=pain")
    wait(widget)
    assert "search page" in notifications[-1].message
    assert "search page" in widget.header.said.text()
    paste(widget, "777")
    wait(widget)
    assert "777" in notifications[-1].message
    assert widget.header.source.text() == "777"


@pytest.mark.slow
def test_without_the_network_the_recent_source_opens_again(
    viewer: Any, widget: Workbench, web: LocalServers, collection: Any
) -> None:
    paste(widget, str(collection.id))
    wait(widget)
    web.fail(".", Fault.reset())
    web.reset_log()
    assert [one.title for one in recent()] == ["Pain"]
    viewer.layers.clear()
    again = Workbench(viewer)
    again.header.list_recent()
    again.header.recent.actions()[0].trigger()
    wait(again)
    assert again.header.results.count() == 1
    assert "Shown as it was on" in maps_of(again).problems.value
    assert web.paths("/media/") == []
    again.close()


def test_a_map_that_waits_never_holds_up_the_viewer(
    viewer: Any, widget: Workbench, web: LocalServers, collection: Any
) -> None:
    collection.add_image("chi2.nii.gz", np.ones(SHAPE))
    collection.add_image("z_desc-other.nii.gz", np.ones(SHAPE))
    paste(widget, str(collection.id))
    wait(widget)
    web.reset_log()
    results = widget.header.result
    statmap = results["z_corr-FDR_method-indep"]
    assert set(results.siblings(statmap)) == {"p"}
    assert statmap.mask is not None
    assert not results["z_desc-other"].at_hand
    assert web.requests == []


def test_an_atlas_becomes_labels_with_names(
    viewer: Any, widget: Workbench, web: LocalServers
) -> None:
    labels = np.zeros(SHAPE, np.int16)
    labels[2, 2, 2], labels[4, 4, 4] = 1, 3
    atlas = web.add_collection("Atlas")
    atlas.add_atlas("atlas.nii.gz", labels, label_xml({1: "V1"}))
    paste(widget, str(atlas.id))
    wait(widget)
    layer = viewer.layers[-1]
    assert type(layer).__name__ == "Labels"
    named = list(layer.features["cluster"])
    assert named == ["", "V1", "label 2 (no name)", "label 3 (no name)"]


@pytest.mark.slow
def test_a_private_link_is_nowhere_in_layers_recent_sources_and_diagnostics(
    viewer: Any,
    widget: Workbench,
    web: LocalServers,
    notifications: list[Any],
    tmp_path: Path,
) -> None:
    secret = web.add_collection("Secret", private=True)
    secret.add_image("z.nii.gz", np.ones(SHAPE))
    paste(widget, f"{web.neurovault}/collections/{secret.token}/")
    wait(widget)
    wait_until(lambda: len(viewer.layers) > 0)
    copy_diagnostics(viewer)
    texts = [QApplication.clipboard().text(), maps_of(widget).problems.value]
    texts += [str(layer.metadata) + str(layer.source) for layer in viewer.layers]
    texts += [str(recent()), str(notifications)]
    texts += [description_html(widget.header.result), widget.header.source.text()]
    assert secret.token not in "".join(texts)
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert not any(secret.token.encode() in path.read_bytes() for path in files)
    # Reopened by what it is kept under, without the server.
    web.reset_log()
    viewer.layers.clear()
    again = Workbench(viewer)
    again.header.open_source(recent()[0].source)
    wait(again)
    assert again.header.results.count() == 1
    assert len(viewer.layers) > 0
    assert web.requests == []
    again.close()


def test_a_closed_panel_asks_for_nothing_more(
    plugin: Any, viewer: Any, web: LocalServers, collection: Any
) -> None:
    widget = Workbench(viewer)
    web.fail("/media/", Fault.drip(100))
    paste(widget, str(collection.id))
    wait_until(lambda: len(web.paths("/media/")) >= 1)
    future = widget.opener.background_job._future
    assert future is not None
    widget.close()
    widget.deleteLater()
    del widget
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    wait_until(future.done)
    assert isinstance(future.exception(), CancelledError)
    assert len(web.paths("/media/")) <= 5
    assert len(viewer.layers) == 0


@pytest.mark.viewer
@pytest.mark.parametrize(
    ("first", "fetched"), [("one map", 1), ("all, up to twelve", 12)]
)
def test_a_link_given_to_napari_fetches_what_it_shows_first(
    preferences: Any,
    make_napari_viewer_proxy: Callable[..., Any],
    web: LocalServers,
    notifications: list[Any],
    first: str,
    fetched: int,
) -> None:
    preferences.view.first_maps = first
    many = web.add_collection("Many")
    for n in range(30):
        many.add_image(f"z_desc-{n:02}.nii.gz", np.ones(SHAPE))
    viewer = make_napari_viewer_proxy()
    alive: list[int] = []
    web.latency = 0.05
    from qtpy.QtCore import QTimer

    timer = QTimer()
    timer.timeout.connect(lambda: alive.append(1))
    timer.start(10)
    viewer.open(f"{web.neurovault}/collections/{many.id}/", plugin=PLUGIN)
    timer.stop()
    assert len(web.paths("/media/")) == fetched
    shown = [map_of(layer) for layer in viewer.layers if map_of(layer) is not None]
    assert len(shown) == min(fetched, 7)
    # While files came, the window went on drawing.
    assert len(alive) >= min(fetched, 5)
    more = 30 - len(shown)
    assert f"{more} more in the tab Maps of the panel" in notifications[-1].message


def test_the_head_of_the_panel_says_what_is_being_opened(
    widget: Workbench, web: LocalServers, collection: Any
) -> None:
    """There is no map until the first one has come, and none to choose either."""
    link = f"{web.neurovault}/collections/{collection.id}/"
    web.fail("/media/", Fault.stall(0.5))
    paste(widget, link)
    assert widget.header.sentence.text() == f"Opening {link} ..."
    wait_until(lambda: bool(web.paths("/media/")))
    assert widget.header.sentence.text() == "Opening Pain ..."
    # Nothing else in the panel says otherwise.
    assert widget.panel("Clusters").threshold.sentence.native.isHidden()
    widget.opener.background_job.cancel()
    wait(widget)
    assert widget.header.sentence.text().startswith("No map is shown.")
