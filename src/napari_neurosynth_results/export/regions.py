"""Where clusters lie, as a table on disk."""

from __future__ import annotations

import os

from napari_neurosynth_results.export.tables import write_table
from napari_neurosynth_results.statistics.clusters import ClusterSet

_ABOUT = (
    "What share of each cluster lies in which region; one row a region of a cluster"
)


def save_regions(
    clusters: ClusterSet, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write to a file what share of each cluster lies in which region.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters.
    path : path
        ``.tsv`` or ``.csv``. Its first lines, marked ``#``, state map, threshold and
        atlas; a ``.json`` of the same name describes it for programs.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the extension is unknown, the file exists or cannot be written.
    """
    names = [clusters.names[label - 1] for label in clusters.regions["label"]]
    table = clusters.regions.copy()
    table.insert(1, "name", names)
    write_table(clusters, table, path, about=_ABOUT, overwrite=overwrite)
