"""What was tried on a map: back and forward, as in a web browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    give_names,
)
from napari_neurosynth_results.viewer.clusters.mask_choice import ViewerRequest

if TYPE_CHECKING:
    from napari.layers import Labels, Layer

#: In the metadata of the map's layer, so that closing a widget loses nothing.
_KEY = "neurosynth_results_tried"
#: And in that of the layer of its clusters.
_NAMES_KEY = "neurosynth_results_names_before"
_MOST = 200


@dataclass(frozen=True)
class ThresholdHistory:
    """Requests in the order in which they were tried.

    Attributes
    ----------
    requests : tuple of ThresholdRequest
        Oldest first.
    at : int
        Which of them is shown, -1 when there is none.
    """

    requests: tuple[ViewerRequest, ...] = ()
    at: int = -1

    @property
    def shown(self) -> ViewerRequest | None:
        """The request whose clusters are shown."""
        return self.requests[self.at] if self.requests else None

    @property
    def can_go_back(self) -> bool:
        """Whether another one was tried before."""
        return self.at > 0

    @property
    def can_go_forward(self) -> bool:
        """Whether `back` was taken."""
        return self.at < len(self.requests) - 1

    def with_next(self, request: ViewerRequest) -> ThresholdHistory:
        """Add one after the one that is shown; what came after that is forgotten."""
        if request == self.shown:
            return self
        kept = (*self.requests[: self.at + 1], request)[-_MOST:]
        return ThresholdHistory(kept, len(kept) - 1)

    def back(self) -> ThresholdHistory:
        """Go to the one before."""
        return ThresholdHistory(self.requests, max(self.at - 1, min(self.at, 0)))

    def forward(self) -> ThresholdHistory:
        """Go to the one after."""
        return ThresholdHistory(self.requests, min(self.at + 1, len(self.requests) - 1))


def tried_on(layer: Layer) -> ThresholdHistory:
    """Return what was tried on the map of a layer."""
    found = layer.metadata.get(_KEY)
    return found if isinstance(found, ThresholdHistory) else ThresholdHistory()


def remember(layer: Layer, history: ThresholdHistory) -> None:
    """Keep what was tried with the layer of its map."""
    layer.metadata[_KEY] = history


def remember_names(layer: Labels) -> None:
    """Keep the names that clusters have now, before one of them is changed."""
    if (clusters := clusters_of(layer)) is not None:
        before = layer.metadata.get(_NAMES_KEY, ())
        layer.metadata[_NAMES_KEY] = (*before, clusters.given_names)[-_MOST:]


def take_back_name(layer: Labels) -> None:
    """Give clusters the names that they had before the last change, if any."""
    if before := layer.metadata.get(_NAMES_KEY, ()):
        layer.metadata[_NAMES_KEY] = before[:-1]
        give_names(layer, before[-1])
