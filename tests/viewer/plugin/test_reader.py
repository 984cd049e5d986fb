"""A path opens as a scene: right way up, at the peak, with a word on what happened."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from local_servers import LocalServers
from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.anatomy import template
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.canvas import CAPTION
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    goes_with_others,
    map_layers,
)
from napari_neurosynth_results.viewer.layers import (
    METADATA_KEY,
    UNDERLAY_KEY,
    build_layers,
    map_of,
)
from napari_neurosynth_results.viewer.plugin.messages import opening_message
from napari_neurosynth_results.viewer.plugin.reader import (
    add_maps,
    get_reader,
    read,
    strongest_place,
    use_anatomy,
)
from napari_neurosynth_results.viewer.settings import PLUGIN

Write = Callable[..., Path]
MakeViewer = Callable[..., Any]
SHAPE = (8, 9, 8)


@pytest.fixture
def z() -> np.ndarray:
    """Return a map with one peak at x 30, y 50, z 40."""
    data = np.zeros(SHAPE, np.float32)
    data[5, 8, 5], data[5, 7, 5] = 7, 4
    return data


def own(viewer: Any) -> list[Any]:
    """Return the layers but those that only go with others, as outlines do."""
    return [one for one in viewer.layers if not goes_with_others(one.metadata)]


# --- which paths ------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["z.nii.gz", "Z.NII", "z.hdr", "z.img", "brain.mgz", "brain.mgh"]
)
def test_images_are_read(name: str) -> None:
    assert get_reader(f"folder/{name}") is read
    assert get_reader([f"folder/{name}", "folder/logp.nii.gz"]) is read


@pytest.mark.parametrize(
    "path",
    [
        "notes.txt",
        "table.tsv",
        "z.nii.gz.part",
        "picture.tif",
        "",
        [],
        ["z.nii", "a.txt"],
    ],
)
def test_other_files_are_left_to_others(path: str | list[str]) -> None:
    assert get_reader(path) is None


def test_every_folder_is_accepted_so_that_a_refusal_can_say_why(
    tmp_path: Path,
) -> None:
    assert get_reader(str(tmp_path)) is read
    with pytest.raises(ResultsError, match=r"holds no map .*\. Open the folder"):
        read(str(tmp_path))


# --- without a viewer -------------------------------------------------------------


@pytest.mark.slow
def test_npe2_reads_without_napari(sample_path: Path) -> None:
    code = f"""
import sys
import npe2
npe2.PluginManager.instance().discover()
layers = npe2.read([{str(sample_path)!r}], stack=False, plugin_name={PLUGIN!r})
print(len(layers), [kind for _, _, kind in layers].count("image"))
assert not {{"napari", "qtpy", "PyQt6", "vispy"}} & set(sys.modules), "loaded"
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    layers, images = map(int, done.stdout.split())
    # The template and the most interesting map.
    assert (layers, images) == (2, 2)


def test_a_user_says_what_a_map_holds_before_it_is_seen(write: Write) -> None:
    rng = np.random.default_rng(3)
    path = str(write({"pain_p": rng.normal(size=SHAPE)}) / "pain_p.nii.gz")
    layer = read(path, {"pain_p": "z two-tailed"})[-1]
    assert str(layer[1]["metadata"][METADATA_KEY].kind) == "z"
    with pytest.raises(ResultsError, match="There is no map other"):
        read(path, {"other": "z"})


def test_what_cannot_be_p_peaks_where_it_is_largest(write: Write) -> None:
    values = np.random.default_rng(3).normal(size=SHAPE)
    values[5, 8, 5] = 9
    statmap = open_results(write({"pain_p": values}))["pain_p"]
    assert strongest_place(statmap) == (30, 50, 40)


def test_the_peak_is_found(write: Write, z: np.ndarray) -> None:
    signed = np.where(z == 0, 0, -z)
    signed[2, 2, 2] = 5
    p = np.where(z > 0, 10.0**-z, 0)
    outside = np.where(z == 0, np.nan, z)
    folder = write({"z": z, "t": signed, "p": p, "est": outside})
    for statmap in open_results(folder).maps.values():
        assert strongest_place(statmap) == (30, 50, 40), statmap.key


def test_a_map_without_a_peak_is_shown_in_its_middle(write: Write) -> None:
    empty, nothing = np.zeros(SHAPE), np.full(SHAPE, np.nan)
    results = open_results(write({"z": empty, "stat": nothing, "p": empty}))
    for statmap in results.maps.values():
        assert strongest_place(statmap) == (10, -30, 20)


