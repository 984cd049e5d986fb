"""Active parts: the largest places of which a share is active, at least.

The true discovery proportion asked the other way round (Chen, Goeman, Krebs, Meijer and
Weeda 2023, arXiv 2206.13587): not how much of a cluster is active, but how far a place
may reach of which so much is. Each part has a threshold of its own, as lax as the share
allows. Any share may be tried: all answers hold together, with those about clusters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.arrays import BoolArray, Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.true_discoveries import (
    ClosedTesting,
)
from napari_neurosynth_results.statistics.p_values.directions import (
    choose_sides,
    choose_tail,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource

if TYPE_CHECKING:
    import pandas as pd

#: So much less than the share is a rounding error.
_ROUNDING = 1e-9
#: A job is told after so many voxels.
_STEP = 8192


@dataclass(frozen=True, eq=False)
class ActiveParts:
    """The largest parts of clusters, or of a map, of which a share is active.

    Attributes
    ----------
    share : float
        At least so much of each is active.
    testing : ClosedTesting
        What bounds it.
    grid : Grid
        That of the map.
    where : tuple of ndarray
        Positions of the voxels of each part in the flat volume, in memory order
        (Fortran's); the largest part first.
    counts : ndarray of int, shape (n,)
        True discoveries in each, at least.
    p : ndarray, shape (n,)
        The largest p in each: its own threshold.
    peaks : ndarray of int, shape (n, 3)
        The voxel of each with the smallest p.
    cluster : ndarray of int, shape (n,)
        Label of the cluster that each lies in.
    clusters : ClusterSet, optional
        The clusters they lie in; None for those of a whole map.
    """

    share: float
    testing: ClosedTesting
    grid: Grid
    where: tuple[IndexArray, ...] = field(repr=False)
    counts: IndexArray
    p: Float64Array
    peaks: IndexArray
    cluster: IndexArray
    clusters: ClusterSet | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Count the parts."""
        return len(self.where)

    @property
    def sizes(self) -> IndexArray:
        """Voxels of each part, int (n,)."""
        return np.array([place.size for place in self.where], np.intp)

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Label volume, int32 (i, j, k): the largest part is 1, 0 is none."""
        labels = np.zeros(self.grid.shape, np.int32, order="F")
        flat = labels.reshape(-1, order="F")
        for label, place in enumerate(self.where, start=1):
            flat[place] = label
        return labels

    @property
    def table(self) -> pd.DataFrame:
        """One row a part, the largest first.

        Of parts of clusters ``part``, and ``label`` and ``name`` of the cluster; of
        those of a map ``label``. Then ``n_voxels, true_discoveries, tdp_percent``,
        ``p``, the largest in the part, and ``peak_x, peak_y, peak_z``, MNI mm.
        ``attrs["about"]`` says what is assumed.
        """
        import pandas as pd

        sizes, xyz = self.sizes, self.grid.to_mm(self.peaks)
        numbers = np.arange(1, len(self) + 1)
        columns: dict[str, Any] = {"label": numbers}
        if self.clusters is not None:
            names = [self.clusters.names[label - 1] for label in self.cluster]
            columns = {"part": numbers, "label": self.cluster}
            columns["name"] = np.array(names, object)
        columns |= {
            "n_voxels": sizes,
            "true_discoveries": self.counts,
            "tdp_percent": 100 * self.counts / sizes,
            "p": self.p,
        }
        columns |= {f"peak_{axis}": xyz[:, n] for n, axis in enumerate("xyz")}
        table = pd.DataFrame(columns)
        table.attrs["about"] = f"{self.testing}."
        return table

    @property
    def what(self) -> str:
        """What each part is, in words."""
        return (
            f"of which at least {100 * self.share:g} % is active, with "
            f"{self.testing.confidence}"
        )

    def tell(self, label: int = 0) -> str:
        """Say in words which parts there are.

        Parameters
        ----------
        label : int
            Of one cluster alone; 0 for all.
        """
        clusters, inside = self.clusters, ""
        voxels = self.testing.bounds.n_tests
        if clusters is not None:
            sizes = clusters.labelled.size
            voxels = int(sizes[label - 1] if label else sizes.sum())
        if clusters is not None and label:
            inside = f" of {clusters.names[label - 1]}"
        own = self.cluster == label if label else np.ones(len(self), bool)
        if not own.any():
            if caution := self.testing.caution:
                return f"{caution}."
            place = inside.replace(" of", "In", 1) or "Here"
            return (
                f"{place} no part is found {self.what}; of a smaller share there may "
                "be one."
            )
        return (
            f"The largest parts{inside} {self.what}: {self._count(own)}, "
            f"{self.sizes[own].sum():,} of {voxels:,} voxels."
        )

    def _count(self, own: BoolArray) -> str:
        """Count parts, and the clusters that they lie in."""
        n = int(own.sum())
        told = counted(n, "part")
        if self.clusters is None or len(self.clusters) < 2 or not own.all():
            return told
        n_clusters = np.unique(self.cluster).size
        return f"{told} in {n_clusters:,} of {len(self.clusters):,} clusters"

    def __str__(self) -> str:
        """Say which parts there are."""
        return self.tell().removesuffix(".")


def check_share(share: float) -> None:
    """Refuse a share that means nothing.

    Raises
    ------
    ResultsError
        When it is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ResultsError(f"The share must be above 0 and at most 1, not {share}.")


def find_active_parts(
    clusters: ClusterSet, share: float, job: Job | None = None
) -> ActiveParts:
    """Find the largest parts of clusters of which at least a share is active.

    A part is what is left of its cluster, in one piece, at some threshold; a whole
    cluster is one where that much of it is active. Neighbors touch as in the clusters.

    Parameters
    ----------
    share : float
        Above 0, at most 1.
    job : Job, optional
        Hears how far it is, and can be cancelled.

    Returns
    -------
    ActiveParts
        The largest first.

    Raises
    ------
    ResultsError
        When the share means nothing, or nobody knows how much of clusters is active;
        the text says why.
    """
    proven = clusters.proven
    if proven.testing is None:
        raise ResultsError(f"{proven.missing}.")
    assert clusters.test is not None
    found = clusters.labelled
    kept = found.label.nonzero()[0]
    return find_parts(
        clusters.test,
        proven.testing,
        share,
        (found.where.take(kept).astype(np.intp), found.label.take(kept)),
        clusters.connectivity,
        clusters=clusters,
        job=job,
    )


def find_parts(
    source: PSource,
    testing: ClosedTesting,
    share: float,
    places: tuple[IndexArray, npt.NDArray[np.integer[Any]]],
    connectivity: int = 6,
    *,
    clusters: ClusterSet | None = None,
    job: Job | None = None,
) -> ActiveParts:
    """Find the largest parts of some places of which at least a share is active.

    Parameters
    ----------
    source : PSource
        What states the p of the map.
    testing : ClosedTesting
        Of the same map.
    places : tuple of ndarray, shape (v,)
        Positions of voxels in the flat volume, in memory order (Fortran's), and the
        number of the place that each belongs to: parts never reach from one into
        another.
    connectivity : {6, 18, 26}
        Which neighbors touch.

    Raises
    ------
    ResultsError
        When the share or the connectivity means nothing.
    """
    check_share(share)
    if connectivity not in (6, 18, 26):
        raise ResultsError(f"connectivity must be 6, 18 or 26, not {connectivity}.")
    where, of_place = places
    shape = testing.inside.shape
    at = np.unravel_index(where, shape, order="F")
    # By the side that the clusters are on; without any, by those of the testing.
    tail = (
        choose_tail(source, choose_sides(source.statmap, "auto"))
        if clusters is None
        else clusters.threshold.tail
    )
    log_p = source.log_p_at(at, tail)
    found = _largest_places(
        testing, log_p, where, of_place, share, connectivity, job or Job()
    )
    # Of each part the strongest voxel comes first, and the weakest last.
    ends = [(members[0], members[-1]) for members, _ in found]
    first, last = np.array(ends, np.intp).reshape(-1, 2).T
    return ActiveParts(
        share,
        testing,
        source.statmap.grid,
        tuple(where.take(members) for members, _ in found),
        np.array([count for _, count in found], np.intp),
        np.exp(log_p.take(last)),
        np.array(at, np.intp)[:, first].T,
        of_place.take(first).astype(np.intp),
        clusters,
    )


def _largest_places(
    testing: ClosedTesting,
    log_p: Float64Array,
    where: IndexArray,
    of_place: npt.NDArray[np.integer[Any]],
    share: float,
    connectivity: int,
    job: Job,
) -> list[tuple[IndexArray, int]]:
    """Find the largest clusters of which at least a share is active.

    All supra-threshold clusters of a map, at all thresholds, are within each other or
    apart. Of those with that share the largest are returned; they are apart. Voxels
    come in by their p, and join what they touch; how many of a cluster are true
    discoveries follows from a matching: each voxel takes the highest place that is
    free, of those from 2 to its category, and one that gets none is a discovery.

    Returns
    -------
    list of tuple
        Numbers of the voxels of each by their p, and its true discoveries at least; the
        largest first.
    """
    order = np.lexsort((where, log_p))
    place, level = where.take(order), log_p.take(order)
    earlier = _earlier_neighbors(
        place, of_place.take(order), testing.inside.shape, connectivity
    )
    category = np.zeros(testing.inside.size, np.intp)
    category[testing.bounds.where] = testing.bounds.category
    forest = _Forest(category.take(place).tolist(), share, testing.bounds.total)
    last = np.append(level[1:] != level[:-1], True).tolist()
    first = 0
    for voxel, neighbors in enumerate(earlier):
        forest.add(voxel, neighbors)
        if last[voxel]:
            # Voxels of one p come in together.
            forest.ask(range(first, voxel + 1))
            first = voxel + 1
            if forest.is_done:
                break
        if not voxel % _STEP:
            job.report("Active parts", voxel, place.size)
    found = [(order.take(np.sort(members)), n) for members, n in forest.answers()]
    return sorted(found, key=lambda one: -one[0].size)


def _earlier_neighbors(
    place: IndexArray,
    group: npt.NDArray[np.integer[Any]],
    shape: tuple[int, ...],
    connectivity: int,
) -> Iterator[list[int]]:
    """Yield which of the voxels before each one touch it, in the same group.

    For some at a time: nobody may ask for the weakest, and those of all at once take
    gigabytes at 1 mm.
    """
    n, far = place.size, {6: 1, 18: 2, 26: 3}[connectivity]
    number = np.full([side + 2 for side in shape], n)
    at = np.unravel_index(place, shape, order="F")
    number[tuple(axis + 1 for axis in at)] = np.arange(n)
    steps = np.array(
        [
            step
            for step in product((0, 1, 2), repeat=3)
            if 0 < sum(abs(side - 1) for side in step) <= far
        ]
    ).T
    for start in range(0, n, _STEP):
        few = slice(start, start + _STEP)
        own = np.arange(start, min(start + _STEP, n))[:, np.newaxis]
        beside = number[
            tuple(
                axis[few, np.newaxis] + step
                for axis, step in zip(at, steps, strict=True)
            )
        ]
        earlier = beside < own
        earlier &= group.take(beside, mode="clip") == group[few, np.newaxis]
        flat, ends = beside[earlier].tolist(), np.cumsum(earlier.sum(axis=1)).tolist()
        yield from (flat[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True))


class _Forest:
    """Clusters that grow together, and the largest of them with a share of discoveries.

    Parameters
    ----------
    category : list of int
        Of each voxel; 0 where it raises no bound.
    share : float
        What is wanted.
    total : int
        True discoveries of all voxels.
    """

    def __init__(self, category: list[int], share: float, total: int) -> None:
        self._category, self._share = category, share
        #: No larger cluster has that share.
        self._most = total / share
        self._parent: list[int] = []
        self._members: dict[int, list[int]] = {}
        #: Voxels that can raise bounds, places taken, and discoveries, by root.
        self._strong: dict[int, list[int]] = {}
        self._taken: dict[int, dict[int, int]] = {}
        self._found: dict[int, int] = {}
        self._answers: dict[int, list[tuple[list[int], int, int]]] = {}
        self._waiting = sum(1 for one in category if one)

    @property
    def is_done(self) -> bool:
        """Whether all that counts is in clusters that are too large."""
        return self._waiting <= 0

    def add(self, voxel: int, neighbors: list[int]) -> None:
        """Let the next voxel in, and join what it touches."""
        self._parent.append(voxel)
        self._members[voxel] = [voxel]
        self._strong[voxel], self._taken[voxel] = [], {}
        self._found[voxel], self._answers[voxel] = 0, []
        if self._category[voxel]:
            self._match(voxel, self._category[voxel])
        for other in neighbors:
            self._join(self._root(voxel), self._root(other))

    def _root(self, voxel: int) -> int:
        parent = self._parent
        while parent[voxel] != voxel:
            parent[voxel] = voxel = parent[parent[voxel]]
        return voxel

    def _match(self, root: int, category: int) -> None:
        """Give a voxel of a cluster the highest free place; or count a discovery."""
        self._strong[root].append(category)
        taken, free = self._taken[root], category
        passed = []
        while free in taken:
            passed.append(free)
            free = taken[free]
        for one in passed:
            taken[one] = free
        if free <= 1:
            self._found[root] += 1
        else:
            taken[free] = free - 1

    def _is_asked(self, root: int) -> bool:
        return len(self._members[root]) <= self._most

    def _join(self, one: int, other: int) -> None:
        if one == other:
            return
        if len(self._members[one]) < len(self._members[other]):
            one, other = other, one
        asked = [self._is_asked(root) for root in (one, other)]
        strong = [len(self._strong[root]) for root in (one, other)]
        self._parent[other] = one
        self._members[one].extend(self._members.pop(other))
        if not self._is_asked(one):
            # It is too large for good: nobody asks it again.
            self._waiting -= sum(n for n, c in zip(strong, asked, strict=True) if c)
        if strong[1] > strong[0]:
            self._exchange(one, other)
        for category in self._strong.pop(other):
            self._match(one, category)
        self._taken.pop(other)
        self._found.pop(other)
        self._answers[one] += self._answers.pop(other)

    def _exchange(self, one: int, other: int) -> None:
        """Keep what more voxels were matched to."""
        strong, taken, found = self._strong, self._taken, self._found
        strong[one], strong[other] = strong[other], strong[one]
        taken[one], taken[other] = taken[other], taken[one]
        found[one], found[other] = found[other], found[one]

    def ask(self, voxels: Iterable[int]) -> None:
        """Note the clusters of some voxels that have the share."""
        for root in {self._root(voxel) for voxel in voxels}:
            size, found = len(self._members[root]), self._found[root]
            if found and found >= self._share * size - _ROUNDING:
                # What it holds is no answer any more. Later members come after these.
                self._answers[root] = [(self._members[root], size, found)]

    def answers(self) -> list[tuple[IndexArray, int]]:
        """Return the voxels of the largest clusters, and their true discoveries."""
        return [
            (np.array(members[:size]), found)
            for noted in self._answers.values()
            for members, size, found in noted
        ]
