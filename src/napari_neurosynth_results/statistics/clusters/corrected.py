"""What every correction says of a cluster: one row of p and q, from all maps at hand.

A reader asks at once whether a cluster survives by mass, by size, by its peak and by
FDR. The answers lie in several maps, so they are looked up apart from the table. The p
of a cluster is that of its mass or size, and so of the voxels that NiMARE put into it:
a cluster of other voxels, at another height or extent, has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import P_VALUES, Tail
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.clusters.connected import SuprathresholdVoxels
from napari_neurosynth_results.statistics.clusters.labelling import (
    ClusterArrays,
    CorrectedClusters,
)
from napari_neurosynth_results.statistics.p_values.directions import (
    Direction,
    choose_sides,
    choose_tail,
)
from napari_neurosynth_results.statistics.p_values.monte_carlo import NullDistribution
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    adjusted_log_q,
    count_directions,
    find_tested_voxels,
)
from napari_neurosynth_results.statistics.p_values.significance import (
    PSource,
    find_test_source,
)
from napari_neurosynth_results.statistics.thresholds.apply import p_word
from napari_neurosynth_results.statistics.thresholds.cluster_level import read_clusters
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

if TYPE_CHECKING:
    import pandas as pd

Read = TypeVar("Read")

#: Which value of a test states p best: p underflows, and z says nothing beyond p = .5.
_BEST = (*P_VALUES, "z")
#: Columns whose p a Monte Carlo correction counted.
COUNTED = ("p_fwe_mass", "p_fwe_size", "peak_p_fwe")
#: How far a p that was counted is from a whole number of iterations in any file.
_PART = 1e-3
#: Only the p of a cluster is asked for, not whether it is significant.
_ANY_ALPHA = 0.05
#: How q is counted where nobody asked for it.
_BH = Threshold(q=0.05)


def find_corrected_p(
    source: PSource,
    asked: Threshold,
    clusters: ClusterArrays,
    log_p_at: Callable[[IndexArray], Float64Array],
    mask: Mask | None = None,
) -> pd.DataFrame:
    """Look up the corrected p and q of each cluster.

    Parameters
    ----------
    source : PSource
        The map of the clusters, and what states its p.
    asked : Threshold
        What was asked of it: a q or a Bonferroni-corrected p says how it is counted.
    clusters : ClusterArrays
        Their voxels and peaks.
    log_p_at : callable
        Logarithm of the uncorrected p at positions in the flat volume.
    mask : ndarray of bool, shape (i, j, k), optional
        Where tests were counted for that.

    Returns
    -------
    pandas.DataFrame
        ``label`` and, NaN where no map tells: ``p_fwe_mass`` and ``p_fwe_size`` of
        clusters that NiMARE tested, as `match_clusters` finds them; ``peak_p_fwe``, of
        the voxel of the peak; ``peak_q`` there, of the FDR-corrected map, else
        Benjamini-Hochberg over the analysis mask. What was asked and what was
        thresholded come first. ``attrs["notices"]`` says of how many clusters NiMARE
        tested others there.
    """
    import pandas as pd

    found = _corrected_maps(source)
    peaks = clusters.peak_voxel[clusters.main_peaks]
    columns: dict[str, Float64Array | IndexArray] = {
        "label": np.arange(1, len(peaks) + 1)
    }
    notices: list[str] = []
    for statistic, fits in (("mass", _is_by_mass), ("size", _is_by_size)):
        tested = _first_readable(found, fits, corrected_clusters)
        p = n_other = np.full(len(peaks), np.nan)
        if tested is not None:
            p, n_other = tested.p_of(clusters, log_p_at)
        columns[f"p_fwe_{statistic}"] = p
        notices += _tell_whose(statistic, p, n_other)
    for column, fits, own in (
        ("peak_p_fwe", _is_by_voxel, asked.bonferroni),
        ("peak_q", _is_by_fdr, asked.q),
    ):
        columns[column], told_by = _voxel_p_of_first(found, fits, peaks)
        # The clusters say it of their own map.
        if own is None and told_by is not None and told_by is not source.statmap:
            notices += filter(None, [_half(told_by, source.statmap, asked.tail)])
    if asked.bonferroni is not None:
        columns["peak_p_fwe"] = _adjust(source, asked, peaks, mask)
    if asked.q is not None:
        columns["peak_q"] = _adjust(source, asked, peaks, mask)
    elif np.isnan(columns["peak_q"]).all():
        # Without a correction the map is its own test, with what was given beside it.
        test = find_test_source(source.statmap) if source.statmap.correction else source
        if test is not None:
            columns["peak_q"] = _adjust(test, _BH, peaks, None)
    table = pd.DataFrame(columns)
    table.attrs["notices"] = tuple(dict.fromkeys(notices))
    return table


def correction_notices(source: PSource, asked: Direction) -> list[str]:
    """Say what has to be known of a corrected map and of the test behind it.

    Parameters
    ----------
    source : PSource
        Any map, and what states its p.
    asked : {"positive", "negative", "both", "auto"}
        Which directions of it are looked at.

    Returns
    -------
    list of str
        Without full stops; empty where nothing has to be said. How the p of a map
        counts that is not corrected its own sentence says.
    """
    statmap = source.statmap
    try:
        told = [_tell_cut(statmap), _tell_misfit(source)]
        test = find_test_source(statmap) if statmap.correction else None
        if test is not None:
            told += [_guess_of(test, statmap), _half(statmap, statmap, asked)]
    except ResultsError:
        # A broken map is among the problems of its set.
        return []
    return told


def _tell_cut(statmap: StatMap) -> str:
    """Say that a map has lost its weak voxels, which no threshold brings back."""
    if not statmap.cut:
        return ""
    return (
        f"{statmap.title} was thresholded before, by {statmap.cut}: what it lost then "
        "is in no cluster, whatever is asked now"
    )


def _tell_misfit(source: PSource) -> str:
    """Say that z and the p beside it are not those of one test."""
    if source.follows_height:
        return ""
    return (
        f"{source.statmap.title} and {source.map.title} do not say the same: either "
        "they belong to two tests, or one of them was corrected, resampled or counted "
        f"otherwise. p is read off {source.map.title}, and no height of z stands for it"
    )


def _guess_of(test: PSource, statmap: StatMap) -> str:
    """Say that the p of a test are by a guess; a lone one counts as its correction."""
    guessed = statmap.tail_is_guess if test.is_lone else test.guesses_tail
    if not guessed or not test.guesses_tail:
        return ""
    tail = statmap.tail if test.is_lone else test.tail
    return (
        f"The p of the test are read off {test.map.title} as {tail}, a guess: no name "
        "and no map beside it tells"
    )


def _half(statmap: StatMap, seen: StatMap, asked: Direction) -> str:
    """Say that NiMARE counted one direction of two that are seen of a map of the test.

    Its FDR and Bonferroni take the p that the test states, the smaller of the two
    (NiMARE 0.22.1, `nimare.correct`): half of what it takes where both are looked at.
    """
    name = statmap.name
    by_p = statmap.correction == "FDR" or (name and name.method == "bonferroni")
    if name is None or not by_p or statmap.level == "cluster":
        return ""
    test = find_test_source(seen)
    if test is None or count_directions(test, choose_sides(seen, asked)) < 2:
        return ""
    return (
        f"The {p_word(statmap)} of {statmap.title} counts one direction: NiMARE "
        "corrected the smaller of two one-tailed p of each voxel, which is small twice "
        "as often. Where both directions are looked at, halve the level, or ask the "
        "uncorrected map for FDR or Bonferroni, which count both"
    )


def measure_counts(
    corrected: pd.DataFrame, null: NullDistribution | None
) -> pd.DataFrame:
    """Say how sure p are that were counted in iterations.

    Parameters
    ----------
    corrected : pandas.DataFrame
        As `find_corrected_p` makes it.
    null : NullDistribution, optional
        What p were counted in.

    Returns
    -------
    pandas.DataFrame
        ``label`` and, of each column of `COUNTED`, ``_low`` and ``_high``, the ends of
        the 95 % interval (Clopper and Pearson 1934), and ``_plus_one``, (b + 1) / (n +
        1) (Phipson and Smyth 2010); NaN where a p is not known or was not counted.
    """
    import pandas as pd

    columns: dict[str, Any] = {"label": corrected["label"]}
    for column in COUNTED:
        p = corrected[column].to_numpy(np.float64)
        found: tuple[Float64Array, ...] = (np.full(p.size, np.nan),) * 3
        if null is not None:
            here = null.fitted_to(p)
            parts = p * (here.iterations + here.adds_one)
            off = np.abs(parts - np.rint(parts))
            # By Bonferroni nothing is counted.
            is_counted = (parts > 1 - _PART) & (off <= _PART + 1e-5 * parts)
            known = np.where(is_counted, p, np.nan)
            # Where p does not tell how many were as large, the most are taken.
            most = here.exceedances(known)[1]
            plus_one = np.minimum((most + 1) / (here.iterations + 1), 1)
            found = (*here.intervals(known), plus_one)
        for end, values in zip(("low", "high", "plus_one"), found, strict=True):
            columns[f"{column}_{end}"] = values
    return pd.DataFrame(columns)


def _tell_whose(statistic: str, p: Float64Array, n_other: Float64Array) -> list[str]:
    """Say where the p that is there belongs to other clusters, or almost does."""
    told = []
    if n := int(np.count_nonzero(np.isnan(p) & (n_other >= 0))):
        told.append(
            f"p_FWE by cluster {statistic} is not stated for {n} of "
            f"{counted(p.size, 'cluster')}: NiMARE tested clusters of other "
            "voxels there (another height, extent or mask), whose p it is"
        )
    if most := int(np.nanmax(np.where(np.isnan(p), 0, n_other), initial=0)):
        told.append(tell_at_height(most))
    return told


def tell_at_height(most: int) -> str:
    """Say by how many voxels clusters of one height differ from NiMARE's."""
    return (
        f"NiMARE's clusters have up to {most} voxel{'s' * (most > 1)} more or less, at "
        "the very height: it formed them on the statistic, which is finer than p"
    )


