"""A folder of results, and the same map in it under several names."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "results"
    path.mkdir()
    return path


@pytest.fixture
def fill(save, values):
    """Write the same map under several names."""

    def write(*names: str) -> None:
        for name in names:
            save(f"results/{name}", values)

    return write
