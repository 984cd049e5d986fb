"""Looking at the volume from its sides: the camera by name, and letters to prove it."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.anatomy.planes import (
    HEAD_SIDES,
    HEAD_VIEWS,
    HeadSide,
    Vector,
    side_letters,
)
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.napari_private import unproxied

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: From behind, a little from the left and from above: where the observer looks, as x, y
#: and z, and what is up. Right is on the right.
_OBLIQUE: tuple[Vector, Vector] = ((0.55, 0.72, -0.45), (0, 0, 1))
#: Middle of the brain, (z, y, x) mm. napari's is that of the field of view, and leaves
#: more room than the brain needs.
_MIDDLE = (4.0, -18.0, 0.0)
_CLOSER = 1.3


def view_from(viewer: Viewer, side: HeadSide) -> None:
    """Turn the volume until one of its sides faces the user.

    Parameters
    ----------
    viewer : Viewer
        The viewer; goes to 3D.
    side : {"left", "right", "top", "bottom", "front", "back"}
        The side of the head. Superior is up; seen from top or bottom, anterior is. In
        3D nothing is mirrored: from the front, the right of the head is at the left,
        whatever the orientation of slices.
    """
    _look(viewer, *HEAD_VIEWS[side])
    letters = side_letters(side)
    overlays = viewer.canvas.overlays
    if scene.is_anatomical(viewer):
        for name, letter in zip(scene.MARKS, letters, strict=True):
            overlays[name].text = letter
            overlays[name].visible = True
        angles = unproxied(viewer).scene.camera.events.angles
        # One turn by hand, and the letters would be wrong.
        if not any(_is_ours(callback) for callback in angles.callbacks):
            angles.connect(partial(_take_letters_away, scene.weakly(viewer)))


def view_obliquely(viewer: Viewer) -> None:
    """Look at the brain from behind, the left and above, where depth is seen.

    Parameters
    ----------
    viewer : Viewer
        The viewer; goes to 3D.
    """
    _look(viewer, *_OBLIQUE)
    if viewer.dims.ndim >= 3:
        viewer.reset_view(reset_camera_angle=False)
        viewer.scene.camera.center = _MIDDLE
        viewer.scene.camera.zoom *= _CLOSER


def facing(viewer: Viewer) -> HeadSide | None:
    """Return the side of the head that faces the user, None for a view in between."""
    if viewer.dims.ndisplay != 3:
        return None
    camera = viewer.scene.camera
    for side in HEAD_SIDES:
        look, up = HEAD_VIEWS[side]
        # napari's directions are (z, y, x).
        if np.allclose(camera.view_direction, look[::-1], atol=1e-3) and np.allclose(
            camera.up_direction, up[::-1], atol=1e-3
        ):
            return side
    return None


def _look(viewer: Viewer, look: Vector, up: Vector) -> None:
    extra = viewer.dims.ndim - 3
    if extra < 0:
        return
    if viewer.dims.ndisplay != 3 or viewer.dims.order != tuple(range(extra + 3)):
        scene.show_3d(viewer)
    viewer.scene.camera.set_view_direction(look[::-1], up[::-1])


def _is_ours(callback: Any) -> bool:
    return isinstance(callback, partial) and callback.func is _take_letters_away


def _take_letters_away(ref: weakref.ref[Any], event: object = None) -> None:
    """Leave the letters of slices alone, and those of a side while it is seen."""
    viewer = ref()
    if viewer is None or viewer.dims.ndisplay != 3 or facing(viewer) is not None:
        return
    for name in scene.MARKS:
        viewer.canvas.overlays[name].visible = False
