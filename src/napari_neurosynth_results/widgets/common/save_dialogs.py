"""Asking where to save, saving, and telling what came of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_neurosynth_results.errors import ResultsError

TABLES = "Tab-separated table (*.tsv);;Comma-separated table (*.csv)"
PICTURES = "Picture (*.png);;Vectors, PDF (*.pdf);;Vectors, SVG (*.svg)"
#: Clusters can be laid out as a paper prints them, too.
CLUSTER_TABLES = (
    f"{TABLES};;Table for a paper, Markdown (*.md);;Table for a paper, LaTeX (*.tex);;"
    "Table for a paper, HTML (*.html)"
)
VOLUMES = "Label volume (*.nii.gz *.nii)"
MAPS = "Map (*.nii.gz *.nii)"
_FIRST_EXTENSION = re.compile(r"\*(\.[a-z.]+)")


def ask_where(
    parent: QWidget | None, what: str, suggested: str, kinds: str
) -> tuple[str, bool] | None:
    """Ask for the name of a file.

    Parameters
    ----------
    parent : QWidget or None
        Whose question it is.
    what : str
        Title of the dialog.
    suggested : str
        A name, with an extension.
    kinds : str
        Kinds of files, as Qt writes them.

    Returns
    -------
    tuple of str and bool, or None
        The name, and whether the user agreed to replace a file of that name; None when
        the user did not want to save.
    """
    path, kind = QFileDialog.getSaveFileName(parent, what, suggested, kinds)
    if not path:
        return None
    # The dialog has asked about a file that exists, but not about the name that an
    # extension makes of the one that was typed.
    complete = "." in os.path.basename(path)
    if not complete:
        named = _FIRST_EXTENSION.search(kind or kinds)
        path += named[1] if named else ""
    return path, complete


def save_and_tell(save: Callable[[], object], path: str) -> None:
    """Save something, and tell where or why not.

    Parameters
    ----------
    save : callable
        Saves, or raises ResultsError.
    path : str
        Where.
    """
    from napari.utils.notifications import show_error, show_info

    try:
        save()
    except ResultsError as error:
        show_error(str(error))
        return
    show_info(f"Saved {path}")


def ask_and_save(
    parent: QWidget | None,
    what: str,
    suggested: str,
    kinds: str,
    save: Callable[..., object],
) -> None:
    """Ask where to save something, save it there, and tell what came of it.

    Parameters
    ----------
    parent, what, suggested, kinds
        As for `ask_where`.
    save : callable
        Takes the name, and ``overwrite``: whether the user agreed to replace a file.
    """
    chosen = ask_where(parent, what, suggested, kinds)
    if chosen is not None:
        path, overwrite = chosen
        save_and_tell(partial(save, path, overwrite=overwrite), path)
