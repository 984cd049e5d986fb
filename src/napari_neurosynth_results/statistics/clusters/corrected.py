"""What every correction says of a cluster: one row of p and q, from all maps at hand.

A reader asks at once whether a cluster survives by mass, by size, by its peak and by
FDR. The answers lie in several maps, so they are looked up apart from the table. The p
of a cluster is that of its mass or size, and so of the voxels that NiMARE put into it:
a cluster of other voxels, at another height or extent, has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import P_VALUES, Zero
from napari_neurosynth_results.maps.names import MapName
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.connected import SuprathresholdVoxels
from napari_neurosynth_results.statistics.clusters.labelling import (
    ClusterArrays,
    CorrectedClusters,
)
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

Read = TypeVar("Read")

#: Which value of a test states p best: p underflows, and z says nothing beyond p = .5.
_BEST = (*P_VALUES, "z")
#: Only the p of a cluster is asked for, not whether it is significant.
_ANY_ALPHA = 0.05
#: NiMARE since 0.0.13: voxels touch by their faces.
_CONNECTIVITY = 6


def find_corrected_p(
    statmap: StatMap,
    clusters: ClusterArrays,
    evidence: Evidence,
    log_p_at: Callable[[IndexArray], Float64Array],
) -> pd.DataFrame:
    """Look up the corrected p and q of each cluster.

    Parameters
    ----------
    statmap : StatMap
        The map of the clusters.
    clusters : ClusterArrays
        Their voxels and peaks.
    evidence : Evidence
        What states the p of the map beside its own siblings.
    log_p_at : callable
        Logarithm of the uncorrected p at positions in the flat volume.

    Returns
    -------
    pandas.DataFrame
        ``label`` and, NaN where no map tells: ``p_fwe_mass`` and ``p_fwe_size`` of
        clusters that NiMARE tested, as `match_clusters` finds them; ``peak_p_fwe``, of
        the voxel of the peak; ``peak_q`` there, of the FDR-corrected map, else
        Benjamini-Hochberg over the analysis mask. ``attrs["notices"]`` says of how many
        clusters NiMARE tested others there.
    """
    import pandas as pd

    found = _corrected_maps(statmap)
    peaks = clusters.peak_voxel[clusters.main_peaks]
    columns: dict[str, Float64Array] = {}
    notices: list[str] = []
    for statistic, fits in (("mass", _is_by_mass), ("size", _is_by_size)):
        tested = _first_readable(found, fits, corrected_clusters)
        p = n_other = np.full(len(peaks), np.nan)
        if tested is not None:
            p, n_other = tested.p_of(clusters, log_p_at)
        columns[f"p_fwe_{statistic}"] = p
        notices += _tell_whose(statistic, p, n_other)
    table = pd.DataFrame(
        {
            "label": np.arange(1, len(peaks) + 1),
            **columns,
            "peak_p_fwe": _voxel_p_of_first(found, _is_by_voxel, peaks),
            "peak_q": _peak_q(
                statmap, found, peaks, OWN_EVIDENCE if statmap.correction else evidence
            ),
        }
    )
    table.attrs["notices"] = tuple(dict.fromkeys(notices))
    return table


def _tell_whose(statistic: str, p: Float64Array, n_other: Float64Array) -> list[str]:
    """Say where the p that is there belongs to other clusters, or almost does."""
    told = []
    if n := int(np.count_nonzero(np.isnan(p) & (n_other >= 0))):
        told.append(
            f"p_FWE by cluster {statistic} is not stated for {n} of {p.size} clusters: "
            "NiMARE tested clusters of other voxels there (another height, extent or "
            "mask), whose p it is"
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


def corrected_clusters(statmap: StatMap) -> CorrectedClusters:
    """List the clusters of a cluster-level corrected map; those at the floor are not.

    Raises
    ------
    ResultsError
        When it cannot be read, or its values are none of clusters.
    """

    def find() -> CorrectedClusters:
        read = read_clusters(PSource(statmap), _ANY_ALPHA)
        above = SuprathresholdVoxels(read.values.data, read.parts, False)
        if not above.where.size:
            return CorrectedClusters(above.where, above.where, np.full(1, np.nan))
        above.connect(_CONNECTIVITY)
        p = np.full(above.sizes.size, np.nan)
        p[above.cluster] = read.p_by_part[above.part]
        return CorrectedClusters(above.where, above.cluster, p)

    return statmap.results.remember((statmap.key, "its clusters"), find)


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


def _first_readable(
    maps: Iterable[StatMap],
    fits: Callable[[MapName], bool],
    read: Callable[[StatMap], Read],
) -> Read | None:
    """Read the first map that fits and can be read; None when there is none."""
    for statmap in maps:
        if statmap.name is None or not fits(statmap.name):
            continue
        try:
            return read(statmap)
        except ResultsError:
            # One broken map is among the problems of its set, and no reason to fail.
            continue
    return None


def _voxel_p_of_first(
    maps: Iterable[StatMap], fits: Callable[[MapName], bool], peaks: IndexArray
) -> Float64Array:
    """Return p at the peaks by the first map that fits; NaN when there is none."""
    p = _first_readable(maps, fits, lambda statmap: _voxel_p(statmap, peaks))
    return np.full(len(peaks), np.nan) if p is None else p


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
    q = _voxel_p_of_first(corrected, _is_by_fdr, peaks)
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
