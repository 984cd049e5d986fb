"""What is asked of maps that are not open yet: by the command line and by batches.

Such a request can be written to a file and sent to another process.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.api.masks import (
    brain_mask,
    mask_from_file,
    mask_from_map,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.thresholds.masks import Masking
from napari_neurosynth_results.statistics.thresholds.request import (
    FirstLookThreshold,
    ThresholdRequest,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold


@dataclass(frozen=True)
class MaskSource:
    """A mask by what it is made of, for maps that are not open yet.

    Attributes
    ----------
    kind : {"file", "map", "brain"}
        A mask or region image, another map of the same result above a p, or the brain
        of the template.
    name : str
        Path of the file, or name of the map.
    p : float
        Threshold of the other map.
    outside : bool
        Look everywhere else.

    Examples
    --------
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> from napari_neurosynth_results.api import open_results
    >>> results = open_results(sample_folder())
    >>> print(MaskSource("map", "z", p=0.001).masking(results["stat"], results))
    inside z, uncorrected at p <= .001
    """

    kind: Literal["file", "map", "brain"]
    name: str = ""
    p: float = 0.05
    outside: bool = False

    def __post_init__(self) -> None:
        """Refuse what names no mask."""
        if self.kind not in ("file", "map", "brain"):
            raise ResultsError(f"A mask is of a file, map or brain, not {self.kind}.")
        if (self.kind == "brain") == bool(self.name):
            raise ResultsError(
                "Name the file or the map of a mask; the brain has none."
            )
        if self.kind == "brain" and self.outside:
            raise ResultsError("There is nothing to look at outside the brain.")

    def __str__(self) -> str:
        """Say in words where to look."""
        where = "outside" if self.outside else "inside"
        if self.kind == "brain":
            return "inside the brain of the template"
        if self.kind == "file":
            return f"{where} {os.path.basename(self.name)}"
        return f"{where} {self.name} at p <= {short_p(self.p)}"

    def masking(self, statmap: StatMap, results: ResultSet) -> Masking:
        """Make the mask, on the grid of a map.

        Parameters
        ----------
        statmap : StatMap
            The map to look at.
        results : ResultSet
            Where the other map is looked for.

        Returns
        -------
        Masking
            What it is, in words, and the voxels.

        Raises
        ------
        ResultsError
            When no voxel is left, or a file or map is not there or is no mask.
        """
        if self.kind == "brain":
            return brain_mask(statmap)
        if self.kind == "file":
            return mask_from_file(statmap, self.name, exclusive=self.outside)
        other = named_map(results, self.name)
        return mask_from_map(statmap, other, exclusive=self.outside, p=self.p)


#: What is asked of maps that are not open yet.
MapRequest = ThresholdRequest[Threshold | FirstLookThreshold, MaskSource]


def named_map(results: ResultSet, key: str) -> StatMap:
    """Return a map by its key.

    Raises
    ------
    ResultsError
        When there is no such map; the text says which there are.
    """
    if key not in results.maps:
        raise ResultsError(
            f"{results.title} holds no map named {key}. "
            f"It holds: {', '.join(results.maps)}."
            + "".join(f"\n{problem}" for problem in not_opened(results))
        )
    return results[key]


def not_opened(results: ResultSet) -> list[str]:
    """Say what could not be opened: a map that is not there may be one that is broken.

    Returns
    -------
    list of str
        Problems of the result that name none of its maps.
    """
    files = [statmap.file.filename for statmap in results.maps.values()]
    return [one for one in results.problems if not any(f in one for f in files)]


def requested_clusters(
    statmap: StatMap,
    request: ThresholdRequest[Any, Any],
    masking: Masking | None,
    *,
    sub_peaks: int = 3,
    atlas: Atlas | None = None,
) -> ClusterSet:
    """Find the clusters of a map that a request is about.

    Parameters
    ----------
    masking : Masking or None
        The mask of its place, made once for many thresholds.
    sub_peaks : int
        At most so many beside each peak.
    atlas : Atlas, optional
        What the clusters are named by.

    Returns
    -------
    ClusterSet
        The clusters.

    Raises
    ------
    ResultsError
        When the request means nothing for the map.
    """
    return clusters_at(
        statmap,
        request.threshold_for(statmap),
        mask=masking,
        dof=request.dof,
        sub_peaks=sub_peaks,
        atlas=atlas,
    )


def map_clusters(
    results: ResultSet,
    statmap: StatMap,
    request: MapRequest,
    *,
    atlas: Atlas | None = None,
) -> ClusterSet:
    """Find the clusters of a map of a result, looking where the request says.

    Parameters
    ----------
    results : ResultSet
        The result, whose maps may serve as masks.
    statmap, request, atlas
        As for `requested_clusters`.

    Returns
    -------
    ClusterSet
        The clusters.

    Raises
    ------
    ResultsError
        When the request means nothing for the map, or its mask cannot be made.
    """
    place = request.place
    masking = place.masking(statmap, results) if place is not None else None
    return requested_clusters(statmap, request, masking, atlas=atlas)
