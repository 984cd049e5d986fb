"""Left and right are decided once: paper, screen and ortho view say the same."""

from __future__ import annotations

import pytest

from napari_neurosynth_results.anatomy.planes import (
    AXES,
    CONVENTIONS,
    HEAD_SIDES,
    HEAD_VIEWS,
    PLANES,
    Convention,
    HeadSide,
    Plane,
    facing_side,
    hemisphere_letter,
    is_mirrored,
    side_letters,
)
from napari_neurosynth_results.export.figures.slices import PlaneView
from napari_neurosynth_results.viewer.ortho.geometry import FieldOfView, Window
from napari_neurosynth_results.viewer.scene import (
    PLANE_ORDER,
    camera_ways,
    canvas_letters,
)

#: By hand: left, right, top, bottom where right is on the right.
EDGES = {"axial": "LRAP", "coronal": "LRSI", "sagittal": "PASI"}
#: By hand: what is left and right of the side of the head that is seen.
BESIDE = {
    "left": "AP",
    "right": "PA",
    "top": "LR",
    "bottom": "RL",
    "front": "RL",
    "back": "LR",
}


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("plane", PLANES)
def test_paper_canvas_and_ortho_view_have_the_same_letters(
    plane: Plane, convention: Convention
) -> None:
    left, right, top, bottom = EDGES[plane]
    # The front is on the right in both conventions.
    if convention == "radiological" and plane != "sagittal":
        left, right = right, left
    edges = {"left": left, "right": right, "top": top, "bottom": bottom}
    canvas = canvas_letters(PLANE_ORDER[plane], 2, camera_ways(plane, convention))
    assert canvas == edges
    field = FieldOfView((0.0, 0.0, 0.0), 1.0, convention)
    assert Window(plane, 10, 10, field).letters() == edges
    view = PlaneView(plane, (0.0, 1.0), (0.0, 1.0), is_mirrored(plane, convention))
    assert view.letters == edges


@pytest.mark.parametrize("side", HEAD_SIDES)
def test_letters_beside_the_head_follow_from_where_one_looks(side: HeadSide) -> None:
    assert "".join(side_letters(side)) == BESIDE[side]
    look, up = HEAD_VIEWS[side]
    assert sum(a * b for a, b in zip(look, up, strict=True)) == 0


def test_projections_are_seen_from_where_their_letters_say() -> None:
    assert [facing_side(plane) for plane in PLANES] == ["top", "back", "right"]
    mirrored = [facing_side(plane, mirrored=True) for plane in PLANES]
    assert mirrored == ["bottom", "front", "left"]


def test_a_plane_has_each_axis_once_and_up_comes_after_across() -> None:
    for cut, across, up in AXES.values():
        assert sorted((cut, across, up)) == [0, 1, 2]
        # `spread` and the silhouette take the two axes in this order.
        assert across < up


def test_places_in_the_middle_are_in_no_half() -> None:
    assert [hemisphere_letter(x) for x in (-0.1, 0.0, 42.0)] == ["L", "", "R"]
