"""NiMARE's tables of diagnostics in a result: which belong to a map, by their names.

Neurosynth Compose uploads no label maps, and hands out the table of diagnostics without
them: its columns are numbers of clusters that nobody sees. NiMARE's workflow (0.22.1)
labels what is above 1.65 in its target map and has at least 10 voxels, in the order in
which nilearn sorts the clusters. That can be done again; but whether it fits has to be
shown by something else than the number of clusters.

A table belongs to the contrast, correction and tail in its name. Of coordinate-based
estimators each tail has a table of its own; of image-based ones one table holds both,
and its name says neither (`Diagnostics.transform`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.names import MapName, parse_name, title_of
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.maps.studies import Experiments
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.studies.contributions import (
    ContributionKind,
    CountedElsewhereError,
    DiagnosticsTable,
    count_foci,
    groups_behind,
    labels_at,
    numbered_columns,
)

if TYPE_CHECKING:
    import pandas as pd

    from napari_neurosynth_results.maps.grid import Grid, Voxels


#: Of voxels and of clusters: NiMARE 0.22.1, `CBMAWorkflow`, `PairwiseCBMAWorkflow`.
HEIGHT = 1.65
EXTENT = 10
#: Columns of NiMARE's table of clusters.
_PLACE = ["X", "Y", "Z"]
_SIZE = "Cluster Size (mm3)"
_DIAGNOSTICS = {"foci": "FocusCounter", "jackknife": "Jackknife"}
_SIGNS = {"positive": 1, "negative": -1}
#: Entities of a table that its map and its label map do not have.
_TABLE_ENTITIES = frozenset({"diag", "tab", "tail"})
#: What Neurosynth Compose hands out: one table, without the name of its map.
_COMPOSE = "diagnostics"
#: Contrasts whose shares NiMARE takes from another one (0.22.1, `Jackknife`).
_SHARES_OF_ANOTHER = frozenset({"uniformity", "consistency", "group1", "group2"})


def find_diagnostics(
    results: ResultSet,
    clusters: ClusterSet,
    kind: ContributionKind,
    experiments: Experiments | None = None,
) -> list[DiagnosticsTable]:
    """Find the tables that were counted for the contrast of some clusters.

    Parameters
    ----------
    clusters : ClusterSet
        Clusters of one of its maps.
    experiments : Experiments, optional
        Their foci show which column is which where NiMARE's label map is missing.

    Returns
    -------
    list of DiagnosticsTable
        One a tail; those of the clusters' own map first, then those of other
        corrections of the same contrast.

    Raises
    ------
    CountedElsewhereError
        When there are some of other contrasts only.
    ResultsError
        When there is none, or none that can be followed.
    """
    if kind not in _DIAGNOSTICS:
        told = " or ".join(_DIAGNOSTICS)
        raise ResultsError(f"kind must be {told}, not {kind!r}.")
    wanted = _DIAGNOSTICS[kind]
    if (table := _compose_table(results, kind)) is not None:
        return _follow_compose_table(results, clusters, table, experiments)
    tables = {
        stem: name
        for stem in results.tables
        if (name := parse_name(stem)) and name.get("diag") == wanted
    }
    name = clusters.statmap.name
    if not tables or name is None:
        raise ResultsError(
            f"{results.title} holds no table of NiMARE's {wanted} that belongs to a "
            "map. Run NiMARE with that diagnostic, and open its whole folder."
        )
    fitting = {
        stem: one
        for stem, one in tables.items()
        if one.run == name.run and contrast_of(one) == contrast_of(name)
    }
    if not fitting:
        of = " and ".join(dict.fromkeys(map(_title_of_target, tables.values())))
        raise CountedElsewhereError(
            f"NiMARE did not count for {clusters.statmap.title}: its tables of the "
            f"{wanted} belong to the clusters of {of}. Open the studies: their foci "
            "are then counted in the clusters that you see.",
            dict.fromkeys(
                range(1, len(clusters) + 1), f"not known; NiMARE counted for {of}"
            ),
        )
    target = target_of(name)
    found: list[DiagnosticsTable] = []
    refusals = []
    for stem in sorted(fitting, key=lambda stem: target_of(fitting[stem]) != target):
        one = fitting[stem]
        try:
            for tail in _tails_of(results.tables[stem], one):
                found.append(
                    _pair_with_labels(results, clusters, stem, one, tail, experiments)
                )
        except ResultsError as error:
            refusals.append(str(error))
    if not found:
        raise ResultsError(" ".join(dict.fromkeys(refusals)))
    if kind == "jackknife" and name.contrast in _SHARES_OF_ANOTHER:
        told = (
            "NiMARE's Jackknife takes the shares from the comparison of the two groups "
            f"(association, or group 1 - group 2), not from {name.contrast}, whatever "
            "map its table is named after."
        )
        found = [replace(one, notices=(told, *one.notices)) for one in found]
    return found


def _tails_of(table: pd.DataFrame, name: MapName) -> list[str]:
    """List the tails of a table: that of its name, else those of its columns."""
    if tail := name.get("tail"):
        return [tail]
    return _tails_with_columns(table) or ["positive"]


def _tails_with_columns(table: pd.DataFrame) -> list[str]:
    return [tail for tail, sign in _SIGNS.items() if numbered_columns(table, sign)]


def numbering_warnings(results: ResultSet, clusters: ClusterSet) -> tuple[str, ...]:
    """Warn where NiMARE's own numbers would join clusters with the wrong studies.

    Since NiMARE 0.21 the table of clusters of a cluster-level FWE map is numbered anew,
    and the label map and the diagnostics are not.

    Parameters
    ----------
    clusters : ClusterSet
        Clusters of one of its maps.

    Returns
    -------
    tuple of str
        One sentence for each table of clusters whose numbers are not those of the label
        map, and so of the tables of diagnostics.
    """
    name = clusters.statmap.name
    if name is None:
        return ()
    told = []
    for stem in results.tables:
        table = parse_name(stem)
        if table is None or table.get("tab") != "clust" or table.run != name.run:
            continue
        if contrast_of(table) != contrast_of(name):
            continue
        rows, wrong = _mismatches(results, clusters, stem, table)
        if wrong:
            told.append(
                f"In {stem} NiMARE numbers {wrong} of {rows} clusters differently than "
                "in its label map and its diagnostics: joined by number, they would "
                "get the studies of other clusters. Here they are joined by place."
            )
    return tuple(told)


def _mismatches(
    results: ResultSet, clusters: ClusterSet, stem: str, name: MapName
) -> tuple[int, int]:
    """Count the clusters of a table, and those whose number is not their label."""
    import pandas as pd

    table = results.tables[stem]
    if not {"Cluster ID", *_PLACE} <= set(table.columns):
        return 0, 0
    rows = wrong = 0
    for statmap in results.run_of(clusters.statmap):
        other = statmap.name
        if not statmap.kind.row.holds_labels or other is None:
            continue
        if target_of(other) != target_of(name):
            continue
        head = f"{(other.get('tail') or 'positive').capitalize()}Tail "
        ids = table["Cluster ID"].astype(str)
        # Sub-peaks have letters; other tails have other label maps.
        own = ids.str.fullmatch(head + r"\d{1,9}")
        numbers = ids[own].str.removeprefix(head).astype(int).to_numpy()
        places = table.loc[own, _PLACE].apply(pd.to_numeric, errors="coerce")
        found = labels_at(labels_of(statmap), statmap.grid, places)
        rows += numbers.size
        wrong += int(np.count_nonzero(found != numbers))
    return rows, wrong


def target_of(name: MapName) -> frozenset[tuple[str, str]]:
    """Return what a map, its tables and its label maps have in common."""
    return frozenset(_without_table(name))


def _without_table(name: MapName) -> Iterator[tuple[str, str]]:
    return (row for row in name.entities if row[0] not in _TABLE_ENTITIES)


def _title_of_target(name: MapName) -> str:
    """Say in words which map a table was made for."""
    title = title_of(replace(name, entities=tuple(_without_table(name))))
    run = " ".join(part for part in name.run if part)
    return f"{run}: {title}" if run else title


def _target(statmap: StatMap) -> frozenset[tuple[str, str]] | None:
    return target_of(statmap.name) if statmap.name else None


def contrast_of(name: MapName) -> frozenset[tuple[str, str]]:
    """Return what a map, its corrections, their tables and label maps share."""
    return target_of(name.uncorrected())


def _pair_with_labels(
    results: ResultSet,
    clusters: ClusterSet,
    stem: str,
    name: MapName,
    tail: str,
    experiments: Experiments | None,
) -> DiagnosticsTable:
    """Pair a tail of a table with NiMARE's label map, or with one made anew."""
    table, sign = results.tables[stem], _SIGNS.get(tail, 1)
    if "id" not in table.columns:
        raise ResultsError(f"{stem} names no experiments.")
    if groups_behind(name.contrast, [sign])[0] not in (0, *groups_behind("", [sign])):
        raise ResultsError(
            f"{stem} holds the studies of the other group: of two groups NiMARE counts "
            "the first in positive clusters and the second in negative ones, whatever "
            "the map."
        )
    of_target = [
        m
        for m in results.run_of(clusters.statmap)
        if m.name is not None and target_of(m.name) == target_of(name)
    ]
    is_own = target_of(name) == _target(clusters.statmap)
    title = _title_of_target(name)
    for statmap in of_target:
        assert statmap.name is not None
        if statmap.kind.row.holds_labels and statmap.name.get("tail") in {None, tail}:
            _check_grid(statmap, clusters)
            return DiagnosticsTable(table, labels_of(statmap), sign, title, is_own)
    for statmap in of_target:
        if statmap.name is not None and statmap.name.value == name.value:
            _check_grid(statmap, clusters)
            listed = _clusters_table(results, name)
            rebuilt = _rebuild_diagnostics(statmap, table, tail, experiments, listed)
            if rebuilt is not None:
                return replace(rebuilt, is_own=is_own)
    raise ResultsError(
        f"{results.title} holds no label map for {stem}, and a rebuilt one cannot be "
        "shown to fit: there is no telling which cluster each of its columns means, "
        "because NiMARE numbers its clusters in more than one way."
    )


