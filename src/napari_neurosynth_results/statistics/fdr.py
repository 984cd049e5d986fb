"""False discovery rate: p adjusted for the number of tests, as logarithms."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.statistics.conversion import P_TOLERANCE, Floats

#: BH holds for independent and positively dependent tests, BY for any.
Method = Literal["BH", "BY"]
METHODS: dict[Method, str] = {"BH": "Benjamini-Hochberg", "BY": "Benjamini-Yekutieli"}


def adjusted_log_q(log_p: npt.ArrayLike, method: Method = "BH") -> Floats:
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
    check_method(method)
    log_p = np.asarray(log_p, np.float64)
    log_q = np.full(log_p.shape, np.nan)
    tested = ~np.isnan(log_p)
    tests = log_p[tested]
    order = np.argsort(tests)
    adjusted = np.empty(tests.size)
    adjusted[order] = _adjusted(tests[order], method)
    log_q[tested] = adjusted
    return log_q


def critical_log_p(log_p: Floats, q: float, method: Method = "BH") -> float | None:
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
    kept = np.flatnonzero(_adjusted(ordered, method) <= math.log(q) + P_TOLERANCE)
    return float(ordered[kept[-1]]) if kept.size else None


def check_method(method: str) -> None:
    """Refuse a method that is none.

    Raises
    ------
    ResultsError
        When it is not BH or BY.
    """
    if method not in METHODS:
        known = ", ".join(f"{short} ({long})" for short, long in METHODS.items())
        raise ResultsError(f"fdr is one of {known}, not {method!r}.")


def _adjusted(ordered: Floats, method: Method) -> Floats:
    """Adjust ascending log p: p n / rank, never more than that of a larger p."""
    n = ordered.size
    rank = np.arange(1, n + 1)
    log_n = math.log(n) if n else 0.0
    if method == "BY" and n:
        log_n += math.log((1 / rank).sum())
    raised = ordered + log_n - np.log(rank)
    falling: Floats = np.minimum.accumulate(raised[::-1])[::-1]
    return np.minimum(falling, 0)
