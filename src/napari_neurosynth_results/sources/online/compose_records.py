"""What Neurosynth Compose says of a meta-analysis, in any of its documents' shapes.

Its answers changed twice: ids became objects and ids again. Here they are read, nothing
is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.sources.online.links import find_meta_analysis_id

_ID = re.compile(r"[0-9A-Za-z]{12}")
#: Older collections are named after the meta-analysis's id.
_OLD_NAME = re.compile(r"^([0-9A-Za-z]{12})'s meta analysis : ")
_LONGEST = 20_000
_LONGEST_REASON = 200


@dataclass(frozen=True)
class MetaAnalysis:
    """A meta-analysis of Compose.

    Attributes
    ----------
    id, name, description : str
        As its author wrote them.
    specification : dict
        What was asked: ``estimator``, ``corrector``, ``filter``, ``conditions``...
    results : tuple of str
        Ids of its results, the oldest first.
    project : str
        Id of its project, empty when unknown.
    document : mapping
        The answer itself, where snapshots are looked for.
    """

    id: str
    name: str
    description: str
    specification: dict[str, Any]
    results: tuple[str, ...]
    project: str
    document: Mapping[str, Any] = field(repr=False)

    @property
    def methods(self) -> str:
        """One sentence on what was asked of NiMARE, empty when nothing is known.

        As in ``ALE (null_method approximate), FWECorrector (method montecarlo, n_iters
        5000), analyses by the column included.``
        """
        parts = [
            _algorithm(self.specification.get(key))
            for key in ("estimator", "corrector")
        ]
        if isinstance(column := self.specification.get("filter"), str):
            parts.append(f"analyses by the column {column}")
        if isinstance(reference := self.specification.get("database_studyset"), str):
            parts.append(f"against the studies of {reference}, which are not listed")
        told = ", ".join(part for part in parts if part)
        return f"{told}." if told else ""

    def find_snapshots(self, result: ComposeResult) -> Snapshots:
        """Find the studyset and annotation that one of its results was made from.

        The surest source first: the entry of this result, the result's own ids, the
        newest one that is no placeholder, a snapshot inside the answer; else the live
        ones.
        """
        document = self.document
        entries = document.get("snapshots")
        entry: Mapping[str, Any] = next(
            (
                one
                for one in (entries if isinstance(entries, list) else [])
                if isinstance(one, Mapping) and one.get("result_id") == result.id
            ),
            {},
        )
        found = {}
        for what in ("studyset", "annotation"):
            key = f"snapshot_{what}_id"
            holder = document.get(f"neurostore_{what}")
            found[what] = (
                _read_id(entry.get(key))
                or _read_id(result.document.get(key))
                or _newest(holder, f"{what}s")
                or _inline(holder)
                or _inline(document.get(what))
                or _read_id(document.get(f"cached_{what}"))
                or None
            )
        return Snapshots(
            found["studyset"],
            found["annotation"],
            live=_live(document, "studyset"),
            live_annotation=_live(document, "annotation"),
        )


@dataclass(frozen=True)
class ComposeResult:
    """One result: a collection on NeuroVault, and what is known of its files.

    Attributes
    ----------
    id, meta_analysis : str
        Its id, and the id of the meta-analysis.
    collection : str
        Number of the collection on NeuroVault, empty when there is none.
    problems : tuple of str
        Files whose upload failed.
    diagnostics : str
        The first table of NiMARE's diagnostics, tab-separated; empty without one.
    document : mapping
        The answer itself.
    """

    id: str
    meta_analysis: str
    collection: str
    problems: tuple[str, ...]
    diagnostics: str = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Snapshots:
    """Where the studyset and the annotation behind a result are.

    Attributes
    ----------
    studyset, annotation : object
        An id to ask Compose for, a whole document, or None.
    live : str
        Id of the live studyset in NeuroStore, for when there is no snapshot.
    live_annotation : str
        Id of the live annotation.
    """

    studyset: Any
    annotation: Any
    live: str = ""
    live_annotation: str = ""


def parse_meta_analysis(document: Any) -> MetaAnalysis:
    """Read a meta-analysis.

    Returns
    -------
    MetaAnalysis
        What it says.

    Raises
    ------
    ResultsError
        When it is none.
    """
    number = _read_id(document)
    if not isinstance(document, Mapping) or not number:
        raise ResultsError("The answer of Neurosynth Compose is not a meta-analysis.")
    specification = document.get("specification")
    results = document.get("results")
    # An old fixture of Compose's own has a bare id.
    listed = results if isinstance(results, list) else [results]
    ids = [found for result in listed if (found := _read_id(result))]
    return MetaAnalysis(
        id=number,
        name=_text(document, "name") or number,
        description=_text(document, "description"),
        specification=dict(specification) if isinstance(specification, Mapping) else {},
        results=tuple(ids),
        project=_read_id(document.get("project")),
        document=document,
    )


def parse_result(document: Any) -> ComposeResult:
    """Read one result.

    Returns
    -------
    ComposeResult
        What it says.

    Raises
    ------
    ResultsError
        When it is none.
    """
    if not isinstance(document, Mapping) or not _read_id(document):
        raise ResultsError("The answer of Neurosynth Compose is not a result.")
    collection = document.get("neurovault_collection")
    collection = collection if isinstance(collection, Mapping) else {}
    number = collection.get("collection_id")
    number = str(number) if isinstance(number, int | str) else ""
    files = collection.get("files")
    listed = files if isinstance(files, list) else []
    told = [_upload_problem(file) for file in listed if isinstance(file, Mapping)]
    table = document.get("diagnostic_table")
    return ComposeResult(
        id=_read_id(document),
        meta_analysis=_read_id(document.get("meta_analysis_id"))
        or _read_id(document.get("meta_analysis")),
        collection=number if number.isascii() and number.isdigit() else "",
        problems=tuple(dict.fromkeys(problem for problem in told if problem)),
        diagnostics=table if isinstance(table, str) else "",
        document=document,
    )


def _upload_problem(file: Mapping[str, Any]) -> str:
    """Say what became of an upload, nothing when it went well."""
    status = file.get("status")
    what = _text(file, "map_type") or "map"
    if status == "PENDING":
        return f"Neurosynth Compose is still uploading a {what} to NeuroVault."
    if status != "FAILED":
        return ""
    reason = _text(file, "exception").partition("\n")[0][:_LONGEST_REASON]
    because = f": {reason}" if reason else "."
    return f"Neurosynth Compose could not upload a {what} to NeuroVault{because}"


def _newest(holder: Any, key: str) -> str:
    """Return the last entry with a check sum: those without are placeholders."""
    entries = holder.get(key) if isinstance(holder, Mapping) else None
    ids = [
        _read_id(one)
        for one in (entries if isinstance(entries, list) else [])
        if isinstance(one, Mapping) and one.get("md5")
    ]
    return ids[-1] if ids else ""


def _inline(holder: Any) -> Mapping[str, Any] | None:
    if isinstance(holder, Mapping) and isinstance(holder.get("snapshot"), Mapping):
        return holder
    return None


def _live(document: Mapping[str, Any], what: str) -> str:
    for key in (f"neurostore_{what}", what):
        holder = document.get(key)
        if isinstance(holder, Mapping) and _read_id(holder.get("neurostore_id")):
            return _read_id(holder.get("neurostore_id"))
    return _read_id(document.get(f"neurostore_{what}"))


def list_meta_analyses(project: Any) -> list[tuple[str, str]]:
    """List the meta-analyses of a project: id and name, the name empty if unknown."""
    listed = project.get("meta_analyses") if isinstance(project, Mapping) else None
    found = [
        (_read_id(one), _text(one, "name"))
        for one in (listed if isinstance(listed, list) else [])
    ]
    return [(number, name) for number, name in found if number]


def find_compose_id(record: Mapping[str, Any]) -> str | None:
    """Find the meta-analysis that a collection of NeuroVault came from.

    Returns
    -------
    str or None
        Its id in the public Compose; None when the collection is not Compose's.
    """
    if found := find_meta_analysis_id(_text(record, "full_dataset_url")):
        return found
    old = _OLD_NAME.match(_text(record, "name"))
    return old[1] if old else None


def _algorithm(record: Any) -> str:
    if not isinstance(record, Mapping) or not (name := _text(record, "type")):
        return ""
    args = record.get("args")
    args = args if isinstance(args, Mapping) else {}
    # What an algorithm does not name itself, its runner hands on all the same.
    more = args.get("**kwargs")
    told = [
        f"{key} {value}"
        for key, value in {
            **args,
            **(more if isinstance(more, Mapping) else {}),
        }.items()
        if isinstance(value, str | int | float) and not str(key).startswith("**")
    ]
    return f"{name} ({', '.join(told)})" if told else name


def _read_id(value: Any) -> str:
    """Return an id, given as such or within an object; empty when there is none."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def list_other_results(results: Sequence[str]) -> str:
    """Say how to open other results."""
    if not results:
        return ""
    listed = ", ".join(reversed(results))
    return (
        f" Other results, the latest first: {listed}. Open one by .../api/"
        f"meta-analysis-results/{results[-1]}."
    )


def _text(record: Any, key: str) -> str:
    value = record.get(key) if isinstance(record, Mapping) else None
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""
