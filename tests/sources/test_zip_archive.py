"""Zips: whole ones open, hostile ones leave nothing outside, broken ones say so."""

from __future__ import annotations

import gc
import io
import os
import stat
import struct
import subprocess
import sys
import threading
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from local_servers import LocalServers, nifti_bytes
from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.sources.zip_archive import list_unpacked_zips, open_zip

SHAPE = (8, 9, 8)
MAP = nifti_bytes(np.ones(SHAPE))


def zipped(path: Path, members: Mapping[str, bytes] | list[tuple[Any, bytes]]) -> str:
    pairs = members.items() if isinstance(members, Mapping) else members
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of duplicate names
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in pairs:
                archive.writestr(name, data)
    return str(path)


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_neurovaults_own_zip(web: LocalServers, tmp_path: Path) -> None:
    collection = web.add_collection("Größe: a/b : 2026-02-18 13:38:48")
    for stem in ("z", "p", "prob_desc-AgF"):
        collection.add_image(f"{stem}.nii.gz", np.full(SHAPE, 0.5))
    got = requests.get(f"{web.neurovault}/collections/{collection.id}/download")
    path = tmp_path / "download.zip"
    path.write_bytes(got.content)
    results = open_results(path)
    assert list(results.maps) == ["z", "p", "prob_desc-AgF"]
    assert results.title == "download"
    assert results.source == str(path)
    assert results["z"].data.max() == 0.5
    assert not results.problems


def test_tables_and_texts_come_along_and_a_second_opening_is_the_same_folder(
    tmp_path: Path,
) -> None:
    path = zipped(
        tmp_path / "pain.zip",
        {
            "pain/z.nii.gz": MAP,
            "pain/z_tab-clust.tsv": b"Cluster ID\tX\n1\t2\n",
            "pain/pain_boilerplate.txt": b"We ran it.",
            "__MACOSX/._z.nii.gz": b"x",
            "pain/evil.pkl": b"x",
        },
    )
    results = open_results(path)
    assert results.methods == "We ran it."
    assert list(results.tables) == ["z_tab-clust"]
    cache = Path(os.environ["NNR_CACHE_DIR"])
    before = files_below(cache)
    assert list(open_results(path).maps) == ["z"]
    assert files_below(cache) == before
    assert len([name for name in before if not name.endswith("/.in-use")]) == 3


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../../evil.nii.gz", "leads outside"),
        ("..\\evil.nii.gz", "leads outside"),
        ("/tmp/evil.nii.gz", "absolute"),
        ("C:\\evil.nii.gz", "absolute"),
        (link("evil.nii.gz"), "a link"),
        ("inner.zip", "not opened"),
    ],
)
def test_hostile_members_are_named_and_left(
    tmp_path: Path, name: Any, words: str
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = zipped(inside / "x.zip", [("z.nii.gz", MAP), (name, b"/etc/passwd")])
    results = open_zip(path, 1 << 30, unpack_to=inside / "out")
    assert list(results.maps) == ["z"]
    assert any(words in problem for problem in results.problems)
    assert not any("evil" in name for name in files_below(tmp_path))


def test_odd_names_are_made_safe_and_told_apart(tmp_path: Path) -> None:
    members = [
        ("a: 2026/z.nii.gz", MAP),
        ("b/z.nii.gz", MAP),
        ("b/z.nii.gz", MAP),
        ("con.nii.gz", MAP),
        ("größe.nii.gz", MAP),
    ]
    results = open_results(zipped(tmp_path / "x.zip", members))
    assert len(results.maps) == 5
    assert len(results.problems) == 2
    assert "größe" in results.maps


@pytest.mark.slow
def test_bombs_are_refused(tmp_path: Path) -> None:
    zeros = b"\0" * (8 << 20)
    path = zipped(tmp_path / "bomb.zip", {"z.nii.gz": MAP, "big.nii": zeros})
    with pytest.raises(ResultsError, match="would unpack to more"):
        open_results(path, max_bytes=4 << 20)
    # The same, with sizes that lie in both places where they stand.
    data = Path(path).read_bytes()
    lied = data.replace(struct.pack("<I", len(zeros)), struct.pack("<I", 1000))
    (tmp_path / "lie.zip").write_bytes(lied)
    honest = open_results(tmp_path / "lie.zip", max_bytes=4 << 20)
    assert list(honest.maps) == ["z"]
    assert any("big.nii" in problem for problem in honest.problems)
    many = {f"{n}.txt": b"" for n in range(20_001)}
    with pytest.raises(ResultsError, match="too many for a result"):
        open_results(zipped(tmp_path / "many.zip", many))


def test_a_ratio_that_is_impossible_is_refused(tmp_path: Path) -> None:
    path = Path(zipped(tmp_path / "x.zip", {"z.nii.gz": MAP, "y.nii.gz": b"abc"}))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 1 << 30)
    path.write_bytes(data)
    results = open_results(path)
    assert any("more than is possible" in problem for problem in results.problems)


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_a_zip_that_broke_off_says_so(tmp_path: Path, cut: float) -> None:
    whole = Path(zipped(tmp_path / "x.zip", {"z.nii.gz": MAP, "p.nii.gz": MAP}))
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(ResultsError, match="not a complete zip"):
        open_results(whole)


def test_a_broken_member_leaves_the_others(tmp_path: Path) -> None:
    path = Path(zipped(tmp_path / "x.zip", {"z.nii.gz": MAP, "p.nii.gz": MAP}))
    data = bytearray(path.read_bytes())
    at = data.index(b"p.nii.gz") + len(b"p.nii.gz") + 40
    data[at : at + 10] = b"\xff" * 10
    path.write_bytes(data)
    results = open_results(path)
    assert list(results.maps) == ["z"]
    assert any("p.nii.gz" in problem for problem in results.problems)


