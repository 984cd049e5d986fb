"""The names of an atlas's labels, from whatever kind of file its makers wrote.

Tables have no common form, so columns are found by their headers, and without headers
by what is in them. A file that can be understood in two ways is refused.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from napari_neurosynth_results.anatomy.region_names import tidy_name
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.sources.atlases.label_lines import (
    LabelRow,
    afni_rows,
    content_lines,
    read_lines,
    split_fields,
    whole_number,
    workbench_rows,
)
from napari_neurosynth_results.sources.placeholders import (
    load_json,
    read_at_most,
    refuse_placeholder,
)

#: Endings of files that names are read from, the likeliest first.
ENDINGS = (".tsv", ".csv", ".xml", ".txt", ".niml.lt", ".json", ".lut")
#: Files of these endings may be about something else: how an image was made, or the
#: colors that it is shown in.
_DOUBTFUL = (".json", ".lut")
_MOST_BYTES = 8 << 20
_MOST_LABELS = 100_000
#: Of XML; each takes some hundred bytes.
_MOST_TAGS = 1_000_000
#: Characters kept of a name.
_LONGEST = 200
#: Headers of the columns with numbers, names and sides, the surest first.
_NUMBERS = (
    "index",
    "id",
    "value",
    "label number",
    "label id",
    "number",
    "no",
    "roi id",
    "roiid",
    "key",
    "intensity",
    "label",
)
_NAMES = (
    "name",
    "label name",
    "region name",
    "roi name",
    "roiname",
    "label",
    "region",
    "roi",
    "structure",
)
_SIDES = ("hemisphere", "hemi", "side")

#: Files looked at in a folder that may hold anything.
_MOST_FILES = 2000
_HEAD = 8192
# Tables of BIDS leave out what does not change the labels.
_RESOLUTION = re.compile(r"_res-[0-9a-zA-Z]+")
_SAYS_LABELS = re.compile(r"(?i)label|lut|lookup|region|parcel|rois?(?![a-z])|names")


def read_names(path: str) -> dict[int, str]:
    """Read the names of an atlas's labels.

    Parameters
    ----------
    path : str
        A ``.csv`` or ``.tsv`` table, FSL's or NeuroVault's ``.xml``, a ``.txt`` or
        ``.lut`` file of numbers and names (also with the colors of FSLeyes, SUIT,
        ITK-SNAP, FreeSurfer and Workbench), AFNI's ``.niml.lt``, or a ``.json`` object.

    Returns
    -------
    dict of int to str
        As numbered in the file; `parse_label_xml` says what that means in XML. Names
        are tidied: see `tidy_name`.

    Raises
    ------
    ResultsError
        With the file and the reason, when there are no names in it.
    """
    data = _bytes(path)
    ending = os.path.splitext(path)[1].lower()
    if ending == ".xml":
        rows: Iterable[LabelRow] = (
            (label, name, "") for label, name in parse_label_xml(data, path).items()
        )
    elif ending == ".json":
        rows = _json_rows(_text(data, path), path)
    else:
        rows = _table_rows(_text(data, path), path)
    return _join_rows(rows, path)


def find_names(image: str) -> str | None:
    """Find the file that names the labels of an image.

    Returns
    -------
    str or None
        A file of the same name, but for its ending and for BIDS's ``res-``, or with
        labels for atlas; one of FSL's lists that says it is for this image; or else the
        only list of labels in the folder. None when there is none, or several.
    """
    folder = os.path.dirname(image) or "."
    stem = split_extension(os.path.basename(image))[0]
    stem = stem or os.path.splitext(os.path.basename(image))[0]
    others = (_RESOLUTION.sub("", stem), stem.replace("atlas", "labels"))
    # MRIcron's list of x.nii.gz is called x.txt or x.nii.txt.
    for name in dict.fromkeys((stem, *others, f"{stem}.nii")):
        for ending in ENDINGS:
            path = os.path.join(folder, name + ending)
            if os.path.isfile(path) and (ending not in _DOUBTFUL or _is_names(path)):
                return path
    return _fsl_list(folder, stem) or _only_list(folder)


def parse_label_xml(data: bytes, what: str) -> dict[int, str]:
    """Read the names of an atlas's labels.

    In FSL's files the voxels of an atlas of type ``Label`` hold the index of a label,
    those of a probabilistic one (its summary image) the index plus 1. A second form,
    which NeuroVault accepts too, has the value itself in an ``<index>`` element.

    Parameters
    ----------
    data : bytes
        The file; its own declaration says how it is encoded.
    what : str
        What to call it in messages.

    Returns
    -------
    dict of int to str
        Voxel value -> name; the order in the file does not matter.

    Raises
    ------
    ResultsError
        When it is no such file, or declares entities, which may expand without end.
    """
    if len(data) > _MOST_BYTES:
        raise ResultsError(f"{what}: too large for a list of labels.")
    if data.count(b"<") > _MOST_TAGS:
        raise ResultsError(f"{what} cannot be read as XML: it has too many labels.")
    try:
        parser = ElementTree.XMLParser(target=_TreeBuilder())
        root = ElementTree.XML(data, parser)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ResultsError(f"{what} cannot be read as XML: {error}.") from error
    if not (names := _label_elements(root, what)):
        raise ResultsError(f"{what} names no label.")
    return names


class _TreeBuilder(ElementTree.TreeBuilder):
    """Builds the tree of a file that declares no document type."""

    def doctype(self, *declaration: object) -> None:
        # Entities are declared there, and nowhere else.
        raise ValueError(
            "it declares a document type, which lists of labels do not need"
        )


def _label_elements(root: ElementTree.Element, what: str) -> dict[int, str]:
    kind = "".join(_text_in(element) for element in _elements(root, "type"))
    # FSL itself spells the word in two ways.
    shift = 1 if kind.strip().lower().startswith("probab") else 0
    labels = _elements(root, "label")
    if len(labels) > _MOST_LABELS:
        raise ResultsError(f"{what} cannot be read as XML: it has too many labels.")
    names = {}
    for label in labels:
        if (index := label.get("index")) is not None:
            text, added = _text_in(label), shift
        else:
            index = "".join(map(_text_in, _elements(label, "index")))
            text, added = "".join(map(_text_in, _elements(label, "name"))), 0
        try:
            value = int(index.strip()) + added
        except ValueError:
            continue
        if name := " ".join(text[:_LONGEST].split()):
            names[value] = name
    return names


def _elements(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return [one for one in root.iter() if one.tag.rpartition("}")[2].lower() == tag]


def _text_in(element: ElementTree.Element) -> str:
    return (element.text or "") + "".join(child.tail or "" for child in element)


def _bytes(path: str) -> bytes:
    refuse_placeholder(path)
    try:
        with open(path, "rb") as file:
            data = read_at_most(file, _MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ResultsError(f"{path} cannot be read: {reason}.") from error
    if len(data) > _MOST_BYTES:
        raise ResultsError(f"{path} is too large for a list of labels.")
    return data


def _text(data: bytes, path: str) -> str:
    """Decode: UTF-8, UTF-16 that says so, or else what Windows wrote for decades."""
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = data.decode(encoding)
        except UnicodeError:
            continue
        if "\0" not in text:
            return text
        break
    raise ResultsError(f"{path} is not a text file. Give a table of labels and names.")


def _join_rows(rows: Iterable[LabelRow], path: str) -> dict[int, str]:
    """Tidy the names, and refuse a number that has two."""
    names: dict[int, str] = {}
    for label, text, side in rows:
        if not (name := tidy_name(text, side)):
            continue
        if names.setdefault(label, name) != name:
            raise ResultsError(
                f"{path} calls label {label} both {names[label]!r} and {name!r}. "
                "Correct the file."
            )
        if len(names) > _MOST_LABELS:
            raise ResultsError(f"{path} has too many labels for an atlas.")
    if not names:
        raise ResultsError(
            f"{path} names no label. It should have a number and a name in each line."
        )
    return names


def _json_rows(text: str, path: str) -> list[LabelRow]:
    """Read ``{id: name}``, ``{id: {"name": ..., "hemisphere": ...}}`` or one inside."""
    try:
        value = load_json(text)
    except ValueError as error:
        raise ResultsError(f"{path} cannot be read as JSON: {error}.") from error
    if isinstance(value, dict):
        inner = [one for one in value.values() if isinstance(one, dict)]
        tables = [value, *inner]
        for table in tables:
            if rows := _object_rows(table):
                return rows
    raise ResultsError(
        f'{path} is not a list of labels. It should read {{"1": "name", ...}}.'
    )


def _object_rows(table: Mapping[str, Any]) -> list[LabelRow]:
    rows = []
    for key, value in table.items():
        label = whole_number(key)
        if isinstance(value, dict):
            found = {_key(k): v for k, v in value.items()}
            name = next((found[k] for k in _NAMES if k in found), "")
            side = next((str(found[k]) for k in _SIDES if k in found), "")
        else:
            name, side = value, ""
        if label is not None and isinstance(name, str):
            rows.append((label, name, side))
    return rows


def _table_rows(text: str, path: str) -> list[LabelRow]:
    if rows := afni_rows(text):
        return rows
    lines = content_lines(text)
    if not lines:
        raise ResultsError(f"{path} is empty. Give a table of labels and names.")
    if rows := workbench_rows(lines):
        return rows
    if (delimiter := _delimiter(lines, path)) is None:
        return read_lines(list(map(split_fields, lines)), are_cells=False)
    try:
        cells = [
            [cell.strip() for cell in row]
            for row in csv.reader(lines, delimiter=delimiter, strict=False)
        ]
    except csv.Error as error:
        raise ResultsError(f"{path} cannot be read as a table: {error}.") from error
    if delimiter == "\t" and _is_spaced(cells):
        return read_lines(list(map(split_fields, lines)), are_cells=False)
    if any(whole_number(cell) is not None for cell in cells[0]):
        return read_lines(cells, are_cells=True)
    return _headed_rows(cells[0], cells[1:], path)


def _is_spaced(cells: Sequence[Sequence[str]]) -> bool:
    """Whether columns are parted by tabs and by spaces, as in FreeSurfer's lists."""
    firsts = [row[0].split() for row in cells]
    if not all(first and whole_number(first[0]) is not None for first in firsts):
        return False
    widest = max(sum(map(bool, row)) for row in cells)
    return widest <= 2 or any(len(first) > 1 for first in firsts)


