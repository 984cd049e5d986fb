"""Thin lines around clusters, outside of their voxels: no value is hidden by them.

A slice of the label volume is drawn finer than its voxels when napari asks for it: what
is not looked at costs neither time nor memory, and lines and voxels are never apart.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.viewer import palette
from napari_neurosynth_results.viewer.layers import placement_keywords
from napari_neurosynth_results.viewer.napari_private import show_written, shows
from napari_neurosynth_results.viewer.scene import weakly

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

Pixels = npt.NDArray[np.uint8]
Sizes = tuple[float, float, float]

#: Marks a layer of outlines, and holds what it draws.
OUTLINES_KEY = "neurosynth_results_outlines"
#: In the metadata of clusters: the layer of their outlines.
_LINES_KEY = "neurosynth_results_lines"
#: About how wide a line is, mm, and into how many parts a voxel is cut at most.
_LINE_MM = 0.5
_MOST_PARTS = 8
_RGBA = 4
_PART = np.rint(np.array(palette.PART) * 255).astype(np.uint8)


class Outlines:
    """The outlines of a label volume, as an array (z, y, x, RGBA) that napari slices.

    The axis that is sliced has the voxels of the volume; along the other two each voxel
    is cut into parts, the outermost of which is as wide as a line.

    Parameters
    ----------
    voxel_size : tuple of float
        Along z, y and x, mm.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, voxel_size: Sizes) -> None:
        self.voxel_size = voxel_size
        self.labels: npt.NDArray[Any] = np.zeros((1, 1, 1), np.uint8)
        #: Of each label, from 0 on.
        self.colors: Pixels = np.zeros((1, _RGBA), np.uint8)
        #: Parts of the clusters that are outlined inside of them, (z, y, x).
        self.inner: npt.NDArray[Any] | None = None
        #: The axis z, y or x that is sliced.
        self.axis = 0
        #: The viewer that shows them.
        self.viewer: weakref.ref[Any] | None = None
        #: The slice that was drawn last, which it is, and what it was drawn of.
        self._drawn: Pixels = np.zeros((0, 0, _RGBA), np.uint8)
        self._drawn_at = 0
        self._drawn_of: tuple[Any, ...] = (None,) * 4

    def along(self, axis: int) -> Outlines:
        """Return the same outlines for slices across another axis."""
        other = Outlines(self.voxel_size)
        other.labels, other.colors, other.axis = self.labels, self.colors, axis
        other.inner = self.inner
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Outlines:
        """Return itself: napari copies metadata when it duplicates a layer."""
        return self

    @property
    def in_3d(self) -> bool:
        """Whether no axis is sliced: asked anew, because napari slices before it tells.

        napari calls its own listeners before those of plugins, wherever they stand.
        """
        viewer = self.viewer() if self.viewer is not None else None
        return viewer is not None and viewer.dims.ndisplay == 3

    @property
    def parts(self) -> tuple[int, int, int]:
        """Into how many parts voxels are cut along z, y and x."""
        fine = [
            int(np.clip(round(size / _LINE_MM), 2, _MOST_PARTS))
            for size in self.voxel_size
        ]
        fine[self.axis] = 1
        z, y, x = fine
        return z, y, x

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of parts along z, y and x, and 4."""
        z, y, x = np.multiply(self.labels.shape, self.parts).tolist()
        return z, y, x, _RGBA

    @property
    def voxels(self) -> Pixels:
        """The voxels of the volume, on which nothing is drawn; they take no memory."""
        return np.broadcast_to(np.uint8(0), (*self.labels.shape, _RGBA))

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> Pixels | Outlines:
        """Draw a slice as a whole; several slices are drawn when they are looked at.

        While planes change, a slice across another axis is empty.
        """
        key = key if isinstance(key, tuple) else (key,)
        cuts = [axis for axis, k in enumerate(key[:3]) if not isinstance(k, slice)]
        if not cuts:
            return self
        if cuts == [self.axis]:
            return self._draw(int(key[self.axis]))
        n = [size for axis, size in enumerate(self.shape) if axis not in cuts]
        return np.zeros(n, np.uint8)

    def __array__(
        self, dtype: Any = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """Draw all slices; in 3D none, for there surfaces stand for clusters."""
        if self.in_3d:
            return np.zeros((1, 1, 1, _RGBA), dtype or np.uint8)
        n = self.shape[self.axis]
        drawn = np.stack([self._draw(at) for at in range(n)], self.axis)
        return drawn if dtype is None else drawn.astype(dtype)

    @property
    def drawn(self) -> Pixels | None:
        """The slice that was drawn last, None where other planes are seen by now."""
        is_seen = self._drawn_of[0] == self.parts and not self.in_3d
        return self._drawn if is_seen else None

    def draw_over(self) -> bool:
        """Draw the slice that was drawn last once more, over what is there.

        Returns
        -------
        bool
            False where the slice is drawn as it has to be: most steps of a slider
            change clusters elsewhere.
        """
        of = self._parts_of(self._drawn_at)
        if changed := not self._is_drawn_of(of):
            np.copyto(self._drawn, self._draw_labels(*of[2:]))
            self._drawn_of = of
        return changed

    def _draw(self, at: int) -> Pixels:
        """Draw one slice, (rows, columns, 4)."""
        of = self._parts_of(at)
        # napari asks for each slice twice, the second time for a thumbnail.
        if not self._is_drawn_of(of):
            self._drawn_of, self._drawn = of, self._draw_labels(*of[2:])
        self._drawn_at = at
        return self._drawn

    def _parts_of(self, at: int) -> tuple[Any, ...]:
        """List what a slice is drawn of: parts, colors, labels, and lines inside."""
        labels = np.take(self.labels, at, self.axis)
        inner = None if self.inner is None else np.take(self.inner, at, self.axis)
        return self.parts, self.colors, labels, inner

    def _is_drawn_of(self, of: tuple[Any, ...]) -> bool:
        return all(map(np.array_equal, of, self._drawn_of))

    def _draw_labels(
        self, labels: npt.NDArray[Any], inner: npt.NDArray[Any] | None
    ) -> Pixels:
        # While a slider moves, labels may be a step ahead of their colors.
        drawn = self.colors.take(self._lines(labels), axis=0, mode="clip")
        if inner is not None:
            # Nor are parts of clusters outlined that are smaller by now, or hidden.
            seen = self.colors[:, -1].take(labels, mode="clip") > 0
            drawn[self._lines(np.where(seen, inner, 0)) > 0] = _PART
        return drawn

    def _lines(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Draw the lines of a slice of labels; each has the label that it surrounds."""
        down, across = (k for n, k in enumerate(self.parts) if n != self.axis)
        rows, columns = labels.shape
        lines = np.zeros((rows, down, columns, across), labels.dtype)
        if labels.any():
            for row in (-1, 0, 1):
                for column in (-1, 0, 1):
                    if row or column:
                        _draw_side(lines, labels, row, column)
        return lines.reshape(rows * down, columns * across)


