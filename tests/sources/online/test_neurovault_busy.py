"""A large collection, opened by several people at once from a server of few workers."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import napari_neurosynth_results as nnr
from local_servers import LocalServers, nifti_bytes

PEOPLE, N_IMAGES, PAGE = 6, 620, 100


@pytest.mark.slow
@pytest.mark.parametrize("refuses", [False, True], ids=["waits", "refuses"])
def test_six_people_open_620_images_from_four_workers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refuses: bool
) -> None:
    """All succeed, and ask no more than they must: a page is asked again if refused."""
    z = np.zeros((8, 9, 8), np.float32)
    z[2:4, 3:5, 3:5] = 5
    body = nifti_bytes(z)
    with LocalServers(0.2, workers=4, refuses=refuses) as web:
        collection = web.add_collection("Large")
        for number in range(N_IMAGES):
            name = f"z_desc-c{number:03d}.nii.gz"
            collection.add_image(name, body, map_type="Z map")
        monkeypatch.setenv("NNR_NEUROVAULT_URL", web.neurovault)
        monkeypatch.setenv("NNR_OFFLINE", "0")
        link = f"{web.neurovault}/collections/{collection.id}/"

        def open_one(person: int) -> tuple[int, tuple[str, ...], float]:
            results = nnr.open_results(link, cache_dir=tmp_path / str(person))
            first = next(iter(results.maps.values()))
            return len(results.maps), tuple(results.problems), float(first.data.max())

        with ThreadPoolExecutor(PEOPLE) as pool:
            answers = list(pool.map(open_one, range(PEOPLE)))
        asked = Counter(path.partition("?")[0] for path in web.paths())
    assert answers == [(N_IMAGES, (), 5.0)] * PEOPLE
    pages = -(-N_IMAGES // PAGE)
    fewest = PEOPLE * (pages + 2)
    if refuses:
        assert fewest <= sum(asked.values()) <= 4 * fewest
    else:
        assert sum(asked.values()) == fewest
