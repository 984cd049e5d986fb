"""Which maps are shown: one at a time, and what a user lays over it.

The layers are what is known: the one that was active last says which map a user works
with, and what is visible says what is shown. Panels ask here, and keep nothing of it.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer.canvas import SIDE_KEY, dress, legend_once
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    FAINT_KEY,
    cluster_layer,
    clusters_of,
    layers_of_map,
)
from napari_neurosynth_results.viewer.clusters.defaults import clusters_for
from napari_neurosynth_results.viewer.clusters.outlines import outlined_by
from napari_neurosynth_results.viewer.layers import (
    UNDERLAY_KEY,
    LayerTuple,
    are_several,
    has_own_name,
    is_seen,
    map_layer,
    map_of,
    name_of_map,
    result_sets,
)
from napari_neurosynth_results.viewer.napari_private import (
    nothing_to_collect,
    unproxied,
)
from napari_neurosynth_results.viewer.scene import weakly

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer

    from napari_neurosynth_results.anatomy.cortex import Shape
    from napari_neurosynth_results.viewer.brain_views.brain import BrainSurfaces
    from napari_neurosynth_results.viewer.brain_views.cortex import Cortex


#: In the metadata of the layer whose map is worked with: who paints a mask makes a
#: layer of his own the active one, and means to mask that map.
_CURRENT = "neurosynth_results_current"
#: And of the layer that was brought forward last of its result.
_LATEST = "neurosynth_results_latest"


def layer_of(viewer: Viewer, statmap: StatMap) -> Layer | None:
    """Find the layer that shows a map."""
    return next((one for one in viewer.layers if map_of(one) is statmap), None)


def current_layer(viewer: Viewer) -> Layer | None:
    """Find the layer of the map that a user works with.

    Returns
    -------
    Layer or None
        That of the active layer, be it the map or its clusters; else the one before,
        if it can be seen; else the topmost map that is visible, or else that was there
        before; None where no map has a layer.
    """
    active = viewer.layers.selection.active
    if active is not None:
        found = _map_layer_behind(viewer, active)
        if found is not None:
            work_with(viewer, found)
            return found
    ours = _layers_of_maps(viewer)
    # The one before stands first among equals.
    ours.sort(key=lambda one: (_is_hidden(one), _CURRENT not in one.metadata))
    return ours[0] if ours else None


def is_hidden(viewer: Viewer, statmap: StatMap) -> bool:
    """Whether a map has a layer whose eye is closed, by a user and not for a turn."""
    layer = layer_of(viewer, statmap)
    return layer is not None and _is_hidden(layer)


def _is_hidden(layer: Layer) -> bool:
    # Maps that blink take turns, and none of them is less worked with meanwhile.
    return not (is_seen(layer) or SIDE_KEY in layer.metadata)


def _map_layer_behind(viewer: Viewer, layer: Layer) -> Layer | None:
    """Find the layer of the map that a layer of ours belongs to."""
    layer = outlined_by(layer) or layer
    if UNDERLAY_KEY in layer.metadata:
        return None
    clusters, statmap = clusters_of(layer), map_of(layer)
    # A copy that somebody paints in is a layer of his own.
    if clusters is not None and cluster_layer(viewer, clusters.statmap) is layer:
        statmap = clusters.statmap
    if (above := layer.metadata.get(FAINT_KEY)) is not None:
        statmap = map_of(above()) if above() is not None else None
    return layer_of(viewer, statmap) if statmap is not None else None


def work_with(viewer: Viewer, layer: Layer) -> None:
    """Say which map is worked with while a layer is active that shows none."""
    if _CURRENT not in layer.metadata:
        for other in viewer.layers:
            other.metadata.pop(_CURRENT, None)
        layer.metadata[_CURRENT] = True


def current_map(viewer: Viewer) -> StatMap | None:
    """Return the map that a user works with, None where no map has a layer."""
    layer = current_layer(viewer)
    return map_of(layer) if layer is not None else None


def is_shown(viewer: Viewer, statmap: StatMap) -> bool:
    """Whether a map can be seen on the canvas."""
    layer = layer_of(viewer, statmap)
    return layer is not None and is_seen(layer)


def show_alone(viewer: Viewer, statmap: StatMap) -> None:
    """Show a map with its clusters, and hide the other maps.

    Parameters
    ----------
    statmap : StatMap
        Gets a layer where it has none. It becomes the map that the user works with.

    Raises
    ------
    ResultsError
        When the map cannot be read; what was shown before stays then.
    """
    with at_once(viewer):
        layer = layer_for(viewer, statmap)
        if statmap.kind.row.lies_below:
            put_below(viewer, layer)
            return
        _, cortex = _views_in_3d(viewer)
        for other in _layers_of_maps(viewer):
            # Each time costs as much as a change, also where nothing changes.
            if other is not layer and is_seen(other):
                _hide(viewer, other)
            if other is not layer:
                # Nor is it wanted again when a comparison ends.
                other.metadata.pop(SIDE_KEY, None)
        _bring_forward(viewer, layer, statmap)
        if cortex is not None and cortex.statmap is not statmap:
            _show_on_cortex(viewer, layer, cortex.shape)


def show_over(viewer: Viewer, statmap: StatMap) -> None:
    """Lay a map with its clusters over what is shown.

    Parameters
    ----------
    statmap : StatMap
        As for `show_alone`.

    Raises
    ------
    ResultsError
        When the map cannot be read.
    """
    with at_once(viewer):
        layer = layer_for(viewer, statmap)
        if statmap.kind.row.lies_below:
            put_below(viewer, layer)
            return
        for one in layers_of_map(viewer, layer):
            _to_top(viewer, one)
        _bring_forward(viewer, layer, statmap)


def put_below(viewer: Viewer, layer: Layer) -> None:
    """Lay an image of a brain below everything, in place of what lies there.

    What lay there is shown again when the image is removed.
    """
    for other in _underlays(viewer):
        if other is not layer:
            other.visible = False
    viewer.layers.move(viewer.layers.index(layer), 0)
    layer.visible = True
    removed = viewer.layers.events.removed
    if not any(getattr(one, "func", None) is _lay_back for one in removed.callbacks):
        # The viewer owns the events: a strong reference back would keep it alive.
        removed.connect(partial(_lay_back, weakly(viewer)))


def _underlays(viewer: Viewer) -> list[Layer]:
    return [one for one in viewer.layers if UNDERLAY_KEY in one.metadata]


def _lay_back(ref: weakref.ref[Any], event: Any) -> None:
    """Show what lay below the maps before the image of a brain that is removed."""
    gone = event.value
    if (viewer := ref()) is None or not gone.visible or map_of(gone) is None:
        return
    below = _underlays(viewer)
    if UNDERLAY_KEY in gone.metadata and not any(one.visible for one in below):
        # The one before is the lowest of those that are left.
        for lowest in below[:1]:
            lowest.visible = True


def _layers_of_maps(viewer: Viewer) -> list[Layer]:
    """List the layers of maps from the top down, without images of a brain."""
    return [
        layer
        for layer in reversed(viewer.layers)
        if map_of(layer) is not None and UNDERLAY_KEY not in layer.metadata
    ]


def hide_map(viewer: Viewer, statmap: StatMap) -> None:
    """Hide a map, and its clusters with it; the next visible one is worked with."""
    layer = layer_of(viewer, statmap)
    if layer is None:
        return
    _hide(viewer, layer)
    seen = next((one for one in _layers_of_maps(viewer) if is_seen(one)), None)
    if seen is not None:
        viewer.layers.selection.active = seen


def show_first_of(viewer: Viewer, results: ResultSet) -> StatMap | None:
    """Go to a result that is open: to the map of it that is shown, or was last.

    Returns
    -------
    StatMap or None
        The map that is shown now, None where the result has no layer.
    """
    found = [
        layer
        for layer in viewer.layers
        if (shown := map_of(layer)) is not None and shown.results is results
    ]
    if not found:
        return None
    seen = [one for one in reversed(found) if is_seen(one)]
    latest = [one for one in found if _LATEST in one.metadata]
    layer = [*seen, *latest, found[0]][0]
    statmap = map_of(layer)
    assert statmap is not None
    show_alone(viewer, statmap)
    return statmap


def source_key(source: str) -> str:
    """Return what is the same for one source, however it is written."""
    source = source.strip()
    if os.path.exists(source):
        return os.path.realpath(source)
    return source.rstrip("/")


def distinct_title(results: ResultSet, opened: Iterable[ResultSet]) -> str:
    """Call a result so that it is told from those that are open.

    Returns
    -------
    str
        Its own title where no other has it; else with the folder that it lies in, or
        with a number.
    """
    taken = {other.title for other in opened if other is not results}
    title = results.title
    if title in taken and os.path.exists(results.source):
        above = os.path.basename(os.path.dirname(os.path.abspath(results.source)))
        title = f"{above}/{title}" if above else title
    numbered, n = title, 2
    while numbered in taken:
        numbered, n = f"{title} ({n})", n + 1
    return numbered


def same_result(opened: Iterable[ResultSet], results: ResultSet) -> ResultSet | None:
    """Find the result among those that are open that came from the same source.

    Returns
    -------
    ResultSet or None
        None where it is new. One file of a folder is another result than the folder.
    """
    keys, source = set(results.maps), source_key(results.source)
    return next(
        (
            other
            for other in opened
            if other is results
            or (source_key(other.source) == source and set(other.maps) == keys)
        ),
        None,
    )


def layer_for(
    viewer: Viewer, statmap: StatMap, made: LayerTuple | None = None
) -> Layer:
    """Return the layer of a map; where it has none, a new one that is hidden.

    Parameters
    ----------
    made : tuple, optional
        What `map_layer` has made on another thread for a map that has none.

    Raises
    ------
    ResultsError
        When the map cannot be read.
    """
    from napari.layers import Layer

    if (found := layer_of(viewer, statmap)) is not None:
        return found
    made = made or map_layer(statmap, visible=False)[0]
    layer = viewer.add_layer(Layer.create(*made))
    dress(viewer)
    name_layers(viewer)
    return layer


def name_layers(viewer: Viewer) -> None:
    """Put the result's name in front of the maps' while several results are open.

    Layers that a user gave a name keep it.
    """
    several = are_several(result_sets(viewer.layers))
    for layer in list(viewer.layers):
        statmap = map_of(layer)
        if statmap is None or not has_own_name(layer, statmap):
            continue
        name, before = name_of_map(statmap, of_several=several), layer.name
        if before.startswith(name):
            continue
        along = [one for one in layers_of_map(viewer, layer) if one is not layer]
        layer.name = name
        for one in along:
            if one.name.startswith(f"{before}: "):
                one.name = f"{layer.name}{one.name.removeprefix(before)}"


def _bring_forward(viewer: Viewer, layer: Layer, statmap: StatMap) -> None:
    # What holds nothing, or states nothing, has no clusters; the form says why.
    with suppress(ResultsError):
        clusters_for(viewer, layer)
    brain, cortex = _views_in_3d(viewer)
    if cortex is not None:
        stands = cortex.statmap is statmap
    else:
        shown = layers_of_map(viewer, layer)
        stands = brain is not None and brain.show_map(statmap, shown)
    if not stands:
        _see(layer)
        if (found := cluster_layer(viewer, statmap)) is not None:
            _see(found)
    for other in viewer.layers:
        held = map_of(other)
        if held is not None and held.results is statmap.results:
            other.metadata.pop(_LATEST, None)
    layer.metadata[_LATEST] = True
    viewer.layers.selection.active = layer


def _to_top(viewer: Viewer, layer: Layer) -> None:
    layers = viewer.layers
    if layers.index(layer) != len(layers) - 1:
        layers.move(layers.index(layer), len(layers))


def _views_in_3d(viewer: Viewer) -> tuple[BrainSurfaces | None, Cortex | None]:
    """Return what stands for maps in 3D; of both a cortex is what is seen."""
    if viewer.dims.ndisplay != 3:
        return None, None
    # What is drawn in 3D alone is loaded there.
    from napari_neurosynth_results.viewer.brain_views.brain import brain_of
    from napari_neurosynth_results.viewer.brain_views.cortex import cortex_of

    return brain_of(viewer), cortex_of(viewer)


def _show_on_cortex(viewer: Viewer, layer: Image, shape: Shape) -> None:
    from napari_neurosynth_results.viewer.brain_views.cortex import show_cortex

    # What has no clusters is shown as it is.
    with suppress(ResultsError):
        show_cortex(viewer, layer, shape)


def _hide(viewer: Viewer, layer: Layer) -> None:
    """Hide a map, and what stands for it in 3D."""
    statmap = map_of(layer)
    for view in _views_in_3d(viewer):
        if view is not None and statmap is not None:
            view.hide_map(statmap, layers_of_map(viewer, layer))
    # Panels hear of it also where the layer itself was hidden before.
    layer.visible = False


def _see(layer: Layer) -> None:
    if not layer.visible:
        layer.visible = True


# Several changes as one: for the canvas, for napari's lists, and for our panels.


@contextmanager
def at_once(viewer: Viewer, *, collect: bool = True) -> Iterator[None]:
    """Change several layers, and let canvas and panels follow once, in the end.

    Which layer is active meanwhile is told to nobody; that another one is when all is
    done, to everybody.

    Parameters
    ----------
    collect : bool
        Whether layers that are removed free memory that is worth the time; graphics
        drivers of Windows have it taken in any case.
    """
    layers = unproxied(viewer).layers
    selection = layers.selection
    before, chosen = set(layers), set(selection)
    # What is written on cells comes after them: napari makes them in the end, and not
    # where somebody has asked for one before.
    with legend_once(viewer):
        layers.events.begin_batch()
        try:
            with selection.events.blocker_all():
                try:
                    yield
                finally:
                    wanted = set(selection)
                    # Back to what everybody knows, so that the change can be told.
                    selection.clear()
                    selection.update(chosen.intersection(layers))
            if len(wanted) == 1:
                selection.active = next(iter(wanted))
            elif wanted != set(selection):
                selection.clear()
                selection.update(wanted)
        finally:
            gone = before.difference(layers)
            takes_time = gone and (collect or sys.platform.startswith("win"))
            with nullcontext() if takes_time else nothing_to_collect():
                layers.events.end_batch()


def put_in_order(viewer: Viewer, wanted: Sequence[Layer]) -> None:
    """Bring layers into an order by as few moves as can be; others stay above."""
    layers = viewer.layers
    there = [one for one in wanted if one in layers]
    there += [one for one in layers if one not in there]
    resting = longest_ascent([layers.index(one) for one in there])
    for place, layer in enumerate(there):
        if place not in resting:
            below = layers.index(there[place - 1]) + 1 if place else 0
            layers.move(layers.index(layer), below)


def longest_ascent(numbers: Sequence[int]) -> set[int]:
    """Return the places of the longest series of numbers, all different, that ascend.

    >>> sorted(longest_ascent([4, 0, 1, 5, 2, 3]))
    [1, 2, 4, 5]
    """
    #: Of the best series that ends in each number: its length, and the place before.
    ends: list[tuple[int, int]] = []
    for at, number in enumerate(numbers):
        before = [
            (ends[i][0], i) for i, other in enumerate(numbers[:at]) if other < number
        ]
        length, place = max(before, default=(0, -1))
        ends.append((length + 1, place))
    found: set[int] = set()
    at = max(range(len(ends)), key=lambda i: ends[i][0], default=-1)
    while at >= 0:
        found.add(at)
        at = ends[at][1]
    return found


class LayerWatch:
    """Tells a panel that layers came or went, or that another map may be current.

    That is when another layer is active, or the eye of a map opens or closes. Of what
    changes `at_once` it tells once, when all of it is done.

    Parameters
    ----------
    viewer : Viewer
        Whose layers to watch.
    changed : callable
        A bound method that is called when layers came or went; held weakly, so that
        closing the panel ends it.
    active : callable, optional
        The same when another layer is active, or a map shown or hidden; ``changed``
        when not given.
    """

    def __init__(
        self,
        viewer: Viewer,
        changed: Callable[[], object],
        active: Callable[[], object] | None = None,
    ) -> None:
        self._changed = weakref.WeakMethod(changed)
        self._active = weakref.WeakMethod(active or changed)
        self._waits = False
        self._missed: list[weakref.WeakMethod[Callable[[], object]]] = []
        layers = viewer.layers
        layers.events.inserted.connect(self._hear_of_list)
        layers.events.inserted.connect(self._follow)
        layers.events.removed.connect(self._hear_of_list)
        layers.selection.events.active.connect(self._hear_of_active)
        layers.events.begin_batch.connect(self._wait)
        # After the canvas, which must go on whatever a panel does.
        layers.events.end_batch.connect(self._go_on, position="last")
        for layer in layers:
            layer.events.visible.connect(self._hear_of_eye)

    def _follow(self, event: Any) -> None:
        event.value.events.visible.connect(self._hear_of_eye)

    def _hear_of_eye(self, event: Any) -> None:
        if map_of(event.source) is not None:
            self._tell(self._active)

    def _hear_of_list(self, event: object = None) -> None:
        self._tell(self._changed)

    def _hear_of_active(self, event: object = None) -> None:
        self._tell(self._active)

    def _wait(self, event: object = None) -> None:
        self._waits = True

    def _go_on(self, event: object = None) -> None:
        self._waits, missed, self._missed = False, self._missed, []
        if missed:
            # Who hears of layers that came looks for the active one too.
            self._tell(self._changed if self._changed in missed else self._active)

    def _tell(self, whom: weakref.WeakMethod[Callable[[], object]]) -> None:
        if self._waits:
            self._missed.append(whom)
        elif (told := whom()) is not None:
            told()
