"""How long a step to the next slice takes among many foci, in a real viewer.

Each step is timed until the canvas is painted, with foci and with their layer hidden.
Exits with 1 when a step among 50,000 foci takes more than the target.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

# Before napari is imported: no preference is read or written.
os.environ["NAPARI_CONFIG"] = ""

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.foci import light_up, set_slab, show_foci
from napari_neurosynth_results.viewer.plugin.reader import add_maps

N_FOCI = 50_000
PER_STUDY = 25
STEPS = 30
TARGET = 0.1
#: Of the template, mm: low and high ends of x, y and z.
BRAIN = ((-70, 70), (-100, 70), (-50, 75))


def main() -> int:
    """Measure, print the table, and say by the exit code whether the target holds."""
    viewer = napari.Viewer()
    viewer.window.resize(1300, 900)
    add_maps(viewer, [open_results(sample_folder())["z"]])
    studies = _studies(N_FOCI)
    start = time.perf_counter()
    layer = show_foci(viewer, studies)
    QApplication.processEvents()
    print(f"{N_FOCI:,} foci are added in {time.perf_counter() - start:.2f} s.\n")
    print("| slab | plane | points drawn | painted, median | p95 | without foci |")
    print("|---|---|---|---|---|---|")
    good = True
    for slab in (10.0, 20.0, 50.0, None):
        set_slab(layer, slab)
        for plane in ("axial", "sagittal"):
            scene.show_plane(viewer, plane)  # type: ignore[arg-type]
            _rest(0.5)
            bare = _steps(viewer, lambda: setattr(layer, "visible", False))
            painted = _steps(viewer, lambda: setattr(layer, "visible", True))
            named = "all" if slab is None else f"{slab:.0f} mm"
            late = float(np.percentile(painted, 95))
            print(
                f"| {named} | {plane} | {len(layer._view_indices):,} "
                f"| {np.median(painted) * 1000:.0f} ms | {late * 1000:.0f} ms "
                f"| {np.median(bare) * 1000:.0f} ms |",
                flush=True,
            )
            if slab == 10.0:
                good &= late <= TARGET
    set_slab(layer, 10.0)
    start = time.perf_counter()
    light_up(layer, [studies.studies[0].id])
    QApplication.processEvents()
    print(f"\nA study is lit up in {time.perf_counter() - start:.2f} s.")
    viewer.close()
    return 0 if good else 1


def _studies(n_foci: int) -> Studies:
    rng = np.random.default_rng(3)
    low, high = np.array(BRAIN, float).T
    places = rng.uniform(low, high, (n_foci, 3)).round(1)
    return Studies(
        tuple(
            Study(
                id=str(n),
                name=f"Study {n}",
                year=2000 + n % 25,
                analyses=(
                    Analysis("1", "a > b", tuple(Focus(*row, "MNI") for row in some)),
                ),
            )
            for n, some in enumerate(np.split(places, n_foci // PER_STUDY))
        )
    )


def _steps(viewer: napari.Viewer, prepare: Callable[[], None]) -> list[float]:
    prepare()
    _rest(0.3)
    axis = viewer.dims.order[0]
    low, high = BRAIN[2 - axis]
    taken = []
    for mm in np.linspace(low / 2, high / 2, STEPS).round():
        start = time.perf_counter()
        viewer.dims.set_point(axis, mm)
        QApplication.processEvents()
        taken.append(time.perf_counter() - start)
        _rest(0.05)
    return taken[2:]  # the first draw what was prepared


def _rest(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()


if __name__ == "__main__":
    sys.exit(main())
