"""The shadow of the brain: its line lies where the brain ends, whatever the pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_neurosynth_results.anatomy.glass import silhouette
from napari_neurosynth_results.anatomy.template import read_brain_mask


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("step", [2.0, 3.0])
def test_the_line_runs_around_the_brain(axis: int, step: float) -> None:
    mm = np.arange(-140, 140, step)
    picture = silhouette(axis, mm, mm)
    assert picture.shape == (mm.size, mm.size)
    assert 0 <= picture.min() < 0.01
    assert picture.max() <= 1
    mask, grid = read_brain_mask()
    voxels = np.argwhere(mask.any(axis=axis))
    origin = np.delete(grid.origin, axis)
    line = np.argwhere(picture > 0.3)
    for other in range(2):
        ends = voxels[:, other].min() - 0.5, voxels[:, other].max() + 0.5
        low, high = (end * 2 + origin[other] for end in ends)
        assert mm[line[:, other].min()] == pytest.approx(low, abs=step + 1)
        assert mm[line[:, other].max()] == pytest.approx(high, abs=step + 1)


def test_the_inside_is_fainter_than_the_line_and_brighter_than_nothing() -> None:
    inside, outside = silhouette(2, [20.0, 89.0], [-20.0])[:, 0]
    assert outside < 0.01 < inside < 0.3