def corrected_clusters(source: PSource) -> CorrectedClusters:
    """List the clusters of a cluster-level corrected map; those at the floor are not.

    Raises
    ------
    ResultsError
        When it cannot be read, or its values are none of clusters.
    """

    def find() -> CorrectedClusters:
        read = read_clusters(source, _ANY_ALPHA)
        above = SuprathresholdVoxels(read.values.data, read.parts, False)
        if not above.where.size:
            return CorrectedClusters(above.where, above.where, np.full(1, np.nan))
        above.connect(read.formation.connectivity)
        p = np.full(above.sizes.size, np.nan)
        p[above.cluster] = read.p_by_part[above.part]
        return CorrectedClusters(above.where, above.cluster, p)

    if source.evidence.siblings is not None:
        return find()
    statmap = source.statmap
    return statmap.results.remember((statmap.key, "its clusters"), find)


def count_cut(
    source: PSource,
    clusters: ClusterArrays,
    log_p_at: Callable[[IndexArray], Float64Array],
) -> int:
    """Count clusters of a cluster-level corrected map that a mask cuts."""
    try:
        whole, _ = corrected_clusters(source).p_of(clusters, log_p_at)
    except ResultsError:
        # Read with what was given, not by its own siblings.
        return 0
    return int(np.count_nonzero(np.isnan(whole)))


