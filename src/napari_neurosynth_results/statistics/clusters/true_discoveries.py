"""True discoveries: how many voxels of a place are active, at least.

A significant cluster says that there is something in it, and not how much. Closed
testing with Simes' tests says of every set of voxels at once how many of them are true
discoveries at least, with one confidence for all sets together (Goeman and Solari 2011,
Stat Sci 26; *all-resolutions inference*, Rosenblatt et al. 2018, NeuroImage 181):
thresholds may be moved and places chosen after looking.

All that takes of a map is found once: `DiscoveryBounds` of the p of its voxels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import BoolArray, Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.statmap import Mask
from napari_neurosynth_results.statistics.clusters.labelling import ClusterArrays
from napari_neurosynth_results.statistics.p_values.conversion import (
    P_TOLERANCE,
    convert_to_log_p,
    height_at_log_p,
    short_p,
)
from napari_neurosynth_results.statistics.p_values.directions import (
    Direction,
    Sides,
    choose_sides,
    choose_tail,
)
from napari_neurosynth_results.statistics.p_values.monte_carlo import (
    SharedSmallestP,
    find_shared_smallest_p,
)
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    Dependence,
    DiscoveryBounds,
    check_confidence,
    find_tests,
    has_p_of_each_direction,
    strength_on,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.thresholds.masks import Masking

Labels = npt.NDArray[np.integer[Any]] | npt.NDArray[np.bool_]

_CALLED = "The true discovery proportion"
#: So much less than a whole percent is a rounding error.
_ROUNDING = 1e-9
_LOG_2 = math.log(2)
_LEAST_PERCENT = 0.1


@dataclass(frozen=True, eq=False)
class ClosedTesting:
    """How many voxels of any place of a map are active, at least.

    Attributes
    ----------
    bounds : DiscoveryBounds
        Positions are those in the flat volume, in memory order (Fortran's).
    inside : ndarray of bool, shape (i, j, k)
        The voxels that were tested; no other counts, in no place.
    by : str
        The map whose p they are, in words.
    shared : SharedSmallestP or None
        That many voxels share the smallest p which permutations can give.
    """

    bounds: DiscoveryBounds = field(repr=False)
    inside: Mask = field(repr=False)
    by: str
    shared: SharedSmallestP | None = None

    def in_clusters(self, found: ClusterArrays) -> IndexArray:
        """Count the true discoveries of clusters, at least, shape (n,)."""
        return self.bounds.count(found.flat_labels, found.size.size)

    def in_places(self, labels: Labels) -> tuple[IndexArray, IndexArray, IndexArray]:
        """Count the true discoveries of labeled places, at least.

        Parameters
        ----------
        labels : ndarray of int or bool, shape (i, j, k)
            0 or less is no place; on the grid of the map.

        Returns
        -------
        label, n_voxels, counts : ndarray of int, shape (n,)
            The labels that hold any voxel that was tested, ascending; how many; and how
            many of these are true discoveries at least.
        """
        flat = np.asarray(labels).reshape(-1, order="F")
        where = self.inside.reshape(-1, order="F").nonzero()[0]
        # 0 comes first, whether it is there or not.
        there = np.append(0, np.maximum(flat.take(where), 0))
        label, place = np.unique(there, return_inverse=True)
        place = place.reshape(-1)[1:]
        n_voxels = np.bincount(place, minlength=label.size)[1:]
        everywhere = np.zeros(flat.size, np.intp)
        everywhere[where] = place
        return label[1:], n_voxels, self.bounds.count(everywhere, label.size - 1)

    def is_open(self, n_voxels: IndexArray) -> BoolArray:
        """Say of places, by their size, where nothing could have been proven.

        Where permutations are too few, none of their p is small enough: a bound of 0
        says nothing of such a place.
        """
        if self.shared is None:
            return np.zeros(np.shape(n_voxels), bool)
        return np.asarray(n_voxels < self.bounds.needed)

    def tell(self, n_voxels: int, count: int) -> str:
        """Say in words how many voxels of a place are active.

        Parameters
        ----------
        n_voxels : int
            The voxels of the place that were tested.
        count : int
            The true discoveries among them, at least.
        """
        if count:
            return (
                f"At least {count:,} of {n_voxels:,} voxels are active "
                f"({write_percent(100 * count / n_voxels)}), with {self.confidence}."
            )
        if self.is_open(np.array(n_voxels)):
            return f"{self.caution}."
        return (
            f"Of none of the {n_voxels:,} voxels it is proven that it is active, at "
            f"{self.confidence}; that does not mean that none is."
        )

    @property
    def confidence(self) -> str:
        """As in ``95 % confidence``."""
        return f"{100 * (1 - self.bounds.alpha):.4g} % confidence"

    @property
    def assumption(self) -> str:
        """What has to hold of the voxels, in words."""
        if self.bounds.dependence == "any":
            return "however voxels depend on each other (Hommel's robust variant)"
        return (
            "where voxels depend on each other positively, as smooth maps do (Simes' "
            "inequality)"
        )

    def __str__(self) -> str:
        """Say what is bounded, how surely and by what."""
        return (
            "TDP (true discovery proportion): at least this share of the voxels is "
            f"active, {self.how}"
        )

    @property
    def how(self) -> str:
        """How surely, under which assumption, and by what."""
        return (
            f"with {self.confidence} for all clusters and thresholds together, "
            f"{self.assumption}; closed testing of the uncorrected p of "
            f"{self.bounds.n_tests:,} voxels ({self.by}; Rosenblatt et al. 2018)"
        )

    @property
    def caution(self) -> str:
        """Why there may be nothing to say; empty where there is."""
        if self.shared is None or self.bounds.needed <= 1:
            return ""
        return (
            f"Too few permutations for the TDP: {self.shared.permutations:,} give no p "
            f"below {short_p(self.bounds.smallest_p)}, and of such voxels a cluster "
            f"needs {self.bounds.needed:,} before one of them is proven"
        )


@dataclass(frozen=True, eq=False)
class ProvenVoxels:
    """How much of each of some clusters is active at least, or why nobody knows.

    Attributes
    ----------
    testing : ClosedTesting or None
        What bounds it.
    clusters : ClusterArrays
        The clusters.
    missing : str
        Why there is no `testing`, without a full stop.
    """

    testing: ClosedTesting | None
    clusters: ClusterArrays = field(repr=False)
    missing: str = ""

    @cached_property
    def counts(self) -> IndexArray:
        """True discoveries of each cluster, at least, int (n,).

        Raises
        ------
        ResultsError
            When nobody knows.
        """
        if self.testing is None:
            raise ResultsError(f"{self.missing}.")
        return self.testing.in_clusters(self.clusters)

    @property
    def columns(self) -> dict[str, Float64Array]:
        """``tdp`` and ``tdp_percent`` of each cluster; NaN where nobody knows any."""
        size, share = self.clusters.size, np.full(self.clusters.size.size, np.nan)
        if self.testing is not None:
            is_open = self.testing.is_open(size)
            share = np.where(is_open, np.nan, self.counts / size)
        return {"tdp": share, "tdp_percent": 100 * share}

    def __str__(self) -> str:
        """Say what proportions mean, or why there are none."""
        if self.testing is None:
            return f"No true discovery proportion: {self.missing}"
        caution = self.testing.caution
        return f"{self.testing}. {caution}" if caution else str(self.testing)

    def tell(self, label: int) -> str:
        """Say in words how much of a cluster is active."""
        if self.testing is None:
            return f"{self}."
        size, count = self.clusters.size[label - 1], self.counts[label - 1]
        return self.testing.tell(int(size), int(count))


def find_closed_testing(
    source: PSource,
    *,
    alpha: float = 0.05,
    dependence: Dependence = "positive",
    tail: Direction = "auto",
    masking: Masking | None = None,
) -> ClosedTesting:
    """Bound the true discoveries of all places of a map.

    Of a two-tailed test: voxels with any effect, whatever its sign. Where each
    direction has a one-tailed p of its own, these are doubled.

    Parameters
    ----------
    source : PSource
        What states the p of an uncorrected map.
    alpha, dependence
        As for `DiscoveryBounds.of_p`.
    tail : {"positive", "negative", "both", "auto"}
        The directions of a lone map, of which nobody knows how it was tested.
    masking : Masking, optional
        The voxels that were tested, where no map shows them; it has to be chosen
        without the map.

    Returns
    -------
    ClosedTesting
        Found once for a map.

    Raises
    ------
    ResultsError
        When the map is corrected or thresholded, has no p, or nobody knows which voxels
        were tested; the text says what to do.
    """
    check_confidence(alpha, dependence)
    statmap, evidence = source.statmap, source.evidence
    sides = choose_sides(statmap, tail) if source.is_lone else (True, True)
    place = masking if statmap.mask is None else None

    def find() -> tuple[Masking | None, ClosedTesting | str]:
        try:
            found = find_anew(source, alpha, dependence, sides, place)
        except ResultsError as error:
            return place, str(error)
        # With the mask, whose identity is part of the key.
        return place, found

    if evidence.siblings is not None:
        answer = find()[1]
    else:
        key = (statmap.key, "closed testing", alpha, dependence, sides)
        answer = statmap.results.remember((*key, evidence.dof, id(place)), find)[1]
    if isinstance(answer, str):
        raise ResultsError(answer)
    return answer


def find_anew(
    source: PSource,
    alpha: float = 0.05,
    dependence: Dependence = "positive",
    sides: Sides = (True, True),
    masking: Masking | None = None,
) -> ClosedTesting:
    """Do what `find_closed_testing` does once for a map."""
    statmap = source.statmap
    source.check_values()
    if masking is not None and (why := masking.why_circular(statmap)):
        raise ResultsError(f"{why} {_CALLED} needs all voxels that were tested.")
    mask = None if masking is None else masking.mask
    inside = find_tests(source, _CALLED, mask)
    flat, log_p = _strong_voxels(source, inside, alpha, sides)
    bounds = DiscoveryBounds.of_strong(
        np.exp(log_p), int(np.count_nonzero(inside)), alpha, dependence
    )
    return ClosedTesting(
        replace(bounds, where=flat.take(bounds.where)),
        inside,
        source.map.title,
        find_shared_smallest_p(statmap),
    )


def _strong_voxels(
    source: PSource, inside: Mask, alpha: float, sides: Sides
) -> tuple[IndexArray, Float64Array]:
    """Find the voxels with p of at most alpha: position, and natural logarithm of p."""
    statmap, log_alpha = source.statmap, math.log(alpha)

    def places_of(strong: Mask) -> tuple[IndexArray, tuple[IndexArray, ...]]:
        """Return positions in the flat volume, which are found fast, and indices."""
        flat = strong.reshape(-1, order="F").nonzero()[0]
        return flat, np.unravel_index(flat, inside.shape, order="F")

    if source.is_lone:
        tail = choose_tail(source, sides)
        strength = strength_on(sides, statmap.data)
        height = height_at_log_p(log_alpha, statmap.kind, tail, source.dof)
        flat, at = places_of(inside & (strength >= height * (1 - P_TOLERANCE)))
        return flat, convert_to_log_p(strength[at], statmap.kind, tail, source.dof)
    survivors = source.survivors(alpha)
    assert survivors is not None
    flat, at = places_of(survivors & inside)
    return flat, source.log_p_at(at) + _LOG_2 * has_p_of_each_direction(source)


def write_percent(percent: float) -> str:
    """Write a share that is one at least: never rounded up; empty for NaN.

    >>> write_percent(32.99), write_percent(9.39), write_percent(0.02), write_percent(0)
    ('≥ 32 %', '≥ 9.3 %', '> 0 %', '≥ 0 %')
    """
    if math.isnan(percent):
        return ""
    if 0 < percent < _LEAST_PERCENT:
        return "> 0 %"
    step = 1 if percent >= 10 or not percent else 10
    return f"≥ {math.floor(percent * step + _ROUNDING) / step:g} %"
