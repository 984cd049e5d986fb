"""Analytic null distributions of ALE, MKDA and KDA, with and without an experiment.

Of an ALE (Eickhoff et al. 2012, NeuroImage 59, 2349-2361) on the grid of NiMARE 0.22.1;
releases before 0.22.0 put values into the bin below. Of counts the Poisson binomial
(MKDA), or the convolution of their histograms (KDA).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.studies.kernels import Method
from napari_neurosynth_results.statistics.studies.modeled_activations import (
    ModeledActivations,
)

#: Bins of an ALE in a unit of its statistic.
_BINS = 100_000
#: With more experiments their histograms are combined on a grid of logarithms, where
#: the order does not matter and so most of the work is shared.
MOST_EXACT = 80
#: How far the p of this grid may be from that of NiMARE, as z at p < .01.
_COARSE_Z = 0.03
#: How far p may be apart, relative to it: a file holds its logarithm as float32.
_SAME_P = 1e-5


def find_analytic_null(activations: ModeledActivations) -> AnalyticNull:
    """Find the null distribution that the opened p came from.

    Parameters
    ----------
    activations : ModeledActivations
        Of the meta-analysis; the p of its map is compared at every voxel.

    Returns
    -------
    GridNull, LogarithmicNull or CountNull
        Which gives that p: to within what float32 rounds off, the logarithmic one to
        within .03 of z at p < .01.

    Raises
    ------
    ResultsError
        When there is no p, or none of them gives it.
    """
    source = PSource(activations.statmap)
    log_p = source.log_p()
    if log_p is None:
        raise ResultsError(
            f"{activations.statmap.title}: the p or logp map of the same test is not "
            "at hand, so nothing shows which null distribution it came from."
        )
    opened = log_p.reshape(-1)[activations.inside]
    candidates: Sequence[AnalyticNull]
    if activations.method is not Method.ALE:
        candidates = [CountNull(activations)]
    elif len(activations) > MOST_EXACT:
        candidates = [LogarithmicNull(activations)]
    else:
        candidates = [GridNull(activations, rounds=one) for one in (True, False)]
    for null in candidates:
        p = null.whole()[null.bins_of(activations.total)]
        p[activations.reached_by == 0] = 1
        if _same_p(np.log(p), opened, coarse=isinstance(null, LogarithmicNull)):
            return null
    raise ResultsError(
        f"{activations.statmap.title}: its p is not that of the analytic null "
        "distribution, but of another one, as by Monte Carlo. Without an experiment it "
        "cannot be made anew here."
    )


def _same_p(made: Float64Array, opened: Float64Array, *, coarse: bool) -> bool:
    """Whether two p, as logarithms, are one but for rounding or a coarser grid."""
    if not coarse:
        return bool((np.abs(made - opened) <= _SAME_P).all())
    from scipy.special import ndtri_exp

    small = opened < math.log(0.01)
    apart = ndtri_exp(made[small]) - ndtri_exp(opened[small])
    return bool((np.abs(apart) <= _COARSE_Z).all())


def _upper_tail(histogram: Float64Array) -> Float64Array:
    """Sum a histogram from above, its own bin included; nowhere 0."""
    tail = np.cumsum(histogram[::-1] / histogram.sum())[::-1]
    tail = tail / tail.max()
    return np.asarray(np.maximum(tail, tail[tail > 0].min()))


class GridNull:
    """NiMARE's null of an ALE: bins of 1e-5, experiments combined one by one.

    What is above the largest opened value is one bin: it never comes down again.

    Parameters
    ----------
    rounds : bool
        Whether a value goes into the nearest bin, else into the one below.
    """

    def __init__(self, activations: ModeledActivations, *, rounds: bool) -> None:
        self._rounds = rounds
        largest = float(activations.statistic(activations.total).max(initial=0))
        n = int(largest * _BINS) + 3
        self._centers = np.round(np.arange(n) / _BINS, 5)
        self._inverse = 1 / (self._centers[1] - self._centers[0])
        self._activations = activations
        self._histograms = [self._histogram(e) for e in range(len(activations))]

    def _place(self, values: npt.NDArray[np.floating]) -> IndexArray:
        """Find the bins of values, as NiMARE's release did."""
        scaled = values.astype(np.float64) * self._inverse
        bins = np.floor(scaled)
        if self._rounds:
            bins += scaled - bins >= 0.5
        bins = np.clip(bins, 0, self._centers.size - 1)
        return np.asarray(bins, np.intp)

    def _histogram(self, number: int) -> tuple[IndexArray, Float64Array]:
        """Return the bins that one experiment fills, and how likely each is."""
        _, values = self._activations.row(number)
        m = self._activations.inside.size
        bins, n = np.unique(self._place(values), return_counts=True)
        if not bins.size or bins[0] > 0:
            bins, n = np.append(0, bins), np.append(0, n)
        n[0] += m - values.size
        return bins, n / m

    def _combine(
        self, mass: Float64Array, one: tuple[IndexArray, Float64Array]
    ) -> Float64Array:
        """Add one experiment to what others came to."""
        bins, p = one
        filled = np.flatnonzero(mass)
        scores = 1 - np.outer(1 - self._centers[bins], 1 - self._centers[filled])
        weights = np.outer(p, mass[filled])
        combined = np.bincount(
            self._place(scores).ravel(), weights.ravel(), self._centers.size
        )
        return np.asarray(combined, np.float64)

    def _first(self, one: tuple[IndexArray, Float64Array]) -> Float64Array:
        mass = np.zeros(self._centers.size)
        mass[one[0]] = one[1]
        return mass

    def bins_of(self, total: Float64Array) -> IndexArray:
        """Return the bin of each sum: the nearest, in all releases."""
        scaled = self._activations.statistic(total).astype(np.float64) * self._inverse
        bins = np.floor(scaled)
        bins += scaled - bins >= 0.5
        return np.asarray(np.minimum(bins, self._centers.size - 1), np.intp)

    def whole(self) -> Float64Array:
        """Return the upper tail of each bin, with all experiments."""
        mass = self._first(self._histograms[0])
        for one in self._histograms[1:]:
            mass = self._combine(mass, one)
        return _upper_tail(mass)

    def without_each(self) -> Iterator[Float64Array]:
        """Yield the upper tail without one experiment after the other.

        In NiMARE's order, because the grid makes a difference of it.
        """
        before: Float64Array | None = None
        for number, own in enumerate(self._histograms):
            mass = before
            for one in self._histograms[number + 1 :]:
                mass = self._first(one) if mass is None else self._combine(mass, one)
            assert mass is not None
            yield _upper_tail(mass)
            before = self._first(own) if before is None else self._combine(before, own)


