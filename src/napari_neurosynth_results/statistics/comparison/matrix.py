"""Many maps compared, every two of them: matrices of overlap and of likeness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.statmap import Mask
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.agreement import (
    MapSample,
    RankOrder,
    common_mask,
    sample_map,
    subtract_mean,
)
from napari_neurosynth_results.statistics.comparison.alignment import align
from napari_neurosynth_results.statistics.comparison.comparison import distinct_names
from napari_neurosynth_results.statistics.comparison.notices import (
    NO_P,
    list_shared_studies,
)
from napari_neurosynth_results.statistics.comparison.overlap import (
    ClusterVoxels,
    place_clusters,
)
from napari_neurosynth_results.statistics.thresholds.masks import (
    Masking,
    as_masking,
    resample_nearest,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Matrix:
    """Several maps, every two compared; the rows and columns are the maps in order.

    Attributes
    ----------
    clusters : tuple of ClusterSet
        The clusters of each map on its own grid.
    names : tuple of str
        What the maps are called; no two alike.
    grid : Grid
        The grid on which voxels are counted.
    resampled : str
        What was resampled and how, in words; empty when all maps are on one grid.
    dice, jaccard : DataFrame
        As of `Comparison`; NaN where neither map has a voxel above its threshold.
    r, rho : DataFrame
        Pearson's and Spearman's correlation over the mask that all maps share; NaN
        where nobody knows it, and for maps with one value a cluster.
    n_voxels : int
        Voxels that the correlations are over.
    notices : tuple of str
        What has to be known to read the numbers.
    """

    clusters: tuple[ClusterSet, ...] = field(repr=False)
    names: tuple[str, ...]
    grid: Grid = field(repr=False)
    resampled: str
    dice: pd.DataFrame = field(repr=False)
    jaccard: pd.DataFrame = field(repr=False)
    r: pd.DataFrame = field(repr=False)
    rho: pd.DataFrame = field(repr=False)
    n_voxels: int
    notices: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.names)

    def __str__(self) -> str:
        """Say how many maps there are and how much they have in common."""
        pairs = self.table["dice"]
        n = len(self)
        told = "nothing is above its threshold"
        if pairs.notna().any():
            told = f"Dice {pairs.min():.3f} to {pairs.max():.3f}"
        return f"{n} maps, {counted(n * (n - 1) // 2, 'pair')}: {told}"

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a pair: ``a, b, dice, jaccard, r, rho``."""
        import pandas as pd

        first, second = np.triu_indices(len(self), 1)
        names = np.array(self.names, dtype=object)
        return pd.DataFrame(
            {
                "a": names[first],
                "b": names[second],
                **{
                    measure: getattr(self, measure).to_numpy()[first, second]
                    for measure in ("dice", "jaccard", "r", "rho")
                },
            }
        )


def compare_all(
    clusters: Sequence[ClusterSet],
    names: Sequence[str] | None = None,
    *,
    mask: Mask | Masking | None = None,
) -> Matrix:
    """Compare the clusters of every two of several maps, and the maps themselves.

    Correlations are over one set of voxels for all pairs, those in every mask that is
    known, so that pairs can be held against each other.

    Parameters
    ----------
    clusters : sequence of ClusterSet
        Two at least, on whatever grids of one space.
    names : sequence of str, optional
        What to call the maps; their titles when not given.
    mask : ndarray of bool or Masking, optional
        On the grid of the first map; the correlations are over it.

    Returns
    -------
    Matrix
        Counted on the finest of the grids.

    Raises
    ------
    ResultsError
        When there are fewer than two maps, a map cannot be read, the mask does not fit,
        or the maps lie in different places.
    """
    if len(clusters) < 2:
        raise ResultsError("There is nothing to compare: give two maps or more.")
    maps = [one.statmap for one in clusters]
    names = tuple(names if names is not None else distinct_names(maps))
    aligned = align(maps, names)
    masking = as_masking(mask, maps[0].grid)
    given = None
    if masking is not None:
        given = resample_nearest(masking.mask, maps[0].grid, aligned.grid)
    sampled = [sample_map(statmap, aligned.grid) for statmap in maps]
    common = common_mask(sampled, given)
    flat = [one.level == "cluster" for one in maps]
    r, rho = _correlations(sampled, flat, common)
    shared, sizes = _count_shared(
        [place_clusters(one, aligned.grid) for one in clusters]
    )
    total = sizes[:, np.newaxis] + sizes
    notices = [NO_P]
    if common is None:
        notices.insert(0, "No analysis mask is known: r and rho are not given.")
    if said := list_shared_studies(maps, names):
        notices.insert(0, said)
    notices = [*(told for one in clusters for told in one.notices), *notices]
    return Matrix(
        clusters=tuple(clusters),
        names=names,
        grid=aligned.grid,
        resampled=aligned.resampled,
        dice=_to_frame(_divide(2 * shared, total), names),
        jaccard=_to_frame(_divide(shared, total - shared), names),
        r=_to_frame(r, names),
        rho=_to_frame(rho, names),
        n_voxels=0 if common is None else int(np.count_nonzero(common)),
        notices=tuple(dict.fromkeys(notices)),
    )


def _count_shared(marked: Sequence[ClusterVoxels]) -> tuple[Float64Array, Float64Array]:
    """Count the voxels of each, and those that every two share with the same sign."""
    # A voxel counts for its sign: two numbers, of which each can be shared.
    codes = [2 * one.where + (one.sign < 0) for one in marked]
    sizes = np.array([code.size for code in codes], float)
    everything = np.unique(np.concatenate(codes))
    above = np.zeros((len(codes), everything.size), np.float32)
    for row, code in zip(above, codes, strict=True):
        row[np.searchsorted(everything, code)] = 1
    # Exact as long as no two maps share 2 ** 24 voxels, ten times a 1 mm brain.
    return (above @ above.T).astype(np.float64), sizes


def _correlations(
    sampled: Sequence[MapSample], flat: Sequence[bool], mask: Mask | None
) -> tuple[Float64Array, Float64Array]:
    n = len(sampled)
    if mask is None:
        return np.full((n, n), math.nan), np.full((n, n), math.nan)
    inside = mask.ravel(order="F")
    rows = [one.values.ravel(order="F")[inside] for one in sampled]
    values, ranks = np.zeros((n, rows[0].size)), np.zeros((n, rows[0].size))
    for number, row in enumerate(rows):
        if row.size and not flat[number] and (row != row[0]).any():
            values[number] = subtract_mean(row)
            ranks[number] = subtract_mean(RankOrder(row).within(None))
    return _correlate_rows(values), _correlate_rows(ranks)


def _correlate_rows(rows: Float64Array) -> Float64Array:
    """Correlate rows that have a mean of 0; NaN where one is constant."""
    products = rows @ rows.T
    size = np.sqrt(products.diagonal())
    size[size == 0] = math.nan
    return np.asarray(np.clip(products / (size[:, np.newaxis] * size), -1, 1))


def _divide(part: Float64Array, whole: Float64Array) -> Float64Array:
    with np.errstate(invalid="ignore"):
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1), math.nan)


def _to_frame(values: Float64Array, names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(values, index=list(names), columns=list(names))
