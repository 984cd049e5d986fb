"""How far clusters reach, and which of their voxels is nearest to their center."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from napari_neurosynth_results import ResultSet, find_clusters

ODD = np.array([[1.5, 0, 0, -20], [0, 2, 0, -30.25], [0, 0, 3.7, 7], [0, 0, 0, 1]])


def test_how_far_clusters_reach(
    opened: Callable[..., ResultSet], rng: np.random.Generator
) -> None:
    data = ndimage.gaussian_filter(rng.normal(size=(12, 13, 11)), 1) * 10
    statmap = opened({"zmap": data}, affine=ODD)["zmap"]
    found = find_clusters(statmap, value=1.5, tail="both", min_voxels=3)
    assert len(found) > 3
    for row, box in zip(
        found.extents.itertuples(), ndimage.find_objects(found.labels), strict=True
    ):
        for axis, (steps, mm) in enumerate(zip(box, ODD, strict=False)):
            ends = [mm[axis] * n + mm[3] for n in (steps.start, steps.stop - 1)]
            name = f"box_{'xyz'[axis]}"
            found_ends = [getattr(row, f"{name}_{end}") for end in ("min", "max")]
            assert np.allclose(found_ends, ends, atol=1e-4)
        voxels = np.argwhere(found.labels == row.label) @ ODD[:3, :3] + ODD[:3, 3]
        inner = np.array([row.inner_x, row.inner_y, row.inner_z])
        assert np.isclose(voxels, inner, atol=1e-4).all(axis=1).any(), (
            "it is one of its own"
        )
        center = found.table.loc[row.label - 1, ["center_x", "center_y", "center_z"]]
        away = np.linalg.norm(voxels - center.to_numpy(float), axis=1)
        assert np.linalg.norm(inner - center.to_numpy(float)) <= away.min() + 1e-4
    none = find_clusters(statmap, value=99).extents
    assert list(none.columns) == list(found.extents.columns)
    assert len(none) == 0
