"""Whatever a name holds, it is shown as it is and does nothing."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.readers_of_text import latex_to_text, markdown_to_text
from napari_neurosynth_results.export.escaping import (
    for_html,
    for_latex,
    for_markdown,
    for_qt,
    for_spreadsheet,
    for_terminal,
    plain_text,
    short_text,
)

#: What means something somewhere, and what everybody writes.
HOSTILE = (
    st.text(st.sampled_from("\\{}[]()*_`~^$%&#|<>\"'=+-@!;:,./\t\n\r\0\x1b\u202e aé"))
    | st.text()
)


class Shown(HTMLParser):
    """Collects what a page shows; a tag is an error."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""

    def handle_data(self, data: str) -> None:
        """Add what is shown."""
        self.text += data

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Refuse a tag."""
        raise AssertionError(f"a tag: {tag}")


@given(HOSTILE)
def test_a_plain_text_is_one_line_that_can_be_seen(text: str) -> None:
    found = plain_text(text)
    assert len(found.splitlines()) <= 1
    assert not [c for c in found if unicodedata.category(c)[0] == "C"]
    assert found == found.strip()
    assert plain_text(found) == found


@given(HOSTILE)
def test_latex_prints_the_text(text: str) -> None:
    assert latex_to_text(for_latex(text)) == plain_text(text)


@given(HOSTILE)
def test_markdown_shows_the_text(text: str) -> None:
    assert markdown_to_text(for_markdown(text)) == plain_text(text)


@given(HOSTILE)
def test_a_page_shows_the_text(text: str) -> None:
    shown = Shown()
    shown.feed(for_html(text))
    shown.close()
    assert shown.text == plain_text(text)
    assert '"' not in for_html(text)


@given(HOSTILE)
def test_a_spreadsheet_computes_nothing(text: str) -> None:
    found = for_spreadsheet(text)
    assert not found.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert found.replace("'", "") == plain_text(text).replace("'", "")


@pytest.mark.parametrize(
    "text", ["\uff1dcmd()", " \t=cmd()", "\0=cmd()", "+1", "-1", "@x"]
)
def test_no_disguise_of_a_formula_helps(text: str) -> None:
    assert for_spreadsheet(text).startswith("'")


def test_a_text_of_a_page_is_cut_and_says_so() -> None:
    assert len(short_text("x" * 100_000)) == 200
    assert short_text("x" * 201).endswith("x…")
    assert short_text("x" * 200) == "x" * 200


@pytest.mark.parametrize("separator", [";", ",", "; ", ',"'])
@pytest.mark.parametrize("formula", ["=cmd()", "@x", "+A1", "-2+3+cmd", "＝x"])  # noqa: RUF001
def test_no_other_separator_makes_a_formula(separator: str, formula: str) -> None:
    found = for_spreadsheet(f"a{separator}{formula}")
    assert found == f"a{separator}'{formula}"
    assert for_spreadsheet(found) == found


@pytest.mark.parametrize(
    "text", ["38, -4, 2", "a; -1.5e-3; b", "p <= .001; z >= 3.1", "x - y", "a=b, c"]
)
def test_numbers_and_signs_in_a_sentence_stay(text: str) -> None:
    assert for_spreadsheet(text) == text


@given(HOSTILE)
def test_a_spreadsheet_that_knows_semicolons_computes_nothing(text: str) -> None:
    for cell in re.split(r"[;,]", for_spreadsheet(text))[1:]:
        assert not cell.lstrip(' "').startswith(("=", "@"))


@given(st.text())
def test_a_terminal_is_given_no_orders(text: str) -> None:
    found = for_terminal(text)
    left = {c for c in found[1:] if unicodedata.category(c) == "Cc"}
    assert left <= {"\n", "\t"}
    assert not {"\x1b", "\x9b", "\u202e", "\u2066"} & set(found)
    assert for_terminal(found) == found


@given(HOSTILE | st.sampled_from(["<img src=x>", " <!doctype>", "&lt;b", "<b", "a<i>"]))
def test_qt_takes_no_name_for_html(text: str) -> None:
    from qtpy import QtCore

    found = for_qt(text)
    assert not QtCore.Qt.mightBeRichText(found)
    assert found.replace("\u200b", "") == text.replace("\u200b", "")
    assert for_qt(found) == found
