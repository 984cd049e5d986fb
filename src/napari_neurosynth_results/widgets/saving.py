"""Asking where to save, saving, and telling what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_neurosynth_results.errors import ResultsError

TABLES = "Tab-separated table (*.tsv);;Comma-separated table (*.csv)"
VOLUMES = "Label volume (*.nii.gz *.nii)"


def ask_where(
    parent: QWidget, what: str, suggested: str, kinds: str
) -> tuple[str, bool] | None:
    """Ask for the name of a file.

    Parameters
    ----------
    parent : QWidget
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
        extension = ".nii.gz" if suggested.endswith(".nii.gz") else ".tsv"
        path += ".csv" if "csv" in kind else extension
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
