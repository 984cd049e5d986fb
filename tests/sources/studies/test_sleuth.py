"""Where experiments of a Sleuth text end, what they found, and in which space."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_neurosynth_results.anatomy.coordinates import tal_to_mni
from napari_neurosynth_results.sources.studies.nimads import parse_studies
from napari_neurosynth_results.sources.studies.nimare_dataset import parse_dataset
from napari_neurosynth_results.sources.studies.sleuth import parse_sleuth
from napari_neurosynth_results.sources.studies.study_files import open_studies

DOE, ROE = "// Doe J, 2005: pain > rest\n", "// Roe A, 2006: heat > warm\n"
TWELVE, TWENTY = "// Subjects=12\n", "// Subjects=20\n"
FOCI = "-32 -28 8\n-32 -20 8\n"
MNI = "// Reference=MNI\n"


def listed(text: str) -> list[tuple[str, int | None, int]]:
    return [
        (study.name.split(",")[0], analysis.participants, len(analysis.foci))
        for study in parse_sleuth(text)
        for analysis in study.analyses
    ]


@pytest.mark.parametrize(
    "text",
    [
        MNI + DOE + TWELVE + "\n" + ROE + TWENTY + FOCI,
        MNI + DOE + TWELVE + ROE + TWENTY + FOCI,
        MNI + TWELVE + DOE + TWENTY + ROE + FOCI,
        MNI + "\n\n" + DOE + "\n" + TWELVE + "\n \t\n" + ROE + "\n" + TWENTY + FOCI,
        MNI + DOE + TWELVE + "\n" + ROE + TWENTY + "\n" + FOCI,
        MNI + DOE + TWELVE + "\n" + ROE + TWENTY + "-32 -28 8\n\n-32 -20 8\n",
        MNI + "// Foci of pain, by us\n\n" + DOE + TWELVE + ROE + TWENTY + FOCI,
        MNI + DOE + TWELVE + ROE + TWENTY + "// table 2\n" + FOCI,
        MNI + DOE + TWELVE + ROE + TWENTY + "-32 -28 8\n// table 3\n-32 -20 8\n",
        MNI + DOE + TWELVE + ROE + TWENTY + FOCI.replace("\n", " // insula\n"),
        MNI + DOE + TWELVE + "// nothing\n\n" + ROE + TWENTY + FOCI,
    ],
)
def test_an_experiment_that_found_nothing_is_listed(text: str) -> None:
    assert listed(text) == [("Doe J", 12, 0), ("Roe A", 20, 2)]
    told = "\n".join(parse_sleuth(text).notices)
    assert "1 experiment has no foci and is listed without any." in told
    assert "NiMARE's reader gives such a header to the foci that come next" in told


def test_nothing_may_be_found_last_or_by_all() -> None:
    text = MNI + ROE + TWENTY + FOCI + DOE + TWELVE
    assert listed(text) == [("Roe A", 20, 2), ("Doe J", 12, 0)]
    assert "NiMARE" not in "".join(parse_sleuth(text).notices)
    assert listed(MNI + DOE + TWELVE + "\n" + ROE + TWENTY) == [
        ("Doe J", 12, 0),
        ("Roe A", 20, 0),
    ]


def test_without_subjects_papers_are_told_apart_too() -> None:
    assert listed(MNI + DOE + "\n" + ROE + TWENTY + FOCI) == [
        ("Doe J", None, 0),
        ("Roe A", 20, 2),
    ]
    assert listed(MNI + DOE + TWELVE + ROE + FOCI) == [
        ("Doe J", 12, 0),
        ("Roe A", None, 2),
    ]


def test_papers_on_the_same_people_share_a_header() -> None:
    studies = parse_sleuth(MNI + DOE + ROE + TWENTY + FOCI)
    (study,) = studies
    assert study.analyses[0].name == "pain > rest; Roe A, 2006: heat > warm"
    assert studies.notices == ()


def test_comments_are_told() -> None:
    text = MNI + "// Foci of pain, by us\n\n" + DOE + TWELVE + FOCI + "// b\n0 0 0\n"
    studies = parse_sleuth(text)
    assert len(studies.foci) == 3
    assert studies.notices == ("Taken for a comment: line 2 and 1 more.",)


@pytest.mark.parametrize("people", ["12", " 12 ", "12 (6 women)", "12,", "12.0"])
@pytest.mark.parametrize("word", ["Subjects=", "subjects :", "Participants = ", "N="])
def test_people_are_counted(word: str, people: str) -> None:
    assert listed(f"{MNI}{DOE}// {word}{people}\n0 0 0") == [("Doe J", 12, 1)]


TALAIRACH = [
    *["TAL", "Talairach", "TALAIRACH", "tal", "TLRC", "tlrc", "Talairach space"],
    *["Talairach & Tournoux", "talairach_space", "TT_N27", "Talairach (1988)"],
]
SPELLED_MNI = ["mni", "MNI152", "MNI 152", "MNI space", "mni152_2mm", "ale_2mm"]
SPELLED_MNI += ["ICBM 152", "MNI152NLin2009cAsym", "Montreal Neurological Institute"]
UNKNOWN = ["Dog", "", "MNI305", "UNKNOWN", "Talairach from MNI", "total", "Tally"]


@pytest.mark.parametrize("space", [*TALAIRACH, *SPELLED_MNI, *UNKNOWN])
def test_spellings_of_spaces(space: str) -> None:
    """Every format knows the same names, and says of NiMARE only what is true."""
    analysis = {"id": "1", "points": [{"coordinates": [40, 20, 50], "space": space}]}
    studyset = {"studies": [{"id": "s", "name": "s", "analyses": [analysis]}]}
    coords = {"space": space, "x": [40], "y": [20], "z": [50]}
    text = f"// Reference = {space}\n{DOE}{TWELVE}40 20 50\n"
    for is_text, studies in (
        (True, parse_sleuth(text)),
        (False, parse_studies(studyset, None, None)),
        (False, parse_dataset({"s": {"contrasts": {"1": {"coords": coords}}}})),
    ):
        (place,) = studies.foci[["x", "y", "z"]].itertuples(index=False)
        moved = space in TALAIRACH
        assert tuple(place) == (tal_to_mni((40, 20, 50)) if moved else (40, 20, 50))
        told = "".join(studies.notices)
        assert ("no known space" in told) == (space in UNKNOWN)
        if space in UNKNOWN:
            assert ("NiMARE refuses such a file" in told) == is_text
            assert ("NiMARE uses such foci as they stand" in told) == (not is_text)
            assert f'"{space}"' in told or not space
            assert ("GingerALE takes it" in told) == (is_text and not space)
        elif moved and space not in ("TAL", "Talairach") and not is_text:
            assert "may have used these as they stand" in told
        else:
            assert told == ""


def test_a_text_that_changes_its_space() -> None:
    text = MNI + DOE + TWELVE + "1 2 3\n// Reference=Talairach\n" + ROE + TWENTY
    studies = parse_sleuth(text + "1 2 3\n")
    assert list(studies.foci["converted"]) == [False, True]
    assert studies.notices == (
        "Another Reference, which counts from there on (NiMARE goes by the first): "
        "line 5.",
    )


def test_the_minus_of_old_windows(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes((MNI + DOE + TWELVE + "\u201342 18 6\n").encode("cp1252"))
    studies = open_studies(path)
    assert list(studies.foci["x"]) == [-42]
    assert "Windows-1252" in studies.notices[0]