def test_a_zip_without_maps_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds no map"):
        open_results(zipped(tmp_path / "x.zip", {"a.txt": b"x"}))
    (tmp_path / "no.zip").write_bytes(b"nothing of the kind")
    with pytest.raises(ResultsError, match="not a complete zip"):
        open_results(tmp_path / "no.zip")
    with pytest.raises(ResultsError, match="cannot be unpacked"):
        open_results(tmp_path / "missing.zip")


def test_two_at_once(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {f"z_desc-{n}.nii.gz": MAP for n in range(20)})
    found: list[int] = []

    def work() -> None:
        opened = open_zip(path, 1 << 30, unpack_to=tmp_path / "out")
        found.append(len(opened.maps))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [20] * 4
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_encrypted_members_are_named(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("z.nii.gz", MAP)
        archive.writestr("p.nii.gz", MAP)
    data = bytearray(buffer.getvalue())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    results = open_results(path)
    assert list(results.maps) == ["z"]
    assert any("encrypted" in problem for problem in results.problems)


def test_other_ways_of_compressing_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("z.nii.gz", MAP)
        archive.writestr("p.nii.gz", MAP, zipfile.ZIP_LZMA)
        archive.writestr("t.nii.gz", MAP, zipfile.ZIP_BZIP2)
    results = open_results(path)
    assert list(results.maps) == ["z"]
    assert sum("another method" in problem for problem in results.problems) == 2


@pytest.mark.slow
def test_zips_in_use_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    held = []
    for n in range(13):
        path = zipped(tmp_path / f"{n}.zip", {f"z_desc-{n}.nii.gz": MAP})
        held.append(open_zip(path, 1 << 30, unpack_to=out))
    assert len(list_unpacked_zips(out)) == 13
    assert all(results[key].data.any() for results in held for key in results.maps)
    del held
    gc.collect()
    for n in range(13, 17):
        path = zipped(tmp_path / f"{n}.zip", {f"z_desc-{n}.nii.gz": MAP})
        open_zip(path, 1 << 30, unpack_to=out)
        gc.collect()
    assert len(list_unpacked_zips(out)) == 10


def test_what_another_process_has_open_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = zipped(tmp_path / "a.zip", {"z.nii.gz": MAP})
    code = (
        "import sys; from pathlib import Path\n"
        "from napari_neurosynth_results.sources.zip_archive import open_zip\n"
        "results = open_zip(sys.argv[1], 1 << 30, unpack_to=Path(sys.argv[2]))\n"
        "print('open', flush=True); sys.stdin.read()\n"
        "assert results['z'].data.any()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, path, out],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout
        assert other.stdout.readline() == b"open\n"
        for n in range(12):
            more = zipped(tmp_path / f"{n}.zip", {f"z_desc-{n}.nii.gz": MAP})
            open_zip(more, 1 << 30, unpack_to=out)
        other.communicate(timeout=60)
    assert other.returncode == 0


def test_old_zips_make_room_and_what_was_left_behind_goes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    stale, busy = out / ".part-stale", out / ".part-busy"
    for folder in (stale, busy):
        folder.mkdir(parents=True)
    os.utime(stale, (0, 0))
    for n in range(12):
        path = zipped(tmp_path / f"{n}.zip", {f"z_desc-{n}.nii.gz": MAP})
        opened = open_zip(path, 1 << 30, unpack_to=out)
        assert list(opened.maps) == [f"z_desc-{n}"]
    assert not stale.exists()
    assert busy.exists()
    assert len(list_unpacked_zips(out)) == 10


def test_a_member_without_a_name_is_none(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"z.nii.gz": MAP, "xyxyxyxy": b"text"})
    raw = Path(path).read_bytes()
    # A NUL ends a name.
    Path(path).write_bytes(raw.replace(b"xyxyxyxy", b"\0yxyxyxy"))
    assert list(open_results(path).maps) == ["z"]


def test_a_list_of_members_without_end_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    entry = b"PK\1\2" + bytes(42)
    directory = entry * ((20 << 20) // len(entry))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0)
    path.write_bytes(directory + end)
    with pytest.raises(ResultsError, match="too many files"):
        open_results(path)


def test_what_goes_wrong_inside_is_told_by_the_name_of_the_zip(tmp_path: Path) -> None:
    noise = nifti_bytes(np.random.default_rng(0).normal(size=SHAPE))
    flipped = bytearray(noise)
    flipped[len(noise) // 2] ^= 1
    members = {
        "z.nii.gz": MAP,
        "p.nii.gz": noise[:500],
        "stat.nii.gz": bytes(flipped),
        "t.tsv": b'a\tb\n"1\t2\n',
    }
    path = zipped(tmp_path / "my maps.zip", members)
    results = open_results(path)
    with pytest.raises(ResultsError) as table:
        _ = results.tables["t"]
    with pytest.raises(ResultsError) as voxels:
        _ = results["stat"].data
    for told in (*results.problems, str(table.value), str(voxels.value)):
        assert told.startswith(f"{path}{os.sep}")
    assert len(results.problems) == 2
    alone = zipped(tmp_path / "one.zip", {"p.nii.gz": noise[:500]})
    with pytest.raises(ResultsError, match=r"one\.zip.p\.nii\.gz is truncated"):
        open_results(alone)
