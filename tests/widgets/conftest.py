"""A viewer without a window, and the packaged sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers.keys import activate
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import scene, shown_maps
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.workbench import Workbench


@pytest.fixture
def maps(viewer: Any, sample: ResultSet) -> Any:
    """Return the viewer with two maps of the sample in it, at the insula."""
    add_maps(viewer, [sample["z"], sample["logp"]])
    for layer in viewer.layers:
        layer.visible = True
    scene.look_at(viewer, 38, 4, 2)
    return viewer


@pytest.fixture
def window(plugin: Any, make_napari_viewer: Callable[..., Any]) -> Any:
    """Return the viewer of a window as large as a laptop has room for; keys go to it.

    Each test has its own: what is done in it changes the window.
    """
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 740)
    activate(viewer)
    return viewer


@pytest.fixture
def panel(
    plugin: Any, viewer: Any, sample: ResultSet, qapp: Any
) -> Iterator[Workbench]:
    """Return the panel on a viewer without a window, with the sample in it."""
    shown_maps.show_alone(viewer, sample["z"])
    scene.look_at(viewer, 38, 4, 2)
    made = Workbench(viewer)
    yield made
    made.close()
