"""Studysets and annotations: which analyses count, and where their foci are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results import ResultsError
from napari_neurosynth_results.anatomy.coordinates import MNI_TO_TAL, tal_to_mni
from napari_neurosynth_results.sources.studies import nimads
from napari_neurosynth_results.sources.studies.nimads import (
    parse_studies,
    unwrap_snapshot,
)


def studyset(points: list[Any]) -> dict[str, Any]:
    analyses = [{"id": f"a{n}", "name": f"c {n}", "points": points} for n in range(3)]
    return {"id": "s", "studies": [{"id": "1", "name": "A b", "analyses": analyses}]}


def annotation(*values: Any) -> dict[str, Any]:
    notes = [{"analysis": f"a{n}", "note": {"c": v}} for n, v in enumerate(values)]
    return {"notes": notes}


def groups(specification: dict[str, Any], *values: Any) -> list[int]:
    studies = parse_studies(studyset([]), annotation(*values), specification)
    return [analysis.group for analysis in studies.studies[0].analyses]


@pytest.mark.parametrize(
    ("specification", "values", "wanted"),
    [
        ({"filter": "c"}, (True, False, None), [1, 0, 0]),
        ({"filter": "c", "conditions": ["true"]}, (True, False, None), [1, 0, 0]),
        (
            {"filter": "c", "conditions": [True, False], "weights": [1, -1]},
            (True, False, None),
            [1, 2, 2],
        ),
        (
            {"filter": "c", "conditions": ["x", "y"], "weights": [1.0, -1.0]},
            ("y", "x", "z"),
            [2, 1, 0],
        ),
        (
            {"filter": "c", "conditions": ["x"], "weights": [1]},
            ("x", "y", 1),
            [1, 0, 0],
        ),
        (
            {"filter": "c", "conditions": ["x", "y"], "weights": [1, 0]},
            ("y", "x", "z"),
            [0, 1, 0],
        ),
        ({"filter": "c"}, (True,), [1, 0, 0]),
        ({}, (False, False, False), [1, 1, 1]),
    ],
)
def test_which_analyses_count(
    specification: dict[str, Any], values: tuple[Any, ...], wanted: list[int]
) -> None:
    assert groups(specification, *values) == wanted


def test_merged_experiments_are_named_as_nimare_names_its_rows() -> None:
    studies = parse_studies(
        studyset([]), annotation(True, True, False), {"filter": "c"}
    )
    assert studies.studies[0].experiments == {1: "A_b-c_0;_c_1"}
    both = {"filter": "c", "conditions": ["x", "y"], "weights": [1, -1]}
    studies = parse_studies(studyset([]), annotation("x", "y", "x"), both)
    assert studies.studies[0].experiments == {1: "A_b-c_0;_c_2", 2: "A_b-c_1"}


def test_the_declared_type_of_a_column_counts() -> None:
    note = annotation(True, "", None)
    for keys in ({"c": "boolean"}, {"c": {"type": "boolean"}}):
        specification = {"filter": "c", "conditions": ["true"], "weights": [1.0]}
        studies = parse_studies(
            studyset([]), {**note, "note_keys": keys}, specification
        )
        assert [a.group for a in studies.studies[0].analyses] == [1, 0, 0]


def test_unused_foci_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nimads, "_MOST_FOCI", 10)
    points = [{"coordinates": [1, 2, 3], "space": "MNI"}] * 6
    several = studyset(points)
    several["studies"] *= 5
    studies = parse_studies(several, annotation(False), {"filter": "c"})
    assert len(studies) == 1
    assert any("Only the first 10 foci" in notice for notice in studies.notices)


def test_foci_are_moved_flagged_and_counted() -> None:
    points = [
        {"coordinates": [10, 20, 30], "space": "MNI", "values": []},
        {"coordinates": [10, 20, 30], "space": "Talairach"},
        {"coordinates": [10, 20, 30], "space": None, "values": [{"kind": "T"}]},
        {"coordinates": [10, None, 30], "space": "MNI"},
        {"coordinates": [10, 20], "space": "MNI"},
        {"coordinates": None},
        None,
    ]
    studies = parse_studies(studyset(points), annotation(True), {"filter": "c"})
    foci = studies.studies[0].analyses[0].foci
    assert [focus.converted for focus in foci] == [False, True, False]
    assert [focus.space for focus in foci] == ["MNI", "Talairach", ""]
    told = "\n".join(studies.notices)
    assert "4 foci without coordinates" in told
    assert "1 focus with no known space" in told
    assert len(studies.foci) == 3
    assert list(studies.foci.loc[0, ["x", "y", "z"]]) == [10, 20, 30]


@given(st.tuples(*[st.floats(-90, 90)] * 3))
def test_talairach_is_the_inverse_of_lancasters_matrix(
    where: tuple[float, float, float],
) -> None:
    back = MNI_TO_TAL @ (*tal_to_mni(where), 1.0)
    np.testing.assert_allclose(back[:3], where, atol=1e-9)


def test_wrappers_are_taken_off() -> None:
    inner = {"studies": []}
    assert unwrap_snapshot({"id": "x", "snapshot": {"snapshot": inner}}) is inner
    assert unwrap_snapshot({"cached": {"snapshot": inner}}) is inner
    assert unwrap_snapshot(None) is None


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "studies",
                        "analyses",
                        "points",
                        "coordinates",
                        "space",
                        "values",
                    ),
                    *(
                        "value",
                        "kind",
                        "id",
                        "name",
                        "year",
                        "notes",
                        "note",
                        "analysis",
                    ),
                    *("filter", "conditions", "weights", "snapshot"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@pytest.mark.slow
@given(_ANY, _ANY, st.dictionaries(st.sampled_from(["filter", "conditions"]), _ANY))
def test_any_document_is_read_or_refused(
    studies: Any, note: Any, specification: dict[str, Any]
) -> None:
    try:
        parsed = parse_studies(studies, note, specification)
    except ResultsError:
        return
    assert len(parsed.foci.columns) == 16
