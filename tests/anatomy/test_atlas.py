"""Looking places up in an atlas, against the plain way; what the packaged one says."""

from __future__ import annotations

import copy
from importlib.resources import files
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_neurosynth_results.anatomy.atlas import (
    REGION_REACH_MM,
    UNLABELLED,
    Atlas,
    read_default_atlas,
)
from napari_neurosynth_results.anatomy.template import read_brain_mask
from napari_neurosynth_results.maps.grid import Grid

#: Quarters of a millimeter are exact in binary, so that ties are ties.
_quarters = st.integers(-60, 60).map(lambda n: n / 4)


@st.composite
def atlases(draw: st.DrawFn) -> Atlas:
    shape = tuple(draw(st.integers(1, 5)) for _ in range(3))
    sizes = [draw(st.sampled_from([1.0, 1.5, 2.0, 3.0, 4.0, 6.0])) for _ in range(3)]
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = [draw(_quarters) for _ in range(3)]
    seed = draw(st.integers(0, 2**32 - 1))
    filled = draw(st.sampled_from([0.0, 0.05, 0.3, 0.8, 1.0]))
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(shape) < filled, rng.integers(1, 9, shape), 0)
    i, j, k = shape
    return Atlas("drawn", labels, Grid((i, j, k), affine), {1: "one"})


def _voxel(atlas: Atlas, place: tuple[float, ...]) -> tuple[int, ...]:
    affine = atlas.grid.affine
    return tuple(
        # Half-way the higher one, whatever the last bit of the affine says.
        int(np.floor((p - affine[n, 3]) / affine[n, n] + 0.5 + 1e-6))
        for n, p in enumerate(place)
    )


def _plainly(
    atlas: Atlas, place: tuple[float, ...], reach: float
) -> tuple[set[int], float]:
    """Look at every voxel there is: labels that are nearest, and how near."""
    at = _voxel(atlas, place)
    inside = all(0 <= n < size for n, size in zip(at, atlas.labels.shape, strict=True))
    if inside and atlas.labels[at]:
        return {int(atlas.labels[at])}, 0.0
    voxels = np.argwhere(atlas.labels > 0)
    affine = atlas.grid.affine
    away = np.linalg.norm(voxels * np.diag(affine)[:3] + affine[:3, 3] - place, axis=1)
    if not away.size or away.min() > reach:
        return {0}, np.nan
    near = voxels[np.isclose(away, away.min(), rtol=0, atol=1e-9)]
    return {int(atlas.labels[tuple(voxel)]) for voxel in near}, float(away.min())


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    atlases(),
    st.tuples(_quarters, _quarters, _quarters),
    st.sampled_from([0.0, 1.0, REGION_REACH_MM, 7.5]),
)
def test_the_nearest_region_is_the_nearest(
    atlas: Atlas, place: tuple[float, float, float], reach: float
) -> None:
    labels, distances = atlas.nearest([place], reach)
    expected, away = _plainly(atlas, place, reach)
    assert int(labels[0]) in expected
    np.testing.assert_allclose(distances, [away], atol=1e-9)


@settings(max_examples=80, deadline=None)
@given(atlases(), st.lists(st.tuples(_quarters, _quarters, _quarters), max_size=5))
def test_a_place_has_the_label_of_its_voxel(atlas: Atlas, places: list[Any]) -> None:
    for place, label in zip(places, atlas.labels_at(places), strict=True):
        at = _voxel(atlas, place)
        inside = all(0 <= n < m for n, m in zip(at, atlas.labels.shape, strict=True))
        assert label == (atlas.labels[at] if inside else 0)


def test_the_last_bit_of_an_affine_decides_nothing() -> None:
    labels = np.arange(1, 12).reshape(11, 1, 1)
    for size, start in product((1.5, 3.0, 6.0, 0.7), (0.0, 0.1, -90.0)):
        affine = np.diag([size, size, size, 1.0])
        affine[0, 3] = start
        atlas = Atlas("x", labels, Grid((11, 1, 1), affine), {})
        between = [(start + (n + 0.5) * size, 0, 0) for n in range(10)]
        assert atlas.labels_at(between).tolist() == list(range(2, 12))
        assert atlas.nearest(between)[0].tolist() == list(range(2, 12))


