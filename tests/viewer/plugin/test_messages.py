"""Notifications, which napari keeps for good, keep nothing of what they tell about."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer.layers import build_layers
from napari_neurosynth_results.viewer.meaning import take_map_as, tell_meaning
from napari_neurosynth_results.viewer.plugin.messages import announce
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.workbench import workbench_of

SHAPE = (8, 9, 8)


@pytest.mark.viewer
def test_the_notification_of_a_result_does_not_keep_it(
    plugin: Any,
    make_napari_viewer: Callable[[], Any],
    qapp: Any,
    opened: Callable[..., ResultSet],
    rng: np.random.Generator,
    notifications: list[Any],
) -> None:
    viewer = make_napari_viewer()
    results = opened({"z": rng.normal(size=SHAPE) * 3})
    announce(viewer, results, build_layers(results, underlay=False))
    (told,) = notifications
    actions, ref = dict(told.actions), weakref.ref(results)
    del results
    gc.collect()
    assert ref() is None
    assert list(actions) == ["All maps...", "Copy diagnostics"]
    for act in actions.values():
        act(None)


@pytest.mark.viewer
@pytest.mark.parametrize("news", ["none", "problem", "alone", "nothing survives"])
def test_what_the_panel_says_is_not_said_again_over_the_canvas(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    write: Callable[..., Path],
    rng: np.random.Generator,
    notifications: list[Any],
    news: str,
) -> None:
    z = rng.normal(size=SHAPE) * (0.1 if news == "nothing survives" else 3)
    folder = write({"z": z, "p": np.clip(2 * norm.sf(np.abs(z)), 1e-9, 1)})
    if news == "problem":
        (folder / "logp.nii.gz").write_bytes(b"no image")
    viewer = make_napari_viewer(show=True)
    path = folder / "z.nii.gz" if news == "alone" else folder
    viewer.open(str(path), plugin=PLUGIN)
    said = [told.message for told in notifications]
    assert len(said) == (news != "none")
    words = {"problem": "logp.nii.gz", "alone": "alone", "nothing survives": "Shown"}
    assert all(words[news] in text for text in said)
    # Where the panel is closed, a notification alone can say what was opened.
    viewer.window.remove_dock_widget(workbench_of(viewer).parentWidget())
    viewer.layers.clear()
    viewer.open(str(path), plugin=PLUGIN)
    assert len(notifications) == len(said) + 1


def test_the_notification_of_a_meaning_does_not_keep_the_map(
    plugin: Any,
    viewer: Any,
    opened: Callable[..., ResultSet],
    rng: np.random.Generator,
    notifications: list[Any],
) -> None:
    def tell() -> weakref.ref[StatMap]:
        statmap = opened({"p": rng.uniform(0.001, 1, SHAPE)})["p"]
        add_maps(viewer, [statmap])
        statmap, told = take_map_as(viewer, statmap, "t df=18")
        tell_meaning(viewer, statmap, told)
        return weakref.ref(statmap)

    ref = tell()
    ((_, undo),) = notifications[-1].actions
    viewer.layers.clear()
    # A selection of napari's keeps the layer that was active last.
    viewer.add_image(np.zeros((2, 2)))
    gc.collect()
    assert ref() is None
    undo(None)
    assert len(notifications) == 1
    assert len(viewer.layers) == 1
