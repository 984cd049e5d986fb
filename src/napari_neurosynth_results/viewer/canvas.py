"""What stands on the canvas beside the slices: caption, color bar, place, crosshair.

The caption says which map is shown at which threshold; the one color bar is that of the
topmost map, and ends at the threshold whatever the limits of its layer; the crosshair
marks the place that was chosen.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.coordinates import Coordinate, name_place
from napari_neurosynth_results.viewer.colormaps import ColorRange
from napari_neurosynth_results.viewer.layers import (
    INSIDE_KEY,
    RANGE_KEY,
    REASON_KEY,
    SHORT_REASON_KEY,
    UNDERLAY_KEY,
    is_seen,
    map_of,
    value_behind,
    voxels_behind,
)
from napari_neurosynth_results.viewer.napari_private import drawn_overlays
from napari_neurosynth_results.viewer.scene import (
    add_words,
    place_of_mouse,
    place_of_slices,
    weakly,
)

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

#: Overlays of the canvas, and of the scene.
CAPTION, PLACE, COLOR_BAR, CROSSHAIR, DIVIDER = (
    f"neurosynth_results_{name}"
    for name in ("caption", "place", "bar", "crosshair", "divider")
)
#: Names of what lies left and right of the divider: overlay -> where it stands.
_SIDES = {
    "neurosynth_results_left": "bottom_left",
    "neurosynth_results_right": "bottom_right",
}
#: In the metadata of a map's layer: what the caption calls it among others.
SIDE_KEY = "neurosynth_results_side"
#: In that of a hidden map: a surface is colored as the map is.
ON_SURFACE_KEY = "neurosynth_results_colors_surface"
FONT_SIZE = 9
#: Pixels of the screen: a letter and a line where nobody has measured them, what is
#: free at the edges and between two overlays, and the box around the caption.
_LETTER, _LINE, _FREE, _BOX = 8.5, 20.0, 10.0, 8.0
#: The color bar without its numbers, how high it is, and how low it may become.
_BAR_WIDTH, _BAR_HEIGHT, _LOWEST_BAR = 25.0, 180.0, 40.0
#: Below so much width beside the bar the caption takes a line above it; and it takes
#: no larger part of the height.
_NARROWEST, _CAPTION_PART = 200.0, 0.3
#: Half a letter that says left or right, in the middle of an edge; the scale bar.
_MARK, _SCALE_BAR = 22.0, 165.0
#: Maps that the caption has room for.
_MOST_MAPS = 3
#: Rows of colors in a bar, and of what lies between its two sides.
_ROWS, _BETWEEN = 180, 20
#: A place as napari writes it.
_BRACKET = re.compile(r"^\[[^\]]*\]")
_NUMBER = re.compile(r"[-+]?[\d.]+(?:e[-+]?\d+)?")
NO_BREAK = "\N{NO-BREAK SPACE}"
#: Where lines are not broken: a word, a relation and what follows it.
_UNBROKEN = re.compile(r"\S+(?: (?:<=|>=|<|>|=) \S+)*")
#: What caption and bar follow.
_TELLING = ("visible", "name", "contrast_limits", "gamma", "colormap")


#: Says how wide and high words are on the canvas.
Ruler = Callable[[str], tuple[float, float]]


@dataclass(frozen=True)
class Bar:
    """A color bar.

    Attributes
    ----------
    title : str
        What the numbers are.
    colors : bytes
        Red, green, blue and opacity of each row, from top to bottom.
    ticks : tuple of (float, str)
        Where a number stands, 0 at the top to 1 at the bottom, and what it says.
    """

    title: str
    colors: bytes
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Divider:
    """A line down the canvas, with a map on each side.

    Attributes
    ----------
    place : float
        Where it crosses the axis that runs across the canvas, mm.
    left, right : str
        Names of the maps.
    left_color, right_color : tuple of float
        Their colors, 0 to 1.
    """

    place: float
    left: str
    left_color: tuple[float, float, float]
    right: str
    right_color: tuple[float, float, float]


def dress(viewer: Viewer) -> None:
    """Put caption, color bar, place and crosshair on the canvas, and keep them right.

    Once is enough: from then on they follow the layers of maps and the slices.
    """
    overlays = viewer.canvas.overlays
    if CAPTION not in overlays:
        for name, position in ((CAPTION, "top_left"), (PLACE, "bottom_left")):
            add_words(
                viewer,
                name,
                position=position,
                font_size=FONT_SIZE,
                # The caption may lie over the brain.
                box=name == CAPTION,
                visible=False,
            )
        _add_drawn(viewer)
        # The place and the name of what is left of a line stand over each other.
        viewer.canvas.overlay_tiling.bottom_left = "vertical"
        # The viewer owns the events: a strong reference back would keep it alive.
        tell = partial(_update, weakly(viewer))
        layers = viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(tell)
        viewer.canvas.events.size.connect(tell)
        viewer.canvas.grid.events.enabled.connect(tell)
        place = partial(_update_place, weakly(viewer))
        viewer.canvas.events.size.connect(place)
        _keep_in_sight(viewer)
        for event in (viewer.dims.events.point, viewer.dims.events.ndisplay):
            event.connect(place)
        viewer.events.status.connect(partial(_name_status, weakly(viewer)))
    update_legend(viewer)
    _update_place(weakly(viewer))
    # What napari has said before stays until the mouse moves.
    _name_status(weakly(viewer))


def _add_drawn(viewer: Viewer) -> None:
    """Add what napari has no overlay for; a napari that changed goes without."""
    if (drawn := drawn_overlays()) is None:
        return
    viewer.canvas.overlays[COLOR_BAR] = drawn.BarOverlay(
        position="top_right", box=False
    )
    viewer.scene.overlays[CROSSHAIR] = drawn.CrosshairOverlay(visible=True)


def toggle_crosshair(viewer: Viewer) -> None:
    """Show or hide the lines that mark the chosen place."""
    dress(viewer)
    if (cross := viewer.scene.overlays.get(CROSSHAIR)) is not None:
        cross.visible = not cross.visible


def show_divider(viewer: Viewer, divider: Divider | None) -> None:
    """Draw a line between two maps and say which is on which side; None for none."""
    overlays, scene = viewer.canvas.overlays, viewer.scene.overlays
    if divider is not None and not set(_SIDES) <= set(overlays):
        for name, position in _SIDES.items():
            add_words(
                viewer, name, position=position, font_size=FONT_SIZE, visible=False
            )
        if (drawn := drawn_overlays()) is not None:
            scene[DIVIDER] = drawn.DividerOverlay(visible=False)
    if divider is not None:
        told = (
            (f"{divider.left} \N{BLACK LEFT-POINTING TRIANGLE}", divider.left_color),
            (f"\N{BLACK RIGHT-POINTING TRIANGLE} {divider.right}", divider.right_color),
        )
        for name, (text, color) in zip(_SIDES, told, strict=True):
            if overlays[name].text != text:
                overlays[name].text, overlays[name].color = text, color
    for name in _SIDES:
        if name in overlays:
            _bring(overlays[name], visible=divider is not None)
    if (line := scene.get(DIVIDER)) is not None:
        place = divider.place if divider is not None else line.place
        _bring(line, place=place, visible=divider is not None)


def show_place(viewer: Viewer, shown: bool) -> None:
    """Show or hide place and crosshair, which mean nothing where no slice is shown."""
    overlays = viewer.canvas.overlays.get(PLACE), viewer.scene.overlays.get(CROSSHAIR)
    for overlay in overlays:
        if overlay is not None:
            overlay.opacity = float(shown)


@contextmanager
def legend_once(viewer: Viewer) -> Iterator[None]:
    """Let caption and color bar follow several changes once, in the end."""
    drawn = viewer.canvas.overlays.get(COLOR_BAR)
    if drawn is None or drawn.waits:
        yield
        return
    drawn.waits = True
    try:
        yield
    finally:
        drawn.waits = False
        update_legend(viewer)


def update_legend(viewer: Viewer) -> None:
    """Bring caption and color bar up to date after a threshold has changed."""
    caption = viewer.canvas.overlays.get(CAPTION)
    drawn = viewer.canvas.overlays.get(COLOR_BAR)
    if caption is None or (drawn is not None and drawn.waits):
        return
    fresh = [
        layer
        for layer in viewer.layers
        if map_of(layer) is not None and UNDERLAY_KEY not in layer.metadata
    ]
    for layer in fresh:
        _follow(viewer, layer)
    shown = _seen_maps(viewer)
    in_planes = viewer.dims.ndisplay == 2
    captions = [caption_of(layer, lines=in_planes) for layer in shown[:_MOST_MAPS]]
    painted = [
        layer
        for layer in shown
        if (layer.visible or ON_SURFACE_KEY in layer.metadata)
        and RANGE_KEY in layer.metadata
    ]
    # Of cells the names of their layers stand at the top: so the caption stands at the
    # bottom, beside the scale bar, or above it.
    cells = viewer.canvas.grid.enabled
    bar = _bar_of_first(painted, cells) if painted and drawn is not None else None
    scale = _SCALE_BAR if cells else 0.0
    room = _room_on(viewer.canvas.size, captions, bar, _ruler_of(viewer), scale)
    text = "\n".join(room.lines)
    at = "bottom" if cells else "top"
    side = "right" if cells and room.above_bar else "left"
    _bring(caption, text=text, position=f"{at}_{side}", visible=bool(text))
    if drawn is not None:
        _bring(
            drawn,
            below=room.above_bar,
            height=max(room.bar_height, _LOWEST_BAR),
            bar=bar,
            position=f"{at}_right",
            visible=bar is not None
            and room.bar_height >= _LOWEST_BAR
            and not (cells and room.above_bar),
        )


def _bring(overlay: Any, **wanted: Any) -> None:
    """Change of an overlay what is not as wanted."""
    for name, value in wanted.items():
        if getattr(overlay, name) != value:
            setattr(overlay, name, value)


@dataclass(frozen=True)
class _Room:
    """What there is room for on a canvas, so that nothing lies on anything else.

    Attributes
    ----------
    lines : tuple of str
        Of the caption.
    above_bar : float
        Pixels that the color bar leaves to the caption, 0 where it stands beside it.
    bar_height : float
        Pixels for the colors of the bar.
    """

    lines: tuple[str, ...]
    above_bar: float
    bar_height: float


def _room_on(
    size: tuple[int, int],
    captions: Sequence[str],
    bar: Bar | None,
    ruler: Ruler,
    scale: float,
) -> _Room:
    """Share a canvas between caption and color bar.

    Parameters
    ----------
    size : tuple of int
        Height and width in pixels.
    captions : sequence of str
        Of the maps that are shown.
    bar : Bar or None
        The color bar, if there is one.
    ruler : callable
        Measures words.
    scale : float
        How wide a scale bar is that stands below the color bar, 0 for elsewhere.
    """
    height, width = size
    line = ruler("Mg")[1]
    whole = width - 2 * _FREE - _BOX
    widest = max(_bar_width(bar, ruler) if bar is not None else 0.0, scale)
    aside = whole - (_FREE + widest if widest else 0.0)
    stacked = aside < min(_NARROWEST, whole)
    # Above the middle, where the letters of left and right stand.
    below_top = height / 2 - _MARK - _FREE - 2 * line - 4
    most = _CAPTION_PART * height / line
    if stacked:
        most = min(most, (below_top - _LOWEST_BAR - _FREE) / line)
    each = max(1, int(most / max(1, len(captions))))
    wide = whole if stacked else aside
    lines = [one for text in captions for one in _wrap(text, wide, each, ruler)]
    above = len(lines) * line + _FREE if stacked else 0.0
    return _Room(tuple(lines), above, min(_BAR_HEIGHT, below_top - above))


def _bar_width(bar: Bar, ruler: Ruler) -> float:
    numbers = max(ruler(number)[0] for _, number in bar.ticks)
    return max(_BAR_WIDTH + numbers, ruler(bar.title)[0])


def _wrap(text: str, width: float, most: int, ruler: Ruler) -> list[str]:
    """Break a text between words; what has no room in so many lines is left out.

    A relation stays with what is on both of its sides, as in "p <= .001".
    """
    lines: list[str] = []
    space, used = ruler(" ")[0], width
    for word in _UNBROKEN.findall(text):
        wide = ruler(word)[0]
        if used + space + wide <= width:
            lines[-1] = f"{lines[-1]} {word}"
            used += space + wide
        else:
            lines.append(word)
            used = wide
    kept = lines[:most]
    return [
        _elide(one, width, ruler, more=n == most - 1 and len(lines) > most)
        for n, one in enumerate(kept)
    ]


def unbroken(text: str) -> str:
    r"""Write a text so that Qt breaks no relation in it, as the caption does not.

    >>> unbroken("6 of 13 at p <= .05")
    '6 of 13 at p\xa0<=\xa0.05'
    """
    return _UNBROKEN.sub(lambda found: found[0].replace(" ", NO_BREAK), text)


def _elide(text: str, width: float, ruler: Ruler, *, more: bool) -> str:
    """Shorten a line that is too long, or that is not the last."""
    shown = f"{text} \N{HORIZONTAL ELLIPSIS}" if more else text
    while text and ruler(shown)[0] > width:
        text = text[:-1].rstrip()
        shown = f"{text}\N{HORIZONTAL ELLIPSIS}"
    return shown


def _ruler_of(viewer: Viewer) -> Ruler:
    """Return what measures words: the canvas, once it has drawn a color bar."""
    drawn = viewer.canvas.overlays.get(COLOR_BAR)
    kept = drawn.ruler if drawn is not None else None
    ruler: Ruler | None = kept() if kept is not None else None
    return ruler or (lambda words: (_LETTER * len(words), _LINE))


def _keep_in_sight(viewer: Viewer) -> None:
    """Fit the view anew when the canvas changes its size, unless a user moved it."""
    ours = all(
        map_of(layer) is not None or UNDERLAY_KEY in layer.metadata
        for layer in viewer.layers
    )
    camera = viewer.scene.camera
    fitted = [(tuple(camera.center), camera.zoom)] if ours else []

    def remember(event: Any) -> None:
        fitted[:] = [(tuple(event.center), event.zoom)]

    def fit(ref: weakref.ref[Any], event: object = None) -> None:
        if (viewer := ref()) is None:
            return
        camera = viewer.scene.camera
        if viewer.layers and fitted == [(tuple(camera.center), camera.zoom)]:
            viewer.fit_to_view()

    viewer.events.reset_view.connect(remember)
    viewer.canvas.events.size.connect(partial(fit, weakly(viewer)))


def _seen_maps(viewer: Viewer) -> list[Layer]:
    """List the layers of maps that the user sees, from the top down."""
    shown = [
        layer
        for layer in reversed(viewer.layers)
        if map_of(layer) is not None
        and UNDERLAY_KEY not in layer.metadata
        and is_seen(layer)
    ]
    # Maps that are compared stand in the order of the comparison.
    shown.sort(key=lambda layer: layer.metadata.get(SIDE_KEY, (0, ""))[0])
    return shown


def caption_of(layer: Layer, *, lines: bool = True) -> str:
    """Say which map a layer shows, and at which threshold.

    Where several are compared, it begins with what tells them apart on the canvas, a
    side or a color, and what came of the threshold is left to the panel.

    Parameters
    ----------
    lines : bool
        Whether lines inside of clusters can be seen: in planes they can.
    """
    _, side = layer.metadata.get(SIDE_KEY, (0, ""))
    reason = layer.metadata.get(SHORT_REASON_KEY if side else REASON_KEY, "")
    caption = ": ".join(filter(None, (side, layer.name, reason)))
    inside = layer.metadata.get(INSIDE_KEY, "") if lines and not side else ""
    return "; ".join(filter(None, (caption, inside)))


def caption_on(viewer: Viewer) -> str:
    """Return what the canvas says of the maps that are shown, for who covers it."""
    return "\n".join(map(caption_of, _seen_maps(viewer)[:_MOST_MAPS]))


def bar_on(viewer: Viewer) -> Bar | None:
    """Return the color bar on the canvas, None where there is none."""
    overlay = viewer.canvas.overlays.get(COLOR_BAR)
    found: Bar | None = overlay.bar if overlay is not None else None
    return found


def bar_of(layer: Layer) -> Bar:
    """Make the color bar of a map's layer, in the colors that it has now.

    Parameters
    ----------
    layer : Image
        Its limits, gamma and colormap may be the user's own.

    Returns
    -------
    Bar
        From the threshold to the strongest value, on both sides of zero where the map
        has both; nothing is drawn between these.
    """
    meaning: ColorRange = layer.metadata[RANGE_KEY]
    signs = [sign for sign, shown in zip((1, -1), meaning.sides, strict=True) if shown]
    n = (_ROWS - _BETWEEN * (len(signs) - 1)) // len(signs)
    sizes, rows = meaning.sizes(n), []
    ticks: list[tuple[float, str]] = []
    for number, sign in enumerate(signs):
        if number:
            rows.append(np.zeros((_BETWEEN, 4), np.uint8))
        ends = meaning.weakest_text(sign), meaning.strongest_text(sign)
        # What is larger stands higher; of p that is what is stronger.
        rows.append(_paint(layer, (sign * sizes)[::-sign]))
        top = number * (n + _BETWEEN) / _ROWS
        ticks += zip((top, top + n / _ROWS), ends[::-sign], strict=True)
    return Bar(meaning.title, np.concatenate(rows).tobytes(), tuple(ticks))


def _bar_of_first(painted: Sequence[Layer], cells: bool) -> Bar:
    """Make the one color bar, which says whose it is where that of a cell differs."""
    bar, (_, side) = bar_of(painted[0]), painted[0].metadata.get(SIDE_KEY, (0, ""))
    if cells and side and any(bar_of(other) != bar for other in painted[1:]):
        return replace(bar, title=f"{side}: {bar.title}")
    return bar


def _paint(layer: Layer, values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Color values as a layer does."""
    low, high = layer.contrast_limits
    share = np.clip((values - low) / (high - low), 0, 1) ** layer.gamma
    colors: npt.NDArray[np.float64] = np.asarray(layer.colormap.map(share), np.float64)
    return np.rint(colors * 255).astype(np.uint8)


