"""Colors that say what numbers mean: sides of zero, strength, and nothing below it.

Colormaps are plain dicts, so that layer data can be built without importing napari.
What is below the threshold is transparent in the colormap itself: the voxels stay as
they are, and the contrast limits of a one-signed map are its threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.export.colors import COLD, WARM, Hue
from napari_neurosynth_results.maps.kinds import ColorFamily, MapKind
from napari_neurosynth_results.statistics.thresholds.first_look import FirstLook
from napari_neurosynth_results.viewer.napari_private import COLOR_TABLE

Colormap = dict[str, Any]

#: Edges of colors have to lie between two entries of the table that colors are looked
#: up in. These are the entries of one side.
_TABLE = COLOR_TABLE // 2
#: Colors of one side: the fewer, the faster the graphics card is told of them.
_STEPS = 24
#: The limits of a colormap that is kept may lie so much below or above the strongest
#: value: as the threshold divided by the band.
_FITTING = (0.7, 1.4)
#: How opaque what is just below the threshold is, when it is shown faintly.
_FAINT = 0.5
#: Values at or below a contrast limit count as beyond it; this keeps equal ones in.
_NUDGE = 1e-6
_CLEAR = (0.0, 0.0, 0.0, 0.0)
_P_STOPS = (0.0, 0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True)
class _Paint:
    """Colors of both sides of zero, weak to strong."""

    warm: tuple[tuple[float, ...], ...]
    cold: tuple[tuple[float, ...], ...]
    #: napari keeps one colormap a name: another hue is another colormap.
    suffix: str = ""


@dataclass(frozen=True)
class Coloring:
    """Colormap and contrast limits for a layer.

    Attributes
    ----------
    colormap : dict
        As napari's `Colormap` takes it.
    contrast_limits : tuple of float
        Of the layer.
    band : int or None
        Where the threshold lies in a colormap that is made in steps.
    """

    colormap: Colormap
    contrast_limits: tuple[float, float]
    band: int | None = None


def coloring(
    look: FirstLook,
    kind: MapKind,
    *,
    sides: tuple[bool, bool] | None = None,
    faint: bool = False,
    before: int | None = None,
    hue: Hue | None = None,
) -> Coloring:
    """Choose the colors of a map.

    Parameters
    ----------
    look : FirstLook
        Its threshold and range.
    kind : MapKind
        p maps are strong where they are small.
    sides : tuple of bool, optional
        Whether positive and negative values are shown; by default the negative ones of
        a signed map only.
    faint : bool
        Let what is below the threshold shine through, the weaker the fainter.
    before : int, optional
        The band of the colors so far. While a threshold moves it is kept for as long as
        the limits fit the map, because another colormap takes time.
    hue : Hue, optional
        The one color of a map that is seen together with others: light where it is
        positive, dark where it is negative.

    Returns
    -------
    Coloring
        Signed maps diverge from a transparent middle with limits symmetric about zero;
        others run from a transparent low end.
    """
    paint = _Paint(WARM, COLD) if hue is None else _paint_of(hue)
    if kind.row.colors is ColorFamily.DECADES:
        return _small_is_strong(look, faint, paint)
    positive, negative = sides or (True, look.signed)
    if negative or faint:
        return _in_steps(look, (positive, negative), faint, before, paint)
    low = look.height - abs(look.height or look.strongest) * _NUDGE
    return Coloring(
        {
            "name": f"strength above threshold{paint.suffix}",
            "colors": _rgba(paint.warm),
            "low_color": _CLEAR,
            "nan_color": _CLEAR,
        },
        (low, _above(low, look.strongest)),
    )


def _in_steps(
    look: FirstLook,
    sides: tuple[bool, bool],
    faint: bool,
    before: int | None,
    paint: _Paint,
) -> Coloring:
    """Warm above the height, cold below its negative, and little or nothing between.

    The threshold is exact only where it falls between two entries of the table. The
    limit is moved a little for that.
    """
    positive, negative = sides
    height = look.height * (1 - _NUDGE)
    wanted = _TABLE * height / _above(height, look.strongest)
    least, most = _FITTING
    if before is not None and least * wanted <= before <= most * wanted:
        band = before
    else:
        band = min(max(round(wanted), 1), _TABLE - 1)
    limit = _TABLE * height / band
    # Colors from zero outwards, and the entries where they end.
    weak = np.unique(np.rint(np.linspace(0, band, _STEPS + 1 if faint else 2)))
    strong = np.unique(np.rint(np.linspace(band, _TABLE, _STEPS + 1)))
    edges = np.concatenate([weak, strong[1:]]) / _TABLE
    n_weak, n_strong = weak.size - 1, strong.size - 1
    warm, cold = (
        _side(stops, n_weak, n_strong, faint) for stops in (paint.warm, paint.cold)
    )
    colors = [cold[::-1]] * negative + [warm] * positive
    controls = [1 - edges[::-1]] * negative + [edges] * positive
    if positive and negative:
        controls = [controls[0] / 2, (controls[1][1:] + 1) / 2]
    which = "both signs" if len(colors) > 1 else "negative" if negative else "positive"
    return Coloring(
        {
            # It says the content, because napari keeps one colormap a name; and it is
            # short, because napari makes room for it at the cost of the canvas.
            "name": f"{which}{', faint' if faint else ''}{paint.suffix} ({band})",
            "colors": np.concatenate(colors),
            "controls": np.concatenate(controls),
            "interpolation": "zero",
            # Said, because what lies beyond the limits is else colored anyhow.
            "low_color": (*paint.cold[-1], 1.0) if negative else _CLEAR,
            "high_color": (*paint.warm[-1], 1.0) if positive else _CLEAR,
            "nan_color": _CLEAR,
        },
        (-limit if negative else 0.0, limit if positive else 0.0),
        band,
    )


def _side(
    stops: tuple[tuple[float, ...], ...], n_weak: int, n_strong: int, faint: bool
) -> npt.NDArray[np.float64]:
    """Colors from zero outwards: those below the threshold, and those above it."""
    colors = np.zeros((n_weak + n_strong, 4))
    colors[n_weak:] = _ramp(stops, np.linspace(0, 1, n_strong))
    if faint:
        colors[:n_weak, :3] = stops[0]
        # The first is clear: 0 is in it, and fills most of a volume.
        colors[:n_weak, 3] = _FAINT * (np.arange(n_weak) / n_weak) ** 2
    return colors


def _small_is_strong(look: FirstLook, faint: bool, paint: _Paint) -> Coloring:
    """Colors by decades of p; 0 is outside, beyond the threshold is transparent."""
    beyond = (*paint.warm[0], _FAINT / 4) if faint else _CLEAR
    which = ", larger ones faint" if faint else ""
    return Coloring(
        {
            "name": f"small p is strong{which}{paint.suffix}",
            "colors": _rgba(paint.warm[::-1]),
            "controls": _P_STOPS,
            "low_color": _CLEAR,
            "high_color": beyond,
            "nan_color": _CLEAR,
        },
        # Below both: where nothing survives, the height is the smaller one.
        (min(look.strongest, look.height) / 2, look.height * (1 + _NUDGE)),
    )


def _paint_of(hue: Hue) -> _Paint:
    """Make the ramps of one hue: to white for positive, to black for negative."""
    color = np.array(hue.rgb)
    warm = [0.75 * color, 0.9 * color, color, 0.6 * color + 0.4]
    cold = [0.6 * color, 0.45 * color, 0.3 * color]
    return _Paint(
        tuple(tuple(map(float, stop)) for stop in warm),
        tuple(tuple(map(float, stop)) for stop in cold),
        f", {hue.name}",
    )


def _above(low: float, high: float) -> float:
    """Keep limits apart where all values are equal."""
    return high if high > low else low + max(abs(low), 1e-30)


def _rgba(stops: tuple[tuple[float, ...], ...]) -> npt.NDArray[np.float64]:
    return np.column_stack([np.array(stops), np.ones(len(stops))])


def _ramp(
    stops: tuple[tuple[float, ...], ...], where: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Interpolate color stops, evenly spaced over 0..1."""
    at = np.linspace(0, 1, len(stops))
    rgba = _rgba(stops)
    return np.column_stack([np.interp(where, at, rgba[:, c]) for c in range(4)])
