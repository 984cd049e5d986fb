"""The two places that a user means: where the slices are, and where the mouse is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_neurosynth_results.anatomy.coordinates import Place

if TYPE_CHECKING:
    from napari.viewer import Viewer


def place_of_slices(viewer: Viewer) -> Place | None:
    """Return where the slices are.

    Parameters
    ----------
    viewer : Viewer
        The viewer.

    Returns
    -------
    tuple of float or None
        x, y and z in mm; None when there is no volume.
    """
    if viewer.dims.ndim < 3:
        return None
    z, y, x = viewer.dims.point[-3:]
    return float(x), float(y), float(z)


def place_of_mouse(viewer: Viewer) -> Place | None:
    """Return the place in a slice that the mouse is over.

    Parameters
    ----------
    viewer : Viewer
        The viewer.

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
