"""Where to look: what the map itself says is no place to count its tests in."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_neurosynth_results import compare_maps, find_clusters
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import refusals
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.compare.comparison_layers import show_agreement
from napari_neurosynth_results.viewer.layers import map_of, placement_keywords
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.shown_maps import show_alone
from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget


@pytest.fixture
def widget(plugin: Any, viewer: Any, sample: ResultSet) -> Iterator[ThresholdWidget]:
    """Return the form, with z and what lies beside it in the viewer, z active."""
    add_maps(viewer, [sample["logp"], sample["p"], sample["z"]])
    show_alone(viewer, sample["z"])
    made = ThresholdWidget(viewer)
    yield made
    made.close()


def layer_of(viewer: Any, statmap: Any) -> Any:
    """Return the layer of a map."""
    return next(one for one in viewer.layers if map_of(one) is statmap)


def place(widget: ThresholdWidget, text: str) -> None:
    """Choose a place to look by what the list shows."""
    widget.where.place.value = dict(widget.where._choices())[text]
    for _ in range(3):
        QApplication.processEvents()


@pytest.mark.parametrize("how", ["clusters", "copy", "sibling", "painted", "agreement"])
def test_no_correction_is_offered_where_the_map_itself_says_where(
    widget: ThresholdWidget, viewer: Any, sample: ResultSet, how: str
) -> None:
    z = sample["z"]
    assert "q" in widget.form.offered
    found = find_clusters(z, p=0.01, min_voxels=20, atlas=None)
    if how == "sibling":
        place(widget, f"where {sample['p'].title} is significant")
    elif how == "agreement":
        other = find_clusters(sample["stat"], value=0.01, atlas=None)
        show_agreement(
            viewer,
            compare_maps(z, sample["stat"], threshold_a=found, threshold_b=other),
        )
        [layer] = [one for one in viewer.layers if one.name.startswith("agreement")]
        place(widget, f"inside {layer.name}")
    elif how == "painted":
        # As somebody paints it who has no idea where it came from.
        viewer.add_labels(
            (found.labels.T > 0).astype(np.uint8),
            name="mine",
            **placement_keywords(z.grid),
        )
        place(widget, "inside mine")
    else:
        layer = layer_of(viewer, sample["logp"])
        made = show_clusters(viewer, layer, find_clusters(sample["logp"], p=0.02))
        if how == "copy":
            # As napari duplicates a layer, and somebody paints in the copy.
            painted = made.data.copy()
            painted[40:42, 40:42, 40:42] = 1
            made = viewer.add_labels(
                painted,
                name="painted over",
                metadata=copy.deepcopy(made.metadata),
                **placement_keywords(z.grid),
            )
        place(widget, f"inside {made.name}")
    assert widget.form.offered == ["value", "p"]
    assert "would be circular" in refusals(z, widget.where.where.masking(z))["q"]
    place(widget, "everywhere")
    assert widget.form.offered == ["value", "p", "q", "bonferroni"]
