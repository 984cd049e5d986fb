"""The cache: what is in it is whole, whoever else uses, breaks or empties it."""

import gc
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.sources.files.safe_names import safe_name
from napari_neurosynth_results.sources.web.cache import (
    Cache,
    CacheKey,
    NotWritableError,
)

KEY = CacheKey("https://neurovault.org", "image-1", "z.nii.gz", "2025-01-01", 5)
POSIX = sys.platform != "win32"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 1 << 20)


def writes(data: bytes):
    return lambda path: path.write_bytes(data)


def sound(path: Path) -> None:
    assert path.stat().st_size


def never(path: Path) -> None:
    raise AssertionError("it was there already")


def parts(cache: Cache) -> list[Path]:
    return list(cache.folder.rglob(".part-*"))


def test_a_file_is_got_once_and_keeps_its_name(cache) -> None:
    assert cache.find(KEY) is None
    path = cache.file(KEY, writes(b"voxel"), sound)
    assert path.name == "z.nii.gz"
    assert path.read_bytes() == b"voxel"
    assert cache.file(KEY, never, never) == path == cache.find(KEY)
    assert Cache(cache.folder, 1).find(KEY) == path
    assert parts(cache) == []


def test_each_field_makes_another_key(cache) -> None:
    changes = {"site": "x", "id": "x", "filename": "x", "modified": "x", "size": 9}
    keys = [replace(KEY, **{name: value}) for name, value in changes.items()]
    assert len({key.folder for key in [KEY, *keys]}) == 6
    # Where a field ends counts.
    assert replace(KEY, site="ab", id="c").folder != replace(KEY, site="a", id="bc")


@pytest.mark.parametrize("error", [ResultsError, ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["fill", "check"])
def test_nothing_is_kept_of_what_failed(cache, error, where) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"vox")
        raise error

    steps = (fail, never) if where == "fill" else (writes(b"vox"), fail)
    with pytest.raises(error):
        cache.file(KEY, *steps)
    assert cache.find(KEY) is None
    assert cache.entries() == []
    assert parts(cache) == []
    assert cache.file(KEY, writes(b"voxel"), sound).read_bytes() == b"voxel"


def test_the_file_to_fill_has_the_extension_but_not_the_name(cache) -> None:
    def fill(path: Path) -> None:
        assert path.name.startswith(f".part-{os.getpid()}-")
        assert path.name.endswith(".nii.gz")
        assert cache.find(KEY) is None
        path.write_bytes(b"voxel")

    cache.file(KEY, fill, sound)


def test_a_new_version_replaces_the_old_once_it_is_in(cache) -> None:
    other = cache.file(replace(KEY, id="image-2"), writes(b"other"), sound)
    old = cache.file(KEY, writes(b"voxel"), sound)
    new_key = replace(KEY, modified="2025-02-02", filename="z_1.nii.gz")

    def fill(path: Path) -> None:
        assert old.exists()
        path.write_bytes(b"newer")

    with pytest.raises(ResultsError):
        cache.file(new_key, fill, refuse)
    assert old.exists()
    new = cache.file(new_key, fill, sound)
    assert not old.parent.exists()
    assert {entry.path for entry in cache.entries()} == {new, other}


def refuse(path: Path) -> None:
    raise ResultsError("broken")


def test_an_empty_file_is_not_a_find(cache) -> None:
    path = cache.file(KEY, writes(b"voxel"), sound)
    path.write_bytes(b"")
    assert cache.find(KEY) is None
    assert cache.file(KEY, writes(b"voxel"), sound).read_bytes() == b"voxel"


def test_threads_that_want_the_same_wait_for_one(cache) -> None:
    filled = []
    start = threading.Barrier(8)

    def want(_: int) -> Path:
        start.wait()
        return cache.file(KEY, fill, sound)

    def fill(path: Path) -> None:
        filled.append(path)
        time.sleep(0.05)
        path.write_bytes(b"voxel")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(want, range(8)))) == 1
    assert len(filled) == 1


