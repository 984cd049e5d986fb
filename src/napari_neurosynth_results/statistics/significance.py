"""What a value is worth as p, and the value that a p asks for.

Everything goes through the natural logarithm of p, because p itself underflows float64
beyond z = 38 while its logarithm never does.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.statmap import Mask, StatMap, Voxels

#: NiMARE writes float32, where .05 is a little more than .05: p <= alpha has to forgive
#: this much, relative to alpha.
P_TOLERANCE = 1e-6

_LAST_BIT = float(np.finfo(np.float32).eps)

#: How far float32 may carry p times iterations from a whole number.
_GRAIN = 0.02
_FEWEST_ITERATIONS = 10

_NEEDS_SIBLING = (
    "{title} holds {meaning}. Threshold it by value, or use the p or logp map of the "
    "same test."
)


def height_at(p: float, kind: MapKind, tail: Tail, dof: float | None = None) -> float:
    """Return the value at which a map of a kind reaches p.

    Parameters
    ----------
    p : float
        Between 0 and 1.
    kind : MapKind
        z, t, p, logp or 1 - p.
    tail : Tail
        Whether p counts both directions; only z and t ask.
    dof : float, optional
        Degrees of freedom, for t.

    Returns
    -------
    float
        The height; values at least as strong are as significant.

    Raises
    ------
    ResultsError
        When values of this kind have no p, or t comes without degrees of freedom.
    ValueError
        When p is not between 0 and 1.

    Examples
    --------
    >>> round(height_at(0.05, MapKind.Z, Tail.ONE), 3)
    1.645
    >>> round(height_at(0.05, MapKind.Z, Tail.TWO), 3)
    1.96
    """
    from scipy.special import ndtri, stdtrit

    if not 0 < p < 1:
        raise ValueError(f"p has to lie between 0 and 1, not {p}")
    if kind is MapKind.P:
        return p
    if kind is MapKind.LOGP:
        return -math.log10(p)
    if kind is MapKind.ONE_MINUS_P:
        return 1 - p
    upper = p / 2 if tail is Tail.TWO else p
    if kind is MapKind.Z:
        return float(-ndtri(upper))
    if kind is MapKind.T and dof is not None:
        return float(-stdtrit(dof, upper))
    raise ResultsError(
        _NEEDS_SIBLING.format(title=f"A {kind} map", meaning=kind.meaning)
    )


def log_p_of(
    values: npt.ArrayLike, kind: MapKind, tail: Tail, dof: float | Voxels | None = None
) -> npt.NDArray[np.float64]:
    """Return the natural logarithm of p for values of a kind.

    Parameters
    ----------
    values : array_like
        Any shape.
    kind : MapKind
        z, t, p, logp or 1 - p.
    tail : Tail
        One-tailed z and t count the positive direction only.
    dof : float or ndarray, optional
        Degrees of freedom for t: one, or one a value.

    Returns
    -------
    ndarray of float64
        Same shape; 0 is p = 1.

    Raises
    ------
    ResultsError
        When values of this kind have no p, or t comes without degrees of freedom.

    Examples
    --------
    >>> round(float(log_p_of(40.0, MapKind.Z, Tail.ONE)), 3)
    -804.608
    """
    from scipy.special import log_ndtr

    x = np.asarray(values, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind is MapKind.P:
            return np.asarray(np.log(x))
        if kind is MapKind.LOGP:
            return -x * math.log(10)
        if kind is MapKind.ONE_MINUS_P:
            return np.asarray(np.log1p(-x))
        strength = np.abs(x) if tail is Tail.TWO else x
        both = math.log(2) if tail is Tail.TWO else 0.0
        if kind is MapKind.Z:
            return np.asarray(np.minimum(log_ndtr(-strength) + both, 0))
        if kind is MapKind.T and dof is not None:
            return np.minimum(_log_sf_of_t(strength, np.asarray(dof)) + both, 0)
    raise ResultsError(
        _NEEDS_SIBLING.format(title=f"A {kind} map", meaning=kind.meaning)
    )


def _log_sf_of_t(
    t: npt.NDArray[np.float64], dof: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Return the logarithm of the upper tail of Student's t, also where it underflows.

    There through the incomplete beta function's hypergeometric series (Abramowitz and
    Stegun 1964, 26.5.2 and 26.7.1).
    """
    from scipy.special import betaln, hyp2f1, stdtr

    t, dof = np.broadcast_arrays(t, np.asarray(dof, np.float64))
    log_sf = np.array(np.log(stdtr(dof, -t)))
    gone = np.isneginf(log_sf) & np.isfinite(t)
    half, size = dof[gone] / 2, t[gone] ** 2
    x = dof[gone] / (dof[gone] + size)
    log_sf[gone] = (
        half * np.log(x)
        + 0.5 * np.log1p(-x)
        + np.log(hyp2f1(half + 0.5, 1, half + 1, x))
        - np.log(2 * half)
        - betaln(half, 0.5)
    )
    return log_sf


