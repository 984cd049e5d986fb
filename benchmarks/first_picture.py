"""How long it takes until a result is seen: map, panel and filled table, all painted.

Each time runs in a process of its own: a fresh viewer is shown and has drawn once, then
the clock starts. Peer: three bare layers of the same arrays, two `add_image` and one
`add_labels`, in a fresh viewer of the same run, painted as ours is; for memory, the
viewer itself before anything was opened. Targets: until the first picture <= 1.4 x the
bare layers, with 12 maps and with 60; opening again in the same viewer <= 1 s; another
map <= 0.5 s; 60 maps <= 60 MB until more is shown. Exits with 3 when a target is missed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Before napari is imported: no preference is read or written.
os.environ["NAPARI_CONFIG"] = ""

import numpy as np
import psutil

from measurements import Figure, Row, Run, Table, at_most, sixty_maps, twelve_maps

PLUGIN = "napari-neurosynth-results"
#: A window as on a laptop.
_SIZE = (1366, 768)
#: So many other maps are chosen, one after the other.
_OTHERS = 5
#: Events are handled so often before the canvas counts as painted.
_TURNS = 20


def main() -> int:
    """Measure, print the tables, and say by the exit code whether all targets hold."""
    run = Run.start(__file__, __doc__)
    rounds, windows = run.rounds(5, 1), run.rounds(3, 1)
    with tempfile.TemporaryDirectory() as scratch:
        folders = {12: twelve_maps(Path(scratch)), 60: sixty_maps(Path(scratch))}
        rows = []
        for n, folder in folders.items():
            arrays = _arrays(folder, Path(scratch) / f"arrays-{n}")
            rows += _first_pictures(n, folder, arrays, rounds)
        memory = _memory(folders[60], windows)
    return run.conclude(
        [Table(rows, "ours / peer"), Table([memory], caption="Memory")],
        method=f"{rounds} rounds, in each of which a process for ours and one for the "
        f"bare layers run in turns, and {windows} processes for memory; a window of "
        f"{_SIZE[0]} x {_SIZE[1]}. Twelve maps are the packaged sample, one of its "
        "maps twice; sixty are its z, p and logp maps under the names of twenty "
        f"contrasts. {_OTHERS} other maps are chosen, none of which was shown before.",
        garbage="left to Python",
    )


def _first_pictures(n: int, folder: Path, arrays: Path, rounds: int) -> list[Row]:
    """Open one result in fresh viewers, and bare layers in others."""
    ours, bare = [], []
    for _ in range(rounds):
        ours.append(_in_a_process("open_ours", folder))
        bare.append(_in_a_process("open_bare", arrays))
    first, peer = _figure(ours, "first"), _figure(bare, "first")
    again, again_bare = _figure(ours, "again"), _figure(bare, "again")
    others = Figure.of([took for one in ours for took in one["others"]], "s")
    named = "three bare layers"
    return [
        Row(
            f"{n} maps: map, panel and table",
            first,
            {named: peer},
            at_most(first.median / peer.median, 1.4, "x", "ratio"),
        ),
        Row(
            f"{n} maps: the same, time of processors",
            _figure(ours, "busy"),
            {named: _figure(bare, "busy")},
        ),
        Row(
            f"{n} maps: opened again",
            again,
            {named: again_bare},
            at_most(again.median, 1.0, "s", "median"),
        ),
        Row(
            f"{n} maps: another map",
            others,
            target=at_most(others.median, 0.5, "s", "median"),
        ),
    ]


def _memory(folder: Path, rounds: int) -> Row:
    """Watch the memory of a process while a large result is opened."""
    found = [_in_a_process("watch_ours", folder) for _ in range(rounds)]
    above = Figure.of([one["peak"] for one in found], "MB")
    return Row(
        "60 maps: peak above the same viewer, empty and drawn once",
        above,
        target=at_most(above.median, 60, "MB", "median"),
        facts={"layers": str(found[0]["layers"])},
    )


def _figure(found: Sequence[dict[str, Any]], what: str) -> Figure:
    return Figure.of([one[what] for one in found], "s")


def _arrays(folder: Path, kept: Path) -> Path:
    """Write down the arrays of the layers that ours has at first."""
    from napari_neurosynth_results import find_clusters, open_results
    from napari_neurosynth_results.viewer.layers import build_layers

    opened = build_layers(open_results(folder), underlay=True, most=1)
    (underlay, _, _), (picture, _, _) = opened.layers
    statmap = opened.visible
    assert statmap is not None
    asked = {"p": 0.05} if statmap.correction else {"p": 0.001}
    labels = find_clusters(statmap, **asked).labels.T
    kept.mkdir()
    for name, array in (("0", underlay), ("1", picture), ("labels", labels)):
        np.save(kept / f"{name}.npy", np.ascontiguousarray(array))
    return kept


def _in_a_process(what: str, path: Path) -> dict[str, Any]:
    """Run one of the functions below in a process of its own."""
    code = f"import sys, first_picture as f; f.tell(f.{what}, sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


# --- what runs in the processes -------------------------------------------------------


def tell(what: Callable[[str], dict[str, Any]], path: str) -> None:
    """Print what a function found as the last line."""
    print(json.dumps(what(path)))


def open_ours(folder: str) -> dict[str, Any]:
    """Open a result, open it again, and choose other maps of it."""
    with _shown_viewer() as viewer:
        first, busy = _painted(viewer, lambda: viewer.open(folder, plugin=PLUGIN))
        panel = _check_all_is_seen(viewer)
        viewer.layers.clear()
        _draw(viewer)
        again, _ = _painted(viewer, lambda: viewer.open(folder, plugin=PLUGIN))
        _check_all_is_seen(viewer)
        # The first in the list is shown; the others are taken from all of it.
        maps, others = panel.header.map, []
        rows = np.linspace(1, maps.count() - 1, _OTHERS).round().astype(int)
        for row in rows.tolist():
            maps.setCurrentIndex(row)
            took, _ = _painted(viewer, lambda row=row: maps.activated.emit(row))
            others.append(took)
            assert panel.header.map.currentIndex() == row
    return {"first": first, "busy": busy, "again": again, "others": others}


def open_bare(arrays: str) -> dict[str, Any]:
    """Add the layers that anybody would add, and add them again."""
    images = [np.load(Path(arrays) / f"{name}.npy") for name in "01"]
    labels = np.load(Path(arrays) / "labels.npy")

    def add() -> None:
        for image in images:
            viewer.add_image(image)
        viewer.add_labels(labels)

    with _shown_viewer() as viewer:
        first, busy = _painted(viewer, add)
        viewer.layers.clear()
        _draw(viewer)
        again, _ = _painted(viewer, add)
    return {"first": first, "busy": busy, "again": again}


def watch_ours(folder: str) -> dict[str, Any]:
    """Open a result and watch the memory of this process."""
    process = psutil.Process()
    with _shown_viewer() as viewer:
        empty = process.memory_info().rss
        peak, running = empty, True

        def watch() -> None:
            nonlocal peak
            while running:
                peak = max(peak, process.memory_info().rss)
                time.sleep(0.002)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            _painted(viewer, lambda: viewer.open(folder, plugin=PLUGIN))
        finally:
            running = False
            thread.join()
        _check_all_is_seen(viewer)
        layers = len(viewer.layers)
    return {"peak": (peak - empty) / 2**20, "layers": layers}


@contextmanager
def _shown_viewer() -> Iterator[Any]:
    """Show an empty viewer that has drawn once."""
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(*_SIZE)
    _draw(viewer)
    yield viewer
    viewer.close()


def _painted(viewer: Any, act: Callable[[], object]) -> tuple[float, float]:
    """Return how long something takes until it is painted: s, and s of processors."""
    start, busy = time.perf_counter(), time.process_time()
    act()
    _draw(viewer)
    return time.perf_counter() - start, time.process_time() - busy


def _draw(viewer: Any) -> None:
    """Handle what waits, and draw the canvas to its last pixel."""
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    for _ in range(_TURNS):
        QApplication.processEvents()
        # What the event loop of a session does between two events: without it a bar
        # of progress that is done turns for ever.
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    viewer.screenshot(flash=False)


def _check_all_is_seen(viewer: Any) -> Any:
    """Make sure that nothing was put off until after the clock stood."""
    from napari_neurosynth_results.viewer.canvas import CAPTION, COLOR_BAR
    from napari_neurosynth_results.widgets.workbench import workbench_of

    panel = workbench_of(viewer)
    assert panel is not None
    assert panel.isVisible()
    assert panel.header.sentence.text()
    assert panel.header.place.here.text()
    model = panel.panel("Clusters").table.model
    assert model.rowCount() > 0
    assert model.index(0, 1).data()
    assert viewer.canvas.overlays[CAPTION].visible
    assert viewer.canvas.overlays[COLOR_BAR].visible
    return panel


if __name__ == "__main__":
    sys.exit(main())
