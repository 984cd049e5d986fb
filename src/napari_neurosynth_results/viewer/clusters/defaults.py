"""The threshold that a map starts with: what the user chose last, where it applies."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.p_values.multiple_testing import Dependence
from napari_neurosynth_results.statistics.thresholds.first_look import (
    CORRECTED_ALPHA,
    UNCORRECTED_ALPHA,
    choose_first_threshold,
    first_look,
)
from napari_neurosynth_results.statistics.thresholds.threshold import (
    Criterion,
    Threshold,
)
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import refusals
from napari_neurosynth_results.viewer import palette
from napari_neurosynth_results.viewer.clusters.atlas_choice import chosen_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.settings import PLUGIN

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_neurosynth_results.anatomy.atlas import Atlas


@dataclass(frozen=True)
class _Choices:
    """The defaults of napari.yaml, for when napari does not run."""

    uncorrected_by: str = "p"
    uncorrected: float = UNCORRECTED_ALPHA
    corrected: float = CORRECTED_ALPHA
    min_voxels: int = 1
    connectivity: int = 6
    tdp_alpha: float = 0.05
    tdp_dependence: Dependence = "positive"
    faint: bool = False


def first_threshold(statmap: StatMap, offered: Collection[Criterion]) -> Threshold:
    """Choose the threshold at which a map is shown first.

    Parameters
    ----------
    offered : collection of str
        The criteria that mean something for it.

    Returns
    -------
    Threshold
        The last choice for such maps; the next best criterion where that is refused.
    """
    chosen = _stored()
    connectivity = int(_plain(chosen.connectivity))
    # Any number can be typed into napari's preferences.
    alpha = chosen.corrected if 0 < chosen.corrected < 1 else CORRECTED_ALPHA
    proven = chosen.tdp_alpha if 0 < chosen.tdp_alpha < 1 else Threshold.tdp_alpha
    confidence: dict[str, Any] = {
        "tdp_alpha": proven,
        "tdp_dependence": _plain(chosen.tdp_dependence),
    }
    if statmap.level == "cluster":
        # Which neighbors touch was chosen when its clusters were formed.
        return Threshold(p=alpha, **confidence)
    options: dict[str, Any] = {
        **confidence,
        "connectivity": connectivity,
        "min_voxels": int(chosen.min_voxels),
    }
    if statmap.correction and "p" in offered:
        return Threshold(p=alpha, **options)
    by: Any = _plain(chosen.uncorrected_by)
    if by in offered and _means_something(statmap, by, chosen.uncorrected):
        return Threshold.by(by, chosen.uncorrected, **options)
    if "p" in offered:
        return Threshold(p=UNCORRECTED_ALPHA, **options)
    look = first_look(statmap)
    return Threshold(value=look.weakest if look else 1.0, **options)


def shown_clusters(viewer: Viewer, statmap: StatMap) -> ClusterSet | None:
    """Return the clusters of a map as they are shown, or as they would be first.

    Parameters
    ----------
    viewer : Viewer
        Where a layer may show them.

    Returns
    -------
    ClusterSet or None
        None where the map has no clusters, as a label map, or cannot be read.
    """
    layer = cluster_layer(viewer, statmap)
    if layer is not None:
        return clusters_of(layer)
    if not statmap.kind.row.criteria:
        return None
    try:
        offered = [name for name, why in refusals(statmap).items() if why is None]
        threshold = first_threshold(statmap, offered)
        atlas = chosen_atlas(viewer)
        found: ClusterSet = statmap.results.remember(
            (statmap.key, "clusters", threshold, atlas),
            lambda: clusters_at(statmap, threshold, atlas=atlas),
        )
    except ResultsError:
        return None
    return found


def shown_colors(viewer: Viewer, clusters: ClusterSet) -> palette.Colors:
    """Return the colors of clusters, as their layer has them.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        The chosen cluster is white, one that is not significant gray.
    """
    n = len(clusters)
    layer = cluster_layer(viewer, clusters.statmap)
    if layer is None:
        colors = palette.cluster_colors(clusters.peak_voxels, {}, clusters.surviving)
    else:
        colors = layer.colormap.colors
    return np.asarray(colors[1 : n + 1], np.float32)


def remember_choices(statmap: StatMap, asked: Threshold, faint: bool) -> None:
    """Keep a choice for the next map and the next session.

    Parameters
    ----------
    asked : Threshold
        What was asked of it.
    faint : bool
        Whether what is below is shown faintly.
    """
    chosen = _stored()
    if isinstance(chosen, _Choices):
        return
    wanted: dict[str, Any] = {
        "faint": faint,
        "tdp_alpha": asked.tdp_alpha,
        "tdp_dependence": asked.tdp_dependence,
    }
    if statmap.level != "cluster":
        wanted["connectivity"] = asked.connectivity
    if statmap.correction:
        if asked.p is not None:
            wanted["corrected"] = asked.p
    elif statmap.kind.has_tail and (asked.value is None or statmap.kind is MapKind.Z):
        # A height of z is for z maps, and other heights are for no other map.
        wanted |= {"uncorrected_by": asked.criterion, "uncorrected": asked.number}
    if statmap.level != "cluster" and asked.min_mm3 is None:
        wanted["min_voxels"] = asked.min_voxels
    for name, value in wanted.items():
        # Each change is written to napari's settings.
        if _plain(getattr(chosen, name)) != value:
            setattr(chosen, name, value)


def remembered_part(statmap: StatMap, asked: Threshold) -> str:
    """Say what of a threshold is not the map's own, as in ``p <= .0001, k >= 10``.

    Parameters
    ----------
    asked : Threshold
        What a map is shown at first.

    Returns
    -------
    str
        Empty where a map would be shown so in a first session.
    """
    try:
        own = choose_first_threshold(statmap)
    except ResultsError:
        return ""
    parts = []
    if (asked.criterion, asked.number) != (own.criterion, own.number):
        by_value = asked.criterion == "value"
        what = str(statmap.kind) if by_value else asked.criterion
        number = f"{asked.number:.4g}" if by_value else short_p(asked.number)
        parts.append(f"{what} {'>=' if by_value else '<='} {number}")
    size = statmap.grid.voxel_mm3
    if asked.voxels_at_least(size) != own.voxels_at_least(size):
        parts.append(f"k >= {asked.voxels_at_least(size)}")
    if asked.connectivity != own.connectivity:
        parts.append(f"{asked.connectivity}-connected")
    return ", ".join(parts)


def shows_faintly() -> bool:
    """Whether what is below a threshold was shown faintly the last time."""
    return bool(_stored().faint)


def clusters_for(viewer: Viewer, layer: Image) -> ClusterSet:
    """Return the clusters of a map, found at its first threshold where it has none.

    Returns
    -------
    ClusterSet
        Those that are shown.

    Raises
    ------
    ResultsError
        When the map cannot be thresholded; the text says why.
    """
    statmap = map_of(layer)
    assert statmap is not None
    shown = cluster_layer(viewer, statmap)
    clusters = clusters_of(shown) if shown is not None else None
    if clusters is not None:
        return clusters
    return show_found(viewer, layer, find_first_clusters(statmap, chosen_atlas(viewer)))


def find_first_clusters(statmap: StatMap, atlas: Atlas | None) -> ClusterSet:
    """Find the clusters of a map at its first threshold, on any thread.

    Raises
    ------
    ResultsError
        When the map cannot be thresholded; the text says why.
    """
    if not statmap.kind.row.criteria:
        raise ResultsError(
            f"{statmap.title}: {statmap.kind.row.called} cannot be thresholded."
        )
    offered = [name for name, why in refusals(statmap).items() if why is None]
    return clusters_at(statmap, first_threshold(statmap, offered), atlas=atlas)


def threshold_map(viewer: Viewer, layer: Image, threshold: Threshold) -> ClusterSet:
    """Show a map at a threshold, and its clusters as visible as it is.

    Returns
    -------
    ClusterSet
        Those that are shown.

    Raises
    ------
    ResultsError
        When the threshold means nothing for the map.
    """
    statmap = map_of(layer)
    assert statmap is not None
    clusters = clusters_at(statmap, threshold, atlas=chosen_atlas(viewer))
    return show_found(viewer, layer, clusters)


def show_found(viewer: Viewer, layer: Image, clusters: ClusterSet) -> ClusterSet:
    """Show clusters of a map as visible as it is; return those that are shown."""
    visible = layer.visible
    found = show_clusters(viewer, layer, clusters, faint=shows_faintly())
    found.visible = visible and found.visible
    shown = clusters_of(found)
    assert shown is not None
    return shown


def _means_something(statmap: StatMap, by: str, number: float) -> bool:
    """Whether a number can be meant: a z of 3 is nothing for a logp map."""
    if by == "value":
        return statmap.kind is MapKind.Z and number > 0
    return 0 < number < 1


def _stored() -> Any:
    """Return napari's store of this plugin's choices, which can be written to."""
    if "napari" not in sys.modules:
        return _Choices()
    from napari.settings import get_plugin_settings

    try:
        return get_plugin_settings(PLUGIN).threshold
    except KeyError:
        # The widget was made without the plugin being registered.
        return _Choices()


def _plain(value: Any) -> Any:
    """Return what an entry of an enumeration stands for."""
    return getattr(value, "value", value)
