"""The planes have the colors of napari's own canvas, pixel by pixel of a screenshot."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.ortho.geometry import FieldOfView, Window
from napari_neurosynth_results.viewer.ortho.picture import draw, drawable_layers
from napari_neurosynth_results.widgets.ortho.canvas import paint_discs

pytestmark = pytest.mark.viewer

SHAPE = (9, 12, 10)
PLACED: dict[str, Any] = {
    "scale": (6, 6, 6),
    "translate": (-24, -36, -30),
    "units": ("mm",) * 3,
    "axis_labels": ("z", "y", "x"),
    "blending": "translucent_no_depth",
}
HOT = {
    "colors": [[0.5, 0, 0, 1], [1, 1, 0.4, 1]],
    "low_color": [0, 0, 0, 0],
    "high_color": [0, 0.5, 1, 0.75],
    "nan_color": [0, 1, 0, 0.5],
    "name": "hot, for this test",
}
SIGNED = {
    "colors": [[0, 0, 1, 1], [0, 0, 0, 0], [1, 0.5, 0, 1]],
    "controls": [0, 0.25, 0.75, 1],
    "interpolation": "zero",
    "name": "in steps, for this test",
}


@pytest.fixture
def gray(window: Any, rng: np.random.Generator) -> None:
    """Show something gray, below all else."""
    data = rng.uniform(0, 255, SHAPE).astype(np.uint8)
    window.add_image(data, name="gray", colormap="gray", **PLACED)
    scene.set_anatomical(window, "neurological")


def add_map(viewer: Any, rng: np.random.Generator, **options: Any) -> Any:
    data = rng.normal(0, 3, SHAPE).astype(np.float32)
    data[:, ::5] = np.nan
    keywords = PLACED | {"colormap": HOT, "contrast_limits": (0.5, 4)} | options
    return viewer.add_image(data, name="map", **keywords)


def add_clusters(viewer: Any, rng: np.random.Generator, **options: Any) -> Any:
    blocks = rng.integers(0, 4, (3, 4, 5)).astype(np.uint8)
    labels = blocks.repeat(3, 0).repeat(3, 1).repeat(2, 2)
    return viewer.add_labels(labels, name="clusters", **(PLACED | options))


def both(viewer: Any, plane: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Photograph napari's canvas, and draw the same plane at the same pixels."""
    scene.show_plane(viewer, plane)  # type: ignore[arg-type]
    for overlay in viewer.canvas.overlays.values():
        overlay.visible = False
    theirs = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    rows, columns = theirs.shape[:2]
    camera = viewer.scene.camera
    center = list(viewer.dims.point)
    center[scene.PLANE_ORDER[plane][1]] = camera.center[1]
    center[scene.PLANE_ORDER[plane][2]] = camera.center[2]
    convention = scene.nearest_convention(viewer)
    window = Window(
        plane, rows, columns, FieldOfView(tuple(center), camera.zoom, convention)
    )
    ours, failed = draw(viewer, drawable_layers(viewer), window, paint_discs)
    assert failed == {}
    return theirs.astype(int), ours[..., :3].astype(int)


def disagreeing(theirs: npt.NDArray[Any], ours: npt.NDArray[Any]) -> float:
    """Return the share of lit pixels that differ by more than rounding."""
    lit = theirs.any(axis=-1) | ours.any(axis=-1)
    assert lit.mean() > 0.2
    return float((np.abs(theirs - ours).max(axis=-1) > 3)[lit].mean())


def add_everything(viewer: Any, rng: np.random.Generator) -> None:
    add_map(viewer, rng, gamma=0.6, opacity=0.8)
    add_clusters(viewer, rng, opacity=0.9).contour = 1


@pytest.mark.usefixtures("gray")
def test_all_planes_are_those_of_the_canvas(
    window: Any, rng: np.random.Generator
) -> None:
    add_everything(window, rng)
    found = {}
    for side in scene.CAMERA_ORIENTATION:
        for plane in scene.PLANE_ORDER:
            scene.set_anatomical(window, side)  # type: ignore[arg-type]
            scene.look_at(window, 12, -6, 6)
            found[plane, side] = disagreeing(*both(window, plane))
    assert len(found) == 6
    # Where voxels meet, a pixel belongs to either of them.
    assert max(found.values()) < 0.02, found


@pytest.mark.usefixtures("gray")
@pytest.mark.parametrize(
    "options",
    [
        {"colormap": SIGNED, "contrast_limits": (-4, 4)},
        {"colormap": "viridis", "contrast_limits": (-4, 4), "gamma": 2.0},
        {"colormap": "turbo", "opacity": 0.3},
        {"blending": "additive", "colormap": "red"},
        {"blending": "minimum", "colormap": "viridis"},
        {"blending": "multiplicative", "colormap": "viridis"},
        {"blending": "opaque", "colormap": "viridis"},
        {"blending": "translucent"},
        {"interpolation2d": "linear", "colormap": "viridis"},
    ],
    ids=str,
)
def test_images(window: Any, rng: np.random.Generator, options: dict[str, Any]) -> None:
    add_map(window, rng, **options)
    assert disagreeing(*both(window, "axial")) < 0.02


@pytest.mark.parametrize(
    "blending", ["additive", "minimum", "multiplicative", "opaque", "translucent"]
)
def test_the_lowest_layer_is_blended_with_the_canvas(
    window: Any, rng: np.random.Generator, blending: str
) -> None:
    scene.set_anatomical(window, "neurological")
    add_map(window, rng, blending=blending, colormap="viridis", opacity=0.7)
    assert disagreeing(*both(window, "axial")) < 0.02


@pytest.mark.usefixtures("gray")
@pytest.mark.parametrize("contour", [0, 1, 2])
def test_labels(window: Any, rng: np.random.Generator, contour: int) -> None:
    layer = add_clusters(window, rng)
    layer.contour = contour
    assert disagreeing(*both(window, "axial")) < 0.02
    layer.selected_label = 2
    layer.show_selected_label = True
    theirs, ours = both(window, "axial")
    assert disagreeing(theirs, ours) < 0.02


@pytest.mark.parametrize("mode", ["none", "rescale_linear", "rescale_spherical"])
def test_points(window: Any, mode: str) -> None:
    places = np.array([[6, -6, 12], [9, 18, -12], [6, 20, 20], [-20, 0, 0.0]])
    window.add_points(
        places / 10,
        scale=(10,) * 3,
        units=("mm",) * 3,
        size=[1.6, 2.0, 1.2, 2.0],
        face_color=["red", "yellow", "cyan", "white"],
        border_color="blue",
        border_width=0.2,
        projection_mode=mode,
        opacity=0.8,
        blending="translucent_no_depth",
        antialiasing=0,
    )
    window.add_image(np.zeros(SHAPE), **PLACED, opacity=0)
    scene.set_anatomical(window, "neurological")
    for plane in scene.PLANE_ORDER:
        scene.look_at(window, 12, -6, 6)
        check_discs(*both(window, plane))


def check_discs(theirs: npt.NDArray[Any], ours: npt.NDArray[Any]) -> None:
    seen, drawn = (picture.any(axis=-1) for picture in (theirs, ours))
    assert seen.sum() > 300
    # The edges are smooth in one of them.
    assert drawn.sum() == pytest.approx(seen.sum(), rel=0.1)
    common = seen & drawn
    assert common.sum() > 0.9 * seen.sum()
    assert (np.abs(theirs - ours).max(axis=-1) <= 3)[common].mean() > 0.95
