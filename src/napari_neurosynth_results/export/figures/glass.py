"""The glass brain: what is strongest along each line of sight, inside an outline."""

from __future__ import annotations

import numpy as np

from napari_neurosynth_results.export.figures.slices import (
    AXES,
    Brain,
    Floats,
    Overlay,
    View,
    blend,
    spread,
)

#: Thickness of brain, as shares of the most, at which a line is drawn.
_LEVELS = (0.25, 0.5, 0.75)
_FAINT, _STRONG = 0.16, 0.75
_FILL = 0.05


def glass_picture(
    brain: Brain, view: View, overlay: Overlay, ink: tuple[float, float, float]
) -> Floats:
    """Draw a projection inside the outline of the brain.

    Parameters
    ----------
    brain : Brain
        Whose outline is drawn; none outside of MNI space.
    view : View
        From where it is seen.
    overlay : Overlay
        Strengths, of which the largest size along each line is shown.
    ink : tuple of float
        Color of the lines.

    Returns
    -------
    ndarray, shape (rows, columns, 3)
        Red, green and blue.
    """
    axis = AXES[view.plane][0]
    columns, rows = view.pixels()
    paper = 0.0 if brain.background == "black" else 1.0
    made = np.full((rows.size, columns.size, 3), paper)
    lines = _lines(brain, view)
    made += lines[:, :, np.newaxis] * (np.array(ink) - made)
    strongest = np.abs(overlay.volume).argmax(axis=axis, keepdims=True)
    flat = np.take_along_axis(overlay.volume, strongest, axis).squeeze(axis)
    return blend(made, overlay.paint(spread(flat, overlay.grid, view)))


def _lines(brain: Brain, view: View) -> Floats:
    """Draw the outline, and faintly how thick the brain is: how much ink, 0 to 1."""
    columns, rows = view.pixels()
    ink = np.zeros((rows.size, columns.size))
    if brain.voxels is None:
        return ink
    from scipy.ndimage import binary_dilation, gaussian_filter

    thick = (brain.voxels > 0).sum(axis=AXES[view.plane][0]).astype(np.float64)
    picture = gaussian_filter(spread(thick, brain.grid, view), 3)
    for level in _LEVELS:
        inside = picture > level * picture.max()
        ink[binary_dilation(inside) & ~inside] = _FAINT
    inside = picture > 0.02 * picture.max()
    ink[inside] = np.maximum(ink[inside], _FILL)
    ink[binary_dilation(inside, iterations=2) & ~inside] = _STRONG
    return ink
