"""The clusters of a map in the viewer: one Labels layer a map, colors that stay.

A Labels layer carries its `ClusterSet` in its metadata. In a plane its clusters are
seen as the values of their map, with thin outlines around them; in 3D by themselves.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.grid import Voxel
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.active_parts import (
    ActiveParts,
    are_parts_of,
    find_active_parts,
)
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.true_discoveries import write_percent
from napari_neurosynth_results.statistics.p_values.monte_carlo import write_counted_p
from napari_neurosynth_results.viewer.canvas import legend_once
from napari_neurosynth_results.viewer.clusters.layer_colors import (
    CHOSEN_KEY,
    COLORS_KEY,
    keep_clear,
    recolor,
    recolor_faint,
    set_colors,
)
from napari_neurosynth_results.viewer.clusters.outlines import (
    OUTLINES_KEY,
    add_outlines,
    outline_inside,
    outlined_by,
    outlines_of,
)
from napari_neurosynth_results.viewer.layers import (
    FAINT,
    INSIDE_KEY,
    METADATA_KEY,
    REASON_KEY,
    UNDERLAY_KEY,
    empty_picture,
    lock,
    map_of,
    placement_keywords,
)
from napari_neurosynth_results.viewer.napari_private import (
    give_direction,
    refreshed_once,
    undisturbed,
)
from napari_neurosynth_results.viewer.scene import weakly

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

    from napari_neurosynth_results.statistics.studies.leave_one_out import LeaveOneOut

#: What a corrected map says of a peak, as the field writes it.
_CORRECTED = {"peak_q": "peak q", "peak_p_fwe": "peak p_FWE"}
#: Marks a layer of what does not survive, and holds that of its map.
FAINT_KEY = "neurosynth_results_faint"
#: The parts of clusters that are outlined inside of them.
_PARTS_KEY = "neurosynth_results_parts"
#: Parts of clusters of more voxels are looked for on another thread.
MOST_AT_ONCE = 30_000
#: The voxels of a layer of clusters, which are ours to write into.
_LABELS_KEY = "neurosynth_results_labels"
#: What the row of the background holds, by the kind of a column.
_EMPTY: dict[str, Any] = {"f": np.nan, "i": 0}


def clusters_of(layer: Layer) -> ClusterSet | None:
    """Return the clusters that a layer shows, None for layers of others."""
    found = layer.metadata.get(METADATA_KEY)
    return found if isinstance(found, ClusterSet) else None


def map_behind(layer: Layer) -> StatMap | None:
    """Return the map that a layer shows by its voxels or clusters."""
    clusters = clusters_of(layer)
    return clusters.statmap if clusters is not None else map_of(layer)


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
        if isinstance(layer, Image)
        and map_of(layer) is not None
        and UNDERLAY_KEY not in layer.metadata
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
        Show what does not survive as well, in a layer of its own.
    describe : bool
        Bring status bar and layer list up to date as well. While a slider moves nobody
        looks there: `describe_clusters` does it then in the end.

    Returns
    -------
    Labels
        New, or the one that showed the map's clusters before. Colors and names stay
        with the peaks of clusters.
    """
    with legend_once(viewer):
        recolor(layer, clusters)
        found = cluster_layer(viewer, clusters.statmap)
        if found is None:
            found = _add(viewer, layer, clusters)
        else:
            names = found.metadata[METADATA_KEY].given_names
            clusters = replace(clusters, given_names=names) if names else clusters
            _update(viewer, found, clusters)
        # Who follows the layers finds the clusters, and does not show the map anew.
        show_faintly(viewer, layer, clusters if faint else None)
        if describe:
            describe_clusters(viewer, layer, found)
    return found


def describe_clusters(viewer: Viewer, layer: Image, found: Labels) -> None:
    """Bring status bar, napari's tables and the thumbnails up to date."""
    clusters = clusters_of(found)
    assert clusters is not None
    with legend_once(viewer):
        _follow_parts(layer, found, clusters)
    found.features = _features(clusters)
    layer.refresh(data_displayed=False, highlight=False, extent=False)
    found.events.thumbnail()


