"""How long it takes to compare maps, by ``make bench``.

Beside each stands the plain way: nilearn's resampling, masks and counts by numpy,
correlations by scipy. Both have to give the same before anything is timed. Exits with 1
when a target is missed.
"""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import nibabel as nib
import numpy as np
from nilearn.image import resample_to_img
from scipy import ndimage, stats

from napari_neurosynth_results import compare_many, compare_maps, open_results
from napari_neurosynth_results.anatomy import template
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import parse_name
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.statistics.thresholds.masks import onto_grid

ROUNDS = 9
HEIGHT = 2.3


class _Voxels:
    """Voxels that are in memory already."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def read(self) -> tuple[Any, tuple[str, ...]]:
        """Return them, with nothing to say about them."""
        return self._data, ()


def main() -> int:
    """Measure, print the table, and say by the exit code whether all targets hold."""
    warnings.simplefilter("ignore")
    print(
        "| what | voxels | ours: best, median | the plain way | ratio | target | met |"
    )
    print("|---|---|---|---|---|---|---|")
    sample = open_results(sample_folder())
    good = [
        _two(
            "sample z and its smoothed z, 2 mm", sample["z"], _smoothed(sample["z"]), 40
        )
    ]
    fields = {size: _field(size, seed) for seed, size in enumerate((1, 2, 3))}
    good.append(_two("dense signed z, 2 mm", fields[2], _field(2, 9), 40))
    good.append(_two("dense signed z, 2 and 3 mm", fields[2], fields[3], 400))
    good.append(_two("dense signed z, 1 and 2 mm", fields[1], fields[2], 400))
    good.append(_many(20, 3000))
    return 0 if all(good) else 1


def _made(data: Any, p: Any, grid: Grid) -> StatMap:
    """Make a z map whose analysis mask is known by the p map beside it."""
    files = [
        MapFile(stem, parse_name(stem), MapKind(stem[0]), grid, "", _Voxels(voxels))
        for stem, voxels in (("z_desc-association", data), ("p_desc-association", p))
    ]
    results = ResultSet(files, title="made", source="")
    return results["z_desc-association"]


def _smoothed(z: StatMap) -> StatMap:
    """Return a map like another one, positive and on the same grid."""
    assert z.mask is not None
    data = ndimage.gaussian_filter(z.data, 1, output=np.float32) * 1.3 * z.mask
    return _of(data, z.mask, z.grid)


def _of(data: Any, mask: Any, grid: Grid) -> StatMap:
    data = np.asfortranarray(data, dtype=np.float32)
    p = np.where(mask, np.maximum(2 * stats.norm.sf(np.abs(data)), 1e-37), 0)
    return _made(data, np.asfortranarray(p, dtype=np.float32), grid)


def _field(size: int, seed: int) -> StatMap:
    """Return smooth noise that fills the brain of the MNI template."""
    mask, home = template.read_brain_mask()
    shape = tuple(round(n * 2 / size) for n in home.shape)
    affine = home.affine.copy()
    affine[[0, 1, 2], [0, 1, 2]] = size
    grid = Grid(shape, affine)
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    data = ndimage.gaussian_filter(noise, 6 / size)
    inside = onto_grid(mask, home, grid)
    return _of(data / data.std() * 1.5 * inside, inside, grid)


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


def _two(what: str, a: StatMap, b: StatMap, target: float) -> bool:
    found, plain = _ours(a, b), _plain(a, b)
    counts = (found.n_a, found.n_b, found.n_both)
    slack = 0 if found.resampled == "" else 0.01
    # nilearn rounds half-way voxels otherwise.
    assert np.allclose(counts, plain[:3], rtol=slack, atol=0), (counts, plain)
    assert np.isclose(found.dice, plain[3], atol=slack)
    assert found.over_mask.n_voxels == plain[6], (found.over_mask, plain)
    assert np.allclose((found.r, found.rho), plain[4:6], atol=1e-4)
    voxels = f"{found.over_mask.n_voxels:,}"
    return _row(what, voxels, lambda: _ours(a, b), lambda: _plain(a, b), target)


def _many(n: int, target: float) -> bool:
    maps = {f"map {seed}": _field(2, seed) for seed in range(n)}
    statmaps = list(maps.values())

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
    return _row(f"{n} maps, 2 mm, matrices", f"{found.n_voxels:,}", ours, plain, target)


def _row(
    what: str,
    voxels: str,
    ours: Callable[[], Any],
    plain: Callable[[], Any],
    target: float,
) -> bool:
    few = target > 1000
    best, middle = _timed(ours, 3 if few else ROUNDS)
    _, other = _timed(plain, 1 if few else 3)
    met = middle <= target
    print(
        f"| {what} | {voxels} | {best:,.0f} ms, {middle:,.0f} ms | {other:,.0f} ms | "
        f"{other / middle:.1f} x | <= {target:,.0f} ms | {'yes' if met else 'NO'} |"
    )
    return met


def _timed(work: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Return the best and the median time of some rounds, in ms."""
    times = []
    gc.collect()
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return min(times), median(times)


if __name__ == "__main__":
    sys.exit(main())
