"""Who is behind the clusters of a result."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

from napari_neurosynth_results.anatomy import numerals
from napari_neurosynth_results.errors import ResultsError
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
from napari_neurosynth_results.statistics.studies.nimare_diagnostics import (
    find_diagnostics,
    numbering_warnings,
)

if TYPE_CHECKING:
    import pandas as pd


def contributions(
    results: ResultSet,
    clusters: ClusterSet,
    kind: ContributionKind = "foci",
    *,
    studies: Studies | None = None,
) -> pd.DataFrame:
    """Say which experiments are behind each cluster.

    Foci are counted in the clusters themselves when the studies are known, by NiMARE's
    rule: a focus belongs to the voxel nearest to it. Else, and for shares, NiMARE's own
    tables of the same contrast are joined by place, never by NiMARE's numbers, and only
    to clusters that have the voxels of NiMARE's.

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
    table.attrs = {
        "notices": tuple(dict.fromkeys(notices)),
        "source": source,
        "elsewhere": elsewhere,
    }
    return table


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
    results: ResultSet, clusters: ClusterSet, *, studies: Studies | None = None
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
    found: dict[ContributionKind, pd.DataFrame] = {}
    # Of clusters without numbers, by foci where they are known, else by shares.
    elsewhere: Mapping[int, str] = {}
    notices: list[str] = []
    refusals = []
    for kind in get_args(ContributionKind):
        try:
            table = contributions(results, clusters, kind, studies=studies)
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
        _experiments(results, studies, []),
        tuple(dict.fromkeys(notices if found else refusals)),
        elsewhere,
        known_as_ale(results),
    )


def robustness(
    results: ResultSet,
    clusters: ClusterSet,
    kind: ContributionKind = "foci",
    *,
    studies: Studies | None = None,
) -> pd.DataFrame:
    """Say of each cluster how many are behind it, and whether it hangs on one of them.

    Parameters
    ----------
    results, clusters, kind, studies
        As for `contributions`.

    Returns
    -------
    pandas.DataFrame
        One row a cluster: ``experiments`` that contribute, ``of`` how many,
        ``participants``, the ``dominant`` experiment, ``dominant_percent`` and
        ``cautions`` in words: one experiment only, one with more than half, and, of an
        ALE, fewer experiments than the 20 that are recommended, or no more than 17, of
        which one may dominate (Eickhoff et al. 2016, NeuroImage 137, 70-85).

    Raises
    ------
    ResultsError
        As `contributions`.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> z = results["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    >>> found = nnr.robustness(results, nnr.find_clusters(z, p=0.05))
    >>> print(found.loc[1, "experiments"], "of", found.loc[1, "of"])
    14 of 21
    """
    table = contributions(results, clusters, kind, studies=studies)
    return measure_robustness(
        table, _experiments(results, studies, []), is_ale=known_as_ale(results)
    )
