"""The kind of a map is told by the surest evidence: names first, then the intent."""

from __future__ import annotations

import ast
import math
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest
from nibabel.nifti1 import intent_codes

import napari_neurosynth_results
from napari_neurosynth_results.maps import kinds
from napari_neurosynth_results.maps.kinds import (
    VALUE_KINDS,
    ColorFamily,
    KindRow,
    MapKind,
    PFormula,
    Tail,
    Zero,
)
from napari_neurosynth_results.maps.programs import reading_of
from napari_neurosynth_results.statistics.p_values import conversion
from napari_neurosynth_results.statistics.thresholds.threshold import CRITERIA

Z, T, F = MapKind.Z, MapKind.T, MapKind.F
#: NIfTI-1 intent codes, as nibabel names them.
INTENTS = {
    "t test": T,
    "f test": F,
    "z score": Z,
    "chi2": MapKind.CHI2,
    "p value": MapKind.P,
    "log10 p value": MapKind.LOGP,
    "log p value": MapKind.LNP,
    "label": MapKind.LABEL,
    "none": MapKind.OTHER,
    "correlation": MapKind.OTHER,
    "vector": MapKind.OTHER,
}


@pytest.mark.parametrize("intent", INTENTS)
def test_intents(intent: str) -> None:
    told = reading_of("anything", intent_codes.code[intent])
    assert told.kind is INTENTS[intent]


@pytest.mark.parametrize("value", VALUE_KINDS)
def test_nimares_name_wins_over_the_intent(value: str) -> None:
    assert reading_of(f"pain_{value}", intent_code=22).kind is VALUE_KINDS[value]


def test_a_name_wins_over_the_intent() -> None:
    assert reading_of("spmT_0001", intent_code=5).kind is T


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("z", Z),
        ("logp", MapKind.LOGP),
        ("chi2", MapKind.CHI2),
        ("chiSquare", MapKind.CHI2),
        ("ale", MapKind.STAT),
        ("of", MapKind.STAT),
        ("prob", MapKind.PROB),
        ("spatialIntensity", MapKind.OTHER),
    ],
)
def test_values(value: str, kind: MapKind) -> None:
    assert VALUE_KINDS[value] is kind


def test_a_probability_is_no_p_value() -> None:
    assert not MapKind.PROB.has_tail
    assert "no p values" in MapKind.PROB.meaning


@pytest.mark.parametrize("kind", MapKind)
def test_every_kind_has_a_meaning(kind: MapKind) -> None:
    assert kind.meaning
    assert kind.meaning == kind.meaning.strip()
    assert str(kind) == kind.value


def test_which_kinds_have_a_tail() -> None:
    assert {kind for kind in MapKind if kind.has_tail} == {
        *(Z, T, MapKind.P, MapKind.ONE_MINUS_P),
        *(MapKind.LOGP, MapKind.SIGNED_LOGP, MapKind.LNP),
    }


def test_which_kinds_may_be_infinite_or_interpolated() -> None:
    strongest = {kind for kind in MapKind if kind.infinity_is_strongest}
    logarithms = {MapKind.LOGP, MapKind.SIGNED_LOGP, MapKind.LNP}
    assert strongest == {Z, T, F, MapKind.CHI2} | logarithms
    stepped = {kind for kind in MapKind if not kind.may_interpolate}
    assert stepped == {MapKind.LABEL, MapKind.P}


def test_tails_read_as_in_a_sentence() -> None:
    assert [str(tail) for tail in Tail] == ["one-tailed", "two-tailed", "no tail"]


def test_no_kind_goes_without_a_field() -> None:
    facts = {
        field.name: getattr(MapKind.Z.row, field.name) for field in fields(KindRow)
    }
    for name in (
        *("symbol", "meaning", "values", "possible", "zero", "p", "tails", "colors"),
        *("infinity_is_strongest", "may_interpolate", "may_subtract"),
    ):
        with pytest.raises(TypeError, match=name):
            KindRow(**{key: fact for key, fact in facts.items() if key != name})