def shown_parts(layer: Labels) -> ActiveParts | None:
    """Return the parts of clusters that are outlined, or that were of earlier ones."""
    found = layer.metadata.get(_PARTS_KEY)
    return found if isinstance(found, ActiveParts) else None


def show_parts(layer: Image, found: Labels, parts: ActiveParts | None) -> None:
    """Outline parts of clusters inside of them.

    They stay for as long as the clusters do: others are looked for when the clusters
    have changed.

    Parameters
    ----------
    layer : Image
        The layer of the map.
    found : Labels
        That of its clusters.
    parts : ActiveParts or None
        None takes the lines away.
    """
    found.metadata[_PARTS_KEY] = parts
    _outline_parts(layer, found, parts)


def _outline_parts(layer: Image, found: Labels, parts: ActiveParts | None) -> None:
    """Draw lines, or none, and say so in the caption."""
    layer.metadata.pop(INSIDE_KEY, None)
    if parts is not None:
        share = f"{100 * parts.share:g} %"
        layer.metadata[INSIDE_KEY] = f"black lines: at least {share} active"
    outline_inside(found, None if parts is None else parts.labels.T)


def _follow_parts(layer: Image, found: Labels, clusters: ClusterSet) -> None:
    """Outline the parts of other clusters, where that takes no time; else none."""
    if (before := shown_parts(found)) is None:
        return
    if are_parts_of(before, clusters):
        if INSIDE_KEY not in layer.metadata:
            _outline_parts(layer, found, before)
        return
    with suppress(ResultsError):  # Why nobody knows any is told where one asks.
        if clusters.labelled.where.size <= MOST_AT_ONCE:
            show_parts(layer, found, find_active_parts(clusters, before.share))
            return
    _outline_parts(layer, found, None)


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
    give_names(layer, clusters.renamed(label, name).given_names)


def give_names(layer: Labels, names: Mapping[Voxel, str]) -> None:
    """Give clusters names by the voxels of their peaks; the others have none."""
    clusters = clusters_of(layer)
    assert clusters is not None
    layer.metadata[METADATA_KEY] = clusters = replace(clusters, given_names=names)
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


def add_survival(viewer: Viewer, left_out: LeaveOneOut) -> bool:
    """Say of the clusters of a map what became of them without each experiment.

    Returns
    -------
    bool
        False when the map shows other clusters by now, which that says nothing of.
    """
    layer = cluster_layer(viewer, left_out.clusters.statmap)
    clusters = clusters_of(layer) if layer is not None else None
    if clusters is None or clusters.labelled is not left_out.clusters.labelled:
        return False
    assert layer is not None
    layer.metadata[METADATA_KEY] = clusters = left_out.add_to(clusters)
    layer.features = _features(clusters)
    return True


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


def faint_layer(viewer: Viewer, layer: Layer) -> Image | None:
    """Find the layer that shows what does not survive on the map of another."""
    for other in viewer.layers:
        of = other.metadata.get(FAINT_KEY)
        if of is not None and of() is layer:
            return other
    return None


def show_faintly(viewer: Viewer, layer: Image, clusters: ClusterSet | None) -> None:
    """Show what does not survive on a map, in a layer below that of the map.

    Parameters
    ----------
    layer : Image
        The layer of the map.
    clusters : ClusterSet or None
        What survives; None takes the layer away.
    """
    from napari.layers import Image

    found = faint_layer(viewer, layer)
    if clusters is None:
        if found is not None:
            viewer.layers.remove(found)
        return
    if found is None:
        found = Image(
            empty_picture(clusters.statmap.grid),
            **placement_keywords(clusters.statmap.grid),
            name=f"{layer.name}: below the threshold",
            contrast_limits=(0, 1),
            blending="translucent_no_depth",
            opacity=FAINT,
            visible=layer.visible,
            metadata={FAINT_KEY: weakref.ref(layer)},
        )
        layer.events.visible.connect(partial(_follow_map, weakref.ref(found)))
        selected = set(viewer.layers.selection)
        viewer.layers.insert(viewer.layers.index(layer), found)
        viewer.layers.selection = selected
        _take_along(viewer)
    recolor_faint(found, clusters)


