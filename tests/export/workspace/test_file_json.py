"""What a file holds is taken only when it is what the data class says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.workspace.file import (
    FORMAT,
    VERSION,
    Workspace,
    decode,
    encode,
)


@dataclass(frozen=True)
class Inner:
    """What is inside."""

    name: str = ""
    pair: tuple[float, float] | None = None


@dataclass(frozen=True)
class Outer:
    """One field of every type."""

    number: int
    word: Literal["a", "b"] = "a"
    yes: bool = False
    either: float | tuple[float, float] | None = None
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    "value",
    [
        Outer(1),
        Outer(2, "b", True, 0.1, Inner("x", (1.0, 2.0)), (Inner("y"), Inner())),
        Outer(-3, either=(1.5, 2.5)),
    ],
)
def test_there_and_back(value: Outer) -> None:
    text = json.dumps(encode(value))
    told: list[str] = []
    assert decode(Outer, json.loads(text), "it", told) == value
    assert told == []


def test_defaults_are_left_out() -> None:
    assert encode(Outer(1)) == {"number": 1}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], "it has to be an object"),
        ({}, "an object with 'number'"),
        ({"number": True}, "it.number has to be a whole number"),
        ({"number": 1.0}, "it.number has to be a whole number"),
        ({"number": None}, "it.number has to be a whole number"),
        ({"number": 1, "word": "c"}, "it.word has to be one of 'a', 'b'"),
        ({"number": 1, "word": ["a"]}, "it.word has to be one of"),
        ({"number": 1, "yes": 1}, "it.yes has to be true or false"),
        ({"number": 1, "either": "x"}, "it.either has to be a number"),
        ({"number": 1, "either": [1, 2, 3]}, "it.either has to be 2 items"),
        ({"number": 1, "either": float("nan")}, "a finite number"),
        ({"number": 1, "inner": {"name": 3}}, "it.inner.name has to be a text"),
        ({"number": 1, "many": [{}, []]}, r"it.many\[1\] has to be an object"),
    ],
)
def test_anything_else_is_refused_by_its_place(value: Any, told: str) -> None:
    with pytest.raises(ResultsError, match=told):
        decode(Outer, value, "it", [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from(["contents", "layers", "files", "view", "naming", "active"]),
        JSON,
    )
)
def test_no_document_raises_anything_but_our_error(found: dict[str, Any]) -> None:
    document = {"format": FORMAT, "version": VERSION, **found}
    try:
        made = decode(Workspace, document, "workspace", [])
    except ResultsError:
        return
    assert isinstance(made, Workspace)
