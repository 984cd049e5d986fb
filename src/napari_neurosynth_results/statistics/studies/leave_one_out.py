"""Leave one experiment out: which clusters are found again without each of them.

The meta-analysis is estimated anew without each experiment, with a null distribution of
its own, and thresholded at the same height and extent. That describes how much a
cluster hangs on single experiments. It is no test and controls no error rate, and what
Monte Carlo corrected is not corrected anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.numerals import short_percent
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
from napari_neurosynth_results.statistics.studies import ABOUT_SURVIVAL
from napari_neurosynth_results.statistics.studies.analytic_nulls import (
    MOST_EXACT,
    LogarithmicNull,
    find_analytic_null,
)
from napari_neurosynth_results.statistics.studies.kernels import Method
from napari_neurosynth_results.statistics.studies.modeled_activations import (
    ModeledActivations,
)
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
)

if TYPE_CHECKING:
    import pandas as pd

#: More experiments are not named in a sentence.
_MOST_NAMED = 4

#: Columns of `LeaveOneOut.table`, and what each holds.
SURVIVAL_COLUMNS = {
    **dict.fromkeys(("stands", "stands_of"), "Int64"),
    **{"lost_without": "object", "least_kept_percent": "float64"},
    "least_kept_without": "object",
}


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
    uncorrected : bool
        Whether it is the uncorrected height of clusters that were corrected.
    """

    clusters: ClusterSet = field(repr=False)
    names: tuple[str, ...]
    kept: Float64Array = field(repr=False)
    new: IndexArray = field(repr=False)
    height: str
    notices: tuple[str, ...] = ()
    uncorrected: bool = False

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
        labels = range(1, n + 1)
        table = pd.DataFrame(
            {
                "stands": self.stands,
                "stands_of": np.full(n, k),
                "lost_without": ["; ".join(self.lost_without(one)) for one in labels],
                "least_kept_percent": 100 * self.kept.min(axis=0),
                "least_kept_without": [self.names[number] for number in least],
            },
            index=pd.RangeIndex(1, n + 1, name="cluster"),
        )
        return table.astype(SURVIVAL_COLUMNS)

    def add_to(self, clusters: ClusterSet) -> ClusterSet:
        """Return clusters whose table says what became of each.

        Parameters
        ----------
        clusters : ClusterSet
            These, or the same by other names.

        Returns
        -------
        ClusterSet
            Shares all arrays with the one given.
        """
        assert clusters.labelled is self.clusters.labelled
        columns = {str(name): column.array for name, column in self.table.items()}
        return replace(clusters, survival=columns)

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
            As in ``Stands in 19 of 21; not without pain_03 or pain_04.``, which
            `ABOUT_SURVIVAL` explains.
        """
        k, stands = len(self), int(self.stands[label - 1])
        told = f"Stands in {stands} of {k}"
        told += f" at {self.height}, uncorrected" if self.uncorrected else ""
        if lost := [title(name) for name in self.lost_without(label)]:
            return f"{told}; not without {_any_of(lost)}."
        least = int(self.kept[:, label - 1].argmin())
        percent = 100 * self.kept[least, label - 1]
        if percent == 100:
            return f"{told}, each time with all of its voxels."
        without = title(self.names[least])
        return f"{told}; least is left without {without}: {short_percent(percent)}."


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
    null = find_analytic_null(activations)
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
    if isinstance(null, LogarithmicNull):
        told.append(
            f"With more than {MOST_EXACT} experiments p is read off a grid of "
            "logarithms, which shifts z by about .01 at most."
        )
    return LeaveOneOut(
        clusters,
        activations.names,
        kept,
        new,
        asked.told,
        tuple(told),
        uncorrected=bool(asked.notices),
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
        f"The height asks for {with_all} {unit} with all {k}, and of the "
        f"re-estimations {times}: counts are whole, so that a cluster may gain where "
        "an experiment is left out."
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
