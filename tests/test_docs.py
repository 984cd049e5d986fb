"""What the documentation points at is there, and names the whole API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import napari_neurosynth_results as nnr

ROOT = Path(__file__).parent.parent
AT_ROOT = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
PAGES = sorted({*ROOT.glob("docs/*.md"), *(ROOT / name for name in AT_ROOT)})
#: A link or picture to something in the project: no address, no place on the page.
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def _anchors(text: str) -> set[str]:
    """Return the places of a page as GitHub and the site call them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, place in _LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path
        assert target.exists(), path
        if place:
            assert place[1:] in _anchors(target.read_text(encoding="utf-8")), place


def test_every_page_is_in_the_contents_of_the_site_and_of_the_readme() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = {page.stem for page in ROOT.glob("docs/*.md")} - {"index"}
    assert names <= set(index.splitlines())
    told = set(re.findall(r"docs/(\w+)\.md", readme))
    # These lie at the root.
    assert names - {"changelog", "contributing"} <= told
    assert "](CONTRIBUTING.md)" in readme


def test_the_reference_names_the_whole_api() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^   (\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(set(nnr.__all__) - {"__version__"})


def test_every_picture_is_shown_somewhere() -> None:
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    unused = [
        path.name
        for path in (ROOT / "docs" / "images").iterdir()
        if f"images/{path.name}" not in shown
    ]
    assert unused == []


#: British spellings, but for what tables call a place without a region, names of
#: modules and titles of others.
BRITISH = re.compile(
    r"\b(un)?labell(ed|ing)\b|\bcancell(ed|ing)\b|\b(mod|trav)ell(ed|ing)\b"
    r"|\b\w*(colour|favour|behaviour|neighbour)\w*\b|\bcentr(e|es|ed)\b|\bgrey\b"
    r"|\b(normal|visual|organ|recogn|summar|optim|minim|maxim|initial)is(e|ed|es|ing)\b"
)


#: Nobody changes by hand what benchmarks have written.
_BY_HAND = [page for page in PAGES if page.name != "benchmarks.md"]


@pytest.mark.parametrize("page", _BY_HAND, ids=lambda page: page.name)
def test_a_page_is_in_american_spelling(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`|\| unlabelled(?= \|)", "", page.read_text("utf-8"))
    assert [found[0] for found in BRITISH.finditer(text)] == []
