"""A viewer without a window, and the packaged sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.plugin.reader import add_maps


@pytest.fixture
def viewer(qapp: Any) -> Any:
    """Return the model of a viewer: no window, no graphics card."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture(scope="module")
def sample(sample_path: Path) -> ResultSet:
    """Return the packaged sample."""
    return open_results(sample_path)


@pytest.fixture
def maps(viewer: Any, sample: ResultSet) -> Any:
    """Return the viewer with two maps of the sample in it, at the insula."""
    add_maps(viewer, [sample["z"], sample["logp"]])
    for layer in viewer.layers:
        layer.visible = True
    scene.look_at(viewer, 38, 4, 2)
    return viewer
