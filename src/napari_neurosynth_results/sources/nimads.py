"""NIMADS documents, a studyset and its annotation -> `Studies`.

Which analyses count is decided as compose-runner decides it, and foci are moved as
NiMARE moves them, so that what is shown is what the algorithm saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study

#: MNI to Talairach, "icbm_other" (Lancaster et al. 2007, Hum Brain Mapp 28, 1194-1205);
#: NiMARE 0.22.1, `nimare.utils.tal2mni`, applies its inverse.
MNI_TO_TAL = np.array(
    [
        [0.9357, 0.0029, -0.0072, -1.0423],
        [-0.0065, 0.9396, -0.0726, -1.3940],
        [0.0103, 0.0752, 0.8967, 3.6475],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
_TAL_TO_MNI = np.linalg.inv(MNI_TO_TAL)
_TALAIRACH = frozenset({"TAL", "TALAIRACH"})
_DEEPEST = 8
_MOST_FOCI = 1_000_000
_LONGEST = 2000
#: No head reaches farther from the origin, in mm.
_FARTHEST = 1000.0
_LARGEST = 1e300


def parse_studies(
    studyset: Any,
    annotation: Any,
    specification: Mapping[str, Any],
    *,
    is_snapshot: bool = True,
) -> Studies:
    """Read a studyset, and which of its analyses were used.

    Parameters
    ----------
    studyset, annotation : object
        JSON of NeuroStore or of Compose's snapshots, wrapped in any depth; the
        annotation may be None.
    specification : mapping
        Of the meta-analysis: ``filter``, ``conditions`` and ``weights``.
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
    inner = unwrapped(studyset)
    listed = inner.get("studies") if isinstance(inner, Mapping) else None
    if not isinstance(listed, list):
        raise ResultsError("The studyset of this result holds no list of studies.")
    notices: list[str] = []
    groups = _groups(unwrapped(annotation), specification, notices)
    counts: Counter[str] = Counter()
    studies = []
    for record in listed:
        if isinstance(record, Mapping):
            studies.append(_study(record, groups, counts))
        if counts["foci"] > _MOST_FOCI:
            notices.append(f"Only the first {_MOST_FOCI:,} foci were read.")
            break
    if counts["nowhere"]:
        notices.append(f"{counts['nowhere']:,} foci without coordinates were left out.")
    if counts["unknown"]:
        notices.append(
            f"{counts['unknown']:,} foci state no known space; NiMARE took them for "
            "MNI, and so they are shown."
        )
    if not is_snapshot:
        notices.append(
            "The studyset is the live one: it may have changed since the meta-analysis."
        )
    return Studies(tuple(studies), _text(inner, "name"), is_snapshot, tuple(notices))


def unwrapped(document: Any) -> Any:
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
) -> Mapping[str, int] | None:
    """Decide which analyses belong to which group; None when all were used."""
    column = specification.get("filter")
    if not isinstance(annotation, Mapping) or not isinstance(column, str):
        notices.append("Which analyses were included is not known: all are shown.")
        return None
    values: dict[str, Any] = {}
    for entry in _list(annotation, "notes"):
        note = entry.get("note") if isinstance(entry, Mapping) else None
        if isinstance(note, Mapping):
            values[str(entry.get("analysis"))] = note.get(column)
    conditions = _list(specification, "conditions")
    if _is_text(annotation, column, values):
        weights = _list(specification, "weights")
        return _groups_by_text(values, conditions, weights)
    # Two conditions on yes and no compare those included with all others.
    second = 2 if len(conditions) > 1 else 0
    return {analysis: 1 if value else second for analysis, value in values.items()}


def _is_text(
    annotation: Mapping[str, Any], column: str, values: Mapping[str, Any]
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
    values: Mapping[str, Any], conditions: Sequence[Any], weights: Sequence[Any]
) -> Mapping[str, int]:
    """Group by the texts of a column: weight 1 is group 1, weight -1 group 2."""
    weighted = zip(conditions, weights, strict=False)
    numbered = ((str(c), _number(w)) for c, w in weighted)
    group_of = {c: 1 if w > 0 else 2 for c, w in numbered if w}
    if not group_of:
        return {analysis: 1 if value else 0 for analysis, value in values.items()}
    return {analysis: group_of.get(str(v), 0) for analysis, v in values.items()}


def _study(
    record: Mapping[str, Any], groups: Mapping[str, int] | None, counts: Counter[str]
) -> Study:
    year = _number(record.get("year"))
    return Study(
        id=_text(record, "id"),
        name=_text(record, "name"),
        authors=_text(record, "authors"),
        year=int(year) if year and 0 < year < 10_000 else None,
        publication=_text(record, "publication"),
        doi=_text(record, "doi"),
        pmid=_text(record, "pmid"),
        analyses=tuple(
            _analysis(analysis, groups, counts)
            for analysis in _list(record, "analyses")
            if isinstance(analysis, Mapping)
        ),
    )


def _analysis(
    record: Mapping[str, Any], groups: Mapping[str, int] | None, counts: Counter[str]
) -> Analysis:
    number = _text(record, "id")
    group = 1 if groups is None else groups.get(number, 0)
    here: Counter[str] = Counter()
    foci = tuple(_foci(_list(record, "points"), here))
    # What was not used is no reason for a notice, but it takes memory.
    counts.update(here if group else Counter(foci=here["foci"]))
    return Analysis(number, _text(record, "name"), foci, group)


def _foci(points: Sequence[Any], counts: Counter[str]) -> Iterator[Focus]:
    for point in points:
        counts["foci"] += 1
        where = _list(point, "coordinates") if isinstance(point, Mapping) else []
        numbers = [mm for mm in map(_number, where) if mm is not None]
        if len(where) != 3 or len(numbers) != 3 or max(map(abs, numbers)) > _FARTHEST:
            counts["nowhere"] += 1
            continue
        space = _text(point, "space")
        talairach = space.upper() in _TALAIRACH
        if not talairach and space.upper() != "MNI":
            counts["unknown"] += 1
        x, y, z = tal_to_mni(numbers) if talairach else numbers
        statistic, value = _value(_list(point, "values"))
        yield Focus(x, y, z, space, talairach, statistic, value)


def tal_to_mni(where: Sequence[float]) -> tuple[float, float, float]:
    """Move a place from Talairach to MNI space, as NiMARE does.

    Parameters
    ----------
    where : sequence of float
        x, y, z in Talairach mm.

    Returns
    -------
    tuple of float
        x, y, z in MNI mm (inverse of Lancaster's "icbm_other").

    Examples
    --------
    >>> [round(mm, 1) for mm in tal_to_mni((0, 0, 0))]
    [1.1, 1.2, -4.2]
    """
    x, y, z, _ = _TAL_TO_MNI @ (*where, 1.0)
    return float(x), float(y), float(z)


def _value(values: Sequence[Any]) -> tuple[str, float | None]:
    """Take the first value that is a number."""
    for entry in values:
        value = _number(entry.get("value")) if isinstance(entry, Mapping) else None
        if value is not None:
            return _text(entry, "kind"), value
    return "", None


def _list(record: Mapping[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    return value if isinstance(value, list) else []


def _text(record: Any, key: str) -> str:
    value = record.get(key) if isinstance(record, Mapping) else None
    return str(value).strip()[:_LONGEST] if isinstance(value, str | int) else ""


def _number(value: Any) -> float | None:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if real and abs(value) < _LARGEST else None
