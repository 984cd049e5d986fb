"""Colors that say what numbers mean: sides of zero, and strength.

What may be seen is decided by the voxels of a layer: those that do not survive are NaN,
which is transparent in every colormap. So no color here is transparent, and whatever
the user does to limits, gamma or colormap changes colors and nothing else.

Colormaps are plain dicts, so that layer data can be built without importing napari.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.export.colors import COLD, WARM, Hue, write_value
from napari_neurosynth_results.maps.kinds import ColorFamily, MapKind
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.directions import Sides
from napari_neurosynth_results.statistics.thresholds.apply import name_values
from napari_neurosynth_results.statistics.thresholds.first_look import FirstLook

Colormap = dict[str, Any]

#: Of the threshold, where the colors of one side begin.
_JUST_BELOW = 1 - 1e-4
#: Where the colors of a map with two sides begin moves in so many steps from zero to
#: the strongest value: the fewer, the seldomer the graphics card is told of a colormap.
_STEPS = 20
#: How far the two sides of zero are from each other in a colormap.
_MIDDLE = 1e-4
#: Between limits that are equal.
_LEAST = 1e-30
_CLEAR = (0.0, 0.0, 0.0, 0.0)
#: Grays of the brain; what is empty is transparent: no black box stands on white.
UNDERLAY_COLORS: Colormap = {
    "name": "gray, clear outside",
    "colors": np.array([_CLEAR, (0.004, 0.004, 0.004, 1.0), (1.0, 1.0, 1.0, 1.0)]),
    "controls": (0.0, 0.0025, 1.0),
}
#: Where the second color of p lies between the smallest one and the threshold.
_P_SECOND = 0.001


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
    """

    colormap: Colormap
    contrast_limits: tuple[float, float]


@dataclass(frozen=True)
class ColorRange:
    """What the colors of a map mean: from which value to which, on which sides.

    Attributes
    ----------
    title : str
        What the numbers are.
    height, strongest : float
        Sizes of the weakest and of the strongest value that is colored.
    kind : MapKind
        Their unit.
    sides : tuple of bool
        Whether positive and negative values are shown.
    marks_threshold : bool
        Whether the height is the threshold: not where clusters were chosen by a p of
        their own.
    """

    title: str
    height: float
    strongest: float
    kind: MapKind
    sides: Sides
    marks_threshold: bool

    @classmethod
    def of(
        cls,
        look: FirstLook,
        values: StatMap,
        *,
        kind: MapKind,
        sides: Sides,
        marks_threshold: bool,
    ) -> ColorRange:
        """Read it off a threshold and the map whose values are colored."""
        by_decades = kind.row.colors is ColorFamily.DECADES
        return cls(
            title=name_values(values),
            height=look.height,
            strongest=look.strongest,
            kind=kind,
            sides=(True, False) if by_decades else sides,
            marks_threshold=marks_threshold,
        )

    def sizes(self, n: int) -> npt.NDArray[np.float64]:
        """Return n sizes from the weakest to the strongest: of p, by decades."""
        if self.kind.row.colors is ColorFamily.DECADES and self.strongest > 0:
            return np.geomspace(self.height, self.strongest, n)
        return np.linspace(self.height, max(self.strongest, self.height), n)

    def weakest_text(self, sign: int) -> str:
        """Write the number at which the colors of a side begin."""
        text = write_value(sign * self.height, self.kind)
        if not self.marks_threshold:
            return text
        small = self.kind.row.small_is_strong
        return f"{'≤' if small or sign < 0 else '≥'} {text}"

    def strongest_text(self, sign: int) -> str:
        """Write the number at which the colors of a side end."""
        return write_value(sign * self.strongest, self.kind)


