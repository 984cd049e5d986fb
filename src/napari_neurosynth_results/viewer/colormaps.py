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

from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.statistics.first_look import FirstLook

Colormap = dict[str, Any]

#: vispy looks colors up in a table of this many entries (vispy 0.16, `color.colormap`).
_TABLE = 1024
#: Values at or below a contrast limit count as beyond it; this keeps equal ones in.
_NUDGE = 1e-6
_CLEAR = (0.0, 0.0, 0.0, 0.0)
#: Dark to light, ending in colors that stand out from white matter.
_WARM = (
    (0.55, 0.0, 0.0),
    (0.9, 0.1, 0.0),
    (1.0, 0.5, 0.0),
    (1.0, 0.8, 0.0),
    (1, 1, 0.4),
)
_COLD = (
    (0.0, 0.1, 0.6),
    (0.0, 0.3, 0.95),
    (0.0, 0.6, 1.0),
    (0.2, 0.85, 1.0),
    (0.6, 1, 1),
)
_P_STOPS = (0.0, 0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True)
class Coloring:
    """Colormap and contrast limits for a layer."""

    colormap: Colormap
    contrast_limits: tuple[float, float]


def coloring(look: FirstLook, kind: MapKind) -> Coloring:
    """Choose the colors of a map.

    Parameters
    ----------
    look : FirstLook
        Its threshold and range.
    kind : MapKind
        p maps are strong where they are small.

    Returns
    -------
    Coloring
        Signed maps diverge from a transparent middle with limits symmetric about zero;
        others run from a transparent low end.
    """
    if kind is MapKind.P:
        return _small_is_strong(look)
    if look.signed:
        return _diverging(look)
    low = look.height - abs(look.height) * _NUDGE
    return Coloring(
        {
            "name": "strength above threshold",
            "colors": _rgba(_WARM),
            "low_color": _CLEAR,
            "nan_color": _CLEAR,
        },
        (low, _above(low, look.strongest)),
    )


def _diverging(look: FirstLook) -> Coloring:
    """Warm above, cold below, and exactly nothing between -height and height.

    The colors are looked up in a table, so the threshold is exact only where it falls
    on the edge between two entries. The limit is moved by up to half an entry for that.
    """
    half = _TABLE // 2
    height = look.height * (1 - _NUDGE)
    band = round(half * height / _above(height, look.strongest))
    band = min(max(band, 1), half - 1)
    limit = half * height / band
    strength = np.linspace(0, 1, half - band)
    warm, cold = _ramp(_WARM, strength), _ramp(_COLD, strength)
    colors = np.zeros((_TABLE, 4))
    colors[half + band :] = warm
    colors[: half - band] = cold[::-1]
    return Coloring(
        {
            # The name says the content: napari keeps one colormap a name.
            "name": f"both signs, {band / half:.3f} of the range transparent",
            "colors": colors,
            "controls": np.linspace(0, 1, _TABLE + 1),
            "interpolation": "zero",
            "nan_color": _CLEAR,
        },
        (-limit, limit),
    )


def _small_is_strong(look: FirstLook) -> Coloring:
    """Colors by decades of p; 0 is outside, beyond the threshold is transparent."""
    return Coloring(
        {
            "name": "small p is strong",
            "colors": _rgba(_WARM[::-1]),
            "controls": _P_STOPS,
            "low_color": _CLEAR,
            "high_color": _CLEAR,
            "nan_color": _CLEAR,
        },
        (look.strongest / 2, look.height * (1 + _NUDGE)),
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
