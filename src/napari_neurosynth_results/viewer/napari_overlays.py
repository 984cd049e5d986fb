"""What is drawn over the slices: words, color bar, crosshair and divider.

napari lets nobody else draw overlays: what this file takes from it is not promised, as
in `napari_private`, and stands apart only because it cannot be imported without napari.
Where a name goes, the import fails; then napari writes the words, and `viewer.canvas`
does without the rest. Here alone in this room Qt is used: to write.
"""

from __future__ import annotations

import math
import weakref
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
from napari._vispy.overlays.base import (
    VispyBaseOverlay,
    VispyCanvasOverlay,
    VispySceneOverlay,
)
from napari._vispy.utils.visual import overlay_to_visual
from napari.components.overlays import (
    CanvasOverlay,
    ScaleBarOverlay,
    SceneOverlay,
    TextOverlay,
)
from napari.utils.events import disconnect_events
from qtpy.QtCore import QPointF, QRectF
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter
from vispy.gloo import Program, Texture2D, VertexBuffer
from vispy.scene.visuals import Line, create_visual_node
from vispy.visuals import Visual
from vispy.visuals.transforms import STTransform

#: Pixels of the screen: the bar, the lines beside it, and what lies between its parts.
_WIDTH, _TICK, _SPACE = 16, 5, 4
_FONT_SIZE = 9
#: The scale bar is no longer than that, and its ends are so high.
_LONGEST_SCALE, _SCALE_TICK = 150, 11
#: Pixels of the screen: napari's own words on the canvas are so large.
_PIXELS_A_POINT = (96 / 72) ** 2
#: Millimeters about the chosen place that no line of the crosshair covers, and how far
#: the lines go: beyond any head.
_OPEN_MM, _REACH_MM = 6.0, 400.0
#: Green is no color of a map, and stands out from gray, white and black.
_GREEN = (0.15, 0.85, 0.25, 0.8)
#: Nor is magenta, of the line between two maps.
_DIVIDER = (1.0, 0.2, 0.9, 1.0)


class WordsOverlay(TextOverlay):  # type: ignore[misc]
    """Words on the canvas."""


