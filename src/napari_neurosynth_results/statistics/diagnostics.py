"""NiMARE's tables of diagnostics in a result: which belong to a map, by their names."""

from __future__ import annotations

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import MapName, parse_name
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters import ClusterSet
from napari_neurosynth_results.statistics.contributions import Counted, Kind

_DIAGNOSTICS = {"foci": "FocusCounter", "jackknife": "Jackknife"}
_SIGNS = {"positive": 1, "negative": -1}
#: Entities of a table that its map and its label map do not have.
_OF_TABLES = frozenset({"diag", "tab", "tail"})


def find_counted(results: ResultSet, clusters: ClusterSet, kind: Kind) -> list[Counted]:
    """Find the tables that were counted for the map of some clusters, or for its run.

    Parameters
    ----------
    results : ResultSet
        The result.
    clusters : ClusterSet
        Clusters of one of its maps.
    kind : {"foci", "jackknife"}
        Which diagnostics.

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
    own = {stem: one for stem, one in of_run.items() if _target(one) == _target(name)}
    targets = {_target(one) for one in of_run.values()}
    if not own and len(targets) != 1:
        raise ResultsError(
            f"{clusters.statmap.title} was not counted by NiMARE. "
            f"Tables: {', '.join(tables)}."
        )
    return [_counted(results, clusters, *row) for row in (own or of_run).items()]


def _target(name: MapName) -> frozenset[tuple[str, str]]:
    """Return what a map, its tables and its label maps have in common."""
    return frozenset(row for row in name.entities if row[0] not in _OF_TABLES)


def _counted(
    results: ResultSet, clusters: ClusterSet, stem: str, name: MapName
) -> Counted:
    tail = name.get("tail") or "positive"
    labels = _label_map(results, name, tail)
    if labels is None:
        raise ResultsError(
            f"{results.title} holds no label map for {stem}: which cluster a column of "
            "it means cannot be told, because NiMARE's numbers do not join."
        )
    if not labels.grid.same_as(clusters.statmap.grid):
        raise ResultsError(
            f"{labels.title} is on another grid than {clusters.statmap.title}."
        )
    return Counted(results.tables[stem], labels, _SIGNS.get(tail, 1))


def _label_map(results: ResultSet, name: MapName, tail: str) -> StatMap | None:
    for statmap in results.maps.values():
        other = statmap.name
        if statmap.kind is not MapKind.LABEL or other is None or other.run != name.run:
            continue
        if _target(other) == _target(name) and other.get("tail") in {None, tail}:
            return statmap
    return None
