"""Which neighbors touched where clusters were formed, against simulated tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_neurosynth_results.statistics.clusters.formation import (
    find_forming_neighbors,
)

Array = npt.NDArray[Any]


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
