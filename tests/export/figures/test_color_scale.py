"""Strengths are colors: from the threshold to the strongest, warm and cold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import napari_neurosynth_results as nnr
from helpers.drawn_figures import MASS, Opened, found_at, panels, texts, warm
from napari_neurosynth_results import ResultSet
from napari_neurosynth_results.export import figures
from napari_neurosynth_results.export.figures.color_scale import (
    build_color_scale,
    shade_colors,
)


def test_strengths_run_from_the_threshold_to_the_strongest(opened: Opened) -> None:
    clusters = found_at(opened, (-41, 1, 1, 3), (41, 1, 1, 5), (1, -59, 1, 7))
    scale = build_color_scale(clusters)
    found = sorted({round(float(one), 3) for one in scale.shades[scale.shades > 0]})
    assert found == [0.0, 0.5, 1.0]
    assert (scale.height, scale.strongest, scale.marks_threshold) == (3, 7, True)
    assert [tick.text for tick in scale.ticks() if tick.limit] == ["≥ 3"]
    assert shade_colors(np.array([0, np.float32(0.5)], np.float32))[:, 3].tolist() == [
        0,
        1,
    ]


def test_small_p_is_strong_by_decades(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample["p"], p=0.001)
    scale = build_color_scale(clusters)
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
    scale = build_color_scale(clusters)
    colored = np.unique(clusters.labels[scale.shades != 0])
    assert colored.tolist() == (np.flatnonzero(clusters.surviving) + 1).tolist()
    assert scale.outlined is not None
    outlined = np.unique(clusters.labels[scale.outlined])
    assert outlined.tolist() == (np.flatnonzero(~clusters.surviving) + 1).tolist()
    # Colors are those of z, which the corrected p was not read off.
    assert scale.label == sample["z"].title
    assert not any(tick.limit for tick in scale.ticks())
    told = " ".join(texts(figures.lightbox_figure(clusters)))
    assert "Not significant: 7, outlined." in told
    assert "left out" in " ".join(texts(figures.glass_figure(clusters)))


def test_what_is_not_significant_is_outlined_in_gray(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample[MASS])
    row = clusters.table[~clusters.surviving].nlargest(1, "n_voxels").iloc[0]
    place = [float(row.peak_z)]
    (with_them,) = panels(figures.lightbox_figure(clusters, places=place))
    alone = nnr.find_clusters(sample["z"], value=50)
    (without,) = panels(figures.lightbox_figure(alone, places=place))
    changed = (with_them != without).any(axis=2) & ~warm(with_them)
    assert changed.any()
    assert np.ptp(with_them[changed], axis=1).max() == 0


def test_a_corrected_map_is_colored_by_its_own_values_and_says_whose(
    sample: ResultSet,
) -> None:
    statmap = sample["z_level-voxel_corr-FWE_method-montecarlo"]
    clusters = nnr.find_clusters(statmap, p=0.05)
    scale = build_color_scale(clusters)
    assert scale.label == "z of p_FWE"
    assert np.array_equal(scale.shades > 0, clusters.labels > 0)
    assert scale.height == pytest.approx(stats.norm.isf(0.05))
    assert scale.strongest == statmap.data.max()
