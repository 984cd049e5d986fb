"""What mutations.py breaks: valid images of each format, how each is opened.

A format is a few valid seeds (file name -> bytes), the files of a seed that are broken,
and the way through the package that such a file takes when a user opens it.
"""

from __future__ import annotations

import gzip
import io
import itertools
import os
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import scipy.io
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis
from nibabel.freesurfer.mghformat import MGHImage
from nibabel.gifti import GiftiDataArray, GiftiImage

import napari_neurosynth_results as nnr

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from local_servers import nifti_bytes, png_bytes

Seed = Mapping[str, bytes]
#: Bytes that a file may need before it is refused.
LIMIT = 64 << 20
#: Maps of one image that are looked at.
_MOST_MAPS = 3
_AFFINE = np.array([[-8.0, 0, 0, 72], [0, 8, 0, -108], [0, 0, 8, -72], [0, 0, 0, 1]])


@dataclass(frozen=True)
class Format:
    """A format that is read.

    Attributes
    ----------
    seeds : sequence of mapping
        Valid files of one folder: name -> content.
    broken : tuple of str
        Endings of the files that are broken; all of a seed if there is none.
    open : callable
        Opens what lies in a folder; returns what came of it, in a word.
    text : bool
        Whether it is text.
    zipped : tuple of str
        Endings of files that are compressed after they were broken.
    """

    seeds: Sequence[Seed]
    broken: tuple[str, ...]
    open: Callable[[Path], str]
    text: bool = False
    zipped: tuple[str, ...] = ()


# --- images ---------------------------------------------------------------------------


def _voxels() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return noise with a hole, the same without, and a turned affine."""
    rng = np.random.default_rng(9)
    noise = rng.normal(size=(19, 9, 8)).astype(np.float32)
    noise[:3] = np.nan
    oblique = _AFFINE.copy()
    oblique[:2, :2] = [[7.5, -2.7], [2.7, 7.5]]
    return noise, (noise * 100)[3:], oblique


def _saved(image: Any, *endings: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        nib.save(image, os.path.join(folder, f"z{endings[0]}"))
        return {f"z{end}": Path(folder, f"z{end}").read_bytes() for end in endings}


def _mats(shape: tuple[int, ...]) -> list[bytes]:
    """Return SPM's affine as MATLAB 5 (plain and compressed) and 4 write it."""
    affine = _AFFINE.copy()
    affine[:3, 3] -= affine[:3, :3].sum(axis=1)
    made = []
    for options in ({}, {"do_compression": True}, {"format": "4"}):
        buffer = io.BytesIO()
        scipy.io.savemat(buffer, {"M": affine, "mat": affine}, **options)
        made.append(buffer.getvalue())
    return made


def _surfaces() -> list[Seed]:
    """Return what only looks like a volume: GIFTI, CIFTI, FreeSurfer's overlays."""
    values = np.arange(642, dtype=np.float32)
    gifti = GiftiImage(darrays=[GiftiDataArray(values)])
    brain = BrainModelAxis.from_mask(np.ones((4, 4, 4), bool), affine=_AFFINE)
    cifti = Cifti2Image(np.ones((1, 64), np.float32), header=(ScalarAxis(["z"]), brain))
    cifti.nifti_header.set_intent("ConnDenseScalar")
    row = nib.Nifti1Image(values[:, None, None], _AFFINE)
    return [
        _saved(gifti, ".func.gii"),
        _saved(cifti, ".dscalar.nii"),
        _saved(row, ".nii"),
        _saved(MGHImage(values[:, None, None], _AFFINE), ".mgh"),
    ]


def _zips() -> list[Seed]:
    made = []
    for how in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", how) as archive:
            archive.writestr("a/z.nii.gz", nifti_bytes(np.ones((8, 9, 8))))
            archive.writestr("a/p.nii.gz", nifti_bytes(np.full((8, 9, 8), 0.5)))
            archive.writestr("a/boilerplate.txt", "ALE \\citep{a}.")
        made.append({"z.zip": buffer.getvalue()})
    return made


def _pictures() -> list[Seed]:
    from qtpy.QtCore import QBuffer
    from qtpy.QtGui import QImage

    picture = QImage.fromData(png_bytes()).scaled(40, 30)
    made = [{"z.png": png_bytes()}]
    for kind in ("png", "jpeg"):
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        picture.save(buffer, kind)
        made.append({f"z.{kind[:3]}": bytes(buffer.data())})
    return made


def _open_picture(folder: Path) -> str:
    from napari_neurosynth_results.widgets.maps.description import read_picture

    [path] = folder.iterdir()
    return "refused" if read_picture(path.read_bytes()) is None else "read"