@pytest.mark.parametrize("kind", MapKind)
def test_every_row_is_whole_and_does_not_contradict_itself(kind: MapKind) -> None:
    row = kind.row
    assert row.symbol == str(kind)
    assert all(word == word.strip() != "" for word in row.values.values())
    low, high = row.possible
    assert low < high
    assert isinstance(row.zero, Zero)
    assert isinstance(row.colors, ColorFamily)
    assert set(row.tails) in ({Tail.ONE, Tail.TWO}, {Tail.NONE})
    assert set(row.criteria) <= set(CRITERIA)
    assert float(format(0.5, row.written)) == 0.5
    assert row.intent in intent_codes.label or row.intent in intent_codes.code
    # Where the tail decides what p is, there has to be one, and a sign.
    assert not row.p.by_tail or (kind.has_tail and row.signed)
    assert not row.p.states_p or kind.has_tail
    # A p alone says no direction.
    assert not row.p.states_p or row.signed is row.p.by_tail
    assert row.has_p or not kind.has_tail
    assert row.small_is_strong is (row.colors is ColorFamily.DECADES)
    assert row.holds_labels is (row.colors is ColorFamily.LABELS)
    assert not (row.holds_labels and (row.criteria or row.may_interpolate))
    assert not (row.infinity_is_strongest and row.underflow)
    assert math.isinf(high) or not row.infinity_is_strongest
    if row.underflow is not None:
        assert low <= row.underflow.value <= high
        assert row.p.states_p
        assert row.underflow.log_p < 0


@pytest.mark.parametrize("names", ["values", "intent_codes", "map_types", "symbol"])
def test_no_name_means_two_kinds(names: str) -> None:
    counted: Counter[object] = Counter()
    for kind in MapKind:
        told = getattr(kind.row, names)
        counted.update([told] if isinstance(told, str) else list(told))
    assert max(counted.values()) == 1


@pytest.mark.parametrize("kind", MapKind)
def test_what_is_written_into_a_header_is_read_as_the_same_kind(kind: MapKind) -> None:
    code = intent_codes.code[kind.row.intent]
    told = reading_of("anything", code).kind
    # Other programs estimate other things than effects.
    assert told is (kind if kind.row.intent_codes else MapKind.OTHER)


def test_every_formula_has_its_arithmetic() -> None:
    assert set(conversion._ARITHMETIC) == set(PFormula) - {PFormula.NONE}


def _tables_of_kinds(tree: ast.AST) -> list[int]:
    """Find sets, dicts, lists and tuples that hold kinds: the lines they are on."""

    def is_kind(node: ast.AST | None) -> bool:
        while isinstance(node, ast.Starred | ast.Call):
            node = (
                node.value
                if isinstance(node, ast.Starred)
                else next(iter(node.args), None)
            )
        return (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == MapKind.__name__
        )

    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            table = any(map(is_kind, [*node.keys, *node.values]))
        elif isinstance(node, ast.Set):
            table = any(map(is_kind, node.elts))
        elif isinstance(node, ast.List | ast.Tuple):
            table = bool(node.elts) and all(map(is_kind, node.elts))
        else:
            table = False
        if table:
            found.append(node.lineno)
    return found


def test_the_lists_of_kinds_are_seen() -> None:
    for table in (
        *("{MapKind.Z, MapKind.T}", "{MapKind.LOGP: 1}", "{'z': MapKind.Z}"),
        *("(*(MapKind.Z, MapKind.T),)", "kind in [MapKind.SE]", "{str(MapKind.LABEL)}"),
    ):
        assert _tables_of_kinds(ast.parse(table)), table
    assert not _tables_of_kinds(ast.parse("kind is MapKind.Z and height(MapKind.Z)"))


@pytest.mark.slow
def test_nobody_else_keeps_a_list_of_kinds() -> None:
    package = Path(napari_neurosynth_results.__file__).parent
    found = {
        f"{path.relative_to(package)}:{line}"
        for path in package.rglob("*.py")
        if path != Path(kinds.__file__)
        for line in _tables_of_kinds(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert not found, "a fact about kinds belongs into the rows of maps/kinds.py"
