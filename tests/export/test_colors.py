"""Colors begin where clusters do, whatever the kind of a map and of the question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from napari_neurosynth_results.export.colors import (
    colored_mask,
    colored_values,
    find_color_range,
)
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.first_look import (
    FirstLook,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]

SHAPE = (8, 9, 8)
MASS = "desc-mass_level-cluster_corr-FWE_method-montecarlo"
ASSOCIATION = "desc-associationMass_level-cluster_corr-FWE_method-montecarlo"
ASKED = [
    *(Threshold(p=p) for p in (0.3, 0.05, 0.001, 1e-5)),
    *(Threshold(q=q) for q in (0.2, 0.01)),
    Threshold(bonferroni=0.05),
]
#: float32 may be this far from the height of a p.
GRAIN = 1e-6


@pytest.fixture
def z(rng: np.random.Generator, inside: Array) -> Array:
    """Return scores with both signs, 0 outside the mask."""
    z = np.where(inside, rng.normal(0, 1.8, inside.shape), 0)
    z[3, 3, 3], z[5, 5, 5] = 5.5, -5.0
    return z


@pytest.fixture
def one_tailed(opened: Opened, z: Array, inside: Array) -> ResultSet:
    """Return a test of the positive direction, with clusters at p .01 and .3."""
    cluster_p = np.where(inside, 1 - 1 / 200, 1.0)
    cluster_p[2, 2:4, 2:4], cluster_p[5, 5:7, 5:7] = 0.01, 0.3
    return opened(
        {
            "z": z,
            "p": np.where(inside, stats.norm.sf(z), 0),
            "logp": np.where(inside, -stats.norm.logsf(z) / np.log(10), 0),
            "stat": np.where(inside, np.exp(z) / 50, 0),
            f"logp_{MASS}": -np.log10(cluster_p),
            f"z_{MASS}": np.where(inside, stats.norm.isf(cluster_p).clip(0), 0),
        }
    )


@pytest.fixture
def two_tailed(opened: Opened, z: Array, inside: Array) -> ResultSet:
    """Return a test of both directions; its estimate is not monotone in p."""
    cluster_p = np.where(inside, 1 - 1 / 200, 1.0)
    cluster_p[2, 2:4, 2:4], z[2, 2:4, 2:4] = 0.01, 5
    cluster_p[5, 5:7, 5:7], z[5, 5:7, 5:7] = 0.03, -4.5
    spread = 1 + np.arange(z.size).reshape(z.shape) % 3
    return opened(
        {
            "z_desc-association": z,
            "p_desc-association": np.where(inside, 2 * stats.norm.sf(np.abs(z)), 0),
            "est_desc-association": z * spread,
            f"logp_{ASSOCIATION}": -np.log10(cluster_p),
            f"z_{ASSOCIATION}": stats.norm.isf(cluster_p / 2) * np.sign(z),
        }
    )


def strength(clusters: ClusterSet) -> Array:
    """Return how strong voxels are, in the unit of the height."""
    data = clusters.statmap.data.astype(float)
    return np.abs(data) if clusters.statmap.signed else data


def check(clusters: ClusterSet, *, value_decides: bool = True) -> FirstLook:
    """Compare the voxels that are kept with those that the height would light."""
    look = find_color_range(clusters)
    kept = clusters.labels > 0
    size = strength(clusters)
    if clusters.statmap.kind == "p":
        inside = size > 0
        reached = (size <= look.height * (1 + GRAIN)) & inside
        assert look.strongest == size[inside].min()
    else:
        reached = size >= look.height * (1 - GRAIN)
    assert reached[kept].all()
    if value_decides:
        assert np.array_equal(reached, kept)
    assert look.n_voxels == kept.sum()
    assert look.survives == kept.any()
    assert look.signed == clusters.statmap.signed
    assert look.reason == str(clusters)
    return look


# --- height -----------------------------------------------------------------------


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("stem", ["z", "p", "logp", "stat"])
def test_the_height_divides_what_is_kept_from_the_rest(
    one_tailed: ResultSet, stem: str, asked: Threshold
) -> None:
    clusters = clusters_at(one_tailed[stem], asked)
    look = check(clusters)
    assert look.survives
    if stem != "stat":
        assert isinstance(clusters.threshold.height, float)
        assert look.height == clusters.threshold.height


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("stem", ["z_desc-association", "p_desc-association"])
def test_both_sides_of_a_signed_map_have_one_height(
    two_tailed: ResultSet, stem: str, asked: Threshold
) -> None:
    look = check(clusters_at(two_tailed[stem], asked))
    assert look.survives
    assert look.signed == stem.startswith("z")


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_where_another_map_decides_the_weakest_that_is_kept_is_the_height(
    two_tailed: ResultSet, asked: Threshold
) -> None:
    clusters = clusters_at(two_tailed["est_desc-association"], asked)
    look = check(clusters, value_decides=False)
    assert look.height == strength(clusters)[clusters.labels > 0].min()
    # Colors cut by value: some are lit that do not survive, never the other way round.
    assert (strength(clusters) >= look.height).sum() >= look.n_voxels > 0


@pytest.mark.parametrize(("stem", "value"), [("z", 2.5), ("logp", 2.0), ("stat", 0.2)])
def test_a_value_is_its_own_height(
    one_tailed: ResultSet, stem: str, value: float
) -> None:
    look = check(clusters_at(one_tailed[stem], Threshold(value=value)))
    assert look.height == value
    assert look.survives


def test_one_side_of_a_signed_map_has_the_height_of_both(two_tailed: ResultSet) -> None:
    z = two_tailed["z_desc-association"]
    both, *sides = (
        clusters_at(z, Threshold(p=0.01, tail=tail))
        for tail in ("both", "positive", "negative")
    )
    assert [find_color_range(side).height for side in sides] == [
        find_color_range(both).height
    ] * 2
    assert (
        sum(find_color_range(side).n_voxels for side in sides)
        == find_color_range(both).n_voxels
    )


def test_an_extent_changes_the_clusters_and_not_the_height(
    one_tailed: ResultSet,
) -> None:
    few = find_color_range(
        clusters_at(one_tailed["z"], Threshold(p=0.01, min_voxels=3))
    )
    all_of_them = find_color_range(clusters_at(one_tailed["z"], Threshold(p=0.01)))
    assert few.height == all_of_them.height
    assert few.n_voxels < all_of_them.n_voxels


# --- clusters that were tested ----------------------------------------------------


@pytest.mark.parametrize(("alpha", "n"), [(0.05, 4), (0.3, 8), (0.001, 0)])
def test_of_cluster_level_maps_what_is_significant_has_the_colors_of_its_test(
    one_tailed: ResultSet, alpha: float, n: int
) -> None:
    for value in ("z", "logp"):
        clusters = clusters_at(one_tailed[f"{value}_{MASS}"], Threshold(p=alpha))
        # Those that are not significant stay in the label volume.
        significant = clusters.table.label[clusters.surviving]
        assert (clusters.labels > 0).sum() == 8
        kept = np.isin(clusters.labels, significant)
        assert np.array_equal(colored_mask(clusters), kept)
        look = find_color_range(clusters)
        assert look.n_voxels == kept.sum() == n
        test = np.abs(colored_values(clusters).data)
        if n:
            assert look.height == test[kept].min()
        else:
            assert look.height > np.nanmax(test)


def test_a_two_tailed_cluster_level_map_has_the_signs_of_its_test(
    two_tailed: ResultSet,
) -> None:
    clusters = clusters_at(two_tailed[f"z_{ASSOCIATION}"], Threshold(p=0.02))
    look = find_color_range(clusters)
    assert look.signed
    assert clusters.surviving.tolist() == [True, False]
    assert np.array_equal(colored_mask(clusters), clusters.labels == 1)
    assert look.height == two_tailed["z_desc-association"].data[2, 2, 2] == 5
