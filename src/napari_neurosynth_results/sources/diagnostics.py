"""The table of NiMARE's diagnostics as Compose hands it out: one long text."""

from __future__ import annotations

import csv
import io
import warnings
from typing import TYPE_CHECKING

from napari_neurosynth_results.errors import ResultsError

if TYPE_CHECKING:
    import pandas as pd

_MOST_TABLE = 16 << 20


def read_diagnostics(text: str) -> pd.DataFrame:
    """Read a table of studies by clusters.

    Parameters
    ----------
    text : str
        Tab-separated; names hold commas and quotes.

    Returns
    -------
    pandas.DataFrame
        The studies in the column ``id``, as text; numbers in all others.

    Raises
    ------
    ResultsError
        When it is no table.
    """
    import pandas as pd

    if len(text) > _MOST_TABLE:
        raise ResultsError("The table of diagnostics is too large.")
    try:
        with warnings.catch_warnings():
            # A row of more cells than the head has would shift all values.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.StringIO(text),
                sep="\t",
                quoting=csv.QUOTE_NONE,
                index_col=False,
                # A study may be called NA.
                dtype=str,
                keep_default_na=False,
            )
    except (ValueError, pd.errors.ParserWarning) as error:
        raise ResultsError(f"The table of diagnostics is broken: {error}.") from error
    if "id" not in table.columns:
        raise ResultsError("The table of diagnostics names no studies.")
    for column in table.columns.drop("id"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    return table
