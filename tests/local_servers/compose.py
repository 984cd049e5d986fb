"""What Compose and NeuroStore keep, in the three shapes that their answers had."""

from __future__ import annotations

from typing import Any, Literal

Shape = Literal["2023", "2024", "2026"]
USER = "Örnek Kullanici"
#: A write credential on the real site: it must not turn up anywhere else.
RUN_KEY = "RUNKEY-do-not-keep-0123456789"
_DATES = {"created_at": "2026-02-18T13:38:48.833532+00:00", "updated_at": None}
_WHO = {"user": "google-oauth2|000000000000000000001", "username": USER}
_CONDITIONS: dict[str, list[Any]] = {"2023": [], "2024": [True], "2026": ["true"]}


class MetaAnalysis(str):
    """The id of a meta-analysis, which also knows what belongs to it.

    Attributes
    ----------
    result_ids : tuple of str
        Its results, the oldest first.
    project_id : str
        The project that lists it.
    """

    result_ids: tuple[str, ...]
    project_id: str

    @property
    def id(self) -> str:
        """The id alone."""
        return str(self)


def specification(shape: Shape = "2026", **fields: Any) -> dict[str, Any]:
    """Return what a meta-analysis was asked to do."""
    conditions = _CONDITIONS[shape]
    return {
        "id": "Ahx3YQYb8Jx4",
        **_DATES,
        **_WHO,
        "type": "CBMA",
        "estimator": {
            "type": "ALE",
            "args": {"null_method": "approximate", "**kwargs": {}},
        },
        "database_studyset": None,
        "filter": "included",
        "corrector": {
            "type": "FWECorrector",
            "args": {"method": "montecarlo", "n_iters": 5000},
        },
        "conditions": conditions,
        "weights": [1.0] * len(conditions),
    } | fields


def meta_analysis(
    number: str,
    name: str,
    shape: Shape,
    results: list[str],
    linked: dict[str, Any],
    specified: dict[str, Any],
) -> dict[str, Any]:
    """Return a meta-analysis as `/api/meta-analyses/<id>?nested=true` does.

    `linked` has the ids of its project and its snapshots, and the documents themselves.
    """
    document: dict[str, Any] = {
        "id": number,
        **_DATES,
        **_WHO,
        "name": name,
        "description": "A meta-analysis of pain",
        "public": True,
        "provenance": None,
        "tags": [],
        "specification": specification(shape, **specified),
        "neurostore_analysis": {
            **_DATES,
            "neurostore_id": linked["analysis"],
            "exception": None,
            "traceback": None,
            "status": "OK",
        },
        "project": linked["project"],
        "run_key": RUN_KEY,
        "results": [{"id": result, **_DATES} for result in results],
        "neurostore_url": linked["analysis_url"],
    }
    inline = {
        key: {**_DATES, **_WHO, "snapshot": {"snapshot": linked[key]}}
        for key in ("studyset", "annotation")
    }
    if shape == "2023":
        document["studyset"] = {
            **inline["studyset"],
            "neurostore_id": linked["studyset"].get("id"),
        }
        document["annotation"] = inline["annotation"]
        document["cached_studyset"] = linked["snapshot_studyset_id"]
        document["cached_annotation"] = linked["snapshot_annotation_id"]
    elif shape == "2024":
        document["neurostore_studyset"] = inline["studyset"]
        document["neurostore_annotation"] = inline["annotation"]
    else:
        document |= _by_id(results, linked)
    return document


def _by_id(results: list[str], linked: dict[str, Any]) -> dict[str, Any]:
    """Return the keys that the shape of 2026 has instead of whole snapshots."""
    ids = {
        key: linked[key] for key in ("snapshot_studyset_id", "snapshot_annotation_id")
    }
    studyset = {"id": ids["snapshot_studyset_id"], "md5": "7afa8021f05f2e6f"}
    note = {"id": ids["snapshot_annotation_id"], "md5": "e8e296cedd301872"}
    return {
        "results": results,
        "snapshots": [{"result_id": result, **ids} for result in results],
        "neurostore_studyset": {
            "id": linked["studyset"].get("id"),
            **_DATES,
            "studysets": [studyset],
        },
        "neurostore_annotation": {
            "id": linked["annotation"].get("id"),
            "annotations": [note],
        },
    }


