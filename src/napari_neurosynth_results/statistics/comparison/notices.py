"""What has to be known to read the numbers of a comparison, in words."""

from __future__ import annotations

import math

import numpy as np

from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.agreement import (
    Agreement,
    MapSample,
)
from napari_neurosynth_results.statistics.comparison.alignment import covered_box
from napari_neurosynth_results.statistics.comparison.overlap import (
    ClusterVoxels,
    direction_doubt,
)
from napari_neurosynth_results.statistics.thresholds.masks import Masking

NO_P = (
    "No p value belongs to r and rho: neighboring voxels are alike (spatial "
    "autocorrelation), so that a p from the number of voxels would be far too small."
)
_MANY_ZEROS = 0.25


def collect_notices(
    clusters: tuple[ClusterSet, ClusterSet],
    names: tuple[str, str],
    marked: tuple[ClusterVoxels, ClusterVoxels],
    sampled: tuple[MapSample, MapSample],
    over_mask: Agreement,
    grid: Grid,
    masking: Masking | None,
) -> tuple[str, ...]:
    """Gather what is doubtful about a comparison.

    Parameters
    ----------
    clusters, names, marked, sampled : pair
        Of the two maps.
    over_mask : Agreement
        Correlations over the common mask.
    grid : Grid
        The grid of the comparison.
    masking : Masking, optional
        The mask that was given.

    Returns
    -------
    tuple of str
        Sentences.

    Raises
    ------
    ResultsError
        When a map that has to be looked at cannot be read.
    """
    told = []
    for one, name, own in zip(clusters, names, marked, strict=True):
        if not own.where.size:
            told.append(f"Nothing in {name} is above its threshold.")
        if one.statmap.level == "cluster" and not one.significant.all():
            left_out = int((~one.significant).sum())
            told.append(
                f"Of {name} only significant clusters count: {left_out} "
                f"{'is' if left_out == 1 else 'are'} left out."
            )
        if doubt := direction_doubt(one.statmap, name):
            told.append(f"{doubt}: all of its voxels count as positive.")
        told += one.notices
        doubt = one.statmap.grid.mni_doubt()
        if doubt and not any(doubt in notice for notice in one.notices):
            told.append(f"{name} may not be in MNI space: {doubt}.")
    told += _about_coverage(clusters, names, marked, grid)
    told += _about_values(clusters, names, sampled, over_mask, masking)
    # What holds for both is said once.
    return (*dict.fromkeys(told), NO_P)


def _about_coverage(
    clusters: tuple[ClusterSet, ClusterSet],
    names: tuple[str, str],
    marked: tuple[ClusterVoxels, ClusterVoxels],
    grid: Grid,
) -> list[str]:
    """Say how much of one map lies where the other one has no voxels."""
    told = []
    for this, other in ((0, 1), (1, 0)):
        field = covered_box(clusters[other].statmap.grid, grid)
        within = np.ones(marked[this].where.size, bool)
        index = np.unravel_index(marked[this].where, grid.shape, order="F")
        for part, at in zip(field, index, strict=True):
            within &= (at >= part.start) & (at < part.stop)
        if n := int(np.count_nonzero(~within)):
            told.append(
                f"{n:,} voxels of {names[this]} lie outside the image of "
                f"{names[other]} and are counted as found in one only."
            )
    return told


def _about_values(
    clusters: tuple[ClusterSet, ClusterSet],
    names: tuple[str, str],
    sampled: tuple[MapSample, MapSample],
    over_mask: Agreement,
    masking: Masking | None,
) -> list[str]:
    """Say what the correlations can and cannot tell."""
    first, second = (one.statmap for one in clusters)
    flat = [
        name
        for one, name in zip(clusters, names, strict=True)
        if one.statmap.level == "cluster"
    ]
    if flat:
        return [
            f"{' and '.join(flat)} {'has' if len(flat) == 1 else 'have'} one value per "
            "cluster: voxels are not correlated."
        ]
    told = []
    if first.kind is not second.kind:
        told.append(
            f"The correlations compare {first.kind} with {second.kind} values; r is "
            "about a straight line between them."
        )
    unknown = [name for one, name in zip(sampled, names, strict=True) if not one.known]
    if masking is not None:
        told.append(f"The correlations are {masking}.")
        for statmap, name in zip((first, second), names, strict=True):
            if masking.is_of(statmap):
                told.append(
                    f"That mask was made of {name} itself: r and rho are over voxels "
                    "that it chose, and say nothing of the rest of the brain."
                )
    elif len(unknown) == 2:
        told.append(
            "The analysis mask of neither map is known: r and rho are given where "
            "neither map is 0, not over a mask. To choose one, give mask."
        )
    elif unknown:
        told.append(
            f"The analysis mask of {unknown[0]} is unknown: that of the other map is "
            "used for both."
        )
    for share, name in zip((over_mask.zeros_a, over_mask.zeros_b), names, strict=True):
        if not math.isnan(share) and share > _MANY_ZEROS:
            told.append(
                f"{100 * share:.0f} % of {name} is exactly 0 in the common mask: r and "
                "rho over it largely say where the maps are 0."
            )
    return told
