"""How long names and counts take: regions of clusters, foci in them.

Peer: the plain way, one cluster or one focus after the other; both give the same, or
nothing is timed. Loading the atlas and many clusters have no peer. Targets: naming 100
clusters <= 1 ms, table, peaks and regions of 40,000 <= 500 ms, counting 50,000 foci in
200 clusters <= 100 ms, loading the packaged atlas <= 50 ms. Exits with 3 when a target
is missed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from measurements import Figure, Row, Run, Table, at_most
from napari_neurosynth_results import ClusterSet, find_clusters, open_results
from napari_neurosynth_results.anatomy.atlas import UNLABELLED, read_default_atlas
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.studies import (
    Analysis,
    Experiments,
    Focus,
    Studies,
    Study,
)
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.statistics.studies.contributions import count_foci

N_FOCI = 50_000
N_CLUSTERS = 200
_LOAD = """
import nibabel, time
from napari_neurosynth_results.anatomy.atlas import read_default_atlas
start = time.perf_counter()
read_default_atlas()
print(time.perf_counter() - start)
"""


def main() -> int:
    """Measure, print the table, and say by the exit code whether all targets hold."""
    run = Run.start(__file__, __doc__)
    rounds, repeats, loads = run.rounds(15, 3), run.rounds(3, 1), run.rounds(7, 3)
    rows = [
        _loading(loads),
        *(_naming(height, rounds, repeats) for height in (2.0, 1.0)),
        _naming_many(repeats),
        _counting(rounds, repeats),
    ]
    return run.conclude(
        [Table(rows)],
        method=f"{rounds} rounds, then {repeats} of the plain way; {loads} processes "
        "that load the atlas. They have nibabel already, as every reader has.",
        garbage="left to Python",
    )


def _row(what: str, ours: Figure, plain: Figure | None, target: float) -> Row:
    peers = {} if plain is None else {"the plain way": plain}
    return Row(what, ours, peers, at_most(ours.median, target, "ms", "median"))


def _timed(work: Callable[[], Any], rounds: int) -> Figure:
    """Return the times of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return Figure.of_seconds(times)


def _loading(rounds: int) -> Row:
    """Load the atlas in new processes that have nibabel, as every reader has."""
    command = [sys.executable, "-c", _LOAD]
    times = [
        float(subprocess.run(command, capture_output=True, check=True).stdout)
        for _ in range(rounds)
    ]
    return _row("loading the packaged atlas", Figure.of_seconds(times), None, 50)


def _naming(height: float, rounds: int, repeats: int) -> Row:
    z = open_results(sample_folder())["z"]
    found = find_clusters(z, value=height, sub_peaks=3, atlas=None)
    atlas = read_default_atlas()

    def ours() -> tuple[list[str], Any]:
        fresh = found.named_by(atlas)
        return fresh.names, fresh.regions

    _, regions = ours()
    shares = {
        (row.label, row.region): row.n_voxels for row in regions.itertuples(index=False)
    }
    assert shares == _plain_shares(found)
    n, voxels = len(found), int((found.labels > 0).sum())
    return _row(
        f"naming {n} clusters of {voxels:,} voxels: peaks, sub-peaks, shares",
        _timed(ours, rounds),
        _timed(lambda: _plain_shares(found), repeats),
        1,
    )


def _naming_many(rounds: int) -> Row:
    """Write all that is said of single voxels of noise, most of them clusters."""
    affine = read_default_atlas().grid.affine
    noise = np.random.default_rng(0).normal(size=(91, 109, 91)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        nib.save(nib.Nifti1Image(noise, affine), Path(folder) / "z.nii")
        z = open_results(folder)["z"]
        found = find_clusters(z, value=2, tail="both", atlas=None)

    def ours() -> Any:
        fresh = found.named_by(read_default_atlas())
        return fresh.table, fresh.peaks, fresh.regions

    table, _, regions = ours()
    assert regions.n_voxels.sum() == table.n_voxels.sum() == (abs(noise) >= 2).sum()
    took = _timed(ours, rounds)
    return _row(f"table, peaks and regions of {len(found):,} clusters", took, None, 500)


def _plain_shares(clusters: ClusterSet) -> dict[tuple[int, str], int]:
    """Count the regions of one cluster after the other."""
    atlas = read_default_atlas()
    inverse = np.linalg.inv(atlas.grid.affine)
    shares: dict[tuple[int, str], int] = {}
    for label in range(1, len(clusters) + 1):
        voxels = np.argwhere(clusters.labels == label)
        places = nib.affines.apply_affine(clusters.statmap.affine, voxels)
        there = np.rint(nib.affines.apply_affine(inverse, places)).astype(int)
        inside = ((there >= 0) & (there < atlas.labels.shape)).all(axis=1)
        values = np.zeros(len(there), int)
        values[inside] = atlas.labels[tuple(there[inside].T)]
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            name = atlas.name_of(int(value)) if value else UNLABELLED
            shares[label, name] = int(count)
    return shares


def _counting(rounds: int, repeats: int) -> Row:
    rng = np.random.default_rng(7)
    affine = read_default_atlas().grid.affine
    grid = Grid((91, 109, 91), affine)
    labels = np.zeros(grid.shape, np.int32)
    corners = rng.integers(10, 80, (N_CLUSTERS, 3))
    for number, (i, j, k) in enumerate(corners, start=1):
        labels[i : i + 5, j : j + 5, k : k + 5] = number
    places = rng.normal(0, 30, (N_FOCI, 3)).round(1)
    per_study = N_FOCI // 1000
    studies = Studies(
        tuple(
            Study(f"s{n}", f"s{n}", analyses=(Analysis("1", "1", _foci(rows)),))
            for n, rows in enumerate(places.reshape(-1, per_study, 3))
        )
    )
    experiments = Experiments(studies)
    _ = experiments.foci
    signs = [1] * N_CLUSTERS

    def ours() -> Any:
        return count_foci(labels, grid, signs, experiments)

    assert np.array_equal(ours().to_numpy(), _plain_counts(labels, affine, places))
    return _row(
        f"counting {N_FOCI:,} foci of 1,000 studies in {N_CLUSTERS} clusters",
        _timed(ours, rounds),
        _timed(lambda: _plain_counts(labels, affine, places), repeats),
        100,
    )


def _foci(rows: Any) -> tuple[Focus, ...]:
    return tuple(Focus(*map(float, row)) for row in rows)


def _plain_counts(labels: Any, affine: Any, places: Any) -> Any:
    """Look one focus after the other up."""
    counts = np.zeros((1000, N_CLUSTERS), int)
    inverse = np.linalg.inv(affine)
    for number, place in enumerate(places):
        voxel = np.round(nib.affines.apply_affine(inverse, place)).astype(int)
        if ((voxel >= 0) & (voxel < labels.shape)).all():
            label = labels[tuple(voxel)]
            if label:
                counts[number * 1000 // len(places), label - 1] += 1
    return counts


if __name__ == "__main__":
    sys.exit(main())
