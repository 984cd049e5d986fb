"""Names of other programs say kind, tail and correction: each row holds."""

from __future__ import annotations

import runpy

import pytest

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.programs import (
    NameRow,
    Reading,
    name_rows,
    reading_of,
    stated_reading,
)

OTHERS = [row for row in name_rows() if row.pattern]


#: Names that are whole as they are have nothing before them.
CASES = [
    pytest.param(row, prefix, id=f"{prefix}{row.program}: {row.example}")
    for row in OTHERS
    for prefix in ("", "study_")
    if not (prefix and row.pattern.startswith(("^", "(?i)^((brain")))
]


@pytest.mark.parametrize(("row", "prefix"), CASES)
def test_each_row_holds(row: NameRow, prefix: str) -> None:
    told = reading_of(f"{prefix}{row.example}.nii.gz")
    assert told.program == row.program
    assert str(told.kind) == (row.kind or "other")
    assert told.tail is row.tail
    assert (told.correction or "", told.level or "") == (row.correction, row.level)
    assert (told.cut, told.note, told.name) == (row.cut, row.note, None)


@pytest.mark.parametrize("row", [row for row in name_rows() if not row.pattern])
def test_examples_of_nimare_are_nimares(row: NameRow) -> None:
    assert row.program == "NiMARE"
    name = reading_of(f"{row.example}.nii.gz").name
    assert name is not None
    assert name.stem == row.example


@pytest.mark.parametrize(
    ("stem", "kind", "tail", "correction"),
    [
        ("T_log_p_0001", "signed logp", Tail.ONE, "none"),
        ("T_log_pFWE_0001", "signed logp", Tail.ONE, "FWE"),
        ("randomise_vox_p_tstat1", "1-p", Tail.ONE, "none"),
        ("one_vox_p_tstat10", "1-p", Tail.ONE, "none"),
        ("one_tfce_corrp_tstat1", "1-p", Tail.ONE, "FWE"),
        ("randomise_tfce_tstat1", "other", None, None),
        ("cluster_mask_zfstat2", "label", None, None),
        ("zfstat1", "z", Tail.ONE, "none"),
        ("dacc_association-test_z_FDR_0.01", "z", Tail.TWO, "none"),
        ("x.nii.gz_specificity_z_FDR_0.01", "z", Tail.TWO, "none"),
        ("ZStatistic", "z", None, "none"),
        ("spmTerror", "other", None, None),
        ("corrplot", "other", None, None),
        ("SPMT_0012", "t", None, "none"),
    ],
)
def test_names_that_were_read_wrongly(
    stem: str, kind: str, tail: Tail | None, correction: str | None
) -> None:
    told = reading_of(f"{stem}.nii.gz")
    assert (str(told.kind), told.tail, told.correction) == (kind, tail, correction)


def test_what_a_user_says() -> None:
    old = reading_of("pain_p.nii.gz")
    assert stated_reading("z", old).name is None
    assert stated_reading("p", old).name is old.name
    told = stated_reading("Signed logp, two-tailed FDR", old)
    assert (told.kind, told.tail) == (MapKind.SIGNED_LOGP, Tail.TWO)
    assert (told.correction, told.level, told.word) == ("FDR", "voxel", "user")
    assert stated_reading("t uncorrected", old).correction == "none"


@pytest.mark.parametrize("text", ["", "zz", "z threetailed", "tailed"])
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ResultsError, match=r"There are|there may stand"):
        stated_reading(text, Reading(MapKind.OTHER))


def test_the_page_of_kinds_is_up_to_date(pytestconfig: pytest.Config) -> None:
    script = pytestconfig.rootpath / "scripts" / "write_kinds_page.py"
    written = runpy.run_path(str(script))
    again = "python scripts/write_kinds_page.py"
    assert written["PAGE"].read_text(encoding="utf-8") == written["page"](), again
