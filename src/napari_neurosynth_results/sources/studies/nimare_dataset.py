"""NiMARE's Dataset as JSON, study id -> contrasts -> lists of x, y, z -> `Studies`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from napari_neurosynth_results.anatomy.numerals import read_number
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

#: What NiMARE 0.22.1 may list beside the coordinates, and what it calls that in NIMADS.
_STATISTICS = {
    **{"z_stat": "Z", "t_stat": "T", "beta": "beta", "p": "p", "se": "SE"},
    "variance": "variance",
}
_MOST_FOCI = 1_000_000


def is_dataset(document: Mapping[str, Any]) -> bool:
    """Tell a Dataset: its studies have contrasts.

    Returns
    -------
    bool
        Whether one of its values looks like a study of a Dataset.
    """
    return any(
        isinstance(record, Mapping) and isinstance(record.get("contrasts"), Mapping)
        for record in document.values()
    )


def parse_dataset(document: Mapping[str, Any], name: str = "") -> Studies:
    """Read a NiMARE Dataset.

    Parameters
    ----------
    document : mapping
        Study id -> study. Metadata may lie in the study, in its contrasts or both.
    name : str
        What to call the studies together.

    Returns
    -------
    Studies
        What is no study or no contrast is left out, and notices say what else was.
    """
    counts: Counter[str] = Counter()
    studies: list[Study] = []
    notices: list[str] = []
    for key, record in document.items():
        if isinstance(record, Mapping) and isinstance(record.get("contrasts"), Mapping):
            studies.append(_study(text_field({"id": key}, "id"), record, counts))
        else:
            counts["no study"] += 1
        if counts["foci"] > _MOST_FOCI:
            notices.append(f"Only the first {_MOST_FOCI:,} foci were read.")
            break
    if counts["no study"]:
        notices.append(
            f"{counts['no study']:,} entries without contrasts were left out."
        )
    if counts["uneven"]:
        notices.append(
            f"{counts['uneven']:,} contrasts list different numbers of x, y and z."
        )
    return Studies(
        tuple(studies),
        name,
        notices=(*notices, *assumption_notices(counts, is_text=False)),
    )


def _study(key: str, record: Mapping[str, Any], counts: Counter[str]) -> Study:
    contrasts = [
        (contrast, about)
        for contrast, about in record["contrasts"].items()
        if isinstance(about, Mapping)
    ]
    own = record.get("metadata")
    known = [own, *(about.get("metadata") for _, about in contrasts)]
    year = (
        publication_year(one.get("year")) for one in known if isinstance(one, Mapping)
    )
    return Study(
        id=key,
        name=_first(known, "title", "study_name") or key,
        authors=_first(known, "authors"),
        year=next((one for one in year if one), None),
        publication=_first(known, "journal", "publication"),
        doi=_first(known, "doi"),
        pmid=_first(known, "pmid"),
        analyses=tuple(
            Analysis(
                id=text_field({"id": contrast}, "id"),
                name=text_field(about.get("metadata"), "analysis_name") or contrast,
                foci=_foci(about.get("coords"), counts),
                participants=read_sample_size(about.get("metadata"), own),
                mean_participants=read_mean_sample_size(about.get("metadata"), own),
            )
            for contrast, about in contrasts
        ),
    )


def _first(records: list[Any], *keys: str) -> str:
    """Return the first text that is not empty, by what is asked for first."""
    found = (text_field(record, key) for key in keys for record in records)
    return next((text for text in found if text), "")


def _foci(coords: Any, counts: Counter[str]) -> tuple[Focus, ...]:
    axes = [list_field(coords, axis) for axis in "xyz"]
    longest = max(map(len, axes))
    if any(len(axis) != longest for axis in axes):
        counts["uneven"] += 1
    spaces = list_field(coords, "space")
    column = next((one for one in _STATISTICS if list_field(coords, one)), "")
    rows = zip_longest(*axes, list_field(coords, column)[:longest], spaces[:longest])
    foci = []
    for x, y, z, reported, space in rows:
        # NiMARE writes one missing place for a contrast that has none.
        if longest == 1 and x is y is z is None:
            continue
        stated = text_field(coords, "space") or text_field({"space": space}, "space")
        value = read_number(reported)
        statistic = _STATISTICS[column] if value is not None else ""
        focus = make_focus((x, y, z), stated, counts, statistic, value)
        if focus is not None:
            foci.append(focus)
    return tuple(foci)
