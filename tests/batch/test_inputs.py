"""Lists of sources: what a batch is asked for, with an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_neurosynth_results.batch.inputs import read_list
from napari_neurosynth_results.errors import ResultsError


def test_a_list_of_sources_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"{n}\n" for n in range(100_001)))
    with pytest.raises(ResultsError, match="lists 100,001 sources"):
        read_list([str(path)])
