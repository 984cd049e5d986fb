"""How a map looks at a threshold that was chosen: where its colors begin and end."""

from __future__ import annotations

import math

import numpy as np

from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.p_values.conversion import height_at
from napari_neurosynth_results.statistics.thresholds.cluster_level import ClusterLevel
from napari_neurosynth_results.statistics.thresholds.first_look import (
    FirstLook,
    strongest_of,
)

#: Beyond the strongest value: nothing is shown.
_NOTHING = 1.01


def look_of(clusters: ClusterSet) -> FirstLook:
    """Say where the colors of a map begin and end at the threshold of its clusters.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.

    Returns
    -------
    FirstLook
        Colors can cut by value only: where p was read off another map, the height is
        the weakest value that survives.
    """
    statmap = clusters.statmap
    strongest = strongest_of(statmap)
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
    if isinstance(threshold, ClusterLevel):
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
