"""Names that are no UTF-8, and consoles that know few letters: nothing fails."""

from __future__ import annotations

import io
import json
import os
import sys

import nibabel as nib
import numpy as np
import pytest

import napari_neurosynth_results as nnr
from napari_neurosynth_results.cli import main
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export import atomic
from napari_neurosynth_results.export.escaping import plain_text

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="names are bytes on Linux only"
)
ODD = os.fsdecode(b"caf\xe9")
SHAPE = (19, 24, 20)


@pytest.fixture
def folder(tmp_path):
    """Write two maps with names of Latin-1 into a folder with one."""
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -72, -108, -72
    voxels = np.random.default_rng(0).normal(0, 0.5, SHAPE).astype(np.float32)
    voxels[4:7, 9:12, 8:11] = 5.5
    folder = tmp_path / ODD
    folder.mkdir()
    for name in (b"r\xe9sultat_z.nii.gz", b"s\xe9_z.nii.gz"):
        nib.save(nib.Nifti1Image(voxels, affine), folder / os.fsdecode(name))
    return folder


@pytest.fixture
def clusters(folder):
    results = nnr.open_results(folder)
    return nnr.find_clusters(next(iter(results.maps.values())), p=0.001)


def test_names_of_maps_are_letters(folder):
    results = nnr.open_results(folder)
    assert list(results.maps) == [r"r\xe9sultat_z", r"s\xe9_z"]
    assert results.title == r"caf\xe9"
    assert results[r"s\xe9_z"].data.max() == 5.5


@pytest.mark.parametrize("extension", ["tsv", "csv", "md", "tex", "html", "nii.gz"])
def test_every_file_of_clusters(clusters, tmp_path, extension):
    path = tmp_path / f"{ODD}.{extension}"
    nnr.save_clusters(clusters, path)
    nnr.save_clusters(clusters, path, overwrite=True)
    if extension == "nii.gz":
        return
    text = path.read_text(encoding="utf-8")
    assert "xe9" in text
    if extension in ("tsv", "csv"):
        beside = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert beside["File"] == path.name
        assert beside["Map"]["Key"] == r"r\xe9sultat_z"


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["png", "svg", "pdf"])
def test_figures(clusters, tmp_path, extension):
    nnr.save_figure(clusters, tmp_path / f"{ODD}.{extension}", kind="glass")


@pytest.mark.slow
def test_report_comparison_and_batch(folder, clusters, tmp_path):
    report = tmp_path / "report.html"
    nnr.save_report(clusters.statmap.results, report, clusters=[clusters])
    assert r"caf\xe9" in report.read_text(encoding="utf-8")
    arguments = [str(path) for path in sorted(folder.iterdir())]
    out = str(tmp_path / "compared")
    assert main(["compare", *arguments, "--p", ".001", "--out", out]) == 0
    done = nnr.run_batch([folder], tmp_path / "batch", p=0.001, workers=0)
    assert not done.failed
    assert r"caf\xe9" in (tmp_path / "batch" / "summary.tsv").read_text("utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("command", ["info", "clusters"])
def test_consoles_that_know_few_letters(folder, monkeypatch, encoding, command):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    (folder / "douleur_Δ_z.nii.gz").symlink_to(next(folder.iterdir()))
    more = ["--map", "douleur_Δ_z"] if command == "clusters" else []
    assert main([command, str(folder), *more]) == 0
    stream.flush()
    delta = "Δ" if encoding == "utf-8" else r"\u0394"
    assert f"douleur_{delta}".split("_")[1] in written.getvalue().decode(encoding)


def test_an_error_names_a_path_that_is_no_utf8(tmp_path, monkeypatch, capsys):
    assert main(["info", str(tmp_path / ODD)]) == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("there", [False, True])
def test_table_and_description_are_written_together(
    clusters, tmp_path, monkeypatch, there
):
    path = tmp_path / "t.tsv"
    if there:
        nnr.save_clusters(clusters, path)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.is_file()}
    # The name is given by one call or the other; the old files have to come back too.
    give = "replace" if there else "link"
    real = getattr(os, give)

    def full(source, target):
        if str(target).endswith("t.json") and "new" in str(source):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(atomic.os, give, full)
    with pytest.raises(ResultsError, match="No space left"):
        nnr.save_clusters(clusters, path, overwrite=there)
    after = {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.is_file()}
    assert after == before
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".saving")]


@pytest.mark.parametrize(
    ("text", "written"),
    [(ODD, r"caf\xe9"), ("café", "café"), ("a\ud800b", r"a\ud800b")],
)
def test_halves_of_letters_are_written(text, written):
    assert plain_text(text) == written
