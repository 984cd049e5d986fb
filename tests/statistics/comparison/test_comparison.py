"""Comparisons against brute force: overlap, pairs of clusters, correlations."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.spatial.distance import dice, jaccard

from helpers.maps_in_memory import Array, lone, made, placed
from napari_neurosynth_results import ResultsError, find_clusters, open_results
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.comparison.comparison import (
    Comparison,
    compare,
    rank_partners,
)

SHAPE = (4, 5, 6)
LEVELS = st.sampled_from([0, 0, 0, 1, 1.5, 2, 3, -1, -2, -3, np.nan])
FIELDS = hnp.arrays(np.float32, SHAPE, elements=LEVELS, fill=st.nothing())
HEIGHTS = st.sampled_from([0.5, 1.25, 2.5])


def same(ours: float, theirs: float) -> bool:
    """Whether two numbers are equal, or both are none."""
    return math.isclose(ours, theirs, abs_tol=1e-9) or (
        math.isnan(ours) and math.isnan(theirs)
    )


def compared(a: Array, b: Array, height: float, **more: object) -> Comparison:
    """Compare two maps of unknown origin at a height."""
    return compare(
        *(find_clusters(lone(m), value=height, atlas=None) for m in (a, b)), **more
    )


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(a=FIELDS, b=FIELDS, height=HEIGHTS)
def test_overlap_by_brute_force(a: Array, b: Array, height: float) -> None:
    found = compared(a, b, height)
    signs_a = (a >= height).astype(int) - (a <= -height)
    signs_b = (b >= height).astype(int) - (b <= -height)
    for word, signs in (("all", (1, -1)), ("positive", (1,)), ("negative", (-1,))):
        row = found.by_sign.loc[word]
        in_a, in_b = np.isin(signs_a, signs), np.isin(signs_b, signs)
        both = in_a & in_b & (signs_a == signs_b)
        assert (row.a, row.b, row.both) == (in_a.sum(), in_b.sum(), both.sum())
        assert row.only_a == (in_a & ~both).sum()
        assert row.only_b == (in_b & ~both).sum()
        assert row.both_mm3 == 8 * both.sum()
    # A voxel of each sign, as scipy's own measures take them.
    first = np.stack([signs_a == 1, signs_a == -1]).ravel()
    second = np.stack([signs_b == 1, signs_b == -1]).ravel()
    if (first | second).any():
        assert same(found.dice, 1 - dice(first, second))
        assert same(found.jaccard, 1 - jaccard(first, second))
    else:
        assert math.isnan(found.dice)
        assert math.isnan(found.jaccard)
    code = (signs_a != 0) + 2 * (signs_b != 0)
    code[signs_a * signs_b == -1] = 4
    assert np.array_equal(found.agreement, code)
    assert found.by_sign.loc["all", "opposite"] == (code == 4).sum()


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(a=FIELDS, b=FIELDS, height=HEIGHTS)
def test_pairs_of_clusters_by_brute_force(a: Array, b: Array, height: float) -> None:
    found = compared(a, b, height)
    first, second = found.a, found.b
    rows = {(row.label_a, row.label_b): row for row in found.clusters.itertuples()}
    assert len(rows) == len(found.clusters)
    signs_a, signs_b = first.labelled.sign, second.labelled.sign
    met_a, met_b = set(), set()
    for one, other in product(range(1, len(first) + 1), range(1, len(second) + 1)):
        if signs_a[one - 1] != signs_b[other - 1]:
            assert (one, other) not in rows
            continue
        in_a, in_b = first.labels == one, second.labels == other
        n = int((in_a & in_b).sum())
        assert ((one, other) in rows) == (n > 0)
        if n == 0:
            continue
        met_a.add(one)
        met_b.add(other)
        row = rows.pop((one, other))
        assert (row.n_voxels, row.volume_mm3) == (n, 8 * n)
        assert row.sign == signs_a[one - 1]
        assert same(row.share_a, 100 * n / in_a.sum())
        assert same(row.share_b, 100 * n / in_b.sum())
        places = [
            t.table.loc[label - 1, ["peak_x", "peak_y", "peak_z"]].to_numpy(float)
            for t, label in ((first, one), (second, other))
        ]
        distance = float(np.linalg.norm(places[0] - places[1]))
        assert same(row.peak_distance_mm, distance)
        assert row.name_a == first.names[one - 1]
        assert row.name_b == second.names[other - 1]
    alone = {(one, 0) for one in range(1, len(first) + 1) if one not in met_a}
    alone |= {(0, one) for one in range(1, len(second) + 1) if one not in met_b}
    assert set(rows) == alone
    assert all(
        row.n_voxels == 0 and math.isnan(row.peak_distance_mm) for row in rows.values()
    )


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(a=FIELDS, b=FIELDS, mask=hnp.arrays(bool, SHAPE))
def test_correlations_as_scipy(a: Array, b: Array, mask: Array) -> None:
    found = compared(a, b, 1, mask=mask)
    finite = mask & np.isfinite(a) & np.isfinite(b)
    non_zero = finite & (a != 0) & (b != 0)
    for ours, where in ((found.over_mask, finite), (found.over_non_zero, non_zero)):
        x, y = a[where].astype(float), b[where].astype(float)
        assert ours.n_voxels == x.size
        if x.size > 1 and np.ptp(x) > 0 and np.ptp(y) > 0:
            assert same(ours.r, stats.pearsonr(x, y).statistic)
            assert same(ours.rho, stats.spearmanr(x, y).statistic)
        else:
            assert math.isnan(ours.r)
            assert math.isnan(ours.rho)
    if finite.any():
        assert same(found.over_mask.zeros_a, (a[finite] == 0).mean())
        assert same(found.over_mask.zeros_b, (b[finite] == 0).mean())


def test_a_map_and_itself(sample_path: Path) -> None:
    results = open_results(sample_path)
    clusters = find_clusters(results["z"], p=0.001)
    found = compare(clusters, clusters)
    assert (found.dice, found.jaccard) == (1, 1)
    assert found.r == pytest.approx(1, abs=1e-12)
    assert found.rho == pytest.approx(1, abs=1e-12)
    assert found.over_mask.n_voxels == results["z"].mask.sum()
    assert found.resampled == ""
    assert (found.name_a, found.name_b) == (
        f"{results.title}: z, uncorrected (1)",
        f"{results.title}: z, uncorrected (2)",
    )
    table = found.clusters
    assert table.label_a.tolist() == table.label_b.tolist()
    assert (table.share_a == 100).all()
    assert (table.peak_distance_mm == 0).all()
    assert found.difference is not None
    assert not found.difference.data.any()


def test_the_mask_is_that_of_both(inside: Array, rng: np.random.Generator) -> None:
    """Zeros outside of either mask are no values."""
    masks = inside.copy(), inside.copy()
    masks[0][:4], masks[1][5:] = False, False
    maps = []
    for mask in masks:
        p = np.where(mask, rng.uniform(0.01, 1, mask.shape), 0)
        z = np.maximum(stats.norm.isf(np.where(mask, p, 0.9)), 0)
        maps.append(made({"z": z, "p": p})["z"])
    found = compare(*(find_clusters(m, p=0.2, atlas=None) for m in maps))
    both = masks[0] & masks[1]
    x, y = (m.data[both].astype(float) for m in maps)
    assert found.over_mask.n_voxels == both.sum()
    assert found.r == pytest.approx(stats.pearsonr(x, y).statistic)
    assert any("is exactly 0 in the common mask" in told for told in found.notices)
    assert any("No p value belongs to r and rho" in told for told in found.notices)


def test_nearly_all_is_not_all(inside: Array, rng: np.random.Generator) -> None:
    # Of a map of which a cutoff left a voxel, not 100 % is 0.
    z = np.where(inside, rng.normal(size=inside.shape), 0)
    p, few = np.where(inside, stats.norm.sf(z), 0), np.zeros(z.shape)
    few[3, 3, 3] = 5
    maps = made({"z": z, "p": p, "z_desc-few": few, "p_desc-few": p})
    found = compare(
        find_clusters(maps["z"], p=0.2, atlas=None),
        find_clusters(maps["z_desc-few"], value=1, atlas=None),
    )
    (told,) = (one for one in found.notices if "exactly 0" in one)
    assert told.startswith(">99 % of z, few")


def test_unknown_masks_are_told(rng: np.random.Generator) -> None:
    data = rng.normal(0, 2, SHAPE)
    found = compared(data, data + rng.normal(0, 1, SHAPE), 1)
    assert math.isnan(found.r)
    assert found.over_mask.n_voxels == 0
    assert not math.isnan(found.over_non_zero.r)
    assert any("mask of neither map is known" in told for told in found.notices)
    assert "in which neither is 0" in str(found)


def test_nothing_above_a_threshold() -> None:
    empty, full = np.zeros(SHAPE), np.full(SHAPE, 3.0)
    found = compared(empty, full, 2)
    assert (found.dice, found.n_a, found.n_b) == (0, 0, full.size)
    assert found.clusters.label_a.tolist() == [0]
    assert any("Nothing in" in told for told in found.notices)
    nothing = compared(empty, empty, 2)
    assert math.isnan(nothing.dice)
    assert len(nothing.clusters) == 0
    assert not nothing.agreement.any()
    assert "nothing is above the threshold in either" in str(nothing)
    assert nothing.conjunction is not None
    assert not nothing.conjunction.data.any()


def test_infinite_voxels_are_above_but_not_correlated() -> None:
    a = np.zeros(SHAPE)
    a[1, 1, 1:4] = np.inf, 2, 3
    b = np.zeros(SHAPE)
    b[1, 1, 1:4] = 3, 2, 3
    found = compared(a, b, 1)
    assert found.n_both == 3
    assert found.over_non_zero.n_voxels == 2
    assert found.r != found.r or abs(found.r) <= 1


def test_only_significant_clusters_of_a_corrected_map_count(sample_path: Path) -> None:
    results = open_results(sample_path)
    corrected = results["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    clusters = find_clusters(corrected, p=0.05, atlas=None)
    found = compare(clusters, find_clusters(results["z"], p=0.001, atlas=None))
    labels = 1 + np.flatnonzero(clusters.surviving)
    assert 0 < labels.size < len(clusters)
    assert found.n_a == np.isin(clusters.labels, labels).sum()
    assert math.isnan(found.r)
    assert found.conjunction is None
    assert "has no p of its own" in found.no_conjunction
    assert set(found.clusters.label_a) - {0} == set(labels.tolist())
    assert any(
        "Only significant" in t or "only significant" in t for t in found.notices
    )
    assert any("one value per cluster" in told for told in found.notices)


def test_directions_of_a_logp_map_are_those_of_its_z(inside: Array) -> None:
    z = np.zeros(inside.shape)
    z[2, 2, 2], z[4, 4, 4] = 4, -4
    p = np.where(inside, np.maximum(2 * stats.norm.sf(np.abs(z)), 1e-30), 0)
    logp = np.where(inside, -np.log10(np.where(inside, p, 1)), 0)
    beside = made({"z_desc-association": z, "logp_desc-association": logp})
    signed = find_clusters(beside["z_desc-association"], p=0.001, atlas=None)
    unsigned = find_clusters(beside["logp_desc-association"], p=0.001, atlas=None)
    found = compare(signed, unsigned)
    assert found.dice == 1
    assert found.by_sign.loc["negative", "both"] == 1
    assert found.conjunction is not None
    assert found.conjunction.data[4, 4, 4] == pytest.approx(-4, abs=1e-3)
    # Without a z map nobody knows, and nobody guesses.
    alone = made({"logp_desc-association": logp})["logp_desc-association"]
    found = compare(signed, find_clusters(alone, p=0.001, atlas=None))
    assert found.by_sign.loc["all", "opposite"] == 1
    assert found.conjunction is None
    assert "no direction" in found.no_conjunction
    assert any("count as positive" in told for told in found.notices)


def test_the_mask_has_to_fit() -> None:
    data = np.ones(SHAPE)
    with pytest.raises(ResultsError, match="has shape"):
        compared(data, data, 0.5, mask=np.ones((2, 2, 2), bool))
    with pytest.raises(ResultsError, match="not bool"):
        compared(data, data, 0.5, mask=np.ones(SHAPE))


def test_maps_in_different_places_are_refused() -> None:
    data = np.ones(SHAPE)
    far = lone(data, placed(2, (500, 0, 0)))
    with pytest.raises(ResultsError, match="different places"):
        compare(*(find_clusters(m, value=0.5, atlas=None) for m in (lone(data), far)))


def test_the_table_holds_every_number() -> None:
    a, b = np.zeros(SHAPE), np.zeros(SHAPE)
    a[1, 1, 1:4], b[1, 1, 2:5] = 3, 3
    found = compared(a, b, 2, mask=np.ones(SHAPE, bool))
    rows = found.table.set_index(["measure", "over", "unit"]).value
    assert rows["both", "all above threshold", "voxels"] == 2
    assert rows["both", "all above threshold", "mm3"] == 16
    assert rows["dice", "all above threshold", ""] == pytest.approx(2 / 3)
    assert rows["jaccard", "positive above threshold", ""] == 0.5
    assert rows["n", "common mask", "voxels"] == a.size
    assert rows["zeros_a", "common mask", "percent"] == pytest.approx(100 * 117 / 120)
    assert rows["r", "common mask", ""] == pytest.approx(found.r)
    assert "2 voxels (0.0 cm3) in both of 3 and 3, Dice 0.667" in str(found)


# --- difference -------------------------------------------------------------------


def test_the_difference_is_a_picture_without_a_p() -> None:
    a, b = np.full(SHAPE, 3.0), np.ones(SHAPE)
    a[0, 0, 0] = np.nan
    b[1, 1, 1] = 0.25
    found = compared(a, b, 0.5).difference
    assert found is not None
    expected = np.where(np.isnan(a), 0, a - b)
    assert np.array_equal(found.data, expected)
    with pytest.raises(ResultsError, match="no p"):
        find_clusters(found, p=0.05, atlas=None)
    assert find_clusters(found, value=2.5, atlas=None).table.n_voxels.tolist() == [1]


def test_no_difference_where_the_same_z_means_another_p() -> None:
    a, b = np.full(SHAPE, 3.0), np.ones(SHAPE)
    b[1, 1, 1] = -1
    found = compared(a, b, 0.5)
    assert found.difference is None
    assert "means another p" in found.no_difference


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        ((MapKind.Z, MapKind.T), "another unit"),
        ((MapKind.LOGP, MapKind.LOGP), "difference would mean nothing"),
        ((MapKind.STAT, MapKind.STAT), "difference would mean nothing"),
        ((MapKind.T, MapKind.T), "degrees of freedom"),
    ],
)
def test_no_difference_of_what_has_none(
    kinds: tuple[MapKind, MapKind], why: str
) -> None:
    data = np.full(SHAPE, 3.0)
    maps = [lone(data, kind=kind) for kind in kinds]
    found = compare(*(find_clusters(m, value=1, atlas=None) for m in maps))
    assert found.difference is None
    assert why in found.no_difference


def results_of(z: Array, p: Array) -> ResultSet:
    """Make an ALE with an FDR-corrected map."""
    return made({"z": z, "p": p, "z_corr-FDR_method-indep": z})


def test_no_difference_and_no_conjunction_of_corrected_maps(inside: Array) -> None:
    z = np.where(inside, 2.0, 0)
    results = results_of(z, np.where(inside, stats.norm.sf(2.0), 0))
    corrected = find_clusters(results["z_corr-FDR_method-indep"], value=1, atlas=None)
    found = compare(find_clusters(results["z"], value=1, atlas=None), corrected)
    assert "is corrected" in found.no_difference
    assert "FDR-corrected" in found.no_conjunction
    assert found.dice == 1


def test_the_sentence_says_thresholds_and_extents(sample: ResultSet) -> None:
    z, logp = sample["z"], sample["logp"]
    found = [
        find_clusters(z, p=0.001, min_voxels=10),
        find_clusters(logp, p=0.01, min_voxels=1200),
    ]
    text = str(compare(*found))
    assert f" at {found[0].threshold}, extent >= 10 voxels, and " in text
    assert f" at {found[1].threshold}, extent >= 1,200 voxels: " in text
    alike = str(compare(found[0], find_clusters(z, p=0.001, min_voxels=10)))
    assert f", both at {found[0].threshold}, extent >= 10 voxels: " in alike
    mass = sample["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    tested = str(compare(found[0], find_clusters(mass)))
    assert " at p_FWE <= .05, cluster-level: " in tested


MASS = "_desc-{}Mass_level-cluster_corr-FWE_method-montecarlo"


def test_the_same_test_of_another_result_is_the_likeliest_partner(
    sample: ResultSet, tmp_path: Path
) -> None:
    """Z with z, FWE mass with FWE mass, whatever stands first."""
    other = tmp_path / "other"
    other.mkdir()
    for path in Path(sample.source).glob("*.nii.gz"):
        (other / path.name).write_bytes(path.read_bytes())
    opened = open_results(other)
    offered = [*sample.maps.values(), *opened.maps.values()]
    for key, statmap in sample.maps.items():
        if not statmap.kind.row.criteria:
            continue
        ranked = rank_partners(statmap, offered)
        assert ranked[0] is opened[key]
        assert statmap not in ranked
        assert all(one.kind.row.criteria for one in ranked)
        # What tells of the same test in other words comes last.
        own = [one.results is sample for one in ranked]
        assert own == sorted(own)


def test_within_one_result_it_is_the_other_test(tmp_path: Path) -> None:
    """As NiMARE's MKDAChi2 names them: two contrasts, corrected and not."""
    keys = [
        f"{value}{rest}"
        for value in ("p", "z")
        for contrast in ("association", "uniformity")
        for rest in (f"_desc-{contrast}", MASS.format(contrast))
    ]
    results = made({key: np.ones(SHAPE, np.float32) for key in keys})
    first = "z_desc-association"
    ranked = [one.key for one in rank_partners(results[first], results.maps.values())]
    assert ranked[0] == "z_desc-uniformity"
    assert ranked[1] == "z" + MASS.format("uniformity")
    corrected = "z" + MASS.format("association")
    ranked = [
        one.key for one in rank_partners(results[corrected], results.maps.values())
    ]
    assert ranked[0] == "z" + MASS.format("uniformity")
    assert ranked[-1] == "p_desc-association"
