"""Which experiments are behind a cluster: NiMARE's tables, joined by place.

NiMARE numbers its clusters more than once: the label map and the columns of the counts
one way, the cluster table another (NiMARE 0.21 and later, cluster-level FWE). Joined by
those numbers, most clusters get the wrong studies. So each column is followed into the
label map, and from there to the cluster of the same voxels. What NiMARE counted in a
cluster of other voxels is never said of this one: it is told whose number it is.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy import numerals
from napari_neurosynth_results.anatomy.coordinates import mni_to_tal
from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.studies import Experiments
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.corrected import tell_at_height
from napari_neurosynth_results.statistics.clusters.labelling import (
    ClusterMatch,
    match_clusters,
)

if TYPE_CHECKING:
    import pandas as pd

ContributionKind = Literal["foci", "jackknife"]

#: NiMARE's name of a column by its sign; the number is that of a label.
_COLUMNS = {
    1: re.compile(r"PositiveTail (\d{1,9})"),
    -1: re.compile(r"NegativeTail (\d{1,9})"),
}
#: Contrasts of two groups that are about one of them, or about both (0). In all others
#: what is positive belongs to the first group and what is negative to the second.
_GROUPS = {
    **{"group1": 1, "uniformity": 1, "consistency": 1, "AgF": 1},
    **{"group2": 2, "AgU": 2, "A": 0},
}
#: More are not listed in an error.
_MOST_LISTED = 8


class CountedElsewhereError(ResultsError):
    """NiMARE counted, but for other maps or in other clusters than these.

    Parameters
    ----------
    text : str
        Why nothing can be stated, and what to do.
    elsewhere : mapping of int to str
        What is known instead, by cluster.
    """

    def __init__(self, text: str, elsewhere: Mapping[int, str]) -> None:
        super().__init__(text)
        self.elsewhere = elsewhere


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
    target : str
        The map that it was counted for, in words.
    is_own : bool
        Whether that is the map of the clusters: same contrast and correction.
    notices : tuple of str
        What has to be said about where the labels come from.
    """

    table: pd.DataFrame = field(repr=False)
    labels: npt.NDArray[np.intp] = field(repr=False)
    sign: int
    target: str = "another map"
    is_own: bool = True
    notices: tuple[str, ...] = ()

    def column_of(self, labels: set[int]) -> pd.Series[float] | None:
        """Return what was counted in some labels; None where one has no column."""
        import pandas as pd

        table = self.table.set_index("id")
        table.index.name = "experiment"
        found = numbered_columns(table, self.sign)
        if not labels <= set(found):
            return None
        columns = table[[found[label] for label in sorted(labels)]]
        # What is no number was not counted.
        columns = columns.apply(pd.to_numeric, errors="coerce")
        counted: pd.Series[float] = columns.sum(axis="columns")
        return counted


def numbered_columns(table: pd.DataFrame, sign: int) -> dict[int, str]:
    """Find which column of a table of diagnostics counts in which label.

    Parameters
    ----------
    sign : int
        +1 or -1: the clusters that are meant.

    Returns
    -------
    dict of int to str
        By the number of the label, ascending: ``{1: "PositiveTail 1", ...}``.
    """
    found = {
        int(match[1]): name
        for name in map(str, table.columns)
        if (match := _COLUMNS[sign].fullmatch(name))
    }
    return dict(sorted(found.items()))


@dataclass(frozen=True, eq=False)
class ModeledContributions:
    """What each experiment adds to clusters; arrays of experiments by clusters.

    Attributes
    ----------
    names : tuple of str
        The experiments.
    share : ndarray, shape (k, n)
        Mean over the cluster of the share of the statistic that goes without the
        experiment: NiMARE's Jackknife.
    mean_activation : ndarray, shape (k, n)
        Mean modeled activation over the cluster.
    peak_share, peak_activation : ndarray, shape (k, n)
        The same at the peak.
    """

    names: tuple[str, ...]
    share: Float64Array = field(repr=False)
    mean_activation: Float64Array = field(repr=False)
    peak_share: Float64Array = field(repr=False)
    peak_activation: Float64Array = field(repr=False)

    def table(self, of: str) -> pd.DataFrame:
        """Return one of the arrays as a table, experiments by clusters from 1."""
        import pandas as pd

        values: Float64Array = getattr(self, of)
        index = pd.Index(self.names, name="experiment", dtype=object)
        columns = pd.RangeIndex(1, values.shape[1] + 1, name="cluster")
        return pd.DataFrame(values, index=index, columns=columns)


