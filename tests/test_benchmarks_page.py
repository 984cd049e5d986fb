"""docs/benchmarks.md is what `make bench` wrote, and calls a missed target missed."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
SHARED = {"measurements", "page"}
SCRIPTS = sorted({path.stem for path in (ROOT / "benchmarks").glob("*.py")} - SHARED)


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """Let the benchmarks' own modules be found while these tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        yield
    for name in SHARED:
        sys.modules.pop(name, None)


@pytest.fixture
def measurements() -> Any:
    return importlib.import_module("measurements")


@pytest.fixture
def page() -> Any:
    return importlib.import_module("page")


@pytest.fixture
def conditions(measurements: Any) -> Any:
    return measurements.Conditions(
        day="2026-02-03",
        commit="commit 0123456789 with uncommitted changes",
        processor="A processor",
        cores=2,
        system="A system",
        versions={"Python": "3.11.7", "NiMARE": "not installed"},
        busy=12.4,
    )


def a_report(measurements: Any, conditions: Any, *rows: Any) -> Any:
    table = measurements.Table(rows)
    return measurements.Report("clusters", "How.", "when", [table], conditions, 61.0)


# --- the page -----------------------------------------------------------------------


def test_every_benchmark_has_a_block_that_nobody_changed_by_hand(page: Any) -> None:
    blocks = page.blocks_of(PAGE)
    assert sorted(blocks) == sorted([*SCRIPTS, page.SUMMARY])
    assert [block.name for block in blocks.values() if not block.untouched] == []
    assert PAGE.count("<!-- ") == 2 * len(blocks)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_block_says_when_it_was_measured_and_what_came_out(
    page: Any, name: str
) -> None:
    block = page.blocks_of(PAGE)[name]
    if block.body.strip() == f"{page.NOT_YET.capitalize()}.":
        assert f"| {name} | {page.NOT_YET} |" in PAGE
        return
    line = block.body.strip().splitlines()[0]
    assert re.match(r"\d{4}-\d\d-\d\d, commit ([0-9a-f]{10}|unknown)", line)
    assert re.search(r"\d+ cores, .*Python 3\.\d+.*numpy .*napari .*nilearn ", line)
    assert block.judged


def test_the_summary_is_of_the_tables_below_it(page: Any) -> None:
    assert page.with_reports(PAGE, []) == PAGE


def in_units(text: str) -> float | None:
    """Return the number that a text begins with; of milliseconds, in seconds."""
    found = re.match(r"(-?[\d.,]+)( ms)?", text)
    if found is None:
        return None
    return float(found[1].replace(",", "")) * (1e-3 if found[2] else 1)


def test_verdicts_agree_with_the_figures_beside_them(page: Any) -> None:
    bound = re.compile(r"([<>]=) (.+)")
    for block in page.blocks_of(PAGE).values():
        for *cells, target, verdict in block.judged:
            figures = [
                number for cell in cells[1:] if (number := in_units(cell)) is not None
            ]
            sense, most = bound.search(target).groups()
            limit = in_units(most)
            held = [f <= limit if sense == "<=" else f >= limit for f in figures]
            assert (verdict == "met") in held, (block.name, cells)


def test_prose_quotes_no_figure(page: Any) -> None:
    prose = page.prose_of(PAGE)
    assert re.findall(r"\d[\d.,]* ?(?:ms|s|x|MB|GB|seconds|times|%)(?!\w)", prose) == []


def test_make_bench_runs_the_writer() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.split("\nbench:")[1].split("\n\n")[0].splitlines()[1:]
    assert len(recipe) == 1
    assert recipe[0].endswith("python benchmarks/page.py $(ONLY)")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_names_its_peer_and_its_target(name: str) -> None:
    text = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
    doc = text.split('"""')[1]
    assert re.search(r"Peers?\b|no peer", doc)
    assert re.search(r"Targets?:", doc)
    assert "Run.start(" in text
    assert ".conclude(" in text


# --- the writer ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "bound", "of", "expected"),
    [
        (155.2, 300, "", "155 x"),
        (299.96, 300, "", "299.96 x"),  # rounded to 300 it would read as met
        (0.4, 300, "ratio", "0.40 x"),
    ],
)
def test_a_missed_target_reads_missed_beside_its_bound(
    measurements: Any,
    page: Any,
    conditions: Any,
    figure: float,
    bound: float,
    of: str,
    expected: str,
) -> None:
    target = measurements.at_least(figure, bound, "x", of)
    ours = measurements.Figure.of([10.0], "ms")
    peer = measurements.Figure.of([10.0 * figure], "ms")
    rows = [measurements.Row("against a peer", ours, {"peer": peer}, target)]
    written = page.with_reports(PAGE, [a_report(measurements, conditions, *rows)])
    block = page.blocks_of(written)["clusters"]
    (row,) = block.judged
    assert row[0] == "against a peer"
    assert row[-3:] == [expected, f"{of} >= 300 x".strip(), "**missed**"]
    summary = page.blocks_of(written)[page.SUMMARY].body
    assert "| clusters | 2026-02-03, commit 0123456789 with uncommitted changes " in (
        summary
    )
    assert "| 1 | **1**: against a peer |" in summary


