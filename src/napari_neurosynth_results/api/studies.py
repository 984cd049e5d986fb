"""Who is behind the clusters of a result."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

from napari_neurosynth_results.anatomy import numerals
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job, Progress
from napari_neurosynth_results.maps.grid import TALAIRACH, StatedSpace
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.studies import Experiments, Studies
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.studies.contributions import (
    ContributionKind,
    CountedElsewhereError,
    count_foci,
    groups_behind,
    join_contributions,
    leave_out_others,
)
from napari_neurosynth_results.statistics.studies.contributors import (
    Contributors,
    known_as_ale,
    measure_robustness,
    runs_of,
)
from napari_neurosynth_results.statistics.studies.leave_one_out import (
    LeaveOneOut,
)
from napari_neurosynth_results.statistics.studies.leave_one_out import (
    leave_one_out as find_without_each,
)
from napari_neurosynth_results.statistics.studies.modeled_activations import (
    ModeledActivations,
    find_statistic,
    rebuild,
)
from napari_neurosynth_results.statistics.studies.nimare_diagnostics import (
    find_diagnostics,
    numbering_warnings,
)

if TYPE_CHECKING:
    import pandas as pd

#: Of a statistic and the number of studies: these, and what they gave or why nothing.
_Known = dict[tuple[str, int], tuple[Studies, ModeledActivations | ResultsError]]


def contributions(
    results: ResultSet,
    clusters: ClusterSet,
    kind: ContributionKind = "foci",
    *,
    studies: Studies | None = None,
) -> pd.DataFrame:
    """Say which experiments are behind each cluster.

    Foci are counted in the clusters themselves when the studies are known, by NiMARE's
    rule: a focus belongs to the voxel nearest to it. Shares are worked out from the
    foci where the opened ALE, MKDA or KDA can be rebuilt from them, voxel for voxel.
    Else NiMARE's own tables of the same contrast are joined by place, never by NiMARE's
    numbers, and only to clusters that have the voxels of NiMARE's.

    Parameters
    ----------
    results : ResultSet
        A result with its studies, or with the tables of NiMARE's FocusCounter or
        Jackknife.
    clusters : ClusterSet
        Clusters of a map of the result.
    kind : {"foci", "jackknife"}
        The number of foci of an experiment in a cluster; or the share of the cluster's
        mean statistic that goes when the experiment is left out, which does not say
        that the cluster would be lost.
    studies : Studies, optional
        Those of the result (``results.studies``) when not given.

    Returns
    -------
    pandas.DataFrame
        Index: experiment id; one column a cluster, its label in ``clusters.table``,
        NaN where NiMARE counted in no cluster of the same voxels, and for experiments
        of the other one of two groups. ``attrs["source"]`` says where the numbers come
        from, ``attrs["notices"]`` what could not be joined, where NiMARE counted in a
        cluster of other voxels, and where its numbers would have misled;
        ``attrs["elsewhere"]``, by cluster, whose numbers there are instead.

    Raises
    ------
    ResultsError
        When the result has neither studies nor such a table of the same contrast, when
        there is no label map to follow it by and none that can be made anew and proven,
        or when none of the clusters is one of NiMARE's.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> z = results["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    >>> foci = nnr.contributions(results, nnr.find_clusters(z, p=0.05))
    >>> int(foci[1].sum())
    26
    """
    notices: list[str] = []
    experiments = _experiments(results, studies, notices)
    if kind == "jackknife":
        made = _rebuilt(results, clusters, experiments, notices)
        if made is not None:
            table = made.contributions_to(clusters).table("share")
            source = "Shares worked out from the foci"
            return _say_of(table, [*notices, *made.notices], source, {})
    return _count_or_join(results, clusters, kind, experiments, notices)


def _count_or_join(
    results: ResultSet,
    clusters: ClusterSet,
    kind: ContributionKind,
    experiments: Experiments | None,
    notices: list[str],
) -> pd.DataFrame:
    """Count foci where they are known, else join NiMARE's own table."""
    elsewhere: dict[int, str] = {}
    if kind == "foci" and experiments is not None:
        table = _count_here(clusters, experiments)
        n = len(experiments.foci[0])
        n_foci = numerals.counted(n, "focus", "foci")
        of = numerals.counted(len(experiments), "experiment")
        source = f"{n_foci} of {of}, counted here"
        notices += experiments.studies.notices
        notices += _whose_studies(results, experiments)
        if (space := clusters.statmap.grid.elsewhere) is not None:
            notices.append(_moved_foci(space))
    else:
        counted = find_diagnostics(results, clusters, kind, experiments)
        table = join_contributions(clusters, counted, kind)
        notices += table.attrs["notices"]
        elsewhere = table.attrs["elsewhere"]
        source = "NiMARE's table of " + ("foci" if kind == "foci" else "the jackknife")
    notices += numbering_warnings(results, clusters)
    return _say_of(table, notices, source, elsewhere)


