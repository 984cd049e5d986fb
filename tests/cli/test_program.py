"""The command line answers in words, in JSON, and in exit codes."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy import stats

import napari_neurosynth_results as nnr
from helpers.command_line import run
from local_servers import Fault, LocalServers
from napari_neurosynth_results import open_results
from napari_neurosynth_results.cli import main
from napari_neurosynth_results.cli.options import CheckedStream, terminal_progress

SHAPE = (8, 9, 8)
Write = Callable[..., Path]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(write: Write, rng: np.random.Generator) -> Path:
    """Return a folder of a good map, a damaged one, and a file that is no map."""
    z = rng.normal(0, 3, SHAPE)
    folder = write({"z": z, "stat": z}, {"logp.nii.gz": "no image"}, name="pain")
    damaged = bytearray((folder / "stat.nii.gz").read_bytes())
    damaged[-6] ^= 0xFF  # the checksum: only reading the voxels shows it
    (folder / "stat.nii.gz").write_bytes(damaged)
    return folder


# --- info -------------------------------------------------------------------------


def test_info_lists_the_sample(capsys: Captured, sample_path: Path) -> None:
    assert main(["info", str(sample_path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "pain-ale: 11 maps, 3 tables"
    row = next(line for line in lines if line.startswith("z "))
    data = np.asarray(nib.load(sample_path / "z.nii.gz").dataobj)
    assert re.split(r"\s{2,}", row) == [
        *("z", "z, uncorrected", "z", "one-tailed", "-", "91x109x91, 2 mm"),
        *(f"0 to {data.max():.3g}", "z >= 1.645 (p <= .05)", "name (NiMARE)"),
    ]
    assert len([line for line in lines[2:] if line]) == 12
    # Nothing is cut off: every title stands in full.
    for statmap in nnr.open_results(sample_path).maps.values():
        assert statmap.title in out


def test_info_for_machines(capsys: Captured, sample_path: Path) -> None:
    assert main(["info", str(sample_path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    document = json.loads(out)
    assert document["title"] == "pain-ale"
    assert document["source"] == str(sample_path)
    assert document["problems"] == []
    assert len(document["tables"]) == 3
    rows = {row["name"]: row for row in document["maps"]}
    assert list(rows) == list(nnr.open_results(sample_path).maps)
    counted = {name for name, row in rows.items() if row["iterations"] == 1000}
    assert counted == {name for name in rows if "montecarlo" in name}
    assert rows["z"]["iterations"] is None
    z = rows["z"]
    p = np.asarray(nib.load(sample_path / "p.nii.gz").dataobj)
    assert z["n_mask_voxels"] == (p > 0).sum()
    assert (z["kind"], z["tail"], z["level"], z["correction"], z["error"]) == (
        *("z", "one-tailed", None, None, None),
    )
    assert z["shape"] == [91, 109, 91]
    assert z["voxel_size_mm"] == [2, 2, 2]
    fwe = rows["z_level-voxel_corr-FWE_method-montecarlo"]
    assert (fwe["level"], fwe["correction"]) == ("voxel", "FWE")
    assert fwe["at_p_05"] == "z >= 1.645 (p_FWE <= .05)"
    assert rows["p"]["at_p_05"] == "p <= .05"
    assert rows["logp"]["at_p_05"] == "-log10 p >= 1.301 (p <= .05)"
    assert rows["stat"]["at_p_05"] == "use logp"


def test_info_tells_what_is_broken_and_shows_the_rest(
    capsys: Captured, folder: Path
) -> None:
    assert main(["info", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "pain: 2 maps, 0 tables"
    assert "cannot be read, see below" in out
    problems = err.splitlines()
    assert len(problems) == 2
    assert all(problem.startswith("! ") for problem in problems)
    assert "logp.nii.gz" in err
    assert "stat.nii.gz" in err


def test_info_for_machines_tells_what_is_broken(capsys: Captured, folder: Path) -> None:
    assert main(["info", str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    document = json.loads(out)
    rows = {row["name"]: row for row in document["maps"]}
    assert rows["z"]["error"] is None
    assert "stat.nii.gz" in rows["stat"]["error"]
    assert rows["stat"]["range"] is None
    assert len(document["problems"]) == 2


def test_no_p_is_told_of_values_that_contradict_it(
    capsys: Captured, write: Write, rng: np.random.Generator
) -> None:
    path = write({"p": rng.normal(size=(8, 9, 8))})
    assert main(["info", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "p <= .05" not in out
    assert "its name says that it holds p, but its values run" in err


def test_info_gives_no_height_for_the_p_of_another_test(
    capsys: Captured, write: Write, rng: np.random.Generator
) -> None:
    z, other = rng.normal(size=(2, *SHAPE))
    assert main(["info", str(write({"z": z, "p": stats.norm.sf(other)}))]) == 0
    (line,) = (one for one in capsys.readouterr().out.splitlines() if one[:2] == "z ")
    assert "use p" in line
    assert "z >=" not in line


def test_a_map_of_nothing_is_listed(capsys: Captured, write: Write) -> None:
    folder = write({"stat": np.full(SHAPE, np.nan), "label": np.ones(SHAPE)})
    assert main(["info", str(folder), "--json"]) == 0
    # Strict JSON: NaN is none.
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert {row["name"]: row["range"] for row in document["maps"]} == {
        "stat": None,
        "label": [1, 1],
    }


def test_info_of_several_files(capsys: Captured, sample_path: Path) -> None:
    files = [str(sample_path / f"{stem}.nii.gz") for stem in ("z", "logp")]
    assert main(["info", *files]) == 0
    assert capsys.readouterr().out.startswith("pain-ale: 2 maps, 0 tables")


# --- refusals ---------------------------------------------------------------------


@pytest.mark.parametrize("command", [["info"], ["open"]])
def test_a_path_that_is_none_is_told(
    capsys: Captured, tmp_path: Path, command: list[str]
) -> None:
    missing = tmp_path / "missing.nii.gz"
    assert main([*command, str(missing)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"{missing} does not exist. Check the path.\n"


def test_a_folder_without_maps_is_told(capsys: Captured, tmp_path: Path) -> None:
    assert main(["info", str(tmp_path)]) == 1
    assert "holds no map" in capsys.readouterr().err


def test_open_wants_something_to_open(capsys: Captured) -> None:
    assert main(["open"]) == 1
    assert capsys.readouterr().err == "Say what to open: a path, a link or --sample.\n"


def test_open_wants_a_kind_of_a_map_that_is_there(
    capsys: Captured, sample_path: Path
) -> None:
    assert main(["open", str(sample_path), "--kind", "nowhere=t df=18"]) == 1
    assert "There is no map nowhere" in capsys.readouterr().err


def test_files_belong_together_and_all_else_is_a_result(tmp_path: Path) -> None:
    from napari_neurosynth_results.cli.program import results_of

    folder = tmp_path / "named.nii.gz"
    folder.mkdir()
    given = ["a.nii.gz", "run1", "b.nii", str(folder), "123", "run.zip", "run1"]
    assert results_of(given) == [
        ["a.nii.gz", "b.nii"],
        ["run1"],
        [str(folder)],
        ["123"],
        ["run.zip"],
    ]


def test_no_result_opens(capsys: Captured, tmp_path: Path) -> None:
    missing = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert main(["open", *missing]) == 1
    told = capsys.readouterr().err
    assert all(f"{path} does not exist" in told for path in missing)


def test_a_wrong_command_is_told_how_to_ask(capsys: Captured) -> None:
    for arguments in ([], ["show"], ["info"], ["open", "--view", "upside-down"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2
        assert "usage: napari-neurosynth-results" in capsys.readouterr().err


def test_the_version(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"{nnr.__version__}\n"


@pytest.mark.slow
def test_without_qt_it_says_what_to_install() -> None:
    block = "\n".join(
        f"sys.modules[{name!r}] = None"
        for name in ("PyQt6", "PySide6", "PyQt5", "PySide2")
    )
    done = run("open", "--sample", before=block)
    assert done.returncode == 1
    assert done.stdout == ""
    assert 'pip install "napari-neurosynth-results[all]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="only on Linux does the environment tell whether there is a display",
)
def test_without_a_display_it_says_what_to_do() -> None:
    done = run("open", "--sample", DISPLAY=None, WAYLAND_DISPLAY=None)
    assert done.returncode == 1
    assert "There is no display" in done.stderr
    assert "--screenshot" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_info_needs_neither_qt_nor_display(folder: Path) -> None:
    block = "\n".join(
        f"sys.modules[{name!r}] = None" for name in ("PyQt6", "qtpy", "napari", "vispy")
    )
    done = run("info", str(folder), before=block, DISPLAY=None, WAYLAND_DISPLAY=None)
    assert done.returncode == 0
    assert done.stdout.startswith("pain: 2 maps")


def test_the_command_is_installed(sample_path: Path) -> None:
    """The entry point of the package is the function that is tested here."""
    from importlib.metadata import entry_points

    found: Any = entry_points(group="console_scripts", name="napari-neurosynth-results")
    (script,) = found
    assert script.load() is main


# --- clusters ---------------------------------------------------------------------


def told(capsys: Captured, *arguments: str) -> tuple[int, str, str]:
    """Run the command line here; return its exit code and what it printed."""
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_clusters_are_listed_and_saved(
    capsys: Captured, sample_path: Path, tmp_path: Path
) -> None:
    table, labels = tmp_path / "t.tsv", tmp_path / "labels.nii.gz"
    options = ["--map", "z", "--p", ".001", "--min-voxels", "100"]
    files = ["--out", str(table), "--labels", str(labels)]
    code, out, err = told(capsys, "clusters", str(sample_path), *options, *files)
    assert (code, err) == (0, "")
    first = "z, uncorrected: z >= 3.09 (p <= .001, one-tailed), extent >= 100 voxels"
    assert out.startswith(first)
    assert "6 clusters" in out
    found = nib.load(labels).get_fdata()
    assert sorted(np.unique(found)) == [0, 1, 2, 3, 4, 5, 6]
    written = table.read_text(encoding="utf-8")
    assert written.count("\n") == 12 + 1 + 6
    assert (
        "# corrected p: .001 stands for p <= .001, none or one of 1,000 iterations as "
        "large\n"
    ) in written
    # The histogram that p comes from has no finer step.
    assert "have up to 1 voxel more or less, at the very height" in written
    code, _, err = told(capsys, "clusters", str(sample_path), *options, *files)
    assert code == 1
    assert "exists already" in err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lightbox", "ortho", "glass"])
def test_clusters_are_drawn(
    capsys: Captured, sample_path: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "f.png"
    options = ["--map", "z", "--p", ".001", "--figure-kind", kind]
    figure = ["--figure", str(path)]
    code, out, err = told(capsys, "clusters", str(sample_path), *options, *figure)
    assert (code, err) == (0, "")
    assert out.endswith(f"Wrote {path}\n")
    with Image.open(path) as image:
        title, _, rest = image.info["Description"].partition("\n")
        assert title == "z, uncorrected"
        assert ("Maximum projection" in rest) == (kind == "glass")
        assert ("At the peak of" in rest) == (kind == "ortho")
    code, _, err = told(capsys, "clusters", str(sample_path), *options, *figure)
    assert code == 1
    assert "exists already" in err


@pytest.mark.slow
def test_comparisons_are_drawn_where_they_can_be(
    capsys: Captured, sample_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = [f"{sample_path}::{key}" for key in ("z", "logp", "stat")]
    for n, title in ((2, "z, uncorrected / "), (3, "Dice of 3 maps")):
        folder = tmp_path / f"{n}"
        code, out, err = told(capsys, "compare", *maps[:n], "--out", str(folder))
        assert (code, err) == (0, "")
        assert out.endswith(f"Wrote {folder / 'comparison.png'}\n")
        with Image.open(folder / "comparison.png") as image:
            assert image.info["Description"].startswith(title)
    monkeypatch.setattr(
        "napari_neurosynth_results.cli.compare.find_spec", lambda name: None
    )
    folder = tmp_path / "without"
    code, out, err = told(capsys, "compare", *maps[:2], "--out", str(folder))
    assert (code, err) == (0, "")
    assert "No comparison.png. Figures need matplotlib" in out
    assert (folder / "comparison.tsv").exists()
    assert not (folder / "comparison.png").exists()


@pytest.mark.slow
def test_a_reader_that_stops_early_gets_no_traceback(
    sample_path: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.nii.gz"
    command = [sys.executable, "-m", "napari_neurosynth_results.cli", "clusters"]
    command += [str(sample_path), "--map", "z", "--p", ".5", "--labels", str(labels)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as done:
        assert done.stdout is not None
        assert done.stderr is not None
        # Closed before anything is written, so that the first line finds nobody.
        done.stdout.close()
        assert done.stderr.read() == ""
    assert done.returncode == 1
    assert labels.exists()


def test_links_are_listed_and_fetched_whole(
    web: LocalServers,
    tmp_path: Path,
    rng: np.random.Generator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    collection = web.add_collection("Pain")
    for stem in ("z", "p", "own"):
        collection.add_image(f"{stem}.nii.gz", rng.uniform(0.001, 1, SHAPE))
    collection.images[2] |= {"map_type": "T map", "name": "Contrast"}
    meta_id = web.add_meta_analysis(collection, diagnostic_table="id\tA\nx\t1\n")
    link = f"{web.compose}/meta-analyses/{meta_id}"
    assert main(["info", link, "--json"]) == 0
    maps = json.loads(capsys.readouterr().out)["maps"]
    # A list is no reason to download.
    assert web.paths("/media/") == []
    assert not any(one["on_disk"] for one in maps)
    assert main(["info", link]) == 0
    assert "on the server" in capsys.readouterr().out
    kinds = {"z": "z", "p": "p", "own": "t"}
    assert {one["name"]: one["kind"] for one in maps} == kinds
    assert main(["clusters", str(collection.id), "--map", "z", "--p", ".05"]) == 0
    assert "z, uncorrected" in capsys.readouterr().out

    target = tmp_path / "taken along"
    assert main(["fetch", link, "--to", str(target)]) == 0
    assert f"to {target}" in capsys.readouterr().out
    text = "".join(p.read_text() for p in target.iterdir() if p.suffix == ".json")
    assert web.run_key not in text
    again = open_results(target)
    assert {m.key: str(m.kind) for m in again.maps.values()} == kinds
    assert again["own"].title == "Contrast"
    assert set(again.tables) == {"diagnostics", "foci"}
    assert "ALE" in again.methods
    assert again.title == "Pain, ALE"
    # Nothing is written over.
    assert main(["fetch", link, "--to", str(target)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["fetch", str(target), "--to", str(tmp_path / "b")]) == 1
    assert "is on this machine already" in capsys.readouterr().err


def test_fetch_says_what_did_not_come(
    web: LocalServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collection = web.add_collection("Pain")
    for stem in ("z", "p"):
        collection.add_image(f"{stem}.nii.gz", np.ones(SHAPE))
    web.fail(r"/media/.*/p\.nii", Fault.status(404, html=True))
    assert main(["fetch", str(collection.id), "--to", str(tmp_path / "a")]) == 1
    assert "p.nii.gz" in capsys.readouterr().err
    assert list(open_results(tmp_path / "a").maps) == ["z"]
    web.fail("/media/", Fault.status(404, html=True))
    other = web.add_collection("Other")
    other.add_image("z.nii.gz", np.zeros(SHAPE))
    assert main(["fetch", str(other.id), "--to", str(tmp_path / "b")]) == 1
    assert not (tmp_path / "b").exists()


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_the_cache_is_listed_and_cleared(
    web: LocalServers,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collection = web.add_collection("Pain")
    collection.add_image("z.nii.gz", np.ones(SHAPE))
    results = open_results(str(collection.id))
    results.fetch(results.maps.values())
    assert main(["cache", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "z.nii.gz" in listed
    assert "3 entries" in listed
    with monkeypatch.context() as patch:
        # As for a file that another program has open, or that is somebody else's.
        patch.setattr(Path, "unlink", _refuse)
        assert main(["cache", "--clear"]) == 1
    told = capsys.readouterr()
    assert "Deleted 0 entries, 0.0 MB." in told.out
    assert "3 entries could not be deleted" in told.err
    assert main(["cache", "--clear"]) == 0
    assert "Deleted 3 entries" in capsys.readouterr().out
    assert main(["cache", "--list"]) == 0
    assert "0 entries" in capsys.readouterr().out


@pytest.mark.viewer
def test_an_id_is_opened_in_a_window(
    web: LocalServers, tmp_path: Path, rng: np.random.Generator
) -> None:
    collection = web.add_collection("Pain")
    collection.add_image("z.nii.gz", rng.normal(0, 3, SHAPE))
    picture = tmp_path / "picture.png"
    done = run("open", str(collection.id), "--screenshot", str(picture))
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 10_000
    assert len(web.paths("/media/")) == 1


def test_a_table_for_a_paper_leaves_the_other_tables_to_programs(
    capsys: Captured, sample_path: Path, tmp_path: Path
) -> None:
    paper = tmp_path / "t.md"
    options = ["--map", "z", "--p", ".001", "--min-voxels", "100", "--regions"]
    code, _, err = told(
        capsys, "clusters", str(sample_path), *options, "--out", str(paper)
    )
    assert (code, err) == (0, "")
    assert "| Insula | R | 38 | 4 | 2 |" in paper.read_text(encoding="utf-8")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"t.md", "t_regions.tsv", "t_regions.json"}


STOPPED = """
import signal, sys
from napari_neurosynth_results.cli import main
from napari_neurosynth_results.statistics.clusters import formation
label_clusters = formation.label_clusters
def interrupted(*values, **options):
    signal.raise_signal(signal.SIGINT)
    return label_clusters(*values, **options)
