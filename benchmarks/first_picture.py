"""How long it takes until a result is seen: import, reading, and the first picture.

Peers: a bare interpreter, for the import; ``nibabel.load(...).get_fdata()`` over the
same files, which gives the same bits, for reading; and for the picture three bare
layers of the same arrays, two `add_image` and one `add_labels`, in a fresh viewer of
the same run. A viewer runs in a process of its own, and has been shown and drawn once
when the clock starts. Targets: import <= 1.2 x; opening without voxels <= 0.15 x; every
voxel of 12 maps, side by side, <= 0.45 x of float32; one after the other <= 0.6 x of
float64; map, panel and filled table, painted, <= 1.4 x the bare layers, with 12 maps
and with 60; opening again in the same viewer <= 1 s; another map <= 0.5 s; peak memory
of 60 maps, until more is shown, <= 60 MB above the viewer when it was empty. Exits with
3 when a target is missed.
"""

from __future__ import annotations

import compileall
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
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
    # As pip does with what it installs.
    compileall.compile_dir(package_folder(), quiet=2)
    starts, readings = run.rounds(40, 5), run.rounds(25, 3)
    rounds, windows = run.rounds(5, 1), run.rounds(3, 1)
    with tempfile.TemporaryDirectory() as scratch:
        folders = {12: twelve_maps(Path(scratch)), 60: sixty_maps(Path(scratch))}
        tables = [
            Table([_import_time(starts)], "ours / peer", "Import"),
            Table(_reading(folders[12], readings), "ours / peer", "Reading"),
        ]
        rows = []
        for n, folder in folders.items():
            arrays = _arrays(folder, Path(scratch) / f"arrays-{n}")
            rows += _first_pictures(n, folder, arrays, rounds)
        memory = _memory(folders[60], Path(scratch) / "arrays-60", windows)
    return run.conclude(
        [
            *tables,
            Table(rows, "ours / peer", "The first picture"),
            Table([memory], "ours / peer", "Memory"),
        ],
        method=f"{starts} rounds for the import and {readings} for reading, in each of "
        f"which every side runs once. For pictures {rounds} rounds, in each of which a "
        "process for ours and one for the bare layers run in turns, and "
        f"{windows} processes for memory; a window of {_SIZE[0]} x {_SIZE[1]}. Twelve "
        "maps are the packaged sample, one of its maps twice; sixty are its z, p and "
        f"logp maps under the names of twenty contrasts. {_OTHERS} other maps are "
        "chosen, none of which was shown before.",
        garbage="collected before each import and reading, while the clock stands; "
        "else left to Python",
    )


def _import_time(rounds: int) -> Row:
    """Compare importing the package with starting the interpreter."""
    bare = [sys.executable, "-c", "pass"]
    ours = [sys.executable, "-c", "import napari_neurosynth_results"]
    start, imported = _interleaved(
        [
            lambda: subprocess.run(bare, check=True),
            lambda: subprocess.run(ours, check=True),
        ],
        rounds,
    )
    return Row(
        "`import napari_neurosynth_results` in a new interpreter",
        imported,
        {"bare interpreter": start},
        at_most(imported.median / start.median, 1.2, "x", "ratio"),
    )


def _reading(folder: Path, rounds: int) -> list[Row]:
    """Compare opening and reading a folder with nibabel on the same files."""
    import nibabel as nib

    from napari_neurosynth_results import open_results

    paths = sorted(folder.glob("*.nii.gz"))
    _check_equal(folder, paths)

    def nibabel_float32() -> object:
        return [nib.load(path).get_fdata(dtype=np.float32) for path in paths]

    def nibabel_float64() -> object:
        return [nib.load(path).get_fdata() for path in paths]

    def opened() -> object:
        return open_results(folder)

    def one_by_one() -> object:
        results = open_results(folder)
        return [statmap.data for statmap in results.maps.values()]

    def side_by_side() -> object:
        results = open_results(folder)
        return results.read(results.maps.values())

    single, double, header, one, both = _interleaved(
        [nibabel_float32, nibabel_float64, opened, one_by_one, side_by_side], rounds
    )
    peers = {"nibabel float32": single, "nibabel float64": double}
    faster = min(single.median, double.median)
    n = len(paths)
    return [
        Row(
            f"open_results, {n} maps, no voxels",
            header,
            peers,
            at_most(header.median / faster, 0.15, "x", "ratio to the faster"),
        ),
        Row(
            f"every voxel of {n} maps, float32, `results.read`",
            both,
            peers,
            at_most(both.median / single.median, 0.45, "x", "ratio to float32"),
        ),
        Row(
            "the same, one `.data` after the other",
            one,
            peers,
            at_most(one.median / double.median, 0.6, "x", "ratio to float64"),
        ),
    ]


