"""What has to be known to read a comparison: whether two maps are two findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results import compare_many, compare_maps
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.maps.studies import (
    Analysis,
    LazyStudies,
    Studies,
    Study,
)
from napari_neurosynth_results.statistics.comparison.notices import shared_studies

Opened = Callable[..., ResultSet]
Inside = npt.NDArray[np.bool_]


def studyset(names: Sequence[str], **facts: Sequence[str]) -> str:
    """Write a studyset of studies with a focus each, and facts about each."""
    point = {"space": "MNI", "coordinates": [0, 0, 0]}
    studies = [
        {
            "id": str(number),
            "name": name,
            "analyses": [{"id": "1", "name": "a", "points": [point]}],
            **{key: values[number] for key, values in facts.items()},
        }
        for number, name in enumerate(names)
    ]
    return json.dumps({"id": "set", "name": "", "studies": studies})


@pytest.fixture
def result(opened: Opened, inside: Inside) -> Callable[..., ResultSet]:
    """Open an uncorrected map and its p, with a studyset beside them."""

    def made(names: Sequence[str], **facts: Sequence[str]) -> ResultSet:
        z = np.where(inside, 4.0, 0)
        p = np.where(inside, 3e-5, 0)
        return opened({"z": z, "p": p}, {"studyset.json": studyset(names, **facts)})

    return made


def test_two_analyses_of_the_same_studies_are_one_finding(
    result: Callable[..., ResultSet],
) -> None:
    a, b = result(["Ann 2001", "Bo 2002"]), result(["bo 2002", "Ann 2001"])
    found = compare_maps(a["z"], b["z"], atlas=None)
    assert found.conjunction is not None
    assert found.shared_studies == found.notices[0]
    assert found.notices[0] == (
        "Both maps come from the same 2 studies: what both show is what two analyses "
        "of one data set agree on. It is one finding, not two effects, whatever the p "
        "of the conjunction."
    )


def test_some_studies_in_common_are_counted(result: Callable[..., ResultSet]) -> None:
    a, b = result(["A", "B", "C"]), result(["C", "D"])
    assert shared_studies(a["z"], b["z"]) == (
        "1 study is behind both maps, of 3 and 2: the two are not independent evidence."
    )
    many = compare_many({"one": a["z"], "other": b["z"]})
    assert any("one and other (1 of 3 and 2 studies)" in n for n in many.notices)


def test_other_studies_are_other_findings(result: Callable[..., ResultSet]) -> None:
    # Their ids are numbers from 0 in both files.
    a, b = result(["A", "B"]), result(["C", "D"])
    assert shared_studies(a["z"], b["z"]) == ""
    assert "studies" not in "".join(compare_maps(a["z"], b["z"], atlas=None).notices)
    assert not any("in common" in n for n in compare_many([a["z"], b["z"]]).notices)


def test_a_doi_tells_papers_of_one_name_apart(
    result: Callable[..., ResultSet],
) -> None:
    a = result(["Ann 2001"], doi=["10.1000/a"])
    b = result(["Ann 2001"], doi=["10.1000/b"])
    c = result(["Something else"], doi=["https://doi.org/10.1000/A"])
    assert shared_studies(a["z"], b["z"]) == ""
    assert "from the same study:" in shared_studies(a["z"], c["z"])


def test_maps_of_one_test_are_one_finding(sample: ResultSet) -> None:
    corrected = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
    for a, b in (("z", "logp"), ("z", corrected), ("p", "stat"), ("z", "z")):
        assert shared_studies(sample[a], sample[b]) == (
            "Both maps come from one test: what both show is one finding, not two."
        )


def test_rows_of_diagnostics_tell_where_no_studies_are_known(
    opened: Opened, inside: Inside
) -> None:
    z = np.where(inside, 4.0, 0)
    stem = "z_diag-FocusCounter_tab-counts_tail-positive"

    def made(*rows: str) -> ResultSet:
        lines = ["id\tPositiveTail 1", *(f"{row}\t1" for row in rows)]
        return opened({"z": z}, {f"{stem}.tsv": "\n".join(lines)})

    a, b, c = made("A-1", "B-1"), made("B-1", "A-1"), made("D-1")
    assert "the same 2 studies" in shared_studies(a["z"], b["z"])
    assert shared_studies(a["z"], c["z"]) == ""
    assert shared_studies(a["z"], opened({"z": z})["z"]) == ""


def test_a_map_of_one_group_has_the_studies_of_that_group(
    opened: Opened, inside: Inside
) -> None:
    z = np.where(inside, 4.0, 0)

    def made(value: str, *groups: int) -> StatMap:
        results = opened({value: z})
        studies = [
            Study(str(n), f"Paper {n}", analyses=(Analysis("1", "a", (), group),))
            for n, group in enumerate(groups)
        ]
        results._studies = LazyStudies(lambda: Studies(tuple(studies)), remote=False)
        return results[value]

    of_both, of_second = made("z_desc-association", 1, 1, 2), made("z", 0, 0, 1)
    # NiMARE's uniformity is that of the first group alone.
    of_first = made("z_desc-uniformity", 1, 1, 2)
    assert "1 study is behind both maps, of 3 and 1" in shared_studies(
        of_both, of_second
    )
    assert shared_studies(of_first, of_second) == ""
    assert "2 studies are behind both maps, of 2 and 3" in shared_studies(
        of_first, of_both
    )


def test_studies_beside_two_meta_analyses_are_nobodys(
    opened: Opened, inside: Inside
) -> None:
    z = np.where(inside, 4.0, 0)
    both = opened({"pain_z": z, "emotion_z": z}, {"studyset.json": studyset(["A"])})
    assert shared_studies(both["pain_z"], both["emotion_z"]) == ""
