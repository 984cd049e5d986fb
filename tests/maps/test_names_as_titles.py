"""Titles say in words what a map is, and no two maps of a set are titled alike."""

from __future__ import annotations

import pytest

from napari_neurosynth_results.maps.names import parse_name, title_of, unique_titles

_FWE = "corr-FWE_method-montecarlo"


@pytest.mark.parametrize(
    ("stem", "title"),
    [
        ("z", "z, uncorrected"),
        ("p", "p, uncorrected"),
        ("logp", "-log10 p, uncorrected"),
        ("t", "t, uncorrected"),
        ("stat", "statistic"),
        ("est", "estimate"),
        ("se", "standard error"),
        ("tau2", "variance between studies (tau2)"),
        ("sigma2", "variance within studies (sigma2)"),
        ("dof", "degrees of freedom"),
        ("ale", "ALE value"),
        ("of", "OF value"),
        (f"z_level-voxel_{_FWE}", "z, voxel-level FWE (Monte Carlo)"),
        (
            f"logp_desc-size_level-cluster_{_FWE}",
            "-log10 p, cluster-level FWE (size, Monte Carlo)",
        ),
        (
            f"z_desc-associationMass_level-cluster_{_FWE}",
            "z, association, cluster-level FWE (mass, Monte Carlo)",
        ),
        (f"z_level-cluster_{_FWE}", "z, cluster-level FWE (Monte Carlo)"),
        ("z_corr-FDR_method-indep", "z, voxel-level FDR (Benjamini-Hochberg)"),
        ("p_corr-FDR_method-negcorr", "p, voxel-level FDR (Benjamini-Yekutieli)"),
        ("z_corr-FWE_method-bonferroni", "z, voxel-level FWE (Bonferroni)"),
        ("p_desc-uniformity", "p, uniformity, uncorrected"),
        ("chi2_desc-group2", "chi2, group 2, uncorrected"),
        ("chiSquare_group-a", "chi2, uncorrected, group a"),
        ("z_desc-group1MinusGroup2", "z, group 1 - group 2, uncorrected"),
        (
            "z_desc-balancedGroup1MinusGroup2",
            "z, balanced group 1 - group 2, uncorrected",
        ),
        ("prob_desc-A", "probability, P(A)"),
        ("prob_desc-AgF", "probability, P(A|F)"),
        ("prob_desc-FgA_prior", "probability, P(F|A) with prior"),
        (
            f"label_desc-mass_level-cluster_{_FWE}_tail-positive",
            "cluster labels, cluster-level FWE (mass, Monte Carlo), positive tail",
        ),
        ("spatialIntensity_group-healthy", "spatial intensity, group healthy"),
        ("z_desc-reward", "z, reward, uncorrected"),
        ("z_a-b", "z, uncorrected, a-b"),
        ("p_a-b_corr-FDR_q-0.05", "p, voxel-level FDR, a-b, q 0.05"),
        ("z_corr-FDR_method-new", "z, voxel-level FDR (new)"),
        ("pain_z_a1B2c3D", "z, uncorrected"),
    ],
)
def test_words(stem: str, title: str) -> None:
    name = parse_name(f"{stem}.nii.gz", from_server=True)
    assert name is not None
    assert title_of(name) == title


def _titles(*stems: str) -> list[str]:
    return unique_titles([(stem, parse_name(stem, from_server=True)) for stem in stems])


def test_the_only_run_is_not_said() -> None:
    assert _titles("pain_z", "pain_p") == ["z, uncorrected", "p, uncorrected"]


def test_several_runs_are_said() -> None:
    assert _titles("pain_z", "reward_z", "z") == [
        "pain: z, uncorrected",
        "reward: z, uncorrected",
        "z, uncorrected",
    ]
    assert _titles("collection-1_id-5_a_z", "collection-2_id-6_a_z") == [
        "collection-1 a: z, uncorrected",
        "collection-2 a: z, uncorrected",
    ]


def test_a_counter_tells_runs_apart() -> None:
    assert _titles("z", "z_1") == ["z, uncorrected", "1: z, uncorrected"]


def test_twins_get_their_file_names() -> None:
    assert _titles("z_a1B2c3D", "z_x9Y8z7W", "p") == [
        "z, uncorrected [z_a1B2c3D]",
        "z, uncorrected [z_x9Y8z7W]",
        "p, uncorrected",
    ]
    # The same entities in another order are the same words.
    assert len(set(_titles("z_corr-FDR_method-indep", "z_method-indep_corr-FDR"))) == 2


def test_foreign_names_title_themselves() -> None:
    assert _titles("spmT_0001", "z") == ["spmT_0001", "z, uncorrected"]


def test_a_file_named_like_a_title_stays_apart() -> None:
    titles = _titles("z, uncorrected", "z", "z_a1B2c3D")
    assert len(set(titles)) == 3


def test_no_two_maps_of_a_large_run_share_a_title() -> None:
    corrected = ("level-voxel", "Mass_level-cluster", "Size_level-cluster")
    stems = [
        f"{value}_desc-{contrast}{rest}"
        for value in ("z", "p", "logp", "chi2", "prob")
        for contrast in ("association", "uniformity", "group1", "group2", "AgF_prior")
        for rest in (
            "",
            *(f"{'' if c[0].isupper() else '_'}{c}_{_FWE}" for c in corrected),
            "_level-voxel_corr-FDR_method-indep",
            "_corr-FDR_method-negcorr",
        )
    ]
    assert len(set(_titles(*stems))) == len(stems)
