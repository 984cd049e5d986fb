"""Which process of pytest-xdist runs which test, and when; a display for each."""

from __future__ import annotations

import ast
import os
import subprocess
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

#: What scripts/with-display.sh says when it has started a virtual display.
VIRTUAL = "NNR_VIRTUAL_DISPLAY"
_SCREEN = ("-screen", "0", "1600x1200x24", "-nolisten", "tcp")
#: How many times as long as others such tests take, about.
_COSTS = {"viewer": 50, "slow": 10}


class Schedule(LoadScopeScheduling):
    """Whole files, so that they share what they make; slow tests one by one.

    What looks at the clock is run by one process, one after the other. So are windows,
    which take the keyboard from each other, but where each process has a display of its
    own. xdist's own groups go with the names of tests, which pytest 9.2 no longer lets
    it change.
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, test = nodeid.partition("::")
        marks = marks_in(self.config.rootpath / path).get(test.partition("[")[0], "")
        window = "mark.viewer" in marks
        if "mark.timed" in marks or (window and not has_virtual_displays()):
            return "alone"
        # Tests of one file share a window.
        return nodeid if "mark.slow" in marks and not window else path


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


def longest_first(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, or one process waits for the other."""
    costs: Counter[Path] = Counter()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        costs[item.path] += max([1, *(_COSTS.get(mark, 0) for mark in marks)])
    items.sort(key=lambda item: -costs[item.path])


def has_virtual_displays() -> bool:
    """Tell whether each process may have a display of its own."""
    return os.environ.get(VIRTUAL) == "1"


def start_display() -> subprocess.Popen[bytes]:
    """Start a virtual display, and make it that of this process.

    Raises
    ------
    OSError
        When there is no Xvfb, or it does not start.
    """
    told, telling = os.pipe()
    with os.fdopen(told) as answer:
        try:
            # It takes the first free number, and tells it once it is ready.
            command = ["Xvfb", "-displayfd", str(telling), *_SCREEN]
            server = subprocess.Popen(
                command, pass_fds=[telling], stderr=subprocess.DEVNULL
            )
        finally:
            os.close(telling)
        number = answer.readline().strip()
    if not number:
        server.wait()
        raise OSError(f"Xvfb ended with {server.returncode} before it had a display.")
    os.environ["DISPLAY"] = f":{number}"
    return server


def stop_display(server: subprocess.Popen[bytes]) -> None:
    """End a display that was started here."""
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(5)
