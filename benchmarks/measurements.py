"""What a benchmark measured, on what machine, and whether its targets are met.

Every benchmark starts a `Run` and ends it with its tables. They are printed, and kept
as JSON in build/benchmarks, from where ``benchmarks/page.py`` takes them into
docs/benchmarks.md. A quick run keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "build" / "benchmarks"
PAGE = ROOT / "docs" / "benchmarks.md"
#: Exit code of a benchmark that ran, and missed a target; 1 is for what went wrong.
MISSED = 3
#: Those that decide the figures, ours and the peers'. Without indexed_gzip nibabel
#: inflates by Python's own zlib.
PACKAGES = (
    *("numpy", "scipy", "pandas", "nibabel", "isal", "scikit-image"),
    *("napari", "vispy", "PyQt6", "PySide6", "nilearn", "NiMARE", "indexed_gzip"),
)

Unit = Literal["ms", "s", "MB", "x", ""]


def shown(value: float, unit: Unit, more: int = 0) -> str:
    """Write a quantity with three digits, or ``more`` of them, and its unit."""
    if unit == "" and float(value).is_integer():
        return f"{value:,.0f}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits + more}f} {unit}".strip()


@dataclass(frozen=True)
class Figure:
    """A quantity that was measured ``n`` times: the median and both quartiles."""

    median: float
    low: float
    high: float
    n: int
    unit: Unit

    @classmethod
    def of(cls, values: Sequence[float], unit: Unit) -> Figure:
        """Summarize what was measured."""
        low, median, high = np.percentile(values, (25, 50, 75)).tolist()
        return cls(median, low, high, len(values), unit)

    @classmethod
    def of_seconds(cls, seconds: Sequence[float]) -> Figure:
        """Summarize times, as milliseconds."""
        return cls.of([1000 * taken for taken in seconds], "ms")

    def __str__(self) -> str:
        text = shown(self.median, self.unit)
        if self.n == 1:
            return text
        low, high = (shown(value, self.unit) for value in (self.low, self.high))
        return f"{text} ({low.removesuffix(f' {self.unit}')} to {high})"


@dataclass(frozen=True)
class Target:
    """A figure, and the bound that it is held against.

    ``of`` says which figure that is. Our own median (or time, of what happens once) and
    the ratio to the only peer stand in columns of their own.
    """

    figure: float
    sense: Literal["<=", ">="]
    bound: float
    unit: Unit
    of: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure, before it is rounded, is within the bound."""
        if self.sense == "<=":
            return self.figure <= self.bound
        return self.figure >= self.bound

    @property
    def verdict(self) -> str:
        """The word for it."""
        return "met" if self.met else "**missed**"

    @property
    def told(self) -> str:
        """The bound in words."""
        bound = f"{self.bound:,g} {self.unit}".strip()
        return f"{self.of} {self.sense} {bound}".strip()

    @property
    def figure_told(self) -> str:
        """The figure, with as many digits as the verdict needs."""
        for more in range(4):
            text = shown(self.figure, self.unit, more)
            read = float(text.removesuffix(self.unit).replace(",", ""))
            if Target(read, self.sense, self.bound, self.unit).met == self.met:
                break
        return text

    @property
    def stands_elsewhere(self) -> bool:
        """Whether the row shows the figure anyway, and its rounding misleads nobody."""
        plain = shown(self.figure, self.unit)
        return self.of in ("median", "time", "ratio") and self.figure_told == plain


def at_most(figure: float, bound: float, unit: Unit, of: str = "") -> Target:
    """Return a target that is met when the figure is no larger than its bound."""
    return Target(float(figure), "<=", bound, unit, of)


def at_least(figure: float, bound: float, unit: Unit, of: str = "") -> Target:
    """Return a target that is met when the figure is no smaller than its bound."""
    return Target(float(figure), ">=", bound, unit, of)


