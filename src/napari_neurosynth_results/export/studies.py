"""Who is behind each cluster, as a table on disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.tables import write_table
from napari_neurosynth_results.statistics.contributors import Contributors

if TYPE_CHECKING:
    import pandas as pd


def studies_table(behind: Contributors) -> pd.DataFrame:
    """List the experiments of all clusters below each other.

    Parameters
    ----------
    behind : Contributors
        What is known.

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


def save_studies(
    behind: Contributors, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write who is behind each cluster to a file.

    Parameters
    ----------
    behind : Contributors
        What is known.
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
        notes=behind.notices,
        overwrite=overwrite,
    )
