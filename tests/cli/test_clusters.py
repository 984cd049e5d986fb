"""Clusters on the command line: options, refusals, and what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import napari_neurosynth_results as nnr
from napari_neurosynth_results.cli import main

SHAPE = (8, 9, 8)
Write = Callable[..., Path]
Captured = pytest.CaptureFixture[str]


def told(capsys: Captured, *arguments: str) -> tuple[int, str, str]:
    """Run the command line here; return its exit code and what it printed."""
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_clusters_of_a_cluster_level_map_are_read_as_they_were_formed(
    capsys: Captured, sample_path: Path
) -> None:
    code, out, _ = told(capsys, "clusters", str(sample_path))
    assert "borderline" in out
    assert code == 0
    assert (
        "6 of 13 clusters significant at p_FWE <= .05 (1,000 iterations); "
        "cluster-forming threshold p < .001\n"
    ) in out
    # The smallest p is no more than a bound, in each column that holds such p.
    mass = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
    table = nnr.find_clusters(nnr.open_results(sample_path)[mass]).table
    floor = np.isclose(table.cluster_p, 0.001)
    assert floor.any()
    assert out.count("<= .001") >= floor.sum()
    assert " 0.001" not in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ("--q", ".05", "--fdr", "by"),
            "(FDR q <= .05 (Benjamini-Yekutieli), p <= ",
        ),
        (
            ("--p", ".001", "--min-mm3", "800"),
            "extent >= 100 voxels (800 mm3)",
        ),
        (
            ("--p", ".001", "--mask-map", "stat", "--mask-p", ".01"),
            "inside statistic at p <= .01",
        ),
        (
            ("--p", ".001", "--mask-map", "logp", "--mask-p", ".01", "--outside"),
            "0 clusters",
        ),
        (
            ("--p", ".001", "--mask", "{labels}", "--outside"),
            "outside label_desc-mass",
        ),
        (("--bonferroni", ".05", "--brain-mask"), "inside the brain of MNI152"),
    ],
)
def test_options_of_clusters(
    capsys: Captured, sample_path: Path, options: tuple[str, ...], says: str
) -> None:
    labels = str(next(sample_path.glob("label_*")))
    asked = [option.format(labels=labels) for option in options]
    code, out, err = told(capsys, "clusters", str(sample_path), "--map", "z", *asked)
    assert (code, err) == (0, "")
    assert says in out.splitlines()[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--mask-map", "stat"), "--mask-map and --mask-p go together"),
        (("--mask-p", ".01"), "--mask-map and --mask-p go together"),
        (("--mask-map", "zz", "--mask-p", ".01"), "holds no map named zz"),
        (("--outside",), "outside of what"),
        (("--mask", "none.nii"), "none.nii does not exist"),
        (("--dof", "12"), "for t, chi2 and F"),
        (("--fdr", "by"), "give q with it"),
    ],
)
def test_options_that_do_not_fit_are_told(
    capsys: Captured, sample_path: Path, options: tuple[str, ...], says: str
) -> None:
    arguments = ("clusters", str(sample_path), "--map", "z", "--p", ".001", *options)
    code, out, err = told(capsys, *arguments)
    assert (code, out) == (1, "")
    assert says in err


@pytest.mark.parametrize(
    ("stem", "dof", "words"),
    [("spmT_0001", "18", "t >= 2.55"), ("spmF_0001", "2,18", "F >= 6.01")],
)
def test_degrees_of_freedom_are_stated(
    capsys: Captured, write: Write, stem: str, dof: str, words: str
) -> None:
    folder = write({stem: np.full(SHAPE, 9.0)})
    asked = ("clusters", str(folder), "--p", ".01")
    code, _, err = told(capsys, *asked)
    assert code == 1
    assert "degrees of freedom" in err
    code, out, _ = told(capsys, *asked, "--dof", dof, "--tail", "positive")
    assert code == 0
    assert f"{words} (p <= .01" in out
    with pytest.raises(SystemExit):
        main([*asked, "--dof", "2,18,3"])
    assert "--dof: invalid" in capsys.readouterr().err


def test_a_p_that_is_of_other_clusters_is_not_printed(
    capsys: Captured, sample_path: Path
) -> None:
    command = ("clusters", str(sample_path), "--map", "z", "--p")
    code, out, _ = told(capsys, *command, "1e-5")
    assert code == 0
    assert "p_fwe_mass" not in out
    assert "p_FWE by cluster mass is not stated for 8 of 8 clusters" in out
    # Nor whether another run might judge clusters otherwise that were not tested.
    assert "borderline" not in out
    out = told(capsys, *command, ".001")[1]
    assert "p_fwe_mass" in out
    assert "borderline" not in out


def test_clusters_of_a_map_that_is_none_are_refused(
    capsys: Captured, sample_path: Path
) -> None:
    options = ["--map", "zz", "--p", ".001"]
    code, out, err = told(capsys, "clusters", str(sample_path), *options)
    assert (code, out) == (1, "")
    assert "holds no map named zz" in err


@pytest.mark.slow
def test_how_much_of_each_cluster_is_active(
    capsys: Captured, sample_path: Path, tmp_path: Path
) -> None:
    asked = ("clusters", str(sample_path), "--map", "z", "--p", ".001")
    file = str(tmp_path / "t.tsv")
    code, out, _ = told(capsys, *asked, "--min-voxels", "60", "--tdp", "--out", file)
    assert code == 0
    shares = ["≥ 32 %", "≥ 22 %", "≥ 16 %", "≥ 9.3 %", "≥ 0.9 %", "≥ 0 %"]
    found = [out.index(share) for share in shares]
    assert found == sorted(found)
    assert "TDP (true discovery proportion): at least this share" in out
    read = pd.read_csv(file, sep="\t", comment="#")
    assert (read.tdp * read.n_voxels).round().tolist() == [259, 45, 23, 62, 3, 0]
    assert "with 95 % confidence" in Path(file).read_text(encoding="utf-8")
    _, out, _ = told(capsys, *asked, "--min-voxels", "60")
    assert "tdp" not in out
    options = ("--tdp", "--tdp-alpha", ".1", "--tdp-dependence", "any")
    _, out, _ = told(capsys, *asked, *options)
    assert "with 90 % confidence" in out
    assert "however voxels depend on each other" in out
    code, _, err = told(capsys, *asked, "--tdp-alpha", "2")
    assert code != 0
    assert "between 0 and 1" in err


def test_the_largest_parts_of_which_a_share_is_active(
    capsys: Captured, sample_path: Path, tmp_path: Path
) -> None:
    files = ("--out", str(tmp_path / "t.md"), "--labels", str(tmp_path / "l.nii.gz"))
    asked = ["clusters", str(sample_path), "--map", "z", "--p", ".001"]
    asked += ["--min-voxels", "100", "--active-parts"]
    code, out, _ = told(capsys, *asked, "70%", *files)
    assert code == 0
    assert "of which at least 70 % is active, with 95 % confidence: 4 parts" in out
    read = pd.read_csv(tmp_path / "t_parts.tsv", sep="\t", comment="#")
    assert read.n_voxels.tolist() == [367, 64, 62, 30]
    assert read.name[0] == "Insula R"
    volume = np.asarray(nib.load(tmp_path / "l_parts.nii.gz").dataobj)
    assert np.bincount(volume.ravel().astype(int))[1:].tolist() == [367, 64, 62, 30]
    _, out, _ = told(capsys, *asked, ".9", "--tdp-dependence", "any")
    assert "≥ 90 %" in out
    assert "at least 90 % is active" in out
    for wrong in ("0", "7", "some"):
        with pytest.raises(SystemExit):
            main([*asked, wrong])
        assert "a share is above 0 and at most 1" in capsys.readouterr().err


@pytest.mark.slow
def test_one_experiment_is_left_out(
    capsys: Captured, sample_path: Path, tmp_path: Path
) -> None:
    table = tmp_path / "t.tsv"
    asked = ["clusters", str(sample_path), "--map", "z", "--p", ".001"]
    asked += ["--min-voxels", "10", "--leave-one-out", "--out", str(table)]
    code, out, _ = told(capsys, *asked)
    assert code == 0
    assert "Leave one experiment out (p <= .001, extent >= 10):" in out
    assert "Insula R: Stands in 21 of 21; least is left without" in out
    assert "Insula L 2: Stands in 20 of 21; not without pain_02" in out
    assert "It is no test, and controls no error rate" in out
    assert "lost_without" in table.read_text(encoding="utf-8")
    _, out, _ = told(capsys, *asked[:-2], "--studies")
    assert (
        "Largest shares: pain_19.nidm 13 %, together with pain_13.nidm 25 %. Stands in"
        in out
    )


@pytest.mark.slow
def test_what_cannot_be_estimated_anew_is_refused(
    capsys: Captured, sample_path: Path, tmp_path: Path
) -> None:
    part = tmp_path / "part"
    part.mkdir()
    for path in sample_path.glob("*.nii.gz"):
        (part / path.name).write_bytes(path.read_bytes())
    asked = ["clusters", str(part), "--map", "z", "--p", ".001", "--leave-one-out"]
    code, _, err = told(capsys, *asked)
    assert code == 1
    assert "No foci of its studies are known." in err


@pytest.mark.parametrize(
    ("options", "taken", "says"),
    [
        (["--out", "t.tsv", "--regions"], "t_regions.tsv", "exists already"),
        (["--out", "t.tsv", "--regions"], "t_regions.json", "exists already"),
        (["--out", "t.md", "--studies"], "t_studies.tsv", "exists already"),
        (["--out", "t.tsv"], "t.json", "exists already"),
        (
            ["--labels", "l.nii", "--active-parts", ".7"],
            "l_parts.nii",
            "exists already",
        ),
        (["--out", "t.xls"], "", "t.xls: clusters are saved as .csv"),
        (["--labels", "l.tsv"], "", "l.tsv: a label volume is saved as .nii"),
        (["--figure", "f.gif"], "", "f.gif: figures are saved as .png"),
        (["--out", "nowhere/t.tsv"], "", "there is no nowhere"),
        (["--out", "l.nii.gz", "--labels", "l.nii.gz"], "", "is asked for twice"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_opened(
    capsys: Captured,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    taken: str,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if taken:
        Path(taken).write_text("mine")
    code, out, err = told(capsys, "clusters", "is not there", *options)
    assert (code, out) == (1, "")
    assert says in err
    assert [path.name for path in tmp_path.iterdir()] == [taken] * bool(taken)


def test_files_are_written_together(
    capsys: Captured, sample_path: Path, tmp_path: Path
) -> None:
    asked = ["clusters", str(sample_path), "--map", "z", "--p", ".001", "--regions"]
    tables = ["t.json", "t.tsv", "t_regions.json", "t_regions.tsv"]
    code, out, _ = told(capsys, *asked, "--out", str(tmp_path / "t.tsv"))
    assert code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == tables
    described = json.loads((tmp_path / "t_regions.json").read_text())
    assert described["File"] == "t_regions.tsv"
    assert "saving-nnr" not in out


def test_a_small_share_of_a_region_is_not_said_to_be_none(
    capsys: Captured, sample_path: Path
) -> None:
    asked = ["clusters", str(sample_path), "--map", "z", "--p", ".001", "--regions"]
    code, out, _ = told(capsys, *asked)
    assert code == 0
    named = out.split("Regions (")[1].replace("\n", ", ").split(", ")
    statmap = nnr.open_results(sample_path)["z"]
    percent = nnr.find_clusters(statmap, p=0.001).regions["percent"]
    small = int(((percent > 0) & (percent < 1)).sum())
    assert small > 0
    assert sum(part.endswith(" <1 %") for part in named) == small
    assert not any(part.endswith(" 0 %") for part in named)


def test_a_report_lists_active_parts(
    capsys: Captured, sample_path: Path, write: Write, tmp_path: Path
) -> None:
    asked = ["report", str(sample_path), "--map", "z", "--p", ".001", "--no-studies"]
    asked += ["--min-voxels", "100", "--active-parts", "70%"]
    code, *_ = told(capsys, *asked, "--out", str(tmp_path / "out"))
    assert code == 0
    read = pd.read_csv(tmp_path / "out" / "z_parts.tsv", sep="\t", comment="#")
    assert read.n_voxels.tolist() == [367, 64, 62, 30]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h3>Active parts</h3>" in page
    assert "of which at least 70 % is active, with 95 % confidence: 4 parts" in page
    assert '<td class="number">367</td><td class="number">257</td>' in page
    stat = np.zeros(SHAPE)
    stat[2:4, 2:4, 2:4] = 3
    none = ["report", str(write({"stat": stat})), "--value", "1", "--no-studies"]
    code, *_ = told(capsys, *none, "--active-parts", ".5", "--out", str(tmp_path / "n"))
    assert code == 0
    assert "No active parts: " in (tmp_path / "n" / "report.html").read_text()
    assert not list((tmp_path / "n").glob("*_parts.tsv"))
