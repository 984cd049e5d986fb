"""Run benchmarks and write what they report into docs/benchmarks.md: ``make bench``.

Names of benchmarks may be given; the tables of the others stay as they are. Prose on
the page is written by hand, outside of the marked blocks; a block is written here only,
and its marker holds a checksum, so that a test finds a figure that was touched.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measurements import MISSED, PAGE, REPORTS, ROOT, Report

SUMMARY = "summary"
#: Text of a block whose benchmark has not run.
NOT_YET = "not measured yet"
SCRIPTS = sorted(
    {path.stem for path in Path(__file__).parent.glob("*.py")}
    - {"measurements", Path(__file__).stem}
)
_BLOCK = re.compile(
    r"<!-- (?P<name>\w+): written by make bench, not by hand; "
    r"sha256 (?P<checksum>[0-9a-f]{16}) -->\n"
    r"(?P<body>.*?)"
    r"<!-- end of (?P=name) -->\n",
    re.DOTALL,
)
_DAY_AND_COMMIT = re.compile(r"(?P<day>\d{4}-\d\d-\d\d), (?P<commit>commit [^.]+)\.")


@dataclass(frozen=True)
class Block:
    """A part of the page that is written here."""

    name: str
    body: str
    checksum: str

    @property
    def untouched(self) -> bool:
        """Whether nobody changed it since."""
        return checksum_of(self.body) == self.checksum

    @property
    def judged(self) -> list[list[str]]:
        """Cells of the rows that have a verdict."""
        lines = (line for line in self.body.splitlines() if line.startswith("| "))
        cells = [line.strip("| ").split(" | ") for line in lines]
        return [row for row in cells if row[-1] in ("met", "**missed**")]


def checksum_of(body: str) -> str:
    """Return what the marker of a block says of it."""
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def blocks_of(page: str) -> dict[str, Block]:
    """Return the blocks of a page in their order."""
    found = [Block(m["name"], m["body"], m["checksum"]) for m in _BLOCK.finditer(page)]
    return {block.name: block for block in found}


def prose_of(page: str) -> str:
    """Return what is written by hand."""
    return _BLOCK.sub("", page)


def with_block(page: str, name: str, text: str) -> str:
    """Return a page with the text of a block exchanged; a new one comes last."""
    body = f"\n{text.strip()}\n\n"
    written = (
        f"<!-- {name}: written by make bench, not by hand; "
        f"sha256 {checksum_of(body)} -->\n{body}<!-- end of {name} -->\n"
    )
    for found in _BLOCK.finditer(page):
        if found["name"] == name:
            return page[: found.start()] + written + page[found.end() :]
    return f"{page.rstrip()}\n\n## {name}\n\n{written}"


def with_reports(page: str, reports: Sequence[Report]) -> str:
    """Return a page with the tables of some benchmarks, and the summary of all."""
    for report in reports:
        page = with_block(page, report.name, report.markdown())
    return with_block(page, SUMMARY, summary_of(blocks_of(page)))


def summary_of(blocks: dict[str, Block]) -> str:
    """Return a table of all benchmarks: when each ran, and which targets it missed."""
    lines = ["| benchmark | run | targets | missed |", "|---|---|---|---|"]
    for block in blocks.values():
        if block.name == SUMMARY:
            continue
        run = _DAY_AND_COMMIT.search(block.body)
        if run is None:
            lines.append(f"| {block.name} | {NOT_YET} | | |")
            continue
        missed = [row[0] for row in block.judged if row[-1] != "met"]
        told = f"**{len(missed)}**: {'; '.join(missed)}" if missed else "none"
        when = f"{run['day']}, {run['commit']}"
        lines.append(f"| {block.name} | {when} | {len(block.judged)} | {told} |")
    return "\n".join(lines)


def main() -> int:
    """Run the benchmarks one after the other; each is on the page when it has ended."""
    # In the order of the page, which is the reader's.
    names = list(dict.fromkeys([*blocks_of(_read()), *SCRIPTS]))
    names.remove(SUMMARY)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"{', '.join(names)}; all if none")
    parser.add_argument("--quick", action="store_true", help="few repeats, no page")
    parser.add_argument(
        "--reported",
        action="store_true",
        help="run nothing: write what build/benchmarks holds",
    )
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    codes = {
        name: _write(name) if options.reported else _run(name, options.quick)
        for name in options.names or names
    }
    for name, code in codes.items():
        told = {0: "every target met", MISSED: "a target missed"}.get(code, "FAILED")
        print(f"{name}: {told}", file=sys.stderr)
    failed = [code for code in codes.values() if code not in (0, MISSED)]
    return 1 if failed else max(codes.values())


def _run(name: str, quick: bool) -> int:
    print(f"\n== {name}\n", flush=True)
    kept = REPORTS / f"{name}.json"
    script = Path(__file__).with_name(f"{name}.py")
    if quick:
        return subprocess.run([sys.executable, str(script), "--quick"]).returncode
    kept.unlink(missing_ok=True)
    code = subprocess.run([sys.executable, str(script)], cwd=ROOT).returncode
    return _write(name) if kept.exists() else code or 1


def _write(name: str) -> int:
    kept = REPORTS / f"{name}.json"
    if not kept.exists():
        print(f"{kept} is not there: run benchmarks/{name}.py", file=sys.stderr)
        return 1
    report = Report.read(kept)
    PAGE.write_text(with_reports(_read(), [report]), encoding="utf-8")
    return MISSED if report.missed else 0


def _read() -> str:
    return PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
