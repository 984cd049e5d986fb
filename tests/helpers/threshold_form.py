"""What a user does with the form of a threshold."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget


def let_go() -> None:
    """Let the queued updates happen."""
    for _ in range(3):
        QApplication.processEvents()


def shown(widget: ThresholdWidget) -> Any:
    """Return the clusters that are shown of the chosen map."""
    let_go()
    assert widget.clusters is not None
    return widget.clusters


def type_number(widget: ThresholdWidget, text: str) -> None:
    """Type a number and leave the field with Return."""
    native = widget.form.number.native
    native.selectAll()
    QTest.keyClicks(native, text)
    QTest.keyClick(native, Qt.Key.Key_Return)


def settle(widget: ThresholdWidget) -> None:
    """Wait until the last change counts as tried."""
    let_go()
    while widget._settles.isActive():
        QTest.qWait(20)
