"""The shared options: the same in every command, and done as the headless API does."""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import napari_neurosynth_results as nnr
from helpers.batches import blob, read
from napari_neurosynth_results.api.map_requests import MaskSource
from napari_neurosynth_results.cli import main
from napari_neurosynth_results.cli.batch import add_batch
from napari_neurosynth_results.cli.clusters import add_clusters
from napari_neurosynth_results.cli.compare import add_compare
from napari_neurosynth_results.cli.info import add_report
from napari_neurosynth_results.cli.options import (
    add_kinds,
    kinds_from,
    terminal_progress,
)

Captured = pytest.CaptureFixture[str]
Write = Callable[..., Path]

THRESHOLD = {
    *("--value", "--p", "--q", "--bonferroni", "--fdr", "--dof", "--tail"),
    *("--connectivity", "--min-voxels", "--min-mm3"),
}
MASK = {"--mask", "--mask-map", "--mask-p", "--brain-mask", "--outside"}
ABOUT_CLUSTERS = {
    *("--kind", "--atlas", "--regions", "--studies", "--leave-one-out"),
    *("--tdp-alpha", "--tdp-dependence", "--active-parts"),
}
#: What means something for each command.
SHARED = {
    **dict.fromkeys(("clusters", "batch", "report"), THRESHOLD | MASK | ABOUT_CLUSTERS),
    "compare": THRESHOLD | MASK | {"--kind", "--atlas"},
}
#: What one command alone has, because it says what that one writes or how it runs.
OWN = {
    # Tables of batches and reports have it always.
    "clusters": {"--tdp", "--labels", "--figure", "--figure-kind"},
    "batch": {"--workers", "--scheduler", "--again"},
    "compare": set(),
    "report": set(),
}
#: What all have, each in its own words.
EVERYWHERE = {"--help", "--map", "--out"}
COMMANDS = tuple(SHARED)


