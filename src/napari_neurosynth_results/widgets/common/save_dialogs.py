"""Saving from a window: where to, what came of it, and the menu of figures."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer.progress_bar import (
    show_error,
    show_info,
    show_warning,
    tell_in_panel,
    wait_for,
)

if TYPE_CHECKING:
    # What draws is loaded when something is drawn.
    from napari.viewer import Viewer

    from napari_neurosynth_results.api.figures import FigureKind
    from napari_neurosynth_results.statistics.comparison.comparison import Comparison
    from napari_neurosynth_results.statistics.comparison.matrix import Matrix

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
_WHITE = "White background"
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


def beside_window(
    save: Callable[..., Sequence[str] | None], *needed: Callable[[], object]
) -> Callable[..., Sequence[str] | None]:
    """Let something be saved on another thread, while the window answers.

    Parameters
    ----------
    save : callable
        As for `ask_and_save`; never touches layers or widgets.
    needed : callable
        Work out what takes time of what is saved. Until all of them have, nothing is
        written, and a user can cancel.

    Returns
    -------
    callable
        As for `ask_and_save`. Once it is writing, it is too late to cancel.
    """

    def save_so(path: str, *, overwrite: bool) -> Sequence[str] | None:
        def work(job: Job) -> Sequence[str] | None:
            for number, find in enumerate(needed):
                job.report("Saving", number, len(needed) + 1)
                find()
            job.begin_writing()
            return save(path, overwrite=overwrite)

        return wait_for(work, "Saving")

    return save_so


def needed_for_tables(clusters: ClusterSet) -> list[Callable[[], object]]:
    """List what takes time of a table of clusters; whoever has it keeps it."""
    names = ("table", "peaks", "effects", "proven", "corrected")
    return [partial(getattr, clusters, name) for name in names]


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
    try:
        left_out = save()
    except CancelledError:
        tell_in_panel("Canceled: nothing was saved.")
        return
    except ResultsError as error:
        show_error(str(error))
        tell_in_panel(f"Not saved. {error}")
        return
    # Said once: what takes a line in the panel, where it is in sight.
    told = tell_in_panel(f"Saved {path}")
    if left_out:
        show_warning("\n".join([f"Saved {path}. Not in it:", *left_out]))
    elif not told:
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


# --- figures --------------------------------------------------------------------------


@dataclass(frozen=True)
class FigureChoice:
    """A figure that can be drawn now.

    Attributes
    ----------
    text : str
        What the menu calls it.
    what : ClusterSet, Comparison or Matrix
        What it shows.
    kind : str
        As `save_figure` takes it.
    name : str
        Of the file, without an extension.
    options : mapping
        More of what `save_figure` takes.
    """

    text: str
    what: ClusterSet | Comparison | Matrix
    kind: FigureKind
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


def cluster_figures(clusters: ClusterSet | None, viewer: Viewer) -> list[FigureChoice]:
    """List the figures of clusters.

    Parameters
    ----------
    clusters : ClusterSet or None
        Those that are shown, if any are.
    viewer : Viewer
        Whose place is one to cut through.

    Returns
    -------
    list of FigureChoice
        Empty without clusters.
    """
    if clusters is None:
        return []
    make = partial(FigureChoice, what=clusters, name=clusters.statmap.key)
    here = {"place": tuple(viewer.dims.point[:-4:-1])}
    return [
        *(
            make(f"Slices, {plane}", kind="lightbox", options={"plane": plane})
            for plane in ("axial", "coronal", "sagittal")
        ),
        make("Three planes, strongest peak", kind="ortho"),
        make("Three planes, this place", kind="ortho", options=here),
        make("Glass brain", kind="glass"),
    ]


def comparison_figures(
    comparison: Comparison | None, matrix: Matrix | None
) -> list[FigureChoice]:
    """List the figures of a comparison.

    Parameters
    ----------
    comparison : Comparison or None
        Of the first two maps.
    matrix : Matrix or None
        Of all.

    Returns
    -------
    list of FigureChoice
        Empty where nothing is compared.
    """
    made = []
    if comparison is not None:
        for plane in ("axial", "coronal", "sagittal"):
            options = {"plane": plane}
            text = f"Agreement, {plane} slices"
            made.append(
                FigureChoice(text, comparison, "lightbox", "comparison", options)
            )
    if matrix is not None:
        for measure in ("dice", "jaccard", "r", "rho"):
            options = {"measure": measure}
            made.append(
                FigureChoice(
                    f"Matrix, {measure}", matrix, "matrix", "comparison", options
                )
            )
    return made


class FigureButton(PushButton):
    """Offer figures in a menu, and save the one that is chosen.

    Parameters
    ----------
    choices : callable
        Returns what can be drawn when the button is pressed.
    """

    def __init__(self, choices: Callable[[], Sequence[FigureChoice]]) -> None:
        super().__init__(
            text="Save figure...", tooltip="Save a figure as PNG, PDF or SVG"
        )
        self._choices = choices
        self._white = False
        self.changed.connect(self._open_menu)

    def _open_menu(self) -> None:
        menu = QMenu(self.native)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for choice in self._choices():
            action = menu.addAction(choice.text)
            action.triggered.connect(partial(self._save, choice))
        menu.addSeparator()
        white = menu.addAction(_WHITE)
        white.setCheckable(True)
        white.setChecked(self._white)
        white.toggled.connect(self._set_white)
        menu.popup(self.native.mapToGlobal(self.native.rect().bottomLeft()))

    def _set_white(self, white: bool) -> None:
        self._white = white

    def _save(self, choice: FigureChoice, checked: bool = False) -> None:
        suggested = f"{choice.name}_{choice.kind}.png"
        save = partial(self._draw, choice)
        ask_and_save(self.native, "Save the figure", suggested, PICTURES, save)

    def _draw(self, choice: FigureChoice, path: str, *, overwrite: bool) -> None:
        white = self._white

        def work(job: Job) -> None:
            # Loaded beside the window, which answers meanwhile.
            from napari_neurosynth_results.api.figures import save_figure

            def hear(what: str, done: int, total: int | None) -> None:
                job.report(what, done, total)
                if done:
                    # It is drawn, and begins to be written.
                    job.begin_writing()

            save_figure(
                choice.what,
                path,
                kind=choice.kind,
                background="white" if white else "black",
                progress=hear,
                overwrite=overwrite,
                **choice.options,
            )

        wait_for(work, "Drawing the figure")