class ScaleOverlay(ScaleBarOverlay):  # type: ignore[misc]
    """napari's scale bar, which its menus know."""


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
    waits : bool
        Whether more changes are under way, after which all of them are followed.
    """

    bar: Any = None
    below: float = 0.0
    height: float = 180.0
    ruler: Any = None
    waits: bool = False


class CrosshairOverlay(SceneOverlay):  # type: ignore[misc]
    """Lines through the place of the slices, open in the middle; none in 3D."""


class DividerOverlay(SceneOverlay):  # type: ignore[misc]
    """A line down the canvas between two maps; none in 3D.

    Attributes
    ----------
    place : float
        Where it crosses the axis that runs across the canvas, mm.
    """

    place: float = 0.0


_VERTEX = """
uniform vec2 u_corner;
uniform vec2 u_size;
attribute vec2 a_share;
varying vec2 v_share;
void main() {
    v_share = a_share;
    gl_Position = vec4(u_corner + a_share * u_size, 0.0, 1.0);
}
"""
_CORNERS = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], np.float32)
_FRAGMENT = """
uniform sampler2D u_picture;
uniform float u_opacity;
varying vec2 v_share;
void main() {
    gl_FragColor = texture2D(u_picture, v_share);
    gl_FragColor.a *= u_opacity;
}
"""
#: Canvas -> what draws all pictures on it.
_programs: weakref.WeakKeyDictionary[Any, Program] = weakref.WeakKeyDictionary()


class _PictureVisual(Visual):  # type: ignore[misc]
    """A picture that Qt paints, pixel by pixel of the screen, when it is needed.

    napari writes with shapes of letters that it keeps on the graphics card: each letter
    takes it 4 ms at first, and each text a program of its own. Qt has the letters, and
    paints the box behind them and all parts of a color bar in one. One program draws
    all pictures of a canvas: it is told where on it they are.
    """

    def __init__(self) -> None:
        Visual.__init__(self, vcode=_VERTEX, fcode=_FRAGMENT)
        self._texture = Texture2D(
            np.zeros((1, 1, 4), np.uint8), interpolation="nearest"
        )
        self._paint: Any = None
        self._scale = 0.0
        self._place = (0, 0, 1, 1)
        self.set_gl_state("translucent", depth_test=False)
        self.freeze()

    def show(self, paint: Any, place: tuple[int, int, int, int]) -> None:
        """Paint something else.

        Parameters
        ----------
        paint : weakref.WeakMethod
            Called with a painter, in pixels of the screen.
        place : tuple of int
            Left, top, width and height of what is painted.
        """
        self._paint, self._place, self._scale = paint, place, 0.0
        self.update()

    def draw(self) -> None:
        """Draw it on the canvas that is being drawn."""
        if not self.visible or not self._prepare_draw(self):
            return
        canvas = self.transforms.canvas
        if (program := _programs.get(canvas)) is None:
            program = _programs[canvas] = Program(_VERTEX, _FRAGMENT)
            program["a_share"] = VertexBuffer(_CORNERS)
        left, top, width, height = self._place
        ends = [(left, top), (left + width, top + height)]
        corner, end = self.transforms.get_transform().map(ends)[:, :2]
        program["u_picture"], program["u_opacity"] = self._texture, self.opacity
        program["u_corner"], program["u_size"] = corner, end - corner
        self._configure_gl_state()
        program.draw("triangle_strip")

    def _prepare_transforms(self, view: Any) -> None:
        """Nothing to do: where it is, is looked up when it is drawn."""

    def _prepare_draw(self, view: Any) -> bool:
        scale = float(view.transforms.pixel_scale)
        paint = self._paint() if self._paint is not None else None
        if paint is None:
            return False
        if scale != self._scale:
            self._scale = scale
            left, top, width, height = self._place
            size = max(1, round(width * scale)), max(1, round(height * scale))
            image = QImage(*size, QImage.Format.Format_RGBA8888)
            image.fill(0)
            painter = QPainter(image)
            painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
            painter.scale(scale, scale)
            painter.translate(-left, -top)
            paint(painter)
            painter.end()
            self._texture.set_data(_pixels_of(image))
        return True

    def _compute_bounds(self, axis: int, view: Any) -> tuple[int, int] | None:
        left, top, width, height = self._place
        spans = {0: (left, left + width), 1: (top, top + height)}
        return spans.get(axis)


_Picture = create_visual_node(_PictureVisual)


def _pixels_of(image: QImage) -> npt.NDArray[np.uint8]:
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        # What PyQt hands out has no size of its own.
        bits.setsize(image.sizeInBytes())
    return (
        np.frombuffer(bits, np.uint8).reshape(image.height(), image.width(), 4).copy()
    )


class _Painted(VispyCanvasOverlay, ABC):  # type: ignore[misc]
    """Draws an overlay with Qt, its box too."""

    def __init__(self, *, font_info: Any, **kwargs: Any) -> None:
        # As VispyCanvasOverlay does, but for its box: a node of its own, with two
        # programs, for each overlay. Here the box is in the picture.
        VispyBaseOverlay.__init__(self, node=_Picture(), font_info=font_info, **kwargs)
        self.box = self.node
        self.node.transform = STTransform()
        self.x_size = self.y_size = 0.0
        self.overlay.events.position.connect(self._on_position_change)
        tiling = self.viewer.canvas.overlay_tiling.events
        for event in (
            *(self.overlay.events.box, self.overlay.events.box_color),
            *(self.viewer.canvas.events.background_color, tiling.padding),
        ):
            event.connect(self._on_box_change)
        # Once a size is set in pixels of the screen, it is the same for all screens.
        self._font = QFont(font_info.face)
        self._metrics = QFontMetricsF(self._font)
        self._take_size(_FONT_SIZE)

    def _take_size(self, points: float) -> None:
        """Write as large as napari does: its points are larger than those of Qt."""
        self._font.setPixelSize(max(1, round(points * _PIXELS_A_POINT)))
        self._metrics = QFontMetricsF(self._font)

    def reset(self) -> None:
        """Draw all of it anew."""
        super().reset()
        self._lay_out()

    def _on_visible_change(self) -> None:
        super()._on_visible_change()
        self._lay_out()

    def _on_box_change(self) -> None:
        # The box is in the picture.
        self._paint_anew()

    def _lay_out(self, event: object = None) -> None:
        """Say how large it is, and draw it."""
        if self.node.visible:
            self.x_size, self.y_size = map(math.ceil, self._measure_all())
            self._on_position_change()

    def _paint_anew(self, event: object = None) -> None:
        pad = 0
        if self.overlay.box:
            pad = round(0.4 * self.viewer.canvas.overlay_tiling.padding[0])
        self.node.show(
            weakref.WeakMethod(self._paint_all),
            (-pad, -pad, int(self.x_size) + 2 * pad, int(self.y_size) + 2 * pad),
        )

    def _paint_all(self, painter: QPainter) -> None:
        if self.overlay.box:
            ground = self.overlay.box_color
            if ground is None:
                ground = self.viewer.canvas.background_color * (1, 1, 1, 0.8)
            pad = round(0.4 * self.viewer.canvas.overlay_tiling.padding[0])
            size = int(self.x_size) + 2 * pad, int(self.y_size) + 2 * pad
            painter.fillRect(-pad, -pad, *size, _color(ground))
        painter.setFont(self._font)
        painter.setPen(_color(self._get_fgcolor()))
        self._paint(painter)

    def _write(
        self, painter: QPainter, words: str, place: tuple[float, float], align: str
    ) -> None:
        """Write a line whose top is at a place, to the right, left or about it."""
        share = {"left": 0.0, "center": 0.5, "right": 1.0}[align]
        left = place[0] - share * self._metrics.horizontalAdvance(words)
        below = place[1] + self._metrics.ascent()
        painter.drawText(QPointF(round(left), round(below)), words)

    @abstractmethod
    def _measure_all(self) -> tuple[float, float]:
        """Say how wide and high it is, in pixels of the screen."""

    @abstractmethod
    def _paint(self, painter: QPainter) -> None:
        """Draw what is in the box."""


def _color(rgba: Any) -> QColor:
    return QColor.fromRgbF(*(float(part) for part in np.clip(rgba, 0, 1)))


class DrawnWords(_Painted):
    """Draws a `WordsOverlay`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        events = self.overlay.events
        for event in (events.text, events.font_size):
            event.connect(self._lay_out)
        events.color.connect(self._paint_anew)
        self.reset()

    def _measure_all(self) -> tuple[float, float]:
        self._take_size(self.overlay.font_size)
        lines = self.overlay.text.split("\n")
        wide = max(map(self._metrics.horizontalAdvance, lines))
        return wide, len(lines) * self._metrics.height()

    def _paint(self, painter: QPainter) -> None:
        if self.overlay.color is not None:
            painter.setPen(_color(self.overlay.color))
        align = str(self.overlay.position).rpartition("_")[2]
        share = {"left": 0.0, "center": 0.5, "right": 1.0}[align]
        for number, line in enumerate(self.overlay.text.split("\n")):
            top = number * self._metrics.height()
            self._write(painter, line, (share * self.x_size, top), align)


