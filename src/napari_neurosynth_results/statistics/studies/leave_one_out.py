"""Leave one experiment out: which clusters are found again without each of them.

The meta-analysis is estimated anew without each experiment, with a null distribution of
its own, and thresholded at the same height and extent. That describes how much a
cluster hangs on single experiments. It is no test and controls no error rate, and what
Monte Carlo corrected is not corrected anew. Nulls: Eickhoff et al. 2012, NeuroImage 59,
2349-2361, on the grid of NiMARE 0.22.1 (releases before 0.22.0 put values into the bin
below); of counts the Poisson binomial (MKDA), or the convolution of their histograms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import BoolArray, Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.connected import (
    SuprathresholdVoxels,
)
from napari_neurosynth_results.statistics.p_values.conversion import (
    P_TOLERANCE,
    short_p,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.studies.modeled_activations import (
    Method,
    ModeledActivations,
)
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
)

if TYPE_CHECKING:
    import pandas as pd

#: Bins of an ALE in a unit of its statistic.
_BINS = 100_000
#: With more experiments their histograms are combined on a grid of logarithms, where
#: the order does not matter and so most of the work is shared.
_MOST_EXACT = 80
#: How far the p of this grid may be from that of NiMARE, as z at p < .01.
_COARSE_Z = 0.03
#: How far p may be apart, relative to it: a file holds its logarithm as float32.
_SAME_P = 1e-5
#: More experiments are not named in a sentence.
_MOST_NAMED = 4

ABOUT_SURVIVAL = (
    "Stands in: how often the cluster is found again when the meta-analysis is "
    "estimated without one experiment, each in turn, with a null distribution of its "
    "own: a cluster of at least the same extent at the same height overlaps it. It "
    "tells on which experiments the cluster hangs. It is no test, and controls no "
    "error rate."
)


class _Null(Protocol):
    """Where values lie on a grid, and how likely a value at least as large is."""

    def bins_of(self, total: Float64Array) -> IndexArray:
        """Return the bin of each sum."""

    def whole(self) -> Float64Array:
        """Return the upper tail of each bin, with all experiments."""

    def without_each(self) -> Iterator[Float64Array]:
        """Yield the upper tail of each bin without one experiment after the other."""


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """What became of clusters without each experiment.

    Attributes
    ----------
    clusters : ClusterSet
        The clusters.
    names : tuple of str, length k
        The experiments.
    kept : ndarray of float64, shape (k, n)
        What share of a cluster's voxels is in clusters of at least the extent without
        the experiment; 0 where the cluster is lost.
    new : ndarray of int, shape (k,)
        Clusters that overlap none.
    height : str
        What was asked of each voxel, in words.
    notices : tuple of str
        What has to be known.
    """

    clusters: ClusterSet = field(repr=False)
    names: tuple[str, ...]
    kept: Float64Array = field(repr=False)
    new: IndexArray = field(repr=False)
    height: str
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Count the experiments."""
        return len(self.names)

    @property
    def stands(self) -> IndexArray:
        """In how many re-estimations each cluster is found again, shape (n,)."""
        return np.asarray((self.kept > 0).sum(axis=0), np.intp)

    def lost_without(self, label: int) -> list[str]:
        """List the experiments without which a cluster is not found."""
        lost = np.flatnonzero(self.kept[:, label - 1] == 0)
        return [self.names[number] for number in lost]

    @property
    def table(self) -> pd.DataFrame:
        """One row a cluster.

        ``stands`` of ``stands_of`` re-estimations, ``lost_without`` (names of
        experiments, with ``; `` between), ``least_kept_percent``, the smallest share of
        the cluster's voxels that is kept, and ``least_kept_without`` which experiment.
        """
        import pandas as pd

        n, k = len(self.clusters), len(self)
        least = self.kept.argmin(axis=0)
        table = pd.DataFrame(
            {
                "stands": self.stands,
                "stands_of": np.full(n, k),
                "lost_without": [
                    "; ".join(self.lost_without(label)) for label in range(1, n + 1)
                ],
                "least_kept_percent": 100 * self.kept.min(axis=0),
                "least_kept_without": [self.names[number] for number in least],
            },
            index=pd.RangeIndex(1, n + 1, name="cluster"),
        )
        return table.astype({"stands": "Int64", "stands_of": "Int64"})

    def sentence(self, label: int, title: Callable[[str], str] = str) -> str:
        """Say what became of one cluster.

        Parameters
        ----------
        label : int
            1..n.
        title : callable
            What to call an experiment.

        Returns
        -------
        str
            As in ``Stands in 19 of 21 re-estimations without one experiment; not found
            without pain_03 or pain_04.``
        """
        k, stands = len(self), int(self.stands[label - 1])
        told = f"Stands in {stands} of {k} re-estimations without one experiment"
        if lost := [title(name) for name in self.lost_without(label)]:
            return f"{told}; not found without {_any_of(lost)}."
        least = int(self.kept[:, label - 1].argmin())
        percent = 100 * self.kept[least, label - 1]
        if percent == 100:
            return f"{told}, each time with all of its voxels."
        return (
            f"{told}; least of it, {percent:.0f} % of its voxels, is left without "
            f"{title(self.names[least])}."
        )


