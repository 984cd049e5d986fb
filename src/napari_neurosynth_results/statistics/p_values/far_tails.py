"""Upper tails of t, chi-square and F as logarithms, also where p has no float any more.

scipy has them exactly as long as p does not underflow. Beyond that point the incomplete
beta and gamma functions are continued fractions, which converge in a few steps there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array

#: Below this, p is close to the end of float64 and loses digits.
_LEAST = 1e-290
#: Above this logarithm of p, scipy's own inverses are exact to the last digits.
_NEAR = math.log(1e-30)
_CLOSE = 1e-15
_MOST_STEPS = 10_000


def log_sf_of_t(t: npt.ArrayLike, dof: npt.ArrayLike) -> Float64Array:
    """Return the logarithm of the upper tail of Student's t.

    Parameters
    ----------
    t, dof : array_like
        Values and degrees of freedom, broadcast; NaN where degrees are not above 0.

    Returns
    -------
    ndarray of float64
        By the incomplete beta function where p underflows (Abramowitz and Stegun 1964,
        26.7.1).
    """
    from scipy.special import stdtr

    t, dof = _broadcast(t, dof)
    dof = np.where(dof > 0, dof, np.nan)
    log_sf, far = _log_by_scipy(stdtr(dof, -t), t)
    ratio = 2 * np.log(t[far]) - np.log(dof[far])
    log_sf[far] = _log_beta_tail(ratio, dof[far] / 2, 0.5) - math.log(2)
    return log_sf


def log_sf_of_chi2(x: npt.ArrayLike, dof: npt.ArrayLike) -> Float64Array:
    """Return the logarithm of the upper tail of chi-square.

    Parameters
    ----------
    x, dof : array_like
        Values and degrees of freedom, broadcast; NaN where degrees are not above 0.

    Returns
    -------
    ndarray of float64
        By the continued fraction of the incomplete gamma function where p underflows
        (NIST Digital Library of Mathematical Functions, 8.9.2).
    """
    from scipy.special import chdtrc, gammaln

    x, dof = _broadcast(x, dof)
    dof = np.where(dof > 0, dof, np.nan)
    log_sf, far = _log_by_scipy(chdtrc(dof, np.maximum(x, 0)), x)
    a, half = dof[far] / 2, x[far] / 2

    def coefficient(n: int) -> Float64Array:
        m = (n + 1) // 2
        return np.asarray((m - a if n % 2 else m) / half)

    fraction = _log_continued_fraction(coefficient, half)
    log_sf[far] = (a - 1) * np.log(half) - half - gammaln(a) + fraction
    return log_sf


def log_sf_of_f(f: npt.ArrayLike, dof_1: float, dof_2: float) -> Float64Array:
    """Return the logarithm of the upper tail of F.

    Parameters
    ----------
    f : array_like
        Values.
    dof_1, dof_2 : float
        Degrees of freedom of numerator and denominator.

    Returns
    -------
    ndarray of float64
        By the incomplete beta function where p underflows (Abramowitz and Stegun 1964,
        26.6.2).
    """
    from scipy.special import fdtrc

    f = np.asarray(f, np.float64)
    log_sf, far = _log_by_scipy(fdtrc(dof_1, dof_2, np.maximum(f, 0)), f)
    ratio = np.log(f[far]) + math.log(dof_1 / dof_2)
    half = np.full(ratio.size, dof_2 / 2)
    log_sf[far] = _log_beta_tail(ratio, half, dof_1 / 2)
    return log_sf


def t_at_log_sf(log_sf: float, dof: float) -> float:
    """Return the t with this logarithm of its upper tail."""
    from scipy.special import stdtrit

    if log_sf > _NEAR:
        return float(-stdtrit(dof, math.exp(log_sf)))
    return _solve(lambda t: float(log_sf_of_t(t, dof)), log_sf)


def chi2_at_log_sf(log_sf: float, dof: float) -> float:
    """Return the chi-square with this logarithm of its upper tail."""
    from scipy.special import chdtri

    if log_sf > _NEAR:
        return float(chdtri(dof, math.exp(log_sf)))
    return _solve(lambda x: float(log_sf_of_chi2(x, dof)), log_sf)


def f_at_log_sf(log_sf: float, dof_1: float, dof_2: float) -> float:
    """Return the F with this logarithm of its upper tail."""
    from scipy.special import betaincinv

    if log_sf > _NEAR:
        # Not fdtri, which takes 1 - p and so loses a small p.
        x = float(betaincinv(dof_2 / 2, dof_1 / 2, math.exp(log_sf)))
        return dof_2 * (1 - x) / (dof_1 * x)
    return _solve(lambda f: float(log_sf_of_f(f, dof_1, dof_2)), log_sf)


def _broadcast(
    x: npt.ArrayLike, dof: npt.ArrayLike
) -> tuple[Float64Array, Float64Array]:
    first, second = np.broadcast_arrays(
        np.asarray(x, np.float64), np.asarray(dof, np.float64)
    )
    return first, second


def _log_by_scipy(
    sf: Any, x: Float64Array
) -> tuple[Float64Array, npt.NDArray[np.bool_]]:
    """Return the logarithm of p, and where it has to be found another way."""
    with np.errstate(divide="ignore"):
        return np.array(np.log(sf)), np.asarray((sf < _LEAST) & np.isfinite(x))


def _log_beta_tail(log_ratio: Float64Array, a: Float64Array, b: float) -> Float64Array:
    """Return the logarithm of the incomplete beta function I_x(a, b) at a small x.

    By the continued fraction 8.17.22 of the NIST Digital Library of Mathematical
    Functions; the ratio is (1 - x) / x.
    """
    from scipy.special import betaln

    log_x, log_rest = -np.logaddexp(0, log_ratio), -np.logaddexp(0, -log_ratio)
    x = np.exp(log_x)

    def coefficient(n: int) -> Float64Array:
        m = n // 2
        if n % 2:
            return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))

    fraction = _log_continued_fraction(coefficient, x)
    log_tail = a * log_x + b * log_rest - np.log(a) - betaln(a, b) + fraction
    return np.asarray(log_tail)


def _log_continued_fraction(
    coefficient: Callable[[int], Float64Array], x: Float64Array
) -> Float64Array:
    """Return the logarithm of 1 / (1 + c1 / (1 + c2 / ...)), one for each x.

    By the modified method of Lentz (Thompson and Barnett 1986, J Comput Phys 64).
    """
    value, above, below = np.ones(x.size), np.ones(x.size), np.zeros(x.size)
    tiny = np.finfo(np.float64).tiny
    for n in range(1, _MOST_STEPS):
        c = coefficient(n)
        below, above = 1 + c * below, 1 + c / above
        below = 1 / np.where(below == 0, tiny, below)
        above = np.where(above == 0, tiny, above)
        step = above * below
        value *= step
        if (np.abs(step - 1) < _CLOSE).all():
            break
    return -np.log(value)


def _solve(log_sf: Callable[[float], float], wanted: float) -> float:
    """Return where a falling function beyond 1 takes a value; inf where no float is."""
    from scipy.optimize import brentq

    high = 2.0
    while log_sf(high) > wanted:
        high *= 2
        if math.isinf(high):
            return math.inf
    found = brentq(lambda x: log_sf(x) - wanted, high / 2, high, rtol=1e-15)
    return float(found)
