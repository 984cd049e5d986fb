"""Where to look: what the map itself says is no place to count its tests in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication
from scipy.stats import norm

from napari_neurosynth_results import compare_maps, find_clusters, open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import refusals
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.compare.comparison_layers import show_agreement
from napari_neurosynth_results.viewer.layers import map_of, placement_keywords
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.shown_maps import show_alone
from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget

SHAPE = (8, 9, 8)


@pytest.fixture
def widget(plugin: Any, viewer: Any, sample: ResultSet) -> Iterator[ThresholdWidget]:
    """Return the form, with z and what lies beside it in the viewer, z active."""
    add_maps(viewer, [sample["logp"], sample["p"], sample["z"]])
    show_alone(viewer, sample["z"])
    made = ThresholdWidget(viewer)
    yield made
    made.close()


def significant(widget: ThresholdWidget) -> list[str]:
    """Return the maps that are offered as places to look."""
    return [text for text, what in widget.where._choices() if isinstance(what, StatMap)]


@pytest.mark.slow
def test_all_maps_of_the_open_results_are_places_to_look_and_read_on_use(
    plugin: Any,
    viewer: Any,
    sample: ResultSet,
    write: Callable[..., Path],
    rng: np.random.Generator,
) -> None:
    z = rng.normal(size=SHAPE)
    p = norm.sf(z)
    stems = {"z": z, "p": p, "z_desc-size_level-cluster_corr-FWE": z * 2, "dof": z}
    folder = write(stems, name="pain")
    results = open_results(folder)
    show_alone(viewer, results["z"])
    widget = ThresholdWidget(viewer)
    others = [one for key, one in results.maps.items() if key in stems and key != "z"]
    offered = [what for _, what in widget.where._choices() if isinstance(what, StatMap)]
    assert set(offered) == {one for one in others if one.kind.has_tail}
    assert len(offered) == 2
    # A file that is broken by now is noticed when it is used, and not before.
    size = results["z_desc-size_level-cluster_corr-FWE"]
    [path] = folder.glob("z_desc-size*")
    path.write_bytes(b"broken")
    widget.where.place.value = size
    QApplication.processEvents()
    assert widget.sentence.value.startswith("Not applied.")
    assert path.name in widget.sentence.value
    # Where p says so, from p itself, which has no layer still.
    widget.where.place.value = results["p"]
    widget.where.p.value = 0.3
    for _ in range(3):
        QApplication.processEvents()
    assert widget.clusters is not None
    masking = widget.clusters.threshold.masking
    assert masking is not None
    np.testing.assert_array_equal(masking.mask, results["p"].data <= np.float32(0.3))
    assert [map_of(one) for one in viewer.layers if map_of(one)] == [results["z"]]
    # Two results: each map says whose it is.
    show_alone(viewer, sample["z"])
    texts = significant(widget)
    assert len(set(texts)) == len(texts) > len(results.maps)
    assert all(
        text.startswith(("where pain: ", f"where {sample.title}: ")) for text in texts
    )
    widget.close()


def layer_of(viewer: Any, statmap: Any) -> Any:
    """Return the layer of a map."""
    return next(one for one in viewer.layers if map_of(one) is statmap)


def place(widget: ThresholdWidget, text: str) -> None:
    """Choose a place to look by what the list shows."""
    widget.where.place.value = dict(widget.where._choices())[text]
    for _ in range(3):
        QApplication.processEvents()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["clusters", "copy", "sibling", "painted", "agreement"])
def test_no_correction_is_offered_where_the_map_itself_says_where(
    widget: ThresholdWidget, viewer: Any, sample: ResultSet, how: str
) -> None:
    z = sample["z"]
    assert "q" in widget.form.offered
    found = find_clusters(z, p=0.01, min_voxels=20, atlas=None)
    if how == "sibling":
        place(widget, f"where {sample['p'].short_title} is significant")
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
