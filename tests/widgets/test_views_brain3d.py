"""The widget of 3D: buttons do what they say, and it says what is shown."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results.anatomy.planes import HEAD_SIDES
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import brain_of, show_brain
from napari_neurosynth_results.viewer.brain_views.cortex import cortex_of
from napari_neurosynth_results.viewer.brain_views.glass import glass_of, toggle_glass
from napari_neurosynth_results.viewer.layers import map_layer
from napari_neurosynth_results.viewer.scene import facing
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.views import Brain3D
from napari_neurosynth_results.widgets.workbench import open_workbench

pytestmark = pytest.mark.usefixtures("preferences", "a_map")


@pytest.fixture
def a_map(viewer: Any, opened: Callable[..., Any]) -> Any:
    """Return the layer of a map, the only one in the viewer."""
    from napari.layers import Layer

    data = np.zeros((8, 9, 8))
    data[5:7, 5:7, 5:7] = 6
    layer = Layer.create(*map_layer(opened({"z": data})["z"], visible=True)[0])
    return viewer.add_layer(layer)


@pytest.fixture
def widget(viewer: Any) -> Iterator[Brain3D]:
    """Return the widget."""
    made = Brain3D(viewer)
    yield made
    made.close()


def test_the_list_shows_brain_surface_and_slices(viewer: Any, widget: Brain3D) -> None:
    widget.shown.value = "3D brain"
    assert brain_of(viewer) is not None
    assert "Maps stand back" in widget.sentence.value
    for what in ("cortical surface", "inflated surface"):
        widget.shown.value = what
        assert cortex_of(viewer) is not None
        assert widget.shown.value == what
        assert "MNI305" in widget.sentence.value
    widget.shown.value = "3D brain"
    assert cortex_of(viewer) is None
    widget.shown.value = "slices and volumes"
    assert viewer.dims.ndisplay == 2
    assert brain_of(viewer) is None
    assert [layer.visible for layer in viewer.layers] == [True]
    assert widget.sentence.value == ""


def test_a_button_shows_its_side(viewer: Any, widget: Brain3D) -> None:
    widget.shown.value = "3D brain"
    for side in HEAD_SIDES:
        widget.sides[side].native.click()
        assert facing(viewer) == side


def test_the_widget_follows_whoever_steers(viewer: Any, widget: Brain3D) -> None:
    show_brain(viewer)
    assert widget.shown.value == "3D brain"
    scene.show_plane(viewer, "axial")
    assert widget.shown.value == "slices and volumes"
    toggle_glass(viewer)
    assert widget.glass.value
    widget.glass.value = False
    assert glass_of(viewer) is None
    widget.glass.value = True
    assert glass_of(viewer) is not None


def test_without_a_map_it_says_what_to_do(qapp: Any) -> None:
    from napari.components import ViewerModel

    model = ViewerModel()
    widget = Brain3D(model)
    widget.shown.value = "3D brain"
    assert widget.sentence.value == "Open a map first."
    assert widget.shown.value == "slices and volumes"
    model.add_image(np.zeros((9, 9, 9)))
    widget.shown.value = "cortical surface"
    assert "Show a map first" in widget.sentence.value
    assert widget.shown.value == "slices and volumes"
    widget.close()


@pytest.mark.slow
def test_a_closed_widget_leaves_no_callbacks(viewer: Any) -> None:
    events = (viewer.dims.events.ndisplay, viewer.layers.events.inserted)
    before = [len(event.callbacks) for event in events]
    widget = Brain3D(viewer)
    widget.close()
    del widget
    gc.collect()
    viewer.dims.ndisplay = 3
    viewer.add_image(np.zeros((3, 3, 3)))
    assert [len(event.callbacks) for event in events] == before


@pytest.mark.viewer
def test_the_widget_steers_a_window(
    plugin: Any, make_napari_viewer_proxy: Callable[..., Any], write: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer_proxy()
    widget = open_workbench(viewer, "Views").panel("Views").brain
    data = np.zeros((8, 9, 8), np.float32)
    data[5:7, 5:7, 5:7] = 9
    viewer.open(write({"z": data}), plugin=PLUGIN)
    before = [layer.visible for layer in viewer.layers]
    widget.shown.value = "3D brain"
    widget.sides["left"].native.click()
    assert viewer.canvas.overlays["orientation_left"].text == "A"
    assert viewer.layers[0].name.startswith("Brain outline")
    widget.glass.value = True
    widget.shown.value = "cortical surface"
    viewer.dims.ndisplay = 2
    assert glass_of(viewer) is not None
    widget.glass.value = False
    assert [layer.visible for layer in viewer.layers] == before
