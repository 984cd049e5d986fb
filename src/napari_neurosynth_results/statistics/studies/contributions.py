"""Which experiments are behind a cluster: NiMARE's tables, joined by place.

NiMARE numbers its clusters more than once: the label map and the columns of the counts
one way, the cluster table another (NiMARE 0.21 and later, cluster-level FWE). Joined by
those numbers, most clusters get the wrong studies. So each column is followed into the
label map, and from there to the cluster that lies in the same place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.coordinates import mni_to_tal
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.studies import Experiments
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet

if TYPE_CHECKING:
    import pandas as pd

ContributionKind = Literal["foci", "jackknife"]

#: NiMARE's name of a column, and the label that it stands for.
_COLUMN = re.compile(r"(Positive|Negative)Tail (\d+)")
#: Share of a labelled region that has to lie in a cluster to be its.
_MOSTLY = 0.5


@dataclass(frozen=True)
class DiagnosticsTable:
    """A table of NiMARE's diagnostics and the label map that its columns follow.

    Attributes
    ----------
    table : pandas.DataFrame
        One row an experiment (``id``), one column a label (``PositiveTail 1``).
    labels : ndarray of int, shape (i, j, k)
        The label map, on the grid of the clusters.
    sign : int
        +1 or -1: the clusters that are counted.
    notices : tuple of str
        What has to be said about where the labels come from.
    """

    table: pd.DataFrame = field(repr=False)
    labels: npt.NDArray[np.intp] = field(repr=False)
    sign: int
    notices: tuple[str, ...] = ()


def join_contributions(
    clusters: ClusterSet, counted: Sequence[DiagnosticsTable], kind: ContributionKind
) -> pd.DataFrame:
    """Give each cluster the column of the label that lies where it lies.

    Parameters
    ----------
    counted : sequence of DiagnosticsTable
        Tables, each with its label map.
    kind : {"foci", "jackknife"}
        Foci of several labels in one cluster add up; shares do not, and are left out.

    Returns
    -------
    pandas.DataFrame
        One row an experiment, one column a cluster (its label in ``clusters.table``);
        NaN where NiMARE counted nothing. ``attrs["notices"]`` says what could not be
        joined.

    Raises
    ------
    ResultsError
        When no column can be joined.
    """
    import pandas as pd

    notices: list[str] = []
    columns: dict[int, pd.Series[float]] = {}
    for one in counted:
        table = one.table.set_index("id")
        table.index.name = "experiment"
        homes, rest = _match_labels(clusters, one)
        notices += [*one.notices, *rest]
        for cluster, labels in homes.items():
            names = [name for name in table.columns if _label_of(name) in labels]
            if len(names) > 1 and kind == "jackknife":
                notices.append(
                    f"{clusters.names[cluster - 1]} holds {len(names)} clusters of "
                    "NiMARE's, whose shares do not add up: they are left out."
                )
            elif names:
                columns[cluster] = table[names].sum(axis="columns")
    if not columns:
        raise ResultsError(
            "None of NiMARE's clusters lies in these clusters, so their studies are "
            "not known. Lower the threshold, or use the map that NiMARE counted for."
        )
    joined = pd.DataFrame(columns).reindex(columns=list(clusters.table["label"]))
    joined.columns.name = "cluster"
    joined.attrs["notices"] = tuple(dict.fromkeys(notices))
    return joined


def _match_labels(
    clusters: ClusterSet, counted: DiagnosticsTable
) -> tuple[dict[int, set[int]], list[str]]:
    """Find which labels lie in which cluster; say what lies in none, and what differs.

    Returns
    -------
    homes : dict of int to set of int
        Cluster -> labels.
    notices : list of str
        What a user should know.
    """
    labels = counted.labels
    found = np.where(clusters.labels > 0, clusters.labels, 0)
    signs = np.concatenate([[0], clusters.table["sign"].to_numpy()])
    found = np.where(signs[found] == counted.sign, found, 0)
    homes: dict[int, set[int]] = {}
    notices = []
    # Sorted once: no pass over all voxels for each label.
    at = np.flatnonzero(labels > 0)
    at = at[np.argsort(labels.flat[at], kind="stable")]
    numbers, starts = np.unique(labels.flat[at], return_index=True)
    parts = np.split(found.flat[at], starts[1:])
    for label, inside in zip(numbers.tolist(), parts, strict=bool(numbers.size)):
        # How many of its voxels lie in no cluster, in cluster 1, in cluster 2, ...
        shares = np.bincount(inside, minlength=len(signs)) / inside.size
        cluster = int(shares[1:].argmax()) + 1 if len(signs) > 1 else 0
        if not cluster or shares[cluster] <= _MOSTLY:
            notices.append(f"NiMARE's cluster {label} lies in none of these clusters.")
            continue
        homes.setdefault(cluster, set()).add(label)
        size = int(clusters.table["n_voxels"].iloc[cluster - 1])
        if size != inside.size:
            notices.append(
                f"{clusters.names[cluster - 1]} has {size:,} voxels; NiMARE counted "
                f"for its own cluster there, of {inside.size:,}."
            )
    return homes, notices


def _label_of(column: str) -> int | None:
    found = _COLUMN.fullmatch(str(column))
    return int(found[2]) if found else None


def count_foci(
    labels: npt.NDArray[np.integer[Any]],
    grid: Grid,
    signs: npt.ArrayLike,
    experiments: Experiments,
) -> pd.DataFrame:
    """Count the foci of each experiment in each cluster, by NiMARE's rule.

    NiMARE 0.22.1 (`FocusCounter`) moves a focus to the nearest voxel, as it does before
    it draws a kernel around it, and counts it for each cluster of which a voxel is less
    than one voxel away. Between voxels that is the voxel itself: the next one is
    exactly one away.

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
        Where the voxels are, in MNI mm; those of a grid that states Talairach space
        are looked up where the places lie in it.
    places : array_like, shape (n, 3)
        MNI mm.

    Returns
    -------
    ndarray of int, shape (n,)
        0 for none, and outside of the grid.
    """
    places = np.asarray(places, dtype=np.float64).reshape(-1, 3)
    if grid.in_talairach:
        places = mni_to_tal(places)
    # Half to even, as numpy rounds and so NiMARE.
    voxels = np.round((places - grid.origin) / grid.voxel_size)
    inside = ((voxels >= 0) & (voxels < labels.shape)).all(axis=1)
    found = np.zeros(len(places), np.intp)
    found[inside] = labels[tuple(voxels[inside].astype(np.intp).T)]
    return found
