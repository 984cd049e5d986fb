"""The colors of a map and of its clusters at a threshold, in their layers.

A map is thresholded in its colormap: no voxel of it is copied or changed. Which colors
were given is kept with the layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_neurosynth_results.export.colors import find_color_range
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.p_values.directions import choose_sides
from napari_neurosynth_results.viewer import palette
from napari_neurosynth_results.viewer.colormaps import coloring
from napari_neurosynth_results.viewer.layers import REASON_KEY

if TYPE_CHECKING:
    from napari.layers import Image, Labels

#: Which color each cluster has, by the voxel of its peak.
COLORS_KEY = "neurosynth_results_colors"
#: Beyond contrast limits, as a share of them.
_ROOM = 0.5
#: How much of the range of the map's colormap lies below the threshold.
BAND_KEY = "neurosynth_results_band"
#: The one color of a map that is seen together with others, and of its clusters.
HUE_KEY = "neurosynth_results_hue"
#: The peak of the cluster that is outlined in white.
CHOSEN_KEY = "neurosynth_results_chosen"


def recolor(layer: Image, clusters: ClusterSet, faint: bool) -> None:
    """Threshold a map in its colormap.

    Parameters
    ----------
    faint : bool
        Let what is below the threshold shine through.
    """
    statmap = clusters.statmap
    look = find_color_range(clusters)
    sides = choose_sides(statmap, clusters.asked.tail) if statmap.signed else None
    chosen = coloring(
        look,
        statmap.kind,
        sides=sides,
        faint=faint,
        before=layer.metadata.get(BAND_KEY),
        hue=layer.metadata.get(HUE_KEY),
    )
    layer.metadata[BAND_KEY] = chosen.band
    with layer.events.thumbnail.blocker():
        # Making a colormap known to the graphics card costs more than all the rest.
        if layer.colormap.name != chosen.colormap["name"]:
            layer.colormap = chosen.colormap
        if tuple(layer.contrast_limits) != chosen.contrast_limits:
            _make_room(layer, chosen.contrast_limits)
            layer.contrast_limits = chosen.contrast_limits
    layer.metadata[REASON_KEY] = str(clusters)


def _make_room(layer: Image, limits: tuple[float, float]) -> None:
    """Let limits move freely: napari widens their range by a little each time."""
    low, high = layer.contrast_limits_range
    if limits[0] < low or limits[1] > high:
        low, high = min(limits[0], low), max(limits[1], high)
        layer.contrast_limits_range = low - _ROOM * abs(low), high + _ROOM * abs(high)


def set_colors(layer: Labels, clusters: ClusterSet) -> bool:
    """Color clusters by their peaks.

    Returns
    -------
    bool
        Whether any color has changed.
    """
    from napari.utils.colormaps import CyclicLabelColormap

    peaks = clusters.peak_voxels
    colors = palette.cluster_colors(
        peaks, layer.metadata[COLORS_KEY], clusters.surviving
    )
    if (hue := layer.metadata.get(HUE_KEY)) is not None:
        colors[1 : len(peaks) + 1][clusters.surviving] = (*hue.rgb, 1.0)
    if (chosen := layer.metadata.get(CHOSEN_KEY)) in peaks:
        colors[peaks.index(chosen) + 1] = palette.CHOSEN
    now = layer.colormap
    # Weak clusters are the first to vanish and have the last labels: their colors may
    # stay behind unused.
    if isinstance(now, CyclicLabelColormap) and np.array_equal(
        now.colors[: len(colors)], colors
    ):
        return False
    layer.colormap = CyclicLabelColormap(colors=colors, background_value=0)
    return True
