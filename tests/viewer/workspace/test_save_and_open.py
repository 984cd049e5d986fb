"""A workspace: saved, opened in another viewer, and saved again it is the same."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from helpers.worked_in import threshold
from local_servers import LocalServers
from napari_neurosynth_results import (
    ResultsError,
    active_parts,
    open_results,
    open_studies,
)
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import compare
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import show_brain
from napari_neurosynth_results.viewer.brain_views.cortex import show_cortex
from napari_neurosynth_results.viewer.brain_views.glass import show_glass
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    choose,
    clusters_of,
    rename,
    show_parts,
    shown_parts,
)
from napari_neurosynth_results.viewer.clusters.history import tried_on
from napari_neurosynth_results.viewer.clusters.mask_choice import BRAIN, MaskChoice
from napari_neurosynth_results.viewer.compare.comparison_layers import (
    compared_in,
    show_agreement,
)
from napari_neurosynth_results.viewer.foci import light_up, set_slab, show_foci
from napari_neurosynth_results.viewer.layers import (
    UNDERLAY_KEY,
    map_of,
    underlay_layer,
)
from napari_neurosynth_results.viewer.plugin.reader import (
    add_maps,
    get_reader,
    use_anatomy,
)
from napari_neurosynth_results.viewer.workspace.appearance import describe_view
from napari_neurosynth_results.viewer.workspace.save_and_open import (
    open_workspace,
    save_workspace,
)

pytestmark = pytest.mark.usefixtures("preferences")

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
SHAPE = (8, 9, 8)
FOCI = "//Reference=MNI\n//Heat\n//Subjects=12\n38 4 2\n-38 4 2\n\n//Cold\n0 10 40\n"


def new_viewer() -> Any:
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def worked(viewer: Any, sample: ResultSet, tmp_path: Path) -> Any:
    """Return a viewer in which much was done."""
    from napari.layers import Layer

    viewer.add_layer(Layer.create(*underlay_layer()))
    z, logp = sample["z"], sample["logp"]
    first = threshold(viewer, z, Threshold(p=0.01))
    threshold(viewer, z, Threshold(p=0.001, min_voxels=30, connectivity=26))
    rename(first, 2, 'it\'s "here"\\ 脳')
    choose(first, 3)
    parts = active_parts(clusters_of(first), 0.65)
    show_parts(next(one for one in viewer.layers if map_of(one) is z), first, parts)
    second = threshold(viewer, logp, Threshold(p=0.003), MaskChoice(z, 0.01))
    third = threshold(viewer, sample["stat"], Threshold(value=0.02), MaskChoice(first))
    threshold(viewer, sample[MASS], Threshold(p=0.2), MaskChoice(BRAIN), atlas=None)
    add_maps(viewer, [sample["p"]])
    label = next(m for m in sample.maps.values() if m.kind == "label")
    add_maps(viewer, [label])
    comparison = compare(clusters_of(first), clusters_of(second))
    assert comparison.conjunction is not None
    threshold(viewer, comparison.conjunction, Threshold(p=0.0005))
    show_agreement(viewer, comparison)
    path = tmp_path / "foci.txt"
    path.write_text(FOCI)
    foci = show_foci(viewer, open_studies(path), "two studies")
    set_slab(foci, 24)
    light_up(foci, [foci.metadata["neurosynth_results_foci"].studies.studies[0].id])
    for layer in viewer.layers:
        layer.visible = layer in (first, third)
    stat = next(layer for layer in viewer.layers if map_of(layer) is sample["stat"])
    stat.opacity = 0.4
    stat.colormap = "viridis"
    stat.contrast_limits = (0.01, 0.05)
    viewer.layers.move(viewer.layers.index(first), 3)
    viewer.layers.selection.active = stat
    scene.set_anatomical(viewer, "radiological")
    scene.show_plane(viewer, "coronal")
    scene.look_at(viewer, 38, 4, 2)
    viewer.scene.camera.zoom = 3.5
    return viewer


def tables_of(viewer: Any) -> list[tuple[str, pd.DataFrame]]:
    found = [(layer.name, clusters_of(layer)) for layer in viewer.layers]
    return [(name, found.table) for name, found in found if found is not None]


def look(viewer: Any) -> list[Any]:
    """Describe what is on the screen, without the words of a workspace."""
    return [
        (
            layer.name,
            type(layer).__name__,
            layer.visible,
            layer.opacity,
            tuple(getattr(layer, "contrast_limits", ())),
            layer.colormap.name if map_of(layer) is not None else None,
            np.asarray(layer.colormap.colors).tolist()
            if clusters_of(layer) is not None
            else None,
            0
            if getattr(layer, "rgb", False)
            else np.nansum(np.asarray(layer.data).astype(float)),
            None if (parts := shown_parts(layer)) is None else str(parts),
        )
        for layer in viewer.layers
    ]


def document(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_saved_opened_and_saved_again_it_is_the_same(
    worked: Any, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.nnr.json", tmp_path / "b.nnr.json"
    assert save_workspace(worked, first) == []
    again = new_viewer()
    assert open_workspace(again, first) == []
    assert save_workspace(again, second) == []
    assert document(second) == document(first)
    assert look(again) == look(worked)
    tables, expected = tables_of(again), tables_of(worked)
    assert len(tables) == 5
    for (name, table), (wanted, other) in zip(tables, expected, strict=True):
        assert name == wanted
        pd.testing.assert_frame_equal(table, other, check_exact=True)
    assert again.layers.selection.active.name == worked.layers.selection.active.name
    assert again.dims.point == worked.dims.point
    assert scene.current_plane(again) == "coronal"
    assert again.scene.camera.orientation == worked.scene.camera.orientation
    assert again.scene.camera.zoom == pytest.approx(3.5)
    [one] = [layer for layer in again.layers if compared_in(layer) is not None]
    assert one.name.startswith("agreement")
    # The widget of thresholds goes on where it was.
    z = next(one for one in again.layers if getattr(map_of(one), "key", "") == "z")
    assert [request.threshold.p for request in tried_on(z).requests] == [0.01, 0.001]


@pytest.mark.slow
def test_the_threshold_widget_goes_on_with_the_same_question(
    worked: Any, tmp_path: Path
) -> None:
    from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget

    path = tmp_path / "a.nnr.json"
    save_workspace(worked, path)
    again, _ = open_in_new(path)
    before = {one.statmap.key: one for one in clusters_in(again)}
    widget = ThresholdWidget(again)
    for key in ("z", "logp", "stat"):
        widget.map.value = next(
            layer for layer in again.layers if getattr(map_of(layer), "key", "") == key
        )
        shown = widget.clusters
        assert shown is not None
        pd.testing.assert_frame_equal(shown.table, before[key].table, check_exact=True)
    widget.close()


def test_it_is_found_when_everything_moves_together(
    viewer: Any, write: Callable[..., Path], rng: np.random.Generator, tmp_path: Path
) -> None:
    folder = write({"z": rng.normal(0, 3, SHAPE)}, name="here/pain")
    made = threshold(viewer, open_results(folder)["z"], Threshold(value=2))
    save_workspace(viewer, tmp_path / "here" / "work.nnr.json")
    shutil.move(tmp_path / "here", tmp_path / "there")
    again = new_viewer()
    assert open_workspace(again, tmp_path / "there" / "work.nnr.json") == []
    clusters = clusters_of(again.layers[-1])
    assert clusters is not None
    assert clusters.statmap.path == str(tmp_path / "there" / "pain" / "z.nii.gz")
    expected = clusters_of(made)
    assert expected is not None
    pd.testing.assert_frame_equal(clusters.table, expected.table, check_exact=True)


def test_what_is_missing_is_named_and_the_rest_is_opened(
    viewer: Any, write: Callable[..., Path], rng: np.random.Generator, tmp_path: Path
) -> None:
    z = rng.normal(0, 3, SHAPE)
    for name in ("pain", "fear"):
        threshold(
            viewer, open_results(write({"z": z}, name=name))["z"], Threshold(value=2)
        )
    path = tmp_path / "work.nnr.json"
    save_workspace(viewer, path)
    shutil.rmtree(tmp_path / "pain")
    again = new_viewer()
    told = open_workspace(again, path)
    assert told[0].startswith("pain: ")
    assert str(tmp_path / "pain") in told[0]
    assert "Move it back" in told[0]
    assert len(clusters_in(again)) == 1
    assert map_of(again.layers[0]).results.title == "fear"  # type: ignore[union-attr]
    shutil.rmtree(tmp_path / "fear")
    with pytest.raises(ResultsError, match=r"(?s)cannot be opened.*pain.*fear"):
        open_workspace(new_viewer(), path)


@pytest.fixture
def own_anatomy(viewer: Any, write: Callable[..., Path], rng: Any) -> Path:
    """Return the file of an anatomy that lies below a thresholded map."""
    from napari.layers import Layer

    viewer.add_layer(Layer.create(*underlay_layer()))
    z = open_results(write({"z": rng.normal(0, 3, SHAPE)}, name="pain"))["z"]
    threshold(viewer, z, Threshold(value=2))
    path = write({"me": rng.uniform(0, 99, SHAPE)}, name="brains") / "me.nii.gz"
    use_anatomy(viewer, str(path))
    return path


def below(viewer: Any) -> list[tuple[str, bool]]:
    return [
        (layer.name, layer.visible)
        for layer in viewer.layers
        if UNDERLAY_KEY in layer.metadata
    ]


def test_an_anatomy_of_ones_own_comes_back(
    viewer: Any, own_anatomy: Path, tmp_path: Path
) -> None:
    path, again = tmp_path / "work.nnr.json", new_viewer()
    assert save_workspace(viewer, path) == []
    assert open_workspace(again, path) == []
    assert len(below(again)) == 2
    assert below(again) == below(viewer)
    assert [visible for _, visible in below(again)] == [True, False]
    assert look(again) == look(viewer)


def test_an_anatomy_that_is_gone_is_said_and_the_template_lies_there(
    viewer: Any, own_anatomy: Path, tmp_path: Path
) -> None:
    path, again = tmp_path / "work.nnr.json", new_viewer()
    save_workspace(viewer, path)
    own_anatomy.unlink()
    told = "\n".join(open_workspace(again, path))
    assert str(own_anatomy) in told
    assert "MNI152 T1 (1 mm) lies below the maps instead." in told
    assert below(again) == [("MNI152 T1 (1 mm)", True)]
    assert len(clusters_in(again)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("surface", ["", "brain", "pial", "inflated"])
def test_what_stands_for_volumes_comes_back(
    viewer: Any, sample: ResultSet, tmp_path: Path, surface: Any
) -> None:
    threshold(viewer, sample["z"], Threshold(p=0.001, min_voxels=100))
    for layer in viewer.layers:
        layer.visible = True
    show_glass(viewer)
    if surface == "brain":
        show_brain(viewer)
    elif surface:
        show_cortex(viewer, shape=surface)
    path, again = tmp_path / "work.nnr.json", new_viewer()
    told = save_workspace(viewer, path)
    assert told == []
    assert document(path)["view"].get("surface", "") == surface
    assert open_workspace(again, path) == []
    assert describe_view(again) == describe_view(viewer)
    # What stands back in 3D is seen again in slices.
    scene.show_plane(viewer, "axial")
    scene.show_plane(again, "axial")
    seen = [[one.name for one in v.layers if one.visible] for v in (viewer, again)]
    assert sorted(seen[0]) == sorted(seen[1])


@pytest.mark.slow
def test_a_map_that_is_gone_is_named(
    viewer: Any, write: Callable[..., Path], rng: np.random.Generator, tmp_path: Path
) -> None:
    folder = write({"z": rng.normal(0, 3, SHAPE), "stat": rng.normal(0, 3, SHAPE)})
    results = open_results(folder)
    for key in ("z", "stat"):
        threshold(viewer, results[key], Threshold(value=2))
    path = tmp_path / "work.nnr.json"
    save_workspace(viewer, path)
    (folder / "stat.nii.gz").unlink()
    again = new_viewer()
    told = open_workspace(again, path)
    assert len(clusters_in(again)) == 1
    assert any("holds no map 'stat' any more" in one for one in told)


def test_what_is_not_ours_or_was_painted_is_told(
    viewer: Any, sample: ResultSet, tmp_path: Path
) -> None:
    grid = sample["z"].grid
    voxels = np.zeros(grid.shape[::-1], np.uint8)
    voxels[30:60, 40:70, 45:80] = 1
    placed = {"scale": grid.voxel_size[::-1], "translate": grid.origin[::-1]}
    painted = viewer.add_labels(voxels, name="area", **placed)
    made = threshold(viewer, sample["z"], Threshold(p=0.001), MaskChoice(painted))
    path = tmp_path / "work.nnr.json"
    told = save_workspace(viewer, path)
    assert told[0] == "area was not made by this plugin: save it separately."
    assert "was painted" in told[1]
    again = new_viewer()
    told = open_workspace(again, path)
    assert any("painted in the layer 'area'" in one for one in told)
    # Never at another threshold than the one that was asked.
    assert [clusters_of(layer) for layer in again.layers] == [None]
    again = new_viewer()
    again.add_labels(voxels, name="area", **placed)
    assert open_workspace(again, path) == []
    clusters, expected = clusters_of(again.layers[-1]), clusters_of(made)
    assert clusters is not None
    assert expected is not None
    pd.testing.assert_frame_equal(clusters.table, expected.table, check_exact=True)


@pytest.mark.slow
def test_a_result_of_compose_and_its_foci(
    viewer: Any, web: LocalServers, rng: np.random.Generator, tmp_path: Path
) -> None:
    collection = web.add_collection("Pain", full_dataset_url="")
    z = np.abs(rng.normal(0, 6, SHAPE))
    for stem, data in {"z": z, "p": np.exp(-z), "stat": z}.items():
        collection.add_image(f"{stem}.nii.gz", data)
    meta_id = web.add_meta_analysis(collection)
    link = f"{web.compose}/projects/Proj00000000/meta-analyses/{meta_id}"
    results = open_results(link)
    results.on_demand = False
    results.fetch([results["z"], results["p"]])
    made = threshold(viewer, results["z"], Threshold(q=0.2))
    assert results.studies is not None
    show_foci(viewer, results.studies)
    first, second = tmp_path / "a.nnr.json", tmp_path / "b.nnr.json"
    save_workspace(viewer, first)
    again = new_viewer()
    assert open_workspace(again, first) == []
    save_workspace(again, second)
    assert document(first) == document(second)
    clusters, expected = clusters_in(again)[0], clusters_of(made)
    assert clusters is not None
    assert expected is not None
    pd.testing.assert_frame_equal(clusters.table, expected.table, check_exact=True)


def test_a_private_link_is_not_in_the_file(
    viewer: Any, web: LocalServers, rng: np.random.Generator, tmp_path: Path
) -> None:
    collection = web.add_collection("Secret", private=True)
    collection.add_image("z.nii.gz", np.abs(rng.normal(0, 6, SHAPE)))
    results = open_results(f"{web.neurovault}/collections/{collection.token}/")
    threshold(viewer, results["z"], Threshold(p=0.05))
    path = tmp_path / "work.nnr.json"
    told = save_workspace(viewer, path)
    assert any("Secret is private" in one for one in told)
    assert str(collection.token) not in path.read_text()
    assert len(clusters_in(open_in_new(path)[0])) == 1
    # Elsewhere it was never downloaded.
    shutil.rmtree(os.environ["NNR_CACHE_DIR"])
    with pytest.raises(ResultsError, match="write the link under contents"):
        open_workspace(new_viewer(), path)


def open_in_new(path: Path) -> tuple[Any, list[str]]:
    viewer = new_viewer()
    return viewer, open_workspace(viewer, path)


def clusters_in(viewer: Any) -> list[ClusterSet]:
    found = [clusters_of(layer) for layer in viewer.layers]
    return [clusters for clusters in found if clusters is not None]


def test_it_is_whole_or_not_there(
    viewer: Any, sample: ResultSet, tmp_path: Path
) -> None:
    path = tmp_path / "work.nnr.json"
    with pytest.raises(ResultsError, match="nothing to save"):
        save_workspace(viewer, path)
    threshold(viewer, sample["z"], Threshold(p=0.001))
    save_workspace(viewer, path)
    before = path.read_bytes()
    with pytest.raises(ResultsError, match="exists already"):
        save_workspace(viewer, path)
    save_workspace(viewer, path, overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]
    with pytest.raises(ResultsError, match="cannot be written"):
        save_workspace(viewer, tmp_path / "nowhere" / "work.nnr.json")


@pytest.fixture
def saved(viewer: Any, sample: ResultSet, tmp_path: Path) -> Any:
    """Return what a small workspace holds, and a function that opens another one."""
    threshold(viewer, sample["z"], Threshold(p=0.001))
    path = tmp_path / "work.nnr.json"
    save_workspace(viewer, path)

    def change(edit: Callable[[Any], object]) -> tuple[Any, list[str]]:
        found = document(path)
        edit(found)
        path.write_text(json.dumps(found))
        return open_in_new(path)

    return change


@pytest.mark.slow
def test_what_is_not_known_is_left_aside(saved: Any) -> None:
    def add(found: Any) -> None:
        found["later"] = 1
        found["contents"]["maps"][0]["color"] = "red"

    viewer, told = saved(add)
    assert len(clusters_in(viewer)) == 1
    assert told == [
        "workspace: later is not known and was ignored.",
        "workspace.contents.maps[0]: color is not known and was ignored.",
    ]


@pytest.mark.slow
def test_no_tag_counts_in_the_names_of_a_file(saved: Any) -> None:
    def name(found: Any) -> None:
        for layer in found["layers"]:
            layer["name"] = "<img src=x>"

    viewer, _ = saved(name)
    assert viewer.layers
    assert not any("<img" in layer.name for layer in viewer.layers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda x: x.update(version=2), "version 2 of the format.*Update the plugin"),
        (lambda x: x.update(version=True), "version True"),
        (lambda x: x.update(format="zip"), "is not a workspace"),
        (lambda x: x["contents"].update(maps={}), "contents.maps has to be a list"),
        (lambda x: x["contents"]["maps"][0].pop("key"), "an object with 'key'"),
        (lambda x: x["contents"]["maps"][0].update(key=3), "key has to be a text"),
        (lambda x: x["layers"][0].update(opacity=True), "opacity has to be a number"),
        (lambda x: x["layers"][0].update(opacity=1e999), "a finite number"),
        (lambda x: x["layers"][0].update(number=10**30), "a smaller number"),
        (lambda x: x["layers"][0].update(shows="code"), "one of 'underlay'"),
        (lambda x: x.update(layers=[{"shows": "map"}] * 10_001), "at most 10,000"),
        (
            lambda x: x["contents"]["maps"][0].update(title="x" * 20_001),
            "at most 20,000",
        ),
        (lambda x: asked(x).update(threshold={"p": 2}), "between 0 and 1"),
        (lambda x: asked(x).update(threshold={}), "exactly one"),
        (lambda x: asked(x).update(dof=[1]), "2 items"),
    ],
)
def test_a_broken_file_is_refused(saved: Any, edit: Any, told: str) -> None:
    with pytest.raises(ResultsError, match=told):
        saved(edit)


def asked(found: Any) -> Any:
    return found["contents"]["clusters"][0]["asked"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda x: x["contents"]["maps"][0].update(source=7), "no source 7"),
        (lambda x: x["contents"]["maps"][0].pop("source"), "where it comes from"),
        (lambda x: x["layers"][1].update(number=-1), "no clusters -1"),
        (
            lambda x: asked(x).update(place={"kind": "clusters", "clusters": 0}),
            "refers to itself",
        ),
        (lambda x: x["contents"]["clusters"][0].update(map=4), "no map 4"),
    ],
)
def test_numbers_that_refer_to_nothing_are_told(
    saved: Any, edit: Any, told: str
) -> None:
    viewer, problems = saved(edit)
    assert clusters_in(viewer) == []
    assert any(told in problem for problem in problems)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "broken JSON"),
        (b"\xff\xfe\x00", "broken JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": ' * 200_000, "nested too deeply"),
        (b"[]", "is not a workspace"),
        (b" " * (9 << 20), "too large"),
        (b"[" + b"9" * 10_000 + b"]", "broken JSON"),
    ],
)
def test_what_is_no_workspace_at_all(
    viewer: Any, tmp_path: Path, data: bytes, told: str
) -> None:
    path = tmp_path / "work.nnr.json"
    path.write_bytes(data)
    with pytest.raises(ResultsError, match=told):
        open_workspace(viewer, path)
    with pytest.raises(ResultsError, match="is not a file"):
        open_workspace(viewer, tmp_path)


def test_the_reader_takes_workspaces_and_no_other_json(tmp_path: Path) -> None:
    assert get_reader("studies.json") is None
    reader = get_reader(str(tmp_path / "Work.NNR.json"))
    assert reader is not None
    with pytest.raises(ResultsError, match="start napari first"):
        reader("work.nnr.json")


@pytest.mark.viewer
def test_a_real_window_opens_what_was_dropped_and_copies_it(
    make_napari_viewer: Any,
    plugin: Any,
    sample: ResultSet,
    tmp_path: Path,
    notifications: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari._app_model import get_app_model
    from qtpy.QtWidgets import QApplication, QFileDialog

    model = new_viewer()
    made = threshold(model, sample["z"], Threshold(p=0.001))
    rename(made, 1, "mine")
    path = tmp_path / "work.nnr.json"
    save_workspace(model, path)
    viewer = make_napari_viewer()
    viewer.open(path, plugin="napari-neurosynth-results")
    [clusters] = clusters_in(viewer)
    assert clusters.names[0] == "mine"
    run = get_app_model().commands.execute_command
    name = "napari-neurosynth-results"
    run(f"{name}.copy_as_python").result()
    text = QApplication.clipboard().text()
    assert "nnr.find_clusters(z, p=0.001)" in text
    assert "'mine'" in text
    target = tmp_path / "again.nnr.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    run(f"{name}.save_workspace").result()
    found, before = document(target), document(path)
    assert found["contents"] == before["contents"]
    viewer.layers.clear()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(target), ""))
    run(f"{name}.open_workspace").result()
    assert [one.names[0] for one in clusters_in(viewer)] == ["mine"]
    told = [one.message for one in notifications]
    assert told[-1] == "Opened again.nnr.json"
