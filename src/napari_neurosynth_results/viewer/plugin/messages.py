"""What to tell after opening: what is shown and why, what waits, what went wrong."""

from __future__ import annotations

import os
import platform
import weakref
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.maps.names import parse_name
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.files.folder import is_image
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.layers import FirstLayers
from napari_neurosynth_results.viewer.progress_bar import notify
from napari_neurosynth_results.viewer.settings import PLUGIN, run_command

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: The panel, by its name in the manifest.
PANEL = "Neurosynth results"
_MOST_LINES = 8


def opening_message(results: ResultSet, opened: FirstLayers) -> tuple[str, bool]:
    """Say what was opened.

    Returns
    -------
    text : str
        The first line stands alone where only one is shown.
    grave : bool
        Whether something went wrong or nothing survives.
    """
    visible = opened.visible
    look = opened.looks.get(visible.key) if visible else None
    first = f"{results.title}: {counted(len(results.maps), 'map')}"
    if visible is not None and look is not None:
        first += f". Shown: {visible.title}, {look.reason}"
    lines = [first]
    if opened.waiting:
        lines.append(f"{len(opened.waiting)} more in the tab Maps of the panel.")
    if _is_alone(results):
        lines.append(
            "This map was opened alone. Open its whole folder, so that its p map and "
            "its mask are known."
        )
    problems = results.problems
    if problems:
        lines.append(
            "1 problem:" if len(problems) == 1 else f"{len(problems)} problems:"
        )
        lines += _first([f"  {problem}" for problem in problems])
    return "\n".join(lines), bool(problems) or (look is not None and not look.survives)


def _is_alone(results: ResultSet) -> bool:
    """Whether one NiMARE map was taken out of a folder that holds its siblings."""
    statmaps = list(results.maps.values())
    if len(statmaps) != 1 or statmaps[0].name is None:
        return False
    if not os.path.isfile(statmaps[0].path) or os.path.isdir(results.source):
        return False
    run = statmaps[0].name.run
    beside = os.listdir(os.path.dirname(os.path.abspath(statmaps[0].path)))
    names = (parse_name(file) for file in beside if is_image(file))
    return sum(1 for name in names if name is not None and name.run == run) > 1


def announce(
    viewer: Viewer, results: ResultSet, opened: FirstLayers, *, panel: bool = False
) -> None:
    """Tell in napari's notifications what was opened, and where the rest is.

    Parameters
    ----------
    viewer : Viewer
        Where the panel opens when the user asks for all maps.
    panel : bool
        Whether it is in sight: it names result, map and threshold, so that only what it
        does not say is worth a place over the canvas.
    """
    text, grave = opening_message(results, opened)
    if panel and not grave and not _is_alone(results):
        return
    # napari keeps its notifications for good; viewer and voxels must not be kept so.
    ref, told_of = scene.weakly(viewer), weakref.ref(results)

    def show_maps(dialog: object) -> None:
        if (still_open := ref()) is not None:
            run_command("results_browser", still_open)

    def copy(dialog: object) -> None:
        found = told_of()
        run_command("copy_text", diagnostics(found) if found is not None else text)

    notify(
        text,
        "warning" if grave else "info",
        (("All maps...", show_maps), ("Copy diagnostics", copy)),
    )


def diagnostics(results: ResultSet) -> str:
    """Gather what somebody needs to help: versions, maps and problems; no voxels.

    Returns
    -------
    str
        Plain text, one fact a line.
    """
    lines = [f"Python {platform.python_version()} on {platform.platform()}"]
    for package in (PLUGIN, "napari", "nibabel", "numpy", "scipy"):
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package} not installed")
    lines.append(f"source: {results.source}")
    lines += [
        f"map: {m.key} | {m.title} | {m.kind} | {m.grid}" for m in results.maps.values()
    ]
    lines += [f"problem: {problem}" for problem in results.problems]
    return "\n".join(lines)


def _first(lines: list[str]) -> list[str]:
    """Keep a notification short enough to be read."""
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"  and {len(lines) - _MOST_LINES} more"]
