"""The command line opens results in a window, and takes pictures of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.command_line import run

SHAPE = (8, 9, 8)
Write = Callable[..., Path]
Captured = pytest.CaptureFixture[str]


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.slow
@pytest.mark.viewer
@pytest.mark.parametrize("view", ["axial", "3D"])
def test_a_screenshot_shows_the_result(write: Write, tmp_path: Path, view: str) -> None:
    z = np.zeros((31, 37, 31), np.float32)
    z[18:24, 18:24, 18:24] = 7
    affine = np.diag([6.0, 6, 6, 1])
    affine[:3, 3] = -90, -126, -72
    source = write({"z": z}, affine=affine)
    path = tmp_path / "shot.png"
    arguments = ("open", str(source), "--view", view, "--screenshot", str(path))
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"Wrote {path}"
    shot = picture(path)
    assert shot.shape[0] >= 600
    assert shot.shape[1] >= 900
    # The map is warm, the brain below it gray and light. In 3D the cluster is green, in
    # a brain that is dark glass.
    red, green, blue = np.moveaxis(shot, -1, 0)
    seen = red - blue > 60 if view == "axial" else green - np.maximum(red, blue) > 60
    assert seen.sum() > 500
    gray = np.ptp(shot, axis=-1) < 10
    light = red > 100 if view == "axial" else (red > 30) & (red < 100)
    assert (gray & light).sum() > 5000
    assert [p.name for p in tmp_path.glob("*.png")] == ["shot.png"]

    before = path.read_bytes()
    again = run(*arguments)
    assert again.returncode == 1
    assert again.stderr == f"{path} exists already. Choose another name.\n"
    assert path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.viewer
def test_two_results_open_beside_one_that_does_not(
    write: Write, tmp_path: Path
) -> None:
    z = np.zeros(SHAPE, np.float32)
    z[3:5, 3:5, 3:5] = 7
    one, other = (write({"z": z}, name=f"run{n}/maps") for n in (1, 2))
    missing, path = tmp_path / "missing", tmp_path / "shot.png"
    names = (
        "import napari\n"
        "close = napari.Viewer.close\n"
        "def told(self):\n"
        "    print([layer.name for layer in self.layers if 'z' in layer.name])\n"
        "    return close(self)\n"
        "napari.Viewer.close = told\n"
    )
    arguments = ("open", str(one), str(missing), str(other), "--screenshot", str(path))
    done = run(*arguments, before=names)
    # What failed is told, in the exit code too; the others are shown.
    assert done.returncode == 1, done.stderr
    assert f"{missing} does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.exists()
    assert "'maps: uncorrected · z'" in done.stdout
    assert "'run2/maps: uncorrected · z'" in done.stdout


@pytest.mark.slow
@pytest.mark.viewer
def test_a_picture_that_cannot_be_written_is_told(write: Write, tmp_path: Path) -> None:
    source = write({"z": np.ones(SHAPE)})
    path = tmp_path / "nowhere" / "shot.png"
    done = run("open", str(source), "--screenshot", str(path))
    assert done.returncode == 1
    assert f"{path} cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
