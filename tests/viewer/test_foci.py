"""Foci in the viewer: where they are drawn, through which slab, and who lets go."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from napari.layers import Layer
from qtpy.QtWidgets import QApplication

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.foci import (
    FOCI_KEY,
    SLAB_MM,
    foci_layer,
    foci_layers,
    light_up,
    lit_studies,
    set_slab,
    show_foci,
    slab_of,
    studies_behind,
    studies_of,
)
from napari_neurosynth_results.viewer.layers import map_layer
from napari_neurosynth_results.viewer.palette import study_colors

pytestmark = pytest.mark.usefixtures("underlay")

AXES = {"axial": 2, "coronal": 1, "sagittal": 0}


def study(name: str, *places: Any, used: bool = True, **more: Any) -> Study:
    foci = tuple(Focus(*place, "MNI", False, "T", 4.5) for place in places)
    analysis = Analysis("1", f"{name} > rest", foci, int(used), 12)
    return Study(name, f"Study {name}", analyses=(analysis,), **more)


@pytest.fixture
def studies() -> Studies:
    """Return two studies that count, and a third that does not."""
    return Studies(
        (
            study("a", (-40, 20, 10), (-40, 20, 13), year=2005, doi="10.1/a"),
            study("unused", (5, 5, 5), used=False),
            study("b", (40, 20, 10), (0, 0, 60)),
        )
    )


def seen(layer: Any) -> dict[tuple[float, ...], float]:
    """Return the (x, y, z) of the foci that are seen now, and their sizes."""
    places = millimeters(layer)[layer._view_indices][:, ::-1].round(6)
    sizes = layer._view_size * layer.scale[-1]
    return {
        tuple(map(float, place)): float(size)
        for place, size in zip(places, sizes, strict=True)
    }


def millimeters(layer: Any) -> npt.NDArray[np.float64]:
    """Return where the points of a layer lie, (z, y, x)."""
    return np.array([layer.data_to_world(point) for point in layer.data]).reshape(-1, 3)


def rows(layer: Any, name: str) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (layer.features["study"] == f"Study {name}").values
    return found


def test_the_layer_is_in_millimeters_and_tells_of_each_focus(studies: Studies) -> None:
    data, keywords, kind = foci_layer(studies)
    assert kind == "points"
    assert keywords["name"] == "Foci of 2 studies"
    assert keywords["units"] == ("mm",) * 3
    mm = data * keywords["scale"]
    np.testing.assert_allclose(
        mm, [[10, 20, -40], [13, 20, -40], [10, 20, 40], [60, 0, 0]]
    )
    np.testing.assert_allclose(keywords["features"][["z", "y", "x"]], mm)
    assert list(keywords["features"]) == [
        *("study", "analysis", "year", "doi", "statistic", "value", "space"),
        *("participants", "x", "y", "z"),
    ]
    assert keywords["features"]["participants"].tolist() == [12] * 4


def test_each_study_keeps_its_color(studies: Studies) -> None:
    colors = foci_layer(studies)[1]["face_color"]
    wanted = study_colors(np.array([0, 0, 2, 2]))
    np.testing.assert_array_equal(colors, wanted)
    np.testing.assert_array_equal(study_colors(np.array([21])), wanted[:1])
    assert len(np.unique(study_colors(np.arange(21)), axis=0)) == 21


def test_what_a_study_says_of_its_space_is_told() -> None:
    foci = (Focus(0, 0, 0, "TAL", True), Focus(0, 0, 0), Focus(0, 0, 0, "MNI"))
    one = Studies((Study("s", "s", analyses=(Analysis("1", "1", foci),)),))
    told = foci_layer(one)[1]["features"]["space"]
    assert list(told) == ["TAL to MNI", "unknown", "MNI"]


def test_a_focus_out_of_any_head_does_not_move_the_camera(viewer: Any) -> None:
    layer = show_foci(viewer, Studies((study("a", (0, 0, 0), (0, 0, 900)),)))
    assert layer.data.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("plane", AXES)
def test_the_slab_lies_around_the_slice_of_each_plane(viewer: Any, plane: str) -> None:
    axis = AXES[plane]
    places = [
        tuple(mm if i == axis else 0.0 for i in range(3))
        for mm in (-14.0, -6, -4, 0, 4, 6, 14)
    ]
    layer = show_foci(viewer, Studies((study("a", *places),)))
    scene.show_plane(viewer, plane)  # type: ignore[arg-type]
    scene.look_at(viewer, 0, 0, 0)
    assert slab_of(layer) == SLAB_MM == 10
    assert {place[axis] for place in seen(layer)} == {-4, 0, 4}
    scene.look_at(viewer, *(10 if i == axis else 0 for i in range(3)))
    assert {place[axis] for place in seen(layer)} == {6, 14}
    set_slab(layer, 30)
    assert {place[axis] for place in seen(layer)} == {-4, 0, 4, 6, 14}
    size = seen(layer)[places[4]]
    set_slab(layer, None)
    assert slab_of(layer) is None
    assert len(seen(layer)) == 7
    # In a thicker slab it lies nearer, by comparison.
    assert seen(layer)[places[4]] > size
    np.testing.assert_allclose(
        millimeters(layer)[:, 2 - axis], [p[axis] for p in places]
    )


def test_what_is_nearer_is_larger(viewer: Any) -> None:
    places = [(mm, 0.0, float(mm)) for mm in (0, 1, 2, 3, 4)]
    layer = show_foci(viewer, Studies((study("a", *places),)))
    scene.look_at(viewer, 0, 0, 0)
    sizes = list(seen(layer).values())
    assert len(sizes) == 5
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 5


def test_in_3d_all_are_spheres(viewer: Any, studies: Studies) -> None:
    layer = show_foci(viewer, studies)
    scene.show_3d(viewer)
    assert len(layer._view_indices) == 4
    assert str(layer.shading) == "spherical"
    assert layer.blending == "translucent"
    scene.show_plane(viewer, "axial")
    assert str(layer.shading) == "none"
    assert layer.blending == "translucent_no_depth"


def test_maps_are_not_averaged_over_the_slab(viewer: Any, studies: Studies) -> None:
    """As they would be if the viewer's own thickness were used."""
    before = viewer.layers[0]._slice.image.view.copy()
    layer = show_foci(viewer, studies)
    set_slab(layer, 50)
    np.testing.assert_array_equal(viewer.layers[0]._slice.image.view, before)


