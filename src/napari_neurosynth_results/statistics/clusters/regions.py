"""Where clusters lie: the region of each peak, and what share each region has."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import UNLABELLED

if TYPE_CHECKING:
    import pandas as pd

    from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet

Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]


def regions_of(clusters: ClusterSet) -> pd.DataFrame:
    """Say how much of each cluster lies in each region.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.

    Returns
    -------
    pandas.DataFrame
        ``label, region, n_voxels, percent``: of each cluster the largest region first,
        and at last what lies in none (``unlabelled``). Empty without an atlas.
    """
    import pandas as pd

    label, region, count = _counted(clusters)
    size = clusters.labelled.size[label - 1]
    # What lies in no region comes last, however large it is.
    order = np.lexsort((region, -count, region == 0, label))
    label, region, count = label[order], region[order], count[order]
    atlas = clusters.atlas
    names = [atlas.name_of(int(one)) for one in region] if atlas else []
    return pd.DataFrame(
        {
            "label": label,
            "region": np.array(names, dtype=object),
            "n_voxels": count,
            "percent": 100 * count / size[order],
        }
    )


def _counted(clusters: ClusterSet) -> tuple[npt.NDArray[np.intp], ...]:
    """Count voxels by cluster and region: cluster, region, number; sorted."""
    atlas, found = clusters.atlas, clusters.labelled
    if atlas is None:
        return (np.empty(0, np.intp),) * 3
    kept = found.label > 0
    where, label = found.where[kept], found.label[kept].astype(np.intp)
    voxels = np.unravel_index(where.astype(np.intp), found.shape, order="F")
    region = atlas.labels_on(clusters.statmap.grid, voxels)
    # One number for both, so that equal pairs can be counted.
    most = int(region.max(initial=0)) + 1
    pair, count = np.unique(label * most + region, return_counts=True)
    return pair // most, pair % most, count


def peak_regions(clusters: ClusterSet) -> dict[str, Objects | Floats]:
    """Find the region of every peak and sub-peak.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.

    Returns
    -------
    dict of str to ndarray, shape (m,)
        ``region``: its name, empty where none is within 4 mm; ``region_mm``: how far it
        is, 0 inside of it, NaN where there is none.
    """
    atlas, peaks = clusters.atlas, clusters.peak_columns
    n = peaks["peak_x"].size
    if atlas is None:
        return {"region": np.full(n, "", dtype=object), "region_mm": np.full(n, np.nan)}
    places = np.column_stack([peaks[f"peak_{axis}"] for axis in "xyz"])
    labels, distances = atlas.nearest(places)
    names = [atlas.name_of(label) if label else "" for label in labels.tolist()]
    return {"region": np.array(names, dtype=object), "region_mm": distances}


def default_names(clusters: ClusterSet, regions: Objects) -> list[str]:
    """Call each cluster by the region of its peak, else by its largest region.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.
    regions : ndarray of str, shape (n,)
        The region of each cluster's peak, empty where there is none.

    Returns
    -------
    list of str
        ``Insula R``, then ``Insula R 2``; a number where no region is known.
    """
    used: Counter[str] = Counter()
    names = []
    for label, region in enumerate(regions.tolist(), start=1):
        region = region or _largest_region(clusters, label)
        if not region:
            names.append(f"cluster {label}")
            continue
        name = region[:1].upper() + region[1:]
        used[name] += 1
        names.append(f"{name} {used[name]}" if used[name] > 1 else name)
    return names


def _largest_region(clusters: ClusterSet, label: int) -> str:
    if clusters.atlas is None:
        return ""
    table = clusters.regions
    rows = table[(table["label"] == label) & (table["region"] != UNLABELLED)]
    return str(rows["region"].iloc[0]) if len(rows) else ""


def shares_of(clusters: ClusterSet, regions: Objects) -> Floats:
    """Return what share of each cluster lies in the region of its peak, in percent.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.
    regions : ndarray of str, shape (n,)
        The region of each cluster's peak, empty where there is none.

    Returns
    -------
    ndarray, shape (n,)
        NaN where there is no region.
    """
    table = clusters.regions
    known = dict(
        zip(
            zip(table["label"].tolist(), table["region"].tolist(), strict=True),
            table["percent"].tolist(),
            strict=True,
        )
    )
    return np.array(
        [
            known.get((label, region), 0.0) if region else np.nan
            for label, region in enumerate(regions.tolist(), start=1)
        ]
    )
