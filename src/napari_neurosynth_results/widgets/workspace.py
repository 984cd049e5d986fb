"""The commands that keep what was done: as a script, or as a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication, QFileDialog

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.workspace.file import EXTENSION
from napari_neurosynth_results.export.workspace.script import FIRST, script_of
from napari_neurosynth_results.job import CancelledError
from napari_neurosynth_results.viewer.layers import result_sets
from napari_neurosynth_results.viewer.workspace.describe import describe
from napari_neurosynth_results.viewer.workspace.save_and_open import (
    open_and_tell,
    save_workspace,
)
from napari_neurosynth_results.widgets.clipboard import copy_text

if TYPE_CHECKING:
    import napari.viewer

_WORKSPACE_FILES = f"Workspace (*{EXTENSION})"


def copy_as_python(napari_viewer: napari.viewer.Viewer) -> None:
    """Put a script that gives the same tables on the clipboard."""
    from napari.utils.notifications import show_info, show_warning

    described = describe(napari_viewer)
    if not described.sources and not described.foci:
        show_warning("No result is open: there is nothing to write a script of.")
        return
    text = script_of(described)
    copy_text(text)
    first = [line for line in text.splitlines() if line.startswith(FIRST)]
    if first:
        told = [line.removeprefix(FIRST).strip() for line in first]
        show_warning("\n".join(["Copied. Before it runs:", *dict.fromkeys(told)]))
    else:
        show_info(f"Copied {len(text.splitlines())} lines of Python")


def ask_and_save(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask where to, and save the workspace."""
    results = result_sets(napari_viewer.layers)
    title = results[0].title if results else "results"
    kept = "".join(c if c.isalnum() or c in " -_." else "_" for c in title)[:60]
    path, _ = QFileDialog.getSaveFileName(
        QApplication.activeWindow(),
        "Save workspace",
        f"{kept}{EXTENSION}",
        _WORKSPACE_FILES,
    )
    if path:
        complete = path.lower().endswith(EXTENSION)
        # The dialog asked about the name that was typed, not about a longer one.
        target = path if complete else path.removesuffix(".json") + EXTENSION
        save_and_tell(napari_viewer, target, overwrite=complete)


def save_and_tell(
    napari_viewer: napari.viewer.Viewer, path: str, *, overwrite: bool = False
) -> None:
    """Save the workspace, and tell where, and what is not in it."""
    from napari.utils.notifications import show_error, show_info, show_warning

    try:
        told = save_workspace(napari_viewer, path, overwrite=overwrite)
    except ResultsError as error:
        show_error(str(error))
        return
    if told:
        show_warning("\n".join([f"Saved {path}. Not in it:", *told]))
    else:
        show_info(f"Saved {path}")


def ask_and_open(napari_viewer: napari.viewer.Viewer) -> None:
    """Ask for a workspace, and open it."""
    path, _ = QFileDialog.getOpenFileName(
        QApplication.activeWindow(), "Open workspace", "", _WORKSPACE_FILES
    )
    if path:
        open_chosen(napari_viewer, path)


def open_chosen(napari_viewer: napari.viewer.Viewer, path: str) -> None:
    """Open a workspace; say why not where that fails."""
    from napari.utils.notifications import show_error

    try:
        open_and_tell(napari_viewer, path)
    except CancelledError:
        return
    except ResultsError as error:
        show_error(str(error))
