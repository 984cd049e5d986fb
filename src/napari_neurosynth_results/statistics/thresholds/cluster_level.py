"""Cluster-level corrected maps: one value a cluster, significant or not.

NiMARE writes the corrected p of each cluster into all of its voxels, and the floor, the
p of what beats no null maximum, everywhere else in the mask. So a cluster is a set of
touching voxels of one value, and a height threshold means nothing. Source: NiMARE
0.22.1 (`nimare.meta.cbma.base`) and the files it writes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import Tail
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.p_values.conversion import (
    P_TOLERANCE,
    convert_to_log_p,
    name_p,
    short_p,
)
from napari_neurosynth_results.statistics.p_values.directions import (
    Direction,
    choose_sides,
)
from napari_neurosynth_results.statistics.p_values.monte_carlo import (
    NullDistribution,
    find_null_distribution,
    statement_notices,
    statement_of,
)
from napari_neurosynth_results.statistics.p_values.significance import (
    PSource,
    find_test,
)
from napari_neurosynth_results.statistics.thresholds.masks import Masking, as_masking

#: The floor is 1 - 1 / iterations, of 10 iterations at least. A cluster may have a p
#: close to 1 as well, but fills less space.
_FLOOR_P = 0.9 - 1e-6
_FLOOR_SHARE = 0.5
#: How far float32 may carry (1 - p) times iterations from 1.
_GRAIN = 0.02
#: Two parts a value have to fit into 16 bits; NiMARE's default is 10,000 iterations.
_MOST_VALUES = 30_000
#: More clusters than these are counted in a notice, not named.
_MOST_NAMES = 6
#: NiMARE formed clusters with 18 neighbors before this release, with 6 since.
FACES_SINCE = (0, 0, 13)


@dataclass(frozen=True)
class ClusterFormation:
    """How clusters were formed before they were tested.

    Attributes
    ----------
    p : float or None
        The uncorrected p that voxels had to stay below; None when nobody knows.
    connectivity : int
        Which neighbors touched: 6, 18 or 26.
    joined : int
        Fragments that touch a cluster of the same p by no face, and are part of it.
    """

    p: float | None = None
    connectivity: int = 6
    joined: int = 0

    def __str__(self) -> str:
        """Threshold, and neighbors where they are not NiMARE's of today."""
        known = f"p < {short_p(self.p)}" if self.p else "not known"
        touched = f", {self.connectivity}-connected" if self.joined else ""
        return f"cluster-forming threshold {known}{touched}"

    @property
    def notices(self) -> list[str]:
        """Say by what fragments were known for parts of a cluster."""
        if not self.joined:
            return []
        touch = {18: "an edge", 26: "a corner"}[self.connectivity]
        n, many = self.joined, self.joined > 1
        release = ", as by NiMARE before 0.0.13" if self.connectivity == 18 else ""
        return [
            f"{n} {'fragments that touch' if many else 'fragment that touches'} a "
            f"cluster of the same p by {touch} only {'belong' if many else 'belongs'} "
            "to it, being too small to have that p alone: clusters were formed with "
            f"{self.connectivity} neighbors{release}."
        ]


