"""Clusters on disk: a table that says what it shows, or a label volume."""

from __future__ import annotations

import os
from functools import partial

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.tables import SEPARATORS, write_table
from napari_neurosynth_results.export.writing import write_whole
from napari_neurosynth_results.statistics.clusters import ClusterSet

_NOTES = (
    "coordinates: peak and center of mass, MNI mm",
    "last four columns: corrected p and q at the peak, from all maps of the test",
)
_VOLUMES = (".nii.gz", ".nii")


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
        threshold and connectivity, and whose last columns are `ClusterSet.corrected`;
        ``.nii`` or ``.nii.gz`` for the label volume.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the extension is unknown, the file exists, or it cannot be written.
    """
    target = os.fspath(path)
    if target.lower().endswith(_VOLUMES):
        write = partial(_write_volume, clusters)
        write_whole(target, write, overwrite=overwrite)
        return
    if os.path.splitext(target)[1].lower() not in SEPARATORS:
        known = ", ".join([*SEPARATORS, *_VOLUMES])
        raise ResultsError(f"{target}: clusters are saved as {known}.")
    # By position: both have one row a cluster, in the order of the labels.
    table = clusters.table.join(clusters.corrected.drop(columns="label"))
    write_table(clusters, table, target, notes=_NOTES, overwrite=overwrite)


def _write_volume(clusters: ClusterSet, path: str) -> None:
    import nibabel as nib

    # Two bytes hold any number of clusters that fits into a brain.
    labels = clusters.labels
    fitting = np.int16 if labels.max(initial=0) < 2**15 else np.int32
    image = nib.Nifti1Image(labels.astype(fitting), clusters.statmap.affine)
    image.header.set_xyzt_units("mm")
    image.header.set_intent("label", name="clusters")
    image.header["descrip"] = str(clusters.threshold).encode()[:79]
    # 4: MNI space; 2: aligned to something.
    code = 2 if clusters.statmap.grid.mni_doubt() else 4
    image.set_sform(clusters.statmap.affine, code)
    image.set_qform(clusters.statmap.affine, code)
    nib.save(image, path)
