"""The active parts of clusters: listed, outlined, and kept up with thresholds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget

from napari_neurosynth_results import ActiveParts, active_parts, find_clusters
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.active_parts import (
    find_active_parts,
)
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer.canvas import CAPTION, dress
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    show_clusters,
    shown_parts,
)
from napari_neurosynth_results.viewer.clusters.outlines import (
    outlines_in,
    outlines_of,
)
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.clusters.evidence_panels import PartsPanel
from napari_neurosynth_results.widgets.clusters.widget import ClusterWidget

HERE = "napari_neurosynth_results.widgets.clusters.evidence_panels"


@pytest.fixture
def widget(plugin: Any, viewer: Any, sample: ResultSet) -> Iterator[ClusterWidget]:
    """Return the table of the clusters of z, its drawer open at the active parts."""
    add_maps(viewer, [sample["z"]])
    dress(viewer)
    threshold(viewer, sample, p=0.001)
    made = ClusterWidget(viewer)
    made.drawer.click()
    made.details.setCurrentWidget(made.details.parts)
    yield made
    made.close()


def caption(viewer: Any) -> str:
    """Return what stands on the canvas, in one line."""
    return " ".join(viewer.canvas.overlays[CAPTION].text.split())


def threshold(viewer: Any, sample: ResultSet, **asked: Any) -> None:
    layer = viewer.layers[sample["z"].short_title]
    clusters = find_clusters(sample["z"], min_voxels=60, **asked)
    show_clusters(viewer, layer, clusters)


def wait_until(happened: Callable[[], bool]) -> None:
    """Let Qt work until something has happened."""
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        QApplication.processEvents()
        time.sleep(0.005)


def begin_when_told(clusters: ClusterSet, share: float, job: Job) -> ActiveParts:
    """Wait to be cancelled before the search; else search."""
    job.wait(20)
    return find_active_parts(clusters, share, job)


def sizes(panel: PartsPanel) -> list[str]:
    rows = panel.view.rows
    return [rows.index(row, 1).data() for row in range(rows.rowCount())]


def outlined(viewer: Any, sample: ResultSet) -> Any:
    """Return the volume of parts that is drawn, as (i, j, k); None for none."""
    found = cluster_layer(viewer, sample["z"])
    assert found is not None
    drawn = outlines_in(outlines_of(viewer, found))  # type: ignore[arg-type]
    assert drawn is not None
    return None if drawn.inner is None else drawn.inner.T


def test_parts_are_listed_of_all_clusters_and_of_the_chosen_one(
    widget: ClusterWidget, viewer: Any
) -> None:
    panel = widget.details.parts
    assert sizes(panel) == ["367", "64", "62", "30"]
    assert "at least 70 % is active, with 95 % confidence" in panel.sentence.text()
    panel.view.setCurrentIndex(panel.view.rows.index(1, 0))
    assert viewer.dims.point[-3:] == (20, -28, 54)
    widget.view.setCurrentIndex(widget.model.index(0, 0))
    assert sizes(panel) == ["367"]
    assert panel.view.isColumnHidden(0)
    assert panel.sentence.text().startswith("The largest parts of Insula R")
    widget.view.setCurrentIndex(widget.model.index(5, 0))
    assert sizes(panel) == []
    assert panel.sentence.text().startswith("In Supramarginal L no part is found")


def test_lines_come_and_go_with_one_click(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    panel = widget.details.parts
    before = len(viewer.layers)
    assert outlined(viewer, sample) is None
    panel.outline.click()
    expected = active_parts(find_clusters(sample["z"], p=0.001, min_voxels=60), 0.7)
    assert np.array_equal(outlined(viewer, sample), expected.labels)
    assert "black lines: at least 70 % active" in caption(viewer)
    viewer.dims.ndisplay = 3
    assert "black lines" not in caption(viewer), "there are none in 3D"
    viewer.dims.ndisplay = 2
    assert "black lines: at least 70 % active" in caption(viewer)
    panel.share.setValue(90)
    assert sizes(panel) == ["262", "34", "18", "5"]
    assert np.bincount(outlined(viewer, sample).ravel())[1:].tolist() == [
        262,
        34,
        18,
        5,
    ]
    assert "at least 90 % active" in caption(viewer)
    panel.outline.click()
    assert outlined(viewer, sample) is None
    assert "black lines" not in caption(viewer)
    assert len(viewer.layers) == before


def test_lines_follow_the_threshold(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    panel = widget.details.parts
    panel.share.setValue(30)
    panel.outline.click()
    at_001 = outlined(viewer, sample)
    # The cluster of the insula is a part as a whole, and reaches farther at .01.
    threshold(viewer, sample, p=0.01)
    wait_until(lambda: sizes(panel)[:1] == ["862"])
    expected = active_parts(find_clusters(sample["z"], p=0.01, min_voxels=60), 0.3)
    assert np.array_equal(outlined(viewer, sample), expected.labels)
    assert not np.array_equal(outlined(viewer, sample), at_001)
    threshold(viewer, sample, p=0.001)
    assert np.array_equal(outlined(viewer, sample), at_001)


def test_lines_outlive_the_panel_and_are_found_again(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    widget.details.parts.share.setValue(50)
    widget.details.parts.outline.click()
    widget.close()
    threshold(viewer, sample, p=0.01)
    assert np.bincount(outlined(viewer, sample).ravel())[1:].tolist() == [
        *(514, 110, 90, 46)
    ]
    again = ClusterWidget(viewer)
    again.drawer.click()
    again.details.setCurrentWidget(again.details.parts)
    assert again.details.parts.share.value() == 50
    assert again.details.parts.outline.isChecked()
    again.close()


def test_large_clusters_are_looked_through_on_another_thread(
    widget: ClusterWidget,
    viewer: Any,
    sample: ResultSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panel = widget.details.parts
    for module in (HERE, "napari_neurosynth_results.viewer.clusters.cluster_layers"):
        monkeypatch.setattr(f"{module}.MOST_AT_ONCE", 100)
    panel.outline.click()
    panel.share.setValue(50)
    assert panel.background_job.busy
    # What is wanted changes meanwhile.
    panel.share.setValue(90)
    wait_until(lambda: sizes(panel) == ["262", "34", "18", "5"])
    wait_until(lambda: not panel.background_job.busy)
    assert np.bincount(outlined(viewer, sample).ravel())[1:].tolist() == [
        262,
        34,
        18,
        5,
    ]
    with monkeypatch.context() as patch:
        # It is quick: nobody would get to the button.
        patch.setattr(f"{HERE}.find_active_parts", begin_when_told)
        panel.share.setValue(30)
        panel.background_job.cancel_button.click()
        wait_until(lambda: not panel.background_job.busy)
    assert "Stopped" in panel.sentence.text()
    panel.share.setValue(70)
    threshold(viewer, sample, p=0.01)
    wait_until(lambda: sizes(panel) == ["367", "64", "62", "30"])
    found = cluster_layer(viewer, sample["z"])
    assert found is not None
    parts = shown_parts(found)
    assert parts is not None
    assert parts.clusters is not None
    assert str(parts.clusters.threshold) == "z >= 2.33 (p <= .01, one-tailed)"


def test_lines_of_earlier_clusters_go_where_no_others_are_known(
    widget: ClusterWidget,
    viewer: Any,
    sample: ResultSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    widget.details.parts.outline.click()
    at_001 = outlined(viewer, sample)
    widget.close()
    module = "napari_neurosynth_results.viewer.clusters.cluster_layers"
    monkeypatch.setattr(f"{module}.MOST_AT_ONCE", 100)
    threshold(viewer, sample, p=0.01)
    assert outlined(viewer, sample) is None
    assert "black lines" not in caption(viewer)
    # The same share, of the clusters that are here now.
    monkeypatch.setattr(f"{module}.MOST_AT_ONCE", 100_000)
    threshold(viewer, sample, p=0.001)
    assert np.array_equal(outlined(viewer, sample), at_001)
    assert "black lines: at least 70 % active" in caption(viewer)


def test_why_there_are_no_parts_is_told(
    widget: ClusterWidget, viewer: Any, sample: ResultSet
) -> None:
    panel = widget.details.parts
    threshold(viewer, sample, value=30)
    wait_until(lambda: sizes(panel) == [])
    assert "no clusters" in panel.sentence.text()
    assert not panel.outline.isEnabled()
    assert not panel.save.isEnabled()


def test_parts_are_saved(
    widget: ClusterWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "parts.tsv")
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (path, "Table (*.tsv)")
    )
    widget.details.parts.save.click()
    saved = pd.read_csv(path, sep="\t", comment="#")
    assert saved.n_voxels.tolist() == [367, 64, 62, 30]


def test_lines_that_3d_cannot_show_are_said_to_be_of_planes(
    qapp: Any, viewer: Any
) -> None:
    around = QWidget()
    panel = PartsPanel(viewer, around)
    assert panel.outline.text() == "Outline"
    viewer.dims.ndisplay = 3
    assert panel.outline.text() == "Outline (in planes)"
    viewer.dims.ndisplay = 2
    assert panel.outline.text() == "Outline"
