"""True discoveries: how many voxels of a place are active, at least.

A significant cluster says that there is something in it, and not how much. Closed
testing with Simes' tests says of every set of voxels at once how many of them are true
discoveries at least, with one confidence for all sets together (Goeman and Solari 2011,
Stat Sci 26; *all-resolutions inference*, Rosenblatt et al. 2018, NeuroImage 181):
thresholds may be moved and places chosen after looking.

All that takes of a map is Hommel's h and, of its stronger voxels, one whole number
each, the category (Goeman, Meijer, Krebs and Solari 2019, Biometrika 106); both are
found once. h comes from one sorted list (Meijer, Krebs and Goeman 2019, Biom J 61).
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
from napari_neurosynth_results.maps.kinds import Tail
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
    check_confidence,
    find_tests,
    strength_on,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.thresholds.masks import Masking

Labels = npt.NDArray[np.integer[Any]] | npt.NDArray[np.bool_]

_CALLED = "The true discovery proportion"
#: A p may be a rounding error above alpha and still decide.
_SLACK = 1e-9
_LOG_2 = math.log(2)
_LEAST_PERCENT = 0.1


@dataclass(frozen=True, eq=False)
class DiscoveryBounds:
    """How many of any tests of a family are true discoveries, at least.

    Attributes
    ----------
    n_tests : int
        The size of the family: m.
    hommel : int
        Hommel's h: with this confidence no more of them are false discoveries.
    alpha : float
        1 - confidence, for all sets of tests together.
    dependence : {"positive", "any"}
        What is assumed of the tests.
    where : ndarray of int, shape (z,)
        Positions of the tests that can raise a bound, by ascending category.
    category : ndarray of int, shape (z,)
        The smallest whole number u, from 1, with h p <= u alpha.
    smallest_p : float
        Of the family.

    Examples
    --------
    >>> bounds = DiscoveryBounds.of_p(np.array([0.001, 0.01, 0.02, 0.03, 0.5]))
    >>> bounds.hommel, bounds.total
    (2, 3)
    >>> bounds.count(np.array([1, 1, 2, 2, 2]), 2).tolist()
    [2, 1]
    """

    n_tests: int
    hommel: int
    alpha: float
    dependence: Dependence
    where: IndexArray = field(repr=False)
    category: IndexArray = field(repr=False)
    smallest_p: float

    @classmethod
    def of_p(
        cls,
        p: Float64Array,
        alpha: float = 0.05,
        dependence: Dependence = "positive",
    ) -> DiscoveryBounds:
        """Bound the true discoveries of a family of tests.

        Parameters
        ----------
        p : ndarray of float64, shape (m,)
            One a test; 0 is smaller than all others.
        alpha : float
            1 - confidence.
        dependence : {"positive", "any"}
            For any, h and the categories grow by the factor 1 + 1/2 + ... + 1/h
            (Meijer, Krebs and Goeman 2019).

        Returns
        -------
        DiscoveryBounds
            For any set of the tests.

        Raises
        ------
        ResultsError
            When alpha or dependence means nothing.
        """
        check_confidence(alpha, dependence)
        # What is weaker raises no bound, and each would be one more to sort.
        strong = (p <= alpha * (1 + _SLACK)).nonzero()[0]
        found = cls.of_strong(p.take(strong), p.size, alpha, dependence)
        smallest = float(p.min(initial=1))
        return replace(found, where=strong.take(found.where), smallest_p=smallest)

    @classmethod
    def of_strong(
        cls, p: Float64Array, n_tests: int, alpha: float, dependence: Dependence
    ) -> DiscoveryBounds:
        """Bound the true discoveries of a family by its strong tests.

        Parameters
        ----------
        p : ndarray of float64
            All p of at most alpha; more of them do no harm.
        n_tests : int
            The size of the family.
        alpha, dependence
            As for `of_p`.

        Returns
        -------
        DiscoveryBounds
            Positions are those in `p`.
        """
        ranked = np.sort(p[p <= alpha * (1 + _SLACK)])
        h = find_hommel(ranked, n_tests, alpha, dependence)
        kept, category = _concentrate(p, ranked, n_tests, h, alpha, dependence)
        smallest = float(ranked[0]) if ranked.size else 1.0
        return cls(n_tests, h, alpha, dependence, kept, category, smallest)

    @property
    def total(self) -> int:
        """How many of all tests are true discoveries, at least: m - h."""
        return self.n_tests - self.hommel

    @property
    def needed(self) -> int:
        """So many tests at the smallest p have to be in a set before one counts."""
        scale = _scale(self.hommel, self.dependence)
        return int(_categories(np.array([self.smallest_p]), scale, self.alpha)[0])

    def count(self, labels: Labels, n: int) -> IndexArray:
        """Count the true discoveries of many sets at once, at least.

        Parameters
        ----------
        labels : ndarray of int
            The set of each test, 1..n, 0 for none; flat, as the positions are.
        n : int
            The number of sets.

        Returns
        -------
        ndarray of int, shape (n,)
            Of each set the largest of 1 - u + (its tests of category u or less) over
            all u, 0 where that is negative.
        """
        counts = np.zeros(n, np.intp)
        label = labels.take(self.where)
        # Within a label categories stay in their order.
        order = np.argsort(label, kind="stable")
        label = label.take(order)
        first = np.searchsorted(label, np.arange(1, n + 2))
        start, stop = first[:-1], first[1:]
        there = (stop > start).nonzero()[0]
        if not there.size:
            return counts
        begin, end = int(first[0]), int(first[-1])
        # Of equal categories the last has the right count, and the largest.
        rank = np.arange(begin, end) - np.repeat(start, stop - start)
        surplus = rank + 2 - self.category.take(order[begin:end])
        most = np.maximum.reduceat(surplus, start[there] - begin)
        counts[there] = np.maximum(most, 0)
        return counts


def find_hommel(
    ranked: Float64Array, n_tests: int, alpha: float, dependence: Dependence
) -> int:
    """Find Hommel's h: the largest i whose i largest p are not rejected.

    Parameters
    ----------
    ranked : ndarray of float64
        The p of at most alpha, ascending; the others do not matter.
    n_tests : int
        How many there are with the others.
    alpha : float
        Of each local test: i p_(m-i+j) <= j alpha for any j rejects.
    dependence : {"positive", "any"}
        For any, i (1 + 1/2 + ... + 1/i) is in the place of i.

    Returns
    -------
    int
        0 where all are rejected, `n_tests` where nothing is.
    """
    m, rank = n_tests, np.arange(1, ranked.size + 1)
    if dependence == "any":
        return _find_hommel_of_any(ranked, m, alpha)
    if ranked.size == m and ranked[-1:].max(initial=0) <= alpha:
        return 0
    below = ranked < alpha
    demands = alpha * (m - rank[below]) / (alpha - ranked[below])
    h: int = min(m, math.floor(float(demands.min(initial=m))))

    def is_rejected(i: int) -> bool:
        """Ask the definition, as floats hold it: ties on the line are rejected."""
        ahead = slice(max(m - i, 0), None)
        return bool((i * ranked[ahead] <= (rank[ahead] - (m - i)) * alpha).any())

    while h < m and not is_rejected(h + 1):
        h += 1
    while h > 0 and is_rejected(h):
        h -= 1
    return h


def _find_hommel_of_any(ranked: Float64Array, m: int, alpha: float) -> int:
    """Find h where local tests need not reject more with fewer tests.

    With s_i = i (1 + ... + 1/i) the p of rank k rejects the i largest where f(i) = s_i
    p_k - (i - m + k) alpha <= 0. f is convex: these i are one interval for each k.
    """
    rank = np.arange(1, ranked.size + 1)
    sizes = np.arange(m + 1)
    harmonic = np.append(0, np.cumsum(1 / sizes[1:]))
    scale = sizes * harmonic

    def rejects(i: IndexArray) -> BoolArray:
        found: BoolArray = scale[i] * ranked <= (i - m + rank) * alpha
        return found

    low, high = m - rank + 1, np.full(ranked.size, m)
    with np.errstate(divide="ignore"):
        # f falls as long as s_(i+1) - s_i = 1 + ... + 1/i + 1 is below alpha / p.
        turn = np.searchsorted(harmonic, alpha / ranked - 1)
    deepest = np.clip(turn, low, high)
    some = rejects(deepest)
    first = _bisect(rejects, deepest, low)
    last = _bisect(rejects, deepest, high)
    covered = np.zeros(m + 2, np.intp)
    np.add.at(covered, first[some], 1)
    np.add.at(covered, last[some] + 1, -1)
    free = (np.cumsum(covered)[: m + 1] == 0).nonzero()[0]
    return int(free[-1])


def _bisect(holds: Any, inside: IndexArray, end: IndexArray) -> IndexArray:
    """Find how far from a place where something holds it does, towards an end."""
    near, far = inside.copy(), end.copy()
    at_end = holds(far)
    near[at_end] = far[at_end]
    while (np.abs(far - near) > 1).any():
        middle = (near + far) // 2
        there = holds(middle)
        near, far = np.where(there, middle, near), np.where(there, far, middle)
    return near


def _scale(h: int, dependence: Dependence) -> float:
    """Return what multiplies p: h, or h (1 + 1/2 + ... + 1/h)."""
    if dependence == "positive":
        return float(h)
    return float(h * (1 / np.arange(1, h + 1)).sum())


def _categories(p: Float64Array, scale: float, alpha: float) -> IndexArray:
    """Return the smallest u, from 1, with scale p <= u alpha, as floats hold that."""
    u = np.maximum(np.ceil(scale * p / alpha), 1)
    u += scale * p > u * alpha
    u -= (u > 1) & (scale * p <= (u - 1) * alpha)
    return u.astype(np.intp)


def _concentrate(
    p: Float64Array,
    ranked: Float64Array,
    n_tests: int,
    h: int,
    alpha: float,
    dependence: Dependence,
) -> tuple[IndexArray, IndexArray]:
    """Find the tests that can raise a bound, and their categories; both ascending.

    They are the z smallest p, with the first z >= m - h for which h p_(z) <= (z - m + h
    + 1) alpha: no test beyond them raises any bound (Goeman et al. 2019).
    """
    first = n_tests - h
    if not first:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    scale = _scale(h, dependence)
    u = np.arange(1, ranked.size - first + 2)
    enough = (scale * ranked[first - 1 :] <= u * alpha).nonzero()[0]
    last = int(enough[0]) if enough.size else u.size - 1
    kept = (p <= ranked[first - 1 + last]).nonzero()[0]
    category = _categories(p.take(kept), scale, alpha)
    order = np.argsort(category, kind="stable")
    return kept.take(order), category.take(order)


# --- of a map -------------------------------------------------------------------------


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
        labels = found.volume(found.label.dtype)
        return self.bounds.count(labels.reshape(-1, order="F"), found.size.size)

    def in_places(self, labels: Labels) -> tuple[IndexArray, IndexArray, IndexArray]:
        """Count the true discoveries of labelled places, at least.

        Parameters
        ----------
        labels : ndarray of int or bool, shape (i, j, k)
            0 is no place; on the grid of the map.

        Returns
        -------
        label, n_voxels, counts : ndarray of int, shape (n,)
            The labels that hold any voxel that was tested, ascending; how many; and how
            many of these are true discoveries at least.
        """
        flat = np.where(self.inside, labels, 0).reshape(-1, order="F")
        label, place = np.unique(flat, return_inverse=True)
        if not label.size or label[0] != 0:
            place = place + 1
            label = np.append(0, label)
        place = place.reshape(-1)
        n_voxels = np.bincount(place, minlength=label.size)[1:]
        return label[1:], n_voxels, self.bounds.count(place, label.size - 1)

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
            f"active, with {self.confidence} for all clusters and thresholds together, "
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
            found = _find_anew(source, alpha, dependence, sides, place)
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


def _find_anew(
    source: PSource,
    alpha: float,
    dependence: Dependence,
    sides: Sides,
    masking: Masking | None,
) -> ClosedTesting:
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
        strong = inside
        if not isinstance(source.dof, np.ndarray):
            height = height_at_log_p(log_alpha, statmap.kind, tail, source.dof)
            strong = inside & (strength >= height * (1 - P_TOLERANCE))
        flat, at = places_of(strong)
        return flat, convert_to_log_p(strength[at], statmap.kind, tail, source.dof)
    survivors = source.survivors(alpha)
    assert survivors is not None
    flat, at = places_of(survivors & inside)
    each = source.tail is Tail.ONE and statmap.results.negatives_count(statmap)
    return flat, source.log_p_at(at) + _LOG_2 * each


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
    return f"≥ {math.floor(percent * step + _SLACK) / step:g} %"
