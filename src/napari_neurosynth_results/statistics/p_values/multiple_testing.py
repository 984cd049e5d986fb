"""False discovery rate: p adjusted for the number of tests, as logarithms.

Also which voxels count as tests, and what may not be corrected for their number.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array
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
#: A map whose weakest voxel is stronger than this z was thresholded by somebody.
_THRESHOLDED_Z = 1.0


def adjusted_log_q(log_p: npt.ArrayLike, method: FdrMethod = "BH") -> Float64Array:
    """Return the FDR-adjusted p (q) of tests, in logarithms.

    Benjamini and Hochberg 1995 (J R Stat Soc B 57) or Benjamini and Yekutieli 2001
    (Ann Stat 29): the smallest q at which each test is kept.

    Parameters
    ----------
    log_p : array_like, any shape
        Natural logarithm of p, one a test; NaN is no test.
    method : {"BH", "BY"}
        Tests that are independent or depend positively, or any tests.

    Returns
    -------
    ndarray of float64
        Natural logarithm of q, same shape, at most 0; NaN where there was no test.

    Raises
    ------
    ResultsError
        When the method is unknown.

    Examples
    --------
    >>> np.exp(adjusted_log_q(np.log([0.01, 0.02, 0.5]))).round(3).tolist()
    [0.03, 0.03, 0.5]
    """
    check_fdr_method(method)
    log_p = np.asarray(log_p, np.float64)
    log_q = np.full(log_p.shape, np.nan)
    tested = ~np.isnan(log_p)
    tests = log_p[tested]
    order = np.argsort(tests)
    adjusted = np.empty(tests.size)
    adjusted[order] = _adjust(tests[order], method)
    log_q[tested] = adjusted
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
    if dependence not in get_args(Dependence):
        known = " or ".join(get_args(Dependence))
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
        One a test.

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
    log_p = source.log_p()
    assert log_p is not None
    return inside, log_p[inside]


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
