"""Numbers as people and programs write them: minus signs of papers, decimal commas.

The one reader of numbers for whatever was typed, pasted or exported by others. What can
be read in two ways is no number.
"""

from __future__ import annotations

import re
from typing import Any

#: Digits with a point, or without: what `float` takes, but for names such as "nan".
DIGITS = r"\d+(?:\.\d*)?|\.\d+"
#: Signs that papers, spreadsheets and copied PDFs have for a minus; commas, brackets
#: and the plus of a Chinese or Japanese keyboard; spaces that nobody sees.
_PLAIN = str.maketrans(
    dict.fromkeys(
        "\u00ad\u02d7\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u208b\u2212"
        "\u2796\ufe58\ufe63\uff0d",
        "-",
    )
    | {"\uff0c": ",", "\uff1b": ";", "\uff08": "(", "\uff09": ")", "\uff0b": "+"}
    | {"\uff0e": "."}
    | dict.fromkeys("\u200b\u200e\u200f\u2060\ufeff", " ")
)
#: A minus that lost touch with its number.
_LOOSE_MINUS = re.compile(r"(?:(?<=[\s,;:=(\[{|/])|^)-\s+(?=[\d.])")
_NUMBER = re.compile(rf"[+-]?(?:{DIGITS})(?:e[+-]?\d+)?", re.IGNORECASE)
#: Thousands in groups of three: by commas, points, spaces or apostrophes.
_COMMA = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_POINT = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?")
_SPACE = re.compile(r"[+-]?\d{1,3}(?:[\s'\u2019]\d{3})+(?:[.,]\d*)?")
_GROUPING = re.compile(r"[\s'\u2019]")
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
_APART = re.compile(r"[\s;]+")
_LONGEST = 60
#: What is larger is a mistake, and squares of it would be infinite.
_LARGEST = 1e300


def plain_signs(text: str) -> str:
    """Write minus signs, commas and brackets of any keyboard as those of ASCII.

    >>> plain_signs("\u221242\uff0c \u2013 3")
    '-42, -3'
    """
    return _LOOSE_MINUS.sub("-", text.translate(_PLAIN))


def read_number(value: Any) -> float | None:
    """Read one number, or a text that is one number.

    Parameters
    ----------
    value : object
        A number, or a text with any usual minus sign. A comma alone is decimal; commas,
        points and spaces are taken for thousands where they can be nothing else.

    Returns
    -------
    float or None
        None for all else, and for what is not finite: yes and no are no numbers.

    Examples
    --------
    >>> read_number("\u221242,5"), read_number(" 1e-3 "), read_number("1,234.5")
    (-42.5, 0.001, 1234.5)
    >>> read_number("3 4"), read_number("nan"), read_number(True)
    (None, None, None)
    """
    if isinstance(value, str):
        value = _number_in(value)
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if real and abs(value) < _LARGEST else None


def read_count(value: Any) -> float | None:
    """Read how many there are: here groups of three digits are thousands.

    >>> read_count("1,234"), read_count("1.234"), read_count("12,5")
    (1234.0, 1234.0, 12.5)
    """
    if isinstance(value, str) and len(value) <= _LONGEST:
        plain = plain_signs(value).strip()
        for form in (_COMMA, _POINT):
            if form.fullmatch(plain) and not plain.startswith("0"):
                return read_number(re.sub(r"[.,](?=\d{3}(?!\d))", "", plain))
    return read_number(value)


def with_points(plain: str, n: int) -> str:
    """Turn the decimal commas of a row into points, where they can be nothing else.

    Parameters
    ----------
    plain : str
        Of `plain_signs`.
    n : int
        How many numbers are expected.

    Returns
    -------
    str
        Unchanged where commas may stand between numbers.

    Examples
    --------
    >>> with_points("38,5; 4,0; 2", 3), with_points("38,5 4 2,1", 3)
    ('38.5; 4.0; 2', '38.5 4 2.1')
    >>> with_points("38,4,2", 3)
    '38,4,2'
    """
    commas = len(_DECIMAL_COMMA.findall(plain))
    if not commas:
        return plain
    fields = [field for field in _APART.split(plain) if field]
    if len(fields) == n and all(_one_comma(field) for field in fields):
        return _DECIMAL_COMMA.sub(".", plain)
    if "." in plain:
        return plain
    # Beside semicolons a comma is decimal. Without them all n numbers have to have
    # one: of "38,4, 2, 1" nobody knows which three numbers are meant.
    decimal = ";" in plain or commas == n
    return _DECIMAL_COMMA.sub(".", plain) if decimal else plain


def _one_comma(field: str) -> bool:
    """Whether a field is a number in which a comma, if any, is decimal."""
    return bool(_NUMBER.fullmatch(field.replace(",", ".", 1)))


def _number_in(text: str) -> float | None:
    if len(text) > _LONGEST:
        return None
    plain = plain_signs(text).strip()
    if "," in plain:
        if plain.count(",") == 1 and "." not in plain:
            plain = plain.replace(",", ".")
        elif _COMMA.fullmatch(plain):
            plain = plain.replace(",", "")
        elif _POINT.fullmatch(plain):
            plain = plain.replace(".", "").replace(",", ".")
    elif plain.count(".") > 1 and _POINT.fullmatch(plain):
        plain = plain.replace(".", "")
    if _SPACE.fullmatch(plain):
        plain = _GROUPING.sub("", plain)
    return float(plain) if _NUMBER.fullmatch(plain) else None


def counted(n: int, one: str, several: str = "") -> str:
    """Write how many of something there are.

    Parameters
    ----------
    one, several : str
        What one and several are called; several have an s if not given.

    Examples
    --------
    >>> counted(1, "map"), counted(1234, "map"), counted(2, "focus", "foci")
    ('1 map', '1,234 maps', '2 foci')
    """
    return f"{n:,} {one if n == 1 else several or f'{one}s'}"


def short_percent(percent: float) -> str:
    """Write a share of a hundred: what is there is not none, and most is not all.

    Examples
    --------
    >>> [short_percent(share) for share in (0, 0.4, 37.6, 99.7, 100)]
    ['0 %', '<1 %', '38 %', '>99 %', '100 %']
    """
    if 0 < percent < 1:
        return "<1 %"
    return ">99 %" if 99 < percent < 100 else f"{percent:.0f} %"
