"""Figures of comparisons: agreement in its places, matrices with their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import napari_neurosynth_results as nnr
from helpers.drawn_figures import MASS, Opened, found_at, middle, panels, pixels, texts
from napari_neurosynth_results import ResultsError, ResultSet
from napari_neurosynth_results.export import figures


@pytest.mark.slow
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


@pytest.mark.slow
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
    with pytest.raises(ResultsError, match="measure must be one of dice"):
        figures.matrix_figure(matrix, "p")  # type: ignore[arg-type]
