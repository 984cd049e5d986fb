"""Clusters of a map: label volume, table, peaks, and what the threshold meant."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.cluster_level import (
    ClusterLevel,
    read_clusters,
)
from napari_neurosynth_results.statistics.labelling import Labelled, label_clusters
from napari_neurosynth_results.statistics.significance import (
    log_p_at,
    log_p_of,
)
from napari_neurosynth_results.statistics.thresholding import (
    Applied,
    Direction,
    Threshold,
    apply_threshold,
    is_lone,
)

if TYPE_CHECKING:
    import pandas as pd

#: Significance of whole clusters when nothing else is asked.
DEFAULT_ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class ClusterSet:
    """The clusters of one map at one threshold.

    Attributes
    ----------
    statmap : StatMap
        The map.
    threshold : Applied or ClusterLevel
        What was applied; ``str()`` reads as a sentence.
    connectivity, min_voxels : int
        Which neighbors touch, and the smallest cluster kept.
    labelled : Labelled
        The clusters as arrays.
    values : StatMap
        The map that peaks and values come from: the uncorrected sibling of a
        cluster-level corrected map, else the map itself.
    """

    statmap: StatMap
    threshold: Applied | ClusterLevel
    connectivity: int
    min_voxels: int
    labelled: Labelled = field(repr=False)
    values: StatMap = field(repr=False)

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Label volume, int32 (i, j, k): 0 background, 1..n over both signs."""
        return self.labelled.labels

    def __len__(self) -> int:
        """Count the clusters."""
        return self.labelled.size.size

    def __str__(self) -> str:
        """Threshold, extent, connectivity and what came of it, in one sentence."""
        if isinstance(self.threshold, ClusterLevel):
            return self.threshold.describe(self.table.cluster_p.to_numpy())
        n, voxels = len(self), int(self.labelled.size.sum())
        volume = voxels * _voxel_mm3(self.statmap)
        extent = f"extent >= {self.min_voxels} voxels" if self.min_voxels > 1 else ""
        parts = [str(self.threshold), extent, f"{self.connectivity}-connected"]
        found = (
            f"{n} cluster{'s' * (n != 1)}, {voxels:,} voxels, {volume / 1000:.1f} cm3"
        )
        return f"{', '.join(part for part in parts if part)}: {found}"

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a cluster; units are in the names, coordinates in MNI mm.

        ``peak_value`` and ``mean_value`` are signed and in the unit of the map that
        they come from; ``center_x`` and so on are the center of mass by strength.
        ``peak_logp`` is -log10 of the uncorrected p, which never underflows.
        """
        import pandas as pd

        found = self.labelled
        n = len(self)
        main = np.flatnonzero(np.r_[True, np.diff(found.peak_cluster) > 0])[:n]
        peaks = self._peak_columns(main)
        center = _to_mm(self.statmap, found.center)
        cluster_p, significant = self._cluster_p(found.peak_voxel[main])
        return pd.DataFrame(
            {
                "label": np.arange(1, n + 1),
                "name": _words(f"cluster {label}" for label in range(1, n + 1)),
                "sign": found.sign,
                "n_voxels": found.size,
                "volume_mm3": found.size * _voxel_mm3(self.statmap),
                **peaks,
                "mean_value": self._mean_values(),
                "center_x": center[:, 0],
                "center_y": center[:, 1],
                "center_z": center[:, 2],
                # Empty until regions are looked up in an atlas.
                "region": _words([""] * n),
                "region_percent": np.full(n, np.nan),
                "significant": significant,
                "cluster_p": cluster_p,
            }
        )

    @cached_property
    def peaks(self) -> pd.DataFrame:
        """One row a peak or sub-peak: cluster ``label``, ``rank`` (0 is the peak)."""
        import pandas as pd

        cluster = self.labelled.peak_cluster
        first = np.r_[True, np.diff(cluster) > 0][: cluster.size]
        start = np.flatnonzero(first)
        rank = np.arange(cluster.size) - np.repeat(
            start, np.diff(np.r_[start, cluster.size])
        )
        columns = self._peak_columns(np.arange(cluster.size))
        return pd.DataFrame({"label": cluster + 1, "rank": rank, **columns})

    def _peak_columns(self, which: npt.NDArray[np.intp]) -> dict[str, Any]:
        voxel = self.labelled.peak_voxel[which]
        at = tuple(voxel.T)
        xyz = _to_mm(self.statmap, voxel)
        at_peak = self._log_p_at(at)
        return {
            "peak_x": xyz[:, 0],
            "peak_y": xyz[:, 1],
            "peak_z": xyz[:, 2],
            "peak_value": self.values.data[at].astype(np.float64),
            "peak_p": np.exp(at_peak),
            "peak_logp": -at_peak / math.log(10),
        }

    def _log_p_at(
        self, at: tuple[npt.NDArray[np.intp], ...]
    ) -> npt.NDArray[np.float64]:
        """Return the natural logarithm of p at some voxels, NaN where there is none."""
        lone = self.values
        if is_lone(lone) and (lone.kind is MapKind.Z or lone.file.dof is not None):
            x = np.abs(lone.data[at])
            return log_p_of(x, lone.kind, self.threshold.tail, lone.file.dof)
        return log_p_at(lone, at)

    def _mean_values(self) -> npt.NDArray[np.float64]:
        if self.values.kind is not MapKind.P:
            return self.labelled.mean * self.labelled.sign
        # Strength of a p map is not p: average the p themselves.
        labels = self.labels.ravel(order="F")
        inside = np.flatnonzero(labels)
        values = self.values.data.ravel(order="F")[inside]
        sums = np.bincount(labels[inside], weights=values, minlength=len(self) + 1)
        return sums[1:] / np.maximum(self.labelled.size, 1)

    def _cluster_p(
        self, peak: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        if isinstance(self.threshold, ClusterLevel):
            p = self.threshold.p_at(peak)
            return p, self.threshold.significant(p)
        return np.full(len(self), np.nan), np.ones(len(self), bool)


def find_clusters(
    statmap: StatMap,
    *,
    value: float | None = None,
    p: float | None = None,
    q: float | None = None,
    bonferroni: float | None = None,
    tail: Direction = "auto",
    connectivity: int = 6,
    min_voxels: int = 1,
    sub_peaks: int = 3,
    peak_distance: float = 8.0,
    mask: Mask | None = None,
    strict: bool = False,
) -> ClusterSet:
    """Threshold a map by what its numbers mean, and label its clusters.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map.
    value, p, q, bonferroni : float, optional
        Exactly one: a height in the map's unit, an uncorrected p (the map's own p for
        a corrected one), an FDR q (Benjamini-Hochberg) or a Bonferroni-corrected p.
        For a cluster-level corrected map `p` is the level of significance (.05 when
        nothing is given), and each cluster is read as it was formed.
    tail : {"positive", "negative", "both", "auto"}
        Directions; auto takes both where both were tested.
    connectivity : {6, 18, 26}
        6 faces (nilearn, NiMARE), 18 edges (SPM), 26 corners (FSL).
    min_voxels : int
        Smallest cluster kept.
    sub_peaks : int
        At most so many beside each peak.
    peak_distance : float
        Sub-peaks are farther than this, in mm, from every stronger one.
    mask : ndarray of bool, shape (i, j, k), optional
        Look, and count tests, only here.
    strict : bool
        Keep only what exceeds `value`, as nilearn's table does.

    Returns
    -------
    ClusterSet
        Clusters in order of their peaks, positive ones first.

    Raises
    ------
    ResultsError
        When the question means nothing for the map; the text says why.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.viewer.sample_data import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=100)
    >>> print(clusters.threshold)
    z >= 3.09 (p <= .001, one-tailed)
    >>> clusters.table.n_voxels.tolist()
    [805, 199, 143, 660, 326, 194]
    """
    if connectivity not in (6, 18, 26):
        raise ResultsError(f"connectivity is 6, 18 or 26, not {connectivity}.")
    if min_voxels < 1:
        raise ResultsError(f"min_voxels is at least 1, not {min_voxels}.")
    if min(sub_peaks, peak_distance) < 0:
        raise ResultsError("sub_peaks and peak_distance are at least 0.")
    if mask is not None and mask.shape != statmap.grid.shape:
        raise ResultsError(
            f"The mask has shape {mask.shape}, the map {statmap.grid.shape}: "
            "resample the mask to the map's grid first."
        )
    options = {"sub_peaks": sub_peaks, "peak_distance": peak_distance}
    if statmap.level == "cluster":
        if (value, q, bonferroni) != (None, None, None) or min_voxels > 1 or strict:
            raise ResultsError(
                f"{statmap.title}: height and extent were chosen when its clusters "
                "were formed, and each carries one value. Only p, the level of "
                "significance of a cluster, can be chosen."
            )
        read = read_clusters(statmap, p if p is not None else DEFAULT_ALPHA, mask, tail)
        return _label(statmap, read, read.parts, read.values, connectivity, 1, options)
    applied = apply_threshold(
        statmap, Threshold(value, p, q, bonferroni, tail, strict), mask
    )
    return _label(
        statmap, applied, applied.parts, statmap, connectivity, min_voxels, options
    )


def _label(
    statmap: StatMap,
    threshold: Applied | ClusterLevel,
    parts: npt.NDArray[Any],
    values: StatMap,
    connectivity: int,
    min_voxels: int,
    options: dict[str, Any],
) -> ClusterSet:
    labelled = label_clusters(
        values.data,
        parts,
        connectivity=connectivity,
        min_voxels=min_voxels,
        voxel_size=statmap.grid.voxel_size,
        small_is_strong=values.kind is MapKind.P,
        **options,
    )
    return ClusterSet(statmap, threshold, connectivity, min_voxels, labelled, values)


def _words(words: Iterable[str]) -> npt.NDArray[np.object_]:
    """Make a column of text, which without rows is text as well."""
    return np.array(list(words), dtype=object)


def _voxel_mm3(statmap: StatMap) -> float:
    return float(np.prod(statmap.grid.voxel_size))


def _to_mm(statmap: StatMap, voxels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    affine = statmap.affine
    return np.asarray(voxels @ affine[:3, :3].T + affine[:3, 3])
