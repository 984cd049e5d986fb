"""How long it takes to compare maps: every number, both tables, the agreement volume.

Peer: the plain way, nilearn's resampling, masks and counts by numpy, correlations by
scipy, which leaves clusters out; both give the same, or nothing is timed. Targets: two
maps of 2 mm <= 40 ms, of 2 and 3 mm <= 400 ms, of 1 and 2 mm <= 250 ms, the matrices of
20 maps <= 3 s.

Then how the maps are seen together is switched in a real window with 23 layers, until
it is painted: processor time, all threads, of which the target is <= 500 ms. Peer: as
many bare images of the same size, hidden and shown one after the other in a window of
napari alone. Exits with 3 when a target is missed.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before napari is imported: no preference is read or written.
os.environ["NAPARI_CONFIG"] = ""

import napari
import nibabel as nib
import numpy as np
from nilearn.image import resample_to_img
from qtpy.QtWidgets import QApplication
from scipy import ndimage, stats

from measurements import Figure, Row, Run, Table, at_most, graphics
from napari_neurosynth_results import (
    StatMap,
    brain_mask,
    compare_many,
    compare_maps,
    open_results,
)
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer.clusters.defaults import clusters_for
from napari_neurosynth_results.viewer.layers import result_sets
from napari_neurosynth_results.viewer.shown_maps import layer_for, show_alone
from napari_neurosynth_results.widgets.workbench import open_workbench

HEIGHT = 2.3
PLUGIN = "napari-neurosynth-results"
#: Underlay, seven maps with outlines and clusters, and an image.
LAYERS = 23
ALONE = "as they are"
MODES = ("overlay", "outlines", "side by side", "blink", "swipe", ALONE)


def main() -> int:
    """Measure, print the table, and say by the exit code whether all targets hold."""
    run = Run.start(__file__, __doc__)
    warnings.simplefilter("ignore")
    rounds, few = run.rounds(9, 3), run.rounds(3, 1)
    with tempfile.TemporaryDirectory() as scratch:
        made = MapsOnDisk(Path(scratch))
        z = open_results(sample_folder())["z"]
        fine, middle, coarse = (made.field(size, size - 1) for size in (1, 2, 3))
        pairs = {
            "sample z and its smoothed z, 2 mm": (z, made.smoothed(z), 40),
            "dense signed z, 2 mm": (middle, made.field(2, 9), 40),
            "dense signed z, 2 and 3 mm": (middle, coarse, 400),
            "dense signed z, 1 and 2 mm": (fine, middle, 250),
        }
        rows = [
            _two(what, a, b, target, rounds, few)
            for what, (a, b, target) in pairs.items()
        ]
        maps = {f"map {seed}": made.field(2, seed) for seed in range(20)}
        rows.append(_many(maps, 3000, few))
    switches = run.rounds(7, 2)
    seen = _switches(switches)
    return run.conclude(
        [
            Table(rows, caption="Numbers"),
            Table(seen, "ours / peer", f"Switches with {LAYERS} layers"),
        ],
        method=f"Height {HEIGHT}. {rounds} rounds, then {few} of the plain way; the "
        f"matrices {few} times, then once the plain way. Thresholding and labeling "
        "are in the time; the voxels of conjunction and difference are not, they are "
        f"computed when they are asked for. {switches} rounds of all modes, after one "
        f"that is not counted, in a window of 1366 x 768 drawn by {graphics()}.",
        garbage="collected before the rounds of each side, then left to Python",
    )


class MapsOnDisk:
    """Writes z maps, opens them as a user would, and keeps their folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def smoothed(self, z: StatMap) -> StatMap:
        """Return a map like another one, positive and on the same grid."""
        assert z.mask is not None
        data = ndimage.gaussian_filter(z.data, 1, output=np.float32) * 1.3
        return self._with_p(data, z.mask, z.affine)

    def field(self, size: int, seed: int) -> StatMap:
        """Return smooth noise that fills the brain of the MNI template."""
        home = open_results(sample_folder())["z"]
        shape = tuple(round(n * 2 / size) for n in home.data.shape)
        affine = home.affine.copy()
        affine[[0, 1, 2], [0, 1, 2]] = size
        noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
        data = ndimage.gaussian_filter(noise, 6 / size)
        whole = self._opened({"z": data}, affine)["z"]
        return self._with_p(data / data.std() * 1.5, brain_mask(whole).mask, affine)

    def _with_p(self, data: Any, mask: Any, affine: Any) -> StatMap:
        """Put a p map beside the z map, so that the analysis mask is known."""
        z = (data * mask).astype(np.float32)
        p = np.where(mask, np.maximum(2 * stats.norm.sf(np.abs(z)), 1e-37), 0)
        maps = {"z_desc-association": z, "p_desc-association": p.astype(np.float32)}
        return self._opened(maps, affine)["z_desc-association"]

    def _opened(self, maps: dict[str, Any], affine: Any) -> Any:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        for stem, data in maps.items():
            nib.save(nib.Nifti1Image(data, affine), folder / f"{stem}.nii")
        return open_results(folder)


