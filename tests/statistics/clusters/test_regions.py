"""Regions of clusters, against voxels counted one by one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_neurosynth_results as nnr
from napari_neurosynth_results.anatomy.atlas import (
    UNLABELLED,
    Atlas,
    read_default_atlas,
)
from napari_neurosynth_results.export.tables.paper import paper_table
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.labelling import label_clusters
from napari_neurosynth_results.statistics.clusters.regions import (
    measure_region_shares,
    nearest_regions,
)

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


def by_hand(clusters: ClusterSet, atlas: Atlas, label: int) -> Counter[str]:
    """Count the regions of a cluster's voxels, one after the other."""
    affine, inverse = clusters.statmap.affine, np.linalg.inv(atlas.grid.affine)
    counted: Counter[str] = Counter()
    for voxel in np.argwhere(clusters.labels == label):
        place = affine @ [*voxel, 1]
        there = np.floor((inverse @ place)[:3] + 0.5).astype(int)
        inside = ((there >= 0) & (there < atlas.labels.shape)).all()
        counted[atlas.name_of(int(atlas.labels[tuple(there)]) if inside else 0)] += 1
    return counted


def shifted(atlas: Atlas, mm: float, size: float) -> Atlas:
    """Return every second voxel of an atlas, or all, on a grid that lies elsewhere."""
    affine = atlas.grid.affine.copy()
    affine[:3, 3] += mm
    affine[[0, 1, 2], [0, 1, 2]] = size
    step = round(size / 2)
    labels = atlas.labels[::step, ::step, ::step]
    i, j, k = labels.shape
    return Atlas("shifted", labels, Grid((i, j, k), affine), atlas.names)


@pytest.mark.parametrize("other", [None, (0.7, 2.0), (-1.3, 4.0)])
def test_shares_are_those_of_the_voxels(
    sample: ResultSet, other: tuple[float, float] | None
) -> None:
    atlas = read_default_atlas()
    if other is not None:
        atlas = shifted(atlas, *other)
    clusters = nnr.find_clusters(sample["z"], p=0.001, min_voxels=20, atlas=atlas)
    assert len(clusters) > 5
    for label in range(1, len(clusters) + 1):
        rows = clusters.regions[clusters.regions.label == label]
        expected = by_hand(clusters, atlas, label)
        assert dict(zip(rows.region, rows.n_voxels, strict=True)) == dict(expected)
        assert rows.percent.sum() == pytest.approx(100)
        named = rows[rows.region != UNLABELLED]
        assert named.n_voxels.is_monotonic_decreasing
        assert UNLABELLED not in rows.region.tolist()[:-1]
        row = clusters.table.iloc[label - 1]
        in_it = expected[row.region] / row.n_voxels * 100
        assert row.region_percent == pytest.approx(in_it, nan_ok=not row.region)


def test_names_say_where_and_count(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample[MASS], p=0.05)
    table = clusters.table
    assert table.name.tolist()[:6] == [
        "Insula R",
        "Supramarginal R",
        "Insula L",
        "Superior frontal R",
        "Cerebellum L",
        "Supramarginal L",
    ]
    assert table.region[0] == "insula R"
    assert table.name.is_unique
    assert "Insula L 2" in table.name.tolist()
    assert table.region_mm.tolist()[:6] == [0, 0, 0, 2, 0, 0]
    # A peak's side is the side of its name.
    sides = table.region.str.extract(r" ([LR])$")[0]
    assert ((sides == "R") <= (table.peak_x >= 0)).all()
    assert ((sides == "L") <= (table.peak_x <= 0)).all()


def test_given_names_win_and_do_not_renumber_the_others(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample[MASS], p=0.05)
    renamed = clusters.renamed(3, "my insula")
    assert renamed.names[2] == "my insula"
    assert renamed.names[3:] == clusters.names[3:]
    assert renamed.renamed(3, "").names == clusters.names


def test_without_an_atlas_clusters_have_numbers(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.001, atlas=None)
    assert clusters.names[:2] == ["cluster 1", "cluster 2"]
    assert (clusters.table.region == "").all()
    assert clusters.table.region_percent.isna().all()
    assert clusters.peaks.region_mm.isna().all()
    assert len(clusters.regions) == 0
    assert clusters.named_by(read_default_atlas()).names[0] == "Insula R"


def test_a_peak_far_from_regions_takes_the_largest_region_of_its_cluster(
    opened: Callable[..., ResultSet],
) -> None:
    data = np.zeros((91, 109, 91), np.float32)
    atlas = read_default_atlas()
    # Deep in white matter, with a tail into the left hippocampus.
    i, j, k = 21, 56, 25
    assert atlas.nearest([(2 * i - 90, 2 * j - 126, 2 * k - 72)])[0] == 0
    data[i, j, k] = 9
    data[i + 1 : i + 9, j, k] = 4
    results = opened({"z": data}, affine=atlas.grid.affine)
    clusters = nnr.find_clusters(results["z"], value=3)
    [row] = clusters.table.itertuples()
    assert (row.region, clusters.peaks.region.tolist()[0]) == ("", "")
    counted = by_hand(clusters, atlas, 1)
    del counted[UNLABELLED]
    [(largest, _)] = counted.most_common(1)
    assert row.name == "Hippocampus L" == largest[:1].upper() + largest[1:]


