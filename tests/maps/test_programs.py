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
    statement,
)

OTHERS = [row for row in name_rows() if row.pattern]


#: Names that are whole as they are have nothing before them.
CASES = [
    pytest.param(row, prefix, id=f"{prefix}{row.program}: {row.example}")
    for row in OTHERS
    for prefix in ("", "study_")
    if not (prefix and row.pattern.startswith(("^", "(?i)^((brain")))
]


@pytest.mark.slow
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


@pytest.mark.parametrize("text", ["", "zz", "z threetailed", "tailed", "t df=x"])
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ResultsError, match=r"There are|there may stand"):
        stated_reading(text, Reading(MapKind.OTHER))


@pytest.mark.parametrize(
    ("text", "dof"),
    [
        *(("t df=18", 18.0), ("t two-tailed, dof = 17.5; FWE", 17.5)),
        *(("F df=2,30", (2.0, 30.0)), ("df=2/30.5 F", (2.0, 30.5))),
        ("chi2 DF=1", 1.0),
    ],
)
def test_degrees_of_freedom_are_said(text: str, dof: object) -> None:
    assert stated_reading(text, Reading(MapKind.OTHER)).dof == dof


@pytest.mark.parametrize("text", ["z df=18", "t df=2,30", "F df=18", "t df=0"])
def test_degrees_of_freedom_have_to_fit_the_kind(text: str) -> None:
    with pytest.raises(ResultsError, match=r"df=.*(has no|takes)"):
        stated_reading(text, Reading(MapKind.OTHER))


def test_what_is_not_said_stays_known() -> None:
    palm = reading_of("vox_tstat_fwep_c1")
    told = stated_reading("1-p", palm)
    assert (told.correction, told.level, told.note) == ("FWE", "voxel", "")
    assert stated_reading("1-p uncorrected", palm).correction == "none"
    cut = reading_of("spmT_0001_p001")
    assert stated_reading("t df=18", cut).cut == cut.cut
    whole = stated_reading("t whole", cut)
    assert (whole.cut, whole.whole) == ("", True)
    assert stated_reading("t thresholded", reading_of("spmT_0001")).cut
    # Of another kind, but corrected still; and an effect has neither.
    mass = reading_of("logp_desc-mass_level-cluster_corr-FWE_method-montecarlo")
    told = stated_reading("z", mass)
    assert (told.name, told.correction, told.level) == (None, "FWE", "cluster")
    assert stated_reading("logp", mass).name is mass.name
    assert stated_reading("est", palm).correction is None
    assert stated_reading("logp FWE cluster-level", palm).level == "cluster"


@pytest.mark.parametrize("kind", list(MapKind))
@pytest.mark.parametrize("tail", [None, *(Tail.ONE, Tail.TWO)])
@pytest.mark.parametrize("correction", [None, "none", "FWE", "FDR"])
@pytest.mark.parametrize("thresholded", [None, True, False])
def test_what_is_written_is_read_back(
    kind: MapKind, tail: Tail | None, correction: str | None, thresholded: bool | None
) -> None:
    dof = {1: 18.5, 2: (2.0, 30.0)}.get(kind.row.p.n_dof)
    text = statement(
        kind,
        tail=tail,
        dof=dof,
        correction=correction,
        level="cluster",
        thresholded=thresholded,
    )
    told = stated_reading(text, Reading(MapKind.OTHER))
    assert (told.kind, told.dof, told.correction) == (kind, dof, correction)
    assert told.tail == (tail if kind.has_tail else None)
    assert told.level == ("cluster" if correction in ("FWE", "FDR") else None)
    assert (bool(told.cut), told.whole) == (thresholded is True, thresholded is False)


def test_the_page_of_kinds_is_up_to_date(pytestconfig: pytest.Config) -> None:
    script = pytestconfig.rootpath / "scripts" / "write_kinds_page.py"
    written = runpy.run_path(str(script))
    again = "python scripts/write_kinds_page.py"
    assert written["PAGE"].read_text(encoding="utf-8") == written["page"](), again
