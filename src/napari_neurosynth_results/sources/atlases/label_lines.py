"""Lists of labels without headers: which number of a line is the label, what the name.

Programs that show labels put colors before the name (FSLeyes, SUIT, ITK-SNAP), behind
it (FreeSurfer) or on a line of their own (Workbench). What is a color is told by the
list as a whole: one line that ends with three numbers may be a name ("Areas 3 1 2").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from napari_neurosynth_results.anatomy.numerals import read_number

#: Number, name, side.
LabelRow = tuple[int, str, str]

#: AFNI's table (``.niml.lt``): quoted pairs within one element of NIML.
_AFNI = re.compile(r"<\s*VALUE_LABEL_DTABLE\b[^>]*>([^<]*)")
_AFNI_PAIR = re.compile(r'"?(-?\d{1,18})"?\s+"([^"]*)"')
#: What quotes hold is one field, whatever it looks like (ITK-SNAP, AFNI).
_FIELD = re.compile(r'"[^"]*"|\S+')
_HEX = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})", re.IGNORECASE)
#: Red, green and blue in one cell of a table.
_TRIPLE = re.compile(r"[(\[]?\s*\d+(?:\.\d+)?(?:[\s,;]+\d+(?:\.\d+)?){2,3}\s*[)\]]?")
_COMMENTS = ("#", "//", "%")
#: What may stand behind the number of a label.
_AFTER_NUMBER = ".:=)"
_COLORS = 3
#: Opaque or transparent, in bytes or as a share.
_ALPHA = frozenset({0.0, 1.0, 255.0})
#: The codes of AAL (2001 and so on) and of nothing else have four digits.
_LEAST_CODE = 1000
_MOST_TISSUE = 8
#: AAL's abbreviations, as in "FAG Precentral_L 2001".
_SHORT = re.compile(r"[A-Z][A-Z0-9]{0,5}")


class _Line(NamedTuple):
    """The label of a line, and all else that the line says."""

    label: int
    rest: list[str]


def content_lines(text: str) -> list[str]:
    """Return the lines that are neither empty nor comments."""
    lines = [line for line in text.splitlines() if line.strip()]
    return [line for line in lines if not line.lstrip().startswith(_COMMENTS)]


def afni_rows(text: str) -> list[LabelRow]:
    """Read AFNI's label table (``.niml.lt``), none where it is something else."""
    return [
        (int(label), name, "")
        for table in _AFNI.findall(text)
        for label, name in _AFNI_PAIR.findall(table)
        if int(label)
    ]


def workbench_rows(lines: Sequence[str]) -> list[LabelRow]:
    """Read Connectome Workbench's list, none where it is something else.

    Each label has two lines: its name, then its number, red, green, blue and opacity.
    """
    keys = [_key_and_color(line) for line in lines]
    if len(lines) % 2 or any(keys[::2]) or not all(keys[1::2]):
        return []
    pairs = zip(lines[::2], keys[1::2], strict=True)
    return [(key[0], name.strip(), "") for name, key in pairs if key and key[0]]


def _key_and_color(line: str) -> list[int]:
    numbers = [whole_number(field) for field in line.split()]
    whole = [number for number in numbers if number is not None]
    return whole if len(numbers) == len(whole) == 2 + _COLORS else []


def split_fields(line: str) -> list[str]:
    """Split a line at white space; what is in quotes stays together, with them."""
    return _FIELD.findall(line)


def read_lines(rows: Sequence[Sequence[str]], *, are_cells: bool) -> list[LabelRow]:
    """Read lines of a number and a name, with colors or without.

    Parameters
    ----------
    rows : sequence of sequence of str
        The fields of each line.
    are_cells : bool
        Whether they are cells of a table, so that a name is one of them, or words.

    Returns
    -------
    list of tuple
        Label, name and an empty side. Lines that are none of a label are left out; so
        is 0 of a list with colors, where it is what has no label.
    """
    filled = [[field for field in row if field.strip()] for row in rows]
    filled = [row for row in filled if len(row) > 1]
    numbered = [
        _Line(label, row[1:])
        for row in filled
        if (label := _label_of(row[0])) is not None
    ]
    if 2 * len(numbered) < len(filled):
        return _names_first(filled, are_cells=are_cells)
    plain = [_Line(label, _without_color_fields(rest)) for label, rest in numbered]
    colored = any(
        len(a.rest) < len(b.rest) for a, b in zip(plain, numbered, strict=True)
    )
    for strip in (_without_front, _without_back):
        shorter = strip(plain)
        if shorter is not plain:
            plain, colored = shorter, True
            break
    else:
        plain = _without_codes(plain)
    return [
        (label, " ".join(map(_unquoted, rest)), "")
        for label, rest in plain
        if (label or not colored) and not _only_numbers(rest)
    ]


