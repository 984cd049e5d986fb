"""Where a place of the brain is drawn, by pixels: the error nobody may ever see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.settings import PLUGIN

pytestmark = pytest.mark.viewer

#: 6 mm voxels over the MNI brain, in RAS+.
SHAPE = (31, 37, 31)
RAS = np.array([[6, 0, 0, -90], [0, 6, 0, -126], [0, 0, 6, -72], [0, 0, 0, 1]], float)
#: Half the sides of a box: no two planes cut it alike.
HALF = np.array([9.0, 27.0, 18.0])
#: Its center, in the right anterior superior corner of the brain.
PLACE = np.array([42.0, 42.0, 60.0])
OPPOSITE = np.array([-42.0, -78.0, -24.0])
STORED = ("RAS", "LAS", "LPS", "LPI", "SRA")
#: Which of x, y and z is horizontal and vertical on the screen.
MEASURES = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
Quadrants = dict[tuple[str, str], int]


def tilted(degrees: float) -> npt.NDArray[np.float64]:
    """Turn the grid about the x and z axes, keeping its middle in place."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    about_x = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    about_z = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    middle = (np.array(SHAPE) - 1) / 2
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ RAS[:3, :3]
    affine[:3, 3] = RAS[:3, :3] @ middle + RAS[:3, 3] - affine[:3, :3] @ middle
    return affine


def image(affine: npt.NDArray[np.float64], *places: npt.ArrayLike) -> nib.Nifti1Image:
    """Light the voxels whose millimeters lie in the box about each place."""
    voxels = np.indices(SHAPE).reshape(3, -1)
    mm = (affine[:3, :3] @ voxels + affine[:3, 3:]).T
    lit = np.zeros(len(mm), bool)
    for place in places:
        lit |= (np.abs(mm - place) < HALF + 0.1).all(axis=1)
    return nib.Nifti1Image(np.where(lit, 6.0, 0).reshape(SHAPE).astype("f4"), affine)


def stored_as(axes: str, *places: npt.ArrayLike) -> nib.Nifti1Image:
    """Make an image whose file has another order and direction of axes."""
    if axes == "oblique":
        return image(tilted(20), *places)
    wanted = nib.orientations.axcodes2ornt(tuple(axes))
    return image(RAS, *places).as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), wanted)
    )


@pytest.fixture
def show(
    make_napari_viewer: Callable[..., Any], preferences: Any, tmp_path: Path
) -> Callable[..., Any]:
    """Open an image without the underlay: in a new window, or in the one before."""
    preferences.view.underlay = False
    preferences.view.panel = False
    windows: list[Any] = []

    def _show(picture: nib.Nifti1Image, orientation: str = "neurological") -> Any:
        preferences.view.orientation = orientation
        path = tmp_path / "z.nii.gz"
        picture.to_filename(path)
        if not windows:
            windows.append(make_napari_viewer(show=True))
            windows[0].window.resize(600, 500)
        viewer = windows[0]
        viewer.layers.clear()
        viewer.open(path, plugin=PLUGIN)
        return viewer

    return _show


def lit_pixels(viewer: Any) -> npt.NDArray[np.bool_]:
    """Photograph the canvas and find the pixels of the map."""
    for overlay in viewer.canvas.overlays.values():
        overlay.visible = False
    for overlay in viewer.scene.overlays.values():
        overlay.visible = False
    for layer in list(viewer.layers)[1:]:
        # In 3D clusters have colors of their own, in front of those of the map.
        layer.opacity = 0
    picture = viewer.screenshot(canvas_only=True, flash=False)
    # Warm colors: nothing else on the canvas is red.
    return picture[..., 0].astype(int) - picture[..., 2] > 60


