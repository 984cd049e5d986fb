"""Colors belong to peaks: they stay while clusters come, go and change places."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.statistics.thresholds.first_look import FirstLook
from napari_neurosynth_results.viewer.colormaps import coloring
from napari_neurosynth_results.viewer.palette import CHOSEN, GRAY, Voxel, cluster_colors

Colors = npt.NDArray[np.float32]

N_COLORS = 24
VOXELS = st.tuples(*[st.integers(0, 3)] * 3)
#: Any clusters, in any order.
PEAKS = st.lists(VOXELS, unique=True, max_size=60)


def peaks(n: int, first: int = 0) -> list[Voxel]:
    """Return voxels that are no two the same."""
    return [(first + i, 0, 0) for i in range(n)]


def painted(clusters: list[Voxel], remembered: dict[Voxel, int]) -> Colors:
    """Color clusters that are all significant."""
    return cluster_colors(clusters, remembered, np.ones(len(clusters), bool))


def kinds_of(colors: Colors) -> set[tuple[float, ...]]:
    """Return the colors of clusters, each once."""
    return {tuple(row) for row in colors[1:].tolist()}


@given(steps=st.lists(PEAKS, min_size=1, max_size=6))
def test_a_cluster_keeps_its_color_while_others_come_and_go(
    steps: list[list[Voxel]],
) -> None:
    remembered: dict[Voxel, int] = {}
    seen: dict[Voxel, tuple[float, ...]] = {}
    for clusters in steps:
        colors = painted(clusters, remembered)
        for label, peak in enumerate(clusters, start=1):
            color = tuple(colors[label].tolist())
            assert seen.setdefault(peak, color) == color


@given(before=PEAKS, after=PEAKS)
def test_new_clusters_take_the_least_used_color(
    before: list[Voxel], after: list[Voxel]
) -> None:
    remembered: dict[Voxel, int] = {}
    painted(before, remembered)
    known = dict(remembered)
    painted(after, remembered)
    used = [known[peak] for peak in after if peak in known]
    for peak in after:
        if peak in known:
            continue
        counts = [used.count(color) for color in range(N_COLORS)]
        assert counts[remembered[peak]] == min(counts)
        used.append(remembered[peak])


def test_two_dozen_clusters_have_as_many_colors() -> None:
    assert len(kinds_of(painted(peaks(N_COLORS), {}))) == N_COLORS


def test_clusters_that_are_gone_give_their_colors_back() -> None:
    remembered: dict[Voxel, int] = {}
    painted(peaks(N_COLORS), remembered)
    stays = peaks(1)
    colors = painted([*stays, *peaks(N_COLORS - 1, first=100)], remembered)
    assert len(kinds_of(colors)) == N_COLORS


def test_the_first_clusters_of_two_maps_have_the_same_colors() -> None:
    assert np.array_equal(painted(peaks(5), {}), painted(peaks(5, first=9), {}))


@given(st.lists(st.tuples(VOXELS, st.booleans()), unique_by=lambda row: row[0]))
def test_what_is_not_significant_is_gray_and_nothing_else(
    clusters: list[tuple[Voxel, bool]],
) -> None:
    significant = np.array([yes for _, yes in clusters], bool)
    colors = cluster_colors([peak for peak, _ in clusters], {}, significant)
    gray = (colors[1 : len(clusters) + 1] == np.float32(GRAY)).all(axis=1)
    assert gray.tolist() == (~significant).tolist()


def test_a_gray_cluster_gets_its_own_color_when_it_becomes_significant() -> None:
    remembered: dict[Voxel, int] = {}
    before = painted(peaks(3), remembered)
    gray = cluster_colors(peaks(3), remembered, np.array([True, False, True]))
    assert not np.array_equal(gray, before)
    assert np.array_equal(painted(peaks(3), remembered), before)


@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_the_background_is_transparent_and_clusters_are_not(n: int) -> None:
    colors = painted(peaks(n), {})
    assert colors.dtype == np.float32
    # Without clusters there is a second row all the same: napari needs one to cycle.
    assert colors.shape == (max(n, 1) + 1, 4)
    assert not colors[0].any()
    assert (colors[1 : n + 1, 3] == 1).all()


@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_napari_gives_each_label_its_row(n: int) -> None:
    from napari.utils.colormaps import CyclicLabelColormap

    colors = painted(peaks(n), {})
    colormap = CyclicLabelColormap(colors=colors, background_value=0)
    assert np.allclose(colormap.map(np.arange(n + 1)), colors[: n + 1])


def test_clusters_stand_out_from_the_warm_colors_of_the_maps() -> None:
    look = FirstLook(1, 2, False, 1, True, "")
    warm = coloring(look, MapKind.Z).colormap["colors"]
    warm_hues = [colorsys.rgb_to_hsv(*rgb)[0] for rgb in warm[:, :3]]
    assert 0 <= min(warm_hues) < max(warm_hues) < 1 / 5
    clusters = painted(peaks(N_COLORS), {})[1:, :3]
    for red, green, blue in clusters.tolist():
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        assert max(warm_hues) + 0.04 < hue < 1 - 0.04
        assert saturation > 0.5
        assert value == 1


def test_neighbors_in_the_table_differ_in_hue() -> None:
    clusters = painted(peaks(N_COLORS), {})[1:, :3]
    hues = np.array([colorsys.rgb_to_hsv(*rgb)[0] for rgb in clusters.tolist()])
    assert np.abs(np.diff(hues)).min() > 0.15


def test_the_chosen_cluster_and_the_gray_ones_have_no_hue_at_all() -> None:
    for color in (GRAY, CHOSEN):
        assert colorsys.rgb_to_hsv(*color[:3])[1] == 0
    assert GRAY != CHOSEN
