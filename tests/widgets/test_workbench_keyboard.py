"""The panel without a mouse: Tab goes down it, and the tutorial is done by keys."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QDialog,
    QFileDialog,
    QLabel,
    QMenu,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSplitter,
    QTabBar,
    QWidget,
)

from helpers.keys import (
    ALT,
    CONTROL,
    KEYS,
    NONE,
    SHIFT,
    activate,
    choose_in_menus,
    focused,
    press,
    tab_to,
    wait_until,
    write,
)
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.common.layout import (
    FocusMark,
    controls_in,
    in_reading_order,
    spoken_name,
)
from napari_neurosynth_results.widgets.ortho.widget import ortho_of
from napari_neurosynth_results.widgets.workbench import TABS, Workbench, workbench_of

pytestmark = [pytest.mark.viewer, pytest.mark.slow]


def on_screen(widget: QWidget) -> QRect:
    return QRect(widget.mapToGlobal(QPoint()), widget.size())


def is_dialog(window: QWidget) -> bool:
    return isinstance(window, QDialog) and window.isVisible()


def walk(panel: Workbench, key: Qt.Key, modifier: Any = NONE) -> list[QWidget]:
    """Press Tab from where the keyboard is until it leaves the panel."""
    seen: list[QWidget] = []
    while focused() is not None and panel.isAncestorOf(focused()):
        assert focused() not in seen, "the keyboard is trapped"
        seen.append(focused())
        press(key, modifier, 1)
    return seen


def place_in(panel: Workbench, control: QWidget) -> QRect:
    """Return where a control stands, however far its tab is scrolled."""
    root: Any = panel
    for area in panel.findChildren(QScrollArea):
        if area.parentWidget().parentWidget() is panel.tabs and area.isAncestorOf(
            control
        ):
            root = area.widget()
    corner = control.mapTo(root, QPoint(0, 0))
    if root is not panel:
        corner += QPoint(0, 10_000)
    return QRect(corner, control.size())


def test_every_control_has_a_name_for_those_who_cannot_see_it(
    panel: Workbench,
) -> None:
    for tab in TABS:
        panel.show_tab(tab)
    # All kinds of controls, in all tabs and drawers, folded away or not.
    panel.panel("Clusters").table.drawer.click()
    panel.panel("Views").unfold_foci()
    controls = controls_in(panel)
    assert len(controls) > 100
    nameless = [one for one in controls if not spoken_name(one).strip("◀▶ ?")]
    # What only scrolls takes the keyboard too.
    stops = in_reading_order(panel)
    nameless += [one for one in stops if not spoken_name(one) and one not in controls]
    # A button that is hidden gets its text when there is something to ask.
    nameless = [
        one for one in nameless if not (isinstance(one, QPushButton) and one.isHidden())
    ]
    assert [(type(one).__name__, one.toolTip()) for one in nameless] == []
    # A sentence that explains is read after the name, not in its place.
    explained = [
        one.toolTip()
        for one in controls
        if one.accessibleName() and one.accessibleName() in one.toolTip().split("\n")
    ]
    assert explained == []


def test_labels_are_buddies_of_what_they_stand_before(panel: Workbench) -> None:
    form = panel.panel("Clusters").threshold.form
    for field in (form.preset, form.tail, form.connectivity, form.dof, form.fdr):
        buddies = [
            label.text()
            for label in panel.findChildren(QLabel)
            if label.buddy() is field.native
        ]
        assert buddies == [field.label]
        assert field.native.accessibleName() == field.label


@pytest.mark.parametrize("tab", TABS)
def test_tab_goes_down_the_panel_as_the_eye_does(window: Any, tab: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    held = panel.show_tab(tab)
    if tab == "Clusters":
        held.threshold.form.more.native.click()
        held.table.drawer.click()
    QTest.qWait(200)
    panel.header.results.setFocus(Qt.FocusReason.TabFocusReason)
    seen = walk(panel, KEYS.Key_Tab)
    there = [
        one
        for one in controls_in(panel)
        if one.isVisible()
        and one.isEnabled()
        and one.focusPolicy() != Qt.FocusPolicy.NoFocus
        # Arrow keys go from one to the other.
        and not (isinstance(one, QRadioButton) and not one.isChecked())
    ]
    assert [spoken_name(one) for one in there if one not in seen] == []
    assert sum(isinstance(one, QTabBar) for one in seen) >= 1
    for before, after in pairwise(seen):
        a, b = place_in(panel, before), place_in(panel, after)
        beside = b.left() >= a.right() - 2 and b.top() < a.bottom()
        assert beside or b.top() >= a.bottom() - 2, (
            spoken_name(before),
            spoken_name(after),
        )
    # And back again.
    seen[-1].setFocus(Qt.FocusReason.BacktabFocusReason)
    assert walk(panel, KEYS.Key_Backtab, SHIFT) == seen[::-1]


def test_what_has_the_keyboard_is_seen(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    parts = [one.count() for one in panel.findChildren(QSplitter)]
    assert parts
    for tab in ("Clusters", "Export"):
        panel.show_tab(tab)
        QTest.qWait(50)
        for control in in_reading_order(panel):
            if not (control.isVisible() and control.isEnabled()):
                continue
            panel.focus_mark.hide()
            place = QRect(control.mapTo(panel, QPoint()), control.size())
            plain = panel.grab(place).toImage()
            control.clearFocus()
            control.setFocus(Qt.FocusReason.TabFocusReason)
            assert panel.focus_mark.marked is not None, spoken_name(control)
            marked = panel.focus_mark
            assert on_screen(marked) == on_screen(marked.marked)
            assert panel.grab(place).toImage() != plain
            # No splitter makes room for it, as it does for each of its parts.
            assert [one.count() for one in panel.findChildren(QSplitter)] == parts
            assert len(panel.findChildren(FocusMark)) == 1
    # Who uses a mouse sees where it is.
    QTest.mouseClick(panel.header.place.text, Qt.MouseButton.LeftButton)
    panel.header.map.setFocus()
    assert focused() is panel.header.map


def test_keys_lead_from_the_canvas_to_the_panel_and_back(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    choose_in_menus(window, "Layers", "Measure", "Export")
    assert spoken_name(focused()) == "Save table..."
    press(KEYS.Key_F6)
    canvas = focused()
    assert not panel.isAncestorOf(canvas)
    press(KEYS.Key_F6)
    assert spoken_name(focused()) == "Save table..."
    press(KEYS.Key_Escape)
    assert focused() is canvas
    press(KEYS.Key_F6)
    tab_to(QTabBar, back=True)
    for expected in ("Clusters", "Maps", "Compare", "Views", "Export"):
        press(KEYS.Key_Tab, CONTROL, 50)
        assert panel.current_tab() == expected
        assert panel.isAncestorOf(focused())
    # A line that filters is emptied first, and what is typed as a place forgotten.
    panel.show_tab("Clusters")
    panel.focus_tab()
    tab_to("Filter clusters")
    QTest.keyClicks(focused(), "insula")
    press(KEYS.Key_Escape)
    assert focused().text() == ""
    # The titles of columns are no place for the keyboard: the table sorts itself.
    table = panel.panel("Clusters").table
    tab_to("Clusters")
    press(KEYS.Key_Right, ALT)
    press(KEYS.Key_Down, ALT)
    names = [table.model.index(row, 1).data() for row in range(6)]
    assert names == sorted(names, reverse=True)
    tab_to("Place of the slices: x, y, z in MNI mm", back=True)
    before = focused().text()
    QTest.keyClicks(focused(), "1, 2")
    press(KEYS.Key_Escape)
    assert focused().text() == before
    press(KEYS.Key_Escape)
    assert focused() is canvas


def test_a_notification_that_fades_leaves_the_keyboard_where_it_is(
    window: Any,
) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    panel.show_tab("Clusters")
    panel.focus_tab()
    tab_to("Filter clusters")
    here = focused()
    # What `NapariQtNotification.close` does, of napari 0.9.
    window.window._qt_window._qt_viewer.setFocus()
    assert focused() is here
    # Another map, whose extent can be chosen or not, does not take it either.
    panel.header.map.setFocus()
    for _ in range(panel.header.map.count()):
        press(KEYS.Key_Down, wait=50)
        assert focused() is panel.header.map


def test_the_tutorial_is_done_without_a_mouse(
    window: Any, sample_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = {
        "Save the table of clusters": tmp_path / "table.md",
        "Save the figure": tmp_path / "figure.png",
        "Save a report": tmp_path / "report.html",
    }
    # The dialog for files is Qt's own.
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda of, title, *more: (str(saved[title]), "")
    )
    # 2. Open.
    choose_in_menus(window, "File", "IO Utilities", "Open NeuroVault / Compose")
    write(str(sample_path))
    panel = workbench_of(window)
    assert panel is not None
    clusters = panel.panel("Clusters")
    wait_until(lambda: clusters.table.model.rowCount() == 6)
    assert "6 of 13 clusters significant" in panel.header.sentence.text()
    # 3. Read the clusters.
    if not panel.isAncestorOf(focused()):
        press(KEYS.Key_F6)
    wait_until(panel.header.place.text.text)
    before = panel.header.place.text.text()
    tab_to("Clusters")
    assert panel.header.place.text.text() == before, "passing by chooses no cluster"
    for place in ("38, 4, 2", "54, -28, 20"):
        press(KEYS.Key_Down, wait=100)
        assert panel.header.place.text.text() == place
    tab_to("Regions, active parts, studies, studies x clusters")
    press(KEYS.Key_Space)
    details = clusters.table.details
    assert details.isVisible()
    tab_to("About the clusters", back=True)
    press(KEYS.Key_Right, wait=100)
    told = "The largest parts of Supramarginal R of which at least 70 % is active"
    assert details.parts.sentence.text().startswith(told)
    press(KEYS.Key_Right, wait=100)
    assert details.studies.sentence.text().startswith("Supramarginal R: 7 of 21")
    press(KEYS.Key_Right, wait=100)
    tab_to(type(details.heat))
    press(KEYS.Key_Right)
    press(KEYS.Key_Return, wait=100)
    assert details.currentWidget() is details.studies
    # 4. Another threshold.
    tab_to("Map", back=True)
    for _ in range(panel.header.map.count()):
        if panel.header.map.currentText() == "uncorrected · z":
            break
        press(KEYS.Key_Down, wait=50)
    tab_to("Threshold at")
    write(".001")
    tab_to("Extent k: smallest cluster in voxels")
    write("10")
    wait_until(lambda: "extent >= 10 voxels" in panel.header.sentence.text())
    assert "15 clusters" in panel.header.sentence.text()
    tab_to("more")
    press(KEYS.Key_Space)
    tab_to("Only where")
    # The tab Maps: Enter shows a map alone, the space bar turns its eye.
    press(KEYS.Key_Tab, CONTROL, 50)
    tab_to("Maps of the result")
    maps = panel.panel("Maps").view
    press(KEYS.Key_Down)
    press(KEYS.Key_Down)
    [chosen] = maps.chosen()
    press(KEYS.Key_Space, wait=50)
    wait_until(lambda: maps.is_shown(chosen))
    press(KEYS.Key_Space, wait=50)
    wait_until(lambda: not maps.is_shown(chosen))
    press(KEYS.Key_Return, wait=50)
    wait_until(lambda: panel.header.map.currentText() == chosen.short_title)
    # 5. to 7. Save the table, the figure, a script and a report.
    choose_in_menus(window, "Layers", "Measure", "Export")
    press(KEYS.Key_Space)
    wait_until(saved["Save the table of clusters"].exists)
    assert "Insula" in saved["Save the table of clusters"].read_text(encoding="utf-8")
    tab_to("Save figure...")
    press(KEYS.Key_Space)
    assert isinstance(QApplication.activePopupWidget(), QMenu)
    press(KEYS.Key_Down)
    press(KEYS.Key_Return)
    wait_until(saved["Save the figure"].exists)
    activate(window)
    tab_to("Copy as Python")
    press(KEYS.Key_Space)
    assert "nnr.find_clusters" in QApplication.clipboard().text()
    tab_to("Report...", back=True)
    press(KEYS.Key_Space)
    wait_until(saved["Save a report"].exists, 120)
    assert isinstance(focused(), QPushButton)


def test_arrow_keys_go_on_where_a_map_was_shown(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    maps = panel.show_tab("Maps").view
    panel.focus_tab()
    tab_to("Maps of the result")
    # Past each heading: there is nothing to do on it.
    names = []
    for _ in list(maps.maps):
        press(KEYS.Key_Down, wait=1)
        names += maps.chosen()
    assert names == maps.maps
    press(KEYS.Key_Home)
    press(KEYS.Key_Up)
    assert maps.chosen() == maps.maps[:1]
    press(KEYS.Key_Down)
    press(KEYS.Key_Return, wait=50)
    shown = maps.maps[1]
    wait_until(lambda: panel.header.map.currentText() == shown.short_title)
    assert maps.map_at(maps.currentIndex()) is shown
    press(KEYS.Key_Space, wait=50)
    wait_until(lambda: not maps.is_shown(shown))
    press(KEYS.Key_Down)
    assert maps.chosen() == maps.maps[2:3]


def test_f2_renames_the_cluster_of_the_row_and_keys_go_on_from_there(
    window: Any,
) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    table = panel.panel("Clusters").table
    table.view.setFocus()
    names = [table.model.index(n, 1).data() for n in range(3)]
    for key, end in ((KEYS.Key_Return, "Operculum"), (KEYS.Key_Escape, None)):
        press(KEYS.Key_Down)
        row = table.view.currentIndex().row()
        press(KEYS.Key_F2, wait=50)
        editor = focused()
        middle = editor.mapToGlobal(editor.rect().center())
        assert QApplication.widgetAt(middle) is editor, "it is seen"
        QTest.keyClick(editor, KEYS.Key_A, CONTROL)
        QTest.keyClicks(editor, end or "nobody")
        press(key)
        assert focused() is table.view
        assert table.view.currentIndex().row() == row
        names[row] = end or names[row]
        assert [table.model.index(n, 1).data() for n in range(3)] == names
    # Sub-peaks have no names of their own.
    press(KEYS.Key_Up)
    press(KEYS.Key_Up)
    press(KEYS.Key_Right)
    press(KEYS.Key_Down)
    assert table.view.currentIndex().parent().isValid()
    press(KEYS.Key_F2)
    assert focused() is table.view


def test_keys_lead_back_to_where_they_were_in_sight(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    panel.show_tab("Compare")
    QTest.qWait(50)
    panel.focus_tab()
    first = focused()
    tab_to("Thresholds")
    here = focused()
    for away in (KEYS.Key_F6, KEYS.Key_Escape):
        press(away)
        assert not panel.isAncestorOf(focused())
        press(KEYS.Key_F6)
        assert focused() is here
    # What is scrolled away comes into sight, whichever key led there.
    area = panel.tabs.currentWidget()
    area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())
    assert first.visibleRegion().isEmpty()
    panel.focus_tab()
    QTest.qWait(20)
    assert first.visibleRegion().boundingRect() == first.rect()


def test_a_line_that_is_closed_leaves_the_keyboard_in_the_panel(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    panel.show_tab("Export")
    panel.end_wait("Saved table.md")
    panel.focus_tab()
    tab_to("Close")
    press(KEYS.Key_Space)
    assert panel.wait_line.isHidden()
    assert spoken_name(focused()) == "Copy diagnostics"


def test_the_ortho_view_is_what_keys_lead_to(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    panel.show_tab("Views")
    QTest.qWait(50)
    panel.focus_tab()
    tab_to("Ortho")
    press(KEYS.Key_Space, wait=50)
    press(KEYS.Key_F6)
    assert spoken_name(focused()) == "Axial, coronal and sagittal slices"
    view = ortho_of(window)
    assert view is not None
    assert view.focus_mark.marked is view.canvas
    before = view.z.value()
    press(KEYS.Key_PageUp)
    assert view.z.value() > before
    press(KEYS.Key_F6)
    assert spoken_name(focused()) == "Ortho"
    # Below and back again, and away: each by the next key, without a search.
    press(KEYS.Key_F6)
    tab_to("Below")
    press(KEYS.Key_Return, wait=50)
    assert spoken_name(focused()) == "Center"
    press(KEYS.Key_Space, wait=50)
    assert spoken_name(focused()) == "Below"
    press(KEYS.Key_Tab)
    press(KEYS.Key_Space, wait=50)
    assert ortho_of(window) is None
    assert not panel.panel("Views").views.buttons["Ortho"].isChecked()
    canvas = focused()
    press(KEYS.Key_F6)
    press(KEYS.Key_F6)
    assert focused() is canvas


def test_the_form_of_a_map_shows_what_has_the_keyboard(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    panel.show_tab("Maps")
    panel.focus_tab()
    tab_to("Maps of the result")
    press(KEYS.Key_Down)
    tab_to("This map holds...")
    press(KEYS.Key_Space, wait=200)
    [form] = [one for one in QApplication.topLevelWidgets() if is_dialog(one)]
    form.activateWindow()
    assert QTest.qWaitForWindowActive(form, 5000)
    [mark] = form.findChildren(FocusMark)
    for _ in range(3):
        press(KEYS.Key_Tab)
        assert mark.marked is focused()
    press(KEYS.Key_Escape)
    activate(window)


def test_what_goes_by_a_key_leaves_the_keyboard_near(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    form = panel.panel("Clusters").threshold.form
    panel.focus_tab()
    tab_to("Threshold at")
    # All of it, as without a map: Qt then gives the keyboard to nobody.
    form.enabled = False
    assert isinstance(focused(), QTabBar)
    panel.show_tab("Views")
    for view in ("Ortho", "3D", "Coronal"):
        panel.focus_tab()
        tab_to(view)
        press(KEYS.Key_Space, wait=100)
        tab_to("As it was")
        press(KEYS.Key_Space, wait=100)
        assert spoken_name(focused()) == view
    # The slider is moved by keys; of a list more than its current row is in sight.
    tab_to("Foci of studies")
    press(KEYS.Key_Space, wait=100)
    tab_to("Show")
    press(KEYS.Key_Space, wait=100)
    tab_to("Slab, mm")
    slider = focused()
    press(KEYS.Key_Right, wait=50)
    assert focused() is slider, "not the number beside it"
    for control in ("Filter studies", "Studies"):
        tab_to(control)
        press(KEYS.Key_Down, wait=100)
        assert focused().visibleRegion().boundingRect() == focused().rect()


def test_the_number_of_the_slab_is_disabled_with_its_slider(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    foci = panel.show_tab("Views").foci
    panel.focus_tab()
    tab_to("Foci of studies")
    press(KEYS.Key_Return, wait=100)
    tab_to("Show")
    press(KEYS.Key_Return, wait=100)
    kinds = QAbstractSlider, QAbstractSpinBox
    # PySide6 looks for one kind at a time.
    parts = [part for kind in kinds for part in foci.slab.native.findChildren(kind)]
    assert len(parts) == 2
    tab_to("all")
    for is_cut in (False, True):
        press(KEYS.Key_Space, wait=50)
        assert [part.isEnabled() for part in parts] == [is_cut, is_cut]
        assert foci.slab.enabled == is_cut
        press(KEYS.Key_Backtab, SHIFT)
        # Back over what is disabled, or to the number.
        assert parts[1].isAncestorOf(focused()) == is_cut or focused() is parts[1]
        tab_to("all")


def test_the_canvas_has_a_name(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    panel.focus_tab()
    press(KEYS.Key_F6)
    assert not panel.isAncestorOf(focused())
    assert spoken_name(focused()) == "Canvas"