def p_map_of(statmap: StatMap) -> StatMap | None:
    """Find the map that states the p of a map's own test: itself, its logp or its p.

    logp comes first: p may have underflowed where the effect is strongest.
    """
    if statmap.kind in {MapKind.LOGP, MapKind.P, MapKind.ONE_MINUS_P}:
        return statmap
    results = statmap.results
    key = results.remember((statmap.key, "p map"), lambda: _p_key_of(statmap))
    return results[key] if key is not None else None


def _p_key_of(statmap: StatMap) -> str | None:
    """Find the key of that map among the siblings: a map itself is not remembered."""
    siblings = statmap.results.siblings(statmap)
    partner = siblings.get("logp") or siblings.get("p")
    if partner is not None and partner.grid.same_as(statmap.grid):
        return partner.key
    return None


def log_p_map(statmap: StatMap) -> npt.NDArray[np.float64] | None:
    """Return the natural logarithm of p in every voxel, 0 (p = 1) outside the mask.

    Parameters
    ----------
    statmap : StatMap
        Any map; its p or logp sibling is used where there is one, else its own z or t
        by its tail.

    Returns
    -------
    ndarray of float64, shape (i, j, k), or None
        None when the map has no p: no sibling states it and its kind does not tell.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    source = p_map_of(statmap) or statmap
    dof = _dof_of(source)
    if source.kind is MapKind.T and dof is None:
        return None
    if not source.kind.has_tail:
        return None
    log_p = log_p_of(_strength(source), source.kind, source.tail, dof)
    outside = np.isnan(log_p)
    if source.kind is MapKind.P:
        outside |= source.data == 0
        if source.mask is not None:
            # A true p of 0 inside the mask underflowed: as small as float32 can say.
            floored = outside & source.mask & (source.data == 0)
            log_p[floored] = math.log(np.finfo(np.float32).tiny)
            outside &= ~floored
    log_p[outside] = 0
    return log_p


def log_p_at(
    statmap: StatMap, at: tuple[npt.NDArray[np.intp], ...]
) -> npt.NDArray[np.float64]:
    """Return the natural logarithm of p at some voxels.

    Of those alone where the map that states p allows it: a whole volume of logarithms
    costs more than all the rest of a cluster table.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    at : tuple of ndarray
        Indices i, j, k.

    Returns
    -------
    ndarray of float64
        NaN where the map has no p.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    source = p_map_of(statmap) or statmap
    x = source.data[at]
    plain = source.kind in {MapKind.Z, MapKind.LOGP, MapKind.ONE_MINUS_P}
    if plain or (source.kind is MapKind.P and (x > 0).all()):
        strength = np.abs(x) if _both_count(source) else x
        return log_p_of(strength, source.kind, source.tail)
    log_p = log_p_map(statmap)
    return log_p[at] if log_p is not None else np.full(x.size, np.nan)