def without_nesting(document: dict[str, Any]) -> dict[str, Any]:
    """Return a meta-analysis as told without ``?nested=true``: ids for objects."""
    nested = ("specification", "neurostore_studyset", "neurostore_annotation")
    return document | {
        key: document[key]["id"]
        for key in nested
        if isinstance(document.get(key), dict) and "id" in document[key]
    }


def result(
    number: str,
    of: str,
    shape: Shape,
    collection: dict[str, Any] | None,
    table: str | None,
    linked: dict[str, Any],
) -> dict[str, Any]:
    """Return a result as `/api/meta-analysis-results/<id>` does."""
    ids = ("snapshot_studyset_id", "snapshot_annotation_id")
    return {
        "id": number,
        **_DATES,
        "meta_analysis_id": of,
        "cli_version": None,
        "cli_args": None,
        "neurovault_collection": collection,
        "diagnostic_table": table,
    } | {key: linked[key] for key in ids if shape == "2026"}


def uploaded(
    number: int, images: list[dict[str, Any]], base: str, shape: Shape
) -> dict[str, Any]:
    """Return where the maps of a result are: ids and types, never a file name."""
    files = [
        {
            **_DATES,
            "image_id": str(image["id"]),
            "exception": None,
            "status": "OK",
            "url": f"{base}/api/images/{image['id']}",
        }
        | ({"map_type": image.get("map_type")} if shape == "2026" else {})
        for image in images
    ]
    url = f"{base}/api/collections/{number}"
    return {**_DATES, "collection_id": str(number), "files": files, "url": url}


def snapshot(number: str, of: dict[str, Any], base: str, what: str) -> dict[str, Any]:
    """Return a studyset or an annotation as it was when the result was made."""
    return {
        "id": number,
        **_DATES,
        **_WHO,
        "snapshot": {"snapshot": of},
        "version": None,
        "neurostore_id": of.get("id"),
        "url": f"{base}/api/{what}/{of.get('id')}",
    }


def project(number: str, name: str, meta_analyses: list[str]) -> dict[str, Any]:
    """Return a project as `/api/projects/<id>` does."""
    return {
        "id": number,
        **_DATES,
        **_WHO,
        "name": name,
        "description": "",
        "public": True,
        "provenance": {},
        "meta_analyses": meta_analyses,
    }


def peaks(number: str) -> dict[str, Any]:
    """Return the peaks of a result as NeuroStore keeps them."""
    point = {
        "coordinates": [38.0, 4.0, 2.0],
        "kind": "center of mass",
        "space": "MNI",
        "values": [{"kind": "Z", "value": 5.1}],
        "order": 0,
        "subpeak": False,
        "cluster_size": 840.0,
    }
    return {"id": number, "name": "Pain, ALE", "points": [point], "images": []}


def studyset(number: str = "ToisksSserJp") -> dict[str, Any]:
    """Return a studyset of three studies: MNI, Talairach and unknown foci."""

    def point(where: Any, space: str | None) -> dict[str, Any]:
        values = [{"kind": "T", "value": 5.22}]
        return {"id": "p", "coordinates": where, "space": space, "values": values}

    def study(number: str, name: str, year: Any, points: list[Any]) -> dict[str, Any]:
        analysis = {"id": f"a{number}", "name": f"contrast of {name}", "points": points}
        return {
            "id": number,
            "name": name,
            "authors": "A. Author; B. Writer",
            "year": year,
            "doi": "10.1/x",
            "pmid": "123",
            "publication": "J",
            "metadata": {},
            "analyses": [analysis],
        }

    return {
        "id": number,
        "name": "Studyset for pain",
        "studies": [
            study("s1", "Heat", 2012, [point([38, 4, 2], "MNI")]),
            study("s2", "Cold", None, [point([0, 0, 0], "TAL"), point(None, "MNI")]),
            study("s3", "Other", 2020, [point([1, 2, 3], "UNKNOWN")]),
        ],
    }


def annotation(number: str = "CeQLLXWepB3J") -> dict[str, Any]:
    """Return which analyses are included: all but the third."""
    notes = [
        {"analysis": "as1", "study": "s1", "note": {"included": True}},
        {"analysis": "as2", "study": "s2", "note": {"included": True}},
        {"analysis": "as3", "study": "s3", "note": {"included": False}},
    ]
    keys = {"included": {"type": "boolean", "order": 0}}
    return {"id": number, "name": "Annotation", "note_keys": keys, "notes": notes}