def corrected_column(statmap: StatMap) -> str:
    """Name the column that holds what a voxel-level corrected map says of a peak.

    Parameters
    ----------
    statmap : StatMap
        A corrected map.

    Returns
    -------
    str
        ``peak_q`` after FDR, ``peak_p_fwe`` for a family-wise p.
    """
    if statmap.correction == "FDR":
        return "peak_q"
    return f"peak_p_{(statmap.correction or 'corrected').lower()}"


def corrected_p_at(source: PSource, voxels: IndexArray) -> Float64Array:
    """Read the corrected p of some voxels off a voxel-level corrected map.

    Parameters
    ----------
    source : PSource
        The map, and what states its p.
    voxels : ndarray of int, shape (n, 3)
        Within the analysis mask.

    Returns
    -------
    ndarray of float64, shape (n,)
        1 where the map says so; NaN where it says nothing: outside, and for a one-
        tailed z of 0, which is written for any p from .5 on.
    """
    at = tuple(voxels.T)
    try:
        p, values = np.exp(source.log_p_at(at)), source.map.data[at]
    except ResultsError:
        # The map that states p cannot be read, which its set reports.
        return np.full(len(voxels), np.nan)
    silent = np.isnan(values)
    if not source.kind.row.p.states_p and source.tail is Tail.ONE:
        silent |= values == 0
    return np.where(silent, np.nan, p)


