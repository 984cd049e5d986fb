"""Clusters on disk: tables of them, of their peaks, regions and studies; labels."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import (
    check_path,
    write_text,
    write_whole,
)
from napari_neurosynth_results.export.provenance import name_and_version, source_of
from napari_neurosynth_results.export.tables.paper import FORMATS, paper_table
from napari_neurosynth_results.export.tables.write import (
    SEPARATORS,
    extension_of,
    write_table,
)
from napari_neurosynth_results.export.volumes import (
    VOLUMES,
    Meaning,
    space_code,
    write_volume,
)
from napari_neurosynth_results.statistics.clusters.active_parts import ActiveParts
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.studies import ABOUT_SURVIVAL

if TYPE_CHECKING:
    import pandas as pd

    from napari_neurosynth_results.statistics.studies.contributors import Contributors

_KNOWN = (*SEPARATORS, *FORMATS, *VOLUMES)


def save_clusters(
    clusters: ClusterSet, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write clusters to a file; its extension says what to write.

    Parameters
    ----------
    clusters : ClusterSet
        From `find_clusters`.
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
    target = check_clusters_path(path)
    extension = extension_of(target)
    if target.lower().endswith(VOLUMES):
        write = partial(
            _write_labels,
            clusters.labels,
            clusters,
            "clusters",
            str(clusters.threshold),
        )
        write_whole(target, write, overwrite=overwrite)
    elif extension in FORMATS:
        origin = (
            f"Made by {name_and_version()} from {source_of(clusters.statmap.results)}"
        )
        text = FORMATS[extension](paper_table(clusters), origin)
        write_text(target, text, overwrite=overwrite)
    else:
        write_table(
            clusters,
            clusters_table(clusters),
            target,
            about="Clusters of a map; one row a cluster",
            notes=(
                *(
                    _coordinates(clusters),
                    str(clusters.proven),
                    _last_columns(clusters),
                ),
                *(*clusters.whose_p, *_effects_note(clusters)),
                *([ABOUT_SURVIVAL] if clusters.survival else []),
            ),
            overwrite=overwrite,
        )


def check_clusters_path(path: str | os.PathLike[str]) -> str:
    """Return the name of a file of clusters, if its extension says what to write.

    Raises
    ------
    ResultsError
        For another extension, or a name that no system takes.
    """
    return check_path(path, _KNOWN, f"clusters are saved as {', '.join(_KNOWN)}")


def _effects_note(clusters: ClusterSet) -> list[str]:
    notices: tuple[str, ...] = clusters.effects.attrs["notices"]
    return [f"effects: {'; '.join(notices)}"] if notices else []


def _last_columns(clusters: ClusterSet) -> str:
    # Each but the label, which the table has already.
    n = clusters.corrected.shape[1] - 1
    return (
        f"last {n} columns: corrected p of the cluster, p and q at its peak, from all "
        "maps of the test"
    )


def _coordinates(clusters: ClusterSet) -> str:
    where = "MNI mm"
    if clusters.statmap.grid.elsewhere:
        where = f"mm in {clusters.statmap.grid.elsewhere.name}"
    return f"coordinates: peak and center of mass, {where}"


def save_active_parts(
    parts: ActiveParts, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write the largest parts of clusters of which a share is active to a file.

    Parameters
    ----------
    parts : ActiveParts
        From `active_parts`.
    path : path
        ``.tsv`` or ``.csv`` for the table, whose first lines, marked ``#``, say what is
        stated how surely; a ``.json`` of the same name describes it for programs.
        ``.nii`` or ``.nii.gz`` for the label volume.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the extension is unknown, the file exists or cannot be written.
    """
    clusters = parts.clusters
    assert clusters is not None
    known = (*SEPARATORS, *VOLUMES)
    target = check_path(path, known, f"active parts are saved as {', '.join(known)}")
    if target.lower().endswith(VOLUMES):
        share = f"TDP >= {parts.share:g}"
        write = partial(_write_labels, parts.labels, clusters, "active parts", share)
        write_whole(target, write, overwrite=overwrite)
        return
    write_table(
        clusters,
        parts.table,
        target,
        about="The largest parts of clusters of which a share is active, at least; one "
        "row a part",
        notes=(f"{parts}", f"{parts.testing}"),
        overwrite=overwrite,
    )