def test_a_met_target_reads_met(measurements: Any, page: Any, conditions: Any) -> None:
    at_bound = measurements.at_most(16.0, 16, "ms", "median")
    row = measurements.Row("fast", measurements.Figure.of([16.0], "ms"), {}, at_bound)
    report = a_report(measurements, conditions, row)
    assert report.missed == []
    written = page.with_reports(PAGE, [report])
    assert page.blocks_of(written)["clusters"].judged == [
        ["fast", "16.0 ms", "median <= 16 ms", "met"]
    ]


def test_what_could_not_be_measured_is_missed(measurements: Any) -> None:
    assert not measurements.at_most(float("nan"), 16, "ms").met
    assert not measurements.at_least(float("nan"), 16, "x").met


def test_a_partial_run_leaves_other_tables_as_they_are(
    measurements: Any, page: Any, conditions: Any
) -> None:
    row = measurements.Row("new", target=measurements.at_most(3, 2, ""))
    written = page.with_reports(PAGE, [a_report(measurements, conditions, row)])
    before, after = page.blocks_of(PAGE), page.blocks_of(written)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"clusters", page.SUMMARY}
    assert page.prose_of(written) == page.prose_of(PAGE)
    assert all(block.untouched for block in after.values())


def test_a_figure_that_is_touched_is_noticed(
    measurements: Any, page: Any, conditions: Any
) -> None:
    row = measurements.Row("new", target=measurements.at_most(3, 2, "x"))
    written = page.with_reports(PAGE, [a_report(measurements, conditions, row)])
    mended = written.replace("| 3.00 x |", "| 1.00 x |")
    assert mended != written
    assert not page.blocks_of(mended)["clusters"].untouched


def test_a_new_benchmark_gets_a_section_of_its_own(page: Any) -> None:
    written = page.with_block(PAGE, "second_picture", "Text.")
    assert list(page.blocks_of(written))[-1] == "second_picture"
    assert "\n## second_picture\n" in page.prose_of(written)


def test_columns_medians_quartiles_and_ratios(
    measurements: Any, conditions: Any
) -> None:
    ours = measurements.Figure.of_seconds([0.001, 0.002, 0.003, 0.004, 0.9])
    peer = measurements.Figure.of_seconds([0.3])
    rows = [
        measurements.Row("one", ours, {"peer": peer}, facts={"voxels": "1,234"}),
        measurements.Row("two", ours),
    ]
    lines = measurements.Table(rows).markdown().splitlines()
    assert lines[0] == "| what | voxels | ours | peer | peer / ours |"
    assert lines[2] == "| one | 1,234 | 3.00 ms (2.00 to 4.00 ms) | 300 ms | 100 x |"
    assert lines[3] == "| two |  | 3.00 ms (2.00 to 4.00 ms) |  |  |"
    turned = measurements.Table(rows, "ours / peer").markdown().splitlines()
    assert turned[0].endswith("| ours / peer |")
    assert turned[2].endswith("| 0.01 x |")


def test_conditions_are_above_the_tables(measurements: Any, conditions: Any) -> None:
    row = measurements.Row("new", target=measurements.at_most(3, 2, "x"))
    first, method, *_ = a_report(measurements, conditions, row).markdown().split("\n\n")
    assert first == (
        "2026-02-03, commit 0123456789 with uncommitted changes. A processor, 2 cores, "
        "A system; other work took 12 % of the processors just before. Python 3.11.7, "
        "NiMARE not installed. All of it took 61 s."
    )
    assert method.startswith("How. ")
    assert method.endswith("Garbage: when.")


def test_a_report_is_read_as_it_was_saved(
    measurements: Any, conditions: Any, tmp_path: Path
) -> None:
    figure = measurements.Figure.of([1.0, 2.0], "s")
    target = measurements.at_most(2.0, 1.8, "x", "ratio")
    rows = [
        measurements.Row("a", figure, {"peer": figure}, target, {"voxels": "1"}),
        measurements.Row("b"),
    ]
    report = a_report(measurements, conditions, *rows)
    report.save(tmp_path)
    again = measurements.Report.read(tmp_path / "clusters.json")
    assert again.markdown() == report.markdown()
    assert [row.what for row in again.missed] == ["a"]


def test_the_commit_says_whether_the_tree_differs_from_it(
    measurements: Any, tmp_path: Path
) -> None:
    def git(*words: str) -> str:
        who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        command = ["git", "-C", str(tmp_path), *who, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert measurements.commit_of(tmp_path) == "commit unknown"
    git("init", "--quiet")
    page = tmp_path / "docs" / "benchmarks.md"
    page.parent.mkdir()
    page.write_text("before")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    named = f"commit {git('rev-parse', '--short=10', 'HEAD')}"
    assert measurements.commit_of(tmp_path) == named
    # The page is written by the benchmarks that ran before.
    page.write_text("after")
    assert measurements.commit_of(tmp_path) == named
    (tmp_path / "new.py").write_text("")
    assert measurements.commit_of(tmp_path) == f"{named} with uncommitted changes"