def join_contributions(
    clusters: ClusterSet, counted: Sequence[DiagnosticsTable], kind: ContributionKind
) -> pd.DataFrame:
    """Give each cluster the column of the label that has its voxels.

    Parameters
    ----------
    counted : sequence of DiagnosticsTable
        Tables of the contrast of the clusters, each with its label map; those of their
        own map first.
    kind : {"foci", "jackknife"}
        Foci of several labels that make up one cluster add up; shares do not, and are
        left out.

    Returns
    -------
    pandas.DataFrame
        One row an experiment, one column a cluster (its label in ``clusters.table``);
        NaN where NiMARE counted in no cluster of these voxels. ``attrs["notices"]``
        says what could not be joined, and ``attrs["elsewhere"]``, by cluster, what is
        known instead: whose numbers there are.

    Raises
    ------
    CountedElsewhereError
        When no column can be joined.
    """
    import pandas as pd

    notices: list[str] = []
    columns: dict[int, pd.Series[float]] = {}
    elsewhere: dict[int, str] = {}
    for one in counted:
        notices += one.notices
        joined = len(columns)
        most = 0
        for cluster, match in _find_labels(clusters, one).items():
            if cluster in columns:
                continue
            column = one.column_of(set(match.labels))
            if not match.is_same:
                elsewhere.setdefault(cluster, _tell_whose(column, match.sizes, kind))
            elif column is None:
                continue
            elif len(match.labels) > 1 and kind == "jackknife":
                elsewhere[cluster] = (
                    f"it holds {len(match.labels)} clusters of NiMARE's, whose shares "
                    "do not add up"
                )
            else:
                columns[cluster] = column
                most = max(most, match.n_other)
        if len(columns) > joined and not one.is_own:
            notices.append(
                f"NiMARE counted in the clusters of {one.target}: its numbers are "
                "stated for the clusters that have the same voxels."
            )
        if most:
            notices.append(f"{tell_at_height(most)}.")
    told = _tell_unjoined(clusters, columns, elsewhere)
    nothing = (
        "NiMARE counted nothing"
        if any(one.is_own for one in counted)
        else "not known; no cluster that NiMARE counted in lies there"
    )
    numbers = range(1, len(clusters) + 1)
    instead = {
        label: f"not known; {elsewhere[label]}" if label in elsewhere else nothing
        for label in numbers
        if label not in columns
    }
    if not columns:
        raise CountedElsewhereError(_explain(told, counted), instead)
    table = pd.DataFrame(columns).reindex(columns=list(numbers))
    table.columns.name = "cluster"
    table.attrs["notices"] = tuple(dict.fromkeys([*notices, *told]))
    table.attrs["elsewhere"] = instead
    return table


def _find_labels(
    clusters: ClusterSet, counted: DiagnosticsTable
) -> dict[int, ClusterMatch]:
    """Find the labels that lie in each cluster of the sign that was counted."""
    labels = counted.labels.ravel(order="F")
    # Labels are 1..n; other numbers are none.
    where = np.flatnonzero((labels > 0) & (labels <= labels.size))
    matches = match_clusters(clusters.labelled, where, labels[where], clusters.log_p_at)
    signs = clusters.labelled.sign
    return {
        cluster: match
        for cluster, match in matches.items()
        if signs[cluster - 1] == counted.sign
    }


def _tell_whose(
    column: pd.Series[float] | None, sizes: Sequence[int], kind: ContributionKind
) -> str:
    """Say of which cluster NiMARE's numbers are, and for foci how many."""
    of = " and ".join(f"{n:,}" for n in sizes[:3]) + " and more" * (len(sizes) > 3)
    whose = f"its own cluster{'s' * (len(sizes) > 1)} there, of {of} voxels"
    if kind == "jackknife":
        return f"NiMARE's shares are those of {whose}"
    told = f"NiMARE counted for {whose}"
    if column is None:
        return told
    foci, experiments = int(column.sum()), int((column > 0).sum())
    what = numerals.counted(foci, "focus", "foci")
    return f"{told}: {what} of {numerals.counted(experiments, 'experiment')}"


