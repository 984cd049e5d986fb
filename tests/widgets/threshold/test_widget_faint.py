"""What is below the threshold: chosen in other viewers, and said by the form."""

from __future__ import annotations

from typing import Any

import pytest

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    faint_layer,
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


@pytest.mark.slow
def test_a_map_is_chosen_after_another_viewer_chose_to_show_faintly(
    plugin: Any, preferences: Any, viewer: Any, sample: ResultSet
) -> None:
    add_maps(viewer, [sample[MASS], sample["z"]])
    viewer.layers[-1].visible = True
    widget = ThresholdWidget(viewer)
    assert not widget.form.faint.value
    preferences.threshold.faint = True
    mass = next(one for one in widget.map.choices if map_of(one).key == MASS)
    widget.map.value = mass
    assert viewer.layers.selection.active is mass
    assert faint_layer(viewer, mass) is not None
    assert widget.form.faint.value
    found = [clusters_of(layer) for layer in viewer.layers]
    assert [one.statmap.key for one in found if one is not None] == ["z", MASS]
    widget.close()


@pytest.mark.slow
def test_the_form_says_what_the_layers_show(
    plugin: Any, viewer: Any, sample: ResultSet
) -> None:
    add_maps(viewer, [sample["z"]])
    widget = ThresholdWidget(viewer)
    layer, faint = widget.map.value, widget.form.faint
    assert not faint.value
    # As undo, a workspace or a script do.
    show_clusters(viewer, layer, widget.clusters, faint=True)
    assert faint.value
    shown = faint_layer(viewer, layer)
    shown.visible = False
    assert not faint.value
    shown.visible = True
    layer.visible = False
    assert faint.value
    layer.visible = True
    assert faint.value
    viewer.layers.remove(shown)
    assert not faint.value
    widget.close()
