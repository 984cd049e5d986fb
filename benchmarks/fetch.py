"""How few requests and how little time links take, on a server on this machine.

The server is the tests' own, with 50 ms of latency a request. Peers:
``nilearn.datasets.fetch_neurovault_ids`` for the same collection from the same server,
its address changed; the same result in a folder, for opening again. Targets: a Compose
result of 5 maps in 1 + 1 + 1 + 2 + 5 requests; a list of 100 images after 2; nilearn's
time >= 3 x ours for all of them; opening again without a request for a file, and within
1.5 x of the folder; offline none at all. Exits with 3 when a target is missed.
"""

from __future__ import annotations

import os
import shutil
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
from measurements import Figure, Row, Run, Table, at_least, at_most
from napari_neurosynth_results import ResultSet, open_results
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer.layers import build_layers

LATENCY = 0.05
IMAGES = 100
FIVE = ("z", "p", "stat", "logp", "z_level-voxel_corr-FWE_method-montecarlo")
#: Requests of a Compose result by a part of their address, and how many there may be.
PARTS = {
    "for the meta-analysis": ("/meta-analyses/", 1),
    "for its result": ("/meta-analysis-results/", 1),
    "for the list of maps": ("/images/?", 1),
    "for snapshots": ("/snapshot-", 2),
    "for files": ("/media/", 5),
}


def main() -> int:
    """Measure, print the tables, and say by the exit code whether all targets hold."""
    run = Run.start(__file__, __doc__)
    downloads, openings = run.rounds(3, 1), run.rounds(15, 3)
    with LocalServers(latency=LATENCY) as web, tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "NNR_NEUROVAULT_URL": web.neurovault,
            "NNR_COMPOSE_URL": web.compose,
            "NNR_NEUROSTORE_URL": web.neurostore,
            "NNR_CACHE_DIR": f"{folder}/cache",
        }
        counts = _compose(web)
        listed, download = _hundred(web, folder, downloads)
        again, layer = _again(web, folder, openings)
    return run.conclude(
        [
            Table([*counts, listed, *again], caption="Requests"),
            Table([download], caption="Time of a download"),
            Table([layer], "ours / peer", "Time of opening again"),
        ],
        method=f"A server on this machine, with {1000 * LATENCY:.0f} ms of latency a "
        f"request. {downloads} downloads on each side, each with a new cache, and "
        f"{openings} openings, in turns. Opening again is timed without a network, so "
        "that the requests for the list are left out.",
        garbage="left to Python",
    )


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
    rows, others = [], len(web.requests)
    for what, (part, most) in PARTS.items():
        count = len(web.paths(part))
        assert count, f"nobody asked {what}: the counts mean nothing"
        others -= count
        rows.append(_requests(f"Compose, 5 maps: {what}", count, most))
    return [*rows, _requests("Compose, 5 maps: for anything else", others, 0)]


def _requests(what: str, count: int, most: int) -> Row:
    return Row(what, target=at_most(count, most, "", "requests"))


def _hundred(web: LocalServers, folder: str, rounds: int) -> tuple[Row, Row]:
    """Download a hundred images, and let nilearn do the same."""
    rng = np.random.default_rng(0)
    collection = web.add_collection("A hundred")
    for n in range(IMAGES):
        body = nifti_bytes(rng.normal(size=(8, 9, 8)))
        collection.add_image(f"contrast{n:03}.nii.gz", body, map_type="Z map")
    ours, theirs = [], []
    for index in range(rounds):
        os.environ["NNR_CACHE_DIR"] = f"{folder}/cache-{index}"
        web.reset_log()
        results = open_results(str(collection.id))
        listed = len(web.requests)
        ours.append(_seconds(lambda r=results: r.fetch(r.maps.values())))
        assert len(web.paths("/media/")) == IMAGES
        into = f"{folder}/nilearn-{index}"
        theirs.append(_seconds(lambda d=into: _nilearn(web, collection.id, d)))
    us, them = Figure.of(ours, "s"), Figure.of(theirs, "s")
    ratio = at_least(them.median / us.median, 3, "x", "ratio")
    return (
        _requests(f"{IMAGES} images: until the list is shown", listed, 2),
        Row(f"{IMAGES} images", us, {"nilearn": them}, ratio),
    )


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
    got = peer.fetch_neurovault_ids(collection_ids=[number], data_dir=folder, verbose=0)
    assert len(got["images"]) == IMAGES


def _again(web: LocalServers, folder: str, rounds: int) -> tuple[list[Row], Row]:
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
    for _ in range(rounds):
        kept.append(_seconds(lambda: _first_layer(open_results(number, offline=True))))
        local.append(_seconds(lambda: _first_layer(open_results(disk))))
    web.reset_log()
    whole = open_results(number, offline=True)
    voxels = whole.read(whole.maps.values())
    assert len(voxels) == len(first.maps)
    asked = len(web.requests)
    ours, folder_of = Figure.of_seconds(kept), Figure.of_seconds(local)
    ratio = at_most(ours.median / folder_of.median, 1.5, "x", "ratio")
    return (
        [
            _requests("opening again: for files", files, 0),
            _requests("opening again, offline, all maps read", asked, 0),
        ],
        Row("until the first layer", ours, {"from a folder": folder_of}, ratio),
    )


def _first_layer(results: ResultSet) -> None:
    opened = build_layers(results, underlay=False, most=1)
    assert len(opened.layers) == 1


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
