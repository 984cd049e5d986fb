"""The 3D brain: its layers come and go with 3D, and everything else is left alone."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import scene, shown_maps
from napari_neurosynth_results.viewer.brain_views.brain import (
    BRAIN_OUTLINE,
    brain_of,
    hide_brain,
    show_brain,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    choose,
    map_behind,
    show_clusters,
)
from napari_neurosynth_results.viewer.foci import show_foci
from napari_neurosynth_results.viewer.layers import map_layer, underlay_layer
from napari_neurosynth_results.viewer.plugin import commands
from napari_neurosynth_results.viewer.scene import facing, view_from

pytestmark = pytest.mark.usefixtures("preferences", "underlay")

#: 4 mm voxels over the MNI brain.
SHAPE = (46, 55, 46)
AFFINE = np.array(
    [[4, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]], float
)


def balls(*places: tuple[float, float, float], radius: float = 12.0) -> Any:
    """Make a z map that is 5, 6, 7... in balls about places in mm."""
    voxels = np.indices(SHAPE).reshape(3, -1)
    mm = (AFFINE[:3, :3] @ voxels + AFFINE[:3, 3:]).T
    data = np.zeros(len(mm))
    for n, place in enumerate(places):
        away = np.linalg.norm(mm - place, axis=1)
        data[away < radius] = 5 + n - 0.01 * away[away < radius]
    return data.reshape(SHAPE)


@pytest.fixture
def statmap(opened: Callable[..., Any]) -> Any:
    """Return a map of two balls in the right hemisphere and one in the left."""
    maps = {"z": balls((44, 0, 40), (20, -60, 10), (-44, 0, 40))}
    return opened(maps, affine=AFFINE)["z"]


def add(viewer: Any, statmap: Any, *, visible: bool = True) -> Any:
    from napari.layers import Layer

    layer = Layer.create(*map_layer(statmap, visible=visible)[0])
    viewer.add_layer(layer)
    return layer


def label(viewer: Any, layer: Any, statmap: Any, height: float) -> Any:
    clusters = clusters_at(statmap, Threshold(value=height))
    return show_clusters(viewer, layer, clusters)


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def seen(viewer: Any) -> dict[str, bool]:
    return {layer.name: layer.visible for layer in viewer.layers}


def millimeters(layer: Any) -> npt.NDArray[np.float64]:
    """Return the vertices of a surface as x, y, z."""
    return (layer.vertices * layer.scale + layer.translate)[:, ::-1]


@pytest.mark.slow
def test_sliders_count_from_where_they_did(viewer: Any, sample: Any) -> None:
    """Else napari moves a place that is gone to in 3D to a step beside it."""
    from napari.layers import Layer

    viewer.add_layer(Layer.create(*underlay_layer()))
    add(viewer, sample["z"])
    ranges = viewer.dims.range
    show_brain(viewer)
    assert viewer.dims.range == ranges


# --- coming and going -----------------------------------------------------------------


def test_surfaces_come_in_3d_and_go_in_2d(viewer: Any, statmap: Any) -> None:
    layer = add(viewer, statmap)
    before, ranges = seen(viewer), viewer.dims.range
    outline = show_brain(viewer)
    assert viewer.dims.ndisplay == 3
    assert viewer.layers[0] is outline
    assert seen(viewer) == {
        BRAIN_OUTLINE: True,
        f"{layer.name}: clusters (3D)": True,
        **dict.fromkeys(before, False),
    }
    viewer.dims.ndisplay = 2
    assert seen(viewer) == before
    # Not even the slider is touched.
    assert viewer.dims.range == ranges
    viewer.dims.ndisplay = 3
    assert viewer.layers[0] is outline
    hide_brain(viewer)
    assert seen(viewer) == before
    viewer.dims.ndisplay = 2
    viewer.dims.ndisplay = 3
    assert seen(viewer) == before
    assert brain_of(viewer) is None


def test_what_was_hidden_or_selected_stays_so(viewer: Any, statmap: Any) -> None:
    layer = add(viewer, statmap)
    labels = label(viewer, layer, statmap, 3)
    labels.visible = False
    other = viewer.add_image(np.ones((3, 3, 3)), visible=False, name="other")
    viewer.layers.selection = {layer, other}
    before = seen(viewer)
    show_brain(viewer)
    assert set(viewer.layers.selection) == {layer, other}
    viewer.dims.ndisplay = 2
    assert seen(viewer) == before
    assert set(viewer.layers.selection) == {layer, other}


def test_the_layer_that_the_user_works_with_stays_the_current_one(
    viewer: Any, statmap: Any
) -> None:
    """Nobody is told of a change, and the arrow keys go on from that layer."""
    layer = add(viewer, statmap)
    label(viewer, layer, statmap, 3)
    viewer.layers.selection.active = layer
    changes: list[object] = []
    viewer.layers.selection.events.active.connect(changes.append)
    for _ in range(2):
        show_brain(viewer)
        assert viewer.layers.selection.active is layer
        viewer.dims.ndisplay = 2
    assert not changes
    viewer.layers.select_next()
    assert (
        viewer.layers.selection.active is viewer.layers[viewer.layers.index(layer) + 1]
    )


def test_a_map_that_is_switched_on_comes_as_surfaces_then_as_a_volume(
    viewer: Any, opened: Callable[..., Any]
) -> None:
    maps = {"z": balls((40, 0, 0)), "t": balls((-40, 0, 0))}
    results = opened(maps, affine=AFFINE)
    shown = add(viewer, results["z"])
    hidden = add(viewer, results["t"], visible=False)
    show_brain(viewer)
    brain = brain_of(viewer)
    assert brain is not None
    assert brain.surface_of(results["t"]) is None
    hidden.visible = True
    assert not hidden.visible
    assert brain.surface_of(results["t"]) is not None
    hidden.visible = True
    assert hidden.visible
    # What was switched on in 3D is seen in 2D as well.
    hidden.visible = False
    viewer.dims.ndisplay = 2
    assert shown.visible
    assert hidden.visible


def surfaces(viewer: Any) -> list[str]:
    """Return the maps whose surfaces are seen."""
    found = [one for one in viewer.layers if one.visible and one.name != BRAIN_OUTLINE]
    return [one.name.removesuffix(": clusters (3D)") for one in found]


def test_another_map_that_is_chosen_takes_the_place_of_the_first(
    viewer: Any, opened: Callable[..., Any]
) -> None:
    results = opened({"a_z": balls((44, 0, 40)), "b_z": balls((-44, 0, 40))})
    a, b = results["a_z"], results["b_z"]
    shown_maps.show_alone(viewer, a)
    show_brain(viewer)
    shown_maps.show_alone(viewer, b)
    assert surfaces(viewer) == [b.short_title]
    assert [shown_maps.is_shown(viewer, one) for one in (a, b)] == [False, True]
    shown_maps.show_over(viewer, a)
    assert set(surfaces(viewer)) == {a.short_title, b.short_title}
    shown_maps.hide_map(viewer, b)
    assert surfaces(viewer) == [a.short_title]
    viewer.dims.ndisplay = 2
    seen = {map_behind(one): one.visible for one in viewer.layers}
    assert (seen[a], seen[b]) == (True, False)
    viewer.dims.ndisplay = 3
    viewer.layers.remove(shown_maps.layer_of(viewer, a))
    assert surfaces(viewer) == []


def test_surfaces_that_the_user_hides_stay_hidden(viewer: Any, statmap: Any) -> None:
    layer = add(viewer, statmap)
    show_brain(viewer)
    brain = brain_of(viewer)
    assert brain is not None
    surface = brain.surface_of(statmap)
    assert surface is not None
    surface.visible = False
    brain.outline.opacity = 0.5
    viewer.dims.ndisplay = 2
    viewer.dims.ndisplay = 3
    assert not surface.visible
    assert brain.outline.opacity == 0.5
    viewer.dims.ndisplay = 2
    layer.visible = False
    viewer.dims.ndisplay = 3
    assert brain.surface_of(statmap) is None


@pytest.mark.slow
@pytest.mark.parametrize("gone", ["outline", "surface", "map", "labels", "everything"])
@pytest.mark.parametrize("in_3d", [True, False])
def test_layers_may_be_removed_at_any_time(
    viewer: Any, statmap: Any, gone: str, in_3d: bool
) -> None:
    layer = add(viewer, statmap)
    labels = label(viewer, layer, statmap, 3)
    outline = show_brain(viewer)
    brain = brain_of(viewer)
    assert brain is not None
    surface = brain.surface_of(statmap)
    removed = {
        "outline": [outline],
        "surface": [surface],
        "map": [layer],
        "labels": [labels],
        "everything": list(viewer.layers),
    }[gone]
    if not in_3d:
        viewer.dims.ndisplay = 2
    for one in removed:
        if one in viewer.layers:
            viewer.layers.remove(one)
    if layer in viewer.layers and labels in viewer.layers:
        label(viewer, layer, statmap, 5.5)
    for ndisplay in (2, 3, 2):
        viewer.dims.ndisplay = ndisplay
    assert not any("3D" in name for name in names(viewer))
    if layer in viewer.layers:
        assert layer.visible
    show_brain(viewer)
    viewer.layers.clear()
    viewer.dims.ndisplay = 2


def test_a_map_that_is_opened_in_3d_is_shown_there(viewer: Any, statmap: Any) -> None:
    show_brain(viewer)
    layer = add(viewer, statmap)
    brain = brain_of(viewer)
    assert brain is not None
    assert brain.surface_of(statmap) is not None
    assert not layer.visible
    viewer.dims.ndisplay = 2
    assert layer.visible


def test_clusters_that_are_labelled_in_3d_are_seen_in_2d(
    viewer: Any, statmap: Any
) -> None:
    layer = add(viewer, statmap)
    show_brain(viewer)
    labels = label(viewer, layer, statmap, 6.5)
    brain = brain_of(viewer)
    assert brain is not None
    surface = brain.surface_of(statmap)
    assert surface is not None
    assert millimeters(surface)[:, 0].max() < 0
    assert not labels.visible
    viewer.dims.ndisplay = 2
    assert layer.visible
    assert labels.visible


@pytest.mark.slow
def test_nothing_keeps_a_closed_viewer_alive(statmap: Any, preferences: Any) -> None:
    from napari.components import ViewerModel

    model = ViewerModel()
    add(model, statmap)
    show_brain(model)
    model.dims.ndisplay = 2
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.slow
def test_the_command_works_on_the_stand_in_of_a_viewer(
    viewer: Any, statmap: Any
) -> None:
    from napari.utils._proxies import PublicOnlyProxy

    add(viewer, statmap)
    commands.show_brain_in_3d(PublicOnlyProxy(viewer))
    gc.collect()
    assert names(viewer)[0] == BRAIN_OUTLINE
    viewer.dims.ndisplay = 2
    assert BRAIN_OUTLINE not in names(viewer)
    callbacks = len(viewer.dims.events.ndisplay.callbacks)
    commands.show_brain_in_3d(PublicOnlyProxy(viewer))
    commands.show_brain_in_3d(PublicOnlyProxy(viewer))
    commands.view_left(PublicOnlyProxy(viewer))
    assert names(viewer).count(BRAIN_OUTLINE) == 1
    assert len(viewer.dims.events.ndisplay.callbacks) == callbacks
    hide_brain(PublicOnlyProxy(viewer))
    assert len(viewer.dims.events.ndisplay.callbacks) == callbacks - 1


def test_a_flat_picture_is_left_alone() -> None:
    from napari.components import ViewerModel

    flat = ViewerModel()
    flat.add_image(np.zeros((4, 5)))
    assert show_brain(flat) is None
    assert len(flat.layers) == 1


# --- what is shown --------------------------------------------------------------------


def test_clusters_lie_where_they_are_in_the_colors_of_their_layer(
    viewer: Any, statmap: Any
) -> None:
    layer = add(viewer, statmap)
    labels = label(viewer, layer, statmap, 3)
    show_brain(viewer)
    brain = brain_of(viewer)
    assert brain is not None
    surface = brain.surface_of(statmap)
    assert surface is not None
    mm = millimeters(surface)
    middle = (mm.min(axis=0) + mm.max(axis=0)) / 2
    assert middle == pytest.approx((0, -30, 25), abs=2)
    # Strongest first: left, right posterior, right anterior.
    for n, place in enumerate(((-44, 0, 40), (20, -60, 10), (44, 0, 40)), 1):
        here = np.linalg.norm(mm - place, axis=1) < 16
        assert here.any()
        assert mm[here].mean(axis=0) == pytest.approx(place, abs=2)
        color = labels.colormap.colors[n, :3]
        shades = surface.vertex_colors[here, :3]
        # Light changes how bright a color is, and not its hue.
        hue = shades / shades.max(axis=1, keepdims=True)
        assert hue == pytest.approx(
            np.tile(color / color.max(), (len(hue), 1)), abs=0.01
        )
    assert (surface.vertex_colors[:, 3] == 1).all()


@pytest.mark.slow
def test_surfaces_follow_threshold_colors_and_choice(viewer: Any, statmap: Any) -> None:
    layer = add(viewer, statmap)
    labels = label(viewer, layer, statmap, 3)
    show_brain(viewer)
    brain = brain_of(viewer)
    assert brain is not None
    surface = brain.surface_of(statmap)
    assert surface is not None
    assert millimeters(surface)[:, 0].max() > 40
    label(viewer, layer, statmap, 6.5)
    assert brain.surface_of(statmap) is surface
    assert millimeters(surface)[:, 0].max() < 0
    choose(labels, 1)
    assert np.ptp(surface.vertex_colors[:, :3], axis=1).max() < 1e-6
    # In 2D nothing is done; in 3D it is as it should be again.
    viewer.dims.ndisplay = 2
    label(viewer, layer, statmap, 3)
    assert millimeters(surface)[:, 0].max() < 0
    viewer.dims.ndisplay = 3
    assert millimeters(surface)[:, 0].max() > 40
    label(viewer, layer, statmap, 99)
    assert (surface.vertex_colors[:, 3] == 0).all()
    label(viewer, layer, statmap, 5.5)
    assert (surface.vertex_colors[:, 3] == 1).all()


def test_without_labels_the_first_threshold_is_taken_and_no_layer_is_added(
    viewer: Any, statmap: Any
) -> None:
    add(viewer, statmap)
    before = names(viewer)
    show_brain(viewer)
    brain = brain_of(viewer)
    assert brain is not None
    surface = brain.surface_of(statmap)
    assert surface is not None
    assert len(set(map(tuple, surface.vertex_colors.round(2)))) > 3
    viewer.dims.ndisplay = 2
    assert names(viewer) == before


# --- pixels ---------------------------------------------------------------------------


@pytest.fixture
def one_ball(window: Any, opened: Callable[..., Any]) -> None:
    """Show one ball in the window: right, a little anterior, superior."""
    from napari.layers import Layer

    window.add_layer(Layer.create(*underlay_layer()))
    statmap = opened({"z": balls((44, 30, 40))}, affine=AFFINE)["z"]
    add(window, statmap)


def where(viewer: Any) -> tuple[str, str]:
    """Say in which quadrant of the canvas the ball is drawn."""
    for overlay in viewer.canvas.overlays.values():
        overlay.visible = False
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    # The brain is gray, the ball is not.
    rows, columns = np.nonzero(np.ptp(picture, axis=2) > 60)
    assert rows.size > 100, "hardly a pixel"
    x, y, z = 0, -18, 4
    assert viewer.scene.camera.center == (z, y, x)
    height, width = picture.shape[:2]
    return (
        "up" if rows.mean() < height / 2 else "down",
        "right" if columns.mean() > width / 2 else "left",
    )


@pytest.mark.viewer
@pytest.mark.usefixtures("one_ball")
@pytest.mark.parametrize("orientation", scene.CAMERA_ORIENTATION)
def test_the_right_of_the_head_is_drawn_where_an_observer_sees_it(
    window: Any, orientation: str
) -> None:
    scene.set_anatomical(window, orientation)
    show_brain(window)
    found = {}
    for side in ("top", "bottom", "front", "back", "left", "right"):
        view_from(window, side)  # type: ignore[arg-type]
        assert facing(window) == side
        found[side] = where(window)
    assert found == {
        # Nose up: the ball is anterior.
        "top": ("up", "right"),
        "bottom": ("up", "left"),
        "front": ("up", "left"),
        "back": ("up", "right"),
        # From the right, the nose points to the right.
        "left": ("up", "left"),
        "right": ("up", "right"),
    }


@pytest.mark.viewer
@pytest.mark.usefixtures("one_ball")
def test_a_cluster_inside_is_not_hidden_by_the_brain_and_slices_are_as_before(
    window: Any, opened: Callable[..., Any]
) -> None:
    def picture() -> npt.NDArray[np.int_]:
        shot = window.screenshot(canvas_only=True, flash=False)
        return np.asarray(shot[..., :3], int)

    scene.set_anatomical(window, "neurological")
    # The first time in 3D changes the size of the canvas: there is no slider.
    scene.show_3d(window)
    picture()
    scene.show_plane(window, "axial")
    before = picture()
    studies = Studies((Study("a", "A", analyses=(Analysis("1", "a", _FOCI, 1, 9),)),))
    show_brain(window)
    view_from(window, "left")
    # The ball is in the other hemisphere, behind two walls of glass.
    colored = np.ptp(picture(), axis=2) > 100
    assert colored.sum() > 200
    # Foci are drawn before and behind clusters.
    show_foci(window, studies)
    assert (np.ptp(picture(), axis=2) > 60).sum() > colored.sum() + 20
    window.layers.pop()
    scene.show_plane(window, "axial")
    scene.set_anatomical(window, "neurological")
    assert np.abs(picture() - before).mean() < 0.5


_FOCI = (Focus(0, -90, 60, "MNI"), Focus(0, 40, -20, "MNI"))
