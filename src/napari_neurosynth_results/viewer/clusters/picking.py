"""From the mouse to a cluster: what lies under it, and what a click chose."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.arrays import IndexArray
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.scene import weakly

if TYPE_CHECKING:
    from napari.layers import Labels, Surface
    from napari.viewer import Viewer

#: In the metadata of a surface: the clusters that are seen on it.
_ON_SURFACE = "neurosynth_results_on_surface"
#: Pixels by which a hand may shake during a click.
_SHAKE = 4.0

#: Told of a layer of clusters (or None), a label (0 for none) and the place.
ClusterListener = Callable[[Any, int, Any], None]


def follow_mouse(viewer: Viewer, pick: ClusterListener, point: ClusterListener) -> None:
    """Tell a widget which cluster is clicked and which one is pointed at.

    Parameters
    ----------
    viewer : Viewer
        Whose mouse to follow.
    pick, point : callable
        Bound methods of one object, called after a click and when the mouse moves. The
        object is held weakly; when it is gone, the mouse is let go.
    """
    picks, points = weakref.WeakMethod(pick), weakref.WeakMethod(point)

    def click(viewer: Viewer, event: Any) -> Iterator[None]:
        start, dragged = tuple(event.pos), False
        yield
        while event.type == "mouse_move":
            dragged |= math.dist(start, event.pos) > _SHAKE
            yield
        told = picks()
        if told is not None and not dragged and event.button == 1:
            found = _on_surface(viewer, event) or _under(viewer, event)
            told(*found, event.position)

    def move(viewer: Viewer, event: Any) -> None:
        if (told := points()) is not None:
            told(*_under(viewer, event), event.position)

    viewer.mouse_drag_callbacks.append(click)
    viewer.mouse_move_callbacks.append(move)
    weakref.finalize(pick.__self__, _let_go, weakly(viewer), click, move)  # type: ignore[attr-defined]


def follow_moves(viewer: Viewer, moved: Callable[[], None]) -> None:
    """Tell a widget when the mouse has moved over the canvas.

    Parameters
    ----------
    viewer : Viewer
        Whose mouse to follow; its cursor knows where the mouse is.
    moved : callable
        A bound method, held weakly as by `follow_mouse`.
    """
    moves = weakref.WeakMethod(moved)

    def move(viewer: Viewer, event: Any) -> None:
        if (told := moves()) is not None:
            told()

    viewer.mouse_move_callbacks.append(move)
    weakref.finalize(moved.__self__, _let_go, weakly(viewer), move)  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class SurfaceClusters:
    """Which clusters are seen on a surface.

    Attributes
    ----------
    statmap : StatMap
        The map whose clusters they are.
    label : ndarray of int, shape (n,)
        The cluster at each vertex, 0 for none.
    """

    statmap: StatMap
    label: IndexArray


def let_pick(layer: Surface, statmap: StatMap, label: Any) -> None:
    """Let a click on a surface find the cluster that is seen there.

    Parameters
    ----------
    statmap : StatMap
        The map whose clusters are shown.
    label : array_like of int, shape (n,)
        The cluster at each vertex, 0 for none.
    """
    found = SurfaceClusters(statmap, np.asarray(label, np.intp))
    layer.metadata[_ON_SURFACE] = found


def _on_surface(viewer: Viewer, event: Any) -> tuple[Labels | None, int] | None:
    """Find the cluster on the nearest surface along the line of sight.

    Returns
    -------
    tuple or None
        As of `_under`; None where no surface with clusters is shown.
    """
    shown = [
        one for one in viewer.layers if one.visible and _ON_SURFACE in one.metadata
    ]
    if len(event.dims_displayed) != 3 or not shown:
        return None
    nearest, found = np.inf, (None, 0)
    for layer in shown:
        hit = layer.get_value(
            event.position,
            view_direction=event.view_direction,
            dims_displayed=event.dims_displayed,
            world=True,
        )
        if hit is None or hit[1] is None:
            continue
        corners = layer.data[1][hit[1]]
        place = np.mean([layer.data_to_world(layer.data[0][n]) for n in corners], 0)
        away = float(np.dot(place, event.view_direction))
        clusters: SurfaceClusters = layer.metadata[_ON_SURFACE]
        if away < nearest:
            nearest = away
            label = _label_at(clusters, corners)
            labels = cluster_layer(viewer, clusters.statmap) if label else None
            found = (labels, label if labels is not None else 0)
    return found


def _label_at(clusters: SurfaceClusters, corners: Any) -> int:
    """Return the cluster of a triangle: of most of its corners that have one."""
    # A surface without a vertex is drawn as one triangle of no size.
    labels = clusters.label[[n for n in corners if n < len(clusters.label)]]
    labels = labels[labels > 0]
    return int(np.bincount(labels).argmax()) if len(labels) else 0


def _let_go(ref: weakref.ref[Viewer], *ours: object) -> None:
    if (viewer := ref()) is None:
        return
    for callbacks in (viewer.mouse_drag_callbacks, viewer.mouse_move_callbacks):
        for one in ours:
            if one in callbacks:
                callbacks.remove(one)


def _under(viewer: Viewer, event: Any) -> tuple[Labels | None, int]:
    """Find the topmost visible cluster at a place."""
    for layer in reversed(viewer.layers):
        if not layer.visible or clusters_of(layer) is None:
            continue
        label = layer.get_value(
            event.position,
            view_direction=event.view_direction,
            dims_displayed=event.dims_displayed,
            world=True,
        )
        if label:
            return layer, int(label)
    return None, 0
