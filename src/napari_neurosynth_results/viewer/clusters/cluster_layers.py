"""The clusters of a map in the viewer: one Labels layer a map, colors that stay.

A Labels layer carries its `ClusterSet` in its metadata, and the layer of the map is
thresholded in its colormap: no voxel of it is copied or changed.
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.p_values.monte_carlo import write_counted_p
from napari_neurosynth_results.viewer.clusters.layer_colors import (
    CHOSEN_KEY,
    COLORS_KEY,
    recolor,
    set_colors,
)
from napari_neurosynth_results.viewer.layers import (
    FAINT,
    METADATA_KEY,
    REASON_KEY,
    map_of,
    placement_keywords,
)
from napari_neurosynth_results.viewer.napari_private import (
    ignore_contour_warning,
    refreshed_once,
    undisturbed,
)

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

#: What a corrected map says of a peak, as the field writes it.
_CORRECTED = {"peak_q": "peak q", "peak_p_fwe": "peak p_FWE"}
#: What the row of the background holds, by the kind of a column.
_EMPTY: dict[str, Any] = {"f": np.nan, "i": 0}


def clusters_of(layer: Layer) -> ClusterSet | None:
    """Return the clusters that a layer shows, None for layers of others."""
    found = layer.metadata.get(METADATA_KEY)
    return found if isinstance(found, ClusterSet) else None


def cluster_layer(viewer: Viewer, statmap: StatMap) -> Labels | None:
    """Find the layer that shows the clusters of a map."""
    for layer in viewer.layers:
        clusters = clusters_of(layer)
        if clusters is not None and clusters.statmap is statmap:
            return layer
    return None


def map_layers(viewer: Viewer) -> list[Image]:
    """List the layers of maps that can be thresholded.

    Returns
    -------
    list of Image
        The active layer first, then what is visible, then what is hidden; each from top
        to bottom, as the layer list shows them.
    """
    from napari.layers import Image

    active = viewer.layers.selection.active
    found = [
        layer
        for layer in reversed(viewer.layers)
        if isinstance(layer, Image) and map_of(layer) is not None
    ]
    return sorted(found, key=lambda layer: (layer is not active, not layer.visible))


def show_clusters(
    viewer: Viewer,
    layer: Image,
    clusters: ClusterSet,
    *,
    faint: bool = False,
    describe: bool = True,
) -> Labels:
    """Show a map at a threshold, and its clusters in a Labels layer.

    Parameters
    ----------
    faint : bool
        Let what is below the threshold shine through.
    describe : bool
        Bring status bar and layer list up to date as well. While a slider moves nobody
        looks there: `describe_clusters` does it then in the end.

    Returns
    -------
    Labels
        New, or the one that showed the map's clusters before. Colors and names stay
        with the peaks of clusters.
    """
    recolor(layer, clusters, faint)
    found = cluster_layer(viewer, clusters.statmap)
    if found is None:
        found = _add(viewer, layer, clusters)
    else:
        names = found.metadata[METADATA_KEY].given_names
        clusters = replace(clusters, given_names=names) if names else clusters
        _update(viewer, found, clusters)
    if describe:
        describe_clusters(layer, found)
    return found


def describe_clusters(layer: Image, found: Labels) -> None:
    """Bring status bar, napari's tables and the thumbnails up to date."""
    clusters = clusters_of(found)
    assert clusters is not None
    found.features = _features(clusters)
    for one in (layer, found):
        one.events.thumbnail()


def rename(layer: Labels, label: int, name: str) -> None:
    """Give a cluster a name, which it keeps for as long as it keeps its peak.

    Parameters
    ----------
    name : str
        An empty one gives the number back.

    Raises
    ------
    ResultsError
        When there is no such cluster.
    """
    clusters = clusters_of(layer)
    assert clusters is not None
    clusters = clusters.renamed(label, name)
    layer.metadata[METADATA_KEY] = clusters
    layer.features = _features(clusters)


def name_by(viewer: Viewer, atlas: Atlas | None) -> None:
    """Name the clusters of all maps by another atlas; names that were given stay.

    Parameters
    ----------
    atlas : Atlas or None
        None gives them numbers.
    """
    for layer in viewer.layers:
        clusters = clusters_of(layer)
        if clusters is not None:
            layer.metadata[METADATA_KEY] = clusters.named_by(atlas)
            layer.features = _features(layer.metadata[METADATA_KEY])


