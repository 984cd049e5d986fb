"""Clusters, peaks and sub-peaks against references written out voxel by voxel."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_neurosynth_results.statistics.clusters import connected
from napari_neurosynth_results.statistics.clusters.labelling import (
    ClusterArrays,
    label_clusters,
    match_clusters,
)

Array = npt.NDArray[Any]
Voxel = tuple[int, int, int]

RANKS = {6: 1, 18: 2, 26: 3}
CONNECTIVITIES = st.sampled_from(sorted(RANKS))
VOXEL_SIZES = st.sampled_from([(2.0, 2.0, 2.0), (3.0, 3.0, 3.0), (1.5, 2.0, 4.0)])
#: Few values: plateaus and ties everywhere, up to the edges of the image.
LEVELS = st.sampled_from([0, 0, 1, 1, 2, 2.5, 3, -1, -2, -2.5])
#: Long ones too: the inside of a plateau needs room.
SMALL = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6) | st.tuples(
    st.integers(1, 3), st.integers(1, 14), st.integers(1, 3)
)
MAPS = hnp.arrays(np.float32, SMALL, elements=LEVELS, fill=st.just(0))
DENSE = hnp.arrays(np.float32, SMALL, elements=LEVELS, fill=st.nothing())


def parts_of(data: Array) -> npt.NDArray[np.uint8]:
    """Mark positive voxels with 1 and negative ones with 2."""
    return np.asfortranarray(((data > 0) + 2 * (data < 0)).astype(np.uint8))


def label(data: Array, parts: Array | None = None, **options: Any) -> ClusterArrays:
    """Label every voxel of a map that is not 0."""
    data = np.asfortranarray(data, np.float32)
    defaults: dict[str, Any] = {
        "connectivity": 6,
        "min_voxels": 1,
        "voxel_size": (2.0, 2.0, 2.0),
        "sub_peaks": 3,
        "peak_distance": 8.0,
    }
    parts = parts_of(data) if parts is None else parts
    return label_clusters(np.abs(data), parts, **(defaults | options))


def voxel_sets(labels: Array) -> set[frozenset[int]]:
    """Return the clusters of a label volume as sets of voxels."""
    at = np.flatnonzero(labels)
    each = labels.ravel()[at]
    return {frozenset(at[each == n].tolist()) for n in np.unique(each)}


# --- which voxels -----------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(data=MAPS | DENSE, connectivity=CONNECTIVITIES, extent=st.integers(1, 4))
def test_clusters_are_those_of_scipy_for_each_sign(
    data: Array, connectivity: int, extent: int
) -> None:
    found = label(data, connectivity=connectivity, min_voxels=extent)
    structure = ndimage.generate_binary_structure(3, RANKS[connectivity])
    expected = set()
    for side in (data > 0, data < 0):
        raw, _ = ndimage.label(side, structure)
        expected |= {s for s in voxel_sets(raw) if len(s) >= extent}
    assert voxel_sets(found.labels) == expected
    assert sorted(found.size) == sorted(map(len, expected))


@settings(max_examples=100, deadline=None)
@given(data=MAPS | DENSE)
def test_ids_are_unique_signs_apart_and_strongest_first(data: Array) -> None:
    found = label(data)
    n = found.size.size
    assert found.labels.dtype == np.int32
    assert set(np.unique(found.labels)) - {0} == set(range(1, n + 1))
    order = []
    for index in range(n):
        inside = data[found.labels == index + 1]
        assert np.array_equal(np.sign(inside), np.full(inside.size, found.sign[index]))
        first = int(np.flatnonzero(found.peak_cluster == index)[0])
        peak = tuple(found.peak_voxel[first])
        assert abs(data[peak]) == np.abs(inside).max()
        position = np.ravel_multi_index(peak, data.shape)
        order.append((-found.sign[index], -abs(float(data[peak])), position))
        assert found.mean[index] == pytest.approx(np.abs(inside).mean())
        center = ndimage.center_of_mass(np.abs(data), found.labels, index + 1)
        assert found.center[index] == pytest.approx(center)
    assert order == sorted(order)


def test_three_neighborhoods() -> None:
    data = np.zeros((4, 4, 4), np.float32)
    data[0, 0, 0] = data[0, 1, 1] = data[1, 2, 2] = 1
    counts = [label(data, connectivity=c).size.size for c in (6, 18, 26)]
    assert counts == [3, 2, 1]


def test_the_extent_is_inclusive() -> None:
    data = np.zeros((9, 1, 1), np.float32)
    data[:3] = 1
    assert label(data, min_voxels=3).size.tolist() == [3]
    assert label(data, min_voxels=4).size.tolist() == []


def test_parts_that_touch_stay_apart() -> None:
    data = np.ones((6, 1, 1), np.float32)
    parts = np.array([1, 1, 3, 3, 3, 2], np.uint16).reshape(6, 1, 1)
    found = label(data, parts, connectivity=26)
    assert found.labels.ravel().tolist() == [1, 1, 2, 2, 2, 3]
    assert found.sign.tolist() == [1, 1, -1]


@pytest.mark.parametrize("connectivity", sorted(RANKS))
def test_no_background_is_no_trouble(connectivity: int) -> None:
    found = label(np.full((3, 4, 5), 2, np.float32), connectivity=connectivity)
    assert found.size.tolist() == [60]
    # The middle of a flat cluster, rounded half to even: 1, 1.5 and 2.
    assert found.peak_voxel.tolist() == [[1, 2, 2]]


def test_nothing_gives_empty_arrays_of_the_same_kinds() -> None:
    empty, one = label(np.zeros((3, 4, 5))), label(np.ones((3, 4, 5)))
    for name in ("sign", "size", "mean", "center", "peak_cluster", "peak_voxel"):
        without, with_one = getattr(empty, name), getattr(one, name)
        assert len(without) == 0
        assert without.dtype == with_one.dtype
        assert without.shape[1:] == with_one.shape[1:]
    assert empty.labels.shape == (3, 4, 5)
    assert not empty.labels.any()
    too_small = label(np.ones((3, 4, 5)), min_voxels=61)
    assert too_small.size.size == 0
    assert not too_small.labels.any()


def test_one_voxel_in_a_corner() -> None:
    for corner in product((0, -1), repeat=3):
        data = np.zeros((3, 4, 5), np.float32)
        data[corner] = -2
        found = label(data)
        assert found.size.tolist() == [1]
        assert found.sign.tolist() == [-1]
        assert found.peak_voxel.tolist() == np.argwhere(data).tolist()


def test_memory_order_does_not_matter(rng: np.random.Generator) -> None:
    data = np.round(rng.normal(size=(7, 8, 9)) * 2).astype(np.float32)
    parts = parts_of(data)
    options: dict[str, Any] = {
        "connectivity": 18,
        "min_voxels": 2,
        "voxel_size": (2.0, 2.0, 2.0),
        "sub_peaks": 3,
        "peak_distance": 4.0,
    }
    size = np.abs(data)
    one = label_clusters(np.asfortranarray(size), parts, **options)
    other = label_clusters(size, np.ascontiguousarray(parts), **options)
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.peak_voxel, other.peak_voxel)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32])
def test_the_label_volume_comes_in_the_type_asked_for(
    dtype: type[np.integer[Any]], rng: np.random.Generator
) -> None:
    found = label(np.round(rng.normal(size=(7, 8, 9))), min_voxels=2)
    volume = found.volume(dtype)
    assert volume.dtype == dtype
    assert volume.flags.f_contiguous
    assert np.array_equal(volume, found.labels)
    # The smallest type that holds them is the one they are kept in.
    assert found.label.dtype == np.uint8
    assert found.label.max() == found.size.size


def test_more_than_255_clusters_are_kept_in_16_bits() -> None:
    data = np.zeros((40, 40, 3), np.float32)
    data[::2, ::2, 1] = np.arange(400).reshape(20, 20) + 1
    found = label(data)
    assert found.label.dtype == np.uint16
    assert np.array_equal(found.labels[::2, ::2, 1].ravel(), np.arange(400, 0, -1))


# --- peaks ------------------------------------------------------------------------


def maxima_of(values: Array) -> list[tuple[float, Voxel]]:
    """Find the local maxima of one cluster, the definition word by word.

    `values` is 0 outside the cluster.
    """
    inside = [tuple(map(int, v)) for v in np.argwhere(values)]
    flat = len({values[v] for v in inside}) == 1
    framed = np.pad(values, 1, constant_values=np.nan)
    maxima = []
    for i, j, k in inside:
        around = framed[i : i + 3, j : j + 3, k : k + 3]
        highest, lowest = np.nanmax(around), np.nanmin(around)
        if values[i, j, k] == highest and (flat or lowest < highest):
            maxima.append((i, j, k))
    found = []
    while maxima:
        plateau, front = [], [maxima[0]]
        while front:
            v = front.pop()
            if v not in maxima:
                continue
            maxima.remove(v)
            plateau.append(v)
            front += [w for w in maxima if np.abs(np.subtract(v, w)).sum() == 1]
        center = np.round(np.mean(plateau, axis=0))
        nearest = min((((np.array(v) - center) ** 2).sum(), v) for v in plateau)[1]
        found.append((float(values[nearest]), nearest))
    return found


def greedy(
    maxima: list[tuple[float, Voxel]], size: Array, distance: float, most: int
) -> list[Voxel]:
    """Keep maxima far from every stronger one that was kept."""
    kept: list[Voxel] = []
    for _, voxel in sorted(maxima, key=lambda m: (-m[0], m[1])):
        gaps = [math.dist(voxel * size, other * size) for other in kept]
        if all(gap > distance for gap in gaps):
            kept.append(voxel)
    return kept[: most + 1]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    data=MAPS | DENSE,
    connectivity=CONNECTIVITIES,
    voxel_size=VOXEL_SIZES,
    distance=st.sampled_from([0.0, 2.0, 4.0, 8.0]),
    most=st.integers(0, 4),
)
def test_peaks_are_those_of_the_definition(
    data: Array,
    connectivity: int,
    voxel_size: tuple[float, float, float],
    distance: float,
    most: int,
) -> None:
    found = label(
        data,
        connectivity=connectivity,
        voxel_size=voxel_size,
        sub_peaks=most,
        peak_distance=distance,
    )
    assert (np.diff(found.peak_cluster) >= 0).all()
    for index in range(found.size.size):
        values = np.where(found.labels == index + 1, np.abs(data), 0)
        expected = greedy(maxima_of(values), np.array(voxel_size), distance, most)
        peaks = found.peak_voxel[found.peak_cluster == index]
        assert [tuple(v) for v in peaks.tolist()] == expected


def test_sub_peaks_are_strictly_farther_than_the_distance() -> None:
    data = np.ones((12, 1, 1), np.float32)
    data[0], data[4], data[9] = 5, 4, 3
    # 8 mm is not farther than 8 mm; 18 mm is.
    assert label(data).peak_voxel[:, 0].tolist() == [0, 9]
    assert label(data, peak_distance=7.9).peak_voxel[:, 0].tolist() == [0, 4, 9]


def test_a_removed_sub_peak_does_not_come_back() -> None:
    # nilearn 0.14 keeps the third, 3 mm from the first, because the second forgives it.
    data = np.ones((16, 1, 1), np.float32)
    data[3], data[15], data[0] = 5, 4, 3
    found = label(data, voxel_size=(1.0, 1.0, 1.0))
    assert found.peak_voxel[:, 0].tolist() == [3, 15]


def test_the_middle_of_a_solid_plateau_is_its_nearest_outer_voxel() -> None:
    data = np.zeros((11, 11, 11), np.float32)
    data[1:10, 1:10, 1:10] = 1
    data[3:8, 3:8, 3:8] = 2
    # Its interior is no maximum, so that a shell is left, and its middle is empty.
    found = label(data, sub_peaks=0)
    assert data[tuple(found.peak_voxel[0])] == 2
    assert found.peak_voxel.tolist() == [[3, 5, 5]]


def test_a_flat_corner_beside_a_slope_is_no_maximum() -> None:
    # Its only neighbor is as high, and is no maximum itself.
    data = np.array([1, 1, 2], np.float32).reshape(1, 1, 3)
    assert label(data, peak_distance=0.0).peak_voxel.tolist() == [[0, 0, 2]]


def test_maxima_that_touch_by_a_corner_are_two() -> None:
    data = np.ones((4, 4, 4), np.float32)
    data[1, 1, 1] = data[2, 2, 2] = 2
    found = label(data, peak_distance=0.0)
    assert found.peak_voxel.tolist() == [[1, 1, 1], [2, 2, 2]]


def test_an_infinite_voxel_is_the_peak_and_the_center() -> None:
    data = np.zeros((7, 1, 1), np.float32)
    data[1:6, 0, 0] = [1, 2, np.inf, 9, 1]
    found = label(data)
    assert found.size.tolist() == [5]
    assert found.peak_voxel.tolist() == [[3, 0, 0]]
    assert found.mean[0] == np.inf
    # The center of mass is where all the mass is.
    assert found.center[0] == pytest.approx([3, 0, 0], abs=1e-5)


def test_nan_outside_the_clusters_is_no_neighbor() -> None:
    data = np.array([np.nan, 1, 2, np.nan, 3], np.float32).reshape(5, 1, 1)
    parts = np.array([0, 1, 1, 0, 1], np.uint8).reshape(5, 1, 1)
    found = label(data, parts)
    assert found.labels.ravel().tolist() == [0, 2, 2, 0, 1]
    assert found.peak_voxel[:, 0].tolist() == [4, 2]


def test_few_neighbors_at_once_or_all_of_them(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Plateaus up to the edges: what is taken out on the way must not matter.
    data = np.round(ndimage.gaussian_filter(rng.normal(size=(20, 21, 22)), 1) * 8)
    found = []
    for at_once in (1, 10_000, 10**9):
        monkeypatch.setattr(connected, "_AT_ONCE", at_once)
        found.append(label(data, peak_distance=0.0, sub_peaks=1000))
    assert len(found[0].peak_voxel) > 300
    for other in found[1:]:
        assert np.array_equal(found[0].peak_voxel, other.peak_voxel)
        assert np.array_equal(found[0].labels, other.labels)


def matched(
    parts: np.ndarray, others: np.ndarray, log_p: np.ndarray
) -> dict[int, tuple[tuple[int, ...], bool, int]]:
    """Match clusters of one volume with labels of another."""
    ours = label_clusters(
        parts.astype(np.float32),
        parts,
        connectivity=6,
        min_voxels=1,
        voxel_size=(2, 2, 2),
        sub_peaks=0,
        peak_distance=8,
    )
    flat = others.ravel(order="F")
    where = np.flatnonzero(flat)
    found = match_clusters(
        ours, where, flat[where], lambda at: log_p.ravel(order="F")[at]
    )
    return {
        label: (one.labels, one.is_same, one.n_other) for label, one in found.items()
    }


def test_clusters_are_the_same_if_they_have_the_same_voxels() -> None:
    parts = np.zeros((12, 9, 8), np.uint8)
    parts[1:4, 1:4, 1:4] = parts[6:10, 1:5, 2:5] = parts[1:3, 6:8, 6] = 1
    log_p = np.where(parts > 0, -9.0, -1.0)
    others = np.zeros(parts.shape, int)
    # One is the same, one in two pieces, and one of another size.
    others[1:4, 1:4, 1:4] = 7
    others[6:8, 1:5, 2:5], others[8:10, 1:5, 2:5] = 2, 3
    others[1:3, 6:8, 5:7] = 1
    found = matched(parts, others, log_p)
    by_size = {one[0]: one[1:] for one in found.values()}
    assert by_size == {(7,): (True, 0), (2, 3): (True, 0), (1,): (False, 4)}
    assert matched(parts, np.zeros_like(others), log_p) == {}


@pytest.mark.parametrize(
    ("beyond", "same"), [(0.009, True), (0.011, False), (np.nan, False)]
)
def test_a_voxel_at_the_very_height_makes_no_other_cluster(
    beyond: float, same: bool
) -> None:
    parts = np.zeros((8, 9, 8), np.uint8)
    parts[2:5, 2:5, 2:5] = 1
    height = np.log(0.001)
    log_p = np.where(parts > 0, height - 1, 0.0)
    log_p[2, 2, 2] = height
    others = parts.astype(int)
    others[5, 3, 3] = 1
    log_p[5, 3, 3] = height + beyond
    assert matched(parts, others, log_p) == {1: ((1,), same, 1)}
    # The other way round: theirs has a voxel less.
    others = parts.astype(int)
    others[2, 2, 2] = 0
    assert matched(parts, others, log_p) == {1: ((1,), True, 1)}
    others[2, 2, 2], others[3, 3, 4] = 1, 0
    assert matched(parts, others, log_p) == {1: ((1,), False, 1)}