def _delimiter(lines: Sequence[str], path: str) -> str | None:
    """Find what separates columns; None for white space."""
    candidates = "\t,;" if not path.lower().endswith(".csv") else ",;\t"
    for delimiter in candidates:
        # A name may hold a comma, so that one line of text proves nothing.
        if all(delimiter in line for line in lines[:5]):
            # "1 Frontal pole, left" has no columns, "1, Frontal pole" has.
            spaced = delimiter in ",;" and candidates[0] == "\t"
            if spaced and whole_number(lines[-1].split()[0]) is not None:
                return None
            return delimiter
    return None


def _headed_rows(
    header: Sequence[str], cells: Sequence[Sequence[str]], path: str
) -> list[LabelRow]:
    """Read a table by the words in its first line."""
    columns: dict[str, int] = {}
    for n, word in enumerate(header):
        columns.setdefault(_key(word), n)
    number = next(
        (
            columns[word]
            for word in _NUMBERS
            if word in columns and _is_numbers(cells, columns[word])
        ),
        None,
    )
    name = next(
        (columns[word] for word in _NAMES if columns.get(word, number) != number), None
    )
    if number is None or name is None:
        missing = "numbers" if number is None else "names"
        raise ResultsError(
            f"{path} has no column of {missing} that is known by its header "
            f"({', '.join(header)[:200]}). Call the columns index and name."
        )
    side = next((columns[word] for word in _SIDES if word in columns), None)
    rows = []
    for line in cells:
        label = whole_number(_cell(line, number))
        if label is not None:
            text = "" if side is None else _cell(line, side)
            rows.append((label, _cell(line, name), text))
    return rows


