"""nilearn's folders: what a map is stands in the JSON beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_servers import nifti_bytes
from napari_neurosynth_results import ResultsError, open_results

SHAPE = (8, 9, 8)
P_MAP = "P map (given null hypothesis)"


def collection(folder: Path, number: int, **images: dict[str, Any] | None) -> Path:
    """Write a collection; an image of None has no file."""
    where = folder / f"collection_{number}"
    where.mkdir(parents=True)
    record = {"id": number, "name": f"Collection {number}", "authors": "A"}
    (where / "collection_metadata.json").write_text(json.dumps(record))
    for n, (stem, fields) in enumerate(images.items(), start=number * 10):
        image = {
            "id": n,
            "collection_id": number,
            "name": f"{stem}.nii.gz",
            "file": f"http://neurovault.org/media/images/{number}/{stem}.nii.gz",
            "map_type": "Z map",
            "relative_path": "/somebody/else/image_1.nii.gz",
            **(fields or {}),
        }
        (where / f"image_{n}_metadata.json").write_text(json.dumps(image))
        if fields is not None:
            (where / f"image_{n}.nii.gz").write_bytes(nifti_bytes(np.full(SHAPE, 0.5)))
    return where


def test_one_collection_is_named_by_what_the_server_said(tmp_path: Path) -> None:
    where = collection(
        tmp_path,
        7,
        z={},
        p={"map_type": P_MAP},
        own={"name": "Contrast", "map_type": "T map"},
        lost=None,
    )
    results = open_results(where)
    assert {m.key: str(m.kind) for m in results.maps.values()} == {
        "z": "z",
        "p": "p",
        "own": "t",
    }
    assert results["own"].title == "Contrast"
    assert results.title == "Collection 7"
    assert results.about.authors == "A"
    assert set(results.siblings(results["z"])) == {"p"}
    assert any("was not downloaded" in problem for problem in results.problems)


@pytest.mark.parametrize("above", ["", "neurovault"])
def test_several_collections_are_kept_apart(tmp_path: Path, above: str) -> None:
    for number in (7, 8):
        collection(tmp_path / above, number, z={}, p={"map_type": P_MAP})
    results = open_results(tmp_path)
    assert set(results.maps) == {
        f"collection-{number}_id-{number}{n}_{stem}"
        for number in (7, 8)
        for n, stem in enumerate(("z", "p"))
    }
    z = results["collection-7_id-70_z"]
    assert [m.key for m in results.siblings(z).values()] == ["collection-7_id-71_p"]


def test_what_stands_alone_and_what_was_resampled_is_told(tmp_path: Path) -> None:
    where = collection(tmp_path, 7, z={}, p={})
    (where / "image_70.nii.gz").rename(where / "image_70_resampled.nii.gz")
    (where / "image_99.nii.gz").write_bytes(nifti_bytes(np.ones(SHAPE)))
    (where / "image_98_metadata.json").write_text("{broken")
    results = open_results(where)
    assert set(results.maps) == {"z", "p"}
    told = "\n".join(results.problems)
    for words in (
        "resampled it",
        "image_99.nii.gz has no record",
        "not the record of an",
    ):
        assert words in told


def test_an_atlas_is_labels_and_nothing_is_nothing(tmp_path: Path) -> None:
    where = collection(tmp_path, 7, own={"image_type": "atlas", "map_type": None})
    assert str(open_results(where)["own"].kind) == "label"
    empty = collection(tmp_path / "e", 9, z=None)
    with pytest.raises(ResultsError, match="was not downloaded"):
        open_results(empty)


@pytest.mark.parametrize("number", [None, "7", [1], {}, True, 10**30])
def test_a_record_whose_number_is_none_stops_nothing(
    tmp_path: Path, number: object
) -> None:
    where = collection(tmp_path, 7, z={}, p={})
    path = sorted(where.glob("image_*_metadata.json"))[0]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id": number}))
    assert len(open_results(where).maps) == 2