def _say_of(
    table: pd.DataFrame,
    notices: list[str],
    source: str,
    elsewhere: Mapping[int, str],
) -> pd.DataFrame:
    """Say of a table where its numbers come from, and what has to be known."""
    told = tuple(dict.fromkeys(notices))
    table.attrs = {"notices": told, "source": source, "elsewhere": elsewhere}
    return table


def _rebuilt(
    results: ResultSet,
    clusters: ClusterSet,
    experiments: Experiments | None,
    notices: list[str],
    job: Job | None = None,
) -> ModeledActivations | None:
    """Rebuild the statistic where that is possible; say why not where it might be."""
    statistic = find_statistic(clusters.statmap)
    if experiments is None or statistic is None:
        return None
    try:
        return find_activations(results, clusters, experiments.studies, job)
    except CancelledError:
        raise
    except ResultsError as error:
        notices.append(str(error))
        return None


def find_activations(
    results: ResultSet,
    clusters: ClusterSet,
    studies: Studies,
    job: Job | None = None,
) -> ModeledActivations:
    """Rebuild a meta-analysis from its foci, once for all that is asked of it.

    Parameters
    ----------
    results, clusters
        As for `contributions`.
    studies : Studies
        What was put into it.
    job : Job, optional
        Hears how far it is; may stop it.

    Returns
    -------
    ModeledActivations
        Of each experiment.

    Raises
    ------
    CancelledError
        When the job was cancelled.
    ResultsError
        When the foci do not give the opened statistic; the text says why.
    """
    known, key = _known_activations(results), _activations_key(clusters, studies)
    if key not in known:
        found: ModeledActivations | ResultsError
        try:
            found = rebuild(results, clusters.statmap, studies, job)
        except CancelledError:
            raise
        except ResultsError as error:
            found = error
        # The studies are kept with what they gave: so their number stays theirs.
        known[key] = studies, found
    _, made = known[key]
    if isinstance(made, ResultsError):
        raise made
    return made


def has_activations(results: ResultSet, clusters: ClusterSet, studies: Studies) -> bool:
    """Whether `find_activations` was asked before, and so answers at once."""
    return _activations_key(clusters, studies) in _known_activations(results)


def _known_activations(results: ResultSet) -> _Known:
    """Return what was rebuilt of a result before; gone when its maps change."""
    return results.remember("modeled activations", dict)


def _activations_key(clusters: ClusterSet, studies: Studies) -> tuple[str, int]:
    statistic = find_statistic(clusters.statmap) or clusters.statmap
    return statistic.key, id(studies)


