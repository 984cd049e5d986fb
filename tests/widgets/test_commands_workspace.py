"""The commands that copy a script, and save and open workspaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QFileDialog

from helpers.worked_in import threshold
from napari_neurosynth_results.export.workspace.script import write_script
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters.mask_choice import MaskChoice
from napari_neurosynth_results.viewer.workspace.state_reader import describe
from napari_neurosynth_results.widgets.commands import (
    ExportPanel,
    ask_and_open_workspace,
    ask_and_save_workspace,
    copy_as_python,
)


def told(notifications: list[Any]) -> list[tuple[str, str]]:
    return [(str(one.severity), one.message) for one in notifications]


def test_the_panel_copies_a_script_of_all_that_is_open(
    maps: Any, sample: ResultSet, notifications: list[Any]
) -> None:
    threshold(maps, sample["z"], Threshold(p=0.001))
    panel = ExportPanel(maps)
    assert panel.buttons["Copy as Python"].enabled
    panel.buttons["Copy as Python"].native.click()
    text = QApplication.clipboard().text()
    assert text == write_script(describe(maps))
    assert "nnr.find_clusters(z, p=0.001)" in text
    assert told(notifications) == [
        ("info", f"Copied {len(text.splitlines())} lines of Python")
    ]
    panel.close()


def test_an_empty_viewer_has_no_script(viewer: Any, notifications: list[Any]) -> None:
    QApplication.clipboard().setText("before")
    copy_as_python(viewer)
    assert QApplication.clipboard().text() == "before"
    [(severity, text)] = told(notifications)
    assert severity == "warning"
    assert "nothing to write a script of" in text
    panel = ExportPanel(viewer)
    buttons = panel.buttons.items()
    assert [text for text, one in buttons if one.enabled] == ["Open workspace..."]
    assert not panel.figure.enabled
    panel.close()


def test_what_has_to_be_saved_first_is_told(
    maps: Any, sample: ResultSet, notifications: list[Any]
) -> None:
    grid = sample["z"].grid
    painted = maps.add_labels(
        np.ones(grid.shape[::-1], np.uint8),
        name="area",
        scale=grid.voxel_size[::-1],
        translate=grid.origin[::-1],
    )
    threshold(maps, sample["z"], Threshold(p=0.001), MaskChoice(painted))
    copy_as_python(maps)
    [(severity, text)] = told(notifications)
    assert severity == "warning"
    assert "Save its voxels as area.nii.gz." in text


@pytest.mark.parametrize(
    ("typed", "saved"),
    [
        ("work.nnr.json", "work.nnr.json"),
        ("work", "work.nnr.json"),
        ("work.json", "work.nnr.json"),
    ],
)
def test_a_workspace_is_saved_under_a_name_that_opens_again(
    maps: Any,
    tmp_path: Path,
    notifications: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    saved: str,
) -> None:
    asked: list[str] = []

    def answer(parent: Any, title: str, suggested: str, kinds: str) -> Any:
        asked.append(suggested)
        return str(tmp_path / typed), kinds

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    ask_and_save_workspace(maps)
    assert asked == ["pain-ale.nnr.json"]
    path = tmp_path / saved
    assert path.is_file()
    assert told(notifications) == [("info", f"Saved {path}")]
    # The dialog asks about replacing the name that was typed, and no other.
    ask_and_save_workspace(maps)
    severity, text = told(notifications)[-1]
    assert severity == ("info" if typed == saved else "error")
    assert ("exists already" in text) == (typed != saved)


def test_a_file_that_is_none_is_refused_in_words(
    viewer: Any,
    tmp_path: Path,
    notifications: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "work.nnr.json"
    path.write_text("{}")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    ask_and_open_workspace(viewer)
    [(severity, text)] = told(notifications)
    assert severity == "error"
    assert "is not a workspace" in text
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    ask_and_open_workspace(viewer)
    assert len(notifications) == 1