def test_threads_that_want_other_things_do_not_wait(cache) -> None:
    both = threading.Barrier(2, timeout=10)

    def want(name: str) -> Path:
        def fill(path: Path) -> None:
            both.wait()  # broken when the other is not under way too
            path.write_bytes(b"voxel")

        return cache.file(replace(KEY, id=name), fill, sound)

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(want, "ab"))) == 2


CHILD = """
import sys, time
from pathlib import Path
from napari_neurosynth_results.sources.web.cache import Cache, CacheKey

folder, halts = Path(sys.argv[1]), sys.argv[2] == "halts"
cache = Cache(folder, 40 * 100_000)

def fill(n):
    def _fill(path):
        with open(path, "wb") as file:
            for _ in range(10):
                file.write(bytes([n]) * 10_000)
                file.flush()
                if halts and n == 3:
                    print("half", flush=True)
                    time.sleep(60)
    return _fill

def check(path):
    assert path.stat().st_size == 100_000

for n in range(40):
    cache.file(CacheKey("site", f"image-{n}", "z.nii.gz", "", 100_000), fill(n), check)
print("done", flush=True)
"""


def child(folder: Path, how: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), how],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_fill_it_and_one_is_killed(tmp_path) -> None:
    cache = Cache(tmp_path / "cache", 40 * 100_000)
    killed = child(cache.folder, "halts")
    assert killed.stdout.readline() == "half\n"
    one, two = (child(cache.folder, "goes on") for _ in range(2))
    killed.kill()
    assert killed.wait() == (-signal.SIGKILL if POSIX else 1)
    killed.stdout.close()
    for process in (one, two):
        assert process.communicate()[0] == "done\n"
        assert process.returncode == 0
    entries = cache.entries()
    assert len(entries) == 40
    for n in range(40):
        key = CacheKey("site", f"image-{n}", "z.nii.gz", "", 100_000)
        assert cache.find(key).read_bytes() == bytes([n]) * 100_000
    # What the killed one left is no entry, and goes when nobody can be at it.
    (part,) = parts(cache)
    cache.evict()
    assert part.exists()
    old = time.time() - 25 * 3600
    os.utime(part, (old, old))
    cache.evict()
    assert parts(cache) == []
    assert len(cache.entries()) == 40


def fill_up(cache: Cache, count: int, size: int = 100) -> list[CacheKey]:
    keys = [replace(KEY, id=f"image-{n}") for n in range(count)]
    now = time.time()
    for n, key in enumerate(keys):
        path = cache.file(key, writes(b"x" * size), sound)
        os.utime(path, (now - 100 + n, now - 100 + n))
    return keys


def test_the_least_recently_used_go_first(tmp_path) -> None:
    cache = Cache(tmp_path, 350)
    keys = fill_up(cache, 3)
    cache.find(keys[0])
    cache.file(replace(KEY, id="new"), writes(b"x" * 100), sound)
    assert [cache.find(key) is not None for key in keys] == [True, False, True]
    assert sum(entry.size for entry in cache.entries()) <= 350
    assert len(list(tmp_path.glob("files/*"))) == 3


def test_what_was_just_added_stays_even_beyond_the_limit(tmp_path) -> None:
    cache = Cache(tmp_path, 350)
    keys = fill_up(cache, 3)
    path = cache.file(replace(KEY, id="big"), writes(b"x" * 1000), sound)
    assert path.exists()
    assert [cache.find(key) for key in keys] == [None] * 3
    cache.put_document("big too", "x" * 1000)
    assert cache.get_document("big too").value == "x" * 1000
    assert not path.exists()


def test_clearing_tells_what_it_freed(cache) -> None:
    keys = fill_up(cache, 4)
    cache.put_document("a", [1])
    document = next(e.size for e in cache.entries() if e.what == "document")
    assert cache.clear(older_than=98.5) == 200
    assert [cache.find(key) is not None for key in keys] == [False, False, True, True]
    assert cache.clear() == 200 + document
    assert cache.entries() == []
    assert cache.clear() == 0


