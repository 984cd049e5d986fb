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
    find_components,
    find_forming_neighbors,
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


# --- neighbors when clusters were formed ------------------------------------------


def formed_by_nimare(
    rng: np.random.Generator, connectivity: int, iterations: int
) -> tuple[Array, Array, Array]:
    """Form clusters in a smooth field and test their mass as NiMARE does.

    Returns numbers of p, the p, and what each voxel adds to the mass.
    """
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])
    height = 0.06

    def clusters(field: Array) -> tuple[Array, Array]:
        labels, n = ndimage.label(field > height, structure)
        mass = ndimage.sum_labels(field - height, labels, np.arange(1, n + 1))
        return labels, np.asarray(mass)

    def field() -> Array:
        return ndimage.gaussian_filter(rng.normal(size=(24, 24, 24)), 1.2)

    null = np.array([clusters(field())[1].max(initial=0) for _ in range(iterations)])
    seen = field()
    seen[4:10, 4:10, 4:10] += 0.1
    labels, mass = clusters(seen)
    p = np.clip([(null >= one).mean() for one in mass], 1 / iterations, None)
    values, codes = np.unique(np.append(p, np.nan), return_inverse=True)
    codes = np.append(0, np.where(p >= 1 - 1 / iterations, 0, codes[:-1] + 1))
    weight = np.where(labels > 0, seen - height, 0).astype(np.float32)
    return codes[labels].astype(np.uint16), np.append(np.nan, values), weight


@pytest.mark.slow
@pytest.mark.parametrize(("connectivity", "least"), [(6, 20), (18, 18), (26, 8)])
def test_which_neighbors_touched_shows_in_what_was_tested(
    connectivity: int, least: int
) -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        codes, p, weight = formed_by_nimare(rng, connectivity, 50)
        found.append(find_forming_neighbors(codes, p, weight, 2.0)[0])
    # More neighbors than there were are never found, fewer only where nothing tells.
    assert max(found) <= connectivity
    assert found.count(connectivity) >= least


def crumbs(*places: tuple[int, int, int], p: float) -> tuple[Array, Array]:
    """Return a cluster of 64 voxels and fragments of its p, one of 8 of another p."""
    codes = np.zeros((12, 12, 12), np.uint16)
    codes[2:6, 2:6, 2:6] = 1
    for place in places:
        codes[place] = 1
    codes[8:10, 8:10, 8:10] = 2
    return codes, np.array([np.nan, 0.001, p])


EDGE, CORNER, APART = (6, 6, 5), (6, 6, 6), (1, 9, 1)


@pytest.mark.parametrize(
    ("places", "p", "expected"),
    [
        ((EDGE,), 0.3, (18, 1)),
        ((EDGE, (1, 1, 3)), 0.3, (18, 2)),
        ((CORNER,), 0.3, (26, 1)),
        ((EDGE, CORNER), 0.3, (18, 1)),
        # What touches nothing says nothing, whatever its p.
        ((APART,), 0.3, (6, 0)),
        ((), 0.3, (6, 0)),
        # Nothing has a larger p: so small a fragment is none of its own.
        ((EDGE,), 0.0001, (18, 1)),
    ],
)
def test_fragments_too_small_for_their_p(
    places: tuple[tuple[int, int, int], ...], p: float, expected: tuple[int, int]
) -> None:
    codes, values = crumbs(*places, p=p)
    weight = (codes > 0).astype(np.float32)
    assert find_forming_neighbors(codes, values, weight, 4.0) == expected


def test_two_clusters_that_touch_by_an_edge_may_have_one_p() -> None:
    # Both are large enough for it: what is smaller has a larger p.
    codes, values = crumbs(p=0.3)
    codes[6:10, 6:8, 2:6] = 1
    codes[8:10, 8:10, 8:10] = 2
    weight = (codes > 0).astype(np.float32)
    assert ndimage.label(codes == 1)[1] == 2
    assert find_forming_neighbors(codes, values, weight, 1.0) == (6, 0)
    # So have two of the same size, however small.
    codes = np.zeros((6, 6, 6), np.uint16)
    codes[2, 2, 2] = codes[3, 3, 2] = 1
    weight = (codes > 0).astype(np.float32)
    values = np.array([np.nan, 0.9])
    assert find_forming_neighbors(codes, values, weight, 1.0) == (6, 0)


def test_without_clusters_nothing_is_known_of_their_neighbors() -> None:
    nothing = np.zeros((3, 3, 3), np.uint16)
    weight = np.zeros(nothing.shape, np.float32)
    assert find_forming_neighbors(nothing, np.array([np.nan]), weight, 1) == (6, 0)
