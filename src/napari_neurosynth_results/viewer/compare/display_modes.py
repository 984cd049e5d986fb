"""Several maps seen together: over each other, as outlines, side by side, by turns.

What is changed for that is kept, and given back when the maps are seen alone again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_neurosynth_results.export.colors import HUES, Hue
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    layers_of_map,
    show_faintly,
)
from napari_neurosynth_results.viewer.clusters.layer_colors import (
    HUE_KEY,
    recolor,
    set_colors,
)
from napari_neurosynth_results.viewer.layers import UNDERLAY_KEY, map_of
from napari_neurosynth_results.viewer.scene import grows_rightwards

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

Mode = Literal["overlay", "outlines", "side by side", "blink", "swipe"]

#: Through which the map below is seen.
_OVER = 0.65
#: Marks what was added for a while.
TEMPORARY_KEY = "neurosynth_results_for_now"
#: What a copy takes over from the layer of the map.
_LOOK = ("colormap", "contrast_limits", "gamma", "blending", "interpolation2d")


class Swipe:
    """Shows the first of two maps left of a line, and the second right of it.

    The layers of the maps stay as they are: two others show parts of the same voxels,
    which are views, so that nothing is copied.

    Parameters
    ----------
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
        rightwards = grows_rightwards(self._viewer)
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


@dataclass(frozen=True)
class _Look:
    """What a layer looked like before."""

    visible: bool
    opacity: float
    contour: int | None
    named: bool


