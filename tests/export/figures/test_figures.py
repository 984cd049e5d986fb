"""Figures show what is there, where it is: left is left, and nothing is made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ClusterSet, ResultsError, ResultSet
from napari_neurosynth_results.anatomy.template import read_brain_mask
from napari_neurosynth_results.export import figures
from napari_neurosynth_results.export.figures.color_scale import colors_of, scale_of
from napari_neurosynth_results.export.figures.maps import evenly, said
from napari_neurosynth_results.export.figures.page import text_width, wrapped
from napari_neurosynth_results.export.figures.slices import Brain, Overlay, brain_for

Opened = Callable[..., ResultSet]

#: 4 mm voxels whose middles are on no voxel of the template.
SHAPE = (45, 54, 45)
AFFINE = np.diag([4.0, 4, 4, 1])
AFFINE[:3, 3] = -89, -127, -71
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


def found_at(
    opened: Opened, *places: tuple[float, float, float, float], **asked: Any
) -> ClusterSet:
    """Find the clusters of a z map that has 3 x 3 x 3 voxels at some places."""
    values = np.zeros(SHAPE, np.float32)
    for x, y, z, value in places:
        i, j, k = np.rint((np.array([x, y, z]) - AFFINE[:3, 3]) / 4).astype(int)
        values[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2] = value
    values[:2] = np.nan
    results = opened({"contrast_z": values}, affine=AFFINE)
    return nnr.find_clusters(results["contrast_z"], **{"value": 3, **asked})


def pixels(figure: Any, dpi: float = 150) -> np.ndarray:
    """Draw a figure; red, green and blue, 0 to 255."""
    figure.set_dpi(dpi)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[:, :, :3].astype(int)


def panels(figure: Any) -> list[np.ndarray]:
    """Return the pictures of a figure as they were drawn, without the bar."""
    found = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    return [np.asarray(one) for one in found if one.shape[0] > 1]


def warm(picture: np.ndarray) -> np.ndarray:
    red, _, blue = np.moveaxis(picture / max(1, picture.max()), -1, 0)
    return red - blue > 0.3


def cold(picture: np.ndarray) -> np.ndarray:
    red, _, blue = np.moveaxis(picture / max(1, picture.max()), -1, 0)
    return blue - red > 0.3


def middle(found: np.ndarray) -> tuple[float, float]:
    """Return where something is: shares of the width and of the height from below."""
    rows, columns = np.nonzero(found)
    height, width = found.shape
    return (columns.mean() + 0.5) / width, 1 - (rows.mean() + 0.5) / height


def texts(figure: Any) -> list[str]:
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [text.get_text() for text in figure.texts] + inside


# --- where things are ---------------------------------------------------------------


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
    overlay = scale_of(clusters).overlay(clusters)
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
    clusters = Overlay(np.zeros(grid.shape, np.float32), grid, colors_of)
    view = brain.view("axial", "neurological", clusters, 40)
    across, up = middle(brain.picture(view, 20, clusters)[:, :, 0] > 0.5)
    columns, rows = view.pixels()
    x = columns[int(across * columns.size)]
    y = rows[int((1 - up) * rows.size)]
    # Voxels 10 to 39 of x and 60 to 99 of y, each 2 mm.
    assert x == pytest.approx(grid.origin[0] + 2 * 24.5, abs=1)
    assert y == pytest.approx(grid.origin[1] + 2 * 79.5, abs=1)


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


# --- what colors mean ---------------------------------------------------------------


def test_strengths_run_from_the_threshold_to_the_strongest(opened: Opened) -> None:
    clusters = found_at(opened, (-41, 1, 1, 3), (41, 1, 1, 5), (1, -59, 1, 7))
    scale = scale_of(clusters)
    found = sorted({round(float(one), 3) for one in scale.shades[scale.shades > 0]})
    assert found == [0.0, 0.5, 1.0]
    assert (scale.height, scale.strongest, scale.marked) == (3, 7, True)
    assert [tick.text for tick in scale.ticks() if tick.limit] == ["≥ 3"]
    assert colors_of(np.array([0, np.float32(0.5)], np.float32))[:, 3].tolist() == [
        0,
        1,
    ]


def test_small_p_is_strong_by_decades(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample["p"], p=0.001)
    scale = scale_of(clusters)
    values = sample["p"].data[clusters.labels > 0]
    shades = scale.shades[clusters.labels > 0]
    assert np.corrcoef(-np.log10(values), shades)[0, 1] == pytest.approx(1)
    assert scale.ticks()[0].text == "≤ .001"
    strengths = [tick.strength for tick in scale.ticks()]
    assert strengths == sorted(strengths)


@pytest.mark.slow
def test_of_tested_clusters_only_the_significant_ones_are_colored(
    sample: ResultSet,
) -> None:
    clusters = nnr.find_clusters(sample[MASS])
    scale = scale_of(clusters)
    colored = np.unique(clusters.labels[scale.shades != 0])
    assert colored.tolist() == (np.flatnonzero(clusters.significant) + 1).tolist()
    assert scale.outlined is not None
    outlined = np.unique(clusters.labels[scale.outlined])
    assert outlined.tolist() == (np.flatnonzero(~clusters.significant) + 1).tolist()
    # Colors are those of z, which the corrected p was not read off.
    assert scale.label == sample["z"].title
    assert not any(tick.limit for tick in scale.ticks())
    told = " ".join(texts(figures.lightbox_figure(clusters)))
    assert "Not significant: 7, outlined." in told
    assert "left out" in " ".join(texts(figures.glass_figure(clusters)))


def test_what_is_not_significant_is_outlined_in_gray(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample[MASS])
    row = clusters.table[~clusters.significant].nlargest(1, "n_voxels").iloc[0]
    place = [float(row.peak_z)]
    (with_them,) = panels(figures.lightbox_figure(clusters, places=place))
    alone = nnr.find_clusters(sample["z"], value=50)
    (without,) = panels(figures.lightbox_figure(alone, places=place))
    changed = (with_them != without).any(axis=2) & ~warm(with_them)
    assert changed.any()
    assert np.ptp(with_them[changed], axis=1).max() == 0


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


# --- which slices -------------------------------------------------------------------


def test_slices_are_chosen_evenly_between_the_first_and_the_last_cluster(
    sample: ResultSet,
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001, min_voxels=10)
    overlay = scale_of(clusters).overlay(clusters)
    brain = brain_for(clusters.statmap.grid, "black")
    for plane, axis in (("axial", 2), ("coronal", 1), ("sagittal", 0)):
        places = evenly(brain, overlay, plane)  # type: ignore[arg-type]
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
    assert said("sagittal", -38) == "x = \N{MINUS SIGN}38 (L)"
    assert said("sagittal", 0) == "x = 0"
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


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"places": [300]}, "z = 300 lies outside of the brain"),
        ({"places": []}, "places is empty"),
        ({"plane": "oblique"}, "plane is axial"),
        ({"side": "left"}, "side is neurological or radiological"),
        ({"columns": 0}, "columns is 1 or more"),
        ({"background": "pink"}, "black or white"),
        ({"width_mm": 5}, "width_mm is 60 to 500"),
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


# --- paper --------------------------------------------------------------------------


@pytest.mark.parametrize("width", [85, 180])
@pytest.mark.parametrize("kind", ["lightbox", "ortho", "glass"])
def test_texts_stay_on_the_paper_and_are_large_enough(
    sample: ResultSet, kind: str, width: float
) -> None:
    clusters = nnr.find_clusters(sample[MASS])
    figure = getattr(figures, f"{kind}_figure")(clusters, width_mm=width)
    assert figure.get_figwidth() * 25.4 == pytest.approx(width)
    drawn = pixels(figure)
    inside = [text for axes in figure.axes for text in axes.texts]
    for text in [*figure.texts, *inside]:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= drawn.shape[1]
        assert box.y0 >= 0
        assert box.y1 <= drawn.shape[0]
        assert text.get_fontsize() >= 6


def test_long_texts_are_wrapped_even_without_spaces() -> None:
    lines = wrapped(f"a title {'x' * 200} ends", 7, 60)
    assert "".join(lines).replace(" ", "") == f"atitle{'x' * 200}ends"
    assert len(lines) > 3
    assert max(text_width(line, 7) for line in lines) <= 60
    assert wrapped("", 7, 60) == [""]


def test_dollars_in_a_title_are_no_mathematics(opened: Opened) -> None:
    values = np.zeros(SHAPE)
    values[20:24, 20:24, 20:24] = 6
    results = opened({"$x_{$ and \\frac": values}, affine=AFFINE)
    clusters = nnr.find_clusters(next(iter(results.maps.values())), value=3)
    figure = figures.lightbox_figure(clusters, width_mm=85)
    assert pixels(figure).any()
    assert any("$x_{$" in text for text in texts(figure))


@pytest.mark.parametrize(("background", "corner"), [("black", 0), ("white", 255)])
def test_the_background_is_that_of_the_paper(
    sample: ResultSet, background: Any, corner: int
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001)
    drawn = pixels(figures.glass_figure(clusters, background=background))
    assert (drawn[0] == corner).all()
    assert (drawn[:, -1] == corner).all()


# --- comparisons --------------------------------------------------------------------


def test_agreement_has_its_colors_in_its_places(opened: Opened) -> None:
    one = found_at(opened, (-41, 1, 1, 6), (1, 41, 1, 6), (41, 1, 1, 6))
    two = found_at(opened, (1, 41, 1, 6), (1, -59, 1, 6), (41, 1, 1, -6))
    compared = nnr.compare_maps(
        one.statmap, two.statmap, threshold_a=one, threshold_b=two
    )
    figure = figures.comparison_figure(compared, places=[1])
    (picture,) = panels(figure)
    # orange, sky blue, white, vermilion
    for color, (x, y) in (
        ((0.9, 0.6, 0), (0.2, 0.55)),
        ((0.34, 0.71, 0.91), (0.5, 0.25)),
        ((1, 1, 1), (0.5, 0.78)),
        ((0.84, 0.37, 0), (0.8, 0.55)),
    ):
        found = np.isclose(picture, color).all(axis=2)
        assert found.sum() == 24 * 24
        assert middle(found) == pytest.approx((x, y), abs=0.08)
    told = texts(figure)
    for line in ("both: 27 voxels (1.7 cm3)", "both, with opposite signs: 27 voxels"):
        assert any(text.startswith(line) for text in told)
    wide = " ".join(texts(figures.comparison_figure(compared, width_mm=400)))
    assert wide.count("6-connected: 3 clusters, 81 voxels, 5.2 cm3.") == 2
    light = figures.comparison_figure(compared, places=[1], background="white")
    assert np.isclose(panels(light)[0], (0.1, 0.1, 0.1)).all(axis=2).sum() == 24 * 24


@pytest.mark.slow
def test_maps_on_two_grids_are_compared_on_one(
    opened: Opened, sample: ResultSet
) -> None:
    one = found_at(opened, (39, 5, 1, 6))
    compared = nnr.compare_maps(
        one.statmap, sample["z"], threshold_a=one, threshold_b={"p": 0.001}
    )
    (picture,) = panels(figures.comparison_figure(compared, places=[2]))
    assert middle(np.isclose(picture, 1).all(axis=2))[0] > 0.6
    assert compared.resampled in " ".join(
        texts(figures.comparison_figure(compared, width_mm=400))
    )


@pytest.mark.parametrize("measure", ["dice", "jaccard", "r", "rho"])
def test_a_matrix_says_its_numbers(sample: ResultSet, measure: Any) -> None:
    maps = [sample[stem] for stem in ("z", "logp", "stat", MASS)]
    matrix = nnr.compare_many(maps)
    figure = figures.matrix_figure(matrix, measure)
    told = texts(figure)
    values = getattr(matrix, measure).to_numpy()
    for value in values[np.isfinite(values)]:
        assert f"{value:.2f}" in told
    (cells,) = panels(figure)
    assert cells.shape[:2] == (4, 4)
    unknown = np.isclose(cells, 0.5).all(axis=2)
    assert (unknown == np.isnan(values)).all()
    assert any("Gray:" in text for text in told) == np.isnan(values).any()


@pytest.mark.slow
def test_a_matrix_of_many_maps_fits(sample: ResultSet) -> None:
    maps = {f"a rather long name of the map {n}": sample["z"] for n in range(40)}
    matrix = nnr.compare_many(maps, threshold={"p": 0.001})
    figure = figures.matrix_figure(matrix, width_mm=180)
    drawn = pixels(figure)
    for text in figure.texts:
        assert text.get_window_extent().x0 >= 0
        assert text.get_window_extent().x1 <= drawn.shape[1]
    with pytest.raises(ResultsError, match="measure is dice"):
        figures.matrix_figure(matrix, "p")  # type: ignore[arg-type]
