"""Maps that are made of others: they are computed when somebody looks at them.

The p of the conjunction null, "not both effects are there", is the larger of the two
(Nichols, Brett, Andersson, Wager and Poline 2005, NeuroImage 25, 653-660). It is found
by the logarithm of p; the smaller of two z would be wrong where their tails differ. One
map minus another is a picture of where they differ, and no test of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.kinds import VALUE_KINDS, MapKind, Tail
from napari_neurosynth_results.maps.names import MapName
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.agreement import MapSample
from napari_neurosynth_results.statistics.comparison.overlap import (
    direction_doubt,
    find_direction_map,
)
from napari_neurosynth_results.statistics.p_values.directions import choose_sides
from napari_neurosynth_results.statistics.thresholds.apply import ThresholdResult
from napari_neurosynth_results.statistics.thresholds.masks import resample_nearest

_LOG_2, _LOG_10 = math.log(2), math.log(10)
_SMALLEST = float(np.finfo(np.float32).tiny)


class _ComputedVoxels:
    """Voxels that a function returns."""

    def __init__(
        self, compute: Callable[[], Voxels], parts: tuple[ClusterSet, ...]
    ) -> None:
        self._compute = compute
        self.parts = parts

    def read(self) -> tuple[Voxels, tuple[str, ...]]:
        """Compute them; there is nothing to say about them."""
        return np.asfortranarray(self._compute(), dtype=np.float32), ()


def derived_map(
    grid: Grid,
    title: str,
    values: Mapping[str, Callable[[], Voxels]],
    *,
    contrast: str,
    parts: tuple[ClusterSet, ...] = (),
) -> StatMap:
    """Make a map that can be looked at and thresholded as any other.

    Parameters
    ----------
    grid : Grid
        Of all its values.
    title : str
        What it is, in words.
    values : mapping of str to callable
        How to compute its voxels, float32 (i, j, k). Keys that are NiMARE's values
        (``"z"``, ``"p"``, ``"logp"``) make siblings, which state each other's p; an
        empty key makes a map that has none. The first is returned.
    contrast : str
        Its key, or the ``desc`` in its name.
    parts : tuple of ClusterSet
        What it is made of, see `parent_clusters`.

    Returns
    -------
    StatMap
        In a result set of its own.
    """
    files: list[MapFile] = []
    titles: dict[str, str] = {}
    for value, compute in values.items():
        name = None
        key, kind = contrast, MapKind.OTHER
        if value:
            name = MapName(value, (("desc", contrast),))
            key, kind = name.stem, VALUE_KINDS[value]
        voxels = _ComputedVoxels(compute, parts)
        made_from = tuple(part.statmap for part in parts)
        files.append(MapFile(key, name, kind, grid, "", voxels, made_from=made_from))
        titles[key] = title if not titles else f"{value} of the {title}"
    results = ResultSet(files, title=title, source="", titles=titles)
    return results[files[0].key]


def parent_clusters(statmap: StatMap) -> tuple[ClusterSet, ...]:
    """Return the clusters of the maps that a map was made of.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    tuple of ClusterSet
        Empty for a map that was opened.
    """
    if statmap.path:
        return ()
    source = statmap.file.source
    return source.parts if isinstance(source, _ComputedVoxels) else ()


def why_no_conjunction(clusters: ClusterSet, name: str) -> str | None:
    """Say why a map has no p that a conjunction could take, None when it has.

    Parameters
    ----------
    clusters : ClusterSet
        Clusters of the map: they say what is known beside it.
    name : str
        What to call it.

    Returns
    -------
    str or None
        One sentence without a full stop.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    statmap = clusters.statmap
    if statmap.level == "cluster":
        return (
            f"{name} is corrected by cluster: its p is that of whole clusters, not of "
            "voxels. What the two maps share is the intersection of their clusters, "
            "which has no p of its own"
        )
    if statmap.correction:
        return (
            f"{name} is {statmap.correction}-corrected: its p is about the whole map. "
            "What the two maps share is the intersection at their thresholds. For a p "
            "of each voxel compare the uncorrected maps"
        )
    if not clusters.p_source.has_p:
        return (
            f"{name} holds {statmap.kind.meaning}, and no p or logp map of the same "
            "test is beside it"
        )
    return direction_doubt(statmap, name)


