"""The viewer as neuroimagers expect it: which way is up, L and R, planes, place.

Layers are (z, y, x) in millimeters. The camera decides which way the axes point, so
that the same data are right in 2D and not mirrored in 3D.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.anatomy.coordinates import Coordinate, name_place
from napari_neurosynth_results.anatomy.planes import (
    AXES,
    CONVENTIONS,
    HEAD_SIDES,
    HEAD_VIEWS,
    Convention,
    HeadSide,
    Plane,
    Vector,
    edge_letters,
    is_mirrored,
    is_rightward,
    side_letters,
)
from napari_neurosynth_results.anatomy.template import is_near_brain
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.napari_private import (
    drawn_overlays,
    seen_in_planes,
    unproxied,
)

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: Where the axes z, y, x point on the canvas: depth, vertical, horizontal. Two of them
#: are turned at once, so that nothing is mirrored in 3D.
CAMERA_ORIENTATION: dict[Convention, tuple[str, str, str]] = {
    convention: ("towards", "up", "right")
    if is_rightward(convention)
    else ("away", "up", "left")
    for convention in CONVENTIONS
}
#: Order of the axes z, y, x: sliced, vertical, horizontal.
PLANE_ORDER: dict[str, tuple[int, int, int]] = {
    plane: (2 - cut, 2 - up, 2 - across) for plane, (cut, across, up) in AXES.items()
}
#: The letters at the edges of the canvas: overlay -> where it stands.
MARKS = {
    "orientation_left": "middle_left",
    "orientation_right": "middle_right",
}
_MARK_SIZE = 16
#: Foci and peaks at the edge of the brain lie up to so far outside of the template's.
_NEAR_MM = 6.0
#: The convention that was chosen, kept with the viewer in an overlay that is not shown.
_CONVENTION = "orientation_convention"
#: What lies over the canvas, kept with the viewer in the same way.
_COVER = "neurosynth_results_cover"
#: From behind, a little from the left and from above: where the observer looks, as x, y
#: and z, and what is up. Right is on the right.
_OBLIQUE: tuple[Vector, Vector] = ((0.55, 0.72, -0.45), (0, 0, 1))
#: Middle of the brain, (z, y, x) mm. napari's is that of the field of view, and leaves
#: more room than the brain needs.
_MIDDLE = (4.0, -18.0, 0.0)
_CLOSER = 1.3


def camera_ways(plane: str, convention: Convention) -> tuple[str, str, str]:
    """Return where the axes point when a plane, or 3D, is shown in a convention."""
    turned = plane in AXES and not is_mirrored(plane, convention)
    return CAMERA_ORIENTATION["neurological" if turned else convention]


def set_anatomical(viewer: Viewer, orientation: Convention) -> None:
    """Turn the camera the anatomical way, and show letters, scale and place.

    Parameters
    ----------
    orientation : {"neurological", "radiological"}
        Whether the right of the brain is on the right or on the left of the screen.
    """
    _add_marks(viewer)
    overlays = viewer.canvas.overlays
    # First, because the camera says nothing of it when slices are sagittal.
    overlays[_CONVENTION].text = orientation
    ways = camera_ways(current_plane(viewer), orientation)
    camera = viewer.scene.camera
    if tuple(map(str, camera.orientation)) == ways:
        # Who follows the camera hears of the other planes.
        camera.events.orientation(value=camera.orientation)
    else:
        with seen_in_planes(viewer):
            camera.orientation = ways
    _add_scale(viewer)


def is_anatomical(viewer: Viewer) -> bool:
    """Whether `set_anatomical` was called for a viewer before."""
    return all(name in viewer.canvas.overlays for name in MARKS)


def show_plane(viewer: Viewer, plane: Plane) -> None:
    """Show axial, coronal or sagittal slices; the place stays the same."""
    # Layers with more axes than three keep their leading axes sliced.
    extra = viewer.dims.ndim - 3
    if extra < 0:
        return
    uncover_canvas(viewer)
    place = viewer.dims.point
    viewer.dims.ndisplay = 2
    viewer.dims.order = (*range(extra), *(axis + extra for axis in PLANE_ORDER[plane]))
    viewer.reset_view()
    # Coming from 3D, napari moves the slices to the middle of the volume.
    viewer.dims.point = place


def show_3d(viewer: Viewer) -> None:
    """Show the volume from above, nose up."""
    uncover_canvas(viewer)
    viewer.dims.order = tuple(range(viewer.dims.ndim))
    viewer.dims.ndisplay = 3
    viewer.reset_view()


def canvas_cover(viewer: Viewer) -> Any:
    """Return what says whether something lies over the canvas, as the ortho view does.

    Returns
    -------
    TextOverlay
        Never shown; its text names what lies there, and is empty when nothing does. Who
        lies there hears of another text, and goes.
    """
    if _COVER not in viewer.canvas.overlays:
        add_words(viewer, _COVER, visible=False)
    return viewer.canvas.overlays[_COVER]


def uncover_canvas(viewer: Viewer) -> None:
    """Ask what lies over the canvas to go, because it is wanted for another view."""
    cover = viewer.canvas.overlays.get(_COVER)
    if cover is not None:
        cover.text = ""


def current_plane(viewer: Viewer) -> str:
    """Return ``"axial"``, ``"coronal"``, ``"sagittal"`` or ``"3D"``."""
    if viewer.dims.ndisplay == 3:
        return "3D"
    sliced = (
        viewer.dims.order[-3] - (viewer.dims.ndim - 3) if viewer.dims.ndim >= 3 else 0
    )
    return next(
        (name for name, order in PLANE_ORDER.items() if order[0] == sliced), "axial"
    )


def look_at(viewer: Viewer, x: float, y: float, z: float) -> None:
    """Move the slices to a place.

    Parameters
    ----------
    x, y, z : float
        MNI coordinate in mm.
    """
    viewer.dims.point = (*viewer.dims.point[:-3], z, y, x)


def look_where_clicked(viewer: Viewer, x: float, y: float, z: float) -> None:
    """Move the slices to the step that is nearest in the voxel that was clicked.

    Slices go on by the voxels of the finest layer, an underlay's as a rule. A step may
    lie between two voxels of the map, where it has no value of its own.

    Parameters
    ----------
    x, y, z : float
        MNI coordinate in mm.
    """
    maps = [one for one in viewer.layers if one.visible and map_of(one) is not None]
    place, now = [z, y, x], viewer.dims.point[-3:]
    for axis in (-3, -2, -1) if maps else ():
        clicked, size = place[axis], float(maps[-1].scale[axis])
        first, (start, _, step) = maps[-1].translate[axis], viewer.dims.range[axis]
        middle = float(first + round((clicked - first) / size) * size)
        nearest = start + round((clicked - start) / step) * step
        # The slice itself stays.
        if clicked != now[axis]:
            inside = abs(nearest - middle) < size / 2 - 1e-3 * step
            place[axis] = nearest if inside else middle
    look_at(viewer, *reversed(place))


def refusal_of(viewer: Viewer, place: Coordinate) -> str:
    """Say why nobody wants to be at a place: nothing is open there, or no brain.

    Parameters
    ----------
    place : tuple of float
        x, y and z in mm.

    Returns
    -------
    str
        A sentence; empty for a place in the brain or close to it, and where what is
        open is in another space than MNI152's.
    """
    ranges = viewer.dims.range[-3:]
    inside = all(
        low - _NEAR_MM <= mm <= high + _NEAR_MM
        for mm, (low, high, _) in zip(place[::-1], ranges, strict=True)
    )
    if not inside:
        return f"{name_place(place)} lies outside of what is open."
    maps = [one for one in map(map_of, viewer.layers) if one is not None]
    known = all(one.grid.mni_doubt() is None for one in maps)
    if maps and known and not is_near_brain(place, _NEAR_MM):
        return f"{name_place(place)} lies outside of the brain."
    return ""


def jump_to(viewer: Viewer, x: float, y: float, z: float) -> None:
    """Move the slices to a place, and the camera too where that is out of sight.

    Parameters
    ----------
    x, y, z : float
        MNI coordinate in mm.
    """
    look_at(viewer, x, y, z)
    if viewer.dims.ndisplay != 2:
        return
    camera = viewer.scene.camera
    place = [
        (z, y, x)[axis - (viewer.dims.ndim - 3)] for axis in viewer.dims.order[-2:]
    ]
    middle = camera.center[-2:]
    reach = [size / 2 / camera.zoom for size in viewer.canvas.size]
    if any(
        abs(at - here) > far for at, here, far in zip(place, middle, reach, strict=True)
    ):
        camera.center = (*camera.center[:-2], *place)


def _add_marks(viewer: Viewer) -> None:
    """Put the orientation letters on the canvas and keep them right."""
    if not is_anatomical(viewer):
        for name, position in MARKS.items():
            add_words(viewer, name, position=position, font_size=_MARK_SIZE, box=False)
        add_words(viewer, _CONVENTION, visible=False)
        # The viewer owns the events: a strong reference back would keep it alive.
        turn = partial(_follow_plane, weakly(viewer))
        viewer.dims.events.order.connect(turn)
        viewer.dims.events.ndisplay.connect(turn)
        viewer.dims.events.ndim.connect(turn)
        follow = partial(_follow_camera, weakly(viewer))
        viewer.scene.camera.events.orientation.connect(follow)
    _update_marks(viewer)


def add_words(viewer: Viewer, name: str, **given: Any) -> None:
    """Add an overlay with words to the canvas.

    Parameters
    ----------
    name : str
        Of the overlay.
    **given
        As for napari's `TextOverlay`.
    """
    from napari.components.overlays import TextOverlay

    drawn = drawn_overlays()
    kind: Any = TextOverlay if drawn is None else drawn.WordsOverlay
    viewer.canvas.overlays[name] = kind(**given)


def _add_scale(viewer: Viewer) -> None:
    overlays, drawn = viewer.canvas.overlays, drawn_overlays()
    before = overlays.scale_bar
    if drawn is not None and not isinstance(before, drawn.ScaleOverlay):
        # What is equal is not put in place of what is there.
        del overlays["scale_bar"]
        overlays["scale_bar"] = drawn.ScaleOverlay(**before.model_dump())
    overlays.scale_bar.visible = True


def weakly(viewer: Viewer) -> weakref.ref[Viewer]:
    """Refer to a viewer without keeping it alive.

    Commands and widgets are handed a stand-in, which may be gone long before the viewer
    that it stands for: it is that one which is referred to.
    """
    return weakref.ref(unproxied(viewer))


def _follow_plane(ref: weakref.ref[Any], event: object = None) -> None:
    """Turn the camera as the plane wants it, unless somebody turned it by hand."""
    if (viewer := ref()) is None:
        return
    if side := viewer.canvas.overlays[_CONVENTION].text:
        viewer.scene.camera.orientation = camera_ways(current_plane(viewer), side)
    _update_marks(viewer)


def _follow_camera(ref: weakref.ref[Any], event: object = None) -> None:
    """Take for the convention what somebody turned the camera to."""
    if (viewer := ref()) is None:
        return
    viewer.canvas.overlays[_CONVENTION].text = shown_convention(viewer) or ""
    _update_marks(viewer)


def _update_marks(viewer: Viewer) -> None:
    letters = canvas_letters(
        viewer.dims.order, viewer.dims.ndisplay, viewer.scene.camera.orientation
    )
    for name in MARKS:
        overlay = viewer.canvas.overlays[name]
        overlay.text = letters.get(name.removeprefix("orientation_"), "")
        overlay.visible = bool(letters)
    # A turned volume has no left edge: there the axes say where it points.
    viewer.canvas.overlays.axes.box = False
    viewer.canvas.overlays.axes.visible = not letters


def canvas_letters(
    order: tuple[int, ...], ndisplay: int, orientation: tuple[str, ...]
) -> dict[str, str]:
    """Say which end of the brain lies at which edge of the canvas.

    Parameters
    ----------
    order : tuple of int
        Order of the viewer's axes; the last three are z, y, x when none is moved.
    ndisplay : int
        Dimensions displayed.
    orientation : tuple of str
        Where depth, vertical and horizontal axes point.

    Returns
    -------
    dict of str to str
        ``{"left": "L", "right": "R", "top": "A", "bottom": "P"}``; empty in 3D.

    Examples
    --------
    >>> canvas_letters((0, 1, 2), 2, ("towards", "up", "right"))["left"]
    'L'
    >>> canvas_letters((0, 1, 2), 2, ("away", "up", "left"))["left"]
    'R'
    """
    extra = len(order) - 3
    if ndisplay != 2 or extra < 0:
        return {}
    vertical, horizontal = (axis - extra for axis in order[-2:])
    if vertical < 0 or horizontal < 0:
        return {}
    return edge_letters(
        2 - horizontal,
        2 - vertical,
        rightward=str(orientation[2]) == "right",
        upward=str(orientation[1]) == "up",
    )


def grows_rightwards(viewer: Viewer) -> bool:
    """Whether the axis across the canvas grows to the right: right is on the right."""
    return str(viewer.scene.camera.orientation[2]) == "right"


def shown_convention(viewer: Viewer) -> Convention | None:
    """Return the convention that is shown, None when the camera is in neither way.

    Sagittal slices are the same in both: there it is the one that was chosen.
    """
    now = tuple(str(way) for way in viewer.scene.camera.orientation)
    plane = current_plane(viewer)
    chosen = viewer.canvas.overlays.get(_CONVENTION)
    fitting = [name for name in CONVENTIONS if camera_ways(plane, name) == now]
    kept = [name for name in fitting if chosen is not None and chosen.text == name]
    return next(iter(kept or fitting), None)


def nearest_convention(viewer: Viewer) -> Convention:
    """Return the convention that is shown, or the one that is like the camera."""
    if (shown := shown_convention(viewer)) is not None:
        return shown
    return "neurological" if grows_rightwards(viewer) else "radiological"


# Looking at the volume from its sides: the camera by name, and letters to prove it.


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
    if is_anatomical(viewer):
        for name, letter in zip(MARKS, letters, strict=True):
            overlays[name].text = letter
            overlays[name].visible = True
        angles = unproxied(viewer).scene.camera.events.angles
        # One turn by hand, and the letters would be wrong.
        if not any(_is_ours(callback) for callback in angles.callbacks):
            angles.connect(partial(_take_letters_away, weakly(viewer)))


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
    uncover_canvas(viewer)
    if viewer.dims.ndisplay != 3 or viewer.dims.order != tuple(range(extra + 3)):
        show_3d(viewer)
    viewer.scene.camera.set_view_direction(look[::-1], up[::-1])


def _is_ours(callback: Any) -> bool:
    return isinstance(callback, partial) and callback.func is _take_letters_away


def _take_letters_away(ref: weakref.ref[Any], event: object = None) -> None:
    """Leave the letters of slices alone, and those of a side while it is seen."""
    viewer = ref()
    if viewer is None or viewer.dims.ndisplay != 3 or facing(viewer) is not None:
        return
    for name in MARKS:
        viewer.canvas.overlays[name].visible = False


# The two places that a user means: where the slices are, and where the mouse is.


def place_of_slices(viewer: Viewer) -> Coordinate | None:
    """Return where the slices are.

    Returns
    -------
    tuple of float or None
        x, y and z in mm; None when there is no volume.
    """
    if viewer.dims.ndim < 3:
        return None
    z, y, x = viewer.dims.point[-3:]
    return float(x), float(y), float(z)


def place_of_mouse(viewer: Viewer) -> Coordinate | None:
    """Return the place in a slice that the mouse is over.

    Returns
    -------
    tuple of float or None
        x, y and z in mm; None when the mouse is elsewhere, and in 3D, where it is over
        a line of sight and not over a place.
    """
    dims = viewer.dims
    position = list(viewer.cursor.position)
    if not viewer.mouse_over_canvas or dims.ndisplay != 2 or dims.ndim < 3:
        return None
    if len(position) != dims.ndim:
        return None
    # The mouse may rest while a slider moves.
    for axis in dims.order[:-2]:
        position[axis] = dims.point[axis]
    z, y, x = position[-3:]
    return float(x), float(y), float(z)
