"""One map minus another: a picture of where they differ, and no test of it."""

from __future__ import annotations

from functools import partial

import numpy as np

from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.statmap import StatMap, Voxels
from napari_neurosynth_results.statistics.agreement import Sampled
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.derived import derived_map


def why_no_difference(a: StatMap, b: StatMap, name_a: str, name_b: str) -> str | None:
    """Say why the difference of two maps would mean nothing, None when it does.

    Parameters
    ----------
    a, b : StatMap
        The maps.
    name_a, name_b : str
        What to call them.

    Returns
    -------
    str or None
        One sentence without a full stop.

    Raises
    ------
    ResultsError
        When a map that has to be looked at cannot be read.
    """
    if a.kind is not b.kind:
        return f"{name_a} holds {a.kind} and {name_b} {b.kind} values: another unit"
    if not a.kind.may_subtract:
        return f"both hold {a.kind.meaning}, and their difference means nothing"
    for statmap, name in ((a, name_a), (b, name_b)):
        if statmap.correction:
            return (
                f"{name} is corrected: its values say how surely an effect is not 0, "
                "not how large it is"
            )
    if a.tail is not b.tail:
        return (
            f"{name_a} is {a.tail} and {name_b} {b.tail}: the same {a.kind} means "
            "another p"
        )
    if a.kind is MapKind.T and (a.dof != b.dof or a.dof is None):
        return f"their degrees of freedom differ or are unknown: {a.dof} and {b.dof}"
    return None


def difference_of(
    a: Sampled,
    b: Sampled,
    grid: Grid,
    title: str,
    parts: tuple[ClusterSet, ...] = (),
) -> StatMap:
    """Make the map of the first minus the second.

    Parameters
    ----------
    a, b : Sampled
        Values of two maps that `why_no_difference` has nothing against, on the grid.
    grid : Grid
        The grid of the comparison.
    title : str
        What to call it.
    parts : tuple of ClusterSet
        The clusters of the two.

    Returns
    -------
    StatMap
        Of kind `MapKind.OTHER`, so that it has no p; 0 where one of them has no value.
    """
    compute = partial(_subtracted, a, b)
    return derived_map(
        grid, title, {MapKind.OTHER: compute}, contrast="difference", parts=parts
    )


def _subtracted(a: Sampled, b: Sampled) -> Voxels:
    values = np.zeros(a.values.shape, np.float32, order="F")
    np.subtract(a.values, b.values, out=values, where=a.inside & b.inside)
    return values
