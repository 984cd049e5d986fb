"""The colors of maps and comparisons: one meaning on the screen and on paper."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import BoolArray, IndexArray
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
)
from napari_neurosynth_results.statistics.thresholds.first_look import (
    FirstLook,
    find_strongest,
)

Rgb = tuple[float, float, float]

#: In texts that people read, unlike a hyphen.
MINUS = "\N{MINUS SIGN}"

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


def write_value(value: float, kind: MapKind) -> str:
    """Write a number beside the colors of a map.

    >>> write_value(3.0902, MapKind.Z), write_value(0.001, MapKind.P)
    ('3.09', '.001')
    """
    if kind.row.small_is_strong:
        return short_p(value).replace("e-0", "e-")
    return f"{MINUS if value < 0 else ''}{abs(value):.3g}"


# What is colored at a threshold, and where its colors begin and end.

#: Beyond the strongest value: nothing is shown.
_NOTHING = 1.01


def colored_values(clusters: ClusterSet) -> StatMap:
    """Return the map whose values are colored.

    Returns
    -------
    StatMap
        Of a cluster-level corrected map, which has one value a cluster, the uncorrected
        one; any other map itself.
    """
    tested = isinstance(clusters.threshold, ClusterLevelResult)
    return clusters.values if tested else clusters.statmap


def colored_voxels(clusters: ClusterSet) -> IndexArray:
    """Find the voxels that are colored: those of significant clusters, and no others.

    Pictures, surfaces and saved maps all ask here.

    Returns
    -------
    ndarray of int
        Places in the flat volume in Fortran order, ascending.
    """
    found = clusters.labelled
    if clusters.surviving.all():
        kept = found.label > 0
    else:
        kept = np.concatenate([[False], clusters.surviving])[found.label]
    return found.where[kept].astype(np.intp)


def colored_mask(clusters: ClusterSet) -> BoolArray:
    """Mark the voxels that are colored, as `colored_voxels` finds them.

    Returns
    -------
    ndarray of bool, shape (i, j, k)
        In Fortran order.
    """
    mask = np.zeros(clusters.labelled.shape, bool, order="F")
    mask.reshape(-1, order="F")[colored_voxels(clusters)] = True
    return mask


def find_color_range(clusters: ClusterSet) -> FirstLook:
    """Say where the colors of a map begin and end at the threshold of its clusters.

    Returns
    -------
    FirstLook
        In the unit of `colored_values`. Where p was read off another map, and on
        cluster-level corrected maps, the height is the weakest value that is colored.
    """
    values = colored_values(clusters)
    strongest = find_strongest(values)
    return FirstLook(
        height=_height(clusters, strongest),
        strongest=strongest,
        signed=values.signed,
        n_voxels=int(clusters.labelled.size[clusters.surviving].sum()),
        survives=bool(clusters.surviving.any()),
        reason=str(clusters),
    )


def weakest_of(values: StatMap, shown: npt.NDArray[Any], strongest: float) -> float:
    """Return the size of the weakest of some values of a map.

    Parameters
    ----------
    values : StatMap
        The map; of p the largest is the weakest.
    shown : ndarray
        The values.
    strongest : float
        Where the colors of the map end.

    Returns
    -------
    float
        Without any value a size that none reaches.
    """
    small = values.kind.row.small_is_strong
    size = np.abs(shown)
    if small:
        # What underflowed to 0 is the strongest.
        size = size[size > 0]
    if size.size:
        return float(size.max() if small else size.min())
    if small:
        return strongest / _NOTHING
    # Where colors end at a percentile, some voxels are stronger than `strongest`.
    size = np.abs(values.data)
    return float(size.max(where=np.isfinite(size), initial=strongest)) * _NOTHING


def _height(clusters: ClusterSet, strongest: float) -> float:
    values, threshold = colored_values(clusters), clusters.threshold
    if isinstance(threshold, ClusterLevelResult):
        shown = values.data.reshape(-1, order="F")[colored_voxels(clusters)]
        return weakest_of(values, shown, strongest)
    if math.isfinite(threshold.height):
        return threshold.height
    return weakest_of(values, values.data[threshold.parts > 0], strongest)
