"""The kind of a map is told by the surest evidence: names first, then the intent."""

from __future__ import annotations

import pytest

from napari_neurosynth_results.maps.kinds import VALUE_KINDS, MapKind, Tail, kind_of

Z, T, F = MapKind.Z, MapKind.T, MapKind.F
FOREIGN = {
    "spmT_0001": T,
    "spmT": T,
    "SPMT_0012": T,
    "spmF_0002": F,
    "zstat1": Z,
    "thresh_zstat12": Z,
    "cluster_mask_zstat1": Z,
    "zfstat1": Z,
    "tstat1": T,
    "randomise_tstat2": T,
    "fstat1": F,
    "randomise_tfce_corrp_tstat1": MapKind.ONE_MINUS_P,
    "randomise_vox_corrp_fstat1": MapKind.ONE_MINUS_P,
    "con_0001": MapKind.OTHER,
    "beta_0001": MapKind.OTHER,
    "spmTerror": MapKind.OTHER,
    "corrplot": MapKind.OTHER,
}
#: NIfTI-1 intent codes, as nibabel names them.
INTENTS = {
    "t test": T,
    "f test": F,
    "z score": Z,
    "chi2": MapKind.CHI2,
    "p value": MapKind.P,
    "log10 p value": MapKind.LOGP,
    "label": MapKind.LABEL,
    "none": MapKind.OTHER,
    "correlation": MapKind.OTHER,
    "vector": MapKind.OTHER,
}


@pytest.mark.parametrize("stem", FOREIGN)
def test_names_of_spm_and_fsl(stem: str) -> None:
    assert kind_of(None, stem) is FOREIGN[stem]


@pytest.mark.parametrize("intent", INTENTS)
def test_intents(intent: str) -> None:
    from nibabel.nifti1 import intent_codes

    assert kind_of(None, "anything", intent_codes.code[intent]) is INTENTS[intent]


@pytest.mark.parametrize("value", VALUE_KINDS)
def test_nimares_name_wins_over_the_intent(value: str) -> None:
    assert kind_of(value, f"zstat1_{value}", intent_code=22) is VALUE_KINDS[value]


def test_a_name_wins_over_the_intent() -> None:
    assert kind_of(None, "spmT_0001", intent_code=5) is T


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("z", Z),
        ("logp", MapKind.LOGP),
        ("chi2", MapKind.CHI2),
        ("chiSquare", MapKind.CHI2),
        ("ale", MapKind.STAT),
        ("of", MapKind.STAT),
        ("prob", MapKind.PROB),
        ("spatialIntensity", MapKind.OTHER),
    ],
)
def test_values(value: str, kind: MapKind) -> None:
    assert VALUE_KINDS[value] is kind


def test_a_probability_is_no_p_value() -> None:
    assert not MapKind.PROB.has_tail
    assert "not a p value" in MapKind.PROB.meaning


@pytest.mark.parametrize("kind", MapKind)
def test_every_kind_has_a_meaning(kind: MapKind) -> None:
    assert kind.meaning
    assert kind.meaning == kind.meaning.strip()
    assert str(kind) == kind.value


def test_which_kinds_have_a_tail() -> None:
    assert {kind for kind in MapKind if kind.has_tail} == {
        *(Z, T, MapKind.P, MapKind.LOGP, MapKind.ONE_MINUS_P)
    }


def test_which_kinds_may_be_infinite_or_interpolated() -> None:
    strongest = {kind for kind in MapKind if kind.infinity_is_strongest}
    assert strongest == {Z, T, F, MapKind.LOGP, MapKind.CHI2}
    stepped = {kind for kind in MapKind if not kind.may_interpolate}
    assert stepped == {MapKind.LABEL, MapKind.P}


def test_tails_read_as_in_a_sentence() -> None:
    assert [str(tail) for tail in Tail] == ["one-tailed", "two-tailed", "no tail"]
