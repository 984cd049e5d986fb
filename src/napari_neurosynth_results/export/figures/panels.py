"""Parts of brain figures: rows of slices with letters, bars of colors, legends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.export.figures.color_scale import (
    ColorScale,
    shade_colors,
)
from napari_neurosynth_results.export.figures.page import (
    GAP_MM,
    MARGIN,
    SMALL_POINTS,
    TEXT_POINTS,
    Page,
    text_width,
    wrap_text,
)
from napari_neurosynth_results.export.figures.slices import PlaneView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CAPTION = 3.6
_BAR = 2.4
#: Of the bar: below the threshold, on either side of zero.
_STUB = 0.25
_BAR_WIDTH = 75.0
_BELOW = 0.5
#: Shorter labels stand beside their bar, longer ones above it.
_BESIDE = 0.35
_LETTER_MM = 0.8
#: Around the place of a crosshair, in mm of brain.
_HOLE = 6.0
_SWATCH = 2.6
_LINE_MM = 3.4


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture of the brain and what is written on it.

    Attributes
    ----------
    view : PlaneView
        What it shows.
    picture : ndarray, shape (rows, columns, 3)
        Its colors.
    text : str
        Written below it.
    place : float
        Where a slice lies, mm.
    corners : bool
        Whether only left and right have a letter, in the upper corners.
    cross : tuple of float, optional
        Where a crosshair is, across and up in mm.
    """

    view: PlaneView
    picture: Float64Array = field(repr=False)
    text: str
    place: float = 0.0
    corners: bool = False
    cross: tuple[float, float] | None = None


def add_rows(page: Page, panels: Sequence[Panel], columns: int) -> None:
    """Add panels in rows of so many; all in one scale.

    Parameters
    ----------
    panels : sequence of Panel
        From left to right and downwards.
    columns : int
        In each row.
    """
    rows = [panels[i : i + columns] for i in range(0, len(panels), columns)]
    room = page.inner - GAP_MM * (columns - 1)
    scale = room / max(sum(one.view.size[0] for one in row) for row in rows)
    if len(rows[0]) < columns:
        scale = min(scale, room / columns / panels[0].view.size[0])
    for row in rows:
        height = scale * max(one.view.size[1] for one in row)
        page.add(height + _CAPTION + GAP_MM, _row_drawer(page, row, scale, height))


def _row_drawer(
    page: Page, row: Sequence[Panel], scale: float, height: float
) -> Callable[[Figure, float], None]:
    def draw(figure: Figure, top: float) -> None:
        left = MARGIN
        for panel in row:
            width, own = scale * panel.view.size[0], scale * panel.view.size[1]
            # Panels of one row stand on one line.
            axes = page.picture(
                figure,
                panel.picture,
                (left, top + height - own),
                (width, own),
                panel.view.size,
            )
            _write_letters(page, axes, panel, scale)
            if panel.cross is not None:
                _draw_cross(page, axes, panel)
            page.write(
                figure,
                (left + width / 2, top + height + 0.4),
                panel.text,
                ha="center",
                va="top",
            )
            left += width + GAP_MM

    return draw


def _write_letters(page: Page, axes: Axes, panel: Panel, scale: float) -> None:
    width, height = panel.view.size
    inset = _LETTER_MM / scale
    # Beside the brain, or in the corners, which no brain fills.
    y, va = (height - inset, "top") if panel.corners else (height / 2, "center")
    places = {
        "left": (inset, y, "left", va),
        "right": (width - inset, y, "right", va),
        "bottom": (width / 2, inset, "center", "bottom"),
        "top": (width / 2, height - inset, "center", "top"),
    }
    letters = panel.view.letters
    for edge in list(places)[: 2 if panel.corners else 4]:
        x, y, ha, va = places[edge]
        axes.text(
            x, y, letters[edge], fontsize=SMALL_POINTS, color=page.ink, ha=ha, va=va
        )


