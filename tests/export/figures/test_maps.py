"""Figures show what is there, where it is: left is left, and nothing is made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import napari_neurosynth_results as nnr
from helpers.drawn_figures import (
    Opened,
    cold,
    found_at,
    middle,
    panels,
    pixels,
    texts,
    warm,
)
from napari_neurosynth_results import ResultsError, ResultSet
from napari_neurosynth_results.anatomy.template import read_brain_mask
from napari_neurosynth_results.export import figures
from napari_neurosynth_results.export.figures.color_scale import (
    build_color_scale,
    shade_colors,
)
from napari_neurosynth_results.export.figures.maps import even_places, slice_caption
from napari_neurosynth_results.export.figures.slices import Brain, Overlay, brain_for


@pytest.mark.slow
@pytest.mark.parametrize("background", ["black", "white"])
@pytest.mark.parametrize("side", ["neurological", "radiological"])
@pytest.mark.parametrize("plane", ["axial", "coronal"])
def test_left_is_where_the_letter_says(
    opened: Opened, plane: Any, side: Any, background: Any
) -> None:
    left = found_at(opened, (-41, 1, 1, 8))
    place = [1.0]
    figure = figures.lightbox_figure(
        left, plane, place, side=side, background=background, width_mm=85
    )
    drawn = pixels(figure)
    across, _ = middle(warm(drawn[: int(drawn.shape[0] * 0.8)]))
    letters = {
        text.get_text(): text.get_window_extent().x0 / drawn.shape[1]
        for axes in figure.axes
        for text in axes.texts
    }
    # On the side of its own letter, whichever that is.
    assert (across < 0.5) == (letters["L"] < letters["R"])
    assert (letters["L"] < letters["R"]) == (side == "neurological")


def test_a_voxel_lies_at_its_millimeters_in_every_plane(opened: Opened) -> None:
    clusters = found_at(opened, (31, -43, 21, 8))
    brain = brain_for(clusters.statmap.grid, "black")
    overlay = build_color_scale(clusters).overlay(clusters)
    for plane, depth, across, up in (
        ("axial", 21, 31, -43),
        ("coronal", -43, 31, 21),
        ("sagittal", 31, -43, 21),
    ):
        view = brain.view(plane, "neurological", overlay)  # type: ignore[arg-type]
        columns, rows = view.pixels()
        colored = warm(brain.picture(view, depth, overlay))
        seen_rows, seen_columns = np.nonzero(colored)
        # 3 voxels of 4 mm, to their edges and no farther.
        assert columns[seen_columns].min() == across - 5.75
        assert columns[seen_columns].max() == across + 5.75
        assert rows[seen_rows].min() == up - 5.75
        assert rows[seen_rows].max() == up + 5.75
        assert colored.sum() == 24 * 24
        assert not warm(brain.picture(view, depth + 8, overlay)).any()


def test_the_template_is_no_mirror_image() -> None:
    _, grid = read_brain_mask()
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[10:40, 60:100, 40:60] = 200
    brain = Brain("black", voxels, grid)
    clusters = Overlay(np.zeros(grid.shape, np.float32), grid, shade_colors)
    view = brain.view("axial", "neurological", clusters, 40)
    across, up = middle(brain.picture(view, 20, clusters)[:, :, 0] > 0.5)
    columns, rows = view.pixels()
    x = columns[int(across * columns.size)]
    y = rows[int((1 - up) * rows.size)]
    # Voxels 10 to 39 of x and 60 to 99 of y, each 2 mm.
    assert x == pytest.approx(grid.origin[0] + 2 * 24.5, abs=1)
    assert y == pytest.approx(grid.origin[1] + 2 * 79.5, abs=1)


@pytest.mark.slow
def test_nothing_is_colored_where_nothing_is_above_the_threshold(
    opened: Opened,
) -> None:
    clusters = found_at(opened, (-41, 1, 1, 2.9), (41, 1, 1, 8))
    for figure in (
        figures.lightbox_figure(clusters, places=[1]),
        figures.ortho_figure(clusters, (1, 1, 1)),
        figures.glass_figure(clusters),
    ):
        picture = panels(figure)[-1]
        found = warm(picture)
        assert found.any()
        assert not found[:, : found.shape[1] // 2].any()
        assert not cold(picture).any()


def test_signs_have_their_own_colors(opened: Opened) -> None:
    clusters = found_at(opened, (-41, 1, 1, -6), (41, 1, 1, 6))
    for figure in (
        figures.lightbox_figure(clusters, places=[1]),
        figures.ortho_figure(clusters, (1, 1, 1)),
        figures.glass_figure(clusters),
    ):
        picture = panels(figure)[-1]
        assert middle(cold(picture))[0] < 0.5 < middle(warm(picture))[0]
        told = texts(figure)
        assert "≥ 3" in told
        assert "≤ \N{MINUS SIGN}3" in told


def test_a_glass_brain_shows_what_is_strongest_at_any_depth(opened: Opened) -> None:
    clusters = found_at(opened, (31, 1, 41, -9), (31, 1, 1, 4), (-41, 1, 1, 4))
    sagittal, _, axial = panels(figures.glass_figure(clusters))
    assert cold(axial).sum() == 24 * 24
    assert middle(cold(axial))[0] > 0.5
    assert warm(axial).sum() == 24 * 24
    assert warm(sagittal).sum() == cold(sagittal).sum() == 24 * 24
    told = " ".join(texts(figures.glass_figure(clusters)))
    assert "Maximum projection" in told


def test_a_mouse_is_not_laid_over_a_human_brain(opened: Opened) -> None:
    values = np.zeros((20, 24, 20))
    values[4:6, 4:6, 4:6] = 5
    results = opened({"z": values}, affine=np.diag([0.5, 0.5, 0.5, 1]))
    clusters = nnr.find_clusters(results["z"], value=3)
    (picture,) = panels(figures.lightbox_figure(clusters, places=[2.5]))
    assert warm(picture).any()
    gray = (picture.min(axis=2) > 0.1) & (np.ptp(picture, axis=2) < 0.05)
    assert not gray.any()


@pytest.mark.slow
def test_a_map_in_which_nothing_survives_is_said_to_be_so(opened: Opened) -> None:
    clusters = found_at(opened, (-41, 1, 1, 2))
    for draw in (
        figures.lightbox_figure,
        figures.ortho_figure,
        figures.glass_figure,
    ):
        figure = draw(clusters)
        assert any("0 clusters" in text for text in texts(figure))
        assert not any(warm(one).any() for one in panels(figure))


@pytest.mark.slow
def test_slices_are_chosen_evenly_between_the_first_and_the_last_cluster(
    sample: ResultSet,
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001, min_voxels=10)
    overlay = build_color_scale(clusters).overlay(clusters)
    brain = brain_for(clusters.statmap.grid, "black")
    for plane, axis in (("axial", 2), ("coronal", 1), ("sagittal", 0)):
        places = even_places(brain, overlay, plane)  # type: ignore[arg-type]
        filled = np.flatnonzero(
            (clusters.labels > 0).any(axis=tuple({0, 1, 2} - {axis}))
        )
        ends = sample["z"].affine[axis, axis] * filled[[0, -1]]
        assert len(places) == 12
        assert [places[0], places[-1]] == (ends + sample["z"].affine[axis, 3]).tolist()
        steps = np.diff(places)
        assert steps.max() - steps.min() <= 2
    told = " ".join(texts(figures.lightbox_figure(clusters)))
    assert "They cut 10 of the 15 clusters." in told


def test_slices_say_where_they_lie(opened: Opened) -> None:
    clusters = found_at(opened, (-41, 1, 1, 8))
    figure = figures.lightbox_figure(clusters, places=[-12, 4.5], columns=1)
    assert {"z = \N{MINUS SIGN}12", "z = 4.5"} <= set(texts(figure))
    assert slice_caption("sagittal", -38) == "x = \N{MINUS SIGN}38 (L)"
    assert slice_caption("sagittal", 0) == "x = 0"
    few = figures.lightbox_figure(clusters)
    # Three slices have a cluster: no more are shown.
    assert len(panels(few)) == 3


def test_three_planes_meet_at_the_strongest_peak(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    figure = figures.ortho_figure(clusters)
    x, y, z = clusters.table.loc[0, ["peak_x", "peak_y", "peak_z"]]
    told = texts(figure)
    assert {f"x = {x:g} (R)", f"y = {y:g}", f"z = {z:g}"} <= set(told)
    assert f"At the peak of {clusters.names[0]}." in " ".join(told)
    for letter, times in zip("LRAPSI", (2, 2, 2, 2, 2, 2), strict=True):
        assert told.count(letter) == times
    lines = [axes.lines for axes in figure.axes if axes.texts]
    assert [len(one) for one in lines] == [4, 4, 4]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"places": [300]}, "z = 300 lies outside the brain"),
        ({"places": []}, "places is empty"),
        ({"plane": "oblique"}, "plane must be axial"),
        ({"side": "left"}, "side must be neurological or radiological"),
        ({"columns": 0}, "columns must be 1 or more"),
        ({"background": "pink"}, "black or white"),
        ({"width_mm": 5}, "width_mm must be 60 to 500"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    sample: ResultSet, options: dict[str, Any], says: str
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    with pytest.raises(ResultsError, match=says):
        figures.lightbox_figure(clusters, **options)
    with pytest.raises(ResultsError, match=r"y = 200 lies outside"):
        figures.ortho_figure(clusters, (0, 200, 0))
