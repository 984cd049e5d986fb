"""The widget of foci: of an open result or a file, a slab, studies that are lit up."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QItemSelectionModel
from qtpy.QtWidgets import QFileDialog

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.studies import (
    Analysis,
    Focus,
    LazyStudies,
    Studies,
    Study,
)
from napari_neurosynth_results.viewer.foci import (
    foci_layers,
    lit_studies,
    set_slab,
    show_foci,
    slab_of,
    studies_of,
)
from napari_neurosynth_results.viewer.layers import METADATA_KEY
from napari_neurosynth_results.widgets import foci as foci_widget
from napari_neurosynth_results.widgets.foci import FociWidget, about_foci
from napari_neurosynth_results.widgets.workbench import open_workbench

SLEUTH = """//Reference=Talairach
//Doe, 2005: warm
//Subjects=12
-42 18 6
10 -20 30

//Roe, 1999: cold
//Subjects=8
1 2 3
"""


@pytest.fixture
def studies() -> Studies:
    """Return two studies that count, and one that does not."""
    foci = (Focus(-40, 20, 10, "MNI"), Focus(0, 0, 0, "TAL", True), Focus(1, 1, 1))
    one = Study("1", "Doe", year=2005, analyses=(Analysis("1", "warm", foci),))
    two = Study("2", "Roe", analyses=(Analysis("1", "cold", foci[:1]),))
    three = Study("3", "Poe", analyses=(Analysis("1", "rest", foci, 0),))
    return Studies((one, two, three), notices=("Something was assumed.",))


@pytest.fixture
def widget(viewer: Any) -> Iterator[FociWidget]:
    """Return the widget."""
    made = FociWidget(viewer)
    yield made
    made.close()


@pytest.fixture
def sleuth(tmp_path: Path) -> str:
    """Write a text of two studies."""
    path = tmp_path / "ale.txt"
    path.write_text(SLEUTH, encoding="utf-8")
    return str(path)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the errors that are shown."""
    shown: list[str] = []
    monkeypatch.setattr(
        "napari_neurosynth_results.viewer.progress_bar.show_error", shown.append
    )
    return shown


class _Voxels:
    def read(self) -> tuple[Any, tuple[str, ...]]:
        return np.zeros((2, 2, 2), np.float32), ()


def add_result(viewer: Any, find: Callable[[], Studies | None], title: str) -> None:
    """Add the layer of a map whose result finds its studies in some way."""
    file = MapFile("z", None, MapKind.Z, Grid((2, 2, 2), np.eye(4)), "", _Voxels())
    found = LazyStudies(find, remote=True)
    results = ResultSet([file], title=title, source="", studies=found)
    viewer.add_image(np.zeros((2, 2, 2)), metadata={METADATA_KEY: results["z"]})


def names(widget: FociWidget) -> list[str]:
    listed, model = widget.studies, widget.studies.model()
    rows = [row for row in range(model.rowCount()) if not listed.isRowHidden(row)]
    return [model.index(row, 0).data() for row in rows]


def click_study(widget: FociWidget, row: int) -> None:
    """Add a study to those that are chosen."""
    index = widget.studies.model().index(row, 0)
    select = QItemSelectionModel.SelectionFlag.Select
    widget.studies.selectionModel().select(index, select)


def test_with_nothing_open_it_says_what_to_do(
    viewer: Any, widget: FociWidget, told: list[str]
) -> None:
    assert "NIMADS" in widget.about.value
    assert not widget.slab.enabled
    widget.show_them.native.click()
    assert "no result" in told[0]
    assert len(viewer.layers) == 0


def test_the_foci_of_an_open_result(
    viewer: Any, widget: FociWidget, studies: Studies
) -> None:
    add_result(viewer, lambda: studies, "Pain")
    add_result(viewer, lambda: None, "Pain")
    assert [name for name, _ in widget._choices()] == ["Pain", "Pain (2)"]
    widget.show_them.native.click()
    (layer,) = foci_layers(viewer)
    assert studies_of(layer) is studies
    assert names(widget) == ["Doe (2005)", "Roe"]
    lines = widget.about.value.splitlines()
    assert lines == [
        "4 foci of 2 studies (1 more was not used): 1 converted from Talairach; "
        "1 of unknown space, taken for MNI.",
        "Something was assumed.",
    ]
    widget.show_them.native.click()
    assert foci_layers(viewer) == [layer]


def test_a_result_without_studies_says_why(
    viewer: Any, widget: FociWidget, told: list[str]
) -> None:
    def broken() -> Studies:
        raise ResultsError("The server is away. Try again later.")

    add_result(viewer, lambda: None, "Pain")
    add_result(viewer, broken, "Other")
    widget.show_them.native.click()
    widget.source.value = dict(widget._choices())["Other"]
    widget.show_them.native.click()
    assert "studies of Pain are not known" in told[0]
    assert told[1] == "The server is away. Try again later."
    assert foci_layers(viewer) == []


