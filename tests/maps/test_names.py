"""NiMARE file names survive the way in and out, and mean what NiMARE meant."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_neurosynth_results.maps.kinds import VALUE_KINDS
from napari_neurosynth_results.maps.names import (
    EXTENSIONS,
    MapName,
    parse_name,
    split_extension,
    words_of_test,
)
from napari_neurosynth_results.maps.programs import nimare_name_of

VALUES = (
    *("z", "t", "p", "logp", "chi2", "prob", "stat", "est", "se", "tau2", "sigma2"),
    *("dof", "label", "chiSquare", "spatialIntensity"),
    *("of", "ale", "specificity", "consistency"),
)
#: Stems that NiMARE writes (0.22.1 unless another release is named) -> their parts.
STEMS: dict[str, tuple[str, dict[str, str]]] = {
    "z": ("z", {}),
    "z_level-voxel_corr-FWE_method-montecarlo": (
        "z",
        {"level": "voxel", "corr": "FWE", "method": "montecarlo"},
    ),
    "logp_desc-size_level-cluster_corr-FWE_method-montecarlo": (
        "logp",
        {"desc": "size", "level": "cluster", "corr": "FWE", "method": "montecarlo"},
    ),
    "z_desc-mass_level-cluster_corr-FWE_method-montecarlo": (
        "z",
        {"desc": "mass", "level": "cluster", "corr": "FWE", "method": "montecarlo"},
    ),
    "p_corr-FDR_method-indep": ("p", {"corr": "FDR", "method": "indep"}),
    "p_corr-FDR_method-negcorr": ("p", {"corr": "FDR", "method": "negcorr"}),
    "z_corr-FWE_method-bonferroni": ("z", {"corr": "FWE", "method": "bonferroni"}),
    "z_desc-uniformityMass_level-cluster_corr-FWE_method-montecarlo": (
        "z",
        {
            "desc": "uniformityMass",
            "level": "cluster",
            "corr": "FWE",
            "method": "montecarlo",
        },
    ),
    "p_desc-association_level-voxel_corr-FDR_method-indep": (
        "p",
        {"desc": "association", "level": "voxel", "corr": "FDR", "method": "indep"},
    ),
    "prob_desc-AgF_prior": ("prob", {"desc": "AgF_prior"}),
    "prob_desc-FgA_prior": ("prob", {"desc": "FgA_prior"}),
    "stat_desc-group1MinusGroup2": ("stat", {"desc": "group1MinusGroup2"}),
    "label_desc-mass_level-cluster_corr-FWE_method-montecarlo_tail-positive": (
        "label",
        {
            "desc": "mass",
            "level": "cluster",
            "corr": "FWE",
            "method": "montecarlo",
            "tail": "positive",
        },
    ),
    "z_corr-FDR_method-indep_diag-Jackknife_tab-counts_tail-negative": (
        "z",
        {
            "corr": "FDR",
            "method": "indep",
            "diag": "Jackknife",
            "tab": "counts",
            "tail": "negative",
        },
    ),
    "z_corr-FDR_method-indep_tab-clust": (
        "z",
        {"corr": "FDR", "method": "indep", "tab": "clust"},
    ),
    "spatialIntensity_group-schizophrenia": (
        "spatialIntensity",
        {"group": "schizophrenia"},
    ),
    # NiMARE <= 0.0.13
    "logp_level-cluster_corr-FWE_method-montecarlo": (
        "logp",
        {"level": "cluster", "corr": "FWE", "method": "montecarlo"},
    ),
    "ale": ("ale", {}),
    "of": ("of", {}),
    "specificity_z": ("z", {}),
}


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("stem", STEMS)
def test_real_names_are_read_and_written_back(stem: str, extension: str) -> None:
    value, entities = STEMS[stem]
    name = parse_name(stem + extension)
    assert name is not None
    assert (name.value, dict(name.entities)) == (value, entities)
    assert (name.extension, name.suffix, name.download) == (extension, "", "")
    assert name.stem == stem
    assert str(name) == stem + extension


def test_every_value_of_nimare_is_known() -> None:
    assert set(VALUES) == set(VALUE_KINDS)
    for value in VALUES:
        assert parse_name(f"{value}.nii.gz") == MapName(value, extension=".nii.gz")


@pytest.mark.parametrize(
    "desc",
    [
        *("size", "mass", "association", "uniformity", "group1", "group2"),
        *("associationMass", "uniformitySize", "group1Mass", "group2Size"),
        *("A", "AgF", "FgA", "AgU", "AgF_prior", "FgA_prior", "group1MinusGroup2"),
        *("group1MinusGroup2Mass", "balancedGroup1MinusGroup2", "conjunction"),
    ],
)
@pytest.mark.parametrize("rest", ["", "_level-voxel_corr-FWE_method-montecarlo"])
def test_desc_values(desc: str, rest: str) -> None:
    text = f"z_desc-{desc}{rest}.nii.gz"
    name = parse_name(text)
    assert name is not None
    assert name.get("desc") == desc
    assert str(name) == text


@pytest.mark.parametrize(
    "diagnostic", ["Jackknife", "FocusCounter", "ResampledStability"]
)
@pytest.mark.parametrize("table", ["clust", "counts", "summary"])
@pytest.mark.parametrize("tail", ["positive", "negative"])
def test_tables(diagnostic: str, table: str, tail: str) -> None:
    text = f"z_corr-FDR_method-indep_diag-{diagnostic}_tab-{table}_tail-{tail}.tsv"
    name = parse_name(text)
    assert name is not None
    assert [name.get(key) for key in ("diag", "tab", "tail")] == [
        diagnostic,
        table,
        tail,
    ]
    assert (name.extension, str(name)) == (".tsv", text)


@pytest.mark.parametrize(
    "prefix",
    [
        "pain",
        "my_study",
        "z",
        "p",
        "z_p",
        "p-value",
        "task-pain",
        "z_desc-mass",
        "pain z",
        "sub-01_task-rest",
        "läsion",
        "2024",
    ],
)
@pytest.mark.parametrize("rest", ["z", "logp_desc-mass_level-cluster_corr-FWE"])
def test_prefixes_even_with_values_and_entities_inside(prefix: str, rest: str) -> None:
    text = f"{prefix}_{rest}.nii.gz"
    name = parse_name(text)
    alone = parse_name(f"{rest}.nii.gz")
    assert name is not None
    assert alone is not None
    assert name.prefix == prefix
    assert (name.value, name.entities) == (alone.value, alone.entities)
    assert str(name) == text


@pytest.mark.parametrize("suffix", ["1", "12", "a1B2c3D", "aBcdefg", "1234567"])
@pytest.mark.parametrize("stem", ["z", "prob_desc-AgF_prior", "pain_p_corr-FDR"])
def test_suffixes_that_servers_add(stem: str, suffix: str) -> None:
    text = f"{stem}_{suffix}.nii.gz"
    name, alone = parse_name(text, from_server=True), parse_name(f"{stem}.nii.gz")
    assert name is not None
    assert alone is not None
    assert (name.suffix, name.entities) == (suffix, alone.entities)
    assert (name.value, name.prefix) == (alone.value, alone.prefix)
    assert str(name) == text


def test_behind_a_bare_value_only_a_server_adds_random_characters() -> None:
    # randomise's tenth contrast looks like what NeuroVault adds.
    assert parse_name("one_p_tstat10.nii.gz") is None
    assert parse_name("z_aBcdefg.nii.gz") is None
    assert parse_name("z_aBcdefg.nii.gz", from_server=True) is not None
    # No program's own word mixes digits, small and capital letters.
    assert parse_name("z_a1B2c3D.nii.gz") is not None
    name = parse_name("z_corr-FDR_a1B2c3D.nii.gz")
    assert name is not None
    assert name.suffix == "a1B2c3D"


@pytest.mark.parametrize(
    "stem",
    [
        *("T_log_p", "neg_log10_p", "minus_logp", "one_minus_p", "1-_p", "inverse_p"),
        *("log_10_p", "1minus_p", "oneminus_p"),
        *("vox_p", "tfce_p", "clustere_p", "fdr_p", "fwe_z", "corr_p", "max_z"),
        *("thresh_z", "masked_z", "cluster_mask_z", "pain_log_p_1"),
    ],
)
def test_a_word_before_the_value_makes_it_another(stem: str) -> None:
    assert parse_name(f"{stem}.nii.gz") is None


@pytest.mark.parametrize("stem", ["one_z", "1_p", "10_z", "2_logp", "one_p"])
def test_a_number_before_the_value_is_only_a_number(stem: str) -> None:
    name = parse_name(f"{stem}.nii.gz")
    assert name is not None
    assert f"{name.prefix}_{name.value}" == stem


def test_a_label_with_an_underscore_is_no_suffix() -> None:
    # Seven letters, but a word: storage suffixes mix cases or hold digits.
    name = parse_name("prob_desc-AgF_pattern.nii.gz")
    assert name is not None
    assert (name.get("desc"), name.suffix) == ("AgF_pattern", "")


def test_flat_downloads_of_neurovault() -> None:
    text = "collection-1_id-2_pain_z_desc-mass_level-cluster_corr-FWE.nii.gz"
    name = parse_name(text)
    assert name is not None
    assert name.download == "collection-1_id-2"
    assert (name.prefix, name.value, name.contrast) == ("pain", "z", "")
    assert str(name) == text


@pytest.mark.parametrize(
    "text",
    [
        "z_space-MNI152NLin6Asym_res-2_corr-FDR.nii.gz",
        "z_corr-FDR_method-indep_desc-group1.nii.gz",
        "z_method-montecarlo_corr-FWE_level-cluster_desc-mass.nii.gz",
        "chiSquare_group-a-b_desc-1.nii.gz",
    ],
)
def test_unknown_entities_and_other_orders_are_kept(text: str) -> None:
    name = parse_name(text)
    assert name is not None
    assert str(name) == text


def test_the_order_of_entities_does_not_change_what_they_say() -> None:
    name = parse_name("z_method-montecarlo_corr-FWE_level-cluster_desc-associationMass")
    assert name is not None
    assert (name.level, name.correction, name.method) == (
        "cluster",
        "FWE",
        "montecarlo",
    )
    assert (name.contrast, name.cluster_statistic) == ("association", "mass")
    assert name.uncorrected() == MapName("z", (("desc", "association"),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anat.nii.gz",
        "spmT_0001.nii",
        "zstat1.nii.gz",
        "Z.nii.gz",
        "_z.nii.gz",
        "z_.nii.gz",
        "z__corr-FDR.nii.gz",
        "z_thresholded.nii.gz",
        "zmap_corr-FDR.nii.gz",
        "boilerplate.txt",
        "MNI152_T1_2mm_brain.nii.gz",
        ".nii.gz",
    ],
)
def test_names_that_are_not_nimares(text: str) -> None:
    assert parse_name(text) is None


@pytest.mark.parametrize(
    ("stem", "level", "statistic", "contrast"),
    [
        ("z", None, None, ""),
        ("z_corr-FDR_method-indep", "voxel", None, ""),
        ("z_corr-FWE_method-bonferroni", "voxel", None, ""),
        ("z_level-voxel_corr-FWE_method-montecarlo", "voxel", None, ""),
        ("z_level-cluster_corr-FWE_method-montecarlo", "cluster", None, ""),
        ("z_desc-mass_level-cluster_corr-FWE", "cluster", "mass", ""),
        ("z_desc-group2Size_level-cluster_corr-FWE", "cluster", "size", "group2"),
        ("z_desc-group2", None, None, "group2"),
        # Without a correction "mass" is somebody's own word.
        ("z_desc-mass", None, None, "mass"),
    ],
)
def test_level_cluster_statistic_and_contrast(
    stem: str, level: str | None, statistic: str | None, contrast: str
) -> None:
    name = parse_name(stem)
    assert name is not None
    assert (name.level, name.cluster_statistic) == (level, statistic)
    assert name.contrast == contrast


@pytest.mark.parametrize(
    ("stem", "uncorrected"),
    [
        ("z", "z"),
        ("z_desc-mass_level-cluster_corr-FWE_method-montecarlo", "z"),
        ("z_desc-associationSize_level-cluster_corr-FWE", "z_desc-association"),
        ("pain_p_corr-FDR_method-indep", "pain_p"),
        ("p_desc-group1_corr-FDR_method-indep_1", "p_desc-group1_1"),
        ("z_space-MNI_corr-FDR", "z_space-MNI"),
    ],
)
def test_the_uncorrected_name(stem: str, uncorrected: str) -> None:
    name = parse_name(f"{stem}.nii.gz")
    assert name is not None
    assert str(name.uncorrected()) == f"{uncorrected}.nii.gz"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("z", "p_corr-FDR", True),
        ("a_z", "a_p", True),
        ("a_z", "b_z", False),
        ("z_1", "p_1", True),
        ("z", "z_1", False),
        # Random characters say nothing about the run.
        ("z_a1B2c3D", "p_x9Y8z7W", True),
        ("collection-1_id-2_z", "collection-1_id-3_p", True),
        ("collection-1_id-2_z", "collection-2_id-2_z", False),
    ],
)
def test_runs(one: str, other: str, same: bool) -> None:
    first = parse_name(one, from_server=True)
    second = parse_name(other, from_server=True)
    assert first is not None
    assert second is not None
    assert (first.run == second.run) is same


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("z.nii.gz", ("z", ".nii.gz")),
        ("z.NII.GZ", ("z", ".NII.GZ")),
        ("z.nii", ("z", ".nii")),
        ("a.b.tsv", ("a.b", ".tsv")),
        ("z.gz", ("z.gz", "")),
        (".nii.gz", (".nii.gz", "")),
    ],
)
def test_extensions(text: str, split: tuple[str, str]) -> None:
    assert split_extension(text) == split


_words = st.text(st.sampled_from("abzpXY09-"), min_size=1, max_size=8)
_name_like = st.lists(
    st.one_of(
        st.sampled_from(VALUES),
        st.sampled_from(["desc-mass", "corr-FDR", "collection-1", "id-2", "", "1"]),
        _words,
    ),
    max_size=7,
).map("_".join)


@given(st.builds(str.__add__, _name_like, st.sampled_from(["", *EXTENSIONS])))
@example("collection-1_id-2_z.nii.gz")
@example("z_desc-_1")
def test_name_like_text_survives_or_is_nobodys(text: str) -> None:
    name = parse_name(text)
    assert name is None or str(name) == text


@pytest.mark.slow
@given(st.text())
def test_any_text_survives_or_is_nobodys(text: str) -> None:
    name = parse_name(text)
    assert name is None or str(name) == text


_keys = st.sampled_from(["desc", "level", "corr", "method", "tail", "space", "x2"])
_labels = st.text(st.sampled_from("abMASS12-."), min_size=1, max_size=12)


@given(
    st.builds(
        MapName,
        value=st.sampled_from(VALUES),
        entities=st.lists(st.tuples(_keys, _labels), max_size=5).map(tuple),
        prefix=st.text(st.sampled_from("abz -.é"), max_size=9),
        suffix=st.sampled_from(["", "1", "42", "a1B2c3D"]),
        extension=st.sampled_from(["", *EXTENSIONS]),
        download=st.sampled_from(["", "collection-7_id-99"]),
    )
)
def test_built_names_parse_back_to_themselves(name: MapName) -> None:
    assert parse_name(str(name), from_server=True) == name


@pytest.mark.parametrize(
    ("stem", "dof"),
    [
        ("chi2_desc-association", 1),
        ("chi2_desc-uniformity", 1),
        ("pain_chi2_desc-specificity", 1),
        ("z_desc-association", None),
        ("chi2", None),
        ("chiSquare_group-a", None),
    ],
)
def test_mkda_tests_tables_of_2_by_2(stem: str, dof: float | None) -> None:
    name = parse_name(stem)
    assert name is not None
    assert name.dof == dof


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("z_desc-association", "p_desc-association", True),
        ("z", "z_desc-mass_level-cluster_corr-FWE_method-montecarlo", True),
        ("z_desc-association", "chi2_desc-association", True),
        (
            "z_desc-association",
            "logp_desc-associationMass_level-cluster_corr-FWE_method-montecarlo",
            True,
        ),
        ("z_corr-FDR_method-indep", "label_corr-FDR_method-indep_tail-positive", True),
        ("z_desc-association", "z_desc-uniformity", False),
        ("z_desc-group1", "z_desc-group1MinusGroup2", False),
        ("one_tstat1", "one_tfce_corrp_tstat1", True),
        ("one_vox_p_tstat2", "one_tfce_corrp_tstat2", True),
        ("one_tstat1", "one_tstat2", False),
        ("zstat1", "cluster_mask_zstat1", True),
        ("zstat1", "thresh_zstat1", True),
        ("zstat1", "zstat12", False),
        ("spmT_0001", "con_0001", True),
        ("spmT_0001", "spmT_0002", False),
        ("vox_tstat_c1", "vox_tstat_fwep_c1", True),
        ("vox_tstat_c1", "vox_tstat_c2", False),
        ("z_score", "logp_max_t", True),
        ("pain_association-test_z", "pain_association-test_z_FDR_0.01", True),
        ("pain_association-test_z", "pain_uniformity-test_z", False),
        ("pain_ALE", "pain_ALE_FWE05", True),
        ("pain_Z", "pain_p001_C05_1k_ALE", True),
        ("pain_Z", "fear_Z", False),
        ("TFCE_0001", "TFCE_log_pFWE_0001", True),
        ("logP_age", "logP_age_pFWE5_k20", True),
        ("logP_age", "logP_sex", False),
    ],
)
def test_names_tell_maps_of_one_test(one: str, other: str, same: bool) -> None:
    words = [words_of_test(stem, nimare_name_of(stem)) for stem in (one, other)]
    assert (words[0] == words[1]) is same


@pytest.mark.parametrize(
    ("label", "correction"),
    [
        *(("none", None), ("uncorrected", None), ("fwe", "FWE"), ("FWER", "FWE")),
        *(("fdr", "FDR"), ("FDR", "FDR"), ("TFCE", "TFCE")),
    ],
)
def test_a_correction_is_called_as_the_field_does(
    label: str, correction: str | None
) -> None:
    name = parse_name(f"z_corr-{label}.nii.gz")
    assert name is not None
    assert name.correction == correction
    assert str(name) == f"z_corr-{label}.nii.gz"
