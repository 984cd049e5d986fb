"""Small result sets, written as real files the way NiMARE writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.results import ResultSet

#: 20 mm voxels over the whole brain, so that nothing looks misplaced.
SHAPE = (8, 9, 8)
AFFINE = np.array(
    [[20, 0, 0, -70], [0, 20, 0, -110], [0, 0, 20, -60], [0, 0, 0, 1]], float
)
Arrays = Mapping[str, npt.ArrayLike]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write maps (stem -> array) and texts (file name -> text) to a new folder."""
    count = 0

    def _write(maps: Arrays, texts: Mapping[str, str] | None = None) -> Path:
        nonlocal count
        count += 1
        folder = tmp_path / f"run{count}"
        folder.mkdir()
        for stem, array in maps.items():
            image = nib.Nifti1Image(np.asarray(array, np.float32), AFFINE)
            image.to_filename(folder / f"{stem}.nii.gz")
        for name, text in (texts or {}).items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    return _write


@pytest.fixture
def opened(write: Callable[..., Path]) -> Callable[..., ResultSet]:
    """Write maps and texts, and open their folder."""

    def _opened(maps: Arrays, texts: Mapping[str, str] | None = None) -> ResultSet:
        return open_results(write(maps, texts))

    return _opened


@pytest.fixture
def inside() -> npt.NDArray[np.bool_]:
    """Return a mask: all but the rim of the grid."""
    mask = np.zeros(SHAPE, bool)
    mask[1:-1, 1:-1, 1:-1] = True
    return mask


@pytest.fixture
def rng() -> np.random.Generator:
    """Return random numbers, the same in every run."""
    return np.random.default_rng(21)


@pytest.fixture(scope="session")
def sample_path() -> Path:
    """Return the folder of the packaged sample: an ALE of pain studies."""
    return Path(str(files("napari_neurosynth_results.viewer") / "sample/pain-ale"))
