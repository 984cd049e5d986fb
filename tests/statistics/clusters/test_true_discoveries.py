"""How much of a cluster is active: the family is right, and so is what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from nilearn.glm import cluster_level_inference
from scipy import ndimage, stats

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ResultsError, ResultSet
from napari_neurosynth_results.statistics.clusters.true_discoveries import write_percent
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    DiscoveryBounds,
)

Array = npt.NDArray[Any]
Opened = Callable[..., ResultSet]
FWE = "desc-mass_level-cluster_corr-FWE_method-montecarlo"
VOXEL = "level-voxel_corr-FWE_method-montecarlo"
SHAPE = (8, 9, 8)


def z_of(rng: np.random.Generator) -> Array:
    """Return a one-tailed z with a strong corner, inside of a frame of nothing."""
    z = ndimage.gaussian_filter(rng.normal(size=SHAPE), 0.7) * 2
    z[1:4, 1:4, 1:4] += 6
    return z


def framed(values: Array, outside: float = 0.0) -> Array:
    inside = np.zeros(SHAPE, bool)
    inside[1:-1, 1:-1, 1:-1] = True
    return np.where(inside, values, outside)


def sizes_and_counts(clusters: nnr.ClusterSet) -> dict[int, int]:
    size = clusters.table.n_voxels.tolist()
    return dict(zip(size, clusters.true_discoveries.tolist(), strict=True))


# --- the sample -----------------------------------------------------------------------

#: All clusters of 60 voxels or more at p <= .001, by Goeman's definition worked out
#: apart from this package; all others have none.
AT = {
    0.01: (228146, {805: 162, 660: 10, 326: 0, 199: 19, 194: 0, 143: 12}),
    0.05: (227747, {805: 259, 660: 62, 326: 3, 199: 45, 194: 0, 143: 23}),
    0.10: (227460, {805: 307, 660: 113, 326: 11, 199: 54, 194: 0, 143: 33}),
    0.50: (225776, {805: 474, 660: 298, 326: 78, 199: 90, 194: 11, 143: 51}),
}


@pytest.mark.parametrize("alpha", AT)
def test_the_clusters_of_the_sample(sample: ResultSet, alpha: float) -> None:
    h, expected = AT[alpha]
    found = nnr.find_clusters(sample["z"], p=0.001, min_voxels=60, tdp_alpha=alpha)
    assert sizes_and_counts(found) == expected
    assert found.proven.testing is not None
    bounds = found.proven.testing.bounds
    assert (bounds.n_tests, bounds.hommel) == (228483, h)
    share = found.true_discoveries / found.table.n_voxels
    assert found.table.tdp.tolist() == share.tolist()
    assert found.table.tdp_percent.tolist() == (100 * share).tolist()


#: The same of an MKDA of the studies of the sample: h, and clusters by their size.
OF_MKDA = {
    0.01: (227043, {1122: 656, 688: 254, 392: 105, 262: 59, 214: 0, 143: 0}),
    0.05: (225990, {1122: 762, 688: 338, 392: 189, 262: 122, 214: 33, 143: 2}),
    0.20: (224527, {1122: 1033, 688: 599, 392: 303, 262: 173, 214: 125, 143: 54}),
}
#: Its largest parts of which so much is active: voxels, and true discoveries.
PARTS_OF_MKDA = {
    0.5: [(1122, 762), (357, 337), (209, 189), (142, 122), (53, 33), (1, 1)],
    0.9: [(759, 739), (357, 337), (209, 189), (63, 63), (1, 1)],
}


@pytest.fixture(scope="module")
def mkda(sample: ResultSet, tmp_path_factory: pytest.TempPathFactory) -> ResultSet:
    """Make an MKDA of the sample's studies by its definition, as NiMARE has it.

    It counts the experiments with a focus within 10 mm. Under the null each reaches a
    voxel with the share of the mask that it covers, whatever the others do.
    """
    assert sample.studies is not None
    mask, grid = sample["z"].mask, sample["z"].grid
    assert mask is not None
    cube = np.indices((11, 11, 11)).reshape(3, -1).T - 5
    ball = cube[np.linalg.norm(2 * cube, axis=1) <= 10]
    count, tail = np.zeros(grid.shape, int), np.ones(1)
    to_voxels = np.linalg.inv(sample["z"].affine)
    for _, foci in sample.studies.foci.groupby("study_id"):
        xyz = foci[["x", "y", "z"]].to_numpy()
        centers = np.rint(xyz @ to_voxels[:3, :3].T + to_voxels[:3, 3]).astype(int)
        at = (centers[:, np.newaxis] + ball).reshape(-1, 3)
        at = at[((at >= 0) & (at < grid.shape)).all(axis=1)]
        reached = np.zeros(grid.shape, bool)
        reached[tuple(at.T)] = True
        count += reached & mask
        share = (reached & mask).sum() / mask.sum()
        tail = np.convolve(tail, [1 - share, share])
    p = tail[::-1].cumsum()[::-1][count]
    folder = tmp_path_factory.mktemp("mkda")
    for name, values in (("z", np.maximum(stats.norm.isf(p), 0)), ("p", p)):
        volume = np.where(mask, values, 0).astype(np.float32)
        nib.save(nib.Nifti1Image(volume, sample["z"].affine), folder / f"{name}.nii")
    return nnr.open_results(folder)


@pytest.mark.parametrize("alpha", OF_MKDA)
def test_the_clusters_of_an_mkda(mkda: ResultSet, alpha: float) -> None:
    h, expected = OF_MKDA[alpha]
    clusters = nnr.find_clusters(mkda["z"], p=0.001, min_voxels=60, tdp_alpha=alpha)
    testing = clusters.proven.testing
    assert testing is not None
    assert testing.bounds.hommel == h
    assert sizes_and_counts(clusters) == expected


@pytest.mark.parametrize("share", PARTS_OF_MKDA)
def test_the_largest_parts_of_an_mkda(mkda: ResultSet, share: float) -> None:
    _, table = nnr.largest_active_clusters(mkda["z"], share)
    found = zip(table.n_voxels, table.true_discoveries, strict=True)
    assert list(found) == PARTS_OF_MKDA[share]


def test_a_laxer_threshold_finds_little_more(sample: ResultSet) -> None:
    found = nnr.find_clusters(sample["z"], value=2.3, min_voxels=300)
    expected = {1513: 259, 1252: 62, 769: 3, 516: 0, 460: 23, 337: 45}
    assert sizes_and_counts(found) == expected


def test_without_simes_inequality_less_is_proven(sample: ResultSet) -> None:
    found = nnr.find_clusters(sample["z"], p=0.001, min_voxels=60, tdp_dependence="any")
    expected = {805: 116, 660: 0, 326: 0, 199: 14, 194: 0, 143: 7}
    assert sizes_and_counts(found) == expected
    assert "however voxels depend" in str(found.proven)


@pytest.mark.parametrize("key", ["z", "p", "logp", "stat"])
def test_all_maps_of_a_test_prove_the_same(sample: ResultSet, key: str) -> None:
    labels = nnr.find_clusters(sample["z"], p=0.001, min_voxels=60).labels
    found = nnr.true_discoveries(sample[key], labels)
    assert found.true_discoveries.tolist() == [259, 45, 23, 62, 3, 0]


@pytest.mark.parametrize("key", [f"z_{FWE}", f"logp_{VOXEL}"])
def test_of_a_corrected_map_the_uncorrected_p_are_taken(
    sample: ResultSet, key: str
) -> None:
    found = nnr.find_clusters(sample[key], p=0.05)
    assert found.proven.testing is not None
    assert found.proven.testing.bounds.hommel == 227747
    again = nnr.true_discoveries(sample["z"], found.labels)
    assert found.true_discoveries.tolist() == again.true_discoveries.tolist()


@pytest.mark.slow
def test_nilearn_says_the_same_within_the_mask(sample: ResultSet) -> None:
    z = sample["z"]
    log_p = sample["logp"].data.astype(float)
    exact = np.where(z.mask, stats.norm.isf(10**-log_p), 0)
    image = nib.Nifti1Image(np.nan_to_num(exact, neginf=-40), z.affine)
    mask = nib.Nifti1Image(z.mask.astype(np.int8), z.affine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        proportion = cluster_level_inference(image, mask, threshold=3.0, alpha=0.05)
    theirs = proportion.get_fdata()
    found = nnr.find_clusters(z, value=3.0, strict=True)
    for label, tdp in zip(found.table.label, found.table.tdp, strict=True):
        inside = found.labels == label
        assert np.allclose(theirs[inside], tdp, atol=1e-6), label


@pytest.mark.slow
def test_regions_masks_and_labels(sample: ResultSet) -> None:
    z = sample["z"]
    everything = nnr.true_discoveries(z, np.ones(z.grid.shape, bool))
    assert everything.n_voxels.tolist() == [228483], "what was not tested is nowhere"
    assert everything.true_discoveries.tolist() == [228483 - 227747]
    regions = nnr.true_discoveries(z).set_index("region")
    assert regions.loc["insula R", "true_discoveries"] == 173
    assert regions.true_discoveries.sum() <= 736
    half = np.zeros(z.grid.shape, int)
    half[45:] = 7
    assert nnr.true_discoveries(z, half).label.tolist() == [7]
    masking = nnr.mask_from_map(z, sample["z"], p=0.001)
    found = nnr.true_discoveries(z, masking)
    assert found.n_voxels.tolist() == [2625]
    assert found.attrs["about"].startswith("TDP (true discovery proportion)")
    with pytest.raises(ResultsError, match="shape"):
        nnr.true_discoveries(z, np.ones((2, 2, 2), bool))


# --- the family -----------------------------------------------------------------------


def test_the_family_is_the_whole_mask_and_nothing_else(
    opened: Opened, rng: np.random.Generator
) -> None:
    z = z_of(rng)
    p = framed(stats.norm.sf(z))
    results = opened({"z": framed(np.maximum(z, 0)), "p": p})
    inside = p > 0
    bounds = DiscoveryBounds.of_p(p[inside].astype(np.float32).astype(float))
    found = nnr.find_clusters(results["z"], p=0.01)
    assert found.proven.testing is not None
    assert found.proven.testing.bounds.n_tests == inside.sum()
    assert found.proven.testing.bounds.hommel == bounds.hommel
    expected = bounds.count(found.labels[inside], len(found))
    assert found.true_discoveries.tolist() == expected.tolist()
    # A mask of the clusters does not make the family smaller.
    half = np.zeros(SHAPE, bool)
    half[:3] = True
    cut = nnr.find_clusters(results["z"], p=0.01, mask=half)
    assert cut.proven.testing is found.proven.testing
    wide = nnr.true_discoveries(results["z"], np.ones(SHAPE, bool))
    assert wide.n_voxels.tolist() == [inside.sum()]


@pytest.mark.parametrize("underflows", [False, True])
def test_a_p_that_underflowed_counts_and_the_outside_never_does(
    opened: Opened, rng: np.random.Generator, underflows: bool
) -> None:
    z = z_of(rng)
    z[2, 2, 2] = 12
    p = framed(stats.norm.sf(z))
    p[2, 2, 2] = 0 if underflows else 1e-30
    # The statistic shows where the mask ends.
    results = opened({"p": p, "stat": framed(z + 20)})
    found = nnr.find_clusters(results["p"], p=0.01)
    assert found.proven.testing is not None
    assert found.proven.testing.bounds.n_tests == 6 * 7 * 6
    assert (found.table.tdp <= 1).all()
    assert found.true_discoveries.max() > 0


def test_a_lone_map_counts_as_it_is_asked(
    opened: Opened, rng: np.random.Generator
) -> None:
    z = framed(z_of(rng), np.nan)
    results = opened({"zmap": z})
    statmap = results["zmap"]
    tested = z[~np.isnan(z)].astype(np.float32).astype(float)
    for tail, p in (
        ("positive", stats.norm.sf(tested)),
        ("both", 2 * stats.norm.sf(np.abs(tested))),
    ):
        found = nnr.find_clusters(statmap, value=2.5, tail=tail, tdp_alpha=0.1)
        bounds = DiscoveryBounds.of_p(p, 0.1)
        expected = bounds.count(found.labels[~np.isnan(z)], len(found))
        assert found.true_discoveries.tolist() == expected.tolist()
        assert found.true_discoveries.max() > 0


def test_p_of_each_direction_are_doubled(
    opened: Opened, rng: np.random.Generator
) -> None:
    """BalancedALESubtraction: a negative z may have a small one-tailed p."""
    z = z_of(rng) - np.where(np.arange(8) < 5, 2.5, 0)[:, np.newaxis, np.newaxis]
    z[5:7, 5:7, 5:7] -= 4
    p = framed(stats.norm.sf(np.abs(z)))
    contrast = "desc-balancedGroup1MinusGroup2"
    results = opened({f"z_{contrast}": framed(z), f"p_{contrast}": p})
    statmap = results[f"z_{contrast}"]
    assert statmap.tail is nnr.Tail.ONE
    assert statmap.signed
    found = nnr.find_clusters(statmap, p=0.01)
    inside = p > 0
    one = p[inside].astype(np.float32).astype(float)
    labels = found.labels[inside]
    expected = DiscoveryBounds.of_p(2 * one).count(labels, len(found)).tolist()
    assert found.true_discoveries.tolist() == expected
    assert DiscoveryBounds.of_p(one).count(labels, len(found)).tolist() != expected
    assert set(found.table.sign) == {1, -1}


# --- what is refused, and said --------------------------------------------------------


def why(clusters: nnr.ClusterSet) -> str:
    """Return why nobody knows; the table says nothing then."""
    with pytest.raises(ResultsError) as caught:
        clusters.true_discoveries  # noqa: B018
    assert clusters.table[["tdp", "tdp_percent"]].isna().all(axis=None)
    assert str(clusters.proven) == (
        f"No true discovery proportion: {str(caught.value).rstrip('.')}"
    )
    return str(caught.value)


def test_a_corrected_map_alone_is_refused(
    opened: Opened, rng: np.random.Generator
) -> None:
    p = framed(np.minimum(stats.norm.sf(z_of(rng)) * 50, 1))
    results = opened({f"p_{VOXEL}": p})
    told = why(nnr.find_clusters(results[f"p_{VOXEL}"], p=0.05))
    assert "the uncorrected map of its test is not at hand" in told
    with pytest.raises(ResultsError, match="not at hand"):
        nnr.true_discoveries(results[f"p_{VOXEL}"], np.ones(SHAPE, bool))


def test_a_thresholded_map_is_refused(opened: Opened, rng: np.random.Generator) -> None:
    z = z_of(rng)
    statmap = opened({"z": framed(np.where(z > 3.1, z, 0))})["z"]
    family = nnr.Masking(framed(np.ones(SHAPE)) > 0, "inside the brain")
    with pytest.raises(ResultsError, match="already been thresholded"):
        nnr.true_discoveries(statmap, np.ones(SHAPE, bool), family=family)


def test_without_a_mask_nobody_knows_the_family(
    opened: Opened, rng: np.random.Generator
) -> None:
    z = framed(np.maximum(z_of(rng), 0))
    statmap = opened({"z": z})["z"]
    assert "shows where it ends" in why(nnr.find_clusters(statmap, value=3))
    brain = nnr.Masking(framed(np.ones(SHAPE)) > 0, "inside the brain")
    found = nnr.find_clusters(statmap, value=3, mask=brain)
    assert found.proven.testing is not None
    assert found.proven.testing.bounds.n_tests == 6 * 7 * 6
    circular = nnr.mask_from_map(statmap, statmap, p=0.05)
    assert "of the same test" in why(nnr.find_clusters(statmap, value=3, mask=circular))


def test_a_family_or_places_that_do_not_fit_are_refused(
    opened: Opened, rng: np.random.Generator
) -> None:
    z = z_of(rng)
    statmap, everywhere = (
        opened({"mean_zstat": z})["mean_zstat"],
        np.ones(z.shape, bool),
    )
    found = nnr.true_discoveries(statmap, everywhere, family=everywhere)
    assert found.n_voxels.tolist() == [z.size]
    for family in (np.ones((2, 2, 2), bool), np.ones(z.shape[:2], bool)):
        with pytest.raises(ResultsError, match="The mask has shape"):
            nnr.true_discoveries(statmap, everywhere, family=family)
    with pytest.raises(ResultsError, match="not bool"):
        nnr.true_discoveries(statmap, everywhere, family=np.ones(z.shape))  # type: ignore[arg-type]
    with pytest.raises(ResultsError, match="not whole numbers"):
        nnr.true_discoveries(statmap, np.ones(z.shape), family=everywhere)  # type: ignore[arg-type]


def test_values_without_p_are_refused(opened: Opened) -> None:
    prob = framed(np.linspace(0, 1, np.prod(SHAPE)).reshape(SHAPE))
    assert "needs its p or logp" in why(
        nnr.find_clusters(opened({"prob": prob})["prob"], value=0.9)
    )


def test_too_few_permutations_are_not_zero_percent(
    opened: Opened, rng: np.random.Generator
) -> None:
    p = rng.integers(1, 201, SHAPE) / 200
    p[1:7, 1:7, 1:4] = 1 / 200
    p[5, 6, 6], p[5, 5, 6] = 1 / 200, 0.9
    found = nnr.find_clusters(opened({"p": framed(p)})["p"], p=0.005)
    small = found.table.n_voxels < 10
    assert small.any()
    assert found.table.tdp[small].isna().all()
    assert found.table.tdp[~small].notna().all()
    label = int(found.table.label[small].iloc[0])
    assert "Too few permutations" in found.proven.tell(label)
    assert "200 give no p below .005" in str(found.proven)


def test_what_a_cluster_is_said_to_hold(sample: ResultSet) -> None:
    proven = nnr.find_clusters(sample["z"], p=0.001, min_voxels=60).proven
    assert proven.tell(1) == (
        "At least 259 of 805 voxels are active (≥ 32 %), with 95 % confidence."
    )
    assert "that does not mean that none is" in proven.tell(6)


def test_a_share_is_never_rounded_up() -> None:
    for percent in (0.05, 0.999, 9.99, 29.0, 99.99, 100.0):
        number = float(write_percent(percent).split()[1])
        assert number <= percent
        assert percent - number < 1
    assert write_percent(29.0) == "≥ 29 %"
    assert write_percent(100 * 0.29) == "≥ 29 %", "a float below 29"
    assert write_percent(float("nan")) == ""
