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
    """Ask where to save something, save it there, and tell what came of it.

    Parameters
    ----------
    parent, what, suggested, kinds, extension
        As for `ask_where`.
    save : callable
        Takes the name, and ``overwrite``: whether the user agreed to replace a file.
        Otherwise as for `save_and_tell`.
    """
    chosen = ask_where(parent, what, suggested, kinds, extension=extension)
    if chosen is not None:
        path, overwrite = chosen
        save_and_tell(partial(save, path, overwrite=overwrite), path)


def ask_where(
    parent: QWidget | None,
    what: str,
    suggested: str,
    kinds: str,
    *,
    extension: str = "",
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
    extension : str
        What the name has to end in, as ``.nnr.json``; without one any extension will
        do.

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
    if extension:
        complete = path.lower().endswith(extension)
        if not complete:
            path = path.removesuffix(os.path.splitext(extension)[1]) + extension
        return path, complete
    complete = "." in os.path.basename(path)
    if not complete:
        named = _FIRST_EXTENSION.search(kind or kinds)
        path += named[1] if named else ""
    return path, complete


def save_and_tell(save: Callable[[], Sequence[str] | None], path: str) -> None:
    """Save something, and tell where or why not.

    Parameters
    ----------
    save : callable
        Saves, or raises ResultsError. It may return what is not in the file.
    path : str
        What the file is called.
    """
    from napari.utils.notifications import show_error, show_info, show_warning

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
