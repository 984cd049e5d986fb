"""The image of a brain that a user opens beside results: it lies below, no more."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox

from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer import shown_maps
from napari_neurosynth_results.viewer.layers import UNDERLAY_KEY, underlay_layer
from napari_neurosynth_results.widgets.workbench import Workbench, open_workbench

pytestmark = pytest.mark.viewer
DEADLINE = 20.0


@pytest.fixture
def panel(window: Any, sample: ResultSet) -> Workbench:
    """Return the panel in a window with the template and a map of the sample."""
    from napari.layers import Layer

    window.add_layer(Layer.create(*underlay_layer()))
    shown_maps.show_alone(window, sample["z"])
    return open_workbench(window)


@pytest.fixture
def anatomy(panel: Workbench, window: Any, tmp_path: Path) -> Any:
    """Return the layer of an image whose path was typed into the panel."""
    path = tmp_path / "sub-01_T1w.nii.gz"
    nibabel.Nifti1Image(np.ones((9, 11, 9), np.float32), np.eye(4)).to_filename(path)
    panel.header.ask_for_source()
    QTest.keyClicks(panel.header.source, str(path))
    QTest.keyClick(panel.header.source, Qt.Key.Key_Return)
    end = time.monotonic() + DEADLINE
    while "sub-01_T1w" not in window.layers or panel.opener.background_job.busy:
        assert time.monotonic() < end, "it was not opened"
        QApplication.processEvents()
    QTest.qWait(50)
    return window.layers["sub-01_T1w"]


def choose(combo: QComboBox, text: str) -> None:
    """Choose by keys: an arrow that moves it, until it has what is wanted."""
    combo.setFocus()
    below = combo.findText(text) > combo.currentIndex()
    QTest.keyClick(combo, Qt.Key.Key_Down if below else Qt.Key.Key_Up)


def test_the_head_stays_with_the_map_above_an_anatomy(
    panel: Workbench, anatomy: Any
) -> None:
    head = panel.header
    assert (head.results.currentText(), head.map.currentText()) == (
        "pain-ale",
        "uncorrected · z",
    )
    # Who goes to the image itself is told nothing that is true of another result.
    choose(head.results, "sub-01_T1w")
    assert head.results.currentText() == "sub-01_T1w"
    assert "clusters" not in head.sentence.text()
    # And comes back.
    choose(head.results, "pain-ale")
    assert head.results.currentText() == "pain-ale"
    assert head.map.currentText() == "uncorrected · z"
    assert "clusters" in head.sentence.text()


def test_the_template_comes_back_when_the_own_anatomy_is_removed(
    panel: Workbench, anatomy: Any, window: Any
) -> None:
    (template,) = [
        one
        for one in window.layers
        if UNDERLAY_KEY in one.metadata and one is not anatomy
    ]
    assert (anatomy.visible, template.visible) == (True, False)
    window.layers.selection.active = anatomy
    window.layers.remove_selected()
    assert template.visible


def test_foci_that_have_to_be_chosen_are_brought_in_sight(
    panel: Workbench, window: Any, tmp_path: Path, notifications: list[Any]
) -> None:
    shutil.copy(Path(sample_folder()) / "z.nii.gz", tmp_path)
    results = open_results(str(tmp_path))
    shown_maps.show_alone(window, results["z"])
    views = panel.show_tab("Views")
    assert views.foci.native.visibleRegion().isEmpty()
    notifications.clear()
    QTest.mouseClick(views.views.buttons["Foci"], Qt.MouseButton.LeftButton)
    QTest.qWait(100)
    # Said where it was asked, and not in red over the canvas.
    assert f"The studies of {results.title} are not known" in views.said.text()
    assert views.said.text().endswith("Choose their file instead.")
    assert notifications == []
    assert not views.foci.native.visibleRegion().isEmpty()


def test_what_is_exported_is_called_as_the_head_calls_it(panel: Workbench) -> None:
    export = panel.show_tab("Export")
    assert export.about.value == f"Clusters of {panel.header.map.currentText()}"
