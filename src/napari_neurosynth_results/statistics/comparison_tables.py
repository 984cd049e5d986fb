"""The tables of a comparison: by sign, by pair of clusters, and number by number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.statistics.agreement import Agreement
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.overlap import Marked, peaks_mm

if TYPE_CHECKING:
    import pandas as pd

    from napari_neurosynth_results.statistics.comparison import Comparison

Ints = npt.NDArray[np.intp]


def by_sign_of(comparison: Comparison) -> pd.DataFrame:
    """Count voxels in all and by sign.

    Parameters
    ----------
    comparison : Comparison
        The comparison.

    Returns
    -------
    pandas.DataFrame
        Index ``all``, ``positive``, ``negative``; voxels, mm3, Dice and Jaccard.
    """
    import pandas as pd

    mm3 = comparison.voxel_mm3
    rows = {}
    for word, counts in comparison.overlap.counts.items():
        voxels = {
            "a": counts.a,
            "b": counts.b,
            "both": counts.both,
            "only_a": counts.only_a,
            "only_b": counts.only_b,
            "opposite": counts.opposite,
        }
        rows[word] = {
            **voxels,
            **{f"{name}_mm3": n * mm3 for name, n in voxels.items()},
            "dice": counts.dice,
            "jaccard": counts.jaccard,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def clusters_of(comparison: Comparison) -> pd.DataFrame:
    """List which clusters meet.

    Parameters
    ----------
    comparison : Comparison
        The comparison.

    Returns
    -------
    pandas.DataFrame
        ``label_a, name_a, label_b, name_b, sign, n_voxels, volume_mm3, share_a,
        share_b, peak_distance_mm``: by clusters of a, of each the largest overlap
        first; then those of b that meet none. ``sign`` is that of the cluster of a
        (else of b).
    """
    import pandas as pd

    a, b = comparison.a, comparison.b
    size_a = _sizes(comparison.marked_a, len(a))
    size_b = _sizes(comparison.marked_b, len(b))
    pairs = _all_pairs(comparison.overlap.pairs, a, b)
    label_a, label_b, n = pairs.T
    signs_a, signs_b = np.append(0, a.labelled.sign), np.append(0, b.labelled.sign)
    with np.errstate(divide="ignore", invalid="ignore"):
        share_a, share_b = 100 * n / size_a[label_a], 100 * n / size_b[label_b]
    return pd.DataFrame(
        {
            "label_a": label_a,
            "name_a": _named(a, label_a),
            "label_b": label_b,
            "name_b": _named(b, label_b),
            "sign": np.where(label_a > 0, signs_a[label_a], signs_b[label_b]),
            "n_voxels": n,
            "volume_mm3": n * comparison.voxel_mm3,
            "share_a": np.where(label_a > 0, share_a, np.nan),
            "share_b": np.where(label_b > 0, share_b, np.nan),
            "peak_distance_mm": _distances(a, b, label_a, label_b),
        }
    )


def _sizes(marked: Marked, n: int) -> Ints:
    """Count the voxels of each cluster on the grid, beginning with label 0."""
    return np.bincount(marked.label, minlength=n + 1)


def _all_pairs(pairs: Ints, a: ClusterSet, b: ClusterSet) -> Ints:
    """Put pairs in order, and clusters that meet none beside nothing."""
    alone = []
    for column, clusters in ((0, a), (1, b)):
        counted = 1 + np.flatnonzero(clusters.significant)
        rest = np.setdiff1d(counted, pairs[:, column])
        rows = np.zeros((rest.size, 3), np.intp)
        rows[:, column] = rest
        alone.append(rows)
    rows = np.vstack([pairs, *alone])
    # Clusters of b that meet none come last.
    order = np.lexsort((rows[:, 1], -rows[:, 2], rows[:, 0], rows[:, 0] == 0))
    ordered: Ints = rows[order]
    return ordered


def _named(clusters: ClusterSet, labels: Ints) -> npt.NDArray[np.object_]:
    return np.array(["", *clusters.names], dtype=object)[labels]


def _distances(
    a: ClusterSet, b: ClusterSet, label_a: Ints, label_b: Ints
) -> npt.NDArray[np.float64]:
    """Return the distance of the peaks of each pair in mm, NaN without a partner."""
    distance = np.full(label_a.size, np.nan)
    pair = (label_a > 0) & (label_b > 0)
    between = peaks_mm(a)[label_a[pair] - 1] - peaks_mm(b)[label_b[pair] - 1]
    distance[pair] = np.sqrt((between**2).sum(axis=1))
    return distance


def table_of(comparison: Comparison) -> pd.DataFrame:
    """Put all numbers of a comparison into rows.

    Parameters
    ----------
    comparison : Comparison
        The comparison.

    Returns
    -------
    pandas.DataFrame
        ``measure, over, value, unit``; a and b are the first and the second map.
    """
    import pandas as pd

    rows: list[tuple[str, str, float, str]] = []
    for word, counts in comparison.by_sign.iterrows():
        for name, number in counts.items():
            measure = str(name).removesuffix("_mm3")
            unit = "mm3" if str(name).endswith("_mm3") else "voxels"
            unit = "" if measure in ("dice", "jaccard") else unit
            rows.append((measure, f"{word} above threshold", float(number), unit))
    rows += _correlations("common mask", comparison.over_mask)
    rows += _correlations("neither is 0", comparison.over_non_zero)[:3]
    return pd.DataFrame(rows, columns=["measure", "over", "value", "unit"])


def _correlations(over: str, found: Agreement) -> list[tuple[str, str, Any, str]]:
    if not found.n_voxels:
        return [("r", over, math.nan, ""), ("rho", over, math.nan, "")]
    return [
        ("r", over, found.r, ""),
        ("rho", over, found.rho, ""),
        ("n", over, float(found.n_voxels), "voxels"),
        ("zeros_a", over, 100 * found.zeros_a, "percent"),
        ("zeros_b", over, 100 * found.zeros_b, "percent"),
    ]
