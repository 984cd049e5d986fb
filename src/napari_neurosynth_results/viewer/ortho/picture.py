"""All layers of a viewer in one plane, as pixels, and what they say of one place.

A follower hears of everything that may change the picture, and of nothing once the
picture is gone.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.viewer.clusters.cluster_layers import FAINT_KEY
from napari_neurosynth_results.viewer.layers import VIEW_KEY, value_behind
from napari_neurosynth_results.viewer.ortho.geometry import (
    LayerTransform,
    NotShownError,
    PlaceZYX,
    Window,
    bounds,
    find_transform,
    slice_position,
    unit_factors,
)
from napari_neurosynth_results.viewer.ortho.slicing import Sheet, blend, cut_sheet
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

Picture = npt.NDArray[np.uint8]
#: napari draws what lies half a unit of the data to both sides of the slice.
_HALF = 0.5
#: The feature that says in words what a label is.
_WORDS = ("cluster", "region", "name", "label")


@dataclass(frozen=True)
class Discs:
    """Points to paint, the last one on top.

    Attributes
    ----------
    rows, columns : array of shape (n,)
        Middles, pixels.
    diameters, borders : array of shape (n,)
        Of the disc, and of the line about it, half of which lies outside; pixels.
    faces, lines : array of shape (n, 4)
        Red, green, blue and alpha, 0 to 1.
    symbols : tuple of str
        As napari calls them.
    additive : bool
        Whether colors are added to what lies below.
    """

    rows: Float64Array
    columns: Float64Array
    diameters: Float64Array
    borders: Float64Array
    faces: Float64Array
    lines: Float64Array
    symbols: tuple[str, ...]
    additive: bool

    def __len__(self) -> int:
        return len(self.rows)


#: Paints discs onto a picture; what does it well needs Qt.
DiscPainter = Callable[[Picture, Discs], None]


@dataclass(frozen=True)
class Drawable:
    """The layers of a viewer that planes can be cut from.

    Attributes
    ----------
    layers : tuple of (Layer, LayerTransform)
        Visible ones, from bottom to top.
    left_out : dict of str to str
        Name -> why, of visible layers that are not shown.
    """

    layers: tuple[tuple[Any, LayerTransform], ...]
    left_out: dict[str, str]


def drawable_layers(viewer: Viewer) -> Drawable:
    """Look through the layers of a viewer.

    Returns
    -------
    Drawable
        What can be drawn, and why the rest cannot.
    """
    found: list[tuple[Any, LayerTransform]] = []
    left_out: dict[str, str] = {}
    point, units = viewer.dims.point, viewer.dims.units
    for layer in viewer.layers:
        # A projection is the same at all places: cut, it would be bars.
        if not layer.visible or VIEW_KEY in layer.metadata:
            continue
        try:
            if not (is_volume(layer) or _is_points(layer)):
                raise NotShownError(type(layer).__name__)
            found.append((layer, find_transform(layer, point, units)))
        except NotShownError as error:
            left_out[layer.name] = str(error)
    return Drawable(tuple(found), left_out)


def draw(
    viewer: Viewer, what: Drawable, window: Window, paint: DiscPainter
) -> tuple[Picture, dict[str, str]]:
    """Draw one plane at the viewer's place.

    Parameters
    ----------
    viewer : Viewer
        Gives the place, and the margins of its slices.

    Returns
    -------
    picture : array of uint8 of shape (rows, columns, 4)
        Red, green, blue, and 255.
    failed : dict of str to str
        Name -> why, of layers that could not be drawn.
    """
    picture = np.zeros((window.rows, window.columns, 4), np.uint8)
    picture[..., 3] = 255
    place, failed = slice_position(viewer), {}
    sheets: list[Sheet] = []
    fresh = True
    for n, (layer, placement) in enumerate(what.layers):
        # Data may be of any kind and far away: what fails is said below the planes.
        try:
            if _is_points(layer):
                discs = find_discs(layer, placement, window, place, _margins(viewer))
                if len(discs):
                    blend(sheets, picture, fresh=fresh)
                    paint(picture, discs)
                    sheets, fresh = [], False
                continue
            sheet = cut_sheet(layer, placement, window, place, first=n == 0)
        except Exception as error:
            failed[layer.name] = str(error) or type(error).__name__
            continue
        if sheet is not None:
            sheets.append(sheet)
    blend(sheets, picture, fresh=fresh)
    return picture, failed


def field_of_view(viewer: Viewer) -> tuple[PlaceZYX, PlaceZYX]:
    """Return center and size of what the planes show when nothing is zoomed.

    Parameters
    ----------
    viewer : Viewer
        The viewer; hidden layers count, so that showing them moves nothing.

    Returns
    -------
    center, size : tuple of float
        z, y and x, mm.
    """
    layers = [layer for layer in viewer.layers if layer.ndim >= 3]
    # Points may lie far outside of the brain.
    volumes = [layer for layer in layers if is_volume(layer)]
    shown = volumes or [layer for layer in layers if _is_points(layer)]
    return bounds([_reach(layer, viewer.dims.units) for layer in shown])


def _reach(layer: Any, units: Any) -> npt.NDArray[np.float64]:
    """Return from where to where a layer reaches, the outermost voxels as a whole."""
    half = np.abs(np.asarray(layer.extent.step, float)) / 2 if is_volume(layer) else 0
    low, high = np.asarray(layer.extent.world, float)
    found: npt.NDArray[np.float64] = np.array([low - half, high + half])
    return found * unit_factors(layer, units)


def _margins(viewer: Viewer) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return np.asarray(viewer.dims.margin_left), np.asarray(viewer.dims.margin_right)


def is_volume(layer: Any) -> bool:
    """Return whether a layer is an image or labels."""
    from napari.layers import Image, Labels

    return isinstance(layer, Image | Labels)


def _is_points(layer: Any) -> bool:
    from napari.layers import Points

    return isinstance(layer, Points)


def finest_step(viewer: Viewer) -> PlaceZYX:
    """Return the size of the smallest voxels along z, y and x.

    Returns
    -------
    tuple of float
        mm; 1 where there is no volume.
    """
    sizes = [
        np.abs(layer.extent.step * unit_factors(layer, viewer.dims.units))[-3:]
        for layer in viewer.layers
        if is_volume(layer) and layer.ndim >= 3
    ]
    z, y, x = map(float, np.min(sizes, axis=0)) if sizes else (1.0, 1.0, 1.0)
    return z, y, x


def values_at(what: Drawable, place: PlaceZYX) -> list[tuple[str, str]]:
    """Read the visible volumes at a place.

    Parameters
    ----------
    place : tuple of float
        z, y and x, mm.

    Returns
    -------
    list of (str, str)
        Name and value, the topmost layer first; volumes that do not reach there, points
        and colors are left out.
    """
    found = []
    for layer, placement in reversed(what.layers):
        if not is_volume(layer) or getattr(layer, "rgb", False):
            continue
        if FAINT_KEY in layer.metadata:
            # The map itself says what is there.
            continue
        data = layer.data[0] if layer.multiscale else layer.data
        voxel = placement.voxel_at(place)
        if not all(0 <= at < size for at, size in zip(voxel, data.shape, strict=True)):
            continue
        # A layer whose data cannot be read is named below the planes already.
        with suppress(Exception):
            # Also where the map does not survive and is not seen.
            if (value := value_behind(layer, voxel)) is None:
                value = np.asarray(data[voxel]).item()
            found.append((layer.name, _in_words(layer, value)))
    return found


def _in_words(layer: Any, value: float) -> str:
    if hasattr(layer, "contrast_limits"):
        return f"{value:.4g}"
    if value == layer.colormap.background_value:
        return "none"
    features = layer.features
    column = next((name for name in _WORDS if name in features), None)
    if column is None or not 0 <= value < len(features):
        return str(value)
    return f"{value}: {features[column].iloc[int(value)]}"


# The points of a layer: where they are, how large, and in which colors.


def find_discs(
    layer: Any,
    placement: LayerTransform,
    window: Window,
    place: PlaceZYX,
    margins: tuple[Float64Array, Float64Array],
) -> Discs:
    """Find the points that a plane shows.

    Parameters
    ----------
    placement : LayerTransform
        Where it lies.
    place : tuple of float
        z, y and x of the slices, mm.
    margins : tuple of array of shape (n,)
        How far the viewer looks to both sides along each axis of the layer, mm.

    Returns
    -------
    Discs
        Those of points in the slab, shrunk with their distance where the layer wants
        that, inside of the window.
    """
    data = np.asarray(layer.data, float)
    displayed = [axis - 3 + layer.ndim for axis in window.axes[1:]]
    across = [axis for axis in range(layer.ndim) if axis not in displayed]
    here = placement.origin + placement.matrix @ np.array(place)
    away = data[:, across] - here[across]
    low, high = _slab(layer, placement, margins)
    low, high = low[across], high[across]
    kept = ((away >= -low) & (away <= high)).all(axis=1)
    kept &= np.asarray(layer.shown, bool)
    (which,) = np.nonzero(kept)
    sizes, which = _sizes(layer, away, low, high, which)
    # The way back to mm goes through the last three axes.
    mm = (data[which, -3:] - placement.origin[-3:]) @ np.linalg.inv(
        placement.matrix[-3:]
    ).T
    down, along = window.pixels_of(mm)
    # napari takes the last axis for the size as well.
    pixels = window.field.scale / np.linalg.norm(placement.matrix[-1])
    diameters = np.clip(sizes * pixels, *layer.canvas_size_limits)
    widths = np.asarray(layer.border_width, float)[which]
    relative = layer.border_width_is_relative
    borders = widths * diameters if relative else np.minimum(widths * pixels, diameters)
    reach = diameters / 2 + borders
    seen = (down > -reach) & (down < window.rows + reach)
    seen &= (along > -reach) & (along < window.columns + reach) & (diameters > 0)
    which = which[seen]
    symbols = np.asarray(layer.symbol)[which]
    return Discs(
        rows=down[seen],
        columns=along[seen],
        diameters=diameters[seen],
        borders=borders[seen],
        faces=_faded(layer.face_color[which], layer.opacity),
        lines=_faded(layer.border_color[which], layer.opacity),
        symbols=tuple(str(symbol) for symbol in symbols),
        additive=layer.blending == "additive",
    )


def _slab(
    layer: Any, placement: LayerTransform, margins: tuple[Float64Array, Float64Array]
) -> tuple[Float64Array, Float64Array]:
    """Return how far the slice reaches to both sides, in units of the data."""
    n = layer.ndim
    # Axes that are none of space keep their own scale.
    scale = np.abs(np.asarray(layer.scale, float))
    scale[-3:] = 1 / np.linalg.norm(placement.matrix[-3:], axis=1)
    if str(layer.projection_mode) == "none":
        return np.full(n, _HALF), np.full(n, _HALF)
    low, high = (np.asarray(margin, float)[-n:] / scale for margin in margins)
    thin = np.isclose(low + high, 0)
    return np.where(thin, _HALF, low), np.where(thin, _HALF, high)


def _sizes(
    layer: Any,
    away: Float64Array,
    low: Float64Array,
    high: Float64Array,
    which: npt.NDArray[np.intp],
) -> tuple[Float64Array, npt.NDArray[np.intp]]:
    """Shrink points with their distance; those that shrink to nothing are left out."""
    sizes = np.asarray(layer.size, float)[which]
    far = away[which]
    mode = str(layer.projection_mode)
    if mode == "rescale_linear":
        ends = np.where(far < 0, low, high)
        return sizes * np.prod(1 - np.abs(far) / ends, axis=1), which
    if mode == "rescale_spherical":
        radius = sizes[:, None] / 2
        cut = (np.abs(far) < radius).all(axis=1)
        share = np.abs(far[cut]) / radius[cut]
        depth = 1 - np.prod(1 - share, axis=1)
        return sizes[cut] * np.sqrt(1 - depth**2), which[cut]
    return sizes, which


def _faded(colors: npt.NDArray[Any], opacity: float) -> Float64Array:
    faded = np.array(colors, float)
    faded[:, 3] *= opacity
    return faded


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