def leave_out_each(
    results: ResultSet,
    clusters: ClusterSet,
    *,
    studies: Studies | None = None,
    job: Job | None = None,
) -> LeaveOneOut:
    """Find out which clusters are found again without each experiment.

    Parameters
    ----------
    results, clusters, studies
        As for `contributions`.
    job : Job, optional
        Hears how far it is; may stop it.

    Returns
    -------
    LeaveOneOut
        By experiment and cluster.

    Raises
    ------
    CancelledError
        When the job was cancelled.
    ResultsError
        When the meta-analysis cannot be estimated anew; the text says why.
    """
    notices: list[str] = []
    experiments = _experiments(results, studies, notices)
    if experiments is None:
        told = " ".join(notices) or "No foci of its studies are known."
        raise ResultsError(f"{results.title} cannot be estimated anew. {told}")
    activations = find_activations(results, clusters, experiments.studies, job)
    return find_without_each(activations, clusters, job)


def _count_here(clusters: ClusterSet, experiments: Experiments) -> pd.DataFrame:
    """Count the foci in the clusters, of the group that each belongs to."""
    name, signs = clusters.statmap.name, clusters.labelled.sign
    contrast = name.contrast if name is not None else ""
    table = count_foci(
        clusters.labels, clusters.statmap.grid, signs, experiments, contrast
    )
    return leave_out_others(table, experiments, groups_behind(contrast, signs))


def _whose_studies(results: ResultSet, experiments: Experiments) -> list[str]:
    """Say when the studies of a result may be those of another one of its runs."""
    own = None
    with suppress(ResultsError):
        own = results.studies if results.studies_at_hand else None
    runs = runs_of(results)
    if experiments.studies is not own or len(runs) < 2:
        return []
    told = ", ".join(run or "without a prefix" for run in runs)
    return [
        f"{results.title} holds one set of studies and maps of {len(runs)} runs "
        f"({told}): nothing says to which run the studies belong."
    ]


def _moved_foci(elsewhere: StatedSpace) -> str:
    """Say how foci, which are in MNI mm, were looked up in a map of another space."""
    if elsewhere.name == TALAIRACH:
        return (
            "The map is in Talairach space: foci were moved into it (icbm_other, "
            "Lancaster et al. 2007) to be counted."
        )
    return (
        f"The map is in {elsewhere.name}, and foci are in MNI mm: those counted in a "
        "cluster may not lie there."
    )


def _experiments(
    results: ResultSet, studies: Studies | None, notices: list[str]
) -> Experiments | None:
    """Find what was put into the meta-analysis; None where no focus is known."""
    if studies is None and (results.on_demand or results.studies_at_hand):
        try:
            studies = results.studies
        except ResultsError as error:
            notices.append(f"The studies could not be loaded: {error}")
    experiments = Experiments(studies) if studies is not None else None
    if experiments is None or not len(experiments.foci[0]):
        return None
    return experiments


def contributors(
    results: ResultSet,
    clusters: ClusterSet,
    *,
    studies: Studies | None = None,
    left_out: LeaveOneOut | None = None,
    wait: bool = True,
) -> Contributors:
    """Gather all that is known of who is behind the clusters of a map.

    Parameters
    ----------
    results : ResultSet
        From `open_results`.
    clusters : ClusterSet
        Clusters of one of its maps.
    studies : Studies, optional
        Those of the result (``results.studies``) when not given.
    left_out : LeaveOneOut, optional
        What became of the clusters without each experiment, from `leave_out_each`.
    wait : bool
        Whether to rebuild the meta-analysis from the foci for their shares, which may
        take seconds with many experiments; else only what was rebuilt before serves.

    Returns
    -------
    Contributors
        Foci and shares by experiment, the papers behind them, and what has to be said
        about both; it is false when nothing is known, and its notices say why. Of a
        cluster that is none of those that NiMARE counted in, it says so.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> z = results["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    >>> behind = nnr.contributors(results, nnr.find_clusters(z, p=0.05))
    >>> len(behind.of(1))
    15
    """
    lost: list[str] = []
    experiments = _experiments(results, studies, lost)
    made = None
    why: list[str] = []
    known = experiments is not None and has_activations(
        results, clusters, experiments.studies
    )
    if wait or known:
        made = _rebuilt(results, clusters, experiments, why)
    modeled = made.contributions_to(clusters) if made is not None else None
    found: dict[ContributionKind, pd.DataFrame] = {}
    # Of clusters without numbers, by foci where they are known, else by shares.
    elsewhere: Mapping[int, str] = {}
    notices: list[str] = []
    refusals = []
    for kind in get_args(ContributionKind):
        if kind == "jackknife" and made is not None and modeled is not None:
            found[kind] = modeled.table("share")
            notices += made.notices
            continue
        try:
            table = _count_or_join(results, clusters, kind, experiments, [*lost])
        except CountedElsewhereError as error:
            refusals.append(str(error))
            notices.append(str(error))
            elsewhere = elsewhere or error.elsewhere
            continue
        except ResultsError as error:
            refusals.append(str(error))
            continue
        elsewhere = elsewhere if found else table.attrs["elsewhere"]
        found[kind] = table
        notices += [f"{table.attrs['source']}.", *table.attrs["notices"]]
    return Contributors(
        clusters,
        found.get("foci"),
        found.get("jackknife"),
        experiments,
        tuple(dict.fromkeys([*notices, *why] if found else refusals)),
        elsewhere,
        known_as_ale(results),
        modeled,
        left_out,
    )


