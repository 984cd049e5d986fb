"""What a value is worth as p, and the value that a p asks for: numbers in and out.

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
from napari_neurosynth_results.statistics.p_values.far_tails import (
    chi2_at_log_sf,
    f_at_log_sf,
    log_sf_of_chi2,
    log_sf_of_f,
    log_sf_of_t,
    t_at_log_sf,
)

Floats = npt.NDArray[np.float64]
#: Degrees of freedom: one number for t and chi2, or one a voxel; two for F.
Dof = float | tuple[float, float] | npt.NDArray[Any]

#: NiMARE writes float32, where .05 is a little more than .05: p <= alpha has to forgive
#: this much, relative to alpha.
P_TOLERANCE = 1e-6
#: Kinds whose values alone say p, and those that need degrees of freedom for it.
FREE = frozenset({MapKind.Z, MapKind.P, MapKind.LOGP, MapKind.ONE_MINUS_P})
NEEDS_DOF = frozenset({MapKind.T, MapKind.CHI2, MapKind.F})

_LOG_2, _LOG_10 = math.log(2), math.log(10)


def height_at(p: float, kind: MapKind, tail: Tail, dof: Dof | None = None) -> float:
    """Return the value at which a map of a kind reaches p.

    Parameters
    ----------
    p : float
        Between 0 and 1.
    kind : MapKind
        z, t, chi2, F, p, logp or 1 - p.
    tail : Tail
        Whether p counts both directions; only z and t ask.
    dof : float or pair of float, optional
        Degrees of freedom for t and chi2; of numerator and denominator for F.

    Returns
    -------
    float
        The height; values at least as strong are as significant.

    Raises
    ------
    ResultsError
        When values of this kind have no p, or need degrees of freedom for it.
    ValueError
        When p is not between 0 and 1.

    Examples
    --------
    >>> round(height_at(0.05, MapKind.Z, Tail.ONE), 3)
    1.645
    >>> round(height_at(0.05, MapKind.Z, Tail.TWO), 3)
    1.96
    """
    if not 0 < p < 1:
        raise ValueError(f"p has to lie between 0 and 1, not {p}")
    return height_at_log_p(math.log(p), kind, tail, dof)


def height_at_log_p(
    log_p: float, kind: MapKind, tail: Tail, dof: Dof | None = None
) -> float:
    """Return the value at which a map of a kind reaches a p that may have no float.

    Parameters
    ----------
    log_p : float
        Natural logarithm of p, below 0; -inf asks for an infinite value.
    kind : MapKind
        z, t, chi2, F, p, logp or 1 - p.
    tail : Tail
        Whether p counts both directions; only z and t ask.
    dof : float or pair of float, optional
        Degrees of freedom for t and chi2; of numerator and denominator for F.

    Returns
    -------
    float
        The inverse of `log_p_of`. Where p underflows, the height of a p map is 0.

    Raises
    ------
    ResultsError
        When values of this kind have no p, or need degrees of freedom for it.
    ValueError
        When log p is not below 0.

    Examples
    --------
    >>> round(height_at_log_p(-804.6084420137538, MapKind.Z, Tail.ONE), 6)
    40.0
    """
    from scipy.special import ndtri_exp

    if not log_p < 0:
        raise ValueError(f"log p has to be below 0, not {log_p}")
    if kind is MapKind.P:
        return math.exp(log_p)
    if kind is MapKind.LOGP:
        return -log_p / _LOG_10
    if kind is MapKind.ONE_MINUS_P:
        return -math.expm1(log_p)
    upper = log_p - _LOG_2 if tail is Tail.TWO else log_p
    if kind is MapKind.Z:
        return float(-ndtri_exp(upper))
    if kind in NEEDS_DOF and dof is not None and not isinstance(dof, np.ndarray):
        log_sf = upper if kind is MapKind.T else log_p
        return _height_by_dof(log_sf, kind, checked_dof(dof, kind))
    raise ResultsError(_without_p(kind))


def log_p_of(
    values: npt.ArrayLike, kind: MapKind, tail: Tail, dof: Dof | None = None
) -> Floats:
    """Return the natural logarithm of p for values of a kind.

    Parameters
    ----------
    values : array_like
        Any shape.
    kind : MapKind
        z, t, chi2, F, p, logp or 1 - p.
    tail : Tail
        One-tailed z and t count the positive direction only; other kinds do not ask.
    dof : float, pair of float or ndarray, optional
        Degrees of freedom for t and chi2, one or one a value; of numerator and
        denominator for F.

    Returns
    -------
    ndarray of float64
        Same shape; 0 is p = 1.

    Raises
    ------
    ResultsError
        When values of this kind have no p, or need degrees of freedom for it.

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
            return -x * _LOG_10
        if kind is MapKind.ONE_MINUS_P:
            return np.asarray(np.log1p(-x))
        strength = np.abs(x) if tail is Tail.TWO else x
        both = _LOG_2 if tail is Tail.TWO else 0.0
        if kind is MapKind.Z:
            return np.asarray(np.minimum(log_ndtr(-strength) + both, 0))
        if kind in NEEDS_DOF and dof is not None:
            n = checked_dof(dof, kind)
            if kind is MapKind.T:
                return np.minimum(log_sf_of_t(strength, n) + both, 0)
            if kind is MapKind.CHI2:
                return log_sf_of_chi2(x, n)
            return log_sf_of_f(x, *n)
    raise ResultsError(_without_p(kind))


def checked_dof(dof: Dof, kind: MapKind) -> Any:
    """Return degrees of freedom as a kind takes them: two for F, else one.

    Raises
    ------
    ResultsError
        When there are too many or too few, they are not above 0, or the kind has none.
    """
    if kind not in NEEDS_DOF:
        raise ResultsError(
            f"A {kind} map has no degrees of freedom: they are for t, chi2 and F."
        )
    if isinstance(dof, np.ndarray) and dof.ndim:
        # A map of them: what is not above 0 there is outside, and becomes NaN.
        return dof
    pair = isinstance(dof, tuple)
    if pair != (kind is MapKind.F):
        wanted = "two, of numerator and denominator" if kind is MapKind.F else "one"
        raise ResultsError(f"{kind} takes {wanted}, as degrees of freedom, not {dof}.")
    if not all(0 < n < math.inf for n in np.atleast_1d(dof)):
        raise ResultsError(f"Degrees of freedom are above 0, not {dof}.")
    return dof


def _height_by_dof(log_sf: float, kind: MapKind, dof: Any) -> float:
    if kind is MapKind.T:
        return t_at_log_sf(log_sf, dof)
    if kind is MapKind.CHI2:
        return chi2_at_log_sf(log_sf, dof)
    return f_at_log_sf(log_sf, *dof)


def _without_p(kind: MapKind) -> str:
    help_ = "Threshold it by value, or use the p or logp map of the same test"
    if kind in NEEDS_DOF:
        help_ += ", or state the degrees of freedom (dof)"
    return f"A {kind} map holds {kind.meaning}. {help_}."


def short_p(p: float) -> str:
    """Write p as the field does: .05, .001, 3.2e-07.

    >>> short_p(0.05), short_p(0.001), short_p(1.0), short_p(3.2e-7)
    ('.05', '.001', '1', '3.2e-07')
    """
    return f"{p:.3g}".removeprefix("0") if p < 1 else f"{p:.3g}"
