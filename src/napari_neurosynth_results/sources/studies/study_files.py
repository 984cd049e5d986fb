"""A file of studies on disk -> `Studies`, whatever program wrote it.

What a file is, is told by its content. Nothing in it is trusted, and nothing that
could run code (Python's pickles) is opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.studies import (
    Studies,
    StudyFile,
)
from napari_neurosynth_results.sources.placeholders import (
    JsonRefusedError,
    load_json,
    read_at_most,
    refuse_placeholder,
)
from napari_neurosynth_results.sources.studies.nimads import (
    parse_studies,
    unwrap_snapshot,
)
from napari_neurosynth_results.sources.studies.nimare_dataset import (
    is_dataset,
    parse_dataset,
)
from napari_neurosynth_results.sources.studies.sleuth import is_sleuth, parse_sleuth
from napari_neurosynth_results.sources.studies.study_fields import list_field

_MIB = 2**20
MOST_MIB = 64
#: Of a Sleuth text: each may be a focus of some hundred bytes.
_MOST_LINES = 1_000_000
#: Bytes that their JSON may become.
_MOST_MEMORY = 1 << 30
_WANTED = (
    "Give a NIMADS studyset (.json), a NiMARE Dataset (.json) or a Sleuth text (.txt)."
)
_TO_JSON = (
    "In Python, write it as a studyset: "
    "nimare.studyset.Studyset.from_dataset(nimare.dataset.Dataset.load(path))"
    '.to_nimads("studyset.json").'
)
_FROM_PARQUET = (
    "In Python with pyarrow installed, write its folder as one file: "
    'nimare.studyset.Studyset.from_parquet(folder).to_nimads("studyset.json").'
)
#: How files begin that somebody may try, and why they are refused.
_REFUSED = {
    b"\x80": "is a Python pickle, and opening one may run any code. " + _TO_JSON,
    b"\x1f\x8b": "is compressed. A .pkl.gz is a Python pickle, and opening one may run "
    "any code: " + _TO_JSON + " Unpack any other file first.",
    b"PK": "is a zip archive or an Office document. " + _WANTED,
    b"PAR1": "is a Parquet table. " + _FROM_PARQUET,
}
_MOST_COLUMNS = 20

#: The column that Neurosynth Compose chooses analyses by, unless told otherwise.
_INCLUDED = "included"


def open_studies(
    path: str | os.PathLike[str],
    *,
    annotation: str | os.PathLike[str] | None = None,
    include: str | None = None,
) -> Studies:
    """Open the studies and foci of a meta-analysis from a file.

    Parameters
    ----------
    path : path-like
        A NIMADS studyset (JSON, as NeuroStore exports and NiMARE writes it), a NiMARE
        Dataset (JSON), or a text of Sleuth or GingerALE.
    annotation : path-like, optional
        JSON of the annotation of a studyset. Without it, those inside the studyset
        count, or else ``annotation.json`` (or ``..._annotation.json``) beside it.
    include : str, optional
        The column of the annotation that says which analyses count. Without it all do.

    Returns
    -------
    Studies
        Foci in MNI mm; ``notices`` says what was assumed or left out.

    Raises
    ------
    ResultsError
        When the file cannot be read or is something else; the text says what to do.
    """
    path = Path(path)
    text, notices = _read_text(path)
    if is_sleuth(text):
        _refuse_choice(path, annotation, include)
        if text.count("\n") > _MOST_LINES:
            raise ResultsError(
                f"{path} has more than {_MOST_LINES:,} lines. Write the foci of your "
                "meta-analysis alone."
            )
        studies = parse_sleuth(text, path.stem)
    else:
        document = _parse_json(path, text)
        inner = unwrap_snapshot(document)
        if isinstance(inner, Mapping) and isinstance(inner.get("studies"), list):
            studies = _studyset(path, document, annotation, include)
        elif isinstance(document, Mapping) and is_dataset(document):
            _refuse_choice(path, annotation, include)
            studies = parse_dataset(document, path.stem)
        else:
            raise ResultsError(_not_studies(path, inner))
    if not studies.studies:
        raise ResultsError(f"{path} holds no study. {_WANTED}")
    return replace(
        studies,
        name=studies.name or path.stem,
        notices=(*notices, *studies.notices),
        file=StudyFile(
            os.fspath(path), os.fspath(annotation) if annotation else "", include
        ),
    )


def annotation_columns(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """List the columns by which the analyses of a studyset can be chosen.

    Parameters
    ----------
    path : path-like
        Of a file that `open_studies` takes.

    Returns
    -------
    tuple of str
        Columns of the annotation inside the studyset or beside it; none when there is
        no annotation, or the file is no studyset.
    """
    path = Path(path)
    try:
        text, _ = _read_text(path)
        found = None if is_sleuth(text) else _parse_json(path, text)
        document = unwrap_snapshot(found)
        annotations = _annotations(path, document, None, [])
    except ResultsError:
        return ()
    return tuple(
        dict.fromkeys(column for one in annotations for column in _columns(one))
    )


def open_included(path: str) -> Studies:
    """Open the studies of a folder: where something says which count, those."""
    known = _INCLUDED in annotation_columns(path)
    return open_studies(path, include=_INCLUDED if known else None)


def _read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """Read a file of bounded size, and say so when its letters are broken."""
    refuse_placeholder(path)
    try:
        # A pipe or a device would never end.
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise ResultsError(f"{path} {what}. {_WANTED}")
        with path.open("rb") as file:
            data = read_at_most(file, MOST_MIB * _MIB)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ResultsError(f"{path} cannot be read: {reason}.") from error
    if len(data) > MOST_MIB * _MIB:
        raise ResultsError(
            f"{path} is larger than {MOST_MIB} MiB. Write the studies of your "
            "meta-analysis alone, without texts and images."
        )
    for start, why in _REFUSED.items():
        if data.startswith(start):
            raise ResultsError(f"{path} {why}")
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(coding), ()
    except UnicodeDecodeError:
        return _read_broken(data, coding, path.name)


def _read_broken(data: bytes, coding: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Read what is not of its coding: old Windows text has a minus of its own."""
    text = data.decode(coding, "replace")
    told = f"{name} is not {coding.removesuffix('-sig').upper()}: "
    if coding == "utf-16" or any(c > "\x7f" and c != "\ufffd" for c in text):
        return text, (f"{told}letters that cannot be read are shown as \ufffd.",)
    text = data.decode("cp1252", "replace")
    return text, (f"{told}it is read as Windows-1252, and letters may be wrong.",)


