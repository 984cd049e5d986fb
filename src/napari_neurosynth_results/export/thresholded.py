"""A map on disk as it is seen at its threshold: 0 outside of its clusters."""

from __future__ import annotations

import os
from functools import partial

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.volumes import (
    VOLUMES,
    Meaning,
    code_of,
    meaning_of,
    write_volume,
)
from napari_neurosynth_results.export.writing import write_whole
from napari_neurosynth_results.statistics.clusters import ClusterSet


def save_thresholded(
    clusters: ClusterSet, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write the map of some clusters, without what lies outside of them.

    Parameters
    ----------
    clusters : ClusterSet
        Of a cluster-level corrected map only the significant ones are kept.
    path : path
        ``.nii`` or ``.nii.gz``.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the extension is unknown, the file exists or cannot be written.
    """
    target = os.fspath(path)
    if not target.lower().endswith(VOLUMES):
        raise ResultsError(f"{target}: a map is saved as {', '.join(VOLUMES)}.")
    write_whole(target, partial(_write, clusters), overwrite=overwrite)


def _write(clusters: ClusterSet, path: str) -> None:
    statmap = clusters.statmap
    # Label 0 is the background, which is never kept.
    kept = np.concatenate([[False], clusters.significant])[clusters.labels]
    voxels = np.where(kept, statmap.data, np.float32(0))
    told = f"{statmap.title} at {clusters.threshold}"
    meaning = meaning_of(statmap)
    meaning = Meaning(meaning.intent, meaning.name, told, meaning.dof)
    write_volume(path, voxels, statmap.affine, meaning, code_of(statmap.grid))
