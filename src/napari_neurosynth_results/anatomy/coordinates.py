"""What people paste when they mean a place, read as x, y and z in MNI mm.

Coordinates are copied out of papers, tables and other viewers, and each writes them in
its own way. A text that can be read in two ways is refused rather than guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.numerals import DIGITS, plain_signs, with_points
from napari_neurosynth_results.errors import ResultsError

Coordinate = tuple[float, float, float]

#: No brain reaches farther from the origin of MNI space, in mm.
FARTHEST_MM = 250.0

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
TAL_TO_MNI = np.linalg.inv(MNI_TO_TAL)

_AXES = "xyz"
#: Each axis (a) before its number (n), or all of them before all numbers.
_ORDERS = frozenset({"ananan", "aaannn"})
_ACCEPTED = 'Write x, y and z in MNI mm, as in "38 4 2" or "x=38, y=4, z=2".'
#: So much of a text that cannot be read is repeated.
_QUOTED = 30
#: No brain has a place at x = 152.
_MNI = re.compile(r"\bmni(?:[ -]?152\w*)?\b", re.IGNORECASE)
#: As programs and people call the spaces: ``mni152_2mm`` and ``ale_2mm`` are NiMARE's
#: own, ``TT_N27`` and ``TLRC`` are AFNI's. MNI305 is another space.
_MNI_NAMES = re.compile(
    r"(?<![^\W_])(?:mni(?:[-_ ]?icbm)?(?:[-_ ]?152\w*)?(?![^\W_])|montreal|"
    r"icbm[-_ ]?152|ale[-_ ]?\d?mm(?![^\W_]))",
    re.IGNORECASE,
)
_TALAIRACH = re.compile(
    r"(?<![^\W_])(?:tal(?:88)?|talairach\d*|tlrc|tt[-_ ]?n27)(?![^\W_])", re.IGNORECASE
)
#: Words that change nothing.
_IGNORED = frozenset({"mm", "space", "coordinate", "coordinates", "at"})
_TOKEN = re.compile(
    rf"""
    (?P<number>[+-]?(?:{DIGITS})(?:e[+-]?\d+)?(?![\d.]))
    | (?P<word>[^\W\d_]+)
    | (?P<between>[\s,;:=()\[\]{{}}|/"']+)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def tal_to_mni(where: Sequence[float]) -> Coordinate:
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
    x, y, z, _ = TAL_TO_MNI @ (*where, 1.0)
    return float(x), float(y), float(z)


def mni_to_tal(places: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Move places from MNI to Talairach space.

    Parameters
    ----------
    places : array_like, shape (n, 3)
        MNI mm.

    Returns
    -------
    ndarray, shape (n, 3)
        Talairach mm (Lancaster's "icbm_other").
    """
    places = np.asarray(places, np.float64).reshape(-1, 3)
    return np.asarray(places @ MNI_TO_TAL[:3, :3].T + MNI_TO_TAL[:3, 3])


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
    return _within_reach(read_triple(_MNI.sub(" ", text), text))


def read_triple(text: str, quoted: str = "") -> Coordinate:
    """Read x, y and z, wherever they are.

    Parameters
    ----------
    text : str
        As for `parse_place`, without words for a space.
    quoted : str
        What a message repeats; the text itself when not given.

    Returns
    -------
    tuple of float
        x, y and z.

    Raises
    ------
    ResultsError
        When there are not three numbers, or the text can be read in two ways.
    """
    plain = plain_signs(text).strip(" \t\r\n,;.")
    text = quoted or text
    axes, numbers, order = _tokens(with_points(plain, len(_AXES)), text)
    if (n := len(numbers)) != len(_AXES):
        found = f"{n or 'no'} number{'s' * (n != 1)}"
        raise ResultsError(f"{_quoted(text)} has {found}, not 3. {_ACCEPTED}")
    if axes and (sorted(axes) != list(_AXES) or order not in _ORDERS):
        raise ResultsError(
            f"{_quoted(text)} does not give each of x, y and z one number. {_ACCEPTED}"
        )
    by_axis = dict(zip(axes or _AXES, numbers, strict=True))
    return by_axis["x"], by_axis["y"], by_axis["z"]


def space_named(name: str) -> Literal["MNI", "TAL", ""]:
    """Tell which space a name means.

    Parameters
    ----------
    name : str
        As a file, a paper or a program calls it.

    Returns
    -------
    str
        ``MNI`` or ``TAL``; empty for another space, and for a name that speaks of both.

    Examples
    --------
    >>> space_named("MNI152NLin6Asym"), space_named("Talairach space"), space_named("?")
    ('MNI', 'TAL', '')
    """
    mni, talairach = _MNI_NAMES.search(name), _TALAIRACH.search(name)
    if mni and not talairach:
        return "MNI"
    return "TAL" if talairach and not mni else ""


def format_place(place: Coordinate) -> str:
    """Write a place as `parse_place` reads it, to a tenth of a mm.

    >>> format_place((38.0, -4.25, -0.01))
    '38, -4.2, 0'
    """
    return ", ".join(f"{round(mm, 1) + 0.0:.1f}".removesuffix(".0") for mm in place)


def name_place(place: Coordinate) -> str:
    """Write a place with the names of its axes and their unit.

    >>> name_place((38.0, -4.25, -0.01))
    'x 38, y -4.2, z 0 mm'
    """
    numbers = format_place(place).split(", ")
    return ", ".join(f"{a} {mm}" for a, mm in zip(_AXES, numbers, strict=True)) + " mm"


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
