"""One row of corrected p and q for each cluster, from every map of its test."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import ndimage, stats

from helpers.corrected_maps import BONFERRONI, BY, CORRECTIONS, corrected_test
from napari_neurosynth_results import ResultSet, find_clusters, open_results
from napari_neurosynth_results.statistics.clusters.corrected import corrected_p_at
from napari_neurosynth_results.statistics.p_values.significance import PSource

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]

SHAPE = (8, 9, 8)
BRAIN = (slice(1, 7), slice(1, 8), slice(1, 7))
COLUMNS = ["label", "p_fwe_mass", "p_fwe_size", "peak_p_fwe", "peak_q"]
FLOOR = 1 - 1 / 200
MONTE_CARLO = "corr-FWE_method-montecarlo"
FDR = "corr-FDR_method-indep"
#: x of the two clusters, strongest first.
FIRST, SECOND = 2, 4


def in_brain(value: float) -> Array:
    data = np.zeros(SHAPE)
    data[BRAIN] = value
    return data


def an_ale() -> dict[str, Array]:
    """Return an ALE run of two clusters, of which one is at the floor of size."""
    z, mass, size, voxel, q = map(in_brain, (0.5, FLOOR, FLOOR, FLOOR, 0.9))
    for x, value in ((FIRST, 6), (SECOND, 4)):
        z[x, 2:4, 2:4] = value - 0.5
        z[x, 3, 3] = value
    mass[FIRST, 2:4, 2:4], mass[SECOND, 2:4, 2:4] = 0.005, 0.3
    size[FIRST, 2:4, 2:4] = 0.015
    # Only at the peak.
    voxel[FIRST, 3, 3], voxel[SECOND, 3, 3] = 0.01, 0.4
    q[FIRST, 3, 3], q[SECOND, 3, 3] = 0.002, 0.07
    inside = in_brain(1) > 0
    maps = {"z": z, "p": np.where(inside, stats.norm.sf(z), 0)}
    for name, p in (
        (f"desc-mass_level-cluster_{MONTE_CARLO}", mass),
        (f"desc-size_level-cluster_{MONTE_CARLO}", size),
        (f"level-voxel_{MONTE_CARLO}", voxel),
    ):
        maps[f"logp_{name}"] = np.where(inside, -np.log10(np.where(inside, p, 1)), 0)
        maps[f"z_{name}"] = np.where(inside, np.maximum(stats.norm.isf(p), 0), 0)
    return maps | {f"p_{FDR}": q}


EXPECTED = pd.DataFrame(
    {
        "label": [1, 2],
        "p_fwe_mass": [0.005, 0.3],
        "p_fwe_size": [0.015, np.nan],
        "peak_p_fwe": [0.01, 0.4],
        "peak_q": [0.002, 0.07],
    }
)


def test_every_correction_speaks(opened: Opened) -> None:
    results = opened(an_ale())
    mass = f"logp_desc-mass_level-cluster_{MONTE_CARLO}"
    for found in (
        find_clusters(results["z"], p=0.001),
        find_clusters(results["p"], p=0.001),
        find_clusters(results[mass]),
    ):
        pd.testing.assert_frame_equal(found.corrected, EXPECTED, atol=1e-6)
        assert found.corrected.index.equals(found.table.index)


def test_the_z_maps_alone_say_the_same(opened: Opened) -> None:
    maps = {k: v for k, v in an_ale().items() if not k.startswith("logp")}
    found = find_clusters(opened(maps)["z"], p=0.001)
    pd.testing.assert_frame_equal(found.corrected, EXPECTED, atol=1e-4)


def test_z_of_0_says_nothing(opened: Opened) -> None:
    maps = an_ale()
    stem = f"z_level-voxel_{MONTE_CARLO}"
    maps[stem][SECOND] = 0
    del maps[stem.replace("z_", "logp_")]
    found = find_clusters(opened(maps)["z"], p=0.001)
    assert found.corrected.peak_p_fwe.tolist() == pytest.approx(
        [0.01, np.nan], nan_ok=True, abs=1e-4
    )


def test_without_an_fdr_map_q_is_adjusted_over_the_analysis_mask(
    opened: Opened,
) -> None:
    maps = an_ale()
    del maps[f"p_{FDR}"]
    p = np.float64(np.float32(maps["p"][BRAIN]))
    q = np.zeros(SHAPE)
    q[BRAIN] = stats.false_discovery_control(p, axis=None).reshape(p.shape)
    found = find_clusters(opened(maps)["z"], p=0.001)
    expected = [q[FIRST, 3, 3], q[SECOND, 3, 3]]
    assert found.corrected.peak_q.tolist() == pytest.approx(expected)
    found = find_clusters(opened(maps)["z"], bonferroni=0.05)
    assert found.corrected.peak_q.tolist() == pytest.approx(expected[: len(found)])
    # Without the p map nobody knows where the mask ends.
    del maps["p"]
    found = find_clusters(opened(maps)["z"], p=0.001)
    assert found.corrected.peak_q.isna().all()


def test_maps_of_another_test_have_no_say(opened: Opened) -> None:
    maps = {
        f"{k.split('_')[0]}_desc-group1" if k in "zp" else k: v
        for k, v in an_ale().items()
    }
    found = find_clusters(opened(maps)["z_desc-group1"], p=0.001)
    assert found.corrected.drop(columns=["label", "peak_q"]).isna().all(axis=None)


def test_the_p_of_a_cluster_belongs_to_its_voxels(opened: Opened) -> None:
    results = opened(an_ale())
    # The second cluster has but its peak above 3.9, the first all of its four voxels.
    higher = find_clusters(results["z"], value=3.9)
    assert higher.table.n_voxels.tolist() == [4, 1]
    found = higher.corrected
    assert found.p_fwe_mass.tolist() == pytest.approx([0.005, np.nan], nan_ok=True)
    assert found.p_fwe_size.tolist() == pytest.approx([0.015, np.nan], nan_ok=True)
    # What is of the peak is of the peak still.
    assert found.peak_p_fwe.tolist() == pytest.approx([0.01, 0.4])
    assert found.peak_q.tolist() == pytest.approx([0.002, 0.07])
    [told] = higher.whose_p
    assert "by cluster mass is not stated for 1 of 2 clusters" in told
    # All of the brain is one cluster above .4.
    lower = find_clusters(results["z"], value=0.4)
    assert lower.corrected[["p_fwe_mass", "p_fwe_size"]].isna().all(axis=None)
    assert len(lower.whose_p) == 2
    same = find_clusters(results["z"], value=3.4)
    pd.testing.assert_frame_equal(same.corrected, EXPECTED, atol=1e-6)
    assert same.whose_p == ()


def test_a_mask_that_cuts_a_cluster_leaves_it_without_its_p(opened: Opened) -> None:
    results = opened(an_ale())
    mask = np.zeros(SHAPE, bool)
    mask[FIRST, 3, 2:4] = True
    mask[SECOND] = True
    cut = find_clusters(results["z"], value=3.4, mask=mask)
    assert cut.table.n_voxels.tolist() == [2, 4]
    assert cut.corrected.p_fwe_mass.tolist() == pytest.approx(
        [np.nan, 0.3], nan_ok=True
    )
    logp = results[f"logp_desc-mass_level-cluster_{MONTE_CARLO}"]
    own = find_clusters(logp, mask=mask)
    assert own.corrected.p_fwe_mass.isna().tolist() == [True, False]
    assert "the mask cuts 1, whose p is that of the whole cluster" in str(own)
    assert "cuts" not in str(find_clusters(logp, mask=np.ones(SHAPE, bool)))


@pytest.mark.slow
@pytest.mark.parametrize("asked", [{"p": 0.001}, {"p": 0.01}, {"p": 1e-5}])
def test_the_samples_clusters_have_the_p_of_the_same_voxels(
    sample_path: Path, asked: dict[str, float]
) -> None:
    results = open_results(sample_path)
    found = find_clusters(results["z"], **asked, min_voxels=10)
    logp = results[f"logp_desc-size_level-cluster_{MONTE_CARLO}"].data
    p = results["p"].data
    # Each value but the floor by itself, in pieces that touch by faces.
    theirs = []
    for value in np.unique(logp[logp > 0])[1:]:
        pieces, n = ndimage.label(logp == value)
        theirs += [(pieces == piece, 10 ** -float(value)) for piece in range(1, n + 1)]
    expected = np.full(len(found), np.nan)
    for row in range(len(found)):
        for piece, p_fwe in theirs:
            apart = piece ^ (found.labels == row + 1)
            # NiMARE forms clusters on the statistic, and p comes in steps of .6 %.
            if (abs(p[apart] - 0.001) < 1e-5).all():
                expected[row] = p_fwe
    assert np.isfinite(expected).sum() == (11 if asked == {"p": 0.001} else 0)
    assert found.corrected.p_fwe_size.tolist() == pytest.approx(expected, nan_ok=True)
    told = "\n".join(found.whose_p)
    assert ("up to 1 voxel more or less, at the very height" in told) == (
        asked == {"p": 0.001}
    )


def test_monte_carlo_comes_before_bonferroni(opened: Opened) -> None:
    maps = an_ale()
    bonferroni = in_brain(1.0)
    bonferroni[FIRST, 3, 3] = 0.04
    maps["p_corr-FWE_method-bonferroni"] = bonferroni
    found = find_clusters(opened(maps)["z"], p=0.001)
    assert found.corrected.peak_p_fwe.tolist() == pytest.approx([0.01, 0.4])
    for value in ("z", "logp"):
        del maps[f"{value}_level-voxel_{MONTE_CARLO}"]
    found = find_clusters(opened(maps)["z"], p=0.001)
    assert found.corrected.peak_p_fwe.tolist() == pytest.approx([0.04, 1])


def test_a_broken_map_leaves_the_others(
    write: Callable[..., Path], opened: Opened
) -> None:
    folder = write(an_ale())
    for value in ("logp", "z"):
        path = folder / f"{value}_desc-mass_level-cluster_{MONTE_CARLO}.nii.gz"
        content = path.read_bytes()
        path.write_bytes(content[:-40] + bytes(40))
    found = find_clusters(open_results(folder)["z"], p=0.001).corrected
    assert found.p_fwe_mass.isna().all()
    expected = EXPECTED.drop(columns="p_fwe_mass")
    pd.testing.assert_frame_equal(found.drop(columns="p_fwe_mass"), expected, atol=1e-6)


def test_columns_even_without_clusters(opened: Opened) -> None:
    for results in (opened(an_ale()), opened({"z": in_brain(0.5)})):
        none = find_clusters(results["z"], value=9)
        assert list(none.corrected.columns) == COLUMNS
        assert len(none.corrected) == 0
        some = find_clusters(results["z"], value=0.4)
        assert len(some.corrected) == len(some.table) > 0


@pytest.mark.slow
def test_the_samples_row(sample_path: Path) -> None:
    results = open_results(sample_path)
    found = find_clusters(results["z"], p=0.001)
    corrected = found.corrected.set_index("label")
    for statistic in ("mass", "size"):
        stem = f"logp_desc-{statistic}_level-cluster_{MONTE_CARLO}"
        by_cluster = find_clusters(results[stem])
        column = corrected[f"p_fwe_{statistic}"]
        for label, peak in enumerate(found.peak_voxels, start=1):
            other = by_cluster.labels[peak]
            p = by_cluster.table.cluster_p[other - 1] if other else np.nan
            assert column[label] == pytest.approx(p, nan_ok=True)
        assert column.notna().sum() == len(by_cluster)
    at = tuple(np.array(found.peak_voxels).T)
    logp = results[f"logp_level-voxel_{MONTE_CARLO}"].data[at].astype(float)
    assert corrected.peak_p_fwe.tolist() == pytest.approx(10**-logp)
    assert (corrected.peak_q <= 0.05).tolist() == [
        bool(find_clusters(results["z"], q=0.05).labels[p]) for p in found.peak_voxels
    ]


# --- what a corrected map says: the test's own p, and q or p_FWE under their names ---


@pytest.mark.parametrize("value", ["z", "p", "logp"])
@pytest.mark.parametrize("name", list(CORRECTIONS))
@pytest.mark.parametrize("tail", ["one", "two"])
def test_a_corrected_map_keeps_by_its_p_and_tells_the_tests_own(
    opened: Opened, rng: np.random.Generator, tail: str, name: str, value: str
) -> None:
    maps = corrected_test(tail, name, rng)
    results = opened(maps)
    found = find_clusters(results[f"{value}_{name}"], p=0.05, atlas=None)
    z, p, q = (maps[stem] for stem in ("z", "p", f"p_{name}"))
    kept = (q > 0) & (q <= 0.05)
    assert 20 < kept.sum() < 2000
    # Clusters of each sign; a p has none.
    sides = [kept & (z > 0), kept & (z < 0)] if value == "z" else [kept]
    expected = {}
    for side in sides:
        labels, n = ndimage.label(side)
        for label in range(1, n + 1):
            where = np.argwhere(labels == label)
            peak = where[np.argmin(p[labels == label])]
            expected[tuple(peak.tolist())] = len(where)
    sizes = dict(zip(found.peak_voxels, found.labelled.size.tolist(), strict=True))
    assert sizes == expected
    sentence, column = CORRECTIONS[name]
    table, at = found.table, tuple(np.array(found.peak_voxels).T)
    assert table.peak_p.tolist() == pytest.approx(p[at], rel=1e-4)
    assert table.peak_logp.tolist() == pytest.approx(-np.log10(p[at]), rel=1e-4)
    own = p if found.values.kind == "p" else z
    assert found.values.key == ("p" if found.values.kind == "p" else "z")
    assert table.peak_value.tolist() == pytest.approx(own[at], rel=1e-6)
    means = [own[found.labels == label].mean() for label in table.label]
    assert table.mean_value.tolist() == pytest.approx(means, rel=1e-4)
    # What the correction says, of sub-peaks too.
    assert table[column].tolist() == pytest.approx(q[at], rel=1e-4)
    assert found.corrected[column].tolist() == table[column].tolist()
    every = tuple(found.labelled.peak_voxel.T)
    assert found.peaks[column].tolist() == pytest.approx(q[every], rel=1e-4)
    assert found.peaks.peak_p.tolist() == pytest.approx(p[every], rel=1e-4)
    assert {"peak_q", "peak_p_fwe"}.intersection(table) == {column}
    assert found.uncorrected_p == pytest.approx(p[kept].max(), rel=1e-4)
    assert found.missing_test == ""
    assert table.significant.all()
    told = str(found.threshold)
    assert sentence.replace(", ", " (" if value == "p" else ", ") in told
    assert ("converted two-tailed" in told) == (
        value == "z" and not name.endswith("montecarlo")
    )


@pytest.mark.parametrize("name", list(CORRECTIONS))
def test_without_its_test_only_the_corrected_p_is_known(
    opened: Opened, rng: np.random.Generator, name: str
) -> None:
    maps = corrected_test("two", name, rng)
    results = opened({f"z_{name}": maps[f"z_{name}"]})
    found = find_clusters(results[f"z_{name}"], p=0.05, atlas=None)
    table = found.table
    unknown = ["peak_value", "peak_p", "peak_logp", "mean_value"]
    assert len(table) > 1
    assert table[unknown].isna().all(axis=None)
    assert math.isnan(found.uncorrected_p)
    assert "not at hand" in found.missing_test
    at = tuple(np.array(found.peak_voxels).T)
    column = CORRECTIONS[name][1]
    assert table[column].tolist() == pytest.approx(maps[f"p_{name}"][at], rel=1e-3)


def test_cluster_level_without_its_test_tells_no_p_of_it(opened: Opened) -> None:
    stem = f"logp_desc-mass_level-cluster_{MONTE_CARLO}"
    table = find_clusters(opened({stem: an_ale()[stem]})[stem]).table
    assert table.cluster_p.tolist() == pytest.approx([0.005, 0.3])
    assert table[["peak_value", "peak_p", "mean_value"]].isna().all(axis=None)


def test_a_broken_test_is_one_that_is_not_there(
    write: Callable[..., Path], rng: np.random.Generator
) -> None:
    folder = write(corrected_test("two", FDR, rng))
    for value in ("z", "p"):
        path = folder / f"{value}.nii.gz"
        path.write_bytes(path.read_bytes()[:-40] + bytes(40))
    results = open_results(folder)
    found = find_clusters(results[f"z_{FDR}"], p=0.05, atlas=None)
    assert len(found) > 1
    assert found.table.peak_p.isna().all()
    assert results.problems


def test_maps_of_other_programs_say_their_own(opened: Opened) -> None:
    p = in_brain(0.9)
    p[FIRST, 3, 3], p[SECOND, 3, 3] = 0.004, 0.03
    results = opened(
        {
            "one_vox_corrp_tstat1": np.where(p > 0, 1 - p, 0),
            "lP_FDR+": np.where(p > 0, -np.log10(np.where(p > 0, p, 1)), 0),
        }
    )
    fsl = find_clusters(results["one_vox_corrp_tstat1"], p=0.05)
    assert "p_FWE <= .05, by FSL randomise" in str(fsl)
    assert fsl.table.peak_p_fwe.tolist() == pytest.approx([0.004, 0.03], rel=1e-4)
    assert fsl.corrected.peak_p_fwe.equals(fsl.table.peak_p_fwe)
    snpm = find_clusters(results["lP_FDR+"], p=0.05)
    assert "q <= .05, by SnPM" in str(snpm)
    assert snpm.table.peak_q.tolist() == pytest.approx([0.004, 0.03], rel=1e-4)
    for found in (fsl, snpm):
        assert found.table.peak_p.isna().all()
        assert found.table.significant.all()


@pytest.mark.parametrize("value", ["z", "p", "logp", "1-p"])
def test_a_corrected_p_of_1_is_1(opened: Opened, value: str) -> None:
    maps = an_ale()
    del maps[f"p_{FDR}"]
    for other in ("z", "logp"):
        del maps[f"{other}_level-voxel_{MONTE_CARLO}"]
    bonferroni = in_brain(1.0)
    bonferroni[FIRST, 3, 3] = 0.04
    stem = f"{value}_corr-FWE_method-bonferroni"
    maps[stem] = {
        "z": np.where(bonferroni > 0, stats.norm.isf(bonferroni / 2), 0),
        "p": bonferroni,
        "logp": np.where(bonferroni > 0, -np.log10(np.maximum(bonferroni, 1e-9)), 0),
        "1-p": bonferroni,
    }[value]
    if value == "1-p":
        maps["one_vox_corrp_tstat1"] = np.where(bonferroni > 0, 1 - bonferroni, 0)
        del maps[stem]
        results = opened(maps)
        found = find_clusters(results["one_vox_corrp_tstat1"], value=0.5)
        assert found.table.peak_p_fwe.tolist() == pytest.approx([0.04], rel=1e-4)
        source = PSource(results["one_vox_corrp_tstat1"])
        assert corrected_p_at(source, np.array([[SECOND, 3, 3]])).tolist() == [1]
        return
    found = find_clusters(opened(maps)["z"], p=0.001)
    assert found.corrected.peak_p_fwe.tolist() == pytest.approx([0.04, 1], rel=1e-4)


def test_what_was_asked_or_thresholded_comes_before_other_maps(
    opened: Opened, rng: np.random.Generator
) -> None:
    maps = corrected_test("two", FDR, rng) | corrected_test("two", BY, rng)
    maps |= corrected_test("two", BONFERRONI, rng)
    # The draws differ: the last test is everybody's.
    z, p = maps["z"], maps["p"]
    inside = p > 0
    results = opened(maps)
    by_map = find_clusters(results[f"z_{BY}"], p=0.05)
    at = tuple(np.array(by_map.peak_voxels).T)
    expected = maps[f"p_{BY}"][at]
    assert by_map.corrected.peak_q.tolist() == pytest.approx(expected, rel=1e-4)
    half = inside & (np.arange(len(z)) < 13)[:, np.newaxis, np.newaxis]
    tests = np.float64(np.float32(p[half]))
    for asked, column, adjusted in (
        (
            {"q": 0.05, "fdr": "BY"},
            "peak_q",
            stats.false_discovery_control(tests, method="by"),
        ),
        ({"bonferroni": 0.05}, "peak_p_fwe", np.minimum(tests * tests.size, 1)),
    ):
        volume = np.full(p.shape, np.nan)
        volume[half] = adjusted
        found = find_clusters(results["z"], mask=half, **asked)
        at = tuple(np.array(found.peak_voxels).T)
        assert found.corrected[column].tolist() == pytest.approx(volume[at], rel=1e-4)
        assert (found.corrected[column] <= 0.05).all()
        assert found.uncorrected_p <= 0.05
        # What was asked is no reason not to say the rest.
        assert found.corrected["peak_q"].notna().all()


@pytest.mark.parametrize(
    ("stem", "asked", "controls"),
    [
        ("z", {"value": 3}, False),
        ("z", {"p": 0.001}, False),
        ("p", {"p": 0.001}, False),
        ("p", {"value": 0.001}, False),
        ("z", {"q": 0.05}, True),
        ("z", {"bonferroni": 0.05}, True),
        (f"z_{FDR}", {"p": 0.05}, True),
        (f"logp_{FDR}", {"p": 0.05}, True),
        (f"z_{FDR}", {"value": 1.96}, False),
    ],
)
def test_significant_is_empty_where_no_error_rate_is_controlled(
    opened: Opened,
    rng: np.random.Generator,
    stem: str,
    asked: dict[str, float],
    controls: bool,
) -> None:
    found = find_clusters(opened(corrected_test("two", FDR, rng))[stem], **asked)
    significant = found.table.significant
    assert len(found) > 1
    assert significant.dtype == "boolean"
    assert significant.isna().all() == (not controls)
    assert significant.fillna(True).all()
    assert found.surviving.all()
    assert (found.error_rate is not None) == controls


def permuted(rng: np.random.Generator) -> tuple[Any, Any, Any, Any]:
    """Return t, its p by permutation, clusters of it, and their corrected p."""
    t = ndimage.gaussian_filter(rng.normal(size=(16, 18, 16)), 1.2)
    t = (4 * t / t.std() / 2).astype(np.float32)
    p = np.clip(np.ceil(stats.norm.sf(t) * 500), 1, 500) / 500
    clusters, n = ndimage.label(t > 2.3)
    of_cluster = np.append(1.0, rng.integers(1, 60, size=n) / 500)
    return t, p, clusters, of_cluster[clusters]


#: How a program calls the test, its p, and what it corrected; and how it writes p.
PERMUTED = {
    "FSL": ("a_tstat1", "a_vox_p_tstat1", "a_clustere_corrp_tstat1", lambda p: 1 - p),
    "FSL F": ("a_fstat1", "a_vox_p_fstat1", "a_clusterm_corrp_fstat1", lambda p: 1 - p),
    "PALM": (
        "vox_tstat_c1",
        "vox_tstat_uncp_c1",
        "clustere_tstat_fwep_c1",
        lambda p: p,
    ),
    "PALM z": ("vox_ztstat", "vox_ztstat_uncp", "clusterm_ztstat_fwep", lambda p: p),
}


@pytest.mark.parametrize("program", PERMUTED)
def test_clusters_of_other_programs_show_the_test_that_lies_beside(
    opened: Opened, rng: np.random.Generator, program: str
) -> None:
    test, stated, corrected, written = PERMUTED[program]
    t, p, clusters, p_of = permuted(rng)
    if program == "FSL F":
        t = np.abs(t)
    other = test.replace("1", "2") if "1" in test else f"b_{test}"
    maps = {test: t, stated: written(p), corrected: written(p_of), other: t[::-1] * 3}
    results = opened(maps)
    assert results[corrected].level == "cluster"
    found = find_clusters(results[corrected], p=0.05, atlas=None)
    assert found.values.key == test
    assert found.missing_test == ""
    counted = {
        int(label): (np.flatnonzero(clusters.ravel() == label))
        for label in np.unique(clusters[(clusters > 0) & (p_of < 1)])
    }
    assert len(found) == len(counted) > 3
    expected = []
    for where in counted.values():
        peak = where[np.argmax(t.ravel()[where])]
        values = t.ravel()[peak], p.ravel()[peak], p_of.ravel()[peak], len(where)
        expected.append(values)
    columns = ["peak_value", "peak_p", "cluster_p", "n_voxels"]
    table = found.table[columns].to_numpy(float)
    # float32 holds 1 - p to six digits.
    order = [np.lexsort(np.asarray(rows).T[::3]) for rows in (table, expected)]
    np.testing.assert_allclose(
        table[order[0]], np.asarray(expected)[order[1]], rtol=1e-4, atol=1e-6
    )


def test_a_statistic_of_another_contrast_is_not_taken_for_the_test(
    opened: Opened, rng: np.random.Generator
) -> None:
    t, p, _, p_of = permuted(rng)
    results = opened(
        {
            "a_tstat2": t,
            "a_vox_p_tstat2": 1 - p,
            "b_tstat1": t,
            "a_clustere_corrp_tstat1": 1 - p_of,
        }
    )
    found = find_clusters(results["a_clustere_corrp_tstat1"], p=0.05, atlas=None)
    assert found.test is None
    assert "not at hand" in found.missing_test
    assert found.table.peak_p.isna().all()


def test_without_its_p_a_permuted_t_has_no_degrees_of_freedom(
    opened: Opened, rng: np.random.Generator
) -> None:
    t, _, _, p_of = permuted(rng)
    results = opened({"a_tstat1": t, "a_clustere_corrp_tstat1": 1 - p_of})
    found = find_clusters(results["a_clustere_corrp_tstat1"], p=0.05, atlas=None)
    assert found.values.key == "a_tstat1"
    assert found.table.peak_value.gt(2).all()
    assert found.table.peak_p.isna().all()


# --- how sure the Monte Carlo p are ---------------------------------------------------


def test_intervals_and_the_count_with_the_data_themselves(sample: ResultSet) -> None:
    found = find_clusters(sample["z"], p=0.001, min_voxels=50)
    sure, n = found.monte_carlo, 1000
    assert found.null is not None
    assert found.null.iterations == n
    assert sure.label.tolist() == found.table.label.tolist()
    for column in ("p_fwe_mass", "p_fwe_size", "peak_p_fwe"):
        p = found.corrected[column]
        # At 1 / n none or one of them was as large.
        most = np.rint(p * n)
        low = np.where(most == 1, 0, stats.beta.ppf(0.025, most, n - most + 1))
        high = stats.beta.ppf(0.975, most + 1, n - most)
        assert np.allclose(sure[f"{column}_low"], low, equal_nan=True)
        assert np.allclose(sure[f"{column}_high"], high, equal_nan=True)
        assert np.allclose(sure[f"{column}_plus_one"], (most + 1) / (n + 1))
        assert (sure[f"{column}_plus_one"] > p).all(), "never too small"


def test_what_was_not_counted_has_no_interval(sample: ResultSet) -> None:
    found = find_clusters(sample["z"], bonferroni=0.05)
    assert found.corrected.peak_p_fwe.notna().all()
    assert found.monte_carlo.filter(like="peak_p_fwe").isna().all(axis=None)
