"""Hear of everything that may change the planes, and of nothing once they are gone."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.viewer.scene import weakly

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: What layers tell without looking any different.
_SILENT = {
    "cursor",
    "cursor_size",
    "editable",
    "feature_defaults",
    "help",
    "highlight",
    "loaded",
    "locked",
    "metadata",
    "mode",
    "mouse_pan",
    "mouse_zoom",
    "name",
    "properties",
    "scale_factor",
    "status",
    "thumbnail",
}


class Follower:
    """Tell a widget whenever the planes of a viewer may look different.

    The viewer is referred to weakly, and napari refers to the follower weakly.

    Parameters
    ----------
    viewer : Viewer
        Whom to follow.
    changed : callable
        A bound method, held weakly. It should only ask for a repaint: one change may be
        told several times.
    """

    def __init__(self, viewer: Viewer, changed: Callable[[], None]) -> None:
        self._ref = weakly(viewer)
        self._changed: Callable[[], Callable[[], None] | None]
        self._changed = weakref.WeakMethod(changed)
        for emitter in self._emitters(viewer):
            emitter.connect(self._on_change)
        viewer.layers.events.inserted.connect(self._on_insert)
        viewer.layers.events.removed.connect(self._on_remove)
        for layer in viewer.layers:
            layer.events.connect(self._on_layer)

    @property
    def viewer(self) -> Viewer | None:
        """The viewer, None when it is gone."""
        return self._ref()

    def stop(self) -> None:
        """Let go of the viewer; doing so again does nothing."""
        viewer = self._ref()
        self._changed = _nobody
        if viewer is None:
            return
        for emitter in self._emitters(viewer):
            emitter.disconnect(self._on_change)
        viewer.layers.events.inserted.disconnect(self._on_insert)
        viewer.layers.events.removed.disconnect(self._on_remove)
        for layer in viewer.layers:
            layer.events.disconnect(self._on_layer)

    @staticmethod
    def _emitters(viewer: Viewer) -> Iterator[Any]:
        yield viewer.layers.events.reordered
        yield viewer.layers.events.renamed
        yield viewer.dims.events.ndim
        yield viewer.dims.events.units
        yield viewer.dims.events.margin_left
        yield viewer.dims.events.margin_right
        yield viewer.dims.events.point
        yield viewer.scene.camera.events.orientation

    def _on_insert(self, event: Any) -> None:
        event.value.events.connect(self._on_layer)
        self._on_change()

    def _on_remove(self, event: Any) -> None:
        event.value.events.disconnect(self._on_layer)
        self._on_change()

    def _on_layer(self, event: Any) -> None:
        # The main viewer cuts its slices anew with each step, and tells that; what has
        # no event of its own, such as the sizes of points, is told in the same way.
        if event.type not in _SILENT and not event.type.startswith("_"):
            self._on_change()

    def _on_change(self, event: object = None) -> None:
        if (changed := self._changed()) is not None:
            changed()


def _nobody() -> None:
    return None