def save_peaks(
    clusters: ClusterSet, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write to a file where the peaks and sub-peaks of clusters lie.

    Parameters
    ----------
    clusters : ClusterSet
        From `find_clusters`.
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
    write_table(
        clusters,
        _with_names(clusters, clusters.peaks),
        path,
        about="Peaks and sub-peaks; one row a peak",
        overwrite=overwrite,
    )


def save_regions(
    clusters: ClusterSet, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write to a file what share of each cluster lies in which region.

    Parameters
    ----------
    clusters : ClusterSet
        From `find_clusters`.
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
    write_table(
        clusters,
        regions_table(clusters),
        path,
        about="What share of each cluster lies in which region; one row a region of a "
        "cluster",
        overwrite=overwrite,
    )


def save_studies(
    behind: Contributors, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write who is behind each cluster to a file.

    Parameters
    ----------
    path : path
        ``.tsv`` or ``.csv``. Its first lines, marked ``#``, say what was counted.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the extension is unknown, nothing is known, the file exists or cannot be
        written.
    """
    if not behind:
        raise ResultsError("\n".join(behind.notices) or "No studies are known.")
    write_table(
        behind.clusters,
        studies_table(behind),
        path,
        about="Who is behind each cluster; one row an experiment of a cluster",
        notes=behind.notes,
        overwrite=overwrite,
    )


def clusters_table(clusters: ClusterSet) -> pd.DataFrame:
    """Return the table of clusters, and beside it what every correction says.

    Returns
    -------
    pandas.DataFrame
        One row a cluster: `ClusterSet.table`, `ClusterSet.extents`,
        `ClusterSet.effects`, `ClusterSet.monte_carlo`, then `ClusterSet.corrected`.
    """
    # By position: both have one row a cluster, in the order of the labels.
    corrected = clusters.corrected.drop(columns="label")
    # What the map says itself is in both, and the same: all maps have the same columns.
    own = clusters.table.columns.intersection(corrected.columns)
    found = clusters.table.drop(columns=own)
    for beside in (clusters.extents, clusters.effects, clusters.monte_carlo):
        found = found.join(beside.drop(columns="label"))
    return found.join(corrected)


def regions_table(clusters: ClusterSet) -> pd.DataFrame:
    """Say what share of each cluster lies in which region.

    Returns
    -------
    pandas.DataFrame
        ``label, name`` of the cluster, then the columns of `ClusterSet.regions`.
    """
    return _with_names(clusters, clusters.regions)


def studies_table(behind: Contributors) -> pd.DataFrame:
    """List the experiments of all clusters below each other.

    Returns
    -------
    pandas.DataFrame
        ``label, name`` of the cluster, then the columns of `Contributors.of`.
    """
    import pandas as pd

    names = behind.clusters.names
    parts = [behind.of(label) for label in range(1, len(names) + 1)]
    for label, part in enumerate(parts, start=1):
        part.insert(0, "label", label)
        part.insert(1, "name", names[label - 1])
    # Those of clusters without a focus say nothing, not even of which type a column is.
    parts = [part for part in parts if len(part)] or parts[:1]
    if not parts:
        return pd.DataFrame(columns=["label", "name", "experiment"])
    return pd.concat(parts, ignore_index=True)


def _write_labels(
    labels: npt.NDArray[np.int32],
    clusters: ClusterSet,
    what: str,
    how: str,
    path: str,
) -> None:
    # Two bytes hold any number of clusters that fits into a brain.
    fitting = np.int16 if labels.max(initial=0) < 2**15 else np.int32
    statmap = clusters.statmap
    write_volume(
        path,
        labels.astype(fitting),
        statmap.affine,
        Meaning("label", what, how),
        space_code(statmap.grid),
    )


def _with_names(clusters: ClusterSet, table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy that says the name of a cluster beside its label."""
    table = table.copy()
    table.insert(1, "name", [clusters.names[label - 1] for label in table["label"]])
    return table