def goes_with_others(metadata: Mapping[str, Any]) -> bool:
    """Whether what a layer shows follows from another layer, by its metadata."""
    return FAINT_KEY in metadata or OUTLINES_KEY in metadata


def with_companions(viewer: Viewer, layer: Layer) -> list[Layer]:
    """List a layer and those that go with it, from bottom to top.

    Returns
    -------
    list of Layer
        What is below the threshold and the map; the outlines of clusters and these; or
        the layer alone.
    """
    found = [faint_layer(viewer, layer), outlines_of(viewer, layer), layer]
    return [one for one in found if one is not None]


def layers_of_map(viewer: Viewer, layer: Image) -> list[Layer]:
    """List the layers that show one map, from bottom to top.

    Parameters
    ----------
    layer : Image
        The layer of the map.

    Returns
    -------
    list of Layer
        What is below the threshold, the map, the outlines of its clusters, and these,
        as far as they are there.
    """
    statmap = map_of(layer)
    clusters = cluster_layer(viewer, statmap) if statmap is not None else None
    found = with_companions(viewer, layer)
    return found if clusters is None else [*found, *with_companions(viewer, clusters)]


def _add(viewer: Viewer, layer: Image, clusters: ClusterSet) -> Labels:
    from napari.layers import Labels

    labels = _label_data(clusters)
    made = Labels(
        labels,
        **placement_keywords(clusters.statmap.grid),
        name=f"{layer.name}: clusters",
        opacity=_opacity(viewer),
        blending="translucent_no_depth",
        visible=layer.visible,
        features=_features(clusters),
        metadata={
            METADATA_KEY: clusters,
            COLORS_KEY: {},
            REASON_KEY: str(clusters),
            _LABELS_KEY: labels,
        },
    )
    set_colors(made, clusters)
    if layer.opacity == FAINT:
        # It was shown faintly because nothing survived the first threshold.
        layer.opacity = 1.0
    lock(made)
    made.events.opacity.connect(_catch_up)
    layer.events.visible.connect(partial(_follow_map, weakref.ref(made)))
    layer.events.colormap.connect(keep_clear)
    # The map stays the active layer: its controls are the ones that are needed.
    active = viewer.layers.selection.active
    give_direction(viewer)
    viewer.add_layer(made)
    add_outlines(viewer, made, clusters.statmap.grid)
    _take_along(viewer)
    if active is not None:
        viewer.layers.selection.active = active
    return made


def _opacity(viewer: Viewer) -> float:
    """Return how a layer of clusters is seen: in planes their values are."""
    return 0.0 if viewer.dims.ndisplay == 2 else 1.0


def _take_along(viewer: Viewer) -> None:
    """Let clusters follow the display, and go when their map goes."""
    removed = viewer.layers.events.removed
    if any(_calls(callback, _remove_what_is_left) for callback in removed.callbacks):
        return
    # The viewer owns the events: a strong reference back would keep it alive.
    removed.connect(partial(_remove_what_is_left, weakly(viewer)))
    viewer.dims.events.ndisplay.connect(partial(_follow_display, weakly(viewer)))


def _calls(callback: Any, function: Any) -> bool:
    return isinstance(callback, partial) and callback.func is function


def _remove_what_is_left(ref: weakref.ref[Any], event: Any) -> None:
    """Remove the layers whose map or clusters are gone."""
    viewer, gone = ref(), event.value
    if viewer is None:
        return
    clusters = clusters_of(gone)
    statmap = map_of(gone)
    for layer in list(viewer.layers):
        faint = layer.metadata.get(FAINT_KEY)
        shown = clusters_of(layer)
        is_left = (
            (statmap is not None and shown is not None and shown.statmap is statmap)
            or (faint is not None and faint() is gone)
            or (clusters is not None and outlined_by(layer) is gone)
        )
        if not is_left or layer not in viewer.layers:
            continue
        # napari may be about to remove what is selected, and would not find it.
        if layer in viewer.layers.selection:
            layer.visible = False
        else:
            viewer.layers.remove(layer)


