"""Clusters of a map: label volume, table, peaks, and what the threshold meant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Voxel
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.corrected import (
    corrected_column,
    corrected_p_at,
    correction_notices,
    count_cut,
    find_corrected_p,
    measure_counts,
)
from napari_neurosynth_results.statistics.clusters.effects import (
    effects_table,
    find_effects,
)
from napari_neurosynth_results.statistics.clusters.labelling import (
    ClusterArrays,
    measure_extents,
)
from napari_neurosynth_results.statistics.clusters.regions import (
    RegionShares,
    default_names,
    measure_region_shares,
    nearest_regions,
)
from napari_neurosynth_results.statistics.clusters.true_discoveries import (
    ProvenVoxels,
    find_closed_testing,
)
from napari_neurosynth_results.statistics.p_values.monte_carlo import (
    NullDistribution,
    find_shared_smallest_p,
    null_distribution_beside,
)
from napari_neurosynth_results.statistics.p_values.significance import (
    Evidence,
    PSource,
)
from napari_neurosynth_results.statistics.thresholds.apply import (
    ErrorRate,
    ThresholdResult,
    find_error_rate,
    p_word,
)
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ClusterSet:
    """The clusters of one map at one threshold.

    A corrected map says which voxels survive; where peaks lie, and their values and p,
    are those of its test, the uncorrected map.

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
        What states the p of the map that was thresholded, corrected or not.
    test : PSource, optional
        What states the uncorrected p: the map's own source, that of its uncorrected
        sibling where it is corrected, None where that is not at hand.
    given_names : mapping of tuple to str
        Names that the user gave, by the voxel (i, j, k) of the peak: a cluster keeps
        its name for as long as it keeps its peak.
    atlas : Atlas, optional
        What clusters are named by.
    peak_distance : float
        How far apart the peaks of a cluster are at least, mm.
    survival : mapping of str to array
        Columns of what became of each cluster without one experiment, once that was
        worked out (`LeaveOneOut.add_to`).
    """

    statmap: StatMap
    asked: Threshold
    threshold: ThresholdResult | ClusterLevelResult
    min_voxels: int
    labelled: ClusterArrays = field(repr=False)
    p_source: PSource = field(repr=False)
    test: PSource | None = field(repr=False)
    given_names: Mapping[Voxel, str] = field(default_factory=dict, repr=False)
    atlas: Atlas | None = field(default=None, repr=False)
    peak_distance: float = field(default=8.0, repr=False)
    survival: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def values(self) -> StatMap:
        """The map that peaks come from.

        The uncorrected sibling of a corrected map, where it is at hand, else the map
        itself.
        """
        return self.statmap if self.test is None else self.test.statmap

    @property
    def evidence(self) -> Evidence:
        """What was given about the p of the map, beside its own siblings."""
        return self.p_source.evidence

    @property
    def missing_test(self) -> str:
        """Why no value and no p of the test are known; empty where they are."""
        if self.test is not None:
            return ""
        return (
            f"{self.statmap.title} is corrected, and the uncorrected map of its test "
            "is not at hand: the value and the p of the test at the peaks are not "
            "known, and peaks lie where the corrected values are strongest"
        )

    @property
    def connectivity(self) -> int:
        """Which neighbors touch: 6, 18 or 26; those of clusters that were tested."""
        if isinstance(self.threshold, ClusterLevelResult):
            return self.threshold.formation.connectivity
        return self.asked.connectivity

    @cached_property
    def null(self) -> NullDistribution | None:
        """What the Monte Carlo p of the run were counted in; None if nobody knows."""
        if isinstance(self.threshold, ClusterLevelResult):
            return self.threshold.null
        return null_distribution_beside(self.statmap)

    @cached_property
    def notices(self) -> tuple[str, ...]:
        """What has to be known beside the sentence, wherever it is shown or written.

        Of the map, of its p, of what is borderline, and of what is not at hand. What
        goes with the columns of `corrected` is `whose_p`: other maps are read for it.
        """
        told: list[str] = []
        if isinstance(self.threshold, ClusterLevelResult):
            borderline = self.threshold.tell_borderline(self.cluster_p, self.names)
            told += [*self.threshold.notices, borderline]
        else:
            told.append(self.threshold.caution)
            # A sibling that cannot be read is among the problems of its set.
            with suppress(ResultsError):
                shared = find_shared_smallest_p(self.statmap)
                told += [shared.caution] if shared is not None else []
        told += [self.missing_test, *correction_notices(self.p_source, self.asked.tail)]
        return (*self.statmap.notices, *_sentences(told))

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
    def surviving(self) -> npt.NDArray[np.bool_]:
        """Which clusters are above the threshold, shown and counted, bool (n,).

        All, but of a cluster-level corrected map the significant ones.
        """
        if isinstance(self.threshold, ClusterLevelResult):
            return self.threshold.significant(self.cluster_p)
        return np.ones(len(self), bool)

    @property
    def p_word(self) -> str:
        """What the field calls the p of the map: p, p_FWE, or q after FDR."""
        return p_word(self.statmap)

    @property
    def error_rate(self) -> ErrorRate | None:
        """The error rate that the threshold controls; None where it controls none."""
        return find_error_rate(self.statmap, self.asked)

    @cached_property
    def uncorrected_p(self) -> float:
        """The largest p of the test that is kept; NaN where nobody knows.

        What was asked where that is an uncorrected p; of a corrected map the largest
        among the voxels that survive, however small their clusters.
        """
        if isinstance(self.threshold, ClusterLevelResult):
            return math.nan
        if not self.statmap.correction:
            return self.threshold.p
        log_p = self._test_log_p_at(np.nonzero(self.threshold.parts))
        return math.exp(log_p.max()) if log_p.size else math.nan

    @cached_property
    def inner_centers(self) -> npt.NDArray[np.float64]:
        """Each cluster's own voxel nearest to its center of mass, MNI mm, (n, 3).

        The center itself may lie outside of its cluster, as that of a ring does.
        """
        grid = self.statmap.grid
        return grid.to_mm(self.labelled.inner_voxels(grid.voxel_size))

    @cached_property
    def extents(self) -> pd.DataFrame:
        """How far each cluster reaches; one row a cluster, MNI mm.

        ``inner_x`` and so on are its own voxel that is nearest to the center of mass,
        ``box_x_min`` to ``box_z_max`` the middles of its outermost voxels. Apart from
        the table, because all voxels have to be looked at.
        """
        return measure_extents(self.labelled, self.statmap.grid, self.inner_centers)

    @cached_property
    def effects(self) -> pd.DataFrame:
        """How large effects are, at each peak and over each cluster; one row a cluster.

        Of image-based maps; see `effects_table`. ``attrs["notices"]`` is to be read.
        """
        peaks = tuple(self._main_voxels.T)
        flat = np.ravel_multi_index(peaks, self.labelled.shape, order="F")
        return effects_table(find_effects(self.statmap), flat, self.labelled)

    @cached_property
    def proven(self) -> ProvenVoxels:
        """How much of each cluster is active at least, how surely, or why nobody knows.

        By the uncorrected p of the test, over all voxels that were tested: neither the
        threshold nor a mask of the clusters play a part.
        """
        if self.test is None:
            return ProvenVoxels(None, self.labelled, self.missing_test)
        asked = self.asked
        try:
            testing = find_closed_testing(
                self.test,
                alpha=asked.tdp_alpha,
                dependence=asked.tdp_dependence,
                tail=asked.tail,
                masking=self.threshold.masking,
            )
        except ResultsError as error:
            return ProvenVoxels(None, self.labelled, str(error).rstrip("."))
        return ProvenVoxels(testing, self.labelled)

    @property
    def true_discoveries(self) -> IndexArray:
        """How many voxels of each cluster are active, at least; int (n,).

        With a confidence of 1 - ``asked.tdp_alpha`` for all clusters, and for those at
        all other thresholds, together.

        Raises
        ------
        ResultsError
            When the p that it takes are not known; the text says why.
        """
        return self.proven.counts

    @cached_property
    def names(self) -> list[str]:
        """Name of each cluster: the user's, else by its region, else its number."""
        regions = self.peak_regions["region"].take(self.labelled.main_peaks)
        if self.atlas is not None and not all(regions):
            regions = self.region_shares.fill_in_largest(regions)
        names = default_names(regions.tolist())
        if not self.given_names:
            return names
        return [
            self.given_names.get(peak, name)
            for name, peak in zip(names, self.peak_voxels, strict=True)
        ]

    @property
    def regions(self) -> pd.DataFrame:
        """How much of each cluster lies in each region of the atlas.

        Columns ``label, region, n_voxels, percent``: of each cluster the largest region
        first, at last what lies in none (``unlabelled``); empty without an atlas.
        """
        return self.region_shares.table

    @cached_property
    def region_shares(self) -> RegionShares:
        """The same as arrays."""
        return measure_region_shares(self.labelled, self.statmap.grid, self.atlas)

    @cached_property
    def peak_regions(self) -> dict[str, npt.NDArray[Any]]:
        """Region of every peak and sub-peak, and how far it is in mm.

        ``region`` is empty and ``region_mm`` NaN where none is within 4 mm.
        """
        places = self.statmap.grid.to_mm(self.labelled.peak_voxel)
        region, distance = nearest_regions(places, self.atlas)
        return {"region": region, "region_mm": distance}

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
            return self.threshold.describe(self.cluster_p) + self._whose_cut
        n, voxels = len(self), int(self.labelled.size.sum())
        mm3 = self.statmap.grid.voxel_mm3
        extent = (
            f"extent >= {self.min_voxels} voxels ({self.min_voxels * mm3:,.4g} mm3)"
            if self.min_voxels > 1
            else ""
        )
        parts = [str(self.threshold), extent, f"{self.connectivity}-connected"]
        found = (
            f"{counted(n, 'cluster')}, {counted(voxels, 'voxel')}, "
            f"{voxels * mm3 / 1000:.1f} cm3"
        )
        return f"{', '.join(part for part in parts if part)}: {found}"

    @cached_property
    def _whose_cut(self) -> str:
        """Say how many clusters of a cluster-level corrected map a mask cuts."""
        masked = self.threshold.masking is not None
        n = count_cut(self.p_source, self.labelled, self.log_p_at) if masked else 0
        return f"; the mask cuts {n}, whose p is that of the whole cluster" * (n > 0)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a cluster; units are in the names, coordinates in MNI mm.

        ``peak_value`` and ``mean_value`` are signed, in the unit of `values` and, on a
        corrected map too, the test's own. ``center_x`` and so on are the center of mass
        by strength. ``peak_p`` is uncorrected, and so is ``peak_logp``, its -log10,
        which never underflows. A voxel-level corrected map adds what it says itself:
        ``peak_q`` after FDR, else ``peak_p_fwe``. ``significant`` is unknown (NA) where
        the threshold controls no error rate. ``tdp`` is the true discovery proportion:
        at least this share of the voxels is active (see `true_discoveries`).
        """
        import pandas as pd

        found, grid = self.labelled, self.statmap.grid
        main, n = found.main_peaks, len(self)
        x, y, z = grid.to_mm(found.center).T
        peaks = {**self.peak_columns, **self.peak_regions}
        peaks = {key: column.take(main) for key, column in peaks.items()}
        region, region_mm = peaks.pop("region"), peaks.pop("region_mm")
        # Every column is made here, and nobody else's: nothing has to be copied.
        return pd.DataFrame(
            {
                "label": np.arange(1, n + 1),
                "name": np.array(self.names, dtype=object),
                "sign": found.sign.copy(),
                "n_voxels": found.size.copy(),
                "volume_mm3": found.size * grid.voxel_mm3,
                **peaks,
                "mean_value": self._mean_values,
                "center_x": x,
                "center_y": y,
                "center_z": z,
                "region": region,
                "region_percent": self.region_shares.of_regions(region),
                "significant": self._significant,
                "cluster_p": self.cluster_p,
                **self._intervals,
                **self.proven.columns,
                "region_mm": region_mm,
                **self.survival,
            },
            copy=False,
        )

    @property
    def _significant(self) -> Any:
        """Return what is significant as a column that may hold NA."""
        import pandas as pd

        unknown = np.full(len(self), self.error_rate is None)
        return pd.arrays.BooleanArray(self.surviving, unknown)

    @property
    def _mean_values(self) -> Float64Array:
        found = self.labelled
        if self.test is None:
            return np.full(len(self), np.nan)
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
        """What every correction says of each cluster; one row a cluster.

        ``p_fwe_mass`` and ``p_fwe_size``, of clusters that NiMARE tested, voxel for
        voxel, ``peak_p_fwe`` and ``peak_q`` of the peak, beside ``label``, from all
        maps of the same test that are at hand; NaN where none tells. What was
        thresholded comes before other maps, and what was asked before those of the
        result. Apart from the table, because other maps have to be read.
        ``attrs["notices"]`` says where NiMARE's p belongs to a cluster of other voxels.
        """
        masking = self.threshold.masking
        return find_corrected_p(
            self.p_source,
            self.asked,
            self.labelled,
            self.log_p_at,
            None if masking is None else masking.mask,
        )

    @cached_property
    def monte_carlo(self) -> pd.DataFrame:
        """How sure the Monte Carlo p in `corrected` are; one row a cluster.

        Of each its 95 % interval, as in ``peak_p_fwe_low`` and ``peak_p_fwe_high``, and
        ``peak_p_fwe_plus_one``: beside NiMARE's b / n, which may be too small, (b + 1)
        / (n + 1), which never is (Phipson and Smyth 2010).
        """
        return measure_counts(self.corrected, self.null)

    @property
    def whose_p(self) -> tuple[str, ...]:
        """Where NiMARE's p belongs to clusters of other voxels; beside that p."""
        return _sentences(self.corrected.attrs["notices"])

    @cached_property
    def peaks(self) -> pd.DataFrame:
        """One row a peak or sub-peak: cluster ``label``, ``rank`` (0 is the peak)."""
        import pandas as pd

        cluster = self.labelled.peak_cluster
        rank = np.arange(cluster.size) - self.labelled.main_peaks.take(cluster)
        columns = {**self.peak_columns, **self.peak_regions}
        return pd.DataFrame({"label": cluster + 1, "rank": rank, **columns})

    @cached_property
    def peak_columns(self) -> dict[str, npt.NDArray[np.float64]]:
        """Place, value and p of every peak and sub-peak; not to be changed.

        Beside what the test says, a voxel-level corrected map has its own p.
        """
        voxel = self.labelled.peak_voxel
        at = tuple(voxel.T)
        x, y, z = self.statmap.grid.to_mm(voxel).T
        log_p, value = self._test_log_p_at(at), np.full(len(voxel), np.nan)
        if self.test is not None:
            value = self.values.data[at].astype(np.float64)
        corrected: dict[str, Float64Array] = {}
        if self.statmap.correction and self.statmap.level != "cluster":
            corrected[corrected_column(self.statmap)] = corrected_p_at(
                self.p_source, voxel
            )
        return {
            "peak_x": x,
            "peak_y": y,
            "peak_z": z,
            "peak_value": value,
            "peak_p": np.exp(log_p),
            "peak_logp": -log_p / math.log(10),
            **corrected,
        }

    def log_p_at(self, where: npt.NDArray[np.intp]) -> Float64Array:
        """Return the natural logarithm of the uncorrected p at some voxels.

        Parameters
        ----------
        where : ndarray of int, shape (n,)
            Positions in the flat volume, in memory order (Fortran's).

        Returns
        -------
        ndarray of float64, shape (n,)
            NaN where nobody knows it.
        """
        shape = self.labelled.shape
        return self._test_log_p_at(np.unravel_index(where, shape, order="F"))

    def _test_log_p_at(self, at: tuple[npt.NDArray[np.intp], ...]) -> Float64Array:
        """Return the logarithm of the uncorrected p at voxels, NaN where unknown."""
        # Where the map that states p cannot be read, its set reports it: clusters that
        # were found by value are no worse for it.
        with suppress(ResultsError):
            if self.test is not None:
                return self.test.log_p_at(at, self.threshold.tail)
        return np.full(at[0].size, np.nan)


def _sentences(told: Iterable[str]) -> tuple[str, ...]:
    """End each with a full stop; leave out what is empty."""
    return tuple(f"{one.rstrip().removesuffix('.')}." for one in told if one)