def _one_voxel(at: tuple[int, int, int] = (5, 5, 5), size: float = 2.0) -> Atlas:
    labels = np.zeros((11, 11, 11), np.uint8)
    labels[at] = 3
    return Atlas("x", labels, Grid((11, 11, 11), np.diag([size, size, size, 1.0])), {})


def test_the_reach_is_reached_and_not_passed() -> None:
    atlas = _one_voxel()
    labels, distances = atlas.nearest([(14, 10, 10), (14.001, 10, 10), (10, 10, 6)])
    assert labels.tolist() == [3, 0, 3]
    assert distances[[0, 2]].tolist() == [4, 4]
    assert np.isnan(distances[1])


def test_places_outside_of_the_grid_have_none_but_may_be_near() -> None:
    atlas = _one_voxel((0, 0, 0))
    assert atlas.labels_at([(-50, 0, 0), (0, 0, 900), (-2, 0, 0)]).tolist() == [0] * 3
    labels, distances = atlas.nearest([(-3, 0, 0), (-50, 0, 0)])
    assert labels.tolist() == [3, 0]
    assert distances[0] == 3


def test_no_places_and_names_that_are_missing() -> None:
    atlas = _one_voxel()
    assert atlas.labels_at(np.empty((0, 3))).shape == (0,)
    labels, distances = atlas.nearest([])
    assert labels.shape == distances.shape == (0,)
    assert atlas.name_of(0) == UNLABELLED
    assert atlas.name_of(3) == "label 3"


def test_a_layer_that_is_copied_does_not_copy_its_atlas() -> None:
    atlas = _one_voxel()
    assert copy.deepcopy({"atlas": atlas})["atlas"] is atlas


@pytest.mark.parametrize(
    ("place", "region"),
    [
        ((38, 4, 2), "insula R"),
        ((-38, 4, 2), "insula L"),
        ((10, -18, 8), "thalamus R"),
        ((-10, -18, 8), "thalamus L"),
        ((26, -64, -30), "cerebellum R"),
        ((-26, -64, -30), "cerebellum L"),
        ((28, 4, 0), "putamen R"),
        ((-28, 4, 0), "putamen L"),
        ((-26, -20, -16), "hippocampus L"),
        ((24, -2, -20), "amygdala R"),
        ((-54, -20, 40), "postcentral L"),
        ((0, -32, -40), "brainstem"),
    ],
)
def test_known_places_have_their_names(
    place: tuple[float, float, float], region: str
) -> None:
    atlas = read_default_atlas()
    (label,), (away,) = atlas.nearest([place])
    assert atlas.name_of(int(label)) == region
    assert away < 3


def test_left_is_left_in_every_region() -> None:
    atlas = read_default_atlas()
    sides = set()
    for label, name in atlas.names.items():
        x = np.argwhere(atlas.labels == label)[:, 0].mean() * 2 + atlas.grid.origin[0]
        side = name[-1] if name.endswith((" L", " R")) else ""
        sides.add(side)
        if side:
            assert (side == "L") == (x < -2), name
        else:
            assert abs(x) < 2, name
    assert sides == {"L", "R", ""}


def test_every_region_has_its_twin_on_the_other_side() -> None:
    names = set(read_default_atlas().names.values())
    lateral = {name[:-2] for name in names if name.endswith((" L", " R"))}
    assert {f"{name} {side}" for name in lateral for side in "LR"} | {
        "brainstem"
    } == names


def test_the_packaged_atlas_is_what_it_is_said_to_be() -> None:
    atlas = read_default_atlas()
    mask, grid = read_brain_mask()
    assert atlas.grid.same_as(grid)
    assert len(atlas.names) == 87
    assert set(np.unique(atlas.labels)) == {0, *atlas.names}
    # Regions are brain.
    assert mask[atlas.labels > 0].mean() > 0.97
    assert read_default_atlas() is atlas


def test_the_packaged_atlas_is_small_and_has_its_license_beside_it() -> None:
    data = files("napari_neurosynth_results.anatomy") / "data"
    size = sum(
        len((data / name).read_bytes())
        for name in ("atlas_dk_2mm.nii.gz", "atlas_dk.json")
    )
    assert size < 60_000
    terms = (data / "atlas_dk-LICENSE.txt").read_text(encoding="utf-8")
    assert "FreeSurfer Software License Agreement" in terms
    assert "obtained under license from The General Hospital Corporation" in " ".join(
        terms.split()
    )