class DrawnBar(_Painted):
    """Draws a `BarOverlay`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        events = self.overlay.events
        for event in (events.bar, events.below, events.height):
            event.connect(self._lay_out)
        # The overlay outlives what draws it.
        self.overlay.ruler = weakref.WeakMethod(self.measure)
        self.reset()

    def measure(self, words: str) -> tuple[float, float]:
        """Say how wide and high words are in the type of caption and numbers."""
        return self._metrics.horizontalAdvance(words), self._metrics.height()

    def _measure_all(self) -> tuple[float, float]:
        bar, line = self.overlay.bar, self._metrics.height()
        if bar is None:
            return 0.0, 0.0
        wide = max(self.measure(number)[0] for _, number in bar.ticks)
        wide += _WIDTH + _TICK + _SPACE
        # Room for half a line above and below the bar, where numbers stand out.
        high = self._top() + self.overlay.height + line / 2
        return max(wide, self.measure(bar.title)[0]), high

    def _top(self) -> float:
        return float(self.overlay.below + 1.5 * self._metrics.height() + _SPACE)

    def _paint(self, painter: QPainter) -> None:
        bar, line = self.overlay.bar, self._metrics.height()
        if bar is None:
            return
        right, top, height = self.x_size, round(self._top()), self.overlay.height
        left = right - _WIDTH
        self._write(painter, bar.title, (right, self.overlay.below), "right")
        for share, number in bar.ticks:
            at = top + share * height
            end = left - _TICK
            painter.drawLine(QPointF(end, at), QPointF(left, at))
            self._write(painter, number, (end - _SPACE, at - line / 2), "right")
        rows = len(bar.colors) // 4
        colors = QImage(bar.colors, 1, rows, 4, QImage.Format.Format_RGBA8888)
        painter.drawImage(QRectF(left, top, _WIDTH, height), colors)


class DrawnScale(_Painted):
    """Draws a `ScaleOverlay`."""

    def __init__(self, **kwargs: Any) -> None:
        self._length, self._words = 0.0, ""
        super().__init__(**kwargs)
        told, dims = self.overlay.events, self.viewer.dims.events
        for event in (
            *(told.color, told.colored, told.ticks, told.length, told.font_size),
            *(self.viewer.scene.camera.events.zoom, dims.order, dims.ndisplay),
        ):
            event.connect(self._lay_out)
        layers = self.viewer.layers.events
        for event in (layers.inserted, layers.removed):
            event.connect(self._on_visible_change)
        self.reset()

    def close(self) -> None:
        """Hear of layers no more."""
        for event in (self.viewer.layers.events, self.viewer.scene.camera.events):
            disconnect_events(event, self)
        super().close()

    def _should_be_visible(self) -> bool:
        # Without layers nothing has a size; and a window that closes is drawn once
        # more, with another context of the graphics card, which may crash then.
        return bool(self.overlay.visible and self.viewer.layers)

    def _on_unit_change(self) -> None:
        # By this name napari tells of layers in other units.
        self._lay_out()

    def _measure_all(self) -> tuple[float, float]:
        self._take_size(self.overlay.font_size)
        zoom, units = self.viewer.scene.camera.zoom, self.viewer.layers.units
        length = self.overlay.length or _round_length(_LONGEST_SCALE / zoom)
        unit = units[self.viewer.dims.displayed[-1]] if units is not None else None
        said = (length * unit).to_compact() if unit is not None else length
        self._length, self._words = (
            length * zoom,
            f"{said:g~P}" if unit else f"{said:g}",
        )
        wide = max(self._length, self._metrics.horizontalAdvance(self._words))
        return wide, self._metrics.height() + _SCALE_TICK

    def _paint(self, painter: QPainter) -> None:
        if self.overlay.colored:
            painter.setPen(_color(self.overlay.color))
        middle = self.x_size / 2
        self._write(painter, self._words, (middle, 0), "center")
        half, line = round(self._length / 2), _SCALE_TICK // 2
        left, right, top = middle - half, middle + half, self.y_size - _SCALE_TICK
        ink = painter.pen().color()
        painter.fillRect(QRectF(left, top + line - 1, right - left, 3), ink)
        for end in (left, right - 2) if self.overlay.ticks else ():
            painter.fillRect(QRectF(end, top, 2, _SCALE_TICK), ink)


def _round_length(most: float) -> float:
    """Return the longest of 1, 2, 5, 10, 20 and so on that is no longer than that."""
    power = 10.0 ** math.floor(math.log10(most))
    # The logarithm of what is just below a power is that of the power.
    return max(power * one for one in (0.5, 1, 2, 5) if power * one <= most)


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

    def _on_visible_change(self) -> None:
        # While it is hidden it does not follow the slices.
        self._draw()

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


class DrawnDivider(VispySceneOverlay):  # type: ignore[misc]
    """Draws a `DividerOverlay`."""

    def __init__(self, **kwargs: Any) -> None:
        node = Line(np.zeros((2, 2)), connect="segments", color=_DIVIDER, width=2)
        super().__init__(node=node, **kwargs)
        self.overlay.events.place.connect(self._draw)
        dims = self.viewer.dims.events
        for event in (dims.order, dims.ndisplay, dims.ndim):
            event.connect(self._draw)
        self.reset()

    def reset(self) -> None:
        """Draw all of it anew."""
        super().reset()
        self._draw()

    def _should_be_visible(self) -> bool:
        return bool(self.overlay.visible and self.viewer.dims.ndisplay == 2)

    def _draw(self, event: object = None) -> None:
        self.node.visible = self._should_be_visible()
        x = self.overlay.place
        ends = [(x, -_REACH_MM), (x, _REACH_MM)]
        self.node.set_data(np.array(ends, np.float32))


overlay_to_visual[WordsOverlay] = DrawnWords
overlay_to_visual[ScaleOverlay] = DrawnScale
overlay_to_visual[BarOverlay] = DrawnBar
overlay_to_visual[DividerOverlay] = DrawnDivider
overlay_to_visual[CrosshairOverlay] = DrawnCrosshair