def _tell_unjoined(
    clusters: ClusterSet, joined: Container[int], elsewhere: Mapping[int, str]
) -> list[str]:
    """Say of each cluster that got nothing whose numbers there are."""
    sizes = clusters.labelled.size
    return [
        f"{clusters.names[label - 1]} has {sizes[label - 1]:,} voxels; "
        f"{elsewhere[label]}."
        for label in sorted(elsewhere)
        if label not in joined
    ]


def _explain(told: list[str], counted: Sequence[DiagnosticsTable]) -> str:
    """Say why no number of NiMARE's can be stated, and what to do."""
    of = " and ".join(dict.fromkeys(one.target for one in counted))
    more = len(told) - _MOST_LISTED
    return " ".join(
        [
            f"NiMARE counted in its own clusters of {of}, and none of these clusters "
            "has the voxels of one of them.",
            *told[:_MOST_LISTED],
            *([f"So it is for {more} more."] if more > 0 else []),
            "Ask for the clusters of that map as NiMARE formed them; or open the "
            "studies: foci are then counted in whatever clusters you see.",
        ]
    )


def count_foci(
    labels: npt.NDArray[np.integer[Any]],
    grid: Grid,
    signs: npt.ArrayLike,
    experiments: Experiments,
    contrast: str = "",
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
        What was put into the meta-analysis.
    contrast : str
        Of two groups: which of them the clusters belong to, as `groups_behind` says.

    Returns
    -------
    pandas.DataFrame
        One row an experiment, one column a cluster, whole numbers.
    """
    import pandas as pd

    groups = np.concatenate([[0], groups_behind(contrast, signs)])
    places, owners = experiments.foci
    label = labels_at(labels, grid, places)
    if len(experiments.groups) > 1:
        group = np.array([one.group for one in experiments.listed], dtype=np.intp)
        asked = groups[label]
        label = np.where((asked == 0) | (asked == group[owners]), label, 0)
    # Experiments of one name are one row.
    number = {name: row for row, name in enumerate(experiments.ids)}
    rows = np.array([number[one.id] for one in experiments.listed], dtype=np.intp)
    width = groups.size
    counts = np.bincount(rows[owners] * width + label, minlength=len(number) * width)
    return pd.DataFrame(
        counts.reshape(len(number), width)[:, 1:],
        index=pd.Index(experiments.ids, name="experiment", dtype=object),
        columns=pd.RangeIndex(1, width, name="cluster"),
    )


def group_of(contrast: str) -> int:
    """Say which of two groups of studies a contrast is about.

    Parameters
    ----------
    contrast : str
        As NiMARE names it: ``group1MinusGroup2``, ``association``, ``uniformity``...

    Returns
    -------
    int
        1 or 2; 0 for both.

    Examples
    --------
    >>> group_of("uniformity"), group_of("group2"), group_of("association")
    (1, 2, 0)
    """
    return _GROUPS.get(contrast, 0)


def groups_behind(contrast: str, signs: npt.ArrayLike) -> IndexArray:
    """Say which group of studies clusters belong to, where two were compared.

    Parameters
    ----------
    contrast : str
        As for `group_of`.
    signs : array_like, shape (n,)
        +1 or -1 of each cluster.

    Returns
    -------
    ndarray of int, shape (n,)
        1 or 2, 0 for both: of a comparison by sign, of a map of one group that one.

    Examples
    --------
    >>> groups_behind("association", [1, -1]), groups_behind("group2", [1, 1])
    (array([1, 2]), array([2, 2]))
    """
    signs = np.asarray(signs, dtype=np.intp)
    if contrast in _GROUPS:
        return np.full(signs.shape, _GROUPS[contrast], dtype=np.intp)
    return np.where(signs < 0, 2, 1)


def leave_out_others(
    table: pd.DataFrame, experiments: Experiments, groups: npt.ArrayLike
) -> pd.DataFrame:
    """Take the experiments of the other group out of the columns of clusters.

    Parameters
    ----------
    table : pandas.DataFrame
        Experiments by clusters, from `count_foci`.
    groups : array_like, shape (n,)
        Of each cluster, from `groups_behind`.

    Returns
    -------
    pandas.DataFrame
        With NaN there: they were not asked. Unchanged where there is one group.
    """
    if len(experiments.groups) < 2:
        return table
    members: dict[str, set[int]] = {}
    for one in experiments.listed:
        members.setdefault(one.id, {0}).add(one.group)
    asked = np.array(
        [
            [group in members[name] for group in np.asarray(groups)]
            for name in table.index
        ]
    )
    return table.where(asked.reshape(table.shape))


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
