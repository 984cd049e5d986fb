"""A napari window of our own: for the command line, and for pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import write_whole
from napari_neurosynth_results.sources.opening import is_link
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import show_brain
from napari_neurosynth_results.viewer.napari_private import main_window
from napari_neurosynth_results.viewer.plugin.reader import read
from napari_neurosynth_results.viewer.scene import view_obliquely
from napari_neurosynth_results.viewer.settings import PLUGIN, read_settings

if TYPE_CHECKING:
    from napari.viewer import Viewer

_PICTURE_SIZE = (1200, 900)
#: Of a first window: napari's own (800 x 600) leaves the brain 270 pixels.
_FIRST_SIZE, _SHARE_OF_SCREEN = (1366, 860), 0.92


@dataclass(frozen=True)
class SourceToOpen:
    """What makes one result.

    Attributes
    ----------
    paths : tuple of str
        One folder, one link or id, one file, or several files that belong together.
    kinds : mapping of str to str
        What maps hold, as for `open_results`.
    """

    paths: tuple[str, ...]
    kinds: Mapping[str, str] = field(default_factory=dict)


def open_window(
    sources: Sequence[SourceToOpen],
    *,
    view: str = "axial",
    screenshot: str | None = None,
) -> list[str]:
    """Open results in one new napari window, and wait until it is closed.

    Parameters
    ----------
    view : {"axial", "coronal", "sagittal", "3D"}
        What to show first.
    screenshot : str, optional
        Write the window to this PNG file and close it instead of waiting.

    Returns
    -------
    list of str
        Why some of the results could not be shown.

    Raises
    ------
    ResultsError
        When none can be shown, or the picture cannot be written.
    """
    import napari

    viewer = napari.Viewer()
    _give_room(viewer)
    problems = []
    for source in sources:
        try:
            _open(viewer, source)
        except ResultsError as error:
            problems.append(str(error))
    if len(problems) == len(sources):
        viewer.close()
        raise ResultsError("\n".join(problems))
    if view == "3D":
        show_brain(viewer)
    elif view in scene.PLANE_ORDER:
        scene.show_plane(viewer, view)  # type: ignore[arg-type]
    if screenshot is None:
        napari.run()
        return problems
    try:
        _write_picture(viewer, screenshot)
    finally:
        viewer.close()
    return problems


def _give_room(viewer: Viewer) -> None:
    """Make room for brain and panel where napari has no size from an earlier window."""
    from napari.settings import get_settings

    main = main_window(viewer)
    if main is None or get_settings().application.window_size is not None:
        return
    screen = main.screen().availableSize()
    room = _SHARE_OF_SCREEN * screen.width(), _SHARE_OF_SCREEN * screen.height()
    width, height = map(min, _FIRST_SIZE, map(round, room))
    viewer.window.resize(width, height)


def _open(viewer: Viewer, source: SourceToOpen) -> None:
    """Open a source through napari, which takes neither ids nor kinds."""
    paths, kinds = list(source.paths), source.kinds
    one = len(paths) == 1
    if kinds or (one and is_link(paths[0], read_settings().online)):
        from napari.layers import Layer

        for layer in read(paths[0] if one else paths, kinds):
            # napari's word for what is open already holds no layer.
            if len(layer) > 1:
                viewer.add_layer(Layer.create(*layer))
    else:
        viewer.open(paths[0] if one else paths, stack=not one, plugin=PLUGIN)


def _write_picture(viewer: Viewer, path: str) -> None:
    """Draw the window to a PNG file that appears only when it is whole."""
    window = viewer.window
    window.resize(*_PICTURE_SIZE)
    if viewer.dims.ndisplay == 3:
        view_obliquely(viewer)
    else:
        viewer.reset_view()

    def draw(part: str) -> None:
        # A PNG whatever the file is called; the format is taken from the name.
        window.screenshot(png := f"{part}.png", canvas_only=False, flash=False)
        os.replace(png, part)

    write_whole(path, draw, overwrite=False)
