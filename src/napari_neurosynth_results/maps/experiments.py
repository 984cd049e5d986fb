"""Experiments: what a meta-analysis counts, the analyses of one study taken together.

Compose merges all analyses of a study that were used, so that nobody is counted twice
(Turkeltaub et al. 2012, Hum Brain Mapp 33, 1-13); the rows of NiMARE's diagnostics are
then these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.studies import Analysis, Studies, Study


@dataclass(frozen=True)
class Experiment:
    """The analyses of one study that were used in one group.

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
