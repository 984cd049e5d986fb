"""Left is left in all three planes: where a lit corner of the brain is painted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QWidget

from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.plugin.reader import read
from napari_neurosynth_results.widgets.ortho.widget import OrthoView

#: 6 mm voxels over the MNI brain, in RAS+.
SHAPE = (31, 37, 31)
RAS = np.array([[6, 0, 0, -90], [0, 6, 0, -126], [0, 0, 6, -72], [0, 0, 0, 1]], float)
#: Half the sides of a box, x, y and z: no two planes cut it alike.
HALF = np.array([9.0, 27.0, 18.0])
#: What the voxels whose middles lie in it measure.
SIDES = 6 * (2 * (HALF // 6) + 1)
#: Its middle in x, y and z: right, anterior and superior.
PLACE = np.array([42.0, 42.0, 60.0])
#: Which of x, y and z is horizontal and vertical.
MEASURES = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}


def stored_as(axes: str, path: Path) -> Path:
    """Write a volume with a lit box, its axes in another order and direction."""
    voxels = np.indices(SHAPE).reshape(3, -1)
    mm = (RAS[:3, :3] @ voxels + RAS[:3, 3:]).T
    lit = (np.abs(mm - PLACE) < HALF + 0.1).all(axis=1)
    image = nib.Nifti1Image(np.where(lit, 6.0, 0).reshape(SHAPE).astype("f4"), RAS)
    wanted = nib.orientations.axcodes2ornt(tuple(axes))
    now = nib.orientations.axcodes2ornt("RAS")
    turned = image.as_reoriented(nib.orientations.ornt_transform(now, wanted))
    assert nib.aff2axcodes(turned.affine) == tuple(axes)
    turned.to_filename(path / "z.nii.gz")
    return path / "z.nii.gz"


def pixels(widget: QWidget) -> npt.NDArray[np.uint8]:
    """Photograph a widget."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())
    lines = np.frombuffer(bits, np.uint8).reshape(image.height(), -1)
    return lines[:, : 3 * image.width()].reshape(image.height(), -1, 3).copy()


@pytest.fixture
def view(viewer: Any) -> Iterator[OrthoView]:
    """Return the ortho view of a viewer, as large as in a dock."""
    made = OrthoView(viewer)
    made.resize(700, 760)
    made.show()
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("side", scene.CAMERA_ORIENTATION)
@pytest.mark.parametrize("axes", ["RAS", "LAS", "LPS", "LPI", "SRA"])
def test_a_box_is_painted_where_it_lies(
    viewer: Any, view: OrthoView, tmp_path: Path, axes: str, side: str
) -> None:
    from napari.layers import Layer

    for layer in read(str(stored_as(axes, tmp_path))):
        if layer[1]["name"] != "MNI152 T1 template":
            viewer.add_layer(Layer.create(*layer))
    scene.set_anatomical(viewer, side)
    scene.look_at(viewer, *PLACE)
    picture = pixels(view.canvas).astype(int)
    # Warm colors: neither letters nor crosshair are red without green or blue.
    lit = picture[..., 0] - picture[..., 2] > 60
    for plane, (box, window) in view.canvas.windows().items():
        across = 1 if side == "neurological" or plane == "sagittal" else -1
        part = lit[box.top() : box.bottom() + 1, box.left() : box.right() + 1]
        rows, columns = np.nonzero(part)
        scale = window.field.scale
        wide, high = MEASURES[plane]
        center = np.array(window.field.center[::-1])
        # The crosshair hides a line, but not where the box begins and ends.
        right = across * ((columns.min() + columns.max() + 1) / 2 - box.width() / 2)
        up = box.height() / 2 - (rows.min() + rows.max() + 1) / 2
        assert right / scale + center[wide] == pytest.approx(PLACE[wide], abs=1)
        assert up / scale + center[high] == pytest.approx(PLACE[high], abs=1)
        assert np.ptp(columns) / scale == pytest.approx(SIDES[wide], abs=2)
        assert np.ptp(rows) / scale == pytest.approx(SIDES[high], abs=2)


@pytest.mark.parametrize(
    ("side", "letters"),
    [
        ("neurological", {"axial": "LRAP", "coronal": "LRSI", "sagittal": "PASI"}),
        ("radiological", {"axial": "RLAP", "coronal": "RLSI", "sagittal": "PASI"}),
    ],
)
def test_the_letters_say_which_end_is_where(
    viewer: Any, view: OrthoView, side: str, letters: dict[str, str]
) -> None:
    viewer.add_image(np.zeros((4, 5, 6)), scale=(20,) * 3)
    scene.set_anatomical(viewer, side)
    found = {
        plane: "".join(
            window.letters()[edge] for edge in ("left", "right", "top", "bottom")
        )
        for plane, (_, window) in view.canvas.windows().items()
    }
    assert found == letters
