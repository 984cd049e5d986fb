"""Several maps seen together: over each other, as outlines, side by side, by turns.

What a mode wants of the layers is worked out first, and then only what differs is
changed, in one go: the canvas is drawn once, and shows nothing in between. What was
before is kept, and given back when the maps are seen alone again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_neurosynth_results.export.colors import HUES, Hue
from napari_neurosynth_results.viewer.canvas import SIDE_KEY, update_legend
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    FAINT_KEY,
    cluster_layer,
    clusters_of,
    layers_of_map,
)
from napari_neurosynth_results.viewer.clusters.layer_colors import (
    HUE_KEY,
    own_colors,
    recolor,
    set_colors,
)
from napari_neurosynth_results.viewer.clusters.outlines import outlined_by
from napari_neurosynth_results.viewer.compare.comparison_layers import (
    TEMPORARY_KEY,
    Swipe,
)
from napari_neurosynth_results.viewer.layers import (
    UNDERLAY_KEY,
    map_of,
    stand_back,
)
from napari_neurosynth_results.viewer.napari_private import is_closed, unproxied
from napari_neurosynth_results.viewer.shown_maps import at_once, put_in_order

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

Mode = Literal["overlay", "outlines", "side by side", "blink", "swipe"]

#: What maps stand back for.
_JOINTLY = "maps that are seen together"
#: Points of the names of cells.
_SMALL = 9.0
#: Through which the map below is seen.
_OVER = 0.65
#: What the camera had before cells were zoomed.
_CAMERA = ("center", "zoom", "angles")
_TWO_SIDES = ("left", "right")
_COLORS = ("colormap", "contrast_limits")


@dataclass(frozen=True)
class _Look:
    """What a layer looked like before."""

    visible: bool
    opacity: float
    named: bool
    font_size: float
    #: Colormap and limits of a map, and which of them the user has chosen.
    colors: dict[str, Any]
    chosen: dict[str, Any]


@dataclass
class _Plan:
    """What a mode wants: of layers that are not mentioned, what was before."""

    visible: dict[Layer, bool] = field(default_factory=dict)
    opacity: dict[Layer, float] = field(default_factory=dict)
    #: Maps whose name stands in their cell.
    named: list[Layer] = field(default_factory=list)
    #: Maps that other layers stand for.
    behind: list[Layer] = field(default_factory=list)
    hues: dict[Layer, Hue] = field(default_factory=dict)
    #: What the caption calls each map.
    sides: dict[Layer, str] = field(default_factory=dict)
    order: list[Layer] = field(default_factory=list)
    #: Layers a cell of napari's grid; 0 without a grid.
    stride: int = 0


class JointDisplay:
    """Shows chosen maps of a viewer together."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._looks: dict[Layer, _Look] = {}
        self._order: list[Layer] = []
        self._grid: tuple[bool, int] = (False, 1)
        self._camera: dict[str, Any] | None = None
        self._maps: list[Image] = []
        #: What the mode has made of `visible`: anything else is the user's doing.
        self._shown: dict[Layer, bool] = {}
        #: And of `opacity`, which clusters change themselves between planes and 3D.
        self._opacity: dict[Layer, float] = {}
        #: And of the names of layers: whether they are seen, and how large.
        self._names: dict[Layer, tuple[bool, float]] = {}
        #: And of napari's grid.
        self._cells: tuple[bool, int] | None = None
        #: Layers that were moved since, by the user.
        self._moved: set[Layer] = set()
        #: Maps that the caption names as parts of a comparison.
        self._sided: list[Layer] = []
        self._turn = 0
        self._share = 0.5
        self._swipe: Swipe | None = None
        self._busy = False
        self.mode: Mode | None = None
        # Bound methods are held weakly by napari.
        viewer.layers.events.removed.connect(self._forget)
        viewer.layers.events.moved.connect(self._note_moved)

    @property
    def maps(self) -> list[Image]:
        """The maps that are seen together, and are still there."""
        return [layer for layer in self._maps if layer in self._viewer.layers]

    @property
    def hues(self) -> list[Hue]:
        """The colors of the maps, in order; none while each has its own."""
        if self.mode in (None, "side by side", "outlines"):
            return []
        return [_hue(number) for number in range(len(self.maps))]

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
        with self._in_one_go():
            self._remember()
            left = [layer for layer in self.maps if layer not in maps]
            self.mode, self._maps, self._turn = mode, list(maps), 0
            self._take_away()
            make = {
                "overlay": self._overlay,
                "outlines": self._outlines,
                "side by side": self._side_by_side,
                "blink": self._blink,
                "swipe": self._start_swipe,
            }
            plan = make[mode]()
            for layer in left:
                self._paint(layer, None)
            self._apply(plan)
        self._fit(plan.stride)

    def stop(self) -> None:
        """Give every layer the look back that it had alone."""
        if self.mode is None:
            return
        with self._in_one_go():
            self._remember()
            self.mode = None
            self._take_away()
            self._apply(_Plan())
        self._fit(0)
        self._looks, self._order, self._shown, self._maps = {}, [], {}, []
        self._opacity, self._sided, self._names = {}, [], {}
        self._moved, self._cells = set(), None

    def let_go(self) -> None:
        """Stop when the panel goes, unless canvas or layers go with it."""
        if self._viewer.layers and not is_closed(self._viewer):
            self.stop()

    @property
    def is_busy(self) -> bool:
        """Whether layers come and go because of a mode."""
        return self._busy

    def hides(self, layer: Layer) -> bool:
        """Whether a mode hides a layer that is seen nevertheless: a user wants it."""
        return not self._busy and layer.visible and not self._shown.get(layer, True)

    # --- before -----------------------------------------------------------------------

    @contextmanager
    def _in_one_go(self) -> Iterator[None]:
        """Change layers without a picture of what is in between."""
        layers = self._viewer.layers
        active, selected = layers.selection.active, set(layers.selection)
        before, self._busy = self._busy, True
        try:
            # What is removed are parts and copies, whose voxels are those of others.
            with at_once(self._viewer, collect=False):
                yield
                # What was added for a while is not what the user works with.
                wanted = {layer for layer in selected if layer in layers}
                if set(layers.selection) != wanted:
                    layers.selection = wanted
                if active in wanted and layers.selection.active is not active:
                    layers.selection.active = active
        finally:
            self._busy = before
        update_legend(self._viewer)

    def _ours(self) -> list[Layer]:
        """List the layers of maps, of clusters, and of what goes with them."""
        return [
            layer
            for layer in self._viewer.layers
            if (map_of(layer) is not None and UNDERLAY_KEY not in layer.metadata)
            or clusters_of(layer) is not None
            or outlined_by(layer) is not None
            or FAINT_KEY in layer.metadata
        ]

    def _forget(self, event: Any) -> None:
        """Hold nothing of a layer that was removed."""
        layer = event.value
        kept: tuple[dict[Layer, Any], ...]
        kept = (self._looks, self._shown, self._opacity, self._names)
        for of_layers in kept:
            of_layers.pop(layer, None)
        for some in (self._order, self._maps, self._sided):
            some[:] = [one for one in some if one is not layer]
        self._moved.discard(layer)

    def _note_moved(self, event: Any) -> None:
        """Notice a layer that the user moves."""
        if self.mode is not None and not self._busy:
            self._moved.add(event.value)

    def _remember(self) -> None:
        """Keep how layers were before a mode changed them.

        What a user has changed in the meantime stays so.
        """
        self._remember_order()
        grid = self._viewer.canvas.grid
        cells = bool(grid.enabled), int(grid.stride)
        if cells != self._cells:
            self._grid = cells
        for layer in self._viewer.layers:
            if TEMPORARY_KEY not in layer.metadata:
                look = self._looks.get(layer)
                self._looks[layer] = (
                    self._look_at(layer) if look is None else self._follow(layer, look)
                )

    def _look_at(self, layer: Layer) -> _Look:
        """See how a layer looks that no mode has changed yet."""
        is_map = map_of(layer) is not None and hasattr(layer, "contrast_limits")
        return _Look(
            visible=layer.visible,
            opacity=layer.opacity,
            named=layer.name_overlay.visible,
            font_size=layer.name_overlay.font_size,
            colors={name: getattr(layer, name) for name in _COLORS if is_map},
            chosen=own_colors(layer) if is_map else {},
        )

    def _follow(self, layer: Layer, look: _Look) -> _Look:
        """Bring what is remembered of a layer up to date with what a user did."""
        changed = layer.visible != self._shown.get(layer, layer.visible)
        # Another map was chosen to be seen alone.
        let_go = layer in self._sided and SIDE_KEY not in layer.metadata
        if changed or let_go:
            look = replace(look, visible=layer.visible)
        if layer.opacity != self._opacity.get(layer, layer.opacity):
            look = replace(look, opacity=layer.opacity)
        name = layer.name_overlay
        named, font_size = self._names.get(layer, (name.visible, name.font_size))
        if name.visible != named:
            look = replace(look, named=name.visible)
        if name.font_size != font_size:
            look = replace(look, font_size=name.font_size)
        if HUE_KEY in layer.metadata and hasattr(layer, "contrast_limits"):
            look = replace(look, chosen=look.chosen | own_colors(layer))
        return look

    def _remember_order(self) -> None:
        """Keep the order of layers; those that a user has moved stay where they are."""
        now = [one for one in self._viewer.layers if TEMPORARY_KEY not in one.metadata]
        if self._cells is None:
            self._order = now
            return
        new = [one for one in now if one not in self._order]
        moved = [one for one in now if one in self._moved or one in new]
        self._moved.clear()
        order = [one for one in self._order if one not in moved]
        for layer in moved:
            below = [one for one in now[: now.index(layer)] if one in order]
            order.insert(order.index(below[-1]) + 1 if below else 0, layer)
        self._order = order

    def _clusters(self, layer: Image) -> Labels | None:
        statmap = map_of(layer)
        return cluster_layer(self._viewer, statmap) if statmap is not None else None

    # --- all at once ------------------------------------------------------------------

    def _apply(self, plan: _Plan) -> None:
        """Change what differs from a plan, and nothing else."""
        for layer, hue in plan.hues.items():
            self._paint(layer, hue)
        for layer in self.maps:
            if layer not in plan.hues:
                self._paint(layer, None)
        grid, before = self._viewer.canvas.grid, self._grid
        in_cells = bool(plan.stride) or before[0]
        if not in_cells and grid.enabled:
            # In cells napari counts all layers anew for each one that changes.
            grid.enabled = False
        put_in_order(self._viewer, plan.order or self._order)
        self._show_and_hide(plan)
        for layer, look in self._there():
            opacity = plan.opacity.get(layer, look.opacity)
            if layer.opacity != opacity:
                layer.opacity = opacity
            self._opacity[layer] = layer.opacity
            named = layer in plan.named
            name = layer.name_overlay
            font = min(look.font_size, _SMALL) if named else look.font_size
            if name.font_size != font:
                name.font_size = font
            if name.visible != (named or look.named):
                name.visible = named or look.named
            self._names[layer] = name.visible, name.font_size
            stand_back(layer, _JOINTLY, layer in plan.behind)
            side = plan.sides.get(layer)
            _mark(layer, SIDE_KEY, (self._maps.index(layer), side) if side else None)
        self._sided = list(plan.sides)
        stride = plan.stride or before[1]
        if grid.stride != stride:
            grid.stride = stride
        if grid.enabled != in_cells:
            grid.enabled = in_cells
        self._cells = in_cells, stride

    def _there(self) -> list[tuple[Layer, _Look]]:
        """List the layers that were there before and still are."""
        layers = self._viewer.layers
        return [(layer, look) for layer, look in self._looks.items() if layer in layers]

    def _show_and_hide(self, plan: _Plan) -> None:
        wanted = {
            layer: plan.visible.get(layer, look.visible)
            for layer, look in self._there()
        }
        for layer, visible in plan.visible.items():
            if layer in self._viewer.layers:
                wanted[layer] = visible
        # Clusters follow maps, and outlines and what is faint follow these: maps first.
        for layer in sorted(wanted, key=_follows):
            if layer.visible != wanted[layer]:
                layer.visible = wanted[layer]
        self._shown = wanted

    def _paint(self, layer: Image, hue: Hue | None) -> None:
        """Give a map and its clusters one color, or those that it has alone."""
        if layer.metadata.get(HUE_KEY) == hue:
            return
        found = self._clusters(layer)
        for one in (layer, found):
            if one is not None:
                _mark(one, HUE_KEY, hue)
        clusters = clusters_of(found) if found is not None else None
        look, given = self._looks.get(layer), {}
        if found is not None and clusters is not None:
            recolor(layer, clusters, anew=True)
            set_colors(found, clusters)
            given = look.chosen if look is not None else {}
        elif look is not None:
            # Its clusters were deleted meanwhile.
            given = look.colors
        if hue is None:
            for name, value in given.items():
                setattr(layer, name, value)

    def _take_away(self) -> None:
        """Remove what was added for a while."""
        if self._swipe is not None:
            self._swipe.stop()
            self._swipe = None
        for layer in list(self._viewer.layers):
            if TEMPORARY_KEY in layer.metadata:
                self._viewer.layers.remove(layer)

    def _fit(self, stride: int) -> None:
        """Zoom cells so that each holds a brain; without cells, as it was before."""
        camera = self._viewer.scene.camera
        if stride:
            if self._camera is None:
                self._camera = {name: getattr(camera, name) for name in _CAMERA}
            self._viewer.reset_view(reset_camera_angle=False)
            # New cells get their size when they are drawn: for the first time where
            # nobody sees it, for it would be at another zoom.
            model = unproxied(self._viewer)
            if hasattr(model, "screenshot"):
                model.screenshot(flash=False)
        elif self._camera is not None:
            # Where it showed everything, it does so by the same means: a window that
            # changes its size is followed then.
            self._viewer.reset_view(reset_camera_angle=False)
            for name, value in self._camera.items():
                if not np.allclose(getattr(camera, name), value, rtol=1e-6):
                    setattr(camera, name, value)
            self._camera = None

    # --- ways to see them -------------------------------------------------------------

    def _plan(self) -> _Plan:
        """Hide all that this plugin made but the maps, each of which has a color."""
        plan = _Plan(visible=dict.fromkeys(self._ours(), False))
        plan.hues = {layer: _hue(n) for n, layer in enumerate(self._maps)}
        plan.sides = {layer: hue.name for layer, hue in plan.hues.items()}
        plan.visible |= dict.fromkeys(self._maps, True)
        return plan

    def _overlay(self) -> _Plan:
        plan = self._plan()
        for number, layer in enumerate(self._maps):
            # The lowest is whole; those above let it through. Outlines as well would
            # hide small clusters.
            plan.opacity[layer] = _OVER if number else 1.0
        plan.order = self._stacked()
        return plan

    def _outlines(self) -> _Plan:
        plan = self._plan()
        for layer in self._maps[1:]:
            plan.visible[layer] = False
            plan.behind.append(layer)
            plan.sides[layer] = f"outlines, {plan.hues[layer].name}"
            for line in layers_of_map(self._viewer, layer):
                of = outlined_by(line)
                if of is not None or clusters_of(line) is not None:
                    plan.visible[line] = True
        if self._maps:
            # Alone among outlines it has room for all of its colors.
            del plan.hues[self._maps[0]]
            plan.sides[self._maps[0]] = "filled"
        plan.order = self._stacked()
        return plan

    def _stacked(self) -> list[Layer]:
        """Put the layers of maps above all others, outlines above maps."""
        lines = [self._above(layer)[1:] for layer in self._maps]
        top = [*self._maps, *(one for some in lines for one in some)]
        return [*(one for one in self._viewer.layers if one not in top), *top]

    def _above(self, layer: Image) -> list[Layer]:
        """List a map, outlines and clusters, without what is below the threshold."""
        found = layers_of_map(self._viewer, layer)
        return [one for one in found if FAINT_KEY not in one.metadata]

    def _side_by_side(self) -> _Plan:
        """Give each map a cell of napari's grid, with an underlay of its own."""
        plan = _Plan(visible=dict.fromkeys(self._looks, False))
        underlays = [
            layer
            for layer, look in self._there()
            if UNDERLAY_KEY in layer.metadata and look.visible
        ][:1]
        cells: list[list[Layer]] = []
        for number, layer in enumerate(self._maps):
            below = self._copies(underlays) if number else underlays
            cells.append([*below, *self._above(layer)])
        plan.visible |= {layer: True for cell in cells for layer in cell}
        plan.stride = max((len(cell) for cell in cells), default=1)
        # napari counts cells from the first layer on, hidden ones too.
        rest = [one for one in self._viewer.layers if plan.visible.get(one) is False]
        for cell in cells[:-1]:
            missing = plan.stride - len(cell)
            fill, rest = rest[:missing], rest[missing:]
            fill += self._fillers(missing - len(fill))
            cell[:0] = fill
        plan.order = [*(layer for cell in cells for layer in cell), *rest]
        plan.named = list(self._maps)
        n = len(self._maps)
        plan.sides = {one: f"{at} of {n}" for at, one in enumerate(self._maps, start=1)}
        if n == len(_TWO_SIDES):
            plan.sides = dict(zip(self._maps, _TWO_SIDES, strict=True))
        return plan

    def _copies(self, underlays: Sequence[Layer]) -> list[Layer]:
        """Add an underlay once more, with the same voxels."""
        from napari.layers import Layer

        made = []
        for layer in underlays:
            data, keywords, kind = layer.as_layer_data_tuple()
            keywords["metadata"] = {UNDERLAY_KEY: True, TEMPORARY_KEY: True}
            made.append(self._viewer.add_layer(Layer.create(data, keywords, kind)))
        return made

    def _fillers(self, n: int) -> list[Layer]:
        """Add hidden layers for cells that have fewer layers than others."""
        from napari.layers import Points

        made = [
            Points(ndim=3, visible=False, metadata={TEMPORARY_KEY: True})
            for _ in range(n)
        ]
        return [self._viewer.add_layer(layer) for layer in made]

    def _blink(self) -> _Plan:
        plan = self._plan()
        plan.visible |= self._seen_by_turns()
        n = len(self._maps)
        for number, layer in enumerate(self._maps, start=1):
            plan.sides[layer] = f"{number} of {n}, {plan.hues[layer].name}"
        return plan

    def _seen_by_turns(self) -> dict[Layer, bool]:
        """Show one map with its outlines, and hide the others with theirs."""
        maps = self.maps
        seen = maps[self._turn % len(maps)] if maps else None
        return {
            one: layer is seen
            for layer in maps
            for one in layers_of_map(self._viewer, layer)
            if FAINT_KEY not in one.metadata
        }

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
        wanted = self._seen_by_turns()
        with self._in_one_go():
            for layer in sorted(wanted, key=_follows):
                if layer.visible != wanted[layer]:
                    layer.visible = wanted[layer]
        self._shown |= wanted
        return self.maps[self._turn % len(self.maps)]

    def _start_swipe(self) -> _Plan:
        plan = self._plan()
        plan.visible |= dict.fromkeys(self._maps, False)
        pair = self._maps[: len(_TWO_SIDES)]
        if len(pair) == len(_TWO_SIDES):
            plan.behind = list(pair)
            for layer, side in zip(pair, _TWO_SIDES, strict=True):
                plan.sides[layer] = f"{side}, {plan.hues[layer].name}"
            # The parts are made in the colors of the maps.
            for layer in pair:
                self._paint(layer, plan.hues[layer])
            found = [self._clusters(layer) for layer in pair]
            self._swipe = Swipe(self._viewer, pair, found, self._share)
        return plan

    def swipe_to(self, share: float) -> None:
        """Move the line between two maps that are swiped.

        Parameters
        ----------
        share : float
            0 shows the second map alone, 1 the first.
        """
        if self._swipe is not None and share != self._share:
            self._swipe.to(share)
        self._share = share


def _hue(number: int) -> Hue:
    return HUES[number % len(HUES)]


def _mark(layer: Layer, key: str, value: Any) -> None:
    """Keep something with a layer, or nothing."""
    if value:
        layer.metadata[key] = value
    else:
        layer.metadata.pop(key, None)


def _follows(layer: Layer) -> int:
    """Say how many layers a layer follows when it is shown or hidden."""
    if outlined_by(layer) is not None:
        return 2
    return int(clusters_of(layer) is not None or FAINT_KEY in layer.metadata)
