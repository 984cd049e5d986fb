"""A p from permutations: how fine its grain is, and how sure it can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.conversion import (
    P_TOLERANCE,
    convert_to_log_p,
    short_p,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource

#: How far float32 may carry p times iterations from a whole number.
_GRAIN = 0.02
_FEWEST_ITERATIONS = 10
#: Share of probability outside a 95 % interval.
_OUTSIDE = 0.05


@dataclass(frozen=True)
class MonteCarlo:
    """A p that was counted in Monte Carlo iterations.

    Attributes
    ----------
    p : float
        A multiple of 1 / iterations.
    iterations : int
        Null maxima that p was counted in.

    Examples
    --------
    >>> print(MonteCarlo(0.015, 200))
    p_FWE = .015 (.0031 to .0432), 200 iterations
    >>> print(MonteCarlo(0.005, 200))
    p_FWE <= .005, 200 iterations
    >>> MonteCarlo(0.04, 200).borderline(0.05)
    True
    """

    p: float
    iterations: int

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval (Clopper and Pearson 1934)."""
        return float(intervals(np.array([self.p]), self.iterations)[0][0])

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval (Clopper and Pearson 1934)."""
        return float(intervals(np.array([self.p]), self.iterations)[1][0])

    def borderline(self, alpha: float) -> bool:
        """Whether the interval contains alpha: other iterations might decide else."""
        return self.low <= alpha <= self.high

    def __str__(self) -> str:
        """Return p with its interval; at the grain there is only an upper bound."""
        grain = f"{self.iterations:,} iterations"
        if self.p <= 1 / self.iterations * (1 + P_TOLERANCE):
            # NiMARE writes 1 / n for "no null maximum was as large" as well.
            return f"p_FWE <= {short_p(self.p)}, {grain}"
        interval = f"{short_p(self.low)} to {short_p(self.high)}"
        return f"p_FWE = {short_p(self.p)} ({interval}), {grain}"


def intervals(
    p: Float64Array, iterations: int | None
) -> tuple[Float64Array, Float64Array]:
    """Return the exact binomial 95 % intervals of Monte Carlo p.

    Clopper and Pearson 1934, Biometrika 26, by quantiles of the beta distribution.

    Parameters
    ----------
    p : ndarray
        Multiples of 1 / iterations; NaN where unknown.
    iterations : int or None
        None when nobody knows.

    Returns
    -------
    low, high : ndarray
        NaN where p or the iterations are unknown.
    """
    from scipy.special import betaincinv

    if iterations is None:
        unknown = np.full(p.size, np.nan)
        return unknown, unknown.copy()
    k = np.rint(p * iterations)
    # No beta distribution has a parameter of 0: none and all of them are set apart.
    below = betaincinv(np.maximum(k, 1), iterations - k + 1, _OUTSIDE / 2)
    above = betaincinv(k + 1, np.maximum(iterations - k, 1), 1 - _OUTSIDE / 2)
    low, high = np.where(k == 0, 0, below), np.where(k == iterations, 1, above)
    return low, high


def find_iterations(statmap: StatMap) -> int | None:
    """Return how many Monte Carlo iterations lie behind a corrected map.

    Read off the methods text, else off the floor: NiMARE gives voxels that beat no null
    maximum p = 1 - 1 / n_iters (NiMARE 0.22.1, `nimare.correct`).
    """
    if statmap.name is None or statmap.name.method != "montecarlo":
        return None
    if (stated := statmap.results.iterations) is not None:
        return stated
    source = PSource(statmap)
    if not source.kind.row.p.states_p:
        return None
    log_p = convert_to_log_p(source.map.data, source.kind, source.tail)
    p = np.exp(log_p[(log_p < 0) & np.isfinite(log_p)])
    if not p.size or (floor := float(p.max())) == 1:
        return None
    n = round(1 / (1 - floor))
    # Every p of a permutation test is a whole number of n-ths: a mere p near 1 is not.
    share = p * n
    grained = bool((np.abs(share - np.rint(share)) < _GRAIN).all())
    return n if n >= _FEWEST_ITERATIONS and grained else None
