"""What the threshold line gives by itself: usual numbers, the last choice, no work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from qtpy.QtCore import QPoint
from qtpy.QtGui import QFontMetrics
from qtpy.QtTest import QTest

from helpers.threshold_form import let_go, settle, shown, type_number
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.shown_maps import show_alone
from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget
from napari_neurosynth_results.widgets.workbench import ClustersPanel

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


@pytest.fixture
def widget(plugin: Any, viewer: Any, sample: ResultSet) -> Iterator[ThresholdWidget]:
    """Return the form on z, which is shown alone."""
    show_alone(viewer, sample["z"])
    made = ThresholdWidget(viewer)
    yield made
    made.close()


def test_the_slider_holds_on_to_the_usual_numbers(widget: ThresholdWidget) -> None:
    form = widget.form
    for stop in (0.05, 0.01, 0.005, 0.001):
        at = round(form._scale.position_of(stop) * 1000)
        for beside in (at - 5, at + 5):
            form.slider.value = beside
            assert shown(widget).asked.p == stop
        form.slider.value = at + 30
        assert shown(widget).asked.p < stop
    # A tick stands for each of them; values have none.
    assert len(form.ticks._places) == 4
    form.by.value = "value"
    assert form.ticks._places == []


def test_in_a_high_dock_the_room_is_left_below_all_lines(
    widget: ThresholdWidget,
) -> None:
    widget.native.resize(400, 700)
    widget.native.show()
    # What Qt lays out when the window has its turn.
    QTest.qWait(100)
    sentence, line = widget.sentence.native, widget.form.slider.native
    below = sentence.mapTo(widget.native, QPoint(0, sentence.height())).y()
    above = line.mapTo(widget.native, QPoint(0, 0)).y()
    assert 0 < above < below < 200


def test_a_small_p_is_seen_from_its_first_digit(widget: ThresholdWidget) -> None:
    box = widget.form.number.native
    font = box.font()
    # What napari's style has on most systems: 9 points.
    font.setPixelSize(12)
    needed = QFontMetrics(font).horizontalAdvance("8.88e-88")
    assert box.maximumWidth() >= needed + 8


def test_the_confidence_of_true_discoveries_is_a_choice(
    widget: ThresholdWidget,
) -> None:
    form = widget.form
    assert form.alpha.value == ".05"
    assert shown(widget).asked.tdp_alpha == 0.05
    before = shown(widget).true_discoveries
    form.alpha.value = ".2"
    form.alpha.native.editingFinished.emit()
    assert shown(widget).asked.tdp_alpha == 0.2
    assert (shown(widget).true_discoveries >= before).all()
    form.dependence.value = "any"
    assert shown(widget).asked.tdp_dependence == "any"
    # A threshold that is chosen from a list keeps it.
    form.preset.value = form._choices.presets[0]
    assert shown(widget).asked.tdp_alpha == 0.2
    form.alpha.value = "2"
    form.alpha.native.editingFinished.emit()
    shown(widget)
    assert "between 0 and 1" in widget.sentence.value


@pytest.mark.slow
def test_what_an_earlier_map_left_is_said_with_a_way_back(
    widget: ThresholdWidget, viewer: Any, sample: ResultSet
) -> None:
    def seen() -> bool:
        return not widget.last.native.isHidden()

    assert not seen()
    type_number(widget, "1e-4")
    widget.form.voxels.value = 10
    settle(widget)
    assert not seen(), "who has just chosen it knows"
    show_alone(viewer, sample["stat"])
    settle(widget)
    assert seen()
    assert widget.remembered.value == "p <= .0001, k >= 10: your last choice."
    assert shown(widget).asked.min_voxels == 10
    widget.own.native.click()
    settle(widget)
    asked = shown(widget).asked
    assert (asked.p, asked.min_voxels) == (0.001, 1)
    assert not seen()
    # Of the first map nothing is said: it has what was asked of it.
    show_alone(viewer, sample["z"])
    settle(widget)
    assert shown(widget).asked.p == 1e-4
    assert not seen()


@pytest.mark.slow
def test_nothing_moves_when_the_last_choice_is_not_told_any_more(
    plugin: Any, viewer: Any, sample: ResultSet
) -> None:
    show_alone(viewer, sample["z"])
    panel = ClustersPanel(viewer)
    panel.resize(420, 500)
    panel.show()
    threshold = panel.threshold

    def tops() -> list[int]:
        settle(threshold)
        QTest.qWait(50)
        below = (panel.table.filter.native, panel.table.view, panel.table.drawer)
        return [one.mapTo(panel, QPoint(0, 0)).y() for one in below]

    never_told = tops()
    type_number(threshold, "1e-4")
    assert tops() == never_told, "no room is kept for what was never told"
    show_alone(viewer, sample["stat"])
    told = tops()
    assert threshold.last.native.isVisible()
    threshold.own.native.click()
    assert tops() == told
    assert not threshold.last.native.isVisible()
    show_alone(viewer, sample["z"])
    assert tops() == told
    panel.close()


@pytest.mark.slow
def test_choosing_a_map_again_finds_nothing_anew(
    widget: ThresholdWidget, viewer: Any, sample: ResultSet
) -> None:
    before = shown(widget)
    show_alone(viewer, sample[MASS])
    other = shown(widget)
    assert other is not before
    show_alone(viewer, sample["z"])
    assert shown(widget) is before
    assert widget.sentence.value == str(before)


# --- where things stand ---------------------------------------------------------------


def left_of(field: Any, root: Any) -> int:
    return int(field.native.mapTo(root, QPoint(0, 0)).x())


def test_all_fields_begin_in_one_column_whatever_the_style(
    widget: ThresholdWidget,
) -> None:
    form, root = widget.form, widget.native
    root.resize(420, 700)
    form.more.native.click()
    for style in ("QLabel { padding: 0 9px }", "QLabel { font-size: 20px }"):
        root.setStyleSheet(style)
        root.show()
        let_go()
        below = (form.preset, form.tail, form.mm3, form.connectivity, form.alpha)
        rest = (form.dependence, widget.where.place, widget.back)
        lefts = [left_of(field, root) for field in (*below, *rest)]
        assert len(set(lefts)) == 1, lefts
    # The unit stands beside its number.
    unit = form.volume[-1]
    gap = left_of(unit, root) - left_of(form.mm3, root) - form.mm3.native.width()
    assert 0 <= gap < 20


def test_nothing_of_the_threshold_touches_the_table_below(
    plugin: Any, viewer: Any, sample: ResultSet
) -> None:
    show_alone(viewer, sample["z"])
    panel = ClustersPanel(viewer)
    panel.resize(420, 900)
    panel.show()
    panel.threshold.last.visible = True
    for _ in ("folded", "unfolded"):
        let_go()
        table = panel.table.filter.native.mapTo(panel, QPoint(0, 0)).y()
        for button in (panel.threshold.own, panel.threshold.back):
            if button.native.isVisible():
                above = button.native.mapTo(panel, QPoint(0, 0)).y()
                assert above + button.native.height() + 4 <= table
        panel.threshold.form.more.native.click()
        panel.threshold.last.visible = False
    panel.close()
