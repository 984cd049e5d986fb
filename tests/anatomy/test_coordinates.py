"""Coordinates are read as papers, tables and other viewers write them, or refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.anatomy.coordinates import (
    FARTHEST_MM,
    format_place,
    parse_place,
)
from napari_neurosynth_results.errors import ResultsError

PLACE = (38.0, 4.0, -2.0)


@pytest.mark.parametrize(
    "text",
    [
        "38 4 -2",
        "38, 4, -2",
        "38,4,-2",
        "(38;4;-2)",
        "[38 4 -2] mm",
        "38mm, 4mm, -2mm",
        "38\t4\t-2\n",
        "38\n4\n-2",
        "38/4/-2",
        "| 38 | 4 | -2 |",
        "x=38, y=4, z=-2",
        "x = 38 y = 4 z = - 2",
        "X: 38 Y: 4 Z: -2",
        "x38 y4 z-2",
        "z=-2 x=38 y=4",
        "(x, y, z) = (38, 4, -2)",
        "z y x: -2 4 38",
        "xyz = 38 4 -2",
        "{'x': 38, 'y': 4.0, 'z': -2}",
        "38, 4, \u22122",
        "38 4 \u20132",
        "38, 4, \u2212 2",
        "\uff0838\uff0c4\uff0c\u22122\uff09",
        "38\u00a04\u2009\u22122",
        "[+38, +4, -2]",
        "38.0 4. -2.00",
        "3.8e1 4 -2",
        "MNI 38 4 -2",
        "MNI152 (38, 4, -2)",
        "MNI 152: 38 4 -2",
        "38, 4, -2 (MNI space)",
        "MNI152NLin2009cAsym coordinates 38 4 -2",
        "38,0; 4,0; -2,0",
        "38,0; 4; -2",
        "38,0 4,0 -2,0",
        "38,0, 4,0, -2,0",
        "x=38,0 y=4,0 z=-2,0",
        "at 38,4,-2;",
        "38, 4, -2.",
    ],
)
def test_one_place_in_many_writings(text: str) -> None:
    assert parse_place(text) == PLACE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "An empty text has no number"),
        ("38", "1 number, not 3"),
        ("38 4", "2 numbers"),
        ("38 4 2 1", "4 numbers"),
        ("x=38", "1 number"),
        ("x=38, y=4, y=2", "each of x, y and z"),
        ("38 x 4 y 2 z", "each of x, y and z"),
        ("x=38, 4, 2", "each of x, y and z"),
        ("z = 4.5 at 38, 4, 2", "4 numbers"),
        ("insula 38 4 2", '"insula" cannot be read'),
        ("nan 4 2", '"nan" cannot be read'),
        ("MNI305 38 4 2", '"MNI" cannot be read'),
        ("38-4-2", "cannot be read"),
        ("38 4 2#", "cannot be read"),
        ("3.8.4 1 2", "cannot be read"),
        ("251 4 2", "x = 251 lies outside"),
        ("38 4 -250.5", "z = -250.5 lies outside"),
        ("38 1e999 2", "y = inf lies outside"),
        ("TAL 38 4 2", "Talairach"),
        ("38 4 2 (Talairach)", "Talairach"),
        # Which commas are decimal, nobody knows.
        ("38,4, 2, 1", "4 numbers"),
        ("38,4; 2", "2 numbers"),
        ("1,38,4,2", "cannot be read"),
        ("38,5,4,0,2,0", "6 numbers"),
    ],
)
def test_what_is_not_one_place_is_refused_with_advice(text: str, said: str) -> None:
    with pytest.raises(ResultsError) as refused:
        parse_place(text)
    assert said in str(refused.value)
    assert "MNI" in str(refused.value)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(ResultsError) as refused:
        parse_place("1 " * 500)
    assert "500 numbers" in str(refused.value)
    assert len(str(refused.value)) < 160


millimeters = st.floats(-FARTHEST_MM, FARTHEST_MM, allow_nan=False)
layouts = st.sampled_from(
    [
        "{} {} {}",
        "{}, {}, {}",
        "({};{};{})",
        "[{}\t{}\t{}] mm",
        "x={}, y={}, z={}",
        "X: {} Y: {} Z: {}",
        "MNI152 ({}, {}, {})",
    ]
)
minus_signs = st.sampled_from("-\u2212\u2013")


@given(st.tuples(millimeters, millimeters, millimeters), layouts, minus_signs)
def test_every_written_triple_reads_back(
    place: tuple[float, float, float], layout: str, minus: str
) -> None:
    numbers = [repr(mm).replace("-", minus) for mm in place]
    assert parse_place(layout.format(*numbers)) == place


tenths = st.integers(-2500, 2500).map(lambda n: n / 10)


@given(st.tuples(tenths, tenths, tenths), st.sampled_from(["; ", " ", ", "]))
def test_decimal_commas_read_back(
    place: tuple[float, float, float], between: str
) -> None:
    text = between.join(f"{mm:.1f}".replace(".", ",") for mm in place)
    assert parse_place(text) == place


@given(st.tuples(tenths, tenths, tenths))
def test_what_is_copied_can_be_pasted(place: tuple[float, float, float]) -> None:
    assert parse_place(format_place(place)) == place


@given(st.text("0123456789xyzmni,;.-+() \u2212\t", max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    with suppress(ResultsError):
        assert all(abs(mm) <= FARTHEST_MM for mm in parse_place(text))
