"""Images made on the spot, how a broken one has to be told, and servers to ask."""

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.freesurfer.mghformat import MGHImage

from local_servers.scripted import Reply, Site, make_web
from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.sources.web.client import WebClient

#: 8 mm over the MNI brain: small, and not doubted.
_AFFINE = np.array(
    [[8.0, 0, 0, -72], [0, 8, 0, -108], [0, 0, 8, -72], [0, 0, 0, 1]], float
)
_SHAPE = (19, 24, 20)


@pytest.fixture
def affine() -> np.ndarray:
    return _AFFINE.copy()


@pytest.fixture
def values() -> np.ndarray:
    """Return a volume in which no two voxels are equal and none is zero."""
    count = np.prod(_SHAPE)
    mixed = np.random.default_rng(1).permutation(count) - count // 2 + 0.25
    return (mixed / 256).astype(np.float32).reshape(_SHAPE)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write an image into the test's folder; the name decides format and gzip."""

    def write(
        name, data, affine=_AFFINE, *, image=nib.Nifti1Image, header=None
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Else nibabel refuses 64-bit integers; FreeSurfer's format has no choice.
        data = np.asarray(data)
        options = {} if image is MGHImage else {"dtype": data.dtype}
        nib.save(image(data, affine, header, **options), path)
        return path

    return write


@pytest.fixture
def good(save, values) -> Callable[..., Path]:
    """Write a map that opens."""

    def write(name: str = "good/z.nii.gz") -> Path:
        return save(name, values)

    return write


@pytest.fixture
def edit() -> Callable[..., Path]:
    """Set header fields of a NIfTI file to anything, as no library would write it."""

    def change(path: Path, **fields) -> Path:
        raw = path.read_bytes()
        zipped = raw[:2] == b"\x1f\x8b"
        raw = gzip.decompress(raw) if zipped else raw
        order, size = next(
            (order, size)
            for order in ("little", "big")
            if (size := int.from_bytes(raw[:4], order)) in (348, 540)
        )
        kind = nib.Nifti1Header if size == 348 else nib.Nifti2Header
        header = kind(raw[:size], endianness=order, check=False)
        for field, value in fields.items():
            header[field] = value
        raw = header.binaryblock + raw[size:]
        path.write_bytes(gzip.compress(raw, mtime=0) if zipped else raw)
        return path

    return change


@pytest.fixture
def assert_refused(good) -> Callable[..., None]:
    """Check that a file is refused by name, and never keeps others from opening."""

    def check(path: Path, *words: str, **options) -> None:
        with pytest.raises(ResultsError) as caught:
            open_results(path, **options)
        assert path.name in str(caught.value)
        for word in words:
            assert word in str(caught.value)
        other = good(os.path.join(path.parent, "other.nii.gz"))
        for source in (path.parent, [path, other]):
            results = open_results(source, **options)
            assert list(results.maps) == ["other"]
            assert [path.name in problem for problem in results.problems] == [True]
            assert results["other"].data.any()
        other.unlink()

    return check


@pytest.fixture
def assert_broken_inside(good) -> Callable[..., None]:
    """Check that broken voxels are told when they are read, and only then."""

    def check(path: Path, *words: str, key: str | None = None) -> None:
        other = good(os.path.join(path.parent, "other.nii.gz"))
        results = open_results([path, other])
        assert results.problems == ()
        key = key or next(key for key in results.maps if key != "other")
        broken = results[key]
        with pytest.raises(ResultsError) as caught:
            _ = broken.data
        assert path.name in str(caught.value)
        for word in words:
            assert word in str(caught.value)
        assert results.problems == (str(caught.value),)
        assert list(results.read(results.maps.values())) == ["other"]
        assert results.problems == (str(caught.value),)

    return check


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def foreign() -> Iterator[Site]:
    """Run a server that nobody configured; it must hear nothing."""
    site = Site()
    site.gives("/", Reply())
    yield site
    site.close()
    assert site.asked == []


@pytest.fixture
def client(site: Site) -> Iterator[WebClient]:
    with make_web(site) as client:
        yield client