def _follow(viewer: Viewer, layer: Layer) -> None:
    """Hear of what changes caption or colors."""
    events, ref = layer.events, weakly(viewer)
    if any(_tells(callback, ref) for callback in events.name.callbacks):
        return
    for name in _TELLING:
        if hasattr(events, name):
            getattr(events, name).connect(partial(_update, ref))


def _tells(callback: Any, ref: weakref.ref[Any]) -> bool:
    """Whether a layer tells this viewer: it may stand in another one too."""
    ours = isinstance(callback, partial) and callback.func is _update
    return ours and callback.args[0]() is ref()


def _update(ref: weakref.ref[Any], event: object = None) -> None:
    if (viewer := ref()) is not None:
        update_legend(viewer)


def _update_place(ref: weakref.ref[Any], event: object = None) -> None:
    """Write the chosen place on the canvas."""
    if (viewer := ref()) is None:
        return
    place = place_of_slices(viewer)
    overlay = viewer.canvas.overlays[PLACE]
    text = name_place(place) if place is not None else ""
    width, wide = viewer.canvas.size[1], _ruler_of(viewer)(text)[0]
    # Beside the scale bar, above it, or nowhere.
    beside = 3 * _FREE + wide + _SCALE_BAR <= width
    overlay.position = "bottom_left" if beside else "bottom_right"
    fits = 2 * _FREE + wide <= width
    overlay.visible = place is not None and viewer.dims.ndisplay == 2 and fits
    if overlay.visible:
        overlay.text = text


