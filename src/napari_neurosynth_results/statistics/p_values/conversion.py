"""What a value is worth as p, and the value that a p asks for: numbers in and out.

Everything goes through the natural logarithm of p, because p itself underflows float64
beyond z = 38 while its logarithm never does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind, PFormula, Tail
from napari_neurosynth_results.statistics.p_values.far_tails import (
    chi2_at_log_sf,
    f_at_log_sf,
    log_sf_of_chi2,
    log_sf_of_f,
    log_sf_of_t,
    t_at_log_sf,
)

#: Degrees of freedom: one number for t and chi2, or one a voxel; two for F.
Dof = float | tuple[float, float] | npt.NDArray[Any]

#: NiMARE writes float32, where .05 is a little more than .05: p <= alpha has to forgive
#: this much, relative to alpha.
P_TOLERANCE = 1e-6
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
        raise ValueError(f"p must lie between 0 and 1, not {p}")
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
        The inverse of `convert_to_log_p`; 0 for a p map where p underflows.

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
    if not log_p < 0:
        raise ValueError(f"log p must be below 0, not {log_p}")
    formula = kind.row.p
    if formula is PFormula.NONE:
        raise ResultsError(_no_p_message(kind))
    # Of both directions each has half of p.
    log_sf = log_p - _LOG_2 if _halves(formula, tail) else log_p
    if not formula.n_dof:
        return _ARITHMETIC[formula].height(log_sf, None)
    if dof is None or isinstance(dof, np.ndarray):
        raise ResultsError(_no_p_message(kind))
    return _ARITHMETIC[formula].height(log_sf, check_dof(dof, kind))


def convert_to_log_p(
    values: npt.ArrayLike, kind: MapKind, tail: Tail, dof: Dof | None = None
) -> Float64Array:
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
    >>> round(float(convert_to_log_p(40.0, MapKind.Z, Tail.ONE)), 3)
    -804.608
    """
    formula, n = kind.row.p, None
    if formula is PFormula.NONE or (formula.n_dof and dof is None):
        raise ResultsError(_no_p_message(kind))
    if formula.n_dof and dof is not None:
        n = check_dof(dof, kind)
    x = np.asarray(values, np.float64)
    both = formula.by_tail and tail is Tail.TWO
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = _ARITHMETIC[formula].log_sf(np.abs(x) if both else x, n)
        if formula.by_tail:
            log_p = np.minimum(log_p + (_LOG_2 if _halves(formula, tail) else 0.0), 0)
    return np.asarray(log_p)


def _halves(formula: PFormula, tail: Tail) -> bool:
    """Whether the formula gives the p of one direction, and both count."""
    return formula.by_tail and not formula.states_p and tail is Tail.TWO


def check_dof(dof: Dof, kind: MapKind) -> Any:
    """Return degrees of freedom as a kind takes them: two for F, else one.

    Raises
    ------
    ResultsError
        When there are too many or too few, they are not above 0, or the kind has none.
    """
    n_dof = kind.row.p.n_dof
    if not n_dof:
        raise ResultsError(
            f"A {kind} map has no degrees of freedom: they are for t, chi2 and F."
        )
    if isinstance(dof, np.ndarray) and dof.ndim:
        # A map of them: what is not above 0 there is outside, and becomes NaN.
        return dof
    pair = isinstance(dof, tuple)
    if pair != (n_dof == 2):
        wanted = "one number of degrees of freedom"
        if n_dof == 2:
            wanted = "two degrees of freedom, of numerator and denominator"
        raise ResultsError(f"{kind} needs {wanted}, not {dof}.")
    if not all(0 < n < math.inf for n in np.atleast_1d(dof)):
        raise ResultsError(f"Degrees of freedom must be above 0, not {dof}.")
    return dof


def _no_p_message(kind: MapKind) -> str:
    help_ = "Threshold it by value, or use the p or logp map of the same test"
    if kind.row.p.n_dof:
        help_ += ", or state the degrees of freedom (dof)"
    return f"A {kind} map holds {kind.meaning}. {help_}."


def short_p(p: float) -> str:
    """Write p as the field does: .05, .001, 3.2e-07.

    >>> short_p(0.05), short_p(0.001), short_p(1.0), short_p(3.2e-7), short_p(0)
    ('.05', '.001', '1', '3.2e-07', '0')
    """
    return f"{p:.3g}".removeprefix("0") if 0 < p < 1 else f"{p:.3g}"


def name_p(correction: str | None) -> str:
    """Return what the field calls a p: p, p_FWE, or q after FDR.

    >>> name_p(None), name_p("FWE"), name_p("FDR")
    ('p', 'p_FWE', 'q')
    """
    if correction == "FDR":
        return "q"
    return f"p_{correction}" if correction else "p"


# One formula, two functions: from values to the logarithm of p, and back.


@dataclass(frozen=True)
class _Arithmetic:
    """A formula, both ways; where the tail decides, for one direction.

    Attributes
    ----------
    log_sf : callable
        Values and degrees of freedom -> natural logarithm of p.
    height : callable
        Natural logarithm of p and degrees of freedom -> value.
    """

    log_sf: Callable[[Float64Array, Any], Float64Array]
    height: Callable[[float, Any], float]


def _normal_log_sf(z: Float64Array, _: None) -> Float64Array:
    from scipy.special import log_ndtr

    return np.asarray(log_ndtr(-z))


def _normal_height(log_sf: float, _: None) -> float:
    from scipy.special import ndtri_exp

    return float(-ndtri_exp(log_sf))


_ARITHMETIC = {
    PFormula.IDENTITY: _Arithmetic(
        lambda p, _: np.log(p), lambda log_p, _: math.exp(log_p)
    ),
    PFormula.LOG10: _Arithmetic(
        lambda logp, _: -logp * _LOG_10, lambda log_p, _: -log_p / _LOG_10
    ),
    PFormula.LN: _Arithmetic(lambda lnp, _: -lnp, lambda log_p, _: -log_p),
    PFormula.SIGNED_LOG10: _Arithmetic(
        lambda logp, _: -logp * _LOG_10, lambda log_p, _: -log_p / _LOG_10
    ),
    PFormula.COMPLEMENT: _Arithmetic(
        lambda rest, _: np.log1p(-rest), lambda log_p, _: -math.expm1(log_p)
    ),
    PFormula.NORMAL: _Arithmetic(_normal_log_sf, _normal_height),
    PFormula.STUDENT_T: _Arithmetic(log_sf_of_t, t_at_log_sf),
    PFormula.CHI_SQUARE: _Arithmetic(log_sf_of_chi2, chi2_at_log_sf),
    PFormula.FISHER_F: _Arithmetic(
        lambda f, dof: log_sf_of_f(f, *dof),
        lambda log_sf, dof: f_at_log_sf(log_sf, *dof),
    ),
}
