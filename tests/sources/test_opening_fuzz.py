"""Whatever a file holds: success or a `ResultsError`, in bounded time and memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("fuzz_door.py")


@pytest.mark.slow
def test_mutated_images_open_or_are_refused():
    # Single-threaded BLAS: its threads would take much of the limited address space.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    # A process of its own, because a limit on memory cannot be taken back, and because
    # a crash or a hang of a compiled part has to fail the test, not to end it.
    done = subprocess.run(
        [sys.executable, str(_SCRIPT)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = json.loads(done.stdout)
    assert outcomes["examples"] >= 500
    # Mutations that are all refused at the door would prove little about what follows.
    assert outcomes["read"] > 100
    assert outcomes["refused"] > 50
    assert outcomes["broken inside"] > 5
