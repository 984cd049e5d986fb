"""A napari window of our own: for the command line, and for pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from napari_neurosynth_results.export.atomic import write_whole
from napari_neurosynth_results.sources.opening import is_link
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import show_brain
from napari_neurosynth_results.viewer.plugin.reader import read
from napari_neurosynth_results.viewer.scene import view_obliquely
from napari_neurosynth_results.viewer.settings import PLUGIN, read_settings

if TYPE_CHECKING:
    from napari.viewer import Viewer

_PICTURE_SIZE = (1200, 900)


def open_window(
    paths: Sequence[str],
    *,
    kinds: Mapping[str, str] | None = None,
    view: str = "axial",
    screenshot: str | None = None,
) -> None:
    """Open paths in a new napari window, and wait until it is closed.

    Parameters
    ----------
    paths : sequence of str
        One folder, one link or id, one file, or several files that belong together.
    kinds : mapping of str to str, optional
        What maps hold, as for `open_results`.
    view : {"axial", "coronal", "sagittal", "3D"}
        What to show first.
    screenshot : str, optional
        Write the window to this PNG file and close it instead of waiting.

    Raises
    ------
    ResultsError
        When the picture cannot be written.
    """
    import napari

    viewer = napari.Viewer()
    _open(viewer, paths, kinds or {})
    if view == "3D":
        show_brain(viewer)
    elif view in scene.PLANE_ORDER:
        scene.show_plane(viewer, view)  # type: ignore[arg-type]
    if screenshot is None:
        napari.run()
        return
    try:
        _write_picture(viewer, screenshot)
    finally:
        viewer.close()


def _open(viewer: Viewer, paths: Sequence[str], kinds: Mapping[str, str]) -> None:
    """Open paths through napari, which takes neither ids nor kinds."""
    one = len(paths) == 1
    if kinds or (one and is_link(paths[0], read_settings().online)):
        from napari.layers import Layer

        for layer in read(paths[0] if one else list(paths), kinds):
            viewer.add_layer(Layer.create(*layer))
    else:
        viewer.open(paths[0] if one else list(paths), stack=not one, plugin=PLUGIN)


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