def _check_grid(statmap: StatMap, clusters: ClusterSet) -> None:
    if not statmap.grid.same_as(clusters.statmap.grid):
        raise ResultsError(
            f"{statmap.title} is on another grid than {clusters.statmap.title}."
        )


def labels_of(statmap: StatMap) -> npt.NDArray[np.intp]:
    """Return the labels of a label map, which NiMARE stores as floats."""
    return np.rint(np.nan_to_num(statmap.data)).astype(np.intp)


def _clusters_table(results: ResultSet, name: MapName) -> pd.DataFrame | None:
    """Find NiMARE's table of clusters of the same map."""
    for stem in results.tables:
        other = parse_name(stem)
        if other is None or other.get("tab") != "clust" or other.run != name.run:
            continue
        if target_of(other) == target_of(name) and other.value == name.value:
            return results.tables[stem]
    return None


def _rebuild_diagnostics(
    statmap: StatMap,
    table: pd.DataFrame,
    tail: str,
    experiments: Experiments | None,
    listed: pd.DataFrame | None = None,
) -> DiagnosticsTable | None:
    """Make a label map anew and prove it; None when it does not fit, or may not."""
    sign = _SIGNS.get(tail, 1)
    labels = rebuild_labels(statmap.data, sign)
    if not same_number(labels, table, sign):
        return None
    n = int(labels.max(initial=0))
    proof = ""
    if experiments is not None:
        counts = count_foci(labels, statmap.grid, [sign] * n, experiments)
        if not counts_agree(table.set_index("id"), sign, counts):
            return None
        proof = "agrees with the foci"
    elif listed is not None and sizes_agree(
        labels, statmap.grid, _of_tail(listed, tail)
    ):
        proof = "agrees with the sizes in NiMARE's table of clusters"
    elif n == 1:
        proof = "has one cluster, as the table"
    if not proof:
        return None
    notice = f"NiMARE's label map was rebuilt from {statmap.title}; it {proof}."
    return DiagnosticsTable(
        table, labels, sign, statmap.title, is_own=True, notices=(notice,)
    )


