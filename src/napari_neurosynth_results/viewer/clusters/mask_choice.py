"""Where to look, as a user chooses it among what is open in the viewer."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.api import brain_mask, mask_from_file, mask_from_map
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.thresholds.masks import (
    MapOrigin,
    Masking,
    origins_of,
    region_masking,
)
from napari_neurosynth_results.statistics.thresholds.request import ThresholdRequest
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters.cluster_layers import clusters_of
from napari_neurosynth_results.viewer.layers import (
    are_several,
    grid_of,
    map_of,
    name_of_map,
    result_sets,
)

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

#: Stands for the brain of the template among the places to look.
BRAIN = "MNI brain"
#: Where a layer of labels that is neither a map nor its clusters says what it is of.
MADE_OF_KEY = "neurosynth_results_made_of"


@dataclass(frozen=True)
class MaskChoice:
    """A place to look, by the thing on screen that the user chose.

    Attributes
    ----------
    what : StatMap, Labels or str
        Another map, a layer of labels, the path of an image, or `BRAIN`.
    p : float
        Threshold of another map.
    outside : bool
        Look everywhere else.
    """

    what: StatMap | Labels | str
    p: float = 0.05
    outside: bool = False

    def masking(self, statmap: StatMap) -> Masking:
        """Make the mask, on the grid of a map.

        Parameters
        ----------
        statmap : StatMap
            The map that is looked at.

        Returns
        -------
        Masking
            What it is, in words, and the voxels.

        Raises
        ------
        ResultsError
            When no voxel is left, or a file or map does not serve as a mask.
        """
        return replace(self._made(statmap), origin=self)

    def _made(self, statmap: StatMap) -> Masking:
        if isinstance(self.what, StatMap):
            return mask_from_map(statmap, self.what, exclusive=self.outside, p=self.p)
        if self.what == BRAIN:
            return brain_mask(statmap)
        if isinstance(self.what, str):
            return mask_from_file(statmap, self.what, exclusive=self.outside)
        return region_masking(
            np.asarray(self.what.data).T != 0,
            grid_of(self.what),
            statmap.grid,
            what=self.what.name,
            exclusive=self.outside,
            made_of=_origins(self.what),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> MaskChoice:
        """Return the place itself: copying a layer must not copy another one."""
        return self

    def __str__(self) -> str:
        """Name what was chosen."""
        if isinstance(self.what, StatMap):
            return self.what.title
        return (
            os.path.basename(self.what)
            if isinstance(self.what, str)
            else str(self.what.name)
        )


def _origins(layer: Labels) -> tuple[MapOrigin, ...]:
    """Tell which maps a layer of labels was made of, as far as it knows."""
    found: tuple[MapOrigin, ...] = layer.metadata.get(MADE_OF_KEY, ())
    if (statmap := map_of(layer)) is not None:
        found += origins_of(statmap)
    if (clusters := clusters_of(layer)) is not None:
        found += origins_of(clusters.statmap)
        if clusters.threshold.masking is not None:
            found += clusters.threshold.masking.made_of
    return found


#: What is asked of a map in the viewer.
ViewerRequest = ThresholdRequest[Threshold, MaskChoice]


def masks_in(viewer: Viewer, statmap: StatMap) -> list[tuple[str, StatMap | Labels]]:
    """List what is open and can serve as a mask for a map.

    Parameters
    ----------
    viewer : Viewer
        The viewer.
    statmap : StatMap
        The map that is looked at.

    Returns
    -------
    list of tuple
        Text and what it stands for: layers of labels, and all maps of the open results
        that have a p, those with a layer first. None of them is read for it.
    """
    from napari.layers import Labels

    found: list[tuple[str, StatMap | Labels]] = []
    with_layer: list[StatMap] = []
    for layer in reversed(viewer.layers):
        other = map_of(layer)
        shown = clusters_of(layer)
        if shown is not None and shown.statmap is statmap:
            continue
        if isinstance(layer, Labels):
            found.append((f"inside {layer.name}", layer))
        elif other is not None:
            with_layer.append(other)
    results = result_sets(viewer.layers)
    several = are_several(results)
    listed = [other for one in results for other in one.maps.values()]
    for other in dict.fromkeys([*with_layer, *listed]):
        if other is not statmap and other.kind.has_tail:
            name = name_of_map(other, of_several=several)
            found.append((f"where {name} is significant", other))
    return found
