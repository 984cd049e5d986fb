"""Data classes <-> JSON: whatever a file holds is checked before anybody believes it.

Types say what is taken. What has its default value is left out of the file.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from napari_neurosynth_results.errors import ResultsError

Made = TypeVar("Made")

#: More than any viewer holds.
_MOST_ITEMS = 10_000
_LONGEST_TEXT = 20_000
_LARGEST = 2**53
_MOST_TOLD = 60


def encoded(value: Any) -> Any:
    """Turn a data class into what JSON can hold.

    Parameters
    ----------
    value : object
        A data class, tuple, text, number, bool or None.

    Returns
    -------
    object
        Dicts, lists and plain values.
    """
    if dataclasses.is_dataclass(value):
        return {
            field.name: encoded(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != field.default
        }
    if isinstance(value, tuple):
        return [encoded(item) for item in value]
    # numpy's numbers among them.
    if isinstance(value, float):
        return float(value)
    return value


def decoded(kind: type[Made], value: Any, where: str, told: list[str]) -> Made:
    """Turn what JSON held into a data class.

    Parameters
    ----------
    kind : type
        The data class; its annotations say what is taken.
    value : object
        What was read.
    where : str
        What to call it in messages.
    told : list of str
        Gets what was left aside.

    Returns
    -------
    object
        Of that class.

    Raises
    ------
    ResultsError
        When something is missing, of another type, too large, or means nothing.
    """
    found: Made = _decoded(kind, value, where, told)
    return found


def _decoded(kind: Any, value: Any, where: str, told: list[str]) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        kind = _chosen(get_args(kind), value)
    if kind is type(None) and value is None:
        return None
    if get_origin(kind) is Literal:
        if isinstance(value, str | int) and value in get_args(kind):
            return value
        raise _wrong(where, f"one of {', '.join(map(repr, get_args(kind)))}")
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), value, where, told)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _data_class(kind, value, where, told)
    return _plain(kind, value, where)


def _chosen(kinds: tuple[Any, ...], value: Any) -> Any:
    """Choose among the types of a union by what JSON makes of each."""
    for kind in kinds:
        if value is None and kind is type(None):
            return kind
        if isinstance(value, list) and get_origin(kind) is tuple:
            return kind
        if isinstance(value, Mapping) and dataclasses.is_dataclass(kind):
            return kind
    return next(kind for kind in kinds if kind is not type(None))


def _tuple(kinds: tuple[Any, ...], value: Any, where: str, told: list[str]) -> Any:
    if not isinstance(value, list):
        raise _wrong(where, "a list")
    if kinds[-1] is Ellipsis:
        if len(value) > _MOST_ITEMS:
            raise _wrong(where, f"at most {_MOST_ITEMS:,} items")
        kinds = (kinds[0],) * len(value)
    elif len(kinds) != len(value):
        raise _wrong(where, f"{len(kinds)} items")
    return tuple(
        _decoded(kind, item, f"{where}[{number}]", told)
        for number, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _data_class(kind: Any, value: Any, where: str, told: list[str]) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object")
    hints = get_type_hints(kind)
    if unknown := [str(key)[:_MOST_TOLD] for key in value if key not in hints]:
        told.append(f"{where}: {', '.join(unknown[:5])} is not known, and left aside.")
    given = {}
    for field in dataclasses.fields(kind):
        if field.name in value:
            given[field.name] = _decoded(
                hints[field.name], value[field.name], f"{where}.{field.name}", told
            )
        elif field.default is dataclasses.MISSING:
            raise _wrong(where, f"an object with {field.name!r}")
    try:
        return kind(**given)
    except ResultsError as error:
        raise ResultsError(f"{where}: {error}") from error


def _plain(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int | float) and not _is_bool(value):
        if abs(value) < math.inf and (isinstance(value, float) or _fits(value)):
            return float(value)
        raise _wrong(where, "a finite number")
    if kind is int and isinstance(value, int) and not _is_bool(value):
        if _fits(value):
            return value
        raise _wrong(where, "a smaller number")
    if kind is bool and _is_bool(value):
        return value
    if kind is str and isinstance(value, str):
        if len(value) <= _LONGEST_TEXT:
            return value
        raise _wrong(where, f"at most {_LONGEST_TEXT:,} letters")
    names = {float: "a number", int: "a whole number", bool: "true or false"}
    raise _wrong(where, names.get(kind, "a text"))


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _fits(value: int) -> bool:
    return abs(value) <= _LARGEST


def _wrong(where: str, wanted: str) -> ResultsError:
    return ResultsError(f"{where} has to be {wanted}.")
