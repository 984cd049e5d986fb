"""The window answers while maps are made ready to be compared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.clusters import defaults
from napari_neurosynth_results.viewer.compare import comparison_layers
from napari_neurosynth_results.viewer.plugin.reader import add_maps
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