def _check_equal(folder: Path, paths: Sequence[Path]) -> None:
    """Make sure that both sides of the comparison give the same bits."""
    import nibabel as nib

    from napari_neurosynth_results import open_results

    results = open_results(folder)
    for path in paths:
        ours = results.maps[path.name.removesuffix(".nii.gz")].data
        theirs = nib.load(path).get_fdata(dtype=np.float32)
        if not np.array_equal(ours, theirs):
            raise SystemExit(
                f"{path.name} differs from nibabel: the timing means nothing"
            )


def _interleaved(calls: Sequence[Callable[[], object]], rounds: int) -> list[Figure]:
    """Time each call in turns, after one round that is not timed."""
    seconds: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for taken, call in zip(seconds, calls, strict=True):
            gc.collect()
            start = time.perf_counter()
            kept = call()
            taken.append(time.perf_counter() - start)
            del kept
    return [Figure.of_seconds(taken) for taken in seconds]


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


def _memory(folder: Path, arrays: Path, rounds: int) -> Row:
    """Watch the memory of a process while a large result is opened."""
    found = [_in_a_process("watch_ours", folder) for _ in range(rounds)]
    bare = [_in_a_process("watch_bare", arrays) for _ in range(rounds)]
    above = Figure.of([one["peak"] for one in found], "MB")
    return Row(
        "60 maps: peak above the same viewer, empty and drawn once",
        above,
        {"three bare layers": Figure.of([one["peak"] for one in bare], "MB")},
        target=at_most(above.median, 60, "MB", "median"),
        facts={"layers": str(found[0]["layers"])},
    )


def _figure(found: Sequence[dict[str, Any]], what: str) -> Figure:
    return Figure.of([one[what] for one in found], "s")


def package_folder() -> Path:
    """Return where the package is that is measured."""
    import napari_neurosynth_results

    return Path(napari_neurosynth_results.__file__).parent


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
    with _shown_viewer() as viewer:
        add = _bare_layers(viewer, arrays)
        first, busy = _painted(viewer, add)
        viewer.layers.clear()
        _draw(viewer)
        again, _ = _painted(viewer, add)
    return {"first": first, "busy": busy, "again": again}


def _bare_layers(viewer: Any, arrays: str) -> Callable[[], None]:
    """Read the arrays, and return what adds them as anybody would."""
    images = [np.load(Path(arrays) / f"{name}.npy") for name in "01"]
    labels = np.load(Path(arrays) / "labels.npy")

    def add() -> None:
        for image in images:
            viewer.add_image(image)
        viewer.add_labels(labels)

    return add


def watch_ours(folder: str) -> dict[str, Any]:
    """Open a result and watch the memory of this process."""
    with _shown_viewer() as viewer:
        open_it = partial(viewer.open, folder, plugin=PLUGIN)
        peak = _peak_above_now(viewer, lambda: open_it)
        _check_all_is_seen(viewer)
        return {"peak": peak, "layers": len(viewer.layers)}


def watch_bare(arrays: str) -> dict[str, Any]:
    """Add bare layers and watch the memory of this process, their arrays too."""
    with _shown_viewer() as viewer:
        peak = _peak_above_now(viewer, lambda: _bare_layers(viewer, arrays))
        return {"peak": peak, "layers": len(viewer.layers)}


def _peak_above_now(viewer: Any, make: Callable[[], Callable[[], object]]) -> float:
    """Return how much more memory than now something takes at most, MB."""
    process = psutil.Process()
    peak = now = process.memory_info().rss
    running = True

    def watch() -> None:
        nonlocal peak
        while running:
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        _painted(viewer, make())
    finally:
        running = False
        thread.join()
    return (peak - now) / 2**20


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
