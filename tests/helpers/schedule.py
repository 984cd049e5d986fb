"""Which process of pytest-xdist runs which test."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

#: Windows take the keyboard from each other, and clocks go wrong beside others.
ALONE = ("viewer", "timed")


class Schedule(LoadScopeScheduling):
    """Whole files, so that they share what they make; slow tests one by one.

    What has to be alone is run by one process, one after the other. xdist's own groups
    go with the names of tests, which pytest 9.2 no longer lets it change.
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, test = nodeid.partition("::")
        marks = marks_in(self.config.rootpath / path).get(test.partition("[")[0], "")
        if any(f"mark.{name}" in marks for name in ALONE):
            return "alone"
        return nodeid if "mark.slow" in marks else path


@cache
def marks_in(path: Path) -> dict[str, str]:
    """Return the source of the markers of each test of a file."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    of_all = " ".join(
        ast.unparse(node.value)
        for node in body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    )
    return {
        node.name: " ".join([of_all, *map(ast.unparse, node.decorator_list)])
        for node in body
        if isinstance(node, ast.FunctionDef)
    }
