"""Figures of comparisons: where two maps agree, and a matrix of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.planes import Convention, Plane
from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.colors import (
    BOTH,
    COLD,
    HUES,
    MINUS,
    OPPOSITE,
    WARM,
)
from napari_neurosynth_results.export.figures.maps import (
    check_side,
    columns_for,
    lightbox_panels,
)
from napari_neurosynth_results.export.figures.page import (
    GAP_MM,
    MARGIN,
    TEXT_POINTS,
    TITLE_POINTS,
    Background,
    Color,
    Page,
    text_width,
)
from napari_neurosynth_results.export.figures.panels import add_legend, add_rows
from napari_neurosynth_results.export.figures.slices import (
    Overlay,
    brain_for,
)
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.comparison.matrix import Matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Measure = Literal["dice", "jaccard", "r", "rho"]

_MEASURES = {
    "dice": "Dice",
    "jaccard": "Jaccard",
    "r": "Pearson's r",
    "rho": "Spearman's rho",
}
_CORRELATIONS = ("r", "rho")
#: On white paper what is in both is dark: white would be lost in the white matter.
_DARK_BOTH = (0.1, 0.1, 0.1)
_UNKNOWN = 0.5
_CELL_MM = 14.0
_LABEL_SHARE = 0.35
_SMALLEST_TYPE = 3.0


def comparison_figure(
    comparison: Comparison,
    plane: Plane = "axial",
    places: Sequence[float] | None = None,
    columns: int | None = None,
    side: Convention = "neurological",
    *,
    background: Background = "black",
    width_mm: float = 180.0,
) -> Figure:
    """Draw slices that show where one map, the other or both are above threshold.

    Parameters
    ----------
    plane, places, columns, side, background, width_mm
        As for `lightbox_figure`.

    Returns
    -------
    matplotlib.figure.Figure
        With a legend that counts voxels and says both thresholds; not known to pyplot.

    Raises
    ------
    ResultsError
        As `lightbox_figure`.
    """
    check_side(side)
    page = Page(width_mm, background)
    page.text(f"{comparison.name_a} / {comparison.name_b}", TITLE_POINTS, bold=True)
    page.space(1.5)
    table = _colors(background)
    overlay = Overlay(comparison.agreement, comparison.grid, lambda cut: table[cut])
    brain = brain_for(comparison.grid, background)
    panels, told = lightbox_panels(brain, overlay, plane, places, side)
    add_rows(page, panels, columns_for(width_mm, len(panels), columns))
    add_legend(page, _legend_entries(comparison, table))
    page.space(1.0)
    dice = "" if np.isnan(comparison.dice) else f"Dice {comparison.dice:.3f}."
    for text in (
        f"{comparison.name_a}: {comparison.threshold_a}.",
        f"{comparison.name_b}: {comparison.threshold_b}.",
        " ".join(part for part in (dice, comparison.resampled, told) if part),
    ):
        page.text(text)
    return page.finish()


def _colors(background: Background) -> Float64Array:
    """Colors and opacity of what an agreement volume holds, 0 to 4."""
    both = BOTH.rgb if background == "black" else _DARK_BOTH
    rows = [(0.0, 0.0, 0.0), HUES[0].rgb, HUES[1].rgb, both, OPPOSITE.rgb]
    return np.column_stack([np.array(rows), [0.0, 1, 1, 1, 1]])


def _legend_entries(
    comparison: Comparison, table: Float64Array
) -> list[tuple[Float64Array, str]]:
    """Say what each color means, and of how many voxels."""
    counts = np.bincount(comparison.agreement.ravel(), minlength=5)
    names = (
        f"only {comparison.name_a}",
        f"only {comparison.name_b}",
        BOTH.name,
        OPPOSITE.name,
    )
    made = []
    for number, name in enumerate(names, start=1):
        # Opposite signs are rare: without any they need no explanation.
        if counts[number] or number <= 3:
            n = int(counts[number])
            cm3 = n * comparison.voxel_mm3 / 1000
            text = f"{name}: {n:,} voxel{'s' * (n != 1)} ({cm3:.1f} cm3)"
            made.append((table[number, :3], text))
    return made


def matrix_figure(
    matrix: Matrix,
    measure: Measure = "dice",
    *,
    background: Background = "black",
    width_mm: float = 180.0,
) -> Figure:
    """Draw how much every two of several maps have in common.

    Parameters
    ----------
    measure : {"dice", "jaccard", "r", "rho"}
        Which number.
    background, width_mm
        As for `lightbox_figure`.

    Returns
    -------
    matplotlib.figure.Figure
        With the numbers in it, where they can be read; not known to pyplot.

    Raises
    ------
    ResultsError
        Without matplotlib, or for another measure.
    """
    if measure not in _MEASURES:
        raise ResultsError(
            f"measure must be one of {', '.join(_MEASURES)}, not {measure}."
        )
    page = Page(width_mm, background)
    page.text(f"{_MEASURES[measure]} of {len(matrix)} maps", TITLE_POINTS, bold=True)
    page.space(2.0)
    values = getattr(matrix, measure).to_numpy(float)
    names = list(matrix.names)
    room = max(text_width(name, TEXT_POINTS) for name in names) + GAP_MM
    room = min(room, page.inner * _LABEL_SHARE)
    cell = min(_CELL_MM, (page.inner - room) / len(names))

    def draw(figure: Figure, top: float) -> None:
        _draw_cells(page, figure, values, (MARGIN + room, top, cell))
        for number, name in enumerate(names):
            y = top + (number + 0.5) * cell
            at = (MARGIN + room - GAP_MM, y)
            text = f"{_shorten_to_fit(name, room - GAP_MM - 4)}  {number + 1}"
            page.write(figure, at, text, size=_type_size(cell), ha="right", va="center")
            at = (MARGIN + room + (number + 0.5) * cell, top + cell * len(names) + 0.8)
            page.write(
                figure,
                at,
                f"{number + 1}",
                size=_type_size(cell),
                ha="center",
                va="top",
            )

    page.add(cell * len(names) + 5.0, draw)
    if np.isnan(values).any():
        page.text("Gray: nothing is above the threshold, or the mask is unknown.")
    if measure in _CORRELATIONS:
        page.text(f"Over {matrix.n_voxels:,} voxels that all maps share.")
    for number, (name, one) in enumerate(
        zip(names, matrix.clusters, strict=True), start=1
    ):
        page.text(f"{number} {name}: {one}.")
    return page.finish()


def _type_size(cell: float) -> float:
    """Choose the size of type beside cells: it has to fit between two of them."""
    return max(_SMALLEST_TYPE, min(TEXT_POINTS, cell * 2.2))


def _shorten_to_fit(name: str, room: float) -> str:
    """Shorten a name in its middle, where names differ least."""
    if text_width(name, TEXT_POINTS) <= room:
        return name
    keep = len(name)
    while keep > 4 and text_width(f"{name[:keep]}…", TEXT_POINTS) > room:
        keep -= 1
    return f"{name[: keep - keep // 2]}…{name[len(name) - keep // 2 :]}"


def _draw_cells(
    page: Page,
    figure: Figure,
    values: npt.NDArray[np.float64],
    place: tuple[float, float, float],
) -> None:
    left, top, cell = place
    n = len(values)
    colors = _heat_colors(values, page.paper)
    side = n * cell
    axes = page.picture(figure, colors, (left, top), (side, side), (n, n))
    axes.images[0].set_interpolation("nearest")
    for edge in range(n + 1):
        for line in (((0, n), (edge, edge)), ((edge, edge), (0, n))):
            axes.plot(*line, color=page.paper, linewidth=0.6, clip_on=False)
    axes.set_xlim(0, n)
    axes.set_ylim(0, n)
    size = min(TEXT_POINTS, cell * 1.1)
    if size < _SMALLEST_TYPE + 1:
        return
    for (i, j), value in np.ndenumerate(values):
        light = colors[i, j] @ (0.299, 0.587, 0.114) > 0.5
        options: dict[str, Any] = {"color": "black" if light else "white"}
        at = left + (j + 0.5) * cell, top + (i + 0.5) * cell
        text = "" if np.isnan(value) else f"{value:.2f}".replace("-", MINUS)
        page.write(figure, at, text, size=size, ha="center", va="center", **options)


def _heat_colors(values: npt.NDArray[np.float64], paper: Color) -> Float64Array:
    """Color -1 to 1: from paper to warm, and to cold where negative."""
    made = np.full((*values.shape, 3), _UNKNOWN)
    at = np.linspace(0, 1, len(WARM) + 1)
    # From the paper on: what is 0 is nothing.
    stops = {1: WARM, -1: COLD}
    for sign, ramp in stops.items():
        ends = [paper, *(ramp if sum(paper) < 1 else ramp[::-1])]
        where = values >= 0 if sign > 0 else values < 0
        for channel in range(3):
            column = [stop[channel] for stop in ends]
            made[where, channel] = np.interp(np.abs(values[where]), at, column)
    return made
