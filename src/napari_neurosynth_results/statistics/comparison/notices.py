"""What has to be known to read the numbers of a comparison, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from napari_neurosynth_results.anatomy.numerals import short_percent
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.names import parse_name
from napari_neurosynth_results.maps.results import ResultSet, result_of
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.maps.studies import Study
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.agreement import (
    Agreement,
    MapSample,
)
from napari_neurosynth_results.statistics.comparison.alignment import covered_box
from napari_neurosynth_results.statistics.comparison.overlap import (
    ClusterVoxels,
    direction_doubt,
)
from napari_neurosynth_results.statistics.studies.contributions import group_of
from napari_neurosynth_results.statistics.thresholds.masks import Masking

NO_P = (
    "No p value belongs to r and rho: neighboring voxels are alike (spatial "
    "autocorrelation), so that a p from the number of voxels would be far too small."
)
_MANY_ZEROS = 0.25
_ONE_TEST = "Both maps come from one test: what both show is one finding, not two."
#: What Neurosynth Compose calls its one table of diagnostics.
_COMPOSE_TABLE = "diagnostics"
#: Pairs of maps that are named in one notice.
_MOST_PAIRS = 10


def collect_notices(
    clusters: tuple[ClusterSet, ClusterSet],
    names: tuple[str, str],
    marked: tuple[ClusterVoxels, ClusterVoxels],
    sampled: tuple[MapSample, MapSample],
    over_mask: Agreement,
    grid: Grid,
    masking: Masking | None,
) -> tuple[str, ...]:
    """Gather what is doubtful about a comparison.

    Parameters
    ----------
    clusters, names, marked, sampled : pair
        Of the two maps.
    over_mask : Agreement
        Correlations over the common mask.
    grid : Grid
        The grid of the comparison.
    masking : Masking, optional
        The mask that was given.

    Returns
    -------
    tuple of str
        Sentences.

    Raises
    ------
    ResultsError
        When a map that has to be looked at cannot be read.
    """
    said = shared_studies(*(one.statmap for one in clusters))
    told = [said] if said else []
    for one, name, own in zip(clusters, names, marked, strict=True):
        if not own.where.size:
            told.append(f"Nothing in {name} is above its threshold.")
        if one.statmap.level == "cluster" and not one.surviving.all():
            left_out = int((~one.surviving).sum())
            told.append(
                f"Of {name} only significant clusters count: {left_out} "
                f"{'is' if left_out == 1 else 'are'} left out."
            )
        if doubt := direction_doubt(one.statmap, name):
            told.append(f"{doubt}: all of its voxels count as positive.")
        told += one.notices
        doubt = one.statmap.grid.mni_doubt()
        if doubt and not any(doubt in notice for notice in one.notices):
            told.append(f"{name} may not be in MNI space: {doubt}.")
    told += _about_coverage(clusters, names, marked, grid)
    told += _about_values(clusters, names, sampled, over_mask, masking)
    # What holds for both is said once.
    return (*dict.fromkeys(told), NO_P)


def _about_coverage(
    clusters: tuple[ClusterSet, ClusterSet],
    names: tuple[str, str],
    marked: tuple[ClusterVoxels, ClusterVoxels],
    grid: Grid,
) -> list[str]:
    """Say how much of one map lies where the other one has no voxels."""
    told = []
    for this, other in ((0, 1), (1, 0)):
        field = covered_box(clusters[other].statmap.grid, grid)
        within = np.ones(marked[this].where.size, bool)
        index = np.unravel_index(marked[this].where, grid.shape, order="F")
        for part, at in zip(field, index, strict=True):
            within &= (at >= part.start) & (at < part.stop)
        if n := int(np.count_nonzero(~within)):
            told.append(
                f"{n:,} voxels of {names[this]} lie outside the grid of "
                f"{names[other]} and are counted as found in one only."
            )
    return told


def _about_values(
    clusters: tuple[ClusterSet, ClusterSet],
    names: tuple[str, str],
    sampled: tuple[MapSample, MapSample],
    over_mask: Agreement,
    masking: Masking | None,
) -> list[str]:
    """Say what the correlations can and cannot tell."""
    first, second = (one.statmap for one in clusters)
    flat = [
        name
        for one, name in zip(clusters, names, strict=True)
        if one.statmap.level == "cluster"
    ]
    if flat:
        return [
            f"{' and '.join(flat)} {'has' if len(flat) == 1 else 'have'} one value per "
            "cluster: voxels are not correlated."
        ]
    told = []
    if first.kind is not second.kind:
        told.append(
            f"The correlations compare {first.kind} with {second.kind} values: r says "
            "how close they are to a straight line, rho whether they rise together."
        )
    unknown = [name for one, name in zip(sampled, names, strict=True) if not one.known]
    if masking is not None:
        told.append(f"The correlations are {masking}.")
        for statmap, name in zip((first, second), names, strict=True):
            if masking.is_of(statmap):
                told.append(
                    f"That mask was made of {name} itself: r and rho are over voxels "
                    "that it chose, and say nothing of the rest of the brain."
                )
    elif len(unknown) == 2:
        told.append(
            "The analysis mask of neither map is known: r and rho are given where "
            "neither map is 0, not over a mask. Give a mask to have them over it."
        )
    elif unknown:
        told.append(
            f"The analysis mask of {unknown[0]} is unknown: that of the other map is "
            "used for both."
        )
    for share, name in zip((over_mask.zeros_a, over_mask.zeros_b), names, strict=True):
        if not math.isnan(share) and share > _MANY_ZEROS:
            told.append(
                f"{short_percent(100 * share)} of {name} is exactly 0 in the common "
                "mask: r and rho over it largely say where the maps are 0."
            )
    return told


# Which studies both maps come from.


@dataclass(frozen=True)
class _Sample:
    """The studies behind a map: of each all that it can be known by.

    Attributes
    ----------
    studies : tuple of frozenset of str
        DOI and PubMed id of each, else its name; the rows of NiMARE's tables where no
        studies are known.
    """

    studies: tuple[frozenset[str], ...]

    def count_in(self, other: _Sample) -> int:
        """Count the studies that are in another sample too."""
        known = frozenset[str]().union(*other.studies)
        return sum(not study.isdisjoint(known) for study in self.studies)


def shared_studies(a: StatMap, b: StatMap) -> str:
    """Say which studies are behind both of two maps.

    Two methods on one data set that find the same place are no two findings, and their
    conjunction is no second effect.

    Parameters
    ----------
    a, b : StatMap
        Of one result or of two.

    Returns
    -------
    str
        A sentence; empty when no study is in both, or nobody knows. No server is asked.
    """
    if _are_of_one_test(a, b):
        return _ONE_TEST
    behind_a, behind_b, same = _count_studies(a, b)
    if same == 0:
        return ""
    if same == behind_a == behind_b:
        studies = f"{same} studies" if same > 1 else "study"
        return (
            f"Both maps come from the same {studies}: what both show is what two "
            "analyses of one data set agree on. It is one finding, not two effects, "
            "whatever the p of the conjunction."
        )
    return (
        f"{same} {'study is' if same == 1 else 'studies are'} behind both maps, of "
        f"{behind_a} and {behind_b}: the two are not independent evidence."
    )


def list_shared_studies(maps: Sequence[StatMap], names: Sequence[str]) -> str:
    """Say which of several maps come from the same studies.

    Parameters
    ----------
    maps : sequence of StatMap
        Of one result or of several.
    names : sequence of str
        What to call them.

    Returns
    -------
    str
        A sentence; empty when there are none.
    """
    pairs = []
    for first, a in enumerate(maps):
        for second in range(first + 1, len(maps)):
            b, both = maps[second], f"{names[first]} and {names[second]}"
            if _are_of_one_test(a, b):
                pairs.append(f"{both} (one test)")
                continue
            behind_a, behind_b, same = _count_studies(a, b)
            if same:
                pairs.append(f"{both} ({same} of {behind_a} and {behind_b} studies)")
    if not pairs:
        return ""
    rest = len(pairs) - _MOST_PAIRS
    more = f"; and {rest} more pairs" if rest > 0 else ""
    return (
        "These have studies in common and are not independent evidence: "
        f"{'; '.join(pairs[:_MOST_PAIRS])}{more}."
    )


def _are_of_one_test(a: StatMap, b: StatMap) -> bool:
    if a.results is not b.results:
        return False
    if a.name is None or b.name is None:
        return a.key == b.key
    tests = [one.test for one in (a.name, b.name)]
    return a.name.run == b.name.run and tests[0] == tests[1]


def _count_studies(a: StatMap, b: StatMap) -> tuple[int, int, int]:
    """Return the number of studies behind each map, and behind both."""
    first, second = _sample_of(a), _sample_of(b)
    if first is None or second is None:
        return 0, 0, 0
    same = min(first.count_in(second), second.count_in(first))
    return len(first.studies), len(second.studies), same


def _sample_of(statmap: StatMap) -> _Sample | None:
    """Find the studies behind a map, None when nobody knows them."""
    results, name = result_of(statmap), statmap.name
    group = group_of(name.contrast) if name is not None else 0
    run = name.run if name is not None else ()
    return results.remember(
        ("studies behind", group, *run), lambda: _find_sample(results, statmap, group)
    )


def _find_sample(results: ResultSet, statmap: StatMap, group: int) -> _Sample | None:
    runs = {one.name.run for one in results.maps.values() if one.name}
    # Beside several meta-analyses a file of studies does not say whose it is.
    if results.studies_at_hand and len(runs) < 2:
        with suppress(ResultsError):
            # A broken file of studies is told of where studies are asked for.
            if studies := results.studies:
                groups = {a.group for one in studies.included for a in one.analyses}
                # A map of one group only, where there are two.
                wanted = {group} if group and {1, 2} <= groups else {1, 2}
                of_map = [
                    one
                    for one in studies.included
                    if any(a.group in wanted for a in one.analyses)
                ]
                return _Sample(tuple(map(_known_by, of_map)))
    if group or statmap.name is None:
        return None
    for stem in results.tables:
        table = parse_name(stem)
        of_run = table is not None and table.run == statmap.name.run
        if stem == _COMPOSE_TABLE or (of_run and table and table.get("diag")):
            with suppress(ResultsError, KeyError):
                rows = dict.fromkeys(map(str, results.tables[stem]["id"]))
                return _Sample(tuple(frozenset({row}) for row in rows))
    return None


def _known_by(study: Study) -> frozenset[str]:
    """Return what a study is the same by: DOI and PubMed id, else its name.

    Its id is no such thing, because files of studies number them from 1.
    """
    known = {study.link, f"pmid {study.pmid.strip()}" if study.pmid.strip() else ""}
    return frozenset(one.lower() for one in known - {""} or {study.name.strip()})
