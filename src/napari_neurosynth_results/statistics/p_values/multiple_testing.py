"""Many tests at once: false discovery rate, bounds on true discoveries.

Also which voxels count as tests, and what may not be corrected for their number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import BoolArray, Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.p_values.conversion import (
    P_TOLERANCE,
    convert_to_log_p,
)
from napari_neurosynth_results.statistics.p_values.directions import Sides
from napari_neurosynth_results.statistics.p_values.significance import PSource

#: BH holds for independent and positively dependent tests, BY for any.
FdrMethod = Literal["BH", "BY"]
FDR_METHODS: dict[FdrMethod, str] = {
    "BH": "Benjamini-Hochberg",
    "BY": "Benjamini-Yekutieli",
}
#: Of tests on each other: positive, which Simes' inequality and BH need, or any.
Dependence = Literal["positive", "any"]
_DEPENDENCES = get_args(Dependence)
#: A p may be a rounding error above alpha and still decide.
_SLACK = 1e-9
#: A map whose weakest voxel is stronger than this z was thresholded by somebody.
_THRESHOLDED_Z = 1.0


def adjusted_log_q(
    log_p: npt.ArrayLike, of: npt.ArrayLike, method: FdrMethod = "BH"
) -> Float64Array:
    """Return the FDR-adjusted p (q) of tests, in logarithms.

    Benjamini and Hochberg 1995 (J R Stat Soc B 57) or Benjamini and Yekutieli 2001
    (Ann Stat 29): the smallest q at which each test is kept.

    Parameters
    ----------
    log_p : array_like, any shape
        Natural logarithm of p, one a test; NaN is no test.
    of : array_like, any shape
        Log p of those among them whose q is wanted.
    method : {"BH", "BY"}
        Tests that are independent or depend positively, or any tests.

    Returns
    -------
    ndarray of float64
        Natural logarithm of q, in the shape of `of`, at most 0; NaN where there was no
        test.

    Raises
    ------
    ResultsError
        When the method is unknown.

    Examples
    --------
    >>> log_p = np.log([0.01, 0.02, 0.5])
    >>> np.exp(adjusted_log_q(log_p, log_p[:2])).round(3).tolist()
    [0.03, 0.03]
    """
    check_fdr_method(method)
    log_p = np.asarray(log_p, np.float64)
    ordered = np.sort(log_p[~np.isnan(log_p)])
    adjusted = _adjust(ordered, method)
    wanted = np.asarray(of, np.float64)
    log_q = np.full(wanted.shape, np.nan)
    tested = ~np.isnan(wanted)
    # Tests of the same p have the same q: the first of them stands for all.
    log_q[tested] = adjusted[ordered.searchsorted(wanted[tested])]
    return log_q


def critical_log_p(
    log_p: Float64Array, q: float, method: FdrMethod = "BH"
) -> float | None:
    """Return the largest log p whose adjusted p is at most q.

    Parameters
    ----------
    log_p : ndarray, shape (n,)
        Natural logarithm of p, one a test, without NaN.
    q : float
        Between 0 and 1; forgiven `P_TOLERANCE`, as float32 needs it.
    method : {"BH", "BY"}
        As for `adjusted_log_q`.

    Returns
    -------
    float or None
        None when no test is kept.
    """
    ordered = np.sort(log_p)
    kept = np.flatnonzero(_adjust(ordered, method) <= math.log(q) + P_TOLERANCE)
    return float(ordered[kept[-1]]) if kept.size else None


def check_fdr_method(method: str) -> None:
    """Refuse a method that is none.

    Raises
    ------
    ResultsError
        When it is not BH or BY.
    """
    if method not in FDR_METHODS:
        known = ", ".join(f"{short} ({long})" for short, long in FDR_METHODS.items())
        raise ResultsError(f"fdr must be one of {known}, not {method!r}.")


def check_confidence(alpha: float, dependence: str) -> None:
    """Refuse a confidence in true discoveries, or an assumption, that is none.

    Raises
    ------
    ResultsError
        When alpha does not lie between 0 and 1, or the dependence is unknown.
    """
    if not 0 < alpha < 1:
        raise ResultsError(
            f"The alpha of true discoveries must lie between 0 and 1, not at {alpha}."
        )
    if dependence not in _DEPENDENCES:
        known = " or ".join(_DEPENDENCES)
        raise ResultsError(f"The dependence must be {known}, not {dependence!r}.")


def _adjust(ordered: Float64Array, method: FdrMethod) -> Float64Array:
    """Adjust ascending log p: p n / rank, never more than that of a larger p."""
    n = ordered.size
    rank = np.arange(1, n + 1)
    log_n = math.log(n) if n else 0.0
    if method == "BY" and n:
        log_n += math.log((1 / rank).sum())
    raised = ordered + log_n - np.log(rank)
    falling: Float64Array = np.minimum.accumulate(raised[::-1])[::-1]
    return np.minimum(falling, 0)


@dataclass(frozen=True, eq=False)
class DiscoveryBounds:
    """How many of any tests of a family are true discoveries, at least.

    Closed testing by Simes' tests (Goeman and Solari 2011, Stat Sci 26): for all sets
    of tests at once. It takes Hommel's h and, of the stronger tests, one whole number
    each, the category (Goeman, Meijer, Krebs and Solari 2019, Biometrika 106). h comes
    from one sorted list (Meijer, Krebs and Goeman 2019, Biom J 61).

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

    def count(self, labels: npt.NDArray[np.integer[Any]], n: int) -> IndexArray:
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
        # Within a label categories stay in their order; small numbers are sorted fast.
        label = labels.take(self.where).astype(np.min_scalar_type(n), copy=False)
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
    with np.errstate(divide="ignore", over="ignore"):
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