def _name_status(ref: weakref.ref[Any], event: object = None) -> None:
    """Say in the status bar x, y and z in mm, where napari says z, y and x."""
    if (viewer := ref()) is None:
        return
    said = viewer.status
    text = said if isinstance(said, str) else said.get("coords", "")
    if (found := _BRACKET.match(text)) is None:
        return
    # The mouse may have left the canvas since.
    place = place_of_mouse(viewer) or _place_in(viewer, found[0])
    if place is None:
        return
    named = name_place(place)
    selection = viewer.layers.selection
    active = selection.active if len(selection) == 1 else None
    if isinstance(said, str):
        if active is None or voxels_behind(active) is None:
            viewer.status = _BRACKET.sub(named, said)
            return
        said = {"value": ""}
    value = said["value"]
    if active is not None:
        if said.get("layer_name") != active.name:
            # Said while another layer was active, or several were.
            names = dict.fromkeys(("layer_name", "layer_base"), active.name)
            said, value = {**said, **names, "source_type": "", "plugin": ""}, ""
        value = _value_at(active, place, value)
    whole = f"{named}: {value}"
    viewer.status = {**said, "coords": named, "value": value, "coordinates": whole}


def _place_in(viewer: Viewer, bracket: str) -> Coordinate | None:
    """Read a place as napari writes it; None in 3D, where it is none of a slice."""
    numbers = [float(number) for number in _NUMBER.findall(bracket)]
    dims = viewer.dims
    if dims.ndisplay != 2 or dims.ndim < 3 or len(numbers) != dims.ndim:
        return None
    z, y, x = numbers[-3:]
    return x, y, z


def _value_at(layer: Layer, place: Coordinate, seen: str) -> str:
    """Say the value of a map, also where the threshold hides it."""
    if voxels_behind(layer) is None:
        return seen
    voxel = np.rint(np.asarray(layer.world_to_data(place[::-1]))[-3:]).astype(int)
    if (voxel < 0).any() or (voxel >= layer.data.shape[-3:]).any():
        return seen
    # Height, extent, mask or significance: which of them hides it nobody asked here.
    hidden = " (not shown)" if np.isnan(layer.data[tuple(voxel)]) else ""
    return f"{value_behind(layer, tuple(voxel)):.4g}{hidden}"
