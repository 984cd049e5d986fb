"""NiMARE's tables of diagnostics in a result: which belong to a map, by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import MapName, parse_name
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.maps.studies import Experiments
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.contributions import Counted, Kind
from napari_neurosynth_results.statistics.foci_counts import count_foci
from napari_neurosynth_results.statistics.rebuilding import (
    counts_agree,
    is_counts,
    numbers_of,
    rebuild_labels,
    same_number,
    sizes_agree,
)

if TYPE_CHECKING:
    import pandas as pd

_DIAGNOSTICS = {"foci": "FocusCounter", "jackknife": "Jackknife"}
_SIGNS = {"positive": 1, "negative": -1}
#: Entities of a table that its map and its label map do not have.
_OF_TABLES = frozenset({"diag", "tab", "tail"})
#: What Neurosynth Compose hands out: one table, without the name of its map.
_COMPOSE = "diagnostics"


def find_counted(
    results: ResultSet,
    clusters: ClusterSet,
    kind: Kind,
    experiments: Experiments | None = None,
) -> list[Counted]:
    """Find the tables that were counted for the map of some clusters, or for its run.

    Parameters
    ----------
    results : ResultSet
        The result.
    clusters : ClusterSet
        Clusters of one of its maps.
    kind : {"foci", "jackknife"}
        Which diagnostics.
    experiments : Experiments, optional
        Their foci show which column is which where NiMARE's label map is missing.

    Returns
    -------
    list of Counted
        Of the clusters' own map; if there are none, of the one other map of the same
        test that was counted.

    Raises
    ------
    ResultsError
        When there is none, or none that can be followed.
    """
    wanted = _DIAGNOSTICS[kind]
    if (table := _of_compose(results, kind)) is not None:
        return _rebuilt_for(results, clusters, table, experiments)
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
    of_run = {stem: one for stem, one in tables.items() if one.run == name.run}
    own = {
        stem: one for stem, one in of_run.items() if target_of(one) == target_of(name)
    }
    targets = {target_of(one) for one in of_run.values()}
    if not own and len(targets) != 1:
        raise ResultsError(
            f"{clusters.statmap.title} was not counted by NiMARE. "
            f"Tables: {', '.join(tables)}."
        )
    return [
        _counted(results, clusters, *row, experiments)
        for row in (own or of_run).items()
    ]


def target_of(name: MapName) -> frozenset[tuple[str, str]]:
    """Return what a map, its tables and its label maps have in common."""
    return frozenset(row for row in name.entities if row[0] not in _OF_TABLES)


def _counted(
    results: ResultSet,
    clusters: ClusterSet,
    stem: str,
    name: MapName,
    experiments: Experiments | None,
) -> Counted:
    """Pair a table with the label map that NiMARE wrote, or with one made anew."""
    tail = name.get("tail") or "positive"
    table, sign = results.tables[stem], _SIGNS.get(tail, 1)
    of_target = [
        m
        for m in results.run_of(clusters.statmap)
        if m.name is not None and target_of(m.name) == target_of(name)
    ]
    for statmap in of_target:
        assert statmap.name is not None
        if statmap.kind is MapKind.LABEL and statmap.name.get("tail") in {None, tail}:
            _check_grid(statmap, clusters)
            return Counted(table, labels_of(statmap), sign)
    for statmap in of_target:
        if statmap.name is not None and statmap.name.value == name.value:
            _check_grid(statmap, clusters)
            listed = _clusters_table(results, name)
            rebuilt = _rebuilt(statmap, table, tail, experiments, listed)
            if rebuilt is not None:
                return rebuilt
    raise ResultsError(
        f"{results.title} holds no label map for {stem}, and one made anew cannot be "
        "shown to fit: which cluster a column of it means cannot be told, because "
        "NiMARE's numbers do not join."
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


def _rebuilt(
    statmap: StatMap,
    table: pd.DataFrame,
    tail: str,
    experiments: Experiments | None,
    listed: pd.DataFrame | None = None,
) -> Counted | None:
    """Make a label map anew and prove it; None when it does not fit, or may not."""
    sign = _SIGNS.get(tail, 1)
    labels = rebuild_labels(statmap.data, sign)
    if not same_number(labels, table, tail):
        return None
    n = int(labels.max(initial=0))
    proof = ""
    if experiments is not None:
        counts = count_foci(labels, statmap.grid, [sign] * n, experiments)
        if not counts_agree(table.set_index("id"), tail, counts):
            return None
        proof = "agrees with the foci"
    elif listed is not None and sizes_agree(labels, statmap.grid, listed):
        proof = "agrees with the sizes in NiMARE's table of clusters"
    elif n == 1:
        proof = "has one cluster, as the table"
    if not proof:
        return None
    notice = f"NiMARE's label map was made anew from {statmap.title}; it {proof}."
    return Counted(table, labels, sign, (notice,))


def _of_compose(results: ResultSet, kind: Kind) -> pd.DataFrame | None:
    """Return Compose's table when it is of the kind that is asked for."""
    if _COMPOSE not in results.tables:
        return None
    table = results.tables[_COMPOSE]
    values = table.drop(columns="id").to_numpy(dtype=np.float64)
    return table if is_counts(values) == (kind == "foci") else None


def _rebuilt_for(
    results: ResultSet,
    clusters: ClusterSet,
    table: pd.DataFrame,
    experiments: Experiments | None,
) -> list[Counted]:
    """Follow Compose's table, which names neither its map nor its clusters."""
    tails = [tail for tail in _SIGNS if numbers_of(table, tail)]
    for statmap in _targets(results, clusters):
        found = [_rebuilt(statmap, table, tail, experiments) for tail in tails]
        proven = [one for one in found if one is not None]
        if proven and len(proven) == len(tails):
            return proven
    raise ResultsError(
        "Neurosynth Compose keeps no label map, and none that was made anew from the "
        "maps at hand can be shown to fit its table of diagnostics: which cluster a "
        "column means cannot be told."
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
