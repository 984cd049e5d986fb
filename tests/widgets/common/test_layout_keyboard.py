"""Pieces of widgets without a mouse: Enter, names of pages, docks of their own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QKeyEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QMainWindow,
    QMenu,
    QPushButton,
    QTableWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from helpers.keys import (
    ALT,
    CONTROL,
    KEYS,
    focused,
    press,
    tab_to,
    wait_until,
    write,
)
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.common.layout import (
    EnterPresses,
    FocusMark,
    spoken_name,
)
from napari_neurosynth_results.widgets.workbench import open_workbench, workbench_of

pytestmark = [pytest.mark.viewer, pytest.mark.slow]


@pytest.fixture
def form(qapp: Any) -> Iterator[QWidget]:
    """Show a widget in a window, to which keys go."""
    main, inside = QMainWindow(), QWidget()
    QVBoxLayout(inside)
    EnterPresses(inside)
    main.setCentralWidget(inside)
    main.show()
    main.activateWindow()
    assert QTest.qWaitForWindowActive(main, 5000)
    yield inside
    main.close()


@pytest.mark.parametrize("key", [KEYS.Key_Return, KEYS.Key_Enter])
def test_enter_presses_the_button_in_focus_once(form: QWidget, key: Any) -> None:
    pressed: list[str] = []
    for name, button in (("push", QPushButton(form)), ("tool", QToolButton(form))):
        form.layout().addWidget(button)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(lambda *_, name=name: pressed.append(name))
        button.show()
        button.setFocus()
        press(key)
        kinds = QEvent.Type
        held = QKeyEvent(kinds.KeyPress, key, Qt.KeyboardModifier.NoModifier, "", True)
        QApplication.sendEvent(button, held)
        press(key, CONTROL)
    assert pressed == ["push", "tool"]


def test_enter_means_in_other_controls_what_it_meant(form: QWidget) -> None:
    told: list[str] = []
    button, line, box = QPushButton(form), QLineEdit(form), QComboBox(form)
    check, table = QCheckBox(form), QTableWidget(1, 1, form)
    box.addItems(["one", "two"])
    for widget in (button, line, box, check, table):
        form.layout().addWidget(widget)
        widget.show()
    button.clicked.connect(lambda: told.append("button"))
    line.returnPressed.connect(lambda: told.append("line"))
    table.activated.connect(lambda: told.append("table"))
    box.activated.connect(lambda n: told.append(f"box {n}"))
    for widget in (line, check, table, box):
        widget.setFocus()
        press(KEYS.Key_Return)
    assert told[0] == "line"
    assert "button" not in told
    assert not check.isChecked()
    # A list that is unfolded, and a menu, take the key for what is chosen in them.
    box.showPopup()
    wait_until(QApplication.activePopupWidget)
    QTest.keyClick(box.view(), KEYS.Key_Down)
    QTest.keyClick(box.view(), KEYS.Key_Return)
    assert told[-1] == "box 1"
    menu = QMenu(button)
    menu.addAction("act", lambda: told.append("menu"))
    button.setFocus()
    menu.popup(button.mapToGlobal(button.rect().center()))
    press(KEYS.Key_Down)
    press(KEYS.Key_Return)
    assert told[-1] == "menu"
    assert "button" not in told


def close_menu(seen: list[QWidget]) -> None:
    """Close the menu that is open, and say that there was one."""
    if isinstance(menu := QApplication.activePopupWidget(), QMenu):
        seen.append(menu)
        menu.close()


def test_enter_presses_the_buttons_of_the_panel(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    table = panel.show_tab("Clusters").table
    panel.focus_tab()
    # Buttons with a menu wait for it.
    for name in ("Open...", "Help"):
        panel.header.results.setFocus(Qt.FocusReason.TabFocusReason)
        tab_to(name)
        QTimer.singleShot(100, partial(close_menu, menus := []))
        press(KEYS.Key_Return)
        assert len(menus) == 1
        assert spoken_name(focused()) == name
    panel.focus_tab()
    # A tool button, and push buttons of both makes.
    tab_to("Regions, active parts, studies, studies x clusters")
    press(KEYS.Key_Return, wait=100)
    assert table.details.isVisible()
    tab_to("About the clusters", back=True)
    press(KEYS.Key_Right, wait=50)
    press(KEYS.Key_Right, wait=50)
    press(KEYS.Key_Tab)
    notes = table.details.studies.notes
    tab_to(spoken_name(notes))
    press(KEYS.Key_Enter, wait=50)
    assert notes.isChecked()
    views = panel.show_tab("Views").views
    panel.focus_tab()
    tab_to("Coronal")
    press(KEYS.Key_Return, wait=100)
    assert views.shown()["Coronal"]
    assert spoken_name(focused()) == "Coronal"


def test_the_bar_of_pages_does_not_name_pages_that_cannot_be_reached(
    window: Any,
) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    numbers = panel.show_tab("Compare").numbers
    details = panel.panel("Clusters").table.details
    assert not numbers.isTabVisible(3)
    for tabs in (numbers, details):
        name = spoken_name(tabs.tabBar())
        assert name
        for index in range(tabs.count()):
            if not tabs.isTabVisible(index):
                assert tabs.tabText(index) not in name


# --- docks of their own ---------------------------------------------------------------


def in_a_dock(viewer: Any, name: str) -> tuple[QDockWidget, Any]:
    """Show a widget alone in the column of the panel, with the keyboard in it."""
    viewer.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(viewer)
    assert panel is not None
    panel.parentWidget().close()
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    # napari lays its docks out in rounds.
    QTest.qWait(300)
    widget.map.native.setFocus(Qt.FocusReason.TabFocusReason)
    return dock, widget


def test_a_threshold_in_a_dock_of_its_own_goes_by_keys(window: Any) -> None:
    dock, widget = in_a_dock(window, "Threshold")
    [mark] = widget.native.findChildren(FocusMark)
    tab_to("more")
    assert mark.marked is focused()
    press(KEYS.Key_Return, wait=100)
    tab_to("Threshold at", back=True)
    write(".01")
    wait_until(lambda: widget.back.enabled)
    # The last control of the dock: after it come the buttons in the dock's title, and
    # the space bar would close it.
    tab_to("◀ Earlier")
    press(KEYS.Key_Space, wait=100)
    assert widget.native.isAncestorOf(focused())
    tab_to("Later ▶")
    press(KEYS.Key_Space, wait=100)
    assert not widget.forward.enabled
    assert spoken_name(focused()) == "◀ Earlier"
    assert mark.marked is focused()
    assert dock.isVisible()


def test_what_is_pressed_stays_in_sight_when_more_unfolds_above_it(window: Any) -> None:
    _, widget = in_a_dock(window, "Clusters")
    tab_to("7 not significant")
    press(KEYS.Key_Return, wait=100)
    assert widget.others.isChecked()
    tab_to("Regions, active parts, studies, studies x clusters")
    press(KEYS.Key_Return, wait=300)
    assert widget.details.isVisible()
    drawer = focused()
    assert drawer is widget.drawer
    assert drawer.visibleRegion().boundingRect() == drawer.rect()


@pytest.mark.parametrize("name", ["Threshold", "Clusters"])
def test_keys_lead_from_the_canvas_to_a_dock_of_its_own_and_back(
    window: Any, name: str
) -> None:
    dock, widget = in_a_dock(window, name)
    inside = widget.native.isAncestorOf
    tab_to("more" if name == "Threshold" else "Filter clusters")
    here = focused()
    press(KEYS.Key_F6)
    canvas = focused()
    assert spoken_name(canvas) == "Canvas"
    press(KEYS.Key_F6)
    assert focused() is here
    if name == "Clusters":
        QTest.keyClicks(here, "insula")
        press(KEYS.Key_Escape)
        assert (focused(), here.text()) == (here, "")
    press(KEYS.Key_Escape)
    assert focused() is canvas
    # Beside the panel each is come to in turn.
    panel = open_workbench(window)
    QTest.qWait(300)
    places = []
    for _ in range(6):
        press(KEYS.Key_F6)
        here = focused()
        places.append([panel.isAncestorOf(here), inside(here), here is canvas])
    assert places[:3] == places[3:]
    assert sorted(places[:3], reverse=True) == np.eye(3, dtype=bool).tolist()
    dock.close()
    press(KEYS.Key_F6)
    assert panel.isAncestorOf(focused())
    press(KEYS.Key_F6)
    assert focused() is canvas


def test_what_is_disabled_in_a_dock_of_its_own_leaves_the_keyboard_there(
    window: Any,
) -> None:
    _, widget = in_a_dock(window, "Threshold")
    tab_to("more")
    press(KEYS.Key_Return, wait=100)
    tab_to("Threshold at", back=True)
    write(".01")
    wait_until(lambda: widget.back.enabled)
    tab_to("◀ Earlier")
    press(KEYS.Key_Return, wait=100)
    assert not widget.back.enabled
    assert spoken_name(focused()) == "Later ▶"
    # All of the form, as without a map: Qt then gives the keyboard to nobody.
    tab_to("Threshold at", back=True)
    here = focused()
    widget.form.enabled = False
    assert focused() is widget.map.native
    widget.form.enabled = True
    assert focused() is here
    # What stands first has only what comes after it.
    widget.map.native.setFocus()
    widget.map.enabled = False
    assert spoken_name(focused()) == "Threshold by"


def test_the_next_cluster_is_gone_to_with_two_tables_in_the_window(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    window.window.add_plugin_dock_widget(PLUGIN, "Clusters")
    QTest.qWait(100)
    before = panel.header.place.text.text()
    for _ in range(4):
        press(KEYS.Key_N, CONTROL | ALT, 50)
    assert panel.header.place.text.text() != before


def test_a_notification_that_fades_neither_scrolls_nor_draws_a_line(
    window: Any,
) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    panel.show_tab("Views")
    views = panel.panel("Views")
    views.unfold_foci()
    area = views.parentWidget().parentWidget()
    [button] = [one for one in views.findChildren(QPushButton) if one.text() == "Axial"]
    bar = area.verticalScrollBar()
    wait_until(bar.maximum)
    for by_key in (False, True):
        bar.setValue(0)
        panel.header.map.setFocus()
        if by_key:
            tab_to("Axial")
        else:
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert focused() is button
        bar.setValue(bar.maximum())
        # What `NapariQtNotification.close` does, of napari 0.9.
        window.window._qt_window._qt_viewer.setFocus()
        QTest.qWait(50)
        assert focused() is button
        assert bar.value() == bar.maximum() > 0
        assert (panel.focus_mark.marked is button) == by_key
