"""How fast clusters are found, as ratios against nilearn and scipy in the same run.

Labels, table and peaks of a map at one threshold, extent 10. Exits with 1 when a target
is missed, so that a slow change is noticed. nilearn takes minutes: ``--quick`` runs it
once a map. Folders that NiMARE wrote take the place of the packaged sample and of the
simulated MKDA map: ``benchmarks/clusters.py ALE_FOLDER MKDA_FOLDER``.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import nilearn
import numpy as np
import numpy.typing as npt
import scipy
from nilearn.datasets import load_sample_motor_activation_image
from nilearn.image import resample_img
from nilearn.reporting import get_clusters_table
from scipy import ndimage

from napari_neurosynth_results import find_clusters, open_results
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sample import sample_folder

HEIGHTS = (1.0, 2.3, 3.1)
EXTENT = 10
ROUNDS = 15
#: nilearn is not run again when it has taken so long, in seconds.
PATIENCE = 20.0
#: At 1 mm nilearn takes minutes a map, and is run only here, once.
ONCE_AT_1_MM = ("motor 1 mm", 3.1)
#: A slider stays smooth up to so many voxels above the threshold.
MANY = 30_000

Volume = npt.NDArray[np.float32]


class _Voxels:
    """Voxels that are in memory already."""

    def __init__(self, data: Volume) -> None:
        self._data = data

    def read(self) -> tuple[Volume, tuple[str, ...]]:
        """Return them, with nothing to say about them."""
        return self._data, ()


@dataclass
class Case:
    """One map at one height, and the seconds that it took."""

    name: str
    statmap: StatMap
    height: float
    voxels: int = 0
    clusters: int = 0
    memory: float = 0.0
    ours: list[float] = field(default_factory=list)
    nilearn: list[float] = field(default_factory=list)
    scipy: list[float] = field(default_factory=list)

    @property
    def resolution(self) -> int:
        """Voxel size in mm."""
        return round(self.statmap.grid.voxel_size[0])

    def ratio(self, peer: list[float]) -> float:
        """How many times as long the peer takes."""
        return statistics.median(peer) / statistics.median(self.ours)

    def __str__(self) -> str:
        """One line of Markdown."""
        beside = [
            f"{_ms(peer)} | {self.ratio(peer):,.0f} x" if peer else " | "
            for peer in (self.nilearn, self.scipy)
        ]
        return (
            f"| {self.name} | {self.height} | {self.voxels:,} | {self.clusters:,} "
            f"| {_ms(self.ours)} | {' | '.join(beside)} | {self.memory:.1f} |"
        )


def main() -> int:
    """Measure, print the tables, and say by the exit code whether all targets hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="each peer once a map")
    parser.add_argument("folders", nargs="*", type=Path, help="written by NiMARE")
    options = parser.parse_args()
    cases = [
        Case(name, statmap, height)
        for name, statmap in _maps(options.folders).items()
        for height in HEIGHTS
    ]
    for case in cases:
        _measure(case, 1 if options.quick else 3)
    print(_heading())
    print(
        "| map | height | voxels | clusters | ours | nilearn | ratio | scipy | ratio "
        "| memory, x map |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join(map(str, cases)))
    rows = _targets(cases)
    print("\n| target | figure | met |\n|---|---|---|")
    for what, figure, met in rows:
        print(f"| {what} | {figure} | {'yes' if met else '**no**'} |")
    return 0 if all(met for _, _, met in rows) else 1


def _heading() -> str:
    return (
        f"Python {sys.version.split()[0]}, numpy {np.__version__}, scipy "
        f"{scipy.__version__}, nilearn {nilearn.__version__}, {os.cpu_count()} cores, "
        f"medians of {ROUNDS} rounds (peers: 1 to 3), interleaved.\n"
    )


def _targets(cases: list[Case]) -> list[tuple[str, str, bool]]:
    """Return what was wanted, what came out, and whether that is enough."""
    ratios = [case.ratio(case.nilearn) for case in cases if case.nilearn]
    fine = [case for case in cases if case.resolution == 1]
    at_2_mm = [case for case in cases if case.resolution == 2]
    by_scipy = _geometric([case.ratio(case.scipy) for case in at_2_mm])
    by_scipy_1_mm = _geometric([case.ratio(case.scipy) for case in fine])
    slowest = max(
        statistics.median(case.ours) for case in at_2_mm if case.voxels <= MANY
    )
    slowest_fine = max(statistics.median(case.ours) for case in fine)
    memory = max(case.memory for case in cases if case.voxels <= MANY)
    mean, least = _geometric(ratios), min(ratios)
    return [
        ("nilearn, geometric mean >= 300 x", f"{mean:,.0f} x", mean >= 300),
        ("nilearn, every map >= 25 x", f"{least:,.0f} x", least >= 25),
        ("scipy at 2 mm >= 20 x", f"{by_scipy:,.0f} x", by_scipy >= 20),
        ("scipy at 1 mm >= 50 x", f"{by_scipy_1_mm:,.0f} x", by_scipy_1_mm >= 50),
        (
            f"2 mm, up to {MANY:,} voxels: <= 16 ms",
            f"{slowest * 1000:.1f} ms",
            slowest <= 0.016,
        ),
        ("1 mm: <= 60 ms", f"{slowest_fine * 1000:.1f} ms", slowest_fine <= 0.06),
        (
            f"memory, up to {MANY:,} voxels: <= 3 x the map",
            f"{memory:.1f} x",
            memory <= 3,
        ),
    ]


def _geometric(ratios: list[float]) -> float:
    return statistics.geometric_mean(ratios)


# --- what is compared -------------------------------------------------------------


def _measure(case: Case, repeats: int) -> None:
    """Time all sides in turns, and make sure that they find the same clusters."""
    data = case.statmap.data
    image = nib.Nifti1Image(data, case.statmap.affine)
    sides = [data, -data] if case.statmap.has_negatives else [data]

    def ours() -> object:
        found = find_clusters(
            case.statmap, value=case.height, min_voxels=EXTENT, tail="auto"
        )
        return found, found.labels, found.table, found.peaks

    def by_nilearn() -> object:
        return get_clusters_table(
            image, case.height, EXTENT, len(sides) == 2, 8.0, return_label_maps=True
        )

    def by_scipy() -> object:
        return [_by_scipy(side, case.height) for side in sides]

    case.voxels = sum(int((side >= case.height).sum()) for side in sides)
    case.clusters = _check(case, sides)
    ours()
    case.memory = _peak_memory(ours) / data.nbytes
    nilearn_runs = repeats
    if case.resolution == 1:
        nilearn_runs = int((case.name, case.height) == ONCE_AT_1_MM)
    # As timeit does: collecting garbage is nobody's work, and to collect it before
    # each call empties the caches, which no slider does.
    gc.disable()
    for index in range(ROUNDS):
        _time(ours, case.ours)
        if index < repeats:
            _time(by_scipy, case.scipy)
        if index < nilearn_runs and sum(case.nilearn) < PATIENCE:
            _time(by_nilearn, case.nilearn)
    gc.enable()


def _by_scipy(data: Volume, height: float) -> list[object]:
    """Return what a careful script would: sizes, peaks and centers of one side."""
    raw, n = ndimage.label(data >= np.float32(height))
    sizes = np.bincount(raw.ravel(), minlength=n + 1)
    index = np.flatnonzero(sizes >= EXTENT)[1:]
    if not index.size:
        return [raw, sizes[index]]
    return [
        raw,
        sizes[index],
        ndimage.maximum(data, raw, index),
        ndimage.maximum_position(data, raw, index),
        ndimage.center_of_mass(data, raw, index),
    ]


def _check(case: Case, sides: list[Volume]) -> int:
    """Make sure that ours are scipy's clusters, and count them."""
    found = find_clusters(case.statmap, value=case.height, min_voxels=EXTENT)
    expected = np.concatenate([_by_scipy(side, case.height)[1] for side in sides])
    if sorted(expected) != sorted(found.table.n_voxels):
        raise SystemExit(f"{case.name}: other clusters; the timing means nothing")
    return len(found)


def _time(call: Callable[[], object], seconds: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        kept = call()
        seconds.append(time.perf_counter() - start)
    del kept


def _peak_memory(call: Callable[[], object]) -> int:
    """Return the bytes that a call holds at most, its answer among them."""
    gc.collect()
    tracemalloc.start()
    kept = call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return peak


# --- maps -------------------------------------------------------------------------


def _maps(folders: list[Path]) -> dict[str, StatMap]:
    sample = open_results(sample_folder())
    mask = sample["z"].mask
    assert mask is not None
    motor = load_sample_motor_activation_image()
    motor = nib.as_closest_canonical(
        nib.load(motor) if isinstance(motor, str) else motor
    )
    two_mm = sample["z"].affine
    fine_mask = np.kron(mask, np.ones((2, 2, 2), bool))
    return {
        "motor 3 mm": _of_image(motor),
        "motor 2 mm": _of_image(_resampled(motor, 2)),
        **(_of_folders(folders) or _of_sample(sample["z"], mask)),
        "smooth field, 2 mm": _in_memory(_field(mask.shape, 2) * mask, two_mm),
        "motor 1 mm": _of_image(_resampled(motor, 1)),
        "smooth field, 1 mm": _in_memory(
            _field(fine_mask.shape, 1) * fine_mask, _one_mm(two_mm)
        ),
    }


def _of_folders(folders: list[Path]) -> dict[str, StatMap]:
    return {f"{folder.name}, z": open_results(folder)["z"] for folder in folders}


def _of_sample(z: StatMap, mask: npt.NDArray[np.bool_]) -> dict[str, StatMap]:
    return {
        "sample ALE z, 2 mm": z,
        "MKDA-like, 2 mm": _in_memory(_mkda_like(mask), z.affine),
    }


def _in_memory(data: Volume, affine: npt.NDArray[np.float64]) -> StatMap:
    voxels = _Voxels(np.asfortranarray(data, np.float32))
    grid = Grid(data.shape, np.asarray(affine, float))
    file = MapFile("z", None, MapKind.Z, grid, "", voxels)
    return ResultSet([file], title="", source="")["z"]


def _of_image(image: nib.Nifti1Image) -> StatMap:
    data = np.nan_to_num(image.get_fdata(dtype=np.float32))
    return _in_memory(data.reshape(data.shape[:3]), image.affine)


def _resampled(image: nib.Nifti1Image, size: float) -> nib.Nifti1Image:
    return resample_img(
        image, np.diag([size] * 3), force_resample=True, copy_header=True
    )


def _one_mm(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Halve the voxels of a grid in place."""
    fine = affine.copy()
    fine[:3, :3] /= 2
    fine[:3, 3] -= np.diag(fine)[:3] / 2
    return fine


def _field(shape: tuple[int, ...], size: int) -> Volume:
    """Return Gaussian noise with a FWHM of 6 mm and unit variance."""
    noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    smooth = ndimage.gaussian_filter(noise, 6 / 2.3548 / size)
    return np.asarray(smooth / smooth.std(), np.float32)


def _mkda_like(mask: npt.NDArray[np.bool_]) -> Volume:
    """Count spheres of 10 mm around foci: few values, plateaus everywhere."""
    rng = np.random.default_rng(0)
    inside = np.argwhere(mask)
    hot = inside[rng.choice(len(inside), 12)]
    count = np.zeros(mask.shape)
    for _ in range(30):
        foci = np.zeros(mask.shape, bool)
        near = hot[rng.choice(12, 5)] + np.rint(rng.normal(0, 3, (5, 3))).astype(int)
        at = np.concatenate([near, inside[rng.choice(len(inside), 6)]])
        foci[tuple(np.clip(at, 0, np.array(mask.shape) - 1).T)] = True
        count += ndimage.distance_transform_edt(~foci) <= 5
    z = (count - count[mask].mean()) / count[mask].std()
    return np.asarray(np.maximum(z, 0) * mask, np.float32)


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:,.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
