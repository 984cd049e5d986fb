"""Sleuth's text, which GingerALE and NiMARE read as well -> `Studies`.

Lines of ``//`` head an experiment: who, what, how many people. Coordinates follow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study
from napari_neurosynth_results.sources.studies.study_fields import (
    assumption_notices,
    make_focus,
    publication_year,
    read_sample_size,
    text_field,
)

_REFERENCE = re.compile(r"//\s*reference\s*[=:]\s*(.*)", re.IGNORECASE)
_SUBJECTS = re.compile(r"//\s*subjects\s*[=:]\s*(\S*)", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_BETWEEN = re.compile(r"[\s,;]+")
_MOST_FOCI = 1_000_000


@dataclass
class _Experiment:
    """What was read of one experiment so far."""

    space: str
    heads: list[str] = field(default_factory=list)
    people: str = ""
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

    Parameters
    ----------
    text : str
        Its lines; rows of coordinates are separated by tabs, spaces, commas or
        semicolons.
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
    for experiment in _experiments(text, counts, notices):
        paper, contrast = _split_heads(experiment.heads)
        if not paper:
            counts["nameless"] += 1
            paper = f"unnamed experiment {counts['nameless']}"
        people = read_sample_size({"sample_size": experiment.people})
        counts["uncounted"] += people is None
        found = papers.setdefault(paper, [])
        analysis = str(len(found) + 1)
        title = contrast or f"analysis {analysis}"
        found.append(Analysis(analysis, title, tuple(experiment.foci), 1, people))
    studies = tuple(
        Study(id=paper, name=paper, year=_year(paper), analyses=tuple(analyses))
        for paper, analyses in papers.items()
    )
    if counts["uncounted"]:
        notices.append(f"{counts['uncounted']:,} experiments state no sample size.")
    return Studies(studies, name, notices=(*notices, *assumption_notices(counts)))


def _experiments(
    text: str, counts: Counter[str], notices: list[str]
) -> Iterator[_Experiment]:
    """Cut the lines into experiments: one ends where the next is headed."""
    now = _Experiment("")
    unread: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip().strip("\ufeff")
        if line.startswith("//"):
            if now.places:
                yield now
                now = _Experiment(now.space)
            _read_head(line, now)
        elif line:
            now.places += 1
            where = [_as_number(part) for part in _BETWEEN.split(line) if part]
            if len(where) != 3 or None in where:
                unread.append(number)
            elif (focus := make_focus(where, now.space, counts)) is not None:
                now.foci.append(focus)
        if counts["foci"] >= _MOST_FOCI:
            notices.append(f"Only the first {_MOST_FOCI:,} foci were read.")
            break
    if now.heads or now.places:
        yield now
    if unread:
        more = f" and {len(unread) - 1:,} more" if len(unread) > 1 else ""
        notices.append(
            f"Left out, because it has no three coordinates: line {unread[0]}{more}."
        )


def _read_head(line: str, experiment: _Experiment) -> None:
    if found := _REFERENCE.match(line):
        experiment.space = text_field({"space": found[1]}, "space")
    elif found := _SUBJECTS.match(line):
        experiment.people = found[1]
    elif head := text_field({"head": line.lstrip("/")}, "head"):
        experiment.heads.append(head)


def _split_heads(heads: list[str]) -> tuple[str, str]:
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


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
