"""A viewer without a window, and the packaged sample."""

from __future__ import annotations

from typing import Any

import pytest

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.plugin.reader import add_maps


@pytest.fixture
def maps(viewer: Any, sample: ResultSet) -> Any:
    """Return the viewer with two maps of the sample in it, at the insula."""
    add_maps(viewer, [sample["z"], sample["logp"]])
    for layer in viewer.layers:
        layer.visible = True
    scene.look_at(viewer, 38, 4, 2)
    return viewer
