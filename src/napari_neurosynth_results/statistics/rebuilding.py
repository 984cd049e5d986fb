"""NiMARE's label map, made anew where it was not kept, and checked before it is used.

Neurosynth Compose uploads no label maps, and hands out the table of diagnostics without
them: its columns are numbers of clusters that nobody sees. NiMARE's workflow (0.22.1)
labels what is above 1.65 in its target map and has at least 10 voxels, in the order in
which nilearn sorts the clusters. That can be done again; but whether it fits has to be
shown by something else than the number of clusters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_neurosynth_results.statistics.foci_counts import labels_at

if TYPE_CHECKING:
    import pandas as pd

    from napari_neurosynth_results.maps.grid import Grid
    from napari_neurosynth_results.maps.statmap import Voxels

Labels = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]

#: Of voxels and of clusters: NiMARE 0.22.1, `CBMAWorkflow`, `PairwiseCBMAWorkflow`.
HEIGHT = 1.65
EXTENT = 10
#: Columns of NiMARE's table of clusters.
_PEAK_COLUMNS = ["X", "Y", "Z"]
_SIZE = "Cluster Size (mm3)"


def rebuild_labels(voxels: Voxels, sign: int) -> Labels:
    """Label a target map as NiMARE's workflow does.

    Parameters
    ----------
    voxels : ndarray of float32, shape (i, j, k)
        The z map that NiMARE looked at.
    sign : int
        +1 or -1.

    Returns
    -------
    ndarray of int, shape (i, j, k)
        0, or the number of the cluster: those of nilearn 0.13's and 0.14's
        `get_clusters_table`, by descending peak.
    """
    strength = np.nan_to_num(voxels) * sign
    # Faces, as nilearn labels; in C order, which decides between equal peaks.
    labels, _ = ndimage.label(strength > HEIGHT)
    size = np.bincount(labels.ravel())
    size[0] = 0
    kept = np.flatnonzero(size >= EXTENT)
    peaks = np.asarray(ndimage.maximum(strength, labels, kept), dtype=np.float64)
    numbers = np.zeros(size.size, np.intp)
    # Not a stable sort: it is the same call on the same numbers that has to be made.
    numbers[kept[(-peaks).argsort()]] = np.arange(1, kept.size + 1)
    rebuilt: Labels = numbers[labels]
    return rebuilt


def numbers_of(table: pd.DataFrame, tail: str) -> list[int]:
    """Return which clusters of a tail a table has columns for, ascending.

    Parameters
    ----------
    table : pandas.DataFrame
        NiMARE's diagnostics.
    tail : {"positive", "negative"}
        The tail.

    Returns
    -------
    list of int
        The numbers in ``PositiveTail 1`` and so on.
    """
    head = f"{tail.capitalize()}Tail "
    names = [name for name in map(str, table.columns) if name.startswith(head)]
    numbers = [name.removeprefix(head) for name in names]
    return sorted(int(number) for number in numbers if number.isdigit())


def same_number(labels: Labels, table: pd.DataFrame, tail: str) -> bool:
    """Say whether a table has a column for each rebuilt cluster, and no other."""
    n = int(labels.max(initial=0))
    return n > 0 and numbers_of(table, tail) == list(range(1, n + 1))


def sizes_agree(labels: Labels, grid: Grid, listed: pd.DataFrame) -> bool:
    """Say whether NiMARE's table of clusters lists just the rebuilt clusters.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k)
        From `rebuild_labels`.
    grid : Grid
        Of the map.
    listed : pandas.DataFrame
        NiMARE's ``_tab-clust`` table; sub-peaks have no size.

    Returns
    -------
    bool
        True when each row lies in another cluster, of the size in the row.
    """
    import pandas as pd

    if not {*_PEAK_COLUMNS, _SIZE} <= set(listed.columns):
        return False
    rows = (
        listed[[*_PEAK_COLUMNS, _SIZE]].apply(pd.to_numeric, errors="coerce").dropna()
    )
    found = labels_at(labels, grid, rows[_PEAK_COLUMNS])
    volume = np.bincount(labels.ravel()) * float(np.prod(grid.voxel_size))
    # Whole mm3 are written.
    agree = np.abs(volume[found] - rows[_SIZE].to_numpy()) < 1
    n = int(labels.max(initial=0))
    return bool(sorted(found.tolist()) == list(range(1, n + 1)) and agree.all())


def counts_agree(table: pd.DataFrame, tail: str, counts: pd.DataFrame) -> bool:
    """Say whether foci show that the columns of a table are the rebuilt clusters.

    Parameters
    ----------
    table : pandas.DataFrame
        Diagnostics with the experiments in its index.
    tail : {"positive", "negative"}
        The tail.
    counts : pandas.DataFrame
        Foci of the same experiments in the rebuilt clusters.

    Returns
    -------
    bool
        Of a table of foci True when all are the same. Of shares, True when each column
        goes more with the foci of its own cluster than with those of any other.
    """
    names = [f"{tail.capitalize()}Tail {n}" for n in numbers_of(table, tail)]
    own = table[names].reindex(counts.index).to_numpy(dtype=np.float64)
    found = counts.to_numpy(dtype=np.float64)
    if np.isnan(own).any():
        return False
    if is_counts(own):
        return np.array_equal(own, found)
    with np.errstate(invalid="ignore", divide="ignore"):
        likeness: Any = np.corrcoef(own.T, found.T)
    n = len(names)
    likeness = np.nan_to_num(likeness, nan=-1.0)[:n, n:]
    rivals = np.where(np.eye(n, dtype=bool), 0.0, likeness)
    return bool((np.diag(likeness) > rivals.max(axis=1)).all())


def is_counts(values: Floats) -> bool:
    """Tell a table of foci from one of shares: all are whole numbers."""
    known = values[np.isfinite(values)]
    return bool((known == np.round(known)).all() and (known >= 0).all())