def _ours(a: StatMap, b: StatMap) -> Any:
    """Compute every number, both tables and the agreement volume."""
    asked = {"value": HEIGHT}
    found = compare_maps(a, b, threshold_a=asked, atlas=None)
    _ = found.by_sign, found.clusters, found.table, found.agreement
    return found


def _plain(a: StatMap, b: StatMap) -> tuple[Any, ...]:
    """Compute Dice, Jaccard, r and rho over both masks; masks by the nearest voxel."""
    fine, coarse = sorted((a, b), key=lambda m: m.grid.voxel_size)
    values, signs, inside = fine.data, _signs(fine.data), fine.mask
    image, goal = nib.Nifti1Image(coarse.data, coarse.affine), None
    other, other_signs, other_inside = coarse.data, _signs(coarse.data), coarse.mask
    if not fine.grid.same_as(coarse.grid):
        goal = nib.Nifti1Image(fine.data, fine.affine)

        def moved(data: Any, how: str) -> Any:
            image = nib.Nifti1Image(data, coarse.affine)
            return resample_to_img(
                image, goal, how, copy_header=True, force_resample=True
            ).get_fdata(dtype=np.float32)

        other = resample_to_img(
            image, goal, "linear", copy_header=True, force_resample=True
        ).get_fdata(dtype=np.float32)
        other_signs = moved(other_signs.astype(np.float32), "nearest")
        other_inside = moved(coarse.mask.astype(np.float32), "linear") > 1 - 1e-5
    both = int(((signs == other_signs) & (signs != 0)).sum())
    n_a, n_b = int((signs != 0).sum()), int((other_signs != 0).sum())
    common = inside & other_inside
    x, y = values[common].astype(float), other[common].astype(float)
    non_zero = (x != 0) & (y != 0)
    r, rho = stats.pearsonr(x, y).statistic, stats.spearmanr(x, y).statistic
    stats.pearsonr(x[non_zero], y[non_zero])
    stats.spearmanr(x[non_zero], y[non_zero])
    return n_a, n_b, both, 2 * both / (n_a + n_b), r, rho, int(common.sum())


def _signs(data: Any) -> Any:
    height = np.float32(HEIGHT)
    return (data >= height).astype(np.int8) - (data <= -height)


def _two(
    what: str, a: StatMap, b: StatMap, target: float, rounds: int, repeats: int
) -> Row:
    found, plain = _ours(a, b), _plain(a, b)
    counts = (found.n_a, found.n_b, found.n_both)
    slack = 0 if found.resampled == "" else 0.01
    # nilearn rounds half-way voxels otherwise.
    assert np.allclose(counts, plain[:3], rtol=slack, atol=0), (counts, plain)
    assert np.isclose(found.dice, plain[3], atol=slack)
    assert found.over_mask.n_voxels == plain[6], (found.over_mask, plain)
    assert np.allclose((found.r, found.rho), plain[4:6], atol=1e-4)
    return _row(
        what,
        found.over_mask.n_voxels,
        _timed(lambda: _ours(a, b), rounds),
        _timed(lambda: _plain(a, b), repeats),
        target,
    )