def test_the_slider_keeps_its_steps(viewer: Any, studies: Studies) -> None:
    before = viewer.dims.range
    layer = show_foci(viewer, studies)
    assert viewer.dims.range == before
    set_slab(layer, None)
    assert viewer.dims.range == before


def test_beside_a_stack_of_maps_the_slab_means_space(
    viewer: Any, studies: Studies
) -> None:
    layer = show_foci(viewer, studies)
    viewer.add_image(np.zeros((3, 4, 4, 4)), scale=(1, 20, 20, 20))
    scene.look_at(viewer, 0, 0, 12)
    assert set(seen(layer)) == {(-40, 20, 10), (-40, 20, 13), (40, 20, 10)}


def test_each_layer_has_its_slab(viewer: Any, studies: Studies) -> None:
    layer = show_foci(viewer, studies)
    other = show_foci(viewer, Studies((study("c", (1, 2, 3)),)))
    set_slab(layer, 30)
    set_slab(other, 0)
    assert (slab_of(layer), slab_of(other)) == (30, 1)


@pytest.mark.slow
def test_showing_the_same_again_adds_nothing(viewer: Any, studies: Studies) -> None:
    layer = show_foci(viewer, studies)
    layer.visible = False
    assert show_foci(viewer, copy.copy(studies)) is layer
    assert layer.visible
    assert foci_layers(viewer) == [layer]
    other = show_foci(viewer, Studies((study("c", (1, 2, 3)),)), "Mine")
    assert other.name == "Mine"
    assert foci_layers(viewer) == [layer, other]


def test_the_active_layer_stays_active(viewer: Any, studies: Studies) -> None:
    viewer.layers.selection.active = viewer.layers[0]
    show_foci(viewer, studies)
    assert viewer.layers.selection.active is viewer.layers[0]


def test_a_study_is_lit_up_above_the_others_and_all_comes_back(
    viewer: Any, studies: Studies
) -> None:
    layer = show_foci(viewer, studies)
    set_slab(layer, 25)
    before = (millimeters(layer), layer.features.copy(), layer.face_color.copy())
    size = layer.size[0]
    light_up(layer, ["a"])
    assert lit_studies(layer) == {"a"}
    # What comes last is drawn on top; data and features go together.
    assert rows(layer, "a").tolist() == [False, False, True, True]
    np.testing.assert_allclose(millimeters(layer)[rows(layer, "a")][:, 2], -40)
    for axis in "xyz":
        mm = millimeters(layer)[:, "zyx".index(axis)]
        np.testing.assert_allclose(mm, layer.features[axis])
    set_slab(layer, 20)
    np.testing.assert_allclose(millimeters(layer)[:, 2], layer.features["x"])
    size *= 25 / 20
    lit = rows(layer, "a")
    assert (layer.size[lit] > size).all()
    assert (layer.size[~lit] <= size).all()
    assert (layer.border_color[lit] == 1).all()
    assert (layer.border_color[~lit][:, 3] == 0).all()
    assert (layer.face_color[lit][:, 3] == 1).all()
    assert (layer.face_color[~lit][:, 3] < 0.5).all()
    np.testing.assert_array_equal(layer.face_color[lit], study_colors(np.zeros(2, int)))
    light_up(layer, [])
    assert (layer.face_color[:, 3] < 0.5).all()
    light_up(layer, None)
    assert lit_studies(layer) is None
    np.testing.assert_allclose(millimeters(layer), before[0])
    assert layer.features.equals(before[1])
    np.testing.assert_array_equal(layer.face_color, before[2])
    np.testing.assert_allclose(layer.size, size)


def test_points_cannot_be_moved(viewer: Any, studies: Studies) -> None:
    """They would disagree with the studies."""
    layer = show_foci(viewer, studies)
    assert not layer.editable
    light_up(layer, ["b"])
    scene.show_3d(viewer)
    scene.show_plane(viewer, "axial")
    assert not layer.editable


