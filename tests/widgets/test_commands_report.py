"""The commands that report what the viewer shows, and save a thresholded map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.studies.study_files import open_studies
from napari_neurosynth_results.statistics.clusters import cluster_set
from napari_neurosynth_results.statistics.comparison.comparison import compare
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    show_clusters,
)
from napari_neurosynth_results.viewer.compare.comparison_layers import show_agreement
from napari_neurosynth_results.viewer.foci import show_foci
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import add_maps
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.viewer.shown_maps import show_alone
from napari_neurosynth_results.widgets.commands import (
    ExportPanel,
    ask_and_report,
    save_cluster_peaks,
    save_cluster_regions,
    save_cluster_studies,
)

NAMES = ("-log10 p, uncorrected", "z, uncorrected")


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Answer the dialog with a path."""
    path = tmp_path / "report.html"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *args: (str(path), args[-1])
    )
    return path


def test_without_a_result_it_says_so(
    viewer: Any, chosen: Path, notifications: list[Any]
) -> None:
    ask_and_report(viewer)
    assert "nothing to report" in notifications[-1].message
    assert not chosen.exists()


@pytest.mark.slow
def test_it_reports_the_clusters_and_the_comparison_that_are_shown(
    plugin: Any,
    viewer: Any,
    sample: ResultSet,
    chosen: Path,
    notifications: list[Any],
) -> None:
    add_maps(viewer, [sample["z"], sample["logp"]])
    z = find_clusters(sample["z"], p=1e-4, min_voxels=20).renamed(1, "my insula")
    logp = find_clusters(sample["logp"], p=0.001)
    show_clusters(viewer, viewer.layers[sample["z"].short_title], z)
    show_agreement(viewer, compare(z, logp))
    ask_and_report(viewer)
    assert notifications[-1].message == f"Saved {chosen}"
    text = chosen.read_text(encoding="utf-8")
    assert "my insula" in text
    assert "extent ≥ 20 voxels" in text
    assert "Where z, uncorrected and -log10 p, uncorrected" in text


def show_cluster_with_foci(
    viewer: Any, opened: Callable[..., ResultSet], folder: Path
) -> None:
    """Show a map with one cluster, and foci of a file: one study is in it."""
    data = np.zeros((8, 9, 8))
    data[3:5, 4:6, 3:5] = 6
    text = folder / "foci.txt"
    text.write_text("// Reference=MNI\n// Doe, 2005\n// Subjects=10\n0 -20 10\n")
    show_alone(viewer, opened({"z": data})["z"])
    show_foci(viewer, open_studies(str(text)))


@pytest.mark.slow
def test_it_reports_the_studies_whose_foci_are_shown(
    plugin: Any,
    viewer: Any,
    opened: Callable[..., ResultSet],
    tmp_path: Path,
    chosen: Path,
) -> None:
    show_cluster_with_foci(viewer, opened, tmp_path)
    ask_and_report(viewer)
    assert "Doe, 2005" in chosen.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_map_that_is_worked_with_is_reported_first(
    plugin: Any, viewer: Any, sample: ResultSet, chosen: Path
) -> None:
    """A map that was looked at meanwhile is hidden, and lies above."""
    for key in ("logp", "z", "logp"):
        show_alone(viewer, sample[key])
    ask_and_report(viewer)
    text = chosen.read_text(encoding="utf-8")
    first, second = (text.index(f">{name}</h2>") for name in NAMES)
    assert first < second


@pytest.mark.slow
def test_what_cannot_be_written_is_told(
    plugin: Any,
    viewer: Any,
    sample: ResultSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notifications: list[Any],
) -> None:
    add_maps(viewer, [sample["z"]])
    path = tmp_path / "nowhere" / "report.html"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *args: (str(path), args[-1])
    )
    show_clusters(
        viewer,
        viewer.layers[sample["z"].short_title],
        find_clusters(sample["z"], value=100),
    )
    ask_and_report(viewer)
    assert notifications[-1].severity.value == "error"
    assert "cannot be written" in notifications[-1].message


@pytest.mark.viewer
def test_the_thresholded_map_is_saved_where_the_user_wants_it(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    sample_path: Path,
    tmp_path: Path,
    notifications: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari._app_model import get_app_model

    path = tmp_path / "seen.nii.gz"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    viewer = make_napari_viewer()
    commands = get_app_model().commands
    commands.execute_command(f"{PLUGIN}.save_thresholded").result()
    assert "Threshold a map first" in notifications[-1].message
    viewer.open(sample_path / "z.nii.gz", plugin=PLUGIN)
    layer = next(one for one in viewer.layers if map_of(one) is not None)
    clusters = find_clusters(layer.metadata["neurosynth_results"], value=4)
    made = show_clusters(viewer, layer, clusters)
    for active in (layer, made):
        viewer.layers.selection.active = active
        commands.execute_command(f"{PLUGIN}.save_thresholded").result()
        voxels = np.asarray(nib.load(path).dataobj)
        assert np.count_nonzero(voxels) == clusters.labelled.size.sum()
        path.unlink()
    assert clusters_of(made) is clusters


def test_the_result_is_that_of_the_map_that_is_worked_with(
    plugin: Any, viewer: Any, opened: Callable[..., ResultSet], sample: ResultSet
) -> None:
    other = opened({"z": np.ones((8, 9, 8))}, name="other")
    show_alone(viewer, sample["z"])
    show_alone(viewer, other["z"])
    # A mask that somebody paints is a layer of his own.
    viewer.layers.selection.active = viewer.add_labels(np.ones((4, 4, 4), np.uint8))
    assert ExportPanel(viewer).result.value == "The result other"


@pytest.mark.slow
def test_studies_are_saved_that_the_drawer_lists(
    plugin: Any,
    viewer: Any,
    opened: Callable[..., ResultSet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "studies.tsv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    show_cluster_with_foci(viewer, opened, tmp_path)
    save_cluster_studies(viewer)
    assert "Doe, 2005" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("save", [save_cluster_peaks, save_cluster_regions])
def test_nothing_is_worked_out_that_a_file_does_not_hold(
    plugin: Any,
    viewer: Any,
    sample: ResultSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save: Callable[[Any], None],
) -> None:
    path = tmp_path / "table.tsv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    show_alone(viewer, sample["z"])
    asked: list[str] = []
    # What the corrections say takes other maps; it is in the table of clusters.
    monkeypatch.setattr(
        cluster_set, "find_corrected_p", lambda *_: asked.append("corrections")
    )
    save(viewer)
    assert path.exists()
    assert not asked