def _is_numbers(cells: Sequence[Sequence[str]], column: int) -> bool:
    filled = [cell for line in cells if (cell := _cell(line, column))]
    return bool(filled) and all(whole_number(cell) is not None for cell in filled)


def _key(word: str) -> str:
    return " ".join(word.lower().replace("_", " ").replace("-", " ").split())


def _cell(line: Sequence[str], column: int) -> str:
    return line[column] if column < len(line) else ""


def _fsl_list(folder: str, stem: str) -> str | None:
    """Return the list in the folder above that names this image as one of its own."""
    folder = os.path.abspath(folder)
    above, inside = os.path.split(folder)
    wanted = f"/{inside}/{stem}<".encode()
    for name in _names_in(above):
        path = os.path.join(above, name)
        if name.lower().endswith(".xml") and wanted in _head(path):
            return path
    return None


def _only_list(folder: str) -> str | None:
    """Return the one file of a folder that says that it is a list of labels."""
    found = [
        os.path.join(folder, name)
        for name in _names_in(folder)
        if name.lower().endswith(ENDINGS)
        and _SAYS_LABELS.search(os.path.splitext(name)[0])
    ]
    return found[0] if len(found) == 1 and _is_names(found[0]) else None


def _names_in(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return names if len(names) <= _MOST_FILES else []


def _head(path: str) -> bytes:
    """Read where FSL's lists say which images they are for."""
    if not os.path.isfile(path):  # a pipe would never end
        return b""
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _is_names(path: str) -> bool:
    try:
        return bool(read_names(path))
    except ResultsError:
        return False
