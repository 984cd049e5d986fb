"""Methods texts of NiMARE: citations in words, LaTeX gone, nothing lost."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.export.report.methods import (
    corrections_of,
    readable_methods,
)
from napari_neurosynth_results.sample import sample_folder

BIB = r"""
@article{one, author={Doe, Ann}, year={2001}, title={First}, journal={J},
 volume={1}, pages={2--3}, doi={10.1000/x y}}
@article{two, author={de la Cruz, Bo Be and Roe, Ci}, year={2002}, title={{Second}}}
@book{many, author={A, A and B, B and C, C and D, D and E, E and F, F and G, G},
 year={2003}, title={Th\"ird}, publisher={P}, url={http://example.org/a b?c=<d>}}
"""


def text(methods: str) -> str:
    """Return the text without LaTeX."""
    return readable_methods(methods, BIB).text


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"A \citep{one}.", "A (Doe, 2001)."),
        (r"A \citep{one,two}.", "A (Doe, 2001; de la Cruz & Roe, 2002)."),
        (r"By \citet{many}.", "By A et al. (2003)."),
        (r"By \cite{one}.", "By Doe (2001)."),
        (r"(x; \citealt{one})", "(x; Doe, 2001)"),
        (r"\citealp*{one}", "Doe, 2001"),
        (r"\citep[p.~5]{one}", "(Doe, 2001, p. 5)"),
        (r"\citep[see][p. 5]{one}", "(see Doe, 2001, p. 5)"),
        (r"\citeauthor{two} in \citeyear{two}", "de la Cruz & Roe in 2002"),
        (r"\citep{nobody}", "(nobody)"),
        (r"5\% of \emph{all} \& \textbf{more}_1", "5% of all & more_1"),
        (r"p $<$ 0.05 and $\alpha$", "p < 0.05 and \N{GREEK SMALL LETTER ALPHA}"),
        ("two\n\nlines", "two lines"),
    ],
)
def test_latex_becomes_text(latex: str, plain: str) -> None:
    assert text(latex) == plain


def test_references_are_those_that_are_cited() -> None:
    found = readable_methods(r"\citep{two,one} \citep{gone}", BIB)
    assert [one.key for one in found.references] == ["two", "one"]
    assert found.missing == ("gone",)
    two, one = found.references
    assert one.text == "Doe A (2001). First. J, 1, 2\N{EN DASH}3."
    assert one.link == "https://doi.org/10.1000/x"
    assert two.text == "de la Cruz BB, Roe C (2002). Second."
    assert two.link == ""


def test_long_lists_of_authors_are_cut_and_addresses_are_safe() -> None:
    [many] = readable_methods(r"\cite{many}", BIB).references
    assert many.text.startswith("A A, B B, C C, D D, E E, F F et al. (2003). Thïrd.")
    assert many.link == "http://example.org/a%20b?c=%3Cd%3E"


def test_the_methods_of_the_sample() -> None:
    results = open_results(sample_folder())
    found = readable_methods(results.methods, results.references)
    assert "\\" not in found.text
    assert "{" not in found.text
    assert "(Turkeltaub et al., 2002; Turkeltaub et al., 2012" in found.text
    assert "(RRID:SCR_017398; Salo et al., 2023)" in found.text
    assert len(found.references) == 4
    assert found.missing == ()
    assert all(one.link.startswith("https://doi.org/10.") for one in found.references)


def test_a_broken_entry_does_not_take_the_others_with_it() -> None:
    broken = "@article{bad, author={Un{closed}, year=\n" + BIB
    found = readable_methods(r"\citep{one} \citep{bad}", broken)
    assert [one.key for one in found.references] == ["one"]
    assert found.missing == ("bad",)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_read_or_refused(methods: str, references: str) -> None:
    found = readable_methods(methods, references)
    assert isinstance(found.text, str)


@pytest.mark.parametrize(
    "text",
    [
        r"\href",
        "{" * 3000,
        r"\begin{a}" * 2000,
        r"\cite[" * 100,
        r"\frac{" * 25,
        r"\cite[x][" * 25,
        r"$ \frac",
    ],
)
def test_what_is_no_latex_is_shown_as_it_is(text: str, capfd: Any) -> None:
    found = readable_methods(f"{text} \\citep{{a}}", BIB)
    assert "(a)" in found.text or "a" in found.missing or text.split()[0] in found.text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("methods", "references"),
    [
        ("", "\n" * 200_000),
        ("", " " * 200_000),
        ("", "@\n" * 100_000),
        ("", "@article{a,\n" * 20_000),
        (r"\cite[" * 30_000, ""),
        (r"\citep{" * 30_000, ""),
    ],
)
def test_time_grows_with_the_text(methods: str, references: str) -> None:
    before = time.process_time()
    readable_methods(methods, references)
    assert time.process_time() - before < 10


def test_a_broken_entry_loses_no_other() -> None:
    broken = r"@article{b, title={\href}, author={Doe, Ann}, year={2000}}"
    found = readable_methods(r"\citet{b} \citet{c}", f"{broken}\n@x\n{GOOD}")
    assert "Roe (2001)" in found.text


GOOD = "@article{c, title={T}, author={Roe, Bo}, year={2001}}"


def test_texts_without_end_are_refused() -> None:
    with pytest.raises(ResultsError, match="too long"):
        readable_methods("a" * 2_000_000, "")


@pytest.mark.parametrize("missing", ["pybtex.database", "pylatexenc.latex2text"])
def test_without_the_libraries_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ResultsError, match=r"napari-neurosynth-results\[report\]"):
        readable_methods("a", BIB)


@pytest.mark.parametrize(
    ("version", "wrong"),
    [("0.22.1", True), ("0.0.13", True), ("0.0.12", False), ("", True)],
)
def test_edge_wise_connectivity_is_corrected(version: str, wrong: bool) -> None:
    methods = f"performed with NiMARE {version} (RRID); using edge-wise connectivity."
    told = corrections_of(methods)
    assert bool(told) is wrong
    assert all("share a face (6 neighbors)" in line for line in told)
    assert corrections_of("A methods text without it.") == ()
