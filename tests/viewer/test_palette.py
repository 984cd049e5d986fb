"""Colors belong to peaks: they stay while clusters come, go and change places."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.utils.colormaps import Colormap

from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.statistics.thresholds.first_look import FirstLook
from napari_neurosynth_results.viewer.colormaps import coloring
from napari_neurosynth_results.viewer.palette import (
    CHOSEN,
    GRAY,
    PART,
    Voxel,
    cluster_colors,
)

Colors = npt.NDArray[np.float32]

N_COLORS = 9
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


def test_the_first_clusters_have_a_color_each() -> None:
    assert len(kinds_of(painted(peaks(N_COLORS), {}))) == N_COLORS


def test_clusters_that_are_gone_give_their_colors_back() -> None:
    remembered: dict[Voxel, int] = {}
    painted(peaks(N_COLORS), remembered)
    stays = peaks(1)
    colors = painted([*stays, *peaks(N_COLORS - 1, first=100)], remembered)
    assert len(kinds_of(colors)) == N_COLORS


def test_the_first_clusters_of_two_maps_have_the_same_colors() -> None:
    assert np.array_equal(painted(peaks(5), {}), painted(peaks(5, first=9), {}))


@given(seed=st.integers(0, 99), n=st.integers(N_COLORS + 1, 120))
def test_the_nearest_clusters_never_share_a_color(seed: int, n: int) -> None:
    """Of any cluster the three nearest that were there before, and the row above."""
    places = np.random.default_rng(seed).permutation(12**3)[:n]
    found = [(int(p) // 144, int(p) // 12 % 12, int(p) % 12) for p in places]
    colors = painted(found, {})[1:]
    xyz = np.array(found)
    for number in range(1, n):
        away = np.linalg.norm(xyz[:number] - xyz[number], axis=1)
        for other in {*np.argsort(away, kind="stable")[:3].tolist(), number - 1}:
            limit = np.sort(away)[min(3, number - 1)]
            if other == number - 1 or away[other] < limit:
                assert not np.array_equal(colors[number], colors[other])


def test_a_thousand_clusters_are_colored_too() -> None:
    places = [(n // 100, n // 10 % 10, n % 10) for n in range(1000)]
    assert len(kinds_of(painted(places, {}))) == N_COLORS


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


def lab(colors: npt.ArrayLike, *, deuteranopia: bool) -> npt.NDArray[np.float64]:
    """Convert to CIELAB; as seen with deuteranopia by Machado et al. (2009)."""
    rgb = np.asarray(colors, float)[:, :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if deuteranopia:
        seen = [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
        linear = np.clip(linear @ np.transpose(seen), 0, 1)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    xyz = linear @ np.transpose(to_xyz) / (0.95047, 1, 1.08883)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], -1
    )


@pytest.mark.parametrize("deuteranopia", [False, True])
def test_colors_of_clusters_differ_from_each_other_and_from_those_of_maps(
    deuteranopia: bool,
) -> None:
    clusters = np.vstack([painted(peaks(N_COLORS), {})[1:], PART, CHOSEN, GRAY])
    of_maps = []
    for sides in ((True, False), (False, True), (True, True)):
        chosen = coloring(FirstLook(1, 4, True, 1, True, ""), MapKind.Z, sides=sides)
        colormap = Colormap(**chosen.colormap)
        of_maps.append(colormap.map(np.linspace(0, 1, 257)))
    ours = lab(clusters, deuteranopia=deuteranopia)
    theirs = lab(np.concatenate(of_maps), deuteranopia=deuteranopia)
    # White and gray say something of a cluster, and are no color of one.
    far = np.linalg.norm(ours[:-2, None] - theirs, axis=-1)
    assert far.min() >= 20
    apart = np.linalg.norm(ours[:, None] - ours, axis=-1)
    assert apart[np.triu_indices(len(ours), 1)].min() >= 20


def test_the_chosen_cluster_and_the_gray_ones_have_no_hue_at_all() -> None:
    for color in (GRAY, CHOSEN, PART):
        assert colorsys.rgb_to_hsv(*color[:3])[1] == 0
    assert GRAY != CHOSEN
