"""The button that saves a figure: of which kind, where, and on which paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QMenu

from napari_neurosynth_results.api.figures import Kind, save_figure
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.comparison.matrix import Matrix
from napari_neurosynth_results.widgets.common.save_dialogs import PICTURES, ask_and_save

if TYPE_CHECKING:
    from napari.viewer import Viewer


# Which figures can be drawn of what is shown: the lines of a menu.


@dataclass(frozen=True)
class Offer:
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
    kind: Kind
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


def cluster_figures(clusters: ClusterSet | None, viewer: Viewer) -> list[Offer]:
    """List the figures of clusters.

    Parameters
    ----------
    clusters : ClusterSet or None
        Those that are shown, if any are.
    viewer : Viewer
        Whose place is one to cut through.

    Returns
    -------
    list of Offer
        Empty without clusters.
    """
    if clusters is None:
        return []
    make = partial(Offer, what=clusters, name=clusters.statmap.key)
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
) -> list[Offer]:
    """List the figures of a comparison.

    Parameters
    ----------
    comparison : Comparison or None
        Of the first two maps.
    matrix : Matrix or None
        Of all.

    Returns
    -------
    list of Offer
        Empty where nothing is compared.
    """
    made = []
    if comparison is not None:
        for plane in ("axial", "coronal", "sagittal"):
            options = {"plane": plane}
            text = f"Agreement, {plane} slices"
            made.append(Offer(text, comparison, "lightbox", "comparison", options))
    if matrix is not None:
        for measure in ("dice", "jaccard", "r", "rho"):
            options = {"measure": measure}
            made.append(
                Offer(f"Matrix, {measure}", matrix, "matrix", "comparison", options)
            )
    return made


_WHITE = "White background"


class FigureButton(PushButton):
    """Offer figures in a menu, and save the one that is chosen.

    Parameters
    ----------
    offers : callable
        Returns what can be drawn when the button is pressed.
    """

    def __init__(self, offers: Callable[[], Sequence[Offer]]) -> None:
        super().__init__(text="Save figure...", tooltip="As PNG, PDF or SVG")
        self._offers = offers
        self._white = False
        self.changed.connect(self._open_menu)

    def _open_menu(self) -> None:
        menu = QMenu(self.native)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for offer in self._offers():
            action = menu.addAction(offer.text)
            action.triggered.connect(partial(self._save, offer))
        menu.addSeparator()
        white = menu.addAction(_WHITE)
        white.setCheckable(True)
        white.setChecked(self._white)
        white.toggled.connect(self._set_white)
        menu.popup(self.native.mapToGlobal(self.native.rect().bottomLeft()))

    def _set_white(self, white: bool) -> None:
        self._white = white

    def _save(self, offer: Offer, checked: bool = False) -> None:
        suggested = f"{offer.name}_{offer.kind}.png"
        save = partial(self._draw, offer)
        ask_and_save(self.native, "Save the figure", suggested, PICTURES, save)

    def _draw(self, offer: Offer, path: str, *, overwrite: bool) -> None:
        with _waiting():
            save_figure(
                offer.what,
                path,
                kind=offer.kind,
                background="white" if self._white else "black",
                overwrite=overwrite,
                **offer.options,
            )


@contextmanager
def _waiting() -> Iterator[None]:
    """Show that something takes a second or two."""
    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        yield
    finally:
        QApplication.restoreOverrideCursor()
