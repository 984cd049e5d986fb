"""A line that is moved over two maps: one on this side of it, the other on that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

#: What a copy takes over from the layer of the map.
_LOOK = ("colormap", "contrast_limits", "gamma", "blending", "interpolation2d")


class Swipe:
    """Shows the first of two maps left of a line, and the second right of it.

    The layers of the maps stay as they are: two others show parts of the same voxels,
    which are views, so that nothing is copied.

    Parameters
    ----------
    viewer : Viewer
        The viewer.
    first, second : Image
        Layers of maps.
    mark : str
        Metadata that says that the layers are there for a while.
    """

    def __init__(self, viewer: Viewer, first: Image, second: Image, mark: str) -> None:
        self._viewer = viewer
        self._pair = (first, second)
        self._shown = [self._part_of(layer, mark) for layer in self._pair]
        self._share = 0.5
        viewer.dims.events.order.connect(self._again)
        viewer.scene.camera.events.orientation.connect(self._again)
        self.to(self._share)

    def _part_of(self, layer: Image, mark: str) -> Any:
        look = {name: getattr(layer, name) for name in _LOOK}
        return self._viewer.add_image(
            layer.data,
            name=f"swipe: {layer.name}",
            scale=layer.scale,
            translate=layer.translate,
            units=layer.units,
            axis_labels=layer.axis_labels,
            projection_mode="none",
            metadata={mark: True},
            **look,
        )

    def _again(self, event: object = None) -> None:
        self.to(self._share)

    def to(self, share: float) -> None:
        """Move the line.

        Parameters
        ----------
        share : float
            0 shows the second map alone, 1 the first.
        """
        self._share = share
        axis = self._viewer.dims.order[-1]
        low, high = self._viewer.dims.range[axis][:2]
        rightwards = str(self._viewer.scene.camera.orientation[2]) == "right"
        cut = low + (high - low) * (share if rightwards else 1 - share)
        for layer, shown, is_first in zip(
            self._pair, self._shown, (True, False), strict=True
        ):
            if shown in self._viewer.layers:
                self._cut(layer, shown, axis, cut, below=is_first == rightwards)

    def _cut(
        self, layer: Image, shown: Image, axis: int, cut: float, *, below: bool
    ) -> None:
        """Show what lies on one side of a place along an axis."""
        size, origin = layer.scale[axis], layer.translate[axis]
        n = layer.data.shape[axis]
        at = min(max(round((cut - origin) / size), 0), n)
        keep = slice(0, at) if below else slice(at, n)
        shown.visible = keep.start < keep.stop
        if not shown.visible:
            return
        index = [slice(None)] * layer.ndim
        index[axis] = keep
        translate = list(layer.translate)
        translate[axis] += size * keep.start
        shown.data = layer.data[tuple(index)]
        shown.translate = translate

    def stop(self) -> None:
        """Let go of the viewer; who made the layers takes them away by their mark."""
        self._viewer.dims.events.order.disconnect(self._again)
        self._viewer.scene.camera.events.orientation.disconnect(self._again)