def _of_tail(listed: pd.DataFrame, tail: str) -> pd.DataFrame:
    """Return the rows of one tail of NiMARE's table of clusters."""
    if "Cluster ID" not in listed.columns:
        return listed
    tails = (
        listed["Cluster ID"].astype(str).str.extract(r"^(Positive|Negative)Tail ")[0]
    )
    # NiMARE <= 0.0.13 wrote numbers alone.
    return listed[tails == tail.capitalize()] if tails.notna().any() else listed


def _compose_table(results: ResultSet, kind: ContributionKind) -> pd.DataFrame | None:
    """Return Compose's table when it is of the kind that is asked for."""
    if _COMPOSE not in results.tables:
        return None
    table = results.tables[_COMPOSE]
    if "id" not in table.columns:
        # Any table of a folder may be called so.
        return None
    values = _numbers(table.drop(columns="id"))
    return table if is_counts(values) == (kind == "foci") else None


def _numbers(counts: pd.DataFrame) -> Float64Array:
    """Return the numbers of a table, NaN for what is none."""
    import pandas as pd

    return np.asarray(counts.apply(pd.to_numeric, errors="coerce"), np.float64)


def _follow_compose_table(
    results: ResultSet,
    clusters: ClusterSet,
    table: pd.DataFrame,
    experiments: Experiments | None,
) -> list[DiagnosticsTable]:
    """Follow Compose's table, which names neither its map nor its clusters."""
    tails = _tails_with_columns(table)
    fitting = []
    for statmap in _targets(results, clusters):
        found = [
            _rebuild_diagnostics(statmap, table, tail, experiments) for tail in tails
        ]
        proven = [one for one in found if one is not None]
        if proven and len(proven) == len(tails):
            fitting.append((statmap, proven))
    name = clusters.statmap.name
    own = [
        [replace(one, is_own=_target(statmap) == target_of(name)) for one in proven]
        for statmap, proven in fitting
        if name and statmap.name and contrast_of(statmap.name) == contrast_of(name)
    ]
    counted_here = experiments is not None and is_counts(
        _numbers(table.drop(columns="id"))
    )
    # Foci prove each by itself; else it has to be the only one that fits.
    if own and (counted_here or all(_same(own[0], one) for _, one in fitting)):
        return min(own, key=lambda proven: not proven[0].is_own)
    if fitting:
        titles = " or ".join(statmap.title for statmap, _ in fitting)
        whose = f"the table of Neurosynth Compose fits {titles}"
        raise CountedElsewhereError(
            "The table of diagnostics of Neurosynth Compose does not name its map. It "
            f"fits {titles}: it cannot be said to belong to {clusters.statmap.title}.",
            dict.fromkeys(range(1, len(clusters) + 1), f"not known; {whose}"),
        )
    raise ResultsError(
        "Neurosynth Compose keeps no label map, and none rebuilt from the maps at "
        "hand can be shown to fit its table of diagnostics: there is no telling which "
        "cluster each column means."
    )


