"""Asking where to save, saving, and telling what came of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError

# Kinds of files, as Qt writes them.
TABLES = "Tab-separated table (*.tsv);;Comma-separated table (*.csv)"
#: Clusters can be laid out as a paper prints them, too.
CLUSTER_TABLES = (
    f"{TABLES};;Table for a paper, Markdown (*.md);;Table for a paper, LaTeX (*.tex);;"
    "Table for a paper, HTML (*.html)"
)
PICTURES = "Picture (*.png);;Vectors, PDF (*.pdf);;Vectors, SVG (*.svg)"
LABEL_VOLUMES = "Label volume (*.nii.gz *.nii)"
MAPS = "Map (*.nii.gz *.nii)"
REPORTS = "Report (*.html)"
NEW_FOLDER = "New folder (*)"
_FIRST_EXTENSION = re.compile(r"\*(\.[a-z.]+)")


def ask_and_save(
    parent: QWidget | None,
    what: str,
    suggested: str,
    kinds: str,
    save: Callable[..., Sequence[str] | None],
    *,
    extension: str = "",
) -> None:
    """Ask where to save something, save it there, and tell where or why not.

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
    save : callable
        Takes the name, and ``overwrite``: whether the user agreed to replace a file of
        that name. Raises ResultsError where it cannot save, and may return lines on
        what is not in the file.
    extension : str
        What the name has to end in, as ``.nnr.json``; without one any extension will
        do.
    """
    path, kind = QFileDialog.getSaveFileName(parent, what, suggested, kinds)
    if path:
        # The dialog has asked about a file that exists, but not about the name that an
        # extension makes of the one that was typed.
        whole = _with_extension(path, kind or kinds, extension)
        _save_and_tell(partial(save, whole, overwrite=whole == path), whole)


def _with_extension(path: str, kinds: str, extension: str) -> str:
    if extension:
        if path.lower().endswith(extension):
            return path
        return path.removesuffix(os.path.splitext(extension)[1]) + extension
    if "." in os.path.basename(path):
        return path
    named = _FIRST_EXTENSION.search(kinds)
    return path + (named[1] if named else "")


def _save_and_tell(save: Callable[[], Sequence[str] | None], path: str) -> None:
    from napari_neurosynth_results.viewer.progress_bar import (
        show_error,
        show_info,
        show_warning,
    )

    try:
        left_out = save()
    except CancelledError:
        return
    except ResultsError as error:
        show_error(str(error))
        return
    if left_out:
        show_warning("\n".join([f"Saved {path}. Not in it:", *left_out]))
    else:
        show_info(f"Saved {path}")


def file_stem(title: str, allowed: str) -> str:
    """Make a name for a file of a title.

    Parameters
    ----------
    title : str
        Whatever somebody called it.
    allowed : str
        Characters to keep beside letters and digits; others become ``_``.

    Examples
    --------
    >>> file_stem("Pain: heat/cold", "-_")
    'Pain__heat_cold'
    """
    return "".join(c if c.isalnum() or c in allowed else "_" for c in title)[:60]