class JointDisplay:
    """Shows chosen maps of a viewer together."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._looks: dict[Layer, _Look] = {}
        self._order: list[Layer] = []
        self._grid: tuple[bool, int] | None = None
        self._maps: list[Image] = []
        self._turn = 0
        self._swipe: Swipe | None = None
        self.mode: Mode | None = None

    @property
    def maps(self) -> list[Image]:
        """The maps that are seen together, and are still there."""
        return [layer for layer in self._maps if layer in self._viewer.layers]

    @property
    def hues(self) -> list[Hue]:
        """The colors of the maps, in order; none while each has its own."""
        if self.mode in (None, "side by side"):
            return []
        hues = [_hue(number) for number in range(len(self.maps))]
        return hues if self.mode != "outlines" else []

    def show(self, mode: Mode, maps: Sequence[Image]) -> None:
        """Show maps together, and nothing else that this plugin made.

        Parameters
        ----------
        mode : {"overlay", "outlines", "side by side", "blink", "swipe"}
            How.
        maps : sequence of Image
            Layers of maps with clusters; the first is the one that is filled among
            outlines, and swipe takes the first two.
        """
        self.stop()
        active = self._viewer.layers.selection.active
        self.mode, self._maps = mode, list(maps)
        self._remember()
        for layer in self._ours():
            layer.visible = layer in self._maps
        for number, layer in enumerate(self._maps):
            self._paint(layer, _hue(number))
        {
            "overlay": self._overlay,
            "outlines": self._outlines,
            "side by side": self._side_by_side,
            "blink": self._blink,
            "swipe": self._start_swipe,
        }[mode]()
        # What was added for a while is not what the user works with.
        if active in self._viewer.layers:
            self._viewer.layers.selection.active = active

    def stop(self) -> None:
        """Give every layer the look back that it had alone."""
        if self.mode is None:
            return
        self.mode = None
        if self._swipe is not None:
            self._swipe.stop()
            self._swipe = None
        self._take_away()
        for layer in self.maps:
            self._paint(layer, None)
        for layer, look in self._looks.items():
            if layer not in self._viewer.layers:
                continue
            layer.visible, layer.opacity = look.visible, look.opacity
            if look.contour is not None:
                layer.contour = look.contour
            layer.name_overlay.visible = look.named
        self._put_in_order(self._order)
        if self._grid is not None:
            grid = self._viewer.canvas.grid
            grid.enabled, grid.stride = self._grid
            self._viewer.reset_view()
        self._looks, self._order, self._grid = {}, [], None
        self._maps = []

    # --- before -----------------------------------------------------------------------

    def _ours(self) -> list[Layer]:
        """List the layers of maps and clusters."""
        return [
            layer
            for layer in self._viewer.layers
            if map_of(layer) is not None or clusters_of(layer) is not None
        ]

    def _remember(self) -> None:
        self._order = list(self._viewer.layers)
        self._looks = {
            layer: _Look(
                layer.visible,
                layer.opacity,
                getattr(layer, "contour", None),
                layer.name_overlay.visible,
            )
            for layer in self._order
        }

    def _paint(self, layer: Image, hue: Hue | None) -> None:
        """Give a map and its clusters one color, or those that it has alone."""
        found = self._clusters(layer)
        for one in (layer, found):
            if one is not None and hue is not None:
                one.metadata[HUE_KEY] = hue
            elif one is not None:
                one.metadata.pop(HUE_KEY, None)
        clusters = clusters_of(found) if found is not None else None
        if found is None or clusters is None:
            return
        show_faintly(self._viewer, layer, None)
        recolor(layer, clusters, anew=True)
        set_colors(found, clusters)

    def _clusters(self, layer: Image) -> Labels | None:
        statmap = map_of(layer)
        return cluster_layer(self._viewer, statmap) if statmap is not None else None

    # --- ways to see them -------------------------------------------------------------

    def _overlay(self) -> None:
        for number, layer in enumerate(self._maps):
            # The lowest is whole; those above let it through. Outlines as well would
            # hide small clusters.
            layer.opacity = _OVER if number else 1.0
            if (found := self._clusters(layer)) is not None:
                found.visible = False
        self._stack(self._maps)

    def _outlines(self) -> None:
        for number, layer in enumerate(self._maps):
            found = self._clusters(layer)
            layer.visible = number == 0
            if found is not None:
                # Hiding a map hides its clusters: the outline is what is wanted.
                found.visible = number > 0
        if self._maps:
            # Alone among outlines it has room for all of its colors.
            self._paint(self._maps[0], None)
        self._stack(self._maps)

    def _stack(self, maps: Sequence[Image]) -> None:
        """Put the layers of maps above all others, outlines above maps."""
        lines = [layers_of_map(self._viewer, layer)[1:] for layer in maps]
        top = [*maps, *(one for some in lines for one in some)]
        rest = [layer for layer in self._viewer.layers if layer not in top]
        self._put_in_order([*rest, *top])

    def _side_by_side(self) -> None:
        """Give each map a cell of napari's grid, with an underlay of its own."""
        grid = self._viewer.canvas.grid
        self._grid = grid.enabled, grid.stride
        underlays = [one for one in self._viewer.layers if UNDERLAY_KEY in one.metadata]
        cells: list[list[Layer]] = []
        for number, layer in enumerate(self._maps):
            below = underlays[:1] if number == 0 else self._copies(underlays[:1])
            cells.append([*below, *layers_of_map(self._viewer, layer)])
            layer.name_overlay.visible = True
            self._paint(layer, None)
        wanted = [layer for cell in cells for layer in cell]
        for layer in self._viewer.layers:
            if layer not in wanted:
                layer.visible = False
        for layer in wanted:
            layer.visible = True
        # napari counts cells from the first layer on, hidden ones too.
        self._put_in_order(wanted)
        grid.stride = max((len(cell) for cell in cells), default=1)
        grid.enabled = True
        self._viewer.reset_view()

    def _copies(self, underlays: Sequence[Layer]) -> list[Layer]:
        """Add an underlay once more, with the same voxels."""
        from napari.layers import Layer

        made = []
        for layer in underlays:
            data, keywords, kind = layer.as_layer_data_tuple()
            keywords["metadata"] = {UNDERLAY_KEY: True, TEMPORARY_KEY: True}
            made.append(self._viewer.add_layer(Layer.create(data, keywords, kind)))
        return made

    def _take_away(self) -> None:
        for layer in list(self._viewer.layers):
            if TEMPORARY_KEY in layer.metadata:
                self._viewer.layers.remove(layer)

    def _put_in_order(self, wanted: Sequence[Layer]) -> None:
        layers = self._viewer.layers
        for place, layer in enumerate(one for one in wanted if one in layers):
            now = layers.index(layer)
            if now != place:
                layers.move(now, place)

    def _blink(self) -> None:
        self._turn = 0
        self._show_turn()

    def next(self) -> Image | None:
        """Show the next map of those that blink.

        Returns
        -------
        Image or None
            The one that is seen now; None when nothing blinks.
        """
        if self.mode != "blink" or not self.maps:
            return None
        self._turn += 1
        return self._show_turn()

    def _show_turn(self) -> Image | None:
        maps = self.maps
        if not maps:
            return None
        seen = maps[self._turn % len(maps)]
        for layer in maps:
            # Clusters follow their map.
            layer.visible = layer is seen
        return seen

    def _start_swipe(self) -> None:
        pair: list[Any] = self._maps[:2]
        for layer in self._maps:
            layer.visible = False
        if len(pair) == 2:
            self._swipe = Swipe(self._viewer, pair[0], pair[1], TEMPORARY_KEY)

    def swipe_to(self, share: float) -> None:
        """Move the line between two maps that are swiped.

        Parameters
        ----------
        share : float
            0 shows the second map alone, 1 the first.
        """
        if self._swipe is not None:
            self._swipe.to(share)


def _hue(number: int) -> Hue:
    return HUES[number % len(HUES)]
