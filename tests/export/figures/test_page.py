"""Texts fit on the paper, which has the color that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import napari_neurosynth_results as nnr
from helpers.drawn_figures import AFFINE, MASS, SHAPE, Opened, pixels, texts
from napari_neurosynth_results import ResultSet
from napari_neurosynth_results.export import figures
from napari_neurosynth_results.export.figures.page import text_width, wrap_text


@pytest.mark.slow
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
    lines = wrap_text(f"a title {'x' * 200} ends", 7, 60)
    assert "".join(lines).replace(" ", "") == f"atitle{'x' * 200}ends"
    assert len(lines) > 3
    assert max(text_width(line, 7) for line in lines) <= 60
    assert wrap_text("", 7, 60) == [""]


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
