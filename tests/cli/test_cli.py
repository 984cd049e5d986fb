"""The command line before it has loaded what commands need."""

from __future__ import annotations

import subprocess
import sys

import pytest

PACKAGE = "napari_neurosynth_results"


@pytest.mark.parametrize("module", ["argparse", "numpy", f"{PACKAGE}.api"])
def test_an_interrupt_while_it_loads_is_one_line(module: str) -> None:
    # As Ctrl+C does, while this module is being imported.
    script = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "from napari_neurosynth_results.cli import main\n"
        f"sys.modules.pop({module!r}, None)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "sys.exit(main(['info', 'x']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")
