"""Which way is up, what the letters say, and where the slices are."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results import open_results
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.layers import build_layers, map_layer
from napari_neurosynth_results.viewer.plugin import commands
from napari_neurosynth_results.viewer.plugin.messages import announce

#: Direction of increasing millimeters along z, y and x.
TOWARDS = ("S", "A", "R")
OPPOSITE = dict(zip("SARIPL", "IPLSAR", strict=True))
ORIENTATIONS = list(
    itertools.product(("towards", "away"), ("up", "down"), ("right", "left"))
)


def texts(viewer: Any) -> dict[str, str]:
    """Return the letters that are on the canvas."""
    prefix = "orientation_"
    return {
        name.removeprefix(prefix): overlay.text
        for name, overlay in viewer.canvas.overlays.items()
        if name.startswith(prefix) and overlay.visible
    }


# --- letters ----------------------------------------------------------------------


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_letters_follow_the_axes_and_the_camera(
    orientation: tuple[str, ...], order: tuple[int, ...], extra: int
) -> None:
    _, vertical, horizontal = order
    found = scene.canvas_letters(
        (*range(extra), *(axis + extra for axis in order)), 2, orientation
    )
    top, right = TOWARDS[vertical], TOWARDS[horizontal]
    if orientation[1] == "down":
        top = OPPOSITE[top]
    if orientation[2] == "left":
        right = OPPOSITE[right]
    assert found == {
        **{"top": top, "bottom": OPPOSITE[top]},
        **{"right": right, "left": OPPOSITE[right]},
    }


def test_there_are_no_letters_where_none_would_be_right() -> None:
    neurological = scene.CAMERA_ORIENTATION["neurological"]
    assert scene.canvas_letters((0, 1, 2), 3, neurological) == {}
    assert scene.canvas_letters((0, 1), 2, neurological) == {}
    # A stack of maps is on the canvas, not only space.
    assert scene.canvas_letters((1, 2, 0, 3), 2, neurological) == {}


@pytest.mark.usefixtures("underlay")
@pytest.mark.parametrize(
    ("orientation", "plane", "left", "right"),
    [
        ("neurological", "axial", "L", "R"),
        ("neurological", "coronal", "L", "R"),
        ("neurological", "sagittal", "P", "A"),
        ("radiological", "axial", "R", "L"),
        ("radiological", "coronal", "R", "L"),
        # There is no left and right to exchange.
        ("radiological", "sagittal", "P", "A"),
    ],
)
def test_the_canvas_says_left_and_right(
    viewer: Any, orientation: str, plane: Any, left: str, right: str
) -> None:
    scene.set_anatomical(viewer, orientation)
    scene.show_plane(viewer, plane)
    found = texts(viewer)
    assert (found["left"], found["right"]) == (left, right)
    assert not viewer.canvas.overlays.axes.visible


@pytest.mark.usefixtures("underlay")
def test_letters_follow_whoever_turns_the_view(viewer: Any) -> None:
    scene.set_anatomical(viewer, "neurological")
    viewer.dims.order = (2, 0, 1)
    assert (texts(viewer)["left"], texts(viewer)["right"]) == ("P", "A")
    viewer.dims.order = (0, 1, 2)
    viewer.scene.camera.orientation = ("away", "up", "left")
    assert (texts(viewer)["left"], texts(viewer)["right"]) == ("R", "L")
    viewer.dims.ndisplay = 3
    assert texts(viewer) == {}
    assert viewer.canvas.overlays.axes.visible
    viewer.dims.ndisplay = 2
    assert (texts(viewer)["left"], texts(viewer)["right"]) == ("R", "L")


@pytest.mark.usefixtures("underlay")
def test_letters_are_kept_right_after_a_command(viewer: Any) -> None:
    """A command gets a stand-in for the viewer, which does not outlive it."""
    from napari.utils._proxies import PublicOnlyProxy

    commands.use_radiological(PublicOnlyProxy(viewer))
    gc.collect()
    scene.show_plane(viewer, "coronal")
    assert (texts(viewer)["left"], texts(viewer)["right"]) == ("R", "L")
    viewer.scene.camera.orientation = ("towards", "up", "right")
    assert (texts(viewer)["left"], texts(viewer)["right"]) == ("L", "R")


@pytest.mark.usefixtures("underlay")
def test_the_convention_outlasts_a_plane_that_has_none(viewer: Any) -> None:
    scene.set_anatomical(viewer, "radiological")
    for plane, left in (("sagittal", "P"), ("axial", "R"), ("sagittal", "P")):
        scene.show_plane(viewer, plane)
        assert texts(viewer)["left"] == left
        assert scene.shown_convention(viewer) == "radiological"
        assert scene.nearest_convention(viewer) == "radiological"
    scene.set_anatomical(viewer, "neurological")
    assert scene.shown_convention(viewer) == "neurological"
    scene.show_plane(viewer, "coronal")
    assert texts(viewer)["left"] == "L"
    # Who turns the camera by hand, by two axes or by one, is followed or left alone.
    viewer.scene.camera.orientation = scene.CAMERA_ORIENTATION["radiological"]
    assert scene.shown_convention(viewer) == "radiological"
    scene.show_plane(viewer, "sagittal")
    assert texts(viewer)["left"] == "P"
    viewer.scene.camera.orientation = ("towards", "down", "left")
    assert scene.shown_convention(viewer) is None
    scene.show_plane(viewer, "axial")
    assert viewer.scene.camera.orientation == ("towards", "down", "left")
    assert scene.nearest_convention(viewer) == "radiological"


# --- the camera -------------------------------------------------------------------


@pytest.mark.usefixtures("underlay")
def test_turning_twice_is_turning_once(viewer: Any) -> None:
    assert not scene.is_anatomical(viewer)
    scene.set_anatomical(viewer, "neurological")
    assert scene.is_anatomical(viewer)
    overlays = set(viewer.canvas.overlays)
    callbacks = len(viewer.dims.events.order.callbacks)
    letters = texts(viewer)
    scene.set_anatomical(viewer, "neurological")
    assert set(viewer.canvas.overlays) == overlays
    assert len(viewer.dims.events.order.callbacks) == callbacks
    assert texts(viewer) == letters


@pytest.mark.usefixtures("underlay")
def test_scale_and_place_are_shown(viewer: Any) -> None:
    scene.set_anatomical(viewer, "radiological")
    assert viewer.canvas.overlays.scale_bar.visible


# --- planes and places ------------------------------------------------------------


@pytest.mark.usefixtures("underlay")
@pytest.mark.parametrize("plane", scene.PLANE_ORDER)
def test_a_plane_slices_its_own_axis_and_stays_at_its_place(
    viewer: Any, plane: Any
) -> None:
    scene.look_at(viewer, -20, 30, 40)
    scene.show_3d(viewer)
    assert scene.current_plane(viewer) == "3D"
    assert viewer.dims.displayed == (0, 1, 2)
    scene.show_plane(viewer, plane)
    assert scene.current_plane(viewer) == plane
    (sliced,) = viewer.dims.not_displayed
    assert ("axial", "coronal", "sagittal")[sliced] == plane
    assert viewer.dims.point == (40, 30, -20)


@pytest.mark.usefixtures("underlay")
@pytest.mark.parametrize("plane", scene.PLANE_ORDER)
def test_planes_and_places_beside_a_stack_of_maps(viewer: Any, plane: Any) -> None:
    viewer.add_image(
        np.zeros((5, 91, 109, 91)), scale=(1, 2, 2, 2), translate=(0, -72, -126, -90)
    )
    assert viewer.dims.ndim == 4
    viewer.dims.set_point(0, 3)
    scene.set_anatomical(viewer, "neurological")
    scene.show_plane(viewer, plane)
    assert scene.current_plane(viewer) == plane
    assert viewer.dims.not_displayed[0] == 0
    assert len(texts(viewer)) >= 2
    scene.look_at(viewer, 10, 20, -30)
    assert viewer.dims.point == (3, -30, 20, 10)
    scene.show_3d(viewer)
    assert viewer.dims.displayed == (1, 2, 3)
    assert viewer.dims.point[0] == 3


def test_a_flat_picture_is_left_alone() -> None:
    from napari.components import ViewerModel

    model = ViewerModel()
    model.add_image(np.zeros((4, 5)))
    scene.show_plane(model, "coronal")
    assert model.dims.order == (0, 1)
    assert scene.current_plane(model) == "axial"
    scene.show_3d(model)


@pytest.mark.usefixtures("underlay")
def test_every_command_of_the_menu_does_what_it_says(viewer: Any) -> None:
    for name in ("coronal", "sagittal", "axial"):
        getattr(commands, f"show_{name}")(viewer)
        assert scene.current_plane(viewer) == name
    commands.show_brain_in_3d(viewer)
    assert scene.current_plane(viewer) == "3D"
    for name, orientation in scene.CAMERA_ORIENTATION.items():
        getattr(commands, f"use_{name}")(viewer)
        assert tuple(map(str, viewer.scene.camera.orientation)) == orientation


def test_nothing_keeps_a_closed_viewer_alive(
    write: Callable[..., Path], notifications: list[Any]
) -> None:
    from napari.components import ViewerModel
    from napari.layers import Layer

    data = np.zeros((8, 9, 8), np.float32)
    data[5, 5, 5] = 9
    results = open_results(write({"z": data}))
    model = ViewerModel()
    model.add_layer(Layer.create(*map_layer(results["z"], visible=True)[0]))
    scene.set_anatomical(model, "neurological")
    scene.show_plane(model, "coronal")
    announce(model, results, build_layers(results, underlay=False))
    assert len(notifications) == 1
    gone = weakref.ref(model)
    del model
    gc.collect()
    # napari keeps its notifications for the whole session.
    assert gone() is None