def test_what_others_delete_meanwhile_is_no_error(tmp_path) -> None:
    cache = Cache(tmp_path, 300)
    stop = threading.Event()

    def clear() -> None:
        while not stop.is_set():
            Cache(tmp_path, 0).clear()

    thread = threading.Thread(target=clear)
    thread.start()
    try:
        for n in range(200):
            cache.file(replace(KEY, id=str(n % 7)), writes(b"x" * 100), sound)
            cache.put_document(str(n % 3), n)
    finally:
        stop.set()
        thread.join()
    assert parts(cache) == []


def test_documents_come_back_with_their_time(cache) -> None:
    before = time.time()
    value = {"name": "é", "maps": [1, None, 2.5]}
    cache.put_document("collection QWERTYUI", value)
    kept = cache.get_document("collection QWERTYUI")
    assert kept.value == value
    assert before <= kept.saved <= time.time()
    cache.put_document("collection QWERTYUI", 2)
    assert cache.get_document("collection QWERTYUI").value == 2
    assert cache.get_document("another") is None
    # The name may be a private token.
    for path in cache.folder.rglob("*"):
        assert "QWERTYUI" not in str(path)
        assert not path.is_file() or b"QWERTYUI" not in path.read_bytes()


def test_what_cannot_be_kept_is_there_while_the_cache_is(tmp_path) -> None:
    blocked = tmp_path / "taken"
    blocked.write_text("a file, not a folder")
    cache = Cache(blocked / "cache", 1000)
    assert cache.trouble == ""
    path = cache.file(KEY, writes(b"voxel"), sound)
    assert path.name == "z.nii.gz"
    assert path.read_bytes() == b"voxel"
    assert "not kept" in cache.trouble
    assert cache.file(KEY, never, never) == path == cache.find(KEY)
    with pytest.raises(ResultsError, match="broken"):
        cache.file(replace(KEY, id="image-2"), writes(b"voxel"), refuse)
    blocked.unlink()
    kept = cache.file(replace(KEY, id="image-3"), writes(b"voxel"), sound)
    assert kept.is_relative_to(cache.folder)
    assert cache.trouble == ""
    del cache
    gc.collect()
    assert not path.exists()


def test_a_disk_that_fills_up_is_no_end(tmp_path) -> None:
    cache = Cache(tmp_path, 1000)

    def fill(part: Path) -> None:
        if part.is_relative_to(tmp_path):
            raise NotWritableError("z cannot be kept", part, OSError(28, "No space"))
        part.write_bytes(b"voxel")

    path = cache.file(KEY, fill, sound)
    assert path.read_bytes() == b"voxel"
    assert "No space" in cache.trouble
    assert cache.entries() == []
    assert parts(cache) == []


@pytest.mark.parametrize(
    "data",
    [b"vox", b"voxel and more", b"", b"vOxel"],
    ids=["short", "long", "0", "bit"],
)
@pytest.mark.parametrize("record", [True, False])
def test_what_is_not_what_it_was_is_fetched_again(cache, data, record) -> None:
    path = cache.file(KEY, writes(b"voxel"), sound)
    path.write_bytes(data)
    if not record:
        for kept in (cache.folder / "sums").iterdir():
            kept.unlink()
    # Of the same length, nothing but its check sum tells.
    assert (cache.find(KEY) is None) == (len(data) != 5)
    again = cache.file(KEY, writes(b"voxel"), exactly(b"voxel"))
    assert again.read_bytes() == b"voxel"
    assert cache.file(KEY, never, never) == again


def test_damage_is_told_where_nothing_can_be_fetched(cache) -> None:
    cache.file(KEY, writes(b"voxel"), sound).write_bytes(b"vOxel")
    with pytest.raises(ResultsError, match=r"z\.nii\.gz: .* damaged\. broken"):
        cache.file(KEY, refuse, never)


