"""The button that saves a figure: of which kind, where, and on which paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from magicgui.widgets import PushButton
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QMenu

from napari_neurosynth_results.api.figures import save_figure
from napari_neurosynth_results.widgets.figure_offers import Offer
from napari_neurosynth_results.widgets.saving import PICTURES, ask_and_save

_WHITE = "White background"


class FigureButton(PushButton):  # type: ignore[misc]
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
