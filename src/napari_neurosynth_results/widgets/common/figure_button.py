"""The button that saves a figure, and the figures that its menu offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QMenu

from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.widgets.common.save_dialogs import PICTURES, ask_and_save

if TYPE_CHECKING:
    # What draws is loaded when something is drawn.
    from napari.viewer import Viewer

    from napari_neurosynth_results.api.figures import FigureKind
    from napari_neurosynth_results.statistics.comparison.comparison import Comparison
    from napari_neurosynth_results.statistics.comparison.matrix import Matrix

_WHITE = "White background"


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
    """FigureChoice figures in a menu, and save the one that is chosen.

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
        from napari_neurosynth_results.api.figures import save_figure

        with _waiting():
            save_figure(
                choice.what,
                path,
                kind=choice.kind,
                background="white" if self._white else "black",
                overwrite=overwrite,
                **choice.options,
            )


@contextmanager
def _waiting() -> Iterator[None]:
    """Show that something takes a second or two."""
    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        yield
    finally:
        QApplication.restoreOverrideCursor()
