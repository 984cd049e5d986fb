"""What is drawn over the slices and napari has no overlay for: color bar and crosshair.

napari lets nobody else draw overlays: what this file takes from it is not promised, as
in `napari_private`, and stands apart only because it cannot be imported without napari.
Where a name goes, the import fails and `viewer.canvas` does without.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from napari._vispy.overlays.base import VispyCanvasOverlay, VispySceneOverlay
from napari._vispy.utils.visual import overlay_to_visual
from napari._vispy.visuals.text import Text
from napari.components.overlays import CanvasOverlay, SceneOverlay
from vispy.scene import Node
from vispy.scene.visuals import Image, Line
from vispy.visuals.transforms import STTransform

#: Pixels of the screen: the bar, the lines beside it, and what lies between its parts.
_WIDTH, _TICK, _SPACE = 16, 5, 4
_FONT_SIZE = 9
#: Millimeters about the chosen place that no line of the crosshair covers, and how far
#: the lines go: beyond any head.
_OPEN_MM, _REACH_MM = 6.0, 400.0
#: Green is no color of a map, and stands out from gray, white and black.
_GREEN = (0.15, 0.85, 0.25, 0.8)


class BarOverlay(CanvasOverlay):  # type: ignore[misc]
    """A color bar: a title, colors from top to bottom, and numbers beside them.

    Attributes
    ----------
    bar : Bar or None
        What `viewer.canvas` makes of the layer that is shown; None draws nothing.
    below : float
        Pixels of the screen that stay free above it, where the caption takes all the
        width.
    height : float
        Of its colors, in pixels of the screen.
    ruler : weakref.WeakMethod or None
        `DrawnBar.measure`, as soon as there is one.
    """

    bar: Any = None
    below: float = 0.0
    height: float = 180.0
    ruler: Any = None


class CrosshairOverlay(SceneOverlay):  # type: ignore[misc]
    """Lines through the place of the slices, open in the middle; none in 3D."""


class _BarNode(Node):  # type: ignore[misc]
    """The parts of a color bar, which napari draws and clips as one."""

    def __init__(self, font_info: Any) -> None:
        super().__init__()
        self.image = Image(np.zeros((1, 1, 4), np.float32), clim=(0, 1), parent=self)
        self.image.transform = STTransform()
        self.lines = Line(np.zeros((2, 2)), connect="segments", parent=self)
        given = {"font_info": font_info, "font_size": _FONT_SIZE, "parent": self}
        self.title = Text("", anchor_x="right", anchor_y="bottom", **given)
        self.numbers = Text("", anchor_x="right", anchor_y="center", **given)

    def set_gl_state(self, *args: Any, **kwargs: Any) -> None:
        """Draw all parts alike."""
        for part in self.children:
            part.set_gl_state(*args, **kwargs)

    def _set_clipper(self, node: Any, clipper: Any) -> None:
        for part in self.children:
            part._set_clipper(node, clipper)


class DrawnBar(VispyCanvasOverlay):  # type: ignore[misc]
    """Draws a `BarOverlay`."""

    def __init__(self, *, font_info: Any, **kwargs: Any) -> None:
        super().__init__(node=_BarNode(font_info), font_info=font_info, **kwargs)
        events = self.overlay.events
        for event in (events.bar, events.below, events.height):
            event.connect(self._draw)
        # The overlay outlives what draws it.
        self.overlay.ruler = weakref.WeakMethod(self.measure)
        self.viewer.canvas.events.background_color.connect(self._draw)
        self.reset()

    def reset(self) -> None:
        """Draw all of it anew."""
        super().reset()
        self._draw()

    def measure(self, words: str) -> tuple[float, float]:
        """Say how wide and high words are in the type of caption and numbers."""
        text = self.node.title
        text.font_size = _FONT_SIZE
        return _measure(text, words), float(text.get_line_height())

    def _on_visible_change(self) -> None:
        super()._on_visible_change()
        self._draw()

    def _draw(self, event: object = None) -> None:
        bar = self.overlay.bar
        if bar is None or not self.node.visible:
            return
        node, ink = self.node, self._get_fgcolor()
        for text in (node.title, node.numbers):
            text.color, text.font_size = ink, _FONT_SIZE
        node.title.text = bar.title
        node.numbers.text = [number for _, number in bar.ticks]
        line = node.title.get_line_height()
        wide = max(_measure(node.title, number) for _, number in bar.ticks)
        wide += _WIDTH + _TICK + _SPACE
        self.x_size = max(wide, _measure(node.title, bar.title))
        # Room for half a line above and below the bar, where numbers stand out.
        above, height = self.overlay.below, self.overlay.height
        top = above + 1.5 * line + _SPACE
        self.y_size = top + height + line / 2
        node.title.pos = (self.x_size, above)
        left = self.x_size - _WIDTH
        places = [top + share * height for share, _ in bar.ticks]
        node.numbers.pos = [(left - _TICK - _SPACE, y) for y in places]
        node.lines.set_data(
            np.array([[x, y] for y in places for x in (left - _TICK, left)]), color=ink
        )
        colors = np.frombuffer(bar.colors, np.uint8).reshape(-1, 1, 4)
        node.image.set_data((colors / 255).astype(np.float32))
        node.image.transform.scale = _WIDTH, height / len(colors)
        node.image.transform.translate = left, top
        self._on_position_change()


def _measure(text: Any, words: str) -> float:
    """Say how wide words would be in the type of a text."""
    before = text.text
    text.text = words
    width, _ = text.get_width_height()
    text.text = before
    return float(width)


class DrawnCrosshair(VispySceneOverlay):  # type: ignore[misc]
    """Draws a `CrosshairOverlay`."""

    def __init__(self, **kwargs: Any) -> None:
        node = Line(np.zeros((2, 2)), connect="segments", color=_GREEN)
        super().__init__(node=node, **kwargs)
        dims = self.viewer.dims.events
        for event in (dims.point, dims.order, dims.ndisplay, dims.ndim):
            event.connect(self._draw)
        self.reset()

    def reset(self) -> None:
        """Draw all of it anew."""
        super().reset()
        self._draw()

    def _should_be_visible(self) -> bool:
        dims = self.viewer.dims
        return bool(self.overlay.visible and dims.ndisplay == 2 and dims.ndim >= 3)

    def _draw(self, event: object = None) -> None:
        self.node.visible = self._should_be_visible()
        if not self.node.visible:
            return
        point = self.viewer.dims.point
        y, x = (point[axis] for axis in self.viewer.dims.displayed)
        ends = [(-_REACH_MM, -_OPEN_MM), (_OPEN_MM, _REACH_MM)]
        across = [(x + far, y) for pair in ends for far in pair]
        down = [(x, y + far) for pair in ends for far in pair]
        self.node.set_data(np.array([*across, *down], np.float32))


overlay_to_visual[BarOverlay] = DrawnBar
overlay_to_visual[CrosshairOverlay] = DrawnCrosshair