def find_tested_voxels(
    source: PSource,
    name: str,
    *,
    mask: Mask | None,
    sides: Sides,
    tail: Tail,
) -> tuple[Mask, Float64Array]:
    """Find the tests behind a map and the natural logarithm of their p.

    Parameters
    ----------
    source, name, mask
        As for `find_tests`.
    sides : tuple of bool
        Sides that are looked at, which a lone map is tested on.
    tail : Tail
        How p counts.

    Returns
    -------
    inside : ndarray of bool, shape (i, j, k)
        The tests: voxels of the mask with a value, be it infinite.
    log_p : ndarray of float64, shape (n,)
        One a test. Where each direction has a p of its own, that of either: twice the
        stated one (`count_directions`). On one side alone it is 1 on the other.

    Raises
    ------
    ResultsError
        As `find_tests`.
    """
    inside = find_tests(source, name, mask)
    if source.is_lone:
        statmap = source.statmap
        strength = strength_on(sides, statmap.data[inside])
        return inside, convert_to_log_p(strength, statmap.kind, tail, source.dof)
    whole = source.log_p()
    assert whole is not None
    log_p = whole[inside]
    if count_directions(source, sides) > 1:
        return inside, np.minimum(log_p + math.log(2), 0)
    if has_p_of_each_direction(source):
        # Of a map with signs, looked at on one side: the p of the other one are no
        # evidence here.
        log_p[strength_on(sides, source.statmap.data[inside]) < 0] = 0
    return inside, log_p


def has_p_of_each_direction(source: PSource) -> bool:
    """Whether the p of a voxel is the smaller of two: each direction has its own."""
    results = source.statmap.results
    return source.tail is Tail.ONE and results.negatives_count(source.map)


def count_directions(source: PSource, sides: Sides) -> int:
    """Say in how many directions a voxel was tested by a p each, and is looked at.

    Where there are two, the smaller p is below alpha twice as often as alpha says.
    """
    if source.is_lone or not has_p_of_each_direction(source):
        return 1
    return 2 if all(sides) or not source.statmap.signed else 1


def find_tests(source: PSource, name: str, mask: Mask | None) -> Mask:
    """Find the voxels that were tested.

    Parameters
    ----------
    source : PSource
        What states the p of an uncorrected map.
    name : str
        Of what is counted on them, for what is refused.
    mask : ndarray of bool, shape (i, j, k), optional
        Count tests only here, within the analysis mask where that is known.

    Returns
    -------
    ndarray of bool, shape (i, j, k)
        The voxels of the mask with a value, be it infinite; a new array.

    Raises
    ------
    ResultsError
        When the map is corrected or thresholded already, has no p, or nobody knows how
        many tests there were.
    """
    statmap = source.statmap
    if statmap.correction:
        raise ResultsError(
            f"{statmap.title} is already corrected ({statmap.correction}): {name} on "
            "top of that would mean nothing. Use the uncorrected map, or ask for p."
        )
    if not source.has_p:
        or_dof = " or its degrees of freedom" if source.kind.row.p.n_dof else ""
        raise ResultsError(
            f"{statmap.title} holds {statmap.kind.meaning}. {name} needs its p or logp "
            f"map{or_dof}."
        )
    inside = _testing_mask(statmap, mask, name)
    if statmap.cut or _was_thresholded(source):
        raise ResultsError(
            f"{statmap.title} has already been thresholded: {name} needs every voxel."
        )
    # NaN was not tested; infinity was, and is the strongest.
    inside &= ~np.isnan(source.map.data)
    if not inside.any():
        raise ResultsError(f"{statmap.title} has no values inside the mask.")
    return inside


def strength_on(sides: Sides, values: Voxels) -> Voxels:
    """Return what p falls with, on the sides that are looked at."""
    return np.abs(values) if all(sides) else values if sides[0] else -values


def _testing_mask(statmap: StatMap, mask: Mask | None, name: str) -> Mask:
    """Return a new mask: the analysis mask and the one chosen, as far as known."""
    known = statmap.mask
    if mask is not None:
        return mask.copy(order="K") if known is None else mask & known
    if known is None:
        raise ResultsError(
            f"{statmap.title}: {name} counts the tests in the analysis mask, and no "
            "map beside this one shows where it ends. Give a mask (a file, or the "
            "brain of the template), or open the whole folder."
        )
    # In memory as the maps are, which makes all that follows several times as fast.
    return known.copy(order="K")


def _was_thresholded(source: PSource) -> bool:
    """Whether every voxel that is not empty is as strong as a z of 1 at least."""
    kind, data = source.kind, source.map.data
    if kind.row.small_is_strong:
        weakest = np.nanmax(data, initial=0)
        if weakest == 0:
            return False
    else:
        strength = np.abs(data) if kind.row.p.by_tail else data
        weakest = np.nanmin(strength, where=strength > 0, initial=np.inf)
        if not np.isfinite(weakest):
            return False
    # A t is weaker than the z of the same size, whatever its degrees of freedom.
    if kind.row.p.by_tail and not kind.row.p.states_p:
        kind = MapKind.Z
    weak = convert_to_log_p(weakest, kind, source.tail, source.dof)
    return bool(weak < convert_to_log_p(_THRESHOLDED_Z, MapKind.Z, source.tail))