@pytest.fixture
def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands that ask something of maps."""
    made = argparse.ArgumentParser().add_subparsers()
    for add in (add_clusters, add_batch, add_compare, add_report):
        add(made)
    return dict(made.choices)


def test_every_command_has_the_options_that_mean_something(
    commands: dict[str, argparse.ArgumentParser],
) -> None:
    told: dict[str, set[tuple[object, ...]]] = {}
    for name, parser in commands.items():
        found = {o: action for action in parser._actions for o in action.option_strings}
        # Another option is one that the others want too, or a reason.
        long = {option for option in found if option.startswith("--")}
        long -= {option for option in long if option.startswith("--no-")}
        assert long == SHARED[name] | OWN[name] | EVERYWHERE
        for option in SHARED[name]:
            action = found[option]
            default = None if option == "--studies" else action.default
            about = (action.help, action.metavar, tuple(action.choices or ()), default)
            told.setdefault(option, set()).add(about)
    # One help, one way to write it, one meaning of leaving it out.
    assert {option: len(abouts) for option, abouts in told.items()} == dict.fromkeys(
        told, 1
    )
    assert all(help_ for [(help_, *_)] in told.values())


def test_what_commands_take_and_write_is_called_alike(
    commands: dict[str, argparse.ArgumentParser],
) -> None:
    for name, parser in commands.items():
        found = {action.dest: action for action in parser._actions}
        assert found["path"].nargs == "+"
        assert found["map"].metavar == "NAME"
        assert found["out"].metavar == ("FILE" if name == "clusters" else "DIR")
        assert found["out"].required == (name in ("batch", "report"))
        assert all(found[dest].help for dest in ("path", "map", "out"))


@pytest.mark.parametrize(
    ("command", "option", "name"),
    [
        ("clusters", "--out", "t.tsv"),
        ("clusters", "--labels", "l.nii"),
        ("clusters", "--figure", "f.png"),
        ("compare", "--out", "new"),
        ("report", "--out", "new"),
    ],
)
def test_a_name_that_is_taken_is_told_before_anything_is_opened(
    tmp_path: Path, capsys: Captured, command: str, option: str, name: str
) -> None:
    taken = tmp_path / name
    taken.write_text("mine")
    nowhere = str(tmp_path / "is not there")
    assert main([command, nowhere, nowhere, option, str(taken)]) == 1
    assert capsys.readouterr().err == f"{taken} exists already. Choose another name.\n"
    assert taken.read_text() == "mine"


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_downloads_add_up_on_one_line_that_goes_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    tell = terminal_progress()
    assert tell is not None
    tell("a", 1000, 3000)
    tell("b", 500, 1000)
    assert terminal.getvalue().endswith("\r\033[Kb: 1,500 of 4,000")
    tell("a", 3000, 3000)
    tell("b", 1000, 1000)
    assert terminal.getvalue().endswith("\r\033[K")


def test_things_are_counted_and_the_time_left_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    clock = iter([0.0, 10.0, 20.0, 30.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    tell = terminal_progress(counted=True)
    assert tell is not None
    # Three were done before.
    tell("fourth", 4, 6)
    tell("fifth", 5, 6)
    tell("sixth", 6, 6)
    assert terminal.getvalue().split("\r\033[K")[1:] == [
        "4 of 6, about 20 s left: fourth",
        "5 of 6, about 10 s left: fifth",
        "6 of 6: sixth\n",
    ]


def test_what_is_made_ready_before_the_first_is_no_part_of_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    clock = iter([0.0, 1.0, 100.0, 110.0, 120.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    tell = terminal_progress(counted=True)
    assert tell is not None
    # As leaving each experiment out tells: so many are done.
    for done in (0, 0, 1, 2, 3):
        tell("out", done, 3)
    assert terminal.getvalue().split("\r\033[K")[1:] == [
        "0 of 3: out",
        "0 of 3: out",
        "1 of 3, about 20 s left: out",
        "2 of 3, about 10 s left: out",
        "3 of 3: out\n",
    ]


@pytest.mark.parametrize("counted", [False, True])
def test_a_file_gets_no_lines_of_progress(
    counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert terminal_progress(counted=counted) is None


def ask(command: str, source: Path, out: Path, *options: str) -> int:
    """Ask about the z of a source, in whatever command."""
    arguments = {
        "clusters": [str(source), "--map", "z"],
        "batch": [str(source), "--map", "z", "--workers", "0"],
        "compare": [f"{source}::z", f"{source}::z"],
        "report": [str(source), "--map", "z", "--no-studies"],
    }[command]
    where = ["--out", str(out)] if command != "clusters" else []
    return main([command, *arguments, *where, *options])


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (("--q", ".05", "--fdr", "by"), {"q": 0.05, "fdr": "BY"}),
        (("--p", ".001", "--min-mm3", "800"), {"p": 0.001, "min_mm3": 800}),
        (
            ("--value", "3.5", "--connectivity", "26", "--tail", "positive"),
            {"value": 3.5, "connectivity": 26, "tail": "positive"},
        ),
    ],
)
def test_a_threshold_is_that_of_the_api(
    command: str,
    options: tuple[str, ...],
    asked: dict[str, object],
    sample_path: Path,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    assert ask(command, sample_path, tmp_path / "out", *options) == 0
    told = capsys.readouterr().out
    found = nnr.find_clusters(nnr.open_results(sample_path)["z"], **asked)
    if command == "compare":
        assert f"\na: pain-ale: z, uncorrected (1): {found}\n" in told
        assert (
            int(told.split("\nall ")[1].split()[0]) == found.labels.astype(bool).sum()
        )
    elif command == "batch":
        table = read(tmp_path / "out" / "clusters.tsv")
        assert (
            table["n_voxels"].astype(int).tolist() == found.table["n_voxels"].tolist()
        )
        assert set(table["threshold"]) == {str(found.threshold)}
    else:
        assert f"z, uncorrected: {found}\n" in told


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("options", "source"),
    [
        (
            ("--mask-map", "stat", "--mask-p", ".0001", "--outside"),
            MaskSource("map", "stat", p=0.0001, outside=True),
        ),
        (("--mask", "{labels}"), MaskSource("file", "{labels}")),
        (("--brain-mask",), MaskSource("brain")),
    ],
)
def test_a_mask_is_that_of_the_api(
    command: str,
    options: tuple[str, ...],
    source: MaskSource,
    sample_path: Path,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    labels = str(next(sample_path.glob("label_*")))
    given = [option.format(labels=labels) for option in options]
    source = MaskSource(
        source.kind, source.name.format(labels=labels), source.p, source.outside
    )
    out = tmp_path / "out"
    assert ask(command, sample_path, out, "--p", ".001", *given) == 0
    told = capsys.readouterr().out
    results = nnr.open_results(sample_path)
    mask = source.masking(results["z"], results)
    found = nnr.find_clusters(results["z"], p=0.001, mask=mask)
    assert len(found) > 0
    if command == "batch":
        table = read(out / "clusters.tsv")
        assert (
            table["n_voxels"].astype(int).tolist() == found.table["n_voxels"].tolist()
        )
        assert str(source) in (out / "index.html").read_text().replace("&lt;", "<")
    elif command == "compare":
        expected = nnr.compare_maps(
            results["z"], results["z"], threshold_a=found, threshold_b=found, mask=mask
        )
        assert told.splitlines()[0] == str(expected)
        n = expected.over_mask.n_voxels
        assert n == (mask.mask & results["z"].mask).sum()
        assert f"over {n:,} voxels" in told
    else:
        assert f"z, uncorrected: {found}\n" in told


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--p", ".001", "--mask-p", ".01"), "--mask-map and --mask-p go together"),
        (("--p", ".001", "--outside"), "outside of what"),
        (("--p", ".001", "--fdr", "by"), "give q with it"),
        (("--fdr", "by"), "give q with it"),
        (("--min-mm3", "80"), "needs a height"),
        (("--p", "2"), "between 0 and 1"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_opened(
    command: str,
    options: tuple[str, ...],
    says: str,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    nowhere = tmp_path / "nowhere"
    assert ask(command, nowhere, tmp_path / "out", *options) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def with_t(write: Write) -> Path:
    """Return a result with a t map that does not state its degrees of freedom."""
    return write({"spmT_0001": blob(6), "z": blob(6)}, name="both")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["batch", "compare", "report"])
def test_degrees_of_freedom_are_for_the_maps_that_take_them(
    command: str, with_t: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = ["--out", str(tmp_path / "out")]
    maps = ["--map", "spmT_0001", "--map", "z"]
    arguments = {
        "batch": [str(with_t), *maps, "--workers", "0"],
        "compare": [f"{with_t}::spmT_0001", f"{with_t}::z"],
        "report": [str(with_t), *maps, "--no-studies"],
    }[command]
    asked = [command, *arguments, "--p", ".01"]
    assert main([*asked, *out, "--dof", "18"]) == 0
    told = capsys.readouterr().out
    if command == "batch":
        told = " ".join(read(tmp_path / "out" / "clusters.tsv")["threshold"])
    assert "t >= 2.55 (p <= .01, one-tailed, a guess, 18 degrees of freedom)" in told
    assert "z >= 2.33 (p <= .01" in told
    assert main([*asked, "--out", str(tmp_path / "without")]) == 1


def test_without_a_height_a_t_map_opens_by_the_p_that_was_made_possible(
    with_t: Path, capsys: Captured
) -> None:
    arguments = ["clusters", str(with_t), "--map", "spmT_0001"]
    assert main(arguments) == 0
    assert "p <=" not in capsys.readouterr().out.splitlines()[0]
    assert main([*arguments, "--dof", "18"]) == 0
    assert "(p <= .001" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.slow
def test_without_a_height_every_command_takes_that_of_the_first_look(
    sample_path: Path, tmp_path: Path, capsys: Captured
) -> None:
    for command in COMMANDS:
        out = tmp_path / command
        assert ask(command, sample_path, out, "--connectivity", "26") == 0
        told = capsys.readouterr().out
        if command == "batch":
            told = read(out / "summary.tsv").loc[0, "sentence"]
        assert "z >= 3.09 (p <= .001, one-tailed)" in told
        if command != "compare":
            assert "26-connected" in told


def test_the_mask_of_a_comparison_is_a_map_of_its_first_source(
    write: Write, capsys: Captured
) -> None:
    there = np.zeros_like(blob())
    there[:4] = 9
    first = write({"z": blob(6), "z_desc-there": there + 0.1}, name="first")
    second = write({"z": blob(6) + np.flip(blob(7), axis=0)}, name="second")
    arguments = ["compare", f"{first}::z", f"{second}::z", "--p", ".001"]
    masked = ["--mask-map", "z_desc-there", "--mask-p", ".01"]
    assert main(arguments) == 0
    assert "Dice 0.6" in capsys.readouterr().out
    assert main([*arguments, *masked]) == 0
    # What only the second shows lies outside of the mask.
    assert "Dice 1.000" in capsys.readouterr().out


@pytest.mark.slow
def test_a_report_may_have_tables_of_regions(
    sample_path: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert ask("report", sample_path, tmp_path / "plain", "--p", ".001") == 0
    assert ask("report", sample_path, tmp_path / "out", "--p", ".001", "--regions") == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    plain = {path.name for path in (tmp_path / "plain").iterdir()}
    assert plain == {"report.html", "z_clusters.tsv", "z_clusters.json"}
    assert names - plain == {"z_regions.tsv", "z_regions.json"}
    assert "insula R" in (tmp_path / "out" / "z_regions.tsv").read_text()


@pytest.mark.slow
def test_a_batch_remembers_what_is_new_and_writes_what_is_old_as_before(
    sample_path: Path, tmp_path: Path, capsys: Captured
) -> None:
    def asked(name: str, *options: str) -> dict[str, object]:
        assert ask("batch", sample_path, tmp_path / name, *options) == 0
        document: dict[str, object] = json.loads(
            (tmp_path / name / "batch.json").read_text()
        )
        return document

    plain = asked("plain", "--p", ".001")
    assert list(plain) == [
        *("maps", "value", "p", "q", "bonferroni", "fdr", "tail", "connectivity"),
        *("min_voxels", "min_mm3", "atlas", "studies", "version", "made_by", "files"),
    ]
    masked = ("--p", ".001", "--mask-map", "stat", "--mask-p", ".01", "--regions")
    more = asked("more", *masked)
    assert set(more) - set(plain) == {"mask", "regions"}
    regions = read(tmp_path / "more" / "regions.tsv")
    results = nnr.open_results(sample_path)
    mask = nnr.mask_from_map(results["z"], results["stat"], p=0.01)
    found = nnr.find_clusters(results["z"], p=0.001, mask=mask).regions
    assert regions["region"].tolist() == found["region"].tolist()
    assert regions["n_voxels"].astype(int).tolist() == found["n_voxels"].tolist()
    assert "regions.tsv" in (tmp_path / "more" / "index.html").read_text()
    capsys.readouterr()
    assert asked("more", *masked) == more
    assert "1 done before" in capsys.readouterr().out
    other = ("--p", ".001", "--mask-map", "stat", "--mask-p", ".02", "--regions")
    assert ask("batch", sample_path, tmp_path / "more", *other) == 1
    assert "another question" in capsys.readouterr().err


def test_a_map_that_one_result_has_not_fails_there_alone(
    sample_path: Path, write: Write, tmp_path: Path, capsys: Captured
) -> None:
    small = write({"z": blob()}, name="small")
    mask = MaskSource("map", "stat", p=0.01)
    out = tmp_path / "out"
    done = nnr.run_batch(
        [small, sample_path], out, maps="z", p=0.001, mask=mask, workers=0
    )
    assert [record.status for record in done.records] == ["failed", "done"]
    assert "holds no map named stat" in done.records[0].sentence


@pytest.mark.parametrize(
    ("kind", "name", "outside"),
    [
        ("file", "", False),
        ("brain", "x", False),
        ("brain", "", True),
        ("roi", "x", False),
    ],
)
def test_a_mask_of_nothing_is_refused(kind: str, name: str, outside: bool) -> None:
    with pytest.raises(nnr.ResultsError):
        MaskSource(kind, name, outside=outside)


def test_the_path_of_a_mask_is_that_of_the_caller(
    sample_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = next(sample_path.glob("label_*"))
    monkeypatch.chdir(labels.parent)
    nnr.run_batch(
        sample_path, tmp_path / "out", maps="z", p=0.01, mask=labels.name, workers=0
    )
    document = json.loads((tmp_path / "out" / "batch.json").read_text())
    assert document["mask"]["name"] == str(labels)


def test_what_a_map_holds_is_said_and_kept(
    write: Callable[..., Path],
    tmp_path: Path,
    rng: np.random.Generator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    z = rng.normal(size=(8, 9, 8))
    z[2:4, 2:4, 2:4] = 5.5
    folder = str(write({"pain_p": z}))
    asked = ["--p", ".001", "--atlas", "none"]
    assert main(["clusters", folder, *asked]) != 0
    assert "--kind pain_p=KIND" in capsys.readouterr().err
    stated = ["--kind", "pain_p=z two-tailed"]
    assert main(["clusters", folder, *asked, *stated]) == 0
    assert "|z| >= 3.29 (p <= .001, two-tailed)" in capsys.readouterr().out
    assert main(["info", folder, *stated]) == 0
    assert "a guess" not in capsys.readouterr().out
    out = tmp_path / "batch"
    more = ["--out", str(out), "--workers", "0"]
    assert main(["batch", folder, *asked, *stated, *more]) == 0
    kept = [path.read_text() for path in out.rglob("*.json")]
    assert any('"pain_p": "z two-tailed"' in text for text in kept)
    assert main(["compare", folder, folder, "--kind", "nowhere=z"]) != 0
    assert "No source has a map nowhere" in capsys.readouterr().err


def test_info_says_on_whose_word(
    capsys: Captured, write: Callable[..., Path], rng: np.random.Generator
) -> None:
    maps = {"zstat1": rng.normal(size=(8, 9, 8)), "own": np.ones((8, 9, 8))}
    folder = str(write(maps))
    assert main(["info", folder, "--kind", "own=t two-tailed df=18"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1].strip() for line in out[3:]] == [
        "name (FSL FEAT)",
        "you",
    ]
    assert main(["info", folder, "--json", "--kind", "own=t two-tailed df=18"]) == 0
    own = {one["name"]: one for one in json.loads(capsys.readouterr().out)["maps"]}
    assert (own["own"]["told_by"], own["own"]["dof"]) == ("user", 18)
    assert (own["zstat1"]["told_by"], own["zstat1"]["dof"]) == ("name", None)
    assert main(["info", folder]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("nobody")


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("own=z", "own", "z"),
        ("own=t two-tailed df=18", "own", "t two-tailed df=18"),
        ("pFgA_given_pF=0.50=F df = 2,30", "pFgA_given_pF=0.50", "F df = 2,30"),
        ("a=F;DOF=2,30", "a", "F;DOF=2,30"),
        ("x_df=t", "x_df", "t"),
    ],
)
def test_a_kind_may_hold_degrees_of_freedom(text: str, name: str, kind: str) -> None:
    parser = argparse.ArgumentParser()
    add_kinds(parser)
    assert kinds_from(parser.parse_args(["--kind", text])) == {name: kind}


@pytest.mark.parametrize("text", ["own", "=z", "own="])
def test_a_kind_needs_a_name_and_a_kind(text: str) -> None:
    parser = argparse.ArgumentParser()
    add_kinds(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--kind", text])