def _draw_side(
    lines: npt.NDArray[Any], labels: npt.NDArray[Any], row: int, column: int
) -> None:
    """Draw lines in empty voxels, at the side where a neighbor belongs to a cluster."""
    here_r, there_r, part_r = _shifted(row)
    here_c, there_c, part_c = _shifted(column)
    neighbor = labels[there_r, there_c]
    # Few voxels lie beside a cluster: only those are written to.
    where = np.nonzero((labels[here_r, here_c] == 0) & (neighbor != 0))
    # (rows, columns, parts down, parts across), a view.
    side = lines[here_r, part_r, here_c, part_c].transpose(0, 2, 1, 3)
    drawn = side[where]
    side[where] = np.where(drawn == 0, neighbor[where][:, None, None], drawn)


def _shifted(step: int) -> tuple[slice, slice, slice]:
    """Return where voxels and their neighbors are along an axis, and which part."""
    if step < 0:
        return slice(1, None), slice(None, -1), slice(0, 1)
    if step > 0:
        return slice(None, -1), slice(1, None), slice(-1, None)
    return slice(None), slice(None), slice(None)


def add_outlines(viewer: Viewer, clusters: Labels, grid: Grid) -> Image:
    """Add the layer of the outlines of clusters, which follows the layer of these.

    Parameters
    ----------
    clusters : Labels
        Their layer, which is in the viewer.
    grid : Grid
        Where its voxels are.

    Returns
    -------
    Image
        Below the layer of the clusters.
    """
    from napari.layers import Image

    outlines = Outlines(grid.voxel_size[::-1])
    outlines.labels = clusters.data
    _turn_to(outlines, viewer)
    made = Image(
        [outlines.voxels, outlines],
        rgb=True,
        # The finer level lies on the voxels of the other one, which are those that
        # the sliders go by: as a level of their own, lines would make these finer.
        multiscale=True,
        locked_data_level=1,
        contrast_limits=(0, 255),
        **placement_keywords(grid),
        name=f"{clusters.name.removesuffix(': clusters')}: outlines",
        blending="translucent_no_depth",
        visible=clusters.visible,
        metadata={OUTLINES_KEY: (outlines, weakref.ref(clusters))},
    )
    clusters.metadata[_LINES_KEY] = weakref.ref(made)
    follow = partial(_redraw, weakref.ref(made))
    for name in ("data", "colormap", "show_selected_label", "selected_label"):
        getattr(clusters.events, name).connect(follow)
    clusters.events.visible.connect(partial(_follow_visible, weakref.ref(made)))
    _draw_anew(made, clusters)
    _follow_viewer(viewer)
    viewer.layers.insert(viewer.layers.index(clusters), made)
    return made