def test_the_peak_of_a_flat_cluster_is_near_its_center(write: Write) -> None:
    flat = np.zeros(SHAPE)
    flat[1:6, 4, 4] = 2.5
    results = open_results(write({"logp": flat}))
    assert strongest_place(results["logp"]) == (-10, -30, 20)


def test_clusters_that_were_tested_begin_at_the_peak_of_the_first(
    sample: ResultSet,
) -> None:
    """They have one value each; the table's first row says where one stands then."""
    tested = sample["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    assert strongest_place(tested) == strongest_place(sample["z"]) == (38, 4, 2)
    logp = sample["logp_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    assert strongest_place(logp) == (38, 4, 2)


# --- in a window ------------------------------------------------------------------


@pytest.mark.viewer
def test_a_folder_opens_as_a_scene_and_a_second_one_joins_it(
    plugin: Any, make_napari_viewer: MakeViewer, write: Write, z: np.ndarray
) -> None:
    viewer = make_napari_viewer()
    first = write({"z": z, "stat": z})
    viewer.open(f"{first}/", plugin=PLUGIN)

    assert [layer.name for layer in own(viewer)] == [
        template.UNDERLAY_TITLE,
        "uncorrected · z",
        "uncorrected · z: clusters",
    ]
    assert [layer.visible for layer in own(viewer)] == [True, True, True]
    assert viewer.canvas.overlays[CAPTION].text.startswith("uncorrected · z: ")
    assert not any(hasattr(x, "colorbar") and x.colorbar.visible for x in own(viewer))
    assert viewer.dims.point == (40, 50, 30)
    assert tuple(map(str, viewer.dims.axis_labels)) == ("z", "y", "x")
    assert {str(unit) for unit in viewer.dims.units} == {"millimeter"}
    neurological = scene.CAMERA_ORIENTATION["neurological"]
    assert viewer.scene.camera.orientation == neurological
    assert scene.current_plane(viewer) == "axial"

    # Now the user has a place, a side and a plane of their own.
    scene.set_anatomical(viewer, "radiological")
    scene.show_plane(viewer, "coronal")
    scene.look_at(viewer, -10, 10, 0)
    # A path object, as scripts give it.
    viewer.open(write({"z": z[::-1]}), plugin=PLUGIN)

    # One map at a time: the first one gives way.
    visible = [layer.visible for layer in own(viewer)]
    assert visible == [True, False, False, True, True]
    assert sum(UNDERLAY_KEY in layer.metadata for layer in viewer.layers) == 1
    assert viewer.dims.point == (0, 10, -10)
    radiological = scene.CAMERA_ORIENTATION["radiological"]
    assert viewer.scene.camera.orientation == radiological
    assert scene.current_plane(viewer) == "coronal"


@pytest.mark.viewer
def test_the_same_source_again_goes_to_the_one_that_is_open(
    plugin: Any,
    make_napari_viewer: MakeViewer,
    notifications: list[Any],
    write: Write,
    z: np.ndarray,
) -> None:
    viewer = make_napari_viewer()
    first, other = write({"z": z, "stat": z}), write({"z": z})
    viewer.open(first, plugin=PLUGIN)
    viewer.open(other, plugin=PLUGIN)
    n = len(own(viewer))
    # Written in another way, and by napari's own door for samples too.
    viewer.open(f"{first}/", plugin=PLUGIN)
    assert len(own(viewer)) == n
    shown = [map_of(one) for one in viewer.layers if map_of(one) and one.visible]
    assert [one.results.source for one in shown] == [str(first)]
    assert map_of(viewer.layers.selection.active) is shown[0]
    viewer.open_sample(PLUGIN, "pain-ale")
    viewer.open_sample(PLUGIN, "pain-ale")
    assert len(own(viewer)) == n + 2
    # What a user has deleted is opened anew.
    viewer.layers.clear()
    viewer.open(first, plugin=PLUGIN)
    assert len(own(viewer)) == 3


@pytest.mark.viewer
@pytest.mark.parametrize(
    ("first", "opened"),
    [
        ("one map", ["uncorrected · a · z"]),
        ("one of each test", ["uncorrected · a · z", "uncorrected · b · z"]),
        ("all, up to twelve", ["uncorrected · a · z", "uncorrected · a · p"]),
    ],
)
def test_preferences_say_how_many_maps_are_opened_first(
    preferences: Any,
    make_napari_viewer: MakeViewer,
    write: Write,
    z: np.ndarray,
    first: str,
    opened: list[str],
) -> None:
    preferences.view.first_maps = first
    viewer = make_napari_viewer()
    p = np.where(z > 0, 1e-5, 0.5)
    stems = {"z_desc-a": z, "p_desc-a": p, "z_desc-b": z, "p_desc-b": p}
    viewer.open(write(stems), plugin=PLUGIN)
    names = [layer.name for layer in viewer.layers if map_of(layer) is not None]
    assert set(opened) <= set(names)
    assert len(names) == {"one map": 1, "one of each test": 2}.get(first, 4)
    assert [one.name for one in viewer.layers if map_of(one) and one.visible] == [
        opened[0]
    ]


@pytest.mark.viewer
def test_reading_without_adding_leaves_the_window_alone(
    plugin: Any,
    make_napari_viewer: MakeViewer,
    notifications: list[Any],
    write: Write,
    z: np.ndarray,
) -> None:
    import npe2

    viewer = make_napari_viewer()
    orientation = viewer.scene.camera.orientation
    layers = npe2.read([str(write({"z": z}))], stack=False, plugin_name=PLUGIN)
    assert len(layers) == 2
    viewer.add_image(np.zeros((4, 5, 6)), name="somebody else's")
    assert viewer.scene.camera.orientation == orientation
    assert not scene.is_anatomical(viewer)
    # Where napari itself puts the slices.
    assert viewer.dims.point == (1, 2, 2)
    assert notifications == []


@pytest.mark.viewer
def test_preferences_leave_the_camera_and_the_underlay_alone(
    preferences: Any, make_napari_viewer: MakeViewer, write: Write, z: np.ndarray
) -> None:
    preferences.view.orientation = "leave alone"
    preferences.view.underlay = False
    viewer = make_napari_viewer()
    orientation = viewer.scene.camera.orientation
    viewer.open(write({"z": z}), plugin=PLUGIN)
    assert [layer.name for layer in own(viewer)] == [
        "uncorrected · z",
        "uncorrected · z: clusters",
    ]
    assert viewer.scene.camera.orientation == orientation
    assert not scene.is_anatomical(viewer)
    assert viewer.dims.point == (40, 50, 30)

    preferences.view.orientation = "radiological"
    preferences.view.underlay = True
    viewer.layers.clear()
    viewer.open(write({"z": z}), plugin=PLUGIN)
    radiological = scene.CAMERA_ORIENTATION["radiological"]
    assert viewer.scene.camera.orientation == radiological
    assert len(own(viewer)) == 3

    preferences.reading.limit_mib = 16
    huge = nib.Nifti1Image(np.zeros((160, 160, 160), np.uint8), np.eye(4))
    folder = write({})
    huge.to_filename(folder / "z.nii")
    with pytest.raises(ResultsError, match="the limit is 16 MiB"):
        viewer.open(folder, plugin=PLUGIN)


@pytest.mark.viewer
def test_the_notification_tells_and_its_buttons_work(
    plugin: Any,
    make_napari_viewer: MakeViewer,
    notifications: list[Any],
    write: Write,
    z: np.ndarray,
) -> None:
    from qtpy.QtWidgets import QApplication

    folder = write({f"z_desc-contrast{n:02}": z for n in range(15)}, name="many")
    (folder / "logp.nii.gz").write_bytes(b"this is no image")
    viewer = make_napari_viewer()
    viewer.open(folder, plugin=PLUGIN)
    (told,) = notifications

    first, *lines = told.message.split("\n")
    assert first.startswith("many: 15 maps. Shown: z, contrast00, uncorrected, z >= 3")
    assert "2 voxels" in first
    shown = sum(map_of(layer) is not None for layer in viewer.layers)
    assert shown == 1
    assert "14 more in the tab Maps of the panel." in lines
    assert "1 problem:" in lines
    assert any("logp.nii.gz" in line for line in lines)
    assert str(told.severity) == "warning"

    actions = dict(told.actions)
    assert list(actions) == ["All maps...", "Copy diagnostics"]
    actions["All maps..."](None)
    (panel,) = viewer.window.dock_widgets.values()
    assert panel.tabs.tabText(panel.tabs.currentIndex()) == "Maps"
    actions["Copy diagnostics"](None)
    copied = QApplication.clipboard().text()
    assert f"source: {folder}" in copied
    assert copied.count("map: z_desc-contrast") == 15
    assert "problem: " in copied
    assert f"{PLUGIN} " in copied


@pytest.mark.viewer
def test_a_folder_without_maps_says_so_in_the_window(
    plugin: Any,
    make_napari_viewer: MakeViewer,
    notifications: list[Any],
    write: Write,
    z: np.ndarray,
) -> None:
    viewer = make_napari_viewer()
    above = write({"z": z}, name="above/below").parent
    with pytest.raises(ResultsError, match=r"sub-folders do \(below\)"):
        viewer.open(above, plugin=PLUGIN)
    assert len(viewer.layers) == 0
    # The next one opens as if nothing had happened.
    viewer.open([str(above / "below" / "z.nii.gz")], stack=True, plugin=PLUGIN)
    assert viewer.layers[1].name == "uncorrected · z"
    assert len(notifications) == 1


@pytest.mark.viewer
def test_a_broken_map_is_told_and_the_others_are_shown(
    plugin: Any,
    make_napari_viewer: MakeViewer,
    notifications: list[Any],
    write: Write,
    rng: np.random.Generator,
    z: np.ndarray,
) -> None:
    folder = write({"z": rng.normal(size=SHAPE), "stat": z})
    damaged = bytearray((folder / "z.nii.gz").read_bytes())
    damaged[-6] ^= 0xFF  # the checksum: only reading the voxels shows it
    (folder / "z.nii.gz").write_bytes(damaged)
    viewer = make_napari_viewer()
    viewer.open(folder, plugin=PLUGIN)
    names = [layer.name for layer in viewer.layers]
    assert names[:2] == [template.UNDERLAY_TITLE, "statistic"]
    (told,) = notifications
    assert "1 problem:" in told.message
    assert "z.nii.gz" in told.message


@pytest.mark.viewer
def test_dropping_files_on_the_canvas_opens_them(
    plugin: Any, make_napari_viewer: MakeViewer, write: Write, z: np.ndarray
) -> None:
    from napari.settings import get_settings
    from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
    from qtpy.QtGui import QDropEvent

    viewer = make_napari_viewer()
    folder = write({"z": z, "logp": z})

    def drop(*paths: Path) -> None:
        # What a user chose once in napari's dialog of readers.
        get_settings().plugins.extension2reader = {"*": PLUGIN}
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        event = QDropEvent(
            QPointF(100, 100),
            Qt.DropAction.CopyAction,
            mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        viewer.window._qt_viewer.dropEvent(event)

    drop(folder / "z.nii.gz")
    assert [layer.name for layer in viewer.layers][:2] == [
        template.UNDERLAY_TITLE,
        "uncorrected · z",
    ]
    assert scene.is_anatomical(viewer)
    viewer.layers.clear()
    drop(folder)
    assert len(own(viewer)) == 3
    viewer.layers.clear()
    drop(folder / "z.nii.gz", folder / "logp.nii.gz")
    shown = [map_of(layer) for layer in viewer.layers if map_of(layer) is not None]
    assert {statmap.key for statmap in shown} == {"z", "logp"}


def test_maps_are_added_one_by_one_and_broken_ones_told(
    write: Write, z: np.ndarray
) -> None:
    from napari.components import ViewerModel

    folder = write({"z": z, "t": z, "stat": z})
    results = open_results(folder)
    (folder / "t.nii.gz").unlink()
    viewer = ViewerModel()
    problems = add_maps(viewer, [results[key] for key in ("z", "t", "stat")])
    assert [map_of(layer) for layer in viewer.layers] == [results["z"], results["stat"]]
    assert [layer.visible for layer in viewer.layers] == [True, False]
    assert len(problems) == 1
    assert "t.nii.gz" in problems[0]


def test_a_map_taken_out_of_its_folder_says_what_the_folder_would_add(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    values = np.zeros(SHAPE)
    values[4, 4, 4] = 4
    folder = write({"z": values, "p": np.full(SHAPE, 0.5)})
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / "z.nii.gz", alone)
    hint = "Open its whole folder, so that its p map"
    for path, hinted in (
        (folder / "z.nii.gz", True),
        (folder, False),
        (alone / "z.nii.gz", False),
    ):
        results = open_results(path)
        text, _ = opening_message(results, build_layers(results, underlay=False))
        assert (hint in text) is hinted


@pytest.mark.viewer
def test_dropping_a_link_on_the_canvas_opens_it(
    plugin: Any, make_napari_viewer: MakeViewer, web: LocalServers, z: np.ndarray
) -> None:
    from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
    from qtpy.QtGui import QDropEvent

    collection = web.add_collection("Pain")
    collection.add_image("z.nii.gz", z)
    viewer = make_napari_viewer()
    data = QMimeData()
    data.setUrls([QUrl(f"{web.neurovault}/collections/{collection.id}/")])
    event = QDropEvent(
        QPointF(10, 10),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    viewer.window._qt_viewer.dropEvent(event)
    assert viewer.layers[1].name == "uncorrected · z"


def test_what_a_reader_may_open(web: LocalServers, tmp_path: Path) -> None:
    for path in (
        *("https://neurovault.org/collections/1425/", "neurovault://collections/1"),
        *(f"{web.compose}/meta-analyses/Meta00000000", "x.zip", str(tmp_path)),
    ):
        assert get_reader(path) is not None, path
    for path in (
        *("https://neurovault.org/search", "https://example.org/collections/1/"),
        *("https://example.org/z.png", "table.csv"),
    ):
        assert get_reader(path) is None, path


def test_preferences_choose_servers_and_the_environment_wins(
    preferences: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from napari_neurosynth_results.viewer.settings import read_settings

    monkeypatch.delenv("NNR_CACHE_DIR")
    monkeypatch.delenv("NNR_OFFLINE")
    preferences.servers.neurovault = "https://mirror.example/"
    preferences.servers.cache_dir = str(tmp_path / "kept")
    preferences.servers.cache_mib = 100
    preferences.servers.offline = True
    online = read_settings().online
    assert (online.neurovault, online.offline) == ("https://mirror.example", True)
    assert (online.cache_dir, online.cache_bytes) == (tmp_path / "kept", 100 * 2**20)
    monkeypatch.setenv("NNR_NEUROVAULT_URL", "http://localhost:1/")
    monkeypatch.setenv("NNR_OFFLINE", "0")
    online = read_settings().online
    assert (online.neurovault, online.offline) == ("http://localhost:1", False)
    monkeypatch.delenv("NNR_NEUROVAULT_URL")
    preferences.servers.neurovault = "http://mirror.example"
    with pytest.raises(ResultsError, match="Preferences > neurovault has to be"):
        read_settings()


# --- images of a brain ----------------------------------------------------------------


@pytest.mark.slow
def test_an_image_of_a_brain_becomes_the_underlay(
    plugin: Any, make_napari_viewer: MakeViewer, write: Write, z: np.ndarray
) -> None:
    viewer = make_napari_viewer()
    viewer.open(write({"z": z}), plugin=PLUGIN)
    caption = viewer.canvas.overlays[CAPTION].text
    brain = np.arange(z.size, dtype=np.float32).reshape(z.shape)
    viewer.open(write({"sub-01_T1w": brain}) / "sub-01_T1w.nii.gz", plugin=PLUGIN)
    anatomy, packaged, shown, *_ = viewer.layers
    assert [anatomy.name, packaged.name] == ["sub-01_T1w", template.UNDERLAY_TITLE]
    seen = [layer.visible for layer in (anatomy, packaged, shown)]
    assert seen == [True, False, True]
    assert UNDERLAY_KEY in anatomy.metadata
    assert np.array_equal(anatomy.data, brain.T)
    assert anatomy.contrast_limits[0] == 0
    assert anatomy.contrast_limits[1] > 0.9 * brain.max()
    # It is no map: it has neither a threshold nor a caption.
    assert map_layers(viewer) == [shown]
    assert viewer.canvas.overlays[CAPTION].text == caption


@pytest.mark.usefixtures("plugin")
def test_any_image_can_be_taken_for_an_anatomy(
    viewer: Any, write: Write, z: np.ndarray
) -> None:
    path = write({"z": np.abs(z) + 1}) / "z.nii.gz"
    use_anatomy(viewer, str(path))
    (own,) = viewer.layers
    assert UNDERLAY_KEY in own.metadata
    assert map_of(own).kind.row.lies_below
    assert map_layers(viewer) == []
    with pytest.raises(ResultsError):
        use_anatomy(viewer, str(path.with_name("nothing.nii.gz")))


@pytest.mark.slow
def test_an_anatomy_alone_opens_as_the_only_layer(
    plugin: Any, make_napari_viewer: MakeViewer, write: Write, z: np.ndarray
) -> None:
    viewer = make_napari_viewer()
    viewer.open(write({"mprage": np.abs(z)}) / "mprage.nii.gz", plugin=PLUGIN)
    assert [layer.name for layer in viewer.layers] == ["mprage"]
    assert viewer.layers[0].visible
