"""Peaks and sub-peaks of clusters, as a table on disk."""

from __future__ import annotations

import os

from napari_neurosynth_results.export.tables import write_table
from napari_neurosynth_results.statistics.clusters import ClusterSet


def save_peaks(
    clusters: ClusterSet, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write to a file where the peaks and sub-peaks of clusters lie.

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
    table = clusters.peaks.copy()
    table.insert(1, "name", [clusters.names[label - 1] for label in table["label"]])
    write_table(
        clusters,
        table,
        path,
        about="Peaks and sub-peaks; one row a peak",
        overwrite=overwrite,
    )
