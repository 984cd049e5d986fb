"""Open mutated images and fail on anything but success or a `ResultsError`.

Run by test_fuzz.py as a process of its own, whose memory is limited.
"""

import gzip
import json
import os
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import scipy.ndimage
import scipy.special  # noqa: F401
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nibabel.freesurfer.mghformat import MGHHeader, MGHImage

from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.statmap import StatMap

EXAMPLES = 500
LIMIT = 64 << 20
#: Address space beyond what the imports took: the limit on a file, as much for the
#: voxels a set keeps, and 64 MiB of heap that glibc reserves for each of four readers.
ADDRESS_SPACE = 512 << 20
#: Memory beyond the limit on a file: pieces of gzip, slabs in float64, hypothesis.
ALLOWANCE = 16 << 20
#: No image here is larger than some kB.
SLOWEST = 10.0

_AFFINE = np.array([[-8.0, 0, 0, 72], [0, 8, 0, -108], [0, 0, 8, -72], [0, 0, 0, 1]])
_NUMBERS = [
    *(0, 1, -1, 2, 3, 4, 7, 8, 127, 128, 255, 256, 348, 352, 540, 544, 1000, 16384),
    *(
        32767,
        -32768,
        65535,
        2**24,
        2**31 - 1,
        -(2**31),
        2**32,
        2**62,
        2**63 - 1,
        -(2**63),
    ),
    *(0.0, -0.0, 0.5, -0.5, 1e-45, -1e-30, 1e10, 1e38, -1e38),
    *(float("nan"), float("inf"), float("-inf")),
]


def _seeds() -> dict[str, dict[str, bytes]]:
    """Return valid images: name -> extension -> content before compression."""
    rng = np.random.default_rng(9)
    noise = rng.normal(size=(19, 9, 8)).astype(np.float32)
    noise[:3] = np.nan
    small = (noise * 100).astype(np.float32)[3:]
    oblique = _AFFINE.copy()
    oblique[:2, :2] = [[7.5, -2.7], [2.7, 7.5]]
    one, two = nib.Nifti1Image, nib.Nifti2Image
    scaled = one(small, _AFFINE)
    scaled.set_data_dtype(np.int16)
    several = two(small.reshape(4, 2, 2, 9, 8), _AFFINE)
    images = {
        ".nii": [one(noise, _AFFINE), scaled, two(noise, oblique), several],
        ".nii.gz": [scaled, one(noise, oblique), two(noise, _AFFINE), several],
        ".hdr": [nib.Nifti1Pair(noise, _AFFINE), nib.AnalyzeImage(small, None)],
        ".mgz": [MGHImage(noise, _AFFINE)],
        ".mgh": [MGHImage(noise, oblique)],
    }
    return {
        f"{extension} {n}": _files(image, extension)
        for extension, kinds in images.items()
        for n, image in enumerate(kinds)
    }


def _files(image: nib.Nifti1Image, extension: str) -> dict[str, bytes]:
    if extension != ".hdr":
        return {extension: image.to_bytes()}
    with tempfile.TemporaryDirectory() as folder:
        image.to_filename(os.path.join(folder, "z.hdr"))
        return {
            ending: Path(folder, "z" + ending).read_bytes()
            for ending in (".hdr", ".img")
        }


SEEDS = _seeds()
ZIPPED = {".nii.gz", ".mgz"}
_PLACES = st.one_of(st.integers(0, 560), st.integers(-64, -1), st.integers(0, 20_000))
_DAMAGES = st.one_of(
    st.tuples(st.just("flip"), _PLACES, st.integers(1, 255)),
    st.tuples(st.just("cut"), _PLACES, st.none()),
    st.tuples(st.just("insert"), _PLACES, st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("write"), _PLACES, st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("drop"), _PLACES, st.integers(1, 600)),
    st.tuples(st.just("append"), st.just(0), st.binary(min_size=1, max_size=40)),
)
_EDITS = st.tuples(st.integers(0, 60), st.integers(0, 15), st.sampled_from(_NUMBERS))


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, bytes]:
    """Return the files of one image, broken in one way or several."""
    files = dict(SEEDS[draw(st.sampled_from(sorted(SEEDS)))])
    ending = draw(st.sampled_from(sorted(files)))
    raw = files[ending]
    for edit in draw(st.lists(_EDITS, max_size=3)):
        raw = _edited(raw, *edit)
    for damage in draw(st.lists(_DAMAGES, max_size=2)):
        raw = _damaged(raw, *damage)
    if ending in ZIPPED and draw(st.integers(0, 9)):
        raw = gzip.compress(raw, draw(st.sampled_from([0, 1, 9])), mtime=0)
        for damage in draw(st.lists(_DAMAGES, max_size=2)):
            raw = _damaged(raw, *damage)
    files[ending] = raw
    return files


