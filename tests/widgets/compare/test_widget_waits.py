"""The window answers while maps are compared, and says what its choices are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.clusters import defaults
from napari_neurosynth_results.viewer.compare import comparison_layers
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
