"""Who is behind the clusters of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters import ClusterSet
from napari_neurosynth_results.statistics.contributions import (
    Kind,
    join_contributions,
)
from napari_neurosynth_results.statistics.diagnostics import find_counted

if TYPE_CHECKING:
    import pandas as pd


def contributions(
    results: ResultSet, clusters: ClusterSet, kind: Kind = "foci"
) -> pd.DataFrame:
    """Say which experiments are behind each cluster, by NiMARE's own diagnostics.

    Parameters
    ----------
    results : ResultSet
        A result with the tables of NiMARE's FocusCounter or Jackknife and the label
        map that they were counted in.
    clusters : ClusterSet
        Clusters of a map of the result.
    kind : {"foci", "jackknife"}
        The number of foci of an experiment in a cluster; or the share of the cluster's
        mean statistic that goes when the experiment is left out, which does not say
        that the cluster would be lost.

    Returns
    -------
    pandas.DataFrame
        Index: experiment id; one column a cluster, its label in ``clusters.table``,
        NaN where NiMARE counted nothing. Joined by place, never by NiMARE's numbers.
        ``attrs["notices"]`` says what could not be joined, and where NiMARE counted in
        a cluster of another size.

    Raises
    ------
    ResultsError
        When the result holds no such table, or no label map to follow it by.

    Examples
    --------
    >>> from napari_neurosynth_results.viewer.sample_data import sample_folder
    >>> results = open_results(sample_folder())
    >>> z = results["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    >>> foci = contributions(results, find_clusters(z, p=0.05))
    >>> int(foci[1].sum())
    26
    """
    return join_contributions(clusters, find_counted(results, clusters, kind), kind)
