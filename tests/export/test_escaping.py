"""Whatever a name holds, it is shown as it is and does nothing."""

from __future__ import annotations

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
    for_spreadsheet,
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
    assert found.removeprefix("'") == plain_text(text).removeprefix("'")


@pytest.mark.parametrize(
    "text", ["\uff1dcmd()", " \t=cmd()", "\0=cmd()", "+1", "-1", "@x"]
)
def test_no_disguise_of_a_formula_helps(text: str) -> None:
    assert for_spreadsheet(text).startswith("'")


def test_a_text_of_a_page_is_cut_and_says_so() -> None:
    assert len(short_text("x" * 100_000)) == 200
    assert short_text("x" * 201).endswith("x…")
    assert short_text("x" * 200) == "x" * 200
