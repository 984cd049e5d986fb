"""What is above a height is looked for in rows that reach it: against all voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_neurosynth_results.arrays import SparseVolume, position_type
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.thresholds import apply
from napari_neurosynth_results.statistics.thresholds.apply import apply_threshold
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

Array = npt.NDArray[Any]

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)
#: Few values, so that many are the height itself.
VALUES = st.sampled_from([0, 0, 0, 1, -1, 2, -2, np.nan, np.inf, -np.inf])


class _Voxels:
    def __init__(self, data: Array) -> None:
        self.data = data

    def read(self) -> tuple[Array, tuple[str, ...]]:
        return np.array(self.data, np.float32, order="F"), ()


def lone(data: Array) -> StatMap:
    """Make a z map of unknown origin, with nothing beside it."""
    grid = Grid(data.shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    file = MapFile("map", None, MapKind.Z, grid, "", _Voxels(data))
    return ResultSet([file], title="", source="")["map"]


@settings(max_examples=150, deadline=None)
@given(
    data=hnp.arrays(np.float32, SHAPES, elements=VALUES),
    tail=st.sampled_from(["positive", "negative", "both"]),
    strict=st.booleans(),
    at_once=st.sampled_from([1, 4, 1 << 18]),
)
def test_no_row_is_passed_over(
    data: Array, tail: Any, strict: bool, at_once: int
) -> None:
    statmap = lone(data)
    asked = Threshold(value=1, tail=tail, strict=strict)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "_AT_ONCE", at_once)
        found = apply_threshold(PSource(statmap), asked)
    beyond = np.greater if strict else np.greater_equal
    expected = np.zeros(data.shape, np.uint8)
    if tail != "negative":
        expected[beyond(data, 1)] = 1
    if tail != "positive":
        expected[beyond(-data, 1)] = 2
    assert np.array_equal(found.parts, expected)
    flat = expected.ravel(order="F")
    assert found.above.where.tolist() == np.flatnonzero(flat).tolist()
    assert found.above.values.tolist() == flat[flat > 0].tolist()


def test_ends_of_rows_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.zeros((3, 2, 2), np.float32)
    data[:, 1, 0], data[2, 0, 1] = (-1, np.nan, 4), -5
    statmap = lone(data)
    lowest, highest = statmap.row_ends
    assert lowest.tolist()[::2] == [0, -5]
    assert highest.tolist()[::2] == [0, 0]
    assert np.isnan([lowest[1], highest[1]]).all()
    monkeypatch.setattr(StatMap, "data", property(lambda _: pytest.fail("read anew")))
    assert statmap.row_ends[0] is lowest


@given(volume=hnp.arrays(np.uint16, SHAPES, elements=st.sampled_from([0, 0, 1, 2, 3])))
@settings(max_examples=60, deadline=None)
def test_a_sparse_volume_is_the_volume(volume: Array) -> None:
    sparse = SparseVolume.of(volume)
    assert np.array_equal(sparse.volume, volume)
    assert sparse.volume.dtype == volume.dtype
    mask = volume != 2
    assert np.array_equal(sparse.within(mask).volume, volume * mask)


def test_positions_are_small_where_they_fit() -> None:
    assert position_type((91, 109, 91)) is np.int32
    assert position_type((1024, 1024, 1024)) is np.intp
