"""Use napari for a day in some minutes, and see whether memory, threads or files stay.

Each drill runs in a process of its own, in a real window that is painted after each
step. After a block of steps garbage is collected, what is free goes back to the system,
and it is counted what the process holds: memory that is its own alone (USS), objects of
Python, widgets of Qt, threads and open files. The first blocks warm up: modules are
loaded, shaders built, caches filled. From then on it may not grow. Exits with 1 when
something does.

    scripts/with-display.sh python scripts/safety/memory_drill.py
    scripts/with-display.sh python scripts/safety/memory_drill.py slider panels

Napari itself keeps something of each window that is closed, and of layers that are
removed; so ``windows`` is held against ``bare windows``, and ``together`` against
``bare together``, with bare layers of the same arrays.
"""

from __future__ import annotations

import os

# Before napari is imported: no preference is read or written.
os.environ["NAPARI_CONFIG"] = ""

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import nibabel as nib
import numpy as np
import psutil
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QPixmapCache
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QSlider

from napari_neurosynth_results import find_clusters, open_results
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer.layers import map_of, underlay_layer
from napari_neurosynth_results.widgets.workbench import (
    TABS,
    open_workbench,
    workbench_of,
)

PLUGIN = "napari-neurosynth-results"
MIB = 1 << 20
#: A window as on a laptop.
_SIZE = (1366, 768)
_RESULTS = 30


# --- what a process holds -------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """What this process holds."""

    mib: float
    objects: int
    widgets: int
    threads: int
    files: int

    @classmethod
    def now(cls) -> Held:
        """Count it, once all that is done with has gone."""
        for shown in QApplication.allWidgets():
            if type(shown).__name__ == "NapariQtNotification":
                shown.close()  # as it does by itself after some seconds
        for _ in range(3):
            _work()
            gc.collect()
        # Qt keeps up to 10 MB of what it drew: so much would grow, and no more.
        QPixmapCache.clear()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        process = psutil.Process()
        files = process.num_fds() if hasattr(process, "num_fds") else 0
        return cls(
            mib=round(process.memory_full_info().uss / MIB, 1),
            objects=len(gc.get_objects()),
            widgets=len(QApplication.allWidgets()),
            threads=threading.active_count(),
            files=files,
        )


def growth(blocks: Sequence[Held]) -> dict[str, float]:
    """Return by how much each figure grows from block to block: the median."""
    steps = [
        {
            what: late - early
            for (what, early), late in zip(a.items(), b.values(), strict=True)
        }
        for a, b in pairwise(map(asdict, blocks))
    ]
    return {what: round(median(one[what] for one in steps), 2) for what in steps[0]}


# --- a window -------------------------------------------------------------------------


