"""What every correction says of a cluster: one row of p and q, from all maps at hand.

A reader asks at once whether a cluster survives by mass, by size, by its peak and by
FDR. The answers lie in several maps, so they are looked up apart from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import P_VALUES, Zero
from napari_neurosynth_results.maps.names import MapName
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.directions import (
    choose_sides,
    choose_tail,
)
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    adjusted_log_q,
    find_tested_voxels,
)
from napari_neurosynth_results.statistics.p_values.significance import (
    OWN_EVIDENCE,
    Evidence,
    PSource,
)
from napari_neurosynth_results.statistics.thresholds.cluster_level import read_clusters

if TYPE_CHECKING:
    import pandas as pd


#: Which value of a test states p best: p underflows, and z says nothing beyond p = .5.
_BEST = (*P_VALUES, "z")
#: Columns whose p a Monte Carlo correction counted.
COUNTED = ("p_fwe_mass", "p_fwe_size", "peak_p_fwe")
#: Only the place of a cluster is asked for, not whether it is significant.
_ANY_ALPHA = 0.05


def find_corrected_p(
    statmap: StatMap, peaks: IndexArray, evidence: Evidence
) -> pd.DataFrame:
    """Look up the corrected p and q of each cluster, at its peak.

    Parameters
    ----------
    statmap : StatMap
        The map of the clusters.
    peaks : ndarray of int, shape (n, 3)
        Voxel of each cluster's peak.
    evidence : Evidence
        What states the p of the map beside its own siblings.

    Returns
    -------
    pandas.DataFrame
        ``label`` and, NaN where no map tells: ``p_fwe_mass`` and ``p_fwe_size``, the p
        of NiMARE's own cluster around the peak; ``peak_p_fwe``, by voxel; ``peak_q``,
        of the FDR-corrected map, else Benjamini-Hochberg over the analysis mask.
    """
    import pandas as pd

    found = _corrected_maps(statmap)
    return pd.DataFrame(
        {
            "label": np.arange(1, len(peaks) + 1),
            "p_fwe_mass": _read_first(found, _is_by_mass, _cluster_p, peaks),
            "p_fwe_size": _read_first(found, _is_by_size, _cluster_p, peaks),
            "peak_p_fwe": _read_first(found, _is_by_voxel, _voxel_p, peaks),
            "peak_q": _peak_q(
                statmap, found, peaks, OWN_EVIDENCE if statmap.correction else evidence
            ),
        }
    )


def _corrected_maps(statmap: StatMap) -> list[StatMap]:
    """Return the corrected maps of the same test, those that state p best first."""
    if statmap.name is None:
        return []
    test = frozenset(statmap.name.uncorrected().entities)
    found = [
        other
        for other in statmap.results.run_of(statmap)
        if other.name is not None
        and other.correction
        and other.name.value in _BEST
        and frozenset(other.name.uncorrected().entities) == test
        and other.grid.same_as(statmap.grid)
    ]
    return sorted(found, key=_order)


def _order(statmap: StatMap) -> tuple[bool, int]:
    """Put Monte Carlo before Bonferroni, BH (indep) before BY, logp before p and z."""
    assert statmap.name is not None
    best_method = statmap.name.method in ("montecarlo", "indep")
    return not best_method, _BEST.index(statmap.name.value)


def _is_by_mass(name: MapName) -> bool:
    return name.level == "cluster" and name.cluster_statistic == "mass"


def _is_by_size(name: MapName) -> bool:
    # NiMARE tested size alone at first, and did not say so (its pull request 609).
    return name.level == "cluster" and name.cluster_statistic in ("size", None)


def _is_by_voxel(name: MapName) -> bool:
    return name.level == "voxel" and name.correction == "FWE"


def _is_by_fdr(name: MapName) -> bool:
    return name.correction == "FDR"


def _read_first(
    maps: Iterable[StatMap],
    fits: Callable[[MapName], bool],
    read: Callable[[StatMap, IndexArray], Float64Array],
    peaks: IndexArray,
) -> Float64Array:
    """Read the first map that fits and can be read; NaN when there is none."""
    for statmap in maps:
        if statmap.name is None or not fits(statmap.name):
            continue
        try:
            return read(statmap, peaks)
        except ResultsError:
            # One broken map is among the problems of its set, and no reason to fail.
            continue
    return np.full(len(peaks), np.nan)


def _cluster_p(statmap: StatMap, peaks: IndexArray) -> Float64Array:
    return read_clusters(PSource(statmap), _ANY_ALPHA).p_at(peaks)


def _voxel_p(statmap: StatMap, peaks: IndexArray) -> Float64Array:
    at = tuple(peaks.T)
    p = np.exp(PSource(statmap).log_p_at(at))
    if statmap.kind.row.zero is Zero.OUTSIDE:
        return p
    # A 0 says nothing: outside, or for a one-tailed z any p from .5 on.
    return np.where(statmap.data[at] == 0, np.nan, p)


def _peak_q(
    statmap: StatMap, corrected: list[StatMap], peaks: IndexArray, evidence: Evidence
) -> Float64Array:
    """Return q of the FDR-corrected map, else adjust the uncorrected p."""
    q = _read_first(corrected, _is_by_fdr, _voxel_p, peaks)
    test = _uncorrected(statmap)
    if not np.isnan(q).all() or test is None:
        return q
    try:
        source, sides = PSource(test, evidence), choose_sides(test, "auto")
        inside, log_p = find_tested_voxels(
            source, "FDR", mask=None, sides=sides, tail=choose_tail(source, sides)
        )
    except ResultsError:
        # Without p, without a known mask, or thresholded before: nobody knows q.
        return q
    volume: Float64Array = np.full(inside.shape, np.nan)
    volume[inside] = np.exp(adjusted_log_q(log_p))
    return np.asarray(volume[tuple(peaks.T)])


def _uncorrected(statmap: StatMap) -> StatMap | None:
    if not statmap.correction:
        return statmap
    values = (statmap.results.uncorrected(statmap, value) for value in _BEST)
    found = (test for test in values if test and test.grid.same_as(statmap.grid))
    return next(found, None)