@dataclass(frozen=True)
class Row:
    """One thing that was measured, beside its peers in the same run.

    ``facts`` are what a reader needs to know of the case, by the heads of their
    columns.
    """

    what: str
    ours: Figure | None = None
    peers: Mapping[str, Figure] = field(default_factory=dict)
    target: Target | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows of one kind, and what to divide by what."""

    rows: Sequence[Row]
    ratio: Literal["peer / ours", "ours / peer"] = "peer / ours"
    caption: str = ""

    def ratio_to(self, row: Row, peer: str) -> float | None:
        """Divide the medians; None where the peer was not run."""
        if row.ours is None or peer not in row.peers:
            return None
        ours, other = row.ours.median, row.peers[peer].median
        return other / ours if self.ratio == "peer / ours" else ours / other

    @property
    def missed(self) -> list[Row]:
        """Rows whose target is missed."""
        return [row for row in self.rows if row.target and not row.target.met]

    def markdown(self) -> str:
        """Return the table without columns that are empty."""
        columns = self._columns()
        filled = {head: cells for head, cells in columns.items() if any(cells)}
        lines = [tuple(filled), ("---",) * len(filled)]
        lines += zip(*filled.values(), strict=True)
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"{self.caption}\n\n{table}" if self.caption else table

    def _columns(self) -> dict[str, list[str]]:
        rows = self.rows
        facts = dict.fromkeys(name for row in rows for name in row.facts)
        peers = dict.fromkeys(name for row in rows for name in row.peers)
        columns = {"what": [row.what for row in rows]}
        for name in facts:
            columns[name] = [row.facts.get(name, "") for row in rows]
        columns["ours"] = [_told(row.ours) for row in rows]
        for name in peers:
            ratios = [self.ratio_to(row, name) for row in rows]
            columns[name] = [_told(row.peers.get(name)) for row in rows]
            columns[self.ratio.replace("peer", name)] = [
                "" if ratio is None else shown(ratio, "x") for ratio in ratios
            ]
        targets = [row.target for row in rows]
        columns["figure"] = [
            "" if target is None or target.stands_elsewhere else target.figure_told
            for target in targets
        ]
        columns["target"] = [target.told if target else "" for target in targets]
        columns["verdict"] = [target.verdict if target else "" for target in targets]
        return columns


def _told(figure: Figure | None) -> str:
    return "" if figure is None else str(figure)


@dataclass(frozen=True)
class Conditions:
    """When, of what, and on what machine something was measured."""

    day: str
    commit: str
    processor: str
    cores: int
    system: str
    versions: Mapping[str, str]
    #: Share of all processors that something else used, just before; percent.
    busy: float

    @classmethod
    def now(cls) -> Conditions:
        """Look at the project, the machine and what is installed."""
        versions = {"Python": platform.python_version()}
        for package in PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                versions[package] = "not installed"
        return cls(
            date.today().isoformat(),
            commit_of(ROOT),
            _processor(),
            os.cpu_count() or 0,
            _system(),
            versions,
            psutil.cpu_percent(interval=1.0),
        )

    def markdown(self) -> str:
        """Return the line above the tables."""
        versions = ", ".join(
            f"{package} {number}"
            for package, number in self.versions.items()
            # One of two, and its absence says nothing.
            if number != "not installed" or not package.startswith("Py")
        )
        return (
            f"{self.day}, {self.commit}. {self.processor}, {self.cores} cores, "
            f"{self.system}; other work took {self.busy:.0f} % of the processors just "
            f"before. {versions}."
        )


def commit_of(root: Path) -> str:
    """Name the commit of a tree, and say when the tree differs from it.

    The page does not count: benchmarks that ran before have written it.
    """

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        head = git("rev-parse", "--short=10", "HEAD")
        page = f":(exclude){PAGE.relative_to(ROOT).as_posix()}"
        changed = git("status", "--porcelain", "--", ".", page)
    except (OSError, subprocess.CalledProcessError):
        return "commit unknown"
    return f"commit {head}{' with uncommitted changes' if changed else ''}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def graphics() -> str:
    """Return what draws the canvases of this process, asked on one of its own."""
    from vispy.app import Canvas
    from vispy.gloo import gl

    canvas = Canvas(size=(10, 10), show=False)
    canvas.set_current()
    renderer = str(gl.glGetParameter(gl.GL_RENDERER))
    canvas.close()
    return renderer


def twelve_maps(scratch: Path) -> Path:
    """Copy the sample, which has eleven maps, and one of them again."""
    from napari_neurosynth_results.sample import sample_folder

    folder = scratch / "twelve"
    shutil.copytree(sample_folder(), folder)
    shutil.copy(folder / "stat.nii.gz", folder / "est.nii.gz")
    return folder


def sixty_maps(scratch: Path) -> Path:
    """Give the sample's maps the names of an MKDAChi2 result, twenty contrasts."""
    from napari_neurosynth_results.sample import sample_folder

    folder = scratch / "sixty"
    folder.mkdir()
    for value in ("z", "p", "logp"):
        for index in range(20):
            name = f"{value}_desc-contrast{index:02}.nii.gz"
            shutil.copy(Path(sample_folder()) / f"{value}.nii.gz", folder / name)
    return folder


