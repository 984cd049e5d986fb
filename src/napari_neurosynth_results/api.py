"""The headless API: what scripts, notebooks, the command line and the viewer call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.anatomy import template
from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.clusters import save_clusters
from napari_neurosynth_results.job import Job, Progress
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import Mask, StatMap, Voxels
from napari_neurosynth_results.sources.atlas_finder import find_atlas
from napari_neurosynth_results.sources.nifti import DEFAULT_LIMIT
from napari_neurosynth_results.sources.online import Online
from napari_neurosynth_results.sources.opening import Source, open_source
from napari_neurosynth_results.sources.regions import read_region
from napari_neurosynth_results.statistics.clusters import ClusterSet, find_clusters
from napari_neurosynth_results.statistics.contributions import (
    Kind,
    join_contributions,
)
from napari_neurosynth_results.statistics.diagnostics import find_counted
from napari_neurosynth_results.statistics.masking import Masking, region_masking

if TYPE_CHECKING:
    import pandas as pd

__all__ = (
    "brain_mask",
    "contributions",
    "find_clusters",
    "mask_from_file",
    "mask_from_map",
    "open_atlas",
    "open_results",
    "save_clusters",
)

#: Labels of a file that are listed when a wrong one was asked for.
_MOST_TOLD = 12


def open_results(
    source: Source | Sequence[Source],
    *,
    progress: Progress | None = None,
    cache_dir: Source | None = None,
    offline: bool = False,
    max_bytes: int = DEFAULT_LIMIT,
) -> ResultSet:
    """Open the results of a meta-analysis, from disk or from a server.

    Parameters
    ----------
    source : path, link, id or sequence of paths
        A folder that NiMARE wrote or that holds maps, one image file, several, a zip,
        or nilearn's downloads; the link or number of a NeuroVault collection or image,
        also a private one; the link or id of a Neurosynth Compose meta-analysis.
    progress : callable, optional
        Called as ``progress(what, done, total)``, in bytes for a download, on any
        thread; `total` is None when unknown.
    cache_dir : path, optional
        Where downloads are kept; ``NNR_CACHE_DIR`` or the user's cache if not given.
    offline : bool
        Ask no server: open what was downloaded before. ``NNR_OFFLINE`` does it too.
    max_bytes : int
        Refuse files that would need more memory than this, in bytes.

    Returns
    -------
    ResultSet
        Maps in order of interest, tables and texts. Of files on disk only headers have
        been read; maps on a server come when their voxels or grid are first used, or
        several at once by `ResultSet.fetch`. ``problems`` says what could not be opened
        and why.

    Raises
    ------
    ResultsError
        When there is no map to open; the text says what to do.

    Examples
    --------
    >>> from napari_neurosynth_results.viewer.sample_data import sample_folder
    >>> results = open_results(sample_folder())
    >>> results["z"].title
    'z, uncorrected'
    """
    online = Online.from_environment(
        cache_dir=Path(cache_dir) if cache_dir is not None else None,
        offline=offline or None,
    )
    return open_source(source, online, Job(progress), max_bytes)


def open_atlas(
    source: str | os.PathLike[str] = "default",
    names: str | os.PathLike[str] | None = None,
    *,
    fetch: bool = False,
) -> Atlas:
    """Open an atlas: the packaged one, one that is known by name, or one of your own.

    Parameters
    ----------
    source : str or path
        ``"default"`` for Desikan-Killiany with cerebellum, which is in the package;
        ``"harvard-oxford"``, ``"aal"``, ``"aal2"``, ``"schaefer-200"``,
        ``"schaefer-400"``, ``"destrieux"`` or ``"juelich"`` where this machine has it;
        or the path of a label image in MNI space.
    names : path, optional
        The file that names the labels of an image: ``.csv``, ``.tsv``, ``.xml``,
        ``.txt`` or ``.json``. Looked for beside the image when not given.
    fetch : bool
        Let nilearn download a known atlas that is not on this machine; never done
        offline (``NNR_OFFLINE``).

    Returns
    -------
    Atlas
        ``labels_at(places)``, ``nearest(places)`` and ``name_of(label)`` look places up
        by MNI mm; ``notices`` says what is doubtful.

    Raises
    ------
    ResultsError
        When it is not at hand or cannot be read; the text says what to do.

    Examples
    --------
    >>> atlas = open_atlas()
    >>> labels, distances = atlas.nearest([(38, 4, 2), (-32, -60, -34)])
    >>> [atlas.name_of(label) for label in labels]
    ['insula R', 'cerebellum L']
    """
    return find_atlas(source, names, fetch=fetch)


def mask_from_map(
    statmap: StatMap, other: StatMap, *, exclusive: bool = False, **threshold: Any
) -> Masking:
    """Make a mask of the clusters of another map: where both, or only one, is strong.

    Parameters
    ----------
    statmap : StatMap
        The map to look at.
    other : StatMap
        The map that says where, on any grid of the same space.
    exclusive : bool
        Look where the other map is not above its threshold.
    **threshold
        As for `find_clusters`: ``p=0.05``, ``value=3``, ``min_voxels=10`` and so on. Of
        a cluster-level corrected map the significant clusters are taken.

    Returns
    -------
    Masking
        For ``find_clusters(statmap, mask=...)``; ``str()`` reads as in
        ``inside z, group 1 at p <= .05``.

    Raises
    ------
    ResultsError
        When the threshold means nothing for the other map, or no voxel is left.

    Examples
    --------
    >>> from napari_neurosynth_results.viewer.sample_data import sample_folder
    >>> results = open_results(sample_folder())
    >>> mask = mask_from_map(results["stat"], results["z"], p=0.001)
    >>> print(mask, int(mask.mask.sum()))
    inside z, uncorrected at p <= .001 2625
    """
    found = find_clusters(other, sub_peaks=0, **threshold)
    region = np.isin(found.labels, 1 + np.flatnonzero(found.significant))
    what = f"{other.title} at {found.asked}"
    if other.level == "cluster":
        what = f"the significant clusters of {what}"
    elif found.min_voxels > 1:
        what += f", extent >= {found.min_voxels} voxels"
    return region_masking(
        region, other.grid, statmap.grid, what=what, exclusive=exclusive
    )


def mask_from_file(
    statmap: StatMap,
    path: Source,
    *,
    labels: int | Iterable[int] | None = None,
    exclusive: bool = False,
) -> Masking:
    """Make a mask of a mask, region or label image.

    Parameters
    ----------
    statmap : StatMap
        The map to look at.
    path : path
        An image of the same space on any grid; the nearest voxel counts.
    labels : int or iterable of int, optional
        The labels to look in; everything but 0 and NaN when not given.
    exclusive : bool
        Look outside instead.

    Returns
    -------
    Masking
        For ``find_clusters(statmap, mask=...)``; ``str()`` names the file.

    Raises
    ------
    ResultsError
        When the file cannot be read, does not hold a label, or no voxel is left.
    """
    path = os.fspath(path)
    voxels, grid = read_region(path)
    name = os.path.basename(path)
    if labels is None:
        region, what = np.isfinite(voxels) & (voxels != 0), name
    else:
        wanted = [labels] if isinstance(labels, int | np.integer) else list(labels)
        region = _labelled(voxels, wanted, path)
        numbers = ", ".join(map(str, wanted))
        what = f"label{'s' * (len(wanted) != 1)} {numbers} of {name}"
    return region_masking(region, grid, statmap.grid, what=what, exclusive=exclusive)


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


def brain_mask(statmap: StatMap) -> Masking:
    """Make a mask of the brain of the MNI152 template, for maps whose mask is unknown.

    Parameters
    ----------
    statmap : StatMap
        The map to look at, in MNI space.

    Returns
    -------
    Masking
        For ``find_clusters(statmap, q=0.05, mask=...)``: tests are counted in it.

    Raises
    ------
    ResultsError
        When the map is not in MNI space.
    """
    if doubt := statmap.grid.mni_doubt():
        raise ResultsError(
            f"{statmap.title} is not in MNI space ({doubt}): the brain of the template "
            "is not its brain. Give a mask file."
        )
    mask, grid = template.read_brain_mask()
    what = f"the brain of {template.TITLE}"
    return region_masking(mask, grid, statmap.grid, what=what, exclusive=False)


def _labelled(voxels: Voxels, wanted: list[int], path: str) -> Mask:
    """Mark the voxels of some labels, all of which have to be there."""
    there = np.unique(voxels[np.isfinite(voxels)])
    missing = [str(label) for label in wanted if label not in there]
    if missing or not wanted:
        some = ", ".join(f"{label:g}" for label in there[:_MOST_TOLD])
        more = ", ..." if there.size > _MOST_TOLD else ""
        raise ResultsError(
            f"{path} holds no label {', '.join(missing) or 'of an empty list'}. "
            f"It holds: {some}{more}."
        )
    return np.isin(voxels, wanted)
