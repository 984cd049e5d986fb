"""Clicks on a canvas, by napari's own way of calling back, and on titles of docks."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget, QPushButton

from napari_neurosynth_results.widgets.workbench import Workbench


class CanvasEvent:
    """A mouse event as napari hands it over: one object from press to release."""

    def __init__(self, position: tuple[float, ...], kind: str = "mouse_press") -> None:
        self.position, self.type, self.button = position, kind, 1
        self.pos = (40.0, 40.0)
        self.view_direction = None
        self.dims_displayed = [1, 2]
        self.modifiers: list[str] = []
        self.is_dragging = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "__wrapped__":
            self.__dict__.update(value.__dict__)
        else:
            super().__setattr__(name, value)


def click_canvas(
    viewer: Any, x: float, y: float, z: float, dragged: bool = False
) -> None:
    """Click at a place, by napari's own way of calling back."""
    from napari.utils.interactions import (
        mouse_move_callbacks,
        mouse_press_callbacks,
        mouse_release_callbacks,
    )

    mouse_press_callbacks(viewer, CanvasEvent((z, y, x)))
    if dragged:
        moved = CanvasEvent((z, y, x), "mouse_move")
        moved.is_dragging, moved.pos = True, (60.0, 40.0)
        mouse_move_callbacks(viewer, moved)
    mouse_release_callbacks(viewer, CanvasEvent((z, y, x), "mouse_release"))


def click_ray(
    viewer: Any, through: tuple[float, ...], direction: tuple[float, float, float]
) -> None:
    """Click in 3D where a line of sight passes a place; the direction is z, y, x."""
    from napari.utils.interactions import mouse_press_callbacks, mouse_release_callbacks

    start = np.array(through[::-1]) - 400 * np.array(direction)
    for kind, tell in (
        ("mouse_press", mouse_press_callbacks),
        ("mouse_release", mouse_release_callbacks),
    ):
        event = CanvasEvent(tuple(start), kind)
        event.view_direction, event.dims_displayed = (
            np.array(direction, float),
            [0, 1, 2],
        )
        tell(viewer, event)


def dock_of(panel: Workbench) -> QDockWidget:
    """Return the dock that holds a panel."""
    dock = panel.parentWidget()
    assert isinstance(dock, QDockWidget)
    return dock


def press_title(panel: Workbench, name: str) -> None:
    """Press a button in the title of the dock."""
    found = dock_of(panel).titleBarWidget().findChild(QPushButton, name)
    QTest.mouseClick(found, Qt.MouseButton.LeftButton)
