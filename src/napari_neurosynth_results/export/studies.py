"""Who is behind each cluster, as a table on disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.writing import write_whole
from napari_neurosynth_results.statistics.contributors import Contributors

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
#: A spreadsheet takes a cell that begins so for a formula.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


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
    target = os.fspath(path)
    separator = _SEPARATORS.get(os.path.splitext(target)[1].lower())
    if separator is None:
        raise ResultsError(f"{target}: studies are saved as {', '.join(_SEPARATORS)}.")
    if not behind:
        raise ResultsError("\n".join(behind.notices) or "No studies are known.")
    table = studies_table(behind)
    for column in ("name", "experiment", "study"):
        table[column] = table[column].map(_harmless)
    statmap = behind.clusters.statmap
    lines = [f"map: {statmap.key} ({statmap.title})", str(behind.clusters)]
    lines += behind.notices

    def write(partial: str) -> None:
        with open(partial, "w", encoding="utf-8", newline="") as file:
            file.writelines(f"# {' '.join(line.split())}\n" for line in lines)
            table.to_csv(file, sep=separator, index=False, lineterminator="\n")

    write_whole(target, write, overwrite=overwrite)


def _harmless(text: str) -> str:
    """Keep a title that others chose from being run by a spreadsheet."""
    return f"'{text}" if text.startswith(_FORMULAS) else text