def test_a_map_elsewhere_has_no_regions(opened: Callable[..., ResultSet]) -> None:
    data = np.zeros((8, 9, 8), np.float32)
    data[2:4, 2:4, 2:4] = 5
    results = opened({"z": data}, affine=np.diag([2.0, 2, 2, 1]))
    assert results["z"].grid.mni_doubt()
    clusters = nnr.find_clusters(results["z"], value=3)
    assert clusters.atlas is None
    assert clusters.names == ["cluster 1"]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(-100, 100, allow_nan=False)] * 3), min_size=1, max_size=8
    ),
    st.floats(0, 8),
)
def test_the_nearest_region_is_the_nearest(
    places: list[tuple[float, float, float]], reach: float
) -> None:
    atlas = read_default_atlas()
    voxels = np.argwhere(atlas.labels > 0)
    centers = voxels * 2.0 + atlas.grid.origin
    labels, distances = atlas.nearest(places, reach)
    for place, label, distance in zip(places, labels, distances, strict=True):
        there = np.floor((np.array(place) - atlas.grid.origin) / 2 + 0.5).astype(int)
        inside = ((there >= 0) & (there < atlas.labels.shape)).all()
        if inside and atlas.labels[tuple(there)]:
            assert (label, distance) == (atlas.labels[tuple(there)], 0)
            continue
        away = np.linalg.norm(centers - place, axis=1)
        if away.min() > reach:
            assert label == 0
            assert np.isnan(distance)
        else:
            assert distance == pytest.approx(away.min())
            tied = voxels[np.isclose(away, away.min())]
            assert label in atlas.labels[tuple(tied.T)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 40, 70_000]))
def test_shares_and_names_are_those_of_a_walk(seed: int, apart: int) -> None:
    """Any clusters, also touching ones, on another grid than an atlas of any labels."""
    rng = np.random.default_rng(seed)
    affine = np.diag([*rng.choice([2.0, 3.0, 4.0], 3), 1.0])
    affine[:3, 3] = rng.integers(-8, 8, 3) / 4
    labels = rng.integers(-1, 6, rng.integers(1, 7, 3)) * apart
    i, j, k = labels.shape
    # Two labels of one name, labels without a name, and a name for none.
    names = {apart: "one", 2 * apart: "two", 3 * apart: "one"}
    atlas = Atlas("drawn", labels, Grid((i, j, k), affine), names)
    data = rng.integers(-3, 4, (6, 5, 4)).astype(np.float32)
    # Middles of voxels never lie on the border of two of the atlas.
    grid = Grid((6, 5, 4), np.diag([3.0, 3.0, 3.0, 1.0]))
    grid.affine[:3, 3] = 0.125
    parts = np.where(data >= 2, 1, np.where(data <= -2, 2, 0)).astype(np.uint8)
    found = label_clusters(
        data,
        parts,
        connectivity=6,
        min_voxels=int(rng.integers(1, 4)),
        voxel_size=grid.voxel_size,
        sub_peaks=3,
        peak_distance=4.0,
    )
    shares = measure_region_shares(found, grid, atlas)
    places = grid.to_mm(found.peak_voxel[found.main_peaks])
    regions, _ = nearest_regions(places, atlas)
    filled = shares.fill_in_largest(regions)
    of_peak = shares.of_regions(regions)
    for label in range(1, found.size.size + 1):
        walked: Counter[int] = Counter()
        for voxel in np.argwhere(found.labels == label):
            place = grid.to_mm(voxel[np.newaxis])
            walked[int(atlas.labels_at(place)[0])] += 1
        rows = sorted(walked.items(), key=lambda row: (row[0] == 0, -row[1], row[0]))
        mine = shares.table[shares.table.label == label]
        assert mine.region.tolist() == [atlas.name_of(one) for one, _ in rows]
        assert mine.n_voxels.tolist() == [n for _, n in rows]
        size = found.size[label - 1]
        assert mine.percent.tolist() == [100 * n / size for _, n in rows]
        region = regions[label - 1]
        (nearest,), _ = atlas.nearest(places[label - 1])
        assert region == (atlas.name_of(int(nearest)) if nearest else "")
        same = [100 * n / size for one, n in rows if atlas.name_of(one) == region]
        expected = (same or [0.0])[-1] if region else np.nan
        np.testing.assert_equal(of_peak[label - 1], expected)
        known = [atlas.name_of(one) for one, _ in rows if one]
        assert filled[label - 1] == (region or (known or [""])[0])


@pytest.mark.slow
@pytest.mark.timed
def test_what_is_said_of_each_cluster_takes_as_long_for_each(
    opened: Callable[..., ResultSet],
) -> None:
    """Eight times as many clusters: eight times as long, far from 64."""
    affine = read_default_atlas().grid.affine
    seconds = []
    for n in (2_000, 16_000):
        data = np.zeros((91, 109, 91), np.float32)
        data[::2, ::2, ::2].flat[:n] = 5
        clusters = nnr.find_clusters(opened({"z": data}, affine=affine)["z"], value=3)
        assert len(clusters) == n
        start = time.process_time()
        assert len(clusters.table) == len(paper_table(clusters).lines) == n
        seconds.append(time.process_time() - start)
    assert seconds[1] < 24 * seconds[0]
