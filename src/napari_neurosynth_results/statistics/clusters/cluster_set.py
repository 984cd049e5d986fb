"""Clusters of a map: label volume, table, peaks, and what the threshold meant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Voxel
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.clusters.corrected import find_corrected_p
from napari_neurosynth_results.statistics.clusters.labelling import (
    ClusterArrays,
    label_clusters,
)
from napari_neurosynth_results.statistics.clusters.regions import (
    default_names,
    fill_in_largest,
    look_up_shares,
    measure_region_shares,
    nearest_regions,
)
from napari_neurosynth_results.statistics.p_values.conversion import convert_to_log_p
from napari_neurosynth_results.statistics.p_values.significance import (
    OWN_EVIDENCE,
    Evidence,
    PSource,
)
from napari_neurosynth_results.statistics.thresholds.apply import (
    ThresholdResult,
    apply_threshold,
)
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
    read_clusters,
)
from napari_neurosynth_results.statistics.thresholds.masks import Masking
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ClusterSet:
    """The clusters of one map at one threshold.

    Attributes
    ----------
    statmap : StatMap
        The map.
    asked : Threshold
        What was asked.
    threshold : ThresholdResult or ClusterLevelResult
        What was applied; ``str()`` reads as a sentence.
    min_voxels : int
        The smallest cluster kept.
    labelled : ClusterArrays
        The clusters as arrays.
    p_source : PSource
        What states the p of `values`.
    given_names : mapping of tuple to str
        Names that the user gave, by the voxel (i, j, k) of the peak: a cluster keeps
        its name for as long as it keeps its peak.
    atlas : Atlas, optional
        What clusters are named by.
    peak_distance : float
        How far apart the peaks of a cluster are at least, mm.
    """

    statmap: StatMap
    asked: Threshold
    threshold: ThresholdResult | ClusterLevelResult
    min_voxels: int
    labelled: ClusterArrays = field(repr=False)
    p_source: PSource = field(repr=False)
    given_names: Mapping[Voxel, str] = field(default_factory=dict, repr=False)
    atlas: Atlas | None = field(default=None, repr=False)
    peak_distance: float = field(default=8.0, repr=False)

    @property
    def values(self) -> StatMap:
        """The map that peaks and values come from.

        The uncorrected sibling of a cluster-level corrected map, else the map itself.
        """
        return self.p_source.statmap

    @property
    def evidence(self) -> Evidence:
        """What was given about the p of `values`, beside its own siblings."""
        return self.p_source.evidence

    @property
    def connectivity(self) -> int:
        """Which neighbors touch: 6, 18 or 26."""
        return self.asked.connectivity

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Label volume, int32 (i, j, k): 0 background, 1..n over both signs."""
        return self.labelled.labels

    @cached_property
    def peak_voxels(self) -> list[Voxel]:
        """Voxel (i, j, k) of each cluster's peak: what a cluster is known by."""
        return [(int(i), int(j), int(k)) for i, j, k in self._main_voxels]

    @property
    def _main_voxels(self) -> npt.NDArray[np.intp]:
        return self.labelled.peak_voxel[self.labelled.main_peaks]

    @property
    def cluster_p(self) -> npt.NDArray[np.float64]:
        """Corrected p of each cluster, NaN where clusters were not tested."""
        if isinstance(self.threshold, ClusterLevelResult):
            return self.threshold.p_at(self._main_voxels)
        return np.full(len(self), np.nan)

    @property
    def significant(self) -> npt.NDArray[np.bool_]:
        """Which clusters are significant: all that survive an ordinary threshold."""
        if isinstance(self.threshold, ClusterLevelResult):
            return self.threshold.significant(self.cluster_p)
        return np.ones(len(self), bool)

    @cached_property
    def inner_centers(self) -> npt.NDArray[np.float64]:
        """Each cluster's own voxel nearest to its center of mass, MNI mm, (n, 3).

        The center itself may lie outside of its cluster, as that of a ring does.
        """
        grid = self.statmap.grid
        return grid.to_mm(self.labelled.inner_voxels(grid.voxel_size))

    @cached_property
    def names(self) -> list[str]:
        """Name of each cluster: the user's, else by its region, else its number."""
        regions = self._main_regions
        if self.atlas is not None and not all(regions):
            regions = fill_in_largest(regions, self.regions)
        names = default_names(regions)
        if not self.given_names:
            return names
        return [
            self.given_names.get(peak, name)
            for name, peak in zip(names, self.peak_voxels, strict=True)
        ]

    @cached_property
    def regions(self) -> pd.DataFrame:
        """How much of each cluster lies in each region of the atlas.

        Columns ``label, region, n_voxels, percent``: of each cluster the largest region
        first, at last what lies in none (``unlabelled``); empty without an atlas.
        """
        return measure_region_shares(self.labelled, self.statmap.grid, self.atlas)

    @cached_property
    def peak_regions(self) -> dict[str, npt.NDArray[Any]]:
        """Region of every peak and sub-peak, and how far it is in mm.

        ``region`` is empty and ``region_mm`` NaN where none is within 4 mm.
        """
        places = np.column_stack([self.peak_columns[f"peak_{axis}"] for axis in "xyz"])
        region, distance = nearest_regions(places, self.atlas)
        return {"region": region, "region_mm": distance}

    @property
    def _main_regions(self) -> list[str]:
        regions: list[str] = self.peak_regions["region"][
            self.labelled.main_peaks
        ].tolist()
        return regions

    def renamed(self, label: int, name: str) -> ClusterSet:
        """Return the same clusters with another name for one of them.

        Parameters
        ----------
        label : int
            1..n.
        name : str
            The name; an empty one gives the number back.

        Returns
        -------
        ClusterSet
            Shares all arrays with this one.

        Raises
        ------
        ResultsError
            When there is no cluster of this label.
        """
        if not 1 <= label <= len(self):
            raise ResultsError(
                f"There is no cluster {label}: labels go to {len(self)}."
            )
        names = dict(self.given_names)
        names.pop(peak := self.peak_voxels[label - 1], None)
        if name.strip():
            names[peak] = name.strip()
        return replace(self, given_names=names)

    def named_by(self, atlas: Atlas | None) -> ClusterSet:
        """Return the same clusters named by another atlas.

        Parameters
        ----------
        atlas : Atlas or None
            Left aside when the map is not in MNI space.

        Returns
        -------
        ClusterSet
            Shares all arrays with this one.
        """
        fitting = atlas if self.statmap.grid.mni_doubt() is None else None
        return replace(self, atlas=fitting)

    def __copy__(self) -> ClusterSet:
        """Return the clusters themselves: they cannot change."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ClusterSet:
        """Return the clusters themselves: copying a layer must not copy a result."""
        return self

    def __len__(self) -> int:
        """Count the clusters."""
        return self.labelled.size.size

    def __str__(self) -> str:
        """Threshold, extent, connectivity and what came of it, in one sentence."""
        if isinstance(self.threshold, ClusterLevelResult):
            return self.threshold.describe(self.cluster_p)
        n, voxels = len(self), int(self.labelled.size.sum())
        mm3 = self.statmap.grid.voxel_mm3
        extent = (
            f"extent >= {self.min_voxels} voxels ({self.min_voxels * mm3:,.4g} mm3)"
            if self.min_voxels > 1
            else ""
        )
        parts = [str(self.threshold), extent, f"{self.connectivity}-connected"]
        found = (
            f"{n} cluster{'s' * (n != 1)}, {voxels:,} voxels, "
            f"{voxels * mm3 / 1000:.1f} cm3"
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

        found, grid = self.labelled, self.statmap.grid
        main, n = found.main_peaks, len(self)
        center = grid.to_mm(found.center)
        regions = {key: column[main] for key, column in self.peak_regions.items()}
        # Every column is made here, and nobody else's: nothing has to be copied.
        return pd.DataFrame(
            {
                "label": np.arange(1, n + 1),
                "name": np.array(self.names, dtype=object),
                "sign": found.sign.copy(),
                "n_voxels": found.size.copy(),
                "volume_mm3": found.size * grid.voxel_mm3,
                **{key: column[main] for key, column in self.peak_columns.items()},
                "mean_value": self._mean_values,
                "center_x": center[:, 0],
                "center_y": center[:, 1],
                "center_z": center[:, 2],
                "region": regions["region"],
                "region_percent": look_up_shares(self._main_regions, self.regions),
                "significant": self.significant,
                "cluster_p": self.cluster_p,
                **self._intervals,
                "region_mm": regions["region_mm"],
            },
            copy=False,
        )

    @property
    def _mean_values(self) -> Float64Array:
        found = self.labelled
        if not self.values.kind.row.small_is_strong:
            return found.mean * found.sign
        # Strength of a p map is not p: average the p themselves.
        labels = self.labels.ravel(order="F")
        inside = np.flatnonzero(labels)
        values = self.values.data.ravel(order="F")[inside]
        sums = np.bincount(labels[inside], weights=values, minlength=len(self) + 1)
        return sums[1:] / np.maximum(found.size, 1)

    @property
    def _intervals(self) -> dict[str, npt.NDArray[Any]]:
        """How sure corrected p are; empty for an ordinary threshold."""
        n = len(self)
        if isinstance(self.threshold, ClusterLevelResult):
            low, high, borderline = self.threshold.intervals(self.cluster_p)
        else:
            # Two arrays: the table does not copy them.
            low, high = np.full(n, np.nan), np.full(n, np.nan)
            borderline = np.zeros(n, bool)
        return {"cluster_p_low": low, "cluster_p_high": high, "borderline": borderline}

    @cached_property
    def corrected(self) -> pd.DataFrame:
        """What every correction says of each cluster at its peak; one row a cluster.

        ``p_fwe_mass``, ``p_fwe_size``, ``peak_p_fwe`` and ``peak_q`` beside ``label``,
        from all maps of the same test that are at hand; NaN where none tells. Apart
        from the table, because other maps have to be read.
        """
        return find_corrected_p(self.statmap, self._main_voxels, self.evidence)

    @cached_property
    def peaks(self) -> pd.DataFrame:
        """One row a peak or sub-peak: cluster ``label``, ``rank`` (0 is the peak)."""
        import pandas as pd

        cluster = self.labelled.peak_cluster
        rank = np.arange(cluster.size) - self.labelled.main_peaks[cluster]
        columns = {**self.peak_columns, **self.peak_regions}
        return pd.DataFrame({"label": cluster + 1, "rank": rank, **columns})

    @cached_property
    def peak_columns(self) -> dict[str, npt.NDArray[np.float64]]:
        """Place, value and p of every peak and sub-peak; not to be changed."""
        voxel = self.labelled.peak_voxel
        at = tuple(voxel.T)
        xyz = self.statmap.grid.to_mm(voxel)
        log_p = self._log_p_at(at)
        return {
            "peak_x": xyz[:, 0],
            "peak_y": xyz[:, 1],
            "peak_z": xyz[:, 2],
            "peak_value": self.values.data[at].astype(np.float64),
            "peak_p": np.exp(log_p),
            "peak_logp": -log_p / math.log(10),
        }

    def _log_p_at(self, at: tuple[npt.NDArray[np.intp], ...]) -> Float64Array:
        """Return the natural logarithm of p at some voxels, NaN where there is none."""
        source, values = self.p_source, self.values
        if source.is_lone and source.has_p:
            x = np.abs(values.data[at])
            return convert_to_log_p(x, values.kind, self.threshold.tail, source.dof)
        try:
            return source.log_p_at(at)
        except ResultsError:
            # The map that states p cannot be read, which its set reports: clusters that
            # were found by value are no worse for it.
            return np.full(at[0].size, np.nan)


def clusters_at(
    statmap: StatMap,
    threshold: Threshold,
    *,
    mask: Mask | Masking | None = None,
    siblings: Mapping[str, StatMap] | None = None,
    dof: float | tuple[float, float] | None = None,
    sub_peaks: int = 3,
    peak_distance: float = 8.0,
    atlas: Atlas | None = None,
) -> ClusterSet:
    """Threshold a map by what its numbers mean, and label its clusters.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map.
    mask, siblings, dof, sub_peaks, peak_distance
        As for `api.find_clusters`.
    atlas : Atlas, optional
        What clusters are named by; left aside when the map is not in MNI space.

    Returns
    -------
    ClusterSet
        Clusters in order of their peaks, positive ones first.

    Raises
    ------
    ResultsError
        When the question means nothing for the map; the text says why.
    """
    if min(sub_peaks, peak_distance) < 0:
        raise ResultsError("sub_peaks and peak_distance cannot be negative.")
    source = PSource(statmap, Evidence(siblings, dof))
    applied: ThresholdResult | ClusterLevelResult
    if statmap.level == "cluster":
        if threshold.p is None or threshold.has_extent or threshold.strict:
            raise ResultsError(
                f"{statmap.title}: height and extent were chosen when its clusters "
                "were formed, and each carries one value. Only p, the level of "
                "significance of a cluster, can be chosen."
            )
        applied = read_clusters(source, threshold.p, mask, threshold.tail)
        # What was given is about the corrected p: the uncorrected has its own siblings.
        source, min_voxels = PSource(applied.values, OWN_EVIDENCE), 1
    else:
        applied = apply_threshold(source, threshold, mask)
        min_voxels = threshold.voxels_at_least(statmap.grid.voxel_mm3)
    values = source.statmap
    labelled = label_clusters(
        values.data,
        applied.parts,
        connectivity=threshold.connectivity,
        min_voxels=min_voxels,
        voxel_size=statmap.grid.voxel_size,
        sub_peaks=sub_peaks,
        peak_distance=peak_distance,
        small_is_strong=values.kind.row.small_is_strong,
    )
    return ClusterSet(
        statmap,
        threshold,
        applied,
        min_voxels,
        labelled,
        source,
        atlas=atlas if statmap.grid.mni_doubt() is None else None,
        peak_distance=peak_distance,
    )
