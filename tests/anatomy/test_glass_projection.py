"""Projections: the strongest value of a line, with its sign and its threshold."""

from __future__ import annotations

import numpy as np
import pytest

from napari_neurosynth_results.anatomy.glass import strongest_along


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_stronger_of_two_signs_is_kept_with_its_sign(
    rng: np.random.Generator, axis: int
) -> None:
    values = rng.normal(size=(5, 6, 7)).astype(np.float32)
    kept = np.abs(values) > 1.2
    found = strongest_along(values, kept, axis)
    lines = np.moveaxis(values, axis, 2)
    masks = np.moveaxis(kept, axis, 2)
    for place in np.ndindex(found.shape):
        line = lines[place][masks[place]]
        if line.size:
            assert found[place] == line[np.abs(line).argmax()]
        else:
            assert np.isnan(found[place])
    assert (found < 0).any()
    assert (found > 0).any()


def test_what_is_not_in_a_cluster_is_not_seen_however_strong() -> None:
    values = np.array([[[9, 4, np.nan]]], np.float32)
    assert strongest_along(values, np.array([[[0, 2, 1]]]), 2).tolist() == [[4]]


def test_of_p_the_smallest_is_the_strongest() -> None:
    values = np.array([[[0.04, 0.001, 0.0]]], np.float32)
    kept = np.array([[[1, 1, 0]]])
    found = strongest_along(values, kept, 2, small_is_strong=True)
    assert found == pytest.approx(0.001)