def _parse_json(path: Path, text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        raise ResultsError(f"{path} holds no studies that are known here. {_WANTED}")
    try:
        return load_json(text, _MOST_MEMORY)
    except JsonRefusedError as error:
        raise ResultsError(f"{path} {error}. Export it again.") from None
    except ValueError as error:
        raise ResultsError(
            f"{path} is broken JSON ({str(error)[:120]}). Export it again."
        ) from error


def _not_studies(path: Path, document: Any) -> str:
    if isinstance(document, Mapping):
        if document.get("format") == "nimare-studyset-parquet":
            return f"{path} {_REFUSED[b'PAR1']}".replace(
                "is a Parquet", "names Parquet"
            )
        if isinstance(document.get("notes"), list):
            return f"{path} is an annotation. Open the studyset that it belongs to."
    return f"{path} holds no studies that are known here. {_WANTED}"


def _refuse_choice(path: Path, annotation: object, include: str | None) -> None:
    if annotation is not None or include is not None:
        raise ResultsError(
            f"{path} is not a studyset: it has no annotation to choose analyses by. "
            "Leave annotation and include out."
        )


def _studyset(
    path: Path,
    document: Any,
    annotation: str | os.PathLike[str] | None,
    include: str | None,
) -> Studies:
    notices: list[str] = []
    found = _annotations(path, unwrap_snapshot(document), annotation, notices)
    columns = list(dict.fromkeys(column for one in found for column in _columns(one)))
    listed = ", ".join(columns[:_MOST_COLUMNS])
    if include is None:
        studies = parse_studies(document, None, None)
        if columns:
            notices.append(
                f"All analyses are shown; an annotation can choose some, by: {listed}."
            )
    else:
        chosen = next((one for one in found if include in _columns(one)), None)
        if chosen is None:
            there = f"the columns {listed}" if columns else "no annotation"
            raise ResultsError(
                f"{path} cannot be narrowed by {include!r}: there is {there}. "
                "Name one that there is, or give the file of the annotation."
            )
        studies = parse_studies(document, chosen, {"filter": include})
    return replace(studies, notices=(*notices, *studies.notices))


def _annotations(
    path: Path,
    studyset: Any,
    given: str | os.PathLike[str] | None,
    notices: list[str],
) -> list[Mapping[str, Any]]:
    """Find the annotations of a studyset: the one given, those inside, one beside."""
    if given is not None:
        return [_read_annotation(Path(given))]
    inside = [
        one
        for one in map(unwrap_snapshot, list_field(studyset, "annotations"))
        if isinstance(one, Mapping) and _columns(one)
    ]
    if inside:
        return inside
    for beside in _places_beside(path):
        if beside != path and beside.is_file():
            try:
                return [_read_annotation(beside)]
            except ResultsError as error:
                notices.append(str(error))
    return []


def _places_beside(path: Path) -> list[Path]:
    stems = [
        path.stem.replace("studyset", "annotation"),
        f"{path.stem}_annotation",
        "annotation",
    ]
    return [path.with_name(f"{stem}.json") for stem in dict.fromkeys(stems)]


def _read_annotation(path: Path) -> Mapping[str, Any]:
    text, _ = _read_text(path)
    document = unwrap_snapshot(_parse_json(path, text))
    if not isinstance(document, Mapping) or not _columns(document):
        raise ResultsError(
            f"{path} is not an annotation: it holds no notes on analyses."
        )
    return document


def _columns(annotation: Mapping[str, Any]) -> list[str]:
    """List the columns that notes have."""
    found: dict[str, None] = {}
    for entry in list_field(annotation, "notes"):
        note = entry.get("note") if isinstance(entry, Mapping) else None
        if isinstance(note, Mapping):
            found |= dict.fromkeys(note)
    return list(found)