class _Paints(QObject):
    """Counts how often a canvas is painted."""

    def __init__(self, canvas: Any) -> None:
        super().__init__(canvas)
        self.count = 0
        canvas.installEventFilter(self)

    def eventFilter(self, canvas: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


def _work(seconds: float = 0.0) -> None:
    """Let Qt do what waits, as a session's loop does."""
    end = time.monotonic() + seconds
    while True:
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        if time.monotonic() >= end:
            return


def _wait(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30
    while not happened():
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not happen in 30 s")
        _work(0.005)


@contextmanager
def _window() -> Iterator[Any]:
    import napari

    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(*_SIZE)
    _work(0.2)
    yield viewer
    viewer.close()


def _canvas(viewer: Any) -> Any:
    (canvas,) = (
        one
        for one in QApplication.allWidgets()
        if type(one).__name__ == "CanvasBackendDesktop"
    )
    return canvas


def _open(viewer: Any, folder: Path) -> None:
    """Open a folder by its path and Enter, and wait until its map is painted."""
    panel = open_workbench(viewer)
    before = len(viewer.layers)
    panel.header.ask_for_source()
    panel.header.source.setText(str(folder))
    QTest.keyClick(panel.header.source, Qt.Key.Key_Return)
    _wait(lambda: not panel.opener.background_job.busy, f"Opening {folder.name}")
    if len(viewer.layers) == before:
        raise SystemExit(f"{folder.name}: no layer came")
    viewer.screenshot(flash=False)


def _folders(scratch: Path, n: int) -> list[Path]:
    """Write results: the sample, a little stronger or weaker each time."""
    sample = Path(sample_folder())
    found = []
    for number in range(n):
        folder = scratch / f"result-{number:02}"
        folder.mkdir()
        for stem in ("z", "p"):
            image = nib.load(sample / f"{stem}.nii.gz")
            strength = 0.8 + 0.4 * number / n
            data = image.get_fdata(dtype=np.float32)
            data = data * strength if stem == "z" else data ** (1 / strength)
            changed = nib.Nifti1Image(data, image.affine)
            changed.to_filename(folder / f"{stem}.nii.gz")
        found.append(folder)
    return found


# --- the drills -----------------------------------------------------------------------


def slider(steps: int = 500) -> Iterator[Held]:
    """Move the slider of the threshold by its keys, painted at each step."""
    with _window() as viewer:
        viewer.open_sample(PLUGIN, "pain-ale")
        panel = open_workbench(viewer, "Clusters")
        maps = panel.header.map
        maps.setCurrentIndex(maps.findText("uncorrected · z"))
        maps.activated.emit(maps.currentIndex())
        form = panel.panel("Clusters").threshold.form
        bar, paints = form.slider.native.findChild(QSlider), _Paints(_canvas(viewer))
        bar.setFocus()
        key, found = Qt.Key.Key_Right, set()
        for step in range(1, steps + 1):
            for _ in range(10):
                QTest.keyClick(bar, key)
            before = paints.count
            _wait(lambda: paints.count > before, "painting")  # noqa: B023
            found.add(form.number.value)
            if step % 25 == 0:
                key = Qt.Key.Key_Left if key == Qt.Key.Key_Right else Qt.Key.Key_Right
            if step % (steps // 10) == 0:
                yield Held.now()
        if len(found) < 20:
            raise SystemExit("the slider did not move")


def together(rounds: int = 4) -> Iterator[Held]:
    """Open thirty results in one viewer, then take all of their layers away."""
    with tempfile.TemporaryDirectory() as scratch, _window() as viewer:
        folders = _folders(Path(scratch), _RESULTS)
        for _ in range(rounds):
            for folder in folders:
                _open(viewer, folder)
            n_maps = sum(map_of(one) is not None for one in viewer.layers)
            if n_maps < _RESULTS:
                raise SystemExit(f"{n_maps} maps are there")
            viewer.layers.clear()
            yield Held.now()


def bare_together(rounds: int = 4) -> Iterator[Held]:
    """Add thirty times three bare layers of the same arrays, then take all away."""
    statmap = open_results(sample_folder())["z"]
    labels = find_clusters(statmap, p=0.001).labels.T
    with _window() as viewer:
        viewer.add_image(underlay_layer()[0])
        for _ in range(rounds):
            for _ in range(_RESULTS):
                viewer.add_image(statmap.data.T.copy())
                for contour in (0, 1):
                    viewer.add_labels(labels.copy()).contour = contour
                viewer.screenshot(flash=False)
                for layer in viewer.layers[1:]:
                    layer.visible = False
            del viewer.layers[1:]
            yield Held.now()


def in_turn(rounds: int = 10) -> Iterator[Held]:
    """Open results one after the other, and take each away before the next."""
    with tempfile.TemporaryDirectory() as scratch, _window() as viewer:
        folders = _folders(Path(scratch), _RESULTS)
        for part in range(rounds):
            for folder in folders[part * 3 : part * 3 + 3]:
                _open(viewer, folder)
                viewer.layers.clear()
            yield Held.now()


def panels(times: int = 50) -> Iterator[Held]:
    """Open and close the panel, each tab looked at and the slider moved."""
    with _window() as viewer:
        viewer.open_sample(PLUGIN, "pain-ale")
        for time_ in range(1, times + 1):
            panel = open_workbench(viewer)
            for name in TABS:
                panel.show_tab(name)
                _work()
            slide = panel.panel("Clusters").threshold.form.slider
            slide.value += 7 * (-1) ** time_
            viewer.window.remove_dock_widget(panel.parentWidget())
            del panel, slide
            _work()
            # Napari lets go of what listened to an event when that happens again.
            viewer.dims.set_point(0, time_ % 50)
            viewer.layers.append(viewer.layers.pop())
            if time_ % (times // 10) == 0:
                yield Held.now()


def windows(times: int = 50) -> Iterator[Held]:
    """Open and close the window, the sample and the panel in it."""

    def fill(viewer: Any) -> None:
        viewer.open_sample(PLUGIN, "pain-ale")
        if workbench_of(viewer) is None:
            raise SystemExit("no panel came")

    yield from _many_windows(times, fill)


def bare_windows(times: int = 50) -> Iterator[Held]:
    """Open and close windows with three bare layers of the same arrays."""
    underlay, _, _ = underlay_layer()
    statmap = open_results(sample_folder())["z"]
    labels = find_clusters(statmap, p=0.001).labels.T

    def fill(viewer: Any) -> None:
        viewer.add_image(underlay)
        viewer.add_image(statmap.data.T)
        viewer.add_labels(labels)

    yield from _many_windows(times, fill)


def _many_windows(times: int, fill: Callable[[Any], None]) -> Iterator[Held]:
    for number in range(1, times + 1):
        with _window() as viewer:
            fill(viewer)
            viewer.screenshot(flash=False)
            _work(0.05)
        del viewer
        if number % (times // 10) == 0:
            yield Held.now()


# --- what may stay --------------------------------------------------------------------


@dataclass(frozen=True)
class Drill:
    """A drill, and what a block of it may leave once it is warm.

    Attributes
    ----------
    run : callable
        Yields what is held after each block.
    mib, objects : float
        So much may stay of a block; of widgets, threads and files nothing may.
    warm_up : int
        So many blocks may leave more.
    """

    run: Callable[[], Iterator[Held]]
    mib: float
    objects: float
    warm_up: int = 2


DRILLS = {
    "slider": Drill(slider, 0.5, 50),
    # A third of a MiB for each of thirty results; a layer of labels has seven. What
    # napari keeps of as many layers is in ``bare together``.
    "together": Drill(together, 10.0, 1000, warm_up=1),
    "bare together": Drill(bare_together, 10.0, 1000, warm_up=1),
    # What a result holds is listed as long as the panel is open, without its voxels.
    "in turn": Drill(in_turn, 1.0, 700),
    # Lists of those who listened get shorter when an event happens again.
    "panels": Drill(panels, 0.5, 700),
    # What napari keeps of five windows; see ``bare windows``.
    "windows": Drill(windows, 1.0, 2000),
    "bare windows": Drill(bare_windows, 1.0, 2000),
}


def tell(name: str) -> int:
    """Run a drill in this process, print what it left, and return 1 if too much."""
    drill, blocks, start = DRILLS[name], [], time.process_time()
    print(f"{name}: {drill.run.__doc__}")
    print(" | ".join(one.name for one in fields(Held)))
    for held in drill.run():
        blocks.append(held)
        print(" | ".join(str(value) for value in asdict(held).values()), flush=True)
    grown = growth(blocks[drill.warm_up :])
    most = {"mib": drill.mib, "objects": drill.objects}
    faults = [what for what, more in grown.items() if more > most.get(what, 0)]
    took = time.process_time() - start
    print(f"a block leaves {json.dumps(grown)}; {took:.0f} s of the processor")
    print(f"too much: {', '.join(faults)}\n" if faults else "flat\n", flush=True)
    return bool(faults)


def main() -> int:
    """Run the drills, each in a process of its own; return 1 if anything grows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=", ".join(DRILLS))
    wanted = parser.parse_args().drills or list(DRILLS)
    if len(wanted) == 1:
        return tell(wanted[0])
    again = [sys.executable, __file__]
    return max(subprocess.call([*again, name]) for name in wanted)


if __name__ == "__main__":
    sys.exit(main())