def _same(one: list[DiagnosticsTable], other: list[DiagnosticsTable]) -> bool:
    """Whether two pairings of a table mean the same clusters by each column."""
    return all(
        np.array_equal(a.labels, b.labels) for a, b in zip(one, other, strict=True)
    )


def _targets(results: ResultSet, clusters: ClusterSet) -> Iterator[StatMap]:
    """List the maps that NiMARE's workflow (0.22.1) makes tables for, the likely first.

    Of Monte Carlo those of cluster mass, then those by voxel; else any corrected z map.
    """

    def rank(statmap: StatMap) -> int:
        assert statmap.name is not None
        if (statmap.name.get("desc") or "").lower().endswith("mass"):
            return 0
        return 1 if statmap.level == "voxel" else 2

    corrected = [
        m
        for m in results.run_of(clusters.statmap)
        if m.name is not None
        and m.name.value == "z"
        and m.correction is not None
        and m.grid.same_as(clusters.statmap.grid)
    ]
    yield from sorted(corrected, key=rank)


# NiMARE's label map, made anew where it was not kept, and checked before it is used.


def rebuild_labels(voxels: Voxels, sign: int) -> IndexArray:
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
    from scipy import ndimage

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
    rebuilt: IndexArray = numbers[labels]
    return rebuilt


def same_number(labels: IndexArray, table: pd.DataFrame, sign: int) -> bool:
    """Say whether a table has a column for each rebuilt cluster, and no other."""
    n = int(labels.max(initial=0))
    return n > 0 and [*numbered_columns(table, sign)] == list(range(1, n + 1))


def sizes_agree(labels: IndexArray, grid: Grid, listed: pd.DataFrame) -> bool:
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

    if not {*_PLACE, _SIZE} <= set(listed.columns):
        return False
    rows = listed[[*_PLACE, _SIZE]].apply(pd.to_numeric, errors="coerce").dropna()
    found = labels_at(labels, grid, rows[_PLACE])
    volume = np.bincount(labels.ravel()) * float(np.prod(grid.voxel_size))
    # Whole mm3 are written.
    agree = np.abs(volume[found] - rows[_SIZE].to_numpy()) < 1
    n = int(labels.max(initial=0))
    return bool(sorted(found.tolist()) == list(range(1, n + 1)) and agree.all())


def counts_agree(table: pd.DataFrame, sign: int, counts: pd.DataFrame) -> bool:
    """Say whether foci show that the columns of a table are the rebuilt clusters.

    Parameters
    ----------
    table : pandas.DataFrame
        Diagnostics with the experiments in its index.
    counts : pandas.DataFrame
        Foci of the same experiments in the rebuilt clusters.

    Returns
    -------
    bool
        Of a table of foci True when all are the same. Of shares, True when each column
        goes more with the foci of its own cluster than with those of any other.
    """
    if not table.index.is_unique:
        return False
    names = [*numbered_columns(table, sign).values()]
    own = _numbers(table[names].reindex(counts.index))
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


def is_counts(values: Float64Array) -> bool:
    """Tell a table of foci from one of shares: all are whole numbers."""
    known = values[np.isfinite(values)]
    return bool((known == np.round(known)).all() and (known >= 0).all())
