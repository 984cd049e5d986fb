"""What a comparison adds to the viewer: agreement, conjunction, halves to swipe."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.colors import BOTH, HUES, OPPOSITE
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.comparison.derived_maps import parent_clusters
from napari_neurosynth_results.statistics.thresholds.masks import origins_of
from napari_neurosynth_results.viewer.canvas import Divider, dress, show_divider
from napari_neurosynth_results.viewer.clusters.defaults import (
    find_first_clusters,
    show_found,
)
from napari_neurosynth_results.viewer.clusters.mask_choice import MADE_OF_KEY
from napari_neurosynth_results.viewer.layers import (
    LayerTuple,
    map_layer,
    map_of,
    placement_keywords,
)
from napari_neurosynth_results.viewer.scene import grows_rightwards
from napari_neurosynth_results.viewer.shown_maps import layer_for

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

    from napari_neurosynth_results.anatomy.atlas import Atlas

#: Marks the layer of an agreement.
AGREEMENT_KEY = "neurosynth_results_agreement"
#: Marks what was added for a while.
TEMPORARY_KEY = "neurosynth_results_for_now"
#: What a copy takes over from the layer of the map.
_LOOK = ("colormap", "contrast_limits", "gamma", "blending", "interpolation2d")
_OPACITY = 0.85


@dataclass(frozen=True, eq=False)
class ComparedClusters:
    """The clusters of two maps that an agreement is about."""

    a: ClusterSet
    b: ClusterSet

    def __deepcopy__(self, memo: dict[int, Any]) -> ComparedClusters:
        """Return itself: napari copies metadata when it duplicates a layer."""
        return self


def compared_in(layer: Layer) -> ComparedClusters | None:
    """Return what an agreement is about, None for layers of others."""
    found = layer.metadata.get(AGREEMENT_KEY)
    return found if isinstance(found, ComparedClusters) else None


@dataclass(frozen=True)
class FoundMaps:
    """What has to be shown before maps can be compared.

    Attributes
    ----------
    pictures : dict of StatMap to tuple
        For maps without a layer, what `map_layer` makes.
    clusters : dict of StatMap to ClusterSet
        For maps whose clusters are not shown, or at another threshold.
    told : list of str
        Why maps keep their own threshold, those of which that of the first means
        nothing.
    """

    pictures: dict[StatMap, LayerTuple] = field(default_factory=dict)
    clusters: dict[StatMap, ClusterSet] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


def find_compared(
    shown: Mapping[StatMap, ClusterSet | None],
    pictured: Collection[StatMap],
    atlas: Atlas | None,
    job: Job,
    *,
    alike: bool,
) -> FoundMaps:
    """Find what maps lack to be compared, on any thread.

    Parameters
    ----------
    shown : mapping of StatMap to ClusterSet or None
        The maps in their order, with their clusters as they are shown.
    pictured : collection of StatMap
        Those that have a layer.
    atlas : Atlas or None
        Names clusters.
    alike : bool
        Whether to ask of all maps what was asked of the first.

    Raises
    ------
    CancelledError
        When the job was cancelled.
    ResultsError
        When a map cannot be read or thresholded.
    """
    found = FoundMaps()
    first: ClusterSet | None = None
    for number, (statmap, before) in enumerate(shown.items()):
        job.report("maps", number, len(shown))
        if statmap not in pictured:
            found.pictures[statmap] = map_layer(statmap, visible=False)[0]
        # A set of no clusters counts as well.
        clusters = before
        if clusters is None:
            clusters = find_first_clusters(statmap, atlas)
        if first is None:
            first = clusters
        elif alike and clusters.asked != first.asked:
            try:
                clusters = clusters_at(statmap, first.asked, atlas=atlas)
            except ResultsError as error:
                title = statmap.short_title
                found.told.append(f"{title} keeps its own threshold. {error}")
        if clusters is not before:
            found.clusters[statmap] = clusters
    job.check()
    return found


def show_compared(
    viewer: Viewer, found: FoundMaps, wanted: Collection[StatMap]
) -> None:
    """Show what was found of maps that are wanted, hidden where one had no layer."""
    for statmap, made in found.pictures.items():
        if statmap in wanted:
            layer_for(viewer, statmap, made)
    for statmap, clusters in found.clusters.items():
        if statmap in wanted:
            show_found(viewer, layer_for(viewer, statmap), clusters)


def show_agreement(viewer: Viewer, comparison: Comparison) -> Labels:
    """Show where only one of two maps is above its threshold, and where both are.

    Returns
    -------
    Labels
        A layer of its own. That of the same two maps goes, those of others are hidden.
    """
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    maps = {comparison.a.statmap, comparison.b.statmap}
    for layer in list(viewer.layers):
        if (pair := compared_in(layer)) is None:
            continue
        if {pair.a.statmap, pair.b.statmap} == maps:
            viewer.layers.remove(layer)
        else:
            layer.visible = False
    names, colors = zip(*agreement_legend(comparison), strict=True)
    table: dict[int | None, Any] = {None: "transparent"}
    table |= {number: (*rgb, 1.0) for number, rgb in enumerate(colors, start=1)}
    made = Labels(
        comparison.agreement.T,
        **placement_keywords(comparison.grid),
        name=for_qt(f"agreement: {comparison.name_a} / {comparison.name_b}"),
        opacity=_OPACITY,
        blending="translucent_no_depth",
        colormap=DirectLabelColormap(color_dict=table),
        features={"agreement": ["", *map(for_qt, names)]},
        metadata={
            AGREEMENT_KEY: ComparedClusters(comparison.a, comparison.b),
            MADE_OF_KEY: origins_of(comparison.a.statmap, comparison.b.statmap),
        },
    )
    made.editable = False
    return viewer.add_layer(made)


def agreement_legend(
    comparison: Comparison,
) -> list[tuple[str, tuple[float, float, float]]]:
    """Say what the labels of an agreement mean, and their colors.

    Returns
    -------
    list of tuple
        Text and color (0 to 1) of labels 1, 2, 3 and 4.
    """
    return [
        (f"only {comparison.name_a}", HUES[0].rgb),
        (f"only {comparison.name_b}", HUES[1].rgb),
        (BOTH.name, BOTH.rgb),
        (OPPOSITE.name, OPPOSITE.rgb),
    ]


def show_map(viewer: Viewer, statmap: StatMap) -> Layer:
    """Show a map that was made of others, as any map is shown.

    Parameters
    ----------
    statmap : StatMap
        A conjunction or a difference.

    Returns
    -------
    Image
        Its layer: new, or the one that showed the same map before.

    Raises
    ------
    ResultsError
        When it cannot be shown.
    """
    from napari.layers import Layer

    made, _ = map_layer(statmap, visible=True)
    for layer in list(viewer.layers):
        shown = map_of(layer)
        if shown is not None and _is_made_alike(shown, statmap):
            viewer.layers.remove(layer)
    layer = viewer.add_layer(Layer.create(*made))
    dress(viewer)
    return layer


def _is_made_alike(one: StatMap, other: StatMap) -> bool:
    """Whether two maps were made in one way of the same two maps."""
    made_of = [[part.statmap for part in parent_clusters(m)] for m in (one, other)]
    return bool(made_of[0]) and one.key == other.key and made_of[0] == made_of[1]


class Swipe:
    """Shows the first of two maps left of a line, and the second right of it.

    The layers of the maps stay as they are: two others show parts of the same voxels,
    which are views, so that nothing is copied.

    Parameters
    ----------
    pair : sequence of Image
        The layers of two maps.
    clusters : sequence of Labels or None
        The layers of their clusters: when these change, so has the picture of the map.
    share : float
        Where the line is at first, as for `to`.
    """

    def __init__(
        self,
        viewer: Viewer,
        pair: Sequence[Image],
        clusters: Sequence[Labels | None],
        share: float,
    ) -> None:
        self._viewer = viewer
        self._pair = list(pair)
        self._clusters = [one for one in clusters if one is not None]
        self._shown = [self._part_of(layer) for layer in self._pair]
        viewer.dims.events.order.connect(self._again)
        viewer.scene.camera.events.orientation.connect(self._again)
        for layer in self._clusters:
            layer.events.data.connect(self._look_again)
        self.to(share)
        for layer in self._shown:
            viewer.add_layer(layer)

    def _part_of(self, layer: Image) -> Any:
        from napari.layers import Image

        look = {name: getattr(layer, name) for name in _LOOK}
        return Image(
            layer.data,
            name=f"swipe: {layer.name}",
            scale=layer.scale,
            translate=layer.translate,
            units=layer.units,
            axis_labels=layer.axis_labels,
            projection_mode="none",
            metadata={TEMPORARY_KEY: True},
            **look,
        )

    def _again(self, event: object = None) -> None:
        self.to(self._share)

    def _look_again(self, event: object = None) -> None:
        """Follow a map to another threshold: its voxels are the same array."""
        for layer, shown in zip(self._pair, self._shown, strict=True):
            for name in ("contrast_limits", "colormap"):
                if getattr(shown, name) != (now := getattr(layer, name)):
                    setattr(shown, name, now)
        self.to(self._share)

    def to(self, share: float) -> None:
        """Move the line.

        Parameters
        ----------
        share : float
            0 shows the second map alone, 1 the first.
        """
        self._share = share
        axis = self._viewer.dims.order[-1]
        low, high = self._viewer.dims.range[axis][:2]
        rightwards = grows_rightwards(self._viewer)
        cut = low + (high - low) * (share if rightwards else 1 - share)
        for layer, shown, is_first in zip(
            self._pair, self._shown, (True, False), strict=True
        ):
            self._cut(layer, shown, axis, cut, below=is_first == rightwards)
        named = zip(self._pair, HUES[: len(self._pair)], strict=True)
        sides = [(layer.name, hue.rgb) for layer, hue in named]
        show_divider(self._viewer, Divider(cut, *sides[0], *sides[1]))

    def _cut(
        self, layer: Image, shown: Image, axis: int, cut: float, *, below: bool
    ) -> None:
        """Show what lies on one side of a place along an axis of the viewer."""
        # A series that is open as well gives the viewer an axis that maps have not.
        axis += layer.ndim - self._viewer.dims.ndim
        size, origin = layer.scale[axis], layer.translate[axis]
        n = layer.data.shape[axis]
        at = min(max(round((cut - origin) / size), 0), n)
        keep = slice(0, at) if below else slice(at, n)
        is_seen = keep.start < keep.stop
        if shown.visible != is_seen:
            shown.visible = is_seen
        if not is_seen:
            return
        index = [slice(None)] * layer.ndim
        index[axis] = keep
        translate = list(layer.translate)
        translate[axis] += size * keep.start
        shown.data = layer.data[tuple(index)]
        shown.translate = translate

    def stop(self) -> None:
        """Let go of the viewer; who made the layers takes them away by their mark."""
        self._viewer.dims.events.order.disconnect(self._again)
        self._viewer.scene.camera.events.orientation.disconnect(self._again)
        for layer in self._clusters:
            layer.events.data.disconnect(self._look_again)
        show_divider(self._viewer, None)
