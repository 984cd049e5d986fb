"""Who is behind each cluster: foci, shares and papers of experiments in one place."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.studies import Experiments
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.studies.contributions import (
    ModeledContributions,
)
from napari_neurosynth_results.statistics.studies.leave_one_out import LeaveOneOut

if TYPE_CHECKING:
    import pandas as pd

#: An ALE should have so many experiments, and above the second number no single one
#: dominates a cluster (Eickhoff et al. 2016, NeuroImage 137, 70-85). They simulated ALE
#: alone: nothing follows for MKDA or for maps of images.
RECOMMENDED_FOR_ALE = 20
DOMINATED_UP_TO = 17
#: One experiment dominates a cluster when it has more than this of it.
_MOST = 0.5

#: And of the statistic of an ALE cluster one experiment should not have more than this
#: share, and two not more than the second (Eickhoff et al. 2016).
_MOST_OF_TWO = 0.8

ONE_EXPERIMENT = "one experiment only"
ONE_DOMINATES = "one experiment has more than half"
ONE_SHARE_DOMINATES = "one experiment has more than half of the statistic"
TWO_SHARES_DOMINATE = "two experiments have more than 80 % of the statistic"
NO_EXPERIMENT = "no experiment"
FEW_IN_ALL = (
    f"fewer than {RECOMMENDED_FOR_ALE} experiments in all, the least that is "
    "recommended for an ALE"
)
MAY_DOMINATE = (
    f"{DOMINATED_UP_TO} experiments or fewer in all: one of them may dominate a "
    f"cluster of an ALE, for which at least {RECOMMENDED_FOR_ALE} are recommended"
)
_ALE = re.compile(r"\bactivation likelihood estimation \(ALE\) meta-analysis", re.I)
_NOT_ALE = re.compile(r"kernel density|image-based meta-analysis|subtraction", re.I)

#: A smaller share is that of the far end of a kernel.
_LEAST_SHARE = 0.0005
#: What a share means, and what it does not.
ABOUT_SHARES = (
    "Share: how much of the cluster's mean statistic is lost when the experiment is "
    "left out (NiMARE's jackknife). It is no new test: it does not say whether the "
    "cluster would still be found."
)
#: Columns that are known of modeled activations alone.
_MODELED = ("peak_share", "peak_activation", "mean_activation")


@dataclass(frozen=True, eq=False)
class Contributors:
    """The experiments behind the clusters of a map.

    Attributes
    ----------
    clusters : ClusterSet
        The clusters.
    foci : pandas.DataFrame or None
        Experiments by clusters: foci in the cluster. None when they are not known.
    shares : pandas.DataFrame or None
        Experiments by clusters: what NiMARE's jackknife says, or would. None when there
        is none.
    experiments : Experiments or None
        The studies, when they are known.
    notices : tuple of str
        Where the numbers come from, what could not be joined, and why.
    elsewhere : mapping of int to str
        Clusters that nothing is known of: what is known instead, and of which cluster.
    is_ale : bool
        Whether it is an ALE: what is recommended for one is said of no other.
    modeled : ModeledContributions, optional
        What each experiment adds, where the statistic was rebuilt from the foci.
    left_out : LeaveOneOut, optional
        What became of the clusters without each experiment, once that was worked out.
    """

    clusters: ClusterSet
    foci: pd.DataFrame | None = field(repr=False)
    shares: pd.DataFrame | None = field(repr=False)
    experiments: Experiments | None = field(repr=False)
    notices: tuple[str, ...] = ()
    elsewhere: Mapping[int, str] = field(default_factory=dict)
    is_ale: bool = False
    modeled: ModeledContributions | None = field(default=None, repr=False)
    left_out: LeaveOneOut | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return self.foci is not None or self.shares is not None

    @property
    def counted(self) -> pd.DataFrame | None:
        """Experiments by clusters: foci where they are known, else shares."""
        return self.foci if self.foci is not None else self._shares

    @cached_property
    def ranked(self) -> pd.DataFrame | None:
        """`counted`, for all clusters at a glance: those behind most clusters first.

        Then those with most in all of them, then as they were counted. This is not the
        order of `of`: most important for one cluster says nothing of the others, and
        rows have to be the same for all columns.
        """
        return None if self.counted is None else _at_a_glance(self.counted)

    @cached_property
    def ranked_shares(self) -> pd.DataFrame | None:
        """The shares, for all clusters at a glance; None where there are none."""
        return None if self._shares is None else _at_a_glance(self._shares)

    @property
    def notes(self) -> list[str]:
        """The notices, and what shares and survival mean where there are any."""
        told = [*self.notices, *([ABOUT_SHARES] if self.shares is not None else [])]
        return [*told, *(self.left_out.notices if self.left_out is not None else [])]

    @cached_property
    def ids(self) -> list[str]:
        """The experiments, those of the foci first."""
        tables = [t for t in (self.foci, self._shares) if t is not None]
        return list(dict.fromkeys(str(name) for t in tables for name in t.index))

    @cached_property
    def _shares(self) -> pd.DataFrame | None:
        """The shares under the names that the foci have, where both can be told."""
        table, experiments = self.shares, self.experiments
        if table is None or experiments is None:
            return table
        found = [experiments.find(str(name)) for name in table.index]
        names = [
            one.id if one is not None else str(name)
            for one, name in zip(found, table.index, strict=True)
        ]
        if len(set(names)) < len(names):
            # NiMARE left out single analyses: their shares are not those of a study.
            return table
        return table.set_axis(names, axis="index")

    @cached_property
    def robustness(self) -> pd.DataFrame:
        """How many are behind each cluster, and cautions; by foci, else by shares.

        Raises
        ------
        ValueError
            When nothing is known, not even of which clusters something would be.
        """
        if self.counted is None:
            if not self.elsewhere:
                raise ValueError("nothing is known of these clusters")
            return measure_robustness(self._nobody)
        return measure_robustness(
            self.counted, self.experiments, self._shares, is_ale=self.is_ale
        )

    @property
    def _nobody(self) -> pd.DataFrame:
        """No experiments by clusters."""
        import pandas as pd

        return pd.DataFrame(columns=range(1, len(self.clusters) + 1), dtype=np.float64)

    def of(self, label: int) -> pd.DataFrame:
        """List the experiments behind one cluster, the most important first.

        Returns
        -------
        pandas.DataFrame
            ``experiment, study, year, foci, share, participants, link``, in the order
            of `rank_experiments`: the first is the one that `sentence` names. Those
            without a focus and with less than .05 % are left out. ``peak_share``,
            ``peak_activation`` and ``mean_activation``, the modeled activation at the
            peak and its mean over the cluster, are NaN where the statistic was not
            rebuilt.
        """
        import pandas as pd

        foci, shares = _column(self.foci, label), _column(self._shares, label)
        modeled = [_column(table, label) for table in self._modeled]
        rows: list[tuple[Any, ...]] = []
        most, ties = (shares, {}) if self.foci is None else (foci, shares)
        for name in rank_experiments(self.ids, most, ties):
            n, share = foci.get(name, np.nan), shares.get(name, np.nan)
            if n > 0 or abs(np.nan_to_num(share)) >= _LEAST_SHARE:
                more = (column.get(name, np.nan) for column in modeled)
                rows.append((name, *self._paper(name), n, share, *more))
        columns = ["experiment", "study", "year", "participants", "link"]
        columns += ["foci", "share", *_MODELED]
        table = pd.DataFrame(rows, columns=columns)
        table = table.astype(
            {"foci": "Int64", "year": "Int64", "participants": "Int64"}
        )
        order = ["experiment", "study", "year", "foci", "share", *_MODELED]
        return table[[*order, "participants", "link"]]

    @cached_property
    def _modeled(self) -> list[pd.DataFrame | None]:
        """Tables of what only modeled activations tell, None where nothing does."""
        made = self.modeled
        return [None if made is None else made.table(of) for of in _MODELED]

    def _paper(self, name: str) -> tuple[str, int | None, int | None, str]:
        found = self.experiments.find(name) if self.experiments is not None else None
        if found is None:
            return name, None, None, ""
        study = found.study
        return study.name or name, study.year, found.participants, study.link

    def title(self, name: str) -> str:
        """Return what to call an experiment: its study, where that is known."""
        return self._paper(name)[0]

    def told(self, name: str, label: int) -> str:
        """Say what one experiment has to do with one cluster.

        Returns
        -------
        str
            As in ``pain_03 in Insula R: 4 foci, share 12.1 %``.
        """
        foci, shares = _column(self.foci, label), _column(self._shares, label)
        n, share = foci.get(name, np.nan), shares.get(name, np.nan)
        parts = [counted(int(n), "focus", "foci")] if np.isfinite(n) else []
        parts += [f"share {100 * share:.1f} %"] if np.isfinite(share) else []
        what = ", ".join(parts) or "not counted"
        return f"{self.title(name)} in {self.clusters.names[label - 1]}: {what}"

    def sentence(self, label: int) -> str:
        """Say in one sentence who is behind a cluster.

        Returns
        -------
        str
            As in ``Insula R: 14 of 21 experiments, 26 foci, 300 participants; most from
            pain_03 (15 % of the foci).`` Where NiMARE counted in a cluster of other
            voxels, that it did, and in which.
        """
        import pandas as pd

        name = self.clusters.names[label - 1]
        if not self and not self.elsewhere:
            return f"{name}: not known."
        row = self.robustness.loc[label]
        if np.isnan(row["dominant_percent"]):
            nothing = self.elsewhere.get(label, "NiMARE counted nothing")
            known = pd.notna(row["experiments"])
            return f"{name}: {NO_EXPERIMENT if known else nothing}."
        parts = [f"{row['experiments']} of {row['of']} experiments"]
        foci = _column(self.foci, label)
        if self.foci is not None:
            parts.append(counted(int(sum(foci.values())), "focus", "foci"))
        if np.isfinite(row["participants"]):
            parts.append(f"{row['participants']:,.0f} participants")
        what = "the foci" if self.foci is not None else "the shares"
        share = f"{row['dominant_percent']:.0f} % of {what}"
        column = _column(self.counted, label)
        if list(column.values()).count(column[str(row["dominant"])]) > 1:
            return f"{name}: {', '.join(parts)}; none has more than {share}."
        most = self.title(str(row["dominant"]))
        return f"{name}: {', '.join(parts)}; most from {most} ({share})."

    def caution(self, label: int) -> str:
        """Return what has to be said of a cluster beside its sentence, if anything."""
        return str(self.robustness.loc[label, "cautions"])

    def share_sentence(self, label: int) -> str:
        """Say who has most of the statistic of a cluster; empty where nobody knows.

        Returns
        -------
        str
            As in ``Largest shares: pain_19 13 %, together with pain_13 25 %.``, of all
            shares together.
        """
        if self._shares is None:
            return ""
        row = self.robustness.loc[label]
        if np.isnan(row["largest_share_percent"]):
            return ""
        first, second = (self.title(str(row[name])) for name in _LARGEST)
        told = f"Largest shares: {first} {row['largest_share_percent']:.0f} %"
        both = f"{second} {row['two_shares_percent']:.0f} %"
        more = f", together with {both}" if second else ""
        return f"{told}{more}."

    def survival_sentence(self, label: int) -> str:
        """Say what became of a cluster without each experiment; empty if unknown."""
        if self.left_out is None:
            return ""
        return self.left_out.sentence(label, self.title)

    def told_of(self, label: int) -> list[str]:
        """List all sentences about a cluster: who, with which share, how firmly."""
        told = [self.sentence(label), self.share_sentence(label)]
        return [one for one in (*told, self.survival_sentence(label)) if one]


def _at_a_glance(table: pd.DataFrame) -> pd.DataFrame:
    """Order experiments for all clusters together."""
    strength = np.nan_to_num(table.to_numpy(dtype=np.float64))
    # The far end of a kernel is behind no cluster; a focus is more than it.
    behind = (strength >= _LEAST_SHARE).sum(axis=1)
    return table.iloc[np.lexsort((-strength.sum(axis=1), -behind))]


def _column(table: pd.DataFrame | None, label: Hashable) -> dict[str, float]:
    if table is None or label not in table.columns:
        return {}
    values = table[label].astype(float).tolist()
    return dict(zip(map(str, table.index), values, strict=True))


def rank_experiments(
    names: Iterable[str], most: Mapping[str, float], ties: Mapping[str, float]
) -> list[str]:
    """Order the experiments behind one cluster, the most important first.

    Foci go before shares: they are what was reported there, whoever counts them, and
    what is said of a cluster in words is counted in them.

    Parameters
    ----------
    names : iterable of str
        The experiments.
    most : mapping of str to float
        What decides: foci where they are known, else shares.
    ties : mapping of str to float
        What decides among equals: shares where foci are known. Then it goes by name.

    Returns
    -------
    list of str
        The names; what is not known comes after all that is.

    Examples
    --------
    >>> rank_experiments("abcd", {"b": 2, "c": 3, "d": 2}, {"a": 0.9, "d": 0.1})
    ['c', 'd', 'b', 'a']
    """

    def rank(name: str) -> tuple[float, float, str]:
        found = [column.get(name, np.nan) for column in (most, ties)]
        first, second = (np.inf if np.isnan(value) else -value for value in found)
        return first, second, name

    return sorted(names, key=rank)


def measure_robustness(
    table: pd.DataFrame,
    experiments: Experiments | None = None,
    shares: pd.DataFrame | None = None,
    *,
    is_ale: bool = False,
) -> pd.DataFrame:
    """Say of each cluster how many experiments and people are behind it.

    Parameters
    ----------
    table : pandas.DataFrame
        Experiments by clusters: foci or shares, from `contributions`.
    experiments : Experiments, optional
        Knows the sample sizes.
    shares : pandas.DataFrame, optional
        The same for shares: decides among experiments with equally many foci, and says
        who has most of the statistic.
    is_ale : bool
        Whether to say when there are fewer experiments than an ALE should have, or one
        or two have too much of it.

    Returns
    -------
    pandas.DataFrame
        One row a cluster: ``experiments`` that contribute, ``of`` how many that could,
        ``participants`` in them (NaN when no sample size is known), the ``dominant``
        experiment, the first of `rank_experiments`, and its share of all
        (``dominant_percent``), and ``cautions`` in words, empty when nothing asks for
        any. Clusters that nothing was counted for have NaN and no cautions. With
        `shares` also the experiments with the ``largest_share`` and the
        ``second_share``, and what percentage of all shares together the first and both
        have (``largest_share_percent``, ``two_shares_percent``).
    """
    import pandas as pd

    names = [str(name) for name in table.index]
    people = [_participants(experiments, name) for name in names]
    rows = [
        _row(
            table[cluster].to_numpy(dtype=np.float64),
            names,
            _column(shares, cluster),
            people,
            is_ale,
        )
        for cluster in table.columns
    ]
    columns = ["experiments", "of", "participants", "dominant", "dominant_percent"]
    index = pd.Index(table.columns, name="cluster")
    found = pd.DataFrame(rows, index=index, columns=[*columns, "cautions"])
    found = found.astype({"experiments": "Int64", "of": "Int64"})
    if shares is None:
        return found
    largest = [_largest(_column(shares, cluster)) for cluster in table.columns]
    names = [*_LARGEST, "largest_share_percent", "two_shares_percent"]
    return found.join(pd.DataFrame(largest, index=index, columns=names))


#: Columns with the experiments that have the largest shares.
_LARGEST = ("largest_share", "second_share")


def _largest(shares: Mapping[str, float]) -> tuple[str, str, float, float]:
    """Return who has the two largest shares, and what of all the first and both have.

    Of all shares together, as in Eickhoff et al. 2016: those of an ALE add up to a
    little less than 1, and what weakens a cluster is no part of it.
    """
    gains = {name: max(0.0, np.nan_to_num(value)) for name, value in shares.items()}
    whole = sum(gains.values())
    if not whole:
        return "", "", np.nan, np.nan
    first, second, *_ = [*rank_experiments(gains, gains, {}), ""]
    both = gains[first] + gains.get(second, 0.0)
    if not gains.get(second):
        second = ""
    return first, second, 100 * gains[first] / whole, 100 * both / whole


def _participants(experiments: Experiments | None, name: str) -> float:
    found = experiments.find(name) if experiments is not None else None
    if found is None or found.participants is None:
        return np.nan
    return float(found.participants)


def _row(
    values: Float64Array,
    names: list[str],
    shares: Mapping[str, float],
    people: list[float],
    is_ale: bool,
) -> tuple[float, int, float, str, float, str]:
    asked = int(np.isfinite(values).sum())
    if not asked:
        return np.nan, len(names), np.nan, "", np.nan, ""
    # An experiment that weakens a cluster is not behind it.
    gains = np.clip(np.nan_to_num(values), 0, None)
    behind = np.flatnonzero(gains)
    known = np.array(people)[behind]
    participants = float(np.nansum(known)) if np.isfinite(known).any() else np.nan
    small = _caution_few(asked) if is_ale else []
    if not behind.size:
        return 0, asked, np.nan, "", np.nan, "; ".join([NO_EXPERIMENT, *small])
    if is_ale and behind.size > 1:
        told = _caution_shares(shares)
        # Where shares are what was counted, one that dominates is told below.
        by_shares = np.array_equal(values, list(shares.values()), equal_nan=True)
        small = [
            one for one in told if one != ONE_SHARE_DOMINATES or not by_shares
        ] + small
    first = rank_experiments(names, dict(zip(names, values, strict=True)), shares)[0]
    share = float(gains.max() / gains.sum())
    one = (
        [ONE_EXPERIMENT]
        if behind.size == 1
        else [ONE_DOMINATES]
        if share > _MOST
        else []
    )
    return (
        behind.size,
        asked,
        participants,
        first,
        100 * share,
        "; ".join(one + small),
    )


def _caution_shares(shares: Mapping[str, float]) -> list[str]:
    """Say when one experiment, or two, have too much of an ALE cluster."""
    *_, one, two = _largest(shares)
    if one > 100 * _MOST:
        return [ONE_SHARE_DOMINATES]
    return [TWO_SHARES_DOMINATE] if two > 100 * _MOST_OF_TWO else []


def _caution_few(experiments: int) -> list[str]:
    """Say when an ALE has few experiments, and what that may do."""
    if experiments <= DOMINATED_UP_TO:
        return [MAY_DOMINATE]
    return [FEW_IN_ALL] if experiments < RECOMMENDED_FOR_ALE else []


def known_as_ale(results: ResultSet) -> bool:
    """Say whether a result is an ALE meta-analysis of one group of studies.

    Parameters
    ----------
    results : ResultSet
        Its specification on Neurosynth Compose tells, else the methods text; of a
        folder of several runs neither does.

    Returns
    -------
    bool
        False also where nobody knows.
    """
    estimator = results.about.specification.get("estimator")
    if estimator is not None:
        named = estimator.get("type") if isinstance(estimator, Mapping) else estimator
        return named == "ALE"
    if len(runs_of(results)) > 1:
        return False
    text = results.methods
    return _ALE.search(text) is not None and _NOT_ALE.search(text) is None


def runs_of(results: ResultSet) -> list[str]:
    """List the meta-analyses that a result holds maps of, as their names tell them.

    Returns
    -------
    list of str
        What stands before the value in the names of their files; an empty one too.
    """
    runs = dict.fromkeys(m.name.run for m in results.maps.values() if m.name)
    return [" ".join(part for part in run if part) for run in runs]
