"""What people paste when they mean a place, read as x, y and z in MNI mm.

Coordinates are copied out of papers, tables and other viewers, and each writes them in
its own way. A text that can be read in two ways is refused rather than guessed.
"""

from __future__ import annotations

import math
import re

from napari_neurosynth_results.errors import ResultsError

Coordinate = tuple[float, float, float]

#: No brain reaches farther from the origin of MNI space, in mm.
FARTHEST_MM = 250.0

_AXES = "xyz"
#: Each axis (a) before its number (n), or all of them before all numbers.
_ORDERS = frozenset({"ananan", "aaannn"})
_ACCEPTED = 'Write x, y and z in MNI mm, as in "38 4 2" or "x=38, y=4, z=2".'
#: So much of a text that cannot be read is repeated.
_QUOTED = 30
#: The minus signs of papers, the commas and brackets of a Chinese or Japanese keyboard,
#: and spaces that nobody sees.
_PLAIN = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-")
    | {"\uff0c": ",", "\uff1b": ";", "\uff08": "(", "\uff09": ")"}
    | dict.fromkeys("\u200b\ufeff", " ")
)
#: A minus that lost touch with its number.
_LOOSE_MINUS = re.compile(r"(?:(?<=[\s,;:=(\[{|/])|^)-\s+(?=[\d.])")
#: No brain has a place at x = 152.
_MNI = re.compile(r"\bmni(?:[ -]?152\w*)?\b", re.IGNORECASE)
_TALAIRACH = re.compile(r"\b(?:tal|talairach|tlrc)\b", re.IGNORECASE)
#: Words that change nothing.
_IGNORED = frozenset({"mm", "space", "coordinate", "coordinates", "at"})
_DIGITS = r"\d+(?:\.\d*)?|\.\d+"
_TOKEN = re.compile(
    rf"""
    (?P<number>[+-]?(?:{_DIGITS})(?:e[+-]?\d+)?(?![\d.]))
    | (?P<word>[^\W\d_]+)
    | (?P<between>[\s,;:=()\[\]{{}}|/"']+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")


def parse_place(text: str) -> Coordinate:
    """Read a coordinate as people write it.

    Parameters
    ----------
    text : str
        Three numbers with anything usual between and around them, or each with its
        axis, in any order. Minus signs may be those of papers; commas may be decimal
        where they cannot be anything else.

    Returns
    -------
    tuple of float
        x, y and z in MNI mm.

    Raises
    ------
    ResultsError
        When there are not three finite numbers within 250 mm, when the text can be read
        in two ways, or when it speaks of Talairach space; the text says what is
        accepted.

    Examples
    --------
    >>> parse_place("MNI152 (38, 4, \u22122)")
    (38.0, 4.0, -2.0)
    >>> parse_place("z=2 x=38 y=4")
    (38.0, 4.0, 2.0)
    >>> parse_place("38,5; 4,0; 2,0")
    (38.5, 4.0, 2.0)
    """
    if _TALAIRACH.search(text):
        raise ResultsError(
            "This is a Talairach coordinate, which lies elsewhere in MNI space. "
            "Convert it first, by NiMARE's tal2mni for instance, and write MNI mm."
        )
    plain = _MNI.sub(" ", text.translate(_PLAIN)).strip(" \t\r\n,;.")
    plain = _with_points(_LOOSE_MINUS.sub("-", plain))
    axes, numbers, order = _tokens(plain, text)
    if (n := len(numbers)) != len(_AXES):
        found = f"{n or 'no'} number{'s' * (n != 1)}"
        raise ResultsError(f"{_quoted(text)} has {found}, not 3. {_ACCEPTED}")
    if axes and (sorted(axes) != list(_AXES) or order not in _ORDERS):
        raise ResultsError(
            f"{_quoted(text)} does not give each of x, y and z one number. {_ACCEPTED}"
        )
    by_axis = dict(zip(axes or _AXES, numbers, strict=True))
    return _within_reach((by_axis["x"], by_axis["y"], by_axis["z"]))


def format_place(place: Coordinate) -> str:
    """Write a place as `parse_place` reads it, to a tenth of a mm.

    >>> format_place((38.0, -4.25, -0.01))
    '38, -4.2, 0'
    """
    return ", ".join(f"{round(mm, 1) + 0.0:.1f}".removesuffix(".0") for mm in place)


def _with_points(plain: str) -> str:
    """Turn decimal commas into points, where commas cannot stand between numbers."""
    commas = len(_DECIMAL_COMMA.findall(plain))
    if not commas or "." in plain:
        return plain
    # Beside semicolons a comma is decimal. Without them all three numbers have to have
    # one: of "38,4, 2, 1" nobody knows which three numbers are meant.
    decimal = ";" in plain or commas == len(_AXES)
    return _DECIMAL_COMMA.sub(".", plain) if decimal else plain


def _tokens(plain: str, text: str) -> tuple[list[str], list[float], str]:
    """Take a text apart: axes, numbers, and in which order they come."""
    axes: list[str] = []
    numbers: list[float] = []
    order, at, before = "", 0, ""
    while at < len(plain):
        match = _TOKEN.match(plain, at)
        kind = match.lastgroup if match else None
        if match is None or (kind == before == "number"):
            # Two numbers in touch, as in "38-4-2", are a range or a date.
            raise ResultsError(f"{_quoted(text)} cannot be read. {_ACCEPTED}")
        token = match[0].lower()
        if kind == "number":
            numbers.append(float(token))
            order += "n"
        elif kind == "word" and set(token) <= set(_AXES):
            axes += token
            order += "a" * len(token)
        elif kind == "word" and token not in _IGNORED:
            raise ResultsError(f"{_quoted(match[0])} cannot be read. {_ACCEPTED}")
        at, before = match.end(), kind or ""
    return axes, numbers, order


def _within_reach(place: Coordinate) -> Coordinate:
    for axis, mm in zip(_AXES, place, strict=True):
        if not (math.isfinite(mm) and abs(mm) <= FARTHEST_MM):
            raise ResultsError(
                f"{axis} = {mm:g} lies outside of every head: mm in MNI space go from "
                f"-{FARTHEST_MM:g} to {FARTHEST_MM:g}."
            )
    return place


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        return "An empty text"
    return f'"{text[:_QUOTED]}..."' if len(text) > _QUOTED else f'"{text}"'
