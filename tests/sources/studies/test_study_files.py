"""Files of studies as programs write them, and as they are broken."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results import ResultsError
from napari_neurosynth_results.anatomy.coordinates import tal_to_mni
from napari_neurosynth_results.sources.studies import study_files
from napari_neurosynth_results.sources.studies.nimare_dataset import parse_dataset
from napari_neurosynth_results.sources.studies.sleuth import parse_sleuth
from napari_neurosynth_results.sources.studies.study_fields import read_sample_size
from napari_neurosynth_results.sources.studies.study_files import (
    annotation_columns,
    open_studies,
)

SLEUTH = """// Reference=MNI
// Doe et al., 2005: warm > cold
// Doe et al., 2005: hot > cold
// Subjects=12
-42\t18\t6
10  -20  30

//Roe, 1999; pain
//Subjects=8
 1.5 2 -3

// Doe et al., 2005: placebo
// Subjects=14
0 0 0
"""


def point(*where: Any, space: Any = "MNI") -> dict[str, Any]:
    return {"coordinates": list(where), "space": space, "values": []}


def studyset(**more: Any) -> dict[str, Any]:
    """Build a studyset as NiMARE writes it: every analysis of every study is "1"."""
    return {
        "id": "s",
        "name": "",
        "studies": [
            {
                "id": name,
                "name": name,
                "authors": "A B",
                "year": 2011,
                "metadata": {"sample_size": 50},
                "analyses": [
                    {
                        "id": "1",
                        "name": "1",
                        "metadata": {"sample_sizes": sizes},
                        "points": [point(10, 20, 30), point(-1, -2, -3, space="TAL")],
                    }
                ],
            }
            for name, sizes in (("pain_01", [25]), ("pain_02", [20, 25]), ("p3", None))
        ],
        **more,
    }


def notes(**values: Any) -> dict[str, Any]:
    listed = [
        {"study": study, "analysis": "1", "note": {"included": value}}
        for study, value in values.items()
    ]
    return {"id": "a", "note_keys": {"included": "boolean"}, "notes": listed}


def dataset(**more: Any) -> dict[str, Any]:
    coords = {"space": "MNI", "x": [48.0, -4.0], "y": [-38.0, 2.0], "z": [-24.0, 8.0]}
    about = {"authors": "A B", "journal": "J", "title": "Heat", "year": 2006}
    first = {"coords": {**coords, **more}, "metadata": {"sample_sizes": [25]}}
    second = {"coords": {"space": "TAL", "x": [1], "y": [2], "z": [3]}, "labels": {}}
    return {
        "pain_01.nidm": {"contrasts": {"1": first}},
        "17029760": {"contrasts": {"1": second, "2": {}}, "metadata": about},
    }


def write(path: Path, content: Any) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return path


def test_a_nimads_studyset(tmp_path: Path) -> None:
    studies = open_studies(write(tmp_path / "some.json", studyset()))
    foci = studies.foci
    assert studies.name == "some"
    assert len(studies) == 3
    assert list(foci.groupby("study", sort=False).size()) == [2, 2, 2]
    assert list(foci.loc[0, ["x", "y", "z"]]) == [10, 20, 30]
    assert tuple(foci.loc[1, ["x", "y", "z"]]) == tal_to_mni((-1, -2, -3))
    assert list(foci["participants"][::2]) == [25, 23, 50]
    assert list(foci["year"]) == [2011] * 6
    assert studies.notices == ()


def test_a_studyset_in_the_wrappers_of_compose(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", {"id": "q", "snapshot": {"snapshot": studyset()}})
    assert len(open_studies(path).foci) == 6


@pytest.mark.parametrize("place", ["inside", "annotation", "my_annotation", "given"])
def test_an_annotation_can_choose(tmp_path: Path, place: str) -> None:
    note = notes(pain_01=True, pain_02=False)
    more = {"annotations": [note]} if place == "inside" else {}
    path = write(tmp_path / "my_studyset.json", studyset(**more))
    given = None
    if place != "inside":
        given = write(tmp_path / f"{place}.json", note)
    given = given if place == "given" else None
    chosen = open_studies(path, annotation=given, include="included")
    # Study p3 has no note, and the analyses of all three have the same id.
    assert [study.id for study in chosen.included] == ["pain_01"]
    assert len(chosen) == 3
    assert chosen.notices == ()
    everything = open_studies(path, annotation=given)
    assert len(everything.foci) == 6
    (told,) = everything.notices
    assert "included" in told
    assert annotation_columns(path) == (() if place == "given" else ("included",))
    with pytest.raises(ResultsError, match="the columns included"):
        open_studies(path, annotation=given, include="nonsense")


def test_a_broken_annotation_beside_is_told_and_a_given_one_refused(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "my_studyset.json", studyset())
    beside = write(tmp_path / "annotation.json", "{")
    assert any("annotation.json" in told for told in open_studies(path).notices)
    with pytest.raises(ResultsError, match=r"annotation\.json is broken JSON"):
        open_studies(path, annotation=beside)
    beside.unlink()
    with pytest.raises(ResultsError, match="there is no annotation"):
        open_studies(path, include="included")


def test_a_nimare_dataset(tmp_path: Path) -> None:
    path = write(tmp_path / "dset.json", dataset(t_stat=[4.5, None]))
    studies = open_studies(path)
    foci = studies.foci
    assert list(foci["study"]) == ["pain_01.nidm", "pain_01.nidm", "Heat"]
    assert list(foci.loc[0, ["x", "y", "z"]]) == [48, -38, -24]
    assert list(foci["converted"]) == [False, False, True]
    assert list(foci["statistic"]) == ["T", "", ""]
    assert foci["value"][0] == 4.5
    assert foci["value"].isna().tolist() == [False, True, True]
    assert foci["participants"].isna().tolist() == [False, False, True]
    assert foci["year"].isna().tolist() == [True, True, False]
    heat = studies.studies[1]
    assert (heat.authors, heat.publication, heat.year) == ("A B", "J", 2006)
    assert studies.notices == ()


def test_uneven_lists_of_a_dataset_lose_only_what_is_missing() -> None:
    studies = parse_dataset(dataset(x=[1, 2, 3], y=[1, 2], z=[1, 2, 3]))
    assert len(studies.foci) == 3
    told = "\n".join(studies.notices)
    assert "1 contrasts list different numbers" in told
    assert "1 focus without coordinates" in told


def test_a_contrast_without_foci_is_no_fault() -> None:
    """NiMARE writes one missing place for it."""
    studies = parse_dataset(dataset(x=[None], y=[None], z=[None]))
    assert len(studies.foci) == 1
    assert studies.notices == ()


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_sleuth_text(tmp_path: Path, ending: str) -> None:
    data = SLEUTH.replace("\n", ending).encode()
    studies = open_studies(write(tmp_path / "ale.txt", data))
    assert [study.name for study in studies] == ["Doe et al., 2005", "Roe, 1999"]
    doe, roe = studies.studies
    assert [a.name for a in doe.analyses] == ["warm > cold; hot > cold", "placebo"]
    assert [a.participants for a in doe.analyses] == [12, 14]
    assert (roe.year, roe.analyses[0].name) == (1999, "pain")
    assert list(studies.foci["x"]) == [-42, 10, 0, 1.5]
    assert studies.notices == ()


def test_talairach_of_a_sleuth_text_is_moved() -> None:
    studies = parse_sleuth(SLEUTH.replace("MNI", "Talairach"))
    assert studies.foci["converted"].all()
    assert tuple(studies.foci.loc[0, ["x", "y", "z"]]) == tal_to_mni((-42, 18, 6))


def test_what_a_sleuth_text_lacks_is_told() -> None:
    text = SLEUTH.replace("MNI", "Dog").replace("//Subjects=8", "")
    text = text.replace("0 0 0", "0 0 0\n1 2\n1 2 dog\n1 2 nan")
    studies = parse_sleuth(text)
    assert len(studies.foci) == 4
    told = "\n".join(studies.notices)
    assert "line 15 and 1 more" in told
    assert "Without a sample size: 1 experiment" in told
    assert "4 foci with no known space" in told
    assert "1 focus without coordinates" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (pickle.dumps({"studies": []}), "pickle.*to_nimads"),
        (gzip.compress(b"{}", mtime=0), "pickle.*to_nimads"),
        (b"PK\x03\x04", "zip"),
        (b"PAR1", "from_parquet"),
        ({"format": "nimare-studyset-parquet", "tables": {}}, "from_parquet"),
        (notes(pain_01=True), "is an annotation"),
        ({"a": 1}, "no studies that are known"),
        ([1, 2], "no studies that are known"),
        ({"studies": []}, "no study"),
        ("x,y,z\n1,2,3", "no studies that are known"),
        ("", "no studies that are known"),
        ("{" + '"a":' * 5, "broken JSON"),
        ("[" * 200_000, "nested too deeply"),
        ('{"studies": [' + "9" * 5000 + "]}", "broken JSON"),
    ],
)
def test_what_is_something_else_is_refused(
    tmp_path: Path, content: Any, told: str
) -> None:
    path = write(tmp_path / "it.json", content)
    with pytest.raises(ResultsError, match=f"(?s)it.json.*{told}"):
        open_studies(path)


def test_what_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ResultsError, match="does not exist"):
        open_studies(tmp_path / "none.json")
    with pytest.raises(ResultsError, match="is a folder"):
        open_studies(tmp_path)
    monkeypatch.setattr(study_files, "MOST_MIB", 0)
    with pytest.raises(ResultsError, match="larger than"):
        open_studies(write(tmp_path / "a.json", studyset()))


def test_choosing_analyses_of_what_has_no_annotation_is_refused(tmp_path: Path) -> None:
    for content in (SLEUTH, dataset()):
        with pytest.raises(ResultsError, match="no annotation to choose"):
            open_studies(write(tmp_path / "a.json", content), include="included")


def test_broken_letters_are_told(tmp_path: Path) -> None:
    text = SLEUTH.replace("Roe", "R\u00f6e")
    studies = open_studies(write(tmp_path / "a.txt", text.encode("latin-1")))
    assert len(studies.foci) == 4
    assert "not UTF-8" in studies.notices[0]
    for coding in ("utf-8-sig", "utf-16"):
        studies = open_studies(write(tmp_path / "a.txt", text.encode(coding)))
        assert studies.studies[1].name == "R\u00f6e, 1999"
        assert studies.notices == ()


def test_half_a_character_does_not_reach_the_window(tmp_path: Path) -> None:
    text = json.dumps(studyset()).replace("pain_01", "pain\\ud800")
    (first, *_) = open_studies(write(tmp_path / "a.json", text))
    assert first.name == "pain?"


def test_columns_have_their_types_even_when_empty(tmp_path: Path) -> None:
    full = open_studies(write(tmp_path / "a.json", studyset())).foci
    bare = studyset()
    for study in bare["studies"]:
        study["analyses"] = []
    empty = open_studies(write(tmp_path / "b.json", bare)).foci
    assert list(full.columns)[-1] == "participants"
    assert list(full.dtypes) == list(empty.dtypes)
    assert str(full["participants"].dtype) == str(full["year"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        (({"sample_sizes": [10, 20]},), 15),
        (({"sample_sizes": [10, 11]},), 11),
        (({"sample_sizes": ["12"]},), 12),
        (({"sample_sizes": [10, None], "sample_size": 9},), 9),
        (({"sample_size": 9}, {"sample_sizes": [5]}), 9),
        ((None, {"sample_size": "33"}), 33),
        (({"sample_sizes": 12},), None),
        (({"sample_size": True},), None),
        (({"sample_size": 0},), None),
        (({"sample_size": float("nan")},), None),
        (({"sample_size": 10**400},), None),
        ((), None),
    ],
)
def test_sample_sizes(metadata: tuple[Any, ...], wanted: int | None) -> None:
    assert read_sample_size(*metadata) == wanted


_KEYS = ["studies", "analyses", "points", "coordinates", "space", "contrasts", "coords"]
_KEYS += ["metadata", "sample_sizes", "x", "y", "z", "year", "annotations", "notes"]
_KEYS += ["note", "snapshot", "id", "name", "values", "value"]
_LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_ANY = st.recursive(
    _LEAF,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6)
    ),
    max_leaves=30,
)


@given(document=_ANY, include=st.none() | st.sampled_from(_KEYS))
def test_any_json_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, document: Any, include: str | None
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "any.json", document)
    _read_or_refused(path, include)


@given(data=st.binary(max_size=200), head=st.sampled_from([b"", b"//", b"{", b"["]))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes
) -> None:
    _read_or_refused(write(tmp_path_factory.getbasetemp() / "bytes", head + data), None)


@given(text=st.text(alphabet="/ Subjects=Reference:MNITAL0123.-e\t\n;", max_size=200))
def test_any_text_of_experiments_is_read(text: str) -> None:
    foci = parse_sleuth("//" + text).foci
    assert foci[["x", "y", "z"]].notna().all(axis=None)


def _read_or_refused(path: Path, include: str | None) -> None:
    annotation_columns(path)
    try:
        studies = open_studies(path, include=include)
    except ResultsError:
        return
    assert studies.foci[["x", "y", "z"]].notna().all(axis=None)


def test_a_sleuth_text_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("// Reference=MNI\n// Doe, 2005\n" + "1 1 1\n" * 1_000_001)
    with pytest.raises(ResultsError, match="more than 1,000,000 lines"):
        open_studies(path)
