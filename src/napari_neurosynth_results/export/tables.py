"""Tables about clusters on disk: what they show is said in their first lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.writing import write_whole
from napari_neurosynth_results.statistics.clusters import ClusterSet

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {".csv": ",", ".tsv": "\t"}
#: A spreadsheet takes a cell that begins so for a formula.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def write_table(
    clusters: ClusterSet,
    table: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    notes: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Write a table that belongs to some clusters.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters: their map, threshold and atlas are stated.
    table : pandas.DataFrame
        What to write. Texts, which others may have chosen, cannot become formulas.
    path : path
        ``.tsv`` or ``.csv``.
    notes : sequence of str
        More lines to begin with.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the extension is unknown, the file exists or cannot be written.
    """
    target = os.fspath(path)
    separator = SEPARATORS.get(os.path.splitext(target)[1].lower())
    if separator is None:
        raise ResultsError(f"{target}: a table is saved as {', '.join(SEPARATORS)}.")
    statmap, atlas = clusters.statmap, clusters.atlas
    lines = [
        f"map: {statmap.key} ({statmap.title})",
        str(clusters),
        f"regions: {atlas.name} ({atlas.citation})" if atlas else "regions: none",
        *notes,
    ]
    table = without_formulas(table)

    def write(partial: str) -> None:
        with open(partial, "w", encoding="utf-8", newline="") as file:
            file.writelines(f"# {' '.join(line.split())}\n" for line in lines)
            table.to_csv(file, sep=separator, index=False, lineterminator="\n")

    write_whole(target, write, overwrite=overwrite)


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a table whose texts no spreadsheet runs."""
    table = table.copy()
    for column in table.columns:
        if table[column].dtype == object or str(table[column].dtype) == "str":
            table[column] = table[column].map(harmless)
    return table


def harmless(value: object) -> object:
    """Keep a text that others chose from being run by a spreadsheet.

    Parameters
    ----------
    value : object
        What stands in a cell.

    Returns
    -------
    object
        The same; a text that would be a formula has an apostrophe before it.
    """
    if isinstance(value, str) and value.startswith(_FORMULAS):
        return f"'{value}"
    return value