def test_a_file_of_an_older_version_is_checked_once_and_stays(cache) -> None:
    path = cache.file(KEY, writes(b"voxel"), sound)
    shutil.rmtree(cache.folder / "sums")
    assert cache.file(KEY, never, exactly(b"voxel")) == path
    assert cache.file(KEY, never, never) == path


def exactly(data: bytes):
    def check(path: Path) -> None:
        if path.read_bytes() != data:
            raise ResultsError("broken")

    return check


def test_a_document_with_one_other_letter_is_as_good_as_none(cache) -> None:
    cache.put_document("a", {"title": "word"})
    (entry,) = cache.entries()
    entry.path.write_text(entry.path.read_text().replace("word", "ward"))
    assert cache.get_document("a") is None


@pytest.mark.parametrize(
    "text",
    [
        '{"value": 1, "saved": 1e300}',
        '{"value": 1, "saved": NaN}',
        '{"value": 1, "saved": -1}',
        '{"value": 1, "saved": 9e9}',
        '{"saved": 1, "value": [' + "[]," * 3_000_000 + "1]}",
        "",
        "{",
        "[]",
        "null",
        '{"value": 1}',
        '{"value": 1, "saved": "x"}',
        "\xff",
    ],
)
def test_a_damaged_document_is_as_good_as_none(cache, text) -> None:
    cache.put_document("a", 1)
    (entry,) = cache.entries()
    entry.path.write_text(text, encoding="latin-1")
    assert cache.get_document("a") is None
    cache.put_document("a", 2)
    assert cache.get_document("a").value == 2


@pytest.mark.skipif(not POSIX, reason="Windows keeps its own permissions")
def test_only_the_user_can_look_into_it(cache) -> None:
    cache.file(KEY, writes(b"voxel"), sound)
    cache.put_document("a", 1)
    for path in [cache.folder, *cache.folder.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_folder_that_cannot_be_written_is_named(tmp_path) -> None:
    blocked = tmp_path / "taken"
    blocked.write_text("a file, not a folder")
    cache = Cache(blocked / "cache", 100)
    with pytest.raises(NotWritableError, match="NNR_CACHE_DIR") as caught:
        cache.put_document("a", 1)
    assert str(cache.folder) in str(caught.value)
    assert cache.trouble.startswith(str(caught.value))
    assert cache.find(KEY) is None
    assert cache.get_document("a") is None
    assert cache.entries() == []


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("z_desc-mass.nii.gz", "z_desc-mass.nii.gz"),
        ("my_map_1_é100.nii.gz", "my_map_1_é100.nii.gz"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "file"),
        ("", "file"),
        ("a\\b/c:d.nii", "a_b_c_d.nii"),
        ("CON.nii.gz", "_CON.nii.gz"),
        ("nul", "_nul"),
        ("console.nii", "console.nii"),
        (".part-1-x.nii", "part-1-x.nii"),
        ("a\0b\n\u202e.nii.gz", "a_b__.nii.gz"),
        ("a" * 300 + ".nii.gz", "a" * 113 + ".nii.gz"),
        ("labels.xml", "labels.xml"),
    ],
)
def test_names(name, safe) -> None:
    assert safe_name(name) == safe


@given(st.text())
def test_any_name_becomes_one_file_in_the_folder(name) -> None:
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= 120
    assert os.path.basename(safe) == safe
    assert safe[0] not in ". "
    assert safe[-1] not in ". "
    assert safe.isprintable()
    assert not set('<>:"/\\|?*\0') & set(safe)
    assert safe_name(safe) == safe


def test_a_document_is_plain_json(cache) -> None:
    cache.put_document("a", {"b": 1})
    (entry,) = cache.entries()
    assert entry.what == "document"
    assert json.loads(entry.path.read_text())["value"] == {"b": 1}
