"""Clusters of a map: label volume, table, peaks, and what the threshold meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
from napari_neurosynth_results.statistics.cluster_table import (
    inner_centers,
    main_peaks,
    peak_columns,
    peaks_of,
    table_of,
    voxel_mm3,
)
from napari_neurosynth_results.statistics.corrected import corrected_of
from napari_neurosynth_results.statistics.directions import Direction
from napari_neurosynth_results.statistics.fdr import Method
from napari_neurosynth_results.statistics.labelling import Labelled, label_clusters
from napari_neurosynth_results.statistics.masking import Masking
from napari_neurosynth_results.statistics.significance import OWN, Evidence
from napari_neurosynth_results.statistics.threshold import Threshold
from napari_neurosynth_results.statistics.thresholding import Applied, apply_threshold

if TYPE_CHECKING:
    import pandas as pd

#: Significance of whole clusters when nothing else is asked.
DEFAULT_ALPHA = 0.05

Voxel = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ClusterSet:
    """The clusters of one map at one threshold.

    Attributes
    ----------
    statmap : StatMap
        The map.
    asked : Threshold
        What was asked.
    threshold : Applied or ClusterLevel
        What was applied; ``str()`` reads as a sentence.
    min_voxels : int
        The smallest cluster kept.
    labelled : Labelled
        The clusters as arrays.
    values : StatMap
        The map that peaks and values come from: the uncorrected sibling of a
        cluster-level corrected map, else the map itself.
    evidence : Evidence
        What states the p of `values` beside its own siblings.
    given_names : mapping of tuple to str
        Names that the user gave, by the voxel (i, j, k) of the peak: a cluster keeps
        its name for as long as it keeps its peak.
    """

    statmap: StatMap
    asked: Threshold
    threshold: Applied | ClusterLevel
    min_voxels: int
    labelled: Labelled = field(repr=False)
    values: StatMap = field(repr=False)
    evidence: Evidence = field(default=OWN, repr=False)
    given_names: Mapping[Voxel, str] = field(default_factory=dict, repr=False)

    @property
    def connectivity(self) -> int:
        """Which neighbors touch: 6, 18 or 26."""
        return self.asked.connectivity

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Label volume, int32 (i, j, k): 0 background, 1..n over both signs."""
        return self.labelled.labels

    @property
    def peak_voxels(self) -> list[Voxel]:
        """Voxel (i, j, k) of each cluster's peak: what a cluster is known by."""
        peaks = self.labelled.peak_voxel[main_peaks(self)]
        return [(int(i), int(j), int(k)) for i, j, k in peaks]

    @property
    def cluster_p(self) -> npt.NDArray[np.float64]:
        """Corrected p of each cluster, NaN where clusters were not tested."""
        if isinstance(self.threshold, ClusterLevel):
            return self.threshold.p_at(self.labelled.peak_voxel[main_peaks(self)])
        return np.full(len(self), np.nan)

    @property
    def significant(self) -> npt.NDArray[np.bool_]:
        """Which clusters are significant: all that survive an ordinary threshold."""
        if isinstance(self.threshold, ClusterLevel):
            return self.threshold.significant(self.cluster_p)
        return np.ones(len(self), bool)

    @cached_property
    def inner_centers(self) -> npt.NDArray[np.float64]:
        """Each cluster's own voxel nearest to its center of mass, MNI mm, (n, 3).

        The center itself may lie outside of its cluster, as that of a ring does.
        """
        return inner_centers(self)

    @property
    def names(self) -> list[str]:
        """Name of each cluster: the user's, else its number."""
        if not self.given_names:
            return [f"cluster {label}" for label in range(1, len(self) + 1)]
        return [
            self.given_names.get(peak, f"cluster {label}")
            for label, peak in enumerate(self.peak_voxels, start=1)
        ]

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
        if isinstance(self.threshold, ClusterLevel):
            return self.threshold.describe(self.cluster_p)
        n, voxels = len(self), int(self.labelled.size.sum())
        mm3 = voxel_mm3(self.statmap)
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
        return table_of(self)

    @cached_property
    def corrected(self) -> pd.DataFrame:
        """What every correction says of each cluster at its peak; one row a cluster.

        ``p_fwe_mass``, ``p_fwe_size``, ``peak_p_fwe`` and ``peak_q`` beside ``label``,
        from all maps of the same test that are at hand; NaN where none tells. Apart
        from the table, because other maps have to be read.
        """
        return corrected_of(self)

    @cached_property
    def peaks(self) -> pd.DataFrame:
        """One row a peak or sub-peak: cluster ``label``, ``rank`` (0 is the peak)."""
        return peaks_of(self)

    @cached_property
    def peak_columns(self) -> dict[str, npt.NDArray[np.float64]]:
        """Place, value and p of every peak and sub-peak; not to be changed."""
        return peak_columns(self)


