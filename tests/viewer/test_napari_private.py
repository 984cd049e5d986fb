"""What napari does not promise is still there, and is used in one file only."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_neurosynth_results
from napari_neurosynth_results.viewer import napari_private
from napari_neurosynth_results.viewer.settings import stored_preferences

PACKAGE = Path(napari_neurosynth_results.__file__).parent
#: The rooms that may know napari at all.
SOURCES = [
    path
    for room in ("viewer", "widgets", "cli")
    for path in sorted((PACKAGE / room).rglob("*.py"))
    if path.name not in ("napari_private.py", "napari_overlays.py")
]
#: As strings these are found wherever they stand.
NAMES = {
    napari_private.BLOCK_REFRESH,
    napari_private.MAIN_WINDOW,
    napari_private.PLACED,
    napari_private.REBUILD_COLORS,
    napari_private.SHOWN_SLICE,
    napari_private.THUMBNAIL,
    napari_private.WRAPPED,
}


@pytest.fixture
def labels() -> Any:
    """Return a layer of labels."""
    from napari.layers import Labels

    return Labels(np.zeros((3, 4, 5), np.uint8))


def test_layers_have_a_block_for_refreshing(labels: Any) -> None:
    name = napari_private.BLOCK_REFRESH
    assert hasattr(labels, name), f"napari's Layer has no {name} any more"
    told: list[object] = []
    labels.events.set_data.connect(told.append)
    with napari_private.refreshed_once(labels):
        labels.refresh()
    assert not told
    labels.refresh()
    assert told


@pytest.mark.parametrize(
    ("gone", "ours"),
    [
        ("napari._vispy.overlays.base", False),
        ("vispy.gloo", False),
        ("napari_neurosynth_results.viewer.napari_overlays", True),
    ],
)
def test_words_go_without_what_napari_has_changed_and_no_fault_is_hidden(
    monkeypatch: pytest.MonkeyPatch, gone: str, ours: bool
) -> None:
    assert napari_private.drawn_overlays() is not None
    name = "napari_neurosynth_results.viewer.napari_overlays"
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(napari_neurosynth_results.viewer, "napari_overlays")
    # As Python marks what cannot be imported.
    monkeypatch.setitem(sys.modules, gone, None)
    if ours:
        with pytest.raises(ImportError):
            napari_private.drawn_overlays()
    else:
        assert napari_private.drawn_overlays() is None


def test_stand_ins_say_what_they_stand_for(labels: Any) -> None:
    from napari.utils._proxies import PublicOnlyProxy

    name = napari_private.WRAPPED
    stand_in = PublicOnlyProxy(labels)
    assert hasattr(stand_in, name), f"napari's PublicOnlyProxy has no {name} any more"
    assert napari_private.unproxied(stand_in) is labels
    assert napari_private.unproxied(labels) is labels


def test_the_canvas_rebuilds_colors_by_the_same_name() -> None:
    from napari._vispy.layers.labels import VispyLabelsLayer

    name = napari_private.REBUILD_COLORS
    assert hasattr(VispyLabelsLayer, name), (
        f"napari's VispyLabelsLayer has no {name} any more"
    )


def test_what_is_written_is_shown_without_cutting_a_slice() -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    voxels = np.zeros((3, 4, 5), np.float32)
    layer = viewer.add_image(voxels, contrast_limits=(0, 1))
    name, told = napari_private.SHOWN_SLICE, []
    layer.events.set_data.connect(told.append)
    voxels[:] = 2
    before = getattr(layer, name, None)
    assert before is not None, f"napari's layers have no {name} any more"
    napari_private.show_written(layer, voxels)
    assert (before == 2).all()
    assert getattr(layer, name) is before
    assert len(told) == 1
    # What napari rescales for the graphics card is no view: it is cut anew.
    layer.contrast_limits = (0, 3e38)
    layer.contrast_limits = (-3e38, 3e38)
    layer.refresh()
    rescaled = np.array(getattr(layer, name))
    voxels[:] = 1e38
    napari_private.show_written(layer, voxels)
    assert not np.array_equal(getattr(layer, name), rescaled)
    layer.visible = False
    told.clear()
    napari_private.show_written(layer, voxels)
    assert not told


def test_the_canvas_keeps_the_place_of_what_is_written() -> None:
    from napari._vispy.layers.base import VispyBaseLayer
    from napari.components import ViewerModel

    name = napari_private.PLACED
    assert hasattr(VispyBaseLayer, name), f"napari's canvas has no {name} any more"
    done: list[str] = []

    class Canvas:
        def draw(self) -> None:
            done.append("drawn")
            getattr(self, name)()

    setattr(Canvas, name, lambda self: done.append("placed"))
    canvas, voxels = Canvas(), np.zeros((3, 4, 5), np.float32)
    layer = ViewerModel().add_image(voxels, contrast_limits=(0, 1))
    layer.events.set_data.connect(canvas.draw)
    napari_private.show_written(layer, voxels)
    assert done == ["drawn"]
    layer.refresh()
    assert done == ["drawn", "drawn", "placed"]


def test_limits_paint_no_thumbnail_while_nobody_looks() -> None:
    from napari.layers import Image

    layer, name = Image(np.eye(4), contrast_limits=(0, 1)), napari_private.THUMBNAIL
    assert hasattr(layer, name), f"napari's layers have no {name} any more"
    before = layer.thumbnail
    with napari_private.without_thumbnail(layer):
        layer.contrast_limits = (0.5, 2)
    assert layer.thumbnail is before
    layer.refresh()
    assert not np.array_equal(layer.thumbnail, before)


def test_bound_methods_are_kept_as_pairs_of_weak_reference_and_name(
    labels: Any,
) -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    viewer.add_layer(labels)
    owners = [
        callback[0]()
        for callback in labels.events.data.callbacks
        if isinstance(callback, tuple)
    ]
    assert viewer in owners, (
        "napari's EventEmitter.callbacks has no pairs of a weak reference and a name, "
        "or ViewerModel does not listen to the data of layers, any more"
    )


def test_new_data_disturb_nobody_who_needs_not_know(
    labels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.components import ViewerModel

    compared: list[object] = []
    measured: list[object] = []
    monkeypatch.setattr(ViewerModel, "__eq__", lambda *of: compared.append(of))

    def _on_layers_change(self: Any) -> None:
        measured.append(self)

    monkeypatch.setattr(ViewerModel, "_on_layers_change", _on_layers_change)

    class Canvas:
        def __init__(self) -> None:
            self.told = 0

        def rebuild(self, event: object = None) -> None:
            self.told += 1

    # Listeners are known by this name.
    Canvas.rebuild.__name__ = napari_private.REBUILD_COLORS
    setattr(Canvas, napari_private.REBUILD_COLORS, Canvas.rebuild)
    canvas, viewer = Canvas(), ViewerModel()
    viewer.add_layer(labels)
    labels.events.data.connect(getattr(canvas, napari_private.REBUILD_COLORS))
    compared.clear()
    measured.clear()
    with napari_private.undisturbed(viewer, labels, recolored=False):
        labels.events.data()
    assert canvas.told == 0
    assert measured == []
    # Part by part, which takes a twentieth of a step.
    assert compared == []
    with napari_private.undisturbed(viewer, labels, recolored=True):
        labels.events.data()
    assert canvas.told == 1
    assert measured == []
    labels.events.data()
    assert canvas.told == 2
    assert measured


#: What npe2 says in tests where it is asked to look for plugins.
REFUSES = "refusing to discover"


@pytest.mark.usefixtures("plugin")
def test_manifests_that_are_known_are_not_read_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    preferences = stored_preferences()
    assert preferences.view.panel
    assert REFUSES not in caplog.text


@pytest.mark.usefixtures("npe2pm", "plugin_settings")
def test_plugins_are_looked_for_where_this_one_is_not_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert stored_preferences() is None
    assert REFUSES in caplog.text


def test_a_camera_is_turned_in_planes_without_its_direction_in_3d() -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    camera, told = viewer.scene.camera, []
    heard = camera.events.view_direction
    heard.connect(told.append)
    heard.connect(lambda event: told.append(event))
    before = heard.callbacks
    with napari_private.seen_in_planes(viewer):
        camera.orientation = ("away", "up", "right")
    assert told == []
    assert heard.callbacks == before
    viewer.dims.ndisplay = 3
    with napari_private.seen_in_planes(viewer):
        camera.orientation = ("towards", "up", "right")
    assert len(told) == 2


@pytest.mark.viewer
def test_a_window_is_painted_again_after_changes_also_when_they_fail(
    window: Any,
) -> None:
    main = napari_private.main_window(window)

    def change() -> None:
        with napari_private.painted_once(window):
            assert not main.updatesEnabled()
            with napari_private.painted_once(window):
                pass
            assert not main.updatesEnabled()
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        change()
    assert main.updatesEnabled()


def test_labels_may_be_added_in_3d_before_any_mouse_moves() -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel(ndisplay=3)
    viewer.add_image(np.ones((4, 5, 6)))
    assert getattr(viewer.cursor, napari_private.VIEW_DIRECTION) is None
    napari_private.give_direction(viewer)
    features = {"name": ["", "a cluster"]}
    viewer.add_labels(np.ones((4, 5, 6), int), features=features)
    assert np.size(getattr(viewer.cursor, napari_private.VIEW_DIRECTION)) == 3


@pytest.mark.viewer
def test_a_viewer_has_a_main_window(window: Any) -> None:
    from qtpy.QtWidgets import QMainWindow

    name = napari_private.MAIN_WINDOW
    found = napari_private.main_window(window)
    assert isinstance(found, QMainWindow), f"napari's Window has no {name} any more"


@pytest.mark.viewer
@pytest.mark.parametrize("name", ["MAIN_WINDOW", "OPEN_WINDOWS"])
def test_without_a_name_no_window_counts_as_closed(
    window: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not napari_private.is_closed(window)
    monkeypatch.setattr(napari_private, name, "_gone")
    assert not napari_private.is_closed(window)


def test_colors_are_looked_up_in_a_table_of_that_length() -> None:
    from vispy.color import colormap

    assert colormap.LUT_len == napari_private.COLOR_TABLE, "vispy has another LUT_len"


def test_no_other_file_uses_what_is_not_public() -> None:
    found = {
        str(path.relative_to(PACKAGE)): uses
        for path in SOURCES
        if (uses := list(private_uses(path.read_text(encoding="utf-8"))))
    }
    assert found == {}
    assert len(SOURCES) > 50


@pytest.mark.parametrize(
    "code",
    [
        "viewer.window._qt_window.show()",
        "layer._slice",
        "layer.__wrapped__",
        "getattr(layer, '_block_refresh', None)",
        "hasattr(viewer.window, '_qt_viewer')",
        "name == '_on_colormap_change'",
        "from napari._vispy.layers.labels import VispyLabelsLayer",
        "from napari.utils import _proxies",
        "import napari._app_model",
        "from vispy.color import Colormap",
    ],
)
def test_what_is_not_public_is_found(code: str) -> None:
    assert list(private_uses(code))


def private_uses(code: str) -> Any:
    """List the lines that use what other packages keep to themselves."""
    nodes = list(ast.walk(ast.parse(code)))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    own |= {node.attr for node in attributes if is_own(node)}
    for node in attributes:
        # What a file has itself, it may use of another object of its own.
        if is_private(node.attr) and not is_own(node) and node.attr not in own:
            yield node.lineno, node.attr
    for node in nodes:
        if isinstance(node, ast.Import):
            modules = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{one.name}" for one in node.names]
        else:
            modules = []
        if any(map(is_private_module, modules)):
            yield node.lineno, modules
        if isinstance(node, ast.Constant) and node.value in NAMES:
            yield node.lineno, node.value
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("getattr", "hasattr", "setattr", "delattr")
            and isinstance(node.args[1], ast.Constant)
            and is_private(str(node.args[1].value))
        ):
            yield node.lineno, node.args[1].value


def is_own(node: ast.Attribute) -> bool:
    """Whether an attribute is one of the object that a method belongs to."""
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def is_private(name: str) -> bool:
    """Whether a name is private; those of Python's own protocols are not."""
    return name in NAMES or re.match(r"_(?!_)", name) is not None


def is_private_module(name: str) -> bool:
    """Whether something is imported that napari does not promise, or vispy."""
    first, *rest = name.split(".")
    return first == "vispy" or (first == "napari" and any(map(is_private, rest)))
