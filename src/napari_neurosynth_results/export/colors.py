"""The colors of maps and comparisons: one meaning on the screen and on paper."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.p_values.conversion import height_at
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
)
from napari_neurosynth_results.statistics.thresholds.first_look import (
    FirstLook,
    find_strongest,
)

Rgb = tuple[float, float, float]

#: Dark to light, ending in colors that stand out from white matter.
WARM: tuple[Rgb, ...] = (
    (0.55, 0.0, 0.0),
    (0.9, 0.1, 0.0),
    (1.0, 0.5, 0.0),
    (1.0, 0.8, 0.0),
    (1.0, 1.0, 0.4),
)
COLD: tuple[Rgb, ...] = (
    (0.0, 0.1, 0.6),
    (0.0, 0.3, 0.95),
    (0.0, 0.6, 1.0),
    (0.2, 0.85, 1.0),
    (0.6, 1.0, 1.0),
)


@dataclass(frozen=True)
class Hue:
    """One color for one of several maps.

    Attributes
    ----------
    name : str
        For people.
    rgb : tuple of float
        0 to 1.
    """

    name: str
    rgb: Rgb


#: Colors that are told apart with any color vision (Okabe and Ito 2008), those first
#: that stand out from gray and from each other most.
HUES = (
    Hue("orange", (0.9, 0.6, 0.0)),
    Hue("sky blue", (0.34, 0.71, 0.91)),
    Hue("reddish purple", (0.8, 0.47, 0.65)),
    Hue("bluish green", (0.0, 0.62, 0.45)),
    Hue("yellow", (0.94, 0.89, 0.26)),
    Hue("vermilion", (0.84, 0.37, 0.0)),
)
#: Two maps above their thresholds: with the same sign, and with opposite signs.
BOTH = Hue("both", (1.0, 1.0, 1.0))
OPPOSITE = Hue("both, with opposite signs", (0.84, 0.37, 0.0))


# Where the colors of a map begin and end at a threshold.

#: Beyond the strongest value: nothing is shown.
_NOTHING = 1.01


def find_color_range(clusters: ClusterSet) -> FirstLook:
    """Say where the colors of a map begin and end at the threshold of its clusters.

    Returns
    -------
    FirstLook
        Colors can cut by value only: where p was read off another map, the height is
        the weakest value that survives.
    """
    statmap = clusters.statmap
    strongest = find_strongest(statmap)
    return FirstLook(
        height=_height(clusters, strongest),
        strongest=strongest,
        signed=statmap.signed,
        n_voxels=int(clusters.labelled.size.sum()),
        survives=len(clusters) > 0,
        reason=str(clusters),
    )


def _height(clusters: ClusterSet, strongest: float) -> float:
    statmap, threshold = clusters.statmap, clusters.threshold
    if isinstance(threshold, ClusterLevelResult):
        return height_at(threshold.alpha, statmap.kind, statmap.tail)
    if math.isfinite(threshold.height):
        return threshold.height
    kept = np.abs(statmap.data[threshold.parts > 0])
    if kept.size:
        return float(kept.max() if statmap.kind.row.small_is_strong else kept.min())
    if statmap.kind.row.small_is_strong:
        return strongest / _NOTHING
    # Where colors end at a percentile, some voxels are stronger than `strongest`.
    size = np.abs(statmap.data)
    return float(size.max(where=np.isfinite(size), initial=strongest)) * _NOTHING
