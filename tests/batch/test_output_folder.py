"""What stands in the folder of a batch counts only as it was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import napari_neurosynth_results as nnr
from helpers.batches import blob
from napari_neurosynth_results.errors import ResultsError

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("clusters.tsv", lambda raw: raw + b"one\tmore\n"),
        ("clusters.tsv", lambda raw: raw.replace(b"one", b"\xff\xfe")),
        ("clusters.tsv", lambda raw: raw[: len(raw) // 2]),
        ("clusters.tsv", None),
        ("record.json", lambda raw: b"[" * 200_000),
        (
            "record.json",
            lambda raw: raw.replace(b'"n_clusters": 1', b'"n_clusters": ""'),
        ),
        ("record.json", lambda raw: raw.replace(b'"status": "done"', b'"status": []')),
        ("record.json", lambda raw: raw.replace(b'"name": "', b'"name": "../../')),
    ],
)
def test_an_answer_that_is_not_what_was_written_is_asked_again(
    write: Write, tmp_path: Path, name: str, damage: Callable[[bytes], bytes] | None
) -> None:
    source, out = write({"z": blob()}, name="one"), tmp_path / "out"
    before = nnr.run_batch(source, out, p=0.001, workers=0)
    (path,) = (out / "sources").glob(f"*/{name}")
    raw = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(raw))
        assert path.read_bytes() != raw
    again = nnr.run_batch(source, out, p=0.001, workers=0)
    # A name of another folder is not followed: what is here is as it was written.
    assert again.n_asked == (0 if b"../../" in path.read_bytes() else 1)
    assert not again.failed
    pd.testing.assert_frame_equal(again.clusters, before.clusters)


def test_the_table_of_all_clusters_is_read_with_bounds(
    write: Write, tmp_path: Path
) -> None:
    done = nnr.run_batch(write({"z": blob()}), tmp_path / "out", p=0.001, workers=0)
    (tmp_path / "out" / "clusters.tsv").write_bytes(b"a" + b"\t" * 10_000)
    with pytest.raises(ResultsError, match="too large"):
        _ = done.clusters
