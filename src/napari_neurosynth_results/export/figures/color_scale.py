"""How strong a voxel is, as a color: warm or cold, from the threshold outwards."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.export.colors import (
    COLD,
    MINUS,
    WARM,
    colored_mask,
    colored_values,
    find_color_range,
    write_value,
)
from napari_neurosynth_results.export.figures.slices import Overlay
from napari_neurosynth_results.maps.kinds import ColorFamily, MapKind
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.thresholds.apply import name_values
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
)

#: The weakest voxel has a strength too: 0 is nothing.
_WEAKEST = 1e-6
_DECADE = 10.0
#: Ticks lie at least so much of a side apart.
_APART = 0.17


@dataclass(frozen=True)
class Tick:
    """A number beside the bar of colors.

    Attributes
    ----------
    strength : float
        0 to 1 on the warm side, -1 to 0 on the cold side.
    text : str
        What it says.
    cold : bool
        On which side it is.
    limit : bool
        Whether it is the threshold.
    """

    strength: float
    text: str
    cold: bool = False
    limit: bool = False


@dataclass(frozen=True, eq=False)
class ColorScale:
    """The clusters of a map as strengths, and what these mean.

    Attributes
    ----------
    shades : ndarray of float32, shape (i, j, k)
        Strength of each voxel that is shown: above 0 to 1, negative on the cold side; 0
        where nothing is shown.
    outlined : ndarray of bool, shape (i, j, k), or None
        Clusters that were tested and are not significant.
    height, strongest : float
        Where the colors begin and end, in the unit of the map.
    kind : MapKind
        The unit.
    label : str
        What the numbers are, in words.
    marks_threshold : bool
        Whether the colors begin at the threshold: not where clusters were chosen by a p
        of their own.
    has_stronger : bool
        Whether some voxels are stronger than the colors.
    """

    shades: npt.NDArray[np.float32] = field(repr=False)
    outlined: npt.NDArray[np.bool_] | None = field(repr=False)
    height: float
    strongest: float
    kind: MapKind
    label: str
    marks_threshold: bool
    has_stronger: bool

    @property
    def warm(self) -> bool:
        """Whether there is a positive side to explain."""
        return bool((self.shades > 0).any()) or not self.cold

    @property
    def cold(self) -> bool:
        """Whether there is a negative side to explain."""
        return bool((self.shades < 0).any())

    def overlay(self, clusters: ClusterSet) -> Overlay:
        """Return what is laid over the brain."""
        return Overlay(self.shades, clusters.statmap.grid, shade_colors, self.outlined)

    def ticks(self) -> list[Tick]:
        """Return the numbers beside the bar: threshold, end, and round ones between."""
        warm = self._side()
        made = warm if self.warm else []
        if not self.cold:
            return made
        cold = [
            Tick(-one.strength, _negate(one.text), cold=True, limit=one.limit)
            for one in warm
        ]
        return [*cold[::-1], *made]

    def _side(self) -> list[Tick]:
        small = self.kind.row.small_is_strong
        way = "≤" if small else "≥"
        first = write_value(self.height, self.kind)
        last = write_value(self.strongest, self.kind)
        ends = [
            Tick(
                0,
                f"{way} {first}" if self.marks_threshold else first,
                limit=self.marks_threshold,
            )
        ]
        if not _is_range(self.height, self.strongest):
            return ends
        between = [
            Tick(strength, write_value(value, self.kind))
            for value in _round_numbers(self.height, self.strongest, small)
            if 1.5 * _APART < (strength := float(self.strength(value))) < 1 - _APART
        ]
        return [
            *ends,
            *between,
            Tick(1, f"{way} {last}" if self.has_stronger else last),
        ]

    def strength(self, values: float | npt.NDArray[np.float32]) -> Float64Array:
        """Place numbers between threshold and extreme, 0 to 1.

        Parameters
        ----------
        values : float or ndarray
            Sizes, in the unit of the map.

        Returns
        -------
        ndarray
            By decades for p.
        """
        return scale_strength(values, self.height, self.strongest, self.kind)


def scale_strength(
    values: float | npt.NDArray[np.float32],
    height: float,
    strongest: float,
    kind: MapKind,
) -> Float64Array:
    """Place the sizes of values between a threshold and an extreme, 0 to 1."""
    size = np.abs(np.asarray(values, np.float64))
    if not _is_range(height, strongest):
        return np.ones_like(size)
    if kind.row.colors is ColorFamily.DECADES:
        size = np.log10(height / np.maximum(size, 5e-324))
        return np.clip(size / math.log10(height / strongest), 0, 1)
    return np.clip((size - height) / (strongest - height), 0, 1)


def build_color_scale(clusters: ClusterSet) -> ColorScale:
    """Turn clusters into strengths.

    Parameters
    ----------
    clusters : ClusterSet
        Of a cluster-level corrected map, the significant ones are shown by the values
        of the uncorrected map, and the others outlined. Any other map is shown by its
        own values, as on the screen.

    Returns
    -------
    ColorScale
        On the grid of the map.
    """
    tested = isinstance(clusters.threshold, ClusterLevelResult)
    values = colored_values(clusters)
    labels = clusters.labels
    shown = colored_mask(clusters)
    sign = np.concatenate([[0], clusters.labelled.sign])[labels[shown]]
    # The sign of a voxel is that of its cluster; its size is what is colored.
    found = values.data[shown]
    look = find_color_range(clusters)
    height, strongest = look.height, look.strongest
    strength = scale_strength(found, height, strongest, values.kind)
    shades = np.zeros(labels.shape, np.float32)
    shades[shown] = np.where(sign < 0, -1, 1) * np.maximum(strength, _WEAKEST)
    outlined = (labels > 0) & ~shown
    small = values.kind.row.small_is_strong
    size = np.abs(found)
    stronger = (size < strongest) if small else (size > strongest * (1 + 1e-6))
    return ColorScale(
        shades=shades,
        outlined=outlined if outlined.any() else None,
        height=height,
        strongest=strongest,
        kind=values.kind,
        label=name_values(values) if values is clusters.statmap else values.title,
        marks_threshold=not tested,
        has_stronger=bool(stronger.any()),
    )


def shade_colors(shades: npt.NDArray[np.float32]) -> Float64Array:
    """Color strengths.

    Parameters
    ----------
    shades : ndarray of float
        Above 0 to 1 warm, below 0 to -1 cold, 0 nothing.

    Returns
    -------
    ndarray, shape (..., 4)
        Red, green, blue and opacity, which is 0 or 1.
    """
    made = np.zeros((*shades.shape, 4))
    for where, stops in ((shades > 0, WARM), (shades < 0, COLD)):
        at = np.linspace(0, 1, len(stops))
        for channel, column in enumerate(zip(*stops, strict=True)):
            made[where, channel] = np.interp(np.abs(shades[where]), at, column)
        made[where, 3] = 1
    return made


def _is_range(height: float, strongest: float) -> bool:
    return not math.isclose(height, strongest, rel_tol=1e-6)


def _round_numbers(height: float, strongest: float, small: bool) -> list[float]:
    """Choose round numbers between threshold and extreme."""
    if small:
        first, last = math.log10(height), math.log10(strongest)
        step = max(1, math.ceil((first - last) / 4))
        return [_DECADE**n for n in range(math.floor(first), math.ceil(last), -step)]
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(height, strongest)
    return [float(tick) for tick in ticks]


def _negate(text: str) -> str:
    """Turn a number of the positive side into that of the negative one."""
    for way, back in (("≥ ", f"≤ {MINUS}"), ("≤ ", f"≥ {MINUS}")):
        if text.startswith(way):
            return back + text.removeprefix(way)
    return f"{MINUS}{text}"