def choose(layer: Labels, label: int | None) -> None:
    """Outline one cluster in white, and make it the layer's selected label.

    Parameters
    ----------
    label : int or None
        None takes the outline away.
    """
    clusters = clusters_of(layer)
    assert clusters is not None
    peak = clusters.peak_voxels[label - 1] if label else None
    if peak != layer.metadata.get(CHOSEN_KEY):
        layer.metadata[CHOSEN_KEY] = peak
        set_colors(layer, clusters)
    if label:
        layer.selected_label = label


def chosen_label(layer: Labels) -> int:
    """Return the cluster that is outlined in white, 0 for none."""
    clusters = clusters_of(layer)
    assert clusters is not None
    peak, peaks = layer.metadata.get(CHOSEN_KEY), clusters.peak_voxels
    return peaks.index(peak) + 1 if peak in peaks else 0


def _add(viewer: Viewer, layer: Image, clusters: ClusterSet) -> Labels:
    from napari.layers import Labels

    made = Labels(
        _label_data(clusters),
        **placement_keywords(clusters.statmap.grid),
        name=f"{layer.name}: clusters",
        opacity=1.0,
        blending="translucent_no_depth",
        visible=layer.visible,
        features=_features(clusters),
        metadata={METADATA_KEY: clusters, COLORS_KEY: {}, REASON_KEY: str(clusters)},
    )
    set_colors(made, clusters)
    made.contour = 1
    if layer.opacity == FAINT:
        # It was shown faintly because nothing survived the first threshold.
        layer.opacity = 1.0
    _lock(made)
    made.events.editable.connect(_keep_locked)
    layer.events.visible.connect(partial(_follow_map, weakref.ref(made)))
    ignore_contour_warning()
    # The map stays the active layer: its controls are the ones that are needed.
    active = viewer.layers.selection.active
    viewer.add_layer(made)
    if active is not None:
        viewer.layers.selection.active = active
    return made


def _update(viewer: Viewer, layer: Labels, clusters: ClusterSet) -> None:
    """Show other clusters; as much as can be in one redrawing."""
    layer.metadata[METADATA_KEY] = clusters
    layer.metadata[REASON_KEY] = str(clusters)
    # New data tell the graphics card of the colors anyway: they need not do it twice,
    # nor need the slice be cut twice.
    with (
        refreshed_once(layer),
        layer.events.colormap.blocker(),
        layer.events.set_data.blocker(),
        layer.events.thumbnail.blocker(),
        layer.events.selected_label.blocker(),
    ):
        recolored = set_colors(layer, clusters)
    with (
        undisturbed(viewer, layer, recolored=recolored),
        layer.events.thumbnail.blocker(),
        layer.events.editable.blocker(),
    ):
        layer.data = _label_data(clusters)
        _lock(layer)


def _label_data(clusters: ClusterSet) -> npt.NDArray[Any]:
    """Labels as (z, y, x), in the smallest type: graphics cards take it as it is."""
    found = clusters.labelled
    return found.volume(found.label.dtype).T


def _features(clusters: ClusterSet) -> dict[str, Any]:
    """Describe each cluster: row i is label i, and row 0 the background."""
    table = clusters.table
    columns: dict[str, Any] = {
        "cluster": table.name,
        f"peak {clusters.values.kind}": table.peak_value.round(3),
        "n_voxels": table.n_voxels,
        "volume_mm3": table.volume_mm3.round(1),
    }
    if clusters.missing_test:
        del columns[f"peak {clusters.values.kind}"]
    for key, title in _CORRECTED.items():
        if key in table:
            columns[title] = table[key].round(6)
    if clusters.statmap.level == "cluster":
        columns[f"p_{clusters.statmap.correction}"] = np.array(
            [write_counted_p(p, clusters.null) for p in clusters.cluster_p], str
        )
        columns["significant"] = np.where(table.significant, "yes", "no")
    return {
        name: np.concatenate([[_EMPTY.get(values.dtype.kind, "")], values])
        for name, values in ((name, np.asarray(x)) for name, x in columns.items())
    }


def _lock(layer: Labels) -> None:
    """Painting in the layer would make volume and table disagree."""
    layer.editable = False


def _keep_locked(event: Any) -> None:
    # napari unlocks a layer whenever its data change.
    if event.source.editable:
        _lock(event.source)


def _follow_map(ref: weakref.ref[Any], event: Any) -> None:
    """Hide and show clusters together with their map."""
    if (layer := ref()) is not None:
        layer.visible = event.source.visible
