"""What was tried on a map: back and forward, as in a web browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_neurosynth_results.viewer.clusters.request import Question

if TYPE_CHECKING:
    from napari.layers import Layer

#: In the metadata of the map's layer, so that closing a widget loses nothing.
_KEY = "neurosynth_results_tried"
_MOST = 200


@dataclass(frozen=True)
class Tried:
    """Questions in the order in which they were tried.

    Attributes
    ----------
    questions : tuple of Question
        Oldest first.
    at : int
        Which of them is shown, -1 when there is none.
    """

    questions: tuple[Question, ...] = ()
    at: int = -1

    @property
    def shown(self) -> Question | None:
        """The question whose answer is shown."""
        return self.questions[self.at] if self.questions else None

    @property
    def can_go_back(self) -> bool:
        """Whether another one was tried before."""
        return self.at > 0

    @property
    def can_go_forward(self) -> bool:
        """Whether `back` was taken."""
        return self.at < len(self.questions) - 1

    def tried(self, question: Question) -> Tried:
        """Add one after the one that is shown; what came after that is forgotten."""
        if question == self.shown:
            return self
        kept = (*self.questions[: self.at + 1], question)[-_MOST:]
        return Tried(kept, len(kept) - 1)

    def back(self) -> Tried:
        """Go to the one before."""
        return Tried(self.questions, max(self.at - 1, min(self.at, 0)))

    def forward(self) -> Tried:
        """Go to the one after."""
        return Tried(self.questions, min(self.at + 1, len(self.questions) - 1))


def tried_on(layer: Layer) -> Tried:
    """Return what was tried on the map of a layer."""
    found = layer.metadata.get(_KEY)
    return found if isinstance(found, Tried) else Tried()


def remember(layer: Layer, tried: Tried) -> None:
    """Keep what was tried with the layer of its map."""
    layer.metadata[_KEY] = tried
