"""What a comparison adds to the viewer: thresholds alike, agreement, conjunction."""

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
from napari_neurosynth_results.statistics.thresholds.masks import origins_of
from napari_neurosynth_results.viewer.canvas import dress
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

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer

#: Marks the layer of an agreement, which the next one takes the place of.
AGREEMENT_KEY = "neurosynth_results_agreement"
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
    for layer in viewer.layers:
        shown = map_of(layer)
        if shown is not None and shown.results.source == statmap.results.source:
            viewer.layers.remove(layer)
            break
    layer = viewer.add_layer(Layer.create(*made))
    dress(viewer)
    return layer
