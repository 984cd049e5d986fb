"""Sleuth's text, which GingerALE and NiMARE read as well -> `Studies`.

Lines of ``//`` head an experiment: who, what, how many people. Coordinates follow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from napari_neurosynth_results.anatomy.coordinates import read_triple, space_named
from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study
from napari_neurosynth_results.sources.studies.study_fields import (
    assumption_notices,
    make_focus,
    publication_year,
    read_sample_size,
    text_field,
)

_REFERENCE = re.compile(r"//\s*reference(?:\s+space)?\s*[=:]\s*(.*)", re.IGNORECASE)
_SUBJECTS = re.compile(
    r"//\s*(?:subjects?|participants|n)\s*[=:]\s*(.*)", re.IGNORECASE
)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
#: "Doe et al., 2005", as papers are cited: a name, and a year at the end or nearly so.
_PAPER = re.compile(r"[^\W\d].*(?<!\d)(?:19|20)\d\d[a-z]?(?!\d)\W*$")
#: What stands in a table where a number is missing.
_MISSING = re.compile(
    r"(?<![^\s,;])(?:nan|n/?a|none|null|-+|\.)(?![^\s,;])", re.IGNORECASE
)
_APART = re.compile(r"[\s,;]+")
_MOST_FOCI = 1_000_000


@dataclass
class _Block:
    """Lines that stand together: heads (of ``//``), or rows of coordinates."""

    is_head: bool
    #: Whether an empty line is above.
    parted: bool
    lines: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class _Experiment:
    """What was read of one experiment so far."""

    heads: list[str] = field(default_factory=list)
    people: str | None = None
    foci: list[Focus] = field(default_factory=list)
    places: int = 0


def is_sleuth(text: str) -> bool:
    """Tell a Sleuth text: its first line that is not empty begins with ``//``.

    Parameters
    ----------
    text : str
        Of a file.

    Returns
    -------
    bool
        Whether it may be read by `parse_sleuth`.
    """
    return text.lstrip().startswith("//")


def parse_sleuth(text: str, name: str = "") -> Studies:
    """Read what Sleuth exports.

    An experiment is headed by the lines of ``//`` that end with its ``Subjects=``, and
    ends where the next is headed. One without foci found nothing, and stays listed. A
    line of ``//`` that names no paper, between rows or by itself, is a comment.

    Parameters
    ----------
    text : str
        Its lines; each row holds three numbers, as `read_triple` takes them.
    name : str
        What to call the studies together.

    Returns
    -------
    Studies
        Experiments whose first line names the same paper are analyses of one study,
        as NiMARE merges them.

    Examples
    --------
    >>> studies = parse_sleuth('''//Reference=MNI
    ... // Doe, 2001: heat > warm
    ... // Subjects=12
    ... 10 -20 30
    ... ''')
    >>> studies.studies[0].name, studies.studies[0].analyses[0].participants
    ('Doe, 2001', 12)
    """
    counts: Counter[str] = Counter()
    notices: list[str] = []
    papers: dict[str, list[Analysis]] = {}
    found_nothing = joined = False
    for experiment in _Reader(counts, notices).read(text):
        paper, contrast = _name_experiment(experiment.heads)
        if not paper:
            counts["nameless"] += 1
            paper = f"unnamed experiment {counts['nameless']}"
        people = read_sample_size({"sample_size": _stated(experiment.people)})
        counts["uncounted"] += people is None
        joined |= found_nothing
        found_nothing = not experiment.places
        counts["nothing"] += found_nothing
        found = papers.setdefault(paper, [])
        analysis = str(len(found) + 1)
        title = contrast or f"analysis {analysis}"
        found.append(Analysis(analysis, title, tuple(experiment.foci), 1, people))
    studies = tuple(
        Study(id=paper, name=paper, year=_year(paper), analyses=tuple(analyses))
        for paper, analyses in papers.items()
    )
    if counts["nothing"]:
        notices.append(_told_nothing(counts["nothing"], joined=joined))
    if counts["uncounted"]:
        notices.append(
            f"Without a sample size: {counted(counts['uncounted'], 'experiment')}."
        )
    notices += assumption_notices(counts, is_text=True)
    return Studies(studies, name, notices=tuple(notices))


def _told_nothing(n: int, *, joined: bool) -> str:
    told = f"{n:,} experiments have no foci and are listed without any."
    if n == 1:
        told = "1 experiment has no foci and is listed without any."
    if joined:
        told += " NiMARE's reader gives such a header to the foci that come next."
    return told


class _Reader:
    """Goes through a text, block by block, and makes experiments of it."""

    def __init__(self, counts: Counter[str], notices: list[str]) -> None:
        self._counts, self._notices = counts, notices
        self._space: str | None = None
        self._now = _Experiment()
        self._unread: list[int] = []
        self._comments: list[int] = []
        self._changes: list[int] = []

    def read(self, text: str) -> Iterator[_Experiment]:
        blocks = list(_blocks(text))
        for number, block in enumerate(blocks):
            if not block.is_head:
                self._read_rows(block)
            elif headed := self._headed(blocks, number):
                for one in headed:
                    if self._begun:
                        yield self._now
                    self._now = one
            if self._counts["foci"] >= _MOST_FOCI:
                self._notices.append(f"Only the first {_MOST_FOCI:,} foci were read.")
                break
        if self._begun:
            yield self._now
        self._tell()

    @property
    def _begun(self) -> bool:
        now = self._now
        return bool(now.heads or now.places or now.people is not None)

    def _read_rows(self, block: _Block) -> None:
        for number, line in block.lines:
            self._now.places += 1
            row = line.split("//")[0]
            try:
                where: Sequence[float] = read_triple(row)
            except ResultsError:
                if not (_MISSING.search(row) and len(_fields(row)) == 3):
                    self._unread.append(number)
                    continue
                where = ()
            focus = make_focus(where, self._space or "", self._counts)
            if focus is not None:
                self._now.foci.append(focus)
            if self._counts["foci"] >= _MOST_FOCI:
                return

    def _headed(self, blocks: Sequence[_Block], number: int) -> list[_Experiment]:
        """Tell which experiments a block heads: several, one, or none by a comment."""
        lines = self._without_references(blocks[number])
        headed = _split_heads([line for _, line in lines])
        if not headed:
            return []
        first = headed[0]
        if len(headed) == 1 and not first.heads and self._waits:
            # An empty line stood between a name and its Subjects.
            self._now.people = first.people
            return []
        if len(headed) > 1 or first.people is not None:
            return headed
        papers = [_split(head) for head in first.heads]
        if any(_PAPER.match(paper) for paper, _ in papers):
            return headed
        contrasted = any(contrast for _, contrast in papers)
        if self._may_head(blocks, number, contrasted=contrasted):
            return headed
        self._comments += [line for line, _ in lines]
        return []

    def _may_head(
        self, blocks: Sequence[_Block], number: int, *, contrasted: bool
    ) -> bool:
        """Whether lines without a paper and without Subjects head the rows below."""
        if number + 1 == len(blocks) or blocks[number + 1].is_head:
            return False
        amid_rows = number > 0 and not blocks[number - 1].is_head
        if amid_rows and not (blocks[number].parted or blocks[number + 1].parted):
            return False
        complete = self._now.people is not None and not self._now.places
        return contrasted or not complete

    @property
    def _waits(self) -> bool:
        """Whether an experiment was named, and no more."""
        now = self._now
        return bool(now.heads) and now.people is None and not now.places

    def _without_references(self, block: _Block) -> list[tuple[int, str]]:
        lines = []
        for number, line in block.lines:
            if not (found := _REFERENCE.match(line)):
                lines.append((number, line))
                continue
            space = text_field({"space": found[1]}, "space")
            before, self._space = self._space, space
            if before is not None and space_named(space) != space_named(before):
                self._changes.append(number)
        return lines

    def _tell(self) -> None:
        for told, lines in (
            ("Left out, because it has no three coordinates", self._unread),
            ("Taken for a comment", self._comments),
            (
                "Another Reference, which counts from there on (NiMARE goes by the "
                "first)",
                self._changes,
            ),
        ):
            if lines:
                more = f" and {len(lines) - 1:,} more" if len(lines) > 1 else ""
                self._notices.append(f"{told}: line {lines[0]}{more}.")


def _blocks(text: str) -> Iterator[_Block]:
    """Gather lines that stand together."""
    now: _Block | None = None
    parted = False
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip().strip("\ufeff")
        if not line:
            parted = True
            continue
        is_head = line.startswith("//")
        if now is None or parted or now.is_head != is_head:
            if now is not None:
                yield now
            now = _Block(is_head, parted)
        parted = False
        now.lines.append((number, line))
    if now is not None:
        yield now


def _split_heads(lines: Sequence[str]) -> list[_Experiment]:
    """Tell apart the experiments that are headed in one block.

    Each ends with its Subjects or, in a block that begins with one, begins with it.
    """
    found: list[_Experiment] = []
    now = _Experiment()
    #: Heads since the last Subjects.
    since: list[str] = []
    for line in lines:
        if subjects := _SUBJECTS.match(line):
            if now.people is not None and since:
                if now.heads:
                    found.append(now)
                    now = _Experiment(since)
                else:
                    found.append(_Experiment(since, now.people))
                    now = _Experiment()
            elif now.people is None:
                now.heads += since
            now.people, since = subjects[1], []
        elif head := text_field({"head": line.lstrip("/")}, "head"):
            if now.people is not None and now.heads and _names_another(head, now):
                # Subjects ended the heads of a paper that found nothing.
                now.heads += since
                found.append(now)
                now, since = _Experiment(), []
            since.append(head)
    now.heads += since
    if now.heads or now.people is not None:
        found.append(now)
    return found


def _names_another(head: str, experiment: _Experiment) -> bool:
    paper = _split(head)[0]
    known = [_split(one)[0] for one in experiment.heads]
    return bool(_PAPER.match(paper)) and paper not in known


def _name_experiment(heads: list[str]) -> tuple[str, str]:
    """Take paper and contrast apart; several lines are contrasts of one paper."""
    if not heads:
        return "", ""
    paper, first = _split(heads[0])
    contrasts = [first]
    for head in heads[1:]:
        again, contrast = _split(head)
        contrasts.append(contrast if again == paper else head)
    return paper, "; ".join(filter(None, contrasts))


def _split(head: str) -> tuple[str, str]:
    """Split at the first colon or semicolon, after the year when there is one."""
    year = _YEAR.search(head)
    for start in (year.end() if year else 0, 0):
        cuts = [at for at in (head.find(sign, start) for sign in ":;") if at >= 0]
        if cuts:
            return head[: min(cuts)].strip() or head, head[min(cuts) + 1 :].strip()
    return head, ""


def _year(paper: str) -> int | None:
    found = _YEAR.search(paper)
    return publication_year(int(found[0])) if found else None


def _fields(row: str) -> list[str]:
    return [part for part in _APART.split(row) if part]


def _stated(people: str | None) -> str:
    """Take the number out of ``12 (6 women)`` or ``12,``."""
    first = (people or "").split("(")[0].split("//")[0]
    return first.strip(" \t,;.")