def quadrants(viewer: Any) -> Quadrants:
    """Count lit pixels by quadrant of the canvas; quadrants without any left out."""
    lit = lit_pixels(viewer)
    rows, columns = (n // 2 for n in lit.shape)
    counts = {
        (vertical, side): int(lit[up, across].sum())
        for vertical, up in (("top", slice(rows)), ("bottom", slice(rows, None)))
        for side, across in (
            ("left", slice(columns)),
            ("right", slice(columns, None)),
        )
    }
    return {where: n for where, n in counts.items() if n}


def box_on_screen(viewer: Any) -> tuple[float, float]:
    """Return height and width of what is lit, in mm."""
    rows, columns = np.nonzero(lit_pixels(viewer))
    zoom = viewer.scene.camera.zoom
    return float(np.ptp(rows) / zoom), float(np.ptp(columns) / zoom)


def place_on_screen(viewer: Any) -> tuple[str, str]:
    """Return the one quadrant that is lit."""
    found = quadrants(viewer)
    assert len(found) == 1, f"lit in {found}"
    where, n = found.popitem()
    assert n > 200, "hardly a pixel"
    return where


def test_right_anterior_superior_is_drawn_there(show: Callable[..., Any]) -> None:
    for axes in [*STORED, "oblique"]:
        print(f"stored as {axes}")  # told when it fails
        check_place(show(stored_as(axes, PLACE)))


def check_place(viewer: Any) -> None:
    """Check the place of the box in all planes, and in 3D."""
    layer = viewer.layers[0]
    lit = np.argwhere(layer.data > 3)
    millimeters = np.array(layer.data_to_world(lit.mean(axis=0)))
    assert np.abs(millimeters - PLACE[::-1]).max() <= 3
    seen = {}
    for plane in scene.PLANE_ORDER:
        scene.show_plane(viewer, plane)  # type: ignore[arg-type]
        seen[plane] = place_on_screen(viewer)
        wide, high = MEASURES[plane]
        found = box_on_screen(viewer)
        # Voxels that the box only touches are lit, and turned ones stick out.
        assert found == pytest.approx((2 * HALF[high], 2 * HALF[wide]), abs=16)
        assert (found[0] > found[1]) == (HALF[high] > HALF[wide])
    # Right, right, and anterior on the right.
    assert seen == dict.fromkeys(scene.PLANE_ORDER, ("top", "right"))
    scene.show_3d(viewer)
    assert place_on_screen(viewer) == ("top", "right")


def test_radiological_puts_the_right_on_the_left(show: Callable[..., Any]) -> None:
    viewer = show(stored_as("RAS", PLACE), "radiological")
    assert place_on_screen(viewer) == ("top", "left")
    scene.show_plane(viewer, "coronal")
    assert place_on_screen(viewer) == ("top", "left")
    scene.set_anatomical(viewer, "neurological")
    assert place_on_screen(viewer) == ("top", "right")


def test_the_other_corner_is_drawn_in_the_other_corner(
    show: Callable[..., Any],
) -> None:
    viewer = show(stored_as("LAS", OPPOSITE))
    for plane in scene.PLANE_ORDER:
        scene.show_plane(viewer, plane)  # type: ignore[arg-type]
        assert place_on_screen(viewer) == ("bottom", "left")
    x, y, z = OPPOSITE
    scene.look_at(viewer, -x, y, z)
    assert quadrants(viewer) == {}


def test_the_volume_is_no_mirror_image(show: Callable[..., Any]) -> None:
    """In perspective what is near looks larger: that tells a body from its mirror."""
    viewer = show(stored_as("LPI", PLACE, OPPOSITE))
    camera = viewer.scene.camera
    corners = {}
    for orientation in ("neurological", "radiological"):
        scene.set_anatomical(viewer, orientation)
        scene.show_3d(viewer)
        camera.perspective = 60
        corners[orientation] = near_and_far(quadrants(viewer))
        # Half a turn about the vertical axis of the screen: sides and depths change.
        depth, up, across = camera.angles
        camera.angles = (depth, up + 180, across)
        corners[f"{orientation}, turned"] = near_and_far(quadrants(viewer))
    # One place is right anterior superior, the other left posterior inferior.
    assert corners == {
        # From above, nose up: right is right, and superior is near.
        "neurological": (("top", "right"), ("bottom", "left")),
        "neurological, turned": (("bottom", "right"), ("top", "left")),
        # From below, nose up: right is left, and inferior is near.
        "radiological": (("bottom", "right"), ("top", "left")),
        "radiological, turned": (("top", "right"), ("bottom", "left")),
    }


def near_and_far(counts: Quadrants) -> tuple[tuple[str, str], tuple[str, str]]:
    """Tell the near box from the far one by its size on the screen."""
    assert len(counts) == 2, f"lit in {counts}"
    far, near = sorted(counts, key=lambda where: counts[where])
    assert counts[near] > 1.3 * counts[far]
    return near, far


def test_the_volume_turns_as_a_head_does(show: Callable[..., Any]) -> None:
    """Where an observer at each side of a head sees its right anterior top."""
    viewer = show(stored_as("SRA", PLACE))
    scene.show_3d(viewer)
    # View and up direction as (z, y, x): where the observer looks, and their up.
    superior, anterior, right = np.eye(3)
    observers = {
        "above": (-superior, anterior, ("top", "right")),
        "below": (superior, anterior, ("top", "left")),
        "behind": (anterior, superior, ("top", "right")),
        "in front": (-anterior, superior, ("top", "left")),
        "at the right": (-right, superior, ("top", "right")),
        "at the left": (right, superior, ("top", "left")),
    }
    seen = {}
    for name, (view, up, _) in observers.items():
        viewer.scene.camera.set_view_direction(tuple(view), tuple(up))
        seen[name] = place_on_screen(viewer)
    assert seen == {name: where for name, (_, _, where) in observers.items()}
