"""Where clusters lie: the region of each peak, and what share each region has."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import UNLABELLED, Atlas
from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.statistics.clusters.labelling import ClusterArrays

if TYPE_CHECKING:
    import pandas as pd

Objects = npt.NDArray[np.object_]


def measure_region_shares(
    found: ClusterArrays, grid: Grid, atlas: Atlas | None
) -> pd.DataFrame:
    """Say how much of each cluster lies in each region.

    Parameters
    ----------
    grid : Grid
        Where their voxels are.
    atlas : Atlas, optional
        What they are named by.

    Returns
    -------
    pandas.DataFrame
        ``label, region, n_voxels, percent``: of each cluster the largest region first,
        and at last what lies in none (``unlabelled``). Empty without an atlas.
    """
    import pandas as pd

    label, region, count = _count_by_region(found, grid, atlas)
    size = found.size[label - 1]
    # What lies in no region comes last, however large it is.
    order = np.lexsort((region, -count, region == 0, label))
    label, region, count = label[order], region[order], count[order]
    names = [atlas.name_of(int(one)) for one in region] if atlas else []
    return pd.DataFrame(
        {
            "label": label,
            "region": np.array(names, dtype=object),
            "n_voxels": count,
            "percent": 100 * count / size[order],
        }
    )


def _count_by_region(
    found: ClusterArrays, grid: Grid, atlas: Atlas | None
) -> tuple[npt.NDArray[np.intp], ...]:
    """Count voxels by cluster and region: cluster, region, number; sorted."""
    if atlas is None:
        return (np.empty(0, np.intp),) * 3
    kept = found.label > 0
    where, label = found.where[kept], found.label[kept].astype(np.intp)
    voxels = np.unravel_index(where.astype(np.intp), found.shape, order="F")
    region = atlas.labels_of(grid, voxels)
    # One number for both, so that equal pairs can be counted.
    most = int(region.max(initial=0)) + 1
    pair, count = np.unique(label * most + region, return_counts=True)
    return pair // most, pair % most, count


def atlas_labels(atlas: Atlas, grid: Grid) -> npt.NDArray[np.intp]:
    """Return the label of every voxel of a grid, (i, j, k), 0 where there is none.

    Raises
    ------
    ResultsError
        When the grid is not in MNI space.
    """
    if (doubt := grid.mni_doubt()) is not None:
        raise ResultsError(f"No region of an atlas is known there: {doubt}.")
    flat = np.arange(math.prod(grid.shape))
    voxels = np.unravel_index(flat, grid.shape, order="F")
    return atlas.labels_of(grid, voxels).reshape(grid.shape, order="F").astype(np.intp)


def nearest_regions(
    places: Float64Array, atlas: Atlas | None
) -> tuple[Objects, Float64Array]:
    """Find the region of every peak and sub-peak.

    Parameters
    ----------
    places : ndarray, shape (m, 3)
        MNI mm.
    atlas : Atlas, optional
        What they are named by.

    Returns
    -------
    region : ndarray of str, shape (m,)
        Empty where none is within 4 mm, and without an atlas.
    distance : ndarray, shape (m,)
        How far it is, in mm: 0 inside of it, NaN where there is none.
    """
    n = len(places)
    if atlas is None:
        return np.full(n, "", dtype=object), np.full(n, np.nan)
    labels, distances = atlas.nearest(places)
    names = [atlas.name_of(label) if label else "" for label in labels.tolist()]
    return np.array(names, dtype=object), distances


def fill_in_largest(regions: Sequence[str], shares: pd.DataFrame) -> list[str]:
    """Give each cluster whose peak lies in no region the largest region that it has.

    Parameters
    ----------
    regions : sequence of str
        The region of each cluster's peak, empty where there is none.
    shares : pandas.DataFrame
        As `measure_region_shares` makes it.

    Returns
    -------
    list of str
        Still empty for a cluster that has no region at all.
    """
    known = shares[shares["region"] != UNLABELLED].drop_duplicates("label")
    largest = dict(zip(known["label"].tolist(), known["region"], strict=True))
    return [
        region or str(largest.get(label, ""))
        for label, region in enumerate(regions, start=1)
    ]


def default_names(regions: Sequence[str]) -> list[str]:
    """Call each cluster by its region.

    Parameters
    ----------
    regions : sequence of str
        One a cluster, empty where none is known.

    Returns
    -------
    list of str
        ``Insula R``, then ``Insula R 2``; a number where no region is known.
    """
    used: Counter[str] = Counter()
    names = []
    for label, region in enumerate(regions, start=1):
        if not region:
            names.append(f"cluster {label}")
            continue
        name = region[:1].upper() + region[1:]
        used[name] += 1
        names.append(f"{name} {used[name]}" if used[name] > 1 else name)
    return names


def look_up_shares(regions: Sequence[str], shares: pd.DataFrame) -> Float64Array:
    """Return what share of each cluster lies in a region, in percent.

    Parameters
    ----------
    regions : sequence of str
        One a cluster, empty where there is none.
    shares : pandas.DataFrame
        As `measure_region_shares` makes it.

    Returns
    -------
    ndarray, shape (n,)
        NaN where there is no region.
    """
    known = dict(
        zip(
            zip(shares["label"].tolist(), shares["region"].tolist(), strict=True),
            shares["percent"].tolist(),
            strict=True,
        )
    )
    return np.array(
        [
            known.get((label, region), 0.0) if region else np.nan
            for label, region in enumerate(regions, start=1)
        ]
    )
