"""What a comparison adds to the viewer: agreement, conjunction, halves to swipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.colors import BOTH, HUES, OPPOSITE
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.comparison.derived_maps import parent_clusters
from napari_neurosynth_results.statistics.thresholds.masks import origins_of
from napari_neurosynth_results.viewer.canvas import Divider, dress, show_divider
from napari_neurosynth_results.viewer.clusters.defaults import (
    clusters_for,
    threshold_map,
)
from napari_neurosynth_results.viewer.clusters.mask_choice import MADE_OF_KEY
from napari_neurosynth_results.viewer.layers import (
    map_layer,
    map_of,
    placement_keywords,
)
from napari_neurosynth_results.viewer.scene import grows_rightwards

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

#: Marks the layer of an agreement, which the next one takes the place of.
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


def threshold_alike(viewer: Viewer, layers: Sequence[Image]) -> list[str]:
    """Ask of all maps what was asked of the first.

    Returns
    -------
    list of str
        Why maps keep their own threshold, those of which it means nothing.
    """
    first = clusters_for(viewer, layers[0])
    told = []
    for layer in layers[1:]:
        if clusters_for(viewer, layer).asked == first.asked:
            continue
        try:
            threshold_map(viewer, layer, first.asked)
        except ResultsError as error:
            told.append(f"{layer.name} keeps its own threshold. {error}")
    return told


def show_agreement(viewer: Viewer, comparison: Comparison) -> Labels:
    """Show where only one of two maps is above its threshold, and where both are.

    Returns
    -------
    Labels
        A layer of its own; the one of the comparison before goes.
    """
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    for layer in [one for one in viewer.layers if AGREEMENT_KEY in one.metadata]:
        viewer.layers.remove(layer)
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