@dataclass(frozen=True)
class Report:
    """All that a benchmark has to say.

    ``method`` and ``garbage`` say what was repeated how often, and when Python's
    garbage collector ran.
    """

    name: str
    method: str
    garbage: str
    tables: Sequence[Table]
    conditions: Conditions
    seconds: float

    @property
    def missed(self) -> list[Row]:
        """Rows of all tables whose target is missed."""
        return [row for table in self.tables for row in table.missed]

    def markdown(self) -> str:
        """Return what the page shows: conditions, method and tables."""
        conditions = (
            f"{self.conditions.markdown()} All of it took {self.seconds:.0f} s."
        )
        method = (
            f"{self.method} Medians, with the quartiles in brackets where there are "
            f"several. Garbage: {self.garbage}."
        )
        tables = [table.markdown() for table in self.tables]
        return "\n\n".join([conditions, method, *tables])

    def save(self, folder: Path) -> None:
        """Write the report as JSON, named after the benchmark."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1) + "\n"
        (folder / f"{self.name}.json").write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read what `save` wrote."""
        found = json.loads(path.read_text(encoding="utf-8"))
        found["tables"] = [_table(each) for each in found["tables"]]
        found["conditions"] = Conditions(**found["conditions"])
        return cls(**found)


def _table(found: dict[str, Any]) -> Table:
    rows = []
    for row in found.pop("rows"):
        ours, target = row.pop("ours"), row.pop("target")
        peers = {name: Figure(**peer) for name, peer in row.pop("peers").items()}
        rows.append(
            Row(
                ours=Figure(**ours) if ours else None,
                target=Target(**target) if target else None,
                peers=peers,
                **row,
            )
        )
    return Table(rows, **found)


@dataclass(frozen=True)
class Run:
    """One run of a benchmark, from its command line to its report."""

    name: str
    options: argparse.Namespace
    conditions: Conditions
    started: float

    @classmethod
    def start(
        cls,
        script: str,
        doc: str,
        options: Callable[[argparse.ArgumentParser], object] = lambda _: None,
    ) -> Run:
        """Read the command line, and look at the machine before it is busy.

        Parameters
        ----------
        script : str
            ``__file__`` of the benchmark.
        doc : str
            Its docstring, whose first line is its help.
        options : callable
            Adds what only this benchmark is asked for.
        """
        parser = argparse.ArgumentParser(description=doc.splitlines()[0])
        parser.add_argument(
            "--quick",
            action="store_true",
            help="few repeats, to see that it works; nothing is kept for the page",
        )
        options(parser)
        told = parser.parse_args()
        return cls(Path(script).stem, told, Conditions.now(), time.perf_counter())

    def rounds(self, usual: int, quick: int) -> int:
        """Return how often something is repeated."""
        return quick if self.options.quick else usual

    def conclude(self, tables: Sequence[Table], *, method: str, garbage: str) -> int:
        """Print the tables, keep them for the page, and return the exit code."""
        seconds = time.perf_counter() - self.started
        report = Report(self.name, method, garbage, tables, self.conditions, seconds)
        print(f"{report.markdown()}\n")
        if not self.options.quick:
            report.save(REPORTS)
        for row in report.missed:
            assert row.target is not None
            told = f"{row.target.figure_told}, target {row.target.told}"
            print(f"{self.name}, {row.what}: missed, {told}", file=sys.stderr)
        return MISSED if report.missed else 0
