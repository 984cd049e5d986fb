"""The studies that lie beside the maps of a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from napari_neurosynth_results.maps.studies import NOBODY, LazyStudies, Studies
from napari_neurosynth_results.sources.study_files import (
    annotation_columns,
    open_studies,
)

#: The column that Neurosynth Compose chooses analyses by, unless told otherwise.
_INCLUDED = "included"


def studies_beside(path: str, names: Sequence[str]) -> LazyStudies:
    """Find the studyset of a folder: the one JSON file that is called so.

    Parameters
    ----------
    path : str
        The folder.
    names : sequence of str
        The files in it.

    Returns
    -------
    LazyStudies
        Read on first use; none when no file is called a studyset, or several are.
    """
    found = [
        name
        for name in names
        if name.lower().endswith(".json")
        and "studyset" in name.lower()
        and "annotation" not in name.lower()
    ]
    if len(found) != 1:
        return NOBODY
    return LazyStudies(partial(_open, os.path.join(path, found[0])), remote=False)


def _open(path: str) -> Studies:
    known = _INCLUDED in annotation_columns(path)
    return open_studies(path, include=_INCLUDED if known else None)
