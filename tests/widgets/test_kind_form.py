"""The form *This map holds...*: what it shows, says and changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from qtpy.QtWidgets import QApplication, QDialog

from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.widgets.common.layout import controls_in, spoken_name
from napari_neurosynth_results.widgets.kind_form import (
    KindForm,
    ask_of_active_map,
    show_kind_form,
)

pytestmark = pytest.mark.usefixtures("preferences")
Opened = Callable[..., ResultSet]


@pytest.fixture
def results(
    opened: Opened, rng: np.random.Generator, inside: npt.NDArray[np.bool_]
) -> ResultSet:
    """Return a t map that is called p."""
    t = np.where(inside, rng.standard_t(18, size=inside.shape), 0)
    t[2:4, 2:4, 2:4] = 8
    return opened({"pain_p": t})


@pytest.fixture
def form(viewer: Any, results: ResultSet) -> KindForm:
    """Return the form for that map, which has a layer."""
    add_maps(viewer, [results["pain_p"]])
    return KindForm(viewer, results["pain_p"])


def test_it_says_what_was_assumed_and_what_the_values_fit(form: KindForm) -> None:
    assert "pain_p.nii.gz: p" in form.about.value
    assert "told by its name (NiMARE)" in form.about.value
    assert "They may be: z, t, signed logp." in form.values.value
    assert "to 8 in " in form.values.value
    # What is assumed cannot be.
    assert form.kind.value == MapKind.P
    assert "they fit z" in form.verdict.value
    assert not form.apply.enabled
    assert not form.undo.enabled
    assert not form.forget.enabled


def test_it_asks_for_what_the_kind_has(form: KindForm) -> None:
    asks = {}
    for kind in MapKind:
        form.kind.value = kind
        fields = (form.tail, form.dof, form.correction, form.cut)
        asks[str(kind)] = [one.native.isVisibleTo(form.native) for one in fields]
    assert asks["t"] == [True, True, True, True]
    assert asks["z"] == [True, False, True, True]
    assert asks["F"] == [False, True, True, True]
    assert asks["est"] == asks["label"] == [False, False, False, False]


def test_what_is_stated_is_done_and_shown_again_and_undone(
    viewer: Any, results: ResultSet, form: KindForm, notifications: list[Any]
) -> None:
    done: list[str] = []
    form.finished = lambda: done.append("finished")
    form.changed_meaning = lambda: done.append("changed")
    form.kind.value = MapKind.T
    form.tail.value = Tail.TWO
    form.dof.value = "18"
    form.correction.value = ("FWE", "cluster")
    form.cut.value = False
    said = "t two-tailed df=18 FWE cluster-level whole"
    assert form.text() == said
    assert f"kinds={{'pain_p': '{said}'}}" in form.verdict.value
    form.apply.native.click()
    assert done == ["changed", "finished"]
    statmap = map_of(viewer.layers[0])
    assert (statmap.kind, statmap.dof, statmap.level) == (MapKind.T, 18, "cluster")
    again = KindForm(viewer, statmap)
    assert again.text() == said
    assert "told by what you said" in again.about.value
    again.undo.native.click()
    assert map_of(viewer.layers[0]).kind is MapKind.P
    assert [one.message.split(",")[0] for one in notifications][-2:] == [
        "pain_p holds t",
        "pain_p holds p",
    ]


def test_back_to_what_was_found(
    viewer: Any, results: ResultSet, form: KindForm
) -> None:
    form.kind.value = MapKind.Z
    form.apply.native.click()
    again = KindForm(viewer, map_of(viewer.layers[0]))
    again.forget.native.click()
    assert (map_of(viewer.layers[0]).kind, results.stated) == (MapKind.P, {})
    assert KindForm(viewer, map_of(viewer.layers[0])).undo.enabled


def test_a_talairach_map_is_moved_to_mni_space_and_back(
    viewer: Any, opened: Opened, inside: npt.NDArray[np.bool_]
) -> None:
    results = opened({"space-Talairach_z": inside * 2.0})
    add_maps(viewer, [results["space-Talairach_z"]])
    was = results["space-Talairach_z"].grid
    assert was.in_talairach
    form = KindForm(viewer, results["space-Talairach_z"])
    form.space.value = True
    assert form.text() == "z to-MNI"
    form.apply.native.click()
    (layer,) = (one for one in viewer.layers if map_of(one) is not None)
    moved = map_of(layer).grid
    assert moved.mni_doubt() is None
    assert layer.data.shape == moved.shape[::-1] != was.shape[::-1]
    assert tuple(layer.translate) == moved.origin[::-1]
    again = KindForm(viewer, map_of(layer))
    assert again.space.value is True
    again.undo.native.click()
    (layer,) = (one for one in viewer.layers if map_of(one) is not None)
    assert map_of(layer).grid.in_talairach
    assert layer.data.shape == was.shape[::-1]


@pytest.mark.parametrize("text", ["many", "2, 3, 4", "-1", "2, 30"])
def test_degrees_of_freedom_that_are_none(form: KindForm, text: str) -> None:
    form.kind.value = MapKind.T
    form.dof.value = text
    assert not form.apply.enabled
    assert "above 0" in form.verdict.value
    form.dof.value = "18.5"
    assert form.apply.enabled


def test_the_command_asks_of_the_active_map(
    viewer: Any, results: ResultSet, notifications: list[Any]
) -> None:
    ask_of_active_map(viewer)
    assert "Select the layer of a map first" in notifications[-1].message
    add_maps(viewer, [results["pain_p"]])
    viewer.layers.selection.active = viewer.layers[0]
    ask_of_active_map(viewer)
    (dialog,) = (
        one
        for one in QApplication.topLevelWidgets()
        if isinstance(one, QDialog) and one.windowTitle() == "This map holds..."
    )
    assert dialog.isVisible()
    dialog.close()


def test_a_broken_map_cannot_be_asked(
    viewer: Any, opened: Opened, notifications: list[Any]
) -> None:
    results = opened({"z": np.ones((8, 9, 8))})
    statmap = results["z"]
    with open(statmap.path, "r+b") as file:
        file.truncate(100)
    assert show_kind_form(viewer, statmap) is None
    assert notifications


def test_every_field_has_a_name_that_can_be_spoken(
    viewer: Any, results: ResultSet
) -> None:
    dialog = show_kind_form(viewer, results["pain_p"])
    assert dialog is not None
    names = [spoken_name(control) for control in controls_in(dialog)]
    assert {"Kind", "Tail", "Correction", "Threshold", "Space"} <= set(names)
    assert all(names)
    dialog.close()
