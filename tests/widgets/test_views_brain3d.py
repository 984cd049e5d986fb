"""3D, glass brain and cortex: a button shows each, and one click leads back."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtTest import QTest

from napari_neurosynth_results.anatomy.planes import HEAD_SIDES
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import brain_of, show_brain
from napari_neurosynth_results.viewer.brain_views.cortex import cortex_of
from napari_neurosynth_results.viewer.brain_views.glass import glass_of, toggle_glass
from napari_neurosynth_results.viewer.layers import map_layer
from napari_neurosynth_results.viewer.ortho.picture import drawable_layers
from napari_neurosynth_results.viewer.scene import facing
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.ortho.widget import (
    hide_ortho,
    ortho_of,
    show_ortho,
)
from napari_neurosynth_results.widgets.views import ViewsPanel
from napari_neurosynth_results.widgets.workbench import (
    go_back_to_scene,
    open_workbench,
    show_ortho_view,
)

pytestmark = pytest.mark.usefixtures("preferences", "a_map")

VIEWS = ("Coronal", "Sagittal", "3D", "Glass", "Cortex")


@pytest.fixture
def a_map(viewer: Any, opened: Callable[..., Any]) -> Any:
    """Return the layer of a map, the only one in the viewer."""
    from napari.layers import Layer

    data = np.zeros((8, 9, 8))
    data[5:7, 5:7, 5:7] = 6
    layer = Layer.create(*map_layer(opened({"z": data})["z"], visible=True)[0])
    return viewer.add_layer(layer)


@pytest.fixture
def panel(viewer: Any) -> Iterator[ViewsPanel]:
    """Return what the tab holds."""
    made = ViewsPanel(viewer)
    yield made
    made.close()


def press(panel: ViewsPanel, name: str) -> None:
    panel.views.buttons[name].click()


@pytest.mark.viewer
@pytest.mark.slow
def test_the_longest_explanation_moves_nothing_below_it(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 740)
    viewer.open_sample(PLUGIN, "pain-ale")
    views = open_workbench(viewer, "Views").panel("Views")
    QTest.qWait(200)
    before = [fold.y() for fold in views.folds.values()]
    press(views, "Cortex")
    QTest.qWait(200)
    assert views.said.text() == cortex_of(viewer).sentence
    assert [fold.y() for fold in views.folds.values()] == before


def down(panel: ViewsPanel) -> set[str]:
    """Return the buttons that are down."""
    return {name for name, one in panel.views.buttons.items() if one.isChecked()}


def let_go() -> None:
    """Delete what Qt deletes when its event loop comes round."""
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QCoreApplication.processEvents()


def state(viewer: Any) -> tuple[Any, ...]:
    """Return all of what one sees: layers, axes, place and camera."""
    camera, dims = viewer.scene.camera, viewer.dims
    return (
        [(layer.name, layer.visible) for layer in viewer.layers],
        (dims.order, dims.ndisplay, dims.point),
        (camera.center, camera.zoom, camera.angles, camera.perspective),
        tuple(map(str, camera.orientation)),
        viewer.layers.selection.active,
    )


@pytest.mark.slow
def test_buttons_show_brain_surface_and_glass(viewer: Any, panel: ViewsPanel) -> None:
    press(panel, "3D")
    assert brain_of(viewer) is not None
    assert "a click on a cluster goes to its peak" in panel.said.text()
    assert down(panel) == {"3D"}
    for inflated in (False, True):
        panel.brain.inflated.value = inflated
        press(panel, "Cortex")
        assert cortex_of(viewer).shape == ("inflated" if inflated else "pial")
        assert down(panel) == {"Cortex"}
        assert "MNI305" in panel.said.text()
    press(panel, "3D")
    assert cortex_of(viewer) is None
    press(panel, "Glass")
    assert viewer.dims.ndisplay == 2
    assert down(panel) == {"Axial", "Glass"}
    press(panel, "Glass")
    assert glass_of(viewer) is None
    assert down(panel) == {"Axial"}
    assert [layer.visible for layer in viewer.layers] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("name", VIEWS)
def test_one_click_leads_back(viewer: Any, panel: ViewsPanel, name: str) -> None:
    scene.look_at(viewer, 3, -4, 2)
    viewer.scene.camera.zoom, viewer.scene.camera.center = 3.25, (0, 1.0, -2.0)
    viewer.add_points(np.zeros((1, 3)), visible=False)
    before = state(viewer)
    assert not panel.views.back.isEnabled()
    press(panel, name)
    assert state(viewer) != before
    panel.views.back.click()
    assert state(viewer) == before
    assert not panel.views.back.isEnabled()


@pytest.mark.slow
def test_one_click_leads_back_however_many_views_there_were(
    viewer: Any, panel: ViewsPanel
) -> None:
    scene.show_plane(viewer, "coronal")
    before = state(viewer)
    for name in ("3D", "Cortex", "Glass", "3D"):
        press(panel, name)
    panel.brain.sides["left"].native.click()
    scene.look_at(viewer, 5, 5, 5)
    # What is added meanwhile was not there.
    added = viewer.add_points(np.zeros((1, 3)))
    panel.views.back.click()
    assert not added.visible
    viewer.layers.remove(added)
    viewer.layers.selection.active = before[-1]
    assert state(viewer) == before


def test_one_click_leads_back_from_planes_too(
    viewer: Any, panel: ViewsPanel, opened: Callable[..., Any]
) -> None:
    from napari.layers import Layer

    scene.look_at(viewer, 3, -4, 2)
    before = state(viewer)
    for name in ("Coronal", "Sagittal", "Axial", "Coronal"):
        press(panel, name)
        scene.look_at(viewer, 5, 5, 5)
    panel.views.back.click()
    assert state(viewer) == before
    assert not panel.views.back.isEnabled()
    # Once another map is shown, that is what was before.
    press(panel, "Coronal")
    statmap = opened({"other_z": np.ones((8, 9, 8))})["other_z"]
    viewer.layers[0].visible = False
    viewer.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))
    before = state(viewer)
    press(panel, "Sagittal")
    panel.views.back.click()
    assert state(viewer) == before


@pytest.mark.slow
def test_the_menu_leads_back_as_well(viewer: Any, a_map: Any) -> None:
    from napari_neurosynth_results.viewer.brain_views.scene_memory import (
        return_to_scene,
    )
    from napari_neurosynth_results.viewer.plugin import commands

    before = state(viewer)
    commands.show_brain_in_3d(viewer)
    commands.view_left(viewer)
    commands.show_map_on_cortex(viewer)
    assert return_to_scene(viewer) is not None
    assert state(viewer) == before
    # With nothing to go back to, views end.
    show_brain(viewer)
    assert return_to_scene(viewer) is None
    assert state(viewer)[0] == before[0]
    assert viewer.dims.ndisplay == 2


def test_nothing_is_kept_of_a_viewer_that_was_emptied(
    viewer: Any, panel: ViewsPanel
) -> None:
    press(panel, "3D")
    scene.show_plane(viewer, "axial")
    viewer.layers.clear()
    assert not panel.views.back.isEnabled()


@pytest.mark.slow
def test_a_button_shows_its_side(viewer: Any, panel: ViewsPanel) -> None:
    press(panel, "3D")
    for side in HEAD_SIDES:
        panel.brain.sides[side].native.click()
        assert facing(viewer) == side


def test_the_buttons_follow_whoever_steers(viewer: Any, panel: ViewsPanel) -> None:
    show_brain(viewer)
    assert down(panel) == {"3D"}
    scene.show_plane(viewer, "sagittal")
    assert down(panel) == {"Sagittal"}
    toggle_glass(viewer)
    assert down(panel) == {"Sagittal", "Glass"}
    press(panel, "Glass")
    assert glass_of(viewer) is None


def test_without_a_map_it_says_what_to_do(qapp: Any) -> None:
    from napari.components import ViewerModel

    model = ViewerModel()
    panel = ViewsPanel(model)
    press(panel, "3D")
    assert panel.said.text() == "Open a map first."
    assert down(panel) == set()
    model.add_image(np.zeros((9, 9, 9)))
    press(panel, "Cortex")
    assert "Show a map first" in panel.said.text()
    assert down(panel) == {"Axial"}
    panel.close()


@pytest.mark.slow
def test_a_closed_panel_leaves_no_callbacks(viewer: Any) -> None:
    ViewsPanel(viewer).close()
    events = (viewer.dims.events.ndisplay, viewer.layers.events.inserted)
    before = [len(event.callbacks) for event in events]
    panel = ViewsPanel(viewer)
    panel.close()
    panel.deleteLater()
    QCoreApplication.sendPostedEvents(panel, QEvent.Type.DeferredDelete.value)
    del panel
    gc.collect()
    viewer.dims.ndisplay = 3
    viewer.add_image(np.zeros((3, 3, 3)))
    assert [len(event.callbacks) for event in events] <= before


@pytest.mark.viewer
def test_the_panel_steers_a_window(
    plugin: Any, make_napari_viewer_proxy: Callable[..., Any], write: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer_proxy()
    panel = open_workbench(viewer, "Views").panel("Views")
    data = np.zeros((8, 9, 8), np.float32)
    data[5:7, 5:7, 5:7] = 9
    viewer.open(write({"z": data}), plugin=PLUGIN)
    before = state(viewer)
    press(panel, "3D")
    panel.brain.sides["left"].native.click()
    assert viewer.canvas.overlays["orientation_left"].text == "A"
    assert viewer.layers[0].name.startswith("Brain outline")
    press(panel, "Cortex")
    go_back_to_scene(viewer)
    assert state(viewer) == before
    # The ortho view lies over the canvas, and goes when the canvas is wanted.
    press(panel, "Ortho")
    view = ortho_of(viewer)
    assert view is not None
    assert view.where == "center"
    assert view.size() == view.parentWidget().size()
    assert down(panel) == {"Ortho"}
    press(panel, "Axial")
    assert ortho_of(viewer) is None
    press(panel, "Ortho")
    press(panel, "Glass")
    assert ortho_of(viewer) is None
    # It cuts what planes show, whatever was looked at before.
    for view in ("Glass", "3D", "Cortex"):
        if view not in down(panel):
            press(panel, view)
        press(panel, "Ortho")
        assert down(panel) == {"Ortho"}
        drawn = [layer.name for layer, _ in drawable_layers(viewer).layers]
        assert "uncorrected · z" in drawn
        assert not any("Glass" in name for name in drawn)
    press(panel, "Axial")
    press(panel, "Glass")
    # One click leads to what was before the first of them.
    panel.views.back.click()
    assert ortho_of(viewer) is None
    assert state(viewer) == before
    assert not panel.views.back.isEnabled()
    press(panel, "Ortho")
    ortho_of(viewer).other.click()
    assert ortho_of(viewer).where == "bottom"
    press(panel, "3D")
    assert down(panel) == {"Ortho", "3D"}
    panel.views.back.click()
    assert ortho_of(viewer) is None
    assert state(viewer) == before
    # Where it was last; and what was there before the first view comes back.
    show_ortho(viewer)
    assert ortho_of(viewer).where == "bottom"
    press(panel, "3D")
    press(panel, "Coronal")
    panel.views.back.click()
    assert ortho_of(viewer).where == "bottom"
    hide_ortho(viewer)
    assert state(viewer) == before
    show_ortho_view(viewer)
    assert ortho_of(viewer).where == "bottom"
    press(panel, "Ortho")
    assert ortho_of(viewer) is None
    viewer.layers.clear()
    del panel, view
    let_go()
