"""Figures of one map: slices in rows, three planes through a place, a glass brain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_neurosynth_results.anatomy.glass import (
    engraving,
    strongest_along,
    thickness_along,
)
from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.anatomy.planes import (
    AXES,
    CONVENTIONS,
    PLANES,
    Convention,
    HeadSide,
    Plane,
    facing_side,
    hemisphere_letter,
)
from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.colors import MINUS
from napari_neurosynth_results.export.figures.color_scale import (
    ColorScale,
    build_color_scale,
)
from napari_neurosynth_results.export.figures.page import (
    TITLE_POINTS,
    Background,
    Page,
)
from napari_neurosynth_results.export.figures.panels import Panel, add_bar, add_rows
from napari_neurosynth_results.export.figures.slices import (
    Brain,
    Overlay,
    PlaneView,
    brain_for,
    lay_over,
    spread,
    voxel_at,
)
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.corrected import corrected_column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: How many slices a lightbox has when nothing is asked, and in how many columns.
_SLICES = 12
_COLUMNS = {"narrow": 4, "wide": 6}
_WIDE = 120.0
#: Room for a letter on paper, and how wide three planes are together.
_LETTER_MM, _THREE_BRAINS_MM = 2.8, 560.0
#: From left to right.
_PLANES = PLANES[::-1]
_SEEN_FROM: dict[HeadSide, str] = {
    "left": "from the left",
    "right": "from the right",
    "top": "from above",
    "bottom": "from below",
    "front": "from the front",
    "back": "from behind",
}


def glass_picture(
    brain: Brain, view: PlaneView, overlay: Overlay, ink: tuple[float, float, float]
) -> Float64Array:
    """Draw a projection inside the outline of the brain.

    Parameters
    ----------
    brain : Brain
        Whose outline is drawn; none outside of MNI space.
    view : PlaneView
        From where it is seen.
    overlay : Overlay
        Strengths, of which the largest size along each line is shown.

    Returns
    -------
    ndarray, shape (rows, columns, 3)
        Red, green and blue.
    """
    axis = AXES[view.plane][0]
    columns, rows = view.pixels()
    paper = 0.0 if brain.background == "black" else 1.0
    made = np.full((rows.size, columns.size, 3), paper)
    if brain.voxels is not None:
        thickness = thickness_along(brain.voxels > 0, axis)
        lines = engraving(spread(thickness, brain.grid, view))
        made += lines[:, :, np.newaxis] * (np.array(ink) - made)
    flat = strongest_along(overlay.volume, overlay.volume != 0, axis)
    # Where nothing is shown, an overlay is 0.
    flat = np.nan_to_num(flat)
    return lay_over(made, overlay.paint(spread(flat, overlay.grid, view)))


def lightbox_figure(
    clusters: ClusterSet,
    plane: Plane = "axial",
    places: Sequence[float] | None = None,
    columns: int | None = None,
    side: Convention = "neurological",
    *,
    background: Background = "black",
    width_mm: float = 180.0,
) -> Figure:
    """Draw slices of the template with the clusters of a map over them.

    Parameters
    ----------
    clusters : ClusterSet
        What is above the threshold. Of cluster-level corrected maps the significant
        clusters are colored by the uncorrected map, the others outlined.
    plane : {"axial", "coronal", "sagittal"}
        How the brain is cut.
    places : sequence of float, optional
        Where, in mm; by default up to 12 evenly from the first slice with a cluster to
        the last.
    columns : int, optional
        Slices in a row.
    side : {"neurological", "radiological"}
        Whether left is on the left or on the right.
    background : {"black", "white"}
        As in viewers, or for print.
    width_mm : float
        85 for one column of a journal, 180 for two.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot. `save_figure` writes it.

    Raises
    ------
    ResultsError
        Without matplotlib, or for places outside of the brain; the text says what to
        do.
    """
    page, scale, overlay, brain = _begin(clusters, background, width_mm, side)
    panels, told = lightbox_panels(brain, overlay, plane, places, side)
    add_rows(page, panels, columns_for(width_mm, len(panels), columns))
    add_bar(page, scale)
    if places is None and len(clusters):
        told = f"{told} {_describe_cut_clusters(clusters, panels, plane)}"
    _finish(page, clusters, scale, told)
    return page.finish()


def ortho_figure(
    clusters: ClusterSet,
    place: tuple[float, float, float] | None = None,
    side: Convention = "neurological",
    *,
    background: Background = "black",
    width_mm: float = 180.0,
) -> Figure:
    """Draw three planes through a place with the clusters of a map over them.

    Parameters
    ----------
    clusters : ClusterSet
        What is above the threshold.
    place : tuple of float, optional
        x, y and z in mm; by default the peak of the strongest significant cluster.
    side, background, width_mm
        As for `lightbox_figure`.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot.

    Raises
    ------
    ResultsError
        As `lightbox_figure`.
    """
    page, scale, overlay, brain = _begin(clusters, background, width_mm, side)
    at, told = (place, "") if place is not None else strongest_peak(clusters)
    if len(at) != 3:
        raise ResultsError("A place has three numbers: x, y and z in mm.")
    panels = []
    for plane in _PLANES:
        axis, across, up = AXES[plane]
        view = brain.view(plane, side, overlay, _letter_room(page))
        _check_places([at[axis]], plane, brain, overlay)
        picture = brain.picture(view, at[axis], overlay)
        cross = at[across], at[up]
        panels.append(
            Panel(view, picture, slice_caption(plane, at[axis]), at[axis], cross=cross)
        )
    add_rows(page, panels, len(panels))
    add_bar(page, scale)
    _finish(page, clusters, scale, told)
    return page.finish()


def glass_figure(
    clusters: ClusterSet,
    side: Convention = "neurological",
    *,
    background: Background = "black",
    width_mm: float = 180.0,
) -> Figure:
    """Draw the clusters of a map in a glass brain: projections from three sides.

    Parameters
    ----------
    clusters : ClusterSet
        What is above the threshold; of cluster-level corrected maps the significant
        clusters.
    side, background, width_mm
        As for `lightbox_figure`.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot.

    Raises
    ------
    ResultsError
        As `lightbox_figure`.
    """
    page, scale, overlay, brain = _begin(clusters, background, width_mm, side)
    views = [brain.view(plane, side, overlay, _letter_room(page)) for plane in _PLANES]
    panels = []
    for view in views:
        seen = _SEEN_FROM[facing_side(view.plane, mirrored=view.mirrored)]
        panels.append(Panel(view, glass_picture(brain, view, overlay, page.ink), seen))
    add_rows(page, panels, len(panels))
    add_bar(page, scale)
    told = (
        "Maximum projection: each point is the strongest voxel along the line of "
        "sight, at whatever depth."
    )
    _finish(page, clusters, scale, told, outlines=False)
    return page.finish()


def lightbox_panels(
    brain: Brain,
    overlay: Overlay,
    plane: Plane,
    places: Sequence[float] | None,
    side: Convention,
) -> tuple[list[Panel], str]:
    """Draw the slices of a lightbox.

    Parameters
    ----------
    plane, places, side
        As for `lightbox_figure`.

    Returns
    -------
    panels : list of Panel
        One a slice.
    told : str
        How the slices were chosen; empty when they were given.

    Raises
    ------
    ResultsError
        For no places, or places outside of the brain.
    """
    if plane not in AXES:
        raise ResultsError(f"plane must be axial, coronal or sagittal, not {plane}.")
    told = ""
    if places is None:
        places = even_places(brain, overlay, plane)
        told = (
            f"{counted(len(places), 'slice')}, evenly from the first with a cluster to "
            "the last."
        )
    elif not len(places):
        raise ResultsError("places is empty: give the mm of one slice or more.")
    _check_places(places, plane, brain, overlay)
    view = brain.view(plane, side, overlay)
    return [
        Panel(
            view,
            brain.picture(view, mm, overlay),
            slice_caption(plane, mm),
            mm,
            corners=True,
        )
        for mm in places
    ], told


def even_places(brain: Brain, overlay: Overlay, plane: Plane) -> list[float]:
    """Choose slices: evenly from the first that shows something to the last.

    Parameters
    ----------
    brain : Brain
        Cut as a whole where nothing is shown.
    plane : {"axial", "coronal", "sagittal"}
        How it is cut.

    Returns
    -------
    list of float
        Middles of voxels in mm, 12 at most.
    """
    axis = AXES[plane][0]
    others = tuple(other for other in range(3) if other != axis)
    shown = np.flatnonzero((overlay.volume != 0).any(axis=others))
    grid = overlay.grid
    if not shown.size:
        low, high = brain.box[axis]
        shown = voxel_at(grid, axis, np.array([low + 20, high - 20]))
        shown = shown if (shown >= 0).all() else np.array([0, grid.shape[axis] - 1])
    chosen = np.unique(np.linspace(shown[0], shown[-1], _SLICES).round())
    return [float(grid.origin[axis] + grid.voxel_size[axis] * one) for one in chosen]


def _describe_cut_clusters(
    clusters: ClusterSet, panels: list[Panel], plane: Plane
) -> str:
    """Say how many clusters are seen, where some lie between the slices."""
    axis = AXES[plane][0]
    places = np.array([panel.place for panel in panels])
    at = voxel_at(clusters.statmap.grid, axis, places)
    cut = np.unique(np.take(clusters.labels, at[at >= 0], axis))
    n, of = np.count_nonzero(cut), len(clusters)
    return "" if n == of else f"They cut {n} of the {of} clusters."


def _check_places(
    places: Sequence[float], plane: Plane, brain: Brain, overlay: Overlay
) -> None:
    axis = AXES[plane][0]
    boxes = [brain.box, *([overlay.box] if overlay.box else [])]
    low = min(box[axis][0] for box in boxes)
    high = max(box[axis][1] for box in boxes)
    for mm in places:
        if not low <= mm <= high:
            raise ResultsError(
                f"{'xyz'[axis]} = {mm:g} lies outside the brain, which reaches from "
                f"{low:g} to {high:g} mm."
            )


def columns_for(width_mm: float, n: int, asked: int | None) -> int:
    """Choose how many slices a row has."""
    if asked is None:
        asked = _COLUMNS["wide" if width_mm >= _WIDE else "narrow"]
    if asked < 1:
        raise ResultsError("columns must be 1 or more.")
    return min(asked, n)


def slice_caption(plane: Plane, mm: float) -> str:
    """Say where a slice lies; of sagittal ones, in which half."""
    axis = AXES[plane][0]
    mm = round(mm, 1) + 0.0
    half = hemisphere_letter(mm) if axis == 0 else ""
    text = f"{'xyz'[axis]} = {mm:g}".replace("-", MINUS)
    return f"{text} ({half})" if half else text


def strongest_peak(
    clusters: ClusterSet,
) -> tuple[tuple[float, float, float], str]:
    """Find the peak of the strongest significant cluster, and say which it is.

    Returns
    -------
    place : tuple of float
        x, y and z in mm; the origin where there is no cluster.
    told : str
        Name of the cluster, in words.
    """
    if not len(clusters):
        return (0.0, 0.0, 0.0), ""
    table = clusters.table
    strength = table["peak_logp"].to_numpy(float)
    if np.isnan(strength).any():
        # Without a p of every peak they cannot be ordered by it.
        strength = table["peak_value"].abs().to_numpy(float)
    if clusters.missing_test and clusters.statmap.level != "cluster":
        strength = -table[corrected_column(clusters.statmap)].to_numpy(float)
    # What is not significant is looked at only where nothing is.
    wanted = clusters.surviving | ~clusters.surviving.any()
    row = int(np.argmax(np.where(wanted, strength, -np.inf)))
    x, y, z = table[["peak_x", "peak_y", "peak_z"]].to_numpy(float)[row].tolist()
    return (x, y, z), f"At the peak of {clusters.names[row]}."


def _letter_room(page: Page) -> float:
    """Leave room for letters beside three brains, in mm of brain."""
    return _LETTER_MM * _THREE_BRAINS_MM / page.inner


def _begin(
    clusters: ClusterSet, background: Background, width_mm: float, side: Convention
) -> tuple[Page, ColorScale, Overlay, Brain]:
    check_side(side)
    page = Page(width_mm, background)
    page.text(clusters.statmap.title, TITLE_POINTS, bold=True)
    page.space(1.5)
    scale = build_color_scale(clusters)
    overlay = scale.overlay(clusters)
    return page, scale, overlay, brain_for(clusters.statmap.grid, background)


def check_side(side: str) -> None:
    """Check which side left is to be on.

    Raises
    ------
    ResultsError
        For another word than neurological or radiological.
    """
    if side not in CONVENTIONS:
        raise ResultsError(f"side must be {' or '.join(CONVENTIONS)}, not {side}.")


def _finish(
    page: Page,
    clusters: ClusterSet,
    scale: ColorScale,
    told: str,
    *,
    outlines: bool = True,
) -> None:
    """Say what the figure shows."""
    n = int((~clusters.surviving).sum())
    left_out = ""
    if n:
        how = "outlined" if outlines else "left out"
        left_out = f"Colored: significant clusters. Not significant: {n}, {how}."
    page.text(" ".join(part for part in (f"{clusters}.", left_out, told) if part))
