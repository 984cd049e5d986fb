"""Sides of the head by name: where the camera stands, and what the letters say."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from napari_neurosynth_results.anatomy.planes import HEAD_SIDES
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.layers import underlay_layer
from napari_neurosynth_results.viewer.plugin import commands
from napari_neurosynth_results.viewer.scene import facing, view_from, view_obliquely

pytestmark = pytest.mark.usefixtures("underlay")

#: The direction of each side of the head as (z, y, x).
SIDE = {
    "left": (0, 0, -1),
    "right": (0, 0, 1),
    "top": (1, 0, 0),
    "bottom": (-1, 0, 0),
    "front": (0, 1, 0),
    "back": (0, -1, 0),
}
LETTER = dict(zip(["left", "right", "front", "back"], "LRAP", strict=True))


def letters(viewer: Any) -> str:
    """Return the letters at the left and right of the canvas."""
    overlays = viewer.canvas.overlays
    marks = [overlays[f"orientation_{side}"] for side in ("left", "right")]
    return "".join(mark.text for mark in marks if mark.visible)


@pytest.mark.parametrize("orientation", scene.CAMERA_ORIENTATION)
@pytest.mark.parametrize("side", HEAD_SIDES)
def test_the_side_faces_the_user_and_the_letters_are_true(
    viewer: Any, side: Any, orientation: str
) -> None:
    scene.set_anatomical(viewer, orientation)
    view_from(viewer, side)
    assert viewer.dims.ndisplay == 3
    assert facing(viewer) == side
    camera = viewer.scene.camera
    # Who looks against a direction sees the side that lies in it.
    view, up = np.array(camera.view_direction), np.array(camera.up_direction)
    assert view == pytest.approx(-np.array(SIDE[side]), abs=1e-6)
    upwards = SIDE["front" if side in ("top", "bottom") else "top"]
    assert up == pytest.approx(upwards, abs=1e-6)
    # A body in x, y, z, not its mirror image: right is forwards times upwards.
    right = np.cross(view[::-1], up[::-1])[::-1]
    (at_right,) = (
        LETTER[name] for name in LETTER if np.allclose(SIDE[name], right, atol=1e-6)
    )
    assert letters(viewer)[1] == at_right


def test_letters_go_once_the_head_is_turned(viewer: Any) -> None:
    scene.set_anatomical(viewer, "neurological")
    view_from(viewer, "back")
    assert letters(viewer) == "LR"
    depth, up, across = viewer.scene.camera.angles
    viewer.scene.camera.angles = (depth, up + 20, across)
    assert facing(viewer) is None
    assert letters(viewer) == ""
    view_from(viewer, "left")
    assert letters(viewer) == "AP"
    view_obliquely(viewer)
    assert letters(viewer) == ""


def test_in_slices_the_letters_are_those_of_slices(viewer: Any) -> None:
    scene.set_anatomical(viewer, "radiological")
    view_from(viewer, "left")
    scene.show_plane(viewer, "axial")
    assert letters(viewer) == "RL"
    viewer.scene.camera.angles = (10, 20, 30)
    assert letters(viewer) == "RL"
    assert facing(viewer) is None


def test_without_letters_none_are_added(viewer: Any) -> None:
    view_from(viewer, "front")
    assert "orientation_left" not in viewer.canvas.overlays
    assert facing(viewer) == "front"


def test_each_command_shows_its_side(viewer: Any) -> None:
    for side in HEAD_SIDES:
        getattr(commands, f"view_{side}")(viewer)
        assert facing(viewer) == side


def test_a_flat_picture_and_a_stack_are_no_trouble(viewer: Any) -> None:
    from napari.components import ViewerModel

    flat = ViewerModel()
    flat.add_image(np.zeros((4, 5)))
    view_from(flat, "left")
    view_obliquely(flat)
    assert flat.dims.ndisplay == 2
    viewer.add_image(np.zeros((2, 9, 9, 9)))
    view_from(viewer, "left")
    assert viewer.dims.displayed == (1, 2, 3)


def test_nothing_keeps_a_closed_viewer_alive() -> None:
    from napari.components import ViewerModel
    from napari.layers import Layer

    model = ViewerModel()
    model.add_layer(Layer.create(*underlay_layer()))
    scene.set_anatomical(model, "neurological")
    view_from(model, "left")
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
