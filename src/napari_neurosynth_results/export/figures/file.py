"""Figures on disk: pictures or vectors, whole files, the same bytes each time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import (
    already_exists,
    check_path,
    write_whole,
)
from napari_neurosynth_results.export.figures.page import need_matplotlib, own_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What a figure can be saved as.
FIGURE_FORMATS = (".png", ".pdf", ".svg")
_DPI = (30, 1200)
_MAKER = "napari-neurosynth-results"


def write_figure(
    figure: Figure,
    path: str | os.PathLike[str],
    *,
    dpi: float = 300,
    overwrite: bool = False,
) -> None:
    """Write a figure to a file; its extension says what to write.

    The file says what the figure shows, and carries no date: the same figure gives the
    same bytes with the same matplotlib.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Of this package.
    path : path
        ``.png``, ``.pdf`` or ``.svg``. Texts stay texts in the last two; fonts are in
        the PDF, and looked for by whoever shows the SVG.
    dpi : float
        Pixels an inch, 30 to 1200; in vector files those of brains and bars.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        Without matplotlib, for another extension or resolution, when the file exists,
        or when it cannot be written.
    """
    need_matplotlib()
    target = check_target(path, dpi, overwrite=overwrite)
    extension = os.path.splitext(target)[1].lower()

    def write(partial: str) -> None:
        with own_settings():
            figure.savefig(
                partial,
                dpi=dpi,
                format=extension[1:],
                facecolor=figure.get_facecolor(),
                metadata=_metadata(extension, str(figure.get_label())),
            )

    write_whole(target, write, overwrite=overwrite)


def check_target(
    path: str | os.PathLike[str], dpi: float, *, overwrite: bool = False
) -> str:
    """Check what a figure is to be saved as, before it is drawn.

    Parameters
    ----------
    dpi : float
        Pixels an inch.
    overwrite : bool
        Whether it may exist.

    Returns
    -------
    str
        The file.

    Raises
    ------
    ResultsError
        For another extension or resolution, or when the file exists.
    """
    known = ", ".join(FIGURE_FORMATS)
    target = check_path(path, FIGURE_FORMATS, f"figures are saved as {known}")
    low, high = _DPI
    if not low <= dpi <= high:
        raise ResultsError(f"dpi must be {low} to {high}; journals ask for 300 or 600.")
    if os.path.lexists(target) and not overwrite:
        raise already_exists(target)
    return target


def _metadata(extension: str, told: str) -> dict[str, Any]:
    title, _, rest = told.partition("\n")
    if extension == ".png":
        safe = told.encode("ascii", "replace").decode()
        return {"Software": _MAKER, "Description": safe}
    if extension == ".pdf":
        return {
            "Title": title,
            "Subject": rest,
            "Creator": _MAKER,
            "CreationDate": None,
        }
    return {"Title": title, "Description": rest, "Creator": _MAKER, "Date": None}