def test_a_cancelled_question_is_let_go(
    viewer: Any, widget: FociWidget, told: list[str], studies: Studies
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slow() -> Studies:
        asked.set()
        answer.wait(20)
        return studies

    add_result(viewer, slow, "Pain")
    job = Job()
    threading.Thread(target=lambda: (asked.wait(20), job.cancel())).start()
    with pytest.raises(CancelledError):
        foci_widget._ask(widget.source.value, job)
    answer.set()
    # What came late is there the next time.
    assert foci_widget._ask(widget.source.value, Job()) is studies


def test_cancelling_shows_nothing(
    viewer: Any, widget: FociWidget, told: list[str]
) -> None:
    def cancelled() -> Studies:
        raise CancelledError("Cancelled.")

    add_result(viewer, cancelled, "Pain")
    widget.show_them.native.click()
    assert told == []
    assert foci_layers(viewer) == []


def test_a_file_is_shown_at_once(
    viewer: Any, widget: FociWidget, sleuth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (sleuth, ""))
    widget.file.native.click()
    assert names(widget) == ["Doe, 2005", "Roe, 1999"]
    assert "3 converted from Talairach" in widget.about.value
    assert not widget.column.visible
    widget.file.native.click()
    assert len(foci_layers(viewer)) == 1
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    widget.file.native.click()
    assert len(foci_layers(viewer)) == 1


def test_an_annotation_is_asked_about(
    viewer: Any, widget: FociWidget, tmp_path: Path
) -> None:
    points = [{"coordinates": [1, 2, 3], "space": "MNI"}]
    listed = [
        {"id": f"s{n}", "analyses": [{"id": f"a{n}", "points": points}]}
        for n in range(3)
    ]
    notes = [{"analysis": f"a{n}", "note": {"used": n == 1}} for n in range(3)]
    path = tmp_path / "studyset.json"
    document = {"studies": listed, "annotations": [{"notes": notes}]}
    path.write_text(json.dumps(document), encoding="utf-8")
    widget.native.show()
    widget.open_file(str(path))
    assert widget.column.visible
    assert foci_layers(viewer) == []
    widget.column.value = "used"
    widget.show_them.native.click()
    assert names(widget) == ["s1"]


def test_a_broken_file_says_why(
    viewer: Any, widget: FociWidget, tmp_path: Path, told: list[str]
) -> None:
    path = tmp_path / "dset.pkl"
    path.write_bytes(b"\x80\x04.")
    widget.open_file(str(path))
    assert "pickle" in told[0]
    assert foci_layers(viewer) == []


def test_the_slab(viewer: Any, widget: FociWidget, studies: Studies) -> None:
    layer = show_foci(viewer, studies)
    assert widget.slab.enabled
    assert widget.slab.value == 10
    widget.slab.value = 40
    assert slab_of(layer) == 40
    widget.everything.value = True
    assert slab_of(layer) is None
    assert not widget.slab.enabled
    widget.everything.value = False
    assert slab_of(layer) == 40
    set_slab(layer, 24)
    again = FociWidget(viewer)
    assert again.slab.value == 24
    again.close()


def test_studies_are_lit_up(viewer: Any, widget: FociWidget, studies: Studies) -> None:
    layer = show_foci(viewer, studies)
    click_study(widget, 1)
    assert lit_studies(layer) == {"2"}
    click_study(widget, 0)
    assert lit_studies(layer) == {"1", "2"}
    again = FociWidget(viewer)
    assert sorted(again.studies.chosen_ids()) == ["1", "2"]
    again.close()
    widget.none.native.click()
    assert lit_studies(layer) is None


def test_studies_are_found_by_words(
    viewer: Any, widget: FociWidget, studies: Studies
) -> None:
    show_foci(viewer, studies)
    widget.search.value = "2005 doe"
    assert names(widget) == ["Doe (2005)"]
    widget.search.value = ""
    assert len(names(widget)) == 2


def test_each_layer_keeps_its_own(
    viewer: Any, widget: FociWidget, studies: Studies, sleuth: str
) -> None:
    first = show_foci(viewer, studies)
    widget.studies.choose(["2"])
    widget.open_file(sleuth)
    second = widget.layer
    assert second is not first
    assert lit_studies(second) is None
    widget.slab.value = 60
    viewer.layers.selection.active = first
    assert names(widget) == ["Doe (2005)", "Roe"]
    assert widget.studies.chosen_ids() == ["2"]
    assert widget.slab.value == 10
    viewer.layers.remove(first)
    assert widget.slab.value == 60
    viewer.layers.remove(second)
    assert names(widget) == []
    assert not widget.slab.enabled


def test_foci_outside_of_any_head_are_told() -> None:
    foci = (Focus(0, 0, 0, "MNI"), Focus(0, 0, 700, "MNI"))
    studies = Studies((Study("1", "Doe", analyses=(Analysis("1", "a", foci),)),))
    assert about_foci(studies) == (
        "2 foci of 1 study: 1 outside of any head, not shown."
    )


@pytest.mark.slow
def test_a_closed_widget_leaves_the_layer_and_no_callbacks(
    viewer: Any, studies: Studies
) -> None:
    events = viewer.layers.events
    emitters = (events.inserted, events.removed, viewer.layers.selection.events.active)
    layer = show_foci(viewer, studies)
    before = [len(emitter.callbacks) for emitter in emitters]
    widget = FociWidget(viewer)
    widget.studies.choose(["1"])
    widget.close()
    del widget
    gc.collect()
    assert layer in viewer.layers
    assert lit_studies(layer) == {"1"}
    viewer.layers.selection.active = None
    viewer.layers.selection.active = layer
    viewer.layers.remove(viewer.add_image(np.zeros((2, 2, 2))))
    assert [len(emitter.callbacks) for emitter in emitters] == before


@pytest.mark.viewer
def test_the_widget_in_a_window(
    plugin: Any, make_napari_viewer_proxy: Callable[..., Any], sleuth: str
) -> None:
    viewer = make_napari_viewer_proxy()
    panel = open_workbench(viewer)
    dock, widget = panel.parentWidget(), panel.panel("Views").foci
    widget.open_file(sleuth)
    widget.slab.value = 30
    widget.studies.choose(["Doe, 2005"])
    (layer,) = foci_layers(viewer)
    assert slab_of(layer) == 30
    assert lit_studies(layer) == {"Doe, 2005"}
    viewer.window.remove_dock_widget(dock)
    del dock, widget
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    viewer.dims.ndisplay = 3
    viewer.layers.remove(layer)
    assert len(viewer.layers) == 0