def _follow_display(ref: weakref.ref[Any], event: object = None) -> None:
    """Show clusters by themselves in 3D, and by their values in planes."""
    if (viewer := ref()) is None:
        return
    # The caption says what lines are around, which are in planes alone.
    with legend_once(viewer):
        for layer in viewer.layers:
            if clusters_of(layer) is not None:
                layer.opacity = _opacity(viewer)


def _update(viewer: Viewer, layer: Labels, clusters: ClusterSet) -> None:
    """Show other clusters; as much as can be in one redrawing."""
    before: ClusterSet = layer.metadata[METADATA_KEY]
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
    seen = layer.opacity > 0
    with (
        undisturbed(viewer, layer, recolored=recolored and seen),
        layer.events.thumbnail.blocker(),
        layer.events.editable.blocker(),
    ):
        if _relabel(layer, before, clusters):
            # In planes it is there to be pointed at: nothing has to be drawn, and what
            # is pointed at is looked up in the labels themselves.
            if seen:
                layer.refresh(thumbnail=False, highlight=False, extent=False)
            layer.events.data(value=layer.data)
            layer.events.features()
        else:
            layer.data = layer.metadata[_LABELS_KEY] = _label_data(clusters)
            lock(layer)


def _relabel(layer: Labels, before: ClusterSet, clusters: ClusterSet) -> bool:
    """Write labels over those before, which takes as long as there are voxels in them.

    Returns
    -------
    bool
        False where that cannot be: what others put into the layer is let be, and more
        labels may need a larger type.
    """
    labels = layer.data
    was, now = before.labelled, clusters.labelled
    ours = labels is layer.metadata.get(_LABELS_KEY) and was.shape == now.shape
    if not ours or labels.dtype != now.label.dtype:
        return False
    flat = labels.reshape(-1)
    flat[was.where] = 0
    flat[now.where] = now.label
    return True


def _catch_up(event: Any) -> None:
    """Draw clusters that were not seen, and were not drawn anew, in planes."""
    layer = event.source
    if layer.opacity > 0:
        layer.events.colormap()
        layer.refresh(thumbnail=False, highlight=False, extent=False)


def _label_data(clusters: ClusterSet) -> npt.NDArray[Any]:
    """Labels as (z, y, x), in the smallest type: graphics cards take it as it is."""
    found = clusters.labelled
    return found.volume(found.label.dtype).T


def _features(clusters: ClusterSet) -> dict[str, Any]:
    """Describe each cluster: row i is label i, and row 0 the background."""
    table = clusters.table
    columns: dict[str, Any] = {
        # napari's status bar guesses whether they are HTML.
        "cluster": table.name.map(for_qt),
        f"peak {clusters.values.kind}": table.peak_value.round(3),
        "n_voxels": table.n_voxels,
        "volume_mm3": table.volume_mm3.round(1),
    }
    if table.tdp.notna().any():
        columns["TDP"] = np.array(table.tdp_percent.map(write_percent), str)
    if clusters.survival:
        pairs = zip(table["stands"], table["stands_of"], strict=True)
        columns["stands in"] = np.array([f"{n} of {k}" for n, k in pairs], str)
    if clusters.missing_test:
        del columns[f"peak {clusters.values.kind}"]
    for key, title in _CORRECTED.items():
        if key in table:
            columns[title] = table[key].round(6)
    if clusters.statmap.level == "cluster":
        columns[clusters.p_word] = np.array(
            [write_counted_p(p, clusters.null) for p in clusters.cluster_p], str
        )
        columns["significant"] = np.where(table.significant, "yes", "no")
    return {
        name: np.concatenate([[_EMPTY.get(values.dtype.kind, "")], values])
        for name, values in ((name, np.asarray(x)) for name, x in columns.items())
    }


def _follow_map(ref: weakref.ref[Any], event: Any) -> None:
    """Hide and show clusters together with their map."""
    if (layer := ref()) is not None:
        layer.visible = event.source.visible
