"""From the mouse to a cluster: what lies under it, and what a click chose."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.viewer.clusters.cluster_layers import clusters_of
from napari_neurosynth_results.viewer.scene import weakly

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

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
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        told = picks()
        if told is not None and not dragged and event.button == 1:
            told(*_under(viewer, event), event.position)

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
