"""Where clusters lie: the region of each peak, and what share each region has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import UNLABELLED, Atlas
from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.statistics.clusters.labelling import ClusterArrays

if TYPE_CHECKING:
    import pandas as pd

Objects = npt.NDArray[np.object_]

#: Pairs of cluster and region that are counted at once, however few voxels there are.
_FEW_PAIRS = 1 << 16


@dataclass(frozen=True, eq=False)
class RegionShares:
    """How much of each cluster lies in each region: one row a cluster and region.

    Of each cluster the largest region comes first, and what lies in none at last.

    Attributes
    ----------
    label : ndarray of int, shape (r,)
        The cluster, from 1, ascending.
    code : ndarray of int, shape (r,)
        The region, by its place in `names`.
    n_voxels, percent : ndarray, shape (r,)
        How much of the cluster.
    names : ndarray of str, shape (c,)
        What the regions are called; the first is none.
    """

    label: IndexArray
    code: IndexArray
    n_voxels: IndexArray
    percent: Float64Array
    names: Objects = field(repr=False)

    @cached_property
    def table(self) -> pd.DataFrame:
        """``label, region, n_voxels, percent``."""
        import pandas as pd

        return pd.DataFrame(
            {
                "label": self.label,
                "region": self.names.take(self.code),
                "n_voxels": self.n_voxels,
                "percent": self.percent,
            }
        )

    def of_regions(self, regions: Objects) -> Float64Array:
        """Return what share of each cluster lies in a region, in percent.

        Parameters
        ----------
        regions : ndarray of str, shape (n,)
            One a cluster, empty where there is none.

        Returns
        -------
        ndarray, shape (n,)
            NaN where there is no region.
        """
        shares = np.where(regions != "", 0.0, np.nan)
        if self.label.size:
            cluster = self.label - 1
            here = self.names.take(self.code) == regions.take(cluster)
            shares[cluster[here]] = self.percent[here]
        return shares

    def fill_in_largest(self, regions: Objects) -> Objects:
        """Give each cluster without a region the largest that it has.

        Parameters
        ----------
        regions : ndarray of str, shape (n,)
            The region of each cluster's peak, empty where there is none.

        Returns
        -------
        ndarray of str, shape (n,)
            Still empty for a cluster that has no region at all.
        """
        names = self.names.take(self.code)
        known = (names != UNLABELLED).nonzero()[0]
        # The first that is written stays: the rows are turned around.
        largest = np.full(regions.size, "", dtype=object)
        largest[self.label[known[::-1]] - 1] = names[known[::-1]]
        return np.where(regions == "", largest, regions)


def measure_region_shares(
    found: ClusterArrays, grid: Grid, atlas: Atlas | None
) -> RegionShares:
    """Count how much of each cluster lies in each region, all in one go.

    Parameters
    ----------
    grid : Grid
        Where their voxels are.
    atlas : Atlas, optional
        What they are named by.

    Returns
    -------
    RegionShares
        Empty without an atlas.
    """
    if atlas is None:
        none = np.empty(0, np.intp)
        return RegionShares(none, none, none, np.empty(0), np.empty(0, object))
    names = atlas.coded_names
    # One number for cluster and region, so that equal pairs can be counted.
    pair = found.label.astype(np.intp)
    pair *= names.size
    pair += atlas.codes_on(grid).take(found.where)
    n_pairs = (found.size.size + 1) * names.size
    if n_pairs <= max(_FEW_PAIRS, 4 * pair.size):
        counts = np.bincount(pair, minlength=n_pairs)
        pair = counts.nonzero()[0]
        count = counts.take(pair)
    else:
        pair, count = np.unique(pair, return_counts=True)
    # What is in no cluster comes first.
    start = int(np.searchsorted(pair, names.size))
    label, code = np.divmod(pair[start:], names.size)
    count = count[start:]
    # What lies in no region comes last, however large it is.
    order = np.lexsort((code, -count, code == 0, label))
    label, count = label.take(order), count.take(order)
    percent = 100 * count / found.size.take(label - 1)
    return RegionShares(label, code.take(order), count, percent, names)


def atlas_labels(atlas: Atlas, grid: Grid) -> npt.NDArray[np.intp]:
    """Return the label of every voxel of a grid, (i, j, k), 0 where there is none.

    Raises
    ------
    ResultsError
        When the grid is not in MNI space.
    """
    if (doubt := grid.mni_doubt()) is not None:
        raise ResultsError(f"No region of an atlas is known there: {doubt}.")
    labels = atlas.coded_labels.take(atlas.codes_on(grid))
    return labels.reshape(grid.shape, order="F")


def nearest_regions(
    places: Float64Array, atlas: Atlas | None
) -> tuple[Objects, Float64Array]:
    """Find the region of every peak and sub-peak.

    Parameters
    ----------
    places : ndarray, shape (m, 3)
        MNI mm.
    atlas : Atlas, optional
        What they are named by.

    Returns
    -------
    region : ndarray of str, shape (m,)
        Empty where none is within 4 mm, and without an atlas.
    distance : ndarray, shape (m,)
        How far it is, in mm: 0 inside of it, NaN where there is none.
    """
    n = len(places)
    if atlas is None:
        return np.full(n, "", dtype=object), np.full(n, np.nan)
    codes, distances = atlas.nearest_codes(places)
    names = atlas.coded_names.take(codes)
    names[codes == 0] = ""
    return names, distances


def default_names(regions: Iterable[str]) -> list[str]:
    """Call each cluster by its region.

    Parameters
    ----------
    regions : iterable of str
        One a cluster, empty where none is known.

    Returns
    -------
    list of str
        ``Insula R``, then ``Insula R 2``; a number where no region is known.
    """
    used: Counter[str] = Counter()
    names = []
    for label, region in enumerate(regions, start=1):
        if not region:
            names.append(f"cluster {label}")
            continue
        name = region[:1].upper() + region[1:]
        used[name] += 1
        names.append(f"{name} {used[name]}" if used[name] > 1 else name)
    return names