def _open_image(folder: Path) -> str:
    """Open an image, look at all of it, and compare it with what nibabel reads."""
    path = folder / sorted(one.name for one in folder.iterdir())[0]
    if path.suffix == ".zip" or path.name.endswith(".gii"):
        target = path if path.suffix == ".zip" else folder
    else:
        target = path
    results = nnr.open_results(target, max_bytes=LIMIT, cache_dir=folder / "cache")
    theirs = None if path.suffix == ".zip" else _by_nibabel(path)
    read = "refused"
    for statmap in list(results.maps.values())[:_MOST_MAPS]:
        data = None
        try:
            data, _ = statmap.data, (statmap.mask, statmap.tail, statmap.notices)
        except nnr.ResultsError as error:
            check_causes(error)
            told = str(error) in results.problems
        else:
            told = True
        assert told, "a problem that is not told"
        if data is None:
            continue
        assert data.dtype == np.float32
        assert not np.isinf(data).any()
        read = compare_voxels(statmap, theirs, len(results.maps))
        if statmap.kind.row.criteria:
            nnr.find_clusters(statmap, p=0.01, min_voxels=3)
    return read


def check_causes(error: BaseException) -> None:
    """Look behind a refusal: memory that ran out must not be called a broken file."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise cause
        cause = cause.__cause__ or cause.__context__


@dataclass(frozen=True)
class _Theirs:
    """What nibabel reads: volumes as stored, and how it turns them if that is known."""

    volumes: np.ndarray
    orientation: np.ndarray | None


def _by_nibabel(path: Path) -> _Theirs | None:
    beside = path.with_suffix(".mat").exists()
    with tempfile.TemporaryDirectory() as folder:
        # nibabel hands the file beside it to a reader that may end the process.
        for half in {path.with_suffix(".hdr"), path.with_suffix(".img"), path}:
            if half.exists():
                shutil.copy(half, folder)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = nib.load(os.path.join(folder, path.name))
                stored = np.asarray(image.dataobj).astype(np.float32)
                turned = None if beside else nib.io_orientation(image.affine)
                if turned is not None and np.isnan(turned).any():
                    turned = None
        except Exception:  # nibabel raises many
            return None
    return _Theirs(stored.reshape(*(*stored.shape, 1, 1)[:3], -1), turned)


def compare_voxels(statmap: Any, theirs: _Theirs | None, n_maps: int) -> str:
    """Fail when nibabel reads other voxels; say where it reads none."""
    if theirs is None:
        return "read"
    if any("resampled" in notice for notice in statmap.file.notices):
        return "read, resampled"
    assert theirs.volumes.shape[3] == n_maps, "another number of volumes"
    for n in range(n_maps):
        ways = _turns(theirs.volumes[..., n], theirs.orientation)
        if any(_same(statmap.data, one) for one in ways):
            return "read as nibabel"
    raise AssertionError("other voxels than nibabel's")


def _turns(volume: np.ndarray, turned: np.ndarray | None) -> Any:
    """Yield a volume as nibabel turns it; in all 48 ways where that is not known."""
    if turned is not None:
        yield nib.apply_orientation(volume, turned)
        return
    for axes in itertools.permutations(range(3)):
        for flips in itertools.product((1, -1), repeat=3):
            yield nib.apply_orientation(volume, np.array([axes, flips]).T)


def _same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    # What is infinite is replaced on purpose, and told.
    finite = ~np.isinf(theirs)
    return ours.shape == theirs.shape and np.array_equal(
        ours[finite], theirs[finite], equal_nan=True
    )


def image_formats() -> dict[str, Format]:
    """Return the formats of images, by name."""
    noise, small, oblique = _voxels()
    one, two = nib.Nifti1Image, nib.Nifti2Image
    scaled = one(small, _AFFINE)
    scaled.set_data_dtype(np.int16)
    several = two(small.reshape(4, 2, 2, 9, 8), _AFFINE)
    plain = [one(noise, _AFFINE), scaled, two(noise, oblique), several]
    pairs = [
        _saved(nib.Nifti1Pair(noise, _AFFINE), ".hdr", ".img"),
        _saved(nib.AnalyzeImage(small, None), ".hdr", ".img"),
    ]
    analyze = _saved(nib.AnalyzeImage(small, None), ".hdr", ".img")
    spm = [analyze | {"z.mat": mat} for mat in _mats(small.shape)]
    nifti = [{"z.nii": image.to_bytes()} for image in plain]
    mgh = [
        {"z.mgh": MGHImage(noise, affine).to_bytes()} for affine in (_AFFINE, oblique)
    ]
    inner = {"z.nii.gz": (".nii.gz",), "z.mgz": (".mgz",)}
    return {
        "nii": Format(nifti, (), _open_image),
        "nii.gz": Format(
            [{"z.nii.gz": seed["z.nii"]} for seed in nifti],
            (),
            _open_image,
            zipped=inner["z.nii.gz"],
        ),
        "hdr-img": Format(pairs, (), _open_image),
        "hdr-img-mat": Format(spm, (".mat", ".mat", ".hdr", ".img"), _open_image),
        "mgh": Format(mgh, (), _open_image),
        "mgz": Format(
            [{"z.mgz": seed["z.mgh"]} for seed in mgh],
            (),
            _open_image,
            zipped=inner["z.mgz"],
        ),
        "surfaces": Format(_surfaces(), (), _open_image),
        "zip": Format(_zips(), (), _open_image),
        "picture": Format(_pictures(), (), _open_picture),
    }


def compressed(raw: bytes, level: int) -> bytes:
    """Return a gzip stream that is the same each time."""
    return gzip.compress(raw, level, mtime=0)
