"""The studies behind a result: their analyses and foci, as the algorithm saw them.

What a meta-analysis counts are experiments: the analyses of one study taken together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

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
        As stated: ``MNI``, ``TAL``, ``TLRC``, ``UNKNOWN``, or empty.
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
        study; of several groups this is the mean, to the nearest whole.
    mean_participants : float or None
        The mean itself, by which NiMARE 0.22.1 sizes its ALE kernel; None where
        nothing but `participants` is known.
    """

    id: str
    name: str
    foci: tuple[Focus, ...] = ()
    group: int = 1
    participants: int | None = None
    mean_participants: float | None = None

    @property
    def included(self) -> bool:
        """Whether the meta-analysis used it."""
        return self.group > 0

    @property
    def kernel_participants(self) -> float | None:
        """The sample size that the width of an ALE kernel follows from."""
        known = self.participants
        return known if self.mean_participants is None else self.mean_participants


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


@dataclass(frozen=True)
class Experiment:
    """The analyses of one study that were used in one group.

    Compose merges them, so that nobody is counted twice (Turkeltaub et al. 2012, Hum
    Brain Mapp 33, 1-13); the rows of NiMARE's diagnostics are then these.

    Attributes
    ----------
    id : str
        The row of NiMARE's diagnostics.
    study : Study
        The paper.
    group : int
        1 or 2.
    analyses : tuple of Analysis
        Those that were used.
    """

    id: str
    study: Study
    group: int
    analyses: tuple[Analysis, ...]

    @property
    def participants(self) -> int | None:
        """Sample size: of several analyses the largest, as people took part in each."""
        known = [a.participants for a in self.analyses if a.participants is not None]
        return max(known, default=None)

    @property
    def n_foci(self) -> int:
        """How many foci it reports."""
        return sum(len(analysis.foci) for analysis in self.analyses)


@dataclass(frozen=True, eq=False)
class Experiments:
    """The experiments of a meta-analysis, in the order of their studies.

    Attributes
    ----------
    studies : Studies
        Where they come from.
    """

    studies: Studies = field(repr=False)

    @cached_property
    def listed(self) -> tuple[Experiment, ...]:
        """All of them."""
        return tuple(
            Experiment(
                name,
                study,
                group,
                tuple(a for a in study.analyses if a.group == group),
            )
            for study in self.studies
            for group, name in study.experiments.items()
        )

    def __len__(self) -> int:
        """Count them."""
        return len(self.listed)

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """The groups that there are: 1, or 1 and 2."""
        return tuple(sorted({one.group for one in self.listed}))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids in order, each but once."""
        return tuple(dict.fromkeys(one.id for one in self.listed))

    @cached_property
    def foci(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
        """Where the foci are, MNI mm (n, 3), and which of `listed` reports each."""
        places = [
            (focus.x, focus.y, focus.z)
            for one in self.listed
            for analysis in one.analyses
            for focus in analysis.foci
        ]
        owners = np.repeat(
            np.arange(len(self.listed)), [one.n_foci for one in self.listed]
        )
        return np.array(places, dtype=np.float64).reshape(-1, 3), owners

    def find(self, experiment: str) -> Experiment | None:
        """Find an experiment by the name that NiMARE gave to its row.

        Parameters
        ----------
        experiment : str
            As in Compose (``<study>-<analyses>``), or as NiMARE names a single
            analysis (``<id of the study>-<id of the analysis>``).

        Returns
        -------
        Experiment or None
            None when no study is called so.
        """
        return self._by_name.get(experiment)

    @cached_property
    def _by_name(self) -> dict[str, Experiment]:
        names: dict[str, Experiment] = {}
        for one in self.listed:
            names.setdefault(one.id, one)
        for one in self.listed:
            for analysis in one.analyses:
                names.setdefault(f"{one.study.id}-{analysis.id}", one)
                names.setdefault(f"{one.study.name}-{analysis.name}", one)
        return names


class LazyStudies:
    """The studies of a result, found once.

    Parameters
    ----------
    find : callable, optional
        Finds them; None where there are none to find.
    remote : bool
        Whether finding them may ask a server, and so take long.
    """

    def __init__(
        self, find: Callable[[], Studies | None] | None, *, remote: bool
    ) -> None:
        self._find = find
        self._remote = remote
        self._found: list[Studies | None] = [None] if find is None else []

    @property
    def at_hand(self) -> bool:
        """Whether `get` answers without asking a server."""
        return bool(self._found) or not self._remote

    def get(self) -> Studies | None:
        """Return the studies, None where none are known.

        Raises
        ------
        ResultsError
            When a server holds them and cannot be asked, or a file is broken.
        """
        if not self._found:
            assert self._find is not None
            self._found.append(self._find())
        return self._found[0]


#: A result of which no studies are known.
NO_STUDIES = LazyStudies(None, remote=False)
