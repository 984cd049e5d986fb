"""Names of labels, in FSL's XML and its dialects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_servers import label_xml
from napari_neurosynth_results import ResultsError
from napari_neurosynth_results.sources.atlases.label_names import parse_label_xml


def test_the_value_is_the_index_or_one_more() -> None:
    names = {0: "Unclassified", 3: "Genu (left)", 1: "Crus"}
    assert parse_label_xml(label_xml(names), "x") == names
    shifted = {index + 1: name for index, name in names.items()}
    for spelled in ("Probabilistic", "Probabalistic"):
        assert parse_label_xml(label_xml(names, spelled), "x") == shifted


def test_the_second_dialect_and_odd_letters() -> None:
    data = "<a><label><index> 2 </index><name>V\xe9</name></label></a>"
    latin = f'<?xml version="1.0" encoding="ISO-8859-1"?>{data}'.encode("latin-1")
    assert parse_label_xml(latin, "x") == {2: "V\xe9"}
    assert parse_label_xml(data.encode(), "x") == {2: "V\xe9"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be read"),
        (b"<atlas>", "cannot be read"),
        (b"<atlas/>", "names no label"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "cannot be read"),
        (b"<a>" + b" " * (17 << 20) + b"</a>", "too large"),
    ],
)
def test_what_is_no_list_of_labels(data: bytes, words: str) -> None:
    with pytest.raises(ResultsError, match=words):
        parse_label_xml(data, "labels")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        names = parse_label_xml(b"<a>" + data + b"</a>", "x")
    except ResultsError:
        return
    assert names