def _edited(raw: bytes, field: int, item: int, value: float) -> bytes:
    """Set a header field, as it is stored, to an extreme value."""
    kinds = [nib.Nifti1Header, nib.Nifti2Header]
    kind = next(
        (k for k in kinds if raw[:2] == k.sizeof_hdr.to_bytes(2, "little")), None
    )
    # What is left when it is neither, FreeSurfer's, is 284 bytes with some to spare.
    dtype = kind.template_dtype if kind else MGHHeader.template_dtype
    if len(raw) < dtype.itemsize:
        return raw
    header = np.frombuffer(raw, dtype, 1).copy()
    name = dtype.names[field % len(dtype.names)]
    part = header[name].reshape(-1)
    if part.dtype.kind not in "iuf":
        return raw
    if part.dtype.kind in "iu":
        info = np.iinfo(part.dtype)
        value = int(value) if np.isfinite(value) else 0
        value = max(info.min, min(info.max, value))
    with np.errstate(all="ignore"):
        part[item % part.size] = value
    return header.tobytes() + raw[dtype.itemsize :]


def _damaged(raw: bytes, how: str, place: int, what: object) -> bytes:
    at = place % (len(raw) or 1)
    match how, what:
        case "flip", int(mask) if raw:
            return raw[:at] + bytes([raw[at] ^ mask]) + raw[at + 1 :]
        case "cut", _:
            return raw[:at]
        case "insert", bytes(more):
            return raw[:at] + more + raw[at:]
        case "write", bytes(more):
            return raw[:at] + more + raw[at + len(more) :]
        case "drop", int(count):
            return raw[:at] + raw[at + count :]
        case "append", bytes(more):
            return raw + more
    return raw


def _check_error(error: BaseException) -> None:
    """Look behind a refusal: some causes must not be turned into one."""
    cause: BaseException | None = error
    while cause is not None:
        assert not isinstance(cause, MemoryError | Warning), repr(cause)
        cause = cause.__cause__ or cause.__context__
    assert "z." in str(error), f"does not name the file: {error}"


def _check_map(statmap: StatMap) -> str:
    assert statmap.title
    grid = statmap.grid
    sizes = np.diag(grid.affine)[:3]
    assert np.isfinite(grid.affine).all()
    assert (sizes > 0).all()
    assert not (grid.affine[:3, :3] - np.diag(sizes)).any()
    try:
        data, mask, tail = statmap.data, statmap.mask, statmap.tail
    except ResultsError as error:
        _check_error(error)
        reported = str(error) in statmap.results.problems
        assert reported
        return "broken inside"
    assert tail
    assert data.dtype == np.float32
    assert data.shape == grid.shape
    assert not np.isinf(data).any()
    assert mask is None or (mask.shape == data.shape and mask.dtype == bool)
    return "read"


def _check_open(folder: str, files: dict[str, bytes]) -> set[str]:
    """Return what became of the maps of one image."""
    for ending, content in files.items():
        with open(os.path.join(folder, "z" + ending), "wb") as file:
            file.write(content)
    path = os.path.join(folder, "z" + min(files))
    try:
        results = open_results(path, max_bytes=LIMIT)
    except ResultsError as error:
        _check_error(error)
        return {"refused"}
    return set(map(_check_map, results.maps.values()))


def _limit_memory() -> None:
    """Make an allocation far beyond the limit fail, where the system can."""
    if sys.platform != "linux":
        return
    import resource

    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + ADDRESS_SPACE, hard))


def main() -> None:
    """Fuzz, and print what came out as JSON."""
    outcomes: Counter[str] = Counter()
    most = 0

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(mutations())
    def fuzz(files: dict[str, bytes]) -> None:
        nonlocal most
        outcomes["examples"] += 1
        with tempfile.TemporaryDirectory() as folder:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            start = time.perf_counter()
            outcomes.update(_check_open(folder, files))
            seconds = time.perf_counter() - start
            taken = tracemalloc.get_traced_memory()[1] - before
        assert seconds < SLOWEST, f"took {seconds:.1f} s"
        assert taken < LIMIT + ALLOWANCE, f"took {taken:,} bytes"
        most = max(most, taken)

    for files in SEEDS.values():
        with tempfile.TemporaryDirectory() as folder:
            seed = {
                ending: gzip.compress(raw) if ending in ZIPPED else raw
                for ending, raw in files.items()
            }
            assert _check_open(folder, seed) == {"read"}, "a seed does not open"
    _limit_memory()
    tracemalloc.start()
    # As errors: inside the door they turn into refusals, which are looked behind.
    warnings.simplefilter("error")
    fuzz()
    print(json.dumps({**outcomes, "most bytes": most}))


if __name__ == "__main__":
    main()
