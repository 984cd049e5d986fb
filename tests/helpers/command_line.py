"""The command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def run(
    *arguments: str, before: str = "", **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    env = {**os.environ, **{k: v for k, v in environment.items() if v is not None}}
    for name, value in environment.items():
        if value is None:
            env.pop(name, None)
    code = (
        f"import sys\n{before}\n"
        "from napari_neurosynth_results.cli import main\n"
        f"sys.exit(main({list(arguments)!r}))"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=180,
        env=env,
    )