@dataclass(frozen=True, eq=False)
class _Conjunction:
    """What the maps of a conjunction are computed from, each part once.

    Attributes
    ----------
    a, b : ClusterSet
        Clusters of the two maps.
    grid : Grid
        The grid of the conjunction.
    tail : Tail
        How its p counts.
    """

    a: ClusterSet
    b: ClusterSet
    grid: Grid
    tail: Tail

    @cached_property
    def found(self) -> tuple[npt.NDArray[np.intp], Float64Array, npt.NDArray[np.bool_]]:
        """Where both agree (flat, Fortran order), log p there, which is negative."""
        signs_a, at_a = self._signs(self.a)
        signs_b, at_b = self._signs(self.b)
        where = np.flatnonzero((signs_a == signs_b) & (signs_a != 0))
        log_p = np.maximum(
            _log_p(self.a, where if at_a is None else at_a[where]),
            _log_p(self.b, where if at_b is None else at_b[where]),
        )
        kept = log_p < 0
        return where[kept], log_p[kept], signs_a[where[kept]] < 0

    def _signs(
        self, clusters: ClusterSet
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.intp] | None]:
        """Return the tested direction of each voxel, and which voxel of the map it is.

        By the nearest voxel, so that every p is one that a test gave, and what survives
        p <= alpha is what survives it in both maps.
        """
        statmap = clusters.statmap
        signs = _direction(clusters)
        if statmap.grid.same_as(self.grid):
            return signs.ravel(order="F"), None
        number = np.arange(1, signs.size + 1, dtype=np.int32)
        places = resample_nearest(
            number.reshape(signs.shape, order="F"), statmap.grid, self.grid
        )
        at = places.ravel(order="F").astype(np.intp) - 1
        moved = signs.ravel(order="F")[at]
        moved[at < 0] = 0
        return moved, at

    def z(self) -> Voxels:
        """Compute z by the tail of the conjunction, signed."""
        from scipy.special import ndtri_exp

        where, log_p, negative = self.found
        two = self.tail is Tail.TWO
        z = -ndtri_exp(log_p - _LOG_2 if two else log_p)
        # As NiMARE writes it: p >= .5 of one tail is no evidence, and 0.
        z = np.maximum(z, 0)
        return self._volume(where, np.where(negative, -z, z))

    def logp(self) -> Voxels:
        """Compute -log10 of p."""
        where, log_p, _ = self.found
        return self._volume(where, -log_p / _LOG_10)

    def p(self) -> Voxels:
        """Compute p: 1 where the two do not agree, 0 outside the mask."""
        where, log_p, _ = self.found
        masks = [self._mask(clusters.statmap) for clusters in (self.a, self.b)]
        p = (masks[0] & masks[1]).astype(np.float32, order="F")
        p.reshape(-1, order="F")[where] = np.maximum(np.exp(log_p), _SMALLEST)
        return p

    def _mask(self, statmap: StatMap) -> Mask:
        assert statmap.mask is not None
        return resample_nearest(statmap.mask, statmap.grid, self.grid)

    def _volume(self, where: npt.NDArray[np.intp], values: Float64Array) -> Voxels:
        volume = np.zeros(self.grid.shape, np.float32, order="F")
        volume.reshape(-1, order="F")[where] = values
        return volume


def build_conjunction(a: ClusterSet, b: ClusterSet, grid: Grid, title: str) -> StatMap:
    """Make the map of the conjunction of two maps.

    Parameters
    ----------
    a, b : ClusterSet
        Clusters of two maps that `why_no_conjunction` has nothing against. What was
        asked of them says which directions count.
    grid : Grid
        The grid of the comparison; p is that of the nearest voxel.
    title : str
        What to call it.

    Returns
    -------
    StatMap
        A z map with logp beside it, and with p where both analysis masks are known, so
        that tests can be counted. Its z is that of the larger p by its own tail:
        two-tailed where both maps are, else one-tailed. 0 where the signs differ.
    """
    tails = {_tail(clusters) for clusters in (a, b)}
    tail = Tail.TWO if tails == {Tail.TWO} else Tail.ONE
    made = _Conjunction(a, b, grid, tail)
    values = {"z": made.z, "logp": made.logp}
    if a.statmap.mask is not None and b.statmap.mask is not None:
        values["p"] = made.p
    statmap = derived_map(grid, title, values, contrast="conjunction", parts=(a, b))
    # Its z is made by this tail; where it is 0 everywhere nothing could be measured.
    for other in statmap.results.maps.values():
        statmap.results.remember((other.key, "tail"), lambda: (tail, False))
    return statmap


