"""Colors say side and strength; whether a voxel is seen is not for them to say."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results import MapKind
from napari_neurosynth_results.export.colors import HUES
from napari_neurosynth_results.statistics.thresholds.first_look import FirstLook
from napari_neurosynth_results.viewer.colormaps import (
    Coloring,
    coloring,
    faint_coloring,
)

HEIGHTS = st.floats(1e-3, 50)
ROOMS = st.floats(1.001, 200)
SIDES = st.sampled_from([(True, False), (False, True), (True, True)])
#: Whatever a user may set the limits to.
LIMITS = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


def look(
    height: float, strongest: float, *, signed: bool = False, survives: bool = True
) -> FirstLook:
    return FirstLook(height, strongest, signed, 1, survives, "")


def painted(
    chosen: Coloring,
    values: npt.ArrayLike,
    limits: tuple[float, float] | None = None,
    gamma: float = 1,
) -> npt.NDArray[np.float64]:
    """Color values as napari does: scaled by the limits, then mapped."""
    from napari.utils.colormaps import Colormap

    low, high = limits or chosen.contrast_limits
    scaled = (np.asarray(values, np.float64) - low) / (high - low)
    scaled = np.where(np.isnan(scaled), np.nan, np.clip(scaled, 0, 1) ** gamma)
    return np.asarray(Colormap(**chosen.colormap).map(scaled))


@given(
    height=HEIGHTS,
    room=ROOMS,
    sides=SIDES,
    limits=LIMITS,
    gamma=st.floats(0.2, 2),
    kind=st.sampled_from([MapKind.Z, MapKind.P, MapKind.LOGP]),
)
def test_every_value_is_opaque_at_any_limits_and_gamma(
    height: float,
    room: float,
    sides: tuple[bool, bool],
    limits: tuple[float, float],
    gamma: float,
    kind: MapKind,
) -> None:
    chosen = coloring(look(height, height * room), kind, sides=sides)
    values = np.concatenate([np.linspace(-2, 2, 99) * height * room, [0.0]])
    for moved in (None, limits):
        assert (painted(chosen, values, moved, gamma)[:, 3] == 1).all()
        assert not painted(chosen, [np.nan], moved, gamma)[:, 3].any()


@pytest.mark.parametrize("hue", [None, *HUES])
def test_the_smaller_p_is_the_brighter_in_any_hue(hue: Any) -> None:
    chosen = coloring(look(0.05, 1e-6), MapKind.P, hue=hue)
    light = painted(chosen, np.geomspace(1e-6, 0.05, 20))[:, :3].sum(axis=1)
    assert (np.diff(light) <= 1e-6).all()
    assert light[0] > light[-1] + 0.3


def test_small_p_is_as_bright_as_large_logp() -> None:
    p = coloring(look(0.05, 1e-6), MapKind.P)
    logp = coloring(look(1.3, 6), MapKind.LOGP)
    brightness = painted(p, [1e-6, 1e-4, 0.01, 0.05])[:, :3].sum(axis=1)
    assert (np.diff(brightness) < 0).all()
    strong, weak = painted(logp, [6, 1.3])[:, :3].sum(axis=1)
    assert strong > weak
    assert brightness[0] == pytest.approx(strong, rel=0.05)


@given(height=HEIGHTS, room=st.floats(1.3, 200))
def test_signs_have_colors_of_their_own_and_equal_strength(
    height: float, room: float
) -> None:
    strongest = height * room
    chosen = coloring(look(height, strongest, signed=True), MapKind.Z)
    low, high = chosen.contrast_limits
    assert low == -high == pytest.approx(-strongest)
    values = np.linspace(height, strongest, 50)
    warm, cold = painted(chosen, values), painted(chosen, -values)
    assert (warm[:, 0] > warm[:, 2]).all()
    assert (cold[:, 2] > cold[:, 0]).all()
    # The colors of each side begin at the threshold, and use all of their range.
    for side in (warm, cold):
        assert side[-1, :3].sum() > side[0, :3].sum() + 0.5


@given(share=st.floats(0.3, 0.9), narrow=st.floats(0.3, 3))
def test_moved_limits_leave_a_sign_its_color(share: float, narrow: float) -> None:
    """Auto-contrast makes limits that are not symmetric, as far as the map is not."""
    chosen = coloring(look(3, 10, signed=True), MapKind.Z)
    values = np.concatenate([np.linspace(3, 9, 40)])
    for limits in ((-narrow * 9, narrow * 9), (-9 * share - 3, 9.0)):
        if abs(sum(limits)) / 2 > 3:
            continue
        warm, cold = painted(chosen, values, limits), painted(chosen, -values, limits)
        assert (warm[:, 0] > warm[:, 2]).all()
        assert (cold[:, 2] > cold[:, 0]).all()


def test_negative_values_are_cold_alone_too() -> None:
    chosen = coloring(look(3, 9, signed=True), MapKind.Z, sides=(False, True))
    assert chosen.contrast_limits == pytest.approx((-9, -3), rel=2e-3)
    alone = painted(chosen, -np.linspace(3.01, 8.9, 50))
    assert (alone[:, 2] > alone[:, 0]).all()
    assert (np.diff(alone[:, :3].sum(axis=1)) > 0).all()


def test_limits_of_one_side_are_threshold_and_strongest_value() -> None:
    limits = coloring(look(3, 9), MapKind.Z).contrast_limits
    assert limits == pytest.approx((3, 9), rel=2e-3)
    # In 3D a value at the very limit would not be drawn.
    assert limits[0] < 3
    assert coloring(look(0.05, 1e-4), MapKind.P).contrast_limits == (5e-5, 0.05)


def test_a_map_of_one_value_still_has_limits() -> None:
    for kind, signed in ((MapKind.Z, True), (MapKind.Z, False), (MapKind.P, False)):
        for shown in (look(0.5, 0.5, signed=signed), look(0.6, 0.5, signed=signed)):
            for chosen in (coloring(shown, kind), faint_coloring(shown, kind)):
                low, high = chosen.contrast_limits
                assert low < high


@given(height=HEIGHTS, room=ROOMS, sides=SIDES)
def test_below_the_threshold_the_weaker_is_the_fainter(
    height: float, room: float, sides: tuple[bool, bool]
) -> None:
    chosen = faint_coloring(look(height, height * room), MapKind.Z, sides=sides)
    values = np.linspace(-1.2, 1.2, 301) * height
    alpha = painted(chosen, values)[:, 3]
    shown = (values > 0) & sides[0] | (values < 0) & sides[1]
    assert not alpha[~shown].any()
    for side, way in ((values > 0, 1), (values < 0, -1)):
        assert (np.diff(alpha[side][::way]) >= 0).all()
    # What was kept out by extent or mask is no fainter than what is just below.
    assert (alpha[shown & (np.abs(values) >= height)] == 1).all()
    assert not painted(chosen, [np.nan, 0])[:, 3].any()


def test_the_larger_p_the_fainter() -> None:
    chosen = faint_coloring(look(0.001, 1e-6), MapKind.P)
    alpha = painted(chosen, [1e-5, 0.001, 0.01, 0.5, 1, np.nan])[:, 3]
    assert alpha[0] == alpha[1] == 1
    assert (np.diff(alpha[1:5]) < 0).all()
    assert alpha[4] == alpha[5] == 0


LOOKS = st.tuples(
    st.floats(0.5, 5),
    st.floats(1.1, 4),
    st.none() | SIDES,
    st.booleans(),
    st.none() | st.sampled_from(HUES),
)


@given(st.lists(LOOKS, min_size=2, max_size=30), st.sampled_from(MapKind))
def test_colormaps_of_one_name_have_the_same_colors(
    asked: list[Any], kind: MapKind
) -> None:
    """Napari keeps one colormap a name, and a name that is known is not sent again."""
    by_name: dict[str, str] = {}
    for height, room, sides, signed, hue in asked:
        found = look(height, height * room, signed=signed)
        for chosen in (
            coloring(found, kind, sides=sides, hue=hue),
            faint_coloring(found, kind, sides=sides),
        ):
            colormap = dict(chosen.colormap)
            name = colormap.pop("name")
            content = repr({key: np.asarray(v).tolist() for key, v in colormap.items()})
            assert by_name.setdefault(name, content) == content
    # And with another name there are other colors.
    assert len(set(by_name.values())) == len(by_name)


@pytest.mark.slow
@pytest.mark.parametrize("heights", [np.linspace(2, 8, 500), np.linspace(8, 2, 500)])
def test_colors_change_only_now_and_then_while_a_threshold_moves(
    heights: npt.NDArray[np.float64],
) -> None:
    names = [
        coloring(look(height, 9, signed=True), MapKind.Z).colormap["name"]
        for height in heights
    ]
    changes = sum(a != b for a, b in itertools.pairwise(names))
    assert 1 <= changes <= 20
