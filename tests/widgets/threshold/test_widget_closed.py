"""What is closed does nothing more, and is let go."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget

from helpers.threshold_form import let_go
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.clusters.cluster_layers import clusters_of
from napari_neurosynth_results.viewer.clusters.history import tried_on
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget
from napari_neurosynth_results.widgets.workbench import Workbench

# Each opens a form and thresholds a map.
pytestmark = pytest.mark.slow


def test_a_closed_widget_is_let_go_and_hears_nothing(
    plugin: Any, viewer: Any, sample: ResultSet
) -> None:
    add_maps(viewer, [sample["z"]])
    widget = ThresholdWidget(viewer)
    ref = weakref.ref(widget)
    widget.close()
    widget.native.deleteLater()
    del widget
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    let_go()
    gc.collect()
    assert ref() is None
    add_maps(viewer, [sample["logp"]])


@pytest.mark.parametrize("in_panel", [False, True])
def test_a_closed_form_finishes_nothing(
    plugin: Any, viewer: Any, sample: ResultSet, in_panel: bool
) -> None:
    add_maps(viewer, [sample["z"]])
    dock = QDockWidget()
    outer = Workbench(viewer) if in_panel else ThresholdWidget(viewer)
    inner = outer.panel("Clusters").threshold if in_panel else outer
    dock.setWidget(outer if in_panel else outer.native)
    before = inner.clusters
    assert before is not None
    inner.form.slider.value += 100
    timers, ref = (inner._applies, inner._settles), weakref.ref(inner)
    assert all(timer.isActive() for timer in timers)
    # As napari closes what is docked.
    dock.widget().setParent(None)
    assert not any(timer.isActive() for timer in timers)
    del outer, inner, timers
    # What frees memory at once, as removing layers does, takes it from nobody's hands.
    gc.collect()
    viewer.layers.append(viewer.layers.pop())
    assert ref() is not None
    let_go()
    assert ref() is None
    (layer,) = [one for one in viewer.layers if clusters_of(one) is not None]
    assert clusters_of(layer).threshold == before.threshold


@pytest.mark.parametrize("in_panel", [False, True])
def test_a_form_that_qt_only_hides_remembers_nothing_afterwards(
    plugin: Any, viewer: Any, sample: ResultSet, in_panel: bool
) -> None:
    add_maps(viewer, [sample["z"]])
    outer = Workbench(viewer) if in_panel else ThresholdWidget(viewer)
    form = outer.panel("Clusters").threshold if in_panel else outer
    form.form.slider.value += 100
    let_go()
    before = tried_on(form.map.value)
    assert form._settles.isActive()
    outer.close()
    QTest.qWait(form._settles.interval() + 50)
    assert tried_on(form.map.value) == before
    # It can be shown again, and then goes on.
    (outer if in_panel else outer.native).show()
    form.form.slider.value += 1
    QTest.qWait(form._settles.interval() + 50)
    assert len(tried_on(form.map.value).requests) == len(before.requests) + 1
    outer.close()
