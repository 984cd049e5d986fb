"""Volumes stand back while surfaces are shown in 3D, and come back as they were.

Rendered as volumes, maps and template are blobs that hide what lies inside, and each
takes up to a second a frame without a graphics card. Only `visible` keeps napari from
rendering them, so it is remembered what the user wants to see.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.viewer.layers import STANDS_BACK_KEY
from napari_neurosynth_results.viewer.scene import weakly

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

#: Told of a layer that was switched on; says whether something else stands for it.
StandIn = Callable[[Any], bool]


class HiddenVolumes:
    """The images and labels of a viewer, and whether the user wants to see them.

    Parameters
    ----------
    stand_in : callable
        A bound method that is called when the user switches a layer on in the meantime.
        When it returns True, the layer stands back again; it is held weakly.
    """

    def __init__(self, viewer: Viewer, stand_in: StandIn) -> None:
        self._ref = weakly(viewer)
        self._stand_in = weakref.WeakMethod(stand_in)
        self._wanted: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        #: While it is this object that hides and shows, nobody wants anything.
        self._busy = False

    def take(self, layer: Layer, *, wanted: bool = False) -> None:
        """Let a layer stand back, if it is a volume.

        Parameters
        ----------
        wanted : bool
            Whether the user wants to see it, although it is hidden: clusters are added
            as hidden as their map is.
        """
        if self._note(layer):
            self._wanted[layer] |= wanted
            self._hide(layer)

    def take_all(self) -> None:
        """Let all volumes of the viewer stand back."""
        layers = list(viewer.layers) if (viewer := self._ref()) is not None else []
        # All are noted before the first is hidden: some follow others.
        for layer in [one for one in layers if self._note(one)]:
            self._hide(layer)

    def wants(self, layer: Layer) -> bool:
        """Whether the user wants to see a layer: as in 2D, or switched on since."""
        return bool(self._wanted.get(layer, layer.visible))

    def give_back(self) -> None:
        """Show again what the user wants to see."""
        wanted = list(self._wanted.items())
        self._wanted.clear()
        for layer, _ in wanted:
            layer.events.visible.disconnect(self._switched)
        # Layers of clusters follow their maps: what was hidden alone is hidden again.
        for layer, visible in sorted(wanted, key=lambda pair: not pair[1]):
            if visible:
                layer.metadata.pop(STANDS_BACK_KEY, None)
            self._set(layer, visible)

    def _note(self, layer: Layer) -> bool:
        """Remember whether a layer is seen; say whether it is a new volume."""
        if not _is_volume(layer) or layer in self._wanted:
            return False
        self._wanted[layer] = layer.visible
        layer.events.visible.connect(self._switched)
        return True

    def _hide(self, layer: Layer) -> None:
        if self._wanted[layer]:
            layer.metadata[STANDS_BACK_KEY] = True
        self._set(layer, False)

    def _set(self, layer: Layer, visible: bool) -> None:
        if layer.visible != visible:
            before, self._busy = self._busy, True
            try:
                layer.visible = visible
            finally:
                self._busy = before

    def _switched(self, event: Any) -> None:
        """Follow the user, who switches a layer on."""
        layer = event.source
        if self._busy or not layer.visible or layer not in self._wanted:
            return
        self._wanted[layer] = True
        stand_in = self._stand_in()
        if stand_in is not None and stand_in(layer):
            self._hide(layer)


def _is_volume(layer: Layer) -> bool:
    from napari.layers import Image, Labels

    return isinstance(layer, Image | Labels) and layer.ndim >= 3
