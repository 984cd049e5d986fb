"""The commands that copy a script, and save and open workspaces."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog

from helpers.worked_in import threshold
from napari_neurosynth_results.export.workspace.script import write_script
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters import cluster_set
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import scene, shown_maps
from napari_neurosynth_results.viewer.clusters.atlas_choice import choose_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.clusters.mask_choice import MaskChoice
from napari_neurosynth_results.viewer.layers import result_sets
from napari_neurosynth_results.viewer.plugin.reader import use_anatomy
from napari_neurosynth_results.viewer.settings import PLUGIN, preferred_atlas
from napari_neurosynth_results.viewer.workspace import restorer
from napari_neurosynth_results.viewer.workspace.save_and_open import (
    open_and_tell,
    save_workspace,
)
from napari_neurosynth_results.viewer.workspace.state_reader import describe
from napari_neurosynth_results.widgets.commands import (
    ExportPanel,
    ask_and_open_workspace,
    ask_and_save_workspace,
    copy_as_python,
    save_cluster_table,
)
from napari_neurosynth_results.widgets.ortho.widget import ortho_of, show_ortho
from napari_neurosynth_results.widgets.workbench import workbench_of


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


@pytest.fixture
def worked_in(
    plugin: Any,
    make_napari_viewer: Any,
    sample_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """Return a window in which somebody works, of a result that a path names."""
    monkeypatch.chdir(sample_path.parent)
    viewer = make_napari_viewer(show=True)
    viewer.open(sample_path.name, plugin=PLUGIN)
    panel = workbench_of(viewer)
    [results] = result_sets(viewer.layers)
    threshold(viewer, results["z"], Threshold(p=0.001, min_voxels=20))
    shown_maps.show_alone(viewer, results["z"])
    anatomy = tmp_path / "me.nii.gz"
    nibabel.Nifti1Image(np.ones((9, 11, 9)), np.diag((20, 20, 20, 1))).to_filename(
        anatomy
    )
    use_anatomy(viewer, str(anatomy))
    compare = panel.show_tab("Compare")
    mass = next(iter(results.maps.values()))
    compare.compare([results["z"], mass], "overlay")
    scene.look_at(viewer, -34, 14, 0)
    QTest.qWait(200)
    return viewer


@pytest.mark.viewer
@pytest.mark.slow
def test_the_script_runs_as_it_is_copied_in_a_process_of_its_own(
    worked_in: Any, tmp_path: Path
) -> None:
    workbench_of(worked_in).show_tab("Export").buttons["Copy as Python"].native.click()
    text = QApplication.clipboard().text()
    compile(text, "copied", "exec")
    script, elsewhere = tmp_path / "copied.py", tmp_path / "elsewhere"
    elsewhere.mkdir()
    script.write_text(text, encoding="utf-8")
    run = (
        "import json, runpy, sys\n"
        "made = runpy.run_path(sys.argv[1])\n"
        "print('TABLES', json.dumps({name: value.table.to_json(double_precision=15)\n"
        "    for name, value in made.items() if type(value).__name__ == 'ClusterSet'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", run, str(script)],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{text}\n{done.stderr}"
    found = json.loads(done.stdout.split("TABLES", 1)[1])
    shown = [clusters_of(layer) for layer in worked_in.layers]
    expected = [one.table for one in shown if one is not None]
    assert len(expected) == 2
    written = [one.to_json(double_precision=15) for one in expected]
    assert sorted(found.values()) == sorted(written)


@pytest.mark.viewer
@pytest.mark.slow
def test_a_workspace_brings_the_panel_back(
    worked_in: Any, make_napari_viewer: Any, tmp_path: Path
) -> None:
    panel = workbench_of(worked_in)
    show_ortho(worked_in)
    path = tmp_path / "work.nnr.json"
    assert save_workspace(worked_in, path) == []
    # Saving takes nothing away.
    assert panel.compared()[1] == "overlay"
    before = _work_on(worked_in)
    # Seen together they look alike, and alone they do as well.
    look_alone = _look_alone(worked_in)
    del panel
    worked_in.close()
    # PySide6 leaves the dialogs of a closed window to the collector, and napari tells
    # them of what is opened in another one.
    gc.collect()
    again = make_napari_viewer(show=True)
    again.open(path, plugin=PLUGIN)
    QTest.qWait(300)
    back = workbench_of(again)
    assert back is not None
    assert back.isVisible()
    assert _work_on(again) == before
    assert back.current_tab() == "Compare"
    assert back.compared()[1] == "overlay"
    assert back.header.place.text.text() == "-34, 14, 0"
    assert _look_alone(again) == look_alone


def _work_on(viewer: Any) -> list[Any]:
    """Return what a panel shows of what somebody works on."""
    panel, header = workbench_of(viewer), workbench_of(viewer).header
    maps, together = panel.compared()
    return [
        panel.current_tab(),
        [one.key for one in maps],
        together,
        *(getattr(header, of).currentText() for of in ("map", "results")),
        header.sentence.text(),
        ortho_of(viewer).where,
    ]


def _look_alone(viewer: Any) -> list[tuple[str, bool, float]]:
    """Return how layers look once maps are not seen together."""
    workbench_of(viewer).panel("Compare").mode.value = "as they are"
    return [(layer.name, layer.visible, layer.opacity) for layer in viewer.layers]


def test_an_atlas_that_a_workspace_chose_can_be_given_up(
    plugin: Any,
    viewer: Any,
    sample: ResultSet,
    tmp_path: Path,
    notifications: list[Any],
) -> None:
    path = tmp_path / "work.nnr.json"
    layer = threshold(viewer, sample["z"], Threshold(p=0.001))
    named = list(clusters_of(layer).names)
    choose_atlas(viewer, "none")
    save_workspace(viewer, path)
    choose_atlas(viewer, "default")
    open_and_tell(viewer, str(path))
    assert preferred_atlas() == ("none", "")
    assert "regions are named by no atlas, as" in notifications[-1].message
    ((text, undo),) = notifications[-1].actions
    assert text == "Keep default"
    undo(None)
    assert preferred_atlas() == ("default", "")
    shown = [clusters_of(one) for one in viewer.layers]
    assert next(list(one.names) for one in shown if one is not None) == named


@pytest.mark.viewer
def test_the_window_answers_while_a_workspace_and_a_table_are_worked_out(
    plugin: Any,
    make_napari_viewer: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace, table = tmp_path / "work.nnr.json", tmp_path / "table.tsv"
    viewer = make_napari_viewer()
    viewer.open_sample(PLUGIN, "pain-ale")
    sample = result_sets(viewer.layers)[0]
    threshold(viewer, sample["z"], Threshold(p=0.001))
    save_workspace(viewer, workspace)
    where: dict[str, set[str]] = {}

    def spy(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def call(*args: Any, **options: Any) -> Any:
            where.setdefault(name, set()).add(threading.current_thread().name)
            return real(*args, **options)

        monkeypatch.setattr(owner, name, call)

    spy(restorer, "requested_clusters")
    spy(restorer, "map_layer")
    spy(cluster_set, "find_corrected_p")
    other = make_napari_viewer()
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *args: (str(workspace), args[-1])
    )
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *args: (str(table), args[-1])
    )
    ask_and_open_workspace(other)
    assert clusters_of(cluster_layer(other, shown_maps.current_map(other))) is not None
    save_cluster_table(other)
    assert table.exists()
    main = threading.main_thread().name
    assert set(where) == {"requested_clusters", "map_layer", "find_corrected_p"}
    assert all(main not in threads for threads in where.values()), where