formation.label_clusters = interrupted
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["clusters", "report", "compare"])
def test_ctrl_c_is_one_line_and_leaves_nothing(
    command: str, sample_path: Path, tmp_path: Path
) -> None:
    out = ["--out", str(tmp_path / "out")] if command != "clusters" else ["--studies"]
    sources = [f"{sample_path}::z", f"{sample_path}::p"]
    sources = sources if command == "compare" else [str(sample_path)]
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, command, *sources, *out],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (130, "Stopped.\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
@pytest.mark.parametrize("command", ["info", "clusters"])
def test_a_terminal_obeys_no_name(
    command: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "a\x1b[2J\x9b\u202e\n! forged"
    z = np.full(SHAPE, 0.1)
    z[:2, :2, :2] = 6
    folder = write({"z": z}, name=f"{evil} folder")
    (folder / "z.nii.gz").rename(folder / f"{evil}_z.nii.gz")
    (folder / f"{evil}_p.nii.gz").write_text("broken")
    more = ["--map", f"{evil}_z", "--p", ".001"] if command == "clusters" else []
    assert main([command, str(folder), *more]) == 0
    assert main([command, str(folder / evil)]) == 1
    for told in capsys.readouterr():
        assert not {"\x1b", "\x9b", "\u202e"} & set(told)
        if command == "info":
            assert not [line for line in told.splitlines() if line == "! forged"]


def test_progress_writes_its_line_anew_and_names_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", CheckedStream(terminal))
    tell = terminal_progress(counted=True)
    assert tell is not None
    tell("evil\x1b[2J\r", 1, 1)
    assert terminal.getvalue() == "\r\033[K1 of 1: evil?[2J\n"