def robustness(
    results: ResultSet,
    clusters: ClusterSet,
    kind: ContributionKind = "foci",
    *,
    studies: Studies | None = None,
    leave_one_out: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Say of each cluster how many are behind it, and whether it hangs on one of them.

    Parameters
    ----------
    results, clusters, kind, studies
        As for `contributions`.
    leave_one_out : bool
        Whether to estimate an ALE, MKDA or KDA anew without each experiment in turn, to
        find out in how many of these each cluster is found again.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Returns
    -------
    pandas.DataFrame
        One row a cluster: ``experiments`` that contribute, ``of`` how many,
        ``participants``, the ``dominant`` experiment, ``dominant_percent`` and
        ``cautions`` in words: one experiment only, one with more than half, and, of an
        ALE, fewer experiments than the 20 that are recommended, or no more than 17, of
        which one may dominate, or one with more than 50 % of the statistic, or two with
        more than 80 % (Eickhoff et al. 2016, NeuroImage 137, 70-85).
        Where shares are known, ``largest_share``, ``second_share``,
        ``largest_share_percent`` and ``two_shares_percent``, of all shares together.
        With `leave_one_out` also ``stands``, in how many of ``stands_of`` re-
        estimations a cluster of at least the same extent at the same height overlaps
        it, ``lost_without`` which experiments none does, and the smallest share of its
        voxels that is kept (``least_kept_percent``, ``least_kept_without``). That
        describes the cluster; it is no test, and controls no error rate.
        ``attrs["notices"]`` says what has to be known.

    Raises
    ------
    ResultsError
        As `contributions`; with `leave_one_out` also when the meta-analysis cannot be
        estimated anew: the text says why.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=10)
    >>> found = nnr.robustness(results, clusters, leave_one_out=True)
    >>> print(found.loc[1, "experiments"], "of", found.loc[1, "of"])
    14 of 21
    >>> print("stands in", found.loc[1, "stands"], "of", found.loc[1, "stands_of"])
    stands in 21 of 21
    """
    job = Job(progress)
    table = contributions(results, clusters, kind, studies=studies)
    notices = [*table.attrs["notices"]]
    experiments = _experiments(results, studies, [])
    shares = table if kind == "jackknife" else None
    made = _rebuilt(results, clusters, experiments, notices, job)
    if made is not None:
        shares = made.contributions_to(clusters).table("share")
    found = measure_robustness(table, experiments, shares, is_ale=known_as_ale(results))
    if leave_one_out:
        left_out = leave_out_each(results, clusters, studies=studies, job=job)
        found = found.join(left_out.table)
        notices += left_out.notices
    found.attrs = {"notices": tuple(dict.fromkeys(notices))}
    return found