class LogarithmicNull:
    """The null of an ALE on a grid of -log(1 - ALE), where experiments add up."""

    def __init__(self, activations: ModeledActivations) -> None:
        largest = float(-activations.total.min(initial=0))
        self._n = int(largest * _BINS) + 3
        m = activations.inside.size
        self._histograms = []
        for number in range(len(activations)):
            bins, n = np.unique(
                self.bins_of(activations.parts(number)), return_counts=True
            )
            if not bins.size or bins[0] > 0:
                bins, n = np.append(0, bins), np.append(0, n)
            n[0] += m - activations.row(number)[1].size
            self._histograms.append((bins, n / m))

    def bins_of(self, total: Float64Array) -> IndexArray:
        """Return the nearest bin of each sum of log(1 - MA)."""
        bins = np.round(-total * _BINS).astype(np.intp)
        return np.minimum(bins, self._n - 1)

    def _added(
        self, mass: Float64Array, one: tuple[IndexArray, Float64Array]
    ) -> Float64Array:
        out = np.zeros_like(mass)
        for step, p in zip(one[0].tolist(), one[1].tolist(), strict=True):
            out[step:] += p * mass[: self._n - step]
            # What goes beyond the last bin stays in it.
            out[-1] += p * mass[self._n - step :].sum()
        return out

    def whole(self) -> Float64Array:
        """Return the upper tail of each bin, with all experiments."""
        mass = np.eye(1, self._n)[0]
        for one in self._histograms:
            mass = self._added(mass, one)
        return _upper_tail(mass)

    def without_each(self) -> Iterator[Float64Array]:
        """Yield the upper tail without one experiment after the other.

        Each half of the experiments starts from what the other half came to, and so on
        in each half.
        """
        nobody = np.eye(1, self._n)[0]
        yield from map(_upper_tail, self._without(nobody, 0, len(self._histograms)))

    def _without(
        self, others: Float64Array, start: int, stop: int
    ) -> Iterator[Float64Array]:
        if stop - start == 1:
            yield others
            return
        middle = (start + stop) // 2
        for half, rest in (
            ((start, middle), range(middle, stop)),
            ((middle, stop), range(start, middle)),
        ):
            mass = others
            for number in rest:
                mass = self._added(mass, self._histograms[number])
            yield from self._without(mass, *half)


class CountNull:
    """The null of an MKDA or a KDA: how many experiments, or spheres, reach a voxel."""

    def __init__(self, activations: ModeledActivations) -> None:
        m = activations.inside.size
        self._histograms = []
        for number in range(len(activations)):
            values = activations.row(number)[1].astype(np.intp)
            n = np.bincount(values, minlength=2)
            n[0] = m - values.size
            self._histograms.append(n / m)
        self._n = sum(one.size - 1 for one in self._histograms) + 1

    def bins_of(self, total: Float64Array) -> IndexArray:
        """Return the counts themselves."""
        return np.round(total).astype(np.intp)

    def whole(self) -> Float64Array:
        """Return the upper tail of each count, with all experiments."""
        return self._tail(self._histograms)

    def without_each(self) -> Iterator[Float64Array]:
        """Yield the upper tail without one experiment after the other."""
        for number in range(len(self._histograms)):
            others = self._histograms[:number] + self._histograms[number + 1 :]
            yield self._tail(others)

    def _tail(self, histograms: Sequence[Float64Array]) -> Float64Array:
        mass = np.ones(1)
        for one in histograms:
            mass = np.convolve(mass, one)
        return _upper_tail(np.append(mass, np.zeros(self._n - mass.size)))


AnalyticNull = GridNull | LogarithmicNull | CountNull
