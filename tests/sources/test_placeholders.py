"""What stands in the place of a file is called what it is, with what to do."""

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest

from napari_neurosynth_results.api import open_results, open_studies
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.sources.atlases.label_names import read_names
from napari_neurosynth_results.sources.placeholders import (
    JsonRefusedError,
    load_json,
    read_at_most,
)

LFS = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 12345\n"
)
ANNEX = b"/annex/objects/MD5E-s12345--d41d8cd98f00b204e9800998ecf8427e.nii.gz\n"
LINK = ".git/annex/objects/Xx/Yy/MD5E-s1--d4/MD5E-s1--d4.nii.gz"
NAMES = ["z.nii.gz", "z.nii", "z.mgz", "z.img", "results.zip"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LFS, ["pointer of Git LFS", "git lfs pull"]),
        (ANNEX, ["pointer of git-annex", "datalad get", "git annex get"]),
        (b"../" + LINK.encode(), ["pointer of git-annex", "datalad get"]),
        (b"<!DOCTYPE html><title>Log in</title>", ["web page", "'Log in'"]),
        (b"\n <html><body>" + b"x" * 9999, ["web page", "Download it again"]),
        (b'{"detail": "Not found."}', ["a JSON text", "Download"]),
        (b'[{"id": 1, "name": "' + b"x" * 9999, ["a JSON text"]),
        (b"<?xml version='1.0'?><Error/>", ["an XML text"]),
    ],
)
def test_pointers_and_answers(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    if name == "z.img":
        (tmp_path / "z.hdr").write_bytes(content)
    with pytest.raises(ResultsError) as caught:
        open_results(path)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (gzip.compress(b"<html></html>"), "web page"),
        (gzip.compress(gzip.compress(b"\x5c\x01")), "gzipped twice"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x89HDF\r\n\x1a\nrest", "HDF5"),
        (bytes(128) + b"DICMrest", "DICOM"),
    ],
)
def test_other_formats(tmp_path, content, word):
    path = tmp_path / "z.nii.gz"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=word):
        open_results(path)


@pytest.mark.parametrize("name", ["z.nii.gz", "z.mgh", "results.zip"])
@pytest.mark.parametrize(
    ("target", "word"), [(LINK, "datalad get"), ("gone/z.nii.gz", "link to gone")]
)
def test_broken_links(tmp_path, name, target, word):
    path = tmp_path / name
    os.symlink(target, path)
    with pytest.raises(ResultsError, match=word):
        open_results(path)


def test_half_of_a_pair_that_is_a_pointer(save, values):
    import nibabel as nib

    path = save("z.hdr", values, image=nib.Nifti1Pair)
    path.with_suffix(".img").write_bytes(LFS)
    with pytest.raises(ResultsError, match=r"z\.img is a pointer of Git LFS"):
        open_results(path)


def test_tables_and_texts_beside_maps(good):
    folder = good("run/z.nii.gz").parent
    (folder / "z_tab-counts.tsv").write_bytes(LFS)
    (folder / "boilerplate.txt").write_bytes(ANNEX)
    os.symlink(LINK, folder / "references.bib")
    results = open_results(folder)
    assert results.methods == results.references == ""
    assert [("git-annex" in one) for one in results.problems] == [True, True]
    with pytest.raises(ResultsError, match="pointer of Git LFS"):
        _ = results.tables["z_tab-counts"]


def test_studies_and_names_of_labels(tmp_path):
    for name in ("studyset.json", "foci.txt", "names.csv"):
        (tmp_path / name).write_bytes(LFS)
    for name in ("studyset.json", "foci.txt"):
        with pytest.raises(ResultsError, match="pointer of Git LFS"):
            open_studies(tmp_path / name)
    with pytest.raises(ResultsError, match="pointer of Git LFS"):
        read_names(str(tmp_path / "names.csv"))


@pytest.mark.parametrize("data", [b'\xef\xbb\xbf{"a": [1]}', '{"a": [1]}'])
def test_json_is_read(data):
    assert load_json(data) == {"a": [1]}


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"[" + b"[]," * (4 << 20) + b"[]]", "memory"),
        ('{"a": ' + "{}," * (2 << 20), "memory"),
        (b"[" * 200_000 + b"]" * 200_000, "nested"),
        ('{"a":' * 200_000, "nested"),
    ],
)
def test_json_that_becomes_far_more_than_it_is_is_refused(data, word):
    with pytest.raises(JsonRefusedError, match=word):
        load_json(data)


@pytest.mark.parametrize("data", [b"{", b"\xff", "[" + "9" * 5000 + "]", ""])
def test_json_that_is_broken_is_a_value_error(data):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are json's
        load_json(data)
    assert not isinstance(caught.value, JsonRefusedError)


def test_texts_of_a_folder_have_an_end(good):
    folder = good("z.nii.gz").parent
    for n in range(4):
        (folder / f"{n}_boilerplate.txt").write_text("x" * 600_000)
    results = open_results(folder)
    assert len(results.methods) < 1_300_000
    assert any("too much text before it" in told for told in results.problems)


@pytest.mark.parametrize(
    ("length", "most"), [(0, 9), (9, 9), (10, 9), (3 << 20, 2 << 20), (12, 512 << 20)]
)
def test_a_file_is_read_to_its_bound(length: int, most: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content := bytes(range(256)) * (length // 256 + 1))
    os.truncate(path, length)
    tracemalloc.start()
    with path.open("rb") as file:
        read = read_at_most(file, most)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == content[: min(length, most + 1)]
    assert peak < 2 * length + (2 << 20), "what may be read takes no memory"
