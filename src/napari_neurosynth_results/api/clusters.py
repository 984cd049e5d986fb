"""Clusters of a map at a threshold, in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.clusters.active_parts import (
    ActiveParts,
    find_active_parts,
    find_parts,
)
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.clusters.regions import atlas_labels
from napari_neurosynth_results.statistics.clusters.true_discoveries import (
    Labels,
    find_closed_testing,
)
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    Dependence,
    FdrMethod,
)
from napari_neurosynth_results.statistics.p_values.significance import (
    Evidence,
    PSource,
    find_test,
)
from napari_neurosynth_results.statistics.thresholds.masks import Masking, as_masking
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

if TYPE_CHECKING:
    import pandas as pd

#: Significance of whole clusters when nothing else is asked.
DEFAULT_ALPHA = 0.05

AtlasChoice = Atlas | str | os.PathLike[str]


def find_clusters(
    statmap: StatMap,
    *,
    value: float | None = None,
    p: float | None = None,
    q: float | None = None,
    bonferroni: float | None = None,
    fdr: FdrMethod = "BH",
    tail: Direction = "auto",
    connectivity: int = 6,
    min_voxels: int = 1,
    min_mm3: float | None = None,
    tdp_alpha: float = 0.05,
    tdp_dependence: Dependence = "positive",
    sub_peaks: int = 3,
    peak_distance: float = 8.0,
    siblings: Mapping[str, StatMap] | None = None,
    dof: float | tuple[float, float] | None = None,
    mask: Mask | Masking | None = None,
    atlas: AtlasChoice | None = "default",
    strict: bool = False,
) -> ClusterSet:
    """Threshold a map by what its numbers mean, and label its clusters.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map.
    value, p, q, bonferroni : float, optional
        Exactly one: a height in the map's unit, an uncorrected p (the map's own p for
        a corrected one), an FDR q or a Bonferroni-corrected p.
        For a cluster-level corrected map `p` is the level of significance (.05 when
        nothing is given), and each cluster is read as it was formed.
    fdr : {"BH", "BY"}
        How q is counted: Benjamini-Hochberg, or Benjamini-Yekutieli, which allows for
        any dependence between voxels.
    tail : {"positive", "negative", "both", "auto"}
        Directions; auto takes both where both were tested.
    connectivity : {6, 18, 26}
        6 faces (nilearn, NiMARE), 18 edges (SPM), 26 corners (FSL).
    min_voxels : int
        Smallest cluster kept.
    min_mm3 : float, optional
        The same as a volume; not both.
    tdp_alpha : float
        Of the true discovery proportion: how many of a cluster's voxels are active at
        least, with a confidence of 1 - this for all clusters and thresholds together.
    tdp_dependence : {"positive", "any"}
        What is assumed of the voxels for that: Simes' inequality, which holds where
        they depend on each other positively; or nothing, which proves less.
    sub_peaks : int
        At most so many beside each peak.
    peak_distance : float
        Sub-peaks are farther than this, in mm, from every stronger one.
    siblings : mapping of str to StatMap, optional
        Maps of the same test by value; those named ``p`` and ``logp`` state its p.
        Defaults to those of the map's own result set; ``{}`` means none, so that z is
        read by its formula and tail.
    dof : float or pair of float, optional
        Degrees of freedom of a t, chi2 or F map whose header does not state them; of
        numerator and denominator for F.
    mask : ndarray of bool, shape (i, j, k), or Masking, optional
        Look, and count tests, only here (tests in the analysis mask alone).
    atlas : Atlas, str or path, optional
        What clusters are named by: the packaged atlas, one from `open_atlas`, or what
        that opens without asking a server. None leaves the columns of regions empty. A
        map that is not in MNI space has no regions.
    strict : bool
        Keep only what exceeds `value`, as nilearn's table does.

    Returns
    -------
    ClusterSet
        Clusters in order of their peaks, positive ones first.

    Raises
    ------
    ResultsError
        When the question means nothing for the map; the text says why.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=100)
    >>> print(clusters.threshold)
    z >= 3.09 (p <= .001, one-tailed)
    >>> clusters.table.n_voxels.tolist()
    [805, 199, 143, 660, 326, 194]
    >>> clusters.true_discoveries.tolist()
    [259, 45, 23, 62, 3, 0]
    """
    threshold = Threshold(
        value=value,
        p=p if (value, p, q, bonferroni) != (None,) * 4 else _default_p(statmap),
        q=q,
        bonferroni=bonferroni,
        tail=tail,
        strict=strict,
        connectivity=connectivity,
        min_voxels=min_voxels,
        min_mm3=min_mm3,
        fdr=fdr,
        tdp_alpha=tdp_alpha,
        tdp_dependence=tdp_dependence,
    )
    return clusters_at(
        statmap,
        threshold,
        mask=mask,
        siblings=siblings,
        dof=dof,
        sub_peaks=sub_peaks,
        peak_distance=peak_distance,
        atlas=None if atlas is None else _atlas(atlas),
    )


def true_discoveries(
    statmap: StatMap,
    where: AtlasChoice | Masking | Labels = "default",
    *,
    alpha: float = 0.05,
    dependence: Dependence = "positive",
    tail: Direction = "auto",
    siblings: Mapping[str, StatMap] | None = None,
    dof: float | tuple[float, float] | None = None,
    family: Mask | Masking | None = None,
) -> pd.DataFrame:
    """Say of any places how many of their voxels are active, at least.

    With one confidence for all places, clusters and thresholds of the map together
    (Goeman and Solari 2011; Rosenblatt et al. 2018): one may look first, then choose.

    Parameters
    ----------
    statmap : StatMap
        The map; of a corrected one its uncorrected p are taken.
    where : Atlas, name, path, mask or labels
        The regions of an atlas; a mask; or any volume of labels on the grid of the map,
        (i, j, k), 0 for no place.
    alpha : float
        1 - confidence.
    dependence : {"positive", "any"}
        Of voxels on each other: what Simes' inequality needs, or whatever it is.
    tail, siblings, dof
        As for `find_clusters`.
    family : ndarray of bool, shape (i, j, k), or Masking, optional
        The voxels that were tested, where no map beside this one shows them; it has to
        be chosen without looking at the map.

    Returns
    -------
    pandas.DataFrame
        One row a place with any voxel that was tested: ``label``, ``region`` for those
        of an atlas, ``n_voxels`` that were tested, ``true_discoveries`` among them at
        least, ``tdp`` and ``tdp_percent``. ``attrs["about"]`` says it in words.

    Raises
    ------
    ResultsError
        When the p are not known, were corrected or thresholded, or places lie on
        another grid; the text says what to do.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> found = nnr.true_discoveries(results["z"]).set_index("region")
    >>> found[["n_voxels", "true_discoveries"]].loc["insula R"].tolist()
    [1182, 173]
    """
    import pandas as pd

    source = PSource(statmap, Evidence(siblings, dof))
    if statmap.correction:
        if (test := find_test(statmap)) is None:
            raise ResultsError(
                f"{statmap.title} is corrected, and the uncorrected map of its test is "
                "not at hand."
            )
        source = PSource(test)
    testing = find_closed_testing(
        source,
        alpha=alpha,
        dependence=dependence,
        tail=tail,
        masking=as_masking(family, statmap.grid),
    )
    named: Atlas | None = None
    if isinstance(where, Masking):
        labels: Labels = where.mask
    elif isinstance(where, np.ndarray):
        labels = where
    else:
        named = _atlas(where)
        labels = atlas_labels(named, statmap.grid)
    if labels.shape != statmap.grid.shape:
        raise ResultsError(
            f"The places have the shape {labels.shape}, {statmap.title} has "
            f"{statmap.grid.shape}."
        )
    if labels.dtype.kind not in "biu":
        raise ResultsError(
            f"The places hold {labels.dtype}, not whole numbers: 0 for no place, and a "
            "label for each."
        )
    label, n_voxels, counts = testing.in_places(labels)
    share = np.where(testing.is_open(n_voxels), np.nan, counts / n_voxels)
    columns: dict[str, Any] = {"label": label}
    if named is not None:
        columns["region"] = [named.name_of(int(one)) for one in label]
    columns |= {"n_voxels": n_voxels, "true_discoveries": counts}
    table = pd.DataFrame(columns | {"tdp": share, "tdp_percent": 100 * share})
    table.attrs["about"] = f"{testing}."
    return table


def largest_active_clusters(
    statmap: StatMap,
    tdp: float = 0.5,
    *,
    alpha: float = 0.05,
    dependence: Dependence = "positive",
    connectivity: int = 6,
    within: Mask | None = None,
) -> tuple[npt.NDArray[np.int32], pd.DataFrame]:
    """Find the largest clusters of which at least a share is active.

    Each has a threshold of its own, as lax as the share allows (Chen, Goeman, Krebs,
    Meijer and Weeda 2023, arXiv 2206.13587). Any share may be tried, and all answers
    hold together. Voxels of different sign share no cluster.

    Parameters
    ----------
    statmap : StatMap
        An uncorrected map with its p.
    tdp : float
        The share, above 0 and at most 1.
    alpha, dependence
        As for `true_discoveries`.
    connectivity : {6, 18, 26}
        As for `find_clusters`.
    within : ndarray of bool, shape (i, j, k), optional
        Only there: the sub-clusters of a cluster (``clusters.labels == 1``).

    Returns
    -------
    labels : ndarray of int32, shape (i, j, k)
        The largest is 1, 0 is none.
    table : pandas.DataFrame
        ``label, n_voxels, true_discoveries, tdp_percent``, ``p``, the largest in the
        cluster, and ``peak_x, peak_y, peak_z``, MNI mm.

    Raises
    ------
    ResultsError
        As `true_discoveries`; and when the share means nothing, or `within` is no mask
        of the map's grid.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> labels, table = nnr.largest_active_clusters(results["z"], 0.5)
    >>> table[["n_voxels", "true_discoveries"]].to_numpy().tolist()
    [[514, 257], [110, 55], [90, 45], [46, 23]]
    """
    source = PSource(statmap)
    testing = find_closed_testing(source, alpha=alpha, dependence=dependence)
    inside = testing.inside
    if (only := as_masking(within, statmap.grid)) is not None:
        inside = inside & only.mask
    place = inside.astype(np.uint8)
    if statmap.signed:
        place *= np.where(statmap.data < 0, 2, statmap.data > 0).astype(np.uint8)
    flat = place.reshape(-1, order="F")
    where = flat.nonzero()[0]
    found = find_parts(source, testing, tdp, (where, flat.take(where)), connectivity)
    return found.labels, found.table


def active_parts(clusters: ClusterSet, tdp: float = 0.7) -> ActiveParts:
    """Find the largest parts of clusters of which at least a share is active.

    The inverse of the true discovery proportion: it says where in a cluster to look.
    Any share may be tried, and all answers hold together, with one confidence.

    Parameters
    ----------
    clusters : ClusterSet
        From `find_clusters`; its ``tdp_alpha`` and ``tdp_dependence`` count.
    tdp : float
        The share, above 0 and at most 1.

    Returns
    -------
    ActiveParts
        ``labels``, a volume whose largest part is 1; ``table``, one row a part: its
        number ``part``, ``label`` and ``name`` of its cluster, ``n_voxels,
        true_discoveries, tdp_percent``, ``p``, the largest in the part, and ``peak_x,
        peak_y, peak_z`` in MNI mm; as text a sentence.

    Raises
    ------
    ResultsError
        When the share means nothing, or nobody knows how much of clusters is active;
        the text says why.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=100)
    >>> parts = nnr.active_parts(clusters, 0.7)
    >>> parts.table[["label", "n_voxels", "true_discoveries"]].to_numpy().tolist()
    [[1, 367, 257], [2, 64, 45], [4, 62, 44], [3, 30, 21]]
    >>> print(parts.tell(label=1))
    The largest parts of Insula R of which at least 70 % is active, with 95 % \
confidence: 1 part, 367 of 805 voxels.
    """
    return find_active_parts(clusters, tdp)


def _default_p(statmap: StatMap) -> float | None:
    """Only clusters that were tested have a level that everybody expects."""
    return DEFAULT_ALPHA if statmap.level == "cluster" else None


def _atlas(chosen: AtlasChoice) -> Atlas:
    # The viewer comes by here with an atlas at hand, and needs none of this.
    from napari_neurosynth_results.sources.atlases.find import find_atlas

    return chosen if isinstance(chosen, Atlas) else find_atlas(chosen)