@dataclass(frozen=True)
class ClusterLevelResult:
    """How a cluster-level corrected map was read.

    Attributes
    ----------
    alpha : float
        Level of significance of a cluster.
    null : NullDistribution or None
        What p was counted in: its grain.
    parts : ndarray of uint16, shape (i, j, k)
        One odd number for each value among positive voxels, the even one after it
        among negative voxels.
    values : StatMap
        The uncorrected map, inside which peaks can be told apart.
    p_by_part : ndarray
        Corrected p of the clusters of each part.
    correction : str
        ``"FWE"`` or ``"FDR"``.
    tail : Tail
        How the uncorrected p counts.
    formation : ClusterFormation
        How clusters were formed before they were tested.
    masking : Masking, optional
        Where was looked.
    notices : tuple of str
        What else has to be said.
    """

    alpha: float
    null: NullDistribution | None
    parts: npt.NDArray[np.uint16] = field(repr=False)
    values: StatMap = field(repr=False)
    p_by_part: npt.NDArray[np.float64] = field(repr=False)
    correction: str
    tail: Tail
    formation: ClusterFormation = field(default_factory=ClusterFormation)
    masking: Masking | None = None
    notices: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Level of significance, grain, formation and mask, in words."""
        grain = f", {self.null}" if self.null else ""
        where = f", {self.masking}" if self.masking else ""
        level = f"{self.p_word} <= {short_p(self.alpha)}"
        return f"{level}, cluster-level{grain}, {self.formation}{where}"

    @property
    def p_word(self) -> str:
        """What the field calls the p of a cluster: p_FWE, or q after FDR."""
        return name_p(self.correction)

    @property
    def iterations(self) -> int | None:
        """Monte Carlo iterations, None when nobody knows."""
        return self.null.iterations if self.null else None

    def describe(self, cluster_p: npt.NDArray[np.float64]) -> str:
        """Say how many clusters there are, are significant, and might be either.

        Parameters
        ----------
        cluster_p : ndarray
            Corrected p of each cluster.

        Returns
        -------
        str
            One sentence.
        """
        n, significant = cluster_p.size, int(self.significant(cluster_p).sum())
        grain = f" ({self.null})" if self.null else ""
        borderline = int(self.intervals(cluster_p)[2].sum())
        # There may be more at the floor: of those the file does not tell.
        found = f"{significant} of {n} cluster{'s' * (n != 1)}" if n else "No cluster"
        return (
            f"{found} significant at {self.p_word} <= "
            f"{short_p(self.alpha)}{grain}"
            + (f", {borderline} borderline" if borderline else "")
            + f"; {self.formation}"
            + (f", {self.masking}" if self.masking else "")
        )

    def intervals(
        self, cluster_p: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Return how sure Monte Carlo p are, and which might be on alpha's other side.

        Parameters
        ----------
        cluster_p : ndarray
            Corrected p of each cluster.

        Returns
        -------
        low, high : ndarray of float64
            95 % intervals, NaN when nobody knows the number of iterations. At the
            smallest p, where none or one of them was as large, the lower end is 0.
        borderline : ndarray of bool
            Whether alpha lies within the interval.
        """
        if self.null is None:
            unknown = np.full(cluster_p.size, np.nan)
            return unknown, unknown.copy(), np.zeros(cluster_p.size, bool)
        low, high = self.null.intervals(cluster_p)
        return low, high, (low <= self.alpha) & (self.alpha <= high)

    def tell_borderline(
        self, cluster_p: npt.NDArray[np.float64], names: Sequence[str]
    ) -> str:
        """Say which clusters another run might have judged otherwise; mostly none.

        Parameters
        ----------
        cluster_p : ndarray of float64, shape (n,)
            Corrected p of each cluster.
        names : sequence of str
            What each is called.

        Returns
        -------
        str
            Without a full stop; empty where there are none.
        """
        borderline = self.intervals(cluster_p)[2].tolist()
        found = [name for name, one in zip(names, borderline, strict=True) if one]
        if not found:
            return ""
        more = len(found) - _MOST_NAMES
        told = ", ".join(found[:_MOST_NAMES]) + (
            f" and {more} more" if more > 0 else ""
        )
        whose = "its p" if len(found) == 1 else "their p"
        return (
            f"Borderline: {told}. Counted in {self.null}, {whose} could lie on either "
            f"side of {short_p(self.alpha)} (the 95 % interval includes it): another "
            "run might decide otherwise"
        )

    def significant(self, cluster_p: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Mark the clusters with p <= alpha, as float32 says it."""
        return np.asarray(cluster_p <= self.alpha * (1 + P_TOLERANCE))

    def p_at(self, voxels: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Return the corrected p of the clusters at some voxels, shape (n, 3)."""
        p: npt.NDArray[np.float64] = self.p_by_part[self.parts[tuple(voxels.T)]]
        return p


def read_clusters(
    source: PSource,
    alpha: float,
    mask: Mask | Masking | None = None,
    tail: Direction = "auto",
) -> ClusterLevelResult:
    """Find which voxels carry which cluster's p.

    Parameters
    ----------
    source : PSource
        What states the p of a cluster-level corrected map: its logp or p sibling where
        there is one, because zeros hide weak clusters of a one-tailed z.
    alpha : float
        Level of significance of a cluster.
    mask : ndarray of bool or Masking, optional
        Look only here.
    tail : {"positive", "negative", "both", "auto"}
        Directions to keep, by the sign of the uncorrected map.

    Returns
    -------
    ClusterLevelResult
        Voxels at the floor are in no part: a cluster whose p equals the floor cannot be
        told from it.

    Raises
    ------
    ResultsError
        When alpha is no probability, the direction was not tested, the map holds more
        values than clusters can have, or a map cannot be read.
    """
    if not 0 < alpha < 1:
        raise ResultsError(f"A probability must lie between 0 and 1, not at {alpha}.")
    statmap = source.statmap
    source.evidence.check(statmap)
    source.check_values()
    masking = as_masking(mask, statmap.grid)
    formed = read_formed_values(source)
    test = find_peak_map(statmap)
    keep = choose_sides(test, tail)
    inside = formed.codes > 0
    negative = test.data[inside] < 0 if test.signed else np.zeros(inside.sum(), bool)
    part = 2 * formed.codes[inside] - 1 + negative
    part[np.where(negative, not keep[1], not keep[0])] = 0
    parts = np.zeros(statmap.grid.shape, np.uint16, order="F")
    parts[inside] = part
    if masking is not None:
        # Not before: the floor is known by how much of the whole brain it fills.
        parts *= masking.mask
    return ClusterLevelResult(
        alpha=alpha,
        null=find_null_distribution(statmap),
        parts=parts,
        values=test,
        p_by_part=np.concatenate([[math.nan], np.repeat(formed.p[1:], 2)]),
        correction=statmap.correction or "corrected",
        tail=test.tail,
        formation=ClusterFormation(statement_of(statmap).forming_p),
        masking=masking,
        notices=tuple(statement_notices(statmap)),
    )


@dataclass(frozen=True)
class FormedValues:
    """The values of a cluster-level map, without the floor.

    Attributes
    ----------
    codes : ndarray of uint16, shape (i, j, k)
        One number for each value, from 1; 0 at the floor and outside of the mask.
    p : ndarray
        The corrected p of each number, NaN for 0.
    """

    codes: npt.NDArray[np.uint16] = field(repr=False)
    p: npt.NDArray[np.float64] = field(repr=False)


def read_formed_values(source: PSource) -> FormedValues:
    """Give a number to each value that clusters carry.

    Parameters
    ----------
    source : PSource
        What states the p of a cluster-level corrected map.

    Returns
    -------
    FormedValues
        Of the whole map, both signs together.

    Raises
    ------
    ResultsError
        When the map holds more values than clusters can have, or cannot be read.
    """
    statmap, data = source.statmap, source.map.data
    inside = np.isfinite(data) & (data != 0)
    carried = np.abs(data[inside])
    values = np.unique(carried)
    if values.size > _MOST_VALUES:
        raise ResultsError(
            f"{statmap.title} has {values.size:,} values, too many for clusters with "
            "one value each: its name says cluster-level, its voxels do not."
        )
    # They are few: looked up ten times as fast as all voxels are put in order.
    code = values.searchsorted(carried)
    count = np.bincount(code, minlength=values.size)
    p = np.exp(convert_to_log_p(values, source.kind, source.tail))
    null = find_null_distribution(statmap)
    floor = _floor(p, count, null)
    numbers = np.where(floor, 0, np.arange(1, values.size + 1)).astype(np.uint16)
    codes = np.zeros(statmap.grid.shape, np.uint16, order="F")
    codes[inside] = numbers[code]
    return FormedValues(codes, np.concatenate([[math.nan], p]))


def _floor(
    p: npt.NDArray[np.float64],
    count: npt.NDArray[np.intp],
    null: NullDistribution | None,
) -> npt.NDArray[np.bool_]:
    """Mark the value that stands for "in no cluster", if there is one."""
    floor = np.zeros(p.size, bool)
    if not p.size:
        return floor
    weakest = int(np.argmax(p))
    fills = bool(count[weakest] >= _FLOOR_SHARE * count.sum())
    if null is not None:
        # Clusters may fill more than half of the mask.
        parts = (1 - p[weakest]) / null.smallest_p
        # Near 1 float32 has the last bit of 1, of so many parts.
        fills |= bool(abs(parts - 1) < _GRAIN + 2.0**-23 / null.smallest_p)
    floor[weakest] = fills and p[weakest] >= _FLOOR_P
    return floor


def find_peak_map(statmap: StatMap) -> StatMap:
    """Find the map whose peaks and signs those of a corrected map's clusters are.

    Parameters
    ----------
    statmap : StatMap
        A corrected map.

    Returns
    -------
    StatMap
        The uncorrected map of the same test: z, else the map's own value; the map
        itself where there is neither.
    """
    return find_test(statmap) or statmap