def outline_inside(clusters: Labels, parts: npt.NDArray[Any] | None) -> None:
    """Outline parts of clusters inside of them, in a color of their own.

    Parameters
    ----------
    parts : ndarray of int, shape (z, y, x), optional
        A label of each, 0 for none; None takes the lines away.
    """
    layer = clusters.metadata.get(_LINES_KEY, lambda: None)()
    outlines = outlines_in(layer) if layer is not None else None
    if outlines is not None:
        outlines.inner = parts
        layer.refresh(thumbnail=False, extent=False)


def outlines_of(viewer: Viewer, clusters: Layer) -> Image | None:
    """Find the layer that outlines the clusters of another layer."""
    for layer in viewer.layers:
        if outlined_by(layer) is clusters:
            return layer
    return None


def outlined_by(layer: Layer) -> Labels | None:
    """Return the layer whose clusters a layer outlines, None for layers of others."""
    found = layer.metadata.get(OUTLINES_KEY)
    return found[1]() if found is not None else None


def outlines_in(layer: Layer) -> Outlines | None:
    """Return what a layer of outlines draws, None for layers of others."""
    found = layer.metadata.get(OUTLINES_KEY)
    return found[0] if found is not None else None


def _redraw(ref: weakref.ref[Any], event: Any) -> None:
    """Follow clusters, their colors, and which of them is shown alone."""
    if (layer := ref()) is not None:
        _draw_anew(layer, event.source)


def _draw_anew(layer: Image, clusters: Labels) -> None:
    outlines = outlines_in(layer)
    assert outlines is not None
    outlines.labels = clusters.data
    colors = np.rint(np.asarray(clusters.colormap.colors) * 255).astype(np.uint8)
    colors[0] = 0
    if clusters.show_selected_label:
        alone = np.arange(len(colors)) == clusters.selected_label
        colors[~alone] = 0
    outlines.colors = colors
    drawn = outlines.drawn
    if drawn is None or not shows(layer, drawn):
        layer.refresh(thumbnail=False, extent=False)
    elif layer.visible and outlines.draw_over():
        show_written(layer, drawn)


def _follow_visible(ref: weakref.ref[Any], event: Any) -> None:
    if (layer := ref()) is not None:
        layer.visible = event.source.visible


def _turn_to(outlines: Outlines, viewer: Viewer) -> None:
    """Draw for the plane that a viewer shows."""
    extra = viewer.dims.ndim - 3
    outlines.viewer = weakly(viewer)
    if extra >= 0 and not outlines.in_3d:
        outlines.axis = max(int(viewer.dims.order[-3]) - extra, 0)


def _follow_viewer(viewer: Viewer) -> None:
    """Turn outlines with the plane."""
    turned = (viewer.dims.events.order, viewer.dims.events.ndisplay)
    if any(_is_ours(callback) for callback in turned[0].callbacks):
        return
    # The viewer owns the events: a strong reference back would keep it alive.
    for emitter in turned:
        emitter.connect(partial(_turn, weakly(viewer)))


def _is_ours(callback: Any) -> bool:
    return isinstance(callback, partial) and callback.func is _turn


def _turn(ref: weakref.ref[Any], event: object = None) -> None:
    """Cut voxels into parts along the axes that are seen."""
    if (viewer := ref()) is None:
        return
    for layer in viewer.layers:
        if (outlines := outlines_in(layer)) is not None:
            _turn_to(outlines, viewer)
            # What napari last cut out of the slice is in parts of the other plane, and
            # it may have sliced before this was heard of.
            corners = np.zeros((2, 3), int)
            corners[1] = np.subtract(outlines.shape[:3], 1)
            layer.corner_pixels = corners
            layer.refresh(thumbnail=False, extent=False)
