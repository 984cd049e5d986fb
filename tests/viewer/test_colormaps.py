"""What is lit is what reaches the threshold, to the last bit of float32."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results import MapKind, open_results
from napari_neurosynth_results.statistics.thresholds.first_look import (
    FirstLook,
    first_look,
)
from napari_neurosynth_results.viewer.colormaps import Coloring, coloring
from napari_neurosynth_results.viewer.layers import build_layers

Floats = npt.NDArray[np.float32]
HEIGHTS = st.floats(1e-3, 50)
ROOMS = st.floats(1.001, 200)


def look(
    height: float, strongest: float, *, signed: bool = False, survives: bool = True
) -> FirstLook:
    return FirstLook(height, strongest, signed, 1, survives, "")


def painted(chosen: Coloring, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Color values as napari does: scaled by the limits, then mapped."""
    from napari.utils.colormaps import Colormap

    low, high = chosen.contrast_limits
    scaled = (np.asarray(values, np.float64) - low) / (high - low)
    return np.asarray(Colormap(**chosen.colormap).map(scaled))


def lit(chosen: Coloring, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which values are not transparent."""
    alpha = painted(chosen, values)[:, 3]
    assert set(np.unique(alpha)) <= {0, 1}, "half transparent"
    return np.asarray(alpha == 1)


def around(height: float, strongest: float) -> Floats:
    """Return values on both sides of a height, the nearest floats among them."""
    edge = np.float32(height)
    # The limits forgive a millionth: beyond that, every value counts.
    near = edge * np.array([1 - 4e-6, 1 - 2e-6, 1, 1 + 2e-6, 1 + 4e-6], np.float32)
    far = np.random.default_rng(5).uniform(-1.2, 1.2, 2000) * strongest
    return np.concatenate([near, -near, far, [0, strongest, -strongest]]).astype("f4")


def reaches(values: Floats, height: float) -> npt.NDArray[np.bool_]:
    return np.asarray(values.astype(float) >= height * (1 - 1e-6))


@given(height=HEIGHTS, room=ROOMS)
def test_one_sided_maps_light_what_reaches_the_height(
    height: float, room: float
) -> None:
    chosen = coloring(look(height, height * room), MapKind.Z)
    values = around(height, height * room)
    assert (lit(chosen, values) == reaches(values, height)).all()


@given(height=HEIGHTS, room=ROOMS)
def test_signed_maps_light_both_sides_and_nothing_between(
    height: float, room: float
) -> None:
    chosen = coloring(look(height, height * room, signed=True), MapKind.Z)
    low, high = chosen.contrast_limits
    assert low == -high
    values = around(height, height * room)
    # The limits may move by half an entry of the table, the edge may not.
    assert (lit(chosen, values) == reaches(np.abs(values), height)).all()
    assert high == pytest.approx(height * room, rel=0.5)


@given(height=st.floats(1e-5, 0.3), room=st.floats(1e-6, 0.9))
def test_p_maps_light_what_is_small_but_not_0(height: float, room: float) -> None:
    smallest = np.float32(height * room)
    chosen = coloring(look(height, float(smallest)), MapKind.P)
    low, high = np.float32(height * (1 - 1e-7)), np.float32(height * (1 + 4e-6))
    values = np.array([0, smallest, low, high, 1, np.nan], np.float32)
    assert lit(chosen, values).tolist() == [False, True, True, False, False, False]


def test_a_p_of_exactly_05_in_float32_is_lit() -> None:
    chosen = coloring(look(float(np.float32(0.05)), 1e-3), MapKind.P)
    values = np.array([0.05, 0.051, 0], np.float32)
    assert lit(chosen, values).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("kind", "signed"), [(MapKind.Z, False), (MapKind.Z, True), (MapKind.P, False)]
)
def test_nan_is_transparent(kind: MapKind, signed: bool) -> None:
    chosen = coloring(look(0.01, 0.5, signed=signed), kind)
    assert not lit(chosen, [np.nan]).any()


def test_small_p_is_as_bright_as_large_logp() -> None:
    p = coloring(look(0.05, 1e-6), MapKind.P)
    logp = coloring(look(1.3, 6), MapKind.LOGP)
    brightness = painted(p, [1e-6, 1e-4, 0.01, 0.05])[:, :3].sum(axis=1)
    assert (np.diff(brightness) < 0).all()
    strong, weak = painted(logp, [6, 1.3])[:, :3].sum(axis=1)
    assert strong > weak
    assert brightness[0] == pytest.approx(strong, rel=0.05)


def test_signs_have_colors_of_their_own_and_equal_strength() -> None:
    chosen = coloring(look(3, 9, signed=True), MapKind.Z)
    values = np.linspace(3.01, 8.9, 50)
    warm, cold = painted(chosen, values), painted(chosen, -values)
    assert (warm[:, 0] > warm[:, 2]).all()
    assert (cold[:, 2] > cold[:, 0]).all()
    for side in (warm, cold):
        assert side[-1, :3].sum() > side[0, :3].sum() + 0.5


def test_a_map_of_one_value_still_has_limits() -> None:
    for kind, signed in ((MapKind.Z, True), (MapKind.Z, False), (MapKind.P, False)):
        chosen = coloring(look(0.5, 0.5, signed=signed), kind)
        low, high = chosen.contrast_limits
        assert low < high
        assert lit(chosen, [0.5]).all()
        assert not lit(chosen, [0.0]).any()


def test_colormaps_of_different_thresholds_do_not_replace_each_other() -> None:
    """A dozen of napari's layers keep a dozen colormaps, by their names."""
    from napari.layers import Image

    layers = []
    chosen = [
        coloring(look(h, s, signed=True), MapKind.Z)
        for h, s in ((3, 9), (2, 9), (3.1, 4), (1, 90))
    ]
    for one in chosen:
        layers.append(
            Image(
                np.zeros((2, 2)),
                colormap=one.colormap,
                contrast_limits=one.contrast_limits,
            )
        )
    for layer, one in zip(layers, chosen, strict=True):
        assert np.allclose(layer.colormap.colors, one.colormap["colors"])


def test_every_map_of_the_sample_lights_what_it_announces(sample_path: Path) -> None:
    from napari.layers import Image, Layer

    results = open_results(sample_path)
    checked = 0
    for data, keywords, kind in build_layers(results, underlay=False).layers:
        layer = Layer.create(data, keywords, kind)
        if not isinstance(layer, Image):
            continue
        found = first_look(layer.metadata["neurosynth_results"])
        assert found is not None
        chosen = Coloring(
            {
                **{"colors": layer.colormap.colors, "name": "as in the layer"},
                **{"controls": layer.colormap.controls},
                **{"interpolation": str(layer.colormap.interpolation)},
                **{"low_color": layer.colormap.low_color},
                **{"high_color": layer.colormap.high_color},
                **{"nan_color": layer.colormap.nan_color},
            },
            tuple(layer.contrast_limits),
        )
        assert lit(chosen, layer.data.ravel()).sum() == found.n_voxels, layer.name
        checked += 1
    assert checked >= 7


# --- sides, and what is below the threshold ---------------------------------------

SIDES = st.sampled_from([(True, False), (False, True), (True, True)])


def shown_sides(values: Floats, sides: tuple[bool, bool]) -> npt.NDArray[np.bool_]:
    """Tell which values are on a side that is shown."""
    positive, negative = sides
    return (values > 0) & positive | (values < 0) & negative


@given(height=HEIGHTS, room=ROOMS, sides=SIDES)
def test_only_the_sides_that_were_asked_are_lit(
    height: float, room: float, sides: tuple[bool, bool]
) -> None:
    for signed in (True, False):
        strongest = height * room
        chosen = coloring(
            look(height, strongest, signed=signed), MapKind.Z, sides=sides
        )
        values = around(height, strongest)
        expected = reaches(np.abs(values), height) & shown_sides(values, sides)
        assert (lit(chosen, values) == expected).all()
        assert not lit(chosen, [np.nan, 0]).any()
        # The strongest voxels may lie beyond the limits, and stay lit.
        far = np.array([-9, 9], np.float32) * strongest
        assert lit(chosen, far).tolist() == [sides[1], sides[0]]


def test_negative_values_are_cold_alone_and_beside_positive_ones() -> None:
    values = -np.linspace(3.01, 8.9, 50)
    signed = look(3, 9, signed=True)
    alone = painted(coloring(signed, MapKind.Z, sides=(False, True)), values)
    both = painted(coloring(signed, MapKind.Z), values)
    assert np.array_equal(alone, both)
    assert (alone[:, 2] > alone[:, 0]).all()


@given(height=HEIGHTS, room=ROOMS, sides=SIDES)
def test_below_the_threshold_the_weaker_is_the_fainter(
    height: float, room: float, sides: tuple[bool, bool]
) -> None:
    strongest = height * room
    chosen = coloring(look(height, strongest), MapKind.Z, sides=sides, faint=True)
    values = np.sort(around(height, strongest))
    alpha = painted(chosen, values)[:, 3]
    shown = shown_sides(values, sides)
    above = reaches(np.abs(values), height)
    assert (alpha[shown & above] == 1).all()
    assert (alpha[shown & ~above] < 0.5).all()
    assert not alpha[~shown].any()
    for side, way in ((values > 0, 1), (values < 0, -1)):
        assert (np.diff(alpha[side][::way]) >= 0).all()
    assert not painted(chosen, [np.nan, 0])[:, 3].any()


@pytest.mark.parametrize("sides", [(True, False), (False, True), (True, True)])
def test_what_is_just_below_the_threshold_can_be_seen(sides: tuple[bool, bool]) -> None:
    chosen = coloring(look(3, 6), MapKind.Z, sides=sides, faint=True)
    sign = 1 if sides[0] else -1
    alpha = painted(chosen, sign * np.array([0.3, 1.5, 2.9]))[:, 3]
    assert 0 < alpha[0] < 0.05 < alpha[1] < 0.2 < 0.4 < alpha[2] < 0.5


@given(height=st.floats(1e-5, 0.3), room=st.floats(1e-6, 0.9))
def test_larger_p_are_faint_but_not_those_outside(height: float, room: float) -> None:
    chosen = coloring(look(height, height * room), MapKind.P, faint=True)
    values = np.array([height * room, height, height * 1.01, 1, 0, np.nan], np.float32)
    kept, edge, above, one, outside, nan = painted(chosen, values)[:, 3]
    assert kept == edge == 1
    assert 0 < above == one < 0.5
    assert outside == nan == 0


@given(height=st.floats(1e-30, 0.5), room=st.floats(1.001, 1e6))
@pytest.mark.parametrize("faint", [True, False])
def test_p_maps_on_which_nothing_survives_are_not_lit(
    faint: bool, height: float, room: float
) -> None:
    chosen = coloring(look(height, height * room), MapKind.P, faint=faint)
    low, high = chosen.contrast_limits
    assert 0 < low < high
    values = height * room * np.array([1, 1.5, 2, 100])
    assert (painted(chosen, values)[:, 3] < 0.5).all()


@given(height=HEIGHTS, room=st.floats(1.01, 10), sides=SIDES)
def test_maps_on_which_nothing_survives_are_not_lit(
    height: float, room: float, sides: tuple[bool, bool]
) -> None:
    for faint in (True, False):
        beyond = look(height * room, height, signed=True, survives=False)
        chosen = coloring(beyond, MapKind.Z, sides=sides, faint=faint)
        low, high = chosen.contrast_limits
        assert low < high
        alpha = painted(chosen, np.linspace(-height, height, 99))[:, 3]
        assert (alpha < 0.5).all()
        assert alpha.any() == faint


LOOKS = st.tuples(
    st.floats(0.5, 5),
    st.floats(1.1, 4),
    st.none() | SIDES,
    st.booleans(),
    st.booleans(),
)


@given(st.lists(LOOKS, min_size=2, max_size=30), st.sampled_from(MapKind))
def test_colormaps_of_one_name_have_the_same_colors(
    asked: list[Any], kind: MapKind
) -> None:
    """Known by its name, a colormap need not be sent to the graphics card again."""
    by_name: dict[str, str] = {}
    for height, room, sides, signed, faint in asked:
        found = look(height, height * room, signed=signed)
        colormap = dict(coloring(found, kind, sides=sides, faint=faint).colormap)
        name = colormap.pop("name")
        content = repr({key: np.asarray(v).tolist() for key, v in colormap.items()})
        assert by_name.setdefault(name, content) == content
    # And with another name there are other colors.
    assert len(set(by_name.values())) == len(by_name)


@pytest.mark.parametrize("faint", [True, False])
@pytest.mark.parametrize("heights", [np.linspace(2, 8, 500), np.linspace(8, 2, 500)])
def test_colors_change_only_now_and_then_while_a_threshold_moves(
    heights: Floats, faint: bool
) -> None:
    band, names = None, []
    for height in heights:
        shown = look(height, 9, signed=True)
        chosen = coloring(shown, MapKind.Z, faint=faint, before=band)
        band = chosen.band
        names.append(chosen.colormap["name"])
        # The range still fits the map, and the threshold is where it was asked.
        assert 0.7 <= chosen.contrast_limits[1] / 9 <= 1.5
        if not faint:
            values = around(height, 9)
            assert (lit(chosen, values) == reaches(np.abs(values), height)).all()
    changes = sum(a != b for a, b in itertools.pairwise(names))
    assert 1 <= changes <= 5
    # On its own each height has the range of the map.
    alone = coloring(look(heights[250], 9, signed=True), MapKind.Z)
    assert alone.contrast_limits[1] == pytest.approx(9, rel=0.01)


@pytest.mark.parametrize("faint", [True, False])
@pytest.mark.parametrize("sides", [(True, True), (True, False), (False, True)])
def test_what_is_beyond_the_limits_is_as_bright_as_can_be(
    sides: tuple[bool, bool], faint: bool
) -> None:
    # A band that was kept leaves the strongest values beyond the limits.
    first = coloring(look(3, 9, signed=True), MapKind.Z, sides=sides, faint=faint)
    shown = look(2.6, 9, signed=True)
    chosen = coloring(shown, MapKind.Z, sides=sides, faint=faint, before=first.band)
    low, high = chosen.contrast_limits
    assert max(-low, high) < 9 or chosen.band is None
    for side, sign in zip(sides, (1, -1), strict=True):
        at_limit, beyond = painted(chosen, np.array([8.0, 9.0]) * sign * 0.97)
        if side:
            assert (beyond[:3] >= at_limit[:3]).all()
            assert beyond[3] == 1
        else:
            assert beyond[3] == 0
