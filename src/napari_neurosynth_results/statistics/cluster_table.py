"""The tables of a cluster set: one row a cluster, one row a peak, in millimeters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.cluster_level import ClusterLevel
from napari_neurosynth_results.statistics.p_values.conversion import FREE, log_p_of
from napari_neurosynth_results.statistics.p_values.directions import is_lone
from napari_neurosynth_results.statistics.p_values.significance import dof_of, log_p_at
from napari_neurosynth_results.statistics.regions import shares_of

if TYPE_CHECKING:
    import pandas as pd

    from napari_neurosynth_results.statistics.clusters import ClusterSet

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


def table_of(clusters: ClusterSet) -> pd.DataFrame:
    """Build the table of a cluster set.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.

    Returns
    -------
    pandas.DataFrame
        One row a cluster, in the order of the labels.
    """
    import pandas as pd

    found = clusters.labelled
    n = len(clusters)
    main = main_peaks(clusters)
    center = to_mm(clusters.statmap, found.center)
    peaks = {key: column[main] for key, column in clusters.peak_columns.items()}
    region = clusters.peak_regions["region"][main]
    # Every column is made here, and nobody else's: nothing has to be copied.
    return pd.DataFrame(
        {
            "label": np.arange(1, n + 1),
            "name": np.array(clusters.names, dtype=object),
            "sign": found.sign.copy(),
            "n_voxels": found.size.copy(),
            "volume_mm3": found.size * voxel_mm3(clusters.statmap),
            **peaks,
            "mean_value": _mean_values(clusters),
            "center_x": center[:, 0],
            "center_y": center[:, 1],
            "center_z": center[:, 2],
            "region": region,
            "region_percent": shares_of(clusters, region),
            "significant": clusters.significant,
            "cluster_p": clusters.cluster_p,
            **_intervals(clusters),
            "region_mm": clusters.peak_regions["region_mm"][main],
        },
        copy=False,
    )


def peaks_of(clusters: ClusterSet) -> pd.DataFrame:
    """Build the table of peaks and sub-peaks.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.

    Returns
    -------
    pandas.DataFrame
        One row a peak: cluster ``label``, ``rank`` (0 is the peak), place, value, p.
    """
    import pandas as pd

    cluster = clusters.labelled.peak_cluster
    rank = np.arange(cluster.size) - main_peaks(clusters)[cluster]
    columns = {**clusters.peak_columns, **clusters.peak_regions}
    return pd.DataFrame({"label": cluster + 1, "rank": rank, **columns})


def peak_columns(clusters: ClusterSet) -> dict[str, Floats]:
    """Find place, value and p of every peak and sub-peak: what both tables tell.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.

    Returns
    -------
    dict of str to ndarray, shape (m,)
        By the name of the column.
    """
    voxel = clusters.labelled.peak_voxel
    at = tuple(voxel.T)
    xyz = to_mm(clusters.statmap, voxel)
    log_p = _log_p_at(clusters, at)
    return {
        "peak_x": xyz[:, 0],
        "peak_y": xyz[:, 1],
        "peak_z": xyz[:, 2],
        "peak_value": clusters.values.data[at].astype(np.float64),
        "peak_p": np.exp(log_p),
        "peak_logp": -log_p / math.log(10),
    }


def main_peaks(clusters: ClusterSet) -> Indices:
    """Return which of all peaks is the first of each cluster, shape (n,)."""
    return np.searchsorted(clusters.labelled.peak_cluster, np.arange(len(clusters)))


def inner_centers(clusters: ClusterSet) -> Floats:
    """Find each cluster's own voxel that is nearest to its center of mass.

    The center itself may lie outside, as that of a ring does.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.

    Returns
    -------
    ndarray, shape (n, 3)
        MNI mm; of voxels that are equally near the first in C order.
    """
    labels = clusters.labels
    voxels = np.argwhere(labels)
    label = labels[tuple(voxels.T)]
    size = np.array(clusters.statmap.grid.voxel_size)
    away = (((voxels - clusters.labelled.center[label - 1]) * size) ** 2).sum(axis=1)
    order = np.lexsort((np.arange(label.size), away, label))
    _, first = np.unique(label[order], return_index=True)
    return to_mm(clusters.statmap, voxels[order[first]])


def voxel_mm3(statmap: StatMap) -> float:
    """Return the volume of a voxel, in mm3."""
    return math.prod(statmap.grid.voxel_size)


def to_mm(statmap: StatMap, voxels: npt.NDArray[Any]) -> Floats:
    """Turn voxel indices, shape (n, 3), into MNI millimeters."""
    affine = statmap.affine
    return np.asarray(voxels @ affine[:3, :3].T + affine[:3, 3])


def _log_p_at(clusters: ClusterSet, at: tuple[Indices, ...]) -> Floats:
    """Return the natural logarithm of p at some voxels, NaN where there is none."""
    lone, evidence = clusters.values, clusters.evidence
    dof = dof_of(lone, evidence)
    if is_lone(lone, evidence) and (lone.kind in FREE or dof is not None):
        x = np.abs(lone.data[at])
        return log_p_of(x, lone.kind, clusters.threshold.tail, dof)
    try:
        return log_p_at(lone, at, evidence)
    except ResultsError:
        # The map that states p cannot be read, which its set reports: clusters that
        # were found by value are no worse for it.
        return np.full(at[0].size, np.nan)


def _mean_values(clusters: ClusterSet) -> Floats:
    found = clusters.labelled
    if clusters.values.kind is not MapKind.P:
        return found.mean * found.sign
    # Strength of a p map is not p: average the p themselves.
    labels = clusters.labels.ravel(order="F")
    inside = np.flatnonzero(labels)
    values = clusters.values.data.ravel(order="F")[inside]
    sums = np.bincount(labels[inside], weights=values, minlength=len(clusters) + 1)
    return sums[1:] / np.maximum(found.size, 1)


def _intervals(clusters: ClusterSet) -> dict[str, Any]:
    """Say how sure corrected p are; empty for an ordinary threshold."""
    threshold, n = clusters.threshold, len(clusters)
    if isinstance(threshold, ClusterLevel):
        low, high, borderline = threshold.intervals(clusters.cluster_p)
    else:
        # Two arrays: the table does not copy them.
        low, high = np.full(n, np.nan), np.full(n, np.nan)
        borderline = np.zeros(n, bool)
    return {"cluster_p_low": low, "cluster_p_high": high, "borderline": borderline}
