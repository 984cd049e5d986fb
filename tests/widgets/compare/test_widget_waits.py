"""The window answers while maps are compared, and says what its choices are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel

from conftest import SHAPE
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.clusters import defaults
from napari_neurosynth_results.viewer.compare import comparison_layers
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.napari_private import is_closed
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.common.layout import name_controls
from napari_neurosynth_results.widgets.compare import widget as widget_module
from napari_neurosynth_results.widgets.compare.widget import CompareWidget


@pytest.mark.viewer
def test_the_window_answers_while_maps_are_found_and_counted(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    sample: ResultSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer()
    add_maps(viewer, [sample["z"]])
    made = CompareWidget(viewer)
    # The window takes it along when it is closed.
    viewer.window.add_dock_widget(made)
    where: dict[str, set[bool]] = {}

    def spy(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def call(*args: Any, **options: Any) -> Any:
            on_main = threading.current_thread() is threading.main_thread()
            where.setdefault(name, set()).add(on_main)
            return real(*args, **options)

        monkeypatch.setattr(owner, name, call)

    for owner, name in (
        (comparison_layers, "map_layer"),
        (defaults, "clusters_at"),
        (widget_module, "compare"),
        (widget_module, "compare_all"),
    ):
        spy(owner, name)
    made.maps.check([sample[stem] for stem in ("z", "logp", "stat")])
    assert set(where) == {"map_layer", "clusters_at", "compare", "compare_all"}
    assert all(on_main == {False} for on_main in where.values()), where
    assert made.matrix is not None
    made.thresholds.value = made.thresholds.choices[1]
    assert where["clusters_at"] == {False}


def act_meanwhile(
    monkeypatch: pytest.MonkeyPatch, slow: str, act: Callable[[], object]
) -> QTimer:
    """Let something take time, and act in the window once it has begun."""
    begun, acting, timer = threading.Event(), threading.Event(), QTimer()
    real = getattr(widget_module, slow)

    def take_time(*args: Any, **options: Any) -> Any:
        begun.set()
        assert acting.wait(20)
        time.sleep(0.1)
        return real(*args, **options)

    def act_once() -> None:
        if begun.is_set():
            timer.stop()
            acting.set()
            act()

    monkeypatch.setattr(widget_module, slow, take_time)
    timer.timeout.connect(act_once)
    timer.start(20)
    return timer


@pytest.mark.viewer
@pytest.mark.parametrize("slow", ["find_compared", "_count"])
def test_a_window_can_be_closed_while_maps_are_found_and_counted(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    sample: ResultSet,
    monkeypatch: pytest.MonkeyPatch,
    slow: str,
) -> None:
    viewer = make_napari_viewer()
    add_maps(viewer, [sample["z"]])
    made = CompareWidget(viewer)
    viewer.window.add_dock_widget(made)
    timer = act_meanwhile(monkeypatch, slow, viewer.close)
    # What fails in between fails the test.
    made.maps.check([sample[stem] for stem in ("z", "logp")])
    assert not timer.isActive()
    assert is_closed(viewer)


@pytest.mark.viewer
@pytest.mark.parametrize("all_of_them", [True, False])
def test_what_is_deleted_while_maps_are_found_does_not_come_back(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    sample: ResultSet,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
    all_of_them: bool,
) -> None:
    viewer = make_napari_viewer()
    add_maps(viewer, [sample["z"], sample["stat"]])
    made = CompareWidget(viewer)
    viewer.window.add_dock_widget(made)

    def delete() -> None:
        layers = viewer.layers
        gone = [one for one in layers if all_of_them or map_of(one) is sample["z"]]
        for layer in gone:
            if layer in layers:
                layers.remove(layer)

    timer = act_meanwhile(monkeypatch, "find_compared", delete)
    made.maps.check([sample[stem] for stem in ("z", "logp")])
    assert not timer.isActive()
    qtbot.wait(500)
    left = [] if all_of_them else ["stat", "logp"]
    assert [map_of(one).key for one in viewer.layers if map_of(one)] == left
    assert made.maps.checked == ([] if all_of_them else [sample["logp"]])
    assert made.comparison is None
    timer.stop()


@pytest.mark.viewer
def test_a_result_that_comes_while_maps_are_found_is_listed(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    sample: ResultSet,
    opened: Callable[..., ResultSet],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    viewer = make_napari_viewer()
    add_maps(viewer, [sample["z"]])
    made = CompareWidget(viewer)
    viewer.window.add_dock_widget(made)
    values = np.zeros(SHAPE, np.float32)
    values[2:4, 3:5, 3:5] = 4
    other = opened({"z": values})["z"]
    timer = act_meanwhile(
        monkeypatch, "find_compared", lambda: add_maps(viewer, [other])
    )
    made.maps.check([sample[stem] for stem in ("z", "logp")])
    assert not timer.isActive()
    assert other in made.maps.listed
    assert made.maps.checked == [sample["z"], sample["logp"]]
    assert made.comparison is not None


def test_choices_have_labels_and_white_a_frame(
    plugin: Any, viewer: Any, sample: ResultSet
) -> None:
    """In a light theme white lies on white."""
    add_maps(viewer, [sample["z"], sample["logp"]])
    made = CompareWidget(viewer)
    name_controls(made.native)
    labels = {label.buddy(): label.text() for label in made.native.findChildren(QLabel)}
    assert labels[made.mode.native] == "Seen"
    assert labels[made.thresholds.native] == "Thresholds"
    made.maps.check_in_order([sample["z"], sample["logp"]])
    made.mode.value = "overlay"
    # Whatever comes or goes, the list says which color is whose.
    viewer.add_image(np.zeros((4, 4, 4)), name="another")
    role = Qt.ItemDataRole.DecorationRole
    items = [made.maps.item(row) for row in range(made.maps.count())]
    assert [item.data(role) is not None for item in items[:2]] == [True, True]
    seen = QLabel(made.numbers.legend.text().replace("<br>", " "))
    seen.setStyleSheet("background: white; color: white")
    seen.resize(seen.sizeHint())
    image = seen.grab().toImage()
    at = {
        image.pixelColor(x, y).name()
        for x in range(image.width())
        for y in range(image.height())
    }
    assert {"#ffffff", "#808080"} <= at
    made.close()
