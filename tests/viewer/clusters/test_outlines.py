"""Outlines run around clusters, in voxels that belong to none."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    choose,
    cluster_layer,
    map_layers,
    show_clusters,
)
from napari_neurosynth_results.viewer.clusters.outlines import (
    Outlines,
    outlines_in,
    outlines_of,
)
from napari_neurosynth_results.viewer.layers import METADATA_KEY, map_layer

VOLUMES = arrays(
    np.uint8, st.tuples(*[st.integers(2, 5)] * 3), elements=st.integers(0, 3)
)
COLORS = np.array(
    [[0, 0, 0, 0], [255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]], np.uint8
)


def outlines(labels: npt.NDArray[Any], axis: int, size: float = 2) -> Outlines:
    made = Outlines((size, size, size))
    made.labels, made.colors, made.axis = labels, COLORS, axis
    return made


def brute(labels: npt.NDArray[Any], parts: int) -> npt.NDArray[np.bool_]:
    """Mark the parts of empty voxels that touch a voxel of a cluster."""
    fine = labels.repeat(parts, 0).repeat(parts, 1)
    padded = np.pad(fine, 1)
    rows, columns = fine.shape
    near = np.zeros(fine.shape, bool)
    for row in range(3):
        for column in range(3):
            near |= padded[row : row + rows, column : column + columns] > 0
    return near & (fine == 0)


@given(labels=VOLUMES, axis=st.integers(0, 2))
def test_lines_are_where_empty_parts_touch_a_cluster(
    labels: npt.NDArray[Any], axis: int
) -> None:
    drawn = np.asarray(outlines(labels, axis))
    assert drawn.shape == outlines(labels, axis).shape
    for at in range(labels.shape[axis]):
        slice_ = np.take(labels, at, axis)
        found = np.take(drawn, at, axis)
        assert np.array_equal(found[..., 3] > 0, brute(slice_, 4))
        # No pixel of any voxel of any cluster is covered.
        fine = slice_.repeat(4, 0).repeat(4, 1)
        assert not found[fine > 0].any()


@given(labels=VOLUMES, axis=st.integers(0, 2))
def test_slices_are_those_of_the_whole(labels: npt.NDArray[Any], axis: int) -> None:
    made = outlines(labels, axis)
    whole = np.asarray(made)
    for at in range(labels.shape[axis]):
        key: list[Any] = [slice(None)] * 3
        key[axis] = at
        assert np.array_equal(np.asarray(made[tuple(key)]), np.take(whole, at, axis))


@given(data=st.data(), axis=st.integers(0, 2))
def test_parts_are_outlined_inside_of_clusters_that_are_seen(
    data: st.DataObject, axis: int
) -> None:
    labels = data.draw(VOLUMES)
    parts = data.draw(arrays(np.uint8, labels.shape, elements=st.integers(0, 2)))
    made = outlines(labels, axis)
    # The third cluster is hidden.
    made.colors = COLORS * np.array([[1], [1], [1], [0]], np.uint8)
    plain = np.asarray(made)
    made.inner = parts
    drawn = np.asarray(made)
    seen = np.where((labels > 0) & (labels < 3), parts, 0)
    black = np.array([0, 0, 0, 255])
    for at in range(labels.shape[axis]):
        found, before = np.take(drawn, at, axis), np.take(plain, at, axis)
        lines = brute(np.take(seen, at, axis), 4)
        assert (found[lines] == black).all()
        assert np.array_equal(found[~lines], before[~lines])


def test_a_line_has_the_color_of_its_cluster() -> None:
    labels = np.zeros((1, 3, 9), np.uint8)
    labels[0, 1, 1], labels[0, 1, 6] = 1, 2
    drawn = np.asarray(outlines(labels, 0)[0, :, :])
    assert np.array_equal(drawn[4, 3], COLORS[1])
    assert np.array_equal(drawn[4, 8], COLORS[1])
    assert np.array_equal(drawn[4, 23], COLORS[2])
    assert not drawn[4, 9:23].any()


@pytest.mark.parametrize(
    ("size", "parts"), [(0.7, 2), (1, 2), (2, 4), (3, 6), (4, 8), (20, 8)]
)
def test_lines_are_about_half_a_millimeter_wide(size: float, parts: int) -> None:
    made = outlines(np.zeros((2, 3, 4), np.uint8), 1, size)
    assert made.parts == (parts, 1, parts)


def test_what_changes_is_drawn_anew() -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 1:3, 2] = 1
    drawn = outlines(labels, 0)
    seen = [drawn[1]]
    assert drawn[1] is seen[0]
    # As a slider does, in place.
    labels[1, 1, 2] = 0
    seen.append(drawn[1])
    drawn.colors = COLORS[[0, 2, 3, 1]]
    seen.append(drawn[1])
    drawn.inner = labels
    seen.append(drawn[1])
    drawn.axis = 1
    seen.append(drawn[:, 2])
    fresh = outlines(labels, 1)
    fresh.colors, fresh.inner = drawn.colors, labels
    assert np.array_equal(np.asarray(seen[-1]), np.asarray(fresh[:, 2]))
    for before, after in itertools.pairwise(seen):
        assert not np.array_equal(np.asarray(before), np.asarray(after))


@given(labels=VOLUMES, later=VOLUMES, axis=st.integers(0, 2))
def test_a_slice_that_is_seen_is_drawn_over_as_it_would_be_drawn_anew(
    labels: npt.NDArray[Any], later: npt.NDArray[Any], axis: int
) -> None:
    made = outlines(labels, axis)
    key: list[Any] = [slice(None)] * 3
    key[axis] = 1
    seen = made[tuple(key)]
    assert isinstance(seen, np.ndarray)
    before = seen.copy()
    assert not made.draw_over()
    made.labels = np.resize(later, labels.shape)
    fresh = np.asarray(outlines(made.labels, axis)[tuple(key)])
    same = np.array_equal(np.take(labels, 1, axis), np.take(made.labels, 1, axis))
    assert made.draw_over() != same
    assert made.drawn is seen
    assert np.array_equal(seen, fresh)
    assert np.array_equal(before, seen) or not same
    # Voxels of another plane have other parts.
    made.axis = (axis + 1) % 3
    assert made.drawn is None


# --- in a viewer ----------------------------------------------------------------------


@pytest.fixture
def shown(viewer: Any, opened: Callable[..., Any]) -> tuple[Any, Any, Any]:
    """Return a viewer, the layer of two clusters, and that of their outlines."""
    from napari.layers import Layer

    z = np.zeros((8, 9, 8), np.float32)
    z[2:4, 3:5, 3:6], z[6, 6, 3:6] = 5, -5
    statmap = opened({"z": z})["z"]
    layer = viewer.add_layer(Layer.create(*map_layer(statmap, visible=True)[0]))
    asked = Threshold(value=3, tail="both")
    show_clusters(viewer, layer, clusters_at(statmap, asked))
    labels = cluster_layer(viewer, statmap)
    assert labels is not None
    return viewer, labels, outlines_of(viewer, labels)


def test_each_part_lies_in_its_voxel_in_every_plane(shown: Any) -> None:
    viewer, labels, lines = shown
    ranges = viewer.dims.range
    for plane in ("axial", "coronal", "sagittal", "axial"):
        scene.show_plane(viewer, plane)  # type: ignore[arg-type]
        axis = viewer.dims.order[0]
        parts = outlines_in(lines).parts  # type: ignore[union-attr]
        assert parts[axis] == 1
        # napari draws the finer level on the voxels of the layer.
        factors = lines.downsample_factors[lines.data_level]
        assert factors.tolist() == [1 / n for n in parts]
        # Sliders go by voxels.
        assert viewer.dims.range == ranges
        assert np.array_equal(lines.extent.world, labels.extent.world)


def test_what_is_pointed_at_is_a_cluster_of_the_last_threshold(shown: Any) -> None:
    viewer, labels, _ = shown
    statmap, place = labels.metadata[METADATA_KEY].statmap, (2, 3, 4)
    point = labels.data_to_world(place[::-1])
    viewer.dims.set_point(range(3), point)
    assert labels.get_value(point, world=True) == 1
    for height, found in ((6, 0), (3, 1)):
        asked = Threshold(value=height, tail="both")
        (layer,) = map_layers(viewer)
        show_clusters(viewer, layer, clusters_at(statmap, asked))
        assert labels.get_value(point, world=True) == found
        value = layer.get_value(point, world=True)
        assert np.isnan(value) if not found else value == 5


def test_outlines_follow_colors_visibility_and_the_cluster_shown_alone(
    shown: Any,
) -> None:
    viewer, labels, lines = shown
    drawn = outlines_in(lines)
    assert drawn is not None
    assert len(np.unique(drawn.colors, axis=0)) == 3
    choose(labels, 1)
    assert drawn.colors[1].tolist() == [255] * 4
    labels.show_selected_label = True
    assert drawn.colors[:, 3].tolist() == [0, 255, 0]
    labels.show_selected_label = False
    assert drawn.colors[:, 3].tolist() == [0, 255, 255]
    labels.visible = False
    assert not lines.visible
    viewer.layers.remove(labels)
    assert lines not in viewer.layers


def test_a_step_draws_over_the_slice_and_tells_nobody_of_what_stays(
    shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, labels, lines = shown
    statmap, drawn = labels.metadata[METADATA_KEY].statmap, outlines_in(lines)
    cut: list[Any] = []
    told: list[Any] = []
    (layer,) = map_layers(viewer)
    scene.show_plane(viewer, "coronal")
    viewer.dims.set_point(range(3), labels.data_to_world((4, 3, 2)))
    before = np.array(lines._data_view)
    assert before.any()
    monkeypatch.setattr(type(lines), "set_view_slice", lambda self: cut.append(self))
    lines.events.set_data.connect(lambda event: told.append(event))

    def step(height: float) -> None:
        asked = Threshold(value=height, tail="both")
        show_clusters(viewer, layer, clusters_at(statmap, asked), describe=False)

    # The cluster that is not in this slice goes by its size.
    asked = Threshold(value=3, tail="both", min_voxels=4)
    show_clusters(viewer, layer, clusters_at(statmap, asked), describe=False)
    step(3)
    assert told == []
    assert np.array_equal(lines._data_view, before)
    step(6)
    assert len(told) == 1
    assert not lines._data_view.any()
    step(3)
    assert len(told) == 2
    assert np.array_equal(lines._data_view, before)
    assert cut == []
    # What is hidden is not drawn.
    layer.visible = False
    step(6)
    assert len(told) == 2
    assert drawn is not None
    assert drawn.drawn is not None
    assert drawn.drawn.any()
    monkeypatch.undo()
    layer.visible = True
    assert not lines._data_view.any()


def test_in_3d_clusters_are_seen_themselves(shown: Any) -> None:
    viewer, labels, lines = shown
    assert labels.opacity == 0
    viewer.dims.ndisplay = 3
    assert labels.opacity == 1
    assert not np.asarray(lines.data[1]).any()
    viewer.dims.ndisplay = 2
    assert labels.opacity == 0
    assert np.asarray(lines.data[1]).any()


def test_going_to_3d_draws_no_slice(
    shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, _, lines = shown
    drawn: list[int] = []
    draw = Outlines._draw

    def counted(self: Outlines, at: int) -> Any:
        drawn.append(at)
        return draw(self, at)

    monkeypatch.setattr(Outlines, "_draw", counted)
    viewer.dims.ndisplay = 3
    assert drawn == []
    viewer.dims.ndisplay = 2
    assert 0 < len(drawn) < lines.data[1].shape[0]