def _tail(clusters: ClusterSet) -> Tail:
    """Return how the p of a map counts; chi2 and F count both directions."""
    applied, source = clusters.threshold, clusters.p_source
    assert isinstance(applied, ThresholdResult)
    if source.is_lone:
        return applied.tail
    tail = applied.tail if applied.tail is not Tail.NONE else source.tail
    return Tail.TWO if tail is Tail.NONE else tail


def _direction(clusters: ClusterSet) -> npt.NDArray[np.int8]:
    """Mark the directions of a map that were tested and asked for: 1, -1, else 0."""
    statmap = clusters.statmap
    test = find_direction_map(statmap) or statmap
    positive, negative = choose_sides(statmap, clusters.asked.tail)
    values = test.data
    if test is statmap and (inside := statmap.inside) is not None:
        return np.asarray(inside, np.int8, order="F")
    if test is not statmap:
        # A p has no side that could have been asked for.
        positive, negative = True, test.signed
    signs = np.zeros(values.shape, np.int8, order="F")
    if positive:
        signs += values > 0
    if negative:
        signs -= values < 0
    return signs


def _log_p(clusters: ClusterSet, flat: npt.NDArray[np.intp]) -> Float64Array:
    """Return log p of some voxels (flat, Fortran order) as the threshold read it."""
    statmap, source = clusters.statmap, clusters.p_source
    at = np.unravel_index(flat, statmap.grid.shape, order="F")
    if flat.size * 4 > statmap.data.size and not source.is_lone:
        whole = source.log_p()
        assert whole is not None
        log_p = whole[at]
    else:
        log_p = source.log_p_at(at, clusters.threshold.tail)
    return np.where(np.isnan(log_p), 0, log_p)


def why_no_difference(a: StatMap, b: StatMap, name_a: str, name_b: str) -> str | None:
    """Say why the difference of two maps would mean nothing, None when it does.

    Parameters
    ----------
    name_a, name_b : str
        What to call them.

    Returns
    -------
    str or None
        One sentence without a full stop.

    Raises
    ------
    ResultsError
        When a map that has to be looked at cannot be read.
    """
    if a.kind is not b.kind:
        return f"{name_a} holds {a.kind} and {name_b} {b.kind} values: another unit"
    if not a.kind.may_subtract:
        return f"both hold {a.kind.meaning}, and their difference would mean nothing"
    for statmap, name in ((a, name_a), (b, name_b)):
        if statmap.correction:
            return (
                f"{name} is corrected: its values say how surely an effect is not 0, "
                "not how large it is"
            )
    if a.tail is not b.tail:
        return (
            f"{name_a} is {a.tail} and {name_b} {b.tail}: the same {a.kind} means "
            "another p"
        )
    if a.kind.row.p.n_dof and (a.dof != b.dof or a.dof is None):
        return f"their degrees of freedom differ or are unknown: {a.dof} and {b.dof}"
    return None


def build_difference(
    a: MapSample,
    b: MapSample,
    grid: Grid,
    title: str,
    parts: tuple[ClusterSet, ...] = (),
) -> StatMap:
    """Make the map of the first minus the second.

    Parameters
    ----------
    a, b : MapSample
        Values of two maps that `why_no_difference` has nothing against, on the grid.
    grid : Grid
        The grid of the comparison.
    title : str
        What to call it.
    parts : tuple of ClusterSet
        The clusters of the two.

    Returns
    -------
    StatMap
        Of kind `MapKind.OTHER`, so that it has no p; 0 where one of them has no value.
    """
    compute = partial(_subtract, a, b)
    return derived_map(grid, title, {"": compute}, contrast="difference", parts=parts)


def _subtract(a: MapSample, b: MapSample) -> Voxels:
    values = np.zeros(a.values.shape, np.float32, order="F")
    np.subtract(a.values, b.values, out=values, where=a.inside & b.inside)
    return values
