"""The list of maps to compare, without a mouse."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.keys import KEYS, focused, press, tab_to, wait_until
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.workbench import workbench_of

pytestmark = [pytest.mark.viewer, pytest.mark.slow]


def test_arrow_keys_go_on_after_a_layer_has_come(window: Any) -> None:
    window.open_sample(PLUGIN, "pain-ale")
    panel = workbench_of(window)
    assert panel is not None
    compare = panel.show_tab("Compare")
    panel.focus_tab()
    tab_to("Maps to compare")
    for n in (1, 2):
        press(KEYS.Key_Down)
        press(KEYS.Key_Space)
        wait_until(lambda n=n: len(compare.maps.checked) == n)
    wait_until(lambda: compare.agreement.enabled)
    before, row = list(window.layers), compare.maps.currentRow()
    tab_to("Agreement")
    press(KEYS.Key_Return)
    wait_until(lambda: len(window.layers) > len(before))
    tab_to("Maps to compare", back=True)
    assert focused() is compare.maps
    assert compare.maps.currentRow() == row
    press(KEYS.Key_Down)
    assert compare.maps.currentRow() == row + 1
