"""Sets of many maps: what is freed, what is kept, and several threads at once."""

import gc
import threading
import tracemalloc
import weakref

import nibabel as nib
import numpy as np
import pytest

from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps import statmap
from napari_neurosynth_results.maps.results import CACHE_BYTES
from napari_neurosynth_results.maps.voxel_cache import VoxelCache


@pytest.fixture
def no_gc():
    """Leave freeing to reference counts."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_gc")
def test_a_result_set_is_freed_with_its_last_reference(folder, fill):
    fill("z.nii.gz", "p.nii.gz", "logp.nii.gz")
    results = open_results(folder)
    voxels = results.read(results.maps.values())
    facts = [(m.mask, m.tail, m.title, m.signed) for m in results.maps.values()]
    gone = [weakref.ref(results), weakref.ref(results["z"])]
    gone += [weakref.ref(data) for data in voxels.values()]
    assert gone[0]() is not None
    del results, voxels, facts
    assert [reference() for reference in gone] == [None] * 5


@pytest.mark.usefixtures("no_gc")
def test_a_result_set_with_a_broken_map_is_freed_as_well(folder, fill, save, values):
    fill("z.nii.gz", "p.nii.gz")
    for name in ("z.nii.gz", "p.nii.gz"):
        raw = bytearray((folder / name).read_bytes())
        raw[-8] ^= 1
        (folder / name).write_bytes(raw)
    results = open_results(folder)
    assert results.read(results.maps.values()) == {}
    with pytest.raises(ResultsError):
        _ = results["z"].data
    path = folder / "z.nii.gz"
    save("results/z.nii.gz", values.astype(np.int16))
    assert path.exists()
    with pytest.raises(ResultsError, match="has changed"):
        _ = results["z"].data
    gone = weakref.ref(results)
    del results
    assert gone() is None


def test_an_error_is_not_its_own_cause(folder, fill):
    fill("z.nii.gz")
    results = open_results(folder)
    fill("z.nii")
    (folder / "z.nii").replace(folder / "z.nii.gz")
    raw = bytearray((folder / "z.nii.gz").read_bytes())
    raw[70] ^= 1
    (folder / "z.nii.gz").write_bytes(raw)
    with pytest.raises(ResultsError) as caught:
        _ = results["z"].data
    assert caught.value.__cause__ is not caught.value


def test_a_map_held_by_nobody_else_keeps_its_set(folder, fill):
    fill("z.nii.gz", "p.nii.gz")
    z = open_results(folder)["z"]
    assert z.results.siblings(z)["p"].data.any()


def test_voxels_are_the_same_while_somebody_holds_them(folder, fill):
    fill("z.nii.gz")
    results = open_results(folder)
    assert results["z"].data is results["z"].data


def test_the_cache_keeps_no_more_than_its_limit():
    cache = VoxelCache(20_000)
    for n in range(50):
        cache.get(str(n), lambda: np.zeros(1000, np.float32))
        assert cache.nbytes <= 20_000
    assert cache.nbytes == 20_000


def test_what_is_larger_than_the_cache_does_not_stay():
    cache = VoxelCache(20_000)
    gone = weakref.ref(cache.get("large", lambda: np.zeros(9000, np.float32)))
    for n in range(5):
        cache.get(str(n), lambda: np.zeros(1000, np.float32))
    assert gone() is None
    assert cache.nbytes == 20_000


def test_the_cache_finds_what_is_held_elsewhere():
    cache = VoxelCache(10_000)
    reads = []

    def read(n: int):
        reads.append(n)
        return np.full(1000, n, np.float32)

    held = cache.get("0", lambda: read(0))
    for n in range(1, 10):
        cache.get(str(n), lambda n=n: read(n))
    assert cache.get("0", lambda: read(0)) is held
    assert reads == list(range(10))
    # Held by the cache alone, the first ones have gone; the last has not.
    assert cache.get("9", lambda: read(9))[0] == 9
    assert cache.get("1", lambda: read(1))[0] == 1
    assert reads == [*range(10), 1]


def test_a_set_of_many_maps_gives_voxels_back(folder, save, values):
    shape = (64, 64, 64)
    for n in range(80):
        save(f"results/map{n}.nii", np.zeros(shape, np.float32))
    results = open_results(folder)
    total = 0
    alive = []
    for m in results.maps.values():
        alive.append(weakref.ref(m.data))
        total += m.data.nbytes
    kept = sum(data.nbytes for r in alive if (data := r()) is not None)
    assert total > CACHE_BYTES
    assert kept == CACHE_BYTES
    assert results._cache.nbytes == kept


def test_several_threads_read_one_set_alike(folder, save, values):
    for n in range(12):
        save(f"results/map{n}.nii.gz", values + n)
    (folder / "broken.nii.gz").write_bytes(
        (folder / "map0.nii.gz").read_bytes()[:-8] + bytes(8)
    )
    save("results/late.nii.gz", values)
    late = bytearray((folder / "late.nii.gz").read_bytes())
    late[-8] ^= 1
    (folder / "late.nii.gz").write_bytes(late)
    results = open_results(folder)
    assert len(results.problems) == 1
    seen = []

    def read() -> None:
        seen.append(results.read(results.maps.values()))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 6
    for voxels in seen:
        assert len(voxels) == 12
        for n in range(12):
            assert np.array_equal(voxels[f"map{n}"], values + n)
    assert len(results.problems) == 2


@pytest.mark.slow
def test_a_thousand_images_are_enough(folder):
    image = nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.diag([80, 80, 80, 1]))
    raw = image.to_bytes()
    for n in range(1002):
        (folder / f"map{n:04}.nii").write_bytes(raw)
    results = open_results(folder)
    assert len(results.maps) == 1000
    assert "1,002 images" in results.problems[0]


def test_a_mask_of_many_maps_is_made_of_few_at_once(folder, save, monkeypatch):
    shape, one = (64, 64, 64), 4 * 64**3
    monkeypatch.setattr(statmap, "_READ_AT_ONCE", 2 * one)
    for n in range(60):
        values = np.zeros(shape, np.uint8)
        values[n + 2] = 1
        save(f"results/p_desc-{n}.nii", values)
    results = open_results(folder)
    tracemalloc.start()
    mask = results["p_desc-3"].mask
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mask is not None
    assert mask.any(axis=(1, 2)).sum() == 60
    # The set itself keeps what fits into its cache; all would be 60.
    assert peak < CACHE_BYTES + 8 * one < 40 * one


def test_the_maps_of_a_mask_are_read_by_a_handful_of_threads(folder, save, monkeypatch):
    for n in range(30):
        save(f"results/p_desc-{n}.nii", np.eye(30, dtype=np.uint8)[n].reshape(2, 3, 5))
    monkeypatch.setattr(statmap, "_READ_AT_ONCE", 1)
    started, start = [], threading.Thread.start

    def count(thread):
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", count)
    mask = open_results(folder)["p_desc-3"].mask
    assert mask is not None
    assert mask.all()
    assert 0 < len(started) <= 4
