"""Numbers read back, whoever wrote them; what is none is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.anatomy.coordinates import read_triple
from napari_neurosynth_results.anatomy.numerals import read_count, read_number
from napari_neurosynth_results.sources.studies.nimads import parse_studies
from napari_neurosynth_results.sources.studies.nimare_dataset import parse_dataset
from napari_neurosynth_results.sources.studies.sleuth import parse_sleuth

MINUS = "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"

tenths = st.integers(-2500, 2500).map(lambda n: n / 10)
triples = st.tuples(tenths, tenths, tenths)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (" 42 ", 42),
        ("\u221242,5", -42.5),
        ("\u2212 42", -42),
        ("1,234", 1.234),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1,234,567", 1234567),
        ("1 234,5", 1234.5),
        ("1e-3", 0.001),
        (".05", 0.05),
        (7, 7),
        *[
            (none, None)
            for none in ("", "a", "nan", "inf", "1e999", "3-4", "3 4", "1_0")
        ],
        *[(none, None) for none in (True, None, float("nan"), 10**400, [1], "1,2,3")],
    ],
)
def test_one_number(written: Any, number: float | None) -> None:
    assert read_number(written) == number


@pytest.mark.parametrize(
    ("written", "count"),
    [("1,234", 1234), ("1.234", 1234), ("12", 12), ("12,5", 12.5), ("0,123", 0.123)],
)
def test_thousands_of_people(written: str, count: float) -> None:
    assert read_count(written) == count


@given(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15),
    st.sampled_from(MINUS),
    st.sampled_from(".,"),
)
def test_every_number_reads_back(number: float, minus: str, point: str) -> None:
    written = f"{number:.4f}"
    read = read_number(written.replace("-", minus).replace(".", point))
    assert read == float(written)


@pytest.mark.slow
@given(triples, st.sampled_from(MINUS), st.sampled_from(".,"), st.sampled_from("\t ;"))
def test_all_readers_read_the_same(
    place: tuple[float, float, float], minus: str, point: str, between: str
) -> None:
    """What *Go to* understands, Sleuth, NIMADS and Datasets understand as well."""
    texts = [str(mm).replace("-", minus).replace(".", point) for mm in place]
    row = between.join(texts)
    assert read_triple(row) == place
    point_record = {"coordinates": texts, "space": "MNI", "values": []}
    analysis = {"id": "1", "name": "1", "points": [point_record]}
    study = {"id": "s", "name": "s", "analyses": [analysis]}
    axes = {axis: [text] for axis, text in zip("xyz", texts, strict=True)}
    contrast = {"coords": {"space": "MNI", **axes}, "metadata": {"sample_sizes": ["9"]}}
    for studies in (
        parse_sleuth(f"//Reference=MNI\n//Doe, 2001: a\n//Subjects=9\n{row}\n"),
        parse_studies({"studies": [study]}, None, None),
        parse_dataset({"s": {"contrasts": {"1": contrast}}}),
    ):
        assert studies.notices == ()
        (found,) = studies.foci[["x", "y", "z"]].itertuples(index=False)
        assert tuple(found) == place


@pytest.mark.slow
@given(st.text(max_size=30) | st.text("0123456789.,'- e+\u2212", max_size=30))
def test_any_text_is_a_finite_number_or_none(text: str) -> None:
    read = read_number(text)
    assert read is None or abs(read) < 1e300