def _corrected_maps(source: PSource) -> list[PSource]:
    """Return the corrected maps of the same test, those that state p best first."""
    statmap = source.statmap
    own = [source] if statmap.correction else []
    if statmap.name is None:
        return own
    test = statmap.name.test
    others = [
        other
        for other in statmap.results.run_of(statmap)
        if other.name is not None
        and other.correction
        and other is not statmap
        and other.name.value in _BEST
        and other.name.test == test
        and other.grid.same_as(statmap.grid)
    ]
    return own + [PSource(other) for other in sorted(others, key=_order)]


def _order(statmap: StatMap) -> tuple[bool, int]:
    """Put Monte Carlo before Bonferroni, BH (indep) before BY, logp before p and z."""
    assert statmap.name is not None
    best_method = statmap.name.method in ("montecarlo", "indep")
    return not best_method, _BEST.index(statmap.name.value)


def _cluster_statistics(statmap: StatMap) -> tuple[str | None, ...]:
    """Return by what the clusters of a map may have been tested; none by voxels."""
    if statmap.level != "cluster" or statmap.name is None:
        return ()
    return (statmap.name.cluster_statistic,)


def _is_by_mass(statmap: StatMap) -> bool:
    return "mass" in _cluster_statistics(statmap)


def _is_by_size(statmap: StatMap) -> bool:
    # NiMARE tested size alone at first, and did not say so (its pull request 609).
    return not {"size", None}.isdisjoint(_cluster_statistics(statmap))


def _is_by_voxel(statmap: StatMap) -> bool:
    return statmap.level == "voxel" and statmap.correction == "FWE"


def _is_by_fdr(statmap: StatMap) -> bool:
    return statmap.level != "cluster" and statmap.correction == "FDR"


def _first_readable(
    sources: Iterable[PSource],
    fits: Callable[[StatMap], bool],
    read: Callable[[PSource], Read],
) -> Read | None:
    """Read the first map that fits and can be read; None when there is none."""
    for source in sources:
        if not fits(source.statmap):
            continue
        try:
            return read(source)
        except ResultsError:
            # One broken map is among the problems of its set, and no reason to fail.
            continue
    return None


def _voxel_p_of_first(
    sources: Iterable[PSource], fits: Callable[[StatMap], bool], peaks: IndexArray
) -> tuple[Float64Array, StatMap | None]:
    """Return p at the peaks by the first map that fits, and it; NaN without any."""
    nothing = np.full(len(peaks), np.nan), None
    return (
        _first_readable(
            sources, fits, lambda one: (corrected_p_at(one, peaks), one.statmap)
        )
        or nothing
    )


def _adjust(
    source: PSource, asked: Threshold, peaks: IndexArray, mask: Mask | None
) -> Float64Array:
    """Adjust the uncorrected p for the number of tests, as a threshold asks it."""
    try:
        sides = choose_sides(source.statmap, asked.tail)
        inside, log_p = find_tested_voxels(
            source, "FDR", mask=mask, sides=sides, tail=choose_tail(source, sides)
        )
    except ResultsError:
        # Without p, without a known mask, or thresholded before: nobody knows.
        return np.full(len(peaks), np.nan)
    volume: Float64Array = np.full(inside.shape, np.nan)
    volume[inside] = log_p
    at_peaks: Float64Array = volume[tuple(peaks.T)]
    if asked.bonferroni is not None:
        return np.exp(np.minimum(at_peaks + math.log(log_p.size), 0))
    return np.exp(adjusted_log_q(log_p, at_peaks, asked.fdr))
