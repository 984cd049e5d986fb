"""The methods text of a result as people read it: citations resolved, LaTeX gone.

NiMARE writes its methods in LaTeX with natbib's commands, and the references beside it
in BibTeX. Both are read by libraries that know these languages; they are imported when
they are needed, and without them the text stays as it is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.statistics.p_values.monte_carlo import read_statement
from napari_neurosynth_results.statistics.thresholds.cluster_level import FACES_SINCE

#: natbib's commands, with optional texts before and after, and the keys.
_CITE = re.compile(
    r"\\(?P<how>citep|citet|citealt|citealp|citeauthor|citeyear|cite)\*?"
    # Bounded, so that a text of brackets that are never closed is read in one go.
    r"(?P<options>(?:\[[^\]]{0,500}\]){0,2})\{(?P<keys>[^{}]{0,2000})\}"
)
_OPTION = re.compile(r"\[([^\]]*)\]")
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
_EDGE_WISE = re.compile(r"edge-?wise\s+connectivity", re.I)
_LONGEST = 500_000
#: Brackets and braces within each other. Each doubles the time of reading where it is
#: not closed: 30 of them take for ever.
_DEEPEST = 10
_MOST_REFERENCES = 2000
_MOST_AUTHORS = 6
_INSTALL = (
    "The methods text is LaTeX, and reading it needs pybtex and pylatexenc. Run:\n"
    '    pip install "napari-neurosynth-results[report]"'
)


@dataclass(frozen=True)
class Reference:
    """A paper that a methods text cites.

    Attributes
    ----------
    key : str
        As in the BibTeX file.
    authors : str
        Short, as in ``Turkeltaub et al.``.
    year : str
        Empty when it is not known.
    text : str
        The whole reference, in one line.
    link : str
        Address of its DOI, or an http address; empty when there is none.
    """

    key: str
    authors: str
    year: str
    text: str
    link: str


@dataclass(frozen=True)
class ReadableMethods:
    """A methods text that can be read.

    Attributes
    ----------
    text : str
        Plain text, citations in words.
    references : tuple of Reference
        Those that it cites, by author and year.
    missing : tuple of str
        Keys that it cites and that no reference has.
    """

    text: str
    references: tuple[Reference, ...]
    missing: tuple[str, ...] = ()


def readable_methods(methods: str, references: str) -> ReadableMethods:
    r"""Turn a methods text in LaTeX into plain text with citations in words.

    Parameters
    ----------
    methods : str
        With natbib's ``\citep``, ``\citet``, ``\citealt`` and so on.
    references : str
        BibTeX.

    Returns
    -------
    ReadableMethods
        The text, and the references that it cites.

    Raises
    ------
    ResultsError
        When the libraries that read LaTeX and BibTeX are not installed, or a text is
        too long.

    Examples
    --------
    >>> bib = "@article{a2000, author={Doe, Ann and Roe, Bo}, year={2000}, title={T}}"
    >>> readable_methods(r"ALE \citep{a2000} at 5\%.", bib).text
    'ALE (Doe & Roe, 2000) at 5%.'
    """
    if max(len(methods), len(references)) > _LONGEST:
        raise ResultsError("The methods text or its references are too long to read.")
    known = _bibliography(references)
    parts: list[str] = []
    cited: dict[str, None] = {}
    end = 0
    for found in _CITE.finditer(methods):
        parts.append(_latex_to_text(methods[end : found.start()]))
        keys = [key.strip() for key in found["keys"].split(",") if key.strip()]
        cited |= dict.fromkeys(keys)
        parts.append(_cite_in_words(found["how"], found["options"], keys, known))
        end = found.end()
    parts.append(_latex_to_text(methods[end:]))
    text = " ".join("".join(parts).split())
    listed = [known[key] for key in cited if key in known]
    return ReadableMethods(
        text,
        tuple(sorted(listed, key=lambda one: (one.authors.lower(), one.year))),
        tuple(key for key in cited if key not in known),
    )


def corrections_of(methods: str) -> tuple[str, ...]:
    """Say what NiMARE's methods text gets wrong about what NiMARE does.

    Parameters
    ----------
    methods : str
        As NiMARE wrote it.

    Returns
    -------
    tuple of str
        Sentences; see ``docs/upstream.md``.

    Examples
    --------
    >>> corrections_of("Clusters were defined using faces.")
    ()
    """
    release = read_statement(methods, {}).release
    old = release is not None and release < FACES_SINCE
    if old or not _EDGE_WISE.search(methods):
        return ()
    return (
        'The text above says "edge-wise connectivity". Since version 0.0.13 NiMARE '
        "forms clusters of voxels that share a face (6 neighbors): correct this "
        "before you use the text.",
    )


def _latex_to_text(latex: str) -> str:
    """Turn LaTeX without citations into text; keep the spaces at its ends."""
    try:
        from pylatexenc.latex2text import LatexNodes2Text
    except ImportError as error:
        raise ResultsError(_INSTALL) from error
    if not latex.strip() or _is_deep(latex):
        return latex
    before = latex[: len(latex) - len(latex.lstrip())]
    after = latex[len(latex.rstrip()) :]
    # What it cannot read it tells the terminal, once for each place.
    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)
    reader = LatexNodes2Text(math_mode="text", keep_comments=False)
    try:
        text = str(reader.latex_to_text(latex)).strip()
    except Exception:  # of any kind, for what is no LaTeX: it is shown as it is
        return latex
    return f"{before}{text}{after}"


def _is_deep(latex: str) -> bool:
    """Tell whether brackets and braces are nested as in no text of people."""
    depth = 0
    for mark in re.findall(r"[][{}]", latex):
        depth = max(0, depth + (1 if mark in "[{" else -1))
        if depth > _DEEPEST:
            return True
    return False


def _cite_in_words(
    how: str, options: str, keys: list[str], known: Mapping[str, Reference]
) -> str:
    """Write a citation as natbib does with authors and years."""
    texts = [_latex_to_text(text) for text in _OPTION.findall(options)]
    # One optional text stands behind, two before and behind.
    before, after = (texts[0], texts[1]) if len(texts) > 1 else ("", *texts, "")[:2]
    names = [(known[k].authors, known[k].year) if k in known else (k, "") for k in keys]
    if how == "citeauthor":
        return "; ".join(authors for authors, _ in names)
    if how == "citeyear":
        return "; ".join(year for _, year in names)
    if how in ("cite", "citet"):
        told = "; ".join(f"{a} ({y})" if y else a for a, y in names)
        return " ".join(part for part in (before, told, after) if part)
    told = "; ".join(f"{a}, {y}" if y else a for a, y in names)
    told = " ".join(part for part in (before, told) if part)
    told = f"{told}, {after}" if after else told
    return f"({told})" if how == "citep" else told


def _bibliography(bibtex: str) -> dict[str, Reference]:
    """Read BibTeX; entries that cannot be read are left out."""
    try:
        from pybtex.database import BibliographyData
        from pybtex.database.input.bibtex import Parser
    except ImportError as error:
        raise ResultsError(_INSTALL) from error
    found: dict[str, Reference] = {}
    entries = re.split(r"(?m)^(?=[ \t]*@)", bibtex, maxsplit=_MOST_REFERENCES)
    for entry in entries[:_MOST_REFERENCES]:
        if not entry.strip():
            continue
        try:
            read: BibliographyData = Parser().parse_string(entry)
            listed = {
                str(k): _reference(str(k), one) for k, one in read.entries.items()
            }
        except Exception:  # PybtexError and whatever else a broken entry provokes
            # One is no reason to lose the others.
            continue
        found = listed | found
    return found


def _reference(key: str, record: Any) -> Reference:
    fields = {name: _latex_to_text(str(value)) for name, value in record.fields.items()}
    people = record.persons.get("author") or record.persons.get("editor") or []
    more, people = len(people) > _MOST_AUTHORS, people[:_MOST_AUTHORS]
    last = [
        _latex_to_text(" ".join(person.prelast_names + person.last_names))
        for person in people
    ]
    year, title = fields.get("year", ""), fields.get("title", "").rstrip(".")
    where = fields.get("journal") or fields.get("booktitle") or fields.get("publisher")
    volume, pages = fields.get("volume", ""), fields.get("pages", "")
    place = ", ".join(part for part in (where, volume, pages) if part)
    doi = _DOI.search(fields.get("doi", "") or fields.get("url", ""))
    link = f"https://doi.org/{quote(doi[0], safe='/')}" if doi else ""
    if not link and fields.get("url", "").startswith(("http://", "https://")):
        link = quote(fields["url"], safe=":/?=&#%~+,;@")
    named = ", ".join(_name_with_initials(person) for person in people)
    named += " et al." if more else ""
    head = f"{named} ({year})." if year else f"{named}."
    text = " ".join(
        part for part in (head, f"{title}.", f"{place}." if place else "") if part
    )
    return Reference(key, _short_authors(last) or key, year, text, link)


def _name_with_initials(person: Any) -> str:
    """Write a name with initials: ``Turkeltaub PE``."""
    last = _latex_to_text(" ".join(person.prelast_names + person.last_names))
    first = [_latex_to_text(name) for name in person.first_names + person.middle_names]
    return f"{last} {''.join(name[0] for name in first if name)}".strip()


def _short_authors(last: list[str]) -> str:
    if len(last) > 2:
        return f"{last[0]} et al."
    return " & ".join(last)
