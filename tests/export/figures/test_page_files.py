"""Figures on disk: the same bytes each time, and nothing overwritten."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ResultsError, ResultSet
from napari_neurosynth_results.export import figures


@pytest.mark.slow
@pytest.mark.parametrize("extension", [".png", ".pdf", ".svg"])
def test_the_same_input_gives_the_same_bytes(
    sample: ResultSet, tmp_path: Path, extension: str
) -> None:
    found = []
    for n in range(2):
        clusters = nnr.find_clusters(sample["z"], p=0.001)
        path = tmp_path / f"{n}{extension}"
        figures.write_figure(figures.glass_figure(clusters), path, dpi=60)
        found.append(path.read_bytes())
    assert found[0] == found[1]
    assert len(found[0]) > 1000


@pytest.mark.slow
def test_resolution_and_what_is_said_are_in_the_file(
    sample: ResultSet, tmp_path: Path
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    figure = figures.ortho_figure(clusters, width_mm=85)
    for dpi in (100, 300):
        figures.write_figure(figure, tmp_path / f"{dpi}.png", dpi=dpi)
        with Image.open(tmp_path / f"{dpi}.png") as image:
            assert image.width == pytest.approx(85 / 25.4 * dpi, abs=1)
            # No edge shines through.
            assert np.asarray(image.getchannel("A")).min() == 255
            assert image.info["dpi"][0] == pytest.approx(dpi, abs=0.1)
            assert "z >= 3.09 (p <= .001, one-tailed)" in image.info["Description"]


@pytest.mark.slow
def test_texts_of_vector_files_are_texts(sample: ResultSet, tmp_path: Path) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    figure = figures.ortho_figure(clusters)
    figures.write_figure(figure, tmp_path / "f.svg", dpi=60)
    root = ET.parse(tmp_path / "f.svg").getroot()
    told = ["".join(one.itertext()) for one in root.iter() if one.tag.endswith("}text")]
    assert {"z, uncorrected", "L", "R", "S", "A", "≥ 3.09"} <= set(told)
    figures.write_figure(figure, tmp_path / "f.pdf", dpi=60)
    data = (tmp_path / "f.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert b"%%EOF" in data[-10:]
    assert b"/FontFile2" in data
    assert b"CreationDate" not in data


def test_the_settings_of_the_user_stay_and_have_no_say(
    sample: ResultSet, tmp_path: Path
) -> None:
    import matplotlib as mpl

    clusters = nnr.find_clusters(sample["z"], p=0.001)
    figures.write_figure(figures.glass_figure(clusters), tmp_path / "a.png", dpi=60)
    wild = {"figure.facecolor": "red", "font.size": 30, "savefig.bbox": "tight"}
    with mpl.rc_context(wild):
        before = dict(mpl.rcParams)
        figures.write_figure(figures.glass_figure(clusters), tmp_path / "b.png", dpi=60)
        assert dict(mpl.rcParams) == before
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_nothing_is_overwritten_unless_asked(sample: ResultSet, tmp_path: Path) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    figure = figures.glass_figure(clusters, width_mm=85)
    path = tmp_path / "f.png"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(ResultsError, match="exists already"):
        figures.write_figure(figure, path)
    assert path.read_text(encoding="utf-8") == "precious"
    figures.write_figure(figure, path, dpi=60, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [one.name for one in tmp_path.iterdir()] == ["f.png"]
    for name, dpi, says in (
        ("f.jpg", 300, r"\.png, \.pdf, \.svg"),
        ("g.png", 5000, "dpi must be 30 to 1200"),
        ("absent/f.png", 60, "cannot be written"),
    ):
        with pytest.raises(ResultsError, match=says):
            figures.write_figure(figure, tmp_path / name, dpi=dpi)


def test_without_matplotlib_it_says_how_to_install_it(
    sample: ResultSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    for name in [one for one in sys.modules if one.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ResultsError, match=r"napari-neurosynth-results\[figures\]"):
        nnr.save_figure(clusters, tmp_path / "f.png")
    assert not list(tmp_path.iterdir())
