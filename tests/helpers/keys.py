"""Keys that are pressed in a real window, as a user without a mouse presses them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu, QWidget

from napari_neurosynth_results.widgets.common.layout import spoken_name

KEYS = Qt.Key
NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
CONTROL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


def activate(viewer: Any) -> None:
    """Make the window the one that keys go to, also after a dialog."""
    viewer.window._qt_window.activateWindow()
    assert QTest.qWaitForWindowActive(viewer.window._qt_window, 5000)


def focused() -> Any:
    return QApplication.focusWidget()


def press(key: Qt.Key, modifier: Any = NONE, wait: int = 20) -> None:
    """Press a key where the keyboard is."""
    where = QApplication.activePopupWidget() or focused()
    QTest.keyClick(where, key, modifier)
    QTest.qWait(wait)


def write(text: str) -> None:
    """Replace the text of a line, and press Enter."""
    QTest.keyClick(focused(), KEYS.Key_A, CONTROL)
    QTest.keyClicks(focused(), text)
    press(KEYS.Key_Return)


def tab_to(wanted: str | type[QWidget], back: bool = False) -> None:
    """Press Tab until the keyboard is at a control."""
    for _ in range(80):
        now = focused()
        if (
            spoken_name(now) == wanted
            if isinstance(wanted, str)
            else (isinstance(now, wanted))
        ):
            return
        press(KEYS.Key_Backtab if back else KEYS.Key_Tab, SHIFT if back else NONE, 1)
    raise AssertionError(f"{wanted} is not come to")


def wait_until(done: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        QTest.qWait(20)


def choose_in_menus(viewer: Any, *path: str) -> None:
    """Go through the menus of the window as a user does without a mouse."""
    window = viewer.window._qt_window
    [first] = [
        one
        for one in window.menuBar().actions()
        if path[0] in one.text().replace("&", "")
    ]
    letter = first.text()[first.text().index("&") + 1].upper()
    QTest.keyClick(window, getattr(KEYS, f"Key_{letter}"), ALT)
    wait_until(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    for step, name in enumerate(path[1:], start=2):
        menu = before = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        for _ in range(len(menu.actions()) + 1):
            now = menu.activeAction()
            if now is not None and now.text().replace("&", "").startswith(name):
                break
            QTest.keyClick(menu, KEYS.Key_Down)
        else:
            there = [one.text() for one in menu.actions()]
            raise AssertionError(f"{name} is not in the menu: {there}")
        QTest.keyClick(menu, KEYS.Key_Return if step == len(path) else KEYS.Key_Right)
        wait_until(lambda: QApplication.activePopupWidget() is not before)  # noqa: B023
