"""Where NiMARE's own numbers of clusters would lead to the wrong studies.

Since NiMARE 0.21 the table of clusters of a cluster-level FWE map is numbered anew, and
the label map and the diagnostics are not.
"""

from __future__ import annotations

import numpy as np

from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import MapName, parse_name
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.diagnostics import labels_of, target_of
from napari_neurosynth_results.statistics.foci_counts import labels_at

_PLACE = ["X", "Y", "Z"]


def misled(results: ResultSet, clusters: ClusterSet) -> tuple[str, ...]:
    """Warn where NiMARE's own numbers would join clusters with the wrong studies.

    Parameters
    ----------
    results : ResultSet
        The result.
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
        rows, wrong = _mismatches(results, clusters, stem, table)
        if wrong:
            told.append(
                f"In {stem} NiMARE numbers {wrong} of {rows} clusters otherwise than "
                "in its label map and its diagnostics: joined by number they would "
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
        if statmap.kind is not MapKind.LABEL or other is None:
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
