"""Cluster-level corrected maps: one p a cluster, read as they were formed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage, stats

from napari_neurosynth_results import ResultsError, find_clusters, open_results
from napari_neurosynth_results.export.tables.paper import paper_table
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.statistics.clusters.formation import say_threshold
from napari_neurosynth_results.statistics.p_values.monte_carlo import NullDistribution
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.thresholds.cluster_level import read_clusters

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]

SHAPE = (8, 9, 8)
BRAIN = (slice(1, 7), slice(1, 8), slice(1, 7))
MASS = "desc-mass_level-cluster_corr-FWE_method-montecarlo"
ASSOCIATION = "desc-associationMass_level-cluster_corr-FWE_method-montecarlo"
#: The floor of 200 iterations.
FLOOR = 1 - 1 / 200


def one_tailed(clusters: dict[int, float], floor: float = FLOOR) -> dict[str, Array]:
    """Return an ALE run with a cluster of four voxels at each x, of that p."""
    p = np.ones(SHAPE)
    p[BRAIN] = floor
    z = np.zeros(SHAPE)
    z[BRAIN] = 0.5
    for index, (x, cluster_p) in enumerate(clusters.items()):
        p[x, 2:4, 2:4] = cluster_p
        z[x, 2:4, 2:4] = 4
        z[x, 2, 2] = 5 + index
    inside = np.zeros(SHAPE, bool)
    inside[BRAIN] = True
    uncorrected = np.where(inside, stats.norm.sf(z), 0)
    return {
        "z": z,
        "p": uncorrected,
        f"logp_{MASS}": np.where(inside, -np.log10(p), 0),
        f"z_{MASS}": np.where(inside, np.maximum(stats.norm.isf(p), 0), 0),
    }


def rows(clusters: Any) -> list[tuple[int, float, bool]]:
    """Return size, corrected p and significance of each cluster."""
    table = clusters.table
    return [
        (int(n), round(float(p), 6), bool(yes))
        for n, p, yes in zip(
            table.n_voxels, table.cluster_p, table.significant, strict=True
        )
    ]


def test_the_sample_by_hand() -> None:
    results = open_results(sample_folder())
    logp = results[f"logp_{MASS}"].data
    # Independently: sets of face neighbors that share one value other than the floor.
    floor, count = np.unique(logp[logp > 0], return_counts=True)
    expected = []
    for value in floor:
        if count[floor == value] > logp.size / 10:
            continue
        raw, n = ndimage.label(logp == value)
        p = round(float(10.0 ** -np.float64(value)), 6)
        expected += [(int((raw == i).sum()), p, p <= 0.05) for i in range(1, n + 1)]
    by_logp = find_clusters(results[f"logp_{MASS}"])
    assert sorted(rows(by_logp)) == sorted(expected)
    by_z = find_clusters(results[f"z_{MASS}"], p=0.05)
    assert np.array_equal(by_z.labels, by_logp.labels)
    assert rows(by_z) == rows(by_logp)
    # NiMARE's own labels are the clusters above z = 1.65, of 10 voxels or more.
    nimare = results[f"label_{MASS}_tail-positive"].data
    table = by_z.table
    strong = table.label[table.significant & (table.n_voxels >= 10)]
    assert np.array_equal(np.isin(by_z.labels, strong), nimare > 0)
    # Peaks come from the uncorrected z.
    for label, peak in zip(table.label, table.peak_value, strict=True):
        assert peak == results["z"].data[by_z.labels == label].max()
    assert str(by_z).endswith(
        "significant at p_FWE <= .05 (1,000 iterations); cluster-forming threshold "
        "p < .001"
    )


def test_clusters_that_touch_stay_apart(opened: Opened) -> None:
    results = opened(one_tailed({2: 0.01, 3: 0.03}))
    for value in ("logp", "z"):
        found = find_clusters(results[f"{value}_{MASS}"], connectivity=26)
        assert rows(found) == [(4, 0.03, True), (4, 0.01, True)]


def test_clusters_that_are_not_significant_stay(opened: Opened) -> None:
    maps = one_tailed({1: 0.01, 3: 0.3, 5: 0.7})
    results = opened(maps)
    # The last has p > .5, and is 0 in the one-tailed z: the logp beside it shows it.
    for value in ("logp", "z"):
        found = find_clusters(results[f"{value}_{MASS}"])
        assert rows(found) == [(4, 0.7, False), (4, 0.3, False), (4, 0.01, True)]
        assert found.table.peak_value.tolist() == [7, 6, 5]
    assert "1 of 3 clusters significant" in str(found)
    del maps[f"logp_{MASS}"]
    found = find_clusters(opened(maps)[f"z_{MASS}"])
    assert rows(found) == [(4, 0.3, False), (4, 0.01, True)]


def test_the_p_of_clusters_after_fdr_is_called_q(opened: Opened) -> None:
    # As PALM names and writes it.
    q = np.zeros(SHAPE)
    q[BRAIN] = 1
    q[2, 2:4, 2:4], q[4, 2:4, 2:4] = 0.02, 0.4
    statmap = opened({"clustere_tstat_fdrp_c1": q})["clustere_tstat_fdrp_c1"]
    assert (statmap.level, statmap.correction) == ("cluster", "FDR")
    found = find_clusters(statmap, p=0.05, atlas=None)
    assert str(found).startswith("1 of 2 clusters significant at q <= .05")
    assert str(found.threshold).startswith("q <= .05, cluster-level")
    assert "q (FDR, cluster)" in paper_table(found).columns
    told = [say_threshold(found), str(found), *paper_table(found).columns]
    assert "p_FDR" not in " ".join(told)


def test_p_of_exactly_alpha_is_significant(opened: Opened) -> None:
    maps = one_tailed({2: 0.05, 4: 0.055})
    for value in ("logp", "z"):
        alone = {k: v for k, v in maps.items() if k in ("z", "p", f"{value}_{MASS}")}
        found = find_clusters(opened(alone)[f"{value}_{MASS}"], p=0.05)
        assert rows(found) == [(4, 0.055, False), (4, 0.05, True)]
    stricter = find_clusters(opened(maps)[f"z_{MASS}"], p=0.01)
    assert not stricter.table.significant.any()
    assert str(stricter.threshold).startswith("p_FWE <= .01, cluster-level")


def test_a_p_whose_interval_contains_alpha_is_borderline(opened: Opened) -> None:
    maps = one_tailed({1: 0.005, 2: 0.04, 3: 0.065, 4: 0.2})
    found = find_clusters(opened(maps)[f"logp_{MASS}"], p=0.05)
    table = found.table.sort_values("cluster_p")
    for row in table.itertuples():
        k = round(row.cluster_p * 200)
        exact = stats.binomtest(k, 200).proportion_ci(0.95)
        # Of 1 / 200 nobody knows whether none or one was as large.
        assert row.cluster_p_low == pytest.approx(exact.low if k > 1 else 0)
        assert row.cluster_p_high == pytest.approx(exact.high)
    assert table.significant.tolist() == [True, True, False, False]
    assert table.borderline.tolist() == [False, True, True, False]
    sentence = (
        "2 of 4 clusters significant at p_FWE <= .05 "
        "(200 iterations), 2 borderline; cluster-forming threshold not known"
    )
    assert str(found) == sentence
    # Of p <= .005 nobody knows which side of .005 more iterations would be on.
    assert find_clusters(found.statmap, p=0.005).table.borderline.sum() == 1


def test_without_iterations_nothing_is_known_of_the_interval(opened: Opened) -> None:
    maps = one_tailed({2: 0.04})
    del maps[f"logp_{MASS}"]
    found = find_clusters(opened(maps)[f"z_{MASS}"])
    assert found.table.cluster_p.tolist() == pytest.approx([0.04])
    assert found.table[["cluster_p_low", "cluster_p_high"]].isna().all(axis=None)
    assert not found.table.borderline.any()
    assert "borderline" not in str(found)


def test_siblings_may_be_left_out_or_chosen(opened: Opened) -> None:
    # Of p > .5 nothing is left in z.
    results = opened(one_tailed({2: 0.01, 4: 0.7}))
    statmap = results[f"z_{MASS}"]
    assert len(find_clusters(statmap)) == 2
    alone = find_clusters(statmap, siblings={})
    assert rows(alone) == [(4, 0.01, True)]
    other = opened(one_tailed({2: 0.2, 3: 0.01}))[f"logp_{MASS}"]
    chosen = find_clusters(statmap, siblings={"logp": other})
    assert sorted(rows(chosen)) == [(4, 0.01, True), (4, 0.2, False)]
    # Peaks have the p of the uncorrected z all the same.
    assert chosen.table.peak_p[0] == pytest.approx(stats.norm.sf(5), rel=1e-5)
    with pytest.raises(ResultsError, match="states no p"):
        find_clusters(statmap, siblings={"p": results["z"]})


def test_a_p_map_is_read_as_well(opened: Opened) -> None:
    maps = one_tailed({2: 0.01, 4: 0.3})
    p = np.where(maps["p"] > 0, 10.0 ** -maps.pop(f"logp_{MASS}"), 0)
    del maps[f"z_{MASS}"]
    found = find_clusters(opened(maps | {f"p_{MASS}": p})[f"p_{MASS}"])
    assert rows(found) == [(4, 0.3, False), (4, 0.01, True)]


def test_a_map_without_its_uncorrected_one(opened: Opened) -> None:
    logp = one_tailed({2: 0.01, 4: 0.3})[f"logp_{MASS}"]
    found = find_clusters(opened({f"logp_{MASS}": logp})[f"logp_{MASS}"])
    assert rows(found) == [(4, 0.01, True), (4, 0.3, False)]
    # The -log10 of the corrected p is no value of the test.
    assert found.table.peak_value.isna().all()
    assert np.isfinite(found.table.center_x).all()


# --- two-tailed -------------------------------------------------------------------


def two_tailed(z: Array, p: Array) -> dict[str, Array]:
    """Return an MKDAChi2-like run: a signed z, and the p of clusters of its size."""
    inside = np.zeros(SHAPE, bool)
    inside[BRAIN] = True
    by_cluster = np.sign(z) * stats.norm.isf(p / 2)
    p_test = 2 * stats.norm.sf(np.abs(z))
    return {
        "z_desc-association": np.where(inside, z, 0),
        "p_desc-association": np.where(inside, p_test, 0),
        f"z_{ASSOCIATION}": np.where(inside, by_cluster, 0),
        f"logp_{ASSOCIATION}": np.where(inside, -np.log10(p), 0),
    }


@pytest.mark.parametrize("values", [("z", "logp"), ("z",), ("logp",)])
def test_signs_split_a_cluster_and_share_its_p(
    opened: Opened, rng: np.random.Generator, values: tuple[str, ...]
) -> None:
    z = rng.choice([-0.5, 0.5], SHAPE)
    p = np.full(SHAPE, FLOOR)
    z[2, 2:4, 2:4], z[3, 2:4, 2:4] = 4, -5
    p[2:4, 2:4, 2:4] = 0.01
    z[5, 2:4, 2:4] = -4
    p[5, 2:4, 2:4] = 0.2
    maps = two_tailed(z, p)
    for value in {"z", "logp"} - set(values):
        del maps[f"{value}_{ASSOCIATION}"]
    results = opened(maps)
    for value in values:
        found = find_clusters(results[f"{value}_{ASSOCIATION}"])
        assert rows(found) == [(4, 0.01, True), (4, 0.01, True), (4, 0.2, False)]
        assert found.table.sign.tolist() == [1, -1, -1]
        assert found.table.peak_value.tolist() == [4, -5, -4]
        assert found.table.mean_value.tolist() == [4, -5, -4]


def test_only_negative_clusters(opened: Opened) -> None:
    z = np.full(SHAPE, 0.5)
    p = np.full(SHAPE, FLOOR)
    z[2, 2:4, 2:4], p[2, 2:4, 2:4] = -4, 0.01
    found = find_clusters(opened(two_tailed(z, p))[f"z_{ASSOCIATION}"])
    assert rows(found) == [(4, 0.01, True)]
    assert found.table.sign.tolist() == [-1]


def test_a_side_may_be_chosen(opened: Opened) -> None:
    z = np.full(SHAPE, 0.5)
    p = np.full(SHAPE, FLOOR)
    z[2, 2:4, 2:4], z[3, 2:4, 2:4] = 4, -5
    p[2:4, 2:4, 2:4] = 0.01
    results = opened(two_tailed(z, p))
    for value in ("z", "logp"):
        statmap = results[f"{value}_{ASSOCIATION}"]
        for tail, signs in (("positive", [1]), ("negative", [-1]), ("both", [1, -1])):
            assert find_clusters(statmap, tail=tail).table.sign.tolist() == signs
    one = opened(one_tailed({2: 0.01}))[f"z_{MASS}"]
    with pytest.raises(ResultsError, match="only the positive direction"):
        find_clusters(one, tail="negative")


# --- the floor --------------------------------------------------------------------


@pytest.mark.parametrize("iterations", [10, 200, 10_000])
def test_the_floor_is_in_no_cluster(opened: Opened, iterations: int) -> None:
    maps = one_tailed({2: 0.1}, floor=1 - 1 / iterations)
    results = opened(maps)
    for value in ("logp", "z"):
        read = read_clusters(PSource(results[f"{value}_{MASS}"]), 0.05)
        assert np.count_nonzero(read.parts) == 4
        assert read.iterations in (iterations, None)


def test_no_cluster_beyond_the_floor(opened: Opened) -> None:
    for value in ("logp", "z"):
        found = find_clusters(opened(one_tailed({}))[f"{value}_{MASS}"])
        assert len(found) == 0
        assert len(found.table) == 0
        assert len(found.peaks) == 0
        assert str(found).startswith("No cluster significant at p_FWE <= .05")


def test_a_mask_limits_where_one_looks(opened: Opened) -> None:
    results = opened(one_tailed({2: 0.01, 5: 0.3}))
    mask = np.zeros(SHAPE, bool)
    mask[:4] = True
    assert rows(find_clusters(results[f"z_{MASS}"], mask=mask)) == [(4, 0.01, True)]
    # One cluster and a little of the floor: that it is the floor shows elsewhere.
    mask[:], mask[2, 2:4, 2:5] = False, True
    assert rows(find_clusters(results[f"z_{MASS}"], mask=mask)) == [(4, 0.01, True)]


def test_a_cluster_may_fill_most_of_the_brain(opened: Opened) -> None:
    maps = one_tailed({})
    maps[f"logp_{MASS}"][1:6, 1:8, 1:7] = 2
    maps["z"][1:6, 1:8, 1:7] = 4
    assert rows(find_clusters(opened(maps)[f"z_{MASS}"])) == [(210, 0.01, True)]


@pytest.mark.parametrize("iterations", [20, 1000])
def test_it_may_where_the_data_were_counted_too(
    opened: Opened, iterations: int
) -> None:
    n = iterations + 1
    maps = one_tailed({}, floor=1 - 1 / n)
    maps[f"logp_{MASS}"][1:6, 1:8, 1:7] = -math.log10(1 / n)
    maps["z"][1:6, 1:8, 1:7] = 4
    said = f"Family-wise error: {iterations} iterations were performed."
    results = opened(maps, {"boilerplate.txt": said})
    found = find_clusters(results[f"z_{MASS}"], p=0.1)
    assert found.null == NullDistribution(iterations, adds_one=True)
    assert found.table.n_voxels.tolist() == [210]


# --- what was chosen when the clusters were formed --------------------------------


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"value": 2.0}, "were chosen when"),
        ({"q": 0.05}, "were chosen when"),
        ({"bonferroni": 0.05}, "were chosen when"),
        ({"p": 0.05, "min_voxels": 10}, "were chosen when"),
        ({"p": 0.05, "min_mm3": 80}, "were chosen when"),
        ({"p": 0.05, "value": 2.0}, "exactly one"),
        ({"p": 0.05, "strict": True}, "strict goes with value only"),
    ],
)
def test_height_and_extent_are_locked(
    opened: Opened, asked: dict[str, Any], says: str
) -> None:
    statmap = opened(one_tailed({2: 0.01}))[f"z_{MASS}"]
    with pytest.raises(ResultsError, match=says):
        find_clusters(statmap, **asked)


def with_crumb(where: tuple[int, int, int], crumb_p: float) -> dict[str, Array]:
    """Return a cluster of p .005 with one voxel beside it, and one of 8 of p .2."""
    maps = one_tailed({2: 0.005, 5: 0.2})
    for values in maps.values():
        values[5, 2:4, 4:6] = values[5, 3, 3]
    at = maps["z"][where]
    assert at == 0.5
    maps["z"][where] = 3.2
    maps["p"][where] = stats.norm.sf(3.2)
    maps[f"logp_{MASS}"][where] = -math.log10(crumb_p)
    maps[f"z_{MASS}"][where] = stats.norm.isf(crumb_p)
    return maps


@pytest.mark.parametrize(
    ("where", "neighbors"), [((3, 4, 3), 18), ((3, 4, 4), 26), ((2, 6, 5), 6)]
)
def test_fragments_of_one_value_were_one_cluster(
    opened: Opened, where: tuple[int, int, int], neighbors: int
) -> None:
    """NiMARE before 0.0.13 formed clusters with 18 neighbors (its change 733)."""
    maps = with_crumb(where, 0.005)
    for alone in (False, True):
        # Also where the uncorrected maps are not beside it, and z without its logp.
        shown = {f"z_{MASS}": maps[f"z_{MASS}"]} if alone else maps
        found = find_clusters(opened(shown)[f"z_{MASS}"])
        joined = neighbors > 6
        sizes = sorted(size for size, p, _ in rows(found) if p == 0.005)
        assert sizes == ([5] if joined else [1, 4])
        assert found.connectivity == neighbors
        assert (f", {neighbors}-connected" in str(found)) == joined
        touch = {18: "an edge", 26: "a corner"}.get(neighbors)
        told = f"1 fragment that touches a cluster of the same p by {touch} only"
        assert bool(found.missing_test) == alone
        assert len(found.notices) == joined + alone
        assert not joined or found.notices[0].startswith(told)


def test_a_release_with_faces_is_believed(opened: Opened) -> None:
    text = {"boilerplate.txt": "was performed with NiMARE 0.22.1 (RRID:SCR_017398)"}
    found = find_clusters(opened(with_crumb((3, 4, 3), 0.005), text)[f"z_{MASS}"])
    assert sorted(rows(found))[0] == (1, 0.005, True)
    assert found.connectivity == 6


def test_neighbors_are_locked(opened: Opened) -> None:
    statmap = opened(with_crumb((3, 4, 3), 0.005))[f"z_{MASS}"]
    as_formed = find_clusters(statmap)
    for asked in (6, 18, 26):
        found = find_clusters(statmap, connectivity=asked)
        assert np.array_equal(found.labels, as_formed.labels)
        assert found.connectivity == 18
        noted = [notice for notice in found.notices if "asked for" in notice]
        assert len(noted) == (asked == 26)
    mask = np.ones(SHAPE, bool)
    mask[2, 3, 3] = False
    # Of a part that is looked at the whole tells how it was formed.
    found = find_clusters(statmap, mask=mask)
    assert sorted(size for size, _, _ in rows(found)) == [1, 3, 8]
    assert found.connectivity == 18


def test_the_cluster_forming_threshold_is_stated_or_not_known(opened: Opened) -> None:
    text = (
        "This procedure was repeated 200 times to build null distributions. Clusters "
        "for cluster-level correction were defined using edge-wise connectivity and a "
        "voxel-level threshold of p < 0.01 from the uncorrected null distribution."
    )
    maps = one_tailed({2: 0.01})
    said = find_clusters(opened(maps, {"boilerplate.txt": text})[f"z_{MASS}"])
    assert str(said).endswith("; cluster-forming threshold p < .01")
    assert "cluster-forming threshold p < .01" in str(said.threshold)
    unsaid = find_clusters(opened(maps)[f"z_{MASS}"])
    assert str(unsaid).endswith("; cluster-forming threshold not known")
    assert unsaid.notices == said.notices == ()
    # The text of another run.
    other = text.replace("200", "100")
    found = find_clusters(opened(maps, {"boilerplate.txt": other})[f"z_{MASS}"])
    assert str(found).endswith("(200 iterations); cluster-forming threshold not known")
    assert found.notices == (
        "The methods text states 100 iterations, the values of this map say 200: these "
        "are taken.",
    )


@pytest.mark.parametrize("alpha", [0, 1, -0.1, math.nan])
def test_alpha_is_a_probability(opened: Opened, alpha: float) -> None:
    statmap = opened(one_tailed({2: 0.01}))[f"z_{MASS}"]
    with pytest.raises(ResultsError, match="between 0 and 1"):
        find_clusters(statmap, p=alpha)


def test_too_many_values_for_clusters(opened: Opened, rng: np.random.Generator) -> None:
    # A map whose name promises clusters and whose voxels hold none.
    shape = (45, 45, 45)
    logp = np.abs(rng.normal(size=shape))
    statmap = opened({f"logp_{MASS}": logp}, affine=np.diag([2.0, 2, 2, 1]))[
        f"logp_{MASS}"
    ]
    with pytest.raises(ResultsError, match="each cluster carries one value"):
        find_clusters(statmap)
    logp[(np.indices(shape).sum(axis=0) % 2) == 0] = 0
    statmap = opened({f"logp_{MASS}": np.kron(logp, [[[1, 0], [0, 0]]])})[
        f"logp_{MASS}"
    ]
    assert statmap.doubt == ""
    with pytest.raises(ResultsError, match="too many for clusters"):
        find_clusters(statmap)
