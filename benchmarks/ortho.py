"""How long a step of the crosshair takes with the ortho view open, all of it painted.

The packaged sample is shown in a real viewer with three visible layers: underlay, map
and clusters. A step moves all three coordinates, so that the main canvas and all three
planes are cut and painted anew. Peer: the same step before the view was opened.
Targets: median <= 100 ms; <= 10 MB left in memory after opening it 20 times. Exits
with 3 when one is missed.
"""

from __future__ import annotations

import gc
import os
import sys
import time

# Before napari is imported: no preference is read or written.
os.environ["NAPARI_CONFIG"] = ""

import napari
import numpy as np
import psutil
from qtpy.QtWidgets import QApplication

from measurements import Figure, Row, Run, Table, at_most, graphics, shown
from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import result_sets
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.viewer.shown_maps import current_layer, show_alone
from napari_neurosynth_results.widgets.ortho.widget import OrthoView

#: The view is opened and closed so many times, to see what is left behind.
OPENINGS = 20
#: And before that so many times: until then caches fill, and what is freed of the first
#: large pictures stays with the allocator, which uses it for the next ones.
_BEFORE = 10

Seconds = list[float]


def main() -> int:
    """Measure, print the table, and say by the exit code whether all targets hold."""
    run = Run.start(__file__, __doc__)
    steps, paintings = run.rounds(150, 15), run.rounds(50, 5)
    viewer = _viewer()
    bare, bare_busy = _steps(viewer, steps)
    view = OrthoView(viewer)
    dock = viewer.window.add_dock_widget(view, area="right")
    view.canvas.setMinimumWidth(700)
    _draw(1.0)
    size = view.canvas.size()
    took, busy = _steps(viewer, steps)
    planes = []
    for _ in range(paintings):
        start = time.perf_counter()
        view.canvas.grab()
        planes.append(time.perf_counter() - start)
    viewer.window.remove_dock_widget(dock)
    view.deleteLater()
    del view, dock
    _draw(0.5)
    left = _leak(viewer)
    viewer.close()
    rows = _rows((took, busy), (bare, bare_busy))
    alone = Row("the three planes alone", Figure.of_seconds(planes))
    after = Row(
        f"left in memory after opening it {OPENINGS} times",
        target=at_most(left, 10, "MB"),
    )
    return run.conclude(
        [Table([*rows, alone, after], "ours / peer")],
        method=f"{steps} steps without the view, then as many with it, in a window of "
        f"1500 x 900, the planes on {size.width()} x {size.height()} pixels, drawn by "
        f"{graphics()}; 50 ms of rest between steps.",
        garbage="left to Python; collected before memory is looked at",
    )


def _viewer() -> napari.Viewer:
    """Show underlay, map and clusters."""
    viewer = napari.Viewer()
    viewer.window.resize(1500, 900)
    viewer.open(sample_folder(), plugin=PLUGIN)
    [results] = result_sets(viewer.layers)
    show_alone(viewer, results["z"])
    layer = current_layer(viewer)
    show_clusters(viewer, layer, find_clusters(results["z"], p=0.001, min_voxels=10))
    # The underlay, the map, its clusters, and their outlines.
    assert sum(layer.visible for layer in viewer.layers) == 4
    _draw(1.0)
    return viewer


def _rows(ours: tuple[Seconds, Seconds], bare: tuple[Seconds, Seconds]) -> list[Row]:
    """Compare steps, by the clock and by the processor, with the same without us."""
    took, busy = map(Figure.of_seconds, ours)
    without, bare_busy = map(Figure.of_seconds, bare)
    late = {
        "95th percentile": shown(1000 * np.percentile(ours[0], 95), "ms"),
        "of the peer": shown(1000 * np.percentile(bare[0], 95), "ms"),
    }
    peer = "without the view"
    target = at_most(took.median, 100, "ms", "median")
    return [
        Row("a step", took, {peer: without}, target, late),
        Row("processor time of a step", busy, {peer: bare_busy}),
    ]


def _steps(viewer: napari.Viewer, steps: int) -> tuple[Seconds, Seconds]:
    """Drag the place through the brain; return time and processor time of steps."""
    rng = np.random.default_rng(8)
    took, busy = [], []
    for x, y, z in rng.uniform((-50, -80, -30), (50, 50, 60), (steps, 3)):
        start, worked = time.perf_counter(), time.process_time()
        scene.look_at(viewer, x, y, z)
        QApplication.processEvents()
        took.append(time.perf_counter() - start)
        busy.append(time.process_time() - worked)
        # The graphics run on their own.
        _draw(0.05)
    return took, busy


def _leak(viewer: napari.Viewer) -> float:
    """Open, paint and delete the view again and again; return what that leaves, MB.

    Not in a dock: napari and Mesa keep about 5 MB for each that is opened and closed,
    whatever is in it.
    """
    process = psutil.Process()
    before = 0.0
    for count in range(OPENINGS + _BEFORE):
        if count == _BEFORE:
            gc.collect()
            before = process.memory_info().rss
        view = OrthoView(viewer)
        view.resize(700, 800)
        view.grab()
        view.deleteLater()
        del view
        _draw(0.1)
    gc.collect()
    return (process.memory_info().rss - before) / 1e6


def _draw(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()


if __name__ == "__main__":
    sys.exit(main())