def test_a_copy_of_the_layer_shows_the_same_studies(
    viewer: Any, studies: Studies
) -> None:
    from napari.layers import Layer

    layer = show_foci(viewer, studies)
    light_up(layer, ["a"])
    data, keywords, kind = copy.deepcopy(layer.as_layer_data_tuple())
    assert keywords["metadata"][FOCI_KEY].studies is studies
    twin = viewer.add_layer(Layer.create(data, keywords, kind))
    light_up(twin, None)
    assert twin.data.tolist() == foci_layer(studies)[0].tolist()
    assert lit_studies(layer) == {"a"}


def test_removing_the_layer_undoes_all(viewer: Any, studies: Studies) -> None:
    emitters = (viewer.layers.events.removed, viewer.dims.events.ndisplay)
    before = [len(emitter.callbacks) for emitter in emitters]
    first = show_foci(viewer, studies)
    second = show_foci(viewer, Studies((study("c", (1, 2, 3)),)))
    viewer.layers.remove(first)
    scene.show_3d(viewer)
    assert str(second.shading) == "spherical"
    viewer.layers.remove(second)
    assert [len(emitter.callbacks) for emitter in emitters] == before
    scene.show_plane(viewer, "axial")
    again = show_foci(viewer, studies)
    scene.show_3d(viewer)
    assert str(again.shading) == "spherical"


def test_a_map_of_others_has_no_studies(viewer: Any) -> None:
    assert studies_of(viewer.layers[0]) is None
    assert foci_layers(viewer) == []


def test_foci_of_one_result_say_nothing_of_another(
    viewer: Any,
    sample: ResultSet,
    opened: Callable[..., ResultSet],
    inside: npt.NDArray[np.bool_],
    studies: Studies,
) -> None:
    other = opened({"z": inside * 3.0})
    for statmap in (sample["z"], other["z"]):
        viewer.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))
    assert sample.studies is not None
    show_foci(viewer, sample.studies)
    assert studies_behind(viewer, sample) is sample.studies
    assert studies_behind(viewer, other) is None
    # Those of a file serve what brings none.
    show_foci(viewer, studies)
    assert studies_behind(viewer, other) is studies
    assert studies_behind(viewer, sample) is sample.studies


def test_no_foci_at_all(viewer: Any) -> None:
    layer = show_foci(viewer, Studies((study("a"),)))
    light_up(layer, ["a"])
    light_up(layer, None)
    assert len(layer.data) == 0


def test_a_removed_layer_is_let_go(viewer: Any, studies: Studies) -> None:
    layer = weakref.ref(show_foci(viewer, studies))
    light_up(layer(), ["a"])
    viewer.layers.remove(layer())
    # napari itself keeps the layer that was active last.
    viewer.layers.selection.active = viewer.add_image(np.zeros((3, 3, 3)))
    gc.collect()
    assert layer() is None


def test_a_viewer_is_let_go_though_a_layer_stays(qapp: Any, studies: Studies) -> None:
    from napari.components import ViewerModel

    model = ViewerModel()
    layer = show_foci(model, studies)
    scene.show_3d(model)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    set_slab(layer, 20)
    assert slab_of(layer) == 20


@pytest.mark.viewer
def test_left_is_left_and_a_lit_study_lies_on_top(
    make_napari_viewer_proxy: Callable[..., Any],
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    both = [(-40, 30, 0), (40, -30, 0)]
    layer = show_foci(viewer, Studies((study("a", both[0]), study("b", *both))))
    viewer.add_points([[0, -80, -80], [0, 80, 80]], size=1, opacity=0, units=["mm"] * 3)
    scene.set_anatomical(viewer, "neurological")
    scene.show_plane(viewer, "axial")
    scene.look_at(viewer, 0, 0, 0)
    # The first study of two is orange: more red than blue; the second is sky blue.
    assert sides(viewer, red=False) == {("left", "top"), ("right", "bottom")}
    light_up(layer, ["a"])
    assert sides(viewer, red=True) == {("left", "top")}
    scene.set_anatomical(viewer, "radiological")
    assert sides(viewer, red=True) == {("right", "top")}
    status = layer.get_status((0, 30, -40), world=True)
    assert "Study a" in str(status)
    assert "participants: 12" in str(status)
    scene.show_3d(viewer)
    viewer.canvas.overlays.axes.visible = False
    assert sides(viewer, red=True) == {("right", "top")}


def sides(viewer: Any, *, red: bool) -> set[tuple[str, str]]:
    """Say in which quarters of the canvas there is a color."""
    for _ in range(5):
        QApplication.processEvents()
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    more = picture[..., 0] - picture[..., 2]
    rows, columns = np.nonzero(more > 60 if red else more < -60)
    height, width = picture.shape[:2]
    return {
        (
            "left" if column < width / 2 else "right",
            "top" if r < height / 2 else "bottom",
        )
        for r, column in zip(rows.tolist(), columns.tolist(), strict=True)
    }
