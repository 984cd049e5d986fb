"""Clusters on disk: a table, a table for a paper, or a label volume."""

from __future__ import annotations

import os
from functools import partial

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import write_whole
from napari_neurosynth_results.export.paper import paper_table
from napari_neurosynth_results.export.paper_formats import FORMATS
from napari_neurosynth_results.export.provenance import made_by, source_of
from napari_neurosynth_results.export.tables import (
    SEPARATORS,
    extension_of,
    write_table,
)
from napari_neurosynth_results.export.volumes import (
    VOLUMES,
    Meaning,
    code_of,
    write_volume,
)
from napari_neurosynth_results.statistics.clusters import ClusterSet

_NOTES = (
    "coordinates: peak and center of mass, MNI mm",
    "last four columns: corrected p and q at the peak, from all maps of the test",
)


def save_clusters(
    clusters: ClusterSet, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write clusters to a file; its extension says what to write.

    Parameters
    ----------
    clusters : ClusterSet
        What to write.
    path : path
        ``.csv`` or ``.tsv`` for the table, whose first lines, marked ``#``, state map,
        threshold, atlas, source and versions, and whose last columns are
        `ClusterSet.corrected`; a ``.json`` of the same name describes it for programs.
        ``.md``, ``.tex`` (booktabs) or ``.html`` for the table that a paper prints.
        ``.nii`` or ``.nii.gz`` for the label volume.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the extension is unknown, the file exists, or it cannot be written.
    """
    target = os.fspath(path)
    extension = extension_of(target)
    if target.lower().endswith(VOLUMES):
        write_whole(target, partial(_write_labels, clusters), overwrite=overwrite)
    elif extension in FORMATS:
        write_whole(target, partial(_write_paper, clusters), overwrite=overwrite)
    elif extension in SEPARATORS:
        # By position: both have one row a cluster, in the order of the labels.
        table = clusters.table.join(clusters.corrected.drop(columns="label"))
        write_table(
            clusters,
            table,
            target,
            about="Clusters of a map; one row a cluster",
            notes=_NOTES,
            overwrite=overwrite,
        )
    else:
        known = ", ".join([*SEPARATORS, *FORMATS, *VOLUMES])
        raise ResultsError(f"{target}: clusters are saved as {known}.")


def _write_paper(clusters: ClusterSet, path: str) -> None:
    origin = f"Made by {made_by()} from {source_of(clusters.statmap.results)}"
    text = FORMATS[extension_of(path)](paper_table(clusters), origin)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def _write_labels(clusters: ClusterSet, path: str) -> None:
    # Two bytes hold any number of clusters that fits into a brain.
    labels = clusters.labels
    fitting = np.int16 if labels.max(initial=0) < 2**15 else np.int32
    statmap = clusters.statmap
    write_volume(
        path,
        labels.astype(fitting),
        statmap.affine,
        Meaning("label", "clusters", str(clusters.threshold)),
        code_of(statmap.grid),
    )
