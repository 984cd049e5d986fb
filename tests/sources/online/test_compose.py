"""Compose: from a link to maps and studies in few requests, in all its shapes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_servers import Fault, LocalServers
from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.sources.online.compose import read_diagnostics
from napari_neurosynth_results.sources.online.compose_records import (
    find_compose_id,
    list_meta_analyses,
    parse_meta_analysis,
    parse_result,
)
from napari_neurosynth_results.statistics.p_values.monte_carlo import read_statement

SHAPE = (8, 9, 8)
STEMS = ("z", "p", "stat", "z_corr-FDR_method-indep", "p_corr-FDR_method-indep")
TABLE = 'id\tPositiveTail 1\tPositiveTail 2\nHeat, "a"-contrast_of_Heat\t1\t0\n'


@pytest.fixture
def collection(web: LocalServers, rng: np.random.Generator) -> Any:
    """Return what Compose uploaded."""
    collection = web.add_collection(
        "Pain : 2026-02-18", full_dataset_url="http://localhost/meta-analyses/x"
    )
    for stem in STEMS:
        collection.add_image(f"{stem}.nii.gz", rng.uniform(0.01, 1, SHAPE))
    return collection


def url_of(web: LocalServers, meta_id: str) -> str:
    return f"{web.compose}/projects/Proj00000000/meta-analyses/{meta_id}"


def test_a_meta_analysis_takes_few_requests(web: LocalServers, collection: Any) -> None:
    meta_id = web.add_meta_analysis(collection, diagnostic_table=TABLE)
    results = open_results(url_of(web, meta_id))
    assert len(web.requests) == 3
    assert set(results.maps) == set(STEMS)
    assert len(web.requests) == 3
    assert results.studies is not None
    assert len(web.paths("/api/snapshot-")) == 2
    results.fetch(results.maps.values())
    assert len(web.requests) == 3 + 2 + 5
    assert results.title == "Pain, ALE"
    said = read_statement(results.methods, results.about.specification)
    assert said.iterations == 5000
    assert "ALE (null_method approximate)" in results.methods
    assert results.about.specification["filter"] == "included"
    assert results.source == url_of(web, meta_id)
    assert list(results.tables) == ["diagnostics"]
    table = results.tables["diagnostics"]
    assert list(table.columns) == ["id", "PositiveTail 1", "PositiveTail 2"]
    assert table["id"][0] == 'Heat, "a"-contrast_of_Heat'


@pytest.mark.parametrize("shape", ["2023", "2024", "2026"])
def test_all_shapes_give_the_same(
    web: LocalServers, collection: Any, shape: str
) -> None:
    meta_id = web.add_meta_analysis(collection, shape=shape)
    results = open_results(url_of(web, meta_id))
    assert len(results.maps) == 5
    studies = results.studies
    assert studies is not None
    assert studies.is_snapshot
    assert [study.name for study in studies.included] == ["Heat", "Cold"]
    assert list(studies.foci["study"]) == ["Heat", "Cold"]
    assert list(studies.foci["converted"]) == [False, True]
    assert any("1 focus without coordinates" in notice for notice in studies.notices)
    assert len(web.paths("/compose/")) == (4 if shape == "2026" else 2)


def test_the_latest_result_is_opened_and_the_others_are_listed(
    web: LocalServers, collection: Any
) -> None:
    meta_id = web.add_meta_analysis(collection, n_results=3)
    results = open_results(meta_id)
    assert web.paths("/meta-analysis-results/")[0].endswith("Rslt00000002")
    assert results.about.other_results == ("Rslt00000001", "Rslt00000000")
    first = open_results(f"{web.compose}/api/meta-analysis-results/Rslt00000000")
    assert first.source.endswith("/api/meta-analysis-results/Rslt00000000")
    assert len(first.maps) == 5


def test_projects(web: LocalServers, collection: Any) -> None:
    web.add_meta_analysis(collection)
    project = f"{web.compose}/projects/Proj00000000/meta-analyses"
    assert len(open_results(project).maps) == 5
    listed = web.sites.documents["/compose/api/projects/Proj00000000"]
    listed["meta_analyses"] = [{"id": "Meta00000000", "name": "One"}, "Meta00000001"]
    with pytest.raises(ResultsError, match="Meta00000000  One\n  Meta00000001"):
        open_results(project)
    listed["meta_analyses"] = None
    with pytest.raises(ResultsError, match="no meta-analysis yet"):
        open_results(project)


def test_what_has_no_maps_says_why(web: LocalServers, collection: Any) -> None:
    with pytest.raises(ResultsError, match="not"):
        open_results("NoSuchThing1")
    failed = web.add_meta_analysis(None, n_results=2)
    with pytest.raises(ResultsError, match=r"upload failed.*Other results.*Rslt"):
        open_results(failed)
    empty = web.add_meta_analysis(web.add_collection("empty"))
    with pytest.raises(ResultsError, match="is empty"):
        open_results(empty)
    never = web.add_meta_analysis(collection, n_results=0)
    with pytest.raises(ResultsError, match="no result yet"):
        open_results(never)


def test_without_a_snapshot_the_live_studyset_is_used_and_says_so(
    web: LocalServers, collection: Any
) -> None:
    meta_id = web.add_meta_analysis(collection)
    document = web.sites.documents[f"/compose/api/meta-analyses/{meta_id}"]
    document["snapshots"] = []
    document["neurostore_studyset"]["studysets"] = []
    document["neurostore_annotation"]["annotations"] = []
    result = web.sites.documents["/compose/api/meta-analysis-results/Rslt00000000"]
    result["snapshot_studyset_id"] = result["snapshot_annotation_id"] = None
    studies = open_results(meta_id).studies
    assert studies is not None
    assert not studies.is_snapshot
    assert any("may have changed" in notice for notice in studies.notices)
    assert [study.name for study in studies.included] == ["Heat", "Cold"]


def test_a_placeholder_of_a_snapshot_is_passed_over(
    web: LocalServers, collection: Any
) -> None:
    meta_id = web.add_meta_analysis(collection)
    for path, document in web.sites.documents.items():
        if "/snapshot-" in path:
            document["snapshot"] = None
    studies = open_results(meta_id).studies
    assert studies is not None
    assert not studies.is_snapshot
    assert [study.name for study in studies.included] == ["Heat", "Cold"]


def test_uploads_that_failed_or_wait_are_told(
    web: LocalServers, collection: Any
) -> None:
    meta_id = web.add_meta_analysis(collection)
    path = next(p for p in web.sites.documents if "/meta-analysis-results/" in p)
    files = web.sites.documents[path]["neurovault_collection"]["files"]
    files[0] |= {
        "status": "FAILED",
        "exception": "Time-out\nTraceback",
        "map_type": "Z",
    }
    files[1] |= {"status": "PENDING", "map_type": "P"}
    problems = open_results(meta_id).problems
    assert problems == (
        "Neurosynth Compose could not upload a Z to NeuroVault: Time-out",
        "Neurosynth Compose is still uploading a P to NeuroVault.",
    )


@pytest.mark.parametrize("text", ["id\tA\nx\t1\t2\n", "id\tA\nx\t1\ny\t1\t2\n"])
def test_a_table_whose_rows_are_too_long_is_refused(text: str) -> None:
    with pytest.raises(ResultsError, match="diagnostics is broken"):
        read_diagnostics(text)


def test_a_study_may_be_called_na() -> None:
    assert list(read_diagnostics("id\tA\nNA\t1\n")["id"]) == ["NA"]


def test_a_document_that_is_nested_without_end_is_refused(
    web: LocalServers, collection: Any
) -> None:
    deep = b'{"id": "Meta00000000", "a": ' + b"[" * 900 + b"]" * 900 + b"}"
    web.fail("/compose/", Fault.body(deep))
    with pytest.raises(ResultsError):
        open_results(web.add_meta_analysis(collection))


def test_a_page_instead_of_json_is_refused(web: LocalServers, collection: Any) -> None:
    meta_id = web.add_meta_analysis(collection)
    web.fail("/compose/", Fault.page())
    with pytest.raises(ResultsError, match="page"):
        open_results(meta_id)


def test_what_cannot_be_had_is_named_as_one(web: LocalServers) -> None:
    url = f"{web.compose}/meta-analyses/abcdefghijkl"
    with pytest.raises(ResultsError, match="Compose's meta-analysis abcdefghijkl"):
        open_results(url, offline=True)


def test_offline_all_of_it(web: LocalServers, collection: Any) -> None:
    meta_id = web.add_meta_analysis(collection)
    results = open_results(meta_id)
    results.fetch(results.maps.values())
    assert results.studies is not None
    web.reset_log()
    again = open_results(url_of(web, meta_id), offline=True)
    assert again["z"].data.shape == SHAPE
    assert again.studies is not None
    assert len(again.studies) == 3
    assert web.requests == []


def test_the_key_to_overwrite_a_result_is_dropped_at_once(
    web: LocalServers, collection: Any
) -> None:
    meta_id = web.add_meta_analysis(collection)
    results = open_results(meta_id)
    results.fetch(results.maps.values())
    assert results.studies is not None
    cache = Path(os.environ["NNR_CACHE_DIR"])
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert len(files) >= 9
    assert not any(web.run_key.encode() in path.read_bytes() for path in files)
    assert web.run_key not in repr(results.about)


def test_a_collection_finds_its_way_back(web: LocalServers, collection: Any) -> None:
    meta_id = web.add_meta_analysis(collection)
    collection.record["full_dataset_url"] = f"http://localhost/meta-analyses/{meta_id}"
    results = open_results(str(collection.id))
    assert len(web.requests) == 2
    links = {link.text: link.url for link in results.about.links}
    assert links["Neurosynth Compose"] == f"{web.compose}/meta-analyses/{meta_id}"
    assert results.studies is not None
    assert len(results.studies) == 3


def test_the_way_back_is_to_the_result_of_the_collection(
    web: LocalServers, collection: Any
) -> None:
    meta_id = web.add_meta_analysis(collection, n_results=3)
    collection.record["full_dataset_url"] = f"http://localhost/meta-analyses/{meta_id}"
    documents = web.sites.documents
    older, middle, latest = (
        documents[f"/compose/api/meta-analysis-results/Rslt0000000{n}"]
        for n in range(3)
    )
    latest["neurovault_collection"] = middle["neurovault_collection"] = None
    meta = documents[f"/compose/api/meta-analyses/{meta_id}"]
    meta["snapshots"] = [
        {"result_id": older["id"], "snapshot_studyset_id": "Stud00000000"},
        {"result_id": latest["id"], "snapshot_studyset_id": "NotThisOne00"},
    ]
    assert len(open_results(str(collection.id)).studies) == 3
    older["neurovault_collection"] = {"collection_id": "99999"}
    with pytest.raises(ResultsError, match=f"that of collection {collection.id}"):
        _ = open_results(str(collection.id)).studies


def test_no_login_is_known(web: LocalServers, collection: Any) -> None:
    meta_id = web.add_meta_analysis(collection, user="google-oauth2|1234567890")
    results = open_results(url_of(web, meta_id))
    assert results.studies is not None
    assert "user" not in results.about.specification
    for path in Path(os.environ["NNR_CACHE_DIR"]).rglob("*.json"):
        assert "google-oauth2" not in path.read_text()


def test_the_way_back_by_name() -> None:
    old = {"name": "3MtVREp8UbEA's meta analysis : 2023-01-01"}
    assert find_compose_id(old) == "3MtVREp8UbEA"
    assert find_compose_id({"name": "Pain", "full_dataset_url": None}) is None


def test_where_the_snapshots_are() -> None:
    ids = {what: f"{what:x<12}"[:12] for what in ("entry", "result", "newest")}
    meta = {
        "id": "Meta00000000",
        "snapshots": [
            {"result_id": "Rslt00000000", "snapshot_studyset_id": ids["entry"]}
        ],
        "neurostore_studyset": {
            "id": "Live00000000",
            "studysets": [
                {"id": "OldOldOldOld", "md5": "1"},
                {"id": ids["newest"], "md5": "2"},
                {"id": "Placeholder0", "md5": None},
            ],
        },
    }
    result = {"id": "Rslt00000000", "snapshot_studyset_id": ids["result"]}
    found = []
    for _ in range(3):
        one = parse_meta_analysis(meta).find_snapshots(parse_result(result))
        found.append(one.studyset)
        if meta["snapshots"]:
            meta["snapshots"] = []
        else:
            result["snapshot_studyset_id"] = None  # type: ignore[assignment]
    assert found == [ids["entry"], ids["result"], ids["newest"]]
    assert one.live == "Live00000000"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=13),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "id",
                        "results",
                        "specification",
                        "snapshots",
                        "snapshot",
                        "filter",
                    ),
                    *("neurovault_collection", "files", "collection_id", "corrector"),
                    *("args", "n_iters", "method", "neurostore_studyset", "studysets"),
                    *("**kwargs", "voxel_thresh"),
                    *("md5", "project", "meta_analyses", "diagnostic_table", "type"),
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_document_is_read_or_refused(value: Any) -> None:
    if isinstance(value, dict):
        value = {**value, "id": "Meta00000000"}
    try:
        meta, result = parse_meta_analysis(value), parse_result(value)
    except ResultsError:
        return
    meta.find_snapshots(result)
    assert isinstance(meta.methods, str)
    said = read_statement(meta.methods, meta.specification)
    assert said.iterations is None or said.iterations > 0
    assert said.forming_p is None or 0 < said.forming_p < 1
    assert isinstance(list_meta_analyses(value), list)
