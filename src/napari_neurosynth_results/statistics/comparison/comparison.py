"""Two maps compared: what both show, what only one does, and how alike they are.

Maps are thresholded on their own grids, each by what its numbers mean, and only then
brought together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import do_both
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.names import words_of_test
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import say_threshold
from napari_neurosynth_results.statistics.comparison.agreement import (
    UNKNOWN_AGREEMENT,
    WORTH_A_THREAD,
    Agreement,
    MapSample,
    common_mask,
    correlate,
    sample_map,
)
from napari_neurosynth_results.statistics.comparison.alignment import align
from napari_neurosynth_results.statistics.comparison.derived_maps import (
    build_conjunction,
    build_difference,
    why_no_conjunction,
    why_no_difference,
)
from napari_neurosynth_results.statistics.comparison.notices import (
    collect_notices,
    shared_studies,
)
from napari_neurosynth_results.statistics.comparison.overlap import (
    ClusterVoxels,
    Overlap,
    OverlapCounts,
    agreement_volume,
    measure_overlap,
    peaks_mm,
    place_clusters,
)
from napari_neurosynth_results.statistics.thresholds.masks import (
    Masking,
    as_masking,
    resample_nearest,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Comparison:
    """What two maps have in common at their thresholds, and how alike they are.

    Attributes
    ----------
    a, b : ClusterSet
        The clusters of each map on its own grid.
    name_a, name_b : str
        Titles of the maps; where they are equal the result set is said too.
    grid : Grid
        The grid on which voxels are counted.
    resampled : str
        What was resampled and how, in words; empty when both are on one grid.
    marked_a, marked_b : ClusterVoxels
        The clusters on the grid.
    overlap : Overlap
        Voxels of each, of both, and of each pair of clusters.
    over_mask, over_non_zero : Agreement
        Correlations over the common analysis mask, and where neither map is 0. They
        carry no p: see `notices`.
    conjunction : StatMap or None
        The larger of the two p in each voxel where the signs agree: the test of "both"
        (Nichols et al. 2005). It can be thresholded as any other map.
    no_conjunction : str
        Why there is none.
    difference : StatMap or None
        The first map minus the second: a picture, which has no p.
    no_difference : str
        Why there is none.
    notices : tuple of str
        What has to be known to read the numbers.
    """

    a: ClusterSet
    b: ClusterSet
    name_a: str
    name_b: str
    grid: Grid = field(repr=False)
    resampled: str
    marked_a: ClusterVoxels = field(repr=False)
    marked_b: ClusterVoxels = field(repr=False)
    overlap: Overlap = field(repr=False)
    over_mask: Agreement
    over_non_zero: Agreement
    conjunction: StatMap | None = field(repr=False)
    no_conjunction: str
    difference: StatMap | None = field(repr=False)
    no_difference: str
    notices: tuple[str, ...]

    @property
    def dice(self) -> float:
        """Twice the shared voxels over the voxels of both; signs have to agree."""
        return self.overlap.counts["all"].dice

    @property
    def jaccard(self) -> float:
        """Shared voxels over the voxels in either; signs have to agree."""
        return self.overlap.counts["all"].jaccard

    @property
    def r(self) -> float:
        """Pearson's correlation over the common mask, NaN where nobody knows it."""
        return self.over_mask.r

    @property
    def rho(self) -> float:
        """Spearman's correlation over the common mask, NaN where nobody knows it."""
        return self.over_mask.rho

    @property
    def shared_studies(self) -> str:
        """Which studies are behind both maps, in words; empty when none are known."""
        return shared_studies(self.a.statmap, self.b.statmap)

    @property
    def n_a(self) -> int:
        """Voxels of the first map above its threshold, on the grid."""
        return self.overlap.counts["all"].a

    @property
    def n_b(self) -> int:
        """Voxels of the second map above its threshold, on the grid."""
        return self.overlap.counts["all"].b

    @property
    def n_both(self) -> int:
        """Voxels above both thresholds with the same sign, on the grid."""
        return self.overlap.counts["all"].both

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel of the grid."""
        return self.grid.voxel_mm3

    @property
    def threshold_a(self) -> str:
        """What was applied to the first map, with its extent, and what came of it."""
        return str(self.a)

    @property
    def threshold_b(self) -> str:
        """What was applied to the second map, with its extent, and what came of it."""
        return str(self.b)

    @cached_property
    def agreement(self) -> npt.NDArray[np.uint8]:
        """Where the two agree, uint8 (i, j, k) on the grid.

        0 neither, 1 only the first, 2 only the second, 3 both with the same sign, 4
        both with opposite signs.
        """
        return agreement_volume(self.marked_a, self.marked_b, self.grid)

    @cached_property
    def by_sign(self) -> pd.DataFrame:
        """Voxels, mm3, Dice and Jaccard: rows ``all``, ``positive`` and ``negative``.

        ``only_a`` and ``only_b`` hold ``opposite`` too, the voxels in which both are
        above with opposite signs.
        """
        import pandas as pd

        mm3, counts = self.voxel_mm3, self.overlap.counts
        rows = {word: _voxels_and_mm3(one, mm3) for word, one in counts.items()}
        return pd.DataFrame.from_dict(rows, orient="index")

    @cached_property
    def clusters(self) -> pd.DataFrame:
        """Which clusters of the one meet which of the other; one row a pair.

        ``share_a`` and ``share_b`` are percent of each cluster, on the grid. A cluster
        that meets none has a row with label 0 on the other side. In order of the
        clusters of a, of each the largest overlap first; then those of b that meet
        none. ``sign`` is that of the cluster of a (else of b).
        """
        import pandas as pd

        a, b = self.a, self.b
        label_a, label_b, n = _all_pairs(self.overlap.pairs, a, b).T
        signs_a, signs_b = np.append(0, a.labelled.sign), np.append(0, b.labelled.sign)
        return pd.DataFrame(
            {
                "label_a": label_a,
                "name_a": _cluster_names(a, label_a),
                "label_b": label_b,
                "name_b": _cluster_names(b, label_b),
                "sign": np.where(label_a > 0, signs_a[label_a], signs_b[label_b]),
                "n_voxels": n,
                "volume_mm3": n * self.voxel_mm3,
                "share_a": _percent(n, self.marked_a, label_a),
                "share_b": _percent(n, self.marked_b, label_b),
                "peak_distance_mm": _distances(a, b, label_a, label_b),
            }
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """All numbers, one a row: ``measure, over, value, unit``."""
        import pandas as pd

        rows: list[tuple[str, str, float, str]] = []
        for word, counts in self.by_sign.iterrows():
            for name, number in counts.items():
                measure = str(name).removesuffix("_mm3")
                unit = "mm3" if str(name).endswith("_mm3") else "voxels"
                unit = "" if measure in ("dice", "jaccard") else unit
                rows.append((measure, f"{word} above threshold", float(number), unit))
        rows += _correlations("common mask", self.over_mask)
        rows += _correlations("neither is 0", self.over_non_zero)[:3]
        return pd.DataFrame(rows, columns=["measure", "over", "value", "unit"])

    def __str__(self) -> str:
        """Say thresholds, what is shared and how alike the maps are, in a sentence."""
        n = self.overlap.counts["all"]
        shared = "nothing is above the threshold in either"
        if n.a + n.b:
            shared = (
                f"{n.both:,} voxels ({n.both * self.voxel_mm3 / 1000:.1f} cm3) in both "
                f"of {n.a:,} and {n.b:,}, Dice {n.dice:.3f}"
            )
        over, alike = self.over_mask, "r unknown"
        where = f"{over.n_voxels:,} voxels of the common mask"
        if math.isnan(over.r) and self.over_non_zero.n_voxels:
            over = self.over_non_zero
            where = f"{over.n_voxels:,} voxels in which neither is 0"
        if not math.isnan(over.r):
            alike = f"r {over.r:.3f} over {where}"
        return f"{self._who_at_what}: {shared}; {alike}"

    @property
    def _who_at_what(self) -> str:
        """Say both maps with height and extent of their thresholds."""
        at_a, at_b = say_threshold(self.a), say_threshold(self.b)
        if at_a == at_b:
            return f"{self.name_a} and {self.name_b}, both at {at_a}"
        return f"{self.name_a} at {at_a}, and {self.name_b} at {at_b}"


def compare(
    a: ClusterSet,
    b: ClusterSet,
    *,
    names: tuple[str, str] | None = None,
    mask: Mask | Masking | None = None,
) -> Comparison:
    """Compare the clusters of two maps, and the maps themselves.

    Parameters
    ----------
    a, b : ClusterSet
        Clusters of two maps on whatever grids of one space. Of cluster-level corrected
        maps the significant ones count.
    names : tuple of str, optional
        What to call the maps; their titles when not given.
    mask : ndarray of bool or Masking, optional
        On the grid of the first map: the analysis mask where nobody knows it. The
        correlations are over it.

    Returns
    -------
    Comparison
        Counted on the finer of the grids.

    Raises
    ------
    ResultsError
        When a map cannot be read, the mask does not fit, or the maps lie in different
        places.
    """
    maps = a.statmap, b.statmap
    name_a, name_b = names if names is not None else distinct_names(maps)
    aligned = align(maps, (name_a, name_b))
    grid = aligned.grid

    def bring(one: ClusterSet) -> tuple[ClusterVoxels, MapSample]:
        return place_clusters(one, grid), sample_map(one.statmap, grid)

    long = bool(aligned.resampled) and math.prod(grid.shape) > WORTH_A_THREAD
    brought = do_both(bring, a, b, on_threads=long)
    (marked_a, sampled_a), (marked_b, sampled_b) = brought
    masking = as_masking(mask, maps[0].grid)
    given = (
        None if masking is None else resample_nearest(masking.mask, maps[0].grid, grid)
    )
    common = common_mask((sampled_a, sampled_b), given)
    alike = UNKNOWN_AGREEMENT, UNKNOWN_AGREEMENT
    if all(statmap.level != "cluster" for statmap in maps):
        # Of a map with one value a cluster no correlation of voxels means anything.
        alike = correlate(sampled_a, sampled_b, common)
    no_conjunction = why_no_conjunction(a, name_a) or why_no_conjunction(b, name_b)
    no_difference = why_no_difference(*maps, name_a, name_b)
    return Comparison(
        a=a,
        b=b,
        name_a=name_a,
        name_b=name_b,
        grid=grid,
        resampled=aligned.resampled,
        marked_a=marked_a,
        marked_b=marked_b,
        overlap=measure_overlap(marked_a, marked_b),
        over_mask=alike[0],
        over_non_zero=alike[1],
        conjunction=None
        if no_conjunction
        else build_conjunction(a, b, grid, f"conjunction of {name_a} and {name_b}"),
        no_conjunction=no_conjunction or "",
        difference=None
        if no_difference
        else build_difference(
            sampled_a, sampled_b, grid, f"{name_a} minus {name_b}", (a, b)
        ),
        no_difference=no_difference or "",
        notices=collect_notices(
            (a, b),
            (name_a, name_b),
            (marked_a, marked_b),
            (sampled_a, sampled_b),
            alike[0],
            grid,
            masking,
        ),
    )


def distinct_names(statmaps: Sequence[StatMap]) -> list[str]:
    """Call each map by its title; say the result set where titles are equal.

    Parameters
    ----------
    statmaps : sequence of StatMap
        Of one result or of several.

    Returns
    -------
    list of str
        No two alike.
    """
    titles = [statmap.title for statmap in statmaps]
    names = [
        f"{statmap.results.title}: {title}" if titles.count(title) > 1 else title
        for title, statmap in zip(titles, statmaps, strict=True)
    ]
    return [
        f"{name} ({number})" if names.count(name) > 1 else name
        for number, name in enumerate(names, start=1)
    ]


def rank_partners(statmap: StatMap, others: Iterable[StatMap]) -> list[StatMap]:
    """Order maps by how likely somebody wants to compare a map with them.

    Parameters
    ----------
    others : iterable of StatMap
        Of the same result and of others; the map itself and what cannot be thresholded
        are left out.

    Returns
    -------
    list of StatMap
        First the same of another result: z with z, a cluster mass corrected for FWE
        with one. Then the same of another test of this result, as of the other group.
        Last come other values of the same test, which show the same finding twice.
    """
    offered = [one for one in others if one is not statmap and one.kind.row.criteria]
    return sorted(offered, key=lambda other: _unlikeness(statmap, other))


def _unlikeness(statmap: StatMap, other: StatMap) -> int:
    """Count what differs between two maps, what matters most the most."""
    same_result = other.results is statmap.results
    same_test = _words(other) == _words(statmap)
    return (
        16 * (same_result and same_test)
        + 8 * (other.kind is not statmap.kind)
        + 4 * (other.correction != statmap.correction or other.level != statmap.level)
        + 2 * (_correction_words(other) != _correction_words(statmap))
        # Of two results the same contrast; of one another one, which is less likely.
        + (same_result or not same_test)
    )


def _words(statmap: StatMap) -> frozenset[str]:
    return words_of_test(statmap.key, statmap.name)


def _correction_words(statmap: StatMap) -> tuple[str | None, str | None]:
    name = statmap.name
    return (name.cluster_statistic, name.method) if name is not None else (None, None)


def check_same_map(clusters: ClusterSet, statmap: StatMap) -> ClusterSet:
    """Return clusters that are those of a map.

    Raises
    ------
    ResultsError
        When they are those of another one.
    """
    own = clusters.statmap
    if own.results is not statmap.results or own.key != statmap.key:
        raise ResultsError(
            f"These are clusters of {own.title}, not of {statmap.title}. Give each map "
            "its own."
        )
    return clusters


# Rows of the tables.


def _voxels_and_mm3(counts: OverlapCounts, mm3: float) -> dict[str, float]:
    voxels = {
        "a": counts.a,
        "b": counts.b,
        "both": counts.both,
        "only_a": counts.only_a,
        "only_b": counts.only_b,
        "opposite": counts.opposite,
    }
    return {
        **voxels,
        **{f"{name}_mm3": n * mm3 for name, n in voxels.items()},
        "dice": counts.dice,
        "jaccard": counts.jaccard,
    }


def _all_pairs(pairs: IndexArray, a: ClusterSet, b: ClusterSet) -> IndexArray:
    """Put pairs in order, and clusters that meet none beside nothing."""
    alone = []
    for column, clusters in ((0, a), (1, b)):
        counted = 1 + np.flatnonzero(clusters.surviving)
        rest = np.setdiff1d(counted, pairs[:, column])
        rows = np.zeros((rest.size, 3), np.intp)
        rows[:, column] = rest
        alone.append(rows)
    rows = np.vstack([pairs, *alone])
    # Clusters of b that meet none come last.
    order = np.lexsort((rows[:, 1], -rows[:, 2], rows[:, 0], rows[:, 0] == 0))
    ordered: IndexArray = rows[order]
    return ordered


def _cluster_names(clusters: ClusterSet, labels: IndexArray) -> npt.NDArray[np.object_]:
    return np.array(["", *clusters.names], dtype=object)[labels]


def _percent(
    n: IndexArray, marked: ClusterVoxels, labels: IndexArray
) -> npt.NDArray[np.float64]:
    """Return what share of clusters so many voxels are, NaN where there is none."""
    size = np.bincount(marked.label, minlength=int(labels.max(initial=0)) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(labels > 0, 100 * n / size[labels], np.nan)


def _distances(
    a: ClusterSet, b: ClusterSet, label_a: IndexArray, label_b: IndexArray
) -> npt.NDArray[np.float64]:
    """Return the distance of the peaks of each pair in mm, NaN without a partner."""
    distance = np.full(label_a.size, np.nan)
    pair = (label_a > 0) & (label_b > 0)
    between = peaks_mm(a)[label_a[pair] - 1] - peaks_mm(b)[label_b[pair] - 1]
    distance[pair] = np.sqrt((between**2).sum(axis=1))
    return distance


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