def _many(maps: dict[str, StatMap], target: float, rounds: int) -> Row:
    statmaps, n = list(maps.values()), len(maps)

    def ours() -> Any:
        found = compare_many(maps, threshold={"value": HEIGHT})
        _ = found.table
        return found

    def plain() -> Any:
        masks = [_signs(m.data) for m in statmaps]
        common = np.all([m.mask for m in statmaps], axis=0)
        values = np.array([m.data[common] for m in statmaps], float)
        dice = np.eye(n)
        for i in range(n):
            for j in range(i):
                both = ((masks[i] == masks[j]) & (masks[i] != 0)).sum()
                total = np.count_nonzero(masks[i]) + np.count_nonzero(masks[j])
                dice[i, j] = dice[j, i] = 2 * both / total
        return dice, np.corrcoef(values), stats.spearmanr(values, axis=1).statistic

    found, theirs = ours(), plain()
    for measure, expected in zip(("dice", "r", "rho"), theirs, strict=True):
        assert np.allclose(getattr(found, measure), expected, atol=1e-9), measure
    return _row(
        f"{n} maps, 2 mm, matrices",
        found.n_voxels,
        _timed(ours, rounds),
        _timed(plain, 1),
        target,
    )


def _switches(rounds: int) -> list[Row]:
    """Switch between ways to see two maps, each from the one before it."""
    bare = _bare_switches(rounds)
    viewer = _window()
    viewer.open(sample_folder(), plugin=PLUGIN)
    (results,) = result_sets(viewer.layers)
    maps = [one for one in results.maps.values() if one.kind.row.criteria]
    for statmap in maps:
        if len(viewer.layers) + 3 <= LAYERS:
            clusters_for(viewer, layer_for(viewer, statmap))
    while len(viewer.layers) < LAYERS:
        # Of the user's own.
        units, names = ("mm",) * 3, ("z", "y", "x")
        zeros = np.zeros((91, 109, 91), np.float32)
        viewer.add_image(zeros, units=units, axis_labels=names, visible=False)
    assert len(viewer.layers) == LAYERS, len(viewer.layers)
    pair = [results["z"], results["stat"]]
    show_alone(viewer, pair[0])
    panel = open_workbench(viewer, "Compare").panel("Compare")
    panel.maps.check(pair)
    _rest(1.0)
    taken: dict[str, list[float]] = {mode: [] for mode in MODES}
    gc.collect()
    for number in range(rounds + 1):
        for mode in MODES:
            seconds = _painted(lambda mode=mode: setattr(panel.mode, "value", mode))
            if number:  # the first time shaders are built
                taken[mode].append(seconds)
    viewer.close()
    rows = []
    for mode, seconds in taken.items():
        ours = Figure.of_seconds(seconds)
        peers = {"bare layers": bare}
        target = at_most(ours.median, 500, "ms", "median")
        rows.append(Row(f"to {mode}", ours, peers, target))
    return rows


def _bare_switches(rounds: int) -> Figure:
    """Hide and show as many layers as there are, without this plugin."""
    viewer, seconds = _window(), []
    rng = np.random.default_rng(0)
    for _ in range(LAYERS):
        data = rng.normal(size=(91, 109, 91)).astype(np.float32)
        viewer.add_image(data, blending="translucent_no_depth")
    _rest(1.0)

    def switch(visible: bool) -> None:
        for layer in viewer.layers:
            layer.visible = visible

    for number in range(2 * (rounds + 1)):
        taken = _painted(lambda number=number: switch(bool(number % 2)))
        if number > 1:
            seconds.append(taken)
    viewer.close()
    return Figure.of_seconds(seconds)


def _window() -> Any:
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    return viewer


def _painted(work: Callable[[], Any]) -> float:
    """Return the processor time of something and of painting what came of it."""
    start = time.process_time()
    work()
    _rest(0.15)
    taken = time.process_time() - start
    # What rests costs a little as well.
    start = time.process_time()
    _rest(0.15)
    return taken - (time.process_time() - start)


def _rest(seconds: float) -> None:
    """Let Qt paint, and do what it does later."""
    for _ in range(8):
        QApplication.processEvents()
        time.sleep(seconds / 8)


def _row(what: str, voxels: int, ours: Figure, plain: Figure, target: float) -> Row:
    return Row(
        what,
        ours,
        {"the plain way": plain},
        at_most(ours.median, target, "ms", "median"),
        {"voxels": f"{voxels:,}"},
    )


def _timed(work: Callable[[], Any], rounds: int) -> Figure:
    """Return the times of some rounds."""
    times = []
    gc.collect()
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return Figure.of_seconds(times)


if __name__ == "__main__":
    sys.exit(main())
