"""What napari, and vispy below it, do not promise: each such name stands in this file.

Everywhere else napari is used through its public interface only. Nothing breaks where a
name goes: at worst a step takes longer, or napari warns. Which name it was is told by
``tests/viewer/test_napari_private.py``. Checked with napari 0.9.2 and vispy 0.16. No Qt
is needed, so that widgets have no second file of this kind.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Wrapped = TypeVar("Wrapped")

#: `Layer._block_refresh` (napari.layers.base, 0.9.2).
BLOCK_REFRESH = "_block_refresh"
#: `ScalarFieldBase._data_view` (napari.layers._scalar_field, 0.9.2).
SHOWN_SLICE = "_data_view"
#: `VispyBaseLayer._on_matrix_change` (napari._vispy.layers.base, 0.9.2).
PLACED = "_on_matrix_change"
#: `Layer._update_thumbnail` (napari.layers.base, 0.9.2).
THUMBNAIL = "_update_thumbnail"
#: `VispyLabelsLayer._on_colormap_change` (napari._vispy.layers.labels, 0.9.2).
REBUILD_COLORS = "_on_colormap_change"
#: `Cursor._view_direction` (napari.components.cursor, 0.9.2).
VIEW_DIRECTION = "_view_direction"
#: `PublicOnlyProxy.__wrapped__` (napari.utils._proxies, 0.9.2), which is wrapt's.
WRAPPED = "__wrapped__"
#: `Window._qt_window`, `_QtMainWindow._instances` (napari._qt.qt_main_window, 0.9.2),
#: and `Viewer._instances` (napari.viewer).
MAIN_WINDOW, OPEN_WINDOWS = "_qt_window", "_instances"
#: `PluginManager.discover` (npe2), which napari.settings (0.9.2) calls by this name.
DISCOVER = "discover"
#: Entries of the table in which graphics cards look colors up: `LUT_len` of
#: vispy.color.colormap (0.16). No public name says it. With another length colors would
#: begin up to a part in a thousand of the color range beside the threshold.
COLOR_TABLE = 1024


def unproxied(thing: Wrapped) -> Wrapped:
    """Return the viewer or layer that napari's stand-in stands for.

    Commands and widgets are handed a `PublicOnlyProxy`, which may be gone long before
    what it stands for, and which is not what events hold. For anything else, and should
    the name go, it is the thing itself: then a widget follows its viewer for as long as
    the stand-in lives.
    """
    found: Wrapped = getattr(thing, WRAPPED, thing)
    return found


def viewer_that_reads() -> Any:
    """Find the viewer that called a reader, which napari does not tell.

    The one in front may be another: files are dropped on any window, and scripts open
    in whichever viewer they like. Frames of Python hold who calls; where no viewer is
    among them, as in a script that reads without one, it is the one in front.

    Returns
    -------
    Viewer or None
        None where there is no viewer. napari is not imported for that.
    """
    napari = sys.modules.get("napari")
    if napari is None:
        return None
    from napari.components import ViewerModel

    frame = sys._getframe(1)
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, ViewerModel):
            return caller
        frame = frame.f_back  # type: ignore[assignment]
    return napari.current_viewer()


def is_closed(viewer: Any) -> bool:
    """Whether the window of a viewer was closed; a viewer without one never is.

    napari closes a window while a reader waits inside of it, and fails when layers come
    later. Where a name is gone, no window counts as closed.
    """
    model = unproxied(viewer)
    if getattr(model, "window", None) is None:
        return False
    # `Viewer.close` takes the viewer out of its list, the button of the window only
    # the window out of another one.
    known = [model, main] if (main := main_window(model)) is not None else [model]
    return any(one not in getattr(type(one), OPEN_WINDOWS, [one]) for one in known)


def give_direction(viewer: Any) -> None:
    """Let the cursor look along the camera where no mouse has moved yet.

    In 3D napari (0.9.2) asks a layer of labels what lies below the cursor as soon as it
    is added, and fails where the cursor has no direction. Where the name is gone,
    napari has another way to know.
    """
    model = unproxied(viewer)
    if getattr(model.cursor, VIEW_DIRECTION, "") is not None or model.dims.ndisplay < 3:
        return
    direction = model.scene.camera.calculate_nd_view_direction(
        model.dims.ndim, model.dims.displayed
    )
    setattr(model.cursor, VIEW_DIRECTION, direction)


def main_window(viewer: Any) -> Any:
    """Return Qt's main window of a viewer, None where it has none or the name is gone.

    napari shows its docks by their parents; without a dock of a plugin there is none to
    ask. Where the name is gone, the ortho view goes below the canvas only, and the
    form of what a map holds is a window of its own.
    """
    return getattr(getattr(unproxied(viewer), "window", None), MAIN_WINDOW, None)


def close_notifications(viewer: Any) -> None:
    """Take away what lies over the lower right of the canvas until somebody reads it.

    In a window that is not the active one napari (0.9.2) leaves it there for good.
    `NapariQtNotification` (napari._qt.dialogs.qt_notification) has no public name;
    where it is gone, what was told stays as long as napari means it to.
    """
    if (main := main_window(viewer)) is None:
        return
    try:
        from napari._qt.dialogs.qt_notification import NapariQtNotification
    except ImportError:
        return
    for told in main.findChildren(NapariQtNotification):
        told.close()


def drawn_overlays() -> ModuleType | None:
    """Return what draws on the canvas, None where napari draws in another way now.

    It takes many names from napari and vispy that are not promised; a fault of our own
    in it is told, and not taken for such a change.
    """
    try:
        from napari_neurosynth_results.viewer import napari_overlays
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("napari", "vispy"):
            raise
        return None
    return napari_overlays


@contextmanager
def painted_once(viewer: Any) -> Iterator[None]:
    """Let the window of a viewer be painted once, after several changes.

    Each change of its parts' sizes has Qt draw the canvas at once, and each of these
    pictures shows what is half done.
    """
    main = main_window(viewer)
    if main is None or not main.updatesEnabled():
        yield
        return
    main.setUpdatesEnabled(False)
    try:
        yield
    finally:
        main.setUpdatesEnabled(True)


def refreshed_once(layer: Any) -> AbstractContextManager[object]:
    """Keep a layer from cutting its slice anew with each of several changes.

    Stands for a public way to change several attributes at once, which layers do not
    have; `layer.refresh()` is called afterwards. Where the name is gone, the slice is
    cut each time: slower, and the same picture in the end.
    """
    bare = unproxied(layer)
    quiet: AbstractContextManager[object]
    quiet = getattr(bare, BLOCK_REFRESH, nullcontext)()
    return quiet


def shows(layer: Any, voxels: npt.NDArray[Any]) -> bool:
    """Whether the slice that a layer shows is a view of voxels.

    Then it has what is written into these. It has not where napari rescaled or
    projected it, and where the name is gone.
    """
    shown = getattr(unproxied(layer), SHOWN_SLICE, None)
    return isinstance(shown, np.ndarray) and np.may_share_memory(shown, voxels)


def show_written(layer: Any, voxels: npt.NDArray[Any]) -> None:
    """Show what was written into the voxels of an image, but for its thumbnail.

    Stands for a public way to say that values have changed and nothing else:
    `layer.refresh()` cuts the slice anew as well, which takes a tenth of a step. And
    the canvas works out anew where the slice lies, which takes as long, although it
    lies where it lay. Where the name of that is gone, it does.

    Parameters
    ----------
    voxels : ndarray
        What was written into. A slice that is no view of it is cut anew.
    """
    if not shows(layer, voxels):
        layer.refresh(thumbnail=False, extent=False)
    elif layer.visible:
        told = layer.events.set_data
        with ExitStack() as still:
            for owner, _ in _listeners(told):
                if hasattr(owner, PLACED):
                    still.enter_context(_done_nothing(owner, PLACED))
            told()


def without_thumbnail(layer: Any) -> AbstractContextManager[object]:
    """Keep an image from painting its thumbnail with each of several changes.

    It does so with new limits as well, which takes as long as to color the voxels.
    Where the name is gone, it is painted each time.
    """
    bare = unproxied(layer)
    return _done_nothing(bare, THUMBNAIL) if hasattr(bare, THUMBNAIL) else nullcontext()


@contextmanager
def _done_nothing(owner: Any, name: str) -> Iterator[None]:
    """Let a method of one object do nothing for a while."""
    if name in vars(owner):
        yield
        return
    setattr(owner, name, lambda *args, **kwargs: None)
    try:
        yield
    finally:
        delattr(owner, name)


def _listeners(told: Any) -> Iterator[tuple[Any, str]]:
    """List who hears of an event by a method, and the name of the method.

    `EventEmitter.callbacks` is public; that bound methods stand there as pairs of a
    weak reference and a name is not. Where they stand there otherwise, none is found,
    and all is called as napari means it: each step takes longer.
    """
    for callback in told.callbacks:
        if isinstance(callback, tuple) and (owner := callback[0]()) is not None:
            yield owner, callback[1]


@contextmanager
def undisturbed(viewer: Any, layer: Any, *, recolored: bool) -> Iterator[None]:
    """Keep new data of a labels layer from setting off what they do not change.

    A viewer measures all of its layers, which takes as long as all the rest, although
    new clusters lie on the grid of those before. And the graphics card builds its
    colors anew, although most steps change none. napari looks itself whether the type
    of the data asks for that.

    Parameters
    ----------
    viewer : Viewer
        Whose layers are as large as before; a stand-in will do.
    layer : Labels
        Gets new data of the same shape.
    recolored : bool
        Whether the graphics card has to be told of colors.
    """
    model, told = unproxied(viewer), layer.events.data
    with ExitStack() as still:
        for owner, name in _listeners(told):
            if owner is model or (not recolored and name == REBUILD_COLORS):
                # Blocked, not disconnected: that compares viewers part by part.
                still.enter_context(told.blocker(getattr(owner, name)))
        yield


@contextmanager
def plugins_known(plugin: str) -> Iterator[None]:
    """Keep npe2 from reading the manifests of all plugins again.

    napari has read them before it shows a window, and reads them once more when the
    preferences of plugins are first asked for (napari.settings, 0.9.2): YAML takes as
    long as all maps of a result. Where the plugin is not among those that are known,
    as in a script without a window, they are looked for as npe2 means to.

    Parameters
    ----------
    plugin : str
        Whose preferences are asked for.
    """
    from npe2 import PluginManager

    manager = PluginManager.instance()
    if plugin not in manager or DISCOVER in vars(manager):
        yield
        return
    setattr(manager, DISCOVER, lambda *paths, **how: 0)
    try:
        yield
    finally:
        delattr(manager, DISCOVER)


@contextmanager
def seen_in_planes(viewer: Any) -> Iterator[None]:
    """Keep a camera that is turned from asking where it looks in 3D.

    Slices are looked at from the front, whatever the camera says. napari (0.9.2)
    computes its direction nevertheless, for its canvas, which does not ask for it in
    planes; the first time that loads scipy.spatial. In 3D all is told as ever.
    """
    told = viewer.scene.camera.events.view_direction
    heard = told.callbacks if viewer.dims.ndisplay == 2 else ()
    for callback in heard:
        told.disconnect(callback)
    try:
        yield
    finally:
        for callback in heard:
            told.connect(callback)


@contextmanager
def nothing_to_collect() -> Iterator[None]:
    """Keep napari from collecting garbage of which there is none.

    After a batch of changes it collects all of Python's garbage, lest a graphics card
    be told of layers that were removed (napari._vispy.canvas, 0.9.2): that takes longer
    than a map. Nothing was removed here. Where objects are set aside already, they are
    somebody else's, and napari collects as it means to.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
