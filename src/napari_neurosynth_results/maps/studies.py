"""The studies behind a result: their analyses and foci, as the algorithm saw them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import pandas as pd

#: As given, or within an address.
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
_LONGEST_PMID = 9


@dataclass(frozen=True)
class Focus:
    """A place that a study reports.

    Attributes
    ----------
    x, y, z : float
        MNI mm.
    space : str
        As stated: ``MNI``, ``TAL``, ``UNKNOWN``, or empty.
    converted : bool
        Whether it was given in Talairach space.
    statistic : str
        Kind of the value reported there, as in ``T``; empty when there is none.
    value : float or None
        That value.
    """

    x: float
    y: float
    z: float
    space: str = ""
    converted: bool = False
    statistic: str = ""
    value: float | None = None

    @property
    def space_known(self) -> bool:
        """Whether the study said which space it is; else MNI is assumed."""
        return self.converted or self.space.upper() == "MNI"


@dataclass(frozen=True)
class Analysis:
    """A contrast of a study.

    Attributes
    ----------
    id, name : str
        As NeuroStore has them.
    foci : tuple of Focus
        None is common.
    group : int
        1 or 2 for the groups of the meta-analysis, 0 when it was not used.
    participants : int or None
        Sample size, None when not given. NIMADS has it as ``sample_sizes`` (a list, one
        a group of people) or ``sample_size`` in the metadata of the analysis or of its
        study; of several groups this is the mean, which is what NiMARE 0.22.1 takes for
        the width of its ALE kernel.
    """

    id: str
    name: str
    foci: tuple[Focus, ...] = ()
    group: int = 1
    participants: int | None = None

    @property
    def included(self) -> bool:
        """Whether the meta-analysis used it."""
        return self.group > 0


@dataclass(frozen=True)
class Study:
    """A paper.

    Attributes
    ----------
    id, name, authors, publication, doi, pmid : str
        As NeuroStore has them; empty when not given.
    year : int or None
        Of publication.
    analyses : tuple of Analysis
        Its contrasts.
    """

    id: str
    name: str
    authors: str = ""
    year: int | None = None
    publication: str = ""
    doi: str = ""
    pmid: str = ""
    analyses: tuple[Analysis, ...] = ()

    @property
    def link(self) -> str:
        """Address of the paper: its DOI, else PubMed; empty when it has neither."""
        doi = _DOI.search(self.doi)
        if doi:
            return f"https://doi.org/{quote(doi[0], safe='/')}"
        pmid = self.pmid.strip()
        known = pmid.isascii() and pmid.isdigit() and len(pmid) <= _LONGEST_PMID
        return f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if known else ""

    @property
    def experiments(self) -> dict[int, str]:
        """Group -> the row of NiMARE's diagnostics with its merged analyses."""
        return {
            group: self._row([a for a in self.analyses if a.group == group])
            for group in sorted({a.group for a in self.analyses if a.included})
        }

    def _row(self, analyses: list[Analysis]) -> str:
        used = "; ".join(analysis.name for analysis in analyses)
        return f"{self.name}-{used}".replace(" ", "_")


@dataclass(frozen=True)
class StudyFile:
    """The file that studies were read from, and how.

    Attributes
    ----------
    path, annotation : str
        The studies, and the annotation that was given; empty for none.
    include : str or None
        The column that says which analyses count.
    """

    path: str
    annotation: str = ""
    include: str | None = None


@dataclass(frozen=True)
class Studies:
    """The studies of one meta-analysis.

    Attributes
    ----------
    studies : tuple of Study
        In the order given.
    name : str
        Of the studyset.
    is_snapshot : bool
        Whether they are as they were when the meta-analysis ran.
    notices : tuple of str
        What had to be assumed or left out.
    file : StudyFile, optional
        Where they were read, for those of a file.
    """

    studies: tuple[Study, ...]
    name: str = ""
    is_snapshot: bool = True
    notices: tuple[str, ...] = ()
    file: StudyFile | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        """Return the number of studies."""
        return len(self.studies)

    def __iter__(self) -> Iterator[Study]:
        """Go through the studies."""
        return iter(self.studies)

    @property
    def included(self) -> tuple[Study, ...]:
        """The studies of which an analysis was used."""
        return tuple(s for s in self.studies if any(a.included for a in s.analyses))

    @cached_property
    def foci(self) -> pd.DataFrame:
        """One row a focus of an included analysis, in MNI mm.

        Returns
        -------
        pandas.DataFrame
            Columns ``study_id, study, analysis_id, analysis, group, x, y, z, space,
            converted, statistic, value, year, doi, pmid, participants``; whole numbers
            that may be missing are ``Int64``.
        """
        import pandas as pd

        columns = ["study_id", "study", "analysis_id", "analysis", "group"]
        columns += ["x", "y", "z", "space", "converted", "statistic", "value"]
        columns += ["year", "doi", "pmid", "participants"]
        rows = [
            (
                *(study.id, study.name, analysis.id, analysis.name, analysis.group),
                *(focus.x, focus.y, focus.z, focus.space, focus.converted),
                *(focus.statistic, focus.value, study.year, study.doi, study.pmid),
                analysis.participants,
            )
            for study in self.studies
            for analysis in study.analyses
            if analysis.included
            for focus in analysis.foci
        ]
        # Also when there is no row, or nothing but missing values in a column.
        types: dict[str, str] = dict.fromkeys(("x", "y", "z", "value"), "float64")
        types |= dict.fromkeys(("year", "participants"), "Int64")
        types |= {"group": "int64", "converted": "bool"}
        types |= {name: "str" for name in columns if name not in types}
        return pd.DataFrame(rows, columns=columns).astype(types)
