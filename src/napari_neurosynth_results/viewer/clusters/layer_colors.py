"""What is seen of a map and of its clusters at a threshold, in their layers.

The voxels of a map's layer are a picture: the values of the map in its significant
clusters, and NaN everywhere else. The map itself is in the metadata and never changed.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.export.colors import (
    colored_values,
    colored_voxels,
    find_color_range,
)
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import say_threshold
from napari_neurosynth_results.statistics.p_values.directions import Sides, choose_sides
from napari_neurosynth_results.statistics.thresholds.first_look import FirstLook
from napari_neurosynth_results.viewer import palette
from napari_neurosynth_results.viewer.colormaps import (
    Coloring,
    ColorRange,
    coloring,
    faint_coloring,
)
from napari_neurosynth_results.viewer.layers import (
    GIVEN_KEY,
    PICTURE_KEY,
    RANGE_KEY,
    REASON_KEY,
    SHORT_REASON_KEY,
    empty_picture,
)
from napari_neurosynth_results.viewer.napari_private import (
    show_written,
    without_thumbnail,
)

if TYPE_CHECKING:
    from napari.layers import Image, Labels

#: Which color each cluster has, by the voxel of its peak.
COLORS_KEY = "neurosynth_results_colors"
#: Beyond contrast limits, as a share of them.
_ROOM = 0.5
#: The one color of a map that is seen together with others, and of its clusters.
HUE_KEY = "neurosynth_results_hue"
#: The peak of the cluster that is outlined in white.
CHOSEN_KEY = "neurosynth_results_chosen"


def recolor(layer: Image, clusters: ClusterSet, *, anew: bool = False) -> None:
    """Show what survives on a map, and nothing else.

    Parameters
    ----------
    layer : Image
        The layer of the map.
    anew : bool
        Choose colormap and limits also where the user has chosen others.
    """
    look, values = find_color_range(clusters), colored_values(clusters)
    sides, hue = _sides(clusters), layer.metadata.get(HUE_KEY)
    chosen = coloring(look, values.kind, sides=sides, hue=hue)
    layer.metadata[RANGE_KEY] = ColorRange.of(
        look,
        values,
        kind=values.kind,
        sides=sides or (True, look.signed),
        marks_threshold=values is clusters.statmap,
    )
    _paint(layer, clusters, look)
    _give(layer, chosen, anew=anew)
    layer.metadata[REASON_KEY] = str(clusters)
    layer.metadata[SHORT_REASON_KEY] = say_threshold(clusters)


def recolor_faint(layer: Image, clusters: ClusterSet) -> None:
    """Show what does not survive on a map, and nothing else.

    Parameters
    ----------
    layer : Image
        Another layer than that of the map.
    """
    look = find_color_range(clusters)
    values = colored_values(clusters)
    chosen = faint_coloring(look, values.kind, sides=_sides(clusters))
    voxels = _own_voxels(layer, clusters.statmap)
    np.copyto(voxels.T, values.data)
    voxels.reshape(-1)[colored_voxels(clusters)] = np.nan
    layer.refresh(thumbnail=False, extent=False)
    _give(layer, chosen, anew=False)


def _sides(clusters: ClusterSet) -> Sides | None:
    values = colored_values(clusters)
    return choose_sides(values, clusters.asked.tail) if values.signed else None


def _paint(layer: Image, clusters: ClusterSet, look: FirstLook) -> None:
    """Write the values of significant clusters over what was seen before."""
    voxels, source = _own_voxels(layer, clusters.statmap), colored_values(clusters)
    where = colored_voxels(clusters)
    values = source.data.reshape(-1, order="F")[where]
    if source.kind.row.small_is_strong:
        # A p that underflowed to 0 gets a value that can be seen.
        values[values == 0] = look.strongest
    voxels.fill(np.nan)
    voxels.reshape(-1)[where] = values
    show_written(layer, voxels)


def _own_voxels(layer: Image, statmap: StatMap) -> npt.NDArray[np.float32]:
    """Return the voxels of a layer to write into; what others put there is let be."""
    picture = layer.metadata.get(PICTURE_KEY)
    if picture is None or picture is not layer.data:
        picture = empty_picture(statmap.grid)
        layer.metadata[PICTURE_KEY] = picture
        layer.data = picture
    voxels: npt.NDArray[np.float32] = picture
    return voxels


def _give(layer: Image, chosen: Coloring, *, anew: bool) -> None:
    """Give a layer colors, but for what the user has chosen since the last time."""
    name, limits = str(layer.colormap.name), tuple(layer.contrast_limits)
    given = None if anew else layer.metadata.get(GIVEN_KEY)
    new_name, new_limits = chosen.colormap["name"], chosen.contrast_limits
    # While a slider moves nobody looks at thumbnails: they follow in the end.
    with nullcontext() if anew else without_thumbnail(layer):
        # Making a colormap known to the graphics card costs more than all the rest.
        if name != new_name and (given is None or name == given[0]):
            layer.colormap = chosen.colormap
        if limits != new_limits and (given is None or limits == given[1]):
            _make_room(layer, new_limits)
            layer.contrast_limits = new_limits
    layer.metadata[GIVEN_KEY] = new_name, new_limits


def own_colors(layer: Image) -> dict[str, Any]:
    """Return the colormap and the limits of a map's layer that the user has chosen.

    Returns
    -------
    dict of str to object
        By the names of the layer's attributes; empty where all was given.
    """
    name, limits = layer.metadata.get(GIVEN_KEY, (None, None))
    chosen: dict[str, Any] = {}
    if str(layer.colormap.name) != name:
        chosen["colormap"] = layer.colormap
    if tuple(layer.contrast_limits) != limits:
        chosen["contrast_limits"] = tuple(layer.contrast_limits)
    return chosen


def has_own_limits(layer: Image) -> bool:
    """Whether the user has chosen the contrast limits of a map's layer."""
    given = layer.metadata.get(GIVEN_KEY)
    return given is not None and tuple(layer.contrast_limits) != given[1]


def keep_clear(event: Any) -> None:
    """Keep what does not survive transparent in a colormap that paints NaN."""
    layer = event.source
    if layer.colormap.nan_color[3]:
        clear = layer.colormap.model_copy(update={"nan_color": np.zeros(4, np.float32)})
        layer.colormap = clear


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
