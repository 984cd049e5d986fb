"""How few requests and how little time links take, against nilearn and a folder.

The server is the tests' own, on this machine, with 50 ms of latency a request. Run
``make bench``; the last results are in docs/benchmarks.md. Exits with 1 when a target
is missed.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from nilearn.datasets import neurovault as peer

from local_servers import LocalServers, nifti_bytes
from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer.layers import build_layers

LATENCY = 0.05
IMAGES = 100
ROUNDS = 15
FIVE = ("z", "p", "stat", "logp", "z_level-voxel_corr-FWE_method-montecarlo")


def main() -> int:
    """Measure, print the table, and say by the exit code whether all targets hold."""
    with LocalServers(latency=LATENCY) as web, tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "NNR_NEUROVAULT_URL": web.neurovault,
            "NNR_COMPOSE_URL": web.compose,
            "NNR_NEUROSTORE_URL": web.neurostore,
            "NNR_CACHE_DIR": f"{folder}/cache",
        }
        rows = [*_compose(web), *_hundred(web, folder), *_again(web, folder)]
    print(f"| {'what':<62} | measured | target |")
    print(f"|{'-' * 64}|---------:|-------:|")
    for what, measured, target, _ in rows:
        print(f"| {what:<62} | {measured} | {target} |")
    return 0 if all(met for *_, met in rows) else 1


Row = tuple[str, str, str, bool]


def _compose(web: LocalServers) -> list[Row]:
    """Count the requests of a Compose result with five maps."""
    collection = web.add_collection("Pain, ALE")
    for stem in FIVE:
        body = Path(sample_folder(), f"{stem}.nii.gz").read_bytes()
        collection.add_image(f"{stem}.nii.gz", body)
    meta_id = web.add_meta_analysis(collection)
    results = open_results(meta_id)
    results.fetch(results.maps.values())
    assert results.studies is not None
    parts = ("/meta-analyses/", "/meta-analysis-results/", "/images/?", "/snapshot-")
    counts = [len(web.paths(part)) for part in (*parts, "/media/")]
    told = " + ".join(map(str, counts))
    what = "Compose, 5 maps: meta-analysis + result + list + snapshots + files"
    met = counts == [1, 1, 1, 2, 5] and len(web.requests) == sum(counts)
    return [(what, told, "1 + 1 + 1 + 2 + 5", met)]


def _hundred(web: LocalServers, folder: str) -> list[Row]:
    """Download a hundred images, and let nilearn do the same."""
    rng = np.random.default_rng(0)
    collection = web.add_collection("A hundred")
    for n in range(IMAGES):
        body = nifti_bytes(rng.normal(size=(8, 9, 8)))
        collection.add_image(f"contrast{n:03}.nii.gz", body, map_type="Z map")
    web.reset_log()
    results = open_results(str(collection.id))
    listed = len(web.requests)
    ours = _seconds(lambda: results.fetch(results.maps.values()))
    assert all(statmap.at_hand for statmap in results.maps.values())
    theirs = _seconds(lambda: _nilearn(web, collection.id, folder))
    return [
        (
            "100 images: requests until the list is shown",
            f"{listed}",
            "<= 2",
            listed <= 2,
        ),
        (
            f"100 images: nilearn's time / ours ({theirs:.1f} s / {ours:.1f} s)",
            f"{theirs / ours:.1f} x",
            ">= 3 x",
            theirs >= 3 * ours,
        ),
    ]


def _nilearn(web: LocalServers, number: int, folder: str) -> None:
    """Fetch a collection with nilearn, its address changed to this machine."""
    base = f"{web.neurovault}/api/"
    changed = {
        "_NEUROVAULT_BASE_URL": base,
        "_NEUROVAULT_COLLECTIONS_URL": f"{base}collections/",
        "_NEUROVAULT_IMAGES_URL": f"{base}images/",
    }
    for name, value in changed.items():
        setattr(peer, name, value)
    got = peer.fetch_neurovault_ids(
        collection_ids=[number], data_dir=f"{folder}/nilearn", verbose=0
    )
    assert len(got["images"]) == IMAGES


def _again(web: LocalServers, folder: str) -> list[Row]:
    """Open the sample again from the cache, and from a folder."""
    disk = Path(folder, "pain")
    shutil.copytree(sample_folder(), disk)
    collection = web.add_collection("Pain, ALE, all")
    for path in sorted(disk.glob("*.nii.gz")):
        collection.add_image(path.name, path.read_bytes())
    for path in disk.iterdir():
        if not path.name.endswith(".nii.gz"):
            path.unlink()
    number = str(collection.id)
    first = open_results(number)
    first.fetch(first.maps.values())
    web.reset_log()
    _first_layer(open_results(number))
    files = len(web.paths("/media/"))
    # Offline leaves the requests for the list out.
    kept, local = [], []
    for _ in range(ROUNDS):
        kept.append(_seconds(lambda: _first_layer(open_results(number, offline=True))))
        local.append(_seconds(lambda: _first_layer(open_results(disk))))
    web.reset_log()
    whole = open_results(number, offline=True)
    voxels = whole.read(whole.maps.values())
    asked = len(web.requests)
    met = asked == 0 and len(voxels) == len(first.maps)
    ratio = statistics.median(kept) / statistics.median(local)
    return [
        ("second opening: requests for files", f"{files}", "0", files == 0),
        (
            "second opening: time to the first layer / from a folder "
            f"({1000 * statistics.median(kept):.0f} ms)",
            f"{ratio:.2f} x",
            "<= 1.5 x",
            ratio <= 1.5,
        ),
        ("offline, all maps read: requests", f"{asked}", "0", met),
    ]


def _first_layer(results: ResultSet) -> None:
    opened = build_layers(results, underlay=False, most=1)
    assert len(opened.layers) == 1


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