def _draw_cross(page: Page, axes: Axes, panel: Panel) -> None:
    """Draw lines through a place, with a hole around it: the place stays in sight."""
    assert panel.cross is not None
    x, y = panel.view.on_picture(*panel.cross)
    width, height = panel.view.size
    for low, high in ((0, x - _HOLE), (x + _HOLE, width)):
        axes.plot((low, high), (y, y), color=page.ink, linewidth=0.5, alpha=0.8)
    for low, high in ((0, y - _HOLE), (y + _HOLE, height)):
        axes.plot((x, x), (low, high), color=page.ink, linewidth=0.5, alpha=0.8)
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)


def add_bar(page: Page, scale: ColorScale) -> None:
    """Add the colors of a map with their numbers; the threshold is marked."""
    if not scale.shades.any():
        return

    room = text_width(scale.label, TEXT_POINTS, bold=True) + GAP_MM
    beside = room < _BESIDE * page.inner

    def draw(figure: Figure, top: float) -> None:
        left = MARGIN + (room if beside else 0)
        # The last number may reach beyond the bar.
        width = min(_BAR_WIDTH, MARGIN + page.inner - left - 3 * GAP_MM)
        at = (MARGIN, top + (_BAR / 2 if beside else -_LINE_MM / 2))
        page.write(figure, at, scale.label, bold=True, va="center")
        _draw_bar(page, figure, scale, (left, top, width))

    page.space(0.5 if beside else _LINE_MM + 0.5)
    page.add(_BAR + 5.6, draw)


def _draw_bar(
    page: Page, figure: Figure, scale: ColorScale, place: tuple[float, float, float]
) -> None:
    left, top, width = place
    low = -1 - _STUB if scale.cold else 0.0
    high = 1 + _STUB if scale.warm else 0.0
    n = 600
    at = np.linspace(low, high, n)
    strength = np.sign(at) * np.clip(np.abs(at) - _STUB, 0, None)
    colors = shade_colors(strength.astype(np.float32))[np.newaxis]
    gray = np.broadcast_to(_BELOW, (1, n, 3))
    picture = gray * (1 - colors[:, :, 3:]) + colors[:, :, :3] * colors[:, :, 3:]
    span = high - low
    axes = page.picture(figure, picture, (left, top), (width, _BAR), (span, 1))
    for tick in scale.ticks():
        side = -1 if tick.cold else 1
        x = tick.strength + side * _STUB - low
        reach = (-0.3, 1.35) if tick.limit else (-0.3, 0.0)
        axes.plot((x, x), reach, color=page.ink, linewidth=0.8, clip_on=False)
        page.write(
            figure,
            (left + width * x / span, top + _BAR + 1.0),
            tick.text,
            size=SMALL_POINTS,
            bold=tick.limit,
            ha="center",
            va="top",
        )
    axes.set_xlim(0, span)
    axes.set_ylim(0, 1)


def add_legend(page: Page, entries: Sequence[tuple[Float64Array, str]]) -> None:
    """Add colors and what they mean, one below the other.

    Parameters
    ----------
    entries : sequence of tuple
        Color and text.
    """
    from matplotlib.patches import Rectangle

    for color, text in entries:
        lines = wrap_text(text, TEXT_POINTS, page.inner - _SWATCH - GAP_MM)

        def draw(
            figure: Figure,
            top: float,
            color: Float64Array = color,
            lines: list[str] = lines,
        ) -> None:
            axes = page.axes(figure, MARGIN, top, _SWATCH, _SWATCH)
            patch = Rectangle((0, 0), 1, 1, facecolor=color, edgecolor=page.ink, lw=0.4)
            axes.add_patch(patch)
            for number, line in enumerate(lines):
                at = MARGIN + _SWATCH + GAP_MM, top + number * _LINE_MM - 0.1
                page.write(figure, at, line, va="top")

        page.add(_LINE_MM * len(lines) + 0.6, draw)
