"""NIMADS documents, a studyset and its annotation -> `Studies`.

Which analyses count is decided as compose-runner decides it, and foci are moved as
NiMARE moves them, so that what is shown is what the algorithm saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from napari_neurosynth_results.anatomy.numerals import read_number
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study
from napari_neurosynth_results.sources.studies.study_fields import (
    assumption_notices,
    list_field,
    make_focus,
    publication_year,
    read_mean_sample_size,
    read_sample_size,
    text_field,
)

#: (study, analysis) -> group; the study is empty where an analysis is named but once.
_Groups = Mapping[tuple[str, str], int]
_DEEPEST = 8
_MOST_FOCI = 1_000_000


def parse_studies(
    studyset: Any,
    annotation: Any,
    specification: Mapping[str, Any] | None,
    *,
    is_snapshot: bool = True,
) -> Studies:
    """Read a studyset, and which of its analyses were used.

    Parameters
    ----------
    studyset, annotation : object
        JSON of NeuroStore or of Compose's snapshots, wrapped in any depth; the
        annotation may be None.
    specification : mapping or None
        Of the meta-analysis: ``filter``, ``conditions`` and ``weights``. None when
        there is no meta-analysis that could have left an analysis out.
    is_snapshot : bool
        Whether the studyset is the one that the meta-analysis used.

    Returns
    -------
    Studies
        All studies; analyses that were not used have group 0.

    Raises
    ------
    ResultsError
        When it is no studyset.
    """
    inner = unwrap_snapshot(studyset)
    listed = inner.get("studies") if isinstance(inner, Mapping) else None
    if not isinstance(listed, list):
        raise ResultsError("The studyset of this result holds no list of studies.")
    notices: list[str] = []
    groups = None
    if specification is not None:
        groups = _groups(unwrap_snapshot(annotation), specification, notices)
    counts: Counter[str] = Counter()
    studies = []
    for record in listed:
        if isinstance(record, Mapping):
            studies.append(_study(record, groups, counts))
        if counts["foci"] > _MOST_FOCI:
            notices.append(f"Only the first {_MOST_FOCI:,} foci were read.")
            break
    notices += assumption_notices(counts, is_text=False)
    if not is_snapshot:
        notices.append(
            "The studyset is the live one: it may have changed since the meta-analysis."
        )
    return Studies(
        tuple(studies), text_field(inner, "name"), is_snapshot, tuple(notices)
    )


def unwrap_snapshot(document: Any) -> Any:
    """Take a snapshot out of its wrappers, however deep it lies.

    Parameters
    ----------
    document : object
        What Compose sent.

    Returns
    -------
    object
        The innermost ``snapshot`` or ``cached``.
    """
    for _ in range(_DEEPEST):
        if not isinstance(document, Mapping):
            return document
        inner = document.get("snapshot") or document.get("cached")
        if not isinstance(inner, Mapping):
            return document
        document = inner
    return document


def _groups(
    annotation: Any, specification: Mapping[str, Any], notices: list[str]
) -> _Groups | None:
    """Decide which analyses belong to which group; None when all were used."""
    column = specification.get("filter")
    if not isinstance(annotation, Mapping) or not isinstance(column, str):
        notices.append("Which analyses were included is not known: all are shown.")
        return None
    values = _values(annotation, column)
    conditions = list_field(specification, "conditions")
    if _is_text(annotation, column, values):
        weights = list_field(specification, "weights")
        return _groups_by_text(values, conditions, weights)
    # Two conditions on yes and no compare those included with all others.
    second = 2 if len(conditions) > 1 else 0
    return {analysis: 1 if value else second for analysis, value in values.items()}


def _values(annotation: Mapping[str, Any], column: str) -> dict[tuple[str, str], Any]:
    """Collect a column; NiMARE gives the analyses of every study the same ids."""
    values: dict[tuple[str, str], Any] = {}
    named: dict[str, list[Any]] = {}
    for entry in list_field(annotation, "notes"):
        note = entry.get("note") if isinstance(entry, Mapping) else None
        if isinstance(note, Mapping):
            study, analysis = (str(entry.get(key)) for key in ("study", "analysis"))
            values[study, analysis] = note.get(column)
            named.setdefault(analysis, []).append(note.get(column))
    # A note may tell of a study by another id than the studyset does, or of none.
    once = {("", key): notes[-1] for key, notes in named.items() if len(notes) == 1}
    return values | once


def _is_text(
    annotation: Mapping[str, Any], column: str, values: Mapping[Any, Any]
) -> bool:
    """Tell a column of texts from one of yes and no: by its declared type, if any."""
    keys = annotation.get("note_keys")
    declared = keys.get(column) if isinstance(keys, Mapping) else None
    if isinstance(declared, Mapping):
        declared = declared.get("type")
    if isinstance(declared, str):
        return declared != "boolean"
    return any(isinstance(value, str) and value for value in values.values())


def _groups_by_text(
    values: Mapping[tuple[str, str], Any],
    conditions: Sequence[Any],
    weights: Sequence[Any],
) -> _Groups:
    """Group by the texts of a column: weight 1 is group 1, weight -1 group 2."""
    weighted = zip(conditions, weights, strict=False)
    numbered = ((str(c), read_number(w)) for c, w in weighted)
    group_of = {c: 1 if w > 0 else 2 for c, w in numbered if w}
    if not group_of:
        return {analysis: 1 if value else 0 for analysis, value in values.items()}
    return {analysis: group_of.get(str(v), 0) for analysis, v in values.items()}


def _study(
    record: Mapping[str, Any], groups: _Groups | None, counts: Counter[str]
) -> Study:
    return Study(
        id=text_field(record, "id"),
        name=text_field(record, "name"),
        authors=text_field(record, "authors"),
        year=publication_year(record.get("year")),
        publication=text_field(record, "publication"),
        doi=text_field(record, "doi"),
        pmid=text_field(record, "pmid"),
        analyses=tuple(
            _analysis(analysis, record, groups, counts)
            for analysis in list_field(record, "analyses")
            if isinstance(analysis, Mapping)
        ),
    )


def _analysis(
    record: Mapping[str, Any],
    study: Mapping[str, Any],
    groups: _Groups | None,
    counts: Counter[str],
) -> Analysis:
    number = text_field(record, "id")
    group = 1
    if groups is not None:
        exact = (text_field(study, "id"), number)
        group = groups.get(exact, groups.get(("", number), 0))
    here: Counter[str] = Counter()
    foci = tuple(_foci(list_field(record, "points"), here))
    # What was not used is no reason for a notice, but it takes memory.
    counts.update(here if group else Counter(foci=here["foci"]))
    told = record.get("metadata"), study.get("metadata")
    people, mean = read_sample_size(*told), read_mean_sample_size(*told)
    return Analysis(number, text_field(record, "name"), foci, group, people, mean)


def _foci(points: Sequence[Any], counts: Counter[str]) -> Iterator[Focus]:
    for point in points:
        where = list_field(point, "coordinates")
        statistic, value = _value(list_field(point, "values"))
        focus = make_focus(where, text_field(point, "space"), counts, statistic, value)
        if focus is not None:
            yield focus


def _value(values: Sequence[Any]) -> tuple[str, float | None]:
    """Take the first value that is a number."""
    for entry in values:
        value = read_number(entry.get("value")) if isinstance(entry, Mapping) else None
        if value is not None:
            return text_field(entry, "kind"), value
    return "", None
