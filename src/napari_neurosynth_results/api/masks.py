"""Masks for thresholds: of other maps, of files, of the brain."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from napari_neurosynth_results.anatomy import template
from napari_neurosynth_results.api.clusters import find_clusters
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.sources.files.images import read_region
from napari_neurosynth_results.sources.files.safe_names import legible
from napari_neurosynth_results.sources.opening import SourceName
from napari_neurosynth_results.statistics.thresholds.apply import asked_in_words
from napari_neurosynth_results.statistics.thresholds.masks import (
    BY_HAND,
    MapOrigin,
    Masking,
    origins_of,
    region_masking,
    without_fractions,
)

#: Labels of a file that are listed when a wrong one was asked for.
_MOST_TOLD = 12


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
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> mask = nnr.mask_from_map(results["stat"], results["z"], p=0.001)
    >>> print(mask, int(mask.mask.sum()))
    inside z, uncorrected at p <= .001 2625
    """
    found = find_clusters(other, sub_peaks=0, **threshold)
    region = np.isin(found.labels, 1 + np.flatnonzero(found.surviving))
    what = f"{other.title} at {asked_in_words(other, found.asked)}"
    if other.level == "cluster":
        what = f"the significant clusters of {what}"
    elif found.min_voxels > 1:
        what += f", extent >= {found.min_voxels} voxels"
    made_of = origins_of(other)
    if found.threshold.masking is not None:
        made_of += found.threshold.masking.made_of
    return region_masking(
        region,
        other.grid,
        statmap.grid,
        what=what,
        exclusive=exclusive,
        made_of=made_of,
    )


def mask_from_file(
    statmap: StatMap,
    path: SourceName,
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
        The labels to look in; everything but 0 and NaN when not given. The image
        holds whole numbers; fractions are taken only of a mask of 0 and 1 that was
        resampled, at .5, and ``str()`` says so.
    exclusive : bool
        Look outside instead.

    Returns
    -------
    Masking
        For ``find_clusters(statmap, mask=...)``; ``str()`` names the file.

    Raises
    ------
    ResultsError
        When the file cannot be read, holds fractions, does not hold a label, or no
        voxel is left.
    """
    path = os.fspath(path)
    stored, grid = read_region(path)
    voxels, told = without_fractions(stored, path)
    name = legible(os.path.basename(path))
    if labels is None:
        region, what = voxels != 0, name
    else:
        wanted = [labels] if isinstance(labels, int | np.integer) else list(labels)
        region = _mark_labels(voxels, wanted, path)
        numbers = ", ".join(map(str, wanted))
        what = f"label{'s' * (len(wanted) != 1)} {numbers} of {name}"
    told = "; ".join(filter(None, (told, _other_space(grid, statmap.grid))))
    if told:
        what += f" ({told})"
    return region_masking(
        region,
        grid,
        statmap.grid,
        what=what,
        exclusive=exclusive,
        made_of=_made_of_file(path),
    )


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


def _made_of_file(path: str) -> tuple[MapOrigin, ...]:
    """Tell of an image that a program wrote for a test which test that is."""
    origin = MapOrigin.of_file(path)
    is_brain = "mask" in origin.key.lower().replace("cluster_mask", "")
    by_program = origin.reading.program not in ("", BY_HAND)
    return (origin,) if by_program and not is_brain else ()


def _other_space(mask: Grid, grid: Grid) -> str:
    """Say where a mask lies, if the files of mask and map state different spaces."""
    names = [one.elsewhere.name if one.elsewhere else "" for one in (mask, grid)]
    if names[0] == names[1]:
        return ""
    if names[0]:
        return f"which lies in {names[0]}, and the map does not"
    return f"which does not lie in {names[1]}, as the map does"


def _mark_labels(voxels: Voxels, wanted: list[int], path: str) -> Mask:
    """Mark the voxels of some labels, all of which have to be there."""
    there = np.unique(voxels)
    missing = [str(label) for label in wanted if label not in there]
    if missing or not wanted:
        some = ", ".join(f"{label:g}" for label in there[:_MOST_TOLD])
        more = ", ..." if there.size > _MOST_TOLD else ""
        raise ResultsError(
            f"{path} holds no label {', '.join(missing) or 'of an empty list'}. "
            f"It holds: {some}{more}."
        )
    return np.isin(voxels, wanted)