def find_clusters(
    statmap: StatMap,
    *,
    value: float | None = None,
    p: float | None = None,
    q: float | None = None,
    bonferroni: float | None = None,
    fdr: Method = "BH",
    tail: Direction = "auto",
    connectivity: int = 6,
    min_voxels: int = 1,
    min_mm3: float | None = None,
    sub_peaks: int = 3,
    peak_distance: float = 8.0,
    siblings: Mapping[str, StatMap] | None = None,
    dof: float | tuple[float, float] | None = None,
    mask: Mask | Masking | None = None,
    atlas: str | None = "default",
    strict: bool = False,
) -> ClusterSet:
    """Threshold a map by what its numbers mean, and label its clusters.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map.
    value, p, q, bonferroni : float, optional
        Exactly one: a height in the map's unit, an uncorrected p (the map's own p for
        a corrected one), an FDR q or a Bonferroni-corrected p.
        For a cluster-level corrected map `p` is the level of significance (.05 when
        nothing is given), and each cluster is read as it was formed.
    fdr : {"BH", "BY"}
        How q is counted: Benjamini-Hochberg, or Benjamini-Yekutieli, which allows for
        any dependence between voxels.
    tail : {"positive", "negative", "both", "auto"}
        Directions; auto takes both where both were tested.
    connectivity : {6, 18, 26}
        6 faces (nilearn, NiMARE), 18 edges (SPM), 26 corners (FSL).
    min_voxels : int
        Smallest cluster kept.
    min_mm3 : float, optional
        The same as a volume; not both.
    sub_peaks : int
        At most so many beside each peak.
    peak_distance : float
        Sub-peaks are farther than this, in mm, from every stronger one.
    siblings : mapping of str to StatMap, optional
        Maps of the same test by value; those named ``p`` and ``logp`` state its p.
        Defaults to those of the map's own result set; ``{}`` means none, so that z is
        read by its formula and tail.
    dof : float or pair of float, optional
        Degrees of freedom of a t, chi2 or F map whose header does not state them; of
        numerator and denominator for F.
    mask : ndarray of bool, shape (i, j, k), or Masking, optional
        Look, and count tests, only here (tests in the analysis mask alone).
    atlas : {"default", None}
        Reserved: there is no atlas yet, and the region columns are empty.
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
    threshold = Threshold(
        value=value,
        p=p if (value, p, q, bonferroni) != (None,) * 4 else _default_p(statmap),
        q=q,
        bonferroni=bonferroni,
        tail=tail,
        strict=strict,
        connectivity=connectivity,
        min_voxels=min_voxels,
        min_mm3=min_mm3,
        fdr=fdr,
    )
    if atlas not in ("default", None):
        raise ResultsError(
            f"There is no atlas {atlas!r}: this version has none. Leave atlas out, or "
            "give None."
        )
    return clusters_at(
        statmap,
        threshold,
        mask=mask,
        siblings=siblings,
        dof=dof,
        sub_peaks=sub_peaks,
        peak_distance=peak_distance,
    )


def clusters_at(
    statmap: StatMap,
    threshold: Threshold,
    *,
    mask: Mask | Masking | None = None,
    siblings: Mapping[str, StatMap] | None = None,
    dof: float | tuple[float, float] | None = None,
    sub_peaks: int = 3,
    peak_distance: float = 8.0,
) -> ClusterSet:
    """Label the clusters of a map at a threshold; `find_clusters` in two steps.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map.
    threshold : Threshold
        What is asked.
    mask, siblings, dof, sub_peaks, peak_distance
        As for `find_clusters`.

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
        raise ResultsError("sub_peaks and peak_distance are at least 0.")
    evidence = Evidence(siblings, dof)
    applied: Applied | ClusterLevel
    if statmap.level == "cluster":
        if threshold.p is None or threshold.has_extent or threshold.strict:
            raise ResultsError(
                f"{statmap.title}: height and extent were chosen when its clusters "
                "were formed, and each carries one value. Only p, the level of "
                "significance of a cluster, can be chosen."
            )
        applied = read_clusters(statmap, threshold.p, mask, threshold.tail, evidence)
        values, min_voxels = applied.values, 1
        # It was about the corrected p: the uncorrected one has siblings of its own.
        evidence = OWN
    else:
        applied = apply_threshold(statmap, threshold, mask, evidence)
        values, min_voxels = statmap, threshold.voxels_at_least(voxel_mm3(statmap))
    labelled = label_clusters(
        values.data,
        applied.parts,
        connectivity=threshold.connectivity,
        min_voxels=min_voxels,
        voxel_size=statmap.grid.voxel_size,
        sub_peaks=sub_peaks,
        peak_distance=peak_distance,
        small_is_strong=values.kind is MapKind.P,
    )
    return ClusterSet(
        statmap, threshold, applied, min_voxels, labelled, values, evidence
    )


def _default_p(statmap: StatMap) -> float | None:
    """Only clusters that were tested have a level that everybody expects."""
    return DEFAULT_ALPHA if statmap.level == "cluster" else None
