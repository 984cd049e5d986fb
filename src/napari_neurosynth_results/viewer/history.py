"""The thresholds that were tried on a map: back and forward, as in a web browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_neurosynth_results.statistics.threshold import Threshold

if TYPE_CHECKING:
    from napari.layers import Layer

#: In the metadata of the map's layer, so that closing a widget loses nothing.
_KEY = "neurosynth_results_tried"
_MOST = 200


@dataclass(frozen=True)
class Tried:
    """Thresholds in the order in which they were tried.

    Attributes
    ----------
    thresholds : tuple of Threshold
        Oldest first.
    at : int
        Which of them is shown, -1 when there is none.
    """

    thresholds: tuple[Threshold, ...] = ()
    at: int = -1

    @property
    def shown(self) -> Threshold | None:
        """The threshold that is shown."""
        return self.thresholds[self.at] if self.thresholds else None

    @property
    def can_go_back(self) -> bool:
        """Whether another one was tried before."""
        return self.at > 0

    @property
    def can_go_forward(self) -> bool:
        """Whether `back` was taken."""
        return self.at < len(self.thresholds) - 1

    def tried(self, threshold: Threshold) -> Tried:
        """Add one after the one that is shown; what came after that is forgotten."""
        if threshold == self.shown:
            return self
        kept = (*self.thresholds[: self.at + 1], threshold)[-_MOST:]
        return Tried(kept, len(kept) - 1)

    def back(self) -> Tried:
        """Go to the one before."""
        return Tried(self.thresholds, max(self.at - 1, min(self.at, 0)))

    def forward(self) -> Tried:
        """Go to the one after."""
        return Tried(self.thresholds, min(self.at + 1, len(self.thresholds) - 1))


def tried_on(layer: Layer) -> Tried:
    """Return what was tried on the map of a layer."""
    found = layer.metadata.get(_KEY)
    return found if isinstance(found, Tried) else Tried()


def remember(layer: Layer, tried: Tried) -> None:
    """Keep what was tried with the layer of its map."""
    layer.metadata[_KEY] = tried