def _any_of(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        shown.append(f"{len(names) - _MOST_NAMED} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def leave_one_out(
    activations: ModeledActivations, clusters: ClusterSet, job: Job | None = None
) -> LeaveOneOut:
    """Estimate a meta-analysis without each experiment, and look for its clusters.

    Parameters
    ----------
    activations : ModeledActivations
        Of the meta-analysis.
    clusters : ClusterSet
        Clusters of one of its maps. Those of a corrected map are looked for at the
        uncorrected height that they had.
    job : Job, optional
        Hears how far it is; may stop it.

    Returns
    -------
    LeaveOneOut
        By experiment and cluster.

    Raises
    ------
    CancelledError
        When the job was cancelled.
    ResultsError
        When there is nothing to look for, or the p that was opened is not that of the
        null distribution that can be made anew.
    """
    job = job or Job()
    if len(activations) < 2:
        raise ResultsError("There is only one experiment: nothing is left without it.")
    if not len(clusters):
        raise ResultsError("There are no clusters to look for.")
    if activations.convention.weighted:
        raise ResultsError(
            "Experiments were weighted by sample size, which is not estimated anew."
        )
    job.report("Leave one out", 0, len(activations))
    asked = _height_of(activations, clusters)
    null = _matching_null(activations)
    finder = _ClusterFinder(activations, clusters)
    kept = np.zeros((len(activations), len(clusters)))
    new = np.zeros(len(activations), np.intp)
    counts: list[int] = []
    for number, tail in enumerate(null.without_each()):
        job.report("Leave one out", number, len(activations))
        total, at = _total_without(activations, number)
        if asked.value is not None:
            above = asked.passes(activations.statistic(total))
        else:
            first = asked.first_bin(tail)
            counts.append(first)
            bins = null.bins_of(total)
            # A voxel that nobody reaches any more has p = 1.
            bins[at[activations.reached_by[at] == 1]] = 0
            above = bins >= first
        kept[number], new[number] = finder.find(above)
    job.report("Leave one out", len(activations), len(activations))
    told = [ABOUT_SURVIVAL, *asked.notices]
    if asked.value is None and activations.method is not Method.ALE:
        told.append(_tell_counts(activations, asked.first_bin(null.whole()), counts))
    if isinstance(null, _LogNull):
        told.append(
            f"With more than {_MOST_EXACT} experiments p is read off a grid of "
            "logarithms, which shifts z by about .01 at most."
        )
    return LeaveOneOut(
        clusters, activations.names, kept, new, asked.told, tuple(told)
    )


@dataclass(frozen=True)
class _Height:
    """What is asked of each voxel: an uncorrected p, or a value of the statistic."""

    p: float
    told: str
    value: float | None = None
    strict: bool = False
    notices: tuple[str, ...] = ()

    def first_bin(self, tail: Float64Array) -> int:
        """Return the first bin whose p is small enough; beyond the last for none."""
        p = tail.astype(np.float32)
        limit = self.p * (1 - P_TOLERANCE if self.strict else 1 + P_TOLERANCE)
        small = np.flatnonzero(p < limit) if self.strict else np.flatnonzero(p <= limit)
        return int(small[0]) if small.size else tail.size

    def passes(self, statistic: npt.NDArray[np.float32]) -> BoolArray:
        """Mark values of the statistic that are as high as was asked."""
        height = np.float32(self.value or 0)
        return statistic > height if self.strict else statistic >= height


def _height_of(activations: ModeledActivations, clusters: ClusterSet) -> _Height:
    """Find out at which height the clusters were found."""
    threshold, statmap, asked = clusters.threshold, clusters.statmap, clusters.asked
    extent = f", extent >= {clusters.min_voxels}" * (clusters.min_voxels > 1)
    if isinstance(threshold, ClusterLevelResult):
        p = threshold.formation.p
        if p is None:
            raise ResultsError(
                f"{statmap.title}: nothing says at which height its clusters were "
                "formed. Ask for the clusters of the uncorrected map."
            )
        return _Height(
            p,
            f"p <= {short_p(p)}",
            notices=(
                f"Clusters were looked for at the height at which they were formed (p "
                f"<= {short_p(p)}), whatever their size. Whether they would still be "
                "significant was not tested: the correction is not made anew.",
            ),
        )
    if asked.value is not None and statmap is activations.statmap:
        told = f"{statmap.kind} {'>' if asked.strict else '>='} {asked.value:g}{extent}"
        return _Height(math.nan, told, asked.value, asked.strict)
    p = clusters.uncorrected_p
    if not 0 < p < 1:
        raise ResultsError(
            f"{statmap.title}: the height is no uncorrected p, so it cannot be asked "
            "of the re-estimations."
        )
    notices: tuple[str, ...] = ()
    if statmap.correction or asked.q is not None or asked.bonferroni is not None:
        notices = (
            f"Clusters were looked for at the uncorrected height that they have here "
            f"(p <= {short_p(p)}): the correction is not made anew.",
        )
    strict = asked.strict and not statmap.correction
    return _Height(p, f"p <= {short_p(p)}{extent}", None, strict, notices)


def _total_without(
    activations: ModeledActivations, number: int
) -> tuple[Float64Array, npt.NDArray[np.int32]]:
    """Subtract one experiment from the sums; return also where it reaches."""
    total = activations.total.copy()
    at, _ = activations.row(number)
    total[at] -= activations.parts(number)
    # What nobody else reaches is 0, whatever subtracting has left.
    total[at[activations.reached_by[at] == 1]] = 0
    return total, at


def _tell_counts(
    activations: ModeledActivations, with_all: int, without: Sequence[int]
) -> str:
    """Say what the height means in a map of counts, which moves without one."""
    k = len(activations)
    unit = "experiments" if activations.method is Method.MKDA else "spheres"
    times = " and ".join(
        f"for {count} in {without.count(count)}" for count in sorted(set(without))
    )
    return (
        f"The height asks for {with_all} {unit} with all {k}, and of the re-estimations "
        f"{times}: counts are whole, so that a cluster may gain where an experiment is "
        "left out."
    )


# --- where the clusters are -----------------------------------------------------------


class _ClusterFinder:
    """Looks for clusters among the voxels above a height."""

    def __init__(self, activations: ModeledActivations, clusters: ClusterSet) -> None:
        self._clusters = clusters
        self._shape = clusters.labels.shape
        ijk = np.unravel_index(activations.inside, self._shape)
        # Memory order, in which neighbors are looked for.
        self._where = np.ravel_multi_index(ijk, self._shape, order="F")
        self._labels = clusters.labels.ravel(order="F")
        self._values = activations.statmap.data
        masking = clusters.threshold.masking
        self._asked = (
            None if masking is None else masking.mask.reshape(-1)[activations.inside]
        )

    def find(self, above: BoolArray) -> tuple[Float64Array, int]:
        """Return what share of each cluster is kept, and how many clusters are new."""
        n = len(self._clusters)
        if self._asked is not None:
            above = above & self._asked
        parts = np.zeros(self._labels.size, np.uint8)
        parts[self._where[above]] = 1
        volume = parts.reshape(self._shape, order="F")
        found = SuprathresholdVoxels(self._values, volume, small_is_strong=False)
        if not found.where.size:
            return np.zeros(n), 0
        found.connect(self._clusters.connectivity)
        large = found.sizes >= self._clusters.min_voxels
        large[0] = False
        kept = large[found.cluster]
        label = self._labels[found.where[kept]]
        share = np.bincount(label, minlength=n + 1)[1:] / self._clusters.labelled.size
        old = np.zeros(large.size, bool)
        old[found.cluster[kept][label > 0]] = True
        return share, int((large & ~old).sum())


# --- null distributions ---------------------------------------------------------------


def _matching_null(activations: ModeledActivations) -> _Null:
    """Choose the null distribution that the opened p came from."""
    source = PSource(activations.statmap)
    log_p = source.log_p()
    if log_p is None:
        raise ResultsError(
            f"{activations.statmap.title}: the p or logp map of the same test is not "
            "at hand, so nothing shows which null distribution it came from."
        )
    opened = log_p.reshape(-1)[activations.inside]
    candidates: list[_Null]
    if activations.method is not Method.ALE:
        candidates = [_CountNull(activations)]
    elif len(activations) > _MOST_EXACT:
        candidates = [_LogNull(activations)]
    else:
        candidates = [_GridNull(activations, rounds=one) for one in (True, False)]
    for null in candidates:
        p = null.whole()[null.bins_of(activations.total)]
        p[activations.reached_by == 0] = 1
        if _same_p(np.log(p), opened, coarse=isinstance(null, _LogNull)):
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
    return np.maximum(tail, tail[tail > 0].min())


class _GridNull:
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
        return np.clip(bins, 0, self._centers.size - 1).astype(np.intp)

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
        return np.bincount(
            self._place(scores).ravel(), weights.ravel(), self._centers.size
        )

    def _first(self, one: tuple[IndexArray, Float64Array]) -> Float64Array:
        mass = np.zeros(self._centers.size)
        mass[one[0]] = one[1]
        return mass

    def bins_of(self, total: Float64Array) -> IndexArray:
        """Return the bin of each sum: the nearest, in all releases."""
        scaled = self._activations.statistic(total).astype(np.float64) * self._inverse
        bins = np.floor(scaled)
        bins += scaled - bins >= 0.5
        return np.minimum(bins, self._centers.size - 1).astype(np.intp)

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


class _LogNull:
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

    @property
    def _nobody(self) -> Float64Array:
        mass = np.zeros(self._n)
        mass[0] = 1
        return mass

    def whole(self) -> Float64Array:
        """Return the upper tail of each bin, with all experiments."""
        mass = self._nobody
        for one in self._histograms:
            mass = self._added(mass, one)
        return _upper_tail(mass)

    def without_each(self) -> Iterator[Float64Array]:
        """Yield the upper tail without one experiment after the other.

        Each half of the experiments starts from what the other half came to, and so on
        in each half.
        """
        yield from map(
            _upper_tail, self._without(self._nobody, 0, len(self._histograms))
        )

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


class _CountNull:
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
