"""How long a step of the crosshair takes with the ortho view open, by ``make bench``.

The packaged sample is shown in a real viewer with three visible layers: underlay, map
and clusters. A step moves all three coordinates, so that the main canvas and all three
planes are cut and painted anew. Exits with 1 when the target is missed.
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

from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    map_layers,
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.ortho.widget import OrthoView

STEPS = 150
TARGET_MS = 100.0
#: The view is opened and closed so many times.
ROUNDS = 20
#: What may be left behind by all of them, MB.
LEAK_MB = 10.0


def main() -> int:
    """Measure, print the table, and say by the exit code whether all targets hold."""
    viewer = napari.Viewer()
    viewer.window.resize(1500, 900)
    viewer.open(sample_folder(), plugin=PLUGIN)
    title = "z, uncorrected"
    for layer in map_layers(viewer):
        layer.visible = layer.name == title
    layer = viewer.layers[title]
    show_clusters(viewer, layer, find_clusters(map_of(layer), p=0.001, min_voxels=10))
    assert sum(layer.visible for layer in viewer.layers) == 3
    _draw(1.0)
    without, _ = _steps(viewer)
    view = OrthoView(viewer)
    dock = viewer.window.add_dock_widget(view, area="right")
    view.canvas.setMinimumWidth(700)
    _draw(1.0)
    size = view.canvas.size()
    with_it, busy = _steps(viewer)
    painted = []
    for _ in range(50):
        start = time.perf_counter()
        view.canvas.grab()
        painted.append((time.perf_counter() - start) * 1000)
    viewer.window.remove_dock_widget(dock)
    view.deleteLater()
    del view, dock
    _draw(0.5)
    left = _leak(viewer)
    median, worst = np.percentile(with_it, [50, 95])
    print(
        "| planes | a step, median | p95 | target | processor, median "
        "| without the view, median | p95 | three planes alone "
        "| left after opening it 20 times |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {size.width()} x {size.height()} pixels | {median:.0f} ms | {worst:.0f} ms "
        f"| <= {TARGET_MS:.0f} ms | {np.median(busy):.0f} ms "
        f"| {np.median(without):.0f} ms "
        f"| {np.percentile(without, 95):.0f} ms | {np.median(painted):.0f} ms "
        f"| {left:.1f} MB (<= {LEAK_MB:.0f} MB) |"
    )
    viewer.close()
    return 0 if median <= TARGET_MS and left <= LEAK_MB else 1


def _steps(viewer: napari.Viewer) -> tuple[list[float], list[float]]:
    """Drag the place through the brain; return time and processor time of steps, ms."""
    rng = np.random.default_rng(8)
    took, busy = [], []
    for x, y, z in rng.uniform((-50, -80, -30), (50, 50, 60), (STEPS, 3)):
        start, worked = time.perf_counter(), time.process_time()
        scene.look_at(viewer, x, y, z)
        QApplication.processEvents()
        took.append((time.perf_counter() - start) * 1000)
        busy.append((time.process_time() - worked) * 1000)
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
    for count in range(ROUNDS + 3):
        if count == 3:  # the first ones fill caches
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
