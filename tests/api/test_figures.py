"""One call draws and saves whatever was found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ResultsError, ResultSet
from napari_neurosynth_results.job import CancelledError


@pytest.mark.slow
def test_one_call_draws_whatever_was_found(sample: ResultSet, tmp_path: Path) -> None:
    maps = [sample[stem] for stem in ("z", "logp", "stat")]
    clusters = nnr.find_clusters(maps[0], p=0.001)
    compared = nnr.compare_maps(*maps[:2], threshold_a={"p": 0.001})
    matrix = nnr.compare_many(maps)
    for n, (what, options, says) in enumerate(
        (
            (clusters, {"plane": "sagittal", "columns": 3}, "They cut"),
            (clusters, {"kind": "ortho", "place": (0, 0, 0)}, "z >= 3.09"),
            (clusters, {"kind": "glass", "side": "radiological"}, "Maximum"),
            (compared, {"places": [2]}, "Dice 1.000"),
            (matrix, {"measure": "r"}, "Pearson's r of 3 maps"),
        )
    ):
        path = tmp_path / f"{n}.png"
        nnr.save_figure(what, path, dpi=60, width_mm=85, background="white", **options)
        with Image.open(path) as image:
            assert says in image.info["Description"]
            assert image.getpixel((0, 0))[:3] == (255, 255, 255)


def test_one_call_says_what_it_cannot_draw(sample: ResultSet, tmp_path: Path) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    compared = nnr.compare_maps(sample["z"], sample["logp"])
    for what, kind, says in (
        (clusters, "matrix", "kind must be lightbox, ortho or glass, not matrix"),
        (compared, "glass", "kind must be lightbox, not glass"),
        (sample["z"], "lightbox", "find_clusters"),
    ):
        with pytest.raises(ResultsError, match=says):
            nnr.save_figure(what, tmp_path / "f.png", kind=kind)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_hears_of_the_progress_may_stop_it(
    sample: ResultSet, tmp_path: Path
) -> None:
    matrix = nnr.compare_many([sample["z"], sample["logp"]])
    told: list[tuple[str, int, int | None]] = []

    def hear(what: str, done: int, total: int | None) -> None:
        told.append((what, done, total))
        if len(told) == 4:
            raise CancelledError("enough")

    nnr.save_figure(matrix, tmp_path / "whole.png", dpi=60, progress=hear)
    with pytest.raises(CancelledError, match="enough"):
        nnr.save_figure(matrix, tmp_path / "stopped.png", dpi=60, progress=hear)
    assert told == [("Figure", 0, 2), ("Figure", 1, 2)] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["whole.png"]


@pytest.mark.slow
def test_drawing_needs_neither_a_window_nor_pyplot(sample_path: Path) -> None:
    code = f"""
import sys, tempfile, os
import napari_neurosynth_results as nnr
assert "matplotlib" not in sys.modules
z = nnr.open_results({str(sample_path)!r})["z"]
clusters = nnr.find_clusters(z, p=0.001)
assert "matplotlib" not in sys.modules
with tempfile.TemporaryDirectory() as folder:
    for name in ("f.png", "f.pdf", "f.svg"):
        nnr.save_figure(clusters, os.path.join(folder, name), kind="glass", dpi=60)
print([m for m in ("matplotlib.pyplot", "napari", "qtpy") if m in sys.modules])
"""
    environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
