"""The compare command: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

import napari_neurosynth_results as nnr
from napari_neurosynth_results.cli import compare, main
from napari_neurosynth_results.errors import ResultsError


@pytest.mark.slow
def test_two_maps_of_one_source(
    sample_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = [f"{sample_path}::z", f"{sample_path}::stat", "--p", ".001"]
    more = ["--min-voxels", "100", "--connectivity", "18", "--out", str(out)]
    assert main(["compare", *arguments, *more]) == 0
    told = capsys.readouterr().out
    results = nnr.open_results(sample_path)
    found = nnr.compare_maps(
        results["z"],
        results["stat"],
        threshold_a={"p": 0.001, "min_voxels": 100, "connectivity": 18},
    )
    assert told.splitlines()[0] == str(found)
    assert "18-connected" in told
    assert "Insula R" in told
    assert "No difference map: " in told
    assert "No p value belongs to r and rho" in told
    assert f"Wrote {out / 'comparison.tsv'}" in told
    table = pd.read_csv(out / "comparison.tsv", sep="\t", comment="#")
    assert table.value[0] == found.n_a


def test_the_map_of_every_source(
    sample_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(sample_path)
    arguments = ["compare", source, f"{source}::logp", "--map", "z", "--value", "3.5"]
    assert main([*arguments, "--atlas", "none"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("z, uncorrected at z >= 3.5 (p <= .000233, one-tailed), and")
    assert "and -log10 p, uncorrected at -log10 p >= 3.5" in told
    assert "cluster 1" in told


def test_without_a_threshold(
    sample_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The first map of the sample is corrected by cluster.
    assert main(["compare", str(sample_path), f"{sample_path}::z"]) == 0
    told = capsys.readouterr().out
    assert "significant at p_FWE <= .05" in told
    assert "z >= 3.09 (p <= .001, one-tailed)" in told
    assert "No conjunction: " in told


@pytest.mark.slow
def test_three_maps(
    sample_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{sample_path}::{key}" for key in ("z", "logp", "stat")]
    out = tmp_path / "out"
    assert main(["compare", *names, "--p", ".01", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("3 maps, 3 pairs: Dice 1.000 to 1.000")
    assert "\nrho\n" in told
    assert (out / "jaccard.tsv").exists()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--min-voxels", "10"], "needs a height"),
        (["--tail", "positive"], "needs a height"),
        (["--p", "2"], "between 0 and 1"),
        (["--p", ".05", "--tail", "negative"], "only the positive direction"),
        (["--map", "nothing"], "holds no map named nothing"),
    ],
)
def test_what_is_refused(
    more: list[str],
    why: str,
    sample_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    source = str(sample_path)
    extra = [] if "--map" in more else ["--map", "z"]
    arguments = [source, source, *extra, *more, "--out", str(out)]
    assert main(["compare", *arguments]) == 1
    assert why in capsys.readouterr().err
    assert not out.exists()


def test_one_map_and_a_folder_that_is_there(
    sample_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(sample_path)]) == 1
    assert "two maps or more" in capsys.readouterr().err
    assert main(["compare", str(sample_path), "--out", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert list(tmp_path.glob("*.tsv")) == []


def test_the_figure_comes_with_the_tables_or_neither_does(
    sample_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, seen = tmp_path / "out", []

    def full(compared: object, path: str) -> None:
        seen.append((os.path.basename(path), out.exists()))
        raise ResultsError("The disk is full.")

    monkeypatch.setattr(compare, "save_figure", full)
    sources = [f"{sample_path}::z", f"{sample_path}::p"]
    assert main(["compare", *sources, "--p", ".001", "--out", str(out)]) == 1
    assert seen == [("comparison.png", False)]
    assert list(tmp_path.iterdir()) == []