def whole_number(text: str) -> int | None:
    """Read a whole number; tables made by programs of statistics say 3.0."""
    text = text.strip()
    if not 0 < len(text) <= 20 or not text.isascii():
        return None
    try:
        return int(text.removesuffix(".0"))
    except ValueError:
        return None


def _label_of(field: str) -> int | None:
    return whole_number(_unquoted(field).rstrip(_AFTER_NUMBER))


def _unquoted(field: str) -> str:
    quoted = len(field) > 1 and field[0] == field[-1] == '"'
    return field[1:-1] if quoted else field


def _is_number(field: str) -> bool:
    return len(field.split()) == 1 and read_number(field) is not None


def _only_numbers(rest: Sequence[str]) -> bool:
    """Whether nothing is left that could be a name: a color map has none."""
    return not rest or (len(rest) > 1 and all(map(_is_number, rest)))


def _without_color_fields(rest: list[str]) -> list[str]:
    left = [f for f in rest if not (_HEX.fullmatch(f) or _TRIPLE.fullmatch(f.strip()))]
    return left or rest


def _usual(lines: Sequence[_Line], count: Callable[[list[str]], int]) -> int:
    """Return how many numbers stand before or behind most of the names."""
    counts = Counter(count(rest) for _, rest in lines if not all(map(_is_number, rest)))
    most = max(counts.values(), default=0)
    return min((n for n, found in counts.items() if found == most), default=0)


def _in_front(rest: list[str]) -> int:
    n = 0
    while n < len(rest) and _is_number(rest[n]):
        n += 1
    return n


def _behind(rest: list[str]) -> int:
    return _in_front(rest[::-1])


def _without_front(lines: list[_Line]) -> list[_Line]:
    """Take colors off that stand before names, and ITK-SNAP's numbers with them."""
    n = _usual(lines, _in_front)
    if n < _COLORS:
        return lines
    return [_Line(label, rest[min(n, _in_front(rest)) :]) for label, rest in lines]


def _without_back(lines: list[_Line]) -> list[_Line]:
    """Take colors off that stand behind names."""
    n = _usual(lines, _behind)
    if n < _COLORS:
        return lines
    n = _color_columns([rest[-n:] for _, rest in lines if _behind(rest) == n], n)
    return [
        _Line(label, rest[:-n] if _behind(rest) >= n else rest) for label, rest in lines
    ]


def _color_columns(found: Sequence[list[str]], n: int) -> int:
    """Say how many of n last columns are colors, when names may end with a number."""
    columns = [
        {read_number(field) for field in column} for column in zip(*found, strict=True)
    ]
    # FreeSurfer's list may have the type of a tissue behind red, green, blue and alpha.
    if n == _COLORS + 2:
        types = all(one is not None and one <= _MOST_TISSUE for one in columns[-1])
        if not (types and len(columns[-2]) == 1 and len(found) > 1):
            n -= 1
    elif n == _COLORS + 1 and not columns[-1] <= _ALPHA:
        n -= 1
    return n


def _without_codes(lines: list[_Line]) -> list[_Line]:
    """Take a last column off that repeats the labels, or is one of AAL's codes."""
    ends = [
        (label, whole_number(rest[-1]) if len(rest) > 1 else None)
        for label, rest in lines
    ]
    again = 2 * sum(label == end for label, end in ends) > len(ends)
    codes = all(end is not None and end >= _LEAST_CODE for _, end in ends)
    return [
        _Line(label, rest[:-1] if codes or (again and end == label) else rest)
        for (label, rest), (_, end) in zip(lines, ends, strict=True)
    ]


def _names_first(rows: Sequence[list[str]], *, are_cells: bool) -> list[LabelRow]:
    """Read lines of a name and a number; the older AAL has a short name before it."""
    found: list[tuple[list[str], int]] = []
    for row in rows:
        n = _behind(row)
        words, numbers = row[: len(row) - n], row[len(row) - n :]
        if not words or not numbers:
            continue
        # The label, perhaps behind a number of the name, and perhaps with its color.
        at = max(0, n - 2 - _COLORS) if n > _COLORS else n - 1
        label = whole_number(numbers[at])
        if label is not None:
            found.append((words + numbers[:at], label))
    short = are_cells or all(
        len(words) == 2 and _SHORT.fullmatch(words[0]) and len(words[1]) > 2
        for words, _ in found
    )
    return [
        (label, _unquoted(words[-1]) if short else " ".join(map(_unquoted, words)), "")
        for words, label in found
    ]
