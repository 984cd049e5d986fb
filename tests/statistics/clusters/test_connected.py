"""Clusters by runs of voxels, against scipy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_neurosynth_results.statistics.clusters.connected import (
    SuprathresholdVoxels,
    find_components,
    group_connected,
)

Array = npt.NDArray[Any]

RANKS = {6: 1, 18: 2, 26: 3}
SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7)
PARTS = hnp.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 0, 1, 1, 2]))


def numbers_of(parts: Array, connectivity: int) -> Array:
    """Find the clusters of a box along z, y, x that has no frame yet."""
    framed = np.pad(parts, 1)
    at = np.flatnonzero(framed)
    number = np.zeros(framed.size, np.intp)
    if at.size:
        part = framed.ravel()[at]
        shape: Any = framed.shape
        number[at] = find_components(at, part, shape, connectivity)
    return number.reshape(framed.shape)[1:-1, 1:-1, 1:-1]


def expected(parts: Array, connectivity: int) -> Array:
    """Label part by part, and then in the order of the first voxels."""
    structure = ndimage.generate_binary_structure(3, RANKS[connectivity])
    raw = np.zeros(parts.shape, np.intp)
    for part in np.unique(parts[parts > 0]):
        inside = parts == part
        raw[inside] = ndimage.label(inside, structure)[0][inside] + raw.max()
    _, first, inverse = np.unique(raw, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first[1:]))
    return np.concatenate([[0], rank + 1] if 0 in raw else [rank + 1])[inverse]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(parts=PARTS, connectivity=st.sampled_from(sorted(RANKS)))
def test_small_boxes(parts: Array, connectivity: int) -> None:
    if not (parts == 0).any():
        parts[0, 0, 0] = 0
    assert np.array_equal(
        numbers_of(parts, connectivity), expected(parts, connectivity)
    )


@pytest.mark.parametrize("connectivity", sorted(RANKS))
@pytest.mark.parametrize("density", [0.02, 0.15, 0.3, 0.6])
def test_larger_boxes_sparse_and_dense(
    density: float, connectivity: int, rng: np.random.Generator
) -> None:
    parts = (rng.random((30, 31, 32)) < density) * rng.integers(1, 4, (30, 31, 32))
    parts = parts.astype(np.uint16)
    assert np.array_equal(
        numbers_of(parts, connectivity), expected(parts, connectivity)
    )


def test_a_long_winding_path_is_one() -> None:
    parts = np.zeros((9, 41, 40), np.uint8)
    parts[::2, ::2] = 1
    # Rows are joined at their ends in turns, planes at their last rows.
    parts[::2, 1::4, -1] = parts[::2, 3::4, 0] = 1
    parts[1::4, -1, -1] = parts[3::4, 0, 0] = 1
    assert numbers_of(parts, 6).max() == 1
    parts[4, 20, 20] = 0
    assert numbers_of(parts, 26).max() == 2


def test_a_run_stops_where_the_part_changes() -> None:
    parts = np.array([1, 1, 2, 2, 1], np.uint8).reshape(1, 1, 5)
    assert numbers_of(parts, 26).ravel().tolist() == [1, 1, 2, 2, 3]


@settings(max_examples=150, deadline=None)
@given(parts=PARTS, wide=st.booleans(), order=st.sampled_from("CF"))
def test_voxels_are_those_that_are_not_zero(
    parts: Array, wide: bool, order: Any
) -> None:
    parts = np.asarray(parts, np.uint16 if wide else np.uint8, order=order)
    values = np.arange(parts.size, dtype=np.float32).reshape(parts.shape) + 1
    above = SuprathresholdVoxels(values, parts, small_is_strong=False)
    flat = parts.ravel(order="F")
    assert above.where.tolist() == np.flatnonzero(flat).tolist()
    assert above.part.tolist() == flat[flat > 0].tolist()
    assert above.strength.tolist() == values.ravel(order="F")[flat > 0].tolist()
    if not above.where.size:
        return
    places = np.unravel_index(above.where, parts.shape, order="F")
    assert np.array_equal(above.ijk, places)
    assert np.array_equal(above.voxels(above.at), places)
    above.connect(6)
    touch = False
    for axis in range(3):
        one, other = (np.moveaxis(parts, axis, 0)[cut] for cut in np.s_[1:, :-1])
        touch |= bool(((one > 0) & (other > 0) & (one != other)).any())
    assert above.parts_touch == touch


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data(), n=st.integers(1, 30))
def test_groups_are_those_of_the_graph(data: st.DataObject, n: int) -> None:
    index = st.integers(0, n - 1)
    pairs = data.draw(st.lists(st.tuples(index, index).filter(lambda p: p[0] != p[1])))
    one, other = np.array(pairs, np.intp).reshape(-1, 2).T
    graph = coo_array((np.ones(one.size), (one, other)), (n, n))
    _, group = connected_components(graph, directed=False)
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    in_order = np.argsort(np.argsort(first))[inverse]
    assert group_connected(n, one, other).tolist() == in_order.tolist()
