"""How many foci of each experiment lie in each cluster, by NiMARE's rule.

NiMARE 0.22.1 (`FocusCounter`) moves a focus to the nearest voxel, as it does before it
draws a kernel around it, and counts it for each cluster of which a voxel is less than
one voxel away. Between voxels that is the voxel itself: the next one is exactly one
away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.studies import Experiments

if TYPE_CHECKING:
    import pandas as pd


def count_foci(
    labels: npt.NDArray[np.integer[Any]],
    grid: Grid,
    signs: npt.ArrayLike,
    experiments: Experiments,
) -> pd.DataFrame:
    """Count the foci of each experiment in each cluster.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k)
        0, or the number of the cluster, 1..n.
    grid : Grid
        Where the voxels are, in MNI mm.
    signs : array_like, shape (n,)
        +1 or -1 of each cluster.
    experiments : Experiments
        What was put into the meta-analysis. When two groups were compared, positive
        clusters belong to the first and negative ones to the second.

    Returns
    -------
    pandas.DataFrame
        One row an experiment, one column a cluster, whole numbers.
    """
    import pandas as pd

    signs = np.concatenate([[0], np.asarray(signs, dtype=np.intp)])
    places, owners = experiments.foci
    label = labels_at(labels, grid, places)
    if len(experiments.groups) > 1:
        group = np.array([one.group for one in experiments.listed], dtype=np.intp)
        wanted = np.where(group[owners] == 2, -1, 1)
        label = np.where(signs[label] == wanted, label, 0)
    # Experiments of one name are one row.
    number = {name: row for row, name in enumerate(experiments.ids)}
    rows = np.array([number[one.id] for one in experiments.listed], dtype=np.intp)
    width = signs.size
    counts = np.bincount(rows[owners] * width + label, minlength=len(number) * width)
    return pd.DataFrame(
        counts.reshape(len(number), width)[:, 1:],
        index=pd.Index(experiments.ids, name="experiment", dtype=object),
        columns=pd.RangeIndex(1, width, name="cluster"),
    )


def labels_at(
    labels: npt.NDArray[np.integer[Any]], grid: Grid, places: npt.ArrayLike
) -> npt.NDArray[np.intp]:
    """Return the cluster at each place, as NiMARE finds it.

    Parameters
    ----------
    labels : ndarray of int, shape (i, j, k)
        0, or the number of the cluster.
    grid : Grid
        Where the voxels are, in MNI mm.
    places : array_like, shape (n, 3)
        MNI mm.

    Returns
    -------
    ndarray of int, shape (n,)
        0 for none, and outside of the grid.
    """
    places = np.asarray(places, dtype=np.float64).reshape(-1, 3)
    # Half to even, as numpy rounds and so NiMARE.
    voxels = np.round((places - grid.origin) / grid.voxel_size)
    inside = ((voxels >= 0) & (voxels < labels.shape)).all(axis=1)
    found = np.zeros(len(places), np.intp)
    found[inside] = labels[tuple(voxels[inside].astype(np.intp).T)]
    return found