def survivors_at(statmap: StatMap, alpha: float) -> Mask | None:
    """Mark the voxels with p <= alpha, by the map that states p.

    Compared in the unit of that map, so that no volume of logarithms is made; alpha
    is forgiven `P_TOLERANCE`, because float32 holds .05 as a little more than .05.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    alpha : float
        Between 0 and 1.

    Returns
    -------
    ndarray of bool, shape (i, j, k), or None
        None when the map has no p.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    source = p_map_of(statmap) or statmap
    alpha *= 1 + P_TOLERANCE
    data = source.data
    if source.kind is MapKind.P:
        small = data <= alpha
        inside = source.mask if source.mask is not None else data > 0
        return np.asarray(small & inside)
    if source.kind in {MapKind.Z, MapKind.LOGP, MapKind.ONE_MINUS_P}:
        strength = _strength(source)
        # A difference in the last bit of float32 is no difference.
        height = height_at(alpha, source.kind, source.tail)
        return np.asarray(strength >= np.float32(height * (1 - _LAST_BIT)))
    log_p = log_p_map(source)
    return None if log_p is None else np.asarray(log_p <= math.log(alpha))


def _strength(source: StatMap) -> Voxels:
    """Return what p falls with: the value, or its size where both directions count."""
    return np.abs(source.data) if _both_count(source) else source.data


def _both_count(source: StatMap) -> bool:
    """Whether p falls in both directions.

    In a one-tailed map as well, if each direction has a p of its own.
    """
    return source.kind in {MapKind.Z, MapKind.T} and (
        source.tail is Tail.TWO or source.signed
    )


def smallest_p(statmap: StatMap) -> float:
    """Return the smallest p of a map that has p values, 1 for an empty one.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    source = p_map_of(statmap) or statmap
    data = source.data
    if source.kind is MapKind.T:
        log_p = log_p_map(source)
        return 1.0 if log_p is None else math.exp(log_p.min())
    if source.kind is MapKind.P:
        return float(np.nanmin(data, where=data > 0, initial=1))
    strongest = np.nanmax(_strength(source), initial=0)
    return math.exp(float(log_p_of(strongest, source.kind, source.tail)))


def _dof_of(statmap: StatMap) -> float | Voxels | None:
    """Find the degrees of freedom of a t map: its header's, or a map of them."""
    if statmap.kind is not MapKind.T:
        return None
    if statmap.file.dof is not None:
        return statmap.file.dof
    test = statmap.results.uncorrected(statmap) or statmap
    dof = statmap.results.siblings(test).get("dof")
    if dof is None or not dof.grid.same_as(statmap.grid):
        return None
    data: Any = dof.data
    return np.where(data > 0, data, np.nan)


def iterations_of(statmap: StatMap) -> int | None:
    """Return how many Monte Carlo iterations lie behind a corrected map.

    Read off the methods text, else off the floor: NiMARE gives voxels that beat no null
    maximum p = 1 - 1 / n_iters (NiMARE 0.22.1, `nimare.correct`).
    """
    if statmap.name is None or statmap.name.method != "montecarlo":
        return None
    if (stated := statmap.results.iterations) is not None:
        return stated
    source = p_map_of(statmap)
    if source is None:
        return None
    log_p = log_p_of(source.data, source.kind, source.tail)
    p = np.exp(log_p[(log_p < 0) & np.isfinite(log_p)])
    if not p.size or (floor := float(p.max())) == 1:
        return None
    n = round(1 / (1 - floor))
    # Every p of a permutation test is a whole number of n-ths: a mere p near 1 is not.
    share = p * n
    grained = bool((np.abs(share - np.rint(share)) < _GRAIN).all())
    return n if n >= _FEWEST_ITERATIONS and grained else None


def short_p(p: float) -> str:
    """Write p as the field does: .05, .001, 3.2e-07.

    >>> short_p(0.05), short_p(0.001), short_p(1.0), short_p(3.2e-7)
    ('.05', '.001', '1', '3.2e-07')
    """
    return f"{p:.3g}".removeprefix("0") if p < 1 else f"{p:.3g}"