def coloring(
    look: FirstLook,
    kind: MapKind,
    *,
    sides: Sides | None = None,
    hue: Hue | None = None,
) -> Coloring:
    """Choose the colors of what survives on a map.

    Parameters
    ----------
    look : FirstLook
        Its threshold and range.
    kind : MapKind
        p maps are strong where they are small.
    sides : tuple of bool, optional
        Whether positive and negative values are shown; by default the negative ones of
        a signed map only.
    hue : Hue, optional
        The one color of a map that is seen together with others: light where it is
        positive, dark where it is negative.

    Returns
    -------
    Coloring
        Every color is opaque. Maps with both sides have limits symmetric about zero,
        which is where warm colors meet cold ones; others run from the threshold on.
    """
    paint = _paint_of(hue)
    if kind.row.colors is ColorFamily.DECADES:
        return _of_p(look, paint)
    positive, negative = sides or (True, look.signed)
    low, high = look.height, _above(look.height, look.strongest)
    if positive and negative:
        return _of_both(low, high, paint)
    stops = paint.cold[::-1] if negative else paint.warm
    # In 3D napari draws what is beyond the limit only, and interpolates before.
    low *= _JUST_BELOW
    limits = (-high, -low) if negative else (low, high)
    name = f"{'negative' if negative else 'positive'}{paint.suffix}"
    return Coloring(_colormap(name, _opaque(stops)), limits)


def _of_both(low: float, high: float, paint: _Paint) -> Coloring:
    """Warm above zero and cold below it, each from the threshold outwards."""
    band = min(round(_STEPS * low / high), _STEPS - 1)
    start = max(band / _STEPS, _MIDDLE)
    warm = np.concatenate([[_MIDDLE], np.linspace(start + _MIDDLE, 1, len(paint.warm))])
    cold = np.concatenate([[_MIDDLE], np.linspace(start + _MIDDLE, 1, len(paint.cold))])
    controls = np.concatenate([(1 - cold[::-1]) / 2, (1 + warm) / 2])
    controls[0], controls[-1] = 0, 1
    # Nothing survives below the threshold. Should limits be moved, it has a side still.
    sides = (*paint.cold[::-1], paint.cold[0], paint.warm[0], *paint.warm)
    # The name says the content, because napari keeps one colormap a name; and it is
    # short, because napari makes room for it at the cost of the canvas.
    name = f"both signs{paint.suffix} ({band})"
    return Coloring(_colormap(name, _opaque(sides), controls), (-high, high))


def _of_p(look: FirstLook, paint: _Paint) -> Coloring:
    """Colors by decades of p: the smaller, the stronger."""
    # Below both: where nothing survives, the height is the smaller one.
    low = min(look.strongest, look.height) / 2
    name = f"small p is strong{paint.suffix}"
    colors = _opaque(paint.warm[::-1])
    stops = (0.0, *np.geomspace(_P_SECOND, 1.0, len(colors) - 1))
    return Coloring(_colormap(name, colors, stops), (low, look.height))


def faint_coloring(
    look: FirstLook, kind: MapKind, *, sides: Sides | None = None
) -> Coloring:
    """Choose the colors of what does not survive: the weaker, the fainter.

    Parameters
    ----------
    look, kind, sides
        As for `coloring`.

    Returns
    -------
    Coloring
        Transparent at zero, or at a p of 1, and opaque from the threshold on: how faint
        it is at most is the opacity of its layer.
    """
    if kind.row.colors is ColorFamily.DECADES:
        colors = np.array([(*WARM[0], 1.0), (*WARM[0], 0.0)])
        limits = (look.height, max(1.0, 2 * look.height))
        return Coloring(_colormap("larger p, faint", colors), limits)
    positive, negative = sides or (True, look.signed)
    share = np.linspace(0, 1, _STEPS + 1) ** 2
    warm = np.column_stack([np.tile(WARM[0], (share.size, 1)), share])
    cold = np.column_stack([np.tile(COLD[0], (share.size, 1)), share])
    which = "both signs" if positive and negative else "positive"
    which = which if positive else "negative"
    colors = np.concatenate([cold[::-1]] * negative + [warm] * positive)
    height = _above(0.0, look.height)
    limits = (-height if negative else 0.0, height if positive else 0.0)
    return Coloring(_colormap(f"{which}, faint", colors), limits)


def _colormap(
    name: str, colors: npt.NDArray[np.float64], controls: npt.ArrayLike | None = None
) -> Colormap:
    made: Colormap = {"name": name, "colors": colors, "nan_color": _CLEAR}
    return made if controls is None else {**made, "controls": controls}


def _paint_of(hue: Hue | None) -> _Paint:
    """Make the ramps of one hue: to white for positive, to black for negative."""
    if hue is None:
        return _Paint(WARM, COLD)
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
    return high if high > low else low + max(abs(low), _LEAST)


def _opaque(stops: tuple[tuple[float, ...], ...]) -> npt.NDArray[np.float64]:
    return np.column_stack([np.array(stops), np.ones(len(stops))])
